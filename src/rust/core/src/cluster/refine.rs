//! The refinement that sets Leiden apart (step c of section 2.7 of the graph
//! rules; Traag, Waltman & Van Eck 2019).
//!
//! A community found by moving cells may be badly held together inside. So each
//! community is taken apart again: from single cells, well-connected cells join
//! well-connected parts of their own community, more often the more they gain by
//! it. The parts become the nodes of the next level, where they may go separate
//! ways. Communities know nothing of each other here and are refined in parallel,
//! each with its own stream of random numbers.

use super::adjacency::Weight;
use super::grouping::Grouping;
use super::level::{Level, Partition, Tally};
use super::moving::Rules;
use super::objective::Objective;
use crate::error::{try_filled, Result};
use crate::exec::{split_at_bounds, Exec};
use crate::math;
use crate::rng::Stream;

/// How the draws are made.
#[derive(Debug, Clone)]
pub(super) struct Draws {
    pub seed: u64,
    pub level: u64,
    /// Gains are divided by this before they are weighed exponentially.
    pub temperature: f64,
}

/// The parts: numbered by community, so the parts of one community are a run.
#[derive(Debug)]
pub(super) struct Refined {
    pub part: Vec<u32>,
    pub count: usize,
    /// The community of each part.
    pub community: Vec<u32>,
}

const PURPOSE: u64 = 0x7265_6669;
/// Nodes per task, at least: many small communities share one.
const TASK: usize = 2048;
/// Below exp(this) a candidate cannot be drawn: its share is under one draw's
/// resolution.
const NEGLIGIBLE: f64 = -40.0;

/// Parts of the communities of `partition`, whose labels are 0..`communities`.
/// O(edges).
///
/// # Errors
/// `memory`, `interrupted`.
pub(super) fn refine<W: Weight, O: Objective>(
    exec: &Exec,
    level: &Level<W, O::Mass>,
    partition: &Partition<O::Mass>,
    communities: usize,
    objective: &O,
    rules: &Rules,
    draws: &Draws,
) -> Result<Refined> {
    let n = level.len();
    let groups = Grouping::new(&partition.of, communities)?;
    let mut place = try_filled(n, 0u32, "the communities")?;
    for (at, &v) in groups.nodes.iter().enumerate() {
        place[v as usize] = at as u32;
    }
    let mut objective = objective.clone();
    if O::GLOBAL {
        objective.start(&level.mass);
    }
    let runs = if O::GLOBAL {
        vec![0, communities]
    } else {
        groups.runs(TASK)
    };
    let cuts: Vec<usize> = runs.iter().map(|&c| groups.bounds[c]).collect();
    let mut sorted = try_filled(n, 0u32, "the communities")?;
    let mut counts = try_filled(communities, 0u32, "the communities")?;
    let tasks: Vec<_> = split_at_bounds(&mut sorted, &cuts)
        .into_iter()
        .zip(split_at_bounds(&mut counts, &runs))
        .zip(&runs)
        .collect();
    exec.for_each(tasks, |((parts, counts), &first)| {
        let mut objective = objective.clone();
        let mut work = Work::default();
        let mut rest = parts;
        for (c, count) in counts.iter_mut().enumerate() {
            exec.check()?;
            let c = first + c;
            let (parts, tail) = rest.split_at_mut(groups.members(c).len());
            rest = tail;
            let mut stream = Stream::new(draws.seed, PURPOSE, draws.level, c as u64);
            let mut one = Community {
                level,
                rules,
                place: &place,
                held: &partition.held,
                nodes: groups.members(c),
                first: groups.bounds[c],
                whole: partition.mass[c],
                temperature: draws.temperature,
            };
            *count = one.split(&mut objective, &mut work, &mut stream, parts);
        }
        Ok(())
    })?;
    let mut part = try_filled(n, 0u32, "the communities")?;
    let mut community = vec![];
    let mut base = 0;
    for (c, &count) in counts.iter().enumerate() {
        for at in groups.bounds[c]..groups.bounds[c + 1] {
            part[groups.nodes[at] as usize] = base + sorted[at];
        }
        base += count;
        community.extend(std::iter::repeat(c as u32).take(count as usize));
    }
    Ok(Refined {
        part,
        count: base as usize,
        community,
    })
}

/// Working memory of one task, by position within a community.
#[derive(Debug)]
struct Work<M> {
    part: Vec<u32>,
    mass: Vec<M>,
    members: Vec<u32>,
    sizes: Vec<u64>,
    /// Weight from each part to the rest of its community.
    cut: Vec<f64>,
    order: Vec<u32>,
    tally: Tally,
    gains: Vec<(u32, f64)>,
}

impl<M> Default for Work<M> {
    fn default() -> Work<M> {
        Work {
            part: vec![],
            mass: vec![],
            members: vec![],
            sizes: vec![],
            cut: vec![],
            order: vec![],
            tally: Tally::default(),
            gains: vec![],
        }
    }
}

struct Community<'a, W, M> {
    level: &'a Level<W, M>,
    rules: &'a Rules,
    place: &'a [u32],
    /// Weights from nodes to the community, where known.
    held: &'a [f64],
    nodes: &'a [u32],
    first: usize,
    whole: M,
    temperature: f64,
}

