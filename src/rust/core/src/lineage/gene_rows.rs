//! Expression gene by gene, as a test that resamples cells reads it.
//!
//! Assays come cell by cell; a permutation test goes through one gene at a time,
//! many times over. A block of genes is therefore turned once: genes that most
//! cells lack keep their stored entries, the others become full rows around their
//! mean, which costs no digits to large offsets and no more memory than their
//! entries did.

use crate::error::{try_filled, CoreError, Result};
use crate::simd;
use crate::sparse::csr::{row, Csr};
use ndarray::ArrayView2;
use std::ops::Range;

/// Expression, cells x genes.
#[derive(Debug, Clone, Copy)]
pub enum Expression<'a> {
    Sparse(&'a Csr),
    Dense(ArrayView2<'a, f64>),
}

impl Expression<'_> {
    /// Number of cells.
    pub fn cells(&self) -> usize {
        match self {
            Expression::Sparse(m) => m.rows(),
            Expression::Dense(m) => m.nrows(),
        }
    }

    /// Number of genes.
    pub fn genes(&self) -> usize {
        match self {
            Expression::Sparse(m) => m.cols(),
            Expression::Dense(m) => m.ncols(),
        }
    }

    /// Refuses values that are not finite; O(entries).
    ///
    /// # Errors
    /// `range`, with the cells.
    pub fn require_finite(&self) -> Result<()> {
        let count = |i: usize| match self {
            Expression::Sparse(m) => not_finite(row(m, i).1.iter()),
            Expression::Dense(m) => not_finite(m.row(i).iter()),
        };
        finite(self.cells(), "the expression", count)
    }
}

/// How many of these values are not finite.
pub(super) fn not_finite<'a>(values: impl Iterator<Item = &'a f64>) -> usize {
    values.filter(|v| !v.is_finite()).count()
}

/// An error when `count(cell)` is not 0 for every cell.
pub(super) fn finite(cells: usize, what: &str, count: impl Fn(usize) -> usize) -> Result<()> {
    let (mut total, mut bad) = (0, Vec::new());
    for i in 0..cells {
        let here = count(i);
        total += here;
        if here > 0 && bad.len() < crate::error::SHOWN {
            bad.push(i);
        }
    }
    if total == 0 {
        return Ok(());
    }
    Err(CoreError::NotFinite {
        what: what.into(),
        count: total,
        cells: bad,
    })
}

/// Where a gene of a block lies.
#[derive(Debug, Clone)]
enum Place {
    /// Its entries in `indices` and `values`; every other cell has 0.
    Stored(Range<usize>),
    /// One value per cell in `full`, less the mean.
    Full(Range<usize>),
}

/// A gene over all cells, up to a constant that no correlation sees.
#[derive(Debug, Clone, Copy)]
pub enum GeneRow<'a> {
    /// Ascending cells and their values; the others have 0.
    Stored(&'a [u32], &'a [f64]),
    /// One value per cell.
    Full(&'a [f64]),
}

/// A block of genes by rows.
#[derive(Debug, Clone)]
pub struct GeneRows {
    cells: usize,
    places: Vec<Place>,
    indices: Vec<u32>,
    values: Vec<f64>,
    full: Vec<f64>,
    /// Sums of squares around the mean; 0 exactly for a constant gene.
    square: Vec<f64>,
}

impl GeneRows {
    /// Genes `range` of an assay without values that are not finite. O(cells log
    /// genes + entries of the block), memory 12 bytes per entry and 8 per cell of a
    /// full row.
    ///
    /// # Errors
    /// `memory`.
    pub fn new(x: &Expression<'_>, range: Range<usize>) -> Result<GeneRows> {
        let (cells, genes) = (x.cells(), range.len());
        let mut rows = GeneRows {
            cells,
            places: Vec::with_capacity(genes),
            indices: Vec::new(),
            values: Vec::new(),
            full: Vec::new(),
            square: vec![0.0; genes],
        };
        match x {
            Expression::Sparse(m) => rows.turn(m, range)?,
            Expression::Dense(m) => {
                rows.full = try_filled(cells * genes, 0.0, "genes by rows")?;
                for (k, g) in range.enumerate() {
                    let at = k * cells..(k + 1) * cells;
                    for (to, &v) in rows.full[at.clone()].iter_mut().zip(m.column(g)) {
                        *to = v;
                    }
                    rows.places.push(Place::Full(at));
                }
            }
        }
        for g in 0..genes {
            rows.square[g] = match rows.places[g].clone() {
                Place::Full(at) => centre(&mut rows.full[at]),
                Place::Stored(at) => spread(&rows.values[at], cells),
            };
        }
        Ok(rows)
    }

