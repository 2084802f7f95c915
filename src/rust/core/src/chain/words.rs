//! Solutions of twice the precision, for chains that are hardly ever left.
//!
//! Where leaving a group of cells takes 1e14 steps, an error of 1e-17 in one step adds
//! up to 1e-3, and no vector of double precision satisfies the equations better than
//! that. So the solution is kept as the sum of two numbers, its residual is formed
//! with products and sums whose rounding is carried along (Dekker 1971; Knuth 1969),
//! and corrections for that residual are solved for until the bound on the error is
//! good (Wilkinson 1963; Moler 1967). What is returned is the sum, rounded once.

use super::solve::Prepared;
use super::transient::Transient;
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::linalg::block;
use crate::sparse::csr::row;

/// Rows per task; each is independent of the others.
const ROWS: usize = 512;
/// Corrections before the solution is taken as it is.
const ROUNDS: usize = 8;
/// A correction that leaves more than this share of the residual ends it.
const PROGRESS: f64 = 0.5;
/// Reductions of the residual that are asked of one correction.
const REDUCTION: (f64, f64) = (1e-6, 0.1);
/// Rounding of a row of sums, relative to the sizes of its terms: 2^-96, some two
/// hundred times what one operation adds.
const ROUNDING: f64 = 1.3e-29;

/// A number as the sum of two that do not overlap.
#[derive(Debug, Clone, Copy)]
struct Word {
    high: f64,
    low: f64,
}

impl Word {
    /// `a + b` without rounding.
    #[inline(always)]
    fn sum(a: f64, b: f64) -> Word {
        let high = a + b;
        let part = high - a;
        let low = (a - (high - part)) + (b - part);
        Word { high, low }
    }

    /// `a b` without rounding, for sizes far from the ends of the range.
    #[inline(always)]
    fn product(a: f64, b: f64) -> Word {
        let ((ah, al), (bh, bl)) = (halves(a), halves(b));
        let high = a * b;
        let low = ((ah * bh - high) + ah * bl + al * bh) + al * bl;
        Word { high, low }
    }

    #[inline(always)]
    fn plus(self, other: Word) -> Word {
        let s = Word::sum(self.high, other.high);
        Word::sum(s.high, s.low + (self.low + other.low))
    }

    #[inline(always)]
    fn times(self, factor: f64) -> Word {
        let p = Word::product(self.high, factor);
        Word::sum(p.high, p.low + self.low * factor)
    }
}

/// A number as the sum of two of 26 bits each.
#[inline(always)]
fn halves(a: f64) -> (f64, f64) {
    let turned = 134_217_729.0 * a;
    let high = turned - (turned - a);
    (high, a - high)
}

/// A block of solutions, n x k, as sums of two numbers.
#[derive(Debug, Clone)]
pub(super) struct Words {
    pub high: Vec<f64>,
    low: Vec<f64>,
    /// Largest absolute value that the residual may have, by column; infinite where
    /// it is no number.
    pub worst: Vec<f64>,
    /// 2-norm of the residual by column.
    pub norms: Vec<f64>,
    /// Steps of the iterative solvers by column.
    pub iterations: Vec<usize>,
    /// The solvers that had a part in it; empty if none had.
    pub solver: &'static str,
}

