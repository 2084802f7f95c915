//! Clusters of a graph.

use crate::boundary::{guard, malformed};
use crate::convert::{flags, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::cluster::{
    leiden, louvain, modularity, resolution_profile, Clustering, LeidenOptions, ProfileOptions,
    Quality,
};
use fatecast_core::Result;

fn quality(name: &str) -> Result<Quality> {
    Ok(match name {
        "Modularity" => Quality::Modularity,
        "RBConfiguration" => Quality::RbConfiguration,
        "RBER" => Quality::RbEr,
        "CPM" => Quality::Cpm,
        "Significance" => Quality::Significance,
        "Surprise" => Quality::Surprise,
        _ => return Err(malformed("quality")),
    })
}

/// Whole, non-negative numbers of R, or NULL.
fn counts(values: &Robj) -> Option<Vec<u32>> {
    values
        .as_integer_slice()
        .map(|v| v.iter().map(|&v| v.max(0) as u32).collect())
}

/// Settings of a clustering; what an algorithm has no use for may be missing.
fn leiden_options(
    options: &List,
    initial: &Robj,
    node_sizes: &Robj,
    fixed: &Robj,
) -> Result<LeidenOptions> {
    let o = Options::new(options);
    let usual = LeidenOptions::default();
    let iterations = o.maybe("n_iterations")?.map(|n| n as i64);
    let least = o.maybe("min_comm_size")?.map(|n| n as u64);
    let starts = o.maybe("n_starts")?.map(|n| n as usize);
    Ok(LeidenOptions {
        quality: quality(o.text("quality")?)?,
        resolution: o.number("resolution")?,
        directed: o.flag("directed")?,
        n_iterations: iterations.unwrap_or(usual.n_iterations),
        seed: o.seed()?,
        n_starts: starts.unwrap_or(usual.n_starts),
        theta: o.maybe("theta")?.unwrap_or(usual.theta),
        initial: counts(initial),
        node_sizes: counts(node_sizes),
        fixed: flags(fixed),
        max_comm_size: o.number("max_comm_size")? as u64,
        min_comm_size: least.unwrap_or(usual.min_comm_size),
        ..usual
    })
}

fn codes(labels: &[u32]) -> Vec<i32> {
    labels.iter().map(|&c| c as i32).collect()
}

fn clustering_list(out: Clustering) -> Robj {
    list!(
        labels = codes(&out.labels),
        quality = out.quality,
        modularity = out.modularity,
        n_clusters = out.n_clusters as f64,
        iterations = out.iterations as f64,
        converged = out.converged,
        history = out.history
    )
    .into()
}

/// Leiden clusters of a cells x cells graph; codes count from zero.
#[extendr]
fn rs_cluster_leiden(
    graph: List,
    options: List,
    initial: Robj,
    node_sizes: Robj,
    fixed: Robj,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = leiden_options(&options, &initial, &node_sizes, &fixed)?;
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            leiden(exec, &slots.by_rows(exec)?, &options)
        })?;
        Ok(clustering_list(out))
    })
}

/// Louvain clusters of a cells x cells graph; codes count from zero.
#[extendr]
fn rs_cluster_louvain(
    graph: List,
    options: List,
    initial: Robj,
    node_sizes: Robj,
    fixed: Robj,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = leiden_options(&options, &initial, &node_sizes, &fixed)?;
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            louvain(exec, &slots.by_rows(exec)?, &options)
        })?;
        Ok(clustering_list(out))
    })
}

/// Modularity of labels (codes from zero).
#[extendr]
fn rs_cluster_modularity(
    graph: List,
    labels: &[i32],
    resolution: f64,
    directed: bool,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let labels: Vec<u32> = labels.iter().map(|&c| c.max(0) as u32).collect();
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let value = job::run(n_threads, &progress, move |exec| {
            modularity(exec, &slots.by_rows(exec)?, &labels, directed, resolution)
        })?;
        Ok(value.into())
    })
}

/// Clusterings over a range of resolutions.
#[extendr]
fn rs_cluster_profile(
    graph: List,
    options: List,
    node_sizes: Robj,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let o = Options::new(&options);
        let &[low, high] = o.numbers("range")? else {
            return Err(malformed("range"));
        };
        let options = ProfileOptions {
            quality: quality(o.text("quality")?)?,
            range: (low, high),
            directed: o.flag("directed")?,
            seed: o.seed()?,
            min_diff_bisect_value: o.number("min_diff_bisect_value")?,
            min_diff_resolution: o.number("min_diff_resolution")?,
            linear_bisection: o.flag("linear_bisection")?,
            number_iterations: o.number("number_iterations")? as i64,
            node_sizes: counts(&node_sizes),
        };
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            resolution_profile(exec, &slots.by_rows(exec)?, &options)
        })?;
        let column = |f: &dyn Fn(usize) -> f64| (0..out.len()).map(f).collect::<Vec<f64>>();
        let labels = List::from_values(out.iter().map(|p| codes(&p.labels)));
        Ok(list!(
            resolution = column(&|i| out[i].resolution),
            quality = column(&|i| out[i].quality),
            internal_weight = column(&|i| out[i].internal_weight),
            n_clusters = column(&|i| out[i].n_clusters as f64),
            labels = labels
        )
        .into())
    })
}

extendr_module! {
    mod cluster;
    fn rs_cluster_leiden;
    fn rs_cluster_louvain;
    fn rs_cluster_modularity;
    fn rs_cluster_profile;
}
