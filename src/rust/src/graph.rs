//! Neighbour graphs.

use crate::boundary::{guard, malformed};
use crate::convert::{dense, sparse_list, SparseArg};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::exec::Exec;
use fatecast_core::graph::components::components;
use fatecast_core::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use fatecast_core::graph::knn::{exact, Metric};
use fatecast_core::sparse::csr::to_csc_slots;
use fatecast_core::sparse::ops::asymmetry;

/// Exact neighbours of an embedding (cells x dims, by columns) and their fuzzy
/// graph: `list(indices, distances, connectivities)`, the first two by columns.
#[extendr]
fn rs_graph_neighbors(
    x: &[f64],
    n: i32,
    d: i32,
    n_neighbors: i32,
    metric: &str,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let x = dense(x, n, d)?;
        let metric = match metric {
            "euclidean" => Metric::Euclidean,
            "cosine" => Metric::Cosine,
            "correlation" => Metric::Correlation,
            "manhattan" => Metric::Manhattan,
            _ => return Err(malformed("metric")),
        };
        let (knn, slots) = job::run(n_threads, &progress, move |exec| {
            let knn = exact(exec, x, n_neighbors.max(0) as usize, metric)?;
            let graph = fuzzy_connectivities(exec, &knn, &FuzzyOptions::default())?;
            let slots = to_csc_slots(exec, &graph)?;
            Ok((knn, slots))
        })?;
        let by_columns = |j: usize| (0..knn.n).map(move |i| i * knn.k + j);
        let at: Vec<usize> = (0..knn.k).flat_map(by_columns).collect();
        let indices: Vec<i32> = at.iter().map(|&a| knn.indices[a] as i32 + 1).collect();
        let distances: Vec<f64> = at.iter().map(|&a| f64::from(knn.distances[a])).collect();
        Ok(list!(
            indices = indices,
            distances = distances,
            connectivities = sparse_list(slots, (knn.n, knn.n))
        )
        .into())
    })
}

/// Number of connected components, directions ignored.
#[extendr]
fn rs_graph_components(graph: List) -> Robj {
    guard(|| {
        let graph = SparseArg::new(&graph)?;
        let m = graph.slots()?.by_rows(&Exec::serial())?;
        Ok((components(&m).1 as f64).into())
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
            asymmetry(exec, &slots.columns_as_rows()?)
        })?;
        Ok(norm.into())
    })
}

extendr_module! {
    mod graph;
    fn rs_graph_asymmetry;
    fn rs_graph_neighbors;
    fn rs_graph_components;
}
