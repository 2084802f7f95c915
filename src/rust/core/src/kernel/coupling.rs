//! Couplings of two time points, read by rows and made sparse.
//!
//! A coupling says, for each cell of an earlier time point, how much of its mass
//! goes to each cell of a later one. Optimal transport gives every pair of cells
//! some of it; a walk needs only the entries that matter. A threshold drops the
//! entries of a dense coupling that lie strictly below it (section 1.11 step 3 of
//! the fate-mapping rules). Sparse couplings are taken as they are.

use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::{split_at_bounds, Exec};
use crate::sparse::csr::{from_parts, row, Csr};
use ndarray::{ArrayView2, Axis, Slice};

/// Rows of a dense coupling that are walked through together, column by column:
/// either order of storage then reads whole cache lines.
const PANEL: usize = 64;

/// Most tasks of a pass that counts; each has a table of [`BINS`] counts.
const TASKS: usize = 32;
const BINS: usize = 1 << 16;

/// The entries of a coupling, cells of the source time x cells of the target time.
#[derive(Debug, Clone)]
pub enum Values<'a> {
    Sparse(Csr),
    Dense(ArrayView2<'a, f64>),
}

impl Values<'_> {
    /// Source cells and target cells.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Values::Sparse(m) => (m.rows(), m.cols()),
            Values::Dense(m) => m.dim(),
        }
    }
}

/// Which entries of dense couplings stay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// All of them.
    Keep,
    /// Those from the smallest row maximum of all couplings on.
    Auto,
    /// Those from the smallest row maximum of the same coupling on.
    AutoLocal,
    /// Those from this percentile (0 to 100) of the coupling's entries on.
    Percentile(f64),
}

/// Checks the entries and returns the largest of each row. O(entries).
///
/// # Errors
/// `range` for entries that are negative or not finite, with their number and the
/// first rows; `label` names the coupling. `interrupted`.
pub fn row_maxima(exec: &Exec, values: &Values<'_>, label: &str) -> Result<Vec<f64>> {
    let parts = match values {
        Values::Sparse(m) => exec.map_chunks(m.rows(), PANEL, |range| {
            let mut bad = 0;
            let maxima: Vec<f64> = range
                .map(|i| {
                    row(m, i).1.iter().fold(0.0f64, |top, &v| {
                        bad += usize::from(!is_mass(v));
                        top.max(v)
                    })
                })
                .collect();
            (maxima, bad)
        })?,
        Values::Dense(m) => exec.map_chunks(m.nrows(), PANEL, |range| {
            let mut maxima = vec![0.0f64; range.len()];
            let mut bad = 0;
            for column in rows_of(m, range).columns() {
                for (top, &v) in maxima.iter_mut().zip(column) {
                    bad += usize::from(!is_mass(v));
                    *top = top.max(v);
                }
            }
            (maxima, bad)
        })?,
    };
    let count: usize = parts.iter().map(|p| p.1).sum();
    if count > 0 {
        return Err(refuse(values, label, count));
    }
    Ok(parts.into_iter().flat_map(|p| p.0).collect())
}

fn is_mass(v: f64) -> bool {
    v >= 0.0 && v.is_finite()
}

fn rows_of<'a>(m: &'a ArrayView2<'_, f64>, range: std::ops::Range<usize>) -> ArrayView2<'a, f64> {
    m.slice_axis(Axis(0), Slice::from(range))
}

/// What is wrong with a coupling that has `count` bad entries.
fn refuse(values: &Values<'_>, label: &str, count: usize) -> CoreError {
    let worst = |v: &f64| !is_mass(*v);
    let rows: Vec<usize> = match values {
        Values::Sparse(m) => (0..m.rows())
            .filter(|&i| row(m, i).1.iter().any(worst))
            .take(SHOWN)
            .collect(),
        Values::Dense(m) => (0..m.nrows())
            .filter(|&i| m.row(i).iter().any(worst))
            .take(SHOWN)
            .collect(),
    };
    let shown: Vec<String> = rows.iter().map(|i| (i + 1).to_string()).collect();
    CoreError::Choice {
        what: format!("the coupling {label}"),
        value: format!("a matrix with {count} negative or non-finite entries"),
        reason: format!("begin in its rows {}", shown.join(", ")),
    }
}

/// The threshold of each coupling: None for sparse ones and where all is kept.
/// `maxima` are those of [`row_maxima`]; rows without mass do not count. O(entries).
///
/// # Errors
/// `interrupted`, `memory`.
pub fn thresholds(
    exec: &Exec,
    couplings: &[&Values<'_>],
    maxima: &[Vec<f64>],
    rule: Threshold,
) -> Result<Vec<Option<f64>>> {
    let least = |m: &[f64]| {
        let held = m.iter().copied().filter(|&v| v > 0.0);
        held.fold(f64::INFINITY, f64::min)
    };
    let overall = maxima
        .iter()
        .map(|m| least(m))
        .fold(f64::INFINITY, f64::min);
    let cut = |values: &Values<'_>, maxima: &[f64]| {
        let Values::Dense(m) = values else {
            return Ok(None);
        };
        match rule {
            Threshold::Keep => Ok(None),
            Threshold::Auto => Ok(Some(overall)),
            Threshold::AutoLocal => Ok(Some(least(maxima))),
            Threshold::Percentile(q) => percentile(exec, m, q).map(Some),
        }
    };
    couplings
        .iter()
        .zip(maxima)
        .map(|(v, m)| cut(v, m))
        .collect()
}

