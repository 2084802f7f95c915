//! The graph as the optimiser reads it: symmetric, flat, without loops or zeros.
//!
//! Every quality function here sees a move of a cell only through the weight
//! between the cell and a community, both directions together. So one symmetric
//! adjacency serves undirected and directed graphs alike: a symmetric matrix is
//! taken as it stands, a directed one becomes `A + A'`, and a matrix that is not
//! symmetric but was called undirected becomes its mean with its transpose
//! (section 2.4 of the graph rules). Self loops stand apart. Weights are held in
//! single precision when that loses nothing, which halves the traffic.

use super::adjacency::{Adjacency, Part, ROWS};
use super::Quality;
use crate::error::{try_filled, try_with_capacity, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::sparse::csr::{row, transpose, Csr};
use crate::sparse::ops;

/// Weights in the narrowest type that holds them all exactly.
#[derive(Debug)]
pub(super) enum AnyAdjacency {
    Single(Adjacency<f32>),
    Double(Adjacency<f64>),
}

/// The graph with what the quality functions need to know of it.
#[derive(Debug)]
pub(super) struct Network {
    pub adjacency: AnyAdjacency,
    /// Strengths; the outgoing ones when `ins` is not empty.
    pub outs: Vec<f64>,
    /// Incoming strengths of a directed graph that is not symmetric.
    pub ins: Vec<f64>,
    /// Whether the directed conventions hold.
    pub directed: bool,
    /// What a unit of adjacency between two nodes adds to the internal weight.
    pub pair_scale: f64,
    /// Total edge weight m, self loops included.
    pub total: f64,
    /// Sum of the absolute weights: the scale of rounding.
    pub magnitude: f64,
    /// Mean absolute weight of an adjacency entry: the scale of the draws.
    pub mean_weight: f64,
    pub has_loops: bool,
    /// Whether there is any edge at all.
    pub has_edges: bool,
    pub has_negative: bool,
}

impl Network {
    /// Reads `graph`, square, n < 2^32, for `quality`. O(entries).
    ///
    /// # Errors
    /// `shape` when not square or too large, `range` for weights that are not
    /// finite, or negative where `quality` is not CPM, `memory`, `interrupted`.
    pub fn new(exec: &Exec, graph: &Csr, quality: Quality, directed: bool) -> Result<Network> {
        check_shape(graph)?;
        let has_negative = check_weights(graph, quality == Quality::Cpm)?;
        let binary = quality == Quality::Significance;
        let symmetric = is_symmetric(graph);
        let (adjacency, ins) = if symmetric {
            (take_symmetric(exec, graph, binary)?, vec![])
        } else {
            let turned = transpose(exec, graph)?;
            let ins = if directed {
                strengths(exec, &turned, binary)?
            } else {
                vec![]
            };
            (fold(exec, graph, &turned, directed, binary)?, ins)
        };
        let loops: f64 = adjacency.loops.iter().sum();
        let pairs: f64 = adjacency.sums.iter().sum();
        let (outs, total) = if directed && !symmetric {
            (strengths(exec, graph, binary)?, pairs / 2.0 + loops)
        } else {
            let per_loop = if directed { 1.0 } else { 2.0 };
            let sums = adjacency.sums.iter().zip(&adjacency.loops);
            let outs = sums.map(|(s, l)| s + per_loop * l).collect();
            (outs, if directed { pairs } else { pairs / 2.0 } + loops)
        };
        let absolute: f64 = adjacency.weights.iter().map(|w| w.abs()).sum();
        let has_loops = adjacency.loops.iter().any(|&l| l != 0.0);
        Ok(Network {
            outs,
            ins,
            directed,
            pair_scale: if directed && symmetric { 2.0 } else { 1.0 },
            total,
            magnitude: absolute + adjacency.loops.iter().map(|l| l.abs()).sum::<f64>(),
            mean_weight: if absolute > 0.0 {
                absolute / adjacency.weights.len() as f64
            } else {
                1.0
            },
            has_loops,
            has_edges: has_loops || !adjacency.targets.is_empty(),
            has_negative,
            adjacency: narrowed(exec, adjacency)?,
        })
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.outs.len()
    }
}

pub(super) fn check_shape(graph: &Csr) -> Result<()> {
    let (n, cols) = graph.shape();
    if n != cols {
        return Err(CoreError::Shape {
            what: "the columns of the graph".into(),
            expected: n,
            found: cols,
        });
    }
    if u32::try_from(n).is_err() {
        return Err(CoreError::Range {
            what: "the number of cells".into(),
            value: n as f64,
            allowed: "below 2^32".into(),
        });
    }
    Ok(())
}

/// Whether any weight is negative, which only some qualities allow.
fn check_weights(graph: &Csr, allow_negative: bool) -> Result<bool> {
    let cells = |test: &dyn Fn(f64) -> bool| {
        (0..graph.rows())
            .filter(|&i| row(graph, i).1.iter().any(|&v| test(v)))
            .take(SHOWN)
            .collect()
    };
    let count = |test: &dyn Fn(f64) -> bool| graph.data().iter().filter(|&&v| test(v)).count();
    let (mut finite, mut negative) = (true, false);
    for &v in graph.data() {
        finite &= v.is_finite();
        negative |= v < 0.0;
    }
    if !finite {
        return Err(CoreError::NotFinite {
            what: "the edge weights".into(),
            count: count(&|v| !v.is_finite()),
            cells: cells(&|v| !v.is_finite()),
        });
    }
    if negative && !allow_negative {
        return Err(CoreError::NegativeWeights {
            count: count(&|v| v < 0.0),
            cells: cells(&|v| v < 0.0),
        });
    }
    Ok(negative)
}

/// Whether pattern and values equal those of the transpose, bit for bit. One pass:
/// rows are read in order, so the entries of a row below the diagonal are asked
/// for in order, and one cursor per row suffices.
pub(super) fn is_symmetric(graph: &Csr) -> bool {
    let n = graph.rows();
    let indptr = graph.proper_indptr();
    let (indices, data) = (graph.indices(), graph.data());
    let mut next: Vec<usize> = indptr[..n].to_vec();
    for i in 0..n {
        let end = indptr[i + 1];
        let mut k = next[i];
        // What is left of row i below the diagonal has no partner above it.
        if k < end && (indices[k] as usize) < i {
            return false;
        }
        if k < end && indices[k] as usize == i {
            k += 1;
        }
        for k in k..end {
            let j = indices[k] as usize;
            let at = next[j];
            if at >= indptr[j + 1] || indices[at] as usize != i || data[at] != data[k] {
                return false;
            }
            next[j] = at + 1;
        }
    }
    true
}

/// Row sums including the diagonal; of a binary graph the number of non-zeros.
fn strengths(exec: &Exec, graph: &Csr, binary: bool) -> Result<Vec<f64>> {
    if !binary {
        return ops::row_sums(exec, graph);
    }
    let count = |i| row(graph, i).1.iter().filter(|&&v| v != 0.0).count() as f64;
    Ok((0..graph.rows()).map(count).collect())
}

fn take_symmetric(exec: &Exec, graph: &Csr, binary: bool) -> Result<Adjacency<f64>> {
    let plain = graph.data().iter().all(|&v| v != 0.0)
        && !binary
        && (0..graph.rows()).all(|i| row(graph, i).0.binary_search(&(i as u32)).is_err());
    if !plain {
        return gathered(exec, graph.rows(), |i, out| {
            let (cols, values) = row(graph, i);
            let kept = cols.iter().zip(values).filter(|(_, &v)| v != 0.0);
            out.extend(kept.map(|(&c, &v)| (c, if binary { 1.0 } else { v })));
        });
    }
    let mut targets = try_with_capacity(graph.nnz(), "the edges")?;
    targets.extend_from_slice(graph.indices());
    let mut weights = try_with_capacity(graph.nnz(), "the edge weights")?;
    weights.extend_from_slice(graph.data());
    Ok(Adjacency {
        offsets: graph.proper_indptr().into_owned(),
        targets,
        weights,
        loops: try_filled(graph.rows(), 0.0, "the self loops")?,
        sums: ops::row_sums(exec, graph)?,
    })
}

/// `A + A'` when directed, the mean of the two otherwise; one for every edge of a
/// binary graph, and one per arc when directed.
fn fold(
    exec: &Exec,
    graph: &Csr,
    turned: &Csr,
    directed: bool,
    binary: bool,
) -> Result<Adjacency<f64>> {
    let value = |a: f64, b: f64| {
        let (a, b) = if binary {
            (f64::from(a != 0.0), f64::from(b != 0.0))
        } else {
            (a, b)
        };
        match (directed, binary) {
            (true, _) => a + b,
            (false, true) => a.max(b),
            (false, false) => (a + b) / 2.0,
        }
    };
    gathered(exec, graph.rows(), |i, out| {
        let ((ca, va), (cb, vb)) = (row(graph, i), row(turned, i));
        let (mut a, mut b) = (0, 0);
        while a < ca.len() || b < cb.len() {
            let left = ca.get(a).copied().unwrap_or(u32::MAX);
            let right = cb.get(b).copied().unwrap_or(u32::MAX);
            let c = left.min(right);
            let x = if left == c { va[a] } else { 0.0 };
            let y = if right == c { vb[b] } else { 0.0 };
            a += usize::from(left == c);
            b += usize::from(right == c);
            // A self loop is one arc, not two.
            let w = if c as usize == i {
                if binary {
                    f64::from(x != 0.0)
                } else {
                    x
                }
            } else {
                value(x, y)
            };
            if w != 0.0 {
                out.push((c, w));
            }
        }
    })
}

/// The adjacency whose row i, self loop included, is what `f(i, &mut row)` pushed.
fn gathered(
    exec: &Exec,
    n: usize,
    f: impl Fn(usize, &mut Vec<(u32, f64)>) + Sync,
) -> Result<Adjacency<f64>> {
    let parts = exec.map_chunks(n, ROWS, |range| {
        let mut part = Part::default();
        let mut line = vec![];
        for i in range {
            line.clear();
            f(i, &mut line);
            let own = line.iter().filter(|e| e.0 as usize == i).map(|e| e.1);
            part.loops.push(own.sum());
            for &(t, w) in line.iter().filter(|e| e.0 as usize != i) {
                part.targets.push(t);
                part.weights.push(w);
            }
            part.ends.push(part.targets.len());
        }
        part
    })?;
    let mut adjacency = Adjacency::default();
    adjacency.assemble(exec, &parts)?;
    Ok(adjacency)
}

fn narrowed(exec: &Exec, adjacency: Adjacency<f64>) -> Result<AnyAdjacency> {
    let exact = adjacency.weights.iter().all(|&w| f64::from(w as f32) == w);
    Ok(if exact {
        AnyAdjacency::Single(adjacency.converted(exec, |w| w as f32)?)
    } else {
        AnyAdjacency::Double(adjacency)
    })
}
