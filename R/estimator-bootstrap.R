#' @include AllGenerics.R estimator-steps.R estimator-fates.R key.R
NULL

#' How sure fate probabilities are
#'
#' Solves for the fates of many resamples of the chain and gives, for every cell
#' and lineage, their mean, standard deviation and an interval around
#' [fateProbabilities()], and for every terminal state how stably it is found.
#'
#' @section What is resampled:
#' * `"cells"`: the cells the tissue was sampled by (Bayesian bootstrap). Every
#'   cell gets an exponential weight w, and a step from i leads to j with
#'   probability proportional to `T_ij w_j`. `unit = "sample"` draws one weight
#'   per sample (donor), which is what differences among donors call for.
#' * `"neighbors"`: half of the edges of every cell, without replacement (two
#'   at least; a probability to stay is kept). A half varies as much as another
#'   set of as many neighbours would. It says how much hangs on single edges;
#'   edges to the same cell are drawn apart, so it is not the error of another
#'   sample of cells.
#' * `"velocity"`: the genes of the [VelocityKernel()] in the chain, with
#'   replacement; the kernel is evaluated again for every resample, with the
#'   arguments it was made with.
#'
#' @section Weights and neighbourhoods:
#' In a graph of nearest neighbours a crowd of cells makes neighbourhoods
#' smaller, while weights leave the edges as they are and so overstate what a
#' chance crowd attracts, by up to a factor of two in the standard deviation.
#' `neighborhood = "adaptive"` divides the weight of a cell by the square root
#' of the mean weight around it. On a symmetric graph of nearest neighbours
#' density moves the drift of the walk by `1 - 2/d` (Ting et al. 2010; d the
#' dimension of the data), weights on fixed edges by 2; divided by their local
#' mean to the power `1/2 + 1/d` they agree. A half is what every dimension asks
#' for at least, and leaves intervals a little wide for data of few dimensions.
#' `"fixed"` uses the plain weights, right for neighbourhoods of fixed size.
#' NULL is `"adaptive"`, and `"fixed"` for a chain that came as a matrix.
#'
#' @section Intervals:
#' `sin(asin(sqrt(p)) +- z s)^2` around the point estimate p, with s the
#' standard deviation of `asin(sqrt(p*))` over resamples and z the normal
#' quantile; they stay within 0 and 1 and have no width where fates are certain.
#' They are meant to hold the mean estimate over other samples of cells, not the
#' biological truth: a bias of graph or kernel, which more cells of the same
#' kind would not remove, is not in them. In simulations whose cells are drawn
#' anew (500 cells, 100 data sets, two and three fates), 95% intervals over
#' cells held that mean in 94 to 97% of the cases for fates between 0.05 and
#' 0.95; plain weights do so in about 99%. With samples as units, spreads are
#' multiplied by `sqrt((m + 1) / (m - 1))` for m samples; with few samples
#' intervals are rough, and fewer than five give a warning.
#'
#' @section Terminal states:
#' `terminal = "fixed"` keeps the terminal cells. `"recomputed"` computes the
#' macrostates of every resample, pairs them one to one with those of the data
#' such that the Jaccard overlaps of memberships add up to the most, and takes
#' the terminal cells from the partners of the terminal macrostates. The
#' stability of a state is its mean overlap over resamples; `recovered` is the
#' share of resamples with an overlap above one half. Intervals are over the
#' resamples in which every state has a partner.
#'
#' @details
#' Resample b draws from streams of its own, is solved on one thread from the
#' solution of the data, and resamples are solved on all threads; results are
#' the same on any number of them. Every solution must have a relative residual
#' below 1e-6 and an error bound below 1e-4; the worst are in
#' [certificates()]. Cells without fates (NA) stay NA. Without some edges walks
#' may be caught in a few cells: fates are those of the walks that arrive, and a
#' cell from which fewer than one in a thousand arrives, or none, has its
#' interval from the other resamples, and is counted and reported. Time:
#' `n_boot` solutions, for `"recomputed"` as many Schur decompositions, for
#' `"velocity"` as many evaluations of the kernel.
#' Memory: five numbers per cell and lineage, one copy of the chain per thread;
#' for `"velocity"` all resampled fates, within
#' `options(fatecast.memory_limit)`.
#'
#' @param estimator An estimator with fate probabilities.
#' @param n_boot Number of resamples, 2 or more.
#' @param what What is resampled, see there.
#' @param unit For `what = "cells"`: what has a weight of its own, a cell or a
#'   sample.
#' @param sample_key For `unit = "sample"`: column of the sample of every cell.
#' @param terminal Whether terminal states stay or are found anew.
#' @param confidence_level Share of other samples whose mean estimate the
#'   intervals are to hold.
#' @param random_state Seed of the resamples; NULL takes it from R's generator.
#' @param neighborhood For `what = "cells"`: `"adaptive"`, `"fixed"` or NULL,
#'   see Weights and neighbourhoods.
#' @param ... Not used; an unknown argument is an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param x An estimator, or an object that holds its results.
#' @param backward For objects: read the results of the backward chain.
#' @return `bootstrapFates()`: the estimator. `fateUncertainty()`: a list of
#'   `mean`, `sd`, `lower` and `upper`, each a [Lineage()] of cells x lineages;
#'   `stability`, a data frame of `state`, `stability` and `recovered` (NULL
#'   for fixed states); `unreachable`, the number of resamples without fates of
#'   the cells that had such; `n_boot`, and `used`, the resamples with all
#'   states. [container()] stores the four matrices as embeddings
#'   `lineages_fwd_mean`, `_sd`, `_lower` and `_upper`, the rest in the record
#'   `fate_uncertainty_fwd`.
#' @section Errors:
#' `not_computed` without fate probabilities, or without macrostates behind the
#' terminal states for `"recomputed"`; `missing_key`, `type` and `range`
#' (`sample_key` without at least two samples, or with missing values; an
#' argument for another `what`); `type` for `"velocity"` without a velocity
#' kernel; `no_state` when fewer than half of the resamples show all terminal
#' states; `not_converged`, `memory`. Warnings: `dropped` for cells cut off in
#' resamples and for resamples without all states, `unreliable` for fewer than
#' five samples.
#' @references Rubin, D.B. (1981) The Bayesian bootstrap. Annals of Statistics
#'   9, 130-134. Ting, D., Huang, L. and Jordan, M. (2010) An analysis of the
#'   convergence of graph Laplacians. ICML. Kuhn, H.W. (1955) The Hungarian
#'   method for the assignment problem. Naval Research Logistics Quarterly 2,
#'   83-97.
#' @seealso [plotFateUncertainty()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 100)
#' fit <- castFates(sce, cluster_key = "cell_type")
#' fit <- bootstrapFates(fit, n_boot = 50, random_state = 1)
#' u <- fateUncertainty(fit)
#' head(cbind(as.matrix(u$lower)[, 1], as.matrix(u$upper)[, 1]))
#' @rdname bootstrapFates
#' @export
setMethod("bootstrapFates", "TermStatesEstimator", function(
        estimator, n_boot = 200, what = c("cells", "neighbors", "velocity"),
        unit = c("cell", "sample"), sample_key = NULL,
        terminal = c("fixed", "recomputed"), confidence_level = 0.95,
        random_state = NULL, neighborhood = NULL, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    settings <- list(
        n_boot = .checkCount(n_boot, 2, .Machine$integer.max),
        what = .checkChoice(what, c("cells", "neighbors", "velocity")),
        unit = .checkChoice(unit, c("cell", "sample")),
        sample_key = .checkString(sample_key, null = TRUE),
        terminal = .checkChoice(terminal, c("fixed", "recomputed")),
        confidence_level = .checkNumber(
            confidence_level, 0, 1, open_min = TRUE, open_max = TRUE
        ),
        neighborhood = .checkChoice(
            neighborhood, c("adaptive", "fixed"), null = TRUE
        )
    )
    chain <- .bootstrapChain(estimator, settings)
    settings$random_state <- .seed(random_state)
    settings$neighborhood <- .neighborhood(estimator, settings)
    job <- .job(n_threads, show_progress_bar, "Bootstrap")
    out <- if (settings$what == "velocity") {
        .bootstrapVelocity(estimator, chain, settings, job)
    } else {
        .bootstrapChains(estimator, chain, settings, job)
    }
    result <- .uncertainty(out, chain, settings)
    .warnBootstrap(result, chain)
    .setStep(estimator, "uncertainty", result, settings, .run(
        job, method = out$solver, residual = out$residual,
        iterations = out$iterations, error_bound = out$error_bound,
        used = out$used
    ))
})

