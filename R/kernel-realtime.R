#' Transitions along experimental time
#'
#' Joins cells of one time point to those of later ones by couplings, as optimal
#' transport gives them ([computeCouplings()], [readCouplings()]), and lets the
#' cells of the last time move among themselves.
#'
#' @details
#' **Couplings** are a named list of matrices, cells of an earlier time x cells
#' of a later one, entries finite and not negative: dense, or sparse, in which
#' case they are taken as they are. They are named by their pair of times
#' (`"1_2"`), or the list has an attribute `pairs`, a data frame with the
#' columns `source` and `target`. Rows and columns are matched by cell name, in
#' any order; without names they are in the order of the object. Every time but
#' the last needs a coupling to a later one. A list that is not given is asked
#' of [computeCoupling()], pair by pair: consecutive times (`policy =
#' "sequential"`) or all (`"triu"`).
#'
#' **Threshold**, for dense couplings only; entries strictly below it go. The
#' matrices that were given stay as they are, so another call may use another
#' threshold.
#' * `"auto"`: the smallest row maximum of all couplings (empty rows do not
#'   count), so that every row keeps an entry.
#' * `"auto_local"`: the same for each coupling by itself.
#' * a number from 0 to 100: that percentile of all entries of a coupling.
#' * NULL: all entries stay.
#'
#' A row that holds nothing becomes uniform over the later cells, with a
#' warning.
#'
#' **Self transitions** of the last time: `"connectivities"`, a walk on the
#' neighbour graph of its cells (as [ConnectivityKernel()]); `"diagonal"`, cells
#' stay; `"uniform"`, to all its cells alike. `"all"`, or some of the earlier
#' times by name, gives those times a walk on their neighbour graph as well:
#' with probability `conn_weight` within the time, otherwise on. The graph is
#' built anew from the cells of each time. A time of one cell keeps it in place.
#'
#' Rows are scaled to sum to one over everything that leaves a cell, so under
#' `"triu"` couplings to several times share it. A **backward** kernel
#' ([invertKernel()]) transposes the couplings and reverses time; the first time
#' then moves among itself.
#'
#' Nothing is made dense. Time and memory O(entries of the couplings); permuting
#' the cells permutes the result; the same bits on any number of threads.
#' `random_state` in `conn_kwargs` matters to the approximate search of
#' neighbours only.
#'
#' When the object is handed back ([container()], [writeToObject()]), the
#' columns of growth that couplings bring along (attribute `growth`) become
#' columns `growth_fwd.g0`, ... of the cells, NA for cells of the last time.
#'
#' @param object A `SingleCellExperiment` or `Seurat` object.
#' @param time_key Column with the time of every cell: a factor whose levels are
#'   in the order of time; unused levels are dropped.
#' @param couplings A named list of matrices, or NULL.
#' @param policy Which pairs are asked for when `couplings` is NULL.
#' @param backward Run against time.
#' @param experiment An altExp of a `SingleCellExperiment`, an assay of a
#'   `Seurat` object, for neighbour graphs; NULL for the main one.
#' @return `RealTimeKernel()` gives a kernel that is not computed yet;
#'   [computeTransitionMatrix()] fills it. Its parameters hold every argument
#'   after defaults, its run the thresholds used and how many rows were empty.
#' @section Errors:
#' `missing_key` for the column, for couplings that no two times are named by,
#' and for times without a coupling; `type` when the time is not a factor or a
#' coupling not a matrix; `shape` and `container_cells` for rows or columns that
#' are not the cells of a time; `duplicate_names` for a pair that comes twice or
#' a name that can be read in two ways; `range` for pairs against time, negative
#' or infinite entries, a threshold outside 0 to 100, a `conn_weight` outside 0
#' to 1, unknown policies and self transitions; `memory` when uniform blocks
#' would pass `options(fatecast.memory_limit)`; `not_computed` without
#' couplings. Warnings: `dropped` for empty rows (pair and cells),
#' `replaced_argument` for arguments that have no effect.
#' @references Lange, M. et al. (2024) Mapping lineage-traced cells across time
#'   points with moslin. Genome Biology 25, 277. Schiebinger, G. et al. (2019)
#'   Optimal-transport analysis of single-cell gene expression identifies
#'   developmental trajectories in reprogramming. Cell 176, 928-943. Weiler, P.
#'   et al. (2024) CellRank 2: unified fate mapping in multiview single-cell
#'   data. Nature Methods 21, 1196-1205.
#' @seealso [computeCoupling()], [plotSingleFlow()], [ExperimentalTimeKernel()]
#' @examples
#' sce <- computePCA(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' place <- SingleCellExperiment::reducedDim(sce, "PCA")[, 1:5]
#' near <- exp(-as.matrix(dist(place))^2 / 10)
#' day <- sce$time
#' couplings <- list(
#'     "0_1" = near[day == 0, day == 1], "1_2" = near[day == 1, day == 2],
#'     "2_3" = near[day == 2, day == 3]
#' )
#' k <- RealTimeKernel(sce, time_key = "time", couplings = couplings)
#' computeTransitionMatrix(k)
#' computeTransitionMatrix(k, self_transitions = "all", conn_weight = 0.2)
#' @aliases RealTimeKernel-class
#' @include kernel-coupling.R kernel-time.R
#' @export
RealTimeKernel <- function(object, time_key, couplings = NULL,
                           policy = c("sequential", "triu"), backward = FALSE,
                           experiment = NULL) {
    .checkContainer(object)
    .checkString(time_key)
    policy <- .checkChoice(policy, c("sequential", "triu"))
    time <- .readCourse(object, time_key)
    pairs <- if (is.null(couplings)) {
        .policyPairs(levels(time), policy)
    } else {
        .couplingPairs(couplings, levels(time))
    }
    kernel <- .newKernel(
        "RealTimeKernel", object,
        init = list(
            time_key = time_key, couplings = couplings, policy = policy,
            experiment = .checkString(experiment, null = TRUE)
        ), backward = .checkDirection(backward), time = time, pairs = pairs
    )
    .courseOf(kernel)
    for (at in seq_along(couplings)) {
        .couplingCells(
            couplings[[at]], pairs$source[at], pairs$target[at], time,
            kernel@cell_names
        )
    }
    kernel
}

