//! Counts of one kind (spliced or unspliced), as R stores them: by cell.

use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::sparse::csr;
use ndarray::ArrayView2;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Cells x genes, sparse or dense, nothing copied.
#[derive(Debug, Clone)]
pub enum Layer<'a> {
    Sparse(SparseLayer<'a>),
    /// Rows are cells and contiguous.
    Dense(ArrayView2<'a, f64>),
}

/// The slots of a genes x cells matrix compressed by columns; genes ascend within a
/// cell.
#[derive(Debug, Clone)]
pub struct SparseLayer<'a> {
    genes: usize,
    p: Cow<'a, [i32]>,
    i: Cow<'a, [i32]>,
    x: Cow<'a, [f64]>,
}

impl<'a> SparseLayer<'a> {
    /// Borrows the slots; only unsorted ones are copied, to be sorted. O(entries).
    ///
    /// # Errors
    /// `shape` when the slots do not fit together.
    pub fn new(
        (genes, cells): (usize, usize),
        p: &'a [i32],
        i: &'a [i32],
        x: &'a [f64],
    ) -> Result<SparseLayer<'a>> {
        let fits = p.len() == cells + 1
            && p[0] == 0
            && p.windows(2).all(|w| w[0] <= w[1])
            && p[cells] as usize == i.len()
            && i.len() == x.len();
        let ascending = fits
            && p.windows(2).all(|w| {
                let genes_of = &i[w[0] as usize..w[1] as usize];
                genes_of.windows(2).all(|g| g[0] < g[1])
                    && genes_of.first().into_iter().all(|&g| g >= 0)
                    && genes_of.last().into_iter().all(|&g| (g as usize) < genes)
            });
        if ascending {
            return Ok(SparseLayer {
                genes,
                p: Cow::Borrowed(p),
                i: Cow::Borrowed(i),
                x: Cow::Borrowed(x),
            });
        }
        let sorted = csr::rows_are_columns((genes, cells), p, i, x)?;
        let (p, i, x) = sorted.into_raw_storage();
        // No more entries than came in, so both fit R's integers.
        Ok(SparseLayer {
            genes,
            p: p.into_iter().map(|v| v as i32).collect(),
            i: i.into_iter().map(|v| v as i32).collect(),
            x: Cow::Owned(x),
        })
    }

    /// Genes and values of one cell.
    #[inline(always)]
    pub fn cell(&self, cell: usize) -> (&[i32], &[f64]) {
        let range = self.p[cell] as usize..self.p[cell + 1] as usize;
        (&self.i[range.clone()], &self.x[range])
    }

    /// Where the entries of a cell lie.
    #[inline(always)]
    pub fn range(&self, cell: usize) -> std::ops::Range<usize> {
        self.p[cell] as usize..self.p[cell + 1] as usize
    }

    /// Gene and value of an entry.
    #[inline(always)]
    pub fn entry(&self, at: usize) -> (usize, f64) {
        (self.i[at] as usize, self.x[at])
    }
}

/// A gene with values that cannot be counts, and how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw {
    pub gene: usize,
    pub count: usize,
}

/// What a look at every value of a layer tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Sum of each cell.
    pub totals: Vec<f64>,
    /// Whether every value is a whole number.
    pub whole: bool,
    pub not_finite: Vec<Flaw>,
    pub negative: Vec<Flaw>,
}

