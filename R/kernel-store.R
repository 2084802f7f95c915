# Kernels in their object and in files.

#' @include kernel.R kernel-algebra.R store.R
NULL

#' Write a transition matrix into its object, and read it back
#'
#' `writeToObject()` stores the matrix of a kernel as a cell-cell graph with a
#' record of how it was made; `fromObject()` makes the kernel from both again,
#' or an estimator with all results that [container()] wrote.
#'
#' @details
#' A leaf kernel comes back as what it was: class, direction, arguments of the
#' constructor, parameters and matrix. Functions among the arguments are kept as
#' text, and matrices (couplings, say) as dimension and digest, so such a kernel
#' has its matrix but cannot be computed anew. An expression comes back as a
#' [PrecomputedKernel()]. An estimator also takes a matrix without a record. Its
#' results are read in the order in which they are computed, each whole or not
#' at all: where a part is missing or was made on other cells, neither that
#' result nor what rests on it is read, with a warning; decompositions and
#' initial states may be missing. Results of another transition matrix are not
#' read, with a warning. Cost: O(transitions), plus the results.
#'
#' @param x A kernel.
#' @param object A `SingleCellExperiment` or `Seurat` object.
#' @param key Key of the matrix. For writing, NULL means `T_bwd` for backward
#'   kernels and `T_fwd` for all others; for reading, the one of these that is
#'   there.
#' @param as What to make: the kernel, or an estimator of this class.
#' @param ... Not used; an unknown argument is an error.
#' @return `writeToObject()`: the object with the matrix under `key` and its
#'   record. A kernel that was not computed yet is evaluated with its defaults
#'   first. `fromObject()`: the kernel, computed, or the estimator, with
#'   `object` as its container.
#' @section Errors:
#' `missing_key` when there is no matrix or no record of it, `container_stale`
#' when cells changed since, `container_key_taken`, `not_stochastic`.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' sce <- writeToObject(ConnectivityKernel(sce))
#' parameters(sce, "T_fwd")
#' fromObject(sce)
#' @rdname writeToObject
#' @export
setMethod("writeToObject", "Kernel", function(x, key = NULL, ...) {
    .checkDots(...)
    object <- .kernelContainer(x)
    .checkString(key, null = TRUE)
    if (is.null(x@matrix)) x <- computeTransitionMatrix(x)
    .writeTransition(object, x, key)
})

.writeTransition <- function(object, kernel, key = NULL) {
    if (is.null(key)) key <- .keyTransition(kernel@backward)
    object <- .writeGraph(object, key, kernel@matrix)
    record <- .record(
        "writeToObject",
        params = list(
            kernel = .shortForm(kernel), class = class(kernel)[1L],
            backward = kernel@backward, init = kernel@init,
            params = parameters(kernel)
        ), run = kernel@run, cells = kernel@cell_names
    )
    .writeRecord(object, key, record)
}

#' @rdname writeToObject
#' @export
setMethod("fromObject", "ANY", function(
        object, key = NULL, ..., as = c("Kernel", "GPCCA", "CFLARE")) {
    .checkDots(...)
    as <- .checkChoice(as, c("Kernel", "GPCCA", "CFLARE"))
    .checkContainer(object, "object")
    .checkString(key, null = TRUE)
    if (is.null(key)) key <- .storedTransition(object)
    matrix <- .readGraph(object, key)
    record <- .readRecord(object, key)
    known <- .isRecord(record) && !is.null(record$params$class)
    if (as != "Kernel") {
        return(.restoreEstimator(if (known) {
            .restoreKernel(object, key, matrix, record)
        } else {
            PrecomputedKernel(object, obsp_key = key)
        }, as))
    }
    if (!known) {
        .abort(
            "missing_key", paste0(
                "There is a matrix ", .someNames(key), ", but no record of ",
                "the kernel that made it."
            ), paste0(
                "Use PrecomputedKernel(object, obsp_key = \"", key, "\")."
            ), key = key
        )
    }
    .restoreKernel(object, key, matrix, record)
})

.restoreKernel <- function(object, key, matrix, record,
                           call = rlang::caller_env()) {
    made <- record$params
    backward <- as.logical(made$backward)
    if (made$class == "KernelExpression") {
        return(.precomputedFromMatrix(
            matrix, object, if (length(backward)) backward, made$kernel
        ))
    }
    if (!methods::isClass(made$class) ||
        !methods::extends(made$class, "Kernel")) {
        .abort(
            "missing_key", paste0(
                "The class `", made$class, "` of the kernel under ",
                .someNames(key), " is not known here."
            ), "Load the package or the code that defines it.",
            key = key, class = made$class, call = call
        )
    }
    kernel <- methods::new(
        made$class, container = object, backward = backward,
        init = .restorable(made$init)
    )
    # Cells may have been removed: the rows are checked, never scaled.
    .native(
        .job(show_progress_bar = FALSE), rs_kernel_check, .slots(matrix),
        cell_names = kernel@cell_names, advice = .stochasticAdvice
    )
    .setTransition(kernel, matrix, made$params, record$run)
}

# Arguments of a constructor that a record keeps whole; others are left out.
.restorable <- function(init) {
    lost <- function(v) is.list(v) && !is.null(v$digest)
    nested <- function(v) is.list(v) && any(vapply(v, lost, logical(1)))
    init[vapply(init, function(v) lost(v) || nested(v), logical(1))] <- list(
        NULL
    )
    init
}

#' Kernels in files
#'
#' One file (R's own serialisation, `saveRDS()`) with the matrix, the parameters
#' and, unless it is left out, the object a kernel belongs to. The object is
#' held once, at the root of an expression, and so is the matrix.
#'
#' @param kernel A kernel, computed or not.
#' @param file Name of the file.
#' @param container For writing: whether the object goes into the file. For
#'   reading: the object of a kernel that was written without its own.
#' @param ... Not used; an unknown argument is an error.
#' @return `writeKernel()`: `file`, invisibly. `readKernel()`: the kernel as it
#'   was written.
#' @section Errors:
#' `missing_key` when there is no such file, `type` when it holds no kernel,
#' `not_computed` when the object was left out and none is given, `shape` and
#' `container_cells` when the given one has other cells. An object that is given
#' although the file has one is ignored, with the warning `dropped`.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' k <- computeTransitionMatrix(ConnectivityKernel(sce))
#' file <- tempfile(fileext = ".rds")
#' writeKernel(k, file, container = FALSE)
#' readKernel(file, container = sce)
#' unlink(file)
#' @export
writeKernel <- function(kernel, file, container = TRUE, ...) {
    .checkDots(...)
    .checkKernel(kernel)
    .writeFile(kernel, "kernel", file, container)
}

#' @rdname writeKernel
#' @export
readKernel <- function(file, container = NULL, ...) {
    .checkDots(...)
    .readFile("kernel", file, container)
}

.checkKernel <- function(x, arg = rlang::caller_arg(x),
                         call = rlang::caller_env()) {
    if (!methods::is(x, "Kernel")) {
        .badType(x, "a kernel", FALSE, arg, call)
    }
    invisible(x)
}
