# + and * of kernels: immutable expressions, weights normalised at evaluation.

#' Combine kernels
#'
#' Kernels form expressions: `0.8 * VelocityKernel(x) + 0.2 *
#' ConnectivityKernel(x)` is their weighted mean, `k1 * k2` the element-wise
#' product with rows scaled to one.
#'
#' @details
#' Weights are divided by their total when the expression is evaluated, so
#' `2 * k1 + 3 * k2` is `0.4 k1 + 0.6 k2` and a lone `10 * k` is `k`. Sums of
#' weighted kernels are flat (`a + (b + c)` gives a third to each), brackets
#' with a weight are kept (`1 * a + 1 * (b + c)` gives `b` a quarter). A product
#' inside a sum counts like a kernel of weight one, rows scaled (with
#' `compat = TRUE` its rows are not scaled before they are added to kernels with
#' weights, as CellRank has it, which leaves it next to nothing). Operands are
#' never changed. All kernels must have the same cells in the same order; the
#' container is the left one's, and a right operand that reads another object is
#' evaluated first. Forward and backward kernels cannot be mixed. Everything
#' else (`-`, `^`, scalars that are not positive, adding a number) is an error.
#' Time and memory O(transitions of all operands).
#'
#' @param e1,e2 Kernels, or a kernel and a positive number (`*`, `/`).
#' @param kernel An expression.
#' @param compat Reproduce CellRank where it differs.
#' @param ... Not used; an unknown argument is an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @return A `KernelExpression`, evaluated by [transitionMatrix()],
#'   [computeTransitionMatrix()] or an estimator.
#' @section Errors:
#' `range` (weights), `type` (operations without meaning, mixed directions),
#' `shape` and `container_cells` (different cells).
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' 0.8 * VelocityKernel(sce) + 0.2 * ConnectivityKernel(sce)
#' @name kernel-algebra
#' @aliases KernelExpression-class show,KernelExpression-method
NULL

# op "mul": `constant` times one operand, or (constant empty) the element-wise
# product of two. op "add": operands are "mul" expressions.
#' @rdname kernel-algebra
#' @exportClass KernelExpression
setClass("KernelExpression", contains = "Kernel", slots = c(
    op = "character", constant = "numeric", operands = "list"
))

.isExpression <- function(k, op) {
    methods::is(k, "KernelExpression") && k@op == op
}

# The expression node; operands give their container to it.
.expression <- function(op, operands, constant = numeric(), container) {
    directions <- unique(unlist(lapply(operands, function(k) k@backward)))
    if (length(directions) > 1L) {
        .abort("type", "Forward and backward kernels cannot be combined.")
    }
    operands <- lapply(operands, function(k) {
        k@container <- NULL
        k
    })
    methods::new(
        "KernelExpression", op = op, operands = operands, constant = constant,
        container = container, cell_names = operands[[1L]]@cell_names,
        backward = as.logical(directions), version = .packageVersion()
    )
}

.scaleKernel <- function(kernel, constant) {
    constant <- .checkNumber(
        constant, 0, open_min = TRUE, arg = "weight of a kernel"
    )
    if (!is.finite(constant)) {
        .abort("range", "The weight of a kernel must be finite.")
    }
    if (.isExpression(kernel, "mul") && length(kernel@constant)) {
        kernel@constant <- kernel@constant * constant
        kernel@matrix <- NULL
        return(kernel)
    }
    .expression("mul", list(kernel), constant, kernel@container)
}

.weighted <- function(kernel) {
    if (.isExpression(kernel, "mul")) kernel else .scaleKernel(kernel, 1)
}

# Right operands that read another object are evaluated before they lose it.
.joinContainers <- function(left, right) {
    .checkNames(left@cell_names, right@cell_names, "Kernels to be combined")
    if (is.null(left@container)) {
        left@container <- right@container
    } else if (!is.null(right@container) &&
        !identical(left@container, right@container)) {
        right <- .evaluateLeaves(right, right@container)
    }
    list(left, right)
}

