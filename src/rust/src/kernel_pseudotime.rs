//! Transitions along a time.

use crate::boundary::{guard, malformed};
use crate::convert::{positions, sparse_list, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::kernel::pseudotime::{classes, pieces, transition, Clock, EmptyRows};
use fatecast_core::kernel::threshold::{bias, Threshold};
use fatecast_core::sparse::CscView;
use fatecast_core::Result;

/// The scheme of options `scheme` (`"hard"`, `"soft"`, `"done"`), `frac_to_keep`,
/// `b` and `nu`.
fn scheme(options: &Options) -> Result<Threshold> {
    Ok(match options.text("scheme")? {
        "hard" => Threshold::Hard {
            frac_to_keep: options.number("frac_to_keep")?,
        },
        "soft" => Threshold::Soft {
            b: options.number("b")?,
            nu: options.number("nu")?,
        },
        "done" => Threshold::Done,
        _ => return Err(malformed("scheme")),
    })
}

/// A graph biased by time, as slots.
#[extendr]
fn rs_threshold_bias(
    graph: List,
    time: &[f64],
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let scheme = scheme(&Options::new(&options))?;
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            bias(exec, slots.view(exec)?, time, scheme)?.weights(exec)
        })?;
        Ok(sparse_list(out, slots.shape))
    })
}

/// Transitions along a time. Options: those of the scheme, `backward`, `rescale`,
/// `absorb`, `count_classes`. `i` is NULL where the pattern of the graph stays,
/// `classes` where they are not counted.
#[extendr]
fn rs_kernel_pseudotime(
    graph: List,
    time: &[f64],
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = Options::new(&options);
        let scheme = scheme(&options)?;
        let clock = Clock {
            backward: options.flag("backward")?,
            rescale: options.flag("rescale")?,
        };
        let empty = match options.flag("absorb")? {
            true => EmptyRows::Absorb,
            false => EmptyRows::Refuse,
        };
        let count_classes = options.flag("count_classes")?;
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let (made, before) = job::run(n_threads, &progress, move |exec| {
            let view = slots.view(exec)?;
            let made = transition(exec, view, &clock.read(time)?, scheme, empty)?;
            // Edges into the future stay: a symmetric graph falls apart no further.
            let same = made.is_symmetric() && scheme != Threshold::Done;
            let before = same.then(|| pieces(exec, view, true)).transpose()?;
            Ok((made, before))
        })?;
        let total = made.plan.p.last().map_or(0, |&p| p as usize);
        let rows = if made.plan.same_pattern { 0 } else { total };
        // The job writes into R's own vectors.
        let mut i: Robj = Integers::new(rows).into();
        let mut x: Robj = Doubles::new(total).into();
        let i_out = i.as_integer_slice_mut().ok_or_else(|| malformed("i"))?;
        let x_out = x.as_real_slice_mut().ok_or_else(|| malformed("x"))?;
        let made = &made;
        let (pieces, classes) = job::run(n_threads, &progress, move |exec| {
            made.fill(exec, i_out, x_out)?;
            if before.is_some() && !count_classes {
                return Ok((before.unwrap_or(1), None));
            }
            let i_out = if rows == total { &*i_out } else { slots.rows() };
            let view = CscView::new(exec, slots.shape, &made.plan.p, i_out, x_out)?;
            let pieces = before.map_or_else(|| pieces(exec, view, false), Ok)?;
            let classes = count_classes.then(|| classes(view)).transpose()?;
            Ok((pieces, classes))
        })?;
        let losses = made.losses();
        Ok(list!(
            p = made.plan.p.as_slice(),
            i = if rows == total { i } else { r!(NULL) },
            x = x,
            symmetric = made.is_symmetric(),
            absorbing = positions(&made.absorbing),
            vanished = losses.vanished as f64,
            losers = losses.rows as f64,
            largest_fall = losses.largest_fall,
            components = pieces as f64,
            classes = crate::convert::or_null(classes.map(|c| c as f64))
        )
        .into())
    })
}

/// Times as a scheme sees them: turned round, scaled.
#[extendr]
fn rs_kernel_clock(time: &[f64], backward: bool, rescale: bool) -> Robj {
    guard(|| Ok(Clock { backward, rescale }.read(time)?.into()))
}

extendr_module! {
    mod kernel_pseudotime;
    fn rs_threshold_bias;
    fn rs_kernel_pseudotime;
    fn rs_kernel_clock;
}
