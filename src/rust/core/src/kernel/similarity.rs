//! How well a displacement to a neighbour agrees with a cell's velocity
//! (section 1.8.3 of the fate-mapping rules).
//!
//! The score of a move D under velocity v is their inner product, the cosine of
//! their angle, or Pearson's correlation over features: the cosine after each has
//! lost its own mean. Only sums over features are needed, so a pair costs one pass
//! and no memory.

use crate::simd::{tree, LANES};

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
fn without_noise(square: f64, mean: f64, n: f64) -> f64 {
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
    let mut add = |l: usize, v: f64, a: f64, b: f64| {
        let d = b - a;
        product[l] += (v - centre) * d;
        step[l] += d;
        square[l] += d * d;
    };
    let chunks = v[..whole]
        .chunks_exact(LANES)
        .zip(from[..whole].chunks_exact(LANES))
        .zip(to[..whole].chunks_exact(LANES));
    for ((v, a), b) in chunks {
        for l in 0..LANES {
            add(l, v[l], a[l], b[l]);
        }
    }
    for l in 0..n - whole {
        add(l, v[whole + l], from[whole + l], to[whole + l]);
    }
    Sums {
        product: tree(product),
        step: tree(step),
        square: tree(square),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

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
}
