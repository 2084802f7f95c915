threeKernels <- function() {
    withr::with_seed(8, m <- replicate(3, {
        a <- matrix(runif(36) * (runif(36) < 0.7), 6) + diag(6)
        dimnames(a) <- list(letters[1:6], letters[1:6])
        list(PrecomputedKernel(a))
    }))
    m
}

value <- function(k) as.matrix(transitionMatrix(k))
scaled <- function(m) m / rowSums(m)

test_that("weighted sums and products follow the closed formulas", {
    k <- threeKernels()
    V <- value(k[[1]])
    C <- value(k[[2]])
    v <- k[[1]]
    c <- k[[2]]
    expect_equal(value(0.8 * v + 0.2 * c), 0.8 * V + 0.2 * C)
    expect_equal(value(2 * v + 3 * c), 0.4 * V + 0.6 * C)
    expect_equal(value(v + c), (V + C) / 2)
    expect_equal(value(10 * v), V)
    expect_equal(value(v / 4 + c), (V / 4 + C) / 1.25)
    expect_equal(value(v * c), scaled(V * C))
    expect_equal(value(0.5 * (v * c) + 0.5 * c), (scaled(V * C) + C) / 2)
    expect_equal(value(v * c + c), (scaled(V * C) + C) / 2)
    expect_equal(value(v + (c + c)), (V + 2 * C) / 3)
    expect_equal(value(1 * v + 1 * (c + c)), (V + C) / 2)
    expect_equal(value(1 * v + 1 * (v + c)), 0.5 * V + 0.25 * V + 0.25 * C)
    expect_equal(value((v + c) + (v + c)), (V + C) / 2)
    expect_equal(value(Reduce("+", k)), Reduce("+", lapply(k, value)) / 3)
})

test_that("CellRank's bare products in sums can be had", {
    k <- threeKernels()
    V <- value(k[[1]])
    C <- value(k[[2]])
    v <- k[[1]]
    c <- k[[2]]
    compat <- function(k) value(computeTransitionMatrix(k, compat = TRUE))
    expect_equal(compat(v * c + c), scaled(V * C + C))
    expect_equal(
        compat(2 * v + 3 * c + v * c), scaled(0.4 * V + 0.6 * C + V * C)
    )
    expect_equal(
        compat(2 * (v * c + c) + 2 * v), scaled(V * C + C) / 2 + V / 2
    )
    # The same where a weight is given, or none at all.
    for (same in list(0.5 * (v * c) + 0.5 * c, v * c + v * c, v * c, v + c)) {
        expect_equal(compat(same), value(same))
    }
    expect_true(parameters(
        computeTransitionMatrix(v + c, compat = TRUE)
    )$compat)
})

test_that("expressions are values: adding changes no operand", {
    k <- threeKernels()
    both <- computeTransitionMatrix(0.8 * k[[1]] + 0.2 * k[[2]])
    before <- both
    sum <- both + k[[1]]
    expect_identical(both, before)
    expect_equal(
        value(sum), (1.8 * value(k[[1]]) + 0.2 * value(k[[2]])) / 2
    )
})

test_that("what has no meaning is refused", {
    k <- threeKernels()
    for (bad in c(0, -1, NA, Inf)) {
        expect_error(bad * k[[1]], class = "fatecast_error_input")
    }
    expectFailure(c(1, 2) * k[[1]], "type")
    expectFailure(k[[1]] - k[[2]], "type")
    expectFailure(k[[1]]^2, "type")
    expectFailure(k[[1]] + 1, "type")
    expectFailure(k[[1]] / k[[2]], "type")
    expectFailure("a" * k[[1]], "type")
    expectFailure(-k[[1]], "type")
    expectFailure(k[[1]] + PrecomputedKernel(diag(3)), "shape")
    m <- diag(6)
    dimnames(m) <- list(letters[6:1], letters[6:1])
    e <- expectFailure(k[[1]] + PrecomputedKernel(m), "container_cells")
    expect_match(conditionMessage(e), "order")
})

test_that("the container is the left one's, and the right operand keeps its data", {
    sce <- tree()
    other <- sce
    other$pseudotime <- rev(other$pseudotime)
    k <- ConnectivityKernel(sce) + PseudotimeKernel(other, "pseudotime")
    expect_identical(container(k), sce)
    alone <- transitionMatrix(PseudotimeKernel(other, "pseudotime"))
    expect_equal(
        transitionMatrix(k),
        (transitionMatrix(ConnectivityKernel(sce)) + alone) / 2
    )
})

test_that("parameters tell how every leaf was made", {
    sce <- tree()
    k <- computeTransitionMatrix(
        0.8 * computeTransitionMatrix(VelocityKernel(sce), softmax_scale = 4) +
            0.2 * ConnectivityKernel(sce)
    )
    p <- parameters(k)
    expect_identical(p$`VelocityKernel:1`$softmax_scale, 4)
    expect_true(p$`ConnectivityKernel:2`$density_normalize)
    expect_output(print(k), "0.8 * VelocityKernel + 0.2 * ConnectivityKernel",
        fixed = TRUE
    )
})
