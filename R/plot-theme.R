# One look for every figure: theme, greys, labels and layout of panels.

#' @include color.R
NULL

# Cells that carry no colour of their own, and the light end of every ramp.
.backgroundColor <- "#dedede"
.inkColor <- "#2b2b2b"

# Above this many cells a point is one pixel, which keeps drawing linear and
# files small.
.manyCells <- 100000L

#' @importFrom ggplot2 theme theme_classic element_blank element_line
#'   element_rect element_text unit margin
.plotTheme <- function(base_size = 11) {
    theme_classic(base_size = base_size) + theme(
        axis.line = element_line(colour = "grey35", linewidth = 0.3),
        axis.ticks = element_line(colour = "grey35", linewidth = 0.3),
        axis.text = element_text(colour = "grey25"),
        plot.title = element_text(
            size = base_size, face = "bold", colour = .inkColor
        ),
        strip.background = element_blank(),
        strip.text = element_text(
            size = base_size, face = "bold", hjust = 0, colour = .inkColor
        ),
        legend.title = element_text(size = base_size * 0.9),
        legend.text = element_text(size = base_size * 0.85),
        legend.background = element_blank(),
        panel.spacing = unit(1.2, "lines"),
        plot.margin = margin(4, 6, 4, 4)
    )
}

# Coordinates of an embedding have no unit: the axes are named, not numbered.
#' @importFrom ggplot2 arrow
.embeddingTheme <- function(base_size = 11) {
    head <- arrow(length = unit(0.3, "lines"), angle = 20, type = "closed")
    .plotTheme(base_size) + theme(
        aspect.ratio = 1,
        axis.line = element_line(
            colour = "grey35", linewidth = 0.3, arrow = head
        ),
        axis.text = element_blank(),
        axis.ticks = element_blank(),
        axis.title = element_text(
            size = base_size * 0.8, hjust = 0, colour = "grey35"
        )
    )
}

# A slim bar for continuous colours.
.barTheme <- function() {
    theme(
        legend.key.width = unit(0.55, "lines"),
        legend.key.height = unit(0.95, "lines")
    )
}

# ---- Labels on the embedding ----

# One label per group at its medoid: the cell nearest to the median of its
# coordinates. The group of a cell is NA where it has none.
.groupLabels <- function(data, group) {
    groups <- levels(group)[levels(group) %in% group]
    rows <- lapply(groups, function(one) {
        part <- data[which(group == one), , drop = FALSE]
        off <- (part$x - stats::median(part$x))^2 +
            (part$y - stats::median(part$y))^2
        part[which.min(off), c("cell", "x", "y"), drop = FALSE]
    })
    labels <- do.call(rbind, rows)
    if (is.null(labels)) {
        return(data.frame(
            cell = character(), x = numeric(), y = numeric(),
            label = character()
        ))
    }
    labels$label <- groups
    rownames(labels) <- NULL
    labels
}

# One label per group where it is densest and least mixed with others: the
# window of the panel with the largest count of the group times its share there.
.densestLabels <- function(data, group, bins = 40L, reach = 2L) {
    bin <- function(v) {
        span <- max(diff(range(v)), .Machine$double.xmin)
        pmin(floor((v - min(v)) / span * bins) + 1L, bins)
    }
    x <- bin(data$x)
    y <- bin(data$y)
    near <- (abs(outer(seq_len(bins), seq_len(bins), "-")) <= reach) + 0
    count <- function(rows) {
        m <- tabulate(x[rows] + bins * (y[rows] - 1L), bins^2)
        near %*% matrix(m, bins) %*% near
    }
    all <- count(TRUE)
    groups <- levels(group)[levels(group) %in% group]
    at <- vapply(groups, function(one) {
        rows <- which(group == one)
        best <- arrayInd(which.max(count(rows)^2 / pmax(all, 1)), dim(all))
        inside <- rows[abs(x[rows] - best[1L]) <= reach &
            abs(y[rows] - best[2L]) <= reach]
        c(mean(data$x[inside]), mean(data$y[inside]))
    }, numeric(2))
    data.frame(
        x = at[1L, ], y = at[2L, ], label = groups, row.names = NULL
    )
}

