//! One chain over all cells of a time course, from couplings between its times.
//!
//! Cells of an early day go to cells of later days as the couplings say; cells of
//! the last day, which have no future in the data, move among themselves. With a
//! weight, cells of earlier days do so as well, so that a walk spends time within
//! a day. The blocks are put together row by row in the order of the cells; no
//! matrix over all pairs of cells is ever made (section 1.11 of the fate-mapping
//! rules, steps 3 to 8).

use super::coupling::{row_maxima, sparsify, thresholds, Threshold, Values};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::{split_at_bounds, Exec};
use crate::sparse::csr::{from_parts, row, Csr};
use crate::sparse::ops::ROWS;
use crate::sparse::stochastic;
use std::borrow::Cow;

/// Bytes of a stored entry in R: a value and an index.
const ENTRY: f64 = 12.0;

/// A coupling and the cells it is about.
#[derive(Debug, Clone)]
pub struct Coupling<'a> {
    /// How messages name it: the pair of times.
    pub label: String,
    pub values: Values<'a>,
    /// Cell of each row.
    pub rows: Vec<u32>,
    /// Cell of each column.
    pub columns: Vec<u32>,
    /// None: as it is. Otherwise each row is scaled to sum to this share.
    pub share: Option<f64>,
}

/// How cells move within their own time.
#[derive(Debug, Clone)]
pub enum Moves {
    /// They stay where they are.
    Identity,
    /// To every cell alike.
    Uniform,
    /// By a transition matrix, rows and columns in the order of the cells.
    Matrix(Csr),
}

/// The block of one time with itself.
#[derive(Debug, Clone)]
pub struct Within {
    pub cells: Vec<u32>,
    pub moves: Moves,
    /// Factor of the block.
    pub weight: f64,
}

/// The chain, and what was done to the couplings.
#[derive(Debug, Clone, PartialEq)]
pub struct Assembled {
    /// Cells x cells, rows sum to one.
    pub matrix: Csr,
    /// Per coupling: the threshold used, if any.
    pub thresholds: Vec<Option<f64>>,
    /// Per coupling: its rows that held nothing and were made uniform.
    pub empty: Vec<Vec<usize>>,
}

