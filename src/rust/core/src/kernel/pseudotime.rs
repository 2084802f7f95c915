//! Transitions that point forward in pseudotime.
//!
//! A differentiating cell rarely goes back, but pseudotime is noisy, so a few of
//! the closest neighbours stay reachable whatever their time: the rule of Palantir
//! (Setty et al. 2019; section 1.9 of the fate-mapping rules). Of k neighbours the
//! `min(30, floor(k frac_to_keep))` heaviest are kept, of the others those that are
//! not earlier. For the opposite direction the caller passes `max(t) - t`.

use super::connectivity::{check_weights, refuse_isolated};
use crate::error::{CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::sparse::csr::{row, Csr};
use crate::sparse::{ops, stochastic};

/// Neighbours that are kept for their weight alone, at most.
const MOST_KEPT: usize = 30;

/// What becomes of a cell that loses all its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyRows {
    /// An error that names the cells.
    Refuse,
    /// The cell keeps to itself: it becomes absorbing.
    Absorb,
}

/// The transition matrix, n x n; cells that lose all neighbours are an error.
/// O(entries log k).
///
/// # Errors
/// `range` for `frac_to_keep` outside 0..=1 or times and weights that are not
/// finite, `shape`, `not_stochastic` for negative weights, `disconnected` naming
/// the cells without a neighbour, `interrupted`.
pub fn hard_threshold(
    exec: &Exec,
    conn: &Csr,
    pseudotime: &[f64],
    frac_to_keep: f64,
) -> Result<Csr> {
    hard_threshold_with(exec, conn, pseudotime, frac_to_keep, EmptyRows::Refuse)
}

/// As [`hard_threshold`], with a rule for cells that lose all neighbours. A cell
/// without neighbours in `conn` itself is an error under either rule.
///
/// # Errors
/// As [`hard_threshold`].
pub fn hard_threshold_with(
    exec: &Exec,
    conn: &Csr,
    pseudotime: &[f64],
    frac_to_keep: f64,
    empty: EmptyRows,
) -> Result<Csr> {
    check_arguments(conn, pseudotime, frac_to_keep)?;
    let n = conn.rows();
    refuse_isolated((0..n).filter(|&i| row(conn, i).1.iter().all(|&v| v == 0.0)))?;
    let biased = ops::build_rows(exec, n, n, |i, out| {
        keep(row(conn, i), i, pseudotime, frac_to_keep, out);
        if out.is_empty() && empty == EmptyRows::Absorb {
            out.push((i as u32, 1.0));
        }
    })?;
    stochastic::normalize(exec, biased)
}

/// Pushes the neighbours of cell `i` that survive.
fn keep(
    (cols, weights): (&[u32], &[f64]),
    i: usize,
    time: &[f64],
    frac: f64,
    out: &mut Vec<(u32, f64)>,
) {
    let pairs = cols.iter().copied().zip(weights.iter().copied());
    out.extend(pairs.filter(|e| e.1 > 0.0));
    let always = MOST_KEPT.min((out.len() as f64 * frac).floor() as usize);
    out.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut rank = 0;
    out.retain(|e| {
        rank += 1;
        rank <= always || time[i] <= time[e.0 as usize]
    });
}

