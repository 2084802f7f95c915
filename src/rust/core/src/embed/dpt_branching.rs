//! Where trajectories part (branchings of diffusion pseudotime: Haghverdi et al.
//! 2016).
//!
//! A piece of a trajectory has two tips. If it has a third cell that is far from
//! both, the piece is a fork, and it is cut into three branches: seen from one tip,
//! the distances to the two others rise and fall together while cells still lie on
//! the way to the fork, and against each other beyond it. So cells are sorted by
//! their distance from a tip, and the cut is where the Kendall correlation of the
//! distances to the other tips before the cut exceeds that after it most. Cells
//! claimed by several branches are undecided and stay a piece of their own.
//!
//! Only distances to tips are needed, so memory grows with the cells; the cut
//! compares all pairs of cells of a piece, O(m^2) time.

use super::dpt::Diffusion;
use super::dpt_cut::{best_cut, ranks, MARGIN};
use crate::error::{try_filled, CoreError, Result};
use crate::exec::Exec;

/// Smallest piece with an admissible cut.
const SMALLEST: usize = 2 * MARGIN + 2;
/// Cuts beyond this share of a piece are pulled back.
const SHIFT: f64 = 0.95;

/// How to look for branchings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BranchingOptions {
    /// Rounds of splitting.
    pub n_branchings: usize,
    /// Only pieces of more cells are split.
    pub min_group_size: usize,
    /// Pull back a cut that leaves nearly everything on one side.
    pub allow_shift: bool,
    /// Largest piece to compare all pairs of; None for any.
    pub limit: Option<usize>,
}

impl Default for BranchingOptions {
    fn default() -> BranchingOptions {
        BranchingOptions {
            n_branchings: 1,
            min_group_size: 0,
            allow_shift: true,
            limit: Some(20_000),
        }
    }
}

/// The pieces of a trajectory.
#[derive(Debug, Clone, PartialEq)]
pub struct Branching {
    /// Piece of every cell; None for cells that cannot be reached.
    pub groups: Vec<Option<u32>>,
    /// Cells by piece, then pseudotime, then number; without the unreachable ones.
    pub order: Vec<usize>,
    /// Rank of the first cell of every piece but the first.
    pub changepoints: Vec<usize>,
    /// Two tips of every piece, the one of smaller pseudotime first.
    pub tips: Vec<[usize; 2]>,
    /// Whether a piece consists of cells that several branches claimed.
    pub undecided: Vec<bool>,
    /// Cells that no branch claimed; they are counted to piece 0.
    pub unclaimed: usize,
    /// Cuts that were pulled back.
    pub shifted: usize,
    /// Branchings that were found.
    pub found: usize,
}

/// Part of a trajectory: cells in ascending order and two tips.
#[derive(Debug, Clone)]
struct Piece {
    cells: Vec<usize>,
    tips: [usize; 2],
    /// Whether its tips may touch other pieces: the first one and undecided ones.
    open: bool,
    undecided: bool,
}

/// A piece that may be a fork.
struct Fork {
    piece: usize,
    score: f64,
    tips: [usize; 3],
}

/// Splits the component of the root (of the cells, for None: the largest component)
/// `n_branchings` times. `pseudotime` orders cells within pieces; None by number.
/// The same bits on any number of threads. O(n_branchings m^2) time for pieces of m
/// cells, O(n) memory.
///
/// # Errors
/// `range` for a root that is no cell and for a piece above the limit, `shape` for a
/// pseudotime of another size, `interrupted`.
pub fn branchings(
    exec: &Exec,
    diffusion: &Diffusion,
    root: Option<usize>,
    pseudotime: Option<&[f64]>,
    options: &BranchingOptions,
) -> Result<Branching> {
    let n = diffusion.cells();
    let found = pseudotime.map_or(n, <[f64]>::len);
    if found != n {
        return Err(CoreError::Shape {
            what: "the pseudotime".into(),
            expected: n,
            found,
        });
    }
    let cells = diffusion.reachable(root)?;
    let from = root.or(cells.first().copied()).unwrap_or(0);
    let first = farthest(diffusion, from, &cells);
    let mut pieces = vec![Piece {
        tips: [first, farthest(diffusion, first, &cells)],
        cells,
        open: true,
        undecided: false,
    }];
    let (mut shifted, mut done) = (0, 0);
    exec.control().begin(options.n_branchings);
    while done < options.n_branchings {
        let mut forks = forks(diffusion, &pieces, options.min_group_size);
        forks.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.piece.cmp(&b.piece)));
        let mut split = false;
        for fork in &forks {
            if let Some(shifts) = cut(exec, diffusion, &mut pieces, fork, options)? {
                shifted += shifts;
                split = true;
                break;
            }
        }
        if !split {
            break;
        }
        done += 1;
        exec.control().tick(1);
    }
    let mut out = label(n, &pieces, &diffusion.reachable(root)?, pseudotime);
    (out.shifted, out.found) = (shifted, done);
    Ok(out)
}

