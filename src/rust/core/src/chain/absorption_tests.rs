use super::*;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use nalgebra::DMatrix;

const SOLVERS: [Solver; 4] = [
    Solver::Auto,
    Solver::Gmres,
    Solver::Bicgstab,
    Solver::Direct,
];

fn with(solver: Solver) -> FateOptions {
    FateOptions {
        solver,
        ..FateOptions::default()
    }
}

/// Every cell steps to about `degree` others and to itself.
fn random_chain(n: usize, degree: usize, states: usize) -> (Csr, Vec<Option<u32>>) {
    let mut s = Stream::new(12, 3, n as u64, degree as u64);
    let rows = (0..n)
        .map(|i| {
            let mut to: Vec<u32> = (0..degree).map(|_| s.below(n) as u32).collect();
            to.extend([i as u32, ((i + 1) % n) as u32]);
            to.sort_unstable();
            to.dedup();
            let p: Vec<f64> = to.iter().map(|_| s.exponential()).collect();
            let sum: f64 = p.iter().sum();
            to.into_iter().zip(p.into_iter().map(|v| v / sum)).collect()
        })
        .collect();
    let state = |i: usize| (i < 2 * states).then_some((i / 2) as u32);
    (from_rows(n, rows).unwrap(), (0..n).map(state).collect())
}

/// A symmetric walk on a line of `line` cells with both ends terminal, and a ring
/// of `block` cells that is entered from the cell at a quarter of the line and left
/// to there with probability `exit` per step: fates of cell i of the line are
/// `i / (line - 1)`, those of the ring are those of its door.
fn trap(line: usize, block: usize, exit: f64) -> (Csr, Vec<Option<u32>>, Vec<f64>) {
    let door = (line - 1) / 4;
    let mut rows = Vec::new();
    for i in 0..line {
        let half = if i == door { 0.35 } else { 0.5 };
        let mut to = match i {
            0 => vec![(0, 1.0)],
            i if i == line - 1 => vec![(i as u32, 1.0)],
            i => vec![(i as u32 - 1, half), (i as u32 + 1, half)],
        };
        if i == door {
            to.push((line as u32, 0.3));
        }
        rows.push(to);
    }
    let stay = (1.0 - exit) / 2.0;
    for j in 0..block {
        let at = |d: usize| (line + (j + d) % block) as u32;
        rows.push(vec![
            (at(1), stay),
            (at(block - 1), stay),
            (door as u32, exit),
        ]);
    }
    let n = line + block;
    let mut states = vec![None; n];
    (states[0], states[line - 1]) = (Some(0), Some(1));
    let right = |i: usize| if i < line { i } else { door } as f64 / (line - 1) as f64;
    (
        from_rows(n, rows).unwrap(),
        states,
        (0..n).map(right).collect(),
    )
}

#[test]
fn every_solver_agrees_with_a_dense_inverse() {
    let (n, k) = (90, 3);
    let (t, states) = random_chain(n, 5, k);
    let on_way: Vec<usize> = (0..n).filter(|&i| states[i].is_none()).collect();
    let m = on_way.len();
    let dense = t.to_dense();
    let a = DMatrix::from_fn(m, m, |i, j| {
        f64::from(u8::from(i == j)) - dense[[on_way[i], on_way[j]]]
    });
    let b = DMatrix::from_fn(m, k, |i, c| {
        (0..n)
            .filter(|&j| states[j] == Some(c as u32))
            .map(|j| dense[[on_way[i], j]])
            .sum()
    });
    let want = a.lu().solve(&b).unwrap();
    for solver in SOLVERS {
        let f = fate_probabilities(&Exec::serial(), &t, &states, k, &with(solver)).unwrap();
        assert_eq!((f.transient, f.escape, f.unreachable.len()), (m, 0.0, 0));
        assert!(f.residuals.iter().all(|&r| r < 1e-11));
        assert!(f.error_bound < 1e-9);
        for (i, &cell) in on_way.iter().enumerate() {
            for c in 0..k {
                assert!((f.probabilities[[cell, c]] - want[(i, c)]).abs() < 1e-10);
            }
        }
        // Harmonic off the terminal cells, whose own rows are fixed.
        let mapped = dense.dot(&f.probabilities);
        for i in 0..n {
            match states[i] {
                Some(s) => assert_eq!(f.probabilities[[i, s as usize]], 1.0),
                None => (0..k).for_each(|c| {
                    assert!((mapped[[i, c]] - f.probabilities[[i, c]]).abs() < 1e-11);
                }),
            }
            assert!((f.probabilities.row(i).sum() - 1.0).abs() < 1e-14);
        }
    }
}

