//! Whom a cell is averaged with: its neighbours and itself, all alike.
//!
//! `W_ij = 1 / (k_i + 1)` for the `k_i` neighbours j of cell i and for j = i. Only the
//! pattern of the graph counts, so neither a kernel width nor a scale enters.

use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::sparse::csr::{row, Csr};

/// The pattern of W, neighbours by their numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    indptr: Vec<usize>,
    indices: Vec<u32>,
}

/// Which stored values are those of the nearest neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nearest {
    /// Connectivities.
    Largest,
    /// Distances.
    Smallest,
}

/// How many neighbours each cell keeps, or None for all of them. `asked` counts as in
/// the graph, `own` is the number the graph was made with, where that is known;
/// fewer than asked for are never made up.
pub fn kept(graph: &Csr, asked: usize, own: Option<usize>) -> Option<usize> {
    let count = |i| neighbours(graph, i).count();
    // A cell without neighbours must not take those of all others away.
    let smallest = (0..graph.rows()).map(count).filter(|&k| k > 0).min()?;
    match own {
        Some(own) if asked < own => Some(asked.min(smallest)),
        None if asked < smallest => Some(asked),
        _ => None,
    }
}

fn neighbours(graph: &Csr, i: usize) -> impl Iterator<Item = (u32, f64)> + '_ {
    let (columns, values) = row(graph, i);
    let edges = columns.iter().copied().zip(values.iter().copied());
    edges.filter(move |&(j, v)| v > 0.0 && j as usize != i)
}

impl Weights {
    /// The pattern of a graph of cells x cells. With `keep` each cell keeps that many
    /// of its nearest neighbours, ties going to the cell that comes first. Edges for
    /// which `within(i, j)` is false are left out. O(edges log edges per cell).
    ///
    /// # Errors
    /// `shape` unless the graph is square, `memory`.
    pub fn new(
        graph: &Csr,
        keep: Option<usize>,
        nearest: Nearest,
        within: impl Fn(usize, usize) -> bool,
    ) -> Result<Weights> {
        let n = graph.rows();
        if graph.cols() != n {
            return Err(CoreError::Shape {
                what: "the graph of the neighbours".into(),
                expected: n,
                found: graph.cols(),
            });
        }
        let what = "the neighbours of the cells";
        let mut indptr = try_with_capacity(n + 1, what)?;
        let mut indices = try_with_capacity(graph.nnz() + n, what)?;
        indptr.push(0);
        let mut edges = Vec::new();
        for i in 0..n {
            edges.clear();
            edges.extend(neighbours(graph, i).filter(|&(j, _)| within(i, j as usize)));
            if let Some(m) = keep.filter(|&m| m < edges.len()) {
                // Stable, so that of equal values the first columns come first.
                edges.sort_by(|a, b| match nearest {
                    Nearest::Largest => b.1.total_cmp(&a.1),
                    Nearest::Smallest => a.1.total_cmp(&b.1),
                });
                edges.truncate(m);
            }
            let from = indices.len();
            indices.extend(edges.iter().map(|&(j, _)| j));
            indices.push(i as u32);
            indices[from..].sort_unstable();
            indptr.push(indices.len());
        }
        Ok(Weights { indptr, indices })
    }

    pub fn cells(&self) -> usize {
        self.indptr.len() - 1
    }

    /// The cells that cell `i` is averaged with, itself among them; never empty.
    #[inline(always)]
    pub fn of(&self, i: usize) -> &[u32] {
        &self.indices[self.indptr[i]..self.indptr[i + 1]]
    }

    /// The cells in the order of a walk over the graph, breadth first, that starts anew
    /// at the first cell not met yet: neighbours stand near each other. O(edges).
    ///
    /// # Errors
    /// `memory`.
    pub fn walk(&self) -> Result<Vec<u32>> {
        let n = self.cells();
        let mut order: Vec<u32> = try_with_capacity(n, "the order of the cells")?;
        let mut met = try_filled(n, false, "the order of the cells")?;
        let mut next = 0;
        for start in 0..n {
            if met[start] {
                continue;
            }
            met[start] = true;
            order.push(start as u32);
            while let Some(&i) = order.get(next) {
                for &j in self.of(i as usize) {
                    if !std::mem::replace(&mut met[j as usize], true) {
                        order.push(j);
                    }
                }
                next += 1;
            }
        }
        Ok(order)
    }

