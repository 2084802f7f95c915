//! Cells that stand for a macrostate, and macrostates that are terminal.
//!
//! Each macrostate is shown by the cells with the largest memberships in it (section
//! 2.6.5 of the fate-mapping rules); which macrostates are terminal follows from the
//! diagonal of the coarse chain (section 2.6.6).

use super::gpcca::eigengap;
use crate::error::{try_filled, CoreError, Result};
use ndarray::ArrayView2;

/// Cells chosen for each state.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// State of every cell, if it was chosen for one.
    pub labels: Vec<Option<u32>>,
    /// Cells per state.
    pub counts: Vec<usize>,
    /// States with fewer cells than asked for (without a number of cells: none).
    pub short: Vec<usize>,
}

/// Which macrostates are terminal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TerminalRule {
    /// Diagonal of the coarse chain at least this large.
    Stability(f64),
    /// This many states with the largest diagonal.
    TopN(usize),
    /// As many as the eigengap of the chain proposes: the 0-based index of the gap.
    Eigengap(usize),
    /// As many as the eigengap of the diagonal proposes, with this alpha.
    EigengapCoarse(f64),
}

/// Chooses the `n_cells` cells of largest membership for every state; a cell wanted by
/// several goes to the state of its largest membership. Without `n_cells` every cell
/// goes there. Ties: the earlier cell, the earlier state. `memberships` is n x m; rows
/// need not sum to one. O(n m).
///
/// # Errors
/// `range` for an `n_cells` outside 1 to n / m or memberships that are not finite,
/// `no_state` when a state keeps fewer than a fifth of its cells.
pub fn assign_states(
    memberships: ArrayView2<'_, f64>,
    n_cells: Option<usize>,
) -> Result<Assignment> {
    assign_named(memberships, n_cells, &[])
}

/// As [`assign_states`], for states that have names: a state without enough cells is
/// called by its own. States beyond `names` are called by their number, from zero.
///
/// # Errors
/// Those of [`assign_states`].
pub fn assign_named(
    memberships: ArrayView2<'_, f64>,
    n_cells: Option<usize>,
    names: &[&str],
) -> Result<Assignment> {
    let (n, m) = memberships.dim();
    let count = memberships.iter().filter(|v| !v.is_finite()).count();
    if count > 0 {
        return Err(CoreError::NotFinite {
            what: "the memberships".into(),
            count,
            cells: vec![],
        });
    }
    let mut labels: Vec<Option<u32>> = try_filled(n, None, "the states of the cells")?;
    let largest = n.checked_div(m).unwrap_or(0);
    match n_cells {
        None => {
            for (i, label) in labels.iter_mut().enumerate() {
                for l in 0..m {
                    claim(memberships, label, i, l);
                }
            }
        }
        Some(wanted) if wanted == 0 || wanted > largest => {
            return Err(CoreError::Range {
                what: "the number of cells per state".into(),
                value: wanted as f64,
                allowed: format!("1 to {largest}"),
            });
        }
        Some(wanted) => {
            for l in 0..m {
                let mut order: Vec<usize> = (0..n).collect();
                // The largest, of equal ones the earlier cells.
                order.select_nth_unstable_by(wanted - 1, |&a, &b| {
                    let larger = memberships[(b, l)].total_cmp(&memberships[(a, l)]);
                    larger.then(a.cmp(&b))
                });
                for &i in &order[..wanted] {
                    claim(memberships, &mut labels[i], i, l);
                }
            }
        }
    }
    let mut counts = vec![0; m];
    for l in labels.iter().flatten() {
        counts[*l as usize] += 1;
    }
    let wanted = n_cells.unwrap_or(0);
    let least = if n_cells.is_some() {
        (wanted / 5).max(1)
    } else {
        0
    };
    if let Some(l) = counts.iter().position(|&c| c < least) {
        let name = names.get(l).map_or(l.to_string(), |s| format!("`{s}`"));
        return Err(CoreError::NoState {
            reason: format!(
                "macrostate {name} keeps {} of {wanted} cells, fewer than {least}: the others belong more to another state",
                counts[l]
            ),
        });
    }
    let short = (0..m).filter(|&l| counts[l] < wanted).collect();
    Ok(Assignment {
        labels,
        counts,
        short,
    })
}

