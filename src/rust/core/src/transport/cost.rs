//! Costs over epsilon, made tile by tile.
//!
//! The squared distances of a block of source cells and a block of target cells
//! are formed when they are needed and never kept; only costs that the user gives
//! are held (in single precision). An entry has the same bits whichever side asks
//! for it and wherever its cells lie, so that the sums over rows and over columns
//! see the same matrix.

use super::frame::{Frame, WIDTH};
use super::points::{pack, Cloud, Points, Which};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use ndarray::ArrayView2;
use std::ops::Range;

/// Rows of a register block.
const HEIGHT: usize = 4;

/// `C / epsilon` for one block of cells of each side.
pub type Tile = [[f32; WIDTH]; WIDTH];

/// A matrix of costs over epsilon, sources x targets.
#[derive(Debug, Clone)]
pub struct Cost {
    rows: Frame,
    cols: Frame,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Squared distances of points that have been divided by
    /// `sqrt(scale * epsilon)`.
    Points { d: usize, x: Cloud, y: Cloud },
    /// Given costs: tile (a, b) at `(a * panels of columns + b) * WIDTH^2`.
    Given(Vec<f32>),
}

/// Groups of sources and of targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    pub rows: Vec<u32>,
    pub cols: Vec<u32>,
}

impl Labels {
    /// Everybody in one group.
    ///
    /// # Errors
    /// `memory`.
    pub fn one(rows: usize, cols: usize) -> Result<Labels> {
        Ok(Labels {
            rows: try_filled(rows, 0, "groups of cells")?,
            cols: try_filled(cols, 0, "groups of cells")?,
        })
    }
}

impl Cost {
    /// Squared distances times `factor^2`. Memory 4 d (n1 + n2) bytes.
    ///
    /// # Errors
    /// `range` for points too far out, `memory`, `interrupted`.
    pub fn of_points(
        exec: &Exec,
        points: &Points<'_>,
        factor: f64,
        labels: &Labels,
    ) -> Result<Cost> {
        let side = |which, labels: &[u32]| -> Result<(Frame, Cloud)> {
            let frame = Frame::new(labels, &points.far(which, factor)?)?;
            let cloud = pack(exec, points, which, &frame, factor)?;
            Ok((frame, cloud))
        };
        let (rows, x) = side(Which::Sources, &labels.rows)?;
        let (cols, y) = side(Which::Targets, &labels.cols)?;
        let d = points.dims();
        Ok(Cost {
            rows,
            cols,
            kind: Kind::Points { d, x, y },
        })
    }

    /// Given costs, sources x targets, divided by `epsilon`; infinite ones forbid
    /// a pair. Memory 4 n1 n2 bytes.
    ///
    /// # Errors
    /// `range` for costs that are negative or NaN and for cells without any
    /// finite cost, `memory`.
    pub fn given(costs: ArrayView2<'_, f64>, epsilon: f64, labels: &Labels) -> Result<Cost> {
        check_given(&costs)?;
        let near = |n| try_filled(n, false, "the order of cells");
        let rows = Frame::new(&labels.rows, &near(costs.nrows())?)?;
        let cols = Frame::new(&labels.cols, &near(costs.ncols())?)?;
        let across = cols.panels.len();
        let size = rows.panels.len() * across * WIDTH * WIDTH;
        let mut values = try_filled(size, 0f32, "the costs")?;
        for (j, target) in cols.held() {
            for (i, source) in rows.held() {
                let tile = i / WIDTH * across + j / WIDTH;
                let at = (tile * WIDTH + i % WIDTH) * WIDTH + j % WIDTH;
                values[at] = (costs[(source, target)] / epsilon) as f32;
            }
        }
        Ok(Cost {
            rows,
            cols,
            kind: Kind::Given(values),
        })
    }

    /// Sources x targets.
    pub fn view(&self) -> View<'_> {
        View {
            cost: self,
            turned: false,
        }
    }

    /// Targets x sources.
    pub fn turned(&self) -> View<'_> {
        View {
            cost: self,
            turned: true,
        }
    }
}

