//! A start for large problems, from a sample of the cells.
//!
//! Potentials change smoothly over the cells, so those of a tenth of them, extended
//! by one plain update on each side, are close to the solution. The iteration on
//! all cells then needs a few rounds only, and its certificate speaks of the
//! whole problem: the result is no approximation.

use super::cost::{Cost, Labels};
use super::groups;
use super::points::{Points, Which};
use super::single::extend;
use super::sinkhorn::{solve, Marginals, Options, Start};
use crate::error::{try_with_capacity, Result};
use crate::exec::Exec;
use crate::rng::Stream;
use ndarray::{Array2, ArrayView2, Axis};

/// Cells of a side in the sample: this many or a tenth, if that is more.
const LEAST: usize = 2000;
/// Gap that the sample is solved to.
const TOLERANCE: f64 = 1e-6;
/// Purpose of the stream.
const SAMPLE: u64 = 0x736d_706c;

/// Cells of a side in the sample, ascending.
fn chosen(n: usize, seed: u64, which: Which) -> Vec<usize> {
    let side = u64::from(which == Which::Targets);
    let mut all = Stream::new(seed, SAMPLE, side, n as u64).permutation(n);
    all.truncate(LEAST.max(n / 10).min(n));
    all.sort_unstable();
    all
}

fn rows(x: ArrayView2<'_, f64>, chosen: &[usize]) -> Array2<f64> {
    x.select(Axis(0), chosen)
}

fn pick(values: &[f64], chosen: &[usize]) -> Result<Vec<f64>> {
    let mut out = try_with_capacity(chosen.len(), "a sample of cells")?;
    out.extend(chosen.iter().map(|&i| values[i]));
    Ok(out)
}

/// Potentials to start from, for points multiplied by `factor`. Costs a few
/// hundredths of one solution of the whole problem.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn sample_start(
    exec: &Exec,
    points: &Points<'_>,
    factor: f64,
    n_groups: usize,
    marginals: Marginals<'_>,
    options: &Options,
    seed: u64,
) -> Result<Start> {
    let (x, y) = (points.side(Which::Sources), points.side(Which::Targets));
    let (some_x, some_y) = (
        chosen(x.nrows(), seed, Which::Sources),
        chosen(y.nrows(), seed, Which::Targets),
    );
    let (few_x, few_y) = (rows(x, &some_x), rows(y, &some_y));
    let log_p = pick(marginals.log_p, &some_x)?;
    let log_q = pick(marginals.log_q, &some_y)?;
    let small = points.with(few_x.view(), few_y.view());
    let labels = groups::of_points(exec, &small, n_groups.max(1))?;
    let cost = Cost::of_points(exec, &small, factor, &labels)?;
    let rough = Options {
        tolerance: options.tolerance.max(TOLERANCE),
        ..*options
    };
    let few = Marginals {
        log_p: &log_p,
        log_q: &log_q,
    };
    let solved = solve(exec, &cost, few, None, None, &rough)?;
    drop(cost);
    let one = |points: &Points<'_>| -> Result<Cost> {
        let (n1, n2) = (
            points.side(Which::Sources).nrows(),
            points.side(Which::Targets).nrows(),
        );
        Cost::of_points(exec, points, factor, &Labels::one(n1, n2)?)
    };
    let cost = one(&points.with(x.view(), few_y.view()))?;
    let f = extend(
        exec,
        &cost,
        Which::Sources,
        marginals.log_p,
        &solved.g,
        options,
    )?;
    let cost = one(&points.with(few_x.view(), y.view()))?;
    let g = extend(
        exec,
        &cost,
        Which::Targets,
        marginals.log_q,
        &solved.f,
        options,
    )?;
    Ok(Start { f, g })
}
