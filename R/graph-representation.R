# What neighbours are searched in, and the search.

#' @include graph-neighbors.R
NULL

# How many cells the recall is measured on.
.recallCells <- 1000L

.searchNeighbors <- function(job, rep, settings, experiment) {
    n <- nrow(rep$matrix)
    k <- .usableNeighbors(settings$n_neighbors, n, job$call)
    if (!settings$knn) .checkDenseGraph(n, job$call)
    how <- if (!settings$knn) "exact" else settings$transformer
    p <- if (is.null(settings$metric_kwds$p)) 2 else settings$metric_kwds$p
    out <- .native(
        job, rs_graph_neighbors, rep$matrix, n, ncol(rep$matrix), k,
        settings$metric, p, settings$method, settings$knn,
        if (is.null(how)) "auto" else how, settings$random_state,
        if (settings$report_recall) .recallCells else 0L,
        cell_names = rownames(rep$matrix)
    )
    if (settings$report_recall) .informRecall(out$search)
    params <- list(
        n_neighbors = k, knn = settings$knn, method = settings$method,
        transformer = settings$transformer, metric = settings$metric,
        metric_kwds = settings$metric_kwds,
        random_state = settings$random_state, use_rep = rep$name,
        n_pcs = ncol(rep$matrix), assay = rep$assay, experiment = experiment
    )
    list(
        out = out, names = rownames(rep$matrix), params = params,
        run = .run(
            job, exact = out$search$exact,
            distances_computed = out$search$distances_computed,
            recall = out$search$recall
        )
    )
}

.informRecall <- function(search) {
    .inform(paste0(
        "The ", if (search$exact) "exact" else "approximate",
        " search found ", format(100 * search$recall, digits = 4),
        "% of the true neighbours of a sample of cells."
    ))
}

# A graph of all pairs: its size in memory must be allowed.
.checkDenseGraph <- function(n, call) {
    most <- 20000L
    if (n > most) {
        .abort(
            "range", paste0(
                "`knn = FALSE` joins all pairs of at most ", most,
                " cells, not of ", n, "."
            ), "Use `knn = TRUE`.",
            argument = "knn", value = n, max = most, call = call
        )
    }
    bytes <- 12 * as.double(n)^2
    limit <- getOption("fatecast.memory_limit", 4 * 2^30)
    if (bytes > limit) {
        .abort(
            "memory", paste0(
                "The graph of all pairs of ", n, " cells needs ",
                format(bytes / 2^30, digits = 3), " GiB, more than the limit ",
                "of ", format(limit / 2^30, digits = 3), " GiB."
            ), paste(
                "Raise options(fatecast.memory_limit = <bytes>) or use",
                "`knn = TRUE`."
            ), bytes = bytes, limit = limit, call = call
        )
    }
}

.usableNeighbors <- function(k, n, call = rlang::caller_env()) {
    if (n < 2L) {
        .abort(
            "shape", paste0(
                "A neighbour graph needs at least two cells, not ", n, "."
            ), call = call
        )
    }
    if (k <= n) return(k)
    used <- max(2L, 1L + n %/% 2L)
    .warn("replaced_argument", paste0(
        "`n_neighbors` = ", k, " exceeds the ", n, " cells; ", used,
        " is used."
    ), argument = "n_neighbors", value = used)
    used
}

# Cells x coordinates, finite, and the name of what was read.
.readRepresentation <- function(x, use_rep, n_pcs, assay, experiment,
                                call = rlang::caller_env()) {
    .checkString(use_rep, null = TRUE, arg = "use_rep", call = call)
    name <- use_rep
    read <- NULL
    if (.containerClass(x) == "matrix") {
        m <- x
        name <- "X"
    } else if (.usesAssay(x, use_rep, n_pcs, experiment)) {
        m <- .readAssay(x, assay, experiment = experiment)
        m <- t(.dense(m, "The assay", call))
        name <- "X"
        read <- .assayName(x, assay)
        n_pcs <- NULL
    } else {
        if (is.null(name)) name <- .keyPCA(x)
        if (is.null(use_rep) && !.hasEmbedding(x, name, experiment)) {
            .noPCA(x, experiment, call)
        }
        m <- .readEmbedding(x, name, experiment)
    }
    if (!is.null(n_pcs) && n_pcs > ncol(m)) {
        .abort(
            "range", paste0(
                "`n_pcs` = ", n_pcs, ", but `", name, "` has ", ncol(m),
                " columns."
            ), argument = "n_pcs", value = n_pcs, call = call
        )
    }
    if (!is.null(n_pcs) && n_pcs > 0) m <- m[, seq_len(n_pcs), drop = FALSE]
    m <- .checkEmbedding(m, paste0("The embedding `", name, "`"), call = call)
    if (is.null(rownames(m))) rownames(m) <- .cellNames(x)
    list(matrix = m, name = name, assay = read)
}

.usesAssay <- function(x, use_rep, n_pcs, experiment) {
    if (!is.null(use_rep)) return(identical(use_rep, "X"))
    isTRUE(n_pcs == 0) || length(.featureNames(x, experiment)) <= 50L
}

.hasEmbedding <- function(x, name, experiment = NULL) {
    there <- .embeddingNames(x, experiment)
    tolower(name) %in% sub("^x_", "", tolower(there))
}

.noPCA <- function(x, experiment, call) {
    .abort(
        "missing_key", paste0(
            "The object has no PCA to find neighbours in; its embeddings ",
            "are ", .someNames(.embeddingNames(x, experiment)), "."
        ), paste(
            "Run computePCA() first, or name an embedding with `use_rep`",
            "(\"X\" for the assay itself)."
        ), key = .keyPCA(x), call = call
    )
}
