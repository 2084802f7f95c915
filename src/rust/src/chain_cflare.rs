//! Terminal states from eigenvectors.

use crate::boundary::{guard, malformed};
use crate::convert::{by_columns, dense};
use extendr_api::prelude::*;
use fatecast_core::chain::cflare::{leading_cells, matching_neighbors, scores, z_scores};
use ndarray::{ArrayView2, ShapeBuilder};

/// Scores of the cells and which of them stand out:
/// `list(scores, kept)`, `left` cells x vectors by columns. `percentile` NULL keeps all.
#[extendr]
fn rs_cflare_cells(left: &[f64], n: i32, eigenvalues: &[f64], percentile: Robj) -> Robj {
    guard(|| {
        let left = dense(left, n, eigenvalues.len() as i32)?;
        let scores = scores(left, eigenvalues)?;
        let kept = match percentile.as_real() {
            Some(q) => leading_cells(left, q)?,
            None => vec![true; left.nrows()],
        };
        Ok(list!(scores = scores, kept = kept).into())
    })
}

/// Columns with mean zero and population variance one.
#[extendr]
fn rs_cflare_standardize(x: &[f64], n: i32, columns: i32) -> Robj {
    guard(|| {
        let x = dense(x, n, columns)?.as_standard_layout().into_owned();
        Ok(by_columns(&z_scores(&x)).into())
    })
}

/// For each cell the number of neighbours (cells x columns, counted from one, NA for
/// none) with its label (counted from one, 0 for none).
#[extendr]
fn rs_cflare_matches(labels: &[i32], neighbors: &[i32]) -> Robj {
    guard(|| {
        let n = labels.len();
        let columns = neighbors.len().checked_div(n).unwrap_or(0);
        let neighbors = ArrayView2::from_shape((n, columns).f(), neighbors)
            .map_err(|_| malformed("neighbors"))?;
        let found = matching_neighbors(labels, neighbors)?;
        let found: Vec<i32> = found.iter().map(|&c| c as i32).collect();
        Ok(found.into())
    })
}

extendr_module! {
    mod chain_cflare;
    fn rs_cflare_cells;
    fn rs_cflare_standardize;
    fn rs_cflare_matches;
}
