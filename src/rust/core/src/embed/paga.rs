//! Which groups of cells are connected, and how strongly (PAGA: Wolf et al. 2019).
//!
//! A neighbour graph has too many edges to look at, and an embedding distorts what
//! it shows. Here every group of cells becomes one node, and two nodes are joined
//! as strongly as their cells are neighbours of each other, measured against what
//! chance would give groups of these sizes. Groups without a single common edge
//! stay apart, so the result says which transitions the data support at all.
//!
//! Notation: `n` cells, `n_g` of them in group g, `E_gh` arcs or edges from g to h.
//! Two models of chance:
//!
//! * [`Model::Distances`] (v1.2) takes the directed graph of the k - 1 nearest
//!   others. `es_g` arcs leave the cells of g, a random end falls into h with
//!   probability `n_h / (n - 1)`, so `X_gh = (es_g n_h + es_h n_g) / (n - 1)` arcs
//!   are expected between g and h, and the connectivity is
//!   `min(1, (E_gh + E_hg) / X_gh)`.
//! * [`Model::Connectivities`] (v1.0) takes the undirected weighted graph with all
//!   weights one: `E_gh / (k sqrt(n_g n_h))`, which may exceed one.
//!
//! The tree is the minimum spanning forest of the reciprocals (Kruskal 1956), the
//! strongest way to connect everything that is connected.

use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::sparse::csr::{from_rows, row, transpose, Csr};

/// Groups per task are `groups / TASKS`, never a function of the threads.
const TASKS: usize = 64;

/// What a connection between two groups is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// v1.2: arcs of the stored distances, against random ends.
    Distances,
    /// v1.0: edges of the connectivities, against the geometric mean of the sizes.
    Connectivities,
}

/// The graph of the groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Paga {
    /// Groups x groups, symmetric, diagonal empty; only pairs with a common edge.
    pub connectivities: Csr,
    /// The spanning forest with the connectivities as values, both triangles.
    pub tree: Csr,
    /// Cells per group.
    pub sizes: Vec<usize>,
    /// Edges counted within and between groups: `arcs[(g, h)]` from g to h.
    pub arcs: Csr<u64>,
}

/// The graph of groups of a cell graph.
///
/// `graph` is cells x cells: for [`Model::Distances`] every stored entry is an arc,
/// an explicit zero (a duplicated cell) too; for [`Model::Connectivities`] it is
/// symmetric and every entry other than zero is half an edge. Self loops never
/// count. `groups` holds a number below `n_groups` per cell, `n_neighbors` the size
/// of the neighbourhood with the cell itself (used by v1.0 only). Whole numbers
/// until the last division, so the same bits on any number of threads.
/// O(edges + groups^2) time, O(cells + pairs of connected groups) memory.
///
/// # Errors
/// `shape` when sizes do not fit, `range` for a group beyond `n_groups` or a
/// neighbourhood of none, `memory`, `interrupted`.
pub fn paga(
    exec: &Exec,
    graph: &Csr,
    groups: &[u32],
    n_groups: usize,
    model: Model,
    n_neighbors: usize,
) -> Result<Paga> {
    let sizes = group_sizes(graph, groups, n_groups)?;
    let arcs = count_arcs(exec, graph, groups, &sizes, |v| {
        model == Model::Distances || v != 0.0
    })?;
    let back = transpose(exec, &arcs)?;
    let chance = match model {
        Model::Distances => Chance::random_ends(&arcs, groups.len()),
        Model::Connectivities => Chance::sizes(n_neighbors)?,
    };
    let mut rows = try_with_capacity(n_groups, "the graph of groups")?;
    let mut edges = Vec::new();
    for g in 0..n_groups {
        let pairs = pair_sums(row(&arcs, g), row(&back, g), g as u32);
        let mut out = try_with_capacity(pairs.len(), "the graph of groups")?;
        for (h, sum) in pairs {
            let value = chance.measure(&sizes, g, h as usize, sum);
            // v1.0 spans its tree over edge counts, v1.2 over connectivities.
            let rank = match model {
                Model::Distances => value,
                Model::Connectivities => sum as f64,
            };
            if g < h as usize {
                edges.push(Edge {
                    length: 1.0 / rank,
                    value,
                    ends: (g as u32, h),
                });
            }
            out.push((h, value));
        }
        rows.push(out);
    }
    Ok(Paga {
        connectivities: from_rows(n_groups, rows)?,
        tree: spanning_forest(n_groups, edges)?,
        sizes,
        arcs,
    })
}

