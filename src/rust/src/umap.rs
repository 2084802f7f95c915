//! Layouts: UMAP, and new cells on one.

use crate::boundary::{guard, malformed};
use crate::convert::{by_columns, dense, SparseArg};
use crate::job;
use crate::options::Options;
use extendr_api::prelude::*;
use fatecast_core::embed::spectral::SpectralUsed;
use fatecast_core::embed::umap::{
    transform, umap, DensityOptions, Init, Mode, Start, TransformOptions, UmapOptions,
};
use fatecast_core::graph::{query, Metric};
use fatecast_core::Result;
use ndarray::ArrayView2;

/// A dense matrix as R passes it, `list(values, dim)`, or NULL.
struct Given(Option<(Robj, Robj)>);

impl Given {
    fn new(matrix: &Robj) -> Result<Given> {
        if matrix.is_null() {
            return Ok(Given(None));
        }
        let list = matrix.as_list().ok_or_else(|| malformed("matrix"))?;
        let get = |k: usize| list.elt(k).map_err(|_| malformed("matrix"));
        Ok(Given(Some((get(0)?, get(1)?))))
    }

    fn view(&self) -> Result<Option<ArrayView2<'_, f64>>> {
        let Some((values, dim)) = &self.0 else {
            return Ok(None);
        };
        let values = values.as_real_slice().ok_or_else(|| malformed("matrix"))?;
        let Some(&[rows, columns]) = dim.as_integer_slice() else {
            return Err(malformed("dim"));
        };
        dense(values, rows, columns).map(Some)
    }

    fn required(&self) -> Result<ArrayView2<'_, f64>> {
        self.view()?.ok_or_else(|| malformed("matrix"))
    }
}

/// `list(kind, ...)` as R describes a start of `n` cells.
fn init(start: &List, n: usize, n_components: usize) -> Result<Init> {
    let o = Options::new(start);
    Ok(match o.text("kind")? {
        "spectral" => Init::Spectral,
        "random" => Init::Random,
        "given" => {
            let values = dense(o.numbers("values")?, n as i32, n_components as i32)?;
            Init::Given(values.to_owned())
        }
        "paga" => {
            let positions = o.numbers("positions")?;
            let positions = dense(positions, (positions.len() / 2) as i32, 2)?;
            let graph = SparseArg::new(&o.list("connectivities")?)?;
            Init::Paga {
                groups: o.codes("groups")?,
                positions: positions.to_owned(),
                // Symmetric: its columns are its rows.
                connectivities: graph.slots()?.columns_as_rows()?,
            }
        }
        _ => return Err(malformed("kind")),
    })
}

fn options(o: &Options, init: Init) -> Result<UmapOptions> {
    let density = match o.text("method")? {
        "densmap" => Some(DensityOptions {
            lambda: o.number("dens_lambda")?,
            fraction: o.number("dens_frac")?,
            var_shift: o.number("dens_var_shift")?,
        }),
        _ => None,
    };
    Ok(UmapOptions {
        n_components: o.count("n_components")?,
        min_dist: o.number("min_dist")?,
        spread: o.number("spread")?,
        a: o.maybe("a")?,
        b: o.maybe("b")?,
        n_epochs: o.maybe("maxiter")?.map(|v| v as usize),
        alpha: o.number("alpha")?,
        gamma: o.number("gamma")?,
        negative_sample_rate: o.number("negative_sample_rate")?,
        seed: o.number("random_state")? as u64,
        mode: match o.text("mode")? {
            "sequential" => Mode::Sequential,
            _ => Mode::Parallel,
        },
        density,
        init,
    })
}

/// Name, residual and number of pieces of a start.
fn described(start: Start) -> (&'static str, f64, usize) {
    match start {
        Start::Spectral {
            used,
            components,
            residual,
        } => {
            let name = match used {
                SpectralUsed::Spectral => "spectral",
                SpectralUsed::Partial => "partial",
                SpectralUsed::Pca => "pca",
                SpectralUsed::Random => "random_instead",
            };
            (name, residual, components)
        }
        Start::Random => ("random", 0.0, 0),
        Start::Given { .. } => ("given", 0.0, 0),
        Start::Groups { .. } => ("paga", 0.0, 0),
    }
}

/// Layout of a cells x cells graph. `data` and `distances` may be NULL.
#[extendr]
fn rs_embed_umap(
    graph: List,
    data: Robj,
    distances: Robj,
    start: List,
    settings: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let o = Options::new(&settings);
        let graph = SparseArg::new(&graph)?;
        let slots = graph.slots()?;
        let init = init(&start, slots.shape.0, o.count("n_components")?)?;
        let options = options(&o, init)?;
        let distances = match distances.as_list() {
            Some(list) if !list.is_empty() => Some(SparseArg::new(&list)?),
            _ => None,
        };
        let distances = distances.as_ref().map(SparseArg::slots).transpose()?;
        let data = Given::new(&data)?;
        let data = data.view()?;
        let out = job::run(n_threads, &progress, move |exec| {
            // Symmetric: its columns are its rows.
            let graph = slots.columns_as_rows()?;
            let distances = distances.map(|d| d.by_rows(exec)).transpose()?;
            umap(exec, &graph, data, distances.as_ref(), &options)
        })?;
        let (start, residual, components) = described(out.start);
        Ok(list!(
            embedding = by_columns(&out.embedding),
            a = out.a,
            b = out.b,
            n_epochs = out.n_epochs as f64,
            start = start,
            residual = residual,
            components = components as f64,
            dropped = out.dropped as f64
        )
        .into())
    })
}

/// Positions of new cells on a layout, by columns.
#[extendr]
fn rs_embed_transform(
    new: Robj,
    data: Robj,
    embedding: Robj,
    settings: List,
    n_threads: i32,
    progress: Robj,
) -> Robj {
    guard(|| {
        let o = Options::new(&settings);
        let metric = Metric::from_name(o.text("metric")?, o.maybe("p")?.unwrap_or(2.0))?;
        let n_neighbors = o.count("n_neighbors")?;
        let options = TransformOptions {
            a: o.number("a")?,
            b: o.number("b")?,
            n_epochs: o.maybe("maxiter")?.map(|v| v as usize),
            alpha: o.number("alpha")?,
            gamma: o.number("gamma")?,
            negative_sample_rate: o.number("negative_sample_rate")?,
            seed: o.number("random_state")? as u64,
            ..TransformOptions::default()
        };
        let (new, data) = (Given::new(&new)?, Given::new(&data)?);
        let embedding = Given::new(&embedding)?;
        let (new, data, embedding) = (new.required()?, data.required()?, embedding.required()?);
        let out = job::run(n_threads, &progress, move |exec| {
            let k = n_neighbors.min(data.nrows());
            let knn = query(exec, data, new, k, metric)?;
            transform(exec, &knn, embedding, &options)
        })?;
        Ok(by_columns(&out).into())
    })
}

extendr_module! {
    mod umap;
    fn rs_embed_umap;
    fn rs_embed_transform;
}
