//! Edges as R keeps them: pairs of cells, and the slots of a sparse matrix.
//!
//! A graph that comes from outside can hold edges twice, in any order, with weights
//! that mean nothing. Here it is put into order once, and what is wrong with it is
//! found in one pass over its entries, so that an error can name the cells.

use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;
use crate::sparse::CscView;

/// What keeps a graph from carrying a walk. Cells count from 0 and ascend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// Weights that are negative, infinite or missing.
    pub bad_edges: usize,
    /// The cells such edges start from.
    pub bad_cells: Vec<usize>,
    /// Cells without an edge of positive weight.
    pub isolated: Vec<usize>,
}

/// The faults of a graph of `n` cells given by the row and the value of each entry.
/// O(entries + n).
///
/// # Errors
/// `shape` for rows beyond `n` or slots of different length, `memory`.
pub fn faults(n: usize, rows: &[i32], values: &[f64]) -> Result<Faults> {
    same_length("the values of a graph", rows.len(), values.len())?;
    let low = rows.iter().fold(0, |m, &i| m.min(i));
    let high = rows.iter().fold(-1, |m, &i| m.max(i));
    if low < 0 || high >= 0 && high as usize >= n {
        return Err(outside(if low < 0 { low } else { high }, n));
    }
    let mut edge = try_filled(n, false, "the cells of a graph")?;
    let (mut bad_edges, mut bad_cells) = (0, vec![]);
    for (&i, &x) in rows.iter().zip(values) {
        let i = i as usize;
        edge[i] |= x > 0.0;
        if !(0.0..f64::INFINITY).contains(&x) {
            bad_edges += 1;
            bad_cells.push(i);
        }
    }
    bad_cells.sort_unstable();
    bad_cells.dedup();
    Ok(Faults {
        bad_edges,
        bad_cells,
        isolated: (0..n).filter(|&i| !edge[i]).collect(),
    })
}

/// Fills `p` (n + 1) and `rows` (one per pair) if the pairs are in order, each once,
/// and the graph is symmetric: its values are then `x` as it stands. Says whether that
/// is so; otherwise both are left unfinished. Cells count from one. O(pairs + n).
///
/// # Errors
/// `shape` for cells outside of 1 to `n` or vectors of different length,
/// `interrupted`.
pub fn symmetric_pairs(
    exec: &Exec,
    (n, from, to, x): (usize, &[i32], &[i32], &[f64]),
    p: &mut [i32],
    rows: &mut [i32],
) -> Result<bool> {
    for (what, found) in [
        ("the ends of the pairs", to.len()),
        ("the weights of the pairs", x.len()),
        ("the rows of the entries", rows.len()),
    ] {
        same_length(what, from.len(), found)?;
    }
    same_length("the columns of the graph", n + 1, p.len())?;
    let ordered = |k: usize| (from[k - 1], to[k - 1]) < (from[k], to[k]);
    if !(1..from.len()).all(ordered) {
        return Ok(false);
    }
    require_cells(n, from)?;
    require_cells(n, to)?;
    p.fill(0);
    for &c in from {
        p[c as usize] += 1;
    }
    for c in 1..=n {
        p[c] += p[c - 1];
    }
    for (row, &c) in rows.iter_mut().zip(to) {
        *row = c - 1;
    }
    CscView::new(exec, (n, n), p, rows, x)?.is_symmetric(exec)
}

