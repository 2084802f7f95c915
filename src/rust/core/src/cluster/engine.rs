//! One iteration of the optimisation, from the cells to the last aggregate and back
//! (section 2.7 of the graph rules).

use super::adjacency::Weight;
use super::aggregate::{aggregate, Memory};
use super::connected::pieces;
use super::grouping::Grouping;
use super::level::{compact, Level, Partition};
use super::moving::{local_move, Rules};
use super::objective::Objective;
use super::quality::evaluate;
use super::refine::{refine, Draws};
use crate::error::{try_with_capacity, Result};
use crate::exec::Exec;
use crate::rng::Stream;

/// How an iteration works.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub rules: Rules,
    pub pair_scale: f64,
    /// Whether communities are refined before they are aggregated (Leiden), or
    /// aggregated whole (Louvain).
    pub refine: bool,
    pub temperature: f64,
    /// Whether a community without inner connection is taken apart.
    pub split: bool,
    /// Most visits per cell of the first local move; the levels above have no cap.
    pub visits: u64,
}

/// What an iteration did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    pub quality: f64,
    pub moves: u64,
    pub count: usize,
}

const ORDER: u64 = 0x6F72_6465;

/// Where a level leads.
enum Next<M> {
    /// These are the communities.
    Done(Vec<u32>, usize),
    /// To an aggregate, by this map, starting with these communities.
    Aggregate {
        level: Box<Level<f64, M>>,
        part: Vec<u32>,
        of: Vec<u32>,
    },
}

/// The state of one start: what an iteration needs and leaves behind.
pub(super) struct Engine<'a, O> {
    pub exec: &'a Exec,
    pub plan: Plan,
    pub objective: O,
    pub memory: Memory,
    /// The key of the draws of this iteration.
    pub seed: u64,
    depth: u64,
    moves: u64,
}

