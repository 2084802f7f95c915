# The flow of a chain over the cells: stream lines, a grid of arrows, or one
# arrow per cell.

#' Plot the flow of a chain on an embedding
#'
#' Draws where a chain takes the cells: as stream lines, as arrows on a grid, or
#' as one arrow per cell, over the cells coloured as in [plotEmbedding()].
#' `plotProjection()` gives the figure, `plotProjectionData()` the numbers in
#' it. Nothing is stored; see [computeProjection()] for that.
#'
#' @details
#' Arrows of cells are those of [computeProjection()], found in the object or
#' computed on the way.
#'
#' **Grid.** At each point of a regular grid (50 x `density` points a side) the
#' arrows of the `n_neighbors` nearest cells are averaged with Gaussian weights
#' of standard deviation `smooth` times the grid spacing; the sum of the weights
#' is the mass of the point, and the weighted sum of arrows is divided by it
#' where it is above one. `mode = "grid"` shows points whose mass exceeds
#' `min_mass` percent of its 99th percentile.
#'
#' **Stream lines** follow the averaged arrows of a grid of 50 x 50 points in
#' both directions, over at most four times the larger side of the picture, and
#' keep an even distance from each other (Jobard and Lefer 1997): the larger
#' side divided by 30 x `density`. They leave out grid points slower than
#' `10^(min_mass - 6)`, those whose cells have arrows shorter than the
#' percentile `cutoff_perc` and those without a cell within two and a half
#' standard deviations of the weights. Lines are wider where the flow is faster
#' and have an arrow head in the middle.
#'
#' Cells without finite coordinates or arrow count for nothing and are not
#' drawn. Cost: O(cells log cells + grid points x neighbours). Randomness: none.
#' The same result on any number of threads.
#'
#' @inheritParams computeProjection
#' @inheritParams plotEmbedding
#' @param x a kernel or an estimator with an object, or an object that holds a
#'   transition matrix or its projection.
#' @param mode "stream", "grid" or "cells".
#' @param density density of the lines (NULL: 2) or of the grid (NULL: 1).
#' @param smooth width of the weights in units of the grid spacing, above 0.
#' @param n_neighbors number of cells averaged at a grid point; NULL takes a
#'   fiftieth of the cells, at least one.
#' @param min_mass,cutoff_perc what to leave out; see Details.
#' @param basis name of the embedding.
#' @param components which two columns of the embedding to draw.
#' @param recompute whether to compute the arrows even if they are stored.
#' @param linewidth width of the lines relative to the default.
#' @param arrow_size size of arrow heads (`"stream"`) relative to the default.
#' @param arrow_length length of arrows (`"grid"`, `"cells"`) relative to the
#'   default, at which the longest reach to the next point of the grid, or over
#'   a fortieth of the picture; the numbers of `plotProjectionData()` are not
#'   stretched.
#' @param line_color colour of lines and arrows.
#' @param alpha opacity of the points, above 0 and at most 1.
#' @return `plotProjection()`: a ggplot for at most one colour, else a patchwork
#'   object. `plotProjectionData()`: a data frame. `"stream"`: one row per point
#'   of a line, in the direction of the flow, with `line`, `point`, `x`, `y`,
#'   `speed` (length of the averaged arrow), `width` (twice the speed over the
#'   largest speed) and `arrow`, TRUE where the head is. `"grid"`: one row per
#'   grid point with `x`, `y`, `dx`, `dy` and `mass`. `"cells"`: one row per
#'   cell with `cell`, `x`, `y`, `dx` and `dy`.
#' @section Conditions: those of [computeProjection()] and [plotEmbedding()];
#'   `fatecast_error_range` for options out of range, more neighbours than cells
#'   and cells that are all in one place, `fatecast_error_shape` when no cell
#'   has an arrow.
#' @references Jobard, B. and Lefer, W. (1997) Creating evenly-spaced
#'   streamlines of arbitrary density. Visualization in Scientific Computing
#'   '97, 43-55.
#'
#'   La Manno, G. et al. (2018) RNA velocity of single cells. Nature 560,
#'   494-498.
#' @seealso [computeProjection()], [plotRandomWalks()], [plotEmbedding()]
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 300, n_genes = 60))
#' k <- computeTransitionMatrix(VelocityKernel(sce))
#' plotProjection(k, basis = "PCA", color = "cell_type")
#' plotProjection(k, basis = "PCA", mode = "grid", density = 0.5)
#' head(plotProjectionData(k, basis = "PCA"))
#' @include plot-projection-data.R plot-embedding.R plot-walk.R
#' @export
plotProjection <- function(x, basis = "umap",
                           mode = c("stream", "grid", "cells"), color = NULL,
                           density = NULL, smooth = 0.5, n_neighbors = NULL,
                           min_mass = 1, cutoff_perc = 5, components = c(1, 2),
                           key = NULL, key_added = NULL, recompute = FALSE,
                           connectivities = NULL, assay = NULL, palette = NULL,
                           color_map = "viridis", vmin = NULL, vmax = NULL,
                           point_size = NULL, alpha = 0.4, linewidth = 1,
                           arrow_size = 1, arrow_length = 1,
                           line_color = "black",
                           legend_loc = c("right", "on data", "none"),
                           title = NULL, ncol = NULL, n_threads = NULL,
                           show_progress_bar = NULL, ...) {
    .checkDots(...)
    mode <- .checkChoice(mode, c("stream", "grid", "cells"))
    options <- .flowOptions(
        mode, density, smooth, n_neighbors, min_mass, cutoff_perc
    )
    look <- list(
        linewidth = .checkNumber(linewidth, 0, open_min = TRUE),
        arrow_size = .checkNumber(arrow_size, 0, open_min = TRUE),
        arrow_length = .checkNumber(arrow_length, 0, open_min = TRUE),
        color = .asHex(.checkString(line_color), "line_color"),
        palette = palette, vmin = vmin, vmax = vmax, style = .pointStyle(
            alpha = .checkNumber(alpha, 0, 1, open_min = TRUE),
            legend_loc = .checkChoice(
                legend_loc, c("right", "on data", "none")
            ),
            color_map = .checkColorMap(color_map)
        )
    )
    job <- .job(n_threads, show_progress_bar, "Projection")
    read <- .readProjection(
        x, basis, components, key, key_added, recompute, connectivities, job
    )
    layers <- .flowLayers(.flow(read, mode, options, job), mode, look)
    .flowPanels(
        .flowCells(read, color, assay), layers, look, point_size, title, ncol
    )
}

