//! The two models of uncertain velocities.

use super::*;
use crate::kernel::similarity::probabilities;
use crate::kernel::similarity_curvature::hessian;
use crate::kernel::velocity_moments::velocity_moments;
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, row};
use ndarray::{Array1, Array2, ArrayView1, Axis};

const ALL: [Similarity; 3] = [
    Similarity::Correlation,
    Similarity::Cosine,
    Similarity::DotProduct,
];

type Data = (Csr, Array2<f64>, Array2<f64>);

/// Neighbours have velocities near `mean`, off by about `noise`.
fn data(n: usize, g: usize, noise: f64) -> Data {
    let mut s = Stream::new(9, 0, 0, 0);
    let rows = (0..n)
        .map(|i| (1..7).map(|o| (((i + o * o) % n) as u32, 0.5)).collect())
        .collect();
    let x = Array2::from_shape_fn((n, g), |_| s.normal());
    let mean = Array1::from_shape_fn(g, |_| s.normal());
    let v = Array2::from_shape_fn((n, g), |(_, g)| mean[g] + noise * s.normal());
    (from_rows(n, rows).unwrap(), x, v)
}

fn input(d: &Data) -> VelocityInput<'_> {
    VelocityInput {
        graph: &d.0,
        x: d.1.view(),
        v: d.2.view(),
        features: None,
    }
}

fn run(d: &Data, similarity: Similarity, model: Model, scale: Option<f64>) -> VelocityTransition {
    let o = VelocityOptions {
        similarity,
        model,
        softmax_scale: scale,
        direction: Direction::Forward,
    };
    velocity_transition(&Exec::with_threads(2).unwrap(), &input(d), &o).unwrap()
}

fn draws(samples: usize, seed: u64) -> Draws {
    Draws {
        samples,
        seed,
        variance_as_sd: false,
    }
}

/// Mean and variance of velocity over a cell and its neighbours, as written.
fn slow_moments(d: &Data, i: usize) -> (Array1<f64>, Array1<f64>) {
    let mut cells: Vec<usize> = row(&d.0, i).0.iter().map(|&j| j as usize).collect();
    if !cells.contains(&i) {
        cells.push(i);
    }
    let v = d.2.select(Axis(0), &cells);
    let mean = v.sum_axis(Axis(0)) / cells.len() as f64;
    let square = (&v * &v).sum_axis(Axis(0)) / cells.len() as f64;
    (mean.clone(), square - &mean * &mean)
}

fn steps(d: &Data, i: usize) -> Array2<f64> {
    let near: Vec<usize> = row(&d.0, i).0.iter().map(|&j| j as usize).collect();
    d.1.select(Axis(0), &near) - d.1.row(i)
}

fn weights(s: Similarity, v: ArrayView1<'_, f64>, d: &Array2<f64>, beta: f64) -> Vec<f64> {
    let v = v.insert_axis(Axis(0));
    probabilities(s, v, d.view(), beta).unwrap().probabilities
}

#[test]
fn moments_are_those_of_the_neighbourhood() {
    let mut d = data(30, 5, 0.4);
    // A cell that is its own neighbour counts once.
    let rows = (0..30usize).map(|i| {
        let mut r: Vec<(u32, f64)> = row(&d.0, i).0.iter().map(|&j| (j, 0.2)).collect();
        if i % 2 == 0 {
            r.push((i as u32, 1.0));
        }
        r
    });
    d.0 = from_rows(30, rows.collect()).unwrap();
    let exec = Exec::serial();
    let (mean, variance) = velocity_moments(&exec, &input(&d), 10..30).unwrap();
    for i in 10..30 {
        let (m, v) = slow_moments(&d, i);
        for g in 0..5 {
            let at = (i - 10) * 5 + g;
            assert!((mean[at] - m[g]).abs() < 1e-14);
            assert!((variance[at] - v[g]).abs() < 1e-14 && variance[at] >= 0.0);
        }
    }
}

#[test]
fn the_expansion_is_the_formula() {
    let d = data(40, 11, 0.5);
    for s in ALL {
        let t = run(&d, s, Model::Stochastic, None);
        let plain = run(&d, s, Model::Deterministic, None);
        assert_eq!(t.softmax_scale, plain.softmax_scale);
        let beta = t.softmax_scale;
        for i in 0..40 {
            let (mean, variance) = slow_moments(&d, i);
            let steps = steps(&d, i);
            let mut p = weights(s, mean.view(), &steps, beta);
            let h = hessian(s, mean.view(), steps.view(), beta).unwrap();
            for (j, p) in p.iter_mut().enumerate() {
                let bend: f64 = (0..11).map(|g| h[g * 6 + j] * variance[g]).sum();
                *p = (*p + 0.5 * bend).clamp(0.0, 1.0);
            }
            let total: f64 = p.iter().sum();
            for (&j, p) in row(&d.0, i).0.iter().zip(p) {
                let found = t.matrix.get(i, j as usize).copied().unwrap_or(0.0);
                assert!((found - p / total).abs() < 1e-13);
            }
        }
    }
}

