//! Terminal states from eigenvectors: clusters of cells where the chain comes to rest.
//!
//! A left eigenvector of an eigenvalue near one is large in magnitude where the chain
//! stays for long, the right one is about constant within such a region and tells regions
//! apart. So the cells at which a left vector is largest are kept ([`leading_cells`]) and
//! clustered by their entries in the right vectors; cells whose neighbours are mostly
//! elsewhere are dropped again ([`matching_neighbors`]), and every cell gets a score
//! ([`scores`]). Section 2.7 of the fate-mapping rules.

use crate::error::{try_filled, CoreError, Result};
use ndarray::{Array2, ArrayView2};

/// Cells whose magnitude in some column of `left` (cells x vectors) is at least the
/// `percentile` of that column's magnitudes. O(vectors x cells log cells).
///
/// # Errors
/// `range` for a percentile outside 0 to 100, `memory`.
pub fn leading_cells(left: ArrayView2<f64>, percentile: f64) -> Result<Vec<bool>> {
    if !(0.0..=100.0).contains(&percentile) {
        return Err(CoreError::Range {
            what: "the percentile".into(),
            value: percentile,
            allowed: "from 0 to 100".into(),
        });
    }
    let mut kept = try_filled(left.nrows(), false, "the cells kept")?;
    for column in left.columns() {
        let mut sorted: Vec<f64> = column.iter().map(|v| v.abs()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let least = quantile(&sorted, percentile / 100.0);
        for (keep, v) in kept.iter_mut().zip(column) {
            *keep |= v.abs() >= least;
        }
    }
    Ok(kept)
}

/// Linear interpolation between ascending values.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = q * last as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(last);
    // In this form the quantile of two equal values is that value.
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}

/// Columns with mean zero and population variance one; a constant column is zero.
pub fn z_scores(x: &Array2<f64>) -> Array2<f64> {
    let mut out = x.clone();
    let n = x.nrows() as f64;
    for mut column in out.columns_mut() {
        let mean = column.sum() / n;
        let constant = column.iter().all(|&v| v == column[0]);
        let square = |sum: f64, v: &f64| sum + (v - mean) * (v - mean);
        let deviation = (column.iter().fold(0.0, square) / n).sqrt();
        column.mapv_inplace(|v| {
            if constant {
                0.0
            } else {
                (v - mean) / deviation
            }
        });
    }
    out
}

/// How much each cell takes part in the states: magnitudes in the left vectors, each
/// brought to [0, 1] and divided by the real part of its eigenvalue, summed, and divided
/// by the largest sum. O(cells x vectors).
///
/// # Errors
/// `shape` for another number of eigenvalues than vectors, `range` for one that is not
/// positive, `memory`.
pub fn scores(left: ArrayView2<f64>, eigenvalues: &[f64]) -> Result<Vec<f64>> {
    if eigenvalues.len() != left.ncols() {
        return Err(CoreError::Shape {
            what: "the eigenvalues".into(),
            expected: left.ncols(),
            found: eigenvalues.len(),
        });
    }
    if let Some(&value) = eigenvalues.iter().find(|v| **v <= 0.0 || v.is_nan()) {
        return Err(CoreError::Range {
            what: "the real part of an eigenvalue".into(),
            value,
            allowed: "above 0 for the vectors used".into(),
        });
    }
    let mut sum = try_filled(left.nrows(), 0.0, "the scores of cells")?;
    for (column, value) in left.columns().into_iter().zip(eigenvalues) {
        let low = column.fold(f64::INFINITY, |a, v| a.min(v.abs()));
        let high = column.fold(0.0, |a: f64, v| a.max(v.abs()));
        if high > low {
            for (s, v) in sum.iter_mut().zip(column) {
                *s += (v.abs() - low) / (high - low) / value;
            }
        }
    }
    let top = sum.iter().copied().fold(0.0, f64::max);
    if top > 0.0 {
        sum.iter_mut().for_each(|s| *s /= top);
    }
    Ok(sum)
}

