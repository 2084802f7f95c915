//! What follows from fate probabilities: driver genes.

pub mod drivers;
pub mod fisher;
