#' @include AllGenerics.R estimator-steps.R
NULL

#' Leading invariant subspace of the chain
#'
#' The sorted partial real Schur form `T Q = Q R` by a thick-restart
#' Krylov-Schur method (Stewart 2001), made orthonormal under an initial
#' distribution with a constant first column.
#'
#' @details
#' A complex pair of eigenvalues is never split: when the last one asked for
#' would be, one more is computed, with a warning. Chains with several closed
#' classes, and so several eigenvalues 1, are handled. The relative residual of
#' `T X - X R` is at most 1e-10 or the call is an error. Time O(edges x
#' products), memory O(cells x n_components); the same on any number of threads.
#' Nothing is random: the iteration starts at a fixed vector. Numbers of states
#' that would cut a complex pair are told in a message.
#'
#' With weights `D` (the initial distribution) the form is that of
#' `D^(1/2) T D^(-1/2)`, and the vectors X satisfy `X' D X = I`, `T X = X R`
#' (Reuter et al. 2018). Stored as the embedding `schur_vectors_fwd`, the matrix
#' R and the eigenvalues in its record.
#'
#' @param estimator A [GPCCA()] estimator.
#' @param n_components Number of Schur vectors, at least 2.
#' @param initial_distribution Positive weights of the cells, in their order or
#'   named by cell; NULL weighs all alike.
#' @param which Order of the eigenvalues: `"LR"` by real part, `"LM"` by
#'   modulus.
#' @param method `"krylov"`, or `"brandts"`: the full decomposition of the dense
#'   matrix, O(n^3), for small chains.
#' @param alpha Weight of the distance from one in the eigengap.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The estimator with Schur vectors ([schurVectors()]), eigenvalues
#'   ([eigenvalues()]) and the eigengap among its parameters.
#' @section Errors:
#' `not_converged`, `range` (`n_components` above the number of cells, weights
#' that are not positive), `shape` (weights that do not fit the cells),
#' `memory`.
#' @references Reuter, B. et al. (2018) Generalized Markov state modeling method
#'   for nonequilibrium biomolecular dynamics. Journal of Chemical Theory and
#'   Computation 14, 3579-3594. Stewart, G.W. (2001) A Krylov-Schur algorithm
#'   for large eigenproblems. SIAM Journal on Matrix Analysis and Applications
#'   23, 601-614.
#' @examples
#' m <- matrix(c(0.9, 0.2, 0, 0.1, 0.6, 0.1, 0, 0.2, 0.9), 3)
#' eigenvalues(computeSchur(GPCCA(m), n_components = 3))
#' @rdname computeSchur
#' @export
setMethod("computeSchur", "GPCCA", function(
        estimator, n_components = 20, initial_distribution = NULL,
        method = c("krylov", "brandts"), which = c("LR", "LM"), alpha = 1, ...,
        n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    .checkNumber(alpha)
    which <- .checkChoice(which, c("LR", "LM"))
    method <- .checkChoice(method, c("krylov", "brandts"))
    eta <- .initialWeights(initial_distribution, .cells(estimator))
    m <- .usableComponents(.checkCount(n_components), estimator)
    job <- .job(n_threads, show_progress_bar, "Schur decomposition")
    estimator <- .schurStep(estimator, m, which, method, alpha, job, eta)
    kept <- ncol(estimator@results$schur$vectors)
    if (kept > m) {
        .warn("replaced_argument", paste0(
            "The eigenvalue number ", m, " is half of a complex pair; ", kept,
            " Schur vectors are kept."
        ), argument = "n_components", value = kept)
    }
    .tellInvalid(estimator@results$schur$invalid_n_states)
    estimator
})

.tellInvalid <- function(invalid) {
    if (!length(invalid)) return(invisible())
    .inform(paste0(
        "Numbers of states that would split a complex pair of eigenvalues: ",
        paste(invalid, collapse = ", "), "."
    ))
}

# Weights in the order of the cells; NULL stays NULL.
.initialWeights <- function(eta, cells, arg = "initial_distribution",
                            call = rlang::caller_env()) {
    if (is.null(eta)) return(NULL)
    if (!is.numeric(eta)) .badType(eta, "numbers", TRUE, arg, call)
    if (length(eta) != length(cells)) {
        .abort("shape", paste0(
            "`", arg, "` has ", .count(length(eta), "value"), " for ",
            .count(length(cells), "cell"), "."
        ), argument = arg, expected = length(cells), found = length(eta),
        call = call)
    }
    if (!is.null(names(eta))) {
        .checkNames(names(eta), cells, paste0("`", arg, "` and the chain"),
            call = call
        )
    }
    bad <- which(!is.finite(eta) | eta <= .Machine$double.eps * sum(eta))
    if (length(bad)) {
        .abort("range", paste0(
            "`", arg, "` must be positive everywhere; ",
            .count(length(bad), "cell"), " have no weight, first ",
            .someNames(cells[bad]), "."
        ), "Give every cell a small weight.", argument = arg,
        cells = cells[bad], call = call)
    }
    as.double(eta) / sum(eta)
}

.schurStep <- function(estimator, m, which, method, alpha, job,
                       initial = NULL) {
    out <- .native(
        job, rs_chain_schur, .slots(estimator@kernel@matrix),
        as.double(initial), m, which, method, alpha,
        cell_names = .cells(estimator)
    )
    kept <- length(out$re)
    result <- list(
        vectors = matrix(
            out$vectors, ncol = kept, dimnames = list(.cells(estimator), NULL)
        ),
        matrix = matrix(out$matrix, kept),
        eigenvalues = complex(real = out$re, imaginary = out$im),
        eigengap = out$eigengap, invalid_n_states = out$invalid
    )
    .setStep(
        estimator, "schur", result, list(
            n_components = m, initial_distribution = initial, which = which,
            method = method, alpha = alpha
        ), .run(
            job, method = out$method, residual = max(out$residuals),
            residuals = out$residuals, iterations = out$products
        )
    )
}

.usableComponents <- function(m, estimator, call = rlang::caller_env()) {
    n <- length(.cells(estimator))
    if (m < 2) {
        .warn("replaced_argument", paste0(
            "`n_components` = ", m, " is too few; 2 is used."
        ), argument = "n_components", value = 2L)
        m <- 2L
    }
    if (m > n) {
        .abort("range", paste0(
            "`n_components` = ", m, " exceeds the ", n, " cells."
        ), argument = "n_components", value = m, call = call)
    }
    m
}

.writeSchur <- function(object, x, key) {
    schur <- x@results$schur
    object <- .writeEmbedding(object, key, schur$vectors)
    .writeRecord(object, key, .stepRecord(
        x, key, "computeSchur", matrix = schur$matrix,
        eigenvalues = schur$eigenvalues, eigengap = schur$eigengap,
        invalid_n_states = schur$invalid_n_states
    ))
}

.readSchur <- function(object, record, key) {
    vectors <- .readEmbedding(object, key)
    colnames(vectors) <- NULL
    list(
        vectors = vectors, matrix = record$matrix,
        eigenvalues = record$eigenvalues, eigengap = record$eigengap,
        invalid_n_states = record$invalid_n_states
    )
}

.stepSchur <- .newStep(
    key = .keySchur, call = "computeSchur()", needs = character(),
    write = .writeSchur, read = .readSchur,
    describe = function(result, run, params) {
        paste0(
            "Schur vectors: ", ncol(result$vectors), " (relative residual ",
            .brief(run$residual), ")"
        )
    }
)
