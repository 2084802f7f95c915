//! What an eigenvalue search does to its vectors: orthogonality, restarts, results.

use super::lanczos_panel::K;
use super::lanczos_search::{Found, Search};
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::rng::Stream;
use nalgebra::{DMatrix, DVector};

/// A vector shorter than this is rounding.
const GONE: f64 = 1e-14;
/// Cells per task of elementwise work.
const CELLS: usize = 4096;
/// Purpose of the random vectors.
const START: u64 = 0x6c61_6e63;

impl<N: Copy + Into<f64> + Send + Sync> Search<'_, N> {
    /// A random next block.
    pub(super) fn draw(&mut self, exec: &Exec) -> Result<()> {
        for c in 0..K {
            self.draw_one(exec, self.m + c)?;
        }
        self.orthonormalise(exec)
    }

    pub(super) fn draw_one(&mut self, exec: &Exec, at: usize) -> Result<()> {
        self.drawn += 1;
        let (seed, draw) = (self.options.seed, self.drawn);
        self.panel.put_one(exec, at, |i| {
            Stream::new(seed, START, i as u64, draw).normal()
        })
    }

    pub(super) fn multiply(&mut self, exec: &Exec, [gain, shift, back]: [f64; 3]) -> Result<()> {
        self.products += K;
        self.a.step(exec, &self.x, [gain, shift, back], &mut self.y)
    }

    /// Makes the next block orthogonal to the known vectors, the basis and itself,
    /// with columns of length one. Projecting twice is enough (Giraud et al. 2005)
    /// unless a column nearly vanishes; one that does is drawn anew.
    pub(super) fn orthonormalise(&mut self, exec: &Exec) -> Result<()> {
        let at = self.m;
        for c in at..at + K {
            self.normalise(exec, c)?;
        }
        for _ in 0..6 {
            if let Some(k) = self.known {
                self.panel.deflate(exec, at, (k.piece, k.weight, k.count))?;
            }
            let along = self.panel.dots(exec, 0..at, at..at + K)?;
            self.panel.subtract(exec, 0..at, at..at + K, &along)?;
            let mut left = 1.0f64;
            for c in at..at + K {
                let along = self.panel.dots(exec, at..c, c..c + 1)?;
                self.panel.subtract(exec, at..c, c..c + 1, &along)?;
                left = left.min(self.normalise(exec, c)?);
            }
            if left > 0.5 {
                break;
            }
        }
        Ok(())
    }

    /// Scales a vector to length one and returns what it had; one without length is
    /// drawn anew.
    pub(super) fn normalise(&mut self, exec: &Exec, at: usize) -> Result<f64> {
        let norm = self.panel.square(exec, at)?.sqrt();
        if norm > GONE {
            self.panel.scale(exec, at, 1.0 / norm)?;
            return Ok(norm);
        }
        self.draw_one(exec, at)?;
        let norm = self.panel.square(exec, at)?.sqrt();
        self.panel.scale(exec, at, 1.0 / norm.max(GONE))?;
        Ok(0.0)
    }

    /// Cuts the basis back to its best vectors.
    pub(super) fn keep(&mut self, exec: &Exec, count: usize) -> Result<()> {
        let column = |j: usize| self.inner.column(j).iter().copied().collect();
        let weights: Vec<Vec<f64>> = (0..count).map(column).collect();
        self.panel.rotate(exec, self.m, &weights)?;
        self.m = count;
        self.values.truncate(count);
        self.h = DMatrix::from_diagonal(&DVector::from_column_slice(&self.values));
        self.inner = DMatrix::identity(count, count);
        Ok(())
    }

    /// Combinations of the basis into `x`.
    pub(super) fn gather(&mut self, exec: &Exec, weights: &[Vec<f64>; K]) -> Result<()> {
        self.panel
            .gather(exec, (self.m, weights), self.a.scale, &mut self.x)
    }

    /// The leading pairs with their Rayleigh quotients and true residuals.
    pub(super) fn certify(&mut self, exec: &Exec) -> Result<Found> {
        let count = self.options.wanted.min(self.m);
        let mut all = Vec::with_capacity(count);
        for first in (0..count).step_by(K) {
            // The last block may reach beyond what is wanted, or repeat a vector.
            let weights = [0, 1, 2, 3].map(|c| {
                let column = self.inner.column((first + c).min(self.m - 1));
                column.iter().copied().collect::<Vec<_>>()
            });
            self.gather(exec, &weights)?;
            self.multiply(exec, [1.0, 0.0, 0.0])?;
            let values = self.sums(exec, |_, x, y, s| x * y / (s * s))?;
            let squares = self.sums(exec, |c, x, y, s| {
                let r = (y - values[c] * x) / s;
                r * r
            })?;
            let residuals = squares.map(f64::sqrt);
            for c in 0..K.min(count - first) {
                let mut v = try_filled(self.x.len(), 0.0, "the eigenvectors")?;
                let rows = v.iter_mut().zip(&self.x).zip(self.a.scale);
                rows.for_each(|((v, x), s)| *v = x[c] / s);
                all.push((values[c], v, residuals[c]));
            }
        }
        // Within a cluster the filter may leave another order.
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut found = Found::none();
        for (value, vector, residual) in all {
            found.values.push(value);
            found.vectors.push(vector);
            found.residuals.push(residual);
        }
        found.products = self.products;
        Ok(found)
    }

    /// Sums over cells of a function of `x`, `y` and the scale, by column.
    pub(super) fn sums(
        &self,
        exec: &Exec,
        f: impl Fn(usize, f64, f64, f64) -> f64 + Sync,
    ) -> Result<[f64; K]> {
        let (x, y, scale) = (&self.x, &self.y, self.a.scale);
        let parts = exec.map_chunks(x.len(), CELLS, |rows| {
            let mut sum = [0.0; K];
            let both = x[rows.clone()].iter().zip(&y[rows.clone()]);
            for ((x, y), &s) in both.zip(&scale[rows]) {
                for c in 0..K {
                    sum[c] += f(c, x[c], y[c], s);
                }
            }
            sum
        })?;
        let mut total = [0.0; K];
        for part in parts {
            total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        }
        Ok(total)
    }
}
