# Couplings between times as users give them: which pair each one is, and whose
# rows and columns it has.

#' @include kernel-time.R
NULL

# Time of every cell of a course: a factor, in the order of its levels.
.readCourse <- function(x, column, call = rlang::caller_env()) {
    value <- .readCellData(x, column)
    if (!is.factor(value)) {
        .abort(
            "type", paste0(
                "`", column, "` must be a factor, whose levels are in the ",
                "order of time, not of class `", class(value)[1L], "`."
            ), "Convert the column with factor(), or ordered().",
            column = column, call = call
        )
    }
    .refuseMissing(x, column, is.na(value), call)
    time <- droplevels(value)
    if (nlevels(time) < 2L) {
        .abort(
            "range", paste0(
                "`", column, "` has ", .count(nlevels(time), "different time"),
                "; couplings need at least 2."
            ), column = column, n = nlevels(time), call = call
        )
    }
    factor(unname(time), levels = levels(time), ordered = TRUE)
}

# ---- Pairs of times ----

# Data frame of source and target, all earlier than the other: neighbours in
# time, or all.
.policyPairs <- function(levels, policy) {
    n <- length(levels)
    all <- which(upper.tri(matrix(0, n, n)), arr.ind = TRUE)
    if (policy == "sequential") {
        all <- all[all[, 2L] == all[, 1L] + 1L, , drop = FALSE]
    }
    all <- all[order(all[, 1L], all[, 2L]), , drop = FALSE]
    data.frame(source = levels[all[, 1L]], target = levels[all[, 2L]])
}

.pairNames <- function(pairs, sep = "_") {
    paste0(pairs$source, sep, pairs$target)
}

# "`1` to `2`"
.pairLabel <- function(pairs) {
    paste0("`", pairs$source, "` to `", pairs$target, "`")
}

# Pairs of couplings: those they bring along, else those of their names.
.couplingPairs <- function(couplings, levels, call = rlang::caller_env()) {
    if (!is.list(couplings) || is.data.frame(couplings) || !length(couplings)) {
        .badType(
            couplings, "a named list of matrices, one per pair of times", TRUE,
            "couplings", call
        )
    }
    pairs <- attr(couplings, "pairs")
    pairs <- if (is.null(pairs)) {
        .namedPairs(names(couplings), length(couplings), levels, call)
    } else {
        .givenPairs(pairs, length(couplings), levels, call)
    }
    .checkPairs(pairs, levels, call)
}

.givenPairs <- function(pairs, n, levels, call) {
    fits <- is.data.frame(pairs) && nrow(pairs) == n &&
        all(c("source", "target") %in% names(pairs))
    if (!fits) {
        .abort(
            "type", paste0(
                "The attribute `pairs` of the couplings must be a data frame ",
                "with the columns `source` and `target` and ", n, " rows, not ",
                .describe(pairs), "."
            ), argument = "couplings", call = call
        )
    }
    pairs <- data.frame(
        source = as.character(pairs$source), target = as.character(pairs$target)
    )
    unknown <- setdiff(unlist(pairs, use.names = FALSE), levels)
    if (length(unknown)) {
        .missingKey("time", unknown, levels, call = call)
    }
    pairs
}

# Names such as "1_2". Levels may hold `_` themselves.
.namedPairs <- function(names, n, levels, call) {
    if (is.null(names) || !all(nzchar(names))) {
        .abort(
            "type", paste0(
                "The ", .count(n, "coupling"), " must be named by their pairs ",
                "of times."
            ), paste0(
                "Names such as \"", levels[1L], "_", levels[2L],
                "\", or an attribute `pairs`."
            ), argument = "couplings", call = call
        )
    }
    all <- expand.grid(
        source = levels, target = levels, stringsAsFactors = FALSE
    )
    keys <- .pairNames(all)
    at <- lapply(names, function(name) which(keys == name))
    unknown <- names[lengths(at) == 0L]
    if (length(unknown)) {
        .abort(
            "missing_key", paste0(
                "These couplings are not named by two times: ",
                .someNames(unknown), "."
            ), c(
                .suggest(unknown[1L], keys),
                paste0("The times are ", .someNames(levels, 20L), ".")
            ), key = unknown, available = levels, call = call
        )
    }
    twice <- names[lengths(at) > 1L]
    if (length(twice)) {
        .abort(
            "duplicate_names", paste0(
                "These names can be read as more than one pair of times: ",
                .someNames(twice), "."
            ), "Give the pairs as the attribute `pairs`.",
            names = twice, call = call
        )
    }
    pairs <- all[unlist(at), , drop = FALSE]
    rownames(pairs) <- NULL
    pairs
}

.checkPairs <- function(pairs, levels, call) {
    back <- match(pairs$source, levels) >= match(pairs$target, levels)
    if (any(back)) {
        .abort(
            "range", paste0(
                "Couplings lead from an earlier to a later time, unlike ",
                paste(.pairLabel(pairs[back, ]), collapse = ", "), "."
            ), c(
                paste0("The order is ", .someNames(levels, 20L), "."),
                "Chains against time are made with `backward = TRUE`."
            ), pairs = .pairNames(pairs[back, ]), call = call
        )
    }
    twice <- .pairNames(pairs)[duplicated(pairs)]
    if (length(twice)) {
        .abort(
            "duplicate_names", paste0(
                "More than one coupling is given for ", .someNames(twice), "."
            ), names = twice, call = call
        )
    }
    pairs
}

# ---- Cells ----

# Positions of the cells of rows and of columns, counted from zero: by name, or
# in the order of the object. `time` and `cells` belong together.
.couplingCells <- function(m, source, target, time, cells,
                           call = rlang::caller_env()) {
    label <- paste0("The coupling `", source, "` to `", target, "`")
    if (!(.isBareMatrix(m)) || is.character(m)) {
        .abort(
            "type", paste0(
                label, " must be a numeric matrix, not ", .describe(m), "."
            ), pair = c(source, target), call = call
        )
    }
    side <- function(level, names, n, what) {
        own <- which(time == level)
        .sideCells(
            cells[own], names, n, own, paste0(label, " has ", what), level,
            c(source, target), call
        )
    }
    list(
        source = side(source, rownames(m), nrow(m), "rows"),
        target = side(target, colnames(m), ncol(m), "columns")
    )
}

.sideCells <- function(own, names, n, places, what, level, pair, call) {
    if (n != length(own)) {
        .abort(
            "shape", paste0(
                what, " for ", .count(n, "cell"), ", but the time `", level,
                "` has ", length(own), "."
            ), pair = pair, n_cells = c(n, length(own)), call = call
        )
    }
    if (is.null(names)) return(places - 1L)
    names <- enc2utf8(names)
    at <- match(names, own)
    if (anyNA(at) || anyDuplicated(at)) {
        wrong <- names[is.na(at) | duplicated(at)]
        .abort(
            "container_cells", paste0(
                what, " that are not exactly the cells of the time `", level,
                "`: ", .someNames(wrong), "."
            ), paste(
                "Compute the couplings from this object, or name rows and",
                "columns by its cells."
            ), pair = pair, cells = wrong, call = call
        )
    }
    places[at] - 1L
}

# A coupling for Rust: its entries, its cells and how messages name it.
.couplingArg <- function(m, pair, time, cells, call) {
    at <- .couplingCells(m, pair$source, pair$target, time, cells, call)
    if (methods::is(m, "Matrix") && !methods::is(m, "sparseMatrix")) {
        m <- .plainMatrix(m)
    }
    list(
        label = .pairLabel(pair), matrix = .matrixArg(m), source = at$source,
        target = at$target
    )
}
