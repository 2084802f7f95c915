use super::super::dense_lu::DenseLu;
use super::*;
use crate::rng::Stream;
use crate::sparse::csr::from_rows;
use crate::testing::same_bits;

/// `D - Q` in double precision.
struct Rates<'a>(&'a Csr, &'a [f64]);

impl Operator for Rates<'_> {
    fn size(&self) -> usize {
        self.1.len()
    }

    fn apply(&self, _: &Exec, x: &[f64], k: usize, out: &mut [f64]) -> Result<()> {
        for (i, out) in out.chunks_exact_mut(k).enumerate() {
            let (cols, values) = row(self.0, i);
            for (c, out) in out.iter_mut().enumerate() {
                let flow = |(&j, &v): (&u32, &f64)| v * (x[i * k + c] - x[j as usize * k + c]);
                *out = self.1[i] * x[i * k + c] + cols.iter().zip(values).map(flow).sum::<f64>();
            }
        }
        Ok(())
    }
}

/// Steps to `degree` random cells; every tenth cell leaks.
fn random(n: usize, degree: usize, leak: f64) -> (Csr, Vec<f64>) {
    let mut s = Stream::new(31, degree as u64, 0, n as u64);
    let rows = (0..n)
        .map(|i| {
            let mut to: Vec<u32> = (0..degree).map(|_| s.below(n) as u32).collect();
            to.push(((i + 1) % n) as u32);
            to.retain(|&j| j as usize != i);
            to.sort_unstable();
            to.dedup();
            to.into_iter().map(|j| (j, 0.1 + s.uniform())).collect()
        })
        .collect();
    let leaks = (0..n).map(|i| if i % 10 == 0 { leak } else { 0.0 });
    (from_rows(n, rows).unwrap(), leaks.collect())
}

fn block(n: usize, k: usize) -> Vec<f64> {
    (0..n * k).map(|i| (i as f64 * 0.377 + 0.1) % 1.0).collect()
}

#[test]
fn any_number_of_columns_agrees_with_elimination() {
    let n = 300;
    let (q, leak) = random(n, 6, 3.0);
    let exec = Exec::serial();
    let lu = DenseLu::new(&exec, &q, &leak).unwrap();
    let sweep = Sweep::new(&q, &leak).unwrap().unwrap();
    for k in 1..=9 {
        let b = block(n, k);
        let mut want = b.clone();
        lu.solve(&mut want, k);
        let mut x = vec![0.0; n * k];
        let goal = vec![1e-10; k];
        let out = sweep
            .solve(&exec, &Rates(&q, &leak), &b, &mut x, &goal)
            .unwrap();
        assert!(out.residuals.iter().all(|&r| r <= 1e-10), "{out:?}");
        assert!(out.iterations.iter().all(|&i| i > 0 && i < 100), "{out:?}");
        for (x, w) in x.iter().zip(&want) {
            assert!((x - w).abs() < 1e-9 * w.abs().max(1.0));
        }
    }
}

#[test]
fn steps_that_only_lead_downstream_take_one_sweep() {
    let n = 500;
    let rows = (0..n as u32)
        .map(|i| (0..i.min(3)).map(|d| (i - 1 - d, 0.3)).rev().collect())
        .collect();
    let q = from_rows(n, rows).unwrap();
    let leak = vec![0.1; n];
    let sweep = Sweep::new(&q, &leak).unwrap().unwrap();
    let b = block(n, 2);
    let mut x = vec![0.0; 2 * n];
    let exec = Exec::serial();
    let out = sweep
        .solve(&exec, &Rates(&q, &leak), &b, &mut x, &[1e-11; 2])
        .unwrap();
    // One step is exact but for single precision, which two more cycles mend.
    assert!(out.iterations.iter().all(|&i| i <= 3), "{out:?}");
    assert!(out.residuals.iter().all(|&r| r <= 1e-11));
}

#[test]
fn a_chain_that_is_hardly_ever_left_is_handed_back_no_worse() {
    let n = 400;
    let (q, leak) = random(n, 5, 1e-13);
    let sweep = Sweep::new(&q, &leak).unwrap().unwrap();
    let a = Rates(&q, &leak);
    let exec = Exec::serial();
    let b = block(n, 3);
    let mut x = vec![0.0; 3 * n];
    let (_, start) = block::residual(&exec, &a, &b, &x, 3).unwrap();
    let out = sweep.solve(&exec, &a, &b, &mut x, &[1e-10; 3]).unwrap();
    let (_, end) = block::residual(&exec, &a, &b, &x, 3).unwrap();
    assert_eq!(out.residuals, end);
    for (s, e) in start.iter().zip(&end) {
        assert!(*e > 1e-10 && e <= s, "{s} {e}");
    }
}

#[test]
fn columns_without_residual_and_cells_without_exit() {
    let (q, leak) = random(50, 4, 2.0);
    let exec = Exec::serial();
    let sweep = Sweep::new(&q, &leak).unwrap().unwrap();
    let mut b = block(50, 2);
    b.iter_mut().step_by(2).for_each(|v| *v = 0.0);
    let mut x = vec![0.0; 100];
    let out = sweep
        .solve(&exec, &Rates(&q, &leak), &b, &mut x, &[1e-9; 2])
        .unwrap();
    assert_eq!((out.iterations[0], out.residuals[0]), (0, 0.0));
    assert!(x.iter().step_by(2).all(|&v| v == 0.0) && out.residuals[1] <= 1e-9);
    let stuck = from_rows(2, vec![vec![(1, 1.0)], vec![]]).unwrap();
    assert!(Sweep::new(&stuck, &[0.0, 0.0]).unwrap().is_none());
}

#[test]
fn bits_depend_on_neither_threads_nor_instructions() {
    let n = 700;
    let (q, leak) = random(n, 7, 1.0);
    let b = block(n, 6);
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        let sweep = Sweep::new(&q, &leak).unwrap().unwrap();
        let mut x = vec![0.0; 6 * n];
        let out = sweep
            .solve(&exec, &Rates(&q, &leak), &b, &mut x, &[1e-10; 6])
            .unwrap();
        (x, out)
    });
}
