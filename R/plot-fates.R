# Fate probabilities, and the continuous plot that memberships share with them.

#' Plot fate probabilities
#'
#' Draws the fate probabilities of all cells. `plotFateProbabilities()` gives
#' the figure, `plotFateProbabilitiesData()` the numbers in it.
#'
#' On an embedding with `same_plot = TRUE` every cell gets one colour. Cells
#' whose two largest probabilities belong to the same pair of lineages share a
#' diverging scale, from the colour of one lineage over nothing (light grey) to
#' that of the other, by the difference of the two probabilities divided by its
#' largest absolute value in the pair. So a committed cell has the full colour
#' of its fate and an undecided one fades to grey. With `same_plot = FALSE`
#' there is one panel per lineage, from light grey at 0 to the colour of the
#' lineage at the largest value below 1, which cells of exactly 1 share: these
#' are cells of the state itself, and would leave no colour for a rare fate.
#' `mode = "time"` draws probability against `time_key`, always in one panel per
#' lineage.
#'
#' Cells are drawn in a fixed order that depends on their names alone, those
#' without a value (grey) first. Points shrink with the number of cells; above
#' 100,000 a point is one pixel. Nothing is stored. Cost: linear in cells x
#' lineages. Randomness, threads: not applicable.
#'
#' @param x an estimator, or an object that holds its results.
#' @param states lineages to show; NULL for all. With `same_plot = TRUE` only
#'   these are compared.
#' @param same_plot whether all lineages share one plot.
#' @param mode "embedding" or "time".
#' @param time_key numeric column of the cells for `mode = "time"`.
#' @param basis name of an embedding; NULL takes the first that exists of UMAP,
#'   LAYOUT, TSNE and PCA, else the first embedding of the object. The axes say
#'   which one it was.
#' @param color a column of the cells or a feature: on an embedding it is drawn
#'   as a panel of its own before the others, against time it colours the
#'   points. NULL for none.
#' @param assay where to read a feature named in `color`; NULL is the default
#'   assay.
#' @param title title above the plot.
#' @param point_size size of points; NULL chooses by the number of cells.
#' @param ncol number of columns of panels; NULL for a nearly square layout.
#' @param legend_loc "right", "on data" (names on the embedding at the cells
#'   nearest to the centre of each group) or "none"; for panels with a title of
#'   their own it only decides whether the bars are shown.
#' @param backward for objects: draw the results of the backward chain.
#' @param ... not used; anything here is an error.
#' @return `plotFateProbabilities()`: a ggplot or patchwork object.
#'   `plotFateProbabilitiesData()`: a data frame. For one plot, one row per
#'   cell with `cell`, `x`, `y`, `first` and `second` (the two largest
#'   lineages), `first_value`, `second_value`, `score` (the scaled difference)
#'   and `color`; `NA` for cells without probabilities. For panels, one row per
#'   cell and lineage with `cell`, `lineage`, `value` and either `x` and `y` or
#'   `time`.
#' @section Conditions: `fatecast_error_not_computed` before
#'   [computeFateProbabilities()], `fatecast_error_missing_key` for unknown
#'   states, embeddings, columns and features, `fatecast_error_type` for a
#'   `time_key` without numbers, `fatecast_error_range` for an unknown `mode` or
#'   `legend_loc`, `fatecast_error_unknown_argument`.
#' @seealso [plotMacrostates()], [plotLineageDrivers()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300)
#' fit <- castFates(sce, kernel = "velocity", cluster_key = "cell_type")
#' plotFateProbabilities(fit)
#' plotFateProbabilities(container(fit), same_plot = FALSE)
#' head(plotFateProbabilitiesData(fit))
#' @include plot-embedding.R lineage-index.R
#' @export
plotFateProbabilities <- function(x, states = NULL, same_plot = TRUE,
                                  mode = c("embedding", "time"),
                                  time_key = NULL, basis = NULL, color = NULL,
                                  assay = NULL, title = NULL,
                                  point_size = NULL, ncol = NULL,
                                  legend_loc = c("right", "on data", "none"),
                                  backward = FALSE, ...) {
    .checkDots(...)
    mode <- .checkChoice(mode, c("embedding", "time"))
    legend_loc <- .checkChoice(legend_loc, c("right", "on data", "none"))
    container <- .plotContainer(x)
    values <- .pickLineageColumns(
        .stepOf(x, "fates", .checkFlag(backward)), states
    )
    .continuousPlot(
        container, values, .checkFlag(same_plot), mode, time_key, basis, color,
        assay, title, point_size, ncol, legend_loc, "Fate probability"
    )
}

