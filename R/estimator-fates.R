#' @include AllGenerics.R estimator-steps.R estimator-states-store.R
NULL

#' Fate probabilities
#'
#' The probability of every cell to end in each terminal state, if it follows
#' the chain until it reaches one: the solution of `(I - Q) F = S`, with Q the
#' transitions among transient cells and S their transitions into the states.
#'
#' @details
#' First it is checked that every cell can reach a terminal state at all, and
#' which states each cell can reach: the probability of a state that it cannot
#' reach is exactly 0, and the record counts such cells by state
#' (`unreachable_by_state`). Cells are put in order: strongly connected
#' components after those they lead to, so that a chain of many is solved
#' component by component, and within a component the cells next to an exit
#' first.
#'
#' All states are solved for together. Small chains are eliminated cell by
#' cell. Larger ones are solved by sweeps over the ordered cells, accelerated by
#' GMRES; where the residual does not come down, because groups of cells are
#' hardly ever left, an iteration with an incomplete factorisation and a chain
#' of groups of cells goes on, and elimination comes last. Which solvers had a
#' part depends on the residuals only, and the record names them (`method`).
#'
#' Each column reports its relative residual, and the result a bound on the
#' error of every single probability: with a positive vector v for which
#' `(I - Q) v >= 1` was checked, the error of cell i is at most `v_i max|r|`. A
#' bound above 1e-4, or a residual above `tol`, is an error; the solver aims far
#' below. Rows sum to one; cells of a terminal state have probability one for
#' it. Nothing is random. Time O(edges x iterations), memory O(edges + cells x
#' states); the same on any number of threads. Stored as the embedding
#' `lineages_fwd` (`lineages_bwd`) by [container()].
#'
#' @param estimator An estimator with terminal states.
#' @param keys Terminal states to use, in the order of the result; NULL for all.
#'   Names joined by a comma, as in `"A, B"`, count as one state, called by the
#'   sorted names and coloured by the mean of their colours (HSV). States that
#'   are not named become ordinary transient cells.
#' @param solver `"auto"` (as above), `"gmres"`, `"bicgstab"` (each followed by
#'   the other where it stalls), or `"direct"` (sparse elimination, fewest
#'   neighbours first; its factors must fit into
#'   `options(fatecast.memory_limit)`).
#' @param preconditioner What makes GMRES and BiCGSTAB fast: `"auto"`, the
#'   incomplete factorisation of `"ilu0"` with a correction on groups of cells;
#'   `"ilu0"`; `"jacobi"`; `"none"`. Any but `"auto"` rules out the sweeps.
#' @param tol Largest accepted relative residual.
#' @param check_sum_tol Largest accepted distance of a row sum from one.
#' @param on_unreachable What to do with cells that can reach no terminal state:
#'   `"error"` names them; `"na"` gives them NA.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The estimator with [fateProbabilities()], a [Lineage()] of cells x
#'   terminal states. Drivers computed before are dropped.
#' @section Errors:
#' `not_computed` without terminal states; `unreachable` (with the cells);
#' `not_converged`; `no_state` when every cell is terminal; `missing_key` for
#' unknown `keys`, `duplicate_names` for keys that share a state. One terminal
#' state only is a warning: all probabilities are 1.
#' @references Lange, M. et al. (2022) CellRank for directed single-cell fate
#'   mapping. Nature Methods 19, 159-170. Kemeny, J.G. and Snell, J.L. (1976)
#'   Finite Markov chains. Springer.
#' @examples
#' # A walk on five sites that ends at either side: 3/4, 1/2, 1/4.
#' m <- matrix(0, 5, 5)
#' m[cbind(2:4, 1:3)] <- m[cbind(2:4, 3:5)] <- 0.5
#' m[1, 1] <- m[5, 5] <- 1
#' fit <- setTerminalStates(GPCCA(m), list(left = 1, right = 5))
#' fateProbabilities(computeFateProbabilities(fit))
#' @rdname computeFateProbabilities
#' @export
setMethod("computeFateProbabilities", "TermStatesEstimator", function(
        estimator, keys = NULL,
        solver = c("auto", "gmres", "bicgstab", "direct"),
        preconditioner = c("auto", "none", "jacobi", "ilu0"), tol = 1e-6,
        check_sum_tol = 1e-3, on_unreachable = c("error", "na"), ...,
        n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    solver <- .checkChoice(solver, c("auto", "gmres", "bicgstab", "direct"))
    preconditioner <- .checkChoice(
        preconditioner, c("auto", "none", "jacobi", "ilu0")
    )
    .checkPreconditioner(preconditioner, solver)
    .checkNumber(tol, 0, 1, open_min = TRUE)
    .checkNumber(check_sum_tol, 0, 1, open_min = TRUE)
    on_unreachable <- .checkChoice(on_unreachable, c("error", "na"))
    states <- .keptStates(.step(estimator, "terminal"), keys)
    job <- .job(n_threads, show_progress_bar, "Fate probabilities")
    labels <- as.integer(states$assignment)
    labels[is.na(labels)] <- 0L
    names <- levels(states$assignment)
    out <- .native(
        job, rs_chain_fates, .slots(estimator@kernel@matrix), labels,
        length(names), solver, preconditioner, tol, check_sum_tol,
        on_unreachable, getOption("fatecast.memory_limit", 4 * 2^30),
        cell_names = .cells(estimator), advice = .fateAdvice
    )
    .warnFates(out, names, .cells(estimator))
    fates <- matrix(
        out$probabilities, ncol = length(names),
        dimnames = list(.cells(estimator), NULL)
    )
    .setStep(
        estimator, "fates", Lineage(fates, names, states$colors), list(
            keys = names, solver = solver, preconditioner = preconditioner,
            tol = tol, check_sum_tol = check_sum_tol,
            on_unreachable = on_unreachable
        ), .fatesRun(job, out, names)
    )
})

