use super::*;
use crate::chain::absorption::{fate_probabilities, FateOptions, OnUnreachable};
use crate::chain::bootstrap_resample::reweighted;
use crate::chain::bootstrap_solve::{ACCEPT, WORST_ERROR};
use crate::chain::gpcca::{schur_basis, SchurMethod};
use crate::chain::rotation::{memberships, Optimizer};
use crate::linalg::reorder::Which;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use crate::testing::same_bits;
use ndarray::{Array2, Axis, Slice};

const PLAIN: Scheme<'_> = Scheme::Cells {
    units: None,
    exponent: 0.0,
};

fn options(scheme: Scheme<'_>, n_boot: usize) -> BootstrapOptions<'_> {
    BootstrapOptions {
        scheme,
        n_boot,
        seed: 4,
        confidence_level: 0.95,
    }
}

fn fixed(states: &[Option<u32>], n_states: usize) -> Terminal<'_, 'static> {
    Terminal {
        states,
        n_states,
        recomputed: None,
    }
}

/// Cells on a line step to a few on either side; the ends are terminal.
fn line(n: usize, reach: usize) -> (Csr, Vec<Option<u32>>) {
    let mut s = Stream::new(8, n as u64, reach as u64, 0);
    let rows = (0..n)
        .map(|i| {
            let to = i.saturating_sub(reach)..(i + reach + 1).min(n);
            let p: Vec<f64> = to.clone().map(|_| 0.5 + s.uniform()).collect();
            let sum: f64 = p.iter().sum();
            to.zip(p).map(|(j, v)| (j as u32, v / sum)).collect()
        })
        .collect();
    let state = |i: usize| match i {
        0..=2 => Some(0),
        i if i + 3 >= n => Some(1),
        _ => None,
    };
    (from_rows(n, rows).unwrap(), (0..n).map(state).collect())
}

fn point(t: &Csr, states: &[Option<u32>], k: usize) -> Array2<f64> {
    let o = FateOptions {
        on_unreachable: OnUnreachable::Na,
        ..FateOptions::default()
    };
    fate_probabilities(&Exec::serial(), t, states, k, &o)
        .unwrap()
        .probabilities
}

#[test]
fn the_spread_is_that_of_solving_every_resample_afresh() {
    for (n, reach) in [(60, 3), (1200, 8)] {
        let (t, states) = line(n, reach);
        let exec = Exec::serial();
        let p = point(&t, &states, 2);
        let n_boot = 12;
        let thin = Scheme::Cells {
            units: None,
            exponent: 0.7,
        };
        for scheme in [PLAIN, thin, Scheme::Neighbors(0.5)] {
            let o = options(scheme, n_boot);
            let u = bootstrap_fates(&exec, &t, &fixed(&states, 2), p.view(), &o).unwrap();
            assert!(u.residual <= ACCEPT && u.error_bound <= WORST_ERROR && u.used == n_boot);
            let each: Vec<Array2<f64>> = (0..n_boot as u64)
                .map(|b| {
                    let star = scheme.resample(&exec, &t, o.seed, b).unwrap();
                    let mut f = point(&star, &states, 2);
                    // Of the walks that arrive.
                    for mut row in f.rows_mut() {
                        let sum = row.sum();
                        row /= sum;
                    }
                    f
                })
                .collect();
            for i in 0..n {
                let lost = each.iter().filter(|f| f[[i, 0]].is_nan()).count();
                assert_eq!(u.unreachable[i] as usize, lost);
                if lost > 0 {
                    continue;
                }
                let mean = each.iter().map(|f| f[[i, 0]]).sum::<f64>() / n_boot as f64;
                let var = each.iter().map(|f| (f[[i, 0]] - mean) * (f[[i, 0]] - mean));
                let sd = (var.sum::<f64>() / (n_boot as f64 - 1.0)).sqrt();
                assert!((u.spread.mean[[i, 0]] - mean).abs() <= 2.0 * u.error_bound);
                assert!((u.spread.sd[[i, 0]] - sd).abs() <= 4.0 * u.error_bound);
            }
        }
    }
}

#[test]
fn a_fork_has_its_closed_form() {
    // From cell 0 to either end with weights w1, w2: the first fate is uniform on (0,
    // 1), with mean 1/2 and variance 1/12.
    let rows = vec![vec![(1, 0.5), (2, 0.5)], vec![(1, 1.0)], vec![(2, 1.0)]];
    let t = from_rows(3, rows).unwrap();
    let states = [None, Some(0), Some(1)];
    let p = point(&t, &states, 2);
    let o = options(PLAIN, 20_000);
    let u = bootstrap_fates(&Exec::serial(), &t, &fixed(&states, 2), p.view(), &o).unwrap();
    let (mean, sd) = (u.spread.mean[[0, 0]], u.spread.sd[[0, 0]]);
    // Five standard errors each; the fourth central moment is 1/80.
    assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0 / 2e4f64).sqrt());
    let error = ((1.0 / 80.0 - 1.0 / 144.0) / 2e4f64).sqrt();
    assert!((sd * sd - 1.0 / 12.0).abs() < 5.0 * error);
    // With both ends in one unit nothing varies.
    let units = [0, 1, 1];
    let o = options(
        Scheme::Cells {
            units: Some(&units),
            exponent: 0.0,
        },
        50,
    );
    let u = bootstrap_fates(&Exec::serial(), &t, &fixed(&states, 2), p.view(), &o).unwrap();
    assert!(u.spread.sd.iter().all(|&s| s < 1e-15));
}

