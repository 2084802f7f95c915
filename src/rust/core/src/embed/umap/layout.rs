//! The layout itself: many small moves under attraction and repulsion.
//!
//! In every epoch the edges that are due pull their two cells together and push
//! the cell away from a few cells drawn at random (section 3.6 of the graph
//! rules). Each cell adds up the forces on itself (an edge is stored for both its
//! ends, so nobody moves a cell of somebody else), and moves by the rule of Kingma
//! & Ba (2015) with a rate that falls linearly to zero. Cells move block by block
//! (see [`super::order`]). Sums have a fixed order (see [`super::batch`]), and a
//! draw depends on the seed, the epoch and the cell only: no number depends on how
//! many threads there are.

use super::batch::{Batch, Forces, BATCH};
use super::density::Density;
use super::edges::Edges;
use super::force::Curve;
use super::order::{Order, BLOCKS};
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::rng::Stream;
use crate::simd;
use rand::RngCore;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Decay of the mean of the forces, and of the mean of their squares.
const DECAY: (f32, f32) = (0.5, 0.9);
/// Keeps the step of a cell without forces finite.
const TINY: f32 = 1e-7;
/// Cells per task; whole batches.
const TASK: usize = 8 * BATCH;
/// Coordinates up to which wide instructions are used.
const WIDE: usize = 4;
/// Purpose of the draws.
const NEGATIVES: u64 = 0x756d_6e67;

/// How to lay out.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub curve: Curve,
    /// Epochs, over which the rate falls from `alpha` to zero.
    pub epochs: usize,
    /// About the largest step of a coordinate in the first epoch.
    pub alpha: f64,
    /// Repelling cells drawn per acting edge.
    pub negatives: f64,
    pub seed: u64,
}

/// The cells in motion, by place.
struct Layout<'a, const D: usize> {
    edges: &'a Edges,
    order: &'a Order,
    position: Vec<[f32; D]>,
    /// Mean of the past forces, and of their squares.
    force: Vec<[f32; D]>,
    square: Vec<[f32; D]>,
    /// Where the block in motion goes.
    moved: Vec<[f32; D]>,
    /// Working memory of threads that are at rest.
    spare: Mutex<Vec<Batch<D>>>,
    /// Edges of the largest batch.
    entries: usize,
    /// Whether some epoch keeps densities: working memory is made once for all.
    dense: bool,
}

/// The factors of a step.
struct Step {
    /// Rate, divided by the correction of the mean force for its start at zero.
    rate: f32,
    /// The same correction of the mean square.
    square: f32,
}

/// Moves `start` (cells x D) over all epochs. O(epochs x acting edges x
/// negatives); memory is 16 D bytes per cell beside the edges.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn layout<const D: usize>(
    exec: &Exec,
    edges: &Edges,
    order: &Order,
    density: Option<&Density>,
    start: &[[f32; D]],
    settings: &Settings,
) -> Result<Vec<[f32; D]>> {
    let mut layout = Layout::new(edges, order, start, density.is_some())?;
    exec.control().begin(settings.epochs);
    let mut decayed = (1.0f64, 1.0f64);
    for t in 0..settings.epochs {
        decayed.0 *= f64::from(DECAY.0);
        decayed.1 *= f64::from(DECAY.1);
        let rate = settings.alpha * (1.0 - t as f64 / settings.epochs as f64);
        let step = Step {
            rate: (rate / (1.0 - decayed.0)) as f32,
            square: (1.0 / (1.0 - decayed.1)) as f32,
        };
        let pull = match density.filter(|d| t >= d.first) {
            Some(d) => Some(d.pull(exec, edges, &layout.position, &settings.curve)?),
            None => None,
        };
        let forces = Forces {
            curve: settings.curve,
            t: t as u32,
            key: Stream::new(settings.seed, NEGATIVES, t as u64, 0).next_u64(),
            negatives: settings.negatives,
            density: pull.as_ref(),
        };
        for block in 0..BLOCKS {
            layout.move_block(exec, order.block(block), &forces, &step)?;
        }
        exec.control().tick(1);
    }
    let mut out = try_filled(start.len(), [0.0; D], "the layout")?;
    for (y, &cell) in layout.position.iter().zip(&order.cell) {
        out[cell as usize] = *y;
    }
    Ok(out)
}

