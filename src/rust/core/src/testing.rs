//! Helpers of the tests.

use crate::simd;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

/// One test at a time pins the instruction-set path, which is process-wide.
static PATH: Mutex<()> = Mutex::new(());

/// Runs `f` on the baseline path.
pub fn on_baseline<R>(f: impl FnOnce() -> R) -> R {
    let _alone = PATH.lock().unwrap_or_else(PoisonError::into_inner);
    simd::force(simd::Path::Baseline);
    let result = f();
    simd::force(simd::Path::Auto);
    result
}

/// `run` takes a number of threads; its result must be the same on 1, 2 and 4 of
/// them and without wide instructions.
pub fn same_bits<R: PartialEq + Debug>(run: impl Fn(usize) -> R) {
    let one = run(1);
    assert_eq!(one, run(2), "on two threads");
    assert_eq!(one, run(4), "on four threads");
    assert_eq!(one, on_baseline(|| run(2)), "on the baseline path");
}
