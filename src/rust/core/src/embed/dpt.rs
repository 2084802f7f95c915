//! How far each cell has come from a root (diffusion pseudotime: Haghverdi et al.
//! 2016).
//!
//! Two cells are close when random walks that start in them visit the same places.
//! With the eigenpairs `(lambda, psi)` of the walk on the neighbour graph, walks of
//! all lengths together give the squared distance
//!
//! ```text
//! d^2(i, j) = sum over lambda < 0.9994  (lambda / (1 - lambda))^2 (psi_i - psi_j)^2
//!           + sum over lambda >= 0.9994                           (psi_i - psi_j)^2
//! ```
//!
//! and the pseudotime of a cell is its distance from the root over the largest one.
//! A walk never reaches another connected component, so cells there are infinitely
//! far away. `psi` are the eigenvectors of the symmetric walk; divided by `z`, the
//! root of its stationary distribution, they become the right eigenvectors of the
//! row-stochastic walk, the textbook diffusion map ([`Basis::Right`]).

use super::diffusion::density_scale;
use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::{Exec, CHUNK};
use crate::sparse::csr::Csr;
use crate::sparse::ops::{mat_vec, require_symmetric, row_sums};
use ndarray::ArrayView2;

/// Eigenvalues from here on count as one, where `lambda / (1 - lambda)` loses sense.
const STEADY: f64 = 0.9994;
/// Distances below this share of the largest coordinate are rounding errors.
const NOISE: f64 = 1e-8;
/// What graphs that went through single precision may differ by from their transpose,
/// as a share of their norm.
const SYMMETRY: f64 = 1e-6;

/// Which eigenvectors measure distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Of the symmetric walk, as stored.
    Symmetric,
    /// Of the row-stochastic walk: divided by z.
    Right,
}

/// A diffusion map: eigenvalues, eigenvectors of the symmetric walk (cells x
/// components), z, and the connected component of every cell.
#[derive(Debug, Clone, Copy)]
pub struct Spectrum<'a> {
    pub values: &'a [f64],
    pub vectors: ArrayView2<'a, f64>,
    pub z: &'a [f64],
    pub components: &'a [u32],
}

impl Spectrum<'_> {
    /// Refuses parts that do not fit together or are not finite.
    pub(super) fn check(&self) -> Result<()> {
        let n = self.vectors.nrows();
        for (what, expected, found) in [
            ("eigenvalues", self.vectors.ncols(), self.values.len()),
            ("z", n, self.z.len()),
            ("the components of the graph", n, self.components.len()),
        ] {
            if expected != found {
                return Err(CoreError::Shape {
                    what: what.into(),
                    expected,
                    found,
                });
            }
        }
        let bad = |i: &usize| {
            let steady = self.z[*i].is_finite() && self.z[*i] > 0.0;
            !steady || self.vectors.row(*i).iter().any(|v| !v.is_finite())
        };
        let cells: Vec<usize> = (0..n).filter(bad).collect();
        let count = cells.len() + self.values.iter().filter(|v| !v.is_finite()).count();
        if count > 0 {
            return Err(CoreError::NotFinite {
                what: "the diffusion map".into(),
                count,
                cells: cells.into_iter().take(SHOWN).collect(),
            });
        }
        Ok(())
    }
}

/// The roots of the stationary distribution up to a factor: with column sums `q` of
/// the connectivities, `z_i = sqrt(sum_j K_ij / (q_i q_j))`. O(edges).
///
/// # Errors
/// `disconnected` for cells without a neighbour, `shape`, `range` (not symmetric),
/// `interrupted`.
pub fn stationary_root(exec: &Exec, conn: &Csr) -> Result<Vec<f64>> {
    let n = conn.rows();
    if conn.cols() != n {
        return Err(CoreError::Shape {
            what: "a graph".into(),
            expected: n,
            found: conn.cols(),
        });
    }
    let q = row_sums(exec, conn)?;
    let cells: Vec<usize> = (0..n).filter(|&i| q[i] <= 0.0).collect();
    if !cells.is_empty() {
        return Err(CoreError::Isolated {
            count: cells.len(),
            cells: cells.into_iter().take(SHOWN).collect(),
        });
    }
    require_symmetric(exec, conn, "the graph", SYMMETRY)?;
    Ok(density_scale(exec, conn)?.1)
}

/// Largest `|T psi - lambda psi| / |psi|` of the first `n_dcs` eigenpairs, where
/// `T_ij = K_ij / (q_i q_j z_i z_j)` is the symmetric walk on `conn`: near zero when
/// the map is one of this graph. O(edges n_dcs).
///
/// # Errors
/// `shape`, `range` as [`Diffusion::new`], `disconnected`, `interrupted`.
pub fn residual(exec: &Exec, conn: &Csr, spectrum: &Spectrum<'_>, n_dcs: usize) -> Result<f64> {
    spectrum.check()?;
    let n = spectrum.vectors.nrows();
    if conn.rows() != n {
        return Err(CoreError::Shape {
            what: "the graph of the diffusion map".into(),
            expected: n,
            found: conn.rows(),
        });
    }
    let q = row_sums(exec, conn)?;
    let scale: Vec<f64> = (0..n).map(|i| 1.0 / (q[i] * spectrum.z[i])).collect();
    let mut scaled = try_filled(n, 0.0, "a diffusion map")?;
    let mut out = try_filled(n, 0.0, "a diffusion map")?;
    let mut worst: f64 = 0.0;
    let columns = spectrum.vectors.columns().into_iter().zip(spectrum.values);
    for (v, value) in columns.take(n_dcs) {
        for (i, s) in scaled.iter_mut().enumerate() {
            *s = v[i] * scale[i];
        }
        mat_vec(exec, conn, &scaled, &mut out)?;
        let (mut off, mut size) = (0.0, 0.0);
        for i in 0..n {
            let d = out[i] * scale[i] - value * v[i];
            off += d * d;
            size += v[i] * v[i];
        }
        // A column of zeros is an eigenvector of nothing.
        worst = worst.max(if size > 0.0 { (off / size).sqrt() } else { 1.0 });
    }
    Ok(worst)
}

