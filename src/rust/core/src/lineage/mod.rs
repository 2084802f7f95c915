//! What follows from fate probabilities: driver genes, priming.
//! What follows from fate probabilities: driver genes, summaries, fewer lineages.

pub mod distance;
pub mod drivers;
pub mod fisher;
pub mod priming;
//! What follows from fate probabilities: driver genes, by Fisher's test or by
//! resampling cells.

pub mod drivers;
pub mod fisher;
pub mod gene_rows;
pub mod permutation;
pub mod resample;
pub mod mutual_information;
pub mod reduce;
pub mod summary;
