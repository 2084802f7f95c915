//! One pass over all pairs: the sums of a plan's rows, in logarithms.
//!
//! With potentials over epsilon u and v the plan is `exp(u_i + v_j - c_ij)`. Since
//! u is the potential of the last step, the exponents are small and a row is summed
//! as it comes; a row whose sum leaves the safe range (at a cold start, or for a
//! cell far out) is summed again with its maximum taken out. That depends on
//! the data only, and a row is summed by one thread in a fixed order.

use super::cost::{Tile, View};
use super::exponential::exp32;
use super::frame::{EMPTY, WIDTH};
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;
use crate::math;
use crate::simd::{self, LANES};
use std::ops::Range;

/// Panels of rows per task: they stay in the first level cache.
pub const PANELS: usize = 4;
/// Sums outside are taken again with the maximum out. The lower end keeps what the
/// single precision exponential drops below 1e-17 of a sum of a million.
const SAFE: (f64, f64) = (1e-20, 1e30);

/// How exponentials are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// In single precision, relative error below 2e-7.
    Single,
    /// In double precision: for problems so small that it costs nothing.
    Double,
}

/// Potentials over epsilon by slot; minus infinity in empty slots.
#[derive(Debug, Clone, Copy)]
pub struct Potentials<'a> {
    pub rows: &'a [f64],
    pub cols: &'a [f64],
}

/// The row sums of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    /// Logarithm of the sum of each row, by slot; minus infinity in empty slots.
    pub log: Vec<f64>,
    /// For each panel of rows, the mass in each group of columns after every row
    /// was multiplied by the exponential of its shift; empty without shifts.
    pub masses: Vec<f64>,
}

/// Sums all rows. `shift(slot, log of its sum)` says by how much the logarithm of
/// the row will change, when the masses of groups are wanted. About
/// `n1 n2 (2 d + 20)` operations.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn row_sums<F>(
    exec: &Exec,
    view: View<'_>,
    at: Potentials<'_>,
    precision: Precision,
    shift: Option<F>,
) -> Result<Sums>
where
    F: Fn(usize, f64) -> f64 + Sync,
{
    let groups = view.cols().groups;
    let panels = view.rows().panels.len();
    let parts = exec.try_map_chunks(panels, PANELS, |range| {
        let (log, shares) = safe_sums(view, at, precision, range.clone())?;
        let mut masses = Vec::new();
        if let Some(shift) = &shift {
            masses = try_filled(range.len() * groups, 0.0, "masses of groups")?;
            for (r, (&log, shares)) in log.iter().zip(shares.chunks(groups)).enumerate() {
                let slot = range.start * WIDTH + r;
                if view.rows().cells[slot] == EMPTY || log == f64::NEG_INFINITY {
                    continue;
                }
                let total = math::exp(log + shift(slot, log));
                simd::axpy(total, shares, &mut masses[r / WIDTH * groups..][..groups]);
            }
        }
        Ok((log, masses))
    })?;
    let mut log = try_with_capacity(panels * WIDTH, "sums of rows")?;
    let mut masses = Vec::new();
    for (l, m) in parts {
        log.extend(l);
        masses.extend(m);
    }
    Ok(Sums { log, masses })
}

/// Logarithms of the sums of the rows of some panels, and which share of each
/// row lies in which group.
fn safe_sums(
    view: View<'_>,
    at: Potentials<'_>,
    precision: Precision,
    panels: Range<usize>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let groups = view.cols().groups;
    let slots = panels.start * WIDTH..panels.end * WIDTH;
    let u = &at.rows[slots.clone()];
    let mut parts = group_sums(view, u, at.cols, precision, panels.clone())?;
    let mut log = try_filled(slots.len(), f64::NEG_INFINITY, "sums of rows")?;
    for (p, panel) in panels.enumerate() {
        let rows = p * WIDTH..(p + 1) * WIDTH;
        let mut offset = [0.0; WIDTH];
        let total = |parts: &[f64], r: usize| simd::sum(&parts[r * groups..(r + 1) * groups]);
        let held = |r: usize| view.rows().cells[slots.start + r] != EMPTY;
        let lost = |r: usize| held(r) && !(SAFE.0..=SAFE.1).contains(&total(&parts, r));
        let again: Vec<usize> = rows.clone().filter(|&r| lost(r)).collect();
        if !again.is_empty() {
            let top = row_maxima(view, at, panel..panel + 1)?;
            let mut shifted = u[rows.clone()].to_vec();
            for &r in &again {
                offset[r % WIDTH] = top[r % WIDTH];
                shifted[r % WIDTH] -= top[r % WIDTH];
            }
            let new = group_sums(view, &shifted, at.cols, precision, panel..panel + 1)?;
            for &r in &again {
                let from = r % WIDTH * groups;
                parts[r * groups..(r + 1) * groups].copy_from_slice(&new[from..from + groups]);
            }
        }
        for r in rows {
            let sum = total(&parts, r);
            if held(r) && sum > 0.0 {
                log[r] = math::ln(sum) + offset[r % WIDTH];
                parts[r * groups..(r + 1) * groups]
                    .iter_mut()
                    .for_each(|m| *m /= sum);
            }
        }
    }
    Ok((log, parts))
}

