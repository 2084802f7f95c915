//! Problems and comparisons that several tests share.

use super::cost::Cost;
use super::groups;
use super::oracle::squares;
use super::points::Points;
use super::sinkhorn::*;
use crate::exec::Exec;
use crate::math;
use crate::rng::Stream;
use ndarray::Array2;

pub fn options(epsilon: f64, lambda: [f64; 2]) -> Options {
    Options {
        epsilon,
        lambda,
        tolerance: 1e-13,
        max_iter: 10_000,
        correct: true,
        precision: None,
    }
}

pub fn logs(x: &[f64]) -> Vec<f64> {
    x.iter().map(|&v| math::ln(v)).collect()
}

/// Solves a given cost with groups from the cost.
pub fn solve_given(c: &Array2<f64>, p: &[f64], q: &[f64], k: usize, o: &Options) -> Solution {
    let exec = Exec::serial();
    let labels = groups::of_costs(&exec, c.view(), k).unwrap();
    let cost = Cost::given(c.view(), o.epsilon, &labels).unwrap();
    let marginals = Marginals {
        log_p: &logs(p),
        log_q: &logs(q),
    };
    solve(&exec, &cost, marginals, None, None, o).unwrap()
}

pub fn coupling(s: &Solution, c: &Array2<f64>, epsilon: f64) -> Array2<f64> {
    Array2::from_shape_fn(c.dim(), |(i, j)| {
        math::exp((s.f[i] + s.g[j] - c[(i, j)]) / epsilon) / c.ncols() as f64
    })
}

pub fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() <= tolerance, "{a:?} against {b:?}");
    }
}

/// Clouds of normal points with a few islands, and growth.
pub fn cells(n1: usize, n2: usize, d: usize, seed: u64) -> (Array2<f64>, Array2<f64>, Vec<f64>) {
    let mut s = Stream::new(seed, 0, 0, 0);
    let mut cloud = |n: usize, by: f64| {
        Array2::from_shape_fn((n, d), |(i, g)| {
            let island = if i % 3 == g { 6.0 } else { 0.0 };
            s.normal() + island + by
        })
    };
    let (x, y) = (cloud(n1, 0.0), cloud(n2, 0.3));
    let p = (0..n1).map(|_| math::exp(0.7 * s.normal())).collect();
    (x, y, p)
}

/// A problem on points with its dense cost, scaled as the points are.
pub struct Case {
    pub x: Array2<f64>,
    pub y: Array2<f64>,
    pub p: Vec<f64>,
    pub q: Vec<f64>,
    pub scale: f64,
}

impl Case {
    pub fn new(n1: usize, n2: usize, seed: u64) -> Case {
        let (x, y, p) = cells(n1, n2, 5, seed);
        let q = vec![p.iter().sum::<f64>() / n1 as f64; n2];
        Case {
            x,
            y,
            p,
            q,
            scale: 30.0,
        }
    }

    pub fn cost(&self) -> Array2<f64> {
        squares(&self.x, &self.y, self.scale)
    }

    pub fn tiled(&self, exec: &Exec, epsilon: f64, k: usize) -> Cost {
        let points = Points::new(self.x.view(), self.y.view()).unwrap();
        let labels = groups::of_points(exec, &points, k).unwrap();
        let factor = 1.0 / (self.scale * epsilon).sqrt();
        Cost::of_points(exec, &points, factor, &labels).unwrap()
    }

    pub fn solve(&self, exec: &Exec, k: usize, o: &Options, start: Option<&Start>) -> Solution {
        let cost = self.tiled(exec, o.epsilon, k);
        let marginals = Marginals {
            log_p: &logs(&self.p),
            log_q: &logs(&self.q),
        };
        solve(exec, &cost, marginals, start, None, o).unwrap()
    }
}

/// Largest relative difference of the larger entries.
pub fn worst(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let top = b.iter().fold(0.0, |m: f64, &v| m.max(v));
    let of = |(a, b): (&f64, &f64)| {
        if *b > 1e-9 * top {
            (a / b - 1.0).abs()
        } else {
            0.0
        }
    };
    a.iter().zip(b).map(of).fold(0.0, f64::max)
}
