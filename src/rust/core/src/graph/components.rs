//! The pieces a graph falls into when directions are ignored.
//!
//! Cells of different pieces can never reach each other, so a chain on such a
//! graph has one long-lived state per piece at least. Union by smaller root with
//! path halving (Tarjan & van Leeuwen 1984).

use crate::sparse::csr::{row, Csr};

/// The piece of every cell, numbered by first cell, and the number of pieces.
/// Every stored entry is an edge. O(entries), practically.
pub fn components<N>(graph: &Csr<N>) -> (Vec<u32>, usize) {
    let n = graph.rows();
    let mut parent: Vec<u32> = (0..n as u32).collect();
    for i in 0..n {
        for &j in row(graph, i).0 {
            let (a, b) = (root(&mut parent, i as u32), root(&mut parent, j));
            // The smaller root wins: roots are then the first cells of pieces.
            parent[a.max(b) as usize] = a.min(b);
        }
    }
    let mut labels = vec![0u32; n];
    let mut count = 0;
    for i in 0..n {
        let r = root(&mut parent, i as u32) as usize;
        labels[i] = if r == i {
            count += 1;
            count - 1
        } else {
            labels[r]
        };
    }
    (labels, count as usize)
}

fn root(parent: &mut [u32], mut i: u32) -> u32 {
    while parent[i as usize] != i {
        let up = parent[parent[i as usize] as usize];
        parent[i as usize] = up;
        i = up;
    }
    i
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;

    #[test]
    fn pieces_are_numbered_by_their_first_cell() {
        let edge = |j: u32| vec![(j, 1.0)];
        let m = from_rows(6, vec![edge(3), edge(4), vec![], vec![], edge(1), edge(0)]).unwrap();
        assert_eq!(components(&m), (vec![0, 1, 2, 0, 1, 0], 3));
        assert_eq!(components(&Csr::<f64>::zero((0, 0))), (vec![], 0));
    }

    #[test]
    fn a_flood_fill_agrees() {
        let n = 500;
        let mut s = Stream::new(4, 0, 0, 0);
        let rows: Vec<Vec<(u32, f64)>> = (0..n)
            .map(|_| match s.below(3) {
                0 => vec![],
                _ => vec![(s.below(n) as u32, 1.0)],
            })
            .collect();
        let mut near = vec![vec![]; n];
        for (i, r) in rows.iter().enumerate() {
            for &(j, _) in r {
                near[i].push(j as usize);
                near[j as usize].push(i);
            }
        }
        let mut want = vec![u32::MAX; n];
        let mut count = 0;
        for i in 0..n {
            if want[i] == u32::MAX {
                let mut stack = vec![i];
                while let Some(c) = stack.pop() {
                    if want[c] == u32::MAX {
                        want[c] = count;
                        stack.extend(&near[c]);
                    }
                }
                count += 1;
            }
        }
        assert!(count > 10);
        assert_eq!(
            components(&from_rows(n, rows).unwrap()),
            (want, count as usize)
        );
    }
}
