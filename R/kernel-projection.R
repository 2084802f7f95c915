# Where a chain goes on an embedding: one arrow per cell.

#' Project a chain onto an embedding
#'
#' Computes for every cell an arrow that shows on an embedding where the chain
#' takes it, and stores the arrows beside the embedding. [plotProjection()]
#' draws them.
#'
#' @details
#' The arrow of cell i is the mean of the directions to its neighbours j,
#' weighted by the transition probabilities, less their plain mean:
#' \eqn{u_i = \sum_j T_{ij} d_j - \frac{1}{|N_i|} \sum_j d_j},
#' \eqn{d_j = (z_j - z_i) / |z_j - z_i|}. Neighbours are those of the graph on
#' which the kernel was built, or of `connectivities`; transitions to other
#' cells do not count. A neighbour in the very place of the cell has no
#' direction. A cell whose own coordinates or those of a neighbour are missing
#' has a missing arrow. All arrows are divided by one number, the automatic
#' scale of the plotting program that the field uses, so that they have the
#' lengths known from there.
#'
#' A stored projection of the same matrix, graph and embedding is used again,
#' as is one under this name that another program left; everything else is
#' computed anew.
#'
#' Cost: O(edges) time and memory. Randomness: none. The same result on any
#' number of threads.
#'
#' @param x a kernel or an estimator with an object, or an object that holds a
#'   transition matrix.
#' @param basis name of the embedding, with or without `X_`, in any case; at
#'   least two dimensions.
#' @param key_added first part of the name of the result; NULL takes the key of
#'   the matrix, `T_fwd` or `T_bwd`.
#' @param recompute whether to compute even if the result is there.
#' @param connectivities graph that says which cells are neighbours: a matrix
#'   (cells x cells) or the key of one in the object. NULL takes that of the
#'   first leaf of the kernel built on one; for an object, that of the kernel
#'   whose matrix it holds, else `connectivities`.
#' @param key for objects: the key of the matrix; NULL takes `T_fwd`, else
#'   `T_bwd`.
#' @param n_threads number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... not used; anything here is an error.
#' @return `x` with the arrows in its object, as an embedding
#'   `<key_added>_<basis>` (cells x dimensions of the basis) with a record; the
#'   basis is also noted under `embeddings` in the entry
#'   `<key_added>_params`.
#' @section Conditions: `fatecast_error_not_computed` for a kernel without a
#'   matrix, `fatecast_error_missing_key` for an unknown embedding or graph and
#'   when no leaf is built on a graph, `fatecast_error_shape` for an embedding
#'   of one dimension or a graph of other size, `fatecast_error_container_class`
#'   without an object, `fatecast_error_container_key_taken`. Warning
#'   `fatecast_warning_fallback` when a leaf of the kernel is not built on a
#'   neighbour graph, so that some of its transitions are not seen.
#' @references La Manno, G. et al. (2018) RNA velocity of single cells. Nature
#'   560, 494-498. Lange, M. et al. (2022) CellRank for directed single-cell
#'   fate mapping. Nature Methods 19, 159-170.
#' @seealso [plotProjection()], [plotRandomWalks()]
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 300, n_genes = 60))
#' k <- computeTransitionMatrix(VelocityKernel(sce))
#' sce <- container(computeProjection(k, basis = "PCA"))
#' parameters(sce, "T_fwd_PCA")$connectivities
#' @name computeProjection
#' @include kernel-chain.R graph-lookup.R
NULL

#' @rdname computeProjection
#' @export
setMethod("computeProjection", "Kernel", function(
        x, basis = "umap", key_added = NULL, recompute = FALSE,
        connectivities = NULL, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    chain <- .chainOf(x, n_threads = n_threads)
    done <- .projection(
        chain, basis, key_added, recompute, connectivities,
        .job(n_threads, show_progress_bar, "Projection")
    )
    x <- chain$kernel
    x@container <- .storeProjection(chain, done)
    x
})

#' @rdname computeProjection
#' @export
setMethod("computeProjection", "Estimator", function(
        x, basis = "umap", key_added = NULL, recompute = FALSE,
        connectivities = NULL, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    chain <- .chainOf(x)
    done <- .projection(
        chain, basis, key_added, recompute, connectivities,
        .job(n_threads, show_progress_bar, "Projection")
    )
    x@container <- .storeProjection(chain, done)
    x
})

#' @rdname computeProjection
#' @export
setMethod("computeProjection", "ANY", function(
        x, basis = "umap", key_added = NULL, recompute = FALSE,
        connectivities = NULL, key = NULL, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    chain <- .chainOf(x, key)
    done <- .projection(
        chain, basis, key_added, recompute, connectivities,
        .job(n_threads, show_progress_bar, "Projection")
    )
    .storeProjection(chain, done)
})

# ---- Arrows of cells ----

