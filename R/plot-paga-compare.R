# The coarse graph beside the embedding it summarises.

#' Plot a coarse graph beside an embedding
#'
#' Draws the cells on an embedding, coloured and labelled by group, and beside
#' it the coarse graph with each node at the median of its group, on the same
#' axes. `plotPAGACompare()` gives the figure, `plotPAGACompareData()` the
#' numbers in it.
#'
#' Nothing is stored. Cost: linear in the number of cells. Randomness, threads:
#' not applicable.
#'
#' @inheritParams plotPAGA
#' @param basis name of an embedding; NULL takes the first that exists of UMAP,
#'   LAYOUT, TSNE and PCA, else the first embedding of the object.
#' @param components which two columns of the embedding to draw.
#' @param pos NULL for the medians of the groups on the embedding; `"stored"`
#'   for the positions that [computePAGA()] kept; or a matrix of positions.
#' @param point_size size of points; NULL chooses by the number of cells.
#' @param legend_loc "on data" (names on the cells and the nodes), "right" or
#'   "none".
#' @return `plotPAGACompare()`: a patchwork object. `plotPAGACompareData()`: a
#'   list of `cells` (`cell`, `x`, `y`, `group`), `nodes` and `edges` (as
#'   [plotPAGAData()]).
#' @inheritSection plotPAGA Conditions
#' @seealso [plotPAGA()], [plotEmbedding()]
#' @examples
#' sce <- computePCA(simulateDifferentiation(n_cells = 300, n_genes = 60))
#' sce <- computePAGA(buildNeighbors(sce), groups = "cell_type")
#' plotPAGACompare(sce, basis = "PCA")
#' @include plot-paga.R
#' @export
plotPAGACompare <- function(x, basis = NULL, key = "paga", threshold = 0.01,
                            components = c(1, 2), pos = NULL,
                            solid_edges = "connectivities",
                            dashed_edges = NULL, transitions = NULL,
                            palette = NULL, point_size = NULL,
                            legend_loc = c("on data", "right", "none"),
                            fontsize = NULL, node_size_scale = 1,
                            node_size_power = 0.5, edge_width_scale = 1,
                            min_edge_width = NULL, max_edge_width = NULL,
                            arrowsize = 30, title = NULL, ...) {
    .checkDots(...)
    legend_loc <- .checkChoice(legend_loc, c("on data", "right", "none"))
    both <- .readComparison(
        x, basis, key, threshold, components, pos, solid_edges, dashed_edges,
        transitions
    )
    graph <- both$graph
    style <- .graphStyle(
        legend_loc == "on data", names(graph$record$sizes),
        graph$record$groups, if (is.null(fontsize)) 8 else fontsize,
        node_size_scale, node_size_power, edge_width_scale, min_edge_width,
        max_edge_width, arrowsize, "viridis", palette
    )
    value <- graph$values[[1L]]
    value$palette <- .nodePalette(value, palette)
    value$values <- both$cells$group
    size <- .pointSize(point_size, nrow(both$cells), 2L)
    cells <- .valuePanel(
        both$cells, both$name, value, size, value$name,
        .pointStyle(legend_loc = legend_loc)
    )
    # One legend, that of the cells, serves both panels.
    style$legend <- FALSE
    frame <- if (is.null(pos)) .equalFrame(both$cells$x, both$cells$y)
    nodes <- .graphFigure(graph, style, key, NULL, frame)
    .arrange(list(cells, nodes), 2, .checkString(title, null = TRUE)) +
        plot_layout(guides = "collect")
}

#' @rdname plotPAGACompare
#' @export
plotPAGACompareData <- function(x, basis = NULL, key = "paga",
                                threshold = 0.01, components = c(1, 2),
                                pos = NULL, solid_edges = "connectivities",
                                dashed_edges = NULL, transitions = NULL,
                                ...) {
    .checkDots(...)
    both <- .readComparison(
        x, basis, key, threshold, components, pos, solid_edges, dashed_edges,
        transitions
    )
    c(list(cells = both$cells), .graphData(both$graph))
}

.readComparison <- function(x, basis, key, threshold, components, pos,
                            solid_edges, dashed_edges, transitions,
                            call = rlang::caller_env()) {
    container <- .plotContainer(x, call, "holds no coarse graph")
    record <- .pagaRecord(container, key, call)
    embedding <- .plotEmbedding(container, basis, call, components)
    cells <- embedding$data
    cells$group <- .pagaGroups(container, record, call)
    if (is.null(pos)) {
        pos <- .groupMedians(cells, cells$group)
    } else if (identical(pos, "stored")) {
        if (is.null(record$pos)) {
            .abort(
                "not_computed", paste0(
                    "The coarse graph ", .someNames(key),
                    " has no stored positions."
                ), "Run computePAGA() with `layout`, or leave `pos` out.",
                key = key, call = call
            )
        }
        pos <- record$pos
    }
    graph <- .readPAGA(
        container, key, threshold, NULL, NULL, NULL, pos, FALSE, solid_edges,
        dashed_edges, transitions, FALSE, FALSE, NULL, NULL, 0, call
    )
    list(name = embedding$name, cells = cells, graph = graph)
}
