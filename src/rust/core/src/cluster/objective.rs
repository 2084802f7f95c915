//! What a move is worth (sections 2.5 and 2.6 of the graph rules).
//!
//! Whether a cell should join a community depends on the weight between the two
//! and on what chance alone would put there. Four of the six quality functions
//! (modularity with and without resolution, Reichardt & Bornholdt's on a random
//! graph, and the constant Potts model of Traag, Van Dooren & Nesterov 2011) have
//! the same form on an undirected graph: weight minus a constant times the
//! product of two masses, strengths or sizes. [`Product`] is that form,
//! [`Crossed`] the modularity of a directed graph, where out-strengths meet
//! in-strengths. [`Significance`] (Traag, Krings & Van Dooren 2013) and
//! [`Surprise`] (Traag, Aldecoa & Delvenne 2015) compare densities by their
//! relative entropy; the latter only through totals over all communities.

use crate::math;

/// How nodes and communities are weighed.
pub(super) trait Objective: Clone + Send + Sync {
    /// What is known of a node or community; `default` is the empty community.
    type Mass: Copy + Default + PartialEq + Send + Sync + std::fmt::Debug;
    /// Whether a score depends on other communities than those concerned.
    const GLOBAL: bool = false;
    /// Whether masses hold internal weights.
    const NEEDS_INNER: bool = false;

    /// `node` and `community` together, with weight `w` between them.
    fn join(&self, community: Self::Mass, node: Self::Mass, w: f64) -> Self::Mass;
    /// `community` without `node`, with weight `w` between `node` and the rest.
    fn leave(&self, community: Self::Mass, node: Self::Mass, w: f64) -> Self::Mass;
    /// What `node`, standing alone, gains by joining `community`, up to a number
    /// that depends on `node` only. Differences of scores are gains in units of
    /// the adjacency.
    fn score(&self, node: Self::Mass, community: Self::Mass, w: f64) -> f64;
    /// Whether `part` of `whole`, with weight `cut` to the rest, is held by at
    /// least the weight that chance would give (Traag, Waltman & Van Eck 2019).
    fn well_connected(&self, part: Self::Mass, whole: Self::Mass, cut: f64) -> bool;
    /// `mass` with this internal weight, where masses hold one.
    fn with_inner(&self, mass: Self::Mass, _inner: f64) -> Self::Mass {
        mass
    }
    /// Tells the totals that `node` was taken out of a community whose rest is
    /// `rest`, and [`Objective::placed`] that it was put into one.
    fn taken(&mut self, _node: Self::Mass, _rest: Self::Mass, _w: f64) {}
    fn placed(&mut self, _node: Self::Mass, _community: Self::Mass, _w: f64) {}
    /// Sets the totals from all communities.
    fn start(&mut self, _communities: &[Self::Mass]) {}
    /// The quality on leidenalg's scale, of (mass, internal weight) per community.
    fn quality(&self, communities: &mut dyn Iterator<Item = (Self::Mass, f64)>) -> f64;
    /// Quality gained per unit of score.
    fn gain_scale(&self) -> f64;
    /// The same with its resolution multiplied by `factor`.
    fn at(&self, _factor: f64) -> Self {
        self.clone()
    }
}

/// `w - c x y` for two masses x and y.
#[derive(Debug, Clone)]
pub(super) struct Product {
    pub c: f64,
    /// Quality: `weight_factor * sum w - square_factor * sum x^2 + constant`.
    pub weight_factor: f64,
    pub square_factor: f64,
    pub constant: f64,
    pub gain_scale: f64,
}

impl Objective for Product {
    type Mass = f64;

    #[inline(always)]
    fn join(&self, community: f64, node: f64, _w: f64) -> f64 {
        community + node
    }

    #[inline(always)]
    fn leave(&self, community: f64, node: f64, _w: f64) -> f64 {
        community - node
    }

    #[inline(always)]
    fn score(&self, node: f64, community: f64, w: f64) -> f64 {
        w - self.c * node * community
    }