#[test]
fn certain_fates_have_no_width() {
    // Two lines that do not meet: every fate is 0 or 1.
    let n = 40;
    let rows = (0..n)
        .map(|i| {
            let (low, high) = if i < 20 { (0, 19) } else { (20, 39) };
            let to = [i.max(low + 1) - 1, (i + 1).min(high)];
            vec![(to[0] as u32, 0.5), (to[1] as u32, 0.5)]
        })
        .collect();
    let t = from_rows(n, rows).unwrap();
    let mut states = vec![None; n];
    (states[0], states[39]) = (Some(0), Some(1));
    let p = point(&t, &states, 2);
    for scheme in [PLAIN, Scheme::Neighbors(0.5)] {
        let o = options(scheme, 30);
        let u = bootstrap_fates(&Exec::serial(), &t, &fixed(&states, 2), p.view(), &o).unwrap();
        for i in 0..n {
            let want = f64::from(u8::from(i < 20));
            assert!((u.spread.lower[[i, 0]] - want).abs() < 1e-9);
            assert!((u.spread.upper[[i, 0]] - want).abs() < 1e-9);
            assert!(u.spread.sd[[i, 0]] < 1e-9);
        }
    }
}

#[test]
fn walks_that_a_resample_traps_do_not_count() {
    // Cell 0 steps to a pair that thinning can close, or to either end: of the walks
    // that arrive, half end in each.
    let rows = vec![
        vec![(1, 0.25), (3, 0.25), (4, 0.25), (5, 0.25)],
        vec![(2, 0.8), (3, 0.1), (4, 0.1)],
        vec![(1, 0.5), (2, 0.5)],
        vec![(3, 1.0)],
        vec![(4, 1.0)],
        vec![(0, 0.5), (3, 0.25), (4, 0.25)],
    ];
    let t = from_rows(6, rows).unwrap();
    let states = [None, None, None, Some(0), Some(1), None];
    let p = point(&t, &states, 2);
    let o = options(Scheme::Neighbors(0.5), 200);
    let u = bootstrap_fates(&Exec::serial(), &t, &fixed(&states, 2), p.view(), &o).unwrap();
    for i in 0..6 {
        let sum = u.spread.mean[[i, 0]] + u.spread.mean[[i, 1]];
        assert!((sum - 1.0).abs() < 1e-12);
    }
    assert!(u.spread.sd[[0, 0]] > 0.1);
}

#[test]
fn cells_that_a_resample_cuts_off_are_counted() {
    // Cell 0 reaches the state by one of its three edges only; thinning to two cuts it
    // off in a third of the resamples. Cells 1 and 2 never reach it.
    let rows = vec![
        vec![(1, 0.2), (2, 0.4), (3, 0.4)],
        vec![(2, 1.0)],
        vec![(1, 1.0)],
        vec![(3, 1.0)],
    ];
    let t = from_rows(4, rows).unwrap();
    let states = [None, None, None, Some(0)];
    let p = ndarray::array![[0.4], [f64::NAN], [f64::NAN], [1.0]];
    let o = options(Scheme::Neighbors(0.5), 3000);
    let u = bootstrap_fates(&Exec::serial(), &t, &fixed(&states, 1), p.view(), &o).unwrap();
    let share = f64::from(u.unreachable[0]) / 3000.0;
    assert!((share - 1.0 / 3.0).abs() < 5.0 * 0.4714 / 3000f64.sqrt());
    assert_eq!(u.unreachable[1..], [3000, 3000, 0]);
    assert!(u.spread.sd[[1, 0]].is_nan() && u.spread.sd[[0, 0]] > 0.0);
}

#[test]
fn bits_do_not_depend_on_threads() {
    let (t, states) = line(900, 6);
    let p = point(&t, &states, 2);
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        let o = options(PLAIN, 9);
        let u = bootstrap_fates(&exec, &t, &fixed(&states, 2), p.view(), &o).unwrap();
        let bits = |m: &Array2<f64>| m.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        (
            bits(&u.spread.mean),
            bits(&u.spread.lower),
            bits(&u.spread.sd),
            u.iterations,
        )
    });
}

