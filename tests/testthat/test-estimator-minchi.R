# A chain of three blocks has three large eigenvalues.
blockFit <- function(...) computeSchur(GPCCA(blocks(size = 20)), ...)

states <- function(...) nlevels(macrostates(suppressWarnings(
    computeMacrostates(..., n_cells = 5)
)))

test_that("NULL takes one more than the eigengap", {
    expect_identical(states(blockFit(n_components = 5)), 3L)
    # Schur vectors are computed where there are none.
    expect_identical(states(GPCCA(blocks(size = 20))), 3L)
})

test_that("ranges are sorted and raised to three or more", {
    fit <- suppressWarnings(computeSchur(
        GPCCA(VelocityKernel(tree()), n_threads = 2), 12, n_threads = 2
    ))
    table <- macrostateProfile(fit, 3:6, n_cells = NULL, n_threads = 2)
    ends <- list(c(1, 1), c(4, 2), c(2, 2), c(2, 5), c(3, 6))
    for (range in ends) {
        raised <- FALSE
        found <- withCallingHandlers(
            computeMacrostates(fit, range, n_cells = NULL, n_threads = 2),
            fatecast_warning_replaced_argument = function(w) {
                raised <<- TRUE
                invokeRestart("muffleWarning")
            }
        )
        low <- max(min(range), 3)
        tried <- table[table$n_states %in% low:max(range, low + 1) &
            !table$n_states %in% fit@results$schur$invalid_n_states, ]
        best <- tried$min_chi >= max(tried$min_chi) - 1e-3
        expect_identical(
            nlevels(macrostates(found)), max(tried$n_states[best])
        )
        expect_identical(raised, min(range) < 3)
        expect_identical(parameters(found, "macrostates_fwd")$requested, range)
    }
    expectFailure(computeMacrostates(fit, n_states = c(3, 0)), "range")
})

test_that("more vectors are kept for fewer states, more states get more", {
    fit <- suppressWarnings(computeSchur(
        GPCCA(VelocityKernel(tree()), n_threads = 2), 11, n_threads = 2
    ))
    kept <- suppressWarnings(
        computeMacrostates(fit, n_states = 2, n_threads = 2)
    )
    expect_identical(schurVectors(kept), schurVectors(fit))
    m <- ncol(schurVectors(fit)) + 1L
    expect_warning(
        tryCatch(
            computeMacrostates(fit, n_states = m, n_cells = NULL),
            fatecast_error_no_state = function(e) NULL
        ), class = "fatecast_warning_replaced_argument"
    )
    split <- fit@results$schur$invalid_n_states
    for (m in split) {
        expect_warning(
            found <- tryCatch(
                computeMacrostates(fit, n_states = m, n_cells = NULL),
                fatecast_error_no_state = function(e) NULL
            ), "complex pair"
        )
        if (!is.null(found)) {
            expect_identical(nlevels(macrostates(found)), m + 1L)
        }
    }
})

test_that("one state is the stationary distribution", {
    t <- blocks(size = 20)
    t[1:20, ] <- 0.9 * t[1:20, ] + 0.1 * rep(c(0, 0, 1 / 20), each = 20)
    fit <- computeSchur(GPCCA(t), n_components = 4)
    one <- computeMacrostates(fit, n_states = 1, n_cells = 10)
    pi <- stationaryDistribution(one)
    expect_equal(as.vector(pi %*% t), unname(pi), tolerance = 1e-9)
    expect_identical(as.matrix(memberships(one))[, 1], pi)
    chosen <- which(macrostates(one) == "0")
    expect_length(chosen, 10L)
    expect_gte(min(pi[chosen]), max(pi[-chosen]) - 1e-12)
    expect_null(coarseTransition(one))
    expectFailure(schurVectors(one), "not_computed")
    expect_lte(certificates(one)$residual, 1e-9)
    expect_output(show(one), "the stationary distribution")
    # It needs no Schur vectors, and every cell belongs to it.
    all <- computeMacrostates(GPCCA(t), n_states = 1, n_cells = NULL)
    expect_false(anyNA(macrostates(all)))
    expect_equal(stationaryDistribution(all), pi, tolerance = 1e-9)
    sce <- tree()
    named <- computeMacrostates(
        GPCCA(VelocityKernel(sce), n_threads = 2), 1, cluster_key = "cell_type"
    )
    expect_true(levels(macrostates(named)) %in% levels(sce$cell_type))
    object <- container(named)
    expect_identical(macrostates(object), macrostates(named))
    expect_identical(
        stationaryDistribution(object), stationaryDistribution(named)
    )
})

test_that("cells per state are checked before anything is computed", {
    fit <- blockFit(n_components = 5)
    expectFailure(computeMacrostates(fit, 3, n_cells = 0), "range")
    failure <- expectFailure(
        computeMacrostates(fit, 3, n_cells = 21), "range", list(max = 20L)
    )
    expect_match(conditionMessage(failure), "at most 20")
    expectFailure(computeMacrostates(fit, 1, n_cells = 61), "range")
})

test_that("closed classes need a macrostate each", {
    for (k in 2:5) {
        t <- kronecker(diag(k), matrix(1 / 12, 12, 12))
        rownames(t) <- colnames(t) <- paste0("c", seq_len(12 * k))
        fit <- computeSchur(GPCCA(t), n_components = min(k + 1, 6))
        if (k > 1) {
            failure <- expectFailure(
                computeMacrostates(fit, k - 1, n_cells = 5), "no_state"
            )
            expect_match(conditionMessage(failure), paste("chain,", k))
        }
        found <- computeMacrostates(fit, k, n_cells = NULL)
        expect_identical(
            unname(colSums(table(rep(seq_len(k), each = 12),
                macrostates(found)) > 0)), rep(1, k)
        )
        expect_equal(
            unname(coarseTransition(found)), diag(k), tolerance = 1e-8
        )
        expect_null(stationaryDistribution(found))
    }
})
