# demo.R [DATA.rds]: the main job on simulated data, or on an object of one's
# own; prints the result and writes pictures to demo-output/.
suppressPackageStartupMessages(library(fatecast))
data <- commandArgs(TRUE)
out <- "demo-output"
dir.create(out, showWarnings = FALSE)

say <- function(...) cat(..., "\n", sep = "")
draw <- function(name, plot, width = 8, height = 6) {
    file <- file.path(out, paste0(name, ".png"))
    ggplot2::ggsave(
        file, plot, width = width, height = height, dpi = 120, bg = "white"
    )
    say("  ", file)
}
timed <- function(label, code) {
    seconds <- system.time(value <- force(code))[["elapsed"]]
    say(sprintf("%-46s %7.2f s", label, seconds))
    value
}

# The reference that belongs to a file, if it lies beside it.
referenceFor <- function(file) {
    near <- sub("\\.rds$", "-reference.rds", file)
    if (near != file && file.exists(near)) readRDS(near)
}

pictures <- function(fit) {
    fates <- lineageNames(fit)
    say("\npictures:")
    draw("macrostates", plotMacrostates(fit))
    draw("fates", plotFateProbabilities(fit))
    across <- min(3, length(fates))
    draw(
        "fates-by-lineage",
        plotFateProbabilities(fit, same_plot = FALSE, ncol = across),
        width = 4.2 * across, height = 4 * ceiling(length(fates) / across)
    )
    draw(
        "drivers", plotLineageDrivers(fit, fates[1], n_genes = 8),
        width = 12, height = 6
    )
}

# What follows from the chain beside fates, with its pictures.
inferred <- function(fit) {
    say("\nTimes, priming, initial states, uncertainty:\n")
    fit <- timed("predictInitialStates()", predictInitialStates(fit))
    fit <- timed(
        "computeAbsorptionTimes()",
        computeAbsorptionTimes(fit, calculate_variance = TRUE)
    )
    fit <- timed("computeLineagePriming()", computeLineagePriming(fit))
    fit <- timed(
        "bootstrapFates(n_boot = 50)",
        bootstrapFates(fit, n_boot = 50, random_state = 0)
    )
    print(fit)
    draw("spectrum", plotSpectrum(fit), width = 6, height = 4.5)
    draw("coarse", plotCoarseT(fit), width = 7, height = 6)
    draw(
        "uncertainty", plotFateUncertainty(fit, ncol = 3), width = 13, height = 4
    )
    fates <- lineageNames(fit)
    if (length(fates) > 1L) {
        draw(
            "driver-correlation",
            plotLineageDriversCorrelation(fit, fates[1], fates[2]), width = 6
        )
    }
    draw("pie", plotPie(fit), width = 6)
}

summarise <- function(fit) {
    say("")
    print(fit)
    say("\nhow good it is:")
    print(certificates(fit), row.names = FALSE, digits = 3)
    for (fate in lineageNames(fit)) {
        say(
            "top drivers of ", fate, ": ",
            paste(head(drivers(fit, fate)$feature, 6), collapse = ", ")
        )
    }
}

# Clusters, layout, coarse graph and pseudotime, with their pictures.
embedded <- function(sce, groups, root = NULL, key = NULL) {
    sce <- timed("clusterLeiden()", clusterLeiden(sce))
    sce <- timed("embedUMAP()", embedUMAP(sce, key_added = key))
    sce <- timed(
        "computePAGA(layout = \"fr\")",
        computePAGA(sce, groups, layout = "fr")
    )
    colors <- c(groups, "leiden")
    if (!is.null(root)) {
        sce <- timed("computeDPT()", computeDPT(sce, root = root))
        colors <- c(colors, "dpt_pseudotime")
    }
    draw(
        "umap", plotEmbedding(
            sce, colors, basis = key, ncol = length(colors)
        ), width = 6 * length(colors), height = 5
    )
    draw("paga", plotPAGA(sce))
    sce
}