/// Three dense groups that are rarely left, the first between the others.
fn groups(n: usize) -> Csr {
    let mut s = Stream::new(5, n as u64, 0, 0);
    let rows = (0..n)
        .map(|i| {
            let own = i * 3 / n;
            let mut to: Vec<(u32, f64)> = (0..n)
                .map(|j| {
                    let other = j * 3 / n;
                    let leave = if own == 0 { 2e-2 } else { 4e-4 };
                    let p = if other == own {
                        1.0
                    } else if own == 0 || other == 0 {
                        leave
                    } else {
                        0.0
                    };
                    (j as u32, p * (0.2 + s.uniform()))
                })
                .filter(|e| e.1 > 0.0)
                .collect();
            let sum: f64 = to.iter().map(|e| e.1).sum();
            to.iter_mut().for_each(|e| e.1 /= sum);
            to
        })
        .collect();
    from_rows(n, rows).unwrap()
}

#[test]
fn states_that_are_there_are_found_in_every_resample() {
    let n = 150;
    let t = groups(n);
    let exec = Exec::serial();
    let basis = schur_basis(&exec, &t, 3, Which::LargestReal, SchurMethod::Auto).unwrap();
    let x = basis.vectors.slice_axis(Axis(1), Slice::from(..3));
    let chi = memberships(&exec, x, Optimizer::Auto).unwrap().memberships;
    // Which macrostate is which group, by a cell in the middle of it.
    let of = |cell: usize| (0..3).find(|&l| chi[[cell, l]] > 0.5).unwrap();
    let mut terminal = vec![None; 3];
    terminal[of(75)] = Some(0);
    terminal[of(125)] = Some(1);
    let reference = Reference {
        memberships: chi.view(),
        terminal: &terminal,
        n_states: 2,
        n_cells: Some(20),
        which: Which::LargestReal,
        method: SchurMethod::Auto,
        optimizer: Optimizer::Auto,
    };
    let states: Vec<Option<u32>> = (0..n)
        .map(|i| match i {
            50..=69 => Some(0),
            100..=119 => Some(1),
            _ => None,
        })
        .collect();
    let p = point(&t, &states, 2);
    let terminal = Terminal {
        states: &states,
        n_states: 2,
        recomputed: Some(&reference),
    };
    let o = options(PLAIN, 20);
    let u = bootstrap_fates(&exec, &t, &terminal, p.view(), &o).unwrap();
    assert_eq!((u.used, u.overlaps.len()), (20, 40));
    assert!(u.overlaps.iter().all(|&v| v > 0.8 && v < 1.0));
    // The cells found in a resample are of the groups that they stand for.
    let star = reweighted(&t, &vec![1.0; n]).unwrap();
    let found = reference.find(&exec, &star).unwrap();
    for (i, s) in found.states.unwrap().iter().enumerate() {
        if let Some(s) = s {
            assert_eq!(i * 3 / n, *s as usize + 1);
        }
    }
    assert!(found.overlaps.iter().all(|&v| (v - 1.0).abs() < 1e-6));
}

#[test]
fn a_state_that_is_nowhere_ends_the_bootstrap() {
    let t = groups(90);
    let chi = Array2::from_shape_fn((90, 2), |(_, l)| if l == 0 { 1.0 } else { 0.0 });
    let terminal = [None, Some(0)];
    let reference = Reference {
        memberships: chi.view(),
        terminal: &terminal,
        n_states: 1,
        n_cells: Some(10),
        which: Which::LargestReal,
        method: SchurMethod::Auto,
        optimizer: Optimizer::Auto,
    };
    let states: Vec<Option<u32>> = (0..90).map(|i| (i < 5).then_some(0)).collect();
    let p = Array2::ones((90, 1));
    let terminal = Terminal {
        states: &states,
        n_states: 1,
        recomputed: Some(&reference),
    };
    let o = options(PLAIN, 4);
    let e = bootstrap_fates(&Exec::serial(), &t, &terminal, p.view(), &o).unwrap_err();
    assert_eq!(e.kind(), "no_state");
}

#[test]
fn what_does_not_fit_is_refused_and_a_stop_is_obeyed() {
    let (t, states) = line(30, 2);
    let p = point(&t, &states, 2);
    let exec = Exec::serial();
    let kind = |states: &[Option<u32>], n_boot, level| {
        let o = BootstrapOptions {
            confidence_level: level,
            ..options(PLAIN, n_boot)
        };
        let terminal = fixed(states, 2);
        bootstrap_fates(&exec, &t, &terminal, p.view(), &o)
            .unwrap_err()
            .kind()
    };
    assert_eq!(kind(&states[1..], 5, 0.95), "shape");
    assert_eq!(kind(&states, 1, 0.95), "range");
    assert_eq!(kind(&states, 5, 1.0), "range");
    exec.control().cancel();
    assert_eq!(kind(&states, 5, 0.95), "interrupted");
}
