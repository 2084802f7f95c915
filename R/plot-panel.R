# One panel of cells: order, size and colour of the points, scales and legends.

#' @include color.R plot-theme.R
NULL

# ---- Order and size of points ----

# A fixed shuffle that depends on the names alone: no group ends up on top, and
# the order of cells in the object does not matter. Polynomial hash of the
# characters and two steps of a multiplicative generator modulo 2^31 - 1.
.shuffleOrder <- function(cells) {
    prime <- 2147483647
    hash <- rep(7, length(cells))
    for (at in seq_len(max(nchar(cells), 0L))) {
        letter <- substr(cells, at, at)
        known <- unique(letter[nzchar(letter)])
        code <- vapply(known, utf8ToInt, integer(1))[match(letter, known)]
        more <- !is.na(code)
        hash[more] <- (hash[more] * 257 + code[more]) %% prime
    }
    hash <- (((hash * 48271) %% prime) * 69621) %% prime
    order(hash, cells, method = "radix")
}

# Points cover about the same share of a panel whatever their number.
.pointSize <- function(point_size, n, panels = 1L,
                       call = rlang::caller_env()) {
    if (!is.null(point_size)) {
        return(.checkNumber(point_size, 0, open_min = TRUE, call = call))
    }
    min(2.2, max(0.2, 75 / sqrt(n))) / min(panels, 4L)^0.35
}

#' @importFrom ggplot2 geom_point
.pointLayer <- function(mapping, data, size, n = nrow(data), ...) {
    shape <- if (n > .manyCells) "." else 16
    geom_point(
        mapping, data,
        size = size, shape = shape, stroke = 0, ...
    )
}

# ---- Panels ----

# Limits and aspect of a panel in which a unit is as long on both axes. Layouts
# that are very flat or very tall get room beside them.
.equalFrame <- function(x, y, most = 1.8) {
    span <- c(diff(range(x)), diff(range(y)))
    if (!all(is.finite(span)) || max(span) == 0) {
        return(list(aspect = 1))
    }
    wanted <- pmax(span, max(span) / most)
    list(
        x = mean(range(x)) + c(-0.5, 0.5) * wanted[1L],
        y = mean(range(y)) + c(-0.5, 0.5) * wanted[2L],
        aspect = wanted[2L] / wanted[1L]
    )
}

#' @importFrom ggplot2 ggplot aes labs coord_cartesian
#' @importFrom rlang .data
.embeddingBase <- function(data, name, title = NULL) {
    frame <- .equalFrame(data$x, data$y)
    ggplot(data, aes(.data$x, .data$y)) +
        labs(x = name[1L], y = name[2L], title = title) +
        coord_cartesian(xlim = frame$x, ylim = frame$y, clip = "off") +
        .embeddingTheme() +
        theme(aspect.ratio = frame$aspect)
}

# How the cells of a panel look.
.pointStyle <- function(alpha = 1, na_color = .backgroundColor,
                        sort_order = TRUE, legend_loc = "right",
                        color_map = "viridis", limits = c(NA, NA)) {
    list(
        alpha = alpha, na_color = na_color, sort_order = sort_order,
        legend_loc = legend_loc, color_map = color_map, limits = limits
    )
}

# Rows in the order of drawing: cells without a value first, then rising
# values, or shuffled by name where no value should lie on top.
.drawingOrder <- function(data, sort_order = TRUE) {
    if (is.numeric(data$value) && sort_order) {
        return(order(data$value, na.last = FALSE))
    }
    shuffled <- .shuffleOrder(data$cell)
    shuffled[order(!is.na(data$value[shuffled]))]
}

# One panel of an embedding coloured by a number or a factor.
.valuePanel <- function(data, name, value, size, title = value$name,
                        style = .pointStyle()) {
    data$value <- value$values
    if (is.numeric(data$value)) {
        data$value[!is.finite(data$value)] <- NA
    }
    data <- data[.drawingOrder(data, style$sort_order), , drop = FALSE]
    plot <- .embeddingBase(data, name, title) +
        .pointLayer(
            aes(colour = .data$value), data, size,
            alpha = style$alpha
        ) +
        .valueScale(value, style)
    if (is.numeric(data$value)) {
        plot <- plot + .barTheme()
    } else if (style$legend_loc == "on data") {
        labels <- .densestLabels(data, data$value)
        plot <- plot + .labelLayers(labels, data, lift = FALSE)
    }
    plot
}

# ---- Scales ----

.valueScale <- function(value, style = .pointStyle()) {
    if (!is.factor(value$values)) {
        return(.continuousScale(value$values, style))
    }
    .discreteScale(value, style)
}

#' @importFrom ggplot2 scale_colour_viridis_c scale_colour_gradientn
.continuousScale <- function(values, style) {
    guide <- if (style$legend_loc == "none") "none" else "colourbar"
    if (length(style$color_map) > 1L) {
        return(scale_colour_gradientn(
            name = NULL, colours = style$color_map, limits = style$limits,
            na.value = style$na_color, oob = .squish, guide = guide
        ))
    }
    scale_colour_viridis_c(
        name = NULL, option = style$color_map, limits = style$limits,
        na.value = style$na_color, oob = .squish, guide = guide
    )
}

# Values beyond the limits take the colour of the limit.
.squish <- function(x, range = c(0, 1), ...) {
    pmin(pmax(x, range[1L]), range[2L])
}

# Cells without a category have no entry in the legend: they are grey.
#' @importFrom ggplot2 scale_colour_manual guides guide_legend
.discreteScale <- function(value, style) {
    groups <- levels(value$values)
    shown <- groups[groups %in% value$values]
    guide <- if (style$legend_loc == "right") {
        guide_legend(
            override.aes = .legendPoint(), ncol = .legendColumns(shown)
        )
    } else {
        "none"
    }
    list(
        scale_colour_manual(
            name = NULL, values = .groupColors(groups, value$palette),
            breaks = shown, limits = groups, na.value = style$na_color,
            guide = guide
        )
    )
}

.legendColumns <- function(shown) ceiling(max(1L, length(shown)) / 16)

# One colour per group, named. A palette of the object that lacks groups gives
# way to the default one.
.groupColors <- function(groups, palette = NULL) {
    known <- if (is.null(names(palette))) {
        length(palette) >= length(groups)
    } else {
        all(groups %in% names(palette))
    }
    if (is.null(palette) || !known) {
        palette <- .manyColors(length(groups))
    }
    if (is.null(names(palette))) {
        palette <- stats::setNames(palette[seq_along(groups)], groups)
    }
    palette[groups]
}

# The default palette, or hues when there are more groups than it has colours.
.manyColors <- function(n) {
    if (n <= length(.palette)) {
        return(.defaultColors(n))
    }
    tolower(grDevices::hcl.colors(n, "Dynamic"))
}

# Legend keys are large dots, whatever the size of the points.
.legendPoint <- function(...) list(size = 3, shape = 16, alpha = 1, ...)
