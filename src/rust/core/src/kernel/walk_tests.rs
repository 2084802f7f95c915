use super::*;
use crate::sparse::csr::{from_rows, row};
use crate::testing::same_bits;

/// Each cell goes to itself and up to four later ones; the last one absorbs.
fn chain(n: usize) -> Csr {
    let rows = (0..n).map(|i| {
        let mut s = Stream::new(3, 0, i as u64, 0);
        let to: Vec<usize> = (i..n.min(i + 5)).collect();
        let w: Vec<f64> = to.iter().map(|_| s.uniform() + 0.05).collect();
        let total: f64 = w.iter().sum();
        to.iter()
            .zip(w)
            .map(|(&j, w)| (j as u32, w / total))
            .collect()
    });
    from_rows(n, rows.collect()).unwrap()
}

fn options(starts: &[u32]) -> WalkOptions<'_> {
    WalkOptions {
        n_walks: 50,
        max_iter: 40,
        successive_hits: 0,
        starts,
        stops: &[],
        seed: 1,
    }
}

fn split(w: &Walks) -> Vec<&[u32]> {
    let mut rest = &w.cells[..];
    w.lengths
        .iter()
        .map(|&l| {
            let (head, tail) = rest.split_at(l);
            rest = tail;
            head
        })
        .collect()
}

#[test]
fn steps_follow_transitions_of_positive_probability() {
    let t = chain(60);
    let starts: Vec<u32> = (0..60).collect();
    let w = random_walks(&Exec::serial(), t.clone(), &options(&starts)).unwrap();
    assert_eq!(w.lengths, vec![41; 50]);
    for walk in split(&w) {
        for pair in walk.windows(2) {
            let p = t.get(pair[0] as usize, pair[1] as usize);
            assert!(p.is_some_and(|&p| p > 0.0));
        }
    }
}

#[test]
fn frequencies_are_the_probabilities() {
    // From cell 0, with explicit zeros first, between and last.
    let p = [0.0, 0.5, 0.0, 0.3, 0.15, 0.05, 0.0];
    let first = p.iter().enumerate().map(|(j, &v)| (j as u32, v)).collect();
    let mut rows = vec![first];
    rows.extend((1..7).map(|_| vec![(0u32, 1.0)]));
    let t = from_rows(7, rows).unwrap();
    let n = 20_000;
    let o = WalkOptions {
        n_walks: 4,
        max_iter: n,
        ..options(&[0])
    };
    let w = random_walks(&Exec::serial(), t, &o).unwrap();
    let mut count = [0f64; 7];
    w.cells.iter().for_each(|&c| count[c as usize] += 1.0);
    let total: f64 = count[1..].iter().sum();
    assert_eq!((count[2], count[6]), (0.0, 0.0));
    let chi: f64 = [1, 3, 4, 5]
        .iter()
        .map(|&j| (count[j] - total * p[j]) * (count[j] - total * p[j]) / (total * p[j]))
        .sum();
    // 0.999 quantile of chi-square with 3 degrees of freedom.
    assert!(chi < 16.27, "{chi}");
}

#[test]
fn starts_are_equally_likely() {
    let o = WalkOptions {
        n_walks: 9000,
        max_iter: 2,
        ..options(&[3, 11, 20])
    };
    let w = random_walks(&Exec::serial(), chain(30), &o).unwrap();
    let mut count = [0f64; 30];
    split(&w).iter().for_each(|v| count[v[0] as usize] += 1.0);
    for c in [3, 11, 20] {
        assert!((count[c] - 3000.0).abs() < 5.0 * (9000f64 * 2.0 / 9.0).sqrt());
    }
}

