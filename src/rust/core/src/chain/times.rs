//! Absorption times: how long a cell is on its way.
//!
//! Let every cell walk at random by the transition matrix until it arrives in a
//! terminal state. The number of steps it takes is its absorption time; its mean and
//! variance over all walks say how far the cell still has to go, and how variable
//! the way is. With several states the question is asked for each of them: of the
//! walks that end there, how long do they take?
//!
//! With Q the steps among the cells on their way, `N = (I - Q)^-1` and `f` the
//! probability of ending in the state (section 2.9 of the fate-mapping rules; Kemeny
//! & Snell 1976, ch. 3; the walk that is known to end in a state is Doob's
//! transform of the walk), the mean is `m = (N f) / f` and the variance
//! `2 N (N f) / f - m - m^2`. So each takes one more solve with the matrix that the
//! probabilities have been solved with, for all states together, and no inverse.
//!
//! As these are quotients by `f`, which may be tiny, it is not enough that residuals
//! are small in the norm: every solve is refined until they are small in every cell,
//! measured by the solution there. [`super::times_bound`] turns that into bounds on
//! the relative errors.

use super::absorption::{fate_probabilities, into_states, FateOptions, Fates};
use super::classes::reaching;
use super::times_bound::{bounds, Blocks, Bounds, WORST};
use super::transient::{Prepared, Transient};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::linalg::block;
use crate::sparse::Csr;
use ndarray::Array2;

/// How absorption times are computed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TimeOptions {
    /// Of the fate probabilities that they rest on, and of their own solves.
    pub fates: FateOptions,
    /// Whether variances are wanted, too.
    pub variance: bool,
}

/// Absorption times in steps of the chain, and what vouches for them.
#[derive(Debug, Clone)]
pub struct Times {
    /// Mean, cells x states, over the walks that end in the state: 0 for its own
    /// cells, infinite for cells of other states, NaN for cells that cannot reach it
    /// (or so rarely that the time cannot be told, see `unresolved`).
    pub means: Array2<f64>,
    /// Variance likewise; NaN for cells of other states.
    pub variances: Option<Array2<f64>>,
    /// Largest relative residual (2-norm) by state over the solves.
    pub residuals: Vec<f64>,
    /// Steps of the iterative solvers by state over the solves; 0 for the direct one.
    pub iterations: Vec<usize>,
    /// The solvers that had a part in it, joined by `+`.
    pub solver: &'static str,
    /// No mean has a larger relative error.
    pub error_bound: f64,
    /// No variance is further from the exact one than this times the second moment
    /// (variance plus squared mean); 0 without variances.
    pub variance_bound: f64,
    /// Cells from which no terminal state can be reached, ascending.
    pub unreachable: Vec<usize>,
    /// Cells that reach some state too rarely for their time to be told, ascending.
    pub unresolved: Vec<usize>,
}

/// Factor by which one round of refinement is to lower the residual.
const ROUND: f64 = 1e-9;
/// Rounds after which a solution is taken as it is, for the bounds to judge.
const ROUNDS: usize = 6;
/// A residual below this part of the solution is rounding.
const ROUNDING: f64 = 16.0 * f64::EPSILON;
/// Entries this much smaller than the largest of their column need no accuracy of
/// their own.
const TINY: f64 = 1e-20;
/// A fate probability whose residual is a larger part of it is no number.
const VAGUE: f64 = 1e-6;

