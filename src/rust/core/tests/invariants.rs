//! What must hold whatever the data: symmetry, row sums, ranges, certificates.

mod common;

use fatecast_core::exec::Exec;
use fatecast_core::sparse::csr::transpose;
use fatecast_core::sparse::stochastic;

#[test]
fn graphs_chains_memberships_and_fates_are_what_they_claim() {
    let exec = Exec::serial();
    let job = common::job(2);
    assert_eq!(transpose(&exec, &job.graph).unwrap(), job.graph);
    stochastic::check(&exec, &job.chain).unwrap();
    assert!(job.schur.residuals.iter().all(|&r| r <= 1e-10));
    assert!((job.schur.eigenvalues[0].re - 1.0).abs() < 1e-9);
    for table in [
        &job.states.memberships.memberships,
        &job.fates.probabilities,
    ] {
        for row in table.rows() {
            assert!((row.sum() - 1.0).abs() < 1e-9);
            assert!(row.iter().all(|&p| (0.0..=1.0 + 1e-12).contains(&p)));
        }
    }
    assert!(job.fates.error_bound < 1e-8);
    assert!(job.states.memberships.crispness >= job.states.memberships.start_crispness - 1e-12);
    for row in job.states.coarse.transition.rows() {
        assert!((row.sum() - 1.0).abs() < 1e-8);
    }
    let pi = job.states.stationary.distribution.unwrap();
    assert!((pi.iter().sum::<f64>() - 1.0).abs() < 1e-9 && pi.iter().all(|&p| p >= 0.0));
}
