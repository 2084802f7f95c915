# Coverage of bootstrap intervals of fate probabilities.
#
#   Rscript coverage.R [replicates] [cells] [resamples] [topology] [runs]
#       [seed]
#
# runs: some of adaptive, fixed and neighbors, separated by commas.
#
# Query cells are fixed, with their expression and velocity; all other cells
# are drawn anew from the simulator for every replicate, and the whole
# pipeline (neighbours, kernel, fates, bootstrap) is run on query cells and
# others. Terminal cells are those whose true progress and fate exceed 0.9: a
# rule that does not depend on the draw. The target of an interval is the mean
# estimate of its query cell over replicates, so coverage is about the spread
# alone; the bias of that mean against the simulator's truth is reported
# apart. Counted are cells whose target lies between 0.05 and 0.95. Errors of
# cells of one replicate go together, hence the standard error over
# replicates.

suppressPackageStartupMessages({
    library(fatecast)
    library(SingleCellExperiment)
})

given <- commandArgs(TRUE)
setting <- function(at, default) {
    if (length(given) >= at) as.numeric(given[at]) else default
}
replicates <- setting(1, 80)
cells <- setting(2, 500)
resamples <- setting(3, 100)
seed <- setting(6, 11)
topology <- if (length(given) >= 4) given[4] else "bifurcation"
runs <- list(
    adaptive = list(what = "cells"),
    fixed = list(what = "cells", neighborhood = "fixed"),
    neighbors = list(what = "neighbors")
)
if (length(given) >= 5) runs <- runs[strsplit(given[5], ",")[[1]]]
n_query <- 80
n_neighbors <- 15

pool <- suppressWarnings(simulateDifferentiation(
    n_cells = 2 * n_query + replicates * (cells - n_query), n_genes = 150,
    topology = topology, n_samples = 1, condition_effect = 0, random_state = seed
))
truth <- as.matrix(colData(pool)[grep("^fate_", names(colData(pool)))])
colnames(truth) <- sub("^fate_", "", colnames(truth))
mature <- pool$pseudotime > 0.9 & apply(truth, 1, max) > 0.9
state <- factor(
    ifelse(mature, colnames(truth)[max.col(truth)], NA), colnames(truth)
)
query <- which(is.na(state))[seq_len(n_query)]
others <- setdiff(seq_len(ncol(pool)), query)

one <- function(r) {
    drawn <- others[(r - 1) * (cells - n_query) + seq_len(cells - n_query)]
    chosen <- c(query, drawn)
    x <- suppressMessages(buildNeighbors(
        pool[, chosen], n_neighbors = n_neighbors
    ))
    kernel <- 0.8 * VelocityKernel(x) + 0.2 * ConnectivityKernel(x)
    fit <- setTerminalStates(GPCCA(kernel), stats::setNames(
        state[chosen], colnames(x)
    ))
    fit <- computeFateProbabilities(fit)
    at <- seq_len(n_query)
    point <- as.matrix(fateProbabilities(fit))[at, ]
    spread <- lapply(runs, function(run) {
        u <- fateUncertainty(do.call(bootstrapFates, c(
            list(fit, n_boot = resamples, random_state = r), run
        )))
        lapply(u[c("sd", "lower", "upper")], function(m) as.matrix(m)[at, ])
    })
    list(point = point, spread = spread)
}

done <- lapply(seq_len(replicates), function(r) suppressWarnings(one(r)))
points <- simplify2array(lapply(done, `[[`, "point"))
target <- apply(points, 1:2, mean)
actual <- apply(points, 1:2, stats::sd)
between <- target > 0.05 & target < 0.95

table <- do.call(rbind, lapply(names(done[[1]]$spread), function(run) {
    take <- function(what) {
        simplify2array(lapply(done, function(d) d$spread[[run]][[what]]))
    }
    held <- take("lower") <= c(target) & c(target) <= take("upper")
    sds <- apply(take("sd")^2, 1:2, mean)
    do.call(rbind, lapply(colnames(truth), function(k) {
        keep <- between[, k]
        by_replicate <- apply(held[keep, k, , drop = FALSE], 3, mean)
        off <- (target - truth[query, ])[keep, k]
        data.frame(
            weights = run, lineage = k, cells = sum(keep),
            coverage = mean(by_replicate),
            error = stats::sd(by_replicate) / sqrt(replicates),
            sd = sqrt(mean(actual[keep, k]^2)),
            ratio = sqrt(mean(sds[keep, k]) / mean(actual[keep, k]^2)),
            bias = mean(off), rmse = sqrt(mean(off^2))
        )
    }))
}))
cat(
    replicates, "replicates,", cells, "cells,", resamples, "resamples,",
    topology, "\n"
)
print(table, digits = 3, row.names = FALSE)
