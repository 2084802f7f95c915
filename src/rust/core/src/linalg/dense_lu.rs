//! The exact solution of a small absorbing chain.
//!
//! Cells are taken out of the chain one after the other; what flowed through the
//! cell taken out is redirected, so only positive numbers are ever added (Grassmann,
//! Taksar & Heyman 1985; for systems that lose mass: Alfa, Xue & Ye 2002). Nothing
//! cancels, so every entry of the factors has a small *relative* error even when a
//! group of cells is left with probability 1e-15 per step, where the usual
//! elimination knows nothing any more.
//!
//! The matrix is `A = D - Q` with `Q >= 0` off the diagonal, `D_i = leak_i + sum_j
//! Q_ij`, that is an M-matrix given by its rates. Factors: `A = L U` without
//! pivoting, O(n^3 / 3) products and as many sums, n^2 numbers.

use super::block::Operator;
use crate::error::{try_filled, CoreError, Result};
use crate::exec::{split_at_bounds, Exec};
use crate::simd;
use crate::sparse::csr::{row, Csr};

/// Rows that are eliminated together while one row of U stays in cache.
const PANEL: usize = 32;

/// `A = L U` of a dense M-matrix given by its rates.
#[derive(Debug, Clone)]
pub struct DenseLu {
    n: usize,
    /// Row i: multipliers `l_ik` for k < i, rates `u_ij` for j > i (both with the
    /// sign turned, so all are >= 0), the pivot at i.
    rates: Vec<f64>,
}

impl DenseLu {
    /// Factors `D - Q` from the off-diagonal rates `q` (entries on the diagonal are
    /// ignored) and the leaks. O(n^3), rows of a panel in parallel.
    ///
    /// # Errors
    /// `singular` when some cells never leak, `memory`, `interrupted`.
    pub fn new(exec: &Exec, q: &Csr, leak: &[f64]) -> Result<DenseLu> {
        let n = leak.len();
        debug_assert_eq!((q.rows(), q.cols()), (n, n));
        let mut rates = try_filled(n * n, 0.0, "a dense matrix")?;
        let mut leak = leak.to_vec();
        for i in 0..n {
            let (cols, values) = row(q, i);
            for (&j, &v) in cols.iter().zip(values) {
                rates[i * n + j as usize] = v;
            }
        }
        for start in (0..n).step_by(PANEL) {
            let end = (start + PANEL).min(n);
            eliminate_panel(exec, n, (start, end), &mut rates, &mut leak)?;
            for i in start..end {
                let (done, rest) = rates.split_at_mut(i * n);
                let own = &mut rest[..n];
                let (known, open) = leak.split_at_mut(i);
                for k in start..i {
                    take_out(k, &done[k * n..(k + 1) * n], known[k], own, &mut open[0]);
                }
                own[i] = 0.0;
                own[i] = open[0] + simd::sum(&own[i + 1..]);
                if own[i] <= 0.0 || !own[i].is_finite() {
                    return Err(CoreError::Singular {
                        what: "the chain among the transient cells".into(),
                        condition: f64::INFINITY,
                    });
                }
            }
        }
        Ok(DenseLu { n, rates })
    }

    /// Solves for every column of the block in place. O(n^2 k).
    pub fn solve(&self, b: &mut [f64], k: usize) {
        let n = self.n;
        if k == 0 {
            return;
        }
        simd::wide(
            #[inline(always)]
            || {
                for i in 0..n {
                    let (done, own) = b.split_at_mut(i * k);
                    for (&l, x) in self.rates[i * n..].iter().zip(done.chunks_exact(k)) {
                        simd::axpy(l, x, &mut own[..k]);
                    }
                }
                for i in (0..n).rev() {
                    let (own, done) = b[i * k..].split_at_mut(k);
                    let rates = &self.rates[i * n..(i + 1) * n];
                    for (&u, x) in rates[i + 1..].iter().zip(done.chunks_exact(k)) {
                        simd::axpy(u, x, own);
                    }
                    own.iter_mut().for_each(|v| *v /= rates[i]);
                }
            },
        );
    }
}

impl Operator for DenseLu {
    fn size(&self) -> usize {
        self.n
    }

    fn apply(&self, exec: &Exec, x: &[f64], k: usize, out: &mut [f64]) -> Result<()> {
        exec.check()?;
        out.copy_from_slice(x);
        self.solve(out, k);
        Ok(())
    }
}

