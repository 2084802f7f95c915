//! Single passes with given potentials: what is needed beside the iteration.

use super::cost::Cost;
use super::points::Which;
use super::sinkhorn::{less_log, Iteration, Marginals, Options, Solution, Start};
use crate::error::Result;
use crate::exec::Exec;

/// Logarithms of the column sums of a solution, by cell: one pass.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn column_sums(
    exec: &Exec,
    cost: &Cost,
    solution: &Solution,
    options: &Options,
) -> Result<Vec<f64>> {
    let none = Marginals {
        log_p: &vec![0.0; solution.f.len()],
        log_q: &vec![0.0; solution.g.len()],
    };
    let start = Start {
        f: solution.f.clone(),
        g: solution.g.clone(),
    };
    let it = Iteration::new(cost, none, Some(&start), options)?;
    cost.view().cols().gather(&it.columns(exec)?)
}

/// The potentials of one side after a plain update that starts from zero and from
/// the potentials of the other side, by cell: one pass.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn extend(
    exec: &Exec,
    cost: &Cost,
    which: Which,
    log_marginal: &[f64],
    other: &[f64],
    options: &Options,
) -> Result<Vec<f64>> {
    let plainly = Options {
        correct: false,
        ..*options
    };
    let zero = vec![0.0; log_marginal.len()];
    let own = |values: &[f64]| values.to_vec();
    let (start, marginals) = match which {
        Which::Sources => (
            Start {
                f: zero,
                g: own(other),
            },
            Marginals {
                log_p: log_marginal,
                log_q: other,
            },
        ),
        Which::Targets => (
            Start {
                f: own(other),
                g: zero,
            },
            Marginals {
                log_p: other,
                log_q: log_marginal,
            },
        ),
    };
    let mut it = Iteration::new(cost, marginals, Some(&start), &plainly)?;
    match which {
        Which::Sources => {
            let log_r = less_log(cost.view(), it.rows(exec)?.log);
            it.update_rows(&log_r);
            cost.view().rows().gather(&it.f)
        }
        Which::Targets => {
            it.update_columns(exec)?;
            cost.view().cols().gather(&it.g)
        }
    }
}
