//! How the linear system of an absorbing chain is solved.
//!
//! Small chains by elimination, larger ones by sweeps over the cells
//! ([`crate::linalg::sweep`]). Where a solver does not get there the next goes on from
//! what it has: iterations with an incomplete factorisation and a coarse chain,
//! which are made only then, and elimination last. What counts is how far the residual
//! came down, never a clock. The result names all that had a part, and the vector
//! that bounds the errors is computed and checked here, too (see
//! [`super::transient`]).

use super::transient::Transient;
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::linalg::bicgstab::bicgstab;
use crate::linalg::block::{self, Identity, Operator};
use crate::linalg::coarse::Coarse;
use crate::linalg::gmres::{gmres, Limits, Outcome};
use crate::linalg::precond::{Ilu0, Jacobi, TwoLevel};
use crate::linalg::sparse_lu::{Plan, SparseLu};
use crate::linalg::sweep::Sweep;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

/// How the system is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solver {
    /// Direct for small chains, sweeps for larger ones, then as [`Solver::Gmres`].
    Auto,
    /// GMRES; columns it cannot solve go to BiCGSTAB, then, if the chain is small
    /// enough, to the direct solver.
    Gmres,
    /// BiCGSTAB; columns it cannot solve go to GMRES, then as above.
    Bicgstab,
    /// Elimination, as far as its factors fit into memory.
    Direct,
}

/// What makes the iterations of GMRES and BiCGSTAB fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preconditioner {
    /// [`Preconditioner::Ilu0`] after a correction on a coarse chain.
    Auto,
    /// None.
    Identity,
    /// Division by the rates of leaving the cells.
    Jacobi,
    /// The incomplete factorisation on the pattern of the chain.
    Ilu0,
}

/// Cells up to which [`Solver::Auto`] is the direct solver.
const SMALL: usize = 800;
/// Cells up to which the fallback begins with GMRES; above, its space would cost more
/// than the matrix, and it begins with BiCGSTAB.
const MEDIUM: usize = 20_000;
/// Cells up to which the direct solver may help out, if its factors fit into memory
/// and take no more products than this.
const RESCUE: (usize, f64) = (50_000, 1e11);
/// Bytes that the factors of the direct solver may take.
pub const MEMORY: f64 = 4.0 * 1024.0 * 1024.0 * 1024.0;
/// Steps per column before an iteration is given up.
const STEPS: usize = 2000;
/// Sweeps that end further than this from their goal have stalled.
const SHORT: f64 = 10.0;
/// Bytes that the spaces of GMRES may take, and the steps that they are for.
const SPACE: usize = 1 << 30;
const RESTART: (usize, usize) = (20, 100);

