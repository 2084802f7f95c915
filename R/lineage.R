# Lineage: a matrix of cells x lineages that knows its names and colours.

#' Lineages: a matrix with names and colours
#'
#' A numeric matrix of cells x lineages (fate probabilities, memberships) with a
#' unique name and a colour for every lineage. Rows are cells, columns are
#' lineages; a row of NA is a cell for which there is no value, such as one that
#' reaches no terminal state. Values are not checked further: they need not sum
#' to one.
#'
#' @section Indexing: `x[i, j]` indexes like a matrix, but the result is always
#'   a `Lineage` with two dimensions and matching names and colours unless
#'   `drop = TRUE` asks for a vector. A column named twice is taken once. A name
#'   alone, as in `x["A"]`, selects lineages; numbers or a logical matrix alone
#'   select values, as for any matrix. `x[["A"]]` is one column as a plain
#'   vector named by cell, `x[["cell", "A"]]` one value. Arithmetic, comparison,
#'   mathematical functions, `t()` and `as.matrix()` give plain matrices.
#'   Assigning values, names (`lineageNames(x) <-`, `colnames(x) <-`) or colours
#'   (`lineageColors(x) <-`) keeps the class and checks what is assigned; the
#'   matrix cannot grow that way. [pickLineages()] follows one lineage per cell,
#'   [mixLineages()] adds lineages up, [summarizeLineages()] and
#'   [reduceLineages()] make them fewer.
#'
#' Cost: linear in the size of the result. Randomness, threads: not applicable.
#'
#' @param x for `Lineage()`: a numeric matrix or data frame, cells x lineages, a
#'   vector (one lineage) or a `Lineage`; otherwise a `Lineage`.
#' @param names names of the lineages; NULL takes the column names, else the
#'   numbers from 1.
#' @param colors colours of the lineages, in any form R knows, in order or named
#'   by lineage; NULL takes those of `x` if it is a `Lineage`, else the default
#'   palette of 62. Stored as `#rrggbb`.
#' @param i,j rows and columns: positions, logical, or names.
#' @param drop whether a single row or column becomes a plain vector.
#' @param object a `Lineage`.
#' @param value for `dimnames`: a list of cell names (or NULL) and lineage
#'   names; for the others the new names, colours or numbers.
#' @param ... for `Lineage()` and the accessors: not used, anything here is an
#'   error.
#' @return `Lineage()`: an object of class `Lineage`. `lineageNames()`: a
#'   character vector. `lineageColors()`: hex codes named by lineage. The
#'   replacement functions: the changed `Lineage`.
#' @section Conditions: `fatecast_error_shape` (no cells, no lineages, wrong
#'   number of names or colours), `fatecast_error_type` (values that are not
#'   numeric, unknown colours), `fatecast_error_duplicate_names`,
#'   `fatecast_error_missing_key` (unknown cells or lineages),
#'   `fatecast_error_range` (positions outside the matrix).
#' @examples
#' fates <- matrix(
#'     c(0.7, 0.2, 0.5, 0.3, 0.8, 0.5), 3,
#'     dimnames = list(c("c1", "c2", "c3"), c("Alpha", "Beta"))
#' )
#' x <- Lineage(fates, colors = c("steelblue", "#d62728"))
#' x
#' lineageColors(x[, "Beta"])
#' x[["Alpha"]]
#' @name Lineage
#' @aliases Lineage-class
#' @include AllClasses.R AllGenerics.R color.R
#' @exportClass Lineage
setClass("Lineage",
    contains = "matrix",
    slots = c(colors = "character", version = "character")
)

setValidity("Lineage", function(object) {
    names <- colnames(object)
    c(
        if (!is.numeric(object)) "values are not numeric",
        if (ncol(object) < 1L) "there are no lineages",
        if (is.null(names) || anyNA(names) || !all(nzchar(names))) {
            "a lineage has no name"
        },
        if (anyDuplicated(names)) "lineage names are not unique",
        if (length(object@colors) != ncol(object)) {
            "there must be one colour per lineage"
        },
        if (!all(grepl("^#[0-9a-f]{6}$", object@colors))) {
            "colours must be lower-case #rrggbb"
        }
    )
})