# The record's account of a solution.
.fatesRun <- function(job, out, names) {
    .run(
        job, method = out$solver, residual = max(out$residuals),
        residuals = stats::setNames(out$residuals, names),
        iterations = max(out$iterations), error_bound = out$error_bound,
        escape = out$escape, transient = out$transient,
        classes = out$classes, unreachable = length(out$unreachable),
        unreachable_by_state = stats::setNames(out$unreachable_by_state, names)
    )
}

.checkPreconditioner <- function(preconditioner, solver,
                                 call = rlang::caller_env()) {
    if (solver == "direct" && preconditioner != "auto") {
        .abort(
            "range", paste(
                "`preconditioner` is for iterations; solver = \"direct\" has",
                "none."
            ), "Leave one of the two at \"auto\".",
            argument = "preconditioner", value = preconditioner, call = call
        )
    }
}

.fateAdvice <- paste(
    "If cells cannot reach a terminal state, add one in their part of the",
    "graph, or use on_unreachable = \"na\"."
)

# The states that `keys` name, in their order: names of states, or several
# joined as in "A, B". A list of the assignment (a factor over cells, NA
# outside the states) and the colours of its levels.
.keptStates <- function(terminal, keys, call = rlang::caller_env()) {
    known <- levels(terminal$assignment)
    if (is.null(keys)) {
        return(list(
            assignment = terminal$assignment, colors = unname(terminal$colors)
        ))
    }
    if (!is.character(keys) || !length(keys) || anyNA(keys)) {
        .badType(keys, "names of terminal states", TRUE, "keys", call)
    }
    members <- lapply(keys, .splitKey, known = known)
    # A key of nothing but commas and blanks names no state.
    members[!lengths(members)] <- ""
    .knownStates(unlist(members), known, "terminal state", call)
    names <- vapply(members, paste, "", collapse = ", ")
    kept <- rep(seq_along(members), lengths(members))
    state <- kept[match(terminal$assignment, unlist(members))]
    assignment <- factor(state, seq_along(names), names)
    names(assignment) <- names(terminal$assignment)
    colors <- stats::setNames(terminal$colors, known)
    list(assignment = assignment, colors = vapply(members, function(m) {
        if (length(m) == 1L) colors[[m]] else .mixColors(unname(colors[m]))
    }, "", USE.NAMES = FALSE))
}

.warnFates <- function(out, names, cells) {
    if (length(names) == 1L) {
        .warn("single_lineage", paste0(
            "There is one terminal state only; every probability is 1."
        ), state = names)
    }
    if (length(out$unreachable)) {
        lost <- cells[out$unreachable]
        .warn("dropped", paste0(
            .count(length(lost), "cell"), " cannot reach a terminal state ",
            "and got NA: ", .someNames(lost), "."
        ), cells = lost)
    }
}

.writeFates <- function(object, x, key) {
    fates <- x@results$fates
    object <- .writeEmbedding(object, key, as.matrix(fates))
    .writeRecord(object, key, .stepRecord(
        x, key, "computeFateProbabilities", names = lineageNames(fates),
        colors = unname(lineageColors(fates))
    ))
}

.stepFates <- .newStep(
    key = .keyLineages, call = "computeFateProbabilities()",
    needs = "terminal", write = .writeFates,
    read = function(object, record, key) .readLineage(object, key),
    rename = .renameLineage,
    describe = function(result, run, params) {
        paste0(
            "fate probabilities: error below ", .brief(run$error_bound), " (",
            run$method, ", relative residual ", .brief(run$residual), ")"
        )
    }
)
