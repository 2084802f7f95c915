//! Several sums over the cells of a gene in one pass, in fixed lanes.

use crate::simd::{tree, LANES};
use std::array::from_fn;

/// Sums over cells of the `K` numbers that `f` makes of the values of a cell in `M`
/// columns. The order is fixed: lanes of eight, then pairwise. O(n).
#[inline(always)]
pub fn sums<const M: usize, const K: usize>(
    columns: [&[f64]; M],
    f: impl Fn([f64; M]) -> [f64; K],
) -> [f64; K] {
    let n = columns[0].len();
    let columns = columns.map(|c| &c[..n]);
    let mut lanes = [[0.0; LANES]; K];
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        let chunk = columns.map(|c| &c[start..start + LANES]);
        for l in 0..LANES {
            let terms = f(from_fn(|m| chunk[m][l]));
            for k in 0..K {
                lanes[k][l] += terms[k];
            }
        }
    }
    for i in whole..n {
        let terms = f(from_fn(|m| columns[m][i]));
        for k in 0..K {
            lanes[k][i - whole] += terms[k];
        }
    }
    lanes.map(tree)
}

/// Largest value, at least 0.
#[inline(always)]
pub fn largest(column: &[f64]) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let chunks = column.chunks_exact(LANES);
    let tail = chunks.remainder();
    for chunk in chunks {
        for l in 0..LANES {
            lanes[l] = if chunk[l] > lanes[l] {
                chunk[l]
            } else {
                lanes[l]
            };
        }
    }
    lanes.iter().chain(tail).copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::wide;

    #[test]
    fn sums_are_those_of_a_plain_loop_on_every_path() {
        let a: Vec<f64> = (0..101).map(|i| (f64::from(i) * 0.37) % 1.0).collect();
        let b: Vec<f64> = (0..101).map(|i| (f64::from(i) * 0.73) % 2.0).collect();
        let f = |[x, y]: [f64; 2]| [x, x * y, if y > 1.0 { x } else { 0.0 }];
        let fast = wide(|| sums([&a, &b], f));
        assert_eq!(fast, sums([&a, &b], f));
        for (k, &sum) in fast.iter().enumerate() {
            let slow: f64 = a.iter().zip(&b).map(|(&x, &y)| f([x, y])[k]).sum();
            assert!((sum - slow).abs() < 1e-12);
        }
        assert_eq!(largest(&b), b.iter().copied().fold(0.0, f64::max));
        assert_eq!(largest(&[-1.0; 9]), 0.0);
    }
}
