//! Where a layout starts: cells by the slowest directions of their graph.
//!
//! The eigenvectors of the normalised Laplacian with the smallest eigenvalues change
//! least along edges, so cells that are close in the graph start close together
//! (Belkin & Niyogi 2003). They are the leading eigenvectors of `D^-1/2 A D^-1/2`;
//! the first, sqrt(degree), says nothing and is dropped. A graph in several pieces
//! has its pieces laid out first, by their centroids in the data, and each piece
//! around its place (McInnes, Healy & Melville 2018). A rough answer is enough here:
//! what is not found in time is used as it is if its residual is below 1e-2, else
//! replaced by principal components, else by random positions.

use super::pca::{pca_dense, PcaOptions};
use super::spectral_places::{places, ranges};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::graph::components::components;
use crate::linalg::lanczos::{leading_eigenpairs, EigenOptions, Known, ScaledGraph, Which};
use crate::rng::Stream;
use crate::sparse::csr::{from_parts, row, Csr};
use crate::sparse::ops;
use ndarray::{Array2, ArrayView2, Axis};

/// What the positions are, from best to worst; of several pieces the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpectralUsed {
    /// Eigenvectors, as good as asked for.
    Spectral,
    /// Approximate eigenvectors with a residual below 1e-2.
    Partial,
    /// Principal components of the data.
    Pca,
    /// Random positions.
    Random,
}

/// What [`spectral_layout`] returns.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectralLayout {
    /// Cells x components, the largest absolute coordinate about 10.
    pub positions: Array2<f64>,
    /// Pieces of the graph.
    pub components: usize,
    /// Largest residual of the eigenvectors used.
    pub residual: f64,
    pub used: SpectralUsed,
}

/// Residual at which an eigenvector is good enough to start from.
const TOLERANCE: f64 = 1e-4;
/// Residual below which one is used although it is not.
const PARTIAL: f64 = 1e-2;
/// Products with a vector at most; they suffice with much to spare on connected
/// graphs of 10^6 cells.
const PRODUCTS: usize = 4000;
/// Largest absolute coordinate before the noise.
const EXTENT: f64 = 10.0;
/// Deviation of the noise that separates cells at the same place.
const NOISE: f64 = 1e-4;
/// Purposes of the random draws.
const JITTER: u64 = 0x7370_6301;
const SCATTER: u64 = 0x7370_6302;

/// Start positions of cells from their weighted, symmetric graph; `data` (cells x
/// features) places the pieces of a graph that has several, and stands in when no
/// eigenvectors are found. Time: about 100 passes over the graph. The same bits on
/// any number of threads.
///
/// # Errors
/// `shape` when sizes do not fit, `range` for weights or data that are not finite
/// or weights below zero, `memory`, `interrupted`.
pub fn spectral_layout(
    exec: &Exec,
    graph: &Csr,
    data: Option<ArrayView2<'_, f64>>,
    n_components: usize,
    seed: u64,
) -> Result<SpectralLayout> {
    check(graph, data, n_components)?;
    let (piece, count) = components(graph);
    let n = graph.rows();
    let mut layout = SpectralLayout {
        positions: zeros(n, n_components)?,
        components: count,
        residual: 0.0,
        used: SpectralUsed::Spectral,
    };
    if count == 1 {
        let rough = lower_precision(graph)?;
        let (positions, used, residual) = whole(exec, &rough, data, n_components, seed)?;
        (layout.positions, layout.used, layout.residual) = (positions, used, residual);
    } else if count > 1 {
        pieces(exec, graph, data, seed, &piece, &mut layout)?;
    }
    scale_to(&mut layout.positions, EXTENT);
    for (i, mut position) in layout.positions.rows_mut().into_iter().enumerate() {
        let mut draw = Stream::new(seed, JITTER, i as u64, 0);
        position.mapv_inplace(|v| v + NOISE * draw.normal());
    }
    Ok(layout)
}

