#' @include AllGenerics.R estimator-macrostates.R
NULL

#' How divisions into macrostates change with their number
#'
#' Computes the macrostates for every number in a range and says how good each
#' division is and how it relates to the one before, so that a number can be
#' chosen. One Schur decomposition serves them all.
#'
#' @details
#' A good number has a minChi near zero, crisp memberships and states that stay.
#' A number is stable when it does not turn the division before it upside down:
#' one state is split (`nested` near 1) and the others are still there
#' (`jaccard` and `adjusted_rand` high). A number that would split a complex
#' pair of eigenvalues, or for which a state has no cells of its own, is not
#' valid; the next one is compared with the last valid one.
#'
#' Cost: that of [computeMacrostates()] for each number, without the stationary
#' distribution. No randomness; the result is the same on any number of threads.
#' Nothing is stored, and the estimator is not changed.
#'
#' @inheritParams computeMacrostates
#' @param n_states The numbers of states to try, 2 or more; more than the chain
#'   has cells are refused.
#' @return A data frame, one row per number, with
#' * `n_states`;
#' * `valid`: whether there is such a division, and `reason`, NA or why not;
#' * `eigengap`: whether the eigengap proposes this number;
#' * `min_chi`: the smallest membership before optimisation, 0 at best;
#' * `crispness`: of the memberships, 1 at best;
#' * `least_stability`: the smallest diagonal entry of the coarse chain;
#' * `jaccard`: mean over the states before of the largest Jaccard index between
#'   the cells that represent them and those that represent a state now;
#' * `nested`: share of all cells whose state (of largest membership) lies in
#'   the state before that holds most of it;
#' * `adjusted_rand`: adjusted Rand index between the two partitions of all
#'   cells by largest membership;
#' * `states`: with a `cluster_key`, a list of the names of the states.
#'
#'   Numbers of rows that are not valid, and comparisons of the first valid row,
#'   are NA.
#' @section Errors:
#' `range` and `type` (`n_states`, `n_cells`), `missing_key` (`cluster_key`),
#' and those of [computeSchur()].
#' @references As for [computeMacrostates()]; Hubert, L. and Arabie, P. (1985)
#'   Comparing partitions. Journal of Classification 2, 193-218.
#' @seealso [computeTsi()], [computeMacrostates()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' fit <- GPCCA(VelocityKernel(sce))
#' macrostateProfile(fit, n_states = 2:6, n_cells = 10)
#' @export
macrostateProfile <- function(estimator, n_states = 2:15, n_cells = 30,
                              cluster_key = NULL,
                              optimizer = c("auto", "nelder-mead"), ...,
                              n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    .checkGPCCA(estimator)
    n_states <- .checkNumbersOfStates(n_states, length(.cells(estimator)))
    .checkCount(n_cells, null = TRUE)
    optimizer <- .checkChoice(optimizer, c("auto", "nelder-mead"))
    reference <- .referenceLabels(estimator, cluster_key)
    job <- .job(n_threads, show_progress_bar, "Macrostates")
    schur <- .vectorsFor(estimator, max(n_states), job)
    out <- .divisions(estimator, schur, n_states, n_cells, optimizer, job)
    table <- data.frame(
        n_states = n_states, valid = is.na(out$failure), reason = out$failure,
        eigengap = n_states == schur$eigengap + 1L
    )
    measures <- c(
        "min_chi", "crispness", "least_stability", "jaccard", "nested",
        "adjusted_rand"
    )
    table[measures] <- out[measures]
    if (!is.null(reference)) {
        table$states <- lapply(seq_along(n_states), function(at) {
            if (!table$valid[at]) return(NULL)
            .nameStates(
                out$labels[[at]], n_states[at], reference, .cells(estimator)
            )$names
        })
    }
    table
}

.checkGPCCA <- function(estimator, call = rlang::caller_env()) {
    if (methods::is(estimator, "GPCCA")) return(invisible(estimator))
    .abort("type", paste0(
        "`estimator` must be a GPCCA estimator, not `", class(estimator)[1L],
        "`."
    ), "Make one with GPCCA().", argument = "estimator", call = call)
}

.checkNumbersOfStates <- function(n_states, n, call = rlang::caller_env()) {
    if (!is.numeric(n_states) || !length(n_states)) {
        .abort(
            "type", "`n_states` must be whole numbers.",
            argument = "n_states", call = call
        )
    }
    for (m in n_states) {
        .checkCount(m, 2, n, arg = "n_states", call = call)
    }
    sort(unique(as.integer(n_states)))
}

# A Schur decomposition with at least `m` vectors: that of the estimator, else a
# new one, which the estimator does not get.
.vectorsFor <- function(estimator, m, job) {
    have <- estimator@results$schur
    if (!is.null(have) && ncol(have$vectors) >= m) return(have)
    old <- if (!is.null(have)) {
        estimator@params[[.stepKey(estimator, "schur")]]
    } else {
        list(which = "LR", method = "krylov", alpha = 1)
    }
    n <- length(.cells(estimator))
    .schurStep(
        estimator, min(n, max(m, 20L)), old$which, old$method, old$alpha, job
    )@results$schur
}

# Divisions into each number of states. One that splits a complex pair has this
# as its failure, unless `raise` takes the next number in its place.
.divisions <- function(estimator, schur, states, n_cells, optimizer, job,
                       raise = FALSE) {
    split <- states %in% schur$invalid_n_states
    taken <- if (raise) states + split else states[!split]
    out <- .native(
        job, rs_chain_divisions, .slots(estimator@kernel@matrix), schur$vectors,
        nrow(schur$vectors), ncol(schur$vectors), taken, optimizer,
        .cellsPerState(n_cells), cell_names = .cells(estimator)
    )
    if (raise || !any(split)) return(out)
    place <- match(states, taken)
    out <- lapply(out, function(v) v[place])
    out$failure[split] <- paste0(
        states[split], " states split a complex pair of eigenvalues"
    )
    out
}
