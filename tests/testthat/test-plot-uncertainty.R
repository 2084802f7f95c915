unsure <- function(...) {
    suppressWarnings(bootstrapFates(
        fitted(), n_boot = 6, random_state = 1, n_threads = 2, ...
    ))
}

test_that("data and figure hold the same numbers", {
    fit <- unsure()
    u <- fateUncertainty(fit)
    data <- plotFateUncertaintyData(fit)
    n <- length(.cells(fit))
    expect_identical(nrow(data), n * ncol(u$lower))
    expect_identical(
        data$width, as.vector(as.matrix(u$upper) - as.matrix(u$lower))
    )
    expect_identical(data$fate, as.vector(as.matrix(fateProbabilities(fit))))
    one <- lineageNames(fit)[2L]
    plot <- plotFateUncertainty(fit, states = one, value = "sd")
    layer <- ggplot2::layer_data(plot, 1)
    expect_identical(nrow(layer), n)
    expect_identical(plot$labels$title, one)
})

test_that("all panels share a scale, and stable states have a panel", {
    fit <- unsure(terminal = "recomputed")
    plot <- plotFateUncertainty(fit)
    expect_s3_class(plot, "patchwork")
    lineages <- lineageNames(fit)
    limits <- lapply(seq_along(lineages), function(k) {
        plot[[k]]$scales$get_scales("colour")$limits
    })
    expect_identical(length(unique(limits)), 1L)
    last <- plot[[length(lineages) + 1L]]
    expect_identical(
        ggplot2::layer_data(last, 1)$x,
        fateUncertainty(fit)$stability$stability
    )
    path <- withr::local_tempfile(fileext = ".pdf")
    grDevices::pdf(path)
    expect_silent(print(plot))
    grDevices::dev.off()
    expect_gt(file.size(path), 0)
})

test_that("what cannot be drawn is refused", {
    expectFailure(plotFateUncertainty(fitted()), "not_computed")
    fit <- unsure()
    expectFailure(plotFateUncertainty(fit, "nobody"), "missing_key")
    expectFailure(plotFateUncertainty(fit, value = "bias"), "range")
    expectFailure(plotFateUncertainty(fit, basis = "none"), "missing_key")
    expectFailure(plotFateUncertainty(fit, colour = 1), "unknown_argument")
})
