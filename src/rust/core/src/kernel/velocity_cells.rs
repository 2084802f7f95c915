//! Expression and velocity as the velocity kernel reads them: checked, without
//! features that lack a velocity, one cell after another in memory.

use super::connectivity::{check_square, refuse_isolated};
use super::similarity::{Moments, Similarity};
use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::simd::{self, LANES};
use crate::sparse::csr::{from_parts, row, row_range, Csr};
use ndarray::ArrayView2;
use std::borrow::Cow;

/// Cells per task.
pub(super) const CELLS: usize = 64;

/// Lines of a row that are fetched ahead.
const FETCHED: usize = 16;

/// What the kernel reads.
#[derive(Debug, Clone, Copy)]
pub struct VelocityInput<'a> {
    /// Entries above zero are neighbours; their values are not used. n x n.
    pub graph: &'a Csr,
    /// Expression, cells x features in any memory order.
    pub x: ArrayView2<'a, f64>,
    /// Velocity, likewise.
    pub v: ArrayView2<'a, f64>,
    /// Columns of both to use, or all of them.
    pub features: Option<&'a [usize]>,
}

/// Checked input.
pub(super) struct Cells<'a> {
    pub graph: Cow<'a, Csr>,
    /// Number of features in use.
    pub features: usize,
    x: Cow<'a, [f64]>,
    v: Cow<'a, [f64]>,
}

impl<'a> Cells<'a> {
    /// Checks and arranges the input: O(cells * features + edges). Copies unless the
    /// features of a cell already lie together and all are used.
    pub fn new(exec: &Exec, input: &VelocityInput<'a>) -> Result<Cells<'a>> {
        check_shapes(input)?;
        let graph = positive(input.graph)?;
        refuse_isolated((0..graph.rows()).filter(|&i| row_range(&graph, i).is_empty()))?;
        let (mut x, mut v) = (
            arranged(exec, input.x, input.features)?,
            arranged(exec, input.v, input.features)?,
        );
        let mut features = input.features.map_or(input.x.ncols(), <[usize]>::len);
        let missing = missing_features(exec, &v, features)?;
        if missing.contains(&true) {
            let kept: Vec<usize> = (0..features).filter(|&g| !missing[g]).collect();
            x = Cow::Owned(picked(exec, &x, features, &kept)?);
            v = Cow::Owned(picked(exec, &v, features, &kept)?);
            features = kept.len();
        }
        if features == 0 {
            return Err(CoreError::NoState {
                reason: "no feature is left: every one has a missing velocity or was not \
                         selected"
                    .into(),
            });
        }
        refuse_infinite(exec, &x, features, "the expression")?;
        refuse_infinite(exec, &v, features, "the velocity")?;
        Ok(Cells {
            graph,
            features,
            x,
            v,
        })
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.graph.rows()
    }

    /// Neighbours of cell `i`.
    #[inline(always)]
    pub fn near(&self, i: usize) -> &[u32] {
        row(&self.graph, i).0
    }

    /// The largest number of neighbours.
    pub fn widest(&self) -> usize {
        let count = |i| row_range(&self.graph, i).len();
        (0..self.len()).map(count).max().unwrap_or(0)
    }

    /// Expression of cell `i`.
    #[inline(always)]
    pub fn place(&self, i: usize) -> &[f64] {
        &self.x[i * self.features..(i + 1) * self.features]
    }

    /// Velocity of cell `i`.
    #[inline(always)]
    pub fn velocity(&self, i: usize) -> &[f64] {
        &self.v[i * self.features..(i + 1) * self.features]
    }

    /// Brings what is known of the neighbours of cell `i` near the processor. They
    /// lie anywhere in memory, and reading one number from each line of all of them
    /// at once waits for all together instead of for one after another. Of rows of
    /// more than a few lines the processor guesses the rest by itself.
    #[inline(always)]
    pub fn fetch(&self, i: usize, velocities: bool) {
        let mut sum = 0.0;
        for &j in self.near(i) {
            let place = self.place(j as usize);
            sum += place.iter().step_by(LANES).take(FETCHED).sum::<f64>();
            if velocities {
                let v = self.velocity(j as usize);
                sum += v.iter().step_by(LANES).take(FETCHED).sum::<f64>();
            }
        }
        std::hint::black_box(sum);
    }

    /// Centre and length of every velocity, and the cells that have none.
    pub fn moments(
        &self,
        exec: &Exec,
        similarity: Similarity,
    ) -> Result<(Vec<Moments>, Vec<usize>)> {
        let parts = exec.map_chunks(self.len(), CELLS, |rows| {
            simd::wide(
                #[inline(always)]
                || {
                    rows.map(|i| {
                        let v = self.velocity(i);
                        (similarity.moments(v), v.iter().all(|&v| v == 0.0))
                    })
                    .collect::<Vec<_>>()
                },
            )
        })?;
        let all = parts.into_iter().flatten();
        let (moments, is_still): (Vec<Moments>, Vec<bool>) = all.unzip();
        let still = (0..self.len()).filter(|&i| is_still[i]).collect();
        Ok((moments, still))
    }

    /// Where the entries of each task's rows begin.
    pub fn cuts(&self) -> Vec<usize> {
        let n = self.len();
        (0..=n.div_ceil(CELLS))
            .map(|t| match t * CELLS {
                i if i < n => row_range(&self.graph, i).start,
                _ => self.graph.nnz(),
            })
            .collect()
    }
}

fn check_shapes(input: &VelocityInput<'_>) -> Result<()> {
    check_square(input.graph)?;
    let (graph, x, v) = (input.graph, &input.x, &input.v);
    let same = |what: &str, expected: usize, found: usize| {
        if expected == found {
            return Ok(());
        }
        Err(CoreError::Shape {
            what: what.into(),
            expected,
            found,
        })
    };
    same("the cells of the expression", graph.rows(), x.nrows())?;
    same("the cells of the velocity", graph.rows(), v.nrows())?;
    same("the features of the velocity", x.ncols(), v.ncols())?;
    let beyond = |&&g: &&usize| g >= x.ncols();
    match input.features.and_then(|f| f.iter().find(beyond)) {
        Some(&g) => same("the features in use", x.ncols(), g + 1),
        None => Ok(()),
    }
}

/// The graph without entries that are not above zero.
fn positive(graph: &Csr) -> Result<Cow<'_, Csr>> {
    if graph.data().iter().all(|&w| w > 0.0) {
        return Ok(Cow::Borrowed(graph));
    }
    let mut indptr = vec![0];
    let (mut indices, mut data) = (vec![], vec![]);
    for i in 0..graph.rows() {
        let (columns, weights) = row(graph, i);
        for (&j, &w) in columns.iter().zip(weights).filter(|(_, &w)| w > 0.0) {
            indices.push(j);
            data.push(w);
        }
        indptr.push(indices.len());
    }
    let shape = (graph.rows(), graph.cols());
    from_parts(shape, indptr, indices, data).map(Cow::Owned)
}

