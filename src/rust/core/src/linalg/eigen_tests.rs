use super::eigen::{eigen, EigenOptions};
use super::reorder::Which;
use crate::error::CoreError;
use crate::exec::Exec;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use crate::sparse::Csr;
use crate::testing::same_bits;
use nalgebra::Complex;

fn options(count: usize) -> EigenOptions {
    EigenOptions {
        count,
        which: Which::LargestReal,
        only_values: false,
        columns: None,
    }
}

/// A cycle of `n` cells with random jumps.
fn chain(n: usize, seed: u64) -> Csr {
    let mut s = Stream::new(seed, 9, 0, 0);
    let rows = (0..n)
        .map(|i| {
            let mut row = vec![(i as u32, 0.3)];
            for step in [1, 2, 3 + s.below(n - 4)] {
                row.push((((i + step) % n) as u32, 0.1 + s.uniform()));
            }
            row.sort_by_key(|e| e.0);
            row.dedup_by_key(|e| e.0);
            let sum: f64 = row.iter().map(|e| e.1).sum();
            row.iter().map(|&(j, v)| (j, v / sum)).collect()
        })
        .collect();
    from_rows(n, rows).unwrap()
}

#[test]
fn both_sides_solve_their_equations_on_both_paths() {
    let exec = Exec::serial();
    for n in [60, 700] {
        let e = eigen(&exec, &chain(n, 3), &options(9)).unwrap();
        assert_eq!(e.dense, n == 60);
        let left = e.left.as_ref().unwrap();
        assert!(e.right.residuals.iter().all(|&r| r < 1e-10));
        assert!(left.residuals.iter().all(|&r| r < 1e-10));
        assert!(e.right.values.iter().any(|v| v.im != 0.0));
        for (v, w) in e.right.values.iter().zip(&left.values) {
            assert!((v - w).norm_sqr() < 1e-16);
        }
        // The first right vector is constant, and the left one a distribution.
        let flat = 1.0 / (n as f64).sqrt();
        assert!(e
            .right
            .vectors
            .column(0)
            .iter()
            .all(|v| (v.re - flat).abs() < 1e-9));
        assert!(left.vectors.column(0).iter().all(|v| v.re > 0.0));
        assert!(e.conditions.iter().all(|&c| c >= 1.0 - 1e-12));
    }
}

#[test]
fn left_and_right_vectors_of_different_values_are_orthogonal() {
    let e = eigen(&Exec::serial(), &chain(80, 5), &options(8)).unwrap();
    let left = e.left.unwrap();
    for i in 0..8 {
        for j in (0..8).filter(|&j| (e.right.values[i] - left.values[j]).norm_sqr() > 1e-12) {
            let y = left.vectors.column(j);
            let x = e.right.vectors.column(i);
            let along: Complex<f64> = y.iter().zip(x).map(|(y, x)| y * x).sum();
            assert!(along.norm_sqr().sqrt() < 1e-10);
        }
    }
}

#[test]
fn a_symmetric_chain_has_perfect_condition() {
    // The lazy walk on a path; eigenvalues (1 + cos(pi k / n)) / 2.
    let n = 40;
    let rows = (0..n)
        .map(|i: usize| {
            let mut r = vec![];
            let stay = if i == 0 || i + 1 == n { 0.75 } else { 0.5 };
            if i > 0 {
                r.push((i as u32 - 1, 0.25));
            }
            r.push((i as u32, stay));
            if i + 1 < n {
                r.push((i as u32 + 1, 0.25));
            }
            r
        })
        .collect();
    let t = from_rows(n, rows).unwrap();
    let e = eigen(&Exec::serial(), &t, &options(6)).unwrap();
    for (k, v) in e.right.values.iter().enumerate() {
        let want = 0.5 + 0.5 * crate::math::cos(std::f64::consts::PI * k as f64 / n as f64);
        assert!((v.re - want).abs() < 1e-12 && v.im == 0.0);
        assert!((e.conditions[k] - 1.0).abs() < 1e-9);
    }
}

#[test]
fn a_nearly_defective_chain_is_badly_conditioned() {
    // Two eigenvalues 0.5 and 0.5 + d, coupled: condition of the order of 1 / d.
    let d = 1e-4;
    let rows = vec![
        vec![(0, 0.5), (1, 0.4), (2, 0.1)],
        vec![(1, 0.5 + d), (2, 0.5 - d)],
        vec![(2, 1.0)],
    ];
    let e = eigen(&Exec::serial(), &from_rows(3, rows).unwrap(), &options(3)).unwrap();
    assert!(e.conditions[1] > 1e3 && e.conditions[2] > 1e3);
}

#[test]
fn repeated_eigenvalues_have_no_condition() {
    let rows = vec![vec![(0, 1.0)], vec![(1, 1.0)], vec![(0, 0.5), (1, 0.5)]];
    let e = eigen(&Exec::serial(), &from_rows(3, rows).unwrap(), &options(3)).unwrap();
    assert!(e.conditions[0].is_nan() && e.conditions[1].is_nan());
    assert!(e.right.residuals.iter().all(|&r| r < 1e-14));
    assert!(e.left.unwrap().residuals.iter().all(|&r| r < 1e-14));
}

#[test]
fn values_alone_and_bits_and_refusals() {
    let t = chain(600, 8);
    let mut wanted = options(5);
    let full = eigen(&Exec::serial(), &t, &wanted).unwrap();
    wanted.only_values = true;
    let alone = eigen(&Exec::serial(), &t, &wanted).unwrap();
    assert!(alone.left.is_none() && alone.right.values == full.right.values);
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        eigen(&exec, &t, &options(5)).unwrap().right
    });
    let none = eigen(&Exec::serial(), &t, &options(0)).unwrap_err();
    assert!(matches!(none, CoreError::Range { .. }));
}
