//! Starts of the optimisation, each a rough pass and then whole iterations.
//!
//! From single cells, most of the work of a first iteration goes into cells that
//! wander between communities which are about to disappear. So a rough pass comes
//! before the first iteration: each cell is looked at twice at most before the
//! communities found so far become nodes, and only the levels above run to their
//! end. This takes a fraction of the time of an iteration, leads to better optima
//! on neighbour graphs, and leaves nothing open, as every iteration after it looks
//! at all cells until none moves. Its hierarchy also gives an order of the cells in
//! which neighbours lie close in memory; the graph is stored anew in that order.

use super::adjacency::Weight;
use super::engine::{nested_order, Engine, Plan};
use super::leiden::{LeidenOptions, MOST_ITERATIONS};
use super::level::Level;
use super::limits::dissolve_small;
use super::objective::Objective;
use super::quality::{consecutive, evaluate};
use super::setup::Job;
use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::rng::Stream;
use rand::RngCore;

/// An improvement up to this part of the total weight is rounding.
pub(super) const STABLE: f64 = 1e-12;
/// Visits per cell in the rough pass.
const ROUGH_VISITS: u64 = 2;
/// The rough pass draws as an iteration of its own.
const ROUGH: u64 = u64::MAX;

/// All starts of one run.
pub(super) struct Starts<'a> {
    pub exec: &'a Exec,
    pub plan: Plan,
    pub options: &'a LeidenOptions,
    /// Where to start: labels 0..k.
    pub labels: Vec<u32>,
    /// Sum of the absolute weights.
    pub magnitude: f64,
}

/// Where a start ended.
pub(super) struct Run {
    pub labels: Vec<u32>,
    pub quality: f64,
    pub converged: bool,
    pub history: Vec<f64>,
}

impl Job for Starts<'_> {
    type Out = Run;

    fn run<W: Weight, O: Objective>(
        self,
        mut level: Level<W, O::Mass>,
        objective: O,
    ) -> Result<Run> {
        let options = self.options;
        let rough = self.plan.refine && options.initial.is_none() && options.n_iterations != 0;
        let (mut order, mut first) = (None, None);
        if rough {
            let (labels, by_place) = self.rough(&level, &objective, 0)?;
            level = level.permuted(self.exec, &by_place)?;
            let mut there: Vec<u32> = try_with_capacity(labels.len(), "the labels")?;
            there.extend(by_place.iter().map(|&v| labels[v as usize]));
            (order, first) = (Some(by_place), Some(there));
        }
        let starts = self.exec.try_map_chunks(options.n_starts, 1, |s| {
            let start = s.start as u64;
            let labels = match &first {
                Some(labels) if start == 0 => labels.clone(),
                Some(_) => self.rough(&level, &objective, start)?.0,
                None => self.labels.clone(),
            };
            self.start(&level, objective.clone(), start, labels)
        })?;
        let best = starts.into_iter().reduce(|best, next| {
            // Ties go to the first.
            if next.quality > best.quality {
                next
            } else {
                best
            }
        });
        // There is at least one start; the options were checked.
        let mut best = best.ok_or(CoreError::Interrupted)?;
        if let Some(order) = order {
            let mut labels = try_filled(order.len(), 0u32, "the labels")?;
            for (&v, &label) in order.iter().zip(&best.labels) {
                labels[v as usize] = label;
            }
            best.labels = labels;
        }
        Ok(best)
    }
}

impl Starts<'_> {
    /// Labels from single cells, and the nested order of the cells.
    fn rough<W: Weight, O: Objective>(
        &self,
        level: &Level<W, O::Mass>,
        objective: &O,
        start: u64,
    ) -> Result<(Vec<u32>, Vec<u32>)> {
        let plan = Plan {
            visits: ROUGH_VISITS,
            ..self.plan.clone()
        };
        let mut engine = Engine::new(self.exec, plan, objective.clone());
        engine.seed = iteration_seed(self.options.seed, start, ROUGH);
        let mut labels = self.labels.clone();
        let mut trail = vec![];
        engine.iterate(level, &mut labels, Some(&mut trail))?;
        Ok((labels, nested_order(&trail)?))
    }

    fn start<W: Weight, O: Objective>(
        &self,
        level: &Level<W, O::Mass>,
        objective: O,
        start: u64,
        mut labels: Vec<u32>,
    ) -> Result<Run> {
        let (exec, options) = (self.exec, self.options);
        let until_stable = options.n_iterations < 0;
        let limit = usize::try_from(options.n_iterations).unwrap_or(MOST_ITERATIONS);
        exec.control().begin(if until_stable { 0 } else { limit });
        let judge = |labels: &[u32]| {
            let count = labels.iter().max().map_or(0, |&l| l as usize + 1);
            evaluate(exec, level, &objective, labels, count, self.plan.pair_scale)
        };
        let mut quality = judge(&labels)?;
        let stable = STABLE * self.magnitude * objective.gain_scale();
        let mut engine = Engine::new(exec, self.plan.clone(), objective.clone());
        let (mut converged, mut history) = (false, vec![]);
        while history.len() < limit && !(until_stable && converged) {
            engine.seed = iteration_seed(options.seed, start, history.len() as u64);
            let done = engine.iterate(level, &mut labels, None)?;
            exec.control().tick(1);
            let gain = done.quality - quality;
            // Initial labels beyond a size limit are worth more than what may stay.
            let lost = history.is_empty() && gain < -stable;
            converged = done.moves == 0 || (gain <= stable && !lost);
            // Sums of the same terms in another order may differ by rounding.
            quality = if gain.abs() <= stable {
                quality.max(done.quality)
            } else {
                done.quality
            };
            history.push(quality);
            if done.moves == 0 {
                break;
            }
        }
        let least = options.min_comm_size;
        if least > 0 {
            dissolve_small(level, &objective, &self.plan.rules, least, &mut labels)?;
            labels = consecutive(&labels)?.0;
            quality = judge(&labels)?;
        }
        Ok(Run {
            labels,
            quality,
            converged,
            history,
        })
    }
}

/// The key of everything drawn in one iteration of one start.
pub(super) fn iteration_seed(seed: u64, start: u64, iteration: u64) -> u64 {
    Stream::new(seed, 0x6C65_6964, start, iteration).next_u64()
}
