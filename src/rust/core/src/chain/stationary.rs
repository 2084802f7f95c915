//! Where a chain ends up after infinitely many steps.
//!
//! The stationary distribution solves `pi' T = pi'`. It is unique exactly when the
//! chain has one closed class, and lives on that class alone: every transient cell has
//! probability zero. It is the leading Schur vector of the transposed chain restricted
//! to the class, certified by its residual (section 2.6.4 of the fate-mapping rules).

use super::classes::communicating_classes;
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::linalg::krylov_schur::partial_schur;
use crate::linalg::partial_schur::dense_schur;
use crate::linalg::reorder::Which;
use crate::sparse::csr::{from_rows, row, transpose};
use crate::sparse::{ops, Csr};

/// Largest entry of `T' pi - pi` relative to the largest of pi.
const INVARIANCE: f64 = 2e-10;

/// Closed classes up to this size are solved densely.
const DENSE: usize = 64;

/// Restarts of the iteration before it gives up.
const RESTARTS: usize = 3000;

/// The stationary distribution of a chain, where it is unique.
#[derive(Debug, Clone, PartialEq)]
pub struct Stationary {
    /// pi over all cells, sum one; `None` with several closed classes.
    pub distribution: Option<Vec<f64>>,
    /// Largest entry of `T' pi - pi` relative to the largest of pi; 0 without pi.
    pub residual: f64,
    /// Cells of every closed class.
    pub closed_classes: Vec<Vec<usize>>,
}

/// Stationary distribution of `t` (n x n, row stochastic). O(products (entries + 16
/// n)) time, O(16 n) memory; products grow when the closed class is nearly separable.
///
/// # Errors
/// `shape`, `memory`, `not_converged` when the result is not invariant or of mixed
/// sign, `interrupted`.
pub fn stationary(exec: &Exec, t: &Csr) -> Result<Stationary> {
    stationary_near(exec, t, None)
}

/// As [`stationary`], from a `start` over all cells. One that holds the right share of
/// every slowly mixing group saves most of the products; its signs and its sum do not
/// matter.
///
/// # Errors
/// As [`stationary`]; `shape` for a start of another length.
pub(crate) fn stationary_near(exec: &Exec, t: &Csr, start: Option<&[f64]>) -> Result<Stationary> {
    let found = start.map_or(t.rows(), <[f64]>::len);
    if found != t.rows() {
        return Err(CoreError::Shape {
            what: "the start of the stationary distribution".into(),
            expected: t.rows(),
            found,
        });
    }
    let classes = communicating_classes(t)?;
    let closed_classes: Vec<Vec<usize>> =
        classes.closed.iter().map(|&c| classes.cells(c)).collect();
    let [cells] = closed_classes.as_slice() else {
        return Ok(Stationary {
            distribution: None,
            residual: 0.0,
            closed_classes,
        });
    };
    let (inside, residual) = inside(exec, t, cells, start)?;
    let mut pi = try_filled(t.rows(), 0.0, "the stationary distribution")?;
    for (&cell, p) in cells.iter().zip(inside) {
        pi[cell] = p;
    }
    Ok(Stationary {
        distribution: Some(pi),
        residual,
        closed_classes,
    })
}

/// Where the chain ends up once it is in one of its closed classes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassDistribution {
    /// Cells of the class, ascending.
    pub cells: Vec<usize>,
    /// Their probabilities, sum one.
    pub probabilities: Vec<f64>,
    /// Largest entry of `T' pi - pi` relative to the largest of pi.
    pub residual: f64,
}

/// The stationary distribution of every closed class of `t`, in the order of their
/// first cells. Cost as [`stationary`], for each class.
///
/// # Errors
/// As [`stationary`].
pub fn class_distributions(exec: &Exec, t: &Csr) -> Result<Vec<ClassDistribution>> {
    let classes = communicating_classes(t)?;
    let mut closed: Vec<Vec<usize>> = classes.closed.iter().map(|&c| classes.cells(c)).collect();
    closed.sort();
    closed
        .into_iter()
        .map(|cells| {
            exec.check()?;
            let (probabilities, residual) = inside(exec, t, &cells, None)?;
            Ok(ClassDistribution {
                cells,
                probabilities,
                residual,
            })
        })
        .collect()
}

/// The stationary distribution within a closed class, and its residual; `start` runs
/// over all cells.
fn inside(exec: &Exec, t: &Csr, cells: &[usize], start: Option<&[f64]>) -> Result<(Vec<f64>, f64)> {
    let reversed = transpose(exec, &restrict(t, cells)?)?;
    let start = start.map(|v| cells.iter().map(|&i| v[i]).collect());
    leading(exec, &reversed, start)
}

/// Rows and columns `cells` of `t`; nothing is lost for a closed class.
fn restrict(t: &Csr, cells: &[usize]) -> Result<Csr> {
    let mut place = try_filled(t.rows(), u32::MAX, "a closed class")?;
    for (k, &i) in cells.iter().enumerate() {
        place[i] = k as u32;
    }
    let rows = cells.iter().map(|&i| {
        let (cols, values) = row(t, i);
        let kept = cols.iter().zip(values).filter(|(_, &v)| v > 0.0);
        kept.map(|(&j, &v)| (place[j as usize], v)).collect()
    });
    from_rows(cells.len(), rows.collect())
}

