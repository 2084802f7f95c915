//! What follows from fate probabilities: driver genes, priming.

pub mod drivers;
pub mod fisher;
pub mod priming;
