//! Dense and iterative linear algebra.

pub(crate) mod basis;
pub mod bicgstab;
pub mod block;
pub mod coarse;
pub mod dense_lu;
pub mod eigen;
#[cfg(test)]
mod eigen_tests;
pub mod gmres;
pub mod krylov_schur;
#[cfg(test)]
mod krylov_schur_tests;
pub mod lanczos;
pub(crate) mod lanczos_dense;
mod lanczos_filter;
mod lanczos_panel;
mod lanczos_search;
#[cfg(test)]
mod lanczos_tests;
mod lanczos_vectors;
pub(crate) mod min_degree;
pub mod partial_schur;
pub mod precond;
pub mod reorder;
pub mod schur;
#[cfg(test)]
mod solver_tests;
pub mod sparse_lu;
pub mod sweep;