/// A dense coupling without its zeros and what lies below `cut`. O(entries) time,
/// memory of what stays.
///
/// # Errors
/// `memory`, `interrupted`.
pub fn sparsify(exec: &Exec, m: &ArrayView2<'_, f64>, cut: Option<f64>) -> Result<Csr> {
    let least = cut.unwrap_or(0.0);
    let stays = |v: f64| v > 0.0 && v >= least;
    let counts = exec.map_chunks(m.nrows(), PANEL, |range| {
        let mut count = vec![0usize; range.len()];
        for column in rows_of(m, range).columns() {
            for (n, &v) in count.iter_mut().zip(column) {
                *n += usize::from(stays(v));
            }
        }
        count
    })?;
    let mut indptr = try_filled(m.nrows() + 1, 0usize, "a coupling")?;
    for (i, n) in counts.into_iter().flatten().enumerate() {
        indptr[i + 1] = indptr[i] + n;
    }
    let entries = indptr[m.nrows()];
    let mut indices = try_filled(entries, 0u32, "a coupling")?;
    let mut data = try_filled(entries, 0f64, "a coupling")?;
    let panels = m.nrows().div_ceil(PANEL);
    let edge = |c: usize| (c * PANEL).min(m.nrows());
    let cuts: Vec<usize> = (0..=panels).map(|c| indptr[edge(c)]).collect();
    let tasks: Vec<_> = split_at_bounds(&mut indices, &cuts)
        .into_iter()
        .zip(split_at_bounds(&mut data, &cuts))
        .enumerate()
        .collect();
    exec.for_each(tasks, |(c, (indices, data))| {
        let range = edge(c)..edge(c + 1);
        let mut next: Vec<usize> = indptr[range.clone()].iter().map(|o| o - cuts[c]).collect();
        for (j, column) in rows_of(m, range).columns().into_iter().enumerate() {
            for (at, &v) in next.iter_mut().zip(column) {
                if stays(v) {
                    indices[*at] = j as u32;
                    data[*at] = v;
                    *at += 1;
                }
            }
        }
        Ok(())
    })?;
    from_parts(m.dim(), indptr, indices, data)
}

/// The percentile `q` of all entries, zeros included, with linear interpolation
/// between the two nearest ranks. Four counting passes, no copy and no sort: values
/// that are not negative are in the order of their bits.
fn percentile(exec: &Exec, m: &ArrayView2<'_, f64>, q: f64) -> Result<f64> {
    let total = m.len();
    if total == 0 {
        return Ok(0.0);
    }
    let place = q / 100.0 * (total - 1) as f64;
    let below = (place.floor() as usize).min(total - 1);
    let share = place - below as f64;
    let low = ranked(exec, m, below)?;
    if share <= 0.0 || below + 1 == total {
        return Ok(low);
    }
    let high = following(exec, m, low, below + 1)?;
    Ok(low + (high - low) * share)
}

