//! How the linear system of an absorbing chain is solved.
//!
//! Small chains by elimination, larger ones by an iteration with an incomplete
//! factorisation and a coarse chain; where one solver does not get there the next
//! takes over, and the result names all that had a part. The vector that bounds the
//! errors is computed and checked here, too (see [`super::transient`]).

use super::transient::Transient;
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::linalg::bicgstab::bicgstab;
use crate::linalg::block::{self, Operator};
use crate::linalg::coarse::Coarse;
use crate::linalg::dense_lu::DenseLu;
use crate::linalg::gmres::{gmres, Limits, Outcome};
use crate::linalg::precond::{Ilu0, TwoLevel};

/// How the system is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solver {
    /// Direct for small chains, GMRES with its fallbacks for larger ones, BiCGSTAB
    /// with its own for those whose Krylov space would cost more than the matrix.
    Auto,
    /// GMRES; columns it cannot solve go to BiCGSTAB, then, if the chain is small
    /// enough, to the direct solver.
    Gmres,
    /// BiCGSTAB; columns it cannot solve go to GMRES, then as above.
    Bicgstab,
    /// Dense elimination: n^2 numbers, O(n^3).
    Direct,
}

/// Cells up to which [`Solver::Auto`] is the direct solver.
const SMALL: usize = 800;
/// Cells up to which it is GMRES.
const MEDIUM: usize = 20_000;
/// Cells up to which the direct solver may help out.
const RESCUE: usize = 5000;
/// Steps per column before an iteration is given up.
const STEPS: usize = 2000;
/// Bytes that the spaces of GMRES may take, and the steps that they are for.
const SPACE: usize = 1 << 30;
const RESTART: (usize, usize) = (20, 100);
/// A chain made ready to be solved for any number of right-hand sides.
pub struct Prepared<'a> {
    chain: &'a Transient,
    solver: Solver,
    direct: Option<DenseLu>,
    iterative: Option<TwoLevel<'a>>,
}

/// A block of solutions and how they came about.
#[derive(Debug, Clone)]
pub struct Solved {
    /// n x k, row by row.
    pub x: Vec<f64>,
    /// Steps by column, over all solvers that had a part in it.
    pub iterations: Vec<usize>,
    /// 2-norm of the true residual by column.
    pub residuals: Vec<f64>,
    /// The solvers that had a part in it, joined by `+`.
    pub solver: &'static str,
}

