//! Graphs biased by time: edges into the past are removed or weakened.
//!
//! A differentiating cell rarely goes back, but pseudotime is noisy. The *hard*
//! scheme is the rule of Palantir (Setty et al. 2019): of k neighbours the
//! `min(30, floor(k frac_to_keep))` heaviest stay whatever their time, of the others
//! those that are not earlier. The *soft* scheme is that of VIA (Stassen et al.
//! 2021): an edge from i to an earlier j is multiplied by
//! `2 / (1 + exp(b (t_i - t_j)))^(1 / nu)` (section 1.9 of the fate-mapping rules).
//!
//! What happens to an edge depends on its row through few numbers: the time, the
//! weight that rank alone requires, the sum that is left. One pass over the rows
//! finds these, and a pass over the columns writes the result as R keeps it; where
//! the graph is symmetric, its columns are its rows and nothing is transposed.

use super::connectivity::refuse_isolated;
use super::threshold_curve::factors;
pub use super::threshold_write::Plan;
use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::sparse::CscView;
use std::sync::{Mutex, PoisonError};

/// Neighbours that are kept for their weight alone, at most.
const MOST_KEPT: usize = 30;
/// Rows or columns per task.
pub(super) const LINES: usize = 1024;
/// Rows or columns whose edges go through the curve of the soft scheme at once.
pub(super) const BATCH: usize = 32;

/// What becomes of edges that lead into the past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// Removed, but for the share `frac_to_keep` (0 to 1) of heaviest edges.
    Hard { frac_to_keep: f64 },
    /// Weakened: `b` >= 0 is the steepness, `nu` > 0 the asymmetry of the curve.
    Soft { b: f64, nu: f64 },
    /// Nothing: the graph was biased before.
    Done,
}

impl Threshold {
    /// Whether the parameters lie in their ranges.
    ///
    /// # Errors
    /// `range`.
    pub fn check(self) -> Result<()> {
        let outside = |what: &str, value, allowed: &str| {
            Err(CoreError::Range {
                what: what.into(),
                value,
                allowed: allowed.into(),
            })
        };
        match self {
            Threshold::Hard { frac_to_keep: f } if !(0.0..=1.0).contains(&f) => {
                outside("frac_to_keep", f, "0 to 1")
            }
            Threshold::Soft { b, .. } if !(b >= 0.0 && b.is_finite()) => {
                outside("b", b, "finite and not negative")
            }
            Threshold::Soft { nu, .. } if !(nu > 0.0 && nu.is_finite()) => {
                outside("nu", nu, "finite and positive")
            }
            _ => Ok(()),
        }
    }
}

/// What decides about the edges of a row, with what is left of it.
#[derive(Debug, Clone, Copy, Default)]
struct Rule {
    mark: Mark,
    /// Of edges that weigh `limit`, rank keeps those up to this column.
    last: i32,
    sum: f64,
}

/// The part of a rule that every edge is held against.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    pub time: f64,
    /// Weight above which rank alone keeps an edge.
    pub limit: f64,
}

/// What the bias did to the edges.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Losses {
    /// Edges whose factor is zero in double precision (soft scheme).
    pub vanished: usize,
    /// Rows with such edges.
    pub rows: usize,
    /// The largest fall of time along an edge.
    pub largest_fall: f64,
}

impl Losses {
    fn add(&mut self, other: Losses) {
        self.vanished += other.vanished;
        self.rows += other.rows;
        self.largest_fall = self.largest_fall.max(other.largest_fall);
    }
}

/// A graph with the rules that bias it; [`Biased::plan`] and [`Biased::fill`] write
/// it out.
#[derive(Debug)]
pub struct Biased<'a> {
    pub(super) conn: CscView<'a>,
    pub(super) scheme: Threshold,
    pub(super) marks: Vec<Mark>,
    pub(super) last: Vec<i32>,
    /// What is left of each row; what its entries are divided by.
    pub(super) sums: Vec<f64>,
    pub(super) losses: Losses,
    symmetric: bool,
    /// Whether a row without entries gets one on the diagonal.
    pub(super) absorb: bool,
}

