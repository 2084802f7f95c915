#' Simulated differentiation with known fates
#'
#' A tissue in which cells leave a root, hesitate, and settle in one of a few
#' mature types, as single-cell sequencing of spliced and unspliced RNA would
#' see it. How far each cell has come, how likely each fate is and how fast
#' each gene changes are known exactly, so estimates can be held against the
#' truth.
#'
#' @section Model:
#' **Progress.** A cell has a progress \eqn{t \in (0, 1)}{t in (0, 1)} along a
#' tree whose branches begin at fixed times. Cells are taken on four days; the
#' log odds of \eqn{t} are normal around a centre that grows with the day, so
#' mature cells pile up near \eqn{t = 1}.
#'
#' **Fate.** At a split that begins at \eqn{\tau}{tau}, a cell bound for child
#' \eqn{k} has seen evidence \eqn{Z \sim N(I e_k, I)}{Z ~ N(I e_k, I)}, with
#' \eqn{I = 9 ((t - \tau) / 0.25)^{3/2}}{I = 9 ((t - tau) / 0.25)^(3/2)}. The
#' probability of ending in child \eqn{j}, given \eqn{Z}, is by Bayes' rule
#' exactly \deqn{\pi_j = \frac{p_j e^{Z_j}}{\sum_l p_l e^{Z_l}},}{
#' pi_j = p_j exp(Z_j) / sum_l p_l exp(Z_l),} with prior \eqn{p}; it is a
#' martingale that starts at \eqn{p} and ends at 0 or 1. The probability of a
#' fate, `fate_<name>`, is the product of \eqn{\pi}{pi} along its path, so it
#' changes gradually from the split on and sums to one.
#'
#' **RNA.** For a gene with splicing rate \eqn{\beta}{beta} and degradation
#' rate \eqn{\gamma}{gamma}, \deqn{du/dt = \alpha(t) - \beta u, \quad
#' ds/dt = \beta u - \gamma s}{du/dt = alpha(t) - beta u,
#' ds/dt = beta u - gamma s} (La Manno et al. 2018). Transcription
#' \eqn{\alpha}{alpha} is `basal`, plus `step` between `on` and `off` below the
#' branch of the gene, where a cell's share of the step is its probability of
#' ending below that branch. The equations are linear and solved in closed form
#' (Bergen et al. 2020), and since the probabilities are martingales the
#' velocity \eqn{\beta u - \gamma s}{beta u - gamma s} is exactly the expected
#' rate of change of \eqn{s}. Programmes: `housekeeping` (constant, 25% of the
#' genes), `early` (off when the root is left), `transient` (on and off in a
#' progenitor), `maturation` (on in every lineage), `lineage` (on below one
#' branch) and `repressed` (off below one branch).
#'
#' **Counts.** Negative binomial with mean depth x capture x molecules and
#' variance \eqn{m + m^2/10}; the depth of cells is log-normal (0.25), the
#' capture of a gene in a sample log-normal (0.04). `counts` are the spliced
#' molecules, `logcounts` is log2(count / size factor + 1).
#'
#' **Observed velocity.** `Ms` and `velocity` are \eqn{s} and
#' \eqn{\beta u - \gamma s}{beta u - gamma s} with independent noise, as after
#' smoothing: log-normal with spread `0.05 * noise` for `Ms`, normal for
#' `velocity` with a standard deviation of `0.3 * noise` times the step of the
#' gene, so that mature cells, whose RNA has settled, have no direction.
#' `noise = 0` gives the truth.
#'
#' **Condition.** Every second sample is treated. Treatment adds
#' `condition_effect` to the log odds of the first branch at the first split
#' (`Alpha`, or `Alpha` and `Beta` on a `tree`), and multiplies the step of
#' every tenth `lineage` gene by \eqn{e^{\pm effect}}{exp(+-effect)}.
#'
#' @details
#' Time O(cells x genes); memory in proportion to the counts that are not zero,
#' plus 16 bytes x cells x genes for `Ms` and `velocity`. Cells and genes draw
#' from streams of their own: the result is the same on any number of threads,
#' and the first cells of a larger simulation are those of a smaller one.
#'
#' @param n_cells Number of cells, at least 3.
#' @param n_genes Number of genes, at least 3.
#' @param topology `"trifurcation"`: fates Alpha, and later Beta or Gamma;
#'   `"bifurcation"`: Alpha, Beta; `"linear"`: Alpha; `"tree"`: Alpha and Beta,
#'   Gamma and Delta from two progenitors.
#' @param n_samples Number of samples (donors).
#' @param condition_effect Strength of the treatment, a log odds ratio, from -5
#'   to 5; 0 for none.
#' @param noise Noise of `Ms` and `velocity`; 0 for none.
#' @param depth Factor on the expected counts, up to 1000.
#' @param dense Whether to add the dense assays `Ms` and `velocity`; NULL does
#'   so for up to 100,000 cells, within `options(fatecast.memory_limit)`.
#' @param random_state Seed; NULL takes one from R's generator.
#' @inheritParams computePCA
#' @return A `SingleCellExperiment` with
#'   * assays `counts`, `unspliced`, `logcounts` (sparse), and `Ms`, `velocity`
#'     (dense, see `dense`), genes x cells;
#'   * `colData`: `cell_type` (factor: `root`, `intermediate`, one level per
#'     fate), `time` (factor: day 0 to 3), `sample`, `condition` (factors),
#'     `pseudotime` (true progress), `fate_<name>` (true fate probabilities) and
#'     `sizeFactor`;
#'   * `rowData`: `programme` (factor), `lineage` (the fates below the gene's
#'     branch), `velocity_genes` (all but housekeeping), the kinetic rates
#'     `beta`, `gamma`, `basal`, `step`, `on`, `off` per unit of progress, and
#'     `condition_log_effect`;
#'   * `reducedDims`: `PCA` (up to 30 components), `velocity_PCA` (the velocity
#'     of log expression on them) and `LAYOUT` (the tree in the plane);
#'   * a record, `parameters(x, "simulation")`.
#' @section Errors: `type` and `range` for arguments without meaning, `memory`.
#' @references La Manno, G. et al. (2018) RNA velocity of single cells. Nature
#'   560, 494-498. Bergen, V. et al. (2020) Generalizing RNA velocity to
#'   transient cell states through dynamical modeling. Nature Biotechnology 38,
#'   1408-1414.
#' @examples
#' sce <- simulateDifferentiation(n_cells = 200, n_genes = 60)
#' table(sce$cell_type, sce$time)
#' @export
simulateDifferentiation <- function(n_cells = 2000, n_genes = 500,
                                    topology = c(
                                        "trifurcation", "bifurcation",
                                        "linear", "tree"
                                    ),
                                    n_samples = 4, condition_effect = 0.5,
                                    noise = 1, depth = 1, dense = NULL,
                                    random_state = 0, n_threads = NULL,
                                    show_progress_bar = NULL, ...) {
    .checkDots(...)
    most <- .Machine$integer.max
    topology <- .checkChoice(topology, .topologies)
    params <- list(
        n_cells = .checkCount(n_cells, 3, most),
        n_genes = .checkCount(n_genes, 3, most),
        n_samples = .checkCount(n_samples, 1, 10000),
        condition_effect = .checkNumber(condition_effect, -5, 5),
        noise = .checkNumber(noise, 0, 100),
        depth = .checkNumber(depth, 0, 1000, open_min = TRUE),
        random_state = .seed(random_state),
        dense = .simulateDense(dense, n_cells, n_genes)
    )
    settings <- as.double(unlist(params))
    job <- .job(n_threads, show_progress_bar, "Simulation")
    out <- .native(job, rs_simulate, settings, topology)
    x <- .simulatedObject(out, params$n_cells, params$n_genes)
    x <- computePCA(
        x,
        n_components = min(30L, dim(x) - 1L),
        random_state = params$random_state, n_threads = job$threads,
        show_progress_bar = show_progress_bar
    )
    x <- .simulatedProjection(x, job, settings, topology, out$size_factors)
    record <- .record(
        "simulateDifferentiation", c(params, topology = topology),
        run = .run(job), cells = colnames(x)
    )
    .writeRecord(x, .keySimulation, record, nested = FALSE)
}

