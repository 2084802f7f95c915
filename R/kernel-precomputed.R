#' A kernel from a transition matrix that exists already
#'
#' @param object A square matrix (dense or sparse, cells x cells, non-negative),
#'   an object that holds one, or a kernel, of which the result is taken.
#' @param obsp_key For an object: the key of the matrix. NULL takes that of the
#'   direction, `T_fwd` or `T_bwd`, and without one the first of them that is
#'   there.
#' @param backward TRUE, FALSE, or NULL. When NULL, a matrix stored under
#'   `T_fwd` or `T_bwd` has the direction of its key, any other none.
#' @param container For a bare matrix: the object it belongs to. Ignored
#'   otherwise.
#' @return A computed kernel: entries checked, rows scaled to sum to one.
#'   A matrix without names gets `cell1`, `cell2`, ...
#' @section Errors:
#' `not_stochastic` for negative entries, `range` for NaN or infinite ones,
#' `disconnected` for empty rows (all with the cells), `shape` when it is not
#' square, `container_cells` when its names are not those of `container`.
#' @examples
#' m <- matrix(c(0.9, 0.2, 0, 0.1, 0.6, 0, 0, 0.2, 1), 3)
#' PrecomputedKernel(m)
#' @aliases PrecomputedKernel-class
#' @export
PrecomputedKernel <- function(object, obsp_key = NULL, backward = NULL,
                              container = NULL) {
    .checkFlag(backward, null = TRUE)
    .checkString(obsp_key, null = TRUE)
    if (methods::is(object, "Kernel")) {
        return(.precomputedFromKernel(object))
    }
    .checkContainer(object)
    if (.containerClass(object) == "matrix") {
        return(.precomputedFromMatrix(object, container, backward, "array"))
    }
    key <- if (!is.null(obsp_key)) {
        obsp_key
    } else if (is.null(backward)) {
        .storedTransition(object)
    } else {
        .keyTransition(backward)
    }
    if (is.null(backward)) {
        backward <- switch(match(
            key, c(.keyTransition(FALSE), .keyTransition(TRUE)), 3L
        ), FALSE, TRUE, NULL)
    }
    place <- if (.containerClass(object) == "Seurat") "graph" else "colPair"
    .precomputedFromMatrix(
        .readGraph(object, key), object, backward,
        paste0(place, "('", key, "')")
    )
}

#' @rdname PrecomputedKernel
#' @exportClass PrecomputedKernel
setClass("PrecomputedKernel", contains = "Kernel")

.precomputedFromMatrix <- function(matrix, container, backward, origin,
                                   call = rlang::caller_env()) {
    if (nrow(matrix) != ncol(matrix)) {
        .abort(
            "shape", paste0(
                "A transition matrix must be square, not ", nrow(matrix),
                " x ", ncol(matrix), "."
            ), dim = dim(matrix), call = call
        )
    }
    names <- .cellNames(if (is.null(container)) matrix else container)
    kernel <- methods::new(
        "PrecomputedKernel", container = container, cell_names = names,
        backward = as.logical(backward), version = .packageVersion()
    )
    computeTransitionMatrix(kernel, matrix, params = list(origin = origin))
}

.precomputedFromKernel <- function(kernel) {
    m <- transitionMatrix(kernel)
    methods::new(
        "PrecomputedKernel", container = kernel@container,
        cell_names = kernel@cell_names, backward = kernel@backward,
        matrix = m, params = c(
            list(origin = .shortForm(kernel)), parameters(kernel)
        ), run = kernel@run, version = .packageVersion()
    )
}

#' @rdname invertKernel
#' @export
setMethod("invertKernel", "PrecomputedKernel", function(kernel) {
    .abort("type", paste(
        "A transition matrix cannot be turned round;",
        "compute it in the other direction."
    ))
})
