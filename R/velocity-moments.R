#' First moments of spliced and unspliced counts
#'
#' Averages the counts of each cell with those of its neighbours, so that single
#' molecules do not decide where a cell lies.
#'
#' @section Details:
#' **Sizes.** Each assay is divided by the size of the cell, spliced and
#' unspliced counts separately: the total of the cell (the column
#' `initial_size_spliced` or `initial_size_unspliced`, if there is one, so that
#' totals can include genes that were filtered out) over the median of all
#' totals. With `max_proportion_per_cell` between 0 and 1 the size is the total
#' over the genes that in no cell exceed that share of it. `normalize = "auto"`
#' does so for an assay in which every value is a whole number. Count assays are
#' never rewritten and never logarithmised.
#'
#' **Moments.** `Ms = W S` and `Mu = W U` with `W_ij = 1 / (k_i + 1)` for the
#' `k_i` neighbours of cell i and for the cell itself: only the pattern of the
#' graph counts. `n_neighbors` below the number that the graph was made with
#' keeps each cell's nearest ones (largest weights, ties to the cell that comes
#' first); above it, the graph is used as it is, with a message. A cell without
#' a neighbour keeps its own counts, with a warning.
#'
#' Not random. The same bits on any number of threads. Time O(edges x genes);
#' memory beside the two results, which are dense, about 410 bytes per cell and
#' thread: sparse counts stay sparse, and assays on disk are read in blocks of
#' genes.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object with a neighbour graph.
#' @param spliced,unspliced Names of the assays (genes x cells) of counts;
#'   `spliced = NULL` is `spliced`, else `counts`.
#' @param n_neighbors Number of neighbours.
#' @param mode `"connectivities"` or `"distances"`: which graph of the run.
#' @param conn_key Key of the connectivities.
#' @param normalize TRUE, FALSE or `"auto"`.
#' @param counts_per_cell Sizes of the cells instead of their totals: a number
#'   per cell, or a list of two such, `spliced` and `unspliced`.
#' @param counts_per_cell_after The size of all cells afterwards; NULL for the
#'   median.
#' @param max_proportion_per_cell Share above which a gene does not count
#'   towards sizes; NULL for none.
#' @param use_initial_size Use stored totals.
#' @inheritParams computePCA
#' @return The object with the assays `Ms` and `Mu` (dense, genes x cells), the
#'   columns `initial_size_spliced` and `initial_size_unspliced` unless there
#'   were such, and a record, `parameters(x, "moments")`.
#' @section Errors:
#' `missing_key` (assay, graph), `shape` (assays that do not fit together),
#' `range` (missing, infinite or negative counts, with genes and numbers),
#' `container_stale` (a graph of other cells), `memory` (results above
#' `options(fatecast.memory_limit)`).
#' @references La Manno, G. et al. (2018) RNA velocity of single cells. Nature
#'   560, 494-498. Bergen, V. et al. (2020) Generalizing RNA velocity to
#'   transient cell states through dynamical modeling. Nature Biotechnology 38,
#'   1408-1414.
#' @seealso [estimateVelocity()], [filterAndNormalize()], [buildNeighbors()].
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' sce <- computeMoments(buildNeighbors(sce))
#' SummarizedExperiment::assay(sce, "Mu")[1:3, 1:3]
#' @include velocity-data.R
#' @export
computeMoments <- function(x, spliced = NULL, unspliced = "unspliced",
                           n_neighbors = 30, mode = "connectivities",
                           conn_key = "connectivities", normalize = "auto",
                           counts_per_cell = NULL,
                           counts_per_cell_after = NULL,
                           max_proportion_per_cell = NULL,
                           use_initial_size = TRUE, experiment = NULL,
                           n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    settings <- .momentSettings(
        spliced, unspliced, n_neighbors, mode, conn_key, normalize,
        counts_per_cell, counts_per_cell_after, max_proportion_per_cell,
        use_initial_size, experiment, .cellNames(x)
    )
    job <- .job(n_threads, show_progress_bar, "Moments")
    data <- .momentData(x, settings, job)
    genes <- rownames(data$matrices[[1L]])
    cells <- .cellNames(x)
    out <- .denseResults(.keyMoments, genes, cells, job$call)
    found <- .estimateGenes(job, data, out = out)
    .warnIsolated(found$isolated, cells)
    .storeMoments(x, out, data, settings, found, job)
}

