//! Moments and velocities of all genes, eight at a time.
//!
//! For eight genes: read the counts of all cells, average them over neighbours, fit
//! each gene, write the results. A thread holds about 410 bytes per cell, and no
//! other array of cells x genes exists beside the results. A gene is computed by one
//! thread in a fixed order, so threads change nothing.

use super::fit::{Choice, Fitter};
use super::layer::{same_size, Flaw, Layer};
use super::places::Cells;
use super::quantile::quantile;
use super::source::Source;
use super::steady_state::SteadyOptions;
use super::stochastic::StochasticOptions;
use super::weights::Weights;
use super::write::{write_moments, write_velocities, Lines, Sinks};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::simd::LANES;
use ndarray::{ArrayViewMut2, Axis};
use std::ops::Range;

/// Genes of a task: whole pages of the result rather than single lines of it.
const TASK: usize = 8 * LANES;

/// What velocities are estimated from.
#[derive(Debug)]
pub struct Input<'a, 'd> {
    pub spliced: &'a Layer<'d>,
    pub unspliced: &'a Layer<'d>,
    /// What the counts of each cell are divided by, spliced and unspliced.
    pub divisors: [Option<&'a [f64]>; 2],
    /// First moments, where they are given.
    pub moments: Option<[&'a Layer<'d>; 2]>,
    /// Whom cells are averaged with.
    pub weights: Option<&'a Weights>,
    /// The same for second moments, where it differs.
    pub second: Option<&'a Weights>,
    /// Fit the counts themselves instead of their first moments.
    pub use_raw: bool,
}

/// Cells that share a fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// All of them, ascending.
    pub cells: Vec<u32>,
    /// Those that the line is fitted to; None for all.
    pub fit: Option<Vec<u32>>,
}

/// How velocities are estimated.
#[derive(Debug)]
pub struct Plan<'a> {
    /// None: moments only.
    pub steady: Option<&'a SteadyOptions>,
    /// None: the deterministic mode.
    pub stochastic: Option<StochasticOptions>,
    /// None: all cells are one group.
    pub groups: Option<&'a [Group]>,
    /// Genes that may be selected; None for all.
    pub allowed: Option<&'a [bool]>,
    /// Which genes the stochastic mode fits again, group by group; None for those
    /// that the steady state selects.
    pub refit: Option<&'a [bool]>,
}

impl Plan<'_> {
    /// Moments and nothing else.
    pub fn moments() -> Self {
        Plan {
            steady: None,
            stochastic: None,
            groups: None,
            allowed: None,
            refit: None,
        }
    }
}

/// Where results go: cells x genes, rows contiguous.
#[derive(Debug, Default)]
pub struct Output<'a> {
    pub spliced: Option<ArrayViewMut2<'a, f64>>,
    pub unspliced: Option<ArrayViewMut2<'a, f64>>,
    pub velocity: Option<ArrayViewMut2<'a, f64>>,
    pub variance: Option<ArrayViewMut2<'a, f64>>,
}

/// The fit of a gene in a group.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GeneFit {
    pub gamma: f64,
    /// Gamma of the steady state.
    pub ratio: f64,
    pub offset: f64,
    pub offset2: f64,
    pub r2: f64,
    pub selected: bool,
    /// Fitted again by the stochastic mode.
    pub refitted: bool,
    /// To be fitted again, but without residuals that could be weighed.
    pub degenerate: bool,
}

/// What came out beside the arrays.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Genes of the first group, then those of the next.
    pub fits: Vec<GeneFit>,
    /// Genes whose given moments are not finite, spliced and unspliced.
    pub not_finite: [Vec<Flaw>; 2],
}

/// Moments, fits and velocities of all genes; `output` is filled as far as asked
/// for, with 0 in cells that are in no group. O((edges + cells) x genes).
///
/// # Errors
/// `shape`, `memory`, `interrupted`. The output is then partly written.
pub fn estimate(exec: &Exec, input: &Input, plan: &Plan, output: Output) -> Result<Estimate> {
    check(input, plan, &output)?;
    let genes = input.spliced.genes();
    let groups = plan.groups.map_or(1, <[Group]>::len);
    let cells = Cells::new(input, plan)?;
    let owner = cells.owner.as_deref();
    let input = &Input {
        weights: cells.weights.as_ref(),
        second: cells.second.as_ref(),
        ..*input
    };
    let plan = &Plan {
        groups: cells.groups.as_deref(),
        ..*plan
    };
    let what = "the fits of the genes";
    let mut fits = try_filled(genes * groups, GeneFit::default(), what)?;
    let mut bad = try_filled(genes, [0usize; 2], what)?;
    let tasks: Vec<Task> = fits
        .chunks_mut(TASK * groups)
        .zip(bad.chunks_mut(TASK))
        .zip(output.by_task(genes.div_ceil(TASK)))
        .enumerate()
        .map(|(t, ((fits, bad), sinks))| Task {
            genes: t * TASK..((t + 1) * TASK).min(genes),
            fits,
            bad,
            sinks,
        })
        .collect();
    exec.control().begin(genes.div_ceil(LANES));
    exec.for_each(tasks, |task| {
        task.run(exec, input, plan, (&cells.order, owner))
    })?;
    let flaws = |k: usize| {
        let counts = bad.iter().map(|b| b[k]).enumerate();
        let flaw = |(gene, count)| Flaw { gene, count };
        counts.filter(|&(_, count)| count > 0).map(flaw).collect()
    };
    Ok(Estimate {
        // Genes lie together in a task, groups in a result.
        fits: (0..groups)
            .flat_map(|g| (0..genes).map(move |gene| gene * groups + g))
            .map(|at| fits[at])
            .collect(),
        not_finite: [flaws(0), flaws(1)],
    })
}

