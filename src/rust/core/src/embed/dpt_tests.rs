//! Diffusion pseudotime: the fixture L12, invariances, roots.

use super::super::dpt_root::{root_of_cluster, root_of_component, End};
use super::*;
use crate::graph::components::components;
use crate::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use crate::graph::knn::{exact, Metric};
use crate::math::sin;
use crate::sparse::csr::{from_rows, row};
use crate::testing::same_bits;
use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array2, Axis};

/// A diffusion map by the definition, with a dense solver.
struct Map {
    values: Vec<f64>,
    vectors: Array2<f64>,
    z: Vec<f64>,
    components: Vec<u32>,
}

impl Map {
    fn spectrum(&self) -> Spectrum<'_> {
        Spectrum {
            values: &self.values,
            vectors: self.vectors.view(),
            z: &self.z,
            components: &self.components,
        }
    }

    /// The `n_comps` eigenpairs of largest magnitude, in descending order.
    fn new(graph: &Csr, n_comps: usize) -> Map {
        let n = graph.rows();
        let mut k = DMatrix::<f64>::zeros(n, n);
        for i in 0..n {
            let (columns, values) = row(graph, i);
            for (&j, &v) in columns.iter().zip(values) {
                k[(i, j as usize)] = v;
            }
        }
        let q: Vec<f64> = (0..n).map(|i| k.row(i).sum()).collect();
        let dense = DMatrix::from_fn(n, n, |i, j| k[(i, j)] / (q[i] * q[j]));
        let z: Vec<f64> = (0..n).map(|i| dense.row(i).sum().sqrt()).collect();
        let t = DMatrix::from_fn(n, n, |i, j| dense[(i, j)] / (z[i] * z[j]));
        let eigen = SymmetricEigen::new(t);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| {
            let size = |i: usize| eigen.eigenvalues[i].abs();
            size(b).total_cmp(&size(a))
        });
        order.truncate(n_comps);
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        Map {
            values: order.iter().map(|&c| eigen.eigenvalues[c]).collect(),
            vectors: Array2::from_shape_fn((n, n_comps), |(i, c)| {
                eigen.eigenvectors[(i, order[c])]
            }),
            z,
            components: components(graph).0,
        }
    }
}

fn graph(x: &Array2<f64>, k: usize) -> Csr {
    let exec = Exec::serial();
    let knn = exact(&exec, x.view(), k, Metric::Euclidean).unwrap();
    fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap()
}

fn l12() -> Csr {
    let t = [0.0, 1.0, 2.2, 3.1, 4.3, 5.2, 6.0, 7.1, 8.3, 9.0, 10.2, 11.1];
    let x = Array2::from_shape_fn(
        (12, 2),
        |(i, j)| if j == 0 { t[i] } else { 0.1 * sin(t[i]) },
    );
    graph(&x, 5)
}

/// A noisy line of 150 cells.
fn line() -> Csr {
    let mut s = crate::rng::Stream::new(3, 0, 0, 0);
    let x = Array2::from_shape_fn((150, 2), |(i, j)| {
        if j == 0 {
            i as f64 / 10.0 + 0.02 * s.uniform()
        } else {
            0.3 * s.uniform()
        }
    });
    graph(&x, 10)
}

fn time(map: &Map, root: usize, n_dcs: usize, basis: Basis) -> Vec<f64> {
    let exec = Exec::serial();
    let d = Diffusion::new(&map.spectrum(), n_dcs, basis).unwrap();
    pseudotime(&exec, &d, root).unwrap().values
}

fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < tolerance, "{a} against {b}");
    }
}

#[test]
fn the_fixture_of_twelve_points() {
    let map = Map::new(&l12(), 5);
    close(
        &map.values,
        &[1.0, 0.928456, 0.625223, -0.469300, -0.477884],
        3e-6,
    );
    let second = [
        0.349056, 0.360246, 0.345005, 0.291374, 0.186908, 0.060114, 0.044939, 0.199021, 0.298823,
        0.346438, 0.362161, 0.351858,
    ];
    let column: Vec<f64> = map.vectors.column(1).iter().map(|v| v.abs()).collect();
    close(&column, &second, 3e-6);
    let symmetric = [
        0.0, 0.047878, 0.017526, 0.094465, 0.250793, 0.428715, 0.570879, 0.775973, 0.911631,
        0.977736, 1.0, 0.985433,
    ];
    close(&time(&map, 0, 5, Basis::Symmetric), &symmetric, 3e-6);
    let right = [
        0.0, 0.045601, 0.022055, 0.095070, 0.250832, 0.428345, 0.576552, 0.784354, 0.916791,
        0.978641, 1.0, 0.994029,
    ];
    close(&time(&map, 0, 5, Basis::Right), &right, 3e-6);
}

