# The leading eigenvalues of a chain.

#' Plot the spectrum of a chain
#'
#' Draws the leading eigenvalues of the transition matrix. A value near one
#' belongs to a slow process; the eigengap, after which the values drop,
#' proposes a number of macrostates. `plotSpectrum()` gives the figure,
#' `plotSpectrumData()` the numbers in it.
#'
#' The real plot shows the real part of every eigenvalue against its place, real
#' eigenvalues and members of complex pairs marked differently, with a dashed
#' line at the last eigenvalue before the gap. The complex plot shows the plane
#' with the unit circle, equal ranges on both axes. Nothing is stored. Cost:
#' linear in the number of eigenvalues. Randomness, threads: not applicable.
#'
#' @param x An estimator after [computeSchur()] or
#'   [computeEigendecomposition()], or an object with their results. The Schur
#'   form is taken where both are there.
#' @param n Number of eigenvalues to show; NULL for all.
#' @param real_only Whether to draw the real plot; NULL draws it when all
#'   eigenvalues shown are real, else the complex plane.
#' @param show_eigengap Whether to mark the eigengap in the real plot.
#' @param show_all_xticks Whether every place has a tick in the real plot.
#' @param legend_loc `"right"`, `"bottom"` or `"none"`.
#' @param title Title; NULL for the usual one.
#' @param marker Shape of the points of real eigenvalues, as in
#'   [graphics::points()].
#' @param backward For objects: results of the backward chain.
#' @param ... Not used; an unknown argument is an error.
#' @return `plotSpectrum()`: a ggplot. `plotSpectrumData()`: a data frame with
#'   one row per eigenvalue: `index`, `real`, `imaginary`, `type` ("real" or
#'   "complex") and `eigengap` (TRUE for the last one before the gap).
#' @section Conditions: `fatecast_error_not_computed` without eigenvalues,
#'   `fatecast_error_range` for more eigenvalues than there are,
#'   `fatecast_error_type`, `fatecast_error_unknown_argument`.
#' @seealso [plotSchurMatrix()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' fit <- computeSchur(GPCCA(VelocityKernel(sce)), n_components = 10)
#' plotSpectrum(fit, real_only = TRUE)
#' plotSpectrum(fit, real_only = FALSE)
#' plotSpectrumData(fit)
#' @include plot-theme.R
#' @export
plotSpectrum <- function(x, n = NULL, real_only = NULL, show_eigengap = TRUE,
                         show_all_xticks = TRUE,
                         legend_loc = c("right", "bottom", "none"),
                         title = NULL, marker = 16, backward = FALSE, ...) {
    .checkDots(...)
    legend_loc <- .checkChoice(legend_loc, c("right", "bottom", "none"))
    .checkFlag(show_eigengap)
    .checkFlag(show_all_xticks)
    .checkFlag(real_only, null = TRUE)
    .checkString(title, null = TRUE)
    marker <- .checkCount(marker, 0, 25)
    data <- .spectrumData(x, n, backward)
    if (is.null(real_only)) real_only <- all(data$type == "real")
    plot <- if (real_only) {
        .realSpectrum(data, show_eigengap, show_all_xticks)
    } else {
        .complexSpectrum(data)
    }
    if (is.null(title)) {
        title <- paste0(
            if (real_only) "Real parts of the " else "The ", nrow(data),
            " leading eigenvalues"
        )
    }
    plot + ggplot2::scale_shape_manual(
        name = NULL, values = c(real = marker, complex = 17), drop = FALSE
    ) + ggplot2::scale_colour_manual(
        name = NULL, values = c(real = "#1f77b4", complex = "#ff7f0e"),
        drop = FALSE
    ) + ggplot2::labs(title = title) + theme(legend.position = legend_loc)
}

#' @rdname plotSpectrum
#' @export
plotSpectrumData <- function(x, n = NULL, backward = FALSE, ...) {
    .checkDots(...)
    .spectrumData(x, n, backward)
}

.spectrumData <- function(x, n, backward, call = rlang::caller_env()) {
    held <- .spectrum(x, backward, call)
    n <- .checkCount(
        n, 1, length(held$values), null = TRUE, arg = "n", call = call
    )
    shown <- seq_len(if (is.null(n)) length(held$values) else n)
    values <- held$values[shown]
    data.frame(
        index = shown, real = Re(values), imaginary = Im(values),
        type = factor(
            ifelse(Im(values) == 0, "real", "complex"), c("real", "complex")
        ),
        eigengap = shown %in% (held$eigengap + 1L)
    )
}

# Eigenvalues and eigengap: those of the Schur form, else of the
# eigendecomposition.
.spectrum <- function(x, backward, call = rlang::caller_env()) {
    fitted <- methods::is(x, "Estimator")
    eigen <- if (fitted) {
        is.null(x@results$schur) && !is.null(x@results$eigen)
    } else {
        .onlyStored(x, "eigen", "schur", backward, call)
    }
    step <- if (eigen) "eigen" else "schur"
    held <- if (fitted) {
        .step(x, step, call)
    } else {
        .storedStep(x, step, backward, call)
    }
    values <- if (eigen) held$D else held$eigenvalues
    list(values = values, eigengap = held$eigengap)
}

#' @importFrom ggplot2 ggplot aes labs geom_point geom_vline
#'   scale_x_continuous
.realSpectrum <- function(data, show_eigengap, show_all_xticks) {
    plot <- ggplot(data, aes(.data$index, .data$real)) +
        labs(x = "Index", y = expression("Re" ~ lambda[i])) + .plotTheme()
    if (show_eigengap && any(data$eigengap)) {
        at <- data$index[data$eigengap]
        plot <- plot + geom_vline(
            xintercept = at, linetype = "dashed", colour = "grey35",
            linewidth = 0.4
        ) + ggplot2::annotate(
            "text", x = at, y = min(data$real), hjust = -0.08, vjust = 0,
            size = 3.2, colour = "grey35", label = paste(
                "eigengap:", at, if (at == 1L) "state" else "states"
            )
        )
    }
    if (show_all_xticks) {
        plot <- plot + scale_x_continuous(breaks = data$index)
    }
    plot + geom_point(
        aes(colour = .data$type, shape = .data$type), size = 2.4
    )
}

#' @importFrom ggplot2 geom_path coord_fixed geom_hline
.complexSpectrum <- function(data) {
    angle <- seq(0, 2 * pi, length.out = 721L)
    circle <- data.frame(x = cos(angle), y = sin(angle))
    limits <- range(data$real, data$imaginary) + c(-0.05, 0.05)
    # Pairs lie on both sides of the real axis: it stays in the middle.
    height <- c(-0.5, 0.5) * diff(limits)
    ggplot(data, aes(.data$real, .data$imaginary)) +
        geom_hline(yintercept = 0, colour = "grey85", linewidth = 0.3) +
        geom_path(
            aes(.data$x, .data$y), circle, linetype = "dashed",
            colour = "grey55", linewidth = 0.4
        ) +
        geom_point(aes(colour = .data$type, shape = .data$type), size = 2.4) +
        labs(x = expression("Re" ~ lambda), y = expression("Im" ~ lambda)) +
        coord_fixed(xlim = limits, ylim = height) + .plotTheme()
}
