//! How near the lineages that are given up are to those that are kept.
//!
//! When a map of fates is reduced to a few lineages, each of the others is spread over
//! them in proportion to a weight: the larger, the more alike the two lineages are over
//! the cells. A lineage is compared as a vector (cosine), as a distribution over the
//! cells (divergence of Kullback and Leibler, distance of Jensen and Shannon), as a set
//! of values (first Wasserstein distance) or as a variable (mutual information).

use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::lineage::mutual_information::{mutual_information, Margin};
use crate::{math, simd};
use ndarray::{Array2, ArrayView2};

/// Distances of distributions below it are rounding.
const ROUNDING: f64 = 1e-14;

/// What likeness of two lineages is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Cosine of the angle between the two.
    Cosine,
    /// One over the first Wasserstein distance of their values.
    Wasserstein,
    /// One over the divergence of the query from the reference.
    KullbackLeibler,
    /// One over the square root of the divergence from their mean, in nats.
    JensenShannon,
    /// Mutual information, in nats.
    MutualInformation,
    /// One over the number of references.
    Equal,
}

impl Measure {
    /// The measure of this name.
    ///
    /// # Errors
    /// `range` for an unknown name.
    pub fn from_name(name: &str) -> Result<Measure> {
        Ok(match name {
            "cosine_sim" => Measure::Cosine,
            "wasserstein_dist" => Measure::Wasserstein,
            "kl_div" => Measure::KullbackLeibler,
            "js_div" => Measure::JensenShannon,
            "mutual_info" => Measure::MutualInformation,
            "equal" => Measure::Equal,
            _ => {
                return Err(CoreError::Choice {
                    what: "the measure".into(),
                    value: name.into(),
                    reason: "is not known".into(),
                })
            }
        })
    }

    /// Whether it compares distributions over cells where every lineage is positive.
    fn compares_distributions(self) -> bool {
        matches!(
            self,
            Measure::Wasserstein | Measure::KullbackLeibler | Measure::JensenShannon
        )
    }
}

/// Weights of queries (rows) for references (columns) from their values (cells x
/// lineages each). Cells without a value anywhere are left out, and for measures of
/// distributions those with a zero anywhere. A weight may be infinite (two lineages
/// that do not differ) or NaN (a lineage of zeros): the caller decides. O(cells x
/// queries x references), times log(cells) for mutual information.
///
/// # Errors
/// `shape` when the numbers of cells differ, `range` when too few cells are left,
/// `memory`, `interrupted`.
pub fn weights(
    exec: &Exec,
    reference: ArrayView2<f64>,
    query: ArrayView2<f64>,
    measure: Measure,
) -> Result<Array2<f64>> {
    if query.nrows() != reference.nrows() {
        return Err(CoreError::Shape {
            what: "the query".into(),
            expected: reference.nrows(),
            found: query.nrows(),
        });
    }
    let shape = (query.ncols(), reference.ncols());
    if measure == Measure::Equal {
        return Ok(Array2::from_elem(shape, 1.0 / shape.1 as f64));
    }
    let positive = measure.compares_distributions();
    let kept = usable_cells(reference, query, positive);
    if kept.is_empty() {
        return Err(no_cell(positive));
    }
    let mut r = columns(reference, &kept)?;
    let mut q = columns(query, &kept)?;
    if measure == Measure::MutualInformation {
        return informations(exec, &q, &r);
    }
    let mut all: Vec<&mut Vec<f64>> = r.iter_mut().chain(&mut q).collect();
    // Sorted before they are summed, so that equal sets of values stay equal.
    if measure == Measure::Wasserstein {
        exec.chunks_mut(&mut all, 1, |_, column| {
            column[0].sort_unstable_by(f64::total_cmp);
        })?;
    }
    if positive {
        for column in all {
            let total = exec.sum(column.len(), |range| simd::sum(&column[range]))?;
            column.iter_mut().for_each(|v| *v /= total);
        }
    }
    pairs(exec, &q, &r, |q, r| match measure {
        Measure::Cosine => cosine(exec, q, r),
        // The values are of the size of one over the number of cells.
        Measure::Wasserstein => Ok(inverse(wasserstein(exec, q, r)?, 1.0 / q.len() as f64)),
        Measure::KullbackLeibler => Ok(inverse(divergence(exec, q, r)?, 1.0)),
        _ => Ok(1.0 / jensen_shannon(exec, q, r)?.sqrt()),
    })
}

