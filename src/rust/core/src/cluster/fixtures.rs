//! Graphs for the tests.

use super::Quality;
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, row, Csr};
use std::collections::BTreeMap;

pub const ALL: [Quality; 6] = [
    Quality::Modularity,
    Quality::RbConfiguration,
    Quality::RbEr,
    Quality::Cpm,
    Quality::Significance,
    Quality::Surprise,
];

/// Arcs of the same ends are added up.
pub fn directed(n: usize, arcs: &[(u32, u32, f64)]) -> Csr {
    let mut rows = vec![BTreeMap::new(); n];
    for &(i, j, w) in arcs {
        *rows[i as usize].entry(j).or_insert(0.0) += w;
    }
    let rows = rows.into_iter().map(|r| r.into_iter().collect()).collect();
    from_rows(n, rows).unwrap()
}

pub fn undirected(n: usize, edges: &[(u32, u32, f64)]) -> Csr {
    let mut arcs = vec![];
    for &(i, j, w) in edges {
        arcs.push((i, j, w));
        if i != j {
            arcs.push((j, i, w));
        }
    }
    directed(n, &arcs)
}

/// The friendships in a karate club (Zachary 1977).
pub fn karate() -> Csr {
    let later: [(u32, &[u32]); 26] = [
        (0, &[1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31]),
        (1, &[2, 3, 7, 13, 17, 19, 21, 30]),
        (2, &[3, 7, 8, 9, 13, 27, 28, 32]),
        (3, &[7, 12, 13]),
        (4, &[6, 10]),
        (5, &[6, 10, 16]),
        (6, &[16]),
        (8, &[30, 32, 33]),
        (9, &[33]),
        (13, &[33]),
        (14, &[32, 33]),
        (15, &[32, 33]),
        (18, &[32, 33]),
        (19, &[33]),
        (20, &[32, 33]),
        (22, &[32, 33]),
        (23, &[25, 27, 29, 32, 33]),
        (24, &[25, 27, 31]),
        (25, &[31]),
        (26, &[29, 33]),
        (27, &[33]),
        (28, &[31, 33]),
        (29, &[32, 33]),
        (30, &[32, 33]),
        (31, &[32, 33]),
        (32, &[33]),
    ];
    let edges: Vec<_> = later
        .iter()
        .flat_map(|&(i, js)| js.iter().map(move |&j| (i, j, 1.0)))
        .collect();
    undirected(34, &edges)
}

pub fn complete(n: u32, w: f64) -> Csr {
    let edges: Vec<_> = (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j, w)))
        .collect();
    undirected(n as usize, &edges)
}

/// Cliques of `size`, one edge of weight `bridge` from each to the next (none if 0).
pub fn cliques(count: u32, size: u32, bridge: f64) -> Csr {
    let mut edges = vec![];
    for c in 0..count {
        let base = c * size;
        for i in 0..size {
            edges.extend((i + 1..size).map(|j| (base + i, base + j, 1.0)));
        }
        if bridge > 0.0 {
            edges.push((base + size - 1, (base + size) % (count * size), bridge));
        }
    }
    undirected((count * size) as usize, &edges)
}

/// What a random graph is made of.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub directed: bool,
    pub weighted: bool,
    pub loops: bool,
}

pub fn kinds() -> Vec<Kind> {
    let both = [false, true];
    let mut all = vec![];
    for directed in both {
        for weighted in both {
            all.extend(both.map(|loops| Kind {
                directed,
                weighted,
                loops,
            }));
        }
    }
    all
}

/// Every pair is joined with probability `p`.
pub fn random(n: u32, p: f64, kind: Kind, seed: u64) -> Csr {
    let mut stream = Stream::new(seed, 1, 0, 0);
    let mut arcs = vec![];
    for i in 0..n {
        for j in 0..n {
            let possible = if kind.directed { i != j } else { i < j } || (kind.loops && i == j);
            if possible && stream.uniform() < p {
                let w = if kind.weighted {
                    0.1 + stream.uniform()
                } else {
                    1.0
                };
                arcs.push((i, j, w));
            }
        }
    }
    if kind.directed {
        directed(n as usize, &arcs)
    } else {
        undirected(n as usize, &arcs)
    }
}

/// Groups of 50 cells, each cell with ten edges within and three anywhere; weights
/// in (0, 1].
pub fn planted(n: u32, seed: u64) -> Csr {
    let mut stream = Stream::new(seed, 2, 0, 0);
    let mut edges = BTreeMap::new();
    for i in 0..n {
        for k in 0..13 {
            let j = if k < 10 {
                let base = i / 50 * 50;
                base + stream.below(50.min(n - base) as usize) as u32
            } else {
                stream.below(n as usize) as u32
            };
            if i != j {
                edges.insert((i.min(j), i.max(j)), 1.0 - stream.uniform());
            }
        }
    }
    let edges: Vec<_> = edges.into_iter().map(|((i, j), w)| (i, j, w)).collect();
    undirected(n as usize, &edges)
}

pub fn labels(n: usize, k: usize, seed: u64) -> Vec<u32> {
    let mut stream = Stream::new(seed, 3, 0, 0);
    (0..n).map(|_| stream.below(k) as u32).collect()
}

/// Whether the cells of every cluster reach each other inside it.
pub fn all_connected(graph: &Csr, labels: &[u32]) -> bool {
    let n = graph.rows();
    let mut near = vec![vec![]; n];
    for i in 0..n {
        for (&j, &w) in row(graph, i).0.iter().zip(row(graph, i).1) {
            if w != 0.0 && labels[i] == labels[j as usize] {
                near[i].push(j as usize);
                near[j as usize].push(i);
            }
        }
    }
    let mut seen = vec![false; n];
    let mut started = std::collections::BTreeSet::new();
    for i in 0..n {
        if seen[i] {
            continue;
        }
        if !started.insert(labels[i]) {
            return false;
        }
        let mut stack = vec![i];
        while let Some(v) = stack.pop() {
            if !std::mem::replace(&mut seen[v], true) {
                stack.extend(&near[v]);
            }
        }
    }
    true
}

/// Sizes of the clusters, largest first.
pub fn sizes(labels: &[u32]) -> Vec<usize> {
    let mut counts = BTreeMap::new();
    for &l in labels {
        *counts.entry(l).or_insert(0) += 1;
    }
    let mut sizes: Vec<usize> = counts.into_values().collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}
