//! The fates of one resample, warm from those of the data.
//!
//! The chain `(I - Q) F = S` of a resample is near that of the data, whose fates are
//! where its solution starts. The absorption times `(I - Q) v = 1` are a column more of
//! the same block; they bound the error of every fate (see [`super::transient`]).

use super::classes::reaching;
use super::transient::{certificate, Prepared, Solved, Solver, Transient};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::linalg::block;
use crate::sparse::csr::{row, Csr};
use ndarray::ArrayView2;

/// Largest relative residual of a resample that is accepted, and the one aimed at:
/// far below the spread that is measured.
pub(super) const ACCEPT: f64 = 1e-6;
const AIM: f64 = 1e-9;
/// Largest error bound that is accepted.
pub(super) const WORST_ERROR: f64 = 1e-4;
/// Residual of the absorption times, which only have to bound.
const BOUND: f64 = 0.05;
/// Distance from one within which all walks from a cell arrive in the data.
const CERTAIN: f64 = 1e-6;
/// Share of walks that has to arrive in a resample.
const FEW: f64 = 1e-3;

/// What one resample gives.
#[derive(Debug, Clone)]
pub struct Replicate {
    /// Cells x states, row by row; empty when a terminal state was not found.
    pub fates: Vec<f64>,
    /// Overlap of every state with its match; empty if states are fixed.
    pub overlaps: Vec<f64>,
    /// Largest relative residual, error bound and number of steps of the solution.
    pub residual: f64,
    pub error_bound: f64,
    pub iterations: usize,
    pub solver: &'static str,
}

/// Where the solutions of resamples start: fates and absorption times of the data.
pub(super) struct Start<'a> {
    pub point: ArrayView2<'a, f64>,
    pub times: Vec<f64>,
}

impl<'a> Start<'a> {
    pub fn new(
        exec: &Exec,
        t: &Csr,
        states: &[Option<u32>],
        point: ArrayView2<'a, f64>,
    ) -> Result<Start<'a>> {
        let mut times = try_filled(t.rows(), 0.0, "absorption times")?;
        let chain = on_their_way(t, states)?;
        if !chain.cells.is_empty() {
            let prepared = Prepared::new(exec, &chain, Solver::Auto)?;
            if let Some(v) = certificate(exec, &prepared)? {
                chain.cells.iter().zip(v.x).for_each(|(&i, v)| times[i] = v);
            }
        }
        Ok(Start { point, times })
    }
}

/// The chain among the cells that are in no state and can reach one.
fn on_their_way(t: &Csr, states: &[Option<u32>]) -> Result<Transient> {
    let targets: Vec<usize> = (0..t.rows()).filter(|&i| states[i].is_some()).collect();
    let reached = reaching(t, &targets)?;
    let cells = (0..t.rows()).filter(|&i| states[i].is_none() && reached[i]);
    Transient::new(t, cells.collect())
}

/// Fates of one chain, with residual and error bound.
pub(super) fn fates(
    exec: &Exec,
    t: &Csr,
    states: &[Option<u32>],
    k: usize,
    start: &Start<'_>,
) -> Result<Replicate> {
    let n = t.rows();
    let chain = on_their_way(t, states)?;
    let mut out = Replicate {
        fates: try_filled(n * k, f64::NAN, "fate probabilities")?,
        overlaps: Vec::new(),
        residual: 0.0,
        error_bound: 0.0,
        iterations: 0,
        solver: "direct",
    };
    for (state, row) in states.iter().zip(out.fates.chunks_exact_mut(k)) {
        if let Some(s) = state {
            row.fill(0.0);
            row[*s as usize] = 1.0;
        }
    }
    if !chain.cells.is_empty() {
        solve(exec, t, states, &chain, start, &mut out)?;
    }
    Ok(out)
}

/// Solves `(I - Q) (F, v) = (S, 1)` in one block and bounds the errors of F by v.
fn solve(
    exec: &Exec,
    t: &Csr,
    states: &[Option<u32>],
    chain: &Transient,
    start: &Start<'_>,
    out: &mut Replicate,
) -> Result<()> {
    let k = start.point.ncols();
    let width = k + 1;
    let (b, x) = sides(t, states, chain, start)?;
    let size = block::norms(exec, &b, width)?;
    let longest = start.times.iter().copied().fold(1.0, f64::max);
    // Below this a residual is rounding.
    let floor = f64::EPSILON * 0.25 * (chain.cells.len() as f64).sqrt();
    let limits = |relative: f64, error: f64, bound: f64| -> Vec<f64> {
        let fates = size[..k]
            .iter()
            .map(|s| (relative * s).min(error / longest).max(floor));
        fates.chain([bound]).collect()
    };
    let goal = limits(AIM, 1e-3 * WORST_ERROR, BOUND);
    let accept = limits(ACCEPT, 0.1 * WORST_ERROR, 0.3);
    let prepared = Prepared::new(exec, chain, Solver::Auto)?;
    let s = prepared.solve(exec, &b, x, &goal, &accept)?;
    out.solver = s.solver;
    out.iterations = s.iterations.iter().copied().max().unwrap_or(0);
    out.residual = (0..k)
        .filter(|&c| size[c] > 0.0)
        .map(|c| s.residuals[c] / size[c])
        .fold(0.0, f64::max);
    out.error_bound = error_bound(&chain.residual_range(exec, &b, &s.x, width)?, &s.x, k);
    let least = arrive(chain, &s, start, out);
    // Of a share: that of the fate itself and that of the sum of all k.
    out.error_bound *= (k + 1) as f64 / least;
    judge(out, &s)
}

