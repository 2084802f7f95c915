//! Tall thin blocks of vectors, by rows, and their products.
//!
//! Sums over rows are made in fixed chunks, so threads do not show in the result.

use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::simd;
use crate::sparse::csr::{row, Csr};
use crate::sparse::ops::ROWS;
use ndarray::Array2;

/// A dense matrix by rows.
#[derive(Debug, Clone)]
pub struct Block {
    pub rows: usize,
    pub cols: usize,
    pub data: Vec<f64>,
}

impl Block {
    pub fn zeros(rows: usize, cols: usize) -> Result<Block> {
        Ok(Block {
            rows,
            cols,
            data: try_filled(rows * cols, 0.0, "the components")?,
        })
    }

    pub fn from_fn(rows: usize, cols: usize, f: impl Fn(usize, usize) -> f64) -> Result<Block> {
        let mut b = Block::zeros(rows, cols)?;
        for i in 0..rows {
            for j in 0..cols {
                b.data[i * cols + j] = f(i, j);
            }
        }
        Ok(b)
    }

    #[inline(always)]
    pub fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// Row i times `factor[i]`.
    pub fn scale_rows(&mut self, factor: &[f64]) {
        for (r, &f) in self.data.chunks_exact_mut(self.cols).zip(factor) {
            r.iter_mut().for_each(|v| *v *= f);
        }
    }

    /// `weight' B`.
    pub fn weighted_sum(&self, weight: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.cols];
        for (r, &w) in self.data.chunks_exact(self.cols).zip(weight) {
            simd::axpy(w, r, &mut sum);
        }
        sum
    }

    /// Takes `shift` from every row.
    pub fn shift_rows(&mut self, shift: &[f64]) {
        for r in self.data.chunks_exact_mut(self.cols) {
            simd::axpy(-1.0, shift, r);
        }
    }

    /// Takes `column row'` from the matrix.
    pub fn subtract_outer(&mut self, column: &[f64], row: &[f64]) {
        for (r, &c) in self.data.chunks_exact_mut(self.cols).zip(column) {
            simd::axpy(-c, row, r);
        }
    }

    /// Turns columns so that their largest entry (the first, on ties) is positive.
    pub fn make_largest_positive(&mut self) {
        let mut largest = vec![0.0f64; self.cols];
        for r in self.data.chunks_exact(self.cols) {
            for (m, &v) in largest.iter_mut().zip(r) {
                if v.abs() > m.abs() {
                    *m = v;
                }
            }
        }
        for r in self.data.chunks_exact_mut(self.cols) {
            for (v, &m) in r.iter_mut().zip(&largest) {
                if m < 0.0 {
                    *v = -*v;
                }
            }
        }
    }

    pub fn into_array(self) -> Array2<f64> {
        let (rows, cols, data) = (self.rows, self.cols, self.data);
        // The length is rows * cols by construction.
        Array2::from_shape_vec((rows, cols), data).unwrap_or_default()
    }

    /// `self' other`, columns x columns.
    pub fn cross(&self, exec: &Exec, other: &Block) -> Result<Block> {
        let parts = exec.map_chunks(self.rows, ROWS, |rows| {
            let mut sum = vec![0.0; self.cols * other.cols];
            simd::wide(
                #[inline(always)]
                || {
                    for i in rows {
                        let y = other.row(i);
                        for (&x, out) in self.row(i).iter().zip(sum.chunks_exact_mut(other.cols)) {
                            simd::axpy(x, y, out);
                        }
                    }
                },
            );
            sum
        })?;
        let mut out = Block::zeros(self.cols, other.cols)?;
        for part in parts {
            simd::axpy(1.0, &part, &mut out.data);
        }
        Ok(out)
    }

    /// `start + sign * self * small`; `start` has the columns of `small`.
    pub fn add_times(
        &self,
        exec: &Exec,
        sign: f64,
        small: &Block,
        mut start: Block,
    ) -> Result<Block> {
        let k = small.cols;
        exec.chunks_mut(&mut start.data, ROWS * k, |first, piece| {
            simd::wide(
                #[inline(always)]
                || {
                    for (r, out) in piece.chunks_exact_mut(k).enumerate() {
                        let x = self.row(first / k + r);
                        for (&x, s) in x.iter().zip(small.data.chunks_exact(k)) {
                            simd::axpy(sign * x, s, out);
                        }
                    }
                },
            );
        })?;
        Ok(start)
    }

    /// `self * small`.
    pub fn times(&self, exec: &Exec, small: &Block) -> Result<Block> {
        self.add_times(exec, 1.0, small, Block::zeros(self.rows, small.cols)?)
    }

    /// The columns side by side.
    pub fn beside(&self, other: &Block) -> Result<Block> {
        let mut out = Block::zeros(self.rows, self.cols + other.cols)?;
        for (i, r) in out
            .data
            .chunks_exact_mut(self.cols + other.cols)
            .enumerate()
        {
            r[..self.cols].copy_from_slice(self.row(i));
            r[self.cols..].copy_from_slice(other.row(i));
        }
        Ok(out)
    }

    pub fn select(&self, cols: &[usize]) -> Result<Block> {
        Block::from_fn(self.rows, cols.len(), |i, j| {
            self.data[i * self.cols + cols[j]]
        })
    }
}

