//! Which cells are seen most often: the choice of what a group is compared with.

use crate::error::{try_filled, Result};

/// Counts above it are alike.
const TOP: usize = 255;

/// How often each cell was seen, and the cells in the order in which they were.
pub struct Tally {
    count: Vec<u16>,
    seen: Vec<u32>,
    starts: Vec<u32>,
}

impl Tally {
    /// # Errors
    /// `memory`.
    pub fn new(n: usize) -> Result<Tally> {
        Ok(Tally {
            count: try_filled(n, 0, "the search")?,
            seen: Vec::new(),
            starts: Vec::new(),
        })
    }

    /// Sees cell `i` another `times` times (at least one).
    #[inline(always)]
    pub fn add(&mut self, i: u32, times: u16) {
        let c = &mut self.count[i as usize];
        if *c == 0 {
            self.seen.push(i);
        }
        *c = c.saturating_add(times);
    }

    /// The cells seen so far with their counts.
    pub fn copy_to(&self, out: &mut Vec<(u32, u16)>) {
        out.clear();
        out.extend(self.seen.iter().map(|&i| (i, self.count[i as usize])));
    }

    /// Writes to `out` the up to `room` cells seen most often that are not in
    /// `done`, those seen more often first, of equals those seen first; then
    /// forgets all. O(seen + done).
    pub fn take(&mut self, done: &[u32], room: usize, out: &mut Vec<u32>) {
        let Tally {
            count,
            seen,
            starts,
        } = self;
        for &i in done {
            count[i as usize] = 0;
        }
        seen.retain(|&i| count[i as usize] > 0);
        // A counting sort, most frequent first.
        let place = |i: u32| TOP - usize::from(count[i as usize]).min(TOP);
        starts.clear();
        starts.resize(TOP + 2, 0);
        for &i in seen.iter() {
            starts[place(i) + 1] += 1;
        }
        for c in 0..=TOP {
            starts[c + 1] += starts[c];
        }
        out.clear();
        out.resize(seen.len(), 0);
        for &i in seen.iter() {
            let at = &mut starts[place(i)];
            out[*at as usize] = i;
            *at += 1;
        }
        out.truncate(room);
        for i in seen.drain(..) {
            count[i as usize] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_come_first_and_nothing_stays() {
        let mut t = Tally::new(10).unwrap();
        let mut out = Vec::new();
        for _ in 0..2 {
            for i in [4, 2, 9, 2, 7, 7, 7, 1] {
                t.add(i, 1);
            }
            t.add(9, 300);
            t.take(&[7, 3], 4, &mut out);
            assert_eq!(out, [9, 2, 4, 1]);
            t.take(&[], 4, &mut out);
            assert!(out.is_empty());
        }
        t.add(5, 2);
        t.copy_to(&mut vec![]);
        t.add(5, u16::MAX);
        t.add(6, 1);
        t.take(&[], 1, &mut out);
        assert_eq!(out, [5]);
    }
}
