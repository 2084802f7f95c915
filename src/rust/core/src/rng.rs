//! Counter-based random streams: a draw depends on what it is for.
//!
//! A stream is keyed by `(seed, purpose, a, b)`, its n-th draw by n, each key word
//! passed through the splitmix64 finaliser (Steele, Lea & Flood 2014). Nothing is
//! shared between streams, so items can be handled in any order on any number of
//! threads. [`Stream`] is a [`rand::RngCore`]; the draws below are our own because
//! their bits must never change with a version of `rand`.

use crate::math;
use rand::RngCore;

/// The splitmix64 finaliser.
#[inline]
pub fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stream of random numbers of its own.
#[derive(Debug, Clone)]
pub struct Stream {
    key: u64,
    counter: u64,
}

impl Stream {
    /// The stream of item `(a, b)` for `purpose` (a constant of the caller).
    pub fn new(seed: u64, purpose: u64, a: u64, b: u64) -> Stream {
        let mut key = mix(seed.wrapping_add(STEP));
        for word in [purpose, a, b] {
            key = mix(key ^ mix(word.wrapping_add(STEP)));
        }
        Stream { key, counter: 0 }
    }

    /// Uniform on [0, 1): the top 53 bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform on 0..n (n > 0): the high half of a 64 x 64 product.
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// Standard normal, by Box and Muller (1958).
    pub fn normal(&mut self) -> f64 {
        let u = 1.0 - self.uniform();
        let v = self.uniform();
        (-2.0 * math::ln(u)).sqrt() * math::cos(2.0 * std::f64::consts::PI * v)
    }

    /// Exponential with mean one.
    pub fn exponential(&mut self) -> f64 {
        -math::ln(1.0 - self.uniform())
    }

    /// A random permutation of 0..n (Fisher and Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut p: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            p.swap(i, self.below(i + 1));
        }
        p
    }
}

impl RngCore for Stream {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(STEP);
        mix(self.key ^ mix(self.counter))
    }

    fn fill_bytes(&mut self, dst: &mut [u8]) {
        for part in dst.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_key() {
        let draw = |s, p, a, b| Stream::new(s, p, a, b).next_u64();
        assert_eq!(draw(1, 2, 3, 4), draw(1, 2, 3, 4));
        let all = [
            draw(1, 2, 3, 4),
            draw(2, 2, 3, 4),
            draw(1, 3, 3, 4),
            draw(1, 2, 4, 4),
            draw(1, 2, 3, 5),
        ];
        for i in 0..all.len() {
            for j in 0..i {
                assert_ne!(all[i], all[j]);
            }
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut s = Stream::new(7, 0, 0, 0);
        let n = 200_000;
        let (mut u, mut z, mut z2, mut e) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..n {
            u += s.uniform();
            let x = s.normal();
            z += x;
            z2 += x * x;
            e += s.exponential();
        }
        let n = f64::from(n);
        // Five standard errors each.
        assert!((u / n - 0.5).abs() < 5.0 * 0.289 / n.sqrt());
        assert!((z / n).abs() < 5.0 / n.sqrt());
        assert!((z2 / n - 1.0).abs() < 5.0 * 1.42 / n.sqrt());
        assert!((e / n - 1.0).abs() < 5.0 / n.sqrt());
    }

    #[test]
    fn permutations_are_permutations() {
        let mut p = Stream::new(3, 1, 4, 1).permutation(1000);
        assert_ne!(p[..5], [0, 1, 2, 3, 4]);
        p.sort_unstable();
        assert!(p.iter().enumerate().all(|(i, &v)| i == v));
    }
}
