path_of <- function(x, ...) {
    plotPAGAPathData(
        x, c("root", "A"), c("up", "down"),
        time_key = "time", ...
    )
}

test_that("cells go by group, then by pseudotime, in both containers", {
    sce <- pagaObject()
    data <- path_of(sce)
    expect_identical(
        names(data), c("cell", "group", "distance", "up", "down")
    )
    cells <- match(data$cell, colnames(sce))
    expect_setequal(cells, which(sce$kind %in% c("root", "A")))
    expect_identical(
        rle(as.character(data$group))$values, c("root", "A")
    )
    expect_identical(data$distance, sce$time[cells])
    for (group in c("root", "A")) {
        expect_false(is.unsorted(data$distance[data$group == group]))
    }
    genes <- SummarizedExperiment::assay(sce, "logcounts")
    expect_identical(data$up, unname(genes["up", cells]))
    expect_identical(path_of(pagaSeurat()), data)
    expect_identical(
        path_of(sce),
        plotPAGAPathData(sce, 1:2, c("up", "down"), time_key = "time")
    )
})

test_that("the moving average counts full windows", {
    sce <- pagaObject()
    plain <- path_of(sce, annotations = "group")
    data <- path_of(sce, n_avg = 4, annotations = "group")
    expect_identical(nrow(data), nrow(plain) - 3L)
    expect_equal(data$up[5], mean(plain$up[5:8]))
    expect_equal(data$distance[5], mean(plain$distance[5:8]))
    expect_identical(data$cell[5], plain$cell[6])
    expect_identical(data$group.1[5], plain$group.1[6])
    expectFailure(path_of(sce, n_avg = 1000), "range")
    expectFailure(path_of(sce, n_avg = 0), "range")
})

test_that("keys can be scaled to run from 0 to 1", {
    data <- path_of(pagaObject(), normalize_to_zero_one = TRUE)
    expect_identical(range(data$up), c(0, 1))
    flat <- plotPAGAPathData(
        pagaObject(), "root", "flat",
        time_key = "time", normalize_to_zero_one = TRUE
    )
    expect_identical(unique(flat$flat), 0)
})

test_that("cells without a pseudotime are left out with a warning", {
    sce <- pagaObject()
    first <- which(sce$kind == "A")[1]
    sce$time[first] <- Inf
    sce$time[which(sce$kind == "B")[1]] <- NA
    warning <- expect_warning(
        data <- path_of(sce),
        class = "fatecast_warning_dropped"
    )
    expect_identical(warning$cells, colnames(sce)[first])
    expect_false(colnames(sce)[first] %in% data$cell)
})

test_that("the figure stacks rows, annotations and groups", {
    sce <- pagaObject()
    plot <- plotPAGAPath(
        sce, c("root", "A", "C"), c("up", "down", "time"),
        time_key = "time", annotations = c("time", "group"), n_avg = 3,
        title = "Path"
    )
    expect_s3_class(plot, "patchwork")
    expect_identical(plot$patches$annotation$title, "Path")
    expect_length(plot$patches$plots, 3L)
    data <- plotPAGAPathData(
        sce, c("root", "A", "C"), "up",
        time_key = "time", n_avg = 3
    )
    heat <- ggplot2::layer_data(plot[[1]], 1)
    expect_identical(nrow(heat), 3L * nrow(data))
    # The first key is the top row.
    top <- plot[[1]]$data
    expect_identical(levels(top$key), c("time", "down", "up"))
    expect_equal(top$value[top$key == "up"], data$up)
    groups <- ggplot2::layer_data(plot[[4]], 1)
    expect_identical(groups$fill, unname(
        stats::setNames(.palette[1:4], levels(sce$kind))[
            as.character(data$group)
        ]
    ))
    expect_no_error(drawn(plot))
    lines <- plotPAGAPath(
        sce, c("root", "A"), c("up", "up"),
        time_key = "time", as_heatmap = FALSE, annotations = NULL,
        palette = c(root = "black")
    )
    expect_length(lines$patches$plots, 1L)
    expect_no_error(drawn(lines))
})

test_that("long paths are drawn in steps", {
    path <- list(
        cell = paste0("c", 1:2500), group = factor(rep(c("a", "b"), 1250)),
        distance = as.double(1:2500), bars = list(t = as.double(1:2500)),
        keys = list(k = as.double(1:2500))
    )
    thin <- .thinPath(path, 1000L)
    expect_length(thin$cell, 1000L)
    expect_equal(thin$keys$k[1:2], c(2, 4.5))
    expect_equal(mean(thin$distance), mean(path$distance), tolerance = 1e-3)
    expect_false(is.unsorted(thin$distance))
    expect_identical(.thinPath(path, 2500L), path)
})

test_that("wrong arguments are refused", {
    sce <- pagaObject()
    missing <- "missing_key"
    gone <- expectFailure(plotPAGAPath(sce, "root", "up"), missing)
    expect_match(conditionMessage(gone), "computeDPT", fixed = TRUE)
    on <- function(nodes = "root", keys = "up", ...) {
        plotPAGAPath(sce, nodes, keys, time_key = "time", ...)
    }
    expectFailure(on(nodes = c("root", "D")), missing, list(key = "D"))
    expectFailure(on(nodes = 7), missing)
    expectFailure(on(keys = "nothing"), missing)
    expectFailure(on(annotations = "nothing"), missing)
    expectFailure(on(keys = "group"), "type", list(key = "group"))
    expectFailure(on(keys = character()), "type")
    expectFailure(on(n_average = 3), "unknown_argument")
    expectFailure(
        plotPAGAPath(plotObject(), "root", "up"), "not_computed"
    )
})
