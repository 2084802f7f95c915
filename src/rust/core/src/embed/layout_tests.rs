//! Layouts: closed forms, the rules of tidy drawings, repeatability.

use super::*;
use crate::sparse::csr::from_rows;
use crate::testing::same_bits;

fn symmetric(n: usize, edges: &[(u32, u32, f64)]) -> Csr {
    let mut rows = vec![vec![]; n];
    for &(g, h, w) in edges {
        rows[g as usize].push((h, w));
        rows[h as usize].push((g, w));
    }
    from_rows(n, rows).unwrap()
}

fn with(layout: Layout) -> LayoutOptions {
    LayoutOptions {
        layout,
        ..LayoutOptions::default()
    }
}

fn draw(graph: &Csr, options: &LayoutOptions) -> Array2<f64> {
    layout(&Exec::serial(), graph, graph, options).unwrap()
}

fn distance(p: &Array2<f64>, g: usize, h: usize) -> f64 {
    let d = &p.row(g) - &p.row(h);
    d.dot(&d).sqrt()
}

const FORCES: [Layout; 2] = [Layout::FruchtermanReingold, Layout::ForceAtlas2];
const ALL: [Layout; 6] = [
    Layout::FruchtermanReingold,
    Layout::ForceAtlas2,
    Layout::ReingoldTilford,
    Layout::ReingoldTilfordCircular,
    Layout::EqualTree,
    Layout::Circle,
];

/// 0 - 1 - 2 - 3 with 4 and 5 on 1, and 6, 7, 8 on 3.
fn bush() -> Csr {
    let e = [
        (0, 1, 0.9),
        (1, 2, 0.8),
        (2, 3, 0.7),
        (1, 4, 0.5),
        (1, 5, 0.4),
        (3, 6, 0.9),
        (3, 7, 0.3),
        (3, 8, 0.2),
    ];
    symmetric(9, &e)
}

#[test]
fn two_groups_balance_their_forces() {
    let w = 0.5;
    let pair = symmetric(2, &[(0, 1, w)]);
    // Repulsion 1 / d against attraction w d^2.
    let p = draw(&pair, &with(Layout::FruchtermanReingold));
    let want = math::pow(2.0, 1.0 / 3.0);
    assert!((distance(&p, 0, 1) - want).abs() < 0.01);
    // Repulsion 2 * 2 * 2 / d against attraction w d and gravity 2.
    let p = draw(&pair, &with(Layout::ForceAtlas2));
    let want = (-2.0 + (4.0 + 32.0 * w).sqrt()) / (2.0 * w);
    assert!((distance(&p, 0, 1) - want).abs() < 0.01, "{p}");
}

#[test]
fn the_seed_decides_and_a_start_is_used() {
    let graph = bush();
    for l in FORCES {
        let a = draw(&graph, &with(l));
        assert_eq!(a, draw(&graph, &with(l)));
        let other = LayoutOptions { seed: 1, ..with(l) };
        assert_ne!(a, draw(&graph, &other));
        let still = LayoutOptions {
            iterations: 0,
            init: Some(a.clone()),
            ..with(l)
        };
        // Positions given in, y turned as in every force-directed drawing.
        let mut turned = a.clone();
        turned.column_mut(1).mapv_inplace(|y| 0.0 - y);
        assert_eq!(draw(&graph, &still), turned);
        let unit = LayoutOptions {
            iterations: 0,
            ..with(l)
        };
        let p = draw(&graph, &unit);
        assert!(p.column(0).iter().all(|x| (0.0..1.0).contains(x)));
        assert!(p.column(1).iter().all(|y| (-1.0..=0.0).contains(y)));
    }
}

#[test]
fn connected_groups_come_closer_than_others() {
    let graph = bush();
    for l in FORCES {
        let p = draw(&graph, &with(l));
        assert!(p.iter().all(|v| v.is_finite()));
        let (mut joined, mut apart) = ((0.0, 0.0), (0.0, 0.0));
        for g in 0..9 {
            for h in g + 1..9 {
                let pair = row(&graph, g).0.contains(&(h as u32));
                let to = if pair { &mut joined } else { &mut apart };
                to.0 += distance(&p, g, h);
                to.1 += 1.0;
            }
        }
        assert!(joined.0 / joined.1 < 0.6 * apart.0 / apart.1, "{l:?}");
    }
}

