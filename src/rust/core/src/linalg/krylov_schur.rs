//! Thick-restart Krylov-Schur: the leading Schur vectors of a large sparse chain.
//!
//! The slowest processes of a chain belong to the few eigenvalues next to one. A
//! Krylov basis is grown by products with `T`, the small projected matrix is brought
//! to sorted Schur form, the best part is kept and the basis is grown again (Stewart
//! 2001). After convergence a fresh vector is tried beside the result, because one
//! start vector sees a repeated eigenvalue only once: a chain with several closed
//! classes has several eigenvalues one.

use super::basis::Basis;
use super::partial_schur::{certified, check_size, dense_schur, whole_pairs, PartialSchur};
use super::reorder::{block_key, sort_schur, Which};
use super::schur::{block_size, real_schur};
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::sparse::Csr;
use nalgebra::DMatrix;

/// A new direction shorter than this, relative to the product it came from, is
/// rounding: the basis spans an invariant subspace.
const BREAKDOWN: f64 = 1e-13;

/// Restarts spent on looking for missed eigenvalues.
const PROBES: usize = 8;

/// The leading `m` Schur vectors of `t` (n x n; cells are rows), from `start`
/// (length n). The subspace has max(2 m, m + 15) columns; memory O(n times that),
/// time O(products (entries + n m)). `tolerance` bounds the residual of each column
/// relative to the largest eigenvalue.
///
/// # Errors
/// `range`, `shape`, `memory`, `interrupted`, and `not_converged` after
/// `max_restarts` restarts or when the certificate fails.
pub fn partial_schur(
    exec: &Exec,
    t: &Csr,
    start: &[f64],
    m: usize,
    which: Which,
    tolerance: f64,
    max_restarts: usize,
) -> Result<PartialSchur> {
    let n = t.rows();
    check_size(n, m)?;
    if start.len() != n || t.cols() != n {
        return Err(CoreError::Shape {
            what: "the start vector or the transition matrix".into(),
            expected: n,
            found: start.len().min(t.cols()),
        });
    }
    let size = (2 * m).max(m + 15);
    if size + 2 >= n {
        return dense_schur(exec, t, m, which);
    }
    let mut krylov = Krylov::new(exec, t, start, size)?;
    krylov.run(m, which, tolerance, max_restarts)?;
    let kept = whole_pairs(&krylov.projected, m);
    let r = krylov.projected.view((0, 0), (kept, kept)).into_owned();
    let vectors = krylov.basis.columns(kept);
    certified(exec, t, vectors, &r, (krylov.restarts, krylov.products))
}

/// `T V = V S + v b'`: `filled` columns V, the vector v behind them.
struct Krylov<'a> {
    exec: &'a Exec,
    t: &'a Csr,
    size: usize,
    basis: Basis,
    /// S in the upper left corner.
    projected: DMatrix<f64>,
    /// b, for the columns kept at the last restart.
    border: Vec<f64>,
    filled: usize,
    draws: u64,
    restarts: usize,
    products: usize,
}

