//! Neighbours that were found elsewhere: lists of another program, or a matrix of
//! distances. They are put into the one form that the rest of the package knows:
//! without the cell itself, by (distance, index), the same number for every cell.

use super::knn::{nearer, Knn};
use crate::error::{try_with_capacity, CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::sparse::csr::{row, transpose, Csr};
use ndarray::ArrayView2;

/// Rows per task.
const ROWS: usize = 512;
/// By how much two distances of a pair may differ, relative to the larger one.
const ASYMMETRY: f64 = 1e-6;

/// The neighbours in two arrays, cells x neighbours: `indices` counted from `first`
/// and `distances`. The cell itself is left out wherever it stands, rows are sorted,
/// and the nearest `n_neighbors - 1` are kept; without `n_neighbors` as many as every
/// cell has. O(n k log k).
///
/// # Errors
/// `shape` when the arrays differ in size or hold no neighbour; `range` for indices
/// outside the cells, distances that are negative or not finite, and a neighbour
/// named twice; `disconnected` naming the cells with too few.
pub fn from_arrays(
    exec: &Exec,
    indices: ArrayView2<'_, i32>,
    distances: ArrayView2<'_, f64>,
    first: i32,
    n_neighbors: Option<usize>,
) -> Result<Knn> {
    let n = indices.nrows();
    for (expected, found) in [(n, distances.nrows()), (indices.ncols(), distances.ncols())] {
        if expected != found {
            return Err(CoreError::Shape {
                what: "the array of distances".into(),
                expected,
                found,
            });
        }
    }
    check_indices(indices, first)?;
    let lists = |i: usize, out: &mut Vec<(f64, u32)>| {
        let pairs = indices.row(i);
        let pairs = pairs.iter().zip(distances.row(i));
        out.extend(pairs.map(|(&j, &d)| (d, (j - first) as u32)));
    };
    collect(exec, n, n_neighbors, lists)
}

/// The stored entries of a matrix of distances, row by row: the nearest
/// `n_neighbors - 1` of each cell, the diagonal left out. Stored zeros are distances.
/// O(entries).
///
/// # Errors
/// `shape` for a matrix that is not square; `range` for distances that are negative
/// or not finite, for a pair stored twice with different distances and for
/// `n_neighbors` outside 2..=n; `disconnected` naming the cells with too few.
pub fn from_distances(exec: &Exec, m: &Csr, n_neighbors: usize) -> Result<Knn> {
    if m.rows() != m.cols() {
        return Err(CoreError::Shape {
            what: "a matrix of distances".into(),
            expected: m.rows(),
            found: m.cols(),
        });
    }
    let knn = collect(exec, m.rows(), Some(n_neighbors), |i, out| {
        let (cols, values) = row(m, i);
        out.extend(values.iter().copied().zip(cols.iter().copied()));
    })?;
    check_symmetric(exec, m)?;
    Ok(knn)
}

fn check_indices(indices: ArrayView2<'_, i32>, first: i32) -> Result<()> {
    let n = indices.nrows();
    let last = i64::from(first) + n as i64 - 1;
    let off = |&&j: &&i32| j < first || i64::from(j) > last;
    match indices.iter().find(off) {
        None => Ok(()),
        Some(&j) => Err(CoreError::Range {
            what: "the index of a neighbour".into(),
            // A missing value of R is the smallest integer.
            value: if j == i32::MIN {
                f64::NAN
            } else {
                f64::from(j)
            },
            allowed: format!("{first} to {last}"),
        }),
    }
}

/// What is wrong with the lists of some cells.
#[derive(Default)]
struct Faults {
    not_finite: Vec<usize>,
    negative: Option<f64>,
    repeated: Vec<usize>,
    /// Cells and how many neighbours they have.
    sizes: Vec<usize>,
}

/// Checked, sorted lists of all cells, cut to one length.
fn collect<F>(exec: &Exec, n: usize, n_neighbors: Option<usize>, list: F) -> Result<Knn>
where
    F: Fn(usize, &mut Vec<(f64, u32)>) + Sync,
{
    if let Some(k) = n_neighbors {
        super::knn::check_size(n, k)?;
    }
    let sorted = |i: usize, out: &mut Vec<(f64, u32)>| {
        out.clear();
        list(i, out);
        out.retain(|e| e.1 as usize != i);
        out.sort_unstable_by(nearer);
    };
    let faults = exec.map_chunks(n, ROWS, |cells| {
        let mut faults = Faults::default();
        let (mut found, mut named) = (Vec::new(), Vec::new());
        for i in cells {
            sorted(i, &mut found);
            if found.iter().any(|e| !e.0.is_finite()) {
                faults.not_finite.push(i);
            }
            let below = found.iter().map(|e| e.0).find(|&d| d < 0.0);
            faults.negative = faults.negative.or(below);
            named.clear();
            named.extend(found.iter().map(|e| e.1));
            named.sort_unstable();
            if named.windows(2).any(|w| w[0] == w[1]) {
                faults.repeated.push(i);
            }
            faults.sizes.push(found.len());
        }
        faults
    })?;
    let k = check_faults(faults, n_neighbors)?;
    let parts = exec.map_chunks(n, ROWS, |cells| {
        let mut indices = Vec::with_capacity(cells.len() * k);
        let mut distances = Vec::with_capacity(cells.len() * k);
        let mut found = Vec::new();
        for i in cells {
            sorted(i, &mut found);
            indices.extend(found[..k].iter().map(|e| e.1));
            distances.extend(found[..k].iter().map(|e| e.0 as f32));
        }
        (indices, distances)
    })?;
    super::knn::join(parts, n, k)
}

/// The number of neighbours that every cell has, or that is asked for.
fn check_faults(parts: Vec<Faults>, n_neighbors: Option<usize>) -> Result<usize> {
    let mut sizes = try_with_capacity(parts.iter().map(|p| p.sizes.len()).sum(), "the neighbours")?;
    let (mut not_finite, mut repeated, mut negative) = (Vec::new(), Vec::new(), None);
    for p in parts {
        not_finite.extend(p.not_finite);
        repeated.extend(p.repeated);
        negative = negative.or(p.negative);
        sizes.extend(p.sizes);
    }
    let shown = |cells: Vec<usize>| (cells.len(), cells.into_iter().take(SHOWN).collect());
    if !not_finite.is_empty() {
        let (count, cells) = shown(not_finite);
        return Err(CoreError::NotFinite {
            what: "the array of distances".into(),
            count,
            cells,
        });
    }
    if let Some(value) = negative {
        return Err(CoreError::Range {
            what: "a distance".into(),
            value,
            allowed: "0 or more".into(),
        });
    }
    if !repeated.is_empty() {
        let (count, cells) = shown(repeated);
        return Err(CoreError::RepeatedNeighbors { count, cells });
    }
    let smallest = sizes.iter().copied().min().unwrap_or(0);
    let k = n_neighbors.map_or(smallest, |k| k - 1).max(1);
    if smallest < k {
        let few = (0..sizes.len()).filter(|&i| sizes[i] < k).collect();
        let (count, cells) = shown(few);
        return Err(CoreError::FewNeighbors {
            needed: k,
            count,
            cells,
        });
    }
    Ok(k)
}

/// A pair that is stored in both directions must have one distance.
fn check_symmetric(exec: &Exec, m: &Csr) -> Result<()> {
    let turned = transpose(exec, m)?;
    let parts = exec.map_chunks(m.rows(), ROWS, |cells| {
        let mut worst = 0.0f64;
        for i in cells {
            let ((ca, va), (cb, vb)) = (row(m, i), row(&turned, i));
            let mut at = 0;
            for (&c, &v) in ca.iter().zip(va) {
                while at < cb.len() && cb[at] < c {
                    at += 1;
                }
                if at < cb.len() && cb[at] == c && v != vb[at] {
                    worst = worst.max((v - vb[at]).abs() / v.max(vb[at]));
                }
            }
        }
        worst
    })?;
    let difference = parts.into_iter().fold(0.0, f64::max);
    if difference > ASYMMETRY {
        return Err(CoreError::NotSymmetric {
            what: "the matrix of distances".into(),
            difference,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::knn::{exact, Metric};
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;
    use ndarray::Array2;

    fn data() -> (Array2<f64>, Knn) {
        let mut s = Stream::new(2, 0, 0, 0);
        let x = Array2::from_shape_fn((80, 3), |_| s.normal());
        let knn = exact(&Exec::serial(), x.view(), 7, Metric::Euclidean).unwrap();
        (x, knn)
    }

    /// Lists in the manner of others: self first or absent, in any order.
    fn arrays(knn: &Knn, own: bool, turned: bool) -> (Array2<i32>, Array2<f64>) {
        let k = knn.k + usize::from(own);
        let column = |c: usize| if turned { k - 1 - c } else { c };
        let mut j = Array2::zeros((knn.n, k));
        let mut d = Array2::zeros((knn.n, k));
        for i in 0..knn.n {
            for c in 0..k {
                let at = column(c);
                let (index, distance) = match (own, c) {
                    (true, 0) => (i as u32, 0.0),
                    _ => {
                        let c = c - usize::from(own);
                        (knn.row(i).0[c], knn.row(i).1[c])
                    }
                };
                j[(i, at)] = index as i32 + 1;
                d[(i, at)] = f64::from(distance);
            }
        }
        (j, d)
    }

    #[test]
    fn lists_of_any_habit_are_the_same_neighbours() {
        let exec = Exec::with_threads(2).unwrap();
        let (_, knn) = data();
        for (own, turned) in [(false, false), (true, false), (true, true)] {
            let (j, d) = arrays(&knn, own, turned);
            for size in [None, Some(7)] {
                assert_eq!(
                    from_arrays(&exec, j.view(), d.view(), 1, size).unwrap(),
                    knn
                );
            }
            let fewer = from_arrays(&exec, j.view(), d.view(), 1, Some(4)).unwrap();
            assert_eq!((fewer.k, fewer.row(5).0), (3, &knn.row(5).0[..3]));
        }
        let (j, d) = arrays(&knn, false, false);
        let shifted = j.mapv(|v| v - 1);
        assert_eq!(
            from_arrays(&exec, shifted.view(), d.view(), 0, None).unwrap(),
            knn
        );
    }

    #[test]
    fn broken_lists_are_refused() {
        let exec = Exec::serial();
        let (_, knn) = data();
        let (j, d) = arrays(&knn, false, false);
        let error = |j: &Array2<i32>, d: &Array2<f64>, k| {
            from_arrays(&exec, j.view(), d.view(), 1, k).unwrap_err()
        };
        for off in [0, 81, i32::MIN] {
            let mut bad = j.clone();
            bad[(3, 2)] = off;
            assert_eq!(error(&bad, &d, None).kind(), "range");
        }
        for value in [f64::NAN, f64::INFINITY, -1.0] {
            let mut bad = d.clone();
            bad[(3, 2)] = value;
            assert_eq!(error(&j, &bad, None).kind(), "range");
        }
        let mut twice = j.clone();
        twice[(9, 0)] = twice[(9, 1)];
        match error(&twice, &d, None) {
            CoreError::RepeatedNeighbors { count, cells } => {
                assert_eq!((count, cells), (1, vec![9]));
            }
            other => panic!("{other}"),
        }
        match error(&j, &d, Some(9)) {
            CoreError::FewNeighbors {
                needed,
                count,
                cells,
            } => assert_eq!((needed, count, cells.len()), (8, 80, SHOWN)),
            other => panic!("{other}"),
        }
        assert_eq!(error(&j, &Array2::zeros((80, 3)), None).kind(), "shape");
        assert_eq!(error(&j, &Array2::zeros((79, 6)), None).kind(), "shape");
        let alone = Array2::from_shape_fn((80, 1), |(i, _)| i as i32 + 1);
        assert_eq!(
            error(&alone, &Array2::zeros((80, 1)), None).kind(),
            "disconnected"
        );
        assert_eq!(error(&j, &d, Some(81)).kind(), "range");
    }

    fn matrix(x: &Array2<f64>, keep: impl Fn(usize, usize) -> bool) -> Csr {
        let n = x.nrows();
        let away = |i: usize, j: usize| {
            let square = |c: usize| (x[(i, c)] - x[(j, c)]) * (x[(i, c)] - x[(j, c)]);
            (0..x.ncols()).map(square).sum::<f64>().sqrt()
        };
        let rows = (0..n)
            .map(|i| {
                let kept = (0..n).filter(|&j| keep(i, j));
                kept.map(|j| (j as u32, away(i, j))).collect()
            })
            .collect();
        from_rows(n, rows).unwrap()
    }

    #[test]
    fn distances_give_the_neighbours_of_the_search() {
        let exec = Exec::with_threads(2).unwrap();
        let (x, knn) = data();
        let full = matrix(&x, |_, _| true);
        let near = matrix(&x, |i, j| knn.row(i).0.contains(&(j as u32)));
        for m in [full, near] {
            let found = from_distances(&exec, &m, 7).unwrap();
            assert_eq!(found.indices, knn.indices);
            for (a, b) in found.distances.iter().zip(&knn.distances) {
                assert!((a - b).abs() <= 1e-6 * b);
            }
        }
    }

    #[test]
    fn broken_distances_are_refused() {
        let exec = Exec::serial();
        let (x, knn) = data();
        let near = matrix(&x, |i, j| knn.row(i).0.contains(&(j as u32)));
        let kind = |m: &Csr, k| from_distances(&exec, m, k).unwrap_err().kind();
        assert_eq!(kind(&near, 8), "disconnected");
        assert_eq!(kind(&near, 1), "range");
        let mut crooked = matrix(&x, |_, _| true);
        crooked.data_mut()[3] += 0.1;
        assert_eq!(kind(&crooked, 7), "range");
        for value in [f64::NAN, -1.0] {
            crooked.data_mut()[3] = value;
            assert_eq!(kind(&crooked, 7), "range");
        }
        let wide = from_rows(3, vec![vec![(1, 1.0)], vec![(2, 1.0)]]).unwrap();
        assert_eq!(kind(&wide, 2), "shape");
        let isolated = from_rows(3, vec![vec![(1, 1.0)], vec![(0, 1.0)], vec![(2, 0.0)]]).unwrap();
        assert_eq!(kind(&isolated, 2), "disconnected");
    }
}
