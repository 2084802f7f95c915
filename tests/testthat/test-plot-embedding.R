color_of <- function(plot) {
    ggplot2::ggplot_build(plot)$plot$scales$get_scales("colour")
}

test_that("data hold coordinates and one column per colour", {
    sce <- plotObject()
    sce$flag <- sce$time > 0.5
    data <- plotEmbeddingData(sce, c("group", "up", "time", "flag"))
    expect_identical(
        names(data), c("cell", "x", "y", "group", "up", "time", "flag")
    )
    expect_identical(data$cell, colnames(sce))
    layout <- SingleCellExperiment::reducedDim(sce, "LAYOUT")
    expect_identical(data$x, unname(layout[, 1]))
    expect_identical(data$group, sce$group)
    genes <- SummarizedExperiment::assay(sce, "logcounts")
    expect_identical(data$up, unname(genes["up", ]))
    expect_identical(levels(data$flag), c("FALSE", "TRUE"))
    expect_identical(names(plotEmbeddingData(sce)), c("cell", "x", "y"))
})

test_that("names that would occur twice get a suffix", {
    sce <- plotObject()
    sce$x <- sce$time
    data <- plotEmbeddingData(sce, c("x", "time", "time"))
    expect_identical(
        names(data), c("cell", "x", "y", "x.1", "time", "time.1")
    )
    expect_identical(data$x.1, sce$time)
})

test_that("figure and data hold the same numbers, in both containers", {
    for (x in list(pagaObject(), pagaSeurat())) {
        data <- plotEmbeddingData(x, c("kind", "up"), basis = "layout")
        plot <- plotEmbedding(x, "up", basis = "layout")
        expect_s3_class(plot, "ggplot")
        layer <- ggplot2::layer_data(plot, 1)
        at <- match(paste(layer$x, layer$y), paste(data$x, data$y))
        expect_identical(sort(at), seq_len(nrow(data)))
        # High values lie on top.
        expect_false(is.unsorted(data$up[at]))
        colors <- unique(data.frame(value = data$up[at], c = layer$colour))
        expect_identical(
            anyDuplicated(colors$value), 0L
        )
        expect_no_error(drawn(plot))
    }
    expect_equal(
        plotEmbeddingData(pagaSeurat(), c("kind", "up")),
        plotEmbeddingData(pagaObject(), c("kind", "up"))
    )
})

test_that("the basis is a usual one, else the first, or the one named", {
    sce <- plotObject()
    expect_identical(plotEmbedding(sce)$labels$x, "LAYOUT 1")
    expect_identical(plotEmbedding(sce, basis = "X_pca")$labels$y, "PCA 2")
    own <- sce
    SingleCellExperiment::reducedDims(own) <- list(
        mine = SingleCellExperiment::reducedDim(sce, "PCA")
    )
    expect_identical(plotEmbedding(own)$labels$x, "mine 1")
    turned <- plotEmbeddingData(sce, components = c(2, 1))
    expect_identical(turned$x, plotEmbeddingData(sce)$y)
    expect_identical(
        plotEmbedding(sce, components = c(2, 1))$labels$x, "LAYOUT 2"
    )
    expectFailure(plotEmbedding(sce, components = c(1, 3)), "shape")
    expectFailure(plotEmbedding(sce, components = 1), "type")
    expectFailure(plotEmbedding(sce, components = c(1, 1.5)), "type")
    expectFailure(
        plotEmbedding(sce, basis = "flat"), "shape", list(key = "flat")
    )
    expectFailure(plotEmbedding(sce, basis = "umap"), "missing_key")
})

test_that("categories take the palette given, stored, or the default", {
    sce <- plotObject()
    shown <- function(plot) {
        layer <- ggplot2::layer_data(plot, 1)
        data <- plotEmbeddingData(sce, "group")
        at <- match(paste(layer$x, layer$y), paste(data$x, data$y))
        tapply(layer$colour, data$group[at], unique)[c("A", "B", "C")]
    }
    colors <- function(...) {
        unname(as.vector(shown(plotEmbedding(sce, "group", ...))))
    }
    expect_identical(colors(), .palette[1:3])
    S4Vectors::metadata(sce)$group_colors <- c("#111111", "#222222", "#333333")
    expect_identical(colors(), c("#111111", "#222222", "#333333"))
    expect_identical(
        colors(palette = c(B = "red")), c("#111111", "#ff0000", "#333333")
    )
    expect_identical(
        colors(palette = c("red", "blue", "black")),
        c("#ff0000", "#0000ff", "#000000")
    )
    expectFailure(
        plotEmbedding(sce, "group", palette = c("red", "blue")), "shape",
        list(n_levels = 3L, n_colors = 2L)
    )
    expectFailure(plotEmbedding(sce, "group", palette = "nocolour"), "type")
})

