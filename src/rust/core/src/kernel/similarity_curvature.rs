//! How the probabilities of a cell's moves bend as its velocity changes.
//!
//! A velocity is known with an error. To second order, the mean of a probability
//! over that error is its value at the mean velocity plus half the sum of its second
//! derivatives, each times the variance of that feature's velocity (Lange et al.
//! 2022). For `p = softmax(beta s)` the diagonal second derivatives are (section
//! 1.8.3 of the fate-mapping rules; bars are means over neighbours weighted by p)
//!
//! `H_jg = p_j { beta^2 [ (a_jg - abar_g)^2 - sum_k p_k (a_kg - abar_g)^2 ]
//!               + beta [ b_jg - bbar_g ] }`,
//!
//! where, with `u = v / |v|`, `w_j = D_j / |D_j|` (both centred for correlation),
//!
//! `a_jg = ds_j / dv_g = (w_jg - s_j u_g) / |v|`,
//! `b_jg = d2s_j / dv_g2 = (-2 u_g w_jg - c s_j + 3 s_j u_g^2) / |v|^2`,
//!
//! c is 1 for the cosine and 1 - 1/G for correlation; for the inner product
//! `a_jg = D_jg` and `b_jg = 0`. All of it is O(neighbours * features) per cell.

use super::similarity::{probabilities, Similarity};
use super::similarity_moves::{Aim, Moves};
use crate::error::{try_filled, CoreError, Result};
use crate::simd;
use ndarray::{ArrayView1, ArrayView2, Axis};

/// Work space for the derivatives of one cell after another.
pub(super) struct Curvature {
    /// `abar_g |v|`, padded.
    slope: Vec<f64>,
    /// Over neighbours: first the squares, then the second derivatives.
    spread: Vec<f64>,
    bend: Vec<f64>,
}

impl Curvature {
    pub fn new(moves: &Moves) -> Curvature {
        Curvature {
            slope: vec![0.0; moves.width],
            spread: vec![],
            bend: vec![],
        }
    }

    /// `abar_g |v|` of the cell.
    #[inline(always)]
    fn mean_slope(&mut self, moves: &Moves, aim: &Aim, s: &[f64], p: &[f64]) {
        self.slope.fill(0.0);
        let mut along = 0.0;
        for j in (0..p.len()).filter(|&j| p[j] > 0.0) {
            simd::axpy(p[j], moves.step(j), &mut self.slope);
            along += p[j] * turn(moves.similarity, s[j]);
        }
        simd::axpy(-along, &aim.unit, &mut self.slope);
    }

    /// `sum_g H_jg weight_g` of every neighbour j, given its score and probability;
    /// `weight` is padded like the moves. O(neighbours * features).
    #[inline(always)]
    pub fn contract(
        &mut self,
        moves: &Moves,
        aim: &Aim,
        (s, p): (&[f64], &[f64]),
        beta: f64,
        weight: &[f64],
        out: &mut [f64],
    ) {
        self.mean_slope(moves, aim, s, p);
        self.spread.clear();
        self.spread.resize(p.len(), 0.0);
        self.bend.clear();
        self.bend.resize(p.len(), 0.0);
        let total = simd::sum(weight);
        let squares = weighted_square(weight, &aim.unit);
        let scale = 1.0 / (aim.length * aim.length);
        let (mut spread, mut bend) = (0.0, 0.0);
        for j in (0..p.len()).filter(|&j| p[j] > 0.0) {
            let t = turn(moves.similarity, s[j]);
            let sums = Sums::of(moves.step(j), &aim.unit, &self.slope, weight, t);
            self.spread[j] = sums.spread * scale;
            self.bend[j] = match moves.similarity {
                Similarity::DotProduct => 0.0,
                _ => {
                    let c = straight(moves.similarity, moves.features);
                    (-2.0 * sums.cross - c * s[j] * total + 3.0 * s[j] * squares) * scale
                }
            };
            spread += p[j] * self.spread[j];
            bend += p[j] * self.bend[j];
        }
        for j in 0..p.len() {
            let second = beta * beta * (self.spread[j] - spread) + beta * (self.bend[j] - bend);
            out[j] = p[j] * second;
        }
    }

    /// `H_jg` itself, neighbours x features, by columns. O(neighbours * features).
    fn full(
        &mut self,
        moves: &Moves,
        aim: &Aim,
        s: &[f64],
        p: &[f64],
        beta: f64,
    ) -> Result<Vec<f64>> {
        self.mean_slope(moves, aim, s, p);
        let (k, features) = (p.len(), moves.features);
        let mut h = try_filled(k * features, 0.0, "the second derivatives")?;
        let scale = 1.0 / (aim.length * aim.length);
        let c = straight(moves.similarity, features);
        for g in 0..features {
            let u = aim.unit[g];
            let a = |j: usize| moves.step(j)[g] - turn(moves.similarity, s[j]) * u - self.slope[g];
            let b = |j: usize| match moves.similarity {
                Similarity::DotProduct => 0.0,
                _ => -2.0 * u * moves.step(j)[g] - c * s[j] + 3.0 * s[j] * u * u,
            };
            let near = || (0..k).filter(|&j| p[j] > 0.0);
            let spread: f64 = near().map(|j| p[j] * a(j) * a(j)).sum();
            let bend: f64 = near().map(|j| p[j] * b(j)).sum();
            for j in near() {
                h[g * k + j] =
                    p[j] * (beta * beta * (a(j) * a(j) - spread) + beta * (b(j) - bend)) * scale;
            }
        }
        Ok(h)
    }
}