#' @rdname Lineage
#' @export
Lineage <- function(x, names = NULL, colors = NULL) {
    if (is(x, "Lineage")) {
        colors <- if (is.null(colors)) x@colors else colors
        x <- .lineageMatrix(x)
    }
    x <- .checkLineageValues(x)
    if (is.null(names)) {
        names <- colnames(x)
    }
    if (is.null(names)) {
        names <- as.character(seq_len(ncol(x)))
    }
    names <- .checkLineageNames(names, ncol(x))
    colors <- .checkLineageColors(colors, names)
    .newLineage(x, names, colors)
}

# `x` is a double matrix; names and colours have been checked.
.newLineage <- function(x, names, colors) {
    dimnames(x) <- list(rownames(x), names)
    methods::new(
        "Lineage", x,
        colors = unname(colors), version = .packageVersion()
    )
}

# The values alone, as a base matrix.
.lineageMatrix <- function(x) {
    matrix(as.vector(x@.Data), nrow(x), ncol(x), dimnames = dimnames(x))
}

.checkLineageValues <- function(x, call = rlang::caller_env()) {
    if (is.data.frame(x) || is(x, "Matrix")) {
        x <- as.matrix(x)
    }
    if (length(dim(x)) > 2L) {
        .abort(
            "shape", paste0(
                "A Lineage has two dimensions, not ", length(dim(x)), "."
            ),
            dim = dim(x), call = call
        )
    }
    if (!is.numeric(x)) {
        .abort(
            "type", paste0(
                "A Lineage is made from a numeric matrix, not ",
                .describe(x), "."
            ),
            call = call
        )
    }
    if (is.null(dim(x))) {
        x <- matrix(x, ncol = 1L, dimnames = list(names(x), NULL))
    }
    if (!nrow(x) || !ncol(x)) {
        .abort(
            "shape", paste0(
                "A Lineage needs at least one cell and one lineage, not ",
                nrow(x), " x ", ncol(x), "."
            ),
            dim = dim(x), call = call
        )
    }
    matrix(as.double(x), nrow(x), ncol(x), dimnames = dimnames(x))
}

.checkLineageNames <- function(names, n, call = rlang::caller_env()) {
    names <- enc2utf8(as.character(names))
    if (length(names) != n || anyNA(names) || !all(nzchar(names))) {
        .abort(
            "shape", paste0(
                "There must be one name for each of the ",
                .count(n, "lineage"), ", not ",
                sum(nzchar(names), na.rm = TRUE), "."
            ),
            n = n, names = names, call = call
        )
    }
    if (anyDuplicated(names)) {
        twice <- unique(names[duplicated(names)])
        .abort(
            "duplicate_names", paste0(
                "Lineage names must be unique, but these occur more than ",
                "once: ", .someNames(twice), "."
            ),
            names = twice, call = call
        )
    }
    names
}

.checkLineageColors <- function(colors, names, call = rlang::caller_env()) {
    if (is.null(colors)) {
        return(.defaultColors(length(names), call))
    }
    if (length(colors) != length(names)) {
        .abort(
            "shape", paste0(
                "There must be one colour for each of the ",
                .count(length(names), "lineage"), ", not ", length(colors),
                "."
            ),
            n = length(names), n_colors = length(colors), call = call
        )
    }
    colors <- .asHex(colors, call = call)
    if (!is.null(names(colors)) && setequal(names(colors), names)) {
        colors <- colors[names]
    }
    unname(colors)
}

# ---- Accessors ----

#' @rdname Lineage
#' @export
setMethod("lineageNames", "Lineage", function(x, ...) {
    .checkDots(..., .formals = "x")
    colnames(x)
})

#' @rdname Lineage
#' @export
setMethod("lineageColors", "Lineage", function(x, ...) {
    .checkDots(..., .formals = "x")
    stats::setNames(x@colors, colnames(x))
})

