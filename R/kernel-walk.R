# Random walks on a chain.

#' Random walks
#'
#' Simulates single trajectories of a chain. `plotRandomWalks()` draws them on
#' an embedding, `plotRandomWalksData()` gives the cells they visit.
#'
#' A walk starts in one of the start cells, each equally likely, and moves on
#' with the probabilities in the row of the cell it is in. It ends after
#' `max_iter` steps, or once `successive_hits + 1` stop cells were visited in a
#' row; a visit to another cell sets the count back, and the start cell itself
#' does not count. A cell that leads nowhere else keeps the walk.
#'
#' In the figure all cells are grey; walks run along the colours of
#' `color_map`, the first and last cell of each being marked by its ends.
#'
#' Cost: time O(transitions + steps log neighbours), memory 40 bytes per step.
#' Randomness: `random_state` decides everything; walk `i` is the same however
#' many walks there are. The same walks on any number of threads. Nothing is
#' stored.
#'
#' @param x a kernel or an estimator, or an object that holds a transition
#'   matrix. A square matrix (cells x cells, rows sum to one) is a chain without
#'   an embedding: use `basis = NULL`.
#' @param n_sims number of walks.
#' @param max_iter most steps of a walk: a whole number of at least 2, or a
#'   fraction of the number of cells, below 1.
#' @param random_state seed; NULL takes one from R's generator.
#' @param successive_hits how many further stop cells in a row end a walk.
#' @param start_ixs,stop_ixs cells to start from and to stop at: cell names,
#'   positions, a logical vector over all cells, or a list of one entry named
#'   after a column of the cells, which holds its levels or, for a column of
#'   numbers, `c(min, max)`, both ends included. NULL: all cells, and none.
#' @param basis name of the embedding; NULL for none (only
#'   `plotRandomWalksData()`).
#' @param components which two columns of the embedding to use.
#' @param key for objects: the key of the matrix; NULL takes `T_fwd`, else
#'   `T_bwd`.
#' @param n_threads number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... not used; anything here is an error.
#' @return `plotRandomWalksData()`: a data frame with one row per visit, walk
#'   after walk: `walk` (from 1), `step` (0 for the start), `cell` and, with a
#'   `basis`, `x` and `y`; its attribute `random_state` is the seed.
#'   `plotRandomWalks()`: a ggplot.
#' @section Conditions: `fatecast_error_not_computed` for a kernel without a
#'   matrix, `fatecast_error_not_stochastic` when rows do not sum to one,
#'   `fatecast_error_range` for numbers out of range and for sets of cells that
#'   are empty or out of range (field `argument` says which),
#'   `fatecast_error_shape` for a mask or an interval of the wrong length,
#'   `fatecast_error_missing_key` for unknown cells, columns, levels and
#'   embeddings, `fatecast_error_memory` when the walks would exceed
#'   `options(fatecast.memory_limit)`.
#' @references Lange, M. et al. (2022) CellRank for directed single-cell fate
#'   mapping. Nature Methods 19, 159-170.
#' @seealso [plotProjection()]
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 300, n_genes = 60))
#' k <- computeTransitionMatrix(VelocityKernel(sce))
#' plotRandomWalks(
#'     k, n_sims = 20, start_ixs = list(cell_type = "root"), basis = "PCA",
#'     random_state = 1
#' )
#' head(plotRandomWalksData(k, n_sims = 2, max_iter = 10, basis = NULL))
#' @name plotRandomWalks
#' @include plot-cells.R kernel-chain.R
NULL

#' @rdname plotRandomWalks
#' @export
plotRandomWalksData <- function(x, n_sims = 100, max_iter = 0.25,
                                random_state = NULL, successive_hits = 0,
                                start_ixs = NULL, stop_ixs = NULL,
                                basis = "umap", components = c(1, 2),
                                key = NULL, n_threads = NULL,
                                show_progress_bar = NULL, ...) {
    .checkDots(...)
    .randomWalks(
        .chainOf(x, key, n_threads), n_sims, max_iter, random_state,
        successive_hits, start_ixs, stop_ixs, basis, components,
        .job(n_threads, show_progress_bar, "Random walks")
    )$walks
}

# The walks, and the cells of the embedding (`cells`, NULL without a basis).
.randomWalks <- function(chain, n_sims, max_iter, random_state,
                         successive_hits, start_ixs, stop_ixs, basis,
                         components, job) {
    call <- job$call
    cells <- rownames(chain$matrix)
    starts <- .walkCells(start_ixs, chain, "start_ixs", call)
    options <- list(
        n_sims = .checkCount(n_sims, arg = "n_sims", call = call),
        max_iter = .walkSteps(max_iter, length(cells), call),
        successive_hits = .checkCount(
            successive_hits, 0, arg = "successive_hits", call = call
        ),
        starts = (if (is.null(starts)) seq_along(cells) else starts) - 1L,
        stops = .walkCells(stop_ixs, chain, "stop_ixs", call) - 1L
    )
    embedding <- if (!is.null(basis)) {
        # Evaluated before dispatch, which takes the class off its errors.
        container <- .chainContainer(chain, call)
        .plotEmbedding(container, basis, call, components)
    }
    .checkWalkMemory(options, call)
    options$seed <- .seed(random_state, "random_state", call)
    out <- .native(
        job, rs_walk_random, .slots(chain$matrix), options,
        cell_names = cells, advice = .stochasticAdvice
    )
    list(walks = .walkTable(out, cells, embedding, options), cells = embedding)
}

