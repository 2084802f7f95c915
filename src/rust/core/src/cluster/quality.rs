//! How good a clustering is (section 2.5 of the graph rules).

use super::adjacency::Weight;
use super::level::{compact, Level};
use super::network::{check_shape, Network};
use super::objective::Objective;
use super::setup::{check_length, Job, Setup};
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;
use crate::sparse::csr::{row, Csr};

/// What a clustering maximises. Strengths are sums of weights, `p` the density of
/// the graph, `n_c` the size and `w_c` the internal weight of a community.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// Newman & Girvan's: weight above what strengths alone would give, over 2m.
    Modularity,
    /// The same times 2m, with a resolution on what chance gives.
    RbConfiguration,
    /// Weight above `resolution * p` per pair of cells.
    RbEr,
    /// Weight above `resolution` per pair of cells.
    Cpm,
    /// How improbable the densities inside the communities are; weights are ignored.
    Significance,
    /// How improbable the share of weight inside communities is.
    Surprise,
}

impl Quality {
    /// Whether the resolution means anything to it.
    pub fn takes_resolution(self) -> bool {
        matches!(
            self,
            Quality::RbConfiguration | Quality::RbEr | Quality::Cpm
        )
    }
}

/// The quality of labels 0..`count` on leidenalg's scale. O(edges).
pub(super) fn evaluate<W: Weight, O: Objective>(
    exec: &Exec,
    level: &Level<W, O::Mass>,
    objective: &O,
    labels: &[u32],
    count: usize,
    pair_scale: f64,
) -> Result<f64> {
    let contents = contents(exec, level, objective, labels, count, pair_scale)?;
    Ok(objective.quality(&mut contents.into_iter()))
}

/// Mass and internal weight of communities 0..`count`. O(edges).
pub(super) fn contents<W: Weight, O: Objective>(
    exec: &Exec,
    level: &Level<W, O::Mass>,
    objective: &O,
    labels: &[u32],
    count: usize,
    pair_scale: f64,
) -> Result<Vec<(O::Mass, f64)>> {
    let mut contents = try_filled(count, (O::Mass::default(), 0.0), "the communities")?;
    let within = exec.map_chunks(level.len(), super::adjacency::ROWS, |range| {
        let sums = range.map(|v| {
            let (targets, weights) = level.adjacency.row(v);
            let mut sum = 0.0;
            for (&t, &w) in targets.iter().zip(weights) {
                if labels[t as usize] == labels[v] {
                    sum += w.get();
                }
            }
            sum
        });
        sums.collect::<Vec<f64>>()
    })?;
    for (v, sum) in within.into_iter().flatten().enumerate() {
        let (mass, inner) = &mut contents[labels[v] as usize];
        *inner += pair_scale * (sum / 2.0) + level.adjacency.loops[v];
        *mass = objective.join(*mass, level.mass[v], 0.0);
    }
    Ok(contents)
}

struct Judge<'a> {
    exec: &'a Exec,
    labels: &'a [u32],
    count: usize,
    pair_scale: f64,
}

impl Job for Judge<'_> {
    type Out = f64;

    fn run<W: Weight, O: Objective>(self, level: Level<W, O::Mass>, objective: O) -> Result<f64> {
        evaluate(
            self.exec,
            &level,
            &objective,
            self.labels,
            self.count,
            self.pair_scale,
        )
    }
}

/// The quality of any labels, on the scale of leidenalg; zero for a graph without
/// edges. A directed graph keeps the directed convention also when symmetric. A
/// matrix that is not symmetric but not `directed` counts as its mean with its
/// transpose. O(entries).
///
/// # Errors
/// `shape` for a graph that is not square, labels or node sizes of another length;
/// `range` for weights that are not finite, negative weights with any quality but
/// CPM, node sizes of zero, a resolution that is not finite; `memory`,
/// `interrupted`.
pub fn quality(
    exec: &Exec,
    graph: &Csr,
    labels: &[u32],
    quality: Quality,
    resolution: f64,
    directed: bool,
    node_sizes: Option<&[u32]>,
) -> Result<f64> {
    let setup = Setup {
        quality,
        resolution,
        node_sizes,
        limited: false,
        fixed: None,
    };
    check_shape(graph)?;
    check_length("the labels", graph.rows(), labels.len())?;
    setup.check(graph.rows())?;
    let network = Network::new(exec, graph, quality, directed)?;
    if !network.has_edges {
        return Ok(0.0);
    }
    let (labels, count) = consecutive(labels)?;
    let pair_scale = network.pair_scale;
    let judge = Judge {
        exec,
        labels: &labels,
        count,
        pair_scale,
    };
    setup.dispatch(network, judge)
}

/// Any labels as 0.. in order of first appearance; how many. O(n log n) for
/// values beyond n, O(n) otherwise.
pub(super) fn consecutive(labels: &[u32]) -> Result<(Vec<u32>, usize)> {
    let n = labels.len();
    let mut new: Vec<u32> = try_with_capacity(n, "the labels")?;
    if labels.iter().all(|&l| (l as usize) < n) {
        new.extend_from_slice(labels);
        let count = compact(&mut new, n)?;
        return Ok((new, count));
    }
    let mut values: Vec<u32> = try_with_capacity(n, "the labels")?;
    values.extend_from_slice(labels);
    values.sort_unstable();
    values.dedup();
    new.extend(
        labels
            .iter()
            .map(|l| values.partition_point(|v| v < l) as u32),
    );
    let count = compact(&mut new, values.len())?;
    Ok((new, count))
}

/// Newman's modularity on the scale of igraph: the share of weight inside the
/// communities minus `resolution` times the share that strengths alone would put
/// there. In [-0.5, 1] at resolution 1 without negative weights; NaN for a graph whose
/// weights do not sum to more than zero. O(entries).
///
/// # Errors
/// `shape` for a graph that is not square or labels of another length, `memory`.
pub fn modularity(
    exec: &Exec,
    graph: &Csr,
    labels: &[u32],
    directed: bool,
    resolution: f64,
) -> Result<f64> {
    check_shape(graph)?;
    let n = graph.rows();
    check_length("the labels", n, labels.len())?;
    let (labels, count) = consecutive(labels)?;
    let mut outs = try_filled(count, 0.0, "the communities")?;
    let mut ins = try_filled(count, 0.0, "the communities")?;
    let mut inner = 0.0;
    for i in 0..n {
        exec.check()?;
        let (cols, values) = row(graph, i);
        let c = labels[i];
        let (mut out, mut same) = (0.0, 0.0);
        for (&j, &v) in cols.iter().zip(values) {
            // An undirected self loop has both its ends here.
            let v = if j as usize == i && !directed {
                2.0 * v
            } else {
                v
            };
            let d = labels[j as usize];
            out += v;
            ins[d as usize] += v;
            if d == c {
                same += v;
            }
        }
        outs[c as usize] += out;
        inner += same;
    }
    let total: f64 = outs.iter().sum();
    if total <= 0.0 {
        return Ok(f64::NAN);
    }
    let shares = outs.iter().zip(&ins).map(|(o, i)| (o / total, i / total));
    let chance: f64 = shares
        .map(|(o, i)| {
            let k = (o + i) / 2.0;
            if directed {
                o * i
            } else {
                k * k
            }
        })
        .sum();
    Ok(inner / total - resolution * chance)
}
