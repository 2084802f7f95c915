use super::*;
use crate::lineage::fisher::{adjust, inflated};
use crate::rng::Stream;
use crate::sparse::csr::from_rows;

/// Cells x genes with zeros, gene 0 constant, gene 1 with a large offset.
fn data(n: usize, genes: usize, lineages: usize) -> (Array2<f64>, Array2<f64>) {
    let mut s = Stream::new(4, 4, 4, 4);
    let x = Array2::from_shape_fn((n, genes), |(_, g)| {
        let v = s.normal();
        match g {
            0 => 0.1,
            1 => 1e6 + v,
            _ if s.uniform() < 0.7 => 0.0,
            _ => v + 2.0,
        }
    });
    let p = Array2::from_shape_fn((n, lineages), |_| s.uniform());
    (x, p)
}

fn sparse(x: &Array2<f64>) -> Csr {
    let rows = x
        .rows()
        .into_iter()
        .map(|r| {
            let kept = r.iter().enumerate().filter(|(_, v)| **v != 0.0);
            kept.map(|(g, &v)| (g as u32, v)).collect()
        })
        .collect();
    from_rows(x.ncols(), rows).unwrap()
}

/// Two passes with means subtracted first.
fn oracle(x: &Array2<f64>, p: &Array2<f64>, g: usize, l: usize) -> f64 {
    let centre = |v: Vec<f64>| -> Vec<f64> {
        let m = v.iter().sum::<f64>() / v.len() as f64;
        let v: Vec<f64> = v.iter().map(|x| x - m).collect();
        let m = v.iter().sum::<f64>() / v.len() as f64;
        v.iter().map(|x| x - m).collect()
    };
    let (a, b) = (centre(x.column(g).to_vec()), centre(p.column(l).to_vec()));
    let dot = |u: &[f64], v: &[f64]| u.iter().zip(v).map(|(x, y)| x * y).sum::<f64>();
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

#[test]
fn correlations_are_pearsons_from_blocks_of_either_kind() {
    let exec = Exec::serial();
    let (n, genes, lineages) = (5000, 12, 3);
    let (x, p) = data(n, genes, lineages);
    let mut whole = DriverMoments::new(genes, lineages).unwrap();
    whole.add_sparse(&exec, &sparse(&x), p.view()).unwrap();
    let mut pieces = DriverMoments::new(genes, lineages).unwrap();
    for (lo, hi) in [(0, 1), (1, 700), (700, 5000)] {
        let part = |m: &Array2<f64>| m.slice_axis(Axis(0), (lo..hi).into()).to_owned();
        pieces
            .add_dense(&exec, part(&x).view(), part(&p).view())
            .unwrap();
    }
    assert_eq!((whole.n_cells(), pieces.n_cells()), (n, n));
    for moments in [whole, pieces] {
        let r = moments.correlations();
        for l in 0..lineages {
            assert!(r[[0, l]].is_nan());
            for g in 1..genes {
                // An offset of 1e6 leaves ten digits of the deviations themselves.
                let tolerance = if g == 1 { 1e-10 } else { 1e-13 };
                assert!((r[[g, l]] - oracle(&x, &p, g, l)).abs() < tolerance);
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_instructions() {
    let (x, p) = data(9000, 20, 5);
    let run = |threads| {
        let exec = Exec::with_threads(threads).unwrap();
        let mut m = DriverMoments::new(20, 5).unwrap();
        m.add_sparse(&exec, &sparse(&x), p.view()).unwrap();
        m.add_dense(&exec, x.view(), p.view()).unwrap();
        let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        (bits(&m.product), bits(&m.gene_square))
    };
    crate::testing::same_bits(run);
}

#[test]
fn fishers_test_gives_the_published_numbers() {
    // R 4.2: atanh, pnorm, qnorm for n = 103.
    let r = Array2::from_shape_vec((4, 1), vec![0.5, -0.1, f64::NAN, 1.0]).unwrap();
    let t = fisher(r, 103, 0.95).unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-13 * b.abs(), "{a} {b}");
    close(t.p_value[[0, 0]], 3.950_252_784_999_246e-8);
    close(t.p_value[[1, 0]], 0.315_690_342_345_544_4);
    close(t.ci_low[[0, 0]], 0.339_307_522_483_253_63);
    close(t.ci_high[[0, 0]], 0.632_338_150_487_625_7);
    assert!(t.p_value[[2, 0]].is_nan() && t.q_value[[2, 0]].is_nan());
    assert_eq!((t.p_value[[3, 0]], t.q_value[[3, 0]]), (0.0, 0.0));
    assert_eq!((t.ci_low[[3, 0]], t.ci_high[[3, 0]]), (1.0, 1.0));
    close(t.q_value[[0, 0]], 1.5 * t.p_value[[0, 0]]);
    close(t.q_value[[1, 0]], t.p_value[[1, 0]]);
}

#[test]
fn far_tails_are_kept_and_wider_levels_contain_narrower_ones() {
    let r = Array2::from_shape_vec((1, 1), vec![0.52]).unwrap();
    let t = fisher(r.clone(), 4000, 0.95).unwrap();
    assert!(t.p_value[[0, 0]] > 1e-300 && t.p_value[[0, 0]] < 1e-270);
    let wide = fisher(r, 4000, 0.99).unwrap();
    assert!(wide.ci_low[[0, 0]] < t.ci_low[[0, 0]] && wide.ci_high[[0, 0]] > t.ci_high[[0, 0]]);
}

#[test]
fn q_values_are_those_of_the_step_up_rule() {
    let p = [0.01, 0.04, 0.03, f64::NAN, 0.5];
    let want = [0.04, 0.16 / 3.0, 0.16 / 3.0, f64::NAN, 0.5];
    for (q, w) in adjust(&p).into_iter().zip(want) {
        assert!((q - w).abs() < 1e-15 || (q.is_nan() && w.is_nan()));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let exec = Exec::serial();
    let (mut x, p) = data(10, 4, 2);
    let mut m = DriverMoments::new(4, 2).unwrap();
    let few = p.slice_axis(Axis(0), (0..9).into());
    assert_eq!(
        m.add_dense(&exec, x.view(), few).unwrap_err().kind(),
        "shape"
    );
    x[[3, 2]] = f64::NAN;
    let e = m.add_sparse(&exec, &sparse(&x), p.view()).unwrap_err();
    assert_eq!(e.fields()[2].1, crate::error::Field::Cells(vec![3]));
    assert_eq!(m.n_cells(), 0);
    let none = Array2::zeros((1, 1));
    assert_eq!(fisher(none.clone(), 3, 0.95).unwrap_err().kind(), "range");
    assert_eq!(fisher(none, 30, 1.5).unwrap_err().kind(), "range");
}

#[test]
fn the_least_and_the_greatest_level_are_a_point_and_everything() {
    let r = Array2::from_shape_vec((3, 1), vec![0.3, f64::NAN, 1.0]).unwrap();
    let point = fisher(r.clone(), 50, 0.0).unwrap();
    assert!((point.ci_low[[0, 0]] - 0.3).abs() < 1e-15);
    assert!((point.ci_high[[0, 0]] - 0.3).abs() < 1e-15);
    let all = fisher(r, 50, 1.0).unwrap();
    assert_eq!((all.ci_low[[0, 0]], all.ci_high[[0, 0]]), (-1.0, 1.0));
    assert_eq!((all.ci_low[[2, 0]], all.ci_high[[2, 0]]), (-1.0, 1.0));
    assert!(all.ci_low[[1, 0]].is_nan() && all.ci_high[[1, 0]].is_nan());
}

#[test]
fn the_peers_correlation_is_larger_by_its_factor_and_never_beyond_one() {
    let r = Array2::from_shape_vec((3, 1), vec![0.5, -0.96, f64::NAN]).unwrap();
    let out = inflated(r, 20);
    assert!((out[[0, 0]] - 10.0 / 19.0).abs() < 1e-15);
    assert!(out[[1, 0]].is_nan() && out[[2, 0]].is_nan());
}

#[test]
fn columns_where_they_lie_give_the_bits_of_rows() {
    let (x, p) = data(3000, 7, 2);
    let m = sparse(&x);
    let starts = m.indptr();
    let offsets: Vec<i32> = starts.raw_storage().iter().map(|&v| v as i32).collect();
    let genes: Vec<i32> = m.indices().iter().map(|&g| g as i32).collect();
    let exec = Exec::with_threads(2).unwrap();
    let view = CscView::new(&exec, (7, 3000), &offsets, &genes, m.data()).unwrap();
    let mut rows = DriverMoments::new(7, 2).unwrap();
    rows.add_sparse(&exec, &m, p.view()).unwrap();
    let mut columns = DriverMoments::new(7, 2).unwrap();
    columns.add_columns(&exec, &view, p.view()).unwrap();
    assert_eq!(rows.into_state(), columns.into_state());
}
