//! Tests of the pieces of the layout: order, schedule, forces, draws.

use super::batch::{Batch, Forces, BATCH};
use super::edges::Edges;
use super::force::{clip, Curve};
use super::order::{Order, BLOCKS};
use super::schedule;
use super::umap_tests::{clouds, graph_of};
use crate::math;
use crate::rng::Stream;
use crate::sparse::csr::Csr;
use rand::RngCore;

#[test]
fn edges_act_as_often_as_their_weight_says() {
    for epochs in [11usize, 200, 500, 3000] {
        for weight in [1.0, 0.999, 0.5, 0.3333, 1.0 / epochs as f64, 0.017] {
            if weight < 1.0 / epochs as f64 {
                continue;
            }
            let share = schedule::share(weight, 1.0);
            let acts: u32 = (0..epochs as u32).map(|t| schedule::acts(share, t)).sum();
            let exact = epochs as f64 * weight;
            // Shares are rounded up by less than 2^-31.
            let most = (exact + epochs as f64 / f64::from(schedule::WHOLE)).floor();
            assert!(f64::from(acts) >= (exact + 1e-9).floor().min(most));
            assert!(
                f64::from(acts) <= most.max((exact + 1e-9).floor()),
                "{weight} {epochs}"
            );
        }
    }
    assert_eq!(schedule::default_epochs(10_000, false), 500);
    assert_eq!(schedule::default_epochs(10_001, false), 200);
    assert_eq!(schedule::default_epochs(10_001, true), 400);
    assert_eq!(schedule::least_weight(0.8, 200, 500), 0.004);
    assert_eq!(schedule::least_weight(0.8, 10, 500), 0.0016);
}

#[test]
fn forces_are_derivatives_of_the_cross_entropy() {
    for (a, b) in [(0.583, 1.334), (1.577, 0.895), (1.0, 1.0)] {
        let curve = Curve {
            a: a as f32,
            b: b as f32,
            gamma: 0.7,
        };
        let near = |d2: f64| 1.0 / (1.0 + a * math::pow(d2, b));
        for d2 in [0.01, 0.3, 1.0, 4.0, 60.0] {
            let h = 1e-5 * d2;
            // d/dy of -ln(near): 2 (y_i - y_j) times the derivative by d2.
            let slope = |f: &dyn Fn(f64) -> f64| (f(d2 + h) - f(d2 - h)) / (2.0 * h);
            let pull = 2.0 * slope(&|d| math::ln(near(d)));
            let push = 2.0 * slope(&|d| math::ln(1.0 - near(d)));
            let found = f64::from(curve.attraction(d2 as f32));
            assert!((found / pull - 1.0).abs() < 1e-4, "{a} {b} {d2}");
            // The repulsion is softened by 0.001 beside d2.
            let softened = 0.7 * push * d2 / (d2 + 0.001);
            let found = f64::from(curve.repulsion(d2 as f32));
            assert!((found / softened - 1.0).abs() < 1e-4, "{a} {b} {d2}");
        }
    }
    assert_eq!((clip(9.0), clip(-9.0), clip(0.5)), (4.0, -4.0, 0.5));
}

/// Edges and positions of a small layout, in places.
pub fn small() -> (Csr, Order, Edges, Vec<[f32; 2]>) {
    let graph = graph_of(&clouds(150, 2, 3), 9);
    let order = Order::new(&graph).unwrap();
    let edges = Edges::new(&graph, &order).unwrap();
    let mut s = Stream::new(9, 9, 0, 0);
    let y = (0..150)
        .map(|_| [4.0 * s.uniform() as f32, 4.0 * s.uniform() as f32])
        .collect();
    (graph, order, edges, y)
}

#[test]
fn the_order_is_a_permutation_in_blocks() {
    let (graph, order, _, _) = small();
    assert!((0..150).all(|c| order.cell[order.place[c] as usize] as usize == c));
    let mut next = 0;
    for b in 0..BLOCKS {
        assert_eq!(order.block(b).start, next);
        next = order.block(b).end;
    }
    assert_eq!(next, graph.rows());
}

