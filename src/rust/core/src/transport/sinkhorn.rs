//! Unbalanced optimal transport by Sinkhorn's iteration in the log domain.
//!
//! Cells of one day are matched with cells of the next so that little has to
//! change in expression, cells that divide have more descendants, and mass may
//! appear and vanish at a price. In means over cells, the plan R minimises
//! `lambda1 mean KL(r | p) + lambda2 mean KL(c | q) + mean [R C + epsilon (R log R -
//! R + K)]` with r and c its row and column means (Chizat et al. 2018;
//! Schiebinger et al. 2019). The plan is `exp((f_i + g_j - C_ij) / epsilon)`; rows
//! and columns are updated in turn, with a correction by groups of cells
//! ([`super::coarse`]) in between, until the duality gap is small
//! ([`super::certificate`]).

use super::certificate::{alpha, plain, Certificate, State};
use super::coarse::{shifts, Groups};
use super::cost::{Cost, View};
use super::frame::Frame;
use super::pass::{row_sums, Potentials, Precision, Sums};
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::math;

/// Problems with at most so many pairs are summed in double precision.
const SMALL: usize = 1 << 18;
/// Row sums as good as this are as good as single precision makes them.
const FLOOR: f64 = 1e-7;

/// Parameters of the iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Entropic regularisation, in units of the cost.
    pub epsilon: f64,
    /// Price of deviating from the marginals of sources and of targets; may be
    /// infinite.
    pub lambda: [f64; 2],
    /// Relative duality gap to reach.
    pub tolerance: f64,
    /// Iterations at most.
    pub max_iter: usize,
    /// Whether to correct by groups.
    pub correct: bool,
    /// How to sum; `None` decides by the size of the problem.
    pub precision: Option<Precision>,
}

/// Marginals in logarithms, by cell.
#[derive(Debug, Clone, Copy)]
pub struct Marginals<'a> {
    pub log_p: &'a [f64],
    pub log_q: &'a [f64],
}

/// Potentials to start from, by cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    pub f: Vec<f64>,
    pub g: Vec<f64>,
}

/// A solution. Vectors by cell, in the order they were given in.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    pub f: Vec<f64>,
    pub g: Vec<f64>,
    /// Logarithms of the row sums of the plan.
    pub log_r: Vec<f64>,
    /// Mean of `exp(-C / epsilon)`.
    pub kappa0: f64,
    pub certificate: Certificate,
    pub iterations: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

/// Potentials by slot, with what does not change during the iteration.
pub(super) struct Iteration<'a> {
    cost: &'a Cost,
    options: &'a Options,
    precision: Precision,
    log_p: Vec<f64>,
    log_q: Vec<f64>,
    pub(super) f: Vec<f64>,
    pub(super) g: Vec<f64>,
}

/// Solves one problem. `kappa0` of an earlier solution with the same cost saves a
/// pass when there is a start. Two passes over all pairs per iteration; memory 64
/// (n1 + n2) bytes and the masses of groups.
///
/// Reaching `max_iter` is not an error: the solution says so.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn solve(
    exec: &Exec,
    cost: &Cost,
    marginals: Marginals<'_>,
    start: Option<&Start>,
    kappa0: Option<f64>,
    options: &Options,
) -> Result<Solution> {
    let mut it = Iteration::new(cost, marginals, start, options)?;
    let mut kappa0 = match (start, kappa0) {
        (Some(_), None) => Some(it.mean_kernel(exec)?),
        (_, known) => known,
    };
    let mut progress = Progress::new(options);
    for iterations in 0.. {
        let sums = it.rows(exec)?;
        let log_r = less_log(cost.view(), sums.log);
        let mean_kernel = *kappa0.get_or_insert_with(|| mean_exp(cost.view().rows(), &log_r));
        if iterations > 0 {
            let solution = it.judge(&log_r, mean_kernel, iterations)?;
            progress.show(exec, &solution.certificate);
            if solution.converged || iterations == options.max_iter {
                return Ok(solution);
            }
        }
        it.update_rows(&log_r);
        if options.correct {
            it.correct(&sums.masses);
        }
        it.update_columns(exec)?;
    }
    unreachable!("the loop ends at max_iter")
}

