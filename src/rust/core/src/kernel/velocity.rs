//! Transitions along RNA velocity.
//!
//! The velocity of a cell says how its expression will change; the walk prefers
//! those neighbours whose displacement from the cell agrees with it. Scores (the
//! "logits") of all neighbours become probabilities by a softmax whose steepness is
//! set, unless given, so that the median score weighs one (Lange et al. 2022;
//! sections 1.8.3 and 1.8.4 of the fate-mapping rules):
//!
//! `p_j = exp(beta s_j) / sum_k exp(beta s_k)`, `beta = 1 / median |s|`, s != 0.
//!
//! Velocities are taken as they are, or as uncertain: with the mean and the variance
//! found around each cell, the expected probabilities follow from a second-order
//! expansion or from draws. Scores do not depend on beta, so for certain velocities
//! the features are read once.

use super::similarity::{check_scale, Similarity};
use super::velocity_cells::Cells;
pub use super::velocity_cells::VelocityInput;
use super::velocity_monte_carlo::drawn_rows;
pub use super::velocity_monte_carlo::Draws;
pub use super::velocity_scores::estimate_scale;
use super::velocity_scores::{refuse_lost, score_all, softmax_rows};
use super::velocity_stochastic::{expected_rows, Expected};
use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::sparse::csr::{from_parts, row_range, Csr};
use std::borrow::Cow;

/// Which way in time the walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// With the velocities.
    Forward,
    /// To cells whose own velocity points here: `s(v_j, x_i - x_j)`.
    BackwardTranspose,
    /// Against the cell's own velocity: `s(-v_i, x_j - x_i)`.
    BackwardNegate,
}

/// How the uncertainty of velocities enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Not at all.
    Deterministic,
    /// By a second-order expansion around the mean velocity.
    Stochastic,
    /// By draws.
    MonteCarlo(Draws),
}

/// Parameters of the kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VelocityOptions {
    pub similarity: Similarity,
    /// Steepness of the softmax; `None` takes one over the median absolute score of
    /// the deterministic model.
    pub softmax_scale: Option<f64>,
    pub direction: Direction,
    pub model: Model,
}

impl Default for VelocityOptions {
    fn default() -> VelocityOptions {
        VelocityOptions {
            similarity: Similarity::Correlation,
            softmax_scale: None,
            direction: Direction::Forward,
            model: Model::Deterministic,
        }
    }
}

/// What [`velocity_transition`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct VelocityTransition {
    /// n x n, rows sum to one, zeros not stored.
    pub matrix: Csr,
    /// The unscaled scores of the neighbours in the order of the graph, NaN where
    /// undefined; for draws their means.
    pub scores: Vec<f64>,
    /// The steepness that was used.
    pub softmax_scale: f64,
    /// Whether it was estimated from the scores.
    pub estimated: bool,
    /// Number of features in use.
    pub features: usize,
    /// Cells without a velocity, which move to each neighbour alike (but their scores
    /// count as any other's in [`Direction::BackwardTranspose`]).
    pub still: Vec<usize>,
}

/// What [`velocity_rows`] finds: [`VelocityTransition`] before it is a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct VelocityRows {
    /// The graph without entries that are not above zero, if it has any.
    pub pattern: Option<Csr>,
    /// One per edge of `pattern`, else of the graph; zero where a neighbour is never
    /// visited.
    pub probabilities: Vec<f64>,
    pub scores: Vec<f64>,
    pub softmax_scale: f64,
    pub estimated: bool,
    pub features: usize,
    pub still: Vec<usize>,
}

impl VelocityRows {
    /// Whether every edge of the graph has a probability above zero.
    pub fn keep_all(&self) -> bool {
        self.pattern.is_none() && self.probabilities.iter().all(|&p| p > 0.0)
    }

    /// The transition matrix, n x n, zeros not stored. O(edges).
    ///
    /// # Errors
    /// `memory`.
    pub fn matrix(&mut self, graph: &Csr) -> Result<Csr> {
        let values = std::mem::take(&mut self.probabilities);
        stored(self.pattern.as_ref().unwrap_or(graph), values)
    }
}

