//! R vectors as core views and back. Reading copies nothing; a sparse result is
//! moved into R's vectors once.

use crate::boundary::malformed;
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::exec::Exec;
use fatecast_core::graph::edges::{self, Faults};
use fatecast_core::sparse::csr::{self, CscSlots, Csr};
use fatecast_core::sparse::ops::mirror;
use fatecast_core::sparse::CscView;
use fatecast_core::velocity::layer::{Layer, SparseLayer};
use fatecast_core::{CoreError, Result};
use ndarray::{Array2, ArrayView2, ShapeBuilder};

/// A `dgCMatrix` as R passes it: `list(p, i, x, dim)`. Keeps the vectors alive.
pub struct SparseArg {
    p: Robj,
    i: Robj,
    x: Robj,
    dim: Robj,
}

/// The slots of a [`SparseArg`], readable from the job's thread.
#[derive(Clone, Copy)]
pub struct Slots<'a> {
    pub shape: (usize, usize),
    p: &'a [i32],
    i: &'a [i32],
    x: &'a [f64],
}

impl SparseArg {
    pub fn new(list: &List) -> Result<SparseArg> {
        let get = |k: usize| list.elt(k).map_err(|_| malformed("of sparse slots"));
        Ok(SparseArg {
            p: get(0)?,
            i: get(1)?,
            x: get(2)?,
            dim: get(3)?,
        })
    }

    /// Slots of the matrix with this symmetric pattern whose values by rows are
    /// `values`; R's vectors of the pattern are shared.
    pub fn mirrored(
        &self,
        pattern: &Csr,
        values: &[f64],
        n_threads: i32,
        progress: &Robj,
    ) -> Result<Robj> {
        let mut x: Robj = Doubles::new(values.len()).into();
        let out = x.as_real_slice_mut().ok_or_else(|| malformed("x"))?;
        job::run(n_threads, progress, move |exec| {
            mirror(exec, pattern, values, out)
        })?;
        Ok(list!(p = &self.p, i = &self.i, x = x, dim = &self.dim).into())
    }

    pub fn slots(&self) -> Result<Slots<'_>> {
        let dim = self.dim.as_integer_slice().unwrap_or_default();
        let [nrow, ncol] = *dim else {
            return Err(malformed("dim"));
        };
        Ok(Slots {
            shape: (nrow.max(0) as usize, ncol.max(0) as usize),
            p: self.p.as_integer_slice().ok_or_else(|| malformed("p"))?,
            i: self.i.as_integer_slice().ok_or_else(|| malformed("i"))?,
            x: self.x.as_real_slice().ok_or_else(|| malformed("x"))?,
        })
    }
}

