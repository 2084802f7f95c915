flow_layers <- function(plot) {
    kind <- vapply(plot$layers, function(l) class(l$geom)[1L], "")
    lapply(split(seq_along(kind), kind), function(at) {
        lapply(at, function(i) ggplot2::layer_data(plot, i))
    })
}

test_that("stream lines and their heads lie over the cells", {
    sce <- computeProjection(flowObject(300))
    plot <- plotProjection(sce, color = "kind")
    expect_s3_class(plot, "ggplot")
    expect_no_error(drawn(plot))
    data <- plotProjectionData(sce)
    shown <- flow_layers(plot)
    expect_identical(names(plot$layers), NULL)
    lines <- shown$GeomPath[[1]]
    expect_equal(lines$x, data$x)
    expect_identical(as.integer(lines$group), data$line)
    # Wider where faster, but never too thin to see.
    wide <- data$width > 0.3
    ratio <- lines$linewidth[wide] / data$width[wide]
    expect_equal(ratio, rep(ratio[1], sum(wide)))
    expect_gte(min(lines$linewidth), 0.299 * ratio[1])
    heads <- shown$GeomSegment[[1]]
    expect_identical(nrow(heads), max(data$line))
    at <- which(data$arrow)
    expect_equal(heads$xend, data$x[at])
    along <- (heads$xend - heads$x) * (data$x[at] - data$x[at - 1L]) +
        (heads$yend - heads$y) * (data$y[at] - data$y[at - 1L])
    expect_true(all(along > 0))
    expect_identical(nrow(shown$GeomPoint[[1]]), 300L)
})

test_that("colours are those of plotEmbedding", {
    sce <- computeProjection(flowObject(100))
    sce <- .writeColors(sce, "kind", c("#111111", "#222222", "#333333"))
    colors <- function(plot) {
        sort(unique(flow_layers(plot)$GeomPoint[[1]]$colour))
    }
    expect_identical(
        colors(plotProjection(sce, color = "kind")),
        c("#111111", "#222222", "#333333")
    )
    expect_identical(
        colors(plotProjection(
            sce, color = "kind", palette = c(a = "red")
        )), c("#222222", "#333333", "#ff0000")
    )
    expect_length(colors(plotProjection(sce)), 1)
    both <- plotProjection(sce, color = c("kind", "time"))
    expect_s3_class(both, "patchwork")
    expect_no_error(drawn(both))
    expect_no_error(drawn(
        plotProjection(sce, color = "kind", legend_loc = "on data")
    ))
    expectFailure(plotProjection(sce, color = "none"), "missing_key")
    expectFailure(plotProjection(sce, color = 3), "type")
})

test_that("arrows of grid and cells point where the data say", {
    sce <- computeProjection(flowObject(100))
    for (mode in c("grid", "cells")) {
        plot <- plotProjection(sce, mode = mode, density = 0.5)
        expect_no_error(drawn(plot))
        data <- plotProjectionData(sce, mode = mode, density = 0.5)
        shown <- flow_layers(plot)$GeomSegment[[1]]
        expect_equal(shown$x, data$x)
        stretch <- (shown$xend - shown$x) / data$dx
        expect_equal(stretch, rep(stretch[1], length(stretch)))
        expect_gt(stretch[1], 0)
        twice <- plotProjection(
            sce, mode = mode, density = 0.5, arrow_length = 2
        )
        twice <- flow_layers(twice)$GeomSegment[[1]]
        expect_equal(twice$xend - twice$x, 2 * (shown$xend - shown$x))
    }
})

test_that("an embedding is projected on the way, and nothing is stored", {
    k <- velocityKernel()
    plot <- plotProjection(k, "PCA", color = "cell_type")
    expect_no_error(drawn(plot))
    stored <- plotProjection(
        container(computeProjection(k, "PCA")), "PCA", color = "cell_type"
    )
    expect_identical(
        flow_layers(plot)$GeomPath, flow_layers(stored)$GeomPath
    )
    expect_identical(plot$labels$x, "PCA 1")
    turned <- plotProjection(k, "PCA", components = c(2, 1))
    expect_identical(turned$labels$x, "PCA 2")
    fit <- plotProjection(GPCCA(k), "PCA", color = "cell_type")
    expect_identical(flow_layers(fit)$GeomPath, flow_layers(plot)$GeomPath)
})

test_that("a chain without direction gives a figure without lines", {
    sce <- flowObject(40)
    graph <- .readGraph(sce, "connectivities")
    even <- graph
    even@x[] <- 1
    sce <- .writeGraph(sce, "T_fwd", even / Matrix::rowSums(even))
    SingleCellExperiment::reducedDim(sce, "T_fwd_umap") <- matrix(0, 40, 2)
    expect_identical(nrow(plotProjectionData(sce)), 0L)
    for (mode in c("stream", "grid", "cells")) {
        expect_no_error(drawn(plotProjection(sce, mode = mode)))
    }
})

test_that("arguments are checked", {
    sce <- computeProjection(flowObject(40))
    expectFailure(plotProjection(sce, alpha = 0), "range")
    expectFailure(plotProjection(sce, linewidth = 0), "range")
    expectFailure(plotProjection(sce, arrow_size = -1), "range")
    expectFailure(plotProjection(sce, line_color = "no colour"), "type")
    expectFailure(plotProjection(sce, legend_loc = "top"), "range")
    expectFailure(plotProjection(sce, point_size = 0), "range")
    expectFailure(plotProjection(sce, streams = TRUE), "unknown_argument")
    expectFailure(plotProjection(diag(3)), "container_class")
})
