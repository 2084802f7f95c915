#' Cross-boundary correctness
#'
#' Does a chain cross the border from one cluster into the next where it should?
#' For every cell of `source` with a neighbour in `target`, the move that the
#' chain expects in an embedding is correlated with the direction of those
#' neighbours: 1 straight at them, -1 straight away.
#'
#' @details
#' With T the transition matrix, Z the embedding (cells x dimensions) and A the
#' graph, the score of cell i is the Pearson correlation, over the dimensions,
#' of
#' \deqn{\sum_j T_{ij} z_j - z_i \quad and \quad
#'   \sum_{j \in target} A_{ij} (z_j - z_i).}{sum_j T_ij z_j - z_i and
#'   sum_(j in target) A_ij (z_j - z_i).}
#' All stored neighbours make a cell a boundary cell. With `graph_key =
#' "distances"` far neighbours weigh more; with `"connectivities"` near ones do.
#' A score is NA where a direction is not defined: a cell that stays, missing
#' coordinates, only neighbours at weight zero, fewer than two dimensions. Two
#' dimensions give nothing but -1 and 1.
#'
#' Time O(transitions + edges of boundary cells x dimensions); no randomness;
#' the same bits on any number of threads. Nothing is stored.
#'
#' @param kernel A kernel with a transition matrix, made from an object, or an
#'   estimator. An expression is evaluated.
#' @param source,target Names of two clusters.
#' @param cluster_key Column of the cells with the clusters; cells without one
#'   belong to none.
#' @param rep Name of the embedding.
#' @param graph_key Key of the graph that says which cells are neighbours.
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object; NULL for the main one.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param ... Not used; an unknown argument is an error.
#' @return One number from -1 to 1 per boundary cell, named by cell, in the
#'   order of the cells; of length 0 without boundary cells.
#' @section Errors:
#' `not_computed` without a transition matrix or an object; `missing_key` for
#' the column, the clusters, the embedding and the graph; `type` for numbers
#' instead of clusters; `container_stale` when cells changed since.
#' @references Qiao, C. and Huang, Y. (2021) Representation learning of RNA
#'   velocity reveals robust cell transitions. PNAS 118, e2105859118.
#' @examples
#' sce <- computePCA(simulateDifferentiation(n_cells = 300, n_genes = 60))
#' sce <- buildNeighbors(sce)
#' k <- computeTransitionMatrix(VelocityKernel(sce))
#' types <- levels(sce$cell_type)
#' summary(cbc(k, types[1], types[2], cluster_key = "cell_type", rep = "PCA"))
#' @include kernel-chain.R
#' @export
cbc <- function(kernel, source, target, cluster_key, rep,
                graph_key = "distances", experiment = NULL, n_threads = NULL,
                ...) {
    .checkDots(...)
    kernel <- .kernelOf(kernel, n_threads)
    x <- .kernelContainer(kernel)
    clusters <- .readClusters(x, .checkString(cluster_key))
    source <- .knownClusters(.checkString(source), clusters, cluster_key)
    target <- .knownClusters(.checkString(target), clusters, cluster_key)
    z <- .readEmbedding(x, .checkString(rep), .checkString(
        experiment, null = TRUE
    ))
    graph <- .readGraph(x, .checkString(graph_key), experiment)
    job <- .job(n_threads, FALSE)
    out <- .native(
        job, rs_kernel_cbc, .slots(kernel@matrix), .slots(graph), z, ncol(z),
        as.integer(clusters %in% source), as.integer(clusters %in% target),
        cell_names = kernel@cell_names
    )
    scores <- out$scores
    scores[is.nan(scores)] <- NA
    stats::setNames(scores, kernel@cell_names[out$cells])
}

# Clusters as a factor, in the order of the cells.
.readClusters <- function(x, column, call = rlang::caller_env()) {
    value <- .readCellData(x, column)
    if (!is.factor(value)) {
        if (!is.character(value) && !is.logical(value)) {
            .abort(
                "type", paste0(
                    "`", column, "` must hold clusters (a factor or text), ",
                    "not values of class `", class(value)[1L], "`."
                ), "Convert it with factor().", column = column, call = call
            )
        }
        value <- factor(value)
    }
    unname(droplevels(value))
}

.knownClusters <- function(clusters, labels, column,
                           call = rlang::caller_env()) {
    unknown <- setdiff(clusters, levels(labels))
    if (length(unknown)) {
        .missingKey("cluster", unknown, levels(labels), paste0(
            "Clusters are the values of `", column, "`."
        ), call)
    }
    clusters
}