#' @rdname bootstrapFates
#' @export
setMethod("fateUncertainty", "Estimator", function(x, ...) {
    .checkDots(...)
    .step(x, "uncertainty")
})

#' @rdname bootstrapFates
#' @export
setMethod("fateUncertainty", "ANY", function(x, ..., backward = FALSE) {
    .checkDots(...)
    .storedStep(x, "uncertainty", backward)
})

# ---- Resamples ----

.bootstrapChains <- function(estimator, chain, settings, job) {
    out <- .native(
        job, rs_bootstrap_fates, .slots(estimator@kernel@matrix), chain$labels,
        chain$n_states, chain$point, list(
            what = settings$what, units = chain$units,
            adaptive = identical(settings$neighborhood, "adaptive"),
            n_boot = settings$n_boot, seed = settings$random_state,
            level = settings$confidence_level, states = chain$states
        ), cell_names = chain$cells, advice = .bootstrapAdvice(settings)
    )
    out$overlaps <- matrix(
        out$overlaps, ncol = chain$n_states, byrow = TRUE
    )
    out
}

.bootstrapAdvice <- function(settings) {
    if (settings$terminal == "fixed") return(NULL)
    paste(
        "Use fewer macrostates, or terminal = \"fixed\" for the uncertainty of",
        "fates given the states."
    )
}

