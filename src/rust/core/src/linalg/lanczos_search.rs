//! Filtered block Lanczos with thick restarts.
//!
//! The search grows an orthonormal basis of the Krylov space of `p(A)`, where the
//! Chebyshev polynomial p damps everything between the bottom of the spectrum and a
//! cut just below what is wanted; one vector of the basis then carries what takes
//! plain Lanczos as many as p has degrees, and as much orthogonalisation (filtered
//! Lanczos: Li, Xi, Vecharynski, Yang & Saad 2016, SIAM J. Sci. Comput. 38, A2512).
//! A full basis is cut back to its best vectors and goes on (thick restart: Wu &
//! Simon 2000, SIAM J. Matrix Anal. Appl. 22, 602). Bottom and cut come from the
//! search itself: it begins without a filter, and where a basis shows that a much
//! stronger one is due, it starts anew from its best vectors with that.
//!
//! Eigenvalues closer together than the basis can tell apart are the hard case: a
//! block of [`K`] vectors finds at most that many copies of a value. Where that many
//! are found together, the search ends only after a fresh random block has been
//! driven far enough to show a copy still missing, and shown none.

use super::lanczos::{EigenOptions, Known, ScaledGraph};
use super::lanczos_dense::symmetric;
use super::lanczos_filter::{acosh, Filter, TOP};
use super::lanczos_panel::{Block, Panel, Symmetric, K};
use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::rng::Stream;
use nalgebra::DMatrix;

/// Highest degree of a filter.
const DEGREE: f64 = 24.0;
/// Steps after which a filter is looked for first: both ends of the spectrum show.
const FIRST: usize = 8;
/// A filter is replaced when the new one has a degree larger by this factor.
const STRONGER: f64 = 1.4;
/// Room left below the lowest approximation.
const MARGIN: f64 = 0.02;
/// Values closer together than this may not be told apart by the search.
const CROWDED: f64 = 3e-5;
/// Purpose of the random combinations.
const MIX: u64 = 0x6c61_6e64;

/// What a search found, largest value first.
pub struct Found {
    pub values: Vec<f64>,
    pub vectors: Vec<Vec<f64>>,
    pub residuals: Vec<f64>,
    pub products: usize,
}

impl Found {
    pub(super) fn none() -> Found {
        Found {
            values: vec![],
            vectors: vec![],
            residuals: vec![],
            products: 0,
        }
    }
}

/// The basis, the filtered matrix within it, and where the search stands.
pub(super) struct Search<'a, N> {
    pub(super) a: Symmetric<'a, N>,
    pub(super) known: Option<Known<'a>>,
    pub(super) options: EigenOptions,
    pub(super) filter: Filter,
    /// `m` vectors of the basis; the block that comes next stands behind them.
    pub(super) panel: Panel,
    pub(super) m: usize,
    pub(super) limit: usize,
    /// q' p(A) q.
    pub(super) h: DMatrix<f64>,
    /// Eigenvalues within the basis, largest first, and their weights.
    pub(super) values: Vec<f64>,
    pub(super) inner: DMatrix<f64>,
    /// Inner products of the next block before it was made orthonormal.
    pub(super) rest: Vec<f64>,
    pub(super) products: usize,
    /// Random vectors drawn so far.
    pub(super) drawn: u64,
    /// By how much residuals turned out larger than expected.
    pub(super) slack: f64,
    pub(super) x: Block,
    pub(super) y: Block,
}

/// The largest eigenpairs of `sign S M S`, as far as they are found within the
/// number of products.
pub fn search<N>(
    exec: &Exec,
    matrix: ScaledGraph<'_, N>,
    sign: f64,
    known: Option<Known<'_>>,
    options: &EigenOptions,
) -> Result<Found>
where
    N: Copy + Into<f64> + Send + Sync,
{
    if options.wanted == 0 {
        return Ok(Found::none());
    }
    let mut s = Search::new(exec, matrix, sign, known, *options)?;
    exec.control().begin(options.wanted);
    // Steps until a probe has shown what it can.
    let (mut told, mut probing) = (0, 0usize);
    let mut before: Option<Vec<f64>> = None;
    loop {
        exec.check()?;
        s.step(exec)?;
        probing = probing.saturating_sub(1);
        let found = s.found();
        exec.control().tick(found.saturating_sub(told));
        told = told.max(found);
        let spent = s.products >= options.products;
        if spent || (found == options.wanted && probing == 0) {
            let result = s.certify(exec)?;
            let good = |r: &f64| *r <= options.tolerance;
            let all = result.residuals.len() == options.wanted && result.residuals.iter().all(good);
            if spent {
                return Ok(result);
            }
            if s.leaks(&result.values) {
                s.widen(exec)?;
                continue;
            }
            if !all {
                s.slack *= 2.0;
            } else {
                let near = 10.0 * options.tolerance;
                let same = before.as_ref().is_some_and(|b| {
                    let mut pairs = b.iter().zip(&result.values);
                    pairs.all(|(b, v)| (b - v).abs() <= near)
                });
                match crowd(&result.values) {
                    Some(value) if !same => probing = s.probe(exec, value)?,
                    _ => return Ok(result),
                }
                before = Some(result.values);
                continue;
            }
        }
        s.make_room(exec, probing > 0)?;
    }
}

