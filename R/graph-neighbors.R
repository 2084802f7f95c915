#' Neighbour graph of the cells
#'
#' Finds the nearest neighbours of every cell in an embedding and turns their
#' distances into a weighted, symmetric graph: the fuzzy simplicial set of UMAP
#' (McInnes et al. 2018).
#'
#' @details
#' `n_neighbors` counts the cell itself, as in scanpy: each cell has
#' `n_neighbors - 1` real neighbours, ties going to the cell that comes first.
#' The search is exact: O(n^2 d) time in blocks, O(n k) memory. Duplicated cells
#' are neighbours at distance zero. Weights lie in (0, 1]; the graph is
#' symmetric with an empty diagonal, and every row has a weight of one.
#' Permuting the cells permutes the graph; scaling all coordinates leaves the
#' weights as they are. The same bits on any number of threads.
#'
#' With `use_rep = NULL` the stored PCA is used (its first `n_pcs` columns), or
#' the log-normalised assay itself when the object has at most 50 features or
#' `n_pcs = 0`.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object, or a matrix with cells
#'   in rows and coordinates in columns.
#' @param n_neighbors Size of the neighbourhood, the cell included; at least 2.
#'   More than there are cells: `1 + floor(n / 2)` is used, with a warning.
#' @param n_pcs Number of leading columns to use; NULL for all.
#' @param use_rep Name of an embedding, `"X"` for the assay, or NULL.
#' @param method How distances become weights.
#' @param metric `"euclidean"`, `"cosine"`, `"correlation"` or `"manhattan"`.
#' @param key_added NULL stores under `connectivities`, `distances` and
#'   `neighbors`; a name K under `K_connectivities`, `K_distances` and `K`.
#' @param assay Assay for `use_rep = "X"`; NULL for the log-normalised one.
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object; NULL for the main one.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The object with both graphs and a record of the run; for a matrix a
#'   list of sparse matrices `connectivities` and `distances`.
#' @section Errors:
#' `missing_key` without a PCA or for an unknown `use_rep` (what exists is
#' listed); `range` for NaN or infinite coordinates (cells are named) and for
#' more columns than there are; `unknown_argument`.
#' @references McInnes, L., Healy, J. and Melville, J. (2018) UMAP: Uniform
#'   Manifold Approximation and Projection for dimension reduction.
#'   arXiv:1802.03426.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' sce <- buildNeighbors(sce, n_neighbors = 15)
#' dim(cellGraph(sce, "connectivities"))
#' @export
buildNeighbors <- function(x, n_neighbors = 15, n_pcs = NULL, use_rep = NULL,
                           method = "umap",
                           metric = c(
                               "euclidean", "cosine", "correlation",
                               "manhattan"
                           ),
                           key_added = NULL, assay = NULL, experiment = NULL,
                           n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    n_neighbors <- .checkCount(n_neighbors, 2)
    .checkCount(n_pcs, 0, null = TRUE)
    .checkChoice(method, "umap")
    metric <- .checkChoice(
        metric, c("euclidean", "cosine", "correlation", "manhattan")
    )
    .checkString(key_added, null = TRUE)
    job <- .job(n_threads, show_progress_bar, "Neighbours")
    rep <- .readRepresentation(x, use_rep, n_pcs, assay, experiment)
    n <- nrow(rep$matrix)
    k <- .usableNeighbors(n_neighbors, n)
    out <- .native(
        job, rs_graph_neighbors, rep$matrix, n, ncol(rep$matrix), k, metric,
        cell_names = rownames(rep$matrix)
    )
    params <- list(
        n_neighbors = k, method = method, metric = metric,
        use_rep = rep$name, n_pcs = ncol(rep$matrix), assay = rep$assay,
        experiment = experiment
    )
    .storeNeighbors(x, out, params, .run(job), key_added, rep)
}

.usableNeighbors <- function(k, n, call = rlang::caller_env()) {
    if (n < 2L) {
        .abort(
            "shape", paste0(
                "A neighbour graph needs at least two cells, not ", n, "."
            ), call = call
        )
    }
    if (k <= n) return(k)
    used <- max(2L, 1L + n %/% 2L)
    .warn("replaced_argument", paste0(
        "`n_neighbors` = ", k, " exceeds the ", n, " cells; ", used,
        " is used."
    ), argument = "n_neighbors", value = used)
    used
}

