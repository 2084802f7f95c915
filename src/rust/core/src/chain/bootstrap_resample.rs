//! Resampled chains: what the transition matrix would be in a slightly other sample.
//!
//! Cells are a sample from a tissue. In the Bayesian bootstrap (Rubin 1981) every cell
//! gets an exponential weight, as if it had been met more or less often, and a step
//! leads to a cell in proportion to its weight: `T*_ij = T_ij w_j / sum_l T_il w_l`. No
//! edge comes or goes, so whatever could be reached still can. Cells of one donor share
//! what the donor brings along; with donors as units they share the weight. Thinning,
//! the other way, keeps a random part of the edges of every cell and asks how much
//! hangs on single neighbours; a half varies as much as another sample of as many edges
//! would, `1 / (k/2) - 1 / k = 1 / k`.
//!
//! In a graph of nearest neighbours a denser neighbourhood is a smaller one: where there
//! are more cells, edges from outside no longer lead in. Weights leave the edges where
//! they are and so overstate what a chance crowd of cells attracts. How much is known:
//! the walk on a symmetric graph of nearest neighbours drifts along `(1 - 2/d) grad log
//! p`, p the density of cells and d the dimension of the data (Ting, Huang & Jordan
//! 2010), while weights `w` on fixed edges add a drift of `2 grad log w`. Divided by
//! their local mean `g = T w` to the power a they add `2 (1 - a) grad log w`, and the two
//! agree for `a = 1/2 + 1/d`. The dimension of cells is large and not well known; `a =
//! 1/2` ([`CROWDING`]) is what all dimensions ask for at least. On the scale of single
//! cells g is nearly constant and nothing changes, as it should.

use crate::error::{try_filled, try_with_capacity, CoreError, Result};
use crate::exec::Exec;
use crate::math;
use crate::rng::Stream;
use crate::sparse::csr::{from_parts, row, row_range, Csr};
use crate::sparse::ops::mat_vec;

/// Streams of random numbers for the weights of units and for the edges of a cell.
const WEIGHTS: u64 = 0x626f_6f74_0001;
const EDGES: u64 = 0x626f_6f74_0002;
const FEATURES: u64 = 0x626f_6f74_0003;

/// Edges that thinning leaves in every row that has as many.
pub const FEWEST: usize = 2;

/// The share of the edges that thinning keeps: the one that varies as much as another
/// sample of edges.
pub const SHARE: f64 = 0.5;

/// The power of their local mean that weights are divided by on a graph of nearest
/// neighbours.
pub const CROWDING: f64 = 0.5;

/// What is drawn anew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scheme<'a> {
    /// Exponential weights on the cells that are stepped to, divided by their local
    /// mean to the power `exponent`; `units` gives the unit of every cell, and the
    /// cells of a unit share their draw.
    Cells {
        units: Option<&'a [u32]>,
        exponent: f64,
    },
    /// This share of the edges of every cell, without replacement.
    Neighbors(f64),
}

impl Scheme<'_> {
    /// Whether the scheme can be applied to a chain of `n` cells.
    ///
    /// # Errors
    /// `shape` for units of other cells, `range` for a single unit or a share that is
    /// not between 0 and 1.
    pub fn check(&self, n: usize) -> Result<()> {
        let range = |what: &str, value, allowed: &str| {
            Err(CoreError::Range {
                what: what.into(),
                value,
                allowed: allowed.into(),
            })
        };
        match self {
            Scheme::Cells {
                units: Some(units), ..
            } if units.len() != n => Err(CoreError::Shape {
                what: "the units by cell".into(),
                expected: n,
                found: units.len(),
            }),
            Scheme::Cells {
                units: Some(units), ..
            } if units.iter().all(|u| *u == units[0]) => {
                range("the number of units", 1.0, "2 or more")
            }
            Scheme::Cells { exponent, .. } if !(0.0..=1.0).contains(exponent) => {
                range("the exponent of the density", *exponent, "from 0 to 1")
            }
            Scheme::Neighbors(share) if !(*share > 0.0 && *share < 1.0) => {
                range("the share of neighbours", *share, "between 0 and 1")
            }
            _ => Ok(()),
        }
    }

    /// What the spread is multiplied by. The weights of m units vary by `1 / (m + 1)` of
    /// the variance among them, the mean of m independent ones by `1 / (m - 1)` of it.
    pub fn inflation(&self) -> f64 {
        let Scheme::Cells {
            units: Some(units), ..
        } = self
        else {
            return 1.0;
        };
        let mut met = units.to_vec();
        met.sort_unstable();
        met.dedup();
        let m = met.len() as f64;
        ((m + 1.0) / (m - 1.0)).sqrt()
    }

    /// The chain of resample `b`. Cells that are terminal are stepped to like any
    /// other. O(entries).
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn resample(&self, exec: &Exec, t: &Csr, seed: u64, b: u64) -> Result<Csr> {
        exec.check()?;
        match self {
            Scheme::Cells { units, exponent } => {
                let mut w = weights(t.rows(), *units, seed, b)?;
                if *exponent > 0.0 {
                    thin_crowds(exec, t, *exponent, &mut w)?;
                }
                reweighted(t, &w)
            }
            Scheme::Neighbors(share) => thinned(exec, t, *share, seed, b),
        }
    }
}

