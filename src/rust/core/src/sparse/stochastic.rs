//! What makes a matrix a transition matrix (section 1.2 of the fate-mapping rules):
//! finite, non-negative, rows summing to one.

use super::csr::{row, Csr};
use super::ops;
use crate::error::{CoreError, Result, SHOWN};
use crate::exec::Exec;

/// A row sum counts as one within this distance.
pub const ROW_SUM_TOLERANCE: f64 = 1e-8;

/// Checks `m` and makes its rows sum to one. Explicit zeros go; the values of a
/// matrix whose rows already sum to one are not touched. O(entries).
///
/// # Errors
/// `range` for NaN or infinite values, `not_stochastic` for negative values,
/// `disconnected` for empty rows.
pub fn normalize(exec: &Exec, m: Csr) -> Result<Csr> {
    check_entries(&m)?;
    let sums = ops::row_sums(exec, &m)?;
    let empty: Vec<usize> = (0..m.rows()).filter(|&i| sums[i] == 0.0).collect();
    if !empty.is_empty() {
        return Err(CoreError::Isolated {
            count: empty.len(),
            cells: empty.into_iter().take(SHOWN).collect(),
        });
    }
    let m = ops::drop_zeros(exec, m)?;
    if sums.iter().all(|s| (s - 1.0).abs() <= ROW_SUM_TOLERANCE) {
        return Ok(m);
    }
    let m = ops::map_values(exec, m, |i, _, v| v / sums[i])?;
    check_rows(exec, &m)?;
    Ok(m)
}

/// Whether `m` is a transition matrix as it stands. O(entries).
///
/// # Errors
/// `range`, `not_stochastic`.
pub fn check(exec: &Exec, m: &Csr) -> Result<()> {
    check_entries(m)?;
    check_rows(exec, m)
}

fn check_entries(m: &Csr) -> Result<()> {
    let bad = |test: &dyn Fn(f64) -> bool| {
        let cells: Vec<usize> = (0..m.rows())
            .filter(|&i| row(m, i).1.iter().any(|&v| test(v)))
            .take(SHOWN)
            .collect();
        (m.data().iter().filter(|&&v| test(v)).count(), cells)
    };
    if m.data().iter().any(|v| !v.is_finite()) {
        let (count, cells) = bad(&|v| !v.is_finite());
        return Err(CoreError::NotFinite {
            what: "the transition matrix".into(),
            count,
            cells,
        });
    }
    if m.data().iter().any(|&v| v < 0.0) {
        let (count, cells) = bad(&|v| v < 0.0);
        return Err(CoreError::Negative { count, cells });
    }
    Ok(())
}

fn check_rows(exec: &Exec, m: &Csr) -> Result<()> {
    let sums = ops::row_sums(exec, m)?;
    let off: Vec<usize> = (0..m.rows())
        .filter(|&i| sums[i].is_nan() || (sums[i] - 1.0).abs() > ROW_SUM_TOLERANCE)
        .collect();
    if off.is_empty() {
        return Ok(());
    }
    Err(CoreError::NotStochastic {
        count: off.len(),
        cells: off.into_iter().take(SHOWN).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::csr::from_rows;

    #[test]
    fn rows_are_normalised_only_when_needed() {
        let exec = Exec::serial();
        let m = from_rows(2, vec![vec![(0, 2.0), (1, 6.0)], vec![(0, 1.0)]]).unwrap();
        let t = normalize(&exec, m).unwrap();
        assert_eq!(row(&t, 0).1, [0.25, 0.75]);
        let same = normalize(&exec, t.clone()).unwrap();
        assert_eq!(same, t);
    }

    #[test]
    fn what_is_no_transition_matrix_is_refused() {
        let exec = Exec::serial();
        let kind = |rows| {
            normalize(&exec, from_rows(2, rows).unwrap())
                .unwrap_err()
                .kind()
        };
        assert_eq!(
            kind(vec![vec![(0, 2.0), (1, -1.0)], vec![(0, 1.0)]]),
            "not_stochastic"
        );
        assert_eq!(kind(vec![vec![(0, f64::NAN)], vec![(0, 1.0)]]), "range");
        assert_eq!(kind(vec![vec![(0, 1.0)], vec![]]), "disconnected");
        assert_eq!(kind(vec![vec![(0, 1.0)], vec![(1, 0.0)]]), "disconnected");
    }
}
