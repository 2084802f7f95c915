//! Leading eigenvectors of a large symmetric matrix: the slow directions of a graph.
//!
//! A diffusion on a graph of cells forgets where it started, first the fine detail
//! and last the broad layout of the data; the eigenvectors with the largest
//! eigenvalues are what it forgets last. They are found by a block Lanczos process
//! (`lanczos_search.rs`); small matrices are solved densely. Eigenvectors known
//! beforehand are projected out.
//!
//! Every pair is certified by its residual `|A v - l v|`, which bounds the error of
//! the eigenvalue; the error of the vector is at most the residual over the distance
//! to the next eigenvalue.

use super::lanczos_dense::symmetric;
use super::lanczos_panel::K;
use super::lanczos_search::{search, Found};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::sparse::csr::{row, Csr};
use nalgebra::DMatrix;
use ndarray::Array2;

/// Which end of the spectrum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The largest eigenvalues.
    LargestAlgebraic,
    /// The largest in absolute value; of equal ones the positive come first.
    LargestMagnitude,
}

/// Eigenvectors known beforehand: one per piece of the graph, zero outside it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The piece of every cell.
    pub piece: &'a [u32],
    /// Entry of every cell; those of a piece have length one.
    pub weight: &'a [f64],
    /// Number of pieces.
    pub count: usize,
}

/// The symmetric matrix `S M S`: a graph between the entries of a diagonal matrix.
#[derive(Debug, Clone, Copy)]
pub struct ScaledGraph<'a, N> {
    /// M, symmetric.
    pub graph: &'a Csr<N>,
    /// The diagonal of S, positive.
    pub scale: &'a [f64],
}

/// What to look for and how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EigenOptions {
    /// Eigenpairs wanted, without the known ones; at most cells less known ones.
    pub wanted: usize,
    /// Which of them.
    pub which: Which,
    /// Residual at which a pair counts as found.
    pub tolerance: f64,
    /// Products of the matrix with one vector, at most.
    pub products: usize,
    /// Key of the random start.
    pub seed: u64,
}

/// Eigenpairs by falling eigenvalue.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigenpairs {
    pub values: Vec<f64>,
    /// Cells x pairs, orthonormal; the largest entry of each (the first, on ties)
    /// is positive.
    pub vectors: Array2<f64>,
    /// `|A v - l v|` of each.
    pub residuals: Vec<f64>,
    /// Whether each residual is within the tolerance.
    pub converged: Vec<bool>,
    /// Products of the matrix with a vector; 0 when solved densely.
    pub products: usize,
}

/// Matrices up to this size are solved densely.
pub const DENSE: usize = 500;

/// Leading eigenpairs of a symmetric matrix with all eigenvalues in [-1, 1], such as
/// a normalised graph. O(products * entries) time, about 8 (2 wanted + 48) bytes per
/// cell; up to [`DENSE`] cells densely, O(n^3).
///
/// Pairs that are not found within the number of products are returned as they are,
/// with `converged` false. Same bits on any number of threads.
///
/// # Errors
/// `range` when entries are not finite or more pairs are wanted than exist,
/// `not_converged` when a small dense problem fails, `memory`, `interrupted`.
pub fn leading_eigenpairs<N>(
    exec: &Exec,
    matrix: ScaledGraph<'_, N>,
    known: Option<Known<'_>>,
    options: &EigenOptions,
) -> Result<Eigenpairs>
where
    N: Copy + Into<f64> + Send + Sync,
{
    let n = matrix.scale.len();
    check(matrix, known, options)?;
    // Also when nearly all are wanted: the search needs room to be better.
    if n <= DENSE || 2 * options.wanted + 12 * K >= n {
        return dense(exec, matrix, known, options);
    }
    let upper = search(exec, matrix, 1.0, known, options)?;
    let found = match options.which {
        Which::LargestAlgebraic => upper,
        Which::LargestMagnitude => {
            let least = upper.values.last().copied().unwrap_or(1.0);
            let rough = EigenOptions {
                wanted: 1,
                // Roughly where the lower end is decides whether it counts.
                tolerance: options.tolerance.max(0.1 * least.abs()),
                ..*options
            };
            let lowest = search(exec, matrix, -1.0, known, &rough)?;
            let bound = lowest.values[0] + 3.0 * lowest.residuals[0];
            let mut spent = upper.products + lowest.products;
            let mut both = upper;
            if bound >= least {
                let lower = search(exec, matrix, -1.0, known, options)?;
                spent += lower.products;
                both = by_magnitude(both, lower, options.wanted);
            }
            both.products = spent;
            both
        }
    };
    finish(exec, n, found, options)
}

