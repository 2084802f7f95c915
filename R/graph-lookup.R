# Which graph a verb works on: by neighbours, by key, or as given.

#' @include container.R key.R record.R
NULL

# The graph a verb is asked to use: list of `matrix` (dgCMatrix, cells x cells,
# named), `key`, `neighbors` (record of the run that made it, or NULL) and
# `source` (what a record says of it). A bare matrix is its own graph.
.findGraph <- function(x, neighbors_key = NULL, obsp = NULL, adjacency = NULL,
                       call = rlang::caller_env()) {
    .checkString(neighbors_key, null = TRUE, arg = "neighbors_key", call = call)
    .checkString(obsp, null = TRUE, arg = "obsp", call = call)
    given <- c(
        neighbors_key = !is.null(neighbors_key), obsp = !is.null(obsp),
        adjacency = !is.null(adjacency)
    )
    bare <- .containerClass(x) == "matrix"
    .checkOneGraph(names(given)[given], bare, call)
    if (bare) {
        return(.foundGraph(.readGraph(x, ""), NULL, NULL, list()))
    }
    if (!is.null(adjacency)) {
        m <- .cellGraph(adjacency, .cellNames(x), "`adjacency`", call)
        return(.foundGraph(m, NULL, NULL, list(adjacency = adjacency)))
    }
    if (!is.null(obsp)) {
        if (!.hasGraph(x, obsp)) .missingGraph(x, obsp, call)
        return(.foundGraph(
            .readGraph(x, obsp), obsp, .runOf(x, obsp), list(obsp = obsp)
        ))
    }
    record <- .readRecord(x, .keyNeighbors(neighbors_key)$record)
    key <- .keyOfRun(record, neighbors_key, "connectivities")
    if (!.hasGraph(x, key)) .missingGraph(x, key, call)
    .foundGraph(
        .readGraph(x, key), key, if (.isRecord(record)) record,
        list(neighbors_key = neighbors_key, connectivities_key = key)
    )
}

.foundGraph <- function(matrix, key, neighbors, source) {
    list(matrix = matrix, key = key, neighbors = neighbors, source = source)
}

.checkOneGraph <- function(given, bare, call) {
    most <- if (bare) 0L else 1L
    if (length(given) <= most) return(invisible())
    .abort(
        "range", if (bare) {
            paste0(
                "A bare matrix is the graph itself; ",
                .someNames(given), " cannot be used with it."
            )
        } else {
            paste0(
                "Only one of ", .someNames(given),
                " can name the graph to use."
            )
        },
        argument = given, call = call
    )
}

# Key of one of the two graphs of a run of buildNeighbors().
.keyOfRun <- function(record, neighbors_key, which) {
    key <- if (.isRecord(record)) record[[paste0(which, "_key")]]
    if (is.null(key)) key <- .keyNeighbors(neighbors_key)[[which]]
    key
}

# Record of the run that wrote the graph `key`, or NULL.
.runOf <- function(x, key) {
    record <- .recordFor(x, key)
    if (identical(record$verb, "buildNeighbors")) record
}

# Stored distances of a run as a graph: entry [i, j] for each neighbour j of i.
.findDistances <- function(x, neighbors_key = NULL,
                           call = rlang::caller_env()) {
    .checkString(neighbors_key, null = TRUE, arg = "neighbors_key", call = call)
    record <- .readRecord(x, .keyNeighbors(neighbors_key)$record)
    key <- .keyOfRun(record, neighbors_key, "distances")
    if (!.hasGraph(x, key)) .missingGraph(x, key, call)
    .readGraph(x, key)
}

# The coordinates a run of buildNeighbors() searched in, or NULL when they are
# not to be had any more.
.searchedIn <- function(x, neighbors, call = rlang::caller_env()) {
    p <- neighbors$params
    name <- p$use_rep
    if (is.null(name) || identical(name, "X") || !.hasEmbedding(x, name)) {
        return(NULL)
    }
    m <- .readEmbedding(x, name, p$experiment)
    columns <- if (is.null(p$n_pcs)) ncol(m) else min(p$n_pcs, ncol(m))
    m[, seq_len(columns), drop = FALSE]
}
