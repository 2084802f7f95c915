//! Drawings in which connected groups pull and all groups push each other.
//!
//! Two balances of forces. Fruchterman & Reingold (1991): nodes repel with `1/d`,
//! edges pull with `w d^2`, and a temperature that falls to zero limits each step.
//! ForceAtlas2 (Jacomy et al. 2014): nodes repel with `k_r (1 + deg)(1 + deg) / d`,
//! edges pull with `w d`, gravity `k_g (1 + deg)` pulls to the origin, and every node
//! moves as fast as its force has lately been steady.

use super::layout::Network;
use crate::error::Result;
use crate::exec::Exec;
use crate::rng::Stream;
use ndarray::Array2;

/// Repulsion and gravity of ForceAtlas2.
const REPULSION: f64 = 2.0;
const GRAVITY: f64 = 1.0;
/// Tolerance to swinging, speed of a node in units of the global one, its limit, and
/// the rise of the global speed per step: tau, k_s, k_smax and 50% of the paper.
const TOLERANCE: f64 = 1.0;
const SPEED: f64 = 0.1;
const SPEED_LIMIT: f64 = 10.0;
const SPEED_RISE: f64 = 1.5;
/// Size of the random offsets that part coincident points.
const JITTER: f64 = 1e-9;

type Force = [f64; 2];

fn length(f: Force) -> f64 {
    (f[0] * f[0] + f[1] * f[1]).sqrt()
}

fn jitter(draws: &mut Stream) -> Force {
    [
        JITTER * (2.0 * draws.uniform() - 1.0),
        JITTER * (2.0 * draws.uniform() - 1.0),
    ]
}

/// From `b` to `a`; a random direction for coincident points.
fn between(a: Force, b: Force, draws: &mut Stream) -> Force {
    let mut d = [a[0] - b[0], a[1] - b[1]];
    while d == [0.0, 0.0] {
        d = jitter(draws);
    }
    d
}

/// Adds `scale * d` to the force on `g` and takes it off that on `h`.
fn push(forces: &mut [Force], g: usize, h: usize, d: Force, scale: f64) {
    for c in 0..2 {
        forces[g][c] += scale * d[c];
        forces[h][c] -= scale * d[c];
    }
}

fn points(m: &Array2<f64>) -> Vec<Force> {
    m.rows().into_iter().map(|r| [r[0], r[1]]).collect()
}

fn matrix(points: &[Force]) -> Array2<f64> {
    Array2::from_shape_fn((points.len(), 2), |(i, j)| points[i][j])
}

fn is_connected(network: &Network) -> bool {
    let mut label: Vec<usize> = (0..network.nodes).collect();
    let find = |label: &mut Vec<usize>, mut g: usize| {
        while label[g] != g {
            label[g] = label[label[g]];
            g = label[g];
        }
        g
    };
    let mut pieces = network.nodes;
    for &(g, h, _) in &network.edges {
        let (a, b) = (find(&mut label, g), find(&mut label, h));
        if a != b {
            label[a.max(b)] = a.min(b);
            pieces -= 1;
        }
    }
    pieces <= 1
}

