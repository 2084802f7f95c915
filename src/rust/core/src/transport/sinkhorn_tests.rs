use super::cases::*;
use super::oracle::{dense, primal, squares};
use super::pass::Precision;
use super::sinkhorn::*;
use crate::exec::Exec;
use crate::math;
use crate::rng::Stream;
use crate::testing::same_bits;
use ndarray::Array2;

#[test]
fn tiles_agree_with_the_dense_solver_in_both_precisions() {
    let case = Case::new(133, 171, 3);
    let exec = Exec::serial();
    let lambda = [1.0, 50.0];
    let want = dense(&case.cost(), &case.p, &case.q, 0.05, lambda).coupling();
    for (precision, limit) in [(Precision::Double, 1e-4), (Precision::Single, 1e-4)] {
        for k in [1, 6] {
            let o = Options {
                precision: Some(precision),
                ..options(0.05, lambda)
            };
            let s = case.solve(&exec, k, &o, None);
            assert!(s.converged && s.iterations < 400, "{}", s.iterations);
            let got = coupling(&s, &case.cost(), 0.05);
            let off = worst(&got, &want);
            assert!(off < limit, "{precision:?} {k}: {off:e}");
            let value = primal(
                &(&got * 171.0),
                &case.cost(),
                &case.p,
                &case.q,
                0.05,
                lambda,
            );
            assert!((value - s.certificate.primal).abs() < 1e-6 * value);
        }
    }
}

#[test]
fn bounds_hold_at_loose_tolerances() {
    let case = Case::new(90, 70, 4);
    let exec = Exec::serial();
    for lambda in [[1.0, 50.0], [0.3, 2.0], [50.0, 50.0]] {
        let want = dense(&case.cost(), &case.p, &case.q, 0.1, lambda).coupling();
        for tolerance in [1e-3, 1e-6, 1e-9] {
            let o = Options {
                tolerance,
                ..options(0.1, lambda)
            };
            let s = case.solve(&exec, 3, &o, None);
            let got = coupling(&s, &case.cost(), 0.1);
            let off = (&got - &want).mapv(f64::abs).sum() / got.sum();
            let c = &s.certificate;
            assert!(c.gap >= 0.0 && c.relative_gap <= tolerance);
            assert!(off <= 1.05 * c.tv_bound + 1e-6, "{off:e} {:e}", c.tv_bound);
            let log = |a: &f64, b: &f64| math::ln(a / b).abs();
            let entry = got
                .iter()
                .zip(&want)
                .map(|(a, b)| log(a, b))
                .fold(0.0, f64::max);
            assert!(
                entry <= c.entry_bound + 1e-5,
                "{entry:e} {:e}",
                c.entry_bound
            );
        }
    }
}

#[test]
fn any_groups_and_any_start_lead_to_one_plan() {
    let case = Case::new(80, 95, 5);
    let exec = Exec::serial();
    let o = Options {
        tolerance: 1e-11,
        ..options(0.05, [1.0, 50.0])
    };
    let base = case.solve(&exec, 1, &o, None);
    let want = coupling(&base, &case.cost(), 0.05);
    let mut s = Stream::new(9, 0, 0, 0);
    let start = Start {
        f: (0..80).map(|_| s.normal()).collect(),
        g: (0..95).map(|_| s.normal()).collect(),
    };
    let other = [
        case.solve(&exec, 7, &o, None),
        case.solve(&exec, 7, &o, Some(&start)),
        case.solve(
            &exec,
            1,
            &Options {
                correct: false,
                ..o
            },
            None,
        ),
    ];
    for s in other {
        let got = coupling(&s, &case.cost(), 0.05);
        let sum = s.certificate.entry_bound + base.certificate.entry_bound;
        assert!(worst(&got, &want) <= sum + 1e-6);
        assert!((s.kappa0 - base.kappa0).abs() < 1e-12);
    }
}

#[test]
fn groups_save_iterations_on_islands() {
    let case = Case::new(300, 300, 6);
    let exec = Exec::serial();
    let o = Options {
        tolerance: 1e-10,
        ..options(0.02, [1.0, 50.0])
    };
    let count = |k, o: &Options| case.solve(&exec, k, o, None).iterations;
    let plain = count(
        1,
        &Options {
            correct: false,
            ..o
        },
    );
    let (one, many) = (count(1, &o), count(32, &o));
    assert!(many < one && one < plain, "{many} {one} {plain}");
    assert!(4 * many < plain, "{many} {plain}");
}

