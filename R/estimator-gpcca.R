#' Generalised Perron cluster cluster analysis
#'
#' Finds macrostates of a Markov chain: groups of cells between which the chain
#' moves rarely, with soft memberships (Reuter et al. 2018, 2019). Works for
#' chains that are not reversible, as chains from RNA velocity are.
#'
#' @param object A kernel (evaluated once, here), an object with a stored
#'   transition matrix, or a square matrix.
#' @param obsp_key For an object: key of the matrix; NULL takes `T_fwd`, else
#'   `T_bwd`.
#' @param backward Direction of a matrix; NULL when it has none, or as its key
#'   says.
#' @param container For a bare matrix: the object it belongs to.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @return An estimator without results yet. The usual order is
#'   [computeMacrostates()], [predictTerminalStates()],
#'   [computeFateProbabilities()], [computeLineageDrivers()]; printing it says
#'   what was found and how well.
#' @section Errors:
#' Those of the kernel; `not_stochastic`, `range` and `shape` for a matrix.
#' @references Reuter, B. et al. (2018) Generalized Markov state modeling method
#'   for nonequilibrium biomolecular dynamics. Journal of Chemical Theory and
#'   Computation 14, 3579-3594. Reuter, B., Fackeldey, K. and Weber, M. (2019)
#'   Generalized Markov modeling of nonreversible molecular kinetics. Journal of
#'   Chemical Physics 150, 174103.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' fit <- GPCCA(0.8 * VelocityKernel(sce) + 0.2 * ConnectivityKernel(sce))
#' fit <- computeMacrostates(fit, n_states = 5, cluster_key = "cell_type")
#' fit
#' @aliases GPCCA-class
#' @export
GPCCA <- function(object, obsp_key = NULL, backward = NULL, container = NULL,
                  n_threads = NULL) {
    .newEstimator("GPCCA", object, obsp_key, backward, container, n_threads)
}

#' @rdname GPCCA
#' @include AllClasses.R estimator.R
#' @exportClass GPCCA
setClass("GPCCA", contains = "TermStatesEstimator")

# The usual order of the steps, for the line that says what comes next.
setMethod(".usualSteps", "GPCCA", function(x) {
    c("macrostates", "terminal", "fates", "drivers")
})
