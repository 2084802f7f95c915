//! The clusterings that exist over a range of resolutions (section 2.13 of the
//! graph rules; Traag, Krings & Van Dooren 2013).
//!
//! As the resolution grows, communities fall apart and the weight inside them
//! falls in steps. Two resolutions with the same internal weight have the same
//! clusters between them, so bisection finds all steps with few clusterings.

use super::adjacency::Weight;
use super::engine::{Engine, Plan};
use super::labels::by_size;
use super::leiden::{plan, LeidenOptions};
use super::level::Level;
use super::network::{check_shape, Network};
use super::objective::Objective;
use super::quality::{contents, Quality};
use super::setup::{Job, Setup};
use super::starts::{iteration_seed, STABLE};
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::math;
use crate::sparse::csr::Csr;
use std::collections::BTreeMap;

/// Settings of [`resolution_profile`].
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileOptions {
    /// One of those that take a resolution.
    pub quality: Quality,
    /// Smallest and largest resolution.
    pub range: (f64, f64),
    /// Two resolutions whose internal weights differ by no more have nothing
    /// between them.
    pub min_diff_bisect_value: f64,
    /// Nor do two that are no further apart than this: in the logarithm when both
    /// are positive and the bisection is not linear.
    pub min_diff_resolution: f64,
    /// Whether the middle is the arithmetic mean; otherwise it is the geometric
    /// one where both ends are positive.
    pub linear_bisection: bool,
    /// Each clustering repeats two iterations while they improve, this many times
    /// more at most; 0 or below until they do not.
    pub number_iterations: i64,
    pub seed: u64,
    pub directed: bool,
    pub node_sizes: Option<Vec<u32>>,
}

impl Default for ProfileOptions {
    fn default() -> ProfileOptions {
        ProfileOptions {
            quality: Quality::Cpm,
            range: (0.0, 1.0),
            min_diff_bisect_value: 1.0,
            min_diff_resolution: 1e-3,
            linear_bisection: false,
            number_iterations: 1,
            seed: 0,
            directed: false,
            node_sizes: None,
        }
    }
}

/// The best known clustering at a resolution where the clusters change.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfilePoint {
    pub resolution: f64,
    /// At that resolution, on leidenalg's scale.
    pub quality: f64,
    /// Total weight inside communities.
    pub internal_weight: f64,
    pub n_clusters: usize,
    /// 0.. by decreasing size.
    pub labels: Vec<u32>,
}

/// Clusterings over a range of resolutions, by ascending resolution; of
/// neighbouring ones with equal internal weight only the first. Each resolution
/// holds the best of all clusterings found. O(edges) per iteration and step.
///
/// # Errors
/// `range` for a quality that takes no resolution or a range that is none; as
/// [`super::leiden()`].
pub fn resolution_profile(
    exec: &Exec,
    graph: &Csr,
    options: &ProfileOptions,
) -> Result<Vec<ProfilePoint>> {
    check_shape(graph)?;
    check(options)?;
    let leiden = LeidenOptions {
        quality: options.quality,
        directed: options.directed,
        node_sizes: options.node_sizes.clone(),
        seed: options.seed,
        ..LeidenOptions::default()
    };
    let setup = Setup {
        quality: options.quality,
        resolution: 1.0,
        node_sizes: options.node_sizes.as_deref(),
        limited: false,
        fixed: None,
    };
    setup.check(graph.rows())?;
    let network = Network::new(exec, graph, options.quality, options.directed)?;
    let mut plan = plan(&network, &leiden, true);
    plan.split &= options.range.0 >= 0.0;
    let magnitude = network.magnitude;
    let has_edges = network.has_edges;
    let search = Search {
        exec,
        options,
        leiden: &leiden,
        plan,
        magnitude,
        has_edges,
    };
    setup.dispatch(network, search)
}

fn check(options: &ProfileOptions) -> Result<()> {
    let range = |what: &str, value: f64, allowed: &str| {
        Err(CoreError::Range {
            what: what.into(),
            value,
            allowed: allowed.into(),
        })
    };
    let (low, high) = options.range;
    if !options.quality.takes_resolution() {
        return Err(CoreError::NoState {
            reason: "this quality function takes no resolution".into(),
        });
    }
    if !low.is_finite() {
        return range("the smallest resolution", low, "finite");
    }
    if !high.is_finite() || high < low {
        return range(
            "the largest resolution",
            high,
            "finite, not below the smallest",
        );
    }
    let value = options.min_diff_bisect_value;
    if value < 0.0 || value.is_nan() {
        return range("min_diff_bisect_value", value, "0 or more");
    }
    let value = options.min_diff_resolution;
    if value <= 0.0 || value.is_nan() {
        return range("min_diff_resolution", value, "above 0");
    }
    Ok(())
}

struct Search<'a> {
    exec: &'a Exec,
    options: &'a ProfileOptions,
    leiden: &'a LeidenOptions,
    plan: Plan,
    magnitude: f64,
    has_edges: bool,
}

/// A clustering found somewhere: labels 0.., and by community what its quality at
/// any resolution depends on.
struct Found<M> {
    labels: Vec<u32>,
    contents: Vec<(M, f64)>,
    inner: f64,
}

