//! Approximate inverses that make the iterative solvers fast.
//!
//! All of them take the matrix of an absorbing chain by its rates: `A = D - Q`, `Q
//! >= 0` off the diagonal, `D_i = leak_i + sum_j Q_ij`. The incomplete factorisation
//! keeps the pattern of the matrix, ILU(0) (Meijerink & van der Vorst 1977, who
//! prove that it exists for M-matrices); it is computed without subtractions, as
//! [`super::dense_lu`] does. [`TwoLevel`] adds a correction on groups of cells
//! ([`super::coarse`]) for what lingers in groups that are rarely left.

use super::block::{columns, put_columns, Operator};
use super::coarse::Coarse;
use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::simd;
use crate::sparse::csr::{row, Csr};

/// Division by the diagonal.
#[derive(Debug, Clone)]
pub struct Jacobi {
    diagonal: Vec<f64>,
}

impl Jacobi {
    /// From the diagonal, which must not contain zeros.
    pub fn new(diagonal: Vec<f64>) -> Jacobi {
        Jacobi { diagonal }
    }

    /// Of `D - Q` given by its off-diagonal rates and leaks. O(entries).
    ///
    /// # Errors
    /// `singular` when a cell is never left.
    pub fn of_rates(q: &Csr, leak: &[f64]) -> Result<Jacobi> {
        let leaving = |(i, leak): (usize, &f64)| leak + row(q, i).1.iter().sum::<f64>();
        let diagonal: Vec<f64> = leak.iter().enumerate().map(leaving).collect();
        if diagonal.iter().any(|&d| d <= 0.0 || !d.is_finite()) {
            return Err(CoreError::Singular {
                what: "the chain among the transient cells".into(),
                condition: f64::INFINITY,
            });
        }
        Ok(Jacobi { diagonal })
    }
}

impl Operator for Jacobi {
    fn size(&self) -> usize {
        self.diagonal.len()
    }

    fn apply(&self, exec: &Exec, x: &[f64], k: usize, out: &mut [f64]) -> Result<()> {
        exec.check()?;
        for (i, (o, x)) in out.chunks_exact_mut(k).zip(x.chunks_exact(k)).enumerate() {
            for (o, x) in o.iter_mut().zip(x) {
                *o = x / self.diagonal[i];
            }
        }
        Ok(())
    }
}

/// One triangle by rows, without its diagonal.
#[derive(Debug, Clone, PartialEq)]
struct Triangle {
    start: Vec<usize>,
    cols: Vec<u32>,
    values: Vec<f64>,
}

impl Triangle {
    fn new(n: usize, entries: usize) -> Result<Triangle> {
        let mut start = try_with_capacity(n + 1, "a preconditioner")?;
        start.push(0);
        Ok(Triangle {
            start,
            cols: try_with_capacity(entries, "a preconditioner")?,
            values: try_with_capacity(entries, "a preconditioner")?,
        })
    }

    #[inline(always)]
    fn row(&self, i: usize) -> (&[u32], &[f64]) {
        let range = self.start[i]..self.start[i + 1];
        (&self.cols[range.clone()], &self.values[range])
    }

    fn push(&mut self, cols: &[u32], values: &[f64]) {
        self.cols.extend_from_slice(cols);
        self.values.extend_from_slice(values);
        self.start.push(self.cols.len());
    }
}

/// The incomplete factors `L U ~ A` on the pattern of A.
#[derive(Debug, Clone, PartialEq)]
pub struct Ilu0 {
    lower: Triangle,
    upper: Triangle,
    pivots: Vec<f64>,
}

