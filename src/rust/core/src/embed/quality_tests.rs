use super::quality::{compare_embeddings, embedding_quality, QualityOptions};
use crate::error::CoreError;
use crate::exec::Exec;
use crate::graph::Metric;
use crate::rng::Stream;
use crate::testing::same_bits;
use ndarray::{Array2, ArrayView2, Axis, Slice};

fn random(n: usize, d: usize, seed: u64) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(i, j)| {
        Stream::new(seed, 0, i as u64, j as u64).normal()
    })
}

/// Data, and a layout of it that keeps the first columns roughly.
fn pair(n: usize) -> (Array2<f64>, Array2<f64>) {
    let data = random(n, 5, 1);
    let noise = random(n, 2, 2);
    let layout = Array2::from_shape_fn((n, 2), |(i, j)| data[(i, j)] + 0.3 * noise[(i, j)]);
    (data, layout)
}

fn distance(x: ArrayView2<'_, f64>, i: usize, j: usize) -> f64 {
    let pairs = x.row(i).into_iter().zip(x.row(j));
    pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// Other cells from near to far.
fn order(x: ArrayView2<'_, f64>, i: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..x.nrows()).filter(|&j| j != i).collect();
    all.sort_by(|&a, &b| {
        distance(x, i, a)
            .total_cmp(&distance(x, i, b))
            .then(a.cmp(&b))
    });
    all
}

/// Trustworthiness of `b` with respect to `a`, by the definition.
fn trust(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, k: usize) -> f64 {
    let n = a.nrows();
    let mut sum = 0.0;
    for i in 0..n {
        let (truth, shown) = (order(a, i), order(b, i));
        for j in &shown[..k] {
            let rank = truth.iter().position(|t| t == j).unwrap() + 1;
            sum += rank.saturating_sub(k) as f64;
        }
    }
    let (n, k) = (n as f64, k as f64);
    1.0 - 2.0 / (n * k * (2.0 * n - 3.0 * k - 1.0)) * sum
}

fn options(k: usize, recall_k: &[usize]) -> QualityOptions<'static> {
    QualityOptions {
        k,
        recall_k: recall_k.to_vec(),
        triplets: 20_000,
        pairs: 20_000,
        ..QualityOptions::default()
    }
}

#[test]
fn neighbourhood_measures_follow_their_definitions() {
    let (data, layout) = pair(120);
    let exec = Exec::with_threads(2).unwrap();
    let found =
        embedding_quality(&exec, data.view(), layout.view(), &options(7, &[3, 7, 30])).unwrap();
    let (a, b) = (data.view(), layout.view());
    assert!((found.trustworthiness - trust(a, b, 7)).abs() < 1e-12);
    assert!((found.continuity - trust(b, a, 7)).abs() < 1e-12);
    for (recall, k) in found.recall.iter().zip([3, 7, 30]) {
        let mut hits = 0;
        for i in 0..120 {
            let (truth, shown) = (order(a, i), order(b, i));
            hits += shown[..k].iter().filter(|j| truth[..k].contains(j)).count();
        }
        assert!((recall - hits as f64 / (120 * k) as f64).abs() < 1e-12);
    }
    // All triplets and pairs are close to what samples of them say.
    let (mut same, mut all) = (0, 0);
    for i in 0..120 {
        for j in (0..120).filter(|&j| j != i) {
            for l in (0..j).filter(|&l| l != i) {
                let closer = |x| distance(x, i, j) < distance(x, i, l);
                same += usize::from(closer(a) == closer(b));
                all += 1;
            }
        }
    }
    let want = same as f64 / f64::from(all);
    assert!((found.triplet_accuracy - want).abs() < 5.0 * 0.5 / 20_000f64.sqrt());
    assert!(found.distance_correlation > 0.4 && found.distance_correlation < 0.95);
    assert!(found.local_correlation > 0.05 && found.local_correlation < 0.95);
}

#[test]
fn a_copy_is_perfect_and_noise_is_chance() {
    let (data, _) = pair(400);
    let exec = Exec::serial();
    // Moved and scaled: the order of distances stays.
    let copy = data.mapv(|v| 3.0 * v - 1.0);
    let groups: Vec<u32> = (0..400).map(|i| i % 5).collect();
    let wanted = QualityOptions {
        groups: Some(&groups),
        ..options(10, &[5, 10])
    };
    let same = embedding_quality(&exec, data.view(), copy.view(), &wanted).unwrap();
    assert!((same.trustworthiness, same.continuity) == (1.0, 1.0));
    assert!(same.recall == [1.0, 1.0] && same.triplet_accuracy > 0.999);
    for c in [
        same.distance_correlation,
        same.local_correlation,
        same.centroid_correlation.unwrap(),
    ] {
        assert!((c - 1.0).abs() < 1e-9);
    }
    let noise = random(400, 2, 9);
    let none = embedding_quality(&exec, data.view(), noise.view(), &wanted).unwrap();
    assert!((none.trustworthiness - 0.5).abs() < 0.05 && none.recall[1] < 0.08);
    assert!((none.triplet_accuracy - 0.5).abs() < 0.03 && none.distance_correlation.abs() < 0.06);
}

