//! How well a displacement to a neighbour agrees with a cell's velocity
//! (section 1.8.3 of the fate-mapping rules).
//!
//! The score of a move D under velocity v is their inner product, the cosine of
//! their angle, or Pearson's correlation over features: the cosine after each has
//! lost its own mean. Only sums over features are needed, so a pair costs one pass
//! and no memory.

use crate::error::{CoreError, Result};
use crate::math;
use crate::simd::{tree, LANES};
use ndarray::ArrayView2;

/// Which score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Similarity {
    /// Pearson's correlation over features, in [-1, 1].
    Correlation,
    /// Cosine of the angle, in [-1, 1].
    Cosine,
    /// Inner product, in the units of both.
    DotProduct,
}

/// What is needed of one velocity besides its entries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// What is subtracted from the entries: their mean for correlation, else 0.
    pub centre: f64,
    /// Length after that.
    pub norm: f64,
}

/// Below this share of the squared length, one-pass centring has lost too many
/// digits and a second pass is made.
const CANCELLED: f64 = 1e-4;

impl Similarity {
    /// Centre and length of velocity `v`. O(features).
    #[inline(always)]
    pub fn moments(self, v: &[f64]) -> Moments {
        let centre = match self {
            Similarity::Correlation => crate::simd::sum(v) / v.len() as f64,
            Similarity::Cosine | Similarity::DotProduct => 0.0,
        };
        let square = |x: f64, _: f64| (x - centre) * (x - centre);
        let square = crate::simd::zip_sum(v, v, square);
        let norm = without_noise(square, centre, v.len() as f64).sqrt();
        Moments { centre, norm }
    }

    /// The score of moving from `from` to `to` under velocity `v` whose moments are
    /// `m`; `None` when it is undefined because either has no length. O(features).
    #[inline(always)]
    pub fn score(self, v: &[f64], m: Moments, from: &[f64], to: &[f64]) -> Option<f64> {
        let sums = sums(v, m.centre, from, to);
        if self == Similarity::DotProduct {
            return Some(sums.product);
        }
        let n = v.len() as f64;
        let mut square = sums.square;
        if self == Similarity::Correlation {
            square -= sums.step * sums.step / n;
            if square <= CANCELLED * sums.square {
                let mean = sums.step / n;
                square = crate::simd::zip_sum(from, to, |a, b| {
                    let d = (b - a) - mean;
                    d * d
                });
                square = without_noise(square, mean, n);
            }
        }
        let norms = m.norm * square.sqrt();
        if norms == 0.0 {
            return None;
        }
        // Rounding may carry parallel vectors past one.
        Some((sums.product / norms).clamp(-1.0, 1.0))
    }
}

/// A sum of squares about `mean` of `n` entries, or zero when it is no more than
/// what rounding leaves of entries that are all equal.
#[inline(always)]
pub(super) fn without_noise(square: f64, mean: f64, n: f64) -> f64 {
    let noise = 4.0 * f64::EPSILON * mean;
    if square <= noise * noise * n {
        0.0
    } else {
        square
    }
}

/// Sums over features of D = to - from.
struct Sums {
    /// (v - centre) D
    product: f64,
    /// D
    step: f64,
    /// D^2
    square: f64,
}

#[inline(always)]
fn sums(v: &[f64], centre: f64, from: &[f64], to: &[f64]) -> Sums {
    let n = v.len();
    let (from, to) = (&from[..n], &to[..n]);
    let (mut product, mut step, mut square) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let whole = n - n % LANES;
    let chunks = v[..whole]
        .chunks_exact(LANES)
        .zip(from[..whole].chunks_exact(LANES))
        .zip(to[..whole].chunks_exact(LANES));
    // One loop per sum, each of which becomes a few wide instructions.
    for ((v, a), b) in chunks {
        let (mut d, mut turned) = ([0.0; LANES], [0.0; LANES]);
        for l in 0..LANES {
            d[l] = b[l] - a[l];
        }
        for l in 0..LANES {
            turned[l] = v[l] - centre;
        }
        for l in 0..LANES {
            product[l] += turned[l] * d[l];
        }
        for l in 0..LANES {
            step[l] += d[l];
        }
        for l in 0..LANES {
            square[l] += d[l] * d[l];
        }
    }
    for l in 0..n - whole {
        let d = to[whole + l] - from[whole + l];
        product[l] += (v[whole + l] - centre) * d;
        step[l] += d;
        square[l] += d * d;
    }
    Sums {
        product: tree(product),
        step: tree(step),
        square: tree(square),
    }
}

