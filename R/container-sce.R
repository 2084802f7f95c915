# SingleCellExperiment: the only file that knows its slots. `experiment` names
# an alternative experiment.

#' @include container.R
NULL

# The experiment asked for: the object itself or one of its altExps.
#' @importFrom SingleCellExperiment altExp altExp<- altExpNames int_colData
.sceExperiment <- function(x, experiment, call = rlang::caller_env()) {
    if (is.null(experiment)) {
        return(x)
    }
    if (!experiment %in% altExpNames(x)) {
        .missingKey(
            "alternative experiment", experiment, altExpNames(x),
            call = call
        )
    }
    y <- altExp(x, experiment, withDimnames = TRUE)
    if (is(y, "SingleCellExperiment")) {
        return(y)
    }
    as(y, "SingleCellExperiment")
}

.sceReplace <- function(x, experiment, y) {
    if (is.null(experiment)) {
        return(y)
    }
    altExp(x, experiment) <- y
    x
}

setMethod(".containerClass", "SingleCellExperiment", function(x) {
    "SingleCellExperiment"
})
setMethod(".cellNames", "SingleCellExperiment", function(x) {
    .validNames(rownames(colData(x)), ncol(x), "cell", "colnames(x) <-")
})
setMethod(".featureNames", "SingleCellExperiment", function(x,
                                                           experiment = NULL) {
    y <- .sceExperiment(x, experiment)
    names <- names(.rowRangesOf(y))
    .validNames(names, nrow(y), "feature", "rownames(x) <-")
})

# The public accessor brings the ranges up to date each time, which takes longer
# than what is read from them.
.rowRangesOf <- function(y) slot(y, "rowRanges")

# ---- Assays ----

#' @importFrom SummarizedExperiment assay assay<- assayNames
setMethod(".readAssay", "SingleCellExperiment", function(x, assay = NULL,
                                                        features = NULL,
                                                        experiment = NULL) {
    y <- .sceExperiment(x, experiment)
    name <- if (is.null(assay)) "logcounts" else assay
    if (!name %in% assayNames(y)) {
        .missingKey("assay", name, as.character(assayNames(y)), if (
            name == "logcounts"
        ) {
            "Normalise the counts first, for example with logNormCounts()."
        })
    }
    m <- SummarizedExperiment::assay(y, name, withDimnames = FALSE)
    names <- list(.featureNames(y), .cellNames(x))
    .pickFeatures(.withNames(m, names), features, name)
})
setMethod(".assayNames", "SingleCellExperiment", function(x,
                                                         experiment = NULL) {
    as.character(assayNames(.sceExperiment(x, experiment)))
})
setMethod(".writeAssay", "SingleCellExperiment", function(x, assay, matrix,
                                                         experiment = NULL) {
    y <- .sceExperiment(x, experiment)
    matrix <- .assayOrder(matrix, .featureNames(y), .cellNames(x))
    assay(y, enc2utf8(assay)) <- matrix
    .sceReplace(x, experiment, y)
})

# An assay with features and cells in the order of the object.
.assayOrder <- function(m, features, cells, call = rlang::caller_env()) {
    named <- !is.null(rownames(m))
    same <- nrow(m) == length(features) &&
        (!named || setequal(enc2utf8(rownames(m)), features))
    if (!same || ncol(m) != length(cells)) {
        .abort(
            "shape", paste0(
                "An assay must have the ",
                .count(length(features), "feature"), " and ",
                .count(length(cells), "cell"), " of the object, not ",
                .describe(m), "."
            ),
            dim = dim(m), call = call
        )
    }
    if (named && !identical(enc2utf8(rownames(m)), features)) {
        m <- m[match(features, enc2utf8(rownames(m))), , drop = FALSE]
    }
    if (!is.null(colnames(m))) {
        at <- .matchCells(colnames(m), cells, "The assay", call)
        if (!is.null(at)) {
            m <- m[, at, drop = FALSE]
        }
    }
    .withNames(m, list(features, cells))
}

