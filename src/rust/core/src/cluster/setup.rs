//! From settings to the types of a run: masses, objective, width of the weights.

use super::adjacency::Weight;
use super::level::Level;
use super::network::{AnyAdjacency, Network};
use super::objective::{Content, Crossed, Objective, Pairs, Product, Significance, Surprise};
use super::quality::Quality;
use crate::error::{try_filled, CoreError, Result};

/// Everything besides the graph that a quality depends on.
#[derive(Debug, Clone)]
pub(super) struct Setup<'a> {
    pub quality: Quality,
    pub resolution: f64,
    pub node_sizes: Option<&'a [u32]>,
    /// Whether totals of node sizes are needed by community.
    pub limited: bool,
    pub fixed: Option<&'a [bool]>,
}

/// Work on a level and an objective whose types are known only at run time.
pub(super) trait Job {
    type Out;
    fn run<W: Weight, O: Objective>(
        self,
        level: Level<W, O::Mass>,
        objective: O,
    ) -> Result<Self::Out>;
}

impl Setup<'_> {
    /// # Errors
    /// `range` or `shape` for settings that cannot be.
    pub fn check(&self, n: usize) -> Result<()> {
        if self.quality.takes_resolution() && !self.resolution.is_finite() {
            return Err(CoreError::Range {
                what: "the resolution".into(),
                value: self.resolution,
                allowed: "finite".into(),
            });
        }
        if let Some(sizes) = self.node_sizes {
            check_length("the node sizes", n, sizes.len())?;
            if sizes.contains(&0) {
                return Err(CoreError::Range {
                    what: "a node size".into(),
                    value: 0.0,
                    allowed: "1 or more".into(),
                });
            }
        }
        if let Some(fixed) = self.fixed {
            check_length("the marks of fixed cells", n, fixed.len())?;
        }
        Ok(())
    }

    fn sizes(&self, n: usize) -> Result<Vec<f64>> {
        match self.node_sizes {
            Some(sizes) => Ok(sizes.iter().map(|&s| f64::from(s)).collect()),
            None => try_filled(n, 1.0, "the node sizes"),
        }
    }

    /// Hands `job` the level of the cells and the objective.
    pub fn dispatch<J: Job>(&self, network: Network, job: J) -> Result<J::Out> {
        use Quality::{Cpm, Modularity, RbConfiguration, RbEr, Significance as Sig};
        match self.quality {
            Modularity | RbConfiguration if !network.ins.is_empty() => {
                let objective = self.crossed(&network);
                let ends = network.outs.iter().zip(&network.ins);
                let mass = ends.map(|(&o, &i)| (o, i)).collect();
                self.with_weights(network.adjacency, mass, objective, job)
            }
            Modularity | RbConfiguration => {
                let objective = self.strength_product(&network);
                let mass = network.outs;
                self.with_weights(network.adjacency, mass, objective, job)
            }
            RbEr | Cpm => {
                let mass = self.sizes(network.len())?;
                let objective = self.size_product(&network, mass.iter().sum());
                self.with_weights(network.adjacency, mass, objective, job)
            }
            Sig | Quality::Surprise => {
                let sizes = self.sizes(network.len())?;
                let size: f64 = sizes.iter().sum();
                let loops = match &network.adjacency {
                    AnyAdjacency::Single(a) => &a.loops,
                    AnyAdjacency::Double(a) => &a.loops,
                };
                let both = sizes.iter().zip(loops);
                let mass: Vec<Content> = both
                    .map(|(&size, &inner)| Content { size, inner })
                    .collect();
                let pairs = Pairs {
                    directed: network.directed,
                    pair_scale: network.pair_scale,
                };
                if self.quality == Sig {
                    let density = density(&network, size);
                    let objective = Significance { pairs, density };
                    self.with_weights(network.adjacency, mass, objective, job)
                } else {
                    let objective = Surprise {
                        pairs,
                        total: network.total,
                        size,
                        inner: 0.0,
                        possible: 0.0,
                    };
                    self.with_weights(network.adjacency, mass, objective, job)
                }
            }
        }
    }

    fn with_weights<O: Objective, J: Job>(
        &self,
        adjacency: AnyAdjacency,
        mass: Vec<O::Mass>,
        objective: O,
        job: J,
    ) -> Result<J::Out> {
        let n = mass.len();
        let mut sizes: Vec<u64> = vec![];
        if self.limited {
            sizes = try_filled(n, 1, "the node sizes")?;
            for (size, &given) in sizes.iter_mut().zip(self.node_sizes.unwrap_or_default()) {
                *size = u64::from(given);
            }
        }
        let fixed = self.fixed.filter(|f| f.contains(&true)).unwrap_or_default();
        let fixed = fixed.to_vec();
        match adjacency {
            AnyAdjacency::Single(adjacency) => job.run(
                Level {
                    adjacency,
                    mass,
                    sizes,
                    fixed,
                },
                objective,
            ),
            AnyAdjacency::Double(adjacency) => job.run(
                Level {
                    adjacency,
                    mass,
                    sizes,
                    fixed,
                },
                objective,
            ),
        }
    }

    fn strength_product(&self, network: &Network) -> Product {
        // 2m when undirected, m when directed.
        let all: f64 = network.outs.iter().sum();
        let modularity = self.quality == Quality::Modularity;
        let (gamma, factor) = if modularity {
            (1.0, 1.0 / all)
        } else {
            (self.resolution, 1.0)
        };
        let per_edge = if network.directed { 1.0 } else { 2.0 };
        Product {
            c: gamma / all,
            weight_factor: factor * per_edge,
            square_factor: factor * gamma / all,
            constant: 0.0,
            gain_scale: factor * 2.0,
        }
    }

    fn crossed(&self, network: &Network) -> Crossed {
        let modularity = self.quality == Quality::Modularity;
        let gamma = if modularity { 1.0 } else { self.resolution };
        Crossed {
            c: gamma / network.total,
            factor: if modularity { 1.0 / network.total } else { 1.0 },
        }
    }

    fn size_product(&self, network: &Network, size: f64) -> Product {
        let cpm = self.quality == Quality::Cpm;
        let gamma = if cpm {
            self.resolution
        } else {
            self.resolution * density(network, size)
        };
        // The pairs in the quality, doubled when undirected, are n^2 - n; where CPM
        // counts self loops n^2 when directed, n^2 + n when not.
        let own = match (cpm && network.has_loops, network.directed) {
            (false, _) => 1.0,
            (true, true) => 0.0,
            (true, false) => -1.0,
        };
        let symmetric = network.ins.is_empty();
        Product {
            c: if symmetric { gamma } else { 2.0 * gamma },
            weight_factor: if network.directed { 1.0 } else { 2.0 },
            square_factor: gamma,
            constant: own * gamma * size,
            gain_scale: if symmetric { 2.0 } else { 1.0 },
        }
    }
}

pub(super) fn check_length(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        Ok(())
    } else {
        Err(CoreError::Shape {
            what: what.into(),
            expected,
            found,
        })
    }
}

/// Weight per possible pair in a graph of total node size `size`.
fn density(network: &Network, size: f64) -> f64 {
    let pairs = size * (size - 1.0);
    let arcs = if network.directed {
        network.total
    } else {
        2.0 * network.total
    };
    if pairs > 0.0 {
        arcs / pairs
    } else {
        0.0
    }
}
