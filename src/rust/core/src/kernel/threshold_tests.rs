use super::*;
use crate::math;
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, row, rows_are_columns, to_csc_slots, transpose, Csr};
use crate::sparse::CscSlots;
use crate::testing::same_bits;

/// Slots of a graph whose weights are eighths, so that ties are common, and times
/// that are whole numbers.
pub(crate) fn graph(n: usize, k: usize, symmetric: bool) -> (CscSlots, Vec<f64>) {
    let mut s = Stream::new(8, 0, 0, 0);
    let mut rows = vec![std::collections::BTreeMap::<u32, f64>::new(); n];
    for i in 0..n {
        for o in 1..=k {
            let j = (i + o * o) % n;
            // Stored zeros now and then: they are no edges.
            let w = s.below(9) as f64 / 8.0;
            rows[i].insert(j as u32, w);
            if symmetric {
                rows[j].insert(i as u32, w);
            }
        }
        let next = ((i + 1) % n) as u32;
        rows[i].insert(next, 1.0);
        if symmetric {
            rows[next as usize].insert(i as u32, 1.0);
        }
    }
    let rows = rows.into_iter().map(|r| r.into_iter().collect()).collect();
    let time = (0..n).map(|_| s.below(20) as f64).collect();
    let m = from_rows(n, rows).unwrap();
    (to_csc_slots(&Exec::serial(), &m).unwrap(), time)
}

pub(crate) fn view<'a>(exec: &Exec, m: &'a CscSlots) -> CscView<'a> {
    let n = m.p.len() - 1;
    CscView::new(exec, (n, n), &m.p, &m.i, &m.x).unwrap()
}

pub(crate) fn by_rows(m: &CscSlots) -> Csr {
    let n = m.p.len() - 1;
    let turned = rows_are_columns((n, n), &m.p, &m.i, &m.x).unwrap();
    transpose(&Exec::serial(), &turned).unwrap()
}

/// The schemes in plain words, one row.
pub(crate) fn plain(
    (cols, w): (&[u32], &[f64]),
    i: usize,
    t: &[f64],
    scheme: Threshold,
) -> Vec<(u32, f64)> {
    let there: Vec<usize> = (0..w.len()).filter(|&a| w[a] > 0.0).collect();
    let mut out = Vec::new();
    for &a in &there {
        let fall = t[i] - t[cols[a] as usize];
        let factor = match scheme {
            Threshold::Hard { frac_to_keep } => {
                let m = ((there.len() as f64 * frac_to_keep).floor() as usize).min(30);
                let before = |&&b: &&usize| w[b] > w[a] || (w[b] == w[a] && cols[b] < cols[a]);
                let rank = there.iter().filter(before).count();
                f64::from(u8::from(rank < m || fall <= 0.0))
            }
            Threshold::Soft { b, nu } if fall > 0.0 => {
                2.0 / math::pow(1.0 + math::exp(b * fall), 1.0 / nu)
            }
            _ => 1.0,
        };
        if w[a] * factor > 0.0 {
            out.push((cols[a], w[a] * factor));
        }
    }
    out
}

