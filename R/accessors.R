# One accessor per result, for estimators and for objects that hold the results.

#' Results of a fate map
#'
#' The same accessors work on an estimator and on an object to which results
#' were written by [container()].
#'
#' @param x An estimator, a `SingleCellExperiment` or a `Seurat` object;
#'   `lineageNames()` and `lineageColors()` also take a [Lineage()].
#' @param lineage For `drivers()`: one lineage, giving a tidy table; NULL gives
#'   the wide table of all lineages.
#' @param which For `memberships()`: of all macrostates, or of the initial or
#'   terminal states.
#' @param backward For objects: read the results of the backward chain.
#' @param ... Not used; an unknown argument is an error.
#' @return * `eigenvalues()`: complex vector, in the order of the Schur form; of
#'   [computeEigendecomposition()] when there is no Schur form.
#' * `schurVectors()`: matrix, cells x components.
#' * `macrostates()`, `terminalStates()`, `initialStates()`: factor named by
#'   cell, NA for cells that represent no state.
#' * `memberships()`: a [Lineage()], cells x macrostates; rows sum to one. Those
#'   of initial or terminal states are the columns, or sums of columns, of their
#'   macrostates.
#' * `coarseTransition()`: matrix, states x states; rows sum to one.
#' * `macrostates()`, `terminalStates()`: factor named by cell, NA for cells
#'   that represent no state.
#' * `memberships()`: a [Lineage()], cells x macrostates; rows sum to one.
#' * `coarseTransition()`: matrix, states x states; rows sum to one; NULL with a
#'   single macrostate.
#' * `stationaryDistribution()`: number per cell, summing to one; NULL when the
#'   chain has several closed classes. From the macrostates, else from
#'   [computeEigendecomposition()], which also keeps the one of every class.
#' * `fateProbabilities()`: a [Lineage()], cells x terminal states; rows sum to
#'   one, NA for cells that reach none.
#' * `absorptionTimes()`: a data frame, cells x `<state>_mean` (and
#'   `<state>_var`), in steps; see [computeAbsorptionTimes()] for 0, Inf and NA.
#' * `drivers()`: with a lineage a data frame with columns `feature`, `corr`,
#'   `pval`, `qval`, `ci_low`, `ci_high`, sorted by decreasing correlation;
#'   without one the same columns for all lineages, prefixed, one row per
#'   gene.
#' * `lineageNames()`, `lineageColors()`: of the fate probabilities.
#' @section Errors:
#' `not_computed` names the step that is missing, or says that states set by
#' their cells have no memberships; `container_stale` when cells
#' changed after the result was written; `missing_key` for unknown lineages.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' fit <- castFates(sce, cluster_key = "cell_type")
#' lineageNames(fit)
#' head(fateProbabilities(container(fit)))
#' @name accessors
NULL

# The result of a step as an object holds it, checked to fit the cells.
.storedStep <- function(x, step, backward, call = rlang::caller_env()) {
    .checkContainer(x, call = call)
    .checkFlag(backward, call = call)
    key <- .steps()[[step]]$key(backward)
    if (!key %in% .recordKeys(x)) {
        .abort("not_computed", paste0(
            "The object holds no result under ", .someNames(key), "."
        ), paste0("Run ", .steps()[[step]]$call, " and container()."),
        key = key, call = call)
    }
    .checkFresh(x, key, call)
    .steps()[[step]]$read(x, .readRecord(x, key), key)
}

#' @rdname accessors
#' @export
setMethod("eigenvalues", "Estimator", function(x, ...) {
    .checkDots(...)
    if (is.null(x@results$schur) && !is.null(x@results$eigen)) {
        return(x@results$eigen$D)
    }
    .step(x, "schur")$eigenvalues
})

#' @rdname accessors
#' @export
setMethod("eigenvalues", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    if (.onlyStored(x, "eigen", "schur", backward)) {
        return(.storedStep(x, "eigen", backward)$D)
    }
    .storedStep(x, "schur", backward)$eigenvalues
})

# Whether an object holds the results of one step and not those of another.
.onlyStored <- function(x, step, other, backward,
                        call = rlang::caller_env()) {
    .checkContainer(x, call = call)
    .checkFlag(backward, call = call)
    keys <- .recordKeys(x)
    holds <- function(s) .steps()[[s]]$key(backward) %in% keys
    holds(step) && !holds(other)
}

#' @rdname accessors
#' @export
setMethod("schurVectors", "Estimator", function(x, ...) {
    .checkDots(...)
    .step(x, "schur")$vectors
})

#' @rdname accessors
#' @export
setMethod("schurVectors", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    .storedStep(x, "schur", backward)$vectors
})

#' @rdname accessors
#' @export
setMethod("macrostates", "Estimator", function(x, ...) {
    .checkDots(...)
    .step(x, "macrostates")$assignment
})

