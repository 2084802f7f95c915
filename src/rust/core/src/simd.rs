//! Wide instructions by run-time dispatch, with the same bits on every path.
//!
//! [`wide`] runs a closure compiled a second time for AVX2 when the processor has
//! it. The loops inside keep a fixed number of lanes and a fixed final tree, and
//! Rust never contracts a product and a sum, so the instruction set changes the
//! time and nothing else. [`force`] pins a path; tests compare the results.

use std::sync::atomic::{AtomicU8, Ordering};

/// Lanes of every accumulator, whatever the registers of the machine.
pub const LANES: usize = 8;

/// Which code a call of [`wide`] runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// The best that the processor has.
    Auto,
    /// The baseline of the target.
    Baseline,
}

static FORCED: AtomicU8 = AtomicU8::new(0);

/// Pins the path for the whole process: for tests that compare results.
pub fn force(path: Path) {
    FORCED.store(u8::from(path == Path::Baseline), Ordering::Relaxed);
}

/// The name of the instruction set that [`wide`] uses now.
pub fn active() -> &'static str {
    if FORCED.load(Ordering::Relaxed) == 1 {
        return "baseline";
    }
    #[cfg(target_arch = "x86_64")]
    if pulp::x86::V3::try_new().is_some() {
        return "avx2";
    }
    "baseline"
}

/// Runs `f` with the widest instructions at hand. Everything `f` calls must be
/// `#[inline(always)]`, or it is compiled for the baseline.
#[inline(always)]
pub fn wide<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if FORCED.load(Ordering::Relaxed) == 0 {
        if let Some(simd) = pulp::x86::V3::try_new() {
            return simd.vectorize(f);
        }
    }
    f()
}

/// Adds the lanes pairwise: the one order of every wide sum.
#[inline(always)]
pub fn tree(lanes: [f64; LANES]) -> f64 {
    let four = [
        lanes[0] + lanes[4],
        lanes[1] + lanes[5],
        lanes[2] + lanes[6],
        lanes[3] + lanes[7],
    ];
    (four[0] + four[2]) + (four[1] + four[3])
}

/// Sum over items of `f(a_i, b_i)` in fixed lanes; the tail goes to lane 0.., in
/// order. O(n).
#[inline(always)]
pub fn zip_sum(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let mut lanes = [0.0; LANES];
    let (ca, cb) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (ra, rb) = (ca.remainder(), cb.remainder());
    for (x, y) in ca.zip(cb) {
        for l in 0..LANES {
            lanes[l] += f(x[l], y[l]);
        }
    }
    for (l, (&x, &y)) in ra.iter().zip(rb).enumerate() {
        lanes[l] += f(x, y);
    }
    tree(lanes)
}

/// Inner product.
#[inline(always)]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    zip_sum(a, b, |x, y| x * y)
}

/// Sum of the entries.
#[inline(always)]
pub fn sum(a: &[f64]) -> f64 {
    zip_sum(a, a, |x, _| x)
}

/// `y += alpha x`.
#[inline(always)]
pub fn axpy(alpha: f64, x: &[f64], y: &mut [f64]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += alpha * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_gives_the_same_bits() {
        let a: Vec<f64> = (0..1003).map(|i| 1.0 / (i as f64 + 0.7)).collect();
        let b: Vec<f64> = (0..1003).map(|i| (i as f64 * 0.37) % 1.0 - 0.5).collect();
        let plain = dot(&a, &b);
        let fast = wide(|| dot(&a, &b));
        assert_eq!(plain.to_bits(), fast.to_bits());
    }
}