    #[inline(always)]
    fn well_connected(&self, part: f64, whole: f64, cut: f64) -> bool {
        cut >= self.c * part * (whole - part)
    }

    fn quality(&self, communities: &mut dyn Iterator<Item = (f64, f64)>) -> f64 {
        let (mut inner, mut squares) = (0.0, 0.0);
        for (mass, w) in communities {
            inner += w;
            squares += mass * mass;
        }
        self.weight_factor * inner - self.square_factor * squares + self.constant
    }

    fn gain_scale(&self) -> f64 {
        self.gain_scale
    }

    fn at(&self, factor: f64) -> Product {
        Product {
            c: self.c * factor,
            square_factor: self.square_factor * factor,
            constant: self.constant * factor,
            ..*self
        }
    }
}

/// `w - c (out x in' + in x out')`.
#[derive(Debug, Clone)]
pub(super) struct Crossed {
    pub c: f64,
    /// One, or 1 / m for modularity.
    pub factor: f64,
}

impl Objective for Crossed {
    type Mass = (f64, f64);

    #[inline(always)]
    fn join(&self, community: (f64, f64), node: (f64, f64), _w: f64) -> (f64, f64) {
        (community.0 + node.0, community.1 + node.1)
    }

    #[inline(always)]
    fn leave(&self, community: (f64, f64), node: (f64, f64), _w: f64) -> (f64, f64) {
        (community.0 - node.0, community.1 - node.1)
    }

    #[inline(always)]
    fn score(&self, node: (f64, f64), community: (f64, f64), w: f64) -> f64 {
        w - self.c * (node.0 * community.1 + node.1 * community.0)
    }

    #[inline(always)]
    fn well_connected(&self, part: (f64, f64), whole: (f64, f64), cut: f64) -> bool {
        let rest = (whole.0 - part.0, whole.1 - part.1);
        cut >= self.c * (part.0 * rest.1 + part.1 * rest.0)
    }

    fn quality(&self, communities: &mut dyn Iterator<Item = ((f64, f64), f64)>) -> f64 {
        let terms = communities.map(|((out, into), w)| w - self.c * out * into);
        self.factor * terms.sum::<f64>()
    }

    fn gain_scale(&self) -> f64 {
        self.factor
    }

    fn at(&self, factor: f64) -> Crossed {
        Crossed {
            c: self.c * factor,
            ..*self
        }
    }
}

/// Size and internal weight.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Content {
    pub size: f64,
    pub inner: f64,
}

/// How many pairs there are, and what a unit of adjacency is inside.
#[derive(Debug, Clone)]
pub(super) struct Pairs {
    pub directed: bool,
    pub pair_scale: f64,
}

impl Pairs {
    /// Possible pairs among `size` nodes, self loops not counted.
    fn within(&self, size: f64) -> f64 {
        self.between(size, size - 1.0) / 2.0
    }

    /// Possible pairs between two sets.
    fn between(&self, a: f64, b: f64) -> f64 {
        if self.directed {
            2.0 * a * b
        } else {
            a * b
        }
    }

    fn join(&self, a: Content, b: Content, w: f64) -> Content {
        Content {
            size: a.size + b.size,
            inner: a.inner + b.inner + self.pair_scale * w,
        }
    }

    fn leave(&self, a: Content, b: Content, w: f64) -> Content {
        Content {
            size: a.size - b.size,
            inner: a.inner - b.inner - self.pair_scale * w,
        }
    }
}

/// `q ln(q / p) + (1 - q) ln((1 - q) / (1 - p))`, negative when q < p. Self loops
/// can make a density exceed one; the term that has no meaning then is left out.
fn signed_divergence(q: f64, p: f64) -> f64 {
    let mut sum = 0.0;
    if q > 0.0 && p > 0.0 {
        sum += q * math::ln(q / p);
    }
    if q < 1.0 && p < 1.0 {
        sum += (1.0 - q) * math::ln_1p((p - q) / (1.0 - p));
    }
    if q < p {
        -sum
    } else {
        sum
    }
}

