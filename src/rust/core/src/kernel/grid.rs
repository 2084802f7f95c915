//! The arrows of the cells, smoothed onto a regular grid.
//!
//! Arrows of single cells are many and noisy. At every point of a grid over the
//! embedding the nearest cells are averaged with Gaussian weights, so that the flow
//! of the tissue shows (section 1.15 of the fate-mapping rules). Where few cells
//! lie the weights are small and the averaged arrow fades; such points are left
//! out of the picture.

use super::plane::{Found, Plane};
use super::projection::arrow_scale;
use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::math;
use ndarray::ArrayView2;

/// Grid points per task.
const POINTS: usize = 64;
/// Most grid points on an axis.
const MAX_POINTS: usize = 5000;

/// Distance of a cell that is not near, in standard deviations: at the usual
/// smoothing one and a quarter spacings of the grid.
const FAR: f64 = 2.5;

/// How to smooth.
#[derive(Debug, Clone, Copy)]
pub struct GridOptions {
    /// Grid points along each axis, at least 2.
    pub points: usize,
    /// Standard deviation of the weights in units of the mean grid spacing, above 0.
    pub smooth: f64,
    /// Cells averaged at a point; None for a fiftieth of the cells, at least one.
    pub n_neighbors: Option<usize>,
}

/// Smoothed arrows; point (ix, iy) has index `iy * points + ix`.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Coordinates of the points along each axis.
    pub axes: [Vec<f64>; 2],
    /// Weighted sum of the arrows of the nearest cells over `max(1, mass)`.
    pub vectors: Vec<[f64; 2]>,
    /// Sum of the weights (densities of the normal distribution).
    pub mass: Vec<f64>,
    /// Sum over both axes of the mean size of the arrows of the nearest cells.
    pub length: Vec<f64>,
    /// Number of nearest cells used.
    pub n_neighbors: usize,
    /// The weight of a single cell 2.5 standard deviations away: with less
    /// mass a point has no cell near it.
    pub least_mass: f64,
}

impl Grid {
    /// Number of points along each axis.
    pub fn points(&self) -> usize {
        self.axes[0].len()
    }

    /// Place of a point.
    pub fn place(&self, at: usize) -> [f64; 2] {
        let p = self.points();
        [self.axes[0][at % p], self.axes[1][at / p]]
    }
}

/// Smooths the arrows `u` of the places `z` (both cells x 2). Cells without finite
/// place or arrow are left out. Time O(n log n + points^2 neighbours).
///
/// # Errors
/// `shape` when sizes differ or no cell is left, `range` for options out of range
/// and for cells that are all in one place, `memory`, `interrupted`.
pub fn smooth_grid(
    exec: &Exec,
    z: ArrayView2<'_, f64>,
    u: ArrayView2<'_, f64>,
    options: &GridOptions,
) -> Result<Grid> {
    let (z, u) = finite_cells(z, u)?;
    let k = check_options(options, z.len())?;
    let axes = axes(&z, options.points);
    let step = |c: usize| axes[c][1] - axes[c][0];
    let sd = options.smooth * 0.5 * (step(0) + step(1));
    if !(sd.is_finite() && sd > 0.0) {
        return Err(CoreError::Range {
            what: "the extent of the embedding".into(),
            value: 0.0,
            allowed: "above 0 along one axis at least".into(),
        });
    }
    let plane = Plane::new(&z)?;
    let total = options.points * options.points;
    let mut values = try_filled(total, [0.0; 4], "the grid")?;
    exec.control().begin(total);
    exec.chunks_mut(&mut values, POINTS, |start, piece| {
        let mut found = Found::default();
        for (i, value) in piece.iter_mut().enumerate() {
            let at = start + i;
            let q = [axes[0][at % options.points], axes[1][at / options.points]];
            *value = average(plane.nearest(q, k, &mut found), &u, sd);
        }
        exec.control().tick(piece.len());
    })?;
    Ok(Grid {
        axes,
        vectors: values.iter().map(|v| [v[0], v[1]]).collect(),
        mass: values.iter().map(|v| v[2]).collect(),
        length: values.iter().map(|v| v[3]).collect(),
        n_neighbors: k,
        least_mass: weight(FAR * FAR * sd * sd, sd),
    })
}

/// Density of the normal distribution at the square of a distance.
fn weight(square: f64, sd: f64) -> f64 {
    math::exp(-0.5 * square / (sd * sd)) / (sd * (2.0 * std::f64::consts::PI).sqrt())
}

