//! Drawings of a tree of groups that hangs from its root.
//!
//! [`tidy`] follows Reingold & Tilford (1981): a parent stands centred over its
//! children, subtrees are drawn alike wherever they hang, and neighbours on a level
//! keep a distance of at least one. For more than two children the left-to-right
//! packing of the paper would crowd small subtrees to the left, so offsets are the
//! mean of that packing and its mirror image; both keep all distances, hence the mean
//! does, and a mirrored tree gets a mirrored drawing. [`equal`] only spreads each
//! level evenly.

use super::layout::Network;
use crate::error::{try_filled, CoreError, Result};
use crate::math;
use ndarray::Array2;

const NONE: usize = usize::MAX;

/// A forest hung from roots, nodes in depth-first order.
struct Hanging {
    /// Parents come before children, children of a node in ascending order.
    order: Vec<usize>,
    parent: Vec<usize>,
    depth: Vec<usize>,
    roots: Vec<usize>,
}

/// Hangs the forest from `root`, and every piece that does not hold it from its node
/// of most edges (ties: the first). O(nodes log nodes).
fn hang(network: &Network, root: usize) -> Result<Hanging> {
    let n = network.nodes;
    let mut near: Vec<Vec<usize>> = try_filled(n, vec![], "a tree")?;
    for &(g, h, _) in &network.edges {
        near[g].push(h);
        near[h].push(g);
    }
    for list in &mut near {
        // Popped from the end, hence visited in ascending order.
        list.sort_unstable_by(|a, b| b.cmp(a));
    }
    let mut tops: Vec<usize> = (0..n).collect();
    tops.sort_by_key(|&g| (g != root, usize::MAX - near[g].len()));
    let mut out = Hanging {
        order: vec![],
        parent: try_filled(n, NONE, "a tree")?,
        depth: try_filled(n, NONE, "a tree")?,
        roots: vec![],
    };
    for top in tops {
        if out.depth[top] != NONE {
            continue;
        }
        out.roots.push(top);
        out.depth[top] = 0;
        let mut stack = vec![top];
        while let Some(g) = stack.pop() {
            out.order.push(g);
            for &h in &near[g] {
                if out.depth[h] == NONE {
                    out.depth[h] = out.depth[g] + 1;
                    out.parent[h] = g;
                    stack.push(h);
                }
            }
        }
    }
    out.roots.sort_unstable();
    Ok(out)
}

/// Level by level, the q-th visited of t nodes at x = (q + 0.5) / t; y falls by one
/// over the number of levels per level, from 0. y upward.
///
/// # Errors
/// `disconnected` for a forest of several trees.
pub(super) fn equal(network: &Network, root: usize) -> Result<Array2<f64>> {
    let tree = hang(network, root)?;
    if tree.roots.len() > 1 {
        return Err(CoreError::Disconnected {
            components: tree.roots.len(),
        });
    }
    let levels = tree.depth.iter().max().map_or(1, |d| d + 1);
    let mut total = vec![0usize; levels];
    for &d in &tree.depth {
        total[d] += 1;
    }
    let mut seen = vec![0usize; levels];
    let mut out = Array2::zeros((network.nodes, 2));
    for &g in &tree.order {
        let d = tree.depth[g];
        out[[g, 0]] = (seen[d] as f64 + 0.5) / total[d] as f64;
        out[[g, 1]] = 0.0 - d as f64 / levels as f64;
        seen[d] += 1;
    }
    Ok(out)
}

/// Leftmost and rightmost node on each level of a subtree, relative to its top.
type Contour = Vec<(f64, f64)>;

/// The tidy drawing, y downward: the depth, or polar with the depth as radius. Trees
/// of a forest stand side by side, and around an empty centre. O(nodes * levels).
///
/// # Errors
/// `memory`.
pub(super) fn tidy(network: &Network, root: usize, circular: bool) -> Result<Array2<f64>> {
    let n = network.nodes;
    let tree = hang(network, root)?;
    let mut children: Vec<Vec<usize>> = try_filled(n, vec![], "a tree")?;
    for &g in &tree.order {
        if tree.parent[g] != NONE {
            children[tree.parent[g]].push(g);
        }
    }
    let mut contours: Vec<Contour> = try_filled(n, vec![], "a tree")?;
    let mut offset = try_filled(n, 0.0, "a tree")?;
    for &g in tree.order.iter().rev() {
        contours[g] = join(&children[g], &mut contours, &mut offset);
    }
    // The roots hang from a point that is not drawn.
    join(&tree.roots, &mut contours, &mut offset);
    let mut x = try_filled(n, 0.0, "a tree")?;
    for &g in &tree.order {
        x[g] = offset[g]
            + if tree.parent[g] == NONE {
                0.0
            } else {
                x[tree.parent[g]]
            };
    }
    if !circular {
        return Ok(Array2::from_shape_fn((n, 2), |(g, j)| {
            if j == 0 {
                x[g]
            } else {
                tree.depth[g] as f64
            }
        }));
    }
    let low = x.iter().copied().fold(f64::INFINITY, f64::min);
    let high = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let empty = usize::from(tree.roots.len() > 1);
    Ok(Array2::from_shape_fn((n, 2), |(g, j)| {
        // One unit stays free between the last node and the first.
        let angle = 2.0 * std::f64::consts::PI * (x[g] - low) / (high - low + 1.0);
        let radius = (tree.depth[g] + empty) as f64;
        radius
            * if j == 0 {
                math::cos(angle)
            } else {
                math::sin(angle)
            }
    }))
}

/// Places the drawn subtrees of `children` side by side and their parent over the
/// middle; returns the contour of the whole.
fn join(children: &[usize], contours: &mut [Contour], offset: &mut [f64]) -> Contour {
    let mut whole = vec![(0.0, 0.0)];
    let (Some(&first), Some(&last)) = (children.first(), children.last()) else {
        return whole;
    };
    let from_left = pack(children, contours, false);
    let from_right = pack(children, contours, true);
    for (k, &g) in children.iter().enumerate() {
        offset[g] = (from_left[k] + from_right[k]) / 2.0;
    }
    let centre = (offset[first] + offset[last]) / 2.0;
    for &g in children {
        offset[g] -= centre;
        for (d, (low, high)) in std::mem::take(&mut contours[g]).into_iter().enumerate() {
            let (low, high) = (low + offset[g], high + offset[g]);
            match whole.get_mut(d + 1) {
                Some(level) => *level = (level.0.min(low), level.1.max(high)),
                None => whole.push((low, high)),
            }
        }
    }
    whole
}

/// Offsets of the subtrees, each as close to the ones before as a distance of one on
/// every level allows; from the right with `mirrored`.
fn pack(children: &[usize], contours: &[Contour], mirrored: bool) -> Vec<f64> {
    let mut offsets = vec![0.0; children.len()];
    let mut edge: Vec<f64> = vec![];
    let sides = |&(low, high): &(f64, f64)| if mirrored { (-high, -low) } else { (low, high) };
    for step in 0..children.len() {
        let k = if mirrored {
            children.len() - 1 - step
        } else {
            step
        };
        let contour = &contours[children[k]];
        let at = contour
            .iter()
            .zip(&edge)
            .map(|(level, edge)| edge + 1.0 - sides(level).0)
            .fold(f64::NEG_INFINITY, f64::max);
        let at = if step == 0 { 0.0 } else { at };
        for (d, level) in contour.iter().enumerate() {
            let high = at + sides(level).1;
            match edge.get_mut(d) {
                Some(e) => *e = e.max(high),
                None => edge.push(high),
            }
        }
        offsets[k] = if mirrored { -at } else { at };
    }
    offsets
}
