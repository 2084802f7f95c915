use super::*;
use crate::error::Field;
use crate::lineage::resample::{BOOTSTRAP, SHUFFLE};
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, Csr};
use crate::testing::same_bits;

const OPTIONS: Resampling = Resampling {
    n_perms: 70,
    confidence_level: 0.9,
    seed: 5,
    compat: false,
};

/// Cells x genes of every kind: constant, far from 0, with one cell far off, in
/// one cell only, then rarer and rarer; gene 4 follows the first lineage.
fn data(n: usize, genes: usize, lineages: usize) -> (Array2<f64>, Array2<f64>) {
    let mut s = Stream::new(8, 4, 4, 4);
    let p = Array2::from_shape_fn((n, lineages), |_| s.uniform());
    let x = Array2::from_shape_fn((n, genes), |(i, g)| {
        let v = s.normal();
        let kept = s.uniform() < 1.0 - (g as f64 - 4.0) / genes as f64;
        match g {
            0 => 0.1,
            1 => 1e6 + v,
            2 if i == 7 => 1e12,
            2 => 3.0 + 0.1 * v,
            3 => f64::from(u8::from(i == 5)),
            4 => p[[i, 0]] + 0.2 * v,
            _ if kept => v + 2.0,
            _ => 0.0,
        }
    });
    (x, p)
}

fn sparse(x: &Array2<f64>) -> Csr {
    let rows = x
        .rows()
        .into_iter()
        .map(|r| {
            let kept = r.iter().enumerate().filter(|(_, v)| **v != 0.0);
            kept.map(|(g, &v)| (g as u32, v)).collect()
        })
        .collect();
    from_rows(x.ncols(), rows).unwrap()
}

fn pearson(x: &[f64], p: &[f64]) -> f64 {
    let same = |v: &[f64]| v.iter().all(|&one| one == v[0]);
    if same(x) || same(p) {
        return f64::NAN;
    }
    let centred = |v: &[f64]| {
        let mut v = v.to_vec();
        centre(&mut v);
        v
    };
    let (x, p) = (centred(x), centred(p));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(&x, &p) / (dot(&x, &x).sqrt() * dot(&p, &p).sqrt())
}

/// One gene and lineage by the definition, draw by draw.
fn oracle(x: &[f64], p: &[f64], options: &Resampling) -> [f64; 4] {
    let n = x.len();
    let r = pearson(x, p);
    let (mut count, mut samples) = (0, vec![]);
    for b in 0..options.n_perms as u64 {
        let mut order: Vec<usize> = (0..n).collect();
        let mut s = Stream::new(options.seed, SHUFFLE, b, 0);
        for i in (1..n).rev() {
            order.swap(i, s.below(i + 1));
        }
        let shuffled: Vec<f64> = order.iter().map(|&i| p[i]).collect();
        count += usize::from(pearson(x, &shuffled).abs() >= r.abs() - 1e-11);
        let mut s = Stream::new(options.seed, BOOTSTRAP, b, 0);
        let cells: Vec<usize> = (0..n).map(|_| s.below(n)).collect();
        let of = |v: &[f64]| cells.iter().map(|&i| v[i]).collect::<Vec<_>>();
        samples.push(pearson(&of(x), &of(p)));
    }
    samples.retain(|v| !v.is_nan());
    samples.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let at = (samples.len() as f64 - 1.0) * q;
        let (low, high) = (at.floor() as usize, at.ceil() as usize);
        samples[low] + (at - at.floor()) * (samples[high] - samples[low])
    };
    let tail = (1.0 - options.confidence_level) / 2.0;
    let share = (count as f64 + 1.0) / (options.n_perms as f64 + 1.0);
    [r, share, at(tail), at(1.0 - tail)]
}

