//! From which cell time runs: roots chosen by what is known of them.
//!
//! Often only the cluster of the youngest cells is known, or that they lie at one end
//! of a diffusion component. [`root_of_cluster`] and [`root_of_component`] turn that
//! into one cell, the same one whatever sign an eigenvector came with.

use super::dpt::Spectrum;
use crate::error::{try_filled, CoreError, Result};

/// Eigenvalues closer to one than this belong to the steady states of components.
const TRIVIAL: f64 = 1e-10;
/// Share of an eigenvector's norm that must lie in a component to order its cells.
const PRESENT: f64 = 0.01;

/// Which end of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Min,
    Max,
}

/// The cell at one end of a column; ties go to the first. O(n).
fn extreme(values: impl Iterator<Item = (usize, f64)>, end: End) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (i, v) in values {
        let v = if end == End::Min { -v } else { v };
        if best.map_or(true, |(_, b)| v > b) {
            best = Some((i, v));
        }
    }
    best.map(|(i, _)| i)
}

/// The cell at one end of column `component` of the diffusion map as stored; column
/// 0 is the steady state, so 1 is the first that orders cells. O(n).
///
/// # Errors
/// `range` for a column that does not exist, `shape` and `range` for a broken map.
pub fn root_of_component(spectrum: &Spectrum<'_>, component: usize, end: End) -> Result<usize> {
    spectrum.check()?;
    let there = spectrum.vectors.ncols();
    if component >= there {
        return Err(CoreError::Range {
            what: "the component of the root".into(),
            value: component as f64,
            allowed: format!("0 to {}", there.saturating_sub(1)),
        });
    }
    let column = spectrum.vectors.column(component);
    extreme(column.iter().copied().enumerate(), end).ok_or_else(no_cells)
}

fn no_cells() -> CoreError {
    CoreError::NoState {
        reason: "no cell can be the root".into(),
    }
}

/// The cell of a cluster that lies farthest from the other cells along the first
/// diffusion component that orders them.
///
/// Only the connected component with most of the cluster counts (ties: the first).
/// There the first eigenvector of positive eigenvalue that is no steady state is
/// divided by z; the root is
/// the cell of the cluster with its largest value when the cluster's mean exceeds
/// the mean of the others, else with its smallest. A cluster that is all there is
/// has its root at the end that is farther from the mean. Ties go to the first cell;
/// the sign of the eigenvector does not matter. O(n n_comps).
///
/// # Errors
/// `shape`, `range` for a broken map; `no_state` for an empty cluster and when
/// no eigenvector orders the component.
pub fn root_of_cluster(spectrum: &Spectrum<'_>, cluster: &[bool]) -> Result<usize> {
    spectrum.check()?;
    let n = spectrum.vectors.nrows();
    if cluster.len() != n {
        return Err(CoreError::Shape {
            what: "the cluster of the root".into(),
            expected: n,
            found: cluster.len(),
        });
    }
    let home = home_component(spectrum.components, cluster)?;
    let cells: Vec<usize> = (0..n).filter(|&i| spectrum.components[i] == home).collect();
    let column = first_ordering(spectrum, &cells)?;
    let value = |i: usize| spectrum.vectors[[i, column]] / spectrum.z[i];
    let mean = |inside: bool| {
        let chosen = || cells.iter().filter(|&&i| cluster[i] == inside);
        let count = chosen().count();
        (count > 0).then(|| chosen().map(|&i| value(i)).sum::<f64>() / count as f64)
    };
    let own = || {
        cells
            .iter()
            .filter(|&&i| cluster[i])
            .map(|&i| (i, value(i)))
    };
    // The component holds cells of the cluster by its choice.
    let inside = mean(true).unwrap_or(0.0);
    let root = match mean(false) {
        Some(outside) if inside >= outside => extreme(own(), End::Max),
        Some(_) => extreme(own(), End::Min),
        None => extreme(own().map(|(i, v)| (i, (v - inside).abs())), End::Max),
    };
    root.ok_or_else(no_cells)
}

/// The component that holds most cells of the cluster; ties: the first.
fn home_component(components: &[u32], cluster: &[bool]) -> Result<u32> {
    let most = components.iter().max().map_or(0, |&c| c as usize + 1);
    let mut count = try_filled(most, 0usize, "the cells of components")?;
    for (&c, _) in components.iter().zip(cluster).filter(|(_, &own)| own) {
        count[c as usize] += 1;
    }
    let of = |(c, &k): (usize, &usize)| (c, k as f64);
    match extreme(count.iter().enumerate().map(of), End::Max) {
        Some(c) if count[c] > 0 => Ok(c as u32),
        _ => Err(CoreError::NoState {
            reason: "the cluster of the root has no cells".into(),
        }),
    }
}

/// The first column that is no steady state and lives among `cells`.
fn first_ordering(spectrum: &Spectrum<'_>, cells: &[usize]) -> Result<usize> {
    let lives = |j: &usize| {
        let here: f64 = cells
            .iter()
            .map(|&i| spectrum.vectors[[i, *j]] * spectrum.vectors[[i, *j]])
            .sum();
        let all: f64 = spectrum.vectors.column(*j).iter().map(|v| v * v).sum();
        // Negative ones swing between neighbours and order nothing.
        let value = spectrum.values[*j];
        value > 0.0 && (1.0 - value).abs() > TRIVIAL && here > PRESENT * all
    };
    (0..spectrum.values.len())
        .find(lives)
        .ok_or_else(|| CoreError::NoState {
            reason: format!(
                "none of the {} diffusion components orders the {} cells connected with \
                 the cluster of the root",
                spectrum.values.len(),
                cells.len()
            ),
        })
}
