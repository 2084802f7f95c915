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

use super::classes::{reaching, Backward};
use super::reach::states_reached;
use super::solve::{CERTIFICATE, MEMORY};
use super::transient::{Prepared, Transient};
use super::words::Words;
use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::linalg::block;
use crate::sparse::csr::{row, Csr};
use crate::sparse::stochastic;
use ndarray::Array2;

pub use super::solve::Preconditioner;
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
    pub preconditioner: Preconditioner,
    /// Largest relative residual (2-norm, per column) that is accepted. The solver
    /// always aims at 1e-10.
    pub tolerance: f64,
    /// Largest distance of a row sum from one that is accepted.
    pub check_sum_tolerance: f64,
    pub on_unreachable: OnUnreachable,
    /// Bytes that the factors of the direct solver may take.
    pub memory: f64,
}

impl Default for FateOptions {
    fn default() -> Self {
        FateOptions {
            solver: Solver::Auto,
            preconditioner: Preconditioner::Auto,
            tolerance: 1e-6,
            check_sum_tolerance: 1e-3,
            on_unreachable: OnUnreachable::Error,
            memory: MEMORY,
        }
    }
}

/// Fate probabilities and what vouches for them.
#[derive(Debug, Clone)]
pub struct Fates {
    /// Cells x terminal states. Rows sum to one; NaN for unreachable cells, and
    /// below one for cells that may step to such a cell.
    pub probabilities: Array2<f64>,
    /// Relative residual (2-norm) of each column, before the solution is rounded to
    /// double precision.
    pub residuals: Vec<f64>,
    /// Steps of the iterative solvers for each column; 0 for the direct one.
    pub iterations: Vec<usize>,
    /// `direct`, `sweep`, `gmres` or `bicgstab`; several joined by `+` where one took
    /// over from another.
    pub solver: &'static str,
    /// No probability is further than this from the exact one.
    pub error_bound: f64,
    /// Cells from which no terminal state can be reached, ascending.
    pub unreachable: Vec<usize>,
    /// Number of cells, outside the states, from which each state cannot be reached;
    /// their probability is exactly 0 (NaN where no state can be reached).
    pub unreachable_by_state: Vec<usize>,
    /// Number of cells that were solved for.
    pub transient: usize,
    /// Number of communicating classes among them.
    pub classes: usize,
    /// Largest probability, over cells, of ending in none of the states. 0 unless
    /// some cells are unreachable.
    pub escape: f64,
}

/// Relative residual that the solvers aim at.
const AIM: f64 = 1e-10;
/// Error bound that they aim at where that is not enough.
const AIM_ERROR: f64 = 3e-9;
/// Residual above which a vector bounds no errors.
const UNSOUND: f64 = 0.9;
/// Largest error bound that is accepted.
const WORST_ERROR: f64 = 1e-4;

