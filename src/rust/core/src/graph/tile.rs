//! The single precision pass of the exact search: which pairs can matter.
//!
//! Cells are packed in panels so that the inner loop reads memory in order and
//! keeps a block of [`HEIGHT`] x [`WIDTH`] sums in registers; a panel of columns
//! and the rows of a task stay in the first level cache. A pair's value v is, up
//! to a constant of its row, a lower bound of its distance; adding the width of
//! the error interval gives an upper bound. A cell keeps every pair whose lower
//! bound is not above the k-th smallest upper bound, which therefore contains its
//! k nearest (the bound stands in [`super::knn`]).

use super::metric::Metric;
use super::points::{Frame, Points};
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::simd;
use std::ops::Range;

/// Rows of a register block.
pub const HEIGHT: usize = 4;
/// Columns of a register block.
pub const WIDTH: usize = 16;
/// Panels per task of packing.
const PANELS: usize = 32;
/// Half the spacing of single precision numbers at one.
const U: f64 = 1.0 / 16_777_216.0;
/// Stands for what underflows when numbers of order one are rounded.
const FLOOR: f64 = 1e-24;

/// How the features of two cells are put together.
pub const PRODUCT: u8 = 0;
pub const DIFFERENCE: u8 = 1;
pub const LARGEST: u8 = 2;

/// The kind of tile that bounds a metric.
pub fn kind(metric: Metric) -> u8 {
    match metric {
        Metric::Manhattan => DIFFERENCE,
        Metric::Chebyshev => LARGEST,
        _ => PRODUCT,
    }
}

/// All cells in single precision, by panels of [`WIDTH`] cells.
pub struct Packed {
    n: usize,
    d: usize,
    kind: u8,
    /// Panel p, feature g, lane l at ((p * d) + g) * WIDTH + l.
    panels: Vec<f32>,
    /// What is added to a pair's sum to make it a lower bound, per column.
    base: Vec<f32>,
    /// Half the width of the error interval, per cell.
    margin: Vec<f64>,
}

/// Packs all cells of `points`.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn pack(exec: &Exec, points: &Points, frame: &Frame) -> Result<Packed> {
    let (n, d, kind) = (points.n, points.d.max(1), kind(points.metric));
    let count = n.div_ceil(WIDTH);
    let mut panels = try_filled(count * d * WIDTH, 0f32, "the cells")?;
    let mut sizes = try_filled(n, 0f64, "the cells")?;
    let step = d * WIDTH;
    let tasks: Vec<_> = panels
        .chunks_mut(step * PANELS)
        .zip(sizes.chunks_mut(WIDTH * PANELS))
        .enumerate()
        .collect();
    exec.for_each(tasks, |(t, (panels, sizes))| {
        let mut placed = vec![0.0; points.d];
        for (at, size) in sizes.iter_mut().enumerate() {
            frame.place(points.row(t * WIDTH * PANELS + at), &mut placed);
            let from = at / WIDTH * step + at % WIDTH;
            for (g, &v) in placed.iter().enumerate() {
                panels[from + g * WIDTH] = v as f32;
            }
            *size = size_of(points.metric, &placed);
        }
        Ok(())
    })?;
    let unit = U * (d as f64 + 24.0);
    let mut base = try_filled(count * WIDTH, f32::INFINITY, "the cells")?;
    let mut margin = try_filled(n, 0f64, "the cells")?;
    for (i, &h) in sizes.iter().enumerate() {
        margin[i] = unit * (h + FLOOR);
        base[i] = (if kind == PRODUCT { h } else { 0.0 } - margin[i]) as f32;
    }
    Ok(Packed {
        n,
        d,
        kind,
        panels,
        base,
        margin,
    })
}

/// What the error bound of a cell is proportional to.
fn size_of(metric: Metric, row: &[f64]) -> f64 {
    match metric {
        Metric::Manhattan => row.iter().map(|v| v.abs()).sum(),
        Metric::Chebyshev => row.iter().fold(0.0, |m, v| m.max(v.abs())),
        _ if metric.is_angular() => 0.5,
        _ => 0.5 * row.iter().map(|v| v * v).sum::<f64>(),
    }
}

/// How many rows a task takes, so that they stay in the first level cache.
pub fn rows_per_task(d: usize) -> usize {
    (4096 / d.max(1)).clamp(2, 24) * HEIGHT
}

