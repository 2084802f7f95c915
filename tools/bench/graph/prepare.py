"""Cells of the branching tree as raw arrays, for every program to read.

python prepare.py <make_tree.py> <folder> <cells> <neighbours>

Writes into <folder>, little endian, cells in rows:
  tree_N.x.f64            N x 50 coordinates
  tree_N.branch.i32       branch of each cell, from 0
  knn_N.idx.u32, .dist.f32   the exact neighbours, N x (k - 1), the cell not counted
  graph_N.indptr.u64, .indices.u32, .data.f64
                          the weighted graph of scanpy from them, compressed rows
  start_N.f64             two principal components, each from 0 to 10
Files that are there already are kept.
"""

import os
import subprocess
import sys

maker, folder, cells, neighbours = sys.argv[1:]

import numpy as np
import scipy.sparse as sp
from umap.umap_ import fuzzy_simplicial_set

n, k = int(cells), int(neighbours)
BLOCK = 500
SPARE = 8


def path(name):
    return os.path.join(folder, name)


def write(name, array, kind):
    np.ascontiguousarray(array).astype(kind).tofile(path(name))


def exact_neighbours(x):
    """Brute force: candidates in single precision, the order in double."""
    single = x.astype(np.float32)
    square = (single**2).sum(1)
    index = np.empty((n, k - 1), np.uint32)
    distance = np.empty((n, k - 1))
    for start in range(0, n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, n))
        near = square[None, :] - 2 * (single[rows] @ single.T)
        near[np.arange(len(rows)), rows] = np.inf
        found = np.argpartition(near, k + SPARE, axis=1)[:, : k + SPARE]
        far = ((x[rows, None, :] - x[found]) ** 2).sum(2)
        far[found == rows[:, None]] = np.inf
        order = np.lexsort((found, far), axis=1)[:, : k - 1]
        index[rows] = np.take_along_axis(found, order, 1)
        distance[rows] = np.sqrt(np.take_along_axis(far, order, 1))
    return index, distance.astype(np.float32)


def weighted_graph(index, distance):
    own = np.arange(n)[:, None]
    graph = fuzzy_simplicial_set(
        sp.coo_matrix((n, 1)),
        k,
        None,
        None,
        knn_indices=np.hstack([own, index.astype(np.int64)]),
        knn_dists=np.hstack([np.zeros((n, 1), np.float32), distance]),
        set_op_mix_ratio=1.0,
        local_connectivity=1.0,
    )[0].tocsr()
    graph.eliminate_zeros()
    graph.sort_indices()
    return graph


tree = path(f"tree_{n}.npz")
if not os.path.exists(tree):
    subprocess.run([sys.executable, maker, str(n), folder], check=True)
with np.load(tree) as loaded:
    x = loaded["X"].astype(np.float64)
    if not os.path.exists(path(f"tree_{n}.branch.i32")):
        write(f"tree_{n}.branch.i32", loaded["branch"], "<i4")
if not os.path.exists(path(f"tree_{n}.x.f64")):
    write(f"tree_{n}.x.f64", x, "<f8")
if not os.path.exists(path(f"knn_{n}.dist.f32")):
    index, distance = exact_neighbours(x)
    write(f"knn_{n}.idx.u32", index, "<u4")
    write(f"knn_{n}.dist.f32", distance, "<f4")
if not os.path.exists(path(f"graph_{n}.data.f64")):
    index = np.fromfile(path(f"knn_{n}.idx.u32"), "<u4").reshape(n, k - 1)
    distance = np.fromfile(path(f"knn_{n}.dist.f32"), "<f4").reshape(n, k - 1)
    graph = weighted_graph(index, distance)
    write(f"graph_{n}.indptr.u64", graph.indptr, "<u8")
    write(f"graph_{n}.indices.u32", graph.indices, "<u4")
    write(f"graph_{n}.data.f64", graph.data, "<f8")
if not os.path.exists(path(f"start_{n}.f64")):
    centred = x - x.mean(0)
    start = centred @ np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
    start -= start.min(0)
    write(f"start_{n}.f64", 10 * start / start.max(0), "<f8")