impl<'a, O: Objective> Engine<'a, O> {
    pub fn new(exec: &'a Exec, plan: Plan, objective: O) -> Engine<'a, O> {
        Engine {
            exec,
            plan,
            objective,
            memory: Memory::default(),
            seed: 0,
            depth: 0,
            moves: 0,
        }
    }

    /// Improves `labels` (0..k), which come back compact. With a `trail`, the maps
    /// from each level to the next are put there, the last one to the communities.
    /// O(edges) per level; levels shrink fast.
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn iterate<W: Weight>(
        &mut self,
        level: &Level<W, O::Mass>,
        labels: &mut Vec<u32>,
        mut trail: Option<&mut Vec<Vec<u32>>>,
    ) -> Result<Outcome> {
        (self.depth, self.moves) = (0, 0);
        let scale = self.plan.pair_scale;
        let (mut coarse, mut map, mut of) = match self.step(level, std::mem::take(labels))? {
            Next::Done(of, count) => {
                let quality = evaluate(self.exec, level, &self.objective, &of, count, scale)?;
                if let Some(trail) = trail {
                    trail.push(of.clone());
                }
                *labels = of;
                return Ok(self.outcome(quality, count));
            }
            Next::Aggregate { level, part, of } => (*level, part, of),
        };
        if let Some(trail) = &mut trail {
            trail.push(map.clone());
        }
        loop {
            let next = self.step(&coarse, of)?;
            let (onward, depth) = match &next {
                Next::Done(of, _) => (of, self.depth),
                Next::Aggregate { part, .. } => (part, self.depth - 1),
            };
            for m in &mut map {
                *m = onward[*m as usize];
            }
            if let Some(trail) = &mut trail {
                trail.push(onward.clone());
            }
            match next {
                Next::Done(of, count) => {
                    let quality = evaluate(self.exec, &coarse, &self.objective, &of, count, scale)?;
                    self.memory.give(depth, coarse);
                    compact(&mut map, count)?;
                    *labels = map;
                    return Ok(self.outcome(quality, count));
                }
                Next::Aggregate {
                    level, of: next, ..
                } => {
                    self.memory
                        .give(depth, std::mem::replace(&mut coarse, *level));
                    of = next;
                }
            }
        }
    }

    fn outcome(&self, quality: f64, count: usize) -> Outcome {
        Outcome {
            quality,
            moves: self.moves,
            count,
        }
    }

    fn step<W: Weight>(
        &mut self,
        level: &Level<W, O::Mass>,
        of: Vec<u32>,
    ) -> Result<Next<O::Mass>> {
        let n = level.len();
        let mut partition = Partition::new(level, &self.objective, of)?;
        let full = self.depth > 0 || self.plan.visits == u64::MAX;
        if full && self.plan.refine {
            partition.hold()?;
        }
        let order = self.order(&partition)?;
        self.moves += local_move(
            self.exec,
            level,
            &mut partition,
            &mut self.objective,
            &self.plan.rules,
            order,
            if full { u64::MAX } else { self.plan.visits },
        )?;
        let count = renumber(&mut partition)?;
        if count == n {
            return Ok(Next::Done(partition.of, n));
        }
        let (part, parts, of) = self.parts(level, &partition, count)?;
        if parts == n {
            // Nothing holds together more than single nodes do.
            return Ok(if self.plan.split {
                Next::Done(part, parts)
            } else {
                Next::Done(partition.of, count)
            });
        }
        self.depth += 1;
        let level = aggregate(
            self.exec,
            level,
            (&part, parts),
            &self.objective,
            self.plan.pair_scale,
            &mut self.memory,
            self.depth,
        )?;
        let level = Box::new(level);
        Ok(Next::Aggregate { level, part, of })
    }

    /// The nodes of the next level: the node of each node of this one, their number,
    /// and the community of each.
    fn parts<W: Weight>(
        &self,
        level: &Level<W, O::Mass>,
        partition: &Partition<O::Mass>,
        count: usize,
    ) -> Result<(Vec<u32>, usize, Vec<u32>)> {
        if !self.plan.refine {
            return Ok((partition.of.clone(), count, (0..count as u32).collect()));
        }
        let draws = Draws {
            seed: self.seed,
            level: self.depth,
            temperature: self.plan.temperature,
        };
        let refined = refine(
            self.exec,
            level,
            partition,
            count,
            &self.objective,
            &self.plan.rules,
            &draws,
        )?;
        if refined.count < level.len() {
            return Ok((refined.part, refined.count, refined.community));
        }
        // No node found a part to join: whole pieces go on, or nothing would.
        let (part, parts) = pieces(level, &partition.of)?;
        let mut community = vec![0; parts];
        for (v, &p) in part.iter().enumerate() {
            community[p as usize] = partition.of[v];
        }
        Ok((part, parts, community))
    }

    /// The order of the first visits: random from single nodes and in the rough pass,
    /// where it decides who founds a community. Later the few nodes with something
    /// to gain are far apart, and the order of storage is faster by far.
    fn order(&self, partition: &Partition<O::Mass>) -> Result<Vec<u32>> {
        let n = partition.of.len();
        let mut order: Vec<u32> = try_with_capacity(n, "the queue")?;
        order.extend(0..n as u32);
        if partition.count() == n || self.plan.visits < u64::MAX {
            let mut stream = Stream::new(self.seed, ORDER, self.depth, 0);
            for i in (1..n).rev() {
                order.swap(i, stream.below(i + 1));
            }
        }
        Ok(order)
    }
}

/// The nodes of the first map in the order of the last: members of a community side
/// by side, within it those of a part, and so on down. O(n) per map.
pub(super) fn nested_order(trail: &[Vec<u32>]) -> Result<Vec<u32>> {
    let mut order: Vec<u32> = vec![];
    for (depth, map) in trail.iter().rev().enumerate() {
        let count = map.iter().max().map_or(0, |&c| c as usize + 1);
        let groups = Grouping::new(map, count)?;
        if depth == 0 {
            order = groups.nodes;
            continue;
        }
        let mut finer: Vec<u32> = try_with_capacity(map.len(), "the order of the cells")?;
        for &c in &order {
            finer.extend_from_slice(groups.members(c as usize));
        }
        order = finer;
    }
    Ok(order)
}

/// Gives the communities of `partition` the ids 0.., by first member; how many.
fn renumber<M: Copy + Default>(partition: &mut Partition<M>) -> Result<usize> {
    let n = partition.of.len();
    let mut old: Vec<u32> = try_with_capacity(n, "the communities")?;
    old.extend_from_slice(&partition.of);
    let count = compact(&mut partition.of, n)?;
    let mut mass = vec![M::default(); count];
    for (&from, &to) in old.iter().zip(&partition.of) {
        mass[to as usize] = partition.mass[from as usize];
    }
    partition.mass = mass;
    // The rest described the old ids, and nothing after this reads it.
    partition.members = vec![];
    partition.sizes = vec![];
    partition.free = vec![];
    Ok(count)
}
