# Random walks as coloured lines over the cells.

#' @rdname plotRandomWalks
#' @param color_map colours from first to last step: "gnuplot" (black, violet,
#'   red, yellow), the name of a viridis scale, or two or more colours.
#' @param linewidth width of the lines, in points.
#' @param linealpha opacity of the lines, above 0 and at most 1.
#' @param point_size size of the grey cells; NULL chooses by their number.
#' @param legend_loc "right" or "none".
#' @param title title of the figure.
#' @include kernel-walk.R plot-embedding.R
#' @export
plotRandomWalks <- function(x, n_sims = 100, max_iter = 0.25,
                            random_state = NULL, successive_hits = 0,
                            start_ixs = NULL, stop_ixs = NULL, basis = "umap",
                            components = c(1, 2), key = NULL,
                            color_map = "gnuplot", linewidth = 1,
                            linealpha = 0.3, point_size = NULL,
                            legend_loc = c("right", "none"), title = NULL,
                            n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    colors <- .rampColors(color_map)
    linewidth <- .checkNumber(linewidth, 0, open_min = TRUE)
    linealpha <- .checkNumber(linealpha, 0, 1, open_min = TRUE)
    legend_loc <- .checkChoice(legend_loc, c("right", "none"))
    .checkString(title, null = TRUE)
    basis <- .checkString(basis)
    done <- .randomWalks(
        .chainOf(x, key, n_threads), n_sims, max_iter, random_state,
        successive_hits, start_ixs, stop_ixs, basis, components,
        .job(n_threads, show_progress_bar, "Random walks")
    )
    cells <- done$cells
    size <- .pointSize(point_size, nrow(cells$data))
    .embeddingBase(cells$data, cells$name, title) +
        .pointLayer(NULL, cells$data, size, colour = .backgroundColor) +
        .walkLayers(done$walks, colors, linewidth, linealpha, size) +
        .walkScale(colors, legend_loc) +
        .barTheme()
}

# One path per walk by the share of it that is done, and its ends.
#' @importFrom ggplot2 geom_path
.walkLayers <- function(walks, colors, linewidth, linealpha, size) {
    steps <- tabulate(walks$walk) - 1L
    walks$done <- walks$step / steps[walks$walk]
    ends <- function(at, fill) {
        geom_point(
            aes(.data$x, .data$y), walks[at, , drop = FALSE], shape = 21,
            size = max(1.6, 1.1 * size), stroke = 0.35, colour = "black",
            fill = fill, inherit.aes = FALSE
        )
    }
    list(
        geom_path(
            aes(
                .data$x, .data$y, group = .data$walk, colour = .data$done
            ), walks,
            linewidth = linewidth * .linePoint, alpha = linealpha,
            inherit.aes = FALSE
        ),
        ends(walks$step == 0L, colors[1L]),
        ends(walks$done == 1, colors[length(colors)])
    )
}

# Width of a line of one point (1/72 inch) in units of ggplot2.
.linePoint <- (96 / 72) / (72.27 / 25.4)

.walkScale <- function(colors, legend_loc) {
    scale_colour_gradientn(
        name = NULL, colours = colors, limits = c(0, 1), breaks = c(0, 1),
        labels = c("first step", "last step"),
        guide = if (legend_loc == "none") "none" else "colourbar"
    )
}

# Colours from low to high: "gnuplot" by its formula, the others by name.
.rampColors <- function(color_map, call = rlang::caller_env()) {
    if (identical(color_map, "gnuplot")) {
        at <- seq(0, 1, length.out = 64L)
        return(.rgbHex(255 * rbind(
            sqrt(at), at^3, sin(2 * pi * at)
        )))
    }
    if (length(color_map) > 1L) {
        return(unname(.asHex(color_map, "color_map", call)))
    }
    name <- .checkChoice(
        color_map, c("gnuplot", .viridisMaps), arg = "color_map", call = call
    )
    at <- seq(0, 1, length.out = 64L)
    tolower(substr(scale_colour_viridis_c(option = name)$palette(at), 1L, 7L))
}
