//! Leading eigenvectors of a symmetric operator known by its products.
//!
//! The space is grown by the residuals of the eigenvectors not yet found, which
//! makes it the block Krylov space of the start; when full it is cut back to its
//! best vectors and goes on (thick restart, Wu & Simon 2000).

use super::block::{normalised, Block};
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::simd;
use nalgebra::DMatrix;

/// What to look for and how long.
pub struct Search {
    /// Eigenvectors wanted.
    pub wanted: usize,
    /// Vectors added per step.
    pub step: usize,
    /// Vectors that are kept at most.
    pub limit: usize,
    /// Steps at most.
    pub iterations: usize,
    /// Relative residual that ends the search.
    pub tolerance: f64,
    /// Residuals below this are rounding.
    pub noise: f64,
}

/// Leading eigenvectors, largest eigenvalue first.
pub struct Leading {
    pub values: Vec<f64>,
    pub vectors: Block,
    pub residuals: Vec<f64>,
}

/// The space, its image, and the operator within it.
struct Space {
    q: Block,
    w: Block,
    /// q' w, symmetric up to rounding.
    t: DMatrix<f64>,
    /// Eigenvalues within the space, largest first, and their vectors.
    values: Vec<f64>,
    inner: Block,
}

/// The `wanted` largest eigenvalues of a positive semidefinite operator.
///
/// # Errors
/// `not_converged`, `memory`, `interrupted`.
pub fn leading<F>(exec: &Exec, apply: F, start: Block, search: &Search) -> Result<Leading>
where
    F: Fn(&Block) -> Result<Block>,
{
    let mut space = Space::empty(start.rows)?;
    let first = orthonormal(exec, &space.q, start)?;
    let image = apply(&first)?;
    space.extend(exec, first, image)?;
    exec.control().begin(search.iterations);
    for iteration in 0..=search.iterations {
        exec.check()?;
        let p = search.wanted.min(space.q.cols);
        let (residual, sizes) = space.residuals(exec, p)?;
        let relative: Vec<f64> = (0..p)
            .map(|c| match sizes[c] {
                // A direction without variance is one up to rounding.
                s if s <= 64.0 * search.noise => s.min(search.tolerance),
                s => s / space.values[c].abs().max(search.noise),
            })
            .collect();
        // The whole space has no residual but rounding.
        let full = space.q.cols == space.q.rows;
        let unsure = |&c: &usize| !full && relative[c] > search.tolerance;
        let open: Vec<usize> = (0..p).filter(unsure).collect();
        let worst = relative.iter().fold(0.0f64, |m, &v| m.max(v));
        if open.is_empty() && p == search.wanted {
            let vectors = space.ritz(exec, p)?;
            return Ok(Leading {
                values: space.values[..p].iter().map(|v| v.max(0.0)).collect(),
                vectors,
                residuals: relative,
            });
        }
        if iteration == search.iterations {
            return Err(CoreError::NotConverged {
                what: "the principal components".into(),
                iterations: iteration,
                residual: worst,
                tolerance: search.tolerance,
            });
        }
        if space.q.cols + search.step > search.limit && search.limit < space.q.rows {
            space.restart(exec, search.wanted + search.step)?;
        }
        let room = (space.q.rows - space.q.cols).min(search.step);
        let chosen: Vec<usize> = open.into_iter().take(room).collect();
        let fresh = orthonormal(exec, &space.q, residual.select(&chosen)?)?;
        let image = apply(&fresh)?;
        space.extend(exec, fresh, image)?;
        exec.control().tick(1);
    }
    Err(CoreError::Interrupted)
}

impl Space {
    fn empty(rows: usize) -> Result<Space> {
        Ok(Space {
            q: Block::zeros(rows, 0)?,
            w: Block::zeros(rows, 0)?,
            t: DMatrix::zeros(0, 0),
            values: vec![],
            inner: Block::zeros(0, 0)?,
        })
    }

    /// Adds vectors and their images; then Rayleigh and Ritz: the eigenvalues of
    /// the operator seen from within the space.
    fn extend(&mut self, exec: &Exec, fresh: Block, image: Block) -> Result<()> {
        let old = self.q.cols;
        self.q = self.q.beside(&fresh)?;
        self.w = self.w.beside(&image)?;
        let m = self.q.cols;
        let new = self.q.cross(exec, &image)?;
        let k = image.cols;
        self.t = DMatrix::from_fn(m, m, |i, j| match (i < old, j < old) {
            (true, true) => self.t[(i, j)],
            (_, false) => new.data[i * k + j - old],
            (false, true) => new.data[j * k + i - old],
        });
        let t = &self.t;
        let eigen = DMatrix::from_fn(m, m, |i, j| 0.5 * (t[(i, j)] + t[(j, i)])).symmetric_eigen();
        let mut order: Vec<usize> = (0..m).collect();
        let value = |i: usize| eigen.eigenvalues[i];
        order.sort_by(|&a, &b| value(b).total_cmp(&value(a)).then(a.cmp(&b)));
        self.values = order.iter().map(|&i| value(i)).collect();
        self.inner = Block::from_fn(m, m, |i, j| eigen.eigenvectors[(i, order[j])])?;
        Ok(())
    }

    fn ritz(&self, exec: &Exec, count: usize) -> Result<Block> {
        let first: Vec<usize> = (0..count).collect();
        self.q.times(exec, &self.inner.select(&first)?)
    }

