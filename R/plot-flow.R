#' Plot where the cells of a cluster go over time
#'
#' For every step from one time to the next, of all transitions that leave the
#' cells of a cluster and arrive at the next time, the share that arrives in
#' each cluster. `plotSingleFlow()` gives the figure, `plotSingleFlowData()` the
#' numbers in it.
#'
#' @details
#' A band is a cluster; its height is twice the share of the cells of each time
#' that belong to it (lines between times, smoothed by LOWESS with a span of
#' 0.3). A ribbon is a flow: it leaves the band of `cluster` with the part of
#' the height that flows there (of a least height where the band is very thin),
#' colours going over into those of the cluster where it arrives, at the next
#' time. Ribbons run behind the bands; what stays within the cluster is its
#' band. Flows that arrive in one step sum to one over the clusters (zero where
#' there are none); the matrix is not normalised anew when `clusters` or
#' `time_points` leave cells out. A backward kernel is drawn from late to early.
#'
#' Nothing is stored. Cost: linear in transitions. The same numbers on any
#' number of threads; no randomness.
#'
#' @param kernel A kernel with a transition matrix, made from an object, or an
#'   estimator. An expression is evaluated.
#' @param cluster Name of the cluster to follow.
#' @param cluster_key Column of the cells with the clusters.
#' @param time_key Column with experimental time, read as
#'   [ExperimentalTimeKernel()] says; NULL takes that of a kernel on
#'   experimental time.
#' @param clusters Clusters to look at, `cluster` among them or not; NULL for
#'   all.
#' @param time_points Times to look at, at least two; NULL for all.
#' @param min_flow Flows up to this share are not drawn, 0 or more.
#' @param remove_empty_clusters Leave out clusters that no flow above `min_flow`
#'   reaches.
#' @param ascending Order of clusters by the flow they receive, from the band of
#'   `cluster` outwards, below and above in turns: FALSE largest first, TRUE
#'   smallest first. NULL: the first half of the clusters below, the rest above,
#'   in the order given.
#' @param alpha How strong the colour of a ribbon is where it arrives, above 0
#'   and at most 1; where it leaves it is pale.
#' @param legend_loc "on data" (names beside the bands), "right" or "none".
#' @param xticks_step_size Every how many times one is named on the axis; NULL
#'   for none.
#' @param palette Colours of the clusters, named by cluster or in the order of
#'   their levels; NULL for those of the object.
#' @param title Title of the figure; NULL says what it shows.
#' @param ... Not used; an unknown argument is an error.
#' @return `plotSingleFlow()`: a ggplot. `plotSingleFlowData()`: a list of three
#'   data frames: `flow` (`source`, `target`, `time`, `next_time`, `flow`: the
#'   share of each step), `sizes` (`cluster`, `time`, `share` of the cells of a
#'   time) and `bands` (`cluster`, `offset`: the height of its middle).
#' @section Errors:
#' `not_computed` without a transition matrix; `missing_key` for unknown
#' columns, clusters and times; `type` for clusters that are numbers and times
#' that are not; `range` for fewer than two clusters or times, and when no flow
#' is above `min_flow` (the largest is named).
#' @references Mittnenzweig, M. et al. (2021) A single-embryo, single-cell
#'   time-resolved model for mouse gastrulation. Cell 184, 2825-2842. Cleveland,
#'   W. S. (1979) Robust locally weighted regression and smoothing scatterplots.
#'   JASA 74, 829-836.
#' @seealso [RealTimeKernel()]
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 400, n_genes = 60))
#' k <- PseudotimeKernel(sce, time_key = "pseudotime")
#' k <- computeTransitionMatrix(k)
#' first <- levels(sce$cell_type)[1]
#' plotSingleFlow(
#'     k, first, cluster_key = "cell_type", time_key = "time"
#' )
#' flow <- plotSingleFlowData(
#'     k, first, cluster_key = "cell_type", time_key = "time"
#' )$flow
#' head(flow)
#' @include kernel-flow.R plot-theme.R plot-panel.R
#' @export
plotSingleFlow <- function(kernel, cluster, cluster_key, time_key = NULL,
                           clusters = NULL, time_points = NULL, min_flow = 0,
                           remove_empty_clusters = TRUE, ascending = FALSE,
                           alpha = 0.8,
                           legend_loc = c("on data", "right", "none"),
                           xticks_step_size = 1, palette = NULL, title = NULL,
                           ...) {
    .checkDots(...)
    ascending <- .checkFlag(ascending, null = TRUE)
    style <- list(
        alpha = .checkNumber(alpha, 0, 1, open_min = TRUE),
        legend_loc = .checkChoice(legend_loc, c("on data", "right", "none")),
        step = .checkCount(xticks_step_size, null = TRUE),
        title = .checkString(title, null = TRUE)
    )
    flow <- .layFlow(.singleFlow(
        kernel, cluster, cluster_key, time_key, clusters, time_points,
        min_flow, remove_empty_clusters
    ), ascending)
    style$colors <- .flowColors(flow, palette)
    .flowFigure(flow, style)
}

