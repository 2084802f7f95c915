//! Where the cells of one side lie in memory: panels of equal kind.
//!
//! Costs are made in square tiles, so the cells of a side stand in panels of
//! [`WIDTH`]. A panel holds cells of one group only, and either cells near the
//! centre or far ones, never both; what is left of it stays empty. A slot is a
//! place in a panel.

use crate::error::{try_filled, try_with_capacity, Result};

/// Cells per panel, and rows and columns of a tile.
pub const WIDTH: usize = 16;
/// The cell of an empty slot.
pub const EMPTY: u32 = u32::MAX;

/// What the cells of a panel have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel {
    /// Group of its cells.
    pub group: u32,
    /// Whether their distances need double precision.
    pub far: bool,
    /// How many of its slots, the first ones, hold a cell.
    pub filled: usize,
}

/// The order of the cells of one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Number of cells.
    pub n: usize,
    /// Number of groups.
    pub groups: usize,
    /// Panels by ascending group.
    pub panels: Vec<Panel>,
    /// Cell of each slot, or [`EMPTY`].
    pub cells: Vec<u32>,
}

impl Frame {
    /// Cells sorted by group, within a group near before far, within those by
    /// index. O(n log n).
    ///
    /// # Errors
    /// `memory`.
    pub fn new(groups: &[u32], far: &[bool]) -> Result<Frame> {
        let n = groups.len();
        let mut order = try_with_capacity(n, "the order of cells")?;
        order.extend(0..n as u32);
        let kind = |i: u32| (groups[i as usize], far[i as usize]);
        order.sort_by_key(|&i| kind(i));
        let mut panels = Vec::new();
        let mut cells = try_with_capacity(n + WIDTH, "the order of cells")?;
        for run in order.chunk_by(|&a, &b| kind(a) == kind(b)) {
            let (group, far) = kind(run[0]);
            for part in run.chunks(WIDTH) {
                panels.push(Panel {
                    group,
                    far,
                    filled: part.len(),
                });
                cells.extend_from_slice(part);
                cells.resize(panels.len() * WIDTH, EMPTY);
            }
        }
        Ok(Frame {
            n,
            groups: groups.iter().max().map_or(1, |&g| g as usize + 1),
            panels,
            cells,
        })
    }

    /// Number of slots.
    pub fn slots(&self) -> usize {
        self.cells.len()
    }

    /// The slots that hold a cell, with it.
    pub fn held(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let full = self.cells.iter().enumerate().filter(|c| *c.1 != EMPTY);
        full.map(|(slot, &cell)| (slot, cell as usize))
    }

    /// Group of a slot.
    pub fn group(&self, slot: usize) -> usize {
        self.panels[slot / WIDTH].group as usize
    }

    /// Values by cell brought to slots; empty slots get `empty`.
    ///
    /// # Errors
    /// `memory`.
    pub fn spread(&self, values: &[f64], empty: f64) -> Result<Vec<f64>> {
        let mut out = try_filled(self.slots(), empty, "values of cells")?;
        for (slot, cell) in self.held() {
            out[slot] = values[cell];
        }
        Ok(out)
    }

    /// Values by slot brought back to cells.
    ///
    /// # Errors
    /// `memory`.
    pub fn gather(&self, slots: &[f64]) -> Result<Vec<f64>> {
        let mut out = try_filled(self.n, 0.0, "values of cells")?;
        for (slot, cell) in self.held() {
            out[cell] = slots[slot];
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_hold_one_kind_and_every_cell_once() {
        let groups: Vec<u32> = (0..100).map(|i| (i * 7 % 10) / 4).collect();
        let far: Vec<bool> = (0..100).map(|i| i % 13 == 0).collect();
        let frame = Frame::new(&groups, &far).unwrap();
        assert_eq!(frame.groups, 3);
        assert_eq!(frame.slots(), frame.panels.len() * WIDTH);
        let mut seen = vec![0; 100];
        for (slot, cell) in frame.held() {
            let panel = &frame.panels[slot / WIDTH];
            assert!(slot % WIDTH < panel.filled);
            assert_eq!((panel.group, panel.far), (groups[cell], far[cell]));
            seen[cell] += 1;
        }
        assert!(seen.iter().all(|&c| c == 1));
        let filled: usize = frame.panels.iter().map(|p| p.filled).sum();
        assert_eq!(filled, 100);
        let x: Vec<f64> = (0..100).map(f64::from).collect();
        let slots = frame.spread(&x, -1.0).unwrap();
        assert_eq!(
            slots.iter().filter(|&&v| v < 0.0).count(),
            slots.len() - 100
        );
        assert_eq!(frame.gather(&slots).unwrap(), x);
    }
}
