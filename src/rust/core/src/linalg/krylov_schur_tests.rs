use super::krylov_schur::{partial_schur, partial_schur_with, Iteration};
use super::partial_schur::{dense_schur, PartialSchur};
use super::reorder::Which;
use crate::exec::Exec;
use crate::linalg::basis::random_vector;
use crate::linalg::schur::eigenvalues;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use crate::sparse::Csr;
use nalgebra::DMatrix;

/// A directed ring of `n` cells with a few random jumps inside `blocks` blocks.
fn chain(seed: u64, n: usize, blocks: usize) -> Csr {
    let size = n / blocks;
    let mut s = Stream::new(seed, 4, 0, 0);
    let rows = (0..n)
        .map(|i| {
            let base = (i / size).min(blocks - 1) * size;
            let end = if base / size == blocks - 1 {
                n
            } else {
                base + size
            };
            let mut row = vec![(i as u32, 0.2)];
            for step in 1..6 {
                let near = base + (i - base + step) % (end - base);
                let to = if step < 4 {
                    near
                } else {
                    base + s.below(end - base)
                };
                row.push((to as u32, 0.1 + s.uniform()));
            }
            row.sort_by_key(|e| e.0);
            row.dedup_by_key(|e| e.0);
            let sum: f64 = row.iter().map(|e| e.1).sum();
            row.iter().map(|&(j, v)| (j, v / sum)).collect()
        })
        .collect();
    from_rows(n, rows).unwrap()
}

fn run(exec: &Exec, t: &Csr, m: usize, which: Which) -> PartialSchur {
    let start = random_vector(t.rows(), 0).unwrap();
    partial_schur(exec, t, &start, m, which, 1e-12, 300).unwrap()
}

fn orthonormal(p: &PartialSchur) {
    let gram = p.vectors.t().dot(&p.vectors);
    for ((i, j), v) in gram.indexed_iter() {
        assert!((v - f64::from(u8::from(i == j))).abs() < 1e-12);
    }
}

#[test]
fn eigenvalues_agree_with_the_dense_decomposition() {
    let exec = Exec::serial();
    for (seed, which) in [(1, Which::LargestReal), (2, Which::LargestMagnitude)] {
        let t = chain(seed, 220, 1);
        let dense = dense_schur(&exec, &t, 12, which).unwrap();
        let sparse = run(&exec, &t, 12, which);
        assert!(sparse.restarts > 0 && dense.restarts == 0);
        assert_eq!(sparse.eigenvalues.len(), dense.eigenvalues.len());
        assert!(dense.eigenvalues.iter().any(|v| v.im != 0.0));
        for (a, b) in sparse.eigenvalues.iter().zip(&dense.eigenvalues) {
            assert!((a - b).norm_sqr().sqrt() < 1e-10, "{a} {b}");
        }
        orthonormal(&sparse);
        orthonormal(&dense);
        // Leading subspaces agree: the projection of one on the other is all of it.
        let cross = dense.vectors.t().dot(&sparse.vectors);
        let norm: f64 = cross.iter().map(|v| v * v).sum();
        assert!((norm - cross.ncols() as f64).abs() < 1e-9);
    }
}

#[test]
fn every_closed_class_gives_an_eigenvalue_one() {
    let t = chain(3, 360, 3);
    // A start vector that lives on one block alone sees nothing of the others.
    let mut start = vec![0.0; 360];
    start[..120].fill(1.0);
    let exec = Exec::serial();
    for start in [start, random_vector(360, 0).unwrap(), vec![1.0; 360]] {
        let p = partial_schur(&exec, &t, &start, 6, Which::LargestReal, 1e-12, 300).unwrap();
        let ones = p.eigenvalues.iter().filter(|v| (v.re - 1.0).abs() < 1e-9);
        assert_eq!(ones.count(), 3);
        let dense = dense_schur(&exec, &t, 6, Which::LargestReal).unwrap();
        for (a, b) in p.eigenvalues.iter().zip(&dense.eigenvalues) {
            assert!((a - b).norm_sqr().sqrt() < 1e-9);
        }
    }
}

#[test]
fn identical_blocks_give_every_eigenvalue_twice() {
    let one = chain(5, 150, 1);
    let rows = (0..300)
        .map(|i| {
            let (cols, values) = crate::sparse::csr::row(&one, i % 150);
            let shift = (i / 150 * 150) as u32;
            cols.iter()
                .map(|&c| c + shift)
                .zip(values.iter().copied())
                .collect()
        })
        .collect();
    let t = from_rows(300, rows).unwrap();
    let exec = Exec::serial();
    let dense = dense_schur(&exec, &t, 8, Which::LargestReal).unwrap();
    let sparse = run(&exec, &t, 8, Which::LargestReal);
    for (a, b) in sparse.eigenvalues.iter().zip(&dense.eigenvalues) {
        assert!((a - b).norm_sqr().sqrt() < 1e-9, "{a} {b}");
    }
}

#[test]
fn the_number_of_threads_and_the_instructions_change_no_bit() {
    let t = chain(7, 5000, 2);
    let one = run(&Exec::serial(), &t, 2, Which::LargestReal);
    for threads in [2, 4] {
        let many = run(
            &Exec::with_threads(threads).unwrap(),
            &t,
            2,
            Which::LargestReal,
        );
        assert_eq!(one, many);
    }
    let plain = crate::testing::on_baseline(|| run(&Exec::serial(), &t, 2, Which::LargestReal));
    assert_eq!(one, plain);
}

