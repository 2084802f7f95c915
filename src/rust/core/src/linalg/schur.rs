//! Real Schur form of a small dense matrix.
//!
//! Every square matrix is `A = Q R Q'` with `Q` orthogonal and `R` upper triangular
//! except for 2 x 2 blocks on the diagonal, one per complex pair of eigenvalues. The
//! leading columns of `Q` span what the chain's slowest processes live on. Householder
//! reduction to Hessenberg form, then Francis' implicit double-shift QR steps (Golub &
//! Van Loan, *Matrix Computations*, sections 7.4 and 7.5), with each 2 x 2 block
//! rotated to equal diagonal entries (Bai & Demmel 1993).

use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::simd;
use nalgebra::{Complex, DMatrix};

/// QR steps allowed in all, per row; two or three are usual.
const STEPS: usize = 30;

/// A 2 x 2 block in standard form and the rotation that leads to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standard {
    /// `[a, b, c, d]` row by row; either c = 0, or a = d and b c < 0.
    pub block: [f64; 4],
    pub cs: f64,
    pub sn: f64,
}

/// `a = q r q'` for square `a` (n x n). O(25 n^3) time, O(n^2) memory.
///
/// # Errors
/// `shape` for a matrix that is not square, `range` for values that are not finite,
/// `not_converged`, `interrupted`.
pub fn real_schur(exec: &Exec, a: &DMatrix<f64>) -> Result<(DMatrix<f64>, DMatrix<f64>)> {
    if a.nrows() != a.ncols() {
        return Err(CoreError::Shape {
            what: "the matrix of a Schur decomposition".into(),
            expected: a.nrows(),
            found: a.ncols(),
        });
    }
    let count = a.iter().filter(|v| !v.is_finite()).count();
    if count > 0 {
        return Err(CoreError::NotFinite {
            what: "the matrix of a Schur decomposition".into(),
            count,
            cells: vec![],
        });
    }
    let (mut q, mut h) = hessenberg(exec, a)?;
    francis(exec, &mut q, &mut h)?;
    Ok((q, h))
}

/// Eigenvalues in the order of the diagonal of a quasi-triangular `r`; the member of
/// a pair with positive imaginary part comes first. O(n).
pub fn eigenvalues(r: &DMatrix<f64>) -> Vec<Complex<f64>> {
    let n = r.nrows();
    let mut values = Vec::with_capacity(n);
    while values.len() < n {
        let i = values.len();
        if block_size(r, i) == 1 {
            values.push(Complex::new(r[(i, i)], 0.0));
        } else {
            let s = standardise(r[(i, i)], r[(i, i + 1)], r[(i + 1, i)], r[(i + 1, i + 1)]);
            let [re, b, c, _] = s.block;
            let im = b.abs().sqrt() * c.abs().sqrt();
            values.extend([Complex::new(re, im), Complex::new(re, -im)]);
        }
    }
    values
}

/// 2 where a complex pair starts at `i`, else 1.
pub(crate) fn block_size(r: &DMatrix<f64>, i: usize) -> usize {
    if i + 1 < r.nrows() && r[(i + 1, i)] != 0.0 {
        2
    } else {
        1
    }
}

