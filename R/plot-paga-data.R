# What a plot reads of a coarse graph: its record, its groups, its edges.

#' @include plot-cells.R
NULL

# ---- Record and groups ----

# The record that computePAGA() left under `key`, of the cells as they are.
.pagaRecord <- function(x, key, call = rlang::caller_env()) {
    key <- .checkString(key, call = call)
    record <- .readRecord(x, key)
    if (!.isRecord(record) || !identical(record$verb, "computePAGA")) {
        .abort(
            "not_computed", paste0(
                "There is no coarse graph under the key ", .someNames(key),
                "."
            ), "Run computePAGA() first, or name its `key_added`.",
            key = key, call = call
        )
    }
    .checkFresh(x, key, call)
    record
}

# The group of each cell, refused when it is no longer what the graph is of.
.pagaGroups <- function(x, record, call = rlang::caller_env()) {
    sizes <- record$sizes
    groups <- factor(
        as.character(.readCellData(x, record$groups)),
        levels = names(sizes)
    )
    if (anyNA(groups) || any(tabulate(groups, length(sizes)) != sizes)) {
        .abort(
            "container_stale", paste0(
                "The groups in the column ", .someNames(record$groups),
                " are no longer those of the coarse graph."
            ), "Run computePAGA() again: cells were regrouped since.",
            key = record$groups, verb = record$verb, call = call
        )
    }
    groups
}

# Colours of the groups, by the levels of their column while it holds them.
.pagaPalette <- function(x, record) {
    groups <- names(record$sizes)
    known <- groups
    if (record$groups %in% .cellDataNames(x)) {
        column <- .readCellData(x, record$groups)
        if (!is.factor(column)) column <- factor(column)
        if (all(groups %in% levels(column))) known <- levels(column)
    }
    .groupColors(known, .readColors(x, record$groups))[groups]
}

# ---- Edges ----

.pagaMatrices <- c(
    "connectivities", "connectivities_tree", "transitions_confidence"
)

.pagaMatrix <- function(record, name, arg, call = rlang::caller_env()) {
    name <- .checkString(name, arg = arg, call = call)
    if (!name %in% .pagaMatrices || is.null(record[[name]])) {
        there <- intersect(.pagaMatrices, names(record))
        .missingKey(
            "matrix of the coarse graph", name, there,
            if (name == "transitions_confidence") {
                "Run computePAGA() with use_rna_velocity = TRUE."
            }, call
        )
    }
    as.matrix(record[[name]])
}

# One row per edge of at least the threshold. Directed matrices hold the edge
# from h to g in row g and column h; the others either triangle or both.
.pagaEdgeTable <- function(m, threshold, kind) {
    directed <- kind == "transition"
    if (!directed) {
        m <- .bothTriangles(m)
        m[lower.tri(m, diag = TRUE)] <- 0
    }
    at <- which(m >= threshold & m > 0, arr.ind = TRUE)
    ends <- if (directed) at[, 2:1, drop = FALSE] else at
    data.frame(
        from = as.integer(ends[, 1L]), to = as.integer(ends[, 2L]),
        weight = m[at], kind = rep(kind, nrow(at)), row.names = NULL
    )
}

# All edges asked for, and the matrix that the layout is made of.
.pagaEdges <- function(record, threshold, solid_edges, dashed_edges,
                       transitions, call = rlang::caller_env()) {
    threshold <- .checkNumber(threshold, 0, call = call)
    solid <- .pagaMatrix(record, solid_edges, "solid_edges", call)
    tables <- list(.pagaEdgeTable(solid, threshold, "solid"))
    dashed <- NULL
    if (!is.null(dashed_edges)) {
        dashed <- .pagaMatrix(record, dashed_edges, "dashed_edges", call)
        tables[[2L]] <- .pagaEdgeTable(dashed, threshold, "dashed")
        dashed <- .bothTriangles(dashed, threshold)
    }
    if (!is.null(transitions)) {
        flow <- .pagaMatrix(record, transitions, "transitions", call)
        tables[[3L]] <- .pagaEdgeTable(flow, threshold, "transition")
    }
    list(
        table = do.call(rbind, tables), dashed = dashed,
        solid = .bothTriangles(solid, threshold)
    )
}

# A tree may be stored in one direction only.
.bothTriangles <- function(m, threshold = 0) {
    m <- pmax(m, t(m))
    m[m < threshold] <- 0
    m
}

# Which nodes belong to the largest component; of equals the one that holds the
# first node.
.largestComponent <- function(edges, n) {
    label <- seq_len(n)
    for (at in seq_len(nrow(edges))) {
        ends <- label[c(edges$from[at], edges$to[at])]
        label[label == max(ends)] <- min(ends)
    }
    label == which.max(tabulate(label, n))
}
