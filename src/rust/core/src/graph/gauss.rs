//! Gaussian edge weights with a width of their own for each cell (Haghverdi et al.
//! 2016; section 1.6 of the graph rules).
//!
//! Two cells at distance d with widths s and t get
//! `sqrt(2 s t / (s^2 + t^2)) exp(-d^2 / (s^2 + t^2))`, the overlap of two Gaussian
//! clouds. In the sparse graph s^2 is the median squared distance to the neighbours;
//! in the dense graph of all pairs a quarter of the squared distance to the farthest
//! of them.

use super::fuzzy::check_distances;
use super::knn::Knn;
use super::metric::Metric;
use super::points::Points;
use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::math;
use crate::simd;
use crate::sparse::csr::{from_parts, Csr};
use crate::sparse::ops::{build_rows, with_transpose};
use ndarray::ArrayView2;
use std::ops::Range;

/// Cells of a dense graph at most: n^2 weights are stored.
pub const MOST_DENSE: usize = 20_000;
/// Weights of the dense graph at or below it are left out.
const SMALLEST: f64 = 1e-14;
/// The width of a cell that sits on its neighbours, as a part of the root mean
/// square of all distances.
const SMALLEST_WIDTH: f64 = 1e-3;
/// Rows per task of the dense graph.
const ROWS: usize = 16;

/// Columns and weights of some rows.
type Entries = Vec<(u32, f64)>;

/// Symmetric weights in (0, 1] of the pairs of which at least one is a neighbour of
/// the other, with an empty diagonal. Cells that sit on half of their neighbours get
/// a small width instead of none. O(n k log k).
///
/// # Errors
/// `range` for distances that are not finite, `memory`, `interrupted`.
pub fn gauss_connectivities(exec: &Exec, knn: &Knn) -> Result<Csr> {
    let n = knn.n;
    check_distances(knn)?;
    let mut widths = try_filled(n, 0.0, "the edge weights")?;
    exec.chunks_mut(&mut widths, 512, |start, piece| {
        for (at, w) in piece.iter_mut().enumerate() {
            *w = median(knn.row(start + at).1);
        }
    })?;
    let total = exec.sum(knn.distances.len(), |r| {
        knn.distances[r].iter().map(|&d| square(d)).sum()
    })?;
    floor(&mut widths, total / knn.distances.len().max(1) as f64);
    let directed = build_rows(exec, n, n, |i, out| {
        let (cols, distances) = knn.row(i);
        for (&j, &d) in cols.iter().zip(distances) {
            let w = weight(widths[i], widths[j as usize], square(d));
            if w > 0.0 {
                out.push((j, w));
            }
        }
    })?;
    // Both directions of a pair have the same weight: nothing is added up.
    with_transpose(exec, &directed, |a, b| if a > b { a } else { b })
}

/// Weights of all pairs in (1e-14, 1], with a diagonal of ones. `knn` are the
/// neighbours in `x` under the same metric. O(n^2 d) time and O(n^2) memory.
///
/// # Errors
/// `range` as [`super::knn::exact`] and above [`MOST_DENSE`] cells, `shape` when
/// `knn` is of other cells, `memory`, `interrupted`.
pub fn gauss_dense(exec: &Exec, x: ArrayView2<'_, f64>, metric: Metric, knn: &Knn) -> Result<Csr> {
    let n = x.nrows();
    if n > MOST_DENSE {
        return Err(CoreError::Range {
            what: "the number of cells of a dense graph".into(),
            value: n as f64,
            allowed: format!("at most {MOST_DENSE}"),
        });
    }
    if knn.n != n {
        return Err(CoreError::Shape {
            what: "the neighbours".into(),
            expected: n,
            found: knn.n,
        });
    }
    let points = Points::new(exec, x, metric)?;
    let mut widths = try_filled(n, 0.0, "the edge weights")?;
    for (i, w) in widths.iter_mut().enumerate() {
        let last = knn.row(i).0[knn.k - 1];
        let d = points.distance(i, &points, last as usize);
        *w = d * d / 4.0;
    }
    let mean = widths.iter().sum::<f64>() / n.max(1) as f64;
    floor(&mut widths, 4.0 * mean);
    exec.control().begin(n);
    let parts = exec.try_map_chunks(n, ROWS, |rows| {
        let done = rows.len();
        let out = dense_rows(&points, &widths, rows)?;
        exec.control().tick(done);
        Ok(out)
    })?;
    let mut indptr = try_with_capacity(n + 1, "the edge weights")?;
    indptr.push(0);
    for count in parts.iter().flat_map(|p| &p.0) {
        indptr.push(indptr[indptr.len() - 1] + count);
    }
    let mut indices = try_with_capacity(indptr[n], "the edge weights")?;
    let mut data = try_with_capacity(indptr[n], "the edge weights")?;
    for (_, entries) in parts {
        indices.extend(entries.iter().map(|e| e.0));
        data.extend(entries.iter().map(|e| e.1));
    }
    from_parts((n, n), indptr, indices, data)
}

