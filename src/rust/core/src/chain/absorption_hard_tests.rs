//! Chains with known answers, and many random ones against a dense oracle.

use super::*;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use nalgebra::DMatrix;

const WAYS: [(Solver, Preconditioner); 9] = [
    (Solver::Auto, Preconditioner::Auto),
    (Solver::Direct, Preconditioner::Auto),
    (Solver::Gmres, Preconditioner::Auto),
    (Solver::Gmres, Preconditioner::Identity),
    (Solver::Gmres, Preconditioner::Jacobi),
    (Solver::Gmres, Preconditioner::Ilu0),
    (Solver::Bicgstab, Preconditioner::Auto),
    (Solver::Bicgstab, Preconditioner::Jacobi),
    (Solver::Bicgstab, Preconditioner::Ilu0),
];

fn solve(
    t: &Csr,
    states: &[Option<u32>],
    k: usize,
    (solver, preconditioner): (Solver, Preconditioner),
) -> Result<Fates> {
    let options = FateOptions {
        solver,
        preconditioner,
        ..FateOptions::default()
    };
    fate_probabilities(&Exec::serial(), t, states, k, &options)
}

/// The solution by a pivoted dense decomposition, cells x states; only for chains
/// from which every cell reaches a state.
fn oracle(t: &Csr, states: &[Option<u32>], k: usize) -> Vec<f64> {
    let n = t.rows();
    let dense = t.to_dense();
    let mut a = DMatrix::identity(n, n);
    let mut b = DMatrix::zeros(n, k);
    for i in 0..n {
        match states[i] {
            Some(s) => b[(i, s as usize)] = 1.0,
            None => (0..n).for_each(|j| a[(i, j)] -= dense[[i, j]]),
        }
    }
    let x = a.lu().solve(&b).unwrap();
    (0..n * k).map(|at| x[(at / k, at % k)]).collect()
}

#[test]
fn twelve_cells_and_two_states_as_computed_by_hand() {
    // The ten rows are the reference; cells 8 and 11 are the states.
    let rows = vec![
        vec![(1, 0.8), (2, 0.2)],
        vec![(0, 0.2), (2, 0.6), (3, 0.2)],
        vec![(0, 0.6), (1, 0.2), (3, 0.2)],
        vec![(1, 0.05), (2, 0.05), (4, 0.45), (5, 0.45)],
        vec![(3, 0.25), (5, 0.25), (6, 0.4), (9, 0.1)],
        vec![(3, 0.25), (4, 0.25), (6, 0.1), (9, 0.4)],
        vec![(4, 0.05), (5, 0.05), (7, 0.2), (8, 0.7)],
        vec![(6, 0.8), (8, 0.2)],
        vec![(8, 1.0)],
        vec![(4, 0.05), (5, 0.05), (10, 0.2), (11, 0.7)],
        vec![(9, 0.8), (11, 0.2)],
        vec![(11, 1.0)],
    ];
    let t = from_rows(12, rows).unwrap();
    let mut states = [None; 12];
    (states[8], states[11]) = (Some(0), Some(1));
    let first = [
        0.5, 0.5, 0.5, 0.5, 0.60571429, 0.39428571, 0.94047619, 0.95238095, 1.0, 0.05952381,
        0.04761905, 0.0,
    ];
    for way in WAYS {
        let f = solve(&t, &states, 2, way).unwrap();
        for (i, want) in first.iter().enumerate() {
            assert!(
                (f.probabilities[[i, 0]] - want).abs() < 5.1e-9,
                "{way:?} {i}"
            );
            assert!((f.probabilities[[i, 1]] - (1.0 - want)).abs() < 5.1e-9);
        }
        assert_eq!((f.transient, f.classes), (10, 1));
    }
}

