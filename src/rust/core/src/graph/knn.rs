//! The nearest neighbours of every cell, exactly.
//!
//! Cells that express the same programme lie close together; everything later in
//! the package walks along the edges found here. All pairs are compared: a first,
//! fast pass in single precision computes `|x|^2/2 + |y|^2/2 - x.y` by tiles, and
//! keeps every pair that could be among the nearest given a proven bound of its
//! rounding error; the survivors are measured again in double precision by direct
//! subtraction and ordered by (distance, index). The bound decides how many
//! survive, so the answer is that of an all double search whatever the data
//! (section 1.4 of the graph rules).
//!
//! Rounding bound: with u = 2^-24, centred rows y and h = |y|^2/2, converting the
//! entries costs 2u|y_i||y_j|, the running sum over d features d u |y_i||y_j|
//! (Higham 2002, section 3.1), and the two additions and the thresholds the rest;
//! since |y_i||y_j| <= h_i + h_j, the error is below u (d + 24) (h_i + h_j). The
//! same holds for the Manhattan distance with h = |y|_1, and for cosine and
//! correlation with h = 1/2, because their rows have unit length.

use super::brute;
pub use super::metric::Metric;
use super::points::{Frame, Points};
use super::tile::{self, Packed};
use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::simd;
use ndarray::ArrayView2;
use std::ops::Range;

/// The k nearest other cells of each of n cells, by rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Knn {
    /// Cells.
    pub n: usize,
    /// Neighbours per cell, the cell itself not counted.
    pub k: usize,
    /// n x k, nearest first; equal distances by index. Never the cell itself.
    pub indices: Vec<u32>,
    /// n x k distances; duplicates of a cell have distance zero.
    pub distances: Vec<f32>,
}

impl Knn {
    /// Neighbours and distances of cell `i`, nearest first.
    #[inline]
    pub fn row(&self, i: usize) -> (&[u32], &[f32]) {
        let range = i * self.k..(i + 1) * self.k;
        (&self.indices[range.clone()], &self.distances[range])
    }
}

/// The `n_neighbors - 1` nearest other cells of every cell of `x` (cells x
/// features). `n_neighbors` counts the cell itself, as in scanpy. The order is by
/// (double precision distance, index). 2 n^2 d operations; n d single precision
/// numbers of extra memory besides the copy of `x`. Metrics without tiles are
/// compared in double precision, some 20 times slower.
///
/// # Errors
/// `range` for values that are not finite or beyond 1e30 and for `n_neighbors`
/// outside 2..=n, `memory`, `interrupted`.
pub fn exact(
    exec: &Exec,
    x: ArrayView2<'_, f64>,
    n_neighbors: usize,
    metric: Metric,
) -> Result<Knn> {
    check_size(x.nrows(), n_neighbors)?;
    let points = Points::new(exec, x, metric)?;
    exact_points(exec, &points, n_neighbors - 1)
}

pub(super) fn check_size(n: usize, n_neighbors: usize) -> Result<()> {
    if n_neighbors < 2 || n_neighbors > n {
        return Err(CoreError::Range {
            what: "n_neighbors".into(),
            value: n_neighbors as f64,
            allowed: format!("2 to the number of cells ({n})"),
        });
    }
    Ok(())
}

pub(super) fn exact_points(exec: &Exec, points: &Points, k: usize) -> Result<Knn> {
    if !points.metric.has_tiles() {
        return brute::search(exec, points, points, k, true);
    }
    let frame = Frame::new(points, points)?;
    let packed = tile::pack(exec, points, &frame)?;
    let search = Search {
        train: points,
        columns: &packed,
        queries: points,
        rows: &packed,
        k,
        own: true,
    };
    search.run(exec)
}

/// The rows of `queries` against those of `train`.
pub(super) struct Search<'a> {
    pub train: &'a Points,
    pub columns: &'a Packed,
    pub queries: &'a Points,
    pub rows: &'a Packed,
    pub k: usize,
    /// Both are the same cells, and no cell is its own neighbour.
    pub own: bool,
}

impl Search<'_> {
    pub fn run(&self, exec: &Exec) -> Result<Knn> {
        let n = self.queries.n;
        exec.control().begin(n);
        let parts = exec.map_chunks(n, tile::rows_per_task(self.train.d), |rows| {
            let done = rows.len();
            let out = self.rows(rows);
            exec.control().tick(done);
            out
        })?;
        join(parts, n, self.k)
    }

    /// The k nearest of each cell of `rows`: candidates by tiles, then exactly.
    fn rows(&self, rows: Range<usize>) -> (Vec<u32>, Vec<f32>) {
        let k = self.k;
        let candidates = tile::candidates(self.columns, self.rows, rows.clone(), k, self.own);
        let mut indices = Vec::with_capacity(rows.len() * k);
        let mut distances = Vec::with_capacity(rows.len() * k);
        let mut measured: Vec<(f64, u32)> = Vec::new();
        for (i, found) in rows.zip(candidates) {
            measure(self.queries, i, self.train, &found, &mut measured);
            debug_assert!(measured.len() >= k);
            indices.extend(measured[..k].iter().map(|m| m.1));
            distances.extend(measured[..k].iter().map(|m| m.0 as f32));
        }
        (indices, distances)
    }
}

