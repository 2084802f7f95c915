use super::lanczos::{leading_eigenpairs, EigenOptions, Eigenpairs, Known, ScaledGraph, Which};
use crate::error::CoreError;
use crate::exec::Exec;
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, row, Csr};
use crate::testing::same_bits;
use nalgebra::DMatrix;

/// Neighbours on a ring at random weights, which has slow modes.
fn ring(n: usize, reach: usize) -> Csr {
    let mut rows: Vec<Vec<(u32, f64)>> = vec![vec![]; n];
    for i in 0..n {
        for step in 1..=reach {
            let j = (i + step) % n;
            let w = 0.5 + Stream::new(3, 0, i as u64, step as u64).uniform();
            rows[i].push((j as u32, w));
            rows[j].push((i as u32, w));
        }
    }
    from_rows(n, rows).unwrap()
}

/// Corners of a cube of `dim` dimensions: value 1 - 2k / dim, (dim choose k) times.
fn cube(dim: u32) -> Csr {
    let corner = |i: u32| (0..dim).map(|b| (i ^ (1 << b), 1.0)).collect();
    from_rows(1 << dim, (0..1 << dim).map(corner).collect()).unwrap()
}

fn degrees(graph: &Csr) -> Vec<f64> {
    let sum = |i| row(graph, i).1.iter().sum();
    (0..graph.rows()).map(sum).collect()
}

fn run(exec: &Exec, graph: &Csr, options: &EigenOptions, known: bool) -> Eigenpairs {
    let degree = degrees(graph);
    let total: f64 = degree.iter().sum();
    let scale: Vec<f64> = degree.iter().map(|d| 1.0 / d.sqrt()).collect();
    let weight: Vec<f64> = degree.iter().map(|d| (d / total).sqrt()).collect();
    let matrix = ScaledGraph {
        graph,
        scale: &scale,
    };
    let piece = vec![0; graph.rows()];
    let known = known.then_some(Known {
        piece: &piece,
        weight: &weight,
        count: 1,
    });
    leading_eigenpairs(exec, matrix, known, options).unwrap()
}

fn options(wanted: usize, which: Which) -> EigenOptions {
    EigenOptions {
        wanted,
        which,
        tolerance: 1e-10,
        products: 50_000,
        seed: 0,
    }
}

fn dense(graph: &Csr) -> DMatrix<f64> {
    let (d, m) = (degrees(graph), graph.to_dense());
    DMatrix::from_fn(d.len(), d.len(), |i, j| m[(i, j)] / (d[i] * d[j]).sqrt())
}

/// Values, residuals, orthonormality and signs against the dense matrix.
fn check(pairs: &Eigenpairs, graph: &Csr, want: &[f64]) {
    let a = dense(graph);
    assert_eq!(pairs.values.len(), want.len());
    let v = DMatrix::from_fn(graph.rows(), want.len(), |i, c| pairs.vectors[(i, c)]);
    for (c, (&value, want)) in pairs.values.iter().zip(want).enumerate() {
        assert!((value - want).abs() < 1e-9, "{c}: {value} {want}");
        let residual = (&a * v.column(c) - v.column(c) * value).norm();
        assert!(residual < 2e-10 && pairs.converged[c], "{c}: {residual}");
        assert!((pairs.residuals[c] - residual).abs() < 1e-10);
        let largest = v
            .column(c)
            .iter()
            .fold(0.0f64, |m, &x| if x.abs() > m.abs() { x } else { m });
        assert!(largest > 0.0);
    }
    let gram = v.transpose() * &v;
    assert!((gram - DMatrix::identity(want.len(), want.len())).amax() < 1e-9);
}

#[test]
fn the_search_and_the_dense_solver_agree() {
    let exec = Exec::with_threads(2).unwrap();
    for n in [300, 1100] {
        let graph = ring(n, 5);
        let mut all: Vec<f64> = dense(&graph)
            .symmetric_eigenvalues()
            .iter()
            .copied()
            .collect();
        all.sort_by(|a, b| b.total_cmp(a));
        for wanted in [1, 2, 7, 15] {
            let wish = options(wanted, Which::LargestAlgebraic);
            let with = run(&exec, &graph, &wish, false);
            check(&with, &graph, &all[..wanted]);
            let without = run(&exec, &graph, &wish, true);
            check(&without, &graph, &all[1..=wanted]);
            assert_eq!(with.products > 0, n > 500);
        }
    }
}

#[test]
fn every_copy_of_a_value_is_found() {
    // Ten times 0.8, more than pass through the matrix together.
    let exec = Exec::serial();
    let graph = cube(10);
    let want: Vec<f64> = [vec![0.8; 10], vec![0.6; 4]].concat();
    let found = run(&exec, &graph, &options(14, Which::LargestAlgebraic), true);
    check(&found, &graph, &want);
}

#[test]
fn the_lower_end_counts_by_magnitude() {
    // A cube is bipartite: its spectrum is symmetric.
    let exec = Exec::serial();
    let graph = cube(10);
    let found = run(&exec, &graph, &options(5, Which::LargestMagnitude), true);
    assert!((found.values[4] + 1.0).abs() < 1e-9);
    assert!(found.values[..4]
        .iter()
        .all(|v| (v.abs() - 0.8).abs() < 1e-9));
}

#[test]
fn a_search_that_is_cut_short_says_so() {
    let exec = Exec::serial();
    let graph = ring(5000, 3);
    let few = EigenOptions {
        products: 60,
        ..options(6, Which::LargestAlgebraic)
    };
    let found = run(&exec, &graph, &few, true);
    assert_eq!(found.values.len(), 6);
    assert!(found.converged.iter().any(|c| !c) && found.products < 120);
    // What it says of itself is true all the same.
    let none = run(&exec, &graph, &options(0, Which::LargestAlgebraic), true);
    assert!(none.values.is_empty());
}

#[test]
fn seeds_change_digits_beyond_the_tolerance_only() {
    let exec = Exec::serial();
    let graph = ring(900, 4);
    let a = run(&exec, &graph, &options(4, Which::LargestAlgebraic), true);
    let other = EigenOptions {
        seed: 7,
        ..options(4, Which::LargestAlgebraic)
    };
    let b = run(&exec, &graph, &other, true);
    assert_ne!(a.vectors, b.vectors);
    for (x, y) in a.values.iter().zip(&b.values) {
        assert!((x - y).abs() < 1e-12);
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_instructions() {
    let graph = ring(3000, 4);
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        run(&exec, &graph, &options(6, Which::LargestMagnitude), true)
    });
}

#[test]
fn wrong_input_is_refused_and_work_can_be_stopped() {
    let exec = Exec::serial();
    let bad = from_rows(2, vec![vec![(1, f64::NAN)], vec![(0, 1.0)]]).unwrap();
    let matrix = ScaledGraph {
        graph: &bad,
        scale: &[1.0, 1.0],
    };
    let one = options(1, Which::LargestAlgebraic);
    let e = leading_eigenpairs(&exec, matrix, None, &one).unwrap_err();
    assert!(matches!(e, CoreError::NotFinite { count: 1, .. }));
    let many = options(3, Which::LargestAlgebraic);
    let e = leading_eigenpairs(&exec, matrix, None, &many).unwrap_err();
    assert!(matches!(e, CoreError::Range { .. }));
    let graph = ring(2000, 3);
    let scale = vec![0.4; 2000];
    let matrix = ScaledGraph {
        graph: &graph,
        scale: &scale,
    };
    exec.control().cancel();
    let e = leading_eigenpairs(&exec, matrix, None, &many).unwrap_err();
    assert_eq!(e, CoreError::Interrupted);
}
