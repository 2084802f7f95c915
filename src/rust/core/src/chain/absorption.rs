//! Fate probabilities: where each cell ends.
//!
//! Let every cell walk at random by the transition matrix until it arrives in one of
//! the terminal states. The probabilities of ending in each of them are the cell's
//! fate probabilities. With Q the steps among the other (transient) cells and S the
//! steps into the states they solve `(I - Q) F = S` (section 2.8 of the fate-mapping
//! rules; Kemeny & Snell 1976, ch. 3).
//!
//! The result is certified: it comes with the relative residual of every column and
//! with a bound on the error of every probability (see [`super::transient`]).

use super::classes::reaching;
use super::transient::{certificate, Prepared, Solved, Transient};
use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::linalg::block;
use crate::sparse::csr::{row, Csr};
use crate::sparse::stochastic;
use ndarray::Array2;

pub use super::transient::Solver;

/// What to do about cells from which no terminal state can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnreachable {
    /// Refuse, naming them.
    Error,
    /// Leave their probabilities undefined (NaN).
    Na,
}

/// How fate probabilities are computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FateOptions {
    pub solver: Solver,
    /// Largest relative residual (2-norm, per column) that is accepted. The solver
    /// always aims at 1e-12.
    pub tolerance: f64,
    /// Largest distance of a row sum from one that is accepted.
    pub check_sum_tolerance: f64,
    pub on_unreachable: OnUnreachable,
}

impl Default for FateOptions {
    fn default() -> Self {
        FateOptions {
            solver: Solver::Auto,
            tolerance: 1e-6,
            check_sum_tolerance: 1e-3,
            on_unreachable: OnUnreachable::Error,
        }
    }
}

/// Fate probabilities and what vouches for them.
#[derive(Debug, Clone)]
pub struct Fates {
    /// Cells x terminal states. Rows sum to one; NaN for unreachable cells, and
    /// below one for cells that may step to such a cell.
    pub probabilities: Array2<f64>,
    /// Relative residual (2-norm) of each column, from the values returned.
    pub residuals: Vec<f64>,
    /// Steps of the iterative solvers for each column; 0 for the direct one.
    pub iterations: Vec<usize>,
    /// `direct`, `gmres` or `bicgstab`; several joined by `+` where one took over
    /// from another.
    pub solver: &'static str,
    /// No probability is further than this from the exact one.
    pub error_bound: f64,
    /// Cells from which no terminal state can be reached, ascending.
    pub unreachable: Vec<usize>,
    /// Number of cells that were solved for.
    pub transient: usize,
    /// Largest probability, over cells, of ending in none of the states. 0 unless
    /// some cells are unreachable.
    pub escape: f64,
}

/// Relative residual that the solvers aim at.
const AIM: f64 = 1e-12;
/// Error that they aim at where the certificate asks for more.
const AIM_ERROR: f64 = 1e-10;
/// Largest error bound that is accepted.
const WORST_ERROR: f64 = 1e-4;

/// Fate probabilities of every cell towards `n_states` terminal states; `states[i]`
/// is the state that cell i belongs to, `None` for a cell on its way. Cells of a
/// state have probability 1 for it. O(entries * steps * n_states) time, for the
/// direct solver O(transient^3).
///
/// # Errors
/// `shape`, `range`, `not_stochastic` for what is no transition matrix with one
/// state per cell; `no_state` for a state without cells or when every cell is
/// terminal; `unreachable` (see [`OnUnreachable`]); `not_converged` when residual,
/// row sums or error bound are not good enough; `singular`, `memory`, `interrupted`.
pub fn fate_probabilities(
    exec: &Exec,
    t: &Csr,
    states: &[Option<u32>],
    n_states: usize,
    options: &FateOptions,
) -> Result<Fates> {
    check(exec, t, states, n_states, options)?;
    let n = t.rows();
    let terminal: Vec<usize> = (0..n).filter(|&i| states[i].is_some()).collect();
    let reached = reaching(t, &terminal)?;
    let unreachable: Vec<usize> = (0..n).filter(|&i| !reached[i]).collect();
    if !unreachable.is_empty() && options.on_unreachable == OnUnreachable::Error {
        return Err(CoreError::Unreachable {
            count: unreachable.len(),
            cells: unreachable.into_iter().take(SHOWN).collect(),
        });
    }
    let escaping = reaching(t, &unreachable)?;
    let on_way = |i: &usize| states[*i].is_none() && reached[*i];
    let chain = Transient::new(t, (0..n).filter(on_way).collect())?;
    let mut fates = Fates {
        probabilities: Array2::zeros((n, n_states)),
        residuals: vec![0.0; n_states],
        iterations: vec![0; n_states],
        solver: "direct",
        error_bound: 0.0,
        transient: chain.cells.len(),
        escape: 0.0,
        unreachable,
    };
    for (i, state) in states.iter().enumerate() {
        if let Some(s) = state {
            fates.probabilities[[i, *s as usize]] = 1.0;
        }
    }
    for &i in &fates.unreachable {
        fates.probabilities.row_mut(i).fill(f64::NAN);
    }
    if !chain.cells.is_empty() {
        solve(exec, t, states, &chain, &escaping, options, &mut fates)?;
    }
    Ok(fates)
}

