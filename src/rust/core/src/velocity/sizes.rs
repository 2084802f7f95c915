//! Sizes of cells: dividing each by its own, so that depth does not look like
//! expression. Spliced and unspliced counts have sizes and targets of their own.

use super::layer::Layer;
use super::quantile::quantile;
use crate::error::{try_filled, CoreError, Result, SHOWN};
use crate::exec::Exec;

/// What the values of each cell are divided by, and the size all cells then have.
#[derive(Debug, Clone, PartialEq)]
pub struct Divisors {
    pub values: Vec<f64>,
    pub target: f64,
}

/// `size / target`, 1 where that is 0. The target is `after`, else the median size
/// (1 if that is 0). O(n).
///
/// # Errors
/// `range` for sizes that are negative or not finite.
pub fn divisors(sizes: &[f64], after: Option<f64>) -> Result<Divisors> {
    let bad = |s: &f64| !s.is_finite() || *s < 0.0;
    let count = sizes.iter().filter(|s| bad(s)).count();
    if count > 0 {
        let at = sizes.iter().enumerate().filter(|(_, s)| bad(s));
        return Err(CoreError::NotFinite {
            what: "the sizes of the cells".into(),
            count,
            cells: at.map(|(i, _)| i).take(SHOWN).collect(),
        });
    }
    let median = quantile(sizes, 50.0, &mut Vec::new());
    let target = after.unwrap_or(if median > 0.0 { median } else { 1.0 });
    let divide = |&size: &f64| match size / target {
        0.0 => 1.0,
        divisor => divisor,
    };
    Ok(Divisors {
        values: sizes.iter().map(divide).collect(),
        target,
    })
}

/// Totals of the cells over the genes that in no cell exceed `fraction` of its size:
/// a few very abundant genes should not decide what counts as depth. O(values).
///
/// # Errors
/// `shape`, `interrupted`, `memory`.
pub fn light_totals(exec: &Exec, layer: &Layer, sizes: &[f64], fraction: f64) -> Result<Vec<f64>> {
    if sizes.len() != layer.cells() {
        return Err(CoreError::Shape {
            what: "the sizes of the cells".into(),
            expected: layer.cells(),
            found: sizes.len(),
        });
    }
    let mut heavy = try_filled(layer.genes(), false, "the genes of a layer")?;
    for (cell, &size) in sizes.iter().enumerate() {
        layer.each(cell, |gene, v| heavy[gene] |= v > fraction * size);
    }
    let heavy = &heavy;
    let parts = exec.map_chunks(layer.cells(), 1024, |cells| {
        let total = |cell| {
            let mut total = 0.0;
            layer.each(cell, |gene, v| total += if heavy[gene] { 0.0 } else { v });
            total
        };
        cells.map(total).collect::<Vec<f64>>()
    })?;
    Ok(parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn targets_are_medians_and_empty_cells_stay_empty() {
        let d = divisors(&[10.0, 12.0, 9.0, 15.0, 11.0, 14.0], None).unwrap();
        assert_eq!(d.target, 11.5);
        assert_eq!(d.values[0], 10.0 / 11.5);
        let d = divisors(&[0.0, 0.0, 3.0], None).unwrap();
        assert_eq!((d.target, d.values), (1.0, vec![1.0, 1.0, 3.0]));
        assert_eq!(divisors(&[2.0], Some(4.0)).unwrap().values, [0.5]);
        assert_eq!(divisors(&[1.0, -1.0], None).unwrap_err().kind(), "range");
    }

    #[test]
    fn heavy_genes_leave_the_size() {
        let x = array![[1.0, 9.0, 0.0], [2.0, 1.0, 2.0]];
        let layer = Layer::Dense(x.view());
        let light = light_totals(&Exec::serial(), &layer, &[10.0, 5.0], 0.5).unwrap();
        assert_eq!(light, [1.0, 4.0]);
        // The bound itself is allowed.
        let light = light_totals(&Exec::serial(), &layer, &[10.0, 5.0], 0.9).unwrap();
        assert_eq!(light, [10.0, 5.0]);
    }
}
