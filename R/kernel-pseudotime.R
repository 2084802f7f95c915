#' Transitions along a pseudotime
#'
#' Keeps the neighbour graph but lets it run with time: edges that lead into the
#' past are removed or weakened, and rows are scaled to sum to one.
#'
#' @section Schemes:
#' Let cell i at time `t_i` have k neighbours j with weights `w_ij`.
#' `"hard"` (after Palantir): the `min(30, floor(k * frac_to_keep))` heaviest
#' edges are kept (of equal weights those to the smaller index), of the others
#' those with `t_i <= t_j`. `"soft"` (after VIA): edges with `t_j < t_i` are
#' multiplied by `2 / (1 + exp(b * (t_i - t_j)))^(1 / nu)`. A function gets the
#' time of a cell, times and weights of its neighbours, and returns new weights.
#' [ThresholdScheme] has the details, and schemes as objects.
#'
#' @section Scale of time:
#' The defaults of the soft scheme belong to a time from 0 to 1. On a time in
#' minutes, say, factors are smaller than any number, and edges into the past
#' are lost altogether: a warning (`dropped`) tells how many, and how far time
#' falls along them. `rescale = TRUE` scales time to run from 0 to 1 first. The
#' hard scheme depends on the order of times only.
#'
#' @section Details:
#' Backward kernels use `max(t) - t`. Only stored positive weights are
#' neighbours. A cell may lose all its edges, for example at a local maximum of
#' the pseudotime with a small `frac_to_keep`: that is an error naming the
#' cells, or, with `empty_rows = "self"`, such cells keep to themselves and are
#' absorbing (their number is in the record). A warning tells when what is left
#' of the graph, directions ignored, falls into several pieces; with
#' `check_irreducibility = TRUE` another when some cells cannot be reached from
#' some others, as is usual for a directed process. A matrix whose rows sum to
#' one already is not scaled. Nothing is random. Time O(edges log k), memory
#' O(edges) for the result and O(cells) beside it for a symmetric graph; the
#' same bits on any number of threads.
#'
#' @inheritParams ConnectivityKernel
#' @param time_key Column with the pseudotime of every cell (no missing value).
#'   With a bare matrix: the times themselves, one number per cell.
#' @param backward Run against time.
#' @return `PseudotimeKernel()` gives a kernel that is not computed yet;
#'   [computeTransitionMatrix()] fills it.
#' @section Errors:
#' `missing_key` without column or graph; `range` for missing or infinite times
#' and parameters outside their ranges; `disconnected` when all edges of a cell
#' are removed (the cells are named); `shape` when a function returns another
#' number of weights than the cell has neighbours.
#' @section Storage:
#' [writeToObject()] stores the matrix as `T_fwd` or `T_bwd`.
#' @references Setty, M. et al. (2019) Characterization of cell fate
#'   probabilities in single-cell data with Palantir. Nature Biotechnology 37,
#'   451-460. Stassen, S.V. et al. (2021) Generalized and scalable trajectory
#'   inference in single-cell omics data with VIA. Nature Communications 12,
#'   5528.
#' @seealso [ThresholdScheme], [CytoTRACEKernel()]
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' k <- PseudotimeKernel(sce, time_key = "pseudotime")
#' computeTransitionMatrix(k, frac_to_keep = 0.4)
#' computeTransitionMatrix(k, threshold_scheme = "soft", b = 20)
#' @aliases PseudotimeKernel-class
#' @include AllClasses.R kernel-threshold.R
#' @export
PseudotimeKernel <- function(object, time_key, backward = FALSE,
                             conn_key = "connectivities",
                             check_connectivity = FALSE,
                             check_symmetric = TRUE, experiment = NULL) {
    .checkContainer(object)
    .newKernel("PseudotimeKernel", object, init = list(
        time_key = .checkTimeKey(object, time_key),
        conn_key = .checkString(conn_key),
        check_connectivity = .checkFlag(check_connectivity),
        check_symmetric = .checkFlag(check_symmetric),
        experiment = .checkString(experiment, null = TRUE)
    ), backward = .checkDirection(backward))
}

#' @rdname PseudotimeKernel
#' @exportClass PseudotimeKernel
setClass("PseudotimeKernel", contains = "BidirectionalKernel")