/// Mean, and if wanted variance, of the number of steps to each of `n_states`
/// terminal states; `states[i]` is the state that cell i belongs to, `None` for a
/// cell on its way. With one state these are the unconditional times. O(entries *
/// steps * n_states) time, for the direct solver O(transient^3); O(entries + cells *
/// n_states) memory.
///
/// # Errors
/// Those of [`fate_probabilities`]; `not_converged` when residuals or error bounds
/// are not good enough or a variance is negative beyond its error.
pub fn absorption_times(
    exec: &Exec,
    t: &Csr,
    states: &[Option<u32>],
    n_states: usize,
    options: &TimeOptions,
) -> Result<Times> {
    let fates = fate_probabilities(exec, t, states, n_states, &options.fates)?;
    let mut times = frame(states, n_states, options.variance, &fates)?;
    let on_way = |&i: &usize| states[i].is_none() && fates.unreachable.binary_search(&i).is_err();
    let chain = Transient::new(t, (0..t.rows()).filter(on_way).collect())?;
    if chain.cells.is_empty() {
        return Ok(times);
    }
    let prepared = Prepared::new(exec, &chain, options.fates.solver)?;
    let mut system = System {
        exec,
        prepared: &prepared,
        chain: &chain,
        k: n_states,
        tolerance: options.fates.tolerance,
        residuals: vec![0.0; n_states],
        iterations: vec![0; n_states],
        solver: fates.solver,
    };
    let into = into_states(t, states, &chain.cells, n_states)?;
    let reached = reached(&chain, &into, n_states)?;
    let f = system.fates(&into, &fates, &reached)?;
    let zeros = || try_filled(f.len(), 0.0, "absorption times");
    let g = system.solve(&f, zeros()?)?;
    let h = match options.variance {
        true => Some(system.solve(&g, zeros()?)?),
        false => None,
    };
    system.judge()?;
    let solved = Blocks {
        into: &into,
        f: &f,
        g: &g,
        h: h.as_deref(),
    };
    let bounds = bounds(exec, &prepared, &chain, solved, n_states)?;
    fill(&mut times, &chain, &reached, solved, &bounds)?;
    times.residuals = system.residuals;
    times.iterations = system.iterations;
    times.solver = system.solver;
    Ok(times)
}

/// What is known without solving: the rows of terminal and of unreachable cells.
fn frame(states: &[Option<u32>], k: usize, variance: bool, fates: &Fates) -> Result<Times> {
    let mut means = Array2::from_elem((states.len(), k), f64::NAN);
    let mut variances = variance.then(|| means.clone());
    for (i, state) in states.iter().enumerate() {
        if let Some(own) = state {
            means.row_mut(i).fill(f64::INFINITY);
            means[[i, *own as usize]] = 0.0;
            if let Some(v) = &mut variances {
                v[[i, *own as usize]] = 0.0;
            }
        }
    }
    Ok(Times {
        means,
        variances,
        residuals: vec![0.0; k],
        iterations: vec![0; k],
        solver: fates.solver,
        error_bound: 0.0,
        variance_bound: 0.0,
        unreachable: fates.unreachable.clone(),
        unresolved: Vec::new(),
    })
}

/// Which cells of the chain can reach which state without passing another one.
fn reached(chain: &Transient, into: &[f64], k: usize) -> Result<Vec<Vec<bool>>> {
    let door = |c: usize| {
        let cells = 0..chain.cells.len();
        cells.filter(|i| into[i * k + c] > 0.0).collect::<Vec<_>>()
    };
    (0..k).map(|c| reaching(&chain.rates, &door(c))).collect()
}

/// The chain with its solver, and how the solves went.
struct System<'a, 'b> {
    exec: &'a Exec,
    prepared: &'a Prepared<'b>,
    chain: &'a Transient,
    k: usize,
    tolerance: f64,
    residuals: Vec<f64>,
    iterations: Vec<usize>,
    solver: &'static str,
}

impl System<'_, '_> {
    /// The fate probabilities to a small relative error in every cell; 0 where the
    /// state cannot be reached and where no digit of the probability is certain.
    fn fates(&mut self, into: &[f64], fates: &Fates, reached: &[Vec<bool>]) -> Result<Vec<f64>> {
        let k = self.k;
        let mut f = try_filled(into.len(), 0.0, "absorption times")?;
        for (i, (&cell, row)) in self
            .chain
            .cells
            .iter()
            .zip(f.chunks_exact_mut(k))
            .enumerate()
        {
            for (c, out) in row.iter_mut().enumerate() {
                if reached[c][i] {
                    *out = fates.probabilities[[cell, c]];
                }
            }
        }
        let mut f = self.solve(into, f)?;
        let (r, _) = block::residual(self.exec, self.chain, into, &f, k)?;
        for (at, (f, r)) in f.iter_mut().zip(r).enumerate() {
            let known = *f > 0.0 && r.abs() <= VAGUE * *f;
            if !known || !reached[at % k][at / k] {
                *f = 0.0;
            }
        }
        Ok(f)
    }

