#' @include AllGenerics.R estimator-steps.R
NULL

#' Genes that go with a fate
#'
#' Pearson's correlation of every gene with every fate probability over cells,
#' with p-values, q-values and an interval, by Fisher's transformation or by
#' resampling cells.
#'
#' @details
#' **`method = "fisher"`.** With r the correlation and n the cells:
#' `z = atanh(r) sqrt(n - 3)`, p-value `2 Phi(-|z|)`, interval
#' `tanh(atanh(r) +- q / sqrt(n - 3))`. Time O(entries x lineages), memory
#' O(genes x lineages).
#'
#' **`method = "perm_test"`.** The cells of the fate probabilities are shuffled
#' `n_perms` times; if b shuffles correlate at least as much (within 1e-12), the
#' p-value is `(b + 1) / (n_perms + 1)`, never 0. The interval lies between
#' quantiles of the correlation over `n_perms` bootstrap samples of cells;
#' samples in which the gene or the lineage takes one value only have no
#' correlation and are left out. Draw b is the same for all genes and depends on
#' `random_state` and b alone. Time O(entries x lineages x `n_perms`); memory:
#' the entries once more, 128 MiB, and 128 bytes per cell and thread.
#'
#' q-values are Benjamini and Hochberg's within a lineage. **Cells along a
#' smooth fate are not independent, and neither test knows: p and q rank genes
#' and describe; they are not error rates.** For those, compare samples.
#'
#' Genes that do not vary over the cells get NA, with a warning, and so do
#' lineages that do not. With one lineage only, whose probabilities are all 1,
#' the stationary distribution of the chain takes its place. Cells without fate
#' probabilities are left out. Sparse assays stay sparse, assays on disk are
#' read in blocks, and results have the same bits on any number of threads.
#'
#' CellRank multiplies r by `n / (n - 1)`, loses genes that this lifts beyond 1,
#' and gives the bare share `b / n_perms` as p-value; `compat = TRUE` does too.
#'
#' @param estimator An estimator with fate probabilities.
#' @param lineages Lineages to test; NULL for all. Names joined by commas, such
#'   as `"Alpha, Beta"`, mean the sum of their probabilities.
#' @param method The test; see Details.
#' @param cluster_key,clusters Column of labels, and those labels whose cells
#'   are used; NULL for all cells.
#' @param assay Assay; NULL for the log-normalised one.
#' @param confidence_level Of the interval, from 0 to 1.
#' @param n_perms Permutations and bootstrap samples of `"perm_test"`.
#' @param random_state Seed of `"perm_test"`; NULL takes it from R's generator,
#'   so that [set.seed()] decides. It is recorded.
#' @param compat TRUE for CellRank's numbers; see Details.
#' @param experiment An altExp of a `SingleCellExperiment` such as `"raw"`, an
#'   assay of a `Seurat` object; NULL for the main one.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The estimator with [drivers()]: a data frame with one row per gene,
#'   in the order of the object, and the columns `<lineage>_corr`, `_pval`,
#'   `_qval`, `_ci_low` and `_ci_high` for each lineage. `drivers(fit, lineage)`
#'   is the tidy table of one lineage, sorted by decreasing correlation.
#'   [container()] stores the columns with the features, under names that begin
#'   with `terminal_lineage_drivers.` (`initial_lineage_drivers.` for a backward
#'   chain).
#' @section Errors:
#' `not_computed` without fate probabilities, or with one lineage and no
#' stationary distribution; `missing_key` (lineages, clusters, assay,
#' experiment); `duplicate_names` for a lineage named twice; `range`
#' (`confidence_level`, `n_perms`, values of the assay that are not finite, with
#' their cells); `type`; `shape` (fewer than four cells); `memory`. Warning
#' `dropped` names genes and lineages that do not vary.
#' @references Fisher, R.A. (1921) On the probable error of a coefficient of
#'   correlation deduced from a small sample. Metron 1, 3-32. Benjamini, Y. and
#'   Hochberg, Y. (1995) Controlling the false discovery rate. Journal of the
#'   Royal Statistical Society B 57, 289-300. Phipson, B. and Smyth, G.K. (2010)
#'   Permutation p-values should never be zero. Statistical Applications in
#'   Genetics and Molecular Biology 9, 39. Efron, B. and Tibshirani, R.J. (1993)
#'   An introduction to the bootstrap. Chapman and Hall.
#' @seealso [plotLineageDrivers()], [plotLineageDriversCorrelation()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' fit <- castFates(sce, cluster_key = "cell_type")
#' fate <- lineageNames(fit)[1]
#' head(drivers(fit, fate))
#'
#' fit <- computeLineageDrivers(
#'     fit, method = "perm_test", n_perms = 100, random_state = 1
#' )
#' head(drivers(fit, fate))
#' @rdname computeLineageDrivers
#' @export
setMethod("computeLineageDrivers", "TermStatesEstimator", function(
        estimator, lineages = NULL, method = c("fisher", "perm_test"),
        cluster_key = NULL, clusters = NULL, assay = NULL,
        confidence_level = 0.95, n_perms = 1000, random_state = NULL,
        compat = FALSE, experiment = NULL, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    how <- .driverOptions(
        method, confidence_level, n_perms, random_state, compat
    )
    fates <- .step(estimator, "fates")
    targets <- .driverTargets(estimator, fates, lineages)
    cells <- .driverCells(estimator, fates, cluster_key, clusters)
    targets <- .levelled(targets[cells, , drop = FALSE])
    object <- .estimatorContainer(estimator)
    m <- .readAssay(object, assay, experiment = experiment)
    job <- .job(n_threads, show_progress_bar, "Lineage drivers")
    table <- .driverTable(job, m, cells, targets, how)
    .warnConstant(table, targets, how$compat)
    .setStep(estimator, "drivers", table, c(
        list(
            lineages = colnames(targets), cluster_key = cluster_key,
            clusters = clusters, assay = .assayName(object, assay),
            experiment = experiment
        ), how
    ), .run(job, cells = length(cells)))
})

