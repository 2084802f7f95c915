values <- matrix(
    c(0.7, 0.2, 0.5, 0.2, 0.3, 0.1, 0.1, 0.5, 0.4), 3,
    dimnames = list(c("c1", "c2", "c3"), c("A", "B", "C"))
)
x <- Lineage(values, colors = c("#ff0000", "#00ff00", "#0000ff"))

test_that("the data are the reduction over the cells", {
    data <- plotPieData(x)
    expect_identical(
        names(data), c("lineage", "value", "share", "color", "label")
    )
    expect_identical(levels(data$lineage), c("A", "B", "C"))
    expect_equal(data$value, unname(colMeans(values)))
    expect_identical(data$color, unname(lineageColors(x)))
    expect_identical(data$label[1], "0.4667")
    largest <- plotPieData(x, "max")
    expect_equal(largest$value, c(0.7, 0.3, 0.5))
    expect_equal(largest$share, c(0.7, 0.3, 0.5) / 1.5)
    gap <- x
    gap[2, ] <- NA
    expect_equal(plotPieData(gap)$value, unname(colMeans(values[-2, ])))
})

test_that("slices fill the circle in order, with names beside them", {
    plot <- plotPie(x)
    expect_s3_class(plot, "ggplot")
    slices <- ggplot2::layer_data(plot, 1L)
    expect_identical(
        unique(slices$fill), c("#ff0000", "#00ff00", "#0000ff")
    )
    area <- vapply(split(slices, slices$fill), function(s) {
        n <- nrow(s)
        after <- c(seq_len(n)[-1L], 1L)
        abs(sum(s$x * s$y[after] - s$x[after] * s$y)) / 2
    }, 1)
    share <- plotPieData(x)$share
    expect_equal(
        unname(area[c("#ff0000", "#00ff00", "#0000ff")]) / pi, share,
        tolerance = 1e-3
    )
    text <- ggplot2::layer_data(plot, 3L)$label
    expect_identical(text, c("A (0.4667)", "B (0.2)", "C (0.3333)"))
    expect_identical(plot$labels$title, "Mean over 3 cells")
    expect_identical(
        ggplot2::layer_data(plotPie(x, legend_loc = "right"), 3L)$label[2],
        "0.2"
    )
    expect_identical(plotPie(x, title = "My pie")$labels$title, "My pie")
})

test_that("names of thin slices do not overlap", {
    thin <- Lineage(matrix(c(0.9, rep(0.0125, 8)), 1))
    place <- ggplot2::layer_data(plotPie(thin), 3L)
    for (side in split(place$y, place$x > 0)) {
        expect_true(all(diff(sort(side)) > 0.169))
    }
    inside <- ggplot2::layer_data(plotPie(thin), 2L)
    expect_true(all(sqrt(inside$xend^2 + inside$yend^2) > 1))
})

test_that("a lineage of zero has no slice, and one alone is a circle", {
    sure <- Lineage(matrix(c(1, 0), 1))
    slices <- ggplot2::layer_data(plotPie(sure), 1L)
    expect_false(any(slices$x == 0 & slices$y == 0 & slices$group == 1))
    expect_identical(ggplot2::layer_data(plotPie(sure), 3L)$label, "1 (1)")
})

test_that("what makes no pie is an error", {
    expectFailure(plotPie(x[, "A"]), "shape", list(n = 1L))
    expectFailure(plotPieData(x[, "A"]), "shape")
    expectFailure(plotPie(Lineage(matrix(0, 2, 2))), "range")
    expectFailure(plotPie(Lineage(matrix(c(-1, 2), 1))), "range")
    expectFailure(plotPie(Lineage(matrix(NA_real_, 2, 2))), "range")
    expectFailure(plotPie(x, reduction = "median"), "range")
    expectFailure(plotPie(x, legend_loc = "left"), "range")
    expectFailure(plotPie(x, colour = 1), "unknown_argument")
    expectFailure(plotPie(values), "type")
})

test_that("estimators and objects are drawn by their fates", {
    fit <- fitted()
    expect_identical(plotPieData(fit), plotPieData(fateProbabilities(fit)))
    expect_identical(plotPieData(container(fit)), plotPieData(fit))
})
