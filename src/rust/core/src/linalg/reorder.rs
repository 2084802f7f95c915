//! Puts the eigenvalues of a real Schur form in order.
//!
//! Neighbouring diagonal blocks (1 x 1 or 2 x 2) change places by an orthogonal
//! transformation found from the solution X of `A11 X - X A22 = A12`: the columns of
//! `[-X; I]` span the invariant subspace of the lower block, which a QR
//! decomposition moves to the front (Bai & Demmel 1993). Two blocks whose eigenvalues
//! cannot be told apart stay as they are.

use super::schur::{block_size, make_standard};
use crate::error::Result;
use nalgebra::{DMatrix, DVector};

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Largest real part (`"LR"`).
    LargestReal,
    /// Largest modulus (`"LM"`).
    LargestMagnitude,
}

impl Which {
    /// The number by which an eigenvalue with these parts is ranked.
    pub fn key(self, re: f64, im: f64) -> f64 {
        match self {
            Which::LargestReal => re,
            Which::LargestMagnitude => (re * re + im * im).sqrt(),
        }
    }
}

/// Eigenvalues closer than this, relative to the largest entry, count as equal.
const TIE: f64 = 64.0 * f64::EPSILON;

/// Reorders `r` (quasi-triangular, standard blocks) so that the eigenvalues descend,
/// equal ones in their old order, and `q` (any number of rows) with it, so that
/// `q r q'` stays what it was. O(n^3).
///
/// # Errors
/// None today; the result type is that of the other decompositions.
pub fn sort_schur(q: &mut DMatrix<f64>, r: &mut DMatrix<f64>, which: Which) -> Result<()> {
    let n = r.nrows();
    let tie = TIE * r.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let mut front = 0;
    while front < n {
        let mut at = largest(r, front, which, tie);
        while at > front {
            let before = if at >= 2 && block_size(r, at - 2) == 2 {
                2
            } else {
                1
            };
            if !swap_blocks(q, r, at - before) {
                break;
            }
            at -= before;
        }
        front += block_size(r, front);
    }
    Ok(())
}

/// Rank of the block at `i`.
pub(crate) fn block_key(r: &DMatrix<f64>, i: usize, which: Which) -> f64 {
    if block_size(r, i) == 1 {
        return which.key(r[(i, i)], 0.0);
    }
    let im = r[(i, i + 1)].abs().sqrt() * r[(i + 1, i)].abs().sqrt();
    which.key(r[(i, i)], im)
}

fn largest(r: &DMatrix<f64>, front: usize, which: Which, tie: f64) -> usize {
    let (mut best, mut at) = (front, front);
    while at < r.nrows() {
        if block_key(r, at, which) > block_key(r, best, which) + tie {
            best = at;
        }
        at += block_size(r, at);
    }
    best
}

/// Exchanges the block at `at` with the next one; false when they are too close for
/// the exchange to be backward stable, and then nothing has changed.
pub(crate) fn swap_blocks(q: &mut DMatrix<f64>, r: &mut DMatrix<f64>, at: usize) -> bool {
    let p = block_size(r, at);
    let s = block_size(r, at + p);
    let size = p + s;
    let block = r.view((at, at), (size, size)).into_owned();
    let Some(turn) = exchange(&block, p, s) else {
        return false;
    };
    let moved = turn.transpose() * &block * &turn;
    let scale = block.amax();
    let left = moved.view((s, 0), (p, s)).amax();
    if left.is_nan() || left > 20.0 * f64::EPSILON * scale {
        return false;
    }
    let n = r.nrows();
    let rows = turn.transpose() * r.view((at, at), (size, n - at));
    r.view_mut((at, at), (size, n - at)).copy_from(&rows);
    let columns = r.view((0, at), (at + size, size)) * &turn;
    r.view_mut((0, at), (at + size, size)).copy_from(&columns);
    let columns = q.view((0, at), (q.nrows(), size)) * &turn;
    q.view_mut((0, at), (q.nrows(), size)).copy_from(&columns);
    r.view_mut((at + s, at), (p, s)).fill(0.0);
    for (start, width) in [(at, s), (at + s, p)] {
        if width == 2 {
            make_standard(q, r, start);
        }
    }
    true
}

