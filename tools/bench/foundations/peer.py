"""Seconds of each step of the same job in CellRank and scanpy.

python peer.py <folder of export.R> <repeats> <threads> <schur> <output.tsv>

<schur> is "brandts" (dense) or "krylov" (needs petsc4py and slepc4py; the
linear solves then go through PETSc as well). One pass to warm up (numba
compiles), then <repeats> measured ones; with 0 repeats a single pass, for the
peak memory of one job in a fresh process.
"""

import os
import sys

folder, repeats, threads, schur, output = sys.argv[1:]
for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{name}_NUM_THREADS"] = threads

import re
import time
import warnings

import anndata as ad
import cellrank as cr
import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse as sp

warnings.filterwarnings("ignore")
cr.settings.verbosity = 0
repeats, threads = int(repeats), int(threads)
NAME = f"cellrank-{schur}"
TERMINAL = ["Alpha", "Beta", "Delta", "Epsilon"]


def path(name):
    return os.path.join(folder, name)


def lines(name):
    with open(path(name)) as handle:
        return [line.rstrip("\n") for line in handle]


def read():
    """The object, in the single precision scanpy and scVelo work in."""
    genes, cells = lines("genes.txt"), lines("cells.txt")
    shape = (len(cells), len(genes))
    x = sp.csr_matrix(
        (
            np.fromfile(path("logcounts_x.f64")).astype(np.float32),
            np.fromfile(path("logcounts_i.i32"), dtype=np.int32),
            np.fromfile(path("logcounts_p.i32"), dtype=np.int32),
        ),
        shape=shape,
    )
    adata = ad.AnnData(x, obs=pd.DataFrame(index=cells), var=pd.DataFrame(index=genes))
    adata.obs["clusters"] = pd.Categorical(lines("clusters.txt"))
    adata.var["velocity_genes"] = [v == "TRUE" for v in lines("velocity_genes.txt")]
    for name in ("Ms", "velocity"):
        layer = np.fromfile(path(f"{name}.f64")).reshape(shape)
        adata.layers[name] = layer.astype(np.float32)
    pca = np.fromfile(path("PCA.f64")).reshape(len(cells), -1)
    adata.obsm["X_pca"] = pca.astype(np.float32)
    return adata


def one_pass(adata):
    seconds = {}

    def timed(step, call):
        started = time.perf_counter()
        value = call()
        seconds[step] = time.perf_counter() - started
        return value

    timed(
        "neighbours",
        lambda: sc.pp.neighbors(
            adata, n_neighbors=30, n_pcs=30, use_rep="X_pca", random_state=0
        ),
    )
    velocity = timed(
        "velocity kernel",
        lambda: cr.kernels.VelocityKernel(
            adata, gene_subset=adata.var["velocity_genes"].values
        ).compute_transition_matrix(
            softmax_scale=None, n_jobs=threads, show_progress_bar=False
        ),
    )
    similar = timed(
        "connectivity kernel",
        lambda: cr.kernels.ConnectivityKernel(adata).compute_transition_matrix(),
    )
    chain = timed(
        "combination",
        lambda: (0.8 * velocity + 0.2 * similar).compute_transition_matrix(),
    )
    fit = timed("estimator", lambda: cr.estimators.GPCCA(chain))
    timed("schur", lambda: fit.compute_schur(n_components=20, method=schur))
    timed(
        "macrostates",
        lambda: fit.compute_macrostates(n_states=11, cluster_key="clusters"),
    )
    timed("terminal states", lambda: fit.set_terminal_states(TERMINAL))
    timed(
        "fate probabilities",
        lambda: fit.compute_fate_probabilities(
            solver="gmres", tol=1e-6, n_jobs=threads, show_progress_bar=False
        ),
    )
    timed(
        "drivers",
        lambda: fit.compute_lineage_drivers(
            use_raw=False, n_jobs=threads, show_progress_bar=False
        ),
    )
    return seconds


def peak_memory():
    """Largest resident size so far in MiB, where the system tells (Linux)."""
    try:
        with open("/proc/self/status") as handle:
            found = re.search(r"VmHWM:\s+(\d+)", handle.read())
    except OSError:
        return float("nan")
    return int(found.group(1)) / 1024


def report(step, number, value):
    with open(output, "a") as handle:
        handle.write(f"{NAME}\t{step}\t{number}\t{value:.6g}\n")


adata = read()
one_pass(adata.copy())
if repeats == 0:
    report("peak memory (MiB)", 0, peak_memory())
for number in range(1, repeats + 1):
    for step, value in one_pass(adata.copy()).items():
        report(step, number, value)
