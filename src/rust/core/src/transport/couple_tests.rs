use super::couple::*;
use super::oracle::{dense, squares};
use super::sinkhorn::Options;
use crate::exec::Exec;
use crate::rng::Stream;
use crate::testing::same_bits;
use ndarray::{array, Array2};

fn options(epsilon: f64) -> CoupleOptions {
    CoupleOptions {
        solver: Options {
            epsilon,
            lambda: [1.0, 50.0],
            tolerance: 1e-13,
            max_iter: 10_000,
            correct: true,
            precision: None,
        },
        scale: Scale::Median,
        groups: 32,
        growth_iters: 1,
        threshold: Threshold::All,
        columns: false,
        sample_above: 1e9,
        seed: 0,
    }
}

fn fixture() -> (Array2<f64>, Array2<f64>, Vec<f64>) {
    (
        array![[0.0], [1.0], [3.0]],
        array![[0.5], [1.0], [2.0], [4.0]],
        vec![1.2, 1.0, 0.8],
    )
}

fn one(x: &Array2<f64>, y: &Array2<f64>, growth: &[f64], dt: f64, o: &CoupleOptions) -> Coupling {
    let pair = Pair {
        source: Source::Points(x.view(), y.view()),
        growth,
        delta_t: dt,
    };
    couple(&Exec::serial(), &[pair], o).unwrap().remove(0)
}

/// The sparse coupling as a dense one; NaN where nothing is stored.
fn full(c: &Coupling, n1: usize, n2: usize) -> Array2<f64> {
    let mut out = Array2::from_elem((n1, n2), f64::NAN);
    assert_eq!(c.matrix.p.len(), n2 + 1);
    for j in 0..n2 {
        let range = c.matrix.p[j] as usize..c.matrix.p[j + 1] as usize;
        let rows = &c.matrix.i[range.clone()];
        assert!(rows.windows(2).all(|w| w[0] < w[1]));
        for k in range {
            out[(c.matrix.i[k] as usize, j)] = c.matrix.x[k];
        }
    }
    out
}

fn close(a: impl IntoIterator<Item = f64>, b: &[f64], tolerance: f64) {
    let a: Vec<f64> = a.into_iter().collect();
    assert_eq!(a.len(), b.len());
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() <= tolerance, "{a:?} against {b:?}");
    }
}

#[test]
fn growth_rounds_of_the_fixture() {
    let (x, y, growth) = fixture();
    let o = CoupleOptions {
        growth_iters: 3,
        columns: true,
        ..options(0.5)
    };
    let c = one(&x, &y, &growth, 2.0, &o);
    assert!((c.scale - 1.0).abs() < 1e-6);
    let want = [
        [1.2, 1.0, 0.8],
        [0.928918, 1.073714, 1.000763],
        [0.808542, 1.104860, 1.043048],
        [0.747467, 1.122918, 1.044176],
    ];
    assert_eq!(c.growth.len(), 4);
    for (g, want) in c.growth.iter().zip(want) {
        close(g.iter().copied(), &want, 2e-6);
    }
    let t = [
        0.436393, 0.121046, 0.001267, 0.0, 0.298725, 0.612257, 0.349963, 8e-8, 2.0e-6, 2.18e-4,
        0.371799, 0.718284,
    ];
    close(full(&c, 3, 4), &t, 2e-6);
    let last = c.rounds[2].certificate;
    assert!(last.col_residual < 1e-9 && c.rounds.iter().all(|r| r.converged));
    // The mass of one round is the mean of the next one's marginal.
    for k in 0..2 {
        let mean = c.growth[k + 1].iter().map(|g| g * g).sum::<f64>() / 3.0;
        assert!((mean - c.rounds[k].certificate.mass).abs() < 1e-9);
    }
    let o = CoupleOptions {
        solver: Options {
            epsilon: 0.05,
            ..o.solver
        },
        ..o
    };
    let c = one(&x, &y, &growth, 2.0, &o);
    close(
        c.growth[1].iter().copied(),
        &[0.900984, 1.149572, 0.950983],
        2e-6,
    );
    close(
        c.growth[3].iter().copied(),
        &[0.805111, 1.154196, 0.992980],
        2e-6,
    );
}

