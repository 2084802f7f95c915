//! From options to a data set: states, molecules, counts.

use super::cells::{self, Cell, Sample};
use super::counts::{self, Rows, CELLS};
use super::genes::{self, Gene};
use super::kinetics::Molecules;
use super::purpose;
use super::topology::{Topology, Tree};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::math;
use crate::rng::Stream;
use crate::sparse::Csr;
use ndarray::{Array2, ArrayView2};

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationOptions {
    pub n_cells: usize,
    pub n_genes: usize,
    pub topology: Topology,
    /// Replicates; every second one is treated.
    pub n_samples: usize,
    /// Strength of the treatment: zero is none.
    pub condition_effect: f64,
    /// Observation noise of the smoothed expression and of the velocity.
    pub noise: f64,
    /// Factor on the expected counts.
    pub depth: f64,
    /// Whether to return expression and velocity as dense matrices.
    pub dense: bool,
    pub seed: u64,
}

impl Default for SimulationOptions {
    fn default() -> Self {
        SimulationOptions {
            n_cells: 2000,
            n_genes: 500,
            topology: Topology::Trifurcation,
            n_samples: 4,
            condition_effect: 0.5,
            noise: 1.0,
            depth: 1.0,
            dense: true,
            seed: 0,
        }
    }
}

/// A simulated data set. Cells are rows, genes columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    pub tree: Tree,
    pub genes: Vec<Gene>,
    pub samples: Vec<Sample>,
    pub cells: Vec<Cell>,
    /// Counts of spliced molecules.
    pub counts: Csr,
    /// Counts of unspliced molecules.
    pub unspliced: Csr,
    /// `log2(count / size factor + 1)` on the pattern of `counts`.
    pub log_counts: Vec<f64>,
    pub size_factors: Vec<f64>,
    /// Spliced molecules as a smoother would see them (`Ms`).
    pub expression: Option<Array2<f64>>,
    /// Rate of change of `expression` per unit of progress.
    pub velocity: Option<Array2<f64>>,
}

impl SimulationOptions {
    fn check(&self) -> Result<()> {
        let range = |what: &str, value: f64, ok: bool, allowed: &str| {
            if ok {
                return Ok(());
            }
            Err(CoreError::Range {
                what: what.into(),
                value,
                allowed: allowed.into(),
            })
        };
        let limit = u32::MAX as usize;
        let count =
            |what: &str, n: usize| range(what, n as f64, (1..=limit).contains(&n), "1 to 2^32 - 1");
        count("the number of cells", self.n_cells)?;
        count("the number of genes", self.n_genes)?;
        count("the number of samples", self.n_samples)?;
        let not_negative = |what: &str, v: f64| {
            range(
                what,
                v,
                v.is_finite() && v >= 0.0,
                "finite and not negative",
            )
        };
        not_negative("the observation noise", self.noise)?;
        let effect = self.condition_effect;
        range(
            "the condition effect",
            effect,
            effect.abs() <= 5.0,
            "-5 to 5",
        )?;
        let depth = self.depth;
        range(
            "the sequencing depth",
            depth,
            depth > 0.0 && depth <= 1000.0,
            "above 0, at most 1000",
        )
    }
}

/// Everything about a tissue but its cells.
struct Tissue<'a> {
    options: &'a SimulationOptions,
    tree: Tree,
    genes: Vec<Gene>,
    samples: Vec<Sample>,
    /// Capture of each gene, samples x genes.
    capture: Array2<f64>,
}

/// Spread of the effect of a sample on the logarithm of a gene's counts.
const SAMPLE_SPREAD: f64 = 0.04;
/// Relative noise of `expression` at `noise = 1`.
const EXPRESSION_NOISE: f64 = 0.05;

