//! The curve of the soft scheme: how much of an edge is left after a fall of time.
//!
//! `2 / (1 + exp(b fall))^(1 / nu)` for edges into the past, one for all others
//! (Stassen et al. 2021; section 1.9 of the fate-mapping rules).

use crate::math;
use crate::simd;

/// `exp` of more than this is taken for infinite.
const LARGEST_EXPONENT: f64 = 709.0;

/// Replaces falls of time by the factors of the soft scheme.
pub(super) fn factors(falls: &mut [f64], b: f64, nu: f64) {
    if nu == 0.5 {
        simd::wide(
            #[inline(always)]
            || replace(falls, b, |base| base * base),
        );
    } else if nu == 1.0 {
        simd::wide(
            #[inline(always)]
            || replace(falls, b, |base| base),
        );
    } else {
        replace(falls, b, |base| math::pow(base, 1.0 / nu));
    }
}

#[inline(always)]
fn replace(falls: &mut [f64], b: f64, power: impl Fn(f64) -> f64) {
    for v in falls {
        let past = *v > 0.0;
        let exponent = b * *v;
        let e = if exponent > LARGEST_EXPONENT {
            f64::INFINITY
        } else {
            exp_positive(exponent)
        };
        let factor = 2.0 / power(1.0 + e);
        *v = if past { factor } else { 1.0 };
    }
}

/// e to the x for 0 <= x <= 709, within two units in the last place; any other x
/// gives some number. Straight code, so that a loop over it uses wide registers.
#[inline(always)]
fn exp_positive(x: f64) -> f64 {
    // Adding this rounds to a whole number, which is left in the last bits.
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts, the first with zeros at its end.
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let shifted = x * std::f64::consts::LOG2_E + WHOLE;
    let k = shifted - WHOLE;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    // 1 / m! from m = 13 down: the series on |r| <= ln(2) / 2.
    const SERIES: [f64; 12] = [
        1.605_904_383_682_161_3e-10,
        2.087_675_698_786_81e-9,
        2.505_210_838_544_172e-8,
        2.755_731_922_398_589e-7,
        2.755_731_922_398_589_3e-6,
        2.480_158_730_158_73e-5,
        1.984_126_984_126_984e-4,
        1.388_888_888_888_889e-3,
        8.333_333_333_333_333e-3,
        4.166_666_666_666_666_4e-2,
        1.666_666_666_666_666_6e-1,
        0.5,
    ];
    let mut sum = SERIES[0];
    let mut at = 1;
    while at < SERIES.len() {
        sum = sum * r + SERIES[at];
        at += 1;
    }
    let small = 1.0 + (r + r * r * sum);
    let scale = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    small * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wide_exponential_is_the_exponential() {
        let mut worst = 0.0f64;
        for k in 0..70_900 {
            let x = f64::from(k) / 100.0 + 0.003;
            if x <= LARGEST_EXPONENT {
                worst = worst.max((exp_positive(x) / math::exp(x) - 1.0).abs());
            }
        }
        assert!(worst < 5e-16, "{worst:e}");
        assert_eq!(exp_positive(0.0), 1.0);
        assert!(exp_positive(LARGEST_EXPONENT).is_finite());
    }
}