#[test]
fn pieces_stay_in_reach_and_coincident_starts_part() {
    let graph = symmetric(6, &[(0, 1, 1.0), (2, 3, 1.0)]);
    for l in FORCES {
        let same = LayoutOptions {
            init: Some(Array2::zeros((6, 2))),
            ..with(l)
        };
        for options in [with(l), same] {
            let p = draw(&graph, &options);
            for g in 0..6 {
                for h in 0..g {
                    let d = distance(&p, g, h);
                    assert!(d > 0.1 && d < 60.0, "{l:?} {g} {h}: {d}");
                }
            }
        }
    }
}

#[test]
fn weak_edges_do_not_attract() {
    let weak = symmetric(3, &[(0, 1, 1.0), (1, 2, 0.005)]);
    let none = symmetric(3, &[(0, 1, 1.0)]);
    let all = LayoutOptions {
        threshold: 0.0,
        ..LayoutOptions::default()
    };
    let default = LayoutOptions::default();
    assert_eq!(draw(&weak, &default), draw(&none, &default));
    assert_ne!(draw(&weak, &all), draw(&none, &all));
}

#[test]
fn a_tidy_tree_keeps_the_rules_of_the_paper() {
    let graph = bush();
    for root in 0..9 {
        let p = draw(
            &graph,
            &LayoutOptions {
                root,
                ..with(Layout::ReingoldTilford)
            },
        );
        let mut levels: Vec<Vec<f64>> = vec![vec![]; 9];
        for g in 0..9 {
            let y = p[[g, 1]];
            assert_eq!(y, y.round());
            levels[(-y) as usize].push(p[[g, 0]]);
            // Parents are one level up, over the middle of their children.
            let below: Vec<f64> = row(&graph, g)
                .0
                .iter()
                .filter(|&&h| p[[h as usize, 1]] < y)
                .map(|&h| p[[h as usize, 0]])
                .collect();
            let above = row(&graph, g)
                .0
                .iter()
                .filter(|&&h| p[[h as usize, 1]] > y)
                .count();
            assert_eq!(above, usize::from(g != root));
            if let (Some(a), Some(b)) = (below.first(), below.last()) {
                assert_eq!((a + b) / 2.0, p[[g, 0]]);
            }
        }
        assert_eq!(p[[root, 1]], 0.0);
        for mut level in levels {
            level.sort_by(f64::total_cmp);
            assert!(level.windows(2).all(|w| w[1] - w[0] >= 1.0), "{level:?}");
        }
    }
}

#[test]
fn a_mirrored_tree_gets_a_mirrored_drawing() {
    // Root 0 with a deep, a single, a broad and a single child.
    let edges = [
        (0, 1, 1.0),
        (0, 2, 1.0),
        (0, 3, 1.0),
        (0, 4, 1.0),
        (1, 5, 1.0),
        (5, 6, 1.0),
        (6, 7, 1.0),
        (6, 8, 1.0),
        (3, 9, 1.0),
        (3, 10, 1.0),
        (3, 11, 1.0),
    ];
    // Reversing the numbers of all but the root reverses the order of siblings.
    let name = |g: u32| if g == 0 { 0 } else { 12 - g };
    let mirror: Vec<_> = edges
        .iter()
        .map(|&(g, h, w)| (name(g), name(h), w))
        .collect();
    let options = with(Layout::ReingoldTilford);
    let (a, b) = (
        draw(&symmetric(12, &edges), &options),
        draw(&symmetric(12, &mirror), &options),
    );
    for g in 0..12u32 {
        let h = name(g) as usize;
        assert_eq!(a[[g as usize, 0]], -b[[h, 0]]);
        assert_eq!(a[[g as usize, 1]], b[[h, 1]]);
    }
}

#[test]
fn a_path_is_a_line_and_a_circle_a_circle() {
    let path = symmetric(4, &[(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0)]);
    let p = draw(&path, &with(Layout::ReingoldTilford));
    for g in 0..4 {
        assert_eq!((p[[g, 0]], p[[g, 1]]), (0.0, -(g as f64)));
    }
    let p = draw(&path, &with(Layout::Circle));
    let want = [[1.0, 0.0], [0.0, -1.0], [-1.0, 0.0], [0.0, 1.0]];
    for g in 0..4 {
        for j in 0..2 {
            assert!((p[[g, j]] - want[g][j]).abs() < 1e-15);
        }
    }
}

