//! Few coordinates that keep what matters of many.

mod block;
pub mod diffusion;
#[cfg(test)]
mod diffusion_tests;
pub mod dpt;
pub mod dpt_branching;
mod dpt_cut;
pub mod dpt_root;
pub mod layout;
mod layout_force;
mod layout_tree;
pub mod paga;
pub mod pca;
pub mod quality;
mod quality_agree;
mod quality_near;
#[cfg(test)]
mod quality_tests;
pub mod spectral;
mod spectral_places;
#[cfg(test)]
mod spectral_tests;
mod subspace;
pub mod umap;

pub use pca::{Pca, PcaOptions};
