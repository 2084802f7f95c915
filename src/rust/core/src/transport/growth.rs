//! How many descendants each cell has: from scores, and from the couplings.
//!
//! Signatures of proliferation and apoptosis give a first guess of the growth rate
//! (a birth-death process with logistic rates, Schiebinger et al. 2019). Transport
//! then says how many descendants every cell really got; taking those
//! numbers as the next guess and solving again, a few times, lets the data correct
//! the prior.

use super::cost::Cost;
use super::single::column_sums;
use super::sinkhorn::{solve, Marginals, Options, Solution, Start};
use crate::error::{try_with_capacity, Result};
use crate::exec::Exec;
use crate::math;

/// Largest and smallest rate, centre and width of a logistic rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logistic {
    pub max: f64,
    pub min: f64,
    pub center: f64,
    pub width: f64,
}

impl Logistic {
    /// The rate at a score; its slope at the centre is `(max - min) / width`.
    pub fn rate(&self, score: f64) -> f64 {
        let x = -4.0 * (score - self.center) / self.width;
        self.min + (self.max - self.min) / (1.0 + math::exp(x))
    }
}

/// Growth per unit time, `exp(birth - death)`, of each cell.
pub fn growth_rates(
    proliferation: &[f64],
    apoptosis: &[f64],
    birth: Logistic,
    death: Logistic,
) -> Vec<f64> {
    let rate = |(&p, &a): (&f64, &f64)| math::exp(birth.rate(p) - death.rate(a));
    proliferation.iter().zip(apoptosis).map(rate).collect()
}

/// The rounds of one pair of time points.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounds {
    /// The solution of each round; only the last keeps its vectors.
    pub solutions: Vec<Solution>,
    /// Growth per unit time: the prior one, then that after each round.
    pub growth: Vec<Vec<f64>>,
}

/// Solves `rounds` times, each time with the row sums of the plan before as the
/// new marginal. `growth` is per unit time; `columns` measures the residual of
/// the columns in the end. Each round starts from the potentials of the one before.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn grow(
    exec: &Exec,
    cost: &Cost,
    (growth, delta_t): (&[f64], f64),
    rounds: usize,
    start: Option<Start>,
    options: &Options,
    columns: bool,
) -> Result<Rounds> {
    let (n1, n2) = (cost.view().rows().n, cost.view().cols().n);
    let mut log_p = try_with_capacity(n1, "growth rates")?;
    log_p.extend(growth.iter().map(|&g| delta_t * math::ln(g)));
    let mut out = Rounds {
        solutions: Vec::new(),
        growth: vec![growth.to_vec()],
    };
    let mut start = start;
    let mut kappa0 = None;
    for _ in 0..rounds.max(1) {
        let log_q = vec![mean_log(&log_p); n2];
        let marginals = Marginals {
            log_p: &log_p,
            log_q: &log_q,
        };
        let mut solution = solve(exec, cost, marginals, start.as_ref(), kappa0, options)?;
        let last = out.growth.len() == rounds.max(1);
        if columns && last {
            let log_c = column_sums(exec, cost, &solution, options)?;
            solution.certificate.col_residual =
                column_residual(&log_c, &solution.g, &log_q, options.lambda[1]);
        }
        log_p.clone_from(&solution.log_r);
        let rates = log_p.iter().map(|&r| math::exp(r / delta_t));
        out.growth.push(rates.collect());
        kappa0 = Some(solution.kappa0);
        if !last {
            start = Some(Start {
                f: std::mem::take(&mut solution.f),
                g: std::mem::take(&mut solution.g),
            });
            solution.log_r = Vec::new();
        }
        out.solutions.push(solution);
    }
    Ok(out)
}

/// Logarithm of the mean of exponentials.
fn mean_log(log: &[f64]) -> f64 {
    let top = log.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
    let sum: f64 = log.iter().map(|&v| math::exp(v - top)).sum();
    top + math::ln(sum / log.len() as f64)
}

/// `mean |c - q exp(-g / lambda2)|` over the mean of the latter.
fn column_residual(log_c: &[f64], g: &[f64], log_q: &[f64], lambda: f64) -> f64 {
    let want = |j: usize| math::exp(log_q[j] - g[j] / lambda);
    let off: f64 = (0..g.len())
        .map(|j| (math::exp(log_c[j]) - want(j)).abs())
        .sum();
    off / (0..g.len()).map(want).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_from_scores_are_the_known_ones() {
        let birth = Logistic {
            max: 1.7,
            min: 0.3,
            center: 0.25,
            width: 0.5,
        };
        let death = Logistic {
            center: 0.1,
            width: 0.2,
            ..birth
        };
        let found = growth_rates(&[0.0, 0.25, 1.0, -0.5], &[0.0, 0.1, 0.0, 0.5], birth, death);
        for (f, want) in found.iter().zip([1.0, 1.0, 3.420047, 0.247568]) {
            assert!((f - want).abs() < 1e-6);
        }
        assert!((birth.rate(1.0) - 1.696538).abs() < 1e-6);
        assert!((death.rate(0.0) - 0.466884).abs() < 1e-6);
    }
}