/// `sum_c P(n_c) KL(w_c / P(n_c), p)`.
#[derive(Debug, Clone)]
pub(super) struct Significance {
    pub pairs: Pairs,
    /// Density of the whole graph.
    pub density: f64,
}

impl Significance {
    fn term(&self, c: Content) -> f64 {
        let possible = self.pairs.within(c.size);
        if possible > 0.0 {
            possible * signed_divergence(c.inner / possible, self.density)
        } else {
            0.0
        }
    }
}

impl Objective for Significance {
    type Mass = Content;
    const NEEDS_INNER: bool = true;

    fn join(&self, community: Content, node: Content, w: f64) -> Content {
        self.pairs.join(community, node, w)
    }

    fn leave(&self, community: Content, node: Content, w: f64) -> Content {
        self.pairs.leave(community, node, w)
    }

    fn with_inner(&self, mass: Content, inner: f64) -> Content {
        Content { inner, ..mass }
    }

    fn score(&self, node: Content, community: Content, w: f64) -> f64 {
        self.term(self.join(community, node, w)) - self.term(community)
    }

    fn well_connected(&self, _part: Content, _whole: Content, _cut: f64) -> bool {
        true
    }

    fn quality(&self, communities: &mut dyn Iterator<Item = (Content, f64)>) -> f64 {
        communities
            .map(|(c, inner)| self.term(Content { inner, ..c }))
            .sum()
    }

    fn gain_scale(&self) -> f64 {
        1.0
    }
}

/// `m KL(W / m, N / P(n))`.
#[derive(Debug, Clone)]
pub(super) struct Surprise {
    pub pairs: Pairs,
    /// Total weight m.
    pub total: f64,
    /// Total node size n.
    pub size: f64,
    /// Internal weight and internal pairs of all communities now.
    pub inner: f64,
    pub possible: f64,
}

impl Surprise {
    fn value(&self, inner: f64, possible: f64) -> f64 {
        let all = self.pairs.within(self.size);
        if all > 0.0 {
            self.total * signed_divergence(inner / self.total, possible / all)
        } else {
            0.0
        }
    }
}

impl Objective for Surprise {
    type Mass = Content;
    const NEEDS_INNER: bool = true;
    const GLOBAL: bool = true;

    fn join(&self, community: Content, node: Content, w: f64) -> Content {
        self.pairs.join(community, node, w)
    }

    fn leave(&self, community: Content, node: Content, w: f64) -> Content {
        self.pairs.leave(community, node, w)
    }

    fn with_inner(&self, mass: Content, inner: f64) -> Content {
        Content { inner, ..mass }
    }

    fn score(&self, node: Content, community: Content, w: f64) -> f64 {
        self.value(
            self.inner + self.pairs.pair_scale * w,
            self.possible + self.pairs.between(node.size, community.size),
        )
    }

    fn well_connected(&self, _part: Content, _whole: Content, _cut: f64) -> bool {
        true
    }

    fn taken(&mut self, node: Content, rest: Content, w: f64) {
        self.inner -= self.pairs.pair_scale * w;
        self.possible -= self.pairs.between(node.size, rest.size);
    }

    fn placed(&mut self, node: Content, community: Content, w: f64) {
        self.inner += self.pairs.pair_scale * w;
        self.possible += self.pairs.between(node.size, community.size);
    }

    fn start(&mut self, communities: &[Content]) {
        let filled = communities.iter().filter(|c| c.size > 0.0);
        let totals = filled.fold((0.0, 0.0), |(inner, possible), c| {
            (inner + c.inner, possible + self.pairs.within(c.size))
        });
        (self.inner, self.possible) = totals;
    }

    fn quality(&self, communities: &mut dyn Iterator<Item = (Content, f64)>) -> f64 {
        let (mut inner, mut possible) = (0.0, 0.0);
        for (c, w) in communities {
            inner += w;
            possible += self.pairs.within(c.size);
        }
        self.value(inner, possible)
    }

    fn gain_scale(&self) -> f64 {
        1.0
    }
}
