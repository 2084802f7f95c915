//! Eigenpairs of small dense symmetric matrices, to full accuracy.
//!
//! The QR iteration of the linear-algebra crate now and then leaves a pair of
//! vectors mixed; plane rotations (Jacobi 1846) of what it leaves off the diagonal
//! put that right, and take over where it does not end.

use crate::error::{CoreError, Result};
use nalgebra::{DMatrix, SymmetricEigen};

/// Sweeps of rotations at most; they converge quadratically.
const SWEEPS: usize = 60;

/// Eigenvalues, largest first, and their vectors as columns. O(n^3).
///
/// # Errors
/// `not_converged`, for matrices that are not finite above all.
pub(crate) fn symmetric(m: DMatrix<f64>) -> Result<(Vec<f64>, DMatrix<f64>)> {
    let n = m.nrows();
    let start = SymmetricEigen::try_new(m.clone(), f64::EPSILON, 200 * n.max(1));
    let mut v = match start {
        Some(e) if e.eigenvectors.iter().all(|x| x.is_finite()) => e.eigenvectors,
        _ => DMatrix::identity(n, n),
    };
    let mut b = within(&m, &v);
    rotate_away(&mut b, &mut v)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| b[(j, j)].total_cmp(&b[(i, i)]).then(i.cmp(&j)));
    let values = order.iter().map(|&i| b[(i, i)]).collect();
    Ok((values, v.select_columns(&order)))
}

/// `v' m v`, summed in a fixed order.
fn within(m: &DMatrix<f64>, v: &DMatrix<f64>) -> DMatrix<f64> {
    let n = m.nrows();
    let mut product = DMatrix::from_element(n, n, 0.0);
    for c in 0..n {
        let mut out = product.column_mut(c);
        for k in 0..n {
            let x = v[(k, c)];
            let column = m.column(k);
            for (o, a) in out.iter_mut().zip(column.iter()) {
                *o += x * a;
            }
        }
    }
    let dot = |i: usize, j: usize| {
        let pairs = v.column(i);
        let image = product.column(j);
        pairs.iter().zip(image.iter()).map(|(a, b)| a * b).sum()
    };
    let b: DMatrix<f64> = DMatrix::from_fn(n, n, dot);
    DMatrix::from_fn(n, n, |i, j| 0.5 * (b[(i, j)] + b[(j, i)]))
}

/// Rotates until nothing but rounding is left off the diagonal.
fn rotate_away(b: &mut DMatrix<f64>, v: &mut DMatrix<f64>) -> Result<()> {
    let n = b.nrows();
    let size = b.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let rounding = 2.0 * f64::EPSILON * size * (n as f64).sqrt();
    let mut left = f64::NAN;
    for _ in 0..SWEEPS {
        left = 0.0f64;
        for p in 0..n {
            for q in p + 1..n {
                let off = b[(p, q)];
                // Also when it is not a number.
                if off.is_nan() || off.abs() > rounding {
                    left = if off.is_nan() {
                        off
                    } else {
                        left.max(off.abs())
                    };
                    rotate(b, v, p, q);
                }
            }
        }
        if left == 0.0 {
            return Ok(());
        }
        if left.is_nan() {
            break;
        }
    }
    Err(CoreError::NotConverged {
        what: "a dense eigenvalue problem".into(),
        iterations: SWEEPS,
        residual: left,
        tolerance: rounding,
    })
}

/// The plane rotation of p and q that makes their entry zero.
fn rotate(b: &mut DMatrix<f64>, v: &mut DMatrix<f64>, p: usize, q: usize) {
    let theta = (b[(q, q)] - b[(p, p)]) / (2.0 * b[(p, q)]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for k in 0..b.nrows() {
        let (x, y) = (b[(k, p)], b[(k, q)]);
        b[(k, p)] = c * x - s * y;
        b[(k, q)] = s * x + c * y;
    }
    for k in 0..b.nrows() {
        let (x, y) = (b[(p, k)], b[(q, k)]);
        b[(p, k)] = c * x - s * y;
        b[(q, k)] = s * x + c * y;
        let (x, y) = (v[(k, p)], v[(k, q)]);
        v[(k, p)] = c * x - s * y;
        v[(k, q)] = s * x + c * y;
    }
    b[(p, q)] = 0.0;
    b[(q, p)] = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn check(m: &DMatrix<f64>) {
        let (values, v) = symmetric(m.clone()).unwrap();
        for (c, l) in values.iter().enumerate() {
            let r = m * v.column(c) - v.column(c) * *l;
            assert!(r.norm() < 1e-13 * (1.0 + m.norm()), "{c} {}", r.norm());
            assert!(c == 0 || values[c - 1] >= *l);
        }
        let gram = v.transpose() * &v;
        assert!((gram - DMatrix::identity(m.nrows(), m.nrows())).amax() < 1e-13);
    }

    #[test]
    fn residuals_are_rounding() {
        for n in [1, 2, 7, 20, 60] {
            let draw = |i: usize, j: usize| {
                Stream::new(1, n as u64, i.min(j) as u64, i.max(j) as u64).normal()
            };
            check(&DMatrix::from_fn(n, n, draw));
        }
        // Bands, and blocks with the same values several times.
        check(&DMatrix::from_fn(30, 30, |i, j| {
            f64::from(u8::from(i.abs_diff(j) == 1))
        }));
        let block = |i: usize, j: usize| {
            let near = i / 10 == j / 10 && i.abs_diff(j) <= 4 && i != j;
            if near {
                0.25 / i.abs_diff(j) as f64
            } else {
                0.0
            }
        };
        check(&DMatrix::from_fn(30, 30, block));
        check(&DMatrix::identity(5, 5));
        let bad = DMatrix::from_element(3, 3, f64::NAN);
        assert!(symmetric(bad).is_err());
    }
}