#[test]
fn the_optimum_knows_its_own_value() {
    let case = Case::new(60, 50, 7);
    let (epsilon, lambda) = (0.1, [1.0, 5.0]);
    let s = case.solve(&Exec::serial(), 4, &options(epsilon, lambda), None);
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let want = lambda[0] * mean(&case.p) + lambda[1] * mean(&case.q) + epsilon * s.kappa0
        - (lambda[0] + lambda[1] + epsilon) * s.certificate.mass;
    assert!((s.certificate.primal - want).abs() < 1e-9);
}

#[test]
fn swapping_the_sides_transposes_the_plan() {
    let case = Case::new(60, 50, 8);
    let mut s = Stream::new(2, 0, 0, 0);
    let q: Vec<f64> = (0..50).map(|_| 0.5 + s.uniform()).collect();
    let c = case.cost();
    let a = solve_given(&c, &case.p, &q, 4, &options(0.1, [1.0, 5.0]));
    let turned = c.t().as_standard_layout().into_owned();
    let b = solve_given(&turned, &q, &case.p, 4, &options(0.1, [5.0, 1.0]));
    close(&a.f, &b.g, 1e-6);
    close(&a.g, &b.f, 1e-6);
}

#[test]
fn scaling_growth_scales_the_plan_and_doubling_targets_halves_it() {
    let case = Case::new(40, 30, 9);
    let c = case.cost();
    let o = options(0.1, [1.0, 5.0]);
    let base = solve_given(&c, &case.p, &case.q, 3, &o);
    let p: Vec<f64> = case.p.iter().map(|v| 3.0 * v).collect();
    let more = solve_given(&c, &p, &case.q, 3, &o);
    let factor = math::pow(3.0, 1.0 / 6.1);
    let t = coupling(&base, &c, 0.1);
    assert!(worst(&coupling(&more, &c, 0.1), &(&t * factor)) < 1e-5);
    let double = Array2::from_shape_fn((40, 60), |(i, j)| c[(i, j % 30)]);
    let twice = solve_given(&double, &case.p, &case.q.repeat(2), 3, &o);
    close(&twice.log_r, &base.log_r, 1e-6);
    let half = Array2::from_shape_fn((40, 60), |(i, j)| t[(i, j % 30)] / 2.0);
    assert!(worst(&coupling(&twice, &double, 0.1), &half) < 1e-5);
}

#[test]
fn a_constant_cost_leaves_growth_alone() {
    let p = [0.5, 1.0, 2.0, 4.0];
    let c = Array2::from_elem((4, 6), 0.3);
    let s = solve_given(&c, &p, &[1.9; 6], 2, &options(0.2, [1.0, 3.0]));
    let alpha = 1.0 / 1.2;
    let unit = s.log_r[1];
    for (r, p) in s.log_r.iter().zip(p) {
        assert!((r - unit - alpha * math::ln(p)).abs() < 1e-6);
    }
    assert!(s.g.iter().all(|g| (g - s.g[0]).abs() < 1e-9));
}

#[test]
fn large_penalties_approach_the_balanced_plan() {
    let case = Case::new(50, 50, 10);
    let exec = Exec::serial();
    let error = |lambda: f64| {
        let o = Options {
            tolerance: 1e-12,
            ..options(0.2, [lambda, lambda])
        };
        let s = case.solve(&exec, 8, &o, None);
        assert!(s.converged);
        let off = |(r, p): (&f64, &f64)| (math::exp(*r) - p).abs();
        s.log_r.iter().zip(&case.p).map(off).sum::<f64>() / case.p.iter().sum::<f64>()
    };
    let (two, four, six) = (error(1e2), error(1e4), error(1e6));
    assert!((two / four / 100.0 - 1.0).abs() < 0.15, "{two:e} {four:e}");
    assert!((four / six / 100.0 - 1.0).abs() < 0.2, "{four:e} {six:e}");
    assert!(error(f64::INFINITY) < 1e-7);
}

