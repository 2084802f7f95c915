test_that("bars count the cells of each macrostate", {
    fit <- fitted()
    sce <- tree()
    data <- plotMacrostateCompositionData(fit, "cell_type")
    want <- table(macrostates(fit), sce$cell_type)
    expect_identical(data$count, as.vector(want))
    expect_identical(
        as.character(data$macrostate), rep(rownames(want), ncol(want))
    )
    expect_equal(as.vector(tapply(data$fraction, data$macrostate, sum)),
        rep(1, nrow(want)))
    expect_identical(
        plotMacrostateCompositionData(container(fit), "cell_type"), data
    )
    plot <- plotMacrostateComposition(fit, "cell_type")
    shown <- ggplot2::layer_data(plot)
    expect_identical(nrow(shown), sum(want > 0))
    scale <- ggplot2::ggplot_build(plot)$plot$scales$get_scales("fill")
    expect_setequal(scale$breaks, colnames(want)[colSums(want) > 0])
    drawn(plot)
    drawn(plotMacrostateComposition(
        fit, "cell_type", labelrot = 0, legend_loc = "none", title = "cells"
    ))
})

test_that("cells without a category are kept apart", {
    fit <- fitted()
    sce <- tree()
    sce$some <- sce$cell_type
    sce$some[!is.na(macrostates(fit))][1:3] <- NA
    fit@container <- sce
    data <- plotMacrostateCompositionData(fit, "some")
    expect_identical(sum(data$count[data$category == "(none)"]), 3L)
    expect_identical(unique(data$color[data$category == "(none)"]), "#dedede")
    expectFailure(plotMacrostateComposition(fit, "nope"), "missing_key")
    expectFailure(plotMacrostateComposition(fit, "dpt_pseudotime", width = 2),
        "range")
    expectFailure(
        plotMacrostateComposition(GPCCA(blocks()), "x"), "not_computed"
    )
})