/// Rotates a real 2 x 2 block `[a b; c d]` to standard form (Bai & Demmel 1993).
pub(crate) fn standardise(a: f64, b: f64, c: f64, d: f64) -> Standard {
    let plain = |block, cs, sn| Standard { block, cs, sn };
    if c == 0.0 {
        return plain([a, b, 0.0, d], 1.0, 0.0);
    }
    if b == 0.0 {
        return plain([d, -c, 0.0, a], 0.0, 1.0);
    }
    if a == d && b.signum() != c.signum() {
        return plain([a, b, c, d], 1.0, 0.0);
    }
    let p = 0.5 * (a - d);
    let large = b.abs().max(c.abs());
    let small = b.abs().min(c.abs()) * b.signum() * c.signum();
    let scale = p.abs().max(large);
    // The discriminant p^2 + b c over the scale.
    let disc = p / scale * p + large / scale * small;
    if disc >= 4.0 * f64::EPSILON {
        let z = p + (scale.sqrt() * disc.sqrt()).copysign(p);
        let tau = (c * c + z * z).sqrt();
        return plain([d + z, b - c, 0.0, d - large / z * small], z / tau, c / tau);
    }
    let sigma = b + c;
    let tau = (sigma * sigma + 4.0 * p * p).sqrt();
    let cs = (0.5 * (1.0 + sigma.abs() / tau)).sqrt();
    let sn = -(p / (tau * cs)) * 1f64.copysign(sigma);
    let (aa, bb) = (a * cs + b * sn, b * cs - a * sn);
    let (cc, dd) = (c * cs + d * sn, d * cs - c * sn);
    let (b, c) = (bb * cs + dd * sn, cc * cs - aa * sn);
    let mean = 0.5 * ((aa * cs + cc * sn) + (dd * cs - bb * sn));
    if c == 0.0 {
        return plain([mean, b, 0.0, mean], cs, sn);
    }
    if b == 0.0 {
        return plain([mean, -c, 0.0, mean], -sn, cs);
    }
    if b.signum() != c.signum() {
        return plain([mean, b, c, mean], cs, sn);
    }
    // Rounding left two almost equal real eigenvalues: split them.
    let (sb, sc) = (b.abs().sqrt(), c.abs().sqrt());
    let p = (sb * sc).copysign(c);
    let tau = 1.0 / (b + c).abs().sqrt();
    let (cs1, sn1) = (sb * tau, sc * tau);
    plain(
        [mean + p, b - c, 0.0, mean - p],
        cs * cs1 - sn * sn1,
        cs * sn1 + sn * cs1,
    )
}

/// Applies the rotation to rows and columns `i`, `i + 1` of `r` and to the columns of
/// `q`, and writes the standard block where it belongs.
pub(crate) fn make_standard(q: &mut DMatrix<f64>, r: &mut DMatrix<f64>, i: usize) {
    let s = standardise(r[(i, i)], r[(i, i + 1)], r[(i + 1, i)], r[(i + 1, i + 1)]);
    let n = r.nrows();
    for j in i + 2..n {
        let (x, y) = (r[(i, j)], r[(i + 1, j)]);
        r[(i, j)] = s.cs * x + s.sn * y;
        r[(i + 1, j)] = s.cs * y - s.sn * x;
    }
    rotate_columns(r, i, i, s.cs, s.sn);
    let rows = q.nrows();
    rotate_columns(q, i, rows, s.cs, s.sn);
    let [a, b, c, d] = s.block;
    r[(i, i)] = a;
    r[(i, i + 1)] = b;
    r[(i + 1, i)] = c;
    r[(i + 1, i + 1)] = d;
}

fn rotate_columns(m: &mut DMatrix<f64>, i: usize, rows: usize, cs: f64, sn: f64) {
    for k in 0..rows {
        let (x, y) = (m[(k, i)], m[(k, i + 1)]);
        m[(k, i)] = cs * x + sn * y;
        m[(k, i + 1)] = cs * y - sn * x;
    }
}

/// `v` (first entry 1) and `beta` with `(I - beta v v') x` a multiple of the first
/// unit vector; that multiple comes third.
fn householder(x: &[f64], v: &mut [f64]) -> (f64, f64) {
    let scale = x.iter().fold(0.0f64, |m, &e| m.max(e.abs()));
    v.fill(0.0);
    v[0] = 1.0;
    if scale == 0.0 || x[1..].iter().all(|&e| e == 0.0) {
        return (0.0, x[0]);
    }
    let norm = scale
        * x.iter()
            .map(|&e| (e / scale) * (e / scale))
            .sum::<f64>()
            .sqrt();
    let alpha = -norm.copysign(x[0]);
    let first = x[0] - alpha;
    for (v, &x) in v[1..].iter_mut().zip(&x[1..]) {
        *v = x / first;
    }
    (-first / alpha, alpha)
}