# The name of a column, or, for a matrix that has none, the times.
.checkTimeKey <- function(object, time_key, call = rlang::caller_env()) {
    if (!is.numeric(time_key) || .containerClass(object) != "matrix") {
        return(.checkString(time_key, arg = "time_key", call = call))
    }
    cells <- .cellNames(object)
    if (length(time_key) != length(cells)) {
        .abort(
            "shape", paste0(
                "`time_key` must be a number for each of the ",
                .count(length(cells), "cell"), ", not ", .describe(time_key),
                "."
            ), expected = length(cells), found = length(time_key), call = call
        )
    }
    if (!is.null(names(time_key))) {
        .checkNames(
            cells, names(time_key), "The matrix and `time_key`", call = call
        )
    }
    .checkTimes(time_key, "time_key", cells, call)
}

# The times that a kernel runs along, and what they are called.
setGeneric(".kernelTime", function(kernel) standardGeneric(".kernelTime"))
setMethod(".kernelTime", "PseudotimeKernel", function(kernel) {
    x <- .kernelContainer(kernel)
    key <- kernel@init$time_key
    if (is.numeric(key)) {
        return(list(values = key, name = "time_key"))
    }
    list(values = .readTime(x, key), name = key)
})

#' @rdname PseudotimeKernel
#' @param kernel The kernel.
#' @param threshold_scheme How edges into the past are treated: `"hard"`,
#'   `"soft"`, a function, or a [ThresholdScheme].
#' @param frac_to_keep Hard scheme: fraction of the heaviest edges kept whatever
#'   their time, from 0 to 1.
#' @param b,nu Soft scheme: steepness and asymmetry.
#' @param rescale Scale time to run from 0 to 1 first.
#' @param empty_rows What becomes of cells that lose all their edges: an error,
#'   or they keep to themselves.
#' @param check_irreducibility Warn when not every cell can reach every other.
#' @param ... Passed to a custom scheme. With `"hard"` and `"soft"` not used; an
#'   unknown argument is an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @export
setMethod("computeTransitionMatrix", "PseudotimeKernel", function(
        kernel, threshold_scheme = c("hard", "soft"), frac_to_keep = 0.3,
        b = 10, nu = 0.5, rescale = FALSE, empty_rows = c("error", "self"),
        check_irreducibility = FALSE, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    scheme <- .asThreshold(threshold_scheme, frac_to_keep, b, nu)
    custom <- is.null(.schemeOptions(scheme))
    if (!custom) .checkDots(...)
    options <- list(
        backward = kernel@backward, rescale = .checkFlag(rescale),
        absorb = .checkChoice(empty_rows, c("error", "self")) == "self",
        count_classes = .checkFlag(check_irreducibility)
    )
    job <- .job(n_threads, show_progress_bar, "Pseudotime kernel")
    time <- .kernelTime(kernel)
    graph <- .kernelGraph(kernel)
    out <- if (custom) {
        .customTransition(job, kernel, graph, time, scheme, options, ...)
    } else {
        .biasedTransition(
            job, kernel, graph, time, options, .schemeOptions(scheme)
        )
    }
    .timeWarnings(job, kernel, graph, time, out, options$rescale)
    .setTransition(
        kernel, .biasedMatrix(out, graph, kernel@cell_names),
        c(.schemeParams(scheme, ...), list(
            rescale = options$rescale,
            empty_rows = if (options$absorb) "self" else "error",
            check_irreducibility = options$count_classes,
            time_key = kernel@init$time_key, conn_key = kernel@init$conn_key
        )), .run(
            job, components = out$components, classes = out$classes,
            absorbing_cells = length(out$absorbing),
            vanished_edges = out$vanished
        )
    )
})

# The scheme that the arguments of a verb describe.
.asThreshold <- function(scheme, frac_to_keep, b, nu,
                         call = rlang::caller_env()) {
    if (methods::is(scheme, "ThresholdScheme")) {
        methods::validObject(scheme)
        return(scheme)
    }
    if (is.function(scheme)) {
        return(CustomThreshold(scheme))
    }
    # All are checked: a number that is out of range is never silent.
    hard <- .checkNumber(frac_to_keep, 0, 1, call = call)
    b <- .checkNumber(b, 0, Inf, open_max = TRUE, call = call)
    nu <- .checkNumber(
        nu, 0, Inf, open_min = TRUE, open_max = TRUE, call = call
    )
    name <- .checkChoice(
        scheme, c("hard", "soft"), arg = "threshold_scheme", call = call
    )
    if (name == "hard") HardThreshold(hard) else SoftThreshold(b, nu)
}

# What the record says of a scheme.
.schemeParams <- function(scheme, ...) {
    options <- .schemeOptions(scheme)
    if (!is.null(options)) {
        return(c(list(threshold_scheme = options$scheme), options[-1L]))
    }
    if (methods::is(scheme, "CustomThreshold")) scheme <- scheme@fun
    c(list(threshold_scheme = scheme), list(...))
}

