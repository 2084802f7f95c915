#' Transitions along the CytoTRACE pseudotime
#'
#' A [PseudotimeKernel()] for data without a pseudotime: [computeCytotrace()]
#' makes one from expression alone, and the kernel lets the neighbour graph run
#' with it, from immature to mature cells.
#'
#' The kernel reads the column `ct_pseudotime`, which [computeCytotrace()]
#' writes, applied to the object or to the kernel; computing the matrix before
#' is an error. Schemes, empty rows, warnings, cost, randomness and threads: as
#' described for [PseudotimeKernel()]. Backward kernels use `max(t) - t`.
#'
#' @inheritParams PseudotimeKernel
#' @param ... Passed to a custom scheme. With `"hard"` and `"soft"` not used; an
#'   unknown argument is an error.
#' @return `CytoTRACEKernel()` gives a kernel that is not computed yet;
#'   [computeTransitionMatrix()] fills it.
#' @section Errors:
#' `not_computed` before [computeCytotrace()]; otherwise those of
#' [PseudotimeKernel()].
#' @references Gulati, G.S. et al. (2020) Single-cell transcriptional diversity
#'   is a hallmark of developmental potential. Science 367, 405-411.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' k <- computeCytotrace(CytoTRACEKernel(sce), n_genes = 20)
#' computeTransitionMatrix(k, threshold_scheme = "soft")
#' @aliases CytoTRACEKernel-class
#' @include kernel-pseudotime.R
#' @export
CytoTRACEKernel <- function(object, backward = FALSE,
                            conn_key = "connectivities",
                            check_connectivity = FALSE,
                            check_symmetric = TRUE, experiment = NULL) {
    .checkContainer(object)
    .newKernel("CytoTRACEKernel", object, init = list(
        conn_key = .checkString(conn_key),
        check_connectivity = .checkFlag(check_connectivity),
        check_symmetric = .checkFlag(check_symmetric),
        experiment = .checkString(experiment, null = TRUE)
    ), backward = .checkDirection(backward))
}

#' @rdname CytoTRACEKernel
#' @exportClass CytoTRACEKernel
setClass("CytoTRACEKernel", contains = "PseudotimeKernel")

#' @rdname CytoTRACEKernel
#' @export
setMethod(
    "computeTransitionMatrix", "CytoTRACEKernel",
    methods::getMethod("computeTransitionMatrix", "PseudotimeKernel")
)

setMethod(".kernelTime", "CytoTRACEKernel", function(kernel) {
    x <- .kernelContainer(kernel)
    column <- .keyCytoTRACE$pseudotime
    if (!column %in% .cellDataNames(x)) {
        .abort(
            "not_computed", paste0(
                "This kernel has no pseudotime yet: the object has no column ",
                .someNames(column), "."
            ), "Run `kernel <- computeCytotrace(kernel)` first.",
            key = column
        )
    }
    list(values = .readTime(x, column), name = column)
})

#' CytoTRACE score and pseudotime
#'
#' Immature cells express more genes. The genes whose expression goes best with
#' the number of genes that a cell expresses are found, and their (smoothed)
#' expression in each cell, in one number, is its score.
#'
#' @section Details:
#' 1. For every cell the number of genes with expression above zero is counted
#'    in `expression`; 2. every gene of `expression` is correlated with it over
#'    cells (Pearson's r; CellRank multiplies r by `n / (n - 1)`, which changes
#'    no order); 3. the `n_genes` genes with the largest correlations that
#'    `assay` holds (ties by position, genes that do not vary last) are
#'    aggregated in `assay` for every cell, genes that are not stored counting
#'    as zero; 4. the result is scaled to run from 0 to 1 over cells: the score.
#'    Pseudotime is one minus the score.
#'
#' The score of a cell thus depends on all cells: compute it again after
#' subsetting. Raw data with many genes (10,000 and more) carry the signal
#' best; a message tells when there are fewer. Geometric and harmonic means are
#' zero wherever one of the genes is. Sparse assays stay sparse, assays on disk
#' are read in blocks of cells. Time O(entries), memory O(cells + genes);
#' nothing is random; the same bits on any number of threads.
#'
#' @param x A [CytoTRACEKernel()], or a `SingleCellExperiment` or `Seurat`
#'   object.
#' @param assay Assay whose values are aggregated, features x cells; `"Ms"`, the
#'   moments of [velocity kernels][VelocityKernel()], by default.
#' @param aggregation `"mean"`, `"median"`, `"gmean"` (geometric mean) or
#'   `"hmean"` (harmonic mean).
#' @param n_genes Number of genes to aggregate, at least 1.
#' @param expression Assay in which genes are counted and correlated; NULL for
#'   the log-normalised one.
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object; NULL for the main one.
#' @param ... Not used; an unknown argument is an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @return What was passed, with the result in its object; a kernel forgets the
#'   matrix of an earlier pseudotime.
#' @section Storage:
#' Columns of cells `ct_score`, `ct_pseudotime` and `ct_num_exp_genes`; columns
#' of features `ct_gene_corr` and `ct_correlates` (whether the gene was used);
#' record `ct_params`.
#' @section Errors:
#' `missing_key` for assays that are not there; `range` for `n_genes` below 1,
#' values that are not finite, a selected gene without variation, negative
#' values under a geometric or harmonic mean, and a score that is the same in
#' all cells. A warning `dropped` when there are fewer genes than `n_genes`.
#' @references Gulati, G.S. et al. (2020) Single-cell transcriptional diversity
#'   is a hallmark of developmental potential. Science 367, 405-411.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' sce <- computeCytotrace(sce, n_genes = 20)
#' cor(sce$ct_pseudotime, sce$pseudotime)
#' @rdname computeCytotrace
#' @export
setMethod("computeCytotrace", "ANY", function(
        x, assay = "Ms", aggregation = c("mean", "median", "gmean", "hmean"),
        n_genes = 200, expression = NULL, experiment = NULL, ...,
        n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    .checkContainer(x)
    params <- list(
        assay = .checkString(assay), aggregation = .checkChoice(
            aggregation, c("mean", "median", "gmean", "hmean")
        ), n_genes = .checkCount(n_genes),
        expression = .checkString(expression, null = TRUE),
        experiment = .checkString(experiment, null = TRUE)
    )
    job <- .job(n_threads, show_progress_bar, "CytoTRACE")
    counted <- .readAssay(x, params$expression, experiment = experiment)
    smooth <- .readAssay(x, params$assay, experiment = experiment)
    params["expression"] <- list(.assayName(x, params$expression))
    genes <- .cytotraceGenes(job, counted)
    selected <- .cytotraceSelect(
        genes, rownames(counted), rownames(smooth), params
    )
    params$n_genes <- length(selected)
    scores <- .cytotraceScores(job, smooth, selected, params)
    .writeCytotrace(x, genes, scores, rownames(counted), selected, params, job)
})

