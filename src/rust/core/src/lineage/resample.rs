//! Draws of cells, many at a time: permutations and bootstrap samples.
//!
//! A permutation asks how often shuffled fates go with a gene as closely as the
//! real ones; a bootstrap sample draws cells with replacement and asks how much
//! the correlation moves (Efron & Tibshirani 1993). A panel holds [`DRAWS`] of
//! them side by side, so that one pass over a gene serves all: the inner loop is a
//! row of the panel times one value of the gene. Draw b of a run comes from a
//! stream of its own, whatever the panel or the thread it falls to.

use super::gene_rows::{GeneRow, GeneRows};
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::rng::Stream;
use crate::simd;
use std::ops::Range;

/// Draws of one panel.
pub const DRAWS: usize = 32;
/// Cells whose part of a panel stays in the cache of a core.
const CELLS: usize = 512;
/// Full rows that share a look at the panel.
const ROWS: usize = 4;
/// Draws that those rows are summed over at a time.
const PART: usize = 8;

pub(super) const SHUFFLE: u64 = 0x7065_726d;
pub(super) const BOOTSTRAP: u64 = 0x626f_6f74;

/// One number per draw.
pub type Lanes = [f64; DRAWS];

/// Fate probabilities as the tests need them: by lineage, around their means.
#[derive(Debug, Clone)]
pub struct Targets {
    /// One centred vector over cells per lineage.
    pub centred: Vec<Vec<f64>>,
    /// Their sums of squares; 0 exactly for a constant lineage.
    pub square: Vec<f64>,
}

/// Sums over cells of gene x table, for every gene of a block and every table.
struct Sums {
    tables: usize,
    lanes: Vec<Lanes>,
    /// Where each gene goes on in its stored entries.
    next: Vec<usize>,
}

impl Sums {
    fn new(rows: &GeneRows, tables: usize) -> Result<Sums> {
        Ok(Sums {
            tables,
            lanes: try_filled(rows.len() * tables, [0.0; DRAWS], "sums over draws")?,
            next: try_filled(rows.len(), 0, "sums over draws")?,
        })
    }

    fn of(&self, g: usize, table: usize) -> &Lanes {
        &self.lanes[g * self.tables + table]
    }

    /// Adds the cells of a block. `tables` are those of these cells, one after the
    /// other; with `squares` a further sum takes squared values with the first.
    fn add(&mut self, rows: &GeneRows, cells: &Range<usize>, tables: &[Lanes], squares: bool) {
        simd::wide(
            #[inline(always)]
            || {
                let mut full = Vec::with_capacity(ROWS);
                for g in 0..rows.len() {
                    match rows.gene(g) {
                        GeneRow::Stored(at, x) => {
                            let from = self.next[g];
                            let count = at[from..].partition_point(|&i| (i as usize) < cells.end);
                            let span = from..from + count;
                            self.next[g] = span.end;
                            self.stored(g, cells, (&at[span.clone()], &x[span]), tables, squares);
                        }
                        GeneRow::Full(x) => {
                            full.push((g, &x[cells.clone()]));
                            if full.len() == ROWS {
                                self.full(&full, tables, squares);
                                full.clear();
                            }
                        }
                    }
                }
                self.full(&full, tables, squares);
            },
        );
    }

    #[inline(always)]
    fn stored(
        &mut self,
        g: usize,
        cells: &Range<usize>,
        (at, x): (&[u32], &[f64]),
        tables: &[Lanes],
        squares: bool,
    ) {
        if at.is_empty() {
            return;
        }
        let first = cells.start as u32;
        let sums = &mut self.lanes[g * self.tables..(g + 1) * self.tables];
        for (table, sum) in tables.chunks_exact(cells.len()).zip(sums.iter_mut()) {
            add_stored(first, at, x, table, |v| v, sum);
        }
        if squares {
            let table = &tables[..cells.len()];
            add_stored(first, at, x, table, |v| v * v, &mut sums[self.tables - 1]);
        }
    }

    #[inline(always)]
    fn full(&mut self, genes: &[(usize, &[f64])], tables: &[Lanes], squares: bool) {
        let Some(&(_, any)) = genes.first() else {
            return;
        };
        let mut rows = [any; ROWS];
        for (row, gene) in rows.iter_mut().zip(genes) {
            *row = gene.1;
        }
        let each = self.tables;
        let mut add = |k: usize, table: &[Lanes], square: bool| {
            let mut sums = [[0.0; DRAWS]; ROWS];
            for (sum, gene) in sums.iter_mut().zip(genes) {
                *sum = self.lanes[gene.0 * each + k];
            }
            if square {
                add_full(rows, table, |v| v * v, &mut sums);
            } else {
                add_full(rows, table, |v| v, &mut sums);
            }
            for (sum, gene) in sums.iter().zip(genes) {
                self.lanes[gene.0 * each + k] = *sum;
            }
        };
        for (k, table) in tables.chunks_exact(any.len()).enumerate() {
            add(k, table, false);
        }
        if squares {
            add(each - 1, &tables[..any.len()], true);
        }
    }
}

