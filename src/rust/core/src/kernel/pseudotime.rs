//! Transitions that point forward in pseudotime.
//!
//! Cells move along the edges of the neighbour graph, biased by time so that few or
//! none lead back ([`super::threshold`]); what is left of each row is scaled to sum
//! to one (sections 1.2 and 1.9 of the fate-mapping rules). For the opposite
//! direction time is turned round, `max(t) - t`.

use super::threshold::{bias, finite_times, Biased, Losses, Plan, Threshold};
use crate::chain::classes::communicating_classes;
use crate::error::{try_filled, try_with_capacity, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::sparse::stochastic::ROW_SUM_TOLERANCE;
use crate::sparse::{CscSlots, CscView};

/// What becomes of a cell that loses all its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyRows {
    /// An error that names the cells.
    Refuse,
    /// The cell keeps to itself: it becomes absorbing.
    Absorb,
}

/// How time is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Runs against time.
    pub backward: bool,
    /// Scaled to run from 0 to 1.
    pub rescale: bool,
}

impl Clock {
    /// The time to bias by, one number per cell.
    ///
    /// # Errors
    /// `range` for times that are missing, infinite, or, to be scaled, all the same;
    /// `memory`.
    pub fn read(self, time: &[f64]) -> Result<Vec<f64>> {
        finite_times(time)?;
        let fold = |f: fn(f64, f64) -> f64, from| time.iter().copied().fold(from, f);
        let (low, high) = (
            fold(f64::min, f64::INFINITY),
            fold(f64::max, f64::NEG_INFINITY),
        );
        let span = high - low;
        if self.rescale && !(span > 0.0 && span.is_finite()) {
            return Err(CoreError::Range {
                what: "the range of the pseudotime".into(),
                value: span.max(0.0),
                allowed: "finite and positive, to be scaled".into(),
            });
        }
        let mut out = try_with_capacity(time.len(), "the pseudotime")?;
        out.extend(time.iter().map(|&t| match (self.backward, self.rescale) {
            (false, false) => t,
            (true, false) => high - t,
            (false, true) => (t - low) / span,
            (true, true) => (high - t) / span,
        }));
        Ok(out)
    }
}

/// A transition matrix on its way: what is known before it is written.
#[derive(Debug)]
pub struct Transition<'a> {
    biased: Biased<'a>,
    /// Where columns begin.
    pub plan: Plan,
    /// Cells that lost all their edges and are absorbing.
    pub absorbing: Vec<usize>,
}

/// Prepares the transition matrix of a graph (n x n) biased by `time` (n, as
/// [`Clock::read`] gives it); [`Transition::fill`] writes it. A cell without
/// neighbours in `conn` itself is an error under either rule for empty rows, except
/// with [`Threshold::Done`]. O(entries log k) time, O(n) memory beside the result
/// for a symmetric graph.
///
/// # Errors
/// `range`, `shape`; `disconnected` naming the cells without a neighbour or, with
/// [`EmptyRows::Refuse`], those that lost all; `memory`, `interrupted`.
pub fn transition<'a>(
    exec: &Exec,
    conn: CscView<'a>,
    time: &[f64],
    scheme: Threshold,
    empty: EmptyRows,
) -> Result<Transition<'a>> {
    let mut biased = bias(exec, conn, time, scheme)?;
    let absorbing = biased.empty();
    if empty == EmptyRows::Refuse && !absorbing.is_empty() {
        return Err(CoreError::NoEdgeLeft {
            count: absorbing.len(),
            cells: absorbing.into_iter().take(SHOWN).collect(),
        });
    }
    // Rows that sum to one already are left as they are.
    if biased.sums().all(|s| (s - 1.0).abs() <= ROW_SUM_TOLERANCE) {
        biased.keep_sums();
    }
    biased.absorb();
    Ok(Transition {
        plan: biased.plan(exec)?,
        biased,
        absorbing,
    })
}

