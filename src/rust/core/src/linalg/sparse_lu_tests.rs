use super::super::dense_lu::DenseLu;
use super::*;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;

const ROOM: f64 = 1e9;

fn random(n: usize, degree: usize, seed: u64) -> (Csr, Vec<f64>) {
    let mut s = Stream::new(seed, degree as u64, 2, n as u64);
    let rows = (0..n)
        .map(|i| {
            let mut to: Vec<u32> = (0..degree).map(|_| s.below(n) as u32).collect();
            to.push(((i + 1) % n) as u32);
            to.retain(|&j| j as usize != i);
            to.sort_unstable();
            to.dedup();
            to.into_iter().map(|j| (j, 0.01 + s.uniform())).collect()
        })
        .collect();
    let leaks = (0..n).map(|_| if s.uniform() < 0.2 { s.uniform() } else { 0.0 });
    let mut leaks: Vec<f64> = leaks.collect();
    leaks[0] = 0.5;
    (from_rows(n, rows).unwrap(), leaks)
}

fn factored(q: &Csr, leak: &[f64]) -> SparseLu {
    let exec = Exec::serial();
    let plan = Plan::new(&exec, q).unwrap();
    let planned = plan.entries;
    let lu = SparseLu::new(&exec, plan, q, leak, ROOM).unwrap();
    assert!(lu.lower.cols.len() <= planned && lu.upper.cols.len() <= planned);
    lu
}

#[test]
fn agrees_with_dense_elimination_to_relative_accuracy() {
    for seed in 0..40 {
        let n = 5 + 7 * seed as usize;
        let (q, leak) = random(n, 1 + seed as usize % 5, seed);
        let lu = factored(&q, &leak);
        let dense = DenseLu::new(&Exec::serial(), &q, &leak).unwrap();
        for k in [1, 3] {
            let mut x: Vec<f64> = (0..n * k).map(|i| (i as f64 * 0.61) % 1.0).collect();
            let mut want = x.clone();
            lu.solve(&mut x, k);
            dense.solve(&mut want, k);
            for (x, w) in x.iter().zip(&want) {
                assert!((x - w).abs() <= 1e-12 * w.abs(), "{seed} {x} {w}");
            }
        }
    }
}

#[test]
fn a_band_fills_no_more_than_itself() {
    let n = 2000;
    let rows = (0..n)
        .map(|i: usize| {
            (i.saturating_sub(1)..(i + 2).min(n))
                .filter(|&j| j != i)
                .map(|j| (j as u32, 0.5))
                .collect()
        })
        .collect();
    let q = from_rows(n, rows).unwrap();
    let mut leak = vec![0.0; n];
    (leak[0], leak[n - 1]) = (0.5, 0.5);
    let plan = Plan::new(&Exec::serial(), &q).unwrap();
    assert_eq!(plan.entries, n - 1);
    // The gambler's ruin, from the end to which the last cell leaks.
    let lu = factored(&q, &leak);
    let mut x = vec![0.0; n];
    x[n - 1] = 0.5;
    lu.solve(&mut x, 1);
    for (i, x) in x.iter().enumerate() {
        let want = (i + 1) as f64 / (n + 1) as f64;
        assert!((x - want).abs() < 1e-13 * want);
    }
}

#[test]
fn tiny_leaks_keep_their_relative_accuracy() {
    // A random walk on a ring of 60 that leaks 1e-18 everywhere: 1e18 steps.
    let n = 60;
    let rows = (0..n as u32)
        .map(|i| {
            let mut to = vec![(i + 1) % n as u32, (i + n as u32 - 1) % n as u32];
            to.sort_unstable();
            to.into_iter().map(|j| (j, 0.5)).collect()
        })
        .collect();
    let q = from_rows(n, rows).unwrap();
    let lu = factored(&q, &vec![1e-18; n]);
    let mut x = vec![1.0; n];
    lu.solve(&mut x, 1);
    assert!(x.iter().all(|v| (v * 1e-18 - 1.0).abs() < 1e-12));
}

#[test]
fn closed_chains_and_factors_too_large_are_refused() {
    let exec = Exec::serial();
    let (q, leak) = random(80, 4, 3);
    let plan = Plan::new(&exec, &q).unwrap();
    let e = SparseLu::new(&exec, plan.clone(), &q, &leak, plan.bytes() - 1.0);
    assert_eq!(e.unwrap_err().kind(), "memory");
    let e = SparseLu::new(&exec, plan.clone(), &q, &[0.0; 80], ROOM);
    assert_eq!(e.unwrap_err().kind(), "singular");
    exec.control().cancel();
    let e = SparseLu::new(&exec, plan, &q, &leak, ROOM);
    assert_eq!(e.unwrap_err(), CoreError::Interrupted);
}
