//! Stream lines: the flow on an embedding as evenly spaced curves.
//!
//! A stream line follows the smoothed arrows of the cells as a leaf follows a
//! stream, forward and backward from a seed. Lines keep their distance: a seed must
//! be a full separation away from all lines drawn so far, and a line ends where it
//! comes nearer than a part of that to another or to an earlier stretch of itself
//! (Jobard and Lefer 1997). Seeds lie beside lines that exist, so that the picture
//! grows from where most cells are, until no room is left. Lines stay where there
//! are cells and the averaged arrows are long enough to mean something.
//!
//! The direction field is integrated by Heun's method with a step that follows the
//! difference from Euler's.

use super::grid::{percentile, Grid};
use super::occupancy::Occupancy;
use crate::error::{CoreError, Result};
use crate::exec::Exec;
use crate::math;

/// A line ends this share of the separation away from another.
const NEAREST: f64 = 0.5;
/// Steps in units of the separation: the longest, the shortest, the error allowed.
const STEP: [f64; 3] = [0.25, 0.005, 0.01];
/// Shorter lines, in units of the separation, are not drawn.
const SHORTEST: f64 = 4.0;
/// Lines per side of the picture at density 1.
const LINES: f64 = 30.0;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct StreamOptions {
    /// Lines per unit of the picture: the separation is its longer side over 30
    /// times this number.
    pub density: f64,
    /// Greatest length of a line in longer sides of the picture.
    pub max_length: f64,
    /// Points slower than `10^(min_mass - 6)` are left out.
    pub min_mass: f64,
    /// So are points whose cells have shorter arrows than this percentile.
    pub cutoff_perc: f64,
}

/// Lines, each in the direction of the flow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamLines {
    /// Number of points of each line.
    pub lengths: Vec<usize>,
    pub points: Vec<[f64; 2]>,
    /// Length of the averaged arrow at each point.
    pub speed: Vec<f64>,
    /// Position, within each line, of the point at half its length.
    pub middles: Vec<usize>,
    /// The largest speed on the grid.
    pub max_speed: f64,
}

/// Stream lines of a grid. Time O(points of the lines).
///
/// # Errors
/// `range` for options out of range, `interrupted`.
pub fn stream_lines(exec: &Exec, grid: &Grid, options: &StreamOptions) -> Result<StreamLines> {
    check_options(options)?;
    let field = Field::new(grid, options);
    let mut out = StreamLines {
        max_speed: field.max_speed,
        ..StreamLines::default()
    };
    let side = field.extent(0).max(field.extent(1));
    if field.step.iter().any(|&s| s <= 0.0) || field.max_speed <= 0.0 {
        return Ok(out);
    }
    let separation = side / (LINES * options.density);
    let mut tracer = Tracer {
        field: &field,
        room: Occupancy::new(field.low, [field.extent(0), field.extent(1)], separation)?,
        separation,
        half: 0.5 * options.max_length * side,
    };
    let mut lines: Vec<Vec<Sample>> = Vec::new();
    let mut looked = 0;
    for seed in field.seeds(grid) {
        tracer.draw(seed, &mut lines);
        while looked < lines.len() {
            exec.check()?;
            for seed in beside(&lines[looked], separation) {
                tracer.draw(seed, &mut lines);
            }
            looked += 1;
        }
    }
    for line in &lines {
        out.lengths.push(line.len());
        out.points.extend(line.iter().map(|s| s.place));
        out.speed.extend(line.iter().map(|s| s.speed));
        let (first, last) = (line[0].arc, line[line.len() - 1].arc);
        let half = 0.5 * (first + last);
        out.middles.push(line.partition_point(|s| s.arc < half));
    }
    Ok(out)
}

fn check_options(options: &StreamOptions) -> Result<()> {
    let range = |what: &str, value: f64, allowed: &str| {
        Err(CoreError::Range {
            what: what.into(),
            value,
            allowed: allowed.into(),
        })
    };
    let positive = |v: f64| v.is_finite() && v > 0.0;
    if !positive(options.density) || options.density > 100.0 {
        return range(
            "the density of lines",
            options.density,
            "above 0, at most 100",
        );
    }
    if !positive(options.max_length) {
        return range("the length of a line", options.max_length, "above 0");
    }
    if !(0.0..=100.0).contains(&options.cutoff_perc) {
        return range("the percentile of arrows", options.cutoff_perc, "0 to 100");
    }
    if !options.min_mass.is_finite() {
        return range("the least mass", options.min_mass, "finite");
    }
    Ok(())
}

