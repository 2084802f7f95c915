//! Transitions along uncertain velocities, by drawing them.
//!
//! Each velocity is drawn, feature by feature, from a normal distribution with the
//! mean and the variance around the cell, and probabilities and scores are averaged
//! over the draws (section 1.8.3 of the fate-mapping rules, Monte-Carlo model). A
//! cell's draws come from its own stream. O(draws * edges * features) time; draws are
//! scored eight at a time, so memory is O(neighbours * features) per thread.

use super::similarity::Similarity;
use super::similarity_moves::Moves;
use super::velocity_cells::Cells;
use super::velocity_draws::Ziggurat;
use super::velocity_moments::Spread;
use super::velocity_stochastic::{by_cells, Expected};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::math;
use crate::rng::Stream;
use crate::simd::{self, LANES};

/// Key of these streams.
const PURPOSE: u64 = 0x5645_4C4F;

/// How velocities are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// Draws per cell.
    pub samples: usize,
    pub seed: u64,
    /// Takes the variance for the standard deviation, as the peer program does.
    pub variance_as_sd: bool,
}

impl Draws {
    pub(super) fn check(&self) -> Result<()> {
        if self.samples > 0 {
            return Ok(());
        }
        Err(CoreError::Range {
            what: "n_samples".into(),
            value: 0.0,
            allowed: "at least 1".into(),
        })
    }

    fn stream(&self, cell: usize) -> Stream {
        Stream::new(self.seed, PURPOSE, cell as u64, 0)
    }

    fn deviation(&self, variance: f64) -> f64 {
        if self.variance_as_sd {
            variance
        } else {
            variance.sqrt()
        }
    }

    /// The velocities drawn for one cell, one draw after another: draws x features.
    /// For schemes that are evaluated elsewhere. O(draws * features).
    ///
    /// # Errors
    /// `memory`, `range` without any draw.
    pub fn of_cell(&self, cell: usize, mean: &[f64], variance: &[f64]) -> Result<Vec<f64>> {
        self.check()?;
        let features = mean.len();
        let mut out = try_filled(self.samples * features, 0.0, "the draws of a cell")?;
        let ziggurat = Ziggurat::new();
        let mut stream = self.stream(cell);
        for draw in out.chunks_exact_mut(features.max(1)) {
            for ((out, &mean), &variance) in draw.iter_mut().zip(mean).zip(variance) {
                *out = mean + self.deviation(variance) * ziggurat.draw(&mut stream);
            }
        }
        Ok(out)
    }
}

/// Eight velocities, feature by feature.
type Lanes = [f64; LANES];

/// The rows of all cells.
pub(super) fn drawn_rows(
    exec: &Exec,
    cells: &Cells<'_>,
    similarity: Similarity,
    beta: f64,
    draws: Draws,
) -> Result<Expected> {
    draws.check()?;
    let (features, widest) = (cells.features, cells.widest());
    let ziggurat = Ziggurat::new();
    by_cells(exec, cells, || {
        let mut moves = Moves::new(similarity, features, widest)?;
        let mut spread = Spread::new(features);
        let mut batch = Batch::new(features, widest)?;
        let ziggurat = &ziggurat;
        Ok(move |i: usize, s: &mut [f64], p: &mut [f64]| {
            simd::wide(
                #[inline(always)]
                || {
                    spread.load(cells, i);
                    let none = |m: &[f64]| m.iter().all(|&v| v == 0.0);
                    if none(&spread.mean) && none(&spread.variance) {
                        return false;
                    }
                    for v in &mut spread.variance {
                        *v = draws.deviation(*v);
                    }
                    moves.clear();
                    let here = cells.place(i);
                    for &j in cells.near(i) {
                        moves.push(here, cells.place(j as usize));
                    }
                    s.fill(0.0);
                    let mut stream = draws.stream(i);
                    for first in (0..draws.samples).step_by(LANES) {
                        let count = (draws.samples - first).min(LANES);
                        batch.draw(&spread, ziggurat, &mut stream, count);
                        batch.score(&moves);
                        batch.add(&moves, beta, count, s, p);
                    }
                    average(&moves, draws.samples, s, p);
                    true
                },
            )
        })
    })
}

