//! Mean and variance of velocity around each cell.
//!
//! The velocities of a cell and its neighbours are taken as draws of what the cell's
//! own could have been: their mean and variance (weights 1/m for m cells, the cell
//! itself among them) say where it is headed and how surely (section 1.8.2 of the
//! fate-mapping rules). They are made cell by cell when needed, in O(neighbours *
//! features), and the variance from deviations, so that it is never negative.

use super::similarity_moves::padded;
use super::velocity_cells::{Cells, VelocityInput};
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use std::ops::Range;

/// Moments of one cell after another.
pub(super) struct Spread {
    /// Mean velocity, zero beyond the features.
    pub mean: Vec<f64>,
    /// Variance, likewise.
    pub variance: Vec<f64>,
}

impl Spread {
    pub fn new(features: usize) -> Spread {
        Spread {
            mean: vec![0.0; padded(features)],
            variance: vec![0.0; padded(features)],
        }
    }

    /// The moments of cell `i`. O(neighbours * features).
    #[inline(always)]
    pub fn load(&mut self, cells: &Cells<'_>, i: usize) {
        let near = cells.near(i);
        let features = cells.features;
        let (mean, variance) = (&mut self.mean[..features], &mut self.variance[..features]);
        let others = || near.iter().map(|&j| j as usize).filter(|&j| j != i);
        let mut count = 1.0;
        mean.copy_from_slice(cells.velocity(i));
        for j in others() {
            count += 1.0;
            for (mean, v) in mean.iter_mut().zip(cells.velocity(j)) {
                *mean += v;
            }
        }
        mean.iter_mut().for_each(|m| *m /= count);
        variance.fill(0.0);
        for j in others().chain([i]) {
            for ((variance, mean), v) in variance.iter_mut().zip(&*mean).zip(cells.velocity(j)) {
                let off = v - mean;
                *variance += off * off;
            }
        }
        variance.iter_mut().for_each(|v| *v /= count);
    }
}

/// Means and variances of a range of cells, each cells x features, one cell after
/// another. For schemes that are evaluated elsewhere. O(edges * features).
///
/// # Errors
/// As [`velocity_transition`](super::velocity::velocity_transition).
pub fn velocity_moments(
    exec: &Exec,
    input: &VelocityInput<'_>,
    rows: Range<usize>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let cells = Cells::new(exec, input)?;
    let features = cells.features;
    let what = "the moments of velocity";
    let mut mean = try_filled(rows.len() * features, 0.0, what)?;
    let mut variance = try_filled(rows.len() * features, 0.0, what)?;
    let mut spread = Spread::new(features);
    let out = mean
        .chunks_exact_mut(features)
        .zip(variance.chunks_exact_mut(features));
    for (i, (mean, variance)) in rows.zip(out) {
        exec.check()?;
        spread.load(&cells, i);
        mean.copy_from_slice(&spread.mean[..features]);
        variance.copy_from_slice(&spread.variance[..features]);
    }
    Ok((mean, variance))
}
