# How many macrostates: a number, the eigengap, or the best minChi in a range.

#' @include estimator-steps.R
NULL

.checkStates <- function(n_states, call = rlang::caller_env()) {
    if (is.null(n_states) || length(n_states) == 1L) {
        return(.checkCount(
            n_states, null = TRUE, arg = "n_states", call = call
        ))
    }
    if (length(n_states) != 2L) {
        .abort("shape", paste0(
            "`n_states` must be a number or a range of two, not ",
            length(n_states), " values."
        ), argument = "n_states", call = call)
    }
    for (v in n_states) .checkCount(v, arg = "n_states", call = call)
    invisible(n_states)
}

# A Schur decomposition large enough for the number of states asked for.
.schurFor <- function(estimator, n_states, job) {
    have <- ncol(estimator@results$schur$vectors)
    n <- length(.cells(estimator))
    want <- min(n, max(if (is.null(n_states)) 20 else n_states, 2))
    if (is.null(have)) {
        return(.schurStep(
            estimator, min(n, max(want, 20)), "LR", "krylov", 1, job
        ))
    }
    if (have >= want || is.null(n_states)) return(estimator)
    .warn("replaced_argument", paste0(
        "The decomposition has ", have, " vectors; it is computed again with ",
        want, "."
    ), argument = "n_components", value = want)
    old <- estimator@params[[.stepKey(estimator, "schur")]]
    .schurStep(estimator, want, old$which, old$method, old$alpha, job)
}

# The number of states to compute: as given, by the eigengap or by minChi, and
# never one that splits a complex pair.
.resolveStates <- function(estimator, n_states, job,
                           call = rlang::caller_env()) {
    schur <- estimator@results$schur
    m <- if (is.null(n_states)) {
        schur$eigengap + 1L
    } else if (length(n_states) == 2L) {
        .statesByMinChi(schur, n_states, job)
    } else {
        n_states
    }
    if (m > 1L && m %in% schur$invalid_n_states) {
        .warn("replaced_argument", paste0(
            m, " states would split a complex pair of eigenvalues; ", m + 1L,
            " are used."
        ), argument = "n_states", value = m + 1L)
        m <- m + 1L
    }
    if (m > ncol(schur$vectors)) {
        .abort("range", paste0(
            "`n_states` = ", m, " exceeds the ", ncol(schur$vectors),
            " Schur vectors of this chain."
        ), argument = "n_states", value = m, call = call)
    }
    as.integer(m)
}

.statesByMinChi <- function(schur, range, job) {
    range <- sort(as.integer(range))
    if (range[1L] < 3L) {
        .warn("replaced_argument", paste0(
            "The lower bound ", range[1L], " of `n_states` is raised to 3: ",
            "one or two states nearly always win."
        ), argument = "n_states", value = 3L)
        range[1L] <- 3L
    }
    range[2L] <- min(max(range[2L], range[1L] + 1L), ncol(schur$vectors))
    tried <- setdiff(seq(range[1L], range[2L]), schur$invalid_n_states)
    chi <- .minChi(schur, tried, job)
    max(tried[chi >= max(chi) - .minChiTie])
}

# Differences of minChi below this are no preference; for well separated states
# they are rounding.
.minChiTie <- 1e-3

.minChi <- function(schur, tried, job) {
    .native(
        job, rs_chain_min_chi, schur$vectors, nrow(schur$vectors),
        ncol(schur$vectors), as.integer(tried)
    )
}