#[inline(always)]
fn add_stored(
    first: u32,
    at: &[u32],
    x: &[f64],
    table: &[Lanes],
    of: impl Fn(f64) -> f64,
    to: &mut Lanes,
) {
    let mut sum = *to;
    for (&i, &v) in at.iter().zip(x) {
        let v = of(v);
        let row = &table[(i - first) as usize];
        for l in 0..DRAWS {
            sum[l] += v * row[l];
        }
    }
    *to = sum;
}

#[inline(always)]
fn add_full(
    rows: [&[f64]; ROWS],
    table: &[Lanes],
    of: impl Fn(f64) -> f64,
    to: &mut [Lanes; ROWS],
) {
    for start in (0..DRAWS).step_by(PART) {
        let mut sum = [[0.0; PART]; ROWS];
        for (sum, to) in sum.iter_mut().zip(to.iter()) {
            sum.copy_from_slice(&to[start..start + PART]);
        }
        let [a, b, c, d] = rows;
        for ((((lanes, a), b), c), d) in table.iter().zip(a).zip(b).zip(c).zip(d) {
            let lanes = &lanes[start..start + PART];
            for (sum, x) in sum.iter_mut().zip([of(*a), of(*b), of(*c), of(*d)]) {
                for l in 0..PART {
                    sum[l] += x * lanes[l];
                }
            }
        }
        for (sum, to) in sum.iter().zip(to.iter_mut()) {
            to[start..start + PART].copy_from_slice(sum);
        }
    }
}

/// Blocks of cells of a panel.
fn blocks(cells: usize) -> impl Iterator<Item = Range<usize>> {
    (0..cells)
        .step_by(CELLS)
        .map(move |c| c..(c + CELLS).min(cells))
}

/// How many of the permutations `draws` (at most [`DRAWS`]) give each gene and
/// lineage (gene by gene) a product of at least `least` in size. O(entries *
/// lineages * draws), memory 128 bytes per cell and 256 per gene and lineage.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn exceeding(
    exec: &Exec,
    rows: &GeneRows,
    targets: &Targets,
    seed: u64,
    draws: Range<usize>,
    least: &[f64],
) -> Result<Vec<u32>> {
    let (n, k) = (rows.cells(), targets.centred.len());
    let mut orders = try_filled(draws.len() * n, 0u32, "permutations")?;
    for (b, order) in draws.clone().zip(orders.chunks_exact_mut(n)) {
        let mut stream = Stream::new(seed, SHUFFLE, b as u64, 0);
        order.iter_mut().zip(0..).for_each(|(to, i)| *to = i);
        for i in (1..n).rev() {
            order.swap(i, stream.below(i + 1));
        }
    }
    let mut sums = Sums::new(rows, k)?;
    let mut tables = vec![[0.0; DRAWS]; CELLS.min(n) * k];
    for cells in blocks(n) {
        exec.check()?;
        for (l, p) in targets.centred.iter().enumerate() {
            let table = &mut tables[l * cells.len()..(l + 1) * cells.len()];
            for (lane, order) in orders.chunks_exact(n).enumerate() {
                for (row, &i) in table.iter_mut().zip(&order[cells.clone()]) {
                    row[lane] = p[i as usize];
                }
            }
        }
        sums.add(rows, &cells, &tables[..k * cells.len()], false);
    }
    let count = |at: usize| {
        let sum = &sums.lanes[at][..draws.len()];
        sum.iter().filter(|v| v.abs() >= least[at]).count() as u32
    };
    Ok((0..rows.len() * k).map(count).collect())
}

/// Bootstrap samples: how often each cell was drawn, and what the lineages do in
/// each sample.
struct Samples {
    /// Times each cell was drawn, sample by sample.
    times: Vec<u32>,
    /// Mean and sum of squares of each lineage, sample by sample; the latter 0
    /// exactly where it does not vary.
    lineages: Vec<(f64, f64)>,
}

impl Samples {
    fn draw(n: usize, targets: &Targets, seed: u64, draws: Range<usize>) -> Result<Samples> {
        let mut times = try_filled(draws.len() * n, 0u32, "bootstrap samples")?;
        let mut lineages = Vec::with_capacity(draws.len() * targets.centred.len());
        for (b, times) in draws.zip(times.chunks_exact_mut(n)) {
            let mut stream = Stream::new(seed, BOOTSTRAP, b as u64, 0);
            for _ in 0..n {
                times[stream.below(n)] += 1;
            }
            lineages.extend(targets.centred.iter().map(|p| moments(times, p)));
        }
        Ok(Samples { times, lineages })
    }
}

