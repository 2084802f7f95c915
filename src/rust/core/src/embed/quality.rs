//! How much of the data a layout keeps.
//!
//! No picture in two dimensions shows everything. These numbers say what one keeps,
//! near and far: whether neighbours in the picture are neighbours in the data
//! (trustworthiness: Venna & Kaski 2001), whether neighbours in the data stay
//! neighbours (continuity, recall), and whether distances keep their order (random
//! triplets and pairs; pairs of neighbours; centroids of groups). All but the last
//! are measured on a sample of cells against all cells:
//!
//! ```text
//! T(k) = 1 - 2 / (m k (2n - 3k - 1)) sum_i sum_{j in U_i} (r(i, j) - k)
//! ```
//!
//! where `U_i` are those of the k nearest cells in the layout that are not among the
//! k nearest in the data, and `r` is their rank in the data. Ties go to the cell that
//! comes first. Only the order of distances counts.

use super::quality_agree::{procrustes, spearman};
use super::quality_near::{distances, Near};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::{Exec, CHUNK};
use crate::graph::points::Points;
use crate::graph::Metric;
use crate::rng::Stream;
use ndarray::{Array2, ArrayView2};

/// Parameters of the measures.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityOptions<'a> {
    /// Neighbours for trustworthiness, continuity and pairs of neighbours, without
    /// the cell itself; below half the cells.
    pub k: usize,
    /// Neighbours for recall, each below the number of cells.
    pub recall_k: Vec<usize>,
    /// Cells whose neighbours are looked at; all when there are no more.
    pub sample: usize,
    /// Random triplets.
    pub triplets: usize,
    /// Random pairs.
    pub pairs: usize,
    /// Group of every cell, counted from zero; `u32::MAX` for none.
    pub groups: Option<&'a [u32]>,
    /// Distance in the data; in the layout it is Euclidean.
    pub metric: Metric,
    /// Key of the samples.
    pub seed: u64,
}

impl Default for QualityOptions<'_> {
    fn default() -> Self {
        QualityOptions {
            k: 15,
            recall_k: vec![15, 50, 150],
            sample: 5000,
            triplets: 100_000,
            pairs: 100_000,
            groups: None,
            metric: Metric::Euclidean,
            seed: 0,
        }
    }
}

/// What [`embedding_quality`] returns; 1 is perfect. A correlation of distances that
/// do not vary is not a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// How close in the data the neighbours in the layout are, in [0, 1].
    pub trustworthiness: f64,
    /// How close in the layout the neighbours in the data are, in [0, 1].
    pub continuity: f64,
    /// Share of the neighbours in the data that are neighbours in the layout, for
    /// each number of neighbours.
    pub recall: Vec<f64>,
    /// Share of triplets whose two distances keep their order; 0.5 by chance.
    pub triplet_accuracy: f64,
    /// Spearman correlation of the distances of random pairs.
    pub distance_correlation: f64,
    /// Spearman correlation of the distances of cells and their neighbours in the
    /// data.
    pub local_correlation: f64,
    /// Spearman correlation of the distances of the centroids of groups; none for
    /// fewer than three groups.
    pub centroid_correlation: Option<f64>,
}

/// What [`compare_embeddings`] returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Sum of squares that is left after the best shift, turn and scale, in [0, 1].
    pub procrustes: f64,
    /// Mean share of neighbours in one that are neighbours in the other.
    pub neighbor_overlap: f64,
}

/// Queries per task.
const QUERIES: usize = 8;
/// Purposes of the samples.
const CELLS: u64 = 0x7175_6101;
const TRIPLETS: u64 = 0x7175_6102;
const PAIRS: u64 = 0x7175_6103;