/// The cell farthest from `from`; ties: the first.
fn farthest(diffusion: &Diffusion, from: usize, cells: &[usize]) -> usize {
    ahead(cells, from, |i| diffusion.distance(from, i))
}

/// The cell nearest to `from`; ties: the first.
fn nearest(diffusion: &Diffusion, from: usize, cells: &[usize]) -> usize {
    ahead(cells, from, |i| 0.0 - diffusion.distance(from, i))
}

/// The first cell of largest value; `none` without cells.
fn ahead(cells: &[usize], none: usize, value: impl Fn(usize) -> f64) -> usize {
    let mut best = (none, f64::NEG_INFINITY);
    for &i in cells {
        let v = value(i);
        if v > best.1 {
            best = (i, v);
        }
    }
    best.0
}

/// Pieces with a third tip, scored by how far it lies off the line of the two.
fn forks(diffusion: &Diffusion, pieces: &[Piece], min_group_size: usize) -> Vec<Fork> {
    let tall = |p: &Piece| p.cells.len() > min_group_size && p.cells.len() >= SMALLEST;
    (0..pieces.len())
        .filter(|&p| tall(&pieces[p]))
        .map(|p| third_tip(diffusion, pieces, p))
        .filter(|fork| fork.score.is_finite() && fork.score > 0.0)
        .collect()
}

fn third_tip(diffusion: &Diffusion, pieces: &[Piece], p: usize) -> Fork {
    let piece = &pieces[p];
    let cells = &piece.cells;
    let mut tips = piece.tips;
    let add = |sum: &mut [f64], tip: usize, sign: f64| {
        for (s, &i) in sum.iter_mut().zip(cells) {
            *s += sign * diffusion.distance(tip, i);
        }
    };
    let mut sum = vec![0.0; cells.len()];
    add(&mut sum, tips[0], 1.0);
    add(&mut sum, tips[1], 1.0);
    let third = first_max(&sum);
    if piece.open && touches(diffusion, pieces, p) {
        add(&mut sum, cells[third], 1.0);
        let fourth = first_max(&sum);
        if cells[fourth] != tips[0] && fourth != third {
            tips[1] = cells[fourth];
            add(&mut sum, tips[1], -1.0);
        } else {
            add(&mut sum, cells[third], -1.0);
        }
    }
    Fork {
        piece: p,
        score: sum[third] / diffusion.distance(tips[0], tips[1]),
        tips: [tips[0], tips[1], cells[third]],
    }
}

/// Whether a tip lies nearer than half the length of the piece to the inner tip of
/// another one.
fn touches(diffusion: &Diffusion, pieces: &[Piece], p: usize) -> bool {
    let [a, b] = pieces[p].tips;
    let half = 0.5 * diffusion.distance(a, b);
    pieces.iter().enumerate().any(|(q, other)| {
        q != p
            && (diffusion.distance(other.tips[1], a) < half
                || diffusion.distance(other.tips[1], b) < half)
    })
}

fn first_max(values: &[f64]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best
}

