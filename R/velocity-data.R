# Counts, sizes and graph for RNA velocity; reading by blocks of genes, and the
# one call that makes moments and velocities.

#' @include container.R key.R record.R job.R assay-block.R graph-lookup.R
NULL

# ---- Counts ----

# Spliced and unspliced counts as they are stored, of one shape, and their
# names.
.velocityCounts <- function(x, spliced, unspliced, experiment, call) {
    if (.containerClass(x) == "matrix") {
        .refuseMatrix(x, "holds no assays of counts", call)
    }
    there <- .assayNames(x, experiment)
    if (is.null(spliced)) {
        spliced <- intersect(c("spliced", "counts"), there)[1L]
        if (is.na(spliced)) spliced <- "spliced"
    }
    hint <- paste(
        "Velocity needs spliced and unspliced counts, as velocyto, alevin-fry",
        "or kallisto | bustools write them (assays `spliced`, `unspliced`)."
    )
    names <- c(spliced = spliced, unspliced = unspliced)
    for (name in names[!names %in% there]) {
        .missingKey("assay", name, there, hint, call = call)
    }
    counts <- lapply(names, function(name) {
        .readAssay(x, name, experiment = experiment)
    })
    .checkSameGenes(counts, names, call)
    list(matrices = counts, names = names)
}

.checkSameGenes <- function(matrices, names, call) {
    a <- matrices[[1L]]
    b <- matrices[[2L]]
    if (identical(dim(a), dim(b)) && identical(dimnames(a), dimnames(b))) {
        return(invisible())
    }
    .abort(
        "shape", paste0(
            "The assays ", .someNames(names), " must have the same genes and ",
            "cells, but they are ", nrow(a), " x ", ncol(a), " and ", nrow(b),
            " x ", ncol(b), if (identical(dim(a), dim(b))) {
                " with different names"
            }, "."
        ),
        assay = unname(names), dim = list(dim(a), dim(b)), call = call
    )
}

# Blocks of genes: one for matrices in memory; on disk such that a dense block
# stays near 100 MB.
.geneBlocks <- function(matrices) {
    genes <- nrow(matrices[[1L]])
    on_disk <- vapply(matrices, is, logical(1), "DelayedArray")
    if (!any(on_disk) || genes == 0L) {
        return(list(seq_len(genes)))
    }
    size <- getOption("fatecast.block_bytes", 1e8)
    lanes <- max(1, floor(size / 64 / max(1L, ncol(matrices[[1L]]))))
    unname(split(seq_len(genes), (seq_len(genes) - 1L) %/% (8 * lanes)))
}

# A block of genes as a native call takes it, sparse if its source is.
.readGenes <- function(m, genes) {
    block <- if (length(genes) == nrow(m)) m else m[genes, , drop = FALSE]
    if (is(m, "DelayedArray")) {
        block <- if (DelayedArray::is_sparse(m)) {
            as(block, "dgCMatrix")
        } else {
            as.matrix(block)
        }
    } else if (is(block, "Matrix") && !is(block, "sparseMatrix")) {
        block <- as.matrix(block)
    }
    .matrixArg(block)
}

# Totals of the cells and whether all values are whole; what cannot be a count
# is refused.
.surveyCounts <- function(m, name, job) {
    parts <- lapply(.geneBlocks(list(m)), function(genes) {
        found <- .native(job, rs_velocity_survey, .readGenes(m, genes))
        labels <- rownames(m)[genes]
        .refuseValues(
            found$not_finite, "missing or infinite", name, labels, job
        )
        .refuseValues(found$negative, "negative", name, labels, job)
        found
    })
    list(
        totals = Reduce(`+`, lapply(parts, function(p) p$totals)),
        whole = all(vapply(parts, function(p) p$whole, logical(1)))
    )
}

.refuseValues <- function(flaws, what, name, labels, job) {
    if (!length(flaws$genes)) {
        return(invisible())
    }
    genes <- labels[flaws$genes]
    .abort(
        "range", paste0(
            "The assay ", .someNames(name), " has ",
            .count(sum(flaws$counts), paste(what, "value")), " in ",
            .count(length(genes), "gene"), ": ", .someNames(genes), "."
        ), "Remove these genes, or make the assay again.",
        assay = name, genes = genes, count = sum(flaws$counts),
        call = job$call
    )
}

