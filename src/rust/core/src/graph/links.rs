//! What is two steps away from a single cell.

use super::block::{merge, Entry};
use super::rows::Rows;
use crate::error::{try_filled, try_with_capacity, Result};
use crate::exec::Exec;
use crate::simd;

/// Links of a cell that are followed at most.
const HOP: usize = 64;
/// Links towards a cell that are kept at most.
const BACK: usize = 8;

/// The candidates of all cells as they were before a round.
pub struct Links {
    keep: usize,
    hop: usize,
    cells: Vec<u32>,
    fresh: Vec<bool>,
    /// n x BACK cells that link to a cell which does not link to them, those that
    /// rank it highest first, and how many there are.
    back: Vec<u32>,
    backs: Vec<u8>,
}

impl Links {
    /// A copy of the `keep` candidates of each cell.
    ///
    /// # Errors
    /// `memory`.
    pub fn new(pools: &[Entry], fresh: &[bool], keep: usize) -> Result<Links> {
        let mut cells = try_with_capacity(pools.len(), "the neighbours")?;
        cells.extend(pools.iter().map(|e| e.1));
        let mut flags = try_with_capacity(fresh.len(), "the neighbours")?;
        flags.extend_from_slice(fresh);
        Ok(Links {
            keep,
            hop: keep.min(HOP),
            cells,
            fresh: flags,
            back: Vec::new(),
            backs: Vec::new(),
        })
    }

    /// Finds the links that lead back, which [`Links::back`] needs. O(n hop^2)
    /// comparisons at most.
    ///
    /// # Errors
    /// `memory`, `interrupted`.
    pub fn turn(&mut self, exec: &Exec) -> Result<()> {
        let n = self.cells.len() / self.keep;
        self.backs = try_filled(n, 0u8, "the neighbours")?;
        self.back = try_filled(n * BACK, 0u32, "the neighbours")?;
        for rank in 0..self.hop {
            exec.check()?;
            for i in 0..n {
                let l = self.cells[i * self.keep + rank] as usize;
                let count = usize::from(self.backs[l]);
                if count < BACK && !self.of(l).contains(&(i as u32)) {
                    self.back[l * BACK + count] = i as u32;
                    self.backs[l] += 1;
                }
            }
        }
        Ok(())
    }

    /// Where cell `i` links to, nearest first.
    #[inline(always)]
    pub fn of(&self, i: usize) -> &[u32] {
        &self.cells[i * self.keep..i * self.keep + self.hop]
    }

    /// Which of these links the last round brought.
    #[inline(always)]
    fn fresh(&self, i: usize) -> &[bool] {
        &self.fresh[i * self.keep..i * self.keep + self.hop]
    }

    /// Cells that link to `i` and not the reverse.
    #[inline(always)]
    pub fn back(&self, i: usize) -> &[u32] {
        &self.back[i * BACK..i * BACK + usize::from(self.backs[i])]
    }
}

/// The search of single cells; buffers of one task.
pub struct Single<'a> {
    rows: &'a Rows,
    kind: u8,
    links: &'a Links,
    /// Whether all links are followed in both directions, or the fresh ones forward.
    all: bool,
    todo: Vec<u32>,
    found: Vec<Entry>,
    before: Vec<u32>,
}