fn check(graph: &Csr, data: Option<ArrayView2<'_, f64>>, n_components: usize) -> Result<()> {
    let n = graph.rows();
    let shape = |what: &str, expected: usize, found: usize| CoreError::Shape {
        what: what.into(),
        expected,
        found,
    };
    if graph.cols() != n {
        return Err(shape("the graph", n, graph.cols()));
    }
    if n_components == 0 {
        return Err(shape("the layout", 2, 0));
    }
    if let Some(d) = data {
        if d.nrows() != n {
            return Err(shape("the data of the cells", n, d.nrows()));
        }
    }
    let bad = |i: &usize| {
        let valid = |v: &f64| v.is_finite() && *v >= 0.0;
        !row(graph, *i).1.iter().all(valid)
    };
    let cells: Vec<usize> = (0..n).filter(bad).collect();
    if cells.is_empty() {
        return Ok(());
    }
    Err(CoreError::NotFinite {
        what: "the graph".into(),
        count: cells.len(),
        cells: cells.into_iter().take(crate::error::SHOWN).collect(),
    })
}

pub(super) fn zeros(rows: usize, cols: usize) -> Result<Array2<f64>> {
    let data = try_filled(rows * cols, 0.0, "the positions of the cells")?;
    // The length is rows * cols by construction.
    Ok(Array2::from_shape_vec((rows, cols), data).unwrap_or_default())
}

/// The graph with its weights rounded to single precision, which halves the time of
/// a pass and is far below what a start position needs.
fn lower_precision(graph: &Csr) -> Result<Csr<f32>> {
    let mut data = try_filled(graph.nnz(), 0f32, "the graph")?;
    let values = data.iter_mut().zip(graph.data());
    values.for_each(|(to, &from)| *to = from as f32);
    let mut indices = try_filled(graph.nnz(), 0u32, "the graph")?;
    indices.copy_from_slice(graph.indices());
    let indptr = graph.proper_indptr().into_owned();
    from_parts((graph.rows(), graph.cols()), indptr, indices, data)
}

/// Positions of a connected graph, not yet scaled.
fn whole(
    exec: &Exec,
    graph: &Csr<f32>,
    data: Option<ArrayView2<'_, f64>>,
    dim: usize,
    seed: u64,
) -> Result<(Array2<f64>, SpectralUsed, f64)> {
    let n = graph.rows();
    if n > dim {
        if let Some((positions, residual)) = eigenvectors(exec, graph, dim, seed)? {
            let used = if residual <= TOLERANCE {
                SpectralUsed::Spectral
            } else {
                SpectralUsed::Partial
            };
            return Ok((positions, used, residual));
        }
    }
    if let Some(data) = data {
        let options = PcaOptions {
            n_components: dim,
            seed,
            ..PcaOptions::default()
        };
        match pca_dense(exec, data, &options) {
            Ok(pca) => return Ok((pca.scores, SpectralUsed::Pca, 0.0)),
            // Too few dimensions, or nothing that varies: random positions remain.
            Err(
                CoreError::Range { .. }
                | CoreError::NoState { .. }
                | CoreError::NotConverged { .. },
            ) => {}
            Err(e) => return Err(e),
        }
    }
    let mut positions = zeros(n, dim)?;
    scatter(&mut positions, EXTENT, seed, 0);
    Ok((positions, SpectralUsed::Random, 0.0))
}

