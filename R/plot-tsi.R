# How many terminal states are found among how many macrostates.

#' Plot the identification of terminal states
#'
#' Step lines of the number of known terminal states found among the macrostates
#' and of the largest possible number, over the number of macrostates; the area
#' below the first over that below the second is the score. `plotTsi()` gives
#' the figure, `plotTsiData()` the numbers in it.
#'
#' Nothing is stored. Cost: linear in the number of macrostates. Randomness,
#' threads: not applicable.
#'
#' @param x An estimator or an object with the result of [computeTsi()], or a
#'   named list of them, one line for each.
#' @param title Title; NULL gives the score of a single estimator.
#' @param color Colour of the line, one for each estimator; NULL takes the
#'   default palette.
#' @param ... Not used; an unknown argument is an error.
#' @return `plotTsi()`: a ggplot object. `plotTsiData()`: a data frame with the
#'   columns of [tsi()], the smallest number first, and `name` and `score` of
#'   the estimator.
#' @section Conditions: `fatecast_error_not_computed` before [computeTsi()],
#'   `fatecast_error_type` for a list without names or colours that are none,
#'   `fatecast_error_shape` for another number of colours,
#'   `fatecast_error_duplicate_names`, `fatecast_error_unknown_argument`.
#' @seealso [computeTsi()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' sce <- buildNeighbors(sce, n_neighbors = 30)
#' tips <- setdiff(levels(sce$cell_type), c("root", "intermediate"))
#' fit <- computeTsi(
#'     GPCCA(VelocityKernel(sce)), 6, tips, "cell_type", n_cells = 10
#' )
#' plotTsi(fit)
#' @include plot-theme.R estimator-tsi.R
#' @export
plotTsi <- function(x, title = NULL, color = NULL, ...) {
    .checkDots(...)
    .checkString(title, null = TRUE)
    data <- plotTsiData(x)
    names <- levels(data$name)
    colors <- .tsiColors(color, names)
    steps <- .tsiSteps(data)
    best <- data[!duplicated(data$number_of_macrostates), ]
    best <- best[order(best$number_of_macrostates), ]
    if (is.null(title) && length(names) == 1L) {
        title <- paste("Terminal state identification:", format(
            round(data$score[1L], 3)
        ))
    }
    ggplot2::ggplot(steps, aes(.data$x, .data$y)) +
        ggplot2::geom_step(aes(colour = .data$name), linewidth = 1.4) +
        ggplot2::geom_step(
            aes(linetype = "largest possible"), .tsiOptimum(data),
            colour = .inkColor, linewidth = 0.4
        ) +
        ggplot2::scale_colour_manual(
            name = NULL, values = colors,
            guide = if (length(names) > 1L) "legend" else "none"
        ) +
        ggplot2::scale_linetype_manual(
            name = NULL, values = c("largest possible" = "dashed")
        ) +
        ggplot2::scale_x_continuous(breaks = .wholeBreaks) +
        ggplot2::scale_y_continuous(
            breaks = .wholeBreaks,
            limits = c(0, max(best$optimal_identification))
        ) +
        labs(
            title = title, x = "Number of macrostates",
            y = "Terminal states found"
        ) + .plotTheme()
}

#' @rdname plotTsi
#' @export
plotTsiData <- function(x, ...) {
    .checkDots(...)
    if (!is.list(x)) x <- list(TSI = x)
    if (is.null(names(x)) || !all(nzchar(names(x)))) {
        .abort("type", "A list of estimators must have a name for each.",
            argument = "x"
        )
    }
    if (anyDuplicated(names(x))) {
        .abort("duplicate_names", paste0(
            "Two estimators are called ",
            .someNames(names(x)[duplicated(names(x))]), "."
        ))
    }
    parts <- lapply(names(x), function(name) {
        table <- tsi(x[[name]])
        data.frame(
            table[rev(seq_len(nrow(table))), ],
            name = factor(name, levels = names(x)), score = attr(table, "score")
        )
    })
    data <- do.call(rbind, parts)
    rownames(data) <- NULL
    data
}

.tsiColors <- function(color, names, call = rlang::caller_env()) {
    if (is.null(color)) {
        return(stats::setNames(.defaultColors(length(names)), names))
    }
    if (length(color) != length(names)) {
        .abort("shape", paste0(
            "`color` has ", .count(length(color), "value"), " for ",
            .count(length(names), "estimator"), "."
        ), argument = "color", call = call)
    }
    stats::setNames(unname(.asHex(color, call = call)), names)
}

# Each number of macrostates is a step of width one.
.tsiSteps <- function(data) {
    last <- !duplicated(data$name, fromLast = TRUE)
    end <- data[last, ]
    end$number_of_macrostates <- end$number_of_macrostates + 1L
    all <- rbind(data, end)
    data.frame(
        x = all$number_of_macrostates - 0.5,
        y = all$identified_terminal_states, name = all$name
    )
}

# The optimum of every estimator, drawn once where they agree.
.tsiOptimum <- function(data) {
    one <- data[!duplicated(data$number_of_macrostates), ]
    one <- one[order(one$number_of_macrostates), ]
    number <- one$number_of_macrostates
    best <- one$optimal_identification
    data.frame(
        x = c(number, max(number) + 1L) - 0.5, y = c(best, best[length(best)])
    )
}

.wholeBreaks <- function(limits) {
    at <- pretty(limits)
    at[at == round(at)]
}
