//! The cells in the form in which they are compared: checked, and of unit length
//! where only directions count.

use super::metric::Metric;
use crate::error::{try_filled, try_with_capacity, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::simd;
use ndarray::ArrayView2;

/// Largest absolute value of a feature; beyond it single precision distances
/// would overflow.
pub const MAX_VALUE: f64 = 1e30;
/// Rows per task.
const ROWS: usize = 64;

/// Cells by features in double precision.
pub struct Points {
    pub metric: Metric,
    pub n: usize,
    pub d: usize,
    /// n x d: as given, or of unit length for the angular metrics.
    rows: Vec<f64>,
    /// Which rows have no direction (angular metrics only).
    null: Vec<bool>,
}

impl Points {
    /// # Errors
    /// `range` for values that are not finite or beyond 1e30 and for a metric out
    /// of its range, `memory`, `interrupted`.
    pub fn new(exec: &Exec, x: ArrayView2<'_, f64>, metric: Metric) -> Result<Points> {
        metric.check()?;
        let (n, d) = x.dim();
        if u32::try_from(n).is_err() {
            return Err(CoreError::Range {
                what: "the number of cells".into(),
                value: n as f64,
                allowed: "below 2^32".into(),
            });
        }
        let mut rows = try_with_capacity(n * d, "the cells")?;
        rows.extend(x.iter());
        check_values(&rows, d)?;
        let mut null = try_filled(n, false, "the cells")?;
        if metric.is_angular() && d > 0 {
            exec.chunks_mut(&mut rows, ROWS * d, |_, piece| {
                for r in piece.chunks_exact_mut(d) {
                    unit_length(r, metric == Metric::Correlation);
                }
            })?;
            for (null, r) in null.iter_mut().zip(rows.chunks_exact(d)) {
                *null = r.iter().all(|&v| v == 0.0);
            }
        }
        Ok(Points {
            metric,
            n,
            d,
            rows,
            null,
        })
    }

    #[inline(always)]
    pub fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.d..(i + 1) * self.d]
    }

    /// Whether a row has no direction, for angular metrics.
    pub fn is_null(&self, i: usize) -> bool {
        self.null[i]
    }

    /// Distance of cell `i` and cell `j` of `other` in double precision.
    #[inline(always)]
    pub fn distance(&self, i: usize, other: &Points, j: usize) -> f64 {
        if self.null[i] || other.null[j] {
            return 1.0;
        }
        self.metric.between(self.row(i), other.row(j))
    }
}

/// Origin and unit in which cells are rounded to single precision: differences do
/// not depend on them, single precision does.
pub struct Frame {
    centre: Vec<f64>,
    scale: f64,
}

impl Frame {
    /// The mean of `points` and a power of two that brings all of `also` near one.
    pub fn new(points: &Points, also: &Points) -> Result<Frame> {
        let mut centre = try_filled(points.d, 0.0, "the cells")?;
        if points.metric.is_angular() {
            return Ok(Frame { centre, scale: 1.0 });
        }
        for i in 0..points.n {
            simd::axpy(1.0 / points.n as f64, points.row(i), &mut centre);
        }
        let mut largest = 0.0f64;
        for p in [points, also] {
            for i in 0..p.n {
                for (&v, &c) in p.row(i).iter().zip(&centre) {
                    largest = largest.max((v - c).abs());
                }
            }
        }
        Ok(Frame {
            centre,
            scale: power_below(largest),
        })
    }

    /// Writes a row in the frame to `out`.
    #[inline(always)]
    pub fn place(&self, row: &[f64], out: &mut [f64]) {
        for ((o, &v), &c) in out.iter_mut().zip(row).zip(&self.centre) {
            *o = (v - c) * self.scale;
        }
    }
}

/// The reciprocal of the power of two at or below `x`, so that x times it is in
/// [1, 2); 1 for numbers too small to matter.
fn power_below(x: f64) -> f64 {
    let exponent = (x.to_bits() >> 52) & 0x7FF;
    if exponent < 64 {
        return 1.0;
    }
    f64::from_bits((2046 - exponent) << 52)
}

fn check_values(rows: &[f64], d: usize) -> Result<()> {
    let d = d.max(1);
    let count = rows.iter().filter(|v| !v.is_finite()).count();
    if count > 0 {
        let cells = rows
            .chunks(d)
            .enumerate()
            .filter(|(_, r)| r.iter().any(|v| !v.is_finite()))
            .map(|(i, _)| i)
            .take(SHOWN)
            .collect();
        return Err(CoreError::NotFinite {
            what: "the representation".into(),
            count,
            cells,
        });
    }
    match rows.iter().find(|v| v.abs() > MAX_VALUE) {
        Some(&value) => Err(CoreError::Range {
            what: "a value of the representation".into(),
            value,
            allowed: "at most 1e30 in size".into(),
        }),
        None => Ok(()),
    }
}

/// Scales a row to length one, after centring if asked; a row without direction
/// becomes zero.
fn unit_length(r: &mut [f64], centre: bool) {
    let largest = r.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 {
        return;
    }
    // By the largest entry first, so that no square overflows or vanishes.
    r.iter_mut().for_each(|v| *v /= largest);
    if centre {
        let mean = simd::sum(r) / r.len() as f64;
        r.iter_mut().for_each(|v| *v -= mean);
    }
    let norm = simd::dot(r, r).sqrt();
    // Entries are at most one in size: below this, centring left only rounding.
    if norm <= 4.0 * f64::EPSILON * (r.len() as f64).sqrt() {
        r.fill(0.0);
    } else {
        r.iter_mut().for_each(|v| *v /= norm);
    }
}
