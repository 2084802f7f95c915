//! The qualities against their definitions, and moves against differences of them.

use super::adjacency::Weight;
use super::fixtures::{self, Kind, ALL};
use super::level::{Level, Partition};
use super::network::Network;
use super::objective::Objective;
use super::quality::{contents, evaluate};
use super::setup::{Job, Setup};
use super::{aggregate, modularity, quality, Quality};
use crate::exec::Exec;
use crate::sparse::csr::{row, Csr};
use crate::Result;

fn divergence(q: f64, p: f64) -> f64 {
    let term = |a: f64, b: f64| {
        if a > 0.0 && b > 0.0 {
            a * crate::math::ln(a / b)
        } else {
            0.0
        }
    };
    let sum = term(q, p) + term(1.0 - q, 1.0 - p);
    if q < p {
        -sum
    } else {
        sum
    }
}

/// Section 2.5 word for word, from the dense matrix.
fn by_definition(
    a: &Csr,
    labels: &[u32],
    kind: Quality,
    gamma: f64,
    directed: bool,
    sizes: &[u32],
) -> f64 {
    let n = a.rows();
    let mut w = vec![vec![0.0; n]; n];
    for (i, line) in w.iter_mut().enumerate() {
        for (&j, &v) in row(a, i).0.iter().zip(row(a, i).1) {
            line[j as usize] = if kind == Quality::Significance && v != 0.0 {
                1.0
            } else {
                v
            };
        }
    }
    let d = if directed { 1.0 } else { 0.0 };
    let edges: Vec<(usize, usize)> = (0..n)
        .flat_map(|i| (0..n).map(move |j| (i, j)))
        .filter(|&(i, j)| directed || i <= j)
        .collect();
    let weight = |test: &dyn Fn(usize, usize) -> bool| -> f64 {
        let kept = edges.iter().filter(|&&(i, j)| test(i, j));
        kept.map(|&(i, j)| w[i][j]).sum()
    };
    let m = weight(&|_, _| true);
    let total: f64 = sizes.iter().map(|&s| f64::from(s)).sum();
    let pairs = |s: f64| s * (s - 1.0) / (2.0 - d);
    let has_loops = (0..n).any(|i| w[i][i] != 0.0);
    let p = m / pairs(total);
    let (mut sum, mut all_inner, mut all_pairs) = (0.0, 0.0, 0.0);
    for c in 0..=*labels.iter().max().unwrap() {
        let of = |i: usize| labels[i] == c;
        let inner = weight(&|i, j| of(i) && of(j));
        let members: Vec<usize> = (0..n).filter(|&i| of(i)).collect();
        let size: f64 = members.iter().map(|&i| f64::from(sizes[i])).sum();
        let strength = |i: usize, turned: bool| -> f64 {
            let at = |j: usize| if turned { w[j][i] } else { w[i][j] };
            (0..n).map(at).sum::<f64>() + (1.0 - d) * w[i][i]
        };
        let out: f64 = members.iter().map(|&i| strength(i, false)).sum();
        let into: f64 = members.iter().map(|&i| strength(i, true)).sum();
        all_inner += inner;
        all_pairs += pairs(size);
        sum += match kind {
            Quality::Modularity | Quality::RbConfiguration => {
                let gamma = if kind == Quality::Modularity {
                    1.0
                } else {
                    gamma
                };
                inner - gamma * out * into / (if directed { 1.0 } else { 4.0 } * m)
            }
            Quality::RbEr => inner - gamma * p * pairs(size),
            Quality::Cpm => inner - gamma * (pairs(size) + if has_loops { size } else { 0.0 }),
            Quality::Significance if size < 2.0 => 0.0,
            Quality::Significance => pairs(size) * divergence(inner / pairs(size), p),
            Quality::Surprise => 0.0,
        };
    }
    match kind {
        Quality::Modularity => (2.0 - d) / if directed { m } else { 2.0 * m } * sum,
        Quality::Significance => sum,
        Quality::Surprise => m * divergence(all_inner / m, all_pairs / pairs(total)),
        _ => (2.0 - d) * sum,
    }
}

#[test]
fn every_quality_is_its_definition() {
    let exec = Exec::serial();
    for (k, kind) in fixtures::kinds().into_iter().enumerate() {
        let graph = fixtures::random(24, 0.2, kind, k as u64);
        let labels = fixtures::labels(24, 5, k as u64);
        let sizes: Vec<u32> = (0..24).map(|i| 1 + i % 3).collect();
        for q in ALL {
            // A symmetric graph may be called directed too.
            for directed in [kind.directed, true] {
                for sizes in [&vec![1; 24], &sizes] {
                    let found =
                        quality(&exec, &graph, &labels, q, 0.7, directed, Some(sizes)).unwrap();
                    let want = by_definition(&graph, &labels, q, 0.7, directed, sizes);
                    assert!(
                        (found - want).abs() < 1e-9 * want.abs().max(1.0),
                        "{q:?} {kind:?} {directed}: {found} {want}"
                    );
                }
            }
        }
    }
}

