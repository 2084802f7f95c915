//! The spread of fates over resamples, and intervals from it.
//!
//! A probability near 0 or 1 varies less than one near a half, and its interval must not
//! leave the range. On the scale of `asin(sqrt(p))` the spread hardly depends on p
//! (Anscombe 1948), so standard deviations are taken there, the normal interval is put
//! around the point estimate and taken back. What the mean of the resamples differs by
//! from the point estimate is a bias of resampling, which is reported (`mean`) and not
//! added to the interval.
//!
//! Sums are kept, not the resamples: five numbers per cell and state (Welford 1962).

use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::exec::{Exec, CHUNK};
use crate::lineage::fisher::normal_upper_quantile;
use crate::math;
use ndarray::{Array2, ArrayView2};

/// Means, spreads and intervals, each cells x states; NaN where fewer than two resamples
/// or no point estimate give a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    pub mean: Array2<f64>,
    pub sd: Array2<f64>,
    pub lower: Array2<f64>,
    pub upper: Array2<f64>,
}

/// Running sums of one probability.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
    angle: f64,
    angle_squares: f64,
}

impl Moments {
    fn add(&mut self, p: f64) {
        self.count += 1.0;
        let update = |mean: &mut f64, squares: &mut f64, v: f64| {
            let before = v - *mean;
            *mean += before / self.count;
            *squares += before * (v - *mean);
        };
        update(&mut self.mean, &mut self.squares, p);
        update(&mut self.angle, &mut self.angle_squares, angle(p));
    }
}

/// Sums over resamples, cell by cell.
#[derive(Debug)]
pub struct Tally {
    point: Vec<f64>,
    shape: (usize, usize),
    sums: Vec<Moments>,
}

impl Tally {
    /// Nothing added yet; intervals will be around `point` (cells x states).
    ///
    /// # Errors
    /// `memory`.
    pub fn new(point: ArrayView2<'_, f64>) -> Result<Tally> {
        let what = "the spread of fates";
        let mut values = try_with_capacity(point.len(), what)?;
        values.extend(point.iter());
        Ok(Tally {
            shape: point.dim(),
            sums: try_filled(values.len(), Moments::default(), what)?,
            point: values,
        })
    }

    /// Adds the fates of one resample (cells x states, row by row); NaN is left out.
    /// O(cells * states).
    ///
    /// # Errors
    /// `interrupted`.
    pub fn add(&mut self, exec: &Exec, fates: &[f64]) -> Result<()> {
        debug_assert_eq!(fates.len(), self.sums.len());
        exec.chunks_mut(&mut self.sums, CHUNK, |start, piece| {
            for (sum, &p) in piece.iter_mut().zip(&fates[start..]) {
                if !p.is_nan() {
                    sum.add(p);
                }
            }
        })
    }

    /// Means, standard deviations and intervals of this confidence level, with all
    /// spreads multiplied by `inflation`.
    ///
    /// # Errors
    /// `memory`.
    pub fn spread(&self, confidence_level: f64, inflation: f64) -> Result<Spread> {
        let z = normal_upper_quantile((1.0 - confidence_level) / 2.0);
        let blank = || -> Result<Array2<f64>> {
            let values = try_filled(self.sums.len(), f64::NAN, "the spread of fates")?;
            // As many values as the shape has.
            Ok(Array2::from_shape_vec(self.shape, values).unwrap_or_default())
        };
        let mut out = Spread {
            mean: blank()?,
            sd: blank()?,
            lower: blank()?,
            upper: blank()?,
        };
        let k = self.shape.1.max(1);
        for (at, (sum, &p)) in self.sums.iter().zip(&self.point).enumerate() {
            let place = (at / k, at % k);
            if sum.count < 2.0 || p.is_nan() {
                continue;
            }
            let deviation =
                |squares: f64| inflation * (squares.max(0.0) / (sum.count - 1.0)).sqrt();
            let half = z * deviation(sum.angle_squares);
            out.mean[place] = sum.mean;
            out.sd[place] = deviation(sum.squares);
            // Back and forth may differ from p in the last bit.
            out.lower[place] = probability(angle(p) - half).min(p);
            out.upper[place] = probability(angle(p) + half).max(p);
        }
        Ok(out)
    }
}

/// The spread over resamples that were solved elsewhere, each cells x states row by
/// row, and in how many of them each cell had no value.
///
/// # Errors
/// `shape` for a resample of another size, `memory`, `interrupted`.
pub fn summarise(
    exec: &Exec,
    resamples: &[&[f64]],
    point: ArrayView2<'_, f64>,
    confidence_level: f64,
) -> Result<(Spread, Vec<u32>)> {
    let mut tally = Tally::new(point)?;
    let mut lost = try_filled(point.nrows(), 0, "the spread of fates")?;
    for fates in resamples {
        if fates.len() != point.len() {
            return Err(CoreError::Shape {
                what: "the fates of a resample".into(),
                expected: point.len(),
                found: fates.len(),
            });
        }
        count_lost(&mut lost, fates);
        tally.add(exec, fates)?;
    }
    Ok((tally.spread(confidence_level, 1.0)?, lost))
}

