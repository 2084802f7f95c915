#' @include AllGenerics.R estimator-steps.R
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
#' by two goes to the larger membership. Names come from `cluster_key`: the
#' cluster most cells of a state are in, numbered when several states share one.
#'
#' @inheritParams computeSchur
#' @param n_states A number, a range of two, or NULL.
#' @param n_cells Cells per macrostate; NULL gives every cell to its largest
#'   membership.
#' @param cluster_key Column of labels that names the states; NULL numbers them.
#' @param optimizer `"auto"` or `"nelder-mead"`.
#' @return The estimator with [macrostates()], [memberships()],
#'   [coarseTransition()] and, where it exists, the coarse
#'   [stationaryDistribution()]. Terminal states, fates and drivers computed
#'   before are dropped.
#' @section Errors:
#' `range` (`n_states`, `n_cells`), `no_state` (a state without enough cells, or
#' fewer states than closed classes), `missing_key`.
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
    optimizer <- .checkChoice(optimizer, c("auto", "nelder-mead"))
    .checkCount(n_cells, null = TRUE)
    .checkStates(n_states)
    reference <- .referenceLabels(estimator, cluster_key)
    job <- .job(n_threads, show_progress_bar, "Macrostates")
    estimator <- .schurFor(estimator, n_states, job)
    m <- .resolveStates(estimator, n_states, job)
    vectors <- estimator@results$schur$vectors[, seq_len(m), drop = FALSE]
    out <- .native(
        job, rs_chain_macrostates, .slots(estimator@kernel@matrix), vectors,
        nrow(vectors), m, optimizer, if (is.null(n_cells)) 0L else n_cells,
        cell_names = .cells(estimator)
    )
    states <- .nameStates(out$labels, m, reference, .cells(estimator))
    .warnShort(out$counts, states, n_cells)
    .warnUnsettled(out)
    .setStep(
        estimator, "macrostates", .macrostateResult(out, states, estimator),
        list(
            n_states = m, n_cells = n_cells, cluster_key = cluster_key,
            optimizer = optimizer, requested = n_states
        ), .run(
            job, method = out$optimizer, iterations = out$evaluations,
            crispness = out$crispness, start_crispness = out$start_crispness,
            stationary_residual = out$stationary_residual,
            closed_classes = out$closed_classes
        )
    )
})

.checkStates <- function(n_states, call = rlang::caller_env()) {
    if (is.null(n_states) || length(n_states) == 1L) {
        return(.checkCount(
            n_states, null = TRUE, arg = "n_states", call = call
        ))
    }
    if (length(n_states) != 2L) {
        .abort("shape", paste0(
            "`n_states` must be a number or a range of two, not ",
            length(n_states), " values."
        ), argument = "n_states", call = call)
    }
    for (v in n_states) .checkCount(v, arg = "n_states", call = call)
    invisible(n_states)
}

# A Schur decomposition large enough for the number of states asked for.
.schurFor <- function(estimator, n_states, job) {
    have <- ncol(estimator@results$schur$vectors)
    n <- length(.cells(estimator))
    want <- min(n, max(if (is.null(n_states)) 20 else n_states, 2))
    if (is.null(have)) {
        return(.schurStep(
            estimator, min(n, max(want, 20)), "LR", "krylov", 1, job
        ))
    }
    if (have >= want || is.null(n_states)) return(estimator)
    .warn("replaced_argument", paste0(
        "The decomposition has ", have, " vectors; it is computed again with ",
        want, "."
    ), argument = "n_components", value = want)
    old <- estimator@params[[.stepKey(estimator, "schur")]]
    .schurStep(estimator, want, old$which, old$method, old$alpha, job)
}

.resolveStates <- function(estimator, n_states, job,
                           call = rlang::caller_env()) {
    schur <- estimator@results$schur
    m <- if (is.null(n_states)) {
        schur$eigengap + 1L
    } else if (length(n_states) == 2L) {
        .statesByMinChi(schur, n_states, job)
    } else {
        n_states
    }
    if (m %in% schur$invalid_n_states) {
        .warn("replaced_argument", paste0(
            m, " states would split a complex pair of eigenvalues; ", m + 1L,
            " are used."
        ), argument = "n_states", value = m + 1L)
        m <- m + 1L
    }
    if (m > ncol(schur$vectors)) {
        .abort("range", paste0(
            "`n_states` = ", m, " exceeds the ", ncol(schur$vectors),
            " Schur vectors of this chain."
        ), argument = "n_states", value = m, call = call)
    }
    as.integer(m)
}

.statesByMinChi <- function(schur, range, job) {
    range <- sort(as.integer(range))
    if (range[1L] < 3L) {
        .warn("replaced_argument", paste0(
            "The lower bound ", range[1L], " of `n_states` is raised to 3: ",
            "one or two states nearly always win."
        ), argument = "n_states", value = 3L)
        range[1L] <- 3L
    }
    range[2L] <- min(max(range[2L], range[1L] + 1L), ncol(schur$vectors))
    tried <- setdiff(seq(range[1L], range[2L]), schur$invalid_n_states)
    chi <- .minChi(schur, tried, job)
    max(tried[chi >= max(chi) - .minChiTie])
}

# Differences of minChi below this are no preference; for well separated states
# they are rounding.
.minChiTie <- 1e-3

.minChi <- function(schur, tried, job) {
    .native(
        job, rs_chain_min_chi, schur$vectors, nrow(schur$vectors),
        ncol(schur$vectors), as.integer(tried)
    )
}

# Labels and colours that name states, or NULL.
.referenceLabels <- function(estimator, cluster_key,
                             call = rlang::caller_env()) {
    .checkString(cluster_key, null = TRUE, arg = "cluster_key", call = call)
    if (is.null(cluster_key)) return(NULL)
    x <- .estimatorContainer(estimator, call)
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
            " (crispness ", .brief(result$crispness), ")"
        )
    }
)