/// Cuts a fork into its branches and puts them into `pieces`; the number of cuts
/// that were pulled back, or None where a branch would be empty.
fn cut(
    exec: &Exec,
    diffusion: &Diffusion,
    pieces: &mut Vec<Piece>,
    fork: &Fork,
    options: &BranchingOptions,
) -> Result<Option<usize>> {
    let old = pieces[fork.piece].clone();
    let m = old.cells.len();
    if let Some(limit) = options.limit.filter(|&limit| m > limit) {
        return Err(CoreError::Range {
            what: "the number of cells to compare in pairs".into(),
            value: m as f64,
            allowed: format!("at most {limit}"),
        });
    }
    let mut claims = try_filled(m, 0u8, "branches")?;
    let mut claimed: Vec<Vec<usize>> = vec![];
    let mut shifts = 0;
    for start in 0..3 {
        let tips = [0, 1, 2].map(|t| fork.tips[(start + t) % 3]);
        let (branch, shift) = near_branch(exec, diffusion, &old.cells, tips, options.allow_shift)?;
        shifts += usize::from(shift);
        for &at in &branch {
            claims[at] += 1;
        }
        claimed.push(branch);
    }
    let mut branches: Vec<Piece> = vec![];
    for (branch, &tip) in claimed.iter_mut().zip(&fork.tips) {
        branch.retain(|&at| claims[at] == 1);
        branch.sort_unstable();
        if branch.is_empty() {
            return Ok(None);
        }
        let cells: Vec<usize> = branch.iter().map(|&at| old.cells[at]).collect();
        branches.push(Piece {
            tips: [tip, farthest(diffusion, tip, &cells)],
            cells,
            open: false,
            undecided: false,
        });
    }
    let several = |&at: &usize| claims[at] > 1;
    let undecided: Vec<usize> = (0..m).filter(several).map(|at| old.cells[at]).collect();
    let trunk = if let Some(&lowest) = undecided.first() {
        let end = farthest(diffusion, lowest, &undecided);
        Piece {
            tips: [end, farthest(diffusion, end, &undecided)],
            cells: undecided,
            open: true,
            undecided: true,
        }
    } else {
        let at = central(diffusion, &branches);
        Piece {
            open: old.open,
            ..branches.remove(at)
        }
    };
    pieces[fork.piece] = trunk;
    pieces.append(&mut branches);
    Ok(Some(shifts))
}

/// The branch nearest to both others, between the cells that are nearest to the
/// start tip of the other.
fn central(diffusion: &Diffusion, branches: &[Piece]) -> usize {
    let gap = |a: usize, b: usize| {
        let in_a = nearest(diffusion, branches[b].tips[0], &branches[a].cells);
        let in_b = nearest(diffusion, branches[a].tips[0], &branches[b].cells);
        diffusion.distance(in_a, in_b)
    };
    let sums = [0, 1, 2].map(|a| 0.0 - (gap(a, (a + 1) % 3) + gap(a, (a + 2) % 3)));
    first_max(&sums)
}

/// Places in `cells` of those on the side of `tips[0]`, and whether the cut was
/// pulled back.
fn near_branch(
    exec: &Exec,
    diffusion: &Diffusion,
    cells: &[usize],
    tips: [usize; 3],
    allow_shift: bool,
) -> Result<(Vec<usize>, bool)> {
    let m = cells.len();
    let to = |tip: usize| -> Vec<f64> {
        let distance = |&i: &usize| diffusion.distance(tip, i);
        cells.iter().map(distance).collect()
    };
    let [away, a, b] = tips.map(to);
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&i, &j| away[i].total_cmp(&away[j]).then(i.cmp(&j)));
    let sorted = |d: &[f64]| ranks(&order.iter().map(|&i| d[i]).collect::<Vec<_>>());
    let best = best_cut(exec, &sorted(&a), &sorted(&b))?;
    let shift = best as f64 > SHIFT * m as f64 && allow_shift;
    order.truncate(if shift {
        (SHIFT * best as f64) as usize
    } else {
        best + 1
    });
    Ok((order, shift))
}

/// Labels, order and tips of the final pieces.
fn label(n: usize, pieces: &[Piece], reachable: &[usize], pseudotime: Option<&[f64]>) -> Branching {
    let mut groups = vec![None; n];
    for (p, piece) in pieces.iter().enumerate() {
        for &i in &piece.cells {
            groups[i] = Some(p as u32);
        }
    }
    let mut unclaimed = 0;
    for &i in reachable {
        if groups[i].is_none() {
            groups[i] = Some(0);
            unclaimed += 1;
        }
    }
    let time = |i: usize| pseudotime.map_or(0.0, |t| t[i]);
    let mut order = reachable.to_vec();
    order.sort_by(|&i, &j| {
        let by_time = time(i).total_cmp(&time(j));
        groups[i].cmp(&groups[j]).then(by_time).then(i.cmp(&j))
    });
    let changepoints = (1..order.len())
        .filter(|&r| groups[order[r]] != groups[order[r - 1]])
        .collect();
    let tips = pieces
        .iter()
        .map(|piece| {
            let [a, b] = piece.tips;
            if time(b) < time(a) {
                [b, a]
            } else {
                [a, b]
            }
        })
        .collect();
    Branching {
        groups,
        order,
        changepoints,
        tips,
        undecided: pieces.iter().map(|p| p.undecided).collect(),
        unclaimed,
        shifted: 0,
        found: 0,
    }
}

#[cfg(test)]
#[path = "dpt_branching_tests.rs"]
mod tests;
