//! Who is near whom: neighbours and ranks of one cell in two spaces.

use crate::graph::points::Points;
use crate::simd;

/// Sums over queries.
#[derive(Default)]
pub struct Near {
    pub intruders: f64,
    pub missing: f64,
    pub hits: Vec<usize>,
    /// Distances of queries and their neighbours in the data, in both spaces.
    pub data: Vec<f64>,
    pub layout: Vec<f64>,
}

/// Distances of one cell and all.
pub fn distances(points: &Points, i: usize, out: &mut [f64]) {
    simd::wide(
        #[inline(always)]
        || {
            for (j, out) in out.iter_mut().enumerate() {
                *out = points.distance(i, points, j);
            }
        },
    );
}

/// A cell by its distance; of equal ones the first.
type Place = (f64, usize);

fn before(a: &Place, b: &Place) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// The `k` cells nearest to `i`, in order. A short list of candidates is thinned
/// whenever it is full, so most cells cost one comparison.
fn nearest(distance: &[f64], i: usize, k: usize) -> Vec<Place> {
    let room = 2 * k + 32;
    let mut list: Vec<Place> = Vec::with_capacity(room);
    let mut limit = f64::INFINITY;
    for (j, &d) in distance.iter().enumerate() {
        // A later cell at the limit comes after those kept.
        if (d < limit || list.len() < k) && j != i {
            list.push((d, j));
            if list.len() == room {
                list.select_nth_unstable_by(k - 1, before);
                list.truncate(k);
                limit = list[k - 1].0;
            }
        }
    }
    list.sort_unstable_by(before);
    list.truncate(k);
    list
}

/// By how much the ranks of `cells` among all others exceed `k`, in sum.
fn excess(distance: &[f64], i: usize, cells: &[Place], k: usize) -> f64 {
    let mut places: Vec<Place> = cells.iter().map(|&(_, j)| (distance[j], j)).collect();
    places.sort_unstable_by(before);
    let Some(&last) = places.last() else {
        return 0.0;
    };
    // Cells between one place and the next.
    let mut counts = vec![0usize; places.len() + 1];
    for (j, &d) in distance.iter().enumerate() {
        if d <= last.0 && j != i {
            let at = places.partition_point(|p| before(p, &(d, j)).is_lt());
            counts[at] += 1;
        }
    }
    let mut rank = 0;
    let mut sum = 0.0;
    for count in &counts[..places.len()] {
        rank += count;
        sum += rank.saturating_sub(k) as f64;
    }
    sum
}

impl Near {
    /// Adds what cell `i` with distances in data and layout contributes.
    pub fn add(
        &mut self,
        i: usize,
        (data, layout): (&[f64], &[f64]),
        (k, most): (usize, usize),
        recall_k: &[usize],
    ) {
        let (in_data, in_layout) = (nearest(data, i, most), nearest(layout, i, most));
        self.intruders += excess(data, i, &in_layout[..k], k);
        self.missing += excess(layout, i, &in_data[..k], k);
        for (hits, &k) in self.hits.iter_mut().zip(recall_k) {
            let mut kept: Vec<usize> = in_data[..k].iter().map(|p| p.1).collect();
            kept.sort_unstable();
            let found = |p: &&Place| kept.binary_search(&p.1).is_ok();
            *hits += in_layout[..k].iter().filter(found).count();
        }
        for &(d, j) in &in_data[..k] {
            self.data.push(d);
            self.layout.push(layout[j]);
        }
    }
}
