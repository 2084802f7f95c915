//! The nearest neighbours of many cells, approximately: a neighbour of a neighbour is
//! likely a neighbour (NN-descent; Dong, Moses & Li 2011), for groups of cells.
//!
//! One random projection tree puts the cells in an order in which near cells stand
//! near each other; its leaves are the groups. Each group is compared as a block
//! (1) with the cells that share most leaves with it in further trees, (2) with the
//! cells to which most paths of two steps lead from it and that it has not met; then
//! (3) each cell is compared by itself with what remains two steps away, directions
//! ignored, and as long as enough changes with what is two steps away along a new
//! link. What is kept are the best candidates of a set under the total order (value,
//! cell), and the sets of a round depend on the links before it alone, so nothing
//! depends on how the work is scheduled. The candidates that are left are measured
//! again in double precision.
//!
//! A group meets a bounded number of cells per step, so the comparisons grow in
//! proportion to the number of cells.

use super::block::{Block, Entry, FREE};
use super::forest::{self, Growth, Tree};
use super::knn::{join, measure, Knn};
use super::links::{Links, Single};
use super::points::Points;
use super::rows::Rows;
use super::tally::Tally;
use super::tile;
use crate::error::{try_filled, Result};
use crate::exec::{split_at_bounds, Exec};
use std::ops::Range;

/// Cells per group at most.
const GROUP: usize = 64;
/// Further trees, and cells per leaf of them at most.
const TREES: usize = 8;
const LEAF: usize = 256;
/// Cells that a group meets through the trees, and two steps away.
const FIRST: usize = 1536;
const SECOND: usize = 128;
/// Rounds of single cells at most, and the part of the candidates that must change
/// for another one.
const ROUNDS: usize = 6;
const CHANGED: f64 = 0.005;
/// Candidates beyond those asked for, and at least.
const SPARE: usize = 8;
const KEEP: usize = 32;
/// Tasks per pass at most: each clears a table of all cells.
const TASKS: usize = 512;

/// Fewer cells than this many times the candidates are compared in pairs.
const SMALL: usize = 16;

/// Whether the search would see a large part of all pairs anyway.
pub fn is_small(n: usize, k: usize) -> bool {
    n < (SMALL * kept(k)).max(2 * FIRST)
}

fn kept(k: usize) -> usize {
    (k + SPARE).max(KEEP)
}

/// The `k` nearest others of each cell, most of them right, and how many distances
/// were computed. O(n (k + d)) comparisons and memory for n cells.
///
/// # Errors
/// `memory`, `interrupted`.
pub(super) fn search(exec: &Exec, points: &Points, k: usize, seed: u64) -> Result<(Knn, u64)> {
    debug_assert!(points.metric.has_tiles() && !is_small(points.n, k));
    let mut descent = Descent::new(exec, points, k, seed)?;
    descent.plant(exec, seed)?;
    descent.round(exec)?;
    descent.settle(exec)?;
    let knn = descent.finish(exec, points, k)?;
    let measured = (points.n * descent.keep) as u64;
    Ok((knn, descent.computed + measured))
}

/// The state of a search; cells are numbered by the first tree.
struct Descent {
    kind: u8,
    keep: usize,
    rows: Rows,
    /// The input's number of each cell.
    order: Vec<u32>,
    /// Where each group begins; one more entry than groups.
    groups: Vec<usize>,
    /// n x keep candidates, ascending.
    pools: Vec<Entry>,
    /// n x keep: which candidates the last round brought.
    fresh: Vec<bool>,
    /// What each group has met.
    met: Vec<Vec<u32>>,
    computed: u64,
}

/// The groups of one task, and what belongs to them.
struct Part<'a> {
    groups: Range<usize>,
    /// The first cell of the task.
    start: usize,
    pools: &'a mut [Entry],
    fresh: &'a mut [bool],
    met: &'a mut [Vec<u32>],
    /// Distances computed and links changed.
    count: &'a mut (u64, u64),
}

