//! Edges by rows, and how rows made in parallel become one store of them.

use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::{split_at_bounds, Exec};

/// Cells per task.
pub(super) const ROWS: usize = 1024;

/// A stored edge weight.
pub(super) trait Weight: Copy + Default + Send + Sync {
    fn get(self) -> f64;
}

impl Weight for f32 {
    #[inline(always)]
    fn get(self) -> f64 {
        f64::from(self)
    }
}

impl Weight for f64 {
    #[inline(always)]
    fn get(self) -> f64 {
        self
    }
}

/// A symmetric adjacency by rows. `loops` are internal weights: each self loop
/// once, and on an aggregate each edge inside the node once.
#[derive(Debug, Default)]
pub(super) struct Adjacency<W> {
    pub offsets: Vec<usize>,
    pub targets: Vec<u32>,
    pub weights: Vec<W>,
    pub loops: Vec<f64>,
    /// Sum of the weights of each row, left to right.
    pub sums: Vec<f64>,
}

impl<W: Weight> Adjacency<W> {
    /// Neighbours of `v` and the weights to them.
    #[inline(always)]
    pub fn row(&self, v: usize) -> (&[u32], &[W]) {
        let range = self.offsets[v]..self.offsets[v + 1];
        (&self.targets[range.clone()], &self.weights[range])
    }

    /// With other weights; `f` must not change their sums.
    pub fn converted<V: Weight>(
        self,
        exec: &Exec,
        f: impl Fn(W) -> V + Sync,
    ) -> Result<Adjacency<V>> {
        let mut weights = try_filled(self.weights.len(), V::default(), "the edge weights")?;
        exec.chunks_mut(&mut weights, 64 * ROWS, |start, piece| {
            for (out, &w) in piece.iter_mut().zip(&self.weights[start..]) {
                *out = f(w);
            }
        })?;
        Ok(Adjacency {
            offsets: self.offsets,
            targets: self.targets,
            weights,
            loops: self.loops,
            sums: self.sums,
        })
    }
}

/// Consecutive rows: edges, ends of the rows within them, internal weights.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub targets: Vec<u32>,
    pub weights: Vec<f64>,
    pub ends: Vec<usize>,
    pub loops: Vec<f64>,
}

impl Part {
    /// Empty again, with its memory.
    pub fn clear(&mut self) {
        self.targets.clear();
        self.weights.clear();
        self.ends.clear();
        self.loops.clear();
    }
}

/// An empty `v` with room for `n` items.
fn emptied<T>(v: &mut Vec<T>, n: usize) -> Result<()> {
    v.clear();
    if v.capacity() < n {
        *v = try_with_capacity(n, "the edges")?;
    }
    Ok(())
}

impl Adjacency<f64> {
    /// Becomes the rows of `parts`, in order, in the memory it has.
    pub fn assemble(&mut self, exec: &Exec, parts: &[Part]) -> Result<()> {
        let entries = parts.iter().map(|p| p.targets.len()).sum();
        let n: usize = parts.iter().map(|p| p.loops.len()).sum();
        emptied(&mut self.offsets, n + 1)?;
        emptied(&mut self.loops, n)?;
        self.offsets.push(0);
        let (mut edge_cuts, mut node_cuts) = (vec![0], vec![0]);
        let mut base = 0;
        for part in parts {
            self.offsets.extend(part.ends.iter().map(|e| base + e));
            self.loops.extend_from_slice(&part.loops);
            base += part.targets.len();
            edge_cuts.push(base);
            node_cuts.push(self.loops.len());
        }
        emptied(&mut self.targets, entries)?;
        emptied(&mut self.weights, entries)?;
        emptied(&mut self.sums, n)?;
        self.targets.resize(entries, 0);
        self.weights.resize(entries, 0.0);
        self.sums.resize(n, 0.0);
        let tasks = split_at_bounds(&mut self.targets, &edge_cuts)
            .into_iter()
            .zip(split_at_bounds(&mut self.weights, &edge_cuts))
            .zip(split_at_bounds(&mut self.sums, &node_cuts))
            .zip(parts)
            .collect();
        exec.for_each(tasks, |(((targets, weights), sums), part)| {
            targets.copy_from_slice(&part.targets);
            weights.copy_from_slice(&part.weights);
            let mut from = 0;
            for (sum, &end) in sums.iter_mut().zip(&part.ends) {
                *sum = weights[from..end].iter().sum();
                from = end;
            }
            Ok(())
        })
    }
}
