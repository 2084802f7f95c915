//! Markov chains: classes, macrostates, stationary and absorption behaviour.

pub mod absorption;
pub mod bootstrap;
pub mod bootstrap_match;
pub mod bootstrap_resample;
pub mod bootstrap_solve;
pub mod bootstrap_states;
pub mod bootstrap_summary;
pub mod cflare;
pub mod classes;
pub mod coarse;
mod descent;
pub mod gpcca;
#[cfg(test)]
mod gpcca_tests;
pub mod macrostates;
mod nelder_mead;
mod objective;
pub mod profile;
mod quasi_newton;
pub mod reach;
pub mod rotation;
pub mod simplex;
pub mod solve;
pub mod states;
pub mod stationary;
pub mod times;
mod times_bound;
pub mod transient;
mod words;