impl<'a> Tissue<'a> {
    fn new(options: &'a SimulationOptions) -> Result<Tissue<'a>> {
        options.check()?;
        let SimulationOptions {
            n_genes,
            n_samples,
            condition_effect: effect,
            seed,
            ..
        } = *options;
        let tree = options.topology.tree();
        let capture = Array2::from_shape_fn((n_samples, n_genes), |(s, g)| {
            let mut draws = Stream::new(seed, purpose::SAMPLE_GENE, s as u64, g as u64);
            options.depth * math::exp(SAMPLE_SPREAD * draws.normal())
        });
        Ok(Tissue {
            genes: genes::draw(&tree, n_genes, effect, seed),
            samples: cells::draw_samples(&tree, n_samples, effect, seed),
            tree,
            options,
            capture,
        })
    }

    fn cell(&self, i: usize) -> Cell {
        cells::draw(&self.tree, &self.samples, self.options.seed, i)
    }

    /// `f(gene, molecules, velocity)` for every gene in one cell. O(genes).
    fn express(&self, cell: &Cell, mut f: impl FnMut(usize, Molecules, f64)) {
        let treated = self.samples[cell.sample].treated;
        for (g, gene) in self.genes.iter().enumerate() {
            let (m, v) = gene.express(cell.progress, cell.weights[gene.branch], treated);
            f(g, m, v);
        }
    }

    /// Expression and velocity of one cell with their noise. O(genes).
    fn observe(&self, i: usize, cell: &Cell, mut f: impl FnMut(usize, f64, f64)) {
        let SimulationOptions { noise, seed, .. } = *self.options;
        let mut draws = Stream::new(seed, purpose::NOISE, i as u64, 0);
        self.express(cell, |g, m, v| {
            let (a, b) = if noise > 0.0 {
                (draws.normal(), draws.normal())
            } else {
                (0.0, 0.0)
            };
            let s = m.spliced * math::exp(noise * EXPRESSION_NOISE * a);
            f(g, s, v + noise * self.genes[g].velocity_scale() * b);
        });
    }
}

/// A data set of the given size: O(cells x genes) work, memory in proportion to the
/// counts that are not zero (and to cells x genes only with `dense`). The same bits
/// on any number of threads; cell i and gene g do not depend on how many cells
/// there are.
///
/// # Errors
/// `range` for options without meaning, `memory`, `interrupted`.
pub fn simulate(exec: &Exec, options: &SimulationOptions) -> Result<Simulation> {
    let tissue = Tissue::new(options)?;
    let (n, n_genes) = (options.n_cells, options.n_genes);
    exec.control().begin(n);
    let pieces = exec.map_chunks(n, CELLS, |range| {
        let piece = sequence(&tissue, range.clone());
        exec.control().tick(range.len());
        piece
    })?;
    let mut cells = crate::error::try_with_capacity(n, "simulated cells")?;
    let (mut spliced, mut unspliced) = (Vec::new(), Vec::new());
    for piece in pieces {
        cells.extend(piece.0);
        spliced.push(piece.1);
        unspliced.push(piece.2);
    }
    let counts = counts::assemble(n_genes, spliced)?;
    let unspliced = counts::assemble(n_genes, unspliced)?;
    let size_factors = counts::size_factors(exec, &counts)?;
    let log_counts = counts::log_normalize(exec, &counts, &size_factors)?;
    let (mut expression, mut velocity) = (None, None);
    if options.dense {
        let (s, v) = smooth(exec, &tissue, &cells)?;
        expression = Some(s);
        velocity = Some(v);
    }
    Ok(Simulation {
        tree: tissue.tree,
        genes: tissue.genes,
        samples: tissue.samples,
        cells,
        counts,
        unspliced,
        log_counts,
        size_factors,
        expression,
        velocity,
    })
}

/// States and counts of a range of cells.
fn sequence(tissue: &Tissue, range: std::ops::Range<usize>) -> (Vec<Cell>, Rows, Rows) {
    let mut cells = Vec::with_capacity(range.len());
    let (mut spliced, mut unspliced) = (Rows::default(), Rows::default());
    for i in range {
        let cell = tissue.cell(i);
        let mut draws = Stream::new(tissue.options.seed, purpose::COUNT, i as u64, 0);
        let capture = tissue.capture.row(cell.sample);
        tissue.express(&cell, |g, m, _| {
            let captured = cell.depth * capture[g];
            spliced.push(g, counts::draw(captured * m.spliced, &mut draws));
            unspliced.push(g, counts::draw(captured * m.unspliced, &mut draws));
        });
        spliced.finish();
        unspliced.finish();
        cells.push(cell);
    }
    (cells, spliced, unspliced)
}

/// Expression and velocity of all cells, cells x genes. O(cells x genes).
fn smooth(exec: &Exec, tissue: &Tissue, cells: &[Cell]) -> Result<(Array2<f64>, Array2<f64>)> {
    let n_genes = tissue.genes.len();
    let what = "simulated expression and velocity";
    let mut s = try_filled(cells.len() * n_genes, 0.0, what)?;
    let mut v = try_filled(cells.len() * n_genes, 0.0, what)?;
    let pieces = s.chunks_mut(CELLS * n_genes);
    let tasks: Vec<_> = pieces
        .zip(v.chunks_mut(CELLS * n_genes))
        .enumerate()
        .collect();
    exec.for_each(tasks, |(c, (s, v))| {
        let rows = s.chunks_exact_mut(n_genes).zip(v.chunks_exact_mut(n_genes));
        for (r, (s, v)) in rows.enumerate() {
            let i = c * CELLS + r;
            tissue.observe(i, &cells[i], |g, expression, velocity| {
                s[g] = expression;
                v[g] = velocity;
            });
        }
        Ok(())
    })?;
    Ok((
        matrix((cells.len(), n_genes), s, what)?,
        matrix((cells.len(), n_genes), v, what)?,
    ))
}

fn matrix(shape: (usize, usize), data: Vec<f64>, what: &str) -> Result<Array2<f64>> {
    let found = data.len();
    Array2::from_shape_vec(shape, data).map_err(|_| CoreError::Shape {
        what: what.into(),
        expected: shape.0 * shape.1,
        found,
    })
}

/// The velocity of every cell in the space of a linear map of log expression,
/// `sum_g loadings_gk d/dt log2(c s_g + 1)` with c the cell's depth over its size
/// factor: cells x columns of `loadings` (genes x columns). The velocities are
/// those of [`simulate`] with the same options, recomputed, so nothing of size
/// cells x genes is kept. O(cells x genes x columns).
///
/// # Errors
/// `shape` when loadings or size factors are not those of these genes and cells,
/// otherwise as [`simulate`].
pub fn project_velocity(
    exec: &Exec,
    options: &SimulationOptions,
    loadings: ArrayView2<'_, f64>,
    size_factors: &[f64],
) -> Result<Array2<f64>> {
    let tissue = Tissue::new(options)?;
    let fits = |what: &str, expected, found| {
        if expected == found {
            return Ok(());
        }
        Err(CoreError::Shape {
            what: what.into(),
            expected,
            found,
        })
    };
    fits("the loadings", options.n_genes, loadings.nrows())?;
    fits("the size factors", options.n_cells, size_factors.len())?;
    let k = loadings.ncols();
    let what = "projected velocities";
    let loadings = loadings.as_standard_layout();
    // Standard layout has just been made.
    let flat = loadings.as_slice().unwrap_or_default();
    let mut out = try_filled(options.n_cells * k, 0.0, what)?;
    exec.control().begin(options.n_cells);
    exec.chunks_mut(&mut out, CELLS * k.max(1), |start, piece| {
        for (r, to) in piece.chunks_exact_mut(k).enumerate() {
            let i = start / k + r;
            let cell = tissue.cell(i);
            let capture = tissue.capture.row(cell.sample);
            let depth = cell.depth / size_factors[i];
            tissue.observe(i, &cell, |g, s, v| {
                let scale = depth * capture[g];
                let slope = scale * v / (std::f64::consts::LN_2 * (scale * s + 1.0));
                crate::simd::axpy(slope, &flat[g * k..(g + 1) * k], to);
            });
        }
        exec.control().tick(piece.len() / k.max(1));
    })?;
    matrix((options.n_cells, k), out, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> SimulationOptions {
        SimulationOptions {
            n_cells: 700,
            n_genes: 60,
            ..SimulationOptions::default()
        }
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let run = |threads| simulate(&Exec::with_threads(threads).unwrap(), &small()).unwrap();
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(4));
        let loadings = Array2::from_shape_fn((60, 3), |(g, k)| (g * 3 + k) as f64 / 50.0 - 1.0);
        let project = |threads| {
            let exec = Exec::with_threads(threads).unwrap();
            project_velocity(&exec, &small(), loadings.view(), &one.size_factors).unwrap()
        };
        assert_eq!(project(1), project(4));
    }

    #[test]
    fn seeds_matter_and_sizes_do_not() {
        let exec = Exec::serial();
        let base = simulate(&exec, &small()).unwrap();
        let other = SimulationOptions { seed: 1, ..small() };
        assert_ne!(base.counts, simulate(&exec, &other).unwrap().counts);
        let fewer = SimulationOptions {
            n_cells: 300,
            ..small()
        };
        let fewer = simulate(&exec, &fewer).unwrap();
        assert_eq!(fewer.cells[..], base.cells[..300]);
        assert_eq!(fewer.counts, base.counts.slice_outer(0..300).to_owned());
    }

    #[test]
    fn counts_average_to_the_molecules() {
        let options = SimulationOptions {
            n_cells: 3000,
            noise: 0.0,
            ..small()
        };
        let sim = simulate(&Exec::serial(), &options).unwrap();
        let expression = sim.expression.unwrap();
        let expected: f64 = (0..3000)
            .map(|i| sim.cells[i].depth * expression.row(i).sum())
            .sum();
        let found: f64 = sim.counts.data().iter().sum();
        assert!((found / expected - 1.0).abs() < 0.03, "{found} {expected}");
        assert!(sim.counts.data().iter().all(|&c| c >= 1.0));
        assert_eq!(sim.log_counts.len(), sim.counts.nnz());
    }

    #[test]
    fn velocity_is_zero_where_nothing_changes_and_noise_is_off() {
        let options = SimulationOptions {
            noise: 0.0,
            ..small()
        };
        let sim = simulate(&Exec::serial(), &options).unwrap();
        let velocity = sim.velocity.unwrap();
        for (g, gene) in sim.genes.iter().enumerate() {
            let column = velocity.column(g);
            if gene.programme == genes::Programme::Housekeeping {
                assert!(column.iter().all(|&v| v == 0.0));
            } else {
                assert!(column.iter().any(|&v| v != 0.0));
            }
        }
    }

    #[test]
    fn projection_agrees_with_the_dense_product() {
        let exec = Exec::serial();
        let sim = simulate(&exec, &small()).unwrap();
        let loadings = Array2::from_shape_fn((60, 2), |(g, k)| ((g + k) % 7) as f64 - 3.0);
        let fast = project_velocity(&exec, &small(), loadings.view(), &sim.size_factors).unwrap();
        let (s, v) = (sim.expression.unwrap(), sim.velocity.unwrap());
        let options = small();
        let tissue = Tissue::new(&options).unwrap();
        for i in (0..700).step_by(53) {
            let cell = &sim.cells[i];
            for k in 0..2 {
                let slow: f64 = (0..60)
                    .map(|g| {
                        let c = cell.depth / sim.size_factors[i] * tissue.capture[(cell.sample, g)];
                        let slope = c * v[(i, g)] / (c * s[(i, g)] + 1.0);
                        loadings[(g, k)] * slope / std::f64::consts::LN_2
                    })
                    .sum();
                assert!((fast[(i, k)] - slow).abs() < 1e-9 * (1.0 + slow.abs()));
            }
        }
        let short = Array2::<f64>::zeros((59, 2));
        let e = project_velocity(&exec, &small(), short.view(), &sim.size_factors).unwrap_err();
        assert_eq!(e.kind(), "shape");
    }

    #[test]
    fn every_topology_runs_and_small_is_possible() {
        for name in ["linear", "bifurcation", "trifurcation", "tree"] {
            let options = SimulationOptions {
                n_cells: 3,
                n_genes: 2,
                n_samples: 1,
                topology: Topology::parse(name).unwrap(),
                dense: false,
                ..SimulationOptions::default()
            };
            let sim = simulate(&Exec::serial(), &options).unwrap();
            assert_eq!((sim.counts.rows(), sim.counts.cols()), (3, 2));
            assert!(sim.expression.is_none() && sim.velocity.is_none());
            assert!(!sim.samples[0].treated);
        }
    }

    #[test]
    fn options_without_meaning_are_refused() {
        let bad = [
            SimulationOptions {
                n_cells: 0,
                ..small()
            },
            SimulationOptions {
                n_genes: 0,
                ..small()
            },
            SimulationOptions {
                n_samples: 0,
                ..small()
            },
            SimulationOptions {
                noise: f64::NAN,
                ..small()
            },
            SimulationOptions {
                condition_effect: 9.0,
                ..small()
            },
            SimulationOptions {
                depth: 0.0,
                ..small()
            },
        ];
        for options in bad {
            let e = simulate(&Exec::serial(), &options).unwrap_err();
            assert_eq!(e.kind(), "range");
        }
    }

    #[test]
    fn a_cancelled_simulation_stops() {
        let exec = Exec::serial();
        exec.control().cancel();
        assert_eq!(simulate(&exec, &small()), Err(CoreError::Interrupted));
    }
}
