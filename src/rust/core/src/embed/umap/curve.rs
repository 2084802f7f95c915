//! How close neighbours end up: the curve of the layout.
//!
//! Users think in `min_dist` (how tightly cells may be packed) and `spread` (the
//! scale of the picture); the layout needs the a and b of `1 / (1 + a d^(2b))`.
//! They are those that come closest, in least squares over 300 distances up to
//! three spreads, to a curve that is one up to `min_dist` and then falls as
//! `exp(-(d - min_dist) / spread)` (McInnes, Healy & Melville 2018, section 4.2;
//! section 3.2 of the graph rules), found by the method of Levenberg and Marquardt.

use crate::error::{CoreError, Result};
use crate::math;

/// Distances at which the curves are compared.
const POINTS: usize = 300;
/// Steps at most; about ten are needed.
const STEPS: usize = 500;
/// A step below this part of the parameters ends the search.
const TOLERANCE: f64 = 1e-13;

/// The a and b for a `spread` and a `min_dist`. O(1).
///
/// # Errors
/// `range` unless `spread > 0` and `0 <= min_dist <= spread`; `not_converged`.
pub fn fit_curve(spread: f64, min_dist: f64) -> Result<(f64, f64)> {
    let range = |what: &str, value: f64, allowed: String| CoreError::Range {
        what: what.into(),
        value,
        allowed,
    };
    if !(spread > 0.0 && spread.is_finite()) {
        return Err(range("spread", spread, "above 0".into()));
    }
    if !(0.0..=spread).contains(&min_dist) {
        return Err(range(
            "min_dist",
            min_dist,
            format!("0 to spread ({spread})"),
        ));
    }
    let points: Vec<(f64, f64)> = (0..POINTS)
        .map(|i| 3.0 * spread * i as f64 / (POINTS - 1) as f64)
        .map(|x| {
            let y = if x < min_dist {
                1.0
            } else {
                math::exp(-(x - min_dist) / spread)
            };
            (x, y)
        })
        .collect();
    search(&points)
}

/// Sums of a least squares step: J'J (three entries), J'r and r'r.
struct Normal {
    aa: f64,
    ab: f64,
    bb: f64,
    ra: f64,
    rb: f64,
    rr: f64,
}

impl Normal {
    fn at(points: &[(f64, f64)], a: f64, b: f64) -> Normal {
        let mut s = Normal {
            aa: 0.0,
            ab: 0.0,
            bb: 0.0,
            ra: 0.0,
            rb: 0.0,
            rr: 0.0,
        };
        for &(x, y) in points {
            // At zero the curve is one whatever a and b.
            let log = if x > 0.0 { math::ln(x) } else { 0.0 };
            let p = if x > 0.0 {
                math::exp(2.0 * b * log)
            } else {
                0.0
            };
            let f = 1.0 / (1.0 + a * p);
            let (da, db) = (-p * f * f, -2.0 * a * p * log * f * f);
            let r = y - f;
            s.aa += da * da;
            s.ab += da * db;
            s.bb += db * db;
            s.ra += da * r;
            s.rb += db * r;
            s.rr += r * r;
        }
        s
    }
}