/// Measures what `embedding` keeps of `data`, both cells x dimensions.
/// O(sample * cells * dimensions) time, O(cells) memory per thread. The same bits on
/// any number of threads.
///
/// # Errors
/// `shape` when sizes do not fit, `range` for numbers of neighbours out of range and
/// values that are not finite, `memory`, `interrupted`.
pub fn embedding_quality(
    exec: &Exec,
    data: ArrayView2<'_, f64>,
    embedding: ArrayView2<'_, f64>,
    options: &QualityOptions<'_>,
) -> Result<Quality> {
    let n = data.nrows();
    same_cells(n, embedding.nrows(), "the embedding")?;
    if let Some(groups) = options.groups {
        same_cells(n, groups.len(), "the groups")?;
    }
    check_neighbors(n, options)?;
    let space = Spaces {
        data: Points::new(exec, data, options.metric)?,
        layout: Points::new(exec, embedding, Metric::Euclidean)?,
    };
    let queries = sampled(n, options.sample, options.seed);
    exec.control().begin(queries.len());
    let near = space.neighborhoods(exec, &queries, options.k, &options.recall_k)?;
    let (m, k) = (queries.len() as f64, options.k as f64);
    let worst = m * k * (2.0 * n as f64 - 3.0 * k - 1.0) / 2.0;
    let recall = near.hits.iter().zip(&options.recall_k);
    Ok(Quality {
        trustworthiness: 1.0 - near.intruders / worst,
        continuity: 1.0 - near.missing / worst,
        recall: recall.map(|(&h, &k)| h as f64 / (m * k as f64)).collect(),
        triplet_accuracy: space.triplets(exec, options)?,
        distance_correlation: space.pairs(exec, options)?,
        local_correlation: spearman(&near.data, &near.layout),
        centroid_correlation: centroids(exec, data, embedding, options)?,
    })
}

/// How alike two embeddings of the same cells are: after Procrustes superposition
/// (centred, scaled to size one, turned), and by their `k` nearest neighbours on a
/// sample of cells. They may differ in dimension.
///
/// # Errors
/// As [`embedding_quality`]; `no_state` when all cells of one are at one place.
pub fn compare_embeddings(
    exec: &Exec,
    a: ArrayView2<'_, f64>,
    b: ArrayView2<'_, f64>,
    k: usize,
    sample: usize,
    seed: u64,
) -> Result<Comparison> {
    let n = a.nrows();
    same_cells(n, b.nrows(), "the second embedding")?;
    check_k("the number of neighbours", k, n)?;
    let space = Spaces {
        data: Points::new(exec, a, Metric::Euclidean)?,
        layout: Points::new(exec, b, Metric::Euclidean)?,
    };
    let queries = sampled(n, sample, seed);
    exec.control().begin(queries.len());
    let near = space.neighborhoods(exec, &queries, k, &[k])?;
    Ok(Comparison {
        procrustes: procrustes(a, b)?,
        neighbor_overlap: near.hits[0] as f64 / (queries.len() * k) as f64,
    })
}

fn same_cells(expected: usize, found: usize, what: &str) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(CoreError::Shape {
        what: what.into(),
        expected,
        found,
    })
}

fn check_k(what: &str, k: usize, n: usize) -> Result<()> {
    if k >= 1 && k < n {
        return Ok(());
    }
    Err(CoreError::Range {
        what: what.into(),
        value: k as f64,
        allowed: format!("1 to {}, below the number of cells", n.saturating_sub(1)),
    })
}

fn check_neighbors(n: usize, options: &QualityOptions<'_>) -> Result<()> {
    for &k in &options.recall_k {
        check_k("the number of neighbours for recall", k, n)?;
    }
    check_k("the number of neighbours", options.k, n)?;
    if 2 * options.k >= n {
        return Err(CoreError::Range {
            what: "the number of neighbours".into(),
            value: options.k as f64,
            allowed: format!("below half of the {n} cells"),
        });
    }
    Ok(())
}

/// A sample of cells without repetition, ascending.
fn sampled(n: usize, sample: usize, seed: u64) -> Vec<usize> {
    if n <= sample {
        return (0..n).collect();
    }
    let mut cells = Stream::new(seed, CELLS, 0, 0).permutation(n);
    cells.truncate(sample);
    cells.sort_unstable();
    cells
}

struct Spaces {
    data: Points,
    layout: Points,
}

