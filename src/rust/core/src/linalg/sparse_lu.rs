//! The exact solution of an absorbing chain with few steps per cell.
//!
//! Cells are taken out of the chain one after the other; what flowed through the cell
//! taken out is redirected. Only positive numbers are ever added, as in
//! [`super::dense_lu`] (Grassmann, Taksar & Heyman 1985; Alfa, Xue & Ye 2002), so the
//! factors keep their relative accuracy however rarely a group of cells is left. The
//! cell with the fewest neighbours goes first ([`super::min_degree`]), which keeps
//! the number of new steps small; how many there will be is counted before any
//! number is computed, and refused when they would not fit (Gilbert 1994).
//!
//! The matrix is `A = D - Q`, `Q >= 0` off the diagonal, `D_i = leak_i + sum_j Q_ij`.
//! `P A P' = L U` without pivoting, all entries kept with the sign turned.

use super::min_degree::minimum_degree;
use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::simd;
use crate::sparse::csr::{row, Csr};

/// Rows between two looks at whether the user asked to stop.
const CHECK: usize = 256;
/// Bytes of an entry of the factors.
const ENTRY: usize = 12;
const WHAT: &str = "the factors of the chain";

/// One triangle by rows, without its diagonal.
#[derive(Debug, Clone, PartialEq, Default)]
struct Triangle {
    start: Vec<usize>,
    cols: Vec<u32>,
    values: Vec<f64>,
}

impl Triangle {
    fn new(n: usize, entries: usize) -> Result<Triangle> {
        let mut start = try_with_capacity(n + 1, WHAT)?;
        start.push(0);
        Ok(Triangle {
            start,
            cols: try_with_capacity(entries, WHAT)?,
            values: try_with_capacity(entries, WHAT)?,
        })
    }

    fn row(&self, i: usize) -> (&[u32], &[f64]) {
        let range = self.start[i]..self.start[i + 1];
        (&self.cols[range.clone()], &self.values[range])
    }
}

/// How cells are eliminated, and what that will take.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The cells in the order in which they are taken out.
    order: Vec<u32>,
    /// Step of every cell.
    place: Vec<u32>,
    /// Next cell that every step touches; the elimination tree (Liu 1990).
    parent: Vec<u32>,
    /// Entries of each triangle of the factors, at most.
    entries: usize,
    /// Products of the elimination, at most.
    work: f64,
}

const NONE: u32 = u32::MAX;

impl Plan {
    /// Orders the cells of the chain with the steps `q` and counts. O(entries of the
    /// factors) time, O(entries) memory.
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn new(exec: &Exec, q: &Csr) -> Result<Plan> {
        let n = q.rows();
        let order = minimum_degree(exec, q)?;
        let mut place = try_filled(n, 0u32, WHAT)?;
        for (at, &cell) in order.iter().enumerate() {
            place[cell as usize] = at as u32;
        }
        let below = lower_pattern(q, &place)?;
        let mut parent = try_filled(n, NONE, WHAT)?;
        let mut ancestor = try_filled(n, NONE, WHAT)?;
        for (i, below) in below.iter().enumerate() {
            for &k in below {
                let mut at = k;
                while at != NONE && (at as usize) < i {
                    let next = std::mem::replace(&mut ancestor[at as usize], i as u32);
                    if next == NONE {
                        parent[at as usize] = i as u32;
                    }
                    at = next;
                }
            }
        }
        let mut plan = Plan {
            order,
            place,
            parent,
            entries: 0,
            work: 0.0,
        };
        let mut column = try_filled(n, 0usize, WHAT)?;
        let mut seen = try_filled(n, NONE, WHAT)?;
        let mut own = Vec::new();
        for (i, below) in below.iter().enumerate() {
            if i % CHECK == 0 {
                exec.check()?;
            }
            plan.row_pattern(i, below, &mut seen, &mut own);
            plan.entries += own.len();
            own.iter().for_each(|&k| column[k as usize] += 1);
        }
        plan.work = column.iter().map(|&c| c as f64 * c as f64).sum();
        Ok(plan)
    }

    /// Bytes that the factors will take.
    pub fn bytes(&self) -> f64 {
        2.0 * (ENTRY * self.entries) as f64
    }

    /// Products that elimination will take.
    pub fn work(&self) -> f64 {
        self.work
    }

    /// Earlier steps that row `i` of the factors depends on, in any order: the part
    /// of the elimination tree between `below` and i.
    fn row_pattern(&self, i: usize, below: &[u32], seen: &mut [u32], own: &mut Vec<u32>) {
        own.clear();
        for &k in below {
            let mut at = k;
            while at != NONE && (at as usize) < i && seen[at as usize] != i as u32 {
                seen[at as usize] = i as u32;
                own.push(at);
                at = self.parent[at as usize];
            }
        }
    }
}

/// The earlier neighbours of every step, in either direction.
fn lower_pattern(q: &Csr, place: &[u32]) -> Result<Vec<Vec<u32>>> {
    let mut below = try_filled(q.rows(), Vec::new(), WHAT)?;
    for i in 0..q.rows() {
        for &j in row(q, i).0 {
            let (a, b) = (place[i], place[j as usize]);
            if a != b {
                below[a.max(b) as usize].push(a.min(b));
            }
        }
    }
    for one in &mut below {
        one.sort_unstable();
        one.dedup();
    }
    Ok(below)
}

/// `P A P' = L U` of a sparse M-matrix given by its rates.
#[derive(Debug, Clone)]
pub struct SparseLu {
    order: Vec<u32>,
    lower: Triangle,
    upper: Triangle,
    pivots: Vec<f64>,
}

