//! The order in which the layout keeps cells.
//!
//! Neighbours in the graph are neighbours in memory: cells are taken in breadth
//! first order, component by component. Then they are dealt out to [`BLOCKS`]
//! blocks like cards, so that the neighbours of a cell lie in other blocks. A block
//! moves at once and sees where the blocks before it have moved to, which behaves
//! like moving one cell after the other and still has no two cells that depend on
//! each other's move.

use crate::error::{try_filled, try_with_capacity, Result};
use crate::sparse::csr::{row, Csr};
use std::ops::Range;

/// Blocks per epoch; part of the meaning of the result.
pub const BLOCKS: usize = 16;

/// Which cell stands where.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Place to cell.
    pub cell: Vec<u32>,
    /// Cell to place.
    pub place: Vec<u32>,
}

impl Order {
    /// The order for a graph. O(entries).
    ///
    /// # Errors
    /// `memory`.
    pub fn new(graph: &Csr) -> Result<Order> {
        let n = graph.rows();
        let near = breadth_first(graph)?;
        let mut cell = try_with_capacity(n, "the order of the cells")?;
        for block in 0..BLOCKS {
            cell.extend(near.iter().skip(block).step_by(BLOCKS));
        }
        let mut place = try_filled(n, 0u32, "the order of the cells")?;
        for (p, &c) in cell.iter().enumerate() {
            place[c as usize] = p as u32;
        }
        Ok(Order { cell, place })
    }

    /// Cells where they are.
    pub fn unchanged(n: usize) -> Order {
        let cell: Vec<u32> = (0..n as u32).collect();
        Order {
            place: cell.clone(),
            cell,
        }
    }

    /// Places of a block; consecutive, and together all places.
    pub fn block(&self, block: usize) -> Range<usize> {
        let n = self.cell.len();
        // Blocks 0..n % BLOCKS hold one cell more than the others.
        let start = |b: usize| b * (n / BLOCKS) + b.min(n % BLOCKS);
        start(block)..start(block + 1)
    }
}

/// Cells by distance in edges from the first cell of their component.
fn breadth_first(graph: &Csr) -> Result<Vec<u32>> {
    let n = graph.rows();
    let mut queue: Vec<u32> = try_with_capacity(n, "the order of the cells")?;
    let mut seen = try_filled(n, false, "the order of the cells")?;
    for root in 0..n {
        if seen[root] {
            continue;
        }
        seen[root] = true;
        let mut next = queue.len();
        queue.push(root as u32);
        while next < queue.len() {
            for &j in row(graph, queue[next] as usize).0 {
                if !seen[j as usize] {
                    seen[j as usize] = true;
                    queue.push(j);
                }
            }
            next += 1;
        }
    }
    Ok(queue)
}