.biasedTransition <- function(job, kernel, graph, time, options, scheme) {
    .native(
        job, rs_kernel_pseudotime, .slots(graph), time$values,
        c(options, scheme), cell_names = kernel@cell_names,
        advice = .emptyAdvice(time, scheme, options$rescale)
    )
}

# Bias by the scheme's own method; scaling, and everything that is told about
# the result, as for the others.
.customTransition <- function(job, kernel, graph, time, scheme, options, ...) {
    values <- .unwrap(
        rs_kernel_clock(time$values, options$backward, options$rescale),
        call = job$call, cell_names = kernel@cell_names
    )
    biased <- biasKnn(scheme, graph, values, ..., n_threads = job$threads)
    biased <- .checkGraph(
        biased, "The biased graph", isolated = TRUE, call = job$call
    )
    if (nrow(biased) != nrow(graph)) {
        .abort(
            "shape", paste0(
                "biasKnn() must return a graph of ", nrow(graph),
                " cells, not ", .describe(biased), "."
            ), expected = nrow(graph), found = nrow(biased), call = job$call
        )
    }
    out <- .biasedTransition(
        job, kernel, biased, time, options, list(scheme = "done")
    )
    # Where the pattern stays it is that of the biased graph.
    if (is.null(out$i)) out$i <- biased@i
    out$symmetric <- NA
    out
}

.biasedMatrix <- function(out, graph, cells) {
    i <- if (is.null(out$i)) graph@i else out$i
    .fromSlots(list(p = out$p, i = i, x = out$x, dim = dim(graph)), cells)
}

# Where time runs, for messages.
.timeRange <- function(time) {
    span <- signif(range(time$values), 4)
    paste0("`", time$name, "` runs from ", span[1L], " to ", span[2L])
}

.emptyAdvice <- function(time, scheme, rescale) {
    alone <- "make such cells absorbing with `empty_rows = \"self\"`."
    switch(scheme$scheme,
        hard = paste(
            "Cells at a local maximum of the pseudotime keep no edge:",
            "increase `frac_to_keep`, or", alone
        ),
        soft = paste0(
            .timeRange(time), ", and with b = ", scheme$b, " the factor of an ",
            "edge into the past is too small for a number: ",
            if (!rescale) "scale time with `rescale = TRUE`, ",
            "choose a smaller `b`, or ", alone
        ),
        done = paste(
            "The threshold scheme gave all edges of these cells weight zero;",
            alone
        )
    )
}

.timeWarnings <- function(job, kernel, graph, time, out, rescale) {
    # A graph known to be symmetric needs no second look.
    if (!isTRUE(out$symmetric) || isTRUE(kernel@init$check_connectivity)) {
        .graphWarnings(kernel, graph, job)
    }
    if (out$vanished > 0) .warnVanished(time, out, rescale)
    if (out$components > 1) {
        .warn("disconnected", paste0(
            "The graph biased by time has ", out$components, " components: ",
            "no walk leads from one to another."
        ), components = out$components)
    }
    if (!is.null(out$classes) && out$classes > 1) {
        .warn("disconnected", paste0(
            "The transition matrix is not irreducible: it has ", out$classes,
            " classes of cells that can reach each other."
        ), classes = out$classes)
    }
}

.warnVanished <- function(time, out, rescale) {
    .warn("dropped", paste0(
        .count(out$vanished, "edge"), " into the past of ",
        .count(out$losers, "cell"), " got weight zero: ", .timeRange(time),
        " and falls by up to ", signif(out$largest_fall, 4),
        if (rescale) " (scaled)", " along an edge, for which the factor of ",
        "the soft scheme is too small for a number."
    ), paste0(
        "The scheme is made for a time from 0 to 1: ",
        if (!rescale) "use `rescale = TRUE`, or ", "choose a smaller `b`."
    ), column = time$name, n_edges = out$vanished, n_cells = out$losers,
    range = range(time$values), largest_fall = out$largest_fall)
}

# A finite number per cell.
.readTime <- function(x, column, call = rlang::caller_env()) {
    time <- .readCellData(x, column)
    if (!is.numeric(time)) {
        .abort(
            "type", paste0(
                "`", column, "` must be numeric to serve as time, not of ",
                "class `", class(time)[1L], "`."
            ), call = call
        )
    }
    .checkTimes(time, column, .cellNames(x), call)
}
