# Three blocks of five cells, linked by small probabilities.
blocks <- function(leak = 0.01, size = 5) {
    n <- 3 * size
    m <- kronecker(diag(3), matrix(1 / size, size, size))
    other <- kronecker(1 - diag(3), matrix(1 / (2 * size), size, size))
    m <- (1 - leak) * m + leak * other
    dimnames(m) <- list(paste0("c", seq_len(n)), paste0("c", seq_len(n)))
    m
}

test_that("blocks are found exactly", {
    fit <- computeSchur(GPCCA(blocks()), n_components = 4)
    fit <- computeMacrostates(fit, n_states = 3, n_cells = 5)
    expect_equal(eigenvalues(fit)[1:3], complex(real = c(1, 0.985, 0.985)))
    block <- rep(1:3, each = 5)
    table <- table(block, macrostates(fit))
    expect_true(all(table %in% c(0, 5)))
    expect_equal(
        unname(diag(coarseTransition(fit))), rep(0.99, 3), tolerance = 1e-8
    )
    expect_equal(unname(rowSums(coarseTransition(fit))), rep(1, 3))
    expect_equal(sum(stationaryDistribution(fit)), 1)
    expect_equal(
        unname(stationaryDistribution(fit)), rep(1 / 15, 15), tolerance = 1e-8
    )
})

test_that("chains with several closed classes work", {
    fit <- computeSchur(GPCCA(blocks(0)), n_components = 4)
    expect_equal(Re(eigenvalues(fit))[1:3], rep(1, 3), tolerance = 1e-10)
    fit <- computeMacrostates(fit, n_states = 3, n_cells = 5)
    expect_equal(unname(diag(coarseTransition(fit))), rep(1, 3))
    expect_null(stationaryDistribution(fit))
})

test_that("Schur vectors span what they say, and are certified", {
    sce <- tree()
    fit <- computeSchur(
        GPCCA(VelocityKernel(sce), n_threads = 2), n_components = 10
    )
    x <- schurVectors(fit)
    t <- transitionMatrix(fit)
    r <- fit@results$schur$matrix
    expect_equal(unname(x[, 1]), rep(1, ncol(sce)), tolerance = 1e-8)
    expect_equal(
        unname(crossprod(x) / nrow(x)), diag(ncol(x)), tolerance = 1e-6
    )
    gap <- as.matrix(t %*% x) - x %*% solve(crossprod(x), crossprod(
        x, as.matrix(t %*% x)
    ))
    expect_lt(max(abs(gap)), 1e-7)
    dense <- eigen(as.matrix(t), only.values = TRUE)$values
    dense <- dense[order(-Re(dense))]
    expect_equal(
        sort(Re(eigenvalues(fit))), sort(Re(dense[seq_len(ncol(x))])),
        tolerance = 1e-8
    )
    expect_lte(certificates(fit)$residual, 1e-10)
})

test_that("memberships are memberships, and the coarse chain keeps eigenvalues", {
    fit <- fitted()
    chi <- as.matrix(memberships(fit))
    expect_gte(min(chi), 0)
    expect_equal(unname(rowSums(chi)), rep(1, nrow(chi)))
    m <- ncol(chi)
    coarse <- eigen(coarseTransition(fit), only.values = TRUE)$values
    expect_equal(
        sort(Re(coarse)), sort(Re(eigenvalues(fit)[seq_len(m)])),
        tolerance = 1e-6
    )
    run <- fit@run[[.keyMacrostates()]]
    expect_gte(run$crispness, run$start_crispness - 1e-12)
})

test_that("the fast optimiser never ends less crisp than the compatible one", {
    sce <- tree()
    fit <- suppressWarnings(
        computeSchur(GPCCA(VelocityKernel(sce), n_threads = 2))
    )
    for (m in 3:7) {
        if (m %in% fit@results$schur$invalid_n_states) next
        crisp <- function(optimizer) {
            suppressWarnings(computeMacrostates(
                fit, n_states = m, n_cells = NULL, optimizer = optimizer
            ))@results$macrostates$crispness
        }
        expect_gte(crisp("auto"), crisp("nelder-mead") - 1e-9)
    }
})

test_that("states are named and coloured by a clustering", {
    fit <- fitted()
    sce <- tree()
    names <- sub("_[0-9]+$", "", levels(macrostates(fit)))
    expect_true(all(names %in% levels(sce$cell_type)))
    expect_identical(names(macrostates(fit)), colnames(sce))
    expectFailure(computeMacrostates(
        fit, n_states = 3, cluster_key = "nope"
    ), "missing_key")
    plain <- suppressWarnings(computeMacrostates(fit, n_states = 3))
    expect_identical(levels(macrostates(plain)), c("0", "1", "2"))
})

test_that("arguments are checked", {
    fit <- fitted()
    expectFailure(computeMacrostates(fit, n_states = c(3, 4, 5)), "shape")
    expectFailure(computeMacrostates(fit, n_states = 0), "range")
    expectFailure(
        computeMacrostates(fit, n_states = 3, n_cells = 599), "range"
    )
    expectFailure(computeSchur(fit, n_components = 1e4), "range")
    expectFailure(computeMacrostates(fit, nstates = 3), "unknown_argument")
    expect_warning(
        computeSchur(GPCCA(blocks()), n_components = 1),
        class = "fatecast_warning_replaced_argument"
    )
})

test_that("later results go when an earlier step is repeated", {
    fit <- fitted()
    again <- suppressWarnings(computeMacrostates(fit, n_states = 3))
    expectFailure(fateProbabilities(again), "not_computed")
    expectFailure(terminalStates(again), "not_computed")
    expect_s4_class(fateProbabilities(fit), "Lineage")
})

test_that("the same bits on any number of threads", {
    sce <- tree()
    one <- castFates(sce, cluster_key = "cell_type", n_threads = 1)
    for (threads in c(2, 4)) {
        other <- castFates(sce, cluster_key = "cell_type", n_threads = threads)
        expect_identical(other@results, one@results)
    }
})