#' @rdname Lineage
#' @export
setMethod("dimnames<-", "Lineage", function(x, value) {
    names <- if (length(value) == 2L) value[[2L]]
    names <- .checkLineageNames(names, ncol(x))
    m <- .lineageMatrix(x)
    dimnames(m) <- list(value[[1L]], names)
    .newLineage(m, names, x@colors)
})

# ---- Leaving the class ----

#' @rdname Lineage
#' @method as.matrix Lineage
#' @export
as.matrix.Lineage <- function(x, ...) .lineageMatrix(x)

#' @rdname Lineage
#' @method t Lineage
#' @export
t.Lineage <- function(x) t(.lineageMatrix(x))

#' @rdname Lineage
#' @method as.data.frame Lineage
#' @export
as.data.frame.Lineage <- function(x, ...) {
    as.data.frame(.lineageMatrix(x), optional = TRUE, ...)
}

.plainLineage <- function(x) if (is(x, "Lineage")) .lineageMatrix(x) else x

# Group methods of S3 cover unary operators, those of S4 what `methods` would
# otherwise do for a matrix: keep the class.

#' @rdname Lineage
#' @param e1,e2 operands, at least one of them a `Lineage`.
#' @method Ops Lineage
#' @export
Ops.Lineage <- function(e1, e2) {
    op <- match.fun(.Generic)
    if (missing(e2)) {
        return(op(.plainLineage(e1)))
    }
    op(.plainLineage(e1), .plainLineage(e2))
}

#' @rdname Lineage
#' @method Math Lineage
#' @export
Math.Lineage <- function(x, ...) {
    match.fun(.Generic)(.lineageMatrix(x), ...)
}

.plainOps <- function(e1, e2) {
    match.fun(.Generic)(.plainLineage(e1), .plainLineage(e2))
}

#' @rdname Lineage
#' @export
setMethod("Ops", signature("Lineage", "Lineage"), .plainOps)

#' @rdname Lineage
#' @export
setMethod("Ops", signature("Lineage", "vector"), .plainOps)

#' @rdname Lineage
#' @export
setMethod("Ops", signature("vector", "Lineage"), .plainOps)

#' @rdname Lineage
#' @export
setMethod("Ops", signature("Lineage", "structure"), .plainOps)

#' @rdname Lineage
#' @export
setMethod("Ops", signature("structure", "Lineage"), .plainOps)

#' @rdname Lineage
#' @export
setMethod("Math", "Lineage", function(x) {
    match.fun(.Generic)(.lineageMatrix(x))
})

#' @rdname Lineage
#' @param digits as in [round()].
#' @export
setMethod("Math2", "Lineage", function(x, digits) {
    fn <- match.fun(.Generic)
    m <- .lineageMatrix(x)
    if (missing(digits)) fn(m) else fn(m, digits)
})

#' @rdname Lineage
#' @export
setMethod("show", "Lineage", function(object) {
    n <- nrow(object)
    cat(
        "Lineage: ", .count(n, "cell"), " x ",
        .count(ncol(object), "lineage"), "\n",
        sep = ""
    )
    m <- .lineageMatrix(object)
    if (is.null(rownames(m))) {
        rownames(m) <- paste0("[", seq_len(n), ",]")
    }
    if (n <= 100L) {
        print(format(m, digits = 4L), quote = FALSE)
        return(invisible(object))
    }
    part <- format(m[c(seq_len(10L), n - 9:0), , drop = FALSE], digits = 4L)
    lines <- utils::capture.output(print(part, quote = FALSE))
    at <- length(lines) - 10L
    cat(
        lines[seq_len(at)], paste0("... ", n - 20L, " cells more ..."),
        lines[at + seq_len(10L)],
        sep = "\n"
    )
    invisible(object)
})

#' @rdname Lineage
#' @param verbose not used.
#' @importFrom BiocGenerics updateObject
#' @export
setMethod("updateObject", "Lineage", function(object, ..., verbose = FALSE) {
    .newLineage(.lineageMatrix(object), colnames(object), object@colors)
})
