//! Tests of the layout as a whole.

use super::*;
use crate::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use crate::graph::knn::{exact, Metric};
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use crate::testing::same_bits;
use ndarray::Axis;

/// `groups` round clouds of cells, far apart.
pub fn clouds(n: usize, groups: usize, features: usize) -> Array2<f64> {
    let mut s = Stream::new(17, 0, 0, 0);
    Array2::from_shape_fn((n, features), |(i, c)| {
        let centre = if c == i % groups { 30.0 } else { 0.0 };
        centre + s.normal()
    })
}

pub fn graph_of(x: &Array2<f64>, k: usize) -> Csr {
    let exec = Exec::with_threads(2).unwrap();
    let knn = exact(&exec, x.view(), k, Metric::Euclidean).unwrap();
    fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap()
}

/// A ring of `n` cells, each joined to `reach` on either side by falling weights.
pub fn ring(n: usize, reach: usize) -> Csr {
    let row = |i: usize| {
        (1..=reach)
            .flat_map(|d| [(i + d) % n, (i + n - d) % n].map(|j| (j as u32, 1.0 / d as f64)))
            .collect()
    };
    from_rows(n, (0..n).map(row).collect()).unwrap()
}

pub fn random_start(n: usize, columns: usize) -> Array2<f64> {
    let mut s = Stream::new(5, 1, 0, 0);
    Array2::from_shape_fn((n, columns), |_| s.normal())
}

pub fn options(init: Init, epochs: usize) -> UmapOptions {
    UmapOptions {
        init,
        n_epochs: Some(epochs),
        ..UmapOptions::default()
    }
}

pub fn run(graph: &Csr, o: &UmapOptions) -> Umap {
    umap(&Exec::with_threads(2).unwrap(), graph, None, None, o).unwrap()
}

/// Share of the k nearest rows of `x` that are among the k nearest of `y`.
fn recall(x: &Array2<f64>, y: &Array2<f64>, k: usize) -> f64 {
    let exec = Exec::serial();
    let near = |v: &Array2<f64>| exact(&exec, v.view(), k + 1, Metric::Euclidean).unwrap();
    let (a, b) = (near(x), near(y));
    let hits = |i| a.row(i).0.iter().filter(|j| b.row(i).0.contains(j)).count();
    (0..x.nrows()).map(hits).sum::<usize>() as f64 / (k * x.nrows()) as f64
}

#[test]
fn every_epoch_has_the_same_bits_on_any_number_of_threads() {
    // More than one task per block.
    let graph = ring(9_000, 6);
    let start = random_start(9_000, 2);
    for epochs in [1, 2, 3, 12] {
        same_bits(|threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let o = options(Init::Given(start.clone()), epochs);
            umap(&exec, &graph, None, None, &o).unwrap().embedding
        });
    }
}

#[test]
fn densities_and_other_dimensions_have_the_same_bits() {
    let x = clouds(700, 2, 4);
    let graph = graph_of(&x, 10);
    for n_components in [1, 3, 5] {
        same_bits(|threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let o = UmapOptions {
                n_components,
                density: Some(DensityOptions::default()),
                n_epochs: Some(20),
                ..UmapOptions::default()
            };
            umap(&exec, &graph, Some(x.view()), Some(&graph), &o).unwrap()
        });
    }
}

