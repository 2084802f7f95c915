//! When each edge of the graph acts.
//!
//! An edge of weight w acts in a share `w / w_max` of the epochs, evenly spread:
//! in epoch t (from 0) when `floor((t + 1) w / w_max) > floor(t w / w_max)`. Edges
//! that would never act are dropped beforehand (section 3.3 of the graph rules).
//! Shares are whole numbers of 2^-31, so whether an edge acts is decided by two
//! products of whole numbers and no state.

use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;
use crate::sparse::csr::{from_parts, row, Csr};

/// Cells up to which the longer run is the default.
const FEW_CELLS: usize = 10_000;

/// Share one, that of the heaviest edges.
pub const WHOLE: u32 = 1 << 31;

/// Epochs unless the user says otherwise. Density needs more of them, because it
/// acts in the last ones only.
pub fn default_epochs(cells: usize, density: bool) -> usize {
    let epochs = if cells <= FEW_CELLS { 500 } else { 200 };
    if density {
        epochs + 200
    } else {
        epochs
    }
}

/// The weight below which an edge never acts; `fallback` epochs count for runs of
/// ten epochs or fewer, which only place the cells.
pub fn least_weight(largest: f64, epochs: usize, fallback: usize) -> f64 {
    let epochs = if epochs <= 10 { fallback } else { epochs };
    largest / epochs as f64
}

/// The largest value of a matrix, 0 when it has none.
pub fn largest(graph: &Csr) -> f64 {
    graph.data().iter().fold(0.0, |m, &v| m.max(v))
}

/// A copy without the entries below `least` and those not above zero, and how many
/// were left out. O(entries).
///
/// # Errors
/// `memory`, `interrupted`.
pub fn prune(exec: &Exec, graph: &Csr, least: f64) -> Result<(Csr, usize)> {
    exec.check()?;
    let keep = |v: f64| v >= least && v > 0.0;
    let n = graph.rows();
    let kept = graph.data().iter().filter(|&&v| keep(v)).count();
    let mut indptr = try_filled(n + 1, 0usize, "the edges of the layout")?;
    let mut indices = try_with_capacity(kept, "the edges of the layout")?;
    let mut data = try_with_capacity(kept, "the edges of the layout")?;
    for i in 0..n {
        let (cols, values) = row(graph, i);
        for (&c, &v) in cols.iter().zip(values) {
            if keep(v) {
                indices.push(c);
                data.push(v);
            }
        }
        indptr[i + 1] = indices.len();
    }
    let dropped = graph.nnz() - kept;
    Ok((
        from_parts((n, graph.cols()), indptr, indices, data)?,
        dropped,
    ))
}

/// The share of an edge, rounded up so that the least weight acts once.
pub fn share(weight: f64, largest: f64) -> u32 {
    (weight / largest * f64::from(WHOLE)).ceil() as u32
}

/// 1 when an edge of this share acts in epoch `t`, else 0. Products wrap at 2^32;
/// their top bit is the parity of the number of acts, and a share is at most one,
/// so the number grew exactly if the parity changed.
#[inline(always)]
pub fn acts(share: u32, t: u32) -> u32 {
    let before = t.wrapping_mul(share);
    (before.wrapping_add(share) ^ before) >> 31
}