/// How much more the velocity graph leads from one group to another than back.
///
/// Every entry of `velocity` (cells x cells) other than zero is an arc from its row
/// to its column; with `T = E - E'` the confidence of g to h is
/// `max(T_gh, 0) / (k sqrt(n_g n_h))`. Groups x groups, **transposed**: the stored
/// entry (g, h) speaks of the way from h to g. Costs and threads as [`paga`].
///
/// # Errors
/// As [`paga`].
pub fn transitions_confidence(
    exec: &Exec,
    velocity: &Csr,
    groups: &[u32],
    n_groups: usize,
    n_neighbors: usize,
) -> Result<Csr> {
    let chance = Chance::sizes(n_neighbors)?;
    let sizes = group_sizes(velocity, groups, n_groups)?;
    let arcs = count_arcs(exec, velocity, groups, &sizes, |v| v != 0.0)?;
    let back = transpose(exec, &arcs)?;
    let mut rows = try_with_capacity(n_groups, "the confidence of transitions")?;
    for to in 0..n_groups {
        // Row `to` of the transpose: arcs that arrive there from each group.
        let (from, arriving) = row(&back, to);
        let (leads, leaving) = row(&arcs, to);
        let mut out = Vec::new();
        for (&g, &come) in from.iter().zip(arriving) {
            let go = leads.binary_search(&g).map_or(0, |at| leaving[at]);
            if g as usize != to && come > go {
                // An edge counts twice in the measure, an arc of the surplus once.
                let surplus = 2 * (come - go);
                out.push((g, chance.measure(&sizes, g as usize, to, surplus)));
            }
        }
        rows.push(out);
    }
    from_rows(n_groups, rows)
}

/// Cells per group, having checked that cells and groups fit the graph.
fn group_sizes<N>(graph: &Csr<N>, groups: &[u32], n_groups: usize) -> Result<Vec<usize>> {
    for (what, found) in [("rows", graph.rows()), ("columns", graph.cols())] {
        if found != groups.len() {
            return Err(CoreError::Shape {
                what: format!("the graph, counted in {what},"),
                expected: groups.len(),
                found,
            });
        }
    }
    let mut sizes = try_filled(n_groups, 0usize, "the sizes of groups")?;
    for &g in groups {
        let Some(size) = sizes.get_mut(g as usize) else {
            return Err(CoreError::Range {
                what: "a group".into(),
                value: f64::from(g),
                allowed: format!("0 to {}", n_groups.saturating_sub(1)),
            });
        };
        *size += 1;
    }
    Ok(sizes)
}

/// `E`: arcs from each group to each, own ones on the diagonal, loops left out.
fn count_arcs(
    exec: &Exec,
    graph: &Csr,
    groups: &[u32],
    sizes: &[usize],
    counts: impl Fn(f64) -> bool + Sync,
) -> Result<Csr<u64>> {
    let n_groups = sizes.len();
    let (start, cells) = by_group(groups, sizes)?;
    exec.control().begin(n_groups);
    let parts = exec.try_map_chunks(n_groups, n_groups.div_ceil(TASKS), |range| {
        let mut count = try_filled(n_groups, 0u64, "the arcs of a group")?;
        let mut rows = try_with_capacity(range.len(), "the arcs of a group")?;
        for g in range {
            for &i in &cells[start[g]..start[g + 1]] {
                let (columns, values) = row(graph, i as usize);
                for (&j, &v) in columns.iter().zip(values) {
                    if j != i && counts(v) {
                        count[groups[j as usize] as usize] += 1;
                    }
                }
            }
            let mut out = Vec::new();
            for (h, c) in count.iter_mut().enumerate().filter(|(_, c)| **c > 0) {
                out.push((h as u32, *c));
                *c = 0;
            }
            rows.push(out);
            exec.check()?;
        }
        exec.control().tick(rows.len());
        Ok(rows)
    })?;
    from_rows(n_groups, parts.into_iter().flatten().collect())
}