/// Arrow (two numbers), mass and length at a point, of its nearest cells.
fn average(near: &[(f64, u32)], u: &[[f64; 2]], sd: f64) -> [f64; 4] {
    let (mut sum, mut size, mut mass) = ([0.0; 2], [0.0; 2], 0.0);
    for &(square, cell) in near {
        let weight = weight(square, sd);
        mass += weight;
        for c in 0..2 {
            sum[c] += weight * u[cell as usize][c];
            size[c] += u[cell as usize][c].abs();
        }
    }
    let (over, k) = (mass.max(1.0), near.len() as f64);
    [
        sum[0] / over,
        sum[1] / over,
        mass,
        size[0] / k + size[1] / k,
    ]
}

type Pairs = Vec<[f64; 2]>;

fn finite_cells(z: ArrayView2<'_, f64>, u: ArrayView2<'_, f64>) -> Result<(Pairs, Pairs)> {
    let shape = |what: &str, expected, found| CoreError::Shape {
        what: what.into(),
        expected,
        found,
    };
    for (what, columns) in [("the embedding", z.ncols()), ("the vectors", u.ncols())] {
        if columns != 2 {
            return Err(shape(what, 2, columns));
        }
    }
    if z.nrows() != u.nrows() {
        return Err(shape("the vectors", z.nrows(), u.nrows()));
    }
    let mut places = try_with_capacity(z.nrows(), "the embedding")?;
    let mut arrows = try_with_capacity(z.nrows(), "the vectors")?;
    for (z, u) in z.rows().into_iter().zip(u.rows()) {
        if [z[0], z[1], u[0], u[1]].iter().all(|v| v.is_finite()) {
            places.push([z[0], z[1]]);
            arrows.push([u[0], u[1]]);
        }
    }
    if places.is_empty() {
        return Err(shape("the cells with an arrow", 1, 0));
    }
    Ok((places, arrows))
}

/// The number of neighbours, all options being within their range.
fn check_options(options: &GridOptions, n: usize) -> Result<usize> {
    let range = |what: &str, value: f64, allowed: String| CoreError::Range {
        what: what.into(),
        value,
        allowed,
    };
    if options.points < 2 || options.points > MAX_POINTS {
        let allowed = format!("2 to {MAX_POINTS}");
        return Err(range(
            "the points of the grid along an axis",
            options.points as f64,
            allowed,
        ));
    }
    if !(options.smooth.is_finite() && options.smooth > 0.0) {
        return Err(range("the smoothing", options.smooth, "above 0".into()));
    }
    match options.n_neighbors {
        Some(k) if k == 0 || k > n => {
            let allowed = format!("1 to the number of cells with an arrow ({n})");
            Err(range("the number of neighbours", k as f64, allowed))
        }
        Some(k) => Ok(k),
        None => Ok((n / 50).max(1)),
    }
}

/// Points from a hundredth of the range below the cells to one above; the range
/// for the upper end is that after the lower end was moved.
fn axes(z: &[[f64; 2]], points: usize) -> [Vec<f64>; 2] {
    [0, 1].map(|c| {
        let low = z.iter().fold(f64::INFINITY, |m, p| m.min(p[c]));
        let high = z.iter().fold(f64::NEG_INFINITY, |m, p| m.max(p[c]));
        let low = low - 0.01 * (high - low);
        let high = high + 0.01 * (high - low);
        let step = (high - low) / (points - 1) as f64;
        (0..points).map(|i| low + i as f64 * step).collect()
    })
}

/// The `percent` percentile of values, linear between order statistics.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = percent / 100.0 * last as f64;
    let below = (at.floor() as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

/// Arrows on the grid, ready to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct GridArrows {
    pub places: Vec<[f64; 2]>,
    pub vectors: Vec<[f64; 2]>,
    pub mass: Vec<f64>,
}

/// The points with more than `min_mass` percent of the 99th percentile of the mass,
/// their arrows brought to the automatic scale.
///
/// # Errors
/// `interrupted`.
pub fn grid_arrows(exec: &Exec, grid: &Grid, min_mass: f64) -> Result<GridArrows> {
    let least = min_mass * percentile(&grid.mass, 99.0) / 100.0;
    let kept: Vec<usize> = (0..grid.mass.len())
        .filter(|&i| grid.mass[i] > least)
        .collect();
    let places: Pairs = kept.iter().map(|&i| grid.place(i)).collect();
    let mut vectors: Pairs = kept.iter().map(|&i| grid.vectors[i]).collect();
    let sizes = places.iter().flatten().map(|v| v.abs());
    let scale = 3.0 * arrow_scale(exec, &places, &vectors, sizes.fold(0.0, f64::max))?;
    if scale > 0.0 {
        vectors.iter_mut().flatten().for_each(|v| *v /= scale);
    }
    Ok(GridArrows {
        mass: kept.iter().map(|&i| grid.mass[i]).collect(),
        places,
        vectors,
    })
}

#[cfg(test)]
#[path = "grid_tests.rs"]
mod tests;
