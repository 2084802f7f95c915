# Bare matrices (see container.R), and the refusal of everything that is no
# container.

#' @include container.R
NULL

.supportedClasses <- c("SingleCellExperiment", "Seurat", "matrix", "Matrix")

.isBareMatrix <- function(x) {
    (is.matrix(x) && (is.numeric(x) || is.logical(x))) || is(x, "Matrix")
}

.checkContainer <- function(x, arg = "x", call = rlang::caller_env()) {
    known <- .isBareMatrix(x) || is(x, "SingleCellExperiment") ||
        is(x, "Seurat")
    if (known) {
        return(invisible(x))
    }
    advice <- if (is(x, "SummarizedExperiment")) {
        "Convert it with as(x, \"SingleCellExperiment\")."
    } else {
        paste0(
            "Supported are ",
            .someNames(.supportedClasses), "; a matrix has cells in its rows."
        )
    }
    .abort(
        "container_class", paste0(
            "`", arg, "` must be a single-cell object or a matrix, not ",
            .describe(x), "."
        ), advice,
        class_found = class(x), supported = .supportedClasses, call = call
    )
}

.refuseMatrix <- function(x, what, call = rlang::caller_env()) {
    .checkContainer(x, call = call)
    .abort(
        "container_class", paste0(
            "A bare matrix ", what, "; this needs one of ",
            .someNames(.supportedClasses[1:2]), "."
        ),
        class_found = class(x), supported = .supportedClasses, call = call
    )
}

.noKeys <- function(x, experiment = NULL) {
    .checkContainer(x, call = rlang::caller_env())
    character()
}

setMethod(".containerClass", "ANY", function(x) {
    .checkContainer(x)
    "matrix"
})
setMethod(".cellNames", "ANY", function(x) {
    .checkContainer(x)
    names <- rownames(x)
    if (is.null(names)) {
        return(paste0("cell", seq_len(nrow(x)), recycle0 = TRUE))
    }
    .validNames(names, nrow(x), "cell", "rownames(x)")
})
setMethod(".featureNames", "ANY", function(x, experiment = NULL) {
    .checkContainer(x)
    enc2utf8(as.character(colnames(x)))
})
setMethod(".readGraph", "ANY", function(x, key, experiment = NULL) {
    .checkContainer(x)
    cells <- .cellNames(x)
    if (nrow(x) != ncol(x)) {
        .abort(
            "shape", paste0(
                "A graph must be a square matrix of cells by cells, not ",
                .describe(x), "."
            ),
            dim = dim(x)
        )
    }
    if (!is.null(colnames(x))) {
        .checkNames(cells, enc2utf8(colnames(x)), "Rows and columns")
    }
    .nameBoth(.asGeneral(x), cells)
})
setMethod(".readEmbedding", "ANY", function(x, key, experiment = NULL) {
    .checkContainer(x)
    .cellRows(.plainMatrix(x), .cellNames(x), "The matrix")
})
setMethod(".readAssay", "ANY", function(x, assay = NULL, features = NULL,
                                        experiment = NULL) {
    .refuseMatrix(x, "holds no assay")
})
setMethod(".readDistances", "ANY", function(x, key) {
    .checkContainer(x)
    .distanceRows(.readGraph(x, key))
})
setMethod(".readCellData", "ANY", function(x, column) {
    .refuseMatrix(x, "holds no columns of cells")
})
setMethod(".readFeatureData", "ANY", function(x, column, experiment = NULL) {
    .refuseMatrix(x, "holds no columns of features")
})
setMethod(".readMisc", "ANY", function(x) {
    .checkContainer(x)
    list()
})
setMethod(".assayNames", "ANY", .noKeys)
setMethod(".embeddingNames", "ANY", .noKeys)
setMethod(".graphNames", "ANY", .noKeys)
setMethod(".featureDataNames", "ANY", .noKeys)
setMethod(".cellDataNames", "ANY", function(x) .noKeys(x))
setMethod(".writeAssay", "ANY", function(x, assay, matrix, experiment = NULL) {
    .refuseMatrix(x, "cannot hold results")
})
setMethod(".writeEmbedding", "ANY", function(x, key, matrix,
                                             experiment = NULL) {
    .refuseMatrix(x, "cannot hold results")
})
setMethod(".writeGraph", "ANY", function(x, key, matrix, experiment = NULL) {
    .refuseMatrix(x, "cannot hold results")
})
setMethod(".writeDistances", "ANY", function(x, key, indices, distances) {
    .refuseMatrix(x, "cannot hold results")
})
setMethod(".writeCellData", "ANY", function(x, values) {
    .refuseMatrix(x, "cannot hold results")
})
setMethod(".activateLabels", "ANY", function(x, key) {
    .refuseMatrix(x, "cannot hold results")
})
setMethod(".writeFeatureData", "ANY", function(x, values, experiment = NULL) {
    .refuseMatrix(x, "cannot hold results")
})
setMethod(".writeMisc", "ANY", function(x, misc) {
    .refuseMatrix(x, "cannot hold results")
})
setMethod(".dropResults", "ANY", function(x, keys) {
    .refuseMatrix(x, "cannot hold results")
})
setMethod(".keepFeatures", "ANY", function(x, features, experiment = NULL) {
    .refuseMatrix(x, "cannot lose features here")
})
