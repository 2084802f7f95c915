"""What the kernel benchmarks read beside the files of ../graph/prepare.py.

python prepare.py <folder> <cells>

Run ../graph/prepare.py for the same folder and cells first. Writes, little
endian, cells in rows:
  velocity_N.f64            N x 50, the tangent of the branch with noise
  pseudotime_N.f64
  spliced_N.*, unspliced_N.*   N x 2,000 counts as compressed rows:
                            .indptr.i32, .indices.i32, .data.f32; about one
                            entry in ten is not zero, and unspliced counts run
                            ahead of spliced ones along the velocity
  early_M.f64, late_M.f64   M x 30, cells of two overlapping time points,
                            M = min(10,000, N / 4)
Files that are there already are kept.
"""

import os
import sys

folder, cells = sys.argv[1:]

import numpy as np
import scipy.sparse as sp

n = int(cells)
GENES, BLOCK = 2000, 5000
DIMENSIONS, MOST = 30, 10000


def path(name):
    return os.path.join(folder, name)


def missing(name):
    return not os.path.exists(path(name))


def write(name, array, kind):
    np.ascontiguousarray(array).astype(kind).tofile(path(name))


def write_rows(name, matrix):
    write(f"{name}_{n}.indptr.i32", matrix.indptr, "<i4")
    write(f"{name}_{n}.indices.i32", matrix.indices, "<i4")
    write(f"{name}_{n}.data.f32", matrix.data, "<f4")


def counts(x, v):
    """Each gene switches along a direction of the space of the tree."""
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(x.shape[1], GENES))
    weights *= np.exp(-np.arange(x.shape[1]) / 12.0)[:, None]
    centre, spread = (x @ weights).mean(0), (x @ weights).std(0)
    middle = rng.normal(size=GENES)
    level = 0.14 * np.exp(rng.normal(size=GENES))
    kept = np.exp(rng.normal(scale=0.3, size=GENES))
    depth = np.exp(rng.normal(scale=0.25, size=n))
    found = {"spliced": [], "unspliced": []}
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        at = 1.5 * ((x[rows] @ weights - centre) / spread - middle)
        ahead = at + 6.0 * (v[rows] @ weights) / spread
        for name, drive, factor in (
            ("spliced", at, level),
            ("unspliced", ahead, level * kept),
        ):
            mean = depth[rows, None] * factor / (1 + np.exp(-drive))
            found[name].append(sp.csr_matrix(rng.poisson(mean).astype(np.float32)))
    for name, blocks in found.items():
        matrix = sp.vstack(blocks, format="csr")
        print(f"{name}: {matrix.nnz / (n * GENES):.3f} of the entries are not zero")
        write_rows(name, matrix)


def time_points(x, time):
    rng = np.random.default_rng(2)
    m = min(MOST, n // 4)
    order = np.argsort(time + rng.normal(scale=0.25, size=n))
    for name, third in (("early", 0), ("late", 1)):
        of = order[third * n // 3 : (third + 1) * n // 3]
        write(f"{name}_{m}.f64", x[rng.choice(of, m, replace=False), :DIMENSIONS], "<f8")


with np.load(path(f"tree_{n}.npz")) as tree:
    x = tree["X"].astype(np.float64)
    v = tree["V"].astype(np.float64)
    time = tree["pseudotime"]
if missing(f"velocity_{n}.f64"):
    write(f"velocity_{n}.f64", v, "<f8")
if missing(f"pseudotime_{n}.f64"):
    write(f"pseudotime_{n}.f64", time, "<f8")
if missing(f"unspliced_{n}.data.f32"):
    counts(x, v)
if missing(f"late_{min(MOST, n // 4)}.f64"):
    time_points(x, time)