/// Thresholds the couplings and puts all blocks together, `n` cells. Rows of a
/// coupling that hold nothing become uniform over its columns. Rows of the result
/// are scaled to sum to one. O(entries of the couplings) time, memory of what stays.
///
/// # Errors
/// `shape` for cells that do not fit, `range` for entries that are negative or not
/// finite, `memory` when uniform rows would take more than `memory_limit` bytes,
/// `disconnected` for cells that no block gives a next cell, `interrupted`.
pub fn assemble(
    exec: &Exec,
    n: usize,
    couplings: &[Coupling<'_>],
    within: &[Within],
    rule: Threshold,
    memory_limit: f64,
) -> Result<Assembled> {
    check_cells(n, couplings, within)?;
    let maxima = couplings
        .iter()
        .map(|c| row_maxima(exec, &c.values, &c.label))
        .collect::<Result<Vec<_>>>()?;
    let values: Vec<&Values<'_>> = couplings.iter().map(|c| &c.values).collect();
    let cuts = thresholds(exec, &values, &maxima, rule)?;
    let mut blocks = Vec::with_capacity(couplings.len() + within.len());
    let mut empty = Vec::with_capacity(couplings.len());
    for (coupling, &cut) in couplings.iter().zip(&cuts) {
        let block = Block::of_coupling(exec, coupling, cut)?;
        let held = |i: &usize| block.sums[*i] == 0.0;
        empty.push((0..coupling.rows.len()).filter(held).collect::<Vec<_>>());
        blocks.push(block);
    }
    blocks.extend(within.iter().map(Block::of_moves));
    refuse_size(&blocks, memory_limit)?;
    let joined = join(exec, n, &blocks)?;
    Ok(Assembled {
        matrix: stochastic::normalize(exec, joined)?,
        thresholds: cuts,
        empty,
    })
}

/// Whether every row and column is one of the `n` cells.
fn check_cells(n: usize, couplings: &[Coupling<'_>], within: &[Within]) -> Result<()> {
    let fits = |what: &str, expected: usize, cells: &[u32]| {
        if cells.len() == expected && cells.iter().all(|&c| (c as usize) < n) {
            return Ok(());
        }
        Err(CoreError::Shape {
            what: format!("the list of cells of {what}"),
            expected,
            found: cells.len(),
        })
    };
    for c in couplings {
        let (rows, columns) = c.values.shape();
        fits(&c.label, rows, &c.rows)?;
        fits(&c.label, columns, &c.columns)?;
    }
    for w in within {
        let size = match &w.moves {
            Moves::Matrix(m) if m.rows() != m.cols() => usize::MAX,
            Moves::Matrix(m) => m.rows(),
            _ => w.cells.len(),
        };
        fits("a time", size, &w.cells)?;
    }
    Ok(())
}

/// A block of the chain, ready to be read row by row.
struct Block<'a> {
    entries: Option<Cow<'a, Csr>>,
    rows: &'a [u32],
    columns: &'a [u32],
    /// What is in each row; rows with nothing are uniform.
    sums: Vec<f64>,
    share: Option<f64>,
    weight: f64,
}

impl<'a> Block<'a> {
    fn of_coupling(exec: &Exec, c: &'a Coupling<'_>, cut: Option<f64>) -> Result<Block<'a>> {
        let entries: Cow<'a, Csr> = match &c.values {
            Values::Sparse(m) => Cow::Borrowed(m),
            Values::Dense(m) => Cow::Owned(sparsify(exec, m, cut)?),
        };
        let sums = (0..entries.rows())
            .map(|i| row(&entries, i).1.iter().sum())
            .collect();
        Ok(Block {
            entries: Some(entries),
            rows: &c.rows,
            columns: &c.columns,
            sums,
            share: c.share,
            weight: 1.0,
        })
    }

    fn of_moves(w: &'a Within) -> Block<'a> {
        let size = w.cells.len();
        let (entries, sum) = match &w.moves {
            Moves::Identity => (Some(Cow::Owned(Csr::eye(size))), 1.0),
            Moves::Matrix(m) => (Some(Cow::Borrowed(m)), 1.0),
            Moves::Uniform => (None, 0.0),
        };
        Block {
            entries,
            rows: &w.cells,
            columns: &w.cells,
            sums: vec![sum; size],
            share: None,
            weight: w.weight,
        }
    }

    /// Entries of local row `i`.
    fn length(&self, i: usize) -> usize {
        match &self.entries {
            Some(m) if self.sums[i] != 0.0 => row(m, i).1.len(),
            _ => self.columns.len(),
        }
    }

    /// Appends local row `i`, its columns as cells.
    fn push(&self, i: usize, out: &mut Vec<(u32, f64)>) {
        match &self.entries {
            Some(m) if self.sums[i] != 0.0 => {
                let factor = self.weight * self.share.map_or(1.0, |s| s / self.sums[i]);
                let (columns, values) = row(m, i);
                let cell = |&j: &u32| self.columns[j as usize];
                out.extend(
                    columns
                        .iter()
                        .map(cell)
                        .zip(values.iter().map(|v| v * factor)),
                );
            }
            _ => {
                let each = self.weight * self.share.unwrap_or(1.0) / self.columns.len() as f64;
                out.extend(self.columns.iter().map(|&cell| (cell, each)));
            }
        }
    }
}

