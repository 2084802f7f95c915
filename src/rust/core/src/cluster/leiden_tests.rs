//! What a clustering promises, on graphs whose answer is known.

use super::fixtures::{self, all_connected, sizes, Kind, ALL};
use super::*;
use crate::exec::Exec;
use crate::rng::Stream;
use crate::sparse::csr::{row, Csr};
use crate::testing::same_bits;

fn run(graph: &Csr, options: LeidenOptions) -> Clustering {
    leiden(&Exec::serial(), graph, &options).unwrap()
}

fn of(quality: Quality, resolution: f64) -> LeidenOptions {
    LeidenOptions {
        quality,
        resolution,
        ..LeidenOptions::default()
    }
}

/// A resolution at which each quality finds several communities.
fn typical(quality: Quality) -> f64 {
    if quality == Quality::Cpm {
        0.1
    } else {
        1.0
    }
}

#[test]
fn the_karate_club_comes_apart_as_published() {
    let graph = fixtures::karate();
    let known = [
        (Quality::Modularity, 1.0, 0.41979, 5e-6, 4),
        (Quality::RbConfiguration, 1.0, 65.487179, 5e-7, 4),
        (Quality::RbEr, 1.0, 75.572193, 5e-7, 6),
        (Quality::Cpm, 0.05, 108.8, 1e-9, 2),
        (Quality::Significance, 1.0, 53.693104, 5e-7, 19),
        (Quality::Surprise, 1.0, 42.047676, 5e-7, 8),
    ];
    for (quality, resolution, best, tolerance, count) in known {
        let c = run(
            &graph,
            LeidenOptions {
                n_starts: 30,
                ..of(quality, resolution)
            },
        );
        assert!(
            (c.quality - best).abs() < tolerance,
            "{quality:?} {}",
            c.quality
        );
        assert_eq!(c.n_clusters, count, "{quality:?}");
    }
}

#[test]
fn cliques_are_found() {
    let exec = Exec::serial();
    for bridge in [0.0, 1.0] {
        let graph = fixtures::cliques(12, 6, bridge);
        let want: Vec<u32> = (0..72).map(|i| i / 6).collect();
        for q in ALL {
            let c = run(&graph, of(q, typical(q)));
            assert_eq!(c.labels, want, "{q:?}");
            assert!(c.converged);
            let direct = quality(&exec, &graph, &want, q, typical(q), false, None).unwrap();
            assert!((c.quality - direct).abs() < 1e-9);
        }
    }
}

#[test]
fn trees_without_resolution_are_whole() {
    let mut edges = vec![];
    for t in 0..10 {
        edges.extend((1..10).map(|i| (t * 10 + (i - 1) / 3, t * 10 + i, 1.0)));
    }
    let graph = fixtures::undirected(100, &edges);
    let c = run(&graph, of(Quality::Cpm, 0.0));
    assert_eq!(sizes(&c.labels), [10; 10]);
}

#[test]
fn results_hold_together_at_every_stage() {
    let exec = Exec::serial();
    for (k, kind) in fixtures::kinds().into_iter().enumerate() {
        let graph = fixtures::random(120, 0.04, kind, k as u64);
        for q in ALL {
            let mut longest: Vec<f64> = vec![];
            for n_iterations in [1, 2, 3, 5, -1] {
                let options = LeidenOptions {
                    n_iterations,
                    directed: kind.directed,
                    seed: 3,
                    ..of(q, typical(q))
                };
                let c = run(&graph, options);
                assert!(all_connected(&graph, &c.labels), "{q:?} {kind:?}");
                assert!(c.history.windows(2).all(|w| w[1] >= w[0]));
                assert_eq!(c.history.len(), c.iterations);
                let shared = longest.len().min(c.history.len());
                assert_eq!(c.history[..shared], longest[..shared], "a prefix");
                longest = c.history.clone();
                let direct = quality(&exec, &graph, &c.labels, q, typical(q), kind.directed, None);
                let direct = direct.unwrap();
                assert!((c.quality - direct).abs() < 1e-9 * direct.abs().max(1.0));
                let found = sizes(&c.labels);
                let in_order: Vec<usize> = (0..c.n_clusters as u32)
                    .map(|l| c.labels.iter().filter(|&&x| x == l).count())
                    .collect();
                assert_eq!(found, in_order, "labels by decreasing size");
            }
        }
    }
}

#[test]
fn nobody_gains_by_moving_once_it_is_stable() {
    let exec = Exec::serial();
    for (k, kind) in fixtures::kinds().into_iter().enumerate() {
        let graph = fixtures::random(60, 0.1, kind, 90 + k as u64);
        for q in ALL {
            let c = run(
                &graph,
                LeidenOptions {
                    directed: kind.directed,
                    ..of(q, typical(q))
                },
            );
            assert!(c.converged);
            let judge = |labels: &[u32]| {
                quality(&exec, &graph, labels, q, typical(q), kind.directed, None).unwrap()
            };
            let best = judge(&c.labels);
            for v in 0..60 {
                for &t in row(&graph, v).0 {
                    let mut moved = c.labels.clone();
                    moved[v] = c.labels[t as usize];
                    assert!(judge(&moved) <= best + 1e-9, "{q:?} {kind:?}");
                    moved[v] = c.n_clusters as u32;
                    assert!(judge(&moved) <= best + 1e-9, "{q:?} {kind:?} alone");
                }
            }
        }
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let graph = fixtures::planted(6000, 5);
    for q in ALL {
        same_bits(|threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let options = LeidenOptions {
                n_iterations: if q == Quality::Surprise { 1 } else { 3 },
                n_starts: 2,
                ..of(q, typical(q))
            };
            let c = leiden(&exec, &graph, &options).unwrap();
            (
                c.labels,
                c.quality.to_bits(),
                c.modularity.to_bits(),
                c.history,
            )
        });
    }
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        louvain(&exec, &graph, &LeidenOptions::default()).unwrap()
    });
}

