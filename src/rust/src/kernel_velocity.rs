//! Transitions along velocity, and the similarities by themselves.

use crate::boundary::{guard, malformed};
use crate::convert::{dense, positions, sparse_list, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::kernel::similarity::{probabilities, Similarity};
use fatecast_core::kernel::similarity_curvature::{expected, hessian};
use fatecast_core::kernel::velocity::{
    estimate_scale, velocity_rows, Direction, Draws, Model, VelocityInput, VelocityOptions,
};
use fatecast_core::kernel::velocity_moments::velocity_moments;
use fatecast_core::sparse::csr::{to_csc_slots, Csr};
use fatecast_core::Result;
use ndarray::ArrayView2;

fn similarity(name: &str) -> Result<Similarity> {
    match name {
        "correlation" => Ok(Similarity::Correlation),
        "cosine" => Ok(Similarity::Cosine),
        "dot_product" => Ok(Similarity::DotProduct),
        _ => Err(malformed("similarity")),
    }
}

fn draws(options: &Options) -> Result<Draws> {
    Ok(Draws {
        samples: options.count("n_samples")?,
        seed: options.seed()?,
        variance_as_sd: options.flag("compat")?,
    })
}

fn velocity_options(options: &Options) -> Result<VelocityOptions> {
    Ok(VelocityOptions {
        similarity: similarity(options.text("similarity")?)?,
        softmax_scale: options.maybe("softmax_scale")?,
        direction: match options.text("direction")? {
            "forward" => Direction::Forward,
            "transpose" => Direction::BackwardTranspose,
            "negate" => Direction::BackwardNegate,
            _ => return Err(malformed("direction")),
        },
        model: match options.text("model")? {
            "deterministic" => Model::Deterministic,
            "stochastic" => Model::Stochastic,
            "monte_carlo" => Model::MonteCarlo(draws(options)?),
            _ => return Err(malformed("model")),
        },
    })
}

/// `list(x, v, dim, by_cells, features)`: two matrices of one shape, with cells in
/// their rows or columns, and positions of the features to use, from one, or NULL.
struct Data {
    x: Robj,
    v: Robj,
    dim: (i32, i32),
    by_cells: bool,
    features: Option<Vec<usize>>,
}

impl Data {
    fn new(list: &List) -> Result<Data> {
        let get = |k: usize| list.elt(k).map_err(|_| malformed("data"));
        let dim = get(2)?;
        let [nrow, ncol] = *dim.as_integer_slice().unwrap_or_default() else {
            return Err(malformed("dim"));
        };
        let features = get(4)?;
        let chosen = features.as_integer_slice();
        Ok(Data {
            x: get(0)?,
            v: get(1)?,
            dim: (nrow, ncol),
            by_cells: get(3)?.as_bool().ok_or_else(|| malformed("by_cells"))?,
            features: chosen.map(|f| f.iter().map(|&g| (g - 1).max(0) as usize).collect()),
        })
    }

    /// Both as cells x features.
    fn views(&self) -> Result<(ArrayView2<'_, f64>, ArrayView2<'_, f64>)> {
        Ok((self.view(&self.x)?, self.view(&self.v)?))
    }

    fn view<'a>(&self, m: &'a Robj) -> Result<ArrayView2<'a, f64>> {
        let values = m.as_real_slice().ok_or_else(|| malformed("data"))?;
        let m = dense(values, self.dim.0, self.dim.1)?;
        Ok(if self.by_cells { m } else { m.reversed_axes() })
    }
}

fn input<'a>(
    graph: &'a Csr,
    (x, v): &'a (ArrayView2<'_, f64>, ArrayView2<'_, f64>),
    features: Option<&'a [usize]>,
) -> VelocityInput<'a> {
    VelocityInput {
        graph,
        x: x.view(),
        v: v.view(),
        features,
    }
}

