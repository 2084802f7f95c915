//! Summaries and reductions of a map of fates.

use crate::boundary::{guard, malformed};
use crate::convert::{by_columns, dense};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::lineage::distance::{weights, Measure};
use fatecast_core::lineage::reduce::{redistribute, rescale, shares, Normalization};
use fatecast_core::lineage::summary::{over_cells, over_lineages, sorted, Summary};

/// One number per lineage (`along` "cells"), per cell ("lineages") or for all values.
#[extendr]
fn rs_lineage_summary(
    p: &[f64],
    n: i32,
    k: i32,
    summary: &str,
    along: &str,
    skip_missing: bool,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let summary = Summary::from_name(summary)?;
        let view = dense(p, n, k)?;
        let out = job::run(n_threads, &progress, move |exec| match along {
            "cells" => over_cells(exec, view, summary, skip_missing),
            "lineages" => over_lineages(exec, view, summary, skip_missing),
            "all" => Ok(vec![summary.of(p, skip_missing)]),
            _ => Err(malformed("along")),
        })?;
        Ok(out.into())
    })
}

/// Every column (`along` "cells") or row ("lineages") in ascending order, by columns.
#[extendr]
fn rs_lineage_sort(p: &[f64], n: i32, k: i32, along: &str, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let view = dense(p, n, k)?;
        let axis = match along {
            "cells" => 0,
            "lineages" => 1,
            _ => return Err(malformed("along")),
        };
        let out = job::run(n_threads, &progress, move |exec| sorted(exec, view, axis))?;
        Ok(by_columns(&out).into())
    })
}

/// Weights of queries for references (queries x references by columns) from their
/// values, both cells x lineages by columns.
#[extendr]
fn rs_lineage_weights(
    reference: &[f64],
    query: &[f64],
    n: i32,
    measure: &str,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let measure = Measure::from_name(measure)?;
        let (reference, query) = (lineages(reference, n)?, lineages(query, n)?);
        let out = job::run(n_threads, &progress, move |exec| {
            weights(exec, reference, query, measure)
        })?;
        Ok(by_columns(&out).into())
    })
}

/// The references with what the queries give them by their weights:
/// `list(values, shares)`, both by columns. `softmax_scale` NULL only scales weights.
#[extendr]
fn rs_lineage_redistribute(
    reference: &[f64],
    query: &[f64],
    n: i32,
    weights: &[f64],
    softmax_scale: Robj,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let (reference, query) = (lineages(reference, n)?, lineages(query, n)?);
        let shape = (query.ncols() as i32, reference.ncols() as i32);
        let weights = dense(weights, shape.0, shape.1)?
            .as_standard_layout()
            .into_owned();
        let normalization = match softmax_scale.as_real() {
            Some(scale) => Normalization::Softmax(scale),
            None => Normalization::Scale,
        };
        let (values, shares) = job::run(n_threads, &progress, move |exec| {
            let shares = shares(&weights, normalization);
            Ok((redistribute(exec, reference, query, &shares)?, shares))
        })?;
        Ok(list!(values = by_columns(&values), shares = by_columns(&shares)).into())
    })
}

/// Rows divided by their sum, by columns.
#[extendr]
fn rs_lineage_rescale(reference: &[f64], n: i32, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let reference = lineages(reference, n)?;
        let out = job::run(n_threads, &progress, move |exec| rescale(exec, reference))?;
        Ok(by_columns(&out).into())
    })
}

/// Values of `n` cells, as many columns as there are.
fn lineages(values: &[f64], n: i32) -> fatecast_core::Result<ndarray::ArrayView2<'_, f64>> {
    let columns = values.len().checked_div(n.max(0) as usize).unwrap_or(0);
    dense(values, n, columns as i32)
}

extendr_module! {
    mod lineage_reduce;
    fn rs_lineage_summary;
    fn rs_lineage_sort;
    fn rs_lineage_weights;
    fn rs_lineage_redistribute;
    fn rs_lineage_rescale;
}
