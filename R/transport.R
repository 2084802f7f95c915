#' Couplings of time points by optimal transport
#'
#' For each pair of time points, how likely each cell of the later one descends
#' from each cell of the earlier one: the entropic, unbalanced optimal transport
#' of Waddington-OT (Schiebinger et al. 2019), solved to a certified gap without
#' ever holding the costs of all pairs of cells. [RealTimeKernel()] takes the
#' result as it is.
#'
#' @section Problem:
#' With `C` the squared distances over their scale, `p_i` the number of
#' descendants that cell i should have and `q` their mean, the plan R minimises
#' in means over cells \deqn{\lambda_1 KL(r | p) + \lambda_2 KL(c | q) +
#' \overline{R C + \epsilon (R \log R - R + K)}}{lambda1 KL(r | p) +
#' lambda2 KL(c | q) + mean(R C + epsilon (R log R - R + K))}
#' with r, c the row and column means of R and `K = exp(-C / epsilon)`. The
#' coupling is `T = R / n2`: its row sums are numbers of descendants. Small
#' `lambda1` lets cells have more or fewer descendants than their growth rate
#' says, `lambda2` stays large because later cells were sampled evenly; `Inf`
#' holds a marginal exactly. Small `epsilon` gives sharp couplings and takes
#' more iterations.
#'
#' @section Growth:
#' `growth_key` names a column with the growth rate of every source cell per
#' unit of time (1: as many cells as before; see [computeGrowthScores()]); over
#' `delta_t` it becomes `p = g^delta_t`. Without it all cells grow alike. In
#' round k + 1 of `growth_iters` rounds the row sums of round k take the place
#' of p, so that the data correct the prior.
#'
#' @section Entries kept:
#' `threshold = "auto"`: all entries that are at least the smallest row maximum
#' of all couplings, so that every row keeps one; `"auto_local"`: the same for
#' each coupling; a number from 0 to 100: a percentile of all entries of a
#' coupling; `c(row_mass = 0.99)`: of each row the largest entries until they
#' hold this share of it; NULL: all (within
#' `options(fatecast.memory_limit)`). Cells without descendants (less than
#' 1e-12 of what the prior says; outliers) keep their largest entry, as at least
#' 1e-300, and set no threshold. Growth rates come from all entries.
#'
#' @section Certificates:
#' `attr(value, "diagnostics")` has a row for each pair and round: the number
#' of iterations, the value of the problem (`primal`), the duality `gap` and
#' `relative_gap`, residuals of rows and columns, `tv_bound` (bound of
#' `sum|T - T*| / sum(T)`), `entry_bound` (bound of `|log(T / T*)|` of every
#' entry), the transported `mass`, and of the last round how many entries and
#' which share of the rows' mass are kept. The iteration stops at
#' `relative_gap <= tolerance`, or when the row sums are right to 1e-7, the end
#' of single precision; for infinite `lambda1`, where there is no such gap, when
#' the row sums are right to `tolerance` or 1e-7.
#'
#' @details
#' **Method.** Sinkhorn's iteration in the log domain, with the best shift of
#' whole groups of cells after each step (k-means with `n_groups` groups; 1 is
#' the translation of Sejourne et al. 2022, 0 none). Groups change the number of
#' iterations, never the result. Above 1e9 pairs of cells it starts from the
#' solution of a random sample of cells; the certificate speaks of all cells.
#' Distances and exponentials are in single precision (entries right to 1e-5),
#' sums and potentials in double.
#'
#' **Points.** The first `n_pcs` columns of the embedding `use_rep`. With
#' `use_rep = NULL` each pair gets a PCA of its own with `local_pca` components
#' of `assay`, or the expression itself when there are no more genes. Missing
#' values are errors.
#'
#' **Cost.** Two passes over all pairs of cells per iteration, about `2 d + 20`
#' operations per pair of cells; memory `4 d (n1 + n2)` bytes and the kept
#' entries. Ten thousand times ten thousand cells in 30 dimensions take a few
#' seconds. **Randomness.** `random_state` enters the PCA's start and the sample
#' above 1e9 pairs only. **Threads.** The same bits on any number.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object.
#' @param time_key Column with the time of each cell: a factor whose levels are
#'   in order of time.
#' @param use_rep Embedding to measure distances in; NULL for a PCA of each
#'   pair.
#' @param epsilon Entropic regularisation, positive, in units of the scaled
#'   cost.
#' @param lambda1,lambda2 Price of deviating from the growth rates of sources
#'   and from evenness of targets; positive, may be `Inf`.
#' @param growth_key Column of growth rates per unit of time, positive; NULL for
#'   1.
#' @param growth_iters Rounds of growth.
#' @param n_pcs Columns of `use_rep`, at most.
#' @param local_pca Components of the PCA of a pair.
#' @param assay Assay for that PCA; NULL for the log-normalised one.
#' @param scale_cost What squared distances are divided by: their `"median"`,
#'   `"mean"`, `"max"`, or a number.
#' @param delta_t Time between the points: one number, or one for each pair;
#'   NULL takes the differences of the levels, read as numbers.
#' @param policy Which pairs: `"sequential"` for successive levels, `"triu"` for
#'   all ordered pairs.
#' @param pairs Pairs of one's own instead: a data frame or two-column matrix of
#'   level names, source and target.
#' @param cost Costs of one's own: a matrix (sources x targets, `Inf` forbids a
#'   pair), a list of such matrices named as the result, or a function of two
#'   matrices of points (cells x dimensions) that returns the matrix of costs
#'   between their rows. They are used as they are, without a scale.
#' @param threshold Which entries are kept; see above.
#' @param tolerance Relative duality gap to reach, at least 1e-13.
#' @param max_iter Iterations per round, at most.
#' @param n_groups Groups of the coarse correction.
#' @param keep_potentials Keep the potentials f and g, and measure the residual
#'   of the columns.
#' @param random_state Seed; NULL takes one from R's generator.
#' @inheritParams computePCA
#' @return A named list of `dgCMatrix` (source x target cells, with their
#'   names), one for each pair, named `source_target`, of class
#'   `fatecast_couplings`. Its attributes: `pairs` (data frame of `source` and
#'   `target`), `growth` (for each pair a matrix of source cells x `g0`, `g1`,
#'   ...: the growth rates before and after each round), `diagnostics`,
#'   `potentials` (if kept: for each pair a list of `f` and `g`) and `params`.
#' @section Conditions:
#' Errors: `missing_key` (column, embedding, level); `type` (time not a factor,
#' growth not numeric, a cost that is no matrix); `range` (missing times or
#' growth rates, fewer than two times, pairs that repeat or run against time,
#' levels that are no numbers without `delta_t`, arguments outside their range,
#' costs that are negative, a scale of 0); `shape` and `container_cells` (costs
#' that do not fit the cells); `memory`. Warnings: `not_converged` (the coupling
#' is returned and marked in the diagnostics); `dropped` (cells without
#' descendants; a threshold that keeps less than half of the mass);
#' `unreliable` (fewer than 30 cells at a time, `lambda1` below ten times
#' `epsilon`, growth rates spread over more than 1e4).
#' @references Schiebinger, G. et al. (2019) Optimal-transport analysis of
#'   single-cell gene expression identifies developmental trajectories in
#'   reprogramming. Cell 176, 928-943. Chizat, L. et al. (2018) Scaling
#'   algorithms for unbalanced optimal transport problems. Mathematics of
#'   Computation 87, 2563-2609. Sejourne, T., Vialard, F.-X. and Peyre, G.
#'   (2022) Faster unbalanced optimal transport: translation invariant Sinkhorn
#'   and 1-D Frank-Wolfe. AISTATS.
#' @seealso [readCouplings()] for couplings from elsewhere.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300, n_genes = 60)
#' couplings <- computeCouplings(sce, time_key = "time")
#' couplings
#' attr(couplings, "diagnostics")[, c("source", "target", "iterations", "gap")]
#' @include AllGenerics.R
#' @export
computeCouplings <- function(x, time_key, use_rep = "PCA", epsilon = 0.05,
                             lambda1 = 1, lambda2 = 50, growth_key = NULL,
                             growth_iters = 1, n_pcs = 30, local_pca = 30,
                             assay = NULL, scale_cost = "median",
                             delta_t = NULL,
                             policy = c("sequential", "triu"), pairs = NULL,
                             cost = NULL, threshold = "auto",
                             tolerance = 1e-10, max_iter = 10000,
                             n_groups = 32, keep_potentials = FALSE,
                             random_state = 0, experiment = NULL,
                             n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    settings <- .transportSettings(
        epsilon, lambda1, lambda2, growth_iters, scale_cost, threshold,
        tolerance, max_iter, n_groups, keep_potentials, random_state
    )
    job <- .job(n_threads, show_progress_bar, "Optimal transport")
    time <- .transportTimes(x, .checkString(time_key))
    pairs <- .transportPairs(
        levels(time), .checkChoice(policy, c("sequential", "triu")), pairs
    )
    steps <- .transportSteps(pairs, delta_t)
    growth <- .transportGrowth(x, .checkString(growth_key, null = TRUE))
    cells <- .transportCells(.cellNames(x), time, pairs)
    .checkGrowth(growth, cells, growth_key)
    .checkKeptEntries(cells, settings)
    input <- .transportInput(x, cells, cost, job, list(
        use_rep = .checkString(use_rep, null = TRUE),
        n_pcs = .checkCount(n_pcs), local_pca = .checkCount(local_pca),
        assay = .checkString(assay, null = TRUE), seed = settings$seed,
        experiment = .checkString(experiment, null = TRUE)
    ))
    .warnTransport(cells, growth, steps, settings)
    found <- .native(
        job, rs_transport_couple, input$points, input$costs,
        .transportTasks(input, cells, growth, steps), settings
    )
    .couplingList(found, pairs, cells, settings, list(
        time_key = time_key, use_rep = use_rep, epsilon = epsilon,
        lambda1 = lambda1, lambda2 = lambda2, growth_key = growth_key,
        growth_iters = growth_iters, n_pcs = n_pcs, local_pca = local_pca,
        assay = assay, scale_cost = scale_cost, delta_t = steps, cost = cost,
        threshold = threshold, tolerance = tolerance, max_iter = max_iter,
        n_groups = n_groups, random_state = settings$seed,
        experiment = experiment
    ))
}