#' @rdname computeCytotrace
#' @export
setMethod("computeCytotrace", "CytoTRACEKernel", function(
        x, assay = "Ms", aggregation = c("mean", "median", "gmean", "hmean"),
        n_genes = 200, expression = NULL, experiment = x@init$experiment, ...,
        n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    x@container <- computeCytotrace(
        .kernelContainer(x), assay = assay, aggregation = aggregation,
        n_genes = n_genes, expression = expression, experiment = experiment,
        n_threads = n_threads, show_progress_bar = show_progress_bar
    )
    x@matrix <- NULL
    x@params <- list()
    x@run <- list()
    x
})

# Numbers of expressed genes, correlations with them, and the order of these.
.cytotraceGenes <- function(job, m) {
    state <- NULL
    blocks <- lapply(.cellBlocks(m), function(block) {
        list(cells = block, counts = NULL)
    })
    for (k in seq_along(blocks)) {
        cells <- blocks[[k]]$cells
        out <- .native(
            job, rs_cytotrace_moments, .matrixArg(.readBlock(m, cells)),
            state, cell_names = colnames(m)[cells],
            advice = "Expression must be finite in every cell."
        )
        state <- out$state
        blocks[[k]]$counts <- out$counts
    }
    found <- .native(job, rs_cytotrace_genes, state, nrow(m), nrow(m))
    list(
        counts = unlist(lapply(blocks, `[[`, "counts")), corr = found$corr,
        order = found$selected
    )
}

# Names of the genes to aggregate, best first.
.cytotraceSelect <- function(genes, counted, smooth, params,
                             call = rlang::caller_env()) {
    if (length(counted) < 1e4) {
        .inform(paste0(
            "CytoTRACE counts expressed genes, here of ", length(counted),
            ". It works best on 10,000 genes or more: use as many as were ",
            "measured."
        ))
    }
    names <- counted[genes$order]
    names <- names[names %in% smooth]
    if (!length(names)) {
        .abort("no_state", paste0(
            "None of the ", .count(length(counted), "gene"), " is in the ",
            "assay `", params$assay, "`."
        ), assay = params$assay, call = call)
    }
    selected <- utils::head(names, params$n_genes)
    flat <- selected[is.na(genes$corr[match(selected, counted)])]
    if (length(flat)) {
        .abort("range", paste0(
            .count(length(flat), "gene"), " among the ", length(selected),
            " selected have no correlation, since they (or the numbers of ",
            "expressed genes) do not vary: ", .someNames(flat), "."
        ), "Remove such genes, or choose a smaller `n_genes`.",
        features = flat, call = call)
    }
    if (length(selected) < params$n_genes) {
        .warn("dropped", paste0(
            "CytoTRACE uses ", .count(length(selected), "gene"),
            ", all there are, instead of ", params$n_genes, "."
        ), expected = params$n_genes, found = length(selected))
    }
    selected
}

.cytotraceScores <- function(job, m, selected, params) {
    if (methods::is(m, "DelayedArray")) {
        # Only these rows need to be read.
        m <- m[selected, , drop = FALSE]
    }
    at <- match(selected, rownames(m))
    values <- lapply(.cellBlocks(m), function(block) {
        .native(
            job, rs_cytotrace_aggregate, .matrixArg(.readBlock(m, block)), at,
            params$aggregation, cell_names = colnames(m)[block],
            advice = paste0("See the assay `", params$assay, "`.")
        )
    })
    .native(job, rs_cytotrace_scale, unlist(values), advice = paste0(
        "The selected genes of the assay `", params$assay,
        "` do not tell cells apart: choose another `assay`, `aggregation` or ",
        "`n_genes`."
    ))
}

.writeCytotrace <- function(x, genes, scores, features, selected, params,
                            job) {
    key <- .keyCytoTRACE
    cells <- list(scores$score, scores$pseudotime, genes$counts)
    names(cells) <- c(key$score, key$pseudotime, key$num_exp_genes)
    columns <- data.frame(genes$corr, features %in% selected)
    names(columns) <- c(key$gene_corr, key$correlates)
    record <- .record(
        "computeCytotrace", params, .run(job), .cellNames(x),
        keys = c(names(cells), names(columns))
    )
    x <- .writeCellData(x, cells)
    x <- .writeFeatureData(x, columns, params$experiment)
    .writeRecord(x, key$params, record)
}
