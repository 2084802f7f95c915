//! Macrostates of an undivided chain, and how divisions change with their number.

use crate::boundary::{guard, malformed};
use crate::chain::labels;
use crate::convert::{dense, SparseArg};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::chain::macrostates::whole_chain;
use fatecast_core::chain::profile::{divisions, Change, Division};
use fatecast_core::chain::rotation::Optimizer;

/// The stationary distribution as one macrostate. `n_cells` 0 takes all cells.
#[extendr]
fn rs_chain_whole(transition: List, n_cells: i32, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let arg = SparseArg::new(&transition)?;
        let slots = arg.slots()?;
        let per_state = usize::try_from(n_cells).ok().filter(|&c| c > 0);
        let out = job::run(n_threads, &progress, move |exec| {
            whole_chain(exec, &slots.by_rows(exec)?, per_state)
        })?;
        Ok(list!(
            stationary = out.distribution,
            residual = out.residual,
            labels = labels(&out.assignment.labels)
        )
        .into())
    })
}

/// The division into each number of macrostates, and how it relates to the one
/// before. Numbers without a valid division have a `failure` and NA.
#[extendr]
fn rs_chain_divisions(
    transition: List,
    vectors: &[f64],
    n: i32,
    m: i32,
    states: &[i32],
    optimizer: &str,
    n_cells: i32,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let optimizer = match optimizer {
            "auto" => Optimizer::Auto,
            "nelder-mead" => Optimizer::NelderMead,
            _ => return Err(malformed("optimizer")),
        };
        let arg = SparseArg::new(&transition)?;
        let slots = arg.slots()?;
        let x = dense(vectors, n, m)?;
        let states: Vec<usize> = states.iter().map(|&s| s.max(0) as usize).collect();
        let per_state = usize::try_from(n_cells).ok().filter(|&c| c > 0);
        let found = job::run(n_threads, &progress, move |exec| {
            divisions(
                exec,
                &slots.by_rows(exec)?,
                x,
                &states,
                optimizer,
                per_state,
            )
        })?;
        let of = |f: fn(&Division) -> f64| -> Vec<Rfloat> {
            let value = |d: &fatecast_core::Result<Division>| {
                d.as_ref().map_or(Rfloat::na(), |d| Rfloat::from(f(d)))
            };
            found.iter().map(value).collect()
        };
        let compared = |f: fn(&Change) -> f64| -> Vec<Rfloat> {
            let change = |d: &fatecast_core::Result<Division>| {
                let change = d.as_ref().ok().and_then(|d| d.change);
                change.map_or(Rfloat::na(), |c| Rfloat::from(f(&c)))
            };
            found.iter().map(change).collect()
        };
        let failures: Vec<Rstr> = found
            .iter()
            .map(|d| {
                d.as_ref()
                    .map_or_else(|e| Rstr::from(e.to_string()), |_| Rstr::na())
            })
            .collect();
        let cells: Vec<Robj> = found
            .iter()
            .map(|d| {
                d.as_ref()
                    .map_or(().into(), |d| Robj::from(labels(&d.labels)))
            })
            .collect();
        Ok(list!(
            min_chi = of(|d| d.min_chi),
            crispness = of(|d| d.crispness),
            least_stability = of(|d| d.least_stability),
            jaccard = compared(|c| c.jaccard),
            nested = compared(|c| c.nested),
            adjusted_rand = compared(|c| c.adjusted_rand),
            labels = List::from_values(cells),
            failure = failures
        )
        .into())
    })
}

extendr_module! {
    mod chain_divisions;
    fn rs_chain_whole;
    fn rs_chain_divisions;
}
