//! Where the cells of a layout start.
//!
//! The start decides the global arrangement, the forces only the local one. Every
//! start is finally stretched to [0, 10] in each coordinate (sections 3.4 and 3.7
//! of the graph rules).

use super::super::spectral::{spectral_layout, SpectralUsed};
use super::Init;
use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::rng::Stream;
use crate::sparse::csr::{row, Csr};
use ndarray::{Array2, ArrayView2};

/// Purposes of the draws.
const RANDOM: u64 = 0x756d_7301;
const APART: u64 = 0x756d_7302;
const GROUPS: u64 = 0x756d_7303;
/// Half the width of a random start.
const WIDTH: f64 = 10.0;
/// Width to which every start is stretched.
const EXTENT: f64 = 10.0;
/// Noise that tells duplicates apart, in mean distances to the nearest cell.
const NOISE: f64 = 1e-3;

/// How a start was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// From the eigenvectors of the graph, or what stood in for them; the largest
    /// residual of those used.
    Spectral {
        used: SpectralUsed,
        components: usize,
        residual: f64,
    },
    /// At random.
    Random,
    /// As given; `noise` is the deviation added because of duplicates, else 0.
    Given { noise: f64 },
    /// Around the positions of groups; `noise` as for given ones.
    Groups { noise: f64 },
}

/// Start positions (cells x components) in [0, 10]. O(n log n) beside the
/// eigenvectors; cells at the same place cost a search for nearest cells.
///
/// # Errors
/// `shape` and `range` for a start that does not fit, `memory`, `interrupted`.
pub fn start(
    exec: &Exec,
    graph: &Csr,
    data: Option<ArrayView2<'_, f64>>,
    n_components: usize,
    init: &Init,
    seed: u64,
) -> Result<(Array2<f64>, Start)> {
    let n = graph.rows();
    let (mut y, how) = match init {
        Init::Spectral => {
            let found = spectral_layout(exec, graph, data, n_components, seed)?;
            let how = Start::Spectral {
                used: found.used,
                components: found.components,
                residual: found.residual,
            };
            (found.positions, how)
        }
        Init::Random => {
            let mut y = zeros(n, n_components)?;
            for (i, mut row) in y.rows_mut().into_iter().enumerate() {
                let mut draw = Stream::new(seed, RANDOM, i as u64, 0);
                row.mapv_inplace(|_| WIDTH * (2.0 * draw.uniform() - 1.0));
            }
            (y, Start::Random)
        }
        Init::Given(given) => {
            check_given(given, n, n_components)?;
            let mut y = given.clone();
            let noise = tell_apart(&mut y, seed);
            (y, Start::Given { noise })
        }
        Init::Paga {
            groups,
            positions,
            connectivities,
        } => {
            check_groups(groups, positions, connectivities, n, n_components)?;
            let mut y = around_groups(groups, positions, connectivities, seed)?;
            let noise = tell_apart(&mut y, seed);
            (y, Start::Groups { noise })
        }
    };
    stretch(&mut y);
    Ok((y, how))
}

fn zeros(n: usize, columns: usize) -> Result<Array2<f64>> {
    let values = try_filled(n.saturating_mul(columns), 0.0, "the layout")?;
    Array2::from_shape_vec((n, columns), values).map_err(|_| shape("the layout", n, columns))
}

fn shape(what: &str, expected: usize, found: usize) -> CoreError {
    CoreError::Shape {
        what: what.into(),
        expected,
        found,
    }
}

fn check_given(y: &Array2<f64>, n: usize, n_components: usize) -> Result<()> {
    if y.nrows() != n {
        return Err(shape("the start positions", n, y.nrows()));
    }
    if y.ncols() != n_components {
        return Err(shape("a start position", n_components, y.ncols()));
    }
    finite("the start positions", y)
}

fn finite(what: &str, y: &Array2<f64>) -> Result<()> {
    let count = y.iter().filter(|v| !v.is_finite()).count();
    if count == 0 {
        return Ok(());
    }
    let bad = |i: &usize| y.row(*i).iter().any(|v| !v.is_finite());
    Err(CoreError::NotFinite {
        what: what.into(),
        count,
        cells: (0..y.nrows()).filter(bad).take(SHOWN).collect(),
    })
}