impl Ilu0 {
    /// Factors `D - Q` from the off-diagonal rates `q` (no entry on the diagonal)
    /// and the leaks. Sequential; O(sum over entries (i, k) of the row length of k).
    ///
    /// # Errors
    /// `singular` when some cells never leak, `memory`, `interrupted`.
    pub fn new(exec: &Exec, q: &Csr, leak: &[f64]) -> Result<Ilu0> {
        let n = leak.len();
        let mut f = Ilu0 {
            lower: Triangle::new(n, q.nnz())?,
            upper: Triangle::new(n, q.nnz())?,
            pivots: try_with_capacity(n, "a preconditioner")?,
        };
        // Where column j stands in the row at hand, plus one; 0 when absent.
        let mut place = try_filled(n, 0u32, "a preconditioner")?;
        // What leaves for good or along an entry that the pattern has no room for.
        let mut lost = leak.to_vec();
        for i in 0..n {
            if i % 4096 == 0 {
                exec.check()?;
            }
            let (cols, values) = row(q, i);
            let mut own = values.to_vec();
            for (at, &c) in cols.iter().enumerate() {
                place[c as usize] = at as u32 + 1;
            }
            let below = cols.partition_point(|&c| (c as usize) < i);
            for at in 0..below {
                let k = cols[at] as usize;
                let share = own[at] / f.pivots[k];
                own[at] = share;
                lost[i] += share * lost[k];
                let (to, rates) = f.upper.row(k);
                for (&j, &u) in to.iter().zip(rates) {
                    match place[j as usize] {
                        // Back to the row's own cell: no step at all.
                        0 if j as usize == i => {}
                        0 => lost[i] += share * u,
                        p => own[p as usize - 1] += share * u,
                    }
                }
            }
            for &c in cols {
                place[c as usize] = 0;
            }
            let pivot = lost[i] + own[below..].iter().sum::<f64>();
            if pivot <= 0.0 || !pivot.is_finite() {
                return Err(CoreError::Singular {
                    what: "the chain among the transient cells".into(),
                    condition: f64::INFINITY,
                });
            }
            f.pivots.push(pivot);
            f.lower.push(&cols[..below], &own[..below]);
            f.upper.push(&cols[below..], &own[below..]);
        }
        Ok(f)
    }

    /// Solves `L U x = b` for every column of the block in place. O(entries * k).
    pub fn solve(&self, b: &mut [f64], k: usize) {
        match k {
            0 => {}
            // Widths known to the compiler: one column to four at a time.
            1 => self.solve_wide::<1>(b),
            2 => self.solve_wide::<2>(b),
            3 => self.solve_wide::<3>(b),
            4 => self.solve_wide::<4>(b),
            _ => self.solve_any(b, k),
        }
    }

    fn solve_wide<const K: usize>(&self, b: &mut [f64]) {
        let n = self.pivots.len();
        for i in 0..n {
            let mut sum = [0.0; K];
            sum.copy_from_slice(&b[i * K..(i + 1) * K]);
            gather::<K>(self.lower.row(i), b, &mut sum);
            b[i * K..(i + 1) * K].copy_from_slice(&sum);
        }
        for i in (0..n).rev() {
            let mut sum = [0.0; K];
            sum.copy_from_slice(&b[i * K..(i + 1) * K]);
            gather::<K>(self.upper.row(i), b, &mut sum);
            for (out, s) in b[i * K..(i + 1) * K].iter_mut().zip(sum) {
                *out = s / self.pivots[i];
            }
        }
    }

    fn solve_any(&self, b: &mut [f64], k: usize) {
        let n = self.pivots.len();
        for i in 0..n {
            let (done, own) = b.split_at_mut(i * k);
            let (cols, values) = self.lower.row(i);
            for (&c, &l) in cols.iter().zip(values) {
                let from = c as usize * k;
                simd::axpy(l, &done[from..from + k], &mut own[..k]);
            }
        }
        for i in (0..n).rev() {
            let (head, done) = b.split_at_mut((i + 1) * k);
            let own = &mut head[i * k..];
            let (cols, values) = self.upper.row(i);
            for (&c, &u) in cols.iter().zip(values) {
                let from = (c as usize - i - 1) * k;
                simd::axpy(u, &done[from..from + k], own);
            }
            own.iter_mut().for_each(|v| *v /= self.pivots[i]);
        }
    }
}

#[inline(always)]
fn gather<const K: usize>((cols, values): (&[u32], &[f64]), b: &[f64], sum: &mut [f64; K]) {
    for (&c, &v) in cols.iter().zip(values) {
        let from = c as usize * K;
        for (s, x) in sum.iter_mut().zip(&b[from..from + K]) {
            *s += v * x;
        }
    }
}

impl Operator for Ilu0 {
    fn size(&self) -> usize {
        self.pivots.len()
    }

