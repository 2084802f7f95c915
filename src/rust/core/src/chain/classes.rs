//! Which cells can reach which: the communicating classes of a chain.
//!
//! Two cells communicate when a walk can go from each to the other. A class that no
//! walk ever leaves is *closed*: a trap, and a candidate for a terminal state. The
//! number of closed classes is exactly the multiplicity of the eigenvalue one
//! (sections 2.6.3 and 2.6.4 of the fate-mapping rules). Classes are the strongly
//! connected components of the directed graph of the positive entries (Tarjan 1972).

use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::sparse::csr::{row, row_range};
use crate::sparse::Csr;

/// The communicating classes of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    /// Class of every cell; classes are numbered by their first cell.
    pub class: Vec<u32>,
    /// Number of classes.
    pub n_classes: usize,
    /// The closed classes, by number, ascending.
    pub closed: Vec<u32>,
}

impl Classes {
    /// Cells of class `class`, ascending. O(n).
    pub fn cells(&self, class: u32) -> Vec<usize> {
        (0..self.class.len())
            .filter(|&i| self.class[i] == class)
            .collect()
    }
}

const UNSEEN: u32 = u32::MAX;

/// The communicating classes of `t` (n x n, any non-negative weights; stored zeros
/// are no edges). O(n + entries) time, O(n) memory, no recursion.
///
/// # Errors
/// `shape` when `t` is not square, `memory`.
pub fn communicating_classes(t: &Csr) -> Result<Classes> {
    let n = square(t)?;
    let component = tarjan(t)?;
    let n_classes = component.iter().max().map_or(0, |&c| c as usize + 1);
    let mut renamed = try_filled(n_classes, UNSEEN, "classes")?;
    let mut class = try_with_capacity(n, "classes")?;
    let mut next = 0u32;
    for &c in &component {
        let name = &mut renamed[c as usize];
        if *name == UNSEEN {
            *name = next;
            next += 1;
        }
        class.push(*name);
    }
    let mut leaves = try_filled(n_classes, false, "classes")?;
    for i in 0..n {
        let (cols, values) = row(t, i);
        let out = |(&j, &v): (&u32, &f64)| v > 0.0 && class[j as usize] != class[i];
        if cols.iter().zip(values).any(out) {
            leaves[class[i] as usize] = true;
        }
    }
    let closed = (0..next).filter(|&c| !leaves[c as usize]).collect();
    Ok(Classes {
        class,
        n_classes,
        closed,
    })
}

/// The steps of a chain by where they lead: what a search backwards needs.
#[derive(Debug, Clone)]
pub struct Backward {
    offset: Vec<usize>,
    before: Vec<u32>,
}

impl Backward {
    /// Turns the positive entries of `t` around. O(n + entries).
    ///
    /// # Errors
    /// `shape` when `t` is not square, `memory`.
    pub fn new(t: &Csr) -> Result<Backward> {
        let n = square(t)?;
        let what = "the reversed chain";
        let mut offset = try_filled(n + 1, 0usize, what)?;
        for &j in t.indices() {
            offset[j as usize + 1] += 1;
        }
        for j in 0..n {
            offset[j + 1] += offset[j];
        }
        let mut next = offset[..n].to_vec();
        let mut before = try_filled(t.nnz(), UNSEEN, what)?;
        for i in 0..n {
            let (cols, values) = row(t, i);
            for (&j, _) in cols.iter().zip(values).filter(|(_, &v)| v > 0.0) {
                before[next[j as usize]] = i as u32;
                next[j as usize] += 1;
            }
        }
        Ok(Backward { offset, before })
    }

    /// The cells from which `targets` can be reached, the targets first, then by the
    /// number of steps they need: a search backwards, breadth first. Neighbours stand
    /// close to each other in this order. O(n + entries).
    ///
    /// # Errors
    /// `shape` when a target does not exist, `memory`.
    pub fn order(&self, targets: &[usize]) -> Result<Vec<usize>> {
        let n = self.offset.len() - 1;
        if let Some(&bad) = targets.iter().find(|&&i| i >= n) {
            return Err(CoreError::Shape {
                what: "a target cell".into(),
                expected: n,
                found: bad,
            });
        }
        let mut seen = try_filled(n, false, "the reversed chain")?;
        let mut order = try_with_capacity(n, "the reversed chain")?;
        for &i in targets {
            if !std::mem::replace(&mut seen[i], true) {
                order.push(i);
            }
        }
        let mut at = 0;
        while at < order.len() {
            let j = order[at];
            at += 1;
            for &i in &self.before[self.offset[j]..self.offset[j + 1]] {
                if i != UNSEEN && !std::mem::replace(&mut seen[i as usize], true) {
                    order.push(i as usize);
                }
            }
        }
        Ok(order)
    }
}

/// Whether a walk from each cell can arrive at one of `targets` (targets
/// themselves can). O(n + entries).
///
/// # Errors
/// `shape` when `t` is not square or a target does not exist, `memory`.
pub fn reaching(t: &Csr, targets: &[usize]) -> Result<Vec<bool>> {
    let mut reached = try_filled(t.rows(), false, "the reversed chain")?;
    for i in Backward::new(t)?.order(targets)? {
        reached[i] = true;
    }
    Ok(reached)
}

/// Class of every cell, numbered such that no step leads to a class of a higher
/// number, and the number of classes. O(n + entries).
///
/// # Errors
/// `shape` when `t` is not square, `memory`.
pub fn downstream_first(t: &Csr) -> Result<(Vec<u32>, usize)> {
    square(t)?;
    let class = tarjan(t)?;
    let n_classes = class.iter().max().map_or(0, |&c| c as usize + 1);
    Ok((class, n_classes))
}

