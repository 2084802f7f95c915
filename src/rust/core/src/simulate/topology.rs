//! The tree along which cells differentiate.
//!
//! Branches start at a progress in [0, 1) and all leaves end at 1. At a split a
//! cell gathers evidence for one of the children, little by little, so commitment
//! is gradual: the split is where choosing begins, not where it ends.

/// Shape of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// One fate, no choice.
    Linear,
    /// Two fates from one progenitor.
    Bifurcation,
    /// Three fates: the first leaves early, the other two part later.
    Trifurcation,
    /// Four fates from two progenitors that part early.
    Tree,
}

/// One stretch of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// The branch it grows from; none for the trunk.
    pub parent: Option<usize>,
    /// Progress at which it begins.
    pub start: f64,
    /// The fate it ends in, when it is a leaf.
    pub fate: Option<usize>,
    /// Height of its end in the layout.
    pub height: f64,
}

/// A choice between branches.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// The branch that divides.
    pub branch: usize,
    /// Progress at which choosing begins.
    pub time: f64,
    /// The branches to choose from.
    pub children: Vec<usize>,
    /// Log odds of the children before any evidence and any condition.
    pub log_prior: Vec<f64>,
}

/// The tree: branch 0 is the trunk, parents come before children.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub branches: Vec<Branch>,
    pub splits: Vec<Split>,
}

/// Progress over which the evidence at a split grows to [`EVIDENCE`].
const DECISION_SPAN: f64 = 0.25;
/// Evidence (expected log odds) gathered within [`DECISION_SPAN`].
const EVIDENCE: f64 = 9.0;
const FATE_NAMES: [&str; 4] = ["Alpha", "Beta", "Gamma", "Delta"];

impl Topology {
    /// The topology of that name, as R writes it.
    pub fn parse(name: &str) -> Option<Topology> {
        match name {
            "linear" => Some(Topology::Linear),
            "bifurcation" => Some(Topology::Bifurcation),
            "trifurcation" => Some(Topology::Trifurcation),
            "tree" => Some(Topology::Tree),
            _ => None,
        }
    }

    /// The tree of this shape.
    pub fn tree(self) -> Tree {
        let mut tree = Tree {
            branches: vec![Branch {
                parent: None,
                start: 0.0,
                fate: None,
                height: 0.0,
            }],
            splits: Vec::new(),
        };
        let leaf = |fate, height, prior: f64| (Some(fate), height, prior);
        match self {
            Topology::Linear => tree.split(0, 0.35, &[leaf(0, 0.0, 0.0)]),
            Topology::Bifurcation => {
                tree.split(0, 0.3, &[leaf(0, 0.35, 0.2), leaf(1, -0.35, 0.0)]);
            }
            Topology::Trifurcation => {
                tree.split(0, 0.22, &[leaf(0, 0.42, -0.4), (None, -0.2, 0.0)]);
                tree.split(2, 0.45, &[leaf(1, 0.0, 0.2), leaf(2, -0.42, 0.0)]);
            }
            Topology::Tree => {
                tree.split(0, 0.2, &[(None, 0.3, 0.1), (None, -0.3, 0.0)]);
                tree.split(1, 0.42, &[leaf(0, 0.55, 0.2), leaf(1, 0.17, 0.0)]);
                tree.split(2, 0.46, &[leaf(2, -0.17, 0.0), leaf(3, -0.55, 0.2)]);
            }
        }
        tree
    }
}

impl Tree {
    fn split(&mut self, branch: usize, time: f64, children: &[(Option<usize>, f64, f64)]) {
        let first = self.branches.len();
        for &(fate, height, _) in children {
            self.branches.push(Branch {
                parent: Some(branch),
                start: time,
                fate,
                height,
            });
        }
        self.splits.push(Split {
            branch,
            time,
            children: (first..self.branches.len()).collect(),
            log_prior: children.iter().map(|c| c.2).collect(),
        });
    }

    /// Number of fates.
    pub fn n_fates(&self) -> usize {
        self.branches.iter().filter(|b| b.fate.is_some()).count()
    }

