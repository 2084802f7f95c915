//! Mutual information of two lineages, from distances between cells.
//!
//! How much the probability of one fate says about that of another, without a model of
//! how they are related: the first estimator of Kraskov, Stoegbauer and Grassberger
//! (2004), equation 8. Around every cell, in the plane of the two probabilities, the
//! square that just excludes its third neighbour is taken, and the other cells are
//! counted that share its width in one direction (nx) or its height in the other (ny):
//!
//! ```text
//! I = max(0, psi(n) + psi(3) - mean psi(nx + 1) - mean psi(ny + 1))
//! ```
//!
//! Neighbours come from a k-d tree, counts from binary search in sorted values:
//! O(n log n), also for many equal values (cells of terminal states).

use crate::error::{try_with_capacity, CoreError, Result};
use crate::exec::{Exec, CHUNK};
use crate::simd;

/// Neighbours that set the size of a cell's square.
pub const NEIGHBORS: usize = 3;

/// Points in a leaf of the tree.
const LEAF: usize = 16;
/// Levels of a tree that fits into memory, and so of the walk through it.
const DEPTH: usize = 64;
const EULER: f64 = 0.577_215_664_901_532_9;

/// One variable over the cells, divided by its standard deviation.
#[derive(Debug, Clone)]
pub struct Margin {
    values: Vec<f64>,
    sorted: Vec<f64>,
}

impl Margin {
    /// The variable of a column of finite numbers; one that is constant stays as it is.
    /// O(n log n).
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn new(exec: &Exec, column: &[f64]) -> Result<Margin> {
        let n = column.len() as f64;
        let mean = exec.sum(column.len(), |r| simd::sum(&column[r]))? / n;
        let square = |v: &f64| (v - mean) * (v - mean);
        let total = exec.sum(column.len(), |r| column[r].iter().map(square).sum())?;
        let constant = column.windows(2).all(|w| w[0] == w[1]);
        let deviation = if constant { 1.0 } else { (total / n).sqrt() };
        let mut values = try_with_capacity(column.len(), "a lineage")?;
        values.extend(column.iter().map(|v| v / deviation));
        let mut sorted = try_with_capacity(column.len(), "a lineage")?;
        sorted.extend_from_slice(&values);
        sorted.sort_unstable_by(f64::total_cmp);
        Ok(Margin { values, sorted })
    }

    /// Number of values within `radius` of `value`, that value included.
    fn count(&self, value: f64, radius: f64) -> usize {
        let below = self.sorted.partition_point(|v| value - v > radius);
        let up_to = self.sorted.partition_point(|v| v - value <= radius);
        up_to - below
    }
}

/// Mutual information of two variables over the same cells, in nats, not negative.
/// O(n log n) time, O(n) memory.
///
/// # Errors
/// `shape` for variables of different lengths, `range` for fewer than four cells,
/// `memory`, `interrupted`.
pub fn mutual_information(exec: &Exec, x: &Margin, y: &Margin) -> Result<f64> {
    let n = x.values.len();
    if y.values.len() != n {
        return Err(CoreError::Shape {
            what: "the second lineage".into(),
            expected: n,
            found: y.values.len(),
        });
    }
    if n <= NEIGHBORS {
        return Err(CoreError::Range {
            what: "the number of cells with values".into(),
            value: n as f64,
            allowed: format!("at least {}", NEIGHBORS + 1),
        });
    }
    let psi = digamma_of_counts(n)?;
    let tree = Tree::new(&x.values, &y.values)?;
    let sum = exec.map_chunks(n, CHUNK, |range| {
        range.fold(0.0, |sum, i| {
            let radius = next_below(tree.reach([x.values[i], y.values[i]]));
            // The cell itself is counted: psi(nx + 1).
            let nx = x.count(x.values[i], radius);
            let ny = y.count(y.values[i], radius);
            sum + psi[nx] + psi[ny]
        })
    })?;
    let mean = sum.into_iter().sum::<f64>() / n as f64;
    Ok((psi[n] + psi[NEIGHBORS] - mean).max(0.0))
}