test_that("more categories than the palette has colours are told apart", {
    sce <- plotObject()
    sce$many <- factor(seq_len(ncol(sce)) %% 60)
    expect_length(unique(.manyColors(60)), 60)
    expect_length(unique(.manyColors(150)), 150)
    sce$all <- colnames(sce)
    expect_no_error(drawn(plotEmbedding(sce, c("many", "all"))))
})

test_that("highlighted groups keep their colours, others are grey below", {
    sce <- plotObject()
    plot <- plotEmbedding(sce, "group", groups = "B", na_color = "white")
    layer <- ggplot2::layer_data(plot, 1)
    n <- sum(sce$group == "B")
    expect_identical(utils::tail(layer$colour, n), rep(.palette[2], n))
    expect_identical(
        utils::head(layer$colour, -n), rep("#ffffff", ncol(sce) - n)
    )
    expect_identical(as.character(color_of(plot)$get_breaks()), "B")
    expectFailure(
        plotEmbedding(sce, "group", groups = c("A", "E")), "missing_key",
        list(key = "E")
    )
    expectFailure(plotEmbedding(sce, "up", groups = "A"), "missing_key")
})

test_that("cells of categories lie in an order that names alone decide", {
    sce <- plotObject()
    first <- ggplot2::layer_data(plotEmbedding(sce, "group"), 1)
    turned <- ggplot2::layer_data(plotEmbedding(sce[, 60:1], "group"), 1)
    expect_identical(first[c("x", "y")], turned[c("x", "y")])
    numbers <- ggplot2::layer_data(
        plotEmbedding(sce, "time", sort_order = FALSE), 1
    )
    expect_identical(first[c("x", "y")], numbers[c("x", "y")])
    sorted <- ggplot2::layer_data(plotEmbedding(sce, "time"), 1)
    expect_false(identical(sorted$x, numbers$x))
})

test_that("the scale of numbers runs as asked", {
    sce <- plotObject()
    limits <- function(...) {
        color_of(plotEmbedding(sce, "time", ...))$get_limits()
    }
    expect_equal(limits(), c(0, 1))
    expect_equal(limits(vmin = -1, vmax = 2), c(-1, 2))
    expect_equal(
        limits(vmax = "p90"), c(0, stats::quantile(sce$time, 0.9)[[1]])
    )
    layer <- ggplot2::layer_data(plotEmbedding(sce, "time", vmax = 0.5), 1)
    expect_length(unique(layer$colour[sce$time >= 0.5]), 1L)
    expectFailure(plotEmbedding(sce, "time", vmin = 1, vmax = 0), "range")
    expectFailure(plotEmbedding(sce, "time", vmax = "p101"), "range")
    expectFailure(plotEmbedding(sce, "time", vmax = "most"), "type")
    own <- ggplot2::layer_data(
        plotEmbedding(sce, "time", color_map = c("#000000", "#ffffff")), 1
    )
    expect_identical(range(tolower(own$colour)), c("#000000", "#ffffff"))
    expectFailure(plotEmbedding(sce, "time", color_map = "jet"), "range")
})

test_that("missing and infinite values are grey and below", {
    sce <- plotObject()
    sce$time[3:4] <- c(NA, Inf)
    layer <- ggplot2::layer_data(plotEmbedding(sce, "time"), 1)
    expect_identical(layer$colour[1:2], rep("#dedede", 2))
    data <- plotEmbeddingData(sce, "time")
    expect_identical(data$time[4], Inf)
    expect_setequal(layer$x[1:2], data$x[3:4])
    sce$group[1] <- NA
    expect_no_warning(drawn(plotEmbedding(sce, "group")))
})

test_that("names of groups stand on the cells", {
    sce <- plotObject()
    plot <- plotEmbedding(sce, "group", legend_loc = "on data")
    labels <- ggplot2::layer_data(plot, 3)
    expect_identical(labels$label, c("A", "B", "C"))
    data <- plotEmbeddingData(sce, "group")
    expect_true(all(labels$x >= min(data$x) & labels$x <= max(data$x)))
    expect_no_error(drawn(plot))
    expect_identical(color_of(plot)$guide, "none")
})

test_that("names stand where a group is dense and alone", {
    grid <- expand.grid(x = seq(0, 1, 0.1), y = seq(0, 1, 0.1))
    # A: one lobe mixed with B, a denser one alone; B: the mixed lobe only.
    data <- rbind(grid, grid, grid / 2 + 8)
    group <- factor(rep(c("A", "B", "A"), each = nrow(grid)))
    labels <- .densestLabels(data, group)
    expect_identical(labels$label, c("A", "B"))
    expect_true(labels$x[1] > 8 && labels$y[1] > 8)
    expect_true(labels$x[2] <= 1 && labels$y[2] <= 1)
    group[group == "B"] <- NA
    expect_identical(.densestLabels(data, group)$label, "A")
    same <- data.frame(x = c(1, 1), y = c(2, 2))
    expect_equal(.densestLabels(same, factor(c("a", "a"))), data.frame(
        x = 1, y = 2, label = "a"
    ))
})

