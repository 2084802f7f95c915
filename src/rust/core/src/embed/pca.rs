//! Principal components: the few directions in which cells differ most.
//!
//! Gene counts are sparse and centring would fill them, so the mean is subtracted
//! inside the products and the centred matrix never exists. The leading
//! eigenvectors of the covariance `C = A'A / (n - 1)` of the centred (and, if
//! asked, scaled) matrix A come from a random block and the Krylov space it grows
//! (Halko, Martinsson & Tropp 2011; Musco & Musco 2015), restarted when it gets
//! large. Every component is certified by its residual `|C v - l v| / l`, which for
//! a symmetric matrix also bounds the error of its variance.

use super::block::{self, Block};
use super::subspace::{leading, Search};
use crate::error::{CoreError, Result, SHOWN};
use crate::exec::{Exec, CHUNK};
use crate::rng::Stream;
use crate::simd;
use crate::sparse::csr::{row, transpose, Csr};
use crate::sparse::ops;
use ndarray::{Array2, ArrayView2};

/// Parameters of the decomposition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PcaOptions {
    /// Components to return, at most min(cells - 1, features).
    pub n_components: usize,
    /// Whether features are divided by their standard deviation.
    pub scale: bool,
    /// Columns of the random start beyond `n_components`; more of them cost time
    /// per step and save steps.
    pub oversample: usize,
    /// Steps at most; the iteration ends as soon as every residual is below 1e-6.
    pub power_iterations: usize,
    /// Key of the random start.
    pub seed: u64,
}

impl Default for PcaOptions {
    fn default() -> PcaOptions {
        PcaOptions {
            n_components: 50,
            scale: false,
            oversample: 10,
            power_iterations: 200,
            seed: 0,
        }
    }
}

/// What [`pca_sparse`] and [`pca_dense`] find; components by falling variance.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// Cells x components.
    pub scores: Array2<f64>,
    /// Features x components, orthonormal; the largest entry of each is positive.
    pub loadings: Array2<f64>,
    /// Variance of each component, denominator n - 1.
    pub variance: Vec<f64>,
    /// Sum of the variances of all features.
    pub total_variance: f64,
    /// Relative residual of each component.
    pub residuals: Vec<f64>,
}

/// Residuals below this certify a component.
pub const TOLERANCE: f64 = 1e-6;
/// Columns added to the space per step.
const STEP: usize = 16;
/// Features per task.
const FEATURES: usize = 64;
/// Purpose of the random start.
const START: u64 = 0x7063_6100;

/// Principal components of a sparse cells x features matrix. About
/// `2 nnz (p + oversample + 16 steps)` operations; memory is one transpose and
/// the space of about 3 p vectors over features.
///
/// # Errors
/// `range` for values that are not finite or too many components, `no_state` when
/// nothing varies, `not_converged`, `memory`, `interrupted`.
pub fn pca_sparse(exec: &Exec, x: &Csr, options: &PcaOptions) -> Result<Pca> {
    let bad = |i: &usize| row(x, *i).1.iter().any(|v| !v.is_finite());
    let count = x.data().iter().filter(|v| !v.is_finite()).count();
    refuse_not_finite(count, (0..x.rows()).filter(bad))?;
    let turned = transpose(exec, x)?;
    let n = x.rows() as f64;
    let moments = exec.map_chunks(x.cols(), FEATURES, |features| {
        let moment = |g| {
            let values = row(&turned, g).1;
            let mean = simd::sum(values) / n;
            let stored = simd::zip_sum(values, values, |v, _| (v - mean) * (v - mean));
            (mean, stored + (n - values.len() as f64) * mean * mean)
        };
        features.map(moment).collect::<Vec<_>>()
    })?;
    let data = Data::Sparse(x, &turned);
    solve(exec, &data, &moments.concat(), options)
}

/// Principal components of a dense cells x features matrix; as [`pca_sparse`].
///
/// # Errors
/// As [`pca_sparse`].
pub fn pca_dense(exec: &Exec, x: ArrayView2<'_, f64>, options: &PcaOptions) -> Result<Pca> {
    let count = x.iter().filter(|v| !v.is_finite()).count();
    let bad = |i: &usize| x.row(*i).iter().any(|v| !v.is_finite());
    refuse_not_finite(count, (0..x.nrows()).filter(bad))?;
    let (n, genes) = x.dim();
    let x = x.as_standard_layout();
    // Standard layout has just been made.
    let data = Data::Dense(x.as_slice().unwrap_or_default(), n, genes);
    let sums = |f: &(dyn Fn(usize, f64) -> f64 + Sync)| -> Result<Vec<f64>> {
        data.by_cells(exec, genes, |_, x, out| {
            for (g, (o, &v)) in out.iter_mut().zip(x).enumerate() {
                *o += f(g, v);
            }
        })
    };
    let mut mean = sums(&|_, v| v)?;
    mean.iter_mut().for_each(|m| *m /= n as f64);
    let square = sums(&|g, v| (v - mean[g]) * (v - mean[g]))?;
    let moments: Vec<_> = mean.into_iter().zip(square).collect();
    solve(exec, &data, &moments, options)
}

