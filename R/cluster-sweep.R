#' Clusterings over a range of resolutions
#'
#' Finds by bisection the resolutions at which the optimal grouping changes
#' (Traag, Krings and Van Dooren 2013), so that a stable one can be chosen.
#'
#' @details
#' A range is divided while the total weight inside the groups of its two ends
#' differs by more than `min_diff_bisect_value` and the ends by more than
#' `min_diff_resolution` (of logarithms, when both are positive and
#' `linear_bisection` is FALSE). At the end every resolution gets the best of
#' all groupings found, and of neighbouring resolutions with equal weight
#' inside the lowest is kept. Each grouping takes O(edges) per iteration.
#'
#' @inheritParams clusterLeiden
#' @param resolution_range Lowest and highest resolution.
#' @param partition_type `"CPM"`, `"RBConfiguration"` or `"RBER"`.
#' @param min_diff_bisect_value Smallest difference of the weight inside.
#' @param min_diff_resolution Smallest difference of resolutions.
#' @param linear_bisection Divide ranges at the mean rather than at the
#'   geometric mean.
#' @param number_iterations Further rounds of two iterations while they
#'   improve; 0 or less until none does.
#' @return A list: `profile`, a data frame with the columns `resolution`,
#'   `quality`, `internal_weight` and `n_clusters`, lowest resolution first;
#'   `labels`, a list of factors named by cell, one per row. Nothing is stored.
#' @section Errors:
#' As [clusterLeiden()]; `range` for types without a resolution.
#' @references Traag, V.A., Krings, G. and Van Dooren, P. (2013) Significant
#'   scales in community structure. Scientific Reports 3, 2930.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' found <- resolutionProfile(
#'     sce, c(0.1, 2), partition_type = "RBConfiguration",
#'     min_diff_resolution = 0.2
#' )
#' found$profile
#' @include cluster-labels.R graph-lookup.R
#' @export
resolutionProfile <- function(x, resolution_range = c(0, 1),
                              partition_type = c(
                                  "CPM", "RBConfiguration", "RBER"
                              ), random_state = 0, adjacency = NULL,
                              directed = TRUE, use_weights = TRUE,
                              min_diff_bisect_value = 1,
                              min_diff_resolution = 1e-3,
                              linear_bisection = FALSE, number_iterations = 1,
                              node_sizes = NULL, neighbors_key = NULL,
                              obsp = NULL, n_threads = NULL,
                              show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    types <- c("CPM", "RBConfiguration", "RBER")
    if (is.character(partition_type)) {
        partition_type <- sub("VertexPartition$", "", partition_type)
    }
    type <- .checkChoice(partition_type, types)
    options <- list(
        quality = type, range = .checkSpan(resolution_range),
        directed = .checkFlag(directed), seed = .seed(random_state),
        min_diff_bisect_value = .checkNumber(min_diff_bisect_value, 0),
        min_diff_resolution = .checkNumber(
            min_diff_resolution, 0, open_min = TRUE
        ),
        linear_bisection = .checkFlag(linear_bisection),
        number_iterations = .checkCount(number_iterations, -Inf)
    )
    .checkFlag(use_weights)
    found <- .findGraph(x, neighbors_key, obsp, adjacency)
    cells <- rownames(found$matrix)
    nodes <- .nodeArguments(cells, NULL, node_sizes, NULL, type)
    job <- .job(n_threads, show_progress_bar, "Resolutions")
    graph <- .clusterGraph(
        found$matrix, list(partition_type = type, use_weights = use_weights),
        job$call
    )
    out <- .native(
        job, rs_cluster_profile, .slots(graph), options, nodes$sizes,
        cell_names = cells
    )
    labels <- lapply(out$labels, function(codes) {
        labels <- .labelFactor(as.character(codes), NULL)
        names(labels) <- cells
        labels
    })
    list(
        profile = data.frame(
            resolution = out$resolution, quality = out$quality,
            internal_weight = out$internal_weight, n_clusters = out$n_clusters
        ), labels = labels
    )
}

.checkSpan <- function(span, call = rlang::caller_env()) {
    ok <- is.numeric(span) && length(span) == 2L && all(is.finite(span)) &&
        span[1L] >= 0 && span[1L] < span[2L]
    if (!ok) {
        .abort(
            if (is.numeric(span)) "range" else "type", paste(
                "`resolution_range` must be two finite, non-negative numbers,",
                "the lower one first."
            ), argument = "resolution_range", value = span, call = call
        )
    }
    as.double(span)
}
