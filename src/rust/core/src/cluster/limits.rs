//! Communities too small to stand (section 2.8 of the graph rules).

use super::adjacency::Weight;
use super::level::{Level, Partition, Tally};
use super::moving::Rules;
use super::objective::Objective;
use crate::error::Result;

/// Dissolves communities whose total node size is below the limit, the smallest
/// first (ties by id): each cell goes to the neighbouring community where the
/// quality suffers least. A community of fixed cells stays, and so do cells that
/// no edge leads out of. The level knows its sizes; labels are 0.. and stay below n. O(edges) in practice.
///
/// # Errors
/// `memory`.
pub(super) fn dissolve_small<W: Weight, O: Objective>(
    level: &Level<W, O::Mass>,
    objective: &O,
    rules: &Rules,
    least: u64,
    labels: &mut Vec<u32>,
) -> Result<()> {
    let n = level.len();
    let size_of = |v: u32| level.sizes[v as usize];
    let mut objective = objective.clone();
    let mut p = Partition::new(level, &objective, std::mem::take(labels))?;
    objective.start(&p.mass);
    let mut members: Vec<Vec<u32>> = vec![vec![]; n];
    for (v, &c) in p.of.iter().enumerate() {
        members[c as usize].push(v as u32);
    }
    let mut small: std::collections::BTreeSet<(u64, u32)> = (0..n as u32)
        .map(|c| (p.sizes[c as usize], c))
        .filter(|&(s, _)| s > 0 && s < least)
        .collect();
    let mut tally = Tally::new(n)?;
    while let Some((_, c)) = small.pop_first() {
        if members[c as usize]
            .iter()
            .any(|&v| level.is_fixed(v as usize))
        {
            continue;
        }
        let mut waiting = std::mem::take(&mut members[c as usize]);
        // A cell inside may have to wait until a neighbour has left.
        loop {
            let before = waiting.len();
            waiting.retain(|&v| {
                let Some((d, w)) = refuge(level, &p, &objective, rules, &mut tally, v) else {
                    return true;
                };
                let (a, b) = (c as usize, d as usize);
                let node = level.mass[v as usize];
                let own = tally.get(c);
                p.members[a] -= 1;
                p.mass[a] = if p.members[a] == 0 {
                    O::Mass::default()
                } else {
                    objective.leave(p.mass[a], node, own)
                };
                objective.taken(node, p.mass[a], own);
                objective.placed(node, p.mass[b], w);
                p.mass[b] = objective.join(p.mass[b], node, w);
                p.members[b] += 1;
                p.of[v as usize] = d;
                members[b].push(v);
                p.sizes[a] -= size_of(v);
                p.sizes[b] += size_of(v);
                if small.remove(&(p.sizes[b] - size_of(v), d)) && p.sizes[b] < least {
                    small.insert((p.sizes[b], d));
                }
                false
            });
            if waiting.is_empty() || waiting.len() == before {
                break;
            }
        }
        members[c as usize] = waiting;
    }
    *labels = p.of;
    Ok(())
}

/// The best other community next to `v`, and the weight to it.
fn refuge<W: Weight, O: Objective>(
    level: &Level<W, O::Mass>,
    p: &Partition<O::Mass>,
    objective: &O,
    rules: &Rules,
    tally: &mut Tally,
    v: u32,
) -> Option<(u32, f64)> {
    let own = p.of[v as usize];
    tally.clear();
    let (targets, weights) = level.adjacency.row(v as usize);
    for (&t, &w) in targets.iter().zip(weights) {
        tally.add(p.of[t as usize], w.get());
    }
    let mut best: Option<(u32, f64, f64)> = None;
    for &(c, w) in &tally.list {
        let full = p.sizes[c as usize] + level.sizes[v as usize] > rules.max_size;
        if c == own || full {
            continue;
        }
        let score = objective.score(level.mass[v as usize], p.mass[c as usize], w);
        if best.map_or(true, |(b, s, _)| score > s || (score == s && c < b)) {
            best = Some((c, score, w));
        }
    }
    best.map(|(c, _, w)| (c, w))
}