/// How many weights each of `rows` has, and the weights.
fn dense_rows(
    points: &Points,
    widths: &[f64],
    rows: Range<usize>,
) -> Result<(Vec<usize>, Entries)> {
    let n = points.n;
    let mut counts = Vec::with_capacity(rows.len());
    let mut entries = try_with_capacity(rows.len() * n, "the edge weights")?;
    let mut squares = try_filled(n, 0.0, "the edge weights")?;
    for i in rows {
        simd::wide(
            #[inline(always)]
            || {
                for (j, square) in squares.iter_mut().enumerate() {
                    let d = points.distance(i, points, j);
                    *square = d * d;
                }
            },
        );
        let before = entries.len();
        for (j, &square) in squares.iter().enumerate() {
            let w = if i == j {
                1.0
            } else {
                weight(widths[i], widths[j], square)
            };
            if w > SMALLEST {
                entries.push((j as u32, w));
            }
        }
        counts.push(entries.len() - before);
    }
    entries.shrink_to_fit();
    Ok((counts, entries))
}

fn square(d: f32) -> f64 {
    let d = f64::from(d);
    d * d
}

/// The median of the squares of ascending distances.
fn median(distances: &[f32]) -> f64 {
    let k = distances.len();
    0.5 * (square(distances[(k - 1) / 2]) + square(distances[k / 2]))
}

/// Squared widths of zero, of cells that sit on their neighbours, become small ones.
fn floor(widths: &mut [f64], mean_square: f64) {
    let least = SMALLEST_WIDTH * SMALLEST_WIDTH * mean_square;
    widths.iter_mut().for_each(|w| *w = w.max(least));
}

