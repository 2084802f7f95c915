# Cells on an embedding, coloured by columns of the cells or by genes.

#' Plot cells on an embedding
#'
#' Draws every cell as a point on two axes of an embedding, coloured by a column
#' of the cells or by the expression of a gene, one panel per colour.
#' `plotEmbedding()` gives the figure, `plotEmbeddingData()` the numbers in it.
#'
#' Factors, text and logical columns are categories: their colours are those of
#' `palette`, else those stored as `<column>_colors`, else the default palette,
#' by the order of the levels. All other columns and genes are numbers on a
#' continuous scale of their own; cells with a missing or infinite value, and
#' those outside `groups`, take `na_color` and are drawn first.
#'
#' A unit is as long on both axes. Points shrink with the number of cells; above
#' 100,000 a point is one pixel. Cells of a categorical panel are drawn in an
#' order that depends on their names alone, so no category lies on top of the
#' others because of its place in the object. Genes are read one at a time.
#' Nothing is stored. Cost: linear in cells x colours; for a million cells
#' prefer a png device, since a pdf holds every point. Randomness, threads: not
#' applicable.
#'
#' @param x a `SingleCellExperiment` or `Seurat` object, or an estimator.
#' @param color columns of the cells or names of genes, one panel each; a column
#'   goes before a gene of the same name. NULL draws all cells in one grey.
#' @param basis name of an embedding; NULL takes the first that exists of UMAP,
#'   LAYOUT, TSNE and PCA, else the first embedding of the object. The axes say
#'   which one it was.
#' @param components which two columns of the embedding to draw.
#' @param assay where to read genes; NULL is the log-normalised assay.
#' @param experiment an altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object, for genes and embedding; NULL for the main one.
#' @param groups categories to highlight: cells of all others are drawn as cells
#'   without a value. NULL for all.
#' @param palette colours of the categories, named by category or in the order
#'   of the levels; categories that a named palette leaves out keep theirs.
#' @param color_map colours of numbers: the name of a viridis scale ("viridis",
#'   "magma", "inferno", "plasma", "cividis", "rocket", "mako" or "turbo") or
#'   two or more colours from low to high.
#' @param vmin,vmax ends of the scale of numbers: a number, or a percentile such
#'   as "p99"; values beyond take the colour of the end. NULL: the range of the
#'   values.
#' @param sort_order whether high numbers are drawn last, on top of low ones.
#'   FALSE: in the order of categories.
#' @param point_size size of points; NULL chooses by the number of cells.
#' @param alpha opacity of points, above 0 and at most 1.
#' @param na_color colour of cells without a value.
#' @param legend_loc "right", "on data" (names of categories where their cells
#'   are densest and least mixed with others) or "none".
#' @param title title of the figure; NULL names each panel after its colour. One
#'   text per colour gives the titles of the panels.
#' @param ncol number of columns of panels; NULL for a nearly square layout.
#' @param ... not used; anything here is an error.
#' @return `plotEmbedding()`: a ggplot for one colour, else a patchwork object.
#'   `plotEmbeddingData()`: a data frame with one row per cell, in the order of
#'   the object, and the columns `cell`, `x`, `y` and one per colour under its
#'   own name (a factor or numbers; names that would occur twice get a suffix).
#' @section Conditions: `fatecast_error_missing_key` for unknown embeddings,
#'   colours, assays and groups, `fatecast_error_shape` for components or
#'   palettes that do not fit, `fatecast_error_type` and `fatecast_error_range`
#'   for arguments of the wrong kind, `fatecast_error_container_class` for bare
#'   matrices, `fatecast_error_unknown_argument`.
#' @seealso [plotFateProbabilities()], [plotMacrostates()], [plotPAGA()]
#' @examples
#' sce <- computePCA(simulateDifferentiation(n_cells = 300, n_genes = 60))
#' plotEmbedding(sce, color = "cell_type", basis = "PCA")
#' plotEmbedding(sce, color = c("cell_type", rownames(sce)[1]), vmax = "p99")
#' head(plotEmbeddingData(sce, color = "cell_type"))
#' @include plot-cells.R plot-panel.R
#' @export
plotEmbedding <- function(x, color = NULL, basis = NULL, components = c(1, 2),
                          assay = NULL, experiment = NULL, groups = NULL,
                          palette = NULL, color_map = "viridis", vmin = NULL,
                          vmax = NULL, sort_order = TRUE, point_size = NULL,
                          alpha = 1, na_color = "#dedede",
                          legend_loc = c("right", "on data", "none"),
                          title = NULL, ncol = NULL, ...) {
    .checkDots(...)
    style <- .pointStyle(
        alpha = .checkNumber(alpha, 0, 1, open_min = TRUE),
        na_color = .asHex(.checkString(na_color), "na_color"),
        sort_order = .checkFlag(sort_order),
        legend_loc = .checkChoice(legend_loc, c("right", "on data", "none")),
        color_map = .checkColorMap(color_map)
    )
    read <- .readCells(x, color, basis, components, assay, experiment)
    titles <- .panelTitles(title, read$values)
    size <- .pointSize(
        point_size, nrow(read$data), max(1L, length(read$values))
    )
    if (!length(read$values)) {
        return(.plainPanel(read, size, style, titles$whole))
    }
    values <- .highlight(read$values, groups)
    panels <- lapply(seq_along(values), function(at) {
        value <- values[[at]]
        value$palette <- .mergePalette(value, palette)
        style$limits <- .colorLimits(value$values, vmin, vmax)
        .valuePanel(
            read$data, read$name, value, size, titles$panels[at], style
        )
    })
    .arrange(panels, ncol, titles$whole)
}