.uncertainty <- function(out, chain, settings) {
    names <- lineageNames(chain$fates)
    parts <- lapply(out$spread, function(values) {
        values <- matrix(values, ncol = chain$n_states)
        values[is.nan(values)] <- NA
        rownames(values) <- chain$cells
        Lineage(values, names, lineageColors(chain$fates))
    })
    lost <- stats::setNames(out$unreachable, chain$cells)
    overlaps <- out$overlaps
    c(parts, list(
        stability = if (settings$terminal == "recomputed") {
            data.frame(
                state = names, stability = colMeans(overlaps),
                recovered = colMeans(overlaps > 0.5)
            )
        },
        unreachable = lost[lost > 0], n_boot = settings$n_boot, used = out$used
    ))
}

.warnBootstrap <- function(result, chain) {
    lost <- names(result$unreachable)
    lost <- lost[!is.na(as.matrix(chain$fates)[lost, 1L])]
    if (length(lost)) {
        .warn("dropped", paste0(
            .count(length(lost), "cell"), " could not reach a terminal state ",
            "in some resamples; their intervals are from the others: ",
            .someNames(lost), "."
        ), cells = lost)
    }
    if (result$used < result$n_boot) {
        .warn("dropped", paste0(
            result$n_boot - result$used, " of ", result$n_boot, " resamples ",
            "did not show every terminal state; intervals are from the others."
        ), "See the stability of the states in fateUncertainty().",
        used = result$used)
    }
    samples <- length(unique(chain$units))
    if (samples > 0L && samples < 5L) {
        .warn("unreliable", paste0(
            "Intervals from ", samples, " samples are rough."
        ), n_samples = samples)
    }
}

# ---- Storage ----

.uncertaintyParts <- c("mean", "sd", "lower", "upper")

.writeUncertainty <- function(object, x, key) {
    result <- x@results$uncertainty
    for (part in .uncertaintyParts) {
        object <- .writeLineage(
            object, x, .keyLineagePart(x@kernel@backward, part),
            result[[part]], key, "bootstrapFates"
        )
    }
    rest <- result[setdiff(names(result), .uncertaintyParts)]
    record <- .stepRecord(x, key, "bootstrapFates", result = rest)
    .writeRecord(object, key, record)
}

.readUncertainty <- function(object, record, key) {
    keys <- .keyLineagePart(endsWith(key, "bwd"), .uncertaintyParts)
    if (!all(keys %in% .recordKeys(object))) return(NULL)
    parts <- lapply(keys, .readLineage, object = object)
    names(parts) <- .uncertaintyParts
    c(parts, record$result)
}

.renameUncertainty <- function(result, new) {
    for (part in .uncertaintyParts) {
        old <- lineageNames(result[[part]])
        result[[part]] <- Lineage(
            as.matrix(result[[part]]), .renamed(old, new),
            unname(lineageColors(result[[part]]))
        )
    }
    if (!is.null(result$stability)) {
        result$stability$state <- .renamed(result$stability$state, new)
    }
    result
}

.renamed <- function(old, new) {
    ifelse(old %in% names(new), unname(new[old]), old)
}

.stepUncertainty <- .newStep(
    key = .keyUncertainty, call = "bootstrapFates()", needs = "fates",
    write = .writeUncertainty, read = .readUncertainty,
    describe = function(result, run, params) {
        width <- as.matrix(result$upper) - as.matrix(result$lower)
        paste0(
            "uncertainty: ", result$used, " resamples of ", params$what,
            ", mean width of intervals ", .brief(mean(width, na.rm = TRUE)),
            if (!is.null(result$stability)) paste0(
                ", stability of states ",
                paste(.brief(result$stability$stability), collapse = ", ")
            )
        )
    },
    rename = .renameUncertainty
)
