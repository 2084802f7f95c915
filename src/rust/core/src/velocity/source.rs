//! Counts and moments of eight genes after eight.

use super::estimate::Input;
use super::lanes::{Columns, Reader, Row};
use crate::error::{try_filled, Result};
use crate::simd::LANES;
use std::ops::Range;

/// Counts and moments of eight genes.
pub(super) struct Source<'a, 'd> {
    input: &'a Input<'a, 'd>,
    second: bool,
    counts: Option<[Reader<'a, 'd>; 2]>,
    moments: Option<[Reader<'a, 'd>; 2]>,
    lanes: Vec<Row>,
    pub columns: Columns,
}

impl<'a, 'd> Source<'a, 'd> {
    /// `second` moments too if asked for; starts at `gene` and takes the cells in
    /// their `order`.
    ///
    /// # Errors
    /// `memory`.
    pub fn new(
        input: &'a Input<'a, 'd>,
        second: bool,
        gene: usize,
        order: &'a [u32],
    ) -> Result<Source<'a, 'd>> {
        let n = input.spliced.cells();
        let [s, u] = input.divisors;
        let counted = input.moments.is_none() || second || input.use_raw;
        let counts = if counted {
            Some([
                Reader::new(input.spliced, s, gene, order)?,
                Reader::new(input.unspliced, u, gene, order)?,
            ])
        } else {
            None
        };
        let moments = match input.moments {
            Some([s, u]) if !input.use_raw => Some([
                Reader::new(s, None, gene, order)?,
                Reader::new(u, None, gene, order)?,
            ]),
            _ => None,
        };
        let rows = if counted { n } else { 0 };
        Ok(Source {
            input,
            second,
            counts,
            moments,
            lanes: try_filled(rows, [0.0; 2 * LANES], "the counts of eight genes")?,
            columns: Columns::new(n, second)?,
        })
    }

    /// Reads the next `genes` and averages them.
    pub fn load(&mut self, genes: Range<usize>) {
        let lanes = &mut self.lanes;
        if let Some([spliced, unspliced]) = &mut self.counts {
            spliced.read(genes.clone(), |cell, v| {
                lanes[cell][..LANES].copy_from_slice(&v)
            });
            unspliced.read(genes.clone(), |cell, v| {
                lanes[cell][LANES..].copy_from_slice(&v)
            });
        }
        let weights = self.input.weights;
        let second = self.input.second.or(weights).filter(|_| self.second);
        let columns = &mut self.columns;
        if let Some([spliced, unspliced]) = &mut self.moments {
            columns.load(spliced, unspliced, genes);
        } else if self.input.use_raw {
            columns.copy(lanes);
        } else if let Some(weights) = weights {
            if second.is_some() && self.input.second.is_none() {
                columns.gather::<true, true>(weights, lanes);
                return;
            }
            columns.gather::<true, false>(weights, lanes);
        }
        if let Some(second) = second {
            columns.gather::<false, true>(second, lanes);
        }
    }
}
