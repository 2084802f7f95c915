//! Edge weights from shared neighbours (sections 1.7 of the graph rules).
//!
//! Two cells of one kind have the same neighbours even where distances mean little.
//! [`jaccard_connectivities`] weighs the edges to the neighbours by the part of the
//! neighbours that both cells have (PhenoGraph; Levine et al. 2015),
//! [`snn_connectivities`] any two cells with a common neighbour, the cells themselves
//! counted (Seurat's shared nearest neighbour graph; Jarvis & Patrick 1973).

use super::knn::Knn;
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;
use crate::sparse::csr::{from_parts, from_rows, row, transpose, Csr};
use crate::sparse::ops::{build_rows, with_transpose};

/// Rows per task.
const ROWS: usize = 1024;

/// `(J + J') / 2` with `J_ij = s / (2 k - s)` for the neighbours j of i, of which s
/// are neighbours of both; zeros left out. Symmetric, in (0, 1], empty diagonal.
/// O(n k^2).
///
/// # Errors
/// `memory`, `interrupted`.
pub fn jaccard_connectivities(exec: &Exec, knn: &Knn) -> Result<Csr> {
    let sets = sets(exec, knn, false)?;
    let directed = build_rows(exec, knn.n, knn.n, |i, out| {
        let own = row(&sets, i).0;
        for &j in own {
            let s = common(own, row(&sets, j as usize).0);
            if s > 0 {
                out.push((j, s as f64 / (2 * knn.k - s) as f64));
            }
        }
    })?;
    with_transpose(exec, &directed, |a, b| 0.5 * (a + b))
}

/// `s / (2 k - s)` for all pairs of cells, where s counts the cells that are in the
/// neighbourhoods of both and k their size, the cell itself included; values below
/// `prune` are left out (Seurat's default is 1/15), and the diagonal, which would be
/// one. O(n k h) for the mean number h of cells that have a cell as neighbour.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn snn_connectivities(exec: &Exec, knn: &Knn, prune: f64) -> Result<Csr> {
    let sets = sets(exec, knn, true)?;
    let members = transpose(exec, &sets)?;
    let size = knn.k + 1;
    let parts = exec.try_map_chunks(knn.n, ROWS, |rows| {
        let mut count = try_filled(knn.n, 0u32, "the edge weights")?;
        let mut seen: Vec<u32> = Vec::new();
        let mut out = Vec::with_capacity(rows.len());
        for i in rows {
            for &a in row(&sets, i).0 {
                for &j in row(&members, a as usize).0 {
                    if count[j as usize] == 0 {
                        seen.push(j);
                    }
                    count[j as usize] += 1;
                }
            }
            seen.sort_unstable();
            let mut found = Vec::new();
            for j in seen.drain(..) {
                let s = std::mem::take(&mut count[j as usize]) as usize;
                let w = s as f64 / (2 * size - s) as f64;
                if w >= prune && j as usize != i {
                    found.push((j, w));
                }
            }
            out.push(found);
        }
        Ok(out)
    })?;
    from_rows(knn.n, parts.into_iter().flatten().collect())
}

/// The neighbours of each cell by index, with or without the cell itself.
fn sets(exec: &Exec, knn: &Knn, own: bool) -> Result<Csr<u8>> {
    let size = knn.k + usize::from(own);
    let parts = exec.map_chunks(knn.n, ROWS, |rows| {
        let mut cells = Vec::with_capacity(rows.len() * size);
        for i in rows {
            let first = cells.len();
            cells.extend_from_slice(knn.row(i).0);
            if own {
                cells.push(i as u32);
            }
            cells[first..].sort_unstable();
        }
        cells
    })?;
    let mut indices = try_with_capacity(knn.n * size, "the neighbours")?;
    for part in parts {
        indices.extend(part);
    }
    let mut indptr = try_with_capacity(knn.n + 1, "the neighbours")?;
    indptr.extend((0..=knn.n).map(|i| i * size));
    let ones = try_filled(indices.len(), 1u8, "the neighbours")?;
    from_parts((knn.n, knn.n), indptr, indices, ones)
}

/// How many numbers two ascending lists share.
fn common(a: &[u32], b: &[u32]) -> usize {
    let (mut p, mut q, mut count) = (0, 0, 0);
    while p < a.len() && q < b.len() {
        count += usize::from(a[p] == b[q]);
        let (x, y) = (a[p], b[q]);
        p += usize::from(x <= y);
        q += usize::from(y <= x);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::knn::{exact, Metric};
    use crate::rng::Stream;
    use ndarray::{array, Array2};

    fn get(m: &Csr, i: usize, j: usize) -> f64 {
        m.get(i, j).copied().unwrap_or(0.0)
    }

    fn random(n: usize, k: usize) -> Knn {
        let mut s = Stream::new(6, 0, 0, 0);
        let x = Array2::from_shape_fn((n, 3), |_| s.normal());
        let exec = Exec::with_threads(2).unwrap();
        exact(&exec, x.view(), k, Metric::Euclidean).unwrap()
    }

    #[test]
    fn four_points_have_the_published_weights() {
        let x = array![[1.0, 0.0], [3.0, 0.0], [5.0, 6.0], [0.0, 4.0]];
        let exec = Exec::serial();
        let knn = exact(&exec, x.view(), 3, Metric::Euclidean).unwrap();
        let w = jaccard_connectivities(&exec, &knn).unwrap();
        let third = 1.0 / 3.0;
        let want = [
            (0, 1, third),
            (0, 2, 0.0),
            (0, 3, third),
            (1, 2, third / 2.0),
            (1, 3, third),
            (2, 3, third / 2.0),
        ];
        for (i, j, v) in want {
            assert!((get(&w, i, j) - v).abs() < 1e-15, "{i} {j}");
            assert_eq!(get(&w, i, j), get(&w, j, i));
        }
    }

    #[test]
    fn sets_of_base_arithmetic_agree() {
        let exec = Exec::with_threads(2).unwrap();
        let (n, k) = (150, 10);
        let knn = random(n, k);
        let jaccard = jaccard_connectivities(&exec, &knn).unwrap();
        let snn = snn_connectivities(&exec, &knn, 1.0 / 15.0).unwrap();
        let has = |i: usize, j: usize| knn.row(i).0.contains(&(j as u32));
        let mut kept = 0;
        for i in 0..n {
            for j in 0..n {
                let shared = |own: bool| {
                    let in_both = |&a: &usize| {
                        let with = |c: usize| has(c, a) || (own && c == a);
                        with(i) && with(j)
                    };
                    (0..n).filter(in_both).count() as f64
                };
                let s = shared(false);
                let one = s / (2.0 * (k as f64 - 1.0) - s);
                let edges = f64::from(u8::from(has(i, j))) + f64::from(u8::from(has(j, i)));
                assert!((get(&jaccard, i, j) - 0.5 * edges * one).abs() < 1e-15);
                let s = shared(true);
                let w = s / (2.0 * k as f64 - s);
                let want = if w >= 1.0 / 15.0 && i != j { w } else { 0.0 };
                assert!((get(&snn, i, j) - want).abs() < 1e-15);
                kept += usize::from(want > 0.0);
            }
        }
        assert_eq!(snn.nnz(), kept);
        assert!(jaccard.data().iter().all(|&v| v > 0.0));
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let knn = random(2500, 8);
        crate::testing::same_bits(|t| {
            let exec = Exec::with_threads(t).unwrap();
            (
                jaccard_connectivities(&exec, &knn).unwrap(),
                snn_connectivities(&exec, &knn, 0.1).unwrap(),
            )
        });
    }
}
