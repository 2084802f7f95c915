use super::*;
use crate::math;
use crate::rng::Stream;
use crate::sparse::csr::{from_rows, row};
use ndarray::{array, Array2, Axis};
use Direction::{BackwardNegate, BackwardTranspose, Forward};

fn data(n: usize, g: usize) -> (Csr, Array2<f64>, Array2<f64>) {
    let mut s = Stream::new(6, 0, 0, 0);
    let rows = (0..n)
        .map(|i| (1..6).map(|o| (((i + o * o) % n) as u32, 1.0)).collect())
        .collect();
    let x = Array2::from_shape_fn((n, g), |_| s.normal());
    let v = Array2::from_shape_fn((n, g), |_| s.normal());
    (from_rows(n, rows).unwrap(), x, v)
}

fn with(similarity: Similarity, direction: Direction) -> VelocityOptions {
    VelocityOptions {
        similarity,
        direction,
        ..VelocityOptions::default()
    }
}

fn input(data: &(Csr, Array2<f64>, Array2<f64>)) -> VelocityInput<'_> {
    VelocityInput {
        graph: &data.0,
        x: data.1.view(),
        v: data.2.view(),
        features: None,
    }
}

fn run(data: &(Csr, Array2<f64>, Array2<f64>), o: &VelocityOptions) -> Result<VelocityTransition> {
    let exec = Exec::with_threads(2).unwrap();
    velocity_transition(&exec, &input(data), o)
}

/// Scores written out feature by feature.
fn slow(d: &(Csr, Array2<f64>, Array2<f64>), o: &VelocityOptions, i: usize, j: usize) -> f64 {
    let (x, v) = (&d.1, &d.2);
    let (mut v, mut step) = match o.direction {
        Forward => (v.row(i).to_owned(), &x.row(j) - &x.row(i)),
        BackwardNegate => (-&v.row(i), &x.row(j) - &x.row(i)),
        BackwardTranspose => (v.row(j).to_owned(), &x.row(i) - &x.row(j)),
    };
    if o.similarity == Similarity::Correlation {
        v -= v.sum() / v.len() as f64;
        step -= step.sum() / step.len() as f64;
    }
    let s = v.dot(&step);
    match o.similarity {
        Similarity::DotProduct => s,
        _ => s / (v.dot(&v) * step.dot(&step)).sqrt(),
    }
}

#[test]
fn the_definitions_agree() {
    let d = data(40, 11);
    for similarity in [
        Similarity::Correlation,
        Similarity::Cosine,
        Similarity::DotProduct,
    ] {
        for direction in [Forward, BackwardTranspose, BackwardNegate] {
            let o = with(similarity, direction);
            let t = run(&d, &o).unwrap();
            let mut sizes = vec![];
            for i in 0..40 {
                let (cols, p) = row(&t.matrix, i);
                let s: Vec<f64> = cols.iter().map(|&j| slow(&d, &o, i, j as usize)).collect();
                let e: Vec<f64> = s.iter().map(|s| math::exp(t.softmax_scale * s)).collect();
                for (k, p) in p.iter().enumerate() {
                    assert!((p - e[k] / e.iter().sum::<f64>()).abs() < 1e-12);
                    assert!((t.scores[row_range(&d.0, i).start + k] - s[k]).abs() < 1e-12);
                }
                sizes.extend(s.iter().map(|s| s.abs()));
            }
            sizes.sort_by(f64::total_cmp);
            let median = 0.5 * (sizes[99] + sizes[100]);
            assert!((t.softmax_scale * median - 1.0).abs() < 1e-12);
            assert!(t.estimated && t.still.is_empty());
        }
    }
}

#[test]
fn negating_is_not_going_forward() {
    let d = data(30, 7);
    let forward = run(&d, &with(Similarity::Correlation, Forward)).unwrap();
    let back = run(&d, &with(Similarity::Correlation, BackwardNegate)).unwrap();
    assert_eq!(forward.softmax_scale, back.softmax_scale);
    assert_ne!(forward.matrix, back.matrix);
    let mut turned = d.clone();
    turned.2.mapv_inplace(|v| -v);
    let again = run(&turned, &with(Similarity::Correlation, Forward)).unwrap();
    for (a, b) in again.matrix.data().iter().zip(back.matrix.data()) {
        assert!((a - b).abs() < 1e-13);
    }
}

