//! The orthonormal vectors of an eigenvalue search, and blocks that pass through
//! the matrix.
//!
//! A [`Panel`] keeps its vectors chunk by chunk of cells, side by side within a
//! chunk, so that a chunk stays in the cache while new vectors are projected. A
//! [`Block`] keeps [`K`] vectors interleaved, so that one pass over the matrix
//! serves all of them. Sums are made per chunk in fixed lanes and added in chunk
//! order: the same bits on any number of threads and for any instruction set.

use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::simd::{self, LANES};
use crate::sparse::csr::{row, Csr};

/// Vectors that pass through the matrix together: one wide register of doubles.
pub const K: usize = 4;

/// `K` vectors, interleaved by cell.
pub type Block = Vec<[f64; K]>;

/// Cells per chunk; part of the meaning of every sum.
const ROWS: usize = 1024;

/// Cells per task of a product.
const CELLS: usize = 512;

/// The symmetric matrix `A = sign S M S` of a graph M and a diagonal S > 0, applied
/// to blocks that are kept as `u = S x`: then `S A x = sign S^2 M u`, and the scaled
/// matrix is never made.
#[derive(Debug)]
pub struct Symmetric<'a, N> {
    pub matrix: &'a Csr<N>,
    pub scale: &'a [f64],
    pub sign: f64,
}

impl<N: Copy + Into<f64> + Sync> Symmetric<'_, N> {
    /// `out = gain (A x - shift x) - back out`, a step of the Chebyshev recurrence;
    /// blocks stand for `S x` and `S out`. O(entries * K).
    pub fn step(
        &self,
        exec: &Exec,
        x: &[[f64; K]],
        [gain, shift, back]: [f64; 3],
        out: &mut [[f64; K]],
    ) -> Result<()> {
        let (turned, shift) = (self.sign * gain, gain * shift);
        exec.chunks_mut(out, CELLS, |start, piece| {
            simd::wide(
                #[inline(always)]
                || {
                    for (r, out) in piece.iter_mut().enumerate() {
                        let i = start + r;
                        let factor = turned * self.scale[i] * self.scale[i];
                        let sum = row_times(self.matrix, i, x);
                        for c in 0..K {
                            out[c] = factor * sum[c] - shift * x[i][c] - back * out[c];
                        }
                    }
                },
            );
        })
    }
}

/// Row `i` times a block. Two chains of sums hide the latency of the additions.
#[inline(always)]
fn row_times<N: Copy + Into<f64>>(m: &Csr<N>, i: usize, x: &[[f64; K]]) -> [f64; K] {
    let (cols, values) = row(m, i);
    let (mut even, mut odd) = ([0.0; K], [0.0; K]);
    let (pairs_c, pairs_v) = (cols.chunks_exact(2), values.chunks_exact(2));
    let last = pairs_c.remainder().first().zip(pairs_v.remainder().first());
    for (c, v) in pairs_c.zip(pairs_v) {
        add(&mut even, v[0].into(), &x[c[0] as usize]);
        add(&mut odd, v[1].into(), &x[c[1] as usize]);
    }
    if let Some((&c, &v)) = last {
        add(&mut even, v.into(), &x[c as usize]);
    }
    for (e, o) in even.iter_mut().zip(&odd) {
        *e += o;
    }
    even
}

#[inline(always)]
fn add(sum: &mut [f64; K], v: f64, x: &[f64; K]) {
    for (s, &x) in sum.iter_mut().zip(x) {
        *s += v * x;
    }
}

/// Vectors of length `n`, room for `capacity` of them.
pub struct Panel {
    n: usize,
    capacity: usize,
    /// Chunk by chunk, vector by vector, `ROWS` numbers each (zeros beyond n).
    data: Vec<f64>,
}

impl Panel {
    pub fn new(n: usize, capacity: usize) -> Result<Panel> {
        let chunks = n.div_ceil(ROWS);
        Ok(Panel {
            n,
            capacity,
            data: try_filled(chunks * capacity * ROWS, 0.0, "the search space")?,
        })
    }

    /// `f(first cell, cells, chunk)` on every chunk.
    fn pass<R: Send>(
        &mut self,
        exec: &Exec,
        f: impl Fn(usize, usize, &mut [f64]) -> R + Sync,
    ) -> Result<Vec<R>> {
        let (n, chunks) = (self.n, self.n.div_ceil(ROWS));
        let mut results: Vec<Option<R>> = (0..chunks).map(|_| None).collect();
        let chunk = self.capacity * ROWS;
        let tasks: Vec<_> = self
            .data
            .chunks_mut(chunk)
            .zip(results.iter_mut())
            .enumerate()
            .collect();
        exec.for_each(tasks, |(c, (data, result))| {
            let rows = ROWS.min(n - c * ROWS);
            *result = Some(simd::wide(
                #[inline(always)]
                || f(c * ROWS, rows, data),
            ));
            Ok(())
        })?;
        Ok(results.into_iter().flatten().collect())
    }

