use super::gpcca::{eigengap, schur_basis, weighted_schur_basis, SchurMethod};
use crate::exec::Exec;
use crate::linalg::reorder::Which;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use crate::sparse::{ops, Csr};

/// Cells on a line in `groups` sticky groups; `leak` joins neighbouring groups.
fn groups(n: usize, groups: usize, leak: f64) -> Csr {
    let size = n / groups;
    let mut s = Stream::new(11, 6, 0, 0);
    let rows = (0..n)
        .map(|i| {
            let g = (i / size).min(groups - 1);
            let end = if g + 1 == groups { n } else { (g + 1) * size };
            let mut weight = std::collections::BTreeMap::new();
            weight.insert(i, 0.5);
            for _ in 0..8 {
                let j = g * size + s.below(end - g * size);
                *weight.entry(j).or_insert(0.0) += 0.2 + s.uniform();
            }
            if leak > 0.0 {
                *weight.entry((i + size) % n).or_insert(0.0) += leak * (1.0 + s.uniform());
            }
            let sum: f64 = weight.values().sum();
            weight
                .into_iter()
                .map(|(j, v)| (j as u32, v / sum))
                .collect()
        })
        .collect();
    from_rows(n, rows).unwrap()
}

#[test]
fn the_basis_keeps_its_promises_on_both_paths() {
    let exec = Exec::serial();
    let t = groups(600, 4, 0.05);
    let dense = schur_basis(&exec, &t, 4, Which::LargestReal, SchurMethod::Dense).unwrap();
    let sparse = schur_basis(&exec, &t, 4, Which::LargestReal, SchurMethod::Auto).unwrap();
    assert_eq!(sparse.method, SchurMethod::Krylov);
    for b in [&dense, &sparse] {
        assert!(b.vectors.column(0).iter().all(|&v| v == 1.0));
        assert!(b.residuals.iter().all(|&r| r < 1e-9));
        assert!((b.eigenvalues[0].re - 1.0).abs() < 1e-12);
        assert_eq!(b.matrix[(2, 0)], 0.0);
    }
    if dense.invalid_n_states.is_empty() {
        for (a, b) in dense.vectors.iter().zip(&sparse.vectors) {
            assert!((a - b).abs() < 1e-7);
        }
    }
}

#[test]
fn any_initial_distribution_gives_a_basis_orthonormal_under_it() {
    let exec = Exec::serial();
    for (n, method) in [(120, SchurMethod::Dense), (600, SchurMethod::Krylov)] {
        let t = groups(n, 4, 0.05);
        let mut s = Stream::new(2, 8, 0, 0);
        let eta: Vec<f64> = (0..n).map(|_| 0.1 + s.uniform()).collect();
        let which = Which::LargestReal;
        let plain = schur_basis(&exec, &t, 4, which, method).unwrap();
        let b = weighted_schur_basis(&exec, &t, Some(&eta), 4, which, method).unwrap();
        let sum: f64 = eta.iter().sum();
        for j in 0..b.vectors.ncols() {
            for k in 0..=j {
                let dot: f64 = (0..n)
                    .map(|i| eta[i] / sum * b.vectors[(i, j)] * b.vectors[(i, k)])
                    .sum();
                assert!((dot - f64::from(u8::from(j == k))).abs() < 1e-10);
            }
            assert!((b.eigenvalues[j].re - plain.eigenvalues[j].re).abs() < 1e-9);
        }
        assert!(b.vectors.column(0).iter().all(|&v| v == 1.0));
        assert!(b.residuals.iter().all(|&r| r < 1e-9));
        // The weights turn the basis, not the space: T X = X R all the same.
        let off = ops::mat_mat(&exec, &t, b.vectors.view()).unwrap() - b.vectors.dot(&b.matrix);
        assert!(off.iter().all(|v| v.abs() < 1e-7));
        let same = weighted_schur_basis(&exec, &t, Some(&vec![3.0; n]), 4, which, method);
        assert_eq!(same.unwrap(), plain);
    }
}

#[test]
fn a_distribution_without_weight_somewhere_is_refused() {
    let t = groups(30, 3, 0.1);
    let run = |eta: &[f64]| {
        let which = Which::LargestReal;
        weighted_schur_basis(&Exec::serial(), &t, Some(eta), 3, which, SchurMethod::Auto)
            .unwrap_err()
            .kind()
    };
    let mut eta = vec![1.0; 30];
    eta[7] = 0.0;
    assert_eq!((run(&eta), run(&eta[1..])), ("range", "shape"));
    eta[7] = 1e-17;
    assert_eq!(run(&eta), "range");
}

#[test]
fn separate_groups_span_the_leading_subspace() {
    let exec = Exec::serial();
    for (n, method) in [(90, SchurMethod::Auto), (630, SchurMethod::Krylov)] {
        let t = groups(n, 3, 0.0);
        let b = schur_basis(&exec, &t, 3, Which::LargestReal, method).unwrap();
        assert!(b.eigenvalues.iter().all(|v| (v.re - 1.0).abs() < 1e-9));
        // Every column is constant on every group.
        for j in 0..3 {
            for g in 0..3 {
                let first = b.vectors[(g * n / 3, j)];
                for i in g * n / 3..(g + 1) * n / 3 {
                    assert!((b.vectors[(i, j)] - first).abs() < 1e-8);
                }
            }
        }
    }
}

#[test]
fn complex_pairs_are_kept_whole_and_reported() {
    // A ring in one direction: all eigenvalues but one or two are complex.
    let n = 40;
    let rows = (0..n)
        .map(|i| {
            let mut r = vec![(i as u32, 0.5), (((i + 1) % n) as u32, 0.5)];
            r.sort_by_key(|e| e.0);
            r
        })
        .collect();
    let t = from_rows(n, rows).unwrap();
    let exec = Exec::serial();
    let b = schur_basis(&exec, &t, 4, Which::LargestReal, SchurMethod::Dense).unwrap();
    assert_eq!((b.vectors.ncols(), b.invalid_n_states), (5, vec![2, 4]));
    for (k, v) in b.eigenvalues.iter().enumerate() {
        let angle = 2.0 * std::f64::consts::PI * k.div_ceil(2) as f64 / n as f64;
        let want = 0.5 + 0.5 * crate::math::cos(angle);
        assert!((v.re - want).abs() < 1e-12);
    }
}

#[test]
fn the_gap_is_the_one_of_the_formula() {
    assert_eq!(eigengap(&[1.0, 0.99, 0.98, 0.5], 1.0).unwrap(), 2);
    assert_eq!(eigengap(&[0.5, 0.98, 1.0, 0.99], 1.0).unwrap(), 2);
    assert_eq!(eigengap(&[1.0, 0.8, 0.1], 1.0).unwrap(), 1);
    assert_eq!(eigengap(&[1.0, 0.8, 0.5], 2.0).unwrap(), 0);
    assert_eq!(eigengap(&[1.0], 1.0).unwrap_err().kind(), "shape");
}

#[test]
fn impossible_numbers_of_vectors_are_refused() {
    let t = groups(30, 3, 0.1);
    let e = |m| {
        schur_basis(
            &Exec::serial(),
            &t,
            m,
            Which::LargestReal,
            SchurMethod::Auto,
        )
        .unwrap_err()
        .kind()
    };
    assert_eq!((e(0), e(1), e(31)), ("range", "range", "range"));
}