/// A point of a line; `arc` is the length of the line from its seed, with sign.
#[derive(Debug, Clone, Copy)]
struct Sample {
    place: [f64; 2],
    speed: f64,
    arc: f64,
}

/// Arrows on the grid, with those of no meaning left out.
struct Field {
    low: [f64; 2],
    step: [f64; 2],
    points: usize,
    vectors: Vec<Option<[f64; 2]>>,
    max_speed: f64,
}

fn norm(v: [f64; 2]) -> f64 {
    (v[0] * v[0] + v[1] * v[1]).sqrt()
}

fn dot(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

impl Field {
    fn new(grid: &Grid, options: &StreamOptions) -> Field {
        let speed: Vec<f64> = grid.vectors.iter().map(|&v| norm(v)).collect();
        let max_speed = speed.iter().fold(0.0f64, |m, &s| m.max(s));
        let slow = math::pow(10.0, options.min_mass - 6.0).min(0.9 * max_speed);
        let short = percentile(&grid.length, options.cutoff_perc);
        let kept = |i: usize| {
            speed[i] >= slow
                && speed[i] > 0.0
                && grid.length[i] >= short
                && grid.mass[i] >= grid.least_mass
        };
        let vectors = (0..speed.len()).map(|i| kept(i).then(|| grid.vectors[i]));
        Field {
            low: [grid.axes[0][0], grid.axes[1][0]],
            step: [0, 1].map(|c| grid.axes[c][1] - grid.axes[c][0]),
            points: grid.points(),
            vectors: vectors.collect(),
            max_speed,
        }
    }

    fn extent(&self, c: usize) -> f64 {
        self.step[c] * (self.points - 1) as f64
    }

    /// The arrow at a place, bilinear; None unless all four corners have one.
    fn at(&self, place: [f64; 2]) -> Option<[f64; 2]> {
        let (mut corner, mut part) = ([0usize; 2], [0.0; 2]);
        for c in 0..2 {
            let x = (place[c] - self.low[c]) / self.step[c];
            if !(x >= 0.0 && x <= (self.points - 1) as f64) {
                return None;
            }
            corner[c] = (x.floor() as usize).min(self.points - 2);
            part[c] = x - corner[c] as f64;
        }
        let at = corner[1] * self.points + corner[0];
        let rows = [at, at + self.points];
        let mut v = [0.0; 2];
        for (row, wy) in rows.into_iter().zip([1.0 - part[1], part[1]]) {
            let (a, b) = (self.vectors[row]?, self.vectors[row + 1]?);
            for c in 0..2 {
                v[c] += wy * ((1.0 - part[0]) * a[c] + part[0] * b[c]);
            }
        }
        Some(v)
    }

    /// Middles of the squares of the grid, those with most cells first.
    fn seeds(&self, grid: &Grid) -> Vec<[f64; 2]> {
        let p = self.points;
        let squares = (0..p * (p - 1)).filter(|at| at % p < p - 1);
        let mut ranked: Vec<(f64, usize)> = squares
            .map(|at| {
                let corners = [at, at + 1, at + p, at + p + 1];
                (corners.iter().map(|&i| grid.mass[i]).sum(), at)
            })
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let middle = |at: usize| {
            let x = self.low[0] + ((at % p) as f64 + 0.5) * self.step[0];
            [x, self.low[1] + ((at / p) as f64 + 0.5) * self.step[1]]
        };
        ranked.into_iter().map(|(_, at)| middle(at)).collect()
    }
}

/// Places on both sides of a line, one separation away from it and from each other.
fn beside(line: &[Sample], separation: f64) -> Vec<[f64; 2]> {
    let mut seeds = Vec::new();
    let mut next = f64::NEG_INFINITY;
    for pair in line.windows(2) {
        let (a, b) = (pair[0].place, pair[1].place);
        let along = [b[0] - a[0], b[1] - a[1]];
        let length = norm(along);
        if pair[0].arc < next || length <= 0.0 {
            continue;
        }
        next = pair[0].arc + separation;
        let off = [
            -along[1] / length * separation,
            along[0] / length * separation,
        ];
        seeds.push([a[0] + off[0], a[1] + off[1]]);
        seeds.push([a[0] - off[0], a[1] - off[1]]);
    }
    seeds
}

/// Draws line after line into the room that is left.
struct Tracer<'a> {
    field: &'a Field,
    room: Occupancy,
    separation: f64,
    /// Greatest length in each direction.
    half: f64,
}