#' @rdname plotEmbedding
#' @export
plotEmbeddingData <- function(x, color = NULL, basis = NULL,
                              components = c(1, 2), assay = NULL,
                              experiment = NULL, ...) {
    .checkDots(...)
    read <- .readCells(x, color, basis, components, assay, experiment)
    columns <- lapply(read$values, `[[`, "values")
    data <- c(as.list(read$data), columns)
    names(data) <- make.unique(c(
        names(read$data), vapply(read$values, `[[`, character(1), "name")
    ))
    list2DF(data)
}

# ---- Numbers ----

# Coordinates (`name`, `data`) and one entry of `values` per colour.
.readCells <- function(x, color, basis, components, assay, experiment,
                       call = rlang::caller_env()) {
    container <- .plotContainer(x, call, "holds nothing to colour cells by")
    .checkString(assay, null = TRUE, call = call)
    .checkString(experiment, null = TRUE, call = call)
    if (!is.null(color) && !(is.character(color) && length(color))) {
        .badType(color, "names of columns or genes", TRUE, "color", call)
    }
    cells <- .plotEmbedding(container, basis, call, components, experiment)
    cells$values <- lapply(color, function(one) {
        .colorValues(container, one, assay, call, experiment)
    })
    cells
}

# Categories outside `groups` lose their value; their levels stay, so that the
# others keep their colours.
.highlight <- function(values, groups, call = rlang::caller_env()) {
    if (is.null(groups)) {
        return(values)
    }
    factors <- vapply(values, function(v) is.factor(v$values), logical(1))
    known <- unique(unlist(lapply(values[factors], function(v) {
        levels(v$values)
    })))
    unknown <- setdiff(as.character(groups), known)
    if (length(unknown) || !length(groups)) {
        .missingKey(
            "category", unknown, known,
            "`groups` names categories of a column in `color`.", call
        )
    }
    values[factors] <- lapply(values[factors], function(v) {
        v$values[!v$values %in% groups] <- NA
        v
    })
    values
}

# ---- Colours and titles ----

# Colours given in the call before those of the object.
.mergePalette <- function(value, palette, call = rlang::caller_env()) {
    if (is.null(palette) || !is.factor(value$values)) {
        return(value$palette)
    }
    groups <- levels(value$values)
    palette <- .asHex(palette, "palette", call)
    if (is.null(names(palette))) {
        if (length(palette) < length(groups)) {
            .abort(
                "shape", paste0(
                    "`palette` has ", .count(length(palette), "colour"),
                    " for the ", .count(length(groups), "level"), " of ",
                    .someNames(value$name), "."
                ), "Give one per level, or name them by level.",
                n_levels = length(groups), n_colors = length(palette),
                call = call
            )
        }
        return(palette)
    }
    colors <- .groupColors(groups, value$palette)
    given <- intersect(groups, names(palette))
    colors[given] <- palette[given]
    colors
}

.viridisMaps <- c(
    "viridis", "magma", "inferno", "plasma", "cividis", "rocket", "mako",
    "turbo"
)

.checkColorMap <- function(color_map, call = rlang::caller_env()) {
    if (length(color_map) > 1L) {
        return(unname(.asHex(color_map, "color_map", call)))
    }
    .checkChoice(color_map, .viridisMaps, arg = "color_map", call = call)
}

.colorLimits <- function(values, vmin, vmax, call = rlang::caller_env()) {
    if (!is.numeric(values)) {
        return(c(NA, NA))
    }
    values <- values[is.finite(values)]
    limits <- c(
        .colorLimit(vmin, values, "vmin", call),
        .colorLimit(vmax, values, "vmax", call)
    )
    if (!anyNA(limits) && limits[1L] >= limits[2L]) {
        .abort(
            "range", paste0(
                "The scale would run from ", format(limits[1L]), " to ",
                format(limits[2L]), "; `vmin` must be below `vmax`."
            ),
            vmin = limits[1L], vmax = limits[2L], call = call
        )
    }
    limits
}

.colorLimit <- function(limit, values, arg, call) {
    if (is.null(limit)) {
        return(NA_real_)
    }
    if (is.character(limit) && length(limit) == 1L &&
        grepl("^p[0-9]+(\\.[0-9]+)?$", limit)) {
        percent <- .checkNumber(
            as.numeric(substring(limit, 2L)), 0, 100, arg = arg, call = call
        )
        return(stats::quantile(values, percent / 100, names = FALSE))
    }
    if (is.character(limit)) {
        .badType(
            limit, "a number or a percentile such as \"p99\"", TRUE, arg, call
        )
    }
    .checkNumber(limit, arg = arg, call = call)
}

# Titles of the panels, and the one above all when it is not that of a panel.
.panelTitles <- function(title, values, call = rlang::caller_env()) {
    if (!is.null(title) && !is.character(title)) {
        .badType(title, "text", TRUE, "title", call)
    }
    own <- vapply(values, `[[`, character(1), "name")
    if (length(values) && length(title) == length(values)) {
        return(list(panels = title, whole = NULL))
    }
    if (length(title) > 1L) {
        .abort(
            "shape", paste0(
                "`title` has ", length(title), " texts for ",
                .count(max(1L, length(values)), "panel"), "."
            ),
            n_titles = length(title), n_panels = length(values), call = call
        )
    }
    list(panels = own, whole = title)
}

# Without a colour only the shape of the embedding is shown.
.plainPanel <- function(read, size, style, title) {
    data <- read$data[.shuffleOrder(read$data$cell), , drop = FALSE]
    .embeddingBase(data, read$name, title) +
        .pointLayer(
            NULL, data, size,
            colour = "#8c8c8c", alpha = style$alpha
        )
}
