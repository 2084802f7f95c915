//! The search for the crispest rotation that leaves every state some cells.
//!
//! The crispest memberships of all often have a state that no cell belongs to most, and
//! no cells could then stand for it. The search (Lewis & Overton 2013, from the inner
//! simplex and where it is cheap also from the end of a Nelder-Mead run) therefore
//! guards the neighbourhood of every corner of the inner simplex. Only cells on the hull
//! decide feasibility: it looks at some hundred of them and takes in whatever cell a
//! result turns out to violate, so its cost hardly depends on the number of cells, and
//! the result holds for all of them.

use super::nelder_mead;
use super::objective::{columns, Cells, Guard, Objective};
use super::quasi_newton;
use super::rotation::filled;
use super::states::assign_states;
use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::simd;
use ndarray::ArrayView2;

/// Cells taken per state at the start, and per state and round later on.
const NEAREST: usize = 40;
const VIOLATED: usize = 32;

/// Times that violated cells are taken in.
const ROUNDS: usize = 12;

/// Iterations of one round.
const STEPS: usize = 200;

/// Guarded cells per state.
const NEIGHBOURS: usize = 8;

/// Weight of the guard in the first round, and the rounds, each of twice the weight.
const WEIGHT: f64 = 5.0;
const GUARD_ROUNDS: usize = 6;

/// Cells per state by which a result is judged usable: the default of the analysis.
const SHOWN: usize = 30;

/// States up to which a Nelder-Mead run is cheap enough to compete.
const COMPARED: usize = 8;

/// The free block of the crispest usable rotation found, and its f over all cells. A
/// rotation is usable when every state keeps enough of the cells that would show it;
/// only where no such rotation turns up, an unusable one is returned.
///
/// # Errors
/// `memory`, `interrupted`.
pub(crate) fn crispest_usable(
    x: ArrayView2<'_, f64>,
    full: &mut Objective<'_>,
    corners: &[usize],
    start: &[f64],
) -> Result<(Vec<f64>, f64)> {
    let mut pool = Pool::new(x, full, start)?;
    let mut guard = guarded(x, corners, start)?;
    let mut best = Candidate::new(x, full, start.to_vec())?;
    guarded_descent(x, full, &mut pool, &mut guard, start.to_vec(), &mut best)?;
    if x.ncols() <= COMPARED {
        let cells = Cells::new(x, &pool.index)?;
        let mut part = Objective {
            exec: full.exec,
            cells: &cells,
            guard: None,
            evaluations: 0,
        };
        let limit = nelder_mead::published_limit(start.len());
        let (b, _) = nelder_mead::minimise(start, limit, |b| part.value(b))?;
        full.evaluations += part.evaluations;
        let end = Candidate::new(x, full, b.clone())?;
        if end.beats(&best) {
            best = end;
        }
        guard.weight = WEIGHT;
        guarded_descent(x, full, &mut pool, &mut guard, b, &mut best)?;
    }
    Ok((best.b, best.value))
}

/// Descends from `b` and strengthens the guard until the end is usable.
fn guarded_descent(
    x: ArrayView2<'_, f64>,
    full: &mut Objective<'_>,
    pool: &mut Pool,
    guard: &mut Guard,
    mut b: Vec<f64>,
    best: &mut Candidate,
) -> Result<()> {
    for _ in 0..GUARD_ROUNDS {
        b = pool.descend(x, full, guard, b)?;
        let end = Candidate::new(x, full, b.clone())?;
        let usable = end.usable;
        if end.beats(best) {
            *best = end;
        }
        if usable {
            break;
        }
        add_rivals(x, full, guard, &b)?;
        guard.weight *= 2.0;
    }
    Ok(())
}

/// A rotation, whether every state keeps cells under it, and its f.
struct Candidate {
    b: Vec<f64>,
    usable: bool,
    value: f64,
}

impl Candidate {
    fn new(x: ArrayView2<'_, f64>, full: &mut Objective<'_>, b: Vec<f64>) -> Result<Candidate> {
        let value = full.value(&b)?;
        let usable = value.is_finite() && is_usable(x, full, &b)?;
        Ok(Candidate { b, usable, value })
    }

    fn beats(&self, other: &Candidate) -> bool {
        match (self.usable, other.usable) {
            (true, false) => true,
            (false, true) => false,
            _ => self.value < other.value,
        }
    }
}

/// Whether every state keeps enough of the cells that would show it.
fn is_usable(x: ArrayView2<'_, f64>, full: &Objective<'_>, b: &[f64]) -> Result<bool> {
    let (chi, _) = match filled(full.exec, x, full.cells, b) {
        Err(CoreError::NoState { .. }) => return Ok(false),
        other => other?,
    };
    let shown = SHOWN.min(x.nrows() / x.ncols());
    match assign_states(chi.view(), Some(shown)) {
        Err(CoreError::NoState { .. }) => Ok(false),
        other => other.map(|_| true),
    }
}

/// The corner of every state and the cells nearest to it in the memberships of the
/// start. O(n m^2).
fn guarded(x: ArrayView2<'_, f64>, corners: &[usize], start: &[f64]) -> Result<Guard> {
    let (n, m) = x.dim();
    let a = columns(start, m - 1);
    let mut place = try_with_capacity(n * m, "the memberships at the start")?;
    for row in x.rows() {
        let z: Vec<f64> = row.iter().skip(1).copied().collect();
        place.extend(a.chunks_exact(m - 1).map(|column| simd::dot(&z, column)));
    }
    let mut guard = Guard {
        coordinates: Vec::new(),
        states: Vec::new(),
        rivals: Vec::new(),
        rival_states: Vec::new(),
        weight: WEIGHT,
    };
    for (state, &corner) in corners.iter().enumerate() {
        let here = &place[corner * m..(corner + 1) * m];
        let mut near = Vec::new();
        for (i, there) in place.chunks_exact(m).enumerate() {
            let square = simd::zip_sum(here, there, |a, b| (a - b) * (a - b));
            insert(&mut near, (-square, i), NEIGHBOURS);
        }
        for (_, i) in near {
            guard.states.push(state);
            guard.coordinates.extend(x.row(i).iter().skip(1));
        }
    }
    Ok(guard)
}