/// psi(1), psi(2), ... at their own positions, by psi(m + 1) = psi(m) + 1 / m.
fn digamma_of_counts(n: usize) -> Result<Vec<f64>> {
    let mut psi = try_with_capacity(n + 1, "digamma")?;
    psi.extend([f64::NEG_INFINITY, -EULER]);
    for m in 1..n {
        psi.push(psi[m] + 1.0 / m as f64);
    }
    Ok(psi)
}

/// The next smaller number of one that is not negative; zero stays.
fn next_below(v: f64) -> f64 {
    if v > 0.0 {
        f64::from_bits(v.to_bits() - 1)
    } else {
        v
    }
}

/// A k-d tree of points in the plane, for distances in the maximum norm.
struct Tree {
    points: Vec<[f64; 2]>,
    nodes: Vec<Node>,
}

/// A box and what is in it: points from `start` to `end`, or two children.
struct Node {
    low: [f64; 2],
    high: [f64; 2],
    start: usize,
    end: usize,
    /// Position of the first child, the second follows; 0 for a leaf.
    child: usize,
}

impl Tree {
    fn new(x: &[f64], y: &[f64]) -> Result<Tree> {
        let mut points = try_with_capacity(x.len(), "points of two lineages")?;
        points.extend(x.iter().zip(y).map(|(&x, &y)| [x, y]));
        let mut nodes = try_with_capacity(4 * (x.len() / LEAF + 1), "a tree of cells")?;
        nodes.push(Node::over(&points, 0));
        let mut at = 0;
        while at < nodes.len() {
            let Node { start, end, .. } = nodes[at];
            if end - start > LEAF {
                let node = &nodes[at];
                let wide = usize::from(node.high[1] - node.low[1] > node.high[0] - node.low[0]);
                let part = &mut points[start..end];
                let middle = part.len() / 2;
                part.select_nth_unstable_by(middle, |a, b| a[wide].total_cmp(&b[wide]));
                let (left, right) = part.split_at(middle);
                let children = [Node::over(left, start), Node::over(right, start + middle)];
                nodes[at].child = nodes.len();
                nodes.extend(children);
            }
            at += 1;
        }
        Ok(Tree { points, nodes })
    }

    /// Distance of a point of the tree to its [`NEIGHBORS`]th neighbour.
    fn reach(&self, p: [f64; 2]) -> f64 {
        // The point itself is among those found, at distance zero.
        let mut nearest = [f64::INFINITY; NEIGHBORS + 1];
        let mut stack = [(0, 0.0); DEPTH];
        let mut open = 1;
        while open > 0 {
            open -= 1;
            let (at, distance): (usize, f64) = stack[open];
            if distance >= nearest[NEIGHBORS] {
                continue;
            }
            let node = &self.nodes[at];
            if node.child == 0 {
                for q in &self.points[node.start..node.end] {
                    let away = (q[0] - p[0]).abs().max((q[1] - p[1]).abs());
                    insert(&mut nearest, away);
                }
                continue;
            }
            let mut near = (node.child, self.nodes[node.child].distance(p));
            let mut far = (node.child + 1, self.nodes[node.child + 1].distance(p));
            if far.1 < near.1 {
                (near, far) = (far, near);
            }
            // The near one is taken off first.
            stack[open] = far;
            stack[open + 1] = near;
            open += 2;
        }
        nearest[NEIGHBORS]
    }
}

impl Node {
    fn over(points: &[[f64; 2]], start: usize) -> Node {
        let mut low = [f64::INFINITY; 2];
        let mut high = [f64::NEG_INFINITY; 2];
        for p in points {
            for d in 0..2 {
                low[d] = low[d].min(p[d]);
                high[d] = high[d].max(p[d]);
            }
        }
        Node {
            low,
            high,
            start,
            end: start + points.len(),
            child: 0,
        }
    }

    fn distance(&self, p: [f64; 2]) -> f64 {
        let outside = |d: usize| (self.low[d] - p[d]).max(p[d] - self.high[d]);
        outside(0).max(outside(1)).max(0.0)
    }
}