simulated <- function() {
    say("fatecast on simulated data: a root, branches, terminal fates\n")
    sce <- timed(
        "simulateDifferentiation(n_cells = 2000)",
        simulateDifferentiation(n_cells = 2000)
    )
    sce <- timed(
        "buildNeighbors(n_neighbors = 30)",
        buildNeighbors(sce, n_neighbors = 30)
    )
    sce <- embedded(sce, "cell_type", "root")
    fit <- timed(
        "castFates(kernel = \"velocity\")",
        castFates(sce, kernel = "velocity", cluster_key = "cell_type")
    )
    truth <- as.data.frame(SummarizedExperiment::colData(sce))
    truth <- as.matrix(truth[grep("^fate_", names(truth))])
    summarise(fit)
    say("\ncorrelation with the true fate probabilities:")
    print(round(stats::cor(truth, as.matrix(fateProbabilities(fit))), 2))
    pictures(fit)
    inferred(fit)
    directions(sce, truth)
}

# From counts to stream lines, and from days to fates: nothing is taken from
# the simulation but counts, days and the neighbour graph.
directions <- function(sce, truth) {
    say("\nRNA velocity from counts, transport from days:\n")
    sce <- timed("computeMoments()", computeMoments(sce))
    sce <- timed("estimateVelocity()", estimateVelocity(sce))
    chain <- timed("VelocityKernel(), ConnectivityKernel()", {
        computeTransitionMatrix(
            0.8 * VelocityKernel(sce) + 0.2 * ConnectivityKernel(sce)
        )
    })
    draw("stream", plotProjection(chain, color = "cell_type"))
    draw("walks", plotRandomWalks(
        chain, n_sims = 50, start_ixs = list(cell_type = "root"),
        random_state = 0
    ))
    couplings <- timed("computeCouplings()", computeCouplings(
        sce, "time", threshold = c(row_mass = 0.9)
    ))
    days <- timed("RealTimeKernel()", computeTransitionMatrix(
        RealTimeKernel(sce, "time", couplings),
        self_transitions = "all", conn_weight = 0.2
    ))
    draw("flow", plotSingleFlow(
        days, "intermediate", "cell_type", "time"
    ), width = 9)
    mature <- sub("fate_", "", colnames(truth))
    states <- ifelse(sce$cell_type %in% mature, as.character(sce$cell_type), NA)
    states[sce$pseudotime < 0.95] <- NA
    for (name in c("velocity", "days")) {
        kernel <- list(velocity = chain, days = days)[[name]]
        fit <- setTerminalStates(GPCCA(kernel), factor(states))
        fates <- as.matrix(fateProbabilities(computeFateProbabilities(fit)))
        apart <- rowSums(abs(fates[, mature] - truth)) / 2
        say(sprintf(
            "fates from %s: total variation to the truth %.3f", name,
            mean(apart)
        ))
    }
}

# Column of labels that names the states.
labelColumn <- function(names) {
    intersect(c("clusters", "cell_type", "celltype", "label"), names)[1]
}

given <- function(file) {
    say("fatecast on ", basename(file), "\n")
    x <- readRDS(file)
    reference <- referenceFor(file)
    settings <- reference$settings
    if (is.null(settings)) settings <- list(n_neighbors = 30, n_pcs = NULL)
    columns <- if (methods::is(x, "Seurat")) {
        names(x[[]])
    } else {
        names(SummarizedExperiment::colData(x))
    }
    key <- labelColumn(columns)
    states <- reference$gpcca$n_states
    terminal <- unique(reference$terminal_states)
    x <- timed("neighbour graph", buildNeighbors(
        x, n_neighbors = settings$n_neighbors, n_pcs = settings$n_pcs
    ))
    if (!is.na(key)) {
        x <- embedded(x, key, key = "fatecast_umap")
        draw("umap-given", plotEmbedding(x, c(key, "leiden")), width = 12)
    }
    fit <- timed("graph to drivers", castFates(
        x, cluster_key = if (!is.na(key)) key, n_states = states,
        terminal_states = if (!is.null(terminal)) terminal[nzchar(terminal)]
    ))
    summarise(fit)
    pictures(fit)
    if (!is.null(reference)) compared(readRDS(file), reference)
}

# Against what the peer programs computed, given their graph where it matters.
compared <- function(x, reference) {
    helper <- file.path("tests", "testthat", "helper-reference.R")
    source(helper, local = environment())
    say("\nagreement with the reference, given its graph:")
    table <- compareReference(x, reference)
    table$agrees <- ifelse(table$difference <= table$tolerance, "yes", "NO")
    print(table, row.names = FALSE, digits = 3)
    if (any(table$agrees == "NO")) quit(status = 1)
}

if (length(data) && nzchar(data[1])) given(data[1]) else simulated()
