test_that("components are those of a dense decomposition", {
    sce <- tree()
    m <- as.matrix(SummarizedExperiment::assay(sce, "logcounts"))
    out <- computePCA(sce, n_components = 8, key_added = "mine", n_threads = 2)
    scores <- SingleCellExperiment::reducedDim(out, "mine")
    svd <- svd(scale(t(m), scale = FALSE), nu = 8, nv = 8)
    want <- svd$u %*% diag(svd$d[1:8])
    align <- sign(colSums(want * scores))
    expect_equal(
        unname(scores), want %*% diag(align), tolerance = 1e-5
    )
    record <- S4Vectors::metadata(out)$mine
    expect_equal(
        record$variance, svd$d[1:8]^2 / (ncol(m) - 1), tolerance = 1e-9
    )
    expect_true(all(record$run$residuals <= 1e-6))
})

test_that("sparse, dense and on-disk assays give the same components", {
    skip_if_not_installed("DelayedArray")
    m <- SummarizedExperiment::assay(tree(), "logcounts")
    a <- computePCA(Matrix::t(m), n_components = 5)
    b <- computePCA(t(as.matrix(m)), n_components = 5)
    expect_equal(a$scores, b$scores, tolerance = 1e-6)
    sce <- tree()
    SummarizedExperiment::assay(sce, "logcounts") <-
        DelayedArray::DelayedArray(m)
    d <- computePCA(sce, n_components = 5, key_added = "disk")
    expect_equal(
        unname(SingleCellExperiment::reducedDim(d, "disk")),
        unname(a$scores), tolerance = 1e-12
    )
})

test_that("seeds repeat and threads do nothing", {
    m <- Matrix::t(SummarizedExperiment::assay(tree(), "logcounts"))
    expect_identical(
        computePCA(m, 5, random_state = 3), computePCA(m, 5, random_state = 3)
    )
    a <- withr::with_seed(9, computePCA(m, 5, random_state = NULL))
    expect_identical(
        a, withr::with_seed(9, computePCA(m, 5, random_state = NULL))
    )
    one <- computePCA(m, 5, n_threads = 1)
    expect_identical(computePCA(m, 5, n_threads = 4), one)
})

test_that("bad input is refused", {
    sce <- tree()
    expectFailure(computePCA(sce, n_components = 5000), "range")
    expectFailure(computePCA(sce, assay = "spliced"), "missing_key")
    expectFailure(computePCA(sce, features = "none"), "missing_key")
    m <- SummarizedExperiment::assay(sce, "logcounts")
    m@x[3] <- NaN
    SummarizedExperiment::assay(sce, "logcounts") <- m
    expectFailure(computePCA(sce, n_components = 5), "range")
    withr::local_options(fatecast.memory_limit = 1000)
    SummarizedExperiment::assay(sce, "dense") <-
        DelayedArray::DelayedArray(as.matrix(m))
    expectFailure(computePCA(sce, 5, assay = "dense"), "memory")
})