/// Rows `at..at + v.len()` of columns `cols` become `(I - beta v v')` of themselves.
fn reflect_rows(
    m: &mut DMatrix<f64>,
    at: usize,
    cols: std::ops::Range<usize>,
    v: &[f64],
    beta: f64,
) {
    let n = m.nrows();
    let data = m.as_mut_slice();
    simd::wide(
        #[inline(always)]
        || {
            for j in cols {
                let part = &mut data[j * n + at..j * n + at + v.len()];
                let w = beta * simd::dot(part, v);
                simd::axpy(-w, v, part);
            }
        },
    );
}

/// Columns `at..at + v.len()` of rows `0..rows` become themselves `(I - beta v v')`.
fn reflect_columns(
    m: &mut DMatrix<f64>,
    at: usize,
    rows: usize,
    v: &[f64],
    beta: f64,
    work: &mut [f64],
) {
    let n = m.nrows();
    let data = m.as_mut_slice();
    let work = &mut work[..rows];
    simd::wide(
        #[inline(always)]
        || {
            work.fill(0.0);
            for (j, &e) in v.iter().enumerate() {
                simd::axpy(e, &data[(at + j) * n..(at + j) * n + rows], work);
            }
            for (j, &e) in v.iter().enumerate() {
                let column = &mut data[(at + j) * n..(at + j) * n + rows];
                simd::axpy(-beta * e, work, column);
            }
        },
    );
}

fn hessenberg(exec: &Exec, a: &DMatrix<f64>) -> Result<(DMatrix<f64>, DMatrix<f64>)> {
    let n = a.nrows();
    let (mut q, mut h) = (DMatrix::identity(n, n), a.clone());
    let (mut v, mut work) = (vec![0.0; n], vec![0.0; n]);
    for k in 0..n.saturating_sub(2) {
        exec.check()?;
        let v = &mut v[..n - k - 1];
        let x: Vec<f64> = (k + 1..n).map(|i| h[(i, k)]).collect();
        let (beta, alpha) = householder(&x, v);
        h[(k + 1, k)] = alpha;
        for i in k + 2..n {
            h[(i, k)] = 0.0;
        }
        if beta == 0.0 {
            continue;
        }
        reflect_rows(&mut h, k + 1, k + 1..n, v, beta);
        reflect_columns(&mut h, k + 1, n, v, beta, &mut work);
        reflect_columns(&mut q, k + 1, n, v, beta, &mut work);
    }
    Ok((q, h))
}

/// Deflates a Hessenberg `h` from the bottom until it is quasi-triangular.
fn francis(exec: &Exec, q: &mut DMatrix<f64>, h: &mut DMatrix<f64>) -> Result<()> {
    let n = h.nrows();
    let norm = h.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let mut work = vec![0.0; n];
    let (mut end, mut steps, mut all) = (n, 0, 0);
    while end > 0 {
        let hi = end - 1;
        let lo = deflation(h, hi, norm);
        if hi - lo < 2 {
            if hi - lo == 1 {
                make_standard(q, h, lo);
            }
            end = lo;
            steps = 0;
            continue;
        }
        if all == STEPS * n.max(10) {
            return Err(CoreError::NotConverged {
                what: "the Schur decomposition".into(),
                iterations: all,
                residual: h[(hi, hi - 1)].abs() / norm,
                tolerance: f64::EPSILON,
            });
        }
        exec.check()?;
        steps += 1;
        all += 1;
        double_step(q, h, (lo, hi), steps, &mut work);
    }
    Ok(())
}

/// Start of the unreduced block that ends at `hi`; what is negligible becomes zero.
fn deflation(h: &mut DMatrix<f64>, hi: usize, norm: f64) -> usize {
    for l in (1..=hi).rev() {
        // Next to tiny diagonal entries the size of the whole matrix decides, which
        // is backward stable; waiting for more can take for ever.
        let s = (h[(l - 1, l - 1)].abs() + h[(l, l)].abs()).max(0.1 * norm);
        if h[(l, l - 1)].abs() <= f64::EPSILON * s {
            h[(l, l - 1)] = 0.0;
            return l;
        }
    }
    0
}

