#' Places new cells on an existing UMAP
#'
#' Each new cell starts at the weighted mean of its nearest cells of the
#' reference and is then moved among them, which stay where they are (McInnes,
#' Healy and Melville 2018, section 5.3).
#'
#' @details
#' The new cells must be described by the same coordinates as the reference:
#' for a PCA, their projection on the reference's loadings (the record of
#' [computePCA()] keeps them), not a PCA of their own. Neighbours are searched
#' among the cells of the reference only, so a new cell does not depend on the
#' other new cells. Time O(n_new x n_reference x d) for the search and
#' O(n_new x n_neighbors x epochs) after it. A layout of
#' `method = "densmap"` cannot take new cells. The same result on any number
#' of threads.
#'
#' @param x New cells: a `SingleCellExperiment` or `Seurat` object, or a
#'   matrix of cells x coordinates.
#' @param reference Object with the layout, its record and the coordinates its
#'   neighbours were searched in; or a list of `data` and `embedding` (cells x
#'   coordinates), `a`, `b`, and optionally `n_neighbors` (15) and `metric`
#'   (`"euclidean"`).
#' @param key Name of the layout in the reference; NULL means `UMAP` / `umap`.
#' @param use_rep Name of the coordinates in `x`; NULL means the name they have
#'   in the reference.
#' @param key_added Name of the layout in `x`; NULL means `UMAP` / `umap`.
#' @param maxiter Number of epochs; NULL means 100 up to 10,000 new cells and
#'   30 above.
#' @inheritParams embedUMAP
#' @return The object with the layout and a record; for a matrix the
#'   coordinates.
#' @section Errors:
#' `missing_key` when the reference has no layout of [embedUMAP()] or no
#' coordinates; `shape` when numbers of coordinates differ; `range` for NaN and
#' for a layout of densMAP.
#' @references McInnes, L., Healy, J. and Melville, J. (2018) UMAP: Uniform
#'   Manifold Approximation and Projection for dimension reduction.
#'   arXiv:1802.03426.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 250, n_genes = 60)
#' known <- embedUMAP(buildNeighbors(sce[, 1:200]), maxiter = 100)
#' new <- transformUMAP(sce[, 201:250], known)
#' dim(SingleCellExperiment::reducedDim(new, "UMAP"))
#' @include embed-umap.R
#' @export
transformUMAP <- function(x, reference, key = NULL, use_rep = NULL,
                          key_added = NULL, maxiter = NULL, random_state = 0,
                          n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    .checkCount(maxiter, 0, null = TRUE)
    seed <- .seed(random_state)
    model <- .umapModel(reference, key)
    key_added <- .umapKey(x, key_added)
    new <- .newCoordinates(x, use_rep, model)
    job <- .job(n_threads, show_progress_bar, "New cells")
    settings <- c(
        model[c("a", "b", "alpha", "gamma", "negative_sample_rate",
            "n_neighbors", "metric", "p")],
        list(maxiter = maxiter, random_state = seed)
    )
    out <- .native(
        job, rs_embed_transform, .denseArg(new), .denseArg(model$data),
        .denseArg(model$embedding), settings, cell_names = rownames(new)
    )
    m <- matrix(out, nrow(new), dimnames = list(
        rownames(new), paste0("UMAP", seq_len(ncol(model$embedding)))
    ))
    if (.containerClass(x) == "matrix") {
        return(m)
    }
    x <- .writeEmbedding(x, key_added, m)
    record <- .record(
        "embedUMAP", params = c(settings, list(
            reference = .cellDigest(rownames(model$embedding)),
            use_rep = model$use_rep, transformed = TRUE
        )), run = .run(job), cells = rownames(new)
    )
    .writeRecord(x, key_added, record, nested = FALSE)
}

