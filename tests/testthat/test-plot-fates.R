# Building a plot runs every scale, guide and layer.
draw <- function(plot) {
    path <- withr::local_tempfile(fileext = ".pdf")
    grDevices::pdf(path)
    on.exit(grDevices::dev.off())
    print(plot)
}

test_that("one plot colours cells by the pair of their largest fates", {
    p <- rbind(
        a = c(1, 0, 0), b = c(0.5, 0.4, 0.1), c = c(0.3, 0.6, 0.1),
        d = c(0.2, 0.2, 0.6), e = c(NA, NA, NA), f = c(1, 1, 1) / 3
    )
    colnames(p) <- c("A", "B", "C")
    fates <- Lineage(p, colors = c("#ff0000", "#00ff00", "#0000ff"))
    at <- data.frame(cell = rownames(p), x = 1, y = 2)
    got <- .lineageBlend(fates, at)
    expect_identical(
        as.character(got$first), c("A", "A", "B", "C", NA, "A")
    )
    expect_identical(
        as.character(got$second), c("B", "B", "A", "A", NA, "B")
    )
    expect_equal(got$score, c(1, 0.1, 0.3, 1, NA, 0))
    expect_identical(got$color[c(1, 4)], c("#ff0000", "#0000ff"))
    expect_identical(got$color[5:6], c("#dedede", "#dedede"))
    # A tenth of red over light grey: 222 + 0.1 (255 - 222), 222 - 22.2.
    expect_identical(got$color[2], "#e1c8c8")
})

test_that("a single fate is coloured by its value", {
    one <- Lineage(c(a = 0.5, b = 1, c = 0), names = "A", colors = "#000000")
    got <- .lineageBlend(one, data.frame(cell = c("a", "b", "c")))
    expect_equal(got$score, c(0.5, 1, 0))
    expect_identical(got$color[2:3], c("#000000", "#dedede"))
})

test_that("data and figure hold the same numbers", {
    fit <- plotFit()
    data <- plotFateProbabilitiesData(fit)
    expect_identical(data$cell, colnames(fit@container))
    expect_identical(names(data), c(
        "cell", "x", "y", "first", "second", "first_value", "second_value",
        "score", "color"
    ))
    fates <- as.matrix(fit@results$fates)
    expect_identical(data$first_value, unname(apply(fates, 1, max)))
    plot <- plotFateProbabilities(fit)
    expect_s3_class(plot, "ggplot")
    layer <- ggplot2::layer_data(plot, 1)
    at <- match(paste(layer$x, layer$y), paste(data$x, data$y))
    expect_identical(sort(at), seq_len(nrow(data)))
    expect_identical(layer$colour, data$color[at])
    expect_match(plot$labels$x, "LAYOUT 1")
})

test_that("the scale of a panel ends at the largest value below 1", {
    fit <- plotFit()
    data <- plotFateProbabilitiesData(fit, same_plot = FALSE)
    expect_identical(nrow(data), 3L * ncol(fit@container))
    expect_identical(
        data$value, as.vector(as.matrix(fit@results$fates))
    )
    plot <- plotFateProbabilities(fit, c("C", "A"), same_plot = FALSE)
    expect_s3_class(plot, "patchwork")
    scale <- ggplot2::ggplot_build(plot[[1]])$plot$scales$get_scales("colour")
    fates <- as.matrix(fit@results$fates)[, "C"]
    top <- max(fates[fates < 1])
    expect_identical(scale$get_limits(), c(0, top))
    # What is exactly 1 has the colour of that largest value.
    drawn <- ggplot2::layer_data(plot[[1]], 1)$colour
    color <- lineageColors(fit@results$fates)[["C"]]
    expect_identical(
        sum(tolower(drawn) == color), sum(fates == 1 | fates == top)
    )
    expect_identical(.largestBelowOne(c(0, 1, NA)), 1)
    expect_identical(plot[[1]]$labels$title, "C")
    expect_no_error(draw(plot))
})

