# What initial and terminal states may be given as: names, factors, cells.

#' @include condition.R
NULL

# Names that must be among the known ones, each at most once.
.knownStates <- function(states, known, what, call = rlang::caller_env()) {
    unknown <- setdiff(states, known)
    if (length(unknown)) {
        .abort("missing_key", paste0(
            "Unknown ", what, ": ", .someNames(unknown), "; there are ",
            .someNames(known, 30L), "."
        ), .suggest(unknown[1L], known), states = unknown, call = call)
    }
    if (anyDuplicated(states)) {
        twice <- unique(states[duplicated(states)])
        .abort("duplicate_names", paste0(
            "A ", what, " is named twice: ", .someNames(twice), "."
        ), states = twice, call = call)
    }
}

# States given by their cells, with the colours of the default palette.
.statesOfCells <- function(estimator, states, call = rlang::caller_env()) {
    cells <- .cells(estimator)
    assignment <- if (is.factor(states)) {
        .statesFromFactor(states, cells, call)
    } else {
        .statesFromList(states, estimator, call)
    }
    empty <- setdiff(levels(assignment), as.character(assignment))
    assignment <- droplevels(assignment)
    if (!nlevels(assignment)) {
        .abort(
            "no_state", "No cell is in any of the states.",
            "Give each state at least one cell.", call = call
        )
    }
    if (length(empty)) {
        .warn("dropped", paste0(
            "States without cells are skipped: ", .someNames(empty), "."
        ), states = empty)
    }
    list(
        assignment = assignment,
        colors = .defaultColors(nlevels(assignment), call), probs = NULL,
        memberships = NULL
    )
}

# Cells in the order of the chain; a factor without names is in that order.
.statesFromFactor <- function(states, cells, call) {
    if (is.null(names(states))) {
        names(states) <- cells[seq_along(states)]
    }
    found <- enc2utf8(as.character(names(states)))
    if (length(found) != length(cells) || !setequal(found, cells)) {
        .checkNames(cells, found, "The chain and the states", call)
    }
    states <- states[match(cells, found)]
    names(states) <- cells
    states
}

.statesFromList <- function(states, estimator, call) {
    if (!is.list(states) || is.data.frame(states) || !length(states) ||
        is.null(names(states)) || anyNA(names(states)) ||
        any(!nzchar(names(states)))) {
        .badType(states, paste(
            if (methods::is(estimator, "GPCCA")) "names of macrostates,",
            "a factor over all cells or a named list of cells"
        ), FALSE, "states", call)
    }
    twice <- unique(names(states)[duplicated(names(states))])
    if (length(twice)) {
        .abort("duplicate_names", paste0(
            "A state is named twice: ", .someNames(twice), "."
        ), states = twice, call = call)
    }
    labels <- if (length(states) == 1L) {
        .labelsNamed(estimator, names(states))
    }
    if (is.null(labels)) {
        return(.statesFromCells(states, .cells(estimator), call))
    }
    picked <- as.character(states[[1L]])
    .knownStates(picked, levels(labels), paste0(
        "label of `", names(states), "`"
    ), call)
    stats::setNames(factor(
        as.character(labels), levels = sort(picked, method = "radix")
    ), .cells(estimator))
}

# A column of labels of the object as a factor, or NULL.
.labelsNamed <- function(estimator, key) {
    object <- estimator@container
    if (is.null(object) || !key %in% .cellDataNames(object)) return(NULL)
    values <- .readCellData(object, key)
    if (is.factor(values) || is.character(values)) as.factor(values)
}

# A cell listed twice belongs to the last state that names it.
.statesFromCells <- function(states, cells, call) {
    label <- rep(NA_character_, length(cells))
    for (name in names(states)) {
        label[.cellPositions(states[[name]], name, cells, call)] <- name
    }
    stats::setNames(
        factor(label, levels = sort(names(states), method = "radix")), cells
    )
}

.cellPositions <- function(at, name, cells, call) {
    if (is.factor(at)) at <- as.character(at)
    if (!is.null(at) && !is.character(at) && !is.numeric(at)) {
        .badType(at, "names or positions of cells", FALSE, name, call)
    }
    found <- if (is.character(at)) {
        match(enc2utf8(at), cells)
    } else {
        ifelse(at %in% seq_along(cells), at, NA)
    }
    unknown <- at[is.na(found)]
    if (length(unknown)) {
        .abort("missing_key", paste0(
            "State ", .someNames(name), " names ",
            .count(length(unknown), "cell"), " that do",
            if (length(unknown) == 1L) "es", " not exist: ",
            .someNames(unknown), "."
        ), paste0("There are ", .count(length(cells), "cell"), "."),
        state = name, cells = unknown, call = call)
    }
    as.integer(found)
}
