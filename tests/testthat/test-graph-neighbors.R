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

test_that("the other weights of the fixture are met", {
    x <- rbind(c(1, 0), c(3, 0), c(5, 6), c(0, 4))
    weights <- function(...) {
        m <- as.matrix(buildNeighbors(x, n_neighbors = 3, ...)$connectivities)
        expect_identical(m, t(m))
        m[cbind(c(1, 1, 1, 2, 2, 3), c(2, 3, 4, 3, 4, 4))]
    }
    expect_equal(
        weights(method = "gauss"),
        c(0.84663689, 0, 0.56601858, 0.42236476, 0.49029389, 0.5840492),
        tolerance = 1e-6
    )
    expect_equal(
        weights(method = "gauss", knn = FALSE),
        c(0.67692739, 0.02488347, 0.19626558, 0.0841445, 0.13533528,
            0.16558069),
        tolerance = 1e-6
    )
    expect_equal(weights(method = "jaccard"), c(2, 0, 2, 1, 2, 1) / 6)
    # Neighbourhoods 124, 124, 234, 124: cells 1, 2 and 4 share all of them.
    expect_equal(weights(method = "snn"), c(1, 0.5, 1, 0.5, 1, 0.5))
    all <- buildNeighbors(
        x, n_neighbors = 3, method = "gauss", knn = FALSE
    )
    expect_equal(unname(Matrix::diag(all$connectivities)), rep(1, 4))
    expect_identical(length(all$distances@x), 8L)
})

test_that("the squares and the pair of P10 have their gauss weights", {
    x <- cbind(
        c(0, 1, 0, 1, 3, 4, 3, 4, 7, 8), c(0, 0, 1, 1, 0, 0, 1, 1, 0.5, 0.5)
    )
    m <- buildNeighbors(x, n_neighbors = 4, method = "gauss")$connectivities
    expect_equal(
        unname(m[1, ]), c(0, 0.606531, 0.606531, 0.367879, rep(0, 6)),
        tolerance = 1e-5
    )
    m <- as.matrix(buildNeighbors(x, n_neighbors = 4)$connectivities)
    expect_equal(unname(m[9, 10]), 1)
    expect_equal(unname(m[6, 9:10]), c(0.5, 0.5), tolerance = 1e-4)
    expect_true(all(m[1:4, 5:10] == 0))
})

test_that("every metric measures what it says", {
    withr::with_seed(3, x <- matrix(rnorm(40 * 5), 40))
    x[abs(x) < 0.3] <- 0
    nearest <- function(away) {
        diag(away) <- Inf
        t(apply(away, 1, sort))[, 1:5]
    }
    found <- function(...) {
        d <- buildNeighbors(x, n_neighbors = 6, ...)$distances
        t(apply(as.matrix(d), 1, function(r) sort(r[r > 0])))
    }
    for (metric in c("euclidean", "manhattan", "canberra")) {
        want <- as.matrix(dist(x, metric))
        # base R scales Canberra up for features that are zero in both.
        if (metric == "canberra") {
            want <- as.matrix(dist(x + 0, "canberra"))
            both <- tcrossprod(x == 0)
            want <- want * (5 - both) / 5
        }
        expect_equal(
            found(metric = metric), nearest(want), tolerance = 1e-6,
            ignore_attr = TRUE, label = metric
        )
    }
    expect_equal(
        found(metric = "chebyshev"), nearest(as.matrix(dist(x, "maximum"))),
        tolerance = 1e-6, ignore_attr = TRUE
    )
    expect_equal(
        found(metric = "minkowski", metric_kwds = list(p = 3)),
        nearest(as.matrix(dist(x, "minkowski", p = 3))),
        tolerance = 1e-6, ignore_attr = TRUE
    )
    expect_equal(
        found(metric = "correlation"), nearest(1 - cor(t(x))),
        tolerance = 1e-6, ignore_attr = TRUE
    )
    expect_equal(
        buildNeighbors(x, metric = "minkowski"), buildNeighbors(x),
        tolerance = 1e-6
    )
})