/// Transitions along velocity. `list(matrix, softmax_scale, features, still)`.
#[extendr]
fn rs_kernel_velocity(
    graph: List,
    data: List,
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = velocity_options(&Options::new(&options))?;
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let data = Data::new(&data)?;
        let (views, features) = (data.views()?, data.features.as_deref());
        let (mut out, adjacency, symmetric) = job::run(n_threads, &progress, move |exec| {
            let symmetric = slots.is_symmetric(exec)?;
            let adjacency = slots.graph(exec)?;
            let out = velocity_rows(exec, &input(&adjacency, &views, features), &options)?;
            Ok((out, adjacency, symmetric))
        })?;
        let matrix = if symmetric && out.keep_all() {
            graph.mirrored(&adjacency, &out.probabilities, n_threads, &progress)?
        } else {
            let csc = job::run(n_threads, &progress, |exec| {
                to_csc_slots(exec, &out.matrix(&adjacency)?)
            })?;
            sparse_list(csc, slots.shape)
        };
        Ok(list!(
            matrix = matrix,
            softmax_scale = out.softmax_scale,
            features = out.features as i32,
            still = positions(&out.still)
        )
        .into())
    })
}

/// Mean and variance of velocity around the cells `first` to `last` (from one), each
/// features x cells.
#[extendr]
fn rs_kernel_velocity_moments(
    graph: List,
    data: List,
    first: i32,
    last: i32,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let data = Data::new(&data)?;
        let (views, features) = (data.views()?, data.features.as_deref());
        let rows = (first - 1).max(0) as usize..last.max(0) as usize;
        let (mean, variance) = job::run(n_threads, &progress, move |exec| {
            let graph = slots.by_rows(exec)?;
            velocity_moments(exec, &input(&graph, &views, features), rows)
        })?;
        Ok(list!(mean = mean, variance = variance).into())
    })
}

/// The velocities drawn for a cell (from one), features x draws.
#[extendr]
fn rs_kernel_velocity_draws(options: List, cell: i32, mean: &[f64], variance: &[f64]) -> Robj {
    guard(|| {
        let plan = draws(&Options::new(&options))?;
        let drawn = plan.of_cell((cell - 1).max(0) as usize, mean, variance)?;
        Ok(drawn.into())
    })
}

/// One over the median absolute score.
#[extendr]
fn rs_kernel_velocity_scale(scores: &[f64], n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let scale = job::run(n_threads, &progress, |exec| estimate_scale(exec, scores))?;
        Ok(scale.into())
    })
}

/// Probabilities and scores of moves `d` (neighbours x features) under `v` (one
/// velocity, or one per neighbour).
#[extendr]
fn rs_similarity(
    scheme: &str,
    v: &[f64],
    n_velocities: i32,
    d: &[f64],
    dim: &[i32],
    softmax_scale: f64,
) -> Robj {
    guard(|| {
        let &[k, features] = dim else {
            return Err(malformed("dim"));
        };
        let out = probabilities(
            similarity(scheme)?,
            dense(v, n_velocities, features)?,
            dense(d, k, features)?,
            softmax_scale,
        )?;
        let logits = out.scores_or_zero();
        Ok(list!(probabilities = out.probabilities, logits = logits).into())
    })
}

/// Diagonal second derivatives of the probabilities, neighbours x features.
#[extendr]
fn rs_similarity_hessian(
    scheme: &str,
    v: &[f64],
    d: &[f64],
    dim: &[i32],
    softmax_scale: f64,
) -> Robj {
    guard(|| {
        let &[k, features] = dim else {
            return Err(malformed("dim"));
        };
        let d = dense(d, k, features)?;
        Ok(hessian(similarity(scheme)?, v.into(), d, softmax_scale)?.into())
    })
}

/// Probabilities expected under uncertain velocities.
#[extendr]
fn rs_similarity_expected(probabilities: &[f64], hessian: &[f64], variance: &[f64]) -> Robj {
    guard(|| Ok(expected(probabilities, hessian, variance)?.into()))
}

extendr_module! {
    mod kernel_velocity;
    fn rs_kernel_velocity;
    fn rs_kernel_velocity_moments;
    fn rs_kernel_velocity_draws;
    fn rs_kernel_velocity_scale;
    fn rs_similarity;
    fn rs_similarity_hessian;
    fn rs_similarity_expected;
}