/// The factor of `u` in the slope of a score.
#[inline(always)]
fn turn(similarity: Similarity, score: f64) -> f64 {
    match similarity {
        Similarity::DotProduct => 0.0,
        Similarity::Cosine | Similarity::Correlation => score,
    }
}

/// The factor c of the score in its second derivative.
#[inline(always)]
fn straight(similarity: Similarity, features: usize) -> f64 {
    match similarity {
        Similarity::Correlation => 1.0 - 1.0 / features as f64,
        Similarity::Cosine | Similarity::DotProduct => 1.0,
    }
}

#[inline(always)]
fn weighted_square(weight: &[f64], u: &[f64]) -> f64 {
    simd::zip_sum(weight, u, |w, u| w * u * u)
}

/// Sums over features that one neighbour needs.
struct Sums {
    /// weight (a - abar)^2 |v|^2
    spread: f64,
    /// weight u w
    cross: f64,
}

impl Sums {
    #[inline(always)]
    fn of(w: &[f64], u: &[f64], slope: &[f64], weight: &[f64], turn: f64) -> Sums {
        const L: usize = simd::LANES;
        let (mut spread, mut cross) = ([0.0; L], [0.0; L]);
        // All four are padded to whole lanes.
        let rows = w
            .chunks_exact(L)
            .zip(u.chunks_exact(L))
            .zip(slope.chunks_exact(L))
            .zip(weight.chunks_exact(L));
        for (((w, u), slope), weight) in rows {
            // One loop per sum, each of which becomes a few wide instructions.
            let mut a = [0.0; L];
            for l in 0..L {
                a[l] = w[l] - turn * u[l] - slope[l];
            }
            for l in 0..L {
                spread[l] += weight[l] * (a[l] * a[l]);
            }
            for l in 0..L {
                cross[l] += weight[l] * (u[l] * w[l]);
            }
        }
        Sums {
            spread: simd::tree(spread),
            cross: simd::tree(cross),
        }
    }
}

/// The diagonal second derivatives, neighbours x features by columns, of the
/// probabilities of the moves `d` (neighbours x features) by the entries of velocity
/// `v`. Moves without a score have zeros. O(neighbours * features).
///
/// # Errors
/// `shape` for sizes that do not fit, `range` for values that are not finite or a
/// steepness not above zero, `memory`.
pub fn hessian(
    similarity: Similarity,
    v: ArrayView1<'_, f64>,
    d: ArrayView2<'_, f64>,
    softmax_scale: f64,
) -> Result<Vec<f64>> {
    let one = v.insert_axis(Axis(0));
    let weights = probabilities(similarity, one, d.view(), softmax_scale)?;
    let (v, k) = (v.to_vec(), d.nrows());
    let mut moves = Moves::new(similarity, v.len(), k)?;
    let mut aim = Aim::new(v.len());
    aim.set(similarity, &v, v.len());
    let here = try_filled(v.len(), 0.0, "a displacement")?;
    d.rows()
        .into_iter()
        .for_each(|d| moves.push(&here, &d.to_vec()));
    Curvature::new(&moves).full(
        &moves,
        &aim,
        &weights.scores,
        &weights.probabilities,
        softmax_scale,
    )
}

/// `p = clip(p + second / 2, 0, 1)`, scaled to sum to one. What is not a number
/// counts as zero; a row that loses everything is uniform over its moves, unless it
/// had none to begin with.
#[inline(always)]
pub(super) fn expand(p: &mut [f64], second: &[f64]) {
    if p.iter().all(|&p| p == 0.0) {
        return;
    }
    let mut total = 0.0;
    for (p, second) in p.iter_mut().zip(second) {
        let sum = *p + 0.5 * second;
        *p = if sum.is_nan() {
            0.0
        } else {
            sum.clamp(0.0, 1.0)
        };
        total += *p;
    }
    let k = p.len() as f64;
    for p in p {
        *p = if total > 0.0 { *p / total } else { 1.0 / k };
    }
}

/// The probabilities of a cell's moves expected under velocities of that `variance`
/// (one entry per feature), from those at the mean velocity and their diagonal second
/// derivatives (neighbours x features by columns). O(neighbours * features).
///
/// # Errors
/// `shape` for sizes that do not fit.
pub fn expected(probabilities: &[f64], hessian: &[f64], variance: &[f64]) -> Result<Vec<f64>> {
    let k = probabilities.len();
    if hessian.len() != k * variance.len() {
        return Err(CoreError::Shape {
            what: "the second derivatives".into(),
            expected: k * variance.len(),
            found: hessian.len(),
        });
    }
    let mut second = vec![0.0; k];
    for (h, &variance) in hessian.chunks_exact(k.max(1)).zip(variance) {
        simd::axpy(variance, h, &mut second);
    }
    let mut p = probabilities.to_vec();
    expand(&mut p, &second);
    Ok(p)
}

#[cfg(test)]
#[path = "similarity_curvature_tests.rs"]
mod tests;