#[test]
fn thresholds_of_the_fixture() {
    let (x, y, growth) = fixture();
    let pattern = |threshold| {
        let o = CoupleOptions {
            threshold,
            ..options(0.5)
        };
        full(&one(&x, &y, &growth, 2.0, &o), 3, 4)
    };
    let auto = pattern(Threshold::Auto);
    let kept: Vec<_> = auto
        .indexed_iter()
        .filter(|e| !e.1.is_nan())
        .map(|e| e.0)
        .collect();
    assert_eq!(kept, [(0, 0), (1, 1), (2, 3)]);
    assert!((auto[(1, 1)] - 0.507882).abs() < 1e-6);
    let half = pattern(Threshold::Percentile(50.0));
    assert_eq!(half.iter().filter(|v| **v >= 0.208805).count(), 6);
    assert_eq!(half.iter().filter(|v| v.is_nan()).count(), 6);
    let mass = pattern(Threshold::RowMass(0.7));
    let kept: Vec<_> = mass
        .indexed_iter()
        .filter(|e| !e.1.is_nan())
        .map(|e| e.0)
        .collect();
    assert_eq!(kept, [(0, 0), (1, 1), (1, 2), (2, 3)]);
    assert!(pattern(Threshold::RowMass(1.0)).iter().all(|v| !v.is_nan()));
}

fn cloud(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut s = Stream::new(seed, 0, n as u64, 0);
    Array2::from_shape_fn((n, d), |(i, g)| {
        s.normal() + if i % 3 == g { 4.0 } else { 0.0 }
    })
}

#[test]
fn kept_entries_are_those_of_a_dense_coupling() {
    let (x, y) = (cloud(70, 4, 1), cloud(85, 4, 2));
    let growth: Vec<f64> = (0..70).map(|i| 0.5 + (i % 5) as f64 / 4.0).collect();
    let scale = one(&x, &y, &growth, 1.0, &options(0.1)).scale;
    let mut all: Vec<f64> = squares(&x, &y, 1.0).into_iter().collect();
    all.sort_by(f64::total_cmp);
    let middle = (all[70 * 85 / 2 - 1] + all[70 * 85 / 2]) / 2.0;
    assert!((scale / middle - 1.0).abs() < 1e-5);
    let mean: f64 = growth.iter().sum::<f64>() / 70.0;
    let want = dense(
        &squares(&x, &y, scale),
        &growth,
        &[mean; 85],
        0.1,
        [1.0, 50.0],
    )
    .coupling();
    let top = |r: ndarray::ArrayView1<'_, f64>| r.iter().fold(0.0, |m: f64, &v| m.max(v));
    let auto = want
        .rows()
        .into_iter()
        .map(top)
        .fold(f64::INFINITY, f64::min);
    let mut sorted: Vec<f64> = want.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let at = 0.9 * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at - at.floor());
    let percentile = (1.0 - part) * sorted[low] + part * sorted[low + 1];
    for (threshold, bound) in [
        (Threshold::Auto, auto),
        (Threshold::Local, auto),
        (Threshold::Percentile(90.0), percentile),
    ] {
        let o = CoupleOptions {
            threshold,
            ..options(0.1)
        };
        let found = one(&x, &y, &growth, 1.0, &o);
        let got = full(&found, 70, 85);
        for (g, w) in got.iter().zip(&want) {
            // Within rounding of the bound either is right.
            if (w / bound - 1.0).abs() > 1e-4 {
                assert_eq!(!g.is_nan(), *w > bound);
            }
            assert!(g.is_nan() || (g / w - 1.0).abs() < 1e-4);
        }
        let kept = got.mapv(|v| if v.is_nan() { 0.0 } else { v });
        for (i, share) in found.share.iter().enumerate() {
            assert!((share - kept.row(i).sum() / want.row(i).sum()).abs() < 1e-4);
        }
    }
    let o = CoupleOptions {
        threshold: Threshold::RowMass(0.9),
        ..options(0.1)
    };
    let got = full(&one(&x, &y, &growth, 1.0, &o), 70, 85);
    for i in 0..70 {
        let row = got.row(i).mapv(|v| if v.is_nan() { 0.0 } else { v });
        let sum = want.row(i).sum();
        let least = row
            .iter()
            .filter(|v| **v > 0.0)
            .fold(f64::INFINITY, |m, &v| m.min(v));
        assert!(row.sum() >= 0.9 * sum * (1.0 - 1e-5));
        assert!(row.sum() - least < 0.9 * sum * (1.0 + 1e-5));
    }
}