#[test]
fn still_cells_move_alike() {
    let mut d = data(20, 5);
    d.2.row_mut(4).fill(0.0);
    let t = run(&d, &with(Similarity::Correlation, Forward)).unwrap();
    assert_eq!(t.still, [4]);
    assert_eq!(row(&t.matrix, 4).1, [0.2; 5]);
    assert!(row_range(&d.0, 4).all(|e| t.scores[e].is_nan()));
    // Seen from behind, it is a neighbour that nobody came from.
    let t = run(&d, &with(Similarity::Correlation, BackwardTranspose)).unwrap();
    assert!((0..20).all(|i| !row(&t.matrix, i).0.contains(&4)));
    d.2.fill(0.0);
    let e = run(&d, &with(Similarity::Correlation, Forward)).unwrap_err();
    assert_eq!(e.kind(), "no_state");
    let fixed = VelocityOptions {
        softmax_scale: Some(3.0),
        ..VelocityOptions::default()
    };
    let t = run(&d, &fixed).unwrap();
    assert!(!t.estimated && t.matrix.data().iter().all(|&p| p == 0.2));
}

#[test]
fn duplicates_are_never_visited() {
    let mut d = data(20, 5);
    let same = d.1.row(4).to_owned();
    d.1.row_mut(3).assign(&same);
    let t = run(&d, &with(Similarity::Correlation, Forward)).unwrap();
    assert!(row(&d.0, 3).0.contains(&4) && !row(&t.matrix, 3).0.contains(&4));
    let sum: f64 = row(&t.matrix, 3).1.iter().sum();
    assert!((sum - 1.0).abs() < 1e-15);
    for j in [7, 12, 19, 8] {
        d.1.row_mut(j).assign(&same);
    }
    match run(&d, &with(Similarity::Correlation, Forward)) {
        Err(CoreError::NotStochastic { cells, .. }) => assert_eq!(cells, [3]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_number_of_threads_and_any_path_give_the_same_bits() {
    let d = data(700, 37);
    let draws = Draws {
        samples: 11,
        seed: 4,
        variance_as_sd: false,
    };
    for (direction, model) in [
        (Forward, Model::Deterministic),
        (BackwardTranspose, Model::Deterministic),
        (Forward, Model::Stochastic),
        (Forward, Model::MonteCarlo(draws)),
    ] {
        let o = VelocityOptions {
            model,
            ..with(Similarity::Correlation, direction)
        };
        let run = |t| {
            let exec = Exec::with_threads(t).unwrap();
            velocity_transition(&exec, &input(&d), &o).unwrap()
        };
        crate::testing::same_bits(run);
    }
}

#[test]
fn layout_does_not_matter() {
    let d = data(300, 9);
    let o = VelocityOptions::default();
    let turned = d.1.t().as_standard_layout().into_owned();
    let exec = Exec::with_threads(2).unwrap();
    let mut other = input(&d);
    other.x = turned.t();
    let t = velocity_transition(&exec, &other, &o).unwrap();
    assert_eq!(t, run(&d, &o).unwrap());
    // Chosen columns are a matrix of those columns, from either layout.
    let kept = [7, 0, 3, 4];
    let short = (
        d.0.clone(),
        d.1.select(Axis(1), &kept),
        d.2.select(Axis(1), &kept),
    );
    let want = run(&short, &o).unwrap();
    assert_eq!(want.features, 4);
    for x in [d.1.view(), turned.t()] {
        let mut chosen = input(&d);
        chosen.x = x;
        chosen.features = Some(&kept);
        assert_eq!(velocity_transition(&exec, &chosen, &o).unwrap(), want);
    }
}

#[test]
fn features_without_velocity_are_left_out() {
    let d = data(200, 9);
    let mut holes = d.clone();
    holes.1[(17, 2)] = f64::INFINITY;
    holes.2[(150, 2)] = f64::NAN;
    holes.2[(3, 8)] = f64::NAN;
    let kept = [0, 1, 3, 4, 5, 6, 7];
    let short = (
        d.0.clone(),
        d.1.select(Axis(1), &kept),
        d.2.select(Axis(1), &kept),
    );
    let o = VelocityOptions::default();
    let found = run(&holes, &o).unwrap();
    assert_eq!(found, run(&short, &o).unwrap());
    assert_eq!(found.features, 7);
}

#[test]
fn edges_without_weight_are_no_neighbours() {
    let d = data(50, 6);
    let mut rows: Vec<Vec<(u32, f64)>> = (0..50)
        .map(|i| row(&d.0, i).0.iter().map(|&j| (j, 1.0)).collect())
        .collect();
    rows.iter_mut().for_each(|r| r[2].1 = 0.0);
    let zeros = from_rows(50, rows.clone()).unwrap();
    for r in &mut rows {
        r.remove(2);
    }
    let gone = from_rows(50, rows).unwrap();
    let o = VelocityOptions::default();
    let with = |g: &Csr| run(&(g.clone(), d.1.clone(), d.2.clone()), &o).unwrap();
    assert_eq!(with(&zeros), with(&gone));
}

#[test]
fn permuted_cells_permute_the_matrix() {
    let d = data(120, 8);
    let order = Stream::new(5, 0, 0, 0).permutation(120);
    let mut place = vec![0; 120];
    order.iter().enumerate().for_each(|(at, &i)| place[i] = at);
    let rows = order.iter().map(|&i| {
        let r = row(&d.0, i).0.iter();
        r.map(|&j| (place[j as usize] as u32, 1.0)).collect()
    });
    let moved = (
        from_rows(120, rows.collect()).unwrap(),
        d.1.select(Axis(0), &order),
        d.2.select(Axis(0), &order),
    );
    for model in [Model::Deterministic, Model::Stochastic] {
        let o = VelocityOptions {
            model,
            ..VelocityOptions::default()
        };
        let (a, b) = (run(&d, &o).unwrap(), run(&moved, &o).unwrap());
        assert!((a.softmax_scale / b.softmax_scale - 1.0).abs() < 1e-14);
        let (a, b) = (a.matrix.to_dense(), b.matrix.to_dense());
        for i in 0..120 {
            for j in 0..120 {
                assert!((a[(order[i], order[j])] - b[(i, j)]).abs() < 1e-13);
            }
        }
    }
}

#[test]
fn the_scale_is_one_over_the_median() {
    let exec = Exec::with_threads(2).unwrap();
    let mut s = Stream::new(8, 0, 0, 0);
    for n in [1, 2, 3, 10, 1001, 600_000] {
        let mut scores: Vec<f64> = (0..n).map(|_| s.normal() * s.normal()).collect();
        let mut sizes: Vec<f64> = scores.iter().map(|s| s.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let median = 0.5 * (sizes[(n - 1) / 2] + sizes[n / 2]);
        scores.extend([0.0, f64::NAN, -0.0]);
        let found = estimate_scale(&exec, &scores).unwrap();
        assert_eq!(found, 1.0 / median);
    }
    // The two middle values in bins far apart.
    assert_eq!(
        estimate_scale(&exec, &[-1e-3, 1e3]).unwrap(),
        1.0 / 500.0005
    );
    for none in [vec![], vec![0.0, f64::NAN], vec![1e-310]] {
        let e = estimate_scale(&exec, &none).unwrap_err();
        assert_eq!(e.kind(), "no_state");
    }
}

#[test]
fn what_cannot_be_used_is_refused() {
    let o = VelocityOptions::default();
    fn kind(d: &(Csr, Array2<f64>, Array2<f64>), o: &VelocityOptions) -> &'static str {
        run(d, o).unwrap_err().kind()
    }
    let good = data(10, 4);
    let mut d = good.clone();
    d.2[(3, 1)] = f64::INFINITY;
    assert_eq!(kind(&d, &o), "range");
    let mut d = good.clone();
    d.1[(3, 1)] = f64::NAN;
    assert_eq!(kind(&d, &o), "range");
    let mut d = good.clone();
    d.2.row_mut(4).fill(f64::NAN);
    assert_eq!(kind(&d, &o), "no_state");
    let mut d = good.clone();
    d.2 = Array2::zeros((10, 3));
    assert_eq!(kind(&d, &o), "shape");
    d.1 = Array2::zeros((10, 0));
    d.2 = Array2::zeros((10, 0));
    assert_eq!(kind(&d, &o), "no_state");
    for model in [
        Model::Stochastic,
        Model::MonteCarlo(Draws {
            samples: 3,
            seed: 0,
            variance_as_sd: true,
        }),
    ] {
        let o = VelocityOptions {
            model,
            ..with(Similarity::Cosine, BackwardNegate)
        };
        assert_eq!(kind(&good, &o), "range");
    }
    let mut zero = o;
    zero.softmax_scale = Some(0.0);
    assert_eq!(kind(&good, &zero), "range");
    let alone = from_rows(2, vec![vec![(1, 1.0)], vec![]]).unwrap();
    let x = array![[1.0, 2.0], [2.0, 1.0]];
    assert_eq!(kind(&(alone, x.clone(), x), &o), "disconnected");
}
