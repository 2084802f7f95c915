#' @include AllGenerics.R estimator-states.R estimator-states-store.R
NULL

#' Initial states from the macrostates
#'
#' Takes as initial the macrostates that the chain leaves and seldom visits
#' again: those of smallest weight in the stationary distribution of the coarse
#' chain.
#'
#' @details
#' Of equal weights the first macrostate is taken; a single macrostate is
#' initial, with a warning. The cells of a state are chosen again from its
#' memberships, as in [setTerminalStates()]. Cost: O(cells x states x log
#' cells). Randomness, threads: not applicable.
#'
#' @param estimator A [GPCCA()] estimator with macrostates.
#' @param n_states Number of initial states.
#' @param n_cells Cells per initial state.
#' @inheritParams setTerminalStates
#' @return The estimator with [initialStates()], stored as [setInitialStates()]
#'   says. Terminal states and what rests on them stay.
#' @section Errors:
#' `not_computed` without macrostates; `no_state` when the chain has no
#' stationary distribution of its own (several closed classes) or a state keeps
#' too few cells; `range` (more states than macrostates, `n_cells`, cells that
#' are in a terminal state); `type`.
#' @references Lange, M. et al. (2022) CellRank for directed single-cell fate
#'   mapping. Nature Methods 19, 159-170.
#' @seealso [setInitialStates()], [predictTerminalStates()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' fit <- computeMacrostates(
#'     GPCCA(VelocityKernel(sce)), n_states = 4, cluster_key = "cell_type"
#' )
#' fit <- predictInitialStates(fit)
#' table(initialStates(fit))
#' @rdname predictInitialStates
#' @export
setMethod("predictInitialStates", "GPCCA", function(
        estimator, n_states = 1, n_cells = 30, allow_overlap = FALSE, ...) {
    .checkDots(...)
    n_states <- .checkCount(n_states)
    n_cells <- .checkCount(n_cells)
    allow_overlap <- .checkFlag(allow_overlap)
    job <- .job(1L)
    states <- .initialByWeight(estimator, n_states, job)
    .setChosen(
        estimator, "initial",
        .statesOfMacrostates(estimator, states, n_cells, job), list(
            method = "stationary", n_states = n_states, n_cells = n_cells,
            allow_overlap = allow_overlap
        ), allow_overlap, job
    )
})

.initialByWeight <- function(estimator, n_states, job,
                             call = rlang::caller_env()) {
    states <- .step(estimator, "macrostates", call)
    known <- levels(states$assignment)
    .checkCount(n_states, 1, length(known), arg = "n_states", call = call)
    if (length(known) == 1L) return(.onlyState(known, "initial"))
    weights <- states$coarse$stationary
    if (is.null(weights)) {
        .abort(
            "no_state", paste(
                "The coarse chain has no stationary distribution of its own,",
                "so that no macrostate can be called initial."
            ), "Name the initial states with setInitialStates().", call = call
        )
    }
    known[.native(job, rs_states_initial, weights, n_states)]
}

.stepInitial <- .statesStep(
    "initial", .keyInitStates, "predictInitialStates() or setInitialStates()"
)
