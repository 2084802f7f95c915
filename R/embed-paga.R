#' Graph of groups of cells (PAGA)
#'
#' Which groups of cells are connected, and how strongly: partition-based graph
#' abstraction (Wolf et al. 2019). Every group becomes a node; two nodes are
#' joined as strongly as their cells are neighbours of each other, measured
#' against chance.
#'
#' @details
#' `model = "v1.2"` takes the stored distances: every neighbour of a cell is one
#' arc. With `E[g, h]` arcs from group g to h, `es[g]` arcs leaving the cells of
#' g, `size[g]` cells and n cells in all, the connectivity is
#' `min(1, (E[g, h] + E[h, g]) / X[g, h])` with the arcs expected by chance
#' `X[g, h] = (es[g] * size[h] + es[h] * size[g]) / (n - 1)`. `model = "v1.0"`
#' takes the connectivities, every edge counting one, and divides their number
#' by `sqrt(k^2 * size[g] * size[h])`, k being `n_neighbors`; it may exceed one.
#' Both matrices are groups x groups, symmetric, with an empty diagonal, and
#' hold only pairs with a common edge. `connectivities_tree` is the spanning
#' forest of the strongest connections.
#'
#' `use_rna_velocity = TRUE` adds `transitions_confidence` from the stored graph
#' `"velocity_graph"`: the surplus of arcs from g to h over those back, divided
#' by `k * sqrt(size[g] * size[h])`. As in scanpy it is stored transposed: entry
#' `[h, g]` speaks of the way **from g to h**.
#'
#' `layout` also places the groups, as `embedUMAP(init_pos = "paga")` needs
#' them: `"fr"` (Fruchterman and Reingold 1991) and `"fa"` (ForceAtlas2, Jacomy
#' et al. 2014) by attraction along the edges, `"rt"`, `"rt_circular"` (tidy
#' trees, Reingold and Tilford 1981) and `"eq_tree"` by the tree hanging from
#' `root`, `"circle"` in order. Without `layout`, positions that the same graph
#' already has under `key_added` are kept.
#'
#' The graph is the same for any `random_state`, which only places groups, and
#' everything is the same on any number of threads. O(edges + groups^2) time,
#' O(cells) memory.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object with neighbours.
#' @param groups Name of a column of cells with the groups; NULL takes
#'   `"leiden"` or else `"louvain"`. Levels without cells are left out; cells
#'   without a group are an error.
#' @param use_rna_velocity Whether to add the confidence of transitions.
#' @param model What connections are measured against.
#' @param neighbors_key Name of the run of [buildNeighbors()] to use; NULL for
#'   the default run.
#' @param layout NULL for no positions, or the way to place the groups.
#' @param root Group, by name or position, that trees hang from; NULL for the
#'   first.
#' @param threshold Connections below it do not attract in `"fr"` and `"fa"`.
#' @param init_pos Start of `"fr"` and `"fa"`: a matrix of groups x 2, or NULL
#'   for random positions in the unit square.
#' @param random_state Seed of the layout; NULL takes one from R's generator.
#' @param key_added Name of the record that holds the result.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return `computePAGA()`: the object with a record under `key_added`:
#'   `connectivities`, `connectivities_tree` and, when asked for,
#'   `transitions_confidence` (`dgCMatrix`, named by group), `groups` (the
#'   column), `sizes` (cells per group) and `pos` (groups x 2).
#'   `pagaConnectivities()`: one of the matrices.
#' @section Errors:
#' `missing_key` without the column, the neighbours or the velocity graph;
#' `range` for cells without a group (they are named); `container_stale` when
#' cells changed after the neighbours were found; `disconnected` for
#' `layout = "eq_tree"` of groups that are not all connected; `not_computed`
#' when there is no result under `key`.
#' @references Wolf, F.A. et al. (2019) PAGA: graph abstraction reconciles
#'   clustering with trajectory inference through a topology preserving map of
#'   single cells. Genome Biology 20, 59.
#'
#'   Fruchterman, T.M.J. and Reingold, E.M. (1991) Graph drawing by
#'   force-directed placement. Software: Practice and Experience 21, 1129-1164.
#'
#'   Jacomy, M. et al. (2014) ForceAtlas2, a continuous graph layout algorithm
#'   for handy network visualization designed for the Gephi software. PLoS ONE
#'   9, e98679.
#'
#'   Reingold, E.M. and Tilford, J.S. (1981) Tidier drawings of trees. IEEE
#'   Transactions on Software Engineering 7, 223-228.
#' @seealso [plotPAGA()] to draw it, [clusterLeiden()] for groups.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' sce <- computePAGA(sce, groups = "cell_type", layout = "fr")
#' round(pagaConnectivities(sce), 3)
#' pagaConnectivities(sce, tree = TRUE) > 0
#' @include graph-lookup.R
#' @export
computePAGA <- function(x, groups = NULL, use_rna_velocity = FALSE,
                        model = c("v1.2", "v1.0"), neighbors_key = NULL,
                        layout = NULL, root = NULL, threshold = 0.01,
                        init_pos = NULL, random_state = 0, key_added = "paga",
                        n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    if (.containerClass(x) == "matrix") .refuseMatrix(x, "holds no groups")
    .checkFlag(use_rna_velocity)
    model <- .checkChoice(model, c("v1.2", "v1.0"))
    .checkKeyFree(x, .checkString(key_added), "computePAGA")
    column <- .pagaColumn(x, groups)
    cells <- .pagaFactor(x, column)
    found <- .pagaInput(x, neighbors_key, model)
    places <- .pagaSettings(
        levels(cells), layout, root, threshold, init_pos, random_state
    )
    job <- .job(n_threads, show_progress_bar, "PAGA")
    record <- .record(
        "computePAGA", params = c(list(
            groups = column, model = model, n_neighbors = found$k,
            neighbors_key = neighbors_key, use_rna_velocity = use_rna_velocity
        ), places$params), cells = rownames(found$graph)
    )
    record <- .pagaGraph(job, record, found$graph, cells, model, found$k)
    if (use_rna_velocity) {
        record$transitions_confidence <- .pagaTransitions(
            job, x, cells, found$k
        )
    }
    record <- .pagaPlaced(job, record, places, .readRecord(x, key_added))
    record$run <- utils::modifyList(record$run, .run(job))
    .writeRecord(x, key_added, record, nested = FALSE)
}

