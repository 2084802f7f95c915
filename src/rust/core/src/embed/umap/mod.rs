//! Cells in the plane so that neighbours stay neighbours: UMAP.
//!
//! A layout in which cells joined in the graph lie close together and others do
//! not (McInnes, Healy & Melville 2018; section 3 of the graph rules). Distances
//! within a neighbourhood mean something; distances between far parts, sizes and
//! densities mean little ([`DensityOptions`] keeps densities).
//!
//! | step | module |
//! |---|---|
//! | the curve between distance and probability | [`curve`], [`force`], [`power`] |
//! | where the cells start | [`start`] |
//! | when which edge acts | [`schedule`] |
//! | moving the cells, in parallel | [`order`], [`edges`], `batch`, [`layout`] |
//! | moving them one edge after the other | [`sequential`] |
//! | keeping densities (densMAP) | [`density`] |
//! | new cells in an old layout | [`transform`] |

mod batch;
mod check;
pub mod curve;
pub mod density;
pub mod edges;
pub mod force;
pub mod layout;
pub mod order;
pub mod power;
pub mod schedule;
pub mod sequential;
pub mod start;
pub mod transform;

#[cfg(test)]
mod density_tests;
#[cfg(test)]
mod layout_tests;
#[cfg(test)]
mod sequential_tests;
#[cfg(test)]
mod transform_tests;
#[cfg(test)]
mod umap_tests;

pub use curve::fit_curve;
pub use start::Start;
pub use transform::{transform, TransformOptions};

use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::sparse::csr::Csr;
use check::{check_curve, check_graph, check_options, components_range, MOST_COMPONENTS};
use density::Density;
use edges::Edges;
use force::Curve;
use layout::Settings;
use ndarray::{Array2, ArrayView2};
use order::Order;

/// How cells move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Many at a time, on all threads; the same bits on any number of them.
    Parallel,
    /// One edge after the other, on one thread: the order of the reference.
    Sequential,
}

/// Where cells start.
#[derive(Debug, Clone, PartialEq)]
pub enum Init {
    /// The slowest directions of the graph.
    Spectral,
    /// Anywhere.
    Random,
    /// Cells x components.
    Given(Array2<f64>),
    /// Around the groups of a coarse graph; two components only.
    Paga {
        /// Group of each cell, from 0.
        groups: Vec<u32>,
        /// Groups x 2.
        positions: Array2<f64>,
        /// Groups x groups.
        connectivities: Csr,
    },
}

/// How densities of the data are kept (densMAP).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DensityOptions {
    /// Weight of the densities against the forces; 0 or more.
    pub lambda: f64,
    /// Part of the epochs, the last ones, in which they act; 0 to 1.
    pub fraction: f64,
    /// Added to the variance of the radii, which keeps it off zero; above 0.
    pub var_shift: f64,
}

impl Default for DensityOptions {
    fn default() -> DensityOptions {
        DensityOptions {
            lambda: 2.0,
            fraction: 0.3,
            var_shift: 0.1,
        }
    }
}

/// Parameters of the layout, with the defaults of scanpy.
#[derive(Debug, Clone, PartialEq)]
pub struct UmapOptions {
    /// Coordinates, 1 to 64.
    pub n_components: usize,
    /// How close cells may come; larger ones spread cells evenly.
    pub min_dist: f64,
    /// Scale of the layout.
    pub spread: f64,
    /// The curve itself; both or it comes from `min_dist` and `spread`.
    pub a: Option<f64>,
    pub b: Option<f64>,
    /// None: 500 up to 10,000 cells, else 200; 200 more with densities.
    pub n_epochs: Option<usize>,
    /// Rate of the first epoch.
    pub alpha: f64,
    /// Weight of the repulsion.
    pub gamma: f64,
    /// Repelling cells drawn per acting edge; more of them cost time.
    pub negative_sample_rate: f64,
    pub seed: u64,
    pub mode: Mode,
    pub density: Option<DensityOptions>,
    pub init: Init,
}

impl Default for UmapOptions {
    fn default() -> UmapOptions {
        UmapOptions {
            n_components: 2,
            min_dist: 0.5,
            spread: 1.0,
            a: None,
            b: None,
            n_epochs: None,
            alpha: 1.0,
            gamma: 1.0,
            negative_sample_rate: 5.0,
            seed: 0,
            mode: Mode::Parallel,
            density: None,
            init: Init::Spectral,
        }
    }
}

/// Log radii around each cell; see [`density`].
#[derive(Debug, Clone, PartialEq)]
pub struct Radii {
    /// In the data.
    pub data: Vec<f64>,
    /// In the layout.
    pub layout: Vec<f64>,
}

/// What [`umap`] returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Umap {
    /// Cells x components.
    pub embedding: Array2<f64>,
    /// The curve that was used.
    pub a: f64,
    pub b: f64,
    /// Epochs that were run.
    pub n_epochs: usize,
    /// How the start was made.
    pub start: Start,
    /// Stored edges too light to act.
    pub dropped: usize,
    /// With densities only.
    pub radii: Option<Radii>,
}

