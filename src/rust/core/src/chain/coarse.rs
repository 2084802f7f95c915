//! The chain between macrostates.
//!
//! With memberships chi and uniform weights `D = I / n`, the coarse chain is `T_c =
//! (chi' D chi)^-1 (chi' D T chi)` (Roeblitz & Weber 2013; section 2.6.4 of the
//! fate-mapping rules). Its rows sum to one and its eigenvalues are the kept ones of
//! `T`; single entries may be slightly negative. Its diagonal tells how long a walk
//! stays: the stability of a macrostate.

use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::{Exec, CHUNK};
use crate::sparse::{ops, Csr};
use nalgebra::DMatrix;
use ndarray::{Array2, ArrayView2};

/// Transition matrix and distributions over macrostates.
#[derive(Debug, Clone, PartialEq)]
pub struct Coarse {
    /// T_c, m x m.
    pub transition: Array2<f64>,
    /// Share of the cells in each macrostate: `chi' eta`, eta uniform.
    pub initial: Vec<f64>,
    /// `chi' pi`, where a stationary distribution pi is given.
    pub stationary: Option<Vec<f64>>,
}

/// Coarse chain of `t` (n x n) under `memberships` (n x m). O(entries m + n m^2).
///
/// # Errors
/// `shape` when sizes differ, `singular` when two macrostates coincide,
/// `interrupted`.
pub fn coarse(
    exec: &Exec,
    t: &Csr,
    memberships: ArrayView2<'_, f64>,
    stationary: Option<&[f64]>,
) -> Result<Coarse> {
    let (n, m) = memberships.dim();
    for found in [t.rows(), t.cols(), stationary.map_or(n, <[f64]>::len)] {
        if found != n {
            return Err(CoreError::Shape {
                what: "the memberships, the chain or its stationary distribution".into(),
                expected: n,
                found,
            });
        }
    }
    let ahead = ops::mat_mat(exec, t, memberships)?;
    let overlap = weighted_gram(exec, memberships, memberships)?;
    let flow = weighted_gram(exec, memberships, ahead.view())?;
    let svd = overlap.svd(true, true);
    let condition = svd.singular_values.max() / svd.singular_values.min();
    let singular = || CoreError::Singular {
        what: "the overlap of the memberships".into(),
        condition,
    };
    if condition.is_nan() || condition >= 1.0 / f64::EPSILON {
        return Err(singular());
    }
    let inverse = svd.pseudo_inverse(0.0).map_err(|_| singular())?;
    let transition = inverse * flow;
    Ok(Coarse {
        transition: Array2::from_shape_fn((m, m), |(i, j)| transition[(i, j)]),
        initial: shares(memberships, |_| 1.0 / n as f64),
        stationary: stationary.map(|pi| shares(memberships, |i| pi[i])),
    })
}

/// `chi' weight`: how much of a distribution over the cells is in each macrostate.
pub(crate) fn shares(memberships: ArrayView2<'_, f64>, weight: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut shares = vec![0.0; memberships.ncols()];
    for (i, row) in memberships.rows().into_iter().enumerate() {
        let weight = weight(i);
        for (share, &chi) in shares.iter_mut().zip(row) {
            *share += weight * chi;
        }
    }
    shares
}

/// A vector over the cells (n) whose macrostates hold the stationary shares, which are
/// those of the coarse chain alone: `pi' T = pi'` and `T chi = chi T_c` give
/// `(pi' chi) T_c = pi' chi`. What such a vector lacks of the stationary distribution
/// lies in the fast part of the chain. `None` when the coarse shares are not unique.
/// O(n m).
pub(crate) fn lifted(
    exec: &Exec,
    coarse: &Coarse,
    memberships: ArrayView2<'_, f64>,
) -> Result<Option<Vec<f64>>> {
    let (n, m) = memberships.dim();
    // pi_c' (T_c - I) = 0 and sum(pi_c) = 1; one of the equations is redundant.
    let balance = DMatrix::from_fn(m, m, |i, j| {
        if i == m - 1 {
            1.0
        } else {
            coarse.transition[(j, i)] - f64::from(u8::from(i == j))
        }
    });
    let mut right = DMatrix::zeros(m, 1);
    right[(m - 1, 0)] = 1.0;
    let Some(shares) = balance.lu().solve(&right) else {
        return Ok(None);
    };
    let overlap = weighted_gram(exec, memberships, memberships)?;
    let Some(weights) = overlap.lu().solve(&shares) else {
        return Ok(None);
    };
    let mut start = try_with_capacity(n, "a start vector")?;
    start.extend(memberships.rows().into_iter().map(|row| {
        let terms = row.iter().zip(weights.iter()).map(|(chi, w)| chi * w);
        terms.sum::<f64>()
    }));
    Ok(start.iter().all(|v: &f64| v.is_finite()).then_some(start))
}