fn search(points: &[(f64, f64)]) -> Result<(f64, f64)> {
    let (mut a, mut b) = (1.0f64, 1.0f64);
    let mut damping = 1e-3;
    let mut now = Normal::at(points, a, b);
    let mut size = f64::INFINITY;
    for _ in 0..STEPS {
        let (aa, bb) = (now.aa * (1.0 + damping), now.bb * (1.0 + damping));
        let det = aa * bb - now.ab * now.ab;
        let da = (bb * now.ra - now.ab * now.rb) / det;
        let db = (aa * now.rb - now.ab * now.ra) / det;
        size = (da / a).abs().max((db / b).abs());
        let (a1, b1) = (a + da, b + db);
        // NaN sizes fail this comparison too.
        let valid = a1 > 0.0 && b1 > 0.0 && size.is_finite();
        if valid {
            let next = Normal::at(points, a1, b1);
            // Near the minimum the sum of squares has no digits left to compare.
            if next.rr <= now.rr * (1.0 + 1e-14) {
                (a, b, now) = (a1, b1, next);
                damping *= 0.1;
                if size < TOLERANCE {
                    return Ok((a, b));
                }
                continue;
            }
        }
        if damping > 1e12 {
            break;
        }
        damping = damping.max(1e-12) * 10.0;
    }
    // Rounding may keep the last steps just above the tolerance.
    if size < 1e-10 {
        return Ok((a, b));
    }
    Err(CoreError::NotConverged {
        what: "the curve of the layout".into(),
        iterations: STEPS,
        residual: size,
        tolerance: TOLERANCE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_values_come_out() {
        // Section 3.2: reference values, whose solver stops early.
        let table = [
            (1.0, 0.5, 0.583_030_020_3, 1.334_166_992_4),
            (1.0, 0.3, 0.992_175_619_6, 1.112_253_384_4),
            (1.0, 0.1, 1.576_943_460_3, 0.895_060_877_9),
            (1.0, 0.01, 1.895_605_866_4, 0.800_637_844_3),
            (1.0, 0.0, 1.932_808_397_3, 0.790_494_973_2),
            (1.0, 0.25, 1.121_436_342_2, 1.057_499_876_7),
            (1.0, 0.8, 0.232_062_727_0, 1.681_231_603_3),
            (1.0, 0.99, 0.119_305_299_9, 1.916_390_416_9),
            (2.0, 0.5, 0.258_878_741_3, 1.057_499_699_4),
            (0.5, 0.1, 5.069_309_329_1, 1.003_005_422_8),
            (1.5, 0.5, 0.359_327_760_9, 1.148_889_364_9),
        ];
        for (spread, min_dist, a, b) in table {
            let found = fit_curve(spread, min_dist).unwrap();
            assert!((found.0 / a - 1.0).abs() < 1e-5, "{spread} {min_dist}");
            assert!((found.1 / b - 1.0).abs() < 1e-5, "{spread} {min_dist}");
        }
    }

    #[test]
    fn the_minimum_itself_is_found() {
        let exact = [
            (0.5, 0.583_029_805_5, 1.334_167_383_3),
            (0.8, 0.232_061_628_8, 1.681_235_303_5),
            (0.99, 0.119_305_587_2, 1.916_388_775_8),
        ];
        for (min_dist, a, b) in exact {
            let found = fit_curve(1.0, min_dist).unwrap();
            assert!((found.0 - a).abs() < 1e-9, "{min_dist}: {found:?}");
            assert!((found.1 - b).abs() < 1e-9, "{min_dist}: {found:?}");
        }
    }

    #[test]
    fn extreme_settings_still_converge() {
        for spread in [1e-3, 0.1, 10.0, 1e3] {
            for part in [0.0, 0.001, 0.5, 0.999, 1.0] {
                let (a, b) = fit_curve(spread, part * spread).unwrap();
                assert!(a > 0.0 && b > 0.0, "{spread} {part}");
                // The unit of length changes a alone.
                let (one, same) = fit_curve(1.0, part).unwrap();
                let scaled = one / math::pow(spread, 2.0 * same);
                assert!((b / same - 1.0).abs() < 1e-7, "{spread} {part}");
                assert!((a / scaled - 1.0).abs() < 1e-6, "{spread} {part}");
            }
        }
    }

    #[test]
    fn impossible_settings_are_refused() {
        for (spread, min_dist) in [
            (1.0, 1.1),
            (0.0, 0.0),
            (1.0, -0.1),
            (f64::NAN, 0.1),
            (1.0, f64::NAN),
        ] {
            assert_eq!(fit_curve(spread, min_dist).unwrap_err().kind(), "range");
        }
    }
}
