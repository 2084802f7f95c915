# The chain of whatever holds one: a kernel, an estimator, an object, a matrix.

#' @include kernel.R container-matrix.R
NULL

# What holds a chain: list of `matrix` (with cell names), `container` (the
# object, or NULL), `kernel` (NULL for a stored matrix) and `key`, the name of
# the matrix. An expression is evaluated; a kernel of its own must have been.
.chainOf <- function(x, key = NULL, n_threads = NULL,
                     call = rlang::caller_env()) {
    .checkString(key, null = TRUE, arg = "key", call = call)
    if (is(x, "Estimator") || is(x, "Kernel")) {
        .refuseKey(x, key, call)
        kernel <- if (is(x, "Estimator")) x@kernel else x
        kernel <- .computedKernel(kernel, n_threads, call)
        return(list(
            matrix = .nameBoth(kernel@matrix, kernel@cell_names),
            container = x@container, kernel = kernel,
            key = .keyTransition(kernel@backward)
        ))
    }
    .checkContainer(x, call = call)
    if (.isBareMatrix(x)) {
        .refuseKey(x, key, call)
        return(list(
            matrix = .readGraph(x, ""), container = NULL, kernel = NULL,
            key = .keyTransition()
        ))
    }
    if (is.null(key)) key <- .storedTransition(x, call)
    list(
        matrix = .readGraph(x, key), container = x, kernel = NULL, key = key
    )
}

.refuseKey <- function(x, key, call) {
    if (is.null(key)) return(invisible())
    .abort(
        "range", paste0(
            "`key` names a matrix stored in an object; ", .describe(x),
            " has one of its own."
        ), argument = "key", value = key, call = call
    )
}

# The computed kernel of a kernel or an estimator, with its object.
.kernelOf <- function(x, n_threads = NULL, arg = "kernel",
                      call = rlang::caller_env()) {
    if (is(x, "Estimator")) {
        kernel <- x@kernel
        kernel@container <- x@container
        return(kernel)
    }
    .checkKernel(x, arg, call)
    .computedKernel(x, n_threads, call)
}

.computedKernel <- function(kernel, n_threads = NULL,
                            call = rlang::caller_env()) {
    if (!is.null(kernel@matrix)) return(kernel)
    if (is(kernel, "KernelExpression")) {
        return(computeTransitionMatrix(kernel, n_threads = n_threads))
    }
    .abort(
        "not_computed", paste0(
            "This `", class(kernel)[1L], "` has no transition matrix yet."
        ), "Run computeTransitionMatrix() on it first.",
        kernel = class(kernel)[1L], call = call
    )
}

# The object of a chain, for what reads embeddings or columns of the cells.
.chainContainer <- function(chain, call = rlang::caller_env()) {
    x <- chain$container
    if (is.null(x) || .isBareMatrix(x)) {
        .abort(
            "container_class", paste(
                "A bare matrix has neither embeddings nor columns of cells;",
                "this needs an object."
            ), paste(
                "Make the kernel from a SingleCellExperiment or Seurat object;",
                "plotRandomWalksData(basis = NULL) needs none."
            ), call = call
        )
    }
    x
}
