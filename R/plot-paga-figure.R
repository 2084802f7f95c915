# The figure of a coarse graph, from its nodes, edges and values.

#' @include plot-paga-geom.R plot-paga-labels.R plot-panel.R
NULL

.edgeColor <- "#4d4d4d"

# How nodes and edges look, checked.
.graphStyle <- function(labels, groups, column, fontsize, node_size_scale,
                        node_size_power, edge_width_scale, min_edge_width,
                        max_edge_width, arrowsize, color_map, palette,
                        call = rlang::caller_env()) {
    positive <- function(v, arg) {
        .checkNumber(v, 0, open_min = TRUE, arg = arg, call = call)
    }
    list(
        labels = .nodeLabels(labels, groups, column, call),
        fontsize = if (!is.null(fontsize)) positive(fontsize, "fontsize"),
        node_scale = positive(node_size_scale, "node_size_scale"),
        node_power = .checkNumber(node_size_power, call = call),
        edge_scale = positive(edge_width_scale, "edge_width_scale"),
        edge_min = .checkNumber(min_edge_width, 0, null = TRUE, call = call),
        edge_max = .checkNumber(max_edge_width, 0, null = TRUE, call = call),
        head = 0.3 * positive(arrowsize, "arrowsize"),
        color_map = .checkColorMap(color_map, call), palette = palette,
        legend = TRUE
    )
}

.graphFigure <- function(graph, style, title, ncol, frame = NULL,
                         call = rlang::caller_env()) {
    plain <- length(graph$values) == 1L && isTRUE(graph$values[[1L]]$own)
    if (is.null(style$fontsize)) {
        style$fontsize <- if (length(graph$values) > 1L) 8 else 10
    }
    titles <- .panelTitles(title, graph$values, call)
    panels <- lapply(seq_along(graph$values), function(at) {
        value <- graph$values[[at]]
        if (is.factor(value$values) || !is.null(value$shares)) {
            value$palette <- .nodePalette(value, style$palette, call)
        }
        name <- if (plain && is.null(title)) NULL else titles$panels[at]
        .graphPanel(graph, value, style, name, frame)
    })
    .arrange(panels, ncol, titles$whole)
}

.nodePalette <- function(value, palette, call = rlang::caller_env()) {
    if (!is.null(value$shares)) {
        if (isTRUE(value$own)) {
            return(value$palette)
        }
        value$values <- factor(
            colnames(value$shares),
            levels = colnames(value$shares)
        )
    }
    .groupColors(
        levels(value$values), .mergePalette(value, palette, call)
    )
}

# Room around the nodes, with units as long on both axes.
.graphFrame <- function(nodes) {
    pad <- function(v, span) range(v) + c(-0.12, 0.12) * span
    span <- max(diff(range(nodes$x)), diff(range(nodes$y)))
    if (span == 0) span <- 1
    .equalFrame(pad(nodes$x, span), pad(nodes$y, span))
}

#' @importFrom ggplot2 theme_void
.graphPanel <- function(graph, value, style, title = NULL, frame = NULL) {
    nodes <- graph$nodes
    nodes$diameter <- .nodeDiameter(
        nodes$n_cells, style$node_scale, style$node_power
    )
    edges <- .edgeEnds(graph)
    edges$rim <- nodes$diameter[graph$edges$from] / 2
    edges$rim_end <- nodes$diameter[graph$edges$to] / 2
    edges$width <- .edgeWidth(edges$weight, style)
    if (is.null(frame)) frame <- .graphFrame(nodes)
    ggplot() +
        .edgeLayers(edges, style$head, graph$directed) +
        .nodeLayers(nodes, value, style) +
        .nodeText(nodes, graph, style) +
        coord_cartesian(xlim = frame$x, ylim = frame$y, clip = "off") +
        labs(title = title) +
        .graphTheme(frame$aspect)
}

.graphTheme <- function(aspect) {
    .embeddingTheme() + theme(
        axis.line = element_blank(), axis.title = element_blank(),
        aspect.ratio = aspect
    )
}

.edgeWidth <- function(weight, style) {
    width <- 7.5 * style$edge_scale * weight
    if (!is.null(style$edge_min)) width <- pmax(width, style$edge_min)
    if (!is.null(style$edge_max)) width <- pmin(width, style$edge_max)
    .pointsToLine(width)
}

# Dashed below, then solid edges or, in their place, arrows.
#' @importFrom ggplot2 geom_segment
.edgeLayers <- function(edges, head, directed) {
    of <- function(kind) edges[edges$kind == kind, , drop = FALSE]
    lines <- function(data, ...) {
        geom_segment(
            aes(.data$x, .data$y, xend = .data$xend, yend = .data$yend), data,
            inherit.aes = FALSE, linewidth = data$width, lineend = "round", ...
        )
    }
    top <- if (directed) {
        .rimArrows(of("transition"), head, colour = .inkColor)
    } else {
        lines(of("solid"), colour = .edgeColor)
    }
    dashed <- of("dashed")
    list(
        if (nrow(dashed)) {
            lines(dashed, colour = "grey50", alpha = 0.5, linetype = "22")
        },
        top
    )
}

.nodeLayers <- function(nodes, value, style) {
    if (!is.null(value$shares)) {
        return(.pieLayers(nodes, value))
    }
    nodes$value <- value$values
    named <- isTRUE(value$own) && !is.null(style$labels)
    stroke <- 0.4
    list(
        geom_point(
            aes(.data$x, .data$y, fill = .data$value), nodes,
            shape = 21, colour = .inkColor, stroke = stroke,
            size = .pointsToSize(nodes$diameter, stroke)
        ),
        .fillScale(value, style, legend = style$legend && !named),
        if (!is.factor(value$values)) .barTheme()
    )
}

#' @importFrom ggplot2 scale_fill_gradientn scale_fill_viridis_c
.fillScale <- function(value, style, legend = TRUE) {
    if (is.factor(value$values)) {
        return(.fillGroups(value, levels(droplevels(value$values)), legend))
    }
    if (length(style$color_map) > 1L) {
        return(scale_fill_gradientn(
            name = NULL, colours = style$color_map,
            na.value = .backgroundColor
        ))
    }
    scale_fill_viridis_c(
        name = NULL, option = style$color_map, na.value = .backgroundColor
    )
}

.fillGroups <- function(value, shown, legend = TRUE) {
    key <- list(
        size = 4, shape = 21, colour = .inkColor, stroke = 0.3, alpha = 1
    )
    scale_fill_manual(
        name = NULL, values = value$palette, breaks = shown,
        limits = names(value$palette), na.value = .backgroundColor,
        guide = if (legend) {
            guide_legend(override.aes = key, ncol = .legendColumns(shown))
        } else {
            "none"
        }
    )
}

# What is missing of a whole turn is grey.
.pieLayers <- function(nodes, value) {
    shares <- cbind(value$shares, pmax(0, 1 - rowSums(value$shares)))
    turn <- t(apply(shares, 1L, cumsum))
    slices <- data.frame(
        nodes[rep(seq_len(nrow(nodes)), ncol(shares)), , drop = FALSE],
        from = as.vector(turn - shares), to = as.vector(turn),
        category = factor(rep(
            c(colnames(value$shares), NA),
            each = nrow(nodes)
        ), levels = colnames(value$shares)),
        row.names = NULL
    )
    slices <- slices[slices$to - slices$from > 1e-9, , drop = FALSE]
    list(
        .slices(slices, colour = .inkColor, stroke = 0.3),
        .fillGroups(value, colnames(value$shares), !isTRUE(value$own))
    )
}