/// The genes to take when hardly one is fitted well: those whose r2 exceeds the 80th
/// percentile of all; and that percentile.
pub fn best_fitted(r2: &[f64]) -> (f64, Vec<bool>) {
    let threshold = quantile(r2, 80.0, &mut Vec::new());
    (threshold, r2.iter().map(|&r| r > threshold).collect())
}

fn check(input: &Input, plan: &Plan, output: &Output) -> Result<()> {
    let (n, genes) = (input.spliced.cells(), input.spliced.genes());
    same_size("the unspliced counts", input.spliced, input.unspliced)?;
    for m in input.moments.into_iter().flatten() {
        same_size("the moments", input.spliced, m)?;
    }
    let fits = |what: &str, found: usize, expected: usize| {
        if found == expected {
            return Ok(());
        }
        Err(CoreError::Shape {
            what: what.into(),
            expected,
            found,
        })
    };
    for divisors in input.divisors.into_iter().flatten() {
        fits("the divisors of the cells", divisors.len(), n)?;
    }
    for weights in [input.weights, input.second].into_iter().flatten() {
        fits("the graph of the neighbours", weights.cells(), n)?;
    }
    let first = input.moments.is_none() && !input.use_raw;
    if (first || plan.stochastic.is_some()) && input.weights.is_none() {
        fits("the graph of the neighbours", 0, n)?;
    }
    if let Some(allowed) = plan.allowed {
        fits("the genes that may be selected", allowed.len(), genes)?;
    }
    let groups = plan.groups.map_or(1, <[Group]>::len);
    if let Some(refit) = plan.refit {
        fits("the genes to be fitted again", refit.len(), genes * groups)?;
    }
    for view in output.views().into_iter().flatten() {
        fits("the cells of a result", view.nrows(), n)?;
        fits("the genes of a result", view.ncols(), genes)?;
        if genes > 1 {
            fits("the step of a result", view.strides()[1].unsigned_abs(), 1)?;
        }
    }
    Ok(())
}

impl<'a> Output<'a> {
    fn views(&self) -> [Option<&ArrayViewMut2<'a, f64>>; 4] {
        [
            self.spliced.as_ref(),
            self.unspliced.as_ref(),
            self.velocity.as_ref(),
            self.variance.as_ref(),
        ]
    }

    /// Disjoint parts, one for the genes of each task.
    fn by_task(self, tasks: usize) -> Vec<Sinks<'a>> {
        let mut parts: Vec<Sinks> = (0..tasks).map(|_| Sinks::default()).collect();
        let views = [self.spliced, self.unspliced, self.velocity, self.variance];
        for (k, view) in views.into_iter().enumerate() {
            let Some(mut rest) = view else { continue };
            for part in &mut parts {
                let width = TASK.min(rest.ncols());
                let (head, tail) = rest.split_at(Axis(1), width);
                part[k] = Some(head);
                rest = tail;
            }
        }
        parts
    }
}

/// Consecutive genes and all that belongs to them.
struct Task<'a, 'o> {
    genes: Range<usize>,
    /// Group by group within a gene.
    fits: &'a mut [GeneFit],
    /// Given moments that are not finite, spliced and unspliced.
    bad: &'a mut [[usize; 2]],
    sinks: Sinks<'o>,
}

impl Task<'_, '_> {
    fn run(
        mut self,
        exec: &Exec,
        input: &Input,
        plan: &Plan,
        (order, owner): (&[u32], Option<&[u32]>),
    ) -> Result<()> {
        let second = plan.stochastic.is_some();
        let mut source = Source::new(input, second, self.genes.start, order)?;
        let mut fitter = Fitter::default();
        let groups = plan.groups.map_or(1, <[Group]>::len);
        let all = input.spliced.genes();
        for start in self.genes.clone().step_by(LANES) {
            exec.check()?;
            let genes = start..(start + LANES).min(self.genes.end);
            source.load(genes.clone());
            let at = start - self.genes.start;
            let columns = (order, &source.columns);
            write_moments(&mut self.sinks, at, genes.len(), columns);
            for (lane, gene) in genes.clone().enumerate() {
                let columns = source.columns.gene(lane);
                if input.moments.is_some() {
                    self.bad[at + lane] = [columns.s, columns.u].map(not_finite);
                }
                let Some(steady) = plan.steady else { continue };
                let fits = &mut self.fits[(at + lane) * groups..(at + lane + 1) * groups];
                for (g, fit) in fits.iter_mut().enumerate() {
                    let group = plan.groups.map(|groups| &groups[g]);
                    let may = Choice {
                        allowed: plan.allowed.map_or(true, |allowed| allowed[gene]),
                        refit: plan.refit.map(|refit| refit[g * all + gene]),
                    };
                    *fit = fitter.fit(columns, group, steady, plan.stochastic, may);
                }
            }
            if plan.steady.is_some() {
                let fits = &self.fits[at * groups..(at + genes.len()) * groups];
                let lines: Vec<Lines> = (0..groups).map(|g| Lines::of(fits, g, groups)).collect();
                let columns = (order, &source.columns);
                write_velocities(&mut self.sinks, at, &lines, owner, columns);
            }
            exec.control().tick(1);
        }
        Ok(())
    }
}

fn not_finite(column: &[f64]) -> usize {
    column.iter().filter(|v| !v.is_finite()).count()
}