/// `f` of the entries of each of at most [`TASKS`] pieces of the rows.
fn over_pieces<R, F>(exec: &Exec, m: &ArrayView2<'_, f64>, f: F) -> Result<Vec<R>>
where
    R: Send,
    F: Fn(&mut dyn Iterator<Item = f64>) -> Result<R> + Sync,
{
    let rows = m.nrows().div_ceil(TASKS).max(PANEL);
    exec.try_map_chunks(m.nrows(), rows, |range| {
        // In the order of storage, whichever it is.
        let piece = rows_of(m, range);
        let by_columns = piece.strides().first() == Some(&1);
        let piece = if by_columns {
            piece.reversed_axes()
        } else {
            piece
        };
        f(&mut piece.iter().map(|v| v.abs()))
    })
}

/// The entry of rank `rank`, counted from zero, in ascending order.
fn ranked(exec: &Exec, m: &ArrayView2<'_, f64>, rank: usize) -> Result<f64> {
    let (mut prefix, mut left) = (0u64, rank as u64);
    for shift in [48u32, 32, 16, 0] {
        let tables = over_pieces(exec, m, |entries| {
            let mut table = try_filled(BINS, 0u64, "a table of counts")?;
            for bits in entries.map(f64::to_bits) {
                // Nothing lies above the first 16 bits.
                if shift == 48 || bits >> (shift + 16) == prefix {
                    table[(bits >> shift) as usize & (BINS - 1)] += 1;
                }
            }
            Ok(table)
        })?;
        let mut bin = 0;
        loop {
            let here: u64 = tables.iter().map(|t| t[bin]).sum();
            if left < here || bin + 1 == BINS {
                break;
            }
            left -= here;
            bin += 1;
        }
        prefix = prefix << 16 | bin as u64;
    }
    Ok(f64::from_bits(prefix))
}

/// The entry of rank `rank`, given that of the rank before it.
fn following(exec: &Exec, m: &ArrayView2<'_, f64>, before: f64, rank: usize) -> Result<f64> {
    let parts = over_pieces(exec, m, |entries| {
        Ok(entries.fold((0usize, f64::INFINITY), |(count, next), v| {
            if v <= before {
                (count + 1, next)
            } else {
                (count, next.min(v))
            }
        }))
    })?;
    let up_to: usize = parts.iter().map(|p| p.0).sum();
    if rank < up_to {
        return Ok(before);
    }
    Ok(parts.iter().fold(f64::INFINITY, |next, p| next.min(p.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::testing::same_bits;
    use ndarray::{array, Array2, ShapeBuilder};

    /// Quarters, so that ties and zeros are common; by rows or by columns.
    fn dense(rows: usize, cols: usize, by_columns: bool) -> Array2<f64> {
        let mut s = Stream::new(5, 0, 0, 0);
        let values: Vec<f64> = (0..rows * cols).map(|_| s.below(40) as f64 / 4.0).collect();
        let by_rows = Array2::from_shape_vec((rows, cols), values).unwrap();
        let mut out = Array2::zeros((rows, cols).set_f(by_columns));
        out.assign(&by_rows);
        out
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_entries() {
        let exec = Exec::with_threads(2).unwrap();
        for by_columns in [false, true] {
            let mut m = dense(150, 7, by_columns);
            m[(0, 0)] = 1e-300;
            m[(1, 0)] = -0.0;
            let mut sorted: Vec<f64> = m.iter().copied().collect();
            sorted.sort_by(f64::total_cmp);
            for q in [0.0, 0.1, 33.3, 50.0, 75.0, 99.99, 100.0] {
                let place = q / 100.0 * (sorted.len() - 1) as f64;
                let low = sorted[place.floor() as usize];
                let high = sorted[place.ceil() as usize];
                let want = low + (high - low) * (place - place.floor());
                assert_eq!(percentile(&exec, &m.view(), q).unwrap(), want.abs(), "{q}");
            }
        }
        let one = array![[3.5]];
        assert_eq!(percentile(&exec, &one.view(), 40.0).unwrap(), 3.5);
    }

    #[test]
    fn thresholds_follow_their_rules() {
        let exec = Exec::serial();
        let (a, b) = (
            array![[0.1, 0.9], [0.5, 0.2], [0.0, 0.0]],
            array![[0.3, 0.2], [0.7, 0.1]],
        );
        let (a, b) = (Values::Dense(a.view()), Values::Dense(b.view()));
        let sparse =
            Values::Sparse(crate::sparse::csr::from_rows(1, vec![vec![(0, 0.25)]]).unwrap());
        let all = [&a, &b, &sparse];
        let maxima: Vec<Vec<f64>> = all
            .iter()
            .map(|v| row_maxima(&exec, v, "x").unwrap())
            .collect();
        assert_eq!(maxima[0], [0.9, 0.5, 0.0]);
        let of = |rule| thresholds(&exec, &all, &maxima, rule).unwrap();
        assert_eq!(of(Threshold::Keep), [None, None, None]);
        assert_eq!(of(Threshold::Auto), [Some(0.25), Some(0.25), None]);
        assert_eq!(of(Threshold::AutoLocal), [Some(0.5), Some(0.3), None]);
        let middle = of(Threshold::Percentile(50.0));
        assert!((middle[0].unwrap() - 0.15).abs() < 1e-15);
        assert!((middle[1].unwrap() - 0.25).abs() < 1e-15);
    }

    #[test]
    fn what_lies_below_the_threshold_goes() {
        let exec = Exec::with_threads(2).unwrap();
        for by_columns in [false, true] {
            let m = dense(131, 9, by_columns);
            for cut in [None, Some(2.5), Some(100.0)] {
                let kept = sparsify(&exec, &m.view(), cut).unwrap().to_dense();
                let want = m.mapv(|v| if v >= cut.unwrap_or(0.0) { v } else { 0.0 });
                assert_eq!(kept, want);
            }
        }
    }

    #[test]
    fn entries_that_are_no_mass_are_refused() {
        let exec = Exec::serial();
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            let m = array![[0.5, 0.5], [bad, 1.0]];
            let e = row_maxima(&exec, &Values::Dense(m.view()), "`0` to `1`").unwrap_err();
            assert_eq!(e.kind(), "range");
            assert!(e.to_string().contains("`0` to `1`"), "{e}");
            assert!(e.to_string().contains("rows 2"), "{e}");
            let s = crate::sparse::csr::from_rows(2, vec![vec![], vec![(1, bad)]]).unwrap();
            let e = row_maxima(&exec, &Values::Sparse(s), "x").unwrap_err();
            assert_eq!(e.kind(), "range");
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let m = dense(301, 40, true);
        same_bits(|threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let q = percentile(&exec, &m.view(), 61.0).unwrap();
            (q.to_bits(), sparsify(&exec, &m.view(), Some(q)).unwrap())
        });
    }
}
