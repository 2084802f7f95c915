//! Which cells can reach which terminal states.
//!
//! A probability that is zero and one that is merely small are different findings: in
//! the first case no walk leads from the cell to the state at all. So reachability is
//! decided on the graph of positive steps, class by class, and not read off numbers.

use crate::error::{try_filled, Result};
use crate::sparse::csr::{row, Csr};

/// Bits of a word.
const WORD: usize = 64;

/// Whether each state can be reached from each cell (cells x states). `rates` are the
/// steps among the cells and `class` their classes, ascending, such that no step leads
/// to a class of a higher number; `into` holds the probability of stepping into each
/// state (cells x states). O(entries + cells * states).
///
/// # Errors
/// `memory`.
pub fn states_reached(
    rates: &Csr,
    class: &[u32],
    into: &[f64],
    n_states: usize,
) -> Result<Vec<bool>> {
    let what = "the states that cells can reach";
    let words = n_states.div_ceil(WORD);
    let n_classes = class.last().map_or(0, |&c| c as usize + 1);
    let mut known = try_filled(n_classes * words, 0u64, what)?;
    let mut own = vec![0u64; words];
    for (i, (&c, into)) in class.iter().zip(into.chunks_exact(n_states)).enumerate() {
        own.fill(0);
        for (s, _) in into.iter().enumerate().filter(|(_, &p)| p > 0.0) {
            own[s / WORD] |= 1 << (s % WORD);
        }
        // Classes of lower numbers are complete by now.
        for &j in row(rates, i).0.iter().filter(|&&j| class[j as usize] != c) {
            let from = class[j as usize] as usize * words;
            for (o, w) in own.iter_mut().zip(&known[from..from + words]) {
                *o |= w;
            }
        }
        let at = c as usize * words;
        for (w, o) in known[at..at + words].iter_mut().zip(&own) {
            *w |= o;
        }
    }
    let mut reached = try_filled(into.len(), false, what)?;
    for (&c, out) in class.iter().zip(reached.chunks_exact_mut(n_states)) {
        for (s, out) in out.iter_mut().enumerate() {
            *out = known[c as usize * words + s / WORD] >> (s % WORD) & 1 == 1;
        }
    }
    Ok(reached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::classes::reaching;
    use crate::chain::transient::Transient;
    use crate::exec::Exec;
    use crate::rng::Stream;
    use crate::sparse::csr::from_rows;

    #[test]
    fn states_are_those_that_a_search_from_each_finds() {
        for seed in 0..60 {
            let (n, k) = (10 + seed as usize, 1 + seed as usize % 70);
            let mut s = Stream::new(seed, 4, 0, 0);
            let rows = (0..n + k)
                .map(|i| {
                    let mut to: Vec<u32> = (0..2).map(|_| s.below(n + k) as u32).collect();
                    to.push(i as u32);
                    to.sort_unstable();
                    to.dedup();
                    let p = 1.0 / to.len() as f64;
                    to.into_iter().map(|j| (j, p)).collect()
                })
                .collect();
            let t = from_rows(n + k, rows).unwrap();
            let exec = Exec::serial();
            let (chain, class) = Transient::by_class(&exec, &t, (0..n).collect()).unwrap();
            assert!(class.windows(2).all(|w| w[0] <= w[1]));
            let mut into = vec![0.0; n * k];
            for (at, &cell) in chain.cells.iter().enumerate() {
                for (&j, &v) in row(&t, cell).0.iter().zip(row(&t, cell).1) {
                    if j as usize >= n {
                        into[at * k + j as usize - n] += v;
                    }
                }
            }
            let got = states_reached(&chain.rates, &class, &into, k).unwrap();
            for state in 0..k {
                // Walks end in the first state they meet.
                let open: Vec<_> = (0..n + k)
                    .map(|i| {
                        if i < n {
                            row(&t, i)
                        } else {
                            (&[][..], &[][..])
                        }
                    })
                    .map(|(c, v)| c.iter().copied().zip(v.iter().copied()).collect())
                    .collect();
                let want = reaching(&from_rows(n + k, open).unwrap(), &[n + state]).unwrap();
                for (at, &cell) in chain.cells.iter().enumerate() {
                    assert_eq!(got[at * k + state], want[cell]);
                }
            }
        }
    }
}