/// The eigenvectors after the first and their largest residual; None when they are
/// too far from converged.
fn eigenvectors(
    exec: &Exec,
    graph: &Csr<f32>,
    dim: usize,
    seed: u64,
) -> Result<Option<(Array2<f64>, f64)>> {
    let n = graph.rows();
    let mut degree = try_filled(n, 0.0, "the degrees")?;
    exec.chunks_mut(&mut degree, ops::ROWS, |start, piece| {
        for (k, out) in piece.iter_mut().enumerate() {
            *out = row(graph, start + k).1.iter().map(|&v| f64::from(v)).sum();
        }
    })?;
    if degree.iter().any(|&d| d <= 0.0) {
        return Ok(None);
    }
    let total: f64 = degree.iter().sum();
    let scale: Vec<f64> = degree.iter().map(|d| 1.0 / d.sqrt()).collect();
    let weight: Vec<f64> = degree.iter().map(|d| (d / total).sqrt()).collect();
    let matrix = ScaledGraph {
        graph,
        scale: &scale,
    };
    let known = Known {
        piece: &vec![0; n],
        weight: &weight,
        count: 1,
    };
    let options = EigenOptions {
        wanted: dim,
        which: Which::LargestAlgebraic,
        tolerance: TOLERANCE,
        products: PRODUCTS,
        seed,
    };
    let pairs = match leading_eigenpairs(exec, matrix, Some(known), &options) {
        Err(CoreError::NotConverged { .. }) => return Ok(None),
        pairs => pairs?,
    };
    let worst = pairs.residuals.iter().fold(0.0f64, |m, &r| m.max(r));
    Ok((worst < PARTIAL).then_some((pairs.vectors, worst)))
}

/// Uniform positions in [-range, range].
fn scatter(positions: &mut Array2<f64>, range: f64, seed: u64, stream: u64) {
    for (i, mut position) in positions.rows_mut().into_iter().enumerate() {
        let mut draw = Stream::new(seed, SCATTER, stream, i as u64);
        position.mapv_inplace(|_| range * (2.0 * draw.uniform() - 1.0));
    }
}

/// Scales so that the largest absolute coordinate is `extent`; zeros stay.
fn scale_to(positions: &mut Array2<f64>, extent: f64) {
    let largest = positions.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest > 0.0 {
        let factor = extent / largest;
        positions.mapv_inplace(|v| v * factor);
    }
}

/// A graph of several pieces: their places first, then each around its place.
fn pieces(
    exec: &Exec,
    graph: &Csr,
    data: Option<ArrayView2<'_, f64>>,
    seed: u64,
    piece: &[u32],
    layout: &mut SpectralLayout,
) -> Result<()> {
    let (dim, count) = (layout.positions.ncols(), layout.components);
    let mut members: Vec<Vec<usize>> = vec![vec![]; count];
    for (i, &p) in piece.iter().enumerate() {
        members[p as usize].push(i);
    }
    let places = places(&members, data, dim)?;
    let ranges = ranges(exec, &places)?;
    let mut local = try_filled(graph.rows(), 0u32, "the pieces of the graph")?;
    for members in &members {
        for (k, &i) in members.iter().enumerate() {
            local[i] = k as u32;
        }
    }
    for (p, members) in members.iter().enumerate() {
        exec.check()?;
        let mut positions = zeros(members.len(), dim)?;
        if members.len() < 2 * dim || members.len() <= dim + 1 {
            scatter(&mut positions, ranges[p], seed, p as u64 + 1);
        } else {
            let part = subgraph(graph, members, &local)?;
            let data = data.map(|d| d.select(Axis(0), members));
            let view = data.as_ref().map(Array2::view);
            let (found, used, residual) = whole(exec, &part, view, dim, seed)?;
            positions = found;
            scale_to(&mut positions, ranges[p]);
            layout.used = layout.used.max(used);
            layout.residual = layout.residual.max(residual);
        }
        for (k, &i) in members.iter().enumerate() {
            let place = &places.row(p) + &positions.row(k);
            layout.positions.row_mut(i).assign(&place);
        }
    }
    Ok(())
}

/// The edges among `members`, whose rank among them is `local`.
fn subgraph(graph: &Csr, members: &[usize], local: &[u32]) -> Result<Csr<f32>> {
    let n = members.len();
    let (mut indptr, mut indices, mut data) = (vec![0], vec![], vec![]);
    for &i in members {
        let (cols, values) = row(graph, i);
        // A piece is closed, and ranks keep the order of the cells.
        indices.extend(cols.iter().map(|&c| local[c as usize]));
        data.extend(values.iter().map(|&v| v as f32));
        indptr.push(indices.len());
    }
    from_parts((n, n), indptr, indices, data)
}
