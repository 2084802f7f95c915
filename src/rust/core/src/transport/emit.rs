//! The large entries of a coupling as a sparse matrix.
//!
//! Every entry of the coupling follows from the potentials, so a threshold is found
//! by passes over all pairs and the entries above it are written in one more pass.
//! Exponents are compared, not values: the entry that defines a threshold is
//! computed by the same code in both passes and always survives.

use super::cost::{Tile, View};
use super::frame::{EMPTY, WIDTH};
use super::pass::{all_maxima, Potentials, PANELS};
use super::rank::order_statistics;
use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::math;
use crate::simd;
use crate::sparse::csr::CscSlots;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Source cells that keep less than this share of their prior descendants count
/// as lost: they set no threshold and keep their largest entry only.
pub const LOST: f64 = 1e-12;
/// The value of an entry that would underflow to zero.
const TINY: f64 = 1e-300;

/// Which entries are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Those whose logarithm is at least this.
    Above(f64),
    /// The same of logarithms rounded to single precision.
    AboveRounded(f64),
    /// All.
    All,
    /// In each row the largest, until they hold this share of it.
    RowMass(f64),
}

/// A coupling `T = exp((f + g - C) / epsilon) / n2`, not formed yet.
pub struct Plan<'a> {
    pub view: View<'a>,
    /// Potentials over epsilon, by slot.
    pub at: Potentials<'a>,
    /// Logarithms of the row sums, by cell.
    pub log_r: &'a [f64],
    /// Source cells without descendants.
    pub lost: &'a [bool],
}

/// The kept entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub slots: CscSlots,
    /// Share of the row that was kept, by source cell; not a number for lost ones.
    pub share: Vec<f64>,
}

