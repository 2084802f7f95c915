//! Which places of a picture are taken by lines.

use crate::error::{try_with_capacity, Result};

/// A line may come back to a stretch of itself that lies further behind than this
/// many separations no nearer than to another line.
const OWN: f64 = 3.0;

struct Mark {
    place: [f64; 2],
    line: usize,
    arc: f64,
}

/// Points of lines in square buckets of one separation.
pub struct Occupancy {
    low: [f64; 2],
    side: f64,
    size: [usize; 2],
    buckets: Vec<Vec<Mark>>,
    /// The line last marked, and the buckets of its marks.
    newest: usize,
    last: Vec<usize>,
}

impl Occupancy {
    /// An empty picture from `low` on, of the given extent.
    ///
    /// # Errors
    /// `memory`.
    pub fn new(low: [f64; 2], extent: [f64; 2], separation: f64) -> Result<Occupancy> {
        let size = extent.map(|e| (e / separation) as usize + 1);
        let mut buckets = try_with_capacity(size[0] * size[1], "the stream lines")?;
        buckets.resize_with(size[0] * size[1], Vec::new);
        Ok(Occupancy {
            low,
            side: separation,
            size,
            buckets,
            newest: 0,
            last: Vec::new(),
        })
    }

    fn bucket(&self, place: [f64; 2]) -> [usize; 2] {
        let of = |c: usize| {
            let at = ((place[c] - self.low[c]) / self.side).max(0.0) as usize;
            at.min(self.size[c] - 1)
        };
        [of(0), of(1)]
    }

    /// Whether no mark lies within `reach` (at most one separation), but for the
    /// near past and future of `line` itself at `arc`.
    pub fn is_free(&self, place: [f64; 2], reach: f64, line: usize, arc: f64) -> bool {
        let [x, y] = self.bucket(place);
        let rows = y.saturating_sub(1)..=(y + 1).min(self.size[1] - 1);
        rows.into_iter().all(|y| {
            let columns = x.saturating_sub(1)..=(x + 1).min(self.size[0] - 1);
            columns
                .flat_map(|x| &self.buckets[y * self.size[0] + x])
                .all(|m| {
                    let (dx, dy) = (m.place[0] - place[0], m.place[1] - place[1]);
                    dx * dx + dy * dy >= reach * reach
                        || (m.line == line && (m.arc - arc).abs() <= OWN * self.side)
                })
        })
    }

    /// Marks a place of `line`; lines come one after the other.
    pub fn put(&mut self, place: [f64; 2], line: usize, arc: f64) {
        let [x, y] = self.bucket(place);
        let at = y * self.size[0] + x;
        if line != self.newest {
            self.newest = line;
            self.last.clear();
        }
        self.last.push(at);
        self.buckets[at].push(Mark { place, line, arc });
    }

    /// Takes the marks of `line` away, the last one put.
    pub fn take_back(&mut self, line: usize) {
        for at in self.last.drain(..) {
            self.buckets[at].retain(|m| m.line != line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_others_and_their_own_past_away() {
        let mut room = Occupancy::new([-1.0, 0.0], [4.0, 2.0], 0.5).unwrap();
        room.put([0.0, 1.0], 0, 0.0);
        room.put([0.4, 1.0], 0, 0.4);
        assert!(!room.is_free([0.0, 1.3], 0.4, 1, 0.0));
        assert!(room.is_free([0.0, 1.41], 0.4, 1, 0.0));
        // Itself a moment ago, and long ago.
        assert!(room.is_free([0.1, 1.0], 0.4, 0, 1.2));
        assert!(!room.is_free([0.1, 1.0], 0.4, 0, 2.0));
        // Beyond the picture.
        assert!(room.is_free([9.0, 9.0], 0.4, 1, 0.0));
    }

    #[test]
    fn a_line_can_be_taken_back() {
        let mut room = Occupancy::new([0.0, 0.0], [2.0, 2.0], 0.5).unwrap();
        room.put([1.0, 1.0], 0, 0.0);
        room.put([0.5, 0.5], 1, 0.0);
        room.put([1.5, 0.5], 1, 1.0);
        room.take_back(1);
        assert!(room.is_free([0.5, 0.5], 0.4, 2, 0.0));
        assert!(room.is_free([1.5, 0.5], 0.4, 2, 0.0));
        assert!(!room.is_free([1.0, 1.0], 0.4, 2, 0.0));
        room.put([0.5, 0.5], 1, 0.0);
        room.take_back(1);
        assert!(!room.is_free([1.0, 1.0], 0.4, 2, 0.0));
    }
}
