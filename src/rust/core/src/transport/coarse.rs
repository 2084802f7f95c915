//! The coarse correction: the best shift of the potentials group by group.
//!
//! Sinkhorn's iteration moves mass between distant groups of cells slowly, by a
//! constant factor per round. Given the mass of the plan between all groups, the
//! shifts of whole groups that raise the dual most are found on a small matrix
//! instead. One group on each side leaves a shift of everything, the translation
//! of Séjourné, Vialard and Peyré (2022).

use crate::math;

/// Rounds at most; an inexact solution still raises the dual.
const ROUNDS: usize = 200;

/// The small problem. All in logarithms; `mass` is source groups x target groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    pub mass: Vec<f64>,
    /// `mean p_i exp(-f_i / lambda1)` over the cells of a source group.
    pub a: Vec<f64>,
    /// `mean q_j exp(-g_j / lambda2)` over the cells of a target group.
    pub b: Vec<f64>,
}

/// Logarithm of a sum of exponentials.
fn log_sum(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + math::ln(values.map(|v| math::exp(v - top)).sum::<f64>())
}

/// A group that holds no mass (cells far out) stays where it is.
fn settled(new: f64, old: f64) -> f64 {
    if new.is_finite() {
        new
    } else {
        old
    }
}

/// Shifts of f per source group and of g per target group. `lambda` may be
/// infinite. O(groups^2) per round.
pub fn shifts(groups: &Groups, epsilon: f64, lambda: [f64; 2]) -> (Vec<f64>, Vec<f64>) {
    let (k, l) = (groups.a.len(), groups.b.len());
    let inverse = [1.0 / lambda[0], 1.0 / lambda[1]];
    let stiff = inverse.map(|i| 1.0 / epsilon + i);
    let (mut s, mut t) = (vec![0.0; k], vec![0.0; l]);
    for round in 0..ROUNDS {
        let before = s.clone();
        for (g, s) in s.iter_mut().enumerate() {
            let row = &groups.mass[g * l..(g + 1) * l];
            let sum = log_sum(row.iter().zip(&t).map(|(m, t)| m + t / epsilon));
            *s = settled(groups.a[g] - sum, *s * stiff[0]) / stiff[0];
        }
        if inverse[0] + inverse[1] > 0.0 {
            let a = log_sum(groups.a.iter().zip(&s).map(|(a, s)| a - s * inverse[0]));
            let b = log_sum(groups.b.iter().zip(&t).map(|(b, t)| b - t * inverse[1]));
            let tau = settled(a - b, 0.0) / (inverse[0] + inverse[1]);
            s.iter_mut().for_each(|s| *s += tau);
            t.iter_mut().for_each(|t| *t -= tau);
        }
        if k == 1 && l == 1 {
            break;
        }
        for (g, t) in t.iter_mut().enumerate() {
            let sum = log_sum((0..k).map(|r| groups.mass[r * l + g] + s[r] / epsilon));
            *t = settled(groups.b[g] - sum, *t * stiff[1]) / stiff[1];
        }
        let moved = s
            .iter()
            .zip(&before)
            .fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
        if round > 0 && moved < 1e-9 * epsilon {
            break;
        }
    }
    (s, t)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dual as a function of shifts, but for a constant.
    fn dual(g: &Groups, epsilon: f64, lambda: [f64; 2], s: &[f64], t: &[f64]) -> f64 {
        let side = |log: &[f64], x: &[f64], lambda: f64| -> f64 {
            let of = |(a, x): (&f64, &f64)| -lambda * math::exp(a - x / lambda);
            log.iter().zip(x).map(of).sum()
        };
        let mass: f64 = (0..g.mass.len())
            .map(|at| math::exp(g.mass[at] + (s[at / t.len()] + t[at % t.len()]) / epsilon))
            .sum();
        side(&g.a, s, lambda[0]) + side(&g.b, t, lambda[1]) - epsilon * mass
    }

    #[test]
    fn shifts_are_where_the_dual_is_largest() {
        let g = Groups {
            mass: [0.5, 0.01, 0.2, 0.003, 0.4, 0.1]
                .iter()
                .map(|&m| math::ln(m))
                .collect(),
            a: vec![-1.2, -0.3],
            b: vec![-0.1, -1.0, -2.0],
        };
        let lambda = [1.0, 50.0];
        let (s, t) = shifts(&g, 0.05, lambda);
        let best = dual(&g, 0.05, lambda, &s, &t);
        for k in 0..5 {
            for h in [1e-4, -1e-4] {
                let (mut s, mut t) = (s.clone(), t.clone());
                if k < 2 {
                    s[k] += h;
                } else {
                    t[k - 2] += h;
                }
                assert!(dual(&g, 0.05, lambda, &s, &t) < best);
            }
        }
    }

    #[test]
    fn one_group_is_a_translation() {
        let g = Groups {
            mass: vec![-0.4],
            a: vec![-0.4],
            b: vec![0.3],
        };
        let (s, t) = shifts(&g, 0.5, [1.0, 50.0]);
        let tau = (-0.4 - 0.3) / (1.0 + 1.0 / 50.0);
        assert_eq!((s, t), (vec![tau], vec![-tau]));
    }
}
