# Colours, layers and legend of a plot of driver correlations.

#' @include plot-theme.R plot-panel.R
NULL

# ---- Colours ----

# One colour per set, named.
.setColors <- function(x, sets, colors, call = rlang::caller_env()) {
    if (!length(sets)) {
        return(character())
    }
    if (is.null(colors)) {
        palette <- stats::setNames(.manyColors(length(sets)), sets)
        own <- lineageColors(x)
        known <- intersect(sets, names(own))
        palette[known] <- own[known]
        return(palette)
    }
    if (length(colors) != length(sets)) {
        .abort("shape", paste0(
            "`gene_sets_colors` must hold one colour for each of the ",
            .count(length(sets), "gene set"), ", not ", length(colors), "."
        ), n = length(sets), n_colors = length(colors), call = call)
    }
    hex <- .asHex(colors, "gene_sets_colors", call)
    if (setequal(names(hex), sets)) hex[sets] else stats::setNames(hex, sets)
}

# Colours of a scale of numbers, low to high.
.colorRamp <- function(cmap, call = rlang::caller_env()) {
    if (length(cmap) > 1L) {
        return(unname(.asHex(cmap, "cmap", call)))
    }
    cmap <- .checkString(cmap, arg = "cmap", call = call)
    known <- grDevices::hcl.pals()
    name <- sub("_r$", "", cmap)
    at <- match(tolower(name), tolower(known))
    if (is.na(at)) {
        .abort("range", paste0(
            "`cmap` must name a palette of hcl.colors(), not ",
            .someNames(cmap), "."
        ), .suggest(name, known), argument = "cmap", value = cmap, call = call)
    }
    grDevices::hcl.colors(64L, known[at], rev = grepl("_r$", cmap))
}

# ---- Layers ----

#' @importFrom ggplot2 geom_hline geom_vline
.zeroLines <- function() {
    list(
        geom_hline(yintercept = 0, linetype = 2, colour = "grey60",
            linewidth = 0.4),
        geom_vline(xintercept = 0, linetype = 2, colour = "grey60",
            linewidth = 0.4)
    )
}

# Genes of no set, in grey or by their value, low values first.
#' @importFrom ggplot2 scale_colour_gradientn scale_colour_manual
.geneLayers <- function(x, data, color, ramp, size) {
    data <- data[is.na(data$gene_set) | !is.null(color), , drop = FALSE]
    data <- data[!duplicated(data$feature), , drop = FALSE]
    if (is.null(color)) {
        return(.pointLayer(aes(), data, size, colour = "grey65", alpha = 0.8))
    }
    data <- data[order(data$value, na.last = FALSE), , drop = FALSE]
    scale <- if (is.numeric(data$value)) {
        list(
            scale_colour_gradientn(
                name = color, colours = ramp, na.value = .backgroundColor
            ), .barTheme()
        )
    } else {
        groups <- levels(data$value)
        scale_colour_manual(
            name = color, na.value = .backgroundColor, limits = groups,
            values = .groupColors(
                groups, .readColors(.plotContainer(x), color)
            ),
            guide = guide_legend(override.aes = .legendPoint())
        )
    }
    list(.pointLayer(aes(colour = .data$value), data, size), scale)
}

# Genes of the sets: filled points with a white rim, and their names.
#' @importFrom ggplot2 geom_point geom_segment scale_fill_manual
#'   guide_legend
.setLayers <- function(data, palette, size, fontsize, adjust_text) {
    marked <- data[!is.na(data$gene_set), , drop = FALSE]
    if (!nrow(marked)) {
        return(NULL)
    }
    labels <- .geneLabels(marked, data, fontsize, adjust_text)
    list(
        if (adjust_text) geom_segment(
            aes(.data$from_x, .data$from_y, xend = .data$to_x, yend = .data$y),
            labels,
            colour = "grey45", linewidth = 0.3
        ),
        .haloText(labels, data, fontsize / .pointsPerUnit),
        geom_point(
            aes(fill = .data$gene_set), marked,
            shape = 21, size = max(2.4, 1.6 * size), colour = "white",
            stroke = 0.4
        ),
        scale_fill_manual(
            name = NULL, values = palette, breaks = names(palette),
            guide = guide_legend(
                override.aes = list(size = 3, shape = 21, colour = "white")
            )
        )
    )
}

# Where the name of each marked gene stands: above it, or, moved apart, towards
# the middle of the panel, with the ends of a line from the gene to the name.
.geneLabels <- function(marked, data, fontsize, adjust_text) {
    marked <- marked[!duplicated(marked$feature), , drop = FALSE]
    labels <- data.frame(
        x = marked$x, y = marked$y, label = marked$feature,
        from_x = marked$x, from_y = marked$y
    )
    if (!adjust_text) {
        labels$y <- labels$y + diff(range(data$y)) * 0.03
        return(labels)
    }
    span <- diff(range(data$x))
    half <- span * 0.011 * nchar(labels$label) * fontsize / 10
    side <- ifelse(labels$x < mean(range(data$x)), 1, -1)
    labels$x <- labels$x + side * (half + 0.04 * span)
    labels <- .spreadLabels(labels, data, lift = FALSE)
    labels$to_x <- labels$x - side * half
    labels
}

# Points of a font per unit of size of a text in a plot.
.pointsPerUnit <- 72.27 / 25.4

.legendPlaces <- c(
    "best", "upper left", "upper right", "lower left", "lower right", "right",
    "none"
)

# Where the legend goes: a corner of the panel, beside it, or nowhere.
.legendPlace <- function(place, data) {
    if (place %in% c("right", "none")) {
        return(theme(legend.position = place))
    }
    corners <- expand.grid(x = c(0, 1), y = c(1, 0))
    names <- .legendPlaces[2:5]
    at <- if (place == "best") {
        .emptiestCorner(data, corners)
    } else {
        match(place, names)
    }
    spot <- c(corners$x[at], corners$y[at])
    theme(
        legend.position = abs(spot - 0.01), legend.justification = spot,
        legend.background = element_rect(
            fill = grDevices::adjustcolor("white", 0.75), colour = NA
        )
    )
}

# The corner of the panel, a third of it wide and high, with the fewest genes.
.emptiestCorner <- function(data, corners) {
    share <- function(v) {
        (v - min(v)) / max(diff(range(v)), .Machine$double.xmin)
    }
    x <- share(data$x)
    y <- share(data$y)
    genes <- vapply(seq_len(nrow(corners)), function(k) {
        sum(abs(x - corners$x[k]) < 1 / 3 & abs(y - corners$y[k]) < 1 / 3)
    }, numeric(1))
    which.min(genes)
}
