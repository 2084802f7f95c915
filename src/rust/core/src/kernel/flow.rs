//! Where the cells of one cluster go from one time point to the next.
//!
//! Of all transitions that leave the cluster at a time and arrive at the next one,
//! which share arrives in which cluster? (Section 1.16 of the fate-mapping rules,
//! steps 3 and 4; after Mittnenzweig et al. 2021.)

use crate::error::{CoreError, Result};
use crate::exec::{Exec, CHUNK};
use crate::sparse::csr::{row, Csr};
use ndarray::Array2;

/// A cell without a cluster or a time that counts.
pub const NONE: u32 = u32::MAX;

/// Flow and sizes of clusters over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// Times without the last x clusters: the share of the flow that goes there;
    /// rows sum to one, or to zero where nothing flows.
    pub flow: Array2<f64>,
    /// Clusters x times: the share of the cells of a time; columns sum to one, or
    /// to zero for a time without cells.
    pub sizes: Array2<f64>,
}

/// The flow out of cluster `source`. `clusters` and `times` hold a code per cell,
/// counted from zero in the order of time, or [`NONE`]. O(transitions of the source).
///
/// # Errors
/// `shape` for codes that do not fit the matrix or the numbers of clusters and
/// times, `interrupted`.
pub fn cluster_flow(
    exec: &Exec,
    t: &Csr,
    clusters: &[u32],
    times: &[u32],
    source: u32,
    (n_clusters, n_times): (usize, usize),
) -> Result<Flow> {
    check_codes(t, clusters, n_clusters, "the clusters")?;
    check_codes(t, times, n_times, "the times")?;
    let steps = n_times.saturating_sub(1);
    let parts = exec.map_chunks(t.rows(), CHUNK, |range| {
        let mut sums = vec![0.0; steps * n_clusters];
        for i in range {
            let now = times[i] as usize;
            if clusters[i] != source || now >= steps {
                continue;
            }
            let (columns, values) = row(t, i);
            for (&j, &v) in columns.iter().zip(values) {
                let (cluster, time) = (clusters[j as usize], times[j as usize]);
                if cluster != NONE && time as usize == now + 1 {
                    sums[now * n_clusters + cluster as usize] += v;
                }
            }
        }
        sums
    })?;
    let mut flow = Array2::zeros((steps, n_clusters));
    for part in parts {
        for (total, v) in flow.iter_mut().zip(part) {
            *total += v;
        }
    }
    for line in flow.rows_mut() {
        to_shares(line);
    }
    let mut sizes = Array2::zeros((n_clusters, n_times));
    for (&cluster, &time) in clusters.iter().zip(times) {
        if cluster != NONE && time != NONE {
            sizes[(cluster as usize, time as usize)] += 1.0;
        }
    }
    for line in sizes.columns_mut() {
        to_shares(line);
    }
    Ok(Flow { flow, sizes })
}

fn to_shares(mut line: ndarray::ArrayViewMut1<'_, f64>) {
    let total = line.sum();
    if total > 0.0 {
        line /= total;
    }
}

fn check_codes(t: &Csr, codes: &[u32], n: usize, what: &str) -> Result<()> {
    let fits = t.rows() == t.cols()
        && codes.len() == t.rows()
        && codes.iter().all(|&c| c == NONE || (c as usize) < n);
    if fits {
        return Ok(());
    }
    Err(CoreError::Shape {
        what: what.into(),
        expected: t.rows(),
        found: codes.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;
    use crate::testing::same_bits;

    fn chain(n: usize) -> (Csr, Vec<u32>, Vec<u32>) {
        let mut s = Stream::new(6, 0, 0, 0);
        let rows = (0..n)
            .map(|i| {
                let mut r: Vec<(u32, f64)> = (0..8)
                    .map(|k| (((i * 7 + k * k * 3 + 1) % n) as u32, s.uniform()))
                    .collect();
                r.sort_by_key(|e| e.0);
                r.dedup_by_key(|e| e.0);
                r
            })
            .collect();
        let mut code = |n: usize| {
            let c = s.below(n + 1);
            if c == n {
                NONE
            } else {
                c as u32
            }
        };
        let clusters = (0..n).map(|_| code(3)).collect();
        let times = (0..n).map(|_| code(4)).collect();
        (from_rows(n, rows).unwrap(), clusters, times)
    }

    #[test]
    fn the_sums_over_all_pairs_agree() {
        let (t, clusters, times) = chain(200);
        let exec = Exec::with_threads(2).unwrap();
        let found = cluster_flow(&exec, &t, &clusters, &times, 1, (3, 4)).unwrap();
        let dense = t.to_dense();
        for now in 0..3u32 {
            let mut want = [0.0; 3];
            for i in 0..200 {
                for j in 0..200 {
                    if clusters[i] == 1
                        && clusters[j] != NONE
                        && times[i] == now
                        && times[j] == now + 1
                    {
                        want[clusters[j] as usize] += dense[(i, j)];
                    }
                }
            }
            let total: f64 = want.iter().sum();
            for (c, w) in want.iter().enumerate() {
                assert!((found.flow[(now as usize, c)] - w / total).abs() < 1e-14);
            }
        }
        let at = |c, t| {
            (0..200)
                .filter(|&i| clusters[i] == c && times[i] == t)
                .count() as f64
        };
        let all: f64 = (0..3).map(|c| at(c, 2)).sum();
        assert_eq!(found.sizes[(0, 2)], at(0, 2) / all);
    }

    #[test]
    fn nothing_that_flows_is_zero() {
        let t = from_rows(2, vec![vec![(0, 1.0)], vec![(1, 1.0)]]).unwrap();
        let found = cluster_flow(&Exec::serial(), &t, &[0, 1], &[0, 1], 0, (2, 3)).unwrap();
        assert!(found.flow.iter().all(|&v| v == 0.0));
        assert_eq!(found.sizes.column(2).sum(), 0.0);
    }

    #[test]
    fn codes_must_fit() {
        let t = from_rows(2, vec![vec![(0, 1.0)], vec![(1, 1.0)]]).unwrap();
        let kind = |c: &[u32], d: &[u32]| {
            cluster_flow(&Exec::serial(), &t, c, d, 0, (2, 2))
                .unwrap_err()
                .kind()
        };
        assert_eq!(kind(&[0], &[0, 1]), "shape");
        assert_eq!(kind(&[0, 2], &[0, 1]), "shape");
        assert_eq!(kind(&[0, 1], &[0, 5]), "shape");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let (t, clusters, times) = chain(9000);
        same_bits(|threads| {
            let exec = Exec::with_threads(threads).unwrap();
            cluster_flow(&exec, &t, &clusters, &times, 0, (3, 4)).unwrap()
        });
    }
}
