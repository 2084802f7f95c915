//! From graphs and cell states to transition matrices: where a cell goes next.

pub mod combine;
pub mod connectivity;
pub mod pseudotime;
pub mod similarity;
pub mod velocity;
