//! Moments and velocities of eight genes written to the rows of their cells.

use super::estimate::GeneFit;
use super::lanes::{Columns, Gene};
use super::stochastic::second_order;
use crate::simd::LANES;
use ndarray::{ArrayViewMut2, Axis, Slice};
use std::array::from_fn;

/// The results of one task: spliced and unspliced moments, velocity, variance.
pub(super) type Sinks<'a> = [Option<ArrayViewMut2<'a, f64>>; 4];

/// Writes `fill(place)` to the row of the cell at each place in `order`, for the
/// `width` genes from `at` on.
fn write(
    sink: &mut Option<ArrayViewMut2<f64>>,
    (at, width): (usize, usize),
    order: &[u32],
    mut fill: impl FnMut(usize) -> [f64; LANES],
) {
    let Some(view) = sink else { return };
    let mut lines = view.slice_axis_mut(Axis(1), Slice::from(at..at + width));
    for (place, &cell) in order.iter().enumerate() {
        // Rows are contiguous: checked on entry.
        if let Some(row) = lines.row_mut(cell as usize).into_slice() {
            row.copy_from_slice(&fill(place)[..width]);
        }
    }
}

pub(super) fn write_moments(
    sinks: &mut Sinks,
    at: usize,
    width: usize,
    (order, columns): (&[u32], &Columns),
) {
    let genes: [Gene; LANES] = from_fn(|l| columns.gene(l));
    write(&mut sinks[0], (at, width), order, |cell| {
        from_fn(|l| genes[l].s[cell])
    });
    write(&mut sinks[1], (at, width), order, |cell| {
        from_fn(|l| genes[l].u[cell])
    });
}

/// The lines of up to eight genes in one group.
#[derive(Clone, Copy, Default)]
pub(super) struct Lines {
    width: usize,
    gamma: [f64; LANES],
    offset: [f64; LANES],
    offset2: [f64; LANES],
    refitted: [bool; LANES],
}

impl Lines {
    pub fn of(fits: &[GeneFit], group: usize, groups: usize) -> Lines {
        let mut lines = Lines {
            width: fits.len() / groups,
            ..Lines::default()
        };
        for (l, fit) in fits.iter().skip(group).step_by(groups).enumerate() {
            lines.gamma[l] = fit.gamma;
            lines.offset[l] = fit.offset;
            lines.offset2[l] = fit.offset2;
            lines.refitted[l] = fit.refitted;
        }
        lines
    }
}

/// Velocity `u - gamma s - offset`, and what the second moments leave unexplained:
/// `(y2 - 2 s u) - gamma (x2 - 2 s s) + 2 offset s - offset2`.
pub(super) fn write_velocities(
    sinks: &mut Sinks,
    at: usize,
    lines: &[Lines],
    owner: Option<&[u32]>,
    (order, columns): (&[u32], &Columns),
) {
    let width = lines.first().map_or(0, |l| l.width);
    let genes: [Gene; LANES] = from_fn(|l| columns.gene(l));
    let of = |cell: usize| lines.get(owner.map_or(0, |owner| owner[cell] as usize));
    write(&mut sinks[2], (at, width), order, |cell| {
        of(cell).map_or([0.0; LANES], |line| {
            from_fn(|l| genes[l].u[cell] - line.gamma[l] * genes[l].s[cell] - line.offset[l])
        })
    });
    write(&mut sinks[3], (at, width), order, |cell| {
        of(cell).map_or([0.0; LANES], |line| {
            from_fn(|l| {
                if !line.refitted[l] {
                    return 0.0;
                }
                let g = &genes[l];
                let (s, u) = (g.s[cell], g.u[cell]);
                let (x, y) = second_order(s, u, g.ss[cell], g.us[cell]);
                let rest = (y - 2.0 * s * u) - line.gamma[l] * (x - 2.0 * s * s);
                rest + 2.0 * line.offset[l] * s - line.offset2[l]
            })
        })
    });
}
