//! Lineage drivers: genes whose expression goes with a fate.
//!
//! The score of a gene for a lineage is Pearson's correlation, over cells, of its
//! expression with the probability of that fate; Fisher's transformation gives
//! p-values and intervals (section 2.10 of the fate-mapping rules; Fisher 1921).
//! Expression arrives in blocks of cells and is never made dense: each chunk of
//! cells is centred at its own means, and chunks are combined exactly (Chan, Golub
//! & LeVeque 1983), so that large offsets cost no digits.

use super::gene_rows::{finite, not_finite};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::sparse::csr::{row, Csr};
use crate::sparse::CscView;
use ndarray::{Array2, ArrayView2, Axis};

use super::driver_chunk::{dense_chunk, sparse_chunk, Gene};
pub use super::fisher::{fisher, DriverTable};

/// Cells per chunk; part of the meaning of the sums.
const CHUNK: usize = 2048;
/// Bytes that the chunks of one wave may take.
const WAVE: usize = 256 << 20;
/// Chunks of one wave, whatever their size.
const AT_ONCE: usize = 64;

/// Counts, means and centred moments of genes and lineages over cells.
#[derive(Debug, Clone)]
pub struct DriverMoments {
    pub(super) cells: f64,
    pub(super) gene_mean: Vec<f64>,
    /// Sums of squares around the mean.
    pub(super) gene_square: Vec<f64>,
    pub(super) lineage_mean: Vec<f64>,
    pub(super) lineage_square: Vec<f64>,
    /// Centred sums of products: gene g of lineage l at `l * genes + g`.
    pub(super) product: Vec<f64>,
}

impl DriverMoments {
    /// Moments of no cells yet.
    ///
    /// # Errors
    /// `memory`.
    pub fn new(n_genes: usize, n_lineages: usize) -> Result<DriverMoments> {
        let zeros = |n| try_filled(n, 0.0, "moments of genes");
        Ok(DriverMoments {
            cells: 0.0,
            gene_mean: zeros(n_genes)?,
            gene_square: zeros(n_genes)?,
            lineage_mean: zeros(n_lineages)?,
            lineage_square: zeros(n_lineages)?,
            product: zeros(n_genes * n_lineages)?,
        })
    }

    /// The moments as plain numbers, from which [`DriverMoments::from_state`] goes
    /// on: cells, then gene means, gene squares, lineage means, lineage squares and
    /// products.
    pub fn into_state(self) -> Vec<f64> {
        let mut state = vec![self.cells];
        for part in [
            self.gene_mean,
            self.gene_square,
            self.lineage_mean,
            self.lineage_square,
            self.product,
        ] {
            state.extend(part);
        }
        state
    }

    /// Moments from [`DriverMoments::into_state`].
    ///
    /// # Errors
    /// `shape` when the state is not one of that many genes and lineages.
    pub fn from_state(n_genes: usize, n_lineages: usize, state: &[f64]) -> Result<DriverMoments> {
        let sizes = [
            n_genes,
            n_genes,
            n_lineages,
            n_lineages,
            n_genes * n_lineages,
        ];
        let expected = 1 + sizes.iter().sum::<usize>();
        if state.len() != expected {
            return Err(CoreError::Shape {
                what: "the state of moments".into(),
                expected,
                found: state.len(),
            });
        }
        let mut rest = &state[1..];
        let [gene_mean, gene_square, lineage_mean, lineage_square, product] = sizes.map(|n| {
            let (head, tail) = rest.split_at(n);
            rest = tail;
            head.to_vec()
        });
        Ok(DriverMoments {
            cells: state[0],
            gene_mean,
            gene_square,
            lineage_mean,
            lineage_square,
            product,
        })
    }

    /// Cells seen so far.
    pub fn n_cells(&self) -> usize {
        self.cells as usize
    }

    /// Adds cells from a sparse block (cells x genes) and their fate probabilities
    /// (cells x lineages). O(entries * lineages + genes * lineages * chunks).
    ///
    /// # Errors
    /// `shape`, `range` for values that are not finite (cells counted within the
    /// block), `memory`, `interrupted`.
    pub fn add_sparse(&mut self, exec: &Exec, block: &Csr, p: ArrayView2<'_, f64>) -> Result<()> {
        let cell = |i: usize| row(block, i);
        self.add_entries(exec, (block.rows(), block.cols()), cell, p)
    }

    /// As [`DriverMoments::add_sparse`] for a block of genes x cells by columns,
    /// where it lies.
    ///
    /// # Errors
    /// As [`DriverMoments::add_sparse`].
    pub fn add_columns(
        &mut self,
        exec: &Exec,
        block: &CscView<'_>,
        p: ArrayView2<'_, f64>,
    ) -> Result<()> {
        let cell = |i: usize| block.column(i);
        self.add_entries(exec, (block.cols(), block.rows()), cell, p)
    }

