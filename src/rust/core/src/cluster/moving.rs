//! The fast local move (step a of section 2.7 of the graph rules).
//!
//! Every cell in turn looks at the communities of its neighbours and joins the one
//! that raises the quality most; when it moves, those neighbours that it left
//! behind get another look. This ends when nobody has anything to gain.
//!
//! With more than one thread, the next cells of the queue are looked at together:
//! for each of them the weights to the communities around it are gathered in
//! parallel, then one thread decides in the order of the queue. A cell whose
//! neighbour moved in between is gathered anew, the totals of the communities are
//! always current, so the moves are those of the plain sequential algorithm, bit
//! for bit, whatever the size of a batch.

use super::adjacency::Weight;
use super::grouping::Shelf;
use super::level::{Level, Partition, Tally};
use super::objective::Objective;
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use std::collections::VecDeque;

/// What a move must obey.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Largest total node size of a community.
    pub max_size: u64,
    /// Whether every community is a candidate, not only those of neighbours.
    pub consider_all: bool,
    /// Gains up to here are rounding.
    pub tolerance: f64,
    /// Nodes that are gathered together at first.
    pub batch: usize,
}

/// Nodes per task of a parallel gather.
const TASK: usize = 64;
/// Below this many nodes a batch costs more than it saves.
const SMALLEST_BATCH: usize = 4 * TASK;
const LARGEST_BATCH: usize = 256 * TASK;

/// Where a node stands.
mod state {
    pub const IDLE: u8 = 0;
    pub const QUEUED: u8 = 1;
    /// Gathered, not yet decided.
    pub const AHEAD: u8 = 2;
    /// Gathered, then a neighbour moved.
    pub const STALE: u8 = 3;
    pub const FIXED: u8 = 4;
}

/// Lists of (community, weight) of consecutive nodes.
#[derive(Debug, Default)]
struct Lists {
    entries: Vec<(u32, f64)>,
    ends: Vec<u32>,
}

struct Mover<'a, W, O: Objective> {
    level: &'a Level<W, O::Mass>,
    partition: &'a mut Partition<O::Mass>,
    objective: &'a mut O,
    rules: &'a Rules,
    state: Vec<u8>,
    queue: VecDeque<u32>,
    moves: u64,
    visits: u64,
    most: u64,
}

/// Moves nodes until none gains, starting with those of `order`, or until `visits`
/// per node are spent; how many moves it took. O(edges) per visit of all nodes.
///
/// # Errors
/// `memory`, `interrupted`.
pub(super) fn local_move<W: Weight, O: Objective>(
    exec: &Exec,
    level: &Level<W, O::Mass>,
    partition: &mut Partition<O::Mass>,
    objective: &mut O,
    rules: &Rules,
    order: Vec<u32>,
    visits: u64,
) -> Result<u64> {
    let n = level.len();
    let mut state = try_filled(n, state::IDLE, "the queue")?;
    for (v, state) in state.iter_mut().enumerate() {
        if level.is_fixed(v) {
            *state = state::FIXED;
        }
    }
    let mut queue = VecDeque::from(order);
    queue.retain(|&v| state[v as usize] != state::FIXED);
    for &v in &queue {
        state[v as usize] = state::QUEUED;
    }
    objective.start(&partition.mass);
    let mut mover = Mover {
        level,
        partition,
        objective,
        rules,
        state,
        queue,
        moves: 0,
        visits: 0,
        most: visits.saturating_mul(n as u64),
    };
    mover.run(exec)?;
    Ok(mover.moves)
}