.momentSettings <- function(spliced = NULL, unspliced = "unspliced",
                            n_neighbors = 30, mode = "connectivities",
                            conn_key = "connectivities", normalize = "auto",
                            counts_per_cell = NULL,
                            counts_per_cell_after = NULL,
                            max_proportion_per_cell = NULL,
                            use_initial_size = TRUE, experiment = NULL,
                            cells, call = rlang::caller_env()) {
    auto <- identical(normalize, "auto")
    if (!auto) .checkFlag(normalize, call = call)
    list(
        spliced = .checkString(spliced, null = TRUE, call = call),
        unspliced = .checkString(unspliced, call = call),
        n_neighbors = .checkCount(n_neighbors, call = call),
        mode = .checkVelocityChoice(
            mode, c("connectivities", "distances"), call = call
        ),
        conn_key = .checkString(conn_key, call = call),
        normalize = normalize,
        counts_per_cell = .checkSizes(counts_per_cell, cells, call),
        counts_per_cell_after = .checkNumber(
            counts_per_cell_after, 0, null = TRUE, open_min = TRUE, call = call
        ),
        max_proportion_per_cell = .checkNumber(
            max_proportion_per_cell, 0, 1, null = TRUE, call = call
        ),
        use_initial_size = .checkFlag(use_initial_size, call = call),
        experiment = .checkString(experiment, null = TRUE, call = call)
    )
}

# A choice whose refusal is of the kind `unknown_argument`.
.checkVelocityChoice <- function(x, choices, arg = rlang::caller_arg(x),
                                 call = rlang::caller_env()) {
    if (!is.character(x) || length(x) != 1L || !x %in% choices) {
        .abort(
            "unknown_argument", paste0(
                "`", arg, "` must be one of ", .someNames(choices), ", not ",
                .describe(x), "."
            ), if (is.character(x) && length(x) == 1L && !is.na(x)) {
                .suggest(x, choices)
            }, argument = arg, value = x, known = choices, call = call
        )
    }
    x
}

# Sizes as plain numbers: one vector, or one for each kind of counts.
.checkSizes <- function(sizes, cells, call) {
    if (is.null(sizes)) {
        return(NULL)
    }
    check <- function(v) {
        if (!is.numeric(v) || length(v) != length(cells)) {
            .abort(
                "shape", paste0(
                    "`counts_per_cell` must hold one number for each of the ",
                    .count(length(cells), "cell"), ", not ", .describe(v), "."
                ), argument = "counts_per_cell", call = call
            )
        }
        at <- if (!is.null(names(v))) {
            .matchCells(names(v), cells, "`counts_per_cell`", call)
        }
        as.double(if (is.null(at)) v else v[at])
    }
    if (!is.list(sizes)) {
        return(check(sizes))
    }
    if (!setequal(names(sizes), c("spliced", "unspliced"))) {
        .abort(
            "type", paste(
                "`counts_per_cell` must be numbers, or a list of `spliced`",
                "and `unspliced`."
            ), argument = "counts_per_cell", call = call
        )
    }
    lapply(sizes, check)
}

# All that moments are made from.
.momentData <- function(x, settings, job) {
    counts <- .velocityCounts(
        x, settings$spliced, settings$unspliced, settings$experiment, job$call
    )
    graph <- .velocityGraph(x, settings, job$call)
    list(
        matrices = counts$matrices, names = counts$names,
        sizes = .velocitySizes(x, counts, settings, job),
        graph = graph, graph_arg = .graphArg(graph)
    )
}

# Assays, sizes and record together.
.storeMoments <- function(x, out, data, settings, found, job,
                          store = "all") {
    columns <- .initialSizes(x, data$sizes)
    .warnForeign(
        x, .keyMoments, .assayNames(x, settings$experiment), "assay"
    )
    for (key in .keyMoments) {
        x <- .writeAssay(x, key, out[[key]], settings$experiment)
    }
    if (length(columns)) x <- .writeCellData(x, columns)
    settings[c("spliced", "unspliced")] <- as.list(data$names)
    record <- .record(
        "computeMoments", c(settings, list(
            targets = lapply(data$sizes, function(s) s$target),
            graph_key = data$graph$key, graph = data$graph$matrix,
            neighbors_kept = found$kept, store = store
        )),
        run = .run(job, isolated_cells = length(found$isolated)),
        cells = .cellNames(x), keys = c(.keyMoments, names(columns))
    )
    record$divisors <- lapply(data$sizes, function(s) {
        if (!is.null(s$divisors)) {
            stats::setNames(s$divisors, .cellNames(x))
        }
    })
    .writeRecord(x, .keyMomentsRecord, record, nested = FALSE)
}