test_that("the approximate search finds nearly all, and says so", {
    withr::with_seed(5, {
        at <- matrix(rnorm(20 * 10, sd = 3), 20)
        x <- at[sample(20, 5000, TRUE), ] + rnorm(5000 * 10)
    })
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(logcounts = matrix(0, 1, 5000, dimnames = list(
            "g", paste0("c", seq_len(5000))
        ))), reducedDims = list(PCA = x)
    )
    expect_message(
        near <- buildNeighbors(
            sce, 15, use_rep = "PCA", transformer = "approximate",
            report_recall = TRUE, n_threads = 2
        ), class = "fatecast_message"
    )
    record <- S4Vectors::metadata(near)$neighbors
    expect_false(record$run$exact)
    expect_gt(record$run$recall, 0.99)
    expect_lt(record$run$distances_computed, 5000 * 4999 / 2)
    exact <- buildNeighbors(sce, 15, use_rep = "PCA", transformer = "exact")
    expect_true(S4Vectors::metadata(exact)$neighbors$run$exact)
    a <- cellGraph(near, "distances")
    b <- cellGraph(exact, "distances")
    expect_gt(sum((a != 0) * (b != 0)) / length(b@x), 0.99)
    expect_true(all(diff(Matrix::t(a)@p) == 14L))
    expectSameBits(function(threads) {
        cellGraph(buildNeighbors(
            sce, 15, use_rep = "PCA", transformer = "approximate",
            n_threads = threads
        ))
    })
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

test_that("arguments that exclude each other are refused", {
    withr::with_seed(1, x <- matrix(rnorm(60), 20))
    refused <- function(..., kind = "range") {
        expectFailure(buildNeighbors(x, 5, ...), kind)
    }
    refused(knn = FALSE)
    refused(knn = FALSE, method = "gauss", transformer = "approximate")
    refused(knn = FALSE, method = "gauss", distances = dist(x))
    refused(distances = dist(x), transformer = "exact")
    refused(transformer = "approximate", metric = "canberra")
    refused(transformer = "annoy")
    refused(method = "rbf")
    refused(metric = "minkowski", metric_kwds = list(p = 0.5))
    refused(metric_kwds = list(p = 3), kind = "unknown_argument")
    refused(metric_kwds = 3, kind = "type")
    refused(report_recall = NA, kind = "type")
    refused(random_state = -1)
    withr::local_options(fatecast.memory_limit = 1000)
    refused(knn = FALSE, method = "gauss", kind = "memory")
    many <- matrix(0, 20001, 1)
    expectFailure(buildNeighbors(many, 5, knn = FALSE, method = "gauss"),
        "range")
})

test_that("small and degenerate data have graphs", {
    x <- rbind(c(0, 1), c(2, 3))
    for (method in c("umap", "gauss", "jaccard", "snn")) {
        two <- buildNeighbors(x, 2, method = method)
        expect_true(all(is.finite(two$connectivities@x)))
        same <- buildNeighbors(matrix(1, 30, 3), 10, method = method)
        expect_true(all(is.finite(same$connectivities@x)))
        expect_true(all(same$connectivities@x > 0))
    }
    expectFailure(buildNeighbors(x[1, , drop = FALSE]), "shape")
    zero <- buildNeighbors(rbind(x, 0, 0), 3, metric = "cosine")
    expect_true(all(is.finite(zero$distances@x)))
    expectFailure(buildNeighbors(rbind(x, Inf), 2), "range")
})

test_that("both containers get the same graph and a full record", {
    sce <- simulateDifferentiation(80, 60)
    seurat <- seuratFrom(sce)
    for (method in c("gauss", "snn")) {
        a <- buildNeighbors(sce, 10, method = method, random_state = 3)
        b <- buildNeighbors(seurat, 10, method = method, random_state = 3)
        expect_identical(cellGraph(a), cellGraph(b))
        p <- parameters(a, "neighbors")
        expect_setequal(names(p), c(
            "n_neighbors", "knn", "method", "transformer", "metric",
            "metric_kwds", "random_state", "use_rep", "n_pcs", "assay",
            "experiment"
        ))
        expect_identical(p$method, method)
        expect_identical(p$random_state, 3L)
    }
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
    e <- expectFailure(
        buildNeighbors(sce, n_neighbours = 5), "unknown_argument"
    )
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
