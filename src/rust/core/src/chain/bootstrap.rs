//! How sure a fate is: fate probabilities of many resamples.
//!
//! A fate probability of 0.7 may rest on hundreds of cells or on a handful. The chain is
//! resampled many times ([`super::bootstrap_resample`]), the fates of every resample are
//! solved for, and their spread is the uncertainty. The terminal cells either stay as
//! they are or are found anew in every resample and matched to the states of the data
//! ([`super::bootstrap_states`]).
//!
//! Every resample draws from streams of its own and is solved on one thread; results
//! are added up in the order of the resamples, so they are the same on any number of
//! threads. Every solution carries the error bound of [`super::transient`], for which
//! the absorption times are solved for beside the fates.

use super::bootstrap_resample::Scheme;
use super::bootstrap_states::{Found, Reference};
use super::bootstrap_summary::{count_lost, Spread, Tally};
use super::classes::reaching;
use super::transient::{certificate, Prepared, Solver, Transient};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::linalg::block;
use crate::sparse::csr::{row, Csr};
use crate::sparse::stochastic;
use ndarray::ArrayView2;

/// Settings of a bootstrap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BootstrapOptions<'a> {
    pub scheme: Scheme<'a>,
    /// Number of resamples.
    pub n_boot: usize,
    pub seed: u64,
    /// Share of samples whose intervals are to hold the truth.
    pub confidence_level: f64,
}

/// The spread of fate probabilities and how it came about.
#[derive(Debug, Clone)]
pub struct Uncertainty {
    pub spread: Spread,
    /// Resamples in which all terminal states were found.
    pub used: usize,
    /// For each state, its overlap with the state that it was matched to, by resample
    /// (n_boot x states, row by row; 0 where none was found). Empty if fixed.
    pub overlaps: Vec<f64>,
    /// Resamples in which each cell could reach no terminal state.
    pub unreachable: Vec<u32>,
    /// Largest relative residual of all solutions.
    pub residual: f64,
    /// Largest error bound of all solutions.
    pub error_bound: f64,
    /// Most steps of a solver for one column.
    pub iterations: usize,
    /// The solver of the first resample.
    pub solver: &'static str,
}

/// Largest relative residual of a resample that is accepted, and the one aimed at:
/// far below the spread that is measured.
const ACCEPT: f64 = 1e-6;
const AIM: f64 = 1e-9;
/// Largest error bound that is accepted.
const WORST_ERROR: f64 = 1e-4;
/// Residual of the absorption times, which only have to bound.
const BOUND: f64 = 0.05;
/// Resamples that are held at a time for every thread.
const AHEAD: usize = 2;

/// The terminal states of a bootstrap: the state of every cell (`None` on its way),
/// and, to find them anew in every resample, what to match them to.
#[derive(Debug, Clone, Copy)]
pub struct Terminal<'a> {
    pub states: &'a [Option<u32>],
    pub n_states: usize,
    pub recomputed: Option<&'a Reference<'a>>,
}

/// Spread of the fate probabilities of `t` over resamples, around `point` (cells x
/// states; a row of NaN for a cell that reaches no state). O(n_boot) solutions,
/// memory O(threads * (entries + cells * states)) beside the sums.
///
/// # Errors
/// `shape`, `range`, `not_stochastic` for arguments that do not fit; `not_converged`
/// for a resample whose solution is not good enough; `no_state` when fewer than half
/// of the resamples show all terminal states; `memory`, `interrupted`.
pub fn bootstrap_fates(
    exec: &Exec,
    t: &Csr,
    terminal: &Terminal<'_>,
    point: ArrayView2<'_, f64>,
    options: &BootstrapOptions<'_>,
) -> Result<Uncertainty> {
    check(exec, t, terminal, point, options)?;
    let start = Start::new(exec, t, terminal.states, point)?;
    let one = |b: usize| {
        let serial = exec.inner();
        let star = options
            .scheme
            .resample(&serial, t, options.seed, b as u64)?;
        resolve(&serial, &star, terminal, &start)
    };
    let mut all = Collected::new(point)?;
    exec.control().begin(options.n_boot);
    let batch = AHEAD * exec.threads();
    for from in (0..options.n_boot).step_by(batch) {
        let size = batch.min(options.n_boot - from);
        let parts = exec.try_map_chunks(size, 1, |r| {
            let out = one(from + r.start);
            exec.control().tick(1);
            out
        })?;
        for part in parts {
            all.add(exec, part)?;
        }
    }
    all.finish(options)
}

