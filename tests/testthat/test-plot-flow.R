flowKernel <- function(backward = FALSE, sce = flowCourse()) {
    computeTransitionMatrix(RealTimeKernel(
        sce, "day", courseCouplings(sce), backward = backward
    ), n_threads = 1)
}

# Three clusters, one of which no cell of the last day has.
flowCourse <- function() {
    sce <- course()
    at <- rep_len(1:3, ncol(sce))
    at[sce$day == 3 & at == 3] <- 1
    sce$type <- factor(c("x", "y", "z")[at], levels = c("z", "y", "x", "none"))
    sce
}

# Shares of one step by their definition.
slowFlow <- function(m, sce, cluster, from, to, clusters) {
    m <- as.matrix(m)
    sums <- vapply(clusters, function(c) {
        sum(m[sce$day == from & sce$type == cluster, sce$day == to &
            sce$type == c])
    }, 1)
    sums / sum(sums)
}

test_that("flows and sizes are sums over pairs of cells", {
    sce <- flowCourse()
    k <- flowKernel()
    m <- transitionMatrix(k)
    found <- plotSingleFlowData(k, "x", "type")
    for (step in 0:2) {
        part <- found$flow[found$flow$time == step, ]
        expect_identical(part$next_time, rep(as.character(step + 1), 3))
        want <- slowFlow(m, sce, "x", step, step + 1, part$target)
        expect_equal(part$flow, unname(want), tolerance = 1e-13)
    }
    share <- prop.table(table(sce$type, sce$day), 2)
    expect_equal(
        found$sizes$share,
        share[cbind(found$sizes$cluster, found$sizes$time)]
    )
    # Fewer clusters: shares among those, of the same matrix.
    part <- plotSingleFlowData(
        k, "x", "type", clusters = "y", time_points = c(2, 1)
    )
    expect_identical(part$flow$target, c("y", "x"))
    expect_equal(
        part$flow$flow, unname(slowFlow(m, sce, "x", 1, 2, c("y", "x"))),
        tolerance = 1e-13
    )
    # Days that are not neighbours have no flow between them.
    expectFailure(
        plotSingleFlowData(k, "x", "type", time_points = c(0, 2)), "range"
    )
    # A column may be named for any kernel; an expression knows its leaf's.
    other <- computeTransitionMatrix(ConnectivityKernel(
        buildNeighbors(sce, n_neighbors = 5)
    ))
    other@matrix <- m
    expect_identical(
        plotSingleFlowData(other, "x", "type", time_key = "day"), found
    )
    expect_identical(plotSingleFlowData(1 * k, "x", "type"), found)
    seurat <- courseSeurat(sce)
    k@container <- suppressWarnings(
        .writeCellData(seurat, list(type = sce$type))
    )
    expect_identical(plotSingleFlowData(k, "x", "type"), found)
    for (threads in 1:2) {
        withr::local_options(fatecast.threads = threads)
        expect_identical(plotSingleFlowData(k, "x", "type"), found)
    }
})

test_that("a backward kernel flows to earlier days", {
    sce <- flowCourse()
    k <- flowKernel(backward = TRUE)
    found <- plotSingleFlowData(k, "x", "type")$flow
    expect_identical(unique(found$time), c("3", "2", "1"))
    last <- found[found$time == "1", ]
    expect_equal(
        last$flow, unname(slowFlow(
            transitionMatrix(k), sce, "x", 1, 0, last$target
        )), tolerance = 1e-13
    )
    drawn(plotSingleFlow(k, "x", "type"))
})

test_that("clusters are ordered by their flow around the source", {
    flow <- list(
        flow = rbind(c(a = 0.1, b = 0.4, s = 0.2, c = 0.2, d = 0.1)),
        cluster = "s"
    )
    expect_identical(.flowOrder(flow, FALSE), c("a", "b", "s", "c", "d"))
    expect_identical(.flowOrder(flow, TRUE), c("c", "a", "s", "d", "b"))
    expect_identical(.flowOrder(flow, NULL), c("a", "b", "s", "c", "d"))
    sizes <- rbind(a = c(0.1, 0.5), b = c(0.4, 0.2), c = c(0.5, 0.3))
    expect_equal(
        .flowOffsets(sizes, c("b", "a", "c")), c(b = 0, a = 0.9, c = 1.9)
    )
    expect_equal(
        .flowPlaces(c("1", "1.5", "3")), c("1" = 0, "1.5" = 1, "3" = 4)
    )
    expect_equal(.flowPlaces(c("4", "2", "1")), c("4" = 0, "2" = 2, "1" = 3))
})

