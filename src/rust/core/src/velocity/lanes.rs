//! Eight genes at a time: from counts by cell to moments by gene.
//!
//! One row of [`Lanes`] holds the spliced and the unspliced values of eight genes in
//! one cell, two cache lines. Averaging over neighbours reads whole rows and
//! adds eight genes with each instruction.

use super::layer::{Layer, SparseLayer};
use super::weights::Weights;
use crate::error::{try_filled, Result};
use crate::simd::{wide, LANES};
use std::ops::Range;

/// Spliced values of eight genes, then the unspliced ones.
pub type Row = [f64; 2 * LANES];

/// Moments of eight genes, each a column over the cells.
#[derive(Debug)]
pub struct Columns {
    n: usize,
    s: Vec<f64>,
    u: Vec<f64>,
    ss: Vec<f64>,
    us: Vec<f64>,
}

/// The columns of one gene.
#[derive(Debug, Clone, Copy)]
pub struct Gene<'a> {
    /// First moments.
    pub s: &'a [f64],
    pub u: &'a [f64],
    /// Second moments; empty in the deterministic mode.
    pub ss: &'a [f64],
    pub us: &'a [f64],
}

impl Columns {
    /// Room for eight genes of `n` cells, with `second` moments or without.
    ///
    /// # Errors
    /// `memory`.
    pub fn new(n: usize, second: bool) -> Result<Columns> {
        let room = |want: bool| {
            let size = if want { n * LANES } else { 0 };
            try_filled(size, 0.0, "the moments of eight genes")
        };
        Ok(Columns {
            n,
            s: room(true)?,
            u: room(true)?,
            ss: room(second)?,
            us: room(second)?,
        })
    }

    pub fn gene(&self, lane: usize) -> Gene<'_> {
        let range = lane * self.n..(lane + 1) * self.n;
        let second = if self.ss.is_empty() {
            0..0
        } else {
            range.clone()
        };
        Gene {
            s: &self.s[range.clone()],
            u: &self.u[range],
            ss: &self.ss[second.clone()],
            us: &self.us[second],
        }
    }

    /// Takes first moments that are given.
    pub fn load(&mut self, spliced: &mut Reader, unspliced: &mut Reader, genes: Range<usize>) {
        let n = self.n;
        let (s, u) = (&mut self.s, &mut self.u);
        spliced.read(genes.clone(), |cell, values| {
            (0..LANES).for_each(|l| s[l * n + cell] = values[l]);
        });
        unspliced.read(genes, |cell, values| {
            (0..LANES).for_each(|l| u[l * n + cell] = values[l]);
        });
    }

    /// Takes the values themselves as first moments.
    pub fn copy(&mut self, lanes: &[Row]) {
        for (cell, row) in lanes.iter().enumerate() {
            for l in 0..LANES {
                self.s[l * self.n + cell] = row[l];
                self.u[l * self.n + cell] = row[LANES + l];
            }
        }
    }

    /// Averages over the neighbours: the FIRST moments `W s`, `W u`, the SECOND ones
    /// `W (s s)`, `W (s u)`, or both. Neighbours are added in the order of their
    /// columns. O(edges) per lane.
    pub fn gather<const FIRST: bool, const SECOND: bool>(&mut self, w: &Weights, lanes: &[Row]) {
        let n = self.n;
        wide(|| {
            for i in 0..n {
                let near = w.of(i);
                let [mut sum_s, mut sum_u, mut sum_ss, mut sum_us] = [[0.0; LANES]; 4];
                for &j in near {
                    let row = &lanes[j as usize];
                    for l in 0..LANES {
                        let (s, u) = (row[l], row[LANES + l]);
                        if FIRST {
                            sum_s[l] += s;
                            sum_u[l] += u;
                        }
                        if SECOND {
                            sum_ss[l] += s * s;
                            sum_us[l] += s * u;
                        }
                    }
                }
                let weight = 1.0 / near.len() as f64;
                for l in 0..LANES {
                    if FIRST {
                        self.s[l * n + i] = sum_s[l] * weight;
                        self.u[l * n + i] = sum_u[l] * weight;
                    }
                    if SECOND {
                        self.ss[l * n + i] = sum_ss[l] * weight;
                        self.us[l * n + i] = sum_us[l] * weight;
                    }
                }
            }
        });
    }
}

/// Reads a layer eight genes after eight, ascending. A sparse layer is kept by cell:
/// the place reached in each cell is remembered instead of turning the layer round.
pub struct Reader<'a, 'd> {
    layer: &'a Layer<'d>,
    order: &'a [u32],
    divisors: Option<&'a [f64]>,
    next: Vec<u32>,
}

impl<'a, 'd> Reader<'a, 'd> {
    /// A reader that starts at `gene`, takes the cells in their `order` and divides
    /// each by its divisor.
    ///
    /// # Errors
    /// `memory`.
    pub fn new(
        layer: &'a Layer<'d>,
        divisors: Option<&'a [f64]>,
        gene: usize,
        order: &'a [u32],
    ) -> Result<Reader<'a, 'd>> {
        let mut next = Vec::new();
        if let Layer::Sparse(s) = layer {
            next = try_filled(order.len(), 0u32, "places in a sparse layer")?;
            for (at, &cell) in next.iter_mut().zip(order) {
                let cell = cell as usize;
                let first = s.cell(cell).0.partition_point(|&g| (g as usize) < gene);
                *at = (s.range(cell).start + first) as u32;
            }
        }
        Ok(Reader {
            layer,
            order,
            divisors,
            next,
        })
    }

    /// `put(place, values)` of every cell at its place in the order, for up to eight
    /// `genes`, zeros beyond them.
    pub fn read(&mut self, genes: Range<usize>, mut put: impl FnMut(usize, [f64; LANES])) {
        for (place, &cell) in self.order.iter().enumerate() {
            let cell = cell as usize;
            let mut values = match self.layer {
                Layer::Sparse(s) => sparse(s, cell, &mut self.next[place], &genes),
                Layer::Dense(x) => {
                    let mut values = [0.0; LANES];
                    let row = x.row(cell);
                    for (l, g) in genes.clone().enumerate() {
                        values[l] = row[g];
                    }
                    values
                }
            };
            if let Some(divisors) = self.divisors {
                values.iter_mut().for_each(|v| *v /= divisors[cell]);
            }
            put(place, values);
        }
    }
}

#[inline(always)]
fn sparse(s: &SparseLayer, cell: usize, next: &mut u32, genes: &Range<usize>) -> [f64; LANES] {
    let mut values = [0.0; LANES];
    let end = s.range(cell).end;
    let mut at = *next as usize;
    while at < end {
        let (gene, value) = s.entry(at);
        if gene >= genes.end {
            break;
        }
        values[gene - genes.start] = value;
        at += 1;
    }
    *next = at as u32;
    values
}