.evaluateLeaves <- function(kernel, container) {
    if (methods::is(kernel, "KernelExpression")) {
        kernel@operands <- lapply(
            kernel@operands, .evaluateLeaves, container = container
        )
        return(kernel)
    }
    if (!is.null(kernel@matrix)) return(kernel)
    kernel@container <- container
    computeTransitionMatrix(kernel)
}

.addKernels <- function(e1, e2) {
    both <- .joinContainers(e1, e2)
    container <- both[[1L]]@container
    x <- both[[1L]]
    y <- both[[2L]]
    # A bare kernel, but not a sum, is wrapped first.
    if (!.isExpression(x, "add")) x <- .weighted(x)
    if (!.isExpression(y, "add")) y <- .weighted(y)
    flat <- function(k) {
        .isExpression(k, "add") && all(vapply(
            k@operands, function(o) length(o@constant) == 1L, logical(1)
        ))
    }
    operands <- if (flat(x) && .isExpression(y, "mul")) {
        c(x@operands, y)
    } else if (flat(y) && .isExpression(x, "mul")) {
        c(x, y@operands)
    } else {
        list(.weighted(x), .weighted(y))
    }
    .expression("add", operands, container = container)
}

.multiplyKernels <- function(e1, e2) {
    both <- .joinContainers(e1, e2)
    container <- both[[1L]]@container
    .expression("mul", lapply(both, .weighted), container = container)
}

.noMeaning <- function(op, call = rlang::caller_env()) {
    .abort(
        "type", paste0("`", op, "` has no meaning for these operands."),
        "Kernels know k1 + k2, k1 * k2, and * or / with a positive number.",
        call = call
    )
}

#' @rdname kernel-algebra
#' @export
setMethod("Arith", signature("Kernel", "Kernel"), function(e1, e2) {
    switch(.Generic,
        "+" = .addKernels(e1, e2), "*" = .multiplyKernels(e1, e2),
        .noMeaning(.Generic)
    )
})

#' @rdname kernel-algebra
#' @export
setMethod("Arith", signature("Kernel", "numeric"), function(e1, e2) {
    switch(.Generic,
        "*" = .scaleKernel(e1, e2),
        "/" = .scaleKernel(e1, 1 / .checkNumber(
            e2, 0, open_min = TRUE, arg = "divisor of a kernel"
        )), .noMeaning(.Generic)
    )
})

#' @rdname kernel-algebra
#' @export
setMethod("Arith", signature("numeric", "Kernel"), function(e1, e2) {
    switch(.Generic, "*" = .scaleKernel(e2, e1), .noMeaning(.Generic))
})

#' @rdname kernel-algebra
#' @export
setMethod("Arith", signature("Kernel", "ANY"), function(e1, e2) {
    .noMeaning(.Generic)
})

#' @rdname kernel-algebra
#' @export
setMethod("Arith", signature("ANY", "Kernel"), function(e1, e2) {
    .noMeaning(.Generic)
})

#' @rdname kernel-algebra
#' @export
setMethod("computeTransitionMatrix", "KernelExpression", function(
        kernel, compat = FALSE, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    .checkFlag(compat)
    job <- .job(n_threads, show_progress_bar, "Combining kernels")
    done <- .evaluate(kernel, kernel@container, job, compat)
    kernel@operands <- done$kernel@operands
    .setTransition(
        kernel, done$matrix, c(.leafParameters(kernel), compat = compat),
        .run(job, leaves = lapply(.leaves(kernel), function(k) k@run))
    )
})

# The evaluated kernel (leaves keep their matrices no longer than needed) and
# its matrix. Leaves read from the container of the root. A product that is not
# `scaled` keeps the sums of its rows.
.evaluate <- function(kernel, container, job, compat, scaled = TRUE) {
    if (!methods::is(kernel, "KernelExpression")) {
        return(.evaluateLeaf(kernel, container, job))
    }
    raw <- compat & .leftRaw(kernel)
    parts <- Map(function(operand, raw) {
        .evaluate(operand, container, job, compat, !raw)
    }, kernel@operands, raw)
    matrices <- lapply(parts, `[[`, "matrix")
    kernel@operands <- lapply(parts, `[[`, "kernel")
    matrix <- if (length(matrices) == 1L) {
        matrices[[1L]]
    } else {
        .fromSlots(
            .combine(kernel, matrices, raw, scaled, job), kernel@cell_names
        )
    }
    list(kernel = kernel, matrix = matrix)
}

