use super::cases::*;
use super::oracle::squares;
use super::sinkhorn::*;
use crate::math;
use ndarray::{array, Array2};

/// Fixture B14: three sources, four targets.
fn small() -> (Array2<f64>, Vec<f64>, Vec<f64>) {
    let x = array![[0.0], [1.0], [3.0]];
    let y = array![[0.5], [1.0], [2.0], [4.0]];
    let p = vec![1.44, 1.0, 0.64];
    let q = vec![p.iter().sum::<f64>() / 3.0; 4];
    (squares(&x, &y, 1.0), p, q)
}

#[test]
fn the_fixture_at_one_half() {
    let (c, p, q) = small();
    let o = options(0.5, [1.0, 50.0]);
    for k in [1, 2, 32] {
        let s = solve_given(&c, &p, &q, k, &o);
        close(&s.f, &[0.512112, -0.142247, -0.447812], 1e-6);
        close(&s.g, &[0.178988, 0.496641, 1.470265, 1.990373], 1e-6);
        assert!((s.kappa0 - 0.22958976).abs() < 1e-8);
        assert!((s.certificate.primal - 0.678223517).abs() < 1e-8);
        assert!((s.certificate.mass - 1.005758667).abs() < 1e-8);
        let r: Vec<f64> = s.log_r.iter().map(|&v| math::exp(v)).collect();
        close(&r, &[0.862889, 1.152861, 1.001526], 1e-6);
        let t = coupling(&s, &c, 0.5);
        let want = [
            0.604053, 0.254415, 0.004420, 4.7e-13, 0.163195, 0.507882, 0.481785, 1.5e-7, 5.4e-7,
            9.25e-5, 0.261483, 0.739950,
        ];
        close(&t.iter().copied().collect::<Vec<_>>(), &want, 1e-6);
    }
}

#[test]
fn the_fixture_counts_its_iterations() {
    let (c, p, q) = small();
    for (epsilon, plain, one) in [(0.5, [22, 28], [14, 18]), (0.05, [172, 218], [107, 128])] {
        for (at, tolerance) in [1e-8, 1e-10].into_iter().enumerate() {
            let o = Options {
                tolerance,
                ..options(epsilon, [1.0, 50.0])
            };
            let correct = solve_given(&c, &p, &q, 1, &o).iterations;
            let none = Options {
                correct: false,
                ..o
            };
            let bare = solve_given(&c, &p, &q, 1, &none).iterations;
            assert!(bare.abs_diff(plain[at]) <= 1, "{bare}");
            assert!(correct.abs_diff(one[at]) <= 1, "{correct}");
        }
    }
}

#[test]
fn the_fixture_after_one_iteration() {
    let (c, p, q) = small();
    let o = Options {
        max_iter: 1,
        ..options(0.5, [1.0, 50.0])
    };
    let s = solve_given(&c, &p, &q, 1, &o);
    assert!(!s.converged);
    close(&s.f, &[0.14988425, -0.25602731, 0.21539612], 1e-8);
    close(
        &s.g,
        &[0.47411194, 0.67836272, 1.17010757, 1.33373135],
        1e-8,
    );
    let r: Vec<f64> = s.log_r.iter().map(|&v| math::exp(v)).collect();
    close(&r, &[0.70668354, 1.02687247, 1.29072255], 1e-8);
    assert!((s.certificate.gap - 0.19123820).abs() < 1e-8);
}

#[test]
fn the_fixture_at_the_default() {
    let (c, p, q) = small();
    let s = solve_given(&c, &p, &q, 2, &options(0.05, [1.0, 50.0]));
    close(&s.f, &[0.573179, -0.278779, -0.345769], 1e-6);
    close(&s.g, &[-0.266666, 0.332170, 1.322073, 1.400615], 1e-6);
    assert!((s.certificate.primal - 0.673444835).abs() < 1e-8);
    assert!((s.certificate.mass - 1.012551968).abs() < 1e-8);
}

#[test]
fn one_cell_each_has_a_closed_form() {
    let (epsilon, lambda, p, cost) = (0.1, [1.0, 3.0], 2.0, 1.0);
    let c = array![[cost]];
    let s = solve_given(&c, &[p], &[1.0], 1, &options(epsilon, lambda));
    let want = math::exp((math::ln(p) - cost) / (1.0 + 3.0 + epsilon));
    assert!((want - 0.927889941).abs() < 1e-9);
    assert!((coupling(&s, &c, epsilon)[(0, 0)] / want - 1.0).abs() < 1e-6);
}

#[test]
fn two_cells_each_have_a_closed_form() {
    let c = array![[0.0, 0.7], [0.7, 0.0]];
    let s = solve_given(&c, &[1.0; 2], &[1.0; 2], 1, &options(0.2, [2.0, 3.0]));
    close(&s.f, &[0.051030520; 2], 1e-7);
    close(&s.g, &[0.076545780; 2], 1e-7);
    let t = coupling(&s, &c, 0.2);
    assert!((t[(0, 0)] - 0.946233721).abs() < 1e-6);
    assert!((t[(0, 1)] - 0.028573782).abs() < 1e-6);
}