impl Job for Search<'_> {
    type Out = Vec<ProfilePoint>;

    fn run<W: Weight, O: Objective>(
        self,
        level: Level<W, O::Mass>,
        objective: O,
    ) -> Result<Vec<ProfilePoint>> {
        let (low, high) = self.options.range;
        let mut found = vec![self.optimise(&level, &objective, low, None, 0)?];
        // Resolutions by their bits' order, each with the clustering made there.
        let mut at: BTreeMap<Resolution, usize> = BTreeMap::from([(Resolution(low), 0)]);
        let mut stack = vec![];
        if high > low {
            found.push(self.optimise(&level, &objective, high, None, 1)?);
            at.insert(Resolution(high), 1);
            stack.push((low, high));
        }
        while let Some((a, b)) = stack.pop() {
            let (left, right) = (at[&Resolution(a)], at[&Resolution(b)]);
            let gap = (found[left].inner - found[right].inner).abs();
            let Some(middle) = self.middle(a, b) else {
                continue;
            };
            if gap <= self.options.min_diff_bisect_value {
                continue;
            }
            // The end that is better in the middle is where to start from.
            let there = objective.at(middle);
            let better = if self.judge(&there, &found[right]) > self.judge(&there, &found[left]) {
                right
            } else {
                left
            };
            let start = Some(&found[better]);
            let run = found.len() as u64;
            let made = self.optimise(&level, &objective, middle, start, run)?;
            found.push(made);
            at.insert(Resolution(middle), found.len() - 1);
            stack.push((middle, b));
            stack.push((a, middle));
        }
        self.consistent(&objective, &found, at.keys().map(|r| r.0).collect())
    }
}

impl Search<'_> {
    /// The middle of a range that is worth halving.
    fn middle(&self, a: f64, b: f64) -> Option<f64> {
        let log = a > 0.0 && b > 0.0 && !self.options.linear_bisection;
        let (apart, middle) = if log {
            (math::ln(b / a), (a * b).sqrt())
        } else {
            (b - a, (a + b) / 2.0)
        };
        (apart > self.options.min_diff_resolution && middle > a && middle < b).then_some(middle)
    }

    fn judge<O: Objective>(&self, objective: &O, found: &Found<O::Mass>) -> f64 {
        if self.has_edges {
            objective.quality(&mut found.contents.iter().copied())
        } else {
            0.0
        }
    }

    /// Pairs of iterations at one resolution while they improve.
    fn optimise<W: Weight, O: Objective>(
        &self,
        level: &Level<W, O::Mass>,
        objective: &O,
        resolution: f64,
        start: Option<&Found<O::Mass>>,
        run: u64,
    ) -> Result<Found<O::Mass>> {
        let n = level.len() as u32;
        let mut labels = start.map_or_else(|| (0..n).collect(), |f| f.labels.clone());
        let mut count = start.map_or(n as usize, |f| f.contents.len());
        let objective = objective.at(resolution);
        let stable = STABLE * self.magnitude * objective.gain_scale();
        let calls = match usize::try_from(self.options.number_iterations) {
            Ok(more) if more > 0 => more + 1,
            _ => super::leiden::MOST_ITERATIONS,
        };
        let mut engine = Engine::new(self.exec, self.plan.clone(), objective.clone());
        let mut before = f64::NEG_INFINITY;
        for i in 0..if self.has_edges { 2 * calls as u64 } else { 0 } {
            engine.seed = iteration_seed(self.leiden.seed, run, i);
            let done = engine.iterate(level, &mut labels, None)?;
            count = done.count;
            if i % 2 == 1 {
                if done.quality - before <= stable {
                    break;
                }
                before = done.quality;
            }
        }
        let scale = self.plan.pair_scale;
        let contents = contents(self.exec, level, &objective, &labels, count, scale)?;
        Ok(Found {
            inner: contents.iter().map(|c| c.1).sum(),
            labels,
            contents,
        })
    }

    /// The best clustering at every resolution, without repetitions.
    fn consistent<O: Objective>(
        &self,
        objective: &O,
        found: &[Found<O::Mass>],
        resolutions: Vec<f64>,
    ) -> Result<Vec<ProfilePoint>> {
        let mut points: Vec<ProfilePoint> = vec![];
        for resolution in resolutions {
            let objective = objective.at(resolution);
            let mut best = (f64::NEG_INFINITY, &found[0]);
            for f in found {
                let quality = self.judge(&objective, f);
                if quality > best.0 {
                    best = (quality, f);
                }
            }
            let (quality, f) = best;
            if points.last().is_some_and(|p| p.internal_weight == f.inner) {
                continue;
            }
            let (labels, n_clusters) = by_size(&f.labels, self.leiden)?;
            points.push(ProfilePoint {
                resolution,
                quality,
                internal_weight: f.inner,
                n_clusters,
                labels,
            });
        }
        Ok(points)
    }
}

/// A finite resolution as a key.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Resolution(f64);

impl Eq for Resolution {}

impl PartialOrd for Resolution {
    fn partial_cmp(&self, other: &Resolution) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Resolution {
    fn cmp(&self, other: &Resolution) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
