//! Transitions along RNA velocity.
//!
//! The velocity of a cell says how its expression will change; the walk prefers
//! those neighbours whose displacement from the cell agrees with it. Scores (the
//! "logits") of all neighbours become probabilities by a softmax whose steepness is
//! set, unless given, so that the median score weighs one (Lange et al. 2022;
//! sections 1.8.3 and 1.8.4 of the fate-mapping rules, deterministic model):
//!
//! `p_j = exp(beta s_j) / sum_k exp(beta s_k)`, `beta = 1 / median |s|`, s != 0.
//!
//! Scores do not depend on beta, so the features are read once.

use super::connectivity::{check_square, refuse_isolated};
use super::similarity::{Moments, Similarity};
use crate::error::{try_filled, try_with_capacity, CoreError, Result, SHOWN};
use crate::exec::{split_at_bounds, Exec};
use crate::sparse::csr::{from_parts, row, row_range, Csr};
use crate::{math, simd};
use ndarray::{ArrayView2, CowArray, Ix2};

/// Which way in time the walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// With the velocities.
    Forward,
    /// To cells whose own velocity points here: `s(v_j, x_i - x_j)`.
    BackwardTranspose,
    /// Against the cell's own velocity: `s(-v_i, x_j - x_i)`.
    BackwardNegate,
}

/// Parameters of the kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VelocityOptions {
    pub similarity: Similarity,
    /// Steepness of the softmax; `None` takes one over the median absolute score.
    pub softmax_scale: Option<f64>,
    pub direction: Direction,
}

impl Default for VelocityOptions {
    fn default() -> VelocityOptions {
        VelocityOptions {
            similarity: Similarity::Correlation,
            softmax_scale: None,
            direction: Direction::Forward,
        }
    }
}

/// What [`velocity_transition`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct VelocityTransition {
    /// n x n, rows sum to one, zeros not stored.
    pub matrix: Csr,
    /// The unscaled scores, zeros not stored.
    pub logits: Csr,
    /// The steepness that was used.
    pub softmax_scale: f64,
    /// Whether it was estimated from the scores.
    pub estimated: bool,
    /// Cells whose velocity is zero in every feature. Unless the direction is
    /// [`Direction::BackwardTranspose`], they move to each neighbour alike.
    pub still: Vec<usize>,
}

/// Cells per task.
const CELLS: usize = 64;

/// The transition matrix of velocities `v` at expression `x` (both cells x
/// features) over the neighbours stored in `graph` (its values are not used).
/// A neighbour at the same place as the cell has no score and is never visited
/// (for the inner product it has score zero). O(edges * features) and no memory
/// beyond the result but two numbers per cell.
///
/// # Errors
/// `shape` for sizes that do not fit or no feature at all, `range` for values that
/// are not finite or a steepness not above zero, `disconnected` for cells without
/// neighbours, `no_state` when every score is zero and none was given to scale by,
/// `not_stochastic` naming cells whose neighbours all lack a score, `memory`,
/// `interrupted`.
pub fn velocity_transition(
    exec: &Exec,
    graph: &Csr,
    x: ArrayView2<'_, f64>,
    v: ArrayView2<'_, f64>,
    options: &VelocityOptions,
) -> Result<VelocityTransition> {
    let cells = Cells::new(exec, graph, x.view(), v.view(), options)?;
    let mut scores = score_all(exec, graph, &cells, options)?;
    let estimated = options.softmax_scale.is_none();
    let softmax_scale = match options.softmax_scale {
        Some(scale) => scale,
        None => estimate_scale(&scores)?,
    };
    let mut uniform = vec![false; graph.rows()];
    if options.direction != Direction::BackwardTranspose {
        cells.still.iter().for_each(|&i| uniform[i] = true);
    }
    let probabilities = softmax_rows(exec, graph, &scores, &uniform, softmax_scale)?;
    for s in scores.iter_mut().filter(|s| s.is_nan()) {
        *s = 0.0;
    }
    Ok(VelocityTransition {
        matrix: stored(graph, probabilities)?,
        logits: stored(graph, scores)?,
        softmax_scale,
        estimated,
        still: cells.still,
    })
}

