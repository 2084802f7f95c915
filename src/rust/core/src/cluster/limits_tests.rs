//! Limits, fixed cells, graphs with nothing in them and settings that cannot be.

use super::fixtures::{self, sizes, Kind, ALL};
use super::*;
use crate::exec::Exec;
use crate::sparse::csr::Csr;

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

#[test]
fn complete_graphs_obey_the_limits() {
    let graph = fixtures::complete(100, 1.0);
    let limited = |gamma, max_comm_size, min_comm_size| {
        let options = LeidenOptions {
            max_comm_size,
            min_comm_size,
            ..of(Quality::Cpm, gamma)
        };
        sizes(&run(&graph, options).labels)
    };
    assert_eq!(limited(0.5, 0, 0), [100]);
    assert_eq!(limited(0.5, 17, 0), [17, 17, 17, 17, 17, 15]);
    assert_eq!(limited(0.0, 10, 0), [10; 10]);
    let large = limited(1.5, 0, 5);
    assert!(large.iter().all(|&s| s >= 5), "{large:?}");
    // An initial community beyond the limit is left.
    let options = LeidenOptions {
        max_comm_size: 30,
        initial: Some(vec![0; 100]),
        ..of(Quality::Cpm, 0.5)
    };
    let c = run(&graph, options);
    assert!(sizes(&c.labels).iter().all(|&s| s <= 30));
    assert!(c.history.windows(2).all(|w| w[1] >= w[0]));
}

