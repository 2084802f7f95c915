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

/// Neighbours that are kept for their weight alone, at most.
const MOST_KEPT: usize = 30;
/// Rows or columns per task.
const LINES: usize = 1024;
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

/// What decides about the edges of a row.
#[derive(Debug, Clone, Copy, Default)]
struct Rule {
    time: f64,
    /// Weight above which rank alone keeps an edge.
    limit: f64,
    /// What is left of the row.
    sum: f64,
    /// Of edges that weigh `limit`, rank keeps those up to this column.
    last: i32,
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
    rules: Vec<Rule>,
    losses: Losses,
    symmetric: bool,
    /// Whether rows are divided by their sums.
    divide: bool,
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
    let symmetric = conn.is_symmetric(exec)?;
    let (rules, losses) = if symmetric {
        find_rules(exec, conn, time, scheme)?
    } else {
        let turned = conn.transposed(exec)?;
        let shape = (conn.cols(), conn.rows());
        let rows = CscView::new(exec, shape, &turned.p, &turned.i, &turned.x)?;
        find_rules(exec, rows, time, scheme)?
    };
    Ok(Biased {
        conn,
        scheme,
        rules,
        losses,
        symmetric,
        divide: false,
        absorb: false,
    })
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

/// The rules of all rows; `rows` holds them as columns.
fn find_rules(
    exec: &Exec,
    rows: CscView<'_>,
    time: &[f64],
    scheme: Threshold,
) -> Result<(Vec<Rule>, Losses)> {
    let n = rows.cols();
    let mut rules = try_filled(n, Rule::default(), "rules of cells")?;
    let tasks: Vec<(usize, &mut [Rule])> = rules.chunks_mut(LINES).enumerate().collect();
    let losses = std::sync::Mutex::new(Losses::default());
    exec.for_each(tasks, |(task, rules)| {
        let mut room = Room::new();
        let mut found = Losses::default();
        for (k, rule) in rules.iter_mut().enumerate() {
            let i = task * LINES + k;
            let (cols, weights) = rows.column(i);
            *rule = match scheme {
                Threshold::Hard { frac_to_keep } => {
                    hard_rule(i, cols, weights, time, frac_to_keep, &mut room)
                }
                Threshold::Soft { b, nu } => {
                    soft_rule(i, cols, weights, time, (b, nu), &mut room, &mut found)
                }
                Threshold::Done => Rule {
                    sum: weights.iter().sum(),
                    ..Rule::default()
                },
            };
        }
        // Counts and maxima, which no order of tasks can change.
        losses
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .add(found);
        Ok(())
    })?;
    if scheme != Threshold::Done {
        refuse_isolated((0..n).filter(|&i| rows.column(i).1.iter().all(|&w| w <= 0.0)))?;
    }
    let heavy = (0..n).filter(|&i| !rules[i].sum.is_finite());
    let heavy: Vec<usize> = heavy.collect();
    if !heavy.is_empty() {
        return Err(CoreError::NotFinite {
            what: "the sums of edge weights of cells".into(),
            count: heavy.len(),
            cells: heavy.into_iter().take(SHOWN).collect(),
        });
    }
    let losses = losses
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok((rules, losses))
}

/// Buffers of one task.
struct Room {
    keys: Vec<u64>,
    values: Vec<f64>,
    rows: Vec<i32>,
}

impl Room {
    fn new() -> Room {
        Room {
            keys: Vec::new(),
            values: Vec::new(),
            rows: Vec::new(),
        }
    }
}

fn hard_rule(
    i: usize,
    cols: &[i32],
    weights: &[f64],
    time: &[f64],
    frac: f64,
    room: &mut Room,
) -> Rule {
    let now = time[i];
    let (mut k, mut past, mut all) = (0, 0, 0.0);
    for (&j, &w) in cols.iter().zip(weights) {
        let there = w > 0.0;
        k += usize::from(there);
        past += usize::from(there & (now > time[j as usize]));
        all += w;
    }
    let mut rule = Rule {
        time: now,
        limit: f64::INFINITY,
        sum: all,
        last: -1,
    };
    if past == 0 {
        return rule;
    }
    let always = MOST_KEPT.min((k as f64 * frac).floor() as usize);
    if always > 0 {
        (rule.limit, rule.last) = rank(cols, weights, k, always, &mut room.keys);
    }
    rule.sum = 0.0;
    for (&j, &w) in cols.iter().zip(weights) {
        if stays(&rule, j, w, time[j as usize]) {
            rule.sum += w;
        }
    }
    rule
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

/// Whether the hard scheme keeps an edge of a row with `rule` to `j`, at `time`.
#[inline(always)]
fn stays(rule: &Rule, j: i32, w: f64, time: f64) -> bool {
    (w > 0.0) & ((rule.time <= time) | (w > rule.limit) | ((w == rule.limit) & (j <= rule.last)))
}

fn soft_rule(
    i: usize,
    cols: &[i32],
    weights: &[f64],
    time: &[f64],
    (b, nu): (f64, f64),
    room: &mut Room,
    found: &mut Losses,
) -> Rule {
    let now = time[i];
    let falls = &mut room.values;
    falls.clear();
    falls.extend(cols.iter().map(|&j| now - time[j as usize]));
    for (&fall, &w) in falls.iter().zip(weights) {
        if w > 0.0 && fall > found.largest_fall {
            found.largest_fall = fall;
        }
    }
    factors(falls, b, nu);
    let (mut sum, mut vanished) = (0.0, 0);
    for (&factor, &w) in falls.iter().zip(weights) {
        let left = w * factor;
        sum += left;
        vanished += usize::from((left == 0.0) & (w > 0.0));
    }
    found.vanished += vanished;
    found.rows += usize::from(vanished > 0);
    Rule {
        time: now,
        limit: 0.0,
        sum,
        last: 0,
    }
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
        (0..self.rules.len())
            .filter(|&i| self.rules[i].sum == 0.0)
            .collect()
    }

    /// Sums of the rows that are not empty.
    pub(super) fn sums(&self) -> impl Iterator<Item = f64> + '_ {
        self.rules.iter().map(|r| r.sum).filter(|&s| s != 0.0)
    }

