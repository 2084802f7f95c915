//! Graphs of groups, their layout, and pseudotime.

use crate::boundary::{guard, malformed};
use crate::convert::{by_columns, dense, flags, or_null, positions, sparse_list, Slots, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::embed::dpt::{
    pseudotime, residual, stationary_root, Basis, Diffusion, Spectrum,
};
use fatecast_core::embed::dpt_branching::{branchings, Branching, BranchingOptions};
use fatecast_core::embed::dpt_root::{root_of_cluster, root_of_component, End};
use fatecast_core::embed::layout::{layout, Layout, LayoutOptions};
use fatecast_core::embed::paga::{paga, transitions_confidence, Model};
use fatecast_core::exec::Exec;
use fatecast_core::graph::components::components;
use fatecast_core::sparse::csr::{to_csc_slots, CscSlots, Csr};
use fatecast_core::Result;
use ndarray::ArrayView2;

fn codes(groups: &[i32]) -> Vec<u32> {
    // R's factor codes; a missing one is beyond every group and refused.
    groups.iter().map(|&g| g.wrapping_sub(1) as u32).collect()
}

fn squared(slots: CscSlots) -> Robj {
    let n = slots.p.len().saturating_sub(1);
    sparse_list(slots, (n, n))
}

/// The graph of groups (factor codes) of a cells x cells graph:
/// `list(connectivities, connectivities_tree, sizes)`.
#[extendr]
fn rs_paga(
    graph: List,
    groups: &[i32],
    n_groups: i32,
    model: &str,
    n_neighbors: i32,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let model = match model {
            "v1.2" => Model::Distances,
            "v1.0" => Model::Connectivities,
            _ => return Err(malformed("model")),
        };
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let groups = codes(groups);
        let (n_groups, k) = (n_groups.max(0) as usize, n_neighbors.max(0) as usize);
        let (connectivities, tree, sizes) = job::run(n_threads, &progress, move |exec| {
            let out = paga(exec, &slots.by_rows(exec)?, &groups, n_groups, model, k)?;
            let connectivities = to_csc_slots(exec, &out.connectivities)?;
            let tree = to_csc_slots(exec, &out.tree)?;
            Ok((connectivities, tree, out.sizes))
        })?;
        let sizes: Vec<i32> = sizes.iter().map(|&s| s as i32).collect();
        Ok(list!(
            connectivities = squared(connectivities),
            connectivities_tree = squared(tree),
            sizes = sizes
        )
        .into())
    })
}

/// Confidence of transitions between groups by a velocity graph; entry (g, h) speaks
/// of the way from h to g.
#[extendr]
fn rs_paga_transitions(
    velocity: List,
    groups: &[i32],
    n_groups: i32,
    n_neighbors: i32,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let velocity = SparseArg::new(&velocity)?;
        let slots = velocity.slots()?;
        let groups = codes(groups);
        let (n_groups, k) = (n_groups.max(0) as usize, n_neighbors.max(0) as usize);
        let out = job::run(n_threads, &progress, move |exec| {
            let graph = slots.by_rows(exec)?;
            to_csc_slots(
                exec,
                &transitions_confidence(exec, &graph, &groups, n_groups, k)?,
            )
        })?;
        Ok(squared(out))
    })
}

/// Positions of groups (groups x 2 by columns). `settings` holds layout, threshold,
/// root (from zero), seed and iterations; `init` is NULL or groups x 2 by columns.
#[extendr]
fn rs_paga_layout(
    connectivities: List,
    tree: List,
    settings: List,
    init: Robj,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let (graph, tree) = (SparseArg::new(&connectivities)?, SparseArg::new(&tree)?);
        let (graph, tree) = (graph.slots()?, tree.slots()?);
        let settings = Options::new(&settings);
        let init = match init.as_real_slice() {
            Some(values) => Some(dense(values, graph.shape.0 as i32, 2)?.to_owned()),
            None => None,
        };
        let options = LayoutOptions {
            layout: match settings.text("layout")? {
                "fr" => Layout::FruchtermanReingold,
                "fa" => Layout::ForceAtlas2,
                "rt" => Layout::ReingoldTilford,
                "rt_circular" => Layout::ReingoldTilfordCircular,
                "eq_tree" => Layout::EqualTree,
                "circle" => Layout::Circle,
                _ => return Err(malformed("layout")),
            },
            threshold: settings.number("threshold")?,
            root: settings.count("root")?,
            init,
            seed: settings.seed()?,
            iterations: settings.count("iterations")?,
        };
        let positions = job::run(n_threads, &progress, move |exec| {
            // Symmetric, so that columns are rows.
            let (graph, tree) = (graph.columns_as_rows()?, tree.columns_as_rows()?);
            layout(exec, &graph, &tree, &options)
        })?;
        Ok(by_columns(&positions).into())
    })
}

/// What pseudotime needs of a graph beside the stored eigenpairs.
struct Map {
    graph: Csr,
    z: Vec<f64>,
    components: Vec<u32>,
    pieces: usize,
}

