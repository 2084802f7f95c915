#' @include AllGenerics.R estimator-steps.R lineage.R kernel-walk.R
NULL

#' Degree of priming
#'
#' How far every cell has settled on a fate, from 0 for the least to 1 for the
#' most committed cell. `primingDegree()` of a [Lineage()] computes it;
#' `computeLineagePriming()` does so for the fate probabilities of an estimator
#' and keeps it; `primingDegree()` of an estimator or object reads it back.
#'
#' @details
#' `"kl_divergence"`: the Kullback-Leibler divergence of the fate probabilities
#' p of a cell from the mean q over the early cells, `sum_k p_k log2(p_k / q_k)`
#' with `0 log 0 = 0`. `"entropy"`: the entropy lost, `max_i H_i - H_i`, with
#' `H = -sum_k p_k log p_k`; it does not use early cells. Rows are scaled to sum
#' to one first; the scores of all cells are then scaled to the range from 0 to
#' 1, and are all 0 if they are equal. Rows with NA, and rows without any mass,
#' give NA and take no part. Cost O(cells x lineages). Randomness: not
#' applicable; the same bits on any number of threads.
#'
#' @param estimator An estimator with fate probabilities.
#' @param x A [Lineage()]; or an estimator, `SingleCellExperiment` or `Seurat`
#'   object that holds the degree.
#' @param method The score.
#' @param early_cells Cells that have not decided yet: names, positions, a
#'   logical vector, or (not for a [Lineage()]) a list with one entry, the
#'   levels of the column of labels it is named after. NULL for all cells.
#' @param compat TRUE gives the divergence as CellRank 2 does: the raw score of
#'   a cell with a probability of exactly 0, such as every terminal cell, is
#'   taken to be 1, and rows are not scaled to sum to one.
#' @param backward For objects: read the result of the backward chain.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... For a [Lineage()] the arguments above; otherwise not used, and an
#'   unknown argument is an error.
#' @return `primingDegree()`: a number from 0 to 1 per cell, named by cell.
#'   `computeLineagePriming()`: the estimator; [container()] stores the degree
#'   in the column `priming_degree_fwd` of the cells.
#' @section Errors:
#' `not_computed` without fate probabilities; `range` for early cells that
#' select none, for negative values, and where early cells can never enter a
#' lineage that others enter, so that the divergence is infinite; `missing_key`
#' for unknown cells, columns and labels; `shape` and `type` for early cells of
#' another form; `no_state` when no early cell has probabilities;
#' `container_class` for labels without an object to read them from.
#' @references Velten, L. et al. (2017) Human haematopoietic stem cell lineage
#'   commitment is a continuous process. Nature Cell Biology 19, 271-281. Lange,
#'   M. et al. (2022) CellRank for directed single-cell fate mapping. Nature
#'   Methods 19, 159-170.
#' @seealso [computeFateProbabilities()], [fateProbabilities()]
#' @examples
#' p <- rbind(root = c(0.5, 0.5), middle = c(0.8, 0.2), tip = c(1, 0))
#' primingDegree(Lineage(p, c("Alpha", "Beta")), early_cells = "root")
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' fit <- castFates(sce, cluster_key = "cell_type")
#' fit <- computeLineagePriming(fit, early_cells = list(cell_type = "root"))
#' summary(primingDegree(fit))
#' @rdname primingDegree
#' @export
setMethod("computeLineagePriming", "Estimator", function(
        estimator, method = c("kl_divergence", "entropy"), early_cells = NULL,
        compat = FALSE, ..., n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    fates <- .step(estimator, "fates")
    job <- .job(n_threads, show_progress_bar, "Priming")
    method <- .checkChoice(method, c("kl_divergence", "entropy"))
    chain <- list(
        matrix = as.matrix(fates), container = estimator@container
    )
    degree <- .primingOf(chain, method, early_cells, compat, job)
    .setStep(estimator, "priming", degree, list(
        method = method, early_cells = early_cells, compat = compat
    ), .run(job, cells = sum(!is.na(degree))))
})

#' @rdname primingDegree
#' @export
setMethod("primingDegree", "Lineage", function(
        x, method = c("kl_divergence", "entropy"), early_cells = NULL,
        compat = FALSE, ..., n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    method <- .checkChoice(method, c("kl_divergence", "entropy"))
    job <- .job(n_threads, show_progress_bar, "Priming")
    chain <- list(matrix = as.matrix(x), container = NULL)
    .primingOf(chain, method, early_cells, compat, job)
})

#' @rdname primingDegree
#' @export
setMethod("primingDegree", "Estimator", function(x, ...) {
    .checkDots(...)
    .step(x, "priming")
})

#' @rdname primingDegree
#' @export
setMethod("primingDegree", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    .storedStep(x, "priming", backward)
})

# `chain` holds the probabilities as `matrix`, and the object of the cells.
.primingOf <- function(chain, method, early_cells, compat, job) {
    compat <- .checkFlag(compat, call = job$call)
    p <- chain$matrix
    early <- .earlyCells(early_cells, chain, job$call)
    degree <- .native(
        job, rs_lineage_priming, p, nrow(p), ncol(p), early, method, compat,
        cell_names = rownames(p), advice = .primingAdvice(colnames(p))
    )
    stats::setNames(degree, rownames(p))
}

# A logical vector over the cells, or NULL for all of them.
.earlyCells <- function(early_cells, chain, call) {
    if (is.null(early_cells)) return(NULL)
    if (is.list(early_cells) && is.null(chain$container)) {
        .abort(
            "container_class", paste(
                "`early_cells` names a column of labels, and there is no",
                "object to read it from."
            ), "Give names, positions or a logical vector.",
            argument = "early_cells", call = call
        )
    }
    rows <- seq_len(nrow(chain$matrix))
    if (is.null(rownames(chain$matrix))) {
        rownames(chain$matrix) <- as.character(rows)
    }
    rows %in% .walkCells(early_cells, chain, "early_cells", call)
}

.primingAdvice <- function(lineages) {
    paste0(
        "The lineages are, in this order, ", .someNames(lineages, 30L), ". ",
        "Other `early_cells`, or method = \"entropy\", may have an answer."
    )
}

.writePriming <- function(object, x, key) {
    degree <- stats::setNames(x@results$priming, .cells(x))
    object <- .writeCellData(object, stats::setNames(list(degree), key))
    .writeRecord(object, key, .stepRecord(x, key, "computeLineagePriming"))
}

.readPriming <- function(object, record, key) {
    if (!key %in% .cellDataNames(object)) return(NULL)
    stats::setNames(.readCellData(object, key), .cellNames(object))
}

.stepPriming <- .newStep(
    key = .keyPriming, call = "computeLineagePriming()", needs = "fates",
    write = .writePriming, read = .readPriming,
    describe = function(result, run, params) {
        paste0("priming: by ", params$method)
    }
)
