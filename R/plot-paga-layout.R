# Where the nodes of a coarse graph lie.

#' @include plot-paga-data.R
NULL

# Nodes x 2: those given, those of an embedding, a layout asked for, the stored
# ones, or else the default layout.
.pagaPositions <- function(x, record, solid, pos, layout, root, random_state,
                           call = rlang::caller_env()) {
    groups <- names(record$sizes)
    if (!is.null(pos) && !is.null(layout)) {
        .abort(
            "type", "Only one of `pos` and `layout` can be given.",
            argument = c("pos", "layout"), call = call
        )
    }
    if (is.character(pos) && length(pos) == 1L) {
        cells <- .plotEmbedding(x, pos, call)$data
        return(.groupMedians(cells, .pagaGroups(x, record, call)))
    }
    if (!is.null(pos)) {
        return(.checkPositions(pos, groups, call))
    }
    if (is.null(layout) && !is.null(record$pos)) {
        return(.checkPositions(record$pos, groups, call))
    }
    .layoutPositions(record, solid, layout, root, random_state, call)
}

# As computePAGA() would place the nodes; the edges below the threshold are gone
# from `solid` already.
.layoutPositions <- function(record, solid, layout, root, random_state,
                             call = rlang::caller_env()) {
    layout <- if (is.null(layout)) "fr" else layout
    places <- .pagaSettings(
        names(record$sizes), layout, root, 0, NULL, random_state, call
    )
    tree <- .bothTriangles(as.matrix(record$connectivities_tree))
    unname(.pagaPositionsOf(
        .job(1L, FALSE, "Layout", call), .asGeneral(solid), .asGeneral(tree),
        places
    ))
}

.checkPositions <- function(pos, groups, call = rlang::caller_env()) {
    pos <- if (is.data.frame(pos)) as.matrix(pos) else pos
    if (!is.matrix(pos) || !is.numeric(pos) || ncol(pos) != 2L ||
        nrow(pos) != length(groups)) {
        .abort(
            "shape", paste0(
                "`pos` must hold two coordinates for each of the ",
                .count(length(groups), "group"), ", or name an embedding; ",
                "not ", .describe(pos), "."
            ),
            dim = dim(pos), groups = groups, call = call
        )
    }
    if (!is.null(rownames(pos))) {
        .checkGroupNames(rownames(pos), groups, "pos", call)
        pos <- pos[groups, , drop = FALSE]
    }
    if (!all(is.finite(pos))) {
        .abort(
            "range", "`pos` has missing or infinite coordinates.",
            argument = "pos", call = call
        )
    }
    unname(pos)
}

.checkGroupNames <- function(names, groups, arg, call = rlang::caller_env()) {
    if (!setequal(names, groups)) {
        unknown <- setdiff(names, groups)
        lacking <- setdiff(groups, names)
        .abort(
            "missing_key", paste0(
                "`", arg, "` must be named by group; unknown: ",
                .someNames(unknown), ", missing: ", .someNames(lacking), "."
            ), paste0("The groups are ", .someNames(groups, 20L), "."),
            key = if (length(unknown)) unknown else lacking, call = call
        )
    }
    invisible(names)
}

.groupMedians <- function(cells, groups) {
    median <- function(v) {
        as.vector(tapply(v, groups, stats::median))
    }
    cbind(median(cells$x), median(cells$y))
}