.topologies <- c("trifurcation", "bifurcation", "linear", "tree")

# Whether to make the dense assays, which must fit the memory limit.
.simulateDense <- function(dense, n_cells, n_genes,
                           call = rlang::caller_env()) {
    asked <- .checkFlag(dense, null = TRUE, arg = "dense", call = call)
    bytes <- 16 * as.double(n_cells) * n_genes
    limit <- getOption("fatecast.memory_limit", 4 * 2^30)
    if (is.null(asked)) {
        return(n_cells <= 1e5 && bytes <= limit)
    }
    if (asked && bytes > limit) {
        .abort(
            "memory", paste0(
                "The assays `Ms` and `velocity` need ",
                format(bytes / 2^30, digits = 3),
                " GiB, more than the limit of ",
                format(limit / 2^30, digits = 3), " GiB."
            ), paste(
                "Use `dense = FALSE` or raise",
                "options(fatecast.memory_limit = <bytes>)."
            ),
            bytes = bytes, limit = limit, call = call
        )
    }
    asked
}

.simulatedObject <- function(out, n_cells, n_genes) {
    cells <- paste0("cell", seq_len(n_cells))
    genes <- paste0("gene", seq_len(n_genes))
    counts <- .fromSlots(out$counts, genes, cells)
    logcounts <- counts
    logcounts@x <- out$log_counts
    assays <- list(
        counts = counts, unspliced = .fromSlots(out$unspliced, genes, cells),
        logcounts = logcounts
    )
    if (!is.null(out$velocity)) {
        shape <- function(values) {
            matrix(values, n_genes, dimnames = list(genes, cells))
        }
        assays[[.keyMoments[["spliced"]]]] <- shape(out$expression)
        assays[[.keyVelocity]] <- shape(out$velocity)
    }
    layout <- matrix(
        out$cells$layout, n_cells,
        dimnames = list(cells, c("LAYOUT_1", "LAYOUT_2"))
    )
    SingleCellExperiment::SingleCellExperiment(
        assays,
        colData = .simulatedCells(out, cells),
        rowData = .simulatedGenes(out$genes, genes),
        reducedDims = list(LAYOUT = layout)
    )
}