#' @rdname RealTimeKernel
#' @slot pairs Data frame of the pairs of times, `source` and `target`.
#' @exportClass RealTimeKernel
setClass("RealTimeKernel",
    contains = "ExperimentalTimeKernel", slots = c(pairs = "data.frame")
)

#' Coupling of two times, for classes of one's own
#'
#' A [RealTimeKernel()] without couplings asks this generic for each of its
#' pairs. A class of one's own that contains `RealTimeKernel` has a method that
#' computes the coupling; the kernel does the rest.
#'
#' @param kernel A [RealTimeKernel()], or of a class that contains it.
#' @param source,target Names of the two times, `source` the earlier one.
#' @param ... What [computeTransitionMatrix()] was given beyond its own
#'   arguments; kept among the parameters.
#' @return A matrix, cells of `source` x cells of `target`, dense or sparse,
#'   entries not negative; names of rows and columns are matched. The method for
#'   `RealTimeKernel` itself is an error of kind `not_computed`.
#' @examples
#' sce <- computePCA(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' setClass("NearKernel", contains = "RealTimeKernel")
#' setMethod("computeCoupling", "NearKernel", function(
#'         kernel, source, target, width = 10, ...) {
#'     x <- container(kernel)
#'     place <- SingleCellExperiment::reducedDim(x, "PCA")[, 1:5]
#'     near <- exp(-as.matrix(dist(place))^2 / width)
#'     near[x$time == source, x$time == target]
#' })
#' k <- new("NearKernel", RealTimeKernel(sce, time_key = "time"))
#' computeTransitionMatrix(k, width = 5)
#' @rdname computeCoupling
#' @export
setMethod("computeCoupling", "RealTimeKernel", function(
        kernel, source, target, ...) {
    .abort(
        "not_computed", paste0(
            "This `", class(kernel)[1L], "` has no couplings."
        ), paste(
            "Give RealTimeKernel() the result of computeCouplings() or",
            "readCouplings(), or write a method of computeCoupling()."
        ), pair = c(source, target)
    )
})

#' @rdname RealTimeKernel
#' @param kernel The kernel.
#' @param threshold Which entries of dense couplings go.
#' @param self_transitions How cells move within a time.
#' @param conn_weight Probability of moving within the time, above 0 and below
#'   1, where earlier times have self transitions.
#' @param conn_kwargs A list of arguments of [buildNeighbors()] for the graphs
#'   within times (`n_neighbors`, `n_pcs`, `use_rep`, `method`, `transformer`,
#'   `metric`, `metric_kwds`, `random_state`, `assay`), and `density_normalize`
#'   of [ConnectivityKernel()].
#' @param ... For [computeCoupling()] when there are no couplings; otherwise not
#'   used, and an unknown argument is an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @export
setMethod("computeTransitionMatrix", "RealTimeKernel", function(
        kernel, threshold = "auto",
        self_transitions = c("connectivities", "diagonal", "uniform", "all"),
        conn_weight = NULL, conn_kwargs = list(), ..., n_threads = NULL,
        show_progress_bar = NULL) {
    if (!is.null(kernel@init$couplings)) .checkDots(...)
    call <- rlang::current_env()
    course <- .courseOf(kernel, call)
    threshold <- .checkThreshold(threshold, call)
    stay <- .selfTransitions(self_transitions, course, call)
    weight <- .connWeight(conn_weight, stay, call)
    conn <- .connSettings(conn_kwargs, stay, call)
    .checkUniform(course, stay, call)
    job <- .job(n_threads, show_progress_bar, "Real-time kernel")
    couplings <- .courseCouplings(kernel, stay, weight, call, ...)
    within <- .withinTimes(kernel, course, stay, weight, conn, job)
    out <- .native(
        job, rs_kernel_realtime, couplings, within, c(
            .thresholdOptions(threshold), n = length(kernel@cell_names),
            backward = kernel@backward,
            memory_limit = getOption("fatecast.memory_limit", 4 * 2^30)
        ), cell_names = kernel@cell_names, advice = .courseAdvice
    )
    .reportEmpty(kernel, couplings, out$empty)
    .setTransition(
        kernel, .fromSlots(out$matrix, kernel@cell_names),
        c(list(
            threshold = threshold, self_transitions = stay$given,
            conn_weight = conn_weight, conn_kwargs = conn, ...,
            pairs = .pairNames(kernel@pairs)
        ), kernel@init[c("time_key", "policy", "experiment")]),
        .run(
            job, empty_rows = sum(lengths(out$empty)),
            thresholds = stats::setNames(
                out$thresholds, .pairNames(kernel@pairs)
            )
        )
    )
})

