#' Neighbour graph of the cells
#'
#' Finds the nearest neighbours of every cell in an embedding and turns their
#' distances into a weighted, symmetric graph, on which clusters, layouts,
#' pseudotime and transition kernels are computed.
#'
#' @details
#' `n_neighbors` counts the cell itself, as in scanpy: each cell has
#' `n_neighbors - 1` real neighbours, ties going to the cell that comes first;
#' that many distances are stored per cell, never the cell itself, whatever
#' found them. Duplicated cells are neighbours at distance zero. With
#' `use_rep = NULL` the stored PCA is used (its first `n_pcs` columns), or the
#' log-normalised assay itself when the object has at most 50 features or
#' `n_pcs = 0`.
#'
#' **Weights** (`method`), all in (0, 1], symmetric, with an empty diagonal:
#' * `"umap"`: the fuzzy simplicial set of UMAP; every row has a weight of one.
#' * `"gauss"`: Gaussian kernels with a width of their own for each cell. With
#'   `knn = FALSE` between all pairs of cells (at most 20,000), with a diagonal
#'   of ones; the stored distances are still those of the neighbours.
#' * `"jaccard"`: the part of the neighbours that both cells of an edge share
#'   (PhenoGraph).
#' * `"snn"`: the same for all pairs with a common neighbour, the cells
#'   themselves counted, below 1/15 dropped (Seurat's shared nearest neighbour
#'   graph, with `n_neighbors` for its `k.param`).
#'
#' **Search** (`transformer`): `"exact"` compares all pairs, in O(n^2 d) time;
#' `"approximate"` follows neighbours of neighbours from random projection
#' trees, in time proportional to n, and finds over 99 of 100 neighbours on
#' usual data (all pairs are compared when there are some 3,000 cells or
#' fewer). NULL is exact below 30,000 cells of 50 dimensions (n^2 d below
#' 4.5e10) or 8,192 of any. Memory O(n k). `report_recall = TRUE` measures the
#' part of the true neighbours found on 1,000 cells, says it in a message and
#' keeps it in the record. Neighbours that another program found are taken as a
#' list of two matrices, cells by neighbours: `index` and `distance`
#' (BiocNeighbors), or `idx` and `dist` (uwot); the cell itself may be among
#' them. `distances` takes a matrix of distances, of which the smallest stored
#' ones of each row are the neighbours.
#'
#' **Metrics** with both searches: `"euclidean"`, `"cosine"`, `"correlation"`,
#' `"manhattan"`, `"chebyshev"`; exact only, and slower: `"minkowski"` (power
#' `metric_kwds = list(p = )`, 2 by default), `"canberra"`, `"hamming"`,
#' `"jaccard"` (of what is not zero).
#'
#' Permuting the cells permutes the graph of an exact search; scaling all
#' coordinates leaves the weights of `"umap"` and `"gauss"` as they are. The
#' same bits on any number of threads. `random_state` matters to the
#' approximate search only.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object, or a matrix with cells
#'   in rows and coordinates in columns.
#' @param n_neighbors Size of the neighbourhood, the cell included; at least 2.
#'   More than there are cells: `1 + floor(n / 2)` is used, with a warning.
#'   For neighbours that are given, as many as they are unless stated.
#' @param n_pcs Number of leading columns to use; NULL for all.
#' @param use_rep Name of an embedding, `"X"` for the assay, or NULL.
#' @param knn FALSE joins all pairs of cells; for `method = "gauss"`.
#' @param method How distances become weights.
#' @param transformer `"exact"`, `"approximate"`, NULL for the choice above, or
#'   a list of neighbours that are given.
#' @param metric How far apart two cells are.
#' @param metric_kwds A list: the power `p` of `metric = "minkowski"`.
#' @param distances A square matrix or `dist` of distances between the cells, in
#'   their order or named; sparse ones with stored zeros for duplicates. Then
#'   nothing is searched, and `n_pcs`, `use_rep`, `metric_kwds` and
#'   `random_state` are ignored with a warning, `metric` is only recorded.
#' @param random_state Seed; NULL draws it from R's generator.
#' @param key_added NULL stores under `connectivities`, `distances` and
#'   `neighbors`; a name K under `K_connectivities`, `K_distances` and `K`.
#' @param assay Assay for `use_rep = "X"`; NULL for the log-normalised one.
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object; NULL for the main one.
#' @param report_recall Whether to measure how many true neighbours were found.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The object with both graphs and a record of the run, which says
#'   whether the search was exact and how many distances it computed; for a
#'   matrix a list of sparse matrices `connectivities` and `distances`.
#' @section Errors:
#' `missing_key` without a PCA or for an unknown `use_rep` (what exists is
#' listed); `range` for NaN or infinite coordinates or distances (cells are
#' named), negative distances, a pair with two distances, a neighbour out of
#' range or named twice, more columns than there are, and arguments that
#' exclude each other; `shape` for sizes that do not fit and fewer than two
#' cells; `disconnected` for cells with too few given neighbours;
#' `container_cells` for given neighbours of other cells; `memory`;
#' `unknown_argument`.
#' @references McInnes, L., Healy, J. and Melville, J. (2018) UMAP: Uniform
#'   Manifold Approximation and Projection for dimension reduction.
#'   arXiv:1802.03426. Haghverdi, L. et al. (2016) Diffusion pseudotime
#'   robustly reconstructs lineage branching. Nature Methods 13, 845-848.
#'   Levine, J. H. et al. (2015) Data-driven phenotypic dissection of AML
#'   reveals progenitor-like cells that correlate with prognosis. Cell 162,
#'   184-197. Dong, W., Moses, C. and Li, K. (2011) Efficient k-nearest
#'   neighbor graph construction for generic similarity measures. WWW 2011.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' sce <- buildNeighbors(sce, n_neighbors = 15)
#' dim(cellGraph(sce, "connectivities"))
#' @export
buildNeighbors <- function(x, n_neighbors = 15, n_pcs = NULL, use_rep = NULL,
                           knn = TRUE,
                           method = c("umap", "gauss", "jaccard", "snn"),
                           transformer = NULL,
                           metric = c(
                               "euclidean", "cosine", "correlation",
                               "manhattan", "chebyshev", "minkowski",
                               "canberra", "hamming", "jaccard"
                           ),
                           metric_kwds = list(), distances = NULL,
                           random_state = 0, key_added = NULL, assay = NULL,
                           experiment = NULL, report_recall = FALSE,
                           n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    stated <- setdiff(names(match.call())[-1L], "x")
    .checkString(key_added, null = TRUE)
    settings <- .neighborSettings(
        n_neighbors, knn, method, metric, metric_kwds, transformer, distances,
        report_recall, stated
    )
    job <- .job(n_threads, show_progress_bar, "Neighbours")
    found <- if (is.null(settings$given)) {
        .checkCount(n_pcs, 0, null = TRUE)
        settings$random_state <- .seed(random_state)
        rep <- .readRepresentation(x, use_rep, n_pcs, assay, experiment)
        .searchNeighbors(job, rep, settings, experiment)
    } else {
        .warnIgnored(settings, stated)
        .takeNeighbors(job, x, transformer, distances, settings)
    }
    .storeNeighbors(x, found, key_added)
}

