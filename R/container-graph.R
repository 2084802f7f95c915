# Graphs, distances and embeddings in the order of the cells, for any container.

.hasGraph <- function(x, key, experiment = NULL) {
    key %in% .graphNames(x, experiment)
}


# A matrix of cells by dimensions, with the cells of the object in its rows.
.cellRows <- function(m, cells, what, call = rlang::caller_env()) {
    if (!is.null(rownames(m))) {
        at <- .matchCells(rownames(m), cells, what, call)
        if (!is.null(at)) {
            m <- m[at, , drop = FALSE]
        }
    } else if (nrow(m) != length(cells)) {
        .abort(
            "shape", paste0(
                what, " has ", .count(nrow(m), "row"), ", but the object has ",
                .count(length(cells), "cell"), "."
            ),
            dim = dim(m), n_cells = length(cells), call = call
        )
    }
    .withNames(m, list(cells, colnames(m)))
}

# The matrix with these names; one that has them is not copied.
.withNames <- function(m, names) {
    if (!identical(dimnames(m), names)) dimnames(m) <- names
    m
}

# A graph as dgCMatrix in the order of the cells, matched by name.
.cellGraph <- function(m, cells, what, call = rlang::caller_env()) {
    m <- .asGeneral(m, what, call)
    rows <- rownames(m)
    if (is.null(rows)) {
        rows <- colnames(m)
    }
    if (nrow(m) != ncol(m) || (is.null(rows) && nrow(m) != length(cells))) {
        .abort(
            "shape", paste0(
                what, " is ", nrow(m), " x ", ncol(m),
                ", but the object has ", .count(length(cells), "cell"), "."
            ),
            dim = dim(m), n_cells = length(cells), call = call
        )
    }
    if (!is.null(rows)) {
        columns <- if (is.null(colnames(m))) rows else colnames(m)
        i <- .matchCells(rows, cells, what, call)
        j <- .matchCells(columns, cells, what, call)
        if (!is.null(i) || !is.null(j) || nrow(m) != length(cells)) {
            m <- m[
                if (is.null(i)) seq_along(cells) else i,
                if (is.null(j)) seq_along(cells) else j,
                drop = FALSE
            ]
        }
    }
    .nameBoth(m, cells)
}

.nameBoth <- function(m, cells) .withNames(m, list(cells, cells))

# Edges as row-sorted pairs: from and to counted from one.
#' @importFrom Matrix t
.graphPairs <- function(m) {
    dimnames(m) <- list(NULL, NULL)
    rows <- t(m)
    list(
        from = rep.int(seq_len(nrow(m)), diff(rows@p)),
        to = rows@i + 1L, x = rows@x
    )
}

# The graph of pairs in any order; of repeated pairs the last one counts, and
# zeros that are stored stay.
.pairsGraph <- function(from, to, x, cells, call = rlang::caller_env()) {
    .fromSlots(.unwrap(rs_graph_pairs(
        length(cells), as.integer(from), as.integer(to), as.double(x)
    ), call = call), cells)
}

# A graph of distances as neighbour lists, nearest first.
.distanceRows <- function(m) {
    pairs <- .graphPairs(m)
    .pairRows(pairs$from, pairs$to, pairs$x, nrow(m))
}

# Neighbour lists from pairs: each row by distance, ties by index, the cell
# itself left out, padded with NA on the right.
.pairRows <- function(from, to, x, n) {
    keep <- from != to
    from <- from[keep]
    to <- to[keep]
    x <- x[keep]
    sorted <- order(from, x, to, method = "radix")
    count <- tabulate(from, n)
    width <- max(0L, count)
    at <- cbind(from[sorted], sequence(count))
    indices <- matrix(NA_integer_, n, width)
    distances <- matrix(NA_real_, n, width)
    indices[at] <- as.integer(to[sorted])
    distances[at] <- as.double(x[sorted])
    list(indices = indices, distances = distances)
}

.checkDistances <- function(indices, distances, n,
                            call = rlang::caller_env()) {
    fits <- is.matrix(indices) && is.matrix(distances) &&
        identical(dim(indices), dim(distances)) && nrow(indices) == n
    if (!fits) {
        .abort(
            "shape", paste0(
                "Neighbour indices and distances must be two matrices of ",
                n, " rows and equal size, not ", .describe(indices), " and ",
                .describe(distances), "."
            ),
            call = call
        )
    }
    off <- !is.na(indices) & (indices < 1 | indices > n)
    if (any(off)) {
        .abort(
            "range", paste0(
                sum(off), " neighbour indices are outside 1 to ", n, "."
            ),
            n_outside = sum(off), call = call
        )
    }
}

# Missing graph: a stale record explains it better than a list of names.
.missingGraph <- function(x, key, call = rlang::caller_env()) {
    .checkFresh(x, key, call = call)
    .missingKey(
        "graph", key, .graphNames(x),
        "Run buildNeighbors() first, or name one of the graphs above.",
        call = call
    )
}
