//! A sparse matrix of R, read where it lies.
//!
//! R keeps sparse matrices by columns. Most of what is done to a graph needs its
//! rows, but a graph that weighs every edge alike in both directions *is* its own
//! transpose: whoever knows that moves no entry. [`CscView::is_symmetric`] finds
//! out in one pass, without a transpose to compare with.

use super::csr::{rows_are_columns, transpose, CscSlots, Csr};
use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::Exec;

/// Columns per task.
const COLUMNS: usize = 2048;

/// A column-compressed matrix of R (`p`, `i`, `x`), borrowed. Rows ascend within
/// each column, each at most once; all lie in range.
#[derive(Debug, Clone, Copy)]
pub struct CscView<'a> {
    rows: usize,
    p: &'a [i32],
    i: &'a [i32],
    x: &'a [f64],
}

impl<'a> CscView<'a> {
    /// The slots as a matrix, checked. O(entries).
    ///
    /// # Errors
    /// `shape` when the slots do not describe a matrix of that size with ascending
    /// rows, `interrupted`.
    pub fn new(
        exec: &Exec,
        (rows, cols): (usize, usize),
        p: &'a [i32],
        i: &'a [i32],
        x: &'a [f64],
    ) -> Result<CscView<'a>> {
        let broken = |expected: usize, found: usize| {
            Err(CoreError::Shape {
                what: "the slots of a sparse matrix".into(),
                expected,
                found,
            })
        };
        if p.len() != cols + 1 {
            return broken(cols + 1, p.len());
        }
        let ends = p[0] == 0 && usize::try_from(p[cols]) == Ok(i.len());
        if !ends || i.len() != x.len() || p.windows(2).any(|w| w[1] < w[0]) {
            return broken(i.len(), x.len());
        }
        let view = CscView { rows, p, i, x };
        let sound = exec.map_chunks(cols, COLUMNS, |range| {
            range.into_iter().all(|c| {
                let at = view.column(c).0;
                let inside = at.first().map_or(true, |&r| r >= 0)
                    && at.last().map_or(true, |&r| (r as usize) < rows);
                inside && at.windows(2).all(|w| w[0] < w[1])
            })
        })?;
        if sound.contains(&false) {
            return broken(rows, rows);
        }
        Ok(view)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.p.len() - 1
    }

    /// Number of stored entries.
    pub fn entries(&self) -> usize {
        self.i.len()
    }

    /// Where column `c` lies in the arrays.
    #[inline(always)]
    pub fn range(&self, c: usize) -> std::ops::Range<usize> {
        self.p[c] as usize..self.p[c + 1] as usize
    }

    /// Rows and values of column `c`.
    #[inline(always)]
    pub fn column(&self, c: usize) -> (&'a [i32], &'a [f64]) {
        let range = self.range(c);
        (&self.i[range.clone()], &self.x[range])
    }

    /// The offsets of the columns.
    pub fn offsets(&self) -> &'a [i32] {
        self.p
    }

    /// An error naming the columns with values that `good` refuses; `fail` makes it
    /// of their number (values) and the first of them (columns).
    ///
    /// # Errors
    /// That of `fail`, `interrupted`.
    pub fn require(
        &self,
        exec: &Exec,
        good: impl Fn(f64) -> bool + Sync,
        fail: impl Fn(usize, Vec<usize>) -> CoreError,
    ) -> Result<()> {
        let whole = exec.map_chunks(self.entries(), 1 << 16, |r| {
            // No early end: the loop stays straight.
            self.x[r].iter().fold(true, |all, &v| all & good(v))
        })?;
        if !whole.contains(&false) {
            return Ok(());
        }
        let columns = (0..self.cols()).filter(|&c| !self.column(c).1.iter().all(|&v| good(v)));
        let columns = columns.take(SHOWN).collect();
        Err(fail(self.x.iter().filter(|&&v| !good(v)).count(), columns))
    }

    /// A copy by rows of the *transpose*: columns become rows. O(entries).
    ///
    /// # Errors
    /// `shape`, which a sound view does not cause.
    pub fn columns_as_rows(&self) -> Result<Csr> {
        rows_are_columns((self.rows, self.cols()), self.p, self.i, self.x)
    }

    /// The transpose, as slots. O(entries).
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn transposed(&self, exec: &Exec) -> Result<CscSlots> {
        let (p, i, x) = transpose(exec, &self.columns_as_rows()?)?.into_raw_storage();
        // As many entries as a matrix of R had, so that offsets fit.
        Ok(CscSlots {
            p: p.into_iter().map(|v| v as i32).collect(),
            i: i.into_iter().map(|v| v as i32).collect(),
            x,
        })
    }

    /// Whether the matrix equals its transpose, to the bit. Entries above the
    /// diagonal are read column by column; their mirror images then come up, in each
    /// column, from top to bottom, so one cursor per column finds them all.
    /// O(entries) time, O(n) memory.
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn is_symmetric(&self, exec: &Exec) -> Result<bool> {
        let n = self.cols();
        if self.rows != n {
            return Ok(false);
        }
        let mut below = try_filled(n, 0u32, "cursors of columns")?;
        exec.chunks_mut(&mut below, COLUMNS, |start, piece| {
            for (k, at) in piece.iter_mut().enumerate() {
                let c = start + k;
                let above = self.column(c).0.partition_point(|&r| r as usize <= c);
                *at = (self.range(c).start + above) as u32;
            }
        })?;
        let bounds = self.shares(&below, exec.threads());
        let parts = exec.map_chunks(bounds.len() - 1, 1, |part| {
            self.mirrored(&below, bounds[part.start]..bounds[part.start + 1])
        })?;
        Ok(!parts.contains(&false))
    }

    /// Cuts the columns into parts with about as many entries below the diagonal.
    fn shares(&self, below: &[u32], parts: usize) -> Vec<usize> {
        let n = below.len();
        let under = |c: usize| self.range(c).end - below[c] as usize;
        let total: usize = (0..n).map(under).sum();
        let (mut bounds, mut seen) = (vec![0], 0);
        for c in 0..n {
            if bounds.len() < parts && seen * parts >= total * bounds.len() && c > 0 {
                bounds.push(c);
            }
            seen += under(c);
        }
        bounds.push(n);
        bounds
    }

    /// Whether what lies below the diagonal in the columns `held` mirrors what lies
    /// above it in their rows.
    fn mirrored(&self, below: &[u32], held: std::ops::Range<usize>) -> bool {
        let mut next = below[held.clone()].to_vec();
        for c in held.start..self.cols() {
            let (rows, values) = self.column(c);
            let from = rows.partition_point(|&r| (r as usize) < held.start);
            let end = held.end.min(c);
            for (&r, &v) in rows[from..].iter().zip(&values[from..]) {
                let r = r as usize;
                if r >= end {
                    break;
                }
                let at = next[r - held.start] as usize;
                let found = at < self.range(r).end && self.i[at] as usize == c && self.x[at] == v;
                if !found {
                    return false;
                }
                next[r - held.start] += 1;
            }
        }
        held.clone()
            .all(|c| next[c - held.start] as usize == self.range(c).end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::{from_rows, to_csc_slots};
    use crate::sparse::ops::asymmetry;

    fn slots(n: usize, rows: Vec<Vec<(u32, f64)>>) -> CscSlots {
        to_csc_slots(&Exec::serial(), &from_rows(n, rows).unwrap()).unwrap()
    }

    #[test]
    fn symmetry_is_what_the_transpose_says() {
        let mut s = Stream::new(3, 0, 0, 0);
        let mut seen = [0, 0];
        for n in (0..40).chain([300]) {
            for damage in 0..5 {
                let mut dense = ndarray::Array2::<f64>::zeros((n, n));
                for _ in 0..2 * n {
                    let (i, j, v) = (s.below(n), s.below(n), 1.0 + s.below(3) as f64);
                    dense[(i, j)] = v;
                    dense[(j, i)] = v;
                }
                if damage > 0 && n > 0 {
                    // An entry that is taken away, added or changed.
                    dense[(s.below(n), s.below(n))] = damage as f64 - 2.0;
                }
                let rows = dense.rows().into_iter().map(|r| {
                    let entry = |(j, &v): (usize, &f64)| (v != 0.0).then_some((j as u32, v));
                    r.iter().enumerate().filter_map(entry).collect()
                });
                let m = slots(n, rows.collect());
                let even = dense == dense.t();
                seen[usize::from(even)] += 1;
                for threads in [1, 2, 4] {
                    let exec = Exec::with_threads(threads).unwrap();
                    let view = CscView::new(&exec, (n, n), &m.p, &m.i, &m.x).unwrap();
                    assert_eq!(view.is_symmetric(&exec).unwrap(), even, "{n} {damage}");
                    let turned = view.transposed(&exec).unwrap();
                    assert_eq!(turned == m, even);
                    let csr = view.columns_as_rows().unwrap();
                    assert_eq!(asymmetry(&exec, &csr).unwrap() == 0.0, even);
                }
            }
        }
        assert!(seen[0] > 20 && seen[1] > 20, "{seen:?}");
    }

    #[test]
    fn a_rectangle_is_not_symmetric() {
        let exec = Exec::serial();
        let view = CscView::new(&exec, (3, 1), &[0, 1], &[2], &[1.0]).unwrap();
        assert!(!view.is_symmetric(&exec).unwrap());
        assert_eq!((view.rows(), view.cols(), view.entries()), (3, 1, 1));
    }

    #[test]
    fn broken_slots_are_refused() {
        let e = |p: &[i32], i: &[i32], x: &[f64]| {
            let view = CscView::new(&Exec::serial(), (2, 2), p, i, x);
            view.map(|_| ()).unwrap_err().kind()
        };
        assert_eq!(e(&[0, 1], &[0], &[1.0]), "shape");
        assert_eq!(e(&[0, 1, 1], &[2], &[1.0]), "shape");
        assert_eq!(e(&[0, 1, 1], &[-1], &[1.0]), "shape");
        assert_eq!(e(&[0, 2, 1], &[0], &[1.0]), "shape");
        assert_eq!(e(&[0, 1, 1], &[0], &[]), "shape");
        assert_eq!(e(&[0, 2, 2], &[1, 0], &[1.0, 1.0]), "shape");
        assert_eq!(e(&[0, 2, 2], &[1, 1], &[1.0, 1.0]), "shape");
        assert_eq!(e(&[-1, 1, 1], &[0], &[1.0]), "shape");
    }

    #[test]
    fn values_that_are_refused_are_counted_and_placed() {
        let exec = Exec::with_threads(2).unwrap();
        let (p, i) = ([0, 2, 3], [0, 1, 1]);
        let view = CscView::new(&exec, (2, 2), &p, &i, &[1.0, -1.0, 2.0]).unwrap();
        let negative = |count, cells| CoreError::NegativeWeights { count, cells };
        let e = view.require(&exec, |v| v >= 0.0, negative).unwrap_err();
        assert_eq!(e, negative(1, vec![0]));
        view.require(&exec, |v| v > -2.0, negative).unwrap();
    }
}
