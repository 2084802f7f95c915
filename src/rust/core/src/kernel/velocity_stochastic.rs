//! Transitions along uncertain velocities, to second order.
//!
//! The deterministic probabilities at the mean velocity around a cell, plus half
//! their second derivatives weighted by its variance; negative ones are cut at zero
//! and the row is scaled to sum to one (section 1.8.3 of the fate-mapping rules,
//! stochastic model). O(edges * features), per thread O(neighbours * features).

use super::similarity::{softmax, Similarity};
use super::similarity_curvature::{expand, Curvature};
use super::similarity_moves::{Aim, Moves};
use super::velocity_cells::{Cells, CELLS};
use super::velocity_moments::Spread;
use crate::error::{try_filled, Result};
use crate::exec::{split_at_bounds, Exec};
use crate::simd;

/// Probabilities and scores of every edge.
pub(super) struct Expected {
    pub probabilities: Vec<f64>,
    /// NaN where undefined.
    pub scores: Vec<f64>,
    /// Cells without any velocity around them, whose moves are all alike.
    pub still: Vec<usize>,
}

/// What one task computes for its cells: `fill(i, scores, probabilities)` says
/// whether cell i has a velocity. Shared by the models that look at one cell's moves
/// many times.
pub(super) fn by_cells<F, T>(exec: &Exec, cells: &Cells<'_>, make: F) -> Result<Expected>
where
    F: Fn() -> Result<T> + Sync,
    T: FnMut(usize, &mut [f64], &mut [f64]) -> bool,
{
    let n = cells.len();
    let mut scores = try_filled(cells.graph.nnz(), f64::NAN, "the scores")?;
    let mut probabilities = try_filled(cells.graph.nnz(), 0.0, "the transition matrix")?;
    let mut is_still = vec![false; n];
    let cuts = cells.cuts();
    let tasks = split_at_bounds(&mut scores, &cuts)
        .into_iter()
        .zip(split_at_bounds(&mut probabilities, &cuts))
        .zip(is_still.chunks_mut(CELLS))
        .enumerate()
        .collect();
    exec.control().begin(n);
    exec.for_each(tasks, |(t, ((mut s, mut p), still))| {
        let mut fill = make()?;
        for (i, still) in (t * CELLS..).zip(still) {
            exec.check()?;
            let k = cells.near(i).len();
            let (row_s, rest_s) = s.split_at_mut(k);
            let (row_p, rest_p) = p.split_at_mut(k);
            (s, p) = (rest_s, rest_p);
            if !fill(i, row_s, row_p) {
                row_p.fill(1.0 / k as f64);
                *still = true;
            }
            exec.control().tick(1);
        }
        Ok(())
    })?;
    Ok(Expected {
        probabilities,
        scores,
        still: (0..n).filter(|&i| is_still[i]).collect(),
    })
}

/// The rows of all cells.
pub(super) fn expected_rows(
    exec: &Exec,
    cells: &Cells<'_>,
    similarity: Similarity,
    beta: f64,
) -> Result<Expected> {
    let (features, widest) = (cells.features, cells.widest());
    by_cells(exec, cells, || {
        let mut moves = Moves::new(similarity, features, widest)?;
        let mut aim = Aim::new(features);
        let mut spread = Spread::new(features);
        let mut curvature = Curvature::new(&moves);
        let mut second = try_filled(widest, 0.0, "the second derivatives")?;
        Ok(move |i: usize, s: &mut [f64], p: &mut [f64]| {
            simd::wide(
                #[inline(always)]
                || {
                    spread.load(cells, i);
                    if spread.mean.iter().all(|&v| v == 0.0) {
                        return false;
                    }
                    aim.set(similarity, &spread.mean, features);
                    moves.clear();
                    let here = cells.place(i);
                    for &j in cells.near(i) {
                        moves.push(here, cells.place(j as usize));
                    }
                    moves.scores(&aim, s);
                    softmax(s, beta, p);
                    let second = &mut second[..p.len()];
                    curvature.contract(&moves, &aim, (s, p), beta, &spread.variance, second);
                    expand(p, second);
                    true
                },
            )
        })
    })
}
