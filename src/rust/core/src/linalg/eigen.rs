//! Eigenvalues of a chain with the vectors on both sides.
//!
//! A right eigenvector `T x = l x` is a pattern over cells that a step of the chain
//! shrinks by the factor l; a left one `T' y = l y` says how a cloud of cells spreads
//! along it. Both come from the sorted partial Schur form of their own matrix, each
//! ordered by its own eigenvalues. The condition number `1 / |y' x|` of unit vectors
//! says by how much an error of the chain moves the eigenvalue (Golub & Van Loan,
//! *Matrix Computations*, section 7.2).

use super::basis::random_vector;
use super::krylov_schur::{partial_schur_with, Iteration};
use super::partial_schur::{dense_schur, PartialSchur};
use super::reorder::Which;
use super::schur::{block_size, eigenvalues};
use crate::error::Result;
use crate::exec::Exec;
use crate::sparse::csr::transpose;
use crate::sparse::{ops, Csr};
use nalgebra::{Complex, DMatrix};
use ndarray::Array2;

/// Up to this many cells the dense decomposition is the quick one.
const DENSE: usize = 500;

/// Residual asked of the iteration.
const TOLERANCE: f64 = 1e-12;

/// Restarts of the iteration before it gives up.
const RESTARTS: usize = 1000;

/// Eigenvalues of the two sides this close to each other are the same; closer on one
/// side they are repeated, and have no condition number.
const SAME: f64 = 1e-8;

/// Eigenpairs of one side, by descending real part, of a pair the one with positive
/// imaginary part first.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    pub values: Vec<Complex<f64>>,
    /// Cells x values, columns of length one; the entry of largest size (the first, on
    /// ties) is real and positive.
    pub vectors: Array2<Complex<f64>>,
    /// `|A v - l v|` over the largest size of an eigenvalue.
    pub residuals: Vec<f64>,
    pub products: usize,
}

/// Both sides of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigen {
    pub right: Side,
    /// `None` when only eigenvalues were asked for.
    pub left: Option<Side>,
    /// `1 / |y' x|` of every right eigenvalue; NaN for repeated ones, and without the
    /// left side.
    pub conditions: Vec<f64>,
    /// Whether the dense decomposition was used.
    pub dense: bool,
}

/// What to compute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EigenOptions {
    /// Number of eigenvalues; one more where the last would cut a complex pair.
    pub count: usize,
    /// By what they are chosen.
    pub which: Which,
    /// Whether the vectors of the left side are left out.
    pub only_values: bool,
    /// Columns of the Krylov subspace, `None` for the usual number.
    pub columns: Option<usize>,
}

/// Leading eigenpairs of `t` (n x n). Twice the cost of
/// [`super::krylov_schur::partial_schur`], or O(n^3) up to 500 cells.
///
/// # Errors
/// Those of [`super::krylov_schur::partial_schur`].
pub fn eigen(exec: &Exec, t: &Csr, options: &EigenOptions) -> Result<Eigen> {
    let (right, dense) = side(exec, t, options)?;
    if options.only_values {
        let conditions = vec![f64::NAN; right.values.len()];
        return Ok(Eigen {
            right,
            left: None,
            conditions,
            dense,
        });
    }
    let reversed = transpose(exec, t)?;
    let (left, _) = side(exec, &reversed, options)?;
    let conditions = conditions(&right, &left);
    Ok(Eigen {
        right,
        left: Some(left),
        conditions,
        dense,
    })
}

fn side(exec: &Exec, a: &Csr, options: &EigenOptions) -> Result<(Side, bool)> {
    let dense = a.rows() <= DENSE;
    let schur = if dense {
        dense_schur(exec, a, options.count, options.which)?
    } else {
        let mut start = random_vector(a.rows(), 0)?;
        start.iter_mut().for_each(|v| *v += 1.0);
        let how = Iteration {
            which: options.which,
            tolerance: TOLERANCE,
            max_restarts: RESTARTS,
            columns: options.columns,
        };
        partial_schur_with(exec, a, &start, options.count, &how)?
    };
    Ok((pairs(exec, a, &schur)?, dense))
}

/// Eigenpairs from a Schur form. O(entries m + n m^2).
fn pairs(exec: &Exec, a: &Csr, schur: &PartialSchur) -> Result<Side> {
    let m = schur.eigenvalues.len();
    let r = DMatrix::from_fn(m, m, |i, j| schur.matrix[(i, j)]);
    let inner = triangular_vectors(&r);
    let mut values = eigenvalues(&r);
    let mut order: Vec<usize> = (0..m).collect();
    // Stable: of a pair the positive imaginary part stays first.
    order.sort_by(|&i, &j| values[j].re.total_cmp(&values[i].re));
    let q = &schur.vectors;
    // Real and imaginary parts of vector k in columns 2 k and 2 k + 1.
    let weights = Array2::from_shape_fn((m, 2 * m), |(i, c)| {
        let v = inner[(i, order[c / 2])];
        if c % 2 == 0 {
            v.re
        } else {
            v.im
        }
    });
    let mut parts = q.dot(&weights);
    values = order.iter().map(|&i| values[i]).collect();
    for k in 0..m {
        turn(&mut parts, k);
    }
    let product = ops::mat_mat(exec, a, parts.view())?;
    let size = values
        .iter()
        .fold(0.0f64, |s, v| s.max(v.norm_sqr()))
        .sqrt();
    let residuals = (0..m)
        .map(|k| {
            let mut sum = 0.0;
            for (x, y) in parts.rows().into_iter().zip(product.rows()) {
                let x = Complex::new(x[2 * k], x[2 * k + 1]);
                let y = Complex::new(y[2 * k], y[2 * k + 1]);
                sum += (y - values[k] * x).norm_sqr();
            }
            sum.sqrt() / size.max(f64::MIN_POSITIVE)
        })
        .collect();
    let vectors = Array2::from_shape_fn((q.nrows(), m), |(i, k)| {
        Complex::new(parts[(i, 2 * k)], parts[(i, 2 * k + 1)])
    });
    Ok(Side {
        values,
        vectors,
        residuals,
        products: schur.products,
    })
}