#' @rdname accessors
#' @export
setMethod("macrostates", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    .storedStep(x, "macrostates", backward)$assignment
})

#' @rdname accessors
#' @export
setMethod("memberships", "Estimator", function(
        x, ..., which = c("all", "initial", "terminal")) {
    .checkDots(...)
    .membershipsOf(.step(x, .membershipStep(which)))
})

#' @rdname accessors
#' @export
setMethod("memberships", "ANY", function(
        x, ..., which = c("all", "initial", "terminal"), backward = FALSE) {
    .checkDots(...)
    .membershipsOf(.storedStep(x, .membershipStep(which), backward))
})

#' @rdname computeTsi
#' @export
setMethod("tsi", "Estimator", function(x, ...) {
    .checkDots(...)
    .tsiTable(.step(x, "tsi"))
})

#' @rdname computeTsi
#' @export
setMethod("tsi", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    .tsiTable(.storedStep(x, "tsi", backward))
})

.membershipStep <- function(which, call = rlang::caller_env()) {
    which <- .checkChoice(which, c("all", "initial", "terminal"), call = call)
    if (which == "all") "macrostates" else which
}

.membershipsOf <- function(result, call = rlang::caller_env()) {
    if (is.null(result$memberships)) {
        .abort(
            "not_computed", paste(
                "These states were set by their cells and have no",
                "memberships."
            ), "Set or predict them from the macrostates.", call = call
        )
    }
    result$memberships
}

#' @rdname accessors
#' @export
setMethod("coarseTransition", "Estimator", function(x, ...) {
    .checkDots(...)
    .step(x, "macrostates")$coarse$transition
})

#' @rdname accessors
#' @export
setMethod("coarseTransition", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    .storedStep(x, "macrostates", backward)$coarse$transition
})

#' @rdname accessors
#' @export
setMethod("stationaryDistribution", "Estimator", function(x, ...) {
    .checkDots(...)
    if (is.null(x@results$macrostates) && !is.null(x@results$eigen$V_l)) {
        return(x@results$eigen$stationary_dist)
    }
    .step(x, "macrostates")$stationary
})

#' @rdname accessors
#' @export
setMethod("stationaryDistribution", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    if (.onlyStored(x, "eigen", "macrostates", backward)) {
        return(.storedStep(x, "eigen", backward)$stationary_dist)
    }
    .storedStep(x, "macrostates", backward)$stationary
})

#' @rdname accessors
#' @export
setMethod("terminalStates", "Estimator", function(x, ...) {
    .checkDots(...)
    .step(x, "terminal")$assignment
})

#' @rdname accessors
#' @export
setMethod("terminalStates", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    .storedStep(x, "terminal", backward)$assignment
})

#' @rdname accessors
#' @export
setMethod("initialStates", "Estimator", function(x, ...) {
    .checkDots(...)
    .step(x, "initial")$assignment
})

#' @rdname accessors
#' @export
setMethod("initialStates", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    .storedStep(x, "initial", backward)$assignment
})

#' @rdname accessors
#' @export
setMethod("fateProbabilities", "Estimator", function(x, ...) {
    .checkDots(...)
    .step(x, "fates")
})

#' @rdname accessors
#' @export
setMethod("fateProbabilities", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    .storedStep(x, "fates", backward)
})

#' @rdname accessors
#' @export
setMethod("absorptionTimes", "Estimator", function(x, ...) {
    .checkDots(...)
    .step(x, "times")$table
})

#' @rdname accessors
#' @export
setMethod("absorptionTimes", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    .storedStep(x, "times", backward)$table
})

#' @rdname accessors
#' @export
setMethod("lineageNames", "Estimator", function(x, ...) {
    .checkDots(...)
    lineageNames(.step(x, "fates"))
})

#' @rdname accessors
#' @export
setMethod("lineageNames", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    lineageNames(fateProbabilities(x, backward = backward))
})

#' @rdname accessors
#' @export
setMethod("lineageColors", "Estimator", function(x, ...) {
    .checkDots(...)
    lineageColors(.step(x, "fates"))
})

#' @rdname accessors
#' @export
setMethod("lineageColors", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    lineageColors(fateProbabilities(x, backward = backward))
})

#' @rdname accessors
#' @export
setMethod("drivers", "Estimator", function(x, lineage = NULL, ...) {
    .checkDots(...)
    table <- .step(x, "drivers")
    .tidyDrivers(table, lineage)
})

#' @rdname accessors
#' @export
setMethod("drivers", "ANY", function(x, lineage = NULL, ...,
                                     backward = FALSE) {
    .checkDots(...)
    table <- .storedStep(x, "drivers", backward)
    .tidyDrivers(table, lineage)
})
