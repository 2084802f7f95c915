//! Row-parallel operations on sparse matrices, each row left to right.

use super::csr::{from_rows, row, row_range, transpose, Csr};
use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::{split_at_bounds, Exec};
use crate::simd;
use ndarray::{Array2, ArrayView2};

/// Rows per task: enough work to hide scheduling, small enough to stop quickly.
pub const ROWS: usize = 512;

/// `m x` for a vector. O(entries).
///
/// # Errors
/// `interrupted`.
pub fn mat_vec(exec: &Exec, m: &Csr, x: &[f64], y: &mut [f64]) -> Result<()> {
    debug_assert_eq!((m.cols(), m.rows()), (x.len(), y.len()));
    exec.chunks_mut(y, ROWS, |start, piece| {
        for (k, out) in piece.iter_mut().enumerate() {
            let (cols, values) = row(m, start + k);
            let mut sum = 0.0;
            for (&c, &v) in cols.iter().zip(values) {
                sum += v * x[c as usize];
            }
            *out = sum;
        }
    })
}

/// `m x` for a block of right-hand sides, `x` cells x columns. O(entries * columns).
///
/// # Errors
/// `interrupted`.
pub fn mat_mat(exec: &Exec, m: &Csr, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    debug_assert_eq!(m.cols(), x.nrows());
    let k = x.ncols();
    let x = x.as_standard_layout();
    // Standard layout has just been made.
    let flat = x.as_slice().unwrap_or_default();
    let mut y = Array2::<f64>::zeros((m.rows(), k));
    if let (Some(out), true) = (y.as_slice_mut(), k > 0) {
        exec.chunks_mut(out, ROWS * k, |start, piece| {
            simd::wide(
                #[inline(always)]
                || {
                    for (r, out) in piece.chunks_exact_mut(k).enumerate() {
                        let (cols, values) = row(m, start / k + r);
                        for (&c, &v) in cols.iter().zip(values) {
                            let from = c as usize * k;
                            simd::axpy(v, &flat[from..from + k], out);
                        }
                    }
                },
            );
        })?;
    }
    Ok(y)
}

/// Row sums, each left to right. O(entries).
///
/// # Errors
/// `interrupted`.
pub fn row_sums(exec: &Exec, m: &Csr) -> Result<Vec<f64>> {
    let mut sums = vec![0.0; m.rows()];
    exec.chunks_mut(&mut sums, ROWS, |start, piece| {
        for (k, out) in piece.iter_mut().enumerate() {
            *out = row(m, start + k).1.iter().sum();
        }
    })?;
    Ok(sums)
}

/// The matrix with its values replaced by `f(row, column, value)`; the pattern
/// stays. O(entries).
///
/// # Errors
/// `interrupted`.
pub fn map_values<F>(exec: &Exec, mut m: Csr, f: F) -> Result<Csr>
where
    F: Fn(usize, usize, f64) -> f64 + Sync,
{
    let n = m.rows();
    let indptr = m.proper_indptr().into_owned();
    let indices = m.indices().to_vec();
    let cuts: Vec<usize> = (0..=n.div_ceil(ROWS))
        .map(|c| indptr[(c * ROWS).min(n)])
        .collect();
    let tasks = crate::exec::split_at_bounds(m.data_mut(), &cuts)
        .into_iter()
        .enumerate()
        .collect();
    exec.for_each(tasks, |(c, values)| {
        let first = indptr[c * ROWS];
        for i in c * ROWS..((c + 1) * ROWS).min(n) {
            for k in indptr[i]..indptr[i + 1] {
                let v = &mut values[k - first];
                *v = f(i, indices[k] as usize, *v);
            }
        }
        Ok(())
    })?;
    Ok(m)
}