#[test]
fn the_balanced_plan_of_normal_quantiles_has_the_known_slope() {
    let n = 400;
    let normal = statrs::distribution::Normal::new(0.0, 1.0).unwrap();
    use statrs::distribution::ContinuousCDF;
    let z = Array2::from_shape_fn((n, 1), |(i, _)| {
        normal.inverse_cdf((i as f64 + 0.5) / n as f64)
    });
    let y = z.mapv(|v| 1.0 + 2.0 * v);
    let sd = |x: &Array2<f64>| {
        let m = x.sum() / n as f64;
        (x.mapv(|v| (v - m) * (v - m)).sum() / (n as f64 - 1.0)).sqrt()
    };
    let (s1, s2) = (sd(&z), sd(&y));
    for (epsilon, slope) in [(2.0, 1.5603), (0.5, 1.8785), (0.1, 1.9751)] {
        let c = squares(&z, &y, 1.0);
        let o = Options {
            tolerance: 1e-8,
            ..options(epsilon, [f64::INFINITY; 2])
        };
        let s = solve_given(&c, &vec![1.0; n], &vec![1.0; n], 32, &o);
        let t = coupling(&s, &c, epsilon);
        let map = |i: usize| {
            t.row(i)
                .iter()
                .zip(y.iter())
                .map(|(t, y)| t * y)
                .sum::<f64>()
                / t.row(i).sum()
        };
        let fit: f64 = (0..n).map(|i| z[(i, 0)] * map(i)).sum::<f64>() / z.mapv(|v| v * v).sum();
        let closed = (-epsilon + (epsilon * epsilon + 16.0 * s1 * s1 * s2 * s2).sqrt()) / 4.0;
        assert!((fit - slope).abs() < 1e-3, "{fit} {slope}");
        assert!((fit - closed / (s1 * s1)).abs() < 3e-3);
        let central = n / 8..n - n / 8;
        let off = central
            .map(|i| (map(i) - 1.0 - 2.0 * z[(i, 0)]).abs())
            .fold(0.0, f64::max);
        assert!(
            epsilon > 1.0 || off < if epsilon > 0.2 { 0.14 } else { 0.03 },
            "{off}"
        );
    }
}

#[test]
fn infinite_costs_separate_the_problem() {
    let case = Case::new(36, 24, 11);
    let mut c = case.cost();
    for ((i, j), v) in c.indexed_iter_mut() {
        if i % 2 != j % 2 {
            *v = f64::INFINITY;
        }
    }
    let o = options(0.1, [1.0, 5.0]);
    let whole = solve_given(&c, &case.p, &case.q, 4, &o);
    let t = coupling(&whole, &c, 0.1);
    assert!(t
        .indexed_iter()
        .all(|((i, j), &v)| i % 2 == j % 2 || v == 0.0));
    let want = dense(&c, &case.p, &case.q, 0.1, [1.0, 5.0]);
    assert!(worst(&t, &want.coupling()) < 1e-5);
}

#[test]
fn no_plan_is_better() {
    let case = Case::new(20, 15, 12);
    let (epsilon, lambda) = (0.1, [1.0, 5.0]);
    let c = case.cost();
    let s = solve_given(&c, &case.p, &case.q, 2, &options(epsilon, lambda));
    let plan = coupling(&s, &c, epsilon) * 15.0;
    let best = primal(&plan, &c, &case.p, &case.q, epsilon, lambda);
    let mut draw = Stream::new(3, 0, 0, 0);
    for size in [1e-3, 1e-2, 0.3] {
        let other = plan.mapv(|r| r * (1.0 + size * (2.0 * draw.uniform() - 1.0)));
        assert!(primal(&other, &c, &case.p, &case.q, epsilon, lambda) > best);
    }
}

#[test]
fn a_cell_far_out_disturbs_nobody() {
    let mut case = Case::new(60, 60, 13);
    case.x.row_mut(7).fill(1e4);
    case.y.row_mut(9).fill(-3e4);
    for precision in [Precision::Single, Precision::Double] {
        let o = Options {
            precision: Some(precision),
            tolerance: 1e-11,
            ..options(0.05, [1.0, 50.0])
        };
        let s = case.solve(&Exec::serial(), 4, &o, None);
        assert!(s.converged);
        assert!(s.log_r[7] < -1000.0);
        let want = dense(&case.cost(), &case.p, &case.q, 0.05, [1.0, 50.0]).row_means();
        for (i, (r, w)) in s.log_r.iter().zip(want).enumerate() {
            assert!(i == 7 || (math::exp(*r) / w - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let case = Case::new(700, 600, 14);
    let o = Options {
        tolerance: 1e-9,
        ..options(0.05, [1.0, 50.0])
    };
    same_bits(|t| {
        let s = case.solve(&Exec::with_threads(t).unwrap(), 9, &o, None);
        assert_eq!(s.certificate.col_residual, 0.0);
        (s.f, s.g, s.log_r, s.iterations, s.kappa0.to_bits())
    });
}