fn check_given(costs: &ArrayView2<'_, f64>) -> Result<()> {
    let range = |what: &str, value: f64, allowed: &str| CoreError::Range {
        what: what.into(),
        value,
        allowed: allowed.into(),
    };
    if costs.is_empty() {
        return Err(range(
            "the size of the costs",
            0.0,
            "at least one cell each",
        ));
    }
    if let Some(&bad) = costs.iter().find(|v| v.is_nan() || **v < 0.0) {
        return Err(range("a cost", bad, "numbers that are not negative"));
    }
    let alone = |lane: ndarray::ArrayView1<'_, f64>| lane.iter().all(|v| v.is_infinite());
    let sources = costs.rows().into_iter().filter(|r| alone(*r)).count();
    let targets = costs.columns().into_iter().filter(|c| alone(*c)).count();
    if sources + targets > 0 {
        return Err(range(
            "the number of cells without a finite cost",
            (sources + targets) as f64,
            "0",
        ));
    }
    Ok(())
}

/// A matrix of costs, or its transpose.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    cost: &'a Cost,
    turned: bool,
}

impl<'a> View<'a> {
    /// The side whose cells are the rows.
    pub fn rows(&self) -> &'a Frame {
        if self.turned {
            &self.cost.cols
        } else {
            &self.cost.rows
        }
    }

    /// The side whose cells are the columns.
    pub fn cols(&self) -> &'a Frame {
        if self.turned {
            &self.cost.rows
        } else {
            &self.cost.cols
        }
    }

    /// Calls `f(row panel, column panel, tile)` for the row panels given, for one
    /// column panel after the other. To be called inside [`crate::simd::wide`].
    #[inline(always)]
    pub fn scan(&self, rows: Range<usize>, mut f: impl FnMut(usize, usize, &Tile)) {
        let mut tile = [[0f32; WIDTH]; WIDTH];
        for b in 0..self.cols().panels.len() {
            for a in rows.clone() {
                self.tile(a, b, &mut tile);
                f(a, b, &tile);
            }
        }
    }

    #[inline(always)]
    fn tile(&self, a: usize, b: usize, tile: &mut Tile) {
        match &self.cost.kind {
            Kind::Points { d, x, y } => {
                let (x, y) = if self.turned { (y, x) } else { (x, y) };
                let far = self.rows().panels[a].far || self.cols().panels[b].far;
                let (step, size) = (d * WIDTH, WIDTH);
                let (xs, ys) = (&x.values[a * step..][..step], &y.values[b * step..][..step]);
                if far {
                    far_tile(xs, ys, tile);
                } else {
                    near_tile(
                        (xs, &x.sizes[a * size..][..size]),
                        (ys, &y.sizes[b * size..][..size]),
                        tile,
                    );
                }
            }
            Kind::Given(values) => {
                let area = WIDTH * WIDTH;
                let (i, j) = if self.turned { (b, a) } else { (a, b) };
                let from = (i * self.cost.cols.panels.len() + j) * area;
                given_tile(&values[from..from + area], self.turned, tile);
            }
        }
    }
}

#[inline(always)]
fn near_tile(x: (&[f32], &[f32]), y: (&[f32], &[f32]), tile: &mut Tile) {
    for block in 0..WIDTH / HEIGHT {
        let mut sums = [[0f32; WIDTH]; HEIGHT];
        for (a, b) in x.0.chunks_exact(WIDTH).zip(y.0.chunks_exact(WIDTH)) {
            for r in 0..HEIGHT {
                for l in 0..WIDTH {
                    sums[r][l] += a[block * HEIGHT + r] * b[l];
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let size = x.1[block * HEIGHT + r];
            let out = &mut tile[block * HEIGHT + r];
            for l in 0..WIDTH {
                let v = (size + y.1[l]) - 2.0 * sums[l];
                out[l] = if v > 0.0 { v } else { 0.0 };
            }
        }
    }
}

/// Differences in double precision; rare.
#[inline(never)]
fn far_tile(x: &[f32], y: &[f32], tile: &mut Tile) {
    for (r, out) in tile.iter_mut().enumerate() {
        let mut sums = [0f64; WIDTH];
        for (a, b) in x.chunks_exact(WIDTH).zip(y.chunks_exact(WIDTH)) {
            for l in 0..WIDTH {
                let v = f64::from(a[r]) - f64::from(b[l]);
                sums[l] += v * v;
            }
        }
        for (o, s) in out.iter_mut().zip(sums) {
            *o = s as f32;
        }
    }
}

#[inline(always)]
fn given_tile(values: &[f32], turned: bool, tile: &mut Tile) {
    for (r, row) in values.chunks_exact(WIDTH).enumerate() {
        for (l, &v) in row.iter().enumerate() {
            if turned {
                tile[l][r] = v;
            } else {
                tile[r][l] = v;
            }
        }
    }
}