# The arrows of a chain, found or computed: list of `vectors` and `places`
# (cells x dimensions), `basis` (as stored), `short` (as in keys), `prefix`,
# `key` and, for what was computed, `record`.
.projection <- function(chain, basis, key_added, recompute, connectivities,
                        job) {
    call <- job$call
    x <- .chainContainer(chain, call)
    .checkFlag(recompute, arg = "recompute", call = call)
    to <- .projectionTarget(x, basis, key_added, chain$key, call)
    to$places <- .readEmbedding(x, to$basis)
    graph <- .projectionGraph(chain, connectivities, call)
    params <- lapply(list(
        basis = to$basis, key = chain$key, connectivities = graph$source,
        graph = graph$matrix, transition = chain$matrix, embedding = to$places
    ), .portable)
    held <- .heldProjection(x, to, params)
    if (!recompute && !is.null(held)) {
        return(c(to, list(vectors = held)))
    }
    .checkKeyFree(x, to$key, "computeProjection", call)
    .warnLeaves(chain$kernel)
    out <- .native(
        job, rs_projection_vectors, .slots(chain$matrix),
        .slots(graph$matrix), as.vector(to$places), dim(to$places),
        cell_names = rownames(chain$matrix)
    )
    names <- list(
        rownames(to$places), paste0(to$key, "_", seq_len(ncol(to$places)))
    )
    c(to, list(
        vectors = matrix(out$vectors, nrow(to$places), dimnames = names),
        record = .record(
            "computeProjection", params, .run(job, scale = out$scale),
            cells = names[[1L]]
        )
    ))
}

# Names: of the embedding as stored and of the result.
.projectionTarget <- function(x, basis, key_added, key, call) {
    basis <- .checkString(basis, arg = "basis", call = call)
    .checkString(key_added, null = TRUE, arg = "key_added", call = call)
    there <- .embeddingNames(x)
    found <- .findEmbedding(basis, there)
    if (is.na(found)) {
        .missingKey(
            "embedding", basis, there,
            "Run embedUMAP(), or name an embedding with `basis`.", call
        )
    }
    prefix <- if (is.null(key_added)) key else key_added
    short <- sub("^X_", "", basis)
    key <- .keyProjection(prefix, short)
    held <- .findEmbedding(key, there)
    list(
        basis = found, short = short, prefix = prefix,
        key = if (is.na(held)) key else held, nested = is.null(key_added)
    )
}

# The stored arrows if they are those asked for, else NULL.
.heldProjection <- function(x, to, params) {
    if (!to$key %in% .embeddingNames(x)) return(NULL)
    record <- .readRecord(x, to$key)
    if (.isRecord(record) && !identical(record$params, params)) return(NULL)
    vectors <- .readEmbedding(x, to$key)
    if (ncol(vectors) == ncol(to$places)) vectors
}

.storeProjection <- function(chain, done) {
    x <- chain$container
    if (is.null(done$record)) return(x)
    x <- .writeEmbedding(x, done$key, done$vectors)
    x <- .writeRecord(x, done$key, done$record, nested = done$nested)
    entry <- .keyParams(done$prefix)
    held <- .readRecord(x, entry)
    if (!is.list(held)) held <- list()
    held$embeddings <- union(held$embeddings, done$short)
    .writeRecord(x, entry, held)
}

# ---- The graph ----

# Neighbours: list of `matrix` and `source` (what the record says of it).
.projectionGraph <- function(chain, connectivities, call) {
    x <- chain$container
    if (is.character(connectivities)) {
        key <- .checkString(
            connectivities, arg = "connectivities", call = call
        )
        return(.graphUnder(x, key, call = call))
    }
    if (!is.null(connectivities)) {
        m <- .cellGraph(
            connectivities, rownames(chain$matrix), "`connectivities`", call
        )
        return(list(matrix = m, source = "matrix"))
    }
    if (is.null(chain$kernel)) {
        key <- .recordedGraph(x, chain$key)
        return(.graphUnder(x, key, call = call))
    }
    leaves <- Filter(.onGraph, .leaves(chain$kernel))
    if (!length(leaves)) {
        .abort(
            "missing_key", paste0(
                "No kernel in `", .shortForm(chain$kernel), "` is built on a ",
                "neighbour graph, so the neighbours of a cell are not known."
            ), "Give a graph as `connectivities`: a matrix or its key.",
            argument = "connectivities", call = call
        )
    }
    init <- leaves[[1L]]@init
    .graphUnder(x, init$conn_key, init$experiment, call)
}

.graphUnder <- function(x, key, experiment = NULL, call) {
    if (!.hasGraph(x, key, experiment)) .missingGraph(x, key, call)
    list(matrix = .readGraph(x, key, experiment), source = key)
}

# The graph of the kernel whose matrix was stored, else the usual one.
.recordedGraph <- function(x, key) {
    params <- unlist(.readRecord(x, key)$params[c("init", "params")])
    at <- grep("(^|\\.)conn_key$", names(params))
    if (length(at)) params[[at[1L]]] else .keyNeighbors()$connectivities
}

.onGraph <- function(kernel) !is.null(kernel@init$conn_key)

.warnLeaves <- function(kernel) {
    if (is.null(kernel)) return(invisible())
    off <- Filter(Negate(.onGraph), .leaves(kernel))
    if (length(off)) {
        kinds <- unique(vapply(off, function(k) class(k)[1L], ""))
        .warn(
            "fallback", paste0(
                .someNames(kinds), " is not built on a neighbour graph: its ",
                "transitions to cells that are no neighbours are not seen in ",
                "the projection."
            ), kernels = kinds
        )
    }
}
