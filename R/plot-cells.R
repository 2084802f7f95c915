# Cells of a plot: where each one is, and what colours it.

#' @include container.R
NULL

# The object behind an estimator, or the object itself.
.plotContainer <- function(x, call = rlang::caller_env(),
                           lacks = "has no fates to plot") {
    if (is(x, "Estimator")) {
        if (is.null(x@container)) {
            .abort(
                "not_computed", paste(
                    "This estimator was made from a bare matrix, so there is",
                    "no object to plot."
                ), "Make the kernel from an object that has an embedding.",
                call = call
            )
        }
        return(x@container)
    }
    .checkContainer(x, call = call)
    if (.isBareMatrix(x)) {
        .refuseMatrix(x, lacks, call)
    }
    x
}

.basisOrder <- c("UMAP", "LAYOUT", "TSNE", "PCA")

# The embedding meant by NULL: the first of the usual ones, else the first.
.defaultBasis <- function(there, call = rlang::caller_env()) {
    found <- vapply(
        .basisOrder, .findEmbedding, character(1),
        there = there, USE.NAMES = FALSE
    )
    basis <- c(found[!is.na(found)], there)[1L]
    if (is.na(basis)) {
        .missingKey(
            "embedding", .basisOrder, there,
            "Run embedUMAP(), or name an embedding with `basis`.", call
        )
    }
    basis
}

# Two coordinates per cell: a list of the names of the axes and a data frame
# with the columns cell, x and y.
.plotEmbedding <- function(container, basis = NULL,
                           call = rlang::caller_env(), components = c(1, 2),
                           experiment = NULL) {
    there <- .embeddingNames(container, experiment)
    if (is.null(basis)) {
        basis <- .defaultBasis(there, call)
    }
    basis <- .checkString(basis, call = call)
    m <- .readEmbedding(container, basis, experiment)
    components <- .checkComponents(components, m, basis, call)
    m <- .checkEmbedding(m[, components, drop = FALSE], call = call)
    list(
        name = paste(.axisName(basis, there), components),
        data = data.frame(
            cell = .cellNames(container), x = m[, 1L], y = m[, 2L],
            row.names = NULL
        )
    )
}

.checkComponents <- function(components, m, basis,
                             call = rlang::caller_env()) {
    two <- is.numeric(components) && length(components) == 2L &&
        !anyNA(components) && all(components >= 1 & components %% 1 == 0)
    if (!two) {
        .badType(
            components, "two column numbers", FALSE, "components", call
        )
    }
    if (max(components) > ncol(m)) {
        needed <- if (all(components <= 2)) "two" else max(components)
        .abort(
            "shape", paste0(
                "The embedding ", .someNames(basis), " has ",
                .count(ncol(m), "dimension"), "; this plot needs ", needed,
                "."
            ),
            key = basis, dim = dim(m), components = components, call = call
        )
    }
    as.integer(components)
}

# "X_umap", "umap" and "UMAP" are all written UMAP.
.axisName <- function(basis, there) {
    name <- sub("^X_", "", .findEmbedding(basis, there))
    if (toupper(name) %in% .basisOrder) toupper(name) else name
}

# A column of the cells or the expression of one feature, with its palette when
# the object holds one. A column goes before a feature of the same name.
.colorValues <- function(container, color, assay = NULL,
                         call = rlang::caller_env(), experiment = NULL) {
    color <- .checkString(color, call = call)
    if (color %in% .cellDataNames(container)) {
        values <- .readCellData(container, color)
        if (is.character(values) || is.logical(values)) {
            values <- factor(values)
        }
        if (!is.factor(values) && !is.numeric(values)) {
            .abort(
                "type", paste0(
                    "The column ", .someNames(color),
                    " holds neither numbers nor categories but ",
                    .describe(values), "."
                ),
                key = color, call = call
            )
        }
        return(list(
            name = color, values = values,
            palette = .readColors(container, color)
        ))
    }
    features <- .featureNames(container, experiment)
    if (!color %in% features) {
        .missingKey(
            "column of cells or feature", color, .cellDataNames(container),
            .suggest(color, features), call
        )
    }
    m <- .readAssay(container, assay, color, experiment)
    list(name = color, values = as.vector(as.matrix(m)), palette = NULL)
}

# The position of each cell along the x axis of a plot against time.
.timeValues <- function(container, time_key, call = rlang::caller_env()) {
    if (is.null(time_key)) {
        .abort(
            "missing_key", "`mode = \"time\"` needs `time_key`.",
            "Name a numeric column of the cells, such as a pseudotime.",
            argument = "time_key", call = call
        )
    }
    time <- .readCellData(container, .checkString(time_key, call = call))
    if (is.factor(time)) {
        time <- suppressWarnings(as.numeric(as.character(time)))
    }
    if (!is.numeric(time) || all(is.na(time))) {
        .abort(
            "type", paste0(
                "The column ", .someNames(time_key), " holds no numbers."
            ),
            key = time_key, call = call
        )
    }
    as.double(time)
}
