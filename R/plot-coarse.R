# The chain between macrostates.

#' Plot the chain between macrostates
#'
#' A heat map of the coarse transition matrix: where a walk that is in the state
#' of a row goes in one step. Strips below show how the cells, and the walk in
#' the long run, are distributed over the states. `plotCoarseT()` gives the
#' figure, `plotCoarseTData()` the numbers in it.
#'
#' One colour scale serves the matrix and every strip shown, and its range
#' includes them all. Values have two digits, in black or white, whichever is
#' easier to read; values may be slightly below zero, see [coarseTransition()].
#' Nothing is stored. Cost: quadratic in the number of states. Randomness,
#' threads: not applicable.
#'
#' @param x An estimator with macrostates, or an object with stored results.
#' @param show_stationary_dist,show_initial_dist Whether to draw the coarse
#'   stationary distribution (if there is one) and the share of the cells.
#' @param order States in ascending order of: `"stability"`, the diagonal;
#'   `"incoming"`, the sum of the column without the diagonal; `"outgoing"`,
#'   that of the row; `"stat_dist"`, the stationary distribution. NULL keeps the
#'   order of the macrostates.
#' @param annotate Whether to write the values.
#' @param color_map Colours from low to high, two or more.
#' @param xtick_rotation Angle of the names below, in degrees.
#' @param title Title; NULL for none.
#' @param backward For objects: the backward chain.
#' @param ... Not used; an unknown argument is an error.
#' @return `plotCoarseT()`: a ggplot object. `plotCoarseTData()`: a data frame
#'   with one row per tile: `part` ("transition", "stationary" or "initial"),
#'   `from` (NA for the distributions), `to` (factors in the order drawn) and
#'   `value`.
#' @section Conditions: `fatecast_error_not_computed` before
#'   [computeMacrostates()], `fatecast_error_no_state` with a single macrostate,
#'   `fatecast_warning_fallback` when there is no stationary distribution to
#'   order by (the diagonal is taken), `fatecast_error_range`,
#'   `fatecast_error_type`, `fatecast_error_unknown_argument`.
#' @seealso [coarseTransition()], [computeMacrostates()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300)
#' fit <- castFates(sce, kernel = "velocity", cluster_key = "cell_type")
#' plotCoarseT(fit)
#' plotCoarseT(fit, show_initial_dist = TRUE, order = NULL)
#' plotCoarseTData(fit)
#' @include plot-theme.R plot-panel.R estimator-macrostates.R
#' @export
plotCoarseT <- function(x, show_stationary_dist = TRUE,
                        show_initial_dist = FALSE,
                        order = c(
                            "stability", "incoming", "outgoing", "stat_dist"
                        ), annotate = TRUE, color_map = .coarseColors,
                        xtick_rotation = 45, title = NULL, backward = FALSE,
                        ...) {
    .checkDots(...)
    .checkFlag(annotate)
    .checkNumber(xtick_rotation)
    .checkString(title, null = TRUE)
    if (!is.character(color_map) || length(color_map) < 2L) {
        .abort("type", "`color_map` must be two colours or more.",
            argument = "color_map"
        )
    }
    color_map <- .asHex(color_map)
    data <- plotCoarseTData(
        x, show_stationary_dist, show_initial_dist, order, backward
    )
    data <- .layTiles(data, color_map)
    n <- nlevels(data$to)
    plot <- ggplot2::ggplot(data, aes(.data$x, .data$y)) +
        ggplot2::geom_tile(
            aes(fill = .data$value), colour = "white", linewidth = 0.4
        ) +
        ggplot2::scale_fill_gradientn(
            name = NULL, colours = color_map, limits = range(data$value)
        ) +
        .coarseAxes(data, xtick_rotation) +
        ggplot2::coord_fixed(expand = FALSE) +
        labs(title = title, x = "To", y = "From") + .coarseTheme()
    if (!annotate) return(plot)
    plot + ggplot2::geom_text(
        aes(label = .data$text, colour = .data$ink),
        size = if (n > 12L) 2.2 else 3
    ) + ggplot2::scale_colour_identity()
}

