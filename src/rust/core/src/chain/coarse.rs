//! The chain between macrostates.
//!
//! With memberships chi and uniform weights `D = I / n`, the coarse chain is `T_c =
//! (chi' D chi)^-1 (chi' D T chi)` (Roeblitz & Weber 2013; section 2.6.4 of the
//! fate-mapping rules). Its rows sum to one and its eigenvalues are the kept ones of
//! `T`; single entries may be slightly negative. Its diagonal tells how long a walk
//! stays: the stability of a macrostate.

use crate::error::{CoreError, Result};
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
    let share = |weight: &dyn Fn(usize) -> f64| -> Vec<f64> {
        let columns = memberships.columns();
        let sums = columns.into_iter().map(|c| {
            let terms = c.iter().enumerate().map(|(i, &v)| v * weight(i));
            terms.sum()
        });
        sums.collect()
    };
    Ok(Coarse {
        transition: Array2::from_shape_fn((m, m), |(i, j)| transition[(i, j)]),
        initial: share(&|_| 1.0 / n as f64),
        stationary: stationary.map(|pi| share(&|i| pi[i])),
    })
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
    fn states_that_coincide_are_refused() {
        let t = chain(30);
        let chi = Array2::from_elem((30, 2), 0.5);
        let e = coarse(&Exec::serial(), &t, chi.view(), None).unwrap_err();
        assert_eq!(e.kind(), "singular");
        let e = coarse(&Exec::serial(), &t, chi.view(), Some(&[1.0])).unwrap_err();
        assert_eq!(e.kind(), "shape");
    }
}
