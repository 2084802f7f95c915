//! What both iterative solvers must do.

use super::bicgstab::bicgstab;
use super::block::{Identity, Operator};
use super::gmres::{gmres, Limits, Outcome};
use super::precond::Jacobi;
use crate::error::Result;
use crate::exec::Exec;
use crate::rng::Stream;
use nalgebra::DMatrix;

type Solver = fn(
    &Exec,
    (&dyn Operator, &dyn Operator),
    &[f64],
    &mut [f64],
    &[f64],
    Limits,
) -> Result<Outcome>;

const SOLVERS: [Solver; 2] = [gmres, bicgstab];

struct Dense(DMatrix<f64>);

impl Operator for Dense {
    fn size(&self) -> usize {
        self.0.nrows()
    }

    fn apply(&self, _: &Exec, x: &[f64], k: usize, out: &mut [f64]) -> Result<()> {
        let y = &self.0 * DMatrix::from_row_slice(self.size(), k, x);
        out.copy_from_slice(y.transpose().as_slice());
        Ok(())
    }
}

fn system(n: usize, k: usize) -> (Dense, Vec<f64>) {
    let mut s = Stream::new(8, 1, n as u64, k as u64);
    let mut a = DMatrix::from_fn(n, n, |_, _| s.uniform() - 0.5);
    (0..n).for_each(|i| a[(i, i)] += 4.0 + i as f64);
    (Dense(a), (0..n * k).map(|_| s.normal()).collect())
}

#[test]
fn twenty_unknowns_and_ten_right_hand_sides() {
    for solve in SOLVERS {
        let exec = Exec::serial();
        let (n, k) = (20, 10);
        let (a, b) = system(n, k);
        let want =
            a.0.clone()
                .lu()
                .solve(&DMatrix::from_row_slice(n, k, &b))
                .unwrap();
        let jacobi = Jacobi::new(a.0.diagonal().as_slice().to_vec());
        let none = Identity(n);
        for m in [&jacobi as &dyn Operator, &none] {
            for restart in [5, 30] {
                let limits = Limits {
                    iterations: 500,
                    restart,
                };
                let mut x = vec![0.0; n * k];
                let out = solve(&exec, (&a, m), &b, &mut x, &[1e-12; 10], limits).unwrap();
                assert!(out.residuals.iter().all(|&r| r <= 1e-12));
                assert!(out.iterations.iter().all(|&i| i > 2));
                for i in 0..n {
                    for c in 0..k {
                        assert!((x[i * k + c] - want[(i, c)]).abs() < 1e-11);
                    }
                }
            }
        }
    }
}

#[test]
fn columns_that_are_done_stay_as_they_are() {
    for solve in SOLVERS {
        let exec = Exec::serial();
        let (n, k) = (20, 2);
        let (a, mut b) = system(n, k);
        (0..n).for_each(|i| b[i * k] = 0.0);
        let limits = Limits {
            iterations: 100,
            restart: 10,
        };
        let mut x = vec![0.0; n * k];
        let out = solve(&exec, (&a, &Identity(n)), &b, &mut x, &[1e-10; 2], limits).unwrap();
        assert_eq!((out.iterations[0], out.residuals[0]), (0, 0.0));
        assert!(x.iter().step_by(k).all(|&v| v == 0.0));
        assert!(out.residuals[1] <= 1e-10);
    }
}

#[test]
fn what_cannot_be_solved_is_given_up_and_said() {
    for solve in SOLVERS {
        let exec = Exec::serial();
        let n = 12;
        // Singular, and the right-hand side lies outside its range.
        let a = Dense(DMatrix::from_fn(n, n, |i, j| {
            if i == j && i > 0 {
                1.0
            } else {
                0.0
            }
        }));
        let b = vec![1.0; n];
        let mut x = vec![0.0; n];
        let limits = Limits {
            iterations: 100,
            restart: 10,
        };
        let out = solve(&exec, (&a, &Identity(n)), &b, &mut x, &[1e-10], limits).unwrap();
        assert!(out.residuals[0] >= 1.0 - 1e-12);
        assert!(x.iter().all(|v| v.is_finite()));
    }
}