impl<W: Weight, O: Objective> Mover<'_, W, O> {
    fn run(&mut self, exec: &Exec) -> Result<()> {
        let mut tally = Tally::new(self.level.len())?;
        let scratch: Shelf<Tally> = Shelf::default();
        let mut lists: Vec<Lists> = vec![];
        let mut batch: Vec<u32> = vec![];
        let mut size = self.rules.batch.clamp(SMALLEST_BATCH, LARGEST_BATCH);
        while !self.queue.is_empty() && self.visits < self.most {
            exec.check()?;
            let now = self.queue.len().min(size);
            let left = usize::try_from(self.most - self.visits).unwrap_or(now);
            let now = now.min(left);
            if exec.threads() == 1 || now < SMALLEST_BATCH {
                for _ in 0..now {
                    if let Some(v) = self.queue.pop_front() {
                        self.state[v as usize] = state::IDLE;
                        self.visit(v, &mut tally);
                    }
                }
                continue;
            }
            batch.clear();
            batch.extend(self.queue.drain(..now));
            self.gather_batch(exec, &batch, &scratch, &mut lists)?;
            let stale = self.commit(&batch, &lists, &mut tally);
            if stale * 8 < now {
                size = (size * 2).min(LARGEST_BATCH);
            } else if stale * 3 > now {
                size = (size / 2).max(SMALLEST_BATCH);
            }
        }
        Ok(())
    }

    fn visit(&mut self, v: u32, tally: &mut Tally) {
        tally.clear();
        gather(self.level, &self.partition.of, v as usize, tally);
        let list = std::mem::take(&mut tally.list);
        self.decide(v as usize, &list);
        tally.list = list;
    }

    fn gather_batch(
        &mut self,
        exec: &Exec,
        batch: &[u32],
        scratch: &Shelf<Tally>,
        lists: &mut Vec<Lists>,
    ) -> Result<()> {
        for &v in batch {
            self.state[v as usize] = state::AHEAD;
        }
        lists.resize_with(batch.len().div_ceil(TASK), Lists::default);
        let (level, of) = (self.level, &self.partition.of);
        let tasks: Vec<_> = batch.chunks(TASK).zip(lists.iter_mut()).collect();
        exec.for_each(tasks, |(nodes, out)| {
            let mut tally = match scratch.take() {
                Some(tally) => tally,
                None => Tally::new(level.len())?,
            };
            out.entries.clear();
            out.ends.clear();
            for &v in nodes {
                gather(level, of, v as usize, &mut tally);
                out.entries.extend_from_slice(&tally.list);
                out.ends.push(out.entries.len() as u32);
                tally.clear();
            }
            scratch.give(tally);
            Ok(())
        })
    }

    /// Decides in order; how many nodes had to be gathered anew.
    fn commit(&mut self, batch: &[u32], lists: &[Lists], tally: &mut Tally) -> usize {
        let mut again = 0;
        for (nodes, lists) in batch.chunks(TASK).zip(lists) {
            let mut from = 0;
            for (&v, &end) in nodes.iter().zip(&lists.ends) {
                let stale = self.state[v as usize] == state::STALE;
                self.state[v as usize] = state::IDLE;
                if stale {
                    again += 1;
                    self.visit(v, tally);
                } else {
                    self.decide(v as usize, &lists.entries[from..end as usize]);
                }
                from = end as usize;
            }
        }
        again
    }

    /// Moves `v` where it gains most, given its weights to the communities around.
    #[inline(always)]
    fn decide(&mut self, v: usize, list: &[(u32, f64)]) {
        self.visits += 1;
        let own = self.partition.of[v];
        let node = self.level.mass[v];
        let w_own = weight_in(list, own);
        let alone = self.partition.members[own as usize] == 1;
        let rest = if alone {
            O::Mass::default()
        } else {
            let whole = self.partition.mass[own as usize];
            self.objective.leave(whole, node, w_own)
        };
        self.objective.taken(node, rest, w_own);
        let stay = self.objective.score(node, rest, w_own);
        let (mut best, mut best_score, mut best_w) = (own, self.bar(own, alone, stay), w_own);
        for &(c, w) in list {
            if c == own || !self.has_room(c, v) {
                continue;
            }
            let score = self
                .objective
                .score(node, self.partition.mass[c as usize], w);
            if score > best_score || (score == best_score && c < best && best != own) {
                (best, best_score, best_w) = (c, score, w);
            }
        }
        if self.rules.consider_all {
            for c in 0..self.partition.members.len() as u32 {
                if self.partition.members[c as usize] == 0
                    || c == own
                    || !self.has_room(c, v)
                    || list.iter().any(|e| e.0 == c)
                {
                    continue;
                }
                let score = self
                    .objective
                    .score(node, self.partition.mass[c as usize], 0.0);
                if score > best_score || (score == best_score && c < best && best != own) {
                    (best, best_score, best_w) = (c, score, 0.0);
                }
            }
        }
        if !alone {
            let score = self.objective.score(node, O::Mass::default(), 0.0);
            if score > best_score {
                // The list of free ids is never empty while a community has two
                // members.
                if let Some(&c) = self.partition.free.last() {
                    (best, best_w) = (c, 0.0);
                }
            }
        }
        if best == own {
            self.objective.placed(node, rest, w_own);
            if let Some(held) = self.partition.held.get_mut(v) {
                *held = w_own;
            }
        } else {
            self.shift(v, own, rest, best, best_w);
        }
    }

    /// What a candidate must exceed: staying, unless the own community is too big.
    #[inline(always)]
    fn bar(&self, own: u32, alone: bool, stay: f64) -> f64 {
        let sizes = &self.partition.sizes;
        if !sizes.is_empty() && !alone && sizes[own as usize] > self.rules.max_size {
            f64::NEG_INFINITY
        } else {
            stay + self.rules.tolerance
        }
    }

    #[inline(always)]
    fn has_room(&self, c: u32, v: usize) -> bool {
        let sizes = &self.partition.sizes;
        sizes.is_empty() || sizes[c as usize] + self.level.sizes[v] <= self.rules.max_size
    }

    fn shift(&mut self, v: usize, from: u32, rest: O::Mass, to: u32, w: f64) {
        let p = &mut *self.partition;
        let node = self.level.mass[v];
        let (a, b) = (from as usize, to as usize);
        self.objective.placed(node, p.mass[b], w);
        p.members[a] -= 1;
        p.mass[a] = rest;
        if p.members[b] == 0 {
            // A move into the empty community took the last free id.
            p.free.pop();
            p.mass[b] = node;
        } else {
            p.mass[b] = self.objective.join(p.mass[b], node, w);
        }
        p.members[b] += 1;
        if p.members[a] == 0 {
            p.free.push(from);
        }
        if !p.sizes.is_empty() {
            p.sizes[a] -= self.level.sizes[v];
            p.sizes[b] += self.level.sizes[v];
        }
        p.of[v] = to;
        self.moves += 1;
        let (targets, weights) = self.level.adjacency.row(v);
        if !p.held.is_empty() {
            p.held[v] = w;
            for (&t, &w) in targets.iter().zip(weights) {
                let c = p.of[t as usize];
                if c == to {
                    p.held[t as usize] += w.get();
                } else if c == from {
                    p.held[t as usize] -= w.get();
                }
            }
        }
        for &t in targets {
            match self.state[t as usize] {
                state::IDLE if p.of[t as usize] != to => {
                    self.state[t as usize] = state::QUEUED;
                    self.queue.push_back(t);
                }
                state::AHEAD => self.state[t as usize] = state::STALE,
                _ => {}
            }
        }
    }
}

