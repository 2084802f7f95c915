//! Random projection trees: cells that lie close together end up in one leaf.
//!
//! A node is cut in two equal halves across the direction in which a sample of its
//! cells varies most (a few steps of the power method from the line through two
//! cells, drawn by key). Ties go by index, so that duplicates are cut as well and
//! the depth is log2(n / leaf) whatever the data (after Dasgupta & Freund 2008).

use super::rows::{dot, Rows};
use crate::error::{try_with_capacity, Result};
use crate::exec::{split_at_bounds, Exec};
use crate::rng::Stream;
use crate::simd;

/// Purpose of the draws.
const PURPOSE: u64 = 0x7EE5;
/// Cuts of a tree before its parts become tasks of their own.
const TOP: u32 = 3;
/// Cells whose variation decides the direction of a cut.
const SAMPLE: usize = 128;
/// Steps of the power method.
const STEPS: usize = 6;

/// The leaves of a tree.
pub struct Tree {
    /// All cells, leaf by leaf.
    pub order: Vec<u32>,
    /// Where leaf l begins in `order`; one more entry than leaves.
    pub bounds: Vec<usize>,
}

/// How a tree is drawn and cut.
#[derive(Clone, Copy)]
pub struct Growth {
    pub seed: u64,
    /// Trees of different numbers are drawn independently.
    pub first: u64,
    /// Cells per leaf: more than half of it, at most it.
    pub leaf: usize,
    /// Whether a cut follows the direction of most variation; else the line
    /// through two cells, which differs more between trees.
    pub steered: bool,
}

/// `count` trees. O(count n d log(n / leaf)).
///
/// # Errors
/// `memory`, `interrupted`.
pub fn grow(exec: &Exec, rows: &Rows, count: usize, growth: Growth) -> Result<Vec<Tree>> {
    let n = rows.n;
    let leaf = growth.leaf.max(1);
    let mut bounds = vec![0];
    ends(n, leaf, u32::MAX, &mut bounds);
    let mut cuts = vec![0];
    ends(n, leaf, TOP, &mut cuts);
    let mut orders = Vec::with_capacity(count);
    for _ in 0..count {
        let mut order = try_with_capacity(n, "the trees")?;
        order.extend(0..n as u32);
        orders.push(order);
    }
    let cut = |t: usize| Cut {
        rows,
        growth,
        tree: growth.first + t as u64,
    };
    let tasks = orders.iter_mut().enumerate().collect();
    exec.for_each(tasks, |(t, order): (usize, &mut Vec<u32>)| {
        cut(t).split(order, 1, TOP, &mut Vec::new());
        Ok(())
    })?;
    let mut tasks = Vec::new();
    for (t, order) in orders.iter_mut().enumerate() {
        for (p, part) in split_at_bounds(order, &cuts).into_iter().enumerate() {
            tasks.push((t, p as u64 + 1, part));
        }
    }
    exec.for_each(tasks, |(t, p, part)| {
        // Nodes below the top are numbered apart from it, part by part.
        cut(t).split(part, (p << 40) + 1, u32::MAX, &mut Vec::new());
        Ok(())
    })?;
    let tree = |order| Tree {
        order,
        bounds: bounds.clone(),
    };
    Ok(orders.into_iter().map(tree).collect())
}

/// Appends the ends of what `depth` levels of cuts leave of `n` cells.
fn ends(n: usize, leaf: usize, depth: u32, bounds: &mut Vec<usize>) {
    if n <= leaf || depth == 0 {
        let start = bounds.last().copied().unwrap_or(0);
        bounds.push(start + n);
        return;
    }
    ends(n / 2, leaf, depth - 1, bounds);
    ends(n - n / 2, leaf, depth - 1, bounds);
}

struct Cut<'a> {
    rows: &'a Rows,
    growth: Growth,
    tree: u64,
}

impl Cut<'_> {
    fn split(&self, cells: &mut [u32], node: u64, depth: u32, line: &mut Vec<(f32, u32)>) {
        if cells.len() <= self.growth.leaf.max(1) || depth == 0 {
            return;
        }
        let direction = self.direction(cells, node);
        line.clear();
        simd::wide(
            #[inline(always)]
            || {
                for &c in cells.iter() {
                    line.push((dot(self.rows.row(c as usize), &direction), c));
                }
            },
        );
        let half = cells.len() / 2;
        line.select_nth_unstable_by(half, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        // The order within a half must not depend on how the selection went.
        line[..half].sort_unstable_by_key(|l| l.1);
        line[half..].sort_unstable_by_key(|l| l.1);
        for (c, l) in cells.iter_mut().zip(line.iter()) {
            *c = l.1;
        }
        let (left, right) = cells.split_at_mut(half);
        self.split(left, 2 * node, depth - 1, line);
        self.split(right, 2 * node + 1, depth - 1, line);
    }

    /// The direction of a cut: zero when the cells drawn are the same, in which
    /// case indices decide.
    fn direction(&self, cells: &[u32], node: u64) -> Vec<f32> {
        let mut stream = Stream::new(self.growth.seed, PURPOSE, self.tree, node);
        let n = cells.len();
        let a = stream.below(n);
        let b = (a + 1 + stream.below(n - 1)) % n;
        let row = |at: usize| self.rows.row(cells[at] as usize);
        let mut direction: Vec<f32> = row(a).iter().zip(row(b)).map(|(x, y)| x - y).collect();
        if self.growth.steered {
            let w = self.rows.width;
            let mut sample = Vec::with_capacity(SAMPLE * w);
            for _ in 0..SAMPLE.min(n) {
                sample.extend_from_slice(row(stream.below(n)));
            }
            simd::wide(
                #[inline(always)]
                || steer(&mut sample, &mut direction),
            );
        }
        direction
    }
}

