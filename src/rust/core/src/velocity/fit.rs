//! The fit of one gene in one group of cells: the steady state, then the stochastic
//! mode where it applies.

use super::estimate::{GeneFit, Group};
use super::lanes::Gene;
use super::steady_state::{self, Scratch, SteadyOptions};
use super::stochastic::{self, StochasticOptions};

/// What a gene may be used for, whatever its fit.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub allowed: bool,
    /// None: what the fit says.
    pub refit: Option<bool>,
}

/// Fits genes; holds the cells of a group side by side.
#[derive(Default)]
pub(super) struct Fitter {
    scratch: Scratch,
    group: [Vec<f64>; 4],
    fit: [Vec<f64>; 4],
}

impl Fitter {
    pub fn fit(
        &mut self,
        columns: Gene,
        group: Option<&Group>,
        steady: &SteadyOptions,
        stochastic: Option<StochasticOptions>,
        may: Choice,
    ) -> GeneFit {
        let all = group.map_or(columns, |g| pick(columns, &g.cells, &mut self.group));
        let fit = group
            .and_then(|g| g.fit.as_ref())
            .map_or(all, |cells| pick(columns, cells, &mut self.fit));
        let first = steady_state::fit(all, fit, steady, &mut self.scratch);
        let mut out = GeneFit {
            gamma: first.line.gamma,
            ratio: first.line.gamma,
            offset: first.line.offset,
            r2: first.r2,
            selected: first.selected && may.allowed,
            ..GeneFit::default()
        };
        let again = may.refit.unwrap_or(out.selected);
        let Some(options) = stochastic.filter(|_| again) else {
            return out;
        };
        // The scores of the fitted cells are still there.
        let scored = !options.compat || fit.s.len() == all.s.len();
        let cells = if options.compat { all } else { fit };
        let line = first.line;
        match stochastic::refit(cells, line, steady, options, scored, &mut self.scratch) {
            Some(second) => {
                out.gamma = second.line.gamma;
                out.offset = second.line.offset;
                out.offset2 = second.offset2;
                out.refitted = true;
            }
            None => out.degenerate = true,
        }
        out
    }
}

fn pick<'b>(columns: Gene, cells: &[u32], into: &'b mut [Vec<f64>; 4]) -> Gene<'b> {
    let from = [columns.s, columns.u, columns.ss, columns.us];
    for (into, from) in into.iter_mut().zip(from) {
        into.clear();
        if !from.is_empty() {
            into.extend(cells.iter().map(|&c| from[c as usize]));
        }
    }
    let [s, u, ss, us] = into;
    Gene { s, u, ss, us }
}
