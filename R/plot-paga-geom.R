# Marks that ggplot2 lacks: arrows that stop at the rim of a node, names beside
# it, and pies. Like any other point they are sized in points, so they keep
# their shape whatever the size of the panel.

#' @importFrom grid gpar grobTree
NULL

# Diameter of a node in points: area 2000 / (sqrt(G) + 10), times the number of
# cells over the median number to the given power.
.nodeDiameter <- function(n_cells, scale = 1, power = 0.5) {
    area <- 2000 / (sqrt(length(n_cells)) + 10) * scale *
        (n_cells / stats::median(n_cells))^power
    sqrt(area)
}

# ggplot2 measures points by a font size, of which a circle takes three
# quarters, and lines by millimetres of 1/96 inch each 0.75 points.
.pointsToSize <- function(diameter, stroke = 0) {
    (diameter / 0.75 - stroke * ggplot2::.stroke / 2) / ggplot2::.pt
}
.pointsToLine <- function(width) width / 0.75 / ggplot2::.pt

# Points `along` and `across` a direction away from a place, in points.
.awayFrom <- function(x, y, angle, along, across = 0) {
    list(
        x = unit(x, "npc") +
            unit(along * cos(angle) - across * sin(angle), "pt"),
        y = unit(y, "npc") +
            unit(along * sin(angle) + across * cos(angle), "pt")
    )
}

# A segment from rim to rim with a head at its end. Angles are taken in the
# data, which is right on panels whose units are as long on both axes.
#' @importFrom ggplot2 ggproto Geom draw_key_path
.GeomRimArrow <- ggproto(
    "GeomRimArrow", Geom,
    required_aes = c("x", "y", "xend", "yend"),
    default_aes = aes(
        colour = "black", linewidth = 0.5, alpha = 1, rim = 0, rim_end = 0
    ),
    draw_key = draw_key_path,
    draw_panel = function(data, panel_params, coord, head = 12) {
        start <- coord$transform(data, panel_params)
        there <- data
        there$x <- data$xend
        there$y <- data$yend
        end <- coord$transform(there, panel_params)
        angle <- atan2(data$yend - data$y, data$xend - data$x)
        color <- grDevices::adjustcolor(data$colour, data$alpha[1L])
        wide <- pmax(0.36 * head, 0.7 * data$linewidth * ggplot2::.pt)
        from <- .awayFrom(start$x, start$y, angle, data$rim)
        to <- .awayFrom(end$x, end$y, angle, -data$rim_end - 0.9 * head)
        tip <- .awayFrom(end$x, end$y, angle, -data$rim_end)
        back <- -data$rim_end - head
        left <- .awayFrom(end$x, end$y, angle, back, wide)
        right <- .awayFrom(end$x, end$y, angle, back, -wide)
        grid::grobTree(
            grid::segmentsGrob(
                from$x, from$y, to$x, to$y,
                gp = grid::gpar(
                    col = color, lwd = data$linewidth * ggplot2::.pt,
                    lineend = "butt"
                )
            ),
            grid::polygonGrob(
                grid::unit.c(tip$x, left$x, right$x),
                grid::unit.c(tip$y, left$y, right$y),
                id = rep(seq_len(nrow(data)), 3L),
                gp = grid::gpar(col = NA, fill = color)
            )
        )
    }
)

# Text beside a node, `away` points from its centre, with a white halo.
#' @importFrom ggplot2 draw_key_blank
.GeomNodeLabel <- ggproto(
    "GeomNodeLabel", Geom,
    required_aes = c("x", "y", "label"),
    default_aes = aes(
        colour = "black", fontsize = 10, away = 0, hjust = 0.5
    ),
    draw_key = draw_key_blank,
    draw_panel = function(data, panel_params, coord) {
        at <- coord$transform(data, panel_params)
        center <- data$away + sign(data$away) * 0.75 * data$fontsize
        # A label to a side leaves the vertical over its node free.
        inset <- -sign(data$hjust - 0.5) * 0.25 * data$fontsize
        text <- function(angle, reach, color) {
            grid::textGrob(
                data$label,
                unit(at$x, "npc") + unit(inset + reach * cos(angle), "pt"),
                unit(at$y, "npc") + unit(center + reach * sin(angle), "pt"),
                hjust = data$hjust, gp = grid::gpar(
                    col = color, fontsize = data$fontsize, fontface = "bold"
                )
            )
        }
        halo <- lapply(seq(0, 11) * pi / 6, text, reach = 1.3, color = "white")
        top <- text(0, 0, data$colour)
        do.call(grid::grobTree, c(halo, list(top)))
    }
)

# Slices of circles: `from` and `to` are shares of the turn, clockwise from the
# top.
#' @importFrom ggplot2 draw_key_point
.GeomSlice <- ggproto(
    "GeomSlice", Geom,
    required_aes = c("x", "y", "from", "to"),
    default_aes = aes(
        colour = "white", fill = "grey50", size = 5, shape = 21, stroke = 0.3,
        alpha = 1, diameter = 12
    ),
    draw_key = draw_key_point,
    draw_panel = function(data, panel_params, coord) {
        center <- coord$transform(data, panel_params)
        slices <- lapply(seq_len(nrow(data)), function(at) {
            whole <- data$to[at] - data$from[at] >= 1
            steps <- max(2, ceiling(72 * (data$to[at] - data$from[at])))
            turn <- 2 * pi *
                seq(data$from[at], data$to[at], length.out = steps + 1)
            rim <- data$diameter[at] / 2 * cbind(sin(turn), cos(turn))
            if (!whole) {
                rim <- rbind(0, rim)
            }
            grid::polygonGrob(
                unit(center$x[at], "npc") + unit(rim[, 1L], "pt"),
                unit(center$y[at], "npc") + unit(rim[, 2L], "pt"),
                gp = grid::gpar(
                    fill = grDevices::adjustcolor(
                        data$fill[at], data$alpha[at]
                    ),
                    col = data$colour[at], lwd = data$stroke[at] * 2
                )
            )
        })
        do.call(grid::grobTree, slices)
    }
)

#' @importFrom ggplot2 layer
.rimArrows <- function(data, head, ...) {
    layer(
        data = data, geom = .GeomRimArrow, stat = "identity",
        position = "identity", inherit.aes = FALSE, show.legend = FALSE,
        mapping = aes(
            .data$x, .data$y,
            xend = .data$xend, yend = .data$yend,
            rim = .data$rim, rim_end = .data$rim_end
        ),
        params = list(head = head, linewidth = data$width, ...)
    )
}

.nodeTexts <- function(data, ...) {
    layer(
        data = data, geom = .GeomNodeLabel, stat = "identity",
        position = "identity", inherit.aes = FALSE, show.legend = FALSE,
        mapping = aes(
            .data$x, .data$y,
            label = .data$label, away = .data$away, hjust = .data$hjust
        ),
        params = list(...)
    )
}

.slices <- function(data, ...) {
    layer(
        data = data, geom = .GeomSlice, stat = "identity",
        position = "identity", inherit.aes = FALSE, show.legend = NA,
        mapping = aes(
            .data$x, .data$y,
            from = .data$from, to = .data$to, fill = .data$category,
            diameter = .data$diameter
        ),
        params = list(...)
    )
}