/// One implicit double-shift step on rows and columns `lo..=hi`.
fn double_step(
    q: &mut DMatrix<f64>,
    h: &mut DMatrix<f64>,
    (lo, hi): (usize, usize),
    step: usize,
    work: &mut [f64],
) {
    let n = h.nrows();
    let (c, d) = (h[(hi, hi - 1)], h[(hi, hi)]);
    let shifts = if step % 10 == 0 {
        // An exceptional shift breaks the cycles that the usual one can enter.
        let s = c.abs() + h[(hi - 1, hi - 2)].abs();
        [d + 0.75 * s, d + 0.75 * s, -0.4375 * s * s]
    } else {
        [h[(hi - 1, hi - 1)], d, h[(hi - 1, hi)] * c]
    };
    let (from, mut x) = bulge(h, (lo, hi), shifts);
    let mut v = [0.0; 3];
    for k in from..hi {
        let size = 3.min(hi - k + 1);
        if k > from {
            for (s, x) in x.iter_mut().enumerate().take(size) {
                *x = h[(k + s, k - 1)];
            }
        }
        let (beta, alpha) = householder(&x[..size], &mut v[..size]);
        if k > from {
            h[(k, k - 1)] = alpha;
            for s in 1..size {
                h[(k + s, k - 1)] = 0.0;
            }
        } else if k > lo {
            // The entries that this makes below the subdiagonal are negligible.
            h[(k, k - 1)] *= 1.0 - beta;
        }
        if beta == 0.0 {
            continue;
        }
        let v = &v[..size];
        reflect_rows(h, k, k..n, v, beta);
        reflect_columns(h, k, (k + 4).min(hi + 1), v, beta, work);
        reflect_columns(q, k, n, v, beta, work);
    }
}