test_that("bands keep apart and ribbons stay within their bands", {
    flow <- .layFlow(.singleFlow(
        flowKernel(), "x", "type", NULL, NULL, NULL, 0, TRUE
    ), FALSE)
    bands <- .bandShapes(flow)
    for (at in seq_along(flow$order)[-1L]) {
        upper <- bands[bands$cluster == flow$order[at], ]
        lower <- bands[bands$cluster == flow$order[at - 1L], ]
        expect_true(all(upper$low > lower$high))
    }
    style <- list(
        alpha = 0.8, colors = stats::setNames(
            c("#ff0000", "#00ff00", "#0000ff"), flow$order
        )
    )
    shapes <- .ribbonShapes(flow, bands, style, pieces = 4L)
    source <- bands[bands$cluster == "x", ]
    start <- shapes[shapes$x == 0, ]
    expect_true(all(start$y >= source$low[1L] & start$y <= source$high[1L]))
    expect_equal(.logisticRise(c(0, 0.5, 1)), c(0, 0.5, 1))
    expect_identical(
        .ribbonColors("a", "b", list(
            colors = c(a = "#000000", b = "#ff0000"), alpha = 1
        ), 2L), c("#b29999", "#cc3333")
    )
})

test_that("the figure shows clusters in their colours", {
    sce <- .writeColors(flowCourse(), "type", c(
        z = "#111111", y = "#222222", x = "#333333", none = "#444444"
    ))
    k <- flowKernel(sce = sce)
    plot <- drawn(plotSingleFlow(k, "x", "type"))
    expect_s3_class(plot, "ggplot")
    fills <- unlist(lapply(ggplot2::ggplot_build(plot)$data, function(d) {
        if ("ymin" %in% names(d)) unique(d$fill)
    }))
    order <- plotSingleFlowData(k, "x", "type")$bands$cluster
    expect_identical(fills, unname(c(
        z = "#111111", y = "#222222", x = "#333333"
    )[order]))
    plot <- drawn(plotSingleFlow(
        k, "x", "type", legend_loc = "right", xticks_step_size = 2,
        palette = c(x = "red"), title = "Days", alpha = 0.5, min_flow = 0.05
    ))
    expect_identical(plot$labels$title, "Days")
    drawn(plotSingleFlow(
        k, "x", "type", legend_loc = "none", xticks_step_size = NULL,
        ascending = NULL, clusters = c("x", "z")
    ))
    # A choice of clusters keeps their colours.
    part <- ggplot2::ggplot_build(
        plotSingleFlow(k, "x", "type", clusters = "z")
    )$data
    expect_true(any(vapply(part, function(d) {
        identical(unique(d$fill), "#111111")
    }, NA)))
})

test_that("empty clusters go unless they are asked for", {
    sce <- flowCourse()
    sce$type[sce$type == "z" & sce$day != 0] <- "y"
    k <- flowKernel(sce = sce)
    kept <- function(...) plotSingleFlowData(k, "x", "type", ...)$bands$cluster
    expect_setequal(kept(), c("x", "y"))
    expect_setequal(kept(remove_empty_clusters = FALSE), c("x", "y", "z"))
    expect_setequal(kept(min_flow = 0.5, remove_empty_clusters = FALSE),
        c("x", "y", "z"))
})

test_that("what cannot be drawn is refused", {
    sce <- flowCourse()
    k <- flowKernel()
    raw <- RealTimeKernel(sce, "day", courseCouplings(sce))
    expectFailure(plotSingleFlow(raw, "x", "type"), "not_computed")
    refused <- function(kind, ..., cluster = "x", key = "type") {
        expectFailure(plotSingleFlow(k, cluster, key, ...), kind)
    }
    refused("missing_key", key = "nothing")
    expect_identical(refused("missing_key", cluster = "q")$key, "q")
    refused("missing_key", clusters = c("q", "r"))
    refused("range", clusters = "x")
    refused("missing_key", time_key = "nothing")
    refused("missing_key", time_points = c(7, 8))
    refused("range", time_points = 1)
    refused("type", time_key = "type")
    e <- refused("range", min_flow = Inf)
    expect_identical(e$argument, "min_flow")
    expect_lt(e$largest, 1)
    refused("range", min_flow = -1)
    refused("range", alpha = 0)
    refused("range", legend_loc = "left")
    refused("type", ascending = "yes")
    refused("unknown_argument", colour = 1)
    numbers <- sce
    numbers$type <- seq_len(ncol(sce))
    k@container <- numbers
    refused("type")
    plain <- computeTransitionMatrix(ConnectivityKernel(
        buildNeighbors(sce, n_neighbors = 5)
    ))
    expectFailure(plotSingleFlow(plain, "x", "type"), "missing_key")
})
