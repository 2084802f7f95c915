//! Tests of placing new cells.

use super::umap_tests::{clouds, graph_of, options};
use super::{transform, umap, Init, TransformOptions};
use crate::exec::Exec;
use crate::graph::knn::Metric;
use crate::graph::{query, Knn};
use crate::testing::same_bits;
use ndarray::{Array2, Axis};

#[test]
fn new_cells_land_beside_their_like() {
    let x = clouds(500, 3, 5);
    let exec = Exec::with_threads(2).unwrap();
    let graph = graph_of(&x, 15);
    let found = umap(
        &exec,
        &graph,
        Some(x.view()),
        None,
        &options(Init::Spectral, 200),
    )
    .unwrap();
    let mut shifted = Array2::from_shape_fn((90, 5), |c| x[c]);
    shifted.mapv_inplace(|v| v + 1e-3);
    let knn = query(&exec, x.view(), shifted.view(), 15, Metric::Euclidean).unwrap();
    let o = TransformOptions {
        a: found.a,
        b: found.b,
        ..TransformOptions::default()
    };
    let y = transform(&exec, &knn, found.embedding.view(), &o).unwrap();
    let extent = found.embedding.iter().fold(0.0f64, |m, &v| m.max(v.abs()));
    let mut near = 0;
    for i in 0..90 {
        let apart = &y.row(i) - &found.embedding.row(i);
        near += usize::from(apart.mapv(|v| v * v).sum().sqrt() < 0.1 * extent);
    }
    assert!(near >= 85, "{near} of 90");
    // Each alone gives the same as all together.
    let few = transform(
        &exec,
        &Knn {
            n: 10,
            k: 15,
            indices: knn.indices[..150].to_vec(),
            distances: knn.distances[..150].to_vec(),
        },
        found.embedding.view(),
        &TransformOptions {
            n_epochs: Some(0),
            ..o
        },
    )
    .unwrap();
    assert_eq!(few.dim(), (10, 2));
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        transform(&exec, &knn, found.embedding.view(), &o).unwrap()
    });
}

#[test]
fn new_cells_start_where_their_neighbours_are() {
    let exec = Exec::serial();
    let training = ndarray::array![[0.0, 0.0], [4.0, 0.0], [0.0, 8.0]];
    let still = TransformOptions {
        n_epochs: Some(0),
        ..TransformOptions::default()
    };
    let knn = |distances: Vec<f32>| Knn {
        n: 1,
        k: 3,
        indices: vec![1, 0, 2],
        distances,
    };
    // On top of a cell of the reference: exactly there.
    let y = transform(&exec, &knn(vec![0.0, 2.0, 3.0]), training.view(), &still).unwrap();
    assert_eq!(y, ndarray::array![[4.0, 0.0]]);
    // Equally far from all: their mean.
    let y = transform(&exec, &knn(vec![2.0, 2.0, 2.0]), training.view(), &still).unwrap();
    assert!((y[[0, 0]] - 4.0 / 3.0).abs() < 1e-5 && (y[[0, 1]] - 8.0 / 3.0).abs() < 1e-5);
    // Nobody near.
    let nobody = Knn {
        n: 2,
        k: 0,
        indices: vec![],
        distances: vec![],
    };
    let y = transform(
        &exec,
        &nobody,
        training.view(),
        &TransformOptions::default(),
    )
    .unwrap();
    assert!(y.dim() == (2, 2) && y.iter().all(|v| v.is_nan()));
    let e = transform(
        &exec,
        &knn(vec![1.0; 3]),
        training.view().split_at(Axis(0), 2).0,
        &still,
    );
    assert_eq!(e.unwrap_err().kind(), "shape");
}
