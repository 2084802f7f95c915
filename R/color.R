# Colours of states: the default palette, mixtures, and names and colours taken
# over from a reference clustering.

#' @include condition.R
NULL

# The palette of scanpy, then matplotlib's Accent, Dark2 (five of them, the
# others being too close to earlier ones), Set1, Set2 and Set3.
.palette <- c(
    "#1f77b4", "#ff7f0e", "#279e68", "#d62728", "#aa40fc", "#8c564b",
    "#e377c2", "#b5bd61", "#17becf", "#aec7e8", "#ffbb78", "#98df8a",
    "#ff9896", "#c5b0d5", "#c49c94", "#f7b6d2", "#dbdb8d", "#9edae5",
    "#ad494a", "#8c6d31",
    "#7fc97f", "#beaed4", "#fdc086", "#ffff99", "#386cb0", "#f0027f",
    "#bf5b17", "#666666",
    "#d95f02", "#7570b3", "#66a61e", "#e6ab02", "#a6761d",
    "#e41a1c", "#377eb8", "#4daf4a", "#984ea3", "#ff7f00", "#ffff33",
    "#a65628", "#f781bf", "#999999",
    "#66c2a5", "#fc8d62", "#8da0cb", "#e78ac3", "#a6d854", "#ffd92f",
    "#e5c494", "#b3b3b3",
    "#8dd3c7", "#ffffb3", "#bebada", "#fb8072", "#80b1d3", "#fdb462",
    "#b3de69", "#fccde5", "#d9d9d9", "#bc80bd", "#ccebc5", "#ffed6f"
)

# A state that shares no cell with the reference.
.unmatchedColor <- "#7f7f7f"

.defaultColors <- function(n, call = rlang::caller_env()) {
    n <- .checkCount(n, 0, Inf, call = call)
    if (n > length(.palette)) {
        .abort(
            "range", paste0(
                "The default palette has ", length(.palette),
                " colours, but ", n, " are needed."
            ), "Give the colours yourself.",
            n = n, max = length(.palette), call = call
        )
    }
    .palette[seq_len(n)]
}

# Any colour R knows as lower-case #rrggbb; transparency is dropped.
.asHex <- function(colors, arg = rlang::caller_arg(colors),
                   call = rlang::caller_env()) {
    text <- as.character(colors)
    bad <- is.na(text) | !vapply(text, .isColor, logical(1))
    if (any(bad)) {
        .abort(
            "type", paste0(
                "`", arg, "` has ", .count(sum(bad), "value"),
                " that R does not know as a colour: ",
                .someNames(text[bad]), "."
            ), "Use names such as \"steelblue\" or codes such as \"#4682b4\".",
            argument = arg, values = text[bad], call = call
        )
    }
    hex <- .rgbHex(grDevices::col2rgb(text))
    names(hex) <- names(colors)
    hex
}

# A number would be an index into palette(), which the user can change.
.isColor <- function(text) {
    !grepl("^[0-9]+$", text) && !is.null(tryCatch(
        grDevices::col2rgb(text),
        error = function(e) NULL
    ))
}

.rgbHex <- function(rgb) {
    tolower(grDevices::rgb(t(pmin(pmax(round(rgb), 0), 255)),
        maxColorValue = 255
    ))
}

# HSV coordinates in [0, 1] as hex codes. Halves are rounded to even, as the
# colours of the reference are; grDevices::hsv() rounds them up.
.hsvHex <- function(h, s, v) {
    sector <- floor(6 * h)
    rest <- 6 * h - sector
    parts <- rbind(
        v, v * (1 - s), v * (1 - s * rest), v * (1 - s * (1 - rest))
    )
    # Row of `parts` that gives red, green and blue in each sector.
    pick <- cbind(
        c(1, 4, 2), c(3, 1, 2), c(2, 1, 4), c(2, 3, 1), c(4, 2, 1), c(1, 2, 3)
    )[, sector %% 6 + 1, drop = FALSE]
    rgb <- parts[cbind(as.vector(pick), as.vector(col(pick)))]
    .rgbHex(255 * matrix(rgb, 3L))
}

