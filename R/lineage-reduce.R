# A map of fates reduced to a few lineages of interest.

#' Reduce a map of fates to a few lineages
#'
#' Keeps the lineages of interest and gives what cells have of the others to
#' them, so that rows still sum to one. With `mode = "dist"` each of the other
#' lineages is shared out in the same way for all cells, more to the lineages
#' it is like; with `mode = "scale"` the probabilities that are kept are divided
#' by their sum in each cell.
#'
#' @details
#' Keys are read as in [mixLineages()]; joint keys are summed first. With one
#' key every cell gets 1. When the keys name all lineages there is nothing to
#' share out and they are returned as they are, with a warning.
#'
#' In `"dist"`, likeness is measured over the cells, cells without values (NA)
#' left out:
#'
#' | `dist_measure` | weight of lineage q for lineage r |
#' |---|---|
#' | `"mutual_info"` | mutual information in nats (Kraskov et al. 2004) |
#' | `"cosine_sim"` | cosine of the two columns |
#' | `"wasserstein_dist"` | 1 / first Wasserstein distance of their values |
#' | `"kl_div"` | 1 / Kullback-Leibler divergence `sum q log(q / r)` |
#' | `"js_div"` | 1 / Jensen-Shannon distance (square root, nats) |
#' | `"equal"` | 1 / number of lineages kept |
#'
#' For the three distances only cells where every lineage is positive count, and
#' columns are divided by their sum. The weights of each lineage are divided by
#' their sum (`normalize_weights = "scale"`), and then, with `"softmax"`, become
#' proportional to `exp(softmax_scale * weight)`. A lineage whose weights are
#' all zero is shared equally. Mutual information is estimated from the third
#' nearest neighbours of the cells; ties are left as they are, no noise is
#' added.
#'
#' In `"scale"` a cell with none of the lineages kept gets equal parts. A cell
#' with NA stays NA. Time O(cells x lineages kept x others), for
#' `"mutual_info"` times log(cells); memory O(cells x lineages). No randomness;
#' the same on any number of threads. Nothing is stored.
#'
#' @inheritParams summarizeLineages
#' @param keys Lineages to keep: names, or several joined by commas.
#' @param mode `"dist"` or `"scale"`.
#' @param dist_measure Likeness of two lineages for `"dist"`.
#' @param normalize_weights How weights become shares.
#' @param softmax_scale Sharpness of the softmax, not negative: 0 shares
#'   equally.
#' @param return_weights Also return the shares?
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @return A [Lineage()] of cells x keys with the (mixed) colours; with
#'   `return_weights = TRUE` a list of `lineages` and `weights`, a matrix of the
#'   lineages given up x keys whose rows sum to one, or NULL for
#'   `mode = "scale"` (with a warning) and when nothing was given up.
#' @section Errors:
#' `not_stochastic` for rows that do not sum to one (with the cells);
#' `missing_key`, `duplicate_names`, `shape` and `type` for keys; `range` for
#' unknown choices, for measures that need more cells than there are, and for
#' weights that are not finite: two lineages that do not differ have no finite
#' weight by a distance, one of zeros none by the cosine. Warnings: `fallback`
#' (nothing to give up; weights of zero; no weights for `"scale"`).
#' @references Kraskov, A., Stoegbauer, H. and Grassberger, P. (2004) Estimating
#'   mutual information. Physical Review E 69, 066138. Lange, M. et al. (2022)
#'   CellRank for directed single-cell fate mapping. Nature Methods 19, 159-170.
#' @examples
#' set.seed(1)
#' fates <- matrix(rexp(200), 50, dimnames = list(NULL, LETTERS[1:4]))
#' fates <- Lineage(fates / rowSums(fates))
#' reduceLineages(
#'     fates, c("A", "C, D"), dist_measure = "cosine_sim", return_weights = TRUE
#' )$weights
#' head(reduceLineages(fates, c("A", "B"), mode = "scale"))
#' @export
reduceLineages <- function(x, keys, mode = c("dist", "scale"),
                           dist_measure = c(
                               "mutual_info", "cosine_sim",
                               "wasserstein_dist", "kl_div", "js_div", "equal"
                           ), normalize_weights = c("softmax", "scale"),
                           softmax_scale = 1, return_weights = FALSE,
                           n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    how <- list(
        mode = .checkChoice(mode, c("dist", "scale")),
        measure = .checkChoice(dist_measure, c(
            "mutual_info", "cosine_sim", "wasserstein_dist", "kl_div",
            "js_div", "equal"
        )),
        normalize = .checkChoice(normalize_weights, c("softmax", "scale")),
        softmax_scale = .checkNumber(
            softmax_scale, 0, .Machine$double.xmax, arg = "softmax_scale"
        )
    )
    .checkFlag(return_weights)
    x <- .asLineage(x)
    members <- .mixtureMembers(keys, lineageNames(x))
    .checkRowSums(x)
    job <- .job(n_threads, show_progress_bar, "Reduction of lineages")
    out <- .reduced(x, members, how, job)
    if (!return_weights) {
        return(out$lineages)
    }
    if (how$mode == "scale") {
        .warn("fallback", paste(
            "`mode = \"scale\"` has no weights: the shares differ between",
            "cells. NULL is returned for them."
        ), argument = "return_weights")
    }
    out
}

