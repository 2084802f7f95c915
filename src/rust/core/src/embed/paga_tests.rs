//! PAGA against literal counting, the fixture of ten points and its sum rules.

use super::*;
use crate::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use crate::graph::knn::{exact, Knn, Metric};
use crate::rng::Stream;
use crate::testing::same_bits;
use ndarray::Array2;

/// Points of the fixture P10 and their groups a, b, c.
fn p10() -> (Array2<f64>, Vec<u32>) {
    let x = [
        [0.0, 0.0],
        [1.0, 0.0],
        [0.0, 1.0],
        [1.0, 1.0],
        [3.0, 0.0],
        [4.0, 0.0],
        [3.0, 1.0],
        [4.0, 1.0],
        [7.0, 0.5],
        [8.0, 0.5],
    ];
    let x = Array2::from_shape_fn((10, 2), |(i, j)| x[i][j]);
    (x, vec![0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
}

fn distances(knn: &Knn) -> Csr {
    let rows = (0..knn.n)
        .map(|i| {
            let (to, d) = knn.row(i);
            to.iter().zip(d).map(|(&j, &d)| (j, f64::from(d))).collect()
        })
        .collect();
    from_rows(knn.n, rows).unwrap()
}

/// Cells on a noisy curve, cut into groups of unequal size, and both graphs.
fn curve(n: usize, k: usize, n_groups: usize) -> (Csr, Csr, Vec<u32>) {
    let mut s = Stream::new(5, 1, 0, 0);
    let at: Vec<f64> = (0..n).map(|_| s.uniform()).collect();
    let x = Array2::from_shape_fn((n, 3), |(i, j)| {
        let t = 4.0 * at[i] * (j + 1) as f64;
        crate::math::sin(t) + 0.2 * s.normal()
    });
    let groups = at
        .iter()
        .map(|t| (t * t * n_groups as f64) as u32)
        .collect();
    let exec = Exec::serial();
    let knn = exact(&exec, x.view(), k, Metric::Euclidean).unwrap();
    let graph = fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap();
    (distances(&knn), graph, groups)
}

fn dense(m: &Csr) -> Array2<f64> {
    let mut out = Array2::zeros((m.rows(), m.cols()));
    for i in 0..m.rows() {
        let (columns, values) = row(m, i);
        for (&j, &v) in columns.iter().zip(values) {
            out[[i, j as usize]] = v;
        }
    }
    out
}

#[test]
fn the_fixture_of_ten_points() {
    let exec = Exec::serial();
    let (x, groups) = p10();
    let knn = exact(&exec, x.view(), 4, Metric::Euclidean).unwrap();
    let p = paga(&exec, &distances(&knn), &groups, 3, Model::Distances, 4).unwrap();
    let mut want = Array2::zeros((3, 3));
    want[[1, 2]] = 0.75;
    want[[2, 1]] = 0.75;
    assert_eq!(dense(&p.connectivities), want);
    assert_eq!(dense(&p.tree), want);
    assert_eq!(p.sizes, [4, 4, 2]);

    let graph = fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap();
    let p = paga(&exec, &graph, &groups, 3, Model::Connectivities, 4).unwrap();
    assert_eq!((p.connectivities.nnz(), p.tree.nnz()), (2, 2));
    let v = dense(&p.connectivities)[[1, 2]];
    assert!((v - 4.0 / 128f64.sqrt()).abs() < 1e-15, "{v}");
    assert!((v - 0.353553).abs() < 1e-6);
}

#[test]
fn arcs_add_up_to_what_each_group_sends() {
    let (distances, _, groups) = curve(500, 12, 7);
    let p = paga(
        &Exec::serial(),
        &distances,
        &groups,
        7,
        Model::Distances,
        12,
    )
    .unwrap();
    for g in 0..7 {
        let all: u64 = row(&p.arcs, g).1.iter().sum();
        assert_eq!(all, 11 * p.sizes[g] as u64);
        assert!(p.sizes[g] > 0);
    }
    assert_eq!(p.sizes.iter().sum::<usize>(), 500);
}

/// Section 4.1 word by word, with n x n comparisons.
fn oracle(graph: &Csr, groups: &[u32], n_groups: usize, model: Model, k: usize) -> Array2<f64> {
    let n = groups.len();
    let sizes: Vec<f64> = (0..n_groups)
        .map(|g| groups.iter().filter(|&&h| h as usize == g).count() as f64)
        .collect();
    let mut e = Array2::<f64>::zeros((n_groups, n_groups));
    for i in 0..n {
        for &j in row(graph, i).0 {
            e[[groups[i] as usize, groups[j as usize] as usize]] += 1.0;
        }
    }
    let es: Vec<f64> = e.rows().into_iter().map(|r| r.sum()).collect();
    Array2::from_shape_fn((n_groups, n_groups), |(g, h)| {
        let s = e[[g, h]] + e[[h, g]];
        if g == h || s == 0.0 {
            return 0.0;
        }
        match model {
            Model::Distances => {
                let x = (es[g] * sizes[h] + es[h] * sizes[g]) / (n as f64 - 1.0);
                (s / x).min(1.0)
            }
            Model::Connectivities => s / 2.0 / ((k * k) as f64 * sizes[g] * sizes[h]).sqrt(),
        }
    })
}

/// Total strength of the best forest, by trying every subset of edges.
fn best_forest(lengths: &[(usize, usize, f64)], n: usize) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for set in 0u32..1 << lengths.len() {
        let mut label: Vec<usize> = (0..n).collect();
        let (mut edges, mut total, mut cycle) = (0, 0.0, false);
        for (b, &(g, h, length)) in lengths.iter().enumerate() {
            if set >> b & 1 == 1 {
                let (a, c) = (label[g], label[h]);
                cycle |= a == c;
                label.iter_mut().filter(|l| **l == c).for_each(|l| *l = a);
                edges += 1;
                total += length;
            }
        }
        if !cycle && (edges > best.0 || (edges == best.0 && total < best.1)) {
            best = (edges, total);
        }
    }
    best
}

#[test]
fn counting_word_by_word_gives_the_same() {
    let (distances, graph, groups) = curve(400, 10, 6);
    let exec = Exec::with_threads(2).unwrap();
    for (m, model) in [
        (&distances, Model::Distances),
        (&graph, Model::Connectivities),
    ] {
        let p = paga(&exec, m, &groups, 6, model, 10).unwrap();
        let want = oracle(m, &groups, 6, model, 10);
        let found = dense(&p.connectivities);
        for (a, b) in found.iter().zip(&want) {
            assert!((a - b).abs() < 1e-14);
        }
        assert!(found.iter().any(|&v| v > 0.0));
        assert_eq!(found, found.t());
        assert!(p.connectivities.data().iter().all(|&v| v > 0.0));

        let mut lengths = vec![];
        for g in 0..6 {
            for h in g + 1..6 {
                if want[[g, h]] > 0.0 {
                    let rank = match model {
                        Model::Distances => want[[g, h]],
                        Model::Connectivities => {
                            let s = (p.sizes[g] * p.sizes[h]) as f64;
                            want[[g, h]] * s.sqrt()
                        }
                    };
                    lengths.push((g, h, 1.0 / rank));
                }
            }
        }
        let tree = dense(&p.tree);
        assert_eq!(tree, tree.t());
        let chosen: Vec<_> = lengths
            .iter()
            .filter(|&&(g, h, _)| tree[[g, h]] != 0.0)
            .collect();
        for &&(g, h, _) in &chosen {
            assert_eq!(tree[[g, h]], found[[g, h]]);
        }
        let total: f64 = chosen.iter().map(|e| e.2).sum();
        let best = best_forest(&lengths, 6);
        assert_eq!(chosen.len(), best.0);
        assert!((total - best.1).abs() < 1e-12 * best.1);
    }
}

#[test]
fn ties_in_the_tree_go_to_the_smaller_groups() {
    // Four groups of one cell, all pairs equally strong.
    let rows = (0..4u32)
        .map(|i| (0..4).filter(|&j| j != i).map(|j| (j, 1.0)).collect())
        .collect();
    let graph = from_rows(4, rows).unwrap();
    let p = paga(
        &Exec::serial(),
        &graph,
        &[0, 1, 2, 3],
        4,
        Model::Distances,
        4,
    )
    .unwrap();
    assert_eq!(row(&p.tree, 0).0, [1, 2, 3]);
    assert_eq!(p.tree.nnz(), 6);
}

#[test]
fn loops_do_not_count_and_zero_distances_do() {
    let exec = Exec::serial();
    // Two duplicates in different groups, with a stored diagonal.
    let rows = vec![vec![(0, 0.0), (1, 0.0)], vec![(0, 0.0), (1, 0.0)]];
    let graph = from_rows(2, rows).unwrap();
    let p = paga(&exec, &graph, &[0, 1], 2, Model::Distances, 2).unwrap();
    assert_eq!(p.arcs.nnz(), 2);
    assert_eq!(row(&p.connectivities, 0), (&[1u32][..], &[1.0][..]));
    let p = paga(&exec, &graph, &[0, 1], 2, Model::Connectivities, 2).unwrap();
    assert_eq!(p.connectivities.nnz(), 0);
}

#[test]
fn velocity_counts_the_surplus_and_stores_it_transposed() {
    // 3 arcs from group 0 to 1, 1 back, 1 within, 2 from 1 to 2.
    let rows = vec![
        vec![(2, 1.0), (3, -0.5), (1, 2.0)],
        vec![(2, 1.0), (3, 0.0)],
        vec![(0, 1.0), (4, 3.0)],
        vec![(4, 1.0)],
        vec![],
    ];
    let graph = from_rows(5, rows).unwrap();
    let exec = Exec::serial();
    let t = transitions_confidence(&exec, &graph, &[0, 0, 1, 1, 2], 3, 3).unwrap();
    let mut want = Array2::zeros((3, 3));
    want[[1, 0]] = 2.0 / (3.0 * 2.0 * 3.0 * 2.0f64).sqrt();
    want[[2, 1]] = 2.0 / (3.0 * 2.0 * 3.0 * 1.0f64).sqrt();
    assert_eq!(t.nnz(), 2);
    for (a, b) in dense(&t).iter().zip(&want) {
        assert!((a - b).abs() < 1e-15);
    }
    // Running time backward turns every arrow round and changes nothing else.
    let back = transpose(&exec, &graph).unwrap();
    let b = transitions_confidence(&exec, &back, &[0, 0, 1, 1, 2], 3, 3).unwrap();
    assert_eq!(dense(&b), dense(&t).t());
}

#[test]
fn one_group_no_cells_and_bad_groups() {
    let exec = Exec::serial();
    let (distances, graph, _) = curve(60, 5, 2);
    let p = paga(&exec, &distances, &[0; 60], 1, Model::Distances, 5).unwrap();
    assert_eq!((p.connectivities.nnz(), p.tree.nnz()), (0, 0));
    let none = Csr::zero((0, 0));
    let p = paga(&exec, &none, &[], 0, Model::Distances, 5).unwrap();
    assert_eq!(p.connectivities.rows(), 0);
    // A group without cells is a node without edges.
    let p = paga(&exec, &graph, &[0; 60], 3, Model::Connectivities, 5).unwrap();
    assert_eq!((p.sizes, p.connectivities.rows()), (vec![60, 0, 0], 3));

    let kind = |r: Result<Paga>| r.unwrap_err().kind();
    let run = |groups: &[u32], k| paga(&exec, &graph, groups, 2, Model::Connectivities, k);
    assert_eq!(kind(run(&[0; 59], 5)), "shape");
    assert_eq!(kind(run(&[2; 60], 5)), "range");
    assert_eq!(kind(run(&[1; 60], 0)), "range");
    let e = transitions_confidence(&exec, &graph, &[0; 60], 1, 0).unwrap_err();
    assert_eq!(e.kind(), "range");
    let cancelled = Exec::with_threads(2).unwrap();
    cancelled.control().cancel();
    let e = paga(&cancelled, &distances, &[0; 60], 1, Model::Distances, 5).unwrap_err();
    assert_eq!(e.kind(), "interrupted");
}

#[test]
fn the_same_bits_and_the_order_of_cells_does_not_matter() {
    let (distances, graph, groups) = curve(700, 15, 70);
    let n_groups = 70;
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        let a = paga(&exec, &distances, &groups, n_groups, Model::Distances, 15).unwrap();
        let b = paga(&exec, &graph, &groups, n_groups, Model::Connectivities, 15).unwrap();
        let c = transitions_confidence(&exec, &distances, &groups, n_groups, 15).unwrap();
        (a, b, c)
    });
    let order = Stream::new(8, 0, 0, 0).permutation(700);
    let mut place = vec![0u32; 700];
    for (new, &old) in order.iter().enumerate() {
        place[old] = new as u32;
    }
    let rows = order
        .iter()
        .map(|&old| {
            let (c, v) = row(&distances, old);
            c.iter()
                .zip(v)
                .map(|(&j, &v)| (place[j as usize], v))
                .collect()
        })
        .collect();
    let moved = from_rows(700, rows).unwrap();
    let labels: Vec<u32> = order.iter().map(|&old| groups[old]).collect();
    let exec = Exec::serial();
    assert_eq!(
        paga(&exec, &distances, &groups, n_groups, Model::Distances, 15).unwrap(),
        paga(&exec, &moved, &labels, n_groups, Model::Distances, 15).unwrap()
    );
}
