# What all estimators share: construction, storage, show.

#' @include AllClasses.R AllGenerics.R
NULL

.newEstimator <- function(class, object, obsp_key, backward, container,
                          n_threads, call = rlang::caller_env()) {
    kernel <- if (methods::is(object, "Kernel")) {
        if (is.null(object@matrix)) {
            computeTransitionMatrix(object, n_threads = n_threads)
        } else {
            object
        }
    } else {
        PrecomputedKernel(object, obsp_key, backward, container)
    }
    if (is.null(container)) container <- kernel@container
    kernel@container <- NULL
    if (!is.null(container)) {
        .checkNames(
            kernel@cell_names, .cellNames(container),
            "The kernel and its object", call = call
        )
    }
    methods::new(
        class, kernel = kernel, container = container,
        version = .packageVersion()
    )
}

.cells <- function(x) x@kernel@cell_names

# The object of an estimator, for steps that read expression or labels.
.estimatorContainer <- function(x, call = rlang::caller_env()) {
    if (is.null(x@container)) {
        .abort(
            "not_computed", paste0(
                "This estimator was made from a bare matrix and has no ",
                "object to read from."
            ), "Make it with `container =` the object.", call = call
        )
    }
    x@container
}

#' @rdname parameters
#' @export
setMethod("parameters", "Estimator", function(x, key, ...) {
    .checkDots(...)
    if (missing(key)) return(x@params)
    key <- .checkString(key)
    if (!key %in% names(x@params)) {
        .abort("missing_key", paste0(
            "No step is stored under ", .someNames(key), "; the keys are ",
            .someNames(names(x@params), 20L), "."
        ), key = key)
    }
    x@params[[key]]
})

#' @rdname transitionMatrix
#' @export
setMethod("transitionMatrix", "Estimator", function(x, ...) {
    .checkDots(...)
    x@kernel@matrix
})

#' @rdname kernels
#' @export
setMethod("isBackward", "Estimator", function(x, ...) {
    .checkDots(...)
    isBackward(x@kernel)
})

# The record of a step, with further entries beside parameters and run.
.stepRecord <- function(x, key, verb, ...) {
    record <- .record(
        verb, params = x@params[[key]], run = x@run[[key]], cells = .cells(x)
    )
    extra <- list(...)
    record[names(extra)] <- extra
    record
}

#' Certificates of an estimator
#'
#' Every decomposition and solve reports how good it is: relative residuals
#' (2-norm, the largest over columns), iterations, and for fates a bound on the
#' error of every single probability.
#'
#' @param x An estimator, or an object with stored results.
#' @param ... Not used; an unknown argument is an error.
#' @return A data frame with one row per step: `key`, `method`, `residual`,
#'   `iterations`, `error_bound`, `seconds`, `threads`.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' certificates(castFates(sce, cluster_key = "cell_type"))
#' @rdname certificates
#' @export
setMethod("certificates", "Estimator", function(x, ...) {
    .checkDots(...)
    .certificateTable(x@run)
})

#' @rdname certificates
#' @export
setMethod("certificates", "ANY", function(x, ...) {
    .checkDots(...)
    .checkContainer(x)
    keys <- Filter(.isChainKey, .recordKeys(x))
    runs <- lapply(keys, function(key) .readRecord(x, key)$run)
    names(runs) <- keys
    .certificateTable(Filter(function(r) !is.null(r$residual), runs))
})

.certificateTable <- function(runs) {
    pick <- function(name, none) {
        vapply(runs, function(r) {
            v <- r[[name]]
            if (is.null(v)) none else methods::as(v, class(none))
        }, none, USE.NAMES = FALSE)
    }
    data.frame(
        key = if (length(runs)) names(runs) else character(),
        method = pick("method", NA_character_),
        residual = pick("residual", NA_real_),
        iterations = pick("iterations", NA_real_),
        error_bound = pick("error_bound", NA_real_),
        seconds = pick("seconds", NA_real_),
        threads = pick("threads", NA_real_)
    )
}

#' @rdname Estimator-class
#' @param object An estimator of an earlier version of the package.
#' @param ...,verbose Not used.
#' @export
setMethod("updateObject", "Estimator", function(object, ..., verbose = FALSE) {
    object@kernel <- BiocGenerics::updateObject(object@kernel)
    object@results <- lapply(object@results, .updateResult)
    object@version <- .packageVersion()
    methods::validObject(object)
    object
})

# Results of a step hold plain values, tables and lineages.
.updateResult <- function(result) {
    if (methods::is(result, "Lineage")) {
        return(BiocGenerics::updateObject(result))
    }
    if (is.list(result) && !is.data.frame(result)) {
        result[] <- lapply(result, .updateResult)
    }
    result
}

# A Lineage as an embedding; names and colours travel in its record.
.writeLineage <- function(object, x, key, lineage, step_key, verb) {
    object <- .writeEmbedding(object, key, as.matrix(lineage))
    record <- .stepRecord(
        x, step_key, verb, names = lineageNames(lineage),
        colors = unname(lineageColors(lineage))
    )
    .writeRecord(object, key, record)
}

# What .writeLineage() wrote.
.readLineage <- function(object, key) {
    record <- .readRecord(object, key)
    Lineage(.readEmbedding(object, key), record$names, record$colors)
}

# A column of states as a factor named by cell.
.readStates <- function(object, key) {
    stats::setNames(.readCellData(object, key), .cellNames(object))
}

setGeneric(".usualSteps", function(x) standardGeneric(".usualSteps"))

setMethod("show", "Estimator", function(object) {
    cat(
        class(object)[1L], " on ", length(.cells(object)), " cells\n", sep = ""
    )
    cat("  chain: ", .shortForm(object@kernel), "\n", sep = "")
    for (step in .stepsOf(object)) {
        text <- .describeStep(object, step)
        if (length(text)) cat("  ", text, "\n", sep = "")
    }
    worst <- .worstResidual(object)
    if (length(worst)) cat("  ", worst, "\n", sep = "")
    missing <- setdiff(.usualSteps(object), names(object@results))
    if (length(missing)) {
        cat("  next: ", .steps()[[missing[1L]]]$call, "\n", sep = "")
    }
})

.worstResidual <- function(x) {
    table <- certificates(x)
    table <- table[is.finite(table$residual), ]
    if (!nrow(table)) return(NULL)
    at <- which.max(table$residual)
    paste0(
        "worst relative residual: ", .brief(table$residual[at]), " (",
        table$key[at], ")"
    )
}
