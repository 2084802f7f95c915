//! Does a chain cross the border between two clusters where it should?
//!
//! A cell of the earlier cluster that has neighbours in the later one should move
//! towards them. For each such cell the move the chain expects in an embedding is
//! correlated with the direction of those neighbours (section 1.13 of the
//! fate-mapping rules; cross-boundary correctness of Qiao and Huang 2021).

use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::sparse::csr::{row, Csr};
use ndarray::ArrayView2;

/// Boundary cells per task.
const TASK: usize = 64;

/// The score of each boundary cell, in the order of the cells: cells of `source`
/// with a stored neighbour of `graph` in `target`. `z` holds cells x dimensions.
/// NaN where a direction is not defined: missing coordinates, neighbours at weight
/// zero, or no spread over the dimensions. O(edges and transitions of boundary
/// cells x dimensions).
///
/// # Errors
/// `shape` for sizes that do not fit, `interrupted`.
pub fn boundary_scores(
    exec: &Exec,
    t: &Csr,
    graph: &Csr,
    z: ArrayView2<'_, f64>,
    source: &[bool],
    target: &[bool],
) -> Result<Vec<(usize, f64)>> {
    let n = t.rows();
    let sizes = [
        t.cols(),
        graph.rows(),
        graph.cols(),
        z.nrows(),
        source.len(),
        target.len(),
    ];
    if let Some(&found) = sizes.iter().find(|&&s| s != n) {
        return Err(CoreError::Shape {
            what: "a matrix or label of the cells".into(),
            expected: n,
            found,
        });
    }
    let border = |i: &usize| source[*i] && row(graph, *i).0.iter().any(|&j| target[j as usize]);
    let cells: Vec<usize> = (0..n).filter(border).collect();
    let scores = exec.map_chunks(cells.len(), TASK, |range| {
        range
            .map(|k| {
                let i = cells[k];
                let seen = displacement(graph, z, i, |j| target[j]);
                let expected = displacement(t, z, i, |_| true);
                (i, pearson(&expected, &seen))
            })
            .collect::<Vec<_>>()
    })?;
    Ok(scores.into_iter().flatten().collect())
}

/// `sum_j m_ij (z_j - z_i)` over the columns that count. For a row that sums to
/// one this is the expected move.
fn displacement(
    m: &Csr,
    z: ArrayView2<'_, f64>,
    i: usize,
    counts: impl Fn(usize) -> bool,
) -> Vec<f64> {
    let mut sum = vec![0.0; z.ncols()];
    let (columns, values) = row(m, i);
    for (&j, &v) in columns.iter().zip(values) {
        let j = j as usize;
        // A stored zero is no weight, whatever the coordinates.
        if v != 0.0 && counts(j) {
            for (d, s) in sum.iter_mut().enumerate() {
                *s += v * (z[(j, d)] - z[(i, d)]);
            }
        }
    }
    sum
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - ma) * (y - mb);
        aa += (x - ma) * (x - ma);
        bb += (y - mb) * (y - mb);
    }
    let score = ab / (aa.sqrt() * bb.sqrt());
    // Rounding may pass the ends; NaN stays NaN.
    score.clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;
    use crate::testing::same_bits;
    use ndarray::{array, Array2};

    #[test]
    fn a_move_straight_at_the_neighbours_scores_one() {
        let z = array![[0.0, 0.0, 0.0], [1.0, 2.0, 4.0], [2.0, 1.0, 0.0]];
        let graph = from_rows(3, vec![vec![(1, 2.0), (2, 9.0)], vec![], vec![]]).unwrap();
        let exec = Exec::serial();
        let (source, target) = ([true, false, false], [false, true, false]);
        let score = |to: Vec<(u32, f64)>| {
            let t = from_rows(3, vec![to, vec![(1, 1.0)], vec![(2, 1.0)]]).unwrap();
            let found = boundary_scores(&exec, &t, &graph, z.view(), &source, &target).unwrap();
            assert_eq!((found.len(), found[0].0), (1, 0));
            found[0].1
        };
        assert!((score(vec![(1, 1.0)]) - 1.0).abs() < 1e-15);
        // Pearson of (2, 1, 0) and (1, 2, 4): -3 over sqrt(2 x 42/9).
        assert!((score(vec![(2, 1.0)]) + 9.0 / 84f64.sqrt()).abs() < 1e-15);
        // A cell that stays has no direction.
        assert!(score(vec![(0, 1.0)]).is_nan());
    }

    #[test]
    fn missing_coordinates_and_weights_leave_the_others_alone() {
        let z = array![[0.0, 0.0], [1.0, 2.0], [f64::NAN, 1.0], [3.0, 1.0]];
        let graph = from_rows(
            4,
            vec![vec![(2, 1.0)], vec![(3, 1.0)], vec![(3, 0.0)], vec![]],
        )
        .unwrap();
        let t = from_rows(
            4,
            vec![
                vec![(1, 1.0)],
                vec![(3, 1.0)],
                vec![(3, 1.0)],
                vec![(3, 1.0)],
            ],
        );
        let (source, target) = ([true, true, true, false], [false, false, true, true]);
        let exec = Exec::serial();
        let found =
            boundary_scores(&exec, &t.unwrap(), &graph, z.view(), &source, &target).unwrap();
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(found[0].1.is_nan() && found[2].1.is_nan());
        assert!((found[1].1 - 1.0).abs() < 1e-15);
    }

    #[test]
    fn sizes_must_fit() {
        let m = Csr::eye(3);
        let z = Array2::zeros((2, 2));
        let e = boundary_scores(&Exec::serial(), &m, &m, z.view(), &[true; 3], &[true; 3]);
        assert_eq!(e.unwrap_err().kind(), "shape");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let mut s = Stream::new(7, 0, 0, 0);
        let n = 600;
        let z = Array2::from_shape_fn((n, 5), |_| s.uniform());
        let rows = (0..n)
            .map(|i| {
                (1..6)
                    .map(|k| (((i + k * k) % n) as u32, s.uniform()))
                    .collect()
            })
            .collect();
        let m = from_rows(n, rows).unwrap();
        let source: Vec<bool> = (0..n).map(|i| i % 2 == 0).collect();
        let target: Vec<bool> = source.iter().map(|s| !s).collect();
        same_bits(|threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let found = boundary_scores(&exec, &m, &m, z.view(), &source, &target).unwrap();
            found
                .into_iter()
                .map(|(i, v)| (i, v.to_bits()))
                .collect::<Vec<_>>()
        });
    }
}
