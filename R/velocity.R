#' RNA velocity of genes and cells
#'
#' How fast, and in which direction, the expression of each gene changes in each
#' cell: the distance of its unspliced RNA from what its spliced RNA would
#' explain at rest.
#'
#' @section Details:
#' **Deterministic** (`"steady_state"` is the same). Per gene, with s = `Ms` and
#' u = `Mu` (or the normalised counts with `use_raw`), cells are scored by
#' `z = s / max s + u / max u`. Through those at or above the upper percentile
#' of `perc` (with `fit_offset` also those at or below the lower one) goes the
#' line `u = gamma s + offset`, by least squares; an offset is never negative
#' and `gamma` lies within `constrain_ratio`. Velocity is
#' `u - gamma s - offset`, and `r2` how well the line fits all cells (that of a
#' line through all cells with `r2_adjusted`). Velocity genes have `r2 >
#' min_r2`, `gamma > min_ratio`, counts of both kinds, and are `highly_variable`
#' if there is such a column of features and `use_highly_variable`. If fewer
#' than two pass, those whose `r2` exceeds its 80th percentile are taken, with a
#' warning.
#'
#' **Stochastic.** Fits velocity genes again: the second moments over the
#' neighbours of each cell must agree with the same `gamma`. The regression of u
#' on s over the cells in the tails of z or s, and that of `2 <us> + <u>` on
#' `2 <ss> - <s>` over all cells, are weighed by their residual variances
#' (`fit_offset2` gives the second an offset). Genes whose residuals vanish keep
#' the line of the first stage; their number is in the record. The assay
#' `variance_<vkey>` is the second-order residual, which can be negative.
#'
#' **Groups.** `groups` (levels of `groupby`): fit and write only their cells,
#' all others get 0, with a warning. `groupby` alone: each level has its own
#' fit, columns of features end in `_<level>`, and `<vkey>_genes` is the union.
#' `groups_for_fit` (levels of `groupby`): lines are fitted to these cells only
#' and hold for all; with `groups`, for those of them.
#'
#' **Missing moments** are made first, with the defaults of [computeMoments()],
#' and stored. Second moments use the graph, neighbours and sizes of the stored
#' ones.
#'
#' `compat = TRUE` does as scVelo 0.3.4 where this differs: second moments over
#' all neighbours although first ones used fewer, or within groups only; an
#' intercept pulled to 0 by cells that are not fitted; the second stage ignores
#' `constrain_ratio` and `groups_for_fit`.
#'
#' Not random. The same bits on any number of threads. Time O(edges x genes);
#' memory beside the results about 410 bytes per cell and thread. Assays on disk
#' are read in blocks of genes; results are dense, or with `store =
#' "velocity_genes"` sparse with the rows of the selected genes only.
#'
#' @inheritParams computeMoments
#' @param mode `"stochastic"` or `"deterministic"`.
#' @param vkey Name of the result.
#' @param fit_offset,fit_offset2 Offsets of the first and second regression.
#' @param filter_genes Keep only the velocity genes in the object.
#' @param groups,groupby,groups_for_fit Levels and column of cells, see Details.
#' @param constrain_ratio Upper bound of gamma, or both bounds.
#' @param use_raw Fit normalised counts instead of moments.
#' @param perc Percentiles (0 to 100) of the tails: lower and upper, or upper.
#' @param min_r2,min_ratio Thresholds of velocity genes.
#' @param r2_adjusted See Details.
#' @param use_highly_variable Use the column `highly_variable` of features.
#' @param store `"all"` genes, or `"velocity_genes"` only.
#' @param compat As scVelo where it differs.
#' @return The object with the assay `<vkey>` (and `variance_<vkey>`), genes x
#'   cells, in units of normalised counts per splicing time; columns of features
#'   `<vkey>_gamma`, `<vkey>_qreg_ratio` (gamma of the first stage),
#'   `<vkey>_r2`, `<vkey>_genes` and, if fitted, `<vkey>_offset`,
#'   `<vkey>_offset2`; and a record, `parameters(x, "<vkey>")`.
#' @section Errors:
#' As [computeMoments()]; `unknown_argument` (mode, levels), `range` (`perc`,
#' `constrain_ratio`, levels with fewer than two cells), `no_state`
#' (`filter_genes` without any velocity gene). Warnings: `fallback`, `dropped`
#' (fewer than ten velocity genes, cells in no group).
#' @inherit computeMoments references
#' @seealso [computeMoments()], [VelocityKernel()].
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' sce <- estimateVelocity(computeMoments(buildNeighbors(sce)))
#' head(SummarizedExperiment::rowData(sce)[, c("gamma", "velocity_gamma")])
#' @include velocity-moments.R velocity-groups.R
#' @export
estimateVelocity <- function(x, mode = "stochastic", vkey = "velocity",
                             fit_offset = FALSE, fit_offset2 = FALSE,
                             filter_genes = FALSE, groups = NULL,
                             groupby = NULL, groups_for_fit = NULL,
                             constrain_ratio = NULL, use_raw = FALSE,
                             perc = c(5, 95), min_r2 = 0.01, min_ratio = 0.01,
                             r2_adjusted = FALSE, use_highly_variable = TRUE,
                             store = c("all", "velocity_genes"),
                             compat = FALSE, experiment = NULL,
                             n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    settings <- list(
        mode = .velocityMode(mode), vkey = .checkString(vkey),
        fit_offset = .checkFlag(fit_offset),
        fit_offset2 = .checkFlag(fit_offset2),
        filter_genes = .checkFlag(filter_genes), groups = groups,
        groupby = .checkString(groupby, null = TRUE),
        groups_for_fit = groups_for_fit,
        constrain_ratio = .checkRatio(constrain_ratio),
        use_raw = .checkFlag(use_raw), perc = .checkPercent(perc),
        min_r2 = .checkNumber(min_r2), min_ratio = .checkNumber(min_ratio),
        r2_adjusted = .checkFlag(r2_adjusted),
        use_highly_variable = .checkFlag(use_highly_variable),
        store = .checkChoice(store, c("all", "velocity_genes")),
        compat = .checkFlag(compat),
        experiment = .checkString(experiment, null = TRUE)
    )
    job <- .job(n_threads, show_progress_bar, "Velocity")
    data <- .velocityData(x, settings, job)
    few <- settings$filter_genes || settings$store == "velocity_genes"
    run <- if (few) .estimateSelected else .estimateAll
    result <- run(data, settings, job)
    .warnIsolated(result$found$isolated, .cellNames(x))
    .storeVelocity(x, result, settings, job)
}

