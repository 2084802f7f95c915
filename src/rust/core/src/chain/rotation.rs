//! From Schur vectors to memberships: the rotation that makes states crisp.
//!
//! Memberships are `chi = X A` with rows that sum to one and no negative entry; among
//! all such `A` the crispest is sought (Roeblitz & Weber 2013; section 2.6.3 of the
//! fate-mapping rules). Up to four states the search is the Nelder-Mead run that
//! reproduces published results. Beyond, where that run stops far from the minimum, it
//! is a quasi-Newton method on the pieces of the objective, which keeps cells for every
//! state.

use super::descent::crispest_usable;
use super::nelder_mead;
use super::objective::{columns, Cells, Objective};
use super::simplex::inner_simplex;
use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::{Exec, CHUNK};
use ndarray::{Array2, ArrayView2};

/// States up to which `Auto` is Nelder-Mead.
const COMPAT: usize = 4;

/// A membership below this is a failure, above it rounding.
const NEGATIVE: f64 = -1e4 * f64::EPSILON;

/// Name of the compatible optimiser in results.
pub const NELDER_MEAD: &str = "nelder-mead";

/// How the rotation is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optimizer {
    /// Nelder-Mead up to four states, quasi-Newton beyond.
    Auto,
    /// Nelder-Mead always.
    NelderMead,
}

/// Memberships of every cell in every macrostate.
#[derive(Debug, Clone, PartialEq)]
pub struct Memberships {
    /// chi, cells x m; entries in [0, 1], rows sum to one.
    pub memberships: Array2<f64>,
    /// A, m x m.
    pub rotation: Array2<f64>,
    /// `(m - f) / m` at the result, 1 for perfectly crisp states.
    pub crispness: f64,
    /// The same at the inner simplex.
    pub start_crispness: f64,
    /// Evaluations of the objective.
    pub evaluations: usize,
    /// `"nelder-mead"` or `"quasi-newton"`.
    pub optimizer: &'static str,
}

/// Memberships from `x` (n x m, the first m Schur vectors). O(n m^2) plus the search,
/// whose cost hardly depends on n.
///
/// # Errors
/// As [`inner_simplex`]; `no_state` when the memberships are negative or a state is
/// empty, `memory`, `interrupted`.
pub fn memberships(
    exec: &Exec,
    x: ArrayView2<'_, f64>,
    optimizer: Optimizer,
) -> Result<Memberships> {
    let m = x.ncols();
    // Cells are read one by one.
    let by_rows = x.as_standard_layout();
    let x = by_rows.view();
    let simplex = inner_simplex(x)?;
    let d = m - 1;
    let mut start = Vec::with_capacity(d * d);
    for k in 1..m {
        start.extend((1..m).map(|l| simplex.rotation[(k, l)]));
    }
    let everyone: Vec<usize> = (0..x.nrows()).collect();
    let all = Cells::new(x, &everyone)?;
    let mut full = Objective {
        exec,
        cells: &all,
        guard: None,
        evaluations: 0,
    };
    let start_value = full.value(&start)?;
    let compat = optimizer == Optimizer::NelderMead || m <= COMPAT;
    let (best, value) = if compat {
        let limit = nelder_mead::published_limit(start.len());
        nelder_mead::minimise(&start, limit, |b| full.value(b))?
    } else {
        crispest_usable(x, &mut full, &simplex.corners, &start)?
    };
    let evaluations = full.evaluations;
    let (memberships, rotation) = filled(exec, x, &all, &best)?;
    let crisp = |f: f64| (m as f64 - f) / m as f64;
    Ok(Memberships {
        memberships,
        rotation,
        crispness: crisp(value),
        start_crispness: crisp(start_value),
        evaluations,
        optimizer: if compat { NELDER_MEAD } else { "quasi-newton" },
    })
}

/// chi and A for a free block: filled up, checked, tiny negatives removed.
pub(crate) fn filled(
    exec: &Exec,
    x: ArrayView2<'_, f64>,
    all: &Cells,
    b: &[f64],
) -> Result<(Array2<f64>, Array2<f64>)> {
    let (n, m) = x.dim();
    let d = m - 1;
    let a = columns(b, d);
    let firsts: Vec<f64> = all.maxima(exec, &a)?.iter().map(|t| t.0).collect();
    let total: f64 = firsts.iter().sum();
    let fail = |reason: &str| CoreError::NoState {
        reason: reason.into(),
    };
    if firsts.iter().any(|&t| t.is_nan() || t <= 0.0) || !total.is_finite() {
        return Err(fail("the rotation of the Schur vectors is not feasible"));
    }
    let rotation = Array2::from_shape_fn((m, m), |(k, l)| {
        let v = if k == 0 { firsts[l] } else { a[l * d + k - 1] };
        v / total
    });
    let weights: Vec<f64> = rotation.t().iter().copied().collect();
    let parts = exec.map_chunks(n, CHUNK, |rows| members(x, rows, &weights, m))?;
    let mut chi = try_with_capacity(n * m, "the memberships")?;
    let (mut least, mut seen) = (0.0f64, vec![false; m]);
    for part in parts {
        let (values, smallest, any) = part?;
        chi.extend(values);
        least = least.min(smallest);
        seen.iter_mut().zip(any).for_each(|(s, a)| *s |= a);
    }
    if least < NEGATIVE || chi.iter().any(|v: &f64| !v.is_finite()) {
        return Err(fail("the optimised memberships are negative"));
    }
    if seen.contains(&false) {
        return Err(fail("a macrostate has no members"));
    }
    let chi = Array2::from_shape_vec((n, m), chi).map_err(|_| CoreError::Shape {
        what: "the memberships".into(),
        expected: n * m,
        found: n * m,
    })?;
    Ok((chi, rotation))
}