/// `n` of `n` features with replacement, for resample `b`, ascending.
///
/// # Errors
/// `memory`.
pub fn resampled_features(n: usize, seed: u64, b: u64) -> Result<Vec<usize>> {
    let mut stream = Stream::new(seed, FEATURES, b, 0);
    let mut drawn = try_with_capacity(n, "a resample of features")?;
    drawn.extend((0..n).map(|_| stream.below(n)));
    drawn.sort_unstable();
    Ok(drawn)
}

/// Independent exponential weights of mean one, one per cell or per unit.
fn weights(n: usize, units: Option<&[u32]>, seed: u64, b: u64) -> Result<Vec<f64>> {
    let what = "the weights of the cells";
    let mut stream = Stream::new(seed, WEIGHTS, b, 0);
    // A draw of exactly zero would take a cell out of the chain.
    let mut draw = || stream.exponential().max(f64::EPSILON);
    let Some(units) = units else {
        let mut w = try_with_capacity(n, what)?;
        w.extend((0..n).map(|_| draw()));
        return Ok(w);
    };
    let count = units.iter().max().map_or(0, |&u| u as usize + 1);
    let by_unit: Vec<f64> = (0..count).map(|_| draw()).collect();
    let mut w = try_with_capacity(n, what)?;
    w.extend(units.iter().map(|&u| by_unit[u as usize]));
    Ok(w)
}

/// Divides every weight by the mean weight around its cell, to the power `exponent`.
fn thin_crowds(exec: &Exec, t: &Csr, exponent: f64, w: &mut [f64]) -> Result<()> {
    let mut around = try_filled(w.len(), 0.0, "the weights of the cells")?;
    mat_vec(exec, t, w, &mut around)?;
    w.iter_mut()
        .zip(around)
        .for_each(|(w, g)| *w /= math::pow(g, exponent));
    Ok(())
}

/// `T_ij w_j`, rows scaled to sum to one; all `w` positive. O(entries).
///
/// # Errors
/// `memory`.
pub fn reweighted(t: &Csr, w: &[f64]) -> Result<Csr> {
    let mut values = try_with_capacity(t.nnz(), "a resampled chain")?;
    for i in 0..t.rows() {
        let (cols, p) = row(t, i);
        let start = values.len();
        values.extend(cols.iter().zip(p).map(|(&j, &v)| v * w[j as usize]));
        normalise(&mut values[start..]);
    }
    with_values(t, values)
}

fn normalise(values: &mut [f64]) {
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|v| *v /= sum);
}

fn with_values(t: &Csr, values: Vec<f64>) -> Result<Csr> {
    let what = "a resampled chain";
    let mut start = try_with_capacity(t.rows() + 1, what)?;
    start.push(0);
    start.extend((0..t.rows()).map(|i| row_range(t, i).end));
    let mut cols = try_with_capacity(t.nnz(), what)?;
    cols.extend_from_slice(t.indices());
    from_parts((t.rows(), t.cols()), start, cols, values)
}

