pairs <- function() {
    ring <- 0.5 * diag(9)
    ring[cbind(1:9, c(2:9, 1))] <- 0.5
    suppressMessages(computeSchur(GPCCA(ring), 5))
}

test_that("the numbers are the eigenvalues", {
    fit <- computeSchur(GPCCA(blocks()), n_components = 5)
    data <- plotSpectrumData(fit)
    expect_identical(data$real, Re(eigenvalues(fit)))
    expect_identical(data$imaginary, Im(eigenvalues(fit)))
    expect_identical(which(data$eigengap), fit@results$schur$eigengap + 1L)
    expect_identical(nrow(plotSpectrumData(fit, n = 3)), 3L)
    expect_identical(
        as.character(plotSpectrumData(pairs())$type),
        c("real", rep("complex", 4))
    )
    expectFailure(plotSpectrumData(fit, n = 6), "range")
    expectFailure(plotSpectrumData(GPCCA(blocks())), "not_computed")
    other <- computeEigendecomposition(GPCCA(blocks()), k = 5)
    expect_equal(plotSpectrumData(other)$real, data$real)
})

test_that("complex eigenvalues call for the plane, real ones do not", {
    inPlane <- function(plot) {
        inherits(plot$coordinates, "CoordFixed") &&
            !is.null(plot$coordinates$limits$x)
    }
    fit <- computeSchur(GPCCA(blocks()), n_components = 3)
    expect_false(inPlane(plotSpectrum(fit)))
    expect_true(inPlane(plotSpectrum(pairs())))
    expect_false(inPlane(plotSpectrum(pairs(), real_only = TRUE)))
    plane <- plotSpectrum(pairs())
    spans <- lapply(plane$coordinates$limits, diff)
    expect_equal(spans$x, spans$y)
    dashes <- function(plot) {
        any(vapply(plot$layers, function(l) inherits(l$geom, "GeomVline"), NA))
    }
    expect_true(dashes(plotSpectrum(fit)))
    expect_false(dashes(plotSpectrum(fit, show_eigengap = FALSE)))
    for (plot in list(plotSpectrum(fit), plane)) {
        expect_s3_class(ggplot2::ggplot_build(plot), "ggplot_built")
    }
    expectFailure(plotSpectrum(fit, colour = "none"), "unknown_argument")
    expectFailure(plotSpectrum(fit, legend_loc = "left"), "range")
})
