//! The Louvain algorithm (Blondel, Guillaume, Lambiotte & Lefebvre 2008; section
//! 2.15 of the graph rules).
//!
//! As Leiden, but communities are aggregated whole, without refinement: simpler
//! and older, with no promise that a community is connected inside.

use super::leiden::{optimise, Clustering, LeidenOptions};
use crate::error::Result;
use crate::exec::Exec;
use crate::sparse::csr::Csr;

/// Clusters a graph, n x n: moves and aggregations until nothing moves, once.
/// Iterations and `theta` of the settings mean nothing here.
/// O(entries) per level. The same bits on any number of threads.
///
/// # Errors
/// As [`super::leiden()`].
pub fn louvain(exec: &Exec, graph: &Csr, options: &LeidenOptions) -> Result<Clustering> {
    let once = LeidenOptions {
        n_iterations: 1,
        theta: 0.0,
        ..options.clone()
    };
    let mut clustering = optimise(exec, graph, &once, false)?;
    // It stops because nothing moves any more.
    clustering.converged = true;
    Ok(clustering)
}
