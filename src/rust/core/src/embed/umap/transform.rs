//! New cells in an existing layout.
//!
//! A new cell starts at the weighted mean of its nearest cells of the reference
//! and is then moved by the same forces, while the reference stands still (section
//! 3.8 of the graph rules). New cells do not see each other, so each is placed by
//! itself, exactly as if it had come alone.

use super::check::{check_curve, check_forces};
use super::force::{clip, Curve};
use super::sequential::{rate, square, Turn};
use super::{with_dimension, Visit};
use crate::error::{CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::graph::fuzzy::{nearest, rate as weight_of, scale, SMALLEST_SCALE};
use crate::graph::Knn;
use crate::math;
use crate::rng::Stream;
use ndarray::{Array2, ArrayView2};

/// New cells up to which the longer run is the default.
const FEW_CELLS: usize = 10_000;
/// New cells per task.
const TASK: usize = 64;
/// The rate starts at this part of that of the layout.
const GENTLE: f64 = 0.25;
/// Purpose of the draws.
const NEGATIVES: u64 = 0x756d_7472;

/// How to place new cells; everything as in the layout of the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransformOptions {
    pub a: f64,
    pub b: f64,
    /// None: 100 up to 10,000 new cells, else 30.
    pub n_epochs: Option<usize>,
    pub alpha: f64,
    pub gamma: f64,
    pub negative_sample_rate: f64,
    pub local_connectivity: f64,
    pub bandwidth: f64,
    pub seed: u64,
}

impl Default for TransformOptions {
    fn default() -> TransformOptions {
        TransformOptions {
            // The curve of spread 1 and min_dist 0.5.
            a: 0.583_029_805_5,
            b: 1.334_167_383_3,
            n_epochs: None,
            alpha: 1.0,
            gamma: 1.0,
            negative_sample_rate: 5.0,
            local_connectivity: 1.0,
            bandwidth: 1.0,
            seed: 0,
        }
    }
}

/// Positions of new cells (cells x components) from their nearest cells in the
/// reference (`knn`, by [`crate::graph::query`]) and its layout (`training`). A
/// cell without a neighbour within reach gets NaN. O(new cells x k x epochs).
///
/// # Errors
/// `shape` when `knn` names cells that `training` has not, `range` for options or
/// positions outside their range, `memory`, `interrupted`.
pub fn transform(
    exec: &Exec,
    knn: &Knn,
    training: ArrayView2<'_, f64>,
    options: &TransformOptions,
) -> Result<Array2<f64>> {
    check_forces(options.alpha, options.gamma, options.negative_sample_rate)?;
    check_curve(options.a, options.b)?;
    let beyond = knn.indices.iter().map(|&j| j as usize + 1).max();
    if beyond.is_some_and(|m| m > training.nrows()) {
        return Err(CoreError::Shape {
            what: "the layout of the reference".into(),
            expected: beyond.unwrap_or(0),
            found: training.nrows(),
        });
    }
    let count = training.iter().filter(|v| !v.is_finite()).count();
    if count > 0 {
        let bad = |i: &usize| training.row(*i).iter().any(|v| !v.is_finite());
        return Err(CoreError::NotFinite {
            what: "the layout of the reference".into(),
            count,
            cells: (0..training.nrows()).filter(bad).take(SHOWN).collect(),
        });
    }
    let weights = memberships(exec, knn, options)?;
    let place = Place {
        exec,
        knn,
        weights: &weights,
        options,
    };
    with_dimension(&training, place)
}

/// How each new cell rates its neighbours. The nearest counts by itself, the
/// others add up to log2(k) (section 1.5 with the first place taken by a cell).
fn memberships(exec: &Exec, knn: &Knn, options: &TransformOptions) -> Result<Vec<f32>> {
    let total = exec.sum(knn.distances.len(), |r| {
        knn.distances[r].iter().map(|&d| f64::from(d)).sum()
    })?;
    let mean = total / knn.distances.len().max(1) as f64;
    let connected = (options.local_connectivity - 1.0).max(0.0);
    let target = math::log2(knn.k as f64) * options.bandwidth;
    let rows = exec.map_chunks(knn.n, TASK, |cells| {
        let mut out = Vec::with_capacity(cells.len() * knn.k);
        for i in cells {
            let (_, dist) = knn.row(i);
            let rho = nearest(dist, connected);
            let own = dist.iter().map(|&d| f64::from(d)).sum::<f64>() / knn.k.max(1) as f64;
            let floor = SMALLEST_SCALE * if rho > 0.0 { own } else { mean };
            let others = dist.get(1..).unwrap_or(&[]);
            let sigma = scale(others, rho, target).max(floor);
            out.extend(
                dist.iter()
                    .map(|&d| weight_of(f64::from(d), rho, sigma) as f32),
            );
        }
        out
    })?;
    Ok(rows.concat())
}