/// The fates of one chain whose resampling is done elsewhere: cells x states, row by
/// row, NaN where no state can be reached, checked as those of [`bootstrap_fates`].
///
/// # Errors
/// As [`bootstrap_fates`].
pub fn replicate(
    exec: &Exec,
    star: &Csr,
    terminal: &Terminal<'_>,
    point: ArrayView2<'_, f64>,
) -> Result<Replicate> {
    stochastic::check(exec, star)?;
    let start = Start {
        point,
        times: try_filled(star.rows(), 0.0, "absorption times")?,
    };
    resolve(exec, star, terminal, &start)
}

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

fn check(
    exec: &Exec,
    t: &Csr,
    terminal: &Terminal<'_>,
    point: ArrayView2<'_, f64>,
    options: &BootstrapOptions<'_>,
) -> Result<()> {
    let n = t.rows();
    for (what, expected, found) in [
        ("the columns of the transition matrix", n, t.cols()),
        ("the terminal states by cell", n, terminal.states.len()),
        ("the fate probabilities by cell", n, point.nrows()),
        (
            "the fate probabilities by state",
            terminal.n_states,
            point.ncols(),
        ),
    ] {
        if expected != found {
            return Err(CoreError::Shape {
                what: what.into(),
                expected,
                found,
            });
        }
    }
    let level = options.confidence_level;
    for (what, value, wrong, allowed) in [
        (
            "the number of resamples",
            options.n_boot as f64,
            options.n_boot < 2,
            "2 or more",
        ),
        (
            "the confidence level",
            level,
            !(level > 0.0 && level < 1.0),
            "between 0 and 1",
        ),
    ] {
        if wrong {
            return Err(CoreError::Range {
                what: what.into(),
                value,
                allowed: allowed.into(),
            });
        }
    }
    options.scheme.check(n)?;
    stochastic::check(exec, t)
}

/// Where the solutions of resamples start: fates and absorption times of the data.
struct Start<'a> {
    point: ArrayView2<'a, f64>,
    times: Vec<f64>,
}

