use super::*;
use crate::rng::Stream;
use ndarray::{Array1, Array2};

const ALL: [Similarity; 3] = [
    Similarity::Cosine,
    Similarity::Correlation,
    Similarity::DotProduct,
];

fn draw(k: usize, features: usize) -> (Array1<f64>, Array2<f64>) {
    let mut s = Stream::new(11, k as u64, features as u64, 0);
    let v = Array1::from_shape_fn(features, |_| s.normal() + 0.3);
    let d = Array2::from_shape_fn((k, features), |_| s.normal());
    (v, d)
}

fn p(s: Similarity, v: &Array1<f64>, d: &Array2<f64>, beta: f64) -> Vec<f64> {
    let v = v.view().insert_axis(Axis(0));
    probabilities(s, v, d.view(), beta).unwrap().probabilities
}

#[test]
fn second_derivatives_are_finite_differences() {
    for (k, features) in [(1, 4), (2, 3), (5, 8), (7, 19)] {
        let (v, d) = draw(k, features);
        for s in ALL {
            for beta in [0.7, 3.0] {
                let h = hessian(s, v.view(), d.view(), beta).unwrap();
                let middle = p(s, &v, &d, beta);
                for g in 0..features {
                    let step = 1e-4;
                    let moved = |by: f64| {
                        let mut v = v.clone();
                        v[g] += by;
                        p(s, &v, &d, beta)
                    };
                    let (up, down) = (moved(step), moved(-step));
                    for j in 0..k {
                        let slow = (up[j] - 2.0 * middle[j] + down[j]) / (step * step);
                        let found = h[g * k + j];
                        assert!((found - slow).abs() < 2e-6, "{s:?} {found} {slow}");
                    }
                }
            }
        }
    }
}

#[test]
fn probabilities_bend_in_opposite_directions() {
    let (v, d) = draw(6, 11);
    for s in ALL {
        let h = hessian(s, v.view(), d.view(), 2.0).unwrap();
        for of_feature in h.chunks(6) {
            assert!(of_feature.iter().sum::<f64>().abs() < 1e-14);
            assert!(of_feature.iter().any(|&h| h != 0.0));
        }
    }
}

#[test]
fn contracting_is_summing_over_features() {
    for features in [3, 8, 21] {
        let (v, d) = draw(5, features);
        let mut stream = Stream::new(3, 0, 0, 0);
        let weight: Vec<f64> = (0..features).map(|_| stream.uniform()).collect();
        for s in ALL {
            let h = hessian(s, v.view(), d.view(), 1.3).unwrap();
            let mut moves = Moves::new(s, features, 5).unwrap();
            let mut aim = Aim::new(features);
            aim.set(s, v.as_slice().unwrap(), features);
            let here = vec![0.0; features];
            d.rows()
                .into_iter()
                .for_each(|d| moves.push(&here, &d.to_vec()));
            let mut scores = vec![0.0; 5];
            moves.scores(&aim, &mut scores);
            let p = p(s, &v, &d, 1.3);
            let mut padded = weight.clone();
            padded.resize(moves.width, 0.0);
            let mut found = vec![0.0; 5];
            Curvature::new(&moves).contract(&moves, &aim, (&scores, &p), 1.3, &padded, &mut found);
            for j in 0..5 {
                let slow: f64 = (0..features).map(|g| h[g * 5 + j] * weight[g]).sum();
                assert!((found[j] - slow).abs() < 1e-14);
            }
        }
    }
}

#[test]
fn moves_without_a_score_stay_out() {
    let (v, mut d) = draw(5, 7);
    let without = {
        let kept = [0, 1, 3, 4];
        d.select(Axis(0), &kept)
    };
    d.row_mut(2).fill(0.0);
    for s in [Similarity::Cosine, Similarity::Correlation] {
        let h = hessian(s, v.view(), d.view(), 2.0).unwrap();
        let short = hessian(s, v.view(), without.view(), 2.0).unwrap();
        for g in 0..7 {
            assert_eq!(h[g * 5 + 2], 0.0);
            for (at, j) in [0, 1, 3, 4].into_iter().enumerate() {
                assert!((h[g * 5 + j] - short[g * 4 + at]).abs() < 1e-15);
            }
        }
        // Without a direction nothing can be said.
        let still = Array1::zeros(7);
        let h = hessian(s, still.view(), d.view(), 2.0).unwrap();
        assert!(h.iter().all(|&h| h == 0.0));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (v, d) = draw(3, 4);
    let kind = |v: &Array1<f64>, d: &Array2<f64>, beta| {
        let e = hessian(Similarity::Cosine, v.view(), d.view(), beta);
        e.unwrap_err().kind()
    };
    assert_eq!(kind(&Array1::zeros(5), &d, 1.0), "shape");
    assert_eq!(kind(&v, &d, 0.0), "range");
    assert_eq!(kind(&v, &(d.clone() * f64::NAN), 1.0), "range");
    assert_eq!(
        kind(&Array1::zeros(0), &Array2::zeros((3, 0)), 1.0),
        "shape"
    );
}