impl<'a> Krylov<'a> {
    fn new(exec: &'a Exec, t: &'a Csr, start: &[f64], size: usize) -> Result<Krylov<'a>> {
        let mut krylov = Krylov {
            exec,
            t,
            size,
            basis: Basis::new(t.rows(), size + 1)?,
            projected: DMatrix::zeros(size, size),
            border: Vec::new(),
            filled: 0,
            draws: 0,
            restarts: 0,
            products: 0,
        };
        if !krylov.basis.insert(exec, 0, start)? {
            krylov.fresh(0)?;
        }
        Ok(krylov)
    }

    /// Puts a random unit vector orthogonal to the first `j` at place `j`.
    fn fresh(&mut self, j: usize) -> Result<()> {
        loop {
            self.draws += 1;
            // The subspace is smaller than the space, so some draw stands out.
            if self.basis.insert_random(self.exec, j, self.draws)? {
                return Ok(());
            }
        }
    }

    fn run(&mut self, m: usize, which: Which, tolerance: f64, max_restarts: usize) -> Result<()> {
        let mut probe: Option<usize> = None;
        loop {
            self.expand()?;
            let q = self.decompose(which)?;
            self.restarts += 1;
            let kept = whole_pairs(&self.projected, m);
            let scale = self.projected.diagonal().amax();
            let worst = self.border[..kept]
                .iter()
                .fold(0.0f64, |w, b| w.max(b.abs()));
            if worst <= tolerance * scale {
                match probe {
                    Some(round) if round >= PROBES || self.next_is_behind(kept, which) => {
                        return self.compress(&q, kept);
                    }
                    Some(round) => {
                        probe = Some(round + 1);
                        self.compress(&q, self.thick(kept))?;
                    }
                    None => {
                        probe = Some(0);
                        self.compress(&q, kept)?;
                        self.border.fill(0.0);
                        self.fresh(kept)?;
                    }
                }
                continue;
            }
            if self.restarts >= max_restarts {
                return Err(CoreError::NotConverged {
                    what: "the Schur decomposition".into(),
                    iterations: self.restarts,
                    residual: worst / scale,
                    tolerance,
                });
            }
            self.compress(&q, self.thick(kept))?;
        }
    }

    /// How many columns survive a restart: the wanted ones and half of the rest.
    fn thick(&self, kept: usize) -> usize {
        let k = kept + (self.size - kept) / 2;
        let cut = k > 0 && block_size(&self.projected, k - 1) == 2;
        (k + usize::from(cut)).min(self.size - 1)
    }

    /// Whether the first unwanted Ritz value is known well enough to say that it does
    /// not belong among the wanted ones.
    fn next_is_behind(&self, kept: usize, which: Which) -> bool {
        let width = block_size(&self.projected, kept);
        let residual = self.border[kept..kept + width]
            .iter()
            .fold(0.0f64, |w, b| w.max(b.abs()));
        let last = if kept >= 2 && block_size(&self.projected, kept - 2) == 2 {
            kept - 2
        } else {
            kept - 1
        };
        let gap = block_key(&self.projected, last, which) - block_key(&self.projected, kept, which);
        residual < gap.max(1e-6)
    }

    /// Grows the basis to its full size; each new vector is made orthogonal to all
    /// others twice.
    fn expand(&mut self) -> Result<()> {
        for j in self.filled..self.size {
            self.exec.check()?;
            let first = self.basis.multiply(self.exec, self.t, j + 1)?;
            self.products += 1;
            let second = self.basis.subtract_project(self.exec, j + 1, &first)?;
            let norm = self.basis.subtract_norm(self.exec, j + 1, &second)?;
            let mut length = norm * norm;
            for i in 0..=j {
                let h = first[i] + second[i];
                self.projected[(i, j)] = h;
                length += h * h;
            }
            if j == self.filled {
                for (i, &b) in self.border.iter().enumerate() {
                    self.projected[(j, i)] = b;
                }
            }
            let broken = norm.is_nan() || norm <= BREAKDOWN * length.sqrt();
            let below = if broken { 0.0 } else { norm };
            if broken {
                self.fresh(j + 1)?;
            } else {
                self.basis.accept(self.exec, j + 1, norm)?;
            }
            if j + 1 < self.size {
                self.projected[(j + 1, j)] = below;
            } else {
                self.border = vec![0.0; self.size];
                self.border[j] = below;
            }
        }
        self.filled = self.size;
        Ok(())
    }

    /// Sorted Schur form of the projected matrix; returns its vectors.
    fn decompose(&mut self, which: Which) -> Result<DMatrix<f64>> {
        let (mut q, mut r) = real_schur(self.exec, &self.projected)?;
        sort_schur(&mut q, &mut r, which)?;
        let last = self.border[self.size - 1];
        for (j, b) in self.border.iter_mut().enumerate() {
            *b = last * q[(self.size - 1, j)];
        }
        self.projected = r;
        Ok(q)
    }

    /// Keeps the first `k` Schur vectors and the vector behind the basis.
    fn compress(&mut self, q: &DMatrix<f64>, k: usize) -> Result<()> {
        let turn = q.columns(0, k).into_owned();
        self.basis.compress(self.exec, &turn)?;
        self.border.truncate(k);
        let mut kept = DMatrix::zeros(self.size, self.size);
        kept.view_mut((0, 0), (k, k))
            .copy_from(&self.projected.view((0, 0), (k, k)));
        self.projected = kept;
        self.filled = k;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::basis::random_vector;
    use crate::linalg::schur::eigenvalues;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;

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
}
