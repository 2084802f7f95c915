//! Uncertainty of fate probabilities.

use crate::boundary::{guard, malformed};
use crate::convert::{by_columns, dense, or_null, positions, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::chain::bootstrap::{bootstrap_fates, replicate, BootstrapOptions, Terminal};
use fatecast_core::chain::bootstrap_resample::{resampled_features, Scheme, CROWDING, SHARE};
use fatecast_core::chain::bootstrap_states::Reference;
use fatecast_core::chain::bootstrap_summary::{summarise, Spread};
use fatecast_core::chain::gpcca::SchurMethod;
use fatecast_core::chain::rotation::Optimizer;
use fatecast_core::linalg::reorder::Which;
use fatecast_core::Result;

/// Macrostates to be found anew, in R's vectors.
struct States {
    options: Options,
    terminal: Vec<Option<u32>>,
}

impl States {
    /// `None` for NULL.
    fn new(list: Option<&Robj>) -> Result<Option<States>> {
        let Some(list) = list.filter(|l| !l.is_null()).and_then(|l| l.as_list()) else {
            return Ok(None);
        };
        let options = Options::new(&list);
        let terminal = options.codes("terminal")?;
        Ok(Some(States {
            terminal: from_one(terminal.into_iter()),
            options,
        }))
    }

    fn reference(&self, n: i32, n_states: usize) -> Result<Reference<'_>> {
        let values = self.options.numbers("memberships")?;
        Ok(Reference {
            memberships: dense(values, n, self.terminal.len() as i32)?,
            terminal: &self.terminal,
            n_states,
            n_cells: self.options.maybe("n_cells")?.map(|c| c as usize),
            which: match self.options.text("which")? {
                "LR" => Which::LargestReal,
                "LM" => Which::LargestMagnitude,
                _ => return Err(malformed("which")),
            },
            method: match self.options.text("method")? {
                "krylov" => SchurMethod::Auto,
                "brandts" => SchurMethod::Dense,
                _ => return Err(malformed("method")),
            },
            optimizer: match self.options.text("optimizer")? {
                "auto" => Optimizer::Auto,
                "nelder-mead" => Optimizer::NelderMead,
                _ => return Err(malformed("optimizer")),
            },
        })
    }
}

/// 1-based states, 0 for none.
fn from_one(values: impl Iterator<Item = u32>) -> Vec<Option<u32>> {
    values.map(|v| v.checked_sub(1)).collect()
}

fn states_of(labels: &[i32]) -> Vec<Option<u32>> {
    from_one(labels.iter().map(|&s| s.max(0) as u32))
}

/// Fates of many resamples of a chain: `point` are those of the chain, by columns;
/// `options` holds `what`, `units`, `adaptive`, `n_boot`, `seed`, `level` and `states`.
#[extendr]
fn rs_bootstrap_fates(
    transition: List,
    labels: &[i32],
    n_states: i32,
    point: &[f64],
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let options = Options::new(&options);
        let (n, k) = (labels.len() as i32, n_states.max(0) as usize);
        let found = States::new(options.optional("states"))?;
        let reference = found.as_ref().map(|s| s.reference(n, k)).transpose()?;
        let states = states_of(labels);
        let point = dense(point, n, n_states)?;
        let units = options.optional("units").map(|_| options.codes("units"));
        let units = units.transpose()?;
        let (thinning, adaptive) = (
            options.text("what")? == "neighbors",
            options.flag("adaptive")?,
        );
        let (n_boot, seed) = (options.count("n_boot")?, options.seed()?);
        let level = options.number("level")?;
        let arg = SparseArg::new(&transition)?;
        let slots = arg.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            let t = slots.by_rows(exec)?;
            let terminal = Terminal {
                states: &states,
                n_states: k,
                recomputed: reference.as_ref(),
            };
            let o = BootstrapOptions {
                scheme: match thinning {
                    true => Scheme::Neighbors(SHARE),
                    false => Scheme::Cells {
                        units: units.as_deref(),
                        exponent: if adaptive { CROWDING } else { 0.0 },
                    },
                },
                n_boot,
                seed,
                confidence_level: level,
            };
            bootstrap_fates(exec, &t, &terminal, point, &o)
        })?;
        Ok(list!(
            spread = spread_list(&out.spread),
            used = out.used as f64,
            overlaps = out.overlaps,
            unreachable = doubles(&out.unreachable),
            residual = out.residual,
            error_bound = out.error_bound,
            iterations = out.iterations as f64,
            solver = out.solver
        )
        .into())
    })
}

/// Fates of one chain that R made; arguments as above. `fates` is NULL when a state was
/// not found.
#[extendr]
fn rs_bootstrap_replicate(
    transition: List,
    labels: &[i32],
    n_states: i32,
    point: &[f64],
    states: Robj,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let (n, k) = (labels.len() as i32, n_states.max(0) as usize);
        let found = States::new(Some(&states))?;
        let reference = found.as_ref().map(|s| s.reference(n, k)).transpose()?;
        let states = states_of(labels);
        let point = dense(point, n, n_states)?;
        let arg = SparseArg::new(&transition)?;
        let slots = arg.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            let terminal = Terminal {
                states: &states,
                n_states: k,
                recomputed: reference.as_ref(),
            };
            replicate(exec, &slots.by_rows(exec)?, &terminal, point)
        })?;
        Ok(list!(
            fates = or_null(Some(out.fates).filter(|f| !f.is_empty())),
            overlaps = out.overlaps,
            residual = out.residual,
            error_bound = out.error_bound,
            iterations = out.iterations as f64,
            solver = out.solver
        )
        .into())
    })
}

/// Positions of the features of resample `b`.
#[extendr]
fn rs_bootstrap_draw(n: i32, seed: f64, b: i32, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let (n, b) = (n.max(0) as usize, b.max(0) as u64);
        let drawn = job::run(n_threads, &progress, move |_| {
            resampled_features(n, seed as u64, b)
        })?;
        Ok(positions(&drawn).into())
    })
}

/// The spread over fates of resamples, each as `rs_bootstrap_replicate` gave them.
#[extendr]
fn rs_bootstrap_summary(
    resamples: List,
    n: i32,
    n_states: i32,
    point: &[f64],
    level: f64,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let values: Vec<Robj> = resamples.values().collect();
        let parts = values
            .iter()
            .map(|v| v.as_real_slice().ok_or_else(|| malformed("resamples")))
            .collect::<Result<Vec<&[f64]>>>()?;
        let point = dense(point, n, n_states)?;
        let (spread, lost) = job::run(n_threads, &progress, move |exec| {
            summarise(exec, &parts, point, level)
        })?;
        Ok(list!(spread = spread_list(&spread), unreachable = doubles(&lost)).into())
    })
}

fn spread_list(s: &Spread) -> Robj {
    list!(
        mean = by_columns(&s.mean),
        sd = by_columns(&s.sd),
        lower = by_columns(&s.lower),
        upper = by_columns(&s.upper)
    )
    .into()
}

fn doubles(counts: &[u32]) -> Vec<f64> {
    counts.iter().map(|&c| f64::from(c)).collect()
}

extendr_module! {
    mod chain_bootstrap;
    fn rs_bootstrap_fates;
    fn rs_bootstrap_replicate;
    fn rs_bootstrap_draw;
    fn rs_bootstrap_summary;
}
