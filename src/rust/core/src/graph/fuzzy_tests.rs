//! Tests of the fuzzy edge weights.

use super::*;
use crate::graph::knn::{exact, Metric};
use crate::rng::Stream;
use ndarray::{array, Array2};

fn weights(x: &Array2<f64>, k: usize, options: &FuzzyOptions) -> Csr {
    let exec = Exec::with_threads(2).unwrap();
    let knn = exact(&exec, x.view(), k, Metric::Euclidean).unwrap();
    fuzzy_connectivities(&exec, &knn, options).unwrap()
}

fn random(n: usize, d: usize) -> Array2<f64> {
    let mut s = Stream::new(3, 0, 0, 0);
    Array2::from_shape_fn((n, d), |_| s.normal())
}

fn get(m: &Csr, i: usize, j: usize) -> f64 {
    m.get(i, j).copied().unwrap_or(0.0)
}

#[test]
fn four_points_have_the_published_weights() {
    // Section 1.10: umap-learn 0.5.12 on these points.
    let x = array![[1.0, 0.0], [3.0, 0.0], [5.0, 6.0], [0.0, 4.0]];
    let w = weights(&x, 3, &FuzzyOptions::default());
    let want = [
        (0, 1, 1.0),
        (0, 3, 1.0),
        (1, 2, 0.584_969_11),
        (1, 3, 0.827_741_99),
        (2, 3, 1.0),
        (0, 2, 0.0),
    ];
    for (i, j, v) in want {
        assert!((get(&w, i, j) - v).abs() < 1e-5, "{i} {j}");
        assert_eq!(get(&w, i, j), get(&w, j, i));
    }
}

#[test]
fn rows_reach_their_target() {
    let exec = Exec::serial();
    let knn = exact(&exec, random(200, 4).view(), 15, Metric::Euclidean).unwrap();
    let options = FuzzyOptions::default();
    let a = memberships(&exec, &knn, &options).unwrap();
    for i in 0..200 {
        let sum: f64 = row(&a, i).1.iter().map(|&v| f64::from(v)).sum();
        assert!((sum - math::log2(15.0)).abs() < 2e-5);
        assert!(row(&a, i).1.contains(&1.0));
    }
}

#[test]
fn the_union_is_that_of_the_dense_formula() {
    let exec = Exec::serial();
    let knn = exact(&exec, random(60, 3).view(), 7, Metric::Euclidean).unwrap();
    for mix in [0.0, 0.3, 1.0] {
        let options = FuzzyOptions {
            set_op_mix_ratio: mix,
            ..FuzzyOptions::default()
        };
        let a = memberships(&exec, &knn, &options).unwrap();
        let w = fuzzy_connectivities(&exec, &knn, &options).unwrap();
        let of = |i, j| f64::from(a.get(i, j).copied().unwrap_or(0.0));
        for i in 0..60 {
            for j in 0..60 {
                let (x, y) = (of(i, j), of(j, i));
                let want = mix * (x + y - x * y) + (1.0 - mix) * x * y;
                assert!((get(&w, i, j) - want).abs() < 1e-15);
            }
        }
        assert!(w.data().iter().all(|&v| v > 0.0));
    }
}

#[test]
fn weights_do_not_depend_on_the_unit_of_length() {
    let x = random(150, 5);
    let options = FuzzyOptions::default();
    let (a, b) = (
        weights(&x, 12, &options),
        weights(&(&x * 37.0), 12, &options),
    );
    assert_eq!(a.indices(), b.indices());
    for (v, w) in a.data().iter().zip(b.data()) {
        assert!((v - w).abs() < 2e-5);
    }
    for i in 0..150 {
        let largest = row(&a, i).1.iter().fold(0.0f64, |m, &v| m.max(v));
        assert_eq!(largest, 1.0);
        assert_eq!(a.get(i, i), None);
    }
}

#[test]
fn duplicates_are_fully_connected() {
    let x = Array2::from_shape_fn((60, 3), |(i, c)| ((i % 3) * (c + 1)) as f64);
    let w = weights(&x, 10, &FuzzyOptions::default());
    assert!(w.data().iter().all(|&v| v == 1.0));
    let few = Array2::from_shape_fn((40, 2), |(i, c)| {
        if i < 20 {
            0.0
        } else {
            (i * c) as f64 + i as f64
        }
    });
    let w = weights(&few, 10, &FuzzyOptions::default());
    assert!(w.data().iter().all(|&v| v > 0.0 && v <= 1.0));
}

#[test]
fn local_connectivity_is_interpolated() {
    let d = [0.0f32, 1.0, 2.0, 4.0];
    assert_eq!(nearest(&d, 1.0), 1.0);
    assert_eq!(nearest(&d, 0.0), 0.0);
    assert_eq!(nearest(&d, 0.5), 0.5);
    assert_eq!(nearest(&d, 2.5), 3.0);
    assert_eq!(nearest(&d, 9.0), 4.0);
    assert_eq!(nearest(&d[..1], 0.0), 0.0);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let x = random(1500, 6);
    let run = |t| {
        let exec = Exec::with_threads(t).unwrap();
        let knn = exact(&exec, x.view(), 15, Metric::Euclidean).unwrap();
        fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap()
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(4));
}

#[test]
fn options_are_checked() {
    let exec = Exec::serial();
    let knn = exact(&exec, random(9, 2).view(), 3, Metric::Euclidean).unwrap();
    let d = FuzzyOptions::default();
    for options in [
        FuzzyOptions {
            local_connectivity: -1.0,
            ..d
        },
        FuzzyOptions {
            bandwidth: 0.0,
            ..d
        },
        FuzzyOptions {
            set_op_mix_ratio: 1.1,
            ..d
        },
        FuzzyOptions {
            bandwidth: f64::NAN,
            ..d
        },
    ] {
        let e = fuzzy_connectivities(&exec, &knn, &options).unwrap_err();
        assert_eq!(e.kind(), "range");
    }
}
