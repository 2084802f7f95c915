//! Where the chain goes, as an arrow for each cell of an embedding.
//!
//! The neighbours of a cell lie in certain directions on the picture. Its arrow is
//! the mean of these directions weighted by the transition probabilities, less
//! their plain mean, which only tells where more cells happen to lie (La Manno et
//! al. 2018; section 1.15 of the fate-mapping rules):
//! `u_i = sum_j T_ij d_j - mean_j d_j`, `d_j = (z_j - z_i) / |z_j - z_i|`, over the
//! neighbours j of i in the graph. Lengths are then brought to the scale at which a
//! plotting program of the field draws arrows by default ([`arrow_scale`]).

use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::sparse::csr::{row, Csr};
use ndarray::{Array2, ArrayView2};

/// Cells per task.
const CELLS: usize = 512;
/// Size of the axes in pixels for which arrows are scaled: those of a figure of
/// 6.4 x 4.8 inches at 100 dots per inch with its default margins.
const AXES: [f64; 2] = [496.0, 369.6];

/// Arrows of cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// Cells x dimensions of the embedding; NaN where a coordinate is missing.
    pub vectors: Array2<f64>,
    /// What the vectors were divided by.
    pub scale: f64,
}

/// The arrows of a transition matrix (n x n, rows sum to one) on the coordinates
/// `z` (n x d, d at least 2). Neighbours are the entries of `graph` (n x n) other
/// than zero; transitions to other cells are left out. A neighbour in the very
/// place of the cell has no direction and counts as zero; so does a cell without
/// neighbours. A cell has NaN when it or a neighbour lacks a coordinate. O(edges).
///
/// # Errors
/// `shape` when sizes differ or d is below 2, `memory`, `interrupted`.
pub fn project(
    exec: &Exec,
    transition: &Csr,
    graph: &Csr,
    z: ArrayView2<'_, f64>,
) -> Result<Projection> {
    let (n, d) = z.dim();
    let sizes = [
        ("the rows of the transition matrix", transition.rows()),
        ("the columns of the transition matrix", transition.cols()),
        ("the rows of the graph", graph.rows()),
        ("the columns of the graph", graph.cols()),
    ];
    if let Some(&(what, found)) = sizes.iter().find(|s| s.1 != n) {
        return Err(shape(what, n, found));
    }
    if d < 2 {
        return Err(shape("the dimensions of the embedding", 2, d));
    }
    let mut places = try_with_capacity(n * d, "the embedding")?;
    places.extend(z.iter().copied());
    let mut vectors = try_filled(n * d, 0.0, "the projected vectors")?;
    exec.control().begin(n);
    exec.chunks_mut(&mut vectors, CELLS * d, |start, piece| {
        let first = start / d;
        let mut sums = Sums::new(d);
        for (i, out) in piece.chunks_exact_mut(d).enumerate() {
            sums.arrow(transition, graph, &places, first + i, out);
        }
        exec.control().tick(piece.len() / d);
    })?;
    let two = |v: &[f64]| -> Vec<[f64; 2]> { v.chunks_exact(d).map(|r| [r[0], r[1]]).collect() };
    let largest = places
        .iter()
        .filter(|v| v.is_finite())
        .fold(0.0, |m: f64, v| m.max(v.abs()));
    let scale = 3.0 * arrow_scale(exec, &two(&places), &two(&vectors), largest)?;
    if scale > 0.0 {
        exec.chunks_mut(&mut vectors, CELLS * d, |_, piece| {
            piece.iter_mut().for_each(|v| *v /= scale);
        })?;
    }
    let vectors = Array2::from_shape_vec((n, d), vectors)
        .map_err(|_| shape("the projected vectors", n, d))?;
    Ok(Projection { vectors, scale })
}

fn shape(what: &str, expected: usize, found: usize) -> CoreError {
    CoreError::Shape {
        what: what.into(),
        expected,
        found,
    }
}

/// Buffers of one thread.
struct Sums {
    unit: Vec<f64>,
    plain: Vec<f64>,
}

