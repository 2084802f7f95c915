# What all kernels share: construction, the stored matrix, show, storage.

# A concrete kernel of `class`; the data are read when it is evaluated.
.newKernel <- function(class, object, init = list(), backward = logical(),
                       ..., call = rlang::caller_env()) {
    methods::new(
        class, container = object, cell_names = .cellNames(object),
        init = init, backward = backward, ...
    )
}

# Cells are those of the object unless they are given, so that classes of
# others need no constructor.
setMethod("initialize", "Kernel", function(.Object, ...) {
    .Object <- callNextMethod(.Object, ...)
    if (!length(.Object@version)) .Object@version <- .packageVersion()
    if (!length(.Object@cell_names) && !is.null(.Object@container)) {
        .checkContainer(.Object@container, "container")
        .Object@cell_names <- .cellNames(.Object@container)
    }
    .Object
})

.checkDirection <- function(backward, call = rlang::caller_env()) {
    .checkFlag(backward, arg = "backward", call = call)
}

# The kernel with a matrix that Rust has checked and normalised. Parameters are
# stored with the matrix, so a failure before this leaves the kernel untouched.
.setTransition <- function(kernel, matrix, params, run) {
    kernel@matrix <- matrix
    kernel@params <- params
    kernel@run <- run
    kernel
}

# The object a leaf reads from; only roots have one.
.kernelContainer <- function(kernel, call = rlang::caller_env()) {
    x <- kernel@container
    if (is.null(x)) {
        .abort(
            "not_computed", paste0(
                "This `", class(kernel)[1L], "` has neither a transition ",
                "matrix nor an object to compute it from."
            ), paste(
                "Compute it with computeTransitionMatrix() before it is",
                "taken out of its object."
            ), call = call
        )
    }
    x
}

# Graph of a kernel: square, finite, non-negative, without isolated cells.
.kernelGraph <- function(kernel, call = rlang::caller_env()) {
    x <- .kernelContainer(kernel, call)
    key <- kernel@init$conn_key
    graph <- .readGraph(x, key, experiment = kernel@init$experiment)
    if (!is.null(rownames(graph))) {
        .checkNames(
            kernel@cell_names, rownames(graph),
            "The kernel and the graph", call = call
        )
    }
    .checkGraph(graph, paste0("The graph `", key, "`"), call = call)
}

.graphWarnings <- function(kernel, graph, job) {
    if (isTRUE(kernel@init$check_symmetric)) {
        norm <- .native(job, rs_graph_asymmetry, .slots(graph))
        if (norm >= 1e-4) {
            .warn(
                "not_symmetric", paste0(
                    "The graph `", kernel@init$conn_key,
                    "` is not symmetric (Frobenius norm of the difference ",
                    signif(norm, 3), ")."
                ), norm = norm
            )
        }
    }
    if (isTRUE(kernel@init$check_connectivity)) {
        components <- .unwrap(rs_graph_components(.slots(graph)))
        if (components > 1) {
            .warn(
                "disconnected", paste0(
                    "The graph `", kernel@init$conn_key, "` has ",
                    components, " components."
                ), components = components
            )
        }
    }
    invisible(graph)
}

