//! The graph of neighbouring cells: search, edge weights, pieces.

pub mod components;
pub mod fuzzy;
pub mod knn;
mod tile;

pub use knn::{Knn, Metric};
