tsiDrawn <- function() {
    once("tsiDrawn", suppressWarnings(computeTsi(
        GPCCA(VelocityKernel(tree()), n_threads = 2), 5,
        setdiff(levels(tree()$cell_type), c("root", "intermediate")),
        "cell_type", n_cells = 15, n_threads = 2
    )))
}

test_that("steps hold the counts, and the optimum is drawn once", {
    fit <- tsiDrawn()
    data <- plotTsiData(fit)
    expect_identical(data$number_of_macrostates, 1:5)
    expect_identical(
        data$identified_terminal_states,
        rev(tsi(fit)$identified_terminal_states)
    )
    plot <- plotTsi(fit)
    best <- ggplot2::layer_data(plot, 2)
    expect_equal(best$y, c(data$optimal_identification, data[5, 3]))
    found <- ggplot2::layer_data(plot, 1)
    expect_equal(found$y[1:5], data$identified_terminal_states)
    expect_equal(found$x, seq(0.5, 5.5))
    expect_match(plot$labels$title, format(round(attr(tsi(fit), "score"), 3)))
    drawn(plot)
})

test_that("several chains are compared in one figure", {
    fit <- tsiDrawn()
    pair <- list(one = fit, two = computeTsi(fit, 3, n_cells = 15))
    data <- plotTsiData(pair)
    expect_identical(as.vector(table(data$name)), c(5L, 3L))
    expect_identical(nrow(ggplot2::layer_data(plotTsi(pair), 1)), 10L)
    drawn(plotTsi(pair, color = c("red", "blue")))
    expectFailure(plotTsi(pair, color = "red"), "shape")
    expectFailure(plotTsi(unname(pair)), "type")
    expectFailure(plotTsi(list(a = fit, a = fit)), "duplicate_names")
    expectFailure(plotTsi(GPCCA(blocks())), "not_computed")
})