#[test]
fn an_invariant_start_vector_is_no_obstacle() {
    // One step to a uniform distribution: rank one, the basis breaks down at once.
    let n = 80;
    let rows = (0..n)
        .map(|_| (0..n as u32).map(|j| (j, 1.0 / n as f64)).collect())
        .collect();
    let t = from_rows(n, rows).unwrap();
    let p = run(&Exec::serial(), &t, 4, Which::LargestReal);
    let want = [1.0, 0.0, 0.0, 0.0];
    for (v, w) in p.eigenvalues.iter().zip(want) {
        assert!((v.re - w).abs() < 1e-12 && v.im == 0.0);
    }
    assert_eq!(eigenvalues(&DMatrix::identity(1, 1))[0].re, 1.0);
}

#[test]
fn what_cannot_be_done_is_refused() {
    let exec = Exec::serial();
    let t = chain(7, 300, 1);
    let start = vec![1.0; 300];
    let e = |start: &[f64], m, restarts| {
        partial_schur(&exec, &t, start, m, Which::LargestReal, 1e-12, restarts)
            .unwrap_err()
            .kind()
    };
    assert_eq!(e(&start, 0, 9), "range");
    assert_eq!(e(&start[1..], 3, 9), "shape");
    assert_eq!(e(&start, 10, 1), "not_converged");
}

#[test]
fn a_nearly_decomposable_chain_shows_its_slow_process() {
    // Two rings joined by a leak so small that the second eigenvalue is 1 - 1e-9.
    let n = 300;
    let whole = chain(9, n, 2);
    let leak = 0.5e-9;
    let rows = (0..n)
        .map(|i| {
            let (cols, values) = crate::sparse::csr::row(&whole, i);
            let mut row: Vec<(u32, f64)> = cols
                .iter()
                .zip(values)
                .map(|(&j, &v)| (j, v * (1.0 - leak)))
                .collect();
            row.push((((i + n / 2) % n) as u32, leak));
            row
        })
        .collect();
    let t = from_rows(n, rows).unwrap();
    let p = run(&Exec::serial(), &t, 4, Which::LargestReal);
    assert!((p.eigenvalues[0].re - 1.0).abs() < 1e-12);
    assert!((1.0 - p.eigenvalues[1].re - 1e-9).abs() < 1e-12);
    orthonormal(&p);
}

#[test]
fn a_periodic_chain_has_all_roots_of_one() {
    // Six groups visited in turn; every second, third eigenvalue has modulus one.
    let (n, groups) = (240, 6);
    let mut s = Stream::new(3, 7, 0, 0);
    let rows = (0..n)
        .map(|i: usize| {
            let next = (i / (n / groups) + 1) % groups * (n / groups);
            let mut row: Vec<(u32, f64)> = (0..5)
                .map(|_| ((next + s.below(n / groups)) as u32, 0.1 + s.uniform()))
                .collect();
            row.sort_by_key(|e| e.0);
            row.dedup_by_key(|e| e.0);
            let sum: f64 = row.iter().map(|e| e.1).sum();
            row.iter().map(|&(j, v)| (j, v / sum)).collect()
        })
        .collect();
    let t = from_rows(n, rows).unwrap();
    let p = run(&Exec::serial(), &t, groups, Which::LargestMagnitude);
    assert_eq!(p.eigenvalues.len(), groups);
    for v in &p.eigenvalues {
        assert!((v.norm_sqr() - 1.0).abs() < 1e-10);
        // The sixth power is one.
        let (square, mut power) = (v * v, v * v);
        power *= square * square;
        assert!((power.re - 1.0).abs() < 1e-9 && power.im.abs() < 1e-9);
    }
}

#[test]
fn one_absorbing_cell_takes_the_first_column() {
    let n = 200;
    let whole = chain(5, n, 1);
    let rows = (0..n)
        .map(|i| {
            if i == 0 {
                return vec![(0, 1.0)];
            }
            let (cols, values) = crate::sparse::csr::row(&whole, i);
            cols.iter().copied().zip(values.iter().copied()).collect()
        })
        .collect();
    let t = from_rows(n, rows).unwrap();
    let p = run(&Exec::serial(), &t, 3, Which::LargestReal);
    assert!((p.eigenvalues[0].re - 1.0).abs() < 1e-12);
    assert!(p.eigenvalues[1].re < 1.0 - 1e-6);
    assert!(p.residuals.iter().all(|&r| r < 1e-10));
}

#[test]
fn the_size_of_the_subspace_is_ours_to_choose() {
    let t = chain(4, 400, 1);
    let start = random_vector(400, 0).unwrap();
    let go = |columns| {
        let how = Iteration {
            which: Which::LargestReal,
            tolerance: 1e-12,
            max_restarts: 300,
            columns,
        };
        partial_schur_with(&Exec::serial(), &t, &start, 6, &how)
    };
    let (wide, narrow) = (go(Some(80)).unwrap(), go(Some(20)).unwrap());
    assert!(narrow.restarts > wide.restarts);
    for (a, b) in wide.eigenvalues.iter().zip(&narrow.eigenvalues) {
        assert!((a - b).norm_sqr() < 1e-20);
    }
    assert_eq!(go(Some(8)).unwrap_err().kind(), "range");
}
