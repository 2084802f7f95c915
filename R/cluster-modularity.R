#' Modularity of a grouping of the cells
#'
#' How many more edges (by weight) lie inside the groups than if edges fell at
#' random with the same degrees (Newman and Girvan 2004):
#' \eqn{Q = \sum_c [w_c / m - \gamma (K_c / 2m)^2]} with \eqn{w_c} the weight
#' inside group c, \eqn{K_c} its total degree, m the weight of all edges and
#' \eqn{\gamma} the resolution; for directed graphs
#' \eqn{K_c^{out} K_c^{in} / m^2} takes the place of the square.
#'
#' @details
#' At resolution 1 the value lies in \[-0.5, 1\]; it is 0 for a single group
#' and NaN for a graph without edges. Neither the names nor the order of the
#' groups matter. O(edges).
#'
#' @inheritParams clusterLeiden
#' @param labels Name of a column, or a vector with one label per cell; NULL
#'   means the column `"leiden"`. For a matrix a vector is needed.
#' @param resolution Factor of the null term.
#' @param is_directed Whether arcs count by direction.
#' @param mode `"calculate"`; `"update"` also puts the value into the record of
#'   the column; `"retrieve"` reads what is stored there.
#' @return A number; for `mode = "update"` the object.
#' @section Errors:
#' `missing_key` without graph or column, or when nothing is stored;
#' `shape` when labels and cells differ in number; `range` for missing labels
#' and unusable weights.
#' @references Newman, M.E.J. and Girvan, M. (2004) Finding and evaluating
#'   community structure in networks. Physical Review E 69, 026113.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' sce <- clusterLeiden(sce)
#' graphModularity(sce, "leiden")
#' @include cluster-labels.R graph-lookup.R
#' @export
graphModularity <- function(x, labels = NULL, resolution = 1,
                            neighbors_key = NULL, obsp = NULL,
                            is_directed = FALSE,
                            mode = c("calculate", "update", "retrieve"),
                            n_threads = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    .checkNumber(resolution)
    .checkFlag(is_directed)
    mode <- .checkChoice(mode, c("calculate", "update", "retrieve"))
    key <- .labelKey(x, labels, mode)
    if (mode == "retrieve") {
        return(.storedModularity(x, key))
    }
    found <- .findGraph(x, neighbors_key, obsp)
    codes <- .labelCodes(
        if (is.null(key)) labels else .readCellData(x, key),
        rownames(found$matrix)
    )
    job <- .job(n_threads, FALSE, "Modularity")
    value <- .native(
        job, rs_cluster_modularity, .slots(found$matrix), codes, resolution,
        is_directed, cell_names = rownames(found$matrix)
    )
    if (mode == "calculate") {
        return(value)
    }
    record <- .readRecord(x, key)
    if (!.isRecord(record)) {
        record <- .record("graphModularity", params = list(
            labels = key, resolution = resolution, is_directed = is_directed,
            neighbors_key = neighbors_key, obsp = obsp
        ), run = .run(job), cells = rownames(found$matrix))
    }
    record$modularity <- value
    .writeRecord(x, key, record, nested = FALSE)
}

# The column that `labels` names, or NULL when it holds the labels themselves.
.labelKey <- function(x, labels, mode, call = rlang::caller_env()) {
    if (.containerClass(x) == "matrix") {
        if (is.null(labels) || mode != "calculate") {
            .refuseMatrix(x, "holds no labels", call)
        }
        return(NULL)
    }
    if (is.null(labels)) {
        return("leiden")
    }
    one <- is.character(labels) && length(labels) == 1L
    if (one || mode != "calculate") {
        return(.checkString(labels, arg = "labels", call = call))
    }
    NULL
}

.labelCodes <- function(labels, cells, call = rlang::caller_env()) {
    labels <- .cellColumn(labels, "labels", NULL, cells, call)
    missing <- which(is.na(labels))
    if (length(missing)) {
        .abort(
            "range", paste0(
                .count(length(missing), "cell"), " without a label: ",
                .someNames(cells[missing]), "."
            ), "Label all cells, or leave these out of the object.",
            cells = cells[missing], call = call
        )
    }
    match(labels, unique(labels)) - 1L
}

.storedModularity <- function(x, key, call = rlang::caller_env()) {
    value <- .readRecord(x, key)$modularity
    if (is.null(value)) {
        .abort(
            "missing_key", paste0(
                "No modularity is stored for ", .someNames(key), "."
            ), "Run graphModularity(mode = \"update\") first.",
            key = key, call = call
        )
    }
    .checkFresh(x, key, call)
    value
}
