//! The edges of the layout, in the order in which its cells stand.

use super::order::Order;
use super::schedule;
use crate::error::{try_with_capacity, Result};
use crate::sparse::csr::{row, Csr};
use std::ops::Range;

/// The edges by place: row p holds the places of its neighbours.
#[derive(Debug)]
pub struct Edges {
    offsets: Vec<usize>,
    targets: Vec<u32>,
    /// In how many of 2^31 epochs each edge acts.
    shares: Vec<u32>,
    /// The heaviest weight.
    pub largest: f64,
}

impl Edges {
    /// The edges of a pruned graph. O(entries); 8 bytes each.
    ///
    /// # Errors
    /// `memory`.
    pub fn new(graph: &Csr, order: &Order) -> Result<Edges> {
        let largest = schedule::largest(graph);
        let what = "the edges of the layout";
        let mut offsets = try_with_capacity(graph.rows() + 1, what)?;
        let mut targets = try_with_capacity(graph.nnz(), what)?;
        let mut shares = try_with_capacity(graph.nnz(), what)?;
        offsets.push(0);
        for &cell in &order.cell {
            let (cols, weights) = row(graph, cell as usize);
            targets.extend(cols.iter().map(|&c| order.place[c as usize]));
            shares.extend(weights.iter().map(|&w| schedule::share(w, largest)));
            offsets.push(targets.len());
        }
        Ok(Edges {
            offsets,
            targets,
            shares,
            largest,
        })
    }

    /// Cells.
    pub fn cells(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Where the entries of some consecutive rows lie.
    #[inline(always)]
    pub fn entries(&self, rows: Range<usize>) -> Range<usize> {
        self.offsets[rows.start]..self.offsets[rows.end]
    }

    /// Neighbours and shares of an entry range.
    #[inline(always)]
    pub fn slices(&self, entries: Range<usize>) -> (&[u32], &[u32]) {
        (&self.targets[entries.clone()], &self.shares[entries])
    }
}