#[test]
fn node_sizes_count_as_cells() {
    let graph = fixtures::complete(10, 1.0);
    let options = LeidenOptions {
        node_sizes: Some((0..10).map(|i| if i == 9 { 50 } else { 1 }).collect()),
        max_comm_size: 50,
        ..of(Quality::Cpm, 0.01)
    };
    let c = run(&graph, options);
    // The heavy one is alone, and the largest.
    assert_eq!(c.labels, [1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
}

#[test]
fn fixed_cells_keep_their_label() {
    let triangle = fixtures::complete(3, 1.0);
    let options = |initial: Vec<u32>, fixed: Vec<bool>| LeidenOptions {
        initial: Some(initial),
        fixed: Some(fixed),
        ..of(Quality::Cpm, 0.01)
    };
    let exec = Exec::serial();
    let c = run(&triangle, options(vec![0, 2, 1], vec![false, true, false]));
    assert_eq!(c.labels, [2, 2, 2]);
    let judge = |labels: &[u32]| {
        quality(&exec, &triangle, labels, Quality::Cpm, 0.01, false, None).unwrap()
    };
    let gained = c.quality - judge(&[0, 2, 1]);
    assert!((gained - (judge(&[2, 2, 2]) - judge(&[0, 1, 2]))).abs() < 1e-12);
    // Two fixed cells stay apart even where an edge joins them.
    let pair = fixtures::undirected(3, &[(0, 1, 1.0)]);
    let c = run(&pair, options(vec![0, 1, 2], vec![true, true, false]));
    assert_eq!(c.labels, [0, 1, 2]);
    let kind = Kind {
        directed: true,
        weighted: false,
        loops: true,
    };
    let graph = fixtures::random(100, 0.1, kind, 6);
    let mut initial: Vec<u32> = (0..100).collect();
    initial[0] = 90;
    initial[90] = 0;
    let mut fixed = vec![false; 100];
    fixed[0] = true;
    let c = run(
        &graph,
        LeidenOptions {
            directed: true,
            ..options(initial, fixed)
        },
    );
    assert_eq!(c.labels[0], 90);
    let others: std::collections::BTreeSet<u32> =
        c.labels.iter().copied().filter(|&l| l != 90).collect();
    let smallest: std::collections::BTreeSet<u32> = (0..c.n_clusters as u32 - 1).collect();
    assert_eq!(others, smallest);
}

#[test]
fn graphs_with_nothing_in_them() {
    for q in ALL {
        let none = run(&Csr::zero((0, 0)), of(q, 1.0));
        assert_eq!((none.labels.len(), none.n_clusters), (0, 0));
        let one = run(&Csr::zero((1, 1)), of(q, 1.0));
        assert_eq!((one.labels, one.quality), (vec![0], 0.0));
        assert!(one.modularity.is_nan());
        let three = run(&Csr::zero((3, 3)), of(q, 1.0));
        assert_eq!((three.labels, three.converged), (vec![0, 1, 2], true));
        // An explicit zero is no edge.
        let zero = run(&fixtures::undirected(2, &[(0, 1, 0.0)]), of(q, 1.0));
        assert_eq!(zero.labels, [0, 1]);
        // A cell without neighbours is its own cluster, also when it starts with
        // others; a lone self loop is no obstacle.
        let graph = fixtures::undirected(5, &[(0, 1, 1.0), (1, 2, 1.0), (0, 2, 1.0), (4, 4, 1.0)]);
        let c = run(
            &graph,
            LeidenOptions {
                initial: Some(vec![0; 5]),
                ..of(q, 0.1)
            },
        );
        assert_eq!(c.labels, [0, 0, 0, 1, 2], "{q:?}");
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let graph = fixtures::karate();
    let kind = |options: LeidenOptions| {
        leiden(&Exec::serial(), &graph, &options)
            .unwrap_err()
            .kind()
    };
    let base = LeidenOptions::default;
    let short = Some(vec![1; 3]);
    assert_eq!(
        kind(LeidenOptions {
            initial: short.clone(),
            ..base()
        }),
        "shape"
    );
    assert_eq!(
        kind(LeidenOptions {
            node_sizes: short,
            ..base()
        }),
        "shape"
    );
    assert_eq!(
        kind(LeidenOptions {
            fixed: Some(vec![]),
            ..base()
        }),
        "shape"
    );
    assert_eq!(
        kind(LeidenOptions {
            theta: -1.0,
            ..base()
        }),
        "range"
    );
    assert_eq!(
        kind(LeidenOptions {
            n_starts: 0,
            ..base()
        }),
        "range"
    );
    assert_eq!(
        kind(LeidenOptions {
            resolution: f64::NAN,
            ..base()
        }),
        "range"
    );
    assert_eq!(
        kind(LeidenOptions {
            node_sizes: Some(vec![0; 34]),
            ..base()
        }),
        "range"
    );
    let refused = |g: &Csr| leiden(&Exec::serial(), g, &base()).unwrap_err().kind();
    assert_eq!(
        refused(&fixtures::undirected(3, &[(0, 1, f64::NAN)])),
        "range"
    );
    assert_eq!(refused(&Csr::zero((2, 3))), "shape");
}

#[test]
fn small_communities_join_their_neighbours() {
    let exec = Exec::serial();
    // Pairs hang on cliques of six; one pair hangs on nothing.
    let mut edges = vec![(32, 33, 1.0)];
    for c in 0..4u32 {
        for i in 0..6 {
            edges.extend((i + 1..6).map(|j| (c * 6 + i, c * 6 + j, 1.0)));
        }
        edges.push((24 + 2 * c, 25 + 2 * c, 1.0));
        edges.push((c * 6, 24 + 2 * c, 0.2));
    }
    let graph = fixtures::undirected(34, &edges);
    let options = of(Quality::Cpm, 0.3);
    let found = |min_comm_size| LeidenOptions {
        min_comm_size,
        ..options.clone()
    };
    assert_eq!(
        sizes(&run(&graph, found(2)).labels),
        [6, 6, 6, 6, 2, 2, 2, 2, 2]
    );
    let c = run(&graph, found(3));
    // The far cell of a pair follows the near one.
    for i in 0..4 {
        assert_eq!(c.labels[6 * i], c.labels[24 + 2 * i]);
        assert_eq!(c.labels[6 * i], c.labels[25 + 2 * i]);
    }
    assert_eq!(sizes(&c.labels), [8, 8, 8, 8, 2]);
    let direct = quality(&exec, &graph, &c.labels, Quality::Cpm, 0.3, false, None);
    assert!((c.quality - direct.unwrap()).abs() < 1e-9);
    // Sizes of cells count, in the order that they were given in.
    let weights = (0..34).map(|v| if v >= 30 { 4 } else { 1 }).collect();
    let heavy = LeidenOptions {
        node_sizes: Some(weights),
        resolution: 0.01,
        max_comm_size: 8,
        ..found(3)
    };
    let c = run(&graph, heavy);
    assert_eq!(c.labels[30], c.labels[31]);
    assert_ne!(c.labels[30], c.labels[18]);
}
