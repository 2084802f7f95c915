# Names of the nodes of a coarse graph, and where they stand.

#' @include plot-paga-geom.R
NULL

# A text per group, or NULL for none.
.nodeLabels <- function(labels, groups, column, call = rlang::caller_env()) {
    if (isTRUE(labels) || identical(labels, column)) {
        return(groups)
    }
    if (isFALSE(labels) || is.null(labels)) {
        return(NULL)
    }
    if (!is.character(labels) && !is.factor(labels)) {
        .badType(
            labels, "TRUE, FALSE or a text per group", TRUE, "labels", call
        )
    }
    as.character(.perGroup(labels, groups, "labels", call))
}

# The name of a node stands above or below it, in the middle or to a side,
# wherever its edges leave most room.
.nodeText <- function(nodes, graph, style) {
    if (is.null(style$labels)) {
        return(NULL)
    }
    nodes$label <- style$labels[if (is.null(graph$kept)) TRUE else graph$kept]
    place <- .labelPlaces[vapply(
        seq_len(nrow(nodes)), .freePlace, integer(1),
        graph = graph
    ), ]
    nodes$away <- place$side * nodes$diameter / 2
    nodes$hjust <- place$hjust
    .nodeTexts(nodes, colour = .inkColor, fontsize = style$fontsize)
}

# Directions of a label seen from its node, in the order of preference; the
# sides must win by a margin over the middle.
.labelPlaces <- data.frame(
    angle = c(90, -90, 45, 135, -45, -135) * pi / 180,
    margin = c(0, 0, 20, 20, 20, 20) * pi / 180,
    side = c(1, -1, 1, 1, -1, -1), hjust = c(0.5, 0.5, 0, 1, 0, 1)
)

# The place whose nearest edge is furthest off.
.freePlace <- function(node, graph) {
    other <- c(
        graph$edges$to[graph$edges$from == node],
        graph$edges$from[graph$edges$to == node]
    )
    angle <- atan2(
        graph$nodes$y[other] - graph$nodes$y[node],
        graph$nodes$x[other] - graph$nodes$x[node]
    )
    gap <- vapply(.labelPlaces$angle, function(at) {
        off <- abs(angle - at) %% (2 * pi)
        min(pi, off, 2 * pi - off)
    }, numeric(1))
    # Equal but for rounding is equal.
    which.max(round(gap - .labelPlaces$margin - .outward(node, graph), 6L))
}

# What a side costs that leads out of the panel.
.outward <- function(node, graph) {
    x <- graph$nodes$x
    span <- max(diff(range(x)), .Machine$double.xmin)
    at <- (x[node] - min(x)) / span
    right <- at > 0.8 & .labelPlaces$hjust == 0
    left <- at < 0.2 & .labelPlaces$hjust == 1
    (right | left) * pi / 3
}
