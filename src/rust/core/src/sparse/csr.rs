//! Row-compressed storage on sprs: 32-bit columns, 64-bit offsets.
//!
//! R keeps sparse matrices by columns with 32-bit offsets, so a matrix that enters
//! or leaves is transposed once, O(entries); nothing else is copied.

use crate::error::{try_filled, CoreError, Result};
use crate::exec::{split_at_bounds, Exec};

/// A sparse matrix by rows. Indices within a row ascend, each at most once.
pub type Csr<N = f64> = sprs::CsMatI<N, u32, usize>;

/// The slots of a column-compressed matrix of R (`p`, `i`, `x`), 0-based.
#[derive(Debug, Clone, PartialEq)]
pub struct CscSlots {
    pub p: Vec<i32>,
    pub i: Vec<i32>,
    pub x: Vec<f64>,
}

/// Where row `i` lies in the arrays.
#[inline]
pub fn row_range<N>(m: &Csr<N>, i: usize) -> std::ops::Range<usize> {
    m.indptr().outer_inds_sz(i)
}

/// Columns and values of row `i`.
#[inline]
pub fn row<N>(m: &Csr<N>, i: usize) -> (&[u32], &[N]) {
    let range = row_range(m, i);
    (&m.indices()[range.clone()], &m.data()[range])
}

/// A matrix from its arrays, checked. O(entries).
///
/// # Errors
/// `shape` when the arrays do not describe a matrix of that size with ascending
/// columns.
pub fn from_parts<N>(
    shape: (usize, usize),
    indptr: Vec<usize>,
    indices: Vec<u32>,
    data: Vec<N>,
) -> Result<Csr<N>> {
    let (entries, found) = (indices.len(), data.len());
    Csr::try_new(shape, indptr, indices, data).map_err(|(_, _, _, e)| CoreError::Shape {
        what: format!("a sparse matrix of {} x {} ({e})", shape.0, shape.1),
        expected: entries,
        found,
    })
}

/// A matrix from one list of (column, value) per row; rows are sorted here.
///
/// # Errors
/// As [`from_parts`] (a column named twice, or one beyond `cols`).
pub fn from_rows<N: Copy>(cols: usize, rows: Vec<Vec<(u32, N)>>) -> Result<Csr<N>> {
    let n = rows.len();
    let mut indptr = Vec::with_capacity(n + 1);
    indptr.push(0);
    let entries = rows.iter().map(Vec::len).sum();
    let mut indices = crate::error::try_with_capacity(entries, "a sparse matrix")?;
    let mut data = crate::error::try_with_capacity(entries, "a sparse matrix")?;
    for mut r in rows {
        r.sort_unstable_by_key(|&(c, _)| c);
        indices.extend(r.iter().map(|&(c, _)| c));
        data.extend(r.iter().map(|&(_, v)| v));
        indptr.push(indices.len());
    }
    from_parts((n, cols), indptr, indices, data)
}

/// The slots of an R matrix, read as the matrix itself (not its transpose): one
/// counting pass and one filling pass over the entries. Repeated entries within a
/// column are added up, unsorted ones sorted, explicit zeros kept.
///
/// # Errors
/// `shape` when the slots do not fit together.
pub fn from_csc_slots(
    exec: &Exec,
    (nrow, ncol): (usize, usize),
    p: &[i32],
    i: &[i32],
    x: &[f64],
) -> Result<Csr> {
    transpose(exec, &rows_are_columns((nrow, ncol), p, i, x)?)
}

/// The slots of an R matrix read as the *transpose*, without moving an entry:
/// columns of R become rows. For matrices known to be symmetric, and for
/// features x cells matrices, whose rows here are the cells.
///
/// # Errors
/// As [`from_csc_slots`].
pub fn rows_are_columns(
    (nrow, ncol): (usize, usize),
    p: &[i32],
    i: &[i32],
    x: &[f64],
) -> Result<Csr> {
    let broken = |found: usize, expected: usize| CoreError::Shape {
        what: "the slots of a sparse matrix".into(),
        expected,
        found,
    };
    if p.len() != ncol + 1 {
        return Err(broken(p.len(), ncol + 1));
    }
    if i.len() != x.len() || p.last().copied() != i32::try_from(i.len()).ok() || p[0] != 0 {
        return Err(broken(i.len(), x.len()));
    }
    if p.windows(2).any(|w| w[1] < w[0]) {
        return Err(broken(0, i.len()));
    }
    if let Some(&bad) = i.iter().find(|&&r| r < 0 || r as usize >= nrow) {
        return Err(broken(bad as usize, nrow));
    }
    let sorted = p.windows(2).all(|w| {
        i[w[0] as usize..w[1] as usize]
            .windows(2)
            .all(|r| r[0] < r[1])
    });
    if sorted {
        let indptr = p.iter().map(|&v| v as usize).collect();
        let indices = i.iter().map(|&v| v as u32).collect();
        return from_parts((ncol, nrow), indptr, indices, x.to_vec());
    }
    let rows = p
        .windows(2)
        .map(|w| {
            let range = w[0] as usize..w[1] as usize;
            let mut r: Vec<(u32, f64)> = range.map(|k| (i[k] as u32, x[k])).collect();
            r.sort_by_key(|&(c, _)| c);
            r.dedup_by(|b, a| {
                let same = a.0 == b.0;
                if same {
                    a.1 += b.1;
                }
                same
            });
            r
        })
        .collect();
    from_rows(nrow, rows)
}

