# The example of the README, as written there, on fewer cells.

test_that("the example of the public face runs from data to drivers", {
    sce <- simulateDifferentiation(n_cells = 1000)
    sce <- buildNeighbors(sce, n_neighbors = 30) |>
        clusterLeiden(resolution = 0.8) |>
        embedUMAP() |>
        computeDPT(root = "root")
    expect_true("leiden" %in% names(SummarizedExperiment::colData(sce)))
    expect_s3_class(
        plotEmbedding(sce, c("leiden", "dpt_pseudotime")), "ggplot"
    )

    k <- 0.8 * VelocityKernel(sce) + 0.2 * ConnectivityKernel(sce)
    fit <- suppressWarnings(
        GPCCA(k) |>
            computeMacrostates(n_states = 6, cluster_key = "cell_type") |>
            predictTerminalStates() |>
            computeFateProbabilities() |>
            computeLineageDrivers()
    )
    expect_output(print(fit), "fate probabilities: error below")
    expect_setequal(lineageNames(fit), c("Alpha", "Beta", "Gamma"))
    expect_s3_class(plotFateProbabilities(fit), "ggplot")
    fate <- lineageNames(fit)[1]
    genes <- head(drivers(fit, fate)$feature, 100)
    expect_length(genes, 100L)
    expect_true(all(genes %in% rownames(sce)))
    sce <- container(fit)
    expect_s4_class(sce, "SingleCellExperiment")

    fit <- castFates(sce, kernel = "velocity", cluster_key = "cell_type")
    expect_setequal(lineageNames(fit), c("Alpha", "Beta", "Gamma"))
})

test_that("an error in a pipe keeps its class", {
    e <- expectFailure(
        GPCCA(diag(4)) |> computeFateProbabilities() |> fateProbabilities(),
        "not_computed"
    )
    expect_match(conditionMessage(e), "setTerminalStates")
})
