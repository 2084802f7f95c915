//! BFGS with a weak Wolfe line search for piecewise smooth functions.
//!
//! Lewis & Overton (2013) found that the plain method, fed with whatever gradient the
//! current piece has, converges to minima where pieces meet, as long as the line
//! search asks only for the weak Wolfe conditions (by doubling and bisection).

use crate::error::Result;
use crate::simd;

/// Sufficient decrease and curvature of the line search.
const WOLFE: (f64, f64) = (1e-4, 0.5);

/// Bisections of one line search.
const SEARCH: usize = 40;

/// Iterations over which too little progress ends the run.
const WINDOW: usize = 30;

/// Best point and its value from `start`; `f` writes the gradient. O(N^2) per
/// iteration beside the evaluations.
///
/// # Errors
/// Those of `f`.
pub(crate) fn minimise<F>(
    start: &[f64],
    iterations: usize,
    tolerance: f64,
    mut f: F,
) -> Result<(Vec<f64>, f64)>
where
    F: FnMut(&[f64], &mut [f64]) -> Result<f64>,
{
    let n = start.len();
    let mut x = start.to_vec();
    let mut g = vec![0.0; n];
    let mut value = f(&x, &mut g)?;
    let mut inverse = scaled_identity(&x, &g);
    let (mut direction, mut y, mut next, mut next_g) =
        (vec![0.0; n], vec![0.0; n], x.clone(), g.clone());
    let (mut before, mut fresh) = (value, true);
    for iteration in 1..=iterations {
        times(&inverse, &g, &mut direction);
        direction.iter_mut().for_each(|d| *d = -*d);
        let mut slope = simd::dot(&direction, &g);
        if slope.is_nan() || slope >= 0.0 {
            inverse = scaled_identity(&x, &g);
            times(&inverse, &g, &mut direction);
            direction.iter_mut().for_each(|d| *d = -*d);
            slope = simd::dot(&direction, &g);
        }
        let found = search(&x, value, slope, &direction, &mut next, &mut next_g, &mut f)?;
        let Some((step, lower)) = found else {
            // A line search that cannot descend ends the run, unless the curvature
            // gathered so far is to blame.
            if fresh {
                break;
            }
            inverse = scaled_identity(&x, &g);
            fresh = true;
            continue;
        };
        fresh = false;
        for i in 0..n {
            y[i] = next_g[i] - g[i];
        }
        direction.iter_mut().for_each(|d| *d *= step);
        update(&mut inverse, &direction, &y);
        std::mem::swap(&mut x, &mut next);
        std::mem::swap(&mut g, &mut next_g);
        value = lower;
        if iteration % WINDOW == 0 {
            if before - value <= tolerance {
                break;
            }
            before = value;
        }
    }
    Ok((x, value))
}

/// The identity times a tenth of the length of `x` over that of `g`.
fn scaled_identity(x: &[f64], g: &[f64]) -> Vec<f64> {
    let n = x.len();
    let (x, g) = (simd::dot(x, x).sqrt(), simd::dot(g, g).sqrt());
    let scale = if g > 0.0 { 0.1 * x / g } else { 1.0 };
    let mut h = vec![0.0; n * n];
    for i in 0..n {
        h[i * n + i] = scale;
    }
    h
}

fn times(h: &[f64], v: &[f64], out: &mut [f64]) {
    let n = v.len();
    simd::wide(
        #[inline(always)]
        || {
            for (row, out) in h.chunks_exact(n).zip(out) {
                *out = simd::dot(row, v);
            }
        },
    );
}

/// The inverse update for step `s` and change of gradient `y`, skipped where the
/// curvature is not positive.
fn update(h: &mut [f64], s: &[f64], y: &[f64]) {
    let n = s.len();
    let curvature = simd::dot(s, y);
    let floor = 1e-14 * simd::dot(s, s).sqrt() * simd::dot(y, y).sqrt();
    if curvature.is_nan() || curvature <= floor {
        return;
    }
    let mut hy = vec![0.0; n];
    times(h, y, &mut hy);
    let rho = 1.0 / curvature;
    let scale = rho * (1.0 + rho * simd::dot(y, &hy));
    simd::wide(
        #[inline(always)]
        || {
            for (i, row) in h.chunks_exact_mut(n).enumerate() {
                let (with_s, with_hy) = (scale * s[i] - rho * hy[i], -rho * s[i]);
                for ((h, &s), &hy) in row.iter_mut().zip(s).zip(&hy) {
                    *h += with_s * s + with_hy * hy;
                }
            }
        },
    );
}

/// A step that satisfies the weak Wolfe conditions, or the last one that decreased the
/// value enough; `next` and its gradient are left there.
fn search<F>(
    x: &[f64],
    value: f64,
    slope: f64,
    direction: &[f64],
    next: &mut [f64],
    next_g: &mut [f64],
    f: &mut F,
) -> Result<Option<(f64, f64)>>
where
    F: FnMut(&[f64], &mut [f64]) -> Result<f64>,
{
    let (mut low, mut high, mut step) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..SEARCH {
        for ((n, &x), &d) in next.iter_mut().zip(x).zip(direction) {
            *n = x + step * d;
        }
        let here = f(next, next_g)?;
        if here.is_nan() || here >= value + WOLFE.0 * step * slope {
            high = step;
        } else if simd::dot(direction, next_g) < WOLFE.1 * slope {
            low = step;
        } else {
            return Ok(Some((step, here)));
        }
        step = if high.is_finite() {
            0.5 * (low + high)
        } else {
            2.0 * low
        };
    }
    if low == 0.0 {
        return Ok(None);
    }
    for ((n, &x), &d) in next.iter_mut().zip(x).zip(direction) {
        *n = x + low * d;
    }
    let here = f(next, next_g)?;
    Ok(Some((low, here)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smooth_valley_and_a_kink_are_solved() {
        let (x, value) = minimise(&[-1.2, 1.0], 500, 1e-14, |x, g| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            g[0] = -2.0 * a - 400.0 * x[0] * b;
            g[1] = 200.0 * b;
            Ok(a * a + 100.0 * b * b)
        })
        .unwrap();
        assert!(value < 1e-10 && (x[1] - 1.0).abs() < 1e-4);
        // max |x_i| times weights: not differentiable at its minimum. The start has no
        // tie, where one piece's gradient need not point down.
        let (_, value) = minimise(&[3.1, -2.0, 0.7], 500, 1e-14, |x, g| {
            let (mut at, mut best) = (0, -1.0);
            for (i, v) in x.iter().enumerate() {
                let w = v.abs() * (i + 1) as f64;
                if w > best {
                    (at, best) = (i, w);
                }
            }
            g.fill(0.0);
            g[at] = (at + 1) as f64 * x[at].signum();
            Ok(best)
        })
        .unwrap();
        assert!(value < 1e-6, "{value}");
    }
}