impl Words {
    /// Corrects the solution `x` of `(I - Q) x = b` (n x k) until no entry of the
    /// residual of column c can be larger than `target[c]`, or that does not help.
    ///
    /// # Errors
    /// `interrupted`, `memory`, `singular`.
    pub fn refined(
        exec: &Exec,
        (chain, prepared): (&Transient, &Prepared<'_>),
        b: &[f64],
        x: Vec<f64>,
        target: &[f64],
    ) -> Result<Words> {
        let k = target.len();
        let low = try_filled(x.len(), 0.0, "fate probabilities")?;
        let mut now = Words {
            high: x,
            low,
            worst: Vec::new(),
            norms: Vec::new(),
            iterations: vec![0; k],
            solver: "",
        };
        let mut r = now.residual(exec, chain, b, k)?;
        for _ in 0..ROUNDS {
            let open: Vec<usize> = (0..k).filter(|&c| now.worst[c] > target[c]).collect();
            if open.is_empty() || !open.iter().all(|&c| now.norms[c].is_finite()) {
                break;
            }
            let (goal, accept): (Vec<f64>, Vec<f64>) = open
                .iter()
                .map(|&c| {
                    let wanted = 0.3 * target[c] / now.worst[c];
                    let goal = wanted.clamp(REDUCTION.0, REDUCTION.1) * now.norms[c];
                    (goal, PROGRESS * now.norms[c])
                })
                .unzip();
            let part = block::columns(&r, k, &open);
            let zeros = try_filled(part.len(), 0.0, "fate probabilities")?;
            let d = prepared.solve(exec, &part, zeros, &goal, &accept)?;
            let mut next = now.clone();
            next.add(&d.x, k, &open);
            for (&c, steps) in open.iter().zip(&d.iterations) {
                next.iterations[c] += steps;
            }
            if d.solver.len() > next.solver.len() {
                next.solver = d.solver;
            }
            let rest = next.residual(exec, chain, b, k)?;
            let better = |c: &usize| next.worst[*c] <= PROGRESS * now.worst[*c];
            if !open.iter().any(better) {
                break;
            }
            (now, r) = (next, rest);
        }
        Ok(now)
    }

    /// Adds the columns `d` to the columns `which`.
    fn add(&mut self, d: &[f64], k: usize, which: &[usize]) {
        let rows = self
            .high
            .chunks_exact_mut(k)
            .zip(self.low.chunks_exact_mut(k));
        for ((high, low), d) in rows.zip(d.chunks_exact(which.len())) {
            for (&c, &d) in which.iter().zip(d) {
                let s = Word::sum(high[c], d);
                let s = Word::sum(s.high, s.low + low[c]);
                (high[c], low[c]) = (s.high, s.low);
            }
        }
    }

    /// `b - (I - Q) x`, rounded once, and what is known about it. O(entries * k).
    fn residual(
        &mut self,
        exec: &Exec,
        chain: &Transient,
        b: &[f64],
        k: usize,
    ) -> Result<Vec<f64>> {
        let n = chain.leak.len();
        let parts = exec.map_chunks(n, ROWS, |rows| {
            let mut r = Vec::with_capacity(rows.len() * k);
            let mut worst = vec![0.0f64; k];
            for i in rows {
                for (c, worst) in worst.iter_mut().enumerate() {
                    let (value, most) = self.entry(chain, b[i * k + c], i, c, k);
                    r.push(value);
                    *worst = if most.is_nan() {
                        f64::INFINITY
                    } else {
                        worst.max(most)
                    };
                }
            }
            (r, worst)
        })?;
        let mut r = Vec::with_capacity(n * k);
        self.worst = vec![0.0; k];
        for (part, worst) in parts {
            r.extend(part);
            for (all, w) in self.worst.iter_mut().zip(worst) {
                *all = all.max(w);
            }
        }
        self.norms = block::norms(exec, &r, k)?;
        Ok(r)
    }

    /// One entry of the residual, and the most that its absolute value can be.
    fn entry(&self, chain: &Transient, b: f64, i: usize, c: usize, k: usize) -> (f64, f64) {
        let (cols, rates) = row(&chain.rates, i);
        let at = i * k + c;
        let (high, low) = (self.high[at], self.low[at]);
        let own = Word { high, low };
        let mut sum = Word { high: b, low: 0.0 }.plus(own.times(-chain.leak[i]));
        let mut size = b.abs() + chain.leak[i] * high.abs();
        for (&j, &rate) in cols.iter().zip(rates) {
            let to = j as usize * k + c;
            let step = Word::sum(self.high[to], -high);
            let step = Word::sum(step.high, step.low + (self.low[to] - low));
            sum = sum.plus(step.times(rate));
            size += rate * (self.high[to].abs() + high.abs());
        }
        let value = sum.high + sum.low;
        let slack = ROUNDING * (1.0 + cols.len() as f64 / 64.0) * size;
        (value, value.abs() * (1.0 + 2.0 * f64::EPSILON) + slack)
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
