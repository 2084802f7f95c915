//! How far absorption times can be from the exact ones.
//!
//! Let `f`, `g` and `h` be what was computed for the fate probabilities, `N f` and
//! `N N f`, with `N = (I - Q)^-1 >= 0`. Where every entry of the residual of `g` is
//! at most `rho f`, then `|g - N f| <= rho N f`: small in proportion, however small
//! `f` is. Errors of `f` itself, whose residual is at most `rho f`, are carried
//! along: they are at most `rho N f = rho m f` with `m = g / f` the mean time. The
//! few entries whose residual is not small in proportion enter with their size
//! `delta` and a vector v with `(I - Q) v >= 1` (see [`super::transient`]):
//! `N |r| <= delta v`. Both parts are carried through the solves below.

use super::transient::{certificate, Prepared, Transient};
use crate::error::{CoreError, Result};
use crate::exec::Exec;

/// Largest relative error that is accepted.
pub(super) const WORST: f64 = 1e-4;
/// Residuals up to this part of the right-hand side are counted in proportion.
const PART: f64 = 1e-6;
/// Makes up for factors `1 / (1 - rho)`, rho <= PART.
const SLACK: f64 = 1.0 + 1e-5;

/// What was solved for, chain cells x states, row by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks<'a> {
    /// Steps into the states.
    pub into: &'a [f64],
    /// Fate probabilities.
    pub f: &'a [f64],
    /// `N f`.
    pub g: &'a [f64],
    /// `N N f`, where variances are wanted.
    pub h: Option<&'a [f64]>,
}

/// Bounds on the errors of one column: in proportion, and times `v`.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    /// Of f: `in proportion * g + by_size * v`.
    f: (f64, f64),
    /// Of g: `in proportion * g + by_size * v`.
    g: (f64, f64),
    /// Of h: `in proportion * h + by_size * v`.
    h: (f64, f64),
}

/// Bounds on the errors of absorption times.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    columns: Vec<Column>,
    /// By cell; empty where it is not needed.
    v: Vec<f64>,
}

impl Bounds {
    fn v(&self, at: usize) -> f64 {
        self.v.get(at / self.columns.len()).copied().unwrap_or(0.0)
    }

    /// Relative errors of `f` and `g` at entry `at`.
    fn relative(&self, at: usize, f: &[f64], g: &[f64]) -> (f64, f64) {
        let column = &self.columns[at % self.columns.len()];
        let v = self.v(at);
        (
            (column.f.0 * g[at] + column.f.1 * v) / f[at],
            column.g.0 + column.g.1 * v / g[at],
        )
    }

    /// Relative error of the mean at entry `at`; infinite where nothing is known.
    pub(super) fn mean(&self, at: usize, f: &[f64], g: &[f64]) -> f64 {
        let (of_f, of_g) = self.relative(at, f, g);
        quotient(of_g, of_f)
    }

    /// Error of the variance at entry `at`.
    pub(super) fn variance(&self, at: usize, f: &[f64], g: &[f64], h: &[f64]) -> f64 {
        let column = &self.columns[at % self.columns.len()];
        let (of_f, _) = self.relative(at, f, g);
        let of_h = column.h.0 + column.h.1 * self.v(at) / h[at];
        let (mean, twice) = (g[at] / f[at], 2.0 * h[at] / f[at]);
        let e = self.mean(at, f, g);
        let rounding = 4.0 * f64::EPSILON * (twice + mean + mean * mean);
        twice * quotient(of_h, of_f) + mean * e + mean * mean * e * (2.0 + e) + rounding
    }
}

/// Relative error of a quotient from those of its parts.
fn quotient(above: f64, below: f64) -> f64 {
    if below < 0.5 {
        (above + below) / (1.0 - below) + f64::EPSILON
    } else {
        f64::INFINITY
    }
}