#[test]
fn runs_repeat_and_seeds_differ() {
    let graph = ring(300, 4);
    let start = Init::Given(random_start(300, 2));
    let with = |seed| {
        let o = UmapOptions {
            seed,
            ..options(start.clone(), 20)
        };
        run(&graph, &o).embedding
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn the_graph_is_left_as_it_was() {
    let graph = graph_of(&clouds(200, 2, 3), 8);
    let before = graph.clone();
    let found = run(&graph, &options(Init::Spectral, 30));
    assert!(found.dropped > 0, "the run must have had something to drop");
    assert_eq!(graph, before);
}

#[test]
fn neighbours_stay_neighbours() {
    let x = clouds(600, 3, 5);
    let graph = graph_of(&x, 15);
    let with = |mode| {
        let o = UmapOptions {
            mode,
            ..options(Init::Spectral, 200)
        };
        let exec = Exec::with_threads(2).unwrap();
        umap(&exec, &graph, Some(x.view()), None, &o)
            .unwrap()
            .embedding
    };
    let (parallel, sequential) = (with(Mode::Parallel), with(Mode::Sequential));
    let (p, q) = (recall(&x, &parallel, 15), recall(&x, &sequential, 15));
    let chance = 15.0 / 200.0;
    assert!(q > 3.0 * chance && p > q - 0.02, "{p} {q}");
    // Cells of different clouds, which the graph does not join, are apart.
    for y in [parallel, sequential] {
        let near = exact(&Exec::serial(), y.view(), 2, Metric::Euclidean).unwrap();
        assert!((0..600).all(|i| near.indices[i] as usize % 3 == i % 3));
    }
}

#[test]
fn a_ring_becomes_a_ring() {
    let n = 400;
    let y = run(&ring(n, 5), &options(Init::Spectral, 200)).embedding;
    let centre = y.mean_axis(Axis(0)).unwrap();
    let radius: Vec<f64> = y
        .rows()
        .into_iter()
        .map(|r| (&r - &centre).mapv(|v| v * v).sum().sqrt())
        .collect();
    let (low, high) = (
        radius.iter().fold(f64::MAX, |m, &v| m.min(v)),
        radius.iter().fold(0.0f64, |m, &v| m.max(v)),
    );
    // A hole in the middle.
    assert!(low > 0.1 * high, "{low} {high}");
}

#[test]
fn any_number_of_coordinates_is_finite() {
    let x = clouds(120, 2, 12);
    let graph = graph_of(&x, 10);
    for n_components in (1..=10).chain([17, 40, 64]) {
        for init in [Init::Spectral, Init::Random] {
            let o = UmapOptions {
                n_components,
                ..options(init, 15)
            };
            let exec = Exec::serial();
            let y = umap(&exec, &graph, Some(x.view()), None, &o)
                .unwrap()
                .embedding;
            assert_eq!(y.dim(), (120, n_components));
            assert!(y.iter().all(|v| v.is_finite()));
            assert!(y
                .columns()
                .into_iter()
                .all(|c| c.iter().any(|&v| v != c[0])));
        }
    }
    for n_components in [0, 65] {
        let o = UmapOptions {
            n_components,
            ..UmapOptions::default()
        };
        let e = umap(&Exec::serial(), &graph, None, None, &o).unwrap_err();
        assert_eq!(e.kind(), "range");
    }
}

#[test]
fn tiny_graphs_work() {
    let three = from_rows(
        3,
        vec![vec![(1, 1.0)], vec![(0, 1.0), (2, 0.5)], vec![(1, 0.5)]],
    );
    let pair = from_rows(2, vec![vec![(1, 0.3)], vec![(0, 0.3)]]).unwrap();
    let one: Csr = from_rows(1, vec![vec![]]).unwrap();
    let none: Csr = from_rows(0, vec![]).unwrap();
    for mode in [Mode::Parallel, Mode::Sequential] {
        for init in [Init::Spectral, Init::Random] {
            for (graph, n) in [
                (three.as_ref().unwrap(), 3),
                (&pair, 2),
                (&one, 1),
                (&none, 0),
            ] {
                let o = UmapOptions {
                    mode,
                    ..options(init.clone(), 50)
                };
                let y = run(graph, &o).embedding;
                assert_eq!(y.dim(), (n, 2));
                assert!(y.iter().all(|v| v.is_finite()), "{n} {mode:?} {init:?}");
            }
        }
    }
}

#[test]
fn no_epochs_give_the_start() {
    let start = random_start(50, 2);
    let found = run(&ring(50, 3), &options(Init::Given(start.clone()), 0));
    for (column, given) in found.embedding.columns().into_iter().zip(start.columns()) {
        let low = given.iter().fold(f64::MAX, |m, &v| m.min(v));
        let high = given.iter().fold(f64::MIN, |m, &v| m.max(v));
        for (y, x) in column.iter().zip(given) {
            assert!((y - 10.0 * (x - low) / (high - low)).abs() < 1e-5);
        }
    }
    assert_eq!(found.start, Start::Given { noise: 0.0 });
}

#[test]
fn isolated_cells_stay_and_the_others_move() {
    let mut rows: Vec<Vec<(u32, f64)>> = (0..40u32)
        .map(|i| vec![((i + 1) % 40, 1.0), ((i + 39) % 40, 1.0)])
        .collect();
    rows.push(vec![]);
    let graph = from_rows(41, rows).unwrap();
    let start = random_start(41, 2);
    let still = run(&graph, &options(Init::Given(start.clone()), 0)).embedding;
    let moved = run(&graph, &options(Init::Given(start), 40)).embedding;
    assert_eq!(still.row(40), moved.row(40));
    assert!((0..40).all(|i| still.row(i) != moved.row(i)));
}

#[test]
fn duplicates_are_told_apart() {
    let graph = ring(60, 4);
    let same = Array2::from_elem((60, 2), 3.5);
    let pairs = Array2::from_shape_fn((60, 2), |(i, c)| ((i / 2) * (c + 1)) as f64);
    for start in [same, pairs] {
        let found = run(&graph, &options(Init::Given(start), 50));
        let y = &found.embedding;
        assert!(matches!(found.start, Start::Given { noise } if noise > 0.0));
        assert!(y.iter().all(|v| v.is_finite()));
        assert!((1..60).all(|i| y.row(i) != y.row(i - 1)));
    }
    // The graph of duplicates: all weights one.
    let x = Array2::from_shape_fn((60, 3), |(i, _)| (i % 3) as f64);
    let y = run(&graph_of(&x, 10), &options(Init::Spectral, 50)).embedding;
    assert!(y.iter().all(|v| v.is_finite()));
}

#[test]
fn unusual_settings_are_finite() {
    let graph = ring(80, 4);
    let base = options(Init::Random, 60);
    let cases = [
        (Some((1.0, 1.0)), 1.0, 5.0, 1.0),
        (Some((50.0, 0.2)), 1.0, 5.0, 1.0),
        (Some((0.01, 3.0)), 1.0, 5.0, 1.0),
        (None, 0.0, 5.0, 1.0),
        (None, 1.0, 0.0, 1.0),
        (None, 1.0, 0.3, 1.0),
        (None, 100.0, 40.0, 1.0),
        (None, 1.0, 5.0, 50.0),
    ];
    for mode in [Mode::Parallel, Mode::Sequential] {
        for (curve, gamma, rate, alpha) in cases {
            let o = UmapOptions {
                a: curve.map(|c| c.0),
                b: curve.map(|c| c.1),
                gamma,
                alpha,
                negative_sample_rate: rate,
                mode,
                ..base.clone()
            };
            let y = run(&graph, &o).embedding;
            assert!(y.iter().all(|v| v.is_finite()), "{mode:?} {o:?}");
        }
    }
}

#[test]
fn bad_arguments_are_refused() {
    let graph = ring(20, 2);
    let kind = |o: UmapOptions| {
        let e = umap(&Exec::serial(), &graph, None, None, &o).unwrap_err();
        e.kind()
    };
    let base = || options(Init::Random, 5);
    let range = [
        UmapOptions {
            min_dist: 1.5,
            ..base()
        },
        UmapOptions {
            alpha: 0.0,
            ..base()
        },
        UmapOptions {
            gamma: f64::NAN,
            ..base()
        },
        UmapOptions {
            negative_sample_rate: -1.0,
            ..base()
        },
        UmapOptions {
            a: Some(-1.0),
            b: Some(1.0),
            ..base()
        },
        options(Init::Given(Array2::from_elem((20, 2), f64::NAN)), 5),
    ];
    for o in range {
        assert_eq!(kind(o), "range");
    }
    assert_eq!(kind(options(Init::Given(random_start(19, 2)), 5)), "shape");
    assert_eq!(kind(options(Init::Given(random_start(20, 3)), 5)), "shape");
    let dense = UmapOptions {
        density: Some(DensityOptions::default()),
        ..base()
    };
    assert_eq!(kind(dense), "shape");
    let bad = from_rows(2, vec![vec![(1, f64::NAN)], vec![(0, 1.0)]]).unwrap();
    let e = umap(&Exec::serial(), &bad, None, None, &base()).unwrap_err();
    assert_eq!(e.kind(), "range");
}

#[test]
fn a_run_can_be_stopped() {
    for mode in [Mode::Parallel, Mode::Sequential] {
        let exec = Exec::with_threads(2).unwrap();
        exec.control().cancel();
        let o = UmapOptions {
            mode,
            ..options(Init::Random, 5)
        };
        let e = umap(&exec, &ring(50, 2), None, None, &o).unwrap_err();
        assert_eq!(e, CoreError::Interrupted);
    }
}

#[test]
fn groups_are_placed_around_their_positions() {
    // Group 0 is joined to 1, group 2 to nobody.
    let connectivities = from_rows(3, vec![vec![(1, 0.4)], vec![(0, 0.4)], vec![]]).unwrap();
    let positions = ndarray::array![[0.0, 0.0], [4.0, 2.0], [10.0, 10.0]];
    let groups: Vec<u32> = (0..90).map(|i| i % 3).collect();
    let init = Init::Paga {
        groups: groups.clone(),
        positions: positions.clone(),
        connectivities: connectivities.clone(),
    };
    let found = run(&ring(90, 3), &options(init.clone(), 0));
    assert!(matches!(found.start, Start::Groups { noise } if noise > 0.0));
    // Between 0 and 1 the cells of group 0 lie in [-2, 2] x [-1, 1] before they are
    // stretched: nearer to their own group than to the other, on average.
    let mean = |g: u32| -> f64 {
        let rows = (0..90).filter(|&i| groups[i] == g);
        rows.map(|i| found.embedding[[i, 0]]).sum::<f64>() / 30.0
    };
    assert!(mean(0) < mean(1) && mean(1) < mean(2));
    let three = UmapOptions {
        n_components: 3,
        ..options(init, 0)
    };
    let e = umap(&Exec::serial(), &ring(90, 3), None, None, &three).unwrap_err();
    assert_eq!(e.kind(), "range");
    let beyond = Init::Paga {
        groups: vec![3; 90],
        positions,
        connectivities,
    };
    let e = umap(
        &Exec::serial(),
        &ring(90, 3),
        None,
        None,
        &options(beyond, 0),
    )
    .unwrap_err();
    assert_eq!(e.kind(), "shape");
}