#[test]
fn modularity_is_the_quality_of_that_name() {
    let exec = Exec::serial();
    for (k, kind) in fixtures::kinds().into_iter().enumerate() {
        let graph = fixtures::random(30, 0.2, kind, k as u64);
        let labels = fixtures::labels(30, 4, k as u64);
        let (q, d) = (Quality::Modularity, kind.directed);
        let one = quality(&exec, &graph, &labels, q, 1.0, d, None).unwrap();
        let two = modularity(&exec, &graph, &labels, d, 1.0).unwrap();
        assert!((one - two).abs() < 1e-12, "{kind:?}: {one} {two}");
        assert!((-0.5..=1.0).contains(&two));
        let all = modularity(&exec, &graph, &[7; 30], d, 1.0).unwrap();
        assert!(all.abs() < 1e-12);
        let renamed: Vec<u32> = labels.iter().map(|l| 1000 - 3 * l).collect();
        let three = modularity(&exec, &graph, &renamed, d, 1.0).unwrap();
        assert!((two - three).abs() < 1e-12);
    }
}

#[test]
fn a_matrix_of_one_triangle_is_its_mean_with_the_other() {
    let exec = Exec::serial();
    let full = fixtures::karate();
    let rows = (0..34).map(|i| {
        let (cols, values) = row(&full, i);
        let upper = cols.iter().zip(values).filter(|e| *e.0 as usize > i);
        upper.map(|(&c, &v)| (c, v)).collect()
    });
    let half = crate::sparse::csr::from_rows(34, rows.collect()).unwrap();
    let labels = fixtures::labels(34, 3, 1);
    let q = |g, kind| quality(&exec, g, &labels, kind, 1.0, false, None).unwrap();
    for kind in [
        Quality::Modularity,
        Quality::Significance,
        Quality::Surprise,
    ] {
        let scale = if kind == Quality::Surprise { 2.0 } else { 1.0 };
        assert!((q(&full, kind) - scale * q(&half, kind)).abs() < 1e-9);
    }
    let m = |g| modularity(&exec, g, &labels, false, 1.0).unwrap();
    assert!((m(&full) - m(&half)).abs() < 1e-12);
}

#[test]
fn the_karate_club_has_its_known_values() {
    let exec = Exec::serial();
    let graph = fixtures::karate();
    let single: Vec<u32> = (0..34).collect();
    let q = |labels: &[u32], kind, gamma| {
        quality(&exec, &graph, labels, kind, gamma, false, None).unwrap()
    };
    assert!((q(&single, Quality::Modularity, 1.0) + 0.049803).abs() < 5e-7);
    assert!(q(&[0; 34], Quality::Modularity, 1.0).abs() < 1e-12);
    assert!((q(&[0; 34], Quality::Cpm, 0.05) - 99.9).abs() < 1e-9);
}

#[test]
fn a_graph_without_edges_has_no_modularity() {
    let exec = Exec::serial();
    let none = Csr::zero((3, 3));
    assert!(modularity(&exec, &none, &[0, 0, 1], false, 1.0)
        .unwrap()
        .is_nan());
    for q in ALL {
        let found = quality(&exec, &none, &[0, 0, 1], q, 1.0, false, None).unwrap();
        assert_eq!(found, 0.0);
    }
    let kind = |e: Result<f64>| e.unwrap_err().kind();
    assert_eq!(kind(modularity(&exec, &none, &[0], false, 1.0)), "shape");
    let wide = Csr::zero((2, 3));
    assert_eq!(kind(modularity(&exec, &wide, &[0, 0], false, 1.0)), "shape");
}

/// Moves single nodes about and compares what was promised with what came.
struct MoveCheck<'a> {
    exec: &'a Exec,
    labels: &'a [u32],
    scale: f64,
    total: f64,
}