#[test]
fn a_biased_walk_has_its_closed_form() {
    let (n, p) = (1500, 0.52);
    let rows = (0..n as u32)
        .map(|i| match i {
            0 => vec![(0, 1.0)],
            i if i == n as u32 - 1 => vec![(i, 1.0)],
            i => vec![(i - 1, 1.0 - p), (i + 1, p)],
        })
        .collect();
    let t = from_rows(n, rows).unwrap();
    let mut states = vec![None; n];
    (states[0], states[n - 1]) = (Some(0), Some(1));
    for solver in SOLVERS {
        let f = fate_probabilities(&Exec::serial(), &t, &states, 2, &with(solver)).unwrap();
        let (mut power, ratio) = (1.0, (1.0 - p) / p);
        for i in 0..n - 1 {
            // (q / p)^(n - 1) is below 1e-50 here.
            let error = (f.probabilities[[i, 0]] - power).abs();
            assert!(error <= f.error_bound.max(1e-15), "{i} {error:e}");
            power *= ratio;
        }
        assert!(f.error_bound < 1e-9);
    }
}

#[test]
fn almost_closed_blocks_do_not_stall_the_solvers() {
    // Absorption takes about 90 / exit steps, and rounding that many times 1e-16.
    for (exit, allowed) in [(1e-3, 1e-9), (1e-6, 1e-7), (1e-9, 1e-4)] {
        let (t, states, right) = trap(401, 900, exit);
        for solver in SOLVERS {
            let f = fate_probabilities(&Exec::serial(), &t, &states, 2, &with(solver)).unwrap();
            let error = (0..t.rows())
                .map(|i| (f.probabilities[[i, 1]] - right[i]).abs())
                .fold(0.0, f64::max);
            assert!(error <= f.error_bound, "{exit} {solver:?} {error:e}");
            assert!(
                f.error_bound < allowed,
                "{exit} {solver:?} {}",
                f.error_bound
            );
            assert!(f.iterations.iter().all(|&i| i < 300));
        }
    }
}

#[test]
fn what_is_returned_is_right_within_its_bound_and_the_rest_refused() {
    for exit in [1e-13, 1e-15, 1e-18, 1e-24, 1e-40] {
        let (t, states, right) = trap(41, 900, exit);
        for solver in SOLVERS {
            match fate_probabilities(&Exec::serial(), &t, &states, 2, &with(solver)) {
                Ok(f) => {
                    for (i, right) in right.iter().enumerate() {
                        let error = (f.probabilities[[i, 1]] - right).abs();
                        assert!(error <= f.error_bound, "{exit} {solver:?} {i} {error:e}");
                    }
                    assert!(f.error_bound <= WORST_ERROR);
                }
                Err(e) => {
                    assert!(["not_converged", "singular"].contains(&e.kind()));
                    // This much is within reach of twice the precision.
                    assert!(exit < 1e-15, "{exit} {solver:?} {e}");
                }
            }
        }
    }
    // Nothing but plain iterations, far from enough of them.
    let (t, states, _) = trap(41, 5200, 1e-30);
    let options = FateOptions {
        solver: Solver::Gmres,
        preconditioner: Preconditioner::Identity,
        ..FateOptions::default()
    };
    let e = fate_probabilities(&Exec::serial(), &t, &states, 2, &options);
    assert_eq!(e.unwrap_err().kind(), "not_converged");
}