/// The chosen features of a matrix, those of one cell together.
fn arranged<'a>(
    exec: &Exec,
    m: ArrayView2<'a, f64>,
    features: Option<&[usize]>,
) -> Result<Cow<'a, [f64]>> {
    if features.is_none() {
        if let Some(values) = m.to_slice() {
            return Ok(Cow::Borrowed(values));
        }
    }
    let width = features.map_or(m.ncols(), <[usize]>::len);
    let mut out = try_filled(m.nrows() * width, 0.0, "expression and velocity")?;
    exec.chunks_mut(&mut out, CELLS * width.max(1), |start, block| {
        let first = start / width;
        let cells = block.len() / width;
        // Along whichever lies together, a block at a time, so that neither reading
        // nor writing leaves the cache.
        if m.is_standard_layout() {
            for (c, out) in block.chunks_exact_mut(width).enumerate() {
                for (at, out) in out.iter_mut().enumerate() {
                    *out = m[(first + c, features.map_or(at, |f| f[at]))];
                }
            }
            return;
        }
        for at in 0..width {
            let column = m.column(features.map_or(at, |f| f[at]));
            let column =
                column.slice_axis(ndarray::Axis(0), ndarray::Slice::from(first..first + cells));
            for (c, &value) in column.iter().enumerate() {
                block[c * width + at] = value;
            }
        }
    })?;
    Ok(Cow::Owned(out))
}

/// Columns `kept` of a row-major matrix of `width` columns.
fn picked(exec: &Exec, m: &[f64], width: usize, kept: &[usize]) -> Result<Vec<f64>> {
    let cells = m.len() / width;
    let mut out = try_filled(cells * kept.len(), 0.0, "expression and velocity")?;
    exec.chunks_mut(&mut out, CELLS * kept.len().max(1), |start, block| {
        let first = start / kept.len();
        for (c, out) in block.chunks_exact_mut(kept.len()).enumerate() {
            let row = &m[(first + c) * width..][..width];
            for (out, &g) in out.iter_mut().zip(kept) {
                *out = row[g];
            }
        }
    })?;
    Ok(out)
}

/// Which features lack a velocity somewhere.
fn missing_features(exec: &Exec, v: &[f64], features: usize) -> Result<Vec<bool>> {
    let width = features.max(1);
    let parts = exec.map_chunks(v.len() / width, 16 * CELLS, |rows| {
        let mut missing = vec![];
        for row in v[rows.start * width..rows.end * width].chunks_exact(width) {
            if all_finite(row) {
                continue;
            }
            missing.resize(features, false);
            for (missing, v) in missing.iter_mut().zip(row) {
                *missing |= v.is_nan();
            }
        }
        missing
    })?;
    let mut all = vec![false; features];
    for part in parts {
        all.iter_mut().zip(part).for_each(|(all, v)| *all |= v);
    }
    Ok(all)
}

/// Whether a row holds only finite values: zero times anything else is not zero.
fn all_finite(row: &[f64]) -> bool {
    simd::wide(
        #[inline(always)]
        || simd::zip_sum(row, row, |v, _| v * 0.0) == 0.0,
    )
}

fn refuse_infinite(exec: &Exec, m: &[f64], features: usize, what: &str) -> Result<()> {
    let parts = exec.map_chunks(m.len() / features, 16 * CELLS, |rows| {
        let bad = |&i: &usize| !all_finite(&m[i * features..(i + 1) * features]);
        rows.filter(bad).collect::<Vec<_>>()
    })?;
    let cells: Vec<usize> = parts.into_iter().flatten().collect();
    if cells.is_empty() {
        return Ok(());
    }
    let values = cells
        .iter()
        .flat_map(|&i| &m[i * features..(i + 1) * features]);
    Err(CoreError::NotFinite {
        what: what.into(),
        count: values.filter(|v| !v.is_finite()).count(),
        cells: cells.into_iter().take(SHOWN).collect(),
    })
}
