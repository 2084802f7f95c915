//! Transition kernels.

use crate::boundary::{guard, malformed};
use crate::convert::{sparse_list, Slots, SparseArg};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::exec::Exec;
use fatecast_core::kernel::combine::{product, weighted};
use fatecast_core::kernel::connectivity::connectivity_transition;
use fatecast_core::sparse::csr::{to_csc_slots, Csr};
use fatecast_core::sparse::stochastic::{check, normalize};
use fatecast_core::Result;

/// Makes a transition matrix of a sparse matrix of R by `f`, as slots for R.
fn transition<F>(graph: &List, n_threads: i32, progress: &Robj, f: F) -> Result<Robj>
where
    F: FnOnce(&Exec, Csr) -> Result<Csr> + Send,
{
    let graph = SparseArg::new(graph)?;
    let slots = graph.slots()?;
    let out = job::run(n_threads, progress, move |exec| {
        let t = f(exec, slots.graph(exec)?)?;
        to_csc_slots(exec, &t)
    })?;
    Ok(sparse_list(out, slots.shape))
}

/// Checks a matrix and scales its rows to sum to one.
#[extendr]
fn rs_kernel_normalize(matrix: List, n_threads: i32, progress: Robj) -> Robj {
    guard(|| transition(&matrix, n_threads, &progress, normalize))
}

/// Transitions from the weights of a graph.
#[extendr]
fn rs_kernel_connectivity(
    graph: List,
    density_normalize: bool,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        transition(&graph, n_threads, &progress, |exec, c| {
            connectivity_transition(exec, &c, density_normalize)
        })
    })
}

/// Evaluates `f` on several sparse matrices of one shape.
fn combined<F>(matrices: &List, n_threads: i32, progress: &Robj, f: F) -> Result<Robj>
where
    F: FnOnce(&Exec, &[Csr]) -> Result<Csr> + Send,
{
    let args = matrices
        .values()
        .map(|m| m.as_list().ok_or_else(|| malformed("matrices")))
        .map(|l| SparseArg::new(&l?))
        .collect::<Result<Vec<_>>>()?;
    let slots = args
        .iter()
        .map(SparseArg::slots)
        .collect::<Result<Vec<Slots<'_>>>>()?;
    let shape = slots.first().map_or((0, 0), |s| s.shape);
    let out = job::run(n_threads, progress, move |exec| {
        let rows = slots
            .iter()
            .map(|s| s.by_rows(exec))
            .collect::<Result<Vec<_>>>()?;
        to_csc_slots(exec, &f(exec, &rows)?)
    })?;
    Ok(sparse_list(out, shape))
}

/// Weighted mean of transition matrices.
#[extendr]
fn rs_kernel_sum(matrices: List, weights: &[f64], n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        combined(&matrices, n_threads, &progress, |exec, m| {
            let terms: Vec<(f64, &Csr)> = weights.iter().copied().zip(m).collect();
            weighted(exec, &terms)
        })
    })
}

/// Element-wise product of transition matrices, rows scaled to one or left.
#[extendr]
fn rs_kernel_product(matrices: List, scaled: bool, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        combined(&matrices, n_threads, &progress, |exec, m| {
            product(exec, &m.iter().collect::<Vec<_>>(), scaled)
        })
    })
}

/// Refuses what is no transition matrix; NULL for one.
#[extendr]
fn rs_kernel_check(matrix: List, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let matrix = SparseArg::new(&matrix)?;
        let slots = matrix.slots()?;
        job::run(n_threads, &progress, move |exec| {
            check(exec, &slots.by_rows(exec)?)
        })?;
        Ok(r!(NULL))
    })
}

extendr_module! {
    mod kernel;
    fn rs_kernel_check;
    fn rs_kernel_normalize;
    fn rs_kernel_connectivity;
    fn rs_kernel_sum;
    fn rs_kernel_product;
}
