# The coarse graph of cell groups.

#' Plot a coarse graph of cell groups
#'
#' Draws the graph that [computePAGA()] made: one node per group of cells, as
#' large as the group, and edges as wide as the connectivity. `plotPAGA()` gives
#' the figure, `plotPAGAData()` the numbers in it.
#'
#' The area of a node, in square points, is \eqn{2000 / (\sqrt{G} + 10)} for the
#' median size of the \eqn{G} groups and grows with the size to the power of
#' `node_size_power`; the width of an edge is 7.5 points at connectivity one.
#' With `transitions`, arrows from a group to the one its cells move to take the
#' place of the solid edges. A unit is as long on both axes.
#'
#' Nodes show their group, or by `color`: the mean of a numeric column or gene
#' over the cells of the group (missing and infinite values left out), the
#' category that most cells of the group have, or with `pie = TRUE` the shares
#' of all categories; `"degree_solid"` and `"degree_dashed"` show the sum of the
#' edges of a node, as a share of the largest. Nothing is stored. Cost: linear
#' in cells x colours. Randomness: `random_state` places the nodes where a
#' layout starts at random. Threads: not applicable.
#'
#' @inheritParams plotEmbedding
#' @param x a `SingleCellExperiment` or `Seurat` object that holds a coarse
#'   graph.
#' @param key `key_added` of [computePAGA()].
#' @param threshold edges below it are neither drawn nor used by the layout; 0
#'   keeps all.
#' @param color NULL or the column of the groups: their own colours. Names of
#'   columns or genes, `"degree_solid"` or `"degree_dashed"`: one panel each.
#'   One number per group. One colour per group, named by group. A list named by
#'   group of shares named by colour, such as `list(Alpha = c(red = 0.3))`:
#'   pies, the rest of a turn in grey.
#' @param layout `"fr"`, `"fa"`, `"rt"`, `"rt_circular"`, `"eq_tree"` or
#'   `"circle"`; NULL takes the stored positions, or `"fr"` when there are none.
#' @param root group at the root of a tree layout; NULL for the first.
#' @param pos positions of the groups: a matrix with two columns, or the name of
#'   an embedding, whose median over each group is taken.
#' @param labels TRUE for the names of the groups, FALSE for none, or a text per
#'   group (in their order, or named by group).
#' @param single_component whether to draw the largest connected part alone; not
#'   together with `dashed_edges`.
#' @param solid_edges,dashed_edges `"connectivities"` or
#'   `"connectivities_tree"`; NULL draws no dashed edges.
#' @param transitions `"transitions_confidence"` for arrows (needs
#'   `use_rna_velocity = TRUE` in [computePAGA()]), or NULL.
#' @param pie whether a categorical `color` is drawn as pies.
#' @param normalize_to_color whether a categorical `color` takes the category of
#'   whose cells the group holds most, so that rare ones show.
#' @param fontsize size of the labels in points; NULL is 10, or 8 for several
#'   panels.
#' @param node_size_scale,node_size_power factor on the area of nodes, and its
#'   power in the number of cells; power 0 makes all equal.
#' @param edge_width_scale factor on the width of edges.
#' @param min_edge_width,max_edge_width bounds for it, in points; NULL for none.
#' @param arrowsize size of arrow heads; 30 is 9 points.
#' @param random_state seed of the layout; NULL takes one from R's generator.
#' @return `plotPAGA()`: a ggplot, or for several colours a patchwork object.
#'   `plotPAGAData()`: a list of two data frames. `nodes`: `group` (a factor),
#'   `x`, `y`, `n_cells` and one column per colour (numbers or a factor).
#'   `edges`: `from` and `to` (factors), `weight`, `kind` (`"solid"`, `"dashed"`
#'   or `"transition"`, which goes from `from` to `to`), and the coordinates
#'   `x`, `y`, `xend`, `yend`. Where a colour is drawn as pies also `pies`:
#'   `color`, `group`, `category`, `share`.
#' @section Conditions: `fatecast_error_not_computed` before [computePAGA()],
#'   `fatecast_error_container_stale` when cells or groups changed since,
#'   `fatecast_error_missing_key` for unknown groups, colours, embeddings and
#'   matrices, `fatecast_error_shape` for labels, colours or positions that do
#'   not fit the groups, `fatecast_error_range` for pies over one whole and a
#'   single component with dashed edges, `fatecast_error_type`,
#'   `fatecast_error_unknown_argument`.
#' @references Wolf, F.A. et al. (2019) PAGA: graph abstraction reconciles
#'   clustering with trajectory inference through a topology preserving map of
#'   single cells. Genome Biology 20, 59.
#' @seealso [computePAGA()], [plotPAGACompare()], [plotPAGAPath()]
#' @examples
#' sce <- computePCA(simulateDifferentiation(n_cells = 300, n_genes = 60))
#' sce <- computePAGA(buildNeighbors(sce), groups = "cell_type")
#' plotPAGA(sce)
#' plotPAGA(sce, color = c("sample", rownames(sce)[1]), pie = TRUE)
#' plotPAGAData(sce)$edges
#' @include plot-paga-data.R plot-paga-figure.R
#' @export
plotPAGA <- function(x, key = "paga", threshold = 0.01, color = NULL,
                     layout = NULL, root = NULL, pos = NULL, labels = TRUE,
                     single_component = FALSE,
                     solid_edges = "connectivities", dashed_edges = NULL,
                     transitions = NULL, pie = FALSE,
                     normalize_to_color = FALSE, assay = NULL,
                     experiment = NULL, palette = NULL, color_map = "viridis",
                     fontsize = NULL, node_size_scale = 1,
                     node_size_power = 0.5, edge_width_scale = 1,
                     min_edge_width = NULL, max_edge_width = NULL,
                     arrowsize = 30, title = NULL, ncol = NULL,
                     random_state = 0, ...) {
    .checkDots(...)
    graph <- .readPAGA(
        x, key, threshold, color, layout, root, pos, single_component,
        solid_edges, dashed_edges, transitions, pie, normalize_to_color,
        assay, experiment, random_state
    )
    style <- .graphStyle(
        labels, names(graph$record$sizes), graph$record$groups, fontsize,
        node_size_scale, node_size_power, edge_width_scale, min_edge_width,
        max_edge_width, arrowsize, color_map, palette
    )
    .graphFigure(graph, style, title, ncol)
}

