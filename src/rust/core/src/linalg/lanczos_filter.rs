//! The Chebyshev filter of an eigenvalue search.
//!
//! On its interval the polynomial stays between -1 and 1 (times a constant); above,
//! it grows faster than any other of its degree.

use crate::math;

/// Upper end of the spectra that are searched; the lower is its negative.
pub(super) const TOP: f64 = 1.0;

/// The Chebyshev polynomial of a degree on [bottom, cut], one at `top`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    pub bottom: f64,
    pub cut: f64,
    pub top: f64,
    pub degree: usize,
}

impl Filter {
    pub fn centre(&self) -> f64 {
        0.5 * (self.cut + self.bottom)
    }

    fn half(&self) -> f64 {
        0.5 * (self.cut - self.bottom)
    }

    /// Coefficients of step k of the scaled three-term recurrence: gain and back.
    pub fn steps(&self) -> impl Iterator<Item = (f64, f64)> {
        let half = self.half();
        let first = half / (self.top - self.centre());
        let mut sigma = first;
        (0..self.degree).map(move |k| {
            if k == 0 {
                return (first / half, 0.0);
            }
            let next = 1.0 / (2.0 / first - sigma);
            let step = (2.0 * next / half, sigma * next);
            sigma = next;
            step
        })
    }

    /// The polynomial at a point.
    pub fn at(&self, t: f64) -> f64 {
        let (mut before, mut now) = (0.0, 1.0);
        for (gain, back) in self.steps() {
            (before, now) = (now, gain * (t - self.centre()) * now - back * before);
        }
        now
    }

    /// The point above the cut at which the polynomial has a value, by bisection;
    /// None for values that it takes below the cut as well.
    pub fn inverse(&self, value: f64) -> Option<f64> {
        if self.degree == 1 {
            return Some(self.centre() + value * (self.top - self.centre()));
        }
        if value <= self.at(self.cut) {
            return None;
        }
        let (mut low, mut high) = (self.cut, TOP);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.at(middle) < value {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(0.5 * (low + high))
    }

    /// Degrees per e-fold by which a value stands out over what is damped.
    pub fn rate(&self, value: f64) -> f64 {
        acosh(1.0 + (value - self.cut).max(1e-9) / self.half())
    }
}

pub(super) fn acosh(v: f64) -> f64 {
    math::ln(v + (v * v - 1.0).max(0.0).sqrt())
}