# Names of the entries of an internal field. The public accessors bring the
# whole object up to date first, which takes longer than most of what is done
# here; an object too old to have the field goes through them.
.sceNames <- function(x, field, accessor) {
    # Before dispatch, which takes the class off an error of its argument.
    force(x)
    entries <- int_colData(x)[[field]]
    if (is.null(entries)) as.character(accessor(x)) else names(entries)
}

# ---- Embeddings ----

#' @importFrom SingleCellExperiment reducedDim reducedDim<- reducedDimNames
setMethod(".embeddingNames", "SingleCellExperiment", function(x,
                                                             experiment =
                                                                 NULL) {
    .sceNames(.sceExperiment(x, experiment), "reducedDims", reducedDimNames)
})
setMethod(".readEmbedding", "SingleCellExperiment", function(x, key,
                                                            experiment =
                                                                NULL) {
    there <- .embeddingNames(x, experiment)
    name <- .findEmbedding(key, there)
    if (is.na(name)) {
        .missingKey("embedding", key, there)
    }
    y <- .sceExperiment(x, experiment)
    m <- .plainMatrix(reducedDim(y, name, withDimnames = FALSE))
    # The container keeps rows in the order of its columns, whatever names an
    # older version of the matrix carries.
    .withNames(m, list(.cellNames(x), colnames(m)))
})
setMethod(".writeEmbedding", "SingleCellExperiment", function(x, key, matrix,
                                                             experiment =
                                                                 NULL) {
    key <- enc2utf8(key)
    .warnForeign(x, key, .embeddingNames(x, experiment), "embedding")
    y <- .sceExperiment(x, experiment)
    m <- .cellRows(.plainMatrix(matrix), .cellNames(x), "The embedding")
    reducedDim(y, key) <- m
    .sceReplace(x, experiment, y)
})

# ---- Graphs and distances ----

# Pairs are read raw: the package's own conversion to a sparse matrix looks
# values up one by one.
#' @importFrom SingleCellExperiment colPair colPair<- colPairNames
#' @importFrom S4Vectors from to mcols SelfHits
.scePairs <- function(y, key) {
    held <- int_colData(y)[["colPairs"]]
    held <- if (!is.null(held)) held[[key]]
    # As in .sceNames(): the public accessor updates the whole object first.
    hits <- if (is(held, "DualSubset")) slot(held, "hits") else colPair(y, key)
    columns <- mcols(hits)
    numeric <- vapply(as.list(columns), function(v) {
        is.numeric(v) || is.logical(v)
    }, logical(1))
    at <- c(which(names(columns) == "x" & numeric), which(numeric))
    x <- if (length(at)) as.double(columns[[at[1L]]]) else rep(1, length(hits))
    list(from = from(hits), to = to(hits), x = x)
}

setMethod(".graphNames", "SingleCellExperiment", function(x,
                                                         experiment = NULL) {
    .sceNames(.sceExperiment(x, experiment), "colPairs", colPairNames)
})
setMethod(".readGraph", "SingleCellExperiment", function(x, key,
                                                        experiment = NULL) {
    y <- .sceExperiment(x, experiment)
    if (!key %in% .graphNames(y)) {
        .missingGraph(x, key)
    }
    .checkFresh(x, key)
    pairs <- .scePairs(y, key)
    .pairsGraph(pairs$from, pairs$to, pairs$x, .cellNames(x))
})
setMethod(".writeGraph", "SingleCellExperiment", function(x, key, matrix,
                                                         experiment = NULL) {
    key <- enc2utf8(key)
    .warnForeign(x, key, .graphNames(x, experiment), "graph")
    y <- .sceExperiment(x, experiment)
    m <- .cellGraph(matrix, .cellNames(x), "The graph")
    pairs <- .graphPairs(m)
    colPair(y, key) <- SelfHits(
        pairs$from, pairs$to,
        nnode = ncol(x), x = pairs$x
    )
    .sceReplace(x, experiment, y)
})
setMethod(".readDistances", "SingleCellExperiment", function(x, key) {
    if (!key %in% .graphNames(x)) {
        .missingGraph(x, key)
    }
    .checkFresh(x, key)
    pairs <- .scePairs(x, key)
    .pairRows(pairs$from, pairs$to, pairs$x, ncol(x))
})
setMethod(".writeDistances", "SingleCellExperiment", function(x, key, indices,
                                                             distances) {
    key <- enc2utf8(key)
    .checkDistances(indices, distances, ncol(x))
    .warnForeign(x, key, .graphNames(x), "graph")
    from <- row(indices)
    there <- which(!is.na(indices))
    there <- there[order(from[there], indices[there], method = "radix")]
    colPair(x, key) <- SelfHits(
        from[there], as.integer(indices[there]),
        nnode = ncol(x), x = as.double(distances[there])
    )
    x
})

