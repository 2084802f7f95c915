#' @include AllGenerics.R estimator-steps.R estimator-minchi.R
NULL

#' Macrostates of the chain
#'
#' Rotates the leading Schur vectors into soft memberships that are as crisp as
#' possible, and takes the cells that belong most to each state.
#'
#' @details
#' `n_states = NULL` takes one more than the eigengap; two numbers are a range
#' in which the number with the largest minChi is taken (the smallest membership
#' before optimisation, near zero for a good number). A number that would split
#' a complex pair is raised by one, with a warning. Memberships are non-negative
#' and their rows sum to one. The optimiser starts at the inner simplex vertices
#' and never ends less crisp; up to four states it is the Nelder-Mead method
#' with CellRank's settings, above a quasi-Newton method for non-smooth
#' functions from several starts, among the rotations in which the corner cell
#' of every state stays its own. Should a state still be left without cells, the
#' Nelder-Mead result is taken, with a warning. `optimizer = "nelder-mead"`
#' forces that method.
#'
#' The `n_cells` cells of largest membership represent a state; a cell claimed
#' by two goes to the larger membership, and of equal ones the earlier cell is
#' taken. With `n_cells = NULL` every cell belongs to the state of its largest
#' membership; a state may then be left without cells, and its level is kept.
#' Names come from `cluster_key`: the cluster most cells of a state are in
#' (ties: the earlier level), numbered when several states share one.
#'
#' `n_states = 1` says that the chain is not divided. The one macrostate is the
#' stationary distribution, the cells that represent it are those with the
#' largest probability, its memberships are that distribution (they do not sum
#' to one in a row), there is no coarse chain, and Schur results are dropped.
#'
#' Without Schur vectors [computeSchur()] runs first, with 20 components or as
#' many as there are states; with too few it runs again, with a warning. Call it
#' yourself to choose its arguments.
#'
#' Time beside the decomposition: the optimiser looks at some hundred cells on
#' the hull, so that it grows with the fourth power of the number of states and
#' hardly with the number of cells; the stationary distribution and the coarse
#' chain take O(entries) per step. Memory O(cells x states). No randomness; the
#' result is the same on any number of threads. NA is refused when the chain is
#' made. Stored by [container()]: the assignment as a column `macrostates_fwd`,
#' memberships as an embedding `macrostates_fwd_memberships`, the rest in the
#' record of the column (`bwd` for backward chains).
#'
#' @inheritParams computeSchur
#' @param n_states A number, a range of two, or NULL for one more than the
#'   eigengap.
#' @param n_cells Cells per macrostate; NULL gives every cell to its largest
#'   membership.
#' @param cluster_key Column of labels that names the states; NULL numbers them.
#' @param optimizer `"auto"` or `"nelder-mead"`.
#' @return The estimator with [macrostates()], [memberships()],
#'   [coarseTransition()] and, where it exists, the coarse
#'   [stationaryDistribution()]. Terminal states, fates and drivers computed
#'   before are dropped.
#' @section Errors:
#' `range` (`n_states`, `n_cells`; the largest possible number is named),
#' `shape` (a range that is not of two numbers), `no_state` (a state without
#' enough cells or members, or fewer states than closed classes of the chain),
#' `singular` (states that cannot be told apart), `missing_key`, `type`
#' (`cluster_key`). Warnings: `replaced_argument` (another number of states or
#' vectors is used), `dropped` (fewer than `n_cells` cells of a state),
#' `fallback` and `not_converged` (the optimiser, the stationary distribution).
#' @seealso [macrostateProfile()] and [computeTsi()] to choose the number of
#'   states; [plotCoarseT()], [plotMacrostates()],
#'   [plotMacrostateComposition()].
#' @references As for [GPCCA()]; Roeblitz, S. and Weber, M. (2013) Fuzzy
#'   spectral clustering by PCCA+. Advances in Data Analysis and Classification
#'   7, 147-179.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' fit <- computeMacrostates(
#'     GPCCA(VelocityKernel(sce)), n_states = 4, cluster_key = "cell_type"
#' )
#' table(macrostates(fit))
#' @rdname computeMacrostates
#' @export
setMethod("computeMacrostates", "GPCCA", function(
        estimator, n_states = NULL, n_cells = 30, cluster_key = NULL,
        optimizer = c("auto", "nelder-mead"), ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    params <- list(
        n_cells = .checkCount(n_cells, null = TRUE), cluster_key = cluster_key,
        optimizer = .checkChoice(optimizer, c("auto", "nelder-mead")),
        requested = .checkStates(n_states)
    )
    reference <- .referenceLabels(estimator, cluster_key)
    job <- .job(n_threads, show_progress_bar, "Macrostates")
    m <- 1L
    if (!identical(as.numeric(n_states), 1)) {
        estimator <- .schurFor(estimator, n_states, job)
        m <- .resolveStates(estimator, n_states, job)
    }
    .checkStateCells(n_cells, length(.cells(estimator)), m)
    params <- c(list(n_states = m), params)
    if (m == 1L) {
        .oneMacrostate(estimator, reference, params, job)
    } else {
        .severalMacrostates(estimator, reference, params, job)
    }
})

