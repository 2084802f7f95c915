//! A sparse matrix of R, read where it lies.
//!
//! R keeps sparse matrices by columns. Most of what is done to a graph needs its
//! rows, but a graph that weighs every edge alike in both directions *is* its own
//! transpose: whoever knows that moves no entry. [`CscView::is_symmetric`] finds
//! out in one pass, without a transpose to compare with.

use super::csr::{rows_are_columns, transpose, CscSlots, Csr};
use crate::error::{CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::rng::mix;
use std::cmp::Ordering;
use std::ops::Range;

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
    pub fn range(&self, c: usize) -> Range<usize> {
        self.p[c] as usize..self.p[c + 1] as usize
    }

    /// Rows and values of column `c`.
    #[inline(always)]
    pub fn column(&self, c: usize) -> (&'a [i32], &'a [f64]) {
        let range = self.range(c);
        (&self.i[range.clone()], &self.x[range])
    }

    /// Rows of the entries of some columns in a row, one column after the other.
    pub fn rows_of(&self, columns: Range<usize>) -> &'a [i32] {
        &self.i[self.p[columns.start] as usize..self.p[columns.end] as usize]
    }

    /// Values of the entries of some columns in a row.
    pub fn values_of(&self, columns: Range<usize>) -> &'a [f64] {
        &self.x[self.p[columns.start] as usize..self.p[columns.end] as usize]
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
    /// diagonal and mirror images of those below must be the same set; the sets are
    /// compared by two sums of a hash of place and value, so that one straight pass
    /// is enough and nothing is looked up. That two different sets agree in both has
    /// a chance of about 2^-128. O(entries) time, O(1) memory.
    ///
    /// # Errors
    /// `interrupted`.
    pub fn is_symmetric(&self, exec: &Exec) -> Result<bool> {
        if self.rows != self.cols() {
            return Ok(false);
        }
        let parts = exec.map_chunks(self.cols(), COLUMNS, |range| {
            range.fold((0u64, 0u64), |sums, c| {
                let (rows, values) = self.column(c);
                rows.iter().zip(values).fold(sums, |sums, (&r, v)| {
                    let (r, c) = (r as u64, c as u64);
                    let place = (r.min(c) << 32) | r.max(c);
                    let h = mix(place ^ mix(v.to_bits()));
                    let (h, square) = (h, h.wrapping_mul(h));
                    match r.cmp(&c) {
                        Ordering::Less => (sums.0.wrapping_add(h), sums.1.wrapping_add(square)),
                        Ordering::Equal => sums,
                        Ordering::Greater => (sums.0.wrapping_sub(h), sums.1.wrapping_sub(square)),
                    }
                })
            })
        })?;
        // Sums modulo 2^64, which no order changes.
        let total = |f: fn(&(u64, u64)) -> u64| parts.iter().map(f).fold(0, u64::wrapping_add);
        Ok(total(|p| p.0) == 0 && total(|p| p.1) == 0)
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
