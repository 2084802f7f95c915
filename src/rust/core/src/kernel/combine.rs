//! Sums and products of transition matrices (sections 1.2 and 1.4 of the
//! fate-mapping rules): evidence from several sources in one chain.
//!
//! A weighted sum lets a cell follow each source in turn with the given odds; a
//! product keeps only moves that all sources allow.

use super::connectivity::check_square;
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::sparse::csr::Csr;
use crate::sparse::{ops, stochastic};

/// `sum_t w_t T_t` with the weights divided by their total. O(entries).
///
/// # Errors
/// `range` for weights that are not above zero, `shape` for matrices of different
/// size or none at all, those of [`stochastic::normalize`], `interrupted`.
pub fn weighted(exec: &Exec, terms: &[(f64, &Csr)]) -> Result<Csr> {
    let matrices: Vec<&Csr> = terms.iter().map(|t| t.1).collect();
    check_shapes(&matrices)?;
    if let Some(&(value, _)) = terms.iter().find(|t| !(t.0 > 0.0 && t.0.is_finite())) {
        return Err(CoreError::Range {
            what: "a weight".into(),
            value,
            allowed: "above 0 and finite".into(),
        });
    }
    // By the largest first: the total of finite weights may not be finite.
    let largest = terms.iter().fold(0.0f64, |m, t| m.max(t.0));
    let total: f64 = terms.iter().map(|t| t.0 / largest).sum();
    let shares: Vec<(f64, &Csr)> = terms
        .iter()
        .map(|&(w, m)| (w / largest / total, m))
        .collect();
    stochastic::normalize(exec, ops::weighted_sum(exec, &shares)?)
}

/// The element-wise product; if `scaled`, rows are made to sum to one. O(entries).
///
/// # Errors
/// `shape`, `disconnected` for cells whose moves no two matrices share, those of
/// [`stochastic::normalize`], `interrupted`.
pub fn product(exec: &Exec, factors: &[&Csr], scaled: bool) -> Result<Csr> {
    check_shapes(factors)?;
    let mut result = factors[0].clone();
    for m in &factors[1..] {
        result = ops::hadamard(exec, &result, m)?;
    }
    if scaled {
        stochastic::normalize(exec, result)
    } else {
        Ok(result)
    }
}

/// At least one matrix, all square and of one size.
fn check_shapes(matrices: &[&Csr]) -> Result<()> {
    let Some(first) = matrices.first() else {
        return Err(CoreError::Shape {
            what: "the list of matrices".into(),
            expected: 1,
            found: 0,
        });
    };
    for m in matrices {
        check_square(m)?;
        if m.rows() != first.rows() {
            return Err(CoreError::Shape {
                what: "a matrix of the combination".into(),
                expected: first.rows(),
                found: m.rows(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::csr::{from_rows, row};

    fn pair() -> (Csr, Csr) {
        (
            from_rows(2, vec![vec![(0, 0.5), (1, 0.5)], vec![(0, 1.0)]]).unwrap(),
            from_rows(2, vec![vec![(1, 1.0)], vec![(0, 0.25), (1, 0.75)]]).unwrap(),
        )
    }

    #[test]
    fn weights_are_shares_of_their_total() {
        let exec = Exec::serial();
        let (v, c) = pair();
        let t = weighted(&exec, &[(2.0, &v), (3.0, &c)]).unwrap();
        let want = from_rows(
            2,
            vec![vec![(0, 0.2), (1, 0.8)], vec![(0, 0.55), (1, 0.45)]],
        );
        for (a, b) in t.data().iter().zip(want.unwrap().data()) {
            assert!((a - b).abs() < 1e-15);
        }
        let huge = weighted(&exec, &[(1e308, &v), (1e308, &c)]).unwrap();
        assert_eq!(huge, weighted(&exec, &[(1.0, &v), (1.0, &c)]).unwrap());
    }

    #[test]
    fn products_keep_shared_moves() {
        let exec = Exec::serial();
        let (v, c) = pair();
        let t = product(&exec, &[&v, &c], true).unwrap();
        assert_eq!(row(&t, 0), (&[1u32][..], &[1.0][..]));
        assert_eq!(row(&t, 1), (&[0u32][..], &[1.0][..]));
        assert_eq!(product(&exec, &[&v], true).unwrap(), v);
        let raw = product(&exec, &[&v, &c], false).unwrap();
        assert_eq!(raw.data(), [0.5, 0.25]);
        let swap = from_rows(2, vec![vec![(1, 1.0)], vec![(0, 1.0)]]).unwrap();
        let stay = from_rows(2, vec![vec![(0, 1.0)], vec![(1, 1.0)]]).unwrap();
        let e = product(&exec, &[&swap, &stay], true).unwrap_err();
        assert_eq!(e.kind(), "disconnected");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let exec = Exec::serial();
        let (v, _) = pair();
        let one = from_rows(1, vec![vec![(0, 1.0)]]).unwrap();
        let kind = |terms: &[(f64, &Csr)]| weighted(&exec, terms).unwrap_err().kind();
        assert_eq!(kind(&[]), "shape");
        assert_eq!(kind(&[(1.0, &v), (1.0, &one)]), "shape");
        assert_eq!(kind(&[(0.0, &v)]), "range");
        assert_eq!(kind(&[(f64::NAN, &v)]), "range");
        assert_eq!(product(&exec, &[], true).unwrap_err().kind(), "shape");
    }
}
