use super::*;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use crate::sparse::CscSlots;
use crate::testing::same_bits;
use ndarray::Array2;

/// Cells x genes; gene 0 is never expressed, gene 1 the same everywhere.
fn expression(cells: usize, genes: usize) -> Array2<f64> {
    let mut s = Stream::new(6, 0, 0, 0);
    Array2::from_shape_fn((cells, genes), |(i, g)| match g {
        0 => 0.0,
        1 => 0.3,
        _ if s.uniform() < 0.2 + 0.6 * (i as f64 / cells as f64) => 3.0 * s.uniform(),
        _ => 0.0,
    })
}

/// What R holds: genes x cells by columns.
fn slots(x: &Array2<f64>) -> CscSlots {
    let rows = x.rows().into_iter().map(|r| {
        let entry = |(g, &v): (usize, &f64)| (v != 0.0).then_some((g as u32, v));
        r.iter().enumerate().filter_map(entry).collect()
    });
    let m = from_rows(x.ncols(), rows.collect()).unwrap();
    let (p, i, x) = m.into_raw_storage();
    CscSlots {
        p: p.into_iter().map(|v| v as i32).collect(),
        i: i.into_iter().map(|v| v as i32).collect(),
        x,
    }
}

fn sparse<'a>(m: &'a CscSlots, genes: usize) -> Expression<'a> {
    let shape = (genes, m.p.len() - 1);
    Expression::Sparse(CscView::new(&Exec::serial(), shape, &m.p, &m.i, &m.x).unwrap())
}

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        x.iter().zip(y).map(|(&a, &b)| f(a - mx, b - my)).sum()
    };
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

#[test]
fn correlations_are_pearsons() {
    let exec = Exec::with_threads(2).unwrap();
    let x = expression(1300, 12);
    let m = slots(&x);
    let counts: Vec<u32> = (0..1300)
        .map(|i| x.row(i).iter().filter(|&&v| v > 0.0).count() as u32)
        .collect();
    let y: Vec<f64> = counts.iter().map(|&c| f64::from(c)).collect();
    let mut found = Vec::new();
    for block in [sparse(&m, 12), Expression::Dense(x.view())] {
        let mut moments = GeneMoments::new(12).unwrap();
        assert_eq!(moments.add(&exec, block).unwrap(), counts);
        let r = moments.correlations();
        assert!(r[0].is_nan() && r[1].is_nan());
        for (g, r) in r.iter().enumerate().skip(2) {
            assert!((r - pearson(&x.column(g).to_vec(), &y)).abs() < 1e-13);
        }
        found.push(r);
    }
    // Blocks of cells, with the state passed on, give the same.
    let mut state = GeneMoments::new(12).unwrap().into_state();
    for rows in [0..700, 700..701, 701..1300] {
        let part = x.slice_axis(ndarray::Axis(0), rows.into());
        let part = slots(&part.to_owned());
        let mut moments = GeneMoments::from_state(12, &state).unwrap();
        moments.add(&exec, sparse(&part, 12)).unwrap();
        state = moments.into_state();
    }
    let blocks = GeneMoments::from_state(12, &state).unwrap().correlations();
    for g in 2..12 {
        assert!((blocks[g] - found[0][g]).abs() < 1e-13);
        assert!((found[1][g] - found[0][g]).abs() < 1e-13);
    }
    assert!(GeneMoments::from_state(11, &state).is_err());
}

#[test]
fn large_offsets_cost_no_digits() {
    let exec = Exec::serial();
    let mut x = expression(900, 6);
    let y: Vec<f64> = (0..900)
        .map(|i| x.row(i).iter().filter(|&&v| v > 0.0).count() as f64)
        .collect();
    // A gene far from zero that hardly varies.
    for (i, v) in x.column_mut(1).iter_mut().enumerate() {
        *v = 1e4 + 1e-4 * y[i] + 1e-5 * (i % 7) as f64;
    }
    let mut moments = GeneMoments::new(6).unwrap();
    moments.add(&exec, sparse(&slots(&x), 6)).unwrap();
    let want = pearson(&x.column(1).to_vec(), &y);
    assert!((moments.correlations()[1] - want).abs() < 1e-8);
}

#[test]
fn cells_with_equal_counts_correlate_with_nothing() {
    let x = Array2::from_shape_fn((700, 3), |(i, g)| 1.0 + ((i * (g + 2)) % 5) as f64);
    let mut moments = GeneMoments::new(3).unwrap();
    let block = Expression::Dense(x.view());
    moments.add(&Exec::serial(), block).unwrap();
    assert!(moments.correlations().iter().all(|r| r.is_nan()));
}

