//! What goes with a lineage.

use crate::boundary::{guard, malformed};
use crate::convert::{by_columns, dense, MatrixArg, MatrixView};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::lineage::drivers::{fisher, DriverMoments};
use fatecast_core::lineage::fisher::inflated;
use fatecast_core::CoreError;

/// Adds a block of cells (`matrix` features x cells, `p` cells x lineages by columns)
/// to the moments in `state` (NULL for none yet); returns
/// `list(state, genes, lineages)`.
#[extendr]
fn rs_lineage_moments(
    matrix: List,
    p: &[f64],
    lineages: i32,
    state: Robj,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let arg = MatrixArg::new(&matrix)?;
        let view = arg.view()?;
        let genes = view.features();
        let k = lineages.max(0) as usize;
        let cells = p.len().checked_div(k).unwrap_or(0);
        let p = dense(p, cells as i32, lineages)?;
        let before = match state.as_list().filter(|list| !list.is_empty()) {
            Some(list) => Some(list.elt(0).map_err(|_| malformed("state"))?),
            None => None,
        };
        let before = match &before {
            Some(values) => Some(values.as_real_slice().ok_or_else(|| malformed("state"))?),
            None => None,
        };
        let state = job::run(n_threads, &progress, move |exec| {
            let mut moments = match before {
                Some(state) => DriverMoments::from_state(genes, k, state)?,
                None => DriverMoments::new(genes, k)?,
            };
            match view {
                MatrixView::Sparse(s) => match s.view(exec) {
                    Ok(view) => moments.add_columns(exec, &view, p)?,
                    // Slots out of order are put into order first.
                    Err(CoreError::Shape { .. }) => {
                        moments.add_sparse(exec, &s.columns_as_rows()?, p)?;
                    }
                    Err(other) => return Err(other),
                },
                MatrixView::Dense(x) => moments.add_dense(exec, x, p)?,
            }
            Ok(moments.into_state())
        })?;
        Ok(list!(state = state, genes = genes as i32, lineages = lineages).into())
    })
}

/// Correlations and their tests from moments; every table is genes x lineages by
/// columns. `compat` reports the peer's correlations.
#[extendr]
fn rs_lineage_fisher(
    state: List,
    confidence_level: f64,
    compat: bool,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let get = |k: usize| state.elt(k).map_err(|_| malformed("state"));
        let (values, genes, lineages) = (get(0)?, get(1)?, get(2)?);
        let values = values.as_real_slice().ok_or_else(|| malformed("state"))?;
        let size = |r: &Robj| r.as_integer().map(|v| v.max(0) as usize);
        let genes = size(&genes).ok_or_else(|| malformed("genes"))?;
        let lineages = size(&lineages).ok_or_else(|| malformed("lineages"))?;
        let table = job::run(n_threads, &progress, move |_| {
            let moments = DriverMoments::from_state(genes, lineages, values)?;
            let (mut r, n) = (moments.correlations(), moments.n_cells());
            if compat {
                r = inflated(r, n);
            }
            fisher(r, n, confidence_level)
        })?;
        Ok(list!(
            corr = by_columns(&table.correlation),
            pval = by_columns(&table.p_value),
            qval = by_columns(&table.q_value),
            ci_low = by_columns(&table.ci_low),
            ci_high = by_columns(&table.ci_high)
        )
        .into())
    })
}

extendr_module! {
    mod lineage;
    fn rs_lineage_moments;
    fn rs_lineage_fisher;
}