#[test]
fn a_sample_is_close_to_all_cells() {
    let (data, layout) = pair(900);
    let exec = Exec::serial();
    let all = embedding_quality(&exec, data.view(), layout.view(), &options(10, &[10])).unwrap();
    let few = QualityOptions {
        sample: 300,
        ..options(10, &[10])
    };
    let some = embedding_quality(&exec, data.view(), layout.view(), &few).unwrap();
    assert_ne!(all, some);
    assert!((all.trustworthiness - some.trustworthiness).abs() < 0.01);
    assert!((all.recall[0] - some.recall[0]).abs() < 0.03);
}

#[test]
fn ties_metrics_and_groups() {
    let exec = Exec::serial();
    // Many cells at one place: ranks go by position, nothing is lost.
    let data = Array2::from_shape_fn((60, 2), |(i, j)| ((i / 20) * (j + 1)) as f64);
    let same = embedding_quality(&exec, data.view(), data.view(), &options(5, &[5])).unwrap();
    assert_eq!((same.trustworthiness, same.recall[0]), (1.0, 1.0));
    // Lengths do not count for the cosine.
    let (data, _) = pair(100);
    let longer = Array2::from_shape_fn((100, 5), |(i, j)| data[(i, j)] * (1 + i) as f64);
    let cosine = QualityOptions {
        metric: Metric::Cosine,
        ..options(5, &[5])
    };
    let layout = random(100, 2, 4);
    let a = embedding_quality(&exec, data.view(), layout.view(), &cosine).unwrap();
    let b = embedding_quality(&exec, longer.view(), layout.view(), &cosine).unwrap();
    assert!((a.trustworthiness - b.trustworthiness).abs() < 1e-12);
    // Two groups have one distance; cells without a group do not count.
    let groups: Vec<u32> = (0..100)
        .map(|i| if i < 50 { i % 2 } else { u32::MAX })
        .collect();
    let two = QualityOptions {
        groups: Some(&groups),
        ..options(5, &[5])
    };
    let found = embedding_quality(&exec, data.view(), layout.view(), &two).unwrap();
    assert_eq!(found.centroid_correlation, None);
}

#[test]
fn embeddings_are_compared_after_superposition() {
    let (_, a) = pair(300);
    let exec = Exec::serial();
    // Turned by 30 degrees, reflected, scaled and moved.
    let (c, s) = (0.75f64.sqrt(), 0.5);
    let turned = Array2::from_shape_fn((300, 2), |(i, j)| match j {
        0 => 4.0 + 2.0 * (c * a[(i, 0)] - s * a[(i, 1)]),
        _ => -2.0 * (s * a[(i, 0)] + c * a[(i, 1)]),
    });
    let same = compare_embeddings(&exec, a.view(), turned.view(), 10, 5000, 0).unwrap();
    assert!(same.procrustes < 1e-12 && same.neighbor_overlap > 0.999);
    let other = random(300, 3, 8);
    let none = compare_embeddings(&exec, a.view(), other.view(), 10, 100, 0).unwrap();
    assert!(none.procrustes > 0.9 && none.neighbor_overlap < 0.1);
    let place = Array2::zeros((300, 2));
    let e = compare_embeddings(&exec, a.view(), place.view(), 10, 100, 0).unwrap_err();
    assert!(matches!(e, CoreError::NoState { .. }));
}

#[test]
fn bits_do_not_depend_on_threads_or_instructions() {
    let (data, layout) = pair(500);
    let few = QualityOptions {
        sample: 200,
        ..options(10, &[10, 40])
    };
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        embedding_quality(&exec, data.view(), layout.view(), &few).unwrap()
    });
}

#[test]
fn wrong_sizes_are_refused() {
    let (data, layout) = pair(40);
    let exec = Exec::serial();
    let run = |o: &QualityOptions<'_>| {
        embedding_quality(&exec, data.view(), layout.view(), o).map(|_| ())
    };
    assert!(matches!(
        run(&options(20, &[5])),
        Err(CoreError::Range { .. })
    ));
    assert!(matches!(
        run(&options(5, &[40])),
        Err(CoreError::Range { .. })
    ));
    assert!(matches!(
        run(&options(0, &[5])),
        Err(CoreError::Range { .. })
    ));
    assert!(run(&options(19, &[39])).is_ok());
    let groups = QualityOptions {
        groups: Some(&[0, 1]),
        ..options(5, &[5])
    };
    assert!(matches!(run(&groups), Err(CoreError::Shape { .. })));
    let short = layout.slice_axis(Axis(0), Slice::from(..39));
    let e = embedding_quality(&exec, data.view(), short, &options(5, &[5]));
    assert!(matches!(
        e,
        Err(CoreError::Shape {
            expected: 40,
            found: 39,
            ..
        })
    ));
}