#' Compute the transition matrix of a kernel
#'
#' Evaluates a kernel and returns it with its matrix and parameters. The
#' arguments beyond `kernel` depend on the class; each has a page of its own:
#' [VelocityKernel()], [ConnectivityKernel()], [PseudotimeKernel()],
#' [PrecomputedKernel()] and [kernel-algebra].
#'
#' The result is row stochastic: entries are finite and non-negative, rows sum
#' to one within 1e-8. Anything else is an error, and the kernel that was passed
#' is unchanged.
#'
#' @section Extending:
#' A class of one's own extends [`UnidirectionalKernel-class`] or, if it can run
#' both ways, [`BidirectionalKernel-class`], and has a method that ends in
#' `callNextMethod(kernel, matrix = m, params = list(...))`. `m` is any square
#' matrix over the cells with non-negative entries; it is checked, and its rows
#' are scaled to sum to one. `container(kernel)` is the object to read from.
#' Such kernels combine, invert, are stored and drawn as those of the package;
#' the second example shows all that is needed.
#'
#' @param kernel A [`Kernel-class`].
#' @param matrix For classes of one's own: a square matrix over the cells with
#'   non-negative entries; rows are scaled to sum to one.
#' @param params For classes of one's own: the arguments to remember.
#' @param ... Arguments of the method; unknown ones are an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @return The kernel with its transition matrix.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' sce <- buildNeighbors(sce)
#' k <- computeTransitionMatrix(ConnectivityKernel(sce))
#' k
#'
#' # A kernel of one's own: to neighbours that divide faster.
#' setClass("CycleKernel", contains = "BidirectionalKernel")
#' setMethod("computeTransitionMatrix", "CycleKernel", function(
#'         kernel, steepness = 2, ...) {
#'     x <- container(kernel)
#'     score <- (if (isBackward(kernel)) -1 else 1) * x$cycle
#'     m <- cellGraph(x, "connectivities") %*%
#'         Matrix::Diagonal(x = exp(steepness * score))
#'     callNextMethod(
#'         kernel, matrix = m, params = list(steepness = steepness), ...
#'     )
#' })
#' sce$cycle <- sin(seq_len(200))
#' cycle <- new("CycleKernel", container = sce, backward = FALSE)
#' transitionMatrix(0.5 * cycle + 0.5 * k)[1:3, 1:3]
#' @rdname computeTransitionMatrix
#' @export
setMethod("computeTransitionMatrix", "Kernel", function(
        kernel, matrix, params = list(), ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    if (missing(matrix)) {
        .abort(
            "type", paste0(
                "The class `", class(kernel)[1L], "` has no method of ",
                "computeTransitionMatrix()."
            ), "Write one that gives its matrix to callNextMethod()."
        )
    }
    job <- .job(n_threads, show_progress_bar, "Transition matrix")
    m <- .asGeneral(matrix, "The transition matrix")
    n <- length(kernel@cell_names)
    if (!identical(dim(m), c(n, n))) {
        .abort(
            "shape", paste0(
                "The transition matrix must be ", n, " x ", n,
                " (cells x cells), not ", nrow(m), " x ", ncol(m), "."
            ), dim = dim(m)
        )
    }
    if (!is.null(rownames(m))) {
        .checkNames(kernel@cell_names, rownames(m), "The kernel and the matrix")
    }
    slots <- .native(
        job, rs_kernel_normalize, .slots(m), cell_names = kernel@cell_names,
        advice = .stochasticAdvice
    )
    .setTransition(
        kernel, .fromSlots(slots, kernel@cell_names), params, .run(job)
    )
})

.stochasticAdvice <- paste(
    "Rows of a transition matrix are probabilities: finite, non-negative,",
    "not all zero."
)

#' The transition matrix
#'
#' @param x A kernel or estimator, or an object with a stored matrix.
#' @param key For objects: the key of the matrix, `T_fwd` by default.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param ... Not used; an unknown argument is an error.
#' @return A `dgCMatrix`, cells x cells, entry `[i, j]` the probability of the
#'   step from cell i to cell j; rows sum to one. A kernel that was not computed
#'   yet is evaluated with its defaults, and the result is not kept: use
#'   [computeTransitionMatrix()] for that.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' m <- transitionMatrix(ConnectivityKernel(sce))
#' range(Matrix::rowSums(m))
#' @rdname transitionMatrix
#' @export
setMethod("transitionMatrix", "Kernel", function(x, ..., n_threads = NULL) {
    .checkDots(...)
    if (is.null(x@matrix)) {
        x <- computeTransitionMatrix(x, n_threads = n_threads)
    }
    x@matrix
})

#' @rdname transitionMatrix
#' @export
setMethod("transitionMatrix", "ANY", function(x, ..., key = NULL) {
    .checkDots(...)
    .checkContainer(x)
    .readGraph(x, if (is.null(key)) .storedTransition(x) else key)
})

# The first of T_fwd and T_bwd that an object holds.
.storedTransition <- function(x, call = rlang::caller_env()) {
    keys <- c(.keyTransition(FALSE), .keyTransition(TRUE))
    # A record without its graph tells that cells changed.
    known <- .recordKeys(x)
    found <- keys[vapply(keys, function(k) {
        .hasGraph(x, k) || k %in% known
    }, logical(1))]
    if (!length(found)) {
        .abort(
            "missing_key", paste0(
                "The object holds no transition matrix under ",
                .someNames(keys), "."
            ), "Store one with writeToObject(kernel), or name its key.",
            key = keys, call = call
        )
    }
    found[1L]
}

#' The opposite direction of a kernel
#'
#' @param kernel A kernel with a direction, or an expression that has one.
#' @return A kernel of the same data running the other way, not yet computed;
#'   for an expression every leaf with a direction is inverted. A leaf without
#'   direction cannot be inverted.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' invertKernel(VelocityKernel(sce))
#' @rdname invertKernel
#' @export
setMethod("invertKernel", "BidirectionalKernel", function(kernel) {
    kernel@backward <- !kernel@backward
    .uncomputed(kernel)
})