.simulatedCells <- function(out, names) {
    cells <- out$cells
    code <- function(values, labels) {
        factor(labels[values], levels = labels)
    }
    types <- c("root", "intermediate", out$fates)
    samples <- paste0("sample_", seq_len(max(cells$sample)))
    fates <- matrix(cells$fates, length(names))
    colnames(fates) <- paste0("fate_", out$fates)
    S4Vectors::DataFrame(
        cell_type = code(cells$label, types),
        time = factor(cells$day, levels = seq(0, max(cells$day))),
        sample = code(cells$sample, samples),
        condition = code(cells$condition, c("control", "treated")),
        pseudotime = cells$progress, fates, sizeFactor = out$size_factors,
        row.names = names
    )
}

.simulatedGenes <- function(genes, names) {
    S4Vectors::DataFrame(
        programme = factor(genes$programme, levels = genes$programmes),
        lineage = genes$lineage,
        velocity_genes = genes$programme != "housekeeping",
        beta = genes$beta, gamma = genes$gamma, basal = genes$basal,
        step = genes$step, on = genes$on, off = genes$off,
        condition_log_effect = genes$treated, row.names = names
    )
}

# The velocity on the principal components, without a dense assay.
.simulatedProjection <- function(x, job, settings, topology, size_factors) {
    loadings <- .readRecord(x, .keyPCA(x))$loadings
    projected <- .native(
        job, rs_simulate_velocity, settings, topology, as.double(loadings),
        size_factors
    )
    projected <- matrix(
        projected, ncol(x),
        dimnames = list(colnames(x), colnames(loadings))
    )
    .writeEmbedding(x, .keyProjection(.keyVelocity, .keyPCA(x)), projected)
}
