//! What the tests need to show that the boundary holds: a panic on any thread, a
//! size that cannot be reserved, a job that only waits.

use crate::{boundary::guard, job};
use extendr_api::prelude::*;
use fatecast_core::error::{try_filled, CoreError};
use std::time::{Duration, Instant};

/// Ends in the way `what` names; "wait" lasts `seconds` and can be interrupted.
#[extendr]
fn rs_selftest(what: &str, seconds: f64, n_threads: i32, progress: Robj) -> Robj {
    guard(|| {
        let what = what.to_string();
        let done = job::run(n_threads, &progress, move |exec| match what.as_str() {
            "panic" => panic!("50% of {{cells}} %s%n \0 lost"),
            "worker-panic" => exec
                .map_chunks(64, 1, |r| assert!(r.start < 7, "chunk {} of 100%", r.start))
                .map(|_| 0.0),
            "memory" => try_filled(usize::MAX / 64, 0f64, "a test")
                .map(|v| std::hint::black_box(v).len() as f64),
            "failure" => Err(CoreError::NoState {
                reason: "100% of {cells} %s%n \0 are \u{e4}hnlich".into(),
            }),
            _ => {
                let end = Instant::now() + Duration::from_secs_f64(seconds.max(0.0));
                let steps = 1_000_000;
                exec.control().begin(steps);
                while Instant::now() < end {
                    exec.map_chunks(8, 1, |_| std::thread::sleep(Duration::from_millis(2)))?;
                    exec.control().tick(1);
                }
                Ok(exec.control().progress().0 as f64)
            }
        })?;
        Ok(done.into())
    })
}

/// Pins ("baseline") or frees ("auto") the instruction-set path; returns its name.
#[extendr]
fn rs_simd_path(path: &str) -> Robj {
    guard(|| {
        fatecast_core::simd::force(match path {
            "baseline" => fatecast_core::simd::Path::Baseline,
            _ => fatecast_core::simd::Path::Auto,
        });
        Ok(fatecast_core::simd::active().into())
    })
}

extendr_module! {
    mod selftest;
    fn rs_selftest;
    fn rs_simd_path;
}