.reduced <- function(x, members, how, job) {
    reference <- .mixed(x, members)
    others <- setdiff(lineageNames(x), unlist(members))
    if (!length(others)) {
        .warn("fallback", paste(
            "The keys name all lineages: there is nothing to share out, and",
            "the lineages are returned as they are."
        ), keys = names(members))
        return(list(lineages = reference, weights = NULL))
    }
    if (length(members) == 1L || how$mode == "scale") {
        out <- list(values = .native(
            job, rs_lineage_rescale, .lineageMatrix(reference), nrow(x)
        ), shares = if (how$mode == "dist") rep(1, length(others)))
    } else {
        out <- .sharedOut(
            .lineageMatrix(reference), .lineageMatrix(x[, others]), how, job
        )
    }
    .reducedLineage(out, reference, others)
}

# What the core returned as a Lineage like the reference, and its shares.
.reducedLineage <- function(out, reference, others) {
    values <- out$values
    values[is.nan(values)] <- NA_real_
    values <- matrix(
        values, nrow(reference), dimnames = list(rownames(reference), NULL)
    )
    keys <- lineageNames(reference)
    list(
        lineages = .newLineage(values, keys, lineageColors(reference)),
        weights = if (!is.null(out$shares)) matrix(
            out$shares, length(others), dimnames = list(others, keys)
        )
    )
}

.sharedOut <- function(reference, query, how, job) {
    weights <- .native(
        job, rs_lineage_weights, reference, query, nrow(query), how$measure,
        advice = paste(
            "Use a measure that needs less of the cells, such as",
            "dist_measure = \"cosine_sim\" or \"equal\"."
        )
    )
    .checkWeights(
        matrix(weights, ncol(query), ncol(reference)), colnames(query),
        colnames(reference), how$measure, job$call
    )
    .native(
        job, rs_lineage_redistribute, reference, query, nrow(query), weights,
        if (how$normalize == "softmax") how$softmax_scale
    )
}

.checkWeights <- function(weights, queries, references, measure, call) {
    pairs <- function(at) {
        paste(queries[at[, 1L]], references[at[, 2L]], sep = " and ")
    }
    bad <- which(!is.finite(weights) | weights < 0, arr.ind = TRUE)
    if (nrow(bad)) {
        .abort(
            "range", paste0(
                "`dist_measure = \"", measure, "\"` gives ",
                .count(nrow(bad), "weight"), " that cannot be used: ",
                .someNames(pairs(bad)), "."
            ), paste(
                "By a distance, lineages that do not differ have no finite",
                "weight; by the cosine, one of zeros has none and opposite",
                "ones a negative one. Use dist_measure = \"mutual_info\" or",
                "\"equal\"."
            ), pairs = pairs(bad), argument = "dist_measure", call = call
        )
    }
    zero <- which(weights == 0, arr.ind = TRUE)
    if (nrow(zero)) {
        lost <- queries[rowSums(weights) == 0]
        .warn("fallback", c(
            paste0(
                .count(nrow(zero), "weight"), " of `dist_measure = \"",
                measure, "\"` ", if (nrow(zero) == 1L) "is" else "are",
                " zero: ", .someNames(pairs(zero)), "."
            ),
            if (length(lost)) paste0(
                "These lineages are like none of those kept and are shared ",
                "equally: ", .someNames(lost), "."
            )
        ), pairs = pairs(zero), lineages = lost)
    }
}

# Rows without NA must sum to one, within 1e-5.
.checkRowSums <- function(x, call = rlang::caller_env()) {
    sums <- rowSums(.lineageMatrix(x))
    bad <- which(abs(sums - 1) > 1e-5)
    if (length(bad)) {
        cells <- if (is.null(rownames(x))) bad else rownames(x)[bad]
        .abort(
            "not_stochastic", paste0(
                .count(length(bad), "cell"), " of the lineages do not sum to ",
                "one (sums from ", .brief(min(sums[bad])), " to ",
                .brief(max(sums[bad])), "): ", .someNames(cells), "."
            ), "Divide the rows by their sums, or keep all lineages.",
            cells = cells, n_cells = length(bad), call = call
        )
    }
}
