//! Chains and data at the edge: reducible, nearly so, periodic, duplicated, tiny.

// clippy.toml lets only #[test] functions unwrap, not what they share.
#![allow(clippy::unwrap_used)]

use fatecast_core::chain::absorption::{fate_probabilities, FateOptions};
use fatecast_core::chain::gpcca::{schur_basis, SchurMethod};
use fatecast_core::chain::stationary::stationary;
use fatecast_core::exec::Exec;
use fatecast_core::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use fatecast_core::graph::knn::{exact, Metric};
use fatecast_core::linalg::reorder::Which;
use fatecast_core::sparse::csr::from_rows;
use fatecast_core::sparse::Csr;
use ndarray::Array2;

/// Blocks of a complete walk, each left for the next with probability `leak`.
fn blocks(count: usize, size: usize, leak: f64) -> Csr {
    let n = count * size;
    let rows = (0..n)
        .map(|i| {
            let block = i / size;
            let mut row: Vec<(u32, f64)> = (0..size)
                .map(|j| ((block * size + j) as u32, (1.0 - leak) / size as f64))
                .collect();
            if leak > 0.0 {
                row.push((((block + 1) % count * size) as u32, leak));
            }
            row
        })
        .collect();
    from_rows(n, rows).unwrap()
}

#[test]
fn every_closed_class_has_its_eigenvalue_one() {
    let exec = Exec::with_threads(2).unwrap();
    for method in [SchurMethod::Krylov, SchurMethod::Dense] {
        let t = blocks(4, 150, 0.0);
        let schur = schur_basis(&exec, &t, 6, Which::LargestReal, method).unwrap();
        let ones = schur
            .eigenvalues
            .iter()
            .filter(|z| (z.re - 1.0).abs() < 1e-9);
        assert_eq!(ones.count(), 4);
    }
    let pi = stationary(&exec, &blocks(4, 150, 0.0)).unwrap();
    assert!(pi.distribution.is_none());
    assert_eq!(pi.closed_classes.len(), 4);
}

#[test]
fn nearly_closed_classes_are_solved_and_certified() {
    let exec = Exec::with_threads(2).unwrap();
    for leak in [1e-3, 1e-6] {
        let t = blocks(5, 60, leak);
        let mut states = vec![None; 300];
        states[0] = Some(0);
        states[120] = Some(1);
        let fates = fate_probabilities(&exec, &t, &states, 2, &FateOptions::default()).unwrap();
        // Block 1 leads to block 2 only, blocks 3 and 4 to block 0.
        for i in 60..120 {
            assert!((fates.probabilities[(i, 1)] - 1.0).abs() <= fates.error_bound + 1e-12);
        }
        for i in 180..300 {
            assert!((fates.probabilities[(i, 0)] - 1.0).abs() <= fates.error_bound + 1e-12);
        }
        assert!(fates.error_bound < 1e-4);
    }
}

#[test]
fn periodic_chains_keep_their_complex_pairs_whole() {
    let n = 30;
    let rows = (0..n).map(|i| vec![(((i + 1) % n) as u32, 1.0)]).collect();
    let t = from_rows(n, rows).unwrap();
    let schur = schur_basis(
        &Exec::serial(),
        &t,
        4,
        Which::LargestReal,
        SchurMethod::Dense,
    )
    .unwrap();
    // One real eigenvalue, then pairs: four asked for splits the second pair.
    assert_eq!(schur.eigenvalues.len(), 5);
    for z in &schur.eigenvalues {
        assert!((z.re * z.re + z.im * z.im - 1.0).abs() < 1e-10);
    }
}

#[test]
fn duplicated_and_distant_cells_have_finite_weights() {
    let exec = Exec::serial();
    let mut x = Array2::from_shape_fn((40, 3), |(i, j)| ((i * 7 + j * 3) % 11) as f64);
    for i in 0..10 {
        for j in 0..3 {
            x[(i, j)] = 5.0;
            x[(39, j)] = 1e8;
        }
    }
    let knn = exact(&exec, x.view(), 6, Metric::Euclidean).unwrap();
    let g = fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap();
    assert!(g.data().iter().all(|w| w.is_finite() && *w > 0.0));
    assert_eq!(g.rows(), 40);
}
