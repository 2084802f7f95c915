//! CytoTRACE: scores of differentiation from expression.

use crate::boundary::{guard, malformed};
use crate::convert::{positions, MatrixArg, MatrixView};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::exec::Exec;
use fatecast_core::kernel::cytotrace::{
    aggregate, scale, top_genes, Aggregation, Expression, GeneMoments,
};
use fatecast_core::Result;

fn expression<'a>(exec: &Exec, view: MatrixView<'a>) -> Result<Expression<'a>> {
    Ok(match view {
        MatrixView::Sparse(slots) => Expression::Sparse(slots.view(exec)?),
        MatrixView::Dense(x) => Expression::Dense(x),
    })
}

/// Adds a block of cells (`matrix` features x cells) to the moments in `state` (NULL
/// for none yet): `list(state, counts)`, the numbers of genes that cells express.
#[extendr]
fn rs_cytotrace_moments(matrix: List, state: Robj, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let arg = MatrixArg::new(&matrix)?;
        let view = arg.view()?;
        let before = state.as_real_slice();
        let (state, counts) = job::run(n_threads, &progress, move |exec| {
            let block = expression(exec, view)?;
            let mut moments = match before {
                Some(state) => GeneMoments::from_state(block.genes(), state)?,
                None => GeneMoments::new(block.genes())?,
            };
            let counts = moments.add(exec, block)?;
            Ok((moments.into_state(), counts))
        })?;
        let counts: Vec<i32> = counts.into_iter().map(|c| c as i32).collect();
        Ok(list!(state = state, counts = counts).into())
    })
}

/// Correlations of genes from moments, and the positions of the best:
/// `list(corr, selected)`.
#[extendr]
fn rs_cytotrace_genes(
    state: &[f64],
    genes: i32,
    n_genes: i32,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let (corr, selected) = job::run(n_threads, &progress, move |_| {
            let moments = GeneMoments::from_state(genes.max(0) as usize, state)?;
            let corr = moments.correlations();
            let selected = top_genes(&corr, n_genes.max(0) as usize);
            Ok((corr, selected))
        })?;
        Ok(list!(corr = corr, selected = positions(&selected)).into())
    })
}

/// Aggregates the genes at `selected` in every cell of a block.
#[extendr]
fn rs_cytotrace_aggregate(
    matrix: List,
    selected: &[i32],
    aggregation: &str,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let how = match aggregation {
            "mean" => Aggregation::Mean,
            "median" => Aggregation::Median,
            "gmean" => Aggregation::GeometricMean,
            "hmean" => Aggregation::HarmonicMean,
            _ => return Err(malformed("aggregation")),
        };
        let genes: Vec<usize> = selected.iter().map(|&g| (g - 1).max(0) as usize).collect();
        let arg = MatrixArg::new(&matrix)?;
        let view = arg.view()?;
        let out = job::run(n_threads, &progress, move |exec| {
            aggregate(exec, expression(exec, view)?, &genes, how)
        })?;
        Ok(out.into())
    })
}

/// Scores from 0 to 1, and pseudotime: `list(score, pseudotime)`.
#[extendr]
fn rs_cytotrace_scale(scores: &[f64], n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let (score, time) = job::run(n_threads, &progress, move |_| scale(scores))?;
        Ok(list!(score = score, pseudotime = time).into())
    })
}

extendr_module! {
    mod kernel_cytotrace;
    fn rs_cytotrace_moments;
    fn rs_cytotrace_genes;
    fn rs_cytotrace_aggregate;
    fn rs_cytotrace_scale;
}
