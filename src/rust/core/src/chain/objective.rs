//! How crisp a rotation makes the memberships, and in which direction it improves.
//!
//! With the free block `B` (m - 1 x m - 1) filled up to a feasible `A` (section 2.6.3
//! of the fate-mapping rules) and before the final scaling, column l has the first
//! entry `t_l = max_i(-x_i' a_l)` and the squared rest `q_l = |a_l|^2`, so that the
//! objective is `f = m - 1 - sum_l(q_l / t_l) / sum_l t_l`. The maxima make it piecewise
//! smooth; where one cell attains each, its gradient is that of the formula.

use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::simd;
use ndarray::ArrayView2;

/// Cells per block of the sweep.
const BLOCK: usize = 64;

/// Blocks per task.
const TASK: usize = 256;

/// The cells that decide the maxima, block by block and coordinate by coordinate.
pub(crate) struct Cells {
    /// Coordinates without the constant one: m - 1.
    d: usize,
    blocks: usize,
    /// The last block repeats its last cell.
    data: Vec<f64>,
}

/// For every column the largest `-x_i' a_l` and the cell that attains it.
pub(crate) type Maxima = Vec<(f64, usize)>;

impl Cells {
    /// Cells `index` of `x` (n x m, first column constant).
    pub fn new(x: ArrayView2<'_, f64>, index: &[usize]) -> Result<Cells> {
        let d = x.ncols() - 1;
        let blocks = index.len().div_ceil(BLOCK);
        let what = "the coordinates of the cells";
        let mut data = try_filled(blocks * d * BLOCK, 0.0, what)?;
        for slot in 0..blocks * BLOCK {
            let cell = index[slot.min(index.len() - 1)];
            for k in 0..d {
                data[(slot / BLOCK * d + k) * BLOCK + slot % BLOCK] = x[(cell, k + 1)];
            }
        }
        Ok(Cells { d, blocks, data })
    }

    /// The maxima for columns `a` (one after the other, d numbers each). O(n d
    /// columns), the same bits on any number of threads.
    pub fn maxima(&self, exec: &Exec, a: &[f64]) -> Result<Maxima> {
        let columns = a.len() / self.d;
        let parts = exec.map_chunks(self.blocks, TASK, |blocks| {
            let mut best = vec![(f64::NEG_INFINITY, 0); columns];
            simd::wide(
                #[inline(always)]
                || {
                    for b in blocks {
                        let z = &self.data[b * self.d * BLOCK..(b + 1) * self.d * BLOCK];
                        sweep(z, a, self.d, b * BLOCK, &mut best);
                    }
                },
            );
            best
        })?;
        let mut best = vec![(f64::NEG_INFINITY, 0); columns];
        for part in parts {
            for (b, p) in best.iter_mut().zip(part) {
                if p.0 > b.0 {
                    *b = p;
                }
            }
        }
        Ok(best)
    }

    /// Coordinate `k` of the cell in `slot`.
    fn at(&self, slot: usize, k: usize) -> f64 {
        self.data[(slot / BLOCK * self.d + k) * BLOCK + slot % BLOCK]
    }
}

#[inline(always)]
fn sweep(z: &[f64], a: &[f64], d: usize, first: usize, best: &mut [(f64, usize)]) {
    for (a, best) in a.chunks_exact(d).zip(best) {
        let mut value = [0.0; BLOCK];
        for (z, &c) in z.chunks_exact(BLOCK).zip(a) {
            for (v, &z) in value.iter_mut().zip(z) {
                *v -= c * z;
            }
        }
        let mut top = [f64::NEG_INFINITY; simd::LANES];
        for part in value.chunks_exact(simd::LANES) {
            for (t, &v) in top.iter_mut().zip(part) {
                *t = if v > *t { v } else { *t };
            }
        }
        let top = top.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
        if top > best.0 {
            let slot = value.iter().position(|&v| v == top).unwrap_or(0);
            *best = (top, first + slot);
        }
    }
}

/// The columns `a_0 .. a_{m-1}` (without first entries) of the filled matrix, one
/// after the other, from the free block (row-major).
pub(crate) fn columns(b: &[f64], d: usize) -> Vec<f64> {
    let mut a = vec![0.0; (d + 1) * d];
    for (k, row) in b.chunks_exact(d).enumerate() {
        for (l, &v) in row.iter().enumerate() {
            a[(l + 1) * d + k] = v;
            a[k] -= v;
        }
    }
    a
}

/// Cells that must stay with their states, and how much it costs when they do not.
///
/// The crispest rotation of all may have states that no cell belongs to most, and such
/// states mean nothing. What is added to the objective is `weight` times the sum of
/// the squares of `max(0, gap + margin)`, the gaps being `chi_cl - chi_cs` for the cells
/// c of state s and every other state l, and `chi_rs - chi_cs`, with the mean over
/// these cells, for each rival r: a cell that belongs to another state and may not be
/// among those with the largest membership in s.
pub(crate) struct Guard {
    /// Coordinates, d per cell.
    pub coordinates: Vec<f64>,
    pub states: Vec<usize>,
    /// Coordinates of the rivals less the mean of the cells of the state.
    pub rivals: Vec<f64>,
    pub rival_states: Vec<usize>,
    pub weight: f64,
}