/// `m B` for a sparse matrix.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn sparse_times(exec: &Exec, m: &Csr, b: &Block) -> Result<Block> {
    let k = b.cols;
    let mut out = Block::zeros(m.rows(), k)?;
    exec.chunks_mut(&mut out.data, ROWS * k, |start, piece| {
        simd::wide(
            #[inline(always)]
            || {
                for (r, out) in piece.chunks_exact_mut(k).enumerate() {
                    let (cols, values) = row(m, start / k + r);
                    for (&c, &v) in cols.iter().zip(values) {
                        simd::axpy(v, b.row(c as usize), out);
                    }
                }
            },
        );
    })?;
    Ok(out)
}

/// Columns at length one; zero columns stay.
pub fn normalised(mut b: Block) -> Block {
    let k = b.cols;
    let mut sizes = vec![0.0; k];
    for r in b.data.chunks_exact(k.max(1)) {
        sizes.iter_mut().zip(r).for_each(|(s, v)| *s += v * v);
    }
    let factor: Vec<f64> = sizes
        .iter()
        .map(|&s: &f64| if s > 0.0 { 1.0 / s.sqrt() } else { 0.0 })
        .collect();
    for r in b.data.chunks_exact_mut(k.max(1)) {
        r.iter_mut().zip(&factor).for_each(|(v, f)| *v *= f);
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;

    fn random(rows: usize, cols: usize, seed: u64) -> Block {
        let draw = |i, j| Stream::new(seed, 0, i as u64, j as u64).normal();
        Block::from_fn(rows, cols, draw).unwrap()
    }

    fn close(a: &Block, b: &Array2<f64>) {
        let a = a.clone().into_array();
        assert_eq!(a.dim(), b.dim());
        assert!((&a - b).iter().all(|v| v.abs() < 1e-11));
    }

    #[test]
    fn products_are_those_of_dense_matrices() {
        let exec = Exec::with_threads(2).unwrap();
        let (a, b, s) = (random(1100, 5, 1), random(1100, 3, 2), random(5, 3, 3));
        let array = |b: &Block| b.clone().into_array();
        close(&a.cross(&exec, &b).unwrap(), &array(&a).t().dot(&array(&b)));
        close(&a.times(&exec, &s).unwrap(), &array(&a).dot(&array(&s)));
        let less = a.add_times(&exec, -1.0, &s, b.clone()).unwrap();
        close(&less, &(array(&b) - array(&a).dot(&array(&s))));
        let both = a.beside(&b).unwrap();
        close(&both.select(&[5, 6, 7]).unwrap(), &array(&b));
        let rows = (0..700u32).map(|i| vec![(i, 2.0), ((i * 7) % 400 + 700, 1.0)]);
        let m = from_rows(1100, rows.collect()).unwrap();
        close(
            &sparse_times(&exec, &m, &b).unwrap(),
            &m.to_dense().dot(&array(&b)),
        );
    }

    #[test]
    fn columns_are_scaled_and_turned() {
        let mut b =
            Block::from_fn(3, 2, |i, j| [[1.0, 0.0], [-2.0, 0.0], [2.0, 0.0]][i][j]).unwrap();
        b.make_largest_positive();
        // On a tie the first of the largest decides.
        assert_eq!(b.data, [-1.0, 0.0, 2.0, 0.0, -2.0, 0.0]);
        let unit = normalised(b);
        assert!((unit.data[2] - 2.0 / 3.0).abs() < 1e-15 && unit.data[1] == 0.0);
    }
}