# ---- Arguments ----

.velocityMode <- function(mode, call = rlang::caller_env()) {
    if (identical(mode, "steady_state")) {
        return("deterministic")
    }
    .checkVelocityChoice(
        mode, c("stochastic", "deterministic"), "mode", call
    )
}

.checkPercent <- function(perc, call = rlang::caller_env()) {
    if (!is.numeric(perc) || !length(perc) %in% 1:2 || anyNA(perc)) {
        .badType(perc, "one or two numbers", FALSE, "perc", call)
    }
    if (any(perc < 0 | perc > 100) || is.unsorted(perc)) {
        .abort(
            "range", paste0(
                "`perc` must lie between 0 and 100 and not decrease, not ",
                paste(perc, collapse = ", "), "."
            ), argument = "perc", value = perc, call = call
        )
    }
    as.double(perc)
}

# Bounds of gamma as a pair; NA is no bound.
.checkRatio <- function(ratio, call = rlang::caller_env()) {
    if (is.null(ratio) || all(is.na(ratio))) {
        return(NULL)
    }
    if (!is.numeric(ratio) || !length(ratio) %in% 1:2) {
        .badType(ratio, "one or two numbers", TRUE, "constrain_ratio", call)
    }
    if (is.unsorted(ratio, na.rm = TRUE)) {
        .abort(
            "range", paste0(
                "`constrain_ratio` must not decrease, not ",
                paste(ratio, collapse = ", "), "."
            ), argument = "constrain_ratio", value = ratio, call = call
        )
    }
    if (length(ratio) == 1L) c(NA, as.double(ratio)) else as.double(ratio)
}

