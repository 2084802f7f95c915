#' @include AllGenerics.R estimator-steps.R
NULL

#' Absorption times
#'
#' How many steps of the chain a cell takes until it arrives in a terminal
#' state: the mean, and if wanted the variance, over all walks from the cell
#' that end in the state.
#'
#' @details
#' With Q the transitions among transient cells, `N = (I - Q)^-1` and f the fate
#' probabilities of a state, the mean time is `m = (N f) / f` and the variance
#' `2 (N (f m)) / f - m - m^2`. With one state (or all states joined, as in
#' `keys = "A, B"`) every walk ends there, and these are the unconditional
#' times; with several, `sum_k f_k m_k` is that unconditional mean. Fate
#' probabilities need not be computed before; all states are solved for
#' together, and no inverse is made.
#'
#' Rows of cells: 0 for cells of the state itself; mean Inf and variance NaN for
#' cells of other states; NA for cells that cannot reach the state. Where the
#' fate is so rare (far below 1e-16) that its time cannot be told from rounding,
#' the time is NA, too, with a warning.
#'
#' Quotients by tiny probabilities need small *relative* errors, so every solve
#' is refined until its residual is rounding in every cell, and the result
#' carries `error_bound`, a bound on the relative error of every mean, and
#' `variance_bound`, a bound on the error of every variance in proportion to the
#' second moment (variance plus squared mean). A bound above 1e-4 is an error.
#' Time O(edges x iterations x states), memory O(edges + cells x states); the
#' same bits on any number of threads. Randomness: not applicable.
#'
#' @inheritParams computeFateProbabilities
#' @param calculate_variance Whether variances are computed, too.
#' @param solver `"auto"` (by size), `"gmres"`, `"bicgstab"` or `"direct"`
#'   (dense, small chains only).
#' @param tol Largest accepted relative residual; the solver aims far below.
#' @return The estimator with [absorptionTimes()]: a data frame, cells x
#'   `<state>_mean` (and `<state>_var`), in steps and squared steps.
#'   [container()] stores each column with the cells, as
#'   `absorption_times_fwd.<state>_mean`.
#' @section Errors:
#' `not_computed` without terminal states; `unreachable` (with the cells);
#' `not_converged`; `no_state` when every cell is terminal; `missing_key` for
#' unknown `keys`. Warning `dropped` for times that cannot be given.
#' @references Kemeny, J.G. and Snell, J.L. (1976) Finite Markov chains.
#'   Springer. Lange, M. et al. (2022) CellRank for directed single-cell fate
#'   mapping. Nature Methods 19, 159-170.
#' @seealso [computeFateProbabilities()]
#' @examples
#' # A walk on five sites that ends at either side takes 3, 4, 3 steps.
#' m <- matrix(0, 5, 5)
#' m[cbind(2:4, 1:3)] <- m[cbind(2:4, 3:5)] <- 0.5
#' m[1, 1] <- m[5, 5] <- 1
#' fit <- setTerminalStates(GPCCA(m), list(left = 1, right = 5))
#' fit <- computeAbsorptionTimes(fit, calculate_variance = TRUE)
#' absorptionTimes(fit)
#' @rdname computeAbsorptionTimes
#' @export
setMethod("computeAbsorptionTimes", "TermStatesEstimator", function(
        estimator, keys = NULL, calculate_variance = FALSE,
        solver = c("auto", "gmres", "bicgstab", "direct"), tol = 1e-6,
        on_unreachable = c("error", "na"), ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    options <- list(
        calculate_variance = .checkFlag(calculate_variance),
        solver = .checkChoice(
            solver, c("auto", "gmres", "bicgstab", "direct")
        ), tol = .checkNumber(tol, 0, 1, open_min = TRUE),
        on_unreachable = .checkChoice(on_unreachable, c("error", "na"))
    )
    states <- .keptStates(.step(estimator, "terminal"), keys)
    job <- .job(n_threads, show_progress_bar, "Absorption times")
    labels <- as.integer(states$assignment)
    labels[is.na(labels)] <- 0L
    names <- levels(states$assignment)
    cells <- .cells(estimator)
    out <- .native(
        job, rs_chain_times, .slots(estimator@kernel@matrix), labels,
        length(names), options, cell_names = cells, advice = .timeAdvice
    )
    .warnAbsorption(out, cells)
    .setStep(
        estimator, "times", .absorptionTable(out, names, cells),
        c(list(keys = names), options), .run(
            job, method = out$solver, residual = max(out$residuals),
            residuals = out$residuals, iterations = max(out$iterations),
            error_bound = out$error_bound,
            variance_bound = if (calculate_variance) out$variance_bound,
            unreachable = length(out$unreachable),
            unresolved = length(out$unresolved)
        )
    )
})

.timeAdvice <- paste(
    "If cells cannot reach a terminal state, add one in their part of the",
    "graph, or use on_unreachable = \"na\"."
)

.warnAbsorption <- function(out, cells) {
    warn <- function(at, what) {
        if (length(at)) {
            .warn("dropped", paste0(
                .count(length(at), "cell"), " ", what, " and got NA: ",
                .someNames(cells[at]), "."
            ), cells = cells[at])
        }
    }
    warn(out$unreachable, "cannot reach a terminal state")
    warn(
        out$unresolved,
        "reach a terminal state too rarely for the time to be told"
    )
}

# The columns of every state together, in the order of the states.
.absorptionTable <- function(out, names, cells) {
    columns <- list()
    rows <- seq_along(cells)
    for (k in seq_along(names)) {
        at <- (k - 1L) * length(cells) + rows
        columns[[paste0(names[k], "_mean")]] <- out$means[at]
        if (!is.null(out$variances)) {
            columns[[paste0(names[k], "_var")]] <- out$variances[at]
        }
    }
    list(
        table = data.frame(columns, row.names = cells, check.names = FALSE),
        names = names
    )
}

.writeAbsorption <- function(object, x, key) {
    times <- x@results$times
    columns <- lapply(times$table, stats::setNames, .cells(x))
    names(columns) <- .keyColumn(key, names(times$table))
    object <- .writeCellData(object, columns)
    .writeRecord(object, key, .stepRecord(
        x, key, "computeAbsorptionTimes", names = times$names,
        columns = names(times$table)
    ))
}

.readAbsorption <- function(object, record, key) {
    stored <- .keyColumn(key, record$columns)
    if (!all(stored %in% .cellDataNames(object))) return(NULL)
    columns <- lapply(stored, .readCellData, x = object)
    names(columns) <- record$columns
    list(
        table = data.frame(
            columns, row.names = .cellNames(object), check.names = FALSE
        ), names = record$names
    )
}

# Columns come state by state.
.renameAbsorption <- function(result, new) {
    each <- ncol(result$table) / length(result$names)
    suffix <- c("_mean", "_var")[seq_len(each)]
    result$names <- unname(new[result$names])
    names(result$table) <- paste0(rep(result$names, each = each), suffix)
    result
}

.stepTimes <- .newStep(
    key = .keyAbsorptionTimes, call = "computeAbsorptionTimes()",
    needs = "terminal", write = .writeAbsorption, read = .readAbsorption,
    describe = function(result, run, params) {
        paste0(
            "absorption times: relative error below ",
            .brief(run$error_bound), " (", run$method, ")"
        )
    }, rename = .renameAbsorption
)
