//! Long work: off R's thread, stoppable, visible.
//!
//! The job runs on a thread of its own with its own pool. R's thread waits, and
//! every 100 ms asks R whether the user wants out and shows the progress; a "yes",
//! or an error in the progress function, sets the flag that the job reads between
//! chunks. No R object ever reaches the job, and every destructor runs.

use extendr_api::prelude::*;
use fatecast_core::exec::{Control, Exec};
use fatecast_core::{CoreError, Result};
use std::os::raw::c_int;
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks at R.
const POLL: Duration = Duration::from_millis(100);

extern "C" {
    fn fatecast_interrupt_pending() -> c_int;
}

/// Runs `work` on `threads` threads and waits for it; `progress` is NULL or an R
/// function of steps done and steps in all.
///
/// # Errors
/// Those of `work`, `interrupted`, `threads`. A panic in `work` goes on here.
pub fn run<T, F>(threads: i32, progress: &Robj, work: F) -> Result<T>
where
    T: Send,
    F: FnOnce(&Exec) -> Result<T> + Send,
{
    let threads = usize::try_from(threads).unwrap_or(1).max(1);
    let control = Arc::new(Control::default());
    let (sender, receiver) = channel::<()>();
    std::thread::scope(|scope| {
        let job_control = Arc::clone(&control);
        let handle = std::thread::Builder::new()
            .name("fatecast".into())
            .spawn_scoped(scope, move || {
                // Dropped when the job ends in any way, which wakes the receiver.
                let _sender = sender;
                work(&Exec::new(threads, job_control)?)
            })
            .map_err(|e| CoreError::Threads {
                threads,
                reason: e.to_string(),
            })?;
        while receiver.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
            if interrupted() || !show(progress, &control) {
                control.cancel();
            }
        }
        match handle.join() {
            // A job that finished although it was asked to stop is still stopped.
            Ok(done) => done.and_then(|v| {
                if control.is_cancelled() {
                    Err(CoreError::Interrupted)
                } else {
                    Ok(v)
                }
            }),
            Err(payload) => std::panic::resume_unwind(payload),
        }
    })
}

fn interrupted() -> bool {
    // SAFETY: called on R's thread only (`run` is entered from R and waits there),
    // with no lock of extendr held; the C function contains its own jump.
    unsafe { fatecast_interrupt_pending() != 0 }
}

/// Calls the progress function; false when it failed or was interrupted.
fn show(progress: &Robj, control: &Control) -> bool {
    let Some(function) = progress.as_function() else {
        return true;
    };
    let (done, total) = control.progress();
    total == 0 || function.call(pairlist!(done as f64, total as f64)).is_ok()
}
