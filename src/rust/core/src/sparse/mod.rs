//! Sparse matrices by rows: cells are rows, neighbours are columns.

pub mod csr;
pub mod ops;
pub mod stochastic;
pub mod view;

pub use csr::{CscSlots, Csr};
pub use view::CscView;