    /// As [`Panel::pass`], adding up what the chunks return.
    fn sums(
        &mut self,
        exec: &Exec,
        width: usize,
        f: impl Fn(usize, usize, &mut [f64]) -> Vec<f64> + Sync,
    ) -> Result<Vec<f64>> {
        let mut total = vec![0.0; width];
        for part in self.pass(exec, f)? {
            total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        }
        Ok(total)
    }

    /// Inner products of the vectors `to` with the vectors `of`, entry
    /// `j * of.len() + c` for the j-th of `to`. O(n * to * of).
    pub fn dots(
        &mut self,
        exec: &Exec,
        to: std::ops::Range<usize>,
        of: std::ops::Range<usize>,
    ) -> Result<Vec<f64>> {
        let width = to.len() * of.len();
        self.sums(
            exec,
            width,
            #[inline(always)]
            move |_, _, data| dots(data, to.clone(), of.clone()),
        )
    }

    /// Takes from the vectors `of` their parts along the vectors `to`, all of which
    /// stand before them, given as [`Panel::dots`] returns them. O(n * to * of).
    pub fn subtract(
        &mut self,
        exec: &Exec,
        to: std::ops::Range<usize>,
        of: std::ops::Range<usize>,
        along: &[f64],
    ) -> Result<()> {
        let k = of.len();
        self.pass(
            exec,
            #[inline(always)]
            |_, _, data| {
                let (old, new) = data.split_at_mut(of.start * ROWS);
                for (c, w) in new.chunks_exact_mut(ROWS).take(k).enumerate() {
                    combine(&old[to.start * ROWS..], to.len(), |j| -along[j * k + c], w);
                }
            },
        )?;
        Ok(())
    }

    /// The squared length of one vector.
    pub fn square(&mut self, exec: &Exec, at: usize) -> Result<f64> {
        Ok(self.dots(exec, at..at + 1, at..at + 1)?[0])
    }

    /// Multiplies one vector by a number.
    pub fn scale(&mut self, exec: &Exec, at: usize, factor: f64) -> Result<()> {
        self.pass(
            exec,
            #[inline(always)]
            |_, _, data| {
                let v = &mut data[at * ROWS..(at + 1) * ROWS];
                v.iter_mut().for_each(|v| *v *= factor);
            },
        )?;
        Ok(())
    }

    /// Combinations of the first `m` vectors as an interleaved block, column c with
    /// the weights `weights[c]`, row i times `scale[i]`. O(n * m * K).
    pub fn gather(
        &self,
        exec: &Exec,
        (m, weights): (usize, &[Vec<f64>; K]),
        scale: &[f64],
        out: &mut [[f64; K]],
    ) -> Result<()> {
        let capacity = self.capacity;
        let data = &self.data;
        exec.chunks_mut(out, ROWS, |start, piece| {
            let chunk = &data[start * capacity..(start + ROWS) * capacity];
            let mut column = [0.0; ROWS];
            simd::wide(
                #[inline(always)]
                || {
                    for (c, weight) in weights.iter().enumerate() {
                        column.fill(0.0);
                        combine(chunk, m, |j| weight[j], &mut column);
                        let rows = piece.iter_mut().zip(&column);
                        for ((out, &v), s) in rows.zip(&scale[start..]) {
                            out[c] = v * s;
                        }
                    }
                },
            );
        })
    }

    /// The `K` vectors from `at` on as an interleaved block, row i times `scale[i]`.
    /// O(n * K).
    pub fn read(&self, exec: &Exec, at: usize, scale: &[f64], out: &mut [[f64; K]]) -> Result<()> {
        let (capacity, data) = (self.capacity, &self.data);
        exec.chunks_mut(out, ROWS, |start, piece| {
            let chunk = &data[start * capacity..(start + ROWS) * capacity];
            for (r, out) in piece.iter_mut().enumerate() {
                for (c, out) in out.iter_mut().enumerate() {
                    *out = chunk[(at + c) * ROWS + r] * scale[start + r];
                }
            }
        })
    }

    /// Copies a block of `K` vectors to columns before it. O(n * K).
    pub fn copy(&mut self, exec: &Exec, from: usize, to: usize) -> Result<()> {
        self.pass(exec, |_, _, data| {
            data.copy_within(from * ROWS..(from + K) * ROWS, to * ROWS);
        })?;
        Ok(())
    }

