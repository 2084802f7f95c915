#' @include AllGenerics.R estimator-steps.R
NULL

#' Genes that go with a fate
#'
#' Pearson's correlation of every gene with every fate probability over cells,
#' with a test by Fisher's transformation.
#'
#' @details
#' With r the correlation and n the cells: `z = atanh(r) sqrt(n - 3)`, p-value
#' `2 Phi(-|z|)`, interval `tanh(atanh(r) +- q / sqrt(n - 3))`; q-values by
#' Benjamini and Hochberg within a lineage. Cells along a smooth fate are not
#' independent, so p and q rank genes and describe; they are not error rates.
#' Genes that do not vary get NA, with a warning. With one lineage only, whose
#' probabilities are all 1, the stationary distribution takes their place. Cells
#' without fate probabilities are left out. CellRank multiplies r by `n / (n -
#' 1)`; this does not. Sparse assays stay sparse, assays on disk are read in
#' blocks of cells. Time O(entries x lineages), memory O(genes x lineages); the
#' same bits on any number of threads.
#'
#' @param estimator An estimator with fate probabilities.
#' @param lineages Lineages to test; NULL for all.
#' @param method The test.
#' @param cluster_key,clusters Column of labels, and those labels whose cells
#'   are used; NULL for all cells.
#' @param assay Assay; NULL for the log-normalised one.
#' @param confidence_level Of the interval, between 0 and 1.
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object; NULL for the main one.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The estimator with [drivers()].
#' @section Errors:
#' `not_computed`, `missing_key` (lineages, clusters, assay), `shape` (fewer
#' than four cells).
#' @references Fisher, R.A. (1921) On the probable error of a coefficient of
#'   correlation deduced from a small sample. Metron 1, 3-32. Benjamini, Y. and
#'   Hochberg, Y. (1995) Controlling the false discovery rate. Journal of the
#'   Royal Statistical Society B 57, 289-300.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' fit <- castFates(sce, cluster_key = "cell_type")
#' head(drivers(fit, lineageNames(fit)[1]))
#' @rdname computeLineageDrivers
#' @export
setMethod("computeLineageDrivers", "TermStatesEstimator", function(
        estimator, lineages = NULL, method = "fisher", cluster_key = NULL,
        clusters = NULL, assay = NULL, confidence_level = 0.95,
        experiment = NULL, ..., n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    .checkChoice(method, "fisher")
    .checkNumber(confidence_level, 0, 1, open_min = TRUE, open_max = TRUE)
    fates <- .step(estimator, "fates")
    if (is.null(lineages)) lineages <- lineageNames(fates)
    .knownStates(lineages, lineageNames(fates), "lineage")
    cells <- .driverCells(estimator, fates, cluster_key, clusters)
    object <- .estimatorContainer(estimator)
    m <- .readAssay(object, assay, experiment = experiment)
    job <- .job(n_threads, show_progress_bar, "Lineage drivers")
    p <- .driverTargets(estimator, fates)[cells, lineages, drop = FALSE]
    table <- .driverTable(job, m, cells, p, confidence_level)
    .warnConstant(table, rownames(m))
    .setStep(
        estimator, "drivers", table, list(
            lineages = lineages, method = method, cluster_key = cluster_key,
            clusters = clusters, assay = .assayName(object, assay),
            confidence_level = confidence_level, experiment = experiment
        ), .run(job, cells = length(cells))
    )
})

# What expression is correlated with: the fate probabilities, or, where there is
# one lineage and they say nothing, the stationary distribution.
.driverTargets <- function(estimator, fates, call = rlang::caller_env()) {
    p <- as.matrix(fates)
    if (ncol(p) > 1L) {
        return(p)
    }
    stationary <- estimator@results$macrostates$stationary
    if (is.null(stationary)) {
        .abort(
            "not_computed", paste(
                "With one lineage only, drivers need the stationary",
                "distribution, and this estimator has none."
            ), "Run computeMacrostates(), or set more terminal states.",
            call = call
        )
    }
    p[] <- stationary
    p
}