/// Double precision distances of cell `i` to the cells of `found`, ascending, ties
/// by index.
pub(super) fn measure(
    queries: &Points,
    i: usize,
    train: &Points,
    found: &[u32],
    measured: &mut Vec<(f64, u32)>,
) {
    measured.clear();
    simd::wide(
        #[inline(always)]
        || {
            for &j in found {
                measured.push((queries.distance(i, train, j as usize), j));
            }
        },
    );
    measured.sort_unstable_by(nearer);
}

/// The order of neighbours: by distance, then by index.
#[inline(always)]
pub(super) fn nearer(a: &(f64, u32), b: &(f64, u32)) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// Rows in order, into one pair of arrays.
pub(super) fn join(parts: Vec<(Vec<u32>, Vec<f32>)>, n: usize, k: usize) -> Result<Knn> {
    let mut indices = try_with_capacity(n * k, "the neighbours")?;
    let mut distances = try_with_capacity(n * k, "the neighbours")?;
    for (j, d) in parts {
        indices.extend(j);
        distances.extend(d);
    }
    Ok(Knn {
        n,
        k,
        indices,
        distances,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math;
    use crate::rng::Stream;
    use ndarray::{array, Array2};

    const ALL: [Metric; 9] = [
        Metric::Euclidean,
        Metric::Cosine,
        Metric::Correlation,
        Metric::Manhattan,
        Metric::Chebyshev,
        Metric::Minkowski(2.5),
        Metric::Canberra,
        Metric::Hamming,
        Metric::Jaccard,
    ];

    /// All distances in double precision, straight from the definitions.
    fn oracle(x: &Array2<f64>, k: usize, metric: Metric) -> Vec<Vec<(f64, u32)>> {
        let d = x.ncols() as f64;
        let distance = |i: usize, j: usize| {
            let (mut a, mut b) = (x.row(i).to_vec(), x.row(j).to_vec());
            if metric == Metric::Correlation {
                for r in [&mut a, &mut b] {
                    let mean = r.iter().sum::<f64>() / d;
                    r.iter_mut().for_each(|v| *v -= mean);
                }
            }
            let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
                a.iter().zip(&b).map(|(&x, &y)| f(x, y)).sum()
            };
            match metric {
                Metric::Euclidean => sum(&|x, y| (x - y) * (x - y)).sqrt(),
                Metric::Manhattan => sum(&|x, y| (x - y).abs()),
                Metric::Chebyshev => a
                    .iter()
                    .zip(&b)
                    .map(|(x, y)| (x - y).abs())
                    .fold(0.0, f64::max),
                Metric::Minkowski(p) => {
                    math::pow(sum(&|x, y| math::pow((x - y).abs(), p)), 1.0 / p)
                }
                Metric::Canberra => sum(&|x, y| match x.abs() + y.abs() {
                    0.0 => 0.0,
                    size => (x - y).abs() / size,
                }),
                Metric::Hamming => sum(&|x, y| f64::from(u8::from(x != y))) / d,
                Metric::Jaccard => {
                    let any = sum(&|x, y| f64::from(u8::from(x != 0.0 || y != 0.0)));
                    let both = sum(&|x, y| f64::from(u8::from(x != 0.0 && y != 0.0)));
                    if any == 0.0 {
                        0.0
                    } else {
                        1.0 - both / any
                    }
                }
                Metric::Cosine | Metric::Correlation => {
                    let norms = (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt();
                    if norms == 0.0 {
                        1.0
                    } else {
                        1.0 - sum(&|x, y| x * y) / norms
                    }
                }
            }
        };
        (0..x.nrows())
            .map(|i| {
                let mut all: Vec<(f64, u32)> = (0..x.nrows())
                    .filter(|&j| j != i)
                    .map(|j| (distance(i, j), j as u32))
                    .collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                all.truncate(k);
                all
            })
            .collect()
    }

    fn random(n: usize, d: usize, seed: u64) -> Array2<f64> {
        let mut s = Stream::new(seed, 0, 0, 0);
        Array2::from_shape_fn((n, d), |_| s.normal())
    }

    fn agree(x: &Array2<f64>, n_neighbors: usize, metric: Metric) {
        let exec = Exec::with_threads(2).unwrap();
        let knn = exact(&exec, x.view(), n_neighbors, metric).unwrap();
        for (i, want) in oracle(x, n_neighbors - 1, metric).iter().enumerate() {
            let (j, d) = knn.row(i);
            let found: Vec<u32> = want.iter().map(|w| w.1).collect();
            assert_eq!(j, found, "cell {i}, {metric:?}");
            for (d, w) in d.iter().zip(want) {
                assert!((f64::from(*d) - w.0).abs() <= 1e-7 * w.0 + 1e-12);
            }
        }
    }

    #[test]
    fn random_cells_agree_with_the_definition() {
        for metric in ALL {
            for (n, d, k) in [(2, 3, 2), (7, 4, 7), (333, 5, 15), (301, 33, 30)] {
                let mut x = random(n, d, 5);
                // Values that are shared, and zeros; sums of thirds would tie.
                match metric {
                    Metric::Hamming | Metric::Jaccard => {
                        x.mapv_inplace(|v| (v.abs() - 0.5).max(0.0).round());
                    }
                    Metric::Canberra => x.mapv_inplace(|v| v * f64::from(v.abs() > 0.3)),
                    _ => (),
                }
                agree(&x, k, metric);
            }
        }
    }

    #[test]
    fn no_power_overflows() {
        for size in [1e-200, 1e25] {
            agree_scaled(size);
        }
    }

    fn agree_scaled(size: f64) {
        let (x, exec) = (random(40, 3, 3), Exec::serial());
        let metric = Metric::Minkowski(7.0);
        let a = exact(&exec, x.view(), 5, metric).unwrap();
        let b = exact(&exec, (&x * size).view(), 5, metric).unwrap();
        assert_eq!(a.indices, b.indices);
        let e = exact(&exec, x.view(), 5, Metric::Minkowski(0.5)).unwrap_err();
        assert_eq!(e.kind(), "range");
    }

    #[test]
    fn ties_go_to_the_smaller_index() {
        // A lattice: integer coordinates, so distances are exact and often equal.
        let x = Array2::from_shape_fn((343, 3), |(i, c)| ((i / [49, 7, 1][c]) % 7) as f64);
        agree(&x, 12, Metric::Euclidean);
        agree(&x, 12, Metric::Manhattan);
    }

    #[test]
    fn duplicates_have_distance_zero_and_are_neighbours() {
        let x = Array2::from_shape_fn((90, 4), |(i, c)| ((i % 5) * (c + 1)) as f64);
        agree(&x, 30, Metric::Euclidean);
        let knn = exact(&Exec::serial(), x.view(), 10, Metric::Euclidean).unwrap();
        assert!(knn.distances.iter().all(|&d| d == 0.0));
        assert!((0..90).all(|i| !knn.row(i).0.contains(&(i as u32))));
        let same = Array2::from_elem((200, 3), 7.5);
        agree(&same, 10, Metric::Euclidean);
    }

    #[test]
    fn a_large_offset_costs_nothing() {
        // Multiples of 2^-20 at 1e4: differences are exact in double precision and
        // far below the resolution of single precision.
        let mut s = Stream::new(9, 0, 0, 0);
        let step = 1.0 / 1_048_576.0;
        let x = Array2::from_shape_fn((300, 6), |_| 1e4 + s.below(64) as f64 * step);
        agree(&x, 15, Metric::Euclidean);
        // Two groups far apart: centring cannot help, the margin must.
        let y = Array2::from_shape_fn((300, 6), |(i, c)| {
            x[(i, c)] * if i % 2 == 0 { 1.0 } else { -1.0 }
        });
        agree(&y, 15, Metric::Euclidean);
        agree(&y, 15, Metric::Manhattan);
    }

    #[test]
    fn extreme_scales_are_no_matter() {
        for size in [1e-18, 1e-6, 1e25] {
            agree(&(random(100, 4, 3) * size), 8, Metric::Euclidean);
            agree(&(random(100, 4, 3) * size), 8, Metric::Cosine);
        }
        let mut outlier = random(200, 5, 3);
        outlier.row_mut(17).fill(1e6);
        agree(&outlier, 8, Metric::Euclidean);
        agree(&outlier, 8, Metric::Manhattan);
    }

    #[test]
    fn cells_without_direction_are_at_distance_one() {
        let x = array![[0.0, 0.0], [1.0, 0.0], [2.0, 0.1], [0.0, 0.0]];
        let knn = exact(&Exec::serial(), x.view(), 4, Metric::Cosine).unwrap();
        assert_eq!(knn.row(0), (&[1u32, 2, 3][..], &[1.0f32, 1.0, 1.0][..]));
        assert_eq!(knn.row(1).0, [2, 0, 3]);
    }

    #[test]
    fn any_number_of_threads_and_any_path_give_the_same_bits() {
        let x = random(700, 19, 1);
        for metric in ALL {
            let run = |t| {
                let exec = Exec::with_threads(t).unwrap();
                exact(&exec, x.view(), 12, metric).unwrap()
            };
            crate::testing::same_bits(run);
        }
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        let exec = Exec::serial();
        let mut x = random(5, 2, 1);
        let kind = |x: &Array2<f64>, k| exact(&exec, x.view(), k, Metric::Euclidean).unwrap_err();
        assert_eq!(kind(&x, 1).kind(), "range");
        assert_eq!(kind(&x, 6).kind(), "range");
        x[(3, 1)] = f64::NAN;
        match kind(&x, 2) {
            CoreError::NotFinite { count, cells, .. } => assert_eq!((count, cells), (1, vec![3])),
            other => panic!("{other}"),
        }
        x[(3, 1)] = 1e31;
        assert_eq!(kind(&x, 2).kind(), "range");
    }
}
