//! The Leiden algorithm (Traag, Waltman & Van Eck 2019; sections 2.7 to 2.10 of the
//! graph rules).
//!
//! Cells move to the neighbouring community where they raise the quality most; the
//! communities are refined into well-connected parts; the parts become the nodes
//! of a smaller graph on which the same happens again. An iteration ends when no
//! node moves, the next starts from its result, until nothing improves. Unlike
//! Louvain's, its communities are always connected inside.
//!
//! Without initial labels a rough pass comes first, see [`super::starts`].

use super::engine::Plan;
use super::labels::by_size;
use super::moving::Rules;
use super::network::{check_shape, Network};
use super::quality::{consecutive, modularity, Quality};
use super::setup::{check_length, Setup};
use super::starts::{Run, Starts};
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::sparse::csr::Csr;

/// Settings of [`leiden`].
#[derive(Debug, Clone, PartialEq)]
pub struct LeidenOptions {
    /// What to maximise.
    pub quality: Quality,
    /// Larger values give more and smaller communities; only the qualities that
    /// take one read it.
    pub resolution: f64,
    /// Whether entry (i, j) is an arc from i to j. A symmetric graph gives the same
    /// clusters either way, with the quality on the scale of the convention.
    pub directed: bool,
    /// Iterations; below zero until one brings no improvement, at most
    /// [`MOST_ITERATIONS`]. Zero judges the initial labels.
    pub n_iterations: i64,
    pub seed: u64,
    /// Independent starts, the best of which wins.
    pub n_starts: usize,
    /// Randomness of the refinement, in mean edge weights: 0 takes the best part.
    pub theta: f64,
    /// Labels to start from; single cells when absent.
    pub initial: Option<Vec<u32>>,
    /// Sizes of the cells, 1 or more, for qualities that count pairs and for the
    /// size limits.
    pub node_sizes: Option<Vec<u32>>,
    /// Cells that keep their initial label.
    pub fixed: Option<Vec<bool>>,
    /// Largest total node size of a community; 0 for no limit.
    pub max_comm_size: u64,
    /// Smaller communities are dissolved into their neighbours in the end; 0 for
    /// no limit.
    pub min_comm_size: u64,
    /// Whether a cell may join any community, not only those of its neighbours;
    /// for negative weights. O(communities) per visit.
    pub consider_all: bool,
}

impl Default for LeidenOptions {
    fn default() -> LeidenOptions {
        LeidenOptions {
            quality: Quality::RbConfiguration,
            resolution: 1.0,
            directed: false,
            n_iterations: -1,
            seed: 0,
            n_starts: 1,
            theta: 0.01,
            initial: None,
            node_sizes: None,
            fixed: None,
            max_comm_size: 0,
            min_comm_size: 0,
            consider_all: false,
        }
    }
}

/// Cap on the iterations of a run without a given number.
pub const MOST_ITERATIONS: usize = 100;

/// A gain up to this many times the rounding of the total weight is none.
const TOLERANCE: f64 = 10.0 * f64::EPSILON;
/// Cells looked at together at first; changes the time only.
const BATCH: usize = 512;

/// A clustering and how good it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    /// 0.. by decreasing size, ties by smallest member; communities with fixed
    /// cells keep their initial label, the others fill the gaps.
    pub labels: Vec<u32>,
    pub n_clusters: usize,
    /// On leidenalg's scale, in the convention of the direction asked for.
    pub quality: f64,
    /// On igraph's scale at resolution 1, see [`fn@modularity`].
    pub modularity: f64,
    pub iterations: usize,
    /// Whether the last iteration brought no improvement.
    pub converged: bool,
    /// Quality after each iteration, before small communities are dissolved.
    pub history: Vec<f64>,
}

/// Clusters a graph, n x n. O(entries) per iteration and level; memory about twice
/// the graph. The same bits on any number of threads.
///
/// # Errors
/// `shape` for a graph that is not square or arguments of another length; `range`
/// for weights that are not finite, negative weights with any quality but CPM, and
/// settings that cannot be; `memory`, `interrupted`.
pub fn leiden(exec: &Exec, graph: &Csr, options: &LeidenOptions) -> Result<Clustering> {
    optimise(exec, graph, options, true)
}

/// Leiden, or Louvain where nothing is refined.
pub(super) fn optimise(
    exec: &Exec,
    graph: &Csr,
    options: &LeidenOptions,
    refine: bool,
) -> Result<Clustering> {
    let setup = check(graph, options)?;
    let n = graph.rows();
    let network = Network::new(exec, graph, options.quality, options.directed)?;
    let plan = plan(&network, options, refine);
    let (labels, _) = match &options.initial {
        Some(initial) => consecutive(initial)?,
        None => ((0..n as u32).collect(), n),
    };
    let run = if network.has_edges {
        let magnitude = network.magnitude;
        let starts = Starts {
            exec,
            plan,
            options,
            labels,
            magnitude,
        };
        setup.dispatch(network, starts)?
    } else {
        Run {
            labels,
            quality: 0.0,
            converged: true,
            history: vec![],
        }
    };
    let (labels, n_clusters) = by_size(&run.labels, options)?;
    Ok(Clustering {
        n_clusters,
        quality: run.quality,
        modularity: modularity(exec, graph, &labels, options.directed, 1.0)?,
        iterations: run.history.len(),
        converged: run.converged,
        history: run.history,
        labels,
    })
}

fn check<'a>(graph: &Csr, options: &'a LeidenOptions) -> Result<Setup<'a>> {
    check_shape(graph)?;
    let n = graph.rows();
    let setup = Setup {
        quality: options.quality,
        resolution: options.resolution,
        node_sizes: options.node_sizes.as_deref(),
        limited: options.max_comm_size > 0 || options.min_comm_size > 0,
        fixed: options.fixed.as_deref(),
    };
    setup.check(n)?;
    if let Some(initial) = &options.initial {
        check_length("the initial labels", n, initial.len())?;
    }
    let range = |what: &str, value: f64, allowed: &str| {
        Err(CoreError::Range {
            what: what.into(),
            value,
            allowed: allowed.into(),
        })
    };
    if options.theta < 0.0 || !options.theta.is_finite() {
        return range("theta", options.theta, "0 or more");
    }
    if options.n_starts == 0 {
        return range("the number of starts", 0.0, "1 or more");
    }
    Ok(setup)
}

pub(super) fn plan(network: &Network, options: &LeidenOptions, refine: bool) -> Plan {
    let max = options.max_comm_size;
    // Communities may then gain from cells they have no edge to.
    let attracts_strangers = network.has_negative
        || options.consider_all
        || (options.quality.takes_resolution() && options.resolution < 0.0);
    Plan {
        rules: Rules {
            max_size: if max > 0 { max } else { u64::MAX },
            consider_all: options.consider_all,
            tolerance: TOLERANCE * network.magnitude,
            batch: BATCH,
        },
        pair_scale: network.pair_scale,
        refine,
        temperature: options.theta * network.mean_weight,
        split: refine && !attracts_strangers,
        visits: u64::MAX,
    }
}
