//! The orthonormal basis of a Krylov method, stored so that it is read once per pass.
//!
//! Cells are cut into fixed chunks, and each chunk keeps its part of all basis vectors
//! side by side, so a chunk stays in the cache while a new vector is multiplied,
//! projected and measured. Partial sums are added in chunk order: the same bits on any
//! number of threads.

use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::rng::Stream;
use crate::simd;
use crate::sparse::csr::row;
use crate::sparse::Csr;
use nalgebra::DMatrix;
use ndarray::Array2;

/// Cells per chunk; part of the meaning of every inner product.
const ROWS: usize = 1024;

/// Key of the random vectors that replace a vanished one.
const PURPOSE: u64 = 0x4B52_594C;

pub(crate) struct Basis {
    n: usize,
    capacity: usize,
    /// Chunk by chunk, vector by vector, `ROWS` numbers each (zeros beyond n).
    data: Vec<f64>,
    /// One row of sums per chunk.
    partial: Vec<f64>,
    /// The newest vector in one piece: what the next product reads.
    newest: Vec<f64>,
    /// Stands in for `newest` while a product reads it.
    spare: Vec<f64>,
}

/// A chunk of the basis and of what is computed about it.
struct Piece<'a> {
    start: usize,
    rows: usize,
    data: &'a mut [f64],
    sums: &'a mut [f64],
    newest: &'a mut [f64],
}

impl Basis {
    pub fn new(n: usize, capacity: usize) -> Result<Basis> {
        let chunks = n.div_ceil(ROWS);
        let what = "the Krylov basis";
        Ok(Basis {
            n,
            capacity,
            data: try_filled(chunks * capacity * ROWS, 0.0, what)?,
            partial: try_filled(chunks * (capacity + 1), 0.0, what)?,
            newest: try_filled(n, 0.0, what)?,
            spare: try_filled(n, 0.0, what)?,
        })
    }

