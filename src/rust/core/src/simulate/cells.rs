//! The latent state of a cell: how far it has come, and what it may become.
//!
//! At each split a cell that is bound for child k has seen evidence
//! `Z ~ Normal(I e_k, I)`, with I growing from zero since the split began
//! ([`topology::evidence`]). The probability of ending in child j, given what can be
//! seen, is then exactly `softmax_j(log prior_j + Z_j)` (Bayes' rule), and as the
//! cell moves on that probability is a martingale which ends at zero or one. The
//! probability of a fate is the product along the tree.

use super::purpose;
use super::topology::{self, Split, Tree};
use crate::math;
use crate::rng::Stream;

/// Sampling days; cells of a day are spread, later days are further on average.
pub const DAYS: usize = 4;
/// Log odds of progress at the centre of each day.
const DAY_CENTRES: [f64; DAYS] = [-2.6, -0.9, 0.5, 2.2];
const DAY_SPREAD: f64 = 0.9;
/// Treatment adds this, times the effect, to the log odds of the first fates at the
/// first split.
const TREATED_LOG_ODDS: f64 = 1.0;
const SAMPLE_LOG_ODDS: f64 = 0.1;
const DEPTH_SPREAD: f64 = 0.25;
const LAYOUT_SPREAD: f64 = 0.028;
/// A cell counts as a mature type from this probability on.
const COMMITTED: f64 = 0.8;

/// A replicate: whom it was taken from and how it was treated.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub treated: bool,
    /// Added to the log odds of each child, per split.
    shift: Vec<Vec<f64>>,
}

/// One cell, before its molecules are counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub day: usize,
    pub sample: usize,
    /// Progress in (0, 1), the true pseudotime.
    pub progress: f64,
    /// Probability of ending below each branch; the trunk has one.
    pub weights: Vec<f64>,
    /// Molecules captured, relative to the average cell.
    pub depth: f64,
    pub place: (f64, f64),
}

/// Samples take turns between control and treated; a single one is a control.
pub fn draw_samples(tree: &Tree, n_samples: usize, effect: f64, seed: u64) -> Vec<Sample> {
    (0..n_samples)
        .map(|s| {
            let mut draws = Stream::new(seed, purpose::SAMPLE, s as u64, 0);
            let treated = s % 2 == 1;
            let mut shift_of = |(k, split): (usize, &Split)| -> Vec<f64> {
                let child = |j: usize| {
                    let push = if treated && k == 0 && j == 0 {
                        effect * TREATED_LOG_ODDS
                    } else {
                        0.0
                    };
                    push + SAMPLE_LOG_ODDS * draws.normal()
                };
                (0..split.children.len()).map(child).collect()
            };
            Sample {
                treated,
                shift: tree.splits.iter().enumerate().map(&mut shift_of).collect(),
            }
        })
        .collect()
}

/// The state of cell `i`. O(branches).
pub fn draw(tree: &Tree, samples: &[Sample], seed: u64, i: usize) -> Cell {
    let mut draws = Stream::new(seed, purpose::CELL, i as u64, 0);
    let day = draws.below(DAYS);
    let sample = draws.below(samples.len());
    let log_odds = DAY_CENTRES[day] + DAY_SPREAD * draws.normal();
    let progress = 1.0 / (1.0 + math::exp(-log_odds));
    let mut weights = vec![0.0; tree.branches.len()];
    weights[0] = 1.0;
    for (split, shift) in tree.splits.iter().zip(&samples[sample].shift) {
        let log_prior: Vec<f64> = split
            .log_prior
            .iter()
            .zip(shift)
            .map(|(p, s)| p + s)
            .collect();
        let seen = topology::evidence(progress, split.time);
        for (&child, p) in split
            .children
            .iter()
            .zip(decide(&log_prior, seen, &mut draws))
        {
            weights[child] = weights[split.branch] * p;
        }
    }
    let (x, y) = tree.place(progress, &weights);
    let place = (
        x + LAYOUT_SPREAD * draws.normal(),
        y + LAYOUT_SPREAD * draws.normal(),
    );
    Cell {
        day,
        sample,
        progress,
        weights,
        depth: math::exp(DEPTH_SPREAD * draws.normal()),
        place,
    }
}

