use super::super::threshold::tests::{by_rows, graph, plain, view};
use super::*;
use crate::graph::components::components;
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, row, to_csc_slots};
use crate::testing::same_bits;

const HARD: Threshold = Threshold::Hard { frac_to_keep: 0.3 };

fn slots(n: usize, rows: Vec<Vec<(u32, f64)>>) -> CscSlots {
    to_csc_slots(&Exec::serial(), &from_rows(n, rows).unwrap()).unwrap()
}

#[test]
fn rows_are_what_the_bias_leaves_scaled_to_one() {
    let exec = Exec::with_threads(2).unwrap();
    for symmetric in [false, true] {
        let (c, t) = graph(101, 9, symmetric);
        let rows = by_rows(&c);
        for scheme in [
            Threshold::Hard { frac_to_keep: 0.12 },
            HARD,
            Threshold::Hard { frac_to_keep: 1.0 },
            Threshold::Hard { frac_to_keep: 0.0 },
            Threshold::Soft { b: 0.5, nu: 0.5 },
            Threshold::Soft { b: 300.0, nu: 0.5 },
            Threshold::Done,
        ] {
            let made = transition(&exec, view(&exec, &c), &t, scheme, EmptyRows::Absorb).unwrap();
            let m = made.slots(&exec).unwrap();
            assert_eq!(m.p, made.plan.p);
            let m = by_rows(&m);
            let mut alone = Vec::new();
            for i in 0..101 {
                let mut want = plain(row(&rows, i), i, &t, scheme);
                let total: f64 = want.iter().map(|e| e.1).sum();
                want.iter_mut().for_each(|e| e.1 /= total);
                if want.is_empty() {
                    alone.push(i);
                    want.push((i as u32, 1.0));
                }
                let (cols, values) = row(&m, i);
                assert_eq!(cols, want.iter().map(|e| e.0).collect::<Vec<_>>());
                for (v, (_, w)) in values.iter().zip(&want) {
                    assert!((v - w).abs() < 1e-14);
                }
                assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
            assert_eq!(made.absorbing, alone);
        }
    }
}

#[test]
fn a_cell_that_loses_everything_is_named_or_absorbs() {
    let exec = Exec::serial();
    let none = Threshold::Hard { frac_to_keep: 0.0 };
    let c = slots(2, vec![vec![(1, 1.0)], vec![(0, 1.0)]]);
    let run = |c: &CscSlots, empty| {
        let made = transition(&exec, view(&exec, c), &[0.0, 1.0], none, empty)?;
        made.slots(&exec)
    };
    match run(&c, EmptyRows::Refuse) {
        Err(CoreError::NoEdgeLeft { count, cells }) => assert_eq!((count, cells), (1, vec![1])),
        other => panic!("{other:?}"),
    }
    let t = run(&c, EmptyRows::Absorb).unwrap();
    assert_eq!((t.p, t.i, t.x), (vec![0, 0, 2], vec![0, 1], vec![1.0, 1.0]));
    let alone = slots(2, vec![vec![(1, 1.0)], vec![]]);
    let e = run(&alone, EmptyRows::Absorb).unwrap_err();
    assert_eq!(e.kind(), "disconnected");
}

#[test]
fn rows_that_sum_to_one_are_left_alone() {
    let exec = Exec::serial();
    let third = 1.0 / 3.0;
    let c = slots(
        3,
        vec![
            vec![(0, third), (1, third), (2, third)],
            vec![(1, 0.1), (2, 0.9)],
            vec![(2, 1.0)],
        ],
    );
    let t = [0.0; 3];
    let made = transition(&exec, view(&exec, &c), &t, HARD, EmptyRows::Refuse).unwrap();
    assert!(made.plan.same_pattern);
    assert_eq!(made.slots(&exec).unwrap(), c);
}

#[test]
fn scaling_the_graph_changes_nothing() {
    let exec = Exec::serial();
    let (c, t) = graph(200, 8, true);
    let mut twice = c.clone();
    twice.x.iter_mut().for_each(|v| *v *= 4.0);
    for scheme in [HARD, Threshold::Soft { b: 0.3, nu: 0.5 }] {
        let run = |c: &CscSlots| {
            let made = transition(&exec, view(&exec, c), &t, scheme, EmptyRows::Absorb);
            made.unwrap().slots(&exec).unwrap()
        };
        // Powers of two change no bit.
        assert_eq!(run(&c), run(&twice));
    }
}

#[test]
fn the_clock_turns_and_scales() {
    let read = |backward, rescale, t: &[f64]| Clock { backward, rescale }.read(t);
    let t = [2.0, 6.0, 4.0];
    assert_eq!(read(false, false, &t).unwrap(), t);
    assert_eq!(read(true, false, &t).unwrap(), [4.0, 0.0, 2.0]);
    assert_eq!(read(false, true, &t).unwrap(), [0.0, 1.0, 0.5]);
    assert_eq!(read(true, true, &t).unwrap(), [1.0, 0.0, 0.5]);
    assert_eq!(read(false, true, &[3.0; 4]).unwrap_err().kind(), "range");
    assert_eq!(read(false, false, &[3.0; 4]).unwrap(), [3.0; 4]);
    let e = read(false, false, &[0.0, f64::NAN]).unwrap_err();
    assert_eq!(e.kind(), "range");
}

#[test]
fn pieces_agree_with_the_components() {
    let exec = Exec::serial();
    let mut s = Stream::new(5, 0, 0, 0);
    for n in [0, 1, 2, 30, 200, 201, 202] {
        for density in [0.3, 0.8, 1.5, 6.0] {
            for symmetric in [false, true] {
                let mut rows = vec![std::collections::BTreeMap::<u32, f64>::new(); n];
                for _ in 0..(n as f64 * density) as usize {
                    let (i, j) = (s.below(n), s.below(n));
                    rows[i].insert(j as u32, 1.0);
                    if symmetric {
                        rows[j].insert(i as u32, 1.0);
                    }
                }
                let rows = rows.into_iter().map(|r| r.into_iter().collect()).collect();
                let m = slots(n, rows);
                let want = components(&by_rows(&m)).1;
                assert_eq!(pieces(&exec, view(&exec, &m), symmetric).unwrap(), want);
            }
        }
    }
    // A stored zero joins nothing.
    let zero = slots(2, vec![vec![(1, 0.0)], vec![(0, 0.0)]]);
    assert_eq!(pieces(&exec, view(&exec, &zero), true).unwrap(), 2);
}

#[test]
fn classes_of_a_cycle_and_of_a_chain() {
    let exec = Exec::serial();
    let ring = slots(3, vec![vec![(1, 1.0)], vec![(2, 1.0)], vec![(0, 1.0)]]);
    assert_eq!(classes(view(&exec, &ring)).unwrap(), 1);
    let chain = slots(3, vec![vec![(1, 1.0)], vec![(2, 1.0)], vec![(2, 1.0)]]);
    assert_eq!(classes(view(&exec, &chain)).unwrap(), 3);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for symmetric in [false, true] {
        let (c, t) = graph(4100, 12, symmetric);
        for scheme in [HARD, Threshold::Soft { b: 0.3, nu: 0.5 }, Threshold::Done] {
            same_bits(|threads| {
                let exec = Exec::with_threads(threads).unwrap();
                let made =
                    transition(&exec, view(&exec, &c), &t, scheme, EmptyRows::Absorb).unwrap();
                made.slots(&exec).unwrap()
            });
        }
    }
}
