#' Kernels on experimental time
#'
#' The base of kernels that know when a cell was taken: [RealTimeKernel()], and
#' kernels of one's own. `ExperimentalTimeKernel()` makes a kernel of such a
#' class, after reading and checking the time of every cell;
#' `experimentalTime()` gives the times in the direction of the kernel.
#'
#' @details
#' The column may be numeric, text that reads as numbers, or a factor whose
#' levels read as numbers; it becomes an ordered factor, unused levels dropped.
#' An ordered factor must ascend; the levels of a plain factor that do not are
#' put in ascending order, with a warning. The column itself is not changed.
#' Times in use must be at least 2 and at most 100.
#'
#' A backward kernel ([invertKernel()]) sees time reversed: `max - t + min`.
#' When the results of a kernel are written to the object, the times get colours
#' under `<time_key>_colors`, on a ramp from black over violet and orange to
#' yellow that is proportional to time, unless the object has a palette there.
#'
#' @section Extending:
#' A class that contains `ExperimentalTimeKernel` and has a method of
#' [computeTransitionMatrix()] that ends in `callNextMethod(kernel, matrix = m)`
#' is a kernel: it is checked, normalised, inverted, combined, stored and
#' plotted like the others. The example is complete.
#'
#' @param class Name of a class that contains `ExperimentalTimeKernel`.
#' @param object A `SingleCellExperiment` or `Seurat` object.
#' @param time_key Column with the time of every cell (no missing value).
#' @param backward Run against time.
#' @param ... Further arguments of the class, kept with the kernel.
#' @param kernel A kernel on experimental time.
#' @return `ExperimentalTimeKernel()`: a kernel of `class`, not computed yet.
#'   `experimentalTime()`: one number per cell, named by cell.
#' @section Errors:
#' `missing_key` without the column; `type` for a class that does not fit, and
#' for times that are no numbers (they are named); `range` for missing or
#' infinite times (the cells are named), fewer than 2 or more than 100 different
#' times, and an ordered factor that does not ascend.
#' @section Cost:
#' O(cells); no randomness, no threads.
#' @seealso [RealTimeKernel()], [plotSingleFlow()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' sce <- buildNeighbors(sce)
#'
#' # Along the neighbour graph, never to an earlier day
#' setClass("DayKernel", contains = "ExperimentalTimeKernel")
#' setMethod("computeTransitionMatrix", "DayKernel", function(kernel, ...) {
#'     day <- experimentalTime(kernel)
#'     graph <- cellGraph(container(kernel), "connectivities")
#'     forward <- graph * outer(day, day, "<=") + Matrix::Diagonal(length(day))
#'     callNextMethod(kernel, matrix = forward, params = list(stay = 1))
#' })
#' k <- ExperimentalTimeKernel("DayKernel", sce, time_key = "time")
#' computeTransitionMatrix(k)
#' computeTransitionMatrix(invertKernel(k))
#' @include kernel.R
#' @aliases ExperimentalTimeKernel-class
#' @export
ExperimentalTimeKernel <- function(class, object, time_key, backward = FALSE,
                                   ...) {
    .checkString(class)
    .checkContainer(object)
    if (!methods::extends(class, "ExperimentalTimeKernel") ||
        methods::isVirtualClass(class)) {
        .abort(
            "type", paste0(
                "`", class, "` is no class of kernels on experimental time."
            ), paste0(
                "Define it with setClass(\"", class, "\", contains = ",
                "\"ExperimentalTimeKernel\")."
            ), class_found = class
        )
    }
    .newKernel(
        class, object,
        init = list(time_key = .checkString(time_key), ...),
        backward = .checkDirection(backward),
        time = .readExperimentalTime(object, time_key)
    )
}

#' @rdname ExperimentalTimeKernel
#' @slot time Ordered factor: the time of every cell, in the order of cells.
#' @exportClass ExperimentalTimeKernel
setClass("ExperimentalTimeKernel",
    contains = c("BidirectionalKernel", "VIRTUAL"), slots = c(time = "factor")
)

setValidity("ExperimentalTimeKernel", function(object) {
    c(
        if (length(object@time) != length(object@cell_names)) {
            paste0(
                "there are ", length(object@time), " times for ",
                length(object@cell_names), " cells"
            )
        },
        if (anyNA(object@time)) "times are missing"
    )
})

#' @rdname ExperimentalTimeKernel
#' @export
experimentalTime <- function(kernel) {
    if (!methods::is(kernel, "ExperimentalTimeKernel")) {
        .abort("type", paste0(
            "`kernel` must be a kernel on experimental time, not ",
            .describe(kernel), "."
        ), class_found = class(kernel))
    }
    time <- .timeNumbers(levels(kernel@time))[as.integer(kernel@time)]
    if (kernel@backward) time <- max(time) - time + min(time)
    stats::setNames(time, kernel@cell_names)
}

# Levels as numbers; those that are no ascending numbers count from one.
.timeNumbers <- function(levels) {
    numbers <- suppressWarnings(as.numeric(levels))
    if (anyNA(numbers) || is.unsorted(numbers, strictly = TRUE)) {
        numbers <- as.numeric(seq_along(levels))
    }
    numbers
}