/// The orthogonal matrix whose first `s` columns span the invariant subspace of the
/// lower block.
fn exchange(block: &DMatrix<f64>, p: usize, s: usize) -> Option<DMatrix<f64>> {
    let size = p + s;
    let (upper, lower) = (block.view((0, 0), (p, p)), block.view((p, p), (s, s)));
    let mut sylvester = DMatrix::zeros(p * s, p * s);
    let mut right = DVector::zeros(p * s);
    for j in 0..s {
        for i in 0..p {
            right[j * p + i] = block[(i, p + j)];
            for k in 0..p {
                sylvester[(j * p + i, j * p + k)] += upper[(i, k)];
            }
            for k in 0..s {
                sylvester[(j * p + i, k * p + i)] -= lower[(k, j)];
            }
        }
    }
    let x = sylvester.full_piv_lu().solve(&right)?;
    let mut basis = DMatrix::zeros(size, s);
    for j in 0..s {
        for i in 0..p {
            basis[(i, j)] = -x[j * p + i];
        }
        basis[(p + j, j)] = 1.0;
        // Only the direction counts; this keeps a huge X in range.
        let norm = basis.column(j).norm();
        basis.column_mut(j).scale_mut(1.0 / norm);
    }
    let mut full = DMatrix::zeros(size, size);
    let mut filled = 0;
    let units = (0..size).map(|i| DVector::from_fn(size, |k, _| f64::from(u8::from(k == i))));
    let candidates = (0..s).map(|j| basis.column(j).into_owned()).chain(units);
    for mut v in candidates {
        for _ in 0..2 {
            for k in 0..filled {
                let c: DVector<f64> = full.column(k).into_owned();
                let along = c.dot(&v);
                v -= c * along;
            }
        }
        let norm = v.norm();
        if filled < s && (norm.is_nan() || norm <= 1e-8) {
            return None;
        }
        // Among the unit vectors there are always enough that stand out this far.
        if filled < s || (filled < size && norm > 1e-3) {
            full.set_column(filled, &(v / norm));
            filled += 1;
        }
    }
    (filled == size).then_some(full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Exec;
    use crate::linalg::schur::{eigenvalues, real_schur};
    use crate::rng::Stream;

    #[test]
    fn any_order_is_reached_and_the_matrix_stays() {
        for seed in 0..60 {
            let n = 2 + seed as usize % 25;
            let mut s = Stream::new(seed, 3, 0, 0);
            let a = DMatrix::from_fn(n, n, |_, _| s.normal());
            let (mut q, mut r) = real_schur(&Exec::serial(), &a).unwrap();
            let mut before: Vec<f64> = eigenvalues(&r).iter().map(|v| v.re).collect();
            for which in [Which::LargestReal, Which::LargestMagnitude] {
                sort_schur(&mut q, &mut r, which).unwrap();
                assert!((&q * &r * q.transpose() - &a).norm() < 1e-12 * a.norm());
                let keys: Vec<f64> = eigenvalues(&r)
                    .iter()
                    .map(|v| which.key(v.re, v.im))
                    .collect();
                assert!(keys.windows(2).all(|w| w[0] >= w[1] - 1e-12));
            }
            let mut after: Vec<f64> = eigenvalues(&r).iter().map(|v| v.re).collect();
            before.sort_by(f64::total_cmp);
            after.sort_by(f64::total_cmp);
            for (x, y) in before.iter().zip(&after) {
                assert!((x - y).abs() < 1e-9 * a.norm());
            }
        }
    }

    #[test]
    fn equal_eigenvalues_stay_where_they_are() {
        let mut r = DMatrix::from_row_slice(3, 3, &[1.0, 5.0, 2.0, 0.0, 1.0, 7.0, 0.0, 0.0, 1.0]);
        let (mut q, old) = (DMatrix::identity(3, 3), r.clone());
        sort_schur(&mut q, &mut r, Which::LargestReal).unwrap();
        assert_eq!((q, r), (DMatrix::identity(3, 3), old));
    }

    #[test]
    fn identical_pairs_are_left_alone_and_distinct_ones_move() {
        let pair = [0.5, 0.3, -0.2, 0.5];
        let mut r = DMatrix::zeros(5, 5);
        for k in 0..2 {
            for (e, v) in pair.iter().enumerate() {
                r[(2 * k + e / 2, 2 * k + e % 2)] = *v;
            }
        }
        r[(0, 3)] = 0.4;
        r[(4, 4)] = 0.9;
        r[(1, 4)] = -0.6;
        let (mut q, old) = (DMatrix::identity(5, 5), r.clone());
        sort_schur(&mut q, &mut r, Which::LargestReal).unwrap();
        assert!((r[(0, 0)] - 0.9).abs() < 1e-14);
        assert_eq!((block_size(&r, 1), block_size(&r, 3)), (2, 2));
        assert!((&q * &r * q.transpose() - old).norm() < 1e-13);
    }
}