    fn add_entries<'a, I, F>(
        &mut self,
        exec: &Exec,
        (cells, genes): (usize, usize),
        cell: F,
        p: ArrayView2<'_, f64>,
    ) -> Result<()>
    where
        I: Gene + 'a,
        F: Fn(usize) -> (&'a [I], &'a [f64]) + Sync,
    {
        self.check(cells, genes, p)?;
        finite(cells, "the expression", |i| not_finite(cell(i).1.iter()))?;
        self.add(exec, cells, p, |chunk, means, out| {
            sparse_chunk(&cell, chunk.0, means, out);
        })
    }

    /// Adds cells from a dense block (cells x genes). O(cells * genes * lineages).
    ///
    /// # Errors
    /// As [`DriverMoments::add_sparse`].
    pub fn add_dense(
        &mut self,
        exec: &Exec,
        block: ArrayView2<'_, f64>,
        p: ArrayView2<'_, f64>,
    ) -> Result<()> {
        self.check(block.nrows(), block.ncols(), p)?;
        let block = block.as_standard_layout();
        // Standard layout has just been made.
        let flat = block.as_slice().unwrap_or_default();
        let genes = block.ncols();
        finite(block.nrows(), "the expression", |i| {
            not_finite(flat[i * genes..(i + 1) * genes].iter())
        })?;
        self.add(exec, block.nrows(), p, |cells, means, out| {
            let rows = &flat[cells.0 * genes..(cells.0 + cells.1) * genes];
            dense_chunk(rows, means, out);
        })
    }

    /// Pearson's correlations, genes x lineages, within [-1, 1]; NaN for a constant
    /// gene or lineage and for fewer than two cells.
    pub fn correlations(&self) -> Array2<f64> {
        let genes = self.gene_mean.len();
        Array2::from_shape_fn((genes, self.lineage_mean.len()), |(g, l)| {
            let (x, p) = (self.gene_square[g], self.lineage_square[l]);
            if x > 0.0 && p > 0.0 {
                let r = self.product[l * genes + g] / (x.sqrt() * p.sqrt());
                r.clamp(-1.0, 1.0)
            } else {
                f64::NAN
            }
        })
    }

    fn check(&self, cells: usize, genes: usize, p: ArrayView2<'_, f64>) -> Result<()> {
        for (what, expected, found) in [
            ("the genes of the block", self.gene_mean.len(), genes),
            ("the lineages", self.lineage_mean.len(), p.ncols()),
            ("the cells of the fate probabilities", cells, p.nrows()),
        ] {
            if expected != found {
                return Err(CoreError::Shape {
                    what: what.into(),
                    expected,
                    found,
                });
            }
        }
        finite(cells, "the fate probabilities", |i| {
            not_finite(p.row(i).iter())
        })
    }

    /// Chunks of cells in waves, so that memory stays bounded; combined in order.
    /// `fill((first, count), centred probabilities, out)` sets the moments of genes.
    fn add<F>(&mut self, exec: &Exec, cells: usize, p: ArrayView2<'_, f64>, fill: F) -> Result<()>
    where
        F: Fn((usize, usize), &Array2<f64>, &mut DriverMoments) + Sync,
    {
        let (genes, lineages) = (self.gene_mean.len(), self.lineage_mean.len());
        let bytes = 8 * (genes * (lineages + 2)).max(1);
        let wave = (WAVE / bytes).clamp(1, AT_ONCE) * CHUNK;
        for start in (0..cells).step_by(wave) {
            let parts = exec.try_map_chunks(wave.min(cells - start), CHUNK, |range| {
                let (first, count) = (start + range.start, range.len());
                let mut out = DriverMoments::new(genes, lineages)?;
                out.cells = count as f64;
                let rows = (first..first + count).into();
                let mut centred = p
                    .slice_axis(Axis(0), rows)
                    .as_standard_layout()
                    .into_owned();
                for (l, mut column) in centred.columns_mut().into_iter().enumerate() {
                    // Twice, so that the sum of what is left is rounding of rounding.
                    for _ in 0..2 {
                        let mean = column.iter().sum::<f64>() / out.cells;
                        out.lineage_mean[l] += mean;
                        column.iter_mut().for_each(|v| *v -= mean);
                    }
                    out.lineage_square[l] = column.iter().map(|v| v * v).sum();
                }
                fill((first, count), &centred, &mut out);
                Ok(out)
            })?;
            parts.iter().for_each(|part| self.combine(part));
        }
        Ok(())
    }

    fn combine(&mut self, other: &DriverMoments) {
        let total = self.cells + other.cells;
        let (share, weight) = (other.cells / total, self.cells * other.cells / total);
        let genes = self.gene_mean.len();
        let apart =
            |a: &[f64], b: &[f64]| -> Vec<f64> { b.iter().zip(a).map(|(b, a)| b - a).collect() };
        let dx = apart(&self.gene_mean, &other.gene_mean);
        let dp = apart(&self.lineage_mean, &other.lineage_mean);
        for (l, d) in dp.iter().enumerate() {
            self.lineage_mean[l] += share * d;
            self.lineage_square[l] += other.lineage_square[l] + weight * d * d;
            let at = l * genes..(l + 1) * genes;
            for ((a, b), x) in self.product[at.clone()]
                .iter_mut()
                .zip(&other.product[at])
                .zip(&dx)
            {
                *a += b + weight * x * d;
            }
        }
        for (g, d) in dx.iter().enumerate() {
            self.gene_mean[g] += share * d;
            self.gene_square[g] += other.gene_square[g] + weight * d * d;
        }
        self.cells = total;
    }
}

#[cfg(test)]
#[path = "drivers_tests.rs"]
mod tests;
