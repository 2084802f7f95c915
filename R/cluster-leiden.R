#' Leiden clusters of the cells
#'
#' Groups the cells of a neighbour graph with the Leiden algorithm (Traag,
#' Waltman and van Eck 2019): fast moves of single cells, refinement inside
#' every group, aggregation, until nothing improves. The arguments are those of
#' scanpy; no Python is involved.
#'
#' @details
#' **Graph.** A symmetric graph n x n with non-negative weights, as
#' [buildNeighbors()] makes it. `directed = TRUE`, scanpy's default, gives the
#' same optimum on a symmetric graph as `directed = FALSE`; only the scale of
#' the reported `quality` differs. A graph that is not symmetric is clustered
#' by its arcs when `directed = TRUE`, and by the mean of both directions
#' otherwise.
#'
#' **Quality.** `partition_type` names what is maximised: `RBConfiguration`
#' (the default; modularity with a resolution, Reichardt and Bornholdt 2006),
#' `Modularity`, `RBER`, `CPM` (constant Potts model, Traag et al. 2011),
#' `Significance` (edges count one each) and `Surprise`; leidenalg's class
#' names with the ending `VertexPartition` are understood too. A larger
#' resolution gives more groups. Modularity, Significance and Surprise have no
#' resolution: stating one is an error.
#'
#' **Labels** are `"0"`, `"1"`, ... by decreasing size, ties by the first cell.
#' Every group is connected, whatever the number of iterations.
#'
#' **Several resolutions** in one call write one column and one record each,
#' under `<key_added>_<resolution>` (or the names given as `key_added`), with
#' the labels that a call for that resolution alone would give.
#'
#' **Randomness and threads.** `random_state` decides the order in which cells
#' are visited and the draws of the refinement; R's random numbers are not
#' touched. The same labels on any number of threads. Time O(edges) per
#' iteration, memory O(edges).
#'
#' @param x A `SingleCellExperiment` or `Seurat` object with a graph, or a
#'   square matrix that is the graph (cells x cells).
#' @param resolution One number or several, above zero; NULL for the default of
#'   the partition type.
#' @param restrict_to NULL, or `list(key, categories)`: only cells whose label
#'   in the column `key` is among the categories are clustered, on the graph
#'   between them. Their labels become `"<categories joined by ->,<label>"`,
#'   the others keep theirs; the default `key_added` becomes `"leiden_R"`.
#' @param random_state Seed; NULL takes one from R's generator.
#' @param key_added Name of the column and of the record; for several
#'   resolutions one name to be extended, or one name for each.
#' @param adjacency A graph to use instead of a stored one: a matrix of cells x
#'   cells (matched by names when it has any).
#' @param directed Whether arcs count by direction.
#' @param use_weights Whether edges count by their weight, or one each.
#' @param n_iterations Number of iterations; negative until none improves.
#' @param partition_type Quality function; NULL means `"RBConfiguration"`.
#' @param neighbors_key Name of the run of [buildNeighbors()] whose graph is
#'   used; NULL for the default run.
#' @param obsp Name of a stored graph to use, for example Seurat's `RNA_snn`.
#' @param initial_membership Labels to start from, one per cell; NULL starts
#'   from single cells.
#' @param node_sizes Positive whole numbers, the size of each cell (for
#'   metacells); CPM, RBER, Significance and Surprise only.
#' @param is_membership_fixed Logical, one per cell: cells that keep their
#'   label of `initial_membership`.
#' @param max_comm_size Largest total size of a group; 0 for no limit. A hard
#'   limit, other than in leidenalg 0.12.
#' @param min_comm_size Groups below it are dissolved into their best
#'   neighbours at the end; 0 for none. Groups without edges to others stay.
#' @param theta Randomness of the refinement, in units of the mean edge weight.
#' @param n_starts Number of independent runs; the best quality wins.
#' @param flavor NULL, or the argument rules of one of scanpy's two engines:
#'   `"leidenalg"`, or `"igraph"` (undirected, no `partition_type`,
#'   `objective_function` instead). The engine is always the same.
#' @param objective_function For `flavor = "igraph"`: `"modularity"` (default)
#'   or `"CPM"`.
#' @param set_idents Also make the labels the active ones of the object:
#'   `Idents()` of Seurat, `colLabels()` of SingleCellExperiment.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The object with a factor of labels per resolution and a record
#'   beside each (`parameters(x, key)`; the record also holds quality,
#'   modularity, number of clusters, iterations). For a matrix a list of
#'   `labels` (named factor), `quality`, `modularity`, `n_clusters`,
#'   `iterations` and `converged`; for several resolutions a list of such lists
#'   named by key.
#' @section Errors:
#' `missing_key` without a graph or for unknown categories; `container_stale`
#' when cells changed after the graph was made; `range` for NaN or negative
#' weights (negative ones are allowed for CPM), for a resolution the type does
#' not take and for conflicting arguments; `shape` for vectors that do not fit;
#' `container_key_taken` when the key belongs to another verb. Warnings:
#' `not_converged`, `disconnected` (over 1% of cells without an edge).
#' @references Traag, V.A., Waltman, L. and van Eck, N.J. (2019) From Louvain to
#'   Leiden: guaranteeing well-connected communities. Scientific Reports 9,
#'   5233.
#'
#'   Reichardt, J. and Bornholdt, S. (2006) Statistical mechanics of community
#'   detection. Physical Review E 74, 016110.
#'
#'   Traag, V.A., Van Dooren, P. and Nesterov, Y. (2011) Narrow scope for
#'   resolution-limit-free community detection. Physical Review E 84, 016114.
#' @seealso [clusterLouvain()], [resolutionProfile()], [graphModularity()].
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' sce <- clusterLeiden(sce, resolution = c(0.5, 1))
#' table(sce$leiden_0.5, sce$leiden_1)
#' parameters(sce, "leiden_0.5")$resolution
#' @include cluster-labels.R graph-lookup.R
#' @export
clusterLeiden <- function(x, resolution = 1, restrict_to = NULL,
                          random_state = 0, key_added = "leiden",
                          adjacency = NULL, directed = TRUE,
                          use_weights = TRUE, n_iterations = -1,
                          partition_type = NULL, neighbors_key = NULL,
                          obsp = NULL, initial_membership = NULL,
                          node_sizes = NULL, is_membership_fixed = NULL,
                          max_comm_size = 0, min_comm_size = 0, theta = 0.01,
                          n_starts = 1, flavor = NULL,
                          objective_function = NULL, set_idents = FALSE,
                          n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    stated <- !missing(resolution)
    type <- .leidenType(partition_type, flavor, objective_function, directed)
    resolution <- .checkResolution(resolution, type, stated)
    settings <- list(
        random_state = .seed(random_state),
        n_iterations = .checkCount(n_iterations, -Inf),
        partition_type = type, directed = .checkFlag(directed),
        use_weights = .checkFlag(use_weights),
        theta = .checkNumber(theta, 0, open_min = TRUE),
        n_starts = .checkCount(n_starts), flavor = flavor,
        max_comm_size = .checkCount(max_comm_size, 0),
        min_comm_size = .checkCount(min_comm_size, 0)
    )
    .checkFlag(set_idents)
    found <- .findGraph(x, neighbors_key, obsp, adjacency)
    part <- .restrictTo(x, restrict_to, found$matrix)
    nodes <- .nodeArguments(
        rownames(found$matrix), initial_membership, node_sizes,
        is_membership_fixed, type
    )
    keys <- .clusterKeys(
        x, key_added, resolution, part, "leiden", "clusterLeiden"
    )
    job <- .job(n_threads, show_progress_bar, "Leiden")
    clustered <- .clusterEach(
        job, .leidenRun, found$matrix, part, nodes, settings, resolution, keys
    )
    .storeClusters(
        x, clustered, "clusterLeiden", settings, nodes, found, part, job,
        set_idents
    )
}

