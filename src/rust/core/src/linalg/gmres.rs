//! GMRES for a block of right-hand sides (Saad & Schultz 1986).
//!
//! The solution is sought in the space spanned by what the matrix makes of the
//! residual, the best there by least squares. Every column has its own space and
//! scalars, but the matrix is read once per step for all of them; columns that are
//! done leave the block. Preconditioning is from the right, so the residual that is
//! minimised is the true one; it is recomputed from its definition after every
//! restart, and what is returned is never an estimate.

use super::block::{self, Operator};
use crate::error::Result;
use crate::exec::Exec;

/// Limits of an iteration.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Steps per column after which it is given up.
    pub iterations: usize,
    /// Steps after which GMRES starts anew from what it has.
    pub restart: usize,
}

/// What an iteration has reached, by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Steps taken.
    pub iterations: Vec<usize>,
    /// 2-norm of the true residual.
    pub residuals: Vec<f64>,
}

/// A cycle that reduces the residual by less than this has stalled.
const PROGRESS: f64 = 0.7;
/// Cycles without progress after which a column is given up.
const PATIENCE: usize = 2;

/// Improves `x` until the residual of column c is at most `goal[c]` (2-norm), it
/// stalls, or the limits are reached; compare [`Outcome::residuals`] with the goal.
/// O(restart * n * k) memory and O(restart * n * k) work per step beside the
/// products.
///
/// # Errors
/// `interrupted`, `memory`.
pub fn gmres(
    exec: &Exec,
    (a, m): (&dyn Operator, &dyn Operator),
    b: &[f64],
    x: &mut [f64],
    goal: &[f64],
    limits: Limits,
) -> Result<Outcome> {
    let k = goal.len();
    let mut iterations = vec![0; k];
    let mut stalls = vec![0; k];
    let (mut r, mut norms) = block::residual(exec, a, b, x, k)?;
    loop {
        let open: Vec<usize> = (0..k)
            .filter(|&c| {
                norms[c] > goal[c] && stalls[c] < PATIENCE && iterations[c] < limits.iterations
            })
            .collect();
        if open.is_empty() {
            break;
        }
        let steps = open
            .iter()
            .map(|&c| limits.iterations - iterations[c])
            .fold(limits.restart.max(1), usize::min);
        let start: Vec<(f64, f64)> = open.iter().map(|&c| (norms[c], goal[c])).collect();
        let own = block::columns(&r, k, &open);
        let (update, taken) = cycle(exec, (a, m), own, &start, steps)?;
        let before = block::columns(x, k, &open);
        let after: Vec<f64> = before.iter().zip(&update).map(|(x, u)| x + u).collect();
        block::put_columns(x, k, &open, &after);
        let old = norms;
        (r, norms) = block::residual(exec, a, b, x, k)?;
        let mut worse = Vec::new();
        for (at, &c) in open.iter().enumerate() {
            iterations[c] += taken[at];
            if norms[c] > PROGRESS * old[c] {
                stalls[c] += 1;
            }
            if norms[c].is_nan() || norms[c] > old[c] {
                worse.push(at);
            }
        }
        if !worse.is_empty() {
            // Rounding made it worse: back to the better of the two.
            let keep: Vec<usize> = worse.iter().map(|&at| open[at]).collect();
            let part = block::columns(&before, open.len(), &worse);
            block::put_columns(x, k, &keep, &part);
            keep.iter().for_each(|&c| stalls[c] = PATIENCE);
            (r, norms) = block::residual(exec, a, b, x, k)?;
        }
    }
    Ok(Outcome {
        iterations,
        residuals: norms,
    })
}

/// The least-squares problem of one column, kept triangular by rotations.
pub(crate) struct Column {
    /// Column j of R, length j + 1.
    upper: Vec<Vec<f64>>,
    rotations: Vec<(f64, f64)>,
    rhs: Vec<f64>,
    goal: f64,
    /// Whether more steps are wanted.
    pub(crate) open: bool,
}

impl Column {
    /// For a residual of this norm; closed without a goal.
    pub(crate) fn new(norm: f64, goal: Option<f64>) -> Column {
        Column {
            upper: Vec::new(),
            rotations: Vec::new(),
            rhs: vec![norm],
            goal: goal.unwrap_or(f64::INFINITY),
            open: goal.is_some(),
        }
    }