/// The matrix as slots for R. O(entries).
///
/// # Errors
/// `memory` above 2^31 - 1 entries, which R's sparse matrices cannot hold.
pub fn to_csc_slots(exec: &Exec, m: &Csr) -> Result<CscSlots> {
    let limit = i32::MAX as usize;
    if m.nnz() > limit {
        return Err(CoreError::TooManyEntries {
            entries: m.nnz(),
            limit,
        });
    }
    let (indptr, indices, x) = transpose(exec, m)?.into_raw_storage();
    Ok(CscSlots {
        p: indptr.into_iter().map(|v| v as i32).collect(),
        i: indices.into_iter().map(|v| v as i32).collect(),
        x,
    })
}

/// The transpose. O(entries) work, one pass over the columns per thread: each
/// thread counts and fills a range of result rows, so nothing is shared.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn transpose<N: Copy + Default + Send + Sync>(exec: &Exec, m: &Csr<N>) -> Result<Csr<N>> {
    let (n, cols) = (m.rows(), m.cols());
    let parts = exec.threads().min(cols.max(1));
    let bounds: Vec<usize> = (0..=parts).map(|t| cols * t / parts).collect();
    let counts = exec.map_chunks(parts, 1, |r| {
        let (lo, hi) = (bounds[r.start], bounds[r.start + 1]);
        let mut count = vec![0usize; hi - lo];
        for &c in m.indices() {
            let c = c as usize;
            if c >= lo && c < hi {
                count[c - lo] += 1;
            }
        }
        count
    })?;
    let mut indptr = try_filled(cols + 1, 0usize, "a transposed matrix")?;
    for (c, count) in counts.into_iter().flatten().enumerate() {
        indptr[c + 1] = indptr[c] + count;
    }
    let mut indices = try_filled(m.nnz(), 0u32, "a transposed matrix")?;
    let mut data = try_filled(m.nnz(), N::default(), "a transposed matrix")?;
    let cuts: Vec<usize> = bounds.iter().map(|&c| indptr[c]).collect();
    let tasks: Vec<_> = split_at_bounds(&mut indices, &cuts)
        .into_iter()
        .zip(split_at_bounds(&mut data, &cuts))
        .enumerate()
        .collect();
    exec.for_each(tasks, |(t, (indices, data))| {
        let (lo, hi) = (bounds[t], bounds[t + 1]);
        let mut next: Vec<usize> = indptr[lo..hi].iter().map(|&o| o - cuts[t]).collect();
        for i in 0..n {
            let (row_cols, values) = row(m, i);
            let from = row_cols.partition_point(|&c| (c as usize) < lo);
            for (&c, &v) in row_cols[from..].iter().zip(&values[from..]) {
                let c = c as usize;
                if c >= hi {
                    break;
                }
                let at = &mut next[c - lo];
                indices[*at] = i as u32;
                data[*at] = v;
                *at += 1;
            }
        }
        Ok(())
    })?;
    from_parts((cols, n), indptr, indices, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 x 4: [[1 0 2 0] [0 0 0 3] [4 5 0 0]] by columns.
    fn slots() -> (Vec<i32>, Vec<i32>, Vec<f64>) {
        (
            vec![0, 2, 3, 4, 5],
            vec![0, 2, 2, 0, 1],
            vec![1.0, 4.0, 5.0, 2.0, 3.0],
        )
    }

    #[test]
    fn slots_come_back() {
        let exec = Exec::with_threads(2).unwrap();
        let (p, i, x) = slots();
        let m = from_csc_slots(&exec, (3, 4), &p, &i, &x).unwrap();
        assert_eq!(row(&m, 2), (&[0u32, 1][..], &[4.0, 5.0][..]));
        let back = to_csc_slots(&exec, &m).unwrap();
        assert_eq!((back.p, back.i, back.x), (p, i, x));
    }

    #[test]
    fn unsorted_and_repeated_entries_are_put_right() {
        let m = rows_are_columns((3, 1), &[0, 4], &[2, 0, 2, 1], &[1.0, 2.0, 3.0, 0.0]).unwrap();
        assert_eq!(row(&m, 0), (&[0u32, 1, 2][..], &[2.0, 0.0, 4.0][..]));
    }

    #[test]
    fn broken_slots_are_refused() {
        let e = |p: &[i32], i: &[i32], x: &[f64]| rows_are_columns((2, 2), p, i, x).is_err();
        assert!(e(&[0, 1], &[0], &[1.0]));
        assert!(e(&[0, 1, 1], &[2], &[1.0]));
        assert!(e(&[0, 1, 1], &[-1], &[1.0]));
        assert!(e(&[0, 2, 1], &[0], &[1.0]));
        assert!(e(&[0, 1, 1], &[0], &[]));
    }

    #[test]
    fn transposing_is_the_same_on_any_number_of_threads() {
        let rows = (0..57u32)
            .map(|i| {
                (0..i % 7)
                    .map(|j| ((i * 13 + j * 5) % 31, f64::from(i + j)))
                    .collect()
            })
            .map(|mut r: Vec<(u32, f64)>| {
                r.sort_by_key(|e| e.0);
                r.dedup_by_key(|e| e.0);
                r
            })
            .collect();
        let m = from_rows(31, rows).unwrap();
        let one = transpose(&Exec::serial(), &m).unwrap();
        let four = transpose(&Exec::with_threads(4).unwrap(), &m).unwrap();
        assert_eq!(one, four);
        assert_eq!(transpose(&Exec::serial(), &one).unwrap(), m);
    }
}
