//! Diffusion maps: cells by how a random walk on their graph forgets them.
//!
//! A walk on the graph first equalises between close neighbours and last between
//! the branches of the data; its slow modes are coordinates along those branches
//! (Coifman & Lafon 2006, Appl. Comput. Harmon. Anal. 21, 5). Dense regions would
//! hold the walk back, so weights are first divided by the density at both ends:
//! with q the column sums of K and `Q_ij = K_ij / (q_i q_j)`, z^2 the row sums of Q,
//! the walk is `T = diag(1/z^2) Q` and the modes are the eigenvectors of the
//! symmetric `T_sym = diag(1/z) Q diag(1/z)`, from which those of T are got by
//! dividing by z (Haghverdi et al. 2016, Nat. Methods 13, 845).
//!
//! The largest eigenvalue is one, once per connected component, with z restricted to
//! the component as vector: these are known and not searched for.

use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::graph::components::components;
pub use crate::linalg::lanczos::Which;
use crate::linalg::lanczos::{leading_eigenpairs, EigenOptions, Known, ScaledGraph};
use crate::sparse::csr::{row, Csr};
use crate::sparse::ops;
use ndarray::Array2;

/// Parameters of a diffusion map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiffusionOptions {
    /// Eigenvectors to return, those of eigenvalue one included; at least 3, and at
    /// most cells less one are computed.
    pub n_comps: usize,
    /// By size or by absolute size.
    pub which: Which,
    /// Key of the random start of the search.
    pub seed: u64,
    /// Residual `|T_sym v - l v|` at which an eigenvector counts as found.
    pub tol: f64,
}

impl Default for DiffusionOptions {
    fn default() -> DiffusionOptions {
        DiffusionOptions {
            n_comps: 15,
            which: Which::LargestMagnitude,
            seed: 0,
            tol: 1e-10,
        }
    }
}

/// What [`diffusion_map`] returns; pairs by falling eigenvalue.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffusionMap {
    pub values: Vec<f64>,
    /// Cells x pairs: orthonormal eigenvectors of `T_sym`; the largest entry of each
    /// (the first, on ties) is positive.
    pub vectors: Array2<f64>,
    /// The factor of every cell between the eigenvectors of `T_sym` and of T.
    pub z: Vec<f64>,
    /// `|T_sym v - l v|` of each pair.
    pub residuals: Vec<f64>,
    /// Products of the matrix with a vector; 0 when solved densely.
    pub products: usize,
    /// Connected components of the graph: the first that many eigenvalues are one,
    /// as far as they are among those wanted.
    pub components: usize,
}

/// Entries of K and of its transpose may differ by this, relative to the norm of K.
const SYMMETRY: f64 = 1e-12;
/// Products with one vector at most, per eigenvector wanted.
const PRODUCTS: usize = 5000;

/// Diffusion map of a symmetric graph with positive weights. Time: some hundred
/// passes over the graph; memory: about `8 (2 n_comps + 48)` bytes per cell. The
/// same bits on any number of threads.
///
/// # Errors
/// `range` for fewer than 3 components, negative weights and weights that are not
/// finite, `disconnected` for cells without neighbours, `shape` for a matrix that is
/// not square, `not_symmetric`, `not_converged` (says how many were found),
/// `memory`, `interrupted`.
pub fn diffusion_map(exec: &Exec, conn: &Csr, options: &DiffusionOptions) -> Result<DiffusionMap> {
    let n = conn.rows();
    check(exec, conn, options)?;
    let (scale, z) = density_scale(exec, conn)?;
    let (piece, count) = components(conn);
    let n_comps = options.n_comps.min(n.saturating_sub(1));
    let known = count.min(n_comps);
    let weight = unit_pieces(&z, &piece, count);
    let search = EigenOptions {
        wanted: n_comps - known,
        which: options.which,
        tolerance: options.tol,
        products: PRODUCTS * n_comps,
        seed: options.seed,
    };
    let matrix = ScaledGraph {
        graph: conn,
        scale: &scale,
    };
    let vectors_known = Known {
        piece: &piece,
        weight: &weight,
        count,
    };
    let rest = if search.wanted > 0 {
        Some(leading_eigenpairs(
            exec,
            matrix,
            Some(vectors_known),
            &search,
        )?)
    } else {
        None
    };
    let mut map = DiffusionMap {
        values: vec![1.0; known],
        vectors: Array2::default((0, 0)),
        z,
        residuals: stationary_residuals(&matrix, &vectors_known, known),
        products: 0,
        components: count,
    };
    if let Some(rest) = &rest {
        let found = rest.converged.iter().filter(|&&c| c).count();
        if found < search.wanted {
            return Err(CoreError::NotConverged {
                what: format!(
                    "the diffusion map ({} of {n_comps} eigenvectors found)",
                    known + found
                ),
                iterations: rest.products,
                residual: rest.residuals.iter().fold(0.0f64, |m, &r| m.max(r)),
                tolerance: options.tol,
            });
        }
        map.values.extend(&rest.values);
        map.residuals.extend(&rest.residuals);
        map.products = rest.products;
    }
    let mut vectors = try_filled(n * n_comps, 0.0, "the diffusion map")?;
    for (i, out) in vectors.chunks_exact_mut(n_comps).enumerate() {
        if let Some(first) = out[..known].get_mut(piece[i] as usize) {
            *first = weight[i];
        }
        if let Some(rest) = &rest {
            for (out, v) in out[known..].iter_mut().zip(rest.vectors.row(i)) {
                *out = *v;
            }
        }
    }
    // The length is n * n_comps by construction.
    map.vectors = Array2::from_shape_vec((n, n_comps), vectors).unwrap_or_default();
    Ok(map)
}

