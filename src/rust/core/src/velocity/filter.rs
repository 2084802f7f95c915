//! Which genes were seen often enough: their counts in all cells and the number of
//! cells that have them, spliced, unspliced and both at once.

use super::layer::{same_size, Layer};
use crate::error::{try_filled, Result};
use crate::exec::Exec;

/// At most this many partial sums are kept.
const PARTS: usize = 64;

/// How often a gene was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Seen {
    /// Sum over the cells.
    pub counts: f64,
    /// Cells with more than 0.
    pub cells: f64,
}

/// Spliced, unspliced, and both: the sum of both counts over the cells that have
/// both, and their number.
pub type GeneCounts = [Seen; 3];

/// How often each gene was seen. O(values + cells).
///
/// # Errors
/// `shape`, `memory`, `interrupted`.
pub fn gene_counts(exec: &Exec, spliced: &Layer, unspliced: &Layer) -> Result<Vec<GeneCounts>> {
    same_size("the unspliced counts", spliced, unspliced)?;
    let (n, genes) = (spliced.cells(), spliced.genes());
    let chunk = n.div_ceil(PARTS).max(1024);
    let parts = exec.try_map_chunks(n, chunk, |cells| {
        let mut seen = try_filled(genes, GeneCounts::default(), "the counts of the genes")?;
        let mut held = try_filled(genes, 0.0, "the counts of a cell")?;
        for cell in cells {
            spliced.each(cell, |gene, v| {
                held[gene] = v;
                add(&mut seen[gene][0], v);
            });
            unspliced.each(cell, |gene, v| {
                add(&mut seen[gene][1], v);
                if held[gene] > 0.0 && v > 0.0 {
                    add(&mut seen[gene][2], held[gene] + v);
                }
            });
            spliced.each(cell, |gene, _| held[gene] = 0.0);
        }
        Ok(seen)
    })?;
    let mut total = try_filled(genes, GeneCounts::default(), "the counts of the genes")?;
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            for (total, part) in total.iter_mut().zip(part) {
                total.counts += part.counts;
                total.cells += part.cells;
            }
        }
    }
    Ok(total)
}

fn add(seen: &mut Seen, v: f64) {
    seen.counts += v;
    seen.cells += f64::from(u8::from(v > 0.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn shared_counts_need_both() {
        let s = array![[1.0, 0.0], [2.0, 3.0], [0.0, 1.0]];
        let u = array![[4.0, 1.0], [0.0, 2.0], [5.0, 0.0]];
        let counts = gene_counts(
            &Exec::serial(),
            &Layer::Dense(s.view()),
            &Layer::Dense(u.view()),
        )
        .unwrap();
        let seen = |counts, cells| Seen { counts, cells };
        assert_eq!(counts[0], [seen(3.0, 2.0), seen(9.0, 2.0), seen(5.0, 1.0)]);
        assert_eq!(counts[1], [seen(4.0, 2.0), seen(3.0, 2.0), seen(5.0, 1.0)]);
    }
}