# ---- Reading ----

.maxTimes <- 100L

# The time of every cell as an ordered factor whose levels are ascending
# numbers.
.readExperimentalTime <- function(x, column, call = rlang::caller_env()) {
    value <- .readCellData(x, column)
    known <- is.factor(value) || is.character(value) || is.numeric(value)
    if (!known) .refuseTime(value, column, call)
    missing <- is.na(value)
    if (is.numeric(value)) missing <- !is.finite(value)
    .refuseMissing(x, column, missing, call)
    time <- if (is.factor(value)) {
        .orderTimes(droplevels(value), column, call)
    } else {
        numbers <- .asTimes(value, column, call)
        factor(numbers, levels = sort(unique(numbers)), ordered = TRUE)
    }
    n <- nlevels(time)
    if (n < 2L || n > .maxTimes) {
        .abort(
            "range", paste0(
                "`", column, "` has ", .count(n, "different time"),
                "; experimental time takes from 2 to ", .maxTimes, "."
            ), if (n > .maxTimes) {
                "For continuous time use PseudotimeKernel()."
            }, column = column, n = n, call = call
        )
    }
    time
}

# Text or numbers as numbers.
.asTimes <- function(value, column, call) {
    value <- unname(value)
    if (is.numeric(value)) return(as.double(value))
    numbers <- suppressWarnings(as.numeric(value))
    bad <- unique(value[!is.finite(numbers)])
    if (length(bad)) .refuseText(bad, column, call)
    numbers
}

.orderTimes <- function(time, column, call) {
    numbers <- suppressWarnings(as.numeric(levels(time)))
    bad <- levels(time)[!is.finite(numbers)]
    if (length(bad)) .refuseText(bad, column, call)
    time <- unname(time)
    if (!is.unsorted(numbers, strictly = TRUE)) {
        return(factor(time, levels = levels(time), ordered = TRUE))
    }
    shown <- paste0(
        "The levels of `", column, "`, ", .someNames(levels(time)),
        ", are not in ascending order"
    )
    if (is.ordered(time) || anyDuplicated(numbers)) {
        .abort(
            "range", paste0(shown, "."),
            "Give the times in ascending order, each once.",
            column = column, levels = levels(time), call = call
        )
    }
    .warn(
        "replaced_argument", paste0(shown, "; their ascending order is used."),
        "An ordered factor says what the order of time is.",
        column = column, levels = levels(time)
    )
    factor(time, levels = levels(time)[order(numbers)], ordered = TRUE)
}

.refuseTime <- function(value, column, call) {
    .abort(
        "type", paste0(
            "`", column, "` must hold numbers or an ordered factor to serve ",
            "as time, not ", .describe(value), "."
        ), column = column, call = call
    )
}

.refuseText <- function(bad, column, call) {
    .abort(
        "type", paste0(
            "`", column, "` holds times that do not read as numbers: ",
            .someNames(bad), "."
        ), "Give a column of numbers, or a factor whose levels are numbers.",
        column = column, values = bad, call = call
    )
}

.refuseMissing <- function(x, column, missing, call) {
    if (!any(missing)) return(invisible())
    cells <- .cellNames(x)[missing]
    .abort(
        "range", paste0(
            "`", column, "` is missing or infinite in ",
            .count(length(cells), "cell"), ": ", .someNames(cells), "."
        ), column = column, cells = cells, call = call
    )
}

# ---- Writing ----

# Black over violet and orange to yellow, after the colour map of gnuplot
# (formulae 7, 5, 15: square root, cube, sine).
.gnuplotColors <- function(numbers) {
    at <- (numbers - min(numbers)) / diff(range(numbers))
    .rgbHex(255 * rbind(sqrt(at), at^3, pmax(0, sin(2 * pi * at))))
}

# Colours of the times, and what a class has to tell about cells.
.writeTimes <- function(object, kernel) {
    key <- kernel@init$time_key
    levels <- levels(kernel@time)
    if (is.null(.readColors(object, key))) {
        colors <- stats::setNames(
            .gnuplotColors(.timeNumbers(levels)), levels
        )
        object <- .writeColors(object, key, colors)
    }
    columns <- .cellColumnsOf(kernel)
    if (length(columns)) object <- .writeCellData(object, columns)
    object
}

# Columns of cells that a kernel of this class brings along, as a named list.
setGeneric(".cellColumnsOf", function(kernel) {
    standardGeneric(".cellColumnsOf")
})
setMethod(".cellColumnsOf", "ANY", function(kernel) list())

#' @rdname container
#' @export
setMethod("container", "ExperimentalTimeKernel", function(x, ...) {
    object <- callNextMethod()
    if (is.null(x@matrix)) object else .writeTimes(object, x)
})

#' @rdname writeToObject
#' @export
setMethod("writeToObject", "ExperimentalTimeKernel", function(
        x, key = NULL, ...) {
    .writeTimes(callNextMethod(), x)
})
