//! Summaries of a map of fates: over the cells, over the lineages, or over both.
//!
//! The mean of a lineage over the cells says how common the fate is, the entropy of a
//! cell over the lineages how undecided it is.

use crate::error::{CoreError, Result};
use crate::exec::{Exec, CHUNK};
use crate::{math, simd};
use ndarray::{Array2, ArrayView2, Axis};

/// A number that stands for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Summary {
    Sum,
    Mean,
    Min,
    Max,
    /// Population standard deviation.
    Std,
    /// Population variance.
    Var,
    /// Position of the first smallest value, from one.
    ArgMin,
    /// Position of the first largest value, from one.
    ArgMax,
    /// Entropy in nats of the values divided by their sum.
    Entropy,
}

impl Summary {
    /// The summary of this name.
    ///
    /// # Errors
    /// `range` for an unknown name.
    pub fn from_name(name: &str) -> Result<Summary> {
        Ok(match name {
            "sum" => Summary::Sum,
            "mean" => Summary::Mean,
            "min" => Summary::Min,
            "max" => Summary::Max,
            "std" => Summary::Std,
            "var" => Summary::Var,
            "argmin" => Summary::ArgMin,
            "argmax" => Summary::ArgMax,
            "entropy" => Summary::Entropy,
            _ => {
                return Err(CoreError::Choice {
                    what: "the summary".into(),
                    value: name.into(),
                    reason: "is not known".into(),
                })
            }
        })
    }

    /// The summary of some values: NaN when there is none, when one is NaN (unless
    /// `skip_missing`), or for the entropy of values without a positive sum.
    pub fn of(self, values: &[f64], skip_missing: bool) -> f64 {
        if let Summary::ArgMin | Summary::ArgMax = self {
            return self.position(values, skip_missing);
        }
        if !skip_missing {
            return self.of_present(values);
        }
        let present = |v: &f64| !v.is_nan();
        let kept: Vec<f64> = values.iter().copied().filter(present).collect();
        self.of_present(&kept)
    }

    fn of_present(self, values: &[f64]) -> f64 {
        if values.is_empty() || values.iter().any(|v| v.is_nan()) {
            return f64::NAN;
        }
        let n = values.len() as f64;
        match self {
            Summary::Sum => simd::sum(values),
            Summary::Mean => simd::sum(values) / n,
            Summary::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Summary::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Summary::Var => variance(values),
            Summary::Std => variance(values).sqrt(),
            _ => entropy(values),
        }
    }

    fn position(self, values: &[f64], skip_missing: bool) -> f64 {
        let mut best: Option<(usize, f64)> = None;
        for (at, &v) in values.iter().enumerate() {
            if v.is_nan() {
                if skip_missing {
                    continue;
                }
                return f64::NAN;
            }
            let better = |b: f64| {
                if self == Summary::ArgMin {
                    v < b
                } else {
                    v > b
                }
            };
            if best.map_or(true, |(_, b)| better(b)) {
                best = Some((at, v));
            }
        }
        best.map_or(f64::NAN, |(at, _)| (at + 1) as f64)
    }
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = simd::sum(values) / n;
    simd::zip_sum(values, values, |a, _| (a - mean) * (a - mean)) / n
}

fn entropy(values: &[f64]) -> f64 {
    let total = simd::sum(values);
    if total <= 0.0 || values.iter().any(|&v| v < 0.0) {
        return f64::NAN;
    }
    let term = |v: &f64| {
        let p = v / total;
        if p > 0.0 {
            p * math::ln(p)
        } else {
            0.0
        }
    };
    // Rounding can bring a certain value's below zero; -0 is turned into 0.
    (-values.iter().map(term).sum::<f64>()).max(0.0) + 0.0
}

/// One number per lineage (column). O(cells x lineages).
///
/// # Errors
/// `interrupted`.
pub fn over_cells(
    exec: &Exec,
    p: ArrayView2<f64>,
    summary: Summary,
    skip_missing: bool,
) -> Result<Vec<f64>> {
    exec.map_chunks(p.ncols(), 1, |columns| {
        summary.of(&p.column(columns.start).to_vec(), skip_missing)
    })
}

/// One number per cell (row). O(cells x lineages).
///
/// # Errors
/// `interrupted`.
pub fn over_lineages(
    exec: &Exec,
    p: ArrayView2<f64>,
    summary: Summary,
    skip_missing: bool,
) -> Result<Vec<f64>> {
    let parts = exec.map_chunks(p.nrows(), CHUNK, |rows| {
        let mut values = vec![0.0; p.ncols()];
        rows.map(|i| {
            for (to, from) in values.iter_mut().zip(p.row(i)) {
                *to = *from;
            }
            summary.of(&values, skip_missing)
        })
        .collect::<Vec<f64>>()
    })?;
    Ok(parts.concat())
}