/// Without the entries that are exactly zero. O(entries).
///
/// # Errors
/// `interrupted`.
pub fn drop_zeros(exec: &Exec, m: Csr) -> Result<Csr> {
    if m.data().iter().all(|&v| v != 0.0) {
        return Ok(m);
    }
    build_rows(exec, m.rows(), m.cols(), |i, out| {
        let (cols, values) = row(&m, i);
        out.extend(
            cols.iter()
                .zip(values)
                .filter(|(_, &v)| v != 0.0)
                .map(|(&c, &v)| (c, v)),
        );
    })
}

/// A matrix whose row i is what `f(i, &mut row)` pushed, any column order.
///
/// # Errors
/// `interrupted`, `shape` when a row names a column twice.
pub fn build_rows<F>(exec: &Exec, rows: usize, cols: usize, f: F) -> Result<Csr>
where
    F: Fn(usize, &mut Vec<(u32, f64)>) + Sync,
{
    let parts = exec.map_chunks(rows, ROWS, |range| {
        range
            .map(|i| {
                let mut out = Vec::new();
                f(i, &mut out);
                out
            })
            .collect::<Vec<_>>()
    })?;
    from_rows(cols, parts.into_iter().flatten().collect())
}

/// `sum_t weight_t m_t` on the union of the patterns; terms are added in order.
/// O(entries).
///
/// # Errors
/// `interrupted`.
pub fn weighted_sum(exec: &Exec, terms: &[(f64, &Csr)]) -> Result<Csr> {
    let Some((_, first)) = terms.first() else {
        return Ok(Csr::zero((0, 0)));
    };
    build_rows(exec, first.rows(), first.cols(), |i, out| {
        for (weight, m) in terms {
            let (cols, values) = row(m, i);
            out.extend(cols.iter().zip(values).map(|(&c, &v)| (c, weight * v)));
        }
        out.sort_by_key(|&(c, _)| c);
        out.dedup_by(|b, a| {
            let same = a.0 == b.0;
            if same {
                a.1 += b.1;
            }
            same
        });
    })
}

/// The Frobenius norm of `m - m'`: zero for a symmetric matrix. O(entries).
///
/// # Errors
/// `shape` when `m` is not square, `memory`, `interrupted`.
pub fn asymmetry(exec: &Exec, m: &Csr) -> Result<f64> {
    if m.rows() != m.cols() {
        return Err(CoreError::Shape {
            what: "a matrix with its transpose".into(),
            expected: m.rows(),
            found: m.cols(),
        });
    }
    if is_symmetric(exec, m)? {
        return Ok(0.0);
    }
    let turned = transpose(exec, m)?;
    let parts = exec.map_chunks(m.rows(), ROWS, |range| {
        let mut sum = 0.0;
        for i in range {
            let ((ca, va), (cb, vb)) = (row(m, i), row(&turned, i));
            let (mut a, mut b) = (0, 0);
            while a < ca.len() || b < cb.len() {
                let (left, right) = (ca.get(a), cb.get(b));
                let first = right.map_or(true, |r| left.is_some_and(|l| l <= r));
                let second = left.map_or(true, |l| right.is_some_and(|r| r <= l));
                let x = if first { va[a] } else { 0.0 };
                let y = if second { vb[b] } else { 0.0 };
                sum += (x - y) * (x - y);
                a += usize::from(first);
                b += usize::from(second);
            }
        }
        sum
    })?;
    Ok(parts.into_iter().sum::<f64>().sqrt())
}

/// Refuses a matrix, called `what`, that differs from its transpose by more than
/// `tolerance` of its own norm. O(entries).
///
/// # Errors
/// `range` (not symmetric), those of [`asymmetry`].
pub fn require_symmetric(exec: &Exec, m: &Csr, what: &str, tolerance: f64) -> Result<()> {
    let difference = asymmetry(exec, m)?;
    let norm = m.data().iter().map(|v| v * v).sum::<f64>().sqrt();
    if difference <= tolerance * norm {
        return Ok(());
    }
    Err(CoreError::NotSymmetric {
        what: what.into(),
        difference: difference / norm,
    })
}