impl Descent {
    fn new(exec: &Exec, points: &Points, k: usize, seed: u64) -> Result<Descent> {
        let given = Rows::new(exec, points)?;
        let growth = Growth {
            seed,
            first: 0,
            leaf: GROUP,
            steered: true,
        };
        let mut trees = forest::grow(exec, &given, 1, growth)?;
        let Tree { order, bounds } = trees.swap_remove(0);
        let rows = given.permuted(&order)?;
        let keep = kept(k);
        let count = bounds.len() - 1;
        Ok(Descent {
            kind: tile::kind(points.metric),
            keep,
            rows,
            order,
            groups: bounds,
            pools: try_filled(points.n * keep, FREE, "the neighbours")?,
            fresh: try_filled(points.n * keep, true, "the neighbours")?,
            met: try_filled(count, Vec::new(), "the search")?,
            computed: 0,
        })
    }

    /// Runs `f` on runs of groups, in parallel; how many links changed.
    fn parts<F>(&mut self, exec: &Exec, f: F) -> Result<u64>
    where
        F: Fn(&Rows, &[usize], Part<'_>) -> Result<()> + Sync,
    {
        let (rows, groups, keep) = (&self.rows, &self.groups, self.keep);
        let total = groups.len() - 1;
        let per = total.div_ceil(TASKS).max(4);
        let runs = total.div_ceil(per);
        let starts: Vec<usize> = (0..=runs).map(|t| groups[(t * per).min(total)]).collect();
        let slots: Vec<usize> = starts.iter().map(|s| s * keep).collect();
        let mut counts = vec![(0u64, 0u64); runs];
        exec.control().begin(total);
        let tasks = split_at_bounds(&mut self.pools, &slots)
            .into_iter()
            .zip(split_at_bounds(&mut self.fresh, &slots))
            .zip(self.met.chunks_mut(per))
            .zip(&mut counts)
            .enumerate()
            .map(|(t, (((pools, fresh), met), count))| Part {
                groups: t * per..((t + 1) * per).min(total),
                start: starts[t],
                pools,
                fresh,
                met,
                count,
            })
            .collect();
        exec.for_each(tasks, |part: Part<'_>| {
            let done = part.groups.len();
            f(rows, groups, part)?;
            exec.control().tick(done);
            Ok(())
        })?;
        self.computed += counts.iter().map(|c| c.0).sum::<u64>();
        Ok(counts.iter().map(|c| c.1).sum())
    }