impl Tracer<'_> {
    /// The line through `seed`, if there is room for one of some length.
    fn draw(&mut self, seed: [f64; 2], lines: &mut Vec<Vec<Sample>>) {
        let id = lines.len();
        let Some(v) = self.field.at(seed) else {
            return;
        };
        // Seeds beside a line are a separation away from it but for rounding.
        if !self.room.is_free(seed, 0.999 * self.separation, id, 0.0) {
            return;
        }
        let start = Sample {
            place: seed,
            speed: norm(v),
            arc: 0.0,
        };
        self.room.put(seed, id, 0.0);
        let mut line = self.follow(start, -1.0, id);
        line.reverse();
        line.push(start);
        line.extend(self.follow(start, 1.0, id));
        let length = line[line.len() - 1].arc - line[0].arc;
        if length < SHORTEST * self.separation {
            self.room.take_back(id);
            return;
        }
        lines.push(line);
    }

    /// Samples after `start`, with the flow (`sign` 1) or against it (-1).
    fn follow(&mut self, start: Sample, sign: f64, id: usize) -> Vec<Sample> {
        let [longest, shortest, error] = STEP.map(|s| s * self.separation);
        let mut line = Vec::new();
        let (mut here, mut run, mut h) = (start.place, 0.0, longest);
        let Some(mut ahead) = self.direction(here, sign) else {
            return line;
        };
        while run < self.half && h >= shortest {
            let Some((there, next, off)) = self.step(here, ahead, h, sign) else {
                // Beyond lies nothing, or flow that comes to meet this one.
                h *= 0.5;
                continue;
            };
            let wanted = (0.85 * (error / off.max(1e-300)).sqrt()).clamp(0.2, 2.0);
            if off > error && h > shortest {
                h = (h * wanted).max(shortest);
                continue;
            }
            run += h;
            let arc = sign * run;
            if !self.room.is_free(there, NEAREST * self.separation, id, arc) {
                break;
            }
            self.room.put(there, id, arc);
            line.push(Sample {
                place: there,
                speed: self.field.at(there).map_or(0.0, norm),
                arc,
            });
            here = there;
            ahead = next;
            h = (h * wanted).clamp(shortest, longest);
        }
        line
    }

    /// Unit direction of the flow, or against it.
    fn direction(&self, place: [f64; 2], sign: f64) -> Option<[f64; 2]> {
        let v = self.field.at(place)?;
        let speed = norm(v);
        (speed > 0.0).then(|| [sign * v[0] / speed, sign * v[1] / speed])
    }

    /// One step of Heun's method: the new place, the direction there and how far
    /// Euler's method would have been off. None when the way leads out or back.
    #[allow(clippy::type_complexity)]
    fn step(
        &self,
        here: [f64; 2],
        ahead: [f64; 2],
        h: f64,
        sign: f64,
    ) -> Option<([f64; 2], [f64; 2], f64)> {
        let euler = [here[0] + h * ahead[0], here[1] + h * ahead[1]];
        let then = self.direction(euler, sign)?;
        if dot(ahead, then) <= 0.0 {
            return None;
        }
        let half = 0.5 * h;
        let there = [0, 1].map(|c| here[c] + half * (ahead[c] + then[c]));
        let next = self.direction(there, sign)?;
        let off = half * norm([then[0] - ahead[0], then[1] - ahead[1]]);
        (dot(ahead, next) > 0.0).then_some((there, next, off))
    }
}

#[cfg(test)]
#[path = "streamline_tests.rs"]
mod tests;
