//! The nearest cells of any place on a two-dimensional embedding.
//!
//! The plane is halved again and again at the median cell, across the longer side
//! of the box of the cells (Bentley 1975). A search goes down to the query first and
//! then visits only boxes that may hold something nearer than what it has.

use crate::error::{try_with_capacity, Result};

/// Cells per leaf.
const LEAF: usize = 24;

/// A half of the plane: a leaf when it has no children.
struct Node {
    low: [f64; 2],
    high: [f64; 2],
    range: (usize, usize),
    children: Option<(usize, usize)>,
}

/// Points in order of the tree.
pub struct Plane {
    points: Vec<([f64; 2], u32)>,
    nodes: Vec<Node>,
}

/// Scratch of a search, to be used again.
#[derive(Default)]
pub struct Found {
    /// Squared distance and index, in no order.
    near: Vec<(f64, u32)>,
    stack: Vec<usize>,
}

impl Plane {
    /// A tree of points with finite coordinates, known by their position. O(n log n).
    ///
    /// # Errors
    /// `memory`.
    pub fn new(points: &[[f64; 2]]) -> Result<Plane> {
        let mut numbered = try_with_capacity(points.len(), "the search tree")?;
        numbered.extend(points.iter().zip(0u32..).map(|(&p, i)| (p, i)));
        let mut plane = Plane {
            points: numbered,
            nodes: try_with_capacity(4 * points.len() / LEAF + 2, "the search tree")?,
        };
        plane.add(0, points.len());
        let mut at = 0;
        while at < plane.nodes.len() {
            plane.split(at);
            at += 1;
        }
        Ok(plane)
    }

    fn add(&mut self, from: usize, to: usize) -> usize {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for (p, _) in &self.points[from..to] {
            for c in 0..2 {
                low[c] = low[c].min(p[c]);
                high[c] = high[c].max(p[c]);
            }
        }
        self.nodes.push(Node {
            low,
            high,
            range: (from, to),
            children: None,
        });
        self.nodes.len() - 1
    }

    fn split(&mut self, at: usize) {
        let node = &self.nodes[at];
        let (from, to) = node.range;
        if to - from <= LEAF {
            return;
        }
        let side = |c: usize| node.high[c] - node.low[c];
        let c = usize::from(side(1) > side(0));
        let half = (to - from) / 2;
        self.points[from..to]
            .select_nth_unstable_by(half, |a, b| a.0[c].total_cmp(&b.0[c]).then(a.1.cmp(&b.1)));
        let children = (self.add(from, from + half), self.add(from + half, to));
        self.nodes[at].children = Some(children);
    }

    /// The `k` nearest points of `q` by (distance, index), as (squared distance,
    /// index) in order of the index. About O(k + log n).
    pub fn nearest<'a>(&self, q: [f64; 2], k: usize, found: &'a mut Found) -> &'a [(f64, u32)] {
        found.near.clear();
        found.stack.clear();
        found.stack.push(0);
        let mut bound = f64::INFINITY;
        while let Some(at) = found.stack.pop() {
            let node = &self.nodes[at];
            if self.away(at, q) > bound {
                continue;
            }
            let Some((a, b)) = node.children else {
                let points = &self.points[node.range.0..node.range.1];
                let measured = points.iter().map(|&(p, i)| (square(p, q), i));
                found.near.extend(measured.filter(|m| m.0 <= bound));
                // Cut back now and then, so that each candidate costs O(1).
                if found.near.len() >= 2 * k + LEAF {
                    bound = keep(&mut found.near, k);
                }
                continue;
            };
            let nearer_first = self.away(a, q) <= self.away(b, q);
            let (first, second) = if nearer_first { (a, b) } else { (b, a) };
            found.stack.push(second);
            found.stack.push(first);
        }
        keep(&mut found.near, k);
        found.near.sort_unstable_by_key(|m| m.1);
        &found.near
    }

    /// Squared distance from `q` to the box of a node.
    fn away(&self, at: usize, q: [f64; 2]) -> f64 {
        let node = &self.nodes[at];
        let off = |c: usize| (node.low[c] - q[c]).max(q[c] - node.high[c]).max(0.0);
        off(0) * off(0) + off(1) * off(1)
    }
}

fn square(p: [f64; 2], q: [f64; 2]) -> f64 {
    let (x, y) = (p[0] - q[0], p[1] - q[1]);
    x * x + y * y
}

/// Keeps the `k` smallest; the largest squared distance kept.
fn keep(near: &mut Vec<(f64, u32)>, k: usize) -> f64 {
    if near.len() <= k || k == 0 {
        return f64::INFINITY;
    }
    let by = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    let (_, last, _) = near.select_nth_unstable_by(k - 1, by);
    let bound = last.0;
    near.truncate(k);
    bound
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn scan(points: &[[f64; 2]], q: [f64; 2], k: usize) -> Vec<(f64, u32)> {
        let mut all: Vec<(f64, u32)> = points.iter().map(|&p| square(p, q)).zip(0u32..).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.truncate(k);
        all.sort_by_key(|m| m.1);
        all
    }

    #[test]
    fn a_search_finds_what_a_scan_finds() {
        let mut s = Stream::new(5, 0, 0, 0);
        let spread: Vec<[f64; 2]> = (0..3000).map(|_| [s.normal(), 9.0 * s.normal()]).collect();
        // Ties everywhere, and one cell far out.
        let mut lattice: Vec<[f64; 2]> = (0..900)
            .map(|i| [f64::from(i % 30 / 2), f64::from(i / 30)])
            .collect();
        lattice.push([1e6, -1e6]);
        let one = vec![[0.5, 0.5]; 700];
        let mut found = Found::default();
        for points in [&spread, &lattice, &one] {
            let plane = Plane::new(points).unwrap();
            for k in [1, 7, 60, 699] {
                for _ in 0..20 {
                    let q = [8.0 * s.normal(), 20.0 * s.normal()];
                    assert_eq!(plane.nearest(q, k, &mut found), scan(points, q, k));
                }
            }
        }
    }

    #[test]
    fn all_points_may_be_asked_for() {
        let plane = Plane::new(&[[0.0, 1.0], [2.0, 3.0]]).unwrap();
        let mut found = Found::default();
        assert_eq!(plane.nearest([0.0, 0.0], 2, &mut found).len(), 2);
        let none = Plane::new(&[]).unwrap();
        assert!(none.nearest([0.0, 0.0], 2, &mut found).is_empty());
    }
}