fn refuse_not_finite(count: usize, cells: impl Iterator<Item = usize>) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    Err(CoreError::NotFinite {
        what: "the expression".into(),
        count,
        cells: cells.take(SHOWN).collect(),
    })
}

/// The uncentred matrix, cells x features.
enum Data<'a> {
    /// With its transpose.
    Sparse(&'a Csr, &'a Csr),
    Dense(&'a [f64], usize, usize),
}

impl Data<'_> {
    fn cells(&self) -> usize {
        match self {
            Data::Sparse(x, _) => x.rows(),
            Data::Dense(_, n, _) => *n,
        }
    }

    /// `X B`, cells x columns of B.
    fn times(&self, exec: &Exec, b: &Block) -> Result<Block> {
        let k = b.cols;
        match self {
            Data::Sparse(x, _) => block::sparse_times(exec, x, b),
            Data::Dense(x, n, genes) => {
                let mut out = Block::zeros(*n, k)?;
                exec.chunks_mut(&mut out.data, ops::ROWS * k, |start, piece| {
                    simd::wide(
                        #[inline(always)]
                        || {
                            for (r, out) in piece.chunks_exact_mut(k).enumerate() {
                                let i = start / k + r;
                                for (g, &v) in x[i * genes..(i + 1) * genes].iter().enumerate() {
                                    simd::axpy(v, b.row(g), out);
                                }
                            }
                        },
                    );
                })?;
                Ok(out)
            }
        }
    }

    /// `X' B`, features x columns of B.
    fn turned_times(&self, exec: &Exec, b: &Block) -> Result<Block> {
        let k = b.cols;
        match self {
            Data::Sparse(_, turned) => block::sparse_times(exec, turned, b),
            Data::Dense(_, _, genes) => {
                let data = self.by_cells(exec, genes * k, |i, x, out| {
                    for (&v, out) in x.iter().zip(out.chunks_exact_mut(k)) {
                        simd::axpy(v, b.row(i), out);
                    }
                })?;
                Ok(Block {
                    rows: *genes,
                    cols: k,
                    data,
                })
            }
        }
    }

    /// Adds up what `f(cell, its features, sum)` adds over cells, in fixed chunks.
    fn by_cells<F>(&self, exec: &Exec, size: usize, f: F) -> Result<Vec<f64>>
    where
        F: Fn(usize, &[f64], &mut [f64]) + Sync,
    {
        let Data::Dense(x, n, genes) = self else {
            return Ok(vec![]);
        };
        let parts = exec.map_chunks(*n, CHUNK, |rows| {
            let mut sum = vec![0.0; size];
            for i in rows {
                simd::wide(
                    #[inline(always)]
                    || f(i, &x[i * genes..(i + 1) * genes], &mut sum),
                );
            }
            sum
        })?;
        let mut total = vec![0.0; size];
        for part in parts {
            simd::axpy(1.0, &part, &mut total);
        }
        Ok(total)
    }
}

/// The centred and scaled matrix as an operator.
struct Centred<'a> {
    data: &'a Data<'a>,
    mean: Vec<f64>,
    /// Factor of each feature.
    factor: Vec<f64>,
}

impl Centred<'_> {
    /// `A B`, cells x columns of B.
    fn times(&self, exec: &Exec, b: &Block) -> Result<Block> {
        let mut b = b.clone();
        b.scale_rows(&self.factor);
        let shift = b.weighted_sum(&self.mean);
        let mut out = self.data.times(exec, &b)?;
        out.shift_rows(&shift);
        Ok(out)
    }

    /// `A'A B / (n - 1)`, features x columns of B.
    fn covariance_times(&self, exec: &Exec, b: &Block) -> Result<Block> {
        let y = self.times(exec, b)?;
        // Centred columns add up to zero but for rounding; take that out as well.
        let sums = y.weighted_sum(&vec![1.0; y.rows]);
        let mut z = self.data.turned_times(exec, &y)?;
        z.subtract_outer(&self.mean, &sums);
        let n1 = self.data.cells() as f64 - 1.0;
        let factor: Vec<f64> = self.factor.iter().map(|f| f / n1).collect();
        z.scale_rows(&factor);
        Ok(z)
    }
}