impl Job for MoveCheck<'_> {
    type Out = usize;

    fn run<W: Weight, O: Objective>(self, level: Level<W, O::Mass>, objective: O) -> Result<usize> {
        let n = level.len();
        let judge = |labels: &[u32]| {
            evaluate(self.exec, &level, &objective, labels, n, self.scale).unwrap()
        };
        let before = judge(self.labels);
        let mut checked = 0;
        for v in 0..n {
            let p = Partition::new(&level, &objective, self.labels.to_vec())?;
            let weight_to = |c: u32| -> f64 {
                let (targets, weights) = level.adjacency.row(v);
                let kept = targets
                    .iter()
                    .zip(weights)
                    .filter(|e| p.of[*e.0 as usize] == c);
                kept.map(|e| e.1.get()).sum()
            };
            let (node, own) = (level.mass[v], p.of[v]);
            let rest = if p.members[own as usize] == 1 {
                O::Mass::default()
            } else {
                objective.leave(p.mass[own as usize], node, weight_to(own))
            };
            let mut o = objective.clone();
            o.start(&p.mass);
            o.taken(node, rest, weight_to(own));
            let stay = o.score(node, rest, weight_to(own));
            for c in (0..n as u32).filter(|&c| c != own) {
                let score = o.score(node, p.mass[c as usize], weight_to(c));
                let gain = (score - stay) * o.gain_scale();
                let mut moved = self.labels.to_vec();
                moved[v] = c;
                let came = judge(&moved) - before;
                assert!(
                    (gain - came).abs() < 1e-9 * self.total,
                    "{v} to {c}: {gain} {came}"
                );
                checked += 1;
            }
        }
        Ok(checked)
    }
}

/// Aggregates by arbitrary parts and compares the qualities.
struct AggregateCheck<'a> {
    exec: &'a Exec,
    part: &'a [u32],
    scale: f64,
}

impl Job for AggregateCheck<'_> {
    type Out = ();

    fn run<W: Weight, O: Objective>(self, level: Level<W, O::Mass>, objective: O) -> Result<()> {
        let (exec, scale) = (self.exec, self.scale);
        let mut memory = aggregate::Memory::default();
        for _ in 0..2 {
            let coarse = aggregate::aggregate(
                exec,
                &level,
                (self.part, 8),
                &objective,
                scale,
                &mut memory,
                1,
            )?;
            let of: Vec<u32> = (0..8).map(|c| c / 3).collect();
            let fine: Vec<u32> = self.part.iter().map(|&p| of[p as usize]).collect();
            let one = evaluate(exec, &level, &objective, &fine, 3, scale)?;
            let two = evaluate(exec, &coarse, &objective, &of, 3, scale)?;
            assert!((one - two).abs() < 1e-9 * one.abs().max(1.0), "{one} {two}");
            // The weight of all communities is that of all inner edges.
            let inner = |level: &[(O::Mass, f64)]| level.iter().map(|c| c.1).sum::<f64>();
            let (a, b) = (
                inner(&contents(exec, &level, &objective, &fine, 3, scale)?),
                inner(&contents(exec, &coarse, &objective, &of, 3, scale)?),
            );
            assert!((a - b).abs() < 1e-9 * a);
            memory.give(1, coarse);
        }
        Ok(())
    }
}

#[test]
fn moves_and_aggregates_keep_the_books() {
    let exec = Exec::serial();
    for (k, kind) in fixtures::kinds().into_iter().enumerate() {
        let graph = fixtures::random(24, 0.2, kind, 40 + k as u64);
        let labels = fixtures::labels(24, 6, k as u64);
        let part = fixtures::labels(24, 8, k as u64);
        for q in ALL {
            for directed in [kind.directed, true] {
                let network = Network::new(&exec, &graph, q, directed).unwrap();
                let (scale, total) = (network.pair_scale, network.total);
                let setup = Setup {
                    quality: q,
                    resolution: 0.8,
                    node_sizes: None,
                    limited: false,
                    fixed: None,
                };
                let check = MoveCheck {
                    exec: &exec,
                    labels: &labels,
                    scale,
                    total,
                };
                assert_eq!(setup.dispatch(network, check).unwrap(), 24 * 23);
                let network = Network::new(&exec, &graph, q, directed).unwrap();
                let check = AggregateCheck {
                    exec: &exec,
                    part: &part,
                    scale,
                };
                setup.dispatch(network, check).unwrap();
            }
        }
    }
}

#[test]
fn symmetry_is_exact() {
    let kind = Kind {
        directed: false,
        weighted: true,
        loops: true,
    };
    let graph = fixtures::random(40, 0.2, kind, 3);
    assert!(super::network::is_symmetric(&graph));
    let (cols, _) = row(&graph, 5);
    let j = cols[cols.len() - 1];
    let mut arcs: Vec<(u32, u32, f64)> = vec![];
    for i in 0..40 {
        let (cols, values) = row(&graph, i);
        arcs.extend(cols.iter().zip(values).map(|(&c, &v)| (i as u32, c, v)));
    }
    let mut other = arcs.clone();
    let at = other.iter().position(|a| (a.0, a.1) == (5, j)).unwrap();
    other[at].2 *= 1.0 + f64::EPSILON;
    assert!(!super::network::is_symmetric(&fixtures::directed(
        40, &other
    )));
    arcs.remove(at);
    assert!(!super::network::is_symmetric(&fixtures::directed(
        40, &arcs
    )));
}
