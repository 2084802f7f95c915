"""One task of the graph benchmarks in the Python peers.

python peer.py <folder> <cells> <task> <seed> <threads> <output.tsv>

<task> is neighbours (scanpy, which searches by pynndescent), pynndescent (the
search alone), leiden and scanpy-leiden (igraph), umap (scanpy, that is
umap-learn), umap-parallel (umap-learn without a seed), layout (umap-learn from a
given start), diffmap or paga (scanpy). The task runs once on 2,000 cells, so that numba compiles, and is
then measured once. Rows of the output: program, task, cells, seed, measure,
value. What it computed goes into the folder for quality.py.
"""

import os
import sys

folder, cells, task, seed, threads, output = sys.argv[1:]
for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{name}_NUM_THREADS"] = threads

import gc
import random
import re
import time
import warnings

import anndata as ad
import igraph
import numpy as np
import scanpy as sc
import scipy.sparse as sp
from pynndescent import NNDescent
from umap.umap_ import find_ab_params, simplicial_set_embedding

warnings.filterwarnings("ignore")
cells, seed, threads = int(cells), int(seed), int(threads)
sc.settings.n_jobs = threads
K = 30
SMALL = 2000
MOST_ITERATIONS = 60
PROGRAM = {
    "neighbours": "scanpy",
    "pynndescent": "pynndescent",
    "leiden": "igraph",
    "scanpy-leiden": "scanpy-igraph",
    "umap": "umap-learn",
    "umap-parallel": "umap-learn-parallel",
    "layout": "umap-learn",
    "diffmap": "scanpy",
    "paga": "scanpy",
}[task]
TASK = {
    "pynndescent": "neighbours",
    "scanpy-leiden": "leiden",
    "umap-parallel": "umap",
}.get(task, task)


def path(name):
    return os.path.join(folder, name)


def report(measure, value):
    with open(output, "a") as handle:
        handle.write(f"{PROGRAM}\t{TASK}\t{cells}\t{seed}\t{measure}\t{value:.9g}\n")


def save(name, array, kind):
    np.ascontiguousarray(array).astype(kind).tofile(
        path(f"{name}_{cells}.{PROGRAM}.{seed}.bin")
    )


def memory(field):
    """A field of the process's status in MiB, where the system tells (Linux)."""
    try:
        with open("/proc/self/status") as handle:
            return int(re.search(rf"{field}:\s+(\d+)", handle.read()).group(1)) / 1024
    except OSError:
        return float("nan")


def reset_peak():
    """Lets VmHWM start again from what is resident now, where the system can."""
    try:
        with open("/proc/self/clear_refs", "w") as handle:
            handle.write("5")
    except OSError:
        pass


class Timer:
    """Elapsed and processor seconds of a block."""

    def __enter__(self):
        self.clock, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.clock
        self.cpu = time.process_time() - self.cpu

    def report(self, what=""):
        report(f"{what}seconds", self.seconds)
        report(f"{what}CPU seconds", self.cpu)


def read_cells(n):
    return np.fromfile(path(f"tree_{cells}.x.f64"), count=n * 50).reshape(n, 50)


def read_knn():
    index = np.fromfile(path(f"knn_{cells}.idx.u32"), "<u4").reshape(cells, K - 1)
    far = np.fromfile(path(f"knn_{cells}.dist.f32"), "<f4").reshape(cells, K - 1)
    return index, far


def read_graph():
    return sp.csr_matrix(
        (
            np.fromfile(path(f"graph_{cells}.data.f64")).astype(np.float32),
            np.fromfile(path(f"graph_{cells}.indices.u32"), "<u4").astype(np.int32),
            np.fromfile(path(f"graph_{cells}.indptr.u64"), "<u8").astype(np.int32),
        ),
        shape=(cells, cells),
    )


def annotated(n):
    """The object as scanpy's own neighbours leave it, from the exact search."""
    data = ad.AnnData(sp.csr_matrix((n, 1), dtype=np.float32))
    data.obsm["X_pca"] = read_cells(n).astype(np.float32)
    index, far = read_knn()
    rows = np.arange(0, n * (K - 1) + 1, K - 1)
    index = np.minimum(index[:n], n - 1).ravel()
    data.obsp["distances"] = sp.csr_matrix((far[:n].ravel(), index, rows), (n, n))
    data.obsp["connectivities"] = read_graph()[:n, :n].tocsr()
    data.uns["neighbors"] = {
        "connectivities_key": "connectivities",
        "distances_key": "distances",
        "params": {
            "n_neighbors": K,
            "method": "umap",
            "metric": "euclidean",
            "use_rep": "X_pca",
        },
    }
    branch = np.fromfile(path(f"tree_{cells}.branch.i32"), "<i4")[:n]
    data.obs["branch"] = branch.astype(str)
    data.obs["branch"] = data.obs["branch"].astype("category")
    return data


def neighbours():
    def find(data):
        sc.pp.neighbors(data, n_neighbors=K, use_rep="X_pca", random_state=seed)

    def bare(n):
        data = ad.AnnData(sp.csr_matrix((n, 1), dtype=np.float32))
        data.obsm["X_pca"] = read_cells(n).astype(np.float32)
        return data

    # Over 8,192 cells it takes pynndescent; below, brute force.
    find(bare(min(cells, 9000)))
    data = bare(cells)
    with Measured():
        find(data)
    found = data.obsp["distances"].tocsr()
    index = np.zeros((cells, K - 1), np.uint32)
    for i in range(cells):
        row = slice(found.indptr[i], found.indptr[i + 1])
        near, far = found.indices[row], found.data[row]
        other = near != i
        order = np.argsort(far[other], kind="stable")[: K - 1]
        index[i] = near[other][order]
    save("knn", index, "<u4")


