use super::*;
use crate::chain::gpcca::{schur_basis, SchurMethod};
use crate::chain::rotation::{memberships, Memberships, Optimizer};
use crate::chain::simplex::inner_simplex;
use crate::linalg::reorder::Which;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use ndarray::{Array2, Axis, Slice};

const CELLS: usize = 500;

/// Schur vectors of a drift through the unit square: a continuum without groups, of
/// which any number of states beyond a few is too many.
fn drift(seed: u64) -> Array2<f64> {
    let mut s = Stream::new(seed, 1, 2, 3);
    let at: Vec<(f64, f64)> = (0..CELLS).map(|_| (s.uniform(), s.uniform())).collect();
    let rows = (0..CELLS)
        .map(|i| {
            let mut near: Vec<(f64, usize)> = (0..CELLS)
                .map(|j| {
                    let (u, v) = (at[j].0 - at[i].0, at[j].1 - at[i].1);
                    (u * u + v * v, j)
                })
                .collect();
            near.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut w: Vec<(u32, f64)> = near[..12]
                .iter()
                .map(|&(_, j)| (j as u32, 1.0 + 8.0 * (at[j].0 - at[i].0).max(-0.1)))
                .collect();
            w.sort_by_key(|e| e.0);
            let sum: f64 = w.iter().map(|e| e.1).sum();
            w.into_iter().map(|(j, v)| (j, v / sum)).collect()
        })
        .collect();
    let t = from_rows(CELLS, rows).unwrap();
    let basis = schur_basis(
        &Exec::serial(),
        &t,
        14,
        Which::LargestReal,
        SchurMethod::Auto,
    );
    basis.unwrap().vectors
}

fn first(x: &Array2<f64>, m: usize) -> ArrayView2<'_, f64> {
    x.slice_axis(Axis(1), Slice::from(..m))
}

fn keeps_cells(r: &Memberships) -> bool {
    let shown = SHOWN.min(CELLS / r.memberships.ncols());
    assign_states(r.memberships.view(), Some(shown)).is_ok()
}

#[test]
fn too_many_states_keep_cells_and_are_crisper_than_published() {
    let exec = Exec::serial();
    for seed in 0..3 {
        let x = drift(seed);
        for m in 5..=9 {
            let auto = memberships(&exec, first(&x, m), Optimizer::Auto).unwrap();
            let compat = memberships(&exec, first(&x, m), Optimizer::NelderMead).unwrap();
            assert!(keeps_cells(&auto), "{seed} {m}");
            assert!(auto.crispness > compat.crispness, "{seed} {m}");
        }
        for m in [11, 14] {
            let auto = memberships(&exec, first(&x, m), Optimizer::Auto).unwrap();
            assert!(keeps_cells(&auto), "{seed} {m}");
            assert!(auto.crispness > auto.start_crispness + 0.05, "{seed} {m}");
            if m == 11 {
                let compat = memberships(&exec, first(&x, m), Optimizer::NelderMead).unwrap();
                assert!(auto.crispness > compat.crispness, "{seed} {m}");
            }
        }
    }
}

#[test]
fn without_the_guard_a_state_ends_without_cells() {
    let exec = Exec::serial();
    let mut lost = 0;
    for seed in 0..3 {
        let x = drift(seed);
        for m in [7, 9, 11] {
            let x = first(&x, m);
            let simplex = inner_simplex(x).unwrap();
            let start: Vec<f64> = (1..m)
                .flat_map(|k| (1..m).map(move |l| (k, l)))
                .map(|at| simplex.rotation[at])
                .collect();
            let everyone: Vec<usize> = (0..CELLS).collect();
            let all = Cells::new(x, &everyone).unwrap();
            let mut full = Objective {
                exec: &exec,
                cells: &all,
                guard: None,
                evaluations: 0,
            };
            let mut pool = Pool::new(x, &full, &start).unwrap();
            let mut guard = guarded(x, &simplex.corners, &start).unwrap();
            guard.weight = 0.0;
            let b = pool.descend(x, &mut full, &guard, start).unwrap();
            lost += usize::from(!is_usable(x, &full, &b).unwrap());
        }
    }
    assert!(lost >= 2, "{lost}");
}

#[test]
fn threads_change_no_bit_of_guarded_memberships() {
    let x = drift(1);
    for m in [7, 11] {
        let one = memberships(&Exec::serial(), first(&x, m), Optimizer::Auto).unwrap();
        for threads in [2, 4] {
            let exec = Exec::with_threads(threads).unwrap();
            let other = memberships(&exec, first(&x, m), Optimizer::Auto).unwrap();
            assert_eq!(one, other);
        }
    }
}

#[test]
fn the_guard_holds_each_corner_and_its_neighbours() {
    let x = drift(2);
    let x = first(&x, 6);
    let simplex = inner_simplex(x).unwrap();
    let start: Vec<f64> = (1..6)
        .flat_map(|k| (1..6).map(move |l| (k, l)))
        .map(|at| simplex.rotation[at])
        .collect();
    let guard = guarded(x, &simplex.corners, &start).unwrap();
    assert_eq!(guard.states.len(), 6 * NEIGHBOURS);
    let place = |i: usize| -> Vec<f64> {
        let column = |l: usize| (0..6).map(|k| x[(i, k)] * simplex.rotation[(k, l)]).sum();
        (0..6).map(column).collect()
    };
    for (s, &corner) in simplex.corners.iter().enumerate() {
        let first = &guard.coordinates[s * NEIGHBOURS * 5..][..5];
        assert!((0..5).all(|k| first[k] == x[(corner, k + 1)]));
        let here = place(corner);
        let mut away: Vec<(f64, usize)> = (0..CELLS)
            .map(|i| (simd::zip_sum(&here, &place(i), |a, b| (a - b) * (a - b)), i))
            .collect();
        away.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (j, &(_, i)) in away[..NEIGHBOURS].iter().enumerate() {
            let z = &guard.coordinates[(s * NEIGHBOURS + j) * 5..][..5];
            assert!((0..5).all(|k| z[k] == x[(i, k + 1)]));
        }
    }
}