/// Adds one for every cell that has no fates in a resample.
pub(super) fn count_lost(lost: &mut [u32], fates: &[f64]) {
    let k = fates.len() / lost.len().max(1);
    for (count, row) in lost.iter_mut().zip(fates.chunks_exact(k.max(1))) {
        *count += u32::from(row[0].is_nan());
    }
}

/// `asin(sqrt(p))`, which for p near one does not lose what is missing.
fn angle(p: f64) -> f64 {
    math::atan2(p.sqrt(), (1.0 - p).max(0.0).sqrt())
}

/// The probability of an angle, those beyond the ends taken for the ends.
fn probability(angle: f64) -> f64 {
    let s = math::sin(angle.clamp(0.0, std::f64::consts::FRAC_PI_2));
    s * s
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use ndarray::array;

    #[test]
    fn moments_are_those_of_two_passes() {
        let mut s = Stream::new(1, 1, 1, 1);
        let all: Vec<Vec<f64>> = (0..500).map(|_| vec![s.uniform(), 0.25]).collect();
        let point = array![[0.4, 0.25]];
        let mut tally = Tally::new(point.view()).unwrap();
        for v in &all {
            tally.add(&Exec::serial(), v).unwrap();
        }
        let out = tally.spread(0.95, 1.0).unwrap();
        let mean = all.iter().map(|v| v[0]).sum::<f64>() / 500.0;
        let var = all
            .iter()
            .map(|v| (v[0] - mean) * (v[0] - mean))
            .sum::<f64>()
            / 499.0;
        assert!((out.mean[[0, 0]] - mean).abs() < 1e-14);
        assert!((out.sd[[0, 0]] - var.sqrt()).abs() < 1e-14);
        // What never varies has an interval without width.
        assert_eq!((out.sd[[0, 1]], out.mean[[0, 1]]), (0.0, 0.25));
        assert!((out.upper[[0, 1]] - 0.25).abs() < 1e-15 && out.lower[[0, 1]] <= 0.25);
    }

    #[test]
    fn intervals_hold_the_point_and_stay_in_range() {
        for p in [0.0, 1e-9, 0.02, 0.5, 0.97, 1.0] {
            let point = array![[p]];
            let mut tally = Tally::new(point.view()).unwrap();
            for v in [0.0, 0.1, 0.9, 1.0, f64::NAN, p] {
                tally.add(&Exec::serial(), &[v]).unwrap();
            }
            let out = tally.spread(0.99, 1.0).unwrap();
            let (low, high) = (out.lower[[0, 0]], out.upper[[0, 0]]);
            assert!(0.0 <= low && low <= p && p <= high && high <= 1.0);
        }
    }

    #[test]
    fn small_spreads_give_the_normal_interval() {
        let point = array![[0.3]];
        let mut tally = Tally::new(point.view()).unwrap();
        let mut s = Stream::new(2, 1, 1, 1);
        for _ in 0..2000 {
            tally
                .add(&Exec::serial(), &[0.3 + 1e-4 * s.normal()])
                .unwrap();
        }
        let out = tally.spread(0.95, 1.0).unwrap();
        // R: qnorm(0.975)
        let half = 1.959963984540054 * out.sd[[0, 0]];
        assert!((out.upper[[0, 0]] - 0.3 - half).abs() < 1e-3 * half);
        assert!((0.3 - out.lower[[0, 0]] - half).abs() < 1e-3 * half);
    }

    #[test]
    fn resamples_of_another_size_are_refused() {
        let point = array![[0.4, 0.6]];
        let sum = |parts: &[&[f64]]| summarise(&Exec::serial(), parts, point.view(), 0.9);
        assert_eq!(sum(&[&[0.1]]).unwrap_err().kind(), "shape");
        let (spread, lost) = sum(&[&[0.3, 0.7], &[0.5, 0.5], &[f64::NAN; 2]]).unwrap();
        assert!((spread.mean[[0, 0]] - 0.4).abs() < 1e-15);
        assert_eq!(lost, [1]);
    }

    #[test]
    fn what_has_no_value_stays_without() {
        let point = array![[f64::NAN, 0.5]];
        let mut tally = Tally::new(point.view()).unwrap();
        for v in [0.2, 0.4, 0.6] {
            tally.add(&Exec::serial(), &[v, f64::NAN]).unwrap();
        }
        let out = tally.spread(0.9, 1.0).unwrap();
        assert!(out.sd.iter().all(|v| v.is_nan()) && out.lower.iter().all(|v| v.is_nan()));
    }
}
