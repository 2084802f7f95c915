//! Undirected transitions: a cell moves to neighbours in proportion to edge weights.
//!
//! Dense regions of the sampled cells would attract the walk only because more
//! cells were caught there. Dividing each weight by the densities of both ends,
//! `C_ij / (q_i q_j)` with `q_j = sum_i C_ij`, removes that (Coifman & Lafon 2006,
//! alpha = 1; section 1.7 of the fate-mapping rules).

use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::sparse::csr::{row, Csr};
use crate::sparse::{ops, stochastic};

/// The transition matrix of a weighted graph, n x n. O(entries).
///
/// # Errors
/// `shape` if not square, `range` and `not_stochastic` for weights that are not
/// finite or negative, `disconnected` for cells without a neighbour, `interrupted`.
pub fn connectivity_transition(exec: &Exec, conn: &Csr, density_normalize: bool) -> Result<Csr> {
    check_weights(conn)?;
    if !density_normalize {
        return stochastic::normalize(exec, conn.clone());
    }
    let mut density = try_filled(conn.cols(), 0f64, "the densities")?;
    for (&j, &v) in conn.indices().iter().zip(conn.data()) {
        density[j as usize] += v;
    }
    // Without incoming weight a cell has no density to divide by.
    refuse_isolated((0..conn.rows()).filter(|&i| density[i] == 0.0))?;
    let scaled = ops::map_values(exec, conn.clone(), |i, j, v| v / (density[i] * density[j]))?;
    stochastic::normalize(exec, scaled)
}

/// Whether `conn` can hold edge weights: square, finite, not negative.
pub(super) fn check_weights(conn: &Csr) -> Result<()> {
    check_square(conn)?;
    let rows_with = |bad: &dyn Fn(f64) -> bool| -> (usize, Vec<usize>) {
        let cells = (0..conn.rows())
            .filter(|&i| row(conn, i).1.iter().any(|&v| bad(v)))
            .take(SHOWN)
            .collect();
        (conn.data().iter().filter(|&&v| bad(v)).count(), cells)
    };
    if conn.data().iter().any(|v| !v.is_finite()) {
        let (count, cells) = rows_with(&|v| !v.is_finite());
        return Err(CoreError::NotFinite {
            what: "the graph".into(),
            count,
            cells,
        });
    }
    if conn.data().iter().any(|&v| v < 0.0) {
        let (count, cells) = rows_with(&|v| v < 0.0);
        return Err(CoreError::Negative { count, cells });
    }
    Ok(())
}

/// Whether the graph has as many columns as rows.
pub(super) fn check_square(graph: &Csr) -> Result<()> {
    if graph.rows() == graph.cols() {
        return Ok(());
    }
    Err(CoreError::Shape {
        what: "the columns of the graph".into(),
        expected: graph.rows(),
        found: graph.cols(),
    })
}

/// An error naming the cells, if there are any.
pub(super) fn refuse_isolated(cells: impl Iterator<Item = usize>) -> Result<()> {
    let cells: Vec<usize> = cells.collect();
    if cells.is_empty() {
        return Ok(());
    }
    Err(CoreError::Isolated {
        count: cells.len(),
        cells: cells.into_iter().take(SHOWN).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;

    fn symmetric(n: usize) -> Csr {
        let mut s = Stream::new(2, 0, 0, 0);
        let mut dense = ndarray::Array2::<f64>::zeros((n, n));
        for i in 0..n {
            for step in 1..4 {
                let j = (i + step * step) % n;
                let v = s.uniform() + 0.01;
                dense[(i, j)] = v;
                dense[(j, i)] = v;
            }
        }
        let rows = dense.rows().into_iter().map(|r| {
            let entry = |(j, &v): (usize, &f64)| (v > 0.0).then_some((j as u32, v));
            r.iter().enumerate().filter_map(entry).collect()
        });
        from_rows(n, rows.collect()).unwrap()
    }

    #[test]
    fn the_dense_formula_agrees() {
        let exec = Exec::with_threads(2).unwrap();
        let c = symmetric(40);
        let d = c.to_dense();
        for density in [false, true] {
            let t = connectivity_transition(&exec, &c, density).unwrap();
            let q = d.sum_axis(ndarray::Axis(0));
            let of = |i: usize, j: usize| {
                if density {
                    d[(i, j)] / (q[i] * q[j])
                } else {
                    d[(i, j)]
                }
            };
            for i in 0..40 {
                let total: f64 = (0..40).map(|j| of(i, j)).sum();
                for j in 0..40 {
                    let found = t.get(i, j).copied().unwrap_or(0.0);
                    assert!((found - of(i, j) / total).abs() < 1e-15);
                }
            }
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let c = symmetric(1300);
        let run = |t| connectivity_transition(&Exec::with_threads(t).unwrap(), &c, true).unwrap();
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(4));
    }

    #[test]
    fn graphs_that_cannot_carry_a_walk_are_refused() {
        let exec = Exec::serial();
        let kind = |cols, rows| {
            let m = from_rows(cols, rows).unwrap();
            connectivity_transition(&exec, &m, true).unwrap_err().kind()
        };
        assert_eq!(kind(3, vec![vec![(1, 1.0)], vec![(0, 1.0)]]), "shape");
        assert_eq!(kind(2, vec![vec![(1, 1.0)], vec![]]), "disconnected");
        assert_eq!(kind(2, vec![vec![(1, f64::NAN)], vec![(0, 1.0)]]), "range");
        // Both signs cancel in the densities; the entries are looked at all the same.
        let both = vec![vec![(1, -1.0)], vec![(0, -1.0)]];
        assert_eq!(kind(2, both), "not_stochastic");
    }
}