    /// The leaf of each fate, in order of fates.
    pub fn leaves(&self) -> Vec<usize> {
        let mut leaves = vec![0; self.n_fates()];
        for (b, branch) in self.branches.iter().enumerate() {
            if let Some(fate) = branch.fate {
                leaves[fate] = b;
            }
        }
        leaves
    }

    /// The fates in order.
    pub fn fate_names(&self) -> Vec<&'static str> {
        FATE_NAMES[..self.n_fates()].to_vec()
    }

    /// The fates that can be reached from a branch, ascending.
    pub fn fates_below(&self, branch: usize) -> Vec<usize> {
        let leaves = self.leaves();
        let below = |&fate: &usize| {
            let mut at = Some(leaves[fate]);
            while let Some(b) = at {
                if b == branch {
                    return true;
                }
                at = self.branches[b].parent;
            }
            false
        };
        (0..leaves.len()).filter(below).collect()
    }

    /// Place in the plane of a cell with weight `weights[b]` on branch b at
    /// `progress`: the mean of smooth curves, one per fate.
    pub fn place(&self, progress: f64, weights: &[f64]) -> (f64, f64) {
        let mut y = 0.0;
        for (branch, weight) in self.branches.iter().zip(weights).skip(1) {
            let parent = branch.parent.map_or(0.0, |p| self.branches[p].height);
            let x = ((progress - branch.start) / 0.4).clamp(0.0, 1.0);
            y += weight * (branch.height - parent) * x * x * (3.0 - 2.0 * x);
        }
        // The trunk sways a little, so that time is not simply the first axis.
        (1.6 * progress, y + 0.35 * progress * (0.7 - progress))
    }
}

/// Evidence at a split that began at `start`: zero before it, then without bound.
pub fn evidence(progress: f64, start: f64) -> f64 {
    let x = ((progress - start) / DECISION_SPAN).max(0.0);
    EVIDENCE * x * x.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Topology; 4] = [
        Topology::Linear,
        Topology::Bifurcation,
        Topology::Trifurcation,
        Topology::Tree,
    ];

    #[test]
    fn trees_are_consistent() {
        for (topology, fates) in ALL.into_iter().zip([1, 2, 3, 4]) {
            let tree = topology.tree();
            assert_eq!(tree.n_fates(), fates);
            assert_eq!(tree.fate_names().len(), fates);
            assert_eq!(tree.fates_below(0), (0..fates).collect::<Vec<_>>());
            for (b, branch) in tree.branches.iter().enumerate().skip(1) {
                let parent = branch.parent.unwrap();
                assert!(parent < b && tree.branches[parent].start < branch.start);
                assert!(branch.start < 0.6);
            }
            for split in &tree.splits {
                let mut below: Vec<usize> = split
                    .children
                    .iter()
                    .flat_map(|&c| tree.fates_below(c))
                    .collect();
                below.sort_unstable();
                assert_eq!(below, tree.fates_below(split.branch));
                assert_eq!(split.children.len(), split.log_prior.len());
            }
        }
    }

    #[test]
    fn names_are_those_of_r() {
        let names = ["linear", "bifurcation", "trifurcation", "tree"];
        for (topology, name) in ALL.into_iter().zip(names) {
            assert_eq!(Topology::parse(name), Some(topology));
        }
        assert_eq!(Topology::parse("Tree"), None);
    }

    #[test]
    fn evidence_begins_at_the_split_and_settles_the_matter_by_the_end() {
        assert_eq!(evidence(0.3, 0.3), 0.0);
        assert_eq!(evidence(0.1, 0.3), 0.0);
        assert!((evidence(0.55, 0.3) - EVIDENCE).abs() < 1e-9);
        assert!(evidence(1.0, 0.46) > 25.0);
    }

    #[test]
    fn pure_fates_end_at_their_own_places() {
        let tree = Topology::Tree.tree();
        let at = |weights: &[f64]| tree.place(1.0, weights).1;
        let ends = [
            at(&[1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
            at(&[1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
            at(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]),
            at(&[1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
        ];
        assert!(ends.windows(2).all(|w| w[0] - w[1] > 0.3));
    }
}