/// Checked input with what is needed of each velocity.
struct Cells<'a> {
    x: CowArray<'a, f64, Ix2>,
    v: CowArray<'a, f64, Ix2>,
    features: usize,
    moments: Vec<Moments>,
    still: Vec<usize>,
}

impl<'a> Cells<'a> {
    fn new(
        exec: &Exec,
        graph: &Csr,
        x: ArrayView2<'a, f64>,
        v: ArrayView2<'a, f64>,
        options: &VelocityOptions,
    ) -> Result<Cells<'a>> {
        let (n, features) = x.dim();
        check_input(graph, &x, &v, options)?;
        refuse_isolated((0..n).filter(|&i| row_range(graph, i).is_empty()))?;
        let mut cells = Cells {
            x: row_major(x),
            v: row_major(v),
            features,
            moments: vec![],
            still: vec![],
        };
        let at = |i| cells.velocity(i);
        let similarity = options.similarity;
        let parts = exec.map_chunks(n, CELLS, |rows| {
            simd::wide(
                #[inline(always)]
                || rows.map(|i| similarity.moments(at(i))).collect::<Vec<_>>(),
            )
        })?;
        let is_still = |&i: &usize| at(i).iter().all(|&v| v == 0.0);
        let still = (0..n).filter(is_still).collect();
        cells.moments = parts.into_iter().flatten().collect();
        cells.still = still;
        Ok(cells)
    }

    #[inline(always)]
    fn place(&self, i: usize) -> &[f64] {
        // Row-major since `new`, so the slice is always there.
        let flat = self.x.as_slice().unwrap_or_default();
        &flat[i * self.features..(i + 1) * self.features]
    }

    #[inline(always)]
    fn velocity(&self, i: usize) -> &[f64] {
        let flat = self.v.as_slice().unwrap_or_default();
        &flat[i * self.features..(i + 1) * self.features]
    }
}

