//! CytoTRACE: how far a cell has differentiated, from expression alone.
//!
//! Immature cells express more genes than mature ones. The number of genes that a
//! cell expresses is noisy, so the genes that go with it best across cells are
//! found by correlation, and the mean of their (smoothed) expression in a cell,
//! scaled to run from 0 to 1, is its score; pseudotime is one minus the score
//! (Gulati et al. 2020; section 1.10 of the fate-mapping rules). Expression is read
//! where it lies, in blocks of cells, and nothing sparse is made dense.

use crate::error::{try_filled, try_with_capacity, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::math;
use crate::sparse::CscView;
use ndarray::ArrayView2;

/// Cells per chunk; part of the meaning of the sums.
const CHUNK: usize = 512;
/// Bytes that the chunks of one wave may take.
const WAVE: usize = 64 << 20;

/// Expression of a block of cells.
#[derive(Debug, Clone, Copy)]
pub enum Expression<'a> {
    /// Genes x cells, by columns.
    Sparse(CscView<'a>),
    /// Cells x genes, each cell in one piece.
    Dense(ArrayView2<'a, f64>),
}

impl Expression<'_> {
    /// Number of cells.
    pub fn cells(&self) -> usize {
        match self {
            Expression::Sparse(m) => m.cols(),
            Expression::Dense(m) => m.nrows(),
        }
    }

    /// Number of genes.
    pub fn genes(&self) -> usize {
        match self {
            Expression::Sparse(m) => m.rows(),
            Expression::Dense(m) => m.ncols(),
        }
    }

    /// `f(gene, value)` of what is stored of cell `i`, genes ascending.
    #[inline(always)]
    fn each(&self, i: usize, mut f: impl FnMut(usize, f64)) {
        match self {
            Expression::Sparse(m) => {
                let (genes, values) = m.column(i);
                for (&g, &v) in genes.iter().zip(values) {
                    f(g as usize, v);
                }
            }
            Expression::Dense(m) => {
                for (g, &v) in m.row(i).iter().enumerate() {
                    f(g, v);
                }
            }
        }
    }
}

/// Moments, over cells, of genes and of the number of expressed genes.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneMoments {
    cells: f64,
    count_mean: f64,
    /// Sum of squares around the mean, here and below.
    count_square: f64,
    mean: Vec<f64>,
    square: Vec<f64>,
    /// Sums of products with the counts, both around their means.
    product: Vec<f64>,
}

impl GeneMoments {
    /// Moments of no cells yet.
    ///
    /// # Errors
    /// `memory`.
    pub fn new(genes: usize) -> Result<GeneMoments> {
        let zeros = || try_filled(genes, 0.0, "moments of genes");
        Ok(GeneMoments {
            cells: 0.0,
            count_mean: 0.0,
            count_square: 0.0,
            mean: zeros()?,
            square: zeros()?,
            product: zeros()?,
        })
    }

    /// The moments as plain numbers, from which [`GeneMoments::from_state`] goes on.
    pub fn into_state(self) -> Vec<f64> {
        let mut state = vec![self.cells, self.count_mean, self.count_square];
        state.extend(self.mean);
        state.extend(self.square);
        state.extend(self.product);
        state
    }

    /// Moments from [`GeneMoments::into_state`].
    ///
    /// # Errors
    /// `shape` when the state is not one of that many genes.
    pub fn from_state(genes: usize, state: &[f64]) -> Result<GeneMoments> {
        if state.len() != 3 + 3 * genes {
            return Err(CoreError::Shape {
                what: "the state of moments".into(),
                expected: 3 + 3 * genes,
                found: state.len(),
            });
        }
        let part = |k: usize| state[3 + k * genes..3 + (k + 1) * genes].to_vec();
        Ok(GeneMoments {
            cells: state[0],
            count_mean: state[1],
            count_square: state[2],
            mean: part(0),
            square: part(1),
            product: part(2),
        })
    }

    /// Adds a block of cells; returns the number of genes that each expresses, those
    /// above zero. Two passes over what is stored, O(genes) memory per chunk.
    ///
    /// # Errors
    /// `shape`, `range` for values that are not finite (cells counted within the
    /// block), `memory`, `interrupted`.
    pub fn add(&mut self, exec: &Exec, block: Expression<'_>) -> Result<Vec<u32>> {
        let (cells, genes) = (block.cells(), self.mean.len());
        if block.genes() != genes {
            return Err(CoreError::Shape {
                what: "the genes of a block".into(),
                expected: genes,
                found: block.genes(),
            });
        }
        let mut counts = try_with_capacity(cells, "numbers of expressed genes")?;
        exec.control().begin(cells);
        let wave = CHUNK * (WAVE / (32 * genes.max(1))).clamp(1, 64);
        for start in (0..cells).step_by(wave) {
            let parts = exec.try_map_chunks(wave.min(cells - start), CHUNK, |range| {
                chunk_moments(&block, start + range.start..start + range.end, genes)
            })?;
            for (part, counted) in parts {
                self.combine(&part);
                counts.extend(counted);
            }
            exec.control().tick(wave.min(cells - start));
        }
        Ok(counts)
    }

