# Seconds of each step of the job, graph to drivers, on the pancreas data.
# Rscript fatecast.R <pancreas.rds> <repeats> <threads> <output.tsv>
#
# One pass to warm up, then `repeats` measured ones; with 0 repeats a single
# pass, for the peak memory of one job in a fresh process.

suppressMessages({
    library(SingleCellExperiment)
    library(fatecast)
})
arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(
    "usage: fatecast.R <pancreas.rds> <repeats> <threads> <output.tsv>" =
        length(arguments) == 4L
)
repeats <- as.integer(arguments[2L])
options(fatecast.threads = as.integer(arguments[3L]))

terminal <- c("Alpha", "Beta", "Delta", "Epsilon")

timed <- function(times, step, value) {
    started <- proc.time()[["elapsed"]]
    force(value)
    times$rows[[step]] <- proc.time()[["elapsed"]] - started
    value
}

onePass <- function(sce) {
    times <- new.env()
    times$rows <- list()
    sce <- timed(times, "neighbours", buildNeighbors(
        sce, n_neighbors = 30, n_pcs = 30
    ))
    velocity <- timed(times, "velocity kernel", computeTransitionMatrix(
        VelocityKernel(sce)
    ))
    similar <- timed(times, "connectivity kernel", computeTransitionMatrix(
        ConnectivityKernel(sce)
    ))
    chain <- timed(times, "combination", computeTransitionMatrix(
        0.8 * velocity + 0.2 * similar
    ))
    fit <- timed(times, "estimator", GPCCA(chain))
    # Number 20 is half of a complex pair here: the 21 vectors kept are not
    # worth a warning in each pass.
    fit <- timed(times, "schur", suppressWarnings(
        computeSchur(fit, n_components = 20)
    ))
    fit <- timed(times, "macrostates", computeMacrostates(
        fit, n_states = 11, cluster_key = "clusters"
    ))
    fit <- timed(times, "terminal states", setTerminalStates(fit, terminal))
    fit <- timed(times, "fate probabilities", computeFateProbabilities(fit))
    fit <- timed(times, "drivers", computeLineageDrivers(fit))
    sce <- timed(times, "results into the object", container(fit))
    list(seconds = unlist(times$rows), object = sce)
}

# The same from unevaluated kernels, as a user writes it.
oneJob <- function(sce) {
    sce <- buildNeighbors(sce, n_neighbors = 30, n_pcs = 30)
    chain <- 0.8 * VelocityKernel(sce) + 0.2 * ConnectivityKernel(sce)
    fit <- suppressWarnings(computeSchur(GPCCA(chain), n_components = 20))
    fit <- computeMacrostates(fit, n_states = 11, cluster_key = "clusters")
    fit <- setTerminalStates(fit, terminal)
    fit <- computeLineageDrivers(computeFateProbabilities(fit))
    container(fit)
}

# Largest resident size so far in MiB, where the system tells (Linux).
peakMemory <- function() {
    status <- "/proc/self/status"
    if (!file.exists(status)) {
        return(NA_real_)
    }
    line <- grep("^VmHWM", readLines(status), value = TRUE)
    as.numeric(gsub("[^0-9]", "", line)) / 1024
}

report <- function(step, pass, value) {
    cat(
        paste("fatecast", step, pass, format(value, digits = 6), sep = "\t"),
        file = arguments[4L], sep = "\n", append = TRUE
    )
}

sce <- readRDS(arguments[1L])
if (repeats == 0L) {
    invisible(oneJob(sce))
    report("peak memory (MiB)", 0L, peakMemory())
} else {
    invisible(onePass(sce))
    for (pass in seq_len(repeats)) {
        seconds <- onePass(sce)$seconds
        for (step in names(seconds)) report(step, pass, seconds[[step]])
        report("whole job, one expression", pass, system.time(
            oneJob(sce)
        )[["elapsed"]])
    }
}
