//! The Louvain algorithm (Blondel, Guillaume, Lambiotte & Lefebvre 2008; section
//! 2.15 of the graph rules).
//!
//! As Leiden, but communities are aggregated whole, without refinement: simpler
//! and older, with no promise that a community is connected inside.

use super::leiden::{optimise, Clustering, LeidenOptions};
use super::quality::Quality;
use crate::error::Result;
use crate::exec::Exec;
use crate::sparse::csr::Csr;

/// Settings of [`louvain`]; as those of the same name of [`LeidenOptions`].
#[derive(Debug, Clone, PartialEq)]
pub struct LouvainOptions {
    pub quality: Quality,
    pub resolution: f64,
    pub directed: bool,
    pub seed: u64,
    pub n_starts: usize,
    pub initial: Option<Vec<u32>>,
    pub node_sizes: Option<Vec<u32>>,
    pub fixed: Option<Vec<bool>>,
    pub max_comm_size: u64,
    pub min_comm_size: u64,
    pub consider_all: bool,
}

impl Default for LouvainOptions {
    fn default() -> LouvainOptions {
        let leiden = LeidenOptions::default();
        LouvainOptions {
            quality: leiden.quality,
            resolution: leiden.resolution,
            directed: leiden.directed,
            seed: leiden.seed,
            n_starts: leiden.n_starts,
            initial: leiden.initial,
            node_sizes: leiden.node_sizes,
            fixed: leiden.fixed,
            max_comm_size: leiden.max_comm_size,
            min_comm_size: leiden.min_comm_size,
            consider_all: leiden.consider_all,
        }
    }
}

/// Clusters a graph, n x n: moves and aggregations until nothing moves, once.
/// O(entries) per level. The same bits on any number of threads.
///
/// # Errors
/// As [`super::leiden()`].
pub fn louvain(exec: &Exec, graph: &Csr, options: &LouvainOptions) -> Result<Clustering> {
    let o = options.clone();
    let leiden = LeidenOptions {
        quality: o.quality,
        resolution: o.resolution,
        directed: o.directed,
        n_iterations: 1,
        seed: o.seed,
        n_starts: o.n_starts,
        theta: 0.0,
        initial: o.initial,
        node_sizes: o.node_sizes,
        fixed: o.fixed,
        max_comm_size: o.max_comm_size,
        min_comm_size: o.min_comm_size,
        consider_all: o.consider_all,
    };
    let mut clustering = optimise(exec, graph, &leiden, false)?;
    // It stops because nothing moves any more.
    clustering.converged = true;
    Ok(clustering)
}