#' Growth rates from scores of proliferation and apoptosis
#'
#' The growth rate per unit of time of each cell, `exp(birth - death)`, where
#' birth is a logistic function of a proliferation score and death one of an
#' apoptosis score, as in Waddington-OT.
#'
#' `birth = beta_min + (beta_max - beta_min) / (1 + exp(-4 (score - beta_center)
#' / beta_width))`, so the slope at the centre is `(beta_max - beta_min) /
#' beta_width`; death likewise. The defaults suppose scores that are means over
#' a gene set of z-scores clipped to -5 and 5, and time in days. Each cell by
#' itself; no randomness; O(cells). A missing score gives an error.
#'
#' @param proliferation,apoptosis Scores, one number per cell.
#' @param beta_max,beta_min,beta_center,beta_width Largest and smallest birth
#'   rate, score at its centre, and width of the rise (positive).
#' @param delta_max,delta_min,delta_center,delta_width The same of death.
#' @param ... Not used; an unknown argument is an error.
#' @return Growth per unit of time, positive, named as `proliferation`; to be
#'   stored as a column and named in `growth_key` of [computeCouplings()].
#' @section Errors: `type`, `shape` (scores of different length), `range`
#'   (missing or infinite scores, widths that are not positive).
#' @references Schiebinger, G. et al. (2019) Cell 176, 928-943.
#' @examples
#' computeGrowthScores(c(a = 0, b = 1), c(0, 0))
#' @export
computeGrowthScores <- function(proliferation, apoptosis, beta_max = 1.7,
                                beta_min = 0.3, beta_center = 0.25,
                                beta_width = 0.5, delta_max = 1.7,
                                delta_min = 0.3, delta_center = 0.1,
                                delta_width = 0.2, ...) {
    .checkDots(...)
    .checkScores(proliferation)
    .checkScores(apoptosis)
    if (length(proliferation) != length(apoptosis)) {
        .abort("shape", paste0(
            "`proliferation` and `apoptosis` must have the same length, not ",
            length(proliferation), " and ", length(apoptosis), "."
        ), length = c(length(proliferation), length(apoptosis)))
    }
    birth <- c(
        .checkNumber(beta_max), .checkNumber(beta_min),
        .checkNumber(beta_center), .checkNumber(beta_width, 0, open_min = TRUE)
    )
    death <- c(
        .checkNumber(delta_max), .checkNumber(delta_min),
        .checkNumber(delta_center),
        .checkNumber(delta_width, 0, open_min = TRUE)
    )
    rates <- .unwrap(rs_transport_growth(
        as.double(proliferation), as.double(apoptosis), birth, death
    ))
    stats::setNames(rates, names(proliferation))
}

