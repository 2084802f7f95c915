#' @include AllGenerics.R estimator-states.R estimator-states-store.R
NULL

#' Terminal states from the macrostates
#'
#' Takes as terminal the macrostates in which the chain stays.
#'
#' @details
#' Rules: `"stability"` takes all macrostates whose probability to stay (the
#' diagonal of the coarse matrix) is at least `stability_threshold`; `"top_n"`
#' the `n_states` most stable, of equals the first; `"eigengap"` as many as the
#' eigengap of the chain says, `"eigengap_coarse"` as that of the coarse
#' diagonal says (one more than the position of the gap; CellRank leaves that
#' one out in the second). A single macrostate is terminal whatever the rule,
#' with a warning. The cells of a terminal state are chosen again from its
#' memberships, as in [setTerminalStates()]. Cost: O(cells x states x log
#' cells). Randomness, threads: not applicable.
#'
#' @param estimator A [GPCCA()] estimator with macrostates.
#' @param method The rule.
#' @param n_cells Cells per terminal state.
#' @param alpha Weight of the distance from one in the eigengap.
#' @param stability_threshold For `"stability"`, from 0 to 1.
#' @param n_states For `"top_n"`.
#' @param allow_overlap Whether a cell may be in an initial and in a terminal
#'   state.
#' @param ... Not used; an unknown argument is an error.
#' @return The estimator with [terminalStates()], stored as
#'   [setTerminalStates()] says. Fates and drivers computed before are dropped.
#' @section Errors:
#' `not_computed` without macrostates; `no_state` when no macrostate fulfils the
#' rule (all are listed with their stability) or one keeps too few cells;
#' `range` (more states than macrostates, `n_cells`, cells that are in an
#' initial state); `type`. Fewer cells than asked for: warning `dropped`.
#' @references Lange, M. et al. (2022) CellRank for directed single-cell fate
#'   mapping. Nature Methods 19, 159-170.
#' @seealso [setTerminalStates()], [predictInitialStates()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' fit <- computeMacrostates(
#'     GPCCA(VelocityKernel(sce)), n_states = 4, cluster_key = "cell_type"
#' )
#' fit <- predictTerminalStates(fit, method = "top_n", n_states = 2)
#' table(terminalStates(fit))
#' @rdname predictTerminalStates
#' @export
setMethod("predictTerminalStates", "GPCCA", function(
        estimator, method = c(
            "stability", "top_n", "eigengap", "eigengap_coarse"
        ), n_cells = 30, alpha = 1, stability_threshold = 0.96,
        n_states = NULL, allow_overlap = FALSE, ...) {
    .checkDots(...)
    method <- .checkChoice(
        method, c("stability", "top_n", "eigengap", "eigengap_coarse")
    )
    params <- list(
        method = method, n_cells = .checkCount(n_cells),
        alpha = .checkNumber(alpha),
        stability_threshold = .checkNumber(stability_threshold, 0, 1),
        n_states = .checkCount(n_states, null = TRUE),
        allow_overlap = .checkFlag(allow_overlap)
    )
    if (method == "top_n" && is.null(n_states)) {
        .abort("type", "`n_states` must be given for method \"top_n\".",
            argument = "n_states"
        )
    }
    job <- .job(1L)
    states <- .terminalByRule(estimator, params, job)
    .setChosen(
        estimator, "terminal",
        .statesOfMacrostates(estimator, states, params$n_cells, job), params,
        allow_overlap, job
    )
})

.terminalByRule <- function(estimator, rule, job, call = rlang::caller_env()) {
    states <- .step(estimator, "macrostates", call)
    known <- levels(states$assignment)
    if (length(known) == 1L) return(.onlyState(known, "terminal"))
    stability <- diag(states$coarse$transition)
    if (rule$method == "stability" &&
        all(stability < rule$stability_threshold)) {
        .noStates(stability, rule$stability_threshold, call)
    }
    if (rule$method == "top_n") {
        .checkCount(
            rule$n_states, 1, length(known), arg = "n_states", call = call
        )
    }
    values <- if (rule$method == "eigengap") {
        Re(eigenvalues(estimator))
    } else {
        numeric()
    }
    known[.native(
        job, rs_chain_select, stability, values, rule$method, rule$alpha,
        rule$stability_threshold,
        if (is.null(rule$n_states)) 0L else rule$n_states
    )]
}

# With one macrostate there is nothing to choose.
.onlyState <- function(state, what) {
    .warn("single_lineage", paste0(
        "There is one macrostate only, ", .someNames(state),
        "; it is the ", what, " state."
    ), state = state)
    state
}

.noStates <- function(stability, threshold, call = rlang::caller_env()) {
    .abort(
        "no_state", c(
            paste0("No macrostate has a stability of ", threshold, "."),
            .stabilityList(stability)
        ), paste(
            "Lower `stability_threshold`, use method = \"top_n\", or compute",
            "another number of macrostates."
        ), stability = stability, call = call
    )
}

.stabilityList <- function(stability) {
    stability <- sort(stability, decreasing = TRUE)
    paste0(.someNames(names(stability), 30L), ": stabilities ",
        paste(format(signif(stability, 3)), collapse = ", "), ".")
}

.stepTerminal <- .statesStep(
    "terminal", .keyTermStates,
    "predictTerminalStates() or setTerminalStates()"
)
