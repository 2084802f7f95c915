//! A biased graph written out as R keeps it: column by column, entries that are lost
//! left out.
//!
//! [`Biased::plan`] finds where columns begin and which entries stay, [`Biased::fill`]
//! writes them into given memory. Where every stored entry stays, the pattern of the
//! graph is that of the result.

use super::threshold::{Biased, Threshold, BATCH, LINES};
use super::threshold_curve::factors;
use crate::error::{try_filled, CoreError, Result};
use crate::exec::{split_at_bounds, Exec};
use crate::sparse::CscSlots;
use std::ops::Range;

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

impl Biased<'_> {
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
