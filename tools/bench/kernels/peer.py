"""One task of the kernel benchmarks in the Python peers.

python peer.py <folder> <cells> <task> <seed> <threads> <output.tsv>

Tasks: velocity-pancreas, velocity-stochastic-pancreas (CellRank, on the files
of ../foundations/export.R), velocity-tree, pseudotime-hard, pseudotime-soft,
cytotrace, walks (CellRank), rna-velocity (scVelo) and coupling (POT). Each runs
once on little, so that numba and jax compile, and is then measured once.
"Seconds" are those of the call on an object that exists, "whole" also those of
making the kernel. CPU seconds and memory include the worker processes joblib
keeps. Rows of the output: program, task, cells, seed, measure, value.

WALKS: walks simulated, 20 unless set; "seconds" are scaled to 1,000.
"""

import os
import sys

folder, cells, task, seed, threads, output = sys.argv[1:]
for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{name}_NUM_THREADS"] = threads

import gc
import re
import time
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse as sp

warnings.filterwarnings("ignore")
cells, seed, threads = int(cells), int(seed), int(threads)
K, SMALL, GENES = 30, 2000, 2000
STEPS, ALL_WALKS = 1000, 1000
EPSILON, LAMBDA, STOP = 0.05, (1.0, 50.0), 1e-5
PROGRAM = {"rna-velocity": "scvelo", "coupling": "pot"}.get(task, "cellrank")
JOBS = {"n_jobs": threads, "show_progress_bar": False}


def path(name):
    return os.path.join(folder, name)


def report(measure, value):
    with open(output, "a") as handle:
        handle.write(f"{PROGRAM}\t{task}\t{cells}\t{seed}\t{measure}\t{value:.9g}\n")


def workers():
    """Living processes below this one (Linux); the process itself comes first."""
    found = [os.getpid()]
    for parent in found:
        try:
            for thread in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{thread}/children") as handle:
                    found += [int(child) for child in handle.read().split()]
        except OSError:
            continue
    return found


def of_all(of):
    total = 0.0
    for process in workers():
        try:
            total += of(process)
        except OSError:
            continue
    return total


def memory(field):
    """A field of the status in MiB, summed over the processes."""

    def of(process):
        with open(f"/proc/{process}/status") as handle:
            return int(re.search(rf"{field}:\s+(\d+)", handle.read()).group(1)) / 1024

    return of_all(of)


def cpu_seconds():
    def of(process):
        with open(f"/proc/{process}/stat") as handle:
            fields = handle.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    return of_all(of) if os.path.exists("/proc/self/stat") else float("nan")


def reset_peak():
    """Lets VmHWM start again from what is resident now, where the system can."""

    def of(process):
        with open(f"/proc/{process}/clear_refs", "w") as handle:
            handle.write("5")
        return 0.0

    of_all(of)


def measured(call, make=lambda: None, factor=1):
    """Seconds and memory of call(make()); `make` is counted in "whole" only."""
    gc.collect()
    reset_peak()
    before = memory("VmRSS")
    started = time.perf_counter()
    made = make()
    between, cpu = time.perf_counter(), cpu_seconds()
    value = call(made)
    ended, cpu = time.perf_counter(), cpu_seconds() - cpu
    report("seconds", factor * (ended - between))
    report("whole, seconds", factor * (ended - between) + between - started)
    report("CPU seconds", factor * cpu)
    report("peak memory (MiB)", memory("VmHWM"))
    report("peak above the start (MiB)", memory("VmHWM") - before)
    report("left above the start (MiB)", memory("VmRSS") - before)
    return value


def report_chain(kernel):
    """Two numbers in which equal transition matrices agree."""
    chain = sp.csr_matrix(kernel.transition_matrix, dtype=np.float64)
    chain.eliminate_zeros()
    report("entries", chain.nnz)
    report("sum of squares", (chain.data**2).sum())


def rows(name, width, n=cells):
    values = np.fromfile(path(name), count=n * width)
    return values.reshape(n, width)


def graph():
    return sp.csr_matrix(
        (
            np.fromfile(path(f"graph_{cells}.data.f64")).astype(np.float32),
            np.fromfile(path(f"graph_{cells}.indices.u32"), "<u4").astype(np.int32),
            np.fromfile(path(f"graph_{cells}.indptr.u64"), "<u8").astype(np.int32),
        ),
        shape=(cells, cells),
    )


