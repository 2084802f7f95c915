//! Random walks: single stories of what a cell may become.
//!
//! A walk starts in one cell and, step by step, moves to another with the
//! probabilities in that cell's row of the transition matrix (section 1.14 of the
//! fate-mapping rules). Many walks together show where the process leads and how
//! long it takes. Each row is turned into running sums once; a step draws a uniform
//! number and finds it among them by bisection, so it costs O(log k) for k
//! neighbours. Walk w draws from a stream of its own keyed by (seed, w): the walks
//! do not depend on each other, on their number or on the threads.

use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::{split_at_bounds, Exec};
use crate::rng::Stream;
use crate::sparse::csr::Csr;
use crate::sparse::stochastic;

/// Purpose of the random streams: "walk".
const PURPOSE: u64 = 0x7761_6c6b;
/// Walks per task.
const WALKS: usize = 4;
/// Steps between two looks at the cancel flag.
const LOOK: usize = 1 << 16;

/// How to walk. `starts` and `stops` hold 0-based cells.
#[derive(Debug, Clone, Copy)]
pub struct WalkOptions<'a> {
    /// Number of walks.
    pub n_walks: usize,
    /// Most steps of a walk; at least 2.
    pub max_iter: usize,
    /// A walk ends after this many visits to stop cells in a row, and one more.
    pub successive_hits: usize,
    /// Cells to start from, each equally likely; not empty.
    pub starts: &'a [u32],
    /// Cells at which a walk may end early; empty for none.
    pub stops: &'a [u32],
    pub seed: u64,
}

/// The cells visited, walk after walk.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Walks {
    /// Number of cells of each walk, the first one included.
    pub lengths: Vec<usize>,
    /// 0-based cells in the order of the visits.
    pub cells: Vec<u32>,
}

/// Walks on a transition matrix (n x n, rows sum to one), which is consumed: its
/// values become running sums in place. A walk has at most `max_iter + 1` cells.
/// Time O(entries + steps log k), memory 4 bytes per visit beside the matrix.
///
/// # Errors
/// `shape` unless square, `range` and `not_stochastic` for what is no transition
/// matrix, `range` for options out of range, `memory`, `interrupted`.
pub fn random_walks(exec: &Exec, transition: Csr, options: &WalkOptions<'_>) -> Result<Walks> {
    let n = transition.rows();
    if transition.cols() != n {
        return Err(CoreError::Shape {
            what: "the columns of the transition matrix".into(),
            expected: n,
            found: transition.cols(),
        });
    }
    check_options(options, n)?;
    stochastic::check(exec, &transition)?;
    let rows = Rows::new(exec, transition)?;
    let mut stop = vec![false; n];
    options.stops.iter().for_each(|&c| stop[c as usize] = true);
    exec.control().begin(options.n_walks);
    let parts = exec.try_map_chunks(options.n_walks, WALKS, |walks| {
        let mut part = Walks::default();
        for w in walks {
            rows.walk(exec, options, &stop, w, &mut part)?;
            exec.control().tick(1);
        }
        Ok(part)
    })?;
    let total = parts.iter().map(|p| p.cells.len()).sum();
    let mut cells = try_with_capacity(total, "the random walks")?;
    let mut lengths = try_with_capacity(options.n_walks, "the random walks")?;
    for part in parts {
        cells.extend(part.cells);
        lengths.extend(part.lengths);
    }
    Ok(Walks { lengths, cells })
}

fn check_options(options: &WalkOptions<'_>, n: usize) -> Result<()> {
    let range = |what: &str, value: usize, allowed: String| {
        Err(CoreError::Range {
            what: what.into(),
            value: value as f64,
            allowed,
        })
    };
    if options.n_walks == 0 {
        return range("the number of walks", 0, "at least 1".into());
    }
    if options.max_iter < 2 {
        let allowed = "at least 2".into();
        return range("the number of steps", options.max_iter, allowed);
    }
    if options.starts.is_empty() {
        return range("the number of start cells", 0, "at least 1".into());
    }
    let both = options.starts.iter().chain(options.stops);
    match both.copied().find(|&c| c as usize >= n) {
        Some(c) => range("the index of a cell", c as usize, format!("below {n}")),
        None => Ok(()),
    }
}

/// Rows of a transition matrix as running sums.
struct Rows {
    bounds: Vec<usize>,
    columns: Vec<u32>,
    sums: Vec<f64>,
}

impl Rows {
    fn new(exec: &Exec, transition: Csr) -> Result<Rows> {
        let n = transition.rows();
        let (bounds, columns, mut sums) = transition.into_raw_storage();
        let block = n.div_ceil(64).max(1);
        let starts: Vec<usize> = (0..=n.div_ceil(block))
            .map(|b| (b * block).min(n))
            .collect();
        let cuts: Vec<usize> = starts.iter().map(|&i| bounds[i]).collect();
        let tasks: Vec<_> = split_at_bounds(&mut sums, &cuts)
            .into_iter()
            .enumerate()
            .collect();
        exec.for_each(tasks, |(b, piece)| {
            for i in starts[b]..starts[b + 1] {
                let mut sum = 0.0;
                for v in &mut piece[bounds[i] - cuts[b]..bounds[i + 1] - cuts[b]] {
                    sum += *v;
                    *v = sum;
                }
            }
            Ok(())
        })?;
        Ok(Rows {
            bounds,
            columns,
            sums,
        })
    }

    /// The next cell after `i`. An entry of probability zero has the running sum
    /// of its predecessor and is never the first above the draw.
    #[inline]
    fn step(&self, i: usize, stream: &mut Stream) -> usize {
        let range = self.bounds[i]..self.bounds[i + 1];
        let sums = &self.sums[range.clone()];
        let total = sums[sums.len() - 1];
        let draw = stream.uniform() * total;
        let mut at = sums.partition_point(|&s| s <= draw);
        if at == sums.len() {
            // The product was rounded up to the total.
            at = sums.partition_point(|&s| s < total);
        }
        self.columns[range.start + at] as usize
    }

    /// Adds walk `w` to `out`.
    fn walk(
        &self,
        exec: &Exec,
        options: &WalkOptions<'_>,
        stop: &[bool],
        w: usize,
        out: &mut Walks,
    ) -> Result<()> {
        let mut stream = Stream::new(options.seed, PURPOSE, w as u64, 0);
        let first = out.cells.len();
        // Walks that may end early seldom need the room of the longest.
        let room = options.max_iter.saturating_add(1);
        let room = if options.stops.is_empty() { room } else { 0 };
        reserve(&mut out.cells, room)?;
        let mut cell = options.starts[stream.below(options.starts.len())] as usize;
        out.cells.push(cell as u32);
        let mut hits = 0;
        for step in 0..options.max_iter {
            if step % LOOK == LOOK - 1 {
                exec.check()?;
            }
            cell = self.step(cell, &mut stream);
            if out.cells.len() == out.cells.capacity() {
                let more = out.cells.len().max(1024);
                reserve(&mut out.cells, more)?;
            }
            out.cells.push(cell as u32);
            hits = if stop[cell] { hits + 1 } else { 0 };
            if hits > options.successive_hits {
                break;
            }
        }
        out.lengths.push(out.cells.len() - first);
        Ok(())
    }
}

fn reserve(cells: &mut Vec<u32>, more: usize) -> Result<()> {
    cells.try_reserve(more).map_err(|_| CoreError::Memory {
        what: "the random walks".into(),
        bytes: 4 * more as u64,
    })
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
