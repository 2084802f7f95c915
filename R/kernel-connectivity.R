#' Transitions from similarity alone
#'
#' A random walk on the neighbour graph: from each cell to its neighbours, with
#' probabilities from the weights of the graph. It has no direction; combined
#' with a directed kernel it smooths over noise.
#'
#' With `density_normalize = TRUE` an edge is first divided by the degrees of
#' both its ends, `c_ij / (q_i q_j)` with `q` the column sums (Coifman and Lafon
#' 2006, alpha = 1), so that crowded regions do not attract. Then rows are
#' scaled to sum to one. The pattern of the graph is kept. Time and memory
#' O(edges); the same result on any number of threads.
#'
#' @param object A `SingleCellExperiment` or `Seurat` object with a graph, or a
#'   square matrix that is the graph itself (cells x cells, non-negative).
#' @param conn_key Key of the graph. Ignored for a matrix.
#' @param check_connectivity Warn when the graph is disconnected.
#' @param check_symmetric Warn when it is not symmetric.
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object; NULL for the main one.
#' @return `ConnectivityKernel()` gives a kernel that is not computed yet;
#'   [computeTransitionMatrix()] fills it.
#' @section Errors:
#' `missing_key` without a graph; `disconnected` when a cell has no neighbour
#' (the cells are named); `range` for negative or non-finite edges;
#' `container_stale` when cells changed after the graph was made.
#' @references Coifman, R.R. and Lafon, S. (2006) Diffusion maps. Applied and
#'   Computational Harmonic Analysis 21, 5-30.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' k <- ConnectivityKernel(sce)
#' computeTransitionMatrix(k, density_normalize = FALSE)
#' @aliases ConnectivityKernel-class
#' @export
ConnectivityKernel <- function(object, conn_key = "connectivities",
                               check_connectivity = FALSE,
                               check_symmetric = TRUE, experiment = NULL) {
    .checkContainer(object)
    .newKernel("ConnectivityKernel", object, init = list(
        conn_key = .checkString(conn_key),
        check_connectivity = .checkFlag(check_connectivity),
        check_symmetric = .checkFlag(check_symmetric),
        experiment = .checkString(experiment, null = TRUE)
    ))
}

#' @rdname ConnectivityKernel
#' @exportClass ConnectivityKernel
setClass("ConnectivityKernel", contains = "UnidirectionalKernel")

#' @rdname ConnectivityKernel
#' @param kernel The kernel.
#' @param density_normalize Divide edges by the degrees of their ends first.
#' @param ... Not used; an unknown argument is an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @export
setMethod("computeTransitionMatrix", "ConnectivityKernel", function(
        kernel, density_normalize = TRUE, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    .checkFlag(density_normalize)
    job <- .job(n_threads, show_progress_bar, "Connectivity kernel")
    graph <- .kernelGraph(kernel)
    .graphWarnings(kernel, graph, job)
    slots <- .native(
        job, rs_kernel_connectivity, .slots(graph), density_normalize,
        cell_names = kernel@cell_names
    )
    .setTransition(
        kernel, .fromSlots(slots, kernel@cell_names),
        list(
            density_normalize = density_normalize,
            conn_key = kernel@init$conn_key
        ), .run(job)
    )
})
