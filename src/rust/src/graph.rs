//! Neighbour graphs.

use crate::boundary::{guard, malformed};
use crate::convert::{dense, or_null, positions, sparse_list, SparseArg, SparseSpace};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::exec::Exec;
use fatecast_core::graph::components::components;
use fatecast_core::graph::edges::{from_pairs, symmetric_pairs};
use fatecast_core::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use fatecast_core::graph::gauss::{gauss_connectivities, gauss_dense};
use fatecast_core::graph::ready::{from_arrays, from_distances};
use fatecast_core::graph::shared::{jaccard_connectivities, snn_connectivities};
use fatecast_core::graph::{neighbors, recall, Knn, Metric, Search};
use fatecast_core::sparse::csr::{to_csc_slots, CscSlots, Csr};
use fatecast_core::sparse::ops::asymmetry;
use ndarray::{ArrayView2, ShapeBuilder};

/// Values of the shared neighbour graph below it are left out, as in Seurat.
const PRUNE: f64 = 1.0 / 15.0;

/// How neighbours are weighted.
#[derive(Clone, Copy)]
enum Method {
    Umap,
    Gauss,
    Jaccard,
    Snn,
}

impl Method {
    fn new(name: &str) -> fatecast_core::Result<Method> {
        match name {
            "umap" => Ok(Method::Umap),
            "gauss" => Ok(Method::Gauss),
            "jaccard" => Ok(Method::Jaccard),
            "snn" => Ok(Method::Snn),
            _ => Err(malformed("method")),
        }
    }

    fn weigh(self, exec: &Exec, knn: &Knn) -> fatecast_core::Result<Csr> {
        match self {
            Method::Umap => fuzzy_connectivities(exec, knn, &FuzzyOptions::default()),
            Method::Gauss => gauss_connectivities(exec, knn),
            Method::Jaccard => jaccard_connectivities(exec, knn),
            Method::Snn => snn_connectivities(exec, knn, PRUNE),
        }
    }
}

/// `list(indices, distances, n_neighbors, connectivities)`, the first two n x k by
/// columns; `more` is appended.
fn neighbor_list(knn: &Knn, slots: CscSlots, more: List) -> Robj {
    let by_columns = |j: usize| (0..knn.n).map(move |i| i * knn.k + j);
    let at: Vec<usize> = (0..knn.k).flat_map(by_columns).collect();
    let indices: Vec<i32> = at.iter().map(|&a| knn.indices[a] as i32 + 1).collect();
    let distances: Vec<f64> = at.iter().map(|&a| f64::from(knn.distances[a])).collect();
    list!(
        indices = indices,
        distances = distances,
        n_neighbors = knn.k as i32 + 1,
        connectivities = sparse_list(slots, (knn.n, knn.n)),
        search = more
    )
    .into()
}

/// Neighbours in an embedding (cells x dims, by columns) and their graph. `p` is the
/// power of Minkowski's metric, `sample` the number of cells on which the recall is
/// measured (none if 0). See `neighbor_list()`; `search` holds exact,
/// distances_computed and recall.
#[extendr]
fn rs_graph_neighbors(
    x: &[f64],
    n: i32,
    d: i32,
    n_neighbors: i32,
    metric: &str,
    p: f64,
    method: &str,
    knn: bool,
    search: &str,
    seed: f64,
    sample: i32,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let x = dense(x, n, d)?;
        let metric = Metric::from_name(metric, p)?;
        let method = Method::new(method)?;
        let search = match search {
            "auto" => Search::Auto,
            "exact" => Search::Exact,
            "approximate" => Search::Approximate,
            _ => return Err(malformed("search")),
        };
        let (n_neighbors, seed) = (n_neighbors.max(0) as usize, seed as u64);
        let (found, recalled, slots) = job::run(n_threads, &progress, move |exec| {
            let found = neighbors(exec, x, n_neighbors, metric, search, seed)?;
            let recalled = match sample.max(0) as usize {
                0 => None,
                sample => Some(recall(exec, x, metric, &found.knn, sample, seed)?),
            };
            let graph = if knn {
                method.weigh(exec, &found.knn)?
            } else {
                gauss_dense(exec, x, metric, &found.knn)?
            };
            Ok((found, recalled, to_csc_slots(exec, &graph)?))
        })?;
        let more = list!(
            exact = found.exact,
            distances_computed = found.distances_computed as f64,
            recall = or_null(recalled)
        );
        Ok(neighbor_list(&found.knn, slots, more))
    })
}

