//! The graph of the parts (step d of section 2.7 of the graph rules).
//!
//! Each part becomes one node, the edges between two parts one edge, and the edges
//! inside a part its self loop, so that the quality of a partition of the parts is
//! that of the same partition of the cells.

use super::adjacency::{Adjacency, Part, Weight};
use super::grouping::{Grouping, Shelf};
use super::level::{Level, Tally};
use super::objective::Objective;
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;

/// Nodes per task, at least.
const TASK: usize = 1024;

/// Memory that aggregates use again and again.
#[derive(Debug, Default)]
pub(super) struct Memory {
    parts: Vec<Part>,
    tallies: Shelf<Tally>,
    /// Adjacencies no longer in use, by depth.
    spare: Vec<Adjacency<f64>>,
}

impl Memory {
    /// Takes back what the level at `depth` (1 or more) was made of.
    pub fn give<M>(&mut self, depth: u64, level: Level<f64, M>) {
        let at = depth as usize;
        if self.spare.len() <= at {
            self.spare.resize_with(at + 1, Adjacency::default);
        }
        self.spare[at] = level.adjacency;
    }

    fn take(&mut self, depth: u64) -> Adjacency<f64> {
        let spare = self.spare.get_mut(depth as usize);
        spare.map(std::mem::take).unwrap_or_default()
    }
}

/// The aggregate of `level` by labels `part` in 0..`count`; it will stand at
/// `depth`. O(edges).
///
/// # Errors
/// `memory`, `interrupted`.
pub(super) fn aggregate<W: Weight, O: Objective>(
    exec: &Exec,
    level: &Level<W, O::Mass>,
    (part, count): (&[u32], usize),
    objective: &O,
    pair_scale: f64,
    memory: &mut Memory,
    depth: u64,
) -> Result<Level<f64, O::Mass>> {
    let groups = Grouping::new(part, count)?;
    let runs = groups.runs(TASK);
    let tasks = runs.len() - 1;
    if memory.parts.len() < tasks {
        memory.parts.resize_with(tasks, Part::default);
    }
    let parts = &mut memory.parts[..tasks];
    let tallies = &memory.tallies;
    exec.for_each(
        runs.windows(2).zip(parts.iter_mut()).collect(),
        |(run, out)| {
            let mut tally = tallies.take().unwrap_or_default();
            tally.grow(count);
            out.clear();
            for c in run[0]..run[1] {
                row_of_part(
                    level,
                    part,
                    c,
                    groups.members(c),
                    pair_scale,
                    &mut tally,
                    out,
                );
            }
            tallies.give(tally);
            Ok(())
        },
    )?;
    let mut adjacency = memory.take(depth);
    adjacency.assemble(exec, &memory.parts[..tasks])?;
    let mut mass = try_with_capacity(count, "the communities")?;
    let masses = &level.mass;
    for c in 0..count {
        let sum = groups
            .members(c)
            .iter()
            .fold(O::Mass::default(), |sum, &v| {
                objective.join(sum, masses[v as usize], 0.0)
            });
        mass.push(objective.with_inner(sum, adjacency.loops[c]));
    }
    let limited = !level.sizes.is_empty();
    let mut sizes = try_filled(if limited { count } else { 0 }, 0u64, "the communities")?;
    let held = !level.fixed.is_empty();
    let mut fixed = try_filled(if held { count } else { 0 }, false, "the communities")?;
    for (v, &c) in part.iter().enumerate() {
        if limited {
            sizes[c as usize] += level.sizes[v];
        }
        if held {
            fixed[c as usize] |= level.fixed[v];
        }
    }
    Ok(Level {
        adjacency,
        mass,
        sizes,
        fixed,
    })
}

/// The edges of part `c` to other parts, in the order they are met.
#[inline(always)]
fn row_of_part<W: Weight, M>(
    level: &Level<W, M>,
    part: &[u32],
    c: usize,
    members: &[u32],
    pair_scale: f64,
    tally: &mut Tally,
    out: &mut Part,
) {
    let (mut inner, mut loops) = (0.0, 0.0);
    for &v in members {
        let v = v as usize;
        loops += level.adjacency.loops[v];
        let (targets, weights) = level.adjacency.row(v);
        for (&t, &w) in targets.iter().zip(weights) {
            let d = part[t as usize];
            if d as usize == c {
                inner += w.get();
            } else {
                tally.add(d, w.get());
            }
        }
    }
    for &(d, w) in &tally.list {
        out.targets.push(d);
        out.weights.push(w);
    }
    tally.clear();
    out.ends.push(out.targets.len());
    // Every inner edge was met from both of its ends.
    out.loops.push(loops + pair_scale * (inner / 2.0));
}
