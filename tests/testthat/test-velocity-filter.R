seenGenes <- function(x) {
    s <- as.matrix(SummarizedExperiment::assay(x, "counts"))
    u <- as.matrix(SummarizedExperiment::assay(x, "unspliced"))
    both <- (s + u) * (s > 0 & u > 0)
    list(
        counts = rowSums(s), cells = rowSums(s > 0), counts_u = rowSums(u),
        cells_u = rowSums(u > 0), shared_counts = rowSums(both),
        shared_cells = rowSums(both > 0)
    )
}

test_that("each bound keeps the genes it says", {
    x <- counted(80, 30)
    seen <- seenGenes(x)
    for (name in names(seen)) {
        middle <- stats::median(seen[[name]])
        bounds <- if (startsWith(name, "shared")) "min" else c("min", "max")
        for (side in bounds) {
            given <- stats::setNames(list(middle), paste0(side, "_", name))
            kept <- do.call(filterAndNormalize, c(list(x), given))
            wanted <- if (side == "min") {
                seen[[name]] >= middle
            } else {
                seen[[name]] <= middle
            }
            expect_identical(rownames(kept), rownames(x)[wanted])
        }
    }
})

test_that("totals are those before the filter, and counts stay as they are", {
    x <- counted(80, 30)
    kept <- filterAndNormalize(
        x, min_shared_counts = 20, max_cells = 70,
        retain_genes = rownames(x)[1:3]
    )
    expect_true(all(rownames(x)[1:3] %in% rownames(kept)))
    counts <- SummarizedExperiment::assay(x, "counts")
    expect_equal(kept$initial_size_spliced, unname(Matrix::colSums(counts)))
    expect_equal(kept$initial_size, kept$initial_size_spliced)
    expect_identical(
        SummarizedExperiment::assay(kept, "counts"), counts[rownames(kept), ]
    )
    kept$initial_size_spliced <- 7
    again <- filterAndNormalize(kept)
    expect_identical(again$initial_size_spliced, kept$initial_size_spliced)
    expect_identical(parameters(kept, "filter")$min_shared_counts, 20)
})

test_that("Seurat objects lose the genes in each assay", {
    x <- sixSeurat()
    if (hasLayers()) {
        e <- expectFailure(filterAndNormalize(x, min_counts = 21), "no_state")
        expect_identical(e$features, "g1")
        return(invisible())
    }
    kept <- filterAndNormalize(x, min_counts = 21)
    expect_identical(.featureNames(kept), "g1")
    expect_identical(rownames(.readAssay(kept, "unspliced")), "g1")
    expect_identical(
        assayOf(kept, "counts"), sixSpliced()["g1", , drop = FALSE]
    )
})

test_that("what cannot be filtered is refused", {
    x <- counted(80, 30)
    expectFailure(filterAndNormalize(x, min_counts = 1e9), "no_state")
    expectFailure(filterAndNormalize(x, min_cells = -1), "range")
    expectFailure(filterAndNormalize(x, retain_genes = "none"), "missing_key",
        list(key = "none"))
    expectFailure(filterAndNormalize(x, minimum = 3), "unknown_argument")
})
