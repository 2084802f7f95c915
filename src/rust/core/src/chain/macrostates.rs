//! From Schur vectors to named groups of cells: one step of the analysis.
//!
//! Soft memberships (section 2.6.3 of the fate-mapping rules), the cells that stand
//! for each macrostate (2.6.5), and the chain between the macrostates with its
//! stationary distribution where there is one (2.6.4).

use super::coarse::{coarse, Coarse};
use super::rotation::{memberships, Memberships, Optimizer, NELDER_MEAD};
use super::states::{assign_states, Assignment};
use super::stationary::{stationary, Stationary};
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::sparse::Csr;
use ndarray::ArrayView2;

/// Macrostates of a chain.
#[derive(Debug, Clone)]
pub struct Macrostates {
    pub memberships: Memberships,
    pub assignment: Assignment,
    pub coarse: Coarse,
    /// Distribution `None` with several closed classes, or when it could not be
    /// certified; `unsettled` tells the second from the first.
    pub stationary: Stationary,
    /// Why the stationary distribution is missing although it is unique.
    pub unsettled: Option<CoreError>,
    /// Whether the compatible optimiser stood in for a crisper result that left a
    /// state without cells.
    pub fell_back: bool,
}

/// Macrostates of `t` from its first m Schur vectors `x` (cells x m), each shown by
/// `n_cells` cells (`None`: every cell by its largest membership). Cost: that of the
/// optimiser and of the stationary distribution.
///
/// # Errors
/// Those of [`memberships`], [`assign_states`] and [`coarse`]. A chain of more closed
/// classes than macrostates is `no_state`.
pub fn macrostates(
    exec: &Exec,
    t: &Csr,
    x: ArrayView2<'_, f64>,
    optimizer: Optimizer,
    n_cells: Option<usize>,
) -> Result<Macrostates> {
    let (memberships, assignment, fell_back) = represented(exec, x, optimizer, n_cells)?;
    let chi = memberships.memberships.view();
    let mut unsettled = None;
    let stationary = match stationary(exec, t) {
        Err(e @ CoreError::NotConverged { residual, .. }) => {
            unsettled = Some(e);
            Stationary {
                distribution: None,
                residual,
                closed_classes: vec![],
            }
        }
        other => other?,
    };
    let closed = stationary.closed_classes.len();
    if closed > x.ncols() {
        return Err(CoreError::NoState {
            reason: format!(
                "{} macrostates are fewer than the {closed} closed classes of the chain",
                x.ncols()
            ),
        });
    }
    let coarse = coarse(exec, t, chi, stationary.distribution.as_deref())?;
    Ok(Macrostates {
        memberships,
        assignment,
        coarse,
        stationary,
        unsettled,
        fell_back,
    })
}

/// Memberships in which every state has cells of its own. Where the crispest found
/// leave one without, those of the compatible optimiser are taken if they do not.
fn represented(
    exec: &Exec,
    x: ArrayView2<'_, f64>,
    optimizer: Optimizer,
    n_cells: Option<usize>,
) -> Result<(Memberships, Assignment, bool)> {
    let crispest = memberships(exec, x, optimizer)?;
    match assign_states(crispest.memberships.view(), n_cells) {
        Err(e @ CoreError::NoState { .. }) if crispest.optimizer != NELDER_MEAD => {
            let other = memberships(exec, x, Optimizer::NelderMead)?;
            match assign_states(other.memberships.view(), n_cells) {
                Ok(assignment) => Ok((other, assignment, true)),
                Err(_) => Err(e),
            }
        }
        assigned => Ok((crispest, assigned?, false)),
    }
}