fn check_groups(
    groups: &[u32],
    positions: &Array2<f64>,
    connectivities: &Csr,
    n: usize,
    n_components: usize,
) -> Result<()> {
    if n_components != 2 {
        return Err(CoreError::Range {
            what: "n_components".into(),
            value: n_components as f64,
            allowed: "2 when the start comes from groups".into(),
        });
    }
    if groups.len() != n {
        return Err(shape("the groups", n, groups.len()));
    }
    let count = positions.nrows();
    if positions.ncols() != 2 {
        return Err(shape("a group position", 2, positions.ncols()));
    }
    if connectivities.rows() != count || connectivities.cols() != count {
        let found = connectivities.rows();
        return Err(shape("the connectivities of the groups", count, found));
    }
    if let Some(&bad) = groups.iter().find(|&&g| g as usize >= count) {
        return Err(shape("the group positions", bad as usize + 1, count));
    }
    finite("the group positions", positions)
}

/// Every cell between its group and the group that this one is most connected to,
/// nearer to its own.
fn around_groups(
    groups: &[u32],
    positions: &Array2<f64>,
    connectivities: &Csr,
    seed: u64,
) -> Result<Array2<f64>> {
    let nearest = |g: usize| {
        let (cols, values) = row(connectivities, g);
        let mut best: Option<(f64, usize)> = None;
        for (&c, &v) in cols.iter().zip(values) {
            // The first of equal ones, so that the answer does not depend on luck.
            if c as usize != g && v > best.map_or(0.0, |b| b.0) {
                best = Some((v, c as usize));
            }
        }
        best.map(|b| b.1)
    };
    let towards: Vec<Option<usize>> = (0..positions.nrows()).map(nearest).collect();
    let mut y = zeros(groups.len(), 2)?;
    for (i, &g) in groups.iter().enumerate() {
        let g = g as usize;
        let mut draw = Stream::new(seed, GROUPS, i as u64, 0);
        for d in 0..2 {
            let at = positions[[g, d]];
            let u = draw.uniform();
            y[[i, d]] = match towards[g] {
                Some(other) => at + (u * u - 0.5) * (at - positions[[other, d]]),
                None => at,
            };
        }
    }
    Ok(y)
}

/// Adds noise to all cells when some stand at the same place, and returns its
/// deviation.
fn tell_apart(y: &mut Array2<f64>, seed: u64) -> f64 {
    let order = by_position(y);
    let repeats = order.windows(2).any(|w| y.row(w[0]) == y.row(w[1]));
    if !repeats {
        return 0.0;
    }
    let mean = mean_nearest(y, &order);
    // All cells at the same place: any noise will do, it is stretched afterwards.
    let noise = if mean > 0.0 { NOISE * mean } else { NOISE };
    for (i, mut row) in y.rows_mut().into_iter().enumerate() {
        let mut draw = Stream::new(seed, APART, i as u64, 0);
        row.mapv_inplace(|v| v + noise * draw.normal());
    }
    noise
}

/// Rows in ascending order of their coordinates.
fn by_position(y: &Array2<f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..y.nrows()).collect();
    order.sort_by(|&i, &j| {
        let mut pairs = y.row(i).into_iter().zip(y.row(j));
        pairs
            .find_map(|(a, b)| Some(a.total_cmp(b)).filter(|o| o.is_ne()))
            .unwrap_or(i.cmp(&j))
    });
    order
}

/// Mean distance to the nearest other row. Rows are looked at outwards along the
/// first coordinate until it alone is too far.
fn mean_nearest(y: &Array2<f64>, order: &[usize]) -> f64 {
    let square = |i: usize, j: usize| -> f64 {
        let pairs = y.row(i).into_iter().zip(y.row(j));
        pairs.map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let mut sum = 0.0;
    for (p, &i) in order.iter().enumerate() {
        let mut best = f64::INFINITY;
        let mut look = |j: usize| {
            let along = y[[i, 0]] - y[[j, 0]];
            if along * along >= best {
                return false;
            }
            best = best.min(square(i, j));
            true
        };
        let _ = order[..p].iter().rev().all(|&j| look(j));
        let _ = order[p + 1..].iter().all(|&j| look(j));
        sum += best.sqrt();
    }
    sum / order.len().max(1) as f64
}

/// Each column to [0, 10]; a constant one to 0.
fn stretch(y: &mut Array2<f64>) {
    for mut column in y.columns_mut() {
        let low = column.iter().fold(f64::INFINITY, |m, &v| m.min(v));
        let high = column.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
        // Halves, because the difference of finite numbers can overflow.
        let width = 0.5 * high - 0.5 * low;
        column.mapv_inplace(|v| {
            if width > 0.0 {
                EXTENT * ((0.5 * v - 0.5 * low) / width)
            } else {
                0.0
            }
        });
    }
}