#[test]
fn every_number_is_that_of_the_definition() {
    // More cells than a block of them, draws and genes that fill no panel.
    let (n, genes, k) = (700, 15, 3);
    let (x, p) = data(n, genes, k);
    let exec = Exec::with_threads(2).unwrap();
    let m = sparse(&x);
    let from_sparse = permutation(&exec, &Expression::Sparse(&m), p.view(), &OPTIONS).unwrap();
    let from_dense = permutation(&exec, &Expression::Dense(x.view()), p.view(), &OPTIONS).unwrap();
    for table in [&from_sparse, &from_dense] {
        for l in 0..k {
            assert!(table.correlation[[0, l]].is_nan() && table.p_value[[0, l]].is_nan());
            assert!(table.ci_low[[0, l]].is_nan() && table.ci_high[[0, l]].is_nan());
            for g in 1..genes {
                let want = oracle(&x.column(g).to_vec(), &p.column(l).to_vec(), &OPTIONS);
                let found = [
                    table.correlation[[g, l]],
                    table.p_value[[g, l]],
                    table.ci_low[[g, l]],
                    table.ci_high[[g, l]],
                ];
                for (a, b) in found.into_iter().zip(want) {
                    // A unit in 1e12 beside a spread of 0.1 leaves few digits.
                    let few = if g == 2 { 1e-3 } else { 1e-9 };
                    assert!((a - b).abs() < few, "gene {g}: {found:?} {want:?}");
                }
            }
        }
    }
    assert!(from_sparse.p_value[[4, 0]] < 0.02);
}

