"""What every program's results are worth, measured by one independent code.

python quality.py <folder> <cells> <threads> <output.tsv>

Reads the files <task>_<cells>.<program>.<seed>.bin of the folder and appends
rows: program, task, cells, seed, measure, value.
  neighbours  fraction of the true neighbours found (ties by distance)
  leiden      modularity; communities that are not connected
  umap, layout  on 2,000 sampled cells against all: trustworthiness and continuity
              (Venna & Kaski 2001), neighbour recall, all at k = 15; the same
              order of two distances in random triplets
  diffmap     largest 2-norm of the residuals T v - lambda v; eigenvalues
  paga        largest difference from the first program's matrix
"""

import glob
import os
import re
import sys

folder, cells, threads, output = sys.argv[1:]
for name in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{name}_NUM_THREADS"] = threads

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

n = int(cells)
K, KNN = 15, 29
SAMPLE, TRIPLETS = 2000, 200_000


def path(name):
    return os.path.join(folder, name)


def results(task):
    for file in sorted(glob.glob(path(f"{task}_{n}.*.bin"))):
        program, seed = re.fullmatch(
            rf"{task}_{n}\.(.+)\.(\d+)\.bin", os.path.basename(file)
        ).groups()
        yield file, program, int(seed)


def report(program, task, seed, measure, value):
    with open(output, "a") as handle:
        handle.write(f"{program}\t{task}\t{n}\t{seed}\t{measure}\t{value:.9g}\n")


def read_graph():
    return sp.csr_matrix(
        (
            np.fromfile(path(f"graph_{n}.data.f64")),
            np.fromfile(path(f"graph_{n}.indices.u32"), "<u4").astype(np.int32),
            np.fromfile(path(f"graph_{n}.indptr.u64"), "<u8").astype(np.int64),
        ),
        shape=(n, n),
    )


def neighbours(x):
    limit = np.fromfile(path(f"knn_{n}.dist.f32"), "<f4").reshape(n, KNN)[:, -1]
    for file, program, seed in results("knn"):
        index = np.fromfile(file, "<u4").reshape(n, KNN).astype(np.int64)
        found = 0
        for start in range(0, n, 2000):
            rows = slice(start, min(start + 2000, n))
            far = np.sqrt(((x[rows, None, :] - x[index[rows]]) ** 2).sum(2))
            true = far <= limit[rows, None] * (1 + 1e-6)
            # An index that stands twice counts once; the cell itself never.
            order = np.sort(index[rows], axis=1)
            twice = (order[:, 1:] == order[:, :-1]).sum()
            own = (index[rows] == np.arange(n)[rows][:, None]).sum()
            found += true.sum() - twice - own
        report(program, "neighbours", seed, "recall", found / (n * KNN))


def leiden(graph):
    coo = graph.tocoo()
    strength = np.asarray(graph.sum(1)).ravel()
    total = strength.sum()
    for file, program, seed in results("leiden"):
        label = np.fromfile(file, "<i4")
        inside = label[coo.row] == label[coo.col]
        share = np.bincount(label, strength) / total
        value = coo.data[inside].sum() / total - (share**2).sum()
        report(program, "leiden", seed, "modularity", value)
        clusters = len(np.unique(label))
        report(program, "leiden", seed, "clusters", clusters)
        kept = sp.csr_matrix(
            (coo.data[inside], (coo.row[inside], coo.col[inside])), (n, n)
        )
        parts = connected_components(kept, directed=False)[0]
        report(program, "leiden", seed, "parts beyond clusters", parts - clusters)


def distances(x, row):
    far = ((x - x[row]) ** 2).sum(1)
    far[row] = np.inf
    return far


def rank_excess(data_far, other):
    """Sum of rank - k over those of `other` beyond the k nearest in the data."""
    rank = 1 + (data_far[None, :] < data_far[other][:, None]).sum(1)
    return np.maximum(rank - K, 0).sum()


def embeddings(x):
    rng = np.random.default_rng(20)
    sample = rng.choice(n, min(SAMPLE, n), replace=False)
    triplets = rng.integers(0, n, (3, TRIPLETS))
    apart = [((x[triplets[0]] - x[t]) ** 2).sum(1) for t in triplets[1:]]
    norm = 2.0 / (len(sample) * K * (2 * n - 3 * K - 1))
    names = {}
    for task in ("umap", "layout"):
        for file, program, seed in results(task):
            names[task, program, seed] = np.fromfile(file).reshape(n, 2)
    excess = {key: np.zeros(3) for key in names}
    single = x.astype(np.float32)
    for row in sample:
        far = distances(single, row)
        near = np.argpartition(far, K)[:K]
        for key, y in names.items():
            far_y = distances(y, row)
            near_y = np.argpartition(far_y, K)[:K]
            excess[key] += (
                rank_excess(far, near_y),
                rank_excess(far_y, near),
                len(np.intersect1d(near, near_y)),
            )
    for (task, program, seed), y in names.items():
        trust, continuity, shared = excess[task, program, seed]
        apart_y = [((y[triplets[0]] - y[t]) ** 2).sum(1) for t in triplets[1:]]
        agree = (apart[0] < apart[1]) == (apart_y[0] < apart_y[1])
        for measure, value in (
            ("trustworthiness", 1 - norm * trust),
            ("continuity", 1 - norm * continuity),
            ("neighbour recall", shared / (len(sample) * K)),
            ("triplet accuracy", agree.mean()),
        ):
            report(program, task, seed, measure, value)


def diffmap(graph):
    q = np.asarray(graph.sum(0)).ravel()
    flat = sp.diags(1 / q) @ graph @ sp.diags(1 / q)
    z = np.sqrt(np.asarray(flat.sum(1)).ravel())
    step = sp.diags(1 / z) @ flat @ sp.diags(1 / z)
    for file, program, seed in results("diffmap"):
        vector = np.fromfile(file).reshape(n, -1)
        value = np.fromfile(file.replace("diffmap_", "diffmap-values_"))
        vector = vector / np.linalg.norm(vector, axis=0)
        residual = np.linalg.norm(step @ vector - vector * value, axis=0)
        report(program, "diffmap", seed, "largest residual", residual.max())
        report(program, "diffmap", seed, "last eigenvalue", value[-1])


def paga():
    first = None
    for file, program, seed in results("paga"):
        found = np.fromfile(file)
        first = found if first is None else first
        apart = np.abs(found - first).max() if len(found) == len(first) else np.nan
        report(program, "paga", seed, "difference", apart)


x = np.fromfile(path(f"tree_{n}.x.f64")).reshape(n, 50)
graph = read_graph()
neighbours(x)
leiden(graph)
embeddings(x)
diffmap(graph)
paga()
