use super::*;
use crate::chain::absorption::{OnUnreachable, Solver};
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use nalgebra::DMatrix;

const SOLVERS: [Solver; 4] = [
    Solver::Auto,
    Solver::Gmres,
    Solver::Bicgstab,
    Solver::Direct,
];

fn with(solver: Solver) -> TimeOptions {
    TimeOptions {
        fates: FateOptions {
            solver,
            ..FateOptions::default()
        },
        variance: true,
    }
}

fn run(t: &Csr, states: &[Option<u32>], k: usize, solver: Solver) -> Times {
    absorption_times(&Exec::serial(), t, states, k, &with(solver)).unwrap()
}

fn variances(times: &Times) -> &Array2<f64> {
    times.variances.as_ref().unwrap()
}

fn near(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * b.abs()
}

/// A walk on a line of n cells, up with probability p, that ends at either side.
fn line(n: usize, p: f64) -> (Csr, Vec<Option<u32>>) {
    let rows = (0..n as u32).map(|i| match i {
        0 => vec![(0, 1.0)],
        i if i == n as u32 - 1 => vec![(i, 1.0)],
        i => vec![(i - 1, 1.0 - p), (i + 1, p)],
    });
    let mut states = vec![None; n];
    (states[0], states[n - 1]) = (Some(0), Some(1));
    (from_rows(n, rows.collect()).unwrap(), states)
}

/// Every cell steps to about `degree` others and to itself; two cells per state.
fn random_chain(n: usize, degree: usize, states: usize, seed: u64) -> (Csr, Vec<Option<u32>>) {
    let mut s = Stream::new(seed, 3, n as u64, degree as u64);
    let rows = (0..n).map(|i| {
        let mut to: Vec<u32> = (0..degree).map(|_| s.below(n) as u32).collect();
        to.extend([i as u32, ((i + 1) % n) as u32]);
        to.sort_unstable();
        to.dedup();
        let p: Vec<f64> = to.iter().map(|_| s.exponential()).collect();
        let sum: f64 = p.iter().sum();
        to.into_iter().zip(p.into_iter().map(|v| v / sum)).collect()
    });
    let rows = rows.collect();
    let state = |i: usize| (i < 2 * states).then_some((i / 2) as u32);
    (from_rows(n, rows).unwrap(), (0..n).map(state).collect())
}

/// All states as one.
fn joint(states: &[Option<u32>]) -> Vec<Option<u32>> {
    states.iter().map(|s| s.map(|_| 0)).collect()
}

/// Fates, means and variances by a dense inverse.
fn dense(
    t: &Csr,
    states: &[Option<u32>],
    k: usize,
) -> (Vec<usize>, DMatrix<f64>, DMatrix<f64>, DMatrix<f64>) {
    let n = t.rows();
    let on_way: Vec<usize> = (0..n).filter(|&i| states[i].is_none()).collect();
    let (m, all) = (on_way.len(), t.to_dense());
    let a = DMatrix::from_fn(m, m, |i, j| {
        f64::from(u8::from(i == j)) - all[[on_way[i], on_way[j]]]
    });
    let s = DMatrix::from_fn(m, k, |i, c| {
        let to = (0..n).filter(|&j| states[j] == Some(c as u32));
        to.map(|j| all[[on_way[i], j]]).sum()
    });
    let inverse = a.try_inverse().unwrap();
    let f = &inverse * s;
    let (g, h) = (&inverse * &f, &inverse * &inverse * &f);
    let mean = g.component_div(&f);
    let second = h.component_div(&f) * 2.0 - &mean;
    let variance = &second - mean.component_mul(&mean);
    (on_way, f, mean, variance)
}

#[test]
fn a_fair_walk_takes_as_long_as_the_gambler() {
    // Unconditional: i (b - i); towards b, given that b is reached: (b^2 - i^2) / 3;
    // unconditional variance: i (b - i) (i^2 + (b - i)^2 - 2) / 3.
    for n in [11, 1001] {
        let (t, states) = line(n, 0.5);
        let b = (n - 1) as f64;
        for solver in SOLVERS {
            let each = run(&t, &states, 2, solver);
            let both = run(&t, &joint(&states), 1, solver);
            for i in 1..n - 1 {
                let x = i as f64;
                let (up, down) = ((b * b - x * x) / 3.0, (b * b - (b - x) * (b - x)) / 3.0);
                assert!(near(each.means[[i, 1]], up, 1e-9));
                assert!(near(each.means[[i, 0]], down, 1e-9));
                assert!(near(both.means[[i, 0]], x * (b - x), 1e-9));
                let variance = x * (b - x) * (x * x + (b - x) * (b - x) - 2.0) / 3.0;
                assert!((variances(&both)[[i, 0]] - variance).abs() < 1e-8 * (1.0 + variance));
            }
            assert!(each.error_bound < 1e-6 && both.error_bound < 1e-6);
            assert!(each.unresolved.is_empty() && both.variance_bound < 1e-5);
        }
    }
}