impl Map {
    /// The graph is symmetric, so that columns are rows.
    fn new(exec: &Exec, graph: Slots<'_>) -> Result<Map> {
        let graph = graph.columns_as_rows()?;
        let (components, pieces) = components(&graph);
        Ok(Map {
            z: stationary_root(exec, &graph)?,
            graph,
            components,
            pieces,
        })
    }

    fn spectrum<'a>(&'a self, values: &'a [f64], vectors: &'a ArrayView2<'_, f64>) -> Spectrum<'a> {
        Spectrum {
            values,
            vectors: vectors.view(),
            z: &self.z,
            components: &self.components,
        }
    }
}

/// The cell (from one) at the end of a diffusion component or of a cluster.
/// `settings` holds component (from zero) and end; `cluster` is NULL or a logical
/// per cell.
#[extendr]
fn rs_dpt_root(
    graph: List,
    values: &[f64],
    vectors: &[f64],
    settings: List,
    cluster: Robj,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let vectors = dense(vectors, slots.shape.0 as i32, values.len() as i32)?;
        let settings = Options::new(&settings);
        let component = settings.count("component")?;
        let end = match settings.text("end")? {
            "min" => End::Min,
            "max" => End::Max,
            _ => return Err(malformed("end")),
        };
        let cluster = flags(&cluster);
        let root = job::run(n_threads, &progress, move |exec| {
            let map = Map::new(exec, slots)?;
            let spectrum = map.spectrum(values, &vectors);
            match cluster {
                Some(cluster) => root_of_cluster(&spectrum, &cluster),
                None => root_of_component(&spectrum, component, end),
            }
        })?;
        Ok((root as f64 + 1.0).into())
    })
}

/// Pseudotime from a root (from one; NULL for none) and branchings; `settings` holds
/// n_dcs, basis, n_branchings, min_group_size, allow_shift and limit (or NULL).
#[extendr]
fn rs_dpt(
    graph: List,
    values: &[f64],
    vectors: &[f64],
    root: Robj,
    settings: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let vectors = dense(vectors, slots.shape.0 as i32, values.len() as i32)?;
        let settings = Options::new(&settings);
        let basis = match settings.text("basis")? {
            "symmetric" => Basis::Symmetric,
            "right" => Basis::Right,
            _ => return Err(malformed("basis")),
        };
        let n_dcs = settings.count("n_dcs")?;
        let options = BranchingOptions {
            n_branchings: settings.count("n_branchings")?,
            min_group_size: settings.count("min_group_size")?,
            allow_shift: settings.flag("allow_shift")?,
            limit: settings.maybe("limit")?.map(|limit| limit as usize),
        };
        let root = match (root.as_real(), root.as_integer()) {
            (Some(root), _) => Some(root as usize - 1),
            (None, Some(root)) => Some(root as usize - 1),
            (None, None) => None,
        };
        let (time, split, pieces, residual) = job::run(n_threads, &progress, move |exec| {
            let map = Map::new(exec, slots)?;
            let spectrum = map.spectrum(values, &vectors);
            let diffusion = Diffusion::new(&spectrum, n_dcs, basis)?;
            let residual = residual(exec, &map.graph, &spectrum, n_dcs)?;
            let time = match root {
                Some(root) => Some(pseudotime(exec, &diffusion, root)?),
                None => None,
            };
            let along = time.as_ref().map(|t| t.values.as_slice());
            let split = match options.n_branchings {
                0 => None,
                _ => Some(branchings(exec, &diffusion, root, along, &options)?),
            };
            Ok((time, split, map.pieces, residual))
        })?;
        let unreachable = time.as_ref().map_or(0, |t| t.unreachable);
        Ok(list!(
            pseudotime = or_null(time.map(|t| t.values)),
            unreachable = unreachable as f64,
            components = pieces as f64,
            residual = residual,
            branching = split.map_or_else(|| r!(NULL), branching_list)
        )
        .into())
    })
}

/// Groups as codes from zero (NA where unreachable); cells and ranks from one; tips
/// groups x 2 by columns.
fn branching_list(b: Branching) -> Robj {
    let groups: Vec<Option<i32>> = b.groups.iter().map(|g| g.map(|g| g as i32)).collect();
    let tips: Vec<usize> = [0, 1]
        .iter()
        .flat_map(|&t| b.tips.iter().map(move |tips| tips[t]))
        .collect();
    list!(
        groups = groups,
        order = positions(&b.order),
        changepoints = positions(&b.changepoints),
        tips = positions(&tips),
        undecided = b.undecided,
        unclaimed = b.unclaimed as f64,
        shifted = b.shifted as f64,
        found = b.found as f64
    )
    .into()
}

extendr_module! {
    mod trajectory;
    fn rs_paga;
    fn rs_paga_transitions;
    fn rs_paga_layout;
    fn rs_dpt_root;
    fn rs_dpt;
}
