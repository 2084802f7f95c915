# Every name under which something is stored. The chain's names carry its
# direction: forward unless a kernel runs backward; none counts as forward.

.direction <- function(backward = FALSE) {
    if (isTRUE(backward)) "bwd" else "fwd"
}

# Directed key: stem and direction, with what belongs to it appended.
.keyDirected <- function(stem, backward = FALSE, suffix = NULL) {
    paste(c(stem, .direction(backward), suffix), collapse = "_")
}

# Entry of the metadata that holds the chain's records.
.nestedSlot <- "fatecast"

.keyTransition <- function(backward = FALSE) .keyDirected("T", backward)
.keyProjection <- function(key, basis) paste0(key, "_", basis)
.keyEigen <- function(backward = FALSE) {
    .keyDirected("eigendecomposition", backward)
}
.keySchur <- function(backward = FALSE) {
    .keyDirected("schur_vectors", backward)
}
.keySchurMatrix <- function(backward = FALSE) {
    .keyDirected("schur_matrix", backward)
}
.keyMacrostates <- function(backward = FALSE) {
    .keyDirected("macrostates", backward)
}
.keyTsi <- function(backward = FALSE) .keyDirected("tsi", backward)
.keyTermStates <- function(backward = FALSE) {
    .keyDirected("term_states", backward)
}
.keyInitStates <- function(backward = FALSE) {
    .keyDirected("init_states", backward)
}
.keyCoarse <- function(backward = FALSE) .keyDirected("coarse", backward)
.keyLineages <- function(backward = FALSE) .keyDirected("lineages", backward)
# What belongs to fate probabilities: `lineages_fwd_lower`.
.keyLineagePart <- function(backward = FALSE, part) {
    vapply(part, function(p) {
        .keyDirected("lineages", backward, p)
    }, character(1), USE.NAMES = FALSE)
}
.keyUncertainty <- function(backward = FALSE) {
    .keyDirected("fate_uncertainty", backward)
}
.keyAbsorptionTimes <- function(backward = FALSE) {
    .keyDirected("absorption_times", backward)
}
.keyPriming <- function(backward = FALSE) {
    .keyDirected("priming_degree", backward)
}
.keySimplex <- function(backward = FALSE) {
    .keyDirected("X_fate_simplex", backward)
}
.keyDrivers <- function(backward = FALSE) {
    if (isTRUE(backward)) {
        "initial_lineage_drivers"
    } else {
        "terminal_lineage_drivers"
    }
}
.keyEstimatorParams <- function(backward = FALSE) {
    paste0(.direction(backward), "_estimator_params")
}

# What belongs to a key of states, a graph or a grouping.
.keyMemberships <- function(key) paste0(key, "_memberships")
.keyProbs <- function(key) paste0(key, "_probs")
.keyColors <- function(key) paste0(key, "_colors")
.keyParams <- function(key) paste0(key, "_params")
.keySizes <- function(key) paste0(key, "_sizes")
.keyKL <- function(key) paste0(key, "_kl_divergence")
.keyEntropy <- function(key) paste0(key, "_entropy")
.keyTrend <- function(lineage) paste0("lineage_", lineage, "_trend")
.keyVelocityColumn <- function(key, what, level = NULL) {
    paste0(key, "_", what, if (!is.null(level)) paste0("_", level))
}
.keyVariance <- function(key) paste0("variance_", key)
.keyVelocityGenes <- function(key) paste0(key, "_genes")
# A table kept as flat columns: `absorption_times_fwd.Alpha`.
.keyColumn <- function(key, name) paste0(key, ".", name)

# Graphs of one run of buildNeighbors(); NULL is the default run.
.keyNeighbors <- function(key_added = NULL) {
    if (is.null(key_added) || identical(key_added, "neighbors")) {
        return(list(
            record = "neighbors", connectivities = "connectivities",
            distances = "distances"
        ))
    }
    list(
        record = key_added,
        connectivities = paste0(key_added, "_connectivities"),
        distances = paste0(key_added, "_distances")
    )
}

.keyCytoTRACE <- list(
    score = "ct_score", pseudotime = "ct_pseudotime",
    num_exp_genes = "ct_num_exp_genes", gene_corr = "ct_gene_corr",
    correlates = "ct_correlates", params = "ct_params"
)
# Growth rates of couplings, which lead forward whichever way a kernel runs.
.keyGrowth <- .keyDirected("growth")
.keyOffset <- "cellrank_offset"
.keyPAGA <- "paga"
.keyPseudotime <- "dpt_pseudotime"
.keyRoot <- "iroot"
# Columns of branches beside a pseudotime: `dpt_groups` beside `dpt_pseudotime`.
.keyBranches <- function(key, what) {
    paste0(if (key == .keyPseudotime) "dpt" else key, "_", what)
}
.keyDiffusionValues <- "diffmap_evals"
.keyMoments <- c(spliced = "Ms", unspliced = "Mu")
.keyMomentsRecord <- "moments_params"
.keyFilterRecord <- "filter_params"
.keyVelocity <- "velocity"
.keyHighlyVariable <- "highly_variable"
# Totals of the cells: of the spliced, unspliced or main counts.
.keyInitialSize <- function(kind) {
    if (kind == "main") "initial_size" else paste0("initial_size_", kind)
}
.keyVelocityGraph <- "velocity_graph"

# Default embedding names, in the manner of each container.
.embeddingKeys <- list(
    SingleCellExperiment = c(pca = "PCA", umap = "UMAP", diffmap = "DiffMap"),
    Seurat = c(pca = "pca", umap = "umap", diffmap = "diffmap")
)
.keyEmbedding <- function(x, method) {
    keys <- .embeddingKeys[[.containerClass(x)]]
    if (is.null(keys)) {
        keys <- .embeddingKeys$SingleCellExperiment
    }
    unname(keys[[method]])
}
.keyPCA <- function(x) .keyEmbedding(x, "pca")
.keyUMAP <- function(x) .keyEmbedding(x, "umap")
.keyDiffusionMap <- function(x) .keyEmbedding(x, "diffmap")

# Names that only a fate-mapping chain writes.
.isChainKey <- function(key) {
    grepl("_(fwd|bwd)($|[_.])|^(fwd|bwd)_estimator_params$", key) |
        grepl("^(terminal|initial)_lineage_drivers($|\\.)", key) |
        key %in% c(unlist(.keyCytoTRACE), .keyOffset)
}
.keySimulation <- "simulation"
# What a simulation writes under the names of estimates.
.keysSimulated <- c(
    .keyMoments[["spliced"]], .keyVelocity, .keyVelocityGenes(.keyVelocity)
)
