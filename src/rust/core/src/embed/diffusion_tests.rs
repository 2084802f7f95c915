use super::diffusion::{diffusion_map, DiffusionMap, DiffusionOptions, Which};
use crate::error::CoreError;
use crate::exec::Exec;
use crate::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use crate::graph::knn::{exact, Metric};
use crate::math;
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, Csr};
use crate::testing::same_bits;
use nalgebra::DMatrix;
use ndarray::Array2;

fn edges(n: usize, list: &[(u32, u32, f64)]) -> Csr {
    let mut rows: Vec<Vec<(u32, f64)>> = vec![vec![]; n];
    for &(i, j, w) in list {
        rows[i as usize].push((j, w));
        rows[j as usize].push((i, w));
    }
    from_rows(n, rows).unwrap()
}

/// Cells on a line with `branches` side lines, each cell joined to the next ones.
fn tree(n: usize, branches: usize, seed: u64) -> Csr {
    let mut list = vec![];
    let reach = 9;
    let per = n.div_ceil(branches + 1);
    for i in 0..n {
        for j in i + 1..n.min(i + 1 + reach) {
            if i / per == j / per {
                let w = 0.1 + Stream::new(seed, 0, i as u64, j as u64).uniform();
                list.push((i as u32, j as u32, w));
            }
        }
    }
    for b in 1..=branches {
        list.push((((b * per) / 3) as u32, (b * per) as u32, 0.7));
    }
    edges(n, &list)
}

fn options(n_comps: usize, which: Which) -> DiffusionOptions {
    DiffusionOptions {
        n_comps,
        which,
        ..DiffusionOptions::default()
    }
}

/// T_sym by the formulas, dense.
fn symmetric(conn: &Csr) -> (DMatrix<f64>, Vec<f64>) {
    let n = conn.rows();
    let k = conn.to_dense();
    let q: Vec<f64> = (0..n).map(|j| k.column(j).sum()).collect();
    let dense = DMatrix::from_fn(n, n, |i, j| k[(i, j)] / (q[i] * q[j]));
    let z: Vec<f64> = dense.row_iter().map(|r| r.sum().sqrt()).collect();
    (
        DMatrix::from_fn(n, n, |i, j| dense[(i, j)] / (z[i] * z[j])),
        z,
    )
}

fn check(map: &DiffusionMap, conn: &Csr, which: Which) {
    let (t, z) = symmetric(conn);
    let n = conn.rows();
    // Rows of T sum to one.
    for i in 0..n {
        let sum: f64 = (0..n).map(|j| t[(i, j)] * z[j] / z[i]).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        assert!((map.z[i] / z[i] - 1.0).abs() < 1e-12);
    }
    let mut want: Vec<f64> = t.clone().symmetric_eigenvalues().iter().copied().collect();
    match which {
        Which::LargestAlgebraic => want.sort_by(|a, b| b.total_cmp(a)),
        Which::LargestMagnitude => {
            want.sort_by(|a, b| b.abs().total_cmp(&a.abs()).then(b.total_cmp(a)));
        }
    }
    want.truncate(map.values.len());
    want.sort_by(|a, b| b.total_cmp(a));
    let p = map.values.len();
    for (c, &value) in map.values.iter().enumerate() {
        assert!((value - want[c]).abs() < 1e-9, "{c}: {value} {}", want[c]);
        let v = nalgebra::DVector::from_iterator(n, map.vectors.column(c).iter().copied());
        let residual = (&t * &v - &v * value).norm();
        assert!(
            residual < 1e-8 && map.residuals[c] < 1e-8,
            "{c}: {residual}"
        );
        let top = v
            .iter()
            .fold(0.0f64, |m, &x| if x.abs() > m.abs() { x } else { m });
        assert!(top > 0.0);
        for d in 0..p {
            let dot = map.vectors.column(c).dot(&map.vectors.column(d));
            assert!((dot - f64::from(u8::from(c == d))).abs() < 1e-9);
        }
    }
}

