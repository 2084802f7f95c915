# Comparison with what the peer programs computed on the pancreas data. The file
# is found beside the checkout, or where FATECAST_REFERENCE points.

referenceFolder <- function() {
    near <- c(
        Sys.getenv("FATECAST_REFERENCE", NA_character_),
        file.path(c("..", "../..", "../../..", "../../../.."), "shared",
            "reference")
    )
    found <- near[!is.na(near) &
        file.exists(file.path(near, "pancreas-reference.rds"))]
    if (length(found)) normalizePath(found[1L]) else NULL
}

skip_if_no_reference <- function() {
    testthat::skip_if(
        is.null(referenceFolder()),
        "the pancreas reference files are not beside the checkout"
    )
}

readReference <- function(folder = referenceFolder()) {
    list(
        sce = readRDS(file.path(folder, "pancreas.rds")),
        reference = readRDS(file.path(folder, "pancreas-reference.rds"))
    )
}

# Largest absolute difference of two sparse matrices.
largestDifference <- function(a, b) {
    max(abs((a - b)@x), 0)
}

# The peer's graph as the graph of the object.
withReferenceGraph <- function(sce, reference) {
    fatecast:::.writeGraph(sce, "connectivities", reference$connectivities)
}

# One row per quantity: how far we are and how far we may be.
compareReference <- function(sce, reference, n_threads = 2) {
    given <- withReferenceGraph(sce, reference)
    rows <- c(
        compareKernels(given, reference, n_threads),
        compareEmbeddings(given, reference, n_threads),
        compareChain(given, reference, n_threads),
        compareGraph(sce, reference, n_threads)
    )
    data.frame(
        quantity = names(rows),
        difference = vapply(rows, `[`, 1, 1L),
        tolerance = vapply(rows, `[`, 1, 2L), row.names = NULL
    )
}

compareKernels <- function(sce, reference, n_threads) {
    peer <- reference$transition
    velocity <- fatecast::computeTransitionMatrix(
        fatecast::VelocityKernel(sce), n_threads = n_threads
    )
    similar <- fatecast::computeTransitionMatrix(
        fatecast::ConnectivityKernel(sce), n_threads = n_threads
    )
    time <- fatecast::computeTransitionMatrix(
        fatecast::PseudotimeKernel(sce, "dpt_pseudotime"),
        n_threads = n_threads
    )
    scale <- fatecast::parameters(velocity)$softmax_scale
    matrix <- fatecast::transitionMatrix
    list(
        "connectivity matrix" = c(
            largestDifference(matrix(similar), peer$connectivity), 1e-7
        ),
        "pseudotime matrix (hard)" = c(
            largestDifference(matrix(time), peer$pseudotime_hard), 1e-7
        ),
        "velocity matrix" = c(
            largestDifference(matrix(velocity), peer$velocity), 1e-6
        ),
        "velocity matrix (stochastic)" = c(largestDifference(
            matrix(fatecast::computeTransitionMatrix(
                fatecast::VelocityKernel(sce), model = "stochastic",
                n_threads = n_threads
            )), peer$velocity_stochastic
        ), 1e-4),
        "softmax_scale (relative)" = c(
            abs(scale / reference$softmax_scale - 1), 1e-6
        ),
        "combined matrix" = c(largestDifference(
            matrix(0.8 * velocity + 0.2 * similar), peer[["combined_0.8v_0.2c"]]
        ), 1e-6)
    )
}

# Columns of the diffusion map up to their sign; the peer keeps them in single
# precision, from which its pseudotime follows.
compareEmbeddings <- function(sce, reference, n_threads) {
    sce <- fatecast:::.writeGraph(sce, "distances", reference$distances)
    sce <- fatecast::computeDiffusionMap(
        sce, n_comps = 15, which = "LM", n_threads = n_threads
    )
    map <- SingleCellExperiment::reducedDim(sce, "DiffMap")
    peer <- reference$diffmap
    signs <- sign(colSums(map * peer))
    time <- fatecast::computeDPT(
        sce, n_dcs = reference$settings$n_dcs,
        root = reference$settings$dpt_root, key_added = "time",
        n_threads = n_threads
    )$time
    groups <- "clusters"
    coarse <- fatecast::computePAGA(sce, groups, n_threads = n_threads)
    list(
        "diffusion map" = c(max(abs(sweep(map, 2L, signs, "*") - peer)), 1e-4),
        "diffusion pseudotime" = c(max(abs(time - sce$dpt_pseudotime)), 1e-4),
        "PAGA connectivities" = c(max(abs(as.matrix(
            fatecast::pagaConnectivities(coarse)
        ) - reference$paga)), 1e-6)
    )
}

compareChain <- function(sce, reference, n_threads) {
    fit <- fatecast::GPCCA(
        reference$transition[["combined_0.8v_0.2c"]], container = sce
    )
    fit <- suppressWarnings(
        fatecast::computeSchur(fit, n_components = 20, n_threads = n_threads)
    )
    values <- fatecast::eigenvalues(fit)[seq_len(20)]
    states <- reference$terminal_states
    states[states == ""] <- NA
    fit <- fatecast::setTerminalStates(fit, factor(states))
    fit <- fatecast::computeFateProbabilities(fit, n_threads = n_threads)
    fates <- as.matrix(fatecast::fateProbabilities(fit))
    peer <- reference$fate_probabilities
    # Drivers of the peer's own probabilities, so that only the step differs.
    tables <- lapply(c(ours = FALSE, compat = TRUE), function(compat) {
        fatecast::drivers(fatecast::computeLineageDrivers(
            fit, compat = compat, n_threads = n_threads
        ))[rownames(reference$drivers), ]
    })
    table <- tables$ours
    columns <- paste0(colnames(peer), "_corr")
    compared <- outer(colnames(peer), c("_corr", "_ci_low", "_ci_high"), paste0)
    compared <- as.vector(compared)
    logcounts <- SummarizedExperiment::assay(sce, "logcounts")
    base <- stats::cor(
        as.matrix(Matrix::t(logcounts[rownames(table), ])), fates
    )
    list(
        "20 leading eigenvalues" = c(
            max(Mod(values - reference$gpcca$eigenvalues[seq_len(20)])), 1e-6
        ),
        "fate probabilities" = c(
            max(abs(fates[, colnames(peer)] - peer)), 1e-8
        ),
        "driver correlations and intervals" = c(
            max(abs(as.matrix(
                tables$compat[compared] - reference$drivers[compared]
            )), na.rm = TRUE), 1e-4
        ),
        "driver correlations, base R" = c(
            max(abs(as.matrix(table[columns]) - base[, colnames(peer)]),
                na.rm = TRUE), 1e-12
        )
    )
}

compareGraph <- function(sce, reference, n_threads) {
    settings <- reference$settings
    own <- fatecast::buildNeighbors(
        sce, n_neighbors = settings$n_neighbors, n_pcs = settings$n_pcs,
        n_threads = n_threads
    )
    graph <- fatecast::cellGraph(own, "connectivities")
    distances <- fatecast::cellGraph(own, "distances")
    same <- function(m) Matrix::drop0(m) != 0
    list(
        "own neighbours (pairs that differ)" = c(
            sum(same(distances) != same(reference$distances)), 0
        ),
        "own graph, weights" = c(
            largestDifference(graph, reference$connectivities), 1e-5
        )
    )
}
