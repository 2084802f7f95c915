//! How a division into macrostates changes with their number.
//!
//! A good number of states gives crisp memberships and states that stay: going from m - 1
//! to m states, a well-founded division splits one state and leaves the others alone.
//! Each number is compared with the one before it, in the order given, by the best
//! matches of the cells that stand for the states (Jaccard index), by the share of cells
//! whose state lies inside one earlier state, and by the adjusted Rand index of the
//! partitions into the states of largest membership (Hubert & Arabie 1985). All numbers
//! are served by the leading columns of one Schur basis.

use super::coarse::coarse;
use super::macrostates::{enough_states, represented, whole_chain};
use super::rotation::Optimizer;
use super::simplex::min_chi;
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;
use crate::sparse::Csr;
use ndarray::{ArrayView1, ArrayView2, Axis, Slice};

/// What was found for one number of macrostates.
#[derive(Debug, Clone, PartialEq)]
pub struct Division {
    /// Smallest membership before optimisation, 0 at best.
    pub min_chi: f64,
    /// Crispness of the memberships, 1 at best.
    pub crispness: f64,
    /// Smallest probability to stay, over the states.
    pub least_stability: f64,
    /// State of every cell that stands for one.
    pub labels: Vec<Option<u32>>,
    /// Compared with the division before it; `None` for the first.
    pub change: Option<Change>,
    /// State of largest membership of every cell.
    partition: Vec<u32>,
}

/// How a division relates to an earlier one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Mean over the earlier states of the largest Jaccard index between their cells
    /// and those of a later state: 1 when all are still there.
    pub jaccard: f64,
    /// Share of the cells in the earlier state that most of their later state is in:
    /// 1 when every later state lies inside an earlier one.
    pub nested: f64,
    /// Adjusted Rand index of the two partitions of all cells.
    pub adjusted_rand: f64,
}

/// Divisions of `t` into each number of macrostates in `states`, from the Schur vectors
/// `x` (cells x at least the largest number), each state shown by `n_cells` cells. A
/// number for which there is no valid division has its error instead; later ones are
/// compared with the last valid one. One state is the stationary distribution, with
/// `min_chi` 0, `crispness` 1 and stability 1. Cost: that of the optimiser for each
/// number.
///
/// # Errors
/// `memory`, `interrupted`; every other error belongs to its number of states.
pub fn divisions(
    exec: &Exec,
    t: &Csr,
    x: ArrayView2<'_, f64>,
    states: &[usize],
    optimizer: Optimizer,
    n_cells: Option<usize>,
) -> Result<Vec<Result<Division>>> {
    let control = exec.control();
    control.begin(states.len());
    let mut found: Vec<Result<Division>> = Vec::with_capacity(states.len());
    for &m in states {
        exec.check()?;
        let next = match division(exec, t, x, m, optimizer, n_cells) {
            Err(e) if matches!(e.kind(), "interrupted" | "memory") => return Err(e),
            Err(e) => Err(e),
            Ok(mut next) => {
                let before = found.iter().rev().find_map(|d| d.as_ref().ok());
                next.change = match before {
                    Some(before) => Some(change(before, &next)?),
                    None => None,
                };
                Ok(next)
            }
        };
        found.push(next);
        control.tick(1);
    }
    Ok(found)
}

fn division(
    exec: &Exec,
    t: &Csr,
    x: ArrayView2<'_, f64>,
    m: usize,
    optimizer: Optimizer,
    n_cells: Option<usize>,
) -> Result<Division> {
    if m == 1 {
        let whole = whole_chain(exec, t, n_cells)?;
        return Ok(Division {
            min_chi: 0.0,
            crispness: 1.0,
            least_stability: 1.0,
            labels: whole.assignment.labels,
            change: None,
            partition: try_filled(t.rows(), 0, "the states of the cells")?,
        });
    }
    let min_chi = min_chi(x, m)?;
    enough_states(t, m)?;
    let x = x.slice_axis(Axis(1), Slice::from(..m));
    let (found, assignment, _) = represented(exec, x, optimizer, n_cells)?;
    let chi = found.memberships.view();
    let coarse = coarse(exec, t, chi, None)?;
    let stay = coarse.transition.diag();
    let mut partition = try_with_capacity(t.rows(), "the states of the cells")?;
    partition.extend(chi.rows().into_iter().map(largest));
    Ok(Division {
        min_chi,
        crispness: found.crispness,
        least_stability: stay.iter().fold(f64::INFINITY, |least, &v| least.min(v)),
        labels: assignment.labels,
        change: None,
        partition,
    })
}

