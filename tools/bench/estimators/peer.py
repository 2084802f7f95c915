"""One task of the estimator benchmarks in CellRank.

python peer.py <folder> <cells> <task> <seed> <threads> <output.tsv>

Tasks: schur-tree (SLEPc), schur-pancreas (without SLEPc: dense),
macrostates-pancreas-11, macrostates-pancreas-18, macrostates-tree-6,
fates-tips, fates-hard (PETSc), on the chains of prepare.R. Each is measured
once; "whole" also counts making the estimator. A task that the peer ends with
an error leaves the row "failed" and the message on standard error. Rows of the
output: program, task, cells, seed, measure, value.
"""

import os
import sys

folder, cells, task, seed, threads, output = sys.argv[1:]
for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{name}_NUM_THREADS"] = threads

import re
import time
import warnings

import cellrank as cr
import numpy as np
import pandas as pd
import scipy.sparse as sp

warnings.filterwarnings("ignore")
cr.settings.verbosity = 0
cells, threads = int(cells), int(threads)
VECTORS = 20


def path(name):
    return os.path.join(folder, name)


def report(measure, value):
    with open(output, "a") as handle:
        handle.write(f"cellrank\t{task}\t{cells}\t{seed}\t{measure}\t{value:.9g}\n")


def memory(field):
    """A field of the status in MiB, where the system tells (Linux)."""
    try:
        with open("/proc/self/status") as handle:
            found = re.search(rf"{field}:\s+(\d+)", handle.read())
    except OSError:
        return float("nan")
    return int(found.group(1)) / 1024


def reset_peak():
    try:
        with open("/proc/self/clear_refs", "w") as handle:
            handle.write("5")
    except OSError:
        pass


def chain(name):
    p = np.fromfile(path(f"{name}.p.i32"), dtype="<i4")
    i = np.fromfile(path(f"{name}.i.i32"), dtype="<i4")
    x = np.fromfile(path(f"{name}.x.f64"), dtype="<f8")
    return sp.csr_matrix((x, i, p), shape=(len(p) - 1,) * 2)


def estimator(name):
    return cr.estimators.GPCCA(cr.kernels.PrecomputedKernel(chain(name)))


def timed(call, make):
    reset_peak()
    before = memory("VmRSS")
    started = time.perf_counter()
    made = make()
    built = time.perf_counter() - started
    clock, spent = time.perf_counter(), time.process_time()
    try:
        call(made)
    except Exception as problem:  # noqa: BLE001: what it says is the result
        report("failed", 1)
        print(f"{task}: {type(problem).__name__}: {problem}", file=sys.stderr)
        sys.exit(0)
    seconds = time.perf_counter() - clock
    report("seconds", seconds)
    report("whole, seconds", built + seconds)
    report("CPU seconds", time.process_time() - spent)
    report("peak memory (MiB)", memory("VmHWM"))
    report("peak above the start (MiB)", memory("VmHWM") - before)
    report("left above the start (MiB)", memory("VmRSS") - before)
    return made


def schur(name, method):
    fit = timed(
        lambda fit: fit.compute_schur(n_components=VECTORS, method=method),
        lambda: estimator(name),
    )
    values = np.asarray(fit.eigendecomposition["D"])
    report("vectors", len(values))
    report("sum of 20 eigenvalues", values.real[:VECTORS].sum())
    x, r = fit.schur_vectors, fit.schur_matrix
    worst = np.linalg.norm(fit.transition_matrix @ x - x @ r, axis=0).max()
    report("relative residual", worst / np.sqrt(x.shape[0]))


def macrostates(name, states):
    def ready():
        fit = estimator(name)
        fit.compute_schur(n_components=VECTORS, method="krylov")
        return fit

    fit = timed(lambda fit: fit.compute_macrostates(n_states=states), ready)
    chi = np.asarray(fit.macrostates_memberships)
    report("states", chi.shape[1])
    report("crispness", (np.square(chi).sum(0) / chi.sum(0)).mean())


def fates(states):
    label = np.fromfile(path(f"{states}_{cells}.i32"), dtype="<i4")

    def ready():
        fit = estimator(f"chain_tree_{cells}")
        names = pd.Series(label).astype(str).replace("0", np.nan)
        names.index = fit.adata.obs_names
        fit.set_terminal_states(names.astype("category"))
        return fit

    fit = timed(
        lambda fit: fit.compute_fate_probabilities(
            solver="gmres", tol=1e-6, n_jobs=threads, show_progress_bar=False
        ),
        ready,
    )
    p = np.asarray(fit.fate_probabilities)
    report("sum of squares", np.square(p).sum())
    t, free = fit.transition_matrix, label == 0
    into = np.asarray((t @ p - p)[free])
    b = np.stack([t[free][:, label == k].sum(1).A1 for k in np.unique(label[~free])], 1)
    report("relative residual", (np.linalg.norm(into, axis=0) / np.linalg.norm(b, axis=0)).max())


tree = f"chain_tree_{cells}"
{
    "schur-tree": lambda: schur(tree, "krylov"),
    "schur-pancreas": lambda: schur("chain_pancreas", "brandts"),
    "macrostates-pancreas-11": lambda: macrostates("chain_pancreas", 11),
    "macrostates-pancreas-18": lambda: macrostates("chain_pancreas", 18),
    "macrostates-tree-6": lambda: macrostates(tree, 6),
    "fates-tips": lambda: fates("tips"),
    "fates-hard": lambda: fates("hard"),
}[task]()
