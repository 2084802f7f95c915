"""Lineage drivers in CellRank: started by drivers.R, which makes the data.

python drivers.py <folder> <jobs> <task>

The permutation test is run with 10 and with 60 permutations; twenty times the
difference is what 1,000 take without start-up and compilation.
"""
import resource
import sys
import time
import warnings
from pathlib import Path

import anndata
import numpy as np
import scipy.sparse as sp

warnings.filterwarnings("ignore")
import cellrank as cr  # noqa: E402

cr.logging.verbosity = 0
folder, jobs, task = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
CELLS = 10000


def read(part, kind):
    return np.fromfile(folder / f"{task}.{part}", dtype=kind)


def cpu():
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(s.ru_utime + s.ru_stime for s in spent)


def timed(call):
    before, start = cpu(), time.perf_counter()
    value = call()
    return value, time.perf_counter() - start, cpu() - before


indptr = read("indptr.i32", np.int32)
indices, values = read("indices.i32", np.int32), read("values.f64", np.float64)
fates = read("fates.f64", np.float64).reshape(-1, CELLS).T
lineages = fates.shape[1]
genes = int(indices.max()) + 1
expression = sp.csr_matrix((values, indices, indptr), shape=(CELLS, genes))
adata = anndata.AnnData(expression)
adata.obs_names = [f"cell{i + 1}" for i in range(CELLS)]
adata.var_names = [f"gene{i + 1}" for i in range(genes)]
chain = sp.csr_matrix(
    (
        fates.ravel(),
        (np.repeat(np.arange(CELLS), lineages), np.tile(np.arange(lineages), CELLS)),
    ),
    shape=(CELLS, CELLS),
)
chain.eliminate_zeros()
fit = cr.estimators.GPCCA(cr.kernels.PrecomputedKernel(chain, adata=adata))
fit.set_terminal_states({chr(65 + k): [adata.obs_names[k]] for k in range(lineages)})
fit.compute_fate_probabilities(solver="direct", use_petsc=False, show_progress_bar=False)


def drivers(n_perms=None):
    if n_perms is None:
        return fit.compute_lineage_drivers()
    return fit.compute_lineage_drivers(
        method="perm_test", n_perms=n_perms, seed=1, n_jobs=jobs, show_progress_bar=False
    )


if task == "fisher":
    drivers()
    table, seconds, spent = timed(drivers)
    part = "_corr"
else:
    _, short, short_cpu = timed(lambda: drivers(10))
    table, long, long_cpu = timed(lambda: drivers(60))
    seconds, spent = 20 * (long - short), 20 * (long_cpu - short_cpu)
    part = "_pval"
result = np.abs(table[[c for c in table.columns if c.endswith(part)]].to_numpy()).mean()
print(task, "CellRank", f"{seconds:.3f}", f"{spent:.3f}", f"{result:.6g}", sep="\t")
