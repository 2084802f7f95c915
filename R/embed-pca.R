#' Principal components of the cells
#'
#' For objects that have no PCA. A randomised method (Halko, Martinsson and
#' Tropp 2011) run until every component is certified; genes are centred
#' implicitly, so a sparse assay stays sparse.
#'
#' @details
#' Scores are cells x components, loadings orthonormal, the sign of a component
#' such that its largest loading is positive. The relative residual of every
#' component is in the record. Time O(entries x components x passes), memory
#' O((cells + genes) x components). `random_state` sets the start of the
#' iteration; with it fixed the result is the same on any number of threads.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object, or a matrix of cells x
#'   features.
#' @param n_components Number of components; at most one less than cells and
#'   features.
#' @param assay Assay to use; NULL for the log-normalised one.
#' @param features Names of features to use; NULL for all.
#' @param scale Scale every feature to unit variance first.
#' @param random_state Seed; NULL takes one from R's generator.
#' @param key_added Name of the embedding; NULL means `PCA`
#'   (SingleCellExperiment) or `pca` (Seurat).
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object; NULL for the main one.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The object with the embedding and a record (loadings, variances); for
#'   a matrix a list of `scores`, `loadings`, `variance` and `residuals`.
#' @section Errors:
#' `missing_key`, `range` (NaN, number of components), `not_converged`.
#' @references Halko, N., Martinsson, P.G. and Tropp, J.A. (2011) Finding
#'   structure with randomness. SIAM Review 53, 217-288.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' sce <- computePCA(sce, n_components = 10)
#' parameters(sce, "PCA")$n_components
#' @export
computePCA <- function(x, n_components = 50, assay = NULL, features = NULL,
                       scale = FALSE, random_state = 0, key_added = NULL,
                       experiment = NULL, n_threads = NULL,
                       show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    .checkCount(n_components)
    .checkFlag(scale)
    seed <- .seed(random_state)
    .checkString(key_added, null = TRUE)
    job <- .job(n_threads, show_progress_bar, "PCA")
    bare <- .containerClass(x) == "matrix"
    m <- if (bare) {
        Matrix::t(.inMemory(x, "The matrix"))
    } else {
        .inMemory(.readAssay(x, assay, features, experiment), "The assay")
    }
    most <- min(dim(m)) - 1L
    if (n_components > most) {
        .abort("range", paste0(
            "`n_components` must be at most ", most, " for ", ncol(m),
            " cells and ", nrow(m), " features, not ", n_components, "."
        ), argument = "n_components", value = n_components)
    }
    out <- .native(
        job, rs_embed_pca, .matrixArg(m), n_components, scale, seed,
        cell_names = colnames(m)
    )
    scores <- matrix(out$scores, ncol(m), dimnames = list(colnames(m), NULL))
    if (bare) {
        return(list(
            scores = scores, loadings = matrix(
                out$loadings, nrow(m), dimnames = list(rownames(m), NULL)
            ), variance = out$variance, residuals = out$residuals
        ))
    }
    key <- if (is.null(key_added)) .keyPCA(x) else key_added
    x <- .writeEmbedding(x, key, scores, experiment)
    record <- .record(
        "computePCA", params = list(
            n_components = n_components, assay = .assayName(x, assay),
            features = features,
            scale = scale, random_state = seed, experiment = experiment
        ), run = .run(job, residuals = out$residuals), cells = colnames(m)
    )
    record$loadings <- matrix(
        out$loadings, nrow(m), dimnames = list(rownames(m), NULL)
    )
    record$variance <- out$variance
    record$total_variance <- out$total_variance
    .writeRecord(x, key, record, nested = FALSE)
}