#[test]
fn levels_are_spread_evenly() {
    let p = draw(&bush(), &with(Layout::EqualTree));
    let x = [
        0.5,
        0.5,
        1.0 / 6.0,
        0.5,
        0.5,
        5.0 / 6.0,
        1.0 / 6.0,
        0.5,
        5.0 / 6.0,
    ];
    let level = [0.0, 1.0, 2.0, 3.0, 2.0, 2.0, 4.0, 4.0, 4.0];
    for g in 0..9 {
        assert!((p[[g, 0]] - x[g]).abs() < 1e-15, "{g}");
        assert!((p[[g, 1]] + level[g] / 5.0).abs() < 1e-15, "{g}");
    }
}

#[test]
fn a_circular_tree_has_its_levels_on_rings() {
    let graph = bush();
    let p = draw(&graph, &with(Layout::ReingoldTilfordCircular));
    let straight = draw(&graph, &with(Layout::ReingoldTilford));
    for g in 0..9 {
        let radius = (p[[g, 0]] * p[[g, 0]] + p[[g, 1]] * p[[g, 1]]).sqrt();
        assert!((radius + straight[[g, 1]]).abs() < 1e-12);
        for h in 0..g {
            assert!(distance(&p, g, h) > 0.5, "{g} {h}");
        }
    }
}

#[test]
fn a_forest_is_drawn_side_by_side_or_refused() {
    let forest = symmetric(7, &[(0, 1, 1.0), (1, 2, 1.0), (3, 4, 1.0), (4, 5, 1.0)]);
    let p = draw(&forest, &with(Layout::ReingoldTilford));
    // The given root, and 4 as the node of most edges, and the single 6.
    let level: Vec<f64> = (0..7).map(|g| -p[[g, 1]]).collect();
    assert_eq!(level, [0.0, 1.0, 2.0, 1.0, 0.0, 1.0, 0.0]);
    let p = draw(&forest, &with(Layout::ReingoldTilfordCircular));
    for g in 0..7 {
        for h in 0..g {
            assert!(distance(&p, g, h) > 0.5);
        }
    }
    let e = layout(&Exec::serial(), &forest, &forest, &with(Layout::EqualTree)).unwrap_err();
    assert_eq!(e, CoreError::Disconnected { components: 3 });
}

#[test]
fn few_groups_and_bad_arguments() {
    let exec = Exec::serial();
    for l in ALL {
        let one = layout(&exec, &Csr::zero((1, 1)), &Csr::zero((1, 1)), &with(l)).unwrap();
        assert_eq!((one[[0, 0]], one[[0, 1]]), (0.5, 0.5));
        let none = layout(&exec, &Csr::zero((0, 0)), &Csr::zero((0, 0)), &with(l)).unwrap();
        assert_eq!(none.dim(), (0, 2));
        let pair = draw(&symmetric(2, &[(0, 1, 1.0)]), &with(l));
        assert!(distance(&pair, 0, 1) > 0.1, "{l:?}");
    }
    let graph = bush();
    let kind = |options: &LayoutOptions, tree: &Csr| {
        layout(&exec, &graph, tree, options).unwrap_err().kind()
    };
    let root = LayoutOptions {
        root: 9,
        ..LayoutOptions::default()
    };
    let init = |m| LayoutOptions {
        init: Some(m),
        ..LayoutOptions::default()
    };
    let threshold = LayoutOptions {
        threshold: f64::NAN,
        ..LayoutOptions::default()
    };
    assert_eq!(kind(&root, &graph), "range");
    assert_eq!(kind(&threshold, &graph), "range");
    assert_eq!(kind(&init(Array2::zeros((8, 2))), &graph), "shape");
    assert_eq!(kind(&init(Array2::zeros((9, 3))), &graph), "shape");
    let holes = Array2::from_elem((9, 2), f64::NAN);
    assert_eq!(kind(&init(holes), &graph), "range");
    assert_eq!(kind(&LayoutOptions::default(), &Csr::zero((8, 8))), "shape");
    let cancelled = Exec::serial();
    cancelled.control().cancel();
    let e = layout(&cancelled, &graph, &graph, &LayoutOptions::default()).unwrap_err();
    assert_eq!(e.kind(), "interrupted");
}

#[test]
fn the_same_bits() {
    let graph = bush();
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        ALL.map(|l| layout(&exec, &graph, &graph, &with(l)).unwrap())
    });
}
