//! Cells and choice of initial and terminal states.

use crate::boundary::guard;
use crate::chain::{counts, labels};
use crate::convert::{dense, positions};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::chain::states::{assign_named, select_initial, state_scores};

/// The cells of largest membership in each of the named columns, and how much every
/// cell belongs to one of them.
#[extendr]
fn rs_states_assign(
    memberships: &[f64],
    n: i32,
    names: Vec<String>,
    n_cells: i32,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let chi = dense(memberships, n, names.len() as i32)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let per_state = Some(n_cells.max(0) as usize);
        let (states, scores) = job::run(n_threads, &progress, move |_| {
            Ok((assign_named(chi, per_state, &names)?, state_scores(chi)?))
        })?;
        Ok(list!(
            labels = labels(&states.labels),
            counts = counts(&states.counts),
            scores = scores
        )
        .into())
    })
}

/// The macrostates of smallest stationary probability, as positions.
#[extendr]
fn rs_states_initial(stationary: &[f64], n_states: i32, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let wanted = n_states.max(0) as usize;
        let chosen = job::run(n_threads, &progress, move |_| {
            select_initial(stationary, wanted)
        })?;
        Ok(positions(&chosen).into())
    })
}

extendr_module! {
    mod chain_states;
    fn rs_states_assign;
    fn rs_states_initial;
}
