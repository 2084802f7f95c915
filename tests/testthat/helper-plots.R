# A tree with three fates on an object, and an estimator that only answers the
# accessors: what plots need, with every number known.

methods::setClass("PlotKernel",
    contains = "UnidirectionalKernel", where = globalenv()
)
methods::setClass("PlotEstimator",
    contains = "TermStatesEstimator", where = globalenv()
)

plotObject <- function(n = 60L) {
    at <- (seq_len(n) - 1) / (n - 1)
    branch <- rep(c("A", "B", "C"), length.out = n)
    split <- pmax(0, at - 0.3) / 0.7
    turn <- unname(c(A = -1, B = 0, C = 1)[branch])
    layout <- cbind(
        4 * at + 0.1 * sin(31 * seq_len(n)),
        2.5 * turn * split + 0.15 * cos(17 * seq_len(n))
    )
    cells <- paste0("cell", seq_len(n))
    genes <- rbind(
        up = 5 * split * (branch == "A"), down = 5 * (1 - at),
        flat = rep(1, n), other = 3 * split * (branch == "C")
    )
    colnames(genes) <- cells
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(logcounts = genes)
    )
    sce$time <- at
    sce$group <- factor(branch)
    SingleCellExperiment::reducedDims(sce) <- list(
        PCA = layout[, 2:1], LAYOUT = layout, flat = layout[, 1, drop = FALSE]
    )
    sce
}

plotResults <- function(sce) {
    n <- ncol(sce)
    split <- pmax(0, sce$time - 0.3) / 0.7
    own <- outer(as.character(sce$group), c("A", "B", "C"), "==")
    fates <- (1 - split) / 3 + split * own
    states <- factor(
        ifelse(sce$time > 0.9, as.character(sce$group), NA),
        levels = c("A", "B", "C")
    )
    fates[!is.na(states), ] <- own[!is.na(states), ] + 0
    dimnames(fates) <- list(colnames(sce), c("A", "B", "C"))
    names(states) <- colnames(sce)
    colors <- c("#1f77b4", "#ff7f0e", "#279e68")
    fates <- Lineage(fates, colors = colors)
    list(
        fates = fates,
        macrostates = list(assignment = states, memberships = fates),
        terminal = list(
            assignment = states, colors = colors, memberships = fates
        ),
        initial = list(
            assignment = factor(ifelse(sce$time < 0.1, "R", NA)),
            colors = "#d62728"
        ),
        drivers = data.frame(
            feature = c("up", "flat", "other", "down"),
            corr = c(0.9, NA, -0.2, -0.5), pval = c(1e-9, NA, 0.2, 1e-3),
            qval = c(3e-9, NA, 0.2, 1.5e-3), ci_low = c(0.8, NA, -0.4, -0.7),
            ci_high = c(0.95, NA, 0.1, -0.2)
        )
    )
}

plotFit <- function(sce = plotObject(), results = plotResults(sce)) {
    n <- ncol(sce)
    kernel <- methods::new("PlotKernel",
        cell_names = colnames(sce), matrix = Matrix::Diagonal(n)
    )
    methods::new("PlotEstimator",
        kernel = kernel, container = sce, results = results
    )
}

plotResult <- function(x, step) {
    if (is.null(x@results[[step]])) {
        rlang::abort("missing", class = c(
            "fatecast_error_not_computed", "fatecast_error_state",
            "fatecast_error"
        ))
    }
    x@results[[step]]
}

local({
    on <- function(generic, fn) {
        methods::setMethod(generic, "PlotEstimator", fn, where = globalenv())
    }
    on("fateProbabilities", function(x, ...) plotResult(x, "fates"))
    on("lineageColors", function(x, ...) {
        fates <- plotResult(x, "fates")
        lineageColors(fates)
    })
    on("drivers", function(x, lineage = NULL, ...) plotResult(x, "drivers"))
})
