//! Optimal transport between cells of successive time points.
//!
//! Sequencing destroys cells, so the descendants of a cell are never seen. If few
//! cells change much between two days, the couplings that need least change in
//! expression tell, in probability, which cells of the next day descend from
//! which cells of the day before (Schiebinger et al. 2019). [`sinkhorn`] solves that
//! problem with a certificate, without ever holding the costs of all pairs
//! ([`cost`], [`pass`]); [`growth`] lets the estimated numbers of descendants
//! improve the prior ones; [`emit`] writes the large entries of the coupling as a
//! sparse matrix; [`couple`] does all of it for many pairs of time points.

pub mod certificate;
pub mod coarse;
pub mod cost;
pub mod couple;
pub mod emit;
pub mod exponential;
pub mod frame;
pub mod groups;
pub mod growth;
pub mod pass;
pub mod points;
pub mod rank;
pub mod sample;
pub mod single;
pub mod sinkhorn;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod couple_tests;
#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod sinkhorn_tests;