/// A random `share` of the edges of every row, at least [`FEWEST`], scaled to sum to
/// one; a probability to stay is no edge to a neighbour and is kept. Every row draws
/// from a stream of its own. O(entries).
fn thinned(exec: &Exec, t: &Csr, share: f64, seed: u64, b: u64) -> Result<Csr> {
    let n = t.rows();
    let what = "a resampled chain";
    let mut start = try_with_capacity(n + 1, what)?;
    let mut cols = try_with_capacity(t.nnz(), what)?;
    let mut values: Vec<f64> = try_with_capacity(t.nnz(), what)?;
    let mut keep = try_filled(0, false, what)?;
    start.push(0);
    for i in 0..n {
        if i % 4096 == 0 {
            exec.check()?;
        }
        let (to, p) = row(t, i);
        let edge = |at: usize| p[at] > 0.0 && to[at] as usize != i;
        let edges = (0..to.len()).filter(|&at| edge(at)).count();
        // Halves go up, so that a share of 0.5 of three edges is two.
        let wanted = ((edges as f64 * share + 0.5).floor() as usize)
            .max(FEWEST)
            .min(edges);
        choose(
            edges,
            wanted,
            &mut Stream::new(seed, EDGES, b, i as u64),
            &mut keep,
        );
        let (first, mut seen) = (values.len(), 0);
        for (at, (&j, &v)) in to.iter().zip(p).enumerate() {
            let chosen = if edge(at) {
                seen += 1;
                keep[seen - 1]
            } else {
                v > 0.0
            };
            if chosen {
                cols.push(j);
                values.push(v);
            }
        }
        normalise(&mut values[first..]);
        start.push(cols.len());
    }
    from_parts((n, n), start, cols, values)
}

