//! A graph with node masses, and a partition of its nodes.

use super::adjacency::{Adjacency, Weight, ROWS};
use super::objective::Objective;
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::{split_at_bounds, Exec};

/// The community of a node that has none.
pub(super) const NONE: u32 = u32::MAX;

/// One level of the optimisation: the cells themselves, or an aggregate of them.
#[derive(Debug)]
pub(super) struct Level<W, M> {
    pub adjacency: Adjacency<W>,
    pub mass: Vec<M>,
    /// Total node sizes; empty when no size limit asks for them.
    pub sizes: Vec<u64>,
    /// Nodes that may not move; empty when all may.
    pub fixed: Vec<bool>,
}

impl<W: Weight, M> Level<W, M> {
    pub fn len(&self) -> usize {
        self.mass.len()
    }

    /// The same with node `order[i]` in place i. O(edges).
    pub fn permuted(&self, exec: &Exec, order: &[u32]) -> Result<Level<W, M>>
    where
        M: Copy,
    {
        let n = self.len();
        let old = &self.adjacency;
        let mut place = try_filled(n, 0u32, "the order of the cells")?;
        let mut offsets = try_with_capacity(n + 1, "the edges")?;
        offsets.push(0);
        let mut end = 0;
        for (i, &v) in order.iter().enumerate() {
            place[v as usize] = i as u32;
            end += old.row(v as usize).0.len();
            offsets.push(end);
        }
        let mut targets = try_filled(end, 0u32, "the edges")?;
        let mut weights = try_filled(end, W::default(), "the edge weights")?;
        let cuts: Vec<usize> = (0..=n.div_ceil(ROWS))
            .map(|c| offsets[(c * ROWS).min(n)])
            .collect();
        let tasks = split_at_bounds(&mut targets, &cuts)
            .into_iter()
            .zip(split_at_bounds(&mut weights, &cuts))
            .zip(order.chunks(ROWS))
            .collect();
        exec.for_each(tasks, |((targets, weights), nodes)| {
            let mut at = 0;
            for &v in nodes {
                let (t, w) = old.row(v as usize);
                for (out, &t) in targets[at..].iter_mut().zip(t) {
                    *out = place[t as usize];
                }
                weights[at..at + w.len()].copy_from_slice(w);
                at += w.len();
            }
            Ok(())
        })?;
        Ok(Level {
            adjacency: Adjacency {
                offsets,
                targets,
                weights,
                loops: picked(&old.loops, order),
                sums: picked(&old.sums, order),
            },
            mass: picked(&self.mass, order),
            sizes: picked(&self.sizes, order),
            fixed: picked(&self.fixed, order),
        })
    }

    #[inline(always)]
    pub fn is_fixed(&self, v: usize) -> bool {
        !self.fixed.is_empty() && self.fixed[v]
    }
}

/// `values` in another order; nothing of nothing.
fn picked<T: Copy>(values: &[T], order: &[u32]) -> Vec<T> {
    if values.is_empty() {
        return vec![];
    }
    order.iter().map(|&v| values[v as usize]).collect()
}

/// Communities of the nodes of a level, with their totals. Ids are below the
/// number of nodes; those without members wait in `free`.
#[derive(Debug)]
pub(super) struct Partition<M> {
    pub of: Vec<u32>,
    pub mass: Vec<M>,
    pub members: Vec<u32>,
    /// Total node size per community; empty when no size limit asks for it.
    pub sizes: Vec<u64>,
    pub free: Vec<u32>,
    /// Weight from each node to its community, kept while nodes move; NaN for nodes
    /// never looked at. Empty when nobody asks for it.
    pub held: Vec<f64>,
}

impl<M: Copy + Default> Partition<M> {
    /// The partition with the given labels, 0..k for some k up to the number of
    /// nodes. O(n), and O(edges) where masses hold internal weights.
    pub fn new<W: Weight, O: Objective<Mass = M>>(
        level: &Level<W, M>,
        objective: &O,
        of: Vec<u32>,
    ) -> Result<Partition<M>> {
        let n = level.len();
        let mut mass = try_filled(n, M::default(), "the communities")?;
        let mut members = try_filled(n, 0u32, "the communities")?;
        let limited = !level.sizes.is_empty();
        let mut sizes = try_filled(if limited { n } else { 0 }, 0u64, "the communities")?;
        for (v, &c) in of.iter().enumerate() {
            let c = c as usize;
            // Weight between v and those before it in the community.
            let w = if O::NEEDS_INNER && members[c] > 0 {
                let (targets, weights) = level.adjacency.row(v);
                let earlier = targets
                    .iter()
                    .zip(weights)
                    .filter(|(&t, _)| (t as usize) < v && of[t as usize] as usize == c);
                earlier.map(|(_, w)| w.get()).sum()
            } else {
                0.0
            };
            mass[c] = if members[c] == 0 {
                level.mass[v]
            } else {
                objective.join(mass[c], level.mass[v], w)
            };
            members[c] += 1;
            if limited {
                sizes[c] += level.sizes[v];
            }
        }
        let mut free = try_with_capacity(n, "the communities")?;
        // The smallest id is taken first.
        free.extend((0..n as u32).rev().filter(|&c| members[c as usize] == 0));
        Ok(Partition {
            of,
            mass,
            members,
            sizes,
            free,
            held: vec![],
        })
    }

    /// Keeps the weights from nodes to their communities from now on.
    pub fn hold(&mut self) -> Result<()> {
        self.held = try_filled(self.of.len(), f64::NAN, "the communities")?;
        Ok(())
    }

    /// Number of communities with members.
    pub fn count(&self) -> usize {
        self.of.len() - self.free.len()
    }
}

/// Renumbers labels 0.. in order of first appearance; how many there are.
pub(super) fn compact(labels: &mut [u32], ids: usize) -> Result<usize> {
    let mut new = try_filled(ids, NONE, "the communities")?;
    let mut count = 0;
    for label in labels {
        let slot = &mut new[*label as usize];
        if *slot == NONE {
            *slot = count;
            count += 1;
        }
        *label = *slot;
    }
    Ok(count as usize)
}

/// Sums by community id, in order of first touch, without clearing a dense array.
#[derive(Debug, Default)]
pub(super) struct Tally {
    slot: Vec<u32>,
    pub list: Vec<(u32, f64)>,
}

impl Tally {
    /// Room for ids below `ids`.
    pub fn new(ids: usize) -> Result<Tally> {
        Ok(Tally {
            slot: try_filled(ids, NONE, "the working memory")?,
            list: vec![],
        })
    }

    /// At least room for ids below `ids`.
    pub fn grow(&mut self, ids: usize) {
        if self.slot.len() < ids {
            self.slot.resize(ids, NONE);
        }
    }

    #[inline(always)]
    pub fn add(&mut self, id: u32, w: f64) {
        let slot = &mut self.slot[id as usize];
        if *slot == NONE {
            *slot = self.list.len() as u32;
            self.list.push((id, w));
        } else {
            self.list[*slot as usize].1 += w;
        }
    }

    /// The sum of an id, zero when untouched.
    #[inline(always)]
    pub fn get(&self, id: u32) -> f64 {
        let slot = self.slot[id as usize];
        if slot == NONE {
            0.0
        } else {
            self.list[slot as usize].1
        }
    }

    /// Forgets everything. O(touched).
    #[inline(always)]
    pub fn clear(&mut self) {
        for &(id, _) in &self.list {
            self.slot[id as usize] = NONE;
        }
        self.list.clear();
    }
}