def counts(name, n):
    full = sp.csr_matrix(
        (
            np.fromfile(path(f"{name}_{cells}.data.f32"), "<f4"),
            np.fromfile(path(f"{name}_{cells}.indices.i32"), "<i4"),
            np.fromfile(path(f"{name}_{cells}.indptr.i32"), "<i4"),
        ),
        shape=(cells, GENES),
    )
    return full if n == cells else full[:n].copy()


def with_graph(data):
    """The stored graph as scanpy would leave it; fewer cells get their own."""
    n = data.n_obs
    if n < cells:
        data.obsm["tree"] = rows(f"tree_{cells}.x.f64", 50, n).astype(np.float32)
        sc.pp.neighbors(data, n_neighbors=K, use_rep="tree", random_state=0)
        return data
    near = np.fromfile(path(f"knn_{cells}.idx.u32"), "<u4").astype(np.int32)
    far = np.fromfile(path(f"knn_{cells}.dist.f32"), "<f4")
    ends = np.arange(0, n * (K - 1) + 1, K - 1, dtype=np.int32)
    data.obsp["distances"] = sp.csr_matrix((far, near, ends), (n, n))
    data.obsp["connectivities"] = graph()
    data.uns["neighbors"] = {
        "connectivities_key": "connectivities",
        "distances_key": "distances",
        "params": {"n_neighbors": K, "method": "umap", "metric": "euclidean"},
    }
    return data


def bare(n):
    data = with_graph(ad.AnnData(sp.csr_matrix((n, 1), dtype=np.float32)))
    data.obs["time"] = rows(f"pseudotime_{cells}.f64", 1, n).ravel()
    return data


def pancreas():
    def lines(name):
        with open(path(name)) as handle:
            return [line.rstrip("\n") for line in handle]

    genes, names = lines("genes.txt"), lines("cells.txt")
    data = ad.AnnData(
        sp.csr_matrix((len(names), len(genes)), dtype=np.float32),
        obs=pd.DataFrame(index=names),
        var=pd.DataFrame(index=genes),
    )
    data.var["velocity_genes"] = [v == "TRUE" for v in lines("velocity_genes.txt")]
    for name in ("Ms", "velocity"):
        layer = np.fromfile(path(f"{name}.f64")).reshape(data.shape)
        data.layers[name] = layer.astype(np.float32)
    pca = np.fromfile(path("PCA.f64")).reshape(len(names), -1)
    data.obsm["X_pca"] = pca.astype(np.float32)
    sc.pp.neighbors(data, n_neighbors=K, n_pcs=30, use_rep="X_pca", random_state=0)
    return data


def velocity_pancreas(model):
    from cellrank.kernels import VelocityKernel

    def kernel(data):
        return VelocityKernel(data, gene_subset=data.var["velocity_genes"].values)

    def compute(k):
        return k.compute_transition_matrix(model=model, seed=seed, **JOBS)

    data = pancreas()
    # The stochastic model takes minutes: it compiles on few cells.
    compute(kernel(data if model == "deterministic" else data[:200].copy()))
    report_chain(measured(compute, lambda: kernel(data)))


def velocity_tree():
    from cellrank.kernels import VelocityKernel

    def embedded(n):
        data = bare(n)
        data.obsm["places"] = rows(f"tree_{cells}.x.f64", 50, n).astype(np.float32)
        data.obsm["moves"] = rows(f"velocity_{cells}.f64", 50, n).astype(np.float32)
        return data

    def kernel(data):
        return VelocityKernel(data, attr="obsm", xkey="places", vkey="moves")

    def compute(k):
        return k.compute_transition_matrix(model="deterministic", **JOBS)

    compute(kernel(embedded(SMALL)))
    data = embedded(cells)
    report_chain(measured(compute, lambda: kernel(data)))


def pseudotime(scheme):
    from cellrank.kernels import PseudotimeKernel

    def compute(k):
        return k.compute_transition_matrix(threshold_scheme=scheme, **JOBS)

    compute(PseudotimeKernel(bare(SMALL), time_key="time"))
    data = bare(cells)
    report_chain(measured(compute, lambda: PseudotimeKernel(data, time_key="time")))


def cytotrace():
    from cellrank.kernels import CytoTRACEKernel

    def expressed(n):
        x = counts("spliced", n)
        x.data = np.log1p(x.data)
        data = ad.AnnData(x)
        data.var_names = [f"gene{i + 1}" for i in range(GENES)]
        return with_graph(data)

    def compute(k):
        return k.compute_cytotrace(layer="X")

    compute(CytoTRACEKernel(expressed(SMALL)))
    data = expressed(cells)
    measured(compute, lambda: CytoTRACEKernel(data))
    found = data.obs["ct_pseudotime"].to_numpy()
    report("mean pseudotime", found.mean())
    report("sd of pseudotime", found.std())


