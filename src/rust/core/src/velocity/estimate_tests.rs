//! The fixtures of the specification, a slow obvious oracle, and invariants.
use super::estimate::*;
use super::layer::{Layer, SparseLayer};
use super::sizes::divisors;
use super::steady_state::SteadyOptions;
use super::stochastic::StochasticOptions;
use super::weights::{Nearest, Weights};
use crate::exec::Exec;
use crate::sparse::csr::{from_rows, Csr};
use crate::testing::same_bits;
use ndarray::{array, Array2};

fn six() -> Csr {
    let mut rows = vec![Vec::new(); 6];
    for (a, b) in [(0, 1), (0, 2), (1, 3), (2, 3), (2, 4), (4, 5), (3, 5)] {
        rows[a].push((b as u32, 0.3));
        rows[b].push((a as u32, 0.7));
    }
    from_rows(6, rows).unwrap()
}

fn spliced() -> Array2<f64> {
    array![[4., 1.], [6., 0.], [3., 2.], [8., 3.], [2., 5.], [1., 9.]]
}

fn unspliced() -> Array2<f64> {
    array![[2., 0.], [5., 1.], [1., 1.], [4., 0.], [1., 3.], [0., 4.]]
}

struct Run {
    fits: Vec<GeneFit>,
    ms: Array2<f64>,
    mu: Array2<f64>,
    velocity: Array2<f64>,
    variance: Array2<f64>,
}

struct Setup {
    spliced: Array2<f64>,
    unspliced: Array2<f64>,
    steady: SteadyOptions,
    stochastic: Option<StochasticOptions>,
    groups: Option<Vec<Group>>,
    refit: Option<Vec<bool>>,
    use_raw: bool,
}

impl Setup {
    fn new() -> Setup {
        Setup {
            spliced: spliced(),
            unspliced: unspliced(),
            steady: SteadyOptions::default(),
            stochastic: None,
            groups: None,
            refit: None,
            use_raw: false,
        }
    }

    fn run(&self) -> Run {
        let (s, u) = (
            Layer::Dense(self.spliced.view()),
            Layer::Dense(self.unspliced.view()),
        );
        let ds = divisors(&[10., 12., 9., 15., 11., 14.], None)
            .unwrap()
            .values;
        let du = divisors(&[5., 8., 4., 6., 6., 7.], None).unwrap().values;
        let w = Weights::new(&six(), None, Nearest::Largest, |_, _| true).unwrap();
        let zero = || Array2::zeros(self.spliced.dim());
        let (mut ms, mut mu, mut velocity, mut variance) = (zero(), zero(), zero(), zero());
        let input = Input {
            spliced: &s,
            unspliced: &u,
            divisors: [Some(&ds), Some(&du)],
            moments: None,
            weights: Some(&w),
            second: None,
            use_raw: self.use_raw,
        };
        let plan = Plan {
            steady: Some(&self.steady),
            stochastic: self.stochastic,
            groups: self.groups.as_deref(),
            allowed: None,
            refit: self.refit.as_deref(),
        };
        let output = Output {
            spliced: Some(ms.view_mut()),
            unspliced: Some(mu.view_mut()),
            velocity: Some(velocity.view_mut()),
            variance: Some(variance.view_mut()),
        };
        let out = estimate(&Exec::serial(), &input, &plan, output).unwrap();
        Run {
            fits: out.fits,
            ms,
            mu,
            velocity,
            variance,
        }
    }
}

/// To the digits printed in the specification.
fn near(found: impl IntoIterator<Item = f64>, expected: &[f64]) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 5.1e-7, "{found:?} is not {expected:?}");
    }
}

fn each(run: &Run, f: impl Fn(&GeneFit) -> f64) -> Vec<f64> {
    run.fits.iter().map(f).collect()
}

#[test]
fn fixture_of_the_steady_state() {
    let run = Setup::new().run();
    near(
        run.ms.column(0).to_vec(),
        &[4.727778, 5.494444, 4.164394, 4.134524, 2.248557, 3.015224],
    );
    near(
        run.mu.column(1).to_vec(),
        &[0.75, 0.25, 1.125, 1.419643, 2.642857, 2.142857],
    );
    near(each(&run, |f| f.gamma), &[0.615774, 0.522452]);
    near(each(&run, |f| f.r2), &[0.826029, 0.874632]);
    assert!(run.fits.iter().all(|f| f.selected && !f.refitted));
    near(
        run.velocity.column(0).to_vec(),
        &[-0.361240, 0.0, -0.339323, -0.233430, -0.551269, -0.190028],
    );
    near(
        run.velocity.column(1).to_vec(),
        &[0.104675, -0.350820, -0.342154, -0.180160, 0.0, -0.455495],
    );
}