#' @rdname plotSingleFlow
#' @export
plotSingleFlowData <- function(kernel, cluster, cluster_key, time_key = NULL,
                               clusters = NULL, time_points = NULL,
                               min_flow = 0, remove_empty_clusters = TRUE,
                               ascending = FALSE, ...) {
    .checkDots(...)
    ascending <- .checkFlag(ascending, null = TRUE)
    flow <- .layFlow(.singleFlow(
        kernel, cluster, cluster_key, time_key, clusters, time_points,
        min_flow, remove_empty_clusters
    ), ascending)
    times <- colnames(flow$sizes)
    clusters <- rownames(flow$sizes)
    steps <- seq_along(times)[-1L]
    list(
        flow = data.frame(
            source = flow$cluster,
            target = rep(clusters, each = length(steps)),
            time = times[steps - 1L], next_time = times[steps],
            flow = as.vector(flow$flow)
        ),
        sizes = data.frame(
            cluster = clusters, time = rep(times, each = length(clusters)),
            share = as.vector(flow$sizes)
        ),
        bands = data.frame(
            cluster = names(flow$offsets), offset = unname(flow$offsets)
        )
    )
}

.layFlow <- function(flow, ascending) {
    flow$order <- .flowOrder(flow, ascending)
    flow$offsets <- .flowOffsets(flow$sizes, flow$order)
    flow$places <- .flowPlaces(colnames(flow$sizes))
    flow
}

# By the levels of the column, so that a choice of clusters keeps their colours.
.flowColors <- function(flow, palette, call = rlang::caller_env()) {
    value <- list(
        name = flow$cluster_key, palette = flow$palette,
        values = factor(flow$all, levels = flow$all)
    )
    .groupColors(flow$all, .mergePalette(value, palette, call))[flow$order]
}

# ---- Shapes ----

.bandShapes <- function(flow) {
    shapes <- lapply(flow$order, function(cluster) {
        band <- .flowBand(flow$places, flow$sizes[cluster, ])
        data.frame(
            cluster = cluster, x = band$x,
            low = flow$offsets[[cluster]] - band$half,
            high = flow$offsets[[cluster]] + band$half
        )
    })
    bands <- do.call(rbind, shapes)
    bands$cluster <- factor(bands$cluster, levels = flow$order)
    bands
}

# Height of the middle of the band of `cluster` at any place, and half its
# height there.
.halfAt <- function(bands, cluster, place) {
    own <- bands[bands$cluster == cluster, ]
    stats::approx(own$x, (own$high - own$low) / 2, place)$y
}

# From 0 to 1 along a logistic curve.
.logisticRise <- function(at, location = 0.5, scale = 0.1) {
    y <- stats::plogis(at, location, scale)
    ends <- stats::plogis(c(0, 1), location, scale)
    (y - ends[1L]) / diff(ends)
}

# Ribbons of a band thinner than this are drawn as if it were this high, or
# nothing would be seen of them.
.leastHalf <- 0.08

