use super::spectral::{spectral_layout, SpectralUsed};
use crate::error::CoreError;
use crate::exec::Exec;
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, row, Csr};
use crate::testing::same_bits;
use nalgebra::DMatrix;
use ndarray::Array2;

/// A band of cells, each joined to the `reach` next ones with random weights.
fn band(sizes: &[usize], reach: usize) -> Csr {
    let n: usize = sizes.iter().sum();
    let mut rows: Vec<Vec<(u32, f64)>> = vec![vec![]; n];
    let mut start = 0;
    for &size in sizes {
        for i in start..start + size {
            for j in i + 1..(i + 1 + reach).min(start + size) {
                let w = 0.2 + 0.8 * Stream::new(1, 0, i as u64, j as u64).uniform();
                rows[i].push((j as u32, w));
                rows[j].push((i as u32, w));
            }
        }
        start += size;
    }
    from_rows(n, rows).unwrap()
}

/// Eigenvectors 2.. of the normalised adjacency by a dense solver.
fn oracle(graph: &Csr, dim: usize) -> DMatrix<f64> {
    let n = graph.rows();
    let degree: Vec<f64> = (0..n).map(|i| row(graph, i).1.iter().sum()).collect();
    let dense = graph.to_dense();
    let s = DMatrix::from_fn(n, n, |i, j| dense[(i, j)] / (degree[i] * degree[j]).sqrt());
    let e = s.symmetric_eigen();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| e.eigenvalues[b].total_cmp(&e.eigenvalues[a]));
    e.eigenvectors.select_columns(&order[1..=dim])
}

fn aligned(positions: &Array2<f64>, vectors: &DMatrix<f64>) -> Vec<f64> {
    (0..positions.ncols())
        .map(|c| {
            let v = positions.column(c);
            let product: f64 = v
                .iter()
                .zip(vectors.column(c).iter())
                .map(|(a, b)| a * b)
                .sum();
            (product / v.dot(&v).sqrt()).abs()
        })
        .collect()
}

#[test]
fn positions_are_the_eigenvectors_of_a_dense_solver() {
    let exec = Exec::with_threads(2).unwrap();
    // The first is solved densely, the second by the search.
    for n in [80, 900] {
        let graph = band(&[n], 12);
        let layout = spectral_layout(&exec, &graph, None, 2, 0).unwrap();
        assert_eq!(
            (layout.components, layout.used),
            (1, SpectralUsed::Spectral)
        );
        assert!(layout.residual <= 1e-4);
        for a in aligned(&layout.positions, &oracle(&graph, 2)) {
            assert!(a > 0.995, "{n} {a}");
        }
        let largest = layout.positions.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert!((largest - 10.0).abs() < 1e-3);
    }
}

#[test]
fn pieces_are_kept_apart() {
    let exec = Exec::serial();
    let data = |n: usize| Array2::from_shape_fn((n, 3), |(i, j)| (i / 40 * (j + 1)) as f64);
    // On the axes, by their centroids, and on a grid without data; singletons too.
    for sizes in [vec![700, 60, 40], vec![40; 7], vec![1; 9]] {
        let graph = band(&sizes, 6);
        let x = data(graph.rows());
        for x in [Some(x.view()), None] {
            let layout = spectral_layout(&exec, &graph, x, 2, 0).unwrap();
            assert_eq!(layout.components, sizes.len());
            assert!(layout.positions.iter().all(|v| v.is_finite()));
            let mut start = 0;
            let mut boxes = vec![];
            for size in &sizes {
                let part = layout
                    .positions
                    .slice_axis(ndarray::Axis(0), ndarray::Slice::from(start..start + size));
                let centre = part.mean_axis(ndarray::Axis(0)).unwrap();
                boxes.push(centre);
                start += size;
            }
            for a in 0..boxes.len() {
                for b in 0..a {
                    let gap = &boxes[a] - &boxes[b];
                    assert!(gap.dot(&gap).sqrt() > 0.05, "{sizes:?} {a} {b}");
                }
            }
        }
    }
}

#[test]
fn tiny_graphs_fall_back_in_order() {
    let exec = Exec::serial();
    let graph = band(&[3], 2);
    let two = spectral_layout(&exec, &graph, None, 2, 0).unwrap();
    assert_eq!(two.used, SpectralUsed::Spectral);
    let random = spectral_layout(&exec, &graph, None, 3, 0).unwrap();
    assert_eq!(
        (random.used, random.positions.dim()),
        (SpectralUsed::Random, (3, 3))
    );
    assert!(random.positions.iter().all(|v| v.abs() <= 10.001));
    // Components of the data cannot be more than cells less one either.
    let x = Array2::from_shape_fn((3, 5), |(i, j)| (i * j) as f64);
    let still = spectral_layout(&exec, &graph, Some(x.view()), 3, 0).unwrap();
    assert_eq!(still, random);
    let empty = spectral_layout(&exec, &Csr::zero((0, 0)), None, 2, 0).unwrap();
    assert_eq!(empty.positions.dim(), (0, 2));
}

#[test]
fn the_seed_moves_cells_by_noise_only() {
    let exec = Exec::serial();
    let graph = band(&[900], 12);
    let a = spectral_layout(&exec, &graph, None, 2, 0)
        .unwrap()
        .positions;
    let b = spectral_layout(&exec, &graph, None, 2, 1)
        .unwrap()
        .positions;
    assert_ne!(a, b);
    let far = (&a - &b).iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(far < 0.5, "{far}");
}

#[test]
fn bits_do_not_depend_on_threads_or_instructions() {
    let graph = band(&[3000, 50, 30], 9);
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        spectral_layout(&exec, &graph, None, 2, 3).unwrap()
    });
}

#[test]
fn wrong_input_is_refused() {
    let exec = Exec::serial();
    let bad = from_rows(2, vec![vec![(1, f64::NAN)], vec![(0, -1.0)]]).unwrap();
    let e = spectral_layout(&exec, &bad, None, 2, 0).unwrap_err();
    assert!(matches!(e, CoreError::NotFinite { count: 2, .. }));
    let x = Array2::zeros((5, 2));
    let graph = band(&[6], 2);
    let e = spectral_layout(&exec, &graph, Some(x.view()), 2, 0).unwrap_err();
    assert!(matches!(
        e,
        CoreError::Shape {
            expected: 6,
            found: 5,
            ..
        }
    ));
    assert!(spectral_layout(&exec, &graph, None, 0, 0).is_err());
}
