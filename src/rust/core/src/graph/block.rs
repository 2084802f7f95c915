//! A group of cells against a list of others, at the speed of a matrix product.
//!
//! The cells of a group lie close together, so what can be a neighbour of one can be
//! a neighbour of all: they are compared with the same list, by tiles. Rows are
//! centred on the group first, so that single precision resolves the distances
//! within it however far from the origin it lies. What the tiles let through, with
//! the margin of their rounding error, is measured again by differences: a group
//! that spans distant cells takes longer, but finds the same.

use super::rows::Rows;
use super::tile::{self, HEIGHT, PRODUCT, WIDTH};
use crate::simd;
use std::cmp::Ordering;
use std::ops::Range;

/// A candidate: its value (see [`Rows::value`]) and its cell.
pub type Entry = (f32, u32);
/// An entry that nothing has taken yet.
pub const FREE: Entry = (f32::INFINITY, u32::MAX);
/// Candidates that wait before they are merged.
const WAITING: usize = 64;

/// The total order of candidates.
#[inline(always)]
fn better(a: &Entry, b: &Entry) -> Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// Keeps the best of `pool` (ascending) and `found`, which holds no cell of it;
/// empties `found`. Whether the pool changed.
pub fn merge(found: &mut Vec<Entry>, pool: &mut [Entry]) -> bool {
    let keep = pool.len();
    let last = pool[keep - 1];
    found.retain(|e| better(e, &last) == Ordering::Less);
    if found.is_empty() {
        return false;
    }
    found.extend_from_slice(pool);
    found.select_nth_unstable_by(keep - 1, better);
    found.truncate(keep);
    found.sort_unstable_by(better);
    pool.copy_from_slice(found);
    found.clear();
    true
}

/// No tile above it can enter the pool; finite, so that padding never does.
#[inline(always)]
fn limit(pool: &[Entry], own: f32) -> f32 {
    (pool[pool.len() - 1].0 - own).min(f32::MAX)
}

/// Half the squared length of a row less the margin of the products with it (the
/// bound stands in [`super::knn`]), and zero where nothing cancels.
#[inline(always)]
fn least(kind: u8, size: f32, d: usize) -> f32 {
    if kind != PRODUCT {
        return 0.0;
    }
    0.5 * size * (1.0 - (d as f32 + 24.0) * f32::EPSILON)
}

/// Buffers of one task.
#[derive(Default)]
pub struct Block {
    rows: Vec<f32>,
    columns: Vec<f32>,
    base: Vec<f32>,
    own: Vec<f32>,
    limits: Vec<f32>,
    centre: Vec<f32>,
    found: Vec<Vec<Entry>>,
}

impl Block {
    /// Offers the cells `others` to every cell of `group`, whose pools of `keep`
    /// entries stand in `pools`; none of `others` may be in a pool already, and
    /// a cell is not offered itself. O(group others d).
    pub fn join(
        &mut self,
        rows: &Rows,
        kind: u8,
        group: Range<usize>,
        others: &[u32],
        pools: &mut [Entry],
        keep: usize,
    ) {
        let (first, m) = (group.start, group.len());
        simd::wide(
            #[inline(always)]
            || {
                self.pack_group(rows, kind, group);
                self.pack_others(rows, kind, others);
            },
        );
        self.found.resize_with(m.max(self.found.len()), Vec::new);
        self.limits.clear();
        self.limits
            .resize(m.div_ceil(HEIGHT) * HEIGHT, f32::NEG_INFINITY);
        for (r, pool) in pools.chunks_exact(keep).enumerate() {
            self.limits[r] = limit(pool, self.own[r]);
        }
        let (found, own) = (&mut self.found, &self.own);
        let mut sink = |r: usize, p: usize, values: &[f32; WIDTH]| {
            let pool = &mut pools[r * keep..(r + 1) * keep];
            let most = limit(pool, own[r]);
            let some = &others[p * WIDTH..others.len().min((p + 1) * WIDTH)];
            let last = pool[keep - 1].0;
            simd::wide(
                #[inline(always)]
                || {
                    for (&v, &j) in values.iter().zip(some) {
                        if v <= most && j as usize != first + r {
                            let v = rows.value(kind, first + r, j as usize);
                            if v <= last {
                                found[r].push((v, j));
                            }
                        }
                    }
                },
            );
            if found[r].len() >= WAITING {
                merge(&mut found[r], pool);
            }
            limit(pool, own[r])
        };
        let (packed, columns, base) = (&self.rows, &self.columns, &self.base);
        let limits = &mut self.limits;
        let d = self.centre.len();
        simd::wide(
            #[inline(always)]
            || tile::scan_kind(kind, packed, d, columns, base, limits, &mut sink),
        );
        for (found, pool) in self.found.iter_mut().zip(pools.chunks_exact_mut(keep)) {
            merge(found, pool);
        }
    }

