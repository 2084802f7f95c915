//! Eigenvalues and eigenvectors of a chain, and where its closed classes settle.

use crate::boundary::{guard, malformed};
use crate::convert::{by_columns, or_null, positions, SparseArg};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::chain::gpcca::eigengap;
use fatecast_core::chain::stationary::class_distributions;
use fatecast_core::linalg::eigen::{eigen, EigenOptions, Side};
use fatecast_core::linalg::reorder::Which;
use fatecast_core::CoreError;

/// `"LR"` or `"LM"`.
pub(crate) fn order(which: &str) -> fatecast_core::Result<Which> {
    match which {
        "LR" => Ok(Which::LargestReal),
        "LM" => Ok(Which::LargestMagnitude),
        _ => Err(malformed("which")),
    }
}

/// Leading eigenpairs of both sides. `ncv` 0 takes the usual subspace.
#[extendr]
fn rs_chain_eigen(
    transition: List,
    k: i32,
    which: &str,
    alpha: f64,
    only_evals: bool,
    ncv: i32,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = EigenOptions {
            count: k.max(0) as usize,
            which: order(which)?,
            only_values: only_evals,
            columns: usize::try_from(ncv).ok().filter(|&c| c > 0),
        };
        let arg = SparseArg::new(&transition)?;
        let slots = arg.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            eigen(exec, &slots.by_rows(exec)?, &options)
        })?;
        let re: Vec<f64> = out.right.values.iter().map(|v| v.re).collect();
        let gap = if re.len() > 1 {
            Some(eigengap(&re, alpha)? as i32)
        } else {
            None
        };
        let left = match &out.left {
            Some(left) => side(left),
            None => ().into(),
        };
        Ok(list!(
            right = side(&out.right),
            left = left,
            conditions = out.conditions,
            method = if out.dense { "dense" } else { "krylov" },
            eigengap = or_null(gap)
        )
        .into())
    })
}

/// The stationary distribution of every closed class; one that could not be found is
/// told in `unsettled`.
#[extendr]
fn rs_chain_classes(transition: List, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let arg = SparseArg::new(&transition)?;
        let slots = arg.slots()?;
        let found = job::run(n_threads, &progress, move |exec| {
            class_distributions(exec, &slots.by_rows(exec)?)
        });
        let (classes, unsettled) = match found {
            Err(e @ CoreError::NotConverged { .. }) => (vec![], Some(e.to_string())),
            other => (other?, None),
        };
        let classes: Vec<Robj> = classes
            .into_iter()
            .map(|c| {
                list!(
                    cells = positions(&c.cells),
                    probabilities = c.probabilities,
                    residual = c.residual
                )
                .into()
            })
            .collect();
        Ok(list!(
            classes = List::from_values(classes),
            unsettled = or_null(unsettled)
        )
        .into())
    })
}

fn side(side: &Side) -> Robj {
    let re: Vec<f64> = side.values.iter().map(|v| v.re).collect();
    let im: Vec<f64> = side.values.iter().map(|v| v.im).collect();
    list!(
        re = re,
        im = im,
        vectors_re = by_columns(&side.vectors.mapv(|v| v.re)),
        vectors_im = by_columns(&side.vectors.mapv(|v| v.im)),
        residuals = side.residuals.clone(),
        products = side.products as f64
    )
    .into()
}

extendr_module! {
    mod chain_spectral;
    fn rs_chain_eigen;
    fn rs_chain_classes;
}