# Quadrilaterals of all ribbons in the order of drawing. A ribbon begins where
# its part of the source's band is: parts are stacked in the order of bands.
.ribbonShapes <- function(flow, bands, style, pieces = 40L) {
    at <- seq(0, 1, length.out = pieces + 1L)
    shapes <- list()
    for (step in seq_len(nrow(flow$flow))) {
        share <- flow$flow[step, flow$order]
        ends <- flow$places[step + 0:1]
        half <- max(.leastHalf, .halfAt(bands, flow$cluster, ends[[1L]]))
        start <- flow$offsets[[flow$cluster]] - half +
            2 * half * (cumsum(share) - share / 2)
        drawn <- share > flow$min_flow & names(share) != flow$cluster
        for (target in names(sort(share[drawn], decreasing = TRUE))) {
            width <- half * min(share[[target]], 0.95)
            last <- min(width, .halfAt(bands, target, ends[[2L]]))
            rise <- .logisticRise(at)
            middle <- start[[target]] +
                rise * (flow$offsets[[target]] - start[[target]])
            reach <- width + rise * (last - width)
            shapes[[length(shapes) + 1L]] <- .ribbonPieces(
                ends[[1L]] + at * diff(ends), middle - reach, middle + reach,
                .ribbonColors(flow$cluster, target, style, pieces),
                length(shapes)
            )
        }
    }
    do.call(rbind, shapes)
}

# Pieces reach a little under the next one, or seams would show.
.ribbonPieces <- function(x, low, high, colors, id) {
    n <- length(colors)
    left <- seq_len(n)
    right <- pmin(left + 2L, n + 1L)
    data.frame(
        x = as.vector(rbind(x[left], x[right], x[right], x[left])),
        y = as.vector(rbind(low[left], low[right], high[right], high[left])),
        piece = rep(id * n + left, each = 4L), fill = rep(colors, each = 4L)
    )
}

# From a pale colour of the source to a strong one of the target, on white:
# opaque, so that neither seams nor crossings darken.
.ribbonColors <- function(source, target, style, pieces) {
    mix <- (seq_len(pieces) - 0.5) / pieces
    rgb <- grDevices::col2rgb(style$colors[c(source, target)])
    strength <- 0.2 + mix * (style$alpha - 0.2)
    blend <- rgb[, 1L] %o% (1 - mix) + rgb[, 2L] %o% mix
    .rgbHex(255 + t(t(blend - 255) * strength))
}

# ---- Figure ----

#' @importFrom ggplot2 geom_polygon geom_ribbon geom_vline
#'   scale_fill_manual scale_y_continuous scale_x_continuous expansion
.flowFigure <- function(flow, style) {
    bands <- .bandShapes(flow)
    ribbons <- .ribbonShapes(flow, bands, style)
    plot <- ggplot() +
        geom_vline(
            xintercept = unname(flow$places), colour = "grey88",
            linewidth = 0.4
        )
    if (!is.null(ribbons)) {
        plot <- plot + geom_polygon(
            aes(.data$x, .data$y, group = .data$piece), ribbons,
            fill = ribbons$fill
        )
    }
    for (cluster in flow$order) {
        own <- bands[bands$cluster == cluster, ]
        plot <- plot + geom_ribbon(
            aes(
                .data$x, ymin = .data$low, ymax = .data$high,
                fill = .data$cluster
            ), own, show.legend = TRUE
        )
    }
    plot + .flowScales(flow, style) + .plotTheme() + .flowTheme(style)
}

.flowScales <- function(flow, style) {
    times <- seq_along(flow$places)
    named <- if (is.null(style$step)) {
        integer()
    } else {
        times[(times - 1L) %% style$step == 0L]
    }
    on_data <- style$legend_loc == "on data"
    title <- if (is.null(style$title)) {
        paste("Flow of", flow$cluster)
    } else {
        style$title
    }
    list(
        scale_fill_manual(
            name = NULL, values = style$colors, breaks = rev(flow$order),
            guide = if (style$legend_loc == "right") "legend" else "none"
        ),
        scale_x_continuous(
            breaks = unname(flow$places)[named],
            labels = names(flow$places)[named],
            expand = expansion(mult = 0.01)
        ),
        scale_y_continuous(
            breaks = if (on_data) unname(flow$offsets),
            labels = if (on_data) names(flow$offsets),
            expand = expansion(add = 0.1)
        ),
        labs(x = flow$time_key, y = NULL, title = title)
    )
}

.flowTheme <- function(style) {
    theme(
        axis.line.y = element_blank(), axis.ticks.y = element_blank(),
        axis.text.y = element_text(
            size = 10, colour = .inkColor, margin = margin(r = 4)
        )
    )
}