/// Whether pattern and values of a square matrix equal those of its transpose. O(entries),
/// without a transpose: row i is met in ascending order, so its entries right of the
/// diagonal are the next ones left of it in their rows.
fn is_symmetric(exec: &Exec, m: &Csr) -> Result<bool> {
    let (indices, data) = (m.indices(), m.data());
    let mut next = try_with_capacity(m.rows(), "the rows of a matrix")?;
    next.extend((0..m.rows()).map(|i| row_range(m, i).start));
    for i in 0..m.rows() {
        if i % ROWS == 0 {
            exec.check()?;
        }
        let range = row_range(m, i);
        let right = next[i]..range.end;
        // An entry left of the diagonal without its twin is still to come here.
        if right
            .clone()
            .next()
            .is_some_and(|e| (indices[e] as usize) < i)
        {
            return Ok(false);
        }
        for e in right {
            let j = indices[e] as usize;
            if j > i {
                let twin = next[j];
                let there = twin < row_range(m, j).end && indices[twin] as usize == i;
                if !there || data[twin] != data[e] {
                    return Ok(false);
                }
                next[j] += 1;
            }
        }
    }
    Ok(true)
}

/// `f(m_ij, m_ji)` where either is stored, results that are zero left out. Symmetric
/// for a symmetric `f`. O(entries).
///
/// # Errors
/// `shape` when `m` is not square, `memory`, `interrupted`.
pub fn with_transpose<F>(exec: &Exec, m: &Csr, f: F) -> Result<Csr>
where
    F: Fn(f64, f64) -> f64 + Sync,
{
    if m.rows() != m.cols() {
        return Err(CoreError::Shape {
            what: "a matrix with its transpose".into(),
            expected: m.rows(),
            found: m.cols(),
        });
    }
    let turned = transpose(exec, m)?;
    build_rows(exec, m.rows(), m.cols(), |i, out| {
        let ((ca, va), (cb, vb)) = (row(m, i), row(&turned, i));
        let (mut a, mut b) = (0, 0);
        while a < ca.len() || b < cb.len() {
            let (left, right) = (ca.get(a), cb.get(b));
            let first = right.map_or(true, |r| left.is_some_and(|l| l <= r));
            let second = left.map_or(true, |l| right.is_some_and(|r| r <= l));
            let c = if first { ca[a] } else { cb[b] };
            let x = if first { va[a] } else { 0.0 };
            let y = if second { vb[b] } else { 0.0 };
            let v = f(x, y);
            if v != 0.0 {
                out.push((c, v));
            }
            a += usize::from(first);
            b += usize::from(second);
        }
    })
}

/// The values of the transpose of a matrix whose pattern is symmetric: `values` stand
/// in the order of the entries of `pattern`, and so do those of `out`. O(entries).
///
/// # Errors
/// `shape` when there is not one value per entry, or the pattern is not symmetric,
/// `memory`, `interrupted`.
pub fn mirror(exec: &Exec, pattern: &Csr, values: &[f64], out: &mut [f64]) -> Result<()> {
    let (n, entries) = (pattern.rows(), pattern.nnz());
    let fits = pattern.cols() == n && values.len() == entries && out.len() == entries;
    let found = values.len().min(out.len());
    let unfit = || CoreError::Shape {
        what: "values on a symmetric pattern".into(),
        expected: entries,
        found,
    };
    if !fits {
        return Err(unfit());
    }
    let start = |i: usize| {
        if i < n {
            row_range(pattern, i).start
        } else {
            entries
        }
    };
    let parts = exec.threads().clamp(1, n.max(1));
    let cells: Vec<usize> = (0..=parts).map(|t| n * t / parts).collect();
    let cuts: Vec<usize> = cells.iter().map(|&i| start(i)).collect();
    let tasks = split_at_bounds(out, &cuts)
        .into_iter()
        .zip(cells.windows(2));
    exec.for_each(tasks.collect(), |(out, range)| {
        let (first, last) = (range[0], range[1]);
        let base = start(first);
        let mut next = try_with_capacity(last - first, "the rows of a matrix")?;
        next.extend((first..last).map(|j| (start(j) - base) as u32));
        for i in 0..n {
            if i % (8 * ROWS) == 0 {
                exec.check()?;
            }
            let (columns, at) = (row(pattern, i).0, row_range(pattern, i).start);
            let from = columns.partition_point(|&j| (j as usize) < first);
            for (e, &j) in columns.iter().enumerate().skip(from) {
                let j = j as usize;
                if j >= last {
                    break;
                }
                let place = next[j - first] as usize;
                // A column with more entries than its row has.
                if base + place >= start(j + 1) {
                    return Err(unfit());
                }
                out[place] = values[at + e];
                next[j - first] += 1;
            }
        }
        Ok(())
    })
}

