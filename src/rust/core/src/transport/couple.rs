//! Couplings of many pairs of time points, from points to sparse matrices.
//!
//! All pairs are solved first, keeping the potentials only, because the automatic
//! threshold depends on all of them; then each coupling is written. The costs of a
//! pair are made again for that: packing points is nothing beside a pass.

use super::certificate::Certificate;
use super::cost::{Cost, Labels};
use super::emit::{Kept, Plan, Rule, LOST};
use super::groups;
use super::growth::{grow, Rounds};
use super::pass::Potentials;
use super::points::Points;
use super::rank::{largest, middle_ranks, order_statistics};
use super::sample::sample_start;
use super::sinkhorn::{Marginals, Options, Start, STEPS};
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::math;
use crate::sparse::csr::CscSlots;
use ndarray::ArrayView2;

/// Where the costs of a pair come from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// Squared distances of source and target points, cells x dimensions.
    Points(ArrayView2<'a, f64>, ArrayView2<'a, f64>),
    /// Costs, sources x targets, used as they are.
    Given(ArrayView2<'a, f64>),
}

/// One pair of time points.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    pub source: Source<'a>,
    /// Growth per unit time of each source cell, positive.
    pub growth: &'a [f64],
    /// Time between the two.
    pub delta_t: f64,
}

/// What squared distances are divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    Median,
    Mean,
    Max,
    Fixed(f64),
}

/// Which entries of the couplings are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// At least the smallest row maximum of all couplings.
    Auto,
    /// At least the smallest row maximum of the coupling.
    Local,
    /// At least a percentile of the coupling's entries.
    Percentile(f64),
    /// All.
    All,
    /// In each row the largest that hold this share of it.
    RowMass(f64),
}

/// Everything that is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoupleOptions {
    pub solver: Options,
    pub scale: Scale,
    /// Groups of the coarse correction; 0 for no correction.
    pub groups: usize,
    pub growth_iters: usize,
    pub threshold: Threshold,
    /// Whether to measure the residual of the columns, by one more pass.
    pub columns: bool,
    /// Problems with more pairs start from a sample.
    pub sample_above: f64,
    /// Key of that sample.
    pub seed: u64,
}

/// What is known of one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    pub certificate: Certificate,
    pub iterations: usize,
    pub converged: bool,
}

/// A finished coupling.
#[derive(Debug, Clone, PartialEq)]
pub struct Coupling {
    /// The kept entries of T, sources x targets.
    pub matrix: CscSlots,
    /// Share of each row's sum that is kept; not a number for lost cells.
    pub share: Vec<f64>,
    /// Source cells without descendants.
    pub lost: Vec<usize>,
    /// Growth per unit time before and after each round.
    pub growth: Vec<Vec<f64>>,
    pub rounds: Vec<Round>,
    pub scale: f64,
    pub f: Vec<f64>,
    pub g: Vec<f64>,
}

/// A pair that has been solved.
struct Solved {
    rounds: Rounds,
    scale: f64,
    lost: Vec<bool>,
    /// Least of the row maxima, where the threshold wants it.
    least: f64,
}

