# Correlations with one lineage against those with another.

#' Plot correlations with two lineages
#'
#' Draws every gene at its correlation with one lineage and with another, so
#' that genes of one fate, of both and of neither fall apart.
#' `plotLineageDriversCorrelation()` gives the figure,
#' `plotLineageDriversCorrelationData()` the numbers in it.
#'
#' Genes without a correlation with either lineage (constant expression) are
#' left out. Genes of `gene_sets` lie above the others, larger, in the colour of
#' their set, with their names; a gene of several sets is drawn once for each.
#' Dashed lines mark a correlation of zero. Nothing is stored. Cost: linear in
#' genes. Randomness, threads: not applicable.
#'
#' @param x an estimator with drivers, or an object that holds them.
#' @param lineage_x,lineage_y names of the lineages on the two axes.
#' @param color a column of the features, of numbers or categories, that colours
#'   the genes outside the sets; NULL for grey.
#' @param gene_sets named list of character vectors of genes, or one such
#'   vector; NULL for none.
#' @param gene_sets_colors one colour per set, by name or in order. NULL takes
#'   the colour of the lineage for a set that is named after one, else the
#'   default palette.
#' @param cmap colours of a numeric `color`: the name of a palette of
#'   [grDevices::hcl.colors()], with `_r` at the end for the reverse, or at
#'   least two colours.
#' @param fontsize size of the names of genes, in points.
#' @param adjust_text whether names that overlap are moved apart.
#' @param legend_loc "best" (the corner with the fewest genes), "upper left",
#'   "upper right", "lower left", "lower right", "right" (outside) or "none".
#' @param point_size size of points; NULL chooses by the number of genes.
#' @param title title above the plot.
#' @param ... not used; anything here is an error.
#' @return `plotLineageDriversCorrelation()`: a ggplot object.
#'   `plotLineageDriversCorrelationData()`: a data frame with the columns
#'   `feature`, `x` and `y` (the correlations), `value` (of `color`; NA without)
#'   and `gene_set` (a factor; NA for genes of no set), in the order of the
#'   genes, one row per gene and set.
#' @section Conditions: `fatecast_error_not_computed` before
#'   [computeLineageDrivers()], `fatecast_error_missing_key` for unknown
#'   lineages, columns and genes, `fatecast_error_type`,
#'   `fatecast_error_shape` for another number of colours than sets,
#'   `fatecast_error_range` for an unknown `cmap` or `legend_loc`,
#'   `fatecast_error_no_state` if no gene has both correlations,
#'   `fatecast_error_unknown_argument`.
#' @seealso [drivers()], [computeLineageDrivers()], [plotLineageDrivers()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300)
#' fit <- castFates(sce, kernel = "velocity", cluster_key = "cell_type")
#' fates <- lineageNames(fit)
#' top <- lapply(setNames(fates[1:2], fates[1:2]), function(fate) {
#'     head(drivers(fit, fate)$feature, 4)
#' })
#' plotLineageDriversCorrelation(
#'     fit, fates[1], fates[2], gene_sets = top, adjust_text = TRUE
#' )
#' @include plot-drivers.R plot-driver-layers.R
#' @export
plotLineageDriversCorrelation <- function(x, lineage_x, lineage_y,
                                          color = NULL, gene_sets = NULL,
                                          gene_sets_colors = NULL,
                                          cmap = "RdYlBu_r", fontsize = 12,
                                          adjust_text = FALSE,
                                          legend_loc = "best",
                                          point_size = NULL, title = NULL,
                                          ...) {
    .checkDots(...)
    fontsize <- .checkNumber(fontsize, 0, open_min = TRUE)
    adjust_text <- .checkFlag(adjust_text)
    legend_loc <- .checkChoice(legend_loc, .legendPlaces)
    ramp <- .colorRamp(cmap)
    data <- plotLineageDriversCorrelationData(
        x, lineage_x, lineage_y, color, gene_sets
    )
    palette <- .setColors(x, levels(data$gene_set), gene_sets_colors)
    size <- .pointSize(point_size, nrow(data))
    plot <- ggplot(data, aes(.data$x, .data$y)) +
        .zeroLines() +
        .geneLayers(x, data, color, ramp, size) +
        .setLayers(data, palette, size, fontsize, adjust_text) +
        labs(
            x = paste("correlation with", lineage_x),
            y = paste("correlation with", lineage_y), title = title
        ) +
        coord_cartesian(clip = "off") +
        .plotTheme() +
        theme(aspect.ratio = 1)
    plot + .legendPlace(legend_loc, data)
}