.fitArg <- function(settings, data, stochastic) {
    orNull <- function(v) if (!is.null(v) && !is.na(v)) v
    perc <- settings$perc
    list(
        stochastic = stochastic, fit_offset = settings$fit_offset,
        fit_offset2 = settings$fit_offset2,
        upper = perc[length(perc)], lower = if (length(perc) == 2L) perc[1L],
        ratio_min = orNull(settings$constrain_ratio[1L]),
        ratio_max = orNull(settings$constrain_ratio[2L]),
        r2_adjusted = settings$r2_adjusted, min_r2 = settings$min_r2,
        min_ratio = settings$min_ratio, compat = settings$compat,
        groups = data$groups$cells
    )
}

# ---- Data ----

# Counts, sizes, graph, moments (if stored), groups and genes allowed.
.velocityData <- function(x, settings, job) {
    moments <- if (!settings$use_raw) .storedMoments(x, settings, job$call)
    record <- .readRecord(x, .keyMomentsRecord)
    if (is.null(moments) || !.isRecord(record)) record <- NULL
    stochastic <- settings$mode == "stochastic"
    how <- .momentSettings(
        experiment = settings$experiment, cells = .cellNames(x)
    )
    if (!is.null(record)) how <- utils::modifyList(how, record$params)
    groups <- .velocityGroups(x, settings, job$call)
    if (!is.null(moments) && !stochastic) {
        # The moments are all there is to read.
        data <- list(matrices = list(
            spliced = moments$Ms, unspliced = moments$Mu
        ))
    } else {
        counts <- .velocityCounts(
            x, how$spliced, how$unspliced, settings$experiment, job$call
        )
        if (!is.null(moments)) .checkSameGenes(
            list(counts$matrices[[1L]], moments$Ms),
            c(counts$names[[1L]], .keyMoments[[1L]]), job$call
        )
        graph <- if (stochastic || !settings$use_raw) {
            .velocityGraph(x, how, job$call)
        }
        data <- list(
            matrices = counts$matrices, names = counts$names,
            sizes = .sizesOf(x, counts, how, record, job), graph = graph,
            graph_arg = .graphArg(graph, settings$compat, groups$codes)
        )
    }
    c(data, list(
        moments = moments, groups = groups, use_raw = settings$use_raw,
        how = how, allowed = .allowedGenes(x, settings)
    ))
}

# The first moments that are stored, unless only some genes have them.
.storedMoments <- function(x, settings, call) {
    there <- .assayNames(x, settings$experiment)
    record <- .readRecord(x, .keyMomentsRecord)
    partial <- .isRecord(record) && !identical(record$params$store, "all")
    if (!all(.keyMoments %in% there) || partial) {
        return(NULL)
    }
    .checkFresh(x, .keyMoments[[1L]], call)
    moments <- lapply(.keyMoments, function(key) {
        .readAssay(x, key, experiment = settings$experiment)
    })
    names(moments) <- .keyMoments
    .checkSameGenes(moments, .keyMoments, call)
    moments
}

# The divisors the moments were made with, where they are known.
.sizesOf <- function(x, counts, how, record, job) {
    if (is.null(record)) {
        return(.velocitySizes(x, counts, how, job))
    }
    kinds <- c(spliced = "spliced", unspliced = "unspliced")
    lapply(kinds, function(kind) {
        .surveyCounts(counts$matrices[[kind]], counts$names[[kind]], job)
        divisors <- record$divisors[[kind]]
        if (is.null(divisors)) {
            return(list())
        }
        at <- .matchCells(
            names(divisors), .cellNames(x), "The record of the moments",
            job$call
        )
        list(
            divisors = unname(if (is.null(at)) divisors else divisors[at]),
            target = record$params$targets[[kind]]
        )
    })
}

.allowedGenes <- function(x, settings) {
    column <- .keyHighlyVariable
    if (!settings$use_highly_variable ||
        !column %in% .featureDataNames(x, settings$experiment)) {
        return(NULL)
    }
    .readFeatureData(x, column, settings$experiment) %in% TRUE
}
