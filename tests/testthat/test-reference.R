# Agreement with the peer programs on real data. Tolerances: the peer holds
# assays, PCA and graph in single precision and computes in double.

test_that("every quantity agrees with the pancreas reference", {
    skip_if_no_reference()
    data <- readReference()
    table <- compareReference(data$sce, data$reference)
    for (k in seq_len(nrow(table))) {
        expect_lte(
            table$difference[k], table$tolerance[k],
            label = table$quantity[k]
        )
    }
})

test_that("the endocrine fates are among eleven macrostates", {
    skip_if_no_reference()
    data <- readReference()
    sce <- withReferenceGraph(data$sce, data$reference)
    fit <- GPCCA(
        0.8 * VelocityKernel(sce) + 0.2 * ConnectivityKernel(sce),
        n_threads = 2
    )
    fit <- suppressWarnings(computeMacrostates(
        fit, n_states = 11, cluster_key = "clusters", n_threads = 2
    ))
    expect_true(all(
        c("Alpha", "Beta", "Delta", "Epsilon") %in% levels(macrostates(fit))
    ))
})

test_that("a Seurat object of the same data gives the same results", {
    skip_if_no_reference()
    skip_if_not_installed("SeuratObject")
    data <- readReference()
    sce <- withReferenceGraph(data$sce, data$reference)
    seurat <- seuratFrom(sce)
    job <- function(x) {
        suppressWarnings(castFates(
            x, cluster_key = "clusters", n_states = 11,
            terminal_states = c("Alpha", "Beta", "Delta", "Epsilon"),
            n_threads = 2
        ))
    }
    a <- container(job(sce))
    b <- container(job(seurat))
    expect_identical(as.matrix(fateProbabilities(a)),
        as.matrix(fateProbabilities(b)))
    expect_identical(transitionMatrix(a), transitionMatrix(b))
    expect_identical(macrostates(a), macrostates(b))
    fate <- lineageNames(a)[1]
    expect_equal(drivers(a, fate), drivers(b, fate), tolerance = 1e-12)
})
