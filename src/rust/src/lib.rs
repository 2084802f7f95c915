//! Binding of `fatecast-core` to R: converts, guards and polls; no arithmetic.

// One R verb is one function, and R hands over plain vectors.
#![allow(clippy::too_many_arguments)]

mod boundary;
mod chain;
mod chain_bootstrap;
mod chain_cflare;
mod chain_divisions;
mod chain_spectral;
mod chain_states;
mod chain_times;
mod cluster;
mod convert;
mod embed;
mod graph;
mod job;
mod kernel;
mod kernel_cytotrace;
mod kernel_pseudotime;
mod kernel_realtime;
mod kernel_velocity;
mod lineage;
mod lineage_permutation;
mod lineage_priming;
mod lineage_reduce;
mod options;
mod selftest;
mod simulate;
mod trajectory;
mod transport;
mod umap;
mod velocity;
mod walk;

use extendr_api::prelude::*;

extendr_module! {
    mod fatecast;
    use chain;
    use chain_states;
    use chain_times;
    use chain_cflare;
    use chain_divisions;
    use chain_bootstrap;
    use chain_spectral;
    use cluster;
    use embed;
    use graph;
    use kernel;
    use kernel_cytotrace;
    use kernel_pseudotime;
    use kernel_velocity;
    use kernel_realtime;
    use lineage;
    use lineage_priming;
    use lineage_permutation;
    use lineage_reduce;
    use selftest;
    use simulate;
    use trajectory;
    use transport;
    use umap;
    use walk;
    use velocity;
}
