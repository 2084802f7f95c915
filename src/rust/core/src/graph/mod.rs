//! The graph of neighbouring cells: search, edge weights, pieces.
//!
//! [`search::neighbors`] finds the neighbours ([`knn`] all pairs, `descent`
//! approximately), [`ready`] takes those of others, [`query`](mod@query) those of
//! cells outside; [`fuzzy`], [`gauss`] and [`shared`] turn them into weights.

mod block;
mod brute;
pub mod components;
mod descent;
pub mod edges;
mod forest;
pub mod fuzzy;
pub mod gauss;
pub mod knn;
mod links;
mod metric;
pub(crate) mod points;
pub mod query;
pub mod ready;
pub mod recall;
mod rows;
pub mod search;
pub mod shared;
mod tally;
mod tile;

pub use knn::{Knn, Metric};
pub use query::query;
pub use recall::recall;
pub use search::{neighbors, Neighbors, Search};