impl Guard {
    /// Mean coordinates of the cells of `state`.
    pub fn mean(&self, state: usize, d: usize) -> Vec<f64> {
        let (mut mean, mut count) = (vec![0.0; d], 0.0);
        for (x, &s) in self.coordinates.chunks_exact(d).zip(&self.states) {
            if s == state {
                simd::axpy(1.0, x, &mut mean);
                count += 1.0;
            }
        }
        mean.iter_mut().for_each(|v| *v /= count);
        mean
    }
}

/// By how much a guarded cell should belong more to its state than to any other.
const MARGIN: f64 = 0.05;

/// The objective over a set of cells.
pub(crate) struct Objective<'a> {
    pub exec: &'a Exec,
    pub cells: &'a Cells,
    pub guard: Option<&'a Guard>,
    pub evaluations: usize,
}

/// The pieces that meet in the objective at one point.
struct Parts {
    value: f64,
    a: Vec<f64>,
    maxima: Maxima,
    total: f64,
}

impl Objective<'_> {
    /// f at `b` without the guard, infinite where the rotation is degenerate.
    pub fn value(&mut self, b: &[f64]) -> Result<f64> {
        Ok(self.parts(b)?.value)
    }

    /// f with the guard and its gradient at `b` (a subgradient where several cells tie).
    pub fn gradient(&mut self, b: &[f64], gradient: &mut [f64]) -> Result<f64> {
        let d = self.cells.d;
        let parts = self.parts(b)?;
        gradient.fill(0.0);
        if !parts.value.is_finite() {
            return Ok(parts.value);
        }
        let (mut value, mut slopes) = (parts.value, vec![0.0; (d + 1) * d]);
        if let Some(guard) = self.guard {
            value += self.penalty(guard, &parts, &mut slopes);
        }
        let g = d as f64 - parts.value;
        for (l, slope) in slopes.chunks_exact_mut(d).enumerate() {
            let (t, slot) = parts.maxima[l];
            let column = &parts.a[l * d..(l + 1) * d];
            let by_first = -simd::dot(column, column) / (t * t) - g;
            for (k, s) in slope.iter_mut().enumerate() {
                *s -= (2.0 * column[k] / t - by_first * self.cells.at(slot, k)) / parts.total;
            }
        }
        for k in 0..d {
            for l in 1..=d {
                gradient[k * d + l - 1] = slopes[l * d + k] - slopes[k];
            }
        }
        Ok(value)
    }

    fn parts(&mut self, b: &[f64]) -> Result<Parts> {
        self.evaluations += 1;
        let d = self.cells.d;
        let a = columns(b, d);
        let maxima = self.cells.maxima(self.exec, &a)?;
        let total: f64 = maxima.iter().map(|m| m.0).sum();
        let mut sum = 0.0;
        let mut good = total > 0.0;
        for (column, &(t, _)) in a.chunks_exact(d).zip(&maxima) {
            good &= t > 0.0;
            sum += simd::dot(column, column) / t;
        }
        let f = d as f64 - sum / total;
        let value = if good && f.is_finite() {
            f
        } else {
            f64::INFINITY
        };
        Ok(Parts {
            value,
            a,
            maxima,
            total,
        })
    }

    /// What the guard adds; its derivatives by the columns are added to `slopes`.
    fn penalty(&self, guard: &Guard, parts: &Parts, slopes: &mut [f64]) -> f64 {
        let d = self.cells.d;
        let (a, total) = (&parts.a, parts.total);
        let mut member = vec![0.0; d + 1];
        // Derivatives by the first entries, and by their sum.
        let (mut firsts, mut by_total) = (vec![0.0; d + 1], 0.0);
        let mut sum = 0.0;
        for (x, &s) in guard.coordinates.chunks_exact(d).zip(&guard.states) {
            simd::wide(
                #[inline(always)]
                || {
                    for (l, v) in member.iter_mut().enumerate() {
                        *v = parts.maxima[l].0 + simd::dot(x, &a[l * d..(l + 1) * d]);
                    }
                },
            );
            for l in (0..=d).filter(|&l| l != s) {
                let gap = (member[l] - member[s]) / total;
                let over = gap + MARGIN;
                if over <= 0.0 {
                    continue;
                }
                sum += guard.weight * over * over;
                let slope = 2.0 * guard.weight * over / total;
                simd::axpy(slope, x, &mut slopes[l * d..(l + 1) * d]);
                simd::axpy(-slope, x, &mut slopes[s * d..(s + 1) * d]);
                firsts[l] += slope;
                firsts[s] -= slope;
                by_total -= slope * gap;
            }
        }
        for (x, &s) in guard.rivals.chunks_exact(d).zip(&guard.rival_states) {
            let gap = simd::dot(x, &a[s * d..(s + 1) * d]) / total;
            let over = gap + MARGIN;
            if over > 0.0 {
                sum += guard.weight * over * over;
                let slope = 2.0 * guard.weight * over / total;
                simd::axpy(slope, x, &mut slopes[s * d..(s + 1) * d]);
                by_total -= slope * gap;
            }
        }
        for (l, slope) in slopes.chunks_exact_mut(d).enumerate() {
            let by_first = firsts[l] + by_total;
            for (k, s) in slope.iter_mut().enumerate() {
                *s -= by_first * self.cells.at(parts.maxima[l].1, k);
            }
        }
        sum
    }
}

#[cfg(test)]
#[path = "objective_tests.rs"]
mod tests;
