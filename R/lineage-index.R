# Indexing of a Lineage.

#' @include lineage.R
NULL

#' @rdname Lineage
#' @export
setMethod("[", "Lineage", function(x, i, j, ..., drop = FALSE) {
    given <- nargs() - !missing(drop)
    if (given > 3L) {
        .abort(
            "shape", paste0(
                "A Lineage has two dimensions; ", given - 1L,
                " indices are too many."
            ), n = given - 1L
        )
    }
    if (given == 2L && !missing(i)) {
        if (!is.character(i)) {
            return(.lineageMatrix(x)[i])
        }
        return(.subsetLineage(x, NULL, i, drop))
    }
    .subsetLineage(
        x, if (missing(i)) NULL else i, if (missing(j)) NULL else j, drop
    )
})

# NULL stands for all rows or all columns.
.subsetLineage <- function(x, i, j, drop, call = rlang::caller_env()) {
    rows <- .lineageIndex(i, nrow(x), rownames(x), "cell", call)
    columns <- .lineageIndex(j, ncol(x), colnames(x), "lineage", call)
    columns <- unique(columns)
    if (!length(columns)) {
        .abort("shape", "No lineage is left.", call = call)
    }
    m <- .lineageMatrix(x)[rows, columns, drop = FALSE]
    if (isTRUE(drop) && any(dim(m) == 1L)) {
        return(m[, , drop = TRUE])
    }
    .newLineage(m, colnames(m), x@colors[columns])
}

# Positions meant by an index of cells or lineages.
.lineageIndex <- function(index, n, names, noun, call) {
    if (is.null(index)) {
        return(seq_len(n))
    }
    if (is.character(index) || is.factor(index)) {
        index <- as.character(index)
        at <- match(enc2utf8(index), enc2utf8(as.character(names)))
        if (anyNA(at)) {
            gone <- index[is.na(at)]
            .abort(
                "missing_key", paste0(
                    "There is no ", noun, " called ", .someNames(gone), "."
                ), paste0("The ", noun, "s are ", .someNames(names, 20L), "."),
                key = gone, call = call
            )
        }
        return(at)
    }
    if (is.logical(index) && length(index) != n && length(index) != 1L) {
        .abort(
            "shape", paste0(
                "A logical index of ", noun, "s must have length ", n,
                ", not ", length(index), "."
            ),
            n = n, length = length(index), call = call
        )
    }
    at <- tryCatch(seq_len(n)[index], error = function(e) NA_integer_)
    if (anyNA(at)) {
        .abort(
            "range", paste0(
                "An index of ", noun, "s is missing or outside 1 to ", n, "."
            ),
            n = n, call = call
        )
    }
    at
}

#' @rdname Lineage
#' @export
setMethod("[[", "Lineage", function(x, i, j, ...) {
    if (missing(j)) {
        column <- .lineageIndex(
            i, ncol(x), colnames(x), "lineage", rlang::current_env()
        )
        .checkOne(column, "lineage")
        return(stats::setNames(as.vector(x@.Data[, column]), rownames(x)))
    }
    picked <- .subsetLineage(x, i, j, FALSE)
    .checkOne(seq_len(nrow(picked)), "cell")
    .checkOne(seq_len(ncol(picked)), "lineage")
    as.vector(picked@.Data)
})

.checkOne <- function(at, noun, call = rlang::caller_env()) {
    if (length(at) != 1L) {
        .abort(
            "shape", paste0(
                "`[[` takes one ", noun, ", not ", length(at), "."
            ),
            call = call
        )
    }
}
