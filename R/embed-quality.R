#' How much of the data an embedding keeps
#'
#' No picture in two dimensions shows everything. `embeddingQuality()` measures
#' what one keeps, near and far, and can compare it with a second embedding.
#'
#' @details
#' Every measure is 1 for a perfect embedding:
#' \describe{
#'   \item{`trustworthiness`}{whether the `n_neighbors` nearest cells in the
#'     embedding are near in the data: one minus the normalised excess of
#'     their ranks (Venna and Kaski 2001). About 0.5 by chance.}
#'   \item{`continuity`}{the same with the roles exchanged.}
#'   \item{`recall`}{share of the k nearest cells in the data that are among
#'     the k nearest in the embedding.}
#'   \item{`triplet_accuracy`}{share of random triplets (i, j, l) in which j
#'     and l are ordered alike by distance from i. 0.5 by chance.}
#'   \item{`distance_correlation`}{Spearman correlation of the distances of
#'     random pairs of cells.}
#'   \item{`local_correlation`}{the same over cells and their `n_neighbors`
#'     nearest in the data.}
#'   \item{`centroid_correlation`}{the same over the centroids of `groups`
#'     (three at least).}
#'   \item{`procrustes`, `neighbor_overlap`}{with `compare_to`: one minus the
#'     sum of squares left after the two embeddings are centred, scaled and
#'     turned onto each other; and the mean share of the `n_neighbors` nearest
#'     cells that both agree on.}
#' }
#' Neighbours are exact and leave the cell itself out; ties go to the cell that
#' comes first. They are looked up for `sample` random cells among all cells.
#' Time O(sample x cells x dimensions), memory O(cells) per thread.
#' `random_state` decides the samples; with it fixed the result is the same on
#' any number of threads.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object, or the data as a matrix
#'   of cells x features.
#' @param embedding Name of the embedding to judge, or a matrix of cells x
#'   dimensions; NULL means the UMAP of the object.
#' @param use_rep Name of the embedding that stands for the data, `"X"` for the
#'   log-normalised assay; NULL for the PCA (the assay when there are at most
#'   50 features). Not for a matrix, which is the data itself.
#' @param groups Name of a column of the cells, or one value per cell; NULL for
#'   none. Missing values are left out.
#' @param compare_to A second embedding, as `embedding`.
#' @param n_neighbors Number of neighbours, without the cell itself; below half
#'   the number of cells.
#' @param recall_k Numbers of neighbours for `recall`; NULL means 15, 50 and
#'   150, as far as they are below the number of cells.
#' @param sample Number of cells whose neighbours are looked at.
#' @param n_triplets,n_pairs Number of random triplets and pairs.
#' @param metric Distance in the data; in embeddings it is Euclidean.
#' @param random_state Seed; NULL takes one from R's generator.
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object; NULL for the main one.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return A data frame with the columns `measure`, `k` (number of neighbours,
#'   NA where there is none) and `value` (NaN for the correlation of distances
#'   that do not vary). Nothing is stored.
#' @section Errors:
#' `missing_key` for an unknown embedding or column; `range` for numbers of
#' neighbours out of range and values that are not finite; `shape` for an
#' embedding that does not fit the cells.
#' @references Venna, J. and Kaski, S. (2001) Neighborhood preservation in
#'   nonlinear projection methods: an experimental study. ICANN 2001, 485-491.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' sce <- computePCA(sce, n_components = 10)
#' flat <- SingleCellExperiment::reducedDim(sce, "PCA")[, 1:2]
#' embeddingQuality(sce, flat, use_rep = "PCA", groups = "cell_type")
#' @export
embeddingQuality <- function(x, embedding = NULL, use_rep = NULL,
                             groups = NULL, compare_to = NULL,
                             n_neighbors = 15, recall_k = NULL, sample = 5000,
                             n_triplets = 1e5, n_pairs = 1e5,
                             metric = c(
                                 "euclidean", "cosine", "correlation",
                                 "manhattan"
                             ),
                             random_state = 0, experiment = NULL,
                             n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    metric <- .checkChoice(
        metric, c("euclidean", "cosine", "correlation", "manhattan")
    )
    data <- .readRepresentation(x, use_rep, NULL, NULL, experiment)$matrix
    n <- nrow(data)
    settings <- list(
        k = .checkCount(n_neighbors),
        recall_k = as.double(.recallNeighbors(recall_k, n)),
        sample = .checkCount(sample), triplets = .checkCount(n_triplets),
        pairs = .checkCount(n_pairs), metric = metric,
        seed = .seed(random_state)
    )
    .checkHalf(settings$k, n)
    shown <- .judgedEmbedding(x, embedding, rownames(data), experiment)
    other <- if (!is.null(compare_to)) {
        .judgedEmbedding(x, compare_to, rownames(data), experiment)
    }
    groups <- .groupCodes(x, groups, n)
    job <- .job(n_threads, show_progress_bar, "Quality")
    out <- .native(
        job, rs_embed_quality, data, shown, dim(data), dim(shown), settings,
        groups, cell_names = rownames(data)
    )
    alike <- if (!is.null(other)) {
        .native(
            job, rs_embed_compare, shown, other, dim(shown), dim(other),
            settings, cell_names = rownames(data)
        )
    }
    .qualityTable(out, alike, settings)
}

.qualityTable <- function(out, alike, settings) {
    k <- settings$k
    value <- c(
        out$trustworthiness, out$continuity, out$recall, out$triplet_accuracy,
        out$distance_correlation, out$local_correlation,
        out$centroid_correlation, alike$procrustes, alike$neighbor_overlap
    )
    measure <- c(
        "trustworthiness", "continuity",
        rep("recall", length(settings$recall_k)), "triplet_accuracy",
        "distance_correlation", "local_correlation",
        if (!is.null(out$centroid_correlation)) "centroid_correlation",
        if (!is.null(alike)) c("procrustes", "neighbor_overlap")
    )
    near <- c(
        k, k, settings$recall_k, NA, NA, k,
        if (!is.null(out$centroid_correlation)) NA,
        if (!is.null(alike)) c(NA, k)
    )
    data.frame(measure = measure, k = as.integer(near), value = value)
}

.recallNeighbors <- function(recall_k, n, call = rlang::caller_env()) {
    if (is.null(recall_k)) {
        usual <- c(15L, 50L, 150L)
        return(usual[usual < n])
    }
    if (!is.numeric(recall_k) || anyNA(recall_k) || !length(recall_k)) {
        .badType(
            recall_k, "whole numbers", TRUE, "recall_k", call
        )
    }
    for (k in recall_k) {
        .checkCount(k, 1, n - 1L, arg = "recall_k", call = call)
    }
    as.integer(recall_k)
}

.checkHalf <- function(k, n, call = rlang::caller_env()) {
    if (2L * k < n) {
        return(invisible(k))
    }
    .abort(
        "range", paste0(
            "`n_neighbors` must be below half of the ", n, " cells, not ",
            k, "."
        ), argument = "n_neighbors", value = k, call = call
    )
}

# An embedding by name or as given, in the order of the cells.
.judgedEmbedding <- function(x, embedding, cells, experiment,
                             arg = rlang::caller_arg(embedding),
                             call = rlang::caller_env()) {
    bare <- .containerClass(x) == "matrix"
    if (is.null(embedding) && bare) {
        .abort(
            "missing_key", paste0(
                "`", arg, "` must be given when the data are a matrix."
            ), "Pass a matrix of cells by dimensions.",
            argument = arg, call = call
        )
    }
    if (is.null(embedding)) embedding <- .keyUMAP(x)
    if (is.character(embedding) && !bare) {
        name <- .checkString(embedding, arg = arg, call = call)
        embedding <- .readEmbedding(x, name, experiment)
    }
    what <- paste0("`", arg, "`")
    m <- .checkEmbedding(embedding, what, call = call)
    .cellRows(m, cells, what, call)
}

# One code per cell, counted from zero; NA and no groups are passed as such.
.groupCodes <- function(x, groups, n, call = rlang::caller_env()) {
    if (is.null(groups)) {
        return(NULL)
    }
    one <- is.character(groups) && length(groups) == 1L && n > 1L
    if (one && .containerClass(x) != "matrix") {
        groups <- .readCellData(x, groups)
    }
    if (length(groups) != n) {
        .abort(
            "shape", paste0(
                "`groups` has ", length(groups), " values for ", n, " cells."
            ), argument = "groups", call = call
        )
    }
    as.integer(as.factor(groups)) - 1L
}
