//! Sequencing: molecules are captured at random and counted.
//!
//! Counts are negative binomial with mean m and variance `m + m^2 / SIZE`, drawn by
//! inversion, one uniform number per count.

use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::{split_at_bounds, Exec};
use crate::math;
use crate::rng::Stream;
use crate::sparse::csr::{from_parts, row, CscSlots, Csr};
use std::ops::Range;

/// Inverse dispersion of the counts.
pub const SIZE: f64 = 10.0;
/// Cells per task.
pub const CELLS: usize = 256;

/// A negative binomial count of mean `mean`. O(mean).
pub fn draw(mean: f64, draws: &mut Stream) -> f64 {
    let u = draws.uniform();
    let odds = mean / (SIZE + mean);
    let mut p = math::exp(SIZE * math::ln(1.0 - odds));
    let (mut below, mut k) = (p, 0.0);
    // The tail beyond the last representable probability has no mass left.
    while u >= below && p > 1e-300 {
        p *= odds * (SIZE + k) / (k + 1.0);
        below += p;
        k += 1.0;
    }
    k
}

/// Rows of a sparse matrix in the making.
#[derive(Debug, Default)]
pub struct Rows {
    lengths: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl Rows {
    /// Adds an entry to the row that is being written; zeros are left out.
    #[inline]
    pub fn push(&mut self, column: usize, value: f64) {
        if value != 0.0 {
            self.columns.push(column as u32);
            self.values.push(value);
        }
    }

    /// Ends the row.
    pub fn finish(&mut self) {
        self.lengths.push(self.columns.len());
    }
}

/// One matrix from the pieces of consecutive chunks. O(entries).
///
/// # Errors
/// `memory`.
pub fn assemble(cols: usize, pieces: Vec<Rows>) -> Result<Csr> {
    let what = "simulated counts";
    let rows: usize = pieces.iter().map(|p| p.lengths.len()).sum();
    let entries: usize = pieces.iter().map(|p| p.columns.len()).sum();
    let mut indptr = try_with_capacity(rows + 1, what)?;
    let mut columns = try_with_capacity(entries, what)?;
    let mut values = try_with_capacity(entries, what)?;
    indptr.push(0);
    for piece in pieces {
        let before = columns.len();
        indptr.extend(piece.lengths.iter().map(|&end| before + end));
        columns.extend(piece.columns);
        values.extend(piece.values);
    }
    from_parts((rows, cols), indptr, columns, values)
}

/// The slots of R's genes x cells matrix: its columns are the rows here, so no entry
/// moves. O(entries).
///
/// # Errors
/// `memory` above 2^31 - 1 entries, which R's sparse matrices cannot hold.
pub fn into_slots(m: Csr) -> Result<CscSlots> {
    let (entries, limit) = (m.nnz(), i32::MAX as usize);
    if entries > limit {
        return Err(CoreError::TooManyEntries { entries, limit });
    }
    let (indptr, indices, x) = m.into_raw_storage();
    Ok(CscSlots {
        p: indptr.into_iter().map(|v| v as i32).collect(),
        i: indices.into_iter().map(|v| v as i32).collect(),
        x,
    })
}

/// Size factors: total counts over their mean, and one for a cell with none.
/// O(entries).
///
/// # Errors
/// `interrupted`.
pub fn size_factors(exec: &Exec, counts: &Csr) -> Result<Vec<f64>> {
    let totals = crate::sparse::ops::row_sums(exec, counts)?;
    let mean = totals.iter().sum::<f64>() / totals.len().max(1) as f64;
    let factor = |&t: &f64| if t > 0.0 { t / mean } else { 1.0 };
    Ok(totals.iter().map(factor).collect())
}

/// `log2(count / size factor + 1)` on the pattern of `counts`. O(entries).
///
/// # Errors
/// `memory`, `interrupted`.
pub fn log_normalize(exec: &Exec, counts: &Csr, factors: &[f64]) -> Result<Vec<f64>> {
    let mut values = crate::error::try_filled(counts.nnz(), 0.0, "log counts")?;
    let n = counts.rows();
    let chunks = n.div_ceil(CELLS);
    let indptr = counts.proper_indptr();
    let cuts: Vec<usize> = (0..=chunks).map(|c| indptr[(c * CELLS).min(n)]).collect();
    let tasks: Vec<_> = split_at_bounds(&mut values, &cuts)
        .into_iter()
        .enumerate()
        .collect();
    exec.for_each(tasks, |(c, out)| {
        let cells: Range<usize> = c * CELLS..((c + 1) * CELLS).min(n);
        let mut out = out.iter_mut();
        for i in cells {
            // The slice holds exactly the entries of these rows.
            for (&count, to) in row(counts, i).1.iter().zip(&mut out) {
                *to = math::log2(count / factors[i] + 1.0);
            }
        }
        Ok(())
    })?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::csr::from_rows;

    #[test]
    fn counts_have_the_moments_of_the_distribution() {
        for mean in [0.05, 1.0, 20.0, 400.0] {
            let n = 50_000;
            let (mut sum, mut square) = (0.0, 0.0);
            for i in 0..n {
                let k = draw(mean, &mut Stream::new(1, 1, i, 0));
                sum += k;
                square += k * k;
            }
            let n = n as f64;
            let (m, variance) = (sum / n, mean + mean * mean / SIZE);
            assert!((m - mean).abs() < 5.0 * (variance / n).sqrt());
            let v = square / n - m * m;
            assert!((v / variance - 1.0).abs() < 0.15, "{mean} {v} {variance}");
        }
        assert_eq!(draw(0.0, &mut Stream::new(1, 1, 1, 1)), 0.0);
    }

    #[test]
    fn pieces_make_the_matrix() {
        let (mut a, mut b) = (Rows::default(), Rows::default());
        a.push(0, 1.0);
        a.push(2, 2.0);
        a.finish();
        a.push(1, 0.0);
        a.finish();
        b.push(1, 3.0);
        b.finish();
        let rows = vec![vec![(0, 1.0), (2, 2.0)], vec![], vec![(1, 3.0)]];
        assert_eq!(
            assemble(3, vec![a, b]).unwrap(),
            from_rows(3, rows).unwrap()
        );
    }

    #[test]
    fn slots_are_those_of_the_transpose() {
        let rows = vec![vec![(0, 1.0), (1, 5.0)], vec![], vec![(1, 3.0)]];
        let m = from_rows(2, rows).unwrap();
        let transposed = m.transpose_view().to_csr();
        let slow = crate::sparse::csr::to_csc_slots(&Exec::serial(), &transposed).unwrap();
        assert_eq!(into_slots(m).unwrap(), slow);
    }

    #[test]
    fn logs_are_those_of_counts_over_size_factors() {
        let exec = Exec::serial();
        let rows = vec![vec![(0, 1.0), (1, 5.0)], vec![], vec![(1, 3.0)]];
        let m = from_rows(2, rows).unwrap();
        let factors = size_factors(&exec, &m).unwrap();
        assert_eq!(factors, [2.0, 1.0, 1.0]);
        let logs = log_normalize(&exec, &m, &factors).unwrap();
        assert_eq!(logs, [math::log2(1.5), math::log2(3.5), 2.0]);
    }
}
