//! The forces on a few cells at a time.
//!
//! The pairs of cells that attract or repel in an epoch are first listed, then
//! their differences gathered, then all forces computed in plain loops over
//! arrays, which run in wide instructions, and last added up cell by cell. Each
//! cell's list is filled up to whole groups of eight with the cell itself (no
//! distance, no force), so every sum has the same eight lanes and the same tree on
//! any machine.

use super::density::Pull;
use super::edges::Edges;
use super::force::{clip, Curve};
use super::schedule;
use crate::error::{try_filled, Result};
use crate::rng::mix;
use crate::simd::LANES;
use std::ops::Range;

/// Cells per batch.
pub const BATCH: usize = 32;

/// Purpose-built memory of one thread: lists of pairs and what becomes of them.
#[derive(Debug)]
pub struct Batch<const D: usize> {
    /// Per entry of the batch's rows, whether its edge acts.
    act: Vec<u32>,
    /// Per pair, the other cell.
    target: Vec<u32>,
    /// Per pair, what the random draw starts from, or the share of the edge.
    mark: Vec<u32>,
    /// Per pair, where the other cell is.
    other: Vec<[f32; D]>,
    /// Per pair and coordinate: the difference, then the force.
    delta: [Vec<f32>; D],
    /// Per pair: the squared distance, then the factor of the difference.
    factor: Vec<f32>,
    /// Per pair, for densities: what the two cells add to the pull.
    pull: [Vec<f32>; 2],
    /// Per cell, where its pairs end.
    ends: [usize; BATCH],
    /// Per cell, how many edges act.
    due: [usize; BATCH],
    /// Per cell, the sum of its forces.
    pub total: [[f32; D]; BATCH],
}

/// What the forces of an epoch depend on.
#[derive(Debug, Clone, Copy)]
pub struct Forces<'a> {
    pub curve: Curve,
    pub t: u32,
    /// Key of the draws of this epoch.
    pub key: u64,
    /// Repelling cells per acting edge.
    pub negatives: f64,
    pub density: Option<&'a Pull>,
}

impl<const D: usize> Batch<D> {
    /// Memory for batches of at most `entries` edges. O(entries x negatives).
    ///
    /// # Errors
    /// `memory`.
    pub fn new(entries: usize, negatives: f64, density: bool) -> Result<Batch<D>> {
        let what = "the forces of the layout";
        let most = entries as f64 * negatives.max(1.0);
        // `as` saturates, and a length that cannot be had is an error below.
        let pairs = (most as usize).saturating_add(BATCH * (LANES + 1));
        let floats = |n: usize| try_filled(n, 0.0f32, what);
        let mut delta = [(); D].map(|()| Vec::new());
        for d in &mut delta {
            *d = floats(pairs)?;
        }
        let pulls = if density { pairs } else { 0 };
        Ok(Batch {
            act: try_filled(entries, 0, what)?,
            target: try_filled(pairs, 0, what)?,
            mark: try_filled(pairs, 0, what)?,
            other: try_filled(pairs, [0.0; D], what)?,
            delta,
            factor: floats(pairs)?,
            pull: [floats(pulls)?, floats(pulls)?],
            ends: [0; BATCH],
            due: [0; BATCH],
            total: [[0.0; D]; BATCH],
        })
    }

    /// Adds up the forces on the cells at `places` (at most [`BATCH`]) into
    /// `self.total`. `cell` names them, for their draws.
    #[inline(always)]
    pub fn forces(
        &mut self,
        edges: &Edges,
        cell: &[u32],
        position: &[[f32; D]],
        places: Range<usize>,
        forces: &Forces<'_>,
    ) {
        self.total = [[0.0; D]; BATCH];
        let pairs = self.list_due(edges, places.clone(), forces);
        self.gather(position, places.clone(), pairs);
        // An edge is stored for both its ends and moves them both.
        match forces.density {
            None => {
                forces.curve.attractions(&mut self.factor[..pairs]);
                self.clip(pairs);
                self.add(places.len(), 2.0);
            }
            Some(pull) => self.pulled(places.clone(), pairs, &forces.curve, pull),
        }
        let pairs = self.list_drawn(edges.cells(), cell, places.clone(), forces);
        self.gather(position, places.clone(), pairs);
        forces.curve.repulsions(&mut self.factor[..pairs]);
        self.clip(pairs);
        self.add(places.len(), 1.0);
    }

    /// Lists the neighbours whose edges act.
    #[inline(always)]
    fn list_due(&mut self, edges: &Edges, places: Range<usize>, forces: &Forces<'_>) -> usize {
        let entries = edges.entries(places.clone());
        let (_, shares) = edges.slices(entries.clone());
        let act = &mut self.act[..shares.len()];
        for (act, &share) in act.iter_mut().zip(shares) {
            *act = schedule::acts(share, forces.t);
        }
        let (target, mark) = (&mut self.target[..], &mut self.mark[..]);
        let mut next = 0;
        for (k, place) in places.enumerate() {
            let first = next;
            let row = edges.entries(place..place + 1);
            let act = &act[row.start - entries.start..row.end - entries.start];
            let (targets, shares) = edges.slices(row);
            // Every neighbour is written; one that does not act is overwritten.
            if forces.density.is_some() {
                for ((&t, &share), &act) in targets.iter().zip(shares).zip(act) {
                    target[next] = t;
                    mark[next] = share;
                    next += act as usize;
                }
            } else {
                for (&t, &act) in targets.iter().zip(act) {
                    target[next] = t;
                    next += act as usize;
                }
            }
            self.due[k] = next - first;
            let end = first + self.due[k].next_multiple_of(LANES);
            target[next..end].fill(place as u32);
            mark[next..end].fill(schedule::WHOLE);
            next = end;
            self.ends[k] = end;
        }
        next
    }