    /// Pearson's correlation of every gene with the number of expressed genes,
    /// within [-1, 1]; NaN for a gene that does not vary, and for all where the
    /// number does not.
    pub fn correlations(&self) -> Vec<f64> {
        let spread = self.count_square.sqrt();
        let one = |(&s, &p): (&f64, &f64)| {
            if s > 0.0 && spread > 0.0 {
                (p / (s.sqrt() * spread)).clamp(-1.0, 1.0)
            } else {
                f64::NAN
            }
        };
        self.square.iter().zip(&self.product).map(one).collect()
    }

    /// Moments of the union of both sets of cells (Chan, Golub & LeVeque 1983).
    fn combine(&mut self, other: &GeneMoments) {
        let total = self.cells + other.cells;
        let (share, weight) = (other.cells / total, self.cells * other.cells / total);
        let apart = other.count_mean - self.count_mean;
        self.count_mean += share * apart;
        self.count_square += other.count_square + weight * apart * apart;
        for g in 0..self.mean.len() {
            let d = other.mean[g] - self.mean[g];
            self.mean[g] += share * d;
            self.square[g] += other.square[g] + weight * d * d;
            self.product[g] += other.product[g] + weight * d * apart;
        }
        self.cells = total;
    }
}

/// What is gathered of one gene within a chunk, side by side in memory.
#[derive(Debug, Clone, Copy, Default)]
struct Gathered {
    mean: f64,
    square: f64,
    product: f64,
    stored: u32,
}

/// Moments of some cells of a block, and their numbers of expressed genes.
fn chunk_moments(
    block: &Expression<'_>,
    cells: std::ops::Range<usize>,
    genes: usize,
) -> Result<(GeneMoments, Vec<u32>)> {
    let n = cells.len() as f64;
    let mut all = try_filled(genes, Gathered::default(), "moments of genes")?;
    let mut counts = Vec::with_capacity(cells.len());
    let mut bad = Vec::new();
    for i in cells.clone() {
        let (mut count, mut finite) = (0u32, true);
        block.each(i, |g, v| {
            count += u32::from(v > 0.0);
            finite &= v.is_finite();
            all[g].mean += v;
            all[g].stored += 1;
        });
        if !finite {
            bad.push(i);
        }
        counts.push(count);
    }
    refuse(bad, "the expression")?;
    all.iter_mut().for_each(|a| a.mean /= n);
    let total: u64 = counts.iter().map(|&c| u64::from(c)).sum();
    let mut out = GeneMoments::new(genes)?;
    out.cells = n;
    out.count_mean = total as f64 / n;
    for (i, &count) in cells.clone().zip(&counts) {
        let y = f64::from(count) - out.count_mean;
        out.count_square += y * y;
        block.each(i, |g, v| {
            let a = &mut all[g];
            let d = v - a.mean;
            a.square += d * d;
            // The y sum to zero, so any shift of a gene leaves its sum alone; the
            // mean keeps digits, but only a gene without gaps is shifted for free.
            a.product += y * if f64::from(a.stored) == n { d } else { v };
        });
    }
    for (g, a) in all.iter().enumerate() {
        out.mean[g] = a.mean;
        // What is not stored is zero.
        out.square[g] = a.square + (n - f64::from(a.stored)) * a.mean * a.mean;
        out.product[g] = a.product;
        let flat = out.square[g] <= 1e-24 * n * a.mean * a.mean;
        if f64::from(a.stored) == n && flat {
            same_everywhere(block, cells.clone(), g, &mut out);
        }
    }
    Ok((out, counts))
}

/// A gene with one value in all cells has no spread, whatever rounding says.
fn same_everywhere(
    block: &Expression<'_>,
    cells: std::ops::Range<usize>,
    g: usize,
    out: &mut GeneMoments,
) {
    let value = |i: usize| match block {
        Expression::Sparse(m) => {
            let (genes, values) = m.column(i);
            let at = genes.partition_point(|&k| (k as usize) < g);
            values.get(at).copied().unwrap_or(0.0)
        }
        Expression::Dense(m) => m[(i, g)],
    };
    let one = value(cells.start);
    if cells.into_iter().all(|i| value(i) == one) {
        out.mean[g] = one;
        out.square[g] = 0.0;
        out.product[g] = 0.0;
    }
}

fn refuse(bad: Vec<usize>, what: &str) -> Result<()> {
    if bad.is_empty() {
        return Ok(());
    }
    Err(CoreError::NotFinite {
        what: what.into(),
        count: bad.len(),
        cells: bad.into_iter().take(SHOWN).collect(),
    })
}