/// A chain made ready to be solved for any number of right-hand sides.
pub struct Prepared<'a> {
    chain: &'a Transient,
    stages: Vec<Stage>,
    preconditioner: Preconditioner,
    /// Bytes that the factors of the direct solver may take.
    memory: f64,
    sweep: Option<Sweep<'a>>,
    /// Whether sweeps have stalled before: then they do not help this chain.
    stalled: AtomicBool,
    direct: OnceLock<SparseLu>,
    inverse: OnceLock<Box<dyn Operator + Send + 'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Sweep,
    Gmres,
    Bicgstab,
    Direct,
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
    /// As [`Prepared::with`], with [`Preconditioner::Auto`] and [`MEMORY`].
    ///
    /// # Errors
    /// `singular` when some cells never leave, `memory`, `interrupted`.
    pub fn new(exec: &Exec, chain: &'a Transient, solver: Solver) -> Result<Prepared<'a>> {
        Prepared::with(exec, chain, solver, Preconditioner::Auto, MEMORY)
    }

    /// Makes ready what the first solver needs; the others follow when their turn
    /// comes. A preconditioner of one's own choice rules the sweeps out, which have
    /// theirs. The factors of the direct solver may take `memory` bytes. O(entries),
    /// for the direct solver what its plan says.
    ///
    /// # Errors
    /// `singular` when some cells never leave, `memory`, `interrupted`.
    pub fn with(
        exec: &Exec,
        chain: &'a Transient,
        solver: Solver,
        preconditioner: Preconditioner,
        memory: f64,
    ) -> Result<Prepared<'a>> {
        let n = chain.size();
        let mut prepared = Prepared {
            chain,
            stages: Vec::new(),
            preconditioner,
            memory,
            sweep: None,
            stalled: AtomicBool::new(false),
            direct: OnceLock::new(),
            inverse: OnceLock::new(),
        };
        let own_choice = preconditioner != Preconditioner::Auto;
        let solver = match solver {
            Solver::Auto if n <= SMALL && !own_choice => Solver::Direct,
            other => other,
        };
        if solver == Solver::Direct {
            prepared.stages.push(Stage::Direct);
            prepared.direct(exec)?;
            return Ok(prepared);
        }
        if solver == Solver::Auto && !own_choice {
            prepared.sweep = Sweep::new(&chain.rates, &chain.leak)?;
            prepared
                .stages
                .extend(prepared.sweep.as_ref().map(|_| Stage::Sweep));
        }
        let gmres = solver == Solver::Gmres || (solver == Solver::Auto && n <= MEDIUM);
        prepared.stages.extend(if gmres {
            [Stage::Gmres, Stage::Bicgstab]
        } else {
            [Stage::Bicgstab, Stage::Gmres]
        });
        if n <= RESCUE.0 {
            prepared.stages.push(Stage::Direct);
        }
        Ok(prepared)
    }

    /// Solves for the columns of `b` (n x k) from `x`. Column c is aimed at a
    /// residual of `goal[c]` (2-norm) and is good enough at `accept[c]`: only above
    /// that another solver takes over, from sweeps already when they stall. The
    /// caller judges `residuals`.
    ///
    /// # Errors
    /// `singular`, `interrupted`, `memory`.
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
            solver: "",
        };
        let mut used = Vec::new();
        for &stage in &self.stages {
            let skip = match stage {
                Stage::Sweep => self.stalled.load(Ordering::Relaxed),
                Stage::Direct => !used.is_empty() && !self.rescue(exec)?,
                _ => false,
            };
            if skip {
                continue;
            }
            used.push(stage);
            let enough = |c: usize| match stage {
                Stage::Sweep => accept[c].min(SHORT * goal[c]),
                _ => accept[c],
            };
            match (stage, &self.sweep) {
                (Stage::Direct, _) => self.refine(exec, self.direct(exec)?, b, goal, &mut s)?,
                (Stage::Sweep, Some(sweep)) => {
                    let found = sweep.solve(exec, self.chain, b, &mut s.x, goal)?;
                    s.add(found);
                    let done = (0..k).all(|c| s.residuals[c] <= enough(c));
                    self.stalled.store(!done, Ordering::Relaxed);
                }
                _ => self.iterate(exec, stage == Stage::Gmres, b, goal, &mut s)?,
            }
            if (0..k).all(|c| s.residuals[c] <= enough(c)) {
                break;
            }
        }
        s.solver = path(&used);
        Ok(s)
    }

    /// Whether elimination can help where iterations did not, by what it would take.
    fn rescue(&self, exec: &Exec) -> Result<bool> {
        if self.direct.get().is_some() {
            return Ok(true);
        }
        let plan = Plan::new(exec, &self.chain.rates)?;
        if plan.bytes() > self.memory || plan.work() > RESCUE.1 {
            return Ok(false);
        }
        let (q, leak) = (&self.chain.rates, &self.chain.leak);
        let lu = SparseLu::new(exec, plan, q, leak, self.memory)?;
        self.direct.get_or_init(|| lu);
        Ok(true)
    }

    fn direct(&self, exec: &Exec) -> Result<&SparseLu> {
        if let Some(lu) = self.direct.get() {
            return Ok(lu);
        }
        let (q, leak) = (&self.chain.rates, &self.chain.leak);
        let lu = SparseLu::new(exec, Plan::new(exec, q)?, q, leak, self.memory)?;
        Ok(self.direct.get_or_init(|| lu))
    }

    fn inverse(&self, exec: &Exec) -> Result<&dyn Operator> {
        if let Some(m) = self.inverse.get() {
            return Ok(m.as_ref());
        }
        let (q, leak) = (&self.chain.rates, &self.chain.leak);
        let m: Box<dyn Operator + Send + 'a> = match self.preconditioner {
            Preconditioner::Identity => Box::new(Identity(leak.len())),
            Preconditioner::Jacobi => Box::new(Jacobi::of_rates(q, leak)?),
            Preconditioner::Ilu0 => Box::new(Ilu0::new(exec, q, leak)?),
            Preconditioner::Auto => Box::new(TwoLevel {
                matrix: self.chain,
                fine: Ilu0::new(exec, q, leak)?,
                coarse: Coarse::new(exec, q, leak)?,
            }),
        };
        Ok(self.inverse.get_or_init(|| m).as_ref())
    }

    fn iterate(
        &self,
        exec: &Exec,
        with_gmres: bool,
        b: &[f64],
        goal: &[f64],
        s: &mut Solved,
    ) -> Result<()> {
        let bytes = 8 * self.chain.size().max(1) * goal.len().max(1);
        let limits = Limits {
            iterations: STEPS,
            restart: (SPACE / bytes).clamp(RESTART.0, RESTART.1),
        };
        let pair: (&dyn Operator, &dyn Operator) = (self.chain, self.inverse(exec)?);
        let found = if with_gmres {
            gmres(exec, pair, b, &mut s.x, goal, limits)?
        } else {
            bicgstab(exec, pair, b, &mut s.x, goal, limits)?
        };
        s.add(found);
        Ok(())
    }

    /// Direct solution and iterative refinement, while that helps.
    fn refine(
        &self,
        exec: &Exec,
        lu: &SparseLu,
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

impl Solved {
    fn add(&mut self, found: Outcome) {
        for (all, more) in self.iterations.iter_mut().zip(found.iterations) {
            *all += more;
        }
        self.residuals = found.residuals;
    }
}

/// The names of the solvers that had a part in it.
fn path(used: &[Stage]) -> &'static str {
    use Stage::{Bicgstab, Direct, Gmres, Sweep};
    match used {
        [Direct] => "direct",
        [Sweep] => "sweep",
        [Sweep, Gmres] => "sweep+gmres",
        [Sweep, Gmres, Bicgstab] => "sweep+gmres+bicgstab",
        [Sweep, Gmres, Bicgstab, Direct] => "sweep+gmres+bicgstab+direct",
        [Sweep, Bicgstab] => "sweep+bicgstab",
        [Sweep, Bicgstab, Gmres] => "sweep+bicgstab+gmres",
        [Sweep, Bicgstab, Gmres, Direct] => "sweep+bicgstab+gmres+direct",
        [Gmres] => "gmres",
        [Gmres, Bicgstab] => "gmres+bicgstab",
        [Gmres, Bicgstab, Direct] => "gmres+bicgstab+direct",
        [Bicgstab] => "bicgstab",
        [Bicgstab, Gmres] => "bicgstab+gmres",
        [Bicgstab, Gmres, Direct] => "bicgstab+gmres+direct",
        _ => "none",
    }
}