/// Uniform rows are the only ones that can outgrow their source.
fn refuse_size(blocks: &[Block<'_>], limit: f64) -> Result<()> {
    let mut entries = 0.0;
    for b in blocks {
        let uniform = if b.entries.is_some() {
            b.sums.iter().filter(|&&s| s == 0.0).count()
        } else {
            b.rows.len()
        };
        entries += uniform as f64 * b.columns.len() as f64;
    }
    if entries * ENTRY > limit {
        return Err(CoreError::Memory {
            what: "uniform rows within the limit".into(),
            bytes: (entries * ENTRY) as u64,
        });
    }
    Ok(())
}

/// The rows of all blocks by cell, columns ascending. O(entries log row).
fn join(exec: &Exec, n: usize, blocks: &[Block<'_>]) -> Result<Csr> {
    let (starts, parts) = rows_by_cell(n, blocks)?;
    let mut indptr = try_filled(n + 1, 0usize, "the transition matrix")?;
    for i in 0..n {
        let of = |&(b, r): &(u32, u32)| blocks[b as usize].length(r as usize);
        let length: usize = parts[starts[i]..starts[i + 1]].iter().map(of).sum();
        indptr[i + 1] = indptr[i] + length;
    }
    let mut indices = try_filled(indptr[n], 0u32, "the transition matrix")?;
    let mut data = try_filled(indptr[n], 0f64, "the transition matrix")?;
    let chunks = n.div_ceil(ROWS);
    let edge = |c: usize| (c * ROWS).min(n);
    let cuts: Vec<usize> = (0..=chunks).map(|c| indptr[edge(c)]).collect();
    let tasks: Vec<_> = split_at_bounds(&mut indices, &cuts)
        .into_iter()
        .zip(split_at_bounds(&mut data, &cuts))
        .enumerate()
        .collect();
    exec.control().begin(chunks);
    exec.for_each(tasks, |(c, (indices, data))| {
        let mut line: Vec<(u32, f64)> = Vec::new();
        let mut at = 0;
        for i in edge(c)..edge(c + 1) {
            line.clear();
            for &(b, r) in &parts[starts[i]..starts[i + 1]] {
                blocks[b as usize].push(r as usize, &mut line);
            }
            line.sort_unstable_by_key(|e| e.0);
            for &(cell, v) in &line {
                indices[at] = cell;
                data[at] = v;
                at += 1;
            }
        }
        exec.control().tick(1);
        Ok(())
    })?;
    from_parts((n, n), indptr, indices, data)
}

/// For each cell the (block, row) pairs that speak of it, blocks in order.
type RowsByCell = (Vec<usize>, Vec<(u32, u32)>);

fn rows_by_cell(n: usize, blocks: &[Block<'_>]) -> Result<RowsByCell> {
    let mut starts = try_filled(n + 1, 0usize, "rows by cell")?;
    for &cell in blocks.iter().flat_map(|b| b.rows) {
        starts[cell as usize + 1] += 1;
    }
    for i in 0..n {
        starts[i + 1] += starts[i];
    }
    let mut next = starts.clone();
    let mut parts = try_filled(starts[n], (0u32, 0u32), "rows by cell")?;
    for (b, block) in blocks.iter().enumerate() {
        for (r, &cell) in block.rows.iter().enumerate() {
            let at = &mut next[cell as usize];
            parts[*at] = (b as u32, r as u32);
            *at += 1;
        }
    }
    Ok((starts, parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;
    use crate::testing::same_bits;
    use ndarray::{Array2, Axis};

    const NO_LIMIT: f64 = 1e12;

    /// Three times with 4, 5 and 3 cells that lie mixed among the twelve.
    struct Course {
        cells: [Vec<u32>; 3],
        plans: [Array2<f64>; 3],
    }

    fn course() -> Course {
        let mut s = Stream::new(3, 0, 0, 0);
        let mut plan =
            |rows, columns| Array2::from_shape_fn((rows, columns), |_| s.uniform() * s.uniform());
        let mut plans = [plan(4, 5), plan(5, 3), plan(4, 3)];
        plans[0].row_mut(0).fill(0.0);
        Course {
            cells: [vec![9, 0, 4, 7], vec![1, 2, 11, 5, 6], vec![3, 10, 8]],
            plans,
        }
    }

    impl Course {
        fn coupling(&self, k: usize, share: Option<f64>, sparse: bool) -> Coupling<'_> {
            let (a, b) = [(0, 1), (1, 2), (0, 2)][k];
            let m = &self.plans[k];
            let rows = m.rows().into_iter().map(|r| {
                let entries = r.iter().enumerate().map(|(j, &v)| (j as u32, v));
                entries.collect::<Vec<_>>()
            });
            Coupling {
                label: format!("`{a}` to `{b}`"),
                values: if sparse {
                    Values::Sparse(from_rows(m.ncols(), rows.collect()).unwrap())
                } else {
                    Values::Dense(m.view())
                },
                rows: self.cells[a].clone(),
                columns: self.cells[b].clone(),
                share,
            }
        }

        fn within(&self, time: usize, moves: Moves, weight: f64) -> Within {
            Within {
                cells: self.cells[time].clone(),
                moves,
                weight,
            }
        }

        /// The definition, with dense matrices.
        fn slow(&self, pairs: &[usize], share: Option<f64>, cut: f64) -> Array2<f64> {
            let mut t = Array2::zeros((12, 12));
            for &k in pairs {
                let (a, b) = [(0, 1), (1, 2), (0, 2)][k];
                for (i, r) in self.plans[k].rows().into_iter().enumerate() {
                    let kept: Vec<f64> =
                        r.iter().map(|&v| if v >= cut { v } else { 0.0 }).collect();
                    let sum: f64 = kept.iter().sum();
                    for (j, &v) in kept.iter().enumerate() {
                        let v = if sum == 0.0 { 1.0 / r.len() as f64 } else { v };
                        let total = if sum == 0.0 { 1.0 } else { sum };
                        let at = (self.cells[a][i] as usize, self.cells[b][j] as usize);
                        t[at] = share.map_or(v, |s| s * v / total);
                    }
                }
            }
            t
        }
    }

    fn close(found: &Csr, mut want: Array2<f64>) {
        let sums = want.sum_axis(Axis(1));
        for (mut r, s) in want.rows_mut().into_iter().zip(sums) {
            r /= s;
        }
        let worst = (&found.to_dense() - &want)
            .iter()
            .fold(0.0f64, |m, d| m.max(d.abs()));
        assert!(worst < 1e-15, "{worst}");
    }

    #[test]
    fn blocks_land_where_the_dense_definition_puts_them() {
        let c = course();
        let exec = Exec::with_threads(2).unwrap();
        for sparse in [false, true] {
            for pairs in [vec![0, 1], vec![0, 1, 2]] {
                let couplings: Vec<_> =
                    pairs.iter().map(|&k| c.coupling(k, None, sparse)).collect();
                let last = [c.within(2, Moves::Uniform, 1.0)];
                let found =
                    assemble(&exec, 12, &couplings, &last, Threshold::Keep, NO_LIMIT).unwrap();
                let mut want = c.slow(&pairs, None, 0.0);
                for &i in &c.cells[2] {
                    for &j in &c.cells[2] {
                        want[(i as usize, j as usize)] = 1.0 / 3.0;
                    }
                }
                close(&found.matrix, want);
                assert_eq!(found.empty[0], [0]);
                assert!(found.empty[1..].iter().all(Vec::is_empty));
            }
        }
    }

    #[test]
    fn a_weight_keeps_part_of_the_cells_in_their_time() {
        let c = course();
        let exec = Exec::serial();
        let ring = |n: u32| {
            let rows = (0..n).map(|i| vec![((i + 1) % n, 1.0)]).collect();
            Moves::Matrix(from_rows(n as usize, rows).unwrap())
        };
        let couplings = [c.coupling(0, Some(0.7), false), c.coupling(1, None, false)];
        let within = [c.within(0, ring(4), 0.3), c.within(2, Moves::Identity, 1.0)];
        let cut = Threshold::Percentile(60.0);
        let found = assemble(&exec, 12, &couplings, &within, cut, NO_LIMIT).unwrap();
        let part = |k: usize, share| c.slow(&[k], share, found.thresholds[k].unwrap());
        let mut want = part(0, Some(0.7)) + part(1, None);
        for (k, &i) in c.cells[0].iter().enumerate() {
            want[(i as usize, c.cells[0][(k + 1) % 4] as usize)] = 0.3;
        }
        for &i in &c.cells[2] {
            want[(i as usize, i as usize)] = 1.0;
        }
        close(&found.matrix, want);
    }

    #[test]
    fn every_cell_needs_a_next_one() {
        let c = course();
        let exec = Exec::serial();
        let couplings = [c.coupling(0, None, true)];
        let last = [c.within(2, Moves::Identity, 1.0)];
        match assemble(&exec, 12, &couplings, &last, Threshold::Auto, NO_LIMIT) {
            Err(CoreError::Isolated { count, cells }) => {
                assert_eq!((count, cells), (5, vec![1, 2, 5, 6, 11]));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let c = course();
        let exec = Exec::serial();
        let run = |coupling: Coupling<'_>, within: Within, limit| {
            assemble(&exec, 12, &[coupling], &[within], Threshold::Keep, limit)
                .unwrap_err()
                .kind()
        };
        let whole = || c.coupling(0, None, false);
        let last = |moves| c.within(2, moves, 1.0);
        let mut short = whole();
        short.rows.pop();
        assert_eq!(run(short, last(Moves::Identity), NO_LIMIT), "shape");
        let mut beyond = whole();
        beyond.columns[0] = 12;
        assert_eq!(run(beyond, last(Moves::Identity), NO_LIMIT), "shape");
        let small = Moves::Matrix(Csr::eye(2));
        assert_eq!(run(whole(), last(small), NO_LIMIT), "shape");
        // Nine entries of the last time and five of the empty row.
        assert_eq!(run(whole(), last(Moves::Uniform), 13.0 * 12.0), "memory");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let mut s = Stream::new(4, 0, 0, 0);
        let plan = Array2::from_shape_fn((800, 700), |_| s.uniform());
        same_bits(|threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let coupling = Coupling {
                label: "x".into(),
                values: Values::Dense(plan.view()),
                rows: (0..800).map(|i| 2 * i).collect(),
                columns: (0..700).map(|i| 2 * i + 1).collect(),
                share: Some(0.5),
            };
            let within = Within {
                cells: (0..800).map(|i| 2 * i + 1).collect(),
                moves: Moves::Identity,
                weight: 1.0,
            };
            let rule = Threshold::Percentile(90.0);
            assemble(&exec, 1600, &[coupling], &[within], rule, NO_LIMIT).unwrap()
        });
    }
}