#[test]
fn auto_takes_the_least_of_all_pairs() {
    let (x, y, z) = (cloud(30, 3, 1), cloud(40, 3, 2), cloud(20, 3, 3));
    let growth = vec![1.0; 40];
    let pair = |a, b, n: usize| Pair {
        source: Source::Points(a, b),
        growth: &growth[..n],
        delta_t: 1.0,
    };
    let pairs = [pair(x.view(), y.view(), 30), pair(y.view(), z.view(), 40)];
    let run = |threshold| {
        let o = CoupleOptions {
            threshold,
            ..options(0.1)
        };
        couple(&Exec::serial(), &pairs, &o).unwrap()
    };
    let least = |c: &Coupling| c.matrix.x.iter().fold(f64::INFINITY, |m, &v| m.min(v));
    let (auto, local) = (run(Threshold::Auto), run(Threshold::Local));
    let want = least(&local[0]).min(least(&local[1]));
    assert_eq!(least(&auto[0]).min(least(&auto[1])), want);
    assert!(least(&auto[0]) >= want && least(&auto[1]) >= want);
    assert!(least(&local[0]) != least(&local[1]));
}

#[test]
fn lost_cells_keep_one_entry_and_set_no_threshold() {
    let (mut x, y) = (cloud(40, 3, 1), cloud(50, 3, 2));
    let o = CoupleOptions {
        threshold: Threshold::Auto,
        ..options(0.05)
    };
    let growth = vec![1.0; 40];
    let usual = one(&x, &y, &growth, 1.0, &o);
    assert!(usual.lost.is_empty());
    x.row_mut(11).fill(500.0);
    let found = one(&x, &y, &growth, 1.0, &o);
    assert_eq!(found.lost, [11]);
    assert!(found.share[11].is_nan());
    let kept = full(&found, 40, 50);
    let row: Vec<f64> = kept
        .row(11)
        .iter()
        .copied()
        .filter(|v| !v.is_nan())
        .collect();
    assert_eq!(row, [1e-300]);
    let others = found.matrix.x.iter().filter(|v| **v > 1e-200);
    assert!(others.fold(f64::INFINITY, |m, &v| m.min(v)) > 1e-6);
    // A second round goes on from there.
    let twice = CoupleOptions {
        growth_iters: 2,
        ..o
    };
    let found = one(&x, &y, &growth, 1.0, &twice);
    assert_eq!(found.lost, [11]);
    assert!(found.rounds[1].converged && found.growth[2][0].is_finite());
}