#[test]
fn the_rules_in_plain_words_agree() {
    let exec = Exec::with_threads(2).unwrap();
    let soft = |b, nu| Threshold::Soft { b, nu };
    let mut schemes = vec![
        soft(10.0, 0.5),
        soft(0.4, 0.5),
        soft(2.0, 1.0),
        soft(0.7, 0.3),
        soft(0.0, 2.0),
        Threshold::Done,
    ];
    for f in [0.0, 0.1, 0.12, 0.3, 0.5, 0.99, 1.0] {
        schemes.push(Threshold::Hard { frac_to_keep: f });
    }
    for symmetric in [false, true] {
        // With 60 neighbours the cap of 30 counts.
        for (n, k) in [(2, 1), (101, 9), (2500, 7), (400, 60)] {
            let (c, t) = graph(n, k, symmetric);
            let rows = by_rows(&c);
            for &scheme in &schemes {
                let found = bias(&exec, view(&exec, &c), &t, scheme).unwrap();
                assert_eq!(found.is_symmetric(), symmetric || n == 2);
                let found = by_rows(&found.weights(&exec).unwrap());
                for i in 0..n {
                    let want = plain(row(&rows, i), i, &t, scheme);
                    let (cols, values) = row(&found, i);
                    let wanted: Vec<u32> = want.iter().map(|e| e.0).collect();
                    assert_eq!(cols, wanted, "{scheme:?} row {i}");
                    for (&v, (_, w)) in values.iter().zip(&want) {
                        assert!((v / w - 1.0).abs() < 1e-13, "{scheme:?} {v} {w}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_vanishes_is_counted() {
    let exec = Exec::serial();
    // A chain of five cells, 100 apart.
    let rows = (0..5u32)
        .map(|i| {
            let near = [i.wrapping_sub(1), i + 1];
            near.into_iter()
                .filter(|&j| j < 5)
                .map(|j| (j, 1.0))
                .collect()
        })
        .collect();
    let c = to_csc_slots(&exec, &from_rows(5, rows).unwrap()).unwrap();
    let t: Vec<f64> = (0..5).map(|i| 100.0 * f64::from(i)).collect();
    let soft = |b| Threshold::Soft { b, nu: 0.5 };
    let hard = bias(&exec, view(&exec, &c), &t, soft(10.0)).unwrap();
    let expected = Losses {
        vanished: 4,
        rows: 4,
        largest_fall: 100.0,
    };
    assert_eq!((hard.losses(), hard.empty()), (expected, vec![4]));
    let mild = bias(&exec, view(&exec, &c), &t, soft(0.01)).unwrap();
    assert_eq!((mild.losses().vanished, mild.empty()), (0, vec![]));
    let plan = mild.plan(&exec).unwrap();
    assert!(plan.same_pattern);
    assert!(!hard.plan(&exec).unwrap().same_pattern);
    // Values alone may be asked for where the pattern stays.
    let mut x = vec![0.0; 8];
    mild.fill(&exec, &plan, &mut [], &mut x).unwrap();
    assert_eq!(x, mild.slots(&exec).unwrap().x);
    let e = mild.fill(&exec, &plan, &mut [], &mut x[1..]);
    assert_eq!(e.unwrap_err().kind(), "shape");
    let e = hard.fill(&exec, &hard.plan(&exec).unwrap(), &mut [], &mut x[..4]);
    assert_eq!(e.unwrap_err().kind(), "shape");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for symmetric in [false, true] {
        let (c, t) = graph(5000, 12, symmetric);
        for scheme in [
            Threshold::Hard { frac_to_keep: 0.3 },
            Threshold::Soft { b: 0.3, nu: 0.5 },
            Threshold::Soft { b: 0.3, nu: 0.8 },
        ] {
            same_bits(|threads| {
                let exec = Exec::with_threads(threads).unwrap();
                let found = bias(&exec, view(&exec, &c), &t, scheme).unwrap();
                (found.losses(), found.weights(&exec).unwrap())
            });
        }
    }
}

#[test]
fn arguments_are_checked() {
    let exec = Exec::serial();
    let (c, t) = graph(30, 3, true);
    let hard = |f| Threshold::Hard { frac_to_keep: f };
    let soft = |b, nu| Threshold::Soft { b, nu };
    let kind = |c: &CscSlots, t: &[f64], scheme| {
        let found = bias(&exec, view(&exec, c), t, scheme);
        found.map(|_| ()).unwrap_err().kind()
    };
    for scheme in [
        hard(1.5),
        hard(-0.1),
        hard(f64::NAN),
        soft(-1.0, 0.5),
        soft(f64::INFINITY, 0.5),
        soft(1.0, 0.0),
        soft(1.0, f64::NAN),
    ] {
        assert_eq!(kind(&c, &t, scheme), "range", "{scheme:?}");
    }
    assert_eq!(kind(&c, &t[1..], hard(0.3)), "shape");
    let mut late = t.clone();
    late[4] = f64::NAN;
    assert_eq!(kind(&c, &late, hard(0.3)), "range");
    let mut bad = c.clone();
    bad.x[3] = -1.0;
    assert_eq!(kind(&bad, &t, hard(0.3)), "range");
    bad.x[3] = f64::NAN;
    assert_eq!(kind(&bad, &t, hard(0.3)), "range");
    bad.x.fill(f64::MAX);
    assert_eq!(kind(&bad, &t, hard(1.0)), "range");
    bad.x.fill(0.0);
    assert_eq!(kind(&bad, &t, hard(0.3)), "disconnected");
    assert!(bias(&exec, view(&exec, &bad), &t, Threshold::Done).is_ok());
    let wide = CscView::new(&exec, (2, 1), &[0, 1], &[0], &[1.0]).unwrap();
    assert!(bias(&exec, wide, &[0.0, 1.0], hard(0.3)).is_err());
}