#[test]
fn fixture_of_the_stochastic_mode() {
    for compat in [false, true] {
        let setup = Setup {
            stochastic: Some(StochasticOptions {
                compat,
                ..StochasticOptions::default()
            }),
            ..Setup::new()
        };
        let run = setup.run();
        near(each(&run, |f| f.gamma), &[0.701556, 0.567952]);
        near(each(&run, |f| f.ratio), &[0.615774, 0.522452]);
        near(
            run.velocity.column(0).to_vec(),
            &[
                -0.766802, -0.471329, -0.696557, -0.588101, -0.744156, -0.448682,
            ],
        );
        near(
            run.velocity.column(1).to_vec(),
            &[
                0.048474, -0.403144, -0.469926, -0.319484, -0.230162, -0.681781,
            ],
        );
        near(
            run.variance.column(0).to_vec(),
            &[6.452933, 7.553847, 5.349134, 5.814782, 1.751659, 4.282937],
        );
        near(
            run.variance.column(1).to_vec(),
            &[0.913777, -0.673344, 3.624938, 0.828139, 4.239732, 6.058558],
        );
    }
}

fn with_offset() -> Setup {
    Setup {
        unspliced: array![[4., 1.], [6., 0.], [3., 1.], [7., 2.], [3., 3.], [2., 4.]],
        steady: SteadyOptions {
            lower: Some(20.0),
            upper: 80.0,
            fit_offset: true,
            ..SteadyOptions::default()
        },
        ..Setup::new()
    }
}

#[test]
fn fixture_with_an_offset() {
    let run = with_offset().run();
    near(
        run.mu.column(0).to_vec(),
        &[4.6, 5.433333, 4.825, 4.428571, 3.071429, 3.904762],
    );
    near(each(&run, |f| f.gamma), &[0.657610, 0.454645]);
    near(each(&run, |f| f.offset), &[1.706442, 0.443415]);
    near(each(&run, |f| f.r2), &[0.920178, 0.969246]);
    near(run.velocity.row(0).to_vec(), &[-0.215478, -0.104986]);
    let table = [
        (
            false,
            [1.087547, 0.572923],
            [0.041940, 0.076249],
            [8.763197, 1.796867],
            [-0.583623, 0.116085],
        ),
        (
            true,
            [1.092477, 0.578214],
            [0.015237, 0.039882],
            [8.527895, 1.702007],
            [-0.580225, 0.145916],
        ),
    ];
    for (compat, gamma, offset, variance, velocity) in table {
        let stochastic = Some(StochasticOptions {
            compat,
            fit_offset2: false,
        });
        let run = Setup {
            stochastic,
            ..with_offset()
        }
        .run();
        near(each(&run, |f| f.gamma), &gamma);
        near(each(&run, |f| f.offset), &offset);
        near(run.variance.row(0).to_vec(), &variance);
        near(run.velocity.row(0).to_vec(), &velocity);
    }
}

#[test]
fn fixture_of_one_selected_gene() {
    let mut setup = with_offset();
    let second = [3., 2., 4., 1., 1., 0.];
    setup
        .unspliced
        .column_mut(1)
        .assign(&ndarray::arr1(&second));
    setup.stochastic = Some(StochasticOptions::default());
    let run = setup.run();
    near(
        [run.fits[1].gamma, run.fits[1].offset],
        &[-0.202442, 2.691383],
    );
    near([run.fits[1].r2], &[0.243361]);
    assert_eq!((run.fits[0].selected, run.fits[1].selected), (true, false));
    // Not fitted again: the line of the steady state, no variance.
    assert!(run.variance.column(1).iter().all(|&v| v == 0.0));
    near([run.fits[0].gamma], &[1.087547]);
}

