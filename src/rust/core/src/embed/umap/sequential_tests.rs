//! The sequential mode against the published algorithm, written down again.

use super::sequential::Turn;
use super::umap_tests::{options, random_start, ring, run};
use super::{Init, Mode, UmapOptions};
use crate::math;
use crate::rng::Stream;
use crate::sparse::csr::{row, Csr};
use ndarray::Array2;

#[test]
fn turns_follow_the_published_schedule() {
    // Weight 0.4 of 1: every 2.5 epochs, and a draw for every half epoch since.
    let mut turn = Turn::new(0, 1, 0.4, 1.0, 5.0);
    let acts: Vec<(usize, usize)> = (0..11)
        .filter_map(|t| turn.acts(t, 5.0).map(|c| (t, c)))
        .collect();
    assert_eq!(acts, [(3, 5), (5, 4), (8, 6), (10, 4)]);
    let mut rare = Turn::new(0, 1, 1.0, 1.0, 0.5);
    let drawn: usize = (0..101).filter_map(|t| rare.acts(t, 0.5)).sum();
    assert!((48..=50).contains(&drawn));
    let mut never = Turn::new(0, 1, 1.0, 1.0, 0.0);
    assert_eq!(never.acts(3, 0.0), Some(0));
}

/// Section 3.5 word for word, in double precision.
fn literal(graph: &Csr, y: &mut Array2<f64>, epochs: usize, a: f64, b: f64, alpha: f64, seed: u64) {
    let n = graph.rows();
    let largest = graph.data().iter().fold(0.0f64, |m, &v| m.max(v));
    let mut list = Vec::new();
    for i in 0..n {
        let (cols, weights) = row(graph, i);
        for (&j, &w) in cols.iter().zip(weights) {
            list.push((i, j as usize, largest / w));
        }
    }
    let mut next: Vec<f64> = list.iter().map(|e| e.2).collect();
    let mut next_negative: Vec<f64> = list.iter().map(|e| e.2 / 5.0).collect();
    let mut rate = alpha;
    let four = |v: f64| v.clamp(-4.0, 4.0);
    for t in 0..epochs {
        let now = t as f64;
        for (e, &(i, j, period)) in list.iter().enumerate() {
            if next[e] > now {
                continue;
            }
            let d2 = (0..2).map(|c| (y[[i, c]] - y[[j, c]]) * (y[[i, c]] - y[[j, c]]));
            let d2: f64 = d2.sum();
            if d2 > 0.0 {
                let g = -2.0 * a * b * math::pow(d2, b - 1.0) / (1.0 + a * math::pow(d2, b));
                for c in 0..2 {
                    let delta = four(g * (y[[i, c]] - y[[j, c]]));
                    y[[i, c]] += delta * rate;
                    y[[j, c]] -= delta * rate;
                }
            }
            let negative = period / 5.0;
            let count = ((now - next_negative[e]) / negative).trunc().max(0.0);
            // The draws are our own: the same stream as the mode under test.
            let mut draw = Stream::new(seed, 0x756d_7371, t as u64, e as u64);
            for _ in 0..count as usize {
                let r = draw.below(n);
                let d2 = (0..2).map(|c| (y[[i, c]] - y[[r, c]]) * (y[[i, c]] - y[[r, c]]));
                let d2: f64 = d2.sum();
                if r != i && d2 > 0.0 {
                    let g = 2.0 * b / ((0.001 + d2) * (1.0 + a * math::pow(d2, b)));
                    for c in 0..2 {
                        y[[i, c]] += four(g * (y[[i, c]] - y[[r, c]])) * rate;
                    }
                }
            }
            next[e] += period;
            next_negative[e] += count * negative;
        }
        rate = alpha * (1.0 - now / epochs as f64);
    }
}

#[test]
fn the_sequential_mode_is_the_published_algorithm() {
    let graph = ring(40, 3);
    let start = random_start(40, 2);
    let o = UmapOptions {
        mode: Mode::Sequential,
        seed: 4,
        // Small steps: larger ones amplify rounding until nothing is left to compare.
        alpha: 0.05,
        ..options(Init::Given(start.clone()), 15)
    };
    let found = run(&graph, &o);
    let still = UmapOptions {
        n_epochs: Some(0),
        ..o
    };
    let mut y = run(&graph, &still).embedding;
    // Edges of weight 1/3 remain at 15 epochs: nothing is dropped.
    assert_eq!(found.dropped, 0);
    let start = y.clone();
    literal(&graph, &mut y, 15, found.a, found.b, 0.05, 4);
    let far = |a: &Array2<f64>, b: &Array2<f64>| {
        let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        apart.fold(0.0f64, f64::max)
    };
    // Single against double precision.
    assert!(
        far(&y, &found.embedding) < 1e-3,
        "{}",
        far(&y, &found.embedding)
    );
    assert!(far(&y, &start) > 0.5);
}
