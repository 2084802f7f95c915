//! The layout one edge after the other, as the method was first published.
//!
//! Both cells of an edge move at once, and the next edge sees where they went
//! (McInnes, Healy & Melville 2018, algorithm 5; section 3.5 of the graph rules).
//! Nothing can run at the same time as anything else, so this mode is slow; it
//! exists for comparison.

use super::density::Density;
use super::edges::Edges;
use super::force::clip;
use super::layout::Settings;
use super::schedule;
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;
use crate::rng::Stream;
use crate::sparse::csr::{row, Csr};

/// Purpose of the draws.
const NEGATIVES: u64 = 0x756d_7371;

/// An edge and when it acts next.
pub struct Turn {
    pub head: u32,
    pub tail: u32,
    /// Epochs from one act to the next.
    period: f64,
    next: f64,
    next_negative: f64,
}

impl Turn {
    /// An edge of weight `weight` where the heaviest has `largest`.
    pub fn new(head: u32, tail: u32, weight: f64, largest: f64, negatives: f64) -> Turn {
        let period = largest / weight;
        Turn {
            head,
            tail,
            period,
            next: period,
            next_negative: period / negatives,
        }
    }

    /// Whether the edge acts in epoch `t`; then how many cells repel, and the turn
    /// after this one is set.
    pub fn acts(&mut self, t: usize, negatives: f64) -> Option<usize> {
        let t = t as f64;
        if self.next > t {
            return None;
        }
        self.next += self.period;
        if negatives <= 0.0 {
            return Some(0);
        }
        let period = self.period / negatives;
        // Towards zero: no draw below a rate of one until enough has built up.
        let count = ((t - self.next_negative) / period) as usize;
        self.next_negative += count as f64 * period;
        Some(count)
    }
}

/// Rate of epoch `t` (from 0): it lags one epoch behind.
pub fn rate(alpha: f64, t: usize, epochs: usize) -> f32 {
    (alpha * (1.0 - t.saturating_sub(1) as f64 / epochs as f64)) as f32
}

/// Squared distance.
pub fn square<const D: usize>(a: &[f32; D], b: &[f32; D]) -> f32 {
    let mut sum = 0.0;
    for d in 0..D {
        sum += (a[d] - b[d]) * (a[d] - b[d]);
    }
    sum
}

/// Moves `start` (cells x D) over all epochs; edges in the order of the rows.
/// O(epochs x edges x negatives), on one thread; 32 bytes per edge.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn sequential<const D: usize>(
    exec: &Exec,
    graph: &Csr,
    edges: &Edges,
    density: Option<&Density>,
    start: &[[f32; D]],
    settings: &Settings,
) -> Result<Vec<[f32; D]>> {
    let n = graph.rows();
    let curve = settings.curve;
    let mut y = try_filled(n, [0.0f32; D], "the layout")?;
    y.copy_from_slice(start);
    let mut turns = try_with_capacity(graph.nnz(), "the edges of the layout")?;
    for i in 0..n {
        let (cols, weights) = row(graph, i);
        turns.extend(
            cols.iter()
                .zip(weights)
                .map(|(&j, &w)| Turn::new(i as u32, j, w, edges.largest, settings.negatives)),
        );
    }
    exec.control().begin(settings.epochs);
    for t in 0..settings.epochs {
        let rate = rate(settings.alpha, t, settings.epochs);
        let pull = match density.filter(|d| t >= d.first) {
            Some(d) => Some(d.pull(exec, edges, &y, &curve)?),
            None => None,
        };
        for (e, turn) in turns.iter_mut().enumerate() {
            if e % crate::exec::CHUNK == 0 {
                exec.check()?;
            }
            let Some(count) = turn.acts(t, settings.negatives) else {
                continue;
            };
            let (i, j) = (turn.head as usize, turn.tail as usize);
            let d2 = square(&y[i], &y[j]);
            let g = if d2 > 0.0 { curve.attraction(d2) } else { 0.0 };
            let h = pull.as_ref().map_or(0.0, |pull| {
                let share = schedule::share(1.0, turn.period);
                let spread = pull.spread[i] + pull.spread[j];
                pull.factor(&curve, d2, share, spread, pull.mass[i] + pull.mass[j])
            });
            let (mut at, mut other) = (y[i], y[j]);
            for (at, other) in at.iter_mut().zip(&mut other) {
                let apart = *at - *other;
                let delta = (clip(g * apart) + clip(h * apart)) * rate;
                *at += delta;
                *other -= delta;
            }
            (y[i], y[j]) = (at, other);
            let mut draw = Stream::new(settings.seed, NEGATIVES, t as u64, e as u64);
            for _ in 0..count {
                let r = draw.below(n);
                let d2 = square(&y[i], &y[r]);
                if r == i || d2 <= 0.0 {
                    continue;
                }
                let g = curve.repulsion(d2);
                let other = y[r];
                for (at, other) in y[i].iter_mut().zip(other) {
                    *at += clip(g * (*at - other)) * rate;
                }
            }
        }
        exec.control().tick(1);
    }
    Ok(y)
}