/// Simulated counts of `genes` genes in cells on a ring of neighbours.
fn ring(n: usize, genes: usize) -> (Array2<f64>, Array2<f64>, Csr) {
    let hash = |i: usize, g: usize, k: usize| {
        let x = (i * 7919 + g * 104_729 + k * 1_299_709 + 12_345) as f64 * 0.618_033_988_75;
        x.fract()
    };
    let level = |i: usize| 1.0 + 3.0 * (i as f64 / n as f64);
    let s = Array2::from_shape_fn((n, genes), |(i, g)| {
        (level(i) * 3.0 * hash(i, g, 0)).floor()
    });
    let u = Array2::from_shape_fn((n, genes), |(i, g)| {
        (level(i) * 2.0 * hash(i, g, 1)).floor()
    });
    let rows = (0..n)
        .map(|i| {
            let near = 1 + i % 4;
            let mut row: Vec<u32> = (1..=near).map(|d| ((i + d) % n) as u32).collect();
            row.sort_unstable();
            row.into_iter().map(|j| (j, 1.0)).collect()
        })
        .collect();
    (s, u, from_rows(n, rows).unwrap())
}

/// Everything from its definition, with plain loops. Sums of whole numbers and their
/// means have the same bits as ours, so that the same cells are in the tails.
fn slow(s: &Array2<f64>, u: &Array2<f64>, graph: &Csr, gene: usize, stochastic: bool) -> Vec<f64> {
    let n = s.nrows();
    let mean = |f: &dyn Fn(usize) -> f64| -> Vec<f64> {
        (0..n)
            .map(|i| {
                let near: Vec<usize> = crate::sparse::csr::row(graph, i)
                    .0
                    .iter()
                    .map(|&j| j as usize)
                    .chain([i])
                    .collect();
                near.iter().map(|&j| f(j)).sum::<f64>() * (1.0 / near.len() as f64)
            })
            .collect()
    };
    let (ms, mu) = (mean(&|j| s[[j, gene]]), mean(&|j| u[[j, gene]]));
    let upper = |v: &[f64]| {
        let mut v = v.to_vec();
        v.sort_by(f64::total_cmp);
        let h = (n - 1) as f64 * 95.0 / 100.0;
        let k = h as usize;
        v[k] + (v[(k + 1).min(n - 1)] - v[k]) * (h - k as f64)
    };
    let top = |v: &[f64]| v.iter().copied().fold(1e-3, f64::max);
    let z: Vec<f64> = (0..n)
        .map(|i| ms[i] / top(&ms) + mu[i] / top(&mu))
        .collect();
    let q = upper(&z);
    let at: Vec<usize> = (0..n).filter(|&i| z[i] >= q).collect();
    let total = |at: &[usize], f: &dyn Fn(usize) -> f64| at.iter().map(|&i| f(i)).sum::<f64>();
    let gamma = total(&at, &|i| ms[i] * mu[i]) / total(&at, &|i| ms[i] * ms[i]);
    if !stochastic {
        return (0..n).map(|i| mu[i] - gamma * ms[i]).collect();
    }
    let (mss, mus) = (
        mean(&|j| s[[j, gene]] * s[[j, gene]]),
        mean(&|j| s[[j, gene]] * u[[j, gene]]),
    );
    let all: Vec<usize> = (0..n).collect();
    let x: Vec<f64> = (0..n).map(|i| 2.0 * mss[i] - ms[i]).collect();
    let y: Vec<f64> = (0..n).map(|i| 2.0 * mus[i] + mu[i]).collect();
    let gamma2 = total(&all, &|i| x[i] * y[i]) / total(&all, &|i| x[i] * x[i]);
    let variance = |e: &dyn Fn(usize) -> f64| {
        let m = total(&all, e) / n as f64;
        total(&all, &|i| (e(i) - m) * (e(i) - m)) / n as f64
    };
    let v1 = variance(&|i| mu[i] - gamma * ms[i]);
    let v2 = variance(&|i| y[i] - gamma2 * x[i]);
    let qs = upper(&ms);
    let at: Vec<usize> = (0..n).filter(|&i| z[i] >= q || ms[i] >= qs).collect();
    let gamma = (total(&at, &|i| ms[i] * mu[i]) / v1 + total(&all, &|i| x[i] * y[i]) / v2)
        / (total(&at, &|i| ms[i] * ms[i]) / v1 + total(&all, &|i| x[i] * x[i]) / v2);
    (0..n).map(|i| mu[i] - gamma * ms[i]).collect()
}

