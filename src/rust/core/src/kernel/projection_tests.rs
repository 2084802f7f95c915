use super::*;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use crate::testing::same_bits;
use ndarray::{Axis, Slice};

/// A random graph with a self loop here and there, transitions on part of it and
/// beyond, and random places.
fn case(n: usize, d: usize) -> (Csr, Csr, Array2<f64>) {
    let mut s = Stream::new(11, 0, 0, 0);
    let (mut t, mut g) = (Vec::new(), Vec::new());
    for i in 0..n {
        let mut to: Vec<u32> = (0..8).map(|_| s.below(n) as u32).collect();
        if i % 5 == 0 {
            to.push(i as u32);
        }
        to.sort_unstable();
        to.dedup();
        g.push(to.iter().map(|&j| (j, s.uniform() + 0.1)).collect());
        to.pop();
        to.insert(0, 0);
        to.dedup();
        let w: Vec<f64> = to.iter().map(|_| s.uniform()).collect();
        let total: f64 = w.iter().sum();
        t.push(to.iter().zip(w).map(|(&j, w)| (j, w / total)).collect());
    }
    let z = Array2::from_shape_fn((n, d), |_| 10.0 * s.normal());
    (from_rows(n, t).unwrap(), from_rows(n, g).unwrap(), z)
}

/// The formula as it is written, on dense matrices.
fn slow(t: &Csr, g: &Csr, z: &Array2<f64>) -> Array2<f64> {
    let (n, d) = z.dim();
    let (t, g) = (t.to_dense(), g.to_dense());
    let mut u = Array2::zeros((n, d));
    for i in 0..n {
        let neighbors: Vec<usize> = (0..n).filter(|&j| g[(i, j)] != 0.0).collect();
        for &j in &neighbors {
            let delta = &z.row(j) - &z.row(i);
            let norm = delta.dot(&delta).sqrt();
            if norm > 0.0 {
                let weight = t[(i, j)] - 1.0 / neighbors.len() as f64;
                u.row_mut(i).scaled_add(weight / norm, &delta);
            }
        }
    }
    u
}

#[test]
fn the_dense_formula_agrees() {
    for d in [2, 3] {
        let (t, g, mut z) = case(150, d);
        for c in 0..d {
            // Two neighbours in one place.
            z[(7, c)] = z[(row(&g, 7).0[0] as usize, c)];
        }
        let p = project(&Exec::serial(), &t, &g, z.view()).unwrap();
        let u = slow(&t, &g, &z);
        let s = z.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let span = |c: usize| {
            let v = z.column(c);
            let high = v.iter().fold(f64::MIN, |m, &v| m.max(v));
            1.1 * (high - v.iter().fold(f64::MAX, |m, &v| m.min(v))) / s
        };
        let mean: f64 = u
            .rows()
            .into_iter()
            .map(|u| {
                let (x, y) = (u[0] * 496.0 / span(0), u[1] * 369.6 / span(1));
                (x * x + y * y).sqrt()
            })
            .sum::<f64>()
            / 150.0;
        let scale = 3.0 * 1.8 * mean * 150f64.sqrt() / 496.0 / s;
        assert!((p.scale / scale - 1.0).abs() < 1e-13);
        for (found, wanted) in p.vectors.iter().zip(&u) {
            assert!((found * scale - wanted).abs() < 1e-14);
        }
    }
}

#[test]
fn uniform_transitions_have_no_direction() {
    let (_, g, z) = case(60, 2);
    let rows = (0..60).map(|i| {
        let (to, _) = row(&g, i);
        let p = 1.0 / to.len() as f64;
        to.iter().map(|&j| (j, p)).collect()
    });
    let t = from_rows(60, rows.collect()).unwrap();
    let p = project(&Exec::serial(), &t, &g, z.view()).unwrap();
    // Only rounding is left, which the scale makes large again.
    assert!(p.vectors.iter().all(|v| (v * p.scale).abs() < 1e-15));
}

#[test]
fn size_and_place_of_the_picture_do_not_turn_arrows() {
    let (t, g, z) = case(80, 2);
    let a = project(&Exec::serial(), &t, &g, z.view()).unwrap();
    let b = project(&Exec::serial(), &t, &g, (&z * 1e-3 + 0.5).view()).unwrap();
    for (a, b) in a.vectors.rows().into_iter().zip(b.vectors.rows()) {
        let (na, nb) = (a.dot(&a).sqrt(), b.dot(&b).sqrt());
        assert!((a.dot(&b) / (na * nb) - 1.0).abs() < 1e-9);
    }
}

#[test]
fn missing_coordinates_reach_the_neighbours_only() {
    let (t, g, mut z) = case(90, 2);
    z[(4, 1)] = f64::NAN;
    let p = project(&Exec::serial(), &t, &g, z.view()).unwrap();
    for i in 0..90 {
        let touched = i == 4 || row(&g, i).0.contains(&4);
        assert_eq!(p.vectors[(i, 0)].is_nan(), touched);
        assert_eq!(p.vectors[(i, 1)].is_nan(), touched);
    }
    assert!(p.scale > 0.0);
}

#[test]
fn cells_without_extent_or_neighbours_stand_still() {
    let t = from_rows(2, vec![vec![(0, 1.0)], vec![(1, 1.0)]]).unwrap();
    let none = from_rows::<f64>(2, vec![vec![], vec![]]).unwrap();
    let z = ndarray::array![[1.0, 2.0], [1.0, 2.0]];
    for g in [&none, &t] {
        let p = project(&Exec::serial(), &t, g, z.view()).unwrap();
        assert_eq!(p.vectors, Array2::<f64>::zeros((2, 2)));
        assert_eq!(p.scale, 0.0);
    }
}

#[test]
fn sizes_are_checked() {
    let (t, g, z) = case(20, 2);
    let kind = |z: ArrayView2<'_, f64>| project(&Exec::serial(), &t, &g, z).unwrap_err().kind();
    let cut = |axis| z.slice_axis(Axis(axis), Slice::from(..-1));
    assert_eq!(kind(cut(0)), "shape");
    assert_eq!(kind(cut(1)), "shape");
    let small = from_rows::<f64>(20, vec![vec![]; 19]).unwrap();
    assert!(project(&Exec::serial(), &t, &small, z.view()).is_err());
}

#[test]
fn threads_change_nothing() {
    let (t, g, z) = case(5000, 2);
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        let p = project(&exec, &t, &g, z.view()).unwrap();
        p.vectors.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    });
}