/// A vector v with `v >= 0` and `(I - Q) v >= 1`, checked entry by entry against
/// rounding. `None` when the solution was not good enough for that.
///
/// # Errors
/// `interrupted`, `memory`.
pub fn certificate(exec: &Exec, prepared: &Prepared<'_>) -> Result<Option<Solved>> {
    let n = prepared.chain.size();
    let ones = try_filled(n, 1.0, "absorption times")?;
    let start = try_filled(n, 0.0, "absorption times")?;
    let mut s = prepared.solve(exec, &ones, start, &[CERTIFICATE.0], &[CERTIFICATE.1])?;
    let sound = certify(exec, prepared.chain, &mut s.x)?;
    Ok(sound.then_some(s))
}

/// Residual that the bounding vector is aimed at, and the most that is accepted: a
/// residual of r in every entry costs the bound a factor 1 / (1 - r).
pub(super) const CERTIFICATE: (f64, f64) = (0.05, 0.3);

/// Scales `v` such that `(I - Q) v >= 1` holds in spite of rounding; false when it is
/// too far from that, or not positive.
///
/// # Errors
/// `interrupted`, `memory`.
fn certify(exec: &Exec, chain: &Transient, v: &mut [f64]) -> Result<bool> {
    let ones = try_filled(v.len(), 1.0, "absorption times")?;
    let range = chain.residual_range(exec, &ones, v, 1)?;
    let least = range
        .iter()
        .map(|r| 1.0 - r.1)
        .fold(f64::INFINITY, f64::min);
    if !(least > 0.0 && v.iter().all(|v| v.is_finite() && *v >= 0.0)) {
        return Ok(false);
    }
    // A few ulps up, so that the division cannot round below what was checked.
    let factor = (1.0 + 4.0 * f64::EPSILON) / least;
    v.iter_mut().for_each(|v| *v *= factor);
    Ok(true)
}