test_that("units are as long on both axes", {
    sce <- plotObject()
    built <- ggplot2::ggplot_build(plotEmbedding(sce))
    range <- built$layout$panel_params[[1]]
    ratio <- diff(range$y.range) / diff(range$x.range)
    expect_equal(built$plot$theme$aspect.ratio, ratio)
    flat <- .equalFrame(c(0, 10), c(0, 1))
    expect_equal(diff(flat$y) / diff(flat$x), flat$aspect)
    expect_gt(flat$aspect, 0.5)
    expect_identical(.equalFrame(c(1, 1), c(2, 2)), list(aspect = 1))
})

test_that("several colours make panels, titles go where they belong", {
    sce <- plotObject()
    plot <- plotEmbedding(sce, c("group", "up"), title = "All", ncol = 1)
    expect_s3_class(plot, "patchwork")
    expect_identical(plot[[1]]$labels$title, "group")
    expect_identical(plot$patches$annotation$title, "All")
    expect_no_error(drawn(plot))
    own <- plotEmbedding(sce, c("group", "up"), title = c("one", "two"))
    expect_identical(own[[2]]$labels$title, "two")
    expect_identical(plotEmbedding(sce, "up", title = "T")$labels$title, "T")
    expectFailure(
        plotEmbedding(sce, c("group", "up", "time"), title = c("a", "b")),
        "shape"
    )
})

test_that("genes come from the assay and experiment asked for", {
    sce <- plotObject()
    genes <- SummarizedExperiment::assay(sce, "logcounts")
    SummarizedExperiment::assay(sce, "twice") <- 2 * genes
    expect_identical(
        plotEmbeddingData(sce, "up", assay = "twice")$up,
        2 * plotEmbeddingData(sce, "up")$up
    )
    more <- SingleCellExperiment::SingleCellExperiment(
        list(logcounts = genes[1, , drop = FALSE] + 1)
    )
    rownames(more) <- "tag"
    SingleCellExperiment::reducedDim(more, "PCA") <- matrix(
        0:1, ncol(sce), 2
    )
    SingleCellExperiment::altExp(sce, "tags") <- more
    data <- plotEmbeddingData(sce, "tag", experiment = "tags")
    expect_identical(data$tag, unname(genes["up", ] + 1))
    expect_identical(data$x, rep(c(0, 1), 30))
    expectFailure(plotEmbedding(sce, "up", assay = "none"), "missing_key")
    expect_error(
        plotEmbedding(sce, "up", experiment = "no"),
        "no alternative experiment `no`"
    )
})

test_that("a column goes before a gene of the same name", {
    sce <- plotObject()
    sce$up <- seq_len(ncol(sce))
    expect_identical(plotEmbeddingData(sce, "up")$up, sce$up)
})

test_that("assays on disk give the same numbers", {
    sce <- plotObject()
    plain <- plotEmbeddingData(sce, "up")
    SummarizedExperiment::assay(sce, "logcounts") <- DelayedArray::DelayedArray(
        SummarizedExperiment::assay(sce, "logcounts")
    )
    expect_identical(plotEmbeddingData(sce, "up"), plain)
})

test_that("an estimator stands for its object", {
    fit <- plotFit()
    expect_identical(
        plotEmbeddingData(fit, "group"),
        plotEmbeddingData(plotObject(), "group")
    )
})

test_that("wrong arguments are refused and nothing is stored", {
    sce <- plotObject()
    before <- sce
    plotEmbedding(sce, "group")
    expect_identical(sce, before)
    unknown <- expectFailure(plotEmbedding(sce, "grup"), "missing_key")
    expect_match(conditionMessage(unknown), "Did you mean `group`")
    gene <- expectFailure(plotEmbedding(sce, "othr"), "missing_key")
    expect_match(conditionMessage(gene), "`other`", fixed = TRUE)
    sce$when <- as.Date("2020-01-01") + seq_len(ncol(sce))
    expectFailure(plotEmbedding(sce, "when"), "type", list(key = "when"))
    expectFailure(plotEmbedding(sce, 3), "type")
    expectFailure(plotEmbedding(sce, colour = "up"), "unknown_argument")
    expectFailure(plotEmbedding(sce, alpha = 0), "range")
    expectFailure(plotEmbedding(sce, legend_loc = "left"), "range")
    expectFailure(plotEmbedding(diag(3)), "container_class")
    expectFailure(plotEmbedding(sce, na_color = "nocolour"), "type")
})