    /// Solves for the columns of `b` from `x`, until every entry of every residual
    /// is rounding (or far below the least that matters). Each round solves for what is missing, so that entries much
    /// smaller than the largest become accurate, too.
    fn solve(&mut self, b: &[f64], mut x: Vec<f64>) -> Result<Vec<f64>> {
        let k = self.k;
        let size = block::norms(self.exec, b, k)?;
        for round in 0.. {
            let (r, norms) = block::residual(self.exec, self.chain, b, &x, k)?;
            let mut least = vec![0.0f64; k];
            for (at, x) in x.iter().enumerate() {
                least[at % k] = least[at % k].max(TINY * x.abs());
            }
            let mut open = vec![false; k];
            for (at, (r, x)) in r.iter().zip(&x).enumerate() {
                let size = x.abs().max(least[at % k]);
                open[at % k] |= r.is_nan() || r.abs() > ROUNDING * size;
            }
            let open: Vec<usize> = (0..k).filter(|&c| open[c]).collect();
            if open.is_empty() || round == ROUNDS {
                for (c, out) in self.residuals.iter_mut().enumerate() {
                    let relative = if norms[c] == 0.0 {
                        0.0
                    } else {
                        norms[c] / size[c]
                    };
                    *out = if relative.is_nan() {
                        f64::INFINITY
                    } else {
                        out.max(relative)
                    };
                }
                break;
            }
            let missing = block::columns(&r, k, &open);
            let goal: Vec<f64> = open.iter().map(|&c| ROUND * norms[c]).collect();
            let accept: Vec<f64> = open.iter().map(|&c| self.tolerance * size[c]).collect();
            let start = try_filled(missing.len(), 0.0, "absorption times")?;
            let s = self
                .prepared
                .solve(self.exec, &missing, start, &goal, &accept)?;
            if s.solver.len() > self.solver.len() {
                self.solver = s.solver;
            }
            for (at, step) in s.x.into_iter().enumerate() {
                x[at / open.len() * k + open[at % open.len()]] += step;
            }
            for (&c, steps) in open.iter().zip(s.iterations) {
                self.iterations[c] += steps;
            }
        }
        Ok(x)
    }

    fn judge(&self) -> Result<()> {
        let worst = self.residuals.iter().copied().fold(0.0, f64::max);
        if worst <= self.tolerance {
            return Ok(());
        }
        Err(failed(
            "absorption times",
            worst,
            self.tolerance,
            &self.iterations,
        ))
    }
}

fn failed(what: &str, residual: f64, tolerance: f64, iterations: &[usize]) -> CoreError {
    CoreError::NotConverged {
        what: what.into(),
        iterations: iterations.iter().copied().max().unwrap_or(0),
        residual,
        tolerance,
    }
}

/// Fills in the rows of the cells on their way.
fn fill(
    times: &mut Times,
    chain: &Transient,
    reached: &[Vec<bool>],
    Blocks { f, g, h, .. }: Blocks<'_>,
    bounds: &Bounds,
) -> Result<()> {
    let k = reached.len();
    for (i, &cell) in chain.cells.iter().enumerate() {
        let mut vague = false;
        for c in (0..k).filter(|&c| reached[c][i]) {
            let at = i * k + c;
            let error = bounds.mean(at, f, g);
            if f[at] == 0.0 || error > WORST {
                vague = true;
                continue;
            }
            let mean = g[at] / f[at];
            times.means[[cell, c]] = mean;
            times.error_bound = times.error_bound.max(error);
            if let (Some(h), Some(variances)) = (h, &mut times.variances) {
                let second = 2.0 * h[at] / f[at] - mean;
                let error = bounds.variance(at, f, g, h);
                let variance = second - mean * mean;
                let relative = error / second;
                if variance < -error || relative.is_nan() || relative > WORST {
                    let what = "the variances of absorption times";
                    return Err(failed(what, relative.max(-variance / second), WORST, &[]));
                }
                variances[[cell, c]] = variance.max(0.0);
                times.variance_bound = times.variance_bound.max(relative);
            }
        }
        if vague {
            times.unresolved.push(cell);
        }
    }
    times.unresolved.sort_unstable();
    Ok(())
}

#[cfg(test)]
#[path = "times_tests.rs"]
mod tests;
