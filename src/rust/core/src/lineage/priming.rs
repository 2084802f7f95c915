//! Priming: how far a cell has settled on a fate.
//!
//! Early cells may end anywhere, late ones have one fate left. The degree of priming
//! puts every cell on that way, from 0 for the least to 1 for the most committed
//! (section 2.9 of the fate-mapping rules), by one of two scores: the
//! Kullback-Leibler divergence of the cell's fate probabilities p from the mean q of
//! the early cells, `sum_k p_k log2(p_k / q_k)` (Velten et al. 2017), or the entropy
//! that it has lost, `max_i H_i - H_i` with `H = -sum_k p_k ln p_k`.

use crate::error::{CoreError, Result, SHOWN};
use crate::exec::{Exec, CHUNK};
use crate::math::{ln, log2};
use ndarray::{ArrayView1, ArrayView2};

/// The score of a cell before it is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priming {
    /// Divergence from the mean of the early cells.
    KlDivergence,
    /// Entropy lost.
    Entropy,
}

/// Scores whose spread is below this part of them are all the same.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// Degree of priming, from 0 to 1, of every row of `p`, cells x lineages. Rows are
/// scaled to sum to one and `0 log 0` is 0; rows with NaN or without any mass give
/// NaN and take no part in the rest. All 0 if all scores are equal. `early` marks
/// the early cells, `None` for all.
///
/// `compat` gives what CellRank 2 does where that differs: the divergence of a cell
/// with a probability of exactly 0 is taken to be 1 before scaling, rows are not
/// scaled to sum to one, and an infinite divergence is the largest finite number.
///
/// O(cells * lineages).
///
/// # Errors
/// `shape` for a mask of another length, `range` for negative values, and where a
/// lineage that no early cell can enter makes the divergence infinite, `no_state`
/// when no early cell has probabilities, `interrupted`.
pub fn priming_degree(
    exec: &Exec,
    p: ArrayView2<'_, f64>,
    early: Option<&[bool]>,
    method: Priming,
    compat: bool,
) -> Result<Vec<f64>> {
    check(p, early)?;
    let scaled = !compat || method == Priming::Entropy;
    let reference = match method {
        Priming::KlDivergence => mean_of(p, early, scaled)?,
        Priming::Entropy => Vec::new(),
    };
    let parts = exec.map_chunks(p.nrows(), CHUNK, |rows| {
        let score = |i: usize| match (weight(p.row(i), scaled), method) {
            (None, _) => f64::NAN,
            (Some(w), Priming::KlDivergence) => divergence(p.row(i), w, &reference, compat),
            (Some(w), Priming::Entropy) => negative_entropy(p.row(i), w),
        };
        rows.map(score).collect::<Vec<f64>>()
    })?;
    let mut score = parts.concat();
    if score.contains(&f64::INFINITY) {
        if !compat {
            return Err(no_way(p, &reference));
        }
        let infinite = score.iter_mut().filter(|s| **s == f64::INFINITY);
        infinite.for_each(|s| *s = f64::MAX);
    }
    stretch(&mut score);
    Ok(score)
}

fn check(p: ArrayView2<'_, f64>, early: Option<&[bool]>) -> Result<()> {
    if let Some(early) = early.filter(|e| e.len() != p.nrows()) {
        return Err(CoreError::Shape {
            what: "the mask of early cells".into(),
            expected: p.nrows(),
            found: early.len(),
        });
    }
    let infinite = |&i: &usize| p.row(i).iter().any(|v| v.is_infinite());
    let cells: Vec<usize> = (0..p.nrows()).filter(infinite).collect();
    if !cells.is_empty() {
        return Err(CoreError::NotFinite {
            what: "the fate probabilities".into(),
            count: cells.len(),
            cells: cells.into_iter().take(SHOWN).collect(),
        });
    }
    let lowest = p.iter().copied().fold(0.0, f64::min);
    if lowest < 0.0 {
        return Err(CoreError::Range {
            what: "the lowest fate probability".into(),
            value: lowest,
            allowed: "at least 0".into(),
        });
    }
    Ok(())
}

/// What a row is multiplied by so that it sums to one (or by one); `None` for a row
/// without values.
fn weight(row: ArrayView1<'_, f64>, scaled: bool) -> Option<f64> {
    let sum: f64 = row.iter().sum();
    match (sum.is_nan() || sum == 0.0, scaled) {
        (true, _) => None,
        (false, true) => Some(1.0 / sum),
        (false, false) => Some(1.0),
    }
}

/// Mean over the early cells that have values.
fn mean_of(p: ArrayView2<'_, f64>, early: Option<&[bool]>, scaled: bool) -> Result<Vec<f64>> {
    let mut mean = vec![0.0; p.ncols()];
    let mut cells = 0usize;
    for (i, row) in p.outer_iter().enumerate() {
        if early.is_some_and(|early| !early[i]) {
            continue;
        }
        if let Some(w) = weight(row, scaled) {
            mean.iter_mut().zip(row).for_each(|(m, &v)| *m += v * w);
            cells += 1;
        }
    }
    if cells == 0 {
        return Err(CoreError::NoState {
            reason: "none of the early cells has fate probabilities".into(),
        });
    }
    mean.iter_mut().for_each(|m| *m /= cells as f64);
    Ok(mean)
}

fn divergence(row: ArrayView1<'_, f64>, w: f64, mean: &[f64], compat: bool) -> f64 {
    let mut sum = 0.0;
    for (&v, &q) in row.iter().zip(mean) {
        let p = v * w;
        if p > 0.0 {
            sum += p * log2(p / q);
        } else if compat {
            return 1.0;
        }
    }
    sum
}

fn negative_entropy(row: ArrayView1<'_, f64>, w: f64) -> f64 {
    let terms = row.iter().map(|&v| v * w).filter(|&p| p > 0.0);
    terms.map(|p| p * ln(p)).sum()
}

/// The error that names the first lineage that cells but no early cells can enter.
fn no_way(p: ArrayView2<'_, f64>, mean: &[f64]) -> CoreError {
    let entered = |&c: &usize| mean[c] == 0.0 && p.column(c).iter().any(|&v| v > 0.0);
    let lineage = (0..mean.len()).find(entered).map_or(0, |c| c + 1);
    CoreError::Range {
        what: format!("the mean probability of the early cells for lineage {lineage}"),
        value: 0.0,
        allowed: "above 0, or the divergence from it is infinite".into(),
    }
}

/// Scales to the range from 0 to 1.
fn stretch(score: &mut [f64]) {
    let known = || score.iter().copied().filter(|s| !s.is_nan());
    let (low, high) = (
        known().fold(f64::INFINITY, f64::min),
        known().fold(f64::NEG_INFINITY, f64::max),
    );
    let span = high - low;
    let equal = span <= ROUNDING * low.abs().max(high.abs()).max(1.0);
    for s in score.iter_mut().filter(|s| !s.is_nan()) {
        *s = if equal { 0.0 } else { (*s - low) / span };
    }
}

#[cfg(test)]
#[path = "priming_tests.rs"]
mod tests;
