//! The one way to run in parallel: a local pool, fixed chunks, cancel and progress.
//!
//! Work is cut into chunks whose size never depends on the number of threads, and
//! results are combined in chunk order, so every number is the same on any number
//! of threads. Each chunk first looks at the cancel flag, so a job stops within
//! the time of one chunk. A pool belongs to one job (a global pool would hang after
//! a fork), and one thread means no pool at all.

use crate::error::{CoreError, Result};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

/// Items per chunk for cheap work; part of the meaning of every parallel sum.
pub const CHUNK: usize = 4096;

/// What a running job shares with whoever waits for it.
#[derive(Debug, Default)]
pub struct Control {
    cancel: Arc<AtomicBool>,
    done: AtomicU64,
    total: AtomicU64,
}

impl Control {
    /// Asks the job to stop; it does so at the next chunk.
    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }

    /// Whether the job was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// Starts a phase of `total` steps.
    pub fn begin(&self, total: usize) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total as u64, Ordering::Relaxed);
    }

    /// Reports `steps` more steps of the phase as done.
    pub fn tick(&self, steps: usize) {
        self.done.fetch_add(steps as u64, Ordering::Relaxed);
    }

    /// Steps done and in all, of the current phase.
    pub fn progress(&self) -> (u64, u64) {
        (
            self.done.load(Ordering::Relaxed),
            self.total.load(Ordering::Relaxed),
        )
    }
}

/// Where a job runs: its pool and its control.
#[derive(Debug)]
pub struct Exec {
    pool: Option<rayon::ThreadPool>,
    threads: usize,
    control: Arc<Control>,
}

impl Exec {
    /// A pool of `threads` threads that obeys `control`.
    ///
    /// # Errors
    /// `threads` when the system refuses to start them.
    pub fn new(threads: usize, control: Arc<Control>) -> Result<Exec> {
        let threads = threads.max(1);
        let pool = if threads == 1 {
            None
        } else {
            Some(
                rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .map_err(|e| CoreError::Threads {
                        threads,
                        reason: e.to_string(),
                    })?,
            )
        };
        Ok(Exec {
            pool,
            threads,
            control,
        })
    }

    /// A pool nobody watches: for tests, benchmarks and callers without R.
    ///
    /// # Errors
    /// As [`Exec::new`].
    pub fn with_threads(threads: usize) -> Result<Exec> {
        Exec::new(threads, Arc::new(Control::default()))
    }

    /// One thread, nobody watching; cannot fail.
    pub fn serial() -> Exec {
        Exec {
            pool: None,
            threads: 1,
            control: Arc::new(Control::default()),
        }
    }

    /// One thread within a task of this job: stops with it, and its own phases do not
    /// show.
    pub fn inner(&self) -> Exec {
        let control = Control {
            cancel: Arc::clone(&self.control.cancel),
            ..Control::default()
        };
        Exec {
            pool: None,
            threads: 1,
            control: Arc::new(control),
        }
    }

    /// Number of threads. Only scheduling may depend on it, never a result.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Cancel flag and progress of this job.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// An error once the user asked to stop; long serial loops call it.
    ///
    /// # Errors
    /// `interrupted`.
    pub fn check(&self) -> Result<()> {
        if self.control.is_cancelled() {
            Err(CoreError::Interrupted)
        } else {
            Ok(())
        }
    }

    /// `f` of every chunk of `0..n`, results in chunk order. O(n / chunk) tasks.
    ///
    /// # Errors
    /// `interrupted`, or the error of the first chunk that failed.
    pub fn try_map_chunks<R, F>(&self, n: usize, chunk: usize, f: F) -> Result<Vec<R>>
    where
        R: Send,
        F: Fn(Range<usize>) -> Result<R> + Sync,
    {
        let chunk = chunk.max(1);
        let run = |c: usize| {
            self.check()?;
            f(c * chunk..((c + 1) * chunk).min(n))
        };
        let chunks = n.div_ceil(chunk);
        let parts: Vec<Result<R>> = match &self.pool {
            Some(pool) if chunks > 1 => {
                pool.install(|| (0..chunks).into_par_iter().map(run).collect())
            }
            _ => (0..chunks).map(run).collect(),
        };
        parts.into_iter().collect()
    }

