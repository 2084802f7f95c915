//! How well two rows of numbers, or two sets of points, agree.

use crate::error::{CoreError, Result};
use nalgebra::DMatrix;
use ndarray::{Array2, ArrayView2};

/// Spearman's rank correlation; equal values share the mean of their ranks.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let centre = (a.len() as f64 + 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| {
        let pairs = x.iter().zip(y);
        pairs.map(|(x, y)| (x - centre) * (y - centre)).sum::<f64>()
    };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

fn ranks(v: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..v.len()).collect();
    order.sort_unstable_by(|&a, &b| v[a].total_cmp(&v[b]).then(a.cmp(&b)));
    let mut ranks = vec![0.0; v.len()];
    let mut first = 0;
    while first < order.len() {
        let same = |&&i: &&usize| v[i] == v[order[first]];
        let size = order[first..].iter().take_while(same).count();
        let rank = first as f64 + (size as f64 + 1.0) / 2.0;
        for &i in &order[first..first + size] {
            ranks[i] = rank;
        }
        first += size;
    }
    ranks
}

/// `1 - (sum of the singular values of A'B)^2` for A and B centred and of size one.
pub fn procrustes(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Result<f64> {
    let unit = |x: ArrayView2<'_, f64>| -> Result<Array2<f64>> {
        let mut x = x.to_owned();
        let n = x.nrows().max(1) as f64;
        for mut column in x.columns_mut() {
            let mean = column.sum() / n;
            column -= mean;
        }
        let size = x.iter().map(|v| v * v).sum::<f64>().sqrt();
        if size == 0.0 {
            return Err(CoreError::NoState {
                reason: "all cells of an embedding are at one place".into(),
            });
        }
        x /= size;
        Ok(x)
    };
    let (a, b) = (unit(a)?, unit(b)?);
    let cross = DMatrix::from_fn(a.ncols(), b.ncols(), |i, j| {
        let pairs = a.column(i).into_iter().zip(b.column(j));
        pairs.map(|(x, y)| x * y).sum::<f64>()
    });
    let sum: f64 = cross.singular_values().iter().sum();
    Ok((1.0 - sum * sum).clamp(0.0, 1.0))
}