/// Sums over draws as means.
#[inline(always)]
fn average(moves: &Moves, samples: usize, s: &mut [f64], p: &mut [f64]) {
    let total: f64 = p.iter().sum();
    for (j, (s, p)) in s.iter_mut().zip(p).enumerate() {
        *s = if moves.is_defined(j) && total > 0.0 {
            *s / samples as f64
        } else {
            f64::NAN
        };
        if total > 0.0 {
            *p /= total;
        }
    }
}

/// Work space for eight draws.
struct Batch {
    velocities: Vec<Lanes>,
    /// Length of each velocity, centred for correlation.
    lengths: Lanes,
    /// Scores, one row of eight per neighbour.
    scores: Vec<Lanes>,
}

impl Batch {
    fn new(features: usize, neighbors: usize) -> Result<Batch> {
        Ok(Batch {
            velocities: try_filled(features, [0.0; LANES], "the draws of a cell")?,
            lengths: [0.0; LANES],
            scores: try_filled(neighbors, [0.0; LANES], "the scores of a cell")?,
        })
    }

    /// Draws `count` velocities; `spread` holds mean and standard deviation.
    #[inline(always)]
    fn draw(&mut self, spread: &Spread, ziggurat: &Ziggurat, stream: &mut Stream, count: usize) {
        for l in 0..count {
            let moments = spread.mean.iter().zip(&spread.variance);
            for (v, (&mean, &sd)) in self.velocities.iter_mut().zip(moments) {
                v[l] = mean + sd * ziggurat.draw(stream);
            }
        }
    }

    /// Scores of all moves under the eight velocities, not yet divided by lengths.
    #[inline(always)]
    fn score(&mut self, moves: &Moves) {
        let n = moves.features as f64;
        self.lengths = [1.0; LANES];
        if moves.similarity == Similarity::Correlation {
            let mut mean = [0.0; LANES];
            for v in &self.velocities {
                add_scaled(&mut mean, 1.0, v);
            }
            for v in &mut self.velocities {
                add_scaled(v, -1.0, &mean.map(|m| m / n));
            }
        }
        if moves.similarity != Similarity::DotProduct {
            let mut square = [0.0; LANES];
            for v in &self.velocities {
                for l in 0..LANES {
                    square[l] += v[l] * v[l];
                }
            }
            self.lengths = square.map(f64::sqrt);
        }
        let k = moves.len();
        let whole = k - k % 4;
        // Four neighbours share what is read of the velocities.
        for j in (0..whole).step_by(4) {
            let mut sums = [[0.0; LANES]; 4];
            let steps = moves.step(j).iter().zip(moves.step(j + 1));
            let others = moves.step(j + 2).iter().zip(moves.step(j + 3));
            for ((v, (&a, &b)), (&c, &d)) in self.velocities.iter().zip(steps).zip(others) {
                add_scaled(&mut sums[0], a, v);
                add_scaled(&mut sums[1], b, v);
                add_scaled(&mut sums[2], c, v);
                add_scaled(&mut sums[3], d, v);
            }
            self.scores[j..j + 4].copy_from_slice(&sums);
        }
        for j in whole..k {
            let mut sum = [0.0; LANES];
            for (&w, v) in moves.step(j).iter().zip(&self.velocities) {
                add_scaled(&mut sum, w, v);
            }
            self.scores[j] = sum;
        }
    }

    /// Adds scores and probabilities of the first `count` draws.
    #[inline(always)]
    fn add(&mut self, moves: &Moves, beta: f64, count: usize, s: &mut [f64], p: &mut [f64]) {
        let defined = |&j: &usize| moves.is_defined(j);
        for l in (0..count).filter(|&l| self.lengths[l] > 0.0) {
            let length = self.lengths[l];
            let mut top = f64::NEG_INFINITY;
            for j in (0..s.len()).filter(defined) {
                let score = moves.bounded(self.scores[j][l] / length);
                self.scores[j][l] = score;
                s[j] += score;
                top = top.max(score);
            }
            let mut total = 0.0;
            for j in (0..s.len()).filter(defined) {
                let weight = math::exp(beta * (self.scores[j][l] - top));
                self.scores[j][l] = weight;
                total += weight;
            }
            for j in (0..s.len()).filter(defined) {
                p[j] += self.scores[j][l] / total;
            }
        }
    }
}

#[inline(always)]
fn add_scaled(sum: &mut Lanes, w: f64, v: &Lanes) {
    for l in 0..LANES {
        sum[l] += w * v[l];
    }
}
