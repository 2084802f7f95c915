//! Cells in an order in which neighbours stand near each other.
//!
//! Moments read, for every cell, the counts of all its neighbours. Numbered by a walk
//! over the graph, these lie near each other in memory and are still at hand when the
//! next cell asks for them.

use super::estimate::{Group, Input, Plan};
use super::weights::Weights;
use crate::error::{try_filled, CoreError, Result};

/// The order, and what is numbered by places in it.
pub(super) struct Cells {
    pub order: Vec<u32>,
    pub weights: Option<Weights>,
    pub second: Option<Weights>,
    pub groups: Option<Vec<Group>>,
    /// The group of the cell at each place.
    pub owner: Option<Vec<u32>>,
}

impl Cells {
    pub fn new(input: &Input, plan: &Plan) -> Result<Cells> {
        let n = input.spliced.cells();
        let owner = owners(n, plan.groups)?;
        let order = match input.weights.or(input.second) {
            Some(weights) => weights.walk()?,
            None => (0..n as u32).collect(),
        };
        let mut place = try_filled(n, 0u32, "the order of the cells")?;
        for (p, &cell) in order.iter().enumerate() {
            place[cell as usize] = p as u32;
        }
        let arranged = |w: Option<&Weights>| w.map(|w| w.arranged(&order, &place)).transpose();
        let places = |cells: &[u32]| {
            let mut places: Vec<u32> = cells.iter().map(|&c| place[c as usize]).collect();
            places.sort_unstable();
            places
        };
        let group = |g: &Group| Group {
            cells: places(&g.cells),
            fit: g.fit.as_deref().map(places),
        };
        Ok(Cells {
            weights: arranged(input.weights)?,
            second: arranged(input.second)?,
            groups: plan.groups.map(|all| all.iter().map(group).collect()),
            owner: owner.map(|owner| order.iter().map(|&c| owner[c as usize]).collect()),
            order,
        })
    }
}

/// The group of each cell, `u32::MAX` for none; None if all cells are one group.
fn owners(n: usize, groups: Option<&[Group]>) -> Result<Option<Vec<u32>>> {
    let Some(groups) = groups else {
        return Ok(None);
    };
    let mut owner = try_filled(n, u32::MAX, "the groups of the cells")?;
    for (g, group) in groups.iter().enumerate() {
        for &cell in group.cells.iter().chain(group.fit.iter().flatten()) {
            if cell as usize >= n {
                return Err(CoreError::Shape {
                    what: "the groups of the cells".into(),
                    expected: n,
                    found: cell as usize,
                });
            }
        }
        for &cell in &group.cells {
            owner[cell as usize] = g as u32;
        }
    }
    Ok(Some(owner))
}