# What a table of drivers is computed with; the permutation test alone draws.
.driverOptions <- function(method, confidence_level, n_perms, random_state,
                           compat, call = rlang::caller_env()) {
    how <- list(
        method = .checkChoice(method, c("fisher", "perm_test"), call = call),
        confidence_level = .checkNumber(confidence_level, 0, 1, call = call),
        compat = .checkFlag(compat, call = call)
    )
    n_perms <- .checkCount(n_perms, 1, 1e8, call = call)
    if (how$method == "perm_test") {
        how$n_perms <- n_perms
        how$random_state <- .seed(random_state, call = call)
    }
    how
}

# What expression is correlated with, cells x lineages: the fate probabilities,
# or, where there is one lineage and they say nothing, the stationary
# distribution.
.driverTargets <- function(estimator, fates, lineages,
                           call = rlang::caller_env()) {
    if (is.null(lineages)) lineages <- lineageNames(fates)
    members <- .mixtureMembers(lineages, lineageNames(fates), call)
    p <- as.matrix(.mixed(fates, members))
    if (ncol(fates) > 1L) {
        return(p)
    }
    known <- Filter(length, list(
        estimator@results$macrostates$stationary,
        estimator@results$eigen$stationary_dist
    ))
    if (!length(known)) {
        .abort(
            "not_computed", paste(
                "With one lineage only, drivers need the stationary",
                "distribution, and this estimator has none."
            ), paste(
                "Run computeMacrostates() or computeEigendecomposition(), or",
                "set more terminal states."
            ),
            call = call
        )
    }
    p[] <- known[[1L]]
    p
}

# What is constant but for rounding, such as the sum of all fates, is made so:
# nothing goes with rounding.
.levelled <- function(p) {
    span <- apply(p, 2L, function(v) diff(range(v)))
    size <- apply(abs(p), 2L, max)
    for (k in which(span <= 1e-12 * size)) p[, k] <- p[1L, k]
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
        x, key, "computeLineageDrivers", names = .driverLineages(table),
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

.renameDrivers <- function(result, new) {
    old <- .driverLineages(result)
    stats::setNames(
        result, .driverColumns(unname(.jointNames(old, new)[old]))
    )
}

.stepDrivers <- .newStep(
    key = .keyDrivers, call = "computeLineageDrivers()", needs = "fates",
    write = .writeDrivers, read = .readDrivers,
    describe = function(result, run, params) {
        paste0("drivers: ", nrow(result), " genes, method ", params$method)
    },
    rename = .renameDrivers
)