# Which operands of a sum CellRank adds without scaling their rows: products
# without a weight beside others that have one.
.leftRaw <- function(kernel) {
    bare <- vapply(kernel@operands, function(o) {
        .isExpression(o, "mul") && !length(o@constant)
    }, logical(1))
    bare & kernel@op == "add" & !all(bare)
}

.combine <- function(kernel, matrices, raw, scaled, job) {
    slots <- lapply(matrices, .slots)
    if (kernel@op == "mul") {
        return(.native(
            job, rs_kernel_product, slots, scaled,
            cell_names = kernel@cell_names
        ))
    }
    weights <- vapply(kernel@operands, function(o) {
        if (length(o@constant)) o@constant else 1
    }, 1)
    # There the weights that were given are shares, and the others one.
    if (any(raw)) weights[!raw] <- weights[!raw] / sum(weights[!raw])
    .native(
        job, rs_kernel_sum, slots, weights, cell_names = kernel@cell_names
    )
}

.evaluateLeaf <- function(kernel, container, job) {
    if (is.null(kernel@matrix)) {
        kernel@container <- container
        kernel <- computeTransitionMatrix(
            kernel, n_threads = job$threads, show_progress_bar = FALSE
        )
        kernel@container <- NULL
        matrix <- kernel@matrix
        # The root holds the result; parameters tell how the leaf was made.
        kernel@matrix <- NULL
    } else {
        matrix <- kernel@matrix
    }
    list(kernel = kernel, matrix = matrix)
}

.leaves <- function(kernel) {
    if (!methods::is(kernel, "KernelExpression")) return(list(kernel))
    unlist(lapply(kernel@operands, .leaves), recursive = FALSE)
}

# Parameters of all leaves, named by class and position.
.leafParameters <- function(kernel) {
    leaves <- .leaves(kernel)
    names(leaves) <- paste0(
        vapply(leaves, function(k) class(k)[1L], ""), ":", seq_along(leaves)
    )
    c(
        list(expression = .shortForm(kernel)),
        lapply(leaves, function(k) k@params)
    )
}

#' @rdname invertKernel
#' @export
setMethod("invertKernel", "KernelExpression", function(kernel) {
    kernel@operands <- lapply(kernel@operands, function(k) {
        if (length(k@backward)) invertKernel(k) else k
    })
    kernel@backward <- !kernel@backward
    .uncomputed(kernel)
})

#' @rdname kernels
#' @export
setMethod("length", "KernelExpression", function(x) length(x@operands))

# 0.8 * VelocityKernel + 0.2 * ConnectivityKernel
.shortForm <- function(kernel) {
    if (!methods::is(kernel, "KernelExpression")) {
        tilde <- if (isTRUE(kernel@backward)) "~" else ""
        return(paste0(tilde, class(kernel)[1L]))
    }
    parts <- vapply(kernel@operands, .shortForm, "")
    if (kernel@op == "add") {
        return(paste0("(", paste(parts, collapse = " + "), ")"))
    }
    if (length(kernel@constant)) {
        if (kernel@constant == 1) return(parts)
        return(paste(format(signif(kernel@constant, 3)), "*", parts))
    }
    paste(parts, collapse = " * ")
}

setMethod("show", "KernelExpression", function(object) {
    text <- .shortForm(object)
    if (.isExpression(object, "add")) {
        text <- substr(text, 2L, nchar(text) - 1L)
    }
    state <- if (is.null(object@matrix)) {
        "not computed yet"
    } else {
        paste0("computed: ", length(object@matrix@x), " transitions")
    }
    cat(text, "\n  ", length(object@cell_names), " cells, ", state, "\n",
        sep = ""
    )
})