/// The element-wise product, on the intersection of the patterns. O(entries).
///
/// # Errors
/// `interrupted`.
pub fn hadamard(exec: &Exec, a: &Csr, b: &Csr) -> Result<Csr> {
    build_rows(exec, a.rows(), a.cols(), |i, out| {
        let ((ca, va), (cb, vb)) = (row(a, i), row(b, i));
        let mut k = 0;
        for (&c, &v) in ca.iter().zip(va) {
            while k < cb.len() && cb[k] < c {
                k += 1;
            }
            if k < cb.len() && cb[k] == c {
                out.push((c, v * vb[k]));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn small() -> Csr {
        from_rows(
            3,
            vec![vec![(0, 1.0), (2, 2.0)], vec![], vec![(1, 3.0), (0, 4.0)]],
        )
        .unwrap()
    }

    #[test]
    fn products_agree_with_the_dense_ones() {
        let exec = Exec::serial();
        let m = small();
        let x = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        let y = mat_mat(&exec, &m, x.view()).unwrap();
        assert_eq!(y, array![[11.0, 14.0], [0.0, 0.0], [13.0, 20.0]]);
        let mut v = vec![0.0; 3];
        mat_vec(&exec, &m, &[1.0, 3.0, 5.0], &mut v).unwrap();
        assert_eq!(v, [11.0, 0.0, 13.0]);
    }

    #[test]
    fn values_are_mirrored_on_a_symmetric_pattern() {
        let mut s = crate::rng::Stream::new(5, 0, 0, 0);
        for n in [1usize, 2, 9, 60] {
            let mut dense = ndarray::Array2::<f64>::zeros((n, n));
            for _ in 0..3 * n {
                let (i, j) = (s.below(n), s.below(n));
                dense[(i, j)] = s.uniform() + 0.1;
                dense[(j, i)] = s.uniform() + 0.1;
            }
            let entry = |(j, &v): (usize, &f64)| (v != 0.0).then_some((j as u32, v));
            let rows = dense.rows().into_iter();
            let rows = rows.map(|r| r.iter().enumerate().filter_map(entry).collect());
            let m = crate::sparse::csr::from_rows(n, rows.collect()).unwrap();
            for threads in [1, 2, 4] {
                let exec = Exec::with_threads(threads).unwrap();
                let mut out = vec![0.0; m.nnz()];
                mirror(&exec, &m, m.data(), &mut out).unwrap();
                assert_eq!(out, transpose(&exec, &m).unwrap().data());
            }
        }
        let exec = Exec::serial();
        let lower = crate::sparse::csr::from_rows(2, vec![vec![(0, 1.0)], vec![(0, 2.0)]]);
        let lower = lower.unwrap();
        let e = mirror(&exec, &lower, &[1.0, 2.0], &mut [0.0; 2]).unwrap_err();
        assert_eq!(e.kind(), "shape");
        assert!(mirror(&exec, &lower, &[1.0], &mut [0.0; 2]).is_err());
    }

    #[test]
    fn symmetric_matrices_are_recognised() {
        let exec = Exec::serial();
        let mut s = crate::rng::Stream::new(4, 0, 0, 0);
        for n in [1usize, 2, 5, 30] {
            let mut dense = ndarray::Array2::<f64>::zeros((n, n));
            for _ in 0..2 * n {
                let (i, j, v) = (s.below(n), s.below(n), s.uniform() + 0.1);
                dense[(i, j)] = v;
                dense[(j, i)] = v;
            }
            let build = |d: &ndarray::Array2<f64>| {
                let entry = |(j, &v): (usize, &f64)| (v != 0.0).then_some((j as u32, v));
                let rows = d.rows().into_iter();
                let rows = rows.map(|r| r.iter().enumerate().filter_map(entry).collect());
                crate::sparse::csr::from_rows(n, rows.collect()).unwrap()
            };
            assert!(is_symmetric(&exec, &build(&dense)).unwrap());
            for _ in 0..20 {
                let (i, j) = (s.below(n), s.below(n));
                let mut other = dense.clone();
                // Takes one away, adds one, or changes one.
                other[(i, j)] = [0.0, 7.0, dense[(i, j)] + 1.0][s.below(3)];
                let same = other == other.t();
                assert_eq!(is_symmetric(&exec, &build(&other)).unwrap(), same);
            }
        }
    }

    #[test]
    fn asymmetry_is_the_norm_of_the_difference() {
        let exec = Exec::serial();
        // m - m' is -2 at (0, 2), 2 at (2, 0), 3 at (2, 1) and -3 at (1, 2).
        let norm = asymmetry(&exec, &small()).unwrap();
        assert!((norm - (4.0f64 + 4.0 + 9.0 + 9.0).sqrt()).abs() < 1e-12);
        let even = from_rows(2, vec![vec![(0, 1.0), (1, 2.0)], vec![(0, 2.0)]]).unwrap();
        assert_eq!(asymmetry(&exec, &even).unwrap(), 0.0);
    }

    #[test]
    fn a_matrix_and_its_transpose_are_put_together() {
        let exec = Exec::serial();
        let s = with_transpose(&exec, &small(), |a, b| a - 0.5 * b).unwrap();
        // small() is [[1 0 2] [0 0 0] [4 3 0]].
        let want = [[0.5, 0.0, 0.0], [0.0, 0.0, -1.5], [3.0, 3.0, 0.0]];
        for (i, r) in want.iter().enumerate() {
            for (j, &v) in r.iter().enumerate() {
                assert_eq!(s.get(i, j).copied().unwrap_or(0.0), v, "{i} {j}");
            }
        }
        assert_eq!(s.nnz(), 4);
        let wide = from_rows(2, vec![vec![(1, 1.0)]]).unwrap();
        assert!(with_transpose(&exec, &wide, |a, b| a + b).is_err());
    }

    #[test]
    fn sums_and_products_by_entry() {
        let exec = Exec::serial();
        let (a, b) = (
            small(),
            from_rows(3, vec![vec![(2, 1.0)], vec![(0, 7.0)], vec![]]).unwrap(),
        );
        let s = weighted_sum(&exec, &[(0.5, &a), (2.0, &b)]).unwrap();
        assert_eq!(row(&s, 0), (&[0u32, 2][..], &[0.5, 3.0][..]));
        assert_eq!(row(&s, 1), (&[0u32][..], &[14.0][..]));
        let h = hadamard(&exec, &a, &b).unwrap();
        assert_eq!((h.nnz(), row(&h, 0).1[0]), (1, 2.0));
        assert_eq!(row_sums(&exec, &a).unwrap(), [3.0, 0.0, 7.0]);
        let d = map_values(&exec, a, |i, _, v| if i == 0 { 0.0 } else { v }).unwrap();
        assert_eq!(drop_zeros(&exec, d).unwrap().nnz(), 2);
    }
}