# ---- Sizes ----

# What the counts of each cell are divided by, spliced and unspliced: list of
# `divisors` and `target` (NULL for an assay that is normalised already) and the
# totals of the cells.
.velocitySizes <- function(x, counts, settings, job) {
    kinds <- c(spliced = "spliced", unspliced = "unspliced")
    lapply(kinds, function(kind) {
        m <- counts$matrices[[kind]]
        survey <- .surveyCounts(m, counts$names[[kind]], job)
        raw <- settings$normalize
        if (identical(raw, "auto")) raw <- survey$whole
        if (!raw) {
            return(list(totals = survey$totals))
        }
        size <- .cellSizes(x, kind, survey, settings, job)
        share <- settings$max_proportion_per_cell
        if (!is.null(share) && share > 0 && share < 1) {
            size <- Reduce(`+`, lapply(.geneBlocks(list(m)), function(genes) {
                .native(
                    job, rs_velocity_light_totals, .readGenes(m, genes), size,
                    share
                )
            }))
        }
        after <- settings$counts_per_cell_after
        out <- .unwrap(
            rs_velocity_divisors(size, if (is.null(after)) 0 else after),
            call = job$call, cell_names = .cellNames(x)
        )
        list(
            divisors = out$divisors, target = out$target,
            totals = survey$totals
        )
    })
}

.cellSizes <- function(x, kind, survey, settings, job) {
    given <- settings$counts_per_cell
    if (is.list(given)) given <- given[[kind]]
    key <- .keyInitialSize(kind)
    stored <- settings$use_initial_size && key %in% .cellDataNames(x)
    size <- if (!is.null(given)) {
        given
    } else if (stored) {
        .readCellData(x, key)
    } else {
        survey$totals
    }
    n <- length(survey$totals)
    if (!is.numeric(size) || length(size) != n) {
        .abort(
            "shape", paste0(
                "The sizes of the cells (", if (is.null(given)) {
                    paste0("column `", key, "`")
                } else {
                    "`counts_per_cell`"
                }, ") must be ", n, " numbers, not ", .describe(size), "."
            ), call = job$call
        )
    }
    as.double(size)
}

# Totals that are not stored yet, as columns of cells.
.initialSizes <- function(x, sizes) {
    columns <- lapply(sizes, function(s) s$totals)
    names(columns) <- vapply(names(sizes), .keyInitialSize, character(1))
    columns[setdiff(names(columns), .cellDataNames(x))]
}

# ---- Graph ----

# The graph whose neighbours are averaged, and how many of them.
.velocityGraph <- function(x, settings, call) {
    key <- settings$conn_key
    run <- if (.hasGraph(x, key)) .runOf(x, key)
    if (settings$mode == "distances") {
        key <- run$distances_key
        if (is.null(key)) {
            key <- sub("connectivities$", "distances", settings$conn_key)
        }
    }
    if (!.hasGraph(x, key)) {
        .missingGraph(x, key, call)
    }
    graph <- .checkGraph(
        .readGraph(x, key), paste0("The graph `", key, "`"),
        isolated = TRUE, call = call
    )
    own <- run$params$n_neighbors
    if (!is.numeric(own) || own < 1) own <- NULL
    # Nobody asked for the default.
    asked <- settings$n_neighbors != formals(computeMoments)$n_neighbors
    if (!is.null(own) && asked && settings$n_neighbors > own) {
        .inform(paste0(
            "`n_neighbors` is ", settings$n_neighbors, ", but the graph `",
            key, "` was made with ", own, ": all neighbours in it are used."
        ))
    }
    list(
        matrix = graph, key = key, own = own,
        n_neighbors = settings$n_neighbors,
        smallest = settings$mode == "distances"
    )
}