/// Probabilities of the children given evidence of amount `seen` for one of them,
/// which is drawn from the prior here.
fn decide(log_prior: &[f64], seen: f64, draws: &mut Stream) -> Vec<f64> {
    let prior = softmax(log_prior);
    let mut left = draws.uniform();
    let bound_for = prior
        .iter()
        .position(|p| {
            left -= p;
            left < 0.0
        })
        .unwrap_or(prior.len() - 1);
    let scores: Vec<f64> = log_prior
        .iter()
        .enumerate()
        .map(|(j, p)| {
            let signal = if j == bound_for { seen } else { 0.0 };
            p + signal + seen.sqrt() * draws.normal()
        })
        .collect();
    softmax(&scores)
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let top = scores.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let raw: Vec<f64> = scores.iter().map(|s| math::exp(s - top)).collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|r| r / sum).collect()
}

impl Cell {
    /// Its type: 0 root, 1 intermediate, 2 + f the mature type of fate f.
    pub fn label(&self, tree: &Tree) -> usize {
        let settled = |&leaf: &usize| {
            self.weights[leaf] >= COMMITTED && self.progress >= tree.branches[leaf].start + 0.15
        };
        let first_split = tree.splits.first().map_or(0.25, |s| s.time);
        match tree.leaves().iter().position(settled) {
            Some(fate) => 2 + fate,
            None if self.progress < 0.6 * first_split => 0,
            None => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::topology::Topology;

    fn cells(n: usize, effect: f64) -> (Tree, Vec<Sample>, Vec<Cell>) {
        let tree = Topology::Trifurcation.tree();
        let samples = draw_samples(&tree, 4, effect, 5);
        let cells = (0..n).map(|i| draw(&tree, &samples, 5, i)).collect();
        (tree, samples, cells)
    }

    #[test]
    fn fates_are_probabilities() {
        let (tree, _, cells) = cells(3000, 0.5);
        for cell in &cells {
            let fates: Vec<f64> = tree.leaves().iter().map(|&l| cell.weights[l]).collect();
            assert!((fates.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(fates.iter().all(|p| (0.0..=1.0).contains(p)));
            assert!(cell.progress > 0.0 && cell.progress < 1.0);
        }
    }

    #[test]
    fn fates_begin_at_the_prior_and_end_pure() {
        let (tree, _, cells) = cells(4000, 0.0);
        let top = |c: &Cell| {
            tree.leaves()
                .iter()
                .fold(0.0f64, |a, &l| a.max(c.weights[l]))
        };
        let mean = |test: &dyn Fn(f64) -> bool| {
            let kept: Vec<f64> = cells.iter().filter(|c| test(c.progress)).map(top).collect();
            kept.iter().sum::<f64>() / kept.len() as f64
        };
        assert!(mean(&|t| t < 0.2) < 0.45);
        assert!(mean(&|t| t > 0.9) > 0.98);
        let middle = mean(&|t| (0.4..0.5).contains(&t));
        assert!(middle > 0.5 && middle < 0.9);
    }

    /// Among cells of which the state says p, a share p is bound for that child.
    #[test]
    fn the_state_is_calibrated() {
        let log_prior = [0.3, 0.0, -0.5];
        let prior = softmax(&log_prior);
        for seen in [0.5, 2.0, 6.0] {
            let (mut first, mut square) = (0.0, 0.0);
            let n = 40_000;
            for i in 0..n {
                let mut draws = Stream::new(1, 2, i, 0);
                let p = decide(&log_prior, seen, &mut draws);
                first += p[0];
                square += p[0] * p[0];
            }
            // A martingale keeps its mean and gains variance with evidence.
            assert!((first / n as f64 - prior[0]).abs() < 0.01);
            assert!(square / n as f64 > prior[0] * prior[0] + 0.01);
        }
    }

    #[test]
    fn treatment_favours_the_first_child() {
        let (tree, samples, cells) = cells(8000, 1.0);
        let share = |treated: bool| {
            let of: Vec<f64> = cells
                .iter()
                .filter(|c| samples[c.sample].treated == treated)
                .map(|c| c.weights[tree.leaves()[0]])
                .collect();
            of.iter().sum::<f64>() / of.len() as f64
        };
        assert!(share(true) > share(false) + 0.15);
    }

    #[test]
    fn labels_follow_progress_and_commitment() {
        let (tree, _, cells) = cells(4000, 0.0);
        let mut seen = [0usize; 5];
        for cell in &cells {
            let label = cell.label(&tree);
            seen[label] += 1;
            if label == 0 {
                assert!(cell.progress < 0.2);
            }
            if label >= 2 {
                assert!(cell.weights[tree.leaves()[label - 2]] >= COMMITTED);
            }
        }
        assert!(seen.iter().all(|&n| n > 200), "{seen:?}");
    }
}