/// Takes the cells before the panel out of every row of it.
fn eliminate_panel(
    exec: &Exec,
    n: usize,
    (start, end): (usize, usize),
    rates: &mut [f64],
    leak: &mut [f64],
) -> Result<()> {
    let (done, rest) = rates.split_at_mut(start * n);
    let (known, open) = leak.split_at_mut(start);
    let size = end - start;
    // The division of labour: rows do not touch each other, so it never shows.
    let step = size.div_ceil(exec.threads());
    let cuts: Vec<usize> = (0..=size.div_ceil(step))
        .map(|t| (t * step).min(size))
        .collect();
    let by_row: Vec<usize> = cuts.iter().map(|c| c * n).collect();
    let tasks = split_at_bounds(&mut rest[..size * n], &by_row)
        .into_iter()
        .zip(split_at_bounds(&mut open[..size], &cuts))
        .collect();
    exec.for_each(tasks, |(rows, leaks): (&mut [f64], &mut [f64])| {
        simd::wide(
            #[inline(always)]
            || {
                for (k, pivot_row) in done.chunks_exact(n).enumerate() {
                    for (own, leak) in rows.chunks_exact_mut(n).zip(leaks.iter_mut()) {
                        take_out(k, pivot_row, known[k], own, leak);
                    }
                }
            },
        );
        Ok(())
    })
}

/// Takes cell `k` out of one row: what went to k goes where k goes.
#[inline(always)]
fn take_out(k: usize, pivot_row: &[f64], pivot_leak: f64, own: &mut [f64], leak: &mut f64) {
    if own[k] != 0.0 {
        let share = own[k] / pivot_row[k];
        own[k] = share;
        simd::axpy(share, &pivot_row[k + 1..], &mut own[k + 1..]);
        *leak += share * pivot_leak;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;
    use nalgebra::DMatrix;

    fn chain(n: usize, leak: f64) -> (Csr, Vec<f64>) {
        let mut s = Stream::new(1, 2, 3, n as u64);
        let rows = (0..n)
            .map(|i| {
                (0..n)
                    .filter(|&j| j != i)
                    .map(|j| (j as u32, s.uniform() / n as f64))
                    .collect()
            })
            .collect();
        let leaks = (0..n)
            .map(|i| if i % 7 == 0 { leak } else { 0.0 })
            .collect();
        (from_rows(n, rows).unwrap(), leaks)
    }

    #[test]
    fn solves_as_a_pivoted_decomposition_does() {
        let (n, k) = (75, 2);
        let (q, leak) = chain(n, 0.3);
        let lu = DenseLu::new(&Exec::serial(), &q, &leak).unwrap();
        let b: Vec<f64> = (0..n * k).map(|i| (i as f64 * 0.61) % 1.0).collect();
        let mut x = b.clone();
        lu.solve(&mut x, k);
        let mut a = DMatrix::zeros(n, n);
        for i in 0..n {
            let (cols, values) = row(&q, i);
            a[(i, i)] = leak[i] + values.iter().sum::<f64>();
            for (&j, &v) in cols.iter().zip(values) {
                a[(i, j as usize)] = -v;
            }
        }
        let want = a.lu().solve(&DMatrix::from_row_slice(n, k, &b)).unwrap();
        for i in 0..n {
            for c in 0..k {
                assert!((x[i * k + c] - want[(i, c)]).abs() < 1e-11 * want[(i, c)].abs());
            }
        }
    }

    #[test]
    fn tiny_leaks_keep_their_relative_accuracy() {
        // From either of two cells: to the other with rate 1, out with rate e.
        let e = 1e-18;
        let q = from_rows(2, vec![vec![(1, 1.0)], vec![(0, 1.0)]]).unwrap();
        let lu = DenseLu::new(&Exec::serial(), &q, &[e, e]).unwrap();
        let mut x = [1.0, 1.0];
        lu.solve(&mut x, 1);
        assert!(x.iter().all(|v| (v * e - 1.0).abs() < 1e-14));
    }

    #[test]
    fn threads_do_not_change_a_bit_and_closed_chains_are_refused() {
        let (q, leak) = chain(101, 1e-3);
        let one = DenseLu::new(&Exec::serial(), &q, &leak).unwrap();
        for threads in [2, 4] {
            let exec = Exec::with_threads(threads).unwrap();
            let more = DenseLu::new(&exec, &q, &leak).unwrap();
            assert_eq!(one.rates, more.rates);
        }
        let e = DenseLu::new(&Exec::serial(), &q, &[0.0; 101]).unwrap_err();
        assert_eq!(e.kind(), "singular");
    }
}
