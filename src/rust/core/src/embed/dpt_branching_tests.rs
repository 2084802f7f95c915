//! Branchings: forks with known branches, cuts against counting pairs, rules.

use super::super::dpt::{pseudotime, Basis, Spectrum};
use super::*;
use crate::rng::Stream;
use crate::testing::same_bits;
use ndarray::Array2;

/// Points in the plane whose distances are the plain ones.
fn plane(x: &[[f64; 2]], components: Vec<u32>) -> Diffusion {
    let vectors = Array2::from_shape_fn((x.len(), 2), |(i, j)| x[i][j]);
    let spectrum = Spectrum {
        values: &[1.0, 1.0],
        vectors: vectors.view(),
        z: &vec![1.0; x.len()],
        components: &components,
    };
    Diffusion::new(&spectrum, 2, Basis::Symmetric).unwrap()
}

/// Three arms of `m` cells from the origin, one after the other; arm 0 the longest.
fn star(m: usize, noise: f64) -> Vec<[f64; 2]> {
    let mut s = Stream::new(2, 0, 0, 0);
    let third = 2.0 * std::f64::consts::PI / 3.0;
    (0..3 * m)
        .map(|i| {
            let angle = third * (i / m) as f64;
            let long = [3.0, 2.0, 1.8][i / m];
            let r = 0.1 + long * (i % m) as f64 / m as f64;
            [
                r * crate::math::cos(angle) + noise * s.normal(),
                r * crate::math::sin(angle) + noise * s.normal(),
            ]
        })
        .collect()
}

fn run(d: &Diffusion, root: Option<usize>, options: &BranchingOptions) -> Branching {
    let exec = Exec::with_threads(2).unwrap();
    let time = root.map(|r| pseudotime(&exec, d, r).unwrap().values);
    branchings(&exec, d, root, time.as_deref(), options).unwrap()
}

/// Share of the cells of each arm in its commonest group.
fn purity(groups: &[Option<u32>], m: usize) -> Vec<(u32, f64)> {
    groups
        .chunks(m)
        .map(|arm| {
            let count = |g| arm.iter().filter(|&&a| a == Some(g)).count();
            let best = (0..10).max_by_key(|&g| (count(g), 10 - g)).unwrap();
            (best, count(best) as f64 / m as f64)
        })
        .collect()
}

#[test]
fn a_star_falls_into_its_arms() {
    let m = 80;
    for noise in [0.0, 0.03] {
        let d = plane(&star(m, noise), vec![0; 3 * m]);
        let b = run(&d, Some(m - 1), &BranchingOptions::default());
        assert_eq!(b.found, 1);
        let arms = purity(&b.groups, m);
        let names: std::collections::BTreeSet<u32> = arms.iter().map(|a| a.0).collect();
        assert_eq!(names.len(), 3, "{arms:?}");
        assert!(arms.iter().all(|a| a.1 > 0.7), "{arms:?}");
    }
}

#[test]
fn a_second_branching_splits_a_branch() {
    // A fork at 1 whose upper arm forks again at its end.
    let m = 60;
    let arm = |from: [f64; 2], to: [f64; 2]| {
        (0..m).map(move |i| {
            let t = (i as f64 + 0.5) / m as f64;
            [0, 1].map(|c| from[c] + t * (to[c] - from[c]))
        })
    };
    let x: Vec<[f64; 2]> = arm([0.0, 0.0], [2.0, 0.0])
        .chain(arm([2.0, 0.0], [3.0, -2.0]))
        .chain(arm([2.0, 0.0], [4.0, 1.5]))
        .chain(arm([4.0, 1.5], [4.5, 3.5]))
        .chain(arm([4.0, 1.5], [6.5, 1.2]))
        .collect();
    let d = plane(&x, vec![0; 5 * m]);
    let options = BranchingOptions {
        n_branchings: 2,
        ..BranchingOptions::default()
    };
    let b = run(&d, Some(0), &options);
    assert_eq!(b.found, 2);
    let arms = purity(&b.groups, m);
    // The four tips end in four different groups.
    let ends: std::collections::BTreeSet<_> = [0, 2 * m - 1, 4 * m - 1, 5 * m - 1]
        .map(|i| b.groups[i])
        .into_iter()
        .collect();
    assert_eq!(ends.len(), 4, "{arms:?}");
}