/// Every column (`along` 0) or row (`along` 1) in ascending order, NaN last.
/// O(cells x lineages x log).
///
/// # Errors
/// `interrupted`.
pub fn sorted(exec: &Exec, p: ArrayView2<f64>, along: usize) -> Result<Array2<f64>> {
    let mut out = p.to_owned();
    let lanes: Vec<_> = out.lanes_mut(Axis(along)).into_iter().collect();
    exec.for_each(lanes, |mut lane| {
        let mut values = lane.to_vec();
        // NaN of either sign is moved behind the numbers.
        values.sort_by(|a, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
        for (to, from) in lane.iter_mut().zip(values) {
            *to = from;
        }
        Ok(())
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::testing::same_bits;
    use ndarray::array;

    const NAN: f64 = f64::NAN;
    const ALL: [&str; 9] = [
        "sum", "mean", "min", "max", "std", "var", "argmin", "argmax", "entropy",
    ];

    fn of(name: &str, values: &[f64]) -> f64 {
        Summary::from_name(name).unwrap().of(values, false)
    }

    #[test]
    fn closed_forms() {
        let v = [2.0, 1.0, 4.0, 1.0];
        let expected = [8.0, 2.0, 1.0, 4.0, 1.5_f64.sqrt(), 1.5, 2.0, 3.0];
        for (name, e) in ALL.iter().zip(expected) {
            assert_eq!(of(name, &v), e, "{name}");
        }
        let ln2 = std::f64::consts::LN_2;
        assert!((of("entropy", &v) - 1.75 * ln2).abs() < 1e-15);
        assert_eq!(of("entropy", &[3.0, 0.0]).to_bits(), 0.0_f64.to_bits());
        assert!(of("entropy", &[0.0, 0.0]).is_nan());
        assert!(of("entropy", &[-1.0, 3.0]).is_nan());
    }

    #[test]
    fn missing_values_count_unless_skipped() {
        let with = [NAN, 2.0, NAN, 5.0];
        for name in ALL {
            let summary = Summary::from_name(name).unwrap();
            assert!(summary.of(&with, false).is_nan(), "{name}");
            assert!(summary.of(&[NAN], true).is_nan(), "{name}");
            assert!(summary.of(&[], false).is_nan(), "{name}");
            if !name.starts_with("arg") {
                let kept = summary.of(&[2.0, 5.0], false);
                assert_eq!(summary.of(&with, true), kept, "{name}");
            }
        }
        assert_eq!(Summary::ArgMax.of(&with, true), 4.0);
        assert_eq!(Summary::ArgMin.of(&with, true), 2.0);
        assert_eq!(Summary::from_name("sd").unwrap_err().kind(), "range");
    }

    #[test]
    fn both_directions_and_sorting() {
        let p = array![[1.0, 4.0, 2.0], [3.0, 0.5, NAN]];
        let exec = Exec::serial();
        let cells = over_cells(&exec, p.view(), Summary::Max, true).unwrap();
        assert_eq!(cells, [3.0, 4.0, 2.0]);
        let lineages = over_lineages(&exec, p.view(), Summary::Sum, true).unwrap();
        assert_eq!(lineages, [7.0, 3.5]);
        let columns = sorted(&exec, array![[2.0, -NAN], [1.0, 3.0]].view(), 0).unwrap();
        assert_eq!(columns.column(0).to_vec(), [1.0, 2.0]);
        assert_eq!(columns[(0, 1)], 3.0);
        assert!(columns[(1, 1)].is_nan());
        let rows = sorted(&exec, p.view(), 1).unwrap();
        assert_eq!(rows.row(0).to_vec(), [1.0, 2.0, 4.0]);
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let mut s = Stream::new(3, 1, 0, 0);
        let p = Array2::from_shape_fn((10_000, 4), |_| s.uniform());
        for name in ALL {
            let summary = Summary::from_name(name).unwrap();
            same_bits(|threads| {
                let exec = Exec::with_threads(threads).unwrap();
                let mut out = over_cells(&exec, p.view(), summary, false).unwrap();
                out.extend(over_lineages(&exec, p.view(), summary, false).unwrap());
                out.iter().map(|v| v.to_bits()).collect::<Vec<u64>>()
            });
        }
    }
}