# Moves labels apart, in steps of half an overlap, and into the panel; with
# `lift` off their cells first. Sizes are those of text at the default size on a
# panel of about ten centimetres.
.spreadLabels <- function(labels, data, lift = TRUE) {
    if (!nrow(labels)) {
        return(labels)
    }
    width <- diff(range(data$x)) * 0.011 * nchar(labels$label)
    height <- diff(range(data$y)) * 0.05
    if (lift) {
        labels$y <- labels$y + height
    }
    for (step in seq_len(50L)) {
        moved <- FALSE
        for (a in seq_len(nrow(labels) - 1L)) {
            for (b in seq(a + 1L, nrow(labels))) {
                gap <- labels$y[b] - labels$y[a]
                beside <- abs(labels$x[b] - labels$x[a]) >=
                    width[a] + width[b]
                if (!beside && abs(gap) < height) {
                    push <- (height - abs(gap)) / 2 + height * 0.01
                    sign <- if (gap >= 0) 1 else -1
                    labels$y[a] <- labels$y[a] - sign * push
                    labels$y[b] <- labels$y[b] + sign * push
                    moved <- TRUE
                }
            }
        }
        if (!moved) {
            break
        }
    }
    labels$x <- pmax(pmin(labels$x, max(data$x) - width), min(data$x) + width)
    labels
}

.labelLayers <- function(labels, data, size = 3.6, lift = TRUE) {
    .haloText(.spreadLabels(labels, data, lift), data, size)
}

# Text with a white halo: eight white copies around it, below the text. `box`
# spans the panel.
#' @importFrom ggplot2 geom_text
.haloText <- function(labels, box, size = 3.6) {
    angle <- seq(0, 7) * pi / 4
    reach <- c(diff(range(box$x)), diff(range(box$y))) * 0.005
    halo <- labels[rep(seq_len(nrow(labels)), each = 8L), , drop = FALSE]
    halo$x <- halo$x + reach[1L] * rep(cos(angle), nrow(labels))
    halo$y <- halo$y + reach[2L] * rep(sin(angle), nrow(labels))
    list(
        geom_text(
            aes(.data$x, .data$y, label = .data$label), halo,
            colour = "white", size = size, fontface = "bold",
            inherit.aes = FALSE
        ),
        geom_text(
            aes(.data$x, .data$y, label = .data$label), labels,
            colour = .inkColor, size = size, fontface = "bold",
            inherit.aes = FALSE
        )
    )
}

# ---- Small shared pieces ----

# The states asked for, in the order asked for.
.pickStates <- function(states, known, call = rlang::caller_env()) {
    if (is.null(states)) {
        return(known)
    }
    states <- unique(enc2utf8(as.character(states)))
    unknown <- setdiff(states, known)
    if (length(unknown) || !length(states)) {
        .abort(
            "missing_key", if (length(unknown)) {
                paste0("There is no state called ", .someNames(unknown), ".")
            } else {
                "`states` names no state."
            }, paste0("The states are ", .someNames(known, 20L), "."),
            key = unknown, call = call
        )
    }
    states
}

# Panels side by side, with one title above all.
#' @importFrom patchwork wrap_plots plot_annotation
.arrange <- function(panels, ncol = NULL, title = NULL) {
    ncol <- .checkCount(ncol, null = TRUE)
    if (is.null(ncol)) {
        ncol <- ceiling(sqrt(length(panels)))
    }
    if (length(panels) == 1L && is.null(title)) {
        return(panels[[1L]])
    }
    wrap_plots(panels, ncol = min(ncol, length(panels))) + plot_annotation(
        title = title,
        theme = theme(plot.title = element_text(face = "bold", size = 12))
    )
}
