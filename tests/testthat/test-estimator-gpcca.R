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