.walkTable <- function(out, cells, embedding, options) {
    walks <- list(
        walk = rep.int(seq_along(out$lengths), out$lengths),
        step = sequence(out$lengths) - 1L, cell = cells[out$cells]
    )
    if (!is.null(embedding)) {
        walks$x <- embedding$data$x[out$cells]
        walks$y <- embedding$data$y[out$cells]
    }
    walks <- list2DF(walks)
    attr(walks, "random_state") <- options$seed
    walks
}

# A number below one is a fraction of the cells.
.walkSteps <- function(max_iter, n, call) {
    value <- .checkNumber(
        max_iter, 0, open_min = TRUE, arg = "max_iter", call = call
    )
    if (value < 1) value <- ceiling(value * n)
    .checkCount(
        value, 2, .Machine$integer.max - 1L, arg = "max_iter", call = call
    )
}

# Only walks that cannot end early are sure to need the room.
.checkWalkMemory <- function(options, call) {
    bytes <- 40 * as.double(options$n_sims) * (options$max_iter + 1)
    limit <- getOption("fatecast.memory_limit", 4 * 2^30)
    if (!length(options$stops) && bytes > limit) {
        .abort(
            "memory", paste0(
                options$n_sims, " walks of ", options$max_iter,
                " steps would take ", format(bytes / 2^30, digits = 3),
                " GiB."
            ), paste(
                "Ask for fewer or shorter walks, or raise",
                "options(fatecast.memory_limit = <bytes>)."
            ), bytes = bytes, limit = limit, call = call
        )
    }
}

# ---- Sets of cells ----

# Positions of the cells a set names, ascending; NULL for NULL.
.walkCells <- function(set, chain, arg, call) {
    if (is.null(set)) return(NULL)
    cells <- rownames(chain$matrix)
    at <- if (is.list(set)) {
        .cellsOfColumn(set, chain, arg, call)
    } else if (is.character(set)) {
        .cellsByName(set, cells, arg, call)
    } else if (is.logical(set)) {
        .cellsOfMask(set, length(cells), arg, call)
    } else if (is.numeric(set)) {
        .cellsAt(set, length(cells), arg, call)
    } else {
        .badType(
            set, "cell names, positions, a logical vector or a named list",
            TRUE, arg, call
        )
    }
    if (!length(at)) {
        .abort(
            "range", paste0("`", arg, "` selects no cell."),
            argument = arg, call = call
        )
    }
    sort(unique(as.integer(at)))
}

.cellsByName <- function(set, cells, arg, call) {
    at <- match(enc2utf8(set), cells)
    if (anyNA(at)) {
        gone <- set[is.na(at)]
        .abort(
            "missing_key", paste0(
                "`", arg, "` names ", .count(length(gone), "cell"),
                " that are not there: ", .someNames(gone), "."
            ), paste(
                "For levels of a column of the cells use a named list:",
                "list(cell_type = \"root\")."
            ), argument = arg, key = gone, call = call
        )
    }
    at
}

.cellsOfMask <- function(set, n, arg, call) {
    if (length(set) != n) {
        .abort(
            "shape", paste0(
                "The logical vector `", arg, "` has length ", length(set),
                " for ", .count(n, "cell"), "."
            ), argument = arg, length = length(set), n_cells = n, call = call
        )
    }
    which(set)
}

.cellsAt <- function(set, n, arg, call) {
    bad <- is.na(set) | set < 1 | set > n | set != round(set)
    if (any(bad)) {
        .abort(
            "range", paste0(
                "`", arg, "` must hold whole numbers from 1 to ", n,
                ", not ", .someNames(set[bad]), "."
            ), argument = arg, value = set[bad], min = 1, max = n, call = call
        )
    }
    set
}

# list(column = levels), or list(column = c(min, max)) for numbers.
.cellsOfColumn <- function(set, chain, arg, call) {
    column <- names(set)
    if (length(set) != 1L || is.null(column) || !nzchar(column)) {
        .abort(
            "shape", paste0(
                "A list as `", arg, "` must have one entry, named after a ",
                "column of the cells, not ", length(set), "."
            ), "Such as list(cell_type = \"root\") or list(time = c(0, 0.1)).",
            argument = arg, length = length(set), call = call
        )
    }
    container <- .chainContainer(chain, call)
    values <- .readCellData(container, column)
    wanted <- set[[1L]]
    if (!is.numeric(values)) {
        return(.cellsOfLevels(values, wanted, column, arg, call))
    }
    if (!is.numeric(wanted) || length(wanted) != 2L || anyNA(wanted)) {
        .abort(
            "shape", paste0(
                "The column `", column, "` holds numbers: `", arg,
                "` must give c(min, max), not ", .describe(wanted), "."
            ), argument = arg, key = column, call = call
        )
    }
    which(values >= wanted[1L] & values <= wanted[2L])
}

.cellsOfLevels <- function(values, wanted, column, arg, call) {
    values <- as.factor(values)
    wanted <- as.character(wanted)
    unknown <- setdiff(wanted, levels(values))
    if (length(unknown)) {
        .abort(
            "missing_key", paste0(
                "`", arg, "`: the column `", column, "` has no level ",
                .someNames(unknown), "."
            ), c(
                .suggest(unknown[1L], levels(values)),
                paste0("The levels are ", .someNames(levels(values), 20L), ".")
            ), argument = arg, key = unknown, call = call
        )
    }
    which(values %in% wanted)
}