/// Fills in the fates of the cells of the chain. A resample without some edges may hold
/// walks that end nowhere; where the data have none, fates are those of the walks that
/// arrive, and a cell from which hardly any arrives has none. Returns the least share
/// that arrives, by which errors grow.
fn arrive(chain: &Transient, s: &Solved, start: &Start<'_>, out: &mut Replicate) -> f64 {
    let k = start.point.ncols();
    let mut least = 1.0f64;
    for (&cell, row) in chain.cells.iter().zip(s.x.chunks_exact(k + 1)) {
        let to = &mut out.fates[cell * k..(cell + 1) * k];
        // Within the bound of what was solved for.
        to.iter_mut()
            .zip(row)
            .for_each(|(p, x)| *p = x.clamp(0.0, 1.0));
        let all_arrive = start.point.row(cell).sum() > 1.0 - CERTAIN;
        let share: f64 = to.iter().sum();
        if !all_arrive {
            continue;
        }
        if share < FEW {
            to.fill(f64::NAN);
            continue;
        }
        least = least.min(share);
        to.iter_mut().for_each(|p| *p /= share);
    }
    least
}

/// The right-hand sides, steps into each state and a column of ones, and where the
/// solution starts.
fn sides(
    t: &Csr,
    states: &[Option<u32>],
    chain: &Transient,
    start: &Start<'_>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let k = start.point.ncols();
    let width = k + 1;
    let mut b = try_filled(chain.cells.len() * width, 0.0, "fate probabilities")?;
    let mut x = try_filled(chain.cells.len() * width, 0.0, "fate probabilities")?;
    for (at, &cell) in chain.cells.iter().enumerate() {
        let (own, guess) = (&mut b[at * width..][..width], &mut x[at * width..][..width]);
        let (cols, values) = row(t, cell);
        for (&j, &v) in cols.iter().zip(values) {
            if let Some(s) = states[j as usize] {
                own[s as usize] += v;
            }
        }
        own[k] = 1.0;
        for (g, &p) in guess.iter_mut().zip(start.point.row(cell)) {
            *g = if p.is_nan() { 0.0 } else { p };
        }
        guess[k] = start.times[cell];
    }
    Ok((b, x))
}

/// Refuses what is not good enough.
fn judge(out: &Replicate, s: &Solved) -> Result<()> {
    let nan = s.residuals.iter().any(|r| r.is_nan());
    let (what, residual, tolerance) = if nan || out.residual > ACCEPT {
        ("the fate probabilities of a resample", out.residual, ACCEPT)
    } else if out.error_bound.is_nan() || out.error_bound > WORST_ERROR {
        (
            "the error bound of the fate probabilities of a resample",
            out.error_bound,
            WORST_ERROR,
        )
    } else {
        return Ok(());
    };
    Err(CoreError::NotConverged {
        what: what.into(),
        iterations: out.iterations,
        residual,
        tolerance,
    })
}

/// The largest error of any fate from the bounds on the residuals of fates and of the
/// absorption times (the last of `k + 1` columns): with `(I - Q) v >= c > 0` it is `max
/// v max |r| / c`. NaN when v is no bound.
fn error_bound(range: &[(f64, f64)], x: &[f64], k: usize) -> f64 {
    let (mut worst, mut least, mut longest) = (0.0f64, f64::INFINITY, 0.0f64);
    for (range, x) in range.chunks_exact(k + 1).zip(x.chunks_exact(k + 1)) {
        for r in &range[..k] {
            worst = worst.max(-r.0).max(r.1);
        }
        // (I - Q) v = 1 - r
        least = least.min(1.0 - range[k].1);
        longest = longest.max(x[k]);
        if !(x[k] >= 0.0 && x[k].is_finite()) {
            return f64::NAN;
        }
    }
    if least > 0.0 {
        longest * worst / least
    } else {
        f64::NAN
    }
}