#[test]
fn a_sample_start_leads_to_the_same_plan_in_fewer_iterations() {
    // Islands of different share on the two sides.
    let uneven = |n: usize, shares: [usize; 3]| {
        let mut s = Stream::new(5, 0, n as u64, 0);
        Array2::from_shape_fn((n, 5), |(i, g)| {
            s.normal()
                + if shares.iter().filter(|&&v| v <= i % 10).count() == g {
                    4.0
                } else {
                    0.0
                }
        })
    };
    let (x, y) = (uneven(3000, [2, 5, 10]), uneven(2800, [6, 9, 10]));
    let growth: Vec<f64> = (0..3000).map(|i| 0.5 + (i % 7) as f64 / 4.0).collect();
    let cold = CoupleOptions {
        groups: 1,
        threshold: Threshold::Local,
        solver: Options {
            tolerance: 1e-8,
            ..options(0.05).solver
        },
        ..options(0.05)
    };
    let warm = CoupleOptions {
        sample_above: 1e6,
        ..cold
    };
    let a = one(&x, &y, &growth, 1.0, &cold);
    let b = one(&x, &y, &growth, 1.0, &warm);
    assert!(b.rounds[0].iterations < a.rounds[0].iterations);
    let bound = a.rounds[0].certificate.tv_bound + b.rounds[0].certificate.tv_bound;
    let (r, s) = (&a.growth[1], &b.growth[1]);
    let off: f64 = r.iter().zip(s).map(|(r, s)| (r - s).abs()).sum();
    assert!(off / r.iter().sum::<f64>() < bound);
    assert!((a.rounds[0].certificate.primal / b.rounds[0].certificate.primal - 1.0).abs() < 1e-7);
}

#[test]
fn scales_follow_their_definitions() {
    let (x, y) = (cloud(33, 3, 1), cloud(21, 3, 2));
    let c = squares(&x, &y, 1.0);
    let growth = vec![1.0; 33];
    let scale = |scale| {
        let o = CoupleOptions {
            scale,
            ..options(0.1)
        };
        one(&x, &y, &growth, 1.0, &o).scale
    };
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-5, "{a} {b}");
    near(scale(Scale::Mean), c.sum() / (33.0 * 21.0));
    near(scale(Scale::Max), c.iter().fold(0.0, |m: f64, &v| m.max(v)));
    near(scale(Scale::Fixed(3.5)), 3.5);
    let still = Array2::<f64>::zeros((5, 2));
    let pair = Pair {
        source: Source::Points(still.view(), still.view()),
        growth: &[1.0; 5],
        delta_t: 1.0,
    };
    let e = couple(&Exec::serial(), &[pair], &options(0.1)).unwrap_err();
    assert_eq!(e.kind(), "range");
}

#[test]
fn given_costs_are_taken_as_they_are_and_checked() {
    let (x, y, growth) = fixture();
    let c = squares(&x, &y, 1.0);
    let run = |c: &Array2<f64>| {
        let pair = Pair {
            source: Source::Given(c.view()),
            growth: &growth,
            delta_t: 2.0,
        };
        couple(&Exec::serial(), &[pair], &options(0.5))
    };
    let a = run(&c).unwrap().remove(0);
    let b = one(&x, &y, &growth, 2.0, &options(0.5));
    assert_eq!(a.scale, 1.0);
    close(a.matrix.x.iter().copied(), &b.matrix.x, 1e-6);
    for bad in [-1.0, f64::NAN] {
        let mut c = c.clone();
        c[(1, 2)] = bad;
        assert_eq!(run(&c).unwrap_err().kind(), "range");
    }
    let mut c = c.clone();
    c.row_mut(1).fill(f64::INFINITY);
    assert_eq!(run(&c).unwrap_err().kind(), "range");
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let (x, y) = (cloud(500, 6, 1), cloud(620, 6, 2));
    let growth = vec![1.0; 500];
    let pair = Pair {
        source: Source::Points(x.view(), y.view()),
        growth: &growth,
        delta_t: 1.0,
    };
    for threshold in [
        Threshold::Auto,
        Threshold::Percentile(97.5),
        Threshold::RowMass(0.8),
    ] {
        let o = CoupleOptions {
            threshold,
            growth_iters: 2,
            sample_above: 1e5,
            ..options(0.05)
        };
        same_bits(|t| {
            let exec = Exec::with_threads(t).unwrap();
            let c = couple(&exec, &[pair], &o).unwrap().remove(0);
            (c.matrix, c.growth, c.f, c.g, c.scale.to_bits())
        });
    }
}
