//! Terminal states of a resample, found anew.
//!
//! The macrostates of the resampled chain are computed as those of the data were, paired
//! with them by the overlap of their memberships ([`super::bootstrap_match`]), and those
//! paired with terminal macrostates give the terminal cells of the resample. How well
//! they overlap tells how stable a terminal state is.

use super::bootstrap_match::{best_pairs, overlap, overlaps};
use super::gpcca::{schur_basis, SchurMethod};
use super::rotation::{memberships, Optimizer};
use super::states::assign_states;
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::linalg::reorder::Which;
use crate::sparse::Csr;
use ndarray::{Array2, ArrayView2, Axis, Slice};

/// The macrostates of the data and how they were found.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// Memberships in the macrostates, cells x m.
    pub memberships: ArrayView2<'a, f64>,
    /// The terminal state that each macrostate belongs to; several may share one.
    pub terminal: &'a [Option<u32>],
    /// Number of terminal states, each with a macrostate at least.
    pub n_states: usize,
    /// Cells per terminal state; `None` gives every cell to a state.
    pub n_cells: Option<usize>,
    pub which: Which,
    pub method: SchurMethod,
    pub optimizer: Optimizer,
}

/// The terminal states of a resample.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// State of every cell; `None` when a terminal state has no counterpart.
    pub states: Option<Vec<Option<u32>>>,
    /// Overlap of the memberships of every terminal state with those of its
    /// counterpart, 0 without one.
    pub overlaps: Vec<f64>,
}

impl Reference<'_> {
    /// Looks for the terminal states in the chain `star`. Cost: one partial Schur
    /// decomposition and one optimisation.
    ///
    /// # Errors
    /// `interrupted`, `memory`, `shape`. A chain in which no macrostates are found is
    /// no error: its terminal states are not found either.
    pub fn find(&self, exec: &Exec, star: &Csr) -> Result<Found> {
        let none = || Found {
            states: None,
            overlaps: vec![0.0; self.n_states],
        };
        let chi = match self.macrostates(exec, star) {
            Ok(chi) => chi,
            Err(e @ (CoreError::Interrupted | CoreError::Memory { .. })) => return Err(e),
            Err(_) => return Ok(none()),
        };
        let pairs = best_pairs(overlaps(self.memberships, chi.view()).view());
        let n = chi.nrows();
        let mut before = Array2::<f64>::zeros((n, self.n_states));
        let mut after = Array2::<f64>::zeros((n, self.n_states));
        for (own, (pair, terminal)) in pairs.iter().zip(self.terminal).enumerate() {
            let Some(state) = terminal.map(|s| s as usize) else {
                continue;
            };
            before
                .column_mut(state)
                .zip_mut_with(&self.memberships.column(own), |a, &b| *a += b);
            if let Some(pair) = pair {
                after
                    .column_mut(state)
                    .zip_mut_with(&chi.column(*pair), |a, &b| *a += b);
            }
        }
        let overlaps: Vec<f64> = (0..self.n_states)
            .map(|s| overlap(before.column(s), after.column(s)))
            .collect();
        if overlaps.contains(&0.0) {
            return Ok(Found {
                states: None,
                overlaps,
            });
        }
        let states = match assign_states(after.view(), self.n_cells) {
            Ok(assigned) => Some(assigned.labels),
            Err(CoreError::NoState { .. }) => None,
            Err(e) => return Err(e),
        };
        Ok(Found { states, overlaps })
    }

    /// As many macrostates as the data have, one more where that would cut a complex
    /// pair.
    fn macrostates(&self, exec: &Exec, star: &Csr) -> Result<Array2<f64>> {
        let m = self.memberships.ncols();
        let basis = schur_basis(exec, star, m.max(2), self.which, self.method)?;
        let m = if basis.invalid_n_states.contains(&m) {
            (m + 1).min(basis.vectors.ncols())
        } else {
            m
        };
        if m == 1 {
            return Ok(Array2::ones((star.rows(), 1)));
        }
        let x = basis.vectors.slice_axis(Axis(1), Slice::from(..m));
        Ok(memberships(exec, x, self.optimizer)?.memberships)
    }
}