#[test]
fn z_is_that_of_the_definition() {
    let graph = l12();
    let exec = Exec::serial();
    close(
        &stationary_root(&exec, &graph).unwrap(),
        &Map::new(&graph, 2).z,
        1e-14,
    );
    let lonely = from_rows(3, vec![vec![(1, 1.0)], vec![(0, 1.0)], vec![]]).unwrap();
    assert_eq!(
        stationary_root(&exec, &lonely).unwrap_err(),
        CoreError::Isolated {
            count: 1,
            cells: vec![2]
        }
    );
    let wide = Csr::zero((2, 3));
    assert_eq!(stationary_root(&exec, &wide).unwrap_err().kind(), "shape");
}

#[test]
fn time_runs_from_zero_to_one_along_a_line() {
    let map = Map::new(&line(), 10);
    for basis in [Basis::Symmetric, Basis::Right] {
        let t = time(&map, 0, 10, basis);
        assert_eq!(t[0], 0.0);
        assert_eq!(t.iter().copied().fold(0.0, f64::max), 1.0);
        // Rank correlation with the place on the line, ends included.
        let mut order: Vec<usize> = (0..150).collect();
        order.sort_by(|&a, &b| t[a].total_cmp(&t[b]));
        let away: usize = order.iter().enumerate().map(|(r, &i)| r.abs_diff(i)).sum();
        assert!(away < 150 * 8, "{away}");
    }
}

#[test]
fn signs_of_eigenvectors_and_scale_of_weights_do_not_matter() {
    let graph = line();
    let mut map = Map::new(&graph, 8);
    let before = time(&map, 40, 8, Basis::Symmetric);
    map.vectors.column_mut(2).mapv_inplace(|v| -v);
    map.vectors.column_mut(5).mapv_inplace(|v| -v);
    assert_eq!(time(&map, 40, 8, Basis::Symmetric), before);
    let mut scaled = graph;
    scaled.data_mut().iter_mut().for_each(|v| *v *= 0.25);
    let map = Map::new(&scaled, 8);
    close(&time(&map, 40, 8, Basis::Symmetric), &before, 1e-9);
}

#[test]
fn squared_distances_are_sums_over_all_path_lengths() {
    // With all eigenpairs but the first, sum_{t >= 1} T^t has the entries whose row
    // distances (right basis undone) the formula gives.
    let graph = l12();
    let n = 12;
    let map = Map::new(&graph, n);
    let exec = Exec::serial();
    let d = Diffusion::new(&map.spectrum(), n, Basis::Symmetric).unwrap();
    let mut m = DMatrix::<f64>::zeros(n, n);
    for c in 1..n {
        let v = map.vectors.column(c);
        let l = map.values[c];
        m += DMatrix::from_fn(n, n, |i, j| l / (1.0 - l) * v[i] * v[j]);
    }
    for i in 0..n {
        let found = d.distances(&exec, i).unwrap();
        for (j, &found) in found.iter().enumerate() {
            let first = map.vectors[[i, 0]] - map.vectors[[j, 0]];
            let want = ((m.row(i) - m.row(j)).norm_squared() + first * first).sqrt();
            assert!((found - want).abs() < 1e-10);
            assert_eq!(found, d.distance(j, i));
        }
    }
}

/// Two lines that are not connected.
fn two_lines() -> Map {
    let a = l12();
    let rows = (0..24usize)
        .map(|i| {
            let (c, v) = row(&a, i % 12);
            let first = (i / 12 * 12) as u32;
            c.iter().zip(v).map(|(&c, &v)| (c + first, v)).collect()
        })
        .collect();
    Map::new(&from_rows(24, rows).unwrap(), 8)
}

#[test]
fn other_components_are_infinitely_far() {
    let map = two_lines();
    let exec = Exec::serial();
    let d = Diffusion::new(&map.spectrum(), 8, Basis::Symmetric).unwrap();
    let t = pseudotime(&exec, &d, 3).unwrap();
    assert_eq!(t.unreachable, 12);
    assert!(t.values[12..].iter().all(|v| *v == f64::INFINITY));
    assert!(t.values[..12].iter().all(|v| (0.0..=1.0).contains(v)));
    assert!(t.values[..12].contains(&1.0));
}

#[test]
fn the_root_of_a_cluster_lies_away_from_the_others() {
    let map = Map::new(&line(), 6);
    let cells = |range: std::ops::Range<usize>| -> Vec<bool> {
        (0..150).map(|i| range.contains(&i)).collect()
    };
    let root = |m: &Map, c: &[bool]| root_of_cluster(&m.spectrum(), c).unwrap();
    assert!(root(&map, &cells(0..30)) < 8);
    assert!(root(&map, &cells(120..150)) > 142);
    let middle = root(&map, &cells(20..40));
    assert!((20..24).contains(&middle), "{middle}");
    let all = root(&map, &cells(0..150));
    assert!(!(8..142).contains(&all));
    let mut turned = Map::new(&line(), 6);
    turned.vectors.column_mut(1).mapv_inplace(|v| -v);
    assert_eq!(root(&turned, &cells(0..30)), root(&map, &cells(0..30)));

    // Two components: the one that holds more of the cluster counts.
    let map = two_lines();
    let cluster: Vec<bool> = (0..24).map(|i| i == 11 || (12..16).contains(&i)).collect();
    assert!((12..15).contains(&root(&map, &cluster)));
    let none = root_of_cluster(&map.spectrum(), &[false; 24]).unwrap_err();
    assert_eq!(none.kind(), "no_state");
    let short = root_of_cluster(&map.spectrum(), &[true; 23]).unwrap_err();
    assert_eq!(short.kind(), "shape");
    // Steady states alone order nothing.
    let steady = Spectrum {
        values: &map.values[..2],
        vectors: map.vectors.view().split_at(Axis(1), 2).0,
        ..map.spectrum()
    };
    let none = root_of_cluster(&steady, &cluster).unwrap_err();
    assert_eq!(none.kind(), "no_state");
}