/// Memberships of some cells by rows, the smallest value before negatives are removed,
/// and which states have a member. `weights` is the transposed rotation by rows.
type Members = (Vec<f64>, f64, Vec<bool>);

fn members(
    x: ArrayView2<'_, f64>,
    rows: std::ops::Range<usize>,
    weights: &[f64],
    m: usize,
) -> Result<Members> {
    let mut chi = try_with_capacity(rows.len() * m, "the memberships")?;
    let (mut least, mut seen) = (0.0f64, vec![false; m]);
    let mut at = vec![0.0; m];
    for i in rows {
        at.iter_mut().zip(x.row(i)).for_each(|(a, &v)| *a = v);
        let first = chi.len();
        for (column, seen) in weights.chunks_exact(m).zip(&mut seen) {
            let v: f64 = at.iter().zip(column).map(|(x, w)| x * w).sum();
            least = least.min(v);
            *seen |= v > 0.0;
            chi.push(v.max(0.0));
        }
        let sum: f64 = chi[first..].iter().sum();
        chi[first..].iter_mut().for_each(|v| *v /= sum);
    }
    Ok((chi, least, seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::gpcca::{schur_basis, SchurMethod};
    use crate::linalg::reorder::Which;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;
    use crate::sparse::Csr;
    use ndarray::{Axis, Slice};

    /// Groups with a random web of leaks.
    fn chain(n: usize, groups: usize, leak: f64) -> Csr {
        let mut s = Stream::new(21, 6, groups as u64, 0);
        let rows = (0..n)
            .map(|i| {
                let mut w = std::collections::BTreeMap::new();
                w.insert(i, 0.3);
                for _ in 0..8 {
                    let j = s.below(n / groups) * groups + i % groups;
                    *w.entry(j).or_insert(0.0) += s.uniform() + 0.1;
                }
                if leak > 0.0 {
                    *w.entry(s.below(n)).or_insert(0.0) += leak * s.uniform();
                }
                let sum: f64 = w.values().sum();
                w.into_iter().map(|(j, v)| (j as u32, v / sum)).collect()
            })
            .collect();
        from_rows(n, rows).unwrap()
    }

    fn vectors(t: &Csr, m: usize) -> Array2<f64> {
        let b = schur_basis(&Exec::serial(), t, m, Which::LargestReal, SchurMethod::Auto).unwrap();
        b.vectors.slice_axis(Axis(1), Slice::from(..m)).to_owned()
    }

    #[test]
    fn memberships_are_probabilities_and_crisper_than_the_start() {
        for m in [2, 3, 5, 7] {
            let x = vectors(&chain(420, m, 0.8), m);
            let exec = Exec::serial();
            let auto = memberships(&exec, x.view(), Optimizer::Auto).unwrap();
            let compat = memberships(&exec, x.view(), Optimizer::NelderMead).unwrap();
            for r in [&auto, &compat] {
                assert!(r.crispness >= r.start_crispness - 1e-12);
                for row in r.memberships.rows() {
                    assert!((row.sum() - 1.0).abs() < 1e-12);
                    assert!(row.iter().all(|&v| (0.0..=1.0).contains(&v)));
                }
            }
            assert!(auto.crispness >= compat.crispness - 1e-9);
            assert_eq!(auto == compat, m <= 4);
        }
    }

    #[test]
    fn separate_blocks_are_recovered_exactly() {
        for m in [3, 6] {
            let x = vectors(&chain(60 * m, m, 0.0), m);
            let r = memberships(&Exec::serial(), x.view(), Optimizer::Auto).unwrap();
            assert!((r.crispness - 1.0).abs() < 1e-9);
            for (i, row) in r.memberships.rows().into_iter().enumerate() {
                let top = row.iter().position(|&v| v > 1.0 - 1e-8).unwrap();
                assert!(r.memberships[(i % m, top)] > 0.5);
            }
        }
    }

    #[test]
    fn signs_of_columns_and_threads_change_nothing_that_matters() {
        let x = vectors(&chain(420, 5, 0.8), 5);
        let one = memberships(&Exec::serial(), x.view(), Optimizer::Auto).unwrap();
        let two = Exec::with_threads(2).unwrap();
        assert_eq!(one, memberships(&two, x.view(), Optimizer::Auto).unwrap());
        let mut turned = x.clone();
        turned.column_mut(2).mapv_inplace(|v| -v);
        let same = memberships(&two, turned.view(), Optimizer::Auto).unwrap();
        for (a, b) in one.memberships.iter().zip(&same.memberships) {
            assert!((a - b).abs() < 1e-7);
        }
    }
}