fn row_major(x: ArrayView2<'_, f64>) -> CowArray<'_, f64, Ix2> {
    if x.is_standard_layout() {
        x.into()
    } else {
        x.as_standard_layout().into_owned().into()
    }
}

fn check_input(
    graph: &Csr,
    x: &ArrayView2<'_, f64>,
    v: &ArrayView2<'_, f64>,
    options: &VelocityOptions,
) -> Result<()> {
    check_square(graph)?;
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
    same(
        "the features of the expression",
        x.ncols().max(1),
        x.ncols(),
    )?;
    for (what, m) in [("the expression", x.view()), ("the velocity", v.view())] {
        let count = m.iter().filter(|v| !v.is_finite()).count();
        if count > 0 {
            let bad = |r: &ndarray::ArrayView1<'_, f64>| r.iter().any(|v| !v.is_finite());
            let rows = m.rows().into_iter().enumerate();
            return Err(CoreError::NotFinite {
                what: what.into(),
                count,
                cells: rows
                    .filter(|(_, r)| bad(r))
                    .map(|r| r.0)
                    .take(SHOWN)
                    .collect(),
            });
        }
    }
    match options.softmax_scale {
        Some(value) if !(value > 0.0 && value.is_finite()) => Err(CoreError::Range {
            what: "softmax_scale".into(),
            value,
            allowed: "above 0 and finite".into(),
        }),
        _ => Ok(()),
    }
}

/// The score of every edge, NaN where it is undefined.
fn score_all(
    exec: &Exec,
    graph: &Csr,
    cells: &Cells<'_>,
    options: &VelocityOptions,
) -> Result<Vec<f64>> {
    let mut scores = try_filled(graph.nnz(), f64::NAN, "the scores")?;
    let n = graph.rows();
    let tasks = split_at_bounds(&mut scores, &cuts(graph))
        .into_iter()
        .enumerate()
        .collect();
    let similarity = options.similarity;
    exec.control().begin(n);
    exec.for_each(tasks, |(t, out)| {
        let rows = t * CELLS..((t + 1) * CELLS).min(n);
        let done = rows.len();
        simd::wide(
            #[inline(always)]
            || {
                let mut out = out.iter_mut();
                for i in rows {
                    let here = cells.place(i);
                    for (&j, out) in row(graph, i).0.iter().zip(&mut out) {
                        let j = j as usize;
                        let there = cells.place(j);
                        let score = match options.direction {
                            Direction::BackwardTranspose => {
                                let m = cells.moments[j];
                                similarity.score(cells.velocity(j), m, there, here)
                            }
                            _ => similarity.score(cells.velocity(i), cells.moments[i], here, there),
                        };
                        // The score is odd in the velocity.
                        let sign = if options.direction == Direction::BackwardNegate {
                            -1.0
                        } else {
                            1.0
                        };
                        if let Some(s) = score {
                            *out = sign * s;
                        }
                    }
                }
            },
        );
        exec.control().tick(done);
        Ok(())
    })?;
    Ok(scores)
}

/// Where the entries of each task's rows begin.
fn cuts(graph: &Csr) -> Vec<usize> {
    let n = graph.rows();
    let last = graph.nnz();
    (0..=n.div_ceil(CELLS))
        .map(|t| match t * CELLS {
            i if i < n => row_range(graph, i).start,
            _ => last,
        })
        .collect()
}

/// One over the median absolute score; zeros and undefined scores do not count.
fn estimate_scale(scores: &[f64]) -> Result<f64> {
    let counts = |s: &&f64| !s.is_nan() && **s != 0.0;
    let count = scores.iter().filter(counts).count();
    if count == 0 {
        return Err(CoreError::NoState {
            reason: "every score of velocity against displacement is zero, so the \
                     velocities carry no direction"
                .into(),
        });
    }
    let mut sizes = try_with_capacity(count, "the scores")?;
    sizes.extend(scores.iter().filter(counts).map(|s| s.abs()));
    let middle = count / 2;
    let (below, &mut upper, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
    let median = if count % 2 == 1 {
        upper
    } else {
        let lower = below.iter().fold(0.0f64, |m, &v| m.max(v));
        0.5 * (lower + upper)
    };
    let scale = 1.0 / median;
    if scale.is_finite() {
        return Ok(scale);
    }
    Err(CoreError::NoState {
        reason: "the scores of velocity against displacement are too small to scale by".into(),
    })
}

/// Softmax of each row; undefined scores get probability zero.
fn softmax_rows(
    exec: &Exec,
    graph: &Csr,
    scores: &[f64],
    uniform: &[bool],
    beta: f64,
) -> Result<Vec<f64>> {
    let n = graph.rows();
    let mut p = try_filled(scores.len(), 0f64, "the transition matrix")?;
    let tasks = split_at_bounds(&mut p, &cuts(graph))
        .into_iter()
        .enumerate()
        .collect();
    exec.for_each(tasks, |(t, mut out)| {
        for (i, &alike) in uniform
            .iter()
            .enumerate()
            .take((t + 1) * CELLS)
            .skip(t * CELLS)
        {
            let range = row_range(graph, i);
            let (p, rest) = out.split_at_mut(range.len());
            out = rest;
            if alike {
                p.fill(1.0 / range.len() as f64);
            } else {
                softmax(&scores[range], beta, p);
            }
        }
        Ok(())
    })?;
    let lost = |&i: &usize| row_range(graph, i).all(|e| p[e] == 0.0);
    let lost: Vec<usize> = (0..n).filter(lost).collect();
    if lost.is_empty() {
        return Ok(p);
    }
    Err(CoreError::NotStochastic {
        count: lost.len(),
        cells: lost.into_iter().take(SHOWN).collect(),
    })
}

/// `p = softmax(beta s)` over the scores that are defined; all zero if none is.
fn softmax(s: &[f64], beta: f64, p: &mut [f64]) {
    // `max` passes over NaN.
    let top = s.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
    let mut total = 0.0;
    for (p, &s) in p.iter_mut().zip(s) {
        if !s.is_nan() {
            *p = math::exp(beta * (s - top));
            total += *p;
        }
    }
    if total > 0.0 {
        p.iter_mut().for_each(|p| *p /= total);
    }
}

/// A matrix of `values` on the pattern of `graph`, zeros left out. O(entries).
fn stored(graph: &Csr, mut values: Vec<f64>) -> Result<Csr> {
    let mut indptr = try_with_capacity(graph.rows() + 1, "the transition matrix")?;
    let mut indices = try_with_capacity(graph.nnz(), "the transition matrix")?;
    indptr.push(0);
    for i in 0..graph.rows() {
        for e in row_range(graph, i) {
            if values[e] != 0.0 {
                values[indices.len()] = values[e];
                indices.push(graph.indices()[e]);
            }
        }
        indptr.push(indices.len());
    }
    values.truncate(indices.len());
    from_parts((graph.rows(), graph.cols()), indptr, indices, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;
    use ndarray::{array, Array2};
    use Direction::{BackwardNegate, BackwardTranspose, Forward};

    fn data(n: usize, g: usize) -> (Csr, Array2<f64>, Array2<f64>) {
        let mut s = Stream::new(6, 0, 0, 0);
        let rows = (0..n)
            .map(|i| (1..6).map(|o| (((i + o * o) % n) as u32, 1.0)).collect())
            .collect();
        let x = Array2::from_shape_fn((n, g), |_| s.normal());
        let v = Array2::from_shape_fn((n, g), |_| s.normal());
        (from_rows(n, rows).unwrap(), x, v)
    }

    fn with(similarity: Similarity, direction: Direction) -> VelocityOptions {
        VelocityOptions {
            similarity,
            direction,
            softmax_scale: None,
        }
    }

    fn run(
        data: &(Csr, Array2<f64>, Array2<f64>),
        o: &VelocityOptions,
    ) -> Result<VelocityTransition> {
        let exec = Exec::with_threads(2).unwrap();
        velocity_transition(&exec, &data.0, data.1.view(), data.2.view(), o)
    }

    /// Scores written out feature by feature.
    fn slow(d: &(Csr, Array2<f64>, Array2<f64>), o: &VelocityOptions, i: usize, j: usize) -> f64 {
        let (x, v) = (&d.1, &d.2);
        let (mut v, mut step) = match o.direction {
            Forward => (v.row(i).to_owned(), &x.row(j) - &x.row(i)),
            BackwardNegate => (-&v.row(i), &x.row(j) - &x.row(i)),
            BackwardTranspose => (v.row(j).to_owned(), &x.row(i) - &x.row(j)),
        };
        if o.similarity == Similarity::Correlation {
            v -= v.sum() / v.len() as f64;
            step -= step.sum() / step.len() as f64;
        }
        let s = v.dot(&step);
        match o.similarity {
            Similarity::DotProduct => s,
            _ => s / (v.dot(&v) * step.dot(&step)).sqrt(),
        }
    }

    #[test]
    fn the_definitions_agree() {
        let d = data(40, 11);
        for similarity in [
            Similarity::Correlation,
            Similarity::Cosine,
            Similarity::DotProduct,
        ] {
            for direction in [Forward, BackwardTranspose, BackwardNegate] {
                let o = with(similarity, direction);
                let t = run(&d, &o).unwrap();
                let mut sizes = vec![];
                for i in 0..40 {
                    let (cols, p) = row(&t.matrix, i);
                    let s: Vec<f64> = cols.iter().map(|&j| slow(&d, &o, i, j as usize)).collect();
                    let e: Vec<f64> = s.iter().map(|s| math::exp(t.softmax_scale * s)).collect();
                    for (k, p) in p.iter().enumerate() {
                        assert!((p - e[k] / e.iter().sum::<f64>()).abs() < 1e-12);
                        assert!((row(&t.logits, i).1[k] - s[k]).abs() < 1e-12);
                    }
                    sizes.extend(s.iter().map(|s| s.abs()));
                }
                sizes.sort_by(f64::total_cmp);
                let median = 0.5 * (sizes[99] + sizes[100]);
                assert!((t.softmax_scale * median - 1.0).abs() < 1e-12);
                assert!(t.estimated && t.still.is_empty());
            }
        }
    }

    #[test]
    fn negating_is_not_going_forward() {
        let d = data(30, 7);
        let forward = run(&d, &with(Similarity::Correlation, Forward)).unwrap();
        let back = run(&d, &with(Similarity::Correlation, BackwardNegate)).unwrap();
        assert_eq!(forward.softmax_scale, back.softmax_scale);
        assert_ne!(forward.matrix, back.matrix);
        let mut turned = d.clone();
        turned.2.mapv_inplace(|v| -v);
        let again = run(&turned, &with(Similarity::Correlation, Forward)).unwrap();
        for (a, b) in again.matrix.data().iter().zip(back.matrix.data()) {
            assert!((a - b).abs() < 1e-13);
        }
    }

    #[test]
    fn still_cells_move_alike() {
        let mut d = data(20, 5);
        d.2.row_mut(4).fill(0.0);
        let t = run(&d, &with(Similarity::Correlation, Forward)).unwrap();
        assert_eq!(t.still, [4]);
        assert_eq!(row(&t.matrix, 4).1, [0.2; 5]);
        assert!(row(&t.logits, 4).0.is_empty());
        // Seen from behind, it is a neighbour that nobody came from.
        let t = run(&d, &with(Similarity::Correlation, BackwardTranspose)).unwrap();
        assert!((0..20).all(|i| !row(&t.matrix, i).0.contains(&4)));
        d.2.fill(0.0);
        let e = run(&d, &with(Similarity::Correlation, Forward)).unwrap_err();
        assert_eq!(e.kind(), "no_state");
        let fixed = VelocityOptions {
            softmax_scale: Some(3.0),
            ..VelocityOptions::default()
        };
        let t = run(&d, &fixed).unwrap();
        assert!(!t.estimated && t.matrix.data().iter().all(|&p| p == 0.2));
    }

    #[test]
    fn duplicates_are_never_visited() {
        let mut d = data(20, 5);
        let same = d.1.row(4).to_owned();
        d.1.row_mut(3).assign(&same);
        let t = run(&d, &with(Similarity::Correlation, Forward)).unwrap();
        assert!(row(&d.0, 3).0.contains(&4) && !row(&t.matrix, 3).0.contains(&4));
        let sum: f64 = row(&t.matrix, 3).1.iter().sum();
        assert!((sum - 1.0).abs() < 1e-15);
        for j in [7, 12, 19, 8] {
            d.1.row_mut(j).assign(&same);
        }
        match run(&d, &with(Similarity::Correlation, Forward)) {
            Err(CoreError::NotStochastic { cells, .. }) => assert_eq!(cells, [3]),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_number_of_threads_and_any_path_give_the_same_bits() {
        let d = data(700, 37);
        for direction in [Forward, BackwardTranspose] {
            let o = with(Similarity::Correlation, direction);
            let run = |t| {
                let exec = Exec::with_threads(t).unwrap();
                velocity_transition(&exec, &d.0, d.1.view(), d.2.view(), &o).unwrap()
            };
            crate::testing::same_bits(run);
        }
    }

    #[test]
    fn layout_does_not_matter() {
        let d = data(30, 9);
        let o = VelocityOptions::default();
        let turned = d.1.t().as_standard_layout().into_owned();
        let exec = Exec::serial();
        let t = velocity_transition(&exec, &d.0, turned.t(), d.2.view(), &o).unwrap();
        assert_eq!(t, run(&d, &o).unwrap());
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let o = VelocityOptions::default();
        let kind = |d: &(Csr, Array2<f64>, Array2<f64>), o| run(d, o).unwrap_err().kind();
        let good = data(10, 4);
        let mut d = good.clone();
        d.2[(3, 1)] = f64::NAN;
        assert_eq!(kind(&d, &o), "range");
        let mut d = good.clone();
        d.2 = Array2::zeros((10, 3));
        assert_eq!(kind(&d, &o), "shape");
        d.1 = Array2::zeros((10, 0));
        d.2 = Array2::zeros((10, 0));
        assert_eq!(kind(&d, &o), "shape");
        let mut zero = o;
        zero.softmax_scale = Some(0.0);
        assert_eq!(kind(&good, &zero), "range");
        let alone = from_rows(2, vec![vec![(1, 1.0)], vec![]]).unwrap();
        let x = array![[1.0, 2.0], [2.0, 1.0]];
        assert_eq!(kind(&(alone, x.clone(), x), &o), "disconnected");
    }
}