fn solve(
    exec: &Exec,
    data: &Data<'_>,
    moments: &[(f64, f64)],
    options: &PcaOptions,
) -> Result<Pca> {
    let (n, genes, p) = (data.cells(), moments.len(), options.n_components);
    let most = n.saturating_sub(1).min(genes);
    if p == 0 || p > most {
        return Err(CoreError::Range {
            what: "n_components".into(),
            value: p as f64,
            allowed: format!("1 to {most}, the smaller of cells less one and features"),
        });
    }
    let n1 = n as f64 - 1.0;
    let deviation = |square: f64| {
        let sd = (square / n1).sqrt();
        if options.scale && sd > 0.0 {
            1.0 / sd
        } else {
            1.0
        }
    };
    let a = Centred {
        data,
        mean: moments.iter().map(|m| m.0).collect(),
        factor: moments.iter().map(|m| deviation(m.1)).collect(),
    };
    let variances = moments.iter().zip(&a.factor).map(|(m, f)| m.1 / n1 * f * f);
    let total_variance: f64 = variances.sum();
    if total_variance <= 0.0 || !total_variance.is_finite() {
        return Err(CoreError::NoState {
            reason: "no feature varies between the cells".into(),
        });
    }
    let start = (p + options.oversample).min(genes);
    let random = Block::from_fn(genes, start, |g, c| {
        Stream::new(options.seed, START, g as u64, c as u64).normal()
    })?;
    let limit = (3 * start + 2 * STEP).min(genes);
    let found = leading(
        exec,
        |b| a.covariance_times(exec, b),
        random,
        &Search {
            wanted: p,
            step: STEP,
            limit,
            iterations: options.power_iterations,
            tolerance: TOLERANCE,
            noise: f64::EPSILON * total_variance,
        },
    )?;
    let mut vectors = found.vectors;
    vectors.make_largest_positive();
    let scores = a.times(exec, &vectors)?;
    Ok(Pca {
        scores: scores.into_array(),
        loadings: vectors.into_array(),
        variance: found.values,
        total_variance,
        residuals: found.residuals,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::csr::from_rows;
    use nalgebra::DMatrix;

    /// Sparse counts with a few programmes of genes.
    fn counts(n: usize, genes: usize) -> Csr {
        let mut s = Stream::new(5, 0, 0, 0);
        let rows = (0..n)
            .map(|i| {
                (0..genes)
                    .filter_map(|g| {
                        let high = (i * 7 / n) == g % 7;
                        let v = s.below(if high { 9 } else { 3 }) as f64;
                        (v > 0.0).then_some((g as u32, v * (1.0 + (g % 5) as f64)))
                    })
                    .collect()
            })
            .collect();
        from_rows(genes, rows).unwrap()
    }

    fn options(n_components: usize, scale: bool) -> PcaOptions {
        PcaOptions {
            n_components,
            scale,
            ..PcaOptions::default()
        }
    }

    /// Eigenvalues and vectors of the dense covariance, largest first.
    fn oracle(x: &Array2<f64>, scale: bool) -> (Vec<f64>, DMatrix<f64>) {
        let (n, g) = x.dim();
        let mut a = DMatrix::from_fn(n, g, |i, j| x[(i, j)]);
        for mut c in a.column_iter_mut() {
            let mean = c.mean();
            c.add_scalar_mut(-mean);
            let sd = (c.norm_squared() / (n as f64 - 1.0)).sqrt();
            if scale && sd > 0.0 {
                c /= sd;
            }
        }
        let e = (a.transpose() * &a / (n as f64 - 1.0)).symmetric_eigen();
        let mut order: Vec<usize> = (0..g).collect();
        order.sort_by(|&a, &b| e.eigenvalues[b].total_cmp(&e.eigenvalues[a]));
        let values = order.iter().map(|&i| e.eigenvalues[i]).collect();
        (values, e.eigenvectors.select_columns(&order))
    }

    fn check(found: &Pca, x: &Array2<f64>, scale: bool, separated: usize) {
        let (values, vectors) = oracle(x, scale);
        for (c, v) in found.variance.iter().enumerate() {
            assert!((v - values[c]).abs() < 1e-9 * values[0], "component {c}");
            assert!(found.residuals[c] <= TOLERANCE);
            let scored = found.scores.column(c);
            let var = scored.dot(&scored) / (x.nrows() as f64 - 1.0);
            assert!((var - v).abs() < 1e-9 * values[0]);
            assert!(scored.sum().abs() < 1e-8 * values[0].sqrt() * x.nrows() as f64);
        }
        assert!((found.total_variance - values.iter().sum::<f64>()).abs() < 1e-9 * values[0]);
        for c in 0..separated {
            let l = found.loadings.column(c);
            let overlap: f64 = l
                .iter()
                .zip(vectors.column(c).iter())
                .map(|(a, b)| a * b)
                .sum();
            assert!((overlap.abs() - 1.0).abs() < 1e-9);
        }
        let gram = found.loadings.t().dot(&found.loadings);
        for ((i, j), v) in gram.indexed_iter() {
            assert!((v - f64::from(u8::from(i == j))).abs() < 1e-10);
        }
        for l in found.loadings.columns() {
            let largest = l
                .iter()
                .fold(0.0f64, |m, &v| if v.abs() > m.abs() { v } else { m });
            assert!(largest > 0.0);
        }
    }

    #[test]
    fn the_dense_eigenvectors_agree() {
        let exec = Exec::with_threads(2).unwrap();
        let x = counts(300, 150);
        let d = x.to_dense();
        for scale in [false, true] {
            let sparse = pca_sparse(&exec, &x, &options(12, scale)).unwrap();
            check(&sparse, &d, scale, 5);
            let dense = pca_dense(&exec, d.view(), &options(12, scale)).unwrap();
            check(&dense, &d, scale, 5);
            for (a, b) in sparse.variance.iter().zip(&dense.variance) {
                assert!((a - b).abs() < 1e-10 * sparse.variance[0]);
            }
        }
    }

    #[test]
    fn small_and_deficient_matrices_are_complete() {
        let exec = Exec::serial();
        // Fewer features than the start has columns.
        let x = counts(40, 6);
        let d = x.to_dense();
        check(
            &pca_sparse(&exec, &x, &options(6, false)).unwrap(),
            &d,
            false,
            3,
        );
        // Rank two, and more cells than that asked for components.
        let d = Array2::from_shape_fn((30, 20), |(i, g)| (i * g) as f64 + (i * i) as f64);
        let found = pca_dense(&exec, d.view(), &options(5, false)).unwrap();
        assert!(found.variance[1] > 0.0 && found.variance[2] < 1e-9 * found.variance[0]);
        // Fewer cells than features.
        let x = counts(12, 60);
        let d = x.to_dense();
        check(
            &pca_sparse(&exec, &x, &options(11, false)).unwrap(),
            &d,
            false,
            3,
        );
    }

    #[test]
    fn restarts_reach_the_same_components() {
        // A flat spectrum needs more room than the space may have.
        let exec = Exec::serial();
        let mut s = Stream::new(3, 0, 0, 0);
        let d = Array2::from_shape_fn((700, 400), |_| s.normal());
        let mut o = options(4, false);
        o.oversample = 2;
        let found = pca_dense(&exec, d.view(), &o).unwrap();
        check(&found, &d, false, 2);
        o.power_iterations = 1;
        let e = pca_dense(&exec, d.view(), &o).unwrap_err();
        assert_eq!(e.kind(), "not_converged");
    }

    #[test]
    fn any_number_of_threads_and_any_path_give_the_same_bits() {
        let x = counts(1200, 130);
        let d = x.to_dense();
        let run = |t| {
            let exec = Exec::with_threads(t).unwrap();
            let o = options(8, true);
            (
                pca_sparse(&exec, &x, &o).unwrap(),
                pca_dense(&exec, d.view(), &o).unwrap(),
            )
        };
        crate::testing::same_bits(run);
    }

    #[test]
    fn what_has_no_components_is_refused() {
        let exec = Exec::serial();
        let kind = |d: &Array2<f64>, p| {
            let e = pca_dense(&exec, d.view(), &options(p, false));
            e.unwrap_err().kind()
        };
        let mut d = Array2::from_shape_fn((9, 4), |(i, g)| (i * g) as f64);
        assert_eq!(kind(&d, 0), "range");
        assert_eq!(kind(&d, 5), "range");
        assert_eq!(kind(&Array2::from_elem((9, 4), 3.0), 2), "no_state");
        d[(2, 2)] = f64::INFINITY;
        assert_eq!(kind(&d, 2), "range");
    }
}