#[inline(always)]
fn weight_in(list: &[(u32, f64)], community: u32) -> f64 {
    list.iter().find(|e| e.0 == community).map_or(0.0, |e| e.1)
}

/// The weights between `v` and the communities of its neighbours, summed in the
/// order of the adjacency, into an empty tally.
#[inline(always)]
fn gather<W: Weight, M>(level: &Level<W, M>, of: &[u32], v: usize, tally: &mut Tally) {
    let (targets, weights) = level.adjacency.row(v);
    let own = of[v];
    let inside = targets
        .iter()
        .position(|&t| of[t as usize] != own)
        .unwrap_or(targets.len());
    if inside == targets.len() {
        if inside > 0 {
            tally.add(own, level.adjacency.sums[v]);
        }
        return;
    }
    // Neighbours often come in runs of one community.
    let mut current = own;
    let mut sum: f64 = weights[..inside].iter().map(|w| w.get()).sum();
    let mut any = inside > 0;
    for (&t, &w) in targets[inside..].iter().zip(&weights[inside..]) {
        let c = of[t as usize];
        if c == current {
            sum += w.get();
        } else {
            if any {
                tally.add(current, sum);
            }
            (current, sum) = (c, w.get());
        }
        any = true;
    }
    tally.add(current, sum);
}