/// Marks `wanted` of `n` at random, each set of that size with the same probability
/// (selection sampling, Knuth vol. 2, 3.4.2 S).
fn choose(n: usize, wanted: usize, stream: &mut Stream, keep: &mut Vec<bool>) {
    keep.clear();
    let mut left = wanted;
    for at in 0..n {
        let take = stream.below(n - at) < left;
        left -= usize::from(take);
        keep.push(take);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::csr::from_rows;

    fn chain() -> Csr {
        let rows = vec![
            vec![(0, 0.2), (1, 0.3), (2, 0.4), (3, 0.1)],
            vec![(0, 0.5), (2, 0.5)],
            vec![(2, 1.0)],
            vec![(0, 0.1), (1, 0.1), (2, 0.1), (3, 0.1), (4, 0.6)],
            vec![(0, 0.25), (1, 0.25), (2, 0.25), (3, 0.25)],
        ];
        from_rows(5, rows).unwrap()
    }

    #[test]
    fn equal_weights_change_nothing_and_others_go_by_the_formula() {
        let t = chain();
        for (a, b) in reweighted(&t, &[3.0; 5])
            .unwrap()
            .data()
            .iter()
            .zip(t.data())
        {
            assert!((a - b).abs() < 1e-16);
        }
        let w = [1.0, 2.0, 0.5, 4.0, 1.0];
        let s = reweighted(&t, &w).unwrap();
        assert_eq!(
            (s.indptr().raw_storage(), s.indices()),
            (t.indptr().raw_storage(), t.indices())
        );
        let total = 0.2 + 0.6 + 0.2 + 0.4;
        for (got, want) in row(&s, 0).1.iter().zip([0.2, 0.6, 0.2, 0.4]) {
            assert!((got - want / total).abs() < 1e-16);
        }
    }

    #[test]
    fn units_share_a_weight_and_resamples_repeat() {
        let units = [0, 1, 0, 1, 2];
        let w = weights(5, Some(&units), 7, 3).unwrap();
        assert!(w[0] == w[2] && w[1] == w[3] && w[0] != w[1] && w[4] != w[0]);
        assert_eq!(w, weights(5, Some(&units), 7, 3).unwrap());
        assert_ne!(w, weights(5, Some(&units), 7, 4).unwrap());
        let many = weights(100_000, None, 1, 0).unwrap();
        let mean = many.iter().sum::<f64>() / 1e5;
        let var = many.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 1e5;
        assert!((mean - 1.0).abs() < 0.02 && (var - 1.0).abs() < 0.05);
    }

    #[test]
    fn few_units_are_made_up_for() {
        let cells = |units| Scheme::Cells {
            units,
            exponent: 0.0,
        };
        assert_eq!(cells(None).inflation(), 1.0);
        assert_eq!(cells(Some(&[5, 1, 1, 5])).inflation(), 3f64.sqrt());
        // The mean of m values by weights: on average over samples its variance, made up
        // for, is that of the mean.
        let (m, rounds) = (4, 20_000);
        let units: Vec<u32> = (0..m).collect();
        let (mut spread, mut s) = (0.0, Stream::new(1, 2, 3, 4));
        for round in 0..rounds {
            let x: Vec<f64> = (0..m).map(|_| s.normal()).collect();
            let mean = |b| {
                let w = weights(m as usize, Some(&units), round, b).unwrap();
                let sum: f64 = w.iter().sum();
                w.iter().zip(&x).map(|(w, x)| w * x / sum).sum::<f64>()
            };
            let difference = mean(0) - mean(1);
            spread += difference * difference / 2.0;
        }
        let inflation = cells(Some(&units)).inflation();
        let got = inflation * inflation * spread / rounds as f64;
        assert!((got - 0.25).abs() < 0.02);
    }

    #[test]
    fn features_are_drawn_with_replacement() {
        let drawn = resampled_features(5000, 3, 1).unwrap();
        assert_eq!(drawn, resampled_features(5000, 3, 1).unwrap());
        assert_ne!(drawn, resampled_features(5000, 3, 2).unwrap());
        let mut distinct = drawn.clone();
        distinct.dedup();
        // 1 - 1/e of them on average.
        assert!((distinct.len() as f64 / 5000.0 - 0.632).abs() < 0.03);
        assert!(drawn.len() == 5000 && drawn.iter().all(|&f| f < 5000));
    }

    #[test]
    fn crowds_are_divided_by_their_local_mean() {
        let t = chain();
        let mut w = [1.0, 2.0, 0.5, 4.0, 1.0];
        thin_crowds(&Exec::serial(), &t, 0.5, &mut w).unwrap();
        let around: f64 = 0.2 + 0.6 + 0.2 + 0.4;
        assert!((w[0] - 1.0 / around.sqrt()).abs() < 1e-15);
        // Weights that are alike everywhere stay alike.
        let mut w = [3.0; 5];
        thin_crowds(&Exec::serial(), &t, 1.0, &mut w).unwrap();
        assert!(w.iter().all(|v| (v - 1.0).abs() < 1e-15));
    }

    #[test]
    fn thinning_keeps_the_share_and_at_least_two_edges() {
        let t = chain();
        let exec = Exec::serial();
        let mut met = [0usize; 4];
        for b in 0..4000 {
            let s = Scheme::Neighbors(0.5).resample(&exec, &t, 5, b).unwrap();
            // Two of three edges and the probability to stay; both of two; the loop of
            // an absorbing cell.
            let sizes: Vec<usize> = (0..5).map(|i| row(&s, i).0.len()).collect();
            assert_eq!(sizes, [3, 2, 1, 3, 2]);
            assert_eq!(row(&s, 0).0[0], 0);
            for i in 0..5 {
                assert!((row(&s, i).1.iter().sum::<f64>() - 1.0).abs() < 1e-15);
            }
            row(&s, 4).0.iter().for_each(|&j| met[j as usize] += 1);
        }
        // Each edge of the last row half of the time: five standard errors.
        assert!(met
            .iter()
            .all(|&m| (m as f64 / 4000.0 - 0.5).abs() < 5.0 * 0.5 / 4000f64.sqrt()));
    }

    #[test]
    fn what_cannot_be_resampled_is_refused() {
        let kind = |s: Scheme<'_>| s.check(4).unwrap_err().kind();
        let cells = |units, exponent| Scheme::Cells { units, exponent };
        assert_eq!(kind(cells(Some(&[0, 1]), 0.0)), "shape");
        assert_eq!(kind(cells(Some(&[2, 2, 2, 2]), 0.0)), "range");
        assert_eq!(kind(cells(None, 1.5)), "range");
        assert_eq!(kind(Scheme::Neighbors(1.0)), "range");
        assert_eq!(kind(Scheme::Neighbors(f64::NAN)), "range");
        assert!(cells(Some(&[0, 1, 1, 1]), 1.0).check(4).is_ok());
    }
}
