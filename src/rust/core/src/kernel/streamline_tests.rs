use super::*;
use crate::kernel::grid::{smooth_grid, GridOptions};
use crate::testing::same_bits;
use ndarray::Array2;

/// A grid of `p` points a side on [-1, 1]^2 with arrows `f`.
fn made(p: usize, f: impl Fn(f64, f64) -> [f64; 2]) -> Grid {
    let axis: Vec<f64> = (0..p)
        .map(|i| 2.0 * i as f64 / (p - 1) as f64 - 1.0)
        .collect();
    let places = (0..p * p).map(|at| (axis[at % p], axis[at / p]));
    let vectors: Vec<[f64; 2]> = places.map(|(x, y)| f(x, y)).collect();
    Grid {
        mass: vec![1.0; p * p],
        length: vectors.iter().map(|v| v[0].abs() + v[1].abs()).collect(),
        vectors,
        axes: [axis.clone(), axis],
        n_neighbors: 1,
        least_mass: 0.0,
    }
}

fn options() -> StreamOptions {
    StreamOptions {
        density: 1.0,
        max_length: 4.0,
        min_mass: 1.0,
        cutoff_perc: 0.0,
    }
}

fn lines(out: &StreamLines) -> Vec<&[[f64; 2]]> {
    let mut rest = &out.points[..];
    let cut = |&l: &usize| {
        let (head, tail) = rest.split_at(l);
        rest = tail;
        head
    };
    out.lengths.iter().map(cut).collect()
}

fn length(line: &[[f64; 2]]) -> f64 {
    line.windows(2)
        .map(|w| norm([w[1][0] - w[0][0], w[1][1] - w[0][1]]))
        .sum()
}

#[test]
fn an_even_flow_gives_parallel_lines_across_the_picture() {
    let grid = made(20, |_, _| [2.0, 0.0]);
    let out = stream_lines(&Exec::serial(), &grid, &options()).unwrap();
    let lines = lines(&out);
    // Separation 2 / 30; every line runs from one side to the other.
    assert!((27..=30).contains(&lines.len()), "{}", lines.len());
    let mut heights: Vec<f64> = lines.iter().map(|l| l[0][1]).collect();
    heights.sort_by(f64::total_cmp);
    for w in heights.windows(2) {
        assert!((w[1] - w[0] - 2.0 / 30.0).abs() < 1e-3);
    }
    for (line, &middle) in lines.iter().zip(&out.middles) {
        assert!((length(line) - 2.0).abs() < 0.01);
        assert!(line.windows(2).all(|w| w[1][0] > w[0][0]));
        assert!(line.iter().all(|p| (p[1] - line[0][1]).abs() < 1e-12));
        assert!(line[middle][0].abs() < 0.05);
    }
    assert!(out.speed.iter().all(|s| (s - 2.0).abs() < 1e-12));
    assert_eq!(out.max_speed, 2.0);
}

#[test]
fn a_rotation_gives_circles_once_round() {
    let grid = made(60, |x, y| [-y, x]);
    let out = stream_lines(&Exec::serial(), &grid, &options()).unwrap();
    let mut closed = 0;
    for line in lines(&out) {
        let r = norm(line[0]);
        for p in line {
            assert!((norm(*p) / r - 1.0).abs() < 0.02);
        }
        // With the flow: anticlockwise.
        let (a, b) = (line[0], line[1]);
        assert!(a[0] * b[1] - a[1] * b[0] > 0.0);
        let turns = length(line) / (2.0 * std::f64::consts::PI * r);
        assert!(turns < 1.01, "{turns} turns at {r}");
        closed += usize::from(turns > 0.8);
    }
    assert!(closed > 5);
}

#[test]
fn lines_keep_their_distance() {
    let grid = made(40, |x, y| [1.0 + x * y, math::sin(3.0 * x) - 0.3 * y]);
    let out = stream_lines(&Exec::serial(), &grid, &options()).unwrap();
    let lines = lines(&out);
    let separation = 2.0 / 30.0;
    for (a, line) in lines.iter().enumerate() {
        assert!(length(line) > (SHORTEST - 0.1) * separation);
        for other in &lines[a + 1..] {
            for p in *line {
                let near = other
                    .iter()
                    .map(|q| norm([p[0] - q[0], p[1] - q[1]]))
                    .fold(f64::INFINITY, f64::min);
                assert!(near >= NEAREST * separation);
            }
        }
    }
    // No large hole: every place has a line within two separations.
    for ix in 0..20 {
        for iy in 0..20 {
            let q = [f64::from(ix) / 10.0 - 0.95, f64::from(iy) / 10.0 - 0.95];
            let near = out
                .points
                .iter()
                .map(|p| norm([p[0] - q[0], p[1] - q[1]]))
                .fold(f64::INFINITY, f64::min);
            assert!(near < 2.0 * separation, "{near} at {q:?}");
        }
    }
}

