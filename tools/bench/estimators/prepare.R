# The chains of the estimator benchmarks, for both programs.
# Rscript prepare.R <folder> <cells> <threads> <chain ...>
#
# Chains: pancreas (of pancreas.rds), tree (of tree_N.* and velocity_N.f64, see
# ../kernels/prepare.py); both 0.8 velocity + 0.2 connectivity. Writes, little
# endian, for each: chain_<name>.rds and compressed rows chain_<name>.p.i32,
# .i.i32, .x.f64; for the tree also terminal states, one number per cell, 0 for
# none: tips_N.i32 (the last hundredth of each of the five tips) and, where
# "hard" is among the chains, hard_N.i32 (all of six macrostates but the one in
# which the chain spends most time).
# Files that are there already are kept. Without a graph_N.* the graph is made
# here.

arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(
    "usage: prepare.R <folder> <cells> <threads> <chain ...>" =
        length(arguments) >= 4L
)
folder <- arguments[1L]
cells <- as.integer(arguments[2L])
threads <- as.integer(arguments[3L])
here <- dirname(sub(
    "--file=", "", grep("^--file=", commandArgs(), value = TRUE)
))
source(file.path(here, "..", "common.R"))
suppressMessages({
    library(Matrix)
    library(SingleCellExperiment)
    library(fatecast)
})
options(fatecast.threads = threads, fatecast.memory_limit = 32 * 2^30)

TIPS <- c(3, 4, 5, 7, 8)

absent <- function(name) !file.exists(pathTo(name))

mixed <- function(velocity, sce) {
    transitionMatrix(0.8 * velocity + 0.2 * ConnectivityKernel(sce))
}

pancreas <- function() {
    sce <- readRDS(pathTo("pancreas.rds"))
    sce <- buildNeighbors(sce, n_neighbors = 30, n_pcs = 30)
    mixed(VelocityKernel(sce), sce)
}

tree <- function() {
    names <- paste0("cell", seq_len(cells))
    sce <- SingleCellExperiment(
        list(logcounts = sparseMatrix(
            i = integer(), j = integer(), x = numeric(), dims = c(1L, cells),
            dimnames = list("gene1", names)
        )),
        reducedDims = list(
            X = cellRows("tree_%d.x.f64", 50L, cells),
            V = cellRows("velocity_%d.f64", 50L, cells)
        )
    )
    graph <- if (absent(sprintf("graph_%d.data.f64", cells))) {
        buildNeighbors(
            reducedDim(sce, "X"), NEIGHBORS, random_state = 0
        )$connectivities
    } else {
        readGraph()
    }
    dimnames(graph) <- list(names, names)
    sce <- fatecast:::.writeGraph(sce, "connectivities", graph)
    mixed(VelocityKernel(sce, attr = "obsm", xkey = "X", vkey = "V"), sce)
}

write <- function(x, name, size = NA_integer_) {
    writeBin(x, pathTo(name), size = size, endian = "little")
}

writeChain <- function(chain, name) {
    saveRDS(chain, pathTo(paste0(name, ".rds")))
    rows <- Matrix::t(chain)
    write(rows@p, paste0(name, ".p.i32"))
    write(rows@i, paste0(name, ".i.i32"))
    write(rows@x, paste0(name, ".x.f64"))
}

writeTips <- function() {
    branch <- as.integer(as.character(readBranch()))
    time <- readValues("pseudotime_%d.f64", "double", cells)
    state <- integer(cells)
    for (at in seq_along(TIPS)) {
        own <- which(branch == TIPS[at])
        last <- own[order(time[own], decreasing = TRUE)]
        state[last[seq_len(ceiling(length(own) / 100))]] <- at
    }
    write(state, sprintf("tips_%d.i32", cells))
}

# Without its strongest sink the chain leaves only after very many steps.
writeHard <- function(chain) {
    fit <- suppressWarnings(computeMacrostates(GPCCA(chain), n_states = 6))
    time <- colSums(as.matrix(memberships(fit)) * stationaryDistribution(fit))
    kept <- setdiff(levels(macrostates(fit)), names(which.max(time)))
    state <- match(as.character(macrostates(fit)), kept, nomatch = 0L)
    write(state, sprintf("hard_%d.i32", cells))
}

treeName <- sprintf("chain_tree_%d", cells)
chainNames <- c(pancreas = "chain_pancreas", tree = treeName)
asked <- arguments[-seq_len(3L)]

for (chain in intersect(names(chainNames), asked)) {
    name <- chainNames[[chain]]
    if (absent(paste0(name, ".x.f64"))) {
        writeChain(switch(chain, pancreas = pancreas(), tree = tree()), name)
    }
}
if ("tree" %in% asked && absent(sprintf("tips_%d.i32", cells))) writeTips()
if ("hard" %in% asked && absent(sprintf("hard_%d.i32", cells))) {
    writeHard(readRDS(pathTo(paste0(treeName, ".rds"))))
}