/// Fruchterman and Reingold's method without a grid. Repulsion `dx / d^2`, attraction
/// `w d dx`; in a disconnected graph repulsion fades with `(C - d^3) / C`,
/// `C = n sqrt(n)`, so that pieces do not drift apart for ever. Steps are limited to
/// a temperature that falls from `sqrt(n) / 10` to 0. O(iterations * n^2).
///
/// # Errors
/// `interrupted`.
pub(super) fn fruchterman_reingold(
    exec: &Exec,
    network: &Network,
    start: Array2<f64>,
    iterations: usize,
    draws: &mut Stream,
) -> Result<Array2<f64>> {
    let n = network.nodes;
    let mut at = points(&start);
    let connected = is_connected(network);
    let fade = n as f64 * (n as f64).sqrt();
    let hot = (n as f64).sqrt() / 10.0;
    exec.control().begin(iterations);
    for step in 0..iterations {
        exec.check()?;
        let mut forces = vec![[0.0; 2]; n];
        for g in 0..n {
            for h in g + 1..n {
                let d = between(at[g], at[h], draws);
                let squared = d[0] * d[0] + d[1] * d[1];
                let weaker = if connected {
                    1.0
                } else {
                    (fade - squared * squared.sqrt()) / fade
                };
                push(&mut forces, g, h, d, weaker / squared);
            }
        }
        for &(g, h, w) in &network.edges {
            let d = [at[g][0] - at[h][0], at[g][1] - at[h][1]];
            push(&mut forces, g, h, d, -w * length(d));
        }
        let temperature = hot * (1.0 - step as f64 / iterations as f64);
        for (p, f) in at.iter_mut().zip(&forces) {
            let noise = jitter(draws);
            let f = [f[0] + noise[0], f[1] + noise[1]];
            let size = length(f);
            let shrink = if size > temperature {
                temperature / size
            } else {
                1.0
            };
            p[0] += shrink * f[0];
            p[1] += shrink * f[1];
        }
        exec.control().tick(1);
    }
    Ok(matrix(&at))
}

/// ForceAtlas2 with exact repulsion. O(iterations * n^2).
///
/// # Errors
/// `interrupted`.
pub(super) fn force_atlas(
    exec: &Exec,
    network: &Network,
    start: Array2<f64>,
    iterations: usize,
    draws: &mut Stream,
) -> Result<Array2<f64>> {
    let n = network.nodes;
    let mut at = points(&start);
    let mut mass = vec![1.0; n];
    for &(g, h, _) in &network.edges {
        mass[g] += 1.0;
        mass[h] += 1.0;
    }
    let mut before = vec![[0.0; 2]; n];
    let mut speed = f64::INFINITY;
    exec.control().begin(iterations);
    for _ in 0..iterations {
        exec.check()?;
        let forces = atlas_forces(network, &at, &mass, draws);
        // Swinging: how much the force turned; traction: how much of it stayed.
        let change = |i: usize, sign: f64| {
            let (a, b) = (forces[i], before[i]);
            length([a[0] + sign * b[0], a[1] + sign * b[1]])
        };
        let swing: Vec<f64> = (0..n).map(|i| change(i, -1.0)).collect();
        let swings: f64 = (0..n).map(|i| mass[i] * swing[i]).sum();
        let traction: f64 = (0..n).map(|i| mass[i] * change(i, 1.0) / 2.0).sum();
        if traction == 0.0 && swings == 0.0 {
            break;
        }
        // Infinite without any swinging: the rise limits it then.
        let wanted = TOLERANCE * traction / swings;
        speed = wanted.min(SPEED_RISE * speed);
        if speed.is_infinite() {
            speed = TOLERANCE;
        }
        for i in 0..n {
            let size = length(forces[i]);
            if size > 0.0 {
                let own = SPEED * speed / (1.0 + speed * swing[i].sqrt());
                let own = own.min(SPEED_LIMIT / size);
                at[i][0] += own * forces[i][0];
                at[i][1] += own * forces[i][1];
            }
        }
        before = forces;
        exec.control().tick(1);
    }
    Ok(matrix(&at))
}

fn atlas_forces(network: &Network, at: &[Force], mass: &[f64], draws: &mut Stream) -> Vec<Force> {
    let n = at.len();
    let mut forces = vec![[0.0; 2]; n];
    for g in 0..n {
        for h in g + 1..n {
            let d = between(at[g], at[h], draws);
            let squared = d[0] * d[0] + d[1] * d[1];
            push(
                &mut forces,
                g,
                h,
                d,
                REPULSION * mass[g] * mass[h] / squared,
            );
        }
        let away = length(at[g]);
        if away > 0.0 {
            for c in 0..2 {
                forces[g][c] -= GRAVITY * mass[g] * at[g][c] / away;
            }
        }
    }
    for &(g, h, w) in &network.edges {
        let d = [at[g][0] - at[h][0], at[g][1] - at[h][1]];
        push(&mut forces, g, h, d, -w);
    }
    forces
}
