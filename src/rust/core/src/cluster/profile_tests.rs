//! The profile of a graph whose ends are known.

use super::fixtures;
use super::*;
use crate::exec::Exec;
use crate::testing::same_bits;

#[test]
fn the_profile_of_the_karate_club_runs_from_one_cluster_to_single_cells() {
    let exec = Exec::serial();
    let graph = fixtures::karate();
    let options = ProfileOptions::default();
    let profile = resolution_profile(&exec, &graph, &options).unwrap();
    let (first, last) = (&profile[0], &profile[profile.len() - 1]);
    assert_eq!((first.n_clusters, first.internal_weight), (1, 78.0));
    assert_eq!((last.n_clusters, last.internal_weight), (34, 0.0));
    for w in profile.windows(2) {
        assert!(w[0].resolution < w[1].resolution);
        // The best at a larger resolution never holds more weight inside.
        assert!(w[0].internal_weight > w[1].internal_weight);
    }
    for p in &profile {
        let of = |labels: &[u32]| {
            quality(
                &exec,
                &graph,
                labels,
                Quality::Cpm,
                p.resolution,
                false,
                None,
            )
            .unwrap()
        };
        assert!((of(&p.labels) - p.quality).abs() < 1e-9);
        assert!(profile.iter().all(|o| of(&o.labels) <= p.quality + 1e-9));
    }
    // At 0.05 the best has two clusters of 108.8 / 2 in all.
    let near = profile.iter().rev().find(|p| p.resolution <= 0.05).unwrap();
    let at = quality(&exec, &graph, &near.labels, Quality::Cpm, 0.05, false, None).unwrap();
    assert!((at - 108.8).abs() < 1e-9, "{at}");
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        resolution_profile(&exec, &graph, &options).unwrap()
    });
    let wrong = ProfileOptions {
        quality: Quality::Modularity,
        ..options
    };
    assert!(resolution_profile(&exec, &graph, &wrong).is_err());
}
