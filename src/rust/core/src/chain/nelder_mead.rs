//! The downhill simplex method of Nelder & Mead (1965) with the settings of section
//! 2.6.3 of the fate-mapping rules, which reproduce published GPCCA results.

use crate::error::Result;

/// Stop when the simplex is this small in position and in value.
const TOLERANCE: f64 = 1e-4;

/// Iterations and evaluations that published results allow for N coordinates.
pub(crate) fn published_limit(n: usize) -> usize {
    200 * n
}

/// Best point and its value from a start, within `limit` iterations and evaluations
/// (the last iteration is finished). O(N^2) beside each evaluation for N coordinates.
///
/// # Errors
/// Those of `f`.
pub(crate) fn minimise<F>(start: &[f64], limit: usize, mut f: F) -> Result<(Vec<f64>, f64)>
where
    F: FnMut(&[f64]) -> Result<f64>,
{
    let n = start.len();
    let mut used = 0;
    let mut eval = |x: &[f64]| {
        used += 1;
        f(x).map(|v| (v, used))
    };
    let mut simplex: Vec<(f64, Vec<f64>)> = Vec::with_capacity(n + 1);
    simplex.push((eval(start)?.0, start.to_vec()));
    for j in 0..n {
        let mut x = start.to_vec();
        x[j] = if x[j] == 0.0 { 0.00025 } else { 1.05 * x[j] };
        simplex.push((eval(&x)?.0, x));
    }
    simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut spent, mut iterations) = (n + 1, 0);
    while spent < limit && iterations < limit && !small(&simplex) {
        iterations += 1;
        let worst = simplex[n].clone();
        let mut centre = vec![0.0; n];
        for (_, x) in &simplex[..n] {
            for (c, v) in centre.iter_mut().zip(x) {
                *c += v;
            }
        }
        centre.iter_mut().for_each(|c| *c /= n as f64);
        let along = |s: f64| -> Vec<f64> {
            let pairs = centre.iter().zip(&worst.1);
            pairs.map(|(c, w)| (1.0 + s) * c - s * w).collect()
        };
        let mut attempt = |s: f64| -> Result<(f64, Vec<f64>)> {
            let x = along(s);
            let (v, total) = eval(&x)?;
            spent = total;
            Ok((v, x))
        };
        let reflected = attempt(1.0)?;
        let kept = if reflected.0 < simplex[0].0 {
            let far = attempt(2.0)?;
            Some(if far.0 < reflected.0 { far } else { reflected })
        } else if reflected.0 < simplex[n - 1].0 {
            Some(reflected)
        } else if reflected.0 < worst.0 {
            let outside = attempt(0.5)?;
            (outside.0 <= reflected.0).then_some(outside)
        } else {
            let inside = attempt(-0.5)?;
            (inside.0 < worst.0).then_some(inside)
        };
        if let Some(vertex) = kept {
            simplex[n] = vertex;
        } else {
            let best = simplex[0].1.clone();
            for vertex in &mut simplex[1..] {
                for (v, b) in vertex.1.iter_mut().zip(&best) {
                    *v = b + 0.5 * (*v - b);
                }
                (vertex.0, spent) = eval(&vertex.1)?;
            }
        }
        simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let (value, x) = simplex.swap_remove(0);
    Ok((x, value))
}

fn small(simplex: &[(f64, Vec<f64>)]) -> bool {
    let (value, best) = &simplex[0];
    simplex[1..].iter().all(|(v, x)| {
        (v - value).abs() <= TOLERANCE
            && x.iter().zip(best).all(|(a, b)| (a - b).abs() <= TOLERANCE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        let mut calls = 0;
        let (x, value) = minimise(&[-1.2, 1.0], published_limit(2), |x| {
            calls += 1;
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            Ok(a * a + 100.0 * b * b)
        })
        .unwrap();
        assert!(value < 1e-7 && (x[0] - 1.0).abs() < 1e-3);
        // The classic count for these settings from this start.
        assert!((140..=170).contains(&calls), "{calls}");
    }

    #[test]
    fn the_budget_is_kept() {
        let mut calls = 0;
        let start = vec![1.0; 6];
        minimise(&start, published_limit(6), |x| {
            calls += 1;
            Ok(x.iter().enumerate().map(|(i, v)| v * (i + 1) as f64).sum())
        })
        .unwrap();
        assert!((1200..1210).contains(&calls));
    }
}