/// Gives cell `i` to state `l` unless it already belongs more, or as much, to another.
fn claim(memberships: ArrayView2<'_, f64>, label: &mut Option<u32>, i: usize, l: usize) {
    let better = label.map_or(true, |old| {
        memberships[(i, l)] > memberships[(i, old as usize)]
    });
    if better {
        *label = Some(l as u32);
    }
}

/// How much every cell belongs to one of the states: the largest of its memberships,
/// each divided by the largest that any cell has in that state. In [0, 1]; a state in
/// which no cell has a membership counts for nothing. `memberships` is n x m. O(n m).
///
/// # Errors
/// `memory`.
pub fn state_scores(memberships: ArrayView2<'_, f64>) -> Result<Vec<f64>> {
    let mut scores = try_filled(memberships.nrows(), 0.0_f64, "the scores of the cells")?;
    for column in memberships.columns() {
        let largest = column.iter().fold(0.0_f64, |a, &b| a.max(b));
        if largest > 0.0 {
            for (score, &v) in scores.iter_mut().zip(column) {
                *score = score.max(v / largest);
            }
        }
    }
    Ok(scores)
}

/// Initial macrostates: the `count` of smallest weight in the stationary distribution
/// of the coarse chain, which leaves them and does not come back; in the order of the
/// macrostates, ties by that order. A single macrostate is always initial. O(m log m).
///
/// # Errors
/// `range` for more states than there are or none, or weights that are not finite.
pub fn select_initial(stationary: &[f64], count: usize) -> Result<Vec<usize>> {
    let m = stationary.len();
    let bad = stationary.iter().filter(|v| !v.is_finite()).count();
    if bad > 0 {
        return Err(CoreError::NotFinite {
            what: "the coarse stationary distribution".into(),
            count: bad,
            cells: vec![],
        });
    }
    if m == 1 {
        return Ok(vec![0]);
    }
    if count == 0 || count > m {
        return Err(CoreError::Range {
            what: "the number of initial states".into(),
            value: count as f64,
            allowed: format!("1 to {m}, the number of macrostates"),
        });
    }
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&a, &b| stationary[a].total_cmp(&stationary[b]));
    order.truncate(count);
    order.sort_unstable();
    Ok(order)
}

