//! Where the pieces of a graph that has several go in its layout.

use super::spectral::zeros;
use crate::error::Result;
use crate::exec::Exec;
use crate::linalg::lanczos::sign_of;
use crate::linalg::lanczos_dense::symmetric;
use crate::math;
use nalgebra::DMatrix;
use ndarray::{Array2, ArrayView2};

/// More pieces than this are laid out on a grid.
const PIECES: usize = 500;

/// One place per piece. Few: the ends of the axes. More: the spectral embedding of
/// `exp(-d^2)` between centroids, with distances in units of their median when the
/// plain ones vanish in rounding. A grid when there is no data, when there are very
/// many, and when centroids fall together.
pub(super) fn places(
    members: &[Vec<usize>],
    data: Option<ArrayView2<'_, f64>>,
    dim: usize,
) -> Result<Array2<f64>> {
    let count = members.len();
    if count <= 2 * dim {
        let half = count.div_ceil(2);
        return Ok(Array2::from_shape_fn((count, dim), |(p, c)| {
            let sign = if p < half { 1.0 } else { -1.0 };
            sign * f64::from(u8::from(c == p % half))
        }));
    }
    if let (Some(data), true) = (data, count <= PIECES) {
        let mut centroids = zeros(count, data.ncols())?;
        for (mut centroid, members) in centroids.rows_mut().into_iter().zip(members) {
            for &i in members {
                centroid += &data.row(i);
            }
            centroid /= members.len() as f64;
        }
        let square = |a: usize, b: usize| {
            let pairs = centroids.row(a).into_iter().zip(centroids.row(b));
            pairs.map(|(x, y)| (x - y) * (x - y)).sum::<f64>()
        };
        let squares = DMatrix::from_fn(count, count, square);
        let mut sorted: Vec<f64> = squares.iter().copied().filter(|&d| d > 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(1.0);
        for unit in [1.0, median] {
            if let Some(places) = affinity_places(&squares, unit, dim)? {
                return Ok(places);
            }
        }
    }
    Ok(grid(count, dim))
}

/// Spectral embedding of `exp(-d^2 / unit)`, divided by its largest coordinate; None
/// when it does not keep the pieces apart.
fn affinity_places(squares: &DMatrix<f64>, unit: f64, dim: usize) -> Result<Option<Array2<f64>>> {
    let count = squares.nrows();
    let weight = |i: usize, j: usize| {
        if i == j {
            0.0
        } else {
            math::exp(-squares[(i, j)] / unit)
        }
    };
    let affinity = DMatrix::from_fn(count, count, weight);
    let root: Vec<f64> = affinity.row_iter().map(|r| r.sum().sqrt()).collect();
    if root.iter().any(|&r| r.is_nan() || r < 1e-100) {
        return Ok(None);
    }
    let scaled = DMatrix::from_fn(count, count, |i, j| affinity[(i, j)] / (root[i] * root[j]));
    let (_, vectors) = symmetric(scaled)?;
    let mut places = Array2::from_shape_fn((count, dim), |(i, c)| vectors[(i, c + 1)] / root[i]);
    for mut column in places.columns_mut() {
        let sign = sign_of(&column.to_vec());
        column *= sign;
    }
    let largest = places.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if !(largest > 0.0 && largest.is_finite()) {
        return Ok(None);
    }
    places /= largest;
    let apart = |a: usize, b: usize| distance(&places, a, b) > 1e-2 / count as f64;
    let separate = (0..count).all(|a| (0..a).all(|b| apart(a, b)));
    Ok(separate.then_some(places))
}

/// Points per side of the grid, and their distance.
fn grid_side(count: usize, dim: usize) -> (usize, f64) {
    let mut side = 2usize;
    while side.saturating_pow(dim as u32) < count {
        side += 1;
    }
    (side, 2.0 / (side - 1) as f64)
}

/// Points of a regular grid in [-1, 1].
fn grid(count: usize, dim: usize) -> Array2<f64> {
    let (side, step) = grid_side(count, dim);
    Array2::from_shape_fn((count, dim), |(p, c)| {
        // Beyond the digits that fit, the coordinate is that of the first point.
        let digit = side.checked_pow(c as u32).map_or(0, |d| p / d % side);
        digit as f64 * step - 1.0
    })
}

fn distance(places: &Array2<f64>, a: usize, b: usize) -> f64 {
    let pairs = places.row(a).into_iter().zip(places.row(b));
    let sum: f64 = pairs.map(|(x, y)| (x - y) * (x - y)).sum();
    sum.sqrt()
}

/// Half the distance of every place to the nearest other. O(places^2), unless they
/// are so many that they lie on the grid.
pub(super) fn ranges(exec: &Exec, places: &Array2<f64>) -> Result<Vec<f64>> {
    let (count, dim) = places.dim();
    if count > PIECES.max(2 * dim) {
        return Ok(vec![0.5 * grid_side(count, dim).1; count]);
    }
    let parts = exec.map_chunks(count, 64, |range| {
        let nearest = |a: usize| {
            let others = (0..count).map(|b| distance(places, a, b));
            others.filter(|&d| d > 0.0).fold(f64::INFINITY, f64::min)
        };
        range.map(|a| 0.5 * nearest(a)).collect::<Vec<_>>()
    })?;
    Ok(parts.concat())
}
