draw <- function(plot) {
    path <- withr::local_tempfile(fileext = ".pdf")
    grDevices::pdf(path)
    on.exit(grDevices::dev.off())
    print(plot)
}

test_that("cells of states have their colour, all others are grey", {
    fit <- plotFit()
    data <- plotMacrostatesData(fit)
    expect_identical(names(data), c("cell", "x", "y", "state", "color"))
    expect_identical(data$state, unname(fit@results$macrostates$assignment))
    colors <- lineageColors(fit@results$fates)
    inside <- !is.na(data$state)
    expect_identical(
        data$color[inside], unname(colors[as.character(data$state[inside])])
    )
    expect_identical(unique(data$color[!inside]), "#dedede")
    plot <- plotMacrostates(fit)
    expect_identical(nrow(ggplot2::layer_data(plot, 1)), sum(!inside))
    top <- ggplot2::layer_data(plot, 2)
    expect_identical(nrow(top), sum(inside))
    expect_identical(sort(unique(top$fill)), sort(unname(colors)))
    expect_identical(
        ggplot2::layer_data(plot, 4)$label, names(colors)
    )
})

test_that("states can be chosen and drawn apart", {
    fit <- plotFit()
    data <- plotMacrostatesData(fit, "terminal", states = "B")
    expect_identical(levels(data$state), "B")
    plot <- plotMacrostates(fit, same_plot = FALSE, ncol = 3)
    expect_s3_class(plot, "patchwork")
    expect_identical(plot[[2]]$labels$title, "B")
    states <- fit@results$macrostates$assignment
    expect_identical(
        nrow(ggplot2::layer_data(plot[[2]], 2)), sum(states %in% "B")
    )
    expect_no_error(draw(plot))
    expect_no_error(draw(plotMacrostates(
        fit,
        color = "group", legend_loc = "right"
    )))
})

test_that("memberships are drawn as probabilities are", {
    fit <- plotFit()
    expect_identical(
        plotMacrostatesData(fit, discrete = FALSE),
        plotFateProbabilitiesData(fit)
    )
    expect_identical(
        plotMacrostatesData(fit, mode = "time", time_key = "time"),
        plotFateProbabilitiesData(fit, mode = "time", time_key = "time")
    )
    expect_no_error(draw(plotMacrostates(fit, discrete = FALSE)))
})

test_that("without memberships the assignment is drawn, with a warning", {
    results <- plotResults(plotObject())
    results$terminal$memberships <- NULL
    fit <- plotFit(results = results)
    expect_warning(
        data <- plotMacrostatesData(fit, "terminal", discrete = FALSE),
        class = "fatecast_warning_fallback"
    )
    expect_true("state" %in% names(data))
    expect_no_warning(plotMacrostatesData(fit))
})

test_that("initial states are drawn from their own step", {
    fit <- plotFit()
    data <- plotMacrostatesData(fit, "initial")
    inside <- fit@container$time < 0.1
    expect_identical(!is.na(data$state), inside)
    expect_identical(unique(data$color[inside]), "#d62728")
    expect_error(
        plotMacrostates(fit, "initial", states = "A"),
        class = "fatecast_error_missing_key"
    )
    expect_no_error(draw(plotMacrostates(fit, "initial")))
})

test_that("states keep the names and colours of their own memberships", {
    results <- plotResults(plotObject())
    levels(results$terminal$assignment)[2] <- "New"
    results$terminal$memberships <- Lineage(
        results$terminal$memberships, names = c("A", "New", "C"),
        colors = c("#000000", "#aa40fc", "#ffffff")
    )
    results$terminal$colors <- c("#000000", "#aa40fc", "#ffffff")
    fit <- plotFit(results = results)
    data <- plotMacrostatesData(fit, "terminal")
    new <- unique(data$color[which(data$state == "New")])
    expect_identical(new, "#aa40fc")
    soft <- plotMacrostatesData(fit, "terminal", "New", discrete = FALSE)
    expect_identical(
        soft$first_value,
        as.vector(as.matrix(results$terminal$memberships)[, "New"])
    )
})

test_that("an object with the results is drawn as its estimator is", {
    fit <- fitted()
    stored <- container(fit)
    for (which in c("all", "terminal")) {
        for (discrete in c(TRUE, FALSE)) {
            expect_equal(
                plotMacrostatesData(stored, which, discrete = discrete),
                plotMacrostatesData(fit, which, discrete = discrete)
            )
        }
    }
    expect_equal(plotFateProbabilitiesData(stored),
        plotFateProbabilitiesData(fit))
    expect_error(
        plotFateProbabilities(stored, backward = TRUE),
        class = "fatecast_error_not_computed"
    )
    seurat <- container(GPCCA(
        transitionMatrix(fit), container = seuratFrom(tree())
    ))
    expect_error(
        plotMacrostates(seurat), class = "fatecast_error_not_computed"
    )
})

test_that("wrong arguments are refused", {
    fit <- plotFit()
    expect_error(
        plotMacrostates(fit, states = "D"),
        class = "fatecast_error_missing_key"
    )
    expect_error(
        plotMacrostates(fit, "first"),
        class = "fatecast_error_range"
    )
    expect_error(
        plotMacrostates(fit, descrete = TRUE),
        class = "fatecast_error_unknown_argument"
    )
    expect_error(
        plotMacrostates(plotFit(results = list())),
        class = "fatecast_error_not_computed"
    )
})
