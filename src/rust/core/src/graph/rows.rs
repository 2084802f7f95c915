//! The cells of the approximate search: single precision rows of padded length.

use super::points::{Frame, Points};
use super::tile::{self, DIFFERENCE, PRODUCT};
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;

const LANES: usize = 8;
/// Rows per task.
const ROWS: usize = 512;

/// Rows of equal, padded length in single precision.
pub struct Rows {
    pub n: usize,
    /// Features.
    pub d: usize,
    /// Length of a row, a multiple of eight; the end is zero.
    pub width: usize,
    pub values: Vec<f32>,
    /// What is added to every value of a cell: 1/2 for cells without direction,
    /// which are at distance one from all others.
    pub lift: Vec<f32>,
}

impl Rows {
    /// The points in their frame.
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn new(exec: &Exec, points: &Points) -> Result<Rows> {
        let (n, d) = (points.n, points.d);
        let d = d.max(1);
        let width = d.next_multiple_of(LANES);
        let frame = Frame::new(points, points)?;
        let mut values = try_filled(n * width, 0f32, "the cells")?;
        exec.chunks_mut(&mut values, width * ROWS, |start, piece| {
            let mut placed = vec![0.0; points.d];
            for (at, row) in piece.chunks_exact_mut(width).enumerate() {
                frame.place(points.row(start / width + at), &mut placed);
                for (o, &v) in row.iter_mut().zip(&placed) {
                    *o = v as f32;
                }
            }
        })?;
        let mut lift = try_filled(n, 0f32, "the cells")?;
        for (i, l) in lift.iter_mut().enumerate() {
            *l = if points.is_null(i) { 0.5 } else { 0.0 };
        }
        Ok(Rows {
            n,
            d,
            width,
            values,
            lift,
        })
    }

    #[inline(always)]
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    /// The rows in another order.
    ///
    /// # Errors
    /// `memory`.
    pub fn permuted(&self, order: &[u32]) -> Result<Rows> {
        let mut values = try_with_capacity(self.values.len(), "the cells")?;
        let mut lift = try_with_capacity(self.n, "the cells")?;
        for &i in order {
            values.extend_from_slice(self.row(i as usize));
            lift.push(self.lift[i as usize]);
        }
        Ok(Rows {
            n: self.n,
            d: self.d,
            width: self.width,
            values,
            lift,
        })
    }

    /// The value of a pair: half the squared distance, or the distance itself for
    /// tiles of absolute differences.
    #[inline(always)]
    pub fn value(&self, kind: u8, i: usize, j: usize) -> f32 {
        let (a, b) = (self.row(i), self.row(j));
        let lift = self.lift[i] + self.lift[j];
        lift + match kind {
            PRODUCT => 0.5 * lanes(a, b, |s, v| s + v * v),
            DIFFERENCE => lanes(a, b, |s, v| s + v.abs()),
            _ => {
                let mut largest = 0f32;
                for (x, y) in a.iter().zip(b) {
                    largest = tile::larger((x - y).abs(), largest);
                }
                largest
            }
        }
    }
}

/// Inner product of rows of padded length, in fixed lanes.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    for (x, y) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for l in 0..LANES {
            sums[l] += x[l] * y[l];
        }
    }
    tree(sums)
}

/// `f` accumulated over the differences of two rows, in fixed lanes.
#[inline(always)]
fn lanes(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    for (x, y) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for l in 0..LANES {
            sums[l] = f(sums[l], x[l] - y[l]);
        }
    }
    tree(sums)
}

#[inline(always)]
fn tree(s: [f32; LANES]) -> f32 {
    let four = [s[0] + s[4], s[1] + s[5], s[2] + s[6], s[3] + s[7]];
    (four[0] + four[2]) + (four[1] + four[3])
}
