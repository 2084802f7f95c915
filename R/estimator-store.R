# Estimators in their object and in files.

#' @include estimator.R store.R container-keep.R
NULL

#' The object of a kernel or estimator, with the results
#'
#' @details
#' With `keep`, the object comes back without what the user had in it: cells,
#' features, the results, the transition matrix and their records, and of the
#' rest only the slots and keys that `keep` names. Slots are called as the class
#' calls them (`assays`, `colData`, `rowData`, `reducedDims`, `colPairs`,
#' `altExps`, `metadata`; `assays` with the layers, `meta.data`,
#' `meta.features`, `reductions`, `graphs`, `images`, `tools`, `misc`), or as
#' the other class does. Where a kept entry has the name of a result and was not
#' written by this package, the user's entry stays, with a warning. A `Seurat`
#' object without expression gets an assay of zeros in its place, since it
#' cannot be without one; alternative experiments whose features bear results
#' are kept.
#'
#' Results in the object that rested on results which the estimator has replaced
#' are taken away, with a warning. Cost: O(transitions + cells x states).
#' Randomness, threads: not applicable.
#'
#' @param x A kernel or an estimator.
#' @param keep NULL for the whole object; `"all"`, names of slots, or a list of
#'   keys named by slot (NULL or TRUE for all keys) for a new object.
#' @param ... Not used; an unknown argument is an error.
#' @return The `SingleCellExperiment` or `Seurat` object with every result
#'   written to its place: the transition matrix as a cell-cell graph `T_fwd`;
#'   macrostates, initial and terminal states and their scores as columns of the
#'   cells; Schur vectors, memberships and fate probabilities as embeddings;
#'   drivers as columns of the features; records, coarse matrix and colours with
#'   the metadata, the arguments of all steps as `fwd_estimator_params`.
#'   Backward chains use `bwd` names.
#' @section Errors:
#' `not_computed` for an estimator of a bare matrix; `missing_key` for unknown
#' slots and keys in `keep`; `type`; `container_key_taken`.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' fit <- castFates(sce, cluster_key = "cell_type")
#' container(fit)
#' container(fit, keep = list(colData = "cell_type", reducedDims = "PCA"))
#' @rdname container
#' @export
setMethod("container", "Estimator", function(x, keep = NULL, ...) {
    .checkDots(...)
    object <- .estimatorContainer(x)
    if (is.null(keep)) return(.writeEstimatorTo(object, x))
    keep <- .withExperiments(.keptEntries(object, keep), x)
    # Step by step: an error in the argument of a generic loses its class.
    bare <- .keepEntries(object, keep)
    written <- .writeEstimatorTo(bare, x)
    .restoreEntries(written, object, .userEntries(object, keep))
})

.writeEstimatorTo <- function(object, x) {
    object <- .writeTransition(object, x@kernel)
    object <- .dropOutdated(object, x)
    for (step in .stepsOf(x)) {
        object <- .steps()[[step]]$write(object, x, .stepKey(x, step))
    }
    record <- .record("container", params = x@params, cells = .cells(x))
    record$estimator <- class(x)[1L]
    record$steps <- .stepsOf(x)
    record$transition <- .portable(x@kernel@matrix)
    .writeRecord(object, .keyEstimatorParams(x@kernel@backward), record)
}

# Earlier results that rested on what the estimator has replaced.
.dropOutdated <- function(object, x) {
    outdated <- character()
    for (step in .stepsOf(x)) {
        outdated <- c(outdated, .dependentSteps(step))
    }
    outdated <- setdiff(outdated, .stepsOf(x))
    keys <- vapply(outdated, .stepKey, "", x = x)
    keys <- intersect(unname(keys), .recordKeys(object))
    if (!length(keys)) return(object)
    .warn("dropped", paste0(
        "Earlier results in the object rested on what has been replaced and ",
        "are taken away: ", .someNames(keys), "."
    ), key = keys)
    .removeResults(object, c(
        keys, .keyMemberships(keys), .keyProbs(keys)
    ))
}

# Experiments in which results stand.
.withExperiments <- function(keep, x) {
    used <- unlist(lapply(x@params, function(p) p$experiment))
    slot <- if ("altExps" %in% names(keep)) "altExps" else "assays"
    keep[[slot]] <- union(keep[[slot]], as.character(used))
    keep
}

# Kept entries under names of results that no record of ours speaks of; what
# belongs to a result has a longer name than its record.
.userEntries <- function(object, keep) {
    records <- .recordKeys(object)
    lapply(keep, function(keys) {
        Filter(function(key) {
            .isChainKey(key) && key != .nestedSlot &&
                !any(startsWith(key, records))
        }, keys)
    })
}

# The user's entries in the place of results of the same name. The record of
# such a result would speak of something else.
.restoreEntries <- function(object, from, own) {
    own <- stats::setNames(own, .slotKinds[names(own)])
    own <- own[names(own) %in% names(.slotCopy)]
    clash <- character()
    for (kind in names(own)) {
        for (key in own[[kind]]) {
            if (key %in% .recordKeys(object)) clash <- c(clash, key)
            object <- .slotCopy[[kind]](object, from, key)
        }
    }
    if (!length(clash)) return(object)
    .warn("dropped", paste0(
        "The object has entries of the user under names of results; they stay ",
        "in place of: ", .someNames(clash), "."
    ), key = clash)
    misc <- .readMisc(object)
    misc[[.nestedSlot]][clash] <- NULL
    .writeMisc(object, misc)
}