    /// Writes an interleaved block to the vectors from `at` on, row i divided by
    /// `scale[i]`. O(n * K).
    pub fn put(&mut self, exec: &Exec, at: usize, scale: &[f64], block: &[[f64; K]]) -> Result<()> {
        self.pass(
            exec,
            #[inline(always)]
            |start, rows, data| {
                for (r, x) in block[start..start + rows].iter().enumerate() {
                    let factor = 1.0 / scale[start + r];
                    for (c, &x) in x.iter().enumerate() {
                        data[(at + c) * ROWS + r] = factor * x;
                    }
                }
            },
        )?;
        Ok(())
    }

    /// Writes one vector. O(n).
    pub fn put_one(
        &mut self,
        exec: &Exec,
        at: usize,
        f: impl Fn(usize) -> f64 + Sync,
    ) -> Result<()> {
        self.pass(exec, |start, rows, data| {
            for (r, v) in data[at * ROWS..at * ROWS + rows].iter_mut().enumerate() {
                *v = f(start + r);
            }
        })?;
        Ok(())
    }

    /// Replaces the first `m` vectors by combinations of them, one per entry of
    /// `weights`. O(n * m * combinations).
    pub fn rotate(&mut self, exec: &Exec, m: usize, weights: &[Vec<f64>]) -> Result<()> {
        self.pass(
            exec,
            #[inline(always)]
            |_, _, data| {
                let mut fresh = vec![0.0; weights.len() * ROWS];
                for (out, weight) in fresh.chunks_exact_mut(ROWS).zip(weights) {
                    combine(data, m, |j| weight[j], out);
                }
                data[..fresh.len()].copy_from_slice(&fresh);
            },
        )?;
        Ok(())
    }

    /// Takes from each of `K` vectors from `at` on its part along `weight` within
    /// each piece. The weights of a piece must have length one. O(n * K).
    pub fn deflate(
        &mut self,
        exec: &Exec,
        at: usize,
        (piece, weight, pieces): (&[u32], &[f64], usize),
    ) -> Result<()> {
        let along = self.sums(exec, pieces * K, |start, rows, data| {
            let mut sum = vec![0.0; pieces * K];
            for c in 0..K {
                let v = &data[(at + c) * ROWS..(at + c) * ROWS + rows];
                for (r, &v) in v.iter().enumerate() {
                    sum[piece[start + r] as usize * K + c] += weight[start + r] * v;
                }
            }
            sum
        })?;
        self.pass(exec, |start, rows, data| {
            for c in 0..K {
                let v = &mut data[(at + c) * ROWS..(at + c) * ROWS + rows];
                for (r, v) in v.iter_mut().enumerate() {
                    *v -= weight[start + r] * along[piece[start + r] as usize * K + c];
                }
            }
        })?;
        Ok(())
    }
}

/// Inner products within a chunk, four vectors of `of` at a time.
#[inline(always)]
fn dots(data: &[f64], to: std::ops::Range<usize>, of: std::ops::Range<usize>) -> Vec<f64> {
    let column = |c: usize| &data[c * ROWS..(c + 1) * ROWS];
    let k = of.len();
    let mut out = vec![0.0; to.len() * k];
    for (q, out) in to.map(column).zip(out.chunks_exact_mut(k.max(1))) {
        let mut c = 0;
        while c + 4 <= k {
            let w = [0, 1, 2, 3].map(|d| column(of.start + c + d));
            out[c..c + 4].copy_from_slice(&four_dots(q, w));
            c += 4;
        }
        for (out, w) in out[c..].iter_mut().zip(of.start + c..of.end) {
            *out = simd::dot(q, column(w));
        }
    }
    out
}

#[inline(always)]
fn four_dots(q: &[f64], w: [&[f64]; 4]) -> [f64; 4] {
    let mut lanes = [[0.0; LANES]; 4];
    for (at, q) in q.chunks_exact(LANES).enumerate() {
        for (lanes, w) in lanes.iter_mut().zip(&w) {
            let w = &w[at * LANES..(at + 1) * LANES];
            for l in 0..LANES {
                lanes[l] += q[l] * w[l];
            }
        }
    }
    lanes.map(simd::tree)
}

/// `out += sum_j weight(j) q_j` over the first `m` vectors of a chunk, four at a
/// time; vectors are added in order.
#[inline(always)]
fn combine(data: &[f64], m: usize, weight: impl Fn(usize) -> f64, out: &mut [f64]) {
    let column = |c: usize| &data[c * ROWS..(c + 1) * ROWS];
    let mut j = 0;
    while j + 4 <= m {
        let [a, b, c, d] = [0, 1, 2, 3].map(|d| column(j + d));
        let h = [0, 1, 2, 3].map(|d| weight(j + d));
        for (r, out) in out.iter_mut().enumerate() {
            *out += h[0] * a[r] + h[1] * b[r] + (h[2] * c[r] + h[3] * d[r]);
        }
        j += 4;
    }
    for j in j..m {
        simd::axpy(weight(j), column(j), out);
    }
}
