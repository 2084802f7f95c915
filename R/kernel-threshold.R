#' Schemes that bias a graph by time
#'
#' What becomes of edges that lead from a cell to an earlier one. A scheme is a
#' value; `biasKnn()` applies it to a graph, and [PseudotimeKernel()] takes it
#' as `threshold_scheme`.
#'
#' @section Schemes:
#' Cell i has k neighbours j with positive weights `w_ij` at times `t_j`.
#' \describe{
#'   \item{`HardThreshold`}{after Palantir: the `min(30, floor(k *
#'     frac_to_keep))` heaviest edges of a cell stay, of equal weights those to
#'     cells with the smaller index; of the others those with `t_i <= t_j`.}
#'   \item{`SoftThreshold`}{after VIA: an edge with `t_j < t_i` is multiplied by
#'     `2 / (1 + exp(b * (t_i - t_j)))^(1 / nu)`, any other stays as it is. With
#'     the default `nu = 0.5` the factor tends to one half, not to one, as `t_j`
#'     approaches `t_i` from below. `b` belongs to a time from 0 to 1: on a time
#'     in minutes or hours factors are soon smaller than any number, and the
#'     edges are lost.}
#'   \item{`CustomThreshold`}{a function of one cell at a time:
#'     `fun(cell_pseudotime, neigh_pseudotime, neigh_conn, ...)` gets the time
#'     of the cell, and times and weights of its k neighbours (by index), and
#'     returns k new weights, finite and not negative.}
#' }
#'
#' @section Extending:
#' A function does for most purposes. A class of one's own extends
#' `ThresholdScheme` and has a method of `biasKnn()`:
#' ```r
#' setClass("Latest", contains = "ThresholdScheme")
#' setMethod("biasKnn", "Latest", function(scheme, conn, pseudotime, ...,
#'                                         n_threads = NULL) {
#'     conn * outer(pseudotime, pseudotime, "<=")
#' })
#' computeTransitionMatrix(kernel, threshold_scheme = new("Latest"))
#' ```
#'
#' Schemes have no randomness. Time O(edges log k), memory O(edges); a function
#' of R is called once per cell, on one thread. The same bits on any number of
#' threads.
#'
#' @param frac_to_keep Fraction of the heaviest edges kept whatever their time,
#'   from 0 to 1.
#' @param b Steepness of the soft scheme, at least 0.
#' @param nu Its asymmetry, above 0.
#' @param fun The function of the custom scheme.
#' @return The constructors give a scheme. `biasKnn()` gives a `dgCMatrix` like
#'   `conn`, cells x cells, with the weights that are left; zeros are not
#'   stored, and rows are not scaled. A cell may be left without edges.
#' @section Errors:
#' `range` for parameters, times and weights outside their ranges; `shape` for
#' sizes that do not fit, and for a function that returns another number of
#' weights (the cell, the number expected and the number found are named);
#' `disconnected` for cells without neighbours in `conn`.
#' @references Setty, M. et al. (2019) Characterization of cell fate
#'   probabilities in single-cell data with Palantir. Nature Biotechnology 37,
#'   451-460. Stassen, S.V. et al. (2021) Generalized and scalable trajectory
#'   inference in single-cell omics data with VIA. Nature Communications 12,
#'   5528.
#' @examples
#' conn <- matrix(c(0, 1, 1, 1, 0, 1, 1, 1, 0), 3)
#' biasKnn(HardThreshold(frac_to_keep = 0), conn, c(0, 0.5, 1))
#' biasKnn(SoftThreshold(), conn, c(0, 0.5, 1))
#' past <- function(cell_pseudotime, neigh_pseudotime, neigh_conn, ...) {
#'     ifelse(neigh_pseudotime < cell_pseudotime, 0.1, 1) * neigh_conn
#' }
#' biasKnn(CustomThreshold(past), conn, c(0, 0.5, 1))
#' @name ThresholdScheme
#' @aliases ThresholdScheme-class HardThreshold-class SoftThreshold-class
#'   CustomThreshold-class
#'   show,ThresholdScheme-method
#' @include AllGenerics.R
NULL

