//! Final labels (sections 2.8 and 2.10 of the graph rules).

use super::leiden::LeidenOptions;
use super::quality::consecutive;
use crate::error::{try_filled, try_with_capacity, Result};
use std::collections::BTreeSet;

/// Labels 0.. by decreasing total node size, ties by smallest member; communities
/// with fixed cells keep the label of `initial` and the others take the smallest
/// labels left. How many clusters there are. O(n + clusters log clusters).
pub(super) fn by_size(labels: &[u32], options: &LeidenOptions) -> Result<(Vec<u32>, usize)> {
    // By first appearance, so by smallest member.
    let (mut labels, count) = consecutive(labels)?;
    let mut sizes = try_filled(count, 0u64, "the clusters")?;
    let mut kept: Vec<Option<u32>> = try_filled(count, None, "the clusters")?;
    for (v, &c) in labels.iter().enumerate() {
        let size = options.node_sizes.as_ref().map_or(1, |s| u64::from(s[v]));
        sizes[c as usize] += size;
        if options.fixed.as_ref().is_some_and(|fixed| fixed[v]) {
            // Without initial labels, cells start as communities of their own.
            let initial = options.initial.as_ref().map_or(v as u32, |l| l[v]);
            kept[c as usize] = Some(initial);
        }
    }
    let taken: BTreeSet<u32> = kept.iter().copied().flatten().collect();
    let mut order: Vec<u32> = try_with_capacity(count, "the clusters")?;
    order.extend(0..count as u32);
    order.sort_by_key(|&c| (std::cmp::Reverse(sizes[c as usize]), c));
    let mut left = (0u32..).filter(|label| !taken.contains(label));
    let mut new = try_filled(count, 0u32, "the clusters")?;
    for c in order {
        // There are more labels than clusters.
        new[c as usize] = match kept[c as usize] {
            Some(label) => label,
            None => left.next().unwrap_or(u32::MAX),
        };
    }
    for label in &mut labels {
        *label = new[*label as usize];
    }
    Ok((labels, count))
}