#' @rdname computePAGA
#' @param key Name of the record of [computePAGA()].
#' @param tree Whether to return the spanning forest instead.
#' @export
pagaConnectivities <- function(x, key = "paga", tree = FALSE, ...) {
    .checkDots(...)
    .checkContainer(x)
    .checkFlag(tree)
    record <- .pagaRecord(x, key)
    record[[if (tree) "connectivities_tree" else "connectivities"]]
}

# ---- Groups ----

.pagaColumn <- function(x, groups, call = rlang::caller_env()) {
    .checkString(groups, null = TRUE, arg = "groups", call = call)
    if (!is.null(groups)) return(groups)
    there <- intersect(c("leiden", "louvain"), .cellDataNames(x))
    if (length(there)) return(there[1L])
    .abort(
        "missing_key", paste0(
            "The object has neither a column `leiden` nor `louvain` of ",
            "groups."
        ), "Run clusterLeiden() first, or name a column with `groups`.",
        key = c("leiden", "louvain"), available = .cellDataNames(x),
        call = call
    )
}

# The groups of the cells as a factor without empty levels.
.pagaFactor <- function(x, column, call = rlang::caller_env()) {
    values <- .readCellData(x, column)
    whole <- is.numeric(values) && all(values == round(values), na.rm = TRUE)
    ok <- is.factor(values) || is.character(values) || is.logical(values)
    if (!ok && !whole) {
        .abort(
            "type", paste0(
                "The column ", .someNames(column), " holds no groups but ",
                .describe(values), "."
            ), "Name a column of labels with `groups`.",
            key = column, call = call
        )
    }
    if (anyNA(values)) {
        cells <- .cellNames(x)[is.na(values)]
        .abort(
            "range", paste0(
                "The column ", .someNames(column), " is missing in ",
                .count(length(cells), "cell"), ": ", .someNames(cells), "."
            ), "Remove these cells, or give them a group of their own.",
            key = column, cells = cells, call = call
        )
    }
    if (is.factor(values)) return(droplevels(values))
    if (is.numeric(values)) return(factor(values))
    values <- as.character(values)
    factor(values, levels = .naturalSort(unique(values)))
}

# The graph that the model counts, and the neighbours per cell, the cell
# included: as the record says or, for a graph that came without one, as the
# edges suggest. Reading a graph costs more than counting it, so the other one
# stays where it is.
.pagaInput <- function(x, neighbors_key, model, call = rlang::caller_env()) {
    .checkString(neighbors_key, null = TRUE, arg = "neighbors_key", call = call)
    record <- .readRecord(x, .keyNeighbors(neighbors_key)$record)
    k <- if (.isRecord(record)) record$params$n_neighbors
    weights <- if (model == "v1.0" || is.null(k)) {
        .findGraph(x, neighbors_key, call = call)$matrix
    }
    if (is.null(k)) {
        k <- max(1L, length(weights@x) %/% nrow(weights) %/% 2L)
    }
    list(
        graph = if (model == "v1.0") {
            weights
        } else {
            .findDistances(x, neighbors_key, call)
        },
        k = as.integer(k)
    )
}