#' @rdname ThresholdScheme
#' @exportClass ThresholdScheme
setClass(
    "ThresholdScheme", slots = c(version = "character"),
    contains = "VIRTUAL"
)

#' @rdname ThresholdScheme
#' @exportClass HardThreshold
setClass(
    "HardThreshold", contains = "ThresholdScheme",
    slots = c(frac_to_keep = "numeric")
)

#' @rdname ThresholdScheme
#' @exportClass SoftThreshold
setClass(
    "SoftThreshold", contains = "ThresholdScheme",
    slots = c(b = "numeric", nu = "numeric")
)

#' @rdname ThresholdScheme
#' @exportClass CustomThreshold
setClass(
    "CustomThreshold", contains = "ThresholdScheme",
    slots = c(fun = "function")
)

.inside <- function(x, low, high = Inf, open = FALSE) {
    length(x) == 1L && is.finite(x) && x <= high &&
        (if (open) x > low else x >= low)
}

setValidity("HardThreshold", function(object) {
    if (!.inside(object@frac_to_keep, 0, 1)) {
        "frac_to_keep must be one number from 0 to 1"
    }
})

setValidity("SoftThreshold", function(object) {
    c(
        if (!.inside(object@b, 0)) "b must be one number, at least 0",
        if (!.inside(object@nu, 0, open = TRUE)) {
            "nu must be one number above 0"
        }
    )
})

#' @rdname ThresholdScheme
#' @export
HardThreshold <- function(frac_to_keep = 0.3) {
    methods::new(
        "HardThreshold", frac_to_keep = .checkNumber(frac_to_keep, 0, 1),
        version = .packageVersion()
    )
}

#' @rdname ThresholdScheme
#' @export
SoftThreshold <- function(b = 10, nu = 0.5) {
    methods::new(
        "SoftThreshold", b = .checkNumber(b, 0, Inf, open_max = TRUE),
        nu = .checkNumber(nu, 0, Inf, open_min = TRUE, open_max = TRUE),
        version = .packageVersion()
    )
}

#' @rdname ThresholdScheme
#' @export
CustomThreshold <- function(fun) {
    if (!is.function(fun)) {
        .badType(
            fun, "a function of cell_pseudotime, neigh_pseudotime, neigh_conn",
            FALSE, "fun", rlang::current_env()
        )
    }
    methods::new("CustomThreshold", fun = fun, version = .packageVersion())
}

setMethod("show", "ThresholdScheme", function(object) {
    cat(class(object)[1L], "(", .describeScheme(object), ")\n", sep = "")
})

# "b = 10, nu = 0.5"; a function by its arguments.
.describeScheme <- function(scheme) {
    names <- setdiff(methods::slotNames(scheme), "version")
    values <- vapply(names, function(name) {
        value <- methods::slot(scheme, name)
        if (is.function(value)) {
            value <- args(value)
            paste0("function(", toString(names(formals(value))), ")")
        } else {
            toString(format(value))
        }
    }, "")
    paste(names, values, sep = " = ", collapse = ", ")
}

#' @rdname ThresholdScheme
#' @param object A scheme of an earlier version of the package.
#' @param verbose Not used.
#' @export
setMethod("updateObject", "ThresholdScheme", function(object, ...,
                                                      verbose = FALSE) {
    object@version <- .packageVersion()
    methods::validObject(object)
    object
})

#' @rdname ThresholdScheme
#' @param scheme A scheme.
#' @param conn The graph: a square matrix over the cells, sparse or dense, entry
#'   `[i, j]` the weight of the edge from i to j; finite, not negative, no cell
#'   without neighbours.
#' @param pseudotime A finite number per cell; names, if both have them, must be
#'   the row names of `conn`.
#' @param ... For `CustomThreshold`: passed to the function. Otherwise not used;
#'   an unknown argument is an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @export
setMethod("biasKnn", "HardThreshold", function(scheme, conn, pseudotime, ...,
                                               n_threads = NULL) {
    .checkDots(...)
    .biasNative(scheme, conn, pseudotime, n_threads)
})

