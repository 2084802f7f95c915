# An estimator whose two lineages have drivers of their own.
correlationFit <- function() {
    fit <- fitted()
    genes <- SummarizedExperiment::rowData(fit@container)
    genes$level <- seq_len(nrow(genes))
    genes$kind <- rep(c("a", "b", "c"), length.out = nrow(genes))
    SummarizedExperiment::rowData(fit@container) <- genes
    fit
}

test_that("every gene lies at its two correlations", {
    fit <- correlationFit()
    fates <- lineageNames(fit)[1:2]
    data <- plotLineageDriversCorrelationData(fit, fates[1], fates[2])
    table <- drivers(fit)
    expect_identical(data$feature, rownames(table))
    expect_identical(data$x, table[[paste0(fates[1], "_corr")]])
    expect_identical(data$y, table[[paste0(fates[2], "_corr")]])
    expect_true(all(is.na(data$gene_set)))
    numbers <- plotLineageDriversCorrelationData(
        container(fit), fates[1], fates[2], color = "level"
    )
    expect_identical(numbers$value, seq_len(nrow(table)))
    expect_identical(numbers$x, data$x)
    kinds <- plotLineageDriversCorrelationData(
        fit, fates[1], fates[2], color = "kind"
    )
    expect_identical(levels(kinds$value), c("a", "b", "c"))
})

test_that("sets take their lineage's colour, and a gene may be in two", {
    fit <- correlationFit()
    fates <- lineageNames(fit)[1:2]
    genes <- rownames(drivers(fit))
    sets <- stats::setNames(
        list(genes[c(3, 5)], genes[c(5, 8, 8)]), c(fates[1], "mine")
    )
    data <- plotLineageDriversCorrelationData(
        fit, fates[1], fates[2], gene_sets = sets
    )
    expect_identical(nrow(data), length(genes) + 1L)
    expect_identical(
        as.character(data$gene_set[data$feature == genes[5]]),
        c(fates[1], "mine")
    )
    expect_identical(sum(!is.na(data$gene_set)), 4L)
    palette <- .setColors(fit, names(sets), NULL)
    expect_identical(palette[[1]], lineageColors(fit)[[fates[1]]])
    plot <- plotLineageDriversCorrelation(
        fit, fates[1], fates[2], gene_sets = sets,
        gene_sets_colors = c("red", "#0000ff"), color = "level",
        adjust_text = TRUE
    )
    expect_s3_class(plot, "ggplot")
    drawn <- ggplot2::ggplot_build(plot)$data
    filled <- Filter(function(layer) "fill" %in% names(layer) &&
        any(layer$shape == 21), drawn)[[1L]]
    expect_setequal(filled$fill, c("#ff0000", "#0000ff"))
    expect_identical(nrow(filled), 4L)
    labels <- Filter(function(layer) "label" %in% names(layer), drawn)
    expect_setequal(labels[[length(labels)]]$label, genes[c(3, 5, 8)])
})

test_that("a bare vector is one set, and legends go where they are asked", {
    fit <- correlationFit()
    fates <- lineageNames(fit)[1:2]
    genes <- rownames(drivers(fit))[1:2]
    for (place in .legendPlaces) {
        plot <- plotLineageDriversCorrelation(
            fit, fates[1], fates[2], gene_sets = genes, legend_loc = place,
            color = "kind", cmap = c("white", "black")
        )
        expect_s3_class(plot, "ggplot")
        expect_no_error(ggplot2::ggplot_build(plot))
    }
    data <- data.frame(x = c(0, 1, 1), y = c(1, 1, 0))
    corners <- expand.grid(x = c(0, 1), y = c(1, 0))
    expect_identical(.emptiestCorner(data, corners), 3L)
})

test_that("genes without a correlation are left out", {
    fit <- correlationFit()
    fates <- lineageNames(fit)[1:2]
    genes <- rownames(drivers(fit))
    fit@results$drivers[4, ] <- NA
    data <- plotLineageDriversCorrelationData(
        fit, fates[1], fates[2], gene_sets = genes[4:5]
    )
    expect_identical(data$feature, genes[-4])
    fit@results$drivers[] <- NA_real_
    expectFailure(
        plotLineageDriversCorrelation(fit, fates[1], fates[2]), "no_state"
    )
})

test_that("what is unknown is refused", {
    fit <- correlationFit()
    fates <- lineageNames(fit)[1:2]
    draw <- function(...) {
        plotLineageDriversCorrelation(fit, fates[1], fates[2], ...)
    }
    expectFailure(
        plotLineageDriversCorrelation(fit, fates[1], "no"), "missing_key"
    )
    expectFailure(draw(color = "no"), "missing_key", list(key = "no"))
    expectFailure(draw(gene_sets = "no"), "missing_key", list(key = "no"))
    expectFailure(draw(gene_sets = list("a")), "type")
    expectFailure(draw(gene_sets = list(a = 1)), "type")
    expectFailure(draw(cmap = "no such palette"), "range")
    expectFailure(draw(legend_loc = "middle"), "range")
    expectFailure(draw(fontsize = 0), "range")
    genes <- rownames(drivers(fit))[1]
    expectFailure(
        draw(gene_sets = genes, gene_sets_colors = c("red", "blue")), "shape"
    )
    expectFailure(
        draw(gene_sets = genes, gene_sets_colors = "no colour"), "type"
    )
    expectFailure(draw(top = 2), "unknown_argument")
    fit@results$drivers <- NULL
    expectFailure(draw(), "not_computed")
})
