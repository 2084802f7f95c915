//! Which state of a resample is which state of the data.
//!
//! Macrostates of a resample come in any order and may differ. Two states are the same
//! as far as their memberships overlap: the Jaccard index `sum min / sum max` over the
//! cells, which for states of definite cells is the number of common cells over that of
//! all. States are paired one to one so that the overlaps add up to the most
//! (Kuhn 1955; Munkres 1957; here by shortest augmenting paths, Jonker & Volgenant
//! 1987).

use ndarray::{Array2, ArrayView1, ArrayView2};

/// Jaccard index of two memberships over the same cells, 0 if both are empty. O(n).
pub fn overlap(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    let (mut common, mut all) = (0.0, 0.0);
    for (&x, &y) in a.iter().zip(b) {
        common += x.min(y);
        all += x.max(y);
    }
    if all > 0.0 {
        common / all
    } else {
        0.0
    }
}

/// Overlaps of all columns of `a` (n x p) with all of `b` (n x q): p x q. O(n p q).
pub fn overlaps(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.ncols(), b.ncols()), |(i, j)| {
        overlap(a.column(i), b.column(j))
    })
}

/// The pairing of rows with columns, each at most once and as many as possible, whose
/// weights (finite) add up to the most: the column of every row, `None` for rows that
/// find none because there are fewer columns. O(min^2 max).
pub fn best_pairs(weights: ArrayView2<'_, f64>) -> Vec<Option<usize>> {
    let (p, q) = weights.dim();
    if p <= q {
        return assign(weights).into_iter().map(Some).collect();
    }
    let mut rows = vec![None; p];
    for (column, row) in assign(weights.t()).into_iter().enumerate() {
        rows[row] = Some(column);
    }
    rows
}

/// Column of every row for at most as many rows as columns. Potentials `u`, `v` keep
/// the reduced costs non-negative; every row adds one shortest path.
fn assign(weights: ArrayView2<'_, f64>) -> Vec<usize> {
    let (p, q) = weights.dim();
    // Column q stands for the row that is being placed.
    let (mut u, mut v) = (vec![0.0; p], vec![0.0; q + 1]);
    let mut owner: Vec<Option<usize>> = vec![None; q + 1];
    for i in 0..p {
        owner[q] = Some(i);
        let mut at = q;
        let mut least = vec![f64::INFINITY; q];
        let mut from = vec![q; q];
        let mut used = vec![false; q + 1];
        while let Some(r) = owner[at] {
            used[at] = true;
            let (mut step, mut next) = (f64::INFINITY, q);
            for j in (0..q).filter(|&j| !used[j]) {
                let reduced = -weights[[r, j]] - u[r] - v[j];
                if reduced < least[j] {
                    least[j] = reduced;
                    from[j] = at;
                }
                if least[j] < step {
                    step = least[j];
                    next = j;
                }
            }
            for j in 0..=q {
                if used[j] {
                    if let Some(r) = owner[j] {
                        u[r] += step;
                    }
                    v[j] -= step;
                } else if j < q {
                    least[j] -= step;
                }
            }
            at = next;
        }
        while at != q {
            owner[at] = owner[from[at]];
            at = from[at];
        }
    }
    let mut column = vec![0; p];
    for (j, r) in owner[..q].iter().enumerate() {
        if let Some(r) = r {
            column[*r] = j;
        }
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use ndarray::array;

    /// The largest sum over all ways to place the rows.
    fn brute(w: ArrayView2<'_, f64>, row: usize, used: &mut Vec<bool>) -> f64 {
        if row == w.nrows() {
            return 0.0;
        }
        let mut best = f64::NEG_INFINITY;
        for j in 0..w.ncols() {
            if !used[j] {
                used[j] = true;
                best = best.max(w[[row, j]] + brute(w, row + 1, used));
                used[j] = false;
            }
        }
        best
    }

    #[test]
    fn pairs_are_the_best_of_all_permutations() {
        for (p, q) in [(1, 1), (2, 2), (3, 5), (5, 3), (6, 6), (7, 7), (4, 8)] {
            for seed in 0..40 {
                let mut s = Stream::new(seed, 9, p as u64, q as u64);
                // Ties and zeros too.
                let w = Array2::from_shape_fn((p, q), |_| (s.uniform() * 4.0).floor() / 4.0);
                let pairs = best_pairs(w.view());
                let mut columns: Vec<usize> = pairs.iter().flatten().copied().collect();
                let got: f64 = (0..p).filter_map(|i| pairs[i].map(|j| w[[i, j]])).sum();
                columns.sort_unstable();
                columns.dedup();
                assert_eq!(columns.len(), p.min(q));
                let small = if p <= q { w.view() } else { w.t() };
                let want = brute(small, 0, &mut vec![false; p.max(q)]);
                assert!((got - want).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_shuffled_set_of_states_is_put_back() {
        let m = 30;
        let mut s = Stream::new(3, 1, 4, 1);
        let order = s.permutation(m);
        let a = Array2::from_shape_fn((400, m), |_| s.uniform());
        let b = Array2::from_shape_fn((400, m), |(i, j)| a[[i, order[j]]]);
        let w = overlaps(a.view(), b.view());
        for (i, j) in best_pairs(w.view()).into_iter().enumerate() {
            assert_eq!(order[j.unwrap()], i);
            assert_eq!(w[[i, j.unwrap()]], 1.0);
        }
    }

    #[test]
    fn overlap_of_definite_cells_is_the_share_they_have_in_common() {
        let x = array![[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]];
        assert_eq!(overlap(x.column(0), x.column(1)), 0.25);
        assert_eq!(overlap(x.column(0), x.column(0)), 1.0);
        let none = array![0.0, 0.0];
        assert_eq!(overlap(none.view(), none.view()), 0.0);
    }
}