#[test]
fn batches_add_up_the_forces() {
    let (_, order, edges, y) = small();
    let curve = Curve {
        a: 0.583,
        b: 1.334,
        gamma: 1.0,
    };
    let mut batch: Batch<2> = Batch::new(edges.entries(0..150).len(), 5.0, false).unwrap();
    for t in [0, 7, 100] {
        let forces = Forces {
            curve,
            t,
            key: 77,
            negatives: 0.0,
            density: None,
        };
        for first in (0..150).step_by(BATCH) {
            let places = first..(first + BATCH).min(150);
            batch.forces(&edges, &order.cell, &y, places.clone(), &forces);
            for (k, p) in places.enumerate() {
                let mut sum = [0.0f64; 2];
                let (targets, shares) = edges.slices(edges.entries(p..p + 1));
                for (&j, &share) in targets.iter().zip(shares) {
                    let w = f64::from(share) / f64::from(schedule::WHOLE);
                    let t = f64::from(t);
                    if ((t + 1.0) * w).floor() > (t * w).floor() {
                        let apart = [0, 1].map(|d| y[p][d] - y[j as usize][d]);
                        let g = curve.attraction(apart[0] * apart[0] + apart[1] * apart[1]);
                        for d in 0..2 {
                            sum[d] += 2.0 * f64::from(clip(g * apart[d]));
                        }
                    }
                }
                for (found, sum) in batch.total[k].iter().zip(sum) {
                    let found = f64::from(*found);
                    assert!((found - sum).abs() < 1e-4 * (1.0 + sum.abs()));
                }
            }
        }
    }
}

#[test]
fn repulsion_is_an_even_sample_of_all_cells() {
    let (_, order, edges, y) = small();
    let curve = Curve {
        a: 0.583,
        b: 1.334,
        gamma: 1.0,
    };
    let rate = 3.5;
    let n = y.len();
    let mut batch: Batch<2> = Batch::new(edges.entries(0..n).len(), rate, false).unwrap();
    let rounds = 4000u64;
    let (mut with, mut without) = (vec![[0.0f64; 2]; BATCH], vec![[0.0f64; 2]; BATCH]);
    for round in 0..rounds {
        let key = Stream::new(1, 2, round, 0).next_u64();
        for (negatives, sum) in [(rate, &mut with), (0.0, &mut without)] {
            let forces = Forces {
                curve,
                t: 0,
                key,
                negatives,
                density: None,
            };
            batch.forces(&edges, &order.cell, &y, 0..BATCH, &forces);
            for (sum, total) in sum.iter_mut().zip(&batch.total) {
                for d in 0..2 {
                    sum[d] += f64::from(total[d]);
                }
            }
        }
    }
    for k in 0..BATCH {
        let (_, shares) = edges.slices(edges.entries(k..k + 1));
        let due = shares
            .iter()
            .filter(|&&s| schedule::acts(s, 0) == 1)
            .count();
        let draws = rate * due as f64;
        for d in 0..2 {
            let each: Vec<f64> = (0..n)
                .map(|j| {
                    let apart = [0, 1].map(|c| y[k][c] - y[j][c]);
                    let g = curve.repulsion(apart[0] * apart[0] + apart[1] * apart[1]);
                    f64::from(clip(g * apart[d]))
                })
                .collect();
            let mean = each.iter().sum::<f64>() / n as f64;
            let square = each.iter().map(|f| f * f).sum::<f64>() / n as f64;
            let found = (with[k][d] - without[k][d]) / rounds as f64;
            // Five standard errors; the number of draws varies by less than one.
            let error = 5.0 * ((draws + 1.0) * square / rounds as f64).sqrt() + 1e-4;
            assert!((found - draws * mean).abs() < error, "{k} {d}");
        }
    }
}
