//! Exact order statistics of values that are too many to keep.
//!
//! The bits of a single precision number, with the sign turned, order like whole
//! numbers. One pass over all pairs counts the upper half of the bits, which
//! finds the bucket of a rank, a second pass counts the lower half in that bucket:
//! the value of any rank without storing one of them.

use super::cost::{Tile, View};
use super::frame::WIDTH;
use super::pass::PANELS;
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::simd;

/// Buckets of one pass.
const BUCKETS: usize = 1 << 16;
/// Tasks at most, each with a table of counts.
const TASKS: usize = 64;

/// A whole number that orders like the value (which is not NaN).
#[inline(always)]
fn key(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 {
        !bits
    } else {
        bits | 1 << 31
    }
}

/// The value of a [`key`].
fn value(key: u32) -> f32 {
    if key >> 31 == 1 {
        f32::from_bits(key & !(1 << 31))
    } else {
        f32::from_bits(!key)
    }
}

/// The values of the given ranks (from 0, ascending) among what `entry(row slot,
/// column slot, cost over epsilon)` makes of all pairs. Two passes.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn order_statistics<F>(exec: &Exec, view: View<'_>, ranks: &[u64], entry: F) -> Result<Vec<f32>>
where
    F: Fn(usize, usize, f32) -> f32 + Sync,
{
    let upper = count(exec, view, &entry, |k| Some((k >> 16) as usize))?;
    let mut found = Vec::with_capacity(ranks.len());
    let mut lower: Option<(u32, Vec<u64>)> = None;
    for &rank in ranks {
        let (bucket, left) = locate(&upper, rank);
        let bucket = bucket as u32;
        if lower.as_ref().map(|l| l.0) != Some(bucket) {
            let only = |k: u32| (k >> 16 == bucket).then_some((k & 0xFFFF) as usize);
            lower = Some((bucket, count(exec, view, &entry, only)?));
        }
        let (low, _) = lower.as_ref().map_or((0, 0), |l| locate(&l.1, left));
        found.push(value(bucket << 16 | low as u32));
    }
    Ok(found)
}

/// The bucket of a rank, and the rank within it.
fn locate(counts: &[u64], rank: u64) -> (usize, u64) {
    let mut left = rank;
    for (bucket, &count) in counts.iter().enumerate() {
        if left < count {
            return (bucket, left);
        }
        left -= count;
    }
    (counts.len().saturating_sub(1), 0)
}

fn count<F, B>(exec: &Exec, view: View<'_>, entry: &F, bucket: B) -> Result<Vec<u64>>
where
    F: Fn(usize, usize, f32) -> f32 + Sync,
    B: Fn(u32) -> Option<usize> + Sync,
{
    let panels = view.rows().panels.len();
    let step = panels.div_ceil(TASKS).max(PANELS);
    let parts = exec.try_map_chunks(panels, step, |range| {
        let mut counts = try_filled(BUCKETS, 0u64, "counts of values")?;
        for start in range.clone().step_by(PANELS) {
            exec.check()?;
            let panels = start..(start + PANELS).min(range.end);
            simd::wide(
                #[inline(always)]
                || {
                    view.scan(
                        panels,
                        #[inline(always)]
                        |a, b, tile: &Tile| {
                            let rows = view.rows().panels[a].filled;
                            let cols = view.cols().panels[b].filled;
                            for (r, row) in tile.iter().enumerate().take(rows) {
                                for (l, &c) in row.iter().enumerate().take(cols) {
                                    let k = key(entry(a * WIDTH + r, b * WIDTH + l, c));
                                    if let Some(at) = bucket(k) {
                                        counts[at] += 1;
                                    }
                                }
                            }
                        },
                    );
                },
            );
        }
        Ok(counts)
    })?;
    let mut total = try_filled(BUCKETS, 0u64, "counts of values")?;
    for part in parts {
        for (t, c) in total.iter_mut().zip(part) {
            *t += c;
        }
    }
    Ok(total)
}

/// Ranks on both sides of the middle of `count` values.
pub fn middle_ranks(count: u64) -> [u64; 2] {
    [(count.max(1) - 1) / 2, count / 2]
}

/// The largest entry.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn largest(exec: &Exec, view: View<'_>) -> Result<f32> {
    let panels = view.rows().panels.len();
    let parts = exec.map_chunks(panels, PANELS, |range| {
        let mut top = 0f32;
        simd::wide(
            #[inline(always)]
            || {
                view.scan(
                    range,
                    #[inline(always)]
                    |a, b, tile: &Tile| {
                        let rows = view.rows().panels[a].filled;
                        let cols = view.cols().panels[b].filled;
                        for row in &tile[..rows] {
                            top = row[..cols].iter().fold(top, |m, &v| m.max(v));
                        }
                    },
                );
            },
        );
        top
    })?;
    Ok(parts.into_iter().fold(0.0, f32::max))
}

#[cfg(test)]
mod tests {
    use super::super::cost::{Cost, Labels};
    use super::super::points::Points;
    use super::*;
    use crate::rng::Stream;
    use ndarray::Array2;

    #[test]
    fn keys_order_like_values() {
        let x = [
            f32::NEG_INFINITY,
            -1e30,
            -1.0,
            -1e-40,
            0.0,
            1e-40,
            2.5,
            f32::INFINITY,
        ];
        assert!(x.windows(2).all(|w| key(w[0]) < key(w[1])));
        assert!(x.iter().all(|&v| value(key(v)).to_bits() == v.to_bits()));
    }

    #[test]
    fn ranks_are_those_of_a_sort() {
        let mut s = Stream::new(2, 0, 0, 0);
        let mut cloud = |n| Array2::from_shape_simple_fn((n, 3), || s.normal());
        let (x, y) = (cloud(37), cloud(53));
        let points = Points::new(x.view(), y.view()).unwrap();
        let cost =
            Cost::of_points(&Exec::serial(), &points, 1.0, &Labels::one(37, 53).unwrap()).unwrap();
        for shift in [0.0, 3.0] {
            let mut all = vec![];
            let (rows, cols) = (cost.view().rows(), cost.view().cols());
            cost.view().scan(0..rows.panels.len(), |a, b, tile| {
                for (r, row) in tile.iter().enumerate() {
                    for (l, &v) in row.iter().enumerate() {
                        let full = rows.cells[a * WIDTH + r] < 37 && cols.cells[b * WIDTH + l] < 53;
                        if full {
                            all.push(v - shift);
                        }
                    }
                }
            });
            all.sort_by(f32::total_cmp);
            assert_eq!(all.len(), 37 * 53);
            let ranks = [0, 17, 980, 981, 1960];
            let want: Vec<f32> = ranks.iter().map(|&r| all[r as usize]).collect();
            for threads in [1, 3] {
                let exec = Exec::with_threads(threads).unwrap();
                let found =
                    order_statistics(&exec, cost.view(), &ranks, |_, _, c| c - shift).unwrap();
                assert_eq!(found, want);
            }
            if shift == 0.0 {
                assert_eq!(largest(&Exec::serial(), cost.view()).unwrap(), all[1960]);
            }
        }
        assert_eq!(middle_ranks(4), [1, 2]);
        assert_eq!(middle_ranks(5), [2, 2]);
    }
}
