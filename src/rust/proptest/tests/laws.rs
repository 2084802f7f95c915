//! Laws that hold for any data, tried on generated graphs, chains and embeddings.

use fatecast_core::chain::absorption::{fate_probabilities, FateOptions};
use fatecast_core::chain::classes::reaching;
use fatecast_core::exec::Exec;
use fatecast_core::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use fatecast_core::graph::knn::{exact, Metric};
use fatecast_core::kernel::combine::weighted;
use fatecast_core::kernel::pseudotime::{transition, EmptyRows};
use fatecast_core::kernel::threshold::Threshold;
use fatecast_core::kernel::velocity::{velocity_transition, VelocityInput, VelocityOptions};
use fatecast_core::sparse::csr::{from_csc_slots, from_rows, row, to_csc_slots, transpose, Csr};
use fatecast_core::sparse::{ops, stochastic, CscView};
use fatecast_core::transport::couple::{
    couple, CoupleOptions, Pair, Scale, Source, Threshold as Keep,
};
use fatecast_core::transport::sinkhorn::Options;
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
            softmax_scale: Some(3.0),
            ..VelocityOptions::default()
        };
        let run = |x: &Array2<f64>, v: &Array2<f64>| {
            let input = VelocityInput { graph: &g, x: x.view(), v: v.view(), features: None };
            velocity_transition(&exec, &input, &options).unwrap()
        };
        let one = run(&x, &v);
        let two = run(&(&x * scale + 2.0), &(&v * scale + 1.0));
        for (a, b) in one.matrix.data().iter().zip(two.matrix.data()) {
            prop_assert!((a - b).abs() < 1e-9);
        }
    }

    #[test]
    fn weighted_means_do_not_see_the_unit_of_the_weights(
        m in chain(30), a in 0.1..9.0f64, b in 0.1..9.0f64, unit in 0.01..99.0f64,
    ) {
        let exec = Exec::serial();
        let one = stochastic::normalize(&exec, m.clone()).unwrap();
        let n = m.rows();
        let stay = from_rows(n, (0..n as u32).map(|i| vec![(i, 1.0)]).collect()).unwrap();
        let first = weighted(&exec, &[(a, &one), (b, &stay)]).unwrap();
        let second = weighted(&exec, &[(unit * b, &stay), (unit * a, &one)]).unwrap();
        prop_assert_eq!(first.indices(), second.indices());
        for (x, y) in first.data().iter().zip(second.data()) {
            prop_assert!((x - y).abs() < 1e-12);
        }
    }

    #[test]
    fn time_does_not_run_back_where_no_edge_is_kept(
        m in chain(40), times in prop::collection::vec(0.0..1.0f64, 40),
    ) {
        let exec = Exec::with_threads(2).unwrap();
        let n = m.rows();
        let slots = to_csc_slots(&exec, &m).unwrap();
        let view = CscView::new(&exec, (n, n), &slots.p, &slots.i, &slots.x).unwrap();
        let scheme = Threshold::Hard { frac_to_keep: 0.0 };
        let out = transition(&exec, view, &times[..n], scheme, EmptyRows::Absorb).unwrap();
        let out = out.slots(&exec).unwrap();
        let t = from_csc_slots(&exec, (n, n), &out.p, &out.i, &out.x).unwrap();
        prop_assert!(stochastic::check(&exec, &t).is_ok());
        for i in 0..n {
            for &j in row(&t, i).0 {
                prop_assert!(i == j as usize || times[i] <= times[j as usize]);
            }
        }
    }

    #[test]
    fn couplings_scale_with_growth_as_their_prices_say(
        x in cells(20, 2), y in cells(20, 2), more in 0.2..5.0f64,
    ) {
        let exec = Exec::serial();
        let solver = Options {
            epsilon: 0.5,
            lambda: [1.0, 20.0],
            tolerance: 1e-12,
            max_iter: 10_000,
            correct: true,
            precision: None,
        };
        let options = CoupleOptions {
            solver,
            scale: Scale::Mean,
            groups: 3,
            growth_iters: 1,
            threshold: Keep::All,
            columns: false,
            sample_above: f64::INFINITY,
            seed: 0,
        };
        let run = |growth: f64| {
            let growth = vec![growth; x.nrows()];
            let source = Source::Points(x.view(), y.view());
            let pair = Pair { source, growth: &growth, delta_t: 1.0 };
            couple(&exec, &[pair], &options).unwrap().remove(0)
        };
        let (one, two) = (run(1.0), run(more));
        let [a, b] = solver.lambda;
        let factor = more.powf((a + b) / (a + b + solver.epsilon));
        for c in [&one, &two] {
            prop_assert!(c.rounds[0].converged);
            prop_assert!(c.matrix.x.iter().all(|&t| t > 0.0 && t.is_finite()));
        }
        for (s, t) in one.matrix.x.iter().zip(&two.matrix.x) {
            prop_assert!((s * factor - t).abs() <= 1e-3 * t);
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
