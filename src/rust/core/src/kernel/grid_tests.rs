use super::*;
use crate::rng::Stream;
use crate::testing::same_bits;
use ndarray::{array, Array2};

fn cells(n: usize) -> (Array2<f64>, Array2<f64>) {
    let mut s = Stream::new(6, 0, 0, 0);
    let z = Array2::from_shape_fn((n, 2), |(_, c)| (1.0 + c as f64) * s.normal());
    let u = Array2::from_shape_fn((n, 2), |(i, c)| z[(i, 1 - c)] + 0.1 * s.normal());
    (z, u)
}

fn options() -> GridOptions {
    GridOptions {
        points: 12,
        smooth: 0.5,
        n_neighbors: None,
    }
}

#[test]
fn the_formula_as_it_is_written_agrees() {
    let (z, u) = cells(400);
    let grid = smooth_grid(&Exec::serial(), z.view(), u.view(), &options()).unwrap();
    assert_eq!((grid.n_neighbors, grid.points()), (8, 12));
    let spacing = |c: usize| grid.axes[c][1] - grid.axes[c][0];
    let sd = 0.5 * (spacing(0) + spacing(1)) / 2.0;
    for c in 0..2 {
        let v = z.column(c);
        let low = v.iter().fold(f64::MAX, |m, &v| m.min(v));
        let high = v.iter().fold(f64::MIN, |m, &v| m.max(v));
        let first = low - 0.01 * (high - low);
        let last = high + 0.01 * (high - first);
        assert!((grid.axes[c][0] - first).abs() < 1e-13);
        assert!((grid.axes[c][11] - last).abs() < 1e-13);
    }
    for at in 0..144 {
        let q = grid.place(at);
        let mut near: Vec<(f64, usize)> = (0..400)
            .map(|i| {
                let (x, y) = (z[(i, 0)] - q[0], z[(i, 1)] - q[1]);
                ((x * x + y * y).sqrt(), i)
            })
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.truncate(8);
        let density = |d: f64| {
            math::exp(-0.5 * (d / sd) * (d / sd)) / (sd * (2.0 * std::f64::consts::PI).sqrt())
        };
        let mass: f64 = near.iter().map(|m| density(m.0)).sum();
        assert!((grid.mass[at] - mass).abs() < 1e-12);
        let mut length = 0.0;
        for c in 0..2 {
            let sum: f64 = near.iter().map(|m| density(m.0) * u[(m.1, c)]).sum();
            assert!((grid.vectors[at][c] - sum / mass.max(1.0)).abs() < 1e-12);
            length += near.iter().map(|m| u[(m.1, c)].abs()).sum::<f64>() / 8.0;
        }
        assert!((grid.length[at] - length).abs() < 1e-12);
    }
}

#[test]
fn cells_without_arrow_count_for_nothing() {
    let (z, u) = cells(300);
    let (mut more_z, mut more_u) = (Array2::zeros((304, 2)), Array2::zeros((304, 2)));
    for i in 0..300 {
        more_z.row_mut(i + 2).assign(&z.row(i));
        more_u.row_mut(i + 2).assign(&u.row(i));
    }
    more_z[(0, 0)] = f64::NAN;
    more_u[(1, 1)] = f64::NAN;
    more_u[(302, 0)] = f64::INFINITY;
    more_z[(303, 1)] = f64::NEG_INFINITY;
    let exec = Exec::serial();
    assert_eq!(
        smooth_grid(&exec, z.view(), u.view(), &options()).unwrap(),
        smooth_grid(&exec, more_z.view(), more_u.view(), &options()).unwrap()
    );
}

#[test]
fn arrows_are_kept_by_mass_and_scaled() {
    let (z, u) = cells(500);
    let exec = Exec::serial();
    let grid = smooth_grid(&exec, z.view(), u.view(), &options()).unwrap();
    let arrows = grid_arrows(&exec, &grid, 30.0).unwrap();
    let least = 0.3 * percentile(&grid.mass, 99.0);
    let kept = grid.mass.iter().filter(|&&m| m > least).count();
    assert!(kept > 5 && kept < 144);
    assert_eq!(arrows.places.len(), kept);
    assert!(arrows.mass.iter().all(|&m| m > least));
    // Arrows of the automatic scale have it when scaled again.
    let s = arrows
        .places
        .iter()
        .flatten()
        .fold(0.0f64, |m, v| m.max(v.abs()));
    let again = arrow_scale(&exec, &arrows.places, &arrows.vectors, s).unwrap();
    assert!((3.0 * again - 1.0).abs() < 1e-12);
}

#[test]
fn percentiles_are_linear_between_order_statistics() {
    let v = [3.0, 1.0, 2.0, 4.0];
    assert_eq!(percentile(&v, 0.0), 1.0);
    assert_eq!(percentile(&v, 100.0), 4.0);
    assert_eq!(percentile(&v, 50.0), 2.5);
    assert!((percentile(&v, 5.0) - 1.15).abs() < 1e-15);
    assert_eq!(percentile(&[7.0], 99.0), 7.0);
}

#[test]
fn few_cells_and_one_axis_are_enough() {
    let z = array![[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]];
    let u = array![[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]];
    let grid = smooth_grid(&Exec::serial(), z.view(), u.view(), &options()).unwrap();
    assert_eq!(grid.n_neighbors, 1);
    assert!(grid.vectors.iter().flatten().all(|v| v.is_finite()));
}

#[test]
fn what_has_no_grid_is_refused() {
    let (z, u) = cells(30);
    let kind = |z: &Array2<f64>, u: &Array2<f64>, o: GridOptions| {
        smooth_grid(&Exec::serial(), z.view(), u.view(), &o)
            .unwrap_err()
            .kind()
    };
    let o = options();
    assert_eq!(kind(&z, &Array2::zeros((29, 2)), o), "shape");
    assert_eq!(kind(&z, &Array2::zeros((30, 3)), o), "shape");
    assert_eq!(kind(&z, &(&u * f64::NAN), o), "shape");
    assert_eq!(kind(&Array2::ones((30, 2)), &u, o), "range");
    assert_eq!(kind(&z, &u, GridOptions { points: 1, ..o }), "range");
    let many = GridOptions {
        n_neighbors: Some(31),
        ..o
    };
    assert_eq!(kind(&z, &u, many), "range");
    assert_eq!(kind(&z, &u, GridOptions { smooth: 0.0, ..o }), "range");
}

#[test]
fn threads_change_nothing() {
    let (z, u) = cells(5000);
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        smooth_grid(&exec, z.view(), u.view(), &options()).unwrap()
    });
}
