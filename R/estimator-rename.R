#' @include AllGenerics.R estimator-states-store.R
NULL

#' New names for initial and terminal states
#'
#' Renames states and everything that bears their names: levels, memberships,
#' fate probabilities, absorption times, drivers. Nothing is computed again and
#' nothing is lost; colours stay with their states.
#'
#' @details
#' A joint lineage such as `"Alpha, Beta"` gets the new names of its members,
#' sorted.
#' Names of macrostates are not touched. Two states may swap their names.
#' Renaming back gives the estimator as it was. Cost: O(size of the results).
#' Randomness, threads: not applicable.
#'
#' @param estimator An estimator with terminal or initial states.
#' @param new_names Character vector or list of new names, named by the old
#'   ones; an empty one changes nothing.
#' @param ... Not used; an unknown argument is an error.
#' @return The estimator with the new names.
#' @section Errors:
#' `not_computed` without such states; `missing_key` for an unknown old name (a
#' joint name is not one: rename its members); `duplicate_names` when a state is
#' renamed twice, two states would have one name, or a new name joins the names
#' of other states by commas; `type`.
#' @seealso [setTerminalStates()]
#' @examples
#' m <- matrix(0, 5, 5)
#' m[cbind(2:4, 1:3)] <- m[cbind(2:4, 3:5)] <- 0.5
#' m[1, 1] <- m[5, 5] <- 1
#' fit <- setTerminalStates(GPCCA(m), list(left = 1, right = 5))
#' fit <- computeFateProbabilities(fit)
#' lineageNames(renameTerminalStates(fit, c(left = "west", right = "east")))
#' @rdname renameTerminalStates
#' @export
setMethod("renameTerminalStates", "TermStatesEstimator", function(
        estimator, new_names, ...) {
    .checkDots(...)
    .renameStep(estimator, "terminal", new_names)
})

#' @rdname renameTerminalStates
#' @export
setMethod("renameInitialStates", "TermStatesEstimator", function(
        estimator, new_names, ...) {
    .checkDots(...)
    .renameStep(estimator, "initial", new_names)
})

.renameStep <- function(estimator, step, new_names,
                        call = rlang::caller_env()) {
    known <- levels(.step(estimator, step, call)$assignment)
    new <- .newNames(new_names, known, call)
    if (identical(unname(new), known)) return(estimator)
    steps <- intersect(
        c(step, .dependentSteps(step)), names(estimator@results)
    )
    for (each in steps) {
        key <- .stepKey(estimator, each)
        params <- estimator@params[[key]]
        names <- .jointNames(c(
            unlist(params[.lineageParams]), .lineagesOf(estimator, each)
        ), new)
        estimator@results[[each]] <- .steps()[[each]]$rename(
            estimator@results[[each]], names
        )
        for (field in intersect(.lineageParams, names(params))) {
            old <- params[[field]]
            if (is.character(old)) params[[field]] <- unname(names[old])
        }
        estimator@params[[key]] <- params
    }
    estimator
}

# Parameters that hold names of states or lineages.
.lineageParams <- c("states", "keys", "lineages")

.lineagesOf <- function(estimator, step) {
    result <- estimator@results[[step]]
    if (methods::is(result, "Lineage")) lineageNames(result)
}

# New names of all states, named by the old ones.
.newNames <- function(new_names, known, call) {
    given <- unlist(new_names)
    if (!length(new_names)) return(stats::setNames(known, known))
    if (!(is.character(new_names) || is.list(new_names)) ||
        !is.character(given) || length(given) != length(new_names) ||
        is.null(names(new_names)) || anyNA(given) || !all(nzchar(given))) {
        .badType(
            new_names, "names of states, named by the old ones", FALSE,
            "new_names", call
        )
    }
    old <- names(new_names)
    .refuseJoint(old, known, call)
    .knownStates(old, known, "state", call)
    new <- stats::setNames(known, known)
    new[old] <- enc2utf8(unname(given))
    twice <- unique(new[duplicated(new)])
    if (length(twice)) {
        .abort("duplicate_names", paste0(
            "Two states would have the same name: ", .someNames(twice), "."
        ), states = twice, call = call)
    }
    .refuseAmbiguous(new, call)
    new
}

.refuseJoint <- function(old, known, call) {
    joint <- Filter(function(name) {
        !name %in% known && all(.splitKey(name, known) %in% known)
    }, old)
    if (length(joint)) {
        .abort("missing_key", paste0(
            "There is no state ", .someNames(joint), "; it joins the names ",
            "of several."
        ), "Rename each of its members.", states = joint, call = call)
    }
}

# A name made of other states' names would be read as these states together.
.refuseAmbiguous <- function(new, call) {
    joint <- Filter(function(name) {
        parts <- .splitKey(name, setdiff(new, name))
        length(parts) > 1L && all(parts %in% new)
    }, new)
    if (length(joint)) {
        .abort("duplicate_names", paste0(
            "The name ", .someNames(joint), " joins the names of other ",
            "states."
        ), "Choose a name without these.", states = unname(joint), call = call)
    }
}

# New names of states and of lineages that join several, named by the old ones.
.jointNames <- function(names, new) {
    joint <- setdiff(unique(names), names(new))
    renamed <- vapply(joint, function(name) {
        parts <- .splitKey(name, names(new))
        parts <- ifelse(parts %in% names(new), new[parts], parts)
        paste(sort(parts, method = "radix"), collapse = ", ")
    }, "")
    c(new, stats::setNames(renamed, joint))
}
