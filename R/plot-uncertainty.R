# How sure fates are, on the embedding.

#' Plot the uncertainty of fate probabilities
#'
#' One panel per lineage colours every cell by how wide the interval of its fate
#' probability is. Where terminal states were found anew, a last panel shows how
#' stable they are: bars for the mean overlap with their counterparts in the
#' resamples, dots for the share of resamples with an overlap above one half.
#' `plotFateUncertaintyData()` gives the numbers of the cells;
#' [fateUncertainty()] holds those of the states.
#'
#' All panels share one scale from 0 to the largest value shown, so lineages can
#' be compared. Cells are drawn in rising order, so that no uncertain cell is
#' hidden; cells without a value are grey. Nothing is stored. Cost: linear in
#' cells x lineages. Randomness, threads: not applicable.
#'
#' @param x an estimator, or an object that holds its results.
#' @param states lineages to show; NULL for all.
#' @param value "width" for the width of the interval, "sd" for the standard
#'   deviation over resamples.
#' @inheritParams plotFateProbabilities
#' @param legend_loc "right" or "none".
#' @return `plotFateUncertainty()`: a ggplot or patchwork object.
#'   `plotFateUncertaintyData()`: a data frame with one row per cell and lineage
#'   and the columns `cell`, `lineage`, `fate` (the point estimate), `mean`,
#'   `sd`, `lower`, `upper`, `width`, `x` and `y`.
#' @section Conditions: `fatecast_error_not_computed` before [bootstrapFates()],
#'   `fatecast_error_missing_key` for unknown states and embeddings,
#'   `fatecast_error_range` for an unknown `value` or `legend_loc`,
#'   `fatecast_error_unknown_argument`.
#' @seealso [bootstrapFates()], [plotFateProbabilities()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' fit <- castFates(sce, cluster_key = "cell_type")
#' fit <- bootstrapFates(fit, n_boot = 40, random_state = 1)
#' plotFateUncertainty(fit)
#' head(plotFateUncertaintyData(fit))
#' @include plot-fates.R
#' @export
plotFateUncertainty <- function(x, states = NULL, value = c("width", "sd"),
                                basis = NULL, title = NULL, point_size = NULL,
                                ncol = NULL, legend_loc = c("right", "none"),
                                ...) {
    .checkDots(...)
    value <- .checkChoice(value, c("width", "sd"))
    legend_loc <- .checkChoice(legend_loc, c("right", "none"))
    data <- plotFateUncertaintyData(x, states, basis)
    known <- fateUncertainty(x)
    lineages <- levels(data$lineage)
    stability <- known$stability
    n <- nrow(data) / length(lineages)
    panels <- length(lineages) + !is.null(stability)
    size <- .pointSize(point_size, n, panels)
    name <- .plotEmbedding(.plotContainer(x), basis)$name
    label <- c(width = "Width", sd = "SD")[[value]]
    limits <- c(0, max(data[[value]], 0, na.rm = TRUE))
    if (limits[2L] == 0) limits[2L] <- 1
    plots <- lapply(lineages, function(one) {
        .uncertaintyPanel(
            data[data$lineage == one, , drop = FALSE], name, one, value,
            label, limits, size, legend_loc
        )
    })
    if (!is.null(stability)) {
        stability <- stability[match(lineages, stability$state), ]
        colors <- lineageColors(known$mean)[lineages]
        plots <- c(plots, list(.stabilityPanel(stability, colors)))
    }
    .arrange(plots, ncol, title)
}

#' @rdname plotFateUncertainty
#' @export
plotFateUncertaintyData <- function(x, states = NULL, basis = NULL, ...) {
    .checkDots(...)
    container <- .plotContainer(x)
    known <- fateUncertainty(x)
    embedding <- .plotEmbedding(container, basis)
    long <- function(values) {
        .lineageLong(.pickLineageColumns(values, states), embedding$data)
    }
    out <- long(fateProbabilities(x))
    names(out)[names(out) == "value"] <- "fate"
    for (part in .uncertaintyParts) {
        out[[part]] <- long(known[[part]])$value
    }
    out$width <- out$upper - out$lower
    out[c(
        "cell", "lineage", "fate", .uncertaintyParts, "width", "x", "y"
    )]
}

# Light where fates are sure, dark red where they are not.
.doubtColors <- c("#e6e6e6", "#fddbc7", "#f4a582", "#d6604d", "#8e0b26")

.uncertaintyPanel <- function(data, name, lineage, value, label, limits, size,
                              legend_loc) {
    data$value <- data[[value]]
    order <- order(data$value, na.last = FALSE)
    .embeddingBase(data, name, lineage) +
        .pointLayer(
            aes(colour = .data$value), data[order, , drop = FALSE], size
        ) +
        scale_colour_gradientn(
            name = label, colours = .doubtColors, limits = limits,
            na.value = "white",
            guide = if (legend_loc == "none") "none" else "colourbar"
        ) +
        .barTheme()
}

#' @importFrom ggplot2 geom_col scale_x_continuous scale_y_discrete
.stabilityPanel <- function(stability, colors) {
    stability$state <- factor(stability$state, levels = rev(stability$state))
    ggplot(stability, aes(y = .data$state)) +
        geom_col(aes(x = .data$stability, fill = .data$state), width = 0.65) +
        geom_point(
            aes(x = .data$recovered), shape = 21, size = 2.6, stroke = 0.7,
            fill = "white", colour = .inkColor
        ) +
        scale_fill_manual(values = colors, guide = "none") +
        scale_x_continuous(
            limits = c(0, 1), breaks = c(0, 0.5, 1),
            expand = c(0, 0, 0.04, 0)
        ) +
        scale_y_discrete(labels = .shortLabels) +
        labs(
            x = "Mean overlap (bar), recovered (dot)", y = NULL,
            title = "Stability"
        ) +
        .plotTheme() +
        theme(aspect.ratio = 1)
}

# Long names of states on two or more lines.
.shortLabels <- function(names) {
    vapply(names, function(name) {
        paste(strwrap(name, 16), collapse = "\n")
    }, character(1), USE.NAMES = FALSE)
}
