//! Scores of all moves under each cell's own velocity, the steepness of the softmax
//! that they suggest, and their probabilities (sections 1.8.3 and 1.8.4 of the
//! fate-mapping rules, deterministic model).

use super::similarity::{softmax, Moments, Similarity};
use super::velocity::Direction;
use super::velocity_cells::{Cells, CELLS};
use crate::error::{try_filled, try_with_capacity, CoreError, Result, SHOWN};
use crate::exec::{split_at_bounds, Exec};
use crate::simd;
use crate::sparse::csr::row_range;

/// The score of every edge, NaN where it is undefined. O(edges * features).
pub(super) fn score_all(
    exec: &Exec,
    cells: &Cells<'_>,
    moments: &[Moments],
    similarity: Similarity,
    direction: Direction,
) -> Result<Vec<f64>> {
    let mut scores = try_filled(cells.graph.nnz(), f64::NAN, "the scores")?;
    let n = cells.len();
    let tasks = split_at_bounds(&mut scores, &cells.cuts())
        .into_iter()
        .enumerate()
        .collect();
    exec.control().begin(n);
    exec.for_each(tasks, |(t, out)| {
        let rows = t * CELLS..((t + 1) * CELLS).min(n);
        let done = rows.len();
        simd::wide(
            #[inline(always)]
            || {
                let mut out = out.iter_mut();
                for i in rows {
                    let here = cells.place(i);
                    cells.fetch(i, direction == Direction::BackwardTranspose);
                    for (&j, out) in cells.near(i).iter().zip(&mut out) {
                        let j = j as usize;
                        let there = cells.place(j);
                        let score = match direction {
                            Direction::BackwardTranspose => {
                                similarity.score(cells.velocity(j), moments[j], there, here)
                            }
                            _ => similarity.score(cells.velocity(i), moments[i], here, there),
                        };
                        if let Some(s) = score {
                            // The score is odd in the velocity.
                            *out = match direction {
                                Direction::BackwardNegate => -s,
                                _ => s,
                            };
                        }
                    }
                }
            },
        );
        exec.control().tick(done);
        Ok(())
    })?;
    Ok(scores)
}

/// Scores per task.
const SCORES: usize = 1 << 18;

/// Bins of equal exponent and leading five bits: their order is that of the sizes.
const BINS: usize = 1 << 16;

fn bin(score: f64) -> usize {
    (score.abs().to_bits() >> 47) as usize
}

/// One over the median absolute score; zeros and undefined scores (NaN) do not
/// count. Sizes are counted in bins first, so that only those near the median need
/// an order. O(scores).
///
/// # Errors
/// `no_state` when no score is left, or when they are too small to divide by,
/// `memory`, `interrupted`.
pub fn estimate_scale(exec: &Exec, scores: &[f64]) -> Result<f64> {
    let counts = |s: f64| !s.is_nan() && s != 0.0;
    let parts = exec.map_chunks(scores.len(), SCORES, |range| {
        let mut tally = vec![0u32; BINS];
        for &s in scores[range].iter().filter(|&&s| counts(s)) {
            tally[bin(s)] += 1;
        }
        tally
    })?;
    let mut tally = vec![0usize; BINS];
    for part in parts {
        for (all, part) in tally.iter_mut().zip(part) {
            *all += part as usize;
        }
    }
    let count: usize = tally.iter().sum();
    if count == 0 {
        return Err(CoreError::NoState {
            reason: "every score of velocity against displacement is zero, so the \
                     velocities carry no direction"
                .into(),
        });
    }
    // The two middle ranks, the same one when their number is odd.
    let (lower, upper) = ((count - 1) / 2, count / 2);
    let (first, before) = bin_of_rank(&tally, lower);
    let (last, _) = bin_of_rank(&tally, upper);
    let near = |s: f64| counts(s) && (first..=last).contains(&bin(s));
    let held: usize = tally[first..=last].iter().sum();
    let mut sizes = try_with_capacity(held, "the scores")?;
    sizes.extend(scores.iter().filter(|&&s| near(s)).map(|s| s.abs()));
    sizes.sort_unstable_by(f64::total_cmp);
    let scale = 1.0 / (0.5 * (sizes[lower - before] + sizes[upper - before]));
    if scale.is_finite() && scale > 0.0 {
        return Ok(scale);
    }
    Err(CoreError::NoState {
        reason: "the scores of velocity against displacement are too small or too large to \
                 scale by"
            .into(),
    })
}

/// The bin that holds an ascending rank, and how many sizes lie in bins before it.
fn bin_of_rank(tally: &[usize], rank: usize) -> (usize, usize) {
    let mut before = 0;
    for (bin, &count) in tally.iter().enumerate() {
        if rank < before + count {
            return (bin, before);
        }
        before += count;
    }
    (tally.len() - 1, before)
}

/// Softmax of each row; undefined scores get probability zero, and the rows of the
/// cells `alike` are uniform.
pub(super) fn softmax_rows(
    exec: &Exec,
    cells: &Cells<'_>,
    scores: &[f64],
    alike: &[usize],
    beta: f64,
) -> Result<Vec<f64>> {
    let n = cells.len();
    let mut p = try_filled(scores.len(), 0f64, "the transition matrix")?;
    let tasks = split_at_bounds(&mut p, &cells.cuts())
        .into_iter()
        .enumerate()
        .collect();
    exec.for_each(tasks, |(t, mut out)| {
        for i in t * CELLS..((t + 1) * CELLS).min(n) {
            let range = row_range(&cells.graph, i);
            let (p, rest) = out.split_at_mut(range.len());
            out = rest;
            if alike.binary_search(&i).is_ok() {
                p.fill(1.0 / range.len() as f64);
            } else {
                softmax(&scores[range], beta, p);
            }
        }
        Ok(())
    })?;
    Ok(p)
}

/// An error naming the cells whose moves all lack a probability.
pub(super) fn refuse_lost(exec: &Exec, cells: &Cells<'_>, p: &[f64]) -> Result<()> {
    let parts = exec.map_chunks(cells.len(), 16 * CELLS, |rows| {
        let lost = |&i: &usize| p[row_range(&cells.graph, i)].iter().all(|&p| p == 0.0);
        rows.filter(lost).collect::<Vec<_>>()
    })?;
    let lost: Vec<usize> = parts.into_iter().flatten().collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(CoreError::NotStochastic {
        count: lost.len(),
        cells: lost.into_iter().take(SHOWN).collect(),
    })
}