/// Turns `direction` towards the largest variation of the rows of `sample`.
#[inline(always)]
fn steer(sample: &mut [f32], direction: &mut [f32]) {
    let w = direction.len();
    let mut mean = vec![0f32; w];
    let share = 1.0 / (sample.len() / w) as f32;
    for r in sample.chunks_exact(w) {
        for (m, v) in mean.iter_mut().zip(r) {
            *m += share * v;
        }
    }
    for r in sample.chunks_exact_mut(w) {
        for (v, m) in r.iter_mut().zip(&mean) {
            *v -= m;
        }
    }
    for _ in 0..STEPS {
        let norm = dot(direction, direction).sqrt();
        let scale = 1.0 / norm;
        if !scale.is_finite() {
            return;
        }
        let mut next = vec![0f32; w];
        for r in sample.chunks_exact(w) {
            let along = dot(r, direction) * scale;
            for (o, v) in next.iter_mut().zip(r) {
                *o += along * v;
            }
        }
        if dot(&next, &next) == 0.0 {
            return;
        }
        direction.copy_from_slice(&next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize, value: impl Fn(usize, usize) -> f32) -> Rows {
        let values = (0..n * 8).map(|at| value(at / 8, at % 8)).collect();
        Rows {
            n,
            d: 8,
            width: 8,
            values,
            lift: vec![0.0; n],
        }
    }

    fn growth(steered: bool) -> Growth {
        Growth {
            seed: 3,
            first: 0,
            leaf: 10,
            steered,
        }
    }

    #[test]
    fn every_cell_is_in_one_leaf_of_the_right_size() {
        let mut s = Stream::new(1, 0, 0, 0);
        let values: Vec<f32> = (0..997 * 8).map(|_| s.normal() as f32).collect();
        let random = rows(997, |i, g| values[i * 8 + g]);
        let same = rows(997, |_, g| g as f32);
        for (rows, steered) in [(&random, true), (&random, false), (&same, true)] {
            let trees = grow(&Exec::serial(), rows, 3, growth(steered)).unwrap();
            for t in &trees {
                let mut order = t.order.clone();
                order.sort_unstable();
                assert!(order.iter().enumerate().all(|(i, &c)| i == c as usize));
                assert_eq!(t.bounds.last(), Some(&997));
                assert!(t
                    .bounds
                    .windows(2)
                    .all(|w| (6..=10).contains(&(w[1] - w[0]))));
            }
        }
        let trees = grow(&Exec::serial(), &random, 3, growth(true)).unwrap();
        assert_ne!(trees[0].order, trees[1].order);
        let few = grow(&Exec::serial(), &rows(7, |i, _| i as f32), 1, growth(true)).unwrap();
        assert_eq!((few[0].bounds.clone(), few[0].order.len()), (vec![0, 7], 7));
    }

    #[test]
    fn a_line_is_cut_in_order() {
        // Along one direction the halves are the lower and the upper ones.
        let line = rows(64, |i, _| ((i * 37) % 64) as f32);
        let t = &grow(&Exec::serial(), &line, 1, growth(true)).unwrap()[0];
        for w in t.bounds.windows(2) {
            let mut at: Vec<usize> = t.order[w[0]..w[1]]
                .iter()
                .map(|&c| (c as usize * 37) % 64)
                .collect();
            at.sort_unstable();
            assert_eq!(at[at.len() - 1] - at[0], at.len() - 1);
        }
    }

    #[test]
    fn trees_have_the_same_bits_on_any_number_of_threads() {
        let mut s = Stream::new(2, 0, 0, 0);
        let values: Vec<f32> = (0..600 * 8).map(|_| s.normal() as f32).collect();
        let rows = rows(600, |i, g| values[i * 8 + g]);
        crate::testing::same_bits(|t| {
            let exec = Exec::with_threads(t).unwrap();
            let trees = grow(&exec, &rows, 3, growth(true)).unwrap();
            trees.into_iter().map(|t| t.order).collect::<Vec<_>>()
        });
    }
}