impl<'a> Prepared<'a> {
    /// Factors what the solver needs: O(n^3) for the direct one, about
    /// O(entries * entries per row) for the others.
    ///
    /// # Errors
    /// `singular` when some cells never leave, `memory`, `interrupted`.
    pub fn new(exec: &Exec, chain: &'a Transient, solver: Solver) -> Result<Prepared<'a>> {
        let solver = match solver {
            Solver::Auto if chain.size() <= SMALL => Solver::Direct,
            Solver::Auto if chain.size() <= MEDIUM => Solver::Gmres,
            Solver::Auto => Solver::Bicgstab,
            other => other,
        };
        let (mut direct, mut iterative) = (None, None);
        if solver == Solver::Direct {
            direct = Some(DenseLu::new(exec, &chain.rates, &chain.leak)?);
        } else {
            iterative = Some(TwoLevel {
                matrix: chain,
                fine: Ilu0::new(exec, &chain.rates, &chain.leak)?,
                coarse: Coarse::new(exec, &chain.rates, &chain.leak)?,
            });
        }
        Ok(Prepared {
            chain,
            solver,
            direct,
            iterative,
        })
    }

    /// Solves for the columns of `b` (n x k) from `x`. Column c is aimed at a
    /// residual of `goal[c]` (2-norm) and is good enough at `accept[c]`: only above
    /// that another solver takes over. The caller judges `residuals`.
    ///
    /// # Errors
    /// `interrupted`, `memory`.
    pub fn solve(
        &self,
        exec: &Exec,
        b: &[f64],
        x: Vec<f64>,
        goal: &[f64],
        accept: &[f64],
    ) -> Result<Solved> {
        let k = goal.len();
        let mut s = Solved {
            x,
            iterations: vec![0; k],
            residuals: vec![f64::INFINITY; k],
            solver: "direct",
        };
        let failed =
            |s: &Solved| (0..k).any(|c| s.residuals[c].is_nan() || s.residuals[c] > accept[c]);
        if let Some(lu) = &self.direct {
            self.refine(exec, lu, b, goal, &mut s)?;
            return Ok(s);
        }
        let first = self.solver == Solver::Gmres;
        self.iterate(exec, first, b, goal, &mut s)?;
        s.solver = if first { "gmres" } else { "bicgstab" };
        if failed(&s) {
            self.iterate(exec, !first, b, goal, &mut s)?;
            s.solver = if first {
                "gmres+bicgstab"
            } else {
                "bicgstab+gmres"
            };
        }
        if failed(&s) && self.chain.size() <= RESCUE {
            let lu = DenseLu::new(exec, &self.chain.rates, &self.chain.leak)?;
            self.refine(exec, &lu, b, goal, &mut s)?;
            s.solver = if first {
                "gmres+bicgstab+direct"
            } else {
                "bicgstab+gmres+direct"
            };
        }
        Ok(s)
    }

    fn iterate(
        &self,
        exec: &Exec,
        with_gmres: bool,
        b: &[f64],
        goal: &[f64],
        s: &mut Solved,
    ) -> Result<()> {
        let Some(m) = &self.iterative else {
            return Ok(());
        };
        let bytes = 8 * self.chain.size().max(1) * goal.len().max(1);
        let limits = Limits {
            iterations: STEPS,
            restart: (SPACE / bytes).clamp(RESTART.0, RESTART.1),
        };
        let pair: (&dyn Operator, &dyn Operator) = (self.chain, m);
        let Outcome {
            iterations,
            residuals,
        } = if with_gmres {
            gmres(exec, pair, b, &mut s.x, goal, limits)?
        } else {
            bicgstab(exec, pair, b, &mut s.x, goal, limits)?
        };
        s.iterations
            .iter_mut()
            .zip(iterations)
            .for_each(|(a, b)| *a += b);
        s.residuals = residuals;
        Ok(())
    }

    /// Direct solution and iterative refinement, while that helps.
    fn refine(
        &self,
        exec: &Exec,
        lu: &DenseLu,
        b: &[f64],
        goal: &[f64],
        s: &mut Solved,
    ) -> Result<()> {
        const ROUNDS: usize = 4;
        let k = goal.len();
        let mut x = b.to_vec();
        lu.solve(&mut x, k);
        let (mut r, mut norms) = block::residual(exec, self.chain, b, &x, k)?;
        for _ in 0..ROUNDS {
            let open: Vec<usize> = (0..k).filter(|&c| norms[c] > goal[c]).collect();
            if open.is_empty() {
                break;
            }
            lu.solve(&mut r, k);
            let next: Vec<f64> = x.iter().zip(&r).map(|(x, d)| x + d).collect();
            let (rest, size) = block::residual(exec, self.chain, b, &next, k)?;
            let better: Vec<usize> = open.into_iter().filter(|&c| size[c] < norms[c]).collect();
            if better.is_empty() {
                break;
            }
            block::put_columns(&mut x, k, &better, &block::columns(&next, k, &better));
            better.iter().for_each(|&c| norms[c] = size[c]);
            r = rest;
            if better.len() < k {
                (r, norms) = block::residual(exec, self.chain, b, &x, k)?;
            }
        }
        s.x = x;
        s.residuals = norms;
        Ok(())
    }
}

/// A vector v with `v >= 0` and `(I - Q) v >= 1`, checked entry by entry against
/// rounding. `None` when the solution was not good enough for that.
///
/// # Errors
/// `interrupted`, `memory`.
pub fn certificate(exec: &Exec, prepared: &Prepared<'_>) -> Result<Option<Solved>> {
    let chain = prepared.chain;
    let n = chain.size();
    let ones = try_filled(n, 1.0, "absorption times")?;
    // A residual of at most 0.3 in every entry costs the bound a factor below 1.5.
    let goal = [1e-6 * (n as f64).sqrt().min(1e5)];
    let mut s = prepared.solve(
        exec,
        &ones,
        try_filled(n, 0.0, "absorption times")?,
        &goal,
        &[0.3],
    )?;
    let range = chain.residual_range(exec, &ones, &s.x, 1)?;
    let least = range
        .iter()
        .map(|r| 1.0 - r.1)
        .fold(f64::INFINITY, f64::min);
    let sound = least > 0.0 && s.x.iter().all(|v| v.is_finite() && *v >= 0.0);
    if !sound {
        return Ok(None);
    }
    // One ulp up, so that the division cannot round below what was checked.
    let factor = (1.0 + 4.0 * f64::EPSILON) / least;
    s.x.iter_mut().for_each(|v| *v *= factor);
    Ok(Some(s))
}