# The cells that have a place, and what colours them.
.flowCells <- function(read, color, assay, call = rlang::caller_env()) {
    .checkString(assay, null = TRUE, arg = "assay", call = call)
    if (!is.null(color) && !(is.character(color) && length(color))) {
        .badType(color, "names of columns or genes", TRUE, "color", call)
    }
    placed <- is.finite(read$places[, 1L]) & is.finite(read$places[, 2L])
    list(
        name = read$name,
        data = data.frame(
            cell = read$cells[placed], x = unname(read$places[placed, 1L]),
            y = unname(read$places[placed, 2L])
        ),
        values = lapply(color, function(one) {
            value <- .colorValues(read$container, one, assay, call)
            value$values <- value$values[placed]
            value
        })
    )
}

# Points are larger than without lines over them, and pale.
.flowPanels <- function(cells, layers, look, point_size, title, ncol,
                        call = rlang::caller_env()) {
    titles <- .panelTitles(title, cells$values, call)
    size <- point_size
    if (is.null(size)) {
        size <- 1.6 * .pointSize(
            NULL, nrow(cells$data), max(1L, length(cells$values))
        )
    }
    size <- .pointSize(size, nrow(cells$data), call = call)
    if (!length(cells$values)) {
        return(.plainPanel(cells, size, look$style, titles$whole) + layers)
    }
    panels <- lapply(seq_along(cells$values), function(at) {
        .flowPanel(cells, at, layers, look, size, titles$panels[at], call)
    })
    .arrange(panels, ncol, titles$whole)
}

# Names on the cells come last, above the lines.
.flowPanel <- function(cells, at, layers, look, size, title, call) {
    value <- cells$values[[at]]
    value$palette <- .mergePalette(value, look$palette, call)
    style <- look$style
    style$limits <- .colorLimits(value$values, look$vmin, look$vmax, call)
    named <- is.factor(value$values) && style$legend_loc == "on data"
    if (named) style$legend_loc <- "none"
    panel <- .valuePanel(cells$data, cells$name, value, size, title, style) +
        layers
    if (named) {
        labels <- .densestLabels(cells$data, value$values)
        panel <- panel + .labelLayers(labels, cells$data, lift = FALSE)
    }
    panel
}

# ---- Lines and arrows ----

.flowLayers <- function(flow, mode, look) {
    if (mode == "stream") {
        return(.streamLayers(flow, look))
    }
    flow <- flow[is.finite(flow$x + flow$y + flow$dx + flow$dy), , drop = FALSE]
    stretch <- look$arrow_length * .arrowStretch(flow, mode)
    flow$to_x <- flow$x + stretch * flow$dx
    flow$to_y <- flow$y + stretch * flow$dy
    .arrowLayer(
        flow, look, length = unit(2 * look$arrow_size, "pt"), angle = 25,
        linewidth = 0.6 * .linePoint * look$linewidth
    )
}

# The longest arrows (their 95th percentile) reach to the next point of the
# grid, or over a fortieth of the picture.
.arrowStretch <- function(flow, mode) {
    size <- sqrt(flow$dx^2 + flow$dy^2)
    long <- stats::quantile(size[size > 0], 0.95, names = FALSE)
    room <- if (mode == "grid") {
        step <- c(diff(sort(unique(flow$x))), diff(sort(unique(flow$y))))
        stats::median(step)
    } else {
        max(diff(range(flow$x)), diff(range(flow$y))) / 40
    }
    if (is.finite(room / long)) room / long else 1
}

#' @importFrom ggplot2 geom_segment
.arrowLayer <- function(data, look, length, angle, linewidth) {
    geom_segment(
        aes(.data$x, .data$y, xend = .data$to_x, yend = .data$to_y), data,
        colour = look$color, linewidth = linewidth, linejoin = "mitre",
        arrow = arrow(length = length, angle = angle, type = "closed"),
        arrow.fill = look$color, inherit.aes = FALSE
    )
}

# Lines, and heads on the piece of the line at its middle.
#' @importFrom ggplot2 scale_linewidth_identity
.streamLayers <- function(flow, look) {
    flow$width <- pmax(flow$width, 0.3) * look$linewidth * .linePoint
    at <- which(flow$arrow)
    before <- pmax(at - 1L, 1L)
    last <- flow$line[before] != flow$line[at]
    before[last] <- at[last]
    after <- at + last
    heads <- data.frame(
        x = flow$x[before], y = flow$y[before], to_x = flow$x[after],
        to_y = flow$y[after]
    )
    list(
        geom_path(
            aes(
                .data$x, .data$y, group = .data$line, linewidth = .data$width
            ), flow,
            colour = look$color, lineend = "round", inherit.aes = FALSE
        ),
        scale_linewidth_identity(),
        .arrowLayer(
            heads, look, length = unit(4.6 * look$arrow_size, "pt"),
            angle = 24, linewidth = 0.1
        )
    )
}
