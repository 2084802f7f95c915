//! The nearest cells of a reference for cells that are not part of it.

use super::brute;
use super::knn::{Knn, Search};
use super::metric::Metric;
use super::points::{Frame, Points};
use super::tile;
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use ndarray::ArrayView2;

/// The `k` nearest rows of `train` for every row of `queries` (both cells x
/// features), exactly, by (double precision distance, index). The result has
/// `queries.nrows()` rows and indices into `train`; a query that is also in `train`
/// finds itself. 2 n m d operations; one copy of both in double and in single
/// precision.
///
/// # Errors
/// `shape` when the numbers of features differ, `range` for values that are not
/// finite or beyond 1e30 and for `k` outside 1..=train.nrows(), `memory`,
/// `interrupted`.
pub fn query(
    exec: &Exec,
    train: ArrayView2<'_, f64>,
    queries: ArrayView2<'_, f64>,
    k: usize,
    metric: Metric,
) -> Result<Knn> {
    if train.ncols() != queries.ncols() {
        return Err(CoreError::Shape {
            what: "the features of the new cells".into(),
            expected: train.ncols(),
            found: queries.ncols(),
        });
    }
    if k == 0 || k > train.nrows() {
        return Err(CoreError::Range {
            what: "the number of neighbours".into(),
            value: k as f64,
            allowed: format!("1 to the number of cells ({})", train.nrows()),
        });
    }
    let train = Points::new(exec, train, metric)?;
    let queries = Points::new(exec, queries, metric)?;
    if !metric.has_tiles() {
        return brute::search(exec, &queries, &train, k, false);
    }
    let frame = Frame::new(&train, &queries)?;
    let (columns, rows) = (
        tile::pack(exec, &train, &frame)?,
        tile::pack(exec, &queries, &frame)?,
    );
    let search = Search {
        train: &train,
        columns: &columns,
        queries: &queries,
        rows: &rows,
        k,
        own: false,
    };
    search.run(exec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::knn::exact;
    use crate::rng::Stream;
    use ndarray::Array2;

    fn random(n: usize, d: usize, seed: u64) -> Array2<f64> {
        let mut s = Stream::new(seed, 0, 0, 0);
        Array2::from_shape_fn((n, d), |_| s.normal())
    }

    const ALL: [Metric; 6] = [
        Metric::Euclidean,
        Metric::Cosine,
        Metric::Correlation,
        Metric::Manhattan,
        Metric::Chebyshev,
        Metric::Canberra,
    ];

    #[test]
    fn a_query_of_the_training_cells_is_the_search_with_the_cell_itself() {
        let exec = Exec::with_threads(2).unwrap();
        let x = random(170, 7, 1);
        for metric in ALL {
            let own = exact(&exec, x.view(), 9, metric).unwrap();
            let found = query(&exec, x.view(), x.view(), 9, metric).unwrap();
            for i in 0..170 {
                let (j, d) = found.row(i);
                assert_eq!((j[0], d[0]), (i as u32, 0.0), "{metric:?}");
                assert_eq!((&j[1..], &d[1..]), own.row(i));
            }
        }
    }

    #[test]
    fn new_cells_find_what_a_scan_finds() {
        let exec = Exec::with_threads(2).unwrap();
        let (train, new) = (random(211, 5, 2), random(37, 5, 3));
        for metric in [Metric::Euclidean, Metric::Manhattan, Metric::Chebyshev] {
            let found = query(&exec, train.view(), new.view(), 12, metric).unwrap();
            assert_eq!((found.n, found.k), (37, 12));
            for i in 0..37 {
                let mut all: Vec<(f64, u32)> = (0..211)
                    .map(|j| {
                        let away = |c: usize| (new[(i, c)] - train[(j, c)]).abs();
                        let d = match metric {
                            Metric::Euclidean => {
                                (0..5).map(|c| away(c) * away(c)).sum::<f64>().sqrt()
                            }
                            Metric::Manhattan => (0..5).map(away).sum(),
                            _ => (0..5).map(away).fold(0.0, f64::max),
                        };
                        (d, j as u32)
                    })
                    .collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0));
                let want: Vec<u32> = all[..12].iter().map(|a| a.1).collect();
                assert_eq!(found.row(i).0, want);
            }
        }
    }

    #[test]
    fn sizes_and_values_are_checked() {
        let exec = Exec::serial();
        let (train, new) = (random(9, 3, 1), random(4, 3, 2));
        let kind = |t: &Array2<f64>, q: &Array2<f64>, k| {
            query(&exec, t.view(), q.view(), k, Metric::Euclidean)
                .unwrap_err()
                .kind()
        };
        assert_eq!(kind(&train, &random(4, 2, 1), 3), "shape");
        assert_eq!(kind(&train, &new, 0), "range");
        assert_eq!(kind(&train, &new, 10), "range");
        let mut bad = new.clone();
        bad[(2, 1)] = f64::INFINITY;
        assert_eq!(kind(&train, &bad, 3), "range");
        let none = Array2::zeros((0, 3));
        let empty = query(&exec, train.view(), none.view(), 3, Metric::Euclidean).unwrap();
        assert_eq!((empty.n, empty.indices.len()), (0, 0));
        let far = &new * 1e20;
        let found = query(&exec, train.view(), far.view(), 9, Metric::Euclidean).unwrap();
        assert!(found.distances.iter().all(|d| d.is_finite()));
    }
}
