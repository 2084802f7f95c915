//! Lineage drivers by resampling cells.
//!
//! Whether a gene goes with a fate more closely than chance would have it is asked
//! of the data themselves: the cells of the fate probabilities are shuffled, and
//! the p-value is the share of shuffles, the real order among them, whose
//! correlation is at least as large (Phipson & Smyth 2010: (b + 1) / (B + 1), which
//! is never 0). How far the correlation can be trusted is asked of bootstrap
//! samples of cells, the same for all genes, whose quantiles bound it (section
//! 2.10.2 of the fate-mapping rules). Genes are taken in blocks, and no assay is
//! made dense.

use super::gene_rows::{centre, finite, not_finite, Expression, GeneRows};
use super::resample::{bootstrap, exceeding, Targets, DRAWS};
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use ndarray::{Array2, ArrayView2};

/// Correlations closer than this count as equal: ties are ties, whatever the order
/// of summation made of them.
const EQUAL: f64 = 1e-12;
/// Genes of a block.
const GENES: usize = 2048;
/// Bytes that the correlations of a block in all bootstrap samples may take.
const KEPT: usize = 128 << 20;
/// Genes per task when quantiles are taken.
const QUANTILES: usize = 16;

/// What a permutation test needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Resampling {
    /// Permutations, and bootstrap samples.
    pub n_perms: usize,
    pub confidence_level: f64,
    pub seed: u64,
    /// The peer's numbers: r times n / (n - 1), nothing where that leaves [-1, 1],
    /// p-values that are the bare share, an interval only if every sample has one.
    pub compat: bool,
}

/// Correlations with p-values and intervals, each genes x lineages; NaN for
/// constant genes and lineages.
#[derive(Debug, Clone, PartialEq)]
pub struct PermutationTable {
    pub correlation: Array2<f64>,
    pub p_value: Array2<f64>,
    /// Quantiles `(1 - level) / 2` and `(1 + level) / 2` over the bootstrap samples
    /// in which both vary, with linear interpolation.
    pub ci_low: Array2<f64>,
    pub ci_high: Array2<f64>,
}

/// Permutation test and bootstrap intervals of the correlations between genes and
/// lineages (`p`, cells x lineages). Draw b is the same for every gene and depends
/// on the seed and b alone, so the table does not depend on threads, nor on other
/// genes. O(entries * lineages * draws); memory: the entries of a block of genes
/// once more, 128 MiB, and 128 bytes per cell and thread.
///
/// # Errors
/// `shape`, `range` (values that are not finite, no permutations, a level outside
/// [0, 1]), `memory`, `interrupted`.
pub fn permutation(
    exec: &Exec,
    x: &Expression<'_>,
    p: ArrayView2<'_, f64>,
    options: &Resampling,
) -> Result<PermutationTable> {
    check(x, p, options)?;
    let targets = Targets::new(p);
    let (genes, k) = (x.genes(), p.ncols());
    let nothing = || Array2::from_elem((genes, k), f64::NAN);
    let mut table = PermutationTable {
        correlation: nothing(),
        p_value: nothing(),
        ci_low: nothing(),
        ci_high: nothing(),
    };
    let block = (KEPT / (8 * options.n_perms * k).max(1)).clamp(1, GENES);
    let panels = options.n_perms.div_ceil(DRAWS);
    exec.control().begin(genes.div_ceil(block) * 2 * panels);
    for start in (0..genes).step_by(block) {
        let rows = GeneRows::new(x, start..(start + block).min(genes))?;
        let drawn = draw(exec, &rows, &targets, options)?;
        fill(exec, &mut table, start, &drawn, options)?;
    }
    Ok(table)
}

fn check(x: &Expression<'_>, p: ArrayView2<'_, f64>, options: &Resampling) -> Result<()> {
    if x.cells() != p.nrows() {
        return Err(CoreError::Shape {
            what: "the cells of the fate probabilities".into(),
            expected: x.cells(),
            found: p.nrows(),
        });
    }
    let range = |what: &str, value: f64, allowed: &str| {
        Err(CoreError::Range {
            what: what.into(),
            value,
            allowed: allowed.into(),
        })
    };
    if x.cells() < 2 {
        return range("the number of cells", x.cells() as f64, "at least 2");
    }
    if options.n_perms == 0 {
        return range("the number of permutations", 0.0, "at least 1");
    }
    if !(0.0..=1.0).contains(&options.confidence_level) {
        let level = options.confidence_level;
        return range("the confidence level", level, "at least 0 and at most 1");
    }
    finite(p.nrows(), "the fate probabilities", |i| {
        not_finite(p.row(i).iter())
    })?;
    x.require_finite()
}

impl Targets {
    fn new(p: ArrayView2<'_, f64>) -> Targets {
        let mut centred: Vec<Vec<f64>> = p.columns().into_iter().map(|c| c.to_vec()).collect();
        let square = centred.iter_mut().map(|c| centre(c)).collect();
        Targets { centred, square }
    }
}

