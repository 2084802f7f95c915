//! Moments and velocities of all genes, eight at a time.
//!
//! For eight genes: read the counts of all cells, average them over neighbours, fit
//! each gene, write the results. A thread holds about 410 bytes per cell, and no
//! other array of cells x genes exists beside the results. A gene is computed by one
//! thread in a fixed order, so threads change nothing.

use super::lanes::{Columns, Gene, Reader, Row};
use super::layer::{same_size, Flaw, Layer};
use super::quantile::quantile;
use super::steady_state::{self, Scratch, SteadyOptions};
use super::stochastic::{self, second_order, StochasticOptions};
use super::weights::Weights;
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::simd::LANES;
use ndarray::{ArrayViewMut2, Axis, Slice};
use std::array::from_fn;
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

/// The group of each cell, `u32::MAX` for none; None if all cells are one group.
fn owners(n: usize, groups: Option<&[Group]>) -> Result<Option<Vec<u32>>> {
    let Some(groups) = groups else {
        return Ok(None);
    };
    let mut owner = try_filled(n, u32::MAX, "the groups of the cells")?;
    for (g, group) in groups.iter().enumerate() {
        for &cell in group.cells.iter().chain(group.fit.iter().flatten()) {
            if cell as usize >= n {
                return Err(CoreError::Shape {
                    what: "the groups of the cells".into(),
                    expected: n,
                    found: cell as usize,
                });
            }
        }
        for &cell in &group.cells {
            owner[cell as usize] = g as u32;
        }
    }
    Ok(Some(owner))
}

/// Cells in an order in which neighbours stand near each other: what is averaged then
/// lies near the processor. From here on cells are numbered by their place in it.
struct Cells {
    order: Vec<u32>,
    weights: Option<Weights>,
    second: Option<Weights>,
    groups: Option<Vec<Group>>,
    /// The group of the cell at each place.
    owner: Option<Vec<u32>>,
}

impl Cells {
    fn new(input: &Input, plan: &Plan) -> Result<Cells> {
        let n = input.spliced.cells();
        let owner = owners(n, plan.groups)?;
        let order = match input.weights.or(input.second) {
            Some(weights) => weights.walk()?,
            None => (0..n as u32).collect(),
        };
        let mut place = try_filled(n, 0u32, "the order of the cells")?;
        for (p, &cell) in order.iter().enumerate() {
            place[cell as usize] = p as u32;
        }
        let arranged = |w: Option<&Weights>| w.map(|w| w.arranged(&order, &place)).transpose();
        let places = |cells: &[u32]| {
            let mut places: Vec<u32> = cells.iter().map(|&c| place[c as usize]).collect();
            places.sort_unstable();
            places
        };
        let group = |g: &Group| Group {
            cells: places(&g.cells),
            fit: g.fit.as_deref().map(places),
        };
        Ok(Cells {
            weights: arranged(input.weights)?,
            second: arranged(input.second)?,
            groups: plan.groups.map(|all| all.iter().map(group).collect()),
            owner: owner.map(|owner| order.iter().map(|&c| owner[c as usize]).collect()),
            order,
        })
    }
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

/// The results of one task, in the order of [`Output`].
type Sinks<'a> = [Option<ArrayViewMut2<'a, f64>>; 4];

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

/// Counts and moments of eight genes.
struct Source<'a, 'd> {
    input: &'a Input<'a, 'd>,
    second: bool,
    counts: Option<[Reader<'a, 'd>; 2]>,
    moments: Option<[Reader<'a, 'd>; 2]>,
    lanes: Vec<Row>,
    columns: Columns,
}

impl<'a, 'd> Source<'a, 'd> {
    fn new(
        input: &'a Input<'a, 'd>,
        second: bool,
        gene: usize,
        order: &'a [u32],
    ) -> Result<Source<'a, 'd>> {
        let n = input.spliced.cells();
        let [s, u] = input.divisors;
        let counted = input.moments.is_none() || second || input.use_raw;
        let counts = if counted {
            Some([
                Reader::new(input.spliced, s, gene, order)?,
                Reader::new(input.unspliced, u, gene, order)?,
            ])
        } else {
            None
        };
        let moments = match input.moments {
            Some([s, u]) if !input.use_raw => Some([
                Reader::new(s, None, gene, order)?,
                Reader::new(u, None, gene, order)?,
            ]),
            _ => None,
        };
        let rows = if counted { n } else { 0 };
        Ok(Source {
            input,
            second,
            counts,
            moments,
            lanes: try_filled(rows, [0.0; 2 * LANES], "the counts of eight genes")?,
            columns: Columns::new(n, second)?,
        })
    }

    fn load(&mut self, genes: Range<usize>) {
        let lanes = &mut self.lanes;
        if let Some([spliced, unspliced]) = &mut self.counts {
            spliced.read(genes.clone(), |cell, v| {
                lanes[cell][..LANES].copy_from_slice(&v)
            });
            unspliced.read(genes.clone(), |cell, v| {
                lanes[cell][LANES..].copy_from_slice(&v)
            });
        }
        let weights = self.input.weights;
        let second = self.input.second.or(weights).filter(|_| self.second);
        let columns = &mut self.columns;
        if let Some([spliced, unspliced]) = &mut self.moments {
            columns.load(spliced, unspliced, genes);
        } else if self.input.use_raw {
            columns.copy(lanes);
        } else if let Some(weights) = weights {
            if second.is_some() && self.input.second.is_none() {
                columns.gather::<true, true>(weights, lanes);
                return;
            }
            columns.gather::<true, false>(weights, lanes);
        }
        if let Some(second) = second {
            columns.gather::<false, true>(second, lanes);
        }
    }
}

