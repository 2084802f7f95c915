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
use super::bootstrap_solve::{fates, Replicate, Start};
use super::bootstrap_states::{Found, Reference};
use super::bootstrap_summary::{count_lost, Spread, Tally};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::sparse::{stochastic, Csr};
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

/// Resamples that are held at a time for every thread.
const AHEAD: usize = 2;

/// The terminal states of a bootstrap: the state of every cell (`None` on its way),
/// and, to find them anew in every resample, what to match them to.
#[derive(Debug, Clone, Copy)]
pub struct Terminal<'a, 'r> {
    pub states: &'a [Option<u32>],
    pub n_states: usize,
    pub recomputed: Option<&'a Reference<'r>>,
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
    terminal: &Terminal<'_, '_>,
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
    terminal: &Terminal<'_, '_>,
    point: ArrayView2<'_, f64>,
) -> Result<Replicate> {
    stochastic::check(exec, star)?;
    let start = Start {
        point,
        times: try_filled(star.rows(), 0.0, "absorption times")?,
    };
    resolve(exec, star, terminal, &start)
}

fn check(
    exec: &Exec,
    t: &Csr,
    terminal: &Terminal<'_, '_>,
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

/// The states of a resample, where they are looked for, and its fates.
fn resolve(
    exec: &Exec,
    star: &Csr,
    terminal: &Terminal<'_, '_>,
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