impl Sums {
    fn new(d: usize) -> Sums {
        Sums {
            unit: vec![0.0; d],
            plain: vec![0.0; d],
        }
    }

    /// Writes the arrow of cell `i`, before scaling, to `out`.
    fn arrow(&mut self, transition: &Csr, graph: &Csr, places: &[f64], i: usize, out: &mut [f64]) {
        let d = out.len();
        let place = |j: usize| &places[j * d..(j + 1) * d];
        let (to, p) = row(transition, i);
        let (neighbors, weights) = row(graph, i);
        out.fill(0.0);
        self.plain.fill(0.0);
        if place(i).iter().any(|v| !v.is_finite()) {
            return out.fill(f64::NAN);
        }
        let (mut at, mut count) = (0, 0usize);
        for (&j, &w) in neighbors.iter().zip(weights) {
            if w == 0.0 {
                continue;
            }
            count += 1;
            if !self.direction(place(i), place(j as usize)) {
                return out.fill(f64::NAN);
            }
            // Columns of both rows ascend.
            while at < to.len() && to[at] < j {
                at += 1;
            }
            let p = if to.get(at) == Some(&j) { p[at] } else { 0.0 };
            for ((o, s), &u) in out.iter_mut().zip(&mut self.plain).zip(&self.unit) {
                *o += p * u;
                *s += u;
            }
        }
        let share = 1.0 / count.max(1) as f64;
        for (o, &s) in out.iter_mut().zip(&self.plain) {
            *o -= share * s;
        }
    }

    /// The unit vector from `a` to `b`, zero where they are one place; false when
    /// `b` lacks a coordinate.
    fn direction(&mut self, a: &[f64], b: &[f64]) -> bool {
        // By the largest difference first, so that no square overflows or vanishes.
        let mut largest = 0.0f64;
        for (u, (&a, &b)) in self.unit.iter_mut().zip(a.iter().zip(b)) {
            *u = b - a;
            largest = largest.max(u.abs());
            if !b.is_finite() {
                return false;
            }
        }
        if largest > 0.0 && largest.is_finite() {
            let squares: f64 = self
                .unit
                .iter()
                .map(|u| (u / largest) * (u / largest))
                .sum();
            let norm = largest * squares.sqrt();
            self.unit.iter_mut().for_each(|u| *u /= norm);
        } else {
            self.unit.fill(0.0);
        }
        true
    }
}

/// The automatic scale of arrows `u` at the points `z`: the `A` of section 1.15,
/// `1.8 mean |u in pixels| max(10, sqrt n) / 496 / s`, with coordinates divided by
/// `s` (their largest size; 1 when that is zero) and axes that leave 5 percent free
/// at each end. Points without a finite vector do not count; 0 when none is left.
///
/// # Errors
/// `interrupted`.
pub fn arrow_scale(exec: &Exec, z: &[[f64; 2]], u: &[[f64; 2]], s: f64) -> Result<f64> {
    let s = if s > 0.0 { s } else { 1.0 };
    let mut pixels = [0.0; 2];
    for (c, pixel) in pixels.iter_mut().enumerate() {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in z.iter().map(|p| p[c]).filter(|v| v.is_finite()) {
            low = low.min(v);
            high = high.max(v);
        }
        let span = 1.1 * (high / s - low / s);
        // On an axis without extent no arrow has a component either.
        *pixel = if span > 0.0 { AXES[c] / span } else { 0.0 };
    }
    let counts = |u: &[f64; 2]| u[0].is_finite() && u[1].is_finite();
    let total = exec.sum(u.len(), |range| {
        let lengths = u[range].iter().filter(|u| counts(u)).map(|u| {
            let (x, y) = (u[0] * pixels[0], u[1] * pixels[1]);
            (x * x + y * y).sqrt()
        });
        lengths.sum()
    })?;
    let n = u.iter().filter(|u| counts(u)).count() as f64;
    if n == 0.0 {
        return Ok(0.0);
    }
    Ok(1.8 * (total / n) * n.sqrt().max(10.0) / AXES[0] / s)
}

#[cfg(test)]
#[path = "projection_tests.rs"]
mod tests;
