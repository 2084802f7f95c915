//! The obvious solver, for tests: everything dense, everything in double
//! precision, no correction.

use super::certificate::alpha;
use crate::math;
use ndarray::Array2;

pub struct Dense {
    /// The plan R.
    pub plan: Array2<f64>,
}

impl Dense {
    /// Couplings as handed out: `R / n2`.
    pub fn coupling(&self) -> Array2<f64> {
        &self.plan / self.plan.ncols() as f64
    }

    pub fn row_means(&self) -> Vec<f64> {
        let n = self.plan.ncols() as f64;
        self.plan.rows().into_iter().map(|r| r.sum() / n).collect()
    }
}

/// Plain iterations from zero until the potentials stand still.
pub fn dense(cost: &Array2<f64>, p: &[f64], q: &[f64], epsilon: f64, lambda: [f64; 2]) -> Dense {
    let (n1, n2) = cost.dim();
    let (mut f, mut g) = (vec![0.0; n1], vec![0.0; n2]);
    let alphas = lambda.map(|l| alpha(l, epsilon));
    let log_mean = |n: usize, e: &dyn Fn(usize) -> f64| {
        let top = (0..n).map(e).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = (0..n).map(|k| math::exp(e(k) - top)).sum();
        top + math::ln(sum / n as f64)
    };
    for _ in 0..200_000 {
        let mut moved = 0f64;
        for i in 0..n1 {
            let m = log_mean(n2, &|j| (g[j] - cost[(i, j)]) / epsilon);
            let new = alphas[0] * epsilon * (math::ln(p[i]) - m);
            moved = moved.max((new - f[i]).abs());
            f[i] = new;
        }
        for j in 0..n2 {
            let m = log_mean(n1, &|i| (f[i] - cost[(i, j)]) / epsilon);
            g[j] = alphas[1] * epsilon * (math::ln(q[j]) - m);
        }
        if moved < 1e-16 {
            break;
        }
    }
    let plan = Array2::from_shape_fn((n1, n2), |(i, j)| {
        math::exp((f[i] + g[j] - cost[(i, j)]) / epsilon)
    });
    Dense { plan }
}

/// Squared distances of the rows of two matrices over `scale`.
pub fn squares(x: &Array2<f64>, y: &Array2<f64>, scale: f64) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), y.nrows()), |(i, j)| {
        let d = x
            .row(i)
            .into_iter()
            .zip(y.row(j))
            .map(|(a, b)| (a - b) * (a - b));
        d.sum::<f64>() / scale
    })
}

/// The value of the primal problem at any plan.
pub fn primal(
    plan: &Array2<f64>,
    cost: &Array2<f64>,
    p: &[f64],
    q: &[f64],
    epsilon: f64,
    lambda: [f64; 2],
) -> f64 {
    let (n1, n2) = plan.dim();
    let kl = |a: f64, b: f64| {
        if a > 0.0 {
            a * math::ln(a / b) - a + b
        } else {
            b
        }
    };
    let side = |lambda: f64, sums: Vec<f64>, n: usize, want: &[f64]| -> f64 {
        if lambda.is_infinite() {
            return 0.0;
        }
        let of = |(&s, &w): (&f64, &f64)| kl(s / n as f64, w);
        lambda * sums.iter().zip(want).map(of).sum::<f64>() / sums.len() as f64
    };
    let rows = plan.rows().into_iter().map(|r| r.sum()).collect();
    let cols = plan.columns().into_iter().map(|c| c.sum()).collect();
    let inner: f64 = plan
        .iter()
        .zip(cost)
        .map(|(&r, &c)| {
            let entropy = if r > 0.0 { r * math::ln(r) - r } else { 0.0 };
            let transport = if r > 0.0 { r * c } else { 0.0 };
            transport + epsilon * (entropy + math::exp(-c / epsilon))
        })
        .sum();
    side(lambda[0], rows, n2, p) + side(lambda[1], cols, n1, q) + inner / (n1 * n2) as f64
}
