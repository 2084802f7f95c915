# Lineages as slices of a pie.

#' Pie of the lineages
#'
#' Draws one number per lineage, such as the mean of its fate probabilities over
#' all cells, as slices of a pie. `plotPie()` gives the figure, `plotPieData()`
#' the numbers in it.
#'
#' Slices run clockwise from the top in the order of the lineages, sized by
#' their share of the sum; beside each stands the value itself. Names next to
#' each other are moved apart. Cells without values (NA) are left out. Nothing
#' is stored. Cost: linear in cells x lineages. Randomness, threads: not
#' applicable.
#'
#' @param x a [Lineage()], or an estimator or object with fate probabilities.
#' @param reduction what is drawn, over the cells: see [summarizeLineages()].
#' @param title title above the plot; NULL says what is drawn.
#' @param legend_loc where the names stand: "on data" (beside the slices),
#'   "right" (in a legend; the values stay beside the slices) or "none".
#' @param ... not used; anything here is an error.
#' @return `plotPie()`: a ggplot object. `plotPieData()`: a data frame with one
#'   row per lineage and the columns `lineage` (a factor), `value`, `share` (of
#'   the sum), `color`, and `label`, the value with four digits.
#' @section Conditions: `fatecast_error_shape` for a single lineage,
#'   `fatecast_error_range` for an unknown `reduction` or `legend_loc` and for
#'   values that make no pie (negative, missing, or all zero),
#'   `fatecast_error_type`, `fatecast_error_not_computed` for an estimator
#'   without fates, `fatecast_error_unknown_argument`.
#' @seealso [plotFateProbabilities()]
#' @examples
#' fates <- Lineage(matrix(
#'     c(0.7, 0.2, 0.5, 0.3, 0.8, 0.5), 3,
#'     dimnames = list(c("c1", "c2", "c3"), c("Alpha", "Beta"))
#' ))
#' plotPie(fates)
#' plotPieData(fates, reduction = "max")
#' @include plot-theme.R lineage-summary.R
#' @export
plotPie <- function(x, reduction = c(
                        "mean", "sum", "min", "max", "std", "var", "entropy"
                    ), title = NULL,
                    legend_loc = c("on data", "right", "none"), ...) {
    .checkDots(...)
    reduction <- .checkChoice(reduction, .pieReductions)
    legend_loc <- .checkChoice(legend_loc, c("on data", "right", "none"))
    .checkString(title, null = TRUE)
    x <- .asLineage(x)
    data <- .pieData(x, reduction)
    if (is.null(title)) {
        title <- paste(
            toupper(substr(reduction, 1L, 1L)),
            substr(reduction, 2L, nchar(reduction)), " over ",
            .count(sum(stats::complete.cases(.lineageMatrix(x))), "cell"),
            sep = ""
        )
    }
    .pieFigure(data, title, legend_loc)
}

#' @rdname plotPie
#' @export
plotPieData <- function(x, reduction = c(
                            "mean", "sum", "min", "max", "std", "var",
                            "entropy"
                        ), ...) {
    .checkDots(...)
    reduction <- .checkChoice(reduction, .pieReductions)
    .pieData(.asLineage(x), reduction)
}

.pieReductions <- c("mean", "sum", "min", "max", "std", "var", "entropy")

.pieData <- function(x, reduction, call = rlang::caller_env()) {
    lineages <- lineageNames(x)
    if (length(lineages) < 2L) {
        .abort(
            "shape", paste0(
                "A pie needs at least two lineages, but there is only ",
                .someNames(lineages), "."
            ), n = length(lineages), call = call
        )
    }
    value <- as.vector(.lineageMatrix(
        summarizeLineages(x, reduction, na_rm = TRUE)
    ))
    bad <- is.na(value) | value < 0
    if (any(bad) || sum(value) == 0) {
        .abort(
            "range", paste0(
                "The ", reduction, " of ", .someNames(lineages[bad | !value]),
                " makes no slice: ",
                .someNames(format(value[bad | !value], digits = 4L)), "."
            ), "Slices need values that are not negative, and one above zero.",
            values = value, call = call
        )
    }
    data.frame(
        lineage = factor(lineages, levels = lineages), value = value,
        share = value / sum(value), color = unname(lineageColors(x)),
        label = vapply(value, format, "", digits = 4L)
    )
}