/// Fate probabilities of every cell towards `n_states` terminal states; `states[i]`
/// is the state that cell i belongs to, `None` for a cell on its way. Cells of a
/// state have probability 1 for it. O(entries * steps * n_states) time.
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
    let mut way = Backward::new(t)?.order(&terminal)?;
    let mut reached = try_filled(n, false, "fate probabilities")?;
    way.iter().for_each(|&i| reached[i] = true);
    let unreachable: Vec<usize> = (0..n).filter(|&i| !reached[i]).collect();
    if !unreachable.is_empty() && options.on_unreachable == OnUnreachable::Error {
        return Err(CoreError::Unreachable {
            count: unreachable.len(),
            cells: unreachable.into_iter().take(SHOWN).collect(),
        });
    }
    let escaping = if unreachable.is_empty() {
        Vec::new()
    } else {
        reaching(t, &unreachable)?
    };
    way.drain(..terminal.len());
    let (chain, class) = Transient::by_class(exec, t, way)?;
    let mut fates = Fates {
        probabilities: Array2::zeros((n, n_states)),
        residuals: vec![0.0; n_states],
        iterations: vec![0; n_states],
        solver: "none",
        error_bound: 0.0,
        unreachable_by_state: vec![unreachable.len(); n_states],
        transient: chain.cells.len(),
        classes: class.last().map_or(0, |&c| c as usize + 1),
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
        let system = System::new(t, states, chain, &class, escaping, n_states)?;
        system.solve(exec, options, &mut fates)?;
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

/// What is solved: the chain, the steps into the states, and what is known before.
struct System {
    chain: Transient,
    /// Probability of stepping into each state, cells x states.
    into: Vec<f64>,
    /// Whether each state can be reached, cells x states; no cell is without one.
    reached: Vec<bool>,
    /// By cell of the whole chain, whether its mass may end in no state at all;
    /// empty when that is true of none.
    escaping: Vec<bool>,
    states: usize,
}

impl System {
    fn new(
        t: &Csr,
        states: &[Option<u32>],
        chain: Transient,
        class: &[u32],
        escaping: Vec<bool>,
        k: usize,
    ) -> Result<System> {
        let into = into_states(t, states, &chain.cells, k)?;
        let reached = states_reached(&chain.rates, class, &into, k)?;
        Ok(System {
            chain,
            into,
            reached,
            escaping,
            states: k,
        })
    }

    /// Solves the chain and fills in the rows of its cells.
    fn solve(&self, exec: &Exec, options: &FateOptions, fates: &mut Fates) -> Result<()> {
        let (chain, k) = (&self.chain, self.states);
        let m = chain.cells.len();
        let size = block::norms(exec, &self.into, k)?;
        let prepared = Prepared::with(
            exec,
            chain,
            options.solver,
            options.preconditioner,
            options.memory,
        )?;
        // Below this a residual is rounding.
        let floor = f64::EPSILON * 0.25 * (m as f64).sqrt();
        let first = self.first(exec, &prepared, &size, floor, options, fates)?;
        let longest = first.longest;
        let pair = (chain, &prepared);
        let target = vec![AIM_ERROR / longest; k];
        let mut x = first.fates;
        self.forget_unreachable(&mut x);
        let mut refined = Words::refined(exec, pair, &self.into, x, &target)?;
        for (all, more) in fates.iterations.iter_mut().zip(&refined.iterations) {
            *all += more;
        }
        if refined.solver.len() > fates.solver.len() {
            fates.solver = refined.solver;
        }
        let worst = refined.worst.iter().copied().fold(0.0, f64::max);
        let moved = self.tidy(&mut refined.high, options, &fates.iterations)?;
        fates.error_bound = longest * worst + moved + f64::EPSILON;
        let norms = refined.norms.iter().zip(size);
        for (out, (&norm, size)) in fates.residuals.iter_mut().zip(norms) {
            *out = if norm == 0.0 { 0.0 } else { norm / size };
        }
        judge(fates, options)?;
        self.fill(&refined.high, fates);
        Ok(())
    }

    /// The states and the vector that bounds their errors in one block.
    fn first(
        &self,
        exec: &Exec,
        prepared: &Prepared<'_>,
        size: &[f64],
        floor: f64,
        options: &FateOptions,
        fates: &mut Fates,
    ) -> Result<First> {
        let k = self.states;
        let mut b = try_filled(self.chain.cells.len() * (k + 1), 1.0, "fate probabilities")?;
        let all: Vec<usize> = (0..k).collect();
        block::put_columns(&mut b, k + 1, &all, &self.into);
        let (mut goal, mut accept): (Vec<f64>, Vec<f64>) = size
            .iter()
            .map(|s| ((AIM * s).max(floor), (options.tolerance * s).max(floor)))
            .unzip();
        goal.push(CERTIFICATE.0);
        accept.push(CERTIFICATE.1);
        let start = try_filled(b.len(), 0.0, "fate probabilities")?;
        let s = prepared.solve(exec, &b, start, &goal, &accept)?;
        let v = block::columns(&s.x, k + 1, &[k]);
        let ones = try_filled(v.len(), 1.0, "absorption times")?;
        let pair = (&self.chain, prepared);
        let v = Words::refined(exec, pair, &ones, v, &[CERTIFICATE.1])?;
        if v.worst[0] > UNSOUND || !v.high.iter().all(|v| v.is_finite() && *v >= 0.0) {
            return Err(CoreError::NotConverged {
                what: "the bound on the absorption times".into(),
                iterations: s.iterations[k],
                residual: v.worst[0],
                tolerance: UNSOUND,
            });
        }
        // `(I - Q) v >= 1 - worst` has been checked; a few ulps for these roundings.
        let largest = v.high.iter().copied().fold(1.0, f64::max);
        let longest = largest * (1.0 + 8.0 * f64::EPSILON) / (1.0 - v.worst[0]);
        fates.solver = s.solver;
        fates.iterations = s.iterations[..k].to_vec();
        Ok(First {
            fates: block::columns(&s.x, k + 1, &all),
            longest,
        })
    }

    /// Zero where a state cannot be reached, whatever rounding left there.
    fn forget_unreachable(&self, x: &mut [f64]) {
        for (x, reached) in x.iter_mut().zip(&self.reached) {
            if !reached {
                *x = 0.0;
            }
        }
    }

    fn escapes(&self, cell: usize) -> bool {
        self.escaping.get(cell).copied().unwrap_or(false)
    }

    /// Sets rounding below zero to zero and makes rows sum to one where all mass ends
    /// in a state (item 5 of section 2.8). Returns how far a value was moved at most.
    fn tidy(&self, x: &mut [f64], options: &FateOptions, iterations: &[usize]) -> Result<f64> {
        let k = self.states;
        let (mut lowest, mut furthest, mut moved) = (0.0f64, 0.0f64, 0.0f64);
        let (mut negative, mut off) = (0, 0);
        let mut raw = vec![0.0; k];
        for (&cell, row) in self.chain.cells.iter().zip(x.chunks_exact_mut(k)) {
            raw.copy_from_slice(row);
            for p in row.iter_mut() {
                // NaN is below as well.
                if p.is_nan() || *p < -10.0 * options.tolerance {
                    negative += 1;
                    lowest = lowest.min(if p.is_nan() { f64::NEG_INFINITY } else { *p });
                }
                *p = p.max(0.0);
            }
            let sum: f64 = row.iter().sum();
            let far = if self.escapes(cell) {
                sum - 1.0
            } else {
                row.iter_mut().for_each(|p| *p /= sum);
                (sum - 1.0).abs()
            };
            off += usize::from(far > options.check_sum_tolerance);
            furthest = furthest.max(far);
            let change = raw.iter().zip(row.iter()).map(|(a, b)| (a - b).abs());
            moved = change.fold(moved, f64::max);
        }
        let failed = |what: String, residual, tolerance| {
            Err(CoreError::NotConverged {
                what,
                iterations: iterations.iter().copied().max().unwrap_or(0),
                residual,
                tolerance,
            })
        };
        if negative > 0 {
            let what = format!("{negative} negative fate probabilities");
            return failed(what, -lowest, 10.0 * options.tolerance);
        }
        if off > 0 {
            let what = format!("the fate probabilities of {off} cells, which do not sum to one");
            return failed(what, furthest, options.check_sum_tolerance);
        }
        Ok(moved)
    }

    fn fill(&self, x: &[f64], fates: &mut Fates) {
        let k = self.states;
        let rows = x.chunks_exact(k).zip(self.reached.chunks_exact(k));
        for (&cell, (row, reached)) in self.chain.cells.iter().zip(rows) {
            for (state, &p) in row.iter().enumerate() {
                fates.probabilities[[cell, state]] = p;
                fates.unreachable_by_state[state] += usize::from(!reached[state]);
            }
            if self.escapes(cell) {
                fates.escape = fates.escape.max(1.0 - row.iter().sum::<f64>());
            }
        }
    }
}

/// Fates as solved, and the longest time that absorption may take.
struct First {
    fates: Vec<f64>,
    longest: f64,
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
#[path = "absorption_hard_tests.rs"]
mod hard_tests;
#[cfg(test)]
#[path = "absorption_tests.rs"]
mod tests;