#[test]
fn times_towards_very_rare_fates_keep_their_digits() {
    // Known to end at the top, a walk with drift down is one with drift up: far from
    // both ends it climbs 2p' - 1 per step, whatever the odds of getting there are.
    let (n, p) = (260, 0.3);
    let (t, states) = line(n, p);
    let (up, mirrored) = (
        line(n, 1.0 - p),
        run(&line(n, 1.0 - p).0, &states, 2, Solver::Direct),
    );
    assert_eq!(up.1, states);
    for solver in SOLVERS {
        let times = run(&t, &states, 2, solver);
        for i in 1..n - 1 {
            // The odds at cell 1 are (3/7)^258, about 1e-95.
            let (got, want) = (times.means[[i, 1]], mirrored.means[[i, 1]]);
            if solver == Solver::Direct || i > 160 {
                assert!(near(got, want, 1e-8), "{solver:?} {i} {got} {want}");
            }
            // What an iteration cannot resolve it does not tell.
            assert!(got.is_nan() || near(got, want, 1e-4));
            assert_eq!(got.is_nan(), times.unresolved.contains(&i));
        }
        assert!((times.means[[200, 1]] - times.means[[201, 1]] - 2.5).abs() < 1e-6);
        assert!(times.error_bound < 1e-4);
    }
}

#[test]
fn every_solver_agrees_with_a_dense_inverse_within_its_bound() {
    for seed in 0..6 {
        let (n, k) = (70 + 10 * seed as usize, 1 + seed as usize % 4);
        let (t, states) = random_chain(n, 4, k, seed);
        let (on_way, _, mean, variance) = dense(&t, &states, k);
        for solver in SOLVERS {
            let times = run(&t, &states, k, solver);
            assert!(times.residuals.iter().all(|&r| r < 1e-12));
            assert!(times.error_bound < 1e-9 && times.variance_bound < 1e-8);
            for (i, &cell) in on_way.iter().enumerate() {
                for c in 0..k {
                    let got = times.means[[cell, c]];
                    assert!(near(got, mean[(i, c)], 1e-11 + times.error_bound));
                    let (got, want) = (variances(&times)[[cell, c]], variance[(i, c)]);
                    let second = want + mean[(i, c)] * mean[(i, c)];
                    assert!((got - want).abs() < 1e-11 * second);
                }
            }
        }
    }
}

#[test]
fn the_law_of_total_expectation_holds() {
    let (t, states) = random_chain(1500, 4, 3, 9);
    let exec = Exec::serial();
    for solver in SOLVERS {
        let options = with(solver);
        let f = fate_probabilities(&exec, &t, &states, 3, &options.fates).unwrap();
        let each = run(&t, &states, 3, solver);
        let all = run(&t, &joint(&states), 1, solver);
        for i in 6..1500 {
            let sum: f64 = (0..3)
                .map(|c| f.probabilities[[i, c]] * each.means[[i, c]])
                .sum();
            assert!(near(sum, all.means[[i, 0]], 1e-10));
            // The same of second moments.
            let moment = |t: &Times, c: usize| {
                let mean = t.means[[i, c]];
                variances(t)[[i, c]] + mean * mean
            };
            let sum: f64 = (0..3)
                .map(|c| f.probabilities[[i, c]] * moment(&each, c))
                .sum();
            assert!(near(sum, moment(&all, 0), 1e-10));
        }
    }
}

#[test]
fn a_way_without_choice_has_no_variance() {
    let n = 50;
    let rows = (0..n as u32).map(|i| vec![((i + 1).min(n as u32 - 1), 1.0)]);
    let t = from_rows(n, rows.collect()).unwrap();
    let mut states = vec![None; n];
    states[n - 1] = Some(0);
    let times = run(&t, &states, 1, Solver::Direct);
    for i in 0..n {
        assert_eq!(times.means[[i, 0]], (n - 1 - i) as f64);
        assert_eq!(variances(&times)[[i, 0]], 0.0);
    }
}

