//! Chains over time points, the flow of a cluster, and border crossings.

use crate::boundary::{guard, malformed};
use crate::convert::{dense, positions, sparse_list, MatrixArg, MatrixView, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::exec::Exec;
use fatecast_core::kernel::cbc::boundary_scores;
use fatecast_core::kernel::coupling::{Threshold, Values};
use fatecast_core::kernel::flow::{cluster_flow, NONE};
use fatecast_core::kernel::realtime::{assemble, Coupling, Moves, Within};
use fatecast_core::sparse::csr::to_csc_slots;
use fatecast_core::Result;

/// What R says of a coupling beside its entries.
struct About {
    label: String,
    source: Vec<u32>,
    target: Vec<u32>,
    share: Option<f64>,
}

fn coupling_arg(value: &List) -> Result<(About, MatrixArg)> {
    let o = Options::new(value);
    let about = About {
        label: o.text("label")?.to_string(),
        source: o.codes("source")?,
        target: o.codes("target")?,
        share: o.maybe("share")?,
    };
    Ok((about, MatrixArg::new(&o.list("matrix")?)?))
}

/// A readable coupling: forward its rows are the source's, backward the target's.
fn oriented<'a>(
    exec: &Exec,
    about: About,
    view: MatrixView<'a>,
    backward: bool,
) -> Result<Coupling<'a>> {
    let values = match (view, backward) {
        (MatrixView::Sparse(s), false) => Values::Sparse(s.by_rows(exec)?),
        (MatrixView::Sparse(s), true) => Values::Sparse(s.columns_as_rows()?),
        // Views of dense matrices have the columns of R as rows.
        (MatrixView::Dense(m), false) => Values::Dense(m.reversed_axes()),
        (MatrixView::Dense(m), true) => Values::Dense(m),
    };
    let (rows, columns) = if backward {
        (about.target, about.source)
    } else {
        (about.source, about.target)
    };
    Ok(Coupling {
        label: about.label,
        values,
        rows,
        columns,
        share: about.share,
    })
}

/// Moves within one time, as R passes them.
fn within(exec: &Exec, value: &List) -> Result<Within> {
    let o = Options::new(value);
    let moves = match o.text("moves")? {
        "diagonal" => Moves::Identity,
        "uniform" => Moves::Uniform,
        "matrix" => Moves::Matrix(SparseArg::new(&o.list("matrix")?)?.slots()?.by_rows(exec)?),
        _ => return Err(malformed("moves")),
    };
    Ok(Within {
        cells: o.codes("cells")?,
        moves,
        weight: o.number("weight")?,
    })
}

fn threshold(o: &Options) -> Result<Threshold> {
    match o.text("threshold")? {
        "keep" => Ok(Threshold::Keep),
        "auto" => Ok(Threshold::Auto),
        "auto_local" => Ok(Threshold::AutoLocal),
        "percentile" => Ok(Threshold::Percentile(o.number("percentile")?)),
        _ => Err(malformed("threshold")),
    }
}

fn lists(values: &List) -> Result<Vec<List>> {
    let list = |v: Robj| v.as_list().ok_or_else(|| malformed("a list of lists"));
    values.values().map(list).collect()
}

/// One chain from couplings and moves within times.
/// `list(matrix, thresholds, empty)`: rows without mass per coupling, from one.
#[extendr]
fn rs_kernel_realtime(
    couplings: List,
    staying: List,
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let o = Options::new(&options);
        let (n, backward, rule) = (o.count("n")?, o.flag("backward")?, threshold(&o)?);
        let limit = o.number("memory_limit")?;
        let (about, args): (Vec<About>, Vec<MatrixArg>) = lists(&couplings)?
            .iter()
            .map(coupling_arg)
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .unzip();
        let views = args
            .iter()
            .map(MatrixArg::view)
            .collect::<Result<Vec<_>>>()?;
        let staying = lists(&staying)?;
        let blocks = staying
            .iter()
            .map(|w| within(&Exec::serial(), w))
            .collect::<Result<Vec<_>>>()?;
        let (slots, out) = job::run(n_threads, &progress, move |exec| {
            let couplings = about
                .into_iter()
                .zip(views)
                .map(|(a, v)| oriented(exec, a, v, backward))
                .collect::<Result<Vec<_>>>()?;
            let out = assemble(exec, n, &couplings, &blocks, rule, limit)?;
            Ok((to_csc_slots(exec, &out.matrix)?, out))
        })?;
        let empty = out.empty.iter().map(|rows| positions(rows));
        let thresholds: Vec<Rfloat> = out
            .thresholds
            .iter()
            .map(|t| t.map_or(Rfloat::na(), Rfloat::from))
            .collect();
        Ok(list!(
            matrix = sparse_list(slots, (n, n)),
            thresholds = thresholds,
            empty = List::from_values(empty)
        )
        .into())
    })
}

/// Codes of cells, counted from zero; NA is none.
fn codes(values: &[i32]) -> Vec<u32> {
    let code = |&v: &i32| u32::try_from(v).unwrap_or(NONE);
    values.iter().map(code).collect()
}

/// Flow out of a cluster. `list(flow, sizes)`: times x clusters by rows, clusters x
/// times by rows.
#[extendr]
fn rs_kernel_flow(
    transition: List,
    clusters: &[i32],
    times: &[i32],
    options: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let o = Options::new(&options);
        let shape = (o.count("n_clusters")?, o.count("n_times")?);
        let source = o.count("source")? as u32;
        let (clusters, times) = (codes(clusters), codes(times));
        let transition = SparseArg::new(&transition)?;
        let slots = transition.slots()?;
        let out = job::run(n_threads, &progress, move |exec| {
            cluster_flow(
                exec,
                &slots.by_rows(exec)?,
                &clusters,
                &times,
                source,
                shape,
            )
        })?;
        Ok(list!(
            flow = out.flow.iter().copied().collect::<Vec<f64>>(),
            sizes = out.sizes.iter().copied().collect::<Vec<f64>>()
        )
        .into())
    })
}

/// Scores of the cells at a border; `z` is cells x `d`. `list(cells, scores)`.
#[extendr]
fn rs_kernel_cbc(
    transition: List,
    graph: List,
    z: &[f64],
    d: i32,
    source: &[i32],
    target: &[i32],
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let (transition, graph) = (SparseArg::new(&transition)?, SparseArg::new(&graph)?);
        let (t, g) = (transition.slots()?, graph.slots()?);
        let z = dense(z, t.shape.0 as i32, d)?;
        let flags = |v: &[i32]| v.iter().map(|&f| f == 1).collect::<Vec<bool>>();
        let (source, target) = (flags(source), flags(target));
        let out = job::run(n_threads, &progress, move |exec| {
            let (t, g) = (t.by_rows(exec)?, g.by_rows(exec)?);
            boundary_scores(exec, &t, &g, z, &source, &target)
        })?;
        let (cells, scores): (Vec<usize>, Vec<f64>) = out.into_iter().unzip();
        Ok(list!(cells = positions(&cells), scores = scores).into())
    })
}

extendr_module! {
    mod kernel_realtime;
    fn rs_kernel_realtime;
    fn rs_kernel_flow;
    fn rs_kernel_cbc;
}
