//! Graphs, transition kernels, Markov chains and trends for mapping cell fate.
//!
//! ```text
//! simulate ─> embed (PCA) ─> graph ─> kernel ─> chain (GPCCA, fates) ─> lineage (drivers)
//!                      sparse, linalg, exec, rng, math, simd below all of it
//! ```
//!
//! Cells are **rows** here and neighbours are columns; transition matrices are row
//! stochastic. Nothing in this crate knows R. Every function that runs in parallel
//! takes an [`exec::Exec`] and gives the same bits on any number of threads; every
//! random draw comes from a keyed [`rng::Stream`]; elementary functions come from
//! [`math`]. What a user's data can break is a [`CoreError`].
#![forbid(unsafe_code)]

pub mod chain;
pub mod cluster;
pub mod embed;
pub mod error;
pub mod exec;
pub mod graph;
pub mod kernel;
pub mod linalg;
pub mod lineage;
pub mod math;
pub mod rng;
pub mod simd;
pub mod simulate;
pub mod sparse;
#[cfg(test)]
mod testing;
pub mod transport;
pub mod velocity;

pub use error::{CoreError, Result};