/// For every cell of `rows[range]`, the columns that can be among its `k` nearest;
/// at least k of them when there are as many. `own` says that rows and columns are
/// the same cells, and leaves out the cell itself.
pub fn candidates(
    columns: &Packed,
    rows: &Packed,
    range: Range<usize>,
    k: usize,
    own: bool,
) -> Vec<Vec<u32>> {
    let mut pools: Vec<Pool> = range
        .clone()
        .map(|i| Pool::new(rows.margin[i], own.then_some(i), k))
        .collect();
    let a = pack_rows(rows, range);
    let mut limits = vec![f32::NEG_INFINITY; a.len() / rows.d];
    limits[..pools.len()].fill(f32::MAX);
    let mut sink = |r: usize, p: usize, values: &[f32; WIDTH]| {
        let pool: &mut Pool = &mut pools[r];
        pool.push(values, p * WIDTH, columns);
        pool.bound
    };
    simd::wide(
        #[inline(always)]
        || {
            scan_kind(
                columns.kind,
                &a,
                columns.d,
                &columns.panels,
                &columns.base,
                &mut limits,
                &mut sink,
            )
        },
    );
    pools
        .into_iter()
        .map(|mut pool| {
            pool.compact(columns);
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
    margin: f64,
    own: Option<usize>,
    k: usize,
    /// No pair above it can matter any more.
    bound: f32,
    room: usize,
    found: Vec<(f32, u32)>,
    upper: Vec<f64>,
}

impl Pool {
    fn new(margin: f64, own: Option<usize>, k: usize) -> Pool {
        let room = 2 * k + 64;
        Pool {
            margin,
            own,
            k,
            bound: f32::MAX,
            room,
            found: Vec::with_capacity(room + WIDTH),
            upper: Vec::new(),
        }
    }

    /// Drops what cannot be among the k nearest and lowers the bound.
    fn compact(&mut self, columns: &Packed) {
        if self.found.len() > self.k {
            self.upper.clear();
            self.upper.extend(
                self.found
                    .iter()
                    .map(|&(v, j)| f64::from(v) + 2.0 * (self.margin + columns.margin[j as usize])),
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
    fn push(&mut self, values: &[f32; WIDTH], first: usize, columns: &Packed) {
        for (l, &v) in values.iter().enumerate() {
            let j = first + l;
            if v <= self.bound && j < columns.n && Some(j) != self.own {
                self.found.push((v, j as u32));
            }
        }
        if self.found.len() >= self.room {
            self.compact(columns);
        }
    }
}

/// Passes all panels of columns over the rows; `sink(row, panel, values)` is called
/// for every strip of values with one at or below the limit of its row, and returns
/// the new limit. The values are `base - sum` for products, `base + sum` else.
#[inline(always)]
pub fn scan_kind(
    kind: u8,
    rows: &[f32],
    d: usize,
    panels: &[f32],
    base: &[f32],
    limits: &mut [f32],
    sink: &mut impl FnMut(usize, usize, &[f32; WIDTH]) -> f32,
) {
    match kind {
        PRODUCT => scan::<PRODUCT>(rows, d, panels, base, limits, sink),
        DIFFERENCE => scan::<DIFFERENCE>(rows, d, panels, base, limits, sink),
        _ => scan::<LARGEST>(rows, d, panels, base, limits, sink),
    }
}

#[inline(always)]
fn scan<const KIND: u8>(
    rows: &[f32],
    d: usize,
    panels: &[f32],
    base: &[f32],
    limits: &mut [f32],
    sink: &mut impl FnMut(usize, usize, &[f32; WIDTH]) -> f32,
) {
    let columns = panels.chunks_exact(d * WIDTH).zip(base.chunks_exact(WIDTH));
    for (p, (panel, base)) in columns.enumerate() {
        let blocks = rows
            .chunks_exact(d * HEIGHT)
            .zip(limits.chunks_exact_mut(HEIGHT));
        for (b, (block, limits)) in blocks.enumerate() {
            let sums = block_sums::<KIND>(block, panel);
            let mut any = false;
            for r in 0..HEIGHT {
                for l in 0..WIDTH {
                    any |= value::<KIND>(base[l], sums[r][l]) <= limits[r];
                }
            }
            if any {
                hits::<KIND>(sums, b * HEIGHT, p, base, limits, sink);
            }
        }
    }
}

/// What a strip of sums means, and the rows that want it.
#[inline(never)]
fn hits<const KIND: u8>(
    sums: [[f32; WIDTH]; HEIGHT],
    first: usize,
    panel: usize,
    base: &[f32],
    limits: &mut [f32],
    sink: &mut impl FnMut(usize, usize, &[f32; WIDTH]) -> f32,
) {
    for (r, (strip, limit)) in sums.iter().zip(limits).enumerate() {
        let mut values = [0f32; WIDTH];
        let mut any = false;
        for ((v, &s), &b) in values.iter_mut().zip(strip).zip(base) {
            *v = value::<KIND>(b, s);
            any |= *v <= *limit;
        }
        if any {
            *limit = sink(first + r, panel, &values);
        }
    }
}

#[inline(always)]
fn value<const KIND: u8>(base: f32, sum: f32) -> f32 {
    if KIND == PRODUCT {
        base - sum
    } else {
        base + sum
    }
}

/// Sums over features of products (or of absolute differences, or their largest)
/// for one register block, each in feature order whatever the width of the
/// registers.
#[inline(always)]
fn block_sums<const KIND: u8>(rows: &[f32], columns: &[f32]) -> [[f32; WIDTH]; HEIGHT] {
    let mut sums = [[0f32; WIDTH]; HEIGHT];
    for (x, y) in rows.chunks_exact(HEIGHT).zip(columns.chunks_exact(WIDTH)) {
        for r in 0..HEIGHT {
            for l in 0..WIDTH {
                match KIND {
                    PRODUCT => sums[r][l] += x[r] * y[l],
                    DIFFERENCE => sums[r][l] += (x[r] - y[l]).abs(),
                    _ => {
                        sums[r][l] = larger((x[r] - y[l]).abs(), sums[r][l]);
                    }
                }
            }
        }
    }
    sums
}

/// The larger of two numbers, in one instruction (neither is NaN here).
#[inline(always)]
pub fn larger(a: f32, b: f32) -> f32 {
    if a > b {
        a
    } else {
        b
    }
}