def search_alone():
    def find(x):
        return NNDescent(
            x, n_neighbors=K, random_state=seed, n_jobs=threads
        ).neighbor_graph[0]

    find(read_cells(SMALL).astype(np.float32))
    x = read_cells(cells).astype(np.float32)
    with Measured():
        index = find(x)
    # The cell itself stands first, except where duplicates push it back.
    own = index == np.arange(cells)[:, None]
    own[~own.any(1), -1] = True
    save("knn", index[~own].reshape(cells, K - 1), "<u4")


def leiden():
    """igraph itself, each edge once: building its graph is not counted."""
    upper = sp.triu(read_graph(), 1).tocoo()
    graph = igraph.Graph(n=cells, edges=np.column_stack([upper.row, upper.col]))
    weights = upper.data.astype(float).tolist()

    def cluster(iterations, start=None):
        return graph.community_leiden(
            objective_function="modularity",
            weights=weights,
            n_iterations=iterations,
            initial_membership=start,
        )

    random.seed(seed)
    with Measured("2 iterations, ") as measured:
        found = cluster(2)
    report("2 iterations, modularity", graph.modularity(found, weights=weights))
    random.seed(seed)
    with measured.again("until stable, "):
        found = cluster(-1)
    final = graph.modularity(found, weights=weights)
    report("until stable, modularity", final)
    report("until stable, clusters", len(found))
    save("leiden", found.membership, "<i4")
    # Modularity against time: iteration by iteration from the last partition.
    random.seed(seed)
    membership, spent = None, 0.0
    for number in range(1, MOST_ITERATIONS + 1):
        with Timer() as timer:
            found = cluster(1, membership)
        spent += timer.seconds
        same = membership == found.membership
        membership = found.membership
        report(f"curve seconds {number}", spent)
        report(f"curve modularity {number}", graph.modularity(found, weights=weights))
        if same:
            break


def scanpy_leiden():
    data = annotated(cells)
    call = dict(flavor="igraph", directed=False, random_state=seed)
    with Measured("2 iterations, ") as measured:
        sc.tl.leiden(data, n_iterations=2, **call)
    with measured.again("until stable, "):
        sc.tl.leiden(data, n_iterations=-1, **call)
    save("leiden", data.obs["leiden"].astype(int).to_numpy(), "<i4")


def umap():
    sc.tl.umap(annotated(SMALL), random_state=seed)
    data = annotated(cells)
    with Measured():
        sc.tl.umap(data, random_state=seed)
    save("umap", data.obsm["X_umap"], "<f8")


def layout():
    def embed(n):
        data = annotated(n)
        start = np.fromfile(path(f"start_{cells}.f64"), count=2 * n).reshape(n, 2)
        with Measured(quiet=n != cells):
            sc.tl.umap(data, random_state=seed, init_pos=start.astype(np.float32))
        return data

    if cells > SMALL:
        embed(SMALL)
    save("layout", embed(cells).obsm["X_umap"], "<f8")


def umap_parallel():
    a, b = find_ab_params(1.0, 0.5)

    def embed(n, epochs):
        return simplicial_set_embedding(
            data=read_cells(n).astype(np.float32),
            graph=read_graph()[:n, :n].tocoo(),
            n_components=2,
            initial_alpha=1.0,
            a=a,
            b=b,
            gamma=1.0,
            negative_sample_rate=5,
            n_epochs=epochs,
            init="spectral",
            random_state=np.random.RandomState(seed),
            metric="euclidean",
            metric_kwds={},
            densmap=False,
            densmap_kwds={},
            output_dens=False,
            parallel=True,
        )[0]

    embed(SMALL, 20)
    with Measured():
        found = embed(cells, 500 if cells <= 10000 else 200)
    save("umap", found, "<f8")


def diffmap():
    data = annotated(cells)
    with Measured():
        sc.tl.diffmap(data, n_comps=15, random_state=seed)
    save("diffmap", data.obsm["X_diffmap"], "<f8")
    save("diffmap-values", data.uns["diffmap_evals"], "<f8")


def paga():
    data = annotated(cells)
    with Measured():
        sc.tl.paga(data, groups="branch")
    save("paga", data.uns["paga"]["connectivities"].toarray(), "<f8")


class Measured(Timer):
    """A timer that also reports itself and the memory of the whole process."""

    def __init__(self, what="", quiet=False):
        self.what, self.quiet = what, quiet

    def __enter__(self):
        gc.collect()
        reset_peak()
        self.before = memory("VmRSS")
        return super().__enter__()

    def again(self, what):
        self.what = what
        return self

    def __exit__(self, *error):
        super().__exit__(*error)
        if self.quiet:
            return
        self.report(self.what)
        report(f"{self.what}peak memory (MiB)", memory("VmHWM"))
        report(f"{self.what}peak above the start (MiB)", memory("VmHWM") - self.before)


{
    "neighbours": neighbours,
    "pynndescent": search_alone,
    "leiden": leiden,
    "scanpy-leiden": scanpy_leiden,
    "umap": umap,
    "umap-parallel": umap_parallel,
    "layout": layout,
    "diffmap": diffmap,
    "paga": paga,
}[task]()