#[test]
fn eigenpairs_are_those_of_a_dense_solver() {
    let exec = Exec::with_threads(2).unwrap();
    for n in [60, 700] {
        let conn = tree(n, 2, 1);
        for which in [Which::LargestAlgebraic, Which::LargestMagnitude] {
            let map = diffusion_map(&exec, &conn, &options(8, which)).unwrap();
            assert_eq!(map.components, 1);
            assert_eq!(map.products > 0, n > 500);
            check(&map, &conn, which);
            let first = map.vectors.column(0);
            let size = map.z.iter().map(|z| z * z).sum::<f64>().sqrt();
            for (v, z) in first.iter().zip(&map.z) {
                assert!((v - z / size).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn both_ends_count_by_magnitude() {
    // A path is bipartite: its spectrum is symmetric about zero.
    let list: Vec<_> = (0..699u32).map(|i| (i, i + 1, 1.0)).collect();
    let conn = edges(700, &list);
    let exec = Exec::serial();
    let map = diffusion_map(&exec, &conn, &options(6, Which::LargestMagnitude)).unwrap();
    check(&map, &conn, Which::LargestMagnitude);
    assert_eq!(map.values.iter().filter(|&&v| v < 0.0).count(), 3);
}

#[test]
fn every_component_has_its_stationary_vector() {
    let exec = Exec::serial();
    for n in [200usize, 900] {
        let third = n.div_ceil(3);
        let mut list = vec![];
        for i in 0..n {
            for j in i + 1..n.min(i + 6) {
                if i / third == j / third {
                    list.push((i as u32, j as u32, 1.0 + (i % 3) as f64));
                }
            }
        }
        let conn = edges(n, &list);
        let map = diffusion_map(&exec, &conn, &options(8, Which::LargestAlgebraic)).unwrap();
        assert_eq!((map.components, &map.values[..3]), (3, &[1.0; 3][..]));
        check(&map, &conn, Which::LargestAlgebraic);
        for c in 0..3 {
            let inside = |i: usize| i / third == c;
            assert!((0..n).all(|i| (map.vectors[(i, c)] > 0.0) == inside(i)));
        }
        // More components than vectors are wanted.
        let few = diffusion_map(&exec, &conn, &options(3, Which::LargestAlgebraic)).unwrap();
        assert_eq!((few.values, few.products), (vec![1.0; 3], 0));
    }
}

#[test]
fn weakly_linked_parts_are_all_found() {
    // Twelve parts, joined by edges of nearly no weight: as many values next to one.
    let (parts, size) = (12, 80);
    let mut list = vec![];
    for p in 0..parts {
        for i in 0..size {
            for j in i + 1..size {
                if (i * 7 + j * 13 + p) % 5 < 2 || j == i + 1 {
                    list.push(((p * size + i) as u32, (p * size + j) as u32, 1.0));
                }
            }
        }
        if p > 0 {
            let at = (p * size) as u32;
            list.push((at - 1, at, 1e-9));
        }
    }
    let conn = edges(parts * size, &list);
    let exec = Exec::serial();
    let map = diffusion_map(&exec, &conn, &options(15, Which::LargestAlgebraic)).unwrap();
    assert!(map.values[11] > 1.0 - 1e-6 && map.values[12] < 0.9);
    check(&map, &conn, Which::LargestAlgebraic);
}

/// Two squares and a pair, umap weights of four neighbours: fixture P10.
#[test]
fn ten_points_have_the_eigenvalues_of_the_reference() {
    let list: Vec<(u32, u32, f64)> = [
        (
            1.0,
            vec![
                (0, 1),
                (0, 2),
                (1, 3),
                (2, 3),
                (4, 5),
                (4, 6),
                (5, 7),
                (6, 7),
                (8, 9),
            ],
        ),
        (0.5, vec![(5, 8), (7, 8), (5, 9), (7, 9)]),
        (4e-6, vec![(0, 3), (1, 2), (4, 7), (5, 6)]),
    ]
    .into_iter()
    .flat_map(|(w, pairs)| pairs.into_iter().map(move |(i, j)| (i, j, w)))
    .collect();
    let exec = Exec::serial();
    let conn = edges(10, &list);
    let map = diffusion_map(&exec, &conn, &options(5, Which::LargestMagnitude)).unwrap();
    for (v, want) in map.values.iter().zip([1.0, 1.0, -0.6, -0.85, -1.0]) {
        assert!((v - want).abs() < 5e-3, "{v} {want}");
    }
    check(&map, &conn, Which::LargestMagnitude);
}

/// Twelve cells on a wavy line, five neighbours: fixture L12, in figures of the
/// reference. The tolerance of the widths of the graph reaches the sixth digit.
#[test]
fn twelve_cells_have_the_map_of_the_reference() {
    let t = [0.0, 1.0, 2.2, 3.1, 4.3, 5.2, 6.0, 7.1, 8.3, 9.0, 10.2, 11.1];
    let at = |i: usize, j: usize| match j {
        0 => t[i],
        _ => 0.1 * math::sin(t[i]),
    };
    let x = Array2::from_shape_fn((12, 2), |(i, j)| at(i, j));
    let exec = Exec::serial();
    let knn = exact(&exec, x.view(), 5, Metric::Euclidean).unwrap();
    let conn = fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap();
    let map = diffusion_map(&exec, &conn, &options(5, Which::LargestMagnitude)).unwrap();
    let values = [1.0, 0.928456, 0.625223, -0.469300, -0.477884];
    for (v, want) in map.values.iter().zip(values) {
        assert!((v - want).abs() < 3e-6, "{v} {want}");
    }
    let second = [
        0.349056, 0.360246, 0.345005, 0.291374, 0.186908, 0.060114, 0.044939, 0.199021, 0.298823,
        0.346438, 0.362161, 0.351858,
    ];
    for (i, want) in second.iter().enumerate() {
        let v = map.vectors[(i, 1)];
        assert!((v.abs() - want).abs() < 3e-6, "{i}: {v} {want}");
        // The sign changes once, and the largest entry is positive.
        assert_eq!(v > 0.0, i > 5);
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_instructions() {
    let conn = tree(3000, 3, 2);
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        diffusion_map(&exec, &conn, &DiffusionOptions::default()).unwrap()
    });
}

#[test]
fn wrong_input_is_refused() {
    let exec = Exec::serial();
    let run = |conn: &Csr, n| diffusion_map(&exec, conn, &options(n, Which::LargestMagnitude));
    let conn = tree(50, 1, 1);
    assert!(matches!(run(&conn, 2), Err(CoreError::Range { .. })));
    // Never more than cells less one.
    assert_eq!(run(&conn, 80).unwrap().values.len(), 49);
    let alone = edges(4, &[(0, 1, 1.0), (1, 2, 1.0)]);
    let e = run(&alone, 3).unwrap_err();
    assert_eq!(
        e,
        CoreError::Isolated {
            count: 1,
            cells: vec![3]
        }
    );
    let skew = from_rows(
        3,
        vec![vec![(1, 1.0)], vec![(0, 2.0), (2, 1.0)], vec![(1, 1.0)]],
    );
    assert!(matches!(
        run(&skew.unwrap(), 3),
        Err(CoreError::NotSymmetric { .. })
    ));
    let negative = edges(3, &[(0, 1, 1.0), (1, 2, -1.0)]);
    let e = run(&negative, 3).unwrap_err();
    assert!(matches!(e, CoreError::NegativeWeights { count: 2, .. }));
    let infinite = edges(3, &[(0, 1, 1.0), (1, 2, f64::INFINITY)]);
    assert!(matches!(
        run(&infinite, 3),
        Err(CoreError::NotFinite { count: 2, .. })
    ));
}