impl<'a> Slots<'a> {
    /// The matrix where it lies, checked.
    pub fn view(&self, exec: &Exec) -> Result<CscView<'a>> {
        CscView::new(exec, self.shape, self.p, self.i, self.x)
    }

    /// Its row indices, column by column.
    pub fn rows(&self) -> &'a [i32] {
        self.i
    }

    /// A genes x cells matrix as a layer of counts, nothing copied.
    pub fn layer(&self) -> Result<SparseLayer<'a>> {
        SparseLayer::new(self.shape, self.p, self.i, self.x)
    }

    /// The matrix itself, by rows.
    pub fn by_rows(&self, exec: &Exec) -> Result<Csr> {
        csr::from_csc_slots(exec, self.shape, self.p, self.i, self.x)
    }

    /// As [`Slots::by_rows`]; the graph of a symmetric relation is not transposed.
    pub fn graph(&self, exec: &Exec) -> Result<Csr> {
        if self.is_symmetric(exec)? {
            self.columns_as_rows()
        } else {
            self.by_rows(exec)
        }
    }

    /// Whether pattern and values are known to equal those of the transpose.
    pub fn is_symmetric(&self, exec: &Exec) -> Result<bool> {
        match self.view(exec) {
            Ok(view) => view.is_symmetric(exec),
            // Slots out of order are put into order elsewhere.
            Err(CoreError::Shape { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// The matrix whose rows are R's columns: features x cells becomes cells x
    /// features without moving an entry.
    pub fn columns_as_rows(&self) -> Result<Csr> {
        csr::rows_are_columns(self.shape, self.p, self.i, self.x)
    }

    /// What keeps the matrix, as a graph, from carrying a walk.
    pub fn faults(&self) -> Result<Faults> {
        edges::faults(self.shape.0, self.i, self.x)
    }
}

/// A features x cells matrix as R passes it: sparse slots, or `list(values, dim)`.
pub enum MatrixArg {
    Sparse(SparseArg),
    Dense { values: Robj, dim: Robj },
}

/// A [`MatrixArg`] readable from the job's thread; a dense one as cells x features.
#[derive(Clone, Copy)]
pub enum MatrixView<'a> {
    Sparse(Slots<'a>),
    Dense(ArrayView2<'a, f64>),
}

impl<'a> MatrixView<'a> {
    /// The layer of counts that a features x cells matrix is.
    pub fn layer(&self) -> Result<Layer<'a>> {
        match self {
            MatrixView::Sparse(s) => s.layer().map(Layer::Sparse),
            MatrixView::Dense(x) => Ok(Layer::Dense(*x)),
        }
    }

    /// Number of features: R's rows.
    pub fn features(&self) -> usize {
        match self {
            MatrixView::Sparse(s) => s.shape.0,
            MatrixView::Dense(x) => x.ncols(),
        }
    }
}

impl MatrixArg {
    pub fn new(list: &List) -> Result<MatrixArg> {
        if list.len() == 4 {
            return SparseArg::new(list).map(MatrixArg::Sparse);
        }
        let get = |k: usize| list.elt(k).map_err(|_| malformed("of a dense matrix"));
        Ok(MatrixArg::Dense {
            values: get(0)?,
            dim: get(1)?,
        })
    }

    pub fn view(&self) -> Result<MatrixView<'_>> {
        match self {
            MatrixArg::Sparse(s) => s.slots().map(MatrixView::Sparse),
            MatrixArg::Dense { values, dim } => {
                let values = values.as_real_slice().ok_or_else(|| malformed("values"))?;
                let features = dim.as_integer_slice().and_then(|d| d.first().copied());
                features_by_cells(values, features.unwrap_or(0)).map(MatrixView::Dense)
            }
        }
    }
}

/// Slots for R, as `list(p, i, x, dim)`.
pub fn sparse_list(slots: CscSlots, shape: (usize, usize)) -> Robj {
    list!(
        p = slots.p,
        i = slots.i,
        x = slots.x,
        dim = vec![shape.0 as i32, shape.1 as i32]
    )
    .into()
}

/// Slots of a sparse matrix in R's own memory, to be filled in place. Values are
/// allocated when they are asked for.
pub struct SparseSpace {
    p: Robj,
    i: Robj,
    x: Option<Robj>,
}

impl SparseSpace {
    /// Room for `entries` entries in `columns` columns.
    pub fn new(columns: usize, entries: usize) -> SparseSpace {
        SparseSpace {
            p: Integers::new(columns + 1).into(),
            i: Integers::new(entries).into(),
            x: None,
        }
    }

    /// The vectors `p` and `i`.
    pub fn pattern(&mut self) -> Result<(&mut [i32], &mut [i32])> {
        let lost = || malformed("of sparse slots");
        Ok((
            self.p.as_integer_slice_mut().ok_or_else(lost)?,
            self.i.as_integer_slice_mut().ok_or_else(lost)?,
        ))
    }

    /// The vectors `p`, `i` and `x`.
    pub fn slices(&mut self) -> Result<(&mut [i32], &mut [i32], &mut [f64])> {
        let lost = || malformed("of sparse slots");
        let entries = self.i.len();
        let x = self.x.get_or_insert_with(|| Doubles::new(entries).into());
        Ok((
            self.p.as_integer_slice_mut().ok_or_else(lost)?,
            self.i.as_integer_slice_mut().ok_or_else(lost)?,
            x.as_real_slice_mut().ok_or_else(lost)?,
        ))
    }

    /// Slots for R with a vector of values that is there already.
    pub fn with_values(self, x: Robj, shape: (usize, usize)) -> Result<Robj> {
        let dim = vec![shape.0 as i32, shape.1 as i32];
        Ok(list!(p = self.p, i = self.i, x = x, dim = dim).into())
    }

    /// Slots for R, of the first `kept` entries.
    pub fn list(mut self, kept: usize, shape: (usize, usize)) -> Result<Robj> {
        let (_, i, x) = self.slices()?;
        let values = if kept < i.len() {
            let (i, x) = (r!(&i[..kept]), r!(&x[..kept]));
            self.i = i;
            x
        } else {
            self.x.take().ok_or_else(|| malformed("of sparse slots"))?
        };
        self.with_values(values, shape)
    }
}

/// An R matrix as it lies in memory, by columns.
pub fn dense(x: &[f64], nrow: i32, ncol: i32) -> Result<ArrayView2<'_, f64>> {
    let shape = (nrow.max(0) as usize, ncol.max(0) as usize);
    ArrayView2::from_shape(shape.f(), x).map_err(|_| malformed("of a dense matrix"))
}

/// A features x cells matrix of R, seen as cells x features without a copy.
pub fn features_by_cells(x: &[f64], features: i32) -> Result<ArrayView2<'_, f64>> {
    let features = features.max(0) as usize;
    let cells = x.len().checked_div(features).unwrap_or(0);
    ArrayView2::from_shape((cells, features), x).map_err(|_| malformed("of a dense matrix"))
}

/// The values of a matrix by columns, for R.
pub fn by_columns(m: &Array2<f64>) -> Vec<f64> {
    m.t().iter().copied().collect()
}

/// Positions for R: 1-based.
pub fn positions(indices: &[usize]) -> Vec<f64> {
    indices.iter().map(|&i| i as f64 + 1.0).collect()
}

/// A logical vector, or nothing for NULL; NA counts as FALSE.
pub fn flags(values: &Robj) -> Option<Vec<bool>> {
    let values = values.as_logical_slice()?;
    Some(values.iter().map(|v| v.is_true()).collect())
}

/// A value, or NULL.
pub fn or_null<T: Into<Robj>>(value: Option<T>) -> Robj {
    value.map_or_else(|| r!(NULL), Into::into)
}
