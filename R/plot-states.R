# Macrostates, initial and terminal states.

#' Plot macrostates, initial or terminal states
#'
#' Draws which cells belong to which state, or how much of each cell belongs to
#' each state. `plotMacrostates()` gives the figure, `plotMacrostatesData()` the
#' numbers in it.
#'
#' With `discrete = TRUE` the cells assigned to a state have its colour and an
#' outline and lie on top; all other cells are grey. With `discrete = FALSE` the
#' memberships are drawn as [plotFateProbabilities()] draws probabilities; if
#' there are none, for example for states set by hand, the discrete plot is
#' drawn with a warning. `mode = "time"` draws memberships against `time_key`,
#' always in one panel per state. Nothing is stored. Cost: linear in cells x
#' states. Randomness, threads: not applicable.
#'
#' @inheritParams plotFateProbabilities
#' @param which "all" for macrostates, "initial" or "terminal" for the initial
#'   or terminal states.
#' @param states states to show; NULL for all.
#' @param discrete whether to draw assignments or memberships.
#' @param same_plot whether all states share one plot.
#' @param legend_loc "on data" (names on the embedding), "right" or "none".
#' @return `plotMacrostates()`: a ggplot or patchwork object.
#'   `plotMacrostatesData()`: a data frame. For assignments one row per cell
#'   with `cell`, `x`, `y`, `state` (a factor, NA outside all states) and
#'   `color`; for memberships as [plotFateProbabilitiesData()].
#' @section Conditions: `fatecast_error_not_computed` without such states (the
#'   message names the call that makes them),
#'   `fatecast_warning_fallback` when there are no memberships,
#'   `fatecast_error_missing_key` for unknown states, embeddings, columns and
#'   features, `fatecast_error_type` for a `time_key` without numbers,
#'   `fatecast_error_range`, `fatecast_error_unknown_argument`.
#' @seealso [plotFateProbabilities()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300)
#' fit <- castFates(sce, kernel = "velocity", cluster_key = "cell_type")
#' plotMacrostates(fit, which = "terminal")
#' plotMacrostates(fit, discrete = FALSE, same_plot = FALSE)
#' plotMacrostates(container(fit), discrete = FALSE)
#' table(plotMacrostatesData(fit)$state, useNA = "ifany")
#' @include plot-theme.R plot-fates.R
#' @export
plotMacrostates <- function(x, which = c("all", "initial", "terminal"),
                            states = NULL, discrete = TRUE, same_plot = TRUE,
                            mode = c("embedding", "time"), time_key = NULL,
                            basis = NULL, color = NULL, assay = NULL,
                            title = NULL, point_size = NULL, ncol = NULL,
                            legend_loc = c("on data", "right", "none"),
                            backward = FALSE, ...) {
    .checkDots(...)
    which <- .checkChoice(which, c("all", "initial", "terminal"))
    mode <- .checkChoice(mode, c("embedding", "time"))
    legend_loc <- .checkChoice(legend_loc, c("on data", "right", "none"))
    same_plot <- .checkFlag(same_plot)
    container <- .plotContainer(x)
    held <- .heldStates(x, which, .checkFlag(backward))
    values <- .stateValues(held, states, .checkFlag(discrete), mode)
    if (is(values, "Lineage")) {
        return(.continuousPlot(
            container, values, same_plot, mode, time_key, basis, color, assay,
            title, point_size, ncol, legend_loc, "Membership"
        ))
    }
    .discretePlot(
        container, values, same_plot, basis, color, assay, title, point_size,
        ncol, legend_loc
    )
}

#' @rdname plotMacrostates
#' @export
plotMacrostatesData <- function(x, which = c("all", "initial", "terminal"),
                                states = NULL, discrete = TRUE,
                                same_plot = TRUE,
                                mode = c("embedding", "time"), time_key = NULL,
                                basis = NULL, backward = FALSE, ...) {
    .checkDots(...)
    which <- .checkChoice(which, c("all", "initial", "terminal"))
    mode <- .checkChoice(mode, c("embedding", "time"))
    same_plot <- .checkFlag(same_plot)
    container <- .plotContainer(x)
    held <- .heldStates(x, which, .checkFlag(backward))
    values <- .stateValues(held, states, .checkFlag(discrete), mode)
    if (is(values, "Lineage") && mode == "time") {
        return(.lineageTime(values, container, time_key))
    }
    embedding <- .plotEmbedding(container, basis)$data
    if (!is(values, "Lineage")) {
        return(.stateData(values, embedding))
    }
    if (same_plot) {
        .lineageBlend(values, embedding)
    } else {
        .lineageLong(values, embedding)
    }
}

