//! The two forces between cells of a layout.
//!
//! Cells joined in the graph attract each other, any two cells repel each other.
//! Both forces come from the probability `1 / (1 + a d^(2b))` that two points at
//! distance d are neighbours: descending the cross entropy between these
//! probabilities and the graph gives, per coordinate and per draw,
//!
//! ```text
//! attraction  -2 a b d^(2(b-1)) / (1 + a d^(2b)) * (y_i - y_j)
//! repulsion    2 gamma b / ((0.001 + d^2)(1 + a d^(2b))) * (y_i - y_j)
//! ```
//!
//! each clipped to [-4, 4] (McInnes, Healy & Melville 2018, section 3.2 and
//! appendix C; section 3.5 of the graph rules).

use super::power::power;

/// Largest move of a coordinate by one force at learning rate one.
pub const CLIP: f32 = 4.0;
/// Keeps the repulsion of near duplicates finite.
const SOFTENING: f32 = 0.001;

/// The curve that turns distances into probabilities, and the repulsion's weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    pub a: f32,
    pub b: f32,
    pub gamma: f32,
}

impl Curve {
    /// `d2` held above f32 epsilon, and its power `d2^b`. None is taken when b is
    /// one.
    #[inline(always)]
    pub fn power(&self, d2: f32) -> (f32, f32) {
        let held = if d2 > f32::EPSILON { d2 } else { f32::EPSILON };
        let p = if self.b == 1.0 {
            held
        } else {
            power(held, self.b)
        };
        (held, p)
    }

    /// Factor of `y_i - y_j` in the attraction, from the squared distance.
    #[inline(always)]
    pub fn attraction(&self, d2: f32) -> f32 {
        let (d2, p) = self.power(d2);
        -2.0 * self.a * self.b * p / (d2 * (1.0 + self.a * p))
    }

    /// Factor of `y_i - y_j` in the repulsion, from the squared distance.
    #[inline(always)]
    pub fn repulsion(&self, d2: f32) -> f32 {
        let (d2, p) = self.power(d2);
        2.0 * self.gamma * self.b / ((SOFTENING + d2) * (1.0 + self.a * p))
    }

    /// Replaces squared distances by the factors of the attraction.
    #[inline(always)]
    pub fn attractions(&self, d2: &mut [f32]) {
        for d in d2 {
            *d = self.attraction(*d);
        }
    }

    /// Replaces squared distances by the factors of the repulsion.
    #[inline(always)]
    pub fn repulsions(&self, d2: &mut [f32]) {
        for d in d2 {
            *d = self.repulsion(*d);
        }
    }
}

/// `x` held within [-CLIP, CLIP].
#[inline(always)]
pub fn clip(x: f32) -> f32 {
    let x = if x < -CLIP { -CLIP } else { x };
    if x > CLIP {
        CLIP
    } else {
        x
    }
}
