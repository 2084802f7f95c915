#' Genes with enough spliced and unspliced counts
#'
#' Keeps genes that were seen often enough for velocities, and remembers the
#' totals that cells had before.
#'
#' @section Details:
#' A gene stays if its spliced counts pass `min_counts`, `max_counts` (sum over
#' cells) and `min_cells`, `max_cells` (cells with more than 0), its unspliced
#' counts the same with `_u`, and the counts shared by both `min_shared_counts`
#' (sum of both counts over the cells that have both) and `min_shared_cells`.
#' All bounds are inclusive. Genes in `retain_genes` always stay. Totals of the
#' cells before the filter are stored as `initial_size_spliced`,
#' `initial_size_unspliced` and `initial_size` (of `counts`, else of the spliced
#' assay) unless there are such columns: [computeMoments()] divides by them. No
#' counts are rewritten: there is nothing to normalise twice.
#'
#' `NA` and negative counts are refused. Not random; threads change nothing.
#' Time O(counts), memory O(genes) beside the result; assays on disk are read in
#' blocks of genes.
#'
#' @inheritParams computeMoments
#' @param min_counts,min_cells,max_counts,max_cells Bounds of the spliced
#'   counts; NULL for none.
#' @param min_counts_u,min_cells_u,max_counts_u,max_cells_u Bounds of the
#'   unspliced counts.
#' @param min_shared_counts,min_shared_cells Bounds of the shared counts.
#' @param retain_genes Names of genes that stay anyway.
#' @return The object with fewer genes, the columns of totals and a record,
#'   `parameters(x, "filter")`.
#' @section Errors:
#' `missing_key` (assays, genes to retain), `shape`, `range`, `no_state` when no
#' gene is left.
#' @references Bergen, V. et al. (2020) Generalizing RNA velocity to transient
#'   cell states through dynamical modeling. Nature Biotechnology 38, 1408-1414.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' dim(filterAndNormalize(sce, min_shared_counts = 20))
#' @include velocity-data.R
#' @export
filterAndNormalize <- function(x, min_counts = NULL, min_counts_u = NULL,
                               min_cells = NULL, min_cells_u = NULL,
                               max_counts = NULL, max_counts_u = NULL,
                               max_cells = NULL, max_cells_u = NULL,
                               min_shared_counts = NULL,
                               min_shared_cells = NULL, retain_genes = NULL,
                               spliced = NULL, unspliced = "unspliced",
                               experiment = NULL, n_threads = NULL,
                               show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    .checkString(spliced, null = TRUE)
    .checkString(unspliced)
    .checkString(experiment, null = TRUE)
    bounds <- list(
        min_counts = min_counts, max_counts = max_counts,
        min_cells = min_cells, max_cells = max_cells,
        min_counts_u = min_counts_u, max_counts_u = max_counts_u,
        min_cells_u = min_cells_u, max_cells_u = max_cells_u,
        min_shared_counts = min_shared_counts,
        min_shared_cells = min_shared_cells
    )
    for (name in names(bounds)) {
        .checkNumber(bounds[[name]], 0, null = TRUE, arg = name)
    }
    job <- .job(n_threads, show_progress_bar, "Gene filter")
    counts <- .velocityCounts(x, spliced, unspliced, experiment, job$call)
    sizes <- .filterSizes(x, counts, experiment, job)
    keep <- .passingGenes(counts$matrices, bounds, retain_genes, job)
    genes <- rownames(counts$matrices[[1L]])[keep]
    x <- .keepFeatures(x, genes, experiment)
    if (length(sizes)) x <- .writeCellData(x, sizes)
    params <- c(bounds, list(
        retain_genes = retain_genes, spliced = counts$names[["spliced"]],
        unspliced = unspliced, experiment = experiment
    ))
    record <- .record(
        "filterAndNormalize", params,
        run = .run(job, genes_before = length(keep), genes_after = sum(keep)),
        cells = .cellNames(x), keys = names(sizes)
    )
    .writeRecord(x, .keyFilterRecord, record, nested = FALSE)
}

# Totals of the cells that are not stored yet.
.filterSizes <- function(x, counts, experiment, job) {
    surveys <- lapply(names(counts$names), function(kind) {
        .surveyCounts(counts$matrices[[kind]], counts$names[[kind]], job)
    })
    names(surveys) <- names(counts$names)
    main <- intersect("counts", .assayNames(x, experiment))
    surveys$main <- if (length(main) && main != counts$names[["spliced"]]) {
        .surveyCounts(.readAssay(x, main, experiment = experiment), main, job)
    } else {
        surveys$spliced
    }
    .initialSizes(x, surveys)
}

# Which genes stay.
.passingGenes <- function(matrices, bounds, retain_genes, job) {
    names <- rownames(matrices[[1L]])
    unknown <- setdiff(retain_genes, names)
    if (length(unknown)) {
        .missingKey("gene", unknown, names, call = job$call)
    }
    seen <- lapply(.geneBlocks(matrices), function(genes) {
        as.data.frame(.native(
            job, rs_velocity_gene_counts,
            .readGenes(matrices$spliced, genes),
            .readGenes(matrices$unspliced, genes)
        ))
    })
    seen <- do.call(rbind, seen)
    keep <- rep(TRUE, length(names))
    for (name in names(bounds)[!vapply(bounds, is.null, logical(1))]) {
        of <- seen[[sub("^(min|max)_", "", name)]]
        keep <- keep & if (startsWith(name, "min")) {
            of >= bounds[[name]]
        } else {
            of <= bounds[[name]]
        }
    }
    keep <- keep | names %in% retain_genes
    if (!any(keep)) {
        .abort(
            "no_state", paste0(
                "None of the ", .count(length(keep), "gene"), " passes the ",
                "filter."
            ), "Lower the bounds.", call = job$call
        )
    }
    keep
}
