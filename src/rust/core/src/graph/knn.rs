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

use super::tile::{self, Packed};
use crate::error::{try_filled, try_with_capacity, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::simd;
use ndarray::ArrayView2;

/// How far apart two cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Straight line distance.
    Euclidean,
    /// One minus the cosine of the angle; 1 to a cell that is zero everywhere.
    Cosine,
    /// One minus Pearson's correlation; 1 to a cell that is constant.
    Correlation,
    /// Sum of absolute differences.
    Manhattan,
}

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

/// Largest absolute value of a feature; beyond it single precision distances
/// would overflow.
const MAX_VALUE: f64 = 1e30;

/// Rows per task.
const ROWS: usize = 64;

/// The `n_neighbors - 1` nearest other cells of every cell of `x` (cells x
/// features). `n_neighbors` counts the cell itself, as in scanpy. The order is by
/// (double precision distance, index). 2 n^2 d operations; n d single precision
/// numbers of extra memory (and n d doubles for cosine and correlation).
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
    let n = x.nrows();
    if n_neighbors < 2 || n_neighbors > n || u32::try_from(n).is_err() {
        return Err(CoreError::Range {
            what: "n_neighbors".into(),
            value: n_neighbors as f64,
            allowed: format!("2 to the number of cells ({n})"),
        });
    }
    let k = n_neighbors - 1;
    let points = Points::new(exec, x, metric)?;
    let packed = points.pack(exec)?;
    exec.control().begin(n);
    let parts = exec.map_chunks(n, ROWS, |rows| {
        let done = rows.len();
        let out = search_rows(&points, &packed, rows, k);
        exec.control().tick(done);
        out
    })?;
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

/// The rows in the form in which they are compared.
struct Points {
    metric: Metric,
    n: usize,
    d: usize,
    /// n x d: as given, or of unit length for cosine and correlation.
    rows: Vec<f64>,
    /// Which rows have no direction (cosine and correlation only).
    null: Vec<bool>,
}

impl Points {
    fn new(exec: &Exec, x: ArrayView2<'_, f64>, metric: Metric) -> Result<Points> {
        let (n, d) = x.dim();
        let mut rows = try_with_capacity(n * d, "the cells")?;
        rows.extend(x.iter());
        check_values(&rows, d)?;
        let mut null = vec![false; n];
        if matches!(metric, Metric::Cosine | Metric::Correlation) && d > 0 {
            exec.chunks_mut(&mut rows, ROWS * d, |_, piece| {
                for r in piece.chunks_exact_mut(d) {
                    unit_length(r, metric == Metric::Correlation);
                }
            })?;
            for (null, r) in null.iter_mut().zip(rows.chunks_exact(d)) {
                *null = r.iter().all(|&v| v == 0.0);
            }
        }
        Ok(Points {
            metric,
            n,
            d,
            rows,
            null,
        })
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.d..(i + 1) * self.d]
    }

    /// Distance of two cells in double precision.
    #[inline(always)]
    fn distance(&self, i: usize, j: usize) -> f64 {
        let (a, b) = (self.row(i), self.row(j));
        match self.metric {
            Metric::Euclidean => simd::zip_sum(a, b, |x, y| (x - y) * (x - y)).sqrt(),
            Metric::Manhattan => simd::zip_sum(a, b, |x, y| (x - y).abs()),
            Metric::Cosine | Metric::Correlation if self.null[i] || self.null[j] => 1.0,
            // |a - b|^2 / 2 = 1 - a.b for rows of unit length, without cancellation.
            _ => 0.5 * simd::zip_sum(a, b, |x, y| (x - y) * (x - y)),
        }
    }

    /// Single precision copy, centred and scaled by a power of two.
    fn pack(&self, exec: &Exec) -> Result<Packed> {
        let (n, d) = (self.n, self.d);
        let angular = matches!(self.metric, Metric::Cosine | Metric::Correlation);
        let mut centre = try_filled(d, 0.0, "the cells")?;
        if !angular {
            // Differences do not depend on the origin; single precision does.
            for i in 0..n {
                simd::axpy(1.0 / n as f64, self.row(i), &mut centre);
            }
        }
        let mut largest = 0.0f64;
        for i in 0..n {
            for (&v, &c) in self.row(i).iter().zip(&centre) {
                largest = largest.max((v - c).abs());
            }
        }
        let scale = if angular { 1.0 } else { power_below(largest) };
        tile::pack(
            exec,
            n,
            d,
            self.metric == Metric::Manhattan,
            |i, g| ((self.row(i)[g] - centre[g]) * scale) as f32,
            |i| {
                if angular {
                    return 0.5;
                }
                let pairs = || self.row(i).iter().zip(&centre);
                match self.metric {
                    Metric::Manhattan => pairs().map(|(&v, &c)| ((v - c) * scale).abs()).sum(),
                    _ => {
                        let square = |(&v, &c): (&f64, &f64)| {
                            let y = (v - c) * scale;
                            y * y
                        };
                        0.5 * pairs().map(square).sum::<f64>()
                    }
                }
            },
        )
    }
}