/// `p = softmax(beta s)` over the scores that are defined (not NaN); all zero if none
/// is. O(scores).
#[inline(always)]
pub fn softmax(s: &[f64], beta: f64, p: &mut [f64]) {
    // `max` passes over NaN.
    let top = s.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
    let mut total = 0.0;
    for (p, &s) in p.iter_mut().zip(s) {
        *p = if s.is_nan() {
            0.0
        } else {
            math::exp(beta * (s - top))
        };
        total += *p;
    }
    if total > 0.0 {
        p.iter_mut().for_each(|p| *p /= total);
    }
}

/// What [`probabilities`] finds, one entry per neighbour.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// They sum to one, or are all zero when no score is defined.
    pub probabilities: Vec<f64>,
    /// NaN where undefined.
    pub scores: Vec<f64>,
}

impl Weights {
    /// The scores, zero where undefined.
    pub fn scores_or_zero(&self) -> Vec<f64> {
        let defined = |&s: &f64| if s.is_nan() { 0.0 } else { s };
        self.scores.iter().map(defined).collect()
    }
}

/// Scores and probabilities of the moves `d` (neighbours x features) under `v`: one
/// velocity for all (1 x features) or one per move. O(neighbours * features).
///
/// # Errors
/// `shape` for sizes that do not fit, `range` for values that are not finite or a
/// steepness not above zero.
pub fn probabilities(
    similarity: Similarity,
    v: ArrayView2<'_, f64>,
    d: ArrayView2<'_, f64>,
    softmax_scale: f64,
) -> Result<Weights> {
    let (k, features) = d.dim();
    check_moves(&v, &d, softmax_scale)?;
    let here = vec![0.0; features];
    let scores: Vec<f64> = (0..k)
        .map(|j| {
            let v = v.row(if v.nrows() == 1 { 0 } else { j }).to_vec();
            let there = d.row(j).to_vec();
            let score = similarity.score(&v, similarity.moments(&v), &here, &there);
            score.unwrap_or(f64::NAN)
        })
        .collect();
    let mut probabilities = vec![0.0; k];
    softmax(&scores, softmax_scale, &mut probabilities);
    Ok(Weights {
        probabilities,
        scores,
    })
}

fn check_moves(v: &ArrayView2<'_, f64>, d: &ArrayView2<'_, f64>, softmax_scale: f64) -> Result<()> {
    let shape = |what: &str, expected: usize, found: usize| {
        Err(CoreError::Shape {
            what: what.into(),
            expected,
            found,
        })
    };
    if v.ncols() != d.ncols() || d.ncols() == 0 {
        return shape("the features of the velocity", d.ncols().max(1), v.ncols());
    }
    if v.nrows() != 1 && v.nrows() != d.nrows() {
        return shape("the rows of the velocity", d.nrows(), v.nrows());
    }
    check_scale(softmax_scale)?;
    for (what, m) in [("the velocity", v.view()), ("the displacements", d.view())] {
        let count = m.iter().filter(|v| !v.is_finite()).count();
        if count > 0 {
            return Err(CoreError::NotFinite {
                what: what.into(),
                count,
                cells: vec![],
            });
        }
    }
    Ok(())
}

