//! Why a denser neighbourhood is a smaller one, and what that does to a bootstrap.
//!
//! Every cell has the k nearest cells for neighbours. Were there more cells in some
//! place, its neighbourhoods would be narrower there, and cells outside would lose
//! edges that lead into it. A bootstrap that only weights cells leaves the edges where
//! they are and overstates what a chance crowd of cells attracts. How much is known: the
//! walk on a symmetric graph of nearest neighbours drifts along `(1 - 2/d) grad log p`,
//! p the density of cells and d the dimension of the data (Ting, Huang & Jordan 2010),
//! while weights `w` on fixed edges add a drift of `2 grad log w`. Divided by the local
//! mean weight `g = T w` to the power `a`, they add `2 (1 - a) grad log w`; the two agree
//! for `a = 1/2 + 1/d`. On the scale of single cells g is nearly constant and nothing
//! changes, as it should.
//!
//! The dimension is that of the graph: two steps reach `2^d` times as many cells as one
//! (expansion dimension, Karger & Ruhl 2002).

use crate::error::{try_filled, Result};
use crate::exec::Exec;
use crate::math;
use crate::sparse::csr::{row, Csr};

/// Cells whose surroundings are looked at, evenly spread over all.
const PROBES: usize = 1000;

/// The power of the local mean weight that makes weights on the edges of `t` act as a
/// change of density does: `1/2 + 1/d`, at most 1. O(probes * neighbours^2).
///
/// # Errors
/// `memory`, `interrupted`.
pub fn density_exponent(exec: &Exec, t: &Csr) -> Result<f64> {
    let d = expansion_dimension(exec, t)?;
    Ok(if d > 2.0 { 0.5 + 1.0 / d } else { 1.0 })
}

/// The median over cells of `log2(reached in two steps / reached in one)`, the cell
/// itself counted.
fn expansion_dimension(exec: &Exec, t: &Csr) -> Result<f64> {
    let n = t.rows();
    let probes = n.min(PROBES);
    let mut met = try_filled(n, usize::MAX, "the dimension of the graph")?;
    let mut growth = Vec::with_capacity(probes);
    for probe in 0..probes {
        exec.check()?;
        let i = probe * n / probes;
        let mut count = 0usize;
        let mut meet = |j: usize| {
            if met[j] != probe {
                met[j] = probe;
                count += 1;
            }
        };
        meet(i);
        row(t, i).0.iter().for_each(|&j| meet(j as usize));
        let near = row(t, i).0.iter().filter(|&&j| j as usize != i).count() + 1;
        for &j in row(t, i).0 {
            row(t, j as usize).0.iter().for_each(|&l| meet(l as usize));
        }
        growth.push(math::log2(count as f64 / near as f64));
    }
    growth.sort_unstable_by(f64::total_cmp);
    Ok(growth.get(probes / 2).copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse::csr::from_rows;

    /// A torus of `side^dim` cells; neighbours are the cells of a ball of radius `r` in
    /// the maximum norm.
    fn torus(side: usize, dim: u32, r: usize) -> Csr {
        let n = side.pow(dim);
        let digits = |i: usize| (0..dim).map(move |k| i / side.pow(k) % side);
        let rows = (0..n)
            .map(|i| {
                let near = (0..n).filter(|&j| {
                    digits(i).zip(digits(j)).all(|(a, b)| {
                        let gap = a.abs_diff(b);
                        gap.min(side - gap) <= r
                    })
                });
                near.map(|j| (j as u32, 1.0)).collect()
            })
            .collect();
        from_rows(n, rows).unwrap()
    }

    #[test]
    fn the_dimension_of_a_torus_is_found() {
        // Reached: (4 r + 1)^d in two steps, (2 r + 1)^d in one.
        let exec = Exec::serial();
        for (side, dim, r) in [(300, 1, 10), (40, 2, 4), (13, 3, 2)] {
            let d = expansion_dimension(&exec, &torus(side, dim, r)).unwrap();
            let step = (4 * r + 1) as f64 / (2 * r + 1) as f64;
            assert!((d - f64::from(dim) * math::log2(step)).abs() < 1e-12);
            let a = density_exponent(&exec, &torus(side, dim, r)).unwrap();
            assert_eq!(a, if d > 2.0 { 0.5 + 1.0 / d } else { 1.0 });
        }
    }

    #[test]
    fn a_graph_that_goes_nowhere_has_no_dimension() {
        let t = from_rows(2, vec![vec![(0, 1.0)], vec![(1, 1.0)]]).unwrap();
        assert_eq!(expansion_dimension(&Exec::serial(), &t), Ok(0.0));
    }
}