fn check(exec: &Exec, conn: &Csr, options: &DiffusionOptions) -> Result<()> {
    let n = conn.rows();
    if conn.cols() != n {
        return Err(CoreError::Shape {
            what: "the graph".into(),
            expected: n,
            found: conn.cols(),
        });
    }
    if options.n_comps < 3 {
        return Err(CoreError::Range {
            what: "n_comps".into(),
            value: options.n_comps as f64,
            allowed: "at least 3".into(),
        });
    }
    let bad = |i: &usize| row(conn, *i).1.iter().any(|v| !v.is_finite());
    let cells: Vec<usize> = (0..n).filter(bad).collect();
    if !cells.is_empty() {
        return Err(CoreError::NotFinite {
            what: "the graph".into(),
            count: cells.len(),
            cells: cells.into_iter().take(SHOWN).collect(),
        });
    }
    let below = |i: &usize| row(conn, *i).1.iter().any(|&v| v < 0.0);
    let count = conn.data().iter().filter(|&&v| v < 0.0).count();
    if count > 0 {
        return Err(CoreError::NegativeWeights {
            count,
            cells: (0..n).filter(below).take(SHOWN).collect(),
        });
    }
    ops::require_symmetric(exec, conn, "the graph", SYMMETRY)?;
    let none = |i: &usize| row(conn, *i).1.iter().all(|&v| v == 0.0);
    let isolated: Vec<usize> = (0..n).filter(none).collect();
    if isolated.is_empty() {
        return Ok(());
    }
    Err(CoreError::Isolated {
        count: isolated.len(),
        cells: isolated.into_iter().take(SHOWN).collect(),
    })
}

/// `1 / (q z)`, which scales K to `T_sym` from both sides, and z.
pub(super) fn density_scale(exec: &Exec, conn: &Csr) -> Result<(Vec<f64>, Vec<f64>)> {
    let n = conn.rows();
    // The graph is symmetric, so row sums are column sums.
    let mut scale = ops::row_sums(exec, conn)?;
    let q = &scale;
    let mut z = try_filled(n, 0.0, "the density of the cells")?;
    exec.chunks_mut(&mut z, ops::ROWS, |start, piece| {
        for (k, z) in piece.iter_mut().enumerate() {
            let i = start + k;
            let (cols, values) = row(conn, i);
            let entries = cols.iter().zip(values);
            let sum: f64 = entries.map(|(&j, v)| v / (q[i] * q[j as usize])).sum();
            *z = sum.sqrt();
        }
    })?;
    for (s, z) in scale.iter_mut().zip(&z) {
        *s = 1.0 / (*s * z);
    }
    Ok((scale, z))
}

/// z with length one within every piece.
fn unit_pieces(z: &[f64], piece: &[u32], count: usize) -> Vec<f64> {
    let mut square = vec![0.0; count];
    for (&p, z) in piece.iter().zip(z) {
        square[p as usize] += z * z;
    }
    let entries = piece.iter().zip(z);
    entries
        .map(|(&p, z)| z / square[p as usize].sqrt())
        .collect()
}

/// `|T_sym v - v|` of the known eigenvectors: rounding, measured all the same.
fn stationary_residuals(
    matrix: &ScaledGraph<'_, f64>,
    known: &Known<'_>,
    count: usize,
) -> Vec<f64> {
    let mut square = vec![0.0; known.count];
    for (i, &p) in known.piece.iter().enumerate() {
        let (cols, values) = row(matrix.graph, i);
        let entry = |(&j, v): (&u32, &f64)| v * matrix.scale[j as usize] * known.weight[j as usize];
        let sum: f64 = cols.iter().zip(values).map(entry).sum();
        let r = matrix.scale[i] * sum - known.weight[i];
        square[p as usize] += r * r;
    }
    square.truncate(count);
    square.into_iter().map(f64::sqrt).collect()
}
