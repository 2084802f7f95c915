//! Where two distances stop agreeing: the cut of a branch (Haghverdi et al. 2016).
//!
//! The correlation is Kendall's: of all pairs of cells, those that both distances put
//! in the same order less those they put in opposite orders, over all. All counts are
//! whole numbers, so neither threads nor instructions can change the cut.

use crate::error::{try_with_capacity, Result};
use crate::exec::Exec;
use crate::simd;

/// Cells on either side of a cut at least.
pub(super) const MARGIN: usize = 5;
/// Cells per task of the pair counts.
const ROWS: usize = 64;

/// Ranks from 0, equal values alike.
pub(super) fn ranks(values: &[f64]) -> Vec<i32> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut out = vec![0; values.len()];
    for w in 1..order.len() {
        let (before, now) = (order[w - 1], order[w]);
        out[now] = out[before] + i32::from(values[now] > values[before]);
    }
    out
}

/// The first cut i, from 5 to m - 7, with the largest difference between the Kendall
/// correlation of a and b among 0..=i and that among the rest. O(m^2).
pub(super) fn best_cut(exec: &Exec, a: &[i32], b: &[i32]) -> Result<usize> {
    let m = a.len();
    let parts = exec.map_chunks(m, ROWS, |range| {
        simd::wide(
            #[inline(always)]
            || {
                let mut out = Vec::with_capacity(range.len());
                for i in range.clone() {
                    let before = agreement(&a[..i], &b[..i], a[i], b[i]);
                    let after = agreement(&a[i + 1..], &b[i + 1..], a[i], b[i]);
                    out.push((before, after));
                }
                out
            },
        )
    })?;
    let mut pairs = try_with_capacity(m, "agreements of cells")?;
    pairs.extend(parts.into_iter().flatten());
    // Every pair agrees or not with its later cell, and with its earlier one.
    let mut left: i64 = 0;
    let mut right: i64 = pairs.iter().map(|&(_, after)| after).sum();
    let mut best = (MARGIN, f64::NEG_INFINITY);
    for (i, &(before, after)) in pairs.iter().enumerate() {
        left += before;
        right -= after;
        if (MARGIN..m.saturating_sub(MARGIN + 1)).contains(&i) {
            let difference = kendall(left, i + 1) - kendall(right, m - i - 1);
            if difference > best.1 {
                best = (i, difference);
            }
        }
    }
    Ok(best.0)
}

/// Agreeing less disagreeing pairs, over all pairs of `n`.
fn kendall(agreement: i64, n: usize) -> f64 {
    2.0 * agreement as f64 / (n as f64 * (n as f64 - 1.0))
}

/// Cells that differ from (x, y) in the same direction in both, less those in
/// opposite directions. Whole numbers, so their order does not matter.
#[inline(always)]
fn agreement(a: &[i32], b: &[i32], x: i32, y: i32) -> i64 {
    // Blocks keep the 32-bit lanes from overflowing.
    let block = 1 << 20;
    let mut total = 0i64;
    for (a, b) in a.chunks(block).zip(b.chunks(block)) {
        let mut sum = 0i32;
        for (&a, &b) in a.iter().zip(b) {
            let first = i32::from(a > x) - i32::from(a < x);
            let second = i32::from(b > y) - i32::from(b < y);
            sum += first * second;
        }
        total += i64::from(sum);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// Kendall's correlation of a part, by all pairs.
    fn tau(a: &[f64], b: &[f64]) -> f64 {
        let sign = |v: f64| {
            if v > 0.0 {
                1.0
            } else if v < 0.0 {
                -1.0
            } else {
                0.0
            }
        };
        let mut sum = 0.0;
        let n = a.len();
        for i in 0..n {
            for j in 0..i {
                sum += sign(a[i] - a[j]) * sign(b[i] - b[j]);
            }
        }
        sum / (n * (n - 1) / 2) as f64
    }

    #[test]
    fn the_cut_is_the_best_of_all() {
        for seed in 0..20 {
            let mut s = Stream::new(seed, 1, 0, 0);
            let m = 12 + s.below(40);
            // Ties in every column.
            let draw = |s: &mut Stream| -> Vec<f64> {
                (0..m).map(|_| (s.uniform() * 30.0).floor() / 8.0).collect()
            };
            let (a, b) = (draw(&mut s), draw(&mut s));
            let mut best = (0, f64::NEG_INFINITY);
            for i in 5..m - 6 {
                let v = tau(&a[..=i], &b[..=i]) - tau(&a[i + 1..], &b[i + 1..]);
                if v > best.1 + 1e-12 {
                    best = (i, v);
                }
            }
            let exec = Exec::serial();
            assert_eq!(best_cut(&exec, &ranks(&a), &ranks(&b)).unwrap(), best.0);
        }
    }
}
