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
use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::{split_at_bounds, Exec};
use crate::math;
use crate::simd;
use crate::sparse::{CscSlots, CscView};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Neighbours that are kept for their weight alone, at most.
const MOST_KEPT: usize = 30;
/// Rows or columns per task.
const LINES: usize = 1024;
/// Rows or columns whose edges go through the curve of the soft scheme at once.
const BATCH: usize = 32;
/// `exp` of more than this is taken for infinite.
const LARGEST_EXPONENT: f64 = 709.0;

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
struct Mark {
    time: f64,
    /// Weight above which rank alone keeps an edge.
    limit: f64,
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
    conn: CscView<'a>,
    scheme: Threshold,
    marks: Vec<Mark>,
    last: Vec<i32>,
    /// What is left of each row; what its entries are divided by.
    sums: Vec<f64>,
    losses: Losses,
    symmetric: bool,
    /// Whether a row without entries gets one on the diagonal.
    absorb: bool,
}

/// Where the columns of the result begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Offsets of the columns, as R has them.
    pub p: Vec<i32>,
    /// Whether exactly the stored entries of the graph stay.
    pub same_pattern: bool,
    /// Hard scheme: which stored entries stay.
    kept: Vec<bool>,
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
    fn keeps(self, w: f64, time: f64) -> bool {
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

/// Replaces falls of time by the factors of the soft scheme.
fn factors(falls: &mut [f64], b: f64, nu: f64) {
    if nu == 0.5 {
        simd::wide(
            #[inline(always)]
            || replace(falls, b, |base| base * base),
        );
    } else if nu == 1.0 {
        simd::wide(
            #[inline(always)]
            || replace(falls, b, |base| base),
        );
    } else {
        replace(falls, b, |base| math::pow(base, 1.0 / nu));
    }
}

#[inline(always)]
fn replace(falls: &mut [f64], b: f64, power: impl Fn(f64) -> f64) {
    for v in falls {
        let past = *v > 0.0;
        let exponent = b * *v;
        let e = if exponent > LARGEST_EXPONENT {
            f64::INFINITY
        } else {
            exp_positive(exponent)
        };
        let factor = 2.0 / power(1.0 + e);
        *v = if past { factor } else { 1.0 };
    }
}

/// e to the x for 0 <= x <= 709, within two units in the last place; any other x
/// gives some number. Straight code, so that a loop over it uses wide registers.
#[inline(always)]
fn exp_positive(x: f64) -> f64 {
    // Adding this rounds to a whole number, which is left in the last bits.
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts, the first with zeros at its end.
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let shifted = x * std::f64::consts::LOG2_E + WHOLE;
    let k = shifted - WHOLE;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    // 1 / m! from m = 13 down: the series on |r| <= ln(2) / 2.
    const SERIES: [f64; 12] = [
        1.605_904_383_682_161_3e-10,
        2.087_675_698_786_81e-9,
        2.505_210_838_544_172e-8,
        2.755_731_922_398_589e-7,
        2.755_731_922_398_589_3e-6,
        2.480_158_730_158_73e-5,
        1.984_126_984_126_984e-4,
        1.388_888_888_888_889e-3,
        8.333_333_333_333_333e-3,
        4.166_666_666_666_666_4e-2,
        1.666_666_666_666_666_6e-1,
        0.5,
    ];
    let mut sum = SERIES[0];
    let mut at = 1;
    while at < SERIES.len() {
        sum = sum * r + SERIES[at];
        at += 1;
    }
    let small = 1.0 + (r + r * r * sum);
    let scale = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    small * scale
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

    /// Whether column `j` gets an entry on the diagonal.
    fn absorbs(&self, j: usize) -> bool {
        self.absorb && self.sums[j] == 0.0
    }

    /// Finds what stays, by columns. O(entries).
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn plan(&self, exec: &Exec) -> Result<Plan> {
        let (n, conn) = (self.conn.cols(), self.conn);
        let hard = matches!(self.scheme, Threshold::Hard { .. });
        let what = "the offsets of a sparse matrix";
        let mut p = try_filled(n + 1, 0i32, what)?;
        let mut kept = try_filled(if hard { conn.entries() } else { 0 }, false, what)?;
        let cuts: Vec<usize> = (0..=n.div_ceil(LINES))
            .map(|t| {
                if hard {
                    conn.offsets()[(t * LINES).min(n)] as usize
                } else {
                    0
                }
            })
            .collect();
        let counts = p[1..].chunks_mut(LINES);
        let tasks: Vec<_> = counts
            .zip(split_at_bounds(&mut kept, &cuts))
            .enumerate()
            .collect();
        exec.for_each(tasks, |(task, (counts, mut kept))| {
            for (k, count) in counts.iter_mut().enumerate() {
                let j = task * LINES + k;
                let stay = if hard {
                    let (own, others) = kept.split_at_mut(conn.range(j).len());
                    kept = others;
                    self.mark_kept(j, own)
                } else if self.losses.vanished == 0 {
                    // Straight: what is stored and not zero.
                    conn.column(j).1.iter().filter(|&&w| w != 0.0).count()
                } else {
                    self.soft_column(j).0.len()
                };
                *count = (stay + usize::from(self.absorbs(j))) as i32;
            }
            Ok(())
        })?;
        // The diagonal may add entries to a matrix that is full.
        let mut total = 0usize;
        for count in &mut p[1..] {
            total += *count as usize;
            *count = i32::try_from(total).map_err(|_| CoreError::TooManyEntries {
                entries: total,
                limit: i32::MAX as usize,
            })?;
        }
        // A diagonal that is added may make up for an entry that is lost.
        let added = self.absorb && self.sums.contains(&0.0);
        Ok(Plan {
            same_pattern: p == conn.offsets() && !added,
            p,
            kept,
        })
    }

    /// Which entries of column `j` the hard scheme keeps, and their number.
    fn mark_kept(&self, j: usize, kept: &mut [bool]) -> usize {
        let (rows, weights) = self.conn.column(j);
        let time = self.marks[j].time;
        let mut count = 0;
        for ((keep, &i), &w) in kept.iter_mut().zip(rows).zip(weights) {
            let mark = self.marks[i as usize];
            let mut stays = mark.keeps(w, time);
            if w == mark.limit {
                stays |= j as i32 <= self.last[i as usize];
            }
            *keep = stays;
            count += usize::from(stays);
        }
        count
    }

    /// Writes the result of `plan` into rows `i` (left alone if it is empty: for a
    /// pattern that stays the same) and values `x`. O(entries).
    ///
    /// # Errors
    /// `shape` for buffers of other sizes, `interrupted`.
    pub fn fill(&self, exec: &Exec, plan: &Plan, i: &mut [i32], x: &mut [f64]) -> Result<()> {
        let n = self.conn.cols();
        let total = plan.p[n] as usize;
        for (what, found) in [("rows", i.len()), ("values", x.len())] {
            let fits = found == total || (what == "rows" && found == 0 && plan.same_pattern);
            if !fits {
                return Err(CoreError::Shape {
                    what: format!("the {what} of a sparse matrix"),
                    expected: total,
                    found,
                });
            }
        }
        let cuts: Vec<usize> = (0..=n.div_ceil(LINES))
            .map(|t| plan.p[(t * LINES).min(n)] as usize)
            .collect();
        let none = vec![0; cuts.len()];
        let rows = split_at_bounds(i, if i.len() < total { &none } else { &cuts });
        let tasks: Vec<_> = rows
            .into_iter()
            .zip(split_at_bounds(x, &cuts))
            .enumerate()
            .collect();
        exec.for_each(tasks, |(task, (i, x))| {
            let columns = task * LINES..((task + 1) * LINES).min(n);
            if plan.same_pattern {
                if !i.is_empty() {
                    i.copy_from_slice(self.conn.rows_of(columns.clone()));
                }
                self.fill_values(columns, x);
            } else {
                self.fill_columns(columns, plan, i, x);
            }
            Ok(())
        })
    }

    /// The values of `columns` where every stored entry stays.
    fn fill_values(&self, columns: Range<usize>, mut x: &mut [f64]) {
        for start in columns.clone().step_by(BATCH) {
            let batch = start..(start + BATCH).min(columns.end);
            let rows = self.conn.rows_of(batch.clone());
            let (own, others) = x.split_at_mut(rows.len());
            x = others;
            let weights = self.conn.values_of(batch.clone());
            if let Threshold::Soft { b, nu } = self.scheme {
                let mut rest = &mut own[..];
                for j in batch {
                    let (rows, time) = (self.conn.column(j).0, self.marks[j].time);
                    let (falls, others) = rest.split_at_mut(rows.len());
                    rest = others;
                    for (fall, &i) in falls.iter_mut().zip(rows) {
                        *fall = self.marks[i as usize].time - time;
                    }
                }
                factors(own, b, nu);
                for ((v, &w), &i) in own.iter_mut().zip(weights).zip(rows) {
                    *v = *v * w / self.sums[i as usize];
                }
            } else {
                for ((v, &w), &i) in own.iter_mut().zip(weights).zip(rows) {
                    *v = w / self.sums[i as usize];
                }
            }
        }
    }

    /// Rows and values of `columns` where entries go or are added.
    fn fill_columns(&self, columns: Range<usize>, plan: &Plan, i: &mut [i32], x: &mut [f64]) {
        let start = plan.p[columns.start] as usize;
        for j in columns {
            let from = plan.p[j] as usize - start;
            let to = plan.p[j + 1] as usize - start;
            if self.absorbs(j) || plan.kept.is_empty() {
                let (mut rows, mut values) = self.column(j, plan);
                for (v, &i) in values.iter_mut().zip(&rows) {
                    *v /= self.sums[i as usize];
                }
                if self.absorbs(j) {
                    // The row is empty, so that the place is free.
                    let place = rows.partition_point(|&i| (i as usize) < j);
                    rows.insert(place, j as i32);
                    values.insert(place, 1.0);
                }
                i[from..to].copy_from_slice(&rows);
                x[from..to].copy_from_slice(&values);
                continue;
            }
            let (rows, weights) = self.conn.column(j);
            let mut at = from;
            for ((&row, &w), &keep) in rows.iter().zip(weights).zip(&plan.kept[self.conn.range(j)])
            {
                // No branch on `keep`: what does not stay is written over.
                if let (Some(i), Some(x)) = (i.get_mut(at), x.get_mut(at)) {
                    *i = row;
                    *x = w / self.sums[row as usize];
                }
                at += usize::from(keep);
            }
        }
    }

    /// What stays of column `j`, not divided.
    fn column(&self, j: usize, plan: &Plan) -> (Vec<i32>, Vec<f64>) {
        if plan.kept.is_empty() {
            return self.soft_column(j);
        }
        let (rows, weights) = self.conn.column(j);
        let pairs = rows.iter().copied().zip(weights.iter().copied());
        let stay = pairs.zip(&plan.kept[self.conn.range(j)]);
        stay.filter(|(_, &keep)| keep).map(|(e, _)| e).unzip()
    }

    /// What the soft scheme leaves of column `j`; without a scheme, what is not zero.
    fn soft_column(&self, j: usize) -> (Vec<i32>, Vec<f64>) {
        let (rows, weights) = self.conn.column(j);
        let mut values = weights.to_vec();
        if let Threshold::Soft { b, nu } = self.scheme {
            let falls = rows
                .iter()
                .map(|&i| self.marks[i as usize].time - self.marks[j].time);
            let mut left: Vec<f64> = falls.collect();
            factors(&mut left, b, nu);
            values.iter_mut().zip(left).for_each(|(v, f)| *v *= f);
        }
        let pairs = rows.iter().copied().zip(values);
        pairs.filter(|e| e.1 != 0.0).unzip()
    }

    /// The biased graph as slots, its weights not divided. O(entries).
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn weights(mut self, exec: &Exec) -> Result<CscSlots> {
        self.keep_sums();
        self.slots(exec)
    }

    /// The result as slots, rows divided by their sums. O(entries).
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub(super) fn slots(&self, exec: &Exec) -> Result<CscSlots> {
        let plan = self.plan(exec)?;
        let total = plan.p.last().map_or(0, |&p| p as usize);
        let mut i = try_filled(total, 0i32, "a biased graph")?;
        let mut x = try_filled(total, 0f64, "a biased graph")?;
        self.fill(exec, &plan, &mut i, &mut x)?;
        Ok(CscSlots { p: plan.p, i, x })
    }
}

#[cfg(test)]
#[path = "threshold_tests.rs"]
pub(crate) mod tests;