    /// Lists the cells drawn to repel: places from a two-round multiplicative hash
    /// of the number of the draw, keyed by the 64 bits of the cell's stream.
    #[inline(always)]
    fn list_drawn(
        &mut self,
        n: usize,
        cell: &[u32],
        places: Range<usize>,
        forces: &Forces<'_>,
    ) -> usize {
        const STEP: u32 = 0x9e37_79b9;
        let mut next = 0usize;
        let mut keys = [0u64; BATCH];
        let mut counts = [0usize; BATCH];
        for (k, place) in places.clone().enumerate() {
            keys[k] = mix(forces.key ^ mix(u64::from(cell[place])));
            counts[k] = draws(self.due[k], forces.negatives, keys[k]);
            let end = next + counts[k].next_multiple_of(LANES);
            // Numbered from the start of the cell, whatever stands before it.
            let from = (keys[k] as u32).wrapping_sub((next as u32).wrapping_mul(STEP));
            self.mark[next..end].fill(from);
            self.target[next..end].fill((keys[k] >> 32) as u32);
            next = end;
            self.ends[k] = end;
        }
        let n = n as u64;
        let (target, mark) = (&mut self.target[..next], &self.mark[..next]);
        for (i, (target, &from)) in target.iter_mut().zip(mark).enumerate() {
            let mut x = (i as u32).wrapping_mul(STEP).wrapping_add(from);
            x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d) ^ *target;
            x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
            x ^= x >> 16;
            *target = ((u64::from(x) * n) >> 32) as u32;
        }
        let mut first = 0;
        for (k, place) in places.enumerate() {
            target[first + counts[k]..self.ends[k]].fill(place as u32);
            first = self.ends[k];
        }
        next
    }

    /// Differences of all pairs and their squared lengths.
    #[inline(always)]
    fn gather(&mut self, position: &[[f32; D]], places: Range<usize>, pairs: usize) {
        let other = &mut self.other[..pairs];
        for (other, &t) in other.iter_mut().zip(&self.target[..pairs]) {
            *other = position[t as usize];
        }
        let mut first = 0;
        for (place, &end) in places.zip(&self.ends) {
            let at = position[place];
            for d in 0..D {
                let delta = &mut self.delta[d][first..end];
                for (x, other) in delta.iter_mut().zip(&other[first..end]) {
                    *x = at[d] - other[d];
                }
            }
            first = end;
        }
        let d2 = &mut self.factor[..pairs];
        d2.fill(0.0);
        for delta in &self.delta {
            for (d2, &x) in d2.iter_mut().zip(delta) {
                *d2 += x * x;
            }
        }
    }

    /// Turns differences into clipped forces.
    #[inline(always)]
    fn clip(&mut self, pairs: usize) {
        for delta in &mut self.delta {
            for (x, &g) in delta[..pairs].iter_mut().zip(&self.factor) {
                *x = clip(g * *x);
            }
        }
    }

    /// The attraction together with the pull towards the density of the data.
    #[inline(always)]
    fn pulled(&mut self, places: Range<usize>, pairs: usize, curve: &Curve, pull: &Pull) {
        let mut first = 0;
        for (k, place) in places.clone().enumerate() {
            for i in first..self.ends[k] {
                let t = self.target[i] as usize;
                self.pull[0][i] = pull.spread[place] + pull.spread[t];
                self.pull[1][i] = pull.mass[place] + pull.mass[t];
            }
            first = self.ends[k];
        }
        let [spread, mass] = &mut self.pull;
        let shares = self.mark[..pairs].iter();
        let d2 = self.factor[..pairs].iter();
        for (((&d2, &share), spread), &mass) in d2.zip(shares).zip(&mut *spread).zip(&*mass) {
            *spread = pull.factor(curve, d2, share, *spread, mass);
        }
        curve.attractions(&mut self.factor[..pairs]);
        for delta in &mut self.delta {
            let factors = self.factor.iter().zip(&*spread);
            for (x, (&g, &h)) in delta[..pairs].iter_mut().zip(factors) {
                *x = clip(g * *x) + clip(h * *x);
            }
        }
        self.add(places.len(), 2.0);
    }

    /// Adds `times` the forces of each cell to its total.
    #[inline(always)]
    fn add(&mut self, cells: usize, times: f32) {
        for (d, force) in self.delta.iter().enumerate() {
            let mut first = 0;
            for k in 0..cells {
                let mut lanes = [0.0f32; LANES];
                for group in force[first..self.ends[k]].chunks_exact(LANES) {
                    for l in 0..LANES {
                        lanes[l] += group[l];
                    }
                }
                self.total[k][d] += times * tree(lanes);
                first = self.ends[k];
            }
        }
    }
}

/// Adds the lanes pairwise, in the order of [`crate::simd::tree`].
#[inline(always)]
fn tree(s: [f32; LANES]) -> f32 {
    ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

/// How many cells repel, when `due` edges act: a whole number whose mean is
/// `due * rate`.
#[inline(always)]
fn draws(due: usize, rate: f64, key: u64) -> usize {
    let part = (key >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0);
    (due as f64 * rate + part) as usize
}
