# Initial and terminal states in an object: written, read, described, renamed.

#' @include estimator-steps.R key.R
NULL

# The step of one of the two sets of states.
.statesStep <- function(step, key, call) {
    force(step)
    .newStep(
        key = key, call = call, needs = "macrostates",
        write = function(object, x, key) {
            .writeStatesStep(object, x, key, x@results[[step]], step)
        },
        read = .readStatesStep,
        describe = function(result, run, params) {
            counts <- table(result$assignment)
            paste0(step, " states: ", paste0(
                .someNames(names(counts), 30L), " (cells: ",
                paste(counts, collapse = ", "), ")"
            ))
        },
        rename = .renameStates
    )
}

.statesVerb <- c(
    initial = "predictInitialStates", terminal = "predictTerminalStates"
)

# What belongs to states beside their cells is there for some of them only.
.writeStatesStep <- function(object, x, key, states, step) {
    probs <- .keyProbs(key)
    member <- .keyMemberships(key)
    parts <- c(
        probs = !is.null(states$probs),
        memberships = !is.null(states$memberships)
    )
    object <- .dropResults(object, c(probs, member)[!parts])
    columns <- stats::setNames(list(unname(states$assignment)), key)
    if (parts[["probs"]]) columns[[probs]] <- unname(states$probs)
    object <- .writeCellData(object, columns)
    colors <- stats::setNames(states$colors, levels(states$assignment))
    object <- .writeColors(object, key, colors)
    verb <- .statesVerb[[step]]
    if (parts[["memberships"]]) {
        object <- .writeLineage(
            object, x, member, states$memberships, key, verb
        )
    }
    .writeRecord(object, key, .stepRecord(
        x, key, verb, names = names(colors), colors = unname(colors),
        parts = names(parts)[parts]
    ))
}

# The palette at the top level is the user's to change.
.readStatesStep <- function(object, record, key) {
    assignment <- .readStates(object, key)
    colors <- .paletteOf(object, key, assignment, record$colors)
    memberships <- if ("memberships" %in% record$parts) {
        Lineage(.readLineage(object, .keyMemberships(key)), colors = colors)
    }
    list(
        assignment = assignment, colors = colors,
        probs = if ("probs" %in% record$parts) {
            .readCellData(object, .keyProbs(key))
        },
        memberships = memberships
    )
}

.paletteOf <- function(object, key, states, otherwise,
                       call = rlang::caller_env()) {
    stored <- .readColors(object, key)
    if (is.null(stored) || identical(unname(stored), otherwise)) {
        return(otherwise)
    }
    .referenceColors(states, stored, call)
}

# `new` are names, named by the old ones.
.renameStates <- function(result, new) {
    levels(result$assignment) <- unname(new[levels(result$assignment)])
    if (!is.null(result$memberships)) {
        result$memberships <- .renameLineage(result$memberships, new)
    }
    result
}

.renameLineage <- function(lineage, new) {
    dimnames(lineage) <- list(
        rownames(lineage), unname(new[lineageNames(lineage)])
    )
    lineage
}
