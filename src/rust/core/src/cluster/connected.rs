//! Communities taken apart into their connected pieces.
//!
//! A community whose cells cannot reach each other inside it is none. Splitting
//! one never lowers a quality that punishes size (gamma > 0, no negative weight),
//! since no edge is cut.

use super::adjacency::Weight;
use super::level::{compact, Level};
use crate::error::{try_with_capacity, Result};

/// Labels of the pieces, 0.., by first node; pieces of a community that hold fixed
/// nodes stay together. How many there are. O(edges).
pub(super) fn pieces<W: Weight, M>(level: &Level<W, M>, of: &[u32]) -> Result<(Vec<u32>, usize)> {
    let n = of.len();
    let mut parent = try_with_capacity(n, "the communities")?;
    parent.extend(0..n as u32);
    for v in 0..n {
        for &t in level.adjacency.row(v).0 {
            if (t as usize) < v && of[t as usize] == of[v] {
                unite(&mut parent, v as u32, t);
            }
        }
    }
    if !level.fixed.is_empty() {
        let mut holder = std::collections::BTreeMap::new();
        for v in (0..n).filter(|&v| level.fixed[v]) {
            let first = *holder.entry(of[v]).or_insert(v as u32);
            unite(&mut parent, v as u32, first);
        }
    }
    let mut labels: Vec<u32> = try_with_capacity(n, "the communities")?;
    for v in 0..n as u32 {
        labels.push(root(&mut parent, v));
    }
    let count = compact(&mut labels, n)?;
    Ok((labels, count))
}

fn unite(parent: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(parent, a), root(parent, b));
    parent[a.max(b) as usize] = a.min(b);
}

fn root(parent: &mut [u32], mut v: u32) -> u32 {
    while parent[v as usize] != v {
        let up = parent[parent[v as usize] as usize];
        parent[v as usize] = up;
        v = up;
    }
    v
}