.metrics <- c(
    "euclidean", "cosine", "correlation", "manhattan", "chebyshev",
    "minkowski", "canberra", "hamming", "jaccard"
)

# The arguments that say what is computed, checked, as a list.
.neighborSettings <- function(n_neighbors, knn, method, metric, metric_kwds,
                              transformer, distances, report_recall, stated,
                              call = rlang::caller_env()) {
    given <- if (!is.null(distances)) {
        "distances"
    } else if (is.list(transformer)) {
        "transformer"
    }
    settings <- list(
        n_neighbors = .checkCount(
            n_neighbors, 2, arg = "n_neighbors", call = call
        ),
        knn = .checkFlag(knn, arg = "knn", call = call),
        method = .checkChoice(
            method, c("umap", "gauss", "jaccard", "snn"), arg = "method",
            call = call
        ),
        metric = .checkChoice(metric, .metrics, arg = "metric", call = call),
        report_recall = .checkFlag(
            report_recall, arg = "report_recall", call = call
        ),
        given = given
    )
    if (!is.list(transformer)) {
        settings$transformer <- .checkChoice(
            transformer, c("exact", "approximate"), null = TRUE,
            arg = "transformer", call = call
        )
    }
    if (is.null(given)) {
        settings$metric_kwds <- .metricKwds(settings$metric, metric_kwds, call)
    } else if (!"n_neighbors" %in% stated && given == "transformer") {
        # As many as are given.
        settings$n_neighbors <- 0L
    }
    settings$stated_metric <- "metric" %in% stated
    .checkTogether(settings, !is.null(distances) && !is.null(transformer), call)
    settings
}

# The power of Minkowski's metric, or an empty list.
.metricKwds <- function(metric, kwds, call) {
    if (!is.list(kwds) || (length(kwds) && is.null(names(kwds)))) {
        .badType(kwds, "a named list", FALSE, "metric_kwds", call)
    }
    known <- if (metric == "minkowski") "p" else character()
    extra <- setdiff(names(kwds), known)
    if (length(extra)) {
        .abort(
            "unknown_argument", paste0(
                "`metric_kwds` has ", .someNames(extra), ", which the metric ",
                .someNames(metric), " does not take."
            ), arguments = extra, known = known, call = call
        )
    }
    if (metric != "minkowski") return(list())
    p <- if (is.null(kwds$p)) 2 else kwds$p
    list(p = .checkNumber(p, 1, .Machine$double.xmax, arg = "p", call = call))
}

# Arguments that exclude each other.
.checkTogether <- function(s, both, call) {
    refuse <- function(text, advice = NULL) {
        .abort("range", text, advice, call = call)
    }
    if (both) {
        refuse("`distances` and `transformer` cannot be given together.")
    }
    if (!s$knn && s$method != "gauss") {
        refuse(paste0(
            "`knn = FALSE` needs `method = \"gauss\"`, not ",
            .someNames(s$method), "."
        ))
    }
    if (!s$knn && (!is.null(s$given) ||
        identical(s$transformer, "approximate"))) {
        refuse(
            "`knn = FALSE` compares all pairs of cells of an embedding.",
            "Leave out `transformer` and `distances`."
        )
    }
    if (identical(s$transformer, "approximate") &&
        !s$metric %in% .metrics[1:5]) {
        refuse(
            paste0("The metric ", .someNames(s$metric),
                " has no approximate search."),
            "Use transformer = \"exact\"."
        )
    }
}

.storeNeighbors <- function(x, found, key_added) {
    out <- found$out
    names <- found$names
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
        "buildNeighbors", params = found$params, run = found$run, cells = names
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
