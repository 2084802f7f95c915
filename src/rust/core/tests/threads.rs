//! The whole job gives the same bits on any number of threads.

mod common;

#[test]
fn every_intermediate_is_the_same_on_one_two_and_four_threads() {
    let one = common::job(1);
    for threads in [2, 4] {
        let other = common::job(threads);
        assert_eq!(one.graph, other.graph);
        assert_eq!(one.chain, other.chain);
        assert_eq!(one.schur.vectors, other.schur.vectors);
        assert_eq!(one.schur.eigenvalues, other.schur.eigenvalues);
        assert_eq!(one.states.memberships, other.states.memberships);
        assert_eq!(one.states.assignment, other.states.assignment);
        assert_eq!(one.fates.probabilities, other.fates.probabilities);
    }
}
