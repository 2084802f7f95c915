#' @include AllGenerics.R estimator-steps.R
NULL

#' Terminal states from the macrostates
#'
#' @details
#' Rules: `"stability"` takes all macrostates whose probability to stay (the
#' diagonal of the coarse matrix) is at least `stability_threshold`; `"top_n"`
#' the `n_states` most stable; `"eigengap"` as many as the eigengap of the chain
#' says, `"eigengap_coarse"` as that of the coarse diagonal says. The cells of a
#' terminal state are chosen again from its memberships.
#'
#' @param estimator A [GPCCA()] estimator with macrostates.
#' @param method The rule.
#' @param n_cells Cells per terminal state.
#' @param alpha Weight of the distance from one in the eigengap.
#' @param stability_threshold For `"stability"`, from 0 to 1.
#' @param n_states For `"top_n"`.
#' @param ... Not used; an unknown argument is an error.
#' @return The estimator with [terminalStates()]. Fates and drivers computed
#'   before are dropped.
#' @section Errors:
#' `not_computed` without macrostates; `no_state` when no macrostate fulfils the
#' rule (all are listed with their stability); `range`.
#' @references Lange, M. et al. (2022) CellRank for directed single-cell fate
#'   mapping. Nature Methods 19, 159-170.
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
        n_states = NULL, ...) {
    .checkDots(...)
    method <- .checkChoice(
        method, c("stability", "top_n", "eigengap", "eigengap_coarse")
    )
    .checkNumber(stability_threshold, 0, 1)
    .checkNumber(alpha)
    .checkCount(n_cells)
    .checkCount(n_states, null = TRUE)
    if (method == "top_n" && is.null(n_states)) {
        .abort("type", "`n_states` must be given for method \"top_n\".",
            argument = "n_states"
        )
    }
    states <- .step(estimator, "macrostates")
    stability <- diag(states$coarse$transition)
    if (method == "stability" && all(stability < stability_threshold)) {
        .noStates(stability, stability_threshold)
    }
    job <- .job(1L)
    chosen <- .native(
        job, rs_chain_select, stability,
        Re(estimator@results$schur$eigenvalues), method, alpha,
        stability_threshold, if (is.null(n_states)) 0L else n_states
    )
    .setFromMacrostates(
        estimator, names(stability)[chosen], n_cells, list(
            method = method, n_cells = n_cells, alpha = alpha,
            stability_threshold = stability_threshold, n_states = n_states
        ), job
    )
})

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

# Terminal states that are macrostates: cells chosen again by membership.
.setFromMacrostates <- function(estimator, names, n_cells, params, job,
                                call = rlang::caller_env()) {
    all <- .step(estimator, "macrostates", call)$memberships
    chi <- as.matrix(all)[, names, drop = FALSE]
    out <- .native(job, rs_chain_assign, chi, nrow(chi), ncol(chi), n_cells)
    colors <- unname(lineageColors(all)[names])
    assignment <- factor(out$labels, levels = seq_along(names))
    levels(assignment) <- names
    names(assignment) <- .cells(estimator)
    scaled <- sweep(chi, 2L, apply(chi, 2L, max), "/")
    result <- list(
        assignment = assignment, colors = colors,
        probs = do.call(pmax, as.data.frame(scaled)),
        memberships = Lineage(chi, names, colors)
    )
    .setStep(
        estimator, "terminal", result, c(list(states = names), params),
        .run(job, counts = out$counts)
    )
}

#' Terminal states of one's own choice
#'
#' @param estimator A [GPCCA()] estimator.
#' @param states One of: names of macrostates (NULL for all of them); a factor
#'   over all cells, NA outside the states; a named list of cells (names or
#'   positions) per state; a list with one entry named after a column of labels,
#'   whose values are the labels that are terminal.
#' @param n_cells For macrostates: cells per state.
#' @param cluster_key Column of labels that renames and colours the states of a
#'   factor or list.
#' @param ... Not used; an unknown argument is an error.
#' @return The estimator with [terminalStates()]. Fates and drivers computed
#'   before are dropped.
#' @section Errors:
#' `missing_key` (unknown states, labels or cells), `shape` and
#' `container_cells` (a factor of other cells), `no_state` (nothing left),
#' `duplicate_names`.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' fit <- GPCCA(VelocityKernel(sce))
#' tips <- setdiff(levels(sce$cell_type), c("root", "intermediate"))
#' fit <- setTerminalStates(fit, list(cell_type = head(tips, 2)))
#' table(terminalStates(fit))
#' @rdname setTerminalStates
#' @export
setMethod("setTerminalStates", "GPCCA", function(
        estimator, states = NULL, n_cells = 30, cluster_key = NULL, ...) {
    .checkDots(...)
    .checkCount(n_cells)
    reference <- .referenceLabels(estimator, cluster_key)
    if (is.null(states) || (is.character(states) && is.null(names(states)))) {
        known <- levels(.step(estimator, "macrostates")$assignment)
        if (is.null(states)) states <- known
        .knownStates(states, known, "macrostate")
        return(.setFromMacrostates(
            estimator, states, n_cells,
            list(method = "set", n_cells = n_cells), .job(1L)
        ))
    }
    assignment <- if (is.factor(states)) {
        .statesFromFactor(states, .cells(estimator))
    } else {
        .statesFromList(states, estimator)
    }
    .setAssignment(estimator, assignment, reference, cluster_key)
})