impl Layer<'_> {
    pub fn cells(&self) -> usize {
        match self {
            Layer::Sparse(s) => s.p.len() - 1,
            Layer::Dense(x) => x.nrows(),
        }
    }

    pub fn genes(&self) -> usize {
        match self {
            Layer::Sparse(s) => s.genes,
            Layer::Dense(x) => x.ncols(),
        }
    }

    /// `f(gene, value)` of the stored values of a cell, genes ascending.
    pub fn each(&self, cell: usize, mut f: impl FnMut(usize, f64)) {
        match self {
            Layer::Sparse(s) => {
                let (genes, values) = s.cell(cell);
                for (&g, &v) in genes.iter().zip(values) {
                    f(g as usize, v);
                }
            }
            Layer::Dense(x) => {
                for (g, &v) in x.row(cell).iter().enumerate() {
                    f(g, v);
                }
            }
        }
    }

    /// Totals of the cells, and whether the values are such as counts can be. O(values).
    ///
    /// # Errors
    /// `interrupted`.
    pub fn survey(&self, exec: &Exec) -> Result<Survey> {
        let parts = exec.map_chunks(self.cells(), 1024, |cells| {
            let mut totals = Vec::with_capacity(cells.len());
            let mut whole = true;
            let mut broken = [BTreeMap::new(), BTreeMap::new()];
            for cell in cells {
                let mut total = 0.0;
                self.each(cell, |gene, v| {
                    total += v;
                    whole &= v.fract() == 0.0;
                    if v < 0.0 || !v.is_finite() {
                        let kind = usize::from(v.is_finite());
                        *broken[kind].entry(gene).or_insert(0usize) += 1;
                    }
                });
                totals.push(total);
            }
            (totals, whole, broken)
        })?;
        let mut whole = true;
        let mut totals = Vec::with_capacity(self.cells());
        let mut broken = [BTreeMap::new(), BTreeMap::new()];
        for (part, all_whole, flaws) in parts {
            totals.extend(part);
            whole &= all_whole;
            for (kind, flaws) in flaws.into_iter().enumerate() {
                for (gene, count) in flaws {
                    *broken[kind].entry(gene).or_insert(0) += count;
                }
            }
        }
        let [not_finite, negative] = broken.map(|flaws| {
            let flaw = |(gene, count)| Flaw { gene, count };
            flaws.into_iter().map(flaw).collect()
        });
        Ok(Survey {
            totals,
            whole,
            not_finite,
            negative,
        })
    }
}

/// Layers that are to be used together have one size.
///
/// # Errors
/// `shape`.
pub fn same_size(what: &str, a: &Layer, b: &Layer) -> Result<()> {
    for (found, expected) in [(b.cells(), a.cells()), (b.genes(), a.genes())] {
        if found != expected {
            return Err(CoreError::Shape {
                what: what.into(),
                expected,
                found,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn sparse_and_dense_tell_the_same() {
        let dense = array![[0.0, 2.0, 1.0], [0.0, 0.0, 0.5]];
        let exec = Exec::with_threads(2).unwrap();
        let a = Layer::Dense(dense.view()).survey(&exec).unwrap();
        let sparse = SparseLayer::new((3, 2), &[0, 2, 3], &[1, 2, 2], &[2.0, 1.0, 0.5]).unwrap();
        let b = Layer::Sparse(sparse).survey(&exec).unwrap();
        assert_eq!(a, b);
        assert_eq!(a.totals, [3.0, 0.5]);
        assert!(!a.whole);
    }

    #[test]
    fn unsorted_slots_are_sorted_and_broken_ones_refused() {
        let s = SparseLayer::new((3, 1), &[0, 2], &[2, 0], &[5.0, 7.0]).unwrap();
        assert_eq!(s.cell(0), (&[0, 2][..], &[7.0, 5.0][..]));
        assert!(SparseLayer::new((2, 1), &[0, 1], &[2], &[5.0]).is_err());
        assert!(SparseLayer::new((2, 1), &[0, 1], &[-1], &[5.0]).is_err());
        assert!(SparseLayer::new((2, 2), &[0, 1], &[1], &[5.0]).is_err());
    }

    #[test]
    fn flaws_are_counted_by_gene() {
        let x = array![[-1.0, f64::NAN], [-2.0, 1.0]];
        let s = Layer::Dense(x.view()).survey(&Exec::serial()).unwrap();
        assert_eq!(s.negative, [Flaw { gene: 0, count: 2 }]);
        assert_eq!(s.not_finite, [Flaw { gene: 1, count: 1 }]);
    }
}
