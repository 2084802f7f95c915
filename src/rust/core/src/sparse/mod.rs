//! Sparse matrices by rows: cells are rows, neighbours are columns.

pub mod csr;
pub mod ops;
pub mod stochastic;

pub use csr::{CscSlots, Csr};