fn check(
    exec: &Exec,
    t: &Csr,
    states: &[Option<u32>],
    n_states: usize,
    options: &FateOptions,
) -> Result<()> {
    let shape = |what: &str, expected, found| {
        Err(CoreError::Shape {
            what: what.into(),
            expected,
            found,
        })
    };
    if t.cols() != t.rows() {
        return shape("the columns of the transition matrix", t.rows(), t.cols());
    }
    if states.len() != t.rows() {
        return shape("the terminal states by cell", t.rows(), states.len());
    }
    for (what, value) in [
        ("the tolerance", options.tolerance),
        ("the tolerance of row sums", options.check_sum_tolerance),
    ] {
        if value.is_nan() || value <= 0.0 {
            return Err(CoreError::Range {
                what: what.into(),
                value,
                allowed: "above 0".into(),
            });
        }
    }
    let mut cells = vec![0usize; n_states];
    for &s in states.iter().flatten() {
        match cells.get_mut(s as usize) {
            Some(count) => *count += 1,
            None => return shape("the number of terminal states", n_states, s as usize + 1),
        }
    }
    let reason = if n_states == 0 {
        "there is no terminal state".to_string()
    } else if let Some(empty) = cells.iter().position(|&c| c == 0) {
        format!("terminal state {} has no cell", empty + 1)
    } else if states.iter().all(Option::is_some) {
        "every cell is terminal".to_string()
    } else {
        return stochastic::check(exec, t);
    };
    Err(CoreError::NoState { reason })
}

/// Solves the chain and fills in the rows of its cells.
fn solve(
    exec: &Exec,
    t: &Csr,
    states: &[Option<u32>],
    chain: &Transient,
    escaping: &[bool],
    options: &FateOptions,
    fates: &mut Fates,
) -> Result<()> {
    let k = fates.residuals.len();
    let m = chain.cells.len();
    let b = into_states(t, states, &chain.cells, k)?;
    let prepared = Prepared::new(exec, chain, options.solver)?;
    let Some(v) = certificate(exec, &prepared)? else {
        return Err(CoreError::NotConverged {
            what: "the bound on the absorption times".into(),
            iterations: 0,
            residual: f64::INFINITY,
            tolerance: options.tolerance,
        });
    };
    let longest = v.x.iter().copied().fold(1.0, f64::max);
    let size = block::norms(exec, &b, k)?;
    // Below this a residual is rounding.
    let floor = f64::EPSILON * 0.25 * (m as f64).sqrt();
    let goal: Vec<f64> = size
        .iter()
        .map(|s| (AIM * s).min(AIM_ERROR / longest).max(floor))
        .collect();
    let accept: Vec<f64> = size
        .iter()
        .map(|s| {
            (options.tolerance * s)
                .min(0.1 * WORST_ERROR / longest)
                .max(floor)
        })
        .collect();
    let start = try_filled(b.len(), 0.0, "fate probabilities")?;
    let mut s = prepared.solve(exec, &b, start, &goal, &accept)?;
    let range = chain.residual_range(exec, &b, &s.x, k)?;
    let worst = range.iter().fold(0.0, |w: f64, r| w.max(-r.0).max(r.1));
    let moved = tidy(&mut s, k, chain, escaping, options)?;
    let (_, norms) = block::residual(exec, chain, &b, &s.x, k)?;
    fates.error_bound = longest * worst + moved;
    fates.solver = s.solver;
    fates.iterations = s.iterations;
    for (c, out) in fates.residuals.iter_mut().enumerate() {
        *out = if norms[c] == 0.0 {
            0.0
        } else {
            norms[c] / size[c]
        };
    }
    judge(fates, options)?;
    for (&cell, row) in chain.cells.iter().zip(s.x.chunks_exact(k)) {
        for (state, &p) in row.iter().enumerate() {
            fates.probabilities[[cell, state]] = p;
        }
        if escaping[cell] {
            fates.escape = fates.escape.max(1.0 - row.iter().sum::<f64>());
        }
    }
    Ok(())
}