/// The non-negative vector of sum one that `reversed` leaves alone, and its residual.
fn leading(exec: &Exec, reversed: &Csr, start: Option<Vec<f64>>) -> Result<(Vec<f64>, f64)> {
    let n = reversed.rows();
    let schur = if n <= DENSE {
        dense_schur(exec, reversed, 1, Which::LargestReal)?
    } else {
        let start = match start {
            Some(start) if start.iter().any(|&v| v != 0.0) => start,
            _ => try_filled(n, 1.0, "a start vector")?,
        };
        partial_schur(
            exec,
            reversed,
            &start,
            1,
            Which::LargestReal,
            1e-13,
            RESTARTS,
        )?
    };
    let mut pi: Vec<f64> = schur.vectors.column(0).to_vec();
    let sum: f64 = pi.iter().sum();
    pi.iter_mut().for_each(|p| *p /= sum);
    let largest = pi.iter().fold(0.0f64, |m, p| m.max(p.abs()));
    let failed = |residual: f64| CoreError::NotConverged {
        what: "the stationary distribution".into(),
        iterations: schur.products,
        residual,
        tolerance: INVARIANCE,
    };
    let least = pi.iter().fold(0.0f64, |m, &p| m.min(p));
    if least.is_nan() || least < -INVARIANCE * largest {
        return Err(failed(-least / largest));
    }
    pi.iter_mut().for_each(|p| *p = p.max(0.0));
    let sum: f64 = pi.iter().sum();
    pi.iter_mut().for_each(|p| *p /= sum);
    let mut next = try_filled(n, 0.0, "the stationary distribution")?;
    ops::mat_vec(exec, reversed, &pi, &mut next)?;
    let off = pi
        .iter()
        .zip(&next)
        .fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
    let residual = off / largest;
    if residual.is_nan() || residual > INVARIANCE {
        return Err(failed(residual));
    }
    Ok((pi, residual))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// Birth and death on a line: pi from detailed balance.
    #[test]
    fn detailed_balance_is_reproduced() {
        for n in [3usize, 50, 200] {
            let mut s = Stream::new(1, 1, n as u64, 0);
            let up: Vec<f64> = (0..n).map(|_| 0.3 + 0.1 * s.uniform()).collect();
            let down: Vec<f64> = (0..n).map(|_| 0.3 + 0.1 * s.uniform()).collect();
            let mut rows = Vec::new();
            let mut want = vec![1.0];
            for i in 0..n {
                let u = if i + 1 < n { up[i] } else { 0.0 };
                let d = if i > 0 { down[i] } else { 0.0 };
                let mut r = vec![(i as u32, 1.0 - u - d)];
                if i > 0 {
                    r.push((i as u32 - 1, d));
                    want.push(want[i - 1] * up[i - 1] / down[i]);
                }
                if i + 1 < n {
                    r.push((i as u32 + 1, u));
                }
                rows.push(r);
            }
            let sum: f64 = want.iter().sum();
            let t = from_rows(n, rows).unwrap();
            let got = stationary(&Exec::serial(), &t).unwrap();
            let top = want.iter().fold(0.0f64, |m, &v| m.max(v));
            for (a, b) in got.distribution.as_ref().unwrap().iter().zip(&want) {
                assert!((a - b / sum).abs() < 1e-7 * top / sum);
            }
            let two = Exec::with_threads(2).unwrap();
            assert_eq!(got, stationary(&two, &t).unwrap());
        }
    }

    #[test]
    fn transient_cells_have_probability_zero() {
        let rows = vec![
            vec![(0, 0.5), (1, 0.5)],
            vec![(1, 0.5), (2, 0.5)],
            vec![(1, 0.25), (2, 0.75)],
        ];
        let s = stationary(&Exec::serial(), &from_rows(3, rows).unwrap()).unwrap();
        assert_eq!(s.closed_classes, vec![vec![1, 2]]);
        let pi = s.distribution.unwrap();
        assert_eq!(pi[0], 0.0);
        assert!((pi[1] - 1.0 / 3.0).abs() < 1e-14 && (pi[2] - 2.0 / 3.0).abs() < 1e-14);
    }

    #[test]
    fn periodic_chains_and_absorbing_cells_have_one() {
        let ring = (0..100u32).map(|i| vec![((i + 1) % 100, 1.0)]).collect();
        let s = stationary(&Exec::serial(), &from_rows(100, ring).unwrap()).unwrap();
        for p in s.distribution.unwrap() {
            assert!((p - 0.01).abs() < 1e-12);
        }
        let rows = vec![vec![(1, 1.0)], vec![(1, 1.0)]];
        let s = stationary(&Exec::serial(), &from_rows(2, rows).unwrap()).unwrap();
        assert_eq!(s.distribution, Some(vec![0.0, 1.0]));
    }

    #[test]
    fn several_closed_classes_are_reported() {
        let rows = vec![vec![(0, 1.0)], vec![(0, 0.5), (2, 0.5)], vec![(2, 1.0)]];
        let s = stationary(&Exec::serial(), &from_rows(3, rows).unwrap()).unwrap();
        assert_eq!((s.distribution, s.closed_classes.len()), (None, 2));
    }

    #[test]
    fn every_closed_class_has_a_distribution_of_its_own() {
        // Cells 0 and 3 with detailed balance 2 : 1, cell 2 absorbing, cell 1 passing.
        let rows = vec![
            vec![(0, 0.8), (3, 0.2)],
            vec![(0, 0.3), (2, 0.7)],
            vec![(2, 1.0)],
            vec![(0, 0.4), (3, 0.6)],
        ];
        let t = from_rows(4, rows).unwrap();
        let classes = class_distributions(&Exec::serial(), &t).unwrap();
        assert_eq!(classes.len(), 2);
        assert_eq!(classes[0].cells, vec![0, 3]);
        assert!((classes[0].probabilities[0] - 2.0 / 3.0).abs() < 1e-14);
        assert!((classes[0].probabilities[1] - 1.0 / 3.0).abs() < 1e-14);
        assert_eq!(
            (&classes[1].cells, &classes[1].probabilities),
            (&vec![2], &vec![1.0])
        );
        assert!(classes.iter().all(|c| c.residual < 1e-14));
    }
}
