//! The slow processes of a chain as a basis: the first step of GPCCA.
//!
//! A chain that lingers in a few regions is described by the invariant subspace of its
//! leading eigenvalues. The basis here is the sorted real Schur form of `T` with
//! uniform weights `D = I / n`, made so that its first column is exactly one and `X' D
//! X = I` (Reuter et al. 2018, 2019; section 2.5 of the fate-mapping rules, steps 2 to
//! 6).

use super::classes::communicating_classes;
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::linalg::basis::random_vector;
use crate::linalg::krylov_schur::partial_schur;
use crate::linalg::partial_schur::{check_size, dense_schur, residual_norms, PartialSchur};
use crate::linalg::reorder::Which;
use crate::sparse::Csr;
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
    /// X, cells x m; the first column is exactly 1, and X'X / n = I.
    pub vectors: Array2<f64>,
    /// R with T X = X R, quasi upper triangular.
    pub matrix: Array2<f64>,
    /// The leading eigenvalues in order.
    pub eigenvalues: Vec<Complex<f64>>,
    /// Norm of each column of (T X - X R) / sqrt(n).
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
    let n = t.rows();
    check_size(n, n_components)?;
    if n_components < 2 {
        return Err(CoreError::Range {
            what: "the number of Schur vectors".into(),
            value: n_components as f64,
            allowed: "2 or more".into(),
        });
    }
    let closed = communicating_classes(t)?.closed.len();
    let dense = method == SchurMethod::Dense || (method == SchurMethod::Auto && n <= DENSE);
    let schur = if dense {
        dense_schur(exec, t, n_components, which)?
    } else {
        let mut start = random_vector(n, 0)?;
        start.iter_mut().for_each(|v| *v += 1.0);
        partial_schur(exec, t, &start, n_components, which, TOLERANCE, RESTARTS)?
    };
    check_ones(&schur, closed, which)?;
    let (vectors, matrix) = constant_first(&schur)?;
    let scale = (n as f64).sqrt();
    let residuals: Vec<f64> = residual_norms(exec, t, &vectors, &matrix)?
        .into_iter()
        .map(|r| r / scale)
        .collect();
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
/// orthogonalises the rest in order (twice) and scales to `X'X = n I`.
fn constant_first(schur: &PartialSchur) -> Result<(Array2<f64>, Array2<f64>)> {
    let q = &schur.vectors;
    let (n, m) = q.dim();
    let unit = 1.0 / (n as f64).sqrt();
    let along: Vec<f64> = q.columns().into_iter().map(|c| c.sum() * unit).collect();
    let off = q
        .rows()
        .into_iter()
        .map(|row| {
            let value: f64 = row.iter().zip(&along).map(|(a, b)| a * b).sum();
            (value - unit) * (value - unit)
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
        v / unit
    });
    x.column_mut(0).fill(1.0);
    let mut matrix = Array2::from_shape_fn((m, m), |(i, j)| turned[(i, j)]);
    positive_signs(&mut x, &mut matrix);
    clean_below(&mut matrix)?;
    check_weights(&x)?;
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

fn check_weights(x: &Array2<f64>) -> Result<()> {
    let gram = x.t().dot(x) / x.nrows() as f64;
    let worst = gram.indexed_iter().fold(0.0f64, |m, ((i, j), &v)| {
        m.max((v - f64::from(u8::from(i == j))).abs())
    });
    failed_above("the orthogonality of the Schur vectors", worst, 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;

    /// Cells on a line in `groups` sticky groups; `leak` joins neighbouring groups.
    pub(crate) fn groups(n: usize, groups: usize, leak: f64) -> Csr {
        let size = n / groups;
        let mut s = Stream::new(11, 6, 0, 0);
        let rows = (0..n)
            .map(|i| {
                let g = (i / size).min(groups - 1);
                let end = if g + 1 == groups { n } else { (g + 1) * size };
                let mut weight = std::collections::BTreeMap::new();
                weight.insert(i, 0.5);
                for _ in 0..8 {
                    let j = g * size + s.below(end - g * size);
                    *weight.entry(j).or_insert(0.0) += 0.2 + s.uniform();
                }
                if leak > 0.0 {
                    *weight.entry((i + size) % n).or_insert(0.0) += leak * (1.0 + s.uniform());
                }
                let sum: f64 = weight.values().sum();
                weight
                    .into_iter()
                    .map(|(j, v)| (j as u32, v / sum))
                    .collect()
            })
            .collect();
        from_rows(n, rows).unwrap()
    }

    #[test]
    fn the_basis_keeps_its_promises_on_both_paths() {
        let exec = Exec::serial();
        let t = groups(600, 4, 0.05);
        let dense = schur_basis(&exec, &t, 4, Which::LargestReal, SchurMethod::Dense).unwrap();
        let sparse = schur_basis(&exec, &t, 4, Which::LargestReal, SchurMethod::Auto).unwrap();
        assert_eq!(sparse.method, SchurMethod::Krylov);
        for b in [&dense, &sparse] {
            assert!(b.vectors.column(0).iter().all(|&v| v == 1.0));
            assert!(b.residuals.iter().all(|&r| r < 1e-9));
            assert!((b.eigenvalues[0].re - 1.0).abs() < 1e-12);
            assert_eq!(b.matrix[(2, 0)], 0.0);
        }
        if dense.invalid_n_states.is_empty() {
            for (a, b) in dense.vectors.iter().zip(&sparse.vectors) {
                assert!((a - b).abs() < 1e-7);
            }
        }
    }

    #[test]
    fn separate_groups_span_the_leading_subspace() {
        let exec = Exec::serial();
        for (n, method) in [(90, SchurMethod::Auto), (630, SchurMethod::Krylov)] {
            let t = groups(n, 3, 0.0);
            let b = schur_basis(&exec, &t, 3, Which::LargestReal, method).unwrap();
            assert!(b.eigenvalues.iter().all(|v| (v.re - 1.0).abs() < 1e-9));
            // Every column is constant on every group.
            for j in 0..3 {
                for g in 0..3 {
                    let first = b.vectors[(g * n / 3, j)];
                    for i in g * n / 3..(g + 1) * n / 3 {
                        assert!((b.vectors[(i, j)] - first).abs() < 1e-8);
                    }
                }
            }
        }
    }

    #[test]
    fn complex_pairs_are_kept_whole_and_reported() {
        // A ring in one direction: all eigenvalues but one or two are complex.
        let n = 40;
        let rows = (0..n)
            .map(|i| {
                let mut r = vec![(i as u32, 0.5), (((i + 1) % n) as u32, 0.5)];
                r.sort_by_key(|e| e.0);
                r
            })
            .collect();
        let t = from_rows(n, rows).unwrap();
        let exec = Exec::serial();
        let b = schur_basis(&exec, &t, 4, Which::LargestReal, SchurMethod::Dense).unwrap();
        assert_eq!((b.vectors.ncols(), b.invalid_n_states), (5, vec![2, 4]));
        for (k, v) in b.eigenvalues.iter().enumerate() {
            let angle = 2.0 * std::f64::consts::PI * k.div_ceil(2) as f64 / n as f64;
            let want = 0.5 + 0.5 * crate::math::cos(angle);
            assert!((v.re - want).abs() < 1e-12);
        }
    }

    #[test]
    fn the_gap_is_the_one_of_the_formula() {
        assert_eq!(eigengap(&[1.0, 0.99, 0.98, 0.5], 1.0).unwrap(), 2);
        assert_eq!(eigengap(&[0.5, 0.98, 1.0, 0.99], 1.0).unwrap(), 2);
        assert_eq!(eigengap(&[1.0, 0.8, 0.1], 1.0).unwrap(), 1);
        assert_eq!(eigengap(&[1.0, 0.8, 0.5], 2.0).unwrap(), 0);
        assert_eq!(eigengap(&[1.0], 1.0).unwrap_err().kind(), "shape");
    }

    #[test]
    fn impossible_numbers_of_vectors_are_refused() {
        let t = groups(30, 3, 0.1);
        let e = |m| {
            schur_basis(
                &Exec::serial(),
                &t,
                m,
                Which::LargestReal,
                SchurMethod::Auto,
            )
            .unwrap_err()
            .kind()
        };
        assert_eq!((e(0), e(1), e(31)), ("range", "range", "range"));
    }
}