/// The transition matrix of velocities at the expression of cells over a graph.
/// Features with a missing velocity (NaN) in any cell are left out. A neighbour at
/// the same place as the cell has no score and is never visited (for the inner
/// product it has score zero). O(edges * features), times the number of draws for
/// [`Model::MonteCarlo`]; memory O(edges) and, for uncertain velocities,
/// O(neighbours * features) per thread.
///
/// # Errors
/// `shape` for sizes that do not fit, `range` for values that are not finite, a
/// steepness not above zero, no draw, or an uncertain model for a backward walk,
/// `disconnected` for cells without neighbours, `no_state` when no feature is left or
/// every score is zero and none was given to scale by, `not_stochastic` naming cells
/// whose neighbours all lack a score, `memory`, `interrupted`.
pub fn velocity_transition(
    exec: &Exec,
    input: &VelocityInput<'_>,
    options: &VelocityOptions,
) -> Result<VelocityTransition> {
    let mut rows = velocity_rows(exec, input, options)?;
    Ok(VelocityTransition {
        matrix: rows.matrix(input.graph)?,
        scores: rows.scores,
        softmax_scale: rows.softmax_scale,
        estimated: rows.estimated,
        features: rows.features,
        still: rows.still,
    })
}

/// As [`velocity_transition`], the probabilities left in the order of the edges.
///
/// # Errors
/// As [`velocity_transition`].
pub fn velocity_rows(
    exec: &Exec,
    input: &VelocityInput<'_>,
    options: &VelocityOptions,
) -> Result<VelocityRows> {
    check_options(options)?;
    let cells = Cells::new(exec, input)?;
    let similarity = options.similarity;
    let estimated = options.softmax_scale.is_none();
    let own = options.model == Model::Deterministic;
    let (scores, still) = if own || estimated {
        let (moments, still) = cells.moments(exec, similarity)?;
        let direction = options.direction;
        let scores = score_all(exec, &cells, &moments, similarity, direction)?;
        (scores, still)
    } else {
        (vec![], vec![])
    };
    let softmax_scale = match options.softmax_scale {
        Some(scale) => scale,
        None => estimate_scale(exec, &scores)?,
    };
    let found = match options.model {
        Model::Deterministic => {
            let alike: &[usize] = match options.direction {
                Direction::BackwardTranspose => &[],
                Direction::Forward | Direction::BackwardNegate => &still,
            };
            let probabilities = softmax_rows(exec, &cells, &scores, alike, softmax_scale)?;
            Expected {
                probabilities,
                scores,
                still,
            }
        }
        Model::Stochastic => expected_rows(exec, &cells, similarity, softmax_scale)?,
        Model::MonteCarlo(draws) => drawn_rows(exec, &cells, similarity, softmax_scale, draws)?,
    };
    refuse_lost(exec, &cells, &found.probabilities)?;
    Ok(VelocityRows {
        probabilities: found.probabilities,
        scores: found.scores,
        softmax_scale,
        estimated,
        features: cells.features,
        still: found.still,
        pattern: match cells.graph {
            Cow::Borrowed(_) => None,
            Cow::Owned(graph) => Some(graph),
        },
    })
}

fn check_options(options: &VelocityOptions) -> Result<()> {
    if let Some(scale) = options.softmax_scale {
        check_scale(scale)?;
    }
    if let Model::MonteCarlo(draws) = options.model {
        draws.check()?;
    }
    if options.model == Model::Deterministic || options.direction == Direction::Forward {
        return Ok(());
    }
    Err(CoreError::Choice {
        what: "the model".into(),
        value: "stochastic or by draws".into(),
        reason: "is defined for forward walks alone".into(),
    })
}

/// A matrix of `values` on the pattern of `graph`, zeros left out. O(entries).
fn stored(graph: &Csr, mut values: Vec<f64>) -> Result<Csr> {
    let mut indptr = try_with_capacity(graph.rows() + 1, "the transition matrix")?;
    let mut indices = try_with_capacity(graph.nnz(), "the transition matrix")?;
    indptr.push(0);
    for i in 0..graph.rows() {
        for e in row_range(graph, i) {
            if values[e] != 0.0 {
                values[indices.len()] = values[e];
                indices.push(graph.indices()[e]);
            }
        }
        indptr.push(indices.len());
    }
    values.truncate(indices.len());
    from_parts((graph.rows(), graph.cols()), indptr, indices, values)
}

#[cfg(test)]
#[path = "velocity_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "velocity_models_tests.rs"]
mod models_tests;