/// The graph of pairs `from[k] -> to[k]` of weight `x[k]`, cells counted from one, in
/// any order: fills the slots of a matrix by columns, `p` (n + 1), `rows` and `values`
/// (one per pair), and says how many entries they hold. Of repeated pairs the last one
/// counts; zeros stay. O(pairs + n), nothing but counters beside the result if `from`
/// ascends.
///
/// # Errors
/// `shape` for cells outside of 1 to `n` or vectors of different length, `memory`.
pub fn from_pairs(
    (n, from, to, x): (usize, &[i32], &[i32], &[f64]),
    p: &mut [i32],
    rows: &mut [i32],
    values: &mut [f64],
) -> Result<usize> {
    for (what, found) in [
        ("the ends of the pairs", to.len()),
        ("the weights of the pairs", x.len()),
        ("the rows of the entries", rows.len()),
        ("the values of the entries", values.len()),
    ] {
        same_length(what, from.len(), found)?;
    }
    same_length("the columns of the graph", n + 1, p.len())?;
    require_cells(n, from)?;
    require_cells(n, to)?;
    let mut next = starts(n, to)?;
    p[0] = 0;
    for (p, &start) in p[1..].iter_mut().zip(&next[1..]) {
        *p = start as i32;
    }
    if from.windows(2).all(|w| w[0] <= w[1]) {
        for ((&from, &to), &x) in from.iter().zip(to).zip(x) {
            put(from, to, x, &mut next, rows, values);
        }
    } else {
        for k in by_cell(n, from)? {
            let k = k as usize;
            put(from[k], to[k], x[k], &mut next, rows, values);
        }
    }
    Ok(drop_repeats(p, rows, values))
}

#[inline(always)]
fn put(from: i32, to: i32, x: f64, next: &mut [u32], rows: &mut [i32], values: &mut [f64]) {
    let at = &mut next[to as usize - 1];
    rows[*at as usize] = from - 1;
    values[*at as usize] = x;
    *at += 1;
}

/// Keeps the last of the entries of one row, which stand together, in each column, and
/// says how many are left.
fn drop_repeats(p: &mut [i32], rows: &mut [i32], values: &mut [f64]) -> usize {
    let (mut kept, mut start) = (0, 0);
    for end in p.iter_mut().skip(1) {
        let range = start..*end as usize;
        start = range.end;
        for e in range.clone() {
            if e + 1 < range.end && rows[e] == rows[e + 1] {
                continue;
            }
            if kept < e {
                rows[kept] = rows[e];
                values[kept] = values[e];
            }
            kept += 1;
        }
        *end = kept as i32;
    }
    kept
}

/// Positions of the pairs by the cell they name, in stable order.
fn by_cell(n: usize, cells: &[i32]) -> Result<Vec<u32>> {
    let mut next = starts(n, cells)?;
    let mut order = try_filled(cells.len(), 0u32, "the pairs of a graph")?;
    for (k, &c) in cells.iter().enumerate() {
        let at = &mut next[c as usize - 1];
        order[*at as usize] = k as u32;
        *at += 1;
    }
    Ok(order)
}

/// Where the entries of each cell begin, and where the last ones end.
fn starts(n: usize, cells: &[i32]) -> Result<Vec<u32>> {
    let mut start = try_filled(n + 1, 0u32, "the cells of a graph")?;
    for &c in cells {
        start[c as usize] += 1;
    }
    for c in 1..=n {
        start[c] += start[c - 1];
    }
    Ok(start)
}

/// That cells are counted from one to `n`.
fn require_cells(n: usize, cells: &[i32]) -> Result<()> {
    let low = cells.iter().fold(1, |m, &c| m.min(c));
    let high = cells.iter().fold(0, |m, &c| m.max(c));
    if low < 1 {
        return Err(outside(low, n));
    }
    if high as usize > n {
        return Err(outside(high, n));
    }
    Ok(())
}

fn outside(cell: i32, n: usize) -> CoreError {
    CoreError::Shape {
        what: "the cells of an edge".into(),
        expected: n,
        found: cell.unsigned_abs() as usize,
    }
}

