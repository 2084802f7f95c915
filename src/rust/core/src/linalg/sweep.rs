//! Downstream-first sweeps: the fast solver of well-behaved chains.
//!
//! Fates spread backwards: a cell's probabilities are the mean of those of the cells
//! it may step to. When cells are visited downstream first, one sweep over them, each
//! taking the mean of what is known (Gauss & Seidel), carries the fates of a terminal
//! state all the way up; what steps backwards in that order is left to GMRES, which
//! has the sweep as its preconditioner (`A M^-1` with M the diagonal and the steps to
//! cells visited before; Saad 2003, ch. 10). Nothing has to be factored.
//!
//! The sweeps run on the jump chain (rates divided by the rate of leaving a cell, all
//! between 0 and 1) in single precision, in short cycles; after each the residual is
//! formed anew from the rates in double precision, so the solution is as good as that
//! of any other solver (iterative refinement; Carson & Higham 2018). Chains that are
//! left too rarely for single precision show by a cycle that does not help; they are
//! handed back as they are.

use super::block::{self, Operator};
use super::gmres::{Column, Outcome};
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;
use crate::simd;
use crate::sparse::csr::{row, row_range, Csr};

/// Columns that are worked on together: a register of single numbers.
const WIDTH: usize = 4;
/// Steps of a cycle.
const CYCLE: usize = 28;
/// Reduction of the residual at which a cycle ends: what single precision gives.
const ENOUGH: f64 = 4e-6;
/// Reduction that is asked of every cycle.
const LEAST: f64 = 0.1;
/// A cycle that leaves more than this share of a residual has stalled.
const STALLED: f64 = 0.2;
/// Cycles after which a column is handed back.
const CYCLES: usize = 12;
/// Rows of which a sum is kept in single precision.
const ROWS: usize = 256;

type Lanes = [f32; WIDTH];

/// The jump chain in single precision, ready to be swept.
#[derive(Debug, Clone)]
pub struct Sweep<'a> {
    rates: &'a Csr,
    /// Probability of each jump, by entry of `rates`.
    jumps: Vec<f32>,
    /// First entry of each row whose column comes after it.
    above: Vec<usize>,
    /// Rate of leaving each cell.
    diagonal: Vec<f64>,
}

