# The parts of a figure along a path, stacked: heat map or lines, bars of
# annotations, and the bar of the groups.

#' @include plot-theme.R
NULL

.pathPalette <- function(path, palette, call = rlang::caller_env()) {
    value <- list(
        name = "group", palette = path$palette,
        values = factor(names(path$palette), levels = names(path$palette))
    )
    .groupColors(levels(value$values), .mergePalette(value, palette, call))
}

# Bars of a shared width, without room around them.
#' @importFrom ggplot2 scale_x_continuous
.pathAxis <- function(n, ...) {
    scale_x_continuous(limits = c(0.5, n + 0.5), expand = c(0, 0), ...)
}

.pathTheme <- function() {
    .plotTheme() + theme(
        axis.line = element_blank(), axis.ticks = element_blank(),
        axis.title = element_blank(), axis.text.x = element_blank(),
        plot.margin = margin(1, 6, 1, 4)
    )
}

#' @importFrom ggplot2 geom_raster scale_y_discrete
.pathHeatmap <- function(path, color_map) {
    n <- length(path$cell)
    names <- make.unique(names(path$keys))
    data <- data.frame(
        place = rep(seq_len(n), length(names)),
        key = factor(rep(names, each = n), levels = rev(names)),
        value = unlist(path$keys, use.names = FALSE)
    )
    value <- list(name = NULL, values = data$value)
    ggplot(data, aes(.data$place, .data$key, fill = .data$value)) +
        geom_raster() +
        .fillScale(value, list(color_map = color_map)) +
        .pathAxis(n) +
        scale_y_discrete(expand = c(0, 0)) +
        .pathTheme() +
        .barTheme()
}

#' @importFrom ggplot2 geom_line
.pathLines <- function(path) {
    n <- length(path$cell)
    names <- make.unique(names(path$keys))
    data <- data.frame(
        place = rep(seq_len(n), length(names)),
        key = factor(rep(names, each = n), levels = names),
        value = unlist(path$keys, use.names = FALSE)
    )
    ggplot(data, aes(.data$place, .data$value, colour = .data$key)) +
        geom_line(linewidth = 0.6) +
        scale_colour_manual(name = NULL, values = .groupColors(names)) +
        .pathAxis(n) +
        .pathTheme() +
        theme(
            axis.line = element_line(colour = "grey35", linewidth = 0.3),
            axis.ticks.y = element_line(colour = "grey35", linewidth = 0.3)
        )
}

# The bar of the groups, their names below the middle of each run.
#' @importFrom ggplot2 guide_axis
.pathGroups <- function(path, colors) {
    runs <- rle(as.character(path$group))
    middle <- cumsum(runs$lengths) - runs$lengths / 2 + 0.5
    n <- length(path$cell)
    # Names that would touch stand in two rows; a letter takes about 1.5% of the
    # width.
    half <- 0.0075 * n * nchar(runs$values)
    touch <- any(diff(middle) < half[-1L] + half[-length(half)])
    data <- data.frame(place = seq_len(n), group = path$group)
    ggplot(data, aes(.data$place, 1, fill = .data$group)) +
        geom_raster() +
        scale_fill_manual(values = colors, guide = "none") +
        .pathAxis(
            n,
            breaks = middle, labels = runs$values,
            guide = guide_axis(n.dodge = if (touch) 2 else 1)
        ) +
        scale_y_continuous(
            expand = c(0, 0), breaks = 1, labels = path$groups
        ) +
        .pathTheme() +
        theme(axis.text.x = element_text(colour = "grey25", face = "bold"))
}

.pathBar <- function(name, path) {
    values <- path$bars[[name]]
    data <- data.frame(place = seq_along(values), value = values)
    plot <- ggplot(data, aes(.data$place, 1, fill = .data$value)) +
        geom_raster() +
        .pathAxis(length(values)) +
        scale_y_continuous(expand = c(0, 0), breaks = 1, labels = name) +
        .pathTheme()
    if (is.factor(values)) {
        value <- list(values = values, palette = .groupColors(levels(values)))
        return(plot + .fillGroups(value, levels(droplevels(values))))
    }
    plot + scale_fill_gradientn(
        name = NULL, colours = c("#f2f2f2", .inkColor),
        na.value = .backgroundColor, guide = "none"
    )
}

#' @importFrom patchwork plot_layout
.stackPanels <- function(panels, heights, title) {
    wrap_plots(panels, ncol = 1L) +
        plot_layout(heights = heights, guides = "collect") +
        plot_annotation(
            title = title,
            theme = theme(plot.title = element_text(face = "bold", size = 12))
        )
}
