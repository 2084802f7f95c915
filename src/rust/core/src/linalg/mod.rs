//! Dense and iterative linear algebra.

pub(crate) mod basis;
pub mod bicgstab;
pub mod block;
pub mod coarse;
pub mod dense_lu;
pub mod gmres;
pub mod krylov_schur;
pub mod partial_schur;
pub mod precond;
pub mod reorder;
pub mod schur;
#[cfg(test)]
mod solver_tests;