.slotKinds <- c(
    colData = "cells", meta.data = "cells", rowData = "features",
    meta.features = "features", reducedDims = "embeddings",
    reductions = "embeddings", colPairs = "graphs", graphs = "graphs",
    metadata = "misc", misc = "misc"
)

.slotCopy <- list(
    cells = function(to, from, key) {
        .writeCellData(to, stats::setNames(
            list(.readCellData(from, key)), key
        ))
    },
    features = function(to, from, key) {
        values <- stats::setNames(list(.readFeatureData(from, key)), key)
        .writeFeatureData(to, data.frame(values, check.names = FALSE))
    },
    embeddings = function(to, from, key) {
        .writeEmbedding(to, key, .readEmbedding(from, key))
    },
    graphs = function(to, from, key) {
        .writeGraph(to, key, .readGraph(from, key))
    },
    misc = function(to, from, key) {
        misc <- .readMisc(to)
        misc[[key]] <- .readMisc(from)[[key]]
        .writeMisc(to, misc)
    }
)

# An estimator of class `as` on this kernel, with the results of its object.
.restoreEstimator <- function(kernel, as, call = rlang::caller_env()) {
    x <- .newEstimator(as, kernel, NULL, NULL, NULL, NULL, call)
    object <- x@container
    record <- .readRecord(object, .keyEstimatorParams(kernel@backward))
    if (!.isRecord(record)) record <- NULL
    if (!is.null(record) && !identical(
        record$transition, .portable(x@kernel@matrix)
    )) {
        .warn("dropped", paste(
            "The results in the object belong to another transition matrix",
            "and are not read."
        ), "Compute them again.", steps = record$steps)
        return(x)
    }
    .readSteps(x, record$steps)
}

# Reads what the object holds, each step whole or not at all, and none that
# rests on a missing one. `expected` are the steps that were written; without a
# record of them (NULL) every step the class knows.
.readSteps <- function(x, expected) {
    quiet <- is.null(expected)
    if (quiet) expected <- .knownSteps(x)
    absent <- character()
    for (step in intersect(names(.steps()), expected)) {
        if (any(.steps()[[step]]$needs %in% absent)) {
            absent <- c(absent, step)
            next
        }
        held <- .readStep(x@container, step, .stepKey(x, step))
        if (is.null(held$result)) {
            if (!quiet) .warnUnread(x, step, held$why)
            if (!step %in% .optionalSteps) absent <- c(absent, step)
            next
        }
        key <- .stepKey(x, step)
        x@results[[step]] <- held$result
        x@params[[key]] <- held$record$params
        x@run[[key]] <- held$record$run[
            setdiff(names(held$record$run), c("version", "time"))
        ]
    }
    x
}

# Decompositions are not needed again once there are macrostates.
.optionalSteps <- c("eigen", "schur", "tsi", "initial")

.knownSteps <- function(x) {
    if (methods::is(x, "GPCCA")) return(names(.steps()))
    setdiff(names(.steps()), c("schur", "macrostates", "tsi"))
}

# The result of a step with its record, or why there is none.
.readStep <- function(object, step, key) {
    record <- .readRecord(object, key)
    if (!.isRecord(record)) return(list(why = "there is no record of it"))
    tryCatch({
        .checkFresh(object, key)
        list(
            result = .steps()[[step]]$read(object, record, key),
            record = record
        )
    }, fatecast_error_input = function(e) {
        list(why = conditionMessage(e))
    }, fatecast_error_container = function(e) {
        list(why = conditionMessage(e))
    })
}

.warnUnread <- function(x, step, why) {
    key <- .stepKey(x, step)
    .warn("dropped", c(
        paste0(
            "The result ", .someNames(key), " cannot be read; neither it nor ",
            "what rests on it is in the estimator."
        ), why
    ), paste0("Run ", .steps()[[step]]$call, " again."), key = key)
}

#' Estimators in files
#'
#' One file (R's own serialisation, `saveRDS()`) with the kernel, its matrix,
#' all results and, unless it is left out, the object.
#'
#' @details
#' The estimator comes back as it was written: results, parameters, names and
#' colours. Cost: O(size of the estimator). Randomness, threads: not applicable.
#'
#' @param estimator An estimator.
#' @param file Name of the file.
#' @param container For writing: whether the object goes into the file. For
#'   reading: the object of an estimator that was written without its own.
#' @param ... Not used; an unknown argument is an error.
#' @return `writeEstimator()`: `file`, invisibly. `readEstimator()`: the
#'   estimator.
#' @section Errors:
#' `missing_key` when there is no such file, `type` when it holds no estimator,
#' `not_computed` when the object was left out and none is given, `shape` and
#' `container_cells` when the given one has other cells. An object that is given
#' although the file has one is ignored, with the warning `dropped`.
#' @seealso [container()] and [fromObject()] for estimators in objects.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' fit <- castFates(sce, cluster_key = "cell_type")
#' file <- tempfile(fileext = ".rds")
#' writeEstimator(fit, file, container = FALSE)
#' readEstimator(file, container = sce)
#' unlink(file)
#' @export
writeEstimator <- function(estimator, file, container = TRUE, ...) {
    .checkDots(...)
    if (!methods::is(estimator, "Estimator")) {
        .badType(
            estimator, "an estimator", FALSE, "estimator", rlang::current_env()
        )
    }
    .writeFile(estimator, "estimator", file, container)
}

#' @rdname writeEstimator
#' @export
readEstimator <- function(file, container = NULL, ...) {
    .checkDots(...)
    .readFile("estimator", file, container)
}