impl<'a, const D: usize> Layout<'a, D> {
    fn new(
        edges: &'a Edges,
        order: &'a Order,
        start: &[[f32; D]],
        dense: bool,
    ) -> Result<Layout<'a, D>> {
        let zeros = |n| try_filled(n, [0.0f32; D], "the layout");
        let mut position = zeros(start.len())?;
        for (y, &cell) in position.iter_mut().zip(&order.cell) {
            *y = start[cell as usize];
        }
        let mut entries = 0;
        for block in 0..BLOCKS {
            let block = order.block(block);
            for first in block.clone().step_by(BATCH) {
                let rows = first..(first + BATCH).min(block.end);
                entries = entries.max(edges.entries(rows).len());
            }
        }
        Ok(Layout {
            edges,
            order,
            position,
            force: zeros(start.len())?,
            square: zeros(start.len())?,
            moved: zeros(order.block(0).len())?,
            spare: Mutex::new(Vec::new()),
            entries,
            dense,
        })
    }

    /// Moves the cells of a block, all from where they and the others stand now.
    fn move_block(
        &mut self,
        exec: &Exec,
        block: Range<usize>,
        forces: &Forces<'_>,
        step: &Step,
    ) -> Result<()> {
        let (edges, cell, position) = (self.edges, &self.order.cell, &self.position);
        let (spare, entries, dense) = (&self.spare, self.entries, self.dense);
        let tasks = self.moved[..block.len()]
            .chunks_mut(TASK)
            .zip(self.force[block.clone()].chunks_mut(TASK))
            .zip(self.square[block.clone()].chunks_mut(TASK))
            .enumerate()
            .collect();
        exec.for_each(tasks, |(c, ((moved, force), square))| {
            let idle = spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut batch = match idle {
                Some(batch) => batch,
                None => Batch::new(entries, forces.negatives, dense)?,
            };
            let mut task = Task {
                start: block.start + c * TASK,
                moved,
                force,
                square,
            };
            // More coordinates are rare, and a second copy of the code is not small.
            if D <= WIDE {
                simd::wide(
                    #[inline(always)]
                    || task.run(&mut batch, edges, cell, position, forces, step),
                );
            } else {
                task.run(&mut batch, edges, cell, position, forces, step);
            }
            spare
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(batch);
            Ok(())
        })?;
        self.position[block.clone()].copy_from_slice(&self.moved[..block.len()]);
        Ok(())
    }
}

/// Consecutive cells that one thread moves.
struct Task<'t, const D: usize> {
    start: usize,
    moved: &'t mut [[f32; D]],
    force: &'t mut [[f32; D]],
    square: &'t mut [[f32; D]],
}

impl<const D: usize> Task<'_, D> {
    #[inline(always)]
    fn run(
        &mut self,
        batch: &mut Batch<D>,
        edges: &Edges,
        cell: &[u32],
        position: &[[f32; D]],
        forces: &Forces<'_>,
        step: &Step,
    ) {
        let cells = self.moved.len();
        for first in (0..cells).step_by(BATCH) {
            let end = (first + BATCH).min(cells);
            let places = self.start + first..self.start + end;
            batch.forces(edges, cell, position, places, forces);
            for k in first..end {
                self.moved[k] = step.apply(
                    &position[self.start + k],
                    &batch.total[k - first],
                    &mut self.force[k],
                    &mut self.square[k],
                );
            }
        }
    }
}

impl Step {
    /// Where a cell goes under a force; the means of the past forces are updated.
    #[inline(always)]
    fn apply<const D: usize>(
        &self,
        at: &[f32; D],
        f: &[f32; D],
        force: &mut [f32; D],
        square: &mut [f32; D],
    ) -> [f32; D] {
        let mut to = *at;
        for d in 0..D {
            force[d] += (1.0 - DECAY.0) * (f[d] - force[d]);
            square[d] += (1.0 - DECAY.1) * (f[d] * f[d] - square[d]);
            to[d] += self.rate * force[d] / ((self.square * square[d]).sqrt() + TINY);
        }
        to
    }
}
