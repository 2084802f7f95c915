//! `scaling SIZE[,SIZE..] THREADS[,THREADS..] [REPEATS]`: medians of the steps of the
//! main job on a synthetic branching tree, one line per size and number of threads.
//!
//! Results are compared across thread counts while at it: the same bits, or a panic.

use fatecast_core::chain::absorption::{fate_probabilities, FateOptions};
use fatecast_core::chain::gpcca::{schur_basis, SchurMethod};
use fatecast_core::chain::macrostates::macrostates;
use fatecast_core::chain::rotation::Optimizer;
use fatecast_core::exec::Exec;
use fatecast_core::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use fatecast_core::graph::knn::{exact, Metric};
use fatecast_core::kernel::combine::weighted;
use fatecast_core::kernel::connectivity::connectivity_transition;
use fatecast_core::kernel::velocity::{velocity_transition, VelocityInput, VelocityOptions};
use fatecast_core::linalg::reorder::Which;
use fatecast_core::rng::Stream;
use ndarray::Array2;
use std::time::Instant;

const DIMENSIONS: usize = 30;
const NEIGHBORS: usize = 30;
const TIPS: usize = 4;

/// Cells along a trunk that splits into tips, with the direction of each.
fn tree(n: usize) -> (Array2<f64>, Array2<f64>) {
    let axis = |branch: usize| -> Vec<f64> {
        let mut s = Stream::new(1, 1, branch as u64, 0);
        let v: Vec<f64> = (0..DIMENSIONS).map(|_| s.normal()).collect();
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.into_iter().map(|x| x / norm).collect()
    };
    let axes: Vec<Vec<f64>> = (0..=TIPS).map(axis).collect();
    let (mut x, mut v) = (
        Array2::zeros((n, DIMENSIONS)),
        Array2::zeros((n, DIMENSIONS)),
    );
    for i in 0..n {
        let mut s = Stream::new(1, 2, i as u64, 0);
        let branch = s.below(TIPS + 1);
        let at = 10.0 * s.uniform();
        for j in 0..DIMENSIONS {
            let trunk = if branch == 0 { at } else { 10.0 };
            let tip = if branch == 0 { 0.0 } else { at };
            let noise = 0.7 * s.normal();
            x[(i, j)] = trunk * axes[0][j] + tip * axes[branch][j] + noise;
            v[(i, j)] = axes[branch][j] + 0.1 * s.normal();
        }
    }
    (x, v)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Median seconds of `repeats` runs, and the last result.
fn timed<T>(repeats: usize, mut f: impl FnMut() -> T) -> (f64, T) {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..repeats {
        let start = Instant::now();
        last = Some(f());
        times.push(start.elapsed().as_secs_f64());
    }
    (median(times), last.expect("at least one repeat"))
}

fn numbers(arg: Option<String>, default: &[usize]) -> Vec<usize> {
    arg.map_or_else(
        || default.to_vec(),
        |a| a.split(',').filter_map(|s| s.parse().ok()).collect(),
    )
}

fn main() {
    let mut args = std::env::args().skip(1);
    let sizes = numbers(args.next(), &[2_000, 10_000, 50_000]);
    let threads = numbers(args.next(), &[1, 2]);
    let repeats = numbers(args.next(), &[3])[0].max(1);
    println!("cells threads neighbors fuzzy velocity connectivity combine schur macrostates fates");
    for n in sizes {
        let (x, v) = tree(n);
        let mut first: Option<Vec<u64>> = None;
        for &t in &threads {
            let exec = Exec::with_threads(t).expect("a pool");
            let (knn_s, knn) = timed(repeats, || {
                exact(&exec, x.view(), NEIGHBORS, Metric::Euclidean).expect("neighbours")
            });
            let (fuzzy_s, graph) = timed(repeats, || {
                fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).expect("graph")
            });
            let options = VelocityOptions::default();
            let input = VelocityInput {
                graph: &graph,
                x: x.view(),
                v: v.view(),
                features: None,
            };
            let (velocity_s, velocity) = timed(repeats, || {
                velocity_transition(&exec, &input, &options).expect("velocity")
            });
            let (conn_s, conn) = timed(repeats, || {
                connectivity_transition(&exec, &graph, true).expect("connectivity")
            });
            let (combine_s, chain) = timed(repeats, || {
                weighted(&exec, &[(0.8, &velocity.matrix), (0.2, &conn)]).expect("chain")
            });
            let (schur_s, schur) = timed(repeats, || {
                let which = Which::LargestReal;
                schur_basis(&exec, &chain, 20, which, SchurMethod::Krylov).expect("Schur form")
            });
            let m = TIPS + 1;
            let (macro_s, states) = timed(repeats, || {
                let vectors = schur.vectors.slice(ndarray::s![.., ..m]);
                macrostates(&exec, &chain, vectors, Optimizer::Auto, Some(30)).expect("states")
            });
            let labels = states.assignment.labels;
            let (fates_s, fates) = timed(repeats, || {
                fate_probabilities(&exec, &chain, &labels, m, &FateOptions::default())
                    .expect("fates")
            });
            println!(
                "{n} {t} {knn_s:.3} {fuzzy_s:.3} {velocity_s:.3} {conn_s:.3} {combine_s:.3} \
                 {schur_s:.3} {macro_s:.3} {fates_s:.3}"
            );
            let bits: Vec<u64> = fates.probabilities.iter().map(|p| p.to_bits()).collect();
            match &first {
                None => first = Some(bits),
                Some(one) => assert!(*one == bits, "other bits on {t} threads"),
            }
        }
    }
}