fn check<N>(
    matrix: ScaledGraph<'_, N>,
    known: Option<Known<'_>>,
    options: &EigenOptions,
) -> Result<()>
where
    N: Copy + Into<f64>,
{
    let n = matrix.scale.len();
    debug_assert_eq!((n, n), (matrix.graph.rows(), matrix.graph.cols()));
    let rest = n.saturating_sub(known.map_or(0, |k| k.count));
    if options.wanted > rest {
        return Err(CoreError::Range {
            what: "the number of eigenvectors".into(),
            value: options.wanted as f64,
            allowed: format!("at most {rest}"),
        });
    }
    let finite = |v: f64| v.is_finite();
    let bad = |i: &usize| {
        let scale = matrix.scale[*i];
        let values = row(matrix.graph, *i).1;
        !(finite(scale) && scale > 0.0 && values.iter().all(|&v| finite(v.into())))
    };
    let cells: Vec<usize> = (0..n).filter(bad).collect();
    if cells.is_empty() {
        return Ok(());
    }
    Err(CoreError::NotFinite {
        what: "the graph".into(),
        count: cells.len(),
        cells: cells.into_iter().take(crate::error::SHOWN).collect(),
    })
}

fn dense<N>(
    exec: &Exec,
    matrix: ScaledGraph<'_, N>,
    known: Option<Known<'_>>,
    options: &EigenOptions,
) -> Result<Eigenpairs>
where
    N: Copy + Into<f64> + Send + Sync,
{
    let n = matrix.scale.len();
    let mut m = DMatrix::from_element(n, n, 0.0);
    for i in 0..n {
        let (cols, values) = row(matrix.graph, i);
        for (&c, &v) in cols.iter().zip(values) {
            let factor = matrix.scale[i] * matrix.scale[c as usize];
            m[(i, c as usize)] = v.into() * factor;
        }
    }
    let skip = known.map_or(0, |k| k.count);
    if let Some(k) = known {
        // Moves the known eigenvalues, at most one, below all others.
        for i in 0..n {
            for j in 0..n {
                if k.piece[i] == k.piece[j] {
                    m[(i, j)] -= 4.0 * k.weight[i] * k.weight[j];
                }
            }
        }
    }
    let (values, vectors) = symmetric(m)?;
    let mut order: Vec<usize> = (0..n - skip).collect();
    if options.which == Which::LargestMagnitude {
        order.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()).then(a.cmp(&b)));
    }
    order.truncate(options.wanted);
    order.sort_unstable();
    let mut found = Found {
        values: order.iter().map(|&c| values[c]).collect(),
        vectors: vec![],
        residuals: vec![],
        products: 0,
    };
    for &c in &order {
        let v: Vec<f64> = vectors.column(c).iter().copied().collect();
        let mut square = 0.0;
        for i in 0..n {
            // Without the shift of the known ones: they are orthogonal to the rest.
            let (cols, entries) = row(matrix.graph, i);
            let product = cols.iter().zip(entries);
            let product =
                product.map(|(&c, &a)| a.into() * matrix.scale[c as usize] * v[c as usize]);
            let r = matrix.scale[i] * product.sum::<f64>() - values[c] * v[i];
            square += r * r;
        }
        found.residuals.push(square.sqrt());
        found.vectors.push(v);
    }
    finish(exec, n, found, options)
}

/// Pairs of both ends, the largest in absolute value; signs of `lower` are turned.
fn by_magnitude(upper: Found, lower: Found, wanted: usize) -> Found {
    let turned = lower.values.iter().map(|v| -v);
    let values: Vec<f64> = upper.values.iter().copied().chain(turned).collect();
    let residuals = [upper.residuals, lower.residuals].concat();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()).then(a.cmp(&b)));
    order.truncate(wanted);
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    let mut vectors: Vec<_> = upper.vectors.into_iter().chain(lower.vectors).collect();
    Found {
        values: order.iter().map(|&i| values[i]).collect(),
        vectors: order
            .iter()
            .map(|&i| std::mem::take(&mut vectors[i]))
            .collect(),
        residuals: order.iter().map(|&i| residuals[i]).collect(),
        products: 0,
    }
}

/// Signs, and vectors side by side.
fn finish(exec: &Exec, n: usize, found: Found, options: &EigenOptions) -> Result<Eigenpairs> {
    exec.check()?;
    let k = found.vectors.len();
    let mut data = try_filled(n * k, 0.0, "the eigenvectors")?;
    for (c, v) in found.vectors.iter().enumerate() {
        let sign = sign_of(v);
        for (i, &v) in v.iter().enumerate() {
            data[i * k + c] = sign * v;
        }
    }
    let converged = found.residuals.iter().map(|&r| r <= options.tolerance);
    Ok(Eigenpairs {
        converged: converged.collect(),
        values: found.values,
        // The length is n * k by construction.
        vectors: Array2::from_shape_vec((n, k), data).unwrap_or_default(),
        residuals: found.residuals,
        products: found.products,
    })
}

/// The factor that makes the largest entry (the first, on ties) positive.
pub(crate) fn sign_of(v: &[f64]) -> f64 {
    let largest = v
        .iter()
        .fold(0.0f64, |m, &v| if v.abs() > m.abs() { v } else { m });
    if largest < 0.0 {
        -1.0
    } else {
        1.0
    }
}
