//! The linear system of an absorbing chain.
//!
//! Whatever one asks about the cells that are still on their way (where they end,
//! after how many steps) solves `(I - Q) x = b`, where Q holds the steps among those
//! cells. Two facts shape the code. Staying put is no step, so the system is kept
//! by its *rates*: off-diagonal probabilities and what leaks out of the cells on
//! their way; the diagonal, a sum of these, is never stored and products are
//! formed from differences `x_i - x_j`. That is what makes residuals exact to the
//! last bits even when a group of cells is left once in a billion steps. And one
//! positive vector v with `(I - Q) v >= 1` bounds every error: `(I - Q)^-1 >= 0`, so
//! `|x - x*| <= v max|b - (I - Q) x|` cell by cell.

use super::classes::{downstream_first, Backward};
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;
use crate::linalg::block::Operator;
use crate::simd;
use crate::sparse::csr::{from_parts, row, Csr};

pub use super::solve::{certificate, Prepared, Solved, Solver};

/// Rows per task of a product; each row is independent of the others.
const ROWS: usize = 512;
/// What memory is reserved for.
const CHAIN: &str = "the chain among the transient cells";

/// The chain among the cells on their way, by its rates.
#[derive(Debug, Clone)]
pub struct Transient {
    /// The cells, in the order of the unknowns: no step leads to a class of a higher
    /// place, and within a class the cells nearest to an exit come first. Solvers
    /// that sweep over the cells carry values far in this order, and memory is read
    /// more or less in line.
    pub cells: Vec<usize>,
    /// Rates among them, diagonal left out.
    pub rates: Csr,
    /// Rates of leaving them.
    pub leak: Vec<f64>,
}

impl Transient {
    /// The part of `t` on `cells`, in the order in which it is best solved:
    /// downstream first (see [`Transient::cells`]). O(n + entries log(row)).
    ///
    /// # Errors
    /// `memory`.
    pub fn new(t: &Csr, cells: Vec<usize>) -> Result<Transient> {
        let exec = Exec::serial();
        let given = Transient::in_order(&exec, t, cells)?;
        let leaking: Vec<usize> = (0..given.size()).filter(|&i| given.leak[i] > 0.0).collect();
        let mut order = Backward::new(&given.rates)?.order(&leaking)?;
        // What never leaks comes last; whoever solves for it is told.
        let mut seen = try_filled(given.size(), false, CHAIN)?;
        order.iter().for_each(|&i| seen[i] = true);
        order.extend((0..given.size()).filter(|&i| !seen[i]));
        let cells = order.into_iter().map(|i| given.cells[i]).collect();
        Ok(Transient::by_class(&exec, t, cells)?.0)
    }

    /// The part of `t` on `cells`, by class: first the classes of which no step leads
    /// to another, then those that lead to these, and so on; in a class the order is
    /// that of `cells`. Also the class of every unknown, ascending. So the system is
    /// block triangular, and chains of many classes are solved class by class.
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn by_class(exec: &Exec, t: &Csr, cells: Vec<usize>) -> Result<(Transient, Vec<u32>)> {
        let chain = Transient::in_order(exec, t, cells)?;
        let (mut class, n_classes) = downstream_first(&chain.rates)?;
        if n_classes <= 1 {
            return Ok((chain, class));
        }
        let mut order: Vec<usize> = (0..chain.size()).collect();
        order.sort_by_key(|&i| class[i]);
        class.sort_unstable();
        let cells = order.into_iter().map(|i| chain.cells[i]).collect();
        Ok((Transient::in_order(exec, t, cells)?, class))
    }

    /// The part of `t` on `cells`, in this order.
    fn in_order(exec: &Exec, t: &Csr, cells: Vec<usize>) -> Result<Transient> {
        let n = cells.len();
        let mut place = try_filled(t.rows(), u32::MAX, CHAIN)?;
        for (at, &c) in cells.iter().enumerate() {
            place[c] = at as u32;
        }
        let parts = exec.try_map_chunks(n, 8 * ROWS, |range| {
            let most = cells[range.clone()]
                .iter()
                .map(|&c| row(t, c).0.len())
                .sum();
            let mut part = Rows {
                ends: try_with_capacity(range.len(), CHAIN)?,
                cols: try_with_capacity(most, CHAIN)?,
                values: try_with_capacity(most, CHAIN)?,
                leak: try_with_capacity(range.len(), CHAIN)?,
            };
            for at in range {
                part.push(row(t, cells[at]), &place, at);
            }
            Ok(part)
        })?;
        let entries = parts.iter().map(|p| p.cols.len()).sum();
        let mut start = try_with_capacity(n + 1, CHAIN)?;
        let mut cols = try_with_capacity(entries, CHAIN)?;
        let mut values = try_with_capacity(entries, CHAIN)?;
        let mut leak = try_with_capacity(n, CHAIN)?;
        start.push(0);
        for part in parts {
            let from = cols.len();
            start.extend(part.ends.iter().map(|e| from + e));
            cols.extend(part.cols);
            values.extend(part.values);
            leak.extend(part.leak);
        }
        let rates = from_parts((n, n), start, cols, values)?;
        Ok(Transient { cells, rates, leak })
    }

