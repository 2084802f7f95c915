# Virtual classes and their contracts; concrete classes stand with their code.

#' Kernels: from data to a Markov chain
#'
#' A kernel is a way to turn what is known about cells into a row-stochastic
#' transition matrix. It is a value: no function changes a kernel in place.
#' A leaf kernel knows which data to read and, once computed, the matrix and the
#' parameters that made it; kernels are combined with `+` and `*`
#' ([kernel-algebra]). The container sits once, at the root of an expression.
#'
#' @section Contract:
#' A concrete kernel extends `UnidirectionalKernel` (no direction) or
#' `BidirectionalKernel` (`backward` is TRUE or FALSE) and has a method of
#' [computeTransitionMatrix()] that returns the kernel with its matrix, checked
#' and normalised, and its parameters. A computation that fails leaves the
#' kernel as it was.
#'
#' @slot container The object the kernel reads, or NULL below the root.
#' @slot cell_names Names of the cells, in the order of rows and columns.
#' @slot matrix The transition matrix (cells x cells, rows sum to one) or NULL.
#' @slot backward TRUE, FALSE, or empty for a kernel without direction.
#' @slot init Arguments of the constructor.
#' @slot params Every scientific argument of the computation, after defaults.
#' @slot run How it ran: threads, seconds, warnings.
#' @slot version Version of the package that made the object.
#' @return A virtual class; nothing to construct. `updateObject()` brings an
#'   object of an earlier version up to date.
#' @seealso [VelocityKernel()], [ConnectivityKernel()], [PseudotimeKernel()],
#'   [PrecomputedKernel()], [kernel-algebra]
#' @name Kernel-class
#' @aliases UnidirectionalKernel-class BidirectionalKernel-class
#'   show,Kernel-method
#' @exportClass Kernel
setClass("Kernel", slots = c(
    container = "ANY", cell_names = "character", matrix = "ANY",
    backward = "logical", init = "list", params = "list", run = "list",
    version = "character"
), contains = "VIRTUAL", prototype = list(container = NULL, matrix = NULL))

setValidity("Kernel", function(object) {
    n <- length(object@cell_names)
    m <- object@matrix
    c(
        if (length(object@backward) > 1L || anyNA(object@backward)) {
            "backward must be TRUE, FALSE or empty"
        },
        if (anyDuplicated(object@cell_names)) "cell names are not unique",
        if (!is.null(m) && !identical(dim(m), c(n, n))) {
            paste0(
                "the transition matrix is ", nrow(m), " x ", ncol(m),
                " for ", n, " cells"
            )
        }
    )
})

#' @rdname Kernel-class
#' @exportClass UnidirectionalKernel
setClass("UnidirectionalKernel", contains = c("Kernel", "VIRTUAL"))

setValidity("UnidirectionalKernel", function(object) {
    if (length(object@backward)) "this kernel has no direction"
})

#' @rdname Kernel-class
#' @exportClass BidirectionalKernel
setClass("BidirectionalKernel", contains = c("Kernel", "VIRTUAL"))

setValidity("BidirectionalKernel", function(object) {
    if (!length(object@backward)) "backward must be TRUE or FALSE"
})

#' Estimators: from a Markov chain to fates
#'
#' An estimator holds one evaluated transition matrix, the container it came
#' from, and what was inferred so far. Every `compute*`, `predict*` and `set*`
#' verb returns the changed estimator; [container()] hands the object back with
#' all results written to it.
#'
#' @slot kernel The kernel, evaluated, without its container.
#' @slot container The object, or NULL for a bare matrix.
#' @slot results What was computed, by step.
#' @slot params Arguments of every step, by storage key.
#' @slot run How each step ran, by storage key: residuals, iterations, threads.
#' @slot version Version of the package that made the object.
#' @return A virtual class; nothing to construct. `updateObject()` brings an
#'   object of an earlier version up to date.
#' @seealso [GPCCA()]
#' @name Estimator-class
#' @aliases show,Estimator-method
#' @aliases TermStatesEstimator-class
#' @exportClass Estimator
setClass("Estimator", slots = c(
    kernel = "Kernel", container = "ANY", results = "list", params = "list",
    run = "list", version = "character"
), contains = "VIRTUAL", prototype = list(container = NULL))

setValidity("Estimator", function(object) {
    if (is.null(object@kernel@matrix)) "the kernel was not evaluated"
})

#' @rdname Estimator-class
#' @exportClass TermStatesEstimator
setClass("TermStatesEstimator", contains = c("Estimator", "VIRTUAL"))