impl SparseLu {
    /// Factors `D - Q` from the off-diagonal rates `q` and the leaks, as planned.
    /// O(work of the plan), one thread.
    ///
    /// # Errors
    /// `singular` when some cells never leak; `memory` above `limit` bytes;
    /// `interrupted`.
    pub fn new(exec: &Exec, plan: Plan, q: &Csr, leak: &[f64], limit: f64) -> Result<SparseLu> {
        if plan.bytes() > limit {
            return Err(CoreError::Memory {
                what: WHAT.into(),
                bytes: plan.bytes() as u64,
            });
        }
        let n = leak.len();
        let below = lower_pattern(q, &plan.place)?;
        let mut f = SparseLu {
            order: Vec::new(),
            lower: Triangle::new(n, plan.entries)?,
            upper: Triangle::new(n, plan.entries)?,
            pivots: try_with_capacity(n, WHAT)?,
        };
        // The leaks of the cells taken out, with what was redirected.
        let mut lost = try_filled(n, 0.0, WHAT)?;
        let mut own = try_filled(n, 0.0, WHAT)?;
        let mut seen = try_filled(n, NONE, WHAT)?;
        let mut marked = try_filled(n, NONE, WHAT)?;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        exec.control().begin(n);
        for i in 0..n {
            if i % CHECK == 0 {
                exec.check()?;
                exec.control().tick(CHECK.min(n - i));
            }
            let cell = plan.order[i] as usize;
            lost[i] = leak[cell];
            after.clear();
            let (cols, values) = row(q, cell);
            for (&j, &v) in cols.iter().zip(values) {
                let to = plan.place[j as usize] as usize;
                own[to] += v;
                note(to, i, &mut marked, &mut after);
            }
            plan.row_pattern(i, &below[i], &mut seen, &mut before);
            before.sort_unstable();
            for &k in &before {
                f.take_out(k as usize, i, &mut own, &mut lost, &mut marked, &mut after);
            }
            f.close(i, lost[i], &before, &mut after, &mut own)?;
        }
        f.order = plan.order;
        Ok(f)
    }

    /// Takes step `k` out of row `i`: what went to k goes where k goes.
    fn take_out(
        &mut self,
        k: usize,
        i: usize,
        own: &mut [f64],
        lost: &mut [f64],
        marked: &mut [u32],
        after: &mut Vec<u32>,
    ) {
        if own[k] == 0.0 {
            return;
        }
        let share = own[k] / self.pivots[k];
        own[k] = share;
        lost[i] += share * lost[k];
        let (to, rates) = self.upper.row(k);
        for (&j, &u) in to.iter().zip(rates) {
            own[j as usize] += share * u;
            note(j as usize, i, marked, after);
        }
    }

    /// Moves row `i` from the work space to the factors.
    fn close(
        &mut self,
        i: usize,
        lost: f64,
        before: &[u32],
        after: &mut [u32],
        own: &mut [f64],
    ) -> Result<()> {
        // Back to the row's own cell: no step at all.
        own[i] = 0.0;
        for &k in before {
            let v = std::mem::replace(&mut own[k as usize], 0.0);
            if v != 0.0 {
                self.lower.cols.push(k);
                self.lower.values.push(v);
            }
        }
        self.lower.start.push(self.lower.cols.len());
        after.sort_unstable();
        let from = self.upper.cols.len();
        for &j in after.iter() {
            self.upper.cols.push(j);
            self.upper
                .values
                .push(std::mem::replace(&mut own[j as usize], 0.0));
        }
        self.upper.start.push(self.upper.cols.len());
        let pivot = lost + simd::sum(&self.upper.values[from..]);
        if pivot <= 0.0 || !pivot.is_finite() {
            return Err(CoreError::Singular {
                what: "the chain among the transient cells".into(),
                condition: f64::INFINITY,
            });
        }
        self.pivots.push(pivot);
        Ok(())
    }

    /// Solves for every column of the block in place. O(entries of the factors * k).
    pub fn solve(&self, b: &mut [f64], k: usize) {
        if k == 0 {
            return;
        }
        let mut x: Vec<f64> = Vec::with_capacity(b.len());
        for &cell in &self.order {
            let at = cell as usize * k;
            x.extend_from_slice(&b[at..at + k]);
        }
        for i in 0..self.pivots.len() {
            let (done, own) = x.split_at_mut(i * k);
            let (cols, values) = self.lower.row(i);
            for (&c, &l) in cols.iter().zip(values) {
                let from = c as usize * k;
                simd::axpy(l, &done[from..from + k], &mut own[..k]);
            }
        }
        for i in (0..self.pivots.len()).rev() {
            let (head, done) = x.split_at_mut((i + 1) * k);
            let own = &mut head[i * k..];
            let (cols, values) = self.upper.row(i);
            for (&c, &u) in cols.iter().zip(values) {
                let from = (c as usize - i - 1) * k;
                simd::axpy(u, &done[from..from + k], own);
            }
            own.iter_mut().for_each(|v| *v /= self.pivots[i]);
        }
        for (&cell, x) in self.order.iter().zip(x.chunks_exact(k)) {
            let at = cell as usize * k;
            b[at..at + k].copy_from_slice(x);
        }
    }
}

/// Remembers that row `i` steps to the later step `j`.
#[inline(always)]
fn note(j: usize, i: usize, marked: &mut [u32], after: &mut Vec<u32>) {
    if j > i && marked[j] != i as u32 {
        marked[j] = i as u32;
        after.push(j as u32);
    }
}

#[cfg(test)]
#[path = "sparse_lu_tests.rs"]
mod tests;
