walk_plot <- function(...) {
    plotRandomWalks(
        flowObject(), n_sims = 8, max_iter = 6, random_state = 2, ...
    )
}

test_that("the figure holds cells, walks and their ends", {
    plot <- walk_plot(start_ixs = list(kind = "a"))
    expect_s3_class(plot, "ggplot")
    expect_no_error(drawn(plot))
    data <- plotRandomWalksData(
        flowObject(), n_sims = 8, max_iter = 6, random_state = 2,
        start_ixs = list(kind = "a")
    )
    expect_identical(nrow(ggplot2::layer_data(plot, 1)), 60L)
    lines <- ggplot2::layer_data(plot, 2)
    expect_equal(lines$x, data$x)
    expect_equal(lines$y, data$y)
    expect_identical(as.integer(lines$group), data$walk)
    ends <- lapply(3:4, function(at) ggplot2::layer_data(plot, at))
    expect_equal(ends[[1]]$x, data$x[data$step == 0])
    expect_equal(ends[[2]]$x, data$x[data$step == 6])
    # Black to yellow.
    expect_identical(unique(ends[[1]]$fill), "#000000")
    expect_identical(unique(ends[[2]]$fill), "#ffff00")
    expect_identical(unique(ends[[2]]$colour), "black")
})

test_that("each walk runs through all colours, however long it is", {
    plot <- plotRandomWalks(
        flowObject(), n_sims = 8, max_iter = 40, random_state = 2,
        stop_ixs = list(kind = "b"), successive_hits = 1
    )
    lines <- ggplot2::layer_data(plot, 2)
    steps <- table(lines$group)
    expect_gt(length(unique(steps)), 1)
    colors <- tapply(lines$colour, lines$group, function(v) v[c(1, length(v))])
    expect_identical(length(unique(colors)), 1L)
})

test_that("colours, widths and legend can be chosen", {
    colors <- function(plot) unique(ggplot2::layer_data(plot, 3)$fill)
    expect_identical(colors(walk_plot(color_map = "viridis")), "#440154")
    expect_identical(
        colors(walk_plot(color_map = c("red", "blue"))), "#ff0000"
    )
    plot <- walk_plot(linewidth = 3, linealpha = 0.7, title = "walks")
    lines <- ggplot2::layer_data(plot, 2)
    expect_identical(unique(lines$alpha), 0.7)
    expect_equal(
        unique(lines$linewidth),
        3 * unique(ggplot2::layer_data(walk_plot(), 2)$linewidth)
    )
    expect_identical(plot$labels$title, "walks")
    guide <- function(plot) {
        ggplot2::ggplot_build(plot)$plot$scales$get_scales("colour")$guide
    }
    expect_identical(guide(walk_plot(legend_loc = "none")), "none")
    expectFailure(walk_plot(color_map = "rainbow"), "range")
    expectFailure(walk_plot(linealpha = 0), "range")
    expectFailure(walk_plot(legend_loc = "top"), "range")
    expectFailure(walk_plot(basis = NULL), "type")
    expectFailure(walk_plot(sims = 3), "unknown_argument")
})

test_that("estimators and Seurat objects are drawn like kernels", {
    k <- velocityKernel()
    lines <- function(x, basis) {
        ggplot2::layer_data(plotRandomWalks(
            x, n_sims = 3, max_iter = 5, random_state = 1, basis = basis
        ), 2)
    }
    expect_equal(lines(GPCCA(k), "PCA"), lines(k, "PCA"))
    expect_equal(lines(seuratFrom(container(k)), "pca"), lines(k, "PCA"))
})
