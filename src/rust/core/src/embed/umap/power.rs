//! Powers of squared distances.
//!
//! The forces of the layout need `d^(2b)` for every pair, by far the most costly
//! part of them. Here it is `2^(b log2(d^2))` from two short polynomials in single
//! precision, each within 2 units in the last place of the exact value (minimax
//! fits on one octave; the tests measure them). There is no branch, no table and no
//! call, so a loop over them runs in wide instructions, with the same bits
//! everywhere.

/// Bits of sqrt(1/2): mantissas are taken from [sqrt(1/2), sqrt(2)), so that the
/// logarithm of numbers near one keeps its relative accuracy.
const HALF_OCTAVE: u32 = 0x3f35_04f3;

/// `log2(1 + f) / f - 1` for f in [-0.293, 0.415), off by less than 4e-8.
const LOG2: [f32; 9] = [
    0.442_695,
    -0.721_347_35,
    0.480_910_64,
    -0.360_703_7,
    0.287_916_2,
    -0.238_944_6,
    0.215_715_97,
    -0.207_271_58,
    0.125_838_34,
];

/// `2^f` for f in [-1/2, 1/2], relative error below 2e-9.
const EXP2: [f32; 7] = [
    1.0,
    std::f32::consts::LN_2,
    0.240_226_47,
    0.055_503_29,
    0.009_618_489,
    0.001_339_993_1,
    0.000_153_458_12,
];

/// Adding and subtracting it rounds to a whole number: 1.5 * 2^23.
const ROUND: f32 = 12_582_912.0;

/// Logarithm to base 2 of a positive, normal, finite number.
#[inline(always)]
pub fn log2(x: f32) -> f32 {
    let bits = x.to_bits().wrapping_sub(HALF_OCTAVE);
    let exponent = (bits as i32) >> 23;
    let f = f32::from_bits((bits & 0x007f_ffff).wrapping_add(HALF_OCTAVE)) - 1.0;
    let (c, f2) = (&LOG2, f * f);
    // Pairs first: short chains of dependent products.
    let low = (c[1] + c[2] * f) + (c[3] + c[4] * f) * f2;
    let high = (c[5] + c[6] * f) + (c[7] + c[8] * f) * f2;
    // The largest part of the result is f itself, without any rounding.
    let rest = f * (c[0] + f * (low + high * (f2 * f2)));
    exponent as f32 + (f + rest)
}

/// 2 to the power of x; results outside [2^-126, 2^127] are those bounds.
#[inline(always)]
pub fn exp2(x: f32) -> f32 {
    let x = if x < -126.0 { -126.0 } else { x };
    let x = if x > 127.0 { 127.0 } else { x };
    let shifted = x + ROUND;
    let f = x - (shifted - ROUND);
    let (c, f2) = (&EXP2, f * f);
    let high = (c[3] + c[4] * f) + (c[5] + c[6] * f) * f2;
    let p = c[0] + ((c[1] + c[2] * f) * f + high * (f2 * f));
    // The low bits of `shifted` are the whole part; it goes into the exponent.
    let whole = shifted.to_bits().wrapping_sub(ROUND.to_bits()) << 23;
    f32::from_bits(p.to_bits().wrapping_add(whole))
}

/// `x^b` for a positive, normal, finite x.
#[inline(always)]
pub fn power(x: f32, b: f32) -> f32 {
    exp2(b * log2(x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math;
    use crate::rng::Stream;

    /// Distance in units in the last place of `exact` rounded to f32.
    fn ulps(found: f32, exact: f64) -> f64 {
        let size = (exact as f32).abs().max(f32::MIN_POSITIVE);
        let unit = f64::from(f32::from_bits(size.to_bits() + 1)) - f64::from(size);
        (f64::from(found) - exact).abs() / unit
    }

    #[test]
    fn both_are_within_two_units_of_the_exact_value() {
        let mut s = Stream::new(5, 0, 0, 0);
        let (mut worst_log, mut worst_exp) = (0.0f64, 0.0f64);
        for round in 0..1_500_000 {
            // All magnitudes, and many close to one, where a logarithm is hard.
            let x = match round % 3 {
                0 => f32::from_bits(0x0080_0000 + s.below(0x7e80_0000) as u32),
                1 => (0.6 + 0.9 * s.uniform()) as f32,
                _ => (1.0 + 0.002 * (s.uniform() - 0.5)) as f32,
            };
            worst_log = worst_log.max(ulps(log2(x), math::log2(f64::from(x))));
            let x = (252.0 * s.uniform() - 126.0) as f32;
            worst_exp = worst_exp.max(ulps(exp2(x), math::pow(2.0, f64::from(x))));
        }
        assert!(
            worst_log <= 2.0 && worst_exp <= 2.0,
            "{worst_log} {worst_exp}"
        );
    }

    #[test]
    fn whole_numbers_and_bounds_are_exact() {
        for e in -126i32..=127 {
            let two = f32::from_bits(((e + 127) as u32) << 23);
            assert_eq!(log2(two), e as f32);
            assert_eq!(exp2(e as f32), two);
        }
        assert_eq!(exp2(-1e9), f32::from_bits(1 << 23));
        assert_eq!(exp2(1e9), f32::from_bits(254 << 23));
        assert_eq!(power(1.0, 1.3), 1.0);
    }

    #[test]
    fn powers_follow_the_exact_ones() {
        let mut s = Stream::new(6, 0, 0, 0);
        for _ in 0..20_000 {
            let b = (0.2 + 2.0 * s.uniform()) as f32;
            let x = f32::from_bits(0x3400_0000 + s.below(0x1500_0000) as u32);
            let exact = math::pow(f64::from(x), f64::from(b));
            let found = f64::from(power(x, b));
            // |b log2(x)| < 51 here: an error of 2^-23 of it, times ln 2.
            assert!((found / exact - 1.0).abs() < 1e-5, "{x} ^ {b}");
        }
    }

    #[test]
    fn wide_and_baseline_have_the_same_bits() {
        let x: Vec<f32> = (1..1000).map(|i| 0.037 * i as f32).collect();
        let run = || x.iter().map(|&x| power(x, 1.334).to_bits()).collect();
        let (plain, wide): (Vec<u32>, Vec<u32>) = (run(), crate::simd::wide(run));
        assert_eq!(plain, wide);
    }
}
