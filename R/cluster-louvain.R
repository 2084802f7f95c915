#' Louvain clusters of the cells
#'
#' Groups the cells of a neighbour graph by moving single cells and then whole
#' groups, until nothing improves (Blondel et al. 2008). [clusterLeiden()] does
#' the same with a refinement that keeps every group connected, and is the
#' better choice; Louvain is here for comparison with earlier work.
#'
#' @details
#' Graph, quality functions, labels, several resolutions, records, randomness
#' and threads are as in [clusterLeiden()]; the defaults are scanpy's, which
#' ignore weights here. A group may be disconnected: that is Louvain's known
#' weakness. Time O(edges) per sweep, memory O(edges).
#'
#' @inheritParams clusterLeiden
#' @param resolution One number or several; NULL means 1.
#' @param flavor `"vtraag"` takes every argument; `"igraph"` and `"taynaud"`
#'   stand for scanpy's other engines: undirected modularity at resolution 1
#'   (another resolution is ignored with a warning). The engine is always the
#'   same.
#' @param partition_type Quality function for `flavor = "vtraag"`; NULL means
#'   `"RBConfiguration"`.
#' @param partition_kwargs List of further arguments of the partition:
#'   `node_sizes`, `initial_membership`, `is_membership_fixed`,
#'   `max_comm_size`.
#' @return As [clusterLeiden()].
#' @section Errors:
#' As [clusterLeiden()].
#' @references Blondel, V.D., Guillaume, J.-L., Lambiotte, R. and Lefebvre, E.
#'   (2008) Fast unfolding of communities in large networks. Journal of
#'   Statistical Mechanics P10008.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' sce <- clusterLouvain(sce, resolution = 1)
#' table(sce$louvain)
#' @include cluster-leiden.R
#' @export
clusterLouvain <- function(x, resolution = NULL, random_state = 0,
                           restrict_to = NULL, key_added = "louvain",
                           adjacency = NULL,
                           flavor = c("vtraag", "igraph", "taynaud"),
                           directed = TRUE, use_weights = FALSE,
                           partition_type = NULL, partition_kwargs = list(),
                           neighbors_key = NULL, obsp = NULL,
                           set_idents = FALSE, n_threads = NULL,
                           show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    flavor <- .louvainFlavor(flavor)
    more <- .partitionArguments(partition_kwargs)
    rules <- .louvainRules(flavor, partition_type, resolution, directed)
    settings <- list(
        random_state = .seed(random_state), n_iterations = -1L,
        partition_type = rules$type, directed = rules$directed,
        use_weights = .checkFlag(use_weights), flavor = flavor,
        max_comm_size = more$max_comm_size
    )
    .checkFlag(set_idents)
    found <- .findGraph(x, neighbors_key, obsp, adjacency)
    part <- .restrictTo(x, restrict_to, found$matrix)
    nodes <- .nodeArguments(
        rownames(found$matrix), more$initial_membership, more$node_sizes,
        more$is_membership_fixed, rules$type
    )
    keys <- .clusterKeys(
        x, key_added, rules$resolution, part, "louvain", "clusterLouvain"
    )
    job <- .job(n_threads, show_progress_bar, "Louvain")
    clustered <- .clusterEach(
        job, .louvainRun, found$matrix, part, nodes, settings,
        rules$resolution, keys
    )
    settings$n_iterations <- NULL
    .storeClusters(
        x, clustered, "clusterLouvain", settings, nodes, found, part, job,
        set_idents
    )
}

.louvainFlavor <- function(flavor, call = rlang::caller_env()) {
    if (identical(flavor, "rapids")) {
        .abort(
            "range", paste(
                "The flavour \"rapids\" was scanpy's door to a GPU library,",
                "which is not supported here."
            ), "Use the default: it runs on all processor cores.",
            argument = "flavor", value = flavor, call = call
        )
    }
    .checkChoice(
        flavor, c("vtraag", "igraph", "taynaud"), arg = "flavor", call = call
    )
}

# What a flavour makes of type, resolution and direction.
.louvainRules <- function(flavor, type, resolution, directed,
                          call = rlang::caller_env()) {
    .checkFlag(directed, arg = "directed", call = call)
    if (flavor == "vtraag") {
        type <- .partitionType(type, call)
        resolution <- .checkResolution(resolution, type, TRUE, call)
        return(list(
            type = type, resolution = resolution, directed = directed
        ))
    }
    if (!is.null(type)) {
        .conflict(
            paste0(
                "`partition_type` cannot be used with `flavor = \"", flavor,
                "\"`."
            ), "Use `flavor = \"vtraag\"`.", "partition_type", call
        )
    }
    if (!is.null(resolution) && !identical(as.double(resolution), 1)) {
        .warn("replaced_argument", paste0(
            "`flavor = \"", flavor, "\"` has no resolution: 1 is used."
        ), "Use `flavor = \"vtraag\"`.", argument = "resolution", value = 1)
    }
    list(
        type = "RBConfiguration", resolution = list(NULL), directed = FALSE
    )
}

.partitionArguments <- function(given, call = rlang::caller_env()) {
    known <- c(
        "node_sizes", "initial_membership", "is_membership_fixed",
        "max_comm_size"
    )
    if (!is.list(given) || (length(given) && is.null(names(given)))) {
        .badType(
            given, "a named list", FALSE, "partition_kwargs", call
        )
    }
    unknown <- setdiff(names(given), known)
    if (length(unknown)) {
        .abort(
            "unknown_argument", paste0(
                "Unknown element of `partition_kwargs`: ",
                .someNames(unknown), "."
            ), c(
                .suggest(unknown[1L], known),
                paste0("The elements are ", .someNames(known), ".")
            ), arguments = unknown, known = known, call = call
        )
    }
    most <- given$max_comm_size
    given$max_comm_size <- .checkCount(
        if (is.null(most)) 0 else most, 0, arg = "max_comm_size", call = call
    )
    given
}

.louvainRun <- function(job, graph, nodes, settings, resolution) {
    .native(
        job, rs_cluster_louvain, .slots(graph), list(
            quality = settings$partition_type,
            resolution = if (is.null(resolution)) 1 else resolution,
            directed = settings$directed, seed = settings$random_state,
            max_comm_size = settings$max_comm_size
        ), nodes$initial, nodes$sizes, nodes$fixed,
        cell_names = rownames(graph)
    )
}
