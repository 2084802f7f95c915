//! How far apart two cells are.

use crate::error::{CoreError, Result};
use crate::math;
use crate::simd;

/// A distance between the rows of two cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// Straight line distance.
    Euclidean,
    /// One minus the cosine of the angle; 1 to a cell that is zero everywhere.
    Cosine,
    /// One minus Pearson's correlation; 1 to a cell that is constant.
    Correlation,
    /// Sum of absolute differences.
    Manhattan,
    /// Largest absolute difference.
    Chebyshev,
    /// `(sum |x - y|^p)^(1/p)` for p of 1 or more.
    Minkowski(f64),
    /// Sum of `|x - y| / (|x| + |y|)`; features that are zero in both count 0.
    Canberra,
    /// Part of the features that differ.
    Hamming,
    /// Part of the features that only one of the cells has (is not zero in),
    /// among those that at least one has; 0 when neither has any.
    Jaccard,
}

impl Metric {
    /// The name by which it is known, without parameters.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Euclidean => "euclidean",
            Metric::Cosine => "cosine",
            Metric::Correlation => "correlation",
            Metric::Manhattan => "manhattan",
            Metric::Chebyshev => "chebyshev",
            Metric::Minkowski(_) => "minkowski",
            Metric::Canberra => "canberra",
            Metric::Hamming => "hamming",
            Metric::Jaccard => "jaccard",
        }
    }

    /// The metric of a name; `p` is the power that Minkowski's needs.
    ///
    /// # Errors
    /// `range` for an unknown name and a power that is no power.
    pub fn from_name(name: &str, p: f64) -> Result<Metric> {
        let metric = match name {
            "euclidean" => Metric::Euclidean,
            "cosine" => Metric::Cosine,
            "correlation" => Metric::Correlation,
            "manhattan" => Metric::Manhattan,
            "chebyshev" => Metric::Chebyshev,
            "minkowski" => Metric::Minkowski(p),
            "canberra" => Metric::Canberra,
            "hamming" => Metric::Hamming,
            "jaccard" => Metric::Jaccard,
            _ => {
                return Err(CoreError::Choice {
                    what: "the metric".into(),
                    value: name.into(),
                    reason: "is not known".into(),
                })
            }
        };
        metric.check()?;
        Ok(metric)
    }

    /// Whether rows are scaled to unit length before they are compared.
    pub fn is_angular(self) -> bool {
        matches!(self, Metric::Cosine | Metric::Correlation)
    }

    /// Whether single precision tiles bound the distance, which the fast exact
    /// search and the approximate search need.
    pub fn has_tiles(self) -> bool {
        matches!(
            self,
            Metric::Euclidean
                | Metric::Cosine
                | Metric::Correlation
                | Metric::Manhattan
                | Metric::Chebyshev
        )
    }

    /// # Errors
    /// `range` for a power below one or not finite.
    pub fn check(self) -> Result<()> {
        match self {
            Metric::Minkowski(p) if !(p.is_finite() && p >= 1.0) => Err(CoreError::Range {
                what: "the power of the Minkowski distance".into(),
                value: p,
                allowed: "1 or more".into(),
            }),
            _ => Ok(()),
        }
    }

    /// The distance of two rows, of unit length or zero for the angular metrics.
    /// O(d), in fixed lanes.
    #[inline(always)]
    pub(super) fn between(self, a: &[f64], b: &[f64]) -> f64 {
        match self {
            Metric::Euclidean => simd::zip_sum(a, b, |x, y| (x - y) * (x - y)).sqrt(),
            Metric::Manhattan => simd::zip_sum(a, b, |x, y| (x - y).abs()),
            // |a - b|^2 / 2 = 1 - a.b for rows of unit length, without cancellation.
            Metric::Cosine | Metric::Correlation => {
                0.5 * simd::zip_sum(a, b, |x, y| (x - y) * (x - y))
            }
            Metric::Chebyshev => a.iter().zip(b).fold(0.0, |m, (x, y)| m.max((x - y).abs())),
            Metric::Minkowski(p) => minkowski(a, b, p),
            Metric::Canberra => simd::zip_sum(a, b, |x, y| {
                let size = x.abs() + y.abs();
                if size > 0.0 {
                    (x - y).abs() / size
                } else {
                    0.0
                }
            }),
            Metric::Hamming => {
                let differ = simd::zip_sum(a, b, |x, y| f64::from(u8::from(x != y)));
                differ / (a.len().max(1)) as f64
            }
            Metric::Jaccard => jaccard(a, b),
        }
    }
}

/// Relative to the largest difference, so that no power overflows.
fn minkowski(a: &[f64], b: &[f64], p: f64) -> f64 {
    let largest = Metric::Chebyshev.between(a, b);
    if largest == 0.0 || largest.is_infinite() {
        return largest;
    }
    let sum = simd::zip_sum(a, b, |x, y| math::pow((x - y).abs() / largest, p));
    largest * math::pow(sum, 1.0 / p)
}

fn jaccard(a: &[f64], b: &[f64]) -> f64 {
    let is = |v: bool| f64::from(u8::from(v));
    let any = simd::zip_sum(a, b, |x, y| is(x != 0.0 || y != 0.0));
    if any == 0.0 {
        return 0.0;
    }
    simd::zip_sum(a, b, |x, y| is((x != 0.0) != (y != 0.0))) / any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for name in [
            "euclidean",
            "cosine",
            "correlation",
            "manhattan",
            "chebyshev",
            "minkowski",
            "canberra",
            "hamming",
            "jaccard",
        ] {
            assert_eq!(Metric::from_name(name, 3.0).unwrap().name(), name);
        }
        assert_eq!(Metric::from_name("l3", 3.0).unwrap_err().kind(), "range");
        assert!(Metric::from_name("minkowski", 0.9).is_err());
        assert!(Metric::from_name("minkowski", f64::NAN).is_err());
    }

    #[test]
    fn examples_by_hand() {
        let (a, b) = ([1.0, 0.0, 2.0, 0.0], [3.0, 0.0, 2.0, 5.0]);
        assert_eq!(Metric::Canberra.between(&a, &b), 0.5 + 1.0);
        assert_eq!(Metric::Hamming.between(&a, &b), 0.5);
        assert_eq!(Metric::Jaccard.between(&a, &b), 1.0 / 3.0);
        assert_eq!(Metric::Chebyshev.between(&a, &b), 5.0);
        let m = Metric::Minkowski(3.0).between(&a, &b);
        assert!((m - math::pow(8.0 + 125.0, 1.0 / 3.0)).abs() < 1e-12);
        let two = Metric::Minkowski(2.0).between(&a, &b);
        assert!((two - Metric::Euclidean.between(&a, &b)).abs() < 1e-12);
        assert_eq!(Metric::Jaccard.between(&[0.0], &[0.0]), 0.0);
    }
}
