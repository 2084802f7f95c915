//! The steady-state model of one gene (La Manno et al. 2018).
//!
//! Cells with the most RNA of a gene have had time to come to rest, where splicing
//! and degradation balance: `u = gamma s + offset`. The line is fitted through the
//! cells in the upper tail of `z = s / max s + u / max u` (and, with an offset, in
//! the lower one); velocity is what the other cells are above or below it.

use super::lanes::Gene;
use super::quantile::quantile;
use super::sums::{largest, sums};
use crate::simd::wide;

/// How the line is fitted and which genes count as fitted well.
#[derive(Debug, Clone, PartialEq)]
pub struct SteadyOptions {
    /// Percentile from which on a cell is in the upper tail.
    pub upper: f64,
    /// Percentile of the lower tail, used only with an offset.
    pub lower: Option<f64>,
    pub fit_offset: bool,
    /// Bounds of gamma.
    pub ratio: (f64, f64),
    pub r2_adjusted: bool,
    pub min_r2: f64,
    pub min_ratio: f64,
}

impl Default for SteadyOptions {
    fn default() -> Self {
        SteadyOptions {
            upper: 95.0,
            lower: Some(5.0),
            fit_offset: false,
            ratio: (f64::NEG_INFINITY, f64::INFINITY),
            r2_adjusted: false,
            min_r2: 0.01,
            min_ratio: 0.01,
        }
    }
}

/// The line of a gene.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    pub gamma: f64,
    pub offset: f64,
}

/// The fit of a gene.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steady {
    pub line: Line,
    pub r2: f64,
    /// Whether the gene passes the tests of fit, ratio and expression.
    pub selected: bool,
}

/// Values at or beyond which a cell is in one of the tails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tails {
    pub lower: f64,
    pub upper: f64,
}

impl Tails {
    #[inline(always)]
    pub fn hold(&self, v: f64) -> bool {
        // Not `||`: both comparisons are cheaper than a branch.
        (v >= self.upper) | (v <= self.lower)
    }

    /// The tails of `values`, or no lower one.
    pub fn of(values: &[f64], options: &SteadyOptions, scratch: &mut Vec<f64>) -> Tails {
        let lower = options.lower.filter(|_| options.fit_offset);
        Tails {
            upper: quantile(values, options.upper, scratch),
            lower: lower.map_or(f64::NEG_INFINITY, |p| quantile(values, p, scratch)),
        }
    }
}

/// Buffers of a thread, reused from gene to gene.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The score z of the cells last fitted.
    pub z: Vec<f64>,
    pub order: Vec<f64>,
}

/// Scores of cells: how far out on the diagonal of the phase portrait.
#[inline(always)]
pub fn scores(s: &[f64], u: &[f64], z: &mut Vec<f64>) {
    let (top_s, top_u) = (largest(s).max(1e-3), largest(u).max(1e-3));
    z.clear();
    z.extend(s.iter().zip(u).map(|(&s, &u)| s / top_s + u / top_u));
}

/// Fits the line to the `fit` cells and judges it on `all` of them. O(n).
pub fn fit(all: Gene, fit: Gene, options: &SteadyOptions, scratch: &mut Scratch) -> Steady {
    let Scratch { z, order } = scratch;
    wide(|| scores(fit.s, fit.u, z));
    let tails = Tails::of(z, options, order);
    let line = wide(|| least_squares([z, fit.s, fit.u], |v| tails.hold(v), options.fit_offset));
    let line = Line {
        gamma: line.gamma.clamp(options.ratio.0, options.ratio.1),
        ..line
    };
    let judged = if options.r2_adjusted {
        wide(|| least_squares([z, fit.s, fit.u], |_| true, options.fit_offset))
    } else {
        line
    };
    let r2 = wide(|| determination(all, judged));
    let expressed = largest(all.s) > 0.0 && largest(all.u) > 0.0;
    Steady {
        line,
        r2,
        selected: r2 > options.min_r2 && line.gamma > options.min_ratio && expressed,
    }
}

/// Ordinary least squares of y on x over the cells whose score is `kept`, the columns
/// being score, x and y. A negative offset becomes 0, and so does what is undefined.
#[inline(always)]
pub fn least_squares(
    [z, x, y]: [&[f64]; 3],
    kept: impl Fn(f64) -> bool,
    with_offset: bool,
) -> Line {
    let [count, sum_x, sum_y, xx, xy] = sums([z, x, y], |[z, x, y]| {
        if kept(z) {
            [1.0, x, y, x * x, x * y]
        } else {
            [0.0; 5]
        }
    });
    let through_origin = Line {
        gamma: or_zero(xy / xx),
        offset: 0.0,
    };
    if !with_offset {
        return through_origin;
    }
    // Centred, unlike the textbook formula, so that nothing cancels.
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let [var, cov] = sums([z, x, y], |[z, x, y]| {
        let (dx, dy) = (x - mean_x, y - mean_y);
        if kept(z) {
            [dx * dx, dx * dy]
        } else {
            [0.0; 2]
        }
    });
    // Rounding leaves a constant x with a spread of some 1e-16.
    if var <= 1e-28 * xx {
        return Line {
            gamma: 0.0,
            offset: or_zero(mean_y).max(0.0),
        };
    }
    let gamma = or_zero(cov / var);
    let offset = or_zero(mean_y - gamma * mean_x);
    if offset < 0.0 {
        through_origin
    } else {
        Line { gamma, offset }
    }
}

fn or_zero(v: f64) -> f64 {
    if v.is_nan() {
        0.0
    } else {
        v
    }
}

/// `1 - sum e^2 / sum (u - mean u)^2`; 0 of a gene without spread and without error,
/// minus infinity of one without spread but with error.
#[inline(always)]
fn determination(g: Gene, line: Line) -> f64 {
    let [total] = sums([g.u], |[u]| [u]);
    let mean = total / g.u.len() as f64;
    let [error, spread, scale] = sums([g.s, g.u], |[s, u]| {
        let (e, d) = (u - line.gamma * s - line.offset, u - mean);
        [e * e, d * d, u * u]
    });
    // Rounding leaves a constant u with a spread of some 1e-16.
    let nothing = 1e-28 * scale;
    match (error <= nothing, spread <= nothing) {
        (true, true) => 0.0,
        (false, true) => f64::NEG_INFINITY,
        _ => 1.0 - error / spread,
    }
}