#' @rdname plotFateProbabilities
#' @export
plotFateProbabilitiesData <- function(x, states = NULL, same_plot = TRUE,
                                      mode = c("embedding", "time"),
                                      time_key = NULL, basis = NULL, ...) {
    .checkDots(...)
    mode <- .checkChoice(mode, c("embedding", "time"))
    container <- .plotContainer(x)
    values <- .pickLineageColumns(fateProbabilities(x), states)
    same_plot <- .checkFlag(same_plot)
    if (mode == "time") {
        return(.lineageTime(values, container, time_key))
    }
    embedding <- .plotEmbedding(container, basis)
    if (same_plot) {
        .lineageBlend(values, embedding$data)
    } else {
        .lineageLong(values, embedding$data)
    }
}

.pickLineageColumns <- function(values, states, call = rlang::caller_env()) {
    # Both are evaluated before they go into S4 generics: dispatch takes the
    # class off an error that is raised while it evaluates an argument.
    force(values)
    columns <- .pickStates(states, lineageNames(values), call)
    values[, columns]
}

# ---- Numbers ----

# Rows of `values` in the order of `data`.
.alignLineage <- function(values, data) {
    m <- as.matrix(values)
    if (is.null(rownames(m))) {
        return(m)
    }
    m[match(data$cell, rownames(m)), , drop = FALSE]
}

# One row per cell and lineage.
.lineageLong <- function(values, data) {
    m <- .alignLineage(values, data)
    lineages <- lineageNames(values)
    n <- nrow(data)
    long <- data[rep(seq_len(n), length(lineages)), , drop = FALSE]
    rownames(long) <- NULL
    lineage <- factor(rep(lineages, each = n), levels = lineages)
    data.frame(
        cell = long$cell, lineage = lineage, value = as.vector(m),
        long[setdiff(names(long), "cell")]
    )
}

.lineageTime <- function(values, container, time_key,
                         call = rlang::caller_env()) {
    data <- data.frame(
        cell = .cellNames(container),
        time = .timeValues(container, time_key, call)
    )
    .lineageLong(values, data)
}

# One colour per cell: the rule of the help page. With a single lineage its
# value stands for the difference.
.lineageBlend <- function(values, data) {
    m <- .alignLineage(values, data)
    colors <- lineageColors(values)
    lineages <- names(colors)
    there <- rowSums(is.na(m)) == 0
    m[!there, ] <- 0
    first <- max.col(m, ties.method = "first")
    at <- seq_len(nrow(m))
    top <- m[cbind(at, first)]
    if (length(lineages) == 1L) {
        second <- rep(NA_integer_, length(at))
        next_best <- rep(0, length(at))
    } else {
        rest <- m
        rest[cbind(at, first)] <- -Inf
        second <- max.col(rest, ties.method = "first")
        next_best <- m[cbind(at, second)]
    }
    score <- .pairScore(top - next_best, first, second, there)
    named <- function(index) {
        factor(lineages[ifelse(there, index, NA)], levels = lineages)
    }
    data.frame(
        data,
        first = named(first), second = named(second),
        first_value = ifelse(there, top, NA),
        second_value = ifelse(there & !is.na(second), next_best, NA),
        score = ifelse(there, score, NA),
        color = .fadeColor(colors[first], ifelse(there, score, 0))
    )
}

# Differences divided by the largest of their pair; 0 if all are.
.pairScore <- function(difference, first, second, there) {
    pair <- paste(pmin(first, second), pmax(first, second))
    difference[!there] <- 0
    largest <- stats::ave(difference, pair, FUN = max)
    ifelse(largest > 0, difference / largest, 0)
}

# A colour at the given opacity over the background grey, flattened, so that
# cells on top of each other do not add up.
.fadeColor <- function(hex, strength) {
    over <- grDevices::col2rgb(hex)
    under <- as.vector(grDevices::col2rgb(.backgroundColor))
    strength <- rep(strength, each = 3L)
    .rgbHex(matrix(strength * over + (1 - strength) * under, 3L))
}

# ---- Figure ----

.continuousPlot <- function(container, values, same_plot, mode, time_key,
                            basis, color, assay, title, point_size, ncol,
                            legend_loc, label) {
    call <- rlang::caller_env()
    if (mode == "time") {
        return(.timePlot(
            container, values, time_key, color, assay, title, point_size,
            ncol, legend_loc, label, call
        ))
    }
    embedding <- .plotEmbedding(container, basis, call)
    extra <- length(color)
    panels <- if (same_plot) 1L else ncol(values)
    size <- .pointSize(point_size, nrow(values), panels + extra, call)
    plots <- lapply(color, function(one) {
        value <- .colorValues(container, one, assay, call)
        .valuePanel(embedding$data, embedding$name, value, size)
    })
    more <- if (same_plot) {
        list(.blendPanel(values, embedding, size, legend_loc, label))
    } else {
        .lineagePanels(values, embedding, size, legend_loc)
    }
    if (same_plot && !extra) {
        return(more[[1L]] + labs(title = title))
    }
    .arrange(c(plots, more), ncol, title)
}

