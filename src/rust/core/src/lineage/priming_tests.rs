use super::*;
use crate::rng::Stream;
use ndarray::{array, Array2};

fn degree(p: &Array2<f64>, early: Option<&[bool]>, method: Priming, compat: bool) -> Vec<f64> {
    priming_degree(&Exec::serial(), p.view(), early, method, compat).unwrap()
}

fn random(n: usize, k: usize) -> Array2<f64> {
    let mut s = Stream::new(5, 1, n as u64, k as u64);
    let mut p = Array2::from_shape_fn((n, k), |_| s.exponential());
    for mut row in p.outer_iter_mut() {
        let sum = row.sum();
        row /= sum;
    }
    p
}

fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-13, "{a} {b}");
    }
}

#[test]
fn scores_are_those_of_the_formulas() {
    let p = random(50, 4);
    let early: Vec<bool> = (0..50).map(|i| i % 3 == 0).collect();
    let mut q = [0.0; 4];
    for i in (0..50).filter(|i| i % 3 == 0) {
        (0..4).for_each(|k| q[k] += p[[i, k]] / 17.0);
    }
    let stretched = |raw: Vec<f64>| {
        let low = raw.iter().copied().fold(f64::MAX, f64::min);
        let high = raw.iter().copied().fold(f64::MIN, f64::max);
        raw.iter()
            .map(|s| (s - low) / (high - low))
            .collect::<Vec<_>>()
    };
    let kl = |i: usize| (0..4).map(|k| p[[i, k]] * log2(p[[i, k]] / q[k])).sum();
    let want = stretched((0..50).map(kl).collect());
    for compat in [false, true] {
        close(
            &degree(&p, Some(&early), Priming::KlDivergence, compat),
            &want,
        );
    }
    let h = |i: usize| -(0..4).map(|k| p[[i, k]] * ln(p[[i, k]])).sum::<f64>();
    let want = stretched((0..50).map(|i| 10.0 - h(i)).collect());
    close(&degree(&p, None, Priming::Entropy, false), &want);
}

#[test]
fn zeros_count_nothing_and_in_compat_their_cell_counts_one() {
    let p = array![[0.5, 0.5], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]];
    let q = [1.75 / 4.0, 2.25 / 4.0];
    let kl = |row: [f64; 2]| -> f64 {
        let term = |(&p, q): (&f64, f64)| if p > 0.0 { p * log2(p / q) } else { 0.0 };
        row.iter().zip(q).map(term).sum()
    };
    let raw = [
        kl([0.5, 0.5]),
        kl([0.25, 0.75]),
        kl([0.0, 1.0]),
        kl([1.0, 0.0]),
    ];
    let scale = |v: f64, high: f64| (v - raw[0]) / (high - raw[0]);
    let want: Vec<f64> = raw.iter().map(|&v| scale(v, raw[3])).collect();
    close(&degree(&p, None, Priming::KlDivergence, false), &want);
    let want = [0.0, scale(raw[1], 1.0), 1.0, 1.0];
    close(&degree(&p, None, Priming::KlDivergence, true), &want);
    // Nothing but the zeros makes a difference to the entropy.
    let h = degree(&p, None, Priming::Entropy, false);
    assert_eq!((h[0], h[2], h[3]), (0.0, 1.0, 1.0));
    assert_eq!(h, degree(&p, None, Priming::Entropy, true));
}

#[test]
fn cells_without_values_stay_without_and_change_nothing() {
    let p = random(30, 3);
    let mut more = Array2::from_elem((32, 3), f64::NAN);
    for i in 0..30 {
        more.row_mut(i).assign(&p.row(i));
    }
    more.row_mut(31).fill(0.0);
    for method in [Priming::KlDivergence, Priming::Entropy] {
        let got = degree(&more, None, method, false);
        assert_eq!(got[..30], degree(&p, None, method, false)[..]);
        assert!(got[30].is_nan() && got[31].is_nan());
    }
}

#[test]
fn equal_scores_are_zero() {
    let p = Array2::from_elem((7, 3), 1.0 / 3.0);
    let one = Array2::from_elem((7, 1), 1.0);
    for method in [Priming::KlDivergence, Priming::Entropy] {
        assert_eq!(degree(&p, None, method, false), vec![0.0; 7]);
        assert_eq!(degree(&one, None, method, true), vec![0.0; 7]);
    }
}

#[test]
fn what_has_no_answer_is_refused() {
    let p = array![[1.0, 0.0], [0.5, 0.5], [f64::NAN, f64::NAN]];
    let run = |p: &Array2<f64>, early: &[bool], method, compat| {
        priming_degree(&Exec::serial(), p.view(), Some(early), method, compat)
    };
    let kl = Priming::KlDivergence;
    let kind = |r: Result<Vec<f64>>| r.unwrap_err().kind();
    assert_eq!(kind(run(&p, &[true], kl, false)), "shape");
    assert_eq!(kind(run(&p, &[false; 3], kl, false)), "no_state");
    assert_eq!(kind(run(&p, &[false, false, true], kl, false)), "no_state");
    let e = run(&p, &[true, false, false], kl, false).unwrap_err();
    assert!(e.to_string().contains("lineage 2"));
    let got = run(&p, &[true, false, false], kl, true).unwrap();
    assert_eq!(got[..2], [0.0, 1.0]);
    let entropy = Priming::Entropy;
    assert_eq!(
        kind(run(&array![[-0.1, 1.1]], &[true], entropy, false)),
        "range"
    );
    assert_eq!(
        kind(run(&array![[f64::INFINITY]], &[true], kl, false)),
        "range"
    );
}

#[test]
fn bits_do_not_depend_on_threads() {
    let p = random(10_000, 3);
    crate::testing::same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        priming_degree(&exec, p.view(), None, Priming::KlDivergence, false).unwrap()
    });
}
