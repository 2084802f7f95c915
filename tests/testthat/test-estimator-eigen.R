# Eigenvalues of a matrix by base R, by decreasing real part.
denseValues <- function(t) {
    values <- eigen(as.matrix(t), only.values = TRUE)$values
    values[order(-Re(values), -Im(values))]
}

test_that("both sides are eigenvectors, and agree with base R", {
    sce <- tree()
    fit <- computeEigendecomposition(
        GPCCA(VelocityKernel(sce), n_threads = 2), k = 8
    )
    result <- fit@results$eigen
    t <- as.matrix(transitionMatrix(fit))
    k <- length(result$D)
    expect_equal(
        sort(Re(result$D)), sort(Re(denseValues(t)[seq_len(k)])),
        tolerance = 1e-8
    )
    for (side in c("V_r", "V_l")) {
        v <- result[[side]]
        a <- if (side == "V_r") t else t(t)
        expect_identical(rownames(v), colnames(sce))
        gap <- a %*% v - v %*% diag(result$D)
        expect_lt(max(Mod(gap)), 1e-9)
        expect_equal(unname(colSums(Mod(v)^2)), rep(1, ncol(v)))
    }
    along <- Mod(colSums(result$V_l * result$V_r))
    known <- !is.na(result$condition_numbers)
    expect_true(any(known))
    expect_equal(
        result$condition_numbers[known], 1 / along[known], tolerance = 1e-6
    )
})

test_that("the eigengap is that of the formula, and of the Schur form", {
    fit <- GPCCA(blocks())
    fit <- computeEigendecomposition(fit, k = 4)
    l <- Re(eigenvalues(fit))
    score <- l[-4] - l[-1] - (1 - l[-4])
    expect_identical(fit@results$eigen$eigengap, which.max(score) - 1L)
    both <- computeSchur(fit, n_components = 4)
    expect_identical(both@results$schur$eigengap, fit@results$eigen$eigengap)
    expect_equal(eigenvalues(both), eigenvalues(fit), tolerance = 1e-10)
})

test_that("values alone keep D, eigengap and params", {
    fit <- computeEigendecomposition(GPCCA(blocks()), 5, only_evals = TRUE)
    expect_setequal(
        names(fit@results$eigen), c("D", "eigengap", "params")
    )
    expect_equal(
        eigenvalues(fit), denseValues(blocks())[1:5] + 0i, tolerance = 1e-10
    )
    expectFailure(stationaryDistribution(fit), "not_computed")
})

test_that("stationary distributions are those of the closed classes", {
    fit <- computeEigendecomposition(GPCCA(blocks()), k = 4)
    pi <- stationaryDistribution(fit)
    expect_equal(
        unname(drop(pi %*% as.matrix(transitionMatrix(fit)))), unname(pi),
        tolerance = 1e-12
    )
    expect_equal(sum(pi), 1)
    apart <- computeEigendecomposition(GPCCA(blocks(0)), k = 4)
    expect_null(stationaryDistribution(apart))
    classes <- apart@results$eigen$closed_classes
    expect_identical(lapply(classes, names), split(
        paste0("c", 1:15), rep(1:3, each = 5)
    ) |> unname())
    expect_equal(unname(unlist(classes)), rep(0.2, 15))
    expect_true(all(is.na(apart@results$eigen$condition_numbers[1:3])))
    sink <- rbind(c(0.5, 0.5, 0), c(0, 0.5, 0.5), c(0, 0, 1))
    sink <- computeEigendecomposition(GPCCA(sink), k = 3)
    expect_equal(unname(stationaryDistribution(sink)), c(0, 0, 1))
})

test_that("LM finds the other end of a periodic chain", {
    ring <- matrix(0, 4, 4)
    ring[cbind(1:4, c(2:4, 1))] <- 1
    fit <- computeEigendecomposition(GPCCA(ring), k = 4, which = "LM")
    expect_equal(
        eigenvalues(fit), complex(real = c(1, 0, 0, -1), imaginary =
            c(0, 1, -1, 0)), tolerance = 1e-12
    )
    expect_equal(unname(stationaryDistribution(fit)), rep(0.25, 4))
})

test_that("a complex pair is kept whole", {
    ring <- 0.5 * diag(3)
    ring[cbind(1:3, c(2, 3, 1))] <- 0.5
    fit <- computeEigendecomposition(GPCCA(ring), k = 2)
    expect_length(eigenvalues(fit), 3L)
    expect_equal(Im(eigenvalues(fit)), c(0, 1, -1) * sqrt(3) / 4)
})

test_that("results travel with SCE and Seurat objects", {
    sce <- tree()
    kernel <- computeTransitionMatrix(VelocityKernel(sce), n_threads = 2)
    fit <- computeEigendecomposition(GPCCA(kernel), k = 5)
    object <- container(fit)
    expect_identical(eigenvalues(object), eigenvalues(fit))
    expect_identical(
        stationaryDistribution(object), stationaryDistribution(fit)
    )
    row <- certificates(object)
    row <- row[row$key == .keyEigen(), ]
    expect_lte(row$residual, 1e-10)
    expect_gt(row$iterations, 0)
    object <- seuratFrom(sce)
    both <- computeEigendecomposition(GPCCA(VelocityKernel(object)), k = 5)
    expect_equal(eigenvalues(both), eigenvalues(fit))
    expect_identical(eigenvalues(container(both)), eigenvalues(both))
})

test_that("arguments are checked before any work", {
    fit <- GPCCA(blocks())
    expectFailure(computeEigendecomposition(fit, k = 16), "range")
    expectFailure(computeEigendecomposition(fit, k = 0), "range")
    expectFailure(computeEigendecomposition(fit, which = "SR"), "range")
    expectFailure(computeEigendecomposition(fit, 4, ncv = 5), "range")
    expectFailure(
        computeEigendecomposition(fit, 4, number = 4), "unknown_argument"
    )
    expectFailure(eigenvalues(fit), "not_computed")
})

test_that("eigenpairs are the same bits on any number of threads", {
    kernel <- computeTransitionMatrix(VelocityKernel(tree()), n_threads = 2)
    expectSameBits(function(threads) {
        computeEigendecomposition(
            GPCCA(kernel), k = 6, n_threads = threads
        )@results$eigen
    })
})