/// Cells with a value in every lineage, positive if asked for.
fn usable_cells(reference: ArrayView2<f64>, query: ArrayView2<f64>, positive: bool) -> Vec<usize> {
    let fits = |v: &f64| v.is_finite() && (!positive || *v > 0.0);
    (0..reference.nrows())
        .filter(|&i| reference.row(i).iter().all(fits) && query.row(i).iter().all(fits))
        .collect()
}

fn no_cell(positive: bool) -> CoreError {
    let kind = if positive {
        "a positive value"
    } else {
        "a value"
    };
    CoreError::Range {
        what: format!("the number of cells with {kind} in every lineage"),
        value: 0.0,
        allowed: "at least 1".into(),
    }
}

fn columns(m: ArrayView2<f64>, kept: &[usize]) -> Result<Vec<Vec<f64>>> {
    m.columns()
        .into_iter()
        .map(|column| {
            let mut values = try_with_capacity(kept.len(), "a lineage")?;
            values.extend(kept.iter().map(|&i| column[i]));
            Ok(values)
        })
        .collect()
}

/// `f` of every query with every reference.
fn pairs<T>(
    exec: &Exec,
    query: &[T],
    reference: &[T],
    f: impl Fn(&T, &T) -> Result<f64>,
) -> Result<Array2<f64>> {
    let mut out = Array2::zeros((query.len(), reference.len()));
    exec.control().begin(out.len());
    for (i, q) in query.iter().enumerate() {
        for (j, r) in reference.iter().enumerate() {
            out[(i, j)] = f(q, r)?;
            exec.control().tick(1);
        }
    }
    Ok(out)
}

fn informations(exec: &Exec, q: &[Vec<f64>], r: &[Vec<f64>]) -> Result<Array2<f64>> {
    let margins = |columns: &[Vec<f64>]| {
        let one = columns.iter().map(|c| Margin::new(exec, c));
        one.collect::<Result<Vec<Margin>>>()
    };
    pairs(exec, &margins(q)?, &margins(r)?, |q, r| {
        mutual_information(exec, r, q)
    })
}

fn cosine(exec: &Exec, q: &[f64], r: &[f64]) -> Result<f64> {
    let dot =
        |a: &[f64], b: &[f64]| exec.sum(a.len(), |range| simd::dot(&a[range.clone()], &b[range]));
    Ok(dot(q, r)? / (dot(q, q)?.sqrt() * dot(r, r)?.sqrt()))
}

/// Mean distance of equally many values, both ascending.
fn wasserstein(exec: &Exec, q: &[f64], r: &[f64]) -> Result<f64> {
    let total = exec.sum(q.len(), |range| {
        simd::zip_sum(&q[range.clone()], &r[range], |a, b| (a - b).abs())
    })?;
    Ok(total / q.len() as f64)
}

/// One over a distance of things of this size; that of what differs by rounding only is
/// infinite.
fn inverse(distance: f64, size: f64) -> f64 {
    if distance <= ROUNDING * size {
        f64::INFINITY
    } else {
        1.0 / distance
    }
}

/// sum q log(q / r) of two distributions.
fn divergence(exec: &Exec, q: &[f64], r: &[f64]) -> Result<f64> {
    let term = |(q, r): (&f64, &f64)| q * math::ln(q / r);
    exec.sum(q.len(), |range| {
        q[range.clone()].iter().zip(&r[range]).map(term).sum()
    })
}