#[test]
fn the_error_bound_holds_on_every_random_chain() {
    for seed in 0..120 {
        let mut s = Stream::new(seed, 77, 0, 0);
        let n = 4 + s.below(60);
        let k = 1 + s.below(3.min(n - 2));
        let spread = 3.0 * s.uniform();
        let rows = (0..n)
            .map(|i| {
                let mut to: Vec<u32> = (0..1 + s.below(4)).map(|_| s.below(n) as u32).collect();
                to.push(((i + 1) % n) as u32);
                to.sort_unstable();
                to.dedup();
                // Weights over several orders of magnitude.
                let p: Vec<f64> = to
                    .iter()
                    .map(|_| crate::math::exp(-4.0 * spread * s.uniform()))
                    .collect();
                let sum: f64 = p.iter().sum();
                to.into_iter().zip(p.into_iter().map(|v| v / sum)).collect()
            })
            .collect();
        let t = from_rows(n, rows).unwrap();
        // States of one cell or two.
        let states: Vec<Option<u32>> = (0..n)
            .map(|i| (i < k || i == n - 1).then_some(if i < k { i as u32 } else { 0 }))
            .collect();
        let want = oracle(&t, &states, k);
        for way in WAYS {
            let f = solve(&t, &states, k, way).unwrap();
            assert!(f.error_bound <= WORST_ERROR);
            for i in 0..n {
                for c in 0..k {
                    let error = (f.probabilities[[i, c]] - want[i * k + c]).abs();
                    // The oracle is a plain elimination.
                    assert!(error <= f.error_bound + 1e-11, "{seed} {way:?} {error:e}");
                }
                assert!((f.probabilities.row(i).sum() - 1.0).abs() < 1e-14);
            }
        }
    }
}

/// `pieces` walks of `length` sites side by side; both ends of each are states.
fn pieces(pieces: usize, length: usize) -> (Csr, Vec<Option<u32>>) {
    let mut rows = Vec::new();
    let mut states = Vec::new();
    for piece in 0..pieces {
        let from = (piece * length) as u32;
        for i in 0..length as u32 {
            let end = i == 0 || i + 1 == length as u32;
            rows.push(if end {
                vec![(from + i, 1.0)]
            } else {
                vec![(from + i - 1, 0.5), (from + i + 1, 0.5)]
            });
            states.push(end.then_some((2 * piece) as u32 + u32::from(i > 0)));
        }
    }
    (from_rows(pieces * length, rows).unwrap(), states)
}

#[test]
fn pieces_that_do_not_touch_do_not_mix() {
    let length = 9;
    for count in 2..=5 {
        let (t, states) = pieces(count, length);
        let k = 2 * count;
        for way in WAYS {
            let f = solve(&t, &states, k, way).unwrap();
            for i in 0..count * length {
                let (piece, site) = (i / length, (i % length) as f64);
                let right = site / (length - 1) as f64;
                for c in 0..k {
                    let p = f.probabilities[[i, c]];
                    if c / 2 == piece {
                        let want = if c % 2 == 1 { right } else { 1.0 - right };
                        assert!((p - want).abs() <= f.error_bound);
                    } else {
                        assert_eq!(p, 0.0, "{way:?}");
                    }
                }
            }
            assert_eq!(f.classes, count);
            let elsewhere = (count - 1) * (length - 2);
            assert_eq!(f.unreachable_by_state, vec![elsewhere; k]);
        }
        // Without the states of the last piece its cells are lost.
        let last = (count - 1) * length;
        let kept: Vec<Option<u32>> = (0..count * length)
            .map(|i| if i < last { states[i] } else { None })
            .collect();
        let e = solve(&t, &kept, k - 2, WAYS[0]).unwrap_err();
        let (count, cells) = (length, (last..last + length).collect());
        assert_eq!(e, CoreError::Unreachable { count, cells });
    }
}

#[test]
fn small_and_periodic_chains() {
    for way in WAYS {
        // Two cells that only step to each other or out, in turns.
        let rows = vec![vec![(1, 0.5), (2, 0.5)], vec![(0, 1.0)], vec![(2, 1.0)]];
        let t = from_rows(3, rows).unwrap();
        let f = solve(&t, &[None, None, Some(0)], 1, way).unwrap();
        (0..3).for_each(|i| assert!((f.probabilities[[i, 0]] - 1.0).abs() < 1e-14));
        // A single cell on its way, and states of one cell.
        let rows = vec![
            vec![(0, 0.9), (1, 0.025), (2, 0.075)],
            vec![(1, 1.0)],
            vec![(0, 1.0)],
        ];
        let t = from_rows(3, rows).unwrap();
        let f = solve(&t, &[None, Some(0), Some(1)], 2, way).unwrap();
        assert!((f.probabilities[[0, 0]] - 0.25).abs() < 1e-14);
        assert_eq!(f.probabilities[[2, 1]], 1.0);
        // A state that nobody can reach.
        let rows = vec![vec![(1, 1.0)], vec![(1, 1.0)], vec![(2, 1.0)]];
        let t = from_rows(3, rows).unwrap();
        let f = solve(&t, &[None, Some(0), Some(1)], 2, way).unwrap();
        assert_eq!(
            (f.probabilities[[0, 0]], f.probabilities[[0, 1]]),
            (1.0, 0.0)
        );
        assert_eq!(f.unreachable_by_state, [0, 1]);
    }
}