/// Keeps the smallest values, ascending.
fn insert(nearest: &mut [f64; NEIGHBORS + 1], value: f64) {
    let mut at = NEIGHBORS;
    if value >= nearest[at] {
        return;
    }
    while at > 0 && nearest[at - 1] > value {
        nearest[at] = nearest[at - 1];
        at -= 1;
    }
    nearest[at] = value;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math;
    use crate::rng::Stream;
    use crate::testing::same_bits;

    fn margin(column: &[f64]) -> Margin {
        Margin::new(&Exec::serial(), column).unwrap()
    }

    fn information(x: &[f64], y: &[f64]) -> f64 {
        mutual_information(&Exec::serial(), &margin(x), &margin(y)).unwrap()
    }

    /// All pairs compared.
    fn brute(x: &[f64], y: &[f64]) -> f64 {
        let (x, y) = (margin(x).values, margin(y).values);
        let n = x.len();
        let psi = digamma_of_counts(n).unwrap();
        let mut sum = 0.0;
        for i in 0..n {
            let mut away: Vec<f64> = (0..n)
                .filter(|&j| j != i)
                .map(|j| (x[i] - x[j]).abs().max((y[i] - y[j]).abs()))
                .collect();
            away.sort_by(f64::total_cmp);
            let r = next_below(away[NEIGHBORS - 1]);
            let count = |v: &[f64]| v.iter().filter(|&&w| (w - v[i]).abs() <= r).count();
            sum += psi[count(&x)] + psi[count(&y)];
        }
        (psi[n] + psi[NEIGHBORS] - sum / n as f64).max(0.0)
    }

    fn near(a: f64, b: f64, case: &str) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}: {case}");
    }

    /// Two normal variables with correlation `rho`.
    fn normals(n: usize, rho: f64, seed: u64) -> (Vec<f64>, Vec<f64>) {
        let mut s = Stream::new(seed, 1, 0, 0);
        let pair = |_| {
            let x = s.normal();
            (x, rho * x + (1.0 - rho * rho).sqrt() * s.normal())
        };
        (0..n).map(pair).unzip()
    }

    #[test]
    fn the_tree_finds_what_comparing_all_pairs_finds() {
        for (n, seed) in [(4, 1), (17, 2), (33, 3), (200, 4), (1000, 5)] {
            let (x, y) = normals(n, 0.6, seed);
            near(information(&x, &y), brute(&x, &y), &format!("{n} cells"));
            // Many ties: values of one digit, and a block of zeros.
            let round = |v: &f64| if *v < 0.0 { 0.0 } else { (v * 5.0).floor() };
            let x: Vec<f64> = x.iter().map(round).collect();
            let y: Vec<f64> = y.iter().map(round).collect();
            near(
                information(&x, &y),
                brute(&x, &y),
                &format!("{n} cells, ties"),
            );
        }
    }

    #[test]
    fn normal_variables_have_the_information_of_their_correlation() {
        for rho in [0.0, 0.5, 0.9] {
            let (x, y) = normals(20_000, rho, 7);
            let exact = -0.5 * math::ln(1.0 - rho * rho);
            assert!((information(&x, &y) - exact).abs() < 0.03, "rho = {rho}");
        }
    }

    #[test]
    fn order_and_scale_of_the_variables_do_not_matter() {
        let (x, y) = normals(500, 0.7, 9);
        let far: Vec<f64> = x.iter().map(|v| v * 1024.0).collect();
        near(information(&x, &y), information(&y, &x), "order");
        near(information(&x, &y), information(&far, &y), "scale");
    }

    #[test]
    fn a_constant_says_nothing() {
        let (x, _) = normals(100, 0.0, 3);
        let flat = [0.25; 100];
        near(information(&x, &flat), brute(&x, &flat), "one constant");
        assert_eq!(information(&[0.5; 50], &[0.25; 50]), 0.0);
    }

    #[test]
    fn four_cells_are_needed() {
        let three = margin(&[0.1, 0.2, 0.3]);
        let e = mutual_information(&Exec::serial(), &three, &three).unwrap_err();
        assert_eq!(e.kind(), "range");
        let e = mutual_information(&Exec::serial(), &three, &margin(&[0.1])).unwrap_err();
        assert_eq!(e.kind(), "shape");
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let (x, y) = normals(10_000, 0.4, 11);
        same_bits(|threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let x = Margin::new(&exec, &x).unwrap();
            let y = Margin::new(&exec, &y).unwrap();
            mutual_information(&exec, &x, &y).unwrap().to_bits()
        });
    }
}