/// Finds what biases a graph (cells x cells) by time, one finite number per cell.
/// Only stored positive weights are neighbours. O(entries log k) time; O(n) memory
/// for a symmetric graph, O(entries) for any other.
///
/// # Errors
/// `shape`; `range` for parameters, times and weights; `disconnected` for cells
/// without a neighbour in `conn` (unless `scheme` is [`Threshold::Done`]);
/// `memory`, `interrupted`.
pub fn bias<'a>(
    exec: &Exec,
    conn: CscView<'a>,
    time: &[f64],
    scheme: Threshold,
) -> Result<Biased<'a>> {
    scheme.check()?;
    check_time(conn, time)?;
    check_weights(exec, conn)?;
    let n = conn.rows();
    let what = "rules of cells";
    let mut biased = Biased {
        conn,
        scheme,
        marks: try_filled(n, Mark::default(), what)?,
        last: try_filled(n, 0, what)?,
        sums: try_filled(n, 0.0, what)?,
        losses: Losses::default(),
        symmetric: conn.is_symmetric(exec)?,
        absorb: false,
    };
    if biased.symmetric {
        biased.find_rules(exec, conn, time)?;
    } else {
        let turned = conn.transposed(exec)?;
        let shape = (conn.cols(), conn.rows());
        let rows = CscView::new(exec, shape, &turned.p, &turned.i, &turned.x)?;
        biased.find_rules(exec, rows, time)?;
    }
    Ok(biased)
}

fn check_time(conn: CscView<'_>, time: &[f64]) -> Result<()> {
    let n = conn.rows();
    for (what, found) in [
        ("the columns of the graph", conn.cols()),
        ("the pseudotime", time.len()),
    ] {
        if found != n {
            return Err(CoreError::Shape {
                what: what.into(),
                expected: n,
                found,
            });
        }
    }
    finite_times(time)
}

/// An error naming the cells whose time is missing or infinite.
pub(super) fn finite_times(time: &[f64]) -> Result<()> {
    let bad: Vec<usize> = (0..time.len()).filter(|&i| !time[i].is_finite()).collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(CoreError::NotFinite {
        what: "the pseudotime".into(),
        count: bad.len(),
        cells: bad.into_iter().take(SHOWN).collect(),
    })
}

fn check_weights(exec: &Exec, conn: CscView<'_>) -> Result<()> {
    let infinite = |count, cells| CoreError::NotFinite {
        what: "the graph".into(),
        count,
        cells,
    };
    conn.require(exec, f64::is_finite, infinite)?;
    let negative = |count, cells| CoreError::NegativeWeights { count, cells };
    conn.require(exec, |v| v >= 0.0, negative)
}

impl Biased<'_> {
    /// The rules of all rows; `rows` holds them as columns.
    fn find_rules(&mut self, exec: &Exec, rows: CscView<'_>, time: &[f64]) -> Result<()> {
        let scheme = self.scheme;
        let marks = self.marks.chunks_mut(LINES);
        let rest = self.last.chunks_mut(LINES).zip(self.sums.chunks_mut(LINES));
        let tasks: Vec<_> = marks.zip(rest).enumerate().collect();
        let losses = Mutex::new(Losses::default());
        exec.for_each(tasks, |(task, (marks, (last, sums)))| {
            let first = task * LINES;
            let mut found = Losses::default();
            match scheme {
                Threshold::Hard { frac_to_keep } => {
                    let mut keys = Vec::new();
                    for k in 0..marks.len() {
                        let rule = hard_rule(rows, first + k, time, frac_to_keep, &mut keys);
                        (marks[k], last[k], sums[k]) = (rule.mark, rule.last, rule.sum);
                    }
                }
                Threshold::Soft { b, nu } => {
                    for (k, mark) in marks.iter_mut().enumerate() {
                        mark.time = time[first + k];
                    }
                    found = soft_sums(rows, first, time, (b, nu), sums);
                }
                Threshold::Done => {
                    for (k, sum) in sums.iter_mut().enumerate() {
                        *sum = rows.column(first + k).1.iter().sum();
                    }
                }
            }
            // Counts and maxima, which no order of tasks can change.
            let mut all = losses.lock().unwrap_or_else(PoisonError::into_inner);
            all.add(found);
            Ok(())
        })?;
        self.losses = losses.into_inner().unwrap_or_else(PoisonError::into_inner);
        if scheme != Threshold::Done {
            let n = rows.cols();
            refuse_isolated((0..n).filter(|&i| rows.column(i).1.iter().all(|&w| w <= 0.0)))?;
        }
        self.refuse_overflow()
    }

    fn refuse_overflow(&self) -> Result<()> {
        let n = self.sums.len();
        let heavy: Vec<usize> = (0..n).filter(|&i| !self.sums[i].is_finite()).collect();
        if heavy.is_empty() {
            return Ok(());
        }
        Err(CoreError::NotFinite {
            what: "the sums of edge weights of cells".into(),
            count: heavy.len(),
            cells: heavy.into_iter().take(SHOWN).collect(),
        })
    }
}