impl<'a> Iteration<'a> {
    pub(super) fn new(
        cost: &'a Cost,
        marginals: Marginals<'_>,
        start: Option<&Start>,
        options: &'a Options,
    ) -> Result<Iteration<'a>> {
        let (rows, cols) = (cost.view().rows(), cost.view().cols());
        let precision = options.precision.unwrap_or({
            if rows.n.saturating_mul(cols.n) <= SMALL {
                Precision::Double
            } else {
                Precision::Single
            }
        });
        let first = |frame: &Frame, given: Option<&Vec<f64>>| match given {
            Some(values) => frame.spread(values, 0.0),
            None => try_filled(frame.slots(), 0.0, "potentials"),
        };
        Ok(Iteration {
            cost,
            options,
            precision,
            log_p: rows.spread(marginals.log_p, 0.0)?,
            log_q: cols.spread(marginals.log_q, 0.0)?,
            f: first(rows, start.map(|s| &s.f))?,
            g: first(cols, start.map(|s| &s.g))?,
        })
    }

    fn over_epsilon(&self, frame: &Frame, potentials: &[f64]) -> Result<Vec<f64>> {
        let mut out = try_filled(frame.slots(), f64::NEG_INFINITY, "potentials")?;
        for (slot, _) in frame.held() {
            out[slot] = potentials[slot] / self.options.epsilon;
        }
        Ok(out)
    }

    fn alpha(&self, side: usize) -> f64 {
        alpha(self.options.lambda[side], self.options.epsilon)
    }

    /// Row sums, and the masses of groups after the coming update of f.
    pub(super) fn rows(&self, exec: &Exec) -> Result<Sums> {
        let view = self.cost.view();
        let u = self.over_epsilon(view.rows(), &self.f)?;
        let v = self.over_epsilon(view.cols(), &self.g)?;
        let (alpha, epsilon) = (self.alpha(0), self.options.epsilon);
        let log_n = math::ln(view.cols().n as f64);
        let shift = |slot: usize, log: f64| {
            let f = self.f[slot];
            (plain(alpha, epsilon, f, self.log_p[slot], log - log_n) - f) / epsilon
        };
        let at = Potentials { rows: &u, cols: &v };
        let shift = self.options.correct.then_some(shift);
        row_sums(exec, view, at, self.precision, shift)
    }

    /// `mean exp(-C / epsilon)`, whatever the potentials.
    fn mean_kernel(&self, exec: &Exec) -> Result<f64> {
        let view = self.cost.view();
        let zero = |frame: &Frame| self.over_epsilon(frame, &vec![0.0; frame.slots()]);
        let (u, v) = (zero(view.rows())?, zero(view.cols())?);
        let at = Potentials { rows: &u, cols: &v };
        let sums = row_sums(exec, view, at, self.precision, NO_SHIFT)?;
        Ok(mean_exp(view.rows(), &less_log(view, sums.log)))
    }

    pub(super) fn update_rows(&mut self, log_r: &[f64]) {
        let (alpha, epsilon) = (self.alpha(0), self.options.epsilon);
        for (slot, _) in self.cost.view().rows().held() {
            self.f[slot] = plain(alpha, epsilon, self.f[slot], self.log_p[slot], log_r[slot]);
        }
    }

    pub(super) fn update_columns(&mut self, exec: &Exec) -> Result<()> {
        let log_c = self.columns(exec)?;
        let (alpha, epsilon) = (self.alpha(1), self.options.epsilon);
        for (slot, _) in self.cost.turned().rows().held() {
            self.g[slot] = plain(alpha, epsilon, self.g[slot], self.log_q[slot], log_c[slot]);
        }
        Ok(())
    }

    /// Logarithms of the column sums.
    pub(super) fn columns(&self, exec: &Exec) -> Result<Vec<f64>> {
        let view = self.cost.turned();
        let u = self.over_epsilon(view.rows(), &self.g)?;
        let v = self.over_epsilon(view.cols(), &self.f)?;
        let at = Potentials { rows: &u, cols: &v };
        let sums = row_sums(exec, view, at, self.precision, NO_SHIFT)?;
        Ok(less_log(view, sums.log))
    }

    /// Shifts f and g by the coarse correction; `masses` are those of the present
    /// f, by panel of rows.
    fn correct(&mut self, masses: &[f64]) {
        let (rows, cols) = (self.cost.view().rows(), self.cost.view().cols());
        let (k, l) = (rows.groups, cols.groups);
        let pairs = rows.n as f64 * cols.n as f64;
        let mut mass = vec![0.0; k * l];
        for (panel, part) in rows.panels.iter().zip(masses.chunks_exact(l)) {
            let to = &mut mass[panel.group as usize * l..][..l];
            to.iter_mut().zip(part).for_each(|(m, v)| *m += v);
        }
        let logs = |sums: Vec<f64>, n: f64| -> Vec<f64> {
            sums.into_iter().map(|v| math::ln(v / n)).collect()
        };
        let side = |frame: &Frame, log: &[f64], x: &[f64], lambda: f64| {
            let mut sums = vec![0.0; frame.groups];
            for (slot, _) in frame.held() {
                sums[frame.group(slot)] += math::exp(log[slot] - x[slot] / lambda);
            }
            logs(sums, frame.n as f64)
        };
        let [lambda1, lambda2] = self.options.lambda;
        let groups = Groups {
            mass: logs(mass, pairs),
            a: side(rows, &self.log_p, &self.f, lambda1),
            b: side(cols, &self.log_q, &self.g, lambda2),
        };
        let (s, t) = shifts(&groups, self.options.epsilon, self.options.lambda);
        for (slot, _) in rows.held() {
            self.f[slot] += s[rows.group(slot)];
        }
        for (slot, _) in cols.held() {
            self.g[slot] += t[cols.group(slot)];
        }
    }

    /// The solution as it stands, with its certificate.
    fn judge(&self, log_r: &[f64], kappa0: f64, iterations: usize) -> Result<Solution> {
        let (rows, cols) = (self.cost.view().rows(), self.cost.view().cols());
        let (f, g) = (rows.gather(&self.f)?, cols.gather(&self.g)?);
        let log_r = rows.gather(log_r)?;
        let certificate = State {
            epsilon: self.options.epsilon,
            lambda: self.options.lambda,
            f: &f,
            g: &g,
            log_p: &rows.gather(&self.log_p)?,
            log_q: &cols.gather(&self.log_q)?,
            log_r: &log_r,
            kappa0,
        }
        .certify();
        let floor = match self.precision {
            Precision::Single => FLOOR,
            Precision::Double => FLOOR * FLOOR,
        };
        let met = if certificate.gap.is_nan() {
            certificate.row_residual <= self.options.tolerance
        } else {
            certificate.relative_gap <= self.options.tolerance
        };
        Ok(Solution {
            f,
            g,
            log_r,
            kappa0,
            certificate,
            iterations,
            converged: met || certificate.row_residual <= floor,
        })
    }
}

