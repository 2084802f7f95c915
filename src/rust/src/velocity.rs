//! RNA velocity.

use crate::boundary::{guard, malformed};
use crate::convert::{or_null, positions, MatrixArg, Slots, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::exec::Exec;
use fatecast_core::velocity::estimate::{
    best_fitted, estimate, Estimate, GeneFit, Group, Input, Output, Plan,
};
use fatecast_core::velocity::filter::{gene_counts, GeneCounts};
use fatecast_core::velocity::layer::Flaw;
use fatecast_core::velocity::sizes::{divisors, light_totals};
use fatecast_core::velocity::steady_state::SteadyOptions;
use fatecast_core::velocity::stochastic::StochasticOptions;
use fatecast_core::velocity::weights::{kept, Nearest, Weights};
use fatecast_core::Result;
use ndarray::{ArrayViewMut2, Axis, Slice};

fn flaws(flaws: &[Flaw]) -> Robj {
    let genes: Vec<usize> = flaws.iter().map(|f| f.gene).collect();
    let counts: Vec<f64> = flaws.iter().map(|f| f.count as f64).collect();
    list!(genes = positions(&genes), counts = counts).into()
}

/// Totals of the cells of a genes x cells matrix and what is wrong with its values:
/// `list(totals, whole, not_finite, negative)`.
#[extendr]
fn rs_velocity_survey(matrix: List, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let matrix = MatrixArg::new(&matrix)?;
        let view = matrix.view()?;
        let found = job::run(n_threads, &progress, move |exec| view.layer()?.survey(exec))?;
        Ok(list!(
            totals = found.totals,
            whole = found.whole,
            not_finite = flaws(&found.not_finite),
            negative = flaws(&found.negative)
        )
        .into())
    })
}

/// Totals of the cells over the genes that nowhere exceed `fraction` of the size.
#[extendr]
fn rs_velocity_light_totals(
    matrix: List,
    sizes: &[f64],
    fraction: f64,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let matrix = MatrixArg::new(&matrix)?;
        let view = matrix.view()?;
        let totals = job::run(n_threads, &progress, move |exec| {
            light_totals(exec, &view.layer()?, sizes, fraction)
        })?;
        Ok(totals.into())
    })
}

/// Divisors of cells of these sizes; `after` is their size afterwards, 0 for the
/// median. `list(divisors, target)`.
#[extendr]
fn rs_velocity_divisors(sizes: &[f64], after: f64) -> Robj {
    guard(|| {
        let out = divisors(sizes, Some(after).filter(|&a| a > 0.0))?;
        Ok(list!(divisors = out.values, target = out.target).into())
    })
}

/// How often each gene was seen: counts and cells, spliced, unspliced and shared.
#[extendr]
fn rs_velocity_gene_counts(spliced: List, unspliced: List, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let (s, u) = (MatrixArg::new(&spliced)?, MatrixArg::new(&unspliced)?);
        let (s, u) = (s.view()?, u.view()?);
        let seen = job::run(n_threads, &progress, move |exec| {
            gene_counts(exec, &s.layer()?, &u.layer()?)
        })?;
        let column = |f: &dyn Fn(&GeneCounts) -> f64| -> Vec<f64> { seen.iter().map(f).collect() };
        Ok(list!(
            counts = column(&|g| g[0].counts),
            cells = column(&|g| g[0].cells),
            counts_u = column(&|g| g[1].counts),
            cells_u = column(&|g| g[1].cells),
            shared_counts = column(&|g| g[2].counts),
            shared_cells = column(&|g| g[2].cells)
        )
        .into())
    })
}

/// The genes to take when hardly one passes: `list(threshold, genes)`.
#[extendr]
fn rs_velocity_best(r2: &[f64]) -> Robj {
    guard(|| {
        let (threshold, best) = best_fitted(r2);
        Ok(list!(threshold = threshold, genes = best).into())
    })
}

/// Whom cells are averaged with, as R tells it.
struct GraphArg {
    graph: SparseArg,
    options: GraphOptions,
}

struct GraphOptions {
    nearest: Nearest,
    asked: usize,
    own: Option<usize>,
    /// Groups of the cells, within which alone second moments are averaged.
    within: Option<Vec<u32>>,
    /// Second moments of the whole graph.
    whole_second: bool,
}

impl GraphArg {
    fn new(list: &List) -> Result<GraphArg> {
        let options = Options::new(list);
        let graph = SparseArg::new(&options.list("slots")?)?;
        let options = GraphOptions {
            nearest: if options.flag("smallest")? {
                Nearest::Smallest
            } else {
                Nearest::Largest
            },
            asked: options.count("n_neighbors")?,
            own: options.maybe("own")?.map(|k| k as usize),
            within: options.optional("within").map(whole).transpose()?,
            whole_second: options.flag("whole_second")?,
        };
        Ok(GraphArg { graph, options })
    }

    fn view(&self) -> Result<GraphView<'_>> {
        Ok(GraphView {
            slots: self.graph.slots()?,
            options: &self.options,
        })
    }
}

