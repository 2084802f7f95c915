//! The chain seen from afar: groups of cells that exchange mass quickly.
//!
//! An iteration spreads information along single steps of the chain; what takes
//! thousands of steps, above all leaving a group of cells that is almost closed, it
//! learns very slowly. The coarse chain knows just that. Cells are joined to the
//! neighbour they step to most, again and again, until few groups remain; the rates
//! between groups are means over their cells (`R A P`, P constant on groups), and
//! the small chain is solved exactly. Only groups that are left about equally fast
//! are joined, so that an almost closed group stays by itself (its exits are not
//! drowned in those of a neighbour).

use super::block::Operator;
use super::dense_lu::DenseLu;
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::simd;
use crate::sparse::csr::{row, Csr};
use crate::sparse::ops;

/// Groups at which joining stops.
const FEW: usize = 400;
/// Groups for which the coarse chain is still solved exactly.
const MANY: usize = 1500;
/// Most groups joined into one in one pass.
const AT_ONCE: u32 = 4;
/// How different the rates of leaving two groups may be.
const SIMILAR: f64 = 100.0;
/// A pass that keeps more than this share of the groups has stalled.
const STALLED: f64 = 0.9;

/// The exact inverse of the chain of groups, as an operator on cells.
#[derive(Debug, Clone)]
pub struct Coarse {
    group: Vec<u32>,
    size: Vec<f64>,
    lu: DenseLu,
}

impl Coarse {
    /// Groups the cells of `A = D - Q` and factors the chain of groups. `None` when
    /// too many groups remain. O(entries log n + groups^3).
    ///
    /// # Errors
    /// `singular` when some cells never leak, `memory`, `interrupted`.
    pub fn new(exec: &Exec, q: &Csr, leak: &[f64]) -> Result<Option<Coarse>> {
        let mut group: Vec<u32> = (0..leak.len() as u32).collect();
        let mut level = (q.clone(), leak.to_vec(), vec![1.0; leak.len()]);
        let mut similar = SIMILAR;
        while level.1.len() > FEW && similar.is_finite() {
            let n = level.1.len();
            let (joined, count) = join(&level.0, &level.1, similar);
            if count as f64 > STALLED * n as f64 {
                similar *= SIMILAR * SIMILAR;
            }
            if count < n {
                level = merge(exec, &level, &joined, count)?;
                group.iter_mut().for_each(|g| *g = joined[*g as usize]);
            }
        }
        let (q, leak, size) = level;
        if size.len() > MANY {
            return Ok(None);
        }
        let lu = DenseLu::new(exec, &q, &leak)?;
        Ok(Some(Coarse { group, size, lu }))
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.size.len()
    }
}

impl Operator for Coarse {
    fn size(&self) -> usize {
        self.group.len()
    }

    fn apply(&self, exec: &Exec, x: &[f64], k: usize, out: &mut [f64]) -> Result<()> {
        exec.check()?;
        let mut small = try_filled(self.size.len() * k, 0.0, "a preconditioner")?;
        for (&g, x) in self.group.iter().zip(x.chunks_exact(k)) {
            let at = g as usize * k;
            simd::axpy(1.0, x, &mut small[at..at + k]);
        }
        for (row, size) in small.chunks_exact_mut(k).zip(&self.size) {
            row.iter_mut().for_each(|v| *v /= size);
        }
        self.lu.solve(&mut small, k);
        for (&g, out) in self.group.iter().zip(out.chunks_exact_mut(k)) {
            let at = g as usize * k;
            out.copy_from_slice(&small[at..at + k]);
        }
        Ok(())
    }
}

