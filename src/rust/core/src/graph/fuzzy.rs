//! Edge weights that adapt to the local density of cells (McInnes, Healy & Melville
//! 2018; section 1.5 of the graph rules).
//!
//! A fixed length scale would connect everything in dense regions and nothing in
//! sparse ones. Here each cell measures its neighbours by its own scale: the
//! nearest has weight one, and the scale is such that the weights of all k add up
//! to log2(k). An edge that two cells rate a and b gets a + b - ab, the chance that
//! at least one of two independent events happens.

use super::knn::Knn;
use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::{split_at_bounds, Exec};
use crate::math;
use crate::sparse::csr::{from_parts, row, transpose, Csr};

/// Parameters of the weights, with the defaults of the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FuzzyOptions {
    /// How many nearest neighbours count as certainly connected, interpolated
    /// between whole numbers. At least 0; larger ones join more cells.
    pub local_connectivity: f64,
    /// Factor of the sum that a cell's weights must reach; above 0.
    pub bandwidth: f64,
    /// 1 joins edges rated by either cell, 0 only those rated by both.
    pub set_op_mix_ratio: f64,
}

impl Default for FuzzyOptions {
    fn default() -> FuzzyOptions {
        FuzzyOptions {
            local_connectivity: 1.0,
            bandwidth: 1.0,
            set_op_mix_ratio: 1.0,
        }
    }
}

/// The weights of all cells are found when their sum is within this of its target.
const TOLERANCE: f64 = 1e-5;
/// Halvings of the search interval at most.
const STEPS: usize = 64;
/// A scale is at least this part of the mean distance.
pub(crate) const SMALLEST_SCALE: f64 = 1e-3;
/// Rows per task.
const ROWS: usize = 512;

/// Symmetric weights in (0, 1] with an empty diagonal, n x n. O(n k log k) and
/// about 20 exponentials per neighbour; memory is one single precision copy of the
/// directed weights, its transpose and the result.
///
/// # Errors
/// `range` for options outside their range or distances that are not finite,
/// `memory`, `interrupted`.
pub fn fuzzy_connectivities(exec: &Exec, knn: &Knn, options: &FuzzyOptions) -> Result<Csr> {
    check_options(options)?;
    check_distances(knn)?;
    let directed = memberships(exec, knn, options)?;
    let reversed = transpose(exec, &directed)?;
    union(exec, &directed, &reversed, options.set_op_mix_ratio)
}

pub(super) fn check_distances(knn: &Knn) -> Result<()> {
    let count = knn.distances.iter().filter(|d| !d.is_finite()).count();
    if count == 0 {
        return Ok(());
    }
    let bad = |&i: &usize| knn.row(i).1.iter().any(|d| !d.is_finite());
    Err(CoreError::NotFinite {
        what: "the array of distances".into(),
        count,
        cells: (0..knn.n).filter(bad).take(SHOWN).collect(),
    })
}

fn check_options(o: &FuzzyOptions) -> Result<()> {
    let range = |ok: bool, what: &str, value: f64, allowed: &str| {
        if ok {
            return Ok(());
        }
        Err(CoreError::Range {
            what: what.into(),
            value,
            allowed: allowed.into(),
        })
    };
    let lc = o.local_connectivity;
    range(
        lc >= 0.0 && lc.is_finite(),
        "local_connectivity",
        lc,
        "0 or more",
    )?;
    let b = o.bandwidth;
    range(b > 0.0 && b.is_finite(), "bandwidth", b, "above 0")?;
    let mix = o.set_op_mix_ratio;
    range(
        (0.0..=1.0).contains(&mix),
        "set_op_mix_ratio",
        mix,
        "0 to 1",
    )
}

/// How each cell rates its neighbours, rows by column, zeros left out.
fn memberships(exec: &Exec, knn: &Knn, options: &FuzzyOptions) -> Result<Csr<f32>> {
    let (n, k) = (knn.n, knn.k);
    let d = &knn.distances;
    let total = exec.sum(d.len(), |r| d[r].iter().map(|&v| f64::from(v)).sum())?;
    // The cell itself counts as a neighbour at distance zero.
    let mean = total / (n * (k + 1)).max(1) as f64;
    let target = math::log2((k + 1) as f64) * options.bandwidth;
    let parts = exec.map_chunks(n, ROWS, |rows| {
        let mut counts = Vec::with_capacity(rows.len());
        let mut entries: Vec<(u32, f32)> = Vec::with_capacity(rows.len() * k);
        for i in rows {
            let (cols, dist) = knn.row(i);
            let rho = nearest(dist, options.local_connectivity);
            let sigma = scale(dist, rho, target).max(smallest_scale(dist, rho, mean));
            let first = entries.len();
            for (&c, &d) in cols.iter().zip(dist) {
                let w = rate(f64::from(d), rho, sigma) as f32;
                if w > 0.0 {
                    entries.push((c, w));
                }
            }
            entries[first..].sort_unstable_by_key(|e| e.0);
            counts.push(entries.len() - first);
        }
        (counts, entries)
    })?;
    let mut indptr = try_filled(n + 1, 0usize, "the edge weights")?;
    for (i, count) in parts.iter().flat_map(|p| &p.0).enumerate() {
        indptr[i + 1] = indptr[i] + count;
    }
    let mut indices = crate::error::try_with_capacity(indptr[n], "the edge weights")?;
    let mut data = crate::error::try_with_capacity(indptr[n], "the edge weights")?;
    for (_, entries) in parts {
        indices.extend(entries.iter().map(|e| e.0));
        data.extend(entries.iter().map(|e| e.1));
    }
    from_parts((n, n), indptr, indices, data)
}