/// Unit eigenvectors of a quasi-triangular matrix in standard form, by back
/// substitution in its complex triangular form. O(m^3).
fn triangular_vectors(r: &DMatrix<f64>) -> DMatrix<Complex<f64>> {
    let m = r.nrows();
    let (t, z) = complex_form(r);
    let least = f64::EPSILON * r.norm().max(f64::MIN_POSITIVE);
    let mut out = DMatrix::from_element(m, m, Complex::new(0.0, 0.0));
    for j in 0..m {
        let value = t[(j, j)];
        let mut y = vec![Complex::new(0.0, 0.0); m];
        y[j] = Complex::new(1.0, 0.0);
        for i in (0..j).rev() {
            let along: Complex<f64> = (i + 1..=j).map(|k| t[(i, k)] * y[k]).sum();
            let mut pivot = t[(i, i)] - value;
            // A repeated eigenvalue: any small pivot gives a vector of its space.
            if pivot.norm_sqr() < least * least {
                pivot = Complex::new(least, 0.0);
            }
            y[i] = -along / pivot;
            // Keeps the vector in range while it grows.
            let largest = y[i].norm_sqr().sqrt();
            if largest > 1e100 {
                y.iter_mut().for_each(|v| *v /= largest);
            }
        }
        let norm = y.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
        for i in 0..m {
            let v: Complex<f64> = (0..m).map(|k| z[(i, k)] * y[k]).sum();
            out[(i, j)] = v / norm;
        }
    }
    out
}

/// The complex triangular form `r = z t z*` of a quasi-triangular matrix.
fn complex_form(r: &DMatrix<f64>) -> (DMatrix<Complex<f64>>, DMatrix<Complex<f64>>) {
    let m = r.nrows();
    let mut t = r.map(|v| Complex::new(v, 0.0));
    let mut z = DMatrix::from_fn(m, m, |i, j| Complex::new(f64::from(u8::from(i == j)), 0.0));
    let mut p = 0;
    while p < m {
        if block_size(r, p) == 1 {
            p += 1;
            continue;
        }
        let (b, c) = (r[(p, p + 1)], r[(p + 1, p)]);
        let w = b.abs().sqrt() * c.abs().sqrt();
        // The eigenvector (b, i w) of the value with positive imaginary part.
        let norm = (b * b + w * w).sqrt();
        let (u, v) = (Complex::new(b / norm, 0.0), Complex::new(0.0, w / norm));
        for i in 0..m {
            let (x, y) = (t[(i, p)], t[(i, p + 1)]);
            t[(i, p)] = x * u + y * v;
            t[(i, p + 1)] = -x * v.conj() + y * u.conj();
            let (x, y) = (z[(i, p)], z[(i, p + 1)]);
            z[(i, p)] = x * u + y * v;
            z[(i, p + 1)] = -x * v.conj() + y * u.conj();
        }
        for j in 0..m {
            let (x, y) = (t[(p, j)], t[(p + 1, j)]);
            t[(p, j)] = x * u.conj() + y * v.conj();
            t[(p + 1, j)] = -x * v + y * u;
        }
        t[(p + 1, p)] = Complex::new(0.0, 0.0);
        p += 2;
    }
    (t, z)
}

/// Turns vector `k` so that its entry of largest size is real and positive, and gives
/// it length one.
fn turn(parts: &mut Array2<f64>, k: usize) {
    let (re, im) = (2 * k, 2 * k + 1);
    let (mut largest, mut sum) = (Complex::new(0.0, 0.0), 0.0);
    let mut square = 0.0;
    for row in parts.rows() {
        let v = Complex::new(row[re], row[im]);
        let s = v.norm_sqr();
        sum += s;
        // Entries equal but for rounding must not decide the phase.
        if s > square * (1.0 + 1e-9) {
            (largest, square) = (v, s);
        }
    }
    let scale = sum.sqrt().max(f64::MIN_POSITIVE);
    let phase = if square > 0.0 {
        largest.conj() / square.sqrt() / scale
    } else {
        Complex::new(1.0 / scale, 0.0)
    };
    for mut row in parts.rows_mut() {
        let v = Complex::new(row[re], row[im]) * phase;
        row[re] = v.re;
        row[im] = v.im;
    }
}

fn conditions(right: &Side, left: &Side) -> Vec<f64> {
    let near = |a: Complex<f64>, b: Complex<f64>| (a - b).norm_sqr() < SAME * SAME;
    right
        .values
        .iter()
        .enumerate()
        .map(|(k, &value)| {
            let partners: Vec<usize> = (0..left.values.len())
                .filter(|&j| near(left.values[j], value))
                .collect();
            let copies = right.values.iter().filter(|&&v| near(v, value)).count();
            let ([j], 1) = (partners.as_slice(), copies) else {
                return f64::NAN;
            };
            let along: Complex<f64> = left
                .vectors
                .column(*j)
                .iter()
                .zip(right.vectors.column(k))
                .map(|(y, x)| y * x)
                .sum();
            1.0 / along.norm_sqr().sqrt()
        })
        .collect()
}
