# Storing velocities.

#' @include velocity-groups.R
NULL

# Assays, columns and records together; all or nothing.
.storeVelocity <- function(x, result, settings, job) {
    data <- result$data
    out <- result$out
    genes <- .featureNames(x, settings$experiment)
    if (settings$filter_genes) {
        genes <- genes[result$genes]
        x <- .keepFeatures(x, genes, settings$experiment)
    } else if (settings$store == "velocity_genes") {
        out <- lapply(
            out, .spreadGenes, at = result$genes, genes = genes,
            call = job$call
        )
    }
    store <- if (settings$filter_genes) "all" else settings$store
    if (!is.null(out$Ms)) {
        x <- .storeMoments(
            x, out, data, data$how, result$found, job, store = store
        )
        out$Ms <- out$Mu <- NULL
    }
    keys <- c(
        velocity = settings$vkey, variance = .keyVariance(settings$vkey)
    )[names(out)]
    .warnForeign(x, keys, .assayNames(x, settings$experiment), "assay")
    for (what in names(keys)) {
        x <- .writeAssay(x, keys[[what]], out[[what]], settings$experiment)
        out[what] <- list(NULL)
    }
    columns <- .velocityColumns(result, settings)
    x <- .writeFeatureData(x, columns, settings$experiment)
    record <- .record(
        "estimateVelocity", c(settings, list(
            targets = lapply(data$sizes, function(s) s$target),
            graph_key = data$graph$key, graph = data$graph$matrix
        )),
        run = .run(
            job, velocity_genes = colSums(result$chosen$genes),
            degenerate_genes = colSums(result$found$degenerate),
            fallback = result$chosen$fallback
        ),
        cells = .cellNames(x), keys = c(unname(keys), names(columns))
    )
    .writeRecord(x, .keyParams(settings$vkey), record, nested = FALSE)
}

# Rows of some genes as a sparse matrix of all.
.spreadGenes <- function(m, at, genes, call) {
    entries <- as.double(length(at)) * ncol(m)
    if (entries > .Machine$integer.max) {
        .abort(
            "memory", paste0(
                "The velocities of ", length(at), " genes are ", entries,
                " values, more than a sparse matrix can hold."
            ), "Use `store = \"all\"` or `filter_genes = TRUE`.",
            entries = entries, call = call
        )
    }
    cells <- colnames(m)
    p <- length(at) * seq(0L, length(cells))
    methods::new(
        "dgCMatrix",
        i = rep.int(at - 1L, length(cells)), p = as.integer(p),
        x = as.vector(m), Dim = c(length(genes), length(cells)),
        Dimnames = list(genes, cells)
    )
}

# Columns of features, one set for each level that was fitted by itself.
.velocityColumns <- function(result, settings) {
    found <- result$found
    found$genes <- result$chosen$genes
    what <- c(
        gamma = "gamma", qreg_ratio = "ratio", r2 = "r2", genes = "genes",
        if (settings$fit_offset) c(offset = "offset"),
        if (settings$fit_offset2 && settings$mode == "stochastic") {
            c(offset2 = "offset2")
        }
    )
    kept <- if (settings$filter_genes) result$genes else TRUE
    levels <- result$data$groups$levels
    columns <- lapply(seq_len(ncol(found$r2)), function(g) {
        values <- lapply(what, function(field) found[[field]][kept, g])
        names(values) <- .keyVelocityColumn(
            settings$vkey, names(what), levels[g]
        )
        values
    })
    columns <- unlist(columns, recursive = FALSE)
    if (!is.null(levels)) {
        union <- rowSums(found$genes[kept, , drop = FALSE]) > 0
        columns[[.keyVelocityGenes(settings$vkey)]] <- unname(union)
    }
    as.data.frame(columns, optional = TRUE)
}