/// For passes that need no masses of groups.
const NO_SHIFT: Option<fn(usize, f64) -> f64> = None;

/// Means from sums, in logarithms.
pub(super) fn less_log(view: View<'_>, mut log: Vec<f64>) -> Vec<f64> {
    let log_n = math::ln(view.cols().n as f64);
    log.iter_mut().for_each(|v| *v -= log_n);
    log
}

fn mean_exp(frame: &Frame, log: &[f64]) -> f64 {
    let sum: f64 = frame.held().map(|(slot, _)| math::exp(log[slot])).sum();
    sum / frame.n as f64
}

/// Steps that one solve reports.
pub const STEPS: usize = 100;

/// How far the gap has come on its way to the tolerance.
struct Progress {
    target: f64,
    done: usize,
}

impl Progress {
    fn new(options: &Options) -> Progress {
        Progress {
            target: math::ln(options.tolerance),
            done: 0,
        }
    }

    fn show(&mut self, exec: &Exec, certificate: &Certificate) {
        let now = if certificate.gap.is_nan() {
            certificate.row_residual
        } else {
            certificate.relative_gap
        };
        let share = (math::ln(now.max(1e-300)) / self.target).clamp(0.0, 1.0);
        let done = ((share * STEPS as f64) as usize).max(self.done);
        exec.control().tick(done - self.done);
        self.done = done;
    }
}
