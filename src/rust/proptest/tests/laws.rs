//! Laws that hold for any data, tried on generated graphs, chains and embeddings.

use fatecast_core::chain::absorption::{fate_probabilities, FateOptions};
use fatecast_core::chain::classes::reaching;
use fatecast_core::exec::Exec;
use fatecast_core::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use fatecast_core::graph::knn::{exact, Metric};
use fatecast_core::kernel::similarity::Similarity;
use fatecast_core::kernel::velocity::{velocity_transition, Direction, VelocityOptions};
use fatecast_core::sparse::csr::{from_rows, row, transpose, Csr};
use fatecast_core::sparse::{ops, stochastic};
use ndarray::Array2;
use proptest::prelude::*;

/// A matrix of n x n with at least one positive entry in every row.
fn chain(most: usize) -> impl Strategy<Value = Csr> {
    (2..most).prop_flat_map(|n| {
        let entry = (0..n as u32, 0.001..1.0f64);
        prop::collection::vec(prop::collection::vec(entry, 1..6), n).prop_map(move |rows| {
            let rows = rows
                .into_iter()
                .map(|mut r| {
                    r.sort_by_key(|e| e.0);
                    r.dedup_by_key(|e| e.0);
                    r
                })
                .collect();
            from_rows(n, rows).unwrap()
        })
    })
}

fn cells(most: usize, d: usize) -> impl Strategy<Value = Array2<f64>> {
    (8..most).prop_flat_map(move |n| {
        prop::collection::vec(-5.0..5.0f64, n * d)
            .prop_map(move |v| Array2::from_shape_vec((n, d), v).unwrap())
    })
}

proptest! {
    #[test]
    fn transposing_twice_changes_nothing(m in chain(40), threads in 1usize..5) {
        let exec = Exec::with_threads(threads).unwrap();
        let back = transpose(&exec, &transpose(&exec, &m).unwrap()).unwrap();
        prop_assert_eq!(back, m);
    }

    #[test]
    fn rows_sum_to_one_and_keep_their_pattern(m in chain(40)) {
        let exec = Exec::serial();
        let t = stochastic::normalize(&exec, m.clone()).unwrap();
        prop_assert_eq!(t.indices(), m.indices());
        for s in ops::row_sums(&exec, &t).unwrap() {
            prop_assert!((s - 1.0).abs() < 1e-12);
        }
        prop_assert!(stochastic::check(&exec, &t).is_ok());
    }

    #[test]
    fn neighbours_are_those_of_the_full_search(x in cells(60, 3)) {
        let exec = Exec::with_threads(2).unwrap();
        let knn = exact(&exec, x.view(), 5, Metric::Euclidean).unwrap();
        for i in 0..x.nrows() {
            let mut all: Vec<(f64, u32)> = (0..x.nrows())
                .filter(|&j| j != i)
                .map(|j| {
                    let d: f64 = (0..3).map(|k| (x[(i, k)] - x[(j, k)]).powi(2)).sum();
                    (d.sqrt(), j as u32)
                })
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let near: Vec<u32> = all[..4].iter().map(|e| e.1).collect();
            prop_assert_eq!(knn.row(i).0, &near[..]);
        }
    }

    #[test]
    fn fuzzy_graphs_are_symmetric_in_zero_one(x in cells(60, 3)) {
        let exec = Exec::serial();
        let knn = exact(&exec, x.view(), 6, Metric::Euclidean).unwrap();
        let g = fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap();
        prop_assert_eq!(&transpose(&exec, &g).unwrap(), &g);
        prop_assert!(g.data().iter().all(|&w| w > 0.0 && w <= 1.0));
        prop_assert!((0..g.rows()).all(|i| row(&g, i).0.iter().all(|&j| j as usize != i)));
    }

    #[test]
    fn velocity_does_not_see_scale_or_shift(x in cells(40, 6), scale in 0.1..9.0f64) {
        let exec = Exec::serial();
        let knn = exact(&exec, x.view(), 6, Metric::Euclidean).unwrap();
        let g = fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap();
        let mut v = x.clone();
        v.mapv_inplace(|a| (a * 7.3).rem_euclid(2.0) - 0.9);
        let options = VelocityOptions {
            similarity: Similarity::Correlation,
            softmax_scale: Some(3.0),
            direction: Direction::Forward,
        };
        let one = velocity_transition(&exec, &g, x.view(), v.view(), &options).unwrap();
        let moved = &x * scale + 2.0;
        let faster = &v * scale + 1.0;
        let two = velocity_transition(&exec, &g, moved.view(), faster.view(), &options).unwrap();
        for (a, b) in one.matrix.data().iter().zip(two.matrix.data()) {
            prop_assert!((a - b).abs() < 1e-9);
        }
    }

    #[test]
    fn fates_are_probabilities_and_harmonic(m in chain(40)) {
        let exec = Exec::with_threads(2).unwrap();
        let n = m.rows();
        let t = stochastic::normalize(&exec, m).unwrap();
        let mut states = vec![None; n];
        states[0] = Some(0u32);
        states[n - 1] = Some(1);
        let reach = reaching(&t, &[0, n - 1]).unwrap();
        let fates = fate_probabilities(&exec, &t, &states, 2, &FateOptions::default());
        if reach.iter().any(|r| !r) {
            prop_assert_eq!(fates.unwrap_err().kind(), "unreachable");
            return Ok(());
        }
        if n == 2 {
            prop_assert_eq!(fates.unwrap_err().kind(), "no_state");
            return Ok(());
        }
        let fates = fates.unwrap();
        let f = &fates.probabilities;
        let next = ops::mat_mat(&exec, &t, f.view()).unwrap();
        for i in 0..n {
            prop_assert!((f[(i, 0)] + f[(i, 1)] - 1.0).abs() < 1e-9);
            if states[i].is_none() {
                prop_assert!((next[(i, 0)] - f[(i, 0)]).abs() <= 2.0 * fates.error_bound + 1e-9);
            }
        }
    }
}
