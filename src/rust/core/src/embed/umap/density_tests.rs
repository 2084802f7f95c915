//! Tests of the pull towards the density of the data.

use super::density::Density;
use super::force::Curve;
use super::layout_tests::small;
use super::umap_tests::{clouds, options};
use super::{schedule, umap, DensityOptions, Init, Mode, UmapOptions};
use crate::exec::Exec;
use crate::graph::fuzzy::{fuzzy_connectivities, FuzzyOptions};
use crate::graph::knn::{exact, Metric};
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, row};

#[test]
fn the_pull_of_densities_is_the_derivative_of_their_agreement() {
    let (graph, order, edges, y) = small();
    let exec = Exec::serial();
    let curve = Curve {
        a: 0.583,
        b: 1.334,
        gamma: 1.0,
    };
    let mut s = Stream::new(2, 3, 0, 0);
    let distances = from_rows(
        150,
        (0..150)
            .map(|i| {
                let cols = row(&graph, i).0.iter();
                cols.map(|&j| (j, 0.2 + s.uniform())).collect()
            })
            .collect(),
    )
    .unwrap();
    let o = DensityOptions::default();
    let density = Density::new(&exec, &graph, &distances, &order, 100, &o).unwrap();
    assert_eq!(density.first, 70);
    let agreement = |y: &[[f32; 2]]| density.pull(&exec, &edges, y, &curve).unwrap().agreement;
    let pull = density.pull(&exec, &edges, &y, &curve).unwrap();
    let (mut dot, mut found, mut wanted) = (0.0, 0.0, 0.0);
    for p in 0..150 {
        let (targets, shares) = edges.slices(edges.entries(p..p + 1));
        for d in 0..2 {
            // Mean over epochs: an edge acts in proportion to its share.
            let mut force = 0.0;
            for (&j, &share) in targets.iter().zip(shares) {
                let j = j as usize;
                let apart = [0, 1].map(|c| y[p][c] - y[j][c]);
                let d2 = apart[0] * apart[0] + apart[1] * apart[1];
                let (spread, mass) = (pull.spread[p] + pull.spread[j], pull.mass[p] + pull.mass[j]);
                let g = pull.factor(&curve, d2, share, spread, mass);
                let often = f64::from(share) / f64::from(schedule::WHOLE);
                force += often * f64::from(g * apart[d]);
            }
            let h = 2e-3;
            let (mut up, mut down) = (y.clone(), y.clone());
            up[p][d] += h;
            down[p][d] -= h;
            let step = f64::from(up[p][d] - down[p][d]);
            let slope = (agreement(&up) - agreement(&down)) / step;
            dot += force * slope;
            found += force * force;
            wanted += slope * slope;
        }
    }
    // The same direction up to rounding, n against n - 1, and step length.
    let cosine: f64 = dot / (found * wanted).sqrt();
    assert!(cosine > 0.9995, "{cosine}");
}

#[test]
fn densities_are_kept() {
    // One tight and one loose cloud.
    let mut x = clouds(400, 2, 3);
    for i in (0..400).step_by(2) {
        for c in 0..3 {
            let centre = if c == 0 { 30.0 } else { 0.0 };
            x[[i, c]] = centre + 0.05 * (x[[i, c]] - centre);
        }
    }
    let exec = Exec::with_threads(2).unwrap();
    let knn = exact(&exec, x.view(), 15, Metric::Euclidean).unwrap();
    let graph = fuzzy_connectivities(&exec, &knn, &FuzzyOptions::default()).unwrap();
    let rows = (0..400)
        .map(|i| {
            let (cols, d) = knn.row(i);
            cols.iter()
                .zip(d)
                .map(|(&c, &d)| (c, f64::from(d)))
                .collect()
        })
        .collect();
    let distances = from_rows(400, rows).unwrap();
    for mode in [Mode::Parallel, Mode::Sequential] {
        let size = |lambda: f64| {
            let o = UmapOptions {
                mode,
                density: Some(DensityOptions {
                    lambda,
                    ..DensityOptions::default()
                }),
                ..options(Init::Spectral, 300)
            };
            let found = umap(&exec, &graph, Some(x.view()), Some(&distances), &o).unwrap();
            let radii = found.radii.unwrap();
            let mean = |from: usize| {
                let r = radii.layout.iter().skip(from).step_by(2);
                r.sum::<f64>() / 200.0
            };
            assert!(found.embedding.iter().all(|v| v.is_finite()));
            mean(1) - mean(0)
        };
        let (plain, kept) = (size(0.0), size(2.0));
        assert!(kept > plain + 0.3, "{mode:?}: {plain} {kept}");
    }
}