fn hard_rule(rows: CscView<'_>, i: usize, time: &[f64], frac: f64, keys: &mut Vec<u64>) -> Rule {
    let (cols, weights) = rows.column(i);
    let now = time[i];
    let (mut k, mut past, mut all) = (0, 0, 0.0);
    for (&j, &w) in cols.iter().zip(weights) {
        let there = w > 0.0;
        k += usize::from(there);
        past += usize::from(there & (now > time[j as usize]));
        all += w;
    }
    let mut rule = Rule {
        mark: Mark {
            time: now,
            limit: f64::INFINITY,
        },
        last: -1,
        sum: all,
    };
    if past == 0 {
        return rule;
    }
    let always = MOST_KEPT.min((k as f64 * frac).floor() as usize);
    if always > 0 {
        (rule.mark.limit, rule.last) = rank(cols, weights, k, always, keys);
    }
    rule.sum = 0.0;
    for (&j, &w) in cols.iter().zip(weights) {
        let stays =
            rule.mark.keeps(w, time[j as usize]) | ((w == rule.mark.limit) & (j <= rule.last));
        // No branch: adding zero changes nothing.
        rule.sum += if stays { w } else { 0.0 };
    }
    rule
}

impl Mark {
    /// Whether an edge to a cell at `time` stays, ties in weight apart.
    #[inline(always)]
    pub(super) fn keeps(self, w: f64, time: f64) -> bool {
        (w > 0.0) & ((self.time <= time) | (w > self.limit))
    }
}

/// The weight of rank `always` of `k` positive ones, and the column up to which
/// edges of that weight belong to the first `always`.
fn rank(cols: &[i32], weights: &[f64], k: usize, always: usize, keys: &mut Vec<u64>) -> (f64, i32) {
    keys.clear();
    // Positive numbers are ordered as their bits are.
    keys.extend(weights.iter().filter(|&&w| w > 0.0).map(|w| w.to_bits()));
    let limit = f64::from_bits(*keys.select_nth_unstable(k - always).1);
    let above = weights.iter().filter(|&&w| w > limit).count();
    let mut ties = cols.iter().zip(weights).filter(|(_, &w)| w == limit);
    // The edge of that rank is one of the ties.
    let last = ties.nth(always - above - 1).map_or(-1, |(&j, _)| j);
    (limit, last)
}

/// What the soft scheme leaves of rows `first..`, and what it takes.
fn soft_sums(
    rows: CscView<'_>,
    first: usize,
    time: &[f64],
    (b, nu): (f64, f64),
    sums: &mut [f64],
) -> Losses {
    let mut found = Losses::default();
    let mut falls = Vec::new();
    for (batch, sums) in sums.chunks_mut(BATCH).enumerate() {
        let lines = first + batch * BATCH..first + batch * BATCH + sums.len();
        falls.clear();
        for i in lines.clone() {
            let (cols, weights) = rows.column(i);
            for (&j, &w) in cols.iter().zip(weights) {
                let fall = time[i] - time[j as usize];
                falls.push(fall);
                let there = if w > 0.0 { fall } else { 0.0 };
                found.largest_fall = found.largest_fall.max(there);
            }
        }
        factors(&mut falls, b, nu);
        let mut rest = &falls[..];
        for (sum, i) in sums.iter_mut().zip(lines) {
            let weights = rows.column(i).1;
            let (own, others) = rest.split_at(weights.len());
            rest = others;
            let mut vanished = 0;
            for (&factor, &w) in own.iter().zip(weights) {
                let left = w * factor;
                *sum += left;
                vanished += usize::from((left == 0.0) & (w > 0.0));
            }
            found.vanished += vanished;
            found.rows += usize::from(vanished > 0);
        }
    }
    found
}

impl Biased<'_> {
    /// Whether the graph is its own transpose, to the bit.
    pub fn is_symmetric(&self) -> bool {
        self.symmetric
    }

    /// What the bias did to the edges.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// Cells that keep no edge, ascending.
    pub fn empty(&self) -> Vec<usize> {
        (0..self.sums.len())
            .filter(|&i| self.sums[i] == 0.0)
            .collect()
    }

    /// Sums of the rows that are not empty.
    pub(super) fn sums(&self) -> impl Iterator<Item = f64> + '_ {
        self.sums.iter().copied().filter(|&s| s != 0.0)
    }

    /// From now on rows that are empty have a one on the diagonal.
    pub(super) fn absorb(&mut self) {
        self.absorb = true;
    }

    /// From now on rows are not divided by their sums.
    pub(super) fn keep_sums(&mut self) {
        for sum in &mut self.sums {
            if *sum != 0.0 {
                *sum = 1.0;
            }
        }
    }
}

#[cfg(test)]
#[path = "threshold_tests.rs"]
pub(crate) mod tests;
