//! The choice between the exact and the approximate search.

use super::descent;
use super::knn::{check_size, exact_points, Knn};
use super::metric::Metric;
use super::points::Points;
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use ndarray::ArrayView2;

/// How neighbours are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Approximate where that is much faster (see [`neighbors`]), else exact.
    Auto,
    /// All pairs.
    Exact,
    /// Neighbours of neighbours ([`super::descent`]); all pairs for few cells.
    Approximate,
}

/// Neighbours and how they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbors {
    pub knn: Knn,
    /// Whether all pairs were compared.
    pub exact: bool,
    /// Pairs of cells whose distance was computed.
    pub distances_computed: u64,
}

/// [`Search::Auto`] is approximate from this many cells on, and
const AUTO_CELLS: usize = 8192;
/// when n^2 d reaches this: 30,000 cells of 50 dimensions.
const AUTO_WORK: f64 = 4.5e10;

/// The `n_neighbors - 1` nearest other cells of every cell of `x` (cells x
/// features); `n_neighbors` counts the cell itself. `seed` matters to the
/// approximate search only.
///
/// The exact search costs n^2 d, the approximate one n d. Processor seconds on a busy
/// AMD EPYC 9004 with AVX2 for d = 50 and 30 neighbours: 0.4 and 0.2 for 10,000
/// cells, 2.7 and 0.9 for 30,000, 20 and 6 for 100,000. As long as certainty costs
/// seconds, [`Search::Auto`] is exact: below 30,000 cells of 50 dimensions (n^2 d =
/// 4.5e10), and below 8,192 cells of any.
///
/// # Errors
/// `range` for values that are not finite or beyond 1e30, for `n_neighbors` outside
/// 2..=n and for a metric without approximate search where one is demanded,
/// `memory`, `interrupted`.
pub fn neighbors(
    exec: &Exec,
    x: ArrayView2<'_, f64>,
    n_neighbors: usize,
    metric: Metric,
    search: Search,
    seed: u64,
) -> Result<Neighbors> {
    let n = x.nrows();
    check_size(n, n_neighbors)?;
    let points = Points::new(exec, x, metric)?;
    let k = n_neighbors - 1;
    let approximate = match search {
        Search::Exact => false,
        Search::Auto => metric.has_tiles() && is_much(n, points.d),
        Search::Approximate if !metric.has_tiles() => {
            return Err(CoreError::Choice {
                what: "the metric".into(),
                value: metric.name().into(),
                reason: "has no approximate search".into(),
            });
        }
        Search::Approximate => true,
    };
    if approximate && !descent::is_small(n, k) {
        let (knn, distances_computed) = descent::search(exec, &points, k, seed)?;
        return Ok(Neighbors {
            knn,
            exact: false,
            distances_computed,
        });
    }
    Ok(Neighbors {
        knn: exact_points(exec, &points, k)?,
        exact: true,
        distances_computed: n as u64 * (n as u64 - 1),
    })
}

