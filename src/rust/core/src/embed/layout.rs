//! Where to draw the groups of a graph.
//!
//! A graph of groups has tens of nodes, so each drawing may look at all pairs:
//! springs and charges ([`Layout::FruchtermanReingold`], [`Layout::ForceAtlas2`])
//! show which groups lie close together, trees hung from a root
//! ([`Layout::ReingoldTilford`] and its circular form, [`Layout::EqualTree`]) show an
//! order, and the circle shows every edge. The methods stand in
//! [`super::layout_force`] and [`super::layout_tree`]; start positions and jitter
//! come from one seed, so a drawing can be made again.

use super::{layout_force, layout_tree};
use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::math;
use crate::rng::Stream;
use crate::sparse::csr::{row, Csr};
use ndarray::Array2;

/// Purpose of the random draws of a layout.
const PURPOSE: u64 = 0x6C61_796F;

/// How nodes find their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Springs and charges, cooled down (Fruchterman & Reingold 1991).
    FruchtermanReingold,
    /// Springs and charges with gravity (Jacomy et al. 2014).
    ForceAtlas2,
    /// The tidy drawing of the tree (Reingold & Tilford 1981), root on top.
    ReingoldTilford,
    /// The same around the root.
    ReingoldTilfordCircular,
    /// The tree with evenly spaced nodes on every level.
    EqualTree,
    /// On a circle, in order.
    Circle,
}

/// What a drawing needs besides the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct LayoutOptions {
    /// The method.
    pub layout: Layout,
    /// Weaker edges do not attract; 0 keeps all. The tree is never thinned.
    pub threshold: f64,
    /// Root of the trees.
    pub root: usize,
    /// Start of the force-directed methods, groups x 2; None draws from the unit
    /// square.
    pub init: Option<Array2<f64>>,
    /// Seed of start and jitter.
    pub seed: u64,
    /// Steps of the force-directed methods.
    pub iterations: usize,
}

impl Default for LayoutOptions {
    fn default() -> LayoutOptions {
        LayoutOptions {
            layout: Layout::FruchtermanReingold,
            threshold: 0.01,
            root: 0,
            init: None,
            seed: 0,
            iterations: 500,
        }
    }
}

/// Nodes, and edges as (g, h, weight) with g < h.
pub(super) struct Network {
    pub nodes: usize,
    pub edges: Vec<(usize, usize, f64)>,
}

impl Network {
    /// The edges above the diagonal that are positive and not below `threshold`.
    fn new(graph: &Csr, threshold: f64) -> Result<Network> {
        let mut edges = try_with_capacity(graph.nnz() / 2 + 1, "the edges of a layout")?;
        for g in 0..graph.rows() {
            let (columns, values) = row(graph, g);
            for (&h, &v) in columns.iter().zip(values) {
                if h as usize > g && v > 0.0 && v >= threshold {
                    edges.push((g, h as usize, v));
                }
            }
        }
        Ok(Network {
            nodes: graph.rows(),
            edges,
        })
    }
}

/// Positions of the groups, groups x 2, y upward.
///
/// `connectivities` and `tree` are groups x groups and symmetric (only their upper
/// triangles are read). Trees use `tree`, the others `connectivities`. A single
/// group lies at (0.5, 0.5). Serial, hence the same on any number of threads; a
/// step costs O(groups^2), a tree at most that in all.
///
/// # Errors
/// `shape` when matrices or start do not fit, `range` for a root beyond the groups
/// or a threshold that is no number, `disconnected` for [`Layout::EqualTree`] of a
/// forest, `interrupted`.
pub fn layout(
    exec: &Exec,
    connectivities: &Csr,
    tree: &Csr,
    options: &LayoutOptions,
) -> Result<Array2<f64>> {
    let n = connectivities.rows();
    check(connectivities, tree, options)?;
    if n <= 1 {
        return Ok(Array2::from_elem((n, 2), 0.5));
    }
    let network = Network::new(connectivities, options.threshold)?;
    let spanning = Network::new(tree, 0.0)?;
    let mut draws = Stream::new(options.seed, PURPOSE, n as u64, 0);
    let mut positions = match options.layout {
        Layout::Circle => circle(n),
        Layout::EqualTree => return layout_tree::equal(&spanning, options.root),
        Layout::ReingoldTilford => layout_tree::tidy(&spanning, options.root, false)?,
        Layout::ReingoldTilfordCircular => layout_tree::tidy(&spanning, options.root, true)?,
        Layout::FruchtermanReingold | Layout::ForceAtlas2 => {
            let start = start(n, options, &mut draws);
            let run = match options.layout {
                Layout::ForceAtlas2 => layout_force::force_atlas,
                _ => layout_force::fruchterman_reingold,
            };
            run(exec, &network, start, options.iterations, &mut draws)?
        }
    };
    // The methods count y downward, as a page does.
    positions.column_mut(1).mapv_inplace(|y| 0.0 - y);
    Ok(positions)
}

fn check(connectivities: &Csr, tree: &Csr, options: &LayoutOptions) -> Result<()> {
    let n = connectivities.rows();
    let start = options.init.as_ref().map_or((n, 2), Array2::dim);
    for (what, found, expected) in [
        ("the connectivities of groups", connectivities.cols(), n),
        ("the tree of groups", tree.rows(), n),
        ("the tree of groups", tree.cols(), n),
        ("the start of the layout", start.0, n),
        ("the coordinates of the start", start.1, 2),
    ] {
        if found != expected {
            return Err(CoreError::Shape {
                what: what.into(),
                expected,
                found,
            });
        }
    }
    if let Some(init) = &options.init {
        let count = init.iter().filter(|v| !v.is_finite()).count();
        if count > 0 {
            return Err(CoreError::NotFinite {
                what: "the start of the layout".into(),
                count,
                cells: vec![],
            });
        }
    }
    let range = |what: &str, value, allowed| {
        let what = what.into();
        Err(CoreError::Range {
            what,
            value,
            allowed,
        })
    };
    if options.threshold.is_nan() {
        return range("the threshold", f64::NAN, "a number".into());
    }
    if options.root >= n.max(1) {
        let allowed = format!("0 to {}", n.saturating_sub(1));
        return range("the root", options.root as f64, allowed);
    }
    Ok(())
}

/// The start given, or uniform on the unit square.
fn start(n: usize, options: &LayoutOptions, draws: &mut Stream) -> Array2<f64> {
    match &options.init {
        Some(init) => init.clone(),
        None => Array2::from_shape_simple_fn((n, 2), || draws.uniform()),
    }
}

fn circle(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, 2), |(i, j)| {
        let angle = 2.0 * std::f64::consts::PI * i as f64 / n as f64;
        if j == 0 {
            math::cos(angle)
        } else {
            math::sin(angle)
        }
    })
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