fn run_ring(
    threads: usize,
    sparse: bool,
    stochastic: bool,
    (s, u, graph): &(Array2<f64>, Array2<f64>, Csr),
) -> (Vec<GeneFit>, Vec<f64>, Vec<f64>) {
    let exec = Exec::with_threads(threads).unwrap();
    let slots: Vec<_> = [s, u].map(compressed).into_iter().collect();
    let (n, genes) = s.dim();
    let layer = |k: usize| {
        if sparse {
            let (p, i, x) = &slots[k];
            Layer::Sparse(SparseLayer::new((genes, n), p, i, x).unwrap())
        } else {
            Layer::Dense([s, u][k].view())
        }
    };
    let layers = [layer(0), layer(1)];
    let w = Weights::new(graph, None, Nearest::Largest, |_, _| true).unwrap();
    let mut velocity = Array2::from_elem((n, genes), f64::NAN);
    let mut ms = Array2::from_elem((n, genes), f64::NAN);
    let refit = vec![true; genes];
    let plan = Plan {
        steady: Some(&SteadyOptions::default()),
        stochastic: stochastic.then(StochasticOptions::default),
        groups: None,
        allowed: None,
        refit: Some(&refit),
    };
    let input = Input {
        spliced: &layers[0],
        unspliced: &layers[1],
        divisors: [None, None],
        moments: None,
        weights: Some(&w),
        second: None,
        use_raw: false,
    };
    let output = Output {
        spliced: Some(ms.view_mut()),
        velocity: Some(velocity.view_mut()),
        ..Output::default()
    };
    let out = estimate(&exec, &input, &plan, output).unwrap();
    (
        out.fits,
        ms.into_raw_vec_and_offset().0,
        velocity.into_raw_vec_and_offset().0,
    )
}

fn compressed(m: &Array2<f64>) -> (Vec<i32>, Vec<i32>, Vec<f64>) {
    let (mut p, mut i, mut x) = (vec![0], Vec::new(), Vec::new());
    for row in m.outer_iter() {
        for (g, &v) in row.iter().enumerate().filter(|(_, &v)| v != 0.0) {
            i.push(g as i32);
            x.push(v);
        }
        p.push(i.len() as i32);
    }
    (p, i, x)
}

#[test]
fn fast_is_slow_and_sparse_is_dense() {
    // More genes than a task has, and not a multiple of eight.
    let data = ring(230, 77);
    for stochastic in [false, true] {
        let (_, _, dense) = run_ring(2, false, stochastic, &data);
        let (_, _, sparse) = run_ring(2, true, stochastic, &data);
        assert_eq!(dense, sparse);
        for gene in [0, 7, 8, 63, 64, 76] {
            let oracle = slow(&data.0, &data.1, &data.2, gene, stochastic);
            for (cell, v) in oracle.into_iter().enumerate() {
                assert!((dense[cell * 77 + gene] - v).abs() < 1e-12, "{gene} {cell}");
            }
        }
    }
}

#[test]
fn threads_and_instructions_change_nothing() {
    let data = ring(4500, 70);
    same_bits(|threads| {
        let (fits, ms, velocity) = run_ring(threads, true, true, &data);
        let bits = |v: Vec<f64>| v.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        (fits, bits(ms), bits(velocity))
    });
}

#[test]
fn an_exact_line_is_found_and_is_degenerate() {
    let s = spliced();
    // Divisors are equal for a fit of the counts themselves.
    let ones = [1.0; 6];
    let (ls, u) = (Layer::Dense(s.view()), &s * 0.75);
    let lu = Layer::Dense(u.view());
    let w = Weights::new(&six(), None, Nearest::Largest, |_, _| true).unwrap();
    let mut variance = Array2::from_elem((6, 2), f64::NAN);
    let input = Input {
        spliced: &ls,
        unspliced: &lu,
        divisors: [Some(&ones), Some(&ones)],
        moments: None,
        weights: Some(&w),
        second: None,
        use_raw: false,
    };
    let plan = Plan {
        steady: Some(&SteadyOptions::default()),
        stochastic: Some(StochasticOptions::default()),
        groups: None,
        allowed: None,
        refit: None,
    };
    let output = Output {
        variance: Some(variance.view_mut()),
        ..Output::default()
    };
    let fits = estimate(&Exec::serial(), &input, &plan, output)
        .unwrap()
        .fits;
    for fit in fits {
        assert!((fit.gamma - 0.75).abs() < 1e-14);
        assert!((fit.r2 - 1.0).abs() < 1e-14);
        assert!(fit.selected && fit.degenerate && !fit.refitted);
    }
    assert!(variance.iter().all(|&v| v == 0.0));
}

