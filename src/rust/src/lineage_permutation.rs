//! Permutation tests of lineage drivers.

use crate::boundary::guard;
use crate::convert::{by_columns, dense, MatrixArg, MatrixView};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::lineage::fisher::q_values;
use fatecast_core::lineage::gene_rows::Expression;
use fatecast_core::lineage::permutation::{permutation, Resampling};

/// Correlations of every feature of `matrix` (features x cells) with `p` (cells x
/// lineages by columns), p-values by permutation and bootstrap intervals; every
/// table is genes x lineages by columns.
#[extendr]
fn rs_lineage_permute(
    matrix: List,
    p: &[f64],
    lineages: i32,
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let arg = MatrixArg::new(&matrix)?;
        let view = arg.view()?;
        let cells = p.len().checked_div(lineages.max(0) as usize).unwrap_or(0);
        let p = dense(p, cells as i32, lineages)?;
        let options = Options::new(&options);
        let how = Resampling {
            n_perms: options.count("n_perms")?,
            confidence_level: options.number("confidence_level")?,
            seed: options.seed()?,
            compat: options.flag("compat")?,
        };
        let table = job::run(n_threads, &progress, move |exec| match view {
            MatrixView::Sparse(s) => {
                let m = s.columns_as_rows()?;
                permutation(exec, &Expression::Sparse(&m), p, &how)
            }
            MatrixView::Dense(x) => permutation(exec, &Expression::Dense(x), p, &how),
        })?;
        Ok(list!(
            corr = by_columns(&table.correlation),
            pval = by_columns(&table.p_value),
            ci_low = by_columns(&table.ci_low),
            ci_high = by_columns(&table.ci_high)
        )
        .into())
    })
}

/// q-values of p-values (genes x lineages by columns), lineage by lineage.
#[extendr]
fn rs_lineage_qvalues(pval: &[f64], lineages: i32, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let genes = pval.len().checked_div(lineages.max(0) as usize);
        let p = dense(pval, genes.unwrap_or(0) as i32, lineages)?;
        let q = job::run(n_threads, &progress, move |_| Ok(q_values(&p.to_owned())))?;
        Ok(by_columns(&q).into())
    })
}

extendr_module! {
    mod lineage_permutation;
    fn rs_lineage_permute;
    fn rs_lineage_qvalues;
}
