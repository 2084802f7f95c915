# Columns of cells and of features, as any container is to receive them.

# Values for the columns of cells, as plain vectors in the order of the cells.
# Values named by cell are matched by name.
.cellColumns <- function(values, cells, call = rlang::caller_env()) {
    if (!is.list(values) || is.null(names(values)) ||
        !all(nzchar(names(values)))) {
        .abort(
            "type", paste0(
                "Columns of cells must come as a named list or a data frame, ",
                "not ", .describe(values), "."
            ),
            call = call
        )
    }
    by_row <- is.data.frame(values) && .row_names_info(values) > 0L
    rows <- if (by_row) rownames(values)
    names(values) <- enc2utf8(names(values))
    columns <- lapply(names(values), function(name) {
        .cellColumn(values[[name]], name, rows, cells, call)
    })
    names(columns) <- names(values)
    columns
}

.cellColumn <- function(value, name, rows, cells, call) {
    what <- paste0("The column ", .someNames(name))
    if (length(value) != length(cells) || !is.null(dim(value))) {
        .abort(
            "shape", paste0(
                what, " must hold one value for each of the ",
                .count(length(cells), "cell"), ", not ", .describe(value), "."
            ),
            key = name, call = call
        )
    }
    labels <- if (is.null(names(value))) rows else names(value)
    names(value) <- NULL
    if (is.null(labels)) {
        return(value)
    }
    at <- .matchCells(labels, cells, what, call)
    if (is.null(at)) value else value[at]
}

# A table over features, filled with NA for features it does not mention.
.featureColumns <- function(values, features, call = rlang::caller_env()) {
    if (!is.data.frame(values)) {
        values <- as.data.frame(values, optional = TRUE)
    }
    names(values) <- enc2utf8(names(values))
    if (.row_names_info(values) <= 0L) {
        if (nrow(values) != length(features)) {
            .abort(
                "shape", paste0(
                    "A table over features without row names must have ",
                    .count(length(features), "row"), ", not ", nrow(values),
                    "."
                ),
                dim = dim(values), call = call
            )
        }
        return(values)
    }
    rows <- enc2utf8(rownames(values))
    unknown <- setdiff(rows, features)
    if (length(unknown)) {
        .abort(
            "missing_key", paste0(
                .count(length(unknown), "row"), " of the table are no ",
                "features of the object: ", .someNames(unknown), "."
            ),
            key = unknown, call = call
        )
    }
    values <- values[match(features, rows), , drop = FALSE]
    rownames(values) <- NULL
    values
}


# Columns named by a key, or flat columns of a table under it.
.columnsOf <- function(columns, keys) {
    hit <- columns %in% keys
    for (key in keys) {
        hit <- hit | startsWith(columns, .keyColumn(key, ""))
    }
    columns[hit]
}
