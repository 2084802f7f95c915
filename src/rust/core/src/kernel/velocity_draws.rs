//! Many standard normal draws, quickly.
//!
//! The area under the normal density is cut into 128 layers of equal size; a point
//! in a layer is nearly always below the curve and costs one table entry and one
//! product (the ziggurat of Marsaglia & Tsang 2000, with 53-bit points and the layer
//! from other bits of the same word, as Doornik 2005 recommends). The tables are made
//! with the crate's own functions, so that draws are the same everywhere.

use crate::math;
use crate::rng::Stream;
use rand::RngCore;

const LAYERS: usize = 128;
/// Where the tail begins.
const TAIL: f64 = 3.442_619_855_899;
/// Area of a layer.
const AREA: f64 = 9.912_563_035_262_17e-3;

/// The layers.
pub(super) struct Ziggurat {
    /// Right edge of each layer, descending to zero.
    edge: [f64; LAYERS + 1],
    /// The share of each layer that lies wholly below the curve.
    inside: [f64; LAYERS],
}

fn density(x: f64) -> f64 {
    math::exp(-0.5 * x * x)
}

impl Ziggurat {
    pub fn new() -> Ziggurat {
        let mut edge = [0.0; LAYERS + 1];
        edge[0] = AREA / density(TAIL);
        edge[1] = TAIL;
        for i in 2..LAYERS {
            let height = AREA / edge[i - 1] + density(edge[i - 1]);
            edge[i] = (-2.0 * math::ln(height)).sqrt();
        }
        let mut inside = [0.0; LAYERS];
        for i in 0..LAYERS {
            inside[i] = edge[i + 1] / edge[i];
        }
        Ziggurat { edge, inside }
    }

    /// A standard normal draw.
    #[inline(always)]
    pub fn draw(&self, stream: &mut Stream) -> f64 {
        let word = stream.next_u64();
        let layer = (word & 127) as usize;
        // On [-1, 1): the top 53 bits.
        let u = (word >> 11) as f64 * (1.0 / 4_503_599_627_370_496.0) - 1.0;
        if u.abs() < self.inside[layer] {
            return u * self.edge[layer];
        }
        self.edge_case(stream, layer, u)
    }

    /// Near the curve, or in the tail: one draw in a hundred.
    #[cold]
    fn edge_case(&self, stream: &mut Stream, layer: usize, u: f64) -> f64 {
        if layer == 0 {
            return tail(stream, u < 0.0);
        }
        let x = u * self.edge[layer];
        let (low, high) = (density(self.edge[layer]), density(self.edge[layer + 1]));
        if low + stream.uniform() * (high - low) < density(x) {
            return x;
        }
        self.draw(stream)
    }
}

/// A draw beyond the layers (Marsaglia 1964).
fn tail(stream: &mut Stream, negative: bool) -> f64 {
    loop {
        let x = math::ln(1.0 - stream.uniform()) / TAIL;
        let y = math::ln(1.0 - stream.uniform());
        if -2.0 * y >= x * x {
            return if negative { x - TAIL } else { TAIL - x };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_have_one_area() {
        let z = Ziggurat::new();
        for i in 1..LAYERS {
            let above = z.edge[i] * (density(z.edge[i + 1]) - density(z.edge[i]));
            assert!((above / AREA - 1.0).abs() < 1e-8, "{i} {above}");
        }
    }

    #[test]
    fn draws_follow_the_normal_distribution() {
        let z = Ziggurat::new();
        let mut stream = Stream::new(4, 0, 0, 0);
        let n = 1_000_000;
        let draws: Vec<f64> = (0..n).map(|_| z.draw(&mut stream)).collect();
        let mean = |f: &dyn Fn(f64) -> f64| draws.iter().map(|&x| f(x)).sum::<f64>() / n as f64;
        let se = 1.0 / (n as f64).sqrt();
        assert!(mean(&|x| x).abs() < 5.0 * se);
        assert!((mean(&|x| x * x) - 1.0).abs() < 5.0 * 2f64.sqrt() * se);
        assert!(mean(&|x| x * x * x).abs() < 5.0 * 15f64.sqrt() * se);
        assert!((mean(&|x| x * x * x * x) - 3.0).abs() < 5.0 * 96f64.sqrt() * se);
        // Every part of the distribution, the tail beyond the layers too.
        for cut in [-3.6, -2.5, -1.0, -0.3, 0.0, 0.7, 1.8, 3.0, 3.5] {
            let want = 0.5 * math::erfc(-cut / 2f64.sqrt());
            let found = mean(&|x| f64::from(u8::from(x < cut)));
            let se = (want * (1.0 - want) / n as f64).sqrt();
            assert!((found - want).abs() < 5.0 * se, "{cut}: {found} {want}");
        }
    }
}
