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

/// Columns of the usual subspace for `m` vectors. More cost memory and orthogonality,
/// fewer cost products: a restart forgets what it cuts off.
fn subspace(m: usize) -> usize {
    2 * m + (2 * m + 20).min(60)
}

/// Restarts spent on looking for missed eigenvalues.
const PROBES: usize = 8;

/// The leading `m` Schur vectors of `t` (n x n; cells are rows), from `start`
/// (length n). The subspace has 4 m + 20 columns, from m = 20 on 2 m + 60; memory O(n
/// times that), time O(products (entries + n m)). `tolerance` bounds the residual of
/// each column relative to the largest eigenvalue.
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
    let how = Iteration {
        which,
        tolerance,
        max_restarts,
        columns: None,
    };
    partial_schur_with(exec, t, start, m, &how)
}

/// How an iteration runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration {
    pub which: Which,
    /// Bound of the residual of each column relative to the largest eigenvalue.
    pub tolerance: f64,
    pub max_restarts: usize,
    /// Columns of the subspace; `None` for the usual number.
    pub columns: Option<usize>,
}

/// As [`partial_schur`], with a subspace of a given number of columns.
///
/// # Errors
/// As there; `range` for a subspace of fewer than m + 3 columns.
pub fn partial_schur_with(
    exec: &Exec,
    t: &Csr,
    start: &[f64],
    m: usize,
    how: &Iteration,
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
    let size = how.columns.unwrap_or(subspace(m));
    // A pair more than asked for, and one vector to go on with.
    if size < m + 3 {
        return Err(CoreError::Range {
            what: "the number of vectors of the Krylov subspace".into(),
            value: size as f64,
            allowed: format!("{} or more", m + 3),
        });
    }
    let Iteration {
        which,
        tolerance,
        max_restarts,
        ..
    } = *how;
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
