//! What may be asked of a layout.

use super::UmapOptions;
use crate::error::{CoreError, Result, SHOWN};
use crate::exec::Exec;
use crate::sparse::csr::{row, Csr};
use crate::sparse::ops::require_symmetric;

/// Largest number of coordinates.
pub const MOST_COMPONENTS: usize = 64;
/// What graphs that went through single precision may differ by from their transpose,
/// as a share of their norm.
const SYMMETRY: f64 = 1e-6;
/// Most epochs: far beyond any use, and epochs are counted in 32 bits.
const MOST_EPOCHS: usize = 1 << 30;

pub fn components_range(found: usize) -> CoreError {
    CoreError::Range {
        what: "n_components".into(),
        value: found as f64,
        allowed: format!("1 to {MOST_COMPONENTS}"),
    }
}

fn require(ok: bool, what: &str, value: f64, allowed: &str) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(CoreError::Range {
        what: what.into(),
        value,
        allowed: allowed.into(),
    })
}

pub fn check_forces(alpha: f64, gamma: f64, rate: f64) -> Result<()> {
    let (most, few) = (f64::from(f32::MAX), 1e6);
    require(alpha > 0.0 && alpha < most, "alpha", alpha, "above 0")?;
    require((0.0..most).contains(&gamma), "gamma", gamma, "0 or more")?;
    let what = "negative_sample_rate";
    require((0.0..=few).contains(&rate), what, rate, "0 to 1e6")
}

pub fn check_curve(a: f64, b: f64) -> Result<()> {
    require((1e-6..=1e6).contains(&a), "a", a, "1e-6 to 1e6")?;
    require((1e-3..=10.0).contains(&b), "b", b, "0.001 to 10")
}

pub fn check_options(o: &UmapOptions) -> Result<()> {
    if !(1..=MOST_COMPONENTS).contains(&o.n_components) {
        return Err(components_range(o.n_components));
    }
    check_forces(o.alpha, o.gamma, o.negative_sample_rate)?;
    let epochs = o.n_epochs.unwrap_or(0);
    let most = MOST_EPOCHS;
    require(epochs <= most, "n_epochs", epochs as f64, "at most 2^30")?;
    let Some(d) = o.density else {
        return Ok(());
    };
    let (l, s) = (d.lambda, d.var_shift);
    require(l >= 0.0 && l.is_finite(), "dens_lambda", l, "0 or more")?;
    require(
        (0.0..=1.0).contains(&d.fraction),
        "dens_frac",
        d.fraction,
        "0 to 1",
    )?;
    require(s > 0.0 && s.is_finite(), "dens_var_shift", s, "above 0")
}

pub fn check_graph(exec: &Exec, graph: &Csr) -> Result<()> {
    let n = graph.rows();
    if graph.cols() != n || u32::try_from(n).is_err() {
        return Err(CoreError::Shape {
            what: "the graph".into(),
            expected: n,
            found: graph.cols(),
        });
    }
    let good = |v: &f64| v.is_finite() && *v >= 0.0;
    if graph.data().iter().all(good) {
        return require_symmetric(exec, graph, "the graph", SYMMETRY);
    }
    let bad = |i: &usize| !row(graph, *i).1.iter().all(good);
    Err(CoreError::NotFinite {
        what: "the graph".into(),
        count: graph.data().iter().filter(|v| !good(v)).count(),
        cells: (0..n).filter(bad).take(SHOWN).collect(),
    })
}