    /// From now on rows are divided by their sums (`divide`), and empty ones get a
    /// one on the diagonal (`absorb`).
    pub(super) fn finish(&mut self, divide: bool, absorb: bool) {
        self.divide = divide;
        self.absorb = absorb;
    }

    /// Counts what stays, by columns. O(entries).
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn plan(&self, exec: &Exec) -> Result<Plan> {
        let n = self.conn.cols();
        let mut p = try_filled(n + 1, 0i32, "the offsets of a sparse matrix")?;
        exec.chunks_mut(&mut p[1..], LINES, |start, piece| {
            let mut room = Room::new();
            for (k, count) in piece.iter_mut().enumerate() {
                self.column(start + k, false, &mut room);
                *count = room.rows.len() as i32;
            }
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
        // A diagonal that is added comes with a row that lost its entries, but
        // another column may have lost them.
        let same_pattern = p == self.conn.offsets() && !(self.absorb && self.has_empty());
        Ok(Plan { p, same_pattern })
    }

    fn has_empty(&self) -> bool {
        self.rules.iter().any(|r| r.sum == 0.0)
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
        let only_values = i.len() < total;
        let rows = if only_values {
            (1..cuts.len()).map(|_| &mut [][..]).collect()
        } else {
            split_at_bounds(i, &cuts)
        };
        let tasks: Vec<_> = rows
            .into_iter()
            .zip(split_at_bounds(x, &cuts))
            .enumerate()
            .collect();
        exec.for_each(tasks, |(task, (i, x))| {
            let mut room = Room::new();
            for j in task * LINES..((task + 1) * LINES).min(n) {
                let from = plan.p[j] as usize - cuts[task];
                let to = plan.p[j + 1] as usize - cuts[task];
                self.column(j, true, &mut room);
                x[from..to].copy_from_slice(&room.values);
                if !only_values {
                    i[from..to].copy_from_slice(&room.rows);
                }
            }
            Ok(())
        })
    }

    /// The biased graph as slots. O(entries).
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn slots(&self, exec: &Exec) -> Result<CscSlots> {
        let plan = self.plan(exec)?;
        let total = plan.p.last().map_or(0, |&p| p as usize);
        let mut i = try_filled(total, 0i32, "a biased graph")?;
        let mut x = try_filled(total, 0f64, "a biased graph")?;
        self.fill(exec, &plan, &mut i, &mut x)?;
        Ok(CscSlots { p: plan.p, i, x })
    }

    /// Puts column `j` of the result into the buffers: its rows, and with `values`
    /// its values.
    fn column(&self, j: usize, values: bool, room: &mut Room) {
        let (rows, weights) = self.conn.column(j);
        let Room {
            rows: at,
            values: x,
            ..
        } = room;
        at.clear();
        at.resize(rows.len(), 0);
        x.clear();
        x.resize(rows.len(), 0.0);
        let time = self.rules[j].time;
        let kept = match self.scheme {
            Threshold::Hard { .. } => {
                let mut kept = 0;
                for (&i, &w) in rows.iter().zip(weights) {
                    let rule = &self.rules[i as usize];
                    at[kept] = i;
                    x[kept] = w;
                    kept += usize::from(stays(rule, j as i32, w, time));
                }
                kept
            }
            Threshold::Soft { b, nu } => {
                for (fall, &i) in x.iter_mut().zip(rows) {
                    *fall = self.rules[i as usize].time - time;
                }
                factors(x, b, nu);
                x.iter_mut().zip(weights).for_each(|(f, w)| *f *= w);
                squeeze(rows, at, x)
            }
            Threshold::Done => {
                x.copy_from_slice(weights);
                squeeze(rows, at, x)
            }
        };
        at.truncate(kept);
        x.truncate(kept);
        if values && self.divide {
            for (v, &i) in x.iter_mut().zip(at.iter()) {
                *v /= self.rules[i as usize].sum;
            }
        }
        if self.absorb && self.rules[j].sum == 0.0 {
            // The row is empty, so that the place is free.
            let place = at.partition_point(|&i| (i as usize) < j);
            at.insert(place, j as i32);
            x.insert(place, 1.0);
        }
    }
}

/// Moves what is not zero to the front; returns its number.
fn squeeze(rows: &[i32], at: &mut [i32], x: &mut [f64]) -> usize {
    let mut kept = 0;
    for (k, &i) in rows.iter().enumerate() {
        at[kept] = i;
        x[kept] = x[k];
        kept += usize::from(x[k] != 0.0);
    }
    kept
}

#[cfg(test)]
#[path = "threshold_tests.rs"]
pub(crate) mod tests;
