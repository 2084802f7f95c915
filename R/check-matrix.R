# Checks of matrices: names, embeddings, graphs. Each returns the checked value.

# Cell names of two things that are to be combined.
.checkNames <- function(a, b, what, call = caller_env()) {
    if (length(a) != length(b)) {
        .abort(
            "shape", paste0(
                what, " must have the same cells, but they have ",
                length(a), " and ", length(b), "."
            ),
            n_cells = c(length(a), length(b)), call = call
        )
    }
    differ <- which(a != b)
    if (length(differ)) {
        order_only <- setequal(a, b)
        .abort(
            "container_cells", paste0(
                what, " must have identical cell names in the same order; ",
                length(differ), " of ", length(a), " differ, first ",
                .someNames(a[differ[1L]]), " against ",
                .someNames(b[differ[1L]]), "."
            ), if (order_only) {
                "The names agree as sets: bring both into one order first."
            },
            cells = a[differ], call = call
        )
    }
    invisible(a)
}

.checkEmbedding <- function(matrix, what = "The embedding",
                            call = caller_env()) {
    ok <- length(dim(matrix)) == 2L && (is.numeric(matrix) ||
        is.logical(matrix) || methods::is(matrix, "Matrix"))
    if (!ok) {
        .abort(
            "type", paste0(
                what, " must be a numeric matrix with one row per cell, not ",
                .describe(matrix), "."
            ),
            call = call
        )
    }
    matrix <- .plainMatrix(matrix)
    bad <- which(!is.finite(rowSums(matrix)))
    # A row of huge finite values may overflow in the sum.
    bad <- bad[rowSums(!is.finite(matrix[bad, , drop = FALSE])) > 0]
    if (length(bad)) {
        cells <- .rowLabels(matrix, bad)
        .abort(
            "range", paste0(
                what, " has missing or infinite coordinates in ",
                .count(length(bad), "cell"), ": ", .someNames(cells), "."
            ),
            "Remove these cells or compute the coordinates again.",
            cells = cells, call = call
        )
    }
    matrix
}

# Square, finite, non-negative and, unless allowed, without isolated cells.
# Returns the graph as a dgCMatrix.
.checkGraph <- function(m, what = "The graph", isolated = FALSE,
                        call = caller_env()) {
    if (length(dim(m)) != 2L || nrow(m) != ncol(m)) {
        .abort(
            "shape", paste0(
                what, " must be a square matrix of cells by cells, not ",
                .describe(m), "."
            ),
            dim = dim(m), call = call
        )
    }
    m <- .asGeneral(m, what, call)
    faults <- .unwrap(rs_graph_faults(.slots(m)), call = call)
    if (faults$edges > 0) {
        cells <- .rowLabels(m, faults$cells)
        .abort(
            "range", paste0(
                what, " has ",
                .count(faults$edges, "negative or non-finite edge"),
                ", in cells ", .someNames(cells), "."
            ),
            cells = cells, n_edges = as.integer(faults$edges), call = call
        )
    }
    empty <- faults$isolated
    if (!isolated && length(empty)) {
        cells <- .rowLabels(m, empty)
        .abort(
            "disconnected", paste0(
                what, " leaves ", .count(length(empty), "cell"),
                " without a neighbour: ", .someNames(cells), "."
            ), paste(
                "Run buildNeighbors() with more neighbours, or remove",
                "these cells."
            ),
            cells = cells, call = call
        )
    }
    m
}

# Any matrix as a general, column-compressed, double matrix. Zeros that are
# stored stay stored.
#' @importFrom methods as is
.asGeneral <- function(m, what = "The matrix", call = caller_env()) {
    if (identical(class(m)[1L], "dgCMatrix")) {
        return(m)
    }
    if (is.data.frame(m) || !(is.matrix(m) || is(m, "Matrix")) ||
        is.character(m)) {
        .abort(
            "type", paste0(
                what, " must be a numeric matrix, not ", .describe(m), "."
            ),
            call = call
        )
    }
    if (is.matrix(m)) {
        storage.mode(m) <- "double"
    }
    if (is(m, "dgCMatrix")) {
        return(methods::new(
            "dgCMatrix",
            i = m@i, p = m@p, x = m@x, Dim = m@Dim, Dimnames = m@Dimnames
        ))
    }
    as(as(as(m, "dMatrix"), "generalMatrix"), "CsparseMatrix")
}

# Values and dimension names alone, as double.
.plainMatrix <- function(m) {
    plain <- c("dim", "dimnames")
    if (is.matrix(m) && is.double(m) && all(names(attributes(m)) %in% plain)) {
        return(m)
    }
    names <- dimnames(m)
    m <- as.matrix(m)
    matrix(as.double(m), nrow(m), ncol(m), dimnames = names)
}

.rowLabels <- function(m, rows) {
    labels <- rownames(m)
    if (is.null(labels)) rows else labels[rows]
}