# ---- Columns ----

#' @importFrom SummarizedExperiment colData colData<- rowData rowData<-
setMethod(".cellDataNames", "SingleCellExperiment", function(x) {
    as.character(names(colData(x)))
})
setMethod(".readCellData", "SingleCellExperiment", function(x, column) {
    if (!column %in% names(colData(x))) {
        .missingKey("column of cells", column, .cellDataNames(x))
    }
    .plainColumn(colData(x)[[column]])
})
setMethod(".writeCellData", "SingleCellExperiment", function(x, values) {
    columns <- .cellColumns(values, .cellNames(x))
    .warnForeign(x, names(columns), .cellDataNames(x), "column of cells")
    data <- colData(x)
    for (name in names(columns)) {
        data[[name]] <- columns[[name]]
    }
    colData(x) <- data
    x
})
#' @importFrom SingleCellExperiment colLabels<-
setMethod(".activateLabels", "SingleCellExperiment", function(x, key) {
    colLabels(x) <- .readCellData(x, key)
    x
})
setMethod(".featureDataNames", "SingleCellExperiment", function(x,
                                                               experiment =
                                                                   NULL) {
    y <- .sceExperiment(x, experiment)
    as.character(names(mcols(.rowRangesOf(y), use.names = FALSE)))
})
setMethod(".readFeatureData", "SingleCellExperiment", function(x, column,
                                                              experiment =
                                                                  NULL) {
    data <- mcols(
        .rowRangesOf(.sceExperiment(x, experiment)), use.names = FALSE
    )
    if (!column %in% names(data)) {
        .missingKey("column of features", column, as.character(names(data)))
    }
    .plainColumn(data[[column]])
})
setMethod(".writeFeatureData", "SingleCellExperiment", function(x, values,
                                                               experiment =
                                                                   NULL) {
    y <- .sceExperiment(x, experiment)
    values <- .featureColumns(values, .featureNames(y))
    .warnForeign(x, names(values), names(rowData(y)), "column of features")
    data <- rowData(y)
    for (name in names(values)) {
        data[[name]] <- values[[name]]
    }
    rowData(y) <- data
    .sceReplace(x, experiment, y)
})

# A run-length or named column as a plain vector; factors stay factors.
.plainColumn <- function(value) {
    if (is(value, "Rle")) {
        value <- S4Vectors::decode(value)
    }
    names(value) <- NULL
    value
}

# ---- Free-form entries ----

#' @importFrom S4Vectors metadata metadata<-
setMethod(".readMisc", "SingleCellExperiment", function(x) {
    as.list(metadata(x))
})
setMethod(".writeMisc", "SingleCellExperiment", function(x, misc) {
    metadata(x) <- misc
    x
})
setMethod(".dropResults", "SingleCellExperiment", function(x, keys) {
    for (key in intersect(keys, .graphNames(x))) {
        colPair(x, key) <- NULL
    }
    for (key in intersect(keys, .embeddingNames(x))) {
        reducedDim(x, key) <- NULL
    }
    for (column in .columnsOf(names(colData(x)), keys)) {
        colData(x)[[column]] <- NULL
    }
    for (column in .columnsOf(names(rowData(x)), keys)) {
        rowData(x)[[column]] <- NULL
    }
    x
})
setMethod(".keepFeatures", "SingleCellExperiment", function(x, features,
                                                           experiment = NULL) {
    y <- .sceExperiment(x, experiment)
    .sceReplace(x, experiment, y[.featureNames(y) %in% features, ])
})
