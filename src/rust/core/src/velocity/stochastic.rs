//! The stochastic model of one gene (Bergen et al. 2020).
//!
//! Transcription, splicing and degradation are random events, so the spread of a
//! gene over the neighbours of a cell speaks of the same gamma as its mean. Two
//! regressions share it, each weighed by the inverse variance of its residuals: of u
//! on s over the cells in the tails, and of `y2 = 2 <us> + <u>` on
//! `x2 = 2 <ss> - <s>` over all cells.

use super::lanes::Gene;
use super::steady_state::{scores, Line, Scratch, SteadyOptions, Tails};
use super::sums::sums;
use crate::simd::wide;

/// What the second regression may do, beside the options of the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StochasticOptions {
    /// An offset of the second regression.
    pub fit_offset2: bool,
    /// As scVelo 0.3.4: all cells count for the intercept of the tails, gamma is not
    /// clipped and every cell is fitted.
    pub compat: bool,
}

/// The common line of a gene.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refit {
    pub line: Line,
    /// Offset of the second regression.
    pub offset2: f64,
}

/// `x2` and `y2` of a cell.
#[inline(always)]
pub fn second_order(s: f64, u: f64, ss: f64, us: f64) -> (f64, f64) {
    (2.0 * ss - s, 2.0 * us + u)
}

/// Fits gamma to first and second moments of the cells `g`; None if the residuals of
/// either regression vanish, so that there is no weighing them. `first` is the line
/// of the steady state; `scored` says that the scores of these cells are in `scratch`
/// already. O(n).
pub fn refit(
    g: Gene,
    first: Line,
    steady: &SteadyOptions,
    options: StochasticOptions,
    scored: bool,
    scratch: &mut Scratch,
) -> Option<Refit> {
    let Scratch { z, order } = scratch;
    if !scored {
        wide(|| scores(g.s, g.u, z));
    }
    let by_score = Tails::of(z, steady, order);
    let by_s = Tails::of(g.s, steady, order);
    let (spread1, spread2) = wide(|| spreads(g, first, options.fit_offset2))?;
    let tails = wide(|| {
        sums([z, g.s, g.u], |[z, s, u]| {
            if by_score.hold(z) | by_s.hold(s) {
                [1.0, s, u, s * s, s * u]
            } else {
                [0.0; 5]
            }
        })
    });
    let second = wide(|| {
        sums([g.s, g.u, g.ss, g.us], |[s, u, ss, us]| {
            let (x, y) = second_order(s, u, ss, us);
            [x, y, x * x, x * y]
        })
    });
    let normal = Normal {
        tails,
        second,
        counted: if options.compat {
            g.s.len() as f64
        } else {
            tails[0]
        },
        cells: g.s.len() as f64,
        weights: [1.0 / spread1, 1.0 / spread2],
    };
    let mut out = normal.solve(steady.fit_offset, options.fit_offset2)?;
    if !options.compat {
        out.line.gamma = out.line.gamma.clamp(steady.ratio.0, steady.ratio.1);
    }
    Some(out)
}

/// Variances of the residuals of both regressions, each fitted by itself; None when
/// one of them is nothing but rounding.
#[inline(always)]
fn spreads(g: Gene, first: Line, fit_offset2: bool) -> Option<(f64, f64)> {
    let n = g.s.len() as f64;
    let second = second_line(g, fit_offset2);
    let errors = |[s, u, ss, us]: [f64; 4]| {
        let (x, y) = second_order(s, u, ss, us);
        (
            u - first.gamma * s - first.offset,
            y - second.gamma * x - second.offset,
            u * u,
            y * y,
        )
    };
    let columns = [g.s, g.u, g.ss, g.us];
    let [sum1, sum2, scale1, scale2] = sums(columns, |v| {
        let (e1, e2, uu, yy) = errors(v);
        [e1, e2, uu, yy]
    });
    let (mean1, mean2) = (sum1 / n, sum2 / n);
    let [square1, square2] = sums(columns, |v| {
        let (e1, e2, ..) = errors(v);
        [(e1 - mean1) * (e1 - mean1), (e2 - mean2) * (e2 - mean2)]
    });
    let real = square1 > 1e-24 * scale1 && square2 > 1e-24 * scale2;
    real.then_some((square1 / n, square2 / n))
}