    /// The centre of the group and its rows by panels.
    #[inline(always)]
    fn pack_group(&mut self, rows: &Rows, kind: u8, group: Range<usize>) {
        let d = rows.d;
        self.centre.clear();
        self.centre.resize(d, 0.0);
        let share = 1.0 / group.len() as f32;
        for i in group.clone() {
            for (c, &v) in self.centre.iter_mut().zip(rows.row(i)) {
                *c += share * v;
            }
        }
        self.rows.clear();
        self.rows
            .resize(group.len().div_ceil(HEIGHT) * HEIGHT * d, 0.0);
        self.own.clear();
        for (at, i) in group.enumerate() {
            let slots = &mut self.rows[at / HEIGHT * HEIGHT * d + at % HEIGHT..];
            let size = place(rows.row(i), &self.centre, slots, HEIGHT);
            self.own.push(least(kind, size, d) + rows.lift[i]);
        }
    }

    /// The others by panels, around the same centre.
    #[inline(always)]
    fn pack_others(&mut self, rows: &Rows, kind: u8, others: &[u32]) {
        let d = rows.d;
        let panels = others.len().div_ceil(WIDTH);
        self.columns.clear();
        self.columns.resize(panels * WIDTH * d, 0.0);
        self.base.clear();
        self.base.resize(panels * WIDTH, f32::INFINITY);
        let packed = self.columns.chunks_exact_mut(WIDTH * d);
        let strips = packed.zip(self.base.chunks_exact_mut(WIDTH));
        for ((panel, base), some) in strips.zip(others.chunks(WIDTH)) {
            for (l, &j) in some.iter().enumerate() {
                let j = j as usize;
                let size = place(rows.row(j), &self.centre, &mut panel[l..], WIDTH);
                base[l] = least(kind, size, d) + rows.lift[j];
            }
        }
    }
}

/// Writes a centred row to every `step`-th slot; its squared length.
#[inline(always)]
fn place(row: &[f32], centre: &[f32], slots: &mut [f32], step: usize) -> f32 {
    let mut size = 0f32;
    for ((slot, &v), &c) in slots.iter_mut().step_by(step).zip(row).zip(centre) {
        let v = v - c;
        *slot = v;
        size += v * v;
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn merging_keeps_the_best() {
        let mut pool = [(1.0, 4), (2.0, 1), FREE];
        let mut found = vec![(2.0, 0), (5.0, 9), (1.0, 7)];
        assert!(merge(&mut found, &mut pool));
        assert_eq!(pool, [(1.0, 4), (1.0, 7), (2.0, 0)]);
        assert!(found.is_empty());
        assert!(!merge(&mut vec![(2.0, 1)], &mut pool));
        assert_eq!(pool[2], (2.0, 0));
    }

    #[test]
    fn a_join_finds_what_single_values_find() {
        let (n, d, keep) = (150, 11, 9);
        let mut s = Stream::new(5, 0, 0, 0);
        let mut values = vec![0f32; n * 16];
        for row in values.chunks_exact_mut(16) {
            row[..d].fill_with(|| s.normal() as f32 + 3.0);
        }
        let lift = (0..n)
            .map(|i| if i % 50 == 3 { 0.5 } else { 0.0 })
            .collect();
        let rows = Rows {
            n,
            d,
            width: 16,
            values,
            lift,
        };
        let others: Vec<u32> = (0..n as u32).filter(|j| j % 3 != 1).collect();
        for kind in [tile::PRODUCT, tile::DIFFERENCE, tile::LARGEST] {
            let mut pools = vec![FREE; 10 * keep];
            Block::default().join(&rows, kind, 40..50, &others, &mut pools, keep);
            for (i, pool) in (40..50).zip(pools.chunks(keep)) {
                let mut want: Vec<Entry> = others
                    .iter()
                    .filter(|&&j| j as usize != i)
                    .map(|&j| (rows.value(kind, i, j as usize), j))
                    .collect();
                want.sort_by(better);
                for (p, w) in pool.iter().zip(&want) {
                    assert_eq!(p.1, w.1, "{kind}");
                    assert!((p.0 - w.0).abs() < 1e-4);
                }
            }
        }
    }
}
