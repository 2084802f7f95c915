//! Simulated differentiation with known fates, velocities and kinetic rates.
//!
//! A tissue in which cells leave a root, hesitate and settle in one of a few mature
//! types, sampled as single-cell sequencing would see it. Everything that the rest
//! of the crate estimates is known here exactly: how far a cell has come, how
//! likely it is to end in each fate, how fast each of its genes changes and why.
//! [`topology`] holds the tree, [`cells`] the latent state of a cell, [`kinetics`]
//! and [`genes`] the transcription, splicing and degradation of its RNA, [`counts`]
//! the sequencing; [`differentiation`] puts them together.

pub mod cells;
pub mod counts;
pub mod differentiation;
pub mod genes;
pub mod kinetics;
pub mod topology;

pub use differentiation::{project_velocity, simulate, Simulation, SimulationOptions};
pub use topology::Topology;

/// Purposes of the random streams: each kind of draw has its own.
mod purpose {
    pub const ORDER: u64 = 0x5349_4d01;
    pub const GENE: u64 = 0x5349_4d02;
    pub const SAMPLE: u64 = 0x5349_4d03;
    pub const SAMPLE_GENE: u64 = 0x5349_4d04;
    pub const CELL: u64 = 0x5349_4d05;
    pub const COUNT: u64 = 0x5349_4d06;
    pub const NOISE: u64 = 0x5349_4d07;
}