/// Terminal macrostates by `rule` from the diagonal of the coarse chain, in the order
/// of the macrostates; ties by that order. A single macrostate is always terminal.
/// O(m log m).
///
/// # Errors
/// `no_state` when no state is stable enough, `range` for more states than there are
/// or none.
pub fn select_terminal(diagonal: &[f64], rule: TerminalRule) -> Result<Vec<usize>> {
    let m = diagonal.len();
    if m == 1 {
        return Ok(vec![0]);
    }
    let wanted = match rule {
        TerminalRule::Stability(threshold) => {
            let stable: Vec<usize> = (0..m).filter(|&k| diagonal[k] >= threshold).collect();
            if stable.is_empty() {
                return Err(CoreError::NoState {
                    reason: format!("no macrostate has a stability of {threshold} or more"),
                });
            }
            return Ok(stable);
        }
        TerminalRule::TopN(count) => count,
        TerminalRule::Eigengap(index) => index + 1,
        TerminalRule::EigengapCoarse(alpha) => eigengap(diagonal, alpha)? + 1,
    };
    if wanted == 0 || wanted > m {
        return Err(CoreError::Range {
            what: "the number of terminal states".into(),
            value: wanted as f64,
            allowed: format!("1 to {m}, the number of macrostates"),
        });
    }
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&a, &b| diagonal[b].total_cmp(&diagonal[a]));
    order.truncate(wanted);
    order.sort_unstable();
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, Array2};

    #[test]
    fn cells_go_where_they_belong_most() {
        let chi = array![
            [0.9, 0.1],
            [0.8, 0.2],
            [0.6, 0.4],
            [0.5, 0.5],
            [0.2, 0.8],
            [0.1, 0.9]
        ];
        let a = assign_states(chi.view(), None).unwrap();
        assert_eq!((a.counts.clone(), a.short.clone()), (vec![4, 2], vec![]));
        let a = assign_states(chi.view(), Some(2)).unwrap();
        let want = vec![Some(0), Some(0), None, None, Some(1), Some(1)];
        assert_eq!((a.labels, a.short), (want, vec![]));
    }

    #[test]
    fn a_contested_cell_is_taken_once_and_reported() {
        // Both states want cells 0 and 1; ties go to the earlier cell and state.
        let chi = array![[0.9, 0.7], [0.6, 0.6], [0.1, 0.3], [0.0, 0.2]];
        let e = assign_states(chi.view(), Some(2)).unwrap_err();
        assert_eq!(e.kind(), "no_state");
        let chi = array![[0.9, 0.1], [0.5, 0.6], [0.1, 0.8], [0.2, 0.2]];
        let a = assign_states(chi.view(), Some(2)).unwrap();
        assert_eq!((a.counts, a.short), (vec![1, 2], vec![0]));
    }

    #[test]
    fn numbers_of_cells_that_do_not_fit_are_refused() {
        let chi = Array2::from_elem((10, 3), 0.3);
        let kind = |k| assign_states(chi.view(), Some(k)).unwrap_err().kind();
        assert_eq!((kind(0), kind(4)), ("range", "range"));
        let bad = Array2::from_elem((10, 3), f64::NAN);
        assert_eq!(assign_states(bad.view(), None).unwrap_err().kind(), "range");
        let few = array![[0.9, 0.7], [0.6, 0.6], [0.1, 0.3], [0.0, 0.2]];
        let e = assign_named(few.view(), Some(2), &["Alpha", "Beta"]).unwrap_err();
        assert!(e.to_string().contains("`Beta` keeps 0 of 2"));
        // An empty state is allowed when every cell is placed.
        let a = assign_states(chi.view(), None).unwrap();
        assert_eq!(a.counts, [10, 0, 0]);
    }

    #[test]
    fn terminal_states_follow_the_rule() {
        let diagonal = [0.9, 0.97, 0.5, 0.97];
        let select = |rule| select_terminal(&diagonal, rule);
        assert_eq!(select(TerminalRule::Stability(0.96)).unwrap(), [1, 3]);
        assert_eq!(select(TerminalRule::TopN(1)).unwrap(), [1]);
        assert_eq!(select(TerminalRule::Eigengap(2)).unwrap(), [0, 1, 3]);
        assert_eq!(
            select(TerminalRule::EigengapCoarse(1.0)).unwrap(),
            [0, 1, 3]
        );
        let kind = |rule| select(rule).unwrap_err().kind();
        assert_eq!(kind(TerminalRule::Stability(42.0)), "no_state");
        assert_eq!(kind(TerminalRule::TopN(0)), "range");
        assert_eq!(kind(TerminalRule::TopN(5)), "range");
        assert_eq!(
            select_terminal(&[0.1], TerminalRule::Stability(1.0)),
            Ok(vec![0])
        );
    }

    #[test]
    fn scores_are_memberships_over_the_largest_of_their_state() {
        let chi = array![[0.5, 0.1, 0.0], [0.2, 0.4, 0.0], [0.0, 0.1, 0.0]];
        assert_eq!(state_scores(chi.view()).unwrap(), [1.0, 1.0, 0.25]);
        let none = Array2::<f64>::zeros((2, 0));
        assert_eq!(state_scores(none.view()).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn initial_states_are_those_the_chain_leaves() {
        let pi = [0.3, 0.1, 0.5, 0.1];
        assert_eq!(select_initial(&pi, 1).unwrap(), [1]);
        assert_eq!(select_initial(&pi, 2).unwrap(), [1, 3]);
        assert_eq!(select_initial(&pi, 3).unwrap(), [0, 1, 3]);
        assert_eq!(select_initial(&[1.0], 1).unwrap(), [0]);
        let kind = |pi: &[f64], k| select_initial(pi, k).unwrap_err().kind();
        assert_eq!((kind(&pi, 0), kind(&pi, 5)), ("range", "range"));
        assert_eq!(kind(&[0.5, f64::NAN], 1), "range");
    }
}
