//! Communities of cells: groups with more weight inside than chance would put there.
//!
//! [`leiden()`] is the algorithm of Traag, Waltman & Van Eck (2019) for six quality
//! functions, [`louvain()`] that of Blondel et al. (2008); [`resolution_profile()`]
//! shows which clusterings exist over a range of resolutions. [`fn@quality`] and
//! [`modularity`] judge a given one.

mod adjacency;
mod aggregate;
mod connected;
mod engine;
mod grouping;
mod labels;
mod leiden;
mod level;
mod limits;
mod louvain;
mod moving;
mod network;
mod objective;
mod profile;
mod quality;
mod refine;
mod setup;
mod starts;

pub use leiden::{leiden, Clustering, LeidenOptions, MOST_ITERATIONS};
pub use louvain::louvain;
pub use profile::{resolution_profile, ProfileOptions, ProfilePoint};
pub use quality::{modularity, quality, Quality};

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod leiden_tests;
#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod moving_tests;
#[cfg(test)]
mod profile_tests;
#[cfg(test)]
mod quality_tests;
