# Cells on an embedding: which one, where each cell is, its order, size and
# colour.

#' @include container.R color.R plot-theme.R
NULL

# ---- Container and embedding ----

# The object behind an estimator, or the object itself.
.plotContainer <- function(x, call = rlang::caller_env()) {
    if (is(x, "Estimator")) {
        if (is.null(x@container)) {
            .abort(
                "not_computed", paste(
                    "This estimator was made from a bare matrix, so there is",
                    "no object to plot."
                ), "Make the kernel from an object that has an embedding.",
                call = call
            )
        }
        return(x@container)
    }
    .checkContainer(x, call = call)
    if (.isBareMatrix(x)) {
        .refuseMatrix(x, "has no fates to plot", call)
    }
    x
}

.basisOrder <- c("UMAP", "LAYOUT", "TSNE", "PCA")

# Two coordinates per cell: a list of the stored name and a data frame with the
# columns cell, x and y.
.plotEmbedding <- function(container, basis = NULL,
                           call = rlang::caller_env()) {
    there <- .embeddingNames(container)
    if (is.null(basis)) {
        found <- vapply(
            .basisOrder, .findEmbedding, character(1),
            there = there, USE.NAMES = FALSE
        )
        basis <- found[!is.na(found)][1L]
        if (is.na(basis)) {
            .missingKey(
                "embedding", .basisOrder, there,
                "Run embedUMAP(), or name an embedding with `basis`.", call
            )
        }
    }
    basis <- .checkString(basis, call = call)
    m <- .readEmbedding(container, basis)
    if (ncol(m) < 2L) {
        .abort(
            "shape", paste0(
                "The embedding ", .someNames(basis), " has ",
                .count(ncol(m), "dimension"), "; a plot needs two."
            ),
            key = basis, dim = dim(m), call = call
        )
    }
    m <- .checkEmbedding(m[, 1:2, drop = FALSE], call = call)
    list(
        name = .axisName(basis, there),
        data = data.frame(
            cell = .cellNames(container), x = m[, 1L], y = m[, 2L],
            row.names = NULL
        )
    )
}

# "X_umap", "umap" and "UMAP" are all written UMAP.
.axisName <- function(basis, there) {
    name <- sub("^X_", "", .findEmbedding(basis, there))
    if (toupper(name) %in% .basisOrder) toupper(name) else name
}

# A column of the cells or the expression of one feature, with its palette when
# the object holds one.
.colorValues <- function(container, color, assay = NULL,
                         call = rlang::caller_env()) {
    color <- .checkString(color, call = call)
    if (color %in% .cellDataNames(container)) {
        values <- .readCellData(container, color)
        if (is.character(values) || is.logical(values)) {
            values <- factor(values)
        }
        return(list(
            name = color, values = values,
            palette = .readColors(container, color)
        ))
    }
    if (!color %in% .featureNames(container)) {
        .missingKey(
            "column of cells or feature", color, .cellDataNames(container),
            call = call
        )
    }
    m <- .readAssay(container, assay, color)
    list(name = color, values = as.vector(as.matrix(m)), palette = NULL)
}

# The position of each cell along the x axis of a plot against time.
.timeValues <- function(container, time_key, call = rlang::caller_env()) {
    if (is.null(time_key)) {
        .abort(
            "missing_key", "`mode = \"time\"` needs `time_key`.",
            "Name a numeric column of the cells, such as a pseudotime.",
            argument = "time_key", call = call
        )
    }
    time <- .readCellData(container, .checkString(time_key, call = call))
    if (is.factor(time)) {
        time <- suppressWarnings(as.numeric(as.character(time)))
    }
    if (!is.numeric(time) || all(is.na(time))) {
        .abort(
            "type", paste0(
                "The column ", .someNames(time_key), " holds no numbers."
            ),
            key = time_key, call = call
        )
    }
    as.double(time)
}

# ---- Order, size and drawing of points ----

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
    min(2.2, max(0.2, 55 / sqrt(n))) / min(panels, 4L)^0.35
}

#' @importFrom ggplot2 geom_point
.pointLayer <- function(mapping, data, size, n = nrow(data), ...) {
    shape <- if (n > .manyCells) "." else 16
    geom_point(
        mapping, data,
        size = size, shape = shape, stroke = 0, ...
    )
}

#' @importFrom ggplot2 ggplot aes labs coord_cartesian
#' @importFrom rlang .data
.embeddingBase <- function(data, name, title = NULL) {
    ggplot(data, aes(.data$x, .data$y)) +
        labs(x = paste(name, 1), y = paste(name, 2), title = title) +
        coord_cartesian(clip = "off") +
        .embeddingTheme()
}

# One panel of an embedding coloured by a number or a factor.
#' @importFrom ggplot2 scale_colour_viridis_c
.valuePanel <- function(data, name, value, size, title = value$name) {
    data$value <- value$values
    if (is.factor(data$value)) {
        data <- data[.shuffleOrder(data$cell), , drop = FALSE]
    } else {
        data <- data[order(data$value, na.last = FALSE), , drop = FALSE]
    }
    .embeddingBase(data, name, title) +
        .pointLayer(aes(colour = .data$value), data, size) +
        .valueScale(value) +
        if (!is.factor(data$value)) .barTheme()
}

#' @importFrom ggplot2 scale_colour_manual guides guide_legend
.valueScale <- function(value) {
    if (!is.factor(value$values)) {
        return(scale_colour_viridis_c(
            name = NULL, na.value = .backgroundColor
        ))
    }
    groups <- levels(value$values)
    palette <- value$palette
    known <- if (is.null(names(palette))) {
        length(palette) >= length(groups)
    } else {
        all(groups %in% names(palette))
    }
    if (is.null(palette) || !known) {
        palette <- .defaultColors(length(groups))
    }
    if (is.null(names(palette))) {
        palette <- stats::setNames(palette[seq_along(groups)], groups)
    }
    list(
        scale_colour_manual(
            name = NULL, values = palette[groups],
            na.value = .backgroundColor
        ),
        guides(colour = guide_legend(override.aes = .legendPoint()))
    )
}

# Legend keys are large dots, whatever the size of the points.
.legendPoint <- function(...) list(size = 3, shape = 16, alpha = 1, ...)