/// A layout of the cells of a symmetric graph (n x n, weights 0 or more; read
/// only). `data` (cells x features) serves the spectral start when the graph falls
/// into pieces; `distances` (n x n, at least one direction per edge) is needed with
/// densities. Cells without edges stay where they start. O(epochs x acting edges x
/// negatives) after the start; about 20 bytes per edge and 30 per cell and
/// coordinate.
///
/// # Errors
/// `shape` when sizes do not fit, `range` for options or numbers outside their
/// range, `memory`, `interrupted`.
pub fn umap(
    exec: &Exec,
    graph: &Csr,
    data: Option<ArrayView2<'_, f64>>,
    distances: Option<&Csr>,
    options: &UmapOptions,
) -> Result<Umap> {
    check_options(options)?;
    check_graph(exec, graph)?;
    let (a, b) = match (options.a, options.b) {
        (Some(a), Some(b)) => (a, b),
        _ => fit_curve(options.spread, options.min_dist)?,
    };
    check_curve(a, b)?;
    let usual = schedule::default_epochs(graph.rows(), options.density.is_some());
    let epochs = options.n_epochs.unwrap_or(usual);
    let least = schedule::least_weight(schedule::largest(graph), epochs, usual);
    let (pruned, dropped) = schedule::prune(exec, graph, least)?;
    let (y, start) = start::start(
        exec,
        &pruned,
        data,
        options.n_components,
        &options.init,
        options.seed,
    )?;
    let run = Run {
        exec,
        graph: &pruned,
        distances,
        options,
        settings: Settings {
            curve: Curve {
                a: a as f32,
                b: b as f32,
                gamma: options.gamma as f32,
            },
            epochs,
            alpha: options.alpha,
            negatives: options.negative_sample_rate,
            seed: options.seed,
        },
    };
    let (embedding, radii) = with_dimension(&y.view(), run)?;
    Ok(Umap {
        embedding,
        a,
        b,
        n_epochs: epochs,
        start,
        dropped,
        radii,
    })
}

/// What [`umap`] hands over to the dimension it turns out to have.
struct Run<'a> {
    exec: &'a Exec,
    graph: &'a Csr,
    distances: Option<&'a Csr>,
    options: &'a UmapOptions,
    settings: Settings,
}

impl Visit for Run<'_> {
    type Output = (Array2<f64>, Option<Radii>);

    fn visit<const D: usize>(self, start: &[[f32; D]], columns: usize) -> Result<Self::Output> {
        let (exec, graph, settings) = (self.exec, self.graph, &self.settings);
        let order = match self.options.mode {
            Mode::Parallel => Order::new(graph)?,
            Mode::Sequential => Order::unchanged(graph.rows()),
        };
        let edges = Edges::new(graph, &order)?;
        let density = match &self.options.density {
            None => None,
            Some(options) => {
                let distances = self.distances.ok_or_else(|| CoreError::Shape {
                    what: "the distances, which densities need,".into(),
                    expected: graph.rows(),
                    found: 0,
                })?;
                let epochs = settings.epochs;
                Some(Density::new(
                    exec, graph, distances, &order, epochs, options,
                )?)
            }
        };
        let density = density.as_ref();
        let y = match self.options.mode {
            Mode::Parallel => layout::layout(exec, &edges, &order, density, start, settings)?,
            Mode::Sequential => {
                sequential::sequential(exec, graph, &edges, density, start, settings)?
            }
        };
        let radii = match density {
            None => None,
            Some(density) => Some(density.radii(exec, &edges, &order, &y, &settings.curve)?),
        };
        let values = y.iter().flat_map(|y| &y[..columns]);
        let values = values.map(|&v| f64::from(v)).collect();
        Ok((matrix(y.len(), columns, values)?, radii))
    }
}

/// Work that is compiled for a fixed number of coordinates.
trait Visit {
    type Output;

    /// Does the work; `columns` of the D coordinates are real, the others zero.
    fn visit<const D: usize>(self, start: &[[f32; D]], columns: usize) -> Result<Self::Output>;
}

/// Runs `work` on positions filled up with zeros to 2, 4, 12 or 64 coordinates. A
/// coordinate that is zero for all cells feels no force and stays zero.
fn with_dimension<V: Visit>(y: &ArrayView2<'_, f64>, work: V) -> Result<V::Output> {
    fn filled<const D: usize>(y: &ArrayView2<'_, f64>) -> Result<Vec<[f32; D]>> {
        let mut out = try_filled(y.nrows(), [0.0f32; D], "the layout")?;
        for (to, from) in out.iter_mut().zip(y.rows()) {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = from as f32;
            }
        }
        Ok(out)
    }
    let columns = y.ncols();
    match columns {
        0 => Err(components_range(0)),
        1..=2 => work.visit::<2>(&filled(y)?, columns),
        3..=4 => work.visit::<4>(&filled(y)?, columns),
        5..=12 => work.visit::<12>(&filled(y)?, columns),
        13..=MOST_COMPONENTS => work.visit::<MOST_COMPONENTS>(&filled(y)?, columns),
        _ => Err(components_range(columns)),
    }
}

fn matrix(rows: usize, columns: usize, values: Vec<f64>) -> Result<Array2<f64>> {
    let found = values.len();
    Array2::from_shape_vec((rows, columns), values).map_err(|_| CoreError::Shape {
        what: "the layout".into(),
        expected: rows * columns,
        found,
    })
}
