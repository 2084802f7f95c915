//! Nodes grouped by a label: every group a contiguous run.

use super::level::NONE;
use crate::error::{try_filled, Result};
use std::sync::{Mutex, PoisonError};

/// The nodes of label c are `nodes[bounds[c]..bounds[c + 1]]`, ascending.
#[derive(Debug)]
pub(super) struct Grouping {
    pub nodes: Vec<u32>,
    pub bounds: Vec<usize>,
}

impl Grouping {
    /// Groups by labels 0..count. O(n).
    pub fn new(labels: &[u32], count: usize) -> Result<Grouping> {
        let mut bounds = try_filled(count + 1, 0usize, "the communities")?;
        for &c in labels {
            bounds[c as usize + 1] += 1;
        }
        for c in 0..count {
            bounds[c + 1] += bounds[c];
        }
        let mut next = bounds.clone();
        let mut nodes = try_filled(labels.len(), NONE, "the communities")?;
        for (v, &c) in labels.iter().enumerate() {
            let at = &mut next[c as usize];
            nodes[*at] = v as u32;
            *at += 1;
        }
        Ok(Grouping { nodes, bounds })
    }

    pub fn count(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Members of group `c`.
    pub fn members(&self, c: usize) -> &[u32] {
        &self.nodes[self.bounds[c]..self.bounds[c + 1]]
    }

    /// Bounds of runs of groups that hold `least` nodes or more each.
    pub fn runs(&self, least: usize) -> Vec<usize> {
        let mut runs = vec![0];
        let mut start = 0;
        for c in 0..self.count() {
            if self.bounds[c + 1] - start >= least || c + 1 == self.count() {
                runs.push(c + 1);
                start = self.bounds[c + 1];
            }
        }
        runs
    }
}

/// Working memory that tasks borrow and hand back, at most one per thread at work.
#[derive(Debug, Default)]
pub(super) struct Shelf<T>(Mutex<Vec<T>>);

impl<T> Shelf<T> {
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub fn give(&self, item: T) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(item);
    }
}
