# One task of the graph benchmarks in the R peers: uwot and igraph.
# Rscript peer.R <folder> <cells> <task> <seed> <threads> <output.tsv>
#
# neighbours: uwot (Annoy), with the weights; leiden: igraph; umap: uwot on the
# exact neighbours, its own spectral start; layout: the same from a given start.
# Rows of the output: program, task, cells, seed, measure, value.

arguments <- commandArgs(trailingOnly = TRUE)
stopifnot(
    "usage: peer.R <folder> <cells> <task> <seed> <threads> <output.tsv>" =
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
needed <- if (task == "leiden") "igraph" else "uwot"
if (!requireNamespace(needed, quietly = TRUE)) {
    message("skipped: ", needed, " is not installed")
    quit(status = 0L)
}
suppressMessages(library(Matrix))

neighbours <- function() {
    x <- readCells()
    set.seed(seed)
    found <- measured("uwot-annoy", task, uwot::umap(
        x, n_neighbors = NEIGHBORS, n_epochs = 0, init = x[, seq_len(2)],
        nn_method = "annoy", ret_nn = TRUE, n_threads = threads,
        verbose = FALSE
    ))
    index <- found$nn$euclidean$idx
    # The cell itself, wherever it stands; else the last one goes.
    own <- index == seq_len(cells)
    own[rowSums(own) == 0L, NEIGHBORS] <- TRUE
    others <- matrix(t(index)[t(!own)], cells, NEIGHBORS - 1L, byrow = TRUE)
    save("uwot-annoy", "knn", integers(others - 1), 4L)
}

leiden <- function() {
    graph <- igraph::graph_from_adjacency_matrix(
        readGraph(), mode = "undirected", weighted = TRUE
    )
    weights <- igraph::E(graph)$weight
    cluster <- function(n_iterations, start = NULL) {
        found <- igraph::cluster_leiden(
            graph, objective_function = "modularity",
            initial_membership = start, n_iterations = n_iterations
        )
        as.integer(igraph::membership(found))
    }
    note <- function(what, label) {
        report("igraph-R", task, what, igraph::modularity(
            graph, label, weights = weights
        ))
    }
    for (n_iterations in c(2, 10)) {
        what <- paste0(n_iterations, " iterations, ")
        set.seed(seed)
        label <- measured("igraph-R", task, cluster(n_iterations), what)
        note(paste0(what, "modularity"), label)
    }
    save("igraph-R", "leiden", label - 1L, 4L)
    # Modularity against time: iteration by iteration from the last partition.
    set.seed(seed)
    label <- NULL
    spent <- 0
    for (number in seq_len(10L)) {
        spent <- spent + system.time(label <- cluster(1, label))[["elapsed"]]
        report("igraph-R", task, paste("curve seconds", number), spent)
        note(paste("curve modularity", number), label)
    }
}

embed <- function(init) {
    near <- readKnn()
    near <- list(
        idx = cbind(seq_len(cells), near$index),
        dist = cbind(0, near$distance)
    )
    set.seed(seed)
    found <- measured("uwot", task, uwot::umap(
        NULL, nn_method = near, n_neighbors = NEIGHBORS, min_dist = 0.5,
        spread = 1, init = init, n_threads = threads,
        n_sgd_threads = threads, verbose = FALSE
    ))
    save("uwot", task, found)
}

switch(task,
    neighbours = neighbours(),
    leiden = leiden(),
    umap = embed("spectral"),
    layout = embed(readStart())
)
