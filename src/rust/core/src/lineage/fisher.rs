//! Fisher's test of correlations, for the table of lineage drivers.
//!
//! The inverse hyperbolic tangent of a correlation is about normal with variance `1 /
//! (n - 3)` (Fisher 1921): p-values, intervals, and q-values over the genes of a
//! lineage (section 2.10.2 of the fate-mapping rules).

use crate::error::{CoreError, Result};
use crate::math;
use ndarray::Array2;

/// Correlations and what Fisher's test says about them, each genes x lineages.
#[derive(Debug, Clone, PartialEq)]
pub struct DriverTable {
    pub correlation: Array2<f64>,
    pub p_value: Array2<f64>,
    /// Benjamini & Hochberg (1995), over the genes of each lineage.
    pub q_value: Array2<f64>,
    pub ci_low: Array2<f64>,
    pub ci_high: Array2<f64>,
}

/// Fisher's test of correlations over `n_cells` cells: `z = atanh(r) sqrt(n - 3)`,
/// `p = 2 Phi(-|z|)`, interval `tanh(atanh(r) +- z_q / sqrt(n - 3))`. Where r is NaN
/// everything is; |r| = 1 has p = 0 and a point for an interval, unless the level is
/// 1, whose interval is all of [-1, 1]. O(genes log genes) per lineage.
///
/// # Errors
/// `range` for fewer than four cells or a confidence level outside [0, 1].
pub fn fisher(
    correlations: Array2<f64>,
    n_cells: usize,
    confidence_level: f64,
) -> Result<DriverTable> {
    if n_cells < 4 {
        return Err(CoreError::Range {
            what: "the number of cells".into(),
            value: n_cells as f64,
            allowed: "at least 4".into(),
        });
    }
    if !(0.0..=1.0).contains(&confidence_level) {
        return Err(CoreError::Range {
            what: "the confidence level".into(),
            value: confidence_level,
            allowed: "at least 0 and at most 1".into(),
        });
    }
    let root = ((n_cells - 3) as f64).sqrt();
    let tail = (1.0 - confidence_level) / 2.0;
    let p_value = correlations.mapv(|r| {
        let z = math::atanh(r).abs() * root;
        math::erfc(z * std::f64::consts::FRAC_1_SQRT_2)
    });
    let bound = |side: f64| {
        if tail > 0.0 {
            let half = normal_upper_quantile(tail) / root;
            correlations.mapv(|r| math::tanh(math::atanh(r) + side * half))
        } else {
            correlations.mapv(|r| if r.is_nan() { r } else { side })
        }
    };
    Ok(DriverTable {
        ci_low: bound(-1.0),
        ci_high: bound(1.0),
        q_value: q_values(&p_value),
        p_value,
        correlation: correlations,
    })
}

/// The peer's correlation: r times n / (n - 1), as it divides a sum over n cells by
/// n - 1 and by standard deviations over n; NaN where that leaves [-1, 1].
pub fn inflated(mut correlations: Array2<f64>, n_cells: usize) -> Array2<f64> {
    let n = n_cells as f64;
    correlations.mapv_inplace(|r| {
        let more = r * n / (n - 1.0);
        if more.abs() <= 1.0 {
            more
        } else {
            f64::NAN
        }
    });
    correlations
}

/// q-values of Benjamini & Hochberg (1995) within each lineage (column); NaN where
/// p is, which does not count. O(genes log genes) per lineage.
pub fn q_values(p_value: &Array2<f64>) -> Array2<f64> {
    let mut q_value = Array2::from_elem(p_value.raw_dim(), f64::NAN);
    for (p, mut q) in p_value.columns().into_iter().zip(q_value.columns_mut()) {
        for (q, value) in q.iter_mut().zip(adjust(&p.to_vec())) {
            *q = value;
        }
    }
    q_value
}

/// z with `P(Z > z) = tail`, 0 < tail <= 0.5: statrs, then two Newton steps on our
/// own complementary error function, which make the last bits ours too.
pub(crate) fn normal_upper_quantile(tail: f64) -> f64 {
    let mut z = std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(2.0 * tail);
    for _ in 0..2 {
        let above = 0.5 * math::erfc(z * std::f64::consts::FRAC_1_SQRT_2);
        let density = math::exp(-0.5 * z * z) / (2.0 * std::f64::consts::PI).sqrt();
        z += (above - tail) / density;
    }
    z
}

/// Benjamini-Hochberg over the values that are not NaN.
pub(super) fn adjust(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let m = order.len();
    let (mut q, mut least) = (vec![f64::NAN; p.len()], 1.0f64);
    for (at, i) in order.into_iter().enumerate() {
        least = least.min(p[i] * (m as f64 / (m - at) as f64));
        q[i] = least;
    }
    q
}
