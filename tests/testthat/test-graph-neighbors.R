test_that("neighbours are the nearest ones, ties to the first cell", {
    withr::with_seed(1, x <- matrix(rnorm(90 * 4), 90))
    x[7, ] <- x[3, ]
    rownames(x) <- paste0("c", seq_len(90))
    out <- buildNeighbors(x, n_neighbors = 8)
    away <- as.matrix(dist(x))
    diag(away) <- Inf
    stored <- Matrix::summary(out$distances)
    for (i in seq_len(90)) {
        near <- order(away[i, ])[seq_len(7)]
        row <- out$distances[i, ]
        expect_setequal(stored$j[stored$i == i], near)
        expect_equal(
            unname(row[near]), unname(away[i, near]), tolerance = 1e-6
        )
    }
    expect_identical(sum(stored$x == 0), 2L)
})

test_that("the fixture of four points is met", {
    x <- rbind(c(1, 0), c(3, 0), c(5, 6), c(0, 4))
    m <- as.matrix(buildNeighbors(x, n_neighbors = 3)$connectivities)
    want <- matrix(0, 4, 4)
    want[cbind(c(1, 1, 2, 2, 3), c(2, 4, 3, 4, 4))] <-
        c(1, 1, 0.58496911, 0.82774199, 1)
    # The fixture is in single precision.
    expect_equal(unname(m), want + t(want), tolerance = 1e-5)
})

test_that("the graph is symmetric, in (0, 1], with a one in every row", {
    sce <- tree()
    g <- cellGraph(sce)
    expect_identical(g, Matrix::t(g))
    expect_true(all(g@x > 0 & g@x <= 1))
    expect_true(all(Matrix::diag(g) == 0))
    expect_equal(unname(apply(g, 1, max)), rep(1, ncol(sce)))
    d <- Matrix::summary(cellGraph(sce, "distances"))
    expect_true(all(table(d$i) == 29))
})

test_that("scaling changes nothing, permuting permutes, threads do nothing", {
    withr::with_seed(2, x <- matrix(rnorm(300), 60))
    rownames(x) <- paste0("c", seq_len(60))
    g <- buildNeighbors(x)$connectivities
    expect_equal(buildNeighbors(x * 8)$connectivities, g, tolerance = 1e-5)
    p <- rev(seq_len(60))
    expect_equal(buildNeighbors(x[p, ])$connectivities, g[p, p])
    expectSameBits(function(threads) buildNeighbors(x, n_threads = threads))
    for (metric in c("cosine", "correlation", "manhattan")) {
        expectSameBits(function(threads) {
            buildNeighbors(x, metric = metric, n_threads = threads)
        })
    }
})

test_that("two keys never touch each other", {
    sce <- simulateDifferentiation(100, 60)
    sce <- buildNeighbors(sce, 10)
    first <- cellGraph(sce)
    sce <- buildNeighbors(sce, 20, key_added = "wide")
    expect_identical(cellGraph(sce), first)
    expect_identical(parameters(sce, "neighbors")$n_neighbors, 10L)
    expect_identical(parameters(sce, "wide")$n_neighbors, 20L)
    expect_true("wide_connectivities" %in%
        SingleCellExperiment::colPairNames(sce))
    expect_setequal(fateHistory(sce)$key[
        fateHistory(sce)$verb == "buildNeighbors"
    ], c("neighbors", "wide"))
})

test_that("bad input is refused before any work", {
    sce <- simulateDifferentiation(60, 60)
    bare <- sce
    SingleCellExperiment::reducedDims(bare) <- list()
    e <- expectFailure(buildNeighbors(bare), "missing_key")
    expect_match(conditionMessage(e), "computePCA")
    SingleCellExperiment::reducedDim(bare, "PCA") <- replace(
        SingleCellExperiment::reducedDim(sce, "PCA"), 5, NaN
    )
    e <- expectFailure(buildNeighbors(bare), "range")
    expect_identical(e$cells, colnames(sce)[5])
    expectFailure(buildNeighbors(sce, use_rep = "nope"), "missing_key")
    expectFailure(buildNeighbors(sce, n_pcs = 999), "range")
    expectFailure(buildNeighbors(sce, 1), "range")
    expectFailure(buildNeighbors(sce, metric = "euclidian"), "range")
    expectFailure(buildNeighbors(list()), "container_class")
    e <- expectFailure(buildNeighbors(sce, n_neighbours = 5), "unknown_argument")
    expect_match(conditionMessage(e), "n_neighbors")
    expect_warning(
        out <- buildNeighbors(sce, 100),
        class = "fatecast_warning_replaced_argument"
    )
    expect_identical(parameters(out, "neighbors")$n_neighbors, 31L)
    expectFailure(buildNeighbors(sce[, 1]), "shape")
})

test_that("a subset object is told to build its graph again", {
    sce <- tree()
    e <- expectFailure(cellGraph(sce[, 1:50]), "container_stale")
    expect_match(conditionMessage(e), "buildNeighbors")
    moved <- sce[, rev(colnames(sce))]
    expect_equal(
        cellGraph(moved), cellGraph(sce)[colnames(moved), colnames(moved)]
    )
})