# Cells per state as the core takes them: 0 for all.
.cellsPerState <- function(n_cells) if (is.null(n_cells)) 0L else n_cells

.checkStateCells <- function(n_cells, n, m, call = rlang::caller_env()) {
    most <- n %/% m
    if (!is.null(n_cells) && n_cells > most) {
        .abort("range", paste0(
            "`n_cells` = ", n_cells, " is too large for ", .count(m, "state"),
            " of ", n, " cells."
        ), paste0("Take at most ", most, "."), argument = "n_cells",
        value = n_cells, max = most, call = call)
    }
}

.severalMacrostates <- function(estimator, reference, params, job) {
    m <- params$n_states
    vectors <- estimator@results$schur$vectors[, seq_len(m), drop = FALSE]
    out <- .native(
        job, rs_chain_macrostates, .slots(estimator@kernel@matrix), vectors,
        nrow(vectors), m, params$optimizer, .cellsPerState(params$n_cells),
        cell_names = .cells(estimator)
    )
    states <- .nameStates(out$labels, m, reference, .cells(estimator))
    .warnShort(out$counts, states, params$n_cells)
    .warnUnsettled(out)
    .setStep(
        estimator, "macrostates", .macrostateResult(out, states, estimator),
        params, .run(
            job, method = out$optimizer, iterations = out$evaluations,
            crispness = out$crispness, start_crispness = out$start_crispness,
            stationary_residual = out$stationary_residual,
            closed_classes = out$closed_classes
        )
    )
}

# One state needs no Schur vectors, and those of an earlier number would say
# that there are more: they go, with all that rested on them.
.oneMacrostate <- function(estimator, reference, params, job) {
    cells <- .cells(estimator)
    out <- .native(
        job, rs_chain_whole, .slots(estimator@kernel@matrix),
        .cellsPerState(params$n_cells), cell_names = cells
    )
    states <- .nameStates(out$labels, 1L, reference, cells)
    pi <- stats::setNames(out$stationary, cells)
    estimator <- .dropStep(.dropDependents(estimator, "schur"), "schur")
    .setStep(
        estimator, "macrostates", list(
            assignment = states$assignment,
            memberships = Lineage(
                matrix(pi, ncol = 1L, dimnames = list(cells, NULL)),
                states$names, states$colors
            ),
            coarse = NULL, stationary = pi, crispness = NULL
        ), params, .run(
            job, method = "stationary", residual = out$residual,
            stationary_residual = out$residual, closed_classes = 1
        )
    )
}

# Labels and colours that name states, or NULL.
.referenceLabels <- function(estimator, cluster_key,
                             call = rlang::caller_env()) {
    .checkString(cluster_key, null = TRUE, arg = "cluster_key", call = call)
    if (is.null(cluster_key)) return(NULL)
    .labelsOf(.estimatorContainer(estimator, call), cluster_key, call)
}

# Labels of the cells of an object as a factor, with its colours.
.labelsOf <- function(x, cluster_key, call = rlang::caller_env()) {
    labels <- .readCellData(x, cluster_key)
    if (!is.factor(labels)) {
        if (!is.character(labels)) {
            .abort("type", paste0(
                "`", cluster_key, "` must hold labels (a factor), not `",
                class(labels)[1L], "`."
            ), argument = "cluster_key", call = call)
        }
        labels <- factor(labels)
    }
    list(labels = labels, colors = .labelColors(x, cluster_key, labels))
}

