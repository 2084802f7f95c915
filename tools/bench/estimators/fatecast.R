# One task of the estimator benchmarks here.
# Rscript fatecast.R <folder> <cells> <task> <seed> <threads> <output.tsv>
#
# The tasks of peer.py on the chains of prepare.R. Each runs once on little and
# is then measured once; the Schur form that macrostates start from is not part
# of their seconds. Rows of the output: program, task, cells, seed, measure,
# value.

arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(
    "usage: fatecast.R <folder> <cells> <task> <seed> <threads> <output.tsv>" =
        length(arguments) == 6L
)
folder <- arguments[1L]
cells <- as.integer(arguments[2L])
task <- arguments[3L]
seed <- as.integer(arguments[4L])
threads <- as.integer(arguments[5L])
output <- arguments[6L]
here <- dirname(sub(
    "--file=", "", grep("^--file=", commandArgs(), value = TRUE)
))
source(file.path(here, "..", "common.R"))
suppressMessages({
    library(Matrix)
    library(fatecast)
})
options(fatecast.threads = threads, fatecast.memory_limit = 32 * 2^30)

VECTORS <- 20L

# The estimator of a stored chain.
chainOf <- function(name) GPCCA(readRDS(pathTo(paste0(name, ".rds"))))
tree <- function() chainOf(sprintf("chain_tree_%d", cells))
pancreas <- function() chainOf("chain_pancreas")

# A ring of a few cells, so that code is loaded before it is timed.
ring <- function(n = 60L) {
    at <- rep(seq_len(n), each = 2L)
    to <- (at + rep(c(0L, 2L), n) - 1L) %% n + 1L
    GPCCA(as.matrix(sparseMatrix(at, to, x = rep(c(0.3, 0.7), n))))
}

# Complex pairs and lower bounds are told to users, not to benchmarks.
quietly <- suppressWarnings

schur <- function(make) {
    call <- function(fit, m = VECTORS) quietly(computeSchur(fit, m))
    invisible(call(ring(), 4L))
    fit <- timed(call, make)
    found <- eigenvalues(fit)
    note("vectors", length(found))
    note("sum of 20 eigenvalues", sum(Re(found)[seq_len(VECTORS)]))
    note("relative residual", certificates(fit)$residual[1L])
}

macro <- function(make, states) {
    call <- function(fit) quietly(computeMacrostates(fit, n_states = states))
    small <- quietly(computeSchur(ring(), 5L))
    invisible(quietly(computeMacrostates(small, n_states = 3, n_cells = 2)))
    found <- timed(call, function() quietly(computeSchur(make(), VECTORS)))
    rotated <- as.matrix(memberships(found))
    note("states", ncol(rotated))
    note("crispness", sum(
        colSums(rotated^2) / colSums(rotated)
    ) / ncol(rotated))
}

fates <- function(states) {
    label <- readValues(paste0(states, "_%d.i32"), "integer", cells)
    set <- function(fit, label) {
        label[label == 0L] <- NA
        setTerminalStates(
            fit, stats::setNames(factor(label), rownames(transitionMatrix(fit)))
        )
    }
    call <- computeFateProbabilities
    line <- matrix(0, 5, 5)
    line[cbind(c(1, 2, 2, 3, 3, 4, 4, 5), c(1, 1, 3, 2, 4, 3, 5, 5))] <-
        c(1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1)
    invisible(call(setTerminalStates(GPCCA(line), list(a = 1, b = 5))))
    found <- timed(call, function() set(tree(), label))
    sound <- certificates(found)
    sound <- sound[sound$key == "lineages_fwd", ]
    note("relative residual", sound$residual)
    note("error bound", sound$error_bound)
    note("iterations", sound$iterations)
    p <- as.matrix(fateProbabilities(found))
    note("sum of squares", sum(p^2))
}

switch(task,
    "schur-tree" = schur(tree),
    "schur-pancreas" = schur(pancreas),
    "macrostates-pancreas-11" = macro(pancreas, 11L),
    "macrostates-pancreas-18" = macro(pancreas, 18L),
    "macrostates-tree-6" = macro(tree, 6L),
    "fates-tips" = fates("tips"),
    "fates-hard" = fates("hard")
)