# Cells x coordinates, finite, and the name of what was read.
.readRepresentation <- function(x, use_rep, n_pcs, assay, experiment,
                                call = rlang::caller_env()) {
    .checkString(use_rep, null = TRUE, arg = "use_rep", call = call)
    name <- use_rep
    read <- NULL
    if (.containerClass(x) == "matrix") {
        m <- x
        name <- "X"
    } else if (.usesAssay(x, use_rep, n_pcs, experiment)) {
        m <- .readAssay(x, assay, experiment = experiment)
        m <- t(.dense(m, "The assay", call))
        name <- "X"
        read <- .assayName(x, assay)
        n_pcs <- NULL
    } else {
        if (is.null(name)) name <- .keyPCA(x)
        if (is.null(use_rep) && !.hasEmbedding(x, name)) .noPCA(x, call)
        m <- .readEmbedding(x, name)
    }
    if (!is.null(n_pcs) && n_pcs > ncol(m)) {
        .abort(
            "range", paste0(
                "`n_pcs` = ", n_pcs, ", but `", name, "` has ", ncol(m),
                " columns."
            ), argument = "n_pcs", value = n_pcs, call = call
        )
    }
    if (!is.null(n_pcs) && n_pcs > 0) m <- m[, seq_len(n_pcs), drop = FALSE]
    m <- .checkEmbedding(m, paste0("The embedding `", name, "`"), call = call)
    if (is.null(rownames(m))) rownames(m) <- .cellNames(x)
    list(matrix = m, name = name, assay = read)
}

.usesAssay <- function(x, use_rep, n_pcs, experiment) {
    if (!is.null(use_rep)) return(identical(use_rep, "X"))
    identical(n_pcs, 0L) || length(.featureNames(x, experiment)) <= 50L
}

.hasEmbedding <- function(x, name) {
    tolower(name) %in% sub("^x_", "", tolower(.embeddingNames(x)))
}

.noPCA <- function(x, call) {
    .abort(
        "missing_key", paste0(
            "The object has no PCA to find neighbours in; its embeddings ",
            "are ", .someNames(.embeddingNames(x)), "."
        ), paste(
            "Run computePCA() first, or name an embedding with `use_rep`",
            "(\"X\" for the assay itself)."
        ), key = .keyPCA(x), call = call
    )
}

.storeNeighbors <- function(x, out, params, run, key_added, rep) {
    names <- rownames(rep$matrix)
    n <- length(names)
    graph <- .fromSlots(out$connectivities, names)
    indices <- matrix(out$indices, n, dimnames = list(names, NULL))
    distances <- matrix(out$distances, n, dimnames = list(names, NULL))
    if (.containerClass(x) == "matrix") {
        return(list(
            connectivities = graph,
            distances = .neighborMatrix(indices, distances, names)
        ))
    }
    keys <- .keyNeighbors(key_added)
    x <- .writeGraph(x, keys$connectivities, graph)
    x <- .writeDistances(x, keys$distances, indices, distances)
    record <- .record(
        "buildNeighbors", params = params, run = run, cells = names
    )
    record$connectivities_key <- keys$connectivities
    record$distances_key <- keys$distances
    .writeRecord(x, keys$record, record, nested = FALSE)
}

# Neighbours of each cell as a sparse matrix of distances; zeros stay stored.
.neighborMatrix <- function(indices, distances, names) {
    n <- length(names)
    k <- ncol(indices)
    rows <- rep(seq_len(n), k)
    at <- order(as.vector(indices), rows)
    methods::new(
        "dgCMatrix",
        i = rows[at] - 1L, x = as.vector(distances)[at],
        p = c(0L, cumsum(tabulate(as.vector(indices), n))), Dim = c(n, n),
        Dimnames = list(names, names)
    )
}

#' A stored cell-cell graph
#'
#' @param x A `SingleCellExperiment` or `Seurat` object.
#' @param key Key of the graph: `connectivities`, `distances`, `T_fwd`, ...
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object; NULL for the main one.
#' @return A `dgCMatrix`, cells x cells, entry `[i, j]` the edge from cell i to
#'   cell j, named by cell; stored zeros stay. O(edges).
#' @section Errors:
#' `missing_key` when there is none; `container_stale` when cells changed after
#' it was made; `container_cells` when its cells are not those of the object.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' range(Matrix::rowSums(cellGraph(sce)))
#' @export
cellGraph <- function(x, key = "connectivities", experiment = NULL) {
    .checkContainer(x)
    .readGraph(x, .checkString(key), experiment = experiment)
}
