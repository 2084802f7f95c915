//! Moments of one chunk of cells, for the correlations of lineage drivers.
//!
//! Sums of squares and of products around the means of the chunk, gene by gene, in
//! two passes over what is stored; probabilities come centred.

use super::drivers::DriverMoments;
use crate::simd;
use ndarray::Array2;

/// The index of a gene, as the core and as R keep it.
pub(super) trait Gene: Copy + Sync {
    fn at(self) -> usize;
}

impl Gene for u32 {
    #[inline(always)]
    fn at(self) -> usize {
        self as usize
    }
}

impl Gene for i32 {
    #[inline(always)]
    fn at(self) -> usize {
        self as usize
    }
}

/// Moments of a chunk of sparse cells: two passes over the stored entries.
pub(super) fn sparse_chunk<'a, I: Gene + 'a>(
    cell: &impl Fn(usize) -> (&'a [I], &'a [f64]),
    first: usize,
    centred: &Array2<f64>,
    out: &mut DriverMoments,
) {
    let genes = out.gene_mean.len();
    let mut stored = vec![0u32; genes];
    let cells = first..first + centred.nrows();
    for i in cells.clone() {
        let (genes, values) = cell(i);
        for (g, &v) in genes.iter().zip(values) {
            out.gene_mean[g.at()] += v;
            stored[g.at()] += 1;
        }
    }
    let n = out.cells;
    out.gene_mean.iter_mut().for_each(|m| *m /= n);
    // Probabilities are centred, so any shift of a gene leaves its products alone;
    // the mean keeps digits, but only a gene without gaps can be shifted for free.
    let shift: Vec<f64> = out
        .gene_mean
        .iter()
        .zip(&stored)
        .map(|(&m, &s)| if f64::from(s) == n { m } else { 0.0 })
        .collect();
    let lineages = out.lineage_mean.len();
    // Gene by gene here, so that one entry touches one line of memory.
    let mut product = vec![0.0; genes * lineages];
    for (i, centred) in cells.zip(centred.rows()) {
        let (genes, values) = cell(i);
        // Rows of an owned array lie in one piece.
        let centred = centred.to_slice().unwrap_or_default();
        for (g, &v) in genes.iter().zip(values) {
            let g = g.at();
            let d = v - out.gene_mean[g];
            out.gene_square[g] += d * d;
            let at = g * lineages;
            simd::axpy(v - shift[g], centred, &mut product[at..at + lineages]);
        }
    }
    for (g, &s) in stored.iter().enumerate() {
        let m = out.gene_mean[g];
        out.gene_square[g] += (n - f64::from(s)) * m * m;
        for l in 0..lineages {
            out.product[l * genes + g] = product[g * lineages + l];
        }
        same_everywhere(g, f64::from(s), cell, first, out);
    }
}

/// A gene with one value in all cells has no spread, whatever rounding says.
fn same_everywhere<'a, I: Gene + 'a>(
    g: usize,
    stored: f64,
    cell: &impl Fn(usize) -> (&'a [I], &'a [f64]),
    first: usize,
    out: &mut DriverMoments,
) {
    let tiny = 1e-24 * out.cells * out.gene_mean[g] * out.gene_mean[g];
    if stored < out.cells || out.gene_square[g] > tiny {
        return;
    }
    let value = |i: usize| {
        let (genes, values) = cell(i);
        let at = genes.binary_search_by_key(&g, |gene| gene.at());
        at.map_or(0.0, |at| values[at])
    };
    let one = value(first);
    if (first..first + out.cells as usize).all(|i| value(i) == one) {
        constant(g, one, out);
    }
}

fn constant(g: usize, value: f64, out: &mut DriverMoments) {
    let genes = out.gene_mean.len();
    out.gene_mean[g] = value;
    out.gene_square[g] = 0.0;
    for l in 0..out.lineage_mean.len() {
        out.product[l * genes + g] = 0.0;
    }
}

/// Moments of a chunk of dense cells.
pub(super) fn dense_chunk(rows: &[f64], centred: &Array2<f64>, out: &mut DriverMoments) {
    let genes = out.gene_mean.len();
    if genes == 0 {
        return;
    }
    let n = out.cells;
    let DriverMoments {
        gene_mean,
        gene_square,
        product,
        ..
    } = &mut *out;
    let mut spread = vec![0.0; genes];
    simd::wide(
        #[inline(always)]
        || {
            for cell in rows.chunks_exact(genes) {
                simd::axpy(1.0, cell, gene_mean);
            }
            gene_mean.iter_mut().for_each(|m| *m /= n);
            for (cell, p) in rows.chunks_exact(genes).zip(centred.rows()) {
                for (((s, d), x), m) in gene_square
                    .iter_mut()
                    .zip(spread.iter_mut())
                    .zip(cell)
                    .zip(gene_mean.iter())
                {
                    *d = x - m;
                    *s += *d * *d;
                }
                for (&p, to) in p.iter().zip(product.chunks_exact_mut(genes)) {
                    simd::axpy(p, &spread, to);
                }
            }
        },
    );
    for g in 0..genes {
        let one = rows[g];
        if rows.iter().skip(g).step_by(genes).all(|&v| v == one) {
            constant(g, one, out);
        }
    }
}