    /// Runs `f` on every chunk and adds up the first `width` sums of each.
    fn pass<F>(&mut self, exec: &Exec, width: usize, f: F) -> Result<Vec<f64>>
    where
        F: Fn(&mut Piece<'_>) + Sync,
    {
        let (n, capacity) = (self.n, self.capacity);
        let tasks: Vec<Piece<'_>> = self
            .data
            .chunks_mut(capacity * ROWS)
            .zip(self.partial.chunks_mut(capacity + 1))
            .zip(self.newest.chunks_mut(ROWS))
            .enumerate()
            .map(|(c, ((data, sums), newest))| Piece {
                start: c * ROWS,
                rows: ROWS.min(n - c * ROWS),
                data,
                sums,
                newest,
            })
            .collect();
        exec.for_each(tasks, |mut piece| {
            f(&mut piece);
            Ok(())
        })?;
        let mut total = vec![0.0; width];
        for sums in self.partial.chunks(capacity + 1) {
            for (t, s) in total.iter_mut().zip(sums) {
                *t += s;
            }
        }
        Ok(total)
    }

    /// Vector `j` becomes `t` times the newest; returns its inner products with the
    /// vectors before it.
    pub fn multiply(&mut self, exec: &Exec, t: &Csr, j: usize) -> Result<Vec<f64>> {
        let x = std::mem::replace(&mut self.newest, std::mem::take(&mut self.spare));
        let dots = self.pass(exec, j, |p| {
            let (old, new) = p.data.split_at_mut(j * ROWS);
            for (k, out) in new[..p.rows].iter_mut().enumerate() {
                *out = row_times(t, p.start + k, &x);
            }
            simd::wide(
                #[inline(always)]
                || dots(old, &new[..ROWS], p.sums),
            );
        });
        self.spare = std::mem::replace(&mut self.newest, x);
        dots
    }

    /// Inner products of vector `j` with those before it.
    pub fn project(&mut self, exec: &Exec, j: usize) -> Result<Vec<f64>> {
        self.subtract_project(exec, j, &[])
    }

    /// Takes `sum_i h_i v_i` from vector `j`; returns what is left along each v_i.
    pub fn subtract_project(&mut self, exec: &Exec, j: usize, h: &[f64]) -> Result<Vec<f64>> {
        self.pass(exec, j, |p| {
            let (old, new) = p.data.split_at_mut(j * ROWS);
            simd::wide(
                #[inline(always)]
                || {
                    subtract(h, old, &mut new[..ROWS]);
                    dots(old, &new[..ROWS], p.sums);
                },
            );
        })
    }

    /// As [`Basis::subtract_project`], but returns the norm of what is left.
    pub fn subtract_norm(&mut self, exec: &Exec, j: usize, h: &[f64]) -> Result<f64> {
        let sum = self.pass(exec, 1, |p| {
            let (old, new) = p.data.split_at_mut(j * ROWS);
            p.sums[0] = simd::wide(
                #[inline(always)]
                || {
                    subtract(h, old, &mut new[..ROWS]);
                    simd::dot(&new[..ROWS], &new[..ROWS])
                },
            );
        })?;
        Ok(sum[0].sqrt())
    }

    /// Divides vector `j` by its `norm` and makes it the newest.
    pub fn accept(&mut self, exec: &Exec, j: usize, norm: f64) -> Result<()> {
        self.pass(exec, 0, |p| {
            let new = &mut p.data[j * ROWS..j * ROWS + p.rows];
            for (v, out) in new.iter_mut().zip(p.newest.iter_mut()) {
                *v /= norm;
                *out = *v;
            }
        })?;
        Ok(())
    }

    /// Writes `x` as vector `j`, as it is.
    pub fn write(&mut self, exec: &Exec, j: usize, x: &[f64]) -> Result<()> {
        self.pass(exec, 0, |p| {
            let from = &x[p.start..p.start + p.rows];
            p.data[j * ROWS..j * ROWS + p.rows].copy_from_slice(from);
        })?;
        Ok(())
    }

    /// Makes vector `j` what is left of `x` beside the vectors before it, of length
    /// one; false when nothing is left.
    pub fn insert(&mut self, exec: &Exec, j: usize, x: &[f64]) -> Result<bool> {
        self.write(exec, j, x)?;
        let before = self.subtract_norm(exec, j, &[])?;
        let mut h = self.project(exec, j)?;
        h = self.subtract_project(exec, j, &h)?;
        let norm = self.subtract_norm(exec, j, &h)?;
        if norm.is_nan() || norm <= 1e-10 * before {
            return Ok(false);
        }
        self.accept(exec, j, norm)?;
        Ok(true)
    }

    /// As [`Basis::insert`] with a fixed pseudo-random vector, the `draw`-th of its
    /// kind. False when the basis is complete.
    pub fn insert_random(&mut self, exec: &Exec, j: usize, draw: u64) -> Result<bool> {
        if j >= self.n {
            return Ok(false);
        }
        let x = random_vector(self.n, draw)?;
        self.insert(exec, j, &x)
    }

    /// The first `columns(q)` vectors become the first `rows(q)` times `q`; vector
    /// `rows(q)` moves behind them.
    pub fn compress(&mut self, exec: &Exec, q: &DMatrix<f64>) -> Result<()> {
        let (from, to) = (q.nrows(), q.ncols());
        self.pass(exec, 0, |p| {
            let (old, last) = p.data.split_at_mut(from * ROWS);
            let mut new = vec![0.0; to * ROWS];
            simd::wide(
                #[inline(always)]
                || combine(q.as_slice(), old, &mut new),
            );
            old[..to * ROWS].copy_from_slice(&new);
            if to < from {
                old[to * ROWS..(to + 1) * ROWS].copy_from_slice(&last[..ROWS]);
            }
        })?;
        Ok(())
    }

    /// The first `k` vectors as columns.
    pub fn columns(&self, k: usize) -> Array2<f64> {
        Array2::from_shape_fn((self.n, k), |(i, j)| {
            self.data[(i / ROWS * self.capacity + j) * ROWS + i % ROWS]
        })
    }
}

/// The `draw`-th fixed pseudo-random vector of length `n`, uniform on [-1/2, 1/2).
pub(crate) fn random_vector(n: usize, draw: u64) -> Result<Vec<f64>> {
    let mut stream = Stream::new(0, PURPOSE, draw, 0);
    let mut x = try_filled(n, 0.0, "a start vector")?;
    x.fill_with(|| stream.uniform() - 0.5);
    Ok(x)
}

/// Row `i` times `x`, in four chains of sums that hide the latency of additions.
#[inline(always)]
fn row_times(t: &Csr, i: usize, x: &[f64]) -> f64 {
    let (cols, values) = row(t, i);
    let mut lanes = [0.0; 4];
    let (fc, fv) = (cols.chunks_exact(4), values.chunks_exact(4));
    for (l, (&c, &v)) in lanes
        .iter_mut()
        .zip(fc.remainder().iter().zip(fv.remainder()))
    {
        *l = v * x[c as usize];
    }
    for (c, v) in fc.zip(fv) {
        for l in 0..4 {
            lanes[l] += v[l] * x[c[l] as usize];
        }
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
}

/// Inner products of every vector of `old` with `new`, four at a time.
#[inline(always)]
fn dots(old: &[f64], new: &[f64], out: &mut [f64]) {
    let (fours, rest) = old.split_at(old.len() / (4 * ROWS) * (4 * ROWS));
    let (first, last) = out.split_at_mut(fours.len() / ROWS);
    for (v, out) in fours.chunks_exact(4 * ROWS).zip(first.chunks_exact_mut(4)) {
        let mut lanes = [[0.0; simd::LANES]; 4];
        let columns = [0, 1, 2, 3].map(|c| &v[c * ROWS..(c + 1) * ROWS]);
        for (at, x) in new.chunks_exact(simd::LANES).enumerate() {
            for (lanes, column) in lanes.iter_mut().zip(columns) {
                let w = &column[at * simd::LANES..(at + 1) * simd::LANES];
                for l in 0..simd::LANES {
                    lanes[l] += x[l] * w[l];
                }
            }
        }
        out.copy_from_slice(&lanes.map(simd::tree));
    }
    for (v, out) in rest.chunks_exact(ROWS).zip(last) {
        *out = simd::dot(v, new);
    }
}

#[inline(always)]
fn subtract(h: &[f64], old: &[f64], new: &mut [f64]) {
    add(old, new, h.len(), |i| -h[i]);
}

/// `new += sum_i weight(i) v_i` over the first `m` vectors of `old`, four at a time.
#[inline(always)]
fn add(old: &[f64], new: &mut [f64], m: usize, weight: impl Fn(usize) -> f64) {
    let m = m.min(old.len() / ROWS);
    let column = |i: usize| &old[i * ROWS..(i + 1) * ROWS];
    let mut i = 0;
    while i + 4 <= m {
        let [a, b, c, d] = [0, 1, 2, 3].map(|k| column(i + k));
        let h = [0, 1, 2, 3].map(|k| weight(i + k));
        for (r, out) in new[..ROWS].iter_mut().enumerate() {
            *out += (h[0] * a[r] + h[1] * b[r]) + (h[2] * c[r] + h[3] * d[r]);
        }
        i += 4;
    }
    for i in i..m {
        simd::axpy(weight(i), column(i), new);
    }
}

#[inline(always)]
fn combine(q: &[f64], old: &[f64], new: &mut [f64]) {
    let from = old.len() / ROWS;
    for (out, q) in new.chunks_exact_mut(ROWS).zip(q.chunks_exact(from)) {
        add(old, out, from, |i| q[i]);
    }
}
