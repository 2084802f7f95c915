//! From Schur vectors to named groups of cells: one step of the analysis.
//!
//! Soft memberships (section 2.6.3 of the fate-mapping rules), the cells that stand
//! for each macrostate (2.6.5), and the chain between the macrostates with its
//! stationary distribution where there is one (2.6.4).

use super::classes::communicating_classes;
use super::coarse::{coarse, lifted, shares, Coarse};
use super::rotation::{memberships, Memberships, Optimizer, NELDER_MEAD};
use super::states::{assign_states, Assignment};
use super::stationary::{stationary, stationary_near, Stationary};
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
    enough_states(t, x.ncols())?;
    let (memberships, assignment, fell_back) = represented(exec, x, optimizer, n_cells)?;
    let chi = memberships.memberships.view();
    let mut coarse = coarse(exec, t, chi, None)?;
    let start = lifted(exec, &coarse, chi)?;
    let mut unsettled = None;
    let stationary = match stationary_near(exec, t, start.as_deref()) {
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
    let pi = stationary.distribution.as_deref();
    coarse.stationary = pi.map(|pi| shares(chi, |i| pi[i]));
    Ok(Macrostates {
        memberships,
        assignment,
        coarse,
        stationary,
        unsettled,
        fell_back,
    })
}

/// The one macrostate of a chain that is not divided: its stationary distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeChain {
    /// pi over all cells, sum one.
    pub distribution: Vec<f64>,
    /// Largest entry of `T' pi - pi` relative to the largest of pi.
    pub residual: f64,
    /// The cells in which the chain is most often.
    pub assignment: Assignment,
}

/// A single macrostate of `t`, shown by the `n_cells` cells of largest stationary
/// probability (`None`: by all). Cost: that of the stationary distribution.
///
/// # Errors
/// `no_state` with several closed classes, `range` for more cells than there are, and
/// those of [`stationary`].
pub fn whole_chain(exec: &Exec, t: &Csr, n_cells: Option<usize>) -> Result<WholeChain> {
    let found = stationary(exec, t)?;
    let Some(distribution) = found.distribution else {
        return Err(too_few(1, found.closed_classes.len()));
    };
    let column = ArrayView2::from_shape((distribution.len(), 1), &distribution);
    let column = column.map_err(|_| CoreError::Shape {
        what: "the stationary distribution".into(),
        expected: t.rows(),
        found: distribution.len(),
    })?;
    Ok(WholeChain {
        assignment: assign_states(column, n_cells)?,
        residual: found.residual,
        distribution,
    })
}

/// Every closed class keeps its probability and thus needs a macrostate of its own.
/// O(entries).
///
/// # Errors
/// `no_state` for more closed classes than `m`.
pub(crate) fn enough_states(t: &Csr, m: usize) -> Result<()> {
    let closed = communicating_classes(t)?.closed.len();
    if closed > m {
        return Err(too_few(m, closed));
    }
    Ok(())
}

fn too_few(m: usize, closed: usize) -> CoreError {
    CoreError::NoState {
        reason: format!(
            "the number of macrostates, {m}, is less than that of the closed classes of the \
             chain, {closed}"
        ),
    }
}

/// Memberships in which every state has cells of its own. Where the crispest found
/// leave one without, those of the compatible optimiser are taken if they do not.
pub(crate) fn represented(
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

#[cfg(test)]
#[path = "macrostates_tests.rs"]
mod tests;
