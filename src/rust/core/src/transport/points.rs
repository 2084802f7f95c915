//! Cells as points, centred and scaled so that single precision serves them.
//!
//! Squared distances come from `|x|^2 + |y|^2 - 2 x.y`, whose rounding error grows
//! with the distance from the origin. The origin is put at the median of each
//! coordinate and the unit at the median distance from it, so that a few cells far
//! out disturb nobody else; those cells themselves are marked as far and get
//! their distances from differences in double precision.

use super::frame::{Frame, EMPTY, WIDTH};
use crate::error::{try_filled, try_with_capacity, CoreError, Result, SHOWN};
use crate::exec::{Exec, CHUNK};
use ndarray::ArrayView2;

/// Cells whose squared distances are off by more than this, in units of the
/// exponent, count as far.
const FAR: f64 = 5e-3;
/// Half the spacing of single precision numbers at one.
const U: f64 = 1.0 / 16_777_216.0;
/// Squares of coordinates beyond it would leave single precision.
const LARGEST: f64 = 1e15;

/// Which cells a point belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Sources,
    Targets,
}

/// The points of both sides, cells x dimensions, with origin and unit.
#[derive(Debug, Clone)]
pub struct Points<'a> {
    x: ArrayView2<'a, f64>,
    y: ArrayView2<'a, f64>,
    origin: Vec<f64>,
    /// Typical distance from the origin.
    pub unit: f64,
}

impl<'a> Points<'a> {
    /// Finds origin and unit of `x` (sources) and `y` (targets). O(n d).
    ///
    /// # Errors
    /// `shape` for different numbers of dimensions or no cell, `range` for values
    /// that are not finite, `memory`.
    pub fn new(x: ArrayView2<'a, f64>, y: ArrayView2<'a, f64>) -> Result<Points<'a>> {
        if x.ncols() != y.ncols() || x.is_empty() || y.is_empty() {
            return Err(CoreError::Shape {
                what: "the points of the target cells".into(),
                expected: x.ncols(),
                found: y.ncols(),
            });
        }
        for side in [&x, &y] {
            refuse_not_finite(side)?;
        }
        let n = x.nrows() + y.nrows();
        let mut buffer = try_with_capacity(n, "coordinates")?;
        let mut origin = Vec::with_capacity(x.ncols());
        for g in 0..x.ncols() {
            buffer.clear();
            buffer.extend(x.column(g).iter().chain(y.column(g)).copied());
            origin.push(middle(&mut buffer));
        }
        let mut points = Points {
            x,
            y,
            origin,
            unit: 1.0,
        };
        let mut size = points.sizes(Which::Sources)?;
        size.extend(points.sizes(Which::Targets)?);
        let mean = size.iter().sum::<f64>() / n as f64;
        let typical = middle(&mut size);
        // Most cells at one place: then the mean, and 1 when all are.
        let unit = [typical, mean].into_iter().find(|&v| v > 0.0);
        points.unit = unit.unwrap_or(1.0).sqrt();
        Ok(points)
    }

    /// Number of dimensions.
    pub fn dims(&self) -> usize {
        self.origin.len()
    }

    /// The cells of one side.
    pub fn side(&self, which: Which) -> ArrayView2<'a, f64> {
        match which {
            Which::Sources => self.x,
            Which::Targets => self.y,
        }
    }

    /// A subset of the cells on each side, with the same origin and unit.
    pub fn with<'b>(&self, x: ArrayView2<'b, f64>, y: ArrayView2<'b, f64>) -> Points<'b> {
        Points {
            x,
            y,
            origin: self.origin.clone(),
            unit: self.unit,
        }
    }

    /// Cell `i` of a side less the origin.
    pub fn place(&self, which: Which, i: usize, out: &mut [f64]) {
        let row = self.side(which);
        for ((o, &v), &c) in out.iter_mut().zip(row.row(i)).zip(&self.origin) {
            *o = v - c;
        }
    }

    /// Squared distances from the origin.
    fn sizes(&self, which: Which) -> Result<Vec<f64>> {
        let mut out = try_filled(self.side(which).nrows(), 0.0, "distances")?;
        let mut row = vec![0.0; self.dims()];
        for (i, o) in out.iter_mut().enumerate() {
            self.place(which, i, &mut row);
            *o = row.iter().map(|v| v * v).sum();
        }
        Ok(out)
    }

    /// Which cells are far when coordinates are multiplied by `factor`.
    ///
    /// # Errors
    /// `range` when a point is too far out to be computed with; `memory`.
    pub fn far(&self, which: Which, factor: f64) -> Result<Vec<bool>> {
        let bound = FAR / (U * self.dims() as f64 * factor * factor);
        let sizes = self.sizes(which)?;
        let limit = LARGEST / factor;
        let lost = sizes.iter().filter(|&&s| s > limit * limit).count();
        if lost > 0 {
            return Err(CoreError::Range {
                what: "the number of cells too far from all others to be computed with".into(),
                value: lost as f64,
                allowed: "0".into(),
            });
        }
        Ok(sizes.iter().map(|&s| s > bound).collect())
    }

    /// `(sum over both sides of |x - y|^2) / (n1 n2)`, from moments. O(n d).
    ///
    /// # Errors
    /// `memory`.
    pub fn mean_square(&self) -> Result<f64> {
        let (nx, ny) = (self.x.nrows() as f64, self.y.nrows() as f64);
        let mean = |v: &[f64], n: f64| v.iter().sum::<f64>() / n;
        let squares =
            mean(&self.sizes(Which::Sources)?, nx) + mean(&self.sizes(Which::Targets)?, ny);
        let product: f64 = (0..self.dims())
            .map(|g| {
                let c = self.origin[g];
                let at = |m: ArrayView2<'_, f64>, n: f64| {
                    m.column(g).iter().map(|v| v - c).sum::<f64>() / n
                };
                at(self.x, nx) * at(self.y, ny)
            })
            .sum();
        Ok((squares - 2.0 * product).max(0.0))
    }
}