fn square(t: &Csr) -> Result<usize> {
    if t.rows() == t.cols() {
        return Ok(t.rows());
    }
    Err(CoreError::Shape {
        what: "the transition matrix".into(),
        expected: t.rows(),
        found: t.cols(),
    })
}

/// Component of every cell, numbered in the order in which they are completed.
/// The call stack of the textbook is a vector of (cell, next entry).
fn tarjan(t: &Csr) -> Result<Vec<u32>> {
    let n = t.rows();
    let what = "classes";
    let (indices, data) = (t.indices(), t.data());
    let mut order = try_filled(n, UNSEEN, what)?;
    let mut low = try_filled(n, 0u32, what)?;
    let mut component = try_filled(n, UNSEEN, what)?;
    let mut open: Vec<u32> = Vec::new();
    let mut calls: Vec<(u32, usize)> = Vec::new();
    let (mut seen, mut components) = (0u32, 0u32);
    for root in 0..n {
        if order[root] != UNSEEN {
            continue;
        }
        calls.push((root as u32, row_range(t, root).start));
        while let Some((i, entry)) = calls.last_mut() {
            let (cell, range) = (*i as usize, row_range(t, *i as usize));
            if order[cell] == UNSEEN {
                order[cell] = seen;
                low[cell] = seen;
                seen += 1;
                open.push(cell as u32);
            }
            let mut deeper = None;
            while *entry < range.end {
                let (j, positive) = (indices[*entry] as usize, data[*entry] > 0.0);
                if positive && order[j] == UNSEEN {
                    deeper = Some(j);
                    break;
                }
                if positive && component[j] == UNSEEN {
                    low[cell] = low[cell].min(low[j]);
                }
                *entry += 1;
            }
            if let Some(j) = deeper {
                // The entry is looked at again once j is done and has its `low`.
                calls.push((j as u32, row_range(t, j).start));
                continue;
            }
            calls.pop();
            if low[cell] == order[cell] {
                while let Some(j) = open.pop() {
                    component[j as usize] = components;
                    if j as usize == cell {
                        break;
                    }
                }
                components += 1;
            }
        }
    }
    Ok(component)
}

// Matrices read best by index.
#[cfg(test)]
#[allow(clippy::needless_range_loop)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;

    fn random_graph(seed: u64, n: usize, edges: usize) -> Csr {
        let mut s = Stream::new(seed, 1, 0, 0);
        let mut rows = vec![Vec::new(); n];
        for _ in 0..edges {
            let (i, j) = (s.below(n), s.below(n) as u32);
            // A stored zero now and then: it must not count as an edge.
            let v = if s.uniform() < 0.1 { 0.0 } else { 1.0 };
            if rows[i].iter().all(|&(k, _)| k != j) {
                rows[i].push((j, v));
            }
        }
        from_rows(n, rows).unwrap()
    }

    /// Reachability by Warshall's closure.
    fn closure(t: &Csr) -> Vec<Vec<bool>> {
        let n = t.rows();
        let mut r = vec![vec![false; n]; n];
        for i in 0..n {
            r[i][i] = true;
            for (&j, &v) in row(t, i).0.iter().zip(row(t, i).1) {
                r[i][j as usize] |= v > 0.0;
            }
        }
        for k in 0..n {
            for i in 0..n {
                for j in 0..n {
                    r[i][j] |= r[i][k] && r[k][j];
                }
            }
        }
        r
    }

    #[test]
    fn classes_and_reachability_agree_with_the_closure() {
        for seed in 0..40 {
            let n = 3 + seed as usize % 20;
            let t = random_graph(seed, n, n + n / 2);
            let r = closure(&t);
            let c = communicating_classes(&t).unwrap();
            for i in 0..n {
                for j in 0..n {
                    assert_eq!(c.class[i] == c.class[j], r[i][j] && r[j][i]);
                }
                let trap = (0..n).all(|j| !r[i][j] || r[j][i]);
                assert_eq!(c.closed.contains(&c.class[i]), trap);
            }
            let targets = [0, n / 2];
            let want: Vec<bool> = (0..n).map(|i| targets.iter().any(|&j| r[i][j])).collect();
            assert_eq!(reaching(&t, &targets).unwrap(), want);
        }
    }

    #[test]
    fn classes_are_numbered_by_their_first_cell() {
        let rows = vec![vec![(0, 0.5), (1, 0.5)], vec![(1, 1.0)], vec![(2, 1.0)]];
        let c = communicating_classes(&from_rows(3, rows).unwrap()).unwrap();
        assert_eq!((c.class.clone(), c.n_classes), (vec![0, 1, 2], 3));
        assert_eq!((c.closed.clone(), c.cells(1)), (vec![1, 2], vec![1]));
    }

    #[test]
    fn a_long_path_needs_no_deep_stack() {
        let n = 300_000;
        let rows = (0..n as u32)
            .map(|i| vec![((i + 1).min(n as u32 - 1), 1.0)])
            .collect();
        let t = from_rows(n, rows).unwrap();
        let c = communicating_classes(&t).unwrap();
        assert_eq!((c.n_classes, c.closed.len()), (n, 1));
        assert!(reaching(&t, &[n - 1]).unwrap().iter().all(|&r| r));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let t = from_rows(2, vec![vec![(0, 1.0)]]).unwrap();
        assert_eq!(communicating_classes(&t).unwrap_err().kind(), "shape");
        let t = from_rows(1, vec![vec![(0, 1.0)]]).unwrap();
        assert_eq!(reaching(&t, &[3]).unwrap_err().kind(), "shape");
    }
}
