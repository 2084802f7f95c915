//! How far a plan is from the best one, from quantities at hand.
//!
//! After the column update the column condition holds exactly, so the duality gap
//! is `lambda1 mean KL(r | s)` with `s_i = p_i exp(-f_i / lambda1)`: a sum of
//! non-negative terms, nothing cancels. It bounds the distance of the whole plan;
//! the step that a plain update would make bounds every entry, since plain updates
//! contract by `alpha1 alpha2`.

use crate::math;

/// The state of an iteration. Vectors by cell.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    pub epsilon: f64,
    pub lambda: [f64; 2],
    pub f: &'a [f64],
    pub g: &'a [f64],
    pub log_p: &'a [f64],
    pub log_q: &'a [f64],
    /// Logarithms of the row sums of the plan that f and g make.
    pub log_r: &'a [f64],
    /// Mean of `exp(-C / epsilon)`.
    pub kappa0: f64,
}

/// What is known about a plan. Not a number where infinite penalties leave no
/// such statement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Certificate {
    /// Value of the primal problem.
    pub primal: f64,
    /// Primal less dual.
    pub gap: f64,
    /// Gap over the absolute value of the primal.
    pub relative_gap: f64,
    /// `mean |r - s| / mean s`.
    pub row_residual: f64,
    /// The same of columns; zero by construction until it is measured.
    pub col_residual: f64,
    /// Bound of `sum |T - T*| / sum T`, to first order.
    pub tv_bound: f64,
    /// Bound of `|log (T_ij / T*_ij)|` for every entry.
    pub entry_bound: f64,
    /// Mean of the plan R, the mass that is transported.
    pub mass: f64,
    /// Factor by which plain updates contract.
    pub rho: f64,
}

/// `lambda / (lambda + epsilon)`, 1 for an infinite lambda.
pub fn alpha(lambda: f64, epsilon: f64) -> f64 {
    if lambda.is_infinite() {
        1.0
    } else {
        lambda / (lambda + epsilon)
    }
}

/// The step of f that a plain update makes at a row.
#[inline]
pub fn plain(alpha: f64, epsilon: f64, f: f64, log_p: f64, log_r: f64) -> f64 {
    alpha * (f + epsilon * (log_p - log_r))
}

/// `KL(a | b) = a log(a / b) - a + b` of numbers given by their logarithms.
fn divergence(log_a: f64, log_b: f64) -> f64 {
    let (a, b) = (math::exp(log_a), math::exp(log_b));
    if a == 0.0 {
        return b;
    }
    // Near a = b the sum cancels; its series does not.
    let d = log_b - log_a;
    if d.abs() < 1e-3 {
        return a * d * d * (0.5 + d / 6.0 + d * d / 24.0);
    }
    a * -d - a + b
}

impl State<'_> {
    /// Judges the plan, whose columns have just been updated. O(n).
    pub fn certify(&self) -> Certificate {
        let [lambda1, lambda2] = self.lambda;
        let alphas = self.lambda.map(|l| alpha(l, self.epsilon));
        let rho = alphas[0] * alphas[1];
        let mean = |n: usize, of: &dyn Fn(usize) -> f64| (0..n).map(of).sum::<f64>() / n as f64;
        let (n1, n2) = (self.f.len(), self.g.len());
        let log_s = |i: usize| self.log_p[i] - self.f[i] / lambda1;
        let log_c = |j: usize| self.log_q[j] - self.g[j] / lambda2;
        let r = |i: usize| math::exp(self.log_r[i]);
        let s = |i: usize| math::exp(log_s(i));
        let mass = mean(n1, &r);
        let penalty = |lambda: f64, value: f64| {
            if lambda.is_infinite() {
                0.0
            } else {
                lambda * value
            }
        };
        let primal = penalty(
            lambda1,
            mean(n1, &|i| divergence(self.log_r[i], self.log_p[i])),
        ) + penalty(lambda2, mean(n2, &|j| divergence(log_c(j), self.log_q[j])))
            + mean(n1, &|i| weighted(self.f[i], r(i)))
            + mean(n2, &|j| weighted(self.g[j], math::exp(log_c(j))))
            + self.epsilon * (self.kappa0 - mass);
        let gap = if lambda1.is_infinite() {
            f64::NAN
        } else {
            lambda1 * mean(n1, &|i| divergence(self.log_r[i], log_s(i)))
        };
        let step = |i: usize| {
            let (f, p) = (self.f[i], self.log_p[i]);
            (plain(alphas[0], self.epsilon, f, p, self.log_r[i]) - f).abs()
        };
        let delta = (0..n1).map(step).fold(0.0, f64::max);
        Certificate {
            primal,
            gap,
            relative_gap: gap / primal.abs(),
            row_residual: mean(n1, &|i| (r(i) - s(i)).abs()) / mean(n1, &s),
            col_residual: 0.0,
            tv_bound: (2.0 * gap / (self.epsilon * mass)).sqrt(),
            entry_bound: (1.0 + alphas[1]) * delta / (self.epsilon * (1.0 - rho)),
            mass,
            rho,
        }
    }
}

/// A product that is zero when the weight is.
fn weighted(value: f64, weight: f64) -> f64 {
    if weight == 0.0 {
        0.0
    } else {
        value * weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_divergence_is_smooth_and_never_negative() {
        let slow = |a: f64, b: f64| a * math::ln(a / b) - a + b;
        for (a, b) in [
            (1.0, 2.0),
            (0.3, 0.2),
            (5.0, 5.004),
            (1.0, 1.00099),
            (1.0, 1.00101),
        ] {
            let fast = divergence(math::ln(a), math::ln(b));
            assert!((fast - slow(a, b)).abs() < 1e-12, "{a} {b}");
        }
        assert!(divergence(0.0, 1e-9) > 0.0);
        assert_eq!(divergence(1.5, 1.5), 0.0);
        assert_eq!(divergence(-20205.0, 0.0), 1.0);
        assert_eq!(divergence(-20205.0, -30000.0), 0.0);
    }
}