impl Spaces {
    fn neighborhoods(
        &self,
        exec: &Exec,
        queries: &[usize],
        k: usize,
        recall_k: &[usize],
    ) -> Result<Near> {
        let most = recall_k.iter().copied().fold(k, usize::max);
        let parts = exec.try_map_chunks(queries.len(), QUERIES, |range| {
            let n = self.data.n;
            let mut a = try_filled(n, 0.0, "the distances of a cell")?;
            let mut b = try_filled(n, 0.0, "the distances of a cell")?;
            let mut near = Near {
                hits: vec![0; recall_k.len()],
                ..Near::default()
            };
            for &i in &queries[range.clone()] {
                exec.check()?;
                distances(&self.data, i, &mut a);
                distances(&self.layout, i, &mut b);
                near.add(i, (&a, &b), (k, most), recall_k);
            }
            exec.control().tick(range.len());
            Ok(near)
        })?;
        let mut total = Near {
            hits: vec![0; recall_k.len()],
            ..Near::default()
        };
        for part in parts {
            total.intruders += part.intruders;
            total.missing += part.missing;
            let hits = total.hits.iter_mut().zip(&part.hits);
            hits.for_each(|(t, h)| *t += h);
            total.data.extend(part.data);
            total.layout.extend(part.layout);
        }
        Ok(total)
    }

    /// Share of random triplets (i, j, l) in which j and l are ordered alike as seen
    /// from i.
    fn triplets(&self, exec: &Exec, options: &QualityOptions<'_>) -> Result<f64> {
        let (n, seed) = (self.data.n, options.seed);
        if n < 3 || options.triplets == 0 {
            return Ok(f64::NAN);
        }
        let same = exec.map_chunks(options.triplets, CHUNK, |range| {
            let alike = |&t: &usize| {
                let [i, j, l] = distinct(&mut Stream::new(seed, TRIPLETS, t as u64, 0), n);
                let order = |p: &Points| p.distance(i, p, j).total_cmp(&p.distance(i, p, l));
                order(&self.data) == order(&self.layout)
            };
            range.filter(alike).count()
        })?;
        Ok(same.into_iter().sum::<usize>() as f64 / options.triplets as f64)
    }

    fn pairs(&self, exec: &Exec, options: &QualityOptions<'_>) -> Result<f64> {
        let (n, seed) = (self.data.n, options.seed);
        if n < 3 {
            return Ok(f64::NAN);
        }
        let parts = exec.map_chunks(options.pairs, CHUNK, |range| {
            let both = range.map(|t| {
                let [i, j, _] = distinct(&mut Stream::new(seed, PAIRS, t as u64, 0), n);
                let distance = |p: &Points| p.distance(i, p, j);
                (distance(&self.data), distance(&self.layout))
            });
            both.collect::<Vec<_>>()
        })?;
        let (a, b): (Vec<f64>, Vec<f64>) = parts.into_iter().flatten().unzip();
        Ok(spearman(&a, &b))
    }
}

/// Three different cells of at least three.
fn distinct(draw: &mut Stream, n: usize) -> [usize; 3] {
    let i = draw.below(n);
    let mut j = draw.below(n - 1);
    j += usize::from(j >= i);
    let mut l = draw.below(n - 2);
    for taken in [i.min(j), i.max(j)] {
        l += usize::from(l >= taken);
    }
    [i, j, l]
}

/// Spearman correlation of the distances between the centroids of groups.
fn centroids(
    exec: &Exec,
    data: ArrayView2<'_, f64>,
    embedding: ArrayView2<'_, f64>,
    options: &QualityOptions<'_>,
) -> Result<Option<f64>> {
    let Some(groups) = options.groups else {
        return Ok(None);
    };
    let mut present: Vec<u32> = groups.iter().copied().filter(|&g| g != u32::MAX).collect();
    present.sort_unstable();
    present.dedup();
    let count = present.len();
    if count < 3 {
        return Ok(None);
    }
    let means = |x: ArrayView2<'_, f64>, metric: Metric| -> Result<Points> {
        let mut sum = Array2::<f64>::zeros((count, x.ncols()));
        let mut size = vec![0.0; count];
        for (row, g) in x.rows().into_iter().zip(groups) {
            if let Ok(at) = present.binary_search(g) {
                sum.row_mut(at).scaled_add(1.0, &row);
                size[at] += 1.0;
            }
        }
        for (mut row, size) in sum.rows_mut().into_iter().zip(size) {
            row /= size;
        }
        Points::new(exec, sum.view(), metric)
    };
    let between = |p: &Points| -> Vec<f64> {
        let pairs = (0..count).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs.map(|(i, j)| p.distance(i, p, j)).collect()
    };
    let a = between(&means(data, options.metric)?);
    let b = between(&means(embedding, Metric::Euclidean)?);
    Ok(Some(spearman(&a, &b)))
}