/// The graph of neighbours that are given: `indices` counted from one and
/// `distances`, cells x columns. `n_neighbors` 0 takes as many as there are.
#[extendr]
fn rs_graph_ready(
    indices: &[i32],
    distances: &[f64],
    n: i32,
    columns: i32,
    n_neighbors: i32,
    method: &str,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let shape = (n.max(0) as usize, columns.max(0) as usize);
        let indices =
            ArrayView2::from_shape(shape.f(), indices).map_err(|_| malformed("indices"))?;
        let distances = dense(distances, n, columns)?;
        let method = Method::new(method)?;
        let size = usize::try_from(n_neighbors).ok().filter(|&k| k > 0);
        let (knn, slots) = job::run(n_threads, &progress, move |exec| {
            let knn = from_arrays(exec, indices, distances, 1, size)?;
            let slots = to_csc_slots(exec, &method.weigh(exec, &knn)?)?;
            Ok((knn, slots))
        })?;
        Ok(neighbor_list(&knn, slots, List::new(0)))
    })
}

/// The graph of a matrix of distances, whose stored entries count.
#[extendr]
fn rs_graph_distances(
    graph: List,
    n_neighbors: i32,
    method: &str,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let method = Method::new(method)?;
        let size = n_neighbors.max(0) as usize;
        let (knn, slots) = job::run(n_threads, &progress, move |exec| {
            let knn = from_distances(exec, &slots.by_rows(exec)?, size)?;
            let slots = to_csc_slots(exec, &method.weigh(exec, &knn)?)?;
            Ok((knn, slots))
        })?;
        Ok(neighbor_list(&knn, slots, List::new(0)))
    })
}

/// Number of connected components, directions ignored.
#[extendr]
fn rs_graph_components(graph: List) -> Robj {
    guard(|| {
        let graph = SparseArg::new(&graph)?;
        let m = graph.slots()?.columns_as_rows()?;
        Ok((components(&m).1 as f64).into())
    })
}

/// The slots of the graph of pairs of cells, counted from one.
#[extendr]
fn rs_graph_pairs(n: i32, from: &[i32], to: &[i32], x: Robj) -> Robj {
    guard(|| {
        let n = n.max(0) as usize;
        let values = x.as_real_slice().ok_or_else(|| malformed("weights"))?;
        let pairs = (n, from, to, values);
        let mut space = SparseSpace::new(n, from.len());
        let (p, rows) = space.pattern()?;
        if symmetric_pairs(&Exec::serial(), pairs, p, rows)? {
            return space.with_values(x, (n, n));
        }
        let (p, rows, values) = space.slices()?;
        let kept = from_pairs(pairs, p, rows, values)?;
        space.list(kept, (n, n))
    })
}

/// What keeps a graph from carrying a walk: `list(edges, cells, isolated)`.
#[extendr]
fn rs_graph_faults(graph: List) -> Robj {
    guard(|| {
        let found = SparseArg::new(&graph)?.slots()?.faults()?;
        Ok(list!(
            edges = found.bad_edges as f64,
            cells = positions(&found.bad_cells),
            isolated = positions(&found.isolated)
        )
        .into())
    })
}

/// Norm of the difference of a graph and its transpose.
#[extendr]
fn rs_graph_asymmetry(graph: List, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        // A matrix and its transpose differ alike.
        let norm = job::run(n_threads, &progress, move |exec| {
            if slots.is_symmetric(exec)? {
                return Ok(0.0);
            }
            asymmetry(exec, &slots.columns_as_rows()?)
        })?;
        Ok(norm.into())
    })
}

extendr_module! {
    mod graph;
    fn rs_graph_asymmetry;
    fn rs_graph_distances;
    fn rs_graph_faults;
    fn rs_graph_neighbors;
    fn rs_graph_pairs;
    fn rs_graph_ready;
    fn rs_graph_components;
}