/// Where the bulge may start (two consecutive small subdiagonal entries) and the
/// first column of `(H - s1)(H - s2)` there, scaled. The shifts are the eigenvalues of
/// a matrix with diagonal `y`, `z` and product `w` of the other two entries; only
/// differences enter, for eigenvalues that almost coincide.
fn bulge(h: &DMatrix<f64>, (lo, hi): (usize, usize), [y, z, w]: [f64; 3]) -> (usize, [f64; 3]) {
    let mut m = hi - 2;
    loop {
        let (a, b) = (h[(m, m)], h[(m, m + 1)]);
        let (c, d) = (h[(m + 1, m)], h[(m + 1, m + 1)]);
        let (s1, s2) = (y - a, z - a);
        // Inside an unreduced block c is not zero.
        let mut x = [(s1 * s2 - w) / c + b, d - a - s1 - s2, h[(m + 2, m + 1)]];
        let s = x.iter().map(|e| e.abs()).sum::<f64>();
        if s > 0.0 {
            x = x.map(|e| e / s);
        }
        if m == lo {
            return (m, x);
        }
        let small = h[(m, m - 1)].abs() * (x[1].abs() + x[2].abs());
        let near = h[(m - 1, m - 1)].abs() + a.abs() + d.abs();
        if small <= f64::EPSILON * x[0].abs() * near {
            return (m, x);
        }
        m -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    pub(crate) fn random(seed: u64, n: usize) -> DMatrix<f64> {
        let mut s = Stream::new(seed, 2, 0, 0);
        DMatrix::from_fn(n, n, |_, _| s.normal())
    }

    fn check(a: &DMatrix<f64>) -> Vec<Complex<f64>> {
        let n = a.nrows();
        let (q, r) = real_schur(&Exec::serial(), a).unwrap();
        let size = a.norm().max(1e-300);
        assert!((&q * &r * q.transpose() - a).norm() <= 1e-13 * size * (n as f64).sqrt());
        assert!((q.transpose() * &q - DMatrix::identity(n, n)).norm() < 1e-12);
        for j in 0..n {
            for i in j + 1..n {
                assert!(i == j + 1 && block_size(&r, j) == 2 || r[(i, j)] == 0.0);
            }
            if block_size(&r, j) == 2 {
                assert_eq!(r[(j, j)], r[(j + 1, j + 1)]);
                assert!(r[(j, j + 1)] * r[(j + 1, j)] < 0.0);
                assert!(j + 2 >= n || r[(j + 2, j + 1)] == 0.0);
            }
        }
        eigenvalues(&r)
    }

    #[test]
    fn random_matrices_of_every_size_come_apart() {
        for n in 0..40 {
            let values = check(&random(n as u64, n));
            assert_eq!(values.len(), n);
        }
        check(&random(99, 120));
    }

    #[test]
    fn hard_matrices_come_apart() {
        // A cyclic shift (no usual shift converges), a nilpotent Jordan block, zero,
        // identical rows, and a reducible chain.
        let n = 12;
        let shift = DMatrix::from_fn(n, n, |i, j| f64::from(u8::from((i + 1) % n == j)));
        for v in check(&shift) {
            assert!((v.norm_sqr() - 1.0).abs() < 1e-12);
        }
        let jordan = DMatrix::from_fn(n, n, |i, j| f64::from(u8::from(i + 1 == j)));
        check(&jordan);
        check(&jordan.transpose());
        check(&DMatrix::zeros(n, n));
        check(&DMatrix::from_element(n, n, 1.0 / n as f64));
        let blocks = DMatrix::from_fn(n, n, |i, j| if i / 3 == j / 3 { 1.0 / 3.0 } else { 0.0 });
        let ones = check(&blocks)
            .iter()
            .filter(|v| (v.re - 1.0).abs() < 1e-12)
            .count();
        assert_eq!(ones, 4);
    }

    #[test]
    fn companion_matrices_give_the_roots() {
        // (x - 1)(x - 2)(x - 3)(x^2 + 1)
        let coef = [-6.0, 11.0, -12.0, 12.0, -6.0];
        let a = DMatrix::from_fn(5, 5, |i, j| {
            if j == 4 {
                -coef[i]
            } else {
                f64::from(u8::from(i == j + 1))
            }
        });
        let mut values = check(&a);
        values.sort_by(|x, y| (x.re, x.im).partial_cmp(&(y.re, y.im)).unwrap());
        for (v, (re, im)) in
            values
                .iter()
                .zip([(0.0, -1.0), (0.0, 1.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0)])
        {
            assert!((v.re - re).abs() < 1e-11 && (v.im - im).abs() < 1e-11);
        }
    }

    #[test]
    fn standard_blocks_are_similar_to_what_they_came_from() {
        let mut s = Stream::new(5, 5, 0, 0);
        for k in 0..2000 {
            let mut e = [s.normal(), s.normal(), s.normal(), s.normal()];
            if k % 3 == 0 {
                e[3] = e[0] * (1.0 + 1e-15);
            }
            if k % 5 == 0 {
                e[2] *= 1e-12;
            }
            let t = standardise(e[0], e[1], e[2], e[3]);
            let m = DMatrix::from_row_slice(2, 2, &e);
            let g = DMatrix::from_row_slice(2, 2, &[t.cs, t.sn, -t.sn, t.cs]);
            let got = DMatrix::from_row_slice(2, 2, &t.block);
            assert!((&g * m * g.transpose() - &got).norm() < 1e-13 * (1.0 + got.norm()));
            let [a, b, c, d] = t.block;
            assert!(c == 0.0 || (a == d && b * c < 0.0));
        }
    }

    #[test]
    fn what_is_not_square_or_finite_is_refused() {
        let exec = Exec::serial();
        let e = |m: DMatrix<f64>| real_schur(&exec, &m).unwrap_err().kind();
        assert_eq!(e(DMatrix::zeros(2, 3)), "shape");
        assert_eq!(e(DMatrix::from_element(2, 2, f64::NAN)), "range");
    }
}
