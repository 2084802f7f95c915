//! Simulated data.

use crate::boundary::{guard, malformed};
use crate::convert::{by_columns, dense, sparse_list};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::simulate::counts::into_slots;
use fatecast_core::simulate::genes::{Gene, Programme};
use fatecast_core::simulate::{project_velocity, simulate};
use fatecast_core::simulate::{Simulation, SimulationOptions, Topology};
use fatecast_core::sparse::Csr;
use fatecast_core::Result;
use ndarray::Array2;

/// `settings`: cells, genes, samples, condition effect, noise, depth, seed, and 1
/// for dense expression and velocity.
fn options(settings: &[f64], topology: &str) -> Result<SimulationOptions> {
    let [n_cells, n_genes, n_samples, effect, noise, depth, seed, dense] = *settings else {
        return Err(malformed("settings"));
    };
    Ok(SimulationOptions {
        n_cells: n_cells as usize,
        n_genes: n_genes as usize,
        topology: Topology::parse(topology).ok_or_else(|| malformed("topology"))?,
        n_samples: n_samples as usize,
        condition_effect: effect,
        noise,
        depth,
        dense: dense > 0.0,
        seed: seed as u64,
    })
}

/// A data set: sparse counts (genes x cells), what is known of each cell and gene,
/// and the names of codes. Dense matrices are genes x cells by columns, or NULL.
#[extendr]
fn rs_simulate(settings: &[f64], topology: &str, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let options = options(settings, topology)?;
        let sim = job::run(n_threads, &progress, move |exec| simulate(exec, &options))?;
        let (cells, genes) = (cell_list(&sim), gene_list(&sim));
        let fates = sim.tree.fate_names();
        Ok(list!(
            fates = fates,
            cells = cells,
            genes = genes,
            size_factors = sim.size_factors,
            log_counts = sim.log_counts,
            counts = slots(sim.counts)?,
            unspliced = slots(sim.unspliced)?,
            expression = by_cells(sim.expression),
            velocity = by_cells(sim.velocity)
        )
        .into())
    })
}

/// The velocities of [`rs_simulate`] with the same settings on linear maps of log
/// expression, cells x columns of `loadings` (genes x columns), by columns.
#[extendr]
fn rs_simulate_velocity(
    settings: &[f64],
    topology: &str,
    loadings: &[f64],
    size_factors: &[f64],
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = options(settings, topology)?;
        let columns = loadings.len() / options.n_genes.max(1);
        let loadings = dense(loadings, options.n_genes as i32, columns as i32)?;
        let out = job::run(n_threads, &progress, move |exec| {
            project_velocity(exec, &options, loadings, size_factors)
        })?;
        Ok(by_columns(&out).into())
    })
}

fn slots(m: Csr) -> Result<Robj> {
    let shape = (m.cols(), m.rows());
    Ok(sparse_list(into_slots(m)?, shape))
}

/// Cells x genes by rows is genes x cells by columns.
fn by_cells(m: Option<Array2<f64>>) -> Robj {
    m.map_or_else(|| r!(NULL), |m| m.into_raw_vec_and_offset().0.into())
}

/// Labels, days and samples as 1-based codes; fates cells x fates by columns.
fn cell_list(sim: &Simulation) -> Robj {
    let (cells, leaves) = (&sim.cells, sim.tree.leaves());
    let code = |v: usize| v as i32 + 1;
    let fate_of = |&leaf: &usize| cells.iter().map(move |c| c.weights[leaf]);
    let label: Vec<i32> = cells.iter().map(|c| code(c.label(&sim.tree))).collect();
    let day: Vec<i32> = cells.iter().map(|c| c.day as i32).collect();
    let sample: Vec<i32> = cells.iter().map(|c| code(c.sample)).collect();
    let treated = |s: usize| code(usize::from(sim.samples[s].treated));
    let condition: Vec<i32> = cells.iter().map(|c| treated(c.sample)).collect();
    let progress: Vec<f64> = cells.iter().map(|c| c.progress).collect();
    let fates: Vec<f64> = leaves.iter().flat_map(fate_of).collect();
    let x = cells.iter().map(|c| c.place.0);
    let layout: Vec<f64> = x.chain(cells.iter().map(|c| c.place.1)).collect();
    list!(
        label = label,
        day = day,
        sample = sample,
        condition = condition,
        progress = progress,
        fates = fates,
        layout = layout
    )
    .into()
}

fn gene_list(sim: &Simulation) -> Robj {
    let number = |f: fn(&Gene) -> f64| sim.genes.iter().map(f).collect::<Vec<f64>>();
    let names = sim.tree.fate_names();
    let lineages = |branch: usize| -> String {
        let below = sim.tree.fates_below(branch);
        let of: Vec<&str> = below.into_iter().map(|f| names[f]).collect();
        of.join(", ")
    };
    let programme: Vec<&str> = sim.genes.iter().map(|g| g.programme.name()).collect();
    let lineage: Vec<String> = sim.genes.iter().map(|g| lineages(g.branch)).collect();
    let programmes: Vec<&str> = Programme::ALL.iter().map(|p| p.name()).collect();
    list!(
        programmes = programmes,
        programme = programme,
        lineage = lineage,
        beta = number(|g| g.rates.beta),
        gamma = number(|g| g.rates.gamma),
        basal = number(|g| g.basal),
        step = number(|g| g.step),
        on = number(|g| g.on),
        off = number(|g| g.off),
        treated = number(|g| g.treated)
    )
    .into()
}

extendr_module! {
    mod simulate;
    fn rs_simulate;
    fn rs_simulate_velocity;
}