    /// Takes the next column of the Hessenberg matrix, `below` its last entry.
    pub(crate) fn push(&mut self, mut h: Vec<f64>, mut below: f64) {
        let scale: f64 = h.iter().fold(below, |s, v| s.max(v.abs()));
        if below <= f64::EPSILON * scale {
            // The space is complete: the solution lies in it.
            below = 0.0;
        }
        for (j, &(c, s)) in self.rotations.iter().enumerate() {
            let (p, q) = (h[j], h[j + 1]);
            h[j] = c * p + s * q;
            h[j + 1] = c * q - s * p;
        }
        // The vector has at least the entry of its own step.
        let last = h.len() - 1;
        let size = (h[last] * h[last] + below * below).sqrt();
        if size == 0.0 || !size.is_finite() {
            self.open = false;
            return;
        }
        let (c, s) = (h[last] / size, below / size);
        h[last] = size;
        let top = self.rhs[last];
        self.rhs[last] = c * top;
        self.rhs.push(-s * top);
        self.rotations.push((c, s));
        self.upper.push(h);
        self.open = below > 0.0 && (s * top).abs() > self.goal;
    }

    /// What the steps so far contribute.
    pub(crate) fn weights(&self) -> Vec<f64> {
        let n = self.upper.len();
        let mut y = self.rhs[..n].to_vec();
        for j in (0..n).rev() {
            y[j] /= self.upper[j][j];
            let v = y[j];
            for (y, u) in y.iter_mut().zip(&self.upper[j]).take(j) {
                *y -= u * v;
            }
        }
        y
    }
}

/// One cycle from the residuals `r`: the updates of x and the steps by column.
fn cycle(
    exec: &Exec,
    (a, m): (&dyn Operator, &dyn Operator),
    mut r: Vec<f64>,
    start: &[(f64, f64)],
    steps: usize,
) -> Result<(Vec<f64>, Vec<usize>)> {
    let k = start.len();
    let mut columns: Vec<Column> = start.iter().map(|s| Column::new(s.0, Some(s.1))).collect();
    let inverse: Vec<f64> = start.iter().map(|s| 1.0 / s.0).collect();
    block::scale(&mut r, &inverse);
    let len = r.len();
    let mut basis = vec![r];
    let mut z = crate::error::try_filled(len, 0.0, "a Krylov space")?;
    while basis.len() <= steps && columns.iter().any(|c| c.open) {
        let mut w = crate::error::try_filled(len, 0.0, "a Krylov space")?;
        m.apply(exec, &basis[basis.len() - 1], k, &mut z)?;
        a.apply(exec, &z, k, &mut w)?;
        let known: Vec<&[f64]> = basis.iter().map(Vec::as_slice).collect();
        // Twice is enough (Giraud, Langou, Rozloznik & van den Eshof 2005).
        let mut h = vec![0.0; known.len() * k];
        for _ in 0..2 {
            let d = block::dots(exec, &known, &w, k)?;
            let minus: Vec<f64> = d.iter().map(|v| -v).collect();
            block::add(exec, &known, &minus, &mut w, k)?;
            h.iter_mut().zip(d).for_each(|(h, d)| *h += d);
        }
        let below = block::norms(exec, &w, k)?;
        let mut factors = vec![0.0; k];
        for (c, column) in columns.iter_mut().enumerate() {
            if column.open {
                column.push(h.iter().skip(c).step_by(k).copied().collect(), below[c]);
            }
            if column.open {
                factors[c] = 1.0 / below[c];
            }
        }
        block::scale(&mut w, &factors);
        basis.push(w);
    }
    let taken: Vec<usize> = columns.iter().map(|c| c.upper.len()).collect();
    let most = taken.iter().copied().max().unwrap_or(0);
    let mut weights = vec![0.0; most * k];
    for (c, column) in columns.iter().enumerate() {
        for (j, y) in column.weights().into_iter().enumerate() {
            weights[j * k + c] = y;
        }
    }
    let known: Vec<&[f64]> = basis[..most].iter().map(Vec::as_slice).collect();
    let mut sum = crate::error::try_filled(len, 0.0, "a Krylov space")?;
    block::add(exec, &known, &weights, &mut sum, k)?;
    m.apply(exec, &sum, k, &mut z)?;
    Ok((z, taken))
}
