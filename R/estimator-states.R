# Initial and terminal states: what they are given as, checked and stored as.
# The two differ only in the step of the estimator they belong to.

#' @include AllGenerics.R estimator-steps.R
NULL

#' Initial and terminal states of one's own choice
#'
#' `setTerminalStates()` says where the chain ends, `setInitialStates()` where
#' it starts. Setting the ones leaves the others as they are.
#'
#' @details
#' A state is a set of cells. States are given in one of four forms:
#' 1. a factor over all cells, in their order or named by cell, NA for cells
#'    outside the states;
#' 2. a named list of cells per state, by name or by position (from one); a cell
#'    listed twice belongs to the last state that lists it, and the states are
#'    sorted by name;
#' 3. a list with one entry, named after a column of labels of the object, whose
#'    values are the labels that are states, each with all its cells;
#' 4. for [GPCCA()] only: names of macrostates, or several joined by a comma
#'    (`"Alpha, Beta"`), whose memberships are added up; NULL takes all
#'    macrostates. The cells of a state are chosen again: the `n_cells` of
#'    largest membership, a cell wanted by two going to the larger one.
#'
#' With form 4, [memberships] of the states and a score per cell, its largest
#' membership relative to the largest of any cell, are stored along. A state
#' without cells is left out with a warning. `cluster_key` renames and colours
#' the states after the cluster most of their cells are in; states that share a
#' cluster are numbered and get variations of its colour. Rows are cells
#' everywhere. Cost: O(cells x states), form 4 with a logarithmic factor.
#' Randomness, threads: not applicable.
#'
#' @param estimator An estimator.
#' @param states The states, in one of the forms above.
#' @param n_cells For macrostates: cells per state.
#' @param cluster_key Column of labels that names and colours the states; NULL
#'   keeps their own names.
#' @param allow_overlap Whether a cell may be in an initial and in a terminal
#'   state.
#' @param ... Not used; an unknown argument is an error.
#' @return The estimator with [terminalStates()] or [initialStates()]. What
#'   rested on earlier terminal states (fates, times, drivers) is dropped. An
#'   object gets the columns `term_states_fwd` and `term_states_fwd_probs`, the
#'   embedding `term_states_fwd_memberships` and the palette
#'   `term_states_fwd_colors`; `init_states_fwd` likewise.
#' @section Errors:
#' `missing_key` (unknown macrostates, labels or cells), `shape` and
#' `container_cells` (a factor over other cells), `no_state` (nothing left, or a
#' macrostate without enough cells), `duplicate_names` (a state named twice,
#' alone and within a joint name), `range` (`n_cells`; cells that are in an
#' initial and in a terminal state), `type`, `not_computed` (form 4 before
#' [computeMacrostates()]).
#' @references Lange, M. et al. (2022) CellRank for directed single-cell fate
#'   mapping. Nature Methods 19, 159-170.
#' @seealso [predictTerminalStates()], [predictInitialStates()],
#'   [renameTerminalStates()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' fit <- GPCCA(VelocityKernel(sce))
#' tips <- setdiff(levels(sce$cell_type), c("root", "intermediate"))
#' fit <- setTerminalStates(fit, list(cell_type = head(tips, 2)))
#' table(terminalStates(fit))
#' fit <- setInitialStates(fit, list(start = which(sce$cell_type == "root")))
#' table(initialStates(fit))
#' @rdname setTerminalStates
#' @export
setMethod("setTerminalStates", "TermStatesEstimator", function(
        estimator, states = NULL, cluster_key = NULL, allow_overlap = FALSE,
        ...) {
    .checkDots(...)
    .setStates(estimator, "terminal", states, cluster_key, allow_overlap)
})

#' @rdname setTerminalStates
#' @export
setMethod("setTerminalStates", "GPCCA", function(
        estimator, states = NULL, n_cells = 30, cluster_key = NULL,
        allow_overlap = FALSE, ...) {
    .checkDots(...)
    n_cells <- .checkCount(n_cells)
    .setStates(
        estimator, "terminal", states, cluster_key, allow_overlap, n_cells
    )
})

#' @rdname setTerminalStates
#' @export
setMethod("setInitialStates", "TermStatesEstimator", function(
        estimator, states = NULL, cluster_key = NULL, allow_overlap = FALSE,
        ...) {
    .checkDots(...)
    .setStates(estimator, "initial", states, cluster_key, allow_overlap)
})

