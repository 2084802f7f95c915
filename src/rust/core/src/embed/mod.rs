//! Few coordinates that keep what matters of many.

mod block;
pub mod pca;
mod subspace;

pub use pca::{Pca, PcaOptions};