/// Sums of the rows of some panels, whose potentials are `u`, over each group of
/// columns: rows x groups.
fn group_sums(
    view: View<'_>,
    u: &[f64],
    v: &[f64],
    precision: Precision,
    panels: Range<usize>,
) -> Result<Vec<f64>> {
    let groups = view.cols().groups;
    let rows = panels.len() * WIDTH;
    let mut out = try_filled(rows * groups, 0.0, "sums of rows")?;
    let mut lanes = vec![[0f64; LANES]; rows];
    let columns = &view.cols().panels;
    let last = |b: usize| b + 1 == columns.len() || columns[b + 1].group != columns[b].group;
    simd::wide(
        #[inline(always)]
        || {
            view.scan(
                panels.clone(),
                #[inline(always)]
                |a, b, tile| {
                    let first = (a - panels.start) * WIDTH;
                    let lanes = &mut lanes[first..first + WIDTH];
                    let u = &u[first..first + WIDTH];
                    let v = &v[b * WIDTH..(b + 1) * WIDTH];
                    match precision {
                        Precision::Single => add_single(tile, u, v, lanes),
                        Precision::Double => add_double(tile, u, v, lanes),
                    }
                    if last(b) {
                        let group = columns[b].group as usize;
                        for (r, lanes) in lanes.iter_mut().enumerate() {
                            out[(first + r) * groups + group] = simd::tree(*lanes);
                            *lanes = [0.0; LANES];
                        }
                    }
                },
            );
        },
    );
    Ok(out)
}

#[inline(always)]
fn add_single(tile: &Tile, u: &[f64], v: &[f64], lanes: &mut [[f64; LANES]]) {
    for (r, lanes) in lanes.iter_mut().enumerate() {
        let mut e = [0f32; WIDTH];
        for l in 0..WIDTH {
            e[l] = ((u[r] + v[l]) - f64::from(tile[r][l])) as f32;
        }
        for e in &mut e {
            *e = exp32(*e);
        }
        for l in 0..LANES {
            lanes[l] += f64::from(e[l] + e[l + LANES]);
        }
    }
}

#[inline(always)]
fn add_double(tile: &Tile, u: &[f64], v: &[f64], lanes: &mut [[f64; LANES]]) {
    for (r, lanes) in lanes.iter_mut().enumerate() {
        let at = |l: usize| math::exp((u[r] + v[l]) - f64::from(tile[r][l]));
        for (l, lane) in lanes.iter_mut().enumerate() {
            *lane += at(l) + at(l + LANES);
        }
    }
}

/// The largest exponent of each row of some panels, by slot from the first of
/// them; minus infinity in empty slots.
///
/// # Errors
/// `memory`.
pub fn row_maxima(view: View<'_>, at: Potentials<'_>, panels: Range<usize>) -> Result<Vec<f64>> {
    let rows = panels.len() * WIDTH;
    let mut lanes = vec![[f64::NEG_INFINITY; WIDTH]; rows];
    simd::wide(
        #[inline(always)]
        || {
            view.scan(
                panels.clone(),
                #[inline(always)]
                |a, b, tile| {
                    let first = (a - panels.start) * WIDTH;
                    let u = &at.rows[a * WIDTH..(a + 1) * WIDTH];
                    let v = &at.cols[b * WIDTH..(b + 1) * WIDTH];
                    for (r, lanes) in lanes[first..first + WIDTH].iter_mut().enumerate() {
                        for l in 0..WIDTH {
                            let e = (u[r] + v[l]) - f64::from(tile[r][l]);
                            lanes[l] = if e > lanes[l] { e } else { lanes[l] };
                        }
                    }
                },
            );
        },
    );
    let top = |lanes: &[f64; WIDTH]| lanes.iter().fold(f64::NEG_INFINITY, |m, &e| m.max(e));
    Ok(lanes.iter().map(top).collect())
}

/// [`row_maxima`] of all rows.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn all_maxima(exec: &Exec, view: View<'_>, at: Potentials<'_>) -> Result<Vec<f64>> {
    let panels = view.rows().panels.len();
    let parts = exec.try_map_chunks(panels, PANELS, |range| row_maxima(view, at, range))?;
    Ok(parts.concat())
}
