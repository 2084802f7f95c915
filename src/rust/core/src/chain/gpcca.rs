//! The slow processes of a chain as a basis: the first step of GPCCA.
//!
//! A chain that lingers in a few regions is described by the invariant subspace of its
//! leading eigenvalues. The basis here is the sorted real Schur form of `D^(1/2) T
//! D^(-1/2)` with weights `D` (an initial distribution, `I / n` unless told), made so
//! that its first column is exactly one and `X' D X = I` (Reuter et al. 2018, 2019;
//! section 2.5 of the fate-mapping rules).

use super::classes::communicating_classes;
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::linalg::basis::random_vector;
use crate::linalg::krylov_schur::partial_schur;
use crate::linalg::partial_schur::{check_size, dense_schur, residual_norms, PartialSchur};
use crate::linalg::reorder::Which;
use crate::sparse::{ops, Csr};
use nalgebra::{Complex, DMatrix};
use ndarray::Array2;

/// Up to this many cells the dense decomposition is the quick one.
const DENSE: usize = 500;

/// Residual asked of the iteration (the certificate of what it returns is looser).
const TOLERANCE: f64 = 1e-12;

/// Restarts of the iteration before it gives up.
const RESTARTS: usize = 1000;

/// Eigenvalues this close to one belong to closed classes.
const ONE: f64 = 1e-8;

/// How the Schur vectors are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchurMethod {
    /// Thick-restart Krylov-Schur, for large sparse chains.
    Krylov,
    /// Full decomposition of the dense matrix: O(n^3) time, O(n^2) memory.
    Dense,
    /// Dense up to 500 cells, Krylov beyond.
    Auto,
}

/// A weighted orthonormal Schur basis of the leading invariant subspace.
#[derive(Debug, Clone, PartialEq)]
pub struct SchurBasis {
    /// X, cells x m; the first column is exactly 1, and X' D X = I.
    pub vectors: Array2<f64>,
    /// R with T X = X R, quasi upper triangular.
    pub matrix: Array2<f64>,
    /// The leading eigenvalues in order.
    pub eigenvalues: Vec<Complex<f64>>,
    /// Norm of each column of D^(1/2) (T X - X R).
    pub residuals: Vec<f64>,
    /// Products with T (0: dense).
    pub products: usize,
    /// The method that was used, never `Auto`.
    pub method: SchurMethod,
    /// Numbers of states that would cut a complex pair.
    pub invalid_n_states: Vec<usize>,
}

/// The leading `n_components` Schur vectors of `t` (n x n, row stochastic), one more
/// where the last would cut a complex pair. Every column's largest entry is positive,
/// so signs do not depend on the method. Memory O(n m), time as
/// [`partial_schur`] or O(n^3).
///
/// # Errors
/// `range` for fewer than two or more than n components, `shape`, `memory`,
/// `not_converged` (also when the checks of step 5 fail), `interrupted`.
pub fn schur_basis(
    exec: &Exec,
    t: &Csr,
    n_components: usize,
    which: Which,
    method: SchurMethod,
) -> Result<SchurBasis> {
    weighted_schur_basis(exec, t, None, n_components, which, method)
}

/// As [`schur_basis`] with the initial distribution `eta` as weights (length n,
/// positive; scaled to sum one). `None`, or equal weights: the uniform one.
///
/// # Errors
/// Those of [`schur_basis`]; `range` for weights that are not positive.
pub fn weighted_schur_basis(
    exec: &Exec,
    t: &Csr,
    eta: Option<&[f64]>,
    n_components: usize,
    which: Which,
    method: SchurMethod,
) -> Result<SchurBasis> {
    let n = t.rows();
    check_size(n, n_components)?;
    if n_components < 2 {
        return Err(CoreError::Range {
            what: "the number of Schur vectors".into(),
            value: n_components as f64,
            allowed: "2 or more".into(),
        });
    }
    let root = match eta {
        Some(eta) => roots(n, eta)?,
        None => None,
    };
    let closed = communicating_classes(t)?.closed.len();
    let scaled;
    let a = match &root {
        None => t,
        Some(root) => {
            scaled = ops::map_values(exec, t.clone(), |i, j, v| v * root[i] / root[j])?;
            &scaled
        }
    };
    let dense = method == SchurMethod::Dense || (method == SchurMethod::Auto && n <= DENSE);
    let schur = if dense {
        dense_schur(exec, a, n_components, which)?
    } else {
        let mut start = random_vector(n, 0)?;
        match &root {
            None => start.iter_mut().for_each(|v| *v += 1.0),
            Some(root) => {
                let unit = (n as f64).sqrt();
                let rows = start.iter_mut().zip(root);
                rows.for_each(|(v, r)| *v += r * unit);
            }
        }
        partial_schur(exec, a, &start, n_components, which, TOLERANCE, RESTARTS)?
    };
    check_ones(&schur, closed, which)?;
    let (vectors, matrix) = constant_first(&schur, root.as_deref())?;
    let residuals = weighted_residuals(exec, t, &vectors, &matrix, root.as_deref())?;
    let worst = residuals.iter().fold(0.0f64, |m, &r| m.max(r));
    failed_above("the invariance of the Schur vectors", worst, 1e-6)?;
    let kept = schur.eigenvalues.len();
    let invalid_n_states = (2..kept)
        .filter(|&i| schur.eigenvalues[i - 1].im > 0.0)
        .collect();
    Ok(SchurBasis {
        vectors,
        matrix,
        eigenvalues: schur.eigenvalues,
        residuals,
        products: schur.products,
        method: if dense {
            SchurMethod::Dense
        } else {
            SchurMethod::Krylov
        },
        invalid_n_states,
    })
}