impl Plan<'_> {
    fn log_n(&self) -> f64 {
        math::ln(self.view.cols().n as f64)
    }

    fn is_lost(&self, slot: usize) -> bool {
        let cell = self.view.rows().cells[slot];
        cell != EMPTY && self.lost[cell as usize]
    }

    /// The smallest of the largest logarithms of all rows but lost ones; infinite
    /// when all are. One pass.
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn least_maximum(&self, exec: &Exec) -> Result<f64> {
        let log_n = self.log_n();
        let top = all_maxima(exec, self.view, self.at)?;
        let kept = self
            .view
            .rows()
            .held()
            .filter(|&(_, cell)| !self.lost[cell]);
        Ok(kept.fold(f64::INFINITY, |m, (slot, _)| m.min(top[slot] - log_n)))
    }

    /// The rule that drops what lies strictly below a percentile (0 to 100) of all
    /// entries, interpolated between ranks. Two or three passes.
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn percentile(&self, exec: &Exec, percent: f64) -> Result<Rule> {
        let log_n = self.log_n();
        let count = self.view.rows().n as u64 * self.view.cols().n as u64;
        let position = percent / 100.0 * (count - 1) as f64;
        let ranks = [position.floor() as u64, position.ceil() as u64];
        let entry = |i: usize, j: usize, c: f32| {
            (((self.at.rows[i] + self.at.cols[j]) - f64::from(c)) - log_n) as f32
        };
        let found = order_statistics(exec, self.view, &ranks, entry)?;
        let (low, high) = (f64::from(found[0]), f64::from(found[1]));
        if low == high {
            return Ok(Rule::AboveRounded(low));
        }
        let part = position - position.floor();
        let value = (1.0 - part) * math::exp(low) + part * math::exp(high);
        Ok(Rule::AboveRounded(math::ln(value)))
    }

    /// Writes the kept entries. One pass; memory 24 bytes per kept entry at its
    /// peak, 12 of them in the result.
    ///
    /// # Errors
    /// `memory`, also for more entries than a sparse matrix of R can hold;
    /// `interrupted`.
    pub fn emit(&self, exec: &Exec, rule: Rule) -> Result<Kept> {
        let panels = self.view.rows().panels.len();
        let total = AtomicU64::new(0);
        let limit = i32::MAX as u64;
        let parts = exec.try_map_chunks(panels, PANELS, |range| {
            let rows = self.rows(rule, range)?;
            let entries: usize = rows.iter().map(Vec::len).sum();
            let now = total.fetch_add(entries as u64, Ordering::Relaxed) + entries as u64;
            // Beyond the limit entries are only counted, for the message.
            let empty = || rows.iter().map(|_| Vec::new()).collect();
            Ok(if now > limit { empty() } else { rows })
        })?;
        let entries = total.into_inner();
        if entries > limit {
            return Err(CoreError::TooManyEntries {
                entries: entries as usize,
                limit: limit as usize,
            });
        }
        let rows: Vec<Vec<(u32, f64)>> = parts.into_iter().flatten().collect();
        let mut share = try_filled(self.log_r.len(), f64::NAN, "kept shares")?;
        for (slot, cell) in self.view.rows().held() {
            if !self.lost[cell] {
                let kept: f64 = rows[slot].iter().map(|e| e.1).sum();
                share[cell] = kept / math::exp(self.log_r[cell]);
            }
        }
        let slots = self.by_columns(&rows, entries as usize)?;
        Ok(Kept { slots, share })
    }

    /// Kept entries of the rows of some panels, columns ascending.
    fn rows(&self, rule: Rule, panels: Range<usize>) -> Result<Vec<Vec<(u32, f64)>>> {
        let log_n = self.log_n();
        let slots = panels.start * WIDTH..panels.end * WIDTH;
        let bounds: Vec<f64> = slots.clone().map(|s| self.bound(rule, s)).collect();
        let rounded = matches!(rule, Rule::AboveRounded(_));
        let mut rows: Vec<Vec<(u32, f64)>> = vec![Vec::new(); slots.len()];
        let cells = &self.view.cols().cells;
        simd::wide(
            #[inline(always)]
            || {
                self.view.scan(
                    panels.clone(),
                    #[inline(always)]
                    |a, b, tile: &Tile| {
                        let filled = self.view.cols().panels[b].filled;
                        let v = &self.at.cols[b * WIDTH..(b + 1) * WIDTH];
                        for (r, c) in tile.iter().enumerate() {
                            let at = (a - panels.start) * WIDTH + r;
                            let u = self.at.rows[a * WIDTH + r];
                            let mut z = [0f64; WIDTH];
                            let mut any = false;
                            for l in 0..WIDTH {
                                z[l] = ((u + v[l]) - f64::from(c[l])) - log_n;
                                let seen = if rounded {
                                    f64::from(z[l] as f32)
                                } else {
                                    z[l]
                                };
                                any |= seen >= bounds[at];
                            }
                            if any {
                                let columns = &cells[b * WIDTH..b * WIDTH + filled];
                                push(&z, columns, bounds[at], rounded, &mut rows[at]);
                            }
                        }
                    },
                );
            },
        );
        for (at, row) in rows.iter_mut().enumerate() {
            if self.is_lost(slots.start + at) {
                row.push(self.largest(slots.start + at));
            } else if let Rule::RowMass(share) = rule {
                let cell = self.view.rows().cells[slots.start + at];
                if cell != EMPTY {
                    keep_share(row, share * math::exp(self.log_r[cell as usize]));
                }
            }
            row.sort_unstable_by_key(|e| e.0);
        }
        Ok(rows)
    }

    /// Entries of a row below this are dropped, whatever else the rule says.
    fn bound(&self, rule: Rule, slot: usize) -> f64 {
        let cell = self.view.rows().cells[slot];
        if cell == EMPTY || self.is_lost(slot) {
            return f64::INFINITY;
        }
        match rule {
            Rule::Above(bound) | Rule::AboveRounded(bound) => bound,
            Rule::All => f64::NEG_INFINITY,
            // All entries below hold less than what may be lost.
            Rule::RowMass(share) => {
                math::ln((1.0 - share).max(0.0)) + self.log_r[cell as usize] - self.log_n()
            }
        }
    }

    /// The largest entry of one row.
    fn largest(&self, slot: usize) -> (u32, f64) {
        let panel = slot / WIDTH;
        let log_n = self.log_n();
        let mut best = (EMPTY, f64::NEG_INFINITY);
        self.view.scan(panel..panel + 1, |_, b, tile: &Tile| {
            let filled = self.view.cols().panels[b].filled;
            let from = b * WIDTH;
            let columns = &self.view.cols().cells[from..from + filled];
            for (l, &column) in columns.iter().enumerate() {
                let c = f64::from(tile[slot % WIDTH][l]);
                let z = ((self.at.rows[slot] + self.at.cols[from + l]) - c) - log_n;
                if z > best.1 || (z == best.1 && column < best.0) {
                    best = (column, z);
                }
            }
        });
        (best.0, math::exp(best.1).max(TINY))
    }

    /// Rows by slot turned into columns of R.
    fn by_columns(&self, rows: &[Vec<(u32, f64)>], entries: usize) -> Result<CscSlots> {
        let n2 = self.view.cols().n;
        let mut next = try_filled(n2 + 1, 0usize, "a sparse matrix")?;
        for &(column, _) in rows.iter().flatten() {
            next[column as usize + 1] += 1;
        }
        for j in 0..n2 {
            next[j + 1] += next[j];
        }
        let p = next.iter().map(|&v| v as i32).collect();
        let mut i = try_filled(entries, 0i32, "a sparse matrix")?;
        let mut x = try_filled(entries, 0f64, "a sparse matrix")?;
        let mut place = try_with_capacity(self.log_r.len(), "a sparse matrix")?;
        place.extend(self.view.rows().held());
        place.sort_unstable_by_key(|p| p.1);
        for (slot, cell) in place {
            for &(column, value) in &rows[slot] {
                let at = &mut next[column as usize];
                i[*at] = cell as i32;
                x[*at] = value;
                *at += 1;
            }
        }
        Ok(CscSlots { p, i, x })
    }
}

#[inline(never)]
fn push(z: &[f64; WIDTH], columns: &[u32], bound: f64, rounded: bool, row: &mut Vec<(u32, f64)>) {
    for (&z, &column) in z.iter().zip(columns) {
        let seen = if rounded { f64::from(z as f32) } else { z };
        if seen >= bound {
            row.push((column, math::exp(z)));
        }
    }
}

/// Cuts a row to its largest entries that hold `mass`.
fn keep_share(row: &mut Vec<(u32, f64)>, mass: f64) {
    row.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut sum = 0.0;
    let enough = row.iter().position(|e| {
        sum += e.1;
        sum >= mass
    });
    if let Some(last) = enough {
        row.truncate(last + 1);
    }
}
