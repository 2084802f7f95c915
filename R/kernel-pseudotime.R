#' Transitions along a pseudotime
#'
#' Keeps the neighbour graph but lets it run with time: edges that lead into the
#' past are removed, except those to the closest neighbours.
#'
#' `threshold_scheme = "hard"` (after Palantir, Setty et al. 2019): of the k
#' neighbours of a cell, sorted by weight, the first
#' `min(30, floor(k * frac_to_keep))` are always kept; any other one stays only
#' if it is not earlier than the cell. Ties in weight go to the smaller index.
#' Rows are then scaled to sum to one. Backward kernels use `max(t) - t`. Time
#' O(edges log k), memory O(edges); the same result on any number of threads.
#'
#' @inheritParams ConnectivityKernel
#' @param time_key Column with the pseudotime of every cell (no missing value).
#' @param backward Run against time.
#' @return `PseudotimeKernel()` gives a kernel that is not computed yet;
#'   [computeTransitionMatrix()] fills it.
#' @section Errors:
#' `missing_key` without column or graph; `range` for missing or infinite times;
#' `disconnected` when all edges of a cell are removed (the cells are named).
#' @references Setty, M. et al. (2019) Characterization of cell fate
#'   probabilities in single-cell data with Palantir. Nature Biotechnology 37,
#'   451-460.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' k <- PseudotimeKernel(sce, time_key = "pseudotime")
#' computeTransitionMatrix(k, frac_to_keep = 0.4)
#' @aliases PseudotimeKernel-class
#' @export
PseudotimeKernel <- function(object, time_key, backward = FALSE,
                             conn_key = "connectivities",
                             check_connectivity = FALSE,
                             check_symmetric = TRUE, experiment = NULL) {
    .checkContainer(object)
    .newKernel("PseudotimeKernel", object, init = list(
        time_key = .checkString(time_key), conn_key = .checkString(conn_key),
        check_connectivity = .checkFlag(check_connectivity),
        check_symmetric = .checkFlag(check_symmetric),
        experiment = .checkString(experiment, null = TRUE)
    ), backward = .checkDirection(backward))
}

#' @rdname PseudotimeKernel
#' @exportClass PseudotimeKernel
setClass("PseudotimeKernel", contains = "BidirectionalKernel")

#' @rdname PseudotimeKernel
#' @param kernel The kernel.
#' @param threshold_scheme How edges into the past are treated.
#' @param frac_to_keep Fraction of closest neighbours kept whatever their time,
#'   from 0 to 1.
#' @param ... Not used; an unknown argument is an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @export
setMethod("computeTransitionMatrix", "PseudotimeKernel", function(
        kernel, threshold_scheme = "hard", frac_to_keep = 0.3, ...,
        n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    .checkChoice(threshold_scheme, "hard")
    .checkNumber(frac_to_keep, 0, 1)
    job <- .job(n_threads, show_progress_bar, "Pseudotime kernel")
    time <- .readTime(.kernelContainer(kernel), kernel@init$time_key)
    if (kernel@backward) time <- max(time) - time
    graph <- .kernelGraph(kernel)
    .graphWarnings(kernel, graph, job)
    slots <- .native(
        job, rs_kernel_pseudotime, .slots(graph), time, frac_to_keep,
        cell_names = kernel@cell_names, advice = paste(
            "Cells at a local maximum of the pseudotime keep no edge:",
            "increase `frac_to_keep`."
        )
    )
    .setTransition(
        kernel, .fromSlots(slots, kernel@cell_names),
        list(
            threshold_scheme = threshold_scheme, frac_to_keep = frac_to_keep,
            time_key = kernel@init$time_key, conn_key = kernel@init$conn_key
        ), .run(job)
    )
})

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
    bad <- which(!is.finite(time))
    if (length(bad)) {
        cells <- .cellNames(x)[bad]
        .abort(
            "range", paste0(
                "`", column, "` is missing or infinite in ",
                .count(length(bad), "cell"), ": ", .someNames(cells), "."
            ), cells = cells, call = call
        )
    }
    as.double(time)
}