#' @rdname setTerminalStates
#' @export
setMethod("setInitialStates", "GPCCA", function(
        estimator, states = NULL, n_cells = 30, cluster_key = NULL,
        allow_overlap = FALSE, ...) {
    .checkDots(...)
    n_cells <- .checkCount(n_cells)
    .setStates(
        estimator, "initial", states, cluster_key, allow_overlap, n_cells
    )
})

# Without `n_cells` the estimator has no macrostates to choose from.
.setStates <- function(estimator, step, states, cluster_key, allow_overlap,
                       n_cells = NULL, call = rlang::caller_env()) {
    allow_overlap <- .checkFlag(allow_overlap, call = call)
    reference <- .referenceLabels(estimator, cluster_key, call)
    params <- list(
        method = "set", n_cells = n_cells, cluster_key = cluster_key,
        allow_overlap = allow_overlap
    )
    job <- .job(1L, call = call)
    named <- is.character(states) && is.null(names(states))
    if (!is.null(n_cells) && (is.null(states) || named)) {
        if (is.null(states)) {
            states <- levels(.step(estimator, "macrostates", call)$assignment)
        }
        chosen <- .statesOfMacrostates(estimator, states, n_cells, job, call)
    } else {
        params["n_cells"] <- list(NULL)
        chosen <- .statesOfCells(estimator, states, call)
    }
    .setChosen(
        estimator, step, .nameAfter(chosen, reference), params,
        allow_overlap, job, call
    )
}

# The last step of setting and predicting alike: nothing is stored before.
.setChosen <- function(estimator, step, chosen, params, allow_overlap, job,
                       call = rlang::caller_env()) {
    .checkOverlap(estimator, step, chosen$assignment, allow_overlap, call)
    counts <- as.vector(table(chosen$assignment))
    .setStep(
        estimator, step, chosen,
        c(list(states = levels(chosen$assignment)), params),
        .run(job, counts = counts)
    )
}

.checkOverlap <- function(estimator, step, assignment, allow_overlap, call) {
    other <- estimator@results[[setdiff(c("initial", "terminal"), step)]]
    if (allow_overlap || is.null(other)) return(invisible())
    both <- !is.na(assignment) & !is.na(other$assignment)
    if (!any(both)) return(invisible())
    cells <- .cells(estimator)[both]
    .abort(
        "range", paste0(
            .count(length(cells), "cell"), " would be in an initial and in a ",
            "terminal state: ", .someNames(cells), "."
        ), paste(
            "Choose other cells, or let the states share them with",
            "allow_overlap = TRUE."
        ), cells = cells, n_cells = length(cells), call = call
    )
}

# States that are macrostates or joined of several, their cells chosen again.
.statesOfMacrostates <- function(estimator, states, n_cells, job,
                                 call = rlang::caller_env()) {
    all <- .step(estimator, "macrostates", call)$memberships
    known <- lineageNames(all)
    if (!is.character(states) || !length(states) || anyNA(states)) {
        .abort("no_state", "No macrostate is named.", paste0(
            "There are ", .someNames(known, 30L), "; NULL takes all of them."
        ), call = call)
    }
    members <- lapply(states, .splitKey, known = known)
    .knownStates(unlist(members), known, "macrostate", call)
    names <- vapply(members, paste, "", collapse = ", ")
    chi <- .joinedMemberships(as.matrix(all), members)
    out <- .native(job, rs_states_assign, chi, nrow(chi), names, n_cells)
    .warnShort(out$counts, list(names = names), n_cells)
    known <- lineageColors(all)
    colors <- vapply(members, function(m) {
        if (length(m) == 1L) known[[m]] else .mixColors(unname(known[m]))
    }, "")
    assignment <- factor(out$labels, levels = seq_along(names))
    levels(assignment) <- names
    names(assignment) <- .cells(estimator)
    list(
        assignment = assignment, colors = colors, probs = out$scores,
        memberships = Lineage(chi, names, colors)
    )
}

.joinedMemberships <- function(chi, members) {
    columns <- lapply(members, function(m) rowSums(chi[, m, drop = FALSE]))
    matrix(
        unlist(columns), nrow(chi), dimnames = list(rownames(chi), NULL)
    )
}

# Names and colours after a reference clustering, if there is one.
.nameAfter <- function(chosen, reference) {
    if (is.null(reference)) return(chosen)
    mapped <- .mapStates(
        chosen$assignment, reference$labels, reference$colors
    )
    levels(chosen$assignment) <- mapped$names
    chosen$colors <- unname(mapped$colors)
    if (!is.null(chosen$memberships)) {
        chosen$memberships <- Lineage(
            as.matrix(chosen$memberships), mapped$names, chosen$colors
        )
    }
    chosen
}