#[test]
fn genes_without_a_signal_are_not_selected() {
    let zero = [0.0; 6];
    let set = |mut m: Array2<f64>, gene, to: &[f64]| {
        m.column_mut(gene).assign(&ndarray::arr1(to));
        m
    };
    let run = Setup {
        spliced: set(spliced(), 0, &zero),
        unspliced: set(unspliced(), 1, &zero),
        ..Setup::new()
    }
    .run();
    assert_eq!((run.fits[0].gamma, run.fits[0].selected), (0.0, false));
    assert_eq!(run.velocity.column(0), run.mu.column(0));
    assert_eq!((run.fits[1].gamma, run.fits[1].r2), (0.0, 0.0));
    assert!(run.velocity.column(1).iter().all(|&v| v == 0.0));
    // Constant after division by the sizes 5 8 4 6 6 7 over 6.
    let constant = Setup {
        unspliced: set(unspliced(), 0, &[5., 8., 4., 6., 6., 7.]),
        ..Setup::new()
    }
    .run();
    assert_eq!(constant.fits[0].r2, f64::NEG_INFINITY);
    assert!(!constant.fits[0].selected);
}

#[test]
fn groups_are_fitted_by_themselves() {
    let group = |cells: Vec<u32>, fit: Option<Vec<u32>>| Group { cells, fit };
    let both = vec![group(vec![0, 2, 4], None), group(vec![1, 3], None)];
    let run = |groups: Vec<Group>| {
        Setup {
            stochastic: Some(StochasticOptions::default()),
            groups: Some(groups),
            refit: Some(vec![true; 4]),
            ..Setup::new()
        }
        .run()
    };
    let together = run(both.clone());
    // Group by group, then gene by gene.
    let alone = Setup {
        stochastic: Some(StochasticOptions::default()),
        groups: Some(both[1..].to_vec()),
        refit: Some(vec![true; 2]),
        ..Setup::new()
    }
    .run();
    assert_eq!(together.fits[2..], alone.fits[..]);
    for cell in [1, 3] {
        assert_eq!(together.velocity.row(cell), alone.velocity.row(cell));
    }
    assert!(together.velocity.row(5).iter().all(|&v| v == 0.0));
    assert!(alone.velocity.row(0).iter().all(|&v| v == 0.0));
    // One group of all cells is no group at all; so are fit cells that are all.
    let everyone: Vec<u32> = (0..6).collect();
    let whole = Setup {
        stochastic: Some(StochasticOptions::default()),
        ..Setup::new()
    }
    .run();
    let one = Setup {
        stochastic: Some(StochasticOptions::default()),
        groups: Some(vec![group(everyone.clone(), Some(everyone))]),
        ..Setup::new()
    }
    .run();
    assert_eq!(whole.fits, one.fits);
    assert_eq!(whole.velocity, one.velocity);
}

#[test]
fn scaling_the_counts_scales_the_steady_state() {
    let plain = Setup::new().run();
    let more = Setup {
        unspliced: unspliced() * 4.0,
        ..Setup::new()
    }
    .run();
    let less = Setup {
        spliced: spliced() * 4.0,
        ..Setup::new()
    }
    .run();
    for gene in 0..2 {
        assert_eq!(more.fits[gene].gamma, 4.0 * plain.fits[gene].gamma);
        assert_eq!(4.0 * less.fits[gene].gamma, plain.fits[gene].gamma);
    }
    assert_eq!(more.velocity, plain.velocity * 4.0);
}

#[test]
fn raw_counts_can_be_fitted() {
    let run = Setup {
        use_raw: true,
        ..Setup::new()
    }
    .run();
    near(
        run.ms.column(0).to_vec(),
        &[4.6, 5.75, 3.833333, 6.133333, 2.090909, 0.821429],
    );
}

#[test]
fn the_best_fitted_genes_are_those_above_the_percentile() {
    let (threshold, best) = best_fitted(&[0.1, 0.5, 0.2, 0.3, 0.4, 0.0]);
    assert_eq!((threshold, best.iter().filter(|&&b| b).count()), (0.4, 1));
    assert!(best[1]);
    let (threshold, best) = best_fitted(&[f64::NEG_INFINITY, -3.0, f64::NEG_INFINITY]);
    assert!(threshold < -3.0 && best == [false, true, false]);
}