/// Couples all pairs. Per pair two passes per iteration, two for the median, one
/// or two for the threshold and one for the entries; a pass is about
/// `n1 n2 (2 d + 20)` operations. Memory 4 d (n1 + n2) bytes, 64 (n1 + n2) of
/// potentials, and the kept entries.
///
/// # Errors
/// `range` for points or costs that cannot be used and a scale of zero, `memory`,
/// `interrupted`. Not to converge is no error: see [`Round::converged`].
pub fn couple(exec: &Exec, pairs: &[Pair<'_>], options: &CoupleOptions) -> Result<Vec<Coupling>> {
    let rounds = options.growth_iters.max(1);
    exec.control().begin(pairs.len() * rounds * STEPS);
    let solved = pairs
        .iter()
        .map(|pair| solve_pair(exec, pair, options))
        .collect::<Result<Vec<Solved>>>()?;
    let least = solved.iter().fold(f64::INFINITY, |m, s| m.min(s.least));
    pairs
        .iter()
        .zip(solved)
        .map(|(pair, solved)| write_pair(exec, pair, solved, least, options))
        .collect()
}

fn solve_pair(exec: &Exec, pair: &Pair<'_>, options: &CoupleOptions) -> Result<Solved> {
    let solver = Options {
        correct: options.groups > 0,
        ..options.solver
    };
    let (cost, scale, start) = match pair.source {
        Source::Given(c) => {
            let labels = groups::of_costs(exec, c, wanted(options, c.dim()))?;
            (Cost::given(c, solver.epsilon, &labels)?, 1.0, None)
        }
        Source::Points(x, y) => {
            let points = Points::new(x, y)?;
            let size = (x.nrows(), y.nrows());
            let scale = scale_of(exec, &points, size, options.scale)?;
            let labels = groups::of_points(exec, &points, wanted(options, size))?;
            let factor = 1.0 / (scale * solver.epsilon).sqrt();
            let start = first_start(exec, pair, &points, factor, options, &solver)?;
            let cost = Cost::of_points(exec, &points, factor, &labels)?;
            (cost, scale, start)
        }
    };
    let rounds = grow(
        exec,
        &cost,
        (pair.growth, pair.delta_t),
        options.growth_iters,
        start,
        &solver,
        options.columns,
    )?;
    let lost = lost_cells(&rounds, pair.delta_t);
    drop(cost);
    let mut solved = Solved {
        rounds,
        scale,
        lost,
        least: f64::INFINITY,
    };
    if matches!(options.threshold, Threshold::Auto | Threshold::Local) {
        solved.least = with_plan(exec, pair, &solved, options, |plan| {
            plan.least_maximum(exec)
        })?;
    }
    Ok(solved)
}

/// Groups to ask for: never more than cells of either side.
fn wanted(options: &CoupleOptions, (n1, n2): (usize, usize)) -> usize {
    options.groups.clamp(1, n1.min(n2).max(1))
}

fn first_start(
    exec: &Exec,
    pair: &Pair<'_>,
    points: &Points<'_>,
    factor: f64,
    options: &CoupleOptions,
    solver: &Options,
) -> Result<Option<Start>> {
    let Source::Points(x, y) = pair.source else {
        return Ok(None);
    };
    if x.nrows() as f64 * y.nrows() as f64 <= options.sample_above {
        return Ok(None);
    }
    let log_p: Vec<f64> = pair
        .growth
        .iter()
        .map(|&g| pair.delta_t * math::ln(g))
        .collect();
    let mean = log_p.iter().map(|&v| math::exp(v)).sum::<f64>() / log_p.len() as f64;
    let log_q = vec![math::ln(mean); y.nrows()];
    let marginals = Marginals {
        log_p: &log_p,
        log_q: &log_q,
    };
    let (groups, seed) = (options.groups, options.seed);
    sample_start(exec, points, factor, groups, marginals, solver, seed).map(Some)
}

/// Source cells that kept next to nothing of their prior number of descendants.
fn lost_cells(rounds: &Rounds, delta_t: f64) -> Vec<bool> {
    let limit = math::ln(LOST);
    let log_r = rounds.solutions.last().map_or(&[][..], |s| &s.log_r);
    let prior = rounds.growth.first().map_or(&[][..], |g| g);
    let lost = |(r, g): (&f64, &f64)| *r < limit + delta_t * math::ln(*g);
    log_r.iter().zip(prior).map(lost).collect()
}

/// The scale of squared distances.
fn scale_of(
    exec: &Exec,
    points: &Points<'_>,
    (n1, n2): (usize, usize),
    scale: Scale,
) -> Result<f64> {
    let value = match scale {
        Scale::Fixed(value) => value,
        Scale::Mean => points.mean_square()?,
        Scale::Median | Scale::Max => {
            let labels = Labels::one(n1, n2)?;
            let cost = Cost::of_points(exec, points, 1.0 / points.unit, &labels)?;
            let found = if scale == Scale::Max {
                f64::from(largest(exec, cost.view())?)
            } else {
                let ranks = middle_ranks(n1 as u64 * n2 as u64);
                let found = order_statistics(exec, cost.view(), &ranks, |_, _, c| c)?;
                (f64::from(found[0]) + f64::from(found[1])) / 2.0
            };
            found * points.unit * points.unit
        }
    };
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(CoreError::Range {
        what: "the scale of the squared distances between the two time points".into(),
        value,
        allowed: "positive; too many cells have equal coordinates".into(),
    })
}

/// Runs `f` on the plan of a solved pair.
fn with_plan<R>(
    exec: &Exec,
    pair: &Pair<'_>,
    solved: &Solved,
    options: &CoupleOptions,
    f: impl FnOnce(&Plan<'_>) -> Result<R>,
) -> Result<R> {
    let epsilon = options.solver.epsilon;
    let cost = match pair.source {
        Source::Given(c) => Cost::given(c, epsilon, &Labels::one(c.nrows(), c.ncols())?)?,
        Source::Points(x, y) => {
            let factor = 1.0 / (solved.scale * epsilon).sqrt();
            let labels = Labels::one(x.nrows(), y.nrows())?;
            Cost::of_points(exec, &Points::new(x, y)?, factor, &labels)?
        }
    };
    let Some(last) = solved.rounds.solutions.last() else {
        return Err(CoreError::NoState {
            reason: "no round of growth was solved".into(),
        });
    };
    let over = |values: &[f64]| -> Vec<f64> { values.iter().map(|v| v / epsilon).collect() };
    let rows = cost
        .view()
        .rows()
        .spread(&over(&last.f), f64::NEG_INFINITY)?;
    let cols = cost
        .view()
        .cols()
        .spread(&over(&last.g), f64::NEG_INFINITY)?;
    f(&Plan {
        view: cost.view(),
        at: Potentials {
            rows: &rows,
            cols: &cols,
        },
        log_r: &last.log_r,
        lost: &solved.lost,
    })
}

fn write_pair(
    exec: &Exec,
    pair: &Pair<'_>,
    solved: Solved,
    least: f64,
    options: &CoupleOptions,
) -> Result<Coupling> {
    let Kept { slots, share } = with_plan(exec, pair, &solved, options, |plan| {
        let rule = match options.threshold {
            Threshold::Auto => Rule::Above(least),
            Threshold::Local => Rule::Above(solved.least),
            Threshold::Percentile(percent) => plan.percentile(exec, percent)?,
            Threshold::All => Rule::All,
            Threshold::RowMass(share) => Rule::RowMass(share),
        };
        plan.emit(exec, rule)
    })?;
    let mut solutions = solved.rounds.solutions;
    let rounds = solutions.iter().map(|s| Round {
        certificate: s.certificate,
        iterations: s.iterations,
        converged: s.converged,
    });
    let rounds = rounds.collect();
    let (f, g) = solutions
        .pop()
        .map_or_else(Default::default, |s| (s.f, s.g));
    let lost = solved.lost.iter().enumerate().filter(|l| *l.1);
    Ok(Coupling {
        matrix: slots,
        share,
        lost: lost.map(|l| l.0).collect(),
        growth: solved.rounds.growth,
        rounds,
        scale: solved.scale,
        f,
        g,
    })
}