    /// Number of genes.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// One gene.
    pub fn gene(&self, g: usize) -> GeneRow<'_> {
        match &self.places[g] {
            Place::Stored(at) => {
                GeneRow::Stored(&self.indices[at.clone()], &self.values[at.clone()])
            }
            Place::Full(at) => GeneRow::Full(&self.full[at.clone()]),
        }
    }

    /// Its sum of squares around the mean; 0 exactly when it does not vary.
    pub fn square(&self, g: usize) -> f64 {
        self.square[g]
    }

    /// Inner product of a gene with a centred vector over cells.
    pub fn product(&self, g: usize, centred: &[f64]) -> f64 {
        match self.gene(g) {
            GeneRow::Full(x) => simd::dot(x, centred),
            GeneRow::Stored(cells, x) => cells
                .iter()
                .zip(x)
                .map(|(&i, v)| v * centred[i as usize])
                .sum(),
        }
    }

    /// Genes of a sparse assay: counted, given a place, filled.
    fn turn(&mut self, m: &Csr, range: Range<usize>) -> Result<()> {
        let first = range.start as u32;
        let inside = |i: usize| {
            let (genes, values) = row(m, i);
            let from = genes.partition_point(|&g| (g as usize) < range.start);
            let to = genes.partition_point(|&g| (g as usize) < range.end);
            (&genes[from..to], &values[from..to])
        };
        let mut stored = vec![0usize; range.len()];
        for i in 0..self.cells {
            inside(i)
                .0
                .iter()
                .for_each(|&g| stored[(g - first) as usize] += 1);
        }
        let (mut entries, mut dense) = (0, 0);
        for &s in &stored {
            if 2 * s > self.cells {
                self.places.push(Place::Full(dense..dense + self.cells));
                dense += self.cells;
            } else {
                self.places.push(Place::Stored(entries..entries + s));
                entries += s;
            }
        }
        self.indices = try_filled(entries, 0, "genes by rows")?;
        self.values = try_filled(entries, 0.0, "genes by rows")?;
        self.full = try_filled(dense, 0.0, "genes by rows")?;
        let mut next: Vec<usize> = self
            .places
            .iter()
            .map(|place| match place {
                Place::Stored(at) | Place::Full(at) => at.start,
            })
            .collect();
        for i in 0..self.cells {
            let (genes, values) = inside(i);
            for (&g, &v) in genes.iter().zip(values) {
                let g = (g - first) as usize;
                match self.places[g] {
                    Place::Full(_) => self.full[next[g] + i] = v,
                    Place::Stored(_) => {
                        self.indices[next[g]] = i as u32;
                        self.values[next[g]] = v;
                        next[g] += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Takes the mean from a full row; its sum of squares, 0 for equal values.
pub(super) fn centre(x: &mut [f64]) -> f64 {
    let Some(&one) = x.first() else { return 0.0 };
    if x.iter().all(|&v| v == one) {
        x.fill(0.0);
        return 0.0;
    }
    // Twice, so that the sum of what is left is rounding of rounding.
    for _ in 0..2 {
        let mean = simd::sum(x) / x.len() as f64;
        x.iter_mut().for_each(|v| *v -= mean);
    }
    simd::dot(x, x)
}

/// The sum of squares around the mean of a gene that some cells lack.
fn spread(stored: &[f64], cells: usize) -> f64 {
    if stored.iter().all(|&v| v == 0.0) {
        return 0.0;
    }
    let mean = simd::sum(stored) / cells as f64;
    let missing = (cells - stored.len()) as f64;
    simd::zip_sum(stored, stored, |v, _| (v - mean) * (v - mean)) + missing * mean * mean
}
