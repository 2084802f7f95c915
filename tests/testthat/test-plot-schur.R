test_that("the entries are those of the matrix, without the empty half", {
    ring <- 0.5 * diag(9)
    ring[cbind(1:9, c(2:9, 1))] <- 0.5
    fit <- suppressMessages(computeSchur(GPCCA(ring), 5))
    r <- fit@results$schur$matrix
    data <- plotSchurMatrixData(fit)
    expect_identical(r[cbind(data$row, data$column)], data$value)
    below <- data[data$row > data$column, ]
    expect_identical(below$row, c(3L, 5L))
    expect_identical(nrow(data), 17L)
    plot <- plotSchurMatrix(fit)
    built <- ggplot2::ggplot_build(plot)
    expect_identical(
        built$data[[2]]$label[data$row == 1L & data$column == 1L], "1.00"
    )
    expect_length(plotSchurMatrix(fit, annotate = FALSE)$layers, 1L)
    expectFailure(plotSchurMatrix(GPCCA(ring)), "not_computed")
    expectFailure(plotSchurMatrix(fit, color_map = "jet"), "range")
})