/// Positions of the `n` genes with the largest correlations, best first; of equal
/// ones the first, those without a correlation last. O(genes log genes).
pub fn top_genes(correlations: &[f64], n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..correlations.len()).collect();
    let key = |&g: &usize| {
        let r = correlations[g];
        (r.is_nan(), if r.is_nan() { 0.0 } else { -r })
    };
    order.sort_by(|a, b| {
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    order.truncate(n);
    order
}

/// How the genes of a cell become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    Mean,
    Median,
    /// Zero where a gene is zero.
    GeometricMean,
    /// Zero where a gene is zero.
    HarmonicMean,
}

/// The aggregate of the `selected` genes (positions, each once) in every cell of a
/// block. O(entries) for a sparse block, O(cells x selected) for a dense one.
///
/// # Errors
/// `shape` for genes that do not exist or none, `range` for values that are not
/// finite and, for geometric and harmonic means, negative; `memory`, `interrupted`.
pub fn aggregate(
    exec: &Exec,
    block: Expression<'_>,
    selected: &[usize],
    how: Aggregation,
) -> Result<Vec<f64>> {
    let genes = block.genes();
    let beyond = selected.iter().find(|&&g| g >= genes);
    if selected.is_empty() || beyond.is_some() {
        return Err(CoreError::Shape {
            what: "the selected genes".into(),
            expected: genes,
            found: beyond.copied().unwrap_or(0),
        });
    }
    let mut wanted = try_filled(genes, false, "the selected genes")?;
    selected.iter().for_each(|&g| wanted[g] = true);
    // Ascending, so that sums do not depend on the storage.
    let listed: Vec<usize> = (0..genes).filter(|&g| wanted[g]).collect();
    exec.control().begin(block.cells());
    let parts = exec.try_map_chunks(block.cells(), CHUNK, |range| {
        let mut values = Vec::with_capacity(listed.len());
        let (mut out, mut bad, mut negative) = (Vec::new(), Vec::new(), 0);
        for i in range.clone() {
            gather(&block, i, &wanted, &listed, &mut values);
            if !values.iter().all(|v| v.is_finite()) {
                bad.push(i);
            }
            negative += usize::from(values.iter().any(|&v| v < 0.0));
            out.push(summary(&mut values, listed.len(), how));
        }
        refuse(bad, "the expression of the selected genes")?;
        exec.control().tick(range.len());
        Ok((out, negative))
    })?;
    let negative: usize = parts.iter().map(|p| p.1).sum();
    let positive = matches!(how, Aggregation::GeometricMean | Aggregation::HarmonicMean);
    if positive && negative > 0 {
        let name = if how == Aggregation::GeometricMean {
            "gmean"
        } else {
            "hmean"
        };
        return Err(CoreError::Choice {
            what: "the aggregation".into(),
            value: name.into(),
            reason: format!(
                "has no value for the negative expression of selected genes in {negative} cells"
            ),
        });
    }
    Ok(parts.into_iter().flat_map(|p| p.0).collect())
}

/// The stored values of the wanted genes of cell `i`, genes ascending.
fn gather(
    block: &Expression<'_>,
    i: usize,
    wanted: &[bool],
    listed: &[usize],
    values: &mut Vec<f64>,
) {
    values.clear();
    match block {
        Expression::Sparse(m) => {
            let (genes, stored) = m.column(i);
            let pairs = genes.iter().zip(stored);
            values.extend(pairs.filter(|(&g, _)| wanted[g as usize]).map(|(_, &v)| v));
        }
        Expression::Dense(m) => values.extend(listed.iter().map(|&g| m[(i, g)])),
    }
}

/// The aggregate of `values` and as many zeros as are missing to `n`.
fn summary(values: &mut Vec<f64>, n: usize, how: Aggregation) -> f64 {
    let size = n as f64;
    match how {
        Aggregation::Mean => values.iter().sum::<f64>() / size,
        Aggregation::Median => {
            values.resize(n, 0.0);
            let (low, middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
            if n % 2 == 1 {
                return *middle;
            }
            let below = low.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            0.5 * (below + *middle)
        }
        _ if values.len() < n || values.contains(&0.0) => 0.0,
        Aggregation::GeometricMean => {
            math::exp(values.iter().map(|&v| math::ln(v)).sum::<f64>() / size)
        }
        Aggregation::HarmonicMean => size / values.iter().map(|v| 1.0 / v).sum::<f64>(),
    }
}

/// Scores scaled to run from 0 to 1, and pseudotime, one minus that.
///
/// # Errors
/// `range` when all are the same.
pub fn scale(scores: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
    let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let high = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = high - low;
    if span > 0.0 && span.is_finite() {
        let scaled: Vec<f64> = scores.iter().map(|s| (s - low) / span).collect();
        let time = scaled.iter().map(|s| 1.0 - s).collect();
        return Ok((scaled, time));
    }
    Err(CoreError::Range {
        what: "the range of the CytoTRACE score over cells".into(),
        value: span.max(0.0),
        allowed: "finite and positive".into(),
    })
}

#[cfg(test)]
#[path = "cytotrace_tests.rs"]
mod tests;