# ---- Numbers ----

# The states as their step holds them: assignment, memberships or NULL, and
# colours named by state.
.heldStates <- function(x, which, backward, call = rlang::caller_env()) {
    step <- c(
        all = "macrostates", initial = "initial", terminal = "terminal"
    )[[which]]
    held <- .stepOf(x, step, backward, call)
    known <- levels(held$assignment)
    held$colors <- if (is.null(held$colors)) {
        lineageColors(held$memberships)[known]
    } else {
        stats::setNames(held$colors, known)
    }
    held
}

# The result of a step, from an estimator or from an object that holds it.
.stepOf <- function(x, step, backward = FALSE, call = rlang::caller_env()) {
    if (is(x, "Estimator")) {
        return(.step(x, step, call))
    }
    .storedStep(x, step, backward, call)
}

# What is to be drawn: a Lineage of memberships, or a list of the assignment
# (factor by cell, other states NA) and the colours of its levels.
.stateValues <- function(held, states, discrete, mode,
                         call = rlang::caller_env()) {
    shown <- .pickStates(states, levels(held$assignment), call)
    if (!discrete || mode == "time") {
        if (!is.null(held$memberships)) {
            return(held$memberships[, shown])
        }
        .warn(
            "fallback", paste0(
                "There are no memberships for ", .someNames(shown),
                ", so the assignment of cells to states is drawn."
            ), "States taken from computeMacrostates() have memberships.",
            states = shown
        )
    }
    groups <- factor(as.character(held$assignment), levels = shown)
    names(groups) <- names(held$assignment)
    list(groups = groups, colors = held$colors[shown])
}

# One row per cell.
.stateData <- function(values, embedding) {
    groups <- values$groups
    if (!is.null(names(groups))) {
        groups <- groups[match(embedding$cell, names(groups))]
    }
    color <- unname(values$colors[as.character(groups)])
    color[is.na(color)] <- .backgroundColor
    data.frame(embedding, state = unname(groups), color = color)
}

# ---- Figure ----

.discretePlot <- function(container, values, same_plot, basis, color, assay,
                          title, point_size, ncol, legend_loc) {
    call <- rlang::caller_env()
    embedding <- .plotEmbedding(container, basis, call)
    data <- .stateData(values, embedding$data)
    states <- names(values$colors)
    panels <- length(color) + if (same_plot) 1L else length(states)
    size <- .pointSize(point_size, nrow(data), panels, call)
    plots <- lapply(color, function(one) {
        value <- .colorValues(container, one, assay, call)
        .valuePanel(embedding$data, embedding$name, value, size)
    })
    if (same_plot) {
        panel <- .statePanel(
            data, embedding$name, values$colors, size, legend_loc
        )
        if (!length(plots)) {
            return(panel + labs(title = title))
        }
        return(.arrange(c(plots, list(panel)), ncol, title))
    }
    more <- lapply(states, function(one) {
        part <- data
        part$state[which(part$state != one)] <- NA
        .statePanel(part, embedding$name, values$colors, size, "none", one)
    })
    .arrange(c(plots, more), ncol, title)
}

# Grey cells below, cells of states above with a thin outline.
.statePanel <- function(data, name, colors, size, legend_loc, title = NULL) {
    data <- data[.shuffleOrder(data$cell), , drop = FALSE]
    inside <- data[!is.na(data$state), , drop = FALSE]
    outside <- data[is.na(data$state), , drop = FALSE]
    guide <- if (legend_loc == "right") {
        guide_legend(override.aes = list(size = 3, stroke = 0.3))
    } else {
        "none"
    }
    plot <- .embeddingBase(data, name, title) +
        .pointLayer(
            NULL, outside, size, nrow(data),
            colour = .backgroundColor
        ) +
        .outlinedPoints(inside, size, nrow(data)) +
        scale_fill_manual(
            name = NULL, values = colors, limits = names(colors),
            guide = guide
        )
    if (legend_loc == "on data") {
        plot <- plot + .labelLayers(.groupLabels(inside, inside$state), data)
    }
    plot
}

# With very many cells only those in states get a visible dot, so states stay
# visible next to single pixels.
.outlinedPoints <- function(data, size, n) {
    geom_point(
        aes(fill = .data$state), data,
        shape = 21, colour = .inkColor, show.legend = TRUE,
        size = size * 1.15, stroke = if (n > .manyCells) 0 else 0.25
    )
}
