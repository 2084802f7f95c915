//! Random walks, and the flow of a chain on an embedding.

use crate::boundary::{guard, malformed};
use crate::convert::{by_columns, dense, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::exec::Exec;
use fatecast_core::kernel::grid::{grid_arrows, smooth_grid, Grid, GridOptions};
use fatecast_core::kernel::projection::project;
use fatecast_core::kernel::streamline::{stream_lines, StreamOptions};
use fatecast_core::kernel::walk::{random_walks, WalkOptions};
use fatecast_core::Result;
use ndarray::ArrayView2;

/// Random walks on a transition matrix; `starts` and `stops` in the options are
/// 0-based cells. `list(lengths, cells)`, cells 1-based.
#[extendr]
fn rs_walk_random(matrix: List, options: List, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let options = Options::new(&options);
        let (starts, stops) = (options.codes("starts")?, options.codes("stops")?);
        let walk = WalkOptions {
            n_walks: options.count("n_sims")?,
            max_iter: options.count("max_iter")?,
            successive_hits: options.count("successive_hits")?,
            starts: &starts,
            stops: &stops,
            seed: options.seed()?,
        };
        let matrix = SparseArg::new(&matrix)?;
        let slots = matrix.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            random_walks(exec, slots.by_rows(exec)?, &walk)
        })?;
        let lengths: Vec<i32> = out.lengths.iter().map(|&l| l as i32).collect();
        let cells: Vec<i32> = out.cells.iter().map(|&c| c as i32 + 1).collect();
        Ok(list!(lengths = lengths, cells = cells).into())
    })
}

/// Arrows of cells on an embedding (cells x dimensions by columns).
/// `list(vectors, scale)`.
#[extendr]
fn rs_projection_vectors(
    matrix: List,
    graph: List,
    embedding: &[f64],
    dim: &[i32],
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let z = by_dim(embedding, dim)?;
        let (matrix, graph) = (SparseArg::new(&matrix)?, SparseArg::new(&graph)?);
        let (t, c) = (matrix.slots()?, graph.slots()?);
        let out = job::run(n_threads, &progress, move |exec| {
            project(exec, &t.by_rows(exec)?, &c.by_rows(exec)?, z)
        })?;
        Ok(list!(vectors = by_columns(&out.vectors), scale = out.scale).into())
    })
}

/// Arrows on a grid over the cells (cells x 2 by columns).
#[extendr]
fn rs_projection_grid(
    places: &[f64],
    vectors: &[f64],
    cells: i32,
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = Options::new(&options);
        let least = options.number("min_mass")?;
        let cells = (places, vectors, cells);
        let arrows = on_grid(cells, &options, n_threads, &progress, |exec, grid| {
            grid_arrows(exec, grid, least)
        })?;
        Ok(list!(
            x = axis(&arrows.places, 0),
            y = axis(&arrows.places, 1),
            dx = axis(&arrows.vectors, 0),
            dy = axis(&arrows.vectors, 1),
            mass = arrows.mass
        )
        .into())
    })
}

/// Stream lines over the cells (cells x 2 by columns). `middles` are 1-based
/// positions within each line.
#[extendr]
fn rs_projection_stream(
    places: &[f64],
    vectors: &[f64],
    cells: i32,
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = Options::new(&options);
        let stream = StreamOptions {
            density: options.number("density")?,
            max_length: options.number("max_length")?,
            min_mass: options.number("min_mass")?,
            cutoff_perc: options.number("cutoff_perc")?,
        };
        let cells = (places, vectors, cells);
        let out = on_grid(cells, &options, n_threads, &progress, |exec, grid| {
            stream_lines(exec, grid, &stream)
        })?;
        let lengths: Vec<i32> = out.lengths.iter().map(|&l| l as i32).collect();
        let middles: Vec<i32> = out.middles.iter().map(|&m| m as i32 + 1).collect();
        Ok(list!(
            lengths = lengths,
            middles = middles,
            x = axis(&out.points, 0),
            y = axis(&out.points, 1),
            speed = out.speed,
            max_speed = out.max_speed
        )
        .into())
    })
}

/// Smooths arrows onto the grid of the options and runs `f` on it.
fn on_grid<T, F>(
    (places, vectors, cells): (&[f64], &[f64], i32),
    options: &Options,
    n_threads: i32,
    progress: &Robj,
    f: F,
) -> Result<T>
where
    T: Send,
    F: FnOnce(&Exec, &Grid) -> Result<T> + Send,
{
    let (z, u) = (dense(places, cells, 2)?, dense(vectors, cells, 2)?);
    let grid = GridOptions {
        points: options.count("points")?,
        smooth: options.number("smooth")?,
        n_neighbors: options.maybe("n_neighbors")?.map(|k| k as usize),
    };
    job::run(n_threads, progress, move |exec| {
        f(exec, &smooth_grid(exec, z, u, &grid)?)
    })
}

fn by_dim<'a>(x: &'a [f64], dim: &[i32]) -> Result<ArrayView2<'a, f64>> {
    match *dim {
        [n, d] => dense(x, n, d),
        _ => Err(malformed("dim")),
    }
}

fn axis(points: &[[f64; 2]], c: usize) -> Vec<f64> {
    points.iter().map(|p| p[c]).collect()
}

extendr_module! {
    mod walk;
    fn rs_walk_random;
    fn rs_projection_vectors;
    fn rs_projection_grid;
    fn rs_projection_stream;
}
