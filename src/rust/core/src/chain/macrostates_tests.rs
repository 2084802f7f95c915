use super::*;
use crate::chain::gpcca::{schur_basis, SchurBasis, SchurMethod};
use crate::linalg::reorder::Which;
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, row};
use crate::testing::same_bits;
use nalgebra::DMatrix;
use ndarray::Array2;
use std::collections::BTreeMap;

/// Groups of `size` cells. A walk stays in its group, but goes on to the next group
/// with probability `onward` and anywhere with probability `leak`.
fn ring(groups: usize, size: usize, onward: f64, leak: f64) -> Csr {
    let n = groups * size;
    let mut s = Stream::new(5, 6, groups as u64, size as u64);
    let rows = (0..n)
        .map(|i| {
            let g = i / size;
            let next = (g + 1) % groups;
            let mut w = BTreeMap::new();
            let mut add = |j: usize, v: f64| *w.entry(j as u32).or_insert(0.0) += v;
            for _ in 0..8 {
                add(g * size + s.below(size), (1.0 - onward - leak) / 8.0);
            }
            add(next * size + s.below(size), onward);
            add(s.below(n), leak);
            w.into_iter().filter(|e| e.1 > 0.0).collect()
        })
        .collect();
    from_rows(n, rows).unwrap()
}

fn basis(t: &Csr, m: usize) -> SchurBasis {
    schur_basis(&Exec::serial(), t, m, Which::LargestReal, SchurMethod::Auto).unwrap()
}

fn found(t: &Csr, m: usize, n_cells: Option<usize>) -> Macrostates {
    let b = basis(t, m);
    assert_eq!(b.vectors.ncols(), m);
    macrostates(
        &Exec::serial(),
        t,
        b.vectors.view(),
        Optimizer::Auto,
        n_cells,
    )
    .unwrap()
}

/// What must hold for any macrostates.
fn check(t: &Csr, m: usize, out: &Macrostates) {
    let chi = &out.memberships.memberships;
    assert!(chi.iter().all(|v| (0.0..=1.0).contains(v)));
    for row in chi.rows() {
        assert!((row.sum() - 1.0).abs() < 1e-12);
    }
    assert!(out.memberships.crispness >= out.memberships.start_crispness - 1e-12);
    for row in out.coarse.transition.rows() {
        assert!((row.sum() - 1.0).abs() < 1e-9);
    }
    // Equal eigenvalues have equal power sums, those of the coarse chain being the
    // traces of its powers.
    let c = DMatrix::from_fn(m, m, |i, j| out.coarse.transition[(i, j)]);
    let kept = basis(t, m).eigenvalues;
    let (mut power, mut terms) = (c.clone(), kept.clone());
    for _ in 0..m {
        let sum: f64 = terms.iter().map(|z| z.re).sum();
        assert!(
            (power.trace() - sum).abs() < 1e-8,
            "{} {sum}",
            power.trace()
        );
        power = &power * &c;
        terms.iter_mut().zip(&kept).for_each(|(a, b)| *a *= b);
    }
}

/// Every group is one macrostate.
fn separates(chi: &Array2<f64>, size: usize) {
    let mut taken = vec![];
    for group in 0..chi.nrows() / size {
        let top = |i: usize| {
            let row = chi.row(i);
            (0..chi.ncols())
                .max_by(|&a, &b| row[a].total_cmp(&row[b]))
                .unwrap()
        };
        let state = top(group * size);
        assert!((group * size..(group + 1) * size).all(|i| top(i) == state));
        assert!(!taken.contains(&state));
        taken.push(state);
    }
}

#[test]
fn groups_are_found_and_keep_the_eigenvalues() {
    for (groups, onward, leak) in [(2, 0.02, 0.01), (4, 0.01, 0.02), (7, 0.03, 0.02)] {
        let t = ring(groups, 40, onward, leak);
        let out = found(&t, groups, Some(30));
        check(&t, groups, &out);
        separates(&out.memberships.memberships, 40);
    }
}

#[test]
fn components_and_nearly_separate_groups_are_found() {
    for groups in 2..=5 {
        for leak in [0.0, 1e-12, 1e-9, 1e-6] {
            let t = ring(groups, 30, 0.0, leak);
            let out = found(&t, groups, Some(10));
            check(&t, groups, &out);
            separates(&out.memberships.memberships, 30);
            assert!(out.memberships.crispness > 1.0 - 1e-4, "{groups} {leak}");
            let closed = if leak == 0.0 { groups } else { 1 };
            let classes = &out.stationary.closed_classes;
            assert!(out.unsettled.is_some() || classes.len() == closed);
            if leak == 0.0 {
                let e = macrostates(
                    &Exec::serial(),
                    &t,
                    basis(&t, groups + 2).vectors.view(),
                    Optimizer::Auto,
                    Some(31),
                );
                assert_eq!(e.unwrap_err().kind(), "range");
                let e = enough_states(&t, groups - 1).unwrap_err();
                assert_eq!(e.kind(), "no_state");
            }
        }
    }
}