/// The cells of each group in ascending order: offsets and one list.
fn by_group(groups: &[u32], sizes: &[usize]) -> Result<(Vec<usize>, Vec<u32>)> {
    let mut start = try_filled(sizes.len() + 1, 0usize, "the cells of groups")?;
    for (g, &size) in sizes.iter().enumerate() {
        start[g + 1] = start[g] + size;
    }
    let mut next = start.clone();
    let mut cells = try_filled(groups.len(), 0u32, "the cells of groups")?;
    for (i, &g) in groups.iter().enumerate() {
        cells[next[g as usize]] = i as u32;
        next[g as usize] += 1;
    }
    Ok((start, cells))
}

/// Row of `E + E'` without the diagonal: the union of two ascending rows.
fn pair_sums(a: (&[u32], &[u64]), b: (&[u32], &[u64]), own: u32) -> Vec<(u32, u64)> {
    let both = a.0.iter().zip(a.1).chain(b.0.iter().zip(b.1));
    let mut out: Vec<(u32, u64)> = both
        .filter(|(&h, _)| h != own)
        .map(|(&h, &count)| (h, count))
        .collect();
    out.sort_unstable_by_key(|&(h, _)| h);
    out.dedup_by(|later, first| {
        let same = later.0 == first.0;
        if same {
            first.1 += later.1;
        }
        same
    });
    out
}

/// What chance would give two groups, by model.
enum Chance {
    /// Arcs leaving each group, and what a random end is drawn from: n - 1 cells.
    RandomEnds { leaving: Vec<u64>, others: f64 },
    /// Neighbours per cell.
    Sizes { k: f64 },
}

impl Chance {
    fn random_ends(arcs: &Csr<u64>, n: usize) -> Chance {
        let leaving = |g| row(arcs, g).1.iter().sum();
        Chance::RandomEnds {
            leaving: (0..arcs.rows()).map(leaving).collect(),
            others: n.saturating_sub(1).max(1) as f64,
        }
    }

    fn sizes(n_neighbors: usize) -> Result<Chance> {
        if n_neighbors > 0 {
            let k = n_neighbors as f64;
            return Ok(Chance::Sizes { k });
        }
        Err(CoreError::Range {
            what: "the number of neighbours".into(),
            value: 0.0,
            allowed: "at least 1".into(),
        })
    }

    /// Strength of `sum` arcs, both directions together, between g and h.
    fn measure(&self, sizes: &[usize], g: usize, h: usize, sum: u64) -> f64 {
        let (n_g, n_h) = (sizes[g] as f64, sizes[h] as f64);
        match self {
            Chance::RandomEnds { leaving, others } => {
                let ends = leaving[g] as f64 * n_h + leaving[h] as f64 * n_g;
                // At least one arc leaves g or h, and neither is empty.
                (sum as f64 / (ends / others)).min(1.0)
            }
            // Each edge is stored twice.
            Chance::Sizes { k } => 0.5 * sum as f64 / (k * k * n_g * n_h).sqrt(),
        }
    }
}

struct Edge {
    length: f64,
    value: f64,
    ends: (u32, u32),
}

/// Kruskal's forest; ties by (length, g, h). O(E log E).
fn spanning_forest(n: usize, mut edges: Vec<Edge>) -> Result<Csr> {
    edges.sort_unstable_by(|a, b| a.length.total_cmp(&b.length).then(a.ends.cmp(&b.ends)));
    let mut parent: Vec<u32> = (0..n as u32).collect();
    let mut rows: Vec<Vec<(u32, f64)>> = vec![vec![]; n];
    for edge in edges {
        let (g, h) = edge.ends;
        let (a, b) = (root(&mut parent, g), root(&mut parent, h));
        if a != b {
            parent[a.max(b) as usize] = a.min(b);
            rows[g as usize].push((h, edge.value));
            rows[h as usize].push((g, edge.value));
        }
    }
    from_rows(n, rows)
}

fn root(parent: &mut [u32], mut i: u32) -> u32 {
    while parent[i as usize] != i {
        let up = parent[parent[i as usize] as usize];
        parent[i as usize] = up;
        i = up;
    }
    i
}

#[cfg(test)]
#[path = "paga_tests.rs"]
mod tests;