# ---- The course: which times go where ----

# In the direction of the kernel: `sources`, the times that couplings leave;
# `last`, the time that only they reach.
.courseOf <- function(kernel, call = rlang::caller_env()) {
    levels <- levels(kernel@time)
    ends <- kernel@pairs[c("source", "target")]
    if (kernel@backward) {
        levels <- rev(levels)
        ends <- stats::setNames(rev(ends), names(ends))
    }
    last <- levels[max(match(unlist(ends), levels))]
    lone <- setdiff(levels, c(ends$source, last))
    if (length(lone)) {
        order <- if (kernel@backward) "an earlier" else "a later"
        .abort(
            "missing_key", paste0(
                "No coupling joins the time ", .someNames(lone), " to ",
                order, " one."
            ), paste0(
                "Couplings are given for ",
                .someNames(.pairNames(kernel@pairs), 20L),
                "; every time but the ", if (kernel@backward) {
                    "first"
                } else {
                    "last"
                }, " needs one."
            ), key = lone, pairs = .pairNames(kernel@pairs), call = call
        )
    }
    list(
        sources = intersect(levels, ends$source), last = last,
        cells = split(seq_along(kernel@time) - 1L, kernel@time)
    )
}

.courseAdvice <- paste(
    "Couplings hold finite masses, 0 or more. Uniform rows stand in for",
    "empty ones; lower the threshold, or raise",
    "options(fatecast.memory_limit = <bytes>), if there are too many."
)

# Couplings for Rust, one per pair. Asked of the class where none were given.
.courseCouplings <- function(kernel, stay, weight, call, ...) {
    pairs <- kernel@pairs
    given <- kernel@init$couplings
    lapply(seq_len(nrow(pairs)), function(at) {
        pair <- pairs[at, ]
        m <- if (is.null(given)) {
            computeCoupling(kernel, pair$source, pair$target, ...)
        } else {
            given[[at]]
        }
        arg <- .couplingArg(
            m, pair, kernel@time, kernel@cell_names, call
        )
        from <- if (kernel@backward) pair$target else pair$source
        if (from %in% stay$times) arg$share <- 1 - weight
        arg
    })
}

.reportEmpty <- function(kernel, couplings, empty) {
    for (at in which(lengths(empty) > 0L)) {
        pair <- kernel@pairs[at, ]
        side <- if (kernel@backward) "target" else "source"
        cells <- kernel@cell_names[couplings[[at]][[side]][empty[[at]]] + 1L]
        .warn(
            "dropped", paste0(
                "The coupling ", .pairLabel(pair), " holds nothing for ",
                .count(length(cells), "cell"), ", which go to all cells ",
                "alike: ", .someNames(cells), "."
            ), pair = c(pair$source, pair$target), cells = cells
        )
    }
}

# Growth that the couplings bring along, as columns of the cells.
setMethod(".cellColumnsOf", "RealTimeKernel", function(kernel) {
    growth <- attr(kernel@init$couplings, "growth")
    if (is.list(growth) && !is.data.frame(growth)) {
        growth <- do.call(rbind, unname(lapply(growth, as.data.frame)))
    }
    if (length(dim(growth)) != 2L || is.null(rownames(growth))) return(list())
    growth <- as.data.frame(growth)
    growth <- growth[vapply(growth, is.numeric, logical(1))]
    # A cell that several pairs leave has its first rate.
    at <- match(kernel@cell_names, rownames(growth))
    columns <- lapply(growth, function(g) g[at])
    if (length(columns)) names(columns) <- .keyColumn(.keyGrowth, names(growth))
    columns
})
