use super::*;
use crate::rng::Stream;
use ndarray::Array2;

fn case(m: usize) -> (Array2<f64>, Vec<f64>) {
    let mut s = Stream::new(9, 9, m as u64, 0);
    let mut x = Array2::from_shape_fn((333, m), |(_, j)| if j == 0 { 1.0 } else { s.normal() });
    for j in 1..m {
        let mean = x.column(j).sum() / 333.0;
        x.column_mut(j).mapv_inplace(|v| v - mean);
    }
    let b = (0..(m - 1) * (m - 1)).map(|_| s.normal()).collect();
    (x, b)
}

/// The recipe of section 2.6.3, word for word.
fn literal(x: &Array2<f64>, b: &[f64]) -> f64 {
    let (n, m) = x.dim();
    let mut a = Array2::<f64>::zeros((m, m));
    for k in 1..m {
        for l in 1..m {
            a[(k, l)] = b[(k - 1) * (m - 1) + l - 1];
            a[(k, 0)] -= a[(k, l)];
        }
    }
    for l in 0..m {
        a[(0, l)] = (0..n)
            .map(|i| -(1..m).map(|k| x[(i, k)] * a[(k, l)]).sum::<f64>())
            .fold(f64::NEG_INFINITY, f64::max);
    }
    let sum = a.row(0).sum();
    a /= sum;
    m as f64
        - (0..m)
            .map(|l| a.column(l).iter().map(|v| v * v).sum::<f64>() / a[(0, l)])
            .sum::<f64>()
}

#[test]
fn value_and_gradient_are_those_of_the_recipe() {
    for m in 2..7 {
        let (x, b) = case(m);
        let all: Vec<usize> = (0..333).collect();
        let cells = Cells::new(x.view(), &all).unwrap();
        let mut f = Objective {
            exec: &Exec::serial(),
            cells: &cells,
            guard: None,
            evaluations: 0,
        };
        let mut g = vec![0.0; b.len()];
        let value = f.gradient(&b, &mut g).unwrap();
        assert!((value - literal(&x, &b)).abs() < 1e-11 * value.abs().max(1.0));
        for e in 0..b.len() {
            let h = 1e-6;
            let (mut up, mut down) = (b.clone(), b.clone());
            up[e] += h;
            down[e] -= h;
            let slope = (literal(&x, &up) - literal(&x, &down)) / (2.0 * h);
            assert!((slope - g[e]).abs() < 1e-5 * (1.0 + slope.abs()));
        }
    }
}

/// The guard, word for word, from memberships of the filled matrix.
fn literal_guard(x: &Array2<f64>, b: &[f64], guarded: &[(usize, usize)], rival: usize) -> f64 {
    let (n, m) = x.dim();
    let a = columns(b, m - 1);
    let raw =
        |i: usize, l: usize| -> f64 { (1..m).map(|k| x[(i, k)] * a[l * (m - 1) + k - 1]).sum() };
    let first: Vec<f64> = (0..m)
        .map(|l| (0..n).map(|i| -raw(i, l)).fold(f64::NEG_INFINITY, f64::max))
        .collect();
    let total: f64 = first.iter().sum();
    let chi = |i: usize, l: usize| (first[l] + raw(i, l)) / total;
    let cost = |gap: f64| (gap + MARGIN).max(0.0) * (gap + MARGIN).max(0.0);
    let mut sum = 0.0;
    for &(c, s) in guarded {
        for l in (0..m).filter(|&l| l != s) {
            sum += cost(chi(c, l) - chi(c, s));
        }
    }
    let own: Vec<f64> = guarded
        .iter()
        .filter(|g| g.1 == 0)
        .map(|g| chi(g.0, 0))
        .collect();
    sum + cost(chi(rival, 0) - own.iter().sum::<f64>() / own.len() as f64)
}

#[test]
fn the_guard_and_its_gradient_are_those_of_its_definition() {
    for m in 3..7 {
        let (x, b) = case(m);
        let all: Vec<usize> = (0..333).collect();
        let cells = Cells::new(x.view(), &all).unwrap();
        let guarded: Vec<(usize, usize)> = (0..2 * m).map(|c| (7 * c, c % m)).collect();
        let at = |i: usize| x.row(i).iter().skip(1).copied().collect::<Vec<f64>>();
        let mut guard = Guard {
            coordinates: guarded.iter().flat_map(|g| at(g.0)).collect(),
            states: guarded.iter().map(|g| g.1).collect(),
            rivals: vec![],
            rival_states: vec![0],
            weight: 3.0,
        };
        // A rival that certainly exceeds the mean: the largest membership of all.
        let a = columns(&b, m - 1);
        let rival = (0..333)
            .max_by(|&i, &j| {
                let v = |i: usize| simd::dot(&at(i), &a[..m - 1]);
                v(i).total_cmp(&v(j))
            })
            .unwrap();
        let mean = guard.mean(0, m - 1);
        guard.rivals = at(rival).iter().zip(&mean).map(|(v, c)| v - c).collect();
        let exec = Exec::serial();
        let mut f = Objective {
            exec: &exec,
            cells: &cells,
            guard: Some(&guard),
            evaluations: 0,
        };
        let mut g = vec![0.0; b.len()];
        let value = f.gradient(&b, &mut g).unwrap();
        let whole = |b: &[f64]| literal(&x, b) + 3.0 * literal_guard(&x, b, &guarded, rival);
        assert!(value > literal(&x, &b) + 1e-3);
        assert!((value - whole(&b)).abs() < 1e-11 * value.abs().max(1.0));
        for e in 0..b.len() {
            let h = 1e-6;
            let (mut up, mut down) = (b.clone(), b.clone());
            up[e] += h;
            down[e] -= h;
            let slope = (whole(&up) - whole(&down)) / (2.0 * h);
            assert!((slope - g[e]).abs() < 1e-5 * (1.0 + slope.abs()));
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let (x, b) = case(5);
    let many: Vec<usize> = (0..60_000).map(|i| i * 7 % 333).collect();
    let cells = Cells::new(x.view(), &many).unwrap();
    let a = columns(&b, 4);
    let one = cells.maxima(&Exec::serial(), &a).unwrap();
    for threads in [2, 4] {
        let exec = Exec::with_threads(threads).unwrap();
        assert_eq!(one, cells.maxima(&exec, &a).unwrap());
    }
}