# ---- Figure ----

# Outline of the slices: the centre and an arc each, clockwise from the top.
.pieSlices <- function(data) {
    end <- cumsum(data$share)
    start <- end - data$share
    parts <- lapply(seq_len(nrow(data)), function(at) {
        steps <- max(2, ceiling(200 * data$share[at]))
        turn <- 2 * pi * seq(start[at], end[at], length.out = steps)
        whole <- data$share[at] == 1
        data.frame(
            x = c(if (!whole) 0, sin(turn)), y = c(if (!whole) 0, cos(turn)),
            lineage = data$lineage[at]
        )
    })
    do.call(rbind, parts)
}

# Where the text of each slice stands: beside its middle, apart from its
# neighbours on the same side.
.pieText <- function(data, text, height) {
    turn <- 2 * pi * (cumsum(data$share) - data$share / 2)
    place <- data.frame(
        x = 1.12 * sin(turn), y = 1.12 * cos(turn), edge_x = 1.02 * sin(turn),
        edge_y = 1.02 * cos(turn), label = text, right = sin(turn) >= 0
    )
    place <- place[data$share > 0, , drop = FALSE]
    for (side in unique(place$right)) {
        rows <- which(place$right == side)
        y <- .apart(place$y[rows], height)
        # Text that had to move stands in a column outside of the rim.
        moved <- abs(y - place$y[rows]) > height / 4
        sign <- if (side) 1 else -1
        place$x[rows][moved] <- sign * 1.2
        place$y[rows] <- y
    }
    place
}

# Positions moved as little as needed to be `height` apart, their mean kept.
.apart <- function(y, height) {
    order <- order(y)
    up <- y[order] - height * seq_along(y)
    # Means of runs that would overlap: isotonic regression of the gaps.
    y[order] <- stats::isoreg(up)$yf + height * seq_along(y)
    y
}

#' @importFrom ggplot2 geom_polygon geom_segment coord_fixed theme_void
#'   scale_x_continuous
.pieFigure <- function(data, title, legend_loc) {
    named <- legend_loc == "on data"
    text <- if (named) {
        paste0(data$lineage, " (", data$label, ")")
    } else {
        data$label
    }
    place <- .pieText(data, text, 0.17)
    # Room for the text, in radii of the pie.
    reach <- max(abs(place$x) + 0.06 + 0.065 * nchar(place$label))
    ggplot(.pieSlices(data), aes(.data$x, .data$y)) +
        geom_polygon(
            aes(fill = .data$lineage), colour = "white", linewidth = 0.6
        ) +
        geom_segment(
            aes(
                .data$edge_x, .data$edge_y, xend = .data$x * 0.99,
                yend = .data$y
            ), place, colour = "grey60", linewidth = 0.3
        ) +
        geom_text(
            aes(
                .data$x + ifelse(.data$right, 0.03, -0.03), .data$y,
                label = .data$label, hjust = ifelse(.data$right, 0, 1)
            ), place, size = 3.2, colour = .inkColor
        ) +
        scale_fill_manual(
            name = NULL, values = stats::setNames(data$color, data$lineage),
            guide = if (legend_loc == "right") "legend" else "none"
        ) +
        scale_x_continuous(limits = c(-reach, reach), expand = c(0, 0)) +
        coord_fixed(clip = "off") + labs(title = title) + theme_void() +
        theme(
            plot.title = element_text(
                size = 11, face = "bold", colour = .inkColor, hjust = 0.5
            ), plot.margin = margin(6, 6, 6, 6)
        )
}