#' @rdname plotPAGA
#' @export
plotPAGAData <- function(x, key = "paga", threshold = 0.01, color = NULL,
                         layout = NULL, root = NULL, pos = NULL,
                         single_component = FALSE,
                         solid_edges = "connectivities", dashed_edges = NULL,
                         transitions = NULL, pie = FALSE,
                         normalize_to_color = FALSE, assay = NULL,
                         experiment = NULL, random_state = 0, ...) {
    .checkDots(...)
    graph <- .readPAGA(
        x, key, threshold, color, layout, root, pos, single_component,
        solid_edges, dashed_edges, transitions, pie, normalize_to_color,
        assay, experiment, random_state
    )
    .graphData(graph)
}

# ---- Numbers ----

# Nodes, edges, and one entry of `values` per panel.
.readPAGA <- function(x, key, threshold, color, layout, root, pos,
                      single_component, solid_edges, dashed_edges,
                      transitions, pie, normalize_to_color, assay, experiment,
                      random_state, call = rlang::caller_env()) {
    x <- .plotContainer(x, call, "holds no coarse graph")
    record <- .pagaRecord(x, key, call)
    alone <- .checkFlag(single_component, call = call)
    if (alone && !is.null(dashed_edges)) {
        .abort(
            "range", paste(
                "`single_component` cannot be combined with `dashed_edges`,",
                "which may lead out of the component."
            ),
            argument = "single_component", call = call
        )
    }
    edges <- .pagaEdges(
        record, threshold, solid_edges, dashed_edges, transitions, call
    )
    at <- .pagaPositions(
        x, record, edges$solid, pos, layout, root, random_state, call
    )
    groups <- names(record$sizes)
    nodes <- data.frame(
        group = factor(groups, levels = groups), x = at[, 1L], y = at[, 2L],
        n_cells = as.integer(record$sizes), row.names = NULL
    )
    pie <- .checkFlag(pie, call = call)
    to_color <- .checkFlag(normalize_to_color, call = call)
    read <- function(one) .pagaValues(
        x, record, one, edges$solid, edges$dashed, to_color, pie, assay,
        experiment, call
    )
    graph <- list(
        nodes = nodes, edges = edges$table, record = record,
        directed = !is.null(transitions),
        values = .panelValues(color, groups, read, call)
    )
    if (alone) .keepComponent(graph) else graph
}

.keepComponent <- function(graph) {
    solid <- graph$edges[graph$edges$kind == "solid", , drop = FALSE]
    keep <- .largestComponent(solid, nrow(graph$nodes))
    graph$nodes <- droplevels(graph$nodes[keep, , drop = FALSE])
    inside <- keep[graph$edges$from] & keep[graph$edges$to]
    graph$edges <- graph$edges[inside, , drop = FALSE]
    number <- cumsum(keep)
    graph$edges$from <- number[graph$edges$from]
    graph$edges$to <- number[graph$edges$to]
    graph$values <- lapply(graph$values, function(v) {
        v$values <- v$values[keep]
        v$shares <- v$shares[keep, , drop = FALSE]
        v
    })
    graph$kept <- keep
    graph
}

# The numbers as the user gets them.
.graphData <- function(graph) {
    nodes <- as.list(graph$nodes)
    pies <- NULL
    for (value in graph$values) {
        if (!is.null(value$shares)) {
            pies <- rbind(pies, .pieTable(value, nodes$group))
        } else if (!isTRUE(value$own)) {
            nodes <- c(nodes, stats::setNames(list(value$values), value$name))
        }
    }
    names(nodes) <- make.unique(names(nodes))
    out <- list(nodes = list2DF(nodes), edges = .edgeEnds(graph))
    if (!is.null(pies)) out$pies <- pies
    out
}

.pieTable <- function(value, groups) {
    data.frame(
        color = value$name, group = rep(groups, ncol(value$shares)),
        category = factor(
            rep(colnames(value$shares), each = length(groups)),
            levels = colnames(value$shares)
        ),
        share = as.vector(value$shares)
    )
}

# Edges with the names and coordinates of their ends.
.edgeEnds <- function(graph) {
    edges <- graph$edges
    nodes <- graph$nodes
    data.frame(
        from = nodes$group[edges$from], to = nodes$group[edges$to],
        weight = edges$weight, kind = edges$kind,
        x = nodes$x[edges$from], y = nodes$y[edges$from],
        xend = nodes$x[edges$to], yend = nodes$y[edges$to], row.names = NULL
    )
}