/// What a gene may be used for, whatever its fit.
#[derive(Clone, Copy)]
struct Choice {
    allowed: bool,
    /// None: what the fit says.
    refit: Option<bool>,
}

/// Fits genes; holds the cells of a group side by side.
#[derive(Default)]
struct Fitter {
    scratch: Scratch,
    group: [Vec<f64>; 4],
    fit: [Vec<f64>; 4],
}

impl Fitter {
    fn fit(
        &mut self,
        columns: Gene,
        group: Option<&Group>,
        steady: &SteadyOptions,
        stochastic: Option<StochasticOptions>,
        may: Choice,
    ) -> GeneFit {
        let all = group.map_or(columns, |g| pick(columns, &g.cells, &mut self.group));
        let fit = group
            .and_then(|g| g.fit.as_ref())
            .map_or(all, |cells| pick(columns, cells, &mut self.fit));
        let first = steady_state::fit(all, fit, steady, &mut self.scratch);
        let mut out = GeneFit {
            gamma: first.line.gamma,
            ratio: first.line.gamma,
            offset: first.line.offset,
            r2: first.r2,
            selected: first.selected && may.allowed,
            ..GeneFit::default()
        };
        let again = may.refit.unwrap_or(out.selected);
        let Some(options) = stochastic.filter(|_| again) else {
            return out;
        };
        // The scores of the fitted cells are still there.
        let scored = !options.compat || fit.s.len() == all.s.len();
        let cells = if options.compat { all } else { fit };
        let line = first.line;
        match stochastic::refit(cells, line, steady, options, scored, &mut self.scratch) {
            Some(second) => {
                out.gamma = second.line.gamma;
                out.offset = second.line.offset;
                out.offset2 = second.offset2;
                out.refitted = true;
            }
            None => out.degenerate = true,
        }
        out
    }
}

fn pick<'b>(columns: Gene, cells: &[u32], into: &'b mut [Vec<f64>; 4]) -> Gene<'b> {
    let from = [columns.s, columns.u, columns.ss, columns.us];
    for (into, from) in into.iter_mut().zip(from) {
        into.clear();
        if !from.is_empty() {
            into.extend(cells.iter().map(|&c| from[c as usize]));
        }
    }
    let [s, u, ss, us] = into;
    Gene { s, u, ss, us }
}

/// Writes `fill(place)` to the row of the cell at each place in `order`, for the
/// `width` genes from `at` on.
fn write(
    sink: &mut Option<ArrayViewMut2<f64>>,
    (at, width): (usize, usize),
    order: &[u32],
    mut fill: impl FnMut(usize) -> [f64; LANES],
) {
    let Some(view) = sink else { return };
    let mut lines = view.slice_axis_mut(Axis(1), Slice::from(at..at + width));
    for (place, &cell) in order.iter().enumerate() {
        // Rows are contiguous: checked on entry.
        if let Some(row) = lines.row_mut(cell as usize).into_slice() {
            row.copy_from_slice(&fill(place)[..width]);
        }
    }
}

fn write_moments(sinks: &mut Sinks, at: usize, width: usize, (order, columns): (&[u32], &Columns)) {
    let genes: [Gene; LANES] = from_fn(|l| columns.gene(l));
    write(&mut sinks[0], (at, width), order, |cell| {
        from_fn(|l| genes[l].s[cell])
    });
    write(&mut sinks[1], (at, width), order, |cell| {
        from_fn(|l| genes[l].u[cell])
    });
}

/// The lines of up to eight genes in one group.
#[derive(Clone, Copy, Default)]
struct Lines {
    width: usize,
    gamma: [f64; LANES],
    offset: [f64; LANES],
    offset2: [f64; LANES],
    refitted: [bool; LANES],
}

impl Lines {
    fn of(fits: &[GeneFit], group: usize, groups: usize) -> Lines {
        let mut lines = Lines {
            width: fits.len() / groups,
            ..Lines::default()
        };
        for (l, fit) in fits.iter().skip(group).step_by(groups).enumerate() {
            lines.gamma[l] = fit.gamma;
            lines.offset[l] = fit.offset;
            lines.offset2[l] = fit.offset2;
            lines.refitted[l] = fit.refitted;
        }
        lines
    }
}

/// Velocity `u - gamma s - offset`, and what the second moments leave unexplained:
/// `(y2 - 2 s u) - gamma (x2 - 2 s s) + 2 offset s - offset2`.
fn write_velocities(
    sinks: &mut Sinks,
    at: usize,
    lines: &[Lines],
    owner: Option<&[u32]>,
    (order, columns): (&[u32], &Columns),
) {
    let width = lines.first().map_or(0, |l| l.width);
    let genes: [Gene; LANES] = from_fn(|l| columns.gene(l));
    let of = |cell: usize| lines.get(owner.map_or(0, |owner| owner[cell] as usize));
    write(&mut sinks[2], (at, width), order, |cell| {
        of(cell).map_or([0.0; LANES], |line| {
            from_fn(|l| genes[l].u[cell] - line.gamma[l] * genes[l].s[cell] - line.offset[l])
        })
    });
    write(&mut sinks[3], (at, width), order, |cell| {
        of(cell).map_or([0.0; LANES], |line| {
            from_fn(|l| {
                if !line.refitted[l] {
                    return 0.0;
                }
                let g = &genes[l];
                let (s, u) = (g.s[cell], g.u[cell]);
                let (x, y) = second_order(s, u, g.ss[cell], g.us[cell]);
                let rest = (y - 2.0 * s * u) - line.gamma[l] * (x - 2.0 * s * s);
                rest + 2.0 * line.offset[l] * s - line.offset2[l]
            })
        })
    });
}
