//! Optimal transport couplings.

use crate::boundary::{guard, malformed};
use crate::convert::{dense, positions, sparse_list};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::transport::couple::{
    couple, CoupleOptions, Coupling, Pair, Round, Scale, Source, Threshold,
};
use fatecast_core::transport::growth::{growth_rates, Logistic};
use fatecast_core::transport::sinkhorn;
use fatecast_core::Result;
use ndarray::ArrayView2;

/// A dense matrix as R passes it: `list(values, rows, columns)`.
struct Block {
    values: Robj,
    shape: [i32; 2],
}

impl Block {
    fn new(list: &List) -> Result<Block> {
        let get = |k: usize| list.elt(k).map_err(|_| malformed("of a block"));
        let side = |k: usize| get(k)?.as_integer().ok_or_else(|| malformed("of a block"));
        Ok(Block {
            values: get(0)?,
            shape: [side(1)?, side(2)?],
        })
    }

    fn view(&self) -> Result<ArrayView2<'_, f64>> {
        let values = self.values.as_real_slice();
        let [nrow, ncol] = self.shape;
        dense(values.ok_or_else(|| malformed("values"))?, nrow, ncol)
    }
}

fn blocks(list: &List) -> Result<Vec<Block>> {
    list.values()
        .map(|b| Block::new(&b.as_list().ok_or_else(|| malformed("blocks"))?))
        .collect()
}

/// `threshold` is a name, and a number where the name needs one.
fn threshold(options: &Options) -> Result<Threshold> {
    Ok(match options.text("threshold")? {
        "auto" => Threshold::Auto,
        "auto_local" => Threshold::Local,
        "none" => Threshold::All,
        "percentile" => Threshold::Percentile(options.number("threshold_value")?),
        "row_mass" => Threshold::RowMass(options.number("threshold_value")?),
        _ => return Err(malformed("threshold")),
    })
}

fn settings(list: &List) -> Result<CoupleOptions> {
    let options = Options::new(list);
    Ok(CoupleOptions {
        solver: sinkhorn::Options {
            epsilon: options.number("epsilon")?,
            lambda: [options.number("lambda1")?, options.number("lambda2")?],
            tolerance: options.number("tolerance")?,
            max_iter: options.count("max_iter")?,
            correct: true,
            precision: None,
        },
        scale: match options.text("scale")? {
            "median" => Scale::Median,
            "mean" => Scale::Mean,
            "max" => Scale::Max,
            "fixed" => Scale::Fixed(options.number("scale_value")?),
            _ => return Err(malformed("scale")),
        },
        groups: options.count("n_groups")?,
        growth_iters: options.count("growth_iters")?,
        threshold: threshold(&options)?,
        columns: options.flag("keep_potentials")?,
        sample_above: options.number("sample_above")?,
        seed: options.seed()?,
    })
}

/// Couples pairs of time points. `points` are cells x dimensions, `costs` sources x
/// targets; a pair is `list(source, target, cost, growth, delta_t)` with positions
/// counted from one, 0 for no cost or no points. One list per pair.
#[extendr]
fn rs_transport_couple(
    points: List,
    costs: List,
    pairs: List,
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let settings = settings(&options)?;
        let (points, costs) = (blocks(&points)?, blocks(&costs)?);
        let given: Vec<Options> = pairs
            .values()
            .map(|p| {
                Ok(Options::new(
                    &p.as_list().ok_or_else(|| malformed("pairs"))?,
                ))
            })
            .collect::<Result<_>>()?;
        let pairs: Vec<Pair<'_>> = given
            .iter()
            .map(|p| read_pair(p, &points, &costs))
            .collect::<Result<_>>()?;
        let shapes: Vec<(usize, usize)> = pairs.iter().map(shape).collect();
        let found = job::run(n_threads, &progress, |exec| couple(exec, &pairs, &settings))?;
        let out = found.into_iter().zip(shapes).map(|(c, s)| listed(c, s));
        Ok(List::from_values(out.collect::<Vec<Robj>>()).into())
    })
}

fn read_pair<'a>(pair: &'a Options, points: &'a [Block], costs: &'a [Block]) -> Result<Pair<'a>> {
    let at = |from: &'a [Block], name: &'static str| {
        let position = pair.count(name)?.checked_sub(1);
        position
            .and_then(|k| from.get(k))
            .ok_or_else(|| malformed(name))?
            .view()
    };
    let source = if pair.count("cost")? > 0 {
        Source::Given(at(costs, "cost")?)
    } else {
        Source::Points(at(points, "source")?, at(points, "target")?)
    };
    Ok(Pair {
        source,
        growth: pair.numbers("growth")?,
        delta_t: pair.number("delta_t")?,
    })
}

fn shape(pair: &Pair<'_>) -> (usize, usize) {
    match pair.source {
        Source::Points(x, y) => (x.nrows(), y.nrows()),
        Source::Given(c) => c.dim(),
    }
}

fn listed(coupling: Coupling, shape: (usize, usize)) -> Robj {
    let of = |f: &dyn Fn(&Round) -> f64| coupling.rounds.iter().map(f).collect::<Vec<f64>>();
    let rounds = list!(
        iterations = of(&|r| r.iterations as f64),
        converged = coupling
            .rounds
            .iter()
            .map(|r| r.converged)
            .collect::<Vec<bool>>(),
        primal = of(&|r| r.certificate.primal),
        gap = of(&|r| r.certificate.gap),
        relative_gap = of(&|r| r.certificate.relative_gap),
        row_residual = of(&|r| r.certificate.row_residual),
        col_residual = of(&|r| r.certificate.col_residual),
        tv_bound = of(&|r| r.certificate.tv_bound),
        entry_bound = of(&|r| r.certificate.entry_bound),
        mass = of(&|r| r.certificate.mass),
        rho = of(&|r| r.certificate.rho)
    );
    list!(
        matrix = sparse_list(coupling.matrix, shape),
        share = coupling.share,
        lost = positions(&coupling.lost),
        growth = coupling.growth.concat(),
        rounds = rounds,
        scale = coupling.scale,
        f = coupling.f,
        g = coupling.g
    )
    .into()
}

/// Growth per unit time from scores; the shapes of the rates are `c(max, min,
/// center, width)`.
#[extendr]
fn rs_transport_growth(
    proliferation: &[f64],
    apoptosis: &[f64],
    birth: &[f64],
    death: &[f64],
) -> Robj {
    guard(|| {
        let shape = |x: &[f64]| match *x {
            [max, min, center, width] => Ok(Logistic {
                max,
                min,
                center,
                width,
            }),
            _ => Err(malformed("of a rate")),
        };
        let (birth, death) = (shape(birth)?, shape(death)?);
        Ok(growth_rates(proliferation, apoptosis, birth, death).into())
    })
}

extendr_module! {
    mod transport;
    fn rs_transport_couple;
    fn rs_transport_growth;
}