#[test]
fn walks_stop_after_enough_hits_in_a_row() {
    let stops: Vec<u32> = (40..60).collect();
    for hits in [0, 1, 3] {
        let o = WalkOptions {
            successive_hits: hits,
            stops: &stops,
            max_iter: 400,
            ..options(&[0, 45])
        };
        let w = random_walks(&Exec::serial(), chain(60), &o).unwrap();
        for walk in split(&w) {
            let n = walk.len();
            // The start is not tested, even where it is a stop cell.
            assert!(n >= hits + 2);
            assert!(walk[n - hits - 1..].iter().all(|&c| c >= 40));
            assert!(n == hits + 2 || walk[n - hits - 2] < 40);
        }
    }
}

#[test]
fn a_visit_elsewhere_sets_the_count_back() {
    // 0 -> 1 -> 0 -> 1 ... with only 1 a stop cell: never twice in a row.
    let t = from_rows(2, vec![vec![(1, 1.0)], vec![(0, 1.0)]]).unwrap();
    let o = WalkOptions {
        successive_hits: 1,
        stops: &[1],
        ..options(&[0])
    };
    let w = random_walks(&Exec::serial(), t, &o).unwrap();
    assert_eq!(w.lengths, vec![41; 50]);
}

#[test]
fn absorbing_cells_keep_the_walk() {
    let o = WalkOptions {
        max_iter: 500,
        ..options(&[0])
    };
    let w = random_walks(&Exec::serial(), chain(20), &o).unwrap();
    for walk in split(&w) {
        assert_eq!(walk.len(), 501);
        assert_eq!(walk[500], 19);
    }
}

#[test]
fn walks_do_not_depend_on_their_number() {
    let few = WalkOptions {
        n_walks: 7,
        ..options(&[0, 1, 2])
    };
    let many = WalkOptions { n_walks: 40, ..few };
    let a = random_walks(&Exec::serial(), chain(60), &few).unwrap();
    let b = random_walks(&Exec::serial(), chain(60), &many).unwrap();
    assert_eq!(split(&a), split(&b)[..7]);
    let other = WalkOptions { seed: 2, ..few };
    let c = random_walks(&Exec::serial(), chain(60), &other).unwrap();
    assert_ne!(a, c);
}

#[test]
fn threads_change_nothing() {
    let starts: Vec<u32> = (0..500).collect();
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        random_walks(&exec, chain(3000), &options(&starts)).unwrap()
    });
}

#[test]
fn running_sums_are_those_of_each_row() {
    let t = chain(1000);
    let rows = Rows::new(&Exec::with_threads(4).unwrap(), t.clone()).unwrap();
    for i in 0..1000 {
        let mut sum = 0.0;
        let (_, values) = row(&t, i);
        let found = &rows.sums[rows.bounds[i]..rows.bounds[i + 1]];
        for (v, f) in values.iter().zip(found) {
            sum += v;
            assert_eq!(sum.to_bits(), f.to_bits());
        }
    }
}

#[test]
fn what_cannot_be_walked_is_refused() {
    let kind = |t: Csr, o: WalkOptions<'_>| {
        let e = random_walks(&Exec::serial(), t, &o).unwrap_err();
        e.kind()
    };
    let good = options(&[0]);
    let off = from_rows(2, vec![vec![(0, 0.7)], vec![(1, 1.0)]]).unwrap();
    assert_eq!(kind(off, good), "not_stochastic");
    let wide = from_rows(3, vec![vec![(0, 1.0)], vec![(1, 1.0)]]).unwrap();
    assert_eq!(kind(wide, good), "shape");
    let bad = [
        WalkOptions { n_walks: 0, ..good },
        WalkOptions {
            max_iter: 1,
            ..good
        },
        WalkOptions {
            starts: &[],
            ..good
        },
        WalkOptions {
            starts: &[60],
            ..good
        },
        WalkOptions {
            stops: &[61],
            ..good
        },
    ];
    for o in bad {
        assert_eq!(kind(chain(60), o), "range");
    }
}

#[test]
fn a_cancelled_job_ends() {
    let exec = Exec::serial();
    exec.control().cancel();
    let e = random_walks(&exec, chain(9), &options(&[0])).unwrap_err();
    assert_eq!(e, CoreError::Interrupted);
}