.uncomputed <- function(kernel) {
    kernel@matrix <- NULL
    kernel@params <- list()
    kernel@run <- list()
    kernel
}

#' @rdname invertKernel
#' @export
setMethod("invertKernel", "UnidirectionalKernel", function(kernel) {
    .abort(
        "type", paste0(
            "A `", class(kernel)[1L], "` has no direction and cannot be ",
            "inverted."
        )
    )
})

#' @rdname container
#' @export
setMethod("container", "Kernel", function(x, ...) {
    .checkDots(...)
    object <- .kernelContainer(x)
    if (is.null(x@matrix) || .containerClass(object) == "matrix") {
        return(object)
    }
    .writeTransition(object, x)
})

#' What a kernel is made of
#'
#' @details
#' An expression has operands, which `length()` counts and `[[` takes out; a
#' leaf has one, itself. Operands taken out of an expression have no object: it
#' stands once, at the root. `kernels()` lists the distinct leaves in the order
#' of their first appearance, weights left out.
#'
#' @param x A kernel; for `isBackward()` an estimator, too.
#' @param i Position of an operand.
#' @param j,... Not used; an unknown argument is an error.
#' @return `kernels()`: a list of kernels. `isBackward()`: TRUE, FALSE, or NULL
#'   for a kernel without direction. `dim()`: number of rows and columns of the
#'   transition matrix; `dimnames()`: the names of the cells, twice.
#' @section Errors: `range` for an operand that is not there.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' k <- 0.8 * VelocityKernel(sce) + 0.2 * ConnectivityKernel(sce)
#' kernels(k)
#' length(k)
#' k[[2]]
#' isBackward(k)
#' dim(k)
#' @rdname kernels
#' @export
setMethod("kernels", "Kernel", function(x, ...) {
    .checkDots(...)
    unique(.leaves(x))
})

#' @rdname kernels
#' @export
setMethod("isBackward", "Kernel", function(x, ...) {
    .checkDots(...)
    if (length(x@backward)) x@backward
})

#' @rdname kernels
#' @export
setMethod("length", "Kernel", function(x) 1L)

#' @rdname kernels
#' @export
setMethod("dim", "Kernel", function(x) rep(length(x@cell_names), 2L))

#' @rdname kernels
#' @export
setMethod("dimnames", "Kernel", function(x) list(x@cell_names, x@cell_names))

#' @rdname kernels
#' @export
setMethod("[[", "Kernel", function(x, i, j, ...) {
    n <- length(x)
    i <- .checkCount(i)
    if (i > n) {
        .abort("range", paste0(
            "The kernel has ", .count(n, "operand"), ", not ", i, "."
        ), length = n, index = i)
    }
    .operands(x)[[i]]
})

.operands <- function(x) {
    if (methods::is(x, "KernelExpression")) x@operands else list(x)
}

#' @rdname parameters
#' @export
setMethod("parameters", "Kernel", function(x, key, ...) {
    .checkDots(...)
    x@params
})


setMethod("show", "Kernel", function(object) {
    cat(.describeKernel(object), "\n", sep = "")
    state <- if (is.null(object@matrix)) {
        "not computed yet"
    } else {
        paste0(
            "computed: ", length(object@matrix@x), " transitions"
        )
    }
    cat("  ", length(object@cell_names), " cells, ", state, "\n", sep = "")
})

.describeKernel <- function(kernel) {
    shown <- Filter(function(p) {
        is.atomic(p) && length(p) == 1L
    }, parameters(kernel))
    text <- vapply(shown, function(p) {
        if (is.character(p)) return(paste0("'", p, "'"))
        format(if (is.numeric(p)) signif(p, 3) else p)
    }, "")
    tilde <- if (isTRUE(kernel@backward)) "~" else ""
    inside <- c(
        paste0("n=", length(kernel@cell_names)), paste0(names(shown), "=", text)
    )
    if (!length(shown)) inside <- inside[1L]
    paste0(
        tilde, class(kernel)[1L], "[", paste(inside, collapse = ", "), "]"
    )
}

#' @rdname Kernel-class
#' @param object A kernel of an earlier version of the package.
#' @param ...,verbose Not used.
#' @export
setMethod("updateObject", "Kernel", function(object, ..., verbose = FALSE) {
    object@version <- .packageVersion()
    methods::validObject(object)
    object
})
