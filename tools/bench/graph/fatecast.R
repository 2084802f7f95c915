# One task of the graph benchmarks here.
# Rscript fatecast.R <folder> <cells> <task> <seed> <threads> <output.tsv>
#
# The tasks of peer.py and peer.R, and neighbours-exact. Times are those of the
# whole call on bare matrices, of an object for paga. The task runs once on
# 2,000 of the cells and is then measured. Rows of the output: program,
# task, cells, seed, measure, value.

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
    library(SingleCellExperiment)
    library(fatecast)
})
options(fatecast.threads = threads)

small <- function() buildNeighbors(readCells(2000L), NEIGHBORS)$connectivities

neighbours <- function(program, transformer) {
    find <- function(x) {
        buildNeighbors(
            x, NEIGHBORS, transformer = transformer, random_state = seed
        )
    }
    invisible(find(readCells(2000L)))
    x <- readCells()
    graphs <- measured(program, "neighbours", find(x))
    # Entry [i, j] for each neighbour j of i: by rows, in any order.
    found <- as(graphs$distances, "TsparseMatrix")
    others <- found@j[order(found@i)]
    stopifnot(length(others) == cells * (NEIGHBORS - 1L))
    save(program, "knn", others, 4L)
}

leiden <- function() {
    graph <- readGraph()
    cluster <- function(n_iterations) {
        clusterLeiden(
            graph, random_state = seed, n_iterations = n_iterations
        )
    }
    invisible(clusterLeiden(small()))
    labels <- function(found) as.integer(found$labels) - 1L
    for (n_iterations in c(2, -1)) {
        what <- if (n_iterations < 0) "until stable" else "2 iterations"
        found <- measured(
            "fatecast", task, cluster(n_iterations), paste0(what, ", ")
        )
        report("fatecast", task, paste0(what, ", modularity"), modularityOf(
            graph, labels(found)
        ))
    }
    report("fatecast", task, "until stable, clusters", found$n_clusters)
    report("fatecast", task, "until stable, iterations", found$iterations)
    save("fatecast", "leiden", labels(found), 4L)
    # Modularity against time: a call for each number of iterations.
    for (n_iterations in seq_len(min(found$iterations, 8L))) {
        spent <- system.time(found <- cluster(n_iterations))[["elapsed"]]
        report("fatecast", task, paste("curve seconds", n_iterations), spent)
        report(
            "fatecast", task, paste("curve modularity", n_iterations),
            modularityOf(graph, labels(found))
        )
    }
}

embed <- function(init_pos) {
    graph <- readGraph()
    invisible(embedUMAP(small(), maxiter = 20))
    y <- measured("fatecast", task, embedUMAP(
        graph, init_pos = init_pos, random_state = seed
    ))
    save("fatecast", task, unname(y))
}

diffmap <- function() {
    graph <- readGraph()
    invisible(computeDiffusionMap(small()))
    found <- measured("fatecast", task, computeDiffusionMap(
        graph, n_comps = 15, random_state = seed
    ))
    save("fatecast", "diffmap", unname(found$vectors))
    save("fatecast", "diffmap-values", found$values)
}

paga <- function() {
    asObject <- function(x, branch) {
        sce <- SingleCellExperiment(
            list(logcounts = sparseMatrix(
                i = integer(), j = integer(), x = numeric(),
                dims = c(1L, nrow(x))
            )),
            reducedDims = list(PCA = x)
        )
        colnames(sce) <- paste0("cell", seq_len(nrow(x)))
        sce$branch <- branch
        buildNeighbors(sce, NEIGHBORS, use_rep = "PCA", transformer = "exact")
    }
    branch <- readBranch()
    warm <- seq_len(2000L)
    invisible(computePAGA(asObject(readCells(2000L), branch[warm]), "branch"))
    sce <- asObject(readCells(), branch)
    sce <- measured("fatecast", task, computePAGA(sce, "branch"))
    save("fatecast", "paga", unname(as.matrix(pagaConnectivities(sce))))
}

switch(task,
    neighbours = neighbours("fatecast", "approximate"),
    "neighbours-exact" = neighbours("fatecast-exact", "exact"),
    leiden = leiden(),
    umap = embed("spectral"),
    layout = embed(readStart()),
    diffmap = diffmap(),
    paga = paga()
)
