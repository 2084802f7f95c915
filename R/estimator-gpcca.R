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
#' @aliases GPCCA-class show,GPCCA-method
#' @export
GPCCA <- function(object, obsp_key = NULL, backward = NULL, container = NULL,
                  n_threads = NULL) {
    .newEstimator("GPCCA", object, obsp_key, backward, container, n_threads)
}

#' @rdname GPCCA
#' @exportClass GPCCA
setClass("GPCCA", contains = "TermStatesEstimator")

# A Lineage as an embedding; names and colours travel in its record.
.writeLineage <- function(object, x, key, lineage, step_key, verb) {
    object <- .writeEmbedding(object, key, as.matrix(lineage))
    record <- .stepRecord(
        x, step_key, verb, names = lineageNames(lineage),
        colors = unname(lineageColors(lineage))
    )
    .writeRecord(object, key, record)
}

setMethod("show", "GPCCA", function(object) {
    cat("GPCCA on ", length(.cells(object)), " cells\n", sep = "")
    cat("  chain: ", .shortForm(object@kernel), "\n", sep = "")
    for (step in .steps) {
        text <- .describeStep(object, step)
        if (length(text)) cat("  ", text, "\n", sep = "")
    }
    missing <- setdiff(.steps[-1L], names(object@results))
    if (length(missing)) {
        cat("  next: ", .stepCalls[[missing[1L]]], "\n", sep = "")
    }
})

# What is known after a step, and how good it is, in one line.
.describeStep <- function(x, step) {
    result <- x@results[[step]]
    if (is.null(result)) return(character())
    run <- x@run[[.stepKey(x, step)]]
    number <- function(v) format(signif(v, 3))
    switch(step,
        schur = paste0(
            "Schur vectors: ", ncol(result$vectors), " (relative residual ",
            number(run$residual), ")"
        ),
        macrostates = paste0(
            "macrostates: ", .someNames(levels(result$assignment), 30L),
            " (crispness ", number(result$crispness), ")"
        ),
        terminal = paste0(
            "terminal states: ", .someNames(levels(result$assignment), 30L)
        ),
        fates = paste0(
            "fate probabilities: error below ", number(run$error_bound),
            " (", run$method, ", relative residual ", number(run$residual), ")"
        ),
        drivers = paste0(
            "drivers: ", nrow(result), " genes, method ",
            x@params[[.stepKey(x, step)]]$method
        )
    )
}