#[test]
fn planted_groups_are_found_whatever_the_order_and_the_unit() {
    let n = 2000;
    let graph = fixtures::planted(n, 8);
    let truth: Vec<u32> = (0..n).map(|i| i / 50).collect();
    let exec = Exec::serial();
    let planted = modularity(&exec, &graph, &truth, false, 1.0).unwrap();
    let c = run(&graph, LeidenOptions::default());
    assert!(c.modularity >= planted - 1e-9);
    // Weights in another unit, a power of two and not.
    for factor in [0.25, 3.0, 1e-30, 1e30] {
        let other = graph.map(|v| v * factor);
        let d = run(&other, LeidenOptions::default());
        assert!((c.modularity - d.modularity).abs() < 1e-3);
        if factor == 0.25 {
            assert_eq!(c.labels, d.labels);
        }
    }
    // Cells in another order.
    let order = Stream::new(1, 0, 0, 0).permutation(n as usize);
    let mut edges = vec![];
    for i in 0..n as usize {
        let (cols, values) = row(&graph, i);
        let mapped = cols.iter().zip(values);
        edges.extend(mapped.map(|(&j, &v)| (order[i] as u32, order[j as usize] as u32, v)));
    }
    let d = run(
        &fixtures::directed(n as usize, &edges),
        LeidenOptions::default(),
    );
    assert!((c.modularity - d.modularity).abs() < 2e-3);
}

#[test]
fn a_symmetric_graph_may_be_called_directed() {
    for loops in [false, true] {
        let kind = Kind {
            directed: false,
            weighted: true,
            loops,
        };
        let graph = fixtures::random(150, 0.05, kind, 2);
        let one = run(&graph, LeidenOptions::default());
        let two = run(
            &graph,
            LeidenOptions {
                directed: true,
                ..LeidenOptions::default()
            },
        );
        if !loops {
            assert_eq!(one.labels, two.labels);
            assert!((one.modularity - two.modularity).abs() < 1e-12);
        }
        // Each edge is two arcs.
        let m = two.quality / two.modularity;
        let arcs: f64 = graph.data().iter().sum();
        assert!((m - arcs).abs() < 1e-9 * arcs);
    }
}

#[test]
fn a_negative_bipartite_graph_has_two_sides() {
    let edges: Vec<_> = (0..50)
        .flat_map(|i| (50..100).map(move |j| (i, j, -0.1)))
        .collect();
    let graph = fixtures::undirected(100, &edges);
    let options = LeidenOptions {
        consider_all: true,
        ..of(Quality::Cpm, -0.1)
    };
    let c = run(&graph, options);
    assert_eq!(sizes(&c.labels), [50, 50]);
    assert_eq!(c.labels, (0..100).map(|i| i / 50).collect::<Vec<u32>>());
    for q in ALL.into_iter().filter(|&q| q != Quality::Cpm) {
        let e = leiden(&Exec::serial(), &graph, &of(q, 1.0)).unwrap_err();
        assert_eq!(
            (e.kind(), e.to_string()),
            ("range", "5000 edge weights are negative".to_string())
        );
    }
}

#[test]
fn zero_iterations_judge_the_initial_labels() {
    let graph = fixtures::karate();
    let initial = fixtures::labels(34, 4, 9);
    let options = LeidenOptions {
        n_iterations: 0,
        initial: Some(initial.clone()),
        ..LeidenOptions::default()
    };
    let c = run(&graph, options.clone());
    assert_eq!((c.iterations, c.n_clusters), (0, 4));
    let direct = quality(
        &Exec::serial(),
        &graph,
        &initial,
        options.quality,
        1.0,
        false,
        None,
    );
    assert!((c.quality - direct.unwrap()).abs() < 1e-12);
}

#[test]
fn seeds_repeat_and_differ() {
    let kind = Kind {
        directed: false,
        weighted: false,
        loops: false,
    };
    let graph = fixtures::random(300, 0.02, kind, 1);
    let with = |seed| {
        let options = LeidenOptions {
            seed,
            ..LeidenOptions::default()
        };
        run(&graph, options)
    };
    assert_eq!(with(1), with(1));
    assert!((2..10).any(|s| with(s).labels != with(1).labels));
    let best = run(
        &graph,
        LeidenOptions {
            n_starts: 8,
            seed: 1,
            ..LeidenOptions::default()
        },
    );
    assert!(best.quality >= with(1).quality);
}

#[test]
fn louvain_finds_cliques_and_nearly_the_best_of_the_karate_club() {
    let exec = Exec::serial();
    let graph = fixtures::cliques(12, 6, 1.0);
    let want: Vec<u32> = (0..72).map(|i| i / 6).collect();
    for q in ALL {
        let options = LeidenOptions {
            quality: q,
            resolution: typical(q),
            ..LeidenOptions::default()
        };
        assert_eq!(
            louvain(&exec, &graph, &options).unwrap().labels,
            want,
            "{q:?}"
        );
    }
    let options = LeidenOptions {
        n_starts: 30,
        ..LeidenOptions::default()
    };
    let c = louvain(&exec, &fixtures::karate(), &options).unwrap();
    assert!((c.modularity - 0.41979).abs() < 5e-6, "{}", c.modularity);
}

#[test]
fn a_stopped_job_ends() {
    let exec = Exec::with_threads(2).unwrap();
    exec.control().cancel();
    let e = leiden(
        &exec,
        &fixtures::planted(2000, 1),
        &LeidenOptions::default(),
    )
    .unwrap_err();
    assert_eq!(e.kind(), "interrupted");
}
