test_that("the strongest drivers come first, without constant genes", {
    fit <- plotFit()
    data <- plotLineageDriversData(fit, "A")
    expect_identical(levels(data$gene), c("up", "other", "down"))
    expect_identical(nrow(data), 3L * ncol(fit@container))
    up <- data[data$gene == "up", ]
    expect_identical(up$cell, colnames(fit@container))
    genes <- SummarizedExperiment::assay(fit@container)
    expect_identical(up$expression, unname(genes["up", ]))
    expect_identical(unique(up$qval), 3e-9)
    two <- plotLineageDriversData(fit, "A", n_genes = 2, ascending = TRUE)
    expect_identical(levels(two$gene), c("down", "other"))
})

test_that("each gene has a panel, high values on top", {
    plot <- plotLineageDrivers(plotFit(), "A", n_genes = 2, ncols = 2)
    expect_s3_class(plot, "patchwork")
    expect_identical(plot[[1]]$labels$title, "up qval=3.0000e-09")
    values <- plot[[1]]$layers[[1]]$data$value
    expect_false(is.unsorted(values))
    one <- plotLineageDrivers(plotFit(), "A", n_genes = 1)
    expect_s3_class(one, "ggplot")
    expect_identical(nrow(ggplot2::layer_data(one)), 60L)
})

test_that("titles are filled in, and names are never read as a format", {
    genes <- data.frame(feature = "%d{x}", corr = 0.1234567, qval = 1e-5)
    fill <- function(text) .driverTitles(text, genes, "A, B")
    expect_identical(fill("{gene}"), "%d{x}")
    expect_identical(fill("100% {lineage}: {corr:.2f}"), "100% A, B: 0.12")
    expect_identical(fill("{qval:.1e}{corr}"), "1.0e-050.1235")
    expect_identical(fill("plain"), "plain")
    range <- "fatecast_error_range"
    expect_error(fill("{nothing}"), class = range)
    expect_error(fill("{corr:s}"), class = range)
    expect_error(fill("{gene:.2f}"), class = range)
})

test_that("nothing to draw and wrong arguments are errors", {
    results <- plotResults(plotObject())
    results$drivers$corr <- NA_real_
    expect_error(
        plotLineageDrivers(plotFit(results = results), "A"),
        class = "fatecast_error_no_state"
    )
    fit <- plotFit()
    expect_error(
        plotLineageDrivers(fit, "A", assay = "nothing"),
        class = "fatecast_error_missing_key"
    )
    expect_error(
        plotLineageDrivers(fit, "A", n_genes = 0),
        class = "fatecast_error_range"
    )
    expect_error(
        plotLineageDrivers(fit, "A", top = 2),
        class = "fatecast_error_unknown_argument"
    )
    expect_error(
        plotLineageDrivers(plotFit(results = list()), "A"),
        class = "fatecast_error_not_computed"
    )
})