    /// Compares each group with the `room` cells that `see` tallied most and that it
    /// has not met.
    fn meet<F>(&mut self, exec: &Exec, room: usize, see: F) -> Result<()>
    where
        F: Fn(Range<usize>, &mut Tally, &mut Vec<(u32, u16)>) + Sync,
    {
        let (kind, keep, n) = (self.kind, self.keep, self.rows.n);
        self.parts(exec, |rows, groups, part| {
            let mut tally = Tally::new(n)?;
            let (mut block, mut near, mut others) = (Block::default(), Vec::new(), Vec::new());
            for (g, met) in part.groups.zip(part.met) {
                exec.check()?;
                let cells = groups[g]..groups[g + 1];
                see(cells.clone(), &mut tally, &mut near);
                tally.take(met, room, &mut others);
                met.extend_from_slice(&others);
                part.count.0 += (cells.len() * others.len()) as u64;
                let at = (cells.start - part.start) * keep;
                let pools = &mut part.pools[at..at + cells.len() * keep];
                block.join(rows, kind, cells, &others, pools, keep);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Step 1: the cells that share most leaves with a group.
    fn plant(&mut self, exec: &Exec, seed: u64) -> Result<()> {
        let growth = Growth {
            seed,
            first: 1,
            // Leaves hold more cells than are kept, so that all pools fill.
            leaf: LEAF.max(2 * self.keep + 2),
            steered: false,
        };
        let trees = forest::grow(exec, &self.rows, TREES, growth)?;
        let mut leaf_of = Vec::with_capacity(TREES);
        for tree in &trees {
            let mut of = try_filled(self.rows.n, 0u32, "the trees")?;
            for (l, w) in tree.bounds.windows(2).enumerate() {
                for &i in &tree.order[w[0]..w[1]] {
                    of[i as usize] = l as u32;
                }
            }
            leaf_of.push(of);
        }
        let room = FIRST.max(4 * self.keep);
        self.meet(exec, room, |cells, tally, leaves| {
            for i in cells.clone() {
                tally.add(i as u32, 1);
            }
            for (tree, of) in trees.iter().zip(&leaf_of) {
                leaves.clear();
                leaves.extend(of[cells.clone()].iter().map(|&l| (l, 0)));
                leaves.sort_unstable();
                for same in leaves.chunk_by(|a, b| a == b) {
                    let l = same[0].0 as usize;
                    for &j in &tree.order[tree.bounds[l]..tree.bounds[l + 1]] {
                        tally.add(j, same.len() as u16);
                    }
                }
            }
        })
    }

    /// Step 2: the cells to which most paths of one or two steps lead.
    fn round(&mut self, exec: &Exec) -> Result<()> {
        let mut links = Links::new(&self.pools, &self.fresh, self.keep)?;
        links.turn(exec)?;
        let room = SECOND.max(2 * self.keep);
        self.meet(exec, room, |cells, tally, near| {
            for i in cells {
                tally.add(i as u32, 1);
                for &j in links.of(i).iter().chain(links.back(i)) {
                    tally.add(j, 1);
                }
            }
            tally.copy_to(near);
            for &(j, times) in near.iter() {
                for &l in links.of(j as usize) {
                    tally.add(l, times);
                }
            }
        })
    }

    /// Step 3: rounds of single cells, until few links change.
    fn settle(&mut self, exec: &Exec) -> Result<()> {
        let (keep, kind, n) = (self.keep, self.kind, self.rows.n);
        for round in 0..ROUNDS {
            let mut links = Links::new(&self.pools, &self.fresh, keep)?;
            let all = round == 0;
            if all {
                links.turn(exec)?;
            }
            let changed = self.parts(exec, |rows, groups, part| {
                let mut marks = try_filled(n, false, "the search")?;
                let mut single = Single::new(rows, kind, &links, all);
                for (g, met) in part.groups.zip(part.met) {
                    exec.check()?;
                    met.iter().for_each(|&j| marks[j as usize] = true);
                    for i in groups[g]..groups[g + 1] {
                        let at = (i - part.start) * keep;
                        let pool = &mut part.pools[at..at + keep];
                        let fresh = &mut part.fresh[at..at + keep];
                        let (computed, changed) = single.search(i, &mut marks, pool, fresh);
                        part.count.0 += computed;
                        part.count.1 += changed;
                    }
                    met.iter().for_each(|&j| marks[j as usize] = false);
                }
                Ok(())
            })?;
            if changed as f64 <= CHANGED * (n * keep) as f64 {
                break;
            }
        }
        Ok(())
    }

    /// The candidates in double precision, in the order of the input.
    fn finish(&self, exec: &Exec, points: &Points, k: usize) -> Result<Knn> {
        let n = points.n;
        let mut place = try_filled(n, 0u32, "the neighbours")?;
        for (at, &i) in self.order.iter().enumerate() {
            place[i as usize] = at as u32;
        }
        let parts = exec.map_chunks(n, GROUP, |cells| {
            let mut indices = Vec::with_capacity(cells.len() * k);
            let mut distances = Vec::with_capacity(cells.len() * k);
            let (mut found, mut measured) = (Vec::new(), Vec::new());
            for i in cells {
                let from = place[i] as usize * self.keep;
                let pool = &self.pools[from..from + self.keep];
                found.clear();
                found.extend(pool.iter().map(|e| self.order[e.1 as usize]));
                measure(points, i, points, &found, &mut measured);
                indices.extend(measured[..k].iter().map(|m| m.1));
                distances.extend(measured[..k].iter().map(|m| m.0 as f32));
            }
            (indices, distances)
        })?;
        join(parts, n, k)
    }
}
