# The scores from their definition.
slowScores <- function(transition, graph, z, source, target) {
    m <- as.matrix(transition)
    a <- as.matrix(graph)
    border <- which(source & rowSums(a[, target, drop = FALSE] != 0) > 0)
    vapply(border, function(i) {
        near <- which(target & a[i, ] != 0)
        seen <- colSums(a[i, near] * t(t(z[near, , drop = FALSE]) - z[i, ]))
        expected <- colSums(m[i, ] * z) - z[i, ]
        stats::cor(expected, seen)
    }, 1)
}

cbcCourse <- function() {
    sce <- course(80L)
    sce <- buildNeighbors(sce, n_neighbors = 8, n_threads = 1)
    sce$side <- as.character(sce$kind)
    sce
}

test_that("scores are their definition", {
    sce <- cbcCourse()
    z <- .readEmbedding(sce, "PCA")
    kernels <- list(
        computeTransitionMatrix(ConnectivityKernel(sce)),
        computeTransitionMatrix(ConnectivityKernel(sce)) +
            computeTransitionMatrix(
                RealTimeKernel(sce, "day", courseCouplings(sce))
            )
    )
    for (k in kernels) {
        for (key in c("distances", "connectivities")) {
            want <- slowScores(
                transitionMatrix(k), cellGraph(sce, key), z,
                sce$kind == "lower", sce$kind == "upper"
            )
            found <- cbc(k, "lower", "upper", "kind", "PCA", graph_key = key)
            expect_equal(found, want, tolerance = 1e-12)
            expect_gt(length(found), 3)
        }
    }
    expect_identical(
        cbc(kernels[[1L]], "lower", "upper", "side", "PCA"),
        cbc(kernels[[1L]], "lower", "upper", "kind", "PCA")
    )
    seurat <- courseSeurat(sce)
    k <- kernels[[1L]]
    want <- cbc(k, "lower", "upper", "kind", "PCA", "connectivities")
    k@container <- .writeGraph(
        seurat, "connectivities", cellGraph(sce, "connectivities")
    )
    expect_identical(
        cbc(k, "lower", "upper", "kind", "pca", "connectivities"), want
    )
    expectSameBits(function(threads) {
        cbc(kernels[[2L]], "upper", "lower", "kind", "PCA", n_threads = threads)
    })
})

test_that("what has no direction is NA and leaves the others alone", {
    sce <- cbcCourse()
    k <- computeTransitionMatrix(ConnectivityKernel(sce))
    want <- cbc(k, "lower", "upper", "kind", "PCA")
    z <- .readEmbedding(sce, "PCA")
    lost <- names(want)[2L]
    z[lost, 1L] <- NA
    SingleCellExperiment::reducedDim(sce, "PCA") <- z
    k@container <- sce
    found <- cbc(k, "lower", "upper", "kind", "PCA")
    expect_identical(names(found), names(want))
    expect_true(is.na(found[[lost]]))
    same <- !is.na(found)
    expect_gt(sum(same), 0)
    expect_identical(found[same], want[same])
    # Without a border there is nothing.
    sce$kind <- factor(ifelse(sce$kind == "upper", "upper", NA))
    sce$kind <- factor(sce$kind, levels = c("upper", "none"))
    sce$lone <- ifelse(sce$day == 0, "a", "b")
    k@container <- sce
    expectFailure(cbc(k, "upper", "none", "kind", "PCA"), "missing_key")
    k@matrix <- PrecomputedKernel(diag(80))@matrix
    expect_true(all(is.na(cbc(k, "a", "b", "lone", "PCA"))))
})

test_that("what is missing is named", {
    sce <- cbcCourse()
    k <- ConnectivityKernel(sce)
    e <- expectFailure(cbc(k, "lower", "upper", "kind", "PCA"), "not_computed")
    expect_match(conditionMessage(e), "computeTransitionMatrix")
    # An expression computes itself.
    expect_length(
        cbc(1 * k, "lower", "upper", "kind", "PCA"),
        length(cbc(computeTransitionMatrix(k), "lower", "upper", "kind", "PCA"))
    )
    k <- computeTransitionMatrix(k)
    e <- expectFailure(cbc(k, "lower", "middle", "kind", "PCA"), "missing_key")
    expect_identical(e$key, "middle")
    expect_identical(e$available, c("lower", "upper"))
    expectFailure(cbc(k, "middle", "upper", "kind", "PCA"), "missing_key")
    expectFailure(cbc(k, "lower", "upper", "nothing", "PCA"), "missing_key")
    expectFailure(cbc(k, "lower", "upper", "kind", "tSNE"), "missing_key")
    expectFailure(
        cbc(k, "lower", "upper", "kind", "PCA", "nothing"), "missing_key"
    )
    sce$number <- seq_len(80)
    k@container <- sce
    expectFailure(cbc(k, "lower", "upper", "number", "PCA"), "type")
    expectFailure(cbc(diag(3), "lower", "upper", "kind", "PCA"), "type")
    expectFailure(
        cbc(k, "lower", "upper", "kind", "PCA", grph = 1), "unknown_argument"
    )
})