#[test]
fn cells_that_cannot_reach_a_state_have_no_time_to_it() {
    // 0 and 5 are terminal; 1 leads to 0 only, 2 to both, 3 and 4 to nowhere.
    let t = from_rows(
        6,
        vec![
            vec![(0, 1.0)],
            vec![(0, 0.5), (1, 0.5)],
            vec![(1, 0.25), (3, 0.25), (5, 0.5)],
            vec![(4, 1.0)],
            vec![(3, 1.0)],
            vec![(5, 1.0)],
        ],
    )
    .unwrap();
    let states = [Some(0), None, None, None, None, Some(1)];
    let mut options = with(Solver::Auto);
    let exec = Exec::serial();
    let e = absorption_times(&exec, &t, &states, 2, &options).unwrap_err();
    assert_eq!(e.kind(), "unreachable");
    options.fates.on_unreachable = OnUnreachable::Na;
    let times = absorption_times(&exec, &t, &states, 2, &options).unwrap();
    let (mean, variance) = (&times.means, variances(&times));
    assert_eq!((mean[[0, 0]], mean[[5, 1]]), (0.0, 0.0));
    assert_eq!((variance[[0, 0]], variance[[5, 1]]), (0.0, 0.0));
    assert!(mean[[0, 1]] == f64::INFINITY && mean[[5, 0]] == f64::INFINITY);
    assert!(variance[[0, 1]].is_nan() && variance[[5, 0]].is_nan());
    // Cell 1 waits a geometric time, mean 2, variance 2; cell 2, if it gets to 0, one
    // step more; if it gets to 5, one step.
    let close = |a: f64, b: f64| (a - b).abs() < 1e-13;
    assert!(close(mean[[1, 0]], 2.0) && close(variance[[1, 0]], 2.0));
    assert!(close(mean[[2, 0]], 3.0) && close(variance[[2, 0]], 2.0));
    assert!(close(mean[[2, 1]], 1.0) && close(variance[[2, 1]], 0.0));
    assert!(mean[[1, 1]].is_nan() && variance[[1, 1]].is_nan());
    for i in [3, 4] {
        assert!(mean[[i, 0]].is_nan() && mean[[i, 1]].is_nan());
    }
    assert_eq!(times.unreachable, vec![3, 4]);
    assert!(times.unresolved.is_empty());
}

#[test]
fn other_states_are_not_passed_through() {
    // From 1 state 2 can only be reached by way of state 0.
    let rows = vec![vec![(2, 1.0)], vec![(0, 1.0)], vec![(1, 1.0)]];
    let t = from_rows(3, rows).unwrap();
    let times = run(&t, &[Some(0), None, Some(1)], 2, Solver::Auto);
    assert_eq!(times.means[[1, 0]], 1.0);
    assert!(times.means[[1, 1]].is_nan() && times.unresolved.is_empty());
}

#[test]
fn almost_closed_blocks_are_left_after_the_time_they_take() {
    // Cell 1 leaves to each side with probability `exit / 2`: mean 1 / exit, and the
    // variance of a geometric time.
    for exit in [1e-3, 1e-6, 1e-8] {
        let t = from_rows(
            3,
            vec![
                vec![(0, 1.0)],
                vec![(0, exit / 2.0), (1, 1.0 - exit), (2, exit / 2.0)],
                vec![(2, 1.0)],
            ],
        )
        .unwrap();
        for solver in SOLVERS {
            let times = run(&t, &[Some(0), None, Some(1)], 2, solver);
            for c in 0..2 {
                assert!(near(times.means[[1, c]], 1.0 / exit, 1e-12));
                let variance = (1.0 - exit) / (exit * exit);
                assert!(near(variances(&times)[[1, c]], variance, 1e-6));
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let (t, states) = random_chain(1200, 4, 3, 4);
    for solver in [Solver::Gmres, Solver::Bicgstab, Solver::Direct] {
        crate::testing::same_bits(|threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let times = absorption_times(&exec, &t, &states, 3, &with(solver)).unwrap();
            let bits = |m: &Array2<f64>| m.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            let variance = bits(variances(&times));
            (
                bits(&times.means),
                variance,
                times.error_bound,
                times.iterations,
            )
        });
    }
}

#[test]
fn the_order_of_cells_does_not_matter() {
    let (t, states) = random_chain(300, 4, 2, 2);
    let n = t.rows();
    let turn = |i: usize| (i * 7 + 3) % n;
    let mut rows = vec![Vec::new(); n];
    let mut turned = vec![None; n];
    for i in 0..n {
        let (cols, values) = crate::sparse::csr::row(&t, i);
        let moved = cols.iter().zip(values);
        let mut row: Vec<_> = moved.map(|(&j, &v)| (turn(j as usize) as u32, v)).collect();
        row.sort_unstable_by_key(|e| e.0);
        rows[turn(i)] = row;
        turned[turn(i)] = states[i];
    }
    let other = run(&from_rows(n, rows).unwrap(), &turned, 2, Solver::Auto);
    let times = run(&t, &states, 2, Solver::Auto);
    for i in 4..n {
        for c in 0..2 {
            assert!(near(times.means[[i, c]], other.means[[turn(i), c]], 1e-12));
        }
    }
}

#[test]
fn failures_are_those_of_the_fates_and_of_the_user() {
    let (t, states) = random_chain(40, 3, 2, 1);
    let exec = Exec::serial();
    let kind = |states: &[Option<u32>], k| {
        let e = absorption_times(&exec, &t, states, k, &TimeOptions::default());
        e.unwrap_err().kind()
    };
    assert_eq!(kind(&states[1..], 2), "shape");
    assert_eq!(kind(&[Some(0); 40], 1), "no_state");
    exec.control().cancel();
    let e = absorption_times(&exec, &t, &states, 2, &TimeOptions::default());
    assert_eq!(e.unwrap_err(), CoreError::Interrupted);
}
