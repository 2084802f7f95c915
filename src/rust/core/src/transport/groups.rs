//! Groups of cells for the coarse correction.
//!
//! k-means (Lloyd 1982) on the cells of both sides together, seeded as by Arthur
//! and Vassilvitskii (2007) from a fixed stream. Where only costs are known, a
//! source is described by its distances to a few targets, and a target
//! joins the group of sources that is nearest to it. Groups change how fast the
//! iteration converges, never what it converges to, so a rough clustering of a
//! sample of the cells will do.

use super::cost::Labels;
use super::points::{Points, Which};
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::{Exec, CHUNK};
use crate::rng::Stream;
use crate::simd;
use ndarray::ArrayView2;

/// Cells that k-means runs on, at most.
const SAMPLE: usize = 20_000;
/// Rounds of Lloyd's iteration, at most.
const ROUNDS: usize = 10;
/// Targets that describe a source, and sources that describe a group.
const LANDMARKS: usize = 32;
/// Cells tried for each seed.
const TRIALS: usize = 4;
/// Purpose of the stream of seeds.
const SEEDS: u64 = 0x6f74_6b6d;

/// Groups of the points of both sides. O(n d groups).
///
/// # Errors
/// `memory`, `interrupted`.
pub fn of_points(exec: &Exec, points: &Points<'_>, groups: usize) -> Result<Labels> {
    let (n1, d) = (points.side(Which::Sources).nrows(), points.dims());
    let n = n1 + points.side(Which::Targets).nrows();
    let place = |i: usize, out: &mut [f64]| {
        if i < n1 {
            points.place(Which::Sources, i, out);
        } else {
            points.place(Which::Targets, i - n1, out);
        }
    };
    let centres = centres(exec, n, d, groups, place)?;
    let mut labels = assign(exec, n, d, &centres, place)?;
    let cols = compact(&labels.split_off(n1));
    Ok(Labels {
        rows: compact(&labels),
        cols,
    })
}

/// Groups of cells between which only costs are known.
///
/// # Errors
/// As [`of_points`].
pub fn of_costs(exec: &Exec, costs: ArrayView2<'_, f64>, groups: usize) -> Result<Labels> {
    let (n1, n2) = costs.dim();
    let d = LANDMARKS.min(n2);
    let finite = |v: &&f64| v.is_finite();
    let most = costs.iter().filter(finite).fold(0.0, |m: f64, &v| m.max(v));
    let distance = |i: usize, j: usize| costs[(i, j)].min(2.0 * most).sqrt();
    let place = |i: usize, out: &mut [f64]| {
        for (g, o) in out.iter_mut().enumerate() {
            *o = distance(i, g * n2 / d);
        }
    };
    let centres = centres(exec, n1, d, groups, place)?;
    let rows = compact(&assign(exec, n1, d, &centres, place)?);
    let count = rows.iter().max().map_or(0, |&g| g as usize + 1);
    let mut members = vec![Vec::new(); count];
    for (i, &g) in rows.iter().enumerate() {
        if members[g as usize].len() < LANDMARKS {
            members[g as usize].push(i);
        }
    }
    let near = exec.map_chunks(n2, CHUNK, |range| {
        let away = |j: usize, g: usize| {
            let sum: f64 = members[g].iter().map(|&i| distance(i, j)).sum();
            sum / members[g].len() as f64
        };
        range
            .map(|j| nearest((0..count).map(|g| away(j, g))))
            .collect::<Vec<u32>>()
    })?;
    Ok(Labels {
        cols: compact(&near.concat()),
        rows,
    })
}

/// Centres of k-means, groups x d, of a sample that is spread evenly over the
/// cells. Cells at a centre already are never seeds, so there may be fewer.
fn centres<P>(exec: &Exec, n: usize, d: usize, groups: usize, place: P) -> Result<Vec<f64>>
where
    P: Fn(usize, &mut [f64]) + Sync,
{
    let m = n.min(SAMPLE);
    let mut cells = try_filled(m * d, 0.0, "a sample of cells")?;
    for (at, row) in cells.chunks_exact_mut(d).enumerate() {
        place((at as u128 * n as u128 / m as u128) as usize, row);
    }
    let cell = |i: usize| &cells[i * d..(i + 1) * d];
    let mut centres = seeds(m, d, groups, cell)?;
    let mut labels = Vec::new();
    for _ in 0..ROUNDS {
        exec.check()?;
        let new = assign(exec, m, d, &centres, |i, out| out.copy_from_slice(cell(i)))?;
        if new == labels {
            break;
        }
        labels = new;
        let mut sums = vec![0.0; centres.len()];
        let mut counts = vec![0.0; centres.len() / d];
        for (i, &g) in labels.iter().enumerate() {
            counts[g as usize] += 1.0;
            simd::axpy(1.0, cell(i), &mut sums[g as usize * d..][..d]);
        }
        for (g, &count) in counts.iter().enumerate().filter(|c| *c.1 > 0.0) {
            for k in g * d..(g + 1) * d {
                centres[k] = sums[k] / count;
            }
        }
    }
    Ok(centres)
}