.graphArg <- function(graph, compat = FALSE, within = NULL) {
    if (is.null(graph)) {
        return(NULL)
    }
    list(
        slots = .slots(graph$matrix), smallest = graph$smallest,
        n_neighbors = as.double(graph$n_neighbors),
        own = if (!is.null(graph$own)) as.double(graph$own),
        within = if (compat) within, whole_second = compat
    )
}

.warnIsolated <- function(isolated, cells) {
    if (!length(isolated)) {
        return(invisible())
    }
    .warn("disconnected", paste0(
        .count(length(isolated), "cell"), " without a neighbour: ",
        "their moments are their own counts (", .someNames(cells[isolated]),
        ")."
    ), cells = cells[isolated])
}

# ---- The native call ----

# Room for dense results within options(fatecast.memory_limit); they are filled
# in place by the core and belong to nobody else until then.
.denseResults <- function(names, genes, cells, call) {
    bytes <- 8 * as.double(length(genes)) * length(cells) * length(names)
    limit <- getOption("fatecast.memory_limit", 4 * 2^30)
    if (bytes > limit) {
        .abort(
            "memory", paste0(
                "The assays ", .someNames(names), " of ", length(genes),
                " genes and ", length(cells), " cells need ",
                format(bytes / 2^30, digits = 3),
                " GiB, more than the limit of ",
                format(limit / 2^30, digits = 3), " GiB."
            ), paste(
                "Choose fewer genes, use estimateVelocity(store =",
                "\"velocity_genes\"), or raise",
                "options(fatecast.memory_limit = <bytes>)."
            ), bytes = bytes, limit = limit, call = call
        )
    }
    results <- lapply(names, function(name) {
        # Made in one piece: dimensions set later would copy it.
        tryCatch(
            matrix(
                0, length(genes), length(cells), dimnames = list(genes, cells)
            ),
            error = function(e) .abort(
                "memory", paste0(
                    format(bytes / 2^30, digits = 3), " GiB for the assays ",
                    .someNames(names), " could not be had."
                ), "Choose fewer genes.", bytes = bytes, call = call
            )
        )
    })
    names(results) <- names
    results
}

# Moments and fits of all genes, block by block; `out` names the results to fill
# by what they are: `Ms`, `Mu`, `velocity`, `variance`. Returns the fits, each a
# matrix of genes x groups.
.estimateGenes <- function(job, data, fit = NULL, out = list(),
                           refit = NULL) {
    blocks <- .geneBlocks(data$matrices)
    all <- nrow(data$matrices[[1L]])
    parts <- lapply(blocks, function(genes) {
        input <- list(
            spliced = .readGenes(data$matrices$spliced, genes),
            unspliced = .readGenes(data$matrices$unspliced, genes),
            divisors_s = data$sizes$spliced$divisors,
            divisors_u = data$sizes$unspliced$divisors,
            Ms = if (!is.null(data$moments)) .readGenes(data$moments$Ms, genes),
            Mu = if (!is.null(data$moments)) .readGenes(data$moments$Mu, genes),
            graph = data$graph_arg, use_raw = isTRUE(data$use_raw)
        )
        if (!is.null(fit)) {
            fit$allowed <- data$allowed[genes]
            fit$refit <- if (!is.null(refit)) {
                as.vector(refit[genes, , drop = FALSE])
            }
        }
        part <- .native(
            job, rs_velocity_estimate, input, fit,
            as.double(c(genes[1L] - 1L, all)),
            out$Ms, out$Mu, out$velocity, out$variance,
            cell_names = colnames(data$matrices[[1L]])
        )
        labels <- rownames(data$matrices[[1L]])[genes]
        for (k in 1:2) .refuseValues(
            part[[c("not_finite_s", "not_finite_u")[k]]],
            "missing or infinite", .keyMoments[[k]], labels, job
        )
        part
    })
    fields <- c(
        "gamma", "ratio", "offset", "offset2", "r2", "selected", "refitted",
        "degenerate"
    )
    fits <- lapply(fields, function(field) {
        do.call(rbind, Map(function(part, genes) {
            matrix(part[[field]], length(genes))
        }, parts, blocks))
    })
    names(fits) <- fields
    c(fits, parts[[1L]][c("kept", "isolated")])
}