/// Bounds for what was solved for. O(entries * k); one more solve where some residual is not small
/// in proportion.
///
/// # Errors
/// `not_converged` when no bound below [`WORST`] can be given, `interrupted`,
/// `memory`.
pub(super) fn bounds(
    exec: &Exec,
    prepared: &Prepared<'_>,
    chain: &Transient,
    Blocks { into, f, g, h }: Blocks<'_>,
    k: usize,
) -> Result<Bounds> {
    let mut longest = vec![0.0f64; k];
    let mut stray = vec![0.0f64; k];
    for (at, (&f, &g)) in f.iter().zip(g).enumerate() {
        if f > 0.0 {
            longest[at % k] = longest[at % k].max(g / f);
        } else {
            stray[at % k] = stray[at % k].max(g.abs());
        }
    }
    let part: Vec<f64> = longest.iter().map(|m| PART / m.max(1.0)).collect();
    let of_f = split(exec, chain, into, f, f, &part)?;
    let part = vec![PART; k];
    let of_g = split(exec, chain, f, g, f, &part)?;
    let of_h = match h {
        Some(h) => split(exec, chain, g, h, g, &part)?,
        None => vec![(0.0, 0.0); k],
    };
    let sized = (0..k).any(|c| of_f[c].1 + of_g[c].1 + of_h[c].1 + stray[c] > 0.0);
    let v = if sized {
        positive(exec, prepared)?
    } else {
        Vec::new()
    };
    let top = v.iter().copied().fold(0.0, f64::max);
    let columns = (0..k)
        .map(|c| carry(of_f[c], of_g[c], of_h[c], longest[c], stray[c], top))
        .collect();
    Ok(Bounds { columns, v })
}

/// By column: the largest residual of `x` in proportion to `scale` among the entries
/// where that is at most `part`, and the largest of all others.
fn split(
    exec: &Exec,
    chain: &Transient,
    b: &[f64],
    x: &[f64],
    scale: &[f64],
    part: &[f64],
) -> Result<Vec<(f64, f64)>> {
    let k = part.len();
    let range = chain.residual_range(exec, b, x, k)?;
    let mut out = vec![(0.0f64, 0.0f64); k];
    for (at, ((low, high), &scale)) in range.into_iter().zip(scale).enumerate() {
        let (size, out) = ((-low).max(high), &mut out[at % k]);
        if size <= part[at % k] * scale {
            if size > 0.0 {
                out.0 = out.0.max(size / scale);
            }
        } else if size.is_finite() {
            out.1 = out.1.max(size);
        } else {
            out.1 = f64::INFINITY;
        }
    }
    Ok(out)
}

fn positive(exec: &Exec, prepared: &Prepared<'_>) -> Result<Vec<f64>> {
    match certificate(exec, prepared)? {
        Some(s) => Ok(s.x),
        None => Err(CoreError::NotConverged {
            what: "the bound on the absorption times".into(),
            iterations: 0,
            residual: f64::INFINITY,
            tolerance: WORST,
        }),
    }
}

/// Carries the residuals (in proportion, by size) through the solves. With v as
/// above, `top` its largest entry, and `g <= longest f + stray` everywhere:
/// `N f <= (g + delta_g v) / (1 - rho_g)`, `N g <= longest N f + stray v`,
/// `N v <= top v`.
fn carry(
    (rho_f, delta_f): (f64, f64),
    (rho_g, delta_g): (f64, f64),
    (rho_h, delta_h): (f64, f64),
    longest: f64,
    stray: f64,
    top: f64,
) -> Column {
    let f = (SLACK * rho_f, delta_f + delta_g);
    let carried = SLACK * rho_f * (SLACK * longest * delta_g + stray + delta_g * top);
    let g = (
        SLACK * SLACK * (rho_f * longest + rho_g),
        carried + delta_f * top + SLACK * delta_g,
    );
    let in_proportion = SLACK * (g.0 + rho_h);
    let h = (in_proportion, g.1 * top + delta_h * (1.0 + in_proportion));
    Column { f, g, h }
}