# The name in the core of a partition type, as the flavour allows it.
.leidenType <- function(partition_type, flavor, objective_function, directed,
                        call = rlang::caller_env()) {
    .checkChoice(
        flavor, c("leidenalg", "igraph"), null = TRUE, arg = "flavor",
        call = call
    )
    igraph <- identical(flavor, "igraph")
    if (!igraph && !is.null(objective_function)) {
        .conflict(
            "`objective_function` belongs to `flavor = \"igraph\"`.",
            "Use `partition_type` to choose the quality function.",
            "objective_function", call
        )
    }
    if (!igraph) {
        return(.partitionType(partition_type, call))
    }
    if (!is.null(partition_type)) {
        .conflict(
            "`partition_type` cannot be used with `flavor = \"igraph\"`.",
            "Use `objective_function`, or leave `flavor` out.",
            "partition_type", call
        )
    }
    if (isTRUE(directed)) {
        .conflict(
            "`flavor = \"igraph\"` works on undirected graphs only.",
            "Use `directed = FALSE`, or leave `flavor` out.",
            "directed", call
        )
    }
    if (is.null(objective_function)) objective_function <- "modularity"
    chosen <- .checkChoice(
        objective_function, c("modularity", "CPM"),
        arg = "objective_function", call = call
    )
    if (chosen == "CPM") "CPM" else "RBConfiguration"
}

.conflict <- function(message, advice, argument, call) {
    .abort("range", message, advice, argument = argument, call = call)
}

# One run of the core on a graph that is ready.
.leidenRun <- function(job, graph, nodes, settings, resolution) {
    .native(
        job, rs_cluster_leiden, .slots(graph), list(
            quality = settings$partition_type,
            resolution = if (is.null(resolution)) 1 else resolution,
            directed = settings$directed, seed = settings$random_state,
            n_iterations = settings$n_iterations,
            n_starts = settings$n_starts, theta = settings$theta,
            max_comm_size = settings$max_comm_size,
            min_comm_size = settings$min_comm_size
        ), nodes$initial, nodes$sizes, nodes$fixed,
        cell_names = rownames(graph)
    )
}