/// `a' b / n` in fixed chunks.
fn weighted_gram(
    exec: &Exec,
    a: ArrayView2<'_, f64>,
    b: ArrayView2<'_, f64>,
) -> Result<DMatrix<f64>> {
    let (n, m) = a.dim();
    let parts = exec.map_chunks(n, CHUNK, |rows| {
        let mut sum = DMatrix::<f64>::zeros(m, m);
        for i in rows {
            for l in 0..m {
                let weight = b[(i, l)];
                for k in 0..m {
                    sum[(k, l)] += a[(i, k)] * weight;
                }
            }
        }
        sum
    })?;
    let zero = DMatrix::zeros(m, m);
    Ok(parts.into_iter().fold(zero, |s, p| s + p) / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::gpcca::{schur_basis, SchurMethod};
    use crate::chain::rotation::{memberships, Optimizer};
    use crate::chain::stationary::{stationary, stationary_near};
    use crate::linalg::reorder::Which;
    use crate::linalg::schur::real_schur;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;

    fn chain(n: usize) -> Csr {
        let mut s = Stream::new(31, 6, 0, 0);
        let rows = (0..n)
            .map(|i| {
                let mut w = std::collections::BTreeMap::new();
                w.insert(i, 0.3);
                for _ in 0..8 {
                    let j = s.below(n / 3) * 3 + i % 3;
                    *w.entry(j).or_insert(0.0) += s.uniform() + 0.1;
                }
                *w.entry(s.below(n)).or_insert(0.0) += 0.5 * s.uniform();
                let sum: f64 = w.values().sum();
                w.into_iter().map(|(j, v)| (j as u32, v / sum)).collect()
            })
            .collect();
        from_rows(n, rows).unwrap()
    }

    #[test]
    fn the_coarse_chain_keeps_rows_and_eigenvalues() {
        let (exec, t) = (Exec::serial(), chain(300));
        let basis = schur_basis(&exec, &t, 3, Which::LargestReal, SchurMethod::Auto).unwrap();
        assert!(basis.invalid_n_states.is_empty() && basis.vectors.ncols() == 3);
        let chi = memberships(&exec, basis.vectors.view(), Optimizer::Auto).unwrap();
        let pi = vec![1.0 / 300.0; 300];
        let c = coarse(&exec, &t, chi.memberships.view(), Some(&pi)).unwrap();
        for row in c.transition.rows() {
            assert!((row.sum() - 1.0).abs() < 1e-10);
        }
        let dense = DMatrix::from_fn(3, 3, |i, j| c.transition[(i, j)]);
        let (_, r) = real_schur(&exec, &dense).unwrap();
        let mut got: Vec<f64> = (0..3).map(|i| r[(i, i)]).collect();
        got.sort_by(|a, b| b.total_cmp(a));
        for (a, b) in got.iter().zip(&basis.eigenvalues) {
            assert!((a - b.re).abs() < 1e-9);
        }
        assert!((c.initial.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let stationary = c.stationary.clone().unwrap();
        for (a, b) in stationary.iter().zip(&c.initial) {
            assert!((a - b).abs() < 1e-14);
        }
        let four = Exec::with_threads(4).unwrap();
        let same = coarse(&four, &t, chi.memberships.view(), Some(&pi)).unwrap();
        assert_eq!(c, same);
    }

    #[test]
    fn the_lifted_shares_are_those_of_the_stationary_distribution() {
        let (exec, t) = (Exec::serial(), chain(300));
        let basis = schur_basis(&exec, &t, 3, Which::LargestReal, SchurMethod::Auto).unwrap();
        let chi = memberships(&exec, basis.vectors.view(), Optimizer::Auto).unwrap();
        let chi = chi.memberships.view();
        let c = coarse(&exec, &t, chi, None).unwrap();
        let start = lifted(&exec, &c, chi).unwrap().unwrap();
        let pi = stationary(&exec, &t).unwrap().distribution.unwrap();
        let total: f64 = start.iter().sum();
        let got = shares(chi, |i| start[i] / total);
        for (a, b) in got.iter().zip(shares(chi, |i| pi[i])) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
        let near = stationary_near(&exec, &t, Some(&start)).unwrap();
        for (a, b) in near.distribution.unwrap().iter().zip(&pi) {
            assert!((a - b).abs() < 1e-10);
        }
    }

    #[test]
    fn states_that_coincide_are_refused() {
        let t = chain(30);
        let chi = Array2::from_elem((30, 2), 0.5);
        let e = coarse(&Exec::serial(), &t, chi.view(), None).unwrap_err();
        assert_eq!(e.kind(), "singular");
        let e = coarse(&Exec::serial(), &t, chi.view(), Some(&[1.0])).unwrap_err();
        assert_eq!(e.kind(), "shape");
    }
}
