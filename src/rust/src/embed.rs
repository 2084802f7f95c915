//! Embeddings.

use crate::boundary::{guard, malformed};
use crate::convert::{by_columns, dense, or_null, MatrixArg, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::embed::diffusion::{diffusion_map, DiffusionOptions, Which};
use fatecast_core::embed::pca::{pca_dense, pca_sparse, PcaOptions};
use fatecast_core::embed::quality::{compare_embeddings, embedding_quality, QualityOptions};
use fatecast_core::graph::Metric;
use fatecast_core::Result;

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

/// Diffusion map of a symmetric graph.
#[extendr]
fn rs_embed_diffusion(
    graph: List,
    n_comps: i32,
    which: &str,
    seed: f64,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = DiffusionOptions {
            n_comps: n_comps.max(0) as usize,
            which: match which {
                "LM" => Which::LargestMagnitude,
                "LA" => Which::LargestAlgebraic,
                _ => return Err(malformed("which")),
            },
            seed: seed as u64,
            ..DiffusionOptions::default()
        };
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            // A symmetric matrix is its own transpose.
            diffusion_map(exec, &slots.columns_as_rows()?, &options)
        })?;
        Ok(list!(
            values = out.values,
            vectors = by_columns(&out.vectors),
            z = out.z,
            residuals = out.residuals,
            products = out.products as f64,
            components = out.components as i32
        )
        .into())
    })
}

/// The settings of [`rs_embed_quality`], without the groups.
fn quality_options(settings: &List) -> Result<QualityOptions<'static>> {
    let settings = Options::new(settings);
    let recall = settings.numbers("recall_k")?;
    Ok(QualityOptions {
        k: settings.count("k")?,
        recall_k: recall.iter().map(|&k| k as usize).collect(),
        sample: settings.count("sample")?,
        triplets: settings.count("triplets")?,
        pairs: settings.count("pairs")?,
        groups: None,
        // The power is Minkowski's, which is not among the choices.
        metric: Metric::from_name(settings.text("metric")?, 2.0)?,
        seed: settings.seed()?,
    })
}

/// What an embedding keeps of the data, both cells x dimensions by columns.
#[extendr]
fn rs_embed_quality(
    data: &[f64],
    embedding: &[f64],
    data_dim: &[i32],
    embedding_dim: &[i32],
    settings: List,
    groups: Robj,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = quality_options(&settings)?;
        let (x, y) = (by_dim(data, data_dim)?, by_dim(embedding, embedding_dim)?);
        // Missing groups are negative in R, and no group at all here.
        let codes: Option<Vec<u32>> = groups.as_integer_slice().map(|g| {
            g.iter()
                .map(|&g| u32::try_from(g).unwrap_or(u32::MAX))
                .collect()
        });
        let out = job::run(n_threads, &progress, |exec| {
            let options = QualityOptions {
                groups: codes.as_deref(),
                ..options
            };
            embedding_quality(exec, x, y, &options)
        })?;
        Ok(list!(
            trustworthiness = out.trustworthiness,
            continuity = out.continuity,
            recall = out.recall,
            triplet_accuracy = out.triplet_accuracy,
            distance_correlation = out.distance_correlation,
            local_correlation = out.local_correlation,
            centroid_correlation = or_null(out.centroid_correlation)
        )
        .into())
    })
}

/// How alike two embeddings of the same cells are; `procrustes` is what fits.
#[extendr]
fn rs_embed_compare(
    a: &[f64],
    b: &[f64],
    a_dim: &[i32],
    b_dim: &[i32],
    settings: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let o = quality_options(&settings)?;
        let (a, b) = (by_dim(a, a_dim)?, by_dim(b, b_dim)?);
        let out = job::run(n_threads, &progress, |exec| {
            compare_embeddings(exec, a, b, o.k, o.sample, o.seed)
        })?;
        Ok(list!(
            procrustes = 1.0 - out.procrustes,
            neighbor_overlap = out.neighbor_overlap
        )
        .into())
    })
}

fn by_dim<'a>(x: &'a [f64], dim: &[i32]) -> Result<ndarray::ArrayView2<'a, f64>> {
    match *dim {
        [n, d] => dense(x, n, d),
        _ => Err(malformed("dim")),
    }
}

extendr_module! {
    mod embed;
    fn rs_embed_compare;
    fn rs_embed_diffusion;
    fn rs_embed_pca;
    fn rs_embed_quality;
}
