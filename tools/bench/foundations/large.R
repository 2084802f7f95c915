# Seconds and peak memory of the whole job on simulated cells: nothing but the
# exact neighbour search may grow faster than the number of edges.
# Rscript large.R [cells] [threads]

suppressMessages(library(fatecast))
arguments <- as.integer(commandArgs(trailingOnly = TRUE))
n_cells <- if (length(arguments)) arguments[1L] else 100000L
options(fatecast.threads = if (length(arguments) > 1L) arguments[2L] else 2L)

peakMemory <- function() {
    status <- "/proc/self/status"
    if (!file.exists(status)) {
        return(NA_real_)
    }
    line <- grep("^VmHWM", readLines(status), value = TRUE)
    as.numeric(gsub("[^0-9]", "", line)) / 1024
}

timed <- function(step, value) {
    times <- system.time(force(value))
    cat(sprintf(
        "| %s | %.2f | %.2f | %.0f |\n", step, times[["elapsed"]],
        sum(times[c("user.self", "sys.self")]), peakMemory()
    ))
    value
}

cat(
    "| step (", n_cells, " cells) | seconds | CPU seconds | ",
    "peak so far (MiB) |\n", sep = ""
)
cat("| --- | ---: | ---: | ---: |\n")
sce <- timed("simulation with PCA", simulateDifferentiation(
    n_cells, n_genes = 500, depth = 0.2, dense = FALSE
))
for (key in c("PCA", "velocity_PCA")) {
    embedding <- SingleCellExperiment::reducedDim(sce, key)[, 1:10]
    SingleCellExperiment::reducedDim(sce, key) <- embedding
}
sce <- timed("neighbours", buildNeighbors(sce, n_neighbors = 30))
velocity <- timed("velocity kernel", computeTransitionMatrix(VelocityKernel(
    sce, attr = "obsm", xkey = "PCA", vkey = "velocity_PCA"
)))
similar <- timed("connectivity kernel", computeTransitionMatrix(
    ConnectivityKernel(sce)
))
chain <- timed("combination", computeTransitionMatrix(
    0.8 * velocity + 0.2 * similar
))
fit <- timed("estimator", GPCCA(chain))
fit <- timed("schur", computeSchur(fit, n_components = 10))
fit <- timed("macrostates", computeMacrostates(
    fit, n_states = 5, cluster_key = "cell_type"
))
fit <- timed("terminal states", predictTerminalStates(
    fit, method = "top_n", n_states = 3
))
fit <- timed("fate probabilities", computeFateProbabilities(fit))
fit <- timed("drivers", computeLineageDrivers(fit))
sce <- timed("results into the object", container(fit))
print(certificates(fit)[c("key", "method", "residual", "iterations")])
