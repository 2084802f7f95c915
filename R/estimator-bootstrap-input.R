# What a bootstrap reads from an estimator.

#' @include estimator-fates.R kernel-algebra.R
NULL

# What is bootstrapped: fates, the state of every cell (0 for none), the units,
# and the macrostates to find anew.
.bootstrapChain <- function(estimator, settings, call = rlang::caller_env()) {
    fates <- .step(estimator, "fates", call)
    keys <- estimator@params[[.stepKey(estimator, "fates")]]$keys
    terminal <- .step(estimator, "terminal", call)
    kept <- .keptStates(terminal, keys, call)
    labels <- as.integer(kept$assignment)
    labels[is.na(labels)] <- 0L
    list(
        fates = fates, point = as.double(as.matrix(fates)), labels = labels,
        n_states = ncol(fates), cells = .cells(estimator),
        units = .bootstrapUnits(estimator, settings, call),
        states = if (settings$terminal == "recomputed") {
            .bootstrapStates(estimator, terminal, kept, call)
        }
    )
}

# Codes from zero of the sample of every cell, or NULL.
.bootstrapUnits <- function(estimator, settings, call) {
    key <- settings$sample_key
    if (settings$unit == "cell") {
        if (is.null(key)) return(NULL)
        .abort("range", "`sample_key` is for `unit = \"sample\"` only.",
            argument = "sample_key", value = key, call = call
        )
    }
    if (settings$what != "cells") {
        .abort("range", paste0(
            "`unit = \"sample\"` is for `what = \"cells\"`, not ",
            .someNames(settings$what), "."
        ), argument = "unit", value = "sample", call = call)
    }
    if (is.null(key)) {
        .abort(
            "type", "`sample_key` must name the column of samples.",
            argument = "sample_key", call = call
        )
    }
    samples <- factor(.readCellData(.estimatorContainer(estimator, call), key))
    if (anyNA(samples) || nlevels(samples) < 2L) {
        lost <- .cells(estimator)[is.na(samples)]
        .abort("range", paste0(
            "The column ", .someNames(key), " must give every cell one of at ",
            "least two samples; it has ", .count(nlevels(samples), "sample"),
            " and ", .count(length(lost), "missing value"), "."
        ), argument = "sample_key", key = key, n_samples = nlevels(samples),
        cells = lost, call = call)
    }
    as.integer(samples) - 1L
}

# Macrostates and the terminal state that each belongs to.
.bootstrapStates <- function(estimator, terminal, kept, call) {
    if (is.null(terminal$memberships)) .noMemberships(call)
    chi <- as.matrix(.step(estimator, "macrostates", call)$memberships)
    params <- estimator@params[[.stepKey(estimator, "macrostates")]]
    schur <- estimator@params[[.stepKey(estimator, "schur")]]
    n_cells <- estimator@params[[.stepKey(estimator, "terminal")]]$n_cells
    # A state, or several that `keys` joined, by the cells it went to.
    own <- as.matrix(terminal$memberships)
    state <- kept$assignment[match(colnames(own), terminal$assignment)]
    owner <- integer(ncol(chi))
    for (k in which(!is.na(state))) {
        inside <- colSums(chi > own[, k] + 1e-9) == 0
        owner[inside] <- as.integer(state)[k]
    }
    if (!all(seq_len(nlevels(kept$assignment)) %in% owner)) {
        .noMemberships(call)
    }
    list(
        memberships = as.double(chi), terminal = owner,
        n_cells = n_cells, which = schur$which, method = schur$method,
        optimizer = params$optimizer
    )
}

.noMemberships <- function(call) {
    .abort("not_computed", paste(
        "The terminal states do not come from macrostates, so they cannot be",
        "found anew in a resample."
    ), paste(
        "Use terminal = \"fixed\", or predictTerminalStates() after",
        "computeMacrostates()."
    ), step = "macrostates", call = call)
}

# Whether weights respect that neighbourhoods hold a fixed number of cells.
.neighborhood <- function(estimator, settings) {
    if (settings$what != "cells") return(NULL)
    if (!is.null(settings$neighborhood)) return(settings$neighborhood)
    given <- vapply(
        .leaves(estimator@kernel), methods::is, logical(1), "PrecomputedKernel"
    )
    if (all(given)) "fixed" else "adaptive"
}