#[test]
fn the_best_genes_come_first() {
    let r = [0.1, f64::NAN, 0.9, -0.5, 0.9, f64::NAN];
    assert_eq!(top_genes(&r, 3), [2, 4, 0]);
    assert_eq!(top_genes(&r, 9), [2, 4, 0, 3, 1, 5]);
}

#[test]
fn aggregates_are_what_they_are_called() {
    let exec = Exec::with_threads(2).unwrap();
    let mut x = expression(600, 9);
    // Cells that express all the selected genes.
    for i in 0..300 {
        x.row_mut(i).iter_mut().for_each(|v| *v += 0.25);
    }
    let m = slots(&x);
    for selected in [&[4, 2, 7][..], &[8, 3, 5, 2], &[6]] {
        let n = selected.len();
        for how in [
            Aggregation::Mean,
            Aggregation::Median,
            Aggregation::GeometricMean,
            Aggregation::HarmonicMean,
        ] {
            let a = aggregate(&exec, sparse(&m, 9), selected, how).unwrap();
            let b = aggregate(&exec, Expression::Dense(x.view()), selected, how).unwrap();
            assert_eq!(a, b);
            for i in 0..600 {
                let mut v: Vec<f64> = selected.iter().map(|&g| x[(i, g)]).collect();
                v.sort_by(f64::total_cmp);
                let power = |f: fn(f64) -> f64| v.iter().map(|&u| f(u)).sum::<f64>() / n as f64;
                let want = match how {
                    Aggregation::Mean => power(|u| u),
                    Aggregation::Median => 0.5 * (v[(n - 1) / 2] + v[n / 2]),
                    _ if v[0] == 0.0 => 0.0,
                    Aggregation::GeometricMean => math::exp(power(math::ln)),
                    Aggregation::HarmonicMean => 1.0 / power(|u| 1.0 / u),
                };
                assert!((a[i] - want).abs() < 1e-14, "{how:?} {} {want}", a[i]);
            }
        }
    }
}

#[test]
fn scores_run_from_zero_to_one() {
    let (score, time) = scale(&[2.0, 6.0, 3.0]).unwrap();
    assert_eq!(score, [0.0, 1.0, 0.25]);
    assert_eq!(time, [1.0, 0.0, 0.75]);
    assert_eq!(scale(&[2.0, 2.0]).unwrap_err().kind(), "range");
    assert_eq!(scale(&[]).unwrap_err().kind(), "range");
}

#[test]
fn values_without_meaning_are_refused() {
    let exec = Exec::serial();
    let mut x = expression(40, 5);
    x[(7, 3)] = f64::NAN;
    let m = slots(&x);
    let found = GeneMoments::new(5).unwrap().add(&exec, sparse(&m, 5));
    match found.unwrap_err() {
        CoreError::NotFinite { count, cells, .. } => assert_eq!((count, cells), (1, vec![7])),
        other => panic!("{other:?}"),
    }
    let kind = |m: &CscSlots, genes: &[usize], how| {
        let found = aggregate(&exec, sparse(m, 5), genes, how);
        found.unwrap_err().kind()
    };
    assert_eq!(kind(&m, &[2, 3], Aggregation::Mean), "range");
    assert_eq!(kind(&m, &[2, 5], Aggregation::Mean), "shape");
    assert_eq!(kind(&m, &[], Aggregation::Mean), "shape");
    x[(7, 3)] = -1.0;
    let m = slots(&x);
    assert!(aggregate(&exec, sparse(&m, 5), &[3], Aggregation::Median).is_ok());
    assert_eq!(kind(&m, &[3], Aggregation::GeometricMean), "range");
    assert_eq!(kind(&m, &[3], Aggregation::HarmonicMean), "range");
    let block = sparse(&m, 5);
    let other = GeneMoments::new(4).unwrap().add(&exec, block);
    assert_eq!(other.unwrap_err().kind(), "shape");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let x = expression(3000, 20);
    let m = slots(&x);
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        let mut moments = GeneMoments::new(20).unwrap();
        let counts = moments.add(&exec, sparse(&m, 20)).unwrap();
        let genes = top_genes(&moments.correlations(), 5);
        let score = aggregate(&exec, sparse(&m, 20), &genes, Aggregation::Mean).unwrap();
        let bits: Vec<u64> = moments.into_state().iter().map(|v| v.to_bits()).collect();
        (counts, genes, bits, scale(&score).unwrap())
    });
}
