//! The main job on simulated cells, for the tests of the public interface.

// clippy.toml lets only #[test] functions unwrap, not what they share.
#![allow(clippy::unwrap_used)]

use fatecast_core::chain::absorption::{fate_probabilities, FateOptions, Fates};
use fatecast_core::chain::gpcca::{schur_basis, SchurBasis, SchurMethod};
use fatecast_core::chain::macrostates::{macrostates, Macrostates};
use fatecast_core::chain::rotation::Optimizer;
use fatecast_core::embed::pca::{pca_sparse, PcaOptions};
use fatecast_core::exec::Exec;
use fatecast_core::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use fatecast_core::graph::knn::{exact, Metric};
use fatecast_core::kernel::combine::weighted;
use fatecast_core::kernel::connectivity::connectivity_transition;
use fatecast_core::kernel::velocity::{velocity_transition, VelocityInput, VelocityOptions};
use fatecast_core::linalg::reorder::Which;
use fatecast_core::simulate::{simulate, Simulation, SimulationOptions};
use fatecast_core::sparse::Csr;

/// Everything the job computes.
pub struct Job {
    pub graph: Csr,
    pub chain: Csr,
    pub schur: SchurBasis,
    pub states: Macrostates,
    pub fates: Fates,
}

pub fn cells() -> Simulation {
    let options = SimulationOptions {
        n_cells: 700,
        n_genes: 150,
        seed: 3,
        ..SimulationOptions::default()
    };
    simulate(&Exec::serial(), &options).unwrap()
}

pub fn job(threads: usize) -> Job {
    let exec = Exec::with_threads(threads).unwrap();
    let sim = cells();
    let options = PcaOptions {
        n_components: 15,
        ..PcaOptions::default()
    };
    let pca = pca_sparse(&exec, &sim.counts, &options).unwrap();
    let knn = exact(&exec, pca.scores.view(), 20, Metric::Euclidean).unwrap();
    let graph = fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap();
    let (x, v) = (sim.expression.unwrap(), sim.velocity.unwrap());
    let input = VelocityInput {
        graph: &graph,
        x: x.view(),
        v: v.view(),
        features: None,
    };
    let options = VelocityOptions::default();
    let velocity = velocity_transition(&exec, &input, &options).unwrap();
    let similar = connectivity_transition(&exec, &graph, true).unwrap();
    let chain = weighted(&exec, &[(0.8, &velocity.matrix), (0.2, &similar)]).unwrap();
    let which = Which::LargestReal;
    let schur = schur_basis(&exec, &chain, 12, which, SchurMethod::Krylov).unwrap();
    let m = 4;
    let first = schur.vectors.slice(ndarray::s![.., ..m]);
    let states = macrostates(&exec, &chain, first, Optimizer::Auto, Some(20)).unwrap();
    let labels = &states.assignment.labels;
    let fates = fate_probabilities(&exec, &chain, labels, m, &FateOptions::default()).unwrap();
    Job {
        graph,
        chain,
        schur,
        states,
        fates,
    }
}