/// Seeds: each is the best of a few cells drawn in proportion to the squared
/// distance from the seeds before.
fn seeds<'a>(
    m: usize,
    d: usize,
    groups: usize,
    cell: impl Fn(usize) -> &'a [f64],
) -> Result<Vec<f64>> {
    let mut stream = Stream::new(0, SEEDS, groups as u64, m as u64);
    let mut away = try_filled(m, f64::INFINITY, "distances")?;
    let mut trial = try_filled(m, 0.0, "distances")?;
    let mut out = try_with_capacity(groups * d, "centres")?;
    let mut candidates = vec![m / 2];
    while out.len() < groups * d && !candidates.is_empty() {
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for &at in &candidates {
            for (i, (t, a)) in trial.iter_mut().zip(&away).enumerate() {
                *t = a.min(square(cell(i), cell(at)));
            }
            let total = simd::sum(&trial);
            if best.as_ref().map_or(true, |b| total < b.0) {
                best = Some((total, at, trial.clone()));
            }
        }
        if let Some((_, at, new)) = best {
            out.extend_from_slice(cell(at));
            away = new;
        }
        candidates.clear();
        for _ in 0..TRIALS {
            candidates.extend(draw(&away, stream.uniform()));
        }
    }
    Ok(out)
}

/// A cell drawn in proportion to its weight; none when all weights are zero. The
/// last one with a weight stands in when rounding leaves a rest.
fn draw(weights: &[f64], uniform: f64) -> Option<usize> {
    let mut left = uniform * weights.iter().sum::<f64>();
    let mut found = None;
    for (i, &w) in weights.iter().enumerate().filter(|w| *w.1 > 0.0) {
        found = Some(i);
        left -= w;
        if left < 0.0 {
            break;
        }
    }
    found
}

#[inline(always)]
fn square(a: &[f64], b: &[f64]) -> f64 {
    simd::zip_sum(a, b, |x, y| (x - y) * (x - y))
}

/// The nearest centre of each cell.
fn assign<P>(exec: &Exec, n: usize, d: usize, centres: &[f64], place: P) -> Result<Vec<u32>>
where
    P: Fn(usize, &mut [f64]) + Sync,
{
    let parts = exec.map_chunks(n, CHUNK / 4, |range| {
        let mut row = vec![0.0; d];
        range
            .map(|i| {
                place(i, &mut row);
                simd::wide(
                    #[inline(always)]
                    || nearest(centres.chunks_exact(d).map(|c| square(&row, c))),
                )
            })
            .collect::<Vec<u32>>()
    })?;
    Ok(parts.concat())
}

/// Index of the smallest value, the first of equal ones.
#[inline(always)]
fn nearest(values: impl Iterator<Item = f64>) -> u32 {
    let mut best = (0, f64::INFINITY);
    for (g, v) in values.enumerate() {
        if v < best.1 {
            best = (g as u32, v);
        }
    }
    best.0
}

/// Labels renumbered so that every one occurs.
fn compact(labels: &[u32]) -> Vec<u32> {
    let mut code = vec![u32::MAX; labels.iter().max().map_or(0, |&g| g as usize + 1)];
    for &g in labels {
        code[g as usize] = 0;
    }
    for (next, c) in (0..).zip(code.iter_mut().filter(|c| **c == 0)) {
        *c = next;
    }
    labels.iter().map(|&g| code[g as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::same_bits;
    use ndarray::Array2;

    /// Four islands of points, both sides, island by `i % 4`.
    fn islands(n: usize) -> Array2<f64> {
        let mut s = Stream::new(1, 0, n as u64, 0);
        Array2::from_shape_fn((n, 3), |(i, g)| {
            s.normal() + if i % 4 == g { 40.0 } else { 0.0 }
        })
    }

    fn one_group_per_island(labels: &[u32]) -> bool {
        labels.len() > 4 && labels.iter().enumerate().all(|(i, g)| *g == labels[i % 4])
    }

    #[test]
    fn islands_are_found_in_points_and_in_costs() {
        let (x, y) = (islands(120), islands(90));
        let points = Points::new(x.view(), y.view()).unwrap();
        let exec = Exec::serial();
        let found = of_points(&exec, &points, 4).unwrap();
        assert!(one_group_per_island(&found.rows) && one_group_per_island(&found.cols));
        let costs = Array2::from_shape_fn((120, 90), |(i, j)| {
            let v = x
                .row(i)
                .iter()
                .zip(y.row(j))
                .map(|(a, b)| (a - b) * (a - b))
                .sum();
            if i % 4 == j % 4 {
                v
            } else {
                f64::INFINITY
            }
        });
        let found = of_costs(&exec, costs.view(), 4).unwrap();
        assert!(one_group_per_island(&found.rows) && one_group_per_island(&found.cols));
    }

    #[test]
    fn equal_cells_make_one_group() {
        let x = Array2::zeros((7, 2));
        let points = Points::new(x.view(), x.view()).unwrap();
        let found = of_points(&Exec::serial(), &points, 3).unwrap();
        assert_eq!(found, Labels::one(7, 7).unwrap());
        assert_eq!(compact(&[5, 2, 5, 9]), [1, 0, 1, 2]);
    }

    #[test]
    fn the_same_on_any_number_of_threads() {
        let (x, y) = (islands(3000), islands(2500));
        let points = Points::new(x.view(), y.view()).unwrap();
        same_bits(|t| of_points(&Exec::with_threads(t).unwrap(), &points, 9).unwrap());
    }
}
