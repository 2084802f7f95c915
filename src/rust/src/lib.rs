//! Binding of `fatecast-core` to R: converts, guards and polls; no arithmetic.

// One R verb is one function, and R hands over plain vectors.
#![allow(clippy::too_many_arguments)]

mod boundary;
mod chain;
mod convert;
mod embed;
mod graph;
mod job;
mod kernel;
mod lineage;
mod selftest;
mod simulate;

use extendr_api::prelude::*;

extendr_module! {
    mod fatecast;
    use chain;
    use embed;
    use graph;
    use kernel;
    use lineage;
    use selftest;
    use simulate;
}
