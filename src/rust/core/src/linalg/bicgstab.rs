//! BiCGSTAB for a block of right-hand sides (van der Vorst 1992).
//!
//! Two products per step and seven vectors of memory, whatever the number of steps:
//! the solver for chains too large for the space that GMRES keeps. Every column has
//! its own scalars, columns that are done leave the block when it starts anew. It
//! can break down or wander; then it starts anew from the best it had, and the
//! residual that is returned is always the true one.

use super::block::{self, Operator};
use super::gmres::{Limits, Outcome};
use crate::error::{try_filled, Result};
use crate::exec::Exec;

/// Starts without progress after which a column is given up.
const PATIENCE: usize = 3;
/// Steps after which the recursion is replaced by the true residual.
const REFRESH: usize = 200;

/// Improves `x` until the residual of column c is at most `goal[c]` (2-norm), it
/// stalls, or the limits are reached (`restart` is not used); compare
/// [`Outcome::residuals`] with the goal. O(n * k) memory.
///
/// # Errors
/// `interrupted`, `memory`.
pub fn bicgstab(
    exec: &Exec,
    (a, m): (&dyn Operator, &dyn Operator),
    b: &[f64],
    x: &mut [f64],
    goal: &[f64],
    limits: Limits,
) -> Result<Outcome> {
    let k = goal.len();
    let (mut iterations, mut stalls) = (vec![0; k], vec![0; k]);
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
            .fold(REFRESH, usize::min);
        let aim: Vec<f64> = open.iter().map(|&c| goal[c]).collect();
        let start = block::columns(x, k, &open);
        let own = block::columns(&r, k, &open);
        let (better, taken) = run(exec, (a, m), start.clone(), own, &aim, steps)?;
        block::put_columns(x, k, &open, &better);
        let old = norms;
        (r, norms) = block::residual(exec, a, b, x, k)?;
        let mut worse = Vec::new();
        for (at, &c) in open.iter().enumerate() {
            iterations[c] += taken[at].max(1);
            if norms[c].is_nan() || norms[c] > 0.7 * old[c] {
                stalls[c] += 1;
            }
            if norms[c].is_nan() || norms[c] > old[c] {
                worse.push(at);
            }
        }
        if !worse.is_empty() {
            let keep: Vec<usize> = worse.iter().map(|&at| open[at]).collect();
            let part = block::columns(&start, open.len(), &worse);
            block::put_columns(x, k, &keep, &part);
            (r, norms) = block::residual(exec, a, b, x, k)?;
        }
    }
    Ok(Outcome {
        iterations,
        residuals: norms,
    })
}

/// The scalars of one column.
#[derive(Clone)]
struct Scalars {
    rho: f64,
    alpha: f64,
    omega: f64,
    open: bool,
    steps: usize,
}

/// The recursion from `x` with residual `r`: the best x by column, and the steps.
fn run(
    exec: &Exec,
    (a, m): (&dyn Operator, &dyn Operator),
    mut x: Vec<f64>,
    mut r: Vec<f64>,
    goal: &[f64],
    steps: usize,
) -> Result<(Vec<f64>, Vec<usize>)> {
    let k = goal.len();
    let zeros = || try_filled(r.len(), 0.0, "an iterative solver");
    let (mut p, mut v, mut z, mut t, mut y) = (zeros()?, zeros()?, zeros()?, zeros()?, zeros()?);
    let shadow = r.clone();
    let fresh = Scalars {
        rho: 1.0,
        alpha: 1.0,
        omega: 1.0,
        open: true,
        steps: 0,
    };
    let mut s = vec![fresh; k];
    let (mut best, mut least) = (x.clone(), block::norms(exec, &r, k)?);
    for _ in 0..steps {
        // p = r + beta (p - omega v)
        let rho = block::dots(exec, &[&shadow], &r, k)?;
        let beta = each(&mut s, |c, s| {
            let beta = (rho[c] / s.rho) * (s.alpha / s.omega);
            s.rho = rho[c];
            beta
        });
        let turn: Vec<f64> = s.iter().map(|s| -s.omega).collect();
        block::add(exec, &[&v], &turn, &mut p, k)?;
        block::scale(&mut p, &beta);
        block::add(exec, &[&r], &vec![1.0; k], &mut p, k)?;
        m.apply(exec, &p, k, &mut y)?;
        a.apply(exec, &y, k, &mut v)?;
        let along = block::dots(exec, &[&shadow], &v, k)?;
        let alpha = each(&mut s, |c, s| {
            s.alpha = s.rho / along[c];
            s.alpha
        });
        let minus: Vec<f64> = alpha.iter().map(|v| -v).collect();
        block::add(exec, &[&v], &minus, &mut r, k)?;
        m.apply(exec, &r, k, &mut z)?;
        a.apply(exec, &z, k, &mut t)?;
        let d = block::dots(exec, &[&t, &r], &t, k)?;
        let omega = each(&mut s, |c, s| {
            // A residual of zero after the first half is the solution.
            s.omega = if d[c] == 0.0 { 0.0 } else { d[k + c] / d[c] };
            s.omega
        });
        let both: Vec<f64> = alpha.iter().chain(&omega).copied().collect();
        block::add(exec, &[&y, &z], &both, &mut x, k)?;
        let minus: Vec<f64> = omega.iter().map(|v| -v).collect();
        block::add(exec, &[&t], &minus, &mut r, k)?;
        let size = block::norms(exec, &r, k)?;
        let better: Vec<usize> = (0..k)
            .filter(|&c| s[c].open && size[c] < least[c])
            .collect();
        let part = block::columns(&x, k, &better);
        block::put_columns(&mut best, k, &better, &part);
        for (c, s) in s.iter_mut().enumerate().filter(|(_, s)| s.open) {
            s.steps += 1;
            least[c] = least[c].min(size[c]);
            s.open = size[c] > goal[c] && s.omega != 0.0 && s.rho != 0.0 && size[c].is_finite();
        }
        if s.iter().all(|s| !s.open) {
            break;
        }
    }
    Ok((best, s.into_iter().map(|s| s.steps).collect()))
}

/// A scalar per column: that of `f`, or 0 for a column that is done or broke down.
fn each(s: &mut [Scalars], f: impl Fn(usize, &mut Scalars) -> f64) -> Vec<f64> {
    s.iter_mut()
        .enumerate()
        .map(|(c, s)| {
            if !s.open {
                return 0.0;
            }
            let value = f(c, s);
            s.open = value.is_finite();
            if s.open {
                value
            } else {
                0.0
            }
        })
        .collect()
}
