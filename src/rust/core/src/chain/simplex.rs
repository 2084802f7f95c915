//! The inner simplex: cells that look most like pure states.
//!
//! In the coordinates of the Schur vectors the cells lie close to a simplex whose
//! corners are the macrostates. The algorithm picks m cells that span a large simplex
//! (Weber & Galliat 2002; section 2.6.2 of the fate-mapping rules) and returns the
//! linear map under which those cells are pure; how negative memberships become
//! elsewhere tells how well m states fit.

use crate::error::{try_with_capacity, CoreError, Result};
use crate::simd;
use nalgebra::DMatrix;
use ndarray::{ArrayView2, Axis, Slice};

/// The cells chosen as corners and the map that makes them pure.
#[derive(Debug, Clone, PartialEq)]
pub struct InnerSimplex {
    /// Corner cells, in the order of their choice.
    pub corners: Vec<usize>,
    /// A0 (m x m): memberships are `X A0`.
    pub rotation: DMatrix<f64>,
    /// Condition number of the corner coordinates.
    pub condition: f64,
}

/// The inner simplex of `x` (n x m, first column constant). O(n m^2).
///
/// # Errors
/// `shape` for fewer cells than columns or fewer than two columns, `range` when the
/// first column is not constant or another one is, `singular`.
pub fn inner_simplex(x: ArrayView2<'_, f64>) -> Result<InnerSimplex> {
    check_columns(x)?;
    let (n, m) = x.dim();
    let mut y = try_with_capacity(n * m, "the Schur vectors")?;
    y.extend(x.iter().copied());
    let mut corners = Vec::with_capacity(m);
    corners.push(longest(&y, m).0);
    let origin = y[corners[0] * m..(corners[0] + 1) * m].to_vec();
    for row in y.chunks_exact_mut(m) {
        simd::axpy(-1.0, &origin, row);
    }
    for j in 1..m {
        let last = corners[j - 1];
        let v = y[last * m..(last + 1) * m].to_vec();
        for row in y.chunks_exact_mut(m) {
            let along = simd::dot(row, &v);
            simd::axpy(-along, &v, row);
        }
        let (corner, norm) = longest(&y, m);
        corners.push(corner);
        if norm == 0.0 {
            return Err(singular(f64::INFINITY));
        }
        y.iter_mut().for_each(|v| *v /= norm);
    }
    let chosen = DMatrix::from_fn(m, m, |i, j| x[(corners[i], j)]);
    let svd = chosen.svd(true, true);
    let condition = svd.singular_values.max() / svd.singular_values.min();
    if condition.is_nan() || condition >= 1.0 / f64::EPSILON {
        return Err(singular(condition));
    }
    let rotation = svd.pseudo_inverse(0.0).map_err(|_| singular(condition))?;
    Ok(InnerSimplex {
        corners,
        rotation,
        condition,
    })
}

/// Smallest entry of the unoptimised memberships of `m` states: 0 for a perfect
/// simplex, more negative the worse. O(n m^2).
///
/// # Errors
/// As [`inner_simplex`]; `range` for an m beyond the columns of `x`.
pub fn min_chi(x: ArrayView2<'_, f64>, m: usize) -> Result<f64> {
    if m < 2 || m > x.ncols() {
        return Err(CoreError::Range {
            what: "the number of states".into(),
            value: m as f64,
            allowed: format!("2 to {}, the number of Schur vectors", x.ncols()),
        });
    }
    let x = x.slice_axis(Axis(1), Slice::from(..m));
    let simplex = inner_simplex(x)?;
    let mut least = f64::INFINITY;
    for row in x.rows() {
        for l in 0..m {
            let chi: f64 = (0..m).map(|k| row[k] * simplex.rotation[(k, l)]).sum();
            least = least.min(chi);
        }
    }
    Ok(least)
}

fn singular(condition: f64) -> CoreError {
    CoreError::Singular {
        what: "the simplex of the Schur vectors".into(),
        condition,
    }
}

/// Row of largest norm (the first on ties) and that norm.
fn longest(y: &[f64], m: usize) -> (usize, f64) {
    let (mut at, mut best) = (0, -1.0);
    for (i, row) in y.chunks_exact(m).enumerate() {
        let square = simd::dot(row, row);
        if square > best {
            (at, best) = (i, square);
        }
    }
    (at, best.max(0.0).sqrt())
}

fn check_columns(x: ArrayView2<'_, f64>) -> Result<()> {
    let (n, m) = x.dim();
    if m < 2 || n < m {
        return Err(CoreError::Shape {
            what: "the Schur vectors".into(),
            expected: m.max(2),
            found: n.min(m),
        });
    }
    for (j, column) in x.columns().into_iter().enumerate() {
        let (lo, hi) = column
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &v| {
                (lo.min(v), hi.max(v))
            });
        let constant = hi - lo <= 1e-6 * if j == 0 { hi.abs() } else { 1.0 };
        if constant != (j == 0) {
            return Err(CoreError::Range {
                what: format!("the range of Schur vector {}", j + 1),
                value: hi - lo,
                allowed: "0 for the first vector, more than 0 for the others".into(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use ndarray::Array2;

    /// Random convex combinations of the corners of a simplex, corners first.
    fn cloud(m: usize, n: usize) -> (Array2<f64>, Array2<f64>) {
        let mut s = Stream::new(4, 8, m as u64, 0);
        let mut chi = Array2::from_shape_fn((n, m), |_| s.exponential() + 0.05);
        for i in 0..m {
            chi.row_mut(i).fill(0.0);
            chi[(i, i)] = 1.0;
        }
        for mut row in chi.rows_mut() {
            let sum = row.sum();
            row.mapv_inplace(|v| v / sum);
        }
        let map = Array2::from_shape_fn((m, m), |(_, j)| if j == 0 { 1.0 } else { s.normal() });
        (chi.dot(&map), chi)
    }

    #[test]
    fn the_corners_of_a_simplex_are_found() {
        for m in 2..8 {
            let (x, chi) = cloud(m, 200);
            let simplex = inner_simplex(x.view()).unwrap();
            let mut corners = simplex.corners.clone();
            corners.sort_unstable();
            assert_eq!(corners, (0..m).collect::<Vec<_>>());
            for i in 0..200 {
                for (l, &corner) in simplex.corners.iter().enumerate() {
                    let got: f64 = (0..m).map(|k| x[(i, k)] * simplex.rotation[(k, l)]).sum();
                    assert!((got - chi[(i, corner)]).abs() < 1e-9);
                }
            }
            assert!(min_chi(x.view(), m).unwrap() > -1e-9);
        }
    }

    #[test]
    fn what_is_no_schur_basis_is_refused() {
        let (mut x, _) = cloud(3, 50);
        assert_eq!(min_chi(x.view(), 4).unwrap_err().kind(), "range");
        let kind = |x: &Array2<f64>| inner_simplex(x.view()).unwrap_err().kind();
        let twin = x.column(1).to_owned();
        x.column_mut(2).assign(&twin);
        assert_eq!(kind(&x), "singular");
        x.column_mut(2).fill(0.5);
        assert_eq!(kind(&x), "range");
        x[(0, 0)] = 2.0;
        assert_eq!(kind(&x), "range");
    }
}
