# Changing values, names and colours of a Lineage.

#' @include lineage-index.R
NULL

#' @rdname Lineage
#' @export
setReplaceMethod("lineageNames", "Lineage", function(x, ..., value) {
    .checkDots(..., .formals = c("x", "value"))
    dimnames(x) <- list(rownames(x), value)
    x
})

#' @rdname Lineage
#' @export
setReplaceMethod("lineageColors", "Lineage", function(x, ..., value) {
    .checkDots(..., .formals = c("x", "value"))
    x@colors <- .checkLineageColors(value, colnames(x))
    x
})

#' @rdname Lineage
#' @export
setReplaceMethod("[", "Lineage", function(x, i, j, ..., value) {
    if (!is.numeric(value) && !(is.logical(value) && all(is.na(value)))) {
        .abort(
            "type", paste0(
                "Values of a Lineage are numbers, not ", .describe(value), "."
            )
        )
    }
    value <- .plainLineage(value)
    m <- .lineageMatrix(x)
    if (nargs() == 3L && !missing(i) && !is.character(i)) {
        m <- .replaceValues(m, i, value)
        return(.newLineage(m, colnames(x), x@colors))
    }
    # x["A"] names lineages, as it does for reading.
    alone <- nargs() == 3L && !missing(i)
    rows <- .lineageIndex(
        if (!alone && !missing(i)) i, nrow(x), rownames(x), "cell",
        rlang::current_env()
    )
    columns <- .lineageIndex(
        if (alone) i else if (!missing(j)) j, ncol(x), colnames(x), "lineage",
        rlang::current_env()
    )
    if (length(value) == 0L ||
        (length(rows) * length(columns)) %% length(value) != 0) {
        .badReplacement(length(value), length(rows) * length(columns))
    }
    m[rows, columns] <- value
    .newLineage(m, colnames(x), x@colors)
})

# Single values, which may not make the matrix grow.
.replaceValues <- function(m, i, value, call = rlang::caller_env()) {
    at <- tryCatch(matrix(seq_along(m), nrow(m))[i], error = function(e) NA)
    if (anyNA(at)) {
        .abort(
            "range", paste0(
                "An index of values is missing or outside the matrix of ",
                nrow(m), " x ", ncol(m), "."
            ), dim = dim(m), call = call
        )
    }
    if (length(value) == 0L || length(at) %% length(value) != 0) {
        .badReplacement(length(value), length(at), call)
    }
    m[at] <- value
    m
}

.badReplacement <- function(found, expected, call = rlang::caller_env()) {
    .abort(
        "shape", paste0(
            .count(expected, "value"), " cannot be replaced by ", found, "."
        ), expected = expected, found = found, call = call
    )
}