#[test]
fn lines_run_into_a_sink_and_stop() {
    let grid = made(41, |x, y| [-x, -y]);
    let o = StreamOptions {
        max_length: 40.0,
        ..options()
    };
    let out = stream_lines(&Exec::serial(), &grid, &o).unwrap();
    for line in lines(&out) {
        let radii: Vec<f64> = line.iter().map(|p| norm(*p)).collect();
        assert!(radii.windows(2).all(|w| w[1] < w[0]));
        assert!(length(line) < 1.5);
    }
}

#[test]
fn lines_are_no_longer_than_allowed() {
    let grid = made(20, |_, _| [1.0, 0.0]);
    let o = StreamOptions {
        max_length: 0.3,
        ..options()
    };
    let out = stream_lines(&Exec::serial(), &grid, &o).unwrap();
    let lines = lines(&out);
    let step = STEP[0] * 2.0 / 30.0;
    assert!(lines.iter().all(|l| length(l) <= 0.6 + 2.0 * step));
    assert!(lines.len() > 60);
}

#[test]
fn slow_and_short_points_are_left_out() {
    // Nothing moves on the left.
    let half = |x: f64, _: f64| if x < 0.0 { [1e-6, 0.0] } else { [0.3, 0.1] };
    let out = stream_lines(&Exec::serial(), &made(41, half), &options()).unwrap();
    assert!(!out.points.is_empty());
    assert!(out.points.iter().all(|p| p[0] >= -1e-9));
    let cut = StreamOptions {
        cutoff_perc: 60.0,
        min_mass: -20.0,
        ..options()
    };
    let out = stream_lines(&Exec::serial(), &made(41, half), &cut).unwrap();
    assert!(out.points.iter().all(|p| p[0] >= -1e-9));
    let still = made(10, |_, _| [0.0, 0.0]);
    let out = stream_lines(&Exec::serial(), &still, &options()).unwrap();
    assert_eq!(out, StreamLines::default());
}

#[test]
fn lines_stay_where_cells_are() {
    let mut grid = made(41, |_, _| [1.0, 0.2]);
    grid.least_mass = 0.5;
    for at in 0..41 * 41 {
        let [x, y] = grid.place(at);
        grid.mass[at] = if x.abs() < 0.5 && y.abs() < 0.5 {
            1.0
        } else {
            0.4
        };
    }
    let out = stream_lines(&Exec::serial(), &grid, &options()).unwrap();
    assert!(out.lengths.len() > 5);
    let inside = |v: f64| v.abs() < 0.5;
    assert!(out.points.iter().all(|p| inside(p[0]) && inside(p[1])));
}

#[test]
fn density_sets_the_number_of_lines() {
    let grid = made(20, |_, _| [0.0, 1.0]);
    let count = |density: f64| {
        let o = StreamOptions {
            density,
            ..options()
        };
        let out = stream_lines(&Exec::serial(), &grid, &o).unwrap();
        out.lengths.len() as f64
    };
    let (one, two) = (count(1.0), count(2.0));
    assert!((two / one - 2.0).abs() < 0.15, "{one} {two}");
}

#[test]
fn options_are_checked() {
    let grid = made(5, |_, _| [1.0, 0.0]);
    let good = options();
    for o in [
        StreamOptions {
            density: 0.0,
            ..good
        },
        StreamOptions {
            max_length: -1.0,
            ..good
        },
        StreamOptions {
            cutoff_perc: 101.0,
            ..good
        },
        StreamOptions {
            min_mass: f64::NAN,
            ..good
        },
    ] {
        let e = stream_lines(&Exec::serial(), &grid, &o).unwrap_err();
        assert_eq!(e.kind(), "range");
    }
}

#[test]
fn cells_to_lines_is_the_same_on_any_number_of_threads() {
    let mut s = crate::rng::Stream::new(8, 0, 0, 0);
    let z = Array2::from_shape_fn((2000, 2), |_| s.normal());
    let u = Array2::from_shape_fn(
        (2000, 2),
        |(i, c)| {
            if c == 0 {
                -z[(i, 1)]
            } else {
                z[(i, 0)]
            }
        },
    );
    let smooth = GridOptions {
        points: 30,
        smooth: 0.5,
        n_neighbors: None,
    };
    same_bits(|threads| {
        let exec = Exec::with_threads(threads).unwrap();
        let grid = smooth_grid(&exec, z.view(), u.view(), &smooth).unwrap();
        let out = stream_lines(&exec, &grid, &options()).unwrap();
        assert!(out.lengths.len() > 3);
        out.points
    });
}
