//! The genes: rates, and a programme of transcription that belongs to a branch.
//!
//! A gene is transcribed at a basal rate everywhere, plus one step up (or down) when
//! its branch is entered and at most one step back. In a cell with weight w on the
//! branch (the probability of ending below it) the steps count w-fold: RNA is then
//! `sum over fates of w x (RNA of a cell bound for that fate)`, and because w is a
//! martingale, `beta u - gamma s` is exactly the expected rate of change of s.

use super::kinetics::{Molecules, Rates};
use super::purpose;
use super::topology::Tree;
use crate::math;
use crate::rng::Stream;

/// What a gene does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Programme {
    /// Constant everywhere.
    Housekeeping,
    /// High in the root, switched off on the way out of it.
    Early,
    /// Switched on and off again in a progenitor.
    Transient,
    /// Switched on at some point by every cell that matures.
    Maturation,
    /// Switched on below one branch.
    Lineage,
    /// Switched off below one branch.
    Repressed,
}

impl Programme {
    /// All, in the order of their codes in R.
    pub const ALL: [Programme; 6] = [
        Programme::Housekeeping,
        Programme::Early,
        Programme::Transient,
        Programme::Maturation,
        Programme::Lineage,
        Programme::Repressed,
    ];

    /// Its name in R.
    pub fn name(self) -> &'static str {
        match self {
            Programme::Housekeeping => "housekeeping",
            Programme::Early => "early",
            Programme::Transient => "transient",
            Programme::Maturation => "maturation",
            Programme::Lineage => "lineage",
            Programme::Repressed => "repressed",
        }
    }

    /// Share of the genes; the rest is housekeeping.
    fn share(self) -> f64 {
        match self {
            Programme::Housekeeping => 0.25,
            Programme::Early => 0.10,
            Programme::Transient => 0.17,
            Programme::Maturation => 0.10,
            Programme::Lineage => 0.30,
            Programme::Repressed => 0.08,
        }
    }
}

/// One gene. Rates are per unit of progress, levels in molecules per cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Gene {
    pub programme: Programme,
    /// The branch whose cells follow the programme.
    pub branch: usize,
    pub rates: Rates,
    /// Basal transcription rate.
    pub basal: f64,
    /// Change of the transcription rate at `on`, taken back at `off`.
    pub step: f64,
    pub on: f64,
    /// Infinite when the step is never taken back.
    pub off: f64,
    /// Natural logarithm of the factor on `step` in treated cells.
    pub treated: f64,
}

impl Gene {
    /// RNA and its velocity at `progress` in a cell with weight `weight` on the
    /// gene's branch. O(1).
    pub fn express(&self, progress: f64, weight: f64, treated: bool) -> (Molecules, f64) {
        let steady = self.rates.steady();
        let mut m = Molecules {
            unspliced: self.basal * steady.unspliced,
            spliced: self.basal * steady.spliced,
        };
        if progress <= self.on || self.step == 0.0 {
            return (m, 0.0);
        }
        let (on, off) = (
            self.rates.step(progress - self.on),
            self.rates.step(progress - self.off),
        );
        let mut size = self.step * weight;
        if treated && self.treated != 0.0 {
            size *= math::exp(self.treated);
        }
        let change = Molecules {
            unspliced: size * (on.unspliced - off.unspliced),
            spliced: size * (on.spliced - off.spliced),
        };
        m.unspliced += change.unspliced;
        m.spliced += change.spliced;
        // The basal part is in equilibrium and would only add rounding.
        (m, self.rates.velocity(change))
    }

    /// Scale of the noise of its velocity: what a step of this size reaches.
    pub fn velocity_scale(&self) -> f64 {
        0.3 * self.step.abs().max(0.1 * self.basal)
    }
}

/// The genes of a tissue, in random order of programmes. O(genes).
pub fn draw(tree: &Tree, n_genes: usize, condition_effect: f64, seed: u64) -> Vec<Gene> {
    let order = Stream::new(seed, purpose::ORDER, 0, 0).permutation(n_genes);
    let programmes = assign(n_genes);
    order
        .iter()
        .enumerate()
        .map(|(g, &rank)| {
            let mut draws = Stream::new(seed, purpose::GENE, g as u64, 0);
            draw_one(
                tree,
                programmes[rank],
                rank,
                condition_effect,
                n_genes,
                &mut draws,
            )
        })
        .collect()
}

/// Programmes by rank, in blocks of their shares.
fn assign(n_genes: usize) -> Vec<Programme> {
    let mut programmes = Vec::with_capacity(n_genes);
    let mut upto = 0.0;
    for programme in Programme::ALL.into_iter().skip(1) {
        upto += programme.share();
        let end = (upto * n_genes as f64 + 0.5).floor() as usize;
        programmes.resize(end.min(n_genes), programme);
    }
    programmes.resize(n_genes, Programme::Housekeeping);
    programmes
}