/// New group of every group, and how many there are.
fn join(q: &Csr, leak: &[f64], similar: f64) -> (Vec<u32>, usize) {
    const NONE: u32 = u32::MAX;
    let n = leak.len();
    let exit: Vec<f64> = (0..n)
        .map(|i| leak[i] + row(q, i).1.iter().sum::<f64>())
        .collect();
    let alike = |i: usize, j: usize| exit[i] <= similar * exit[j] && exit[j] <= similar * exit[i];
    let mut group = vec![NONE; n];
    let mut members: Vec<u32> = Vec::new();
    for i in 0..n {
        if group[i] != NONE {
            continue;
        }
        let (cols, values) = row(q, i);
        let mut best: Option<(usize, f64)> = None;
        for (&c, &v) in cols.iter().zip(values) {
            let j = c as usize;
            let room = group[j] == NONE || members[group[j] as usize] < AT_ONCE;
            if room && j != i && alike(i, j) && best.map_or(v > 0.0, |b| v > b.1) {
                best = Some((j, v));
            }
        }
        let target = best.map(|(j, _)| j).filter(|&j| group[j] != NONE);
        group[i] = match target {
            Some(j) => group[j],
            None => {
                members.push(0);
                members.len() as u32 - 1
            }
        };
        members[group[i] as usize] += 1;
        if let (Some((j, _)), None) = (best, target) {
            group[j] = group[i];
            members[group[i] as usize] += 1;
        }
    }
    let count = members.len();
    (group, count)
}

/// Rates between the joined groups: means over cells, inner steps left out.
fn merge(
    exec: &Exec,
    (q, leak, size): &(Csr, Vec<f64>, Vec<f64>),
    group: &[u32],
    count: usize,
) -> Result<(Csr, Vec<f64>, Vec<f64>)> {
    let mut members = vec![Vec::new(); count];
    let (mut total, mut lost) = (vec![0.0; count], vec![0.0; count]);
    for (i, &g) in group.iter().enumerate() {
        members[g as usize].push(i);
        total[g as usize] += size[i];
        lost[g as usize] += size[i] * leak[i];
    }
    lost.iter_mut().zip(&total).for_each(|(l, t)| *l /= t);
    let merged = ops::build_rows(exec, count, count, |g, out| {
        for &i in &members[g] {
            let (cols, values) = row(q, i);
            let weight = size[i] / total[g];
            out.extend(
                cols.iter()
                    .zip(values)
                    .map(|(&c, &v)| (group[c as usize], weight * v))
                    .filter(|e| e.0 as usize != g),
            );
        }
        out.sort_by_key(|e| e.0);
        out.dedup_by(|b, a| {
            let same = a.0 == b.0;
            if same {
                a.1 += b.1;
            }
            same
        });
    })?;
    Ok((merged, lost, total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::csr::from_rows;

    /// A ring of `n` cells; cells below `cut` form an arc left with rate `exit`.
    fn ring(n: usize, cut: usize, exit: f64) -> Csr {
        let rows = (0..n)
            .map(|i| {
                [(i + 1) % n, (i + n - 1) % n]
                    .into_iter()
                    .map(|j| {
                        let out = i < cut && j >= cut;
                        (j as u32, if out { exit } else { 1.0 })
                    })
                    .collect()
            })
            .collect();
        from_rows(n, rows).unwrap()
    }

    #[test]
    fn an_almost_closed_group_stays_by_itself() {
        let (n, cut) = (1200, 100);
        let mut leak = vec![0.0; n];
        leak[600] = 1.0;
        let q = ring(n, cut, 1e-9);
        let coarse = Coarse::new(&Exec::serial(), &q, &leak).unwrap().unwrap();
        assert!(coarse.groups() <= FEW && coarse.groups() > 10);
        let inside: Vec<u32> = coarse.group[..cut].to_vec();
        assert!(coarse.group[cut..].iter().all(|g| !inside.contains(g)));
    }

    #[test]
    fn threads_do_not_change_the_groups() {
        let q = ring(2000, 10, 0.5);
        let leak = vec![1e-3; 2000];
        let run = |threads| {
            let exec = Exec::with_threads(threads).unwrap();
            let c = Coarse::new(&exec, &q, &leak).unwrap().unwrap();
            let x: Vec<f64> = (0..4000).map(|i| (i as f64 * 0.61) % 1.0).collect();
            let mut out = vec![0.0; 4000];
            c.apply(&exec, &x, 2, &mut out).unwrap();
            (c.group, out)
        };
        assert_eq!(run(1), run(2));
        assert_eq!(run(1), run(4));
    }
}