/// Takes in as rivals the cells that would show a state though they belong more to
/// another, for every state that has more of them than cells of its own. O(n m).
fn add_rivals(
    x: ArrayView2<'_, f64>,
    full: &Objective<'_>,
    guard: &mut Guard,
    b: &[f64],
) -> Result<()> {
    let (n, m) = x.dim();
    let chi = match filled(full.exec, x, full.cells, b) {
        // Memberships that are not even valid name no rivals.
        Err(CoreError::NoState { .. }) => return Ok(()),
        other => other?.0,
    };
    for state in 0..m {
        let mut top = Vec::new();
        for i in 0..n {
            insert(&mut top, (chi[(i, state)], i), SHOWN.min(n / m));
        }
        let shown = top.len();
        top.retain(|&(own, i)| chi.row(i).iter().any(|&other| other > own));
        if 2 * top.len() <= shown {
            continue;
        }
        let mean = guard.mean(state, m - 1);
        for (_, i) in top {
            guard.rival_states.push(state);
            let z = x.row(i);
            let less = z.iter().skip(1).zip(&mean).map(|(v, mean)| v - mean);
            guard.rivals.extend(less);
        }
    }
    Ok(())
}

/// The cells that the search looks at.
struct Pool {
    member: Vec<bool>,
    index: Vec<usize>,
}

impl Pool {
    /// Cells with the smallest memberships at the start, for every state.
    fn new(x: ArrayView2<'_, f64>, full: &Objective<'_>, start: &[f64]) -> Result<Pool> {
        let mut pool = Pool {
            member: vec![false; x.nrows()],
            index: Vec::new(),
        };
        let a = columns(start, x.ncols() - 1);
        pool.take(
            x,
            full.exec,
            &a,
            &vec![f64::NEG_INFINITY; x.ncols()],
            NEAREST,
        )?;
        Ok(pool)
    }

    /// Takes in, for every column of `a`, up to `most` cells that exceed `limit` the
    /// furthest; returns how many were new.
    fn take(
        &mut self,
        x: ArrayView2<'_, f64>,
        exec: &Exec,
        a: &[f64],
        limit: &[f64],
        most: usize,
    ) -> Result<usize> {
        let d = x.ncols() - 1;
        let chunks = exec.map_chunks(x.nrows(), crate::exec::CHUNK, |rows| {
            let mut top: Vec<Vec<(f64, usize)>> = vec![Vec::new(); limit.len()];
            for i in rows {
                for (l, column) in a.chunks_exact(d).enumerate() {
                    let v: f64 = -(0..d).map(|k| x[(i, k + 1)] * column[k]).sum::<f64>();
                    if v > limit[l] {
                        insert(&mut top[l], (v, i), most);
                    }
                }
            }
            top
        })?;
        let mut top: Vec<Vec<(f64, usize)>> = vec![Vec::new(); limit.len()];
        for chunk in chunks {
            for (all, part) in top.iter_mut().zip(chunk) {
                part.into_iter().for_each(|e| insert(all, e, most));
            }
        }
        let mut new = 0;
        for (_, i) in top.into_iter().flatten() {
            if !std::mem::replace(&mut self.member[i], true) {
                self.index.push(i);
                new += 1;
            }
        }
        Ok(new)
    }

    /// Minimises over the pool, takes in the cells that the result violates, and so on
    /// until they hardly matter.
    fn descend(
        &mut self,
        x: ArrayView2<'_, f64>,
        full: &mut Objective<'_>,
        guard: &Guard,
        mut b: Vec<f64>,
    ) -> Result<Vec<f64>> {
        let d = x.ncols() - 1;
        // The work of an iteration grows with the fourth power of the dimension, and so
        // does what may be given away: 1e-5 for 5 states, 5e-4 for 11, 3e-2 for 30.
        let slack = 5e-8 * (d * d * d * d) as f64;
        for _ in 0..ROUNDS {
            full.exec.check()?;
            let cells = Cells::new(x, &self.index)?;
            let mut part = Objective {
                exec: full.exec,
                cells: &cells,
                guard: Some(guard),
                evaluations: 0,
            };
            b = quasi_newton::minimise(&b, STEPS, slack, |b, g| part.gradient(b, g))?.0;
            let pooled = part.value(&b)?;
            full.evaluations += part.evaluations;
            if full.value(&b)? - pooled <= slack {
                break;
            }
            let a = columns(&b, d);
            let tops = cells.maxima(full.exec, &a)?;
            let limit: Vec<f64> = tops.iter().map(|t| t.0).collect();
            if self.take(x, full.exec, &a, &limit, VIOLATED)? == 0 {
                break;
            }
        }
        Ok(b)
    }
}

/// Keeps the `most` largest, ties by cell, in descending order.
fn insert(top: &mut Vec<(f64, usize)>, new: (f64, usize), most: usize) {
    if top.len() == most && top.last().is_some_and(|l| l.0 >= new.0) {
        return;
    }
    let at = top.partition_point(|e| e.0 >= new.0);
    top.insert(at, new);
    top.truncate(most);
}

#[cfg(test)]
#[path = "descent_tests.rs"]
mod tests;
