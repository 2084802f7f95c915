# The numbers of lineage drivers: one row per gene in the order of the object,
# five columns per lineage.

.driverStatistics <- c("corr", "pval", "qval", "ci_low", "ci_high")

# Names of the columns of these lineages.
.driverColumns <- function(lineages) {
    paste0(
        rep(lineages, each = length(.driverStatistics)), "_", .driverStatistics
    )
}

# The lineages of a table.
.driverLineages <- function(table) {
    first <- seq(1L, by = length(.driverStatistics), length.out =
        length(table) %/% length(.driverStatistics))
    sub("_corr$", "", names(table)[first])
}

# `p` holds the cells of `m` at `cells` only.
.driverTable <- function(job, m, cells, p, how) {
    out <- if (how$method == "fisher") {
        .fisherDrivers(job, m, cells, p, how)
    } else {
        .permutedDrivers(job, m, cells, p, how)
    }
    out <- lapply(out[.driverStatistics], matrix, ncol = ncol(p))
    columns <- lapply(seq_len(ncol(p)), function(k) {
        lapply(unname(out), function(values) values[, k])
    })
    columns <- unlist(columns, recursive = FALSE)
    names(columns) <- .driverColumns(colnames(p))
    data.frame(columns, row.names = rownames(m), check.names = FALSE)
}

.driverAdvice <- paste(
    "Correlations need numbers: look for NA, NaN or Inf in the assay, or use",
    "another one."
)

# Moments by blocks of cells, then correlations and their tests.
.fisherDrivers <- function(job, m, cells, p, how) {
    moments <- NULL
    for (block in .cellBlocks(m)) {
        at <- intersect(block, cells)
        if (!length(at)) next
        moments <- .native(
            job, rs_lineage_moments, .matrixArg(.readBlock(m, at)),
            p[match(at, cells), , drop = FALSE], ncol(p), moments,
            cell_names = colnames(m)[at], advice = .driverAdvice
        )
    }
    .native(job, rs_lineage_fisher, moments, how$confidence_level, how$compat)
}

# Every gene needs all cells at once: an assay on disk is read by blocks of
# genes. All blocks use the same draws.
.permutedDrivers <- function(job, m, cells, p, how) {
    options <- c(how, list(seed = how$random_state))
    parts <- lapply(.featureBlocks(m), function(block) {
        part <- .native(
            job, rs_lineage_permute, .matrixArg(.genesOver(m, block, cells)),
            p, ncol(p), options, cell_names = colnames(m)[cells],
            advice = .driverAdvice
        )
        lapply(part, matrix, ncol = ncol(p))
    })
    out <- lapply(c(corr = 1L, pval = 2L, ci_low = 3L, ci_high = 4L),
        function(k) do.call(rbind, lapply(parts, `[[`, k)))
    out$qval <- .native(job, rs_lineage_qvalues, out$pval, ncol(p))
    out
}

# Blocks of genes of a matrix on disk, each near 100 MB when dense; one block
# for a matrix in memory.
.featureBlocks <- function(m, bytes = 1e8) {
    n <- nrow(m)
    if (!methods::is(m, "DelayedArray")) return(list(seq_len(n)))
    size <- max(1L, as.integer(bytes / 8 / max(1L, ncol(m))))
    lapply(seq(1L, max(n, 1L), by = size), function(s) s:min(s + size - 1L, n))
}

# A block of genes over some cells in memory, sparse if the source is.
.genesOver <- function(m, genes, cells) {
    if (length(genes) < nrow(m)) m <- m[genes, , drop = FALSE]
    .readBlock(m, cells)
}

# Says which genes and lineages have no correlation for want of variation.
.warnConstant <- function(table, p, compat = FALSE) {
    missing <- is.na(as.matrix(
        table[paste0(colnames(p), "_corr")]
    ))
    flat <- vapply(seq_len(ncol(p)), function(k) {
        min(p[, k]) == max(p[, k])
    }, logical(1))
    if (any(flat)) {
        lineages <- colnames(p)[flat]
        .warn("dropped", paste0(
            .count(sum(flat), "lineage"), " without variation over the cells ",
            "got NA: ", .someNames(lineages), "."
        ), lineages = lineages)
    }
    constant <- rowSums(!missing[, !flat, drop = FALSE]) == 0L & !all(flat)
    if (any(constant)) {
        genes <- rownames(table)[constant]
        .warn("dropped", paste0(
            .count(sum(constant), "gene"), " without variation ",
            if (compat) "(or lifted beyond 1 by `compat`) ", "got NA: ",
            .someNames(genes), "."
        ), features = genes)
    }
}

# The table of one lineage, the strongest correlation first; the whole table for
# NULL.
.tidyDrivers <- function(table, lineage, call = rlang::caller_env()) {
    if (is.null(lineage)) return(table)
    .checkString(lineage, call = call)
    .knownStates(lineage, .driverLineages(table), "lineage", call)
    out <- stats::setNames(
        table[.driverColumns(lineage)], .driverStatistics
    )
    out <- data.frame(feature = rownames(table), out, row.names = NULL)
    out <- out[order(-out$corr, out$feature, na.last = TRUE), ]
    rownames(out) <- NULL
    out
}