impl<'a> Sweep<'a> {
    /// The jump chain of `A = D - Q` from its off-diagonal rates (columns ascending)
    /// and leaks; `None` when a cell is never left. O(entries).
    ///
    /// # Errors
    /// `memory`.
    pub fn new(rates: &'a Csr, leak: &[f64]) -> Result<Option<Sweep<'a>>> {
        let what = "the jump chain";
        let mut jumps = try_with_capacity(rates.nnz(), what)?;
        let mut above = try_with_capacity(leak.len(), what)?;
        let mut diagonal = try_with_capacity(leak.len(), what)?;
        for (i, leak) in leak.iter().enumerate() {
            let (cols, values) = row(rates, i);
            let leaving = leak + values.iter().sum::<f64>();
            if leaving <= 0.0 || !leaving.is_finite() {
                return Ok(None);
            }
            let below = cols.partition_point(|&c| (c as usize) < i);
            above.push(row_range(rates, i).start + below);
            jumps.extend(values.iter().map(|v| (v / leaving) as f32));
            diagonal.push(leaving);
        }
        Ok(Some(Sweep {
            rates,
            jumps,
            above,
            diagonal,
        }))
    }

    /// Improves `x` (n x k) until the residual of column c is at most `goal[c]`
    /// (2-norm, true residual of `a`, the same matrix in double precision), or it
    /// stalls; compare [`Outcome::residuals`] with the goal. Groups of columns run in
    /// parallel, and no column knows of the others. O(entries * k) per step,
    /// O(n * k) memory.
    ///
    /// # Errors
    /// `interrupted`, `memory`.
    pub fn solve(
        &self,
        exec: &Exec,
        a: &dyn Operator,
        b: &[f64],
        x: &mut [f64],
        goal: &[f64],
    ) -> Result<Outcome> {
        let k = goal.len();
        let groups = k.div_ceil(WIDTH).max(exec.threads().min(k)).max(1);
        let share = |g: usize| (k * g / groups..k * (g + 1) / groups).collect::<Vec<_>>();
        let solved = exec.try_map_chunks(groups, 1, |g| {
            let own = share(g.start);
            let part = Part {
                b: block::columns(b, k, &own),
                goal: own.iter().map(|&c| goal[c]).collect(),
            };
            self.refine(exec, a, &part, block::columns(x, k, &own))
        })?;
        let mut out = Outcome {
            iterations: Vec::with_capacity(k),
            residuals: Vec::with_capacity(k),
        };
        for (g, (part, found)) in solved.into_iter().enumerate() {
            block::put_columns(x, k, &share(g), &part);
            out.iterations.extend(found.iterations);
            out.residuals.extend(found.residuals);
        }
        Ok(out)
    }

    /// Cycles of corrections for a group of columns, on one thread.
    fn refine(
        &self,
        exec: &Exec,
        a: &dyn Operator,
        part: &Part,
        mut x: Vec<f64>,
    ) -> Result<(Vec<f64>, Outcome)> {
        let alone = Exec::serial();
        let k = part.goal.len();
        let (mut r, mut norms) = block::residual(&alone, a, &part.b, &x, k)?;
        let (mut iterations, mut stalled) = (vec![0; k], vec![false; k]);
        for _ in 0..CYCLES {
            let open = |c: usize| norms[c] > part.goal[c] && !stalled[c];
            let aims: Vec<Option<f64>> = (0..k)
                .map(|c| open(c).then(|| (0.7 * part.goal[c] / norms[c]).clamp(ENOUGH, LEAST)))
                .collect();
            if aims.iter().all(Option::is_none) {
                break;
            }
            let before = x.clone();
            let taken = self.cycle(exec, &r, k, &aims, &mut x)?;
            let old = norms;
            (r, norms) = block::residual(&alone, a, &part.b, &x, k)?;
            let mut worse = Vec::new();
            for c in (0..k).filter(|&c| aims[c].is_some()) {
                iterations[c] += taken[c];
                stalled[c] = norms[c].is_nan() || norms[c] > STALLED * old[c];
                if norms[c].is_nan() || norms[c] > old[c] {
                    worse.push(c);
                }
            }
            if !worse.is_empty() {
                let back = block::columns(&before, k, &worse);
                block::put_columns(&mut x, k, &worse, &back);
                (r, norms) = block::residual(&alone, a, &part.b, &x, k)?;
            }
        }
        let outcome = Outcome {
            iterations,
            residuals: norms,
        };
        Ok((x, outcome))
    }

    /// One cycle of GMRES for `A d = r`; adds d to the columns of `x` that have an
    /// aim (relative to the norm of the scaled residual). Returns the steps taken.
    fn cycle(
        &self,
        exec: &Exec,
        r: &[f64],
        k: usize,
        aims: &[Option<f64>],
        x: &mut [f64],
    ) -> Result<Vec<usize>> {
        let n = self.diagonal.len();
        let (first, norms) = self.scaled(r, k)?;
        let mut columns: Vec<Column> = (0..WIDTH)
            .map(|c| Column::new(1.0, aims.get(c).copied().flatten()))
            .collect();
        let mut basis = vec![first];
        let mut swept = try_filled(n, Lanes::default(), "a Krylov space")?;
        while basis.len() <= CYCLE && columns.iter().any(|c| c.open) {
            exec.check()?;
            let mut w = try_filled(n, Lanes::default(), "a Krylov space")?;
            self.sweep(&basis[basis.len() - 1], &mut swept);
            self.rest(&basis[basis.len() - 1], &swept, &mut w);
            let h = products(&basis, &w);
            subtract(&basis, &h, &mut w);
            let below = products(std::slice::from_ref(&w), &w)[0];
            let mut factors = Lanes::default();
            for (c, column) in columns.iter_mut().enumerate().filter(|(_, c)| c.open) {
                let below = below[c].sqrt();
                column.push(h.iter().map(|h| h[c]).collect(), below);
                if column.open {
                    factors[c] = (1.0 / below) as f32;
                }
            }
            scale(&mut w, factors);
            basis.push(w);
        }
        let weights: Vec<Vec<f64>> = columns.iter().map(Column::weights).collect();
        let most = weights.iter().map(Vec::len).max().unwrap_or(0);
        let minus: Vec<[f64; WIDTH]> = (0..most)
            .map(|j| std::array::from_fn(|c| weights[c].get(j).map_or(0.0, |w| -w)))
            .collect();
        let mut sum = try_filled(n, Lanes::default(), "a Krylov space")?;
        subtract(&basis[..most], &minus, &mut sum);
        self.sweep(&sum, &mut swept);
        for (row, d) in x.chunks_exact_mut(k).zip(&swept) {
            for (c, (x, &d)) in row.iter_mut().zip(d).enumerate() {
                *x += f64::from(d) * norms[c];
            }
        }
        Ok(weights.iter().take(k).map(Vec::len).collect())
    }

    /// The residual of the jump chain, every column of length one, and the lengths.
    fn scaled(&self, r: &[f64], k: usize) -> Result<(Vec<Lanes>, [f64; WIDTH])> {
        let mut squares = [0.0; WIDTH];
        for (row, d) in r.chunks_exact(k).zip(&self.diagonal) {
            for (s, v) in squares.iter_mut().zip(row) {
                *s += (v / d) * (v / d);
            }
        }
        let norms = squares.map(f64::sqrt);
        let mut out = try_with_capacity(self.diagonal.len(), "a Krylov space")?;
        out.extend(r.chunks_exact(k).zip(&self.diagonal).map(|(row, d)| {
            let mut lanes = Lanes::default();
            for ((l, v), s) in lanes.iter_mut().zip(row).zip(norms) {
                *l = if s > 0.0 { (v / d / s) as f32 } else { 0.0 };
            }
            lanes
        }));
        Ok((out, norms))
    }

    /// `y = M^-1 v`: downstream first, every cell takes what is known by then.
    fn sweep(&self, v: &[Lanes], y: &mut [Lanes]) {
        let start = self.rates.indptr();
        let (start, cols) = (start.raw_storage(), self.rates.indices());
        simd::wide(
            #[inline(always)]
            || {
                for (i, v) in v.iter().enumerate() {
                    let range = start[i]..self.above[i];
                    y[i] = gather(&cols[range.clone()], &self.jumps[range], y, *v);
                }
            },
        );
    }

    /// `w = A M^-1 v` from `y = M^-1 v`: v less what steps to later cells bring.
    fn rest(&self, v: &[Lanes], y: &[Lanes], w: &mut [Lanes]) {
        let start = self.rates.indptr();
        let (start, cols) = (start.raw_storage(), self.rates.indices());
        simd::wide(
            #[inline(always)]
            || {
                for (i, (w, v)) in w.iter_mut().zip(v).enumerate() {
                    let range = self.above[i]..start[i + 1];
                    let sum = gather(
                        &cols[range.clone()],
                        &self.jumps[range],
                        y,
                        Lanes::default(),
                    );
                    for ((w, v), s) in w.iter_mut().zip(v).zip(sum) {
                        *w = v - s;
                    }
                }
            },
        );
    }
}

/// A group of columns and how far each is to be solved.
struct Part {
    b: Vec<f64>,
    goal: Vec<f64>,
}

/// `from + sum_j jumps_j y_j` over the entries of a row.
#[inline(always)]
fn gather(cols: &[u32], jumps: &[f32], y: &[Lanes], from: Lanes) -> Lanes {
    let mut sum = from;
    for (&c, &p) in cols.iter().zip(jumps) {
        let y = &y[c as usize];
        for (s, y) in sum.iter_mut().zip(y) {
            *s += p * y;
        }
    }
    sum
}

/// Inner products of every vector of `basis` with `w` by column, over blocks of rows
/// in single precision, of which the sums are double.
fn products(basis: &[Vec<Lanes>], w: &[Lanes]) -> Vec<[f64; WIDTH]> {
    const STRIDE: usize = 4;
    let mut total = vec![[0.0; WIDTH]; basis.len()];
    simd::wide(
        #[inline(always)]
        || {
            for (at, w) in w.chunks(ROWS).enumerate() {
                for (v, total) in basis.iter().zip(total.iter_mut()) {
                    let v = &v[at * ROWS..at * ROWS + w.len()];
                    let mut sums = [Lanes::default(); STRIDE];
                    for (v, w) in v.chunks(STRIDE).zip(w.chunks(STRIDE)) {
                        for ((s, v), w) in sums.iter_mut().zip(v).zip(w) {
                            for ((s, v), w) in s.iter_mut().zip(v).zip(w) {
                                *s += v * w;
                            }
                        }
                    }
                    for (c, t) in total.iter_mut().enumerate() {
                        *t += f64::from((sums[0][c] + sums[1][c]) + (sums[2][c] + sums[3][c]));
                    }
                }
            }
        },
    );
    total
}

/// `w -= sum_j weights_j v_j`, column by column.
fn subtract(basis: &[Vec<Lanes>], weights: &[[f64; WIDTH]], w: &mut [Lanes]) {
    simd::wide(
        #[inline(always)]
        || {
            for (at, w) in w.chunks_mut(ROWS).enumerate() {
                for (v, weight) in basis.iter().zip(weights) {
                    let v = &v[at * ROWS..at * ROWS + w.len()];
                    let weight = weight.map(|f| f as f32);
                    for (w, v) in w.iter_mut().zip(v) {
                        for ((w, v), f) in w.iter_mut().zip(v).zip(weight) {
                            *w -= v * f;
                        }
                    }
                }
            }
        },
    );
}

fn scale(w: &mut [Lanes], factors: Lanes) {
    for w in w {
        for (w, f) in w.iter_mut().zip(factors) {
            *w *= f;
        }
    }
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