/// For each cell the number of its neighbours (`neighbors`: cells x columns, counted from
/// one, anything below for none) with the same label; labels count from one, 0 is none.
/// O(cells x columns).
///
/// # Errors
/// `shape` for another number of labels than cells, `range` for a neighbour that does not
/// exist, `memory`.
pub fn matching_neighbors(labels: &[i32], neighbors: ArrayView2<i32>) -> Result<Vec<u32>> {
    if labels.len() != neighbors.nrows() {
        return Err(CoreError::Shape {
            what: "the labels".into(),
            expected: neighbors.nrows(),
            found: labels.len(),
        });
    }
    let mut count = try_filled(labels.len(), 0, "the matches of cells")?;
    for (i, row) in neighbors.rows().into_iter().enumerate() {
        for &j in row.iter().filter(|&&j| j > 0) {
            let Some(&other) = labels.get(j as usize - 1) else {
                return Err(CoreError::Range {
                    what: "a neighbour".into(),
                    value: f64::from(j),
                    allowed: format!("at most {}", labels.len()),
                });
            };
            if labels[i] > 0 && other == labels[i] {
                count[i] += 1;
            }
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, Axis};

    #[test]
    fn cells_at_the_top_of_any_vector_are_kept() {
        let left = array![[0.1, -0.9], [-0.5, 0.1], [0.2, 0.2], [0.3, 0.0]];
        let kept = leading_cells(left.view(), 100.0).unwrap();
        assert_eq!(kept, [true, true, false, false]);
        assert!(leading_cells(left.view(), 0.0).unwrap().iter().all(|&k| k));
        // Magnitudes 0.1, 0.2, 0.3, 0.5: the median is 0.25.
        let one = left.select(Axis(1), &[0]);
        let kept = leading_cells(one.view(), 50.0).unwrap();
        assert_eq!(kept, [false, true, false, true]);
        assert_eq!(
            leading_cells(left.view(), 101.0).unwrap_err().kind(),
            "range"
        );
        // Equal values all reach their percentile.
        let flat = Array2::from_elem((7, 1), 0.3);
        assert!(leading_cells(flat.view(), 98.0).unwrap().iter().all(|&k| k));
    }

    #[test]
    fn z_scores_are_standardised() {
        let z = z_scores(&array![[1.0, 5.0], [3.0, 5.0]]);
        assert_eq!(z, array![[-1.0, 0.0], [1.0, 0.0]]);
    }

    #[test]
    fn scores_weigh_vectors_by_their_eigenvalue() {
        let left = array![[0.0, 1.0], [2.0, -3.0], [-4.0, 1.0]];
        // (0, 0.5, 1) / 1 + (0, 1, 0) / 0.5 = (0, 2.5, 1)
        let out = scores(left.view(), &[1.0, 0.5]).unwrap();
        assert_eq!(out, [0.0, 1.0, 0.4]);
        assert_eq!(scores(left.view(), &[1.0]).unwrap_err().kind(), "shape");
        assert_eq!(
            scores(left.view(), &[1.0, -0.1]).unwrap_err().kind(),
            "range"
        );
        let flat = Array2::from_elem((3, 1), 0.5);
        assert_eq!(scores(flat.view(), &[1.0]).unwrap(), [0.0; 3]);
    }

    #[test]
    fn neighbours_of_the_same_label_are_counted() {
        let neighbors = array![[2, 3], [1, 4], [4, i32::MIN], [3, 1]];
        let count = matching_neighbors(&[1, 1, 2, 0], neighbors.view()).unwrap();
        assert_eq!(count, [1, 1, 0, 0]);
        let e = matching_neighbors(&[1], neighbors.view()).unwrap_err();
        assert_eq!(e.kind(), "shape");
        let e = matching_neighbors(&[1], array![[2]].view()).unwrap_err();
        assert_eq!(e.kind(), "range");
    }
}