    /// Bounds on `b - (I - Q) x` that hold in spite of rounding: the least and the
    /// largest value that each entry may have. O(entries * k).
    ///
    /// # Errors
    /// `interrupted`.
    pub fn residual_range(
        &self,
        exec: &Exec,
        b: &[f64],
        x: &[f64],
        k: usize,
    ) -> Result<Vec<(f64, f64)>> {
        let mut out = try_filled(b.len(), (0.0, 0.0), "residuals")?;
        exec.chunks_mut(&mut out, ROWS * k.max(1), |start, piece| {
            for (at, out) in piece.iter_mut().enumerate() {
                let (i, c) = ((start + at) / k, (start + at) % k);
                let (cols, values) = row(&self.rates, i);
                let own = x[i * k + c];
                let lost = self.leak[i] * own;
                let mut sum = Exact::new(b[i * k + c]);
                sum.add(-lost);
                let mut size = b[i * k + c].abs() + lost.abs();
                for (&j, &v) in cols.iter().zip(values) {
                    let flow = v * (own - x[j as usize * k + c]);
                    sum.add(-flow);
                    size += flow.abs();
                }
                let sum = sum.value();
                // Per term a rounding of the difference and one of the product; the
                // compensated sum adds one more.
                let slack = 2.0 * f64::EPSILON * size;
                *out = (sum - slack, sum + slack);
            }
        })?;
        Ok(out)
    }
}

/// Some rows of a chain in the making.
struct Rows {
    ends: Vec<usize>,
    cols: Vec<u32>,
    values: Vec<f64>,
    leak: Vec<f64>,
}

impl Rows {
    /// The row of unknown `own`, columns renamed by `place` and sorted.
    fn push(&mut self, (to, p): (&[u32], &[f64]), place: &[u32], own: usize) {
        let (mut lost, mut kept) = (0.0, Vec::with_capacity(to.len()));
        for (&c, &v) in to.iter().zip(p) {
            match place[c as usize] {
                u32::MAX => lost += v,
                at if at as usize == own || v == 0.0 => {}
                at => kept.push((at, v)),
            }
        }
        kept.sort_unstable_by_key(|e| e.0);
        for (c, v) in kept {
            self.cols.push(c);
            self.values.push(v);
        }
        self.ends.push(self.cols.len());
        self.leak.push(lost);
    }
}

/// A compensated sum (Neumaier 1974).
struct Exact {
    sum: f64,
    lost: f64,
}

impl Exact {
    fn new(first: f64) -> Exact {
        Exact {
            sum: first,
            lost: 0.0,
        }
    }

    fn add(&mut self, v: f64) {
        let next = self.sum + v;
        self.lost += if self.sum.abs() >= v.abs() {
            (self.sum - next) + v
        } else {
            (v - next) + self.sum
        };
        self.sum = next;
    }

    fn value(&self) -> f64 {
        self.sum + self.lost
    }
}

impl Operator for Transient {
    fn size(&self) -> usize {
        self.leak.len()
    }

    fn apply(&self, exec: &Exec, x: &[f64], k: usize, out: &mut [f64]) -> Result<()> {
        exec.chunks_mut(out, ROWS * k.max(1), |start, piece| match k {
            0 => {}
            1 => product::<1>(self, x, start, piece),
            2 => product::<2>(self, x, start / 2, piece),
            3 => product::<3>(self, x, start / 3, piece),
            4 => product::<4>(self, x, start / 4, piece),
            _ => product_any(self, x, k, start / k, piece),
        })
    }
}

/// Rows `first..` of the product for a width that the compiler knows.
fn product<const K: usize>(chain: &Transient, x: &[f64], first: usize, out: &mut [f64]) {
    simd::wide(
        #[inline(always)]
        || {
            for (r, out) in out.chunks_exact_mut(K).enumerate() {
                let i = first + r;
                let (cols, values) = row(&chain.rates, i);
                let (mut own, mut sum) = ([0.0; K], [0.0; K]);
                own.copy_from_slice(&x[i * K..(i + 1) * K]);
                for (s, o) in sum.iter_mut().zip(own) {
                    *s = chain.leak[i] * o;
                }
                for (&c, &v) in cols.iter().zip(values) {
                    let from = c as usize * K;
                    for ((s, o), x) in sum.iter_mut().zip(own).zip(&x[from..from + K]) {
                        *s += v * (o - x);
                    }
                }
                out.copy_from_slice(&sum);
            }
        },
    );
}

/// The same for any width.
fn product_any(chain: &Transient, x: &[f64], k: usize, first: usize, out: &mut [f64]) {
    simd::wide(
        #[inline(always)]
        || {
            for (r, out) in out.chunks_exact_mut(k).enumerate() {
                let i = first + r;
                let (cols, values) = row(&chain.rates, i);
                let own = &x[i * k..(i + 1) * k];
                for (s, o) in out.iter_mut().zip(own) {
                    *s = chain.leak[i] * o;
                }
                for (&c, &v) in cols.iter().zip(values) {
                    let from = c as usize * k;
                    for ((s, o), x) in out.iter_mut().zip(own).zip(&x[from..from + k]) {
                        *s += v * (o - x);
                    }
                }
            }
        },
    );
}