# Positions of the cells to use.
.driverCells <- function(estimator, fates, cluster_key, clusters,
                         call = rlang::caller_env()) {
    keep <- !is.na(rowSums(as.matrix(fates)))
    if (is.null(clusters) != is.null(cluster_key)) {
        .abort("type", paste(
            "`cluster_key` and `clusters` go together: the column of labels",
            "and the labels whose cells are used."
        ), argument = "clusters", call = call)
    }
    if (!is.null(clusters)) {
        labels <- .referenceLabels(estimator, cluster_key, call)$labels
        .knownStates(clusters, levels(labels), "cluster", call)
        keep <- keep & labels %in% clusters
    }
    if (sum(keep) < 4L) {
        .abort("shape", paste0(
            "Correlations need at least four cells, not ", sum(keep), "."
        ), n_cells = sum(keep), call = call)
    }
    which(keep)
}

# Correlations by blocks of cells, then the tests; one row per gene in the
# order of the object.
.driverTable <- function(job, m, cells, p, confidence_level) {
    moments <- NULL
    for (block in .cellBlocks(m)) {
        at <- intersect(block, cells)
        if (!length(at)) next
        moments <- .native(
            job, rs_lineage_moments, .matrixArg(.readBlock(m, at)),
            p[match(at, cells), , drop = FALSE], ncol(p), moments
        )
    }
    out <- .native(job, rs_lineage_fisher, moments, confidence_level)
    names <- c("corr", "pval", "qval", "ci_low", "ci_high")
    columns <- lapply(seq_len(ncol(p)), function(k) {
        values <- lapply(names, function(n) {
            matrix(out[[n]], ncol = ncol(p))[, k]
        })
        stats::setNames(values, paste0(colnames(p)[k], "_", names))
    })
    data.frame(
        unlist(columns, recursive = FALSE),
        row.names = rownames(m), check.names = FALSE
    )
}

.warnConstant <- function(table, genes) {
    constant <- is.na(table[[1L]])
    if (any(constant)) {
        .warn("dropped", paste0(
            .count(sum(constant), "gene"), " without variation got NA: ",
            .someNames(genes[constant]), "."
        ), features = genes[constant])
    }
}

.writeDrivers <- function(object, x, key) {
    table <- x@results$drivers
    values <- stats::setNames(
        as.list(table), .keyColumn(key, names(table))
    )
    experiment <- x@params[[key]]$experiment
    object <- .writeFeatureData(
        object, data.frame(values, check.names = FALSE), experiment
    )
    .writeRecord(object, key, .stepRecord(
        x, key, "computeLineageDrivers", names = x@params[[key]]$lineages,
        columns = names(table)
    ))
}

.readDrivers <- function(object, record, key) {
    experiment <- record$params$experiment
    columns <- lapply(record$columns, function(name) {
        .readFeatureData(object, .keyColumn(key, name), experiment)
    })
    names(columns) <- record$columns
    data.frame(
        columns, row.names = .featureNames(object, experiment),
        check.names = FALSE
    )
}

# Columns are called `<lineage>_<statistic>`.
.renameDrivers <- function(result, new) {
    statistics <- c("corr", "pval", "qval", "ci_low", "ci_high")
    named <- function(lineages) {
        paste0(rep(lineages, each = length(statistics)), "_", statistics)
    }
    at <- match(names(result), named(names(new)))
    names(result)[!is.na(at)] <- named(unname(new))[at[!is.na(at)]]
    result
}

.stepDrivers <- .newStep(
    key = .keyDrivers, call = "computeLineageDrivers()", needs = "fates",
    write = .writeDrivers, read = .readDrivers, rename = .renameDrivers,
    describe = function(result, run, params) {
        paste0("drivers: ", nrow(result), " genes, method ", params$method)
    }
)