/// The weight of a pair from its squared widths and its squared distance.
fn weight(s: f64, t: f64, square: f64) -> f64 {
    let sum = s + t;
    if sum == 0.0 {
        // All cells are the same.
        return 1.0;
    }
    (2.0 * (s.sqrt() * t.sqrt()) / sum).sqrt() * math::exp(-square / sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::knn::exact;
    use crate::rng::Stream;
    use ndarray::{array, Array2};

    fn graph(x: &Array2<f64>, k: usize) -> Csr {
        let exec = Exec::with_threads(2).unwrap();
        let knn = exact(&exec, x.view(), k, Metric::Euclidean).unwrap();
        gauss_connectivities(&exec, &knn).unwrap()
    }

    fn dense(x: &Array2<f64>, k: usize) -> Csr {
        let exec = Exec::with_threads(2).unwrap();
        let knn = exact(&exec, x.view(), k, Metric::Euclidean).unwrap();
        gauss_dense(&exec, x.view(), Metric::Euclidean, &knn).unwrap()
    }

    fn get(m: &Csr, i: usize, j: usize) -> f64 {
        m.get(i, j).copied().unwrap_or(0.0)
    }

    #[test]
    fn four_points_have_the_published_weights() {
        let x = array![[1.0, 0.0], [3.0, 0.0], [5.0, 6.0], [0.0, 4.0]];
        let w = graph(&x, 3);
        let want = [
            (0, 1, 0.846_636_89),
            (0, 3, 0.566_018_58),
            (1, 2, 0.422_364_76),
            (1, 3, 0.490_293_89),
            (2, 3, 0.584_049_2),
            (0, 2, 0.0),
        ];
        for (i, j, v) in want {
            assert!(
                (get(&w, i, j) - v).abs() < 3e-7,
                "{i} {j} {}",
                get(&w, i, j)
            );
            assert_eq!(get(&w, i, j), get(&w, j, i));
            assert_eq!(get(&w, i, i), 0.0);
        }
        // The fixtures are in single precision.
        let w = dense(&x, 3);
        let want = [
            (0, 1, 0.676_927_39),
            (0, 2, 0.024_883_47),
            (0, 3, 0.196_265_58),
            (1, 2, 0.084_144_5),
            (1, 3, 0.135_335_28),
            (2, 3, 0.165_580_69),
        ];
        for (i, j, v) in want {
            assert!((get(&w, i, j) - v).abs() < 5e-8, "{i} {j}");
            assert_eq!(get(&w, i, j), get(&w, j, i));
            assert_eq!(get(&w, i, i), 1.0);
        }
    }

    #[test]
    fn two_squares_and_a_pair_have_the_published_row() {
        let at = [
            [0.0, 0.0],
            [1.0, 0.0],
            [0.0, 1.0],
            [1.0, 1.0],
            [3.0, 0.0],
            [4.0, 0.0],
            [3.0, 1.0],
            [4.0, 1.0],
            [7.0, 0.5],
            [8.0, 0.5],
        ];
        let w = graph(&Array2::from_shape_fn((10, 2), |(i, c)| at[i][c]), 4);
        let want = [0.0, 0.606_531, 0.606_531, 0.367_879];
        for (j, v) in want.iter().chain(&[0.0; 6]).enumerate() {
            assert!((get(&w, 0, j) - v).abs() < 1e-6);
        }
    }

    #[test]
    fn duplicates_have_finite_weights() {
        let mut s = Stream::new(1, 0, 0, 0);
        let x = Array2::from_shape_fn((60, 3), |(i, _)| if i < 25 { 1.0 } else { s.normal() });
        for w in [graph(&x, 8), dense(&x, 8)] {
            let fine = |v: &f64| v.is_finite() && *v > 0.0 && *v <= 1.0;
            assert!(w.data().iter().all(fine));
        }
        let same = Array2::from_elem((12, 2), 4.0);
        assert!(graph(&same, 4).data().iter().all(|&v| v == 1.0));
        assert!(dense(&same, 4).data().iter().all(|&v| v == 1.0));
        assert_eq!(dense(&same, 4).nnz(), 144);
    }

    #[test]
    fn any_number_of_threads_and_any_path_give_the_same_bits() {
        let mut s = Stream::new(1, 0, 0, 0);
        let x = Array2::from_shape_fn((1100, 5), |_| s.normal());
        crate::testing::same_bits(|t| {
            let exec = Exec::with_threads(t).unwrap();
            let knn = exact(&exec, x.view(), 9, Metric::Euclidean).unwrap();
            let dense = gauss_dense(&exec, x.view(), Metric::Cosine, &knn).unwrap();
            (gauss_connectivities(&exec, &knn).unwrap(), dense)
        });
    }

    #[test]
    fn sizes_are_checked() {
        let exec = Exec::serial();
        let x = Array2::from_shape_fn((9, 1), |(i, _)| i as f64);
        let knn = exact(&exec, x.view(), 3, Metric::Euclidean).unwrap();
        let many = Array2::zeros((MOST_DENSE + 1, 1));
        let kind = |x: &Array2<f64>| {
            gauss_dense(&exec, x.view(), Metric::Euclidean, &knn)
                .unwrap_err()
                .kind()
        };
        assert_eq!(kind(&many), "range");
        assert_eq!(kind(&Array2::zeros((8, 1))), "shape");
        let mut bad = knn.clone();
        bad.distances[2] = f32::NAN;
        assert_eq!(
            gauss_connectivities(&exec, &bad).unwrap_err().kind(),
            "range"
        );
    }
}
