test_that("groups have their own colours", {
    x <- pagaObject()
    fill <- function(plot) ggplot2::layer_data(plot, 2)$fill
    expect_identical(fill(plotPAGA(x)), .palette[1:4])
    expect_identical(fill(plotPAGA(x, color = "kind")), .palette[1:4])
    S4Vectors::metadata(x)$kind_colors <- c(
        root = "#000000", A = "#aa0000", B = "#00aa00", C = "#0000aa"
    )
    expect_identical(
        fill(plotPAGA(x)), c("#000000", "#aa0000", "#00aa00", "#0000aa")
    )
    own <- c(C = "red", root = "white", B = "black", A = "blue")
    expect_identical(
        fill(plotPAGA(x, color = own)),
        c("#ffffff", "#0000ff", "#000000", "#ff0000")
    )
    expect_identical(fill(plotPAGA(x, palette = c(B = "red")))[3], "#ff0000")
    expectFailure(plotPAGA(x, color = own[-1]), "shape")
    names(own)[1] <- "D"
    expectFailure(plotPAGA(x, color = own), "missing_key", list(key = "D"))
})

test_that("genes and numbers are means over the cells of a group", {
    for (x in list(pagaObject(), pagaSeurat())) {
        nodes <- plotPAGAData(x, color = c("up", "time"))$nodes
        sce <- pagaObject()
        genes <- SummarizedExperiment::assay(sce, "logcounts")
        mean_of <- function(v) as.vector(tapply(v, sce$kind, mean))
        expect_equal(nodes$up, mean_of(genes["up", ]))
        expect_equal(nodes$time, mean_of(sce$time))
    }
    x <- pagaObject()
    x$time[1:2] <- c(NA, Inf)
    x$none <- NA_real_
    nodes <- plotPAGAData(x, color = c("time", "none"))$nodes
    expect_equal(nodes$time[1], mean(x$time[x$kind == "root"][-(1:2)]))
    expect_identical(nodes$none, rep(NA_real_, 4))
    expect_no_error(drawn(plotPAGA(x, color = c("time", "up"))))
    own <- plotPAGAData(x, color = c(C = 4, root = 1, A = 2, B = 3))$nodes
    expect_identical(own$color, c(1, 2, 3, 4))
    expect_no_error(drawn(plotPAGA(x, color = 1:4)))
    expectFailure(plotPAGA(x, color = 1:3), "shape")
})

test_that("a category is the most frequent of the group, or claims it", {
    x <- pagaObject()
    # 7 of 9 in root, half of A, and `rare` in A alone.
    x$mark <- factor(rep("common", ncol(x)), levels = c("rare", "common"))
    inside <- which(x$kind == "A")
    x$mark[inside[1:3]] <- "rare"
    mark <- function(...) {
        as.character(plotPAGAData(x, color = "mark", ...)$nodes$mark)
    }
    expect_identical(mark(), rep("common", 4))
    expect_identical(
        mark(normalize_to_color = TRUE),
        c("common", "rare", "common", "common")
    )
    pies <- plotPAGAData(x, color = "mark", pie = TRUE)$pies
    counts <- table(x$kind, x$mark)
    expect_equal(pies$share, as.vector(counts / rowSums(counts)))
    expect_identical(
        as.character(pies$group), rep(levels(x$kind), 2)
    )
    expect_no_error(drawn(plotPAGA(x, color = c("mark", "up"), pie = TRUE)))
})

test_that("degrees are shares of the largest", {
    x <- pagaObject()
    solid <- plotPAGAData(x, color = "degree_solid")$nodes$degree_solid
    expect_equal(solid, c(1.6, 0.82, 0.52, 0.3) / 1.6)
    dashed <- plotPAGAData(
        x,
        color = "degree_dashed", dashed_edges = "connectivities_tree"
    )$nodes$degree_dashed
    expect_equal(dashed, c(1.6, 0.8, 0.5, 0.3) / 1.6)
    expectFailure(plotPAGA(x, color = "degree_dashed"), "missing_key")
})

test_that("pies show the shares given, the rest in grey", {
    x <- pagaObject()
    pies <- list(
        A = c(red = 0.25, blue = 0.5), root = c(red = 1), B = c(blue = 0.1),
        C = list(blue = 0.5, red = 0.5)
    )
    plot <- plotPAGA(x, color = pies)
    slices <- ggplot2::layer_data(plot, 2)
    turn <- tapply(slices$to - slices$from, slices[c("x", "y", "fill")], sum)
    expect_equal(turn["1", "1", "#ff0000"], 0.25)
    expect_equal(turn["1", "1", .backgroundColor], 0.25)
    expect_equal(turn["0", "0", "#ff0000"], 1)
    expect_equal(
        as.vector(tapply(slices$to, paste(slices$x, slices$y), max)),
        rep(1, 4)
    )
    expect_no_error(drawn(plot))
    over <- pies
    over$A <- c(red = 0.9, blue = 0.2)
    expectFailure(plotPAGA(x, color = over), "range", list(groups = "A"))
    expectFailure(plotPAGA(x, color = pies[1:2]), "shape")
    bad <- pies
    bad$A <- c(0.5, 0.5)
    expectFailure(plotPAGA(x, color = bad), "type", list(groups = "A"))
})
