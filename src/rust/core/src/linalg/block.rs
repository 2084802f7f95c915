//! Blocks of vectors that are worked on together, each column with its own scalars.
//!
//! A block of `k` vectors of length `n` is stored row by row (`n x k`), so that one
//! pass over a sparse matrix serves every column. Sums are taken over fixed chunks
//! of rows, and within a chunk over eight interleaved partial sums, so they have
//! the same bits on any number of threads and for any instruction set.

use crate::error::Result;
use crate::exec::Exec;
use crate::simd::{self, LANES};

/// Rows per task of a block operation; part of the meaning of every sum.
const ROWS: usize = 1024;

/// A linear map on blocks of vectors: a matrix, or an approximate inverse of one.
pub trait Operator: Sync {
    /// Length of the vectors.
    fn size(&self) -> usize;

    /// `out = A x` for a block of `k` vectors.
    ///
    /// # Errors
    /// `interrupted`, `memory`.
    fn apply(&self, exec: &Exec, x: &[f64], k: usize, out: &mut [f64]) -> Result<()>;
}

/// The identity: what an iteration without preconditioner uses.
#[derive(Debug, Clone, Copy)]
pub struct Identity(pub usize);

impl Operator for Identity {
    fn size(&self) -> usize {
        self.0
    }

    fn apply(&self, _: &Exec, x: &[f64], _: usize, out: &mut [f64]) -> Result<()> {
        out.copy_from_slice(x);
        Ok(())
    }
}

/// Inner products by column of every block of `basis` with `w`: entry `j * k + c`
/// is that of column c of block j. O(blocks * n * k).
///
/// # Errors
/// `interrupted`.
pub fn dots(exec: &Exec, basis: &[&[f64]], w: &[f64], k: usize) -> Result<Vec<f64>> {
    let n = w.len() / k.max(1);
    let parts = exec.map_chunks(n, ROWS, |rows| {
        let range = rows.start * k..rows.end * k;
        let mut out = vec![0.0; basis.len() * k];
        let mut lanes = vec![0.0; LANES * k];
        simd::wide(
            #[inline(always)]
            || {
                for (v, out) in basis.iter().zip(out.chunks_exact_mut(k)) {
                    column_dots(&v[range.clone()], &w[range.clone()], &mut lanes, out);
                }
            },
        );
        out
    })?;
    let mut total = vec![0.0; basis.len() * k];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
    }
    Ok(total)
}