    /// `C v - l v` of the first vectors, and their lengths.
    fn residuals(&self, exec: &Exec, count: usize) -> Result<(Block, Vec<f64>)> {
        let first: Vec<usize> = (0..count).collect();
        let inner = self.inner.select(&first)?;
        let mut scaled = inner.clone();
        for r in scaled.data.chunks_exact_mut(count) {
            r.iter_mut().zip(&self.values).for_each(|(v, l)| *v *= l);
        }
        let image = self.w.times(exec, &inner)?;
        let residual = self.q.add_times(exec, -1.0, &scaled, image)?;
        let mut sizes = vec![0.0; count];
        for r in residual.data.chunks_exact(count) {
            sizes.iter_mut().zip(r).for_each(|(s, v)| *s += v * v);
        }
        sizes.iter_mut().for_each(|s| *s = s.sqrt());
        Ok((residual, sizes))
    }

    /// Keeps the best `count` vectors only.
    fn restart(&mut self, exec: &Exec, count: usize) -> Result<()> {
        let first: Vec<usize> = (0..count.min(self.q.cols)).collect();
        let inner = self.inner.select(&first)?;
        self.q = self.q.times(exec, &inner)?;
        self.w = self.w.times(exec, &inner)?;
        let kept = &self.values[..first.len()];
        self.t = DMatrix::from_diagonal(&nalgebra::DVector::from_column_slice(kept));
        Ok(())
    }
}

/// The part of `b` outside `q`, as orthonormal columns: projected twice (Giraud et
/// al. 2005) and put in order by modified Gram and Schmidt. A column that adds
/// nothing is replaced by a coordinate direction that does, so the count stays;
/// there must be room for it.
fn orthonormal(exec: &Exec, q: &Block, b: Block) -> Result<Block> {
    let (rows, k) = (b.rows, b.cols);
    let mut columns: Vec<Vec<f64>> = Vec::with_capacity(k);
    let mut b = normalised(b);
    for _ in 0..2 {
        if q.cols > 0 {
            let inside = q.cross(exec, &b)?;
            b = normalised(q.add_times(exec, -1.0, &inside, b)?);
        }
    }
    let mut spare = 0;
    for c in 0..k {
        let mut v: Vec<f64> = (0..rows).map(|i| b.data[i * k + c]).collect();
        let mut found = make_new(q, &columns, &mut v, false);
        while !found && spare < rows {
            v.fill(0.0);
            v[spare] = 1.0;
            spare += 1;
            found = make_new(q, &columns, &mut v, true);
        }
        columns.push(v);
    }
    Block::from_fn(rows, k, |i, c| columns[c][i])
}

/// What is left of a unit vector must be longer than this to count as new.
const NEW: f64 = 1e-8;

/// Orthogonalises `v` (of length one or zero) against `columns`, and against `q`
/// too if asked or if much of it went away; false if nothing of it is left.
fn make_new(q: &Block, columns: &[Vec<f64>], v: &mut [f64], mut also_q: bool) -> bool {
    for _ in 0..4 {
        if also_q && q.cols > 0 {
            let mut inside = vec![0.0; q.cols];
            for (i, &x) in v.iter().enumerate() {
                simd::axpy(x, q.row(i), &mut inside);
            }
            for (i, x) in v.iter_mut().enumerate() {
                *x -= simd::dot(q.row(i), &inside);
            }
        }
        for c in columns {
            let along = simd::dot(c, v);
            simd::axpy(-along, c, v);
        }
        let norm = simd::dot(v, v).sqrt();
        if norm < NEW {
            return false;
        }
        v.iter_mut().for_each(|x| *x /= norm);
        if norm > 0.7 {
            return true;
        }
        also_q = true;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn columns_are_orthonormal_whatever_comes_in() {
        let exec = Exec::serial();
        let draw = |i, j| Stream::new(1, 0, i as u64, j as u64).normal();
        let empty = Block::zeros(50, 0).unwrap();
        let q = orthonormal(&exec, &empty, Block::from_fn(50, 6, draw).unwrap()).unwrap();
        // Within q, twice the same, nearly the same, zero, and something new.
        let b = Block::from_fn(50, 6, |i, j| match j {
            0 => q.row(i)[2],
            1 | 2 => draw(i, 20),
            3 => draw(i, 20) + 1e-9 * draw(i, 21),
            4 => 0.0,
            _ => draw(i, 22),
        });
        let fresh = orthonormal(&exec, &q, b.unwrap()).unwrap();
        let all = q.beside(&fresh).unwrap().into_array();
        for ((i, j), v) in all.t().dot(&all).indexed_iter() {
            let want = f64::from(u8::from(i == j));
            assert!((v - want).abs() < 1e-12, "{i} {j} {v}");
        }
    }

    #[test]
    fn a_diagonal_operator_gives_its_largest_entries() {
        let exec = Exec::serial();
        let draw = |i, j| Stream::new(2, 0, i as u64, j as u64).normal();
        let values: Vec<f64> = (0..300).map(|i| 1.0 / (1.0 + i as f64)).collect();
        let apply = |b: &Block| {
            let mut b = b.clone();
            b.scale_rows(&values);
            Ok(b)
        };
        let search = Search {
            wanted: 5,
            step: 4,
            limit: 24,
            iterations: 100,
            tolerance: 1e-8,
            noise: 1e-15,
        };
        let start = Block::from_fn(300, 6, draw).unwrap();
        let found = leading(&exec, apply, start, &search).unwrap();
        for (c, v) in found.values.iter().enumerate() {
            assert!((v - values[c]).abs() < 1e-12);
            assert!((found.vectors.row(c)[c].abs() - 1.0).abs() < 1e-10);
        }
    }
}
