//! RNA velocity: in which direction, and how fast, the expression of a cell changes.
//!
//! A gene that is being switched on has more unspliced RNA than its spliced RNA
//! would explain, one that is being switched off less. Counts are smoothed over the
//! neighbours of each cell ([`weights`], first and second moments), cells at the
//! extremes of a gene are taken to be at rest, and a line through them gives the
//! ratio gamma of degradation to splicing ([`steady_state`]; La Manno et al. 2018).
//! The velocity of a cell is its distance from that line, `u - gamma s`. The
//! stochastic mode ([`stochastic`]; Bergen et al. 2020) also asks the second moments
//! to agree with the same gamma.
//!
//! Work goes by gene, eight at a time ([`estimate`]): one cache line holds eight
//! genes of a cell. No array of cells x genes is made beside the results.

pub mod estimate;
pub mod filter;
mod fit;
mod lanes;
pub mod layer;
mod places;
pub mod quantile;
pub mod sizes;
mod source;
pub mod steady_state;
pub mod stochastic;
mod sums;
pub mod weights;
mod write;

#[cfg(test)]
mod estimate_tests;
