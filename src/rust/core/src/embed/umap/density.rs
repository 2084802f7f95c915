//! Keeping dense regions dense: densMAP (Narayan, Berger & Cho 2021).
//!
//! The plain layout gives dense and sparse regions of the data the same room. Here
//! the logarithm of the mean squared distance to the neighbours, weighted by the
//! edges, is held close (in correlation) between data and layout. In the last part
//! of the epochs every acting edge pulls its two cells so that this correlation
//! grows (section 3.10 of the graph rules):
//!
//! ```text
//! ro_i  = ln(1e-8 + sum_j mu_ij d_ij^2 / sum_j mu_ij)             data
//! re_i  = ln(1e-8 + sum_j phi_ij |y_i - y_j|^2 / sum_j phi_ij)    layout
//! phi   = 1 / (1 + a |y_i - y_j|^(2b))
//! R     = (ro - mean) / sd,  s^2 = var(re) + shift,  c = sum_i re_i R_i / (n - 1)
//! W_i   = R_i - c (re_i - mean) / s^2
//! ```

use super::edges::Edges;
use super::force::Curve;
use super::order::Order;
use super::power::power;
use super::schedule::WHOLE;
use super::{DensityOptions, Radii};
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::math;
use crate::sparse::csr::{row, Csr};

/// Keeps the logarithm of a radius of zero finite.
const TINY: f64 = 1e-8;
/// Cells per task.
const TASK: usize = 256;

/// The density of the data, and how strongly the layout follows it.
#[derive(Debug)]
pub struct Density {
    /// Log radius of the data, by place.
    log_radius: Vec<f64>,
    /// The same with mean zero and variance one.
    radius: Vec<f64>,
    /// Half the sum of all weights.
    total: f64,
    lambda: f64,
    shift: f64,
    /// First epoch in which densities act.
    pub first: usize,
}

/// What the pull of an epoch depends on, by place.
#[derive(Debug)]
pub struct Pull {
    /// W over (sum of phi times squared radius) in the layout.
    pub spread: Vec<f32>,
    /// W over the sum of phi.
    pub mass: Vec<f32>,
    /// `lambda sum(mu) / (s n max(mu))`, sum over undirected edges.
    scale: f32,
    /// The log radius of the layout.
    pub log_radius: Vec<f64>,
    /// `c / s`: the correlation that is being raised.
    pub agreement: f64,
}

impl Pull {
    /// Factor of `y_i - y_j`, from the squared distance, the share of the edge and
    /// the sums over both ends of `spread` and `mass`.
    #[inline(always)]
    pub fn factor(&self, curve: &Curve, d2: f32, share: u32, spread: f32, mass: f32) -> f32 {
        let Curve { a, b, .. } = *curve;
        let d2 = if d2 > f32::EPSILON { d2 } else { f32::EPSILON };
        let p = power(d2, b);
        let phi = 1.0 / (1.0 + a * p);
        let bent = spread * (1.0 - b * (1.0 - phi)) + mass * (a * b * (p / d2) * phi);
        // A share is at most 2^31, so half of it is a signed number.
        let share = ((share >> 1) as i32) as f32 * (2.0 / WHOLE as f32);
        2.0 * self.scale * phi * bent / share
    }
}

impl Density {
    /// The density of the data. `distances` holds the distance of every edge in at
    /// least one direction; one that is missing or zero is that of duplicates.
    /// O(entries log k).
    ///
    /// # Errors
    /// `shape`, `range` (distances that are not finite), `interrupted`.
    pub fn new(
        exec: &Exec,
        graph: &Csr,
        distances: &Csr,
        order: &Order,
        epochs: usize,
        options: &DensityOptions,
    ) -> Result<Density> {
        let n = graph.rows();
        if distances.rows() != n || distances.cols() != n {
            return Err(CoreError::Shape {
                what: "the distances".into(),
                expected: n,
                found: distances.rows(),
            });
        }
        let bad = |d: &&f64| !d.is_finite() || **d < 0.0;
        if let Some(&value) = distances.data().iter().find(bad) {
            return Err(CoreError::Range {
                what: "a distance".into(),
                value,
                allowed: "0 or more, and finite".into(),
            });
        }
        let between = |i: usize, j: usize| {
            let one = distances.get(i, j).copied().unwrap_or(0.0);
            one.max(distances.get(j, i).copied().unwrap_or(0.0))
        };
        let log_radius = exec.map_chunks(n, TASK, |places| {
            let of = |p: usize| {
                let i = order.cell[p] as usize;
                let (mut sum, mut weight) = (0.0, 0.0);
                let (cols, weights) = row(graph, i);
                for (&j, &w) in cols.iter().zip(weights) {
                    let d = between(i, j as usize);
                    sum += w * d * d;
                    weight += w;
                }
                // A cell without an edge has no radius; it gets the smallest.
                math::ln(TINY + if weight > 0.0 { sum / weight } else { 0.0 })
            };
            places.map(of).collect::<Vec<f64>>()
        })?;
        let log_radius = log_radius.concat();
        let (mean, variance) = moments(exec, &log_radius)?;
        // Equal densities everywhere, up to rounding, ask for nothing.
        let equal = variance.sqrt() <= 1e-9 * (1.0 + mean.abs());
        let part = if equal { 0.0 } else { 1.0 / variance.sqrt() };
        let radius = log_radius.iter().map(|r| (r - mean) * part).collect();
        let weights = graph.data();
        let total = 0.5 * exec.sum(weights.len(), |r| weights[r].iter().sum())?;
        Ok(Density {
            log_radius,
            radius,
            total,
            lambda: options.lambda,
            shift: options.var_shift,
            first: epochs - (epochs as f64 * options.fraction).floor() as usize,
        })
    }