/// What [`transform`] hands over to the dimension it turns out to have.
struct Place<'a> {
    exec: &'a Exec,
    knn: &'a Knn,
    weights: &'a [f32],
    options: &'a TransformOptions,
}

impl Visit for Place<'_> {
    type Output = Array2<f64>;

    fn visit<const D: usize>(self, training: &[[f32; D]], columns: usize) -> Result<Array2<f64>> {
        let (n, o) = (self.knn.n, self.options);
        let default = if n <= FEW_CELLS { 100 } else { 30 };
        let epochs = o.n_epochs.unwrap_or(default);
        let heaviest = self.weights.iter().fold(0.0f32, |m, &w| m.max(w));
        let motion = Motion {
            training,
            curve: Curve {
                a: o.a as f32,
                b: o.b as f32,
                gamma: o.gamma as f32,
            },
            epochs,
            alpha: o.alpha * GENTLE,
            negatives: o.negative_sample_rate,
            largest: f64::from(heaviest),
            seed: o.seed,
        };
        self.exec.control().begin(n);
        let parts = self.exec.map_chunks(n, TASK, |cells| {
            let mut out = Vec::with_capacity(cells.len() * columns);
            let done = cells.len();
            for i in cells {
                let (near, _) = self.knn.row(i);
                let weights = &self.weights[i * self.knn.k..(i + 1) * self.knn.k];
                let y = motion.place(i, near, weights);
                out.extend(y[..columns].iter().map(|&v| f64::from(v)));
            }
            self.exec.control().tick(done);
            out
        })?;
        super::matrix(n, columns, parts.concat())
    }
}

/// The forces of a resting reference.
struct Motion<'a, const D: usize> {
    training: &'a [[f32; D]],
    curve: Curve,
    epochs: usize,
    alpha: f64,
    negatives: f64,
    largest: f64,
    seed: u64,
}

impl<const D: usize> Motion<'_, D> {
    /// Where new cell `i` ends up.
    fn place(&self, i: usize, near: &[u32], weights: &[f32]) -> [f32; D] {
        let mut y = self.start(near, weights);
        // Edges too light to act in any epoch.
        let least = self.largest / self.epochs.max(1) as f64;
        let mut turns: Vec<Turn> = near
            .iter()
            .zip(weights)
            .filter(|(_, &w)| w > 0.0 && f64::from(w) >= least)
            .map(|(&j, &w)| Turn::new(0, j, f64::from(w), self.largest, self.negatives))
            .collect();
        let mut draw = Stream::new(self.seed, NEGATIVES, i as u64, 0);
        for t in 0..self.epochs {
            let rate = rate(self.alpha, t, self.epochs);
            for turn in &mut turns {
                let Some(count) = turn.acts(t, self.negatives) else {
                    continue;
                };
                let other = &self.training[turn.tail as usize];
                self.pull(&mut y, other, rate, Curve::attraction);
                for _ in 0..count {
                    let other = &self.training[draw.below(self.training.len())];
                    self.pull(&mut y, other, rate, Curve::repulsion);
                }
            }
        }
        y
    }

    /// The weighted mean of the neighbours' positions; the position of one whose
    /// weight is one, and NaN without any weight.
    fn start(&self, near: &[u32], weights: &[f32]) -> [f32; D] {
        if let Some(same) = weights.iter().position(|&w| w == 1.0) {
            return self.training[near[same] as usize];
        }
        let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        let mut sum = [0.0f64; D];
        for (&j, &w) in near.iter().zip(weights) {
            for (sum, &y) in sum.iter_mut().zip(&self.training[j as usize]) {
                *sum += f64::from(w) * f64::from(y);
            }
        }
        sum.map(|s| {
            if total > 0.0 {
                (s / total) as f32
            } else {
                f32::NAN
            }
        })
    }

    fn pull(&self, y: &mut [f32; D], other: &[f32; D], rate: f32, force: fn(&Curve, f32) -> f32) {
        let d2 = square(y, other);
        // NaN stays where it is, and so does a cell on top of another.
        if d2 > 0.0 {
            let g = force(&self.curve, d2);
            for d in 0..D {
                y[d] += clip(g * (y[d] - other[d])) * rate;
            }
        }
    }
}