# ---- Computation ----

.pagaGraph <- function(job, record, graph, cells, model, k) {
    names <- levels(cells)
    out <- .native(
        job, rs_paga, .slots(graph), as.integer(cells), length(names), model,
        k, cell_names = rownames(graph)
    )
    record$connectivities <- .fromSlots(out$connectivities, names)
    record$connectivities_tree <- .fromSlots(out$connectivities_tree, names)
    record$groups <- record$params$groups
    record$sizes <- stats::setNames(out$sizes, names)
    record
}

.pagaTransitions <- function(job, x, cells, k) {
    key <- .keyVelocityGraph
    if (!.hasGraph(x, key)) {
        .checkFresh(x, key, job$call)
        .missingKey(
            "velocity graph", key, .graphNames(x), paste0(
                "Store the transitions of a velocity kernel as the graph \"",
                key, "\", or use `use_rna_velocity = FALSE`."
            ), job$call
        )
    }
    graph <- .readGraph(x, key)
    out <- .native(
        job, rs_paga_transitions, .slots(graph), as.integer(cells),
        nlevels(cells), k, cell_names = rownames(graph)
    )
    .fromSlots(out, levels(cells))
}

# ---- Positions ----

.pagaLayouts <- c("fr", "fa", "rt", "rt_circular", "eq_tree", "circle")

# What was asked for, checked: `params` for the record, `native` for the core;
# only `params` of NULLs without a layout.
.pagaSettings <- function(groups, layout, root, threshold, init_pos,
                          random_state, call = rlang::caller_env()) {
    .checkChoice(layout, .pagaLayouts, TRUE, "layout", call)
    .checkNumber(threshold, 0, arg = "threshold", call = call)
    at <- .pagaRoot(root, groups, call)
    init <- .pagaStartPositions(init_pos, groups, call)
    seed <- .seed(random_state, "random_state", call)
    if (is.null(layout)) return(list(params = list(layout = NULL)))
    list(
        params = list(
            layout = layout, root = groups[at], threshold = threshold,
            init_pos = init_pos, random_state = seed
        ),
        native = list(
            layout = layout, root = at - 1, threshold = threshold,
            seed = seed, iterations = 500
        ),
        init = init
    )
}

# Position of the root among the groups.
.pagaRoot <- function(root, groups, call = rlang::caller_env()) {
    if (is.null(root)) return(1L)
    if (is.numeric(root)) {
        return(.checkCount(root, 1, length(groups), arg = "root", call = call))
    }
    at <- match(.checkString(root, arg = "root", call = call), groups)
    if (is.na(at)) .missingKey("group", root, groups, call = call)
    at
}

.pagaStartPositions <- function(init_pos, groups, call = rlang::caller_env()) {
    if (is.null(init_pos)) return(NULL)
    m <- .checkEmbedding(init_pos, "`init_pos`", call)
    if (nrow(m) != length(groups) || ncol(m) != 2L) {
        .abort(
            "shape", paste0(
                "`init_pos` must be ", length(groups), " groups x 2, not ",
                .describe(init_pos), "."
            ), dim = dim(m), call = call
        )
    }
    named <- !is.null(rownames(m)) && setequal(rownames(m), groups)
    if (named) m <- m[groups, , drop = FALSE]
    as.vector(m)
}

# Groups x 2. Both matrices are symmetric, groups x groups.
.pagaPositionsOf <- function(job, connectivities, tree, places) {
    pos <- .native(
        job, rs_paga_layout, .slots(connectivities), .slots(tree),
        places$native, places$init
    )
    matrix(pos, ncol = 2L, dimnames = list(rownames(connectivities), NULL))
}

# The positions asked for, or those that an earlier run gave the same graph.
.pagaPlaced <- function(job, record, places, earlier) {
    if (!is.null(places$native)) {
        record$pos <- .pagaPositionsOf(
            job, record$connectivities, record$connectivities_tree, places
        )
        return(record)
    }
    if (.isRecord(earlier) && !is.null(earlier$pos) &&
        identical(earlier$connectivities, record$connectivities)) {
        record$pos <- earlier$pos
        kept <- c("layout", "root", "threshold", "init_pos", "random_state")
        record$params[kept] <- earlier$params[kept]
    }
    record
}