/// Square roots of the weights, scaled to length one; `None` for equal weights.
fn roots(n: usize, eta: &[f64]) -> Result<Option<Vec<f64>>> {
    if eta.len() != n {
        return Err(CoreError::Shape {
            what: "the initial distribution".into(),
            expected: n,
            found: eta.len(),
        });
    }
    let sum: f64 = eta.iter().sum();
    let bad = eta.iter().find(|v| !v.is_finite() || **v <= 0.0);
    let small = eta.iter().find(|v| **v / sum <= f64::EPSILON);
    if let Some(&value) = bad.or(small) {
        return Err(CoreError::Range {
            what: "an entry of the initial distribution".into(),
            value,
            allowed: "positive numbers that count beside their sum".into(),
        });
    }
    if eta.iter().all(|v| *v == eta[0]) {
        return Ok(None);
    }
    Ok(Some(eta.iter().map(|v| (v / sum).sqrt()).collect()))
}

/// Norms of the columns of D^(1/2) (T X - X R).
fn weighted_residuals(
    exec: &Exec,
    t: &Csr,
    x: &Array2<f64>,
    r: &Array2<f64>,
    root: Option<&[f64]>,
) -> Result<Vec<f64>> {
    let Some(root) = root else {
        let scale = (t.rows() as f64).sqrt();
        let norms = residual_norms(exec, t, x, r)?;
        return Ok(norms.into_iter().map(|v| v / scale).collect());
    };
    let off = ops::mat_mat(exec, t, x.view())? - x.dot(r);
    let mut squares = vec![0.0; x.ncols()];
    for (row, w) in off.rows().into_iter().zip(root) {
        for (s, v) in squares.iter_mut().zip(row) {
            *s += (w * v) * (w * v);
        }
    }
    Ok(squares.into_iter().map(f64::sqrt).collect())
}

/// Index i (0-based) of the largest `(l_i - l_{i+1}) - alpha (1 - l_i)` over the real
/// parts in descending order, the first on ties; the number of states it proposes is
/// one more. O(m log m).
///
/// # Errors
/// `shape` for fewer than two values.
pub fn eigengap(real_parts: &[f64], alpha: f64) -> Result<usize> {
    if real_parts.len() < 2 {
        return Err(CoreError::Shape {
            what: "the eigenvalues".into(),
            expected: 2,
            found: real_parts.len(),
        });
    }
    let mut l = real_parts.to_vec();
    l.sort_by(|a, b| b.total_cmp(a));
    let gap = |i: usize| (l[i] - l[i + 1]) - alpha * (1.0 - l[i]);
    let mut best = 0;
    for i in 1..l.len() - 1 {
        if gap(i) > gap(best) {
            best = i;
        }
    }
    Ok(best)
}

/// A chain has as many eigenvalues one as closed classes: none may be missing.
fn check_ones(schur: &PartialSchur, closed: usize, which: Which) -> Result<()> {
    let found = schur
        .eigenvalues
        .iter()
        .filter(|v| which.key(v.re, v.im) >= 1.0 - ONE)
        .count();
    let expected = closed.min(schur.eigenvalues.len());
    if found >= expected {
        return Ok(());
    }
    let next = schur.eigenvalues[found];
    Err(CoreError::NotConverged {
        what: "the search for the eigenvalues one of all closed classes".into(),
        iterations: schur.products,
        residual: (1.0 - which.key(next.re, next.im)).abs(),
        tolerance: ONE,
    })
}

fn failed_above(what: &str, residual: f64, tolerance: f64) -> Result<()> {
    if residual <= tolerance {
        return Ok(());
    }
    Err(CoreError::NotConverged {
        what: what.into(),
        iterations: 0,
        residual,
        tolerance,
    })
}

