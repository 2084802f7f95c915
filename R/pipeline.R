#' The whole job in one call
#'
#' From an object to fate probabilities and driver genes: neighbour graph (if
#' the object has none), kernel, macrostates, terminal states, fates, drivers.
#'
#' @details
#' The chain is `weight` times the directed kernel plus `1 - weight` times the
#' [ConnectivityKernel()]. With `n_states = NULL` the number of macrostates is
#' the one, from 3 to 20, with the largest minChi (see [computeMacrostates()]);
#' terminal states are those of a stability of at least `stability_threshold`.
#' Each step has a verb of its own with more arguments; the result is the same
#' estimator. A Seurat object's own `_nn` and `_snn` graphs are left alone.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object.
#' @param kernel What directs the chain: `"velocity"` (assays `Ms` and
#'   `velocity`; without them [estimateVelocity()] makes them from spliced and
#'   unspliced counts), `"pseudotime"` (needs `time_key`), `"cytotrace"`
#'   ([computeCytotrace()] of the assay `Ms`, or of the log-normalised one when
#'   there is none), `"realtime"` ([computeCouplings()] between the time points
#'   in `time_key`), `"connectivity"` (nothing), or a kernel of one's own.
#' @param cluster_key Column of labels that names the states.
#' @param n_states Number of macrostates, a range of two, or NULL.
#' @param weight Weight of the directed kernel, above 0 and at most 1.
#' @param n_neighbors For the graph, when there is none yet.
#' @param time_key Column of the pseudotime, or of the time points.
#' @param conn_key Key of the graph.
#' @param n_cells Cells per state.
#' @param stability_threshold Smallest stability of a terminal state.
#' @param terminal_states Names of macrostates, instead of the rule.
#' @param backward Run against time: initial states instead of terminal ones.
#' @param assay Assay for the drivers; NULL for the log-normalised one.
#' @param on_unreachable As in [computeFateProbabilities()].
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object; NULL for the main one.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return A [GPCCA()] estimator with everything computed; [container()] gives
#'   the object with the results.
#' @section Errors:
#' Those of the steps. Fewer than two terminal states are `no_state`, with the
#' candidates and their stabilities.
#' @references Lange, M. et al. (2022) CellRank for directed single-cell fate
#'   mapping. Nature Methods 19, 159-170.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' fit <- castFates(sce, kernel = "velocity", cluster_key = "cell_type")
#' fit
#' @export
castFates <- function(x, kernel = "velocity", cluster_key = NULL,
                      n_states = NULL, weight = 0.8, n_neighbors = 30,
                      time_key = NULL, conn_key = "connectivities",
                      n_cells = 30, stability_threshold = 0.96,
                      terminal_states = NULL, backward = FALSE, assay = NULL,
                      on_unreachable = c("error", "na"), experiment = NULL,
                      n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    .checkNumber(weight, 0, 1, open_min = TRUE)
    .checkFlag(backward)
    .checkStates(n_states)
    on_unreachable <- .checkChoice(on_unreachable, c("error", "na"))
    if (!methods::is(kernel, "Kernel") && !.hasGraph(x, conn_key)) {
        x <- .graphFor(x, conn_key, n_neighbors, experiment, n_threads)
    }
    chain <- .chainFor(
        x, kernel, weight, time_key, conn_key, backward, experiment, n_threads
    )
    fit <- GPCCA(chain, n_threads = n_threads)
    fit <- computeMacrostates(
        fit, n_states = if (is.null(n_states)) c(3, 20) else n_states,
        n_cells = n_cells, cluster_key = cluster_key, n_threads = n_threads,
        show_progress_bar = show_progress_bar
    )
    fit <- .terminalFor(fit, terminal_states, n_cells, stability_threshold)
    fit <- computeFateProbabilities(
        fit, on_unreachable = on_unreachable, n_threads = n_threads,
        show_progress_bar = show_progress_bar
    )
    computeLineageDrivers(
        fit, assay = assay, experiment = experiment, n_threads = n_threads,
        show_progress_bar = show_progress_bar
    )
}

