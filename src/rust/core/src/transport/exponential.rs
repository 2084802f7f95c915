//! The exponential in single precision, from products and sums alone.
//!
//! `exp(x) = 2^n exp(r)` with n the nearest whole number to `x / ln 2`; the rest r,
//! at most 0.35, goes into a polynomial of degree 6 fitted to the relative error
//! (4e-9, below the rounding of its evaluation). No branch and no table, so
//! that it runs in lanes and gives the same bits on every instruction set.

/// 1.5 * 2^23: adding it rounds to a whole number, kept in the lowest bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts, the first with few enough digits that `n * LN2_HIGH` is exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Below it the result is zero.
pub const LOWEST: f32 = -87.0;
/// Above it the result is that of the bound.
pub const HIGHEST: f32 = 88.0;

/// e to the x with a relative error below 2e-7; 0 below [`LOWEST`]. For every x
/// but NaN.
#[inline(always)]
pub fn exp32(x: f32) -> f32 {
    let held = if x > HIGHEST { HIGHEST } else { x };
    let shifted = held * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (held - n * LN2_HIGH) - n * LN2_LOW;
    let mut q = 1.381_454_2e-3;
    q = q * r + 8.368_745e-3;
    q = q * r + 4.166_839e-2;
    q = q * r + 1.666_652_1e-1;
    q = q * r + 4.999_999_4e-1;
    let p = (q * r) * r + r + 1.0;
    let scaled = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
    if x < LOWEST {
        0.0
    } else {
        scaled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math;

    #[test]
    fn it_is_the_exponential() {
        let mut worst = 0f64;
        for i in -870_000..=880_000 {
            let x = i as f32 * 1e-4;
            if (LOWEST..=HIGHEST).contains(&x) {
                let want = math::exp(f64::from(x));
                worst = worst.max((f64::from(exp32(x)) / want - 1.0).abs());
            }
        }
        assert!(worst < 2e-7, "{worst:e}");
    }

    #[test]
    fn the_ends_are_held() {
        assert_eq!(exp32(0.0), 1.0);
        assert_eq!(exp32(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp32(-87.1), 0.0);
        assert!(exp32(LOWEST) > 0.0);
        assert_eq!(exp32(f32::INFINITY), exp32(HIGHEST));
        assert!(exp32(HIGHEST).is_finite());
    }
}