#[test]
fn certain_velocities_need_no_expansion() {
    let d = data(40, 9, 0.0);
    for s in ALL {
        let plain = run(&d, s, Model::Deterministic, Some(2.0));
        for model in [Model::Stochastic, Model::MonteCarlo(draws(5, 1))] {
            let t = run(&d, s, model, Some(2.0));
            assert_eq!(t.matrix.indices(), plain.matrix.indices());
            for (a, b) in t.matrix.data().iter().zip(plain.matrix.data()) {
                assert!((a - b).abs() < 1e-12);
            }
            for (a, b) in t.scores.iter().zip(&plain.scores) {
                assert!((a - b).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn draws_average_to_the_expansion_as_noise_shrinks() {
    // The remainder is of fourth order in the noise, the expansion's own correction
    // of second order: it must take away most of the difference.
    for s in ALL {
        let d = data(30, 8, 0.15);
        // An inner product grows with both lengths.
        let beta = if s == Similarity::DotProduct {
            0.5
        } else {
            2.0
        };
        let plain = |i: usize| {
            let (mean, _) = slow_moments(&d, i);
            weights(s, mean.view(), &steps(&d, i), beta)
        };
        let drawn = run(&d, s, Model::MonteCarlo(draws(40_000, 3)), Some(beta));
        let expanded = run(&d, s, Model::Stochastic, Some(beta));
        let (mut off, mut without) = (0.0f64, 0.0f64);
        for i in 0..30 {
            for (&j, p) in row(&d.0, i).0.iter().zip(plain(i)) {
                let j = j as usize;
                let drawn = drawn.matrix.get(i, j).unwrap();
                off += (drawn - expanded.matrix.get(i, j).unwrap()).abs();
                without += (drawn - p).abs();
            }
        }
        assert!(off < 0.2 * without, "{s:?}: {off} {without}");
        assert!(off / 180.0 < 2e-4);
    }
}

#[test]
fn draws_follow_their_seed_and_their_deviation() {
    let d = data(30, 8, 0.5);
    let matrix = |draws| run(&d, ALL[0], Model::MonteCarlo(draws), Some(2.0)).matrix;
    assert_eq!(matrix(draws(20, 7)), matrix(draws(20, 7)));
    assert_ne!(matrix(draws(20, 7)), matrix(draws(20, 8)));
    let mut compat = draws(20, 7);
    compat.variance_as_sd = true;
    assert_ne!(matrix(compat), matrix(draws(20, 7)));
    // Two sets of draws differ by what their number allows.
    let apart = |n: usize| {
        let (a, b) = (matrix(draws(n, 1)), matrix(draws(n, 2)));
        let d = a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs());
        d.sum::<f64>() / a.nnz() as f64
    };
    let (few, many) = (apart(100), apart(10_000));
    assert!(many < few / 5.0 && many > few / 20.0, "{few} {many}");
}

#[test]
fn the_rows_of_a_cell_are_averages_over_its_own_draws() {
    let d = data(30, 7, 0.6);
    for s in ALL {
        for (samples, variance_as_sd) in [(13, false), (8, true)] {
            let plan = Draws {
                samples,
                seed: 5,
                variance_as_sd,
            };
            let t = run(&d, s, Model::MonteCarlo(plan), Some(1.5));
            for i in 0..30 {
                let (mean, variance) = slow_moments(&d, i);
                let variance = variance.to_vec();
                let drawn = plan.of_cell(i, &mean.to_vec(), &variance).unwrap();
                let steps = steps(&d, i);
                let mut p = [0.0; 6];
                for v in drawn.chunks(7) {
                    let each = weights(s, ArrayView1::from(v), &steps, 1.5);
                    p.iter_mut().zip(each).for_each(|(p, e)| *p += e);
                }
                for (&j, p) in row(&d.0, i).0.iter().zip(p) {
                    let found = t.matrix.get(i, j as usize).unwrap();
                    assert!((found - p / samples as f64).abs() < 1e-12);
                }
            }
        }
    }
}

#[test]
fn without_velocity_around_a_cell_its_moves_are_alike() {
    let mut d = data(30, 5, 0.4);
    let near: Vec<usize> = row(&d.0, 4).0.iter().map(|&j| j as usize).collect();
    near.iter()
        .chain(&[4])
        .for_each(|&j| d.2.row_mut(j).fill(0.0));
    for model in [Model::Stochastic, Model::MonteCarlo(draws(10, 1))] {
        let t = run(&d, ALL[0], model, None);
        assert_eq!(t.still, [4]);
        assert!(row(&t.matrix, 4).1.iter().all(|&p| p == 1.0 / 6.0));
        // Cells without a velocity of their own borrow that of their neighbours.
        assert!(row(&t.matrix, near[5]).1.iter().any(|&p| p != 1.0 / 6.0));
    }
}

#[test]
fn duplicates_are_never_visited() {
    let mut d = data(30, 5, 0.4);
    let near: Vec<usize> = row(&d.0, 4).0.iter().map(|&j| j as usize).collect();
    let same = d.1.row(4).to_owned();
    d.1.row_mut(near[0]).assign(&same);
    for model in [Model::Stochastic, Model::MonteCarlo(draws(10, 1))] {
        let t = run(&d, ALL[0], model, None);
        assert!(!row(&t.matrix, 4).0.contains(&(near[0] as u32)));
        let sum: f64 = row(&t.matrix, 4).1.iter().sum();
        assert!((sum - 1.0).abs() < 1e-14);
    }
    near.iter().for_each(|&j| d.1.row_mut(j).assign(&same));
    for model in [Model::Stochastic, Model::MonteCarlo(draws(10, 1))] {
        let o = VelocityOptions {
            model,
            softmax_scale: Some(2.0),
            ..VelocityOptions::default()
        };
        match velocity_transition(&Exec::serial(), &input(&d), &o) {
            Err(CoreError::NotStochastic { cells, .. }) => assert!(cells.contains(&4)),
            other => panic!("{other:?}"),
        }
    }
}
