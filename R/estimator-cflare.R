#' Clustering and filtering of left and right eigenvectors
#'
#' Finds terminal states from the eigenvectors of the chain: the cells at which
#' a left eigenvector is largest are kept and clustered by their right
#' eigenvectors. It is the method of CellRank 1, kept for comparison; for new
#' work use [GPCCA()].
#'
#' @inheritParams GPCCA
#' @return An estimator without results yet. The usual order is
#'   [computeEigendecomposition()], [predictTerminalStates()],
#'   [computeFateProbabilities()], [computeLineageDrivers()]; printing it says
#'   what was found and how well.
#' @section Errors:
#' Those of the kernel; `not_stochastic`, `range` and `shape` for a matrix.
#' @references Lange, M. et al. (2022) CellRank for directed single-cell fate
#'   mapping. Nature Methods 19, 159-170.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' fit <- CFLARE(0.8 * VelocityKernel(sce) + 0.2 * ConnectivityKernel(sce))
#' fit <- computeEigendecomposition(fit, k = 10)
#' fit <- predictTerminalStates(fit, use = 4, cluster_key = "cell_type")
#' fit
#' @aliases CFLARE-class
#' @export
CFLARE <- function(object, obsp_key = NULL, backward = NULL, container = NULL,
                   n_threads = NULL) {
    .newEstimator("CFLARE", object, obsp_key, backward, container, n_threads)
}

#' @rdname CFLARE
#' @include AllClasses.R estimator.R estimator-gpcca.R
#' @exportClass CFLARE
setClass("CFLARE", contains = "TermStatesEstimator")

setMethod(".usualSteps", "CFLARE", function(x) {
    c("eigen", "terminal", "fates", "drivers")
})

#' @section Terminal states of a CFLARE estimator:
#' Needs [computeEigendecomposition()]. The features of a cell are its entries
#' in the right eigenvectors `use` (real parts) and, if `basis` is given, its
#' first `n_comps` coordinates there. Cells are kept whose magnitude in some
#' left vector of `use` is at least the `percentile` of that vector; their
#' features are standardised if `scale`, and clustered: by the Leiden method on
#' the graph of their nearest neighbours, or by k-means, the best of ten starts.
#' Then cells are dropped again that have fewer than `n_matches_min` of their
#' `n_neighbors_filtering` nearest neighbours (by the stored distances) in the
#' same cluster; all cells are looked at before any is dropped, so their order
#' does not matter. The score of a cell is the sum over the vectors of its
#' magnitude in the left vector, brought to 0 to 1 and divided by the real part
#' of the eigenvalue, divided by the largest such sum. States are the clusters,
#' named `"0"`, `"1"`, ... or by `cluster_key`. `random_state` seeds the search
#' and the clustering; the state of R's own generator is not changed. O(cells x
#' vectors), and the clustering of the cells kept.
#'
#' Errors: `not_computed` without eigenvectors; `range` for `use` beyond those
#' computed, for an eigenvalue whose real part is not positive, for more
#' clusters of k-means than different cells; `missing_key` for columns,
#' embeddings and graphs that are not there; `no_state` when the filter leaves
#' no cell. Warnings: `fallback` for complex left vectors (their real part is
#' used), `dropped` when the filter takes more than half of a cluster,
#' `not_converged` for k-means.
#'
#' @param use For [CFLARE()]: NULL for as many eigenvectors as the eigengap
#'   says; one number for the first so many; several for the vectors at these
#'   positions.
#' @param percentile For [CFLARE()]: from 0 to 100, or NULL to keep all cells.
#' @param cluster_key Column of labels that names and colours the states.
#' @param n_clusters_kmeans For k-means: number of clusters; NULL for that of
#'   vectors, plus one without a percentile.
#' @param n_neighbors,resolution For the Leiden method: neighbours of the
#'   graph, the cell itself included, and resolution.
#' @param n_matches_min,n_neighbors_filtering The filter by neighbours; 0
#'   leaves it out.
#' @param neighbors_key The run of [buildNeighbors()] whose distances it uses;
#'   NULL for the default one.
#' @param basis Embedding to add to the features, or NULL.
#' @param n_comps Columns of `basis`.
#' @param scale Standardise the features? NULL: only with `basis`.
#' @param random_state Seed; NULL draws it from R's generator.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @rdname predictTerminalStates
#' @include estimator-states.R
#' @export
setMethod("predictTerminalStates", "CFLARE", function(
        estimator, use = NULL, percentile = 98,
        method = c("leiden", "kmeans"), cluster_key = NULL,
        n_clusters_kmeans = NULL, n_neighbors = 20, resolution = 0.1,
        n_matches_min = 0, n_neighbors_filtering = 15, neighbors_key = NULL,
        basis = NULL, n_comps = 5, scale = NULL, allow_overlap = FALSE,
        random_state = 0, ..., n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    params <- list(
        use = use,
        percentile = .checkNumber(percentile, 0, 100, null = TRUE),
        method = .checkChoice(method, c("leiden", "kmeans")),
        cluster_key = cluster_key,
        n_clusters_kmeans = .checkCount(n_clusters_kmeans, null = TRUE),
        n_neighbors = .checkCount(n_neighbors, 2),
        resolution = .checkNumber(resolution, 0),
        n_matches_min = .checkCount(n_matches_min, 0),
        n_neighbors_filtering = .checkCount(n_neighbors_filtering),
        neighbors_key = neighbors_key, basis = basis,
        n_comps = .checkCount(n_comps),
        scale = .checkFlag(scale, null = TRUE),
        allow_overlap = .checkFlag(allow_overlap),
        random_state = .seed(random_state)
    )
    if (is.null(params$scale)) params$scale <- !is.null(basis)
    reference <- .referenceLabels(estimator, cluster_key)
    eigen <- .usedEigenvectors(estimator, use)
    params$use <- eigen$use
    near <- if (params$n_matches_min > 0) {
        .nearestCells(estimator, params)
    }
    extra <- .basisColumns(estimator, basis, params$n_comps)
    job <- .job(n_threads, show_progress_bar, "Terminal states")
    found <- .cflareStates(estimator, eigen, extra, near, params, job)
    .setChosen(
        estimator, "terminal", .nameAfter(found, reference), params,
        params$allow_overlap, job
    )
})
