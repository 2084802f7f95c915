# Expression along a path through the coarse graph.

#' Plot genes along a path of groups
#'
#' Orders the cells of a path of groups, group by group and by pseudotime within
#' each, and draws genes or columns of the cells along it, above bars of
#' annotations and of the groups. `plotPAGAPath()` gives the figure,
#' `plotPAGAPathData()` the numbers in it.
#'
#' `n_avg` smooths genes and numeric columns by a moving average over the whole
#' path; only full windows count, so there are `n_avg - 1` places fewer than
#' cells, and each place has the name, group and categories of the middle cell
#' of its window. Cells of the path without a finite pseudotime are left out,
#' with a warning. Paths of more than 1,000 places are drawn in 1,000 steps, the
#' means of neighbouring places; the data hold all. Nothing is stored. Cost:
#' linear in cells x `keys` x `n_avg`. Randomness, threads: not applicable.
#'
#' @inheritParams plotPAGA
#' @param nodes groups in the order of the path, by name or number.
#' @param keys genes and numeric columns of the cells to draw.
#' @param time_key column with the pseudotime, as of [computeDPT()].
#' @param annotations columns of the cells to show as bars; NULL for none.
#' @param n_avg width of the moving average; 1 for none.
#' @param normalize_to_zero_one whether each key is scaled to run from 0 to 1.
#' @param as_heatmap TRUE for one row per key, FALSE for lines.
#' @param palette colours of the groups, named by group or in their order.
#' @param color_map colours of the heat map, as in [plotEmbedding()].
#' @return `plotPAGAPath()`: a patchwork object. `plotPAGAPathData()`: a data
#'   frame with one row per place and the columns `cell`, `group`, `distance`
#'   (the pseudotime), one per annotation other than `time_key`, and one per
#'   key, under their own names (names that would occur twice get a suffix).
#' @section Conditions: `fatecast_error_not_computed` before [computePAGA()],
#'   `fatecast_error_missing_key` for unknown nodes, keys and columns (without
#'   `time_key`: run [computeDPT()]), `fatecast_error_type` for keys that are no
#'   numbers, `fatecast_error_range` for a window longer than the path,
#'   `fatecast_warning_dropped` for cells without a pseudotime,
#'   `fatecast_error_container_stale`, `fatecast_error_unknown_argument`.
#' @inherit plotPAGA references
#' @seealso [plotPAGA()]
#' @examples
#' sce <- computePCA(simulateDifferentiation(n_cells = 300, n_genes = 60))
#' sce <- computePAGA(buildNeighbors(sce), groups = "cell_type")
#' path <- c("root", "intermediate", "Alpha")
#' genes <- rownames(sce)[1:5]
#' plotPAGAPath(sce, path, genes, time_key = "pseudotime", n_avg = 10)
#' head(plotPAGAPathData(sce, path, genes, time_key = "pseudotime"))
#' @include plot-paga-data.R
#' @export
plotPAGAPath <- function(x, nodes, keys, key = "paga",
                         time_key = "dpt_pseudotime", annotations = time_key,
                         assay = NULL, experiment = NULL, n_avg = 1,
                         normalize_to_zero_one = FALSE, as_heatmap = TRUE,
                         palette = NULL, color_map = "viridis", title = NULL,
                         ...) {
    .checkDots(...)
    as_heatmap <- .checkFlag(as_heatmap)
    title <- .checkString(title, null = TRUE)
    color_map <- .checkColorMap(color_map)
    path <- .readPath(
        x, nodes, keys, key, time_key, annotations, assay, experiment, n_avg,
        normalize_to_zero_one
    )
    colors <- .pathPalette(path, palette)
    path <- .thinPath(path, 1000L)
    top <- if (as_heatmap) {
        .pathHeatmap(path, color_map)
    } else {
        .pathLines(path)
    }
    bars <- c(
        lapply(names(path$bars), .pathBar, path = path),
        list(.pathGroups(path, colors))
    )
    tall <- if (as_heatmap) max(3, length(path$keys)) else 10
    .stackPanels(c(list(top), bars), c(tall, rep(0.8, length(bars))), title)
}

#' @rdname plotPAGAPath
#' @export
plotPAGAPathData <- function(x, nodes, keys, key = "paga",
                             time_key = "dpt_pseudotime",
                             annotations = time_key, assay = NULL,
                             experiment = NULL, n_avg = 1,
                             normalize_to_zero_one = FALSE, ...) {
    .checkDots(...)
    path <- .readPath(
        x, nodes, keys, key, time_key, annotations, assay, experiment, n_avg,
        normalize_to_zero_one
    )
    bars <- path$bars[setdiff(names(path$bars), path$time_key)]
    data <- c(
        list(cell = path$cell, group = path$group, distance = path$distance),
        bars, path$keys
    )
    names(data) <- make.unique(names(data))
    list2DF(data)
}

# ---- Numbers ----