.graphFor <- function(x, conn_key, n_neighbors, experiment, n_threads,
                      call = rlang::caller_env()) {
    if (conn_key != .keyNeighbors()$connectivities) {
        .readGraph(x, conn_key, experiment = experiment)
    }
    buildNeighbors(
        x, n_neighbors = n_neighbors, experiment = experiment,
        n_threads = n_threads
    )
}

.chainFor <- function(x, kernel, weight, time_key, conn_key, backward,
                      experiment, n_threads, call = rlang::caller_env()) {
    if (methods::is(kernel, "Kernel")) {
        if (is.null(kernel@container)) kernel@container <- x
        return(kernel)
    }
    kernel <- .checkChoice(kernel, c(
        "velocity", "pseudotime", "cytotrace", "realtime", "connectivity"
    ), call = call)
    similar <- ConnectivityKernel(
        x, conn_key = conn_key, experiment = experiment
    )
    if (kernel == "connectivity") return(similar)
    if (kernel %in% c("pseudotime", "realtime") && is.null(time_key)) {
        .abort(
            "type", "`time_key` must name the column of the times.",
            argument = "time_key", call = call
        )
    }
    directed <- switch(kernel,
        velocity = VelocityKernel(
            .withVelocity(x, conn_key, experiment, n_threads),
            backward = backward, conn_key = conn_key, experiment = experiment
        ),
        pseudotime = PseudotimeKernel(
            x, time_key, backward = backward, conn_key = conn_key,
            experiment = experiment
        ),
        cytotrace = .withCytotrace(CytoTRACEKernel(
            x, backward = backward, conn_key = conn_key,
            experiment = experiment
        ), n_threads),
        realtime = RealTimeKernel(
            x, time_key, computeCouplings(
                x, time_key, experiment = experiment, n_threads = n_threads
            ), backward = backward, experiment = experiment
        )
    )
    if (weight == 1) return(directed)
    # 1 - 0.8 is not 0.2 to the last bit; a user who types 0.2 means the same.
    weight * directed + signif(1 - weight, 15) * similar
}

# The object with a velocity: the one it has, else one estimated from counts.
.withVelocity <- function(x, conn_key, experiment, n_threads) {
    there <- .assayNames(x, experiment)
    if ("velocity" %in% there || !"unspliced" %in% there) return(x)
    if (!all(c("Ms", "Mu") %in% there)) {
        x <- computeMoments(
            x, conn_key = conn_key, experiment = experiment,
            n_threads = n_threads
        )
    }
    estimateVelocity(x, experiment = experiment, n_threads = n_threads)
}

.withCytotrace <- function(kernel, n_threads) {
    x <- .kernelContainer(kernel)
    there <- .assayNames(x, kernel@init$experiment)
    assay <- if ("Ms" %in% there) "Ms" else .assayName(x, NULL)
    computeCytotrace(kernel, assay = assay, n_threads = n_threads)
}

.terminalFor <- function(fit, terminal_states, n_cells, threshold,
                         call = rlang::caller_env()) {
    if (!is.null(terminal_states)) {
        return(setTerminalStates(fit, terminal_states, n_cells = n_cells))
    }
    stability <- diag(coarseTransition(fit))
    if (sum(stability >= threshold) < 2L) {
        .abort("no_state", c(
            paste0(
                "Fewer than two macrostates are stable enough to be terminal ",
                "(threshold ", threshold, ")."
            ), .stabilityList(stability)
        ), paste(
            "Choose `terminal_states` among them, lower",
            "`stability_threshold`, or give `n_states`."
        ), stability = stability, call = call)
    }
    predictTerminalStates(
        fit, n_cells = n_cells, stability_threshold = threshold
    )
}
