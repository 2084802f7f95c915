//! Macrostates and fates of a chain.

use crate::boundary::{guard, malformed};
use crate::chain_spectral::order;
use crate::convert::{by_columns, dense, or_null, positions, SparseArg};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::chain::absorption::{
    fate_probabilities, FateOptions, OnUnreachable, Preconditioner, Solver,
};
use fatecast_core::chain::gpcca::{eigengap, weighted_schur_basis, SchurMethod};
use fatecast_core::chain::macrostates::macrostates;
use fatecast_core::chain::rotation::Optimizer;
use fatecast_core::chain::simplex::min_chi;
use fatecast_core::chain::states::{select_terminal, TerminalRule};

/// Sorted partial real Schur form with a constant first vector; an empty `initial`
/// is the uniform distribution.
#[extendr]
fn rs_chain_schur(
    transition: List,
    initial: &[f64],
    n_components: i32,
    which: &str,
    method: &str,
    alpha: f64,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let which = order(which)?;
        let eta = Some(initial).filter(|eta| !eta.is_empty());
        let method = match method {
            "krylov" => SchurMethod::Auto,
            "brandts" => SchurMethod::Dense,
            _ => return Err(malformed("method")),
        };
        let arg = SparseArg::new(&transition)?;
        let slots = arg.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            let t = slots.by_rows(exec)?;
            let m = n_components.max(0) as usize;
            weighted_schur_basis(exec, &t, eta, m, which, method)
        })?;
        let re: Vec<f64> = out.eigenvalues.iter().map(|z| z.re).collect();
        let im: Vec<f64> = out.eigenvalues.iter().map(|z| z.im).collect();
        let gap = eigengap(&re, alpha)? as i32;
        let invalid: Vec<i32> = out.invalid_n_states.iter().map(|&i| i as i32).collect();
        Ok(list!(
            vectors = by_columns(&out.vectors),
            matrix = by_columns(&out.matrix),
            re = re,
            im = im,
            residuals = out.residuals,
            products = out.products as f64,
            method = format!("{:?}", out.method).to_lowercase(),
            eigengap = gap,
            invalid = invalid
        )
        .into())
    })
}

/// minChi of the Schur vectors (cells x m, by columns) for each number in `states`.
#[extendr]
fn rs_chain_min_chi(
    vectors: &[f64],
    n: i32,
    m: i32,
    states: &[i32],
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let x = dense(vectors, n, m)?;
        let values = job::run(n_threads, &progress, move |exec| {
            states
                .iter()
                .map(|&s| {
                    exec.check()?;
                    min_chi(x, s.max(0) as usize)
                })
                .collect::<fatecast_core::Result<Vec<f64>>>()
        })?;
        Ok(values.into())
    })
}

/// Memberships, their cells, the coarse chain and the stationary distribution.
/// `n_cells` 0 gives every cell to its largest membership.
#[extendr]
fn rs_chain_macrostates(
    transition: List,
    vectors: &[f64],
    n: i32,
    m: i32,
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
        let per_state = usize::try_from(n_cells).ok().filter(|&c| c > 0);
        let out = job::run(n_threads, &progress, move |exec| {
            macrostates(exec, &slots.by_rows(exec)?, x, optimizer, per_state)
        })?;
        Ok(list!(
            memberships = by_columns(&out.memberships.memberships),
            crispness = out.memberships.crispness,
            start_crispness = out.memberships.start_crispness,
            evaluations = out.memberships.evaluations as f64,
            optimizer = out.memberships.optimizer,
            labels = labels(&out.assignment.labels),
            counts = counts(&out.assignment.counts),
            coarse = by_columns(&out.coarse.transition),
            initial = out.coarse.initial,
            coarse_stationary = or_null(out.coarse.stationary),
            stationary = or_null(out.stationary.distribution),
            stationary_residual = out.stationary.residual,
            closed_classes = out.stationary.closed_classes.len() as f64,
            fell_back = out.fell_back,
            unsettled = or_null(out.unsettled.map(|e| e.to_string()))
        )
        .into())
    })
}

/// Which macrostates a rule takes as terminal, as positions.
#[extendr]
fn rs_chain_select(
    stability: &[f64],
    eigenvalues: &[f64],
    method: &str,
    alpha: f64,
    threshold: f64,
    n_states: i32,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let rule = match method {
            "stability" => TerminalRule::Stability(threshold),
            "top_n" => TerminalRule::TopN(n_states.max(0) as usize),
            "eigengap" => TerminalRule::Eigengap(eigengap(eigenvalues, alpha)?),
            "eigengap_coarse" => TerminalRule::EigengapCoarse(alpha),
            _ => return Err(malformed("method")),
        };
        let chosen = job::run(n_threads, &progress, move |_| {
            select_terminal(stability, rule)
        })?;
        Ok(positions(&chosen).into())
    })
}

/// Fate probabilities; `states` is the 1-based terminal state of a cell, 0 for
/// none.
#[extendr]
fn rs_chain_fates(
    transition: List,
    states: &[i32],
    n_states: i32,
    solver: &str,
    preconditioner: &str,
    tolerance: f64,
    check_sum_tolerance: f64,
    on_unreachable: &str,
    memory: f64,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = FateOptions {
            solver: match solver {
                "auto" => Solver::Auto,
                "gmres" => Solver::Gmres,
                "bicgstab" => Solver::Bicgstab,
                "direct" => Solver::Direct,
                _ => return Err(malformed("solver")),
            },
            preconditioner: match preconditioner {
                "auto" => Preconditioner::Auto,
                "none" => Preconditioner::Identity,
                "jacobi" => Preconditioner::Jacobi,
                "ilu0" => Preconditioner::Ilu0,
                _ => return Err(malformed("preconditioner")),
            },
            tolerance,
            check_sum_tolerance,
            on_unreachable: match on_unreachable {
                "error" => OnUnreachable::Error,
                "na" => OnUnreachable::Na,
                _ => return Err(malformed("on_unreachable")),
            },
            memory,
        };
        let states: Vec<Option<u32>> = states
            .iter()
            .map(|&s| u32::try_from(s).ok().and_then(|s| s.checked_sub(1)))
            .collect();
        let arg = SparseArg::new(&transition)?;
        let slots = arg.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            let t = slots.by_rows(exec)?;
            fate_probabilities(exec, &t, &states, n_states.max(0) as usize, &options)
        })?;
        Ok(list!(
            probabilities = by_columns(&out.probabilities),
            residuals = out.residuals,
            iterations = counts(&out.iterations),
            solver = out.solver,
            error_bound = out.error_bound,
            escape = out.escape,
            unreachable = positions(&out.unreachable),
            unreachable_by_state = counts(&out.unreachable_by_state),
            transient = out.transient as f64,
            classes = out.classes as f64
        )
        .into())
    })
}

/// Counts as doubles.
pub(crate) fn counts(values: &[usize]) -> Vec<f64> {
    values.iter().map(|&v| v as f64).collect()
}

/// 1-based labels, NA for none.
pub(crate) fn labels(labels: &[Option<u32>]) -> Vec<Rint> {
    labels
        .iter()
        .map(|l| l.map_or(Rint::na(), |l| Rint::from(l as i32 + 1)))
        .collect()
}

extendr_module! {
    mod chain;
    fn rs_chain_schur;
    fn rs_chain_min_chi;
    fn rs_chain_macrostates;
    fn rs_chain_select;
    fn rs_chain_fates;
}
