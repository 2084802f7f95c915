# The Schur matrix of a chain.

#' Plot the Schur matrix
#'
#' Draws the quasi-triangular matrix R of `T X = X R` as a heat map with its
#' numbers: eigenvalues on the diagonal (a 2 x 2 block for a complex pair), and
#' above it how far the chain is from reversible. `plotSchurMatrix()` gives the
#' figure, `plotSchurMatrixData()` the numbers in it.
#'
#' Entries below the diagonal that are zero are left out. Nothing is stored.
#' Cost: quadratic in the number of Schur vectors. Randomness, threads: not
#' applicable.
#'
#' @inheritParams plotSpectrum
#' @param x An estimator after [computeSchur()], or an object with its results.
#' @param annotate Whether to write the numbers, with two digits.
#' @param color_map `"viridis"`, `"plasma"`, `"inferno"`, `"cividis"`,
#'   `"mako"` or `"rocket"`.
#' @return `plotSchurMatrix()`: a ggplot. `plotSchurMatrixData()`: a data frame
#'   with `row`, `column`, `value`, one row per entry drawn.
#' @section Conditions: `fatecast_error_not_computed` without a Schur form,
#'   `fatecast_error_type`, `fatecast_error_unknown_argument`.
#' @seealso [plotSpectrum()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' fit <- computeSchur(GPCCA(VelocityKernel(sce)), n_components = 8)
#' plotSchurMatrix(fit)
#' head(plotSchurMatrixData(fit))
#' @include plot-theme.R
#' @importFrom ggplot2 geom_tile scale_fill_gradientn scale_y_reverse
#' @export
plotSchurMatrix <- function(x, title = "Schur matrix", annotate = TRUE,
                            color_map = "viridis", backward = FALSE, ...) {
    .checkDots(...)
    .checkString(title, null = TRUE)
    .checkFlag(annotate)
    color_map <- .checkChoice(color_map, .rampNames)
    data <- .schurData(x, backward)
    m <- max(data$column)
    plot <- ggplot(data, aes(.data$column, .data$row)) +
        geom_tile(
            aes(fill = .data$value), colour = "white", linewidth = 0.2
        ) +
        scale_fill_gradientn(
            name = NULL, colours = grDevices::hcl.colors(256L, color_map)
        ) +
        scale_x_continuous(
            breaks = seq_len(m), position = "top", expand = c(0, 0)
        ) +
        scale_y_reverse(breaks = seq_len(m), expand = c(0, 0)) +
        labs(x = NULL, y = NULL, title = title) +
        coord_fixed() + .plotTheme() + .barTheme() +
        theme(axis.line = element_blank(), axis.ticks = element_blank())
    if (annotate) plot <- plot + .entryLabels(data, m, color_map)
    plot
}

#' @rdname plotSchurMatrix
#' @export
plotSchurMatrixData <- function(x, backward = FALSE, ...) {
    .checkDots(...)
    .schurData(x, backward)
}

.rampNames <- c(
    "viridis", "plasma", "inferno", "cividis", "mako", "rocket"
)

.schurData <- function(x, backward, call = rlang::caller_env()) {
    held <- if (methods::is(x, "Estimator")) {
        .step(x, "schur", call)
    } else {
        .storedStep(x, "schur", backward, call)
    }
    r <- held$matrix
    shown <- which(row(r) <= col(r) | r != 0, arr.ind = TRUE)
    data.frame(row = shown[, 1L], column = shown[, 2L], value = r[shown])
}

# Numbers in black on light tiles and white on dark ones.
.entryLabels <- function(data, m, color_map) {
    span <- range(data$value)
    share <- (data$value - span[1L]) / max(diff(span), .Machine$double.eps)
    ramp <- grDevices::col2rgb(grDevices::hcl.colors(256L, color_map))
    light <- colSums(ramp * c(0.299, 0.587, 0.114))[1L + round(share * 255)]
    data$label <- sub("^-(0\\.00)$", "\\1", sprintf("%.2f", data$value))
    geom_text(
        aes(label = .data$label), data,
        colour = ifelse(light > 140, "black", "white"),
        size = min(3.2, 42 / m)
    )
}