impl Transition<'_> {
    /// What the bias did to the edges.
    pub fn losses(&self) -> Losses {
        self.biased.losses()
    }

    /// Whether the graph is its own transpose, to the bit.
    pub fn is_symmetric(&self) -> bool {
        self.biased.is_symmetric()
    }

    /// Writes rows and values; see [`Biased::fill`].
    ///
    /// # Errors
    /// `shape`, `interrupted`.
    pub fn fill(&self, exec: &Exec, i: &mut [i32], x: &mut [f64]) -> Result<()> {
        self.biased.fill(exec, &self.plan, i, x)
    }

    /// The matrix as slots for R.
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn slots(&self, exec: &Exec) -> Result<CscSlots> {
        self.biased.slots(exec)
    }
}

/// Number of pieces of a graph, directions ignored; only positive entries are
/// edges. Ends as soon as there is one piece, and a few edges of every cell are
/// looked at first: practically O(n) for a graph in one piece. For a graph known to
/// be `symmetric`, cells of the largest piece need not be looked at again either
/// (Sutton, Ben-Nun & Barak 2018).
///
/// # Errors
/// `memory`, `interrupted`.
pub fn pieces(exec: &Exec, graph: CscView<'_>, symmetric: bool) -> Result<usize> {
    /// Edges of every cell in the first round.
    const FIRST: usize = 2;
    let n = graph.cols();
    let mut forest = Forest::new(n)?;
    for c in 0..n {
        let (rows, values) = graph.column(c);
        forest.link(c, rows.iter().zip(values).take(FIRST));
    }
    let largest = if symmetric { forest.largest()? } else { None };
    for c in 0..n {
        if forest.pieces <= 1 {
            break;
        }
        if c % (1 << 16) == 0 {
            exec.check()?;
        }
        if largest.is_some() && largest == Some(forest.root(c as u32)) {
            continue;
        }
        let (rows, values) = graph.column(c);
        forest.link(c, rows.iter().zip(values).skip(FIRST));
    }
    Ok(forest.pieces)
}

/// Union by smaller root with path halving (Tarjan & van Leeuwen 1984).
struct Forest {
    parent: Vec<u32>,
    pieces: usize,
}

impl Forest {
    fn new(n: usize) -> Result<Forest> {
        let mut parent = try_with_capacity(n, "the pieces of a graph")?;
        parent.extend(0..n as u32);
        Ok(Forest { parent, pieces: n })
    }

    fn root(&mut self, mut i: u32) -> u32 {
        while self.parent[i as usize] != i {
            let up = self.parent[self.parent[i as usize] as usize];
            self.parent[i as usize] = up;
            i = up;
        }
        i
    }

    fn link<'a>(&mut self, c: usize, edges: impl Iterator<Item = (&'a i32, &'a f64)>) {
        for (&r, &v) in edges {
            let (a, b) = (self.root(c as u32), self.root(r as u32));
            if v > 0.0 && a != b {
                self.parent[a.max(b) as usize] = a.min(b);
                self.pieces -= 1;
            }
        }
    }

    /// Root of the piece with most cells, of equal ones the first.
    fn largest(&mut self) -> Result<Option<u32>> {
        let n = self.parent.len();
        let mut size = try_filled(n, 0u32, "the pieces of a graph")?;
        for i in 0..n as u32 {
            let r = self.root(i) as usize;
            size[r] += 1;
        }
        let best = (0..n as u32).max_by_key(|&i| (size[i as usize], std::cmp::Reverse(i)));
        Ok(best)
    }
}

/// Number of communicating classes of a chain (its transpose has the same). One
/// class: every cell can reach every other. O(n + entries).
///
/// # Errors
/// `shape`, `memory`.
pub fn classes(chain: CscView<'_>) -> Result<usize> {
    Ok(communicating_classes(&chain.columns_as_rows()?)?.n_classes)
}

#[cfg(test)]
#[path = "pseudotime_tests.rs"]
mod tests;
