//! How far cells have settled on a lineage.

use crate::boundary::{guard, malformed};
use crate::convert::{dense, flags};
use crate::job;
use extendr_api::prelude::*;
use fatecast_core::lineage::priming::{priming_degree, Priming};

/// Degree of priming of every cell; `p` is cells x lineages by columns, `early` a
/// logical vector or NULL for all cells. Cells without one get NA.
#[extendr]
fn rs_lineage_priming(
    p: &[f64],
    n: i32,
    k: i32,
    early: Robj,
    method: &str,
    compat: bool,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let method = match method {
            "kl_divergence" => Priming::KlDivergence,
            "entropy" => Priming::Entropy,
            _ => return Err(malformed("method")),
        };
        let p = dense(p, n, k)?;
        let early = flags(&early);
        let degree = job::run(n_threads, &progress, move |exec| {
            priming_degree(exec, p, early.as_deref(), method, compat)
        })?;
        let known = |v: f64| match v.is_nan() {
            true => Rfloat::na(),
            false => Rfloat::from(v),
        };
        Ok(r!(degree.into_iter().map(known).collect::<Vec<_>>()))
    })
}

extendr_module! {
    mod lineage_priming;
    fn rs_lineage_priming;
}
