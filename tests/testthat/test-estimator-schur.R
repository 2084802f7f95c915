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
