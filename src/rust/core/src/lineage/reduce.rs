//! A map of fates reduced to a few lineages of interest.
//!
//! What a cell has of the lineages that are given up goes to those that are kept: in
//! proportion to what it has of these already ([`rescale`]), or in shares that are the
//! same for all cells and follow how alike two lineages are ([`shares`], from the weights
//! of [`crate::lineage::distance`], and [`redistribute`]). Rows that sum to one still do.

use crate::error::{CoreError, Result};
use crate::exec::{Exec, CHUNK};
use crate::math;
use ndarray::{Array2, ArrayView2, Axis};

/// How weights become shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Normalization {
    /// Divided by the sum of their row.
    Scale,
    /// Divided by the sum of their row, then the softmax of this sharpness.
    Softmax(f64),
}

/// Shares of each query (row) for the references: not negative, rows sum to one. A row
/// of zeros is shared equally.
pub fn shares(weights: &Array2<f64>, normalization: Normalization) -> Array2<f64> {
    let mut out = weights.clone();
    for mut row in out.rows_mut() {
        divide(row.as_slice_mut().unwrap_or_default());
        if let Normalization::Softmax(sharpness) = normalization {
            let top = row.fold(f64::NEG_INFINITY, |a, &b| a.max(sharpness * b));
            row.mapv_inplace(|v| math::exp(sharpness * v - top));
            divide(row.as_slice_mut().unwrap_or_default());
        }
    }
    out
}

/// Divides by the sum; zeros become equal parts.
fn divide(row: &mut [f64]) {
    let total: f64 = row.iter().sum();
    let equal = 1.0 / row.len() as f64;
    for v in row {
        *v = if total == 0.0 { equal } else { *v / total };
    }
}

/// `reference + query shares`: cells x references. A cell without values stays without.
/// O(cells x queries x references).
///
/// # Errors
/// `shape` when sizes do not fit, `interrupted`.
pub fn redistribute(
    exec: &Exec,
    reference: ArrayView2<f64>,
    query: ArrayView2<f64>,
    shares: &Array2<f64>,
) -> Result<Array2<f64>> {
    let fits = |what: &str, expected: usize, found: usize| {
        if expected == found {
            return Ok(());
        }
        Err(CoreError::Shape {
            what: what.into(),
            expected,
            found,
        })
    };
    fits("the query", reference.nrows(), query.nrows())?;
    fits("a column of shares", query.ncols(), shares.nrows())?;
    fits("a row of shares", reference.ncols(), shares.ncols())?;
    map_rows(exec, reference, |i, row| {
        for (j, v) in row.iter_mut().enumerate() {
            let gained = |q: usize| query[(i, q)] * shares[(q, j)];
            *v += (0..query.ncols()).map(gained).sum::<f64>();
        }
    })
}

/// Rows divided by their sum; a row of zeros becomes equal parts, one of NaN stays.
/// O(cells x references).
///
/// # Errors
/// `interrupted`.
pub fn rescale(exec: &Exec, reference: ArrayView2<f64>) -> Result<Array2<f64>> {
    map_rows(exec, reference, |_, row| divide(row))
}

/// A copy with `f(i, row)` applied to every row.
fn map_rows(
    exec: &Exec,
    m: ArrayView2<f64>,
    f: impl Fn(usize, &mut [f64]) + Sync,
) -> Result<Array2<f64>> {
    let mut out = Array2::zeros(m.dim());
    let k = m.ncols().max(1);
    let pieces: Vec<_> = out
        .axis_chunks_iter_mut(Axis(0), CHUNK)
        .enumerate()
        .collect();
    exec.for_each(pieces, |(piece, mut rows)| {
        for (at, mut row) in rows.rows_mut().into_iter().enumerate() {
            let i = piece * CHUNK + at;
            row.assign(&m.row(i));
            if let Some(row) = row.as_slice_mut() {
                f(i, &mut row[..k]);
            }
        }
        Ok(())
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::testing::same_bits;
    use ndarray::array;

    #[test]
    fn shares_are_what_the_definition_says() {
        let w = array![[1.0, 3.0], [0.0, 0.0], [2.0, 0.0]];
        let scaled = shares(&w, Normalization::Scale);
        assert_eq!(scaled, array![[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]]);
        let soft = shares(&w, Normalization::Softmax(2.0));
        let e = |v| math::exp(2.0 * v);
        let first = e(0.25) / (e(0.25) + e(0.75));
        assert!((soft[(0, 0)] - first).abs() < 1e-15);
        assert_eq!(soft.row(1).to_vec(), [0.5, 0.5]);
        // A sharpness at which exp() alone would overflow.
        let sharp = shares(&w, Normalization::Softmax(1e6));
        assert_eq!(sharp.row(0).to_vec(), [0.0, 1.0]);
    }

    #[test]
    fn what_is_given_up_goes_to_the_others() {
        let reference = array![[0.5, 0.2], [0.0, 0.0], [f64::NAN, f64::NAN]];
        let query = array![[0.3], [1.0], [f64::NAN]];
        let out = redistribute(
            &Exec::serial(),
            reference.view(),
            query.view(),
            &array![[0.25, 0.75]],
        )
        .unwrap();
        assert!((out[(0, 0)] - 0.575).abs() < 1e-15);
        assert_eq!(out.row(1).to_vec(), [0.25, 0.75]);
        assert!(out.row(2).iter().all(|v| v.is_nan()));
        let scaled = rescale(&Exec::serial(), reference.view()).unwrap();
        assert_eq!(scaled.row(0).to_vec(), [0.5 / 0.7, 0.2 / 0.7]);
        assert_eq!(scaled.row(1).to_vec(), [0.5, 0.5]);
        assert!(scaled[(2, 0)].is_nan());
    }

    #[test]
    fn sizes_must_fit() {
        let (r, q) = (array![[0.5, 0.2]], array![[0.3]]);
        let run = |w: &Array2<f64>| redistribute(&Exec::serial(), r.view(), q.view(), w);
        assert_eq!(run(&array![[1.0]]).unwrap_err().kind(), "shape");
        assert_eq!(
            run(&array![[1.0, 0.0], [0.0, 1.0]]).unwrap_err().kind(),
            "shape"
        );
    }

    #[test]
    fn rows_still_sum_to_one_with_the_same_bits() {
        let mut s = Stream::new(2, 1, 0, 0);
        let p = Array2::from_shape_fn((10_000, 5), |_| s.uniform());
        let p = rescale(&Exec::serial(), p.view()).unwrap();
        let (r, q) = p.view().split_at(Axis(1), 2);
        let w = Array2::from_shape_fn((3, 2), |_| s.uniform());
        same_bits(|threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let shares = shares(&w, Normalization::Softmax(1.0));
            let out = redistribute(&exec, r, q, &shares).unwrap();
            for row in out.rows() {
                assert!((row.sum() - 1.0).abs() < 1e-14);
            }
            out.mapv(f64::to_bits)
        });
    }
}