/// The reciprocal of the power of two at or below `x`, so that x times it is in
/// [1, 2); 1 for numbers too small to matter.
fn power_below(x: f64) -> f64 {
    let exponent = (x.to_bits() >> 52) & 0x7FF;
    if exponent < 64 {
        return 1.0;
    }
    f64::from_bits((2046 - exponent) << 52)
}

fn check_values(rows: &[f64], d: usize) -> Result<()> {
    let d = d.max(1);
    let count = rows.iter().filter(|v| !v.is_finite()).count();
    if count > 0 {
        let cells = rows
            .chunks(d)
            .enumerate()
            .filter(|(_, r)| r.iter().any(|v| !v.is_finite()))
            .map(|(i, _)| i)
            .take(SHOWN)
            .collect();
        return Err(CoreError::NotFinite {
            what: "the representation".into(),
            count,
            cells,
        });
    }
    match rows.iter().find(|v| v.abs() > MAX_VALUE) {
        Some(&value) => Err(CoreError::Range {
            what: "a value of the representation".into(),
            value,
            allowed: "at most 1e30 in size".into(),
        }),
        None => Ok(()),
    }
}

/// Scales a row to length one, after centring if asked; a row without direction
/// becomes zero.
fn unit_length(r: &mut [f64], centre: bool) {
    let largest = r.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 {
        return;
    }
    // By the largest entry first, so that no square overflows or vanishes.
    r.iter_mut().for_each(|v| *v /= largest);
    if centre {
        let mean = simd::sum(r) / r.len() as f64;
        r.iter_mut().for_each(|v| *v -= mean);
    }
    let norm = simd::dot(r, r).sqrt();
    // Entries are at most one in size: below this, centring left only rounding.
    if norm <= 4.0 * f64::EPSILON * (r.len() as f64).sqrt() {
        r.fill(0.0);
    } else {
        r.iter_mut().for_each(|v| *v /= norm);
    }
}

/// The k nearest of each cell of `rows`: candidates by tiles, then exactly.
fn search_rows(
    points: &Points,
    packed: &Packed,
    rows: std::ops::Range<usize>,
    k: usize,
) -> (Vec<u32>, Vec<f32>) {
    let candidates = tile::candidates(packed, rows.clone(), k);
    let mut indices = Vec::with_capacity(rows.len() * k);
    let mut distances = Vec::with_capacity(rows.len() * k);
    let mut measured: Vec<(f64, u32)> = Vec::new();
    for (i, found) in rows.zip(candidates) {
        measured.clear();
        simd::wide(
            #[inline(always)]
            || {
                for &j in &found {
                    measured.push((points.distance(i, j as usize), j));
                }
            },
        );
        debug_assert!(measured.len() >= k);
        measured.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        indices.extend(measured[..k].iter().map(|m| m.1));
        distances.extend(measured[..k].iter().map(|m| m.0 as f32));
    }
    (indices, distances)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use ndarray::{array, Array2};

    const ALL: [Metric; 4] = [
        Metric::Euclidean,
        Metric::Cosine,
        Metric::Correlation,
        Metric::Manhattan,
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
                _ => {
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
                agree(&random(n, d, 5), k, metric);
            }
        }
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
