//! How many of the true neighbours were found.

use super::knn::{check_size, measure, Knn};
use super::metric::Metric;
use super::points::Points;
use super::query::query;
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::rng::Stream;
use ndarray::{ArrayView2, Axis};

/// Purpose of the draws.
const PURPOSE: u64 = 0x4EC1;

/// The part of the neighbours in `knn` that are not farther than the true k-th
/// neighbour (so equal distances count as found), over `sample` cells drawn by key,
/// or all when there are fewer. 2 n d operations per cell of the sample.
///
/// # Errors
/// `shape` when `knn` is of another number of cells, `range` as
/// [`super::knn::exact`] and for an empty sample, `memory`, `interrupted`.
pub fn recall(
    exec: &Exec,
    x: ArrayView2<'_, f64>,
    metric: Metric,
    knn: &Knn,
    sample: usize,
    seed: u64,
) -> Result<f64> {
    let n = x.nrows();
    if knn.n != n {
        return Err(CoreError::Shape {
            what: "the neighbours".into(),
            expected: n,
            found: knn.n,
        });
    }
    check_size(n, knn.k + 1)?;
    if sample == 0 {
        return Err(CoreError::Range {
            what: "the number of cells to check".into(),
            value: 0.0,
            allowed: "1 or more".into(),
        });
    }
    let mut cells = Stream::new(seed, PURPOSE, 0, 0).permutation(n);
    cells.truncate(sample);
    // The nearest of all is the cell itself or a duplicate, at distance zero.
    let truth = query(exec, x, x.select(Axis(0), &cells).view(), knn.k + 1, metric)?;
    let points = Points::new(exec, x, metric)?;
    let (mut right, mut measured) = (0usize, Vec::new());
    for (at, &i) in cells.iter().enumerate() {
        exec.check()?;
        let last = truth.row(at).1[knn.k];
        measure(&points, i, &points, knn.row(i).0, &mut measured);
        right += measured.iter().filter(|m| m.0 as f32 <= last).count();
    }
    Ok(right as f64 / (cells.len() * knn.k) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::knn::exact;
    use ndarray::Array2;

    fn random(n: usize) -> Array2<f64> {
        let mut s = Stream::new(8, 0, 0, 0);
        Array2::from_shape_fn((n, 4), |_| s.normal())
    }

    #[test]
    fn the_exact_answer_is_complete() {
        let exec = Exec::with_threads(2).unwrap();
        let x = random(400);
        for metric in [Metric::Euclidean, Metric::Cosine, Metric::Canberra] {
            let knn = exact(&exec, x.view(), 11, metric).unwrap();
            for sample in [50, 4000] {
                assert_eq!(
                    recall(&exec, x.view(), metric, &knn, sample, 1).unwrap(),
                    1.0
                );
            }
        }
        // Any of the duplicates will do.
        let same = Array2::from_elem((60, 2), 3.0);
        let mut knn = exact(&exec, same.view(), 6, Metric::Euclidean).unwrap();
        for (at, j) in knn.indices.iter_mut().enumerate() {
            *j = ((at / 5 + 7 + at % 5) % 60) as u32;
        }
        assert_eq!(
            recall(&exec, same.view(), Metric::Euclidean, &knn, 60, 1).unwrap(),
            1.0
        );
    }

    #[test]
    fn what_is_missing_is_counted() {
        let exec = Exec::serial();
        let x = random(300);
        let mut knn = exact(&exec, x.view(), 11, Metric::Euclidean).unwrap();
        let far = exact(&exec, x.view(), 300, Metric::Euclidean).unwrap();
        for i in 0..300 {
            // Three of ten are replaced by the farthest cells.
            for c in 0..3 {
                knn.indices[i * 10 + c] = far.row(i).0[298 - c];
            }
        }
        let r = recall(&exec, x.view(), Metric::Euclidean, &knn, 300, 1).unwrap();
        assert!((r - 0.7).abs() < 1e-12);
        let kind = |knn: &Knn, sample| {
            recall(&exec, x.view(), Metric::Euclidean, knn, sample, 1)
                .unwrap_err()
                .kind()
        };
        assert_eq!(kind(&knn, 0), "range");
        knn.n = 299;
        assert_eq!(kind(&knn, 9), "shape");
    }
}
