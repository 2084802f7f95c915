//! What follows from fate probabilities: driver genes, priming, summaries, fewer
//! lineages.

pub mod distance;
mod driver_chunk;
pub mod drivers;
pub mod fisher;
pub mod gene_rows;
pub mod mutual_information;
pub mod permutation;
pub mod priming;
pub mod reduce;
pub mod resample;
pub mod summary;