#' @rdname plotLineageDriversCorrelation
#' @export
plotLineageDriversCorrelationData <- function(x, lineage_x, lineage_y,
                                              color = NULL, gene_sets = NULL,
                                              ...) {
    .checkDots(...)
    first <- drivers(x, .checkString(lineage_x))
    second <- drivers(x, .checkString(lineage_y))
    container <- .plotContainer(x)
    source <- .driverSource(x)
    genes <- .featureNames(container, source$experiment)
    genes <- genes[genes %in% first$feature]
    data <- data.frame(
        feature = genes,
        x = first$corr[match(genes, first$feature)],
        y = second$corr[match(genes, second$feature)], value = NA_real_
    )
    if (!is.null(color)) {
        data$value <- .featureValues(container, color, source, genes)
    }
    members <- .geneSets(gene_sets, genes)
    data <- .withSets(data[!is.na(data$x) & !is.na(data$y), ], members)
    if (!nrow(data)) {
        .abort("no_state", paste0(
            "No gene has a correlation with both ",
            .someNames(c(lineage_x, lineage_y)), "."
        ), lineages = c(lineage_x, lineage_y))
    }
    data
}

# ---- What is drawn ----

# A column of the features for these genes.
.featureValues <- function(container, color, source, genes,
                           call = rlang::caller_env()) {
    color <- .checkString(color, call = call)
    there <- .featureDataNames(container, source$experiment)
    if (!color %in% there) {
        .missingKey("column of features", color, there, call = call)
    }
    values <- .readFeatureData(container, color, source$experiment)
    if (is.character(values) || is.logical(values)) values <- factor(values)
    if (!is.factor(values) && !is.numeric(values)) {
        .abort("type", paste0(
            "The column ", .someNames(color), " holds neither numbers nor ",
            "categories but ", .describe(values), "."
        ), key = color, call = call)
    }
    values[match(genes, .featureNames(container, source$experiment))]
}

# Named list of genes; a bare vector is a set without a name of its own.
.geneSets <- function(gene_sets, genes, call = rlang::caller_env()) {
    if (is.null(gene_sets)) {
        return(list())
    }
    if (is.character(gene_sets)) gene_sets <- list(genes = gene_sets)
    named <- !is.null(names(gene_sets)) && all(nzchar(names(gene_sets))) &&
        !anyDuplicated(names(gene_sets))
    good <- is.list(gene_sets) && named &&
        all(vapply(gene_sets, is.character, logical(1)))
    if (!good) {
        .badType(
            gene_sets, "a list of character vectors with unique names", TRUE,
            "gene_sets", call
        )
    }
    unknown <- setdiff(unlist(gene_sets), genes)
    if (length(unknown)) {
        .abort("missing_key", paste0(
            .count(length(unknown), "gene"), " of `gene_sets` ",
            "without drivers: ", .someNames(unknown), "."
        ), .suggest(unknown[1L], genes), key = unknown, call = call)
    }
    lapply(gene_sets, unique)
}

# One row per gene and set; genes of no set have NA.
.withSets <- function(data, members) {
    rows <- lapply(names(members), function(set) {
        match(members[[set]], data$feature)
    })
    sets <- rep(names(members), lengths(rows))
    at <- unlist(rows)
    keep <- !is.na(at)
    at <- as.integer(at[keep])
    none <- setdiff(seq_len(nrow(data)), at)
    sets <- c(sets[keep], rep(NA, length(none)))
    at <- c(at, none)
    order <- order(at)
    data <- data[at[order], , drop = FALSE]
    data$gene_set <- factor(sets[order], levels = names(members))
    rownames(data) <- NULL
    data
}