/// Whole numbers from 0.
fn whole(value: &Robj) -> Result<Vec<u32>> {
    let values = value
        .as_integer_slice()
        .ok_or_else(|| malformed("of whole numbers"))?;
    Ok(values.iter().map(|&v| v.max(0) as u32).collect())
}

fn flags(value: &Robj) -> Result<Vec<bool>> {
    let values = value
        .as_logical_slice()
        .ok_or_else(|| malformed("of flags"))?;
    Ok(values.iter().map(|v| v.is_true()).collect())
}

/// Which rows of a result a call fills: `genes` from `first` on, of `all`.
struct Rows {
    first: usize,
    genes: usize,
    all: usize,
}

/// A result of R as cells x genes, the genes of this call only.
fn view<'a>(matrix: &'a mut Robj, rows: &Rows) -> Result<Option<ArrayViewMut2<'a, f64>>> {
    if matrix.is_null() {
        return Ok(None);
    }
    let values = matrix
        .as_real_slice_mut()
        .ok_or_else(|| malformed("of a result"))?;
    let cells = values.len().checked_div(rows.all).unwrap_or(0);
    let mut view = ArrayViewMut2::from_shape((cells, rows.all), values)
        .map_err(|_| malformed("of a result"))?;
    if rows.first + rows.genes > rows.all {
        return Err(malformed("of a result"));
    }
    view.slice_axis_inplace(Axis(1), Slice::from(rows.first..rows.first + rows.genes));
    Ok(Some(view))
}

/// A graph of R readable from the job's thread.
struct GraphView<'a> {
    slots: Slots<'a>,
    options: &'a GraphOptions,
}

/// Whom cells are averaged with.
struct Patterns {
    first: Weights,
    /// For second moments, where it differs.
    second: Option<Weights>,
    kept: Option<usize>,
}

impl GraphView<'_> {
    fn patterns(&self, exec: &Exec) -> Result<Patterns> {
        let graph = self.slots.by_rows(exec)?;
        let arg = self.options;
        let keep = kept(&graph, arg.asked, arg.own);
        let first = Weights::new(&graph, keep, arg.nearest, |_, _| true)?;
        let differs = arg.within.is_some() || (arg.whole_second && keep.is_some());
        let second = if differs {
            let within = arg.within.as_deref();
            let same = |i: usize, j: usize| within.map_or(true, |g| g.get(i) == g.get(j));
            let keep = keep.filter(|_| !arg.whole_second);
            Some(Weights::new(&graph, keep, arg.nearest, same)?)
        } else {
            None
        };
        Ok(Patterns {
            first,
            second,
            kept: keep,
        })
    }
}

/// Options of a fit, as R tells them.
struct FitArg {
    steady: SteadyOptions,
    stochastic: Option<StochasticOptions>,
    groups: Option<Vec<Group>>,
    allowed: Option<Vec<bool>>,
    refit: Option<Vec<bool>>,
}

impl FitArg {
    fn new(list: &List) -> Result<FitArg> {
        let options = Options::new(list);
        let steady = SteadyOptions {
            upper: options.number("upper")?,
            lower: options.maybe("lower")?,
            fit_offset: options.flag("fit_offset")?,
            ratio: (
                options.maybe("ratio_min")?.unwrap_or(f64::NEG_INFINITY),
                options.maybe("ratio_max")?.unwrap_or(f64::INFINITY),
            ),
            r2_adjusted: options.flag("r2_adjusted")?,
            min_r2: options.number("min_r2")?,
            min_ratio: options.number("min_ratio")?,
        };
        let stochastic = StochasticOptions {
            fit_offset2: options.flag("fit_offset2")?,
            compat: options.flag("compat")?,
        };
        Ok(FitArg {
            steady,
            stochastic: Some(stochastic).filter(|_| matches!(options.flag("stochastic"), Ok(true))),
            groups: options.optional("groups").map(groups).transpose()?,
            allowed: options.optional("allowed").map(flags).transpose()?,
            refit: options.optional("refit").map(flags).transpose()?,
        })
    }

    fn plan(&self) -> Plan<'_> {
        Plan {
            steady: Some(&self.steady),
            stochastic: self.stochastic,
            groups: self.groups.as_deref(),
            allowed: self.allowed.as_deref(),
            refit: self.refit.as_deref(),
        }
    }
}

fn groups(value: &Robj) -> Result<Vec<Group>> {
    let list = value.as_list().ok_or_else(|| malformed("groups"))?;
    let group = |value: Robj| {
        let options = Options::new(&value.as_list().ok_or_else(|| malformed("groups"))?);
        let cells = options
            .optional("cells")
            .ok_or_else(|| malformed("groups"))?;
        Ok(Group {
            cells: whole(cells)?,
            fit: options.optional("fit").map(whole).transpose()?,
        })
    };
    list.values().map(group).collect()
}

/// Counts, moments, sizes and graph, as R tells them.
struct InputArg {
    counts: [MatrixArg; 2],
    moments: Option<[MatrixArg; 2]>,
    divisors: [Option<Robj>; 2],
    graph: Option<GraphArg>,
    use_raw: bool,
}