#[inline(always)]
fn column_dots(a: &[f64], b: &[f64], lanes: &mut [f64], out: &mut [f64]) {
    lanes.fill(0.0);
    for (x, y) in a.chunks(lanes.len()).zip(b.chunks(lanes.len())) {
        for ((l, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *l += x * y;
        }
    }
    let k = out.len();
    for (c, out) in out.iter_mut().enumerate() {
        let mut column = [0.0; LANES];
        for (l, v) in column.iter_mut().enumerate() {
            *v = lanes[l * k + c];
        }
        *out = simd::tree(column);
    }
}

/// 2-norms of the columns. O(n * k).
///
/// # Errors
/// `interrupted`.
pub fn norms(exec: &Exec, w: &[f64], k: usize) -> Result<Vec<f64>> {
    Ok(dots(exec, &[w], w, k)?.into_iter().map(f64::sqrt).collect())
}

/// `w += sum_j diag(weights_j) block_j`, `weights[j * k + c]` for column c of block
/// j; blocks are added in order. O(blocks * n * k).
///
/// # Errors
/// `interrupted`.
pub fn add(exec: &Exec, basis: &[&[f64]], weights: &[f64], w: &mut [f64], k: usize) -> Result<()> {
    if k == 0 {
        return Ok(());
    }
    let wide: Vec<f64> = weights
        .chunks_exact(k)
        .flat_map(|one| one.repeat(LANES))
        .collect();
    exec.chunks_mut(w, ROWS * k, |start, piece| {
        simd::wide(
            #[inline(always)]
            || {
                for (v, weight) in basis.iter().zip(wide.chunks_exact(LANES * k)) {
                    let v = &v[start..start + piece.len()];
                    for (x, y) in v.chunks(weight.len()).zip(piece.chunks_mut(weight.len())) {
                        for ((y, &x), &a) in y.iter_mut().zip(x).zip(weight) {
                            *y += a * x;
                        }
                    }
                }
            },
        );
    })
}

/// Multiplies every column by its own factor. O(n * k).
pub fn scale(w: &mut [f64], factors: &[f64]) {
    for row in w.chunks_exact_mut(factors.len().max(1)) {
        row.iter_mut().zip(factors).for_each(|(v, f)| *v *= f);
    }
}

/// The columns `keep` of a block. O(n * columns kept).
pub fn columns(w: &[f64], k: usize, keep: &[usize]) -> Vec<f64> {
    let rows = w.chunks_exact(k.max(1));
    rows.flat_map(|row| keep.iter().map(|&c| row[c])).collect()
}

/// Writes the columns of `part` to the columns `keep` of `w`. O(n * columns kept).
pub fn put_columns(w: &mut [f64], k: usize, keep: &[usize], part: &[f64]) {
    if keep.is_empty() {
        return;
    }
    let rows = w.chunks_exact_mut(k.max(1));
    for (row, from) in rows.zip(part.chunks_exact(keep.len())) {
        keep.iter().zip(from).for_each(|(&c, &v)| row[c] = v);
    }
}

/// `b - A x` and its 2-norms by column. One product with `a`.
///
/// # Errors
/// `interrupted`.
pub fn residual(
    exec: &Exec,
    a: &dyn Operator,
    b: &[f64],
    x: &[f64],
    k: usize,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut r = vec![0.0; b.len()];
    a.apply(exec, x, k, &mut r)?;
    r.iter_mut().zip(b).for_each(|(r, &b)| *r = b - *r);
    let size = norms(exec, &r, k)?;
    Ok((r, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(n: usize, k: usize, salt: f64) -> Vec<f64> {
        (0..n * k)
            .map(|i| (i as f64 * salt + 0.1) % 1.0 - 0.4)
            .collect()
    }

    #[test]
    fn sums_and_updates_agree_with_loops_over_columns() {
        let exec = Exec::serial();
        let (n, k) = (2500, 3);
        let (a, b) = (block(n, k, 0.377), block(n, k, 0.731));
        let got = dots(&exec, &[&a, &b], &b, k).unwrap();
        for (j, v) in [&a, &b].into_iter().enumerate() {
            for c in 0..k {
                let want: f64 = (0..n).map(|i| v[i * k + c] * b[i * k + c]).sum();
                assert!((got[j * k + c] - want).abs() < 1e-11);
            }
        }
        let mut w = b.clone();
        let weights = [1.0, 2.0, 3.0, -1.0, 0.0, 0.5];
        add(&exec, &[&a, &b], &weights, &mut w, k).unwrap();
        for (i, &v) in w.iter().enumerate() {
            let c = i % k;
            let want = b[i] + weights[c] * a[i] + weights[k + c] * b[i];
            assert!((v - want).abs() < 1e-15);
        }
        let part = columns(&b, k, &[2, 0]);
        assert_eq!((part[0], part[1]), (b[2], b[0]));
        let mut back = b.clone();
        put_columns(&mut back, k, &[2, 0], &part);
        assert_eq!(back, b);
    }

    #[test]
    fn bits_do_not_depend_on_threads_or_instructions() {
        let (n, k) = (5003, 5);
        let (a, b) = (block(n, k, 0.377), block(n, k, 0.731));
        let run = |threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let d = dots(&exec, &[&a, &b], &a, k).unwrap();
            let mut w = b.clone();
            add(&exec, &[&a], &d[..k], &mut w, k).unwrap();
            (d, w)
        };
        crate::testing::same_bits(run);
    }
}
