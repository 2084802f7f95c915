//! The single precision pass of the neighbour search: which pairs can matter.
//!
//! Cells are packed in panels so that the inner loop reads memory in order and
//! keeps a block of [`HEIGHT`] x [`WIDTH`] sums in registers. A pair's value v is,
//! up to a constant of its row, a lower bound of its distance; adding the width of
//! the error interval gives an upper bound. A cell keeps every pair whose lower
//! bound is not above the k-th smallest upper bound, which therefore contains its
//! k nearest (the bound stands in [`super::knn`]).

use crate::error::{try_filled, Result};
use crate::exec::{Exec, CHUNK};
use crate::simd;
use std::ops::Range;

/// Rows of a register block.
pub const HEIGHT: usize = 4;
/// Columns of a register block.
pub const WIDTH: usize = 16;
/// Column panels that stay in the second level cache while rows pass over them.
const PANELS: usize = 32;
/// Half the spacing of single precision numbers at one.
const U: f64 = 1.0 / 16_777_216.0;
/// Stands for what underflows when numbers of order one are rounded.
const FLOOR: f64 = 1e-24;

/// All cells in single precision, by panels of [`WIDTH`] cells.
pub struct Packed {
    n: usize,
    d: usize,
    manhattan: bool,
    /// Panel p, feature g, lane l at ((p * d) + g) * WIDTH + l.
    panels: Vec<f32>,
    /// What is added to a pair's sum to make it a lower bound, per column.
    base: Vec<f32>,
    /// Half the width of the error interval, per cell.
    margin: Vec<f64>,
}

/// Packs `n` cells of `d` features; `value(i, g)` is an entry and `size(i)` half
/// the squared length of a row (or its sum of absolute values for Manhattan).
///
/// # Errors
/// `memory`, `interrupted`.
pub fn pack<V, S>(
    exec: &Exec,
    n: usize,
    d: usize,
    manhattan: bool,
    value: V,
    size: S,
) -> Result<Packed>
where
    V: Fn(usize, usize) -> f32 + Sync,
    S: Fn(usize) -> f64 + Sync,
{
    let count = n.div_ceil(WIDTH);
    let mut panels = try_filled(count * d * WIDTH, 0f32, "the cells")?;
    exec.chunks_mut(&mut panels, (d * WIDTH).max(1) * PANELS, |start, piece| {
        for (at, panel) in piece.chunks_mut(d * WIDTH).enumerate() {
            let first = (start / (d * WIDTH) + at) * WIDTH;
            for i in first..(first + WIDTH).min(n) {
                for g in 0..d {
                    panel[g * WIDTH + i - first] = value(i, g);
                }
            }
        }
    })?;
    let unit = U * (d as f64 + 24.0);
    let mut sizes = try_filled(n, 0f64, "the cells")?;
    exec.chunks_mut(&mut sizes, CHUNK, |start, piece| {
        for (at, s) in piece.iter_mut().enumerate() {
            *s = size(start + at);
        }
    })?;
    let mut base = try_filled(count * WIDTH, f32::INFINITY, "the cells")?;
    let mut margin = try_filled(n, 0f64, "the cells")?;
    for (i, &h) in sizes.iter().enumerate() {
        margin[i] = unit * (h + FLOOR);
        base[i] = (if manhattan { 0.0 } else { h } - margin[i]) as f32;
    }
    Ok(Packed {
        n,
        d,
        manhattan,
        panels,
        base,
        margin,
    })
}

/// For every cell of `rows`, the cells that can be among its `k` nearest, itself
/// excepted; at least k of them when there are more than k cells.
pub fn candidates(packed: &Packed, rows: Range<usize>, k: usize) -> Vec<Vec<u32>> {
    let mut pools: Vec<Pool> = rows.clone().map(|i| Pool::new(i, k)).collect();
    let a = pack_rows(packed, rows);
    simd::wide(
        #[inline(always)]
        || {
            if packed.manhattan {
                scan::<true>(packed, &a, &mut pools);
            } else {
                scan::<false>(packed, &a, &mut pools);
            }
        },
    );
    pools
        .into_iter()
        .map(|mut pool| {
            pool.compact(packed);
            pool.found.into_iter().map(|f| f.1).collect()
        })
        .collect()
}