fn check_arguments(conn: &Csr, time: &[f64], frac: f64) -> Result<()> {
    check_weights(conn)?;
    if time.len() != conn.rows() {
        return Err(CoreError::Shape {
            what: "the pseudotime".into(),
            expected: conn.rows(),
            found: time.len(),
        });
    }
    let bad: Vec<usize> = (0..time.len()).filter(|&i| !time[i].is_finite()).collect();
    if !bad.is_empty() {
        return Err(CoreError::NotFinite {
            what: "the pseudotime".into(),
            count: bad.len(),
            cells: bad.into_iter().take(SHOWN).collect(),
        });
    }
    if (0.0..=1.0).contains(&frac) {
        return Ok(());
    }
    Err(CoreError::Range {
        what: "frac_to_keep".into(),
        value: frac,
        allowed: "0 to 1".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;

    fn graph(n: usize, k: usize) -> (Csr, Vec<f64>) {
        let mut s = Stream::new(8, 0, 0, 0);
        let rows = (0..n)
            .map(|i| {
                (1..=k)
                    // Eighths, so that ties are common.
                    .map(|o| (((i + o * o) % n) as u32, (1 + s.below(8)) as f64 / 8.0))
                    .collect::<std::collections::BTreeMap<u32, f64>>()
                    .into_iter()
                    .collect()
            })
            .collect();
        let time = (0..n).map(|_| s.below(20) as f64).collect();
        (from_rows(n, rows).unwrap(), time)
    }

    #[test]
    fn the_rule_in_plain_words_agrees() {
        let exec = Exec::with_threads(2).unwrap();
        let (c, t) = graph(101, 9);
        for frac in [0.12, 0.3, 1.0] {
            let found = hard_threshold_with(&exec, &c, &t, frac, EmptyRows::Absorb).unwrap();
            for i in 0..101 {
                let (cols, w) = row(&c, i);
                let m = ((cols.len() as f64 * frac).floor() as usize).min(30);
                // A neighbour is kept if fewer than m others come before it.
                let before = |a: usize| {
                    (0..w.len())
                        .filter(|&b| w[b] > w[a] || (w[b] == w[a] && cols[b] < cols[a]))
                        .count()
                };
                let kept: Vec<usize> = (0..w.len())
                    .filter(|&a| before(a) < m || t[i] <= t[cols[a] as usize])
                    .collect();
                let total: f64 = kept.iter().map(|&a| w[a]).sum();
                let (rc, rv) = row(&found, i);
                if kept.is_empty() {
                    assert_eq!((rc, rv), (&[i as u32][..], &[1.0][..]));
                    continue;
                }
                assert_eq!(rc, kept.iter().map(|&a| cols[a]).collect::<Vec<_>>());
                for (v, &a) in rv.iter().zip(&kept) {
                    assert!((v - w[a] / total).abs() < 1e-15);
                }
            }
        }
    }

    #[test]
    fn a_cell_that_loses_everything_is_named_or_absorbs() {
        let exec = Exec::serial();
        let c = from_rows(2, vec![vec![(1, 1.0)], vec![(0, 1.0)]]).unwrap();
        match hard_threshold(&exec, &c, &[0.0, 1.0], 0.0) {
            Err(CoreError::Isolated { count, cells }) => assert_eq!((count, cells), (1, vec![1])),
            other => panic!("{other:?}"),
        }
        let t = hard_threshold_with(&exec, &c, &[0.0, 1.0], 0.0, EmptyRows::Absorb).unwrap();
        assert_eq!(row(&t, 1), (&[1u32][..], &[1.0][..]));
        let alone = from_rows(2, vec![vec![(1, 1.0)], vec![]]).unwrap();
        let e = hard_threshold_with(&exec, &alone, &[0.0, 1.0], 0.0, EmptyRows::Absorb);
        assert_eq!(e.unwrap_err().kind(), "disconnected");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let (c, t) = graph(1400, 12);
        let run = |threads| {
            let exec = Exec::with_threads(threads).unwrap();
            hard_threshold(&exec, &c, &t, 0.3).unwrap()
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(4));
    }

    #[test]
    fn arguments_are_checked() {
        let exec = Exec::serial();
        let (c, mut t) = graph(30, 3);
        let kind = |t: &[f64], f| hard_threshold(&exec, &c, t, f).unwrap_err().kind();
        assert_eq!(kind(&t, 1.5), "range");
        assert_eq!(kind(&t, f64::NAN), "range");
        assert_eq!(kind(&t[1..], 0.3), "shape");
        t[4] = f64::NAN;
        assert_eq!(kind(&t, 0.3), "range");
    }
}