# What a layout needs to take new cells, as plain numbers.
.umapModel <- function(reference, key, call = rlang::caller_env()) {
    if (is.list(reference) && !is.data.frame(reference)) {
        return(.listedModel(reference, call))
    }
    .checkContainer(reference, "reference", call)
    if (.containerClass(reference) == "matrix") {
        .refuseMatrix(reference, "is no fitted layout", call)
    }
    if (is.null(key)) key <- .keyUMAP(reference)
    record <- .readRecord(reference, .checkString(key, call = call))
    if (!identical(record$verb, "embedUMAP")) {
        .abort(
            "missing_key", paste0(
                "The reference has no layout of embedUMAP() under ",
                .someNames(key), "."
            ), "Run embedUMAP() on the reference first.",
            key = key, call = call
        )
    }
    p <- record$params
    if (identical(p$method, "densmap")) {
        .abort(
            "range", "A layout of densMAP cannot take new cells.",
            "Run embedUMAP(method = \"umap\") on the reference.",
            argument = "reference", call = call
        )
    }
    .checkFresh(reference, key, call)
    neighbors <- .readRecord(
        reference, .keyNeighbors(p$neighbors_key)$record
    )
    data <- .searchedIn(reference, neighbors)
    if (is.null(data)) {
        .abort(
            "missing_key", paste(
                "The coordinates in which the reference's neighbours were",
                "searched are not stored in it."
            ), paste(
                "Run buildNeighbors() on an embedding (a PCA, say), or give",
                "`reference` as a list."
            ), key = neighbors$params$use_rep, call = call
        )
    }
    list(
        data = data, embedding = .readEmbedding(reference, key),
        a = p$a, b = p$b, alpha = p$alpha, gamma = p$gamma,
        negative_sample_rate = p$negative_sample_rate,
        n_neighbors = neighbors$params$n_neighbors,
        metric = neighbors$params$metric,
        p = neighbors$params$metric_kwds$p, use_rep = neighbors$params$use_rep
    )
}

.listedModel <- function(model, call) {
    fixed <- list(
        n_neighbors = 15, metric = "euclidean", alpha = 1, gamma = 1,
        negative_sample_rate = 5, p = NULL, use_rep = NULL
    )
    needed <- c("data", "embedding", "a", "b")
    absent <- setdiff(needed, names(model))
    if (length(absent)) {
        .abort(
            "missing_key", paste0(
                "The list `reference` lacks ", .someNames(absent), "."
            ), key = absent, call = call
        )
    }
    data <- .checkEmbedding(model$data, "`reference$data`", call)
    embedding <- .checkEmbedding(
        model$embedding, "`reference$embedding`", call
    )
    if (nrow(data) != nrow(embedding)) {
        .abort(
            "shape", paste0(
                "`reference$data` has ", .count(nrow(data), "row"),
                ", `reference$embedding` ", nrow(embedding), "."
            ), dim = c(nrow(data), nrow(embedding)), call = call
        )
    }
    given <- utils::modifyList(fixed, model[setdiff(names(model), needed)])
    c(given, list(
        data = data, embedding = embedding,
        a = .checkNumber(model$a, 0, arg = "reference$a", call = call),
        b = .checkNumber(model$b, 0, arg = "reference$b", call = call)
    ))
}

# The new cells in the coordinates of the model.
.newCoordinates <- function(x, use_rep, model, call = rlang::caller_env()) {
    .checkString(use_rep, null = TRUE, arg = "use_rep", call = call)
    if (.containerClass(x) == "matrix") {
        m <- .readEmbedding(x, "")
        exact <- TRUE
    } else {
        name <- if (is.null(use_rep)) model$use_rep else use_rep
        if (is.null(name)) name <- .keyPCA(x)
        m <- .readEmbedding(x, name)
        exact <- FALSE
    }
    m <- .checkEmbedding(m, "The new cells", call)
    d <- ncol(model$data)
    if (ncol(m) < d || (exact && ncol(m) != d)) {
        .abort(
            "shape", paste0(
                "The new cells have ", .count(ncol(m), "coordinate"),
                "; the reference was searched in ", d, "."
            ), dim = dim(m), expected = d, call = call
        )
    }
    m[, seq_len(d), drop = FALSE]
}