/// The first position of the largest value.
fn largest(row: ArrayView1<'_, f64>) -> u32 {
    let (mut at, mut best) = (0, f64::NEG_INFINITY);
    for (l, &v) in row.iter().enumerate() {
        if v > best {
            (at, best) = (l as u32, v);
        }
    }
    at
}

fn change(before: &Division, after: &Division) -> Result<Change> {
    let shown = Shared::new(pairs(&before.labels, &after.labels), before, after)?;
    let all = before.partition.iter().zip(&after.partition);
    let whole = Shared::new(all.map(|(&a, &b)| (Some(a), Some(b))), before, after)?;
    Ok(Change {
        jaccard: shown.best_jaccard(),
        nested: whole.nested(),
        adjusted_rand: whole.adjusted_rand(),
    })
}

fn pairs<'a>(
    a: &'a [Option<u32>],
    b: &'a [Option<u32>],
) -> impl Iterator<Item = (Option<u32>, Option<u32>)> + 'a {
    a.iter().copied().zip(b.iter().copied())
}

/// Cells in each earlier and each later state, and in both.
struct Shared {
    /// Earlier x later, by rows.
    both: Vec<f64>,
    earlier: Vec<f64>,
    later: Vec<f64>,
}

impl Shared {
    fn new(
        cells: impl Iterator<Item = (Option<u32>, Option<u32>)>,
        before: &Division,
        after: &Division,
    ) -> Result<Shared> {
        let (k, l) = (before.states(), after.states());
        let what = "the overlap of two divisions";
        let mut shared = Shared {
            both: try_filled(k * l, 0.0, what)?,
            earlier: try_filled(k, 0.0, what)?,
            later: try_filled(l, 0.0, what)?,
        };
        for (a, b) in cells {
            if let Some(a) = a {
                shared.earlier[a as usize] += 1.0;
            }
            if let Some(b) = b {
                shared.later[b as usize] += 1.0;
            }
            if let (Some(a), Some(b)) = (a, b) {
                shared.both[a as usize * l + b as usize] += 1.0;
            }
        }
        Ok(shared)
    }

    fn best_jaccard(&self) -> f64 {
        let l = self.later.len();
        let (mut sum, mut count) = (0.0, 0.0);
        for (row, &a) in self.both.chunks_exact(l).zip(&self.earlier) {
            if a == 0.0 {
                continue;
            }
            let index = row.iter().zip(&self.later).map(|(n, b)| n / (a + b - n));
            sum += index.fold(0.0f64, f64::max);
            count += 1.0;
        }
        sum / count
    }

    fn nested(&self) -> f64 {
        let l = self.later.len();
        let inside = (0..l).map(|b| {
            let column = self.both.iter().skip(b).step_by(l);
            column.fold(0.0f64, |most, &n| most.max(n))
        });
        inside.sum::<f64>() / self.later.iter().sum::<f64>()
    }

    /// 1 for equal partitions, 0 on average for unrelated ones; 1 for two partitions
    /// that both have one class or both only classes of one cell.
    fn adjusted_rand(&self) -> f64 {
        let twos = |counts: &[f64]| counts.iter().map(|n| n * (n - 1.0) / 2.0).sum::<f64>();
        let n: f64 = self.later.iter().sum();
        let (both, a, b) = (twos(&self.both), twos(&self.earlier), twos(&self.later));
        let expected = a * b / (n * (n - 1.0) / 2.0);
        let most = 0.5 * (a + b);
        if most == expected {
            return 1.0;
        }
        (both - expected) / (most - expected)
    }
}