/// Whether all pairs are too much work.
fn is_much(n: usize, d: usize) -> bool {
    let cells = n as f64;
    n >= AUTO_CELLS && cells * cells * d as f64 >= AUTO_WORK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::recall;
    use crate::math;
    use crate::rng::Stream;
    use ndarray::Array2;

    /// Clusters of different sizes along curves, in `d` dimensions with noise.
    fn cells(n: usize, d: usize, noise: f64) -> Array2<f64> {
        let mut s = Stream::new(3, 0, 0, 0);
        let corners = Array2::from_shape_fn((12, d), |_| 4.0 * s.normal());
        let mut x = Array2::zeros((n, d));
        for i in 0..n {
            let (a, b, t) = (s.below(12), i % 3, s.uniform());
            for c in 0..d {
                let line = corners[(a, c)] * (1.0 - t) + corners[(b, c)] * t;
                x[(i, c)] = line + noise * s.normal();
            }
        }
        x
    }

    fn found(x: &Array2<f64>, k: usize, metric: Metric, search: Search) -> Neighbors {
        let exec = Exec::with_threads(2).unwrap();
        neighbors(&exec, x.view(), k, metric, search, 7).unwrap()
    }

    fn recalled(x: &Array2<f64>, k: usize, metric: Metric) -> f64 {
        let out = found(x, k, metric, Search::Approximate);
        assert!(!out.exact);
        for i in 0..x.nrows() {
            let (j, d) = out.knn.row(i);
            assert!(!j.contains(&(i as u32)));
            // Ties of single precision are in the order of double precision.
            let ascending = |p: &usize| d[*p] <= d[*p + 1];
            assert!((0..k - 2).all(|p| ascending(&p)), "cell {i}");
        }
        let exec = Exec::with_threads(2).unwrap();
        recall(&exec, x.view(), metric, &out.knn, 500, 1).unwrap()
    }

    #[test]
    fn nearly_all_neighbours_are_found() {
        let x = cells(6000, 20, 0.5);
        for metric in [
            Metric::Euclidean,
            Metric::Cosine,
            Metric::Correlation,
            Metric::Manhattan,
            Metric::Chebyshev,
        ] {
            for k in [5, 30] {
                let r = recalled(&x, k, metric);
                assert!(r >= 0.99, "{metric:?} {k}: {r}");
            }
        }
    }

    #[test]
    fn hard_cells_are_found_too() {
        // Noise without structure in 30 dimensions is the hardest for any index.
        let mut s = Stream::new(4, 0, 0, 0);
        let noise = Array2::from_shape_fn((4000, 30), |_| s.normal());
        assert!(recalled(&noise, 15, Metric::Euclidean) >= 0.97);
        // Thousands of duplicates; a group far away that single precision would
        // merge into one point; one cell at the end of the world.
        let mut x = cells(5000, 8, 0.3);
        for i in 0..2500 {
            for c in 0..8 {
                x[(i, c)] = f64::from(u8::from(i % 2 == 0));
            }
        }
        for i in 2500..3500 {
            for c in 0..8 {
                x[(i, c)] = 1e4 + 0.1 * s.normal();
            }
        }
        x[(4999, 0)] = -1e6;
        assert!(recalled(&x, 12, Metric::Euclidean) >= 0.99);
        // Cells without direction are at distance one from all others.
        let mut y = cells(4000, 6, 0.3);
        for i in (0..4000).step_by(9) {
            y.row_mut(i).fill(0.0);
        }
        assert!(recalled(&y, 10, Metric::Cosine) >= 0.99);
    }

    #[test]
    fn few_cells_and_few_pairs_are_all_compared() {
        let x = cells(300, 5, 0.3);
        let out = found(&x, 10, Metric::Euclidean, Search::Approximate);
        assert!(out.exact);
        assert_eq!(out, found(&x, 10, Metric::Euclidean, Search::Exact));
        assert_eq!(out, found(&x, 10, Metric::Euclidean, Search::Auto));
        assert_eq!(out.distances_computed, 300 * 299);
        assert!(!is_much(29_999, 50) && is_much(30_000, 50));
        assert!(!is_much(8_191, 20_000) && is_much(8_192, 2_000));
        let many = found(&x, 300, Metric::Euclidean, Search::Approximate);
        assert!(many.exact);
    }

    #[test]
    fn the_work_is_in_proportion_to_the_cells() {
        let count = |n| {
            let x = cells(n, 6, 1.0);
            let out = found(&x, 15, Metric::Euclidean, Search::Approximate);
            out.distances_computed as f64 / n as f64
        };
        assert!(count(12_000) <= count(6000) * math::pow(2.0, 0.2));
    }

    #[test]
    fn any_number_of_threads_and_any_path_give_the_same_bits() {
        let x = cells(4000, 9, 0.5);
        for metric in [Metric::Euclidean, Metric::Cosine, Metric::Manhattan] {
            crate::testing::same_bits(|t| {
                let exec = Exec::with_threads(t).unwrap();
                neighbors(&exec, x.view(), 15, metric, Search::Approximate, 5).unwrap()
            });
        }
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        let exec = Exec::serial();
        let x = cells(50, 3, 0.3);
        let kind = |k, metric, search| {
            neighbors(&exec, x.view(), k, metric, search, 0)
                .unwrap_err()
                .kind()
        };
        let canberra = Metric::Canberra;
        assert_eq!(kind(5, canberra, Search::Approximate), "range");
        assert_eq!(kind(1, canberra, Search::Auto), "range");
        assert_eq!(kind(51, canberra, Search::Auto), "range");
        exec.control().cancel();
        let error = neighbors(&exec, x.view(), 5, canberra, Search::Auto, 0).unwrap_err();
        assert_eq!(error, CoreError::Interrupted);
    }
}
