#' @include AllGenerics.R estimator-steps.R estimator-profile.R
NULL

#' How well a chain identifies terminal states
#'
#' The terminal state identification score: macrostates are computed for every
#' number from 1 on, and it is counted how many of the known terminal states are
#' among them. A chain that resolves the terminal states early scores high.
#'
#' @details
#' For each number the macrostates are named by `cluster_key`, and the distinct
#' clusters among them that are in `terminal_states` are counted; numbers that
#' tell several states of one cluster apart do not matter. A cluster keeps its
#' full name, underscores included. A number that would split a complex pair is
#' raised by one; a number for which there are no macrostates takes the count of
#' the number below it (0 for 1). The score is the sum of the counts over the
#' sum of what is possible, `min(n, length(terminal_states))`, from 0 to 1.
#'
#' One Schur decomposition serves all numbers, so that the cost is that of
#' [computeMacrostates()] for each number. The result is kept: a call with a
#' smaller `n_macrostates` and without `terminal_states` and `cluster_key`, or
#' with the same, only takes its part. No randomness; the same result on any
#' number of threads. Macrostates and later results of the estimator are left
#' alone. [container()] stores it in the record `tsi_fwd` (`tsi_bwd`).
#'
#' @inheritParams computeMacrostates
#' @param n_macrostates The largest number of macrostates.
#' @param terminal_states Names of the known terminal states, which are labels
#'   in `cluster_key`. Needed the first time.
#' @param cluster_key Column of labels. Needed the first time.
#' @param x An estimator, a `SingleCellExperiment` or a `Seurat` object.
#' @param backward For objects: read the result of the backward chain.
#' @return `computeTsi()`: the estimator. `tsi()`: a data frame with the columns
#'   `number_of_macrostates`, `identified_terminal_states` and
#'   `optimal_identification`, largest number first, and the score as its
#'   attribute `score`.
#' @section Errors:
#' `type` without `terminal_states` and `cluster_key` the first time, `range`
#' (`n_macrostates`, `n_cells`), `missing_key` (a column or a terminal state
#' that is not there), `not_computed` (`tsi()` before `computeTsi()`).
#' @references Weiler, P. et al. (2024) CellRank 2: unified fate mapping in
#'   multiview single-cell data. Nature Methods 21, 1196-1205.
#' @seealso [plotTsi()], [macrostateProfile()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' tips <- setdiff(levels(sce$cell_type), c("root", "intermediate"))
#' fit <- computeTsi(
#'     GPCCA(VelocityKernel(sce)), 6, tips, "cell_type", n_cells = 10
#' )
#' tsi(fit)
#' attr(tsi(fit), "score")
#' @rdname computeTsi
#' @export
setMethod("computeTsi", "GPCCA", function(
        estimator, n_macrostates, terminal_states = NULL, cluster_key = NULL,
        n_cells = 30, optimizer = c("auto", "nelder-mead"), ...,
        n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    most <- .checkCount(n_macrostates, 1, length(.cells(estimator)))
    .checkCount(n_cells, null = TRUE)
    optimizer <- .checkChoice(optimizer, c("auto", "nelder-mead"))
    have <- .tsiBefore(estimator)
    terminal <- .tsiArgument(terminal_states, have$terminal_states)
    key <- .tsiArgument(cluster_key, have$cluster_key)
    reference <- .referenceLabels(estimator, key)
    .checkTerminalNames(terminal, levels(reference$labels), key)
    params <- list(
        n_macrostates = most, terminal_states = unique(terminal),
        cluster_key = key, n_cells = n_cells, optimizer = optimizer
    )
    job <- .job(n_threads, show_progress_bar, "Terminal states")
    known <- .tsiKnown(estimator, have, params)
    if (is.null(known)) {
        schur <- .vectorsFor(estimator, max(most, 2L), job)
        out <- .divisions(
            estimator, schur, seq_len(most), n_cells, optimizer, job,
            raise = TRUE
        )
        known <- .tsiCounts(
            out, params$terminal_states, reference$labels
        )
    }
    .setStep(
        estimator, "tsi", .tsiResult(known, most, params$terminal_states),
        params, .run(job, method = optimizer)
    )
})

# Parameters of an earlier run.
.tsiBefore <- function(estimator) {
    if (is.null(estimator@results$tsi)) return(NULL)
    estimator@params[[.stepKey(estimator, "tsi")]]
}

.tsiArgument <- function(given, before, arg = rlang::caller_arg(given),
                         call = rlang::caller_env()) {
    value <- if (is.null(given)) before else given
    if (!is.character(value) || !length(value) || anyNA(value)) {
        .abort(
            "type", if (is.null(value)) {
                paste0("`", arg, "` is needed the first time.")
            } else {
                paste0("`", arg, "` must be names.")
            }, argument = arg, call = call
        )
    }
    value
}

.checkTerminalNames <- function(terminal, labels, key,
                                call = rlang::caller_env()) {
    unknown <- setdiff(terminal, labels)
    if (length(unknown)) {
        .abort("missing_key", paste0(
            "There is no ", .someNames(unknown), " in `", key, "`; its labels ",
            "are ", .someNames(labels, 30L), "."
        ), .suggest(unknown[1L], labels), states = unknown, call = call)
    }
}

# Counts from 1 up of an earlier run that hold here, or NULL.
.tsiKnown <- function(estimator, have, params) {
    if (is.null(have) || have$n_macrostates < params$n_macrostates) {
        return(NULL)
    }
    same <- setdiff(names(params), "n_macrostates")
    if (!identical(have[same], params[same])) return(NULL)
    rev(estimator@results$tsi$table$identified_terminal_states)
}

# Terminal states among the clusters that macrostates are named by, for each
# number; one that failed has the count of the number below.
.tsiCounts <- function(out, terminal, labels) {
    counts <- integer(length(out$failure))
    below <- 0L
    for (at in seq_along(counts)) {
        if (is.na(out$failure[at])) {
            shared <- table(out$labels[[at]], labels)
            best <- max.col(unclass(shared), ties.method = "first")
            found <- levels(labels)[best[rowSums(shared) > 0]]
            below <- sum(terminal %in% found)
        }
        counts[at] <- below
    }
    counts
}

.tsiResult <- function(counts, most, terminal) {
    number <- seq_len(most)
    best <- pmin(number, length(terminal))
    counts <- counts[number]
    list(
        table = data.frame(
            number_of_macrostates = rev(number),
            identified_terminal_states = rev(counts),
            optimal_identification = rev(best)
        ), score = sum(counts) / sum(best)
    )
}

.tsiTable <- function(result) structure(result$table, score = result$score)

.writeTsi <- function(object, x, key) {
    .writeRecord(object, key, .stepRecord(
        x, key, "computeTsi", table = x@results$tsi$table,
        score = x@results$tsi$score
    ))
}

.readTsi <- function(object, record, key) record[c("table", "score")]

.stepTsi <- .newStep(
    key = .keyTsi, call = "computeTsi()", needs = character(),
    write = .writeTsi, read = .readTsi,
    describe = function(result, run, params) {
        paste0(
            "terminal state identification: score ", .brief(result$score),
            " up to ", .count(params$n_macrostates, "macrostate")
        )
    }
)