impl<'a> Start<'a> {
    fn new(
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

/// The states of a resample, where they are looked for, and its fates.
fn resolve(
    exec: &Exec,
    star: &Csr,
    terminal: &Terminal<'_>,
    start: &Start<'_>,
) -> Result<Replicate> {
    let Some(reference) = terminal.recomputed else {
        return fates(exec, star, terminal.states, terminal.n_states, start);
    };
    let Found { states, overlaps } = reference.find(exec, star)?;
    let mut out = match states {
        Some(states) => fates(exec, star, &states, terminal.n_states, start)?,
        None => Replicate {
            fates: Vec::new(),
            overlaps: Vec::new(),
            residual: 0.0,
            error_bound: 0.0,
            iterations: 0,
            solver: "",
        },
    };
    out.overlaps = overlaps;
    Ok(out)
}

/// Fates of one chain, with residual and error bound.
fn fates(
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
    let m = chain.cells.len();
    let mut b = try_filled(m * width, 0.0, "fate probabilities")?;
    let mut x = try_filled(m * width, 0.0, "fate probabilities")?;
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
    let size = block::norms(exec, &b, width)?;
    let longest = start.times.iter().copied().fold(1.0, f64::max);
    let floor = f64::EPSILON * 0.25 * (m as f64).sqrt();
    let limits = |relative: f64, error: f64, bound: f64| {
        let mut goal: Vec<f64> = size[..k]
            .iter()
            .map(|s| (relative * s).min(error / longest).max(floor))
            .collect();
        goal.push(bound);
        goal
    };
    let (goal, accept) = (
        limits(AIM, 1e-3 * WORST_ERROR, BOUND),
        limits(ACCEPT, 0.1 * WORST_ERROR, 0.3),
    );
    let prepared = Prepared::new(exec, chain, Solver::Auto)?;
    let s = prepared.solve(exec, &b, x, &goal, &accept)?;
    out.solver = s.solver;
    out.iterations = s.iterations.iter().copied().max().unwrap_or(0);
    out.residual = (0..k)
        .filter(|&c| size[c] > 0.0)
        .map(|c| s.residuals[c] / size[c])
        .fold(0.0, f64::max);
    out.error_bound = error_bound(&chain.residual_range(exec, &b, &s.x, width)?, &s.x, k);
    let nan = s.residuals.iter().any(|r| r.is_nan());
    let failed = |what: &str, residual, tolerance| {
        Err(CoreError::NotConverged {
            what: what.into(),
            iterations: out.iterations,
            residual,
            tolerance,
        })
    };
    if nan || out.residual > ACCEPT {
        return failed("the fate probabilities of a resample", out.residual, ACCEPT);
    }
    if out.error_bound.is_nan() || out.error_bound > WORST_ERROR {
        let what = "the error bound of the fate probabilities of a resample";
        return failed(what, out.error_bound, WORST_ERROR);
    }
    for (&cell, row) in chain.cells.iter().zip(s.x.chunks_exact(width)) {
        // Within the bound of what was solved for.
        let to = &mut out.fates[cell * k..(cell + 1) * k];
        to.iter_mut()
            .zip(row)
            .for_each(|(p, x)| *p = x.clamp(0.0, 1.0));
    }
    Ok(())
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

/// What has been added up so far.
struct Collected {
    tally: Tally,
    overlaps: Vec<f64>,
    unreachable: Vec<u32>,
    used: usize,
    residual: f64,
    error_bound: f64,
    iterations: usize,
    solver: &'static str,
}

impl Collected {
    fn new(point: ArrayView2<'_, f64>) -> Result<Collected> {
        Ok(Collected {
            tally: Tally::new(point)?,
            overlaps: Vec::new(),
            unreachable: try_filled(point.nrows(), 0, "the spread of fates")?,
            used: 0,
            residual: 0.0,
            error_bound: 0.0,
            iterations: 0,
            solver: "",
        })
    }

    fn add(&mut self, exec: &Exec, part: Replicate) -> Result<()> {
        self.overlaps.extend(part.overlaps);
        if part.fates.is_empty() {
            return Ok(());
        }
        self.used += 1;
        if self.used == 1 {
            self.solver = part.solver;
        }
        self.residual = self.residual.max(part.residual);
        self.error_bound = self.error_bound.max(part.error_bound);
        self.iterations = self.iterations.max(part.iterations);
        count_lost(&mut self.unreachable, &part.fates);
        self.tally.add(exec, &part.fates)
    }

    fn finish(self, options: &BootstrapOptions<'_>) -> Result<Uncertainty> {
        if self.used < 2 || 2 * self.used < options.n_boot {
            return Err(CoreError::NoState {
                reason: format!(
                    "all terminal states were found in only {} of {} resamples",
                    self.used, options.n_boot
                ),
            });
        }
        Ok(Uncertainty {
            spread: self
                .tally
                .spread(options.confidence_level, options.scheme.inflation())?,
            used: self.used,
            overlaps: self.overlaps,
            unreachable: self.unreachable,
            residual: self.residual,
            error_bound: self.error_bound,
            iterations: self.iterations,
            solver: self.solver,
        })
    }
}

#[cfg(test)]
#[path = "bootstrap_tests.rs"]
mod tests;
