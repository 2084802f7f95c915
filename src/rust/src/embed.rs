//! Embeddings.

use crate::boundary::guard;
use crate::convert::{by_columns, MatrixArg};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::embed::pca::{pca_dense, pca_sparse, PcaOptions};

/// Principal components of a features x cells matrix.
#[extendr]
fn rs_embed_pca(
    matrix: List,
    n_components: i32,
    scale: bool,
    seed: f64,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = PcaOptions {
            n_components: n_components.max(0) as usize,
            scale,
            seed: seed as u64,
            ..PcaOptions::default()
        };
        let arg = MatrixArg::new(&matrix)?;
        let view = arg.view()?;
        let out = job::run(n_threads, &progress, move |exec| match view {
            crate::convert::MatrixView::Sparse(s) => {
                pca_sparse(exec, &s.columns_as_rows()?, &options)
            }
            crate::convert::MatrixView::Dense(x) => pca_dense(exec, x, &options),
        })?;
        Ok(list!(
            scores = by_columns(&out.scores),
            loadings = by_columns(&out.loadings),
            variance = out.variance,
            total_variance = out.total_variance,
            residuals = out.residuals
        )
        .into())
    })
}

extendr_module! {
    mod embed;
    fn rs_embed_pca;
}