fn refuse_not_finite(side: &ArrayView2<'_, f64>) -> Result<()> {
    let count = side.iter().filter(|v| !v.is_finite()).count();
    if count == 0 {
        return Ok(());
    }
    let bad = |i: &usize| side.row(*i).iter().any(|v| !v.is_finite());
    Err(CoreError::NotFinite {
        what: "the representation".into(),
        count,
        cells: (0..side.nrows()).filter(bad).take(SHOWN).collect(),
    })
}

/// The middle value, the upper of two; reorders its argument, which is not empty.
fn middle(values: &mut [f64]) -> f64 {
    let at = values.len() / 2;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

/// The points of one side in single precision, by panels.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// Panel p, dimension g, lane l at `(p * d + g) * WIDTH + l`.
    pub values: Vec<f32>,
    /// Squared lengths by slot, from the same products in the same order as the
    /// inner products, so that a cell is at distance zero from its double.
    pub sizes: Vec<f32>,
}

/// Packs one side, multiplied by `factor`, in the order of `frame`. O(n d).
///
/// # Errors
/// `memory`, `interrupted`.
pub fn pack(
    exec: &Exec,
    points: &Points<'_>,
    which: Which,
    frame: &Frame,
    factor: f64,
) -> Result<Cloud> {
    let d = points.dims();
    let mut values = try_filled(frame.slots() * d, 0f32, "the points")?;
    let mut sizes = try_filled(frame.slots(), 0f32, "the points")?;
    let step = CHUNK / WIDTH;
    let tasks: Vec<_> = values
        .chunks_mut(step * WIDTH * d)
        .zip(sizes.chunks_mut(step * WIDTH))
        .enumerate()
        .collect();
    exec.for_each(tasks, |(t, (values, sizes))| {
        let mut row = vec![0.0; d];
        for (at, size) in sizes.iter_mut().enumerate() {
            let cell = frame.cells[t * step * WIDTH + at];
            if cell == EMPTY {
                continue;
            }
            points.place(which, cell as usize, &mut row);
            let from = at / WIDTH * WIDTH * d + at % WIDTH;
            for (g, v) in row.iter().enumerate() {
                let v = (v * factor) as f32;
                values[from + g * WIDTH] = v;
                *size += v * v;
            }
        }
        Ok(())
    })?;
    Ok(Cloud { values, sizes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_cell_far_out_moves_neither_origin_nor_unit() {
        let x = array![[0.0, 1.0], [1.0, 0.0], [1e9, 1e9]];
        let y = array![[0.5, 0.5], [2.0, 1.0]];
        let points = Points::new(x.view(), y.view()).unwrap();
        assert_eq!(points.origin, [1.0, 1.0]);
        assert!(points.unit < 2.0);
        assert_eq!(
            points.far(Which::Sources, 1.0).unwrap(),
            [false, false, true]
        );
        assert_eq!(points.far(Which::Targets, 1.0).unwrap(), [false, false]);
    }

    #[test]
    fn the_mean_of_all_squares_follows_from_moments() {
        let x = array![[0.0, 1.0], [1.0, 3.0], [4.0, -2.0]];
        let y = array![[0.5, 0.5], [2.0, 1.0]];
        let points = Points::new(x.view(), y.view()).unwrap();
        let mut sum = 0.0;
        for a in x.rows() {
            for b in y.rows() {
                sum += a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            }
        }
        assert!((points.mean_square().unwrap() - sum / 6.0).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_computed_with_is_refused() {
        let x = array![[0.0], [f64::NAN], [1.0]];
        let y = array![[0.5]];
        let e = Points::new(x.view(), y.view()).unwrap_err();
        assert_eq!(e.kind(), "range");
        let x = array![[0.0], [1.0], [1e40], [2.0]];
        let points = Points::new(x.view(), y.view()).unwrap();
        assert!(points.far(Which::Sources, 1.0).is_err());
    }
}
