#' @include AllGenerics.R estimator-steps.R
NULL

#' Eigenvalues and eigenvectors of the chain
#'
#' The leading eigenpairs of the transition matrix `T` on both sides:
#' `T v = l v` (right) and `T' u = l u` (left), each ordered by its own
#' eigenvalues.
#'
#' @details
#' The sorted partial Schur form of `T`, and that of its transpose, are found by
#' a thick-restart Krylov-Schur method (Stewart 2001), up to 500 cells by the
#' full decomposition; eigenvectors come from the triangular factor by back
#' substitution. Eigenvalues are chosen by `which` and listed by decreasing real
#' part; of a complex pair the one with positive imaginary part comes first, and
#' a pair is never cut, so one more than `k` may be returned. Vectors have
#' length one, with their largest entry real and positive.
#'
#' The eigengap is the (0-based) index of the largest
#' `(l_i - l_{i+1}) - alpha (1 - l_i)` over the real parts; one more is a number
#' of states. The condition number `1 / |u' v|` says by how much an error of the
#' chain moves an eigenvalue; it is NA for a repeated one.
#'
#' Time O(edges x products), memory O(cells x k). Nothing is random, and the
#' results are the same on any number of threads. Stored in the record
#' `eigendecomposition_fwd` of the object (`bwd` for backward chains).
#'
#' @inheritParams computeSchur
#' @param estimator An estimator, such as [GPCCA()].
#' @param k Number of eigenvalues, at most the number of cells.
#' @param which Which are chosen: `"LR"` largest real part, `"LM"` largest
#'   modulus.
#' @param only_evals Whether to leave out the vectors and the stationary
#'   distribution.
#' @param ncv Vectors of the Krylov subspace, at least `k + 3`; NULL for
#'   `4 k + 20`, at most `2 k + 60`. More take memory and may converge faster.
#' @return The estimator with [eigenvalues()] (unless a Schur form is there),
#'   `stationaryDistribution()` (unless macrostates are there; NULL with several
#'   closed classes) and a step `eigen`: `D`, `V_l`, `V_r` (cells x k, complex),
#'   `eigengap`, `params`, `stationary_dist`, `condition_numbers`,
#'   `closed_classes` (one entry per closed class: a distribution named by its
#'   cells, sum one).
#' @section Errors:
#' `not_converged`, `range`, `memory`. A stationary distribution that cannot be
#' certified is left out with the warning `not_converged`.
#' @references Stewart, G.W. (2001) A Krylov-Schur algorithm for large
#'   eigenproblems. SIAM Journal on Matrix Analysis and Applications 23,
#'   601-614.
#' @examples
#' m <- matrix(c(0.9, 0.2, 0, 0.1, 0.6, 0.1, 0, 0.2, 0.9), 3)
#' fit <- computeEigendecomposition(GPCCA(m), k = 3)
#' eigenvalues(fit)
#' stationaryDistribution(fit)
#' @rdname computeEigendecomposition
#' @export
setMethod("computeEigendecomposition", "TermStatesEstimator", function(
        estimator, k = 20, which = c("LR", "LM"), alpha = 1,
        only_evals = FALSE, ncv = NULL, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    .checkNumber(alpha)
    .checkFlag(only_evals)
    which <- .checkChoice(which, c("LR", "LM"))
    cells <- .cells(estimator)
    k <- .checkCount(k, 1, length(cells))
    ncv <- .checkCount(ncv, k + 3, null = TRUE)
    job <- .job(n_threads, show_progress_bar, "Eigendecomposition")
    chain <- .slots(estimator@kernel@matrix)
    out <- .native(
        job, rs_chain_eigen, chain, k, which, alpha, only_evals,
        if (is.null(ncv)) 0L else ncv, cell_names = cells
    )
    params <- list(
        k = k, which = which, alpha = alpha, only_evals = only_evals, ncv = ncv
    )
    result <- .eigenResult(out, cells, params)
    if (!only_evals) {
        found <- .native(job, rs_chain_classes, chain, cell_names = cells)
        result <- .addClasses(result, found, cells)
    }
    .setStep(estimator, "eigen", result, params, .eigenRun(job, out))
})

.eigenResult <- function(out, cells, params) {
    vectors <- function(side) {
        if (is.null(side)) return(NULL)
        matrix(
            complex(real = side$vectors_re, imaginary = side$vectors_im),
            length(cells), dimnames = list(cells, NULL)
        )
    }
    result <- list(
        D = complex(real = out$right$re, imaginary = out$right$im),
        eigengap = out$eigengap, params = params[c("which", "k", "alpha")]
    )
    if (params$only_evals) return(result)
    conditions <- out$conditions
    conditions[is.nan(conditions)] <- NA_real_
    c(result, list(
        V_l = vectors(out$left), V_r = vectors(out$right),
        condition_numbers = conditions
    ))
}

# With the stationary distribution of every closed class, and of the chain.
.addClasses <- function(result, found, cells) {
    if (!is.null(found$unsettled)) {
        .warn(
            "not_converged", paste0(
                "The stationary distribution is left out: ", found$unsettled
            ), "Eigenvalues and vectors are not concerned."
        )
        return(result)
    }
    result$closed_classes <- lapply(found$classes, function(class) {
        stats::setNames(class$probabilities, cells[class$cells])
    })
    if (length(found$classes) == 1L) {
        pi <- stats::setNames(numeric(length(cells)), cells)
        pi[found$classes[[1L]]$cells] <- found$classes[[1L]]$probabilities
        result$stationary_dist <- pi
    }
    result
}

.eigenRun <- function(job, out) {
    residuals <- c(out$right$residuals, out$left$residuals)
    .run(
        job, method = out$method, residual = max(residuals),
        residuals = out$right$residuals,
        left_residuals = out$left$residuals,
        iterations = sum(out$right$products, out$left$products)
    )
}

.eigenParts <- c(
    "D", "V_l", "V_r", "eigengap", "params", "stationary_dist",
    "condition_numbers", "closed_classes"
)

# The eigenpairs travel in the record; its own `params` are those of the verb.
.writeEigen <- function(object, x, key) {
    .writeRecord(object, key, .stepRecord(
        x, key, "computeEigendecomposition", result = x@results$eigen
    ))
}

.readEigen <- function(object, record, key) {
    if (is.null(record$result$D)) return(NULL)
    record$result[intersect(.eigenParts, names(record$result))]
}

.stepEigen <- .newStep(
    key = .keyEigen, call = "computeEigendecomposition()", needs = character(),
    write = .writeEigen, read = .readEigen,
    describe = function(result, run, params) {
        paste0(
            "eigenvalues: ", length(result$D), ", eigengap ",
            if (is.null(result$eigengap)) "none" else result$eigengap,
            " (relative residual ", .brief(run$residual), ")"
        )
    }
)