impl<W: Weight, M: Copy + Default> Community<'_, W, M> {
    /// Writes the part of each member, 0.. by first member; how many there are.
    fn split<O: Objective<Mass = M>>(
        &mut self,
        objective: &mut O,
        work: &mut Work<M>,
        stream: &mut Stream,
        parts: &mut [u32],
    ) -> u32 {
        if self.nodes.len() == 1 {
            parts[0] = 0;
            return 1;
        }
        self.prepare(work, stream);
        for i in 0..work.order.len() {
            let v = work.order[i] as usize;
            if work.members[v] == 1 && work.part[v] as usize == v {
                self.place_node(objective, work, stream, v);
            }
        }
        // Number the parts by first member; the memory of `members` is free now.
        work.members.fill(u32::MAX);
        let mut count = 0;
        for (out, &p) in parts.iter_mut().zip(&work.part) {
            let id = &mut work.members[p as usize];
            if *id == u32::MAX {
                *id = count;
                count += 1;
            }
            *out = *id;
        }
        count
    }

    fn prepare(&self, work: &mut Work<M>, stream: &mut Stream) {
        let len = self.nodes.len();
        work.part.clear();
        work.part.extend(0..len as u32);
        work.order.clear();
        work.order.extend(0..len as u32);
        for i in (1..len).rev() {
            work.order.swap(i, stream.below(i + 1));
        }
        work.members.clear();
        work.members.resize(len, 1);
        work.mass.clear();
        work.mass
            .extend(self.nodes.iter().map(|&v| self.level.mass[v as usize]));
        work.sizes.clear();
        if !self.level.sizes.is_empty() {
            work.sizes
                .extend(self.nodes.iter().map(|&v| self.level.sizes[v as usize]));
        }
        work.cut.clear();
        work.cut.extend(self.nodes.iter().map(|&v| {
            if let Some(&held) = self.held.get(v as usize) {
                if !held.is_nan() {
                    return held;
                }
            }
            let (targets, weights) = self.level.adjacency.row(v as usize);
            let mut sum = 0.0;
            for (&t, &w) in targets.iter().zip(weights) {
                if self.local(t).is_some() {
                    sum += w.get();
                }
            }
            sum
        }));
        work.tally.grow(len);
    }

    /// The position of a node within this community, if it is a member.
    #[inline(always)]
    fn local(&self, node: u32) -> Option<usize> {
        let at = (self.place[node as usize] as usize).wrapping_sub(self.first);
        (at < self.nodes.len()).then_some(at)
    }

    /// Lets the single node `v` join a part, or stay.
    fn place_node<O: Objective<Mass = M>>(
        &self,
        objective: &mut O,
        work: &mut Work<M>,
        stream: &mut Stream,
        v: usize,
    ) {
        let node = work.mass[v];
        if !objective.well_connected(node, self.whole, work.cut[v]) {
            return;
        }
        let (targets, weights) = self.level.adjacency.row(self.nodes[v] as usize);
        work.tally.clear();
        for (&t, &w) in targets.iter().zip(weights) {
            if let Some(at) = self.local(t) {
                work.tally.add(work.part[at], w.get());
            }
        }
        let stay = objective.score(node, O::Mass::default(), 0.0);
        let mut largest = 0.0f64;
        work.gains.clear();
        for &(p, w) in &work.tally.list {
            let c = p as usize;
            let room =
                work.sizes.is_empty() || work.sizes[c] + work.sizes[v] <= self.rules.max_size;
            if room && objective.well_connected(work.mass[c], self.whole, work.cut[c]) {
                let gain = objective.score(node, work.mass[c], w) - stay;
                if gain >= 0.0 {
                    largest = largest.max(gain);
                    work.gains.push((p, gain));
                }
            }
        }
        let Some(to) = self.draw(&mut work.gains, largest, stream) else {
            return;
        };
        let (c, w) = (to as usize, work.tally.get(to));
        objective.placed(node, work.mass[c], w);
        work.mass[c] = objective.join(work.mass[c], node, w);
        work.cut[c] += work.cut[v] - 2.0 * w;
        work.members[c] += 1;
        work.members[v] -= 1;
        if !work.sizes.is_empty() {
            work.sizes[c] += work.sizes[v];
        }
        work.part[v] = to;
    }

    /// One of the candidates with probability proportional to exp(gain /
    /// temperature), staying being one with gain zero.
    fn draw(&self, gains: &mut [(u32, f64)], largest: f64, stream: &mut Stream) -> Option<u32> {
        let share = |gain: f64| {
            let below = gain - largest;
            if below == 0.0 {
                1.0
            } else if below < NEGLIGIBLE * self.temperature {
                0.0
            } else {
                math::exp(below / self.temperature)
            }
        };
        let mut total = 0.0;
        for (_, gain) in gains.iter_mut() {
            total += share(*gain);
            *gain = total;
        }
        if gains.is_empty() {
            return None;
        }
        let at = stream.uniform() * (total + share(0.0));
        gains.iter().find(|e| at < e.1).map(|e| e.0)
    }
}