#' @importFrom ggplot2 scale_colour_identity scale_fill_manual
.blendPanel <- function(values, embedding, size, legend_loc, label) {
    data <- .lineageBlend(values, embedding$data)
    colors <- lineageColors(values)
    order <- .shuffleOrder(data$cell)
    data <- data[order[order(!is.na(data$first[order]))], , drop = FALSE]
    guide <- if (legend_loc == "right") {
        guide_legend(override.aes = list(
            size = 3, shape = 21, colour = "white", alpha = 1
        ))
    } else {
        "none"
    }
    plot <- .embeddingBase(data, embedding$name) +
        .pointLayer(
            aes(colour = .data$color, fill = .data$first), data, size,
            show.legend = TRUE
        ) +
        scale_colour_identity(guide = "none") +
        scale_fill_manual(
            name = label, values = colors, limits = names(colors),
            guide = guide
        )
    if (legend_loc == "on data") {
        plot <- plot + .labelLayers(.committedLabels(values, data), data)
    }
    plot
}

# Names of lineages where their most certain cells are: the top 2%, or all that
# share the largest value.
.committedLabels <- function(values, data) {
    m <- .alignLineage(values, data)
    top <- max(1, ceiling(0.02 * nrow(m)))
    group <- rep(NA_character_, nrow(m))
    for (lineage in colnames(m)) {
        v <- m[, lineage]
        least <- sort(v, decreasing = TRUE)[top]
        group[which(v >= least & v > 0 & is.na(group))] <- lineage
    }
    .groupLabels(data, factor(group, levels = colnames(m)))
}

#' @importFrom ggplot2 scale_colour_gradient
.lineagePanels <- function(values, embedding, size, legend_loc) {
    m <- .alignLineage(values, embedding$data)
    colors <- lineageColors(values)
    lapply(names(colors), function(lineage) {
        data <- embedding$data
        data$value <- m[, lineage]
        order <- .shuffleOrder(data$cell)
        order <- order[order(!is.na(data$value[order]))]
        .embeddingBase(data, embedding$name, lineage) +
            .pointLayer(
                aes(colour = .data$value), data[order, , drop = FALSE], size
            ) +
            scale_colour_gradient(
                name = NULL, low = .backgroundColor,
                high = colors[[lineage]], na.value = "white",
                limits = c(0, .largestBelowOne(data$value)),
                oob = function(x, range, ...) pmin(pmax(x, 0), range[2L]),
                guide = if (legend_loc == "none") "none" else "colourbar"
            ) +
            .barTheme()
    })
}

# Where the scale of a panel ends; 1 where there is nothing below it.
.largestBelowOne <- function(values) {
    below <- values[which(values > 0 & values < 1)]
    if (length(below)) max(below) else 1
}

#' @importFrom ggplot2 facet_wrap scale_y_continuous
.timePlot <- function(container, values, time_key, color, assay, title,
                      point_size, ncol, legend_loc, label, call) {
    data <- .lineageTime(values, container, time_key, call)
    size <- .pointSize(point_size, nrow(values), ncol(values), call)
    value <- if (is.null(color)) {
        list(name = "lineage", values = data$lineage)
    } else {
        .colorValues(container, color, assay, call)
    }
    data$shade <- rep(value$values, length.out = nrow(data))
    value$values <- data$shade
    if (is.null(color)) {
        value$palette <- lineageColors(values)
    }
    data <- data[is.finite(data$time) & !is.na(data$value), , drop = FALSE]
    data <- data[.shuffleOrder(data$cell), , drop = FALSE]
    plot <- ggplot(data, aes(.data$time, .data$value)) +
        .pointLayer(aes(colour = .data$shade), data, size, nrow(values)) +
        facet_wrap("lineage", ncol = ncol) +
        .valueScale(value) +
        scale_y_continuous(
            limits = c(0, 1), breaks = c(0, 0.5, 1),
            oob = function(x, ...) pmin(pmax(x, 0), 1)
        ) +
        labs(x = time_key, y = label, title = title, colour = value$name) +
        .plotTheme()
    if (!is.factor(value$values)) {
        plot <- plot + .barTheme()
    }
    # Panels already name the lineages.
    if (is.null(color) || legend_loc == "none") {
        plot <- plot + guides(colour = "none")
    }
    plot
}
