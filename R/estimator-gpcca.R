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

#' Leading invariant subspace of the chain
#'
#' The sorted partial real Schur form `T Q = Q R` by a thick-restart
#' Krylov-Schur method (Stewart 2001), made orthonormal under the uniform
#' distribution with a constant first column.
#'
#' @details
#' A complex pair of eigenvalues is never split: when the last one asked for
#' would be, one more is computed, with a warning. Chains with several closed
#' classes, and so several eigenvalues 1, are handled. The relative residual of
#' `T X - X R` is at most 1e-10 or the call is an error. Time O(edges x
#' products), memory O(cells x n_components); the same on any number of threads.
#'
#' @param estimator A [GPCCA()] estimator.
#' @param n_components Number of Schur vectors, at least 2.
#' @param which Order of the eigenvalues: `"LR"` by real part, `"LM"` by
#'   modulus.
#' @param method `"krylov"`, or `"brandts"`: the full decomposition of the dense
#'   matrix, O(n^3), for small chains.
#' @param alpha Weight of the distance from one in the eigengap.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The estimator with Schur vectors ([schurVectors()]), eigenvalues
#'   ([eigenvalues()]) and the eigengap among its parameters.
#' @section Errors:
#' `not_converged`, `range`, `memory`.
#' @references Stewart, G.W. (2001) A Krylov-Schur algorithm for large
#'   eigenproblems. SIAM Journal on Matrix Analysis and Applications 23,
#'   601-614.
#' @examples
#' m <- matrix(c(0.9, 0.2, 0, 0.1, 0.6, 0.1, 0, 0.2, 0.9), 3)
#' eigenvalues(computeSchur(GPCCA(m), n_components = 3))
#' @rdname computeSchur
#' @export
setMethod("computeSchur", "GPCCA", function(
        estimator, n_components = 20, which = c("LR", "LM"),
        method = c("krylov", "brandts"), alpha = 1, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    .checkNumber(alpha)
    which <- .checkChoice(which, c("LR", "LM"))
    method <- .checkChoice(method, c("krylov", "brandts"))
    m <- .usableComponents(.checkCount(n_components), estimator)
    job <- .job(n_threads, show_progress_bar, "Schur decomposition")
    estimator <- .schurStep(estimator, m, which, method, alpha, job)
    kept <- ncol(estimator@results$schur$vectors)
    if (kept > m) {
        .warn("replaced_argument", paste0(
            "The eigenvalue number ", m, " is half of a complex pair; ", kept,
            " Schur vectors are kept."
        ), argument = "n_components", value = kept)
    }
    estimator
})

.schurStep <- function(estimator, m, which, method, alpha, job) {
    out <- .native(
        job, rs_chain_schur, .slots(estimator@kernel@matrix), m, which,
        method, alpha, cell_names = .cells(estimator)
    )
    kept <- length(out$re)
    result <- list(
        vectors = matrix(
            out$vectors, ncol = kept, dimnames = list(.cells(estimator), NULL)
        ),
        matrix = matrix(out$matrix, kept),
        eigenvalues = complex(real = out$re, imaginary = out$im),
        eigengap = out$eigengap, invalid_n_states = out$invalid
    )
    .setStep(
        estimator, "schur", result, list(
            n_components = m, which = which, method = method, alpha = alpha
        ), .run(
            job, method = out$method, residual = max(out$residuals),
            residuals = out$residuals, iterations = out$products
        )
    )
}

.usableComponents <- function(m, estimator, call = rlang::caller_env()) {
    n <- length(.cells(estimator))
    if (m < 2) {
        .warn("replaced_argument", paste0(
            "`n_components` = ", m, " is too few; 2 is used."
        ), argument = "n_components", value = 2L)
        m <- 2L
    }
    if (m > n) {
        .abort("range", paste0(
            "`n_components` = ", m, " exceeds the ", n, " cells."
        ), argument = "n_components", value = m, call = call)
    }
    m
}

#' Macrostates of the chain
#'
#' Rotates the leading Schur vectors into soft memberships that are as crisp as
#' possible, and takes the cells that belong most to each state.
#'
#' @details
#' `n_states = NULL` takes one more than the eigengap; two numbers are a range in
#' which the number with the largest minChi is taken (the smallest membership
#' before optimisation, near zero for a good number). A number that would split
#' a complex pair is raised by one, with a warning. Memberships are non-negative
#' and their rows sum to one. The optimiser starts at the inner simplex vertices
#' and never ends less crisp; up to four states it is the Nelder-Mead method
#' with CellRank's settings, above a quasi-Newton method for non-smooth
#' functions from several starts, among the rotations in which the corner cell of
#' every state stays its own. Should a state still be left without cells, the
#' Nelder-Mead result is taken, with a warning. `optimizer = "nelder-mead"` forces
#' that method.
#'
#' The `n_cells` cells of largest membership represent a state; a cell claimed by
#' two goes to the larger membership. Names come from `cluster_key`: the cluster
#' most cells of a state are in, numbered when several states share one.
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
#' @references As for [GPCCA()]; Roeblitz, S. and Weber, M. (2013) Fuzzy spectral
#'   clustering by PCCA+. Advances in Data Analysis and Classification 7,
#'   147-179.
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

.writeSchur <- function(object, x, key) {
    schur <- x@results$schur
    object <- .writeEmbedding(object, key, schur$vectors)
    .writeRecord(object, key, .stepRecord(
        x, key, "computeSchur", matrix = schur$matrix,
        eigenvalues = schur$eigenvalues, eigengap = schur$eigengap,
        invalid_n_states = schur$invalid_n_states
    ))
}

.writeMacrostates <- function(object, x, key) {
    states <- x@results$macrostates
    object <- .writeCellData(
        object, stats::setNames(list(unname(states$assignment)), key)
    )
    member <- .keyMemberships(key)
    object <- .writeLineage(object, x, member, states$memberships, key)
    object <- .writeColors(object, key, lineageColors(states$memberships))
    .writeRecord(object, key, .stepRecord(
        x, key, "computeMacrostates", coarse = states$coarse,
        stationary = states$stationary, crispness = states$crispness
    ))
}

# A Lineage as an embedding; names and colours travel in its record.
.writeLineage <- function(object, x, key, lineage, step_key) {
    object <- .writeEmbedding(object, key, as.matrix(lineage))
    record <- .stepRecord(
        x, step_key, "computeMacrostates",
        names = lineageNames(lineage), colors = unname(lineageColors(lineage))
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