/// What the cells themselves say, gene by gene, then lineage by lineage.
struct Observed {
    correlation: Vec<f64>,
    /// The product that a permutation must reach to count.
    least: Vec<f64>,
}

impl Observed {
    fn new(rows: &GeneRows, targets: &Targets) -> Observed {
        let k = targets.centred.len();
        let mut observed = Observed {
            correlation: Vec::with_capacity(rows.len() * k),
            least: Vec::with_capacity(rows.len() * k),
        };
        for g in 0..rows.len() {
            for (p, square) in targets.centred.iter().zip(&targets.square) {
                let scale = rows.square(g).sqrt() * square.sqrt();
                let product = rows.product(g, p);
                let r = if scale > 0.0 {
                    (product / scale).clamp(-1.0, 1.0)
                } else {
                    f64::NAN
                };
                observed.correlation.push(r);
                observed.least.push(product.abs() - EQUAL * scale);
            }
        }
        observed
    }
}

/// What all draws say of a block of genes.
struct Drawn {
    cells: f64,
    observed: Observed,
    /// Permutations at least as extreme, per gene and lineage.
    counts: Vec<u32>,
    /// Correlations in the bootstrap samples, panel by panel.
    samples: Vec<Vec<f64>>,
}

fn draw(exec: &Exec, rows: &GeneRows, targets: &Targets, options: &Resampling) -> Result<Drawn> {
    let observed = Observed::new(rows, targets);
    let draws = |panel: usize| panel * DRAWS..((panel + 1) * DRAWS).min(options.n_perms);
    let panels = options.n_perms.div_ceil(DRAWS);
    let counted = exec.try_map_chunks(panels, 1, |panel| {
        let least = &observed.least;
        let part = draws(panel.start);
        let counts = exceeding(exec, rows, targets, options.seed, part, least)?;
        exec.control().tick(1);
        Ok(counts)
    })?;
    let mut counts = vec![0; observed.least.len()];
    for part in counted {
        counts.iter_mut().zip(part).for_each(|(t, c)| *t += c);
    }
    let samples = exec.try_map_chunks(panels, 1, |panel| {
        let part = draws(panel.start);
        let samples = bootstrap(exec, rows, targets, options.seed, part)?;
        exec.control().tick(1);
        Ok(samples)
    })?;
    Ok(Drawn {
        cells: rows.cells() as f64,
        observed,
        counts,
        samples,
    })
}

/// The rows of a block of the table, which starts at gene `start`.
fn fill(
    exec: &Exec,
    table: &mut PermutationTable,
    start: usize,
    drawn: &Drawn,
    options: &Resampling,
) -> Result<()> {
    let Drawn {
        cells,
        observed,
        counts,
        samples,
    } = drawn;
    let k = table.correlation.ncols();
    let all = options.n_perms as f64;
    let factor = if options.compat {
        cells / (cells - 1.0)
    } else {
        1.0
    };
    let bounds = exec.map_chunks(counts.len(), QUANTILES * k.max(1), |range| {
        let mut values = Vec::with_capacity(options.n_perms);
        let interval = |at: usize| {
            values.clear();
            for panel in samples {
                let width = panel.len() / counts.len();
                values.extend_from_slice(&panel[at * width..(at + 1) * width]);
            }
            quantiles(&mut values, options)
        };
        range.map(interval).collect::<Vec<_>>()
    })?;
    for (at, (low, high)) in bounds.into_iter().flatten().enumerate() {
        let r = observed.correlation[at] * factor;
        if r.is_nan() || r.abs() > 1.0 {
            continue;
        }
        let cell = [start + at / k, at % k];
        table.correlation[cell] = r;
        table.p_value[cell] = if options.compat {
            f64::from(counts[at]) / all
        } else {
            (f64::from(counts[at]) + 1.0) / (all + 1.0)
        };
        table.ci_low[cell] = low * factor;
        table.ci_high[cell] = high * factor;
    }
    Ok(())
}

/// The bounds of the interval. Samples without a correlation are left out; the
/// peer has no interval then.
fn quantiles(values: &mut Vec<f64>, options: &Resampling) -> (f64, f64) {
    let drawn = values.len();
    values.retain(|v| !v.is_nan());
    if values.is_empty() || (options.compat && values.len() < drawn) {
        return (f64::NAN, f64::NAN);
    }
    let tail = (1.0 - options.confidence_level) / 2.0;
    (quantile(values, tail), quantile(values, 1.0 - tail))
}

/// The value at position `(m - 1) q` of the m sorted values, between two of them
/// in proportion. O(m).
fn quantile(values: &mut [f64], q: f64) -> f64 {
    let at = (values.len() - 1) as f64 * q;
    let below = at.floor();
    let (_, &mut low, above) = values.select_nth_unstable_by(below as usize, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    low + (at - below) * (next - low)
}

#[cfg(test)]
#[path = "permutation_tests.rs"]
mod tests;