/// Step 1: the distance up to which a neighbour is certainly connected.
pub(crate) fn nearest(dist: &[f32], local_connectivity: f64) -> f64 {
    // Distances ascend, so the positive ones are a tail.
    let positive = &dist[dist.partition_point(|&d| d <= 0.0)..];
    let at = |i: usize| f64::from(positive[i]);
    if positive.is_empty() {
        return 0.0;
    }
    if (positive.len() as f64) < local_connectivity {
        return at(positive.len() - 1);
    }
    let whole = local_connectivity.floor();
    let part = local_connectivity - whole;
    let index = whole as usize;
    if index == 0 {
        return part * at(0);
    }
    let rho = at(index - 1);
    if part > TOLERANCE {
        rho + part * (at(index) - rho)
    } else {
        rho
    }
}

/// Step 2: the scale at which the weights add up to `target`, by bisection.
pub(crate) fn scale(dist: &[f32], rho: f64, target: f64) -> f64 {
    let (mut low, mut high, mut sigma) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..STEPS {
        let mut sum = 0.0;
        for &d in dist {
            let beyond = f64::from(d) - rho;
            sum += if beyond > 0.0 {
                math::exp(-beyond / sigma)
            } else {
                1.0
            };
        }
        if (sum - target).abs() < TOLERANCE {
            break;
        }
        if sum > target {
            high = sigma;
            sigma = 0.5 * (low + high);
        } else {
            low = sigma;
            sigma = if high.is_infinite() {
                2.0 * sigma
            } else {
                0.5 * (low + high)
            };
        }
    }
    sigma
}

/// Step 3: the smallest scale that is allowed for a row.
fn smallest_scale(dist: &[f32], rho: f64, mean: f64) -> f64 {
    if rho > 0.0 {
        let sum: f64 = dist.iter().map(|&d| f64::from(d)).sum();
        SMALLEST_SCALE * sum / (dist.len() + 1) as f64
    } else {
        SMALLEST_SCALE * mean
    }
}

/// Step 4: the weight of a neighbour.
pub(crate) fn rate(d: f64, rho: f64, sigma: f64) -> f64 {
    if d - rho <= 0.0 || sigma == 0.0 {
        1.0
    } else {
        math::exp(-(d - rho) / sigma)
    }
}

/// Calls `f(column, a_ij, b_ij)` for the union of two rows, columns ascending.
#[inline]
fn merged(a: (&[u32], &[f32]), b: (&[u32], &[f32]), mut f: impl FnMut(u32, f64, f64)) {
    let (mut p, mut q) = (0, 0);
    while p < a.0.len() || q < b.0.len() {
        let ca = a.0.get(p).copied().unwrap_or(u32::MAX);
        let cb = b.0.get(q).copied().unwrap_or(u32::MAX);
        let c = ca.min(cb);
        let (mut va, mut vb) = (0.0, 0.0);
        if ca == c {
            va = f64::from(a.1[p]);
            p += 1;
        }
        if cb == c {
            vb = f64::from(b.1[q]);
            q += 1;
        }
        f(c, va, vb);
    }
}

/// Step 5: `mix (A + A' - A o A') + (1 - mix) A o A'`, zeros left out, row by row
/// into arrays of the right size.
fn union(exec: &Exec, a: &Csr<f32>, b: &Csr<f32>, mix: f64) -> Result<Csr> {
    let n = a.rows();
    let value = |x: f64, y: f64| {
        let both = x * y;
        mix * (x + y - both) + (1.0 - mix) * both
    };
    let counts = exec.map_chunks(n, ROWS, |rows| {
        let count = |i| {
            let mut count = 0usize;
            merged(row(a, i), row(b, i), |_, x, y| {
                count += usize::from(value(x, y) > 0.0);
            });
            count
        };
        rows.map(count).collect::<Vec<_>>()
    })?;
    let mut indptr = try_filled(n + 1, 0usize, "the edge weights")?;
    for (i, count) in counts.into_iter().flatten().enumerate() {
        indptr[i + 1] = indptr[i] + count;
    }
    let mut indices = try_filled(indptr[n], 0u32, "the edge weights")?;
    let mut data = try_filled(indptr[n], 0f64, "the edge weights")?;
    let cuts: Vec<usize> = (0..=n.div_ceil(ROWS))
        .map(|t| indptr[(t * ROWS).min(n)])
        .collect();
    let tasks = split_at_bounds(&mut indices, &cuts)
        .into_iter()
        .zip(split_at_bounds(&mut data, &cuts))
        .enumerate()
        .collect();
    exec.for_each(tasks, |(t, (indices, data))| {
        let mut at = 0;
        for i in t * ROWS..((t + 1) * ROWS).min(n) {
            merged(row(a, i), row(b, i), |c, x, y| {
                let v = value(x, y);
                if v > 0.0 {
                    indices[at] = c;
                    data[at] = v;
                    at += 1;
                }
            });
        }
        Ok(())
    })?;
    from_parts((n, n), indptr, indices, data)
}

#[cfg(test)]
#[path = "fuzzy_tests.rs"]
mod tests;