.checkScores <- function(x, arg = rlang::caller_arg(x),
                         call = rlang::caller_env()) {
    if (!is.numeric(x)) .badType(x, "a numeric vector", FALSE, arg, call)
    bad <- which(!is.finite(x))
    if (length(bad)) {
        cells <- if (is.null(names(x))) bad else names(x)[bad]
        .abort("range", paste0(
            "`", arg, "` is missing or infinite in ",
            .count(length(bad), "cell"), ": ", .someNames(cells), "."
        ), argument = arg, cells = cells, call = call)
    }
    invisible(x)
}

#' @export
print.fatecast_couplings <- function(x, ...) {
    .checkDots(...)
    shape <- vapply(x, function(m) paste(dim(m), collapse = " x "), "")
    entries <- vapply(x, function(m) {
        if (methods::is(m, "sparseMatrix")) length(m@x) else length(m)
    }, numeric(1))
    lines <- sprintf(
        "  %s -> %s: %s cells, %s entries", attr(x, "pairs")$source,
        attr(x, "pairs")$target, shape, format(entries, big.mark = ",")
    )
    writeLines(c(
        paste(.count(length(x), "coupling"), "of time points"), lines,
        .judgement(attr(x, "diagnostics"))
    ))
    invisible(x)
}

# One line on how good the couplings are, if that is known.
.judgement <- function(diagnostics) {
    if (is.null(diagnostics)) return(NULL)
    last <- diagnostics[!is.na(diagnostics$entries), , drop = FALSE]
    paste0(
        "  relative gap at most ", signif(max(last$relative_gap), 2),
        ", kept share of the mass (median) at least ",
        signif(min(last$kept_mass_median), 2)
    )
}
