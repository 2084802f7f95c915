test_that("nodes stand at the medians of their groups", {
    for (x in list(pagaObject(), pagaSeurat())) {
        data <- plotPAGACompareData(x, basis = "layout")
        expect_identical(names(data), c("cells", "nodes", "edges"))
        expect_equal(data$nodes$x, as.vector(
            tapply(data$cells$x, data$cells$group, stats::median)
        ))
        expect_identical(
            as.character(data$cells$group), as.character(pagaObject()$kind)
        )
        expect_identical(data$edges$weight, c(0.8, 0.5, 0.02, 0.3))
    }
})

test_that("both panels have the same axes and colours", {
    x <- pagaObject()
    plot <- plotPAGACompare(x, title = "Both")
    expect_s3_class(plot, "patchwork")
    expect_identical(plot$patches$annotation$title, "Both")
    cells <- plot[[1]]
    nodes <- plot[[2]]
    expect_equal(
        cells$coordinates$limits[c("x", "y")],
        nodes$coordinates$limits[c("x", "y")]
    )
    expect_identical(cells$theme$aspect.ratio, nodes$theme$aspect.ratio)
    expect_setequal(
        unique(ggplot2::layer_data(cells, 1)$colour),
        ggplot2::layer_data(nodes, 2)$fill
    )
    expect_no_error(drawn(plot))
    for (place in c("right", "none")) {
        expect_no_error(drawn(plotPAGACompare(x, legend_loc = place)))
    }
    expect_no_error(drawn(plotPAGACompare(
        x,
        transitions = "transitions_confidence",
        dashed_edges = "connectivities"
    )))
})

test_that("stored positions and others can be taken", {
    x <- pagaObject()
    stored <- plotPAGACompareData(x, pos = "stored")$nodes
    expect_identical(stored$x, c(0, 1, 1, 1))
    expectFailure(
        plotPAGACompare(pagaObject(pos = NULL), pos = "stored"),
        "not_computed"
    )
    own <- plotPAGACompareData(x, pos = matrix(1:8, 4))$nodes
    expect_equal(own$y, 5:8)
    expectFailure(plotPAGACompare(x, basis = "umap"), "missing_key")
    expectFailure(plotPAGACompare(plotObject()), "not_computed")
    expectFailure(plotPAGACompare(x, colour = "up"), "unknown_argument")
})