# `cell`, `group`, `distance`, lists `bars` and `keys`, all of one length.
.readPath <- function(x, nodes, keys, key, time_key, annotations, assay,
                      experiment, n_avg, normalize_to_zero_one,
                      call = rlang::caller_env()) {
    x <- .plotContainer(x, call, "holds no coarse graph")
    record <- .pagaRecord(x, key, call)
    of <- .pagaGroups(x, record, call)
    nodes <- .pathNodes(nodes, levels(of), call)
    n_avg <- .checkCount(n_avg, call = call)
    scaled <- .checkFlag(normalize_to_zero_one, call = call)
    time_key <- .checkString(time_key, call = call)
    if (!time_key %in% .cellDataNames(x)) {
        .missingKey(
            "column of cells", time_key, .cellDataNames(x),
            "Run computeDPT() first, or name a pseudotime with `time_key`.",
            call
        )
    }
    time <- .timeValues(x, time_key, call)
    cells <- .pathCells(of, time, nodes, .cellNames(x))
    rows <- .pathKeys(x, keys, cells, assay, experiment, call)
    bars <- lapply(.asNames(annotations, "annotations", call), function(one) {
        .columnValues(x, one, call)[cells]
    })
    places <- .pathWindows(length(cells), n_avg, call)
    rows <- lapply(rows, .movingMean, n = n_avg)
    list(
        cell = .cellNames(x)[cells][places], time_key = time_key,
        group = factor(of[cells][places], levels = unique(nodes)),
        distance = .movingMean(time[cells], n_avg),
        bars = lapply(bars, function(v) {
            if (is.factor(v)) v[places] else .movingMean(v, n_avg)
        }),
        keys = if (scaled) lapply(rows, .zeroToOne) else rows,
        palette = .pagaPalette(x, record), groups = record$groups
    )
}

.pathNodes <- function(nodes, groups, call = rlang::caller_env()) {
    names <- if (is.numeric(nodes)) groups[nodes] else as.character(nodes)
    unknown <- unique(nodes[!names %in% groups])
    if (length(unknown) || !length(names)) {
        .missingKey("group", unknown, groups, call = call)
    }
    names
}

# Positions of the cells of the path, in its order.
.pathCells <- function(of, time, nodes, names) {
    inside <- of %in% nodes
    gone <- inside & !is.finite(time)
    if (any(gone)) {
        .warn(
            "dropped", paste0(
                .count(sum(gone), "cell"), " of the path without a finite ",
                "pseudotime left out: ", .someNames(names[gone]), "."
            ),
            cells = names[gone]
        )
    }
    unlist(lapply(nodes, function(node) {
        own <- which(of == node & is.finite(time))
        own[order(time[own], names[own], method = "radix")]
    }))
}

# Numbers of each key, for the cells of the path.
.pathKeys <- function(x, keys, cells, assay, experiment,
                      call = rlang::caller_env()) {
    keys <- .asNames(keys, "keys", call)
    if (!length(keys)) {
        .badType(keys, "names of genes or columns", FALSE, "keys", call)
    }
    lapply(keys, function(one) {
        values <- .colorValues(x, one, assay, call, experiment)$values
        if (!is.numeric(values)) {
            .abort(
                "type", paste0(
                    "The column ", .someNames(one), " holds no numbers."
                ), "Show categories with `annotations`.",
                key = one, call = call
            )
        }
        as.double(values)[cells]
    })
}

.columnValues <- function(x, column, call = rlang::caller_env()) {
    if (!column %in% .cellDataNames(x)) {
        .missingKey("column of cells", column, .cellDataNames(x), call = call)
    }
    values <- .colorValues(x, column, call = call)$values
    if (is.factor(values)) values else as.double(values)
}

# A character vector named by itself.
.asNames <- function(names, arg, call = rlang::caller_env()) {
    if (!is.null(names) && (!is.character(names) || anyNA(names))) {
        .badType(names, "names", TRUE, arg, call)
    }
    stats::setNames(as.character(names), names)
}

# Middle cells of the full windows.
.pathWindows <- function(n, n_avg, call = rlang::caller_env()) {
    if (n_avg > n) {
        .abort(
            "range", paste0(
                "`n_avg` = ", n_avg, " is more than the ", .count(n, "cell"),
                " of the path."
            ),
            argument = "n_avg", value = n_avg, n_cells = n, call = call
        )
    }
    seq_len(n - n_avg + 1L) + (n_avg - 1L) %/% 2L
}

.movingMean <- function(v, n) {
    if (n == 1L) {
        return(v)
    }
    # The filter puts the mean of places 1 to n at place n.
    mean <- stats::filter(v, rep(1 / n, n), sides = 1L)
    as.vector(mean)[seq(n, length(v))]
}

.zeroToOne <- function(v) {
    span <- range(v, na.rm = TRUE)
    if (span[1L] == span[2L]) v * 0 else (v - span[1L]) / diff(span)
}

# At most `most` places: means of neighbouring places, categories of the middle
# one.
.thinPath <- function(path, most) {
    n <- length(path$cell)
    if (n <= most) {
        return(path)
    }
    bin <- ((seq_len(n) - 1) * most) %/% n + 1
    middle <- vapply(
        split(seq_len(n), bin), function(at) at[(length(at) + 1L) %/% 2L],
        integer(1)
    )
    thin <- function(v) {
        if (!is.numeric(v)) v[middle] else as.vector(tapply(v, bin, mean))
    }
    path$keys <- lapply(path$keys, thin)
    path$bars <- lapply(path$bars, thin)
    for (part in c("cell", "group", "distance")) {
        path[[part]] <- thin(path[[part]])
    }
    path
}