/// Mean and sum of squares around it of `x` with cells counted `times`.
fn moments(times: &[u32], x: &[f64]) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let (mut sum, mut n) = (0.0, 0.0);
    for (&t, &v) in times.iter().zip(x).filter(|(t, _)| **t > 0) {
        low = low.min(v);
        high = high.max(v);
        sum += f64::from(t) * v;
        n += f64::from(t);
    }
    if low == high {
        return (low, 0.0);
    }
    let mean = sum / n;
    let apart = |(&t, &v): (&u32, &f64)| f64::from(t) * (v - mean) * (v - mean);
    (mean, times.iter().zip(x).map(apart).sum())
}

/// Correlations of every gene and lineage in the bootstrap samples `draws` (at
/// most [`DRAWS`]), gene by gene, then lineage by lineage; NaN where a sample
/// holds one value only. O(entries * (lineages + 2) * draws), memory as for
/// [`exceeding`].
///
/// # Errors
/// `memory`, `interrupted`.
pub fn bootstrap(
    exec: &Exec,
    rows: &GeneRows,
    targets: &Targets,
    seed: u64,
    draws: Range<usize>,
) -> Result<Vec<f64>> {
    let (n, k, width) = (rows.cells(), targets.centred.len(), draws.len());
    let samples = Samples::draw(n, targets, seed, draws)?;
    // The counts, the counts times each lineage, and sums of squares besides.
    let mut sums = Sums::new(rows, k + 2)?;
    let mut tables = vec![[0.0; DRAWS]; CELLS.min(n) * (k + 1)];
    for cells in blocks(n) {
        exec.check()?;
        let (counts, products) = tables.split_at_mut(cells.len());
        for (lane, times) in samples.times.chunks_exact(n).enumerate() {
            for (row, &t) in counts.iter_mut().zip(&times[cells.clone()]) {
                row[lane] = f64::from(t);
            }
        }
        for (l, p) in targets.centred.iter().enumerate() {
            let table = &mut products[l * cells.len()..(l + 1) * cells.len()];
            for lane in 0..width {
                let mean = samples.lineages[lane * k + l].0;
                for ((to, count), v) in table.iter_mut().zip(counts.iter()).zip(&p[cells.clone()]) {
                    to[lane] = count[lane] * (v - mean);
                }
            }
        }
        sums.add(rows, &cells, &tables[..(k + 1) * cells.len()], true);
    }
    let mut out = try_filled(rows.len() * k * width, f64::NAN, "bootstrap samples")?;
    for (g, out) in out.chunks_exact_mut(k * width).enumerate() {
        if rows.square(g) > 0.0 {
            correlate(rows, g, &sums, targets, &samples, out);
        }
    }
    Ok(out)
}

/// What is left of a sum of squares after taking the mean away must be this much
/// of it; else both are summed again, around the mean.
const LEFT: f64 = 1e-7;

/// Correlations of one gene in every sample, lineage by lineage.
fn correlate(
    rows: &GeneRows,
    g: usize,
    sums: &Sums,
    targets: &Targets,
    samples: &Samples,
    out: &mut [f64],
) {
    let (n, k) = (rows.cells(), targets.centred.len());
    let width = out.len() / k;
    let (sum, squares) = (sums.of(g, 0), sums.of(g, k + 1));
    for lane in 0..width {
        let mut spread = squares[lane] - sum[lane] * sum[lane] / n as f64;
        let mut values = None;
        if squares[lane] == 0.0 {
            // None of the cells that differ was drawn.
            continue;
        }
        if spread <= LEFT * squares[lane] {
            let x = full_row(rows, g);
            let times = &samples.times[lane * n..(lane + 1) * n];
            let (mean, square) = moments(times, &x);
            spread = square;
            values = Some((x, mean));
        }
        for l in 0..k {
            let (p_mean, p_square) = samples.lineages[lane * k + l];
            if spread == 0.0 || p_square == 0.0 {
                continue;
            }
            let product = match &values {
                None => sums.of(g, l + 1)[lane],
                Some((x, mean)) => {
                    let times = &samples.times[lane * n..(lane + 1) * n];
                    let apart = times.iter().zip(x).zip(&targets.centred[l]);
                    apart
                        .map(|((&t, x), p)| f64::from(t) * (x - mean) * (p - p_mean))
                        .sum()
                }
            };
            let r = product / (spread.sqrt() * p_square.sqrt());
            out[l * width + lane] = r.clamp(-1.0, 1.0);
        }
    }
}

/// One value per cell.
fn full_row(rows: &GeneRows, g: usize) -> Vec<f64> {
    match rows.gene(g) {
        GeneRow::Full(x) => x.to_vec(),
        GeneRow::Stored(cells, values) => {
            let mut x = vec![0.0; rows.cells()];
            for (&i, &v) in cells.iter().zip(values) {
                x[i as usize] = v;
            }
            x
        }
    }
}