/// The rows again, by panels of [`HEIGHT`]; missing rows of the last are zero.
fn pack_rows(packed: &Packed, rows: Range<usize>) -> Vec<f32> {
    let d = packed.d;
    let mut a = vec![0f32; rows.len().div_ceil(HEIGHT) * HEIGHT * d];
    for (at, i) in rows.enumerate() {
        let panel = &packed.panels[i / WIDTH * d * WIDTH..];
        for g in 0..d {
            a[(at / HEIGHT * d + g) * HEIGHT + at % HEIGHT] = panel[g * WIDTH + i % WIDTH];
        }
    }
    a
}

/// What one cell has found so far.
struct Pool {
    cell: usize,
    k: usize,
    /// No pair above it can matter any more.
    bound: f32,
    room: usize,
    found: Vec<(f32, u32)>,
    upper: Vec<f64>,
}

impl Pool {
    fn new(cell: usize, k: usize) -> Pool {
        let room = 4 * k + 64;
        Pool {
            cell,
            k,
            bound: f32::INFINITY,
            room,
            found: Vec::with_capacity(room),
            upper: Vec::new(),
        }
    }

    /// Drops what cannot be among the k nearest and lowers the bound.
    fn compact(&mut self, packed: &Packed) {
        if self.found.len() > self.k {
            let own = packed.margin[self.cell];
            self.upper.clear();
            self.upper.extend(
                self.found
                    .iter()
                    .map(|&(v, j)| f64::from(v) + 2.0 * (own + packed.margin[j as usize])),
            );
            let (_, kth, _) = self
                .upper
                .select_nth_unstable_by(self.k - 1, f64::total_cmp);
            self.bound = self.bound.min(*kth as f32);
            let bound = self.bound;
            self.found.retain(|f| f.0 <= bound);
        }
        // Twice the survivors, so that compacting stays linear in what was pushed.
        self.room = self.room.max(2 * self.found.len());
    }

    #[inline(never)]
    fn push(&mut self, values: &[f32; WIDTH], first: usize, packed: &Packed) {
        for (l, &v) in values.iter().enumerate() {
            let j = first + l;
            if v <= self.bound && j < packed.n && j != self.cell {
                self.found.push((v, j as u32));
            }
        }
        if self.found.len() >= self.room {
            self.compact(packed);
        }
    }
}

/// Passes all columns over the rows, in tiles that stay in the cache.
#[inline(always)]
fn scan<const MANHATTAN: bool>(packed: &Packed, a: &[f32], pools: &mut [Pool]) {
    let step = packed.d * WIDTH;
    let count = packed.base.len() / WIDTH;
    for tile in (0..count).step_by(PANELS) {
        let last = (tile + PANELS).min(count);
        for (block, group) in pools.chunks_mut(HEIGHT).enumerate() {
            let from = block * HEIGHT * packed.d;
            let rows = &a[from..from + HEIGHT * packed.d];
            for p in tile..last {
                let columns = &packed.panels[p * step..(p + 1) * step];
                let base = &packed.base[p * WIDTH..(p + 1) * WIDTH];
                let sums = block_sums::<MANHATTAN>(rows, columns);
                for (pool, sums) in group.iter_mut().zip(&sums) {
                    let mut values = [0f32; WIDTH];
                    let mut hit = false;
                    for l in 0..WIDTH {
                        values[l] = if MANHATTAN {
                            base[l] + sums[l]
                        } else {
                            base[l] - sums[l]
                        };
                        hit |= values[l] <= pool.bound;
                    }
                    if hit {
                        pool.push(&values, p * WIDTH, packed);
                    }
                }
            }
        }
    }
}

/// Sums over features of products (or of absolute differences) for one register
/// block, each in feature order whatever the width of the registers.
#[inline(always)]
fn block_sums<const MANHATTAN: bool>(rows: &[f32], columns: &[f32]) -> [[f32; WIDTH]; HEIGHT] {
    let mut sums = [[0f32; WIDTH]; HEIGHT];
    for (x, y) in rows.chunks_exact(HEIGHT).zip(columns.chunks_exact(WIDTH)) {
        for r in 0..HEIGHT {
            for l in 0..WIDTH {
                sums[r][l] += if MANHATTAN {
                    (x[r] - y[l]).abs()
                } else {
                    x[r] * y[l]
                };
            }
        }
    }
    sums
}
