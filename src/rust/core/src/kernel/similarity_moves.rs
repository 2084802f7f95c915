//! One cell's moves to its neighbours, prepared for many velocities.
//!
//! Averages over velocities and derivatives by them look at the same displacements
//! again and again, so these are centred (for correlation) and scaled to length one
//! once: with `w_j = D_j / |D_j|` and `u = v / |v|` a score is `u . w_j`. Inner
//! products keep both as they are. Rows are padded with zeros to whole lanes, which
//! leaves every sum over features as it is. Memory O(neighbours * features).

use super::similarity::{without_noise, Similarity};
use crate::error::{try_with_capacity, Result};
use crate::simd::{self, LANES};

/// Displacements of one cell, ready for scoring.
pub(super) struct Moves {
    pub similarity: Similarity,
    pub features: usize,
    /// Features rounded up to whole lanes.
    pub width: usize,
    /// `w_j`, one row of `width` per neighbour; zeros where it has no length.
    steps: Vec<f64>,
    /// Whether `w_j` exists.
    defined: Vec<bool>,
}

/// Features rounded up to whole lanes.
pub(super) fn padded(features: usize) -> usize {
    features.div_ceil(LANES) * LANES
}

impl Moves {
    /// Room for `neighbors` moves.
    pub fn new(similarity: Similarity, features: usize, neighbors: usize) -> Result<Moves> {
        let width = padded(features);
        Ok(Moves {
            similarity,
            features,
            width,
            steps: try_with_capacity(width * neighbors, "the displacements of a cell")?,
            defined: try_with_capacity(neighbors, "the displacements of a cell")?,
        })
    }

    /// Number of neighbours.
    pub fn len(&self) -> usize {
        self.defined.len()
    }

    /// Forgets the cell.
    pub fn clear(&mut self) {
        self.steps.clear();
        self.defined.clear();
    }

    /// Adds the move between two places. O(features).
    #[inline(always)]
    pub fn push(&mut self, from: &[f64], to: &[f64]) {
        let start = self.steps.len();
        self.steps.resize(start + self.width, 0.0);
        let row = &mut self.steps[start..];
        for ((d, a), b) in row.iter_mut().zip(from).zip(to) {
            *d = b - a;
        }
        self.defined
            .push(unit(self.similarity, row, self.features) > 0.0);
    }

    /// `w_j`, padded.
    #[inline(always)]
    pub fn step(&self, j: usize) -> &[f64] {
        &self.steps[j * self.width..(j + 1) * self.width]
    }

    /// Whether neighbour `j` can be scored at all.
    #[inline(always)]
    pub fn is_defined(&self, j: usize) -> bool {
        self.defined[j]
    }

    /// The score of every move under `aim`, NaN where there is none.
    #[inline(always)]
    pub fn scores(&self, aim: &Aim, out: &mut [f64]) {
        for (j, out) in out.iter_mut().enumerate() {
            *out = if self.defined[j] && aim.length > 0.0 {
                self.bounded(simd::dot(&aim.unit, self.step(j)))
            } else {
                f64::NAN
            };
        }
    }

    /// Rounding may carry parallel vectors past one.
    #[inline(always)]
    pub fn bounded(&self, score: f64) -> f64 {
        match self.similarity {
            Similarity::DotProduct => score,
            Similarity::Correlation | Similarity::Cosine => score.clamp(-1.0, 1.0),
        }
    }
}

/// A velocity, ready for scoring.
pub(super) struct Aim {
    /// `u`, padded.
    pub unit: Vec<f64>,
    /// `|v|` after centring, zero when it has no direction; one for inner products.
    pub length: f64,
}

impl Aim {
    pub fn new(features: usize) -> Aim {
        Aim {
            unit: vec![0.0; padded(features)],
            length: 0.0,
        }
    }

    /// Takes another velocity. O(features).
    #[inline(always)]
    pub fn set(&mut self, similarity: Similarity, v: &[f64], features: usize) {
        self.unit.fill(0.0);
        self.unit[..features].copy_from_slice(&v[..features]);
        self.length = unit(similarity, &mut self.unit, features);
    }
}

/// Centres a padded row if the similarity does, scales it to length one and returns
/// its length before; zeros and length zero when it has none. Inner products leave
/// the row alone and count its length as one.
#[inline(always)]
fn unit(similarity: Similarity, row: &mut [f64], features: usize) -> f64 {
    let n = features as f64;
    let mean = match similarity {
        Similarity::DotProduct => return 1.0,
        Similarity::Cosine => 0.0,
        Similarity::Correlation => {
            let mean = simd::sum(row) / n;
            row[..features].iter_mut().for_each(|d| *d -= mean);
            mean
        }
    };
    let length = without_noise(simd::dot(row, row), mean, n).sqrt();
    if length > 0.0 {
        row.iter_mut().for_each(|d| *d /= length);
    } else {
        row.fill(0.0);
    }
    length
}
