//! Transcription, splicing and degradation of one gene, in closed form.
//!
//! `du/dt = alpha(t) - beta u` and `ds/dt = beta u - gamma s` (La Manno et al. 2018;
//! the solution for constant alpha is in Bergen et al. 2020, equations 1 to 4). The
//! equations are linear in alpha, so the answer to any sequence of steps of alpha
//! is the sum of the answers to each step.

use crate::math;

/// Splicing and degradation rates, per unit of progress.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    pub beta: f64,
    pub gamma: f64,
}

/// Unspliced and spliced molecules.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Molecules {
    pub unspliced: f64,
    pub spliced: f64,
}

impl Rates {
    /// The steady state under transcription at rate one.
    pub fn steady(&self) -> Molecules {
        Molecules {
            unspliced: 1.0 / self.beta,
            spliced: 1.0 / self.gamma,
        }
    }

    /// What has become, after `lag`, of transcription switched on at rate one from
    /// nothing; zero before (`lag <= 0`).
    pub fn step(&self, lag: f64) -> Molecules {
        if lag <= 0.0 {
            return Molecules::default();
        }
        let (eb, eg) = (math::exp(-self.beta * lag), math::exp(-self.gamma * lag));
        let apart = self.gamma - self.beta;
        // (e^{-gamma lag} - e^{-beta lag}) / (gamma - beta), which tends to
        // -lag e^{-beta lag} when the rates agree.
        let mixed = if (apart * lag).abs() < 1e-5 {
            -lag * eb * (1.0 - 0.5 * apart * lag)
        } else {
            (eg - eb) / apart
        };
        Molecules {
            unspliced: (1.0 - eb) / self.beta,
            spliced: (1.0 - eg) / self.gamma + mixed,
        }
    }

    /// `ds/dt = beta u - gamma s`.
    #[inline]
    pub fn velocity(&self, m: Molecules) -> f64 {
        self.beta * m.unspliced - self.gamma * m.spliced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runge-Kutta of order four for transcription at rate one.
    fn integrate(rates: Rates, lag: f64, steps: usize) -> Molecules {
        let f = |m: Molecules| (1.0 - rates.beta * m.unspliced, rates.velocity(m));
        let shift = |m: Molecules, (du, ds): (f64, f64), h: f64| Molecules {
            unspliced: m.unspliced + h * du,
            spliced: m.spliced + h * ds,
        };
        let h = lag / steps as f64;
        let mut m = Molecules::default();
        for _ in 0..steps {
            let k1 = f(m);
            let k2 = f(shift(m, k1, h / 2.0));
            let k3 = f(shift(m, k2, h / 2.0));
            let k4 = f(shift(m, k3, h));
            m = shift(
                m,
                (
                    k1.0 + 2.0 * k2.0 + 2.0 * k3.0 + k4.0,
                    k1.1 + 2.0 * k2.1 + 2.0 * k3.1 + k4.1,
                ),
                h / 6.0,
            );
        }
        m
    }

    #[test]
    fn the_closed_form_solves_the_equations() {
        for (beta, gamma) in [
            (25.0, 8.0),
            (3.0, 9.0),
            (5.0, 5.0),
            (5.0, 5.0 + 1e-7),
            (5.0, 5.001),
        ] {
            let rates = Rates { beta, gamma };
            for lag in [0.01, 0.1, 0.5, 2.0] {
                let (exact, slow) = (rates.step(lag), integrate(rates, lag, 4000));
                assert!((exact.unspliced - slow.unspliced).abs() < 1e-10);
                assert!((exact.spliced - slow.spliced).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn before_is_nothing_and_after_is_steady() {
        let rates = Rates {
            beta: 25.0,
            gamma: 8.0,
        };
        assert_eq!(rates.step(0.0), Molecules::default());
        assert_eq!(rates.step(-1.0), Molecules::default());
        let (late, steady) = (rates.step(10.0), rates.steady());
        assert!((late.spliced - steady.spliced).abs() < 1e-12);
        assert!(rates.velocity(late).abs() < 1e-12);
    }
}
