//! In which order cells are eliminated: the one with the fewest neighbours first.
//!
//! Taking a cell out of a chain joins all its neighbours to each other. Whoever has
//! few neighbours makes few new steps, so such cells go first (Tinney & Walker 1967).
//! The joined neighbours are not written out as pairs but kept as a group, of which
//! the members are listed once, and the number of a cell's neighbours is bounded by
//! what its groups add (the approximate degree of Amestoy, Davis & Duff 1996).

use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;
use crate::sparse::csr::{row, Csr};
use std::collections::BTreeSet;

const WHAT: &str = "the order of elimination";
/// Cells between two looks at whether the user asked to stop.
const CHECK: usize = 256;

/// The graph of the cells still there: pairs of neighbours, and groups of which all
/// members are neighbours. A group has the number of the cell whose going made it.
struct Quotient {
    near: Vec<Vec<u32>>,
    groups: Vec<Vec<u32>>,
    members: Vec<Vec<u32>>,
    gone: Vec<bool>,
    mark: Vec<u32>,
}

/// An order of elimination for the pattern of `q`, steps taken in either direction;
/// ties by number. O(sum of the sizes of the groups met) time.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn minimum_degree(exec: &Exec, q: &Csr) -> Result<Vec<u32>> {
    let n = q.rows();
    let mut g = Quotient {
        near: neighbors(q)?,
        groups: try_filled(n, Vec::new(), WHAT)?,
        members: try_filled(n, Vec::new(), WHAT)?,
        gone: try_filled(n, false, WHAT)?,
        mark: try_filled(n, u32::MAX, WHAT)?,
    };
    let mut degree: Vec<usize> = g.near.iter().map(Vec::len).collect();
    let mut queue: BTreeSet<(usize, u32)> =
        (0..n as u32).map(|i| (degree[i as usize], i)).collect();
    // Members of each group that do not belong to the one being made.
    let mut outside = try_filled(n, 0usize, WHAT)?;
    let mut order = try_with_capacity(n, WHAT)?;
    while let Some((_, pivot)) = queue.pop_first() {
        if order.len() % CHECK == 0 {
            exec.check()?;
        }
        let left = n - order.len() - 1;
        order.push(pivot);
        let joined = g.eliminate(pivot);
        let mut met: Vec<u32> = Vec::new();
        for &i in &joined {
            for &e in &g.groups[i as usize] {
                if outside[e as usize] == 0 {
                    outside[e as usize] = g.members[e as usize].len() + 1;
                    met.push(e);
                }
                outside[e as usize] -= 1;
            }
        }
        for &i in &joined {
            g.join(i, pivot);
            let beyond: usize = g.groups[i as usize]
                .iter()
                .map(|&e| outside[e as usize].saturating_sub(1))
                .sum();
            let bound = g.near[i as usize].len() + joined.len() - 1 + beyond;
            let new = bound
                .min(degree[i as usize] + joined.len() - 1)
                .min(left.saturating_sub(1));
            g.groups[i as usize].push(pivot);
            queue.remove(&(degree[i as usize], i));
            degree[i as usize] = new;
            queue.insert((new, i));
        }
        met.iter().for_each(|&e| outside[e as usize] = 0);
        g.members[pivot as usize] = joined;
    }
    Ok(order)
}

impl Quotient {
    /// Takes a cell out and returns its neighbours; its groups become one with it.
    fn eliminate(&mut self, pivot: u32) -> Vec<u32> {
        let at = pivot as usize;
        self.gone[at] = true;
        let mut joined = Vec::new();
        let groups = std::mem::take(&mut self.groups[at]);
        let mut lists = vec![std::mem::take(&mut self.near[at])];
        for e in groups {
            lists.push(std::mem::take(&mut self.members[e as usize]));
        }
        for i in lists.into_iter().flatten() {
            if !self.gone[i as usize] && self.mark[i as usize] != pivot {
                self.mark[i as usize] = pivot;
                joined.push(i);
            }
        }
        // Groups that became part of the new one have no members any more.
        for &i in &joined {
            let members = &self.members;
            self.groups[i as usize].retain(|&e| !members[e as usize].is_empty());
        }
        joined
    }

    /// Neighbours that the new group has as well need not be listed as pairs.
    fn join(&mut self, i: u32, pivot: u32) {
        let (gone, mark) = (&self.gone, &self.mark);
        self.near[i as usize].retain(|&j| !gone[j as usize] && mark[j as usize] != pivot);
    }
}

fn neighbors(q: &Csr) -> Result<Vec<Vec<u32>>> {
    let mut near = try_filled(q.rows(), Vec::new(), WHAT)?;
    for i in 0..q.rows() {
        for &j in row(q, i).0.iter().filter(|&&j| j as usize != i) {
            near[i].push(j);
            near[j as usize].push(i as u32);
        }
    }
    for one in &mut near {
        one.sort_unstable();
        one.dedup();
    }
    Ok(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::csr::from_rows;

    fn ring(n: usize) -> Csr {
        let rows = (0..n)
            .map(|i| {
                let mut to = vec![((i + 1) % n) as u32, ((i + n - 1) % n) as u32];
                to.sort_unstable();
                to.into_iter().map(|j| (j, 1.0)).collect()
            })
            .collect();
        from_rows(n, rows).unwrap()
    }

    #[test]
    fn every_cell_goes_once() {
        for n in [1, 2, 3, 50] {
            let mut order = minimum_degree(&Exec::serial(), &ring(n.max(3))).unwrap();
            order.sort_unstable();
            assert_eq!(order, (0..n.max(3) as u32).collect::<Vec<_>>());
        }
        let none = from_rows(4, vec![vec![]; 4]).unwrap();
        assert_eq!(
            minimum_degree(&Exec::serial(), &none).unwrap(),
            [0, 1, 2, 3]
        );
    }

    #[test]
    fn the_hub_of_a_star_waits_for_its_leaves() {
        let n = 30;
        let mut rows = vec![(1..n).map(|j| (j, 1.0)).collect::<Vec<_>>()];
        rows.extend((1..n).map(|_| vec![]));
        let order = minimum_degree(&Exec::serial(), &from_rows(n as usize, rows).unwrap()).unwrap();
        let hub = order.iter().position(|&i| i == 0).unwrap();
        // The last leaf has as few neighbours as the hub by then.
        assert!(hub >= n as usize - 2);
    }
}