.knownStates <- function(states, known, what, call = rlang::caller_env()) {
    unknown <- setdiff(states, known)
    if (length(unknown)) {
        .abort("missing_key", paste0(
            "Unknown ", what, ": ", .someNames(unknown), "; there are ",
            .someNames(known, 30L), "."
        ), .suggest(unknown[1L], known), states = unknown, call = call)
    }
    if (anyDuplicated(states)) {
        .abort("duplicate_names", paste0(
            "A ", what, " is named twice: ",
            .someNames(states[duplicated(states)]), "."
        ), call = call)
    }
}

.statesFromFactor <- function(states, cells, call = rlang::caller_env()) {
    if (is.null(names(states))) names(states) <- cells[seq_along(states)]
    .checkNames(
        cells, names(states), "The chain and the states", call = call
    )
    droplevels(states)
}

.statesFromList <- function(states, estimator, call = rlang::caller_env()) {
    if (!is.list(states) || is.null(names(states)) ||
        any(!nzchar(names(states)))) {
        .abort("type", paste(
            "`states` must be names of macrostates, a factor over all cells,",
            "or a named list."
        ), argument = "states", call = call)
    }
    if (anyDuplicated(names(states))) {
        .abort("duplicate_names", paste0(
            "A state is named twice: ",
            .someNames(names(states)[duplicated(names(states))]), "."
        ), call = call)
    }
    cells <- .cells(estimator)
    object <- estimator@container
    if (length(states) == 1L && !is.null(object) &&
        names(states) %in% .cellDataNames(object)) {
        labels <- .referenceLabels(estimator, names(states), call)$labels
        .knownStates(states[[1L]], levels(labels), "label", call)
        picked <- factor(ifelse(
            labels %in% states[[1L]], as.character(labels), NA
        ), levels = sort(states[[1L]]))
        names(picked) <- cells
        return(picked)
    }
    .statesFromCells(states, cells, call)
}

# A cell listed twice belongs to the last state that names it.
.statesFromCells <- function(states, cells, call) {
    empty <- lengths(states) == 0L
    if (any(empty)) {
        .warn("dropped", paste0(
            "States without cells are skipped: ",
            .someNames(names(states)[empty]), "."
        ), states = names(states)[empty])
    }
    label <- rep(NA_character_, length(cells))
    for (name in names(states)[!empty]) {
        at <- states[[name]]
        if (!is.numeric(at)) at <- match(at, cells)
        if (anyNA(at) || any(at < 1 | at > length(cells) | at != round(at))) {
            .abort("missing_key", paste0(
                "State ", .someNames(name), " names cells that do not exist."
            ), state = name, call = call)
        }
        label[at] <- name
    }
    stats::setNames(factor(label, levels = sort(names(states)[!empty])), cells)
}

.setAssignment <- function(estimator, assignment, reference, cluster_key,
                           call = rlang::caller_env()) {
    if (!nlevels(assignment) || all(is.na(assignment))) {
        .abort(
            "no_state", "No cell is in any of the terminal states.",
            call = call
        )
    }
    colors <- .defaultColors(nlevels(assignment))
    if (!is.null(reference)) {
        mapped <- .mapStates(assignment, reference$labels, reference$colors)
        levels(assignment) <- mapped$names
        colors <- unname(mapped$colors)
    }
    .setStep(
        estimator, "terminal", list(assignment = assignment, colors = colors),
        list(
            states = levels(assignment), method = "set",
            cluster_key = cluster_key
        ), list(counts = as.vector(table(assignment)))
    )
}

.writeTerminal <- function(object, x, key) {
    states <- x@results$terminal
    columns <- stats::setNames(list(unname(states$assignment)), key)
    if (!is.null(states$probs)) {
        columns[[.keyProbs(key)]] <- unname(states$probs)
    }
    object <- .writeCellData(object, columns)
    colors <- stats::setNames(states$colors, levels(states$assignment))
    object <- .writeColors(object, key, colors)
    if (!is.null(states$memberships)) {
        object <- .writeLineage(
            object, x, .keyMemberships(key), states$memberships, key,
            "predictTerminalStates"
        )
    }
    .writeRecord(object, key, .stepRecord(
        x, key, "predictTerminalStates", names = names(colors),
        colors = unname(colors)
    ))
}

.readTerminal <- function(object, record, key) {
    member <- .keyMemberships(key)
    list(
        assignment = .readStates(object, key), colors = record$colors,
        probs = if (.keyProbs(key) %in% .cellDataNames(object)) {
            .readCellData(object, .keyProbs(key))
        },
        memberships = if (member %in% .recordKeys(object)) {
            .readLineage(object, member)
        }
    )
}

.stepTerminal <- .newStep(
    key = .keyTermStates,
    call = "predictTerminalStates() or setTerminalStates()",
    needs = "macrostates", write = .writeTerminal, read = .readTerminal,
    describe = function(result, run, params) {
        paste0(
            "terminal states: ", .someNames(levels(result$assignment), 30L)
        )
    }
)
