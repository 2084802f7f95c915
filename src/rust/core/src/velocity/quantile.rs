//! Quantiles without sorting: linear interpolation between order statistics (the
//! type 7 of Hyndman and Fan 1996, the default of R).

/// Size of the sample that guesses where a quantile lies.
const SAMPLE: usize = 1024;
/// Below this many values there is nothing to gain from a guess.
const SMALL: usize = 4 * SAMPLE;

/// The quantile of `values` at `percent` (0 to 100); NaN of no values. `scratch` is
/// overwritten. O(n), of which only the tail is ordered.
///
/// Values must not be NaN. The result never exceeds the larger of the two order
/// statistics, so `value >= quantile` is true of as many values as it should be.
pub fn quantile(values: &[f64], percent: f64, scratch: &mut Vec<f64>) -> f64 {
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    // Multiplied first: a position that is a whole number must come out as one.
    let position = ((n - 1) as f64 * percent / 100.0).clamp(0.0, (n - 1) as f64);
    let low = position.floor() as usize;
    let share = position - low as f64;
    scratch.resize(n, 0.0);
    let (first, rank) = tail(values, low, scratch);
    let part = &mut scratch[..first];
    let (_, &mut a, above) = part.select_nth_unstable_by(rank, f64::total_cmp);
    if share == 0.0 || a.is_infinite() {
        return a;
    }
    let b = above.iter().copied().fold(f64::INFINITY, f64::min);
    a + (b - a) * share
}

/// Copies into `scratch` at least the values that decide ranks `low` and `low + 1`,
/// and returns their number and the rank of `low` among them.
fn tail(values: &[f64], low: usize, scratch: &mut [f64]) -> (usize, usize) {
    let n = values.len();
    if n >= SMALL {
        let upper = low >= n / 2;
        let wanted = if upper { n - low } else { low + 2 };
        let pivot = guess(values, wanted, upper);
        let count = if upper {
            compact(values, scratch, |v| v >= pivot)
        } else {
            compact(values, scratch, |v| v <= pivot)
        };
        if count >= wanted {
            return (count, if upper { low - (n - count) } else { low });
        }
    }
    scratch.copy_from_slice(values);
    (n, low)
}

/// A value beyond which, towards the middle, at least `wanted` values of the tail
/// are expected.
fn guess(values: &[f64], wanted: usize, upper: bool) -> f64 {
    let n = values.len();
    let mut sample = [0.0; SAMPLE];
    for (k, v) in sample.iter_mut().enumerate() {
        *v = values[k * (n / SAMPLE)];
    }
    // A fifth more than needed and three standard errors.
    let rank = (wanted * SAMPLE * 6 / (5 * n) + 40).min(SAMPLE - 1);
    let at = if upper { SAMPLE - 1 - rank } else { rank };
    *sample.select_nth_unstable_by(at, f64::total_cmp).1
}

fn compact(values: &[f64], scratch: &mut [f64], keep: impl Fn(f64) -> bool) -> usize {
    let mut count = 0;
    for &v in values {
        // Without a branch: count never passes the number of values seen.
        scratch[count] = v;
        count += usize::from(keep(v));
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(values: &[f64], percent: f64) -> f64 {
        let mut v = values.to_vec();
        v.sort_by(f64::total_cmp);
        let h = (v.len() - 1) as f64 * percent / 100.0;
        let (lo, hi) = (h.floor() as usize, h.ceil() as usize);
        v[lo] + (v[hi] - v[lo]) * (h - h.floor())
    }

    #[test]
    fn agrees_with_sorting() {
        let mut scratch = Vec::new();
        for n in [1, 2, 6, 101, 4095, 4096, 20_011] {
            let spread: Vec<f64> = (0..n).map(|i| (i as f64 * 0.618).fract()).collect();
            // Sorted, so that the strided sample is exact, and with many ties.
            let steps: Vec<f64> = (0..n).map(|i| (i / 7) as f64).collect();
            let zeros: Vec<f64> = (0..n)
                .map(|i| if i % 50 == 3 { 1.0 } else { 0.0 })
                .collect();
            // Periodic with the stride of the sample, which misleads the guess.
            let comb: Vec<f64> = (0..n)
                .map(|i| {
                    if i % (n / SAMPLE).max(1) == 0 {
                        1e3
                    } else {
                        i as f64
                    }
                })
                .collect();
            for values in [&spread, &steps, &zeros, &comb] {
                for percent in [0.0, 2.0, 5.0, 50.0, 80.0, 95.0, 99.9, 100.0] {
                    let q = quantile(values, percent, &mut scratch);
                    assert_eq!(q, slow(values, percent), "{n} {percent}");
                }
            }
        }
    }

    #[test]
    fn whole_positions_are_hit_exactly() {
        let values: Vec<f64> = (0..101).map(f64::from).collect();
        assert_eq!(quantile(&values, 95.0, &mut Vec::new()), 95.0);
        assert!(quantile(&[], 50.0, &mut Vec::new()).is_nan());
    }
}