    /// Columns are dealt out to the threads; they do not meet, so the division
    /// never shows in the result.
    fn apply(&self, exec: &Exec, x: &[f64], k: usize, out: &mut [f64]) -> Result<()> {
        let groups = exec.threads().min(k);
        if groups <= 1 {
            exec.check()?;
            out.copy_from_slice(x);
            self.solve(out, k);
            return Ok(());
        }
        let shares: Vec<Vec<usize>> = (0..groups)
            .map(|g| (k * g / groups..k * (g + 1) / groups).collect())
            .collect();
        let solved = exec.map_chunks(groups, 1, |g| {
            let mut part = columns(x, k, &shares[g.start]);
            self.solve(&mut part, shares[g.start].len());
            part
        })?;
        for (share, part) in shares.iter().zip(&solved) {
            put_columns(out, k, share, part);
        }
        Ok(())
    }
}

/// A correction on groups of cells, then ILU(0) on what is left.
pub struct TwoLevel<'a> {
    pub matrix: &'a dyn Operator,
    pub fine: Ilu0,
    pub coarse: Option<Coarse>,
}

impl Operator for TwoLevel<'_> {
    fn size(&self) -> usize {
        self.fine.size()
    }

    fn apply(&self, exec: &Exec, x: &[f64], k: usize, out: &mut [f64]) -> Result<()> {
        let Some(coarse) = &self.coarse else {
            return self.fine.apply(exec, x, k, out);
        };
        let mut shift = try_filled(x.len(), 0.0, "a preconditioner")?;
        coarse.apply(exec, x, k, &mut shift)?;
        let mut rest = try_filled(x.len(), 0.0, "a preconditioner")?;
        self.matrix.apply(exec, &shift, k, &mut rest)?;
        rest.iter_mut().zip(x).for_each(|(r, &x)| *r = x - *r);
        self.fine.apply(exec, &rest, k, out)?;
        out.iter_mut().zip(&shift).for_each(|(o, s)| *o += s);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense_lu::DenseLu;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;

    /// A random chain on a band, which elimination does not fill beyond the band.
    fn band(n: usize, width: usize) -> (Csr, Vec<f64>) {
        let mut s = Stream::new(5, 0, 0, n as u64);
        let rows = (0..n)
            .map(|i| {
                (i.saturating_sub(width)..(i + width + 1).min(n))
                    .filter(|&j| j != i)
                    .map(|j| (j as u32, 0.05 + s.uniform()))
                    .collect()
            })
            .collect();
        let leak = (0..n)
            .map(|i| if i % 11 == 0 { 0.1 } else { 0.0 })
            .collect();
        (from_rows(n, rows).unwrap(), leak)
    }

    #[test]
    fn without_fill_the_factors_are_exact() {
        let (n, k) = (60, 5);
        let (q, leak) = band(n, 3);
        let exec = Exec::serial();
        let ilu = Ilu0::new(&exec, &q, &leak).unwrap();
        let lu = DenseLu::new(&exec, &q, &leak).unwrap();
        for k in [1, 2, 3, 4, k] {
            let b: Vec<f64> = (0..n * k).map(|i| (i as f64 * 0.61) % 1.0).collect();
            let (mut x, mut want) = (b.clone(), b);
            ilu.solve(&mut x, k);
            lu.solve(&mut want, k);
            for (x, w) in x.iter().zip(&want) {
                assert!((x - w).abs() < 1e-12 * w.abs());
            }
        }
    }

    #[test]
    fn columns_do_not_depend_on_threads_or_company() {
        let (q, leak) = band(200, 2);
        let ilu = Ilu0::new(&Exec::serial(), &q, &leak).unwrap();
        let k = 7;
        let b: Vec<f64> = (0..200 * k).map(|i| (i as f64 * 0.61) % 1.0).collect();
        let mut one = vec![0.0; b.len()];
        ilu.apply(&Exec::serial(), &b, k, &mut one).unwrap();
        for threads in [2, 4] {
            let exec = Exec::with_threads(threads).unwrap();
            let mut more = vec![0.0; b.len()];
            ilu.apply(&exec, &b, k, &mut more).unwrap();
            assert_eq!(one, more);
        }
    }

    #[test]
    fn jacobi_divides() {
        let mut out = [0.0; 4];
        let jacobi = Jacobi::new(vec![2.0, 4.0]);
        let x = [1.0, 2.0, 3.0, 4.0];
        jacobi.apply(&Exec::serial(), &x, 2, &mut out).unwrap();
        assert_eq!(out, [0.5, 1.0, 0.75, 1.0]);
    }
}