impl<'a> Single<'a> {
    pub fn new(rows: &'a Rows, kind: u8, links: &'a Links, all: bool) -> Single<'a> {
        Single {
            rows,
            kind,
            links,
            all,
            todo: Vec::new(),
            found: Vec::new(),
            before: Vec::new(),
        }
    }

    /// Compares cell `i` with the unmarked cells two steps away, updates its pool and
    /// which of it is fresh; `marks` is as it was afterwards. The number of distances
    /// computed and of candidates that are new.
    pub fn search(
        &mut self,
        i: usize,
        marks: &mut [bool],
        pool: &mut [Entry],
        fresh: &mut [bool],
    ) -> (u64, u64) {
        self.todo.clear();
        if self.all {
            self.see_all(i, marks);
        } else {
            self.see_fresh(i, marks);
        }
        let Single { todo, found, .. } = self;
        todo.iter().for_each(|&l| marks[l as usize] = false);
        let last = pool[pool.len() - 1].0;
        let (rows, kind) = (self.rows, self.kind);
        simd::wide(
            #[inline(always)]
            || {
                for &l in todo.iter() {
                    let v = rows.value(kind, i, l as usize);
                    if v <= last {
                        found.push((v, l));
                    }
                }
            },
        );
        found.retain(|f| f.1 as usize != i && pool.iter().all(|e| e.1 != f.1));
        self.before.clear();
        self.before.extend(pool.iter().map(|e| e.1));
        let mut changed = 0;
        if merge(found, pool) {
            for (e, new) in pool.iter().zip(fresh) {
                *new = !self.before.contains(&e.1);
                changed += u64::from(*new);
            }
        } else {
            fresh.fill(false);
        }
        (todo.len() as u64, changed)
    }

    fn see_all(&mut self, i: usize, marks: &mut [bool]) {
        let links = self.links;
        for &j in links.of(i).iter().chain(links.back(i)) {
            self.see(j, marks);
            let j = j as usize;
            for &l in links.of(j).iter().chain(links.back(j)) {
                self.see(l, marks);
            }
        }
    }

    fn see_fresh(&mut self, i: usize, marks: &mut [bool]) {
        let links = self.links;
        for (&j, &new) in links.of(i).iter().zip(links.fresh(i)) {
            let j = j as usize;
            for (&l, &newer) in links.of(j).iter().zip(links.fresh(j)) {
                if new || newer {
                    self.see(l, marks);
                }
            }
        }
    }

    #[inline(always)]
    fn see(&mut self, l: u32, marks: &mut [bool]) {
        let mark = &mut marks[l as usize];
        if !*mark {
            *mark = true;
            self.todo.push(l);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tile::PRODUCT;

    /// Twelve cells on a line, two candidates each, deliberately poor.
    fn setting() -> (Rows, Vec<Entry>) {
        let n = 12;
        let mut values = vec![0f32; n * 8];
        for i in 0..n {
            values[i * 8] = i as f32;
        }
        let rows = Rows {
            n,
            d: 1,
            width: 8,
            values,
            lift: vec![0.0; n],
        };
        let mut pools = Vec::new();
        for i in 0..n {
            let mut own: Vec<Entry> = [(i + 1) % n, (i + 5) % n]
                .iter()
                .map(|&j| (rows.value(PRODUCT, i, j), j as u32))
                .collect();
            own.sort_by(|a, b| a.0.total_cmp(&b.0));
            pools.extend(own);
        }
        (rows, pools)
    }

    #[test]
    fn links_turn_around_once() {
        let (_, pools) = setting();
        let fresh = vec![true; 24];
        let mut links = Links::new(&pools, &fresh, 2).unwrap();
        links.turn(&Exec::serial()).unwrap();
        for i in 0..12usize {
            let mut back = links.back(i).to_vec();
            back.sort_unstable();
            let mut want = vec![((i + 11) % 12) as u32, ((i + 7) % 12) as u32];
            want.sort_unstable();
            assert_eq!(back, want);
        }
    }

    #[test]
    fn two_steps_find_what_is_near() {
        let (rows, pools) = setting();
        let fresh = vec![true; 24];
        let mut links = Links::new(&pools, &fresh, 2).unwrap();
        links.turn(&Exec::serial()).unwrap();
        let mut marks = vec![false; 12];
        let mut pool = pools[8..10].to_vec();
        let mut own = vec![true; 2];
        assert_eq!((pool[0].1, pool[1].1), (5, 9));
        let mut single = Single::new(&rows, PRODUCT, &links, true);
        let (computed, changed) = single.search(4, &mut marks, &mut pool, &mut own);
        // 3 links to 4 and is not linked back: its way is the reverse one.
        assert_eq!((pool[0].1, pool[1].1), (3, 5));
        assert_eq!((own, changed), (vec![true, false], 1));
        assert!((1..12).contains(&computed));
        assert!(marks.iter().all(|&m| !m));
        let stale = Links::new(&pools, &[false; 24], 2).unwrap();
        let mut single = Single::new(&rows, PRODUCT, &stale, false);
        let mut own = vec![true; 2];
        assert_eq!(single.search(4, &mut marks, &mut pool, &mut own), (0, 0));
        assert_eq!(own, vec![false; 2]);
    }
}
