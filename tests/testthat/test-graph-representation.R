test_that("the representation follows use_rep, n_pcs and experiment", {
    sce <- simulateDifferentiation(60, 60)
    pca <- SingleCellExperiment::reducedDim(sce, "PCA")
    first <- function(m, d) unname(as.matrix(
        buildNeighbors(unname(m)[, seq_len(d), drop = FALSE], 8)$distances
    ))
    stored <- function(...) unname(as.matrix(
        cellGraph(buildNeighbors(sce, 8, ...), "distances")
    ))
    expect_equal(stored(), first(pca, ncol(pca)))
    expect_equal(stored(use_rep = "pca", n_pcs = 4), first(pca, 4))
    x <- t(as.matrix(SummarizedExperiment::assay(sce, "logcounts")))
    expect_equal(stored(use_rep = "X"), first(x, ncol(x)))
    expect_equal(stored(n_pcs = 0), first(x, ncol(x)))
    expect_equal(stored(use_rep = "X", assay = "counts"), first(
        t(as.matrix(SummarizedExperiment::assay(sce, "counts"))), 60
    ))
    other <- SingleCellExperiment::SingleCellExperiment(
        SummarizedExperiment::assays(sce),
        reducedDims = list(PCA = pca[, 3:1])
    )
    SingleCellExperiment::altExp(sce, "other") <- other
    expect_equal(stored(experiment = "other"), first(pca[, 3:1], 3))
    out <- buildNeighbors(sce, 8, experiment = "other")
    expect_identical(parameters(out, "neighbors")$experiment, "other")
})

test_that("a search without randomness does not touch R's generator", {
    withr::with_seed(1, {
        x <- matrix(rnorm(60), 20)
        before <- .Random.seed
        buildNeighbors(x, 5)
        expect_identical(.Random.seed, before)
    })
    sce <- simulateDifferentiation(60, 60)
    drawn <- function() {
        set.seed(3)
        parameters(buildNeighbors(sce, 5, random_state = NULL), "neighbors")
    }
    withr::with_preserve_seed({
        expect_identical(drawn()$random_state, drawn()$random_state)
        expect_false(is.null(drawn()$random_state))
    })
})