    /// The same with cells numbered by their `place` in `order`. Neighbours stay in the
    /// order of their own numbers, so that sums over them keep every bit.
    ///
    /// # Errors
    /// `memory`.
    pub fn arranged(&self, order: &[u32], place: &[u32]) -> Result<Weights> {
        let what = "the neighbours of the cells";
        let mut indptr = try_with_capacity(order.len() + 1, what)?;
        let mut indices = try_with_capacity(self.indices.len(), what)?;
        indptr.push(0);
        for &i in order {
            indices.extend(self.of(i as usize).iter().map(|&j| place[j as usize]));
            indptr.push(indices.len());
        }
        Ok(Weights { indptr, indices })
    }

    /// Cells that have no neighbour but themselves.
    pub fn isolated(&self) -> Vec<usize> {
        let alone = |&i: &usize| self.of(i).len() == 1;
        (0..self.cells()).filter(alone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::csr::from_rows;

    fn graph() -> Csr {
        let rows = vec![
            vec![(1, 0.5), (2, 0.9), (3, 0.5)],
            vec![(0, 0.5), (1, 1.0), (2, 0.0), (3, 0.2)],
            vec![(0, 0.9)],
            vec![],
        ];
        from_rows(4, rows).unwrap()
    }

    #[test]
    fn the_cell_itself_counts_and_zeros_do_not() {
        let w = Weights::new(&graph(), None, Nearest::Largest, |_, _| true).unwrap();
        assert_eq!(w.of(0), [0, 1, 2, 3]);
        assert_eq!(w.of(1), [0, 1, 3]);
        assert_eq!(w.of(3), [3]);
        assert_eq!(w.isolated(), [3]);
    }

    #[test]
    fn a_walk_meets_every_cell_and_keeps_who_is_near_whom() {
        let rows = vec![
            vec![(3, 1.0)],
            vec![(2, 1.0)],
            vec![(1, 1.0)],
            vec![(0, 1.0), (4, 1.0)],
            vec![(3, 1.0)],
        ];
        let g = from_rows(5, rows).unwrap();
        let w = Weights::new(&g, None, Nearest::Largest, |_, _| true).unwrap();
        let order = w.walk().unwrap();
        assert_eq!(order, [0, 3, 4, 1, 2]);
        let mut place = vec![0u32; 5];
        (0..5).for_each(|p| place[order[p] as usize] = p as u32);
        let turned = w.arranged(&order, &place).unwrap();
        for (p, &i) in order.iter().enumerate() {
            let near: Vec<u32> = turned.of(p).iter().map(|&q| order[q as usize]).collect();
            assert_eq!(near, w.of(i as usize));
        }
    }

    #[test]
    fn nearest_neighbours_are_kept_ties_by_column() {
        let largest = Weights::new(&graph(), Some(2), Nearest::Largest, |_, _| true).unwrap();
        assert_eq!(largest.of(0), [0, 1, 2]);
        let smallest = Weights::new(&graph(), Some(1), Nearest::Smallest, |_, _| true).unwrap();
        assert_eq!(smallest.of(0), [0, 1]);
        assert_eq!(smallest.of(1), [1, 3]);
        let same = Weights::new(&graph(), None, Nearest::Largest, |i, j| i % 2 == j % 2).unwrap();
        assert_eq!(same.of(0), [0, 2]);
    }

    #[test]
    fn no_more_neighbours_than_there_are() {
        assert_eq!(kept(&graph(), 30, Some(15)), None);
        assert_eq!(kept(&graph(), 10, Some(15)), Some(1));
        assert_eq!(kept(&graph(), 30, None), None);
        let full = from_rows(
            3,
            vec![vec![(1, 1.0), (2, 1.0)]; 1]
                .into_iter()
                .chain([vec![(0, 1.0), (2, 1.0)], vec![(0, 1.0), (1, 1.0)]])
                .collect(),
        )
        .unwrap();
        assert_eq!(kept(&full, 1, None), Some(1));
        assert_eq!(kept(&full, 2, None), None);
    }
}
