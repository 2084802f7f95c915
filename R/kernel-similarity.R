# Similarities of velocity and displacement: three of our own, and those of
# users, who write a class or a function.

#' Similarity of velocity and displacement
#'
#' How well the moves from a cell to its neighbours agree with its velocity, and
#' how likely each move is by that. [VelocityKernel()] takes any of them as
#' `similarity`; by themselves they work on matrices.
#'
#' @details
#' The score of a move D under velocity v is `v . D` for `DotProduct()`,
#' `v . D / (|v| |D|)` for `Cosine()`, and the same after each of v and D has
#' lost its mean over features for `Correlation()`. Probabilities are
#' `softmax(softmax_scale * score)`. A move without length, or any move under a
#' velocity without length, has score and probability zero for cosine and
#' correlation.
#'
#' `hessian()` gives the second derivatives of each probability by each entry of
#' the velocity, on the diagonal, from which the stochastic model of
#' [VelocityKernel()] takes the effect of uncertain velocities. Closed form, in
#' O(neighbours x features).
#'
#' @section Extending:
#' Either a class that extends `SimilarityScheme` and has a method of
#' `computeSimilarity()`, and of `hessian()` if there is one, or a plain
#' `function(v, D, softmax_scale)`; its Hessian, of the same arguments, may
#' stand in its attribute `"hessian"`. Both return a list of probabilities and
#' scores, one of each per row of `D`; probabilities are not negative and sum to
#' one. A Hessian is neighbours x features (the diagonals), or neighbours x
#' features x features. The kernel calls such a scheme once per cell, in R, on
#' one thread: expect some 20,000 cells per second at best.
#' @param scheme `Cosine()`, `Correlation()`, `DotProduct()`, an object of a
#'   class of one's own, or a function.
#' @param v Velocity: a vector over features or a matrix of one row; for
#'   `computeSimilarity()` also a matrix of one velocity per row of `D`.
#' @param D Displacements, neighbours x features.
#' @param softmax_scale Steepness of the softmax, positive.
#' @param ... Not used; an unknown argument is an error.
#' @return `computeSimilarity()`: `list(probabilities, logits)`, one entry per
#'   neighbour; logits are the scores, not scaled. `hessian()`: a matrix,
#'   neighbours x features. The constructors: a scheme.
#' @section Errors: `shape` for sizes that do not fit, `range` for values that
#'   are not finite or a steepness that is not positive, `type` for a function
#'   without a Hessian.
#' @references Lange, M. et al. (2022) CellRank for directed single-cell fate
#'   mapping. Nature Methods 19, 159-170.
#' @seealso [VelocityKernel()]
#' @examples
#' v <- c(1, 0.5, -1)
#' D <- rbind(c(1, 1, -1), c(-1, 0, 1), c(0, 1, 0))
#' computeSimilarity(Correlation(), v, D, softmax_scale = 4)
#' hessian(Cosine(), v, D)
#'
#' # A scheme of one's own: only the direction of change of each gene counts.
#' signs <- function(v, D, softmax_scale) {
#'     s <- as.vector(sign(D) %*% sign(v[1, ])) / ncol(D)
#'     w <- exp(softmax_scale * s)
#'     list(probabilities = w / sum(w), logits = s)
#' }
#' computeSimilarity(signs, v, D, softmax_scale = 4)
#' @aliases SimilarityScheme-class Cosine-class Correlation-class
#'   DotProduct-class computeSimilarity,NativeSimilarity-method
#'   hessian,NativeSimilarity-method show,SimilarityScheme-method
#' @name SimilarityScheme
#' @exportClass SimilarityScheme
setClass("SimilarityScheme", representation("VIRTUAL"))

# Those that the core computes.
setClass("NativeSimilarity", contains = c("SimilarityScheme", "VIRTUAL"),
    slots = c(name = "character"))

#' @exportClass Cosine
setClass("Cosine", contains = "NativeSimilarity",
    prototype = list(name = "cosine"))

#' @exportClass Correlation
setClass("Correlation", contains = "NativeSimilarity",
    prototype = list(name = "correlation"))

#' @exportClass DotProduct
setClass("DotProduct", contains = "NativeSimilarity",
    prototype = list(name = "dot_product"))

#' @rdname SimilarityScheme
#' @export
Cosine <- function() methods::new("Cosine")

#' @rdname SimilarityScheme
#' @export
Correlation <- function() methods::new("Correlation")