#[test]
fn order_changepoints_and_tips_fit_together() {
    let m = 50;
    let d = plane(&star(m, 0.02), vec![0; 3 * m]);
    let exec = Exec::serial();
    let time = pseudotime(&exec, &d, m - 1).unwrap().values;
    let options = BranchingOptions {
        n_branchings: 2,
        ..BranchingOptions::default()
    };
    let b = branchings(&exec, &d, Some(m - 1), Some(&time), &options).unwrap();
    let mut seen = b.order.clone();
    seen.sort_unstable();
    assert!(seen.iter().enumerate().all(|(i, &v)| i == v));
    for w in b.order.windows(2) {
        let key = |i: usize| (b.groups[i], time[i]);
        assert!(key(w[0]) <= key(w[1]));
    }
    let groups = b.tips.len();
    assert_eq!(b.changepoints.len(), groups - 1);
    for (g, &at) in b.changepoints.iter().enumerate() {
        assert_eq!(b.groups[b.order[at]], Some(g as u32 + 1));
        assert_eq!(b.groups[b.order[at - 1]], Some(g as u32));
    }
    for tips in &b.tips {
        assert!(time[tips[0]] <= time[tips[1]]);
    }
    assert_eq!(b.undecided.len(), groups);
}

#[test]
fn a_cut_near_the_end_is_pulled_back_if_allowed() {
    // A long way to a short bar whose ends are the other tips: the distances to both
    // fall together along the way, against each other along the bar.
    let way = (0..388).map(|i| [f64::from(i), 0.0]);
    let bar = (0..12).map(|i| [390.0 + 0.01 * f64::from(i), 6.0 - f64::from(i)]);
    let x: Vec<[f64; 2]> = way.chain(bar).collect();
    let d = plane(&x, vec![0; 400]);
    let exec = Exec::serial();
    let cells: Vec<usize> = (0..400).collect();
    let near = |shift| near_branch(&exec, &d, &cells, [0, 388, 399], shift).unwrap();
    let (branch, shifted) = near(false);
    assert!((385..391).contains(&branch.len()) && !shifted);
    let (pulled, shifted) = near(true);
    assert!(shifted);
    let cut = branch.len() - 1;
    assert_eq!(pulled, cells[..(0.95 * cut as f64) as usize]);
}

#[test]
fn other_components_have_no_group_and_small_pieces_stay() {
    let m = 40;
    let mut x = star(m, 0.02);
    x.extend([[9.0, 9.0], [9.5, 9.0]]);
    let mut components = vec![0; 3 * m];
    components.extend([1, 1]);
    let d = plane(&x, components);
    for root in [Some(0), None] {
        let b = run(&d, root, &BranchingOptions::default());
        assert_eq!(b.found, 1);
        assert_eq!(&b.groups[3 * m..], [None, None]);
        assert_eq!(b.order.len(), 3 * m);
        assert!(b.groups[..3 * m].iter().all(Option::is_some));
    }
    let b = run(&d, Some(3 * m), &BranchingOptions::default());
    assert_eq!((b.found, b.order.len()), (0, 2));
    assert!(b.groups[..3 * m].iter().all(Option::is_none));
    let none = BranchingOptions {
        min_group_size: 3 * m,
        ..BranchingOptions::default()
    };
    let b = run(&d, Some(0), &none);
    assert_eq!((b.found, b.tips.len()), (0, 1));
    assert!(b.groups[..3 * m].iter().all(|&g| g == Some(0)));
}

#[test]
fn splitting_ends_when_nothing_is_left_to_split() {
    let m = 30;
    let d = plane(&star(m, 0.02), vec![0; 3 * m]);
    let many = BranchingOptions {
        n_branchings: 200,
        ..BranchingOptions::default()
    };
    let b = run(&d, Some(0), &many);
    assert!(b.found < 200);
    let groups = b.tips.len();
    for g in 0..groups as u32 {
        assert!(b.groups.contains(&Some(g)));
    }
    // Duplicated cells only: no length, no fork.
    let d = plane(&[[1.0, 1.0]; 50], vec![0; 50]);
    assert_eq!(run(&d, None, &many).found, 0);
}

#[test]
fn too_many_cells_and_bad_roots_are_refused() {
    let m = 40;
    let d = plane(&star(m, 0.02), vec![0; 3 * m]);
    let exec = Exec::serial();
    let small = BranchingOptions {
        limit: Some(100),
        ..BranchingOptions::default()
    };
    let kind = |root, time: Option<&[f64]>, options: &BranchingOptions| {
        branchings(&exec, &d, root, time, options)
            .unwrap_err()
            .kind()
    };
    assert_eq!(kind(Some(0), None, &small), "range");
    let options = BranchingOptions::default();
    assert_eq!(kind(Some(3 * m), None, &options), "range");
    assert_eq!(kind(Some(0), Some(&[0.0]), &options), "shape");
    let forced = BranchingOptions {
        limit: None,
        ..small
    };
    assert_eq!(run(&d, Some(0), &forced), run(&d, Some(0), &options));
    exec.control().cancel();
    assert_eq!(kind(Some(0), None, &options), "interrupted");
}

#[test]
fn the_same_bits() {
    let m = 150;
    let d = plane(&star(m, 0.05), vec![0; 3 * m]);
    let options = BranchingOptions {
        n_branchings: 3,
        ..BranchingOptions::default()
    };
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        branchings(&exec, &d, Some(7), None, &options).unwrap()
    });
}