fn draw_one(
    tree: &Tree,
    programme: Programme,
    rank: usize,
    condition_effect: f64,
    n_genes: usize,
    draws: &mut Stream,
) -> Gene {
    let mut log_normal = |centre: f64, spread: f64| centre * math::exp(spread * draws.normal());
    let rates = Rates {
        beta: log_normal(25.0, 0.3),
        gamma: log_normal(9.0, 0.3),
    };
    let high = log_normal(3.0, 0.6) * rates.gamma;
    let low = high * (0.03 + 0.12 * draws.uniform());
    let branch = pick_branch(tree, programme, rank);
    let start = tree.branches[branch].start;
    let (basal, step, on, off) = match programme {
        Programme::Housekeeping => (0.4 * high, 0.0, 0.0, f64::INFINITY),
        Programme::Early => (
            high,
            low - high,
            -0.1 + 0.35 * draws.uniform(),
            f64::INFINITY,
        ),
        Programme::Transient => {
            let from = if branch == 0 { -0.1 } else { start };
            let on = from + 0.25 * draws.uniform();
            (low, high - low, on, on + 0.15 + 0.2 * draws.uniform())
        }
        Programme::Maturation => (low, high - low, -0.1 + 0.8 * draws.uniform(), f64::INFINITY),
        Programme::Lineage | Programme::Repressed => {
            let on = start + (0.75 - start) * draws.uniform();
            if programme == Programme::Lineage {
                (low, high - low, on, f64::INFINITY)
            } else {
                (high, low - high, on, f64::INFINITY)
            }
        }
    };
    // Every tenth gene of the lineages answers to the treatment.
    let answers = programme == Programme::Lineage && rank % 10 == (n_genes / 3) % 10;
    let sign = if draws.uniform() < 0.5 { -1.0 } else { 1.0 };
    Gene {
        programme,
        branch,
        rates,
        basal,
        step,
        on,
        off,
        treated: if answers {
            sign * condition_effect
        } else {
            0.0
        },
    }
}

/// The branch of a programme: ranks take turns.
fn pick_branch(tree: &Tree, programme: Programme, rank: usize) -> usize {
    let inner = |b: &usize| tree.branches[*b].fate.is_none();
    let choices: Vec<usize> = match programme {
        Programme::Housekeeping | Programme::Early | Programme::Maturation => vec![0],
        Programme::Transient => (0..tree.branches.len()).filter(inner).collect(),
        Programme::Lineage | Programme::Repressed => {
            // Leaves twice, progenitors once.
            let leaves = tree.leaves();
            let between = (1..tree.branches.len()).filter(inner);
            let twice = leaves.iter().chain(&leaves).copied();
            twice.chain(between).collect()
        }
    };
    choices[rank % choices.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::topology::Topology;

    fn some() -> Vec<Gene> {
        draw(&Topology::Tree.tree(), 400, 0.7, 3)
    }

    #[test]
    fn every_programme_has_its_share() {
        let genes = some();
        for programme in Programme::ALL {
            let n = genes.iter().filter(|g| g.programme == programme).count();
            assert!((n as f64 - 400.0 * programme.share()).abs() <= 1.0);
        }
        let total: f64 = Programme::ALL.iter().map(|p| p.share()).sum();
        assert!((total - 1.0).abs() < 1e-12);
        assert_eq!(assign(1).len(), 1);
    }

    #[test]
    fn every_fate_has_genes_of_its_own() {
        let tree = Topology::Tree.tree();
        let genes = some();
        for leaf in tree.leaves() {
            let own = |g: &&Gene| g.branch == leaf && g.programme == Programme::Lineage;
            assert!(genes.iter().filter(own).count() >= 20);
        }
    }

    #[test]
    fn rna_is_never_negative_and_velocity_is_the_slope() {
        let h = 1e-6;
        for gene in some() {
            for k in 1..50 {
                let t = f64::from(k) / 50.0;
                for weight in [0.0, 0.3, 1.0] {
                    for treated in [false, true] {
                        let (m, v) = gene.express(t, weight, treated);
                        assert!(m.unspliced > 0.0 && m.spliced > 0.0);
                        let ahead = gene.express(t + h, weight, treated).0.spliced;
                        let behind = gene.express(t - h, weight, treated).0.spliced;
                        let slope = (ahead - behind) / (2.0 * h);
                        let scale = gene.basal + gene.step.abs();
                        assert!((slope - v).abs() < 1e-4 * scale, "{slope} {v}");
                    }
                }
            }
        }
    }

    #[test]
    fn rna_is_linear_in_the_weight() {
        for gene in some() {
            let at = |w| gene.express(0.8, w, true).0.spliced;
            let between = 0.7 * at(0.0) + 0.3 * at(1.0);
            assert!((at(0.3) - between).abs() < 1e-10 * at(1.0).max(1.0));
        }
    }

    #[test]
    fn treatment_touches_lineage_genes_only_and_no_effect_is_none() {
        let touched: Vec<Gene> = some().into_iter().filter(|g| g.treated != 0.0).collect();
        assert!(touched.len() >= 10);
        assert!(touched.iter().all(|g| g.programme == Programme::Lineage));
        assert!(touched.iter().all(|g| g.treated.abs() == 0.7));
        let none = draw(&Topology::Tree.tree(), 400, 0.0, 3);
        assert!(none.iter().all(|g| g.treated == 0.0));
        assert_eq!(none[0].rates, some()[0].rates);
    }
}