#[test]
fn splitting_a_state_and_adding_up_changes_nothing() {
    let (t, states) = random_chain(1200, 4, 3);
    let exec = Exec::serial();
    let whole = fate_probabilities(&exec, &t, &states, 3, &with(Solver::Auto)).unwrap();
    assert_eq!(whole.solver, "sweep");
    let split: Vec<Option<u32>> = (0..1200)
        .map(|i| if i == 0 { Some(3) } else { states[i] })
        .collect();
    let f = fate_probabilities(&exec, &t, &split, 4, &with(Solver::Auto)).unwrap();
    for i in 0..1200 {
        let sum = f.probabilities[[i, 0]] + f.probabilities[[i, 3]];
        assert!((sum - whole.probabilities[[i, 0]]).abs() < 1e-9);
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let (t, states, _) = trap(801, 700, 1e-4);
    for solver in [Solver::Gmres, Solver::Bicgstab, Solver::Direct] {
        let run = |threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let f = fate_probabilities(&exec, &t, &states, 2, &with(solver)).unwrap();
            (f.probabilities, f.residuals, f.iterations, f.error_bound)
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(4));
    }
}

#[test]
fn cells_that_reach_no_state_are_named_or_left_undefined() {
    // 0 terminal; 1 steps to 0, 2 and the closed pair {3, 4}; 2 to 1 and 0.
    let t = from_rows(
        5,
        vec![
            vec![(0, 1.0)],
            vec![(0, 0.25), (2, 0.5), (3, 0.25)],
            vec![(0, 0.5), (1, 0.5)],
            vec![(4, 1.0)],
            vec![(3, 1.0)],
        ],
    )
    .unwrap();
    let states = [Some(0), None, None, None, None];
    let exec = Exec::serial();
    let mut options = with(Solver::Auto);
    let e = fate_probabilities(&exec, &t, &states, 1, &options).unwrap_err();
    let (count, cells) = (2, vec![3, 4]);
    assert_eq!(e, CoreError::Unreachable { count, cells });
    options.on_unreachable = OnUnreachable::Na;
    let f = fate_probabilities(&exec, &t, &states, 1, &options).unwrap();
    let p = f.probabilities.column(0);
    // f1 = 1/4 + f2 / 2, f2 = 1/2 + f1 / 2.
    assert!((p[1] - 2.0 / 3.0).abs() < 1e-15 && (p[2] - 5.0 / 6.0).abs() < 1e-15);
    assert!(p[3].is_nan() && p[4].is_nan() && p[0] == 1.0);
    assert!((f.escape - 1.0 / 3.0).abs() < 1e-15);
    assert_eq!((f.unreachable, f.transient), (vec![3, 4], 2));
}

#[test]
fn what_does_not_fit_is_refused() {
    let (t, states) = random_chain(40, 3, 2);
    let kind = |states: &[Option<u32>], k, options: &FateOptions| {
        let e = fate_probabilities(&Exec::serial(), &t, states, k, options);
        e.unwrap_err().kind()
    };
    let good = FateOptions::default();
    assert_eq!(kind(&states[1..], 2, &good), "shape");
    assert_eq!(kind(&states, 1, &good), "shape");
    assert_eq!(kind(&states, 3, &good), "no_state");
    assert_eq!(kind(&states, 0, &good), "shape");
    assert_eq!(kind(&[None; 40], 0, &good), "no_state");
    assert_eq!(kind(&[Some(0); 40], 1, &good), "no_state");
    let mut bad = good;
    bad.tolerance = f64::NAN;
    assert_eq!(kind(&states, 2, &bad), "range");
    let exec = Exec::serial();
    exec.control().cancel();
    let e = fate_probabilities(&exec, &t, &states, 2, &good).unwrap_err();
    assert_eq!(e, CoreError::Interrupted);
}
