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

/// How much more the corner of a state must belong to it than to any other.
const OWNED: f64 = 1.0;

/// The objective over a set of cells.
pub(crate) struct Objective<'a> {
    pub exec: &'a Exec,
    pub cells: &'a Cells,
    /// Coordinates of the corner of every state (m x d). With them a rotation that
    /// takes a corner away from its state is infeasible: the crispest one of all may
    /// have states that no cell belongs to most, and such states mean nothing.
    pub corners: Option<&'a [f64]>,
    pub evaluations: usize,
}

impl Objective<'_> {
    /// f at `b`, infinite where the rotation is degenerate.
    pub fn value(&mut self, b: &[f64]) -> Result<f64> {
        Ok(self.parts(b)?.0)
    }

    /// f and its gradient at `b` (a subgradient where several cells tie).
    pub fn gradient(&mut self, b: &[f64], gradient: &mut [f64]) -> Result<f64> {
        let d = self.cells.d;
        let (f, a, maxima, total) = self.parts(b)?;
        gradient.fill(0.0);
        if !f.is_finite() {
            return Ok(f);
        }
        let g = d as f64 - f;
        let slope = |l: usize, k: usize| {
            let (t, slot) = maxima[l];
            let column = &a[l * d..(l + 1) * d];
            let q = simd::dot(column, column);
            let by_first = -q / (t * t) - g;
            (2.0 * column[k] / t - by_first * self.cells.at(slot, k)) / total
        };
        for k in 0..d {
            let base = slope(0, k);
            for l in 1..=d {
                gradient[k * d + l - 1] = base - slope(l, k);
            }
        }
        Ok(f)
    }

    fn parts(&mut self, b: &[f64]) -> Result<(f64, Vec<f64>, Maxima, f64)> {
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
        good &= self.owns_corners(&a, &maxima);
        let f = if good && f.is_finite() {
            f
        } else {
            f64::INFINITY
        };
        Ok((f, a, maxima, total))
    }

    fn owns_corners(&self, a: &[f64], maxima: &Maxima) -> bool {
        let d = self.cells.d;
        let Some(corners) = self.corners else {
            return true;
        };
        corners.chunks_exact(d).enumerate().all(|(c, x)| {
            let member = |l: usize| maxima[l].0 + simd::dot(x, &a[l * d..(l + 1) * d]);
            let own = member(c);
            (0..=d).all(|l| l == c || own >= OWNED * member(l))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use ndarray::Array2;

    fn case(m: usize) -> (Array2<f64>, Vec<f64>) {
        let mut s = Stream::new(9, 9, m as u64, 0);
        let mut x = Array2::from_shape_fn((333, m), |(_, j)| if j == 0 { 1.0 } else { s.normal() });
        for j in 1..m {
            let mean = x.column(j).sum() / 333.0;
            x.column_mut(j).mapv_inplace(|v| v - mean);
        }
        let b = (0..(m - 1) * (m - 1)).map(|_| s.normal()).collect();
        (x, b)
    }

    /// The recipe of section 2.6.3, word for word.
    fn literal(x: &Array2<f64>, b: &[f64]) -> f64 {
        let (n, m) = x.dim();
        let mut a = Array2::<f64>::zeros((m, m));
        for k in 1..m {
            for l in 1..m {
                a[(k, l)] = b[(k - 1) * (m - 1) + l - 1];
                a[(k, 0)] -= a[(k, l)];
            }
        }
        for l in 0..m {
            a[(0, l)] = (0..n)
                .map(|i| -(1..m).map(|k| x[(i, k)] * a[(k, l)]).sum::<f64>())
                .fold(f64::NEG_INFINITY, f64::max);
        }
        let sum = a.row(0).sum();
        a /= sum;
        m as f64
            - (0..m)
                .map(|l| a.column(l).iter().map(|v| v * v).sum::<f64>() / a[(0, l)])
                .sum::<f64>()
    }

    #[test]
    fn value_and_gradient_are_those_of_the_recipe() {
        for m in 2..7 {
            let (x, b) = case(m);
            let all: Vec<usize> = (0..333).collect();
            let cells = Cells::new(x.view(), &all).unwrap();
            let mut f = Objective {
                exec: &Exec::serial(),
                cells: &cells,
                corners: None,
                evaluations: 0,
            };
            let mut g = vec![0.0; b.len()];
            let value = f.gradient(&b, &mut g).unwrap();
            assert!((value - literal(&x, &b)).abs() < 1e-11 * value.abs().max(1.0));
            for e in 0..b.len() {
                let h = 1e-6;
                let (mut up, mut down) = (b.clone(), b.clone());
                up[e] += h;
                down[e] -= h;
                let slope = (literal(&x, &up) - literal(&x, &down)) / (2.0 * h);
                assert!((slope - g[e]).abs() < 1e-5 * (1.0 + slope.abs()));
            }
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let (x, b) = case(5);
        let many: Vec<usize> = (0..60_000).map(|i| i * 7 % 333).collect();
        let cells = Cells::new(x.view(), &many).unwrap();
        let a = columns(&b, 4);
        let one = cells.maxima(&Exec::serial(), &a).unwrap();
        for threads in [2, 4] {
            let exec = Exec::with_threads(threads).unwrap();
            assert_eq!(one, cells.maxima(&exec, &a).unwrap());
        }
    }
}