/// S: the probability of stepping into each state, transient cells x states.
pub(super) fn into_states(
    t: &Csr,
    states: &[Option<u32>],
    cells: &[usize],
    k: usize,
) -> Result<Vec<f64>> {
    let mut b = try_filled(cells.len() * k, 0.0, "fate probabilities")?;
    for (&cell, out) in cells.iter().zip(b.chunks_exact_mut(k)) {
        let (cols, values) = row(t, cell);
        for (&c, &v) in cols.iter().zip(values) {
            if let Some(s) = states[c as usize] {
                out[s as usize] += v;
            }
        }
    }
    Ok(b)
}

/// Sets rounding below zero to zero and makes rows sum to one where all mass ends
/// in a state (item 5 of section 2.8). Returns how far a value was moved at most.
fn tidy(
    s: &mut Solved,
    k: usize,
    chain: &Transient,
    escaping: &[bool],
    options: &FateOptions,
) -> Result<f64> {
    let (mut lowest, mut furthest, mut moved) = (0.0f64, 0.0f64, 0.0f64);
    let mut raw = vec![0.0; k];
    for (&cell, row) in chain.cells.iter().zip(s.x.chunks_exact_mut(k)) {
        raw.copy_from_slice(row);
        for p in row.iter_mut() {
            lowest = lowest.min(*p);
            if p.is_nan() {
                lowest = f64::NEG_INFINITY;
            }
            *p = p.max(0.0);
        }
        let sum: f64 = row.iter().sum();
        if escaping[cell] {
            furthest = furthest.max(sum - 1.0);
        } else {
            furthest = furthest.max((sum - 1.0).abs());
            row.iter_mut().for_each(|p| *p /= sum);
        }
        let change = raw.iter().zip(row.iter()).map(|(a, b)| (a - b).abs());
        moved = change.fold(moved, f64::max);
    }
    let steps = s.iterations.iter().copied().max().unwrap_or(0);
    let failed = |what: &str, residual, tolerance| {
        Err(CoreError::NotConverged {
            what: what.into(),
            iterations: steps,
            residual,
            tolerance,
        })
    };
    if lowest < -10.0 * options.tolerance {
        return failed(
            "negative fate probabilities",
            -lowest,
            10.0 * options.tolerance,
        );
    }
    if furthest > options.check_sum_tolerance {
        return failed(
            "the row sums of fate probabilities",
            furthest,
            options.check_sum_tolerance,
        );
    }
    Ok(moved)
}

/// Refuses what is not good enough.
fn judge(fates: &Fates, options: &FateOptions) -> Result<()> {
    let steps = fates.iterations.iter().copied().max().unwrap_or(0);
    let worst = fates.residuals.iter().copied().fold(0.0, f64::max);
    let nan = fates.residuals.iter().any(|r| r.is_nan());
    let (what, residual, tolerance) = if nan || worst > options.tolerance {
        ("fate probabilities", worst, options.tolerance)
    } else if fates.error_bound.is_nan() || fates.error_bound > WORST_ERROR {
        (
            "the error bound of fate probabilities",
            fates.error_bound,
            WORST_ERROR,
        )
    } else {
        return Ok(());
    };
    Err(CoreError::NotConverged {
        what: what.into(),
        iterations: steps,
        residual,
        tolerance,
    })
}

#[cfg(test)]
#[path = "absorption_tests.rs"]
mod tests;