/// Replaces the vector closest to the constant one by it, moves it to the front,
/// orthogonalises the rest in order (twice) and scales to `X' D X = I`. `root` holds
/// the square roots of the weights, `None` for uniform ones.
fn constant_first(
    schur: &PartialSchur,
    root: Option<&[f64]>,
) -> Result<(Array2<f64>, Array2<f64>)> {
    let q = &schur.vectors;
    let (n, m) = q.dim();
    let unit = 1.0 / (n as f64).sqrt();
    let weight = |i: usize| root.map_or(unit, |r| r[i]);
    let along: Vec<f64> = match root {
        None => q.columns().into_iter().map(|c| c.sum() * unit).collect(),
        Some(root) => {
            let columns = q.columns().into_iter();
            columns
                .map(|c| c.iter().zip(root).map(|(a, b)| a * b).sum())
                .collect()
        }
    };
    let off = q
        .rows()
        .into_iter()
        .enumerate()
        .map(|(i, row)| {
            let value: f64 = row.iter().zip(&along).map(|(a, b)| a * b).sum();
            (value - weight(i)) * (value - weight(i))
        })
        .sum::<f64>()
        .sqrt();
    failed_above("the search for the constant vector", off, 1e-7)?;
    let mut closest = 0;
    for j in 1..m {
        if along[j].abs() > along[closest].abs() {
            closest = j;
        }
    }
    let turn = turn_to_front(&along, closest)?;
    let r = DMatrix::from_fn(m, m, |i, j| schur.matrix[(i, j)]);
    let turned = turn.transpose() * r * &turn;
    let mut x = Array2::from_shape_fn((n, m), |(i, j)| {
        let v: f64 = (0..m).map(|k| q[(i, k)] * turn[(k, j)]).sum();
        v / weight(i)
    });
    x.column_mut(0).fill(1.0);
    let mut matrix = Array2::from_shape_fn((m, m), |(i, j)| turned[(i, j)]);
    positive_signs(&mut x, &mut matrix);
    clean_below(&mut matrix)?;
    check_weights(&x, root)?;
    Ok((x, matrix))
}

/// Orthogonal coordinates whose first column is `along` and whose others follow the
/// unit vectors but the one at `dropped`.
fn turn_to_front(along: &[f64], dropped: usize) -> Result<DMatrix<f64>> {
    let m = along.len();
    let mut turn = DMatrix::zeros(m, m);
    let norm = along.iter().map(|v| v * v).sum::<f64>().sqrt();
    for (i, v) in along.iter().enumerate() {
        turn[(i, 0)] = v / norm;
    }
    for (place, unit) in (0..m).filter(|&j| j != dropped).enumerate() {
        let at = place + 1;
        turn[(unit, at)] = 1.0;
        for _ in 0..2 {
            for k in 0..at {
                let c = turn.column(k).dot(&turn.column(at));
                for i in 0..m {
                    let v = turn[(i, k)];
                    turn[(i, at)] -= c * v;
                }
            }
        }
        let norm = turn.column(at).norm();
        failed_above("the orthogonalisation of the Schur vectors", 1e-8, norm)?;
        turn.column_mut(at).scale_mut(1.0 / norm);
    }
    Ok(turn)
}

/// Turns every column so that its entry of largest size is positive.
fn positive_signs(x: &mut Array2<f64>, r: &mut Array2<f64>) {
    for j in 1..x.ncols() {
        let mut largest = 0.0f64;
        for &v in x.column(j) {
            if v.abs() > largest.abs() {
                largest = v;
            }
        }
        if largest < 0.0 {
            x.column_mut(j).mapv_inplace(|v| -v);
            r.column_mut(j).mapv_inplace(|v| -v);
            r.row_mut(j).mapv_inplace(|v| -v);
        }
    }
}

/// Zeros what rounding left below the blocks of `r`.
fn clean_below(r: &mut Array2<f64>) -> Result<()> {
    let m = r.nrows();
    let mut worst = 0.0f64;
    let mut j = 0;
    while j < m {
        let pair = j + 1 < m && r[(j + 1, j)].abs() > 1e-8;
        let width = if pair { 2 } else { 1 };
        for column in j..j + width {
            for i in j + width..m {
                worst = worst.max(r[(i, column)].abs());
                r[(i, column)] = 0.0;
            }
        }
        j += width;
    }
    failed_above("the triangular form of the Schur matrix", worst, 1e-7)
}

fn check_weights(x: &Array2<f64>, root: Option<&[f64]>) -> Result<()> {
    let gram = match root {
        None => x.t().dot(x) / x.nrows() as f64,
        Some(root) => {
            let q = Array2::from_shape_fn(x.dim(), |(i, j)| x[(i, j)] * root[i]);
            q.t().dot(&q)
        }
    };
    let worst = gram.indexed_iter().fold(0.0f64, |m, ((i, j), &v)| {
        m.max((v - f64::from(u8::from(i == j))).abs())
    });
    failed_above("the orthogonality of the Schur vectors", worst, 1e-6)
}
