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

test_that("an initial distribution weighs the basis, not the space", {
    sce <- tree()
    fit <- GPCCA(VelocityKernel(sce), n_threads = 2)
    eta <- seq(1, 3, length.out = ncol(sce))
    names(eta) <- colnames(sce)
    plain <- suppressWarnings(computeSchur(fit, 6))
    weighed <- suppressWarnings(computeSchur(fit, 6, eta))
    x <- schurVectors(weighed)
    eta <- eta / sum(eta)
    expect_equal(
        unname(crossprod(x * eta, x)), diag(ncol(x)), tolerance = 1e-8
    )
    expect_equal(unname(x[, 1]), rep(1, nrow(x)), tolerance = 1e-12)
    expect_equal(
        as.matrix(transitionMatrix(fit) %*% x), x %*%
            weighed@results$schur$matrix, tolerance = 1e-7,
        ignore_attr = TRUE
    )
    expect_equal(
        eigenvalues(weighed), eigenvalues(plain), tolerance = 1e-8
    )
    # The same space: the other basis is a combination of this one.
    y <- schurVectors(plain)
    expect_lt(max(abs(y - x %*% crossprod(x * eta, y))), 1e-6)
    even <- suppressWarnings(computeSchur(fit, 6, rep(2, ncol(sce))))
    expect_identical(schurVectors(even), y)
    expect_equal(
        parameters(weighed, .keySchur())$initial_distribution, unname(eta)
    )
})

test_that("weights that are no distribution are refused", {
    fit <- GPCCA(blocks())
    expectFailure(computeSchur(fit, 3, rep(1, 14)), "shape")
    expectFailure(computeSchur(fit, 3, letters), "type")
    expectFailure(
        computeSchur(fit, 3, c(0, rep(1, 14))), "range", list(cells = "c1")
    )
    wrong <- stats::setNames(rep(1, 15), paste0("d", 1:15))
    expect_error(computeSchur(fit, 3, wrong), class = "fatecast_error")
    expectFailure(computeSchur(fit, method = "power"), "range")
    expectFailure(computeSchur(fit, which = "SM"), "range")
})

test_that("numbers of states that cut a pair are told", {
    ring <- 0.5 * diag(9)
    ring[cbind(1:9, c(2:9, 1))] <- 0.5
    expect_message(
        fit <- computeSchur(GPCCA(ring), 5), "2, 4",
        class = "fatecast_message"
    )
    expect_identical(fit@results$schur$invalid_n_states, c(2L, 4L))
    expect_warning(
        four <- suppressMessages(computeSchur(GPCCA(ring), 4)),
        class = "fatecast_warning_replaced_argument"
    )
    expect_identical(ncol(schurVectors(four)), 5L)
})

test_that("nearly decomposable and periodic chains keep their eigenvalues", {
    leak <- 1e-9
    m <- blocks(0)[1:10, 1:10]
    m <- (1 - leak / 2) * m + leak / 2 * m[c(6:10, 1:5), ]
    fit <- computeSchur(GPCCA(m), n_components = 2)
    expect_equal(1 - Re(eigenvalues(fit))[2], leak, tolerance = 1e-5)
    ring <- matrix(0, 6, 6)
    ring[cbind(1:6, c(2:6, 1))] <- 1
    fit <- suppressMessages(computeSchur(GPCCA(ring), 6, which = "LM"))
    expect_equal(Mod(eigenvalues(fit)), rep(1, 6))
    expect_equal(
        sort(Arg(eigenvalues(fit)^6)), rep(0, 6), tolerance = 1e-10
    )
})

test_that("one Schur form serves every smaller number of vectors", {
    sce <- tree()
    fit <- GPCCA(VelocityKernel(sce), n_threads = 2)
    large <- suppressWarnings(computeSchur(fit, 12))
    small <- suppressWarnings(computeSchur(fit, 4))
    k <- ncol(schurVectors(small))
    expect_equal(
        schurVectors(large)[, seq_len(k)], schurVectors(small),
        tolerance = 1e-6
    )
})