/// Whether the softmax can be that steep.
pub(super) fn check_scale(value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(CoreError::Range {
        what: "softmax_scale".into(),
        value,
        allowed: "above 0 and finite".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use ndarray::Array2;

    fn direct(s: Similarity, v: &[f64], from: &[f64], to: &[f64]) -> f64 {
        let mut v = v.to_vec();
        let mut d: Vec<f64> = to.iter().zip(from).map(|(b, a)| b - a).collect();
        if s == Similarity::Correlation {
            for x in [&mut v, &mut d] {
                let mean = x.iter().sum::<f64>() / x.len() as f64;
                x.iter_mut().for_each(|x| *x -= mean);
            }
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        match s {
            Similarity::DotProduct => dot(&v, &d),
            _ => dot(&v, &d) / (dot(&v, &v) * dot(&d, &d)).sqrt(),
        }
    }

    #[test]
    fn scores_follow_their_definitions() {
        let mut stream = Stream::new(1, 0, 0, 0);
        for n in [1, 3, 8, 29, 64] {
            let mut draw = || (0..n).map(|_| stream.normal() + 3.0).collect::<Vec<_>>();
            let (v, a, b) = (draw(), draw(), draw());
            for s in [
                Similarity::Cosine,
                Similarity::Correlation,
                Similarity::DotProduct,
            ] {
                let found = s.score(&v, s.moments(&v), &a, &b);
                if n == 1 && s == Similarity::Correlation {
                    assert_eq!(found, None);
                    continue;
                }
                let want = direct(s, &v, &a, &b);
                assert!((found.unwrap() - want).abs() < 1e-13 * want.abs().max(1.0));
            }
        }
    }

    #[test]
    fn a_nearly_constant_displacement_keeps_its_digits() {
        let mut stream = Stream::new(2, 0, 0, 0);
        let v: Vec<f64> = (0..40).map(|_| stream.normal()).collect();
        let a = vec![0.0; 40];
        // Multiples of 2^-30 beside 1024: exact in double precision.
        let small: Vec<f64> = (0..40)
            .map(|_| stream.below(1000) as f64 / 1_073_741_824.0)
            .collect();
        let b: Vec<f64> = small.iter().map(|s| 1024.0 + s).collect();
        let s = Similarity::Correlation;
        let want = direct(s, &v, &a, &small);
        assert!((s.score(&v, s.moments(&v), &a, &b).unwrap() - want).abs() < 1e-6);
    }

    #[test]
    fn without_length_there_is_no_score() {
        let (v, a) = (vec![1.0, 2.0, 4.0], vec![5.0, 6.0, 7.0]);
        for s in [Similarity::Cosine, Similarity::Correlation] {
            assert_eq!(s.score(&v, s.moments(&v), &a, &a), None);
        }
        // Every feature moves by the same amount, which no correlation can see.
        let (s, b) = (Similarity::Correlation, [5.1, 6.1, 7.1]);
        assert_eq!(s.score(&v, s.moments(&v), &a, &b), None);
        assert_eq!(s.moments(&[0.1; 7]).norm, 0.0);
        let s = Similarity::DotProduct;
        assert_eq!(s.score(&v, s.moments(&v), &a, &a), Some(0.0));
    }

    #[test]
    fn probabilities_are_the_softmax_of_scores() {
        let mut stream = Stream::new(3, 0, 0, 0);
        let mut draw = |k, n| Array2::from_shape_fn((k, n), |_| stream.normal());
        let mut d = draw(5, 6);
        d.row_mut(3).fill(0.0);
        for s in [
            Similarity::Cosine,
            Similarity::Correlation,
            Similarity::DotProduct,
        ] {
            for rows in [1, 5] {
                let v = draw(rows, 6);
                let found = probabilities(s, v.view(), d.view(), 1.7).unwrap();
                let score = |j: usize| {
                    let v = v.row(if rows == 1 { 0 } else { j }).to_vec();
                    direct(s, &v, &[0.0; 6], &d.row(j).to_vec())
                };
                let near = (0..5).filter(|&j| s == Similarity::DotProduct || j != 3);
                let total: f64 = near.map(|j| math::exp(1.7 * score(j))).sum();
                for j in 0..5 {
                    let p = found.probabilities[j];
                    if j == 3 && s != Similarity::DotProduct {
                        assert!(p == 0.0 && found.scores[j].is_nan());
                        continue;
                    }
                    assert!((found.scores[j] - score(j)).abs() < 1e-14);
                    assert!((p - math::exp(1.7 * score(j)) / total).abs() < 1e-14);
                }
            }
        }
        let kind = |v: &Array2<f64>, beta| {
            let e = probabilities(Similarity::Cosine, v.view(), d.view(), beta);
            e.unwrap_err().kind()
        };
        assert_eq!(kind(&draw(2, 6), 1.0), "shape");
        assert_eq!(kind(&draw(1, 5), 1.0), "shape");
        assert_eq!(kind(&draw(1, 6), f64::NAN), "range");
        assert_eq!(kind(&(draw(1, 6) * f64::INFINITY), 1.0), "range");
    }
}