/// Points whose Euclidean distances are the diffusion distances.
#[derive(Debug, Clone)]
pub struct Diffusion {
    n: usize,
    width: usize,
    /// n x width, by rows.
    points: Vec<f64>,
    components: Vec<u32>,
}

impl Diffusion {
    /// The first `n_dcs` eigenpairs, each scaled by its weight in the distance.
    /// O(n n_dcs) time and memory.
    ///
    /// # Errors
    /// `shape` when parts do not fit, `range` for values that are not finite or more
    /// components than there are.
    pub fn new(spectrum: &Spectrum<'_>, n_dcs: usize, basis: Basis) -> Result<Diffusion> {
        spectrum.check()?;
        let (n, there) = spectrum.vectors.dim();
        if n_dcs == 0 || n_dcs > there {
            return Err(CoreError::Range {
                what: "the number of diffusion components".into(),
                value: n_dcs as f64,
                allowed: format!("1 to {there}"),
            });
        }
        let weights: Vec<f64> = spectrum.values[..n_dcs]
            .iter()
            .map(|&l| if l < STEADY { l / (1.0 - l) } else { 1.0 })
            .collect();
        let mut points = try_filled(n * n_dcs, 0.0, "diffusion coordinates")?;
        for (i, point) in points.chunks_exact_mut(n_dcs).enumerate() {
            let by = match basis {
                Basis::Symmetric => 1.0,
                Basis::Right => spectrum.z[i],
            };
            for (j, p) in point.iter_mut().enumerate() {
                *p = weights[j] * (spectrum.vectors[[i, j]] / by);
            }
        }
        Ok(Diffusion {
            n,
            width: n_dcs,
            points,
            components: spectrum.components.to_vec(),
        })
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.n
    }

    /// Cells of the component of the root, or of the largest one (ties: the first).
    pub(super) fn reachable(&self, root: Option<usize>) -> Result<Vec<usize>> {
        let components = &self.components;
        let home = match root {
            Some(root) => *components.get(root).ok_or_else(|| CoreError::Range {
                what: "the root".into(),
                value: root as f64,
                allowed: format!("a cell from 0 to {}", components.len().saturating_sub(1)),
            })?,
            None => {
                let most = components.iter().max().map_or(0, |&c| c as usize + 1);
                let mut sizes = try_filled(most, 0usize, "the cells of components")?;
                for &c in components {
                    sizes[c as usize] += 1;
                }
                let largest = sizes.iter().max().copied().unwrap_or(0);
                sizes.iter().position(|&s| s == largest).unwrap_or(0) as u32
            }
        };
        let at = |&i: &usize| components[i] == home;
        Ok((0..components.len()).filter(at).collect())
    }

    /// Distance of two cells; infinite between components.
    #[inline]
    pub fn distance(&self, i: usize, j: usize) -> f64 {
        if self.components[i] != self.components[j] {
            return f64::INFINITY;
        }
        let at = |i: usize| &self.points[i * self.width..(i + 1) * self.width];
        let mut sum = 0.0;
        for (a, b) in at(i).iter().zip(at(j)) {
            sum += (a - b) * (a - b);
        }
        sum.sqrt()
    }

    /// Distances from a cell to all. O(n n_dcs).
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn distances(&self, exec: &Exec, from: usize) -> Result<Vec<f64>> {
        let mut out = try_filled(self.n, 0.0, "diffusion distances")?;
        exec.chunks_mut(&mut out, CHUNK, |start, piece| {
            for (k, d) in piece.iter_mut().enumerate() {
                *d = self.distance(from, start + k);
            }
        })?;
        Ok(out)
    }
}

/// Pseudotime of every cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Pseudotime {
    /// In [0, 1], 0 at the root, 1 at the farthest cell; infinite where unreachable.
    pub values: Vec<f64>,
    /// Cells in other components than the root.
    pub unreachable: usize,
}

/// Distance from the root over the largest finite distance. O(n n_dcs), the same
/// bits on any number of threads.
///
/// # Errors
/// `range` for a root that is no cell, `no_state` when no cell is apart from the
/// root, `interrupted`.
pub fn pseudotime(exec: &Exec, diffusion: &Diffusion, root: usize) -> Result<Pseudotime> {
    if root >= diffusion.n {
        return Err(CoreError::Range {
            what: "the root".into(),
            value: root as f64,
            allowed: format!("a cell from 0 to {}", diffusion.n.saturating_sub(1)),
        });
    }
    let mut values = diffusion.distances(exec, root)?;
    let unreachable = values.iter().filter(|d| d.is_infinite()).count();
    let far = values
        .iter()
        .filter(|d| d.is_finite())
        .fold(0.0, |a: f64, &b| a.max(b));
    let size = diffusion
        .points
        .iter()
        .fold(0.0, |a: f64, b| a.max(b.abs()));
    if far <= NOISE * size {
        return Err(CoreError::NoState {
            reason: "all cells that can be reached are at distance 0 from the root".into(),
        });
    }
    for v in &mut values {
        *v /= far;
    }
    Ok(Pseudotime {
        values,
        unreachable,
    })
}

#[cfg(test)]
#[path = "dpt_tests.rs"]
mod tests;