# Colour of a mixture: the mean of its members in HSV, component by component.
.mixColors <- function(hex, call = rlang::caller_env()) {
    hex <- .asHex(hex, call = call)
    if (!length(hex)) {
        .abort("shape", "There is no colour to mix.", call = call)
    }
    hsv <- rowMeans(grDevices::rgb2hsv(grDevices::col2rgb(hex)))
    .hsvHex(hsv[1L], hsv[2L], hsv[3L])
}

# Black or white, whichever is read better on the colour (weights and threshold
# of ITU-R BT.601 luma).
.labelColor <- function(hex) {
    luma <- c(0.299, 0.587, 0.114) %*% grDevices::col2rgb(hex)
    ifelse(as.vector(luma) > 186, "#000000", "#ffffff")
}

# `m` variations of a colour around its hue and value, saturation unchanged.
.varyColor <- function(hex, m) {
    if (m == 1L) {
        return(hex)
    }
    hsv <- grDevices::rgb2hsv(grDevices::col2rgb(hex))[, 1L]
    span <- function(center, width) {
        seq(
            max(center - width, 0), min(center + width, 1),
            length.out = 2L * m
        )[2L * seq_len(m) - 1L]
    }
    .hsvHex(span(hsv[1L], 0.1), hsv[2L], span(hsv[3L], 0.3))
}

# Names and colours for the levels of `states`: each level takes those of the
# reference cluster it shares most cells with (the first of equals). Levels that
# share a cluster are numbered and get variations of its colour.
.mapStates <- function(states, reference, colors = NULL,
                       call = rlang::caller_env()) {
    .checkStatePair(states, reference, call)
    colors <- .referenceColors(reference, colors, call)
    shared <- table(states, reference)
    labels <- levels(states)
    if (!length(labels)) {
        return(list(names = character(), colors = character()))
    }
    best <- max.col(unclass(shared), ties.method = "first")
    matched <- rowSums(shared) > 0
    label <- ifelse(matched, levels(reference)[best], labels)
    color <- ifelse(matched, colors[best], .unmatchedColor)
    for (cluster in unique(best[matched])) {
        at <- which(matched & best == cluster)
        color[at] <- .varyColor(colors[cluster], length(at))
        if (length(at) > 1L) {
            label[at] <- paste0(label[at], "_", seq_along(at))
        }
    }
    label <- make.unique(label, sep = "_")
    names(color) <- label
    list(names = label, colors = color)
}

.checkStatePair <- function(states, reference, call) {
    for (x in list(states = states, reference = reference)) {
        if (!is.factor(x)) {
            .abort(
                "type", paste0(
                    "States and reference clustering must be factors, not ",
                    .describe(x), "."
                ),
                call = call
            )
        }
    }
    if (length(states) != length(reference)) {
        .abort(
            "shape", paste0(
                "States cover ", .count(length(states), "cell"),
                " and the reference clustering ", length(reference), "."
            ),
            n_cells = c(length(states), length(reference)), call = call
        )
    }
    if (!is.null(names(states)) && !is.null(names(reference))) {
        .checkNames(
            names(states), names(reference),
            "States and reference clustering", call
        )
    }
}

# One colour per level of the reference, in level order.
.referenceColors <- function(reference, colors, call) {
    groups <- levels(reference)
    if (is.null(colors)) {
        return(.defaultColors(length(groups), call))
    }
    colors <- .asHex(colors, call = call)
    if (!is.null(names(colors)) && all(groups %in% names(colors))) {
        colors <- colors[groups]
    }
    if (length(colors) < length(groups)) {
        .abort(
            "shape", paste0(
                "The reference clustering has ",
                .count(length(groups), "level"), " but only ",
                .count(length(colors), "colour"), "."
            ),
            n_levels = length(groups), n_colors = length(colors), call = call
        )
    }
    colors <- unname(colors[seq_along(groups)])
    twice <- colors %in% colors[duplicated(colors)]
    if (any(twice)) {
        .warn(
            "fallback", paste0(
                "These clusters share a colour, so states named after them ",
                "may look alike: ", .someNames(groups[twice]), "."
            ),
            levels = groups[twice]
        )
    }
    colors
}
