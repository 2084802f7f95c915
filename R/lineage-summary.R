# Numbers that stand for many cells or lineages.

#' Summaries of lineages
#'
#' Reduces a [Lineage()] to one number per lineage, per cell, or in all. The
#' mean over the cells says how common a fate is, the entropy over the lineages
#' how undecided a cell is.
#'
#' @details
#' The result stays a `Lineage` with two dimensions, so that names and colours
#' go along:
#'
#' * `along = "cells"`: 1 x lineages, named `"mean of Alpha"`, colours kept;
#' * `along = "lineages"`: cells x 1, named `"mean of Alpha, Beta"`, grey;
#' * `along = "all"`: 1 x 1, named `"mean"`, grey.
#'
#' `fn = "sort"` keeps all values: each column (`"cells"`, in ascending order,
#' so that rows are no longer cells) or each row (`"lineages"`, columns named by
#' rank) or all of them in one column, NA last.
#'
#' `"std"` and `"var"` divide by the number of values, not by one less.
#' `"argmin"` and `"argmax"` are positions counted from one, the first of
#' equals; with `along = "all"` they count by columns. `"entropy"` is in nats,
#' of the values divided by their sum; it is NA where the sum is zero or a value
#' negative.
#'
#' Base R's own functions (`colMeans()`, `max()`, `range()`, ...) work on a
#' `Lineage` too and give plain vectors. Cost: O(cells x lineages), for `"sort"`
#' times log. Randomness: none. The same on any number of threads. Nothing is
#' stored.
#'
#' @inheritParams mixLineages
#' @param fn What to compute.
#' @param along Which dimension is reduced: `"cells"`, `"lineages"` or `"all"`.
#' @param na_rm Leave out missing values? If not, a summary that meets one is
#'   NA; one of nothing is NA in any case. Not used for `"sort"`.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @return A [Lineage()].
#' @section Errors:
#' `range` for an unknown `fn` or `along`; `type`; `not_computed` for an
#' estimator without fates.
#' @examples
#' fates <- Lineage(matrix(
#'     c(0.7, 0.2, 0.5, 0.3, 0.8, 0.5), 3,
#'     dimnames = list(c("c1", "c2", "c3"), c("Alpha", "Beta"))
#' ))
#' summarizeLineages(fates, "mean")
#' summarizeLineages(fates, "entropy", along = "lineages")
#' @include lineage-mix.R
#' @export
summarizeLineages <- function(x, fn = c(
                                  "mean", "sum", "min", "max", "std", "var",
                                  "argmin", "argmax", "sort", "entropy"
                              ), along = c("cells", "lineages", "all"),
                              na_rm = FALSE, n_threads = NULL, ...) {
    .checkDots(...)
    fn <- .checkChoice(fn, c(
        "mean", "sum", "min", "max", "std", "var", "argmin", "argmax", "sort",
        "entropy"
    ))
    along <- .checkChoice(along, c("cells", "lineages", "all"))
    na_rm <- .checkFlag(na_rm)
    x <- .asLineage(x)
    job <- .job(n_threads, FALSE)
    if (fn == "sort") {
        return(.sortedLineages(x, along, job))
    }
    m <- .lineageMatrix(x)
    values <- .native(
        job, rs_lineage_summary, m, nrow(m), ncol(m), fn, along, na_rm
    )
    # The core knows no NA; there is no other way to a NaN than from one, or
    # from values that have no such summary.
    values[is.nan(values)] <- NA_real_
    .namedSummary(values, x, fn, along)
}

# Colour of what stands for several lineages at once.
.summaryColor <- "#808080"

.namedSummary <- function(values, x, fn, along) {
    names <- lineageNames(x)
    switch(along,
        cells = .newLineage(
            matrix(values, 1L), paste0(fn, " of ", names), lineageColors(x)
        ),
        lineages = .newLineage(
            matrix(values, ncol = 1L, dimnames = list(rownames(x), NULL)),
            paste0(fn, " of ", paste(names, collapse = ", ")), .summaryColor
        ),
        all = .newLineage(matrix(values, 1L), fn, .summaryColor)
    )
}

.sortedLineages <- function(x, along, job) {
    m <- .lineageMatrix(x)
    if (along == "all") {
        m <- matrix(m, ncol = 1L)
    }
    by <- if (along == "lineages") "lineages" else "cells"
    values <- .native(job, rs_lineage_sort, m, nrow(m), ncol(m), by)
    values[is.nan(values)] <- NA_real_
    values <- matrix(values, nrow(m), ncol(m))
    names <- lineageNames(x)
    switch(along,
        cells = .newLineage(
            values, paste0("sort of ", names), lineageColors(x)
        ),
        lineages = {
            rownames(values) <- rownames(x)
            .newLineage(
                values, as.character(seq_along(names)),
                rep(.summaryColor, length(names))
            )
        },
        all = .newLineage(values, "sort", .summaryColor)
    )
}