# The palette of a column: stored, or the default one.
.labelColors <- function(x, key, labels) {
    stored <- .readColors(x, key)
    levels <- levels(labels)
    if (is.null(stored)) {
        return(stats::setNames(.defaultColors(length(levels)), levels))
    }
    if (!is.null(names(stored)) && all(levels %in% names(stored))) {
        return(stored[levels])
    }
    # Too few are refused where they are needed.
    if (length(stored) < length(levels)) return(unname(stored))
    stats::setNames(unname(stored)[seq_along(levels)], levels)
}

# Factor of states (levels in state order) with names and colours.
.nameStates <- function(labels, m, reference, cells) {
    states <- factor(labels, levels = seq_len(m))
    names(states) <- cells
    if (is.null(reference)) {
        names <- as.character(seq_len(m) - 1L)
        colors <- .defaultColors(m)
    } else {
        mapped <- .mapStates(states, reference$labels, reference$colors)
        names <- mapped$names
        colors <- mapped$colors
    }
    levels(states) <- names
    list(assignment = states, names = names, colors = unname(colors))
}

.warnUnsettled <- function(out) {
    if (out$fell_back) {
        .warn("fallback", paste(
            "The crispest memberships leave a macrostate without cells of its",
            "own; those of the Nelder-Mead optimiser are used."
        ))
    }
    if (!is.null(out$unsettled)) {
        .warn("not_converged", paste0(
            "No stationary distribution is given: ", out$unsettled, "."
        ))
    }
}

.warnShort <- function(counts, states, n_cells) {
    if (is.null(n_cells)) return(invisible())
    short <- counts < n_cells
    if (!any(short)) return(invisible())
    .warn("dropped", paste0(
        "Fewer than ", n_cells, " cells represent ",
        paste0(.someNames(states$names[short]), " (",
            paste(counts[short], collapse = ", "), ")"), "."
    ), states = states$names[short], counts = counts[short])
}

.macrostateResult <- function(out, states, estimator) {
    m <- length(states$names)
    chi <- matrix(
        out$memberships, ncol = m, dimnames = list(.cells(estimator), NULL)
    )
    name <- list(states$names, states$names)
    list(
        assignment = states$assignment,
        memberships = Lineage(chi, states$names, states$colors),
        coarse = list(
            transition = matrix(out$coarse, m, dimnames = name),
            initial = stats::setNames(out$initial, states$names),
            stationary = if (!is.null(out$coarse_stationary)) {
                stats::setNames(out$coarse_stationary, states$names)
            }
        ),
        stationary = if (!is.null(out$stationary)) {
            stats::setNames(out$stationary, .cells(estimator))
        }, crispness = out$crispness
    )
}

.writeMacrostates <- function(object, x, key) {
    states <- x@results$macrostates
    object <- .writeCellData(
        object, stats::setNames(list(unname(states$assignment)), key)
    )
    member <- .keyMemberships(key)
    object <- .writeLineage(
        object, x, member, states$memberships, key, "computeMacrostates"
    )
    object <- .writeColors(object, key, lineageColors(states$memberships))
    .writeRecord(object, key, .stepRecord(
        x, key, "computeMacrostates", coarse = states$coarse,
        stationary = states$stationary, crispness = states$crispness
    ))
}

.readMacrostates <- function(object, record, key) {
    list(
        assignment = .readStates(object, key),
        memberships = .readLineage(object, .keyMemberships(key)),
        coarse = record$coarse, stationary = record$stationary,
        crispness = record$crispness
    )
}

.stepMacrostates <- .newStep(
    key = .keyMacrostates, call = "computeMacrostates()", needs = "schur",
    write = .writeMacrostates, read = .readMacrostates,
    describe = function(result, run, params) {
        paste0(
            "macrostates: ", .someNames(levels(result$assignment), 30L),
            if (is.null(result$crispness)) {
                " (the stationary distribution)"
            } else {
                paste0(" (crispness ", .brief(result$crispness), ")")
            }
        )
    }
)
