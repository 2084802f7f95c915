//! A few leading columns of the Schur form of a chain, and the proof that they are.
//!
//! `T Q = Q R` with orthonormal `Q` (cells x m'), `R` quasi-triangular and sorted. The
//! residual of each column is computed from `T` itself at the end, whatever method
//! found it; nothing above [`CERTIFICATE`] is ever returned.

use super::reorder::{sort_schur, Which};
use super::schur::{block_size, eigenvalues, real_schur};
use crate::error::{CoreError, Result};
use crate::exec::{Exec, CHUNK};
use crate::sparse::csr::row;
use crate::sparse::{ops, Csr};
use nalgebra::{Complex, DMatrix};
use ndarray::Array2;

/// Largest relative residual of a returned column.
pub const CERTIFICATE: f64 = 1e-10;

/// A sorted partial real Schur decomposition `T Q = Q R`.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialSchur {
    /// Q, cells x m'; m' is m, or m + 1 where m would cut a complex pair.
    pub vectors: Array2<f64>,
    /// R, m' x m', quasi upper triangular with standard 2 x 2 blocks.
    pub matrix: Array2<f64>,
    /// Eigenvalues in order; of a pair the one with positive imaginary part first.
    pub eigenvalues: Vec<Complex<f64>>,
    /// Norm of each column of `T Q - Q R` over the largest modulus of an eigenvalue.
    pub residuals: Vec<f64>,
    /// Restarts of the iteration (0: dense).
    pub restarts: usize,
    /// Products with T.
    pub products: usize,
}

/// The leading `m` columns from the full Schur form of `t` as a dense matrix.
/// O(n^3) time, O(n^2) memory.
///
/// # Errors
/// `range` for an m outside 1..=n, `memory`, `not_converged`, `interrupted`.
pub fn dense_schur(exec: &Exec, t: &Csr, m: usize, which: Which) -> Result<PartialSchur> {
    let n = t.rows();
    check_size(n, m)?;
    // Asked for first, so that a matrix too large for the machine is an error.
    drop(crate::error::try_filled(
        3 * n * n,
        0.0,
        "a dense transition matrix",
    )?);
    let mut dense = DMatrix::zeros(n, n);
    for i in 0..n {
        let (cols, values) = row(t, i);
        for (&j, &v) in cols.iter().zip(values) {
            dense[(i, j as usize)] = v;
        }
    }
    let (mut q, mut r) = real_schur(exec, &dense)?;
    sort_schur(&mut q, &mut r, which)?;
    let kept = whole_pairs(&r, m);
    let vectors = Array2::from_shape_fn((n, kept), |(i, j)| q[(i, j)]);
    let leading = r.view((0, 0), (kept, kept)).into_owned();
    certified(exec, t, vectors, &leading, (0, 0))
}

/// `m`, or `m + 1` where `m` would cut a complex pair of `r`.
pub(crate) fn whole_pairs(r: &DMatrix<f64>, m: usize) -> usize {
    let mut at = 0;
    while at < m {
        at += block_size(r, at);
    }
    at
}

pub(crate) fn check_size(n: usize, m: usize) -> Result<()> {
    if m >= 1 && m <= n {
        return Ok(());
    }
    Err(CoreError::Range {
        what: "the number of Schur vectors".into(),
        value: m as f64,
        allowed: format!("1 to {n}, the number of cells"),
    })
}

/// Measures the residuals with `t` itself and refuses what is not good enough.
pub(crate) fn certified(
    exec: &Exec,
    t: &Csr,
    vectors: Array2<f64>,
    r: &DMatrix<f64>,
    (restarts, products): (usize, usize),
) -> Result<PartialSchur> {
    let values = eigenvalues(r);
    let matrix = Array2::from_shape_fn((r.nrows(), r.ncols()), |(i, j)| r[(i, j)]);
    let size = values
        .iter()
        .fold(0.0f64, |m, v| m.max(v.norm_sqr()))
        .sqrt();
    let residuals: Vec<f64> = residual_norms(exec, t, &vectors, &matrix)?
        .into_iter()
        .map(|v| v / size.max(f64::MIN_POSITIVE))
        .collect();
    let worst = residuals.iter().fold(0.0f64, |m, &v| m.max(v));
    if residuals.iter().any(|v| v.is_nan()) || worst > CERTIFICATE {
        return Err(CoreError::NotConverged {
            what: "the Schur decomposition".into(),
            iterations: products,
            residual: worst,
            tolerance: CERTIFICATE,
        });
    }
    Ok(PartialSchur {
        vectors,
        matrix,
        eigenvalues: values,
        residuals,
        restarts,
        products,
    })
}

/// Norms of the columns of `T Q - Q R`. O(entries m + n m^2).
pub(crate) fn residual_norms(
    exec: &Exec,
    t: &Csr,
    q: &Array2<f64>,
    r: &Array2<f64>,
) -> Result<Vec<f64>> {
    let product = ops::mat_mat(exec, t, q.view())?;
    let m = q.ncols();
    let parts = exec.map_chunks(q.nrows(), CHUNK, |rows| {
        let mut sums = vec![0.0; m];
        for i in rows {
            for (j, sum) in sums.iter_mut().enumerate() {
                let along: f64 = (0..m).map(|k| q[(i, k)] * r[(k, j)]).sum();
                let off = product[(i, j)] - along;
                *sum += off * off;
            }
        }
        sums
    })?;
    let mut norms = vec![0.0; m];
    for part in parts {
        for (n, p) in norms.iter_mut().zip(part) {
            *n += p;
        }
    }
    Ok(norms.into_iter().map(f64::sqrt).collect())
}