#' @rdname SimilarityScheme
#' @export
DotProduct <- function() methods::new("DotProduct")

setMethod("show", "SimilarityScheme", function(object) {
    cat(class(object)[1L], "()\n", sep = "")
})

setMethod("computeSimilarity", "NativeSimilarity", function(
        scheme, v, D, softmax_scale = 1, ...) {
    .checkDots(...)
    .checkNumber(softmax_scale, 0, open_min = TRUE)
    d <- .displacements(D)
    v <- .velocities(v)
    .unwrap(rs_similarity(
        scheme@name, v, nrow(v), d, c(nrow(d), ncol(v)), softmax_scale
    ))
})

setMethod("hessian", "NativeSimilarity", function(
        scheme, v, D, softmax_scale = 1, ...) {
    .checkDots(...)
    .checkNumber(softmax_scale, 0, open_min = TRUE)
    d <- .displacements(D)
    v <- .velocities(v, one = TRUE)
    h <- .unwrap(rs_similarity_hessian(
        scheme@name, v, d, dim(d), softmax_scale
    ))
    matrix(h, nrow(d), ncol(d), dimnames = dimnames(d))
})

#' @rdname SimilarityScheme
#' @export
setMethod("computeSimilarity", "function", function(
        scheme, v, D, softmax_scale = 1, ...) {
    .checkDots(...)
    d <- .displacements(D)
    scheme(.velocities(v), d, softmax_scale)
})

#' @rdname SimilarityScheme
#' @export
setMethod("hessian", "function", function(scheme, v, D, softmax_scale = 1,
                                          ...) {
    .checkDots(...)
    own <- attr(scheme, "hessian", exact = TRUE)
    if (!is.function(own)) {
        .abort(
            "type", "The similarity function carries no Hessian.",
            "Give it one: attr(f, \"hessian\") <- function(v, D, softmax_scale)"
        )
    }
    d <- .displacements(D)
    own(.velocities(v, one = TRUE), d, softmax_scale)
})

.displacements <- function(D, call = rlang::caller_env()) {
    if (length(dim(D)) != 2L || !(is.numeric(D) || is.logical(D))) {
        .badType(D, "a numeric matrix (neighbours x features)", FALSE, "D",
            call)
    }
    storage.mode(D) <- "double"
    D
}

# Velocities as rows.
.velocities <- function(v, one = FALSE, call = rlang::caller_env()) {
    if (is.null(dim(v))) v <- matrix(v, 1L)
    if (length(dim(v)) != 2L || !is.numeric(v)) {
        .badType(v, "a numeric vector or matrix", FALSE, "v", call)
    }
    if (one && nrow(v) != 1L) {
        .abort(
            "shape", paste0(
                "A Hessian is that of one velocity, but `v` has ", nrow(v),
                " rows."
            ), expected = 1L, found = nrow(v), call = call
        )
    }
    storage.mode(v) <- "double"
    v
}

# What `similarity` of a kernel stands for: a name for what the core computes,
# else the scheme itself.
.checkSimilarity <- function(similarity, call = rlang::caller_env()) {
    if (is.function(similarity)) return(similarity)
    if (methods::is(similarity, "SimilarityScheme")) {
        native <- class(similarity) %in% c("Cosine", "Correlation",
            "DotProduct")
        return(if (native) similarity@name else similarity)
    }
    choices <- c("correlation", "cosine", "dot_product")
    if (!is.character(similarity)) {
        .badType(
            similarity, paste0(
                "one of ", .someNames(choices), ", a similarity scheme or a ",
                "function(v, D, softmax_scale)"
            ), FALSE, "similarity", call
        )
    }
    .checkChoice(similarity, choices, arg = "similarity", call = call)
}

# Whether a scheme has second derivatives of its own. A class that replaces the
# similarity of ours does not inherit the Hessian of what it replaced.
.hasHessian <- function(similarity) {
    if (is.character(similarity)) return(TRUE)
    if (is.function(similarity)) {
        return(is.function(attr(similarity, "hessian", exact = TRUE)))
    }
    of <- function(generic) {
        method <- methods::selectMethod(
            generic, class(similarity), optional = TRUE
        )
        if (is.null(method)) "" else as.character(method@defined[[1L]])
    }
    from <- of("hessian")
    nzchar(from) &&
        (from != "NativeSimilarity" || of("computeSimilarity") == from)
}