fn same_length(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(CoreError::Shape {
        what: what.into(),
        expected,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use std::collections::BTreeMap;

    type Slots = (Vec<i32>, Vec<i32>, Vec<f64>);

    fn graph(n: usize, from: &[i32], to: &[i32], x: &[f64]) -> Result<Slots> {
        let (mut p, mut i) = (vec![0; n + 1], vec![0; from.len()]);
        let mut v = vec![0.0; from.len()];
        let kept = from_pairs((n, from, to, x), &mut p, &mut i, &mut v)?;
        i.truncate(kept);
        v.truncate(kept);
        Ok((p, i, v))
    }

    #[test]
    fn pairs_in_any_order_make_the_same_graph() {
        let mut s = Stream::new(3, 0, 0, 0);
        for n in [1, 2, 7, 40] {
            let count = 5 * n;
            let mut draw = || -> Vec<i32> { (0..count).map(|_| 1 + s.below(n) as i32).collect() };
            let (mut from, to) = (draw(), draw());
            if n == 7 {
                from.sort_unstable();
            }
            let x: Vec<f64> = (0..count).map(|k| k as f64).collect();
            let mut last = BTreeMap::new();
            for k in 0..count {
                last.insert((to[k] - 1, from[k] - 1), x[k]);
            }
            let g = graph(n, &from, &to, &x).unwrap();
            let rows: Vec<i32> = last.keys().map(|c| c.1).collect();
            let values: Vec<f64> = last.values().copied().collect();
            assert_eq!((&g.1, &g.2), (&rows, &values));
            for c in 0..n {
                let held = last.keys().filter(|k| k.0 as usize == c).count();
                assert_eq!((g.0[c + 1] - g.0[c]) as usize, held);
            }
        }
    }

    #[test]
    fn symmetric_pairs_need_no_sorting() {
        let exec = Exec::serial();
        let mut s = Stream::new(6, 0, 0, 0);
        for n in [1usize, 3, 20] {
            let mut all = BTreeMap::new();
            for _ in 0..2 * n {
                let (i, j, v) = (s.below(n) as i32 + 1, s.below(n) as i32 + 1, s.uniform());
                all.insert((i, j), v);
                all.insert((j, i), v);
            }
            let from: Vec<i32> = all.keys().map(|k| k.0).collect();
            let to: Vec<i32> = all.keys().map(|k| k.1).collect();
            let mut x: Vec<f64> = all.values().copied().collect();
            let (mut p, mut rows) = (vec![0; n + 1], vec![0; x.len()]);
            let mut run = |from: &[i32], to: &[i32], x: &[f64]| {
                symmetric_pairs(&exec, (n, from, to, x), &mut p, &mut rows)
                    .map(|yes| yes.then(|| (p.clone(), rows.clone(), x.to_vec())))
            };
            let want = graph(n, &from, &to, &x).unwrap();
            assert_eq!(run(&from, &to, &x).unwrap(), Some(want));
            if n > 1 {
                let turned = |v: &[i32]| v.iter().rev().copied().collect::<Vec<_>>();
                assert_eq!(run(&turned(&from), &turned(&to), &x).unwrap(), None);
                let off = (0..x.len()).find(|&k| from[k] != to[k]);
                x[off.unwrap()] += 1.0;
                assert_eq!(run(&from, &to, &x).unwrap(), None);
            }
            assert!(run(&from, &to[1..], &x).is_err());
        }
        let out = symmetric_pairs(&exec, (1, &[2], &[2], &[1.0]), &mut [0; 2], &mut [0]);
        assert_eq!(out.unwrap_err().kind(), "shape");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let kind = |n, from: &[i32], to: &[i32], x: &[f64]| {
            graph(n, from, to, x).map_or_else(|e| e.kind(), |_| "fine")
        };
        assert_eq!(kind(2, &[1, 2], &[2, 1], &[1.0, 0.0]), "fine");
        assert_eq!(kind(0, &[], &[], &[]), "fine");
        assert_eq!(kind(2, &[3], &[1], &[1.0]), "shape");
        assert_eq!(kind(2, &[1], &[0], &[1.0]), "shape");
        assert_eq!(kind(2, &[i32::MIN], &[1], &[1.0]), "shape");
        assert_eq!(kind(2, &[1], &[1, 2], &[1.0]), "shape");
        assert_eq!(kind(2, &[1], &[1], &[]), "shape");
    }

    #[test]
    fn faults_are_found() {
        let found = faults(4, &[0, 3, 0, 1], &[1.0, f64::NAN, -2.0, 0.0]).unwrap();
        assert_eq!(found.bad_edges, 2);
        assert_eq!(found.bad_cells, [0, 3]);
        assert_eq!(found.isolated, [1, 2, 3]);
        let inf = faults(1, &[0], &[f64::INFINITY]).unwrap();
        assert_eq!((inf.bad_edges, inf.isolated.len()), (1, 0));
        assert_eq!(faults(1, &[1], &[1.0]).unwrap_err().kind(), "shape");
        assert_eq!(faults(1, &[0], &[]).unwrap_err().kind(), "shape");
    }
}