    /// The log radii of data and layout, by cell; `y` is by cell, too.
    ///
    /// # Errors
    /// `interrupted`.
    pub fn radii<const D: usize>(
        &self,
        exec: &Exec,
        edges: &Edges,
        order: &Order,
        y: &[[f32; D]],
        curve: &Curve,
    ) -> Result<Radii> {
        let position: Vec<[f32; D]> = order.cell.iter().map(|&c| y[c as usize]).collect();
        let layout = self.pull(exec, edges, &position, curve)?.log_radius;
        let by_cell = |r: &[f64]| order.place.iter().map(|&p| r[p as usize]).collect();
        Ok(Radii {
            data: by_cell(&self.log_radius),
            layout: by_cell(&layout),
        })
    }

    /// The pull at these positions. O(entries).
    ///
    /// # Errors
    /// `interrupted`.
    pub fn pull<const D: usize>(
        &self,
        exec: &Exec,
        edges: &Edges,
        position: &[[f32; D]],
        curve: &Curve,
    ) -> Result<Pull> {
        let n = edges.cells();
        let sums: Vec<(f64, f64)> = exec
            .map_chunks(n, TASK, |places| {
                let of = |p| local_sums(edges, position, p, curve);
                places.map(of).collect::<Vec<_>>()
            })?
            .concat();
        let log_radius: Vec<f64> = sums
            .iter()
            .map(|&(phi, spread)| math::ln(TINY + if phi > 0.0 { spread / phi } else { 0.0 }))
            .collect();
        let (mean, variance) = moments(exec, &log_radius)?;
        let s2 = variance + self.shift;
        let (r, re) = (&self.radius, &log_radius);
        let both = exec.sum(n, |c| c.map(|p| r[p] * re[p]).sum())?;
        let covariance = both / (n.max(2) - 1) as f64;
        let mut spread = Vec::with_capacity(n);
        let mut mass = Vec::with_capacity(n);
        for (p, &(phi, _)) in sums.iter().enumerate() {
            let weight = r[p] - covariance * (re[p] - mean) / s2;
            let weight = if phi > 0.0 { weight / phi } else { 0.0 };
            mass.push(weight as f32);
            spread.push((weight / math::exp(re[p])) as f32);
        }
        let scale = self.lambda * self.total / (s2.sqrt() * n as f64 * edges.largest);
        Ok(Pull {
            spread,
            mass,
            scale: scale as f32,
            agreement: covariance / s2.sqrt(),
            log_radius,
        })
    }
}

/// Sums of phi and of phi times the squared distance over the edges of a cell.
fn local_sums<const D: usize>(
    edges: &Edges,
    position: &[[f32; D]],
    p: usize,
    curve: &Curve,
) -> (f64, f64) {
    let (targets, _) = edges.slices(edges.entries(p..p + 1));
    let at = position[p];
    let (mut mass, mut spread) = (0.0, 0.0);
    for &t in targets {
        let other = position[t as usize];
        let mut d2 = 0.0f32;
        for d in 0..D {
            let x = at[d] - other[d];
            d2 += x * x;
        }
        let held = if d2 > f32::EPSILON { d2 } else { f32::EPSILON };
        let phi = f64::from(1.0 / (1.0 + curve.a * power(held, curve.b)));
        mass += phi;
        spread += phi * f64::from(d2);
    }
    (mass, spread)
}

/// Mean and variance (denominator n).
fn moments(exec: &Exec, x: &[f64]) -> Result<(f64, f64)> {
    let n = x.len().max(1) as f64;
    let mean = exec.sum(x.len(), |r| x[r].iter().sum())? / n;
    let squares = exec.sum(x.len(), |r| {
        x[r].iter().map(|v| (v - mean) * (v - mean)).sum()
    })?;
    Ok((mean, squares / n))
}