#[test]
fn p_values_are_shares_of_all_orders() {
    // All 720 orders of six cells, with ties: a gene in one cell, one in two.
    let x = [
        [0.0, 0.0, 2.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        [0.3, 1.2, 0.7, 2.0, 0.1, 0.9],
    ];
    let p = [0.1, 0.5, 0.9, 0.3, 0.3, 0.2];
    let mut orders = vec![vec![]];
    for _ in 0..6 {
        let longer = orders.into_iter().flat_map(|o: Vec<usize>| {
            let free = (0..6).filter(|i| !o.contains(i)).collect::<Vec<_>>();
            free.into_iter()
                .map(move |i| [o.clone(), vec![i]].concat())
                .collect::<Vec<_>>()
        });
        orders = longer.collect();
    }
    assert_eq!(orders.len(), 720);
    let m = Array2::from_shape_fn((6, 3), |(i, g)| x[g][i]);
    let fates = Array2::from_shape_fn((6, 1), |(i, _)| p[i]);
    let options = Resampling {
        n_perms: 40_000,
        ..OPTIONS
    };
    let exec = Exec::with_threads(2).unwrap();
    let table = permutation(
        &exec,
        &Expression::Sparse(&sparse(&m)),
        fates.view(),
        &options,
    )
    .unwrap();
    for (g, x) in x.iter().enumerate() {
        let r = pearson(x, &p).abs();
        let extreme = orders.iter().filter(|o| {
            let shuffled: Vec<f64> = o.iter().map(|&i| p[i]).collect();
            pearson(x, &shuffled).abs() >= r - 1e-12
        });
        let exact = extreme.count() as f64 / 720.0;
        let error = (exact * (1.0 - exact) / 40_000.0).sqrt();
        let found = table.p_value[[g, 0]];
        assert!((found - exact).abs() < 5.0 * error, "{found} {exact}");
    }
    // The largest of six values in the one cell: a sixth, ties counted.
    assert!((table.p_value[[0, 0]] - 1.0 / 6.0).abs() < 0.01);
}

#[test]
fn threads_blocks_and_other_genes_change_no_bit() {
    let (x, p) = data(600, 9, 2);
    let m = sparse(&x);
    let bits = |m: &Array2<f64>| m.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let all = |t: &PermutationTable| [&t.correlation, &t.p_value, &t.ci_low, &t.ci_high].map(bits);
    let run = |threads, seed| {
        let exec = Exec::with_threads(threads).unwrap();
        let options = Resampling { seed, ..OPTIONS };
        all(&permutation(&exec, &Expression::Sparse(&m), p.view(), &options).unwrap())
    };
    same_bits(|threads| run(threads, 5));
    assert_ne!(run(2, 5), run(2, 6));
    let exec = Exec::serial();
    let few = sparse(&x.slice_axis(ndarray::Axis(1), (6..8).into()).to_owned());
    let whole = permutation(&exec, &Expression::Sparse(&m), p.view(), &OPTIONS).unwrap();
    let part = permutation(&exec, &Expression::Sparse(&few), p.view(), &OPTIONS).unwrap();
    for l in 0..2 {
        for g in 0..2 {
            assert_eq!(part.p_value[[g, l]], whole.p_value[[g + 6, l]]);
            assert_eq!(
                part.ci_low[[g, l]].to_bits(),
                whole.ci_low[[g + 6, l]].to_bits()
            );
        }
    }
}

#[test]
fn wider_levels_contain_narrower_ones() {
    let (x, p) = data(300, 9, 2);
    let exec = Exec::serial();
    let at = |confidence_level| {
        let options = Resampling {
            confidence_level,
            ..OPTIONS
        };
        permutation(&exec, &Expression::Dense(x.view()), p.view(), &options).unwrap()
    };
    let tables = [0.0, 0.95, 0.99, 1.0].map(at);
    for pair in tables.windows(2) {
        for g in 1..9 {
            assert!(pair[1].ci_low[[g, 0]] <= pair[0].ci_low[[g, 0]]);
            assert!(pair[1].ci_high[[g, 0]] >= pair[0].ci_high[[g, 0]]);
        }
    }
    assert_eq!(tables[0].ci_low[[4, 0]], tables[0].ci_high[[4, 0]]);
}

#[test]
fn the_peers_numbers_are_to_be_had() {
    let (x, p) = data(50, 9, 1);
    let exec = Exec::serial();
    let run = |compat| {
        let options = Resampling { compat, ..OPTIONS };
        permutation(&exec, &Expression::Dense(x.view()), p.view(), &options).unwrap()
    };
    let (ours, peers) = (run(false), run(true));
    let n = OPTIONS.n_perms as f64;
    for g in 4..9 {
        let share = ours.p_value[[g, 0]] * (n + 1.0) - 1.0;
        assert!((peers.p_value[[g, 0]] - share / n).abs() < 1e-12);
        let factor = 50.0 / 49.0;
        assert!((peers.correlation[[g, 0]] - factor * ours.correlation[[g, 0]]).abs() < 1e-15);
        assert!((peers.ci_low[[g, 0]] - factor * ours.ci_low[[g, 0]]).abs() < 1e-15);
    }
    // Gene 3 is in one cell, which some samples lack.
    assert!(peers.ci_low[[3, 0]].is_nan() && ours.ci_low[[3, 0]].is_finite());
}

#[test]
fn a_lineage_that_does_not_vary_has_no_correlation() {
    let (x, mut p) = data(40, 6, 2);
    p.column_mut(1).fill(0.1);
    let exec = Exec::serial();
    let t = permutation(&exec, &Expression::Dense(x.view()), p.view(), &OPTIONS).unwrap();
    assert!(t.correlation[[4, 0]].is_finite() && t.correlation[[4, 1]].is_nan());
    assert!(t.p_value[[4, 1]].is_nan() && t.ci_low[[4, 1]].is_nan());
}

#[test]
fn what_does_not_fit_is_refused() {
    let exec = Exec::serial();
    let (mut x, p) = data(20, 6, 2);
    let run = |x: &Array2<f64>, p: ArrayView2<'_, f64>, options: &Resampling| {
        permutation(&exec, &Expression::Dense(x.view()), p, options).unwrap_err()
    };
    let few = p.slice_axis(ndarray::Axis(0), (0..9).into());
    assert_eq!(run(&x, few, &OPTIONS).kind(), "shape");
    let none = Resampling {
        n_perms: 0,
        ..OPTIONS
    };
    assert_eq!(run(&x, p.view(), &none).kind(), "range");
    let level = Resampling {
        confidence_level: 1.1,
        ..OPTIONS
    };
    assert_eq!(run(&x, p.view(), &level).kind(), "range");
    x[[3, 2]] = f64::NAN;
    x[[3, 5]] = f64::INFINITY;
    let fields = run(&x, p.view(), &OPTIONS).fields();
    assert_eq!(fields[1].1, Field::Number(2.0));
    assert_eq!(fields[2].1, Field::Cells(vec![3]));
    let stopped = Exec::serial();
    stopped.control().cancel();
    let (x, p) = data(20, 6, 2);
    let e = permutation(&stopped, &Expression::Dense(x.view()), p.view(), &OPTIONS).unwrap_err();
    assert_eq!(e, CoreError::Interrupted);
}
