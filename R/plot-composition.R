# What the macrostates are made of.

#' Plot the composition of macrostates
#'
#' Stacked bars: how many of the cells that represent each macrostate are in
#' each category of a column. `plotMacrostateComposition()` gives the figure,
#' `plotMacrostateCompositionData()` the numbers in it.
#'
#' Categories without any of these cells are left out of the legend. Cells
#' without a category (NA) are drawn in grey. Nothing is stored. Cost: linear in
#' the number of cells. Randomness, threads: not applicable.
#'
#' @param x An estimator with macrostates and an object, or an object with
#'   stored results.
#' @param key Column of labels.
#' @param width Width of the bars, from 0 to 1.
#' @param labelrot Angle of the names of the macrostates, in degrees.
#' @param legend_loc "right", "bottom" or "none".
#' @param title Title; NULL for none.
#' @param backward For objects: the backward chain.
#' @param ... Not used; an unknown argument is an error.
#' @return `plotMacrostateComposition()`: a ggplot object.
#'   `plotMacrostateCompositionData()`: a data frame with one row per macrostate
#'   and category (those without cells included): `macrostate`, `category`
#'   (factors), `count`, `fraction` of the macrostate (NA for one without cells)
#'   and `color`.
#' @section Conditions: `fatecast_error_not_computed` before
#'   [computeMacrostates()] or without an object, `fatecast_error_missing_key`,
#'   `fatecast_error_type` for a column without labels, `fatecast_error_range`,
#'   `fatecast_error_unknown_argument`.
#' @seealso [plotMacrostates()], [computeMacrostates()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300)
#' fit <- castFates(sce, kernel = "velocity", cluster_key = "cell_type")
#' plotMacrostateComposition(fit, "cell_type")
#' @include plot-theme.R estimator-macrostates.R
#' @export
plotMacrostateComposition <- function(x, key, width = 0.8, labelrot = 45,
                                      legend_loc = c(
                                          "right", "bottom", "none"
                                      ), title = NULL, backward = FALSE, ...) {
    .checkDots(...)
    .checkNumber(width, 0, 1, open_min = TRUE)
    .checkNumber(labelrot)
    legend_loc <- .checkChoice(legend_loc, c("right", "bottom", "none"))
    .checkString(title, null = TRUE)
    data <- plotMacrostateCompositionData(x, key, backward)
    shown <- data[data$count > 0, , drop = FALSE]
    colors <- data$color[!duplicated(data$category)]
    names(colors) <- unique(as.character(data$category))
    there <- intersect(names(colors), as.character(shown$category))
    ggplot2::ggplot(shown, aes(.data$macrostate, .data$count)) +
        ggplot2::geom_col(
            aes(fill = .data$category), width = width, colour = "white",
            linewidth = 0.2
        ) +
        ggplot2::scale_fill_manual(
            name = key, values = colors, breaks = there
        ) +
        ggplot2::scale_x_discrete(drop = FALSE) +
        ggplot2::scale_y_continuous(
            expand = ggplot2::expansion(c(0, 0.04))
        ) +
        labs(title = title, x = NULL, y = "Cells") + .plotTheme() +
        theme(
            legend.position = legend_loc,
            axis.text.x = element_text(
                angle = labelrot, hjust = if (labelrot == 0) 0.5 else 1,
                vjust = if (labelrot == 90) 0.5 else 1
            )
        )
}

#' @rdname plotMacrostateComposition
#' @export
plotMacrostateCompositionData <- function(x, key, backward = FALSE, ...) {
    .checkDots(...)
    states <- if (methods::is(x, "Estimator")) {
        macrostates(x)
    } else {
        macrostates(x, backward = backward)
    }
    reference <- .compositionLabels(x, .checkString(key))
    labels <- reference$labels
    colors <- reference$colors
    if (anyNA(labels[!is.na(states)])) {
        labels <- addNA(labels)
        levels(labels)[is.na(levels(labels))] <- .noCategory
        colors <- c(colors, .backgroundColor)
    }
    count <- table(states, labels)
    data.frame(
        macrostate = factor(
            rep(levels(states), times = ncol(count)), levels = levels(states)
        ),
        category = factor(
            rep(levels(labels), each = nrow(count)), levels = levels(labels)
        ),
        count = as.vector(count),
        fraction = as.vector(count / ifelse(
            rowSums(count) > 0, rowSums(count), NA
        )), color = rep(unname(colors), each = nrow(count))
    )
}

.noCategory <- "(none)"

# Labels and colours of the object, or of that of an estimator.
.compositionLabels <- function(x, key, call = rlang::caller_env()) {
    if (methods::is(x, "Estimator")) return(.referenceLabels(x, key, call))
    .labelsOf(x, key, call)
}