    /// As [`Exec::try_map_chunks`], for chunks that cannot fail.
    ///
    /// # Errors
    /// `interrupted`.
    pub fn map_chunks<R, F>(&self, n: usize, chunk: usize, f: F) -> Result<Vec<R>>
    where
        R: Send,
        F: Fn(Range<usize>) -> R + Sync,
    {
        self.try_map_chunks(n, chunk, |r| Ok(f(r)))
    }

    /// The sum of `f` over chunks of [`CHUNK`] items, added in chunk order.
    ///
    /// # Errors
    /// `interrupted`.
    pub fn sum<F>(&self, n: usize, f: F) -> Result<f64>
    where
        F: Fn(Range<usize>) -> f64 + Sync,
    {
        Ok(self.map_chunks(n, CHUNK, f)?.into_iter().sum())
    }

    /// `f(start, piece)` on disjoint pieces of `data` of `chunk` items each.
    ///
    /// # Errors
    /// `interrupted`; `data` is then partly written and must be thrown away.
    pub fn chunks_mut<T, F>(&self, data: &mut [T], chunk: usize, f: F) -> Result<()>
    where
        T: Send,
        F: Fn(usize, &mut [T]) + Sync,
    {
        let chunk = chunk.max(1);
        let tasks: Vec<(usize, &mut [T])> = data
            .chunks_mut(chunk)
            .enumerate()
            .map(|(c, piece)| (c * chunk, piece))
            .collect();
        self.for_each(tasks, |(start, piece)| {
            f(start, piece);
            Ok(())
        })
    }

    /// Runs `f` on every task; tasks own what they write (disjoint slices, say).
    ///
    /// # Errors
    /// `interrupted`, or the error of the first task in order that failed.
    pub fn for_each<T, F>(&self, tasks: Vec<T>, f: F) -> Result<()>
    where
        T: Send,
        F: Fn(T) -> Result<()> + Sync,
    {
        let run = |task: T| {
            self.check()?;
            f(task)
        };
        let done: Vec<Result<()>> = match &self.pool {
            Some(pool) if tasks.len() > 1 => {
                pool.install(|| tasks.into_par_iter().map(run).collect())
            }
            _ => tasks.into_iter().map(run).collect(),
        };
        done.into_iter().collect()
    }
}

/// Cuts `data` at `bounds` (ascending offsets, the first 0 and the last its
/// length) into disjoint mutable slices, to be handed to [`Exec::for_each`].
pub fn split_at_bounds<'a, T>(data: &'a mut [T], bounds: &[usize]) -> Vec<&'a mut [T]> {
    let mut rest = data;
    let mut parts = Vec::with_capacity(bounds.len().saturating_sub(1));
    for w in bounds.windows(2) {
        let (head, tail) = rest.split_at_mut(w[1] - w[0]);
        parts.push(head);
        rest = tail;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_the_same_bits_on_any_number_of_threads() {
        let x: Vec<f64> = (0..100_003).map(|i| 1.0 / (i as f64 + 0.3)).collect();
        let sum = |threads| {
            let exec = Exec::with_threads(threads).unwrap();
            exec.sum(x.len(), |r| x[r].iter().sum()).unwrap().to_bits()
        };
        assert_eq!(sum(1), sum(2));
        assert_eq!(sum(1), sum(4));
    }

    #[test]
    fn a_cancelled_job_says_so() {
        let exec = Exec::with_threads(2).unwrap();
        exec.control().cancel();
        assert_eq!(exec.sum(10, |_| 0.0), Err(CoreError::Interrupted));
    }

    #[test]
    fn what_runs_within_a_task_stops_with_the_job_and_reports_nothing() {
        let exec = Exec::with_threads(2).unwrap();
        exec.control().begin(10);
        let inner = exec.inner();
        inner.control().begin(1000);
        inner.control().tick(1);
        assert_eq!(exec.control().progress(), (0, 10));
        assert_eq!(inner.check(), Ok(()));
        exec.control().cancel();
        assert_eq!(inner.check(), Err(CoreError::Interrupted));
    }

    #[test]
    fn the_first_error_in_order_wins() {
        let exec = Exec::with_threads(4).unwrap();
        let e = exec
            .try_map_chunks(100, 1, |r| {
                if r.start >= 17 {
                    Err(CoreError::NoState {
                        reason: r.start.to_string(),
                    })
                } else {
                    Ok(())
                }
            })
            .unwrap_err();
        assert_eq!(e.to_string(), "17");
    }
}
