//! Absorption times of a chain.

use crate::boundary::{guard, malformed};
use crate::convert::{or_null, positions, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::chain::absorption::{FateOptions, OnUnreachable, Solver};
use fatecast_core::chain::times::{absorption_times, TimeOptions};
use fatecast_core::Result;

/// Means and variances (NULL if not wanted) of absorption times, cells x states by
/// columns; `states` is the 1-based terminal state of a cell, 0 for none. What has
/// no time is NA; the variance of cells of other states is NaN.
#[extendr]
fn rs_chain_times(
    transition: List,
    states: &[i32],
    n_states: i32,
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = time_options(&Options::new(&options))?;
        let states: Vec<Option<u32>> = states
            .iter()
            .map(|&s| u32::try_from(s).ok().and_then(|s| s.checked_sub(1)))
            .collect();
        let arg = SparseArg::new(&transition)?;
        let slots = arg.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            let t = slots.by_rows(exec)?;
            absorption_times(exec, &t, &states, n_states.max(0) as usize, &options)
        })?;
        let known = |v: f64, mean: f64| match mean.is_nan() {
            true => Rfloat::na(),
            false => Rfloat::from(v),
        };
        let means: Vec<Rfloat> = out.means.t().iter().map(|&m| known(m, m)).collect();
        let variances = out.variances.map(|v| {
            let both = v.t().into_owned();
            let pairs = both.iter().zip(out.means.t().into_owned());
            pairs.map(|(&v, m)| known(v, m)).collect::<Vec<_>>()
        });
        Ok(list!(
            means = means,
            variances = or_null(variances),
            residuals = out.residuals,
            iterations = steps(&out.iterations),
            solver = out.solver,
            error_bound = out.error_bound,
            variance_bound = out.variance_bound,
            unreachable = positions(&out.unreachable),
            unresolved = positions(&out.unresolved)
        )
        .into())
    })
}

fn time_options(options: &Options) -> Result<TimeOptions> {
    Ok(TimeOptions {
        fates: FateOptions {
            solver: match options.text("solver")? {
                "auto" => Solver::Auto,
                "gmres" => Solver::Gmres,
                "bicgstab" => Solver::Bicgstab,
                "direct" => Solver::Direct,
                _ => return Err(malformed("solver")),
            },
            tolerance: options.number("tol")?,
            on_unreachable: match options.text("on_unreachable")? {
                "error" => OnUnreachable::Error,
                "na" => OnUnreachable::Na,
                _ => return Err(malformed("on_unreachable")),
            },
            ..FateOptions::default()
        },
        variance: options.flag("calculate_variance")?,
    })
}

fn steps(values: &[usize]) -> Vec<f64> {
    values.iter().map(|&v| v as f64).collect()
}

extendr_module! {
    mod chain_times;
    fn rs_chain_times;
}