impl InputArg {
    fn new(list: &List) -> Result<InputArg> {
        let options = Options::new(list);
        let matrix = |name| MatrixArg::new(&options.list(name)?);
        let given = options.optional("Ms").is_some();
        let graph = options.optional("graph").and_then(Robj::as_list);
        Ok(InputArg {
            counts: [matrix("spliced")?, matrix("unspliced")?],
            moments: if given {
                Some([matrix("Ms")?, matrix("Mu")?])
            } else {
                None
            },
            divisors: ["divisors_s", "divisors_u"].map(|name| options.optional(name).cloned()),
            graph: graph.map(|list| GraphArg::new(&list)).transpose()?,
            use_raw: options.flag("use_raw")?,
        })
    }
}

/// Moments of genes and, with `fit`, their velocities, written into the rows from
/// `first` on of the matrices given (NULL for what is not wanted), which nobody else
/// may hold. `list(gamma, ratio, offset, offset2, r2, selected, refitted, degenerate,
/// kept, isolated, not_finite_s, not_finite_u)`.
#[extendr]
fn rs_velocity_estimate(
    input: List,
    fit: Robj,
    rows: &[f64],
    mut spliced: Robj,
    mut unspliced: Robj,
    mut velocity: Robj,
    mut variance: Robj,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let input = InputArg::new(&input)?;
        // NULL is a list to extendr, an empty one.
        let fit = fit.as_list().filter(|l| !l.is_empty());
        let fit = fit.map(|l| FitArg::new(&l)).transpose()?;
        let counts = [input.counts[0].view()?, input.counts[1].view()?];
        let [first, all] = *rows else {
            return Err(malformed("rows"));
        };
        let rows = Rows {
            first: first as usize,
            genes: counts[0].features(),
            all: all as usize,
        };
        let output = Output {
            spliced: view(&mut spliced, &rows)?,
            unspliced: view(&mut unspliced, &rows)?,
            velocity: view(&mut velocity, &rows)?,
            variance: view(&mut variance, &rows)?,
        };
        let moments = match &input.moments {
            Some([s, u]) => Some([s.view()?, u.view()?]),
            None => None,
        };
        let divisors = [reals(&input.divisors[0])?, reals(&input.divisors[1])?];
        let graph = input.graph.as_ref().map(GraphArg::view).transpose()?;
        let use_raw = input.use_raw;
        let (out, kept, isolated) = job::run(n_threads, &progress, move |exec| {
            let patterns = graph.map(|g| g.patterns(exec)).transpose()?;
            let layers = [counts[0].layer()?, counts[1].layer()?];
            let moments = match &moments {
                Some([s, u]) => Some([s.layer()?, u.layer()?]),
                None => None,
            };
            let input = Input {
                spliced: &layers[0],
                unspliced: &layers[1],
                divisors,
                moments: moments.as_ref().map(|[s, u]| [s, u]),
                weights: patterns.as_ref().map(|p| &p.first),
                second: patterns.as_ref().and_then(|p| p.second.as_ref()),
                use_raw,
            };
            let nothing = Plan::moments();
            let plan = fit.as_ref().map_or(nothing, FitArg::plan);
            let out = estimate(exec, &input, &plan, output)?;
            let isolated = patterns.as_ref().map(|p| p.first.isolated());
            Ok((out, patterns.and_then(|p| p.kept), isolated))
        })?;
        Ok(estimate_list(&out, kept, &isolated.unwrap_or_default()))
    })
}

/// Numbers, or None.
fn reals(value: &Option<Robj>) -> Result<Option<&[f64]>> {
    let slice = |v| Robj::as_real_slice(v).ok_or_else(|| malformed("divisors"));
    value.as_ref().map(slice).transpose()
}

fn estimate_list(out: &Estimate, kept: Option<usize>, isolated: &[usize]) -> Robj {
    let number = |f: fn(&GeneFit) -> f64| out.fits.iter().map(f).collect::<Vec<f64>>();
    let flag = |f: fn(&GeneFit) -> bool| out.fits.iter().map(f).collect::<Vec<bool>>();
    list!(
        gamma = number(|f| f.gamma),
        ratio = number(|f| f.ratio),
        offset = number(|f| f.offset),
        offset2 = number(|f| f.offset2),
        r2 = number(|f| f.r2),
        selected = flag(|f| f.selected),
        refitted = flag(|f| f.refitted),
        degenerate = flag(|f| f.degenerate),
        kept = or_null(kept.map(|k| k as f64)),
        isolated = positions(isolated),
        not_finite_s = flaws(&out.not_finite[0]),
        not_finite_u = flaws(&out.not_finite[1])
    )
    .into()
}

extendr_module! {
    mod velocity;
    fn rs_velocity_survey;
    fn rs_velocity_light_totals;
    fn rs_velocity_divisors;
    fn rs_velocity_gene_counts;
    fn rs_velocity_best;
    fn rs_velocity_estimate;
}