/// Least squares of y2 on x2 over all cells.
#[inline(always)]
fn second_line(g: Gene, with_offset: bool) -> Line {
    let columns = [g.s, g.u, g.ss, g.us];
    let n = g.s.len() as f64;
    let [sum_x, sum_y, xx, xy] = sums(columns, |[s, u, ss, us]| {
        let (x, y) = second_order(s, u, ss, us);
        [x, y, x * x, x * y]
    });
    let through_origin = Line {
        gamma: if xx > 0.0 { xy / xx } else { 0.0 },
        offset: 0.0,
    };
    if !with_offset {
        return through_origin;
    }
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let [var, cov] = sums(columns, |[s, u, ss, us]| {
        let (x, y) = second_order(s, u, ss, us);
        [(x - mean_x) * (x - mean_x), (x - mean_x) * (y - mean_y)]
    });
    if var <= 1e-28 * xx {
        return Line {
            gamma: 0.0,
            offset: mean_y.max(0.0),
        };
    }
    let gamma = cov / var;
    let offset = mean_y - gamma * mean_x;
    if offset < 0.0 {
        through_origin
    } else {
        Line { gamma, offset }
    }
}

/// The normal equations for (offset, offset2, gamma).
struct Normal {
    /// Count, s, u, s^2 and s u over the cells in the tails.
    tails: [f64; 5],
    /// x, y, x^2 and x y over all cells.
    second: [f64; 4],
    /// Cells that count for the intercept of the tails.
    counted: f64,
    cells: f64,
    /// Inverse variances of the two regressions.
    weights: [f64; 2],
}

impl Normal {
    /// Solves for what is asked for; offsets that cannot be told apart from gamma are
    /// dropped.
    fn solve(&self, with_offset: bool, with_offset2: bool) -> Option<Refit> {
        let [_, s, u, ss, su] = self.tails;
        let [x, y, xx, xy] = self.second;
        let [w1, w2] = self.weights;
        let full = [
            [w1 * self.counted, 0.0, w1 * s],
            [0.0, w2 * self.cells, w2 * x],
            [w1 * s, w2 * x, w1 * ss + w2 * xx],
        ];
        let right = [w1 * u, w2 * y, w1 * su + w2 * xy];
        let solution = cholesky(full, right, [with_offset, with_offset2, true])
            .or_else(|| cholesky(full, right, [false, false, true]))?;
        Some(Refit {
            line: Line {
                gamma: solution[2],
                offset: solution[0],
            },
            offset2: solution[1],
        })
    }
}

/// Solves the symmetric system of the wanted unknowns, scaled to a unit diagonal;
/// the others are 0. None if it is singular.
fn cholesky(a: [[f64; 3]; 3], b: [f64; 3], wanted: [bool; 3]) -> Option<[f64; 3]> {
    let mut scale = [0.0; 3];
    for i in 0..3 {
        if wanted[i] {
            if a[i][i] <= 0.0 {
                return None;
            }
            scale[i] = 1.0 / a[i][i].sqrt();
        }
    }
    // An unknown that is not wanted has a row and a column of zeros, and a one.
    let at = |i: usize, j: usize| {
        if i == j {
            1.0
        } else {
            a[i][j] * scale[i] * scale[j]
        }
    };
    let mut l = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            let left = at(i, j) - known;
            if i == j {
                if left < 1e-13 {
                    return None;
                }
                l[i][i] = left.sqrt();
            } else {
                l[i][j] = left / l[j][j];
            }
        }
    }
    let mut x = [0.0; 3];
    for i in 0..3 {
        let known: f64 = (0..i).map(|k| l[i][k] * x[k]).sum();
        x[i] = (b[i] * scale[i] - known) / l[i][i];
    }
    for i in (0..3).rev() {
        let known: f64 = (i + 1..3).map(|k| l[k][i] * x[k]).sum();
        x[i] = (x[i] - known) / l[i][i];
    }
    Some([x[0] * scale[0], x[1] * scale[1], x[2] * scale[2]])
}