def walks():
    from cellrank.kernels import ConnectivityKernel
    from cellrank.kernels.utils._random_walk import RandomWalk

    few = int(os.environ.get("WALKS", "20"))

    def chain(n):
        data = bare(n)
        kernel = ConnectivityKernel(data).compute_transition_matrix()
        return RandomWalk(data, kernel.transition_matrix)

    def simulate(walk, number=few):
        return walk.simulate_many(number, STEPS, seed=seed, **JOBS)

    simulate(chain(SMALL), threads)
    walk = chain(cells)
    found = measured(lambda _: simulate(walk), factor=ALL_WALKS / few)
    report("walks simulated", few)
    report("cells per walk", np.mean([len(np.unique(w)) for w in found]))


def rna_velocity():
    import scvelo as scv

    scv.settings.verbosity = 0

    def counted(n):
        spliced = counts("spliced", n)
        data = ad.AnnData(spliced.copy())
        data.layers["spliced"] = spliced
        data.layers["unspliced"] = counts("unspliced", n)
        return with_graph(data)

    def compute(data):
        started = time.perf_counter()
        scv.pp.moments(data, n_neighbors=None, n_pcs=None)
        between = time.perf_counter()
        scv.tl.velocity(data, mode="stochastic")
        return between - started, time.perf_counter() - between

    compute(counted(SMALL))
    data = counted(cells)
    moments, fit = measured(lambda _: compute(data))
    report("moments, seconds", moments)
    report("fit, seconds", fit)
    report("velocity genes", data.var["velocity_genes"].sum())
    report("median gamma", np.median(data.var["velocity_gamma"]))


def coupling():
    """The same problem in POT's terms: its plan is ours / early cells.

    POT stops by the change of its scalings; at STOP the relative duality gap,
    which is reported, falls below the 1e-10 that fatecast stops at.
    """
    from ot.unbalanced import sinkhorn_unbalanced
    from scipy.spatial.distance import cdist

    few = min(10000, cells // 4)

    def cost(m):
        x, y = (rows(f"{name}_{few}.f64", 30, m) for name in ("early", "late"))
        c = cdist(x, y, "sqeuclidean")
        c /= np.median(c)
        return c

    def solve(c):
        return sinkhorn_unbalanced(
            np.full(c.shape[0], 1 / c.shape[0]),
            np.full(c.shape[1], 1 / c.shape[1]),
            c,
            EPSILON,
            LAMBDA,
            method="sinkhorn",
            reg_type="kl",
            numItermax=5000,
            stopThr=STOP,
            log=True,
        )

    solve(cost(500))
    kept = {}

    def make():
        kept["cost"] = cost(few)
        return kept["cost"]

    plan, log = measured(solve, make)
    report("iterations", len(log["err"]))
    report("mass", plan.sum())
    report("relative gap", relative_gap(plan, log, kept["cost"]))


def relative_gap(plan, log, cost):
    def divergence(a, b):
        return np.mean(a * np.log(a / b) - a + b)

    m = len(plan)
    f, g = EPSILON * log["logu"], EPSILON * log["logv"]
    r, c = plan.sum(1) * m, plan.sum(0) * m
    gap = LAMBDA[0] * divergence(r, np.exp(-f / LAMBDA[0]))
    gap += LAMBDA[1] * divergence(c, np.exp(-g / LAMBDA[1]))
    kernel = np.mean([np.exp(-row / EPSILON).mean() for row in cost])
    value = LAMBDA[0] * divergence(r, 1) + LAMBDA[1] * divergence(c, 1)
    value += np.mean(f * r) + np.mean(g * c) + EPSILON * (kernel - r.mean())
    return gap / abs(value)


TASKS = {
    "velocity-pancreas": lambda: velocity_pancreas("deterministic"),
    "velocity-stochastic-pancreas": lambda: velocity_pancreas("stochastic"),
    "velocity-tree": velocity_tree,
    "pseudotime-hard": lambda: pseudotime("hard"),
    "pseudotime-soft": lambda: pseudotime("soft"),
    "cytotrace": cytotrace,
    "walks": walks,
    "rna-velocity": rna_velocity,
    "coupling": coupling,
}
TASKS[task]()