#[test]
fn the_root_of_a_component_is_its_end() {
    let map = Map::new(&line(), 4);
    let column = map.vectors.column(1);
    let high = root_of_component(&map.spectrum(), 1, End::Max).unwrap();
    let low = root_of_component(&map.spectrum(), 1, End::Min).unwrap();
    assert!(column
        .iter()
        .all(|&v| v <= column[high] && v >= column[low]));
    assert_ne!(high, low);
    let e = root_of_component(&map.spectrum(), 4, End::Max).unwrap_err();
    assert_eq!(e.kind(), "range");
}

#[test]
fn the_residual_tells_whether_map_and_graph_belong_together() {
    let exec = Exec::with_threads(2).unwrap();
    let graph = line();
    let map = Map::new(&graph, 6);
    assert!(residual(&exec, &graph, &map.spectrum(), 6).unwrap() < 1e-12);
    let mut other = graph.clone();
    for (k, v) in other.data_mut().iter_mut().enumerate() {
        *v *= 1.0 + 0.5 * sin(k as f64);
    }
    let off = residual(&exec, &other, &map.spectrum(), 6).unwrap();
    assert!(off > 0.01, "{off}");
    let zeros = Array2::zeros((150, 6));
    let empty = Spectrum {
        vectors: zeros.view(),
        ..map.spectrum()
    };
    assert_eq!(residual(&exec, &graph, &empty, 6).unwrap(), 1.0);
    let e = residual(&exec, &l12(), &map.spectrum(), 6).unwrap_err();
    assert_eq!(e.kind(), "shape");
}

#[test]
fn bad_maps_and_roots_are_refused() {
    let exec = Exec::serial();
    let map = Map::new(&l12(), 4);
    let kind = |spectrum: &Spectrum<'_>, n_dcs| {
        Diffusion::new(spectrum, n_dcs, Basis::Right)
            .unwrap_err()
            .kind()
    };
    let good = map.spectrum();
    assert_eq!(kind(&good, 0), "range");
    assert_eq!(kind(&good, 5), "range");
    let values = &map.values[..3];
    assert_eq!(kind(&Spectrum { values, ..good }, 3), "shape");
    let z = &map.z[..11];
    assert_eq!(kind(&Spectrum { z, ..good }, 3), "shape");
    let z = &[0.0; 12];
    let e = Diffusion::new(&Spectrum { z, ..good }, 3, Basis::Right).unwrap_err();
    assert!(matches!(e, CoreError::NotFinite { count: 12, ref cells, .. } if cells.len() == 10));
    let d = Diffusion::new(&good, 4, Basis::Symmetric).unwrap();
    assert_eq!(pseudotime(&exec, &d, 12).unwrap_err().kind(), "range");
    // The steady state of a regular graph tells no cells apart.
    let ring = (0..8u32)
        .map(|i| vec![((i + 1) % 8, 1.0), ((i + 7) % 8, 1.0)])
        .collect();
    let map = Map::new(&from_rows(8, ring).unwrap(), 8);
    let flat = Array2::from_elem((8, 1), map.z[0]);
    let steady = Spectrum {
        values: &map.values[..1],
        vectors: flat.view(),
        ..map.spectrum()
    };
    let d = Diffusion::new(&steady, 1, Basis::Symmetric).unwrap();
    assert_eq!(pseudotime(&exec, &d, 0).unwrap_err().kind(), "no_state");
    // Divided by z it tells none apart in any graph, up to rounding.
    let map = Map::new(&line(), 1);
    let d = Diffusion::new(&map.spectrum(), 1, Basis::Right).unwrap();
    assert_eq!(pseudotime(&exec, &d, 0).unwrap_err().kind(), "no_state");
}

#[test]
fn the_same_bits() {
    let n = 10_000;
    let mut s = crate::rng::Stream::new(9, 0, 0, 0);
    let vectors = Array2::from_shape_simple_fn((n, 6), || s.normal());
    let z: Vec<f64> = (0..n).map(|_| 0.5 + s.uniform()).collect();
    let spectrum = Spectrum {
        values: &[1.0, 0.9995, 0.99, 0.7, 0.1, -0.4],
        vectors: vectors.view(),
        z: &z,
        components: &vec![0; n],
    };
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        let d = Diffusion::new(&spectrum, 6, Basis::Right).unwrap();
        let t = pseudotime(&exec, &d, 17).unwrap().values;
        t.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    });
}