/// The smallest value of a run of [`K`] too close to be told apart: a block may have
/// missed further copies of it.
fn crowd(values: &[f64]) -> Option<f64> {
    let runs = values.windows(K).filter(|w| w[0] - w[K - 1] < CROWDED);
    runs.map(|w| w[K - 1]).next_back()
}

impl<'a, N: Copy + Into<f64> + Send + Sync> Search<'a, N> {
    fn new(
        exec: &Exec,
        matrix: ScaledGraph<'a, N>,
        sign: f64,
        known: Option<Known<'a>>,
        options: EigenOptions,
    ) -> Result<Search<'a, N>> {
        let n = matrix.scale.len();
        let limit = 2 * options.wanted + 8 * K;
        let mut s = Search {
            a: Symmetric {
                matrix: matrix.graph,
                scale: matrix.scale,
                sign,
            },
            known,
            options,
            filter: Filter {
                bottom: -TOP,
                cut: 0.0,
                top: TOP,
                degree: 1,
            },
            panel: Panel::new(n, limit + K)?,
            m: 0,
            limit,
            h: DMatrix::from_element(0, 0, 0.0),
            values: vec![],
            inner: DMatrix::from_element(0, 0, 0.0),
            rest: vec![0.0; K * K],
            products: 0,
            drawn: 0,
            slack: 2.0,
            x: try_filled(n, [0.0; K], "a block of vectors")?,
            y: try_filled(n, [0.0; K], "a block of vectors")?,
        };
        s.draw(exec)?;
        Ok(s)
    }

    /// A step of the process: the next block joins the basis, and what is new in
    /// `p(A)` times it comes next.
    fn step(&mut self, exec: &Exec) -> Result<()> {
        let (m, full) = (self.m, self.m + K);
        self.panel.read(exec, m, self.a.scale, &mut self.x)?;
        let centre = self.filter.centre();
        for (k, (gain, back)) in self.filter.steps().enumerate() {
            if k > 0 {
                std::mem::swap(&mut self.x, &mut self.y);
            }
            self.multiply(exec, [gain, centre, back])?;
        }
        self.panel.put(exec, full, self.a.scale, &self.y)?;
        let along = self.panel.dots(exec, 0..full, full..full + K)?;
        self.panel.subtract(exec, 0..full, full..full + K, &along)?;
        let old = &self.h;
        let entry = |i: usize, j: usize| along[i * K + j - m];
        self.h = DMatrix::from_fn(full, full, |i, j| match (i < m, j < m) {
            (true, true) => old[(i, j)],
            (true, false) => entry(i, j),
            (false, true) => entry(j, i),
            (false, false) => 0.5 * (entry(i, j) + entry(j, i)),
        });
        self.m = full;
        if let Some(k) = self.known {
            self.panel
                .deflate(exec, full, (k.piece, k.weight, k.count))?;
        }
        self.rest = self.panel.dots(exec, full..full + K, full..full + K)?;
        self.orthonormalise(exec)?;
        (self.values, self.inner) = symmetric(self.h.clone())?;
        Ok(())
    }

    /// The value of the matrix that belongs to one of the filtered matrix.
    fn value(&self, at: usize) -> Option<f64> {
        self.values.get(at).and_then(|&v| self.filter.inverse(v))
    }

    /// Residual of a pair of the filtered matrix, from what the next block adds.
    fn residual(&self, at: usize) -> f64 {
        let last = |c: usize| self.inner[(self.m - K + c, at)];
        let mut square = 0.0;
        for a in 0..K {
            for b in 0..K {
                square += last(a) * self.rest[a * K + b] * last(b);
            }
        }
        square.max(0.0).sqrt()
    }

    /// How many of the wanted pairs are expected to be good enough: the residual of
    /// the filtered matrix, times the slope between what is wanted and the cut.
    fn found(&self) -> usize {
        let (m, wanted) = (self.m, self.options.wanted);
        if m < wanted {
            return 0;
        }
        let floor = self.filter.at(self.filter.cut);
        let good = |&i: &usize| {
            let Some(value) = self.value(i) else {
                return false;
            };
            let slope = match self.filter.degree {
                1 => self.filter.top - self.filter.centre(),
                _ => (value - self.filter.cut) / (self.values[i] - floor),
            };
            self.slack * self.residual(i) * slope <= self.options.tolerance
        };
        (0..wanted).filter(good).count()
    }

    /// The filter that the values found so far call for.
    fn better_filter(&self) -> Option<Filter> {
        let top = self.value(0)?;
        let at = (self.options.wanted + K).min(self.m - 1);
        let value = self.value(at)?;
        let mut bottom = self.filter.bottom;
        if self.filter.degree == 1 {
            let slope = self.filter.top - self.filter.centre();
            let lowest = self.value(self.m - 1)? - slope * self.residual(self.m - 1);
            bottom = (lowest - MARGIN).clamp(-TOP, 0.0);
        }
        let width = top - bottom;
        let least = 2.25 * width / (DEGREE * DEGREE);
        let cut = value.clamp(bottom + 0.05 * width, top - least);
        let degree = 1.5 * ((cut - bottom) / (top - cut)).sqrt();
        Some(Filter {
            bottom,
            cut,
            top,
            degree: degree.clamp(1.0, DEGREE) as usize,
        })
    }

    /// A stronger filter if one is due; else a restart with the best vectors when the
    /// basis is full.
    fn make_room(&mut self, exec: &Exec, probing: bool) -> Result<()> {
        let full = self.m + K > self.limit;
        let first_look = self.filter.degree == 1 && self.m == FIRST * K;
        if !probing && (full || first_look) {
            let least = STRONGER * self.filter.degree as f64;
            let better = self.better_filter();
            if let Some(better) = better.filter(|f| f.degree as f64 >= least) {
                return self.change_filter(exec, better);
            }
        }
        if full {
            let next = self.m;
            self.keep(exec, self.options.wanted + 2 * K)?;
            self.panel.copy(exec, next, self.m)?;
        }
        Ok(())
    }

    /// Starts anew with another filter, from random combinations of the best vectors.
    fn change_filter(&mut self, exec: &Exec, filter: Filter) -> Result<()> {
        let (m, seed) = (self.m, self.options.seed);
        let best = (self.options.wanted + K).min(m);
        let weights = [0, 1, 2, 3].map(|c| {
            let mut weight = vec![0.0; m];
            for i in 0..best {
                let share = Stream::new(seed, MIX, i as u64, c).normal();
                for (w, &v) in weight.iter_mut().zip(self.inner.column(i).iter()) {
                    *w += share * v;
                }
            }
            weight
        });
        self.gather(exec, &weights)?;
        self.panel.put(exec, 0, self.a.scale, &self.x)?;
        self.m = 0;
        self.h = DMatrix::from_element(0, 0, 0.0);
        self.values.clear();
        self.filter = filter;
        self.orthonormalise(exec)
    }

    /// Whether a vector below the supposed bottom of the spectrum passed the filter
    /// for one of the wanted.
    fn leaks(&self, values: &[f64]) -> bool {
        let narrow = self.filter.degree > 1 && self.filter.bottom > -TOP;
        narrow && values.iter().any(|&v| v < self.filter.cut)
    }

    /// Starts anew with a filter for all spectra.
    fn widen(&mut self, exec: &Exec) -> Result<()> {
        let filter = Filter {
            bottom: -TOP,
            ..self.filter
        };
        self.change_filter(exec, filter)
    }

    /// Keeps what is wanted and goes on with a random block. Returns the steps after
    /// which a missing vector of value `crowd` would stand out a hundredfold.
    fn probe(&mut self, exec: &Exec, crowd: f64) -> Result<usize> {
        self.keep(exec, self.options.wanted)?;
        self.draw(exec)?;
        let degrees = acosh(100.0 * (self.x.len() as f64).sqrt()) / self.filter.rate(crowd);
        Ok((degrees / self.filter.degree as f64).ceil() as usize)
    }
}