impl Division {
    /// States, those without cells included.
    fn states(&self) -> usize {
        let shown = self.labels.iter().flatten().max();
        let all = self.partition.iter().max();
        shown.max(all).map_or(0, |&l| l as usize + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::gpcca::{schur_basis, SchurMethod};
    use crate::linalg::reorder::Which;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;
    use crate::testing::same_bits;

    const SIZE: usize = 40;

    /// `groups` groups in pairs: cells move in their group, sometimes to its partner,
    /// rarely elsewhere.
    fn nested_groups(groups: usize) -> Csr {
        let n = groups * SIZE;
        let mut s = Stream::new(77, 6, groups as u64, 0);
        let rows = (0..n)
            .map(|i| {
                let g = i / SIZE;
                let mut w = std::collections::BTreeMap::new();
                for _ in 0..10 {
                    *w.entry(g * SIZE + s.below(SIZE)).or_insert(0.0) += 1.0 + s.uniform();
                }
                let partner = (g ^ 1).min(groups - 1);
                *w.entry(partner * SIZE + s.below(SIZE)).or_insert(0.0) += 0.05 * (g + 1) as f64;
                *w.entry(s.below(n)).or_insert(0.0) += 1e-3;
                let sum: f64 = w.values().sum();
                w.into_iter().map(|(j, v)| (j as u32, v / sum)).collect()
            })
            .collect();
        from_rows(n, rows).unwrap()
    }

    fn profile(threads: usize, t: &Csr, states: &[usize]) -> Vec<Result<Division>> {
        let exec = Exec::with_threads(threads).unwrap();
        let most = states.iter().copied().max().unwrap();
        let basis = schur_basis(&exec, t, most, Which::LargestReal, SchurMethod::Auto).unwrap();
        let x = basis.vectors.view();
        divisions(&exec, t, x, states, Optimizer::Auto, Some(10)).unwrap()
    }

    #[test]
    fn a_hierarchy_is_nested_and_its_levels_are_crisp() {
        let t = nested_groups(6);
        let found = profile(1, &t, &[1, 3, 4, 5, 6, 7]);
        let of = |k: usize| found[k].as_ref().unwrap();
        assert!(of(0).change.is_none() && of(0).labels.iter().flatten().count() == 10);
        for k in 1..5 {
            let change = of(k).change.unwrap();
            assert!(change.nested > 0.999, "{k}");
            assert!((0.0..=1.0).contains(&change.jaccard));
        }
        // The three pairs and the six groups are crisp, seven groups are not there.
        assert!(of(1).crispness > 0.9 && of(4).crispness > 0.8);
        assert!(of(4).min_chi > -0.3 && of(4).least_stability > 0.9);
        if let Ok(seven) = &found[5] {
            assert!(seven.crispness < of(4).crispness);
            assert!(seven.least_stability < of(4).least_stability);
        }
        // From five to six states one pair is split: five of six groups are as before.
        let change = of(4).change.unwrap();
        assert!(change.adjusted_rand > 0.7 && change.adjusted_rand < 1.0);
    }

    #[test]
    fn impossible_numbers_carry_their_reason() {
        let t = nested_groups(4);
        let found = profile(1, &t, &[2, 40, 3]);
        assert!(found[0].is_ok() && found[2].is_ok());
        assert_eq!(found[1].as_ref().unwrap_err().kind(), "range");
        // The third is compared with the first.
        assert!(found[2].as_ref().unwrap().change.is_some());
    }

    #[test]
    fn indices_agree_with_their_definitions() {
        let given = |labels: &[u32]| Division {
            min_chi: 0.0,
            crispness: 1.0,
            least_stability: 1.0,
            labels: labels.iter().map(|&l| (l < 9).then_some(l)).collect(),
            change: None,
            partition: labels.iter().map(|&l| l % 9).collect(),
        };
        let same = change(&given(&[0, 0, 1, 1, 2]), &given(&[1, 1, 0, 0, 2])).unwrap();
        assert_eq!(
            (same.jaccard, same.nested, same.adjusted_rand),
            (1.0, 1.0, 1.0)
        );
        // Pairs that agree, counted one by one.
        let (a, b) = ([0u32, 0, 0, 1, 1, 1, 2, 2], [0u32, 0, 1, 1, 1, 1, 2, 3]);
        let got = change(&given(&a), &given(&b)).unwrap();
        let (mut both, mut in_a, mut in_b, mut all) = (0.0, 0.0, 0.0, 0.0);
        for i in 0..a.len() {
            for j in 0..i {
                let (x, y) = (a[i] == a[j], b[i] == b[j]);
                both += f64::from(u8::from(x && y));
                in_a += f64::from(u8::from(x));
                in_b += f64::from(u8::from(y));
                all += 1.0;
            }
        }
        let expected = in_a * in_b / all;
        let want = (both - expected) / ((in_a + in_b) / 2.0 - expected);
        assert!((got.adjusted_rand - want).abs() < 1e-14);
        assert!((got.nested - 7.0 / 8.0).abs() < 1e-14);
        assert!((got.jaccard - (2.0 / 3.0 + 3.0 / 4.0 + 0.5) / 3.0).abs() < 1e-14);
        // Cells that stand for no state (9) count in neither.
        let some = change(&given(&[0, 0, 9, 1]), &given(&[0, 9, 9, 1])).unwrap();
        assert!((some.jaccard - 0.75).abs() < 1e-14);
    }

    #[test]
    fn threads_change_no_bit() {
        let t = nested_groups(4);
        same_bits(|threads| {
            let found = profile(threads, &t, &[2, 4, 5, 6]);
            let bits = |d: Result<Division>| d.map(|d| (d.crispness.to_bits(), d.partition));
            found.into_iter().map(bits).collect::<Vec<_>>()
        });
    }
}
