//! Looking ahead in parallel makes the moves of the sequential algorithm.

use super::adjacency::Weight;
use super::fixtures::{self, ALL};
use super::level::{Level, Partition};
use super::moving::{local_move, Rules};
use super::network::Network;
use super::objective::Objective;
use super::setup::{Job, Setup};
use crate::exec::Exec;
use crate::rng::Stream;
use crate::Result;

struct Moved {
    threads: usize,
    batch: usize,
    visits: u64,
}

impl Job for Moved {
    type Out = (u64, Vec<u32>, Vec<u64>);

    fn run<W: Weight, O: Objective>(
        self,
        level: Level<W, O::Mass>,
        mut objective: O,
    ) -> Result<Self::Out> {
        let n = level.len();
        let exec = Exec::with_threads(self.threads)?;
        let mut partition = Partition::new(&level, &objective, (0..n as u32).collect())?;
        partition.hold()?;
        let rules = Rules {
            max_size: u64::MAX,
            consider_all: false,
            tolerance: 1e-9,
            batch: self.batch,
        };
        let order = Stream::new(2, 0, 0, 0).permutation(n);
        let order = order.into_iter().map(|v| v as u32).collect();
        let moves = local_move(
            &exec,
            &level,
            &mut partition,
            &mut objective,
            &rules,
            order,
            self.visits,
        )?;
        // What is kept along the way is what a fresh look finds.
        for v in 0..n {
            let (targets, weights) = level.adjacency.row(v);
            let inside = targets.iter().zip(weights);
            let inside = inside.filter(|e| partition.of[*e.0 as usize] == partition.of[v]);
            let sum: f64 = inside.map(|e| e.1.get()).sum();
            assert!((partition.held[v] - sum).abs() < 1e-9);
        }
        let held = partition.held.iter().map(|h| h.to_bits()).collect();
        Ok((moves, partition.of, held))
    }
}

#[test]
fn batches_of_any_size_move_the_same_nodes() {
    let serial = Exec::serial();
    for seed in 0..3 {
        let graph = fixtures::planted(1500, seed);
        for quality in ALL {
            let run = |threads, batch, visits| {
                let network = Network::new(&serial, &graph, quality, false).unwrap();
                let setup = Setup {
                    quality,
                    resolution: 0.3,
                    node_sizes: None,
                    limited: false,
                    fixed: None,
                };
                let job = Moved {
                    threads,
                    batch,
                    visits,
                };
                setup.dispatch(network, job).unwrap()
            };
            for visits in [1, u64::MAX] {
                let plain = run(1, 256, visits);
                assert!(plain.0 > 500);
                for (threads, batch) in [(2, 256), (2, 700), (4, 1024), (3, 16384)] {
                    assert_eq!(plain, run(threads, batch, visits), "{quality:?}");
                }
            }
        }
    }
}