/// Mean divergence of two distributions from their mean; zero when rounding is all.
fn jensen_shannon(exec: &Exec, q: &[f64], r: &[f64]) -> Result<f64> {
    let mean: Vec<f64> = q.iter().zip(r).map(|(q, r)| 0.5 * (q + r)).collect();
    let both = divergence(exec, q, &mean)? + divergence(exec, r, &mean)?;
    Ok(if both <= ROUNDING { 0.0 } else { 0.5 * both })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::testing::same_bits;
    use ndarray::array;

    const ALL: [&str; 6] = [
        "cosine_sim",
        "wasserstein_dist",
        "kl_div",
        "js_div",
        "mutual_info",
        "equal",
    ];

    fn one(q: &[f64], r: &[f64], name: &str) -> f64 {
        let q = ArrayView2::from_shape((q.len(), 1), q).unwrap();
        let r = ArrayView2::from_shape((r.len(), 1), r).unwrap();
        let measure = Measure::from_name(name).unwrap();
        weights(&Exec::serial(), r, q, measure).unwrap()[(0, 0)]
    }

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-13 * b.abs().max(1.0), "{a} is not {b}");
    }

    #[test]
    fn closed_forms() {
        let (q, r) = ([1.0, 0.0], [1.0, 1.0]);
        near(one(&q, &r, "cosine_sim"), 0.5_f64.sqrt());
        // Distributions (1/4, 3/4) and (1/2, 1/2).
        let (q, r) = ([0.1, 0.3], [0.4, 0.4]);
        near(one(&q, &r, "wasserstein_dist"), 4.0);
        let ln = math::ln;
        let kl = 0.25 * ln(0.5) + 0.75 * ln(1.5);
        near(one(&q, &r, "kl_div"), 1.0 / kl);
        let to = |p: [f64; 2]| p[0] * ln(p[0] / 0.375) + p[1] * ln(p[1] / 0.625);
        let js = (0.5 * (to([0.25, 0.75]) + to([0.5, 0.5]))).sqrt();
        near(one(&q, &r, "js_div"), 1.0 / js);
        near(one(&q, &r, "equal"), 1.0);
    }

    #[test]
    fn values_are_compared_as_sets_by_wasserstein_only() {
        let (q, r) = ([0.1, 0.3, 0.6], [0.6, 0.1, 0.3]);
        assert_eq!(one(&q, &r, "wasserstein_dist"), f64::INFINITY);
        assert!(one(&q, &r, "kl_div").is_finite());
        assert_eq!(one(&q, &q, "kl_div"), f64::INFINITY);
        assert_eq!(one(&q, &q, "js_div"), f64::INFINITY);
        let twice = q.map(|v| v * 2.2);
        for name in ["wasserstein_dist", "kl_div", "js_div"] {
            assert_eq!(one(&q, &twice, name), f64::INFINITY, "{name}");
        }
    }

    #[test]
    fn cells_without_values_are_left_out() {
        let (q, r) = ([0.1, 0.3, 0.4, 0.2], [0.4, 0.3, 0.2, 0.2]);
        let (more_q, more_r) = ([0.1, f64::NAN, 0.3, 0.4, 0.2], [0.4, 0.1, 0.3, 0.2, 0.2]);
        for name in ALL {
            assert_eq!(one(&q, &r, name), one(&more_q, &more_r, name), "{name}");
        }
        let (zero_q, zero_r) = ([0.1, 0.3, 0.0, 0.4, 0.2], [0.4, 0.3, 0.9, 0.2, 0.2]);
        for name in ["wasserstein_dist", "kl_div", "js_div"] {
            assert_eq!(one(&q, &r, name), one(&zero_q, &zero_r, name), "{name}");
        }
        let none = array![[0.0], [1.0]];
        let other = array![[1.0], [0.0]];
        let run = |m| weights(&Exec::serial(), none.view(), other.view(), m);
        assert_eq!(run(Measure::KullbackLeibler).unwrap_err().kind(), "range");
        assert_eq!(run(Measure::Cosine).unwrap()[(0, 0)], 0.0);
    }

    #[test]
    fn a_lineage_of_zeros_has_no_cosine() {
        assert!(one(&[0.0, 0.0], &[1.0, 0.5], "cosine_sim").is_nan());
    }

    #[test]
    fn rows_are_queries_and_columns_references() {
        let reference = array![[0.2, 0.3], [0.5, 0.1], [0.6, 0.2], [0.1, 0.1], [0.3, 0.4]];
        let query = array![[0.1], [0.2], [0.1], [0.7], [0.2]];
        for name in ALL {
            let measure = Measure::from_name(name).unwrap();
            let w = weights(&Exec::serial(), reference.view(), query.view(), measure).unwrap();
            assert_eq!(w.dim(), (1, 2), "{name}");
        }
        let e = weights(
            &Exec::serial(),
            reference.view(),
            array![[1.0]].view(),
            Measure::Equal,
        );
        assert_eq!(e.unwrap_err().kind(), "shape");
        assert_eq!(Measure::from_name("cosine").unwrap_err().kind(), "range");
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let mut s = Stream::new(5, 1, 0, 0);
        let p = Array2::from_shape_fn((9_000, 4), |_| s.uniform());
        let (a, b) = (p.view(), p.map(|v| v * v + 0.01));
        for name in ALL {
            let measure = Measure::from_name(name).unwrap();
            same_bits(|threads| {
                let exec = Exec::with_threads(threads).unwrap();
                let w = weights(&exec, a, b.view(), measure).unwrap();
                w.mapv(f64::to_bits)
            });
        }
    }
}