#' @rdname plotCoarseT
#' @export
plotCoarseTData <- function(x, show_stationary_dist = TRUE,
                            show_initial_dist = FALSE,
                            order = c(
                                "stability", "incoming", "outgoing",
                                "stat_dist"
                            ), backward = FALSE, ...) {
    .checkDots(...)
    .checkFlag(show_stationary_dist)
    .checkFlag(show_initial_dist)
    order <- .checkChoice(order, c(
        "stability", "incoming", "outgoing", "stat_dist"
    ), null = TRUE)
    coarse <- .coarseChain(x, backward)
    states <- rownames(coarse$transition)
    states <- states[.coarseOrder(coarse, order)]
    strips <- c(
        if (show_stationary_dist && !is.null(coarse$stationary)) "stationary",
        if (show_initial_dist) "initial"
    )
    tile <- function(part, from, to, value) {
        data.frame(
            part = part, from = factor(from, levels = states),
            to = factor(to, levels = states), value = unname(value)
        )
    }
    t <- coarse$transition[states, states, drop = FALSE]
    data <- do.call(rbind, c(
        list(tile(
            "transition", rep(states, times = length(states)),
            rep(states, each = length(states)), as.vector(t)
        )),
        lapply(strips, function(one) {
            tile(one, NA, states, coarse[[one]][states])
        })
    ))
    data$part <- factor(data$part, levels = c("transition", strips))
    data
}

# White over light to dark, as the matrix is mostly near zero.
.coarseColors <- c("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b")

# The coarse matrix and distributions of an estimator or an object.
.coarseChain <- function(x, backward = FALSE, call = rlang::caller_env()) {
    states <- if (methods::is(x, "Estimator")) {
        .step(x, "macrostates", call)
    } else {
        .storedStep(x, "macrostates", backward, call)
    }
    if (is.null(states$coarse$transition)) {
        .abort(
            "no_state", "One macrostate has no chain between macrostates.",
            "Run computeMacrostates() with `n_states` of 2 or more.",
            call = call
        )
    }
    states$coarse
}

.coarseOrder <- function(coarse, order) {
    t <- coarse$transition
    if (identical(order, "stat_dist") && is.null(coarse$stationary)) {
        .warn("fallback", paste(
            "There is no stationary distribution to order the macrostates by;",
            "their stability is taken."
        ))
        order <- "stability"
    }
    if (is.null(order)) return(seq_len(nrow(t)))
    base::order(switch(order,
        stability = diag(t),
        incoming = colSums(t) - diag(t),
        outgoing = rowSums(t) - diag(t),
        stat_dist = coarse$stationary
    ))
}

# Places of the tiles, first state on top, strips below with a small gap, and
# the colour of the text on each.
.layTiles <- function(data, color_map) {
    n <- nlevels(data$to)
    part <- as.integer(data$part)
    data$x <- as.integer(data$to)
    data$y <- ifelse(
        part == 1L, n + 1 - as.integer(data$from), 2 - part - 0.25
    )
    # Adding zero turns a rounded -0 into 0.
    data$text <- sprintf("%.2f", round(data$value, 2) + 0)
    span <- range(data$value)
    at <- (data$value - span[1L]) / max(diff(span), .Machine$double.xmin)
    shade <- grDevices::colorRamp(color_map)(at)
    data$ink <- ifelse(
        shade %*% c(0.299, 0.587, 0.114) > 186, "black", "white"
    )[, 1L]
    data
}

.coarseAxes <- function(data, angle) {
    n <- nlevels(data$to)
    strips <- setdiff(levels(data$part), "transition")
    names <- c(
        stationary = "stationary distribution", initial = "share of the cells"
    )
    list(
        ggplot2::scale_x_continuous(
            breaks = seq_len(n), labels = levels(data$to)
        ),
        ggplot2::scale_y_continuous(
            breaks = c(
                rev(seq_len(n)), 1 - seq_along(strips) - 0.25
            ), labels = c(levels(data$to), unname(names[strips]))
        ),
        theme(axis.text.x = element_text(
            angle = angle, hjust = if (angle == 0) 0.5 else 1,
            vjust = if (angle == 90) 0.5 else 1
        ))
    )
}

.coarseTheme <- function() {
    theme(
        panel.background = element_blank(), axis.ticks = element_blank(),
        plot.title = element_text(face = "bold", size = 12)
    ) + .barTheme()
}