test_that("time goes along the x axis", {
    fit <- plotFit()
    data <- plotFateProbabilitiesData(fit, mode = "time", time_key = "time")
    expect_identical(names(data), c("cell", "lineage", "value", "time"))
    expect_identical(data$time, rep(fit@container$time, 3))
    plot <- plotFateProbabilities(fit, mode = "time", time_key = "time")
    expect_identical(plot$labels$x, "time")
    expect_no_error(draw(plot))
    colored <- plotFateProbabilities(
        fit, "A",
        mode = "time", time_key = "time", color = "up"
    )
    expect_no_error(draw(colored))
    type <- "fatecast_error_type"
    expect_error(plotFateProbabilities(
        fit,
        mode = "time", time_key = "group"
    ), class = type)
    expect_error(
        plotFateProbabilities(fit, mode = "time"),
        class = "fatecast_error_missing_key"
    )
})

test_that("cells and genes can be shown beside the fates", {
    fit <- plotFit()
    plot <- plotFateProbabilities(fit, color = c("group", "up"), title = "T")
    expect_length(plot$patches$plots, 2L)
    expect_no_error(draw(plot))
    expect_no_error(draw(plotFateProbabilities(fit, legend_loc = "on data")))
    expect_error(
        plotFateProbabilities(fit, color = "nothing"),
        class = "fatecast_error_missing_key"
    )
})

test_that("the embedding is the first of the usual ones or the one named", {
    fit <- plotFit()
    expect_match(plotFateProbabilities(fit, basis = "pca")$labels$y, "PCA 2")
    expect_identical(
        plotFateProbabilitiesData(fit, basis = "PCA")$x,
        plotFateProbabilitiesData(fit)$y
    )
    missing <- "fatecast_error_missing_key"
    expect_error(plotFateProbabilities(fit, basis = "umap"), class = missing)
    expect_error(
        plotFateProbabilities(fit, basis = "flat"),
        class = "fatecast_error_shape"
    )
    bare <- fit
    SingleCellExperiment::reducedDims(bare@container) <- list()
    expect_error(plotFateProbabilities(bare), class = missing)
})

test_that("points are in an order that only names decide", {
    cells <- paste0("cell", seq_len(200))
    order <- .shuffleOrder(cells)
    expect_identical(sort(order), seq_len(200))
    expect_identical(cells[order], rev(cells)[.shuffleOrder(rev(cells))])
    expect_lt(abs(stats::cor(order, seq_len(200))), 0.3)
    expect_identical(.shuffleOrder(character()), integer())
    expect_length(.shuffleOrder(c("", "\u00e9", "a")), 3L)
})

test_that("sizes shrink with cells, and very many become pixels", {
    expect_gt(.pointSize(NULL, 100), .pointSize(NULL, 10000))
    expect_identical(.pointSize(3, 10), 3)
    expect_error(.pointSize(0, 10), class = "fatecast_error_range")
    at <- data.frame(x = 1, y = 1)
    layer <- .pointLayer(NULL, at, 1, n = 100001L)
    expect_identical(layer$aes_params$shape, ".")
})

test_that("labels move apart and into the panel", {
    data <- data.frame(x = c(0, 10), y = c(0, 10))
    labels <- data.frame(
        x = c(5, 5.1, 10), y = c(5, 5.1, 0), label = c("one", "two", "three")
    )
    got <- .spreadLabels(labels, data)
    expect_gte(got$y[2] - got$y[1], 0.5)
    expect_lt(got$x[3], 10)
    expect_identical(.spreadLabels(labels[0, ], data), labels[0, ])
})

test_that("wrong arguments are refused", {
    fit <- plotFit()
    expect_error(
        plotFateProbabilities(fit, "D"),
        class = "fatecast_error_missing_key"
    )
    expect_error(
        plotFateProbabilities(fit, mode = "x"),
        class = "fatecast_error_range"
    )
    expect_error(
        plotFateProbabilities(fit, point_sise = 1),
        class = "fatecast_error_unknown_argument"
    )
    empty <- plotFit(results = list())
    expect_error(
        plotFateProbabilities(empty),
        class = "fatecast_error_not_computed"
    )
    bare <- fit
    bare@container <- NULL
    expect_error(
        plotFateProbabilities(bare),
        class = "fatecast_error_not_computed"
    )
    expect_error(
        .plotContainer(diag(3)),
        class = "fatecast_error_container_class"
    )
})
