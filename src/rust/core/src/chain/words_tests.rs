use super::*;
use crate::chain::transient::Solver;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;

#[test]
fn sums_and_products_lose_nothing() {
    let mut s = Stream::new(1, 1, 1, 1);
    for _ in 0..2000 {
        // Integers of 53 bits, whose exact product fits 128.
        let whole = |s: &mut Stream| (s.uniform() * 9e15) as i64 - (4e15 as i64);
        let (a, b) = (whole(&mut s), whole(&mut s));
        let p = Word::product(a as f64, b as f64);
        assert_eq!(p.high as i128 + p.low as i128, a as i128 * b as i128);
        let t = Word::sum(a as f64, b as f64 * 1024.0);
        assert_eq!(t.high as i128 + t.low as i128, a as i128 + 1024 * b as i128);
    }
}

/// A line of `n` sites between two exits, with a pair of sites beside its middle that
/// is left with probability `exit` per step.
fn line(n: usize, exit: f64) -> (Transient, Vec<f64>) {
    let mut rows: Vec<Vec<(u32, f64)>> = (0..n)
        .map(|i| {
            let half = if i == n / 2 { 0.25 } else { 0.5 };
            let mut to = vec![];
            if i > 0 {
                to.push((i as u32 - 1, half));
            }
            if i + 1 < n {
                to.push((i as u32 + 1, half));
            }
            if i == n / 2 {
                to.push((n as u32, 0.5));
            }
            to
        })
        .collect();
    rows.push(vec![((n / 2) as u32, exit), (n as u32 + 1, 1.0 - exit)]);
    rows.push(vec![(n as u32, 1.0)]);
    let mut leak = vec![0.0; n + 2];
    (leak[0], leak[n - 1]) = (0.5, 0.5);
    let mut b = vec![0.0; n + 2];
    b[n - 1] = 0.5;
    let rates = from_rows(n + 2, rows).unwrap();
    let cells = (0..n + 2).collect();
    (Transient { cells, rates, leak }, b)
}

#[test]
fn residuals_go_far_below_what_double_precision_allows() {
    let exec = Exec::serial();
    for exit in [1e-3, 1e-10, 1e-14] {
        let (chain, b) = line(41, exit);
        for solver in [Solver::Direct, Solver::Gmres] {
            let prepared = Prepared::new(&exec, &chain, solver).unwrap();
            let x = vec![0.0; b.len()];
            let w = Words::refined(&exec, (&chain, &prepared), &b, x, &[1e-24]).unwrap();
            assert!(w.worst[0] < 1e-20, "{exit} {solver:?} {:e}", w.worst[0]);
            for (i, x) in w.high.iter().enumerate() {
                let want = (i.min(41) + 1) as f64 / 42.0;
                let want = if i >= 41 { 0.5 } else { want };
                assert!((x - want).abs() < 1e-15, "{exit} {solver:?} {i} {x}");
            }
        }
    }
}

/// 2^20.
const TWO_20: f64 = 1_048_576.0;

#[test]
fn residuals_are_those_of_exact_arithmetic() {
    // Dyadic numbers: everything is an integer multiple of 2^-40.
    let (chain, b) = line(9, 1.0 / TWO_20);
    let mut s = Stream::new(3, 1, 1, 1);
    let n = b.len();
    let unit = 1.0 / TWO_20;
    let high: Vec<f64> = (0..n).map(|_| s.below(1 << 20) as f64 * unit).collect();
    let mut w = Words {
        low: vec![0.0; n],
        high,
        worst: Vec::new(),
        norms: Vec::new(),
        iterations: vec![0],
        solver: "",
    };
    let r = w.residual(&Exec::serial(), &chain, &b, 1).unwrap();
    let exact = |v: f64| (v * (TWO_20 * TWO_20)) as i128;
    for i in 0..n {
        let (cols, rates) = row(&chain.rates, i);
        let mut want = exact(b[i]) - exact(chain.leak[i] * w.high[i]);
        for (&j, &v) in cols.iter().zip(rates) {
            let step = w.high[i] - w.high[j as usize];
            want -= ((v * TWO_20) as i128) * ((step * TWO_20) as i128);
        }
        assert_eq!(exact(r[i]), want);
        assert!(w.worst[0] >= r[i].abs());
    }
}
