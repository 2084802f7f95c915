//! The exact search for metrics that single precision tiles do not bound: every
//! distance in double precision.

use super::knn::{join, nearer, Knn};
use super::points::Points;
use crate::error::Result;
use crate::exec::Exec;
use crate::simd;

/// Rows per task.
const ROWS: usize = 16;

/// The `k` nearest cells of `train` for every cell of `queries`, by (distance,
/// index). `own` says that both are the same cells, and leaves out the cell
/// itself. O(n m d).
///
/// # Errors
/// `memory`, `interrupted`.
pub fn search(exec: &Exec, queries: &Points, train: &Points, k: usize, own: bool) -> Result<Knn> {
    exec.control().begin(queries.n);
    let parts = exec.map_chunks(queries.n, ROWS, |rows| {
        let done = rows.len();
        let mut indices = Vec::with_capacity(rows.len() * k);
        let mut distances = Vec::with_capacity(rows.len() * k);
        let mut found = Vec::new();
        for i in rows {
            simd::wide(
                #[inline(always)]
                || nearest(queries, i, train, k, own, &mut found),
            );
            indices.extend(found.iter().map(|f| f.1));
            distances.extend(found.iter().map(|f| f.0 as f32));
        }
        exec.control().tick(done);
        (indices, distances)
    })?;
    join(parts, queries.n, k)
}

#[inline(always)]
fn nearest(
    queries: &Points,
    i: usize,
    train: &Points,
    k: usize,
    own: bool,
    found: &mut Vec<(f64, u32)>,
) {
    found.clear();
    let room = 2 * k + 32;
    let mut bound = f64::INFINITY;
    for j in 0..train.n {
        if own && i == j {
            continue;
        }
        let d = queries.distance(i, train, j);
        if d <= bound {
            found.push((d, j as u32));
            if found.len() == room {
                let (_, kth, _) = found.select_nth_unstable_by(k - 1, nearer);
                bound = kth.0;
                found.truncate(k);
            }
        }
    }
    found.sort_unstable_by(nearer);
    found.truncate(k);
}