#' @rdname ThresholdScheme
#' @export
setMethod("biasKnn", "SoftThreshold", function(scheme, conn, pseudotime, ...,
                                               n_threads = NULL) {
    .checkDots(...)
    .biasNative(scheme, conn, pseudotime, n_threads)
})

#' @rdname ThresholdScheme
#' @export
setMethod("biasKnn", "CustomThreshold", function(scheme, conn, pseudotime, ...,
                                                 n_threads = NULL) {
    .threads(n_threads)
    conn <- .checkGraph(conn)
    time <- .graphTimes(conn, pseudotime)
    rows <- t(conn)
    rows@x <- .customWeights(scheme@fun, rows, time, rownames(conn), ...)
    Matrix::drop0(t(rows))
})

.biasNative <- function(scheme, conn, pseudotime, n_threads,
                        call = rlang::caller_env()) {
    conn <- .checkGraph(conn, call = call)
    time <- .graphTimes(conn, pseudotime, call)
    job <- .job(n_threads, FALSE, "Bias by time", call)
    slots <- .native(
        job, rs_threshold_bias, .slots(conn), time, .schemeOptions(scheme),
        cell_names = rownames(conn)
    )
    .fromSlots(slots, rownames(conn), colnames(conn))
}

# What the core calls a scheme, and the parameters of it.
.schemeOptions <- function(scheme) {
    switch(class(scheme)[1L],
        HardThreshold = list(
            scheme = "hard", frac_to_keep = scheme@frac_to_keep
        ),
        SoftThreshold = list(scheme = "soft", b = scheme@b, nu = scheme@nu)
    )
}

# Times for the cells of a graph.
.graphTimes <- function(conn, time, call = rlang::caller_env()) {
    if (!is.numeric(time) || length(time) != nrow(conn)) {
        .abort(
            "shape", paste0(
                "`pseudotime` must be a number for each of the ",
                .count(nrow(conn), "cell"), " of the graph, not ",
                .describe(time), "."
            ), expected = nrow(conn), found = length(time), call = call
        )
    }
    if (!is.null(names(time)) && !is.null(rownames(conn))) {
        .checkNames(
            rownames(conn), names(time), "The graph and `pseudotime`",
            call = call
        )
    }
    cells <- rownames(conn)
    if (is.null(cells)) cells <- seq_along(time)
    .checkTimes(time, "pseudotime", cells, call)
}

# A finite number per cell.
.checkTimes <- function(time, what, cells, call = rlang::caller_env()) {
    bad <- which(!is.finite(time))
    if (length(bad)) {
        .abort(
            "range", paste0(
                "`", what, "` is missing or infinite in ",
                .count(length(bad), "cell"), ": ", .someNames(cells[bad]), "."
            ), cells = cells[bad], call = call
        )
    }
    as.double(time)
}

# The new values of a graph whose columns are the rows of cells, by a function
# of R. Only positive weights are neighbours.
.customWeights <- function(fun, rows, time, cells, ...,
                           call = rlang::caller_env()) {
    values <- numeric(length(rows@x))
    for (i in seq_along(time)) {
        at <- seq.int(rows@p[i] + 1L, length.out = rows@p[i + 1L] - rows@p[i])
        at <- at[rows@x[at] > 0]
        if (!length(at)) next
        weights <- fun(time[i], time[rows@i[at] + 1L], rows@x[at], ...)
        .checkCustom(
            weights, length(at), if (is.null(cells)) i else cells[i], call
        )
        values[at] <- weights
    }
    values
}

.checkCustom <- function(weights, expected, cell, call) {
    if (!is.numeric(weights) || length(weights) != expected) {
        .abort(
            "shape", paste0(
                "The threshold function must return a weight for each of the ",
                .count(expected, "neighbour"), " of cell ", .someNames(cell),
                ", not ", .describe(weights), "."
            ), cells = cell, expected = expected, found = length(weights),
            call = call
        )
    }
    if (!all(is.finite(weights)) || any(weights < 0)) {
        .abort(
            "range", paste0(
                "The threshold function must return finite weights that are ",
                "not negative; it did not for cell ", .someNames(cell), "."
            ), cells = cell, call = call
        )
    }
}