#[test]
fn an_absorbing_cell_is_a_state_and_the_end_of_all_walks() {
    let groups = 3;
    let mut rows: Vec<Vec<(u32, f64)>> = {
        let t = ring(groups, 30, 0.02, 0.02);
        (0..90)
            .map(|i| {
                let (cols, values) = row(&t, i);
                cols.iter().copied().zip(values.iter().copied()).collect()
            })
            .collect()
    };
    // Every tenth cell of the first group falls into cell 90.
    for i in (0..30).step_by(10) {
        rows[i].iter_mut().for_each(|e| e.1 *= 0.5);
        rows[i].push((90, 0.5));
    }
    rows.push(vec![(90, 1.0)]);
    let t = from_rows(91, rows).unwrap();
    let out = found(&t, 4, None);
    check(&t, 4, &out);
    let chi = &out.memberships.memberships;
    let trap = (0..4)
        .max_by(|&a, &b| chi[(90, a)].total_cmp(&chi[(90, b)]))
        .unwrap();
    assert!(chi[(90, trap)] > 0.99);
    let pi = out.stationary.distribution.unwrap();
    assert!((pi[90] - 1.0).abs() < 1e-12 && pi[..90].iter().all(|&p| p == 0.0));
    assert!((out.coarse.stationary.unwrap()[trap] - chi[(90, trap)]).abs() < 1e-9);
    let whole = whole_chain(&Exec::serial(), &t, Some(1)).unwrap();
    assert_eq!(whole.assignment.labels[90], Some(0));
}

#[test]
fn signs_and_rotations_inside_pairs_change_nothing_that_matters() {
    // Five groups in a ring: two complex pairs.
    let t = ring(5, 40, 0.15, 0.01);
    let b = basis(&t, 5);
    assert!(b.eigenvalues[1].im.abs() > 0.01 && b.eigenvalues[3].im.abs() > 0.01);
    let exec = Exec::serial();
    let one = macrostates(&exec, &t, b.vectors.view(), Optimizer::Auto, Some(20)).unwrap();
    let mut turned = b.vectors.clone();
    for (j, angle) in [(1usize, 0.7f64), (3, 2.1)] {
        let (c, s) = (libm::cos(angle), libm::sin(angle));
        for mut row in turned.rows_mut() {
            let (u, v) = (row[j], row[j + 1]);
            row[j] = c * u - s * v;
            row[j + 1] = -(s * u + c * v);
        }
    }
    let other = macrostates(&exec, &t, turned.view(), Optimizer::Auto, Some(20)).unwrap();
    let (a, b) = (&one.memberships, &other.memberships);
    assert!((a.crispness - b.crispness).abs() < 1e-5);
    for (a, b) in a.memberships.iter().zip(&b.memberships) {
        assert!((a - b).abs() < 1e-2, "{a} {b}");
    }
    assert_eq!(one.assignment.counts, other.assignment.counts);
}

#[test]
fn permuting_the_cells_permutes_the_memberships() {
    for groups in [3, 6] {
        let t = ring(groups, 40, 0.03, 0.02);
        let n = t.rows();
        // A stride prime to n visits every cell.
        let to = |i: usize| (i * 97 + 13) % n;
        let mut rows = vec![vec![]; n];
        for i in 0..n {
            let (cols, values) = row(&t, i);
            let moved = cols.iter().map(|&j| to(j as usize) as u32);
            let mut entries: Vec<(u32, f64)> = moved.zip(values.iter().copied()).collect();
            entries.sort_by_key(|e| e.0);
            rows[to(i)] = entries;
        }
        let moved = from_rows(n, rows).unwrap();
        let one = found(&t, groups, Some(20)).memberships;
        let other = found(&moved, groups, Some(20)).memberships;
        assert!((one.crispness - other.crispness).abs() < 1e-3);
        for l in 0..groups {
            // The state of the same cells, wherever it stands.
            let away = |k: usize| {
                let pairs = (0..n).map(|i| one.memberships[(i, l)] - other.memberships[(to(i), k)]);
                pairs.fold(0.0f64, |most, v| most.max(v.abs()))
            };
            let nearest = (0..groups).map(away).fold(1.0f64, f64::min);
            assert!(nearest < 0.02, "{groups} {nearest}");
        }
    }
}

#[test]
fn one_macrostate_is_the_stationary_distribution() {
    let t = ring(3, 30, 0.05, 0.01);
    let whole = whole_chain(&Exec::serial(), &t, Some(12)).unwrap();
    let several = found(&t, 3, Some(10)).stationary.distribution.unwrap();
    for (a, b) in whole.distribution.iter().zip(&several) {
        assert!((a - b).abs() < 1e-10);
    }
    assert!(whole.residual < 2e-10);
    assert_eq!(whole.assignment.counts, [12]);
    let apart = ring(3, 30, 0.0, 0.0);
    let e = whole_chain(&Exec::serial(), &apart, None).unwrap_err();
    assert_eq!(e.kind(), "no_state");
}

#[test]
fn threads_change_no_bit() {
    let t = ring(6, 40, 0.02, 0.02);
    let x = basis(&t, 6).vectors;
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        let out = macrostates(&exec, &t, x.view(), Optimizer::Auto, Some(20)).unwrap();
        (out.memberships, out.coarse, out.stationary, out.assignment)
    });
}
