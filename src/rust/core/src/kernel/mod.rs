//! From graphs and cell states to transition matrices: where a cell goes next.

pub mod cbc;
pub mod combine;
pub mod connectivity;
pub mod coupling;
pub mod cytotrace;
pub mod flow;
pub mod grid;
mod occupancy;
mod plane;
pub mod projection;
pub mod pseudotime;
pub mod realtime;
pub mod similarity;
pub mod similarity_curvature;
mod similarity_moves;
pub mod streamline;
pub mod threshold;
mod threshold_curve;
mod threshold_write;
pub mod velocity;
mod velocity_cells;
mod velocity_draws;
pub mod velocity_moments;
pub mod velocity_monte_carlo;
mod velocity_scores;
mod velocity_stochastic;
pub mod walk;
