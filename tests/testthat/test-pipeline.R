test_that("the whole job finds the fates of the simulation", {
    fit <- fitted()
    sce <- tree()
    truth <- as.matrix(as.data.frame(SummarizedExperiment::colData(sce))[
        grep("^fate_", names(SummarizedExperiment::colData(sce)))
    ])
    f <- as.matrix(fateProbabilities(fit))
    best <- apply(cor(truth, f), 1, max)
    expect_true(all(best > 0.8))
    expect_equal(unname(rowSums(f)), rep(1, ncol(sce)))
    expect_output(print(fit), "error below")
})

test_that("every result comes back from the object", {
    fit <- fitted()
    sce <- container(fit)
    for (accessor in list(
        eigenvalues, macrostates, coarseTransition, stationaryDistribution,
        terminalStates, lineageNames, lineageColors, transitionMatrix
    )) {
        expect_identical(accessor(sce), accessor(fit))
    }
    expect_equal(
        unname(schurVectors(sce)), unname(schurVectors(fit))
    )
    expect_identical(
        as.matrix(fateProbabilities(sce)), as.matrix(fateProbabilities(fit))
    )
    expect_identical(
        as.matrix(memberships(sce)), as.matrix(memberships(fit))
    )
    expect_equal(drivers(sce), drivers(fit))
    fate <- lineageNames(fit)[2]
    expect_equal(drivers(sce, fate), drivers(fit, fate))
    expect_setequal(
        stats::na.omit(certificates(sce))$key,
        stats::na.omit(certificates(fit))$key
    )
    expect_true(all(
        c("T_fwd", "macrostates_fwd", "lineages_fwd") %in%
            fateHistory(sce)$key
    ))
    expect_identical(
        parameters(sce, "lineages_fwd"), parameters(fit, "lineages_fwd")
    )
})

test_that("Seurat gives the same results under the same names", {
    skip_if_not_installed("SeuratObject")
    seurat <- seuratFrom(tree())
    fit <- castFates(seurat, cluster_key = "cell_type", n_threads = 2)
    want <- fitted()
    expect_identical(
        as.matrix(fateProbabilities(fit)), as.matrix(fateProbabilities(want))
    )
    back <- container(fit)
    expect_s4_class(back, "Seurat")
    expect_identical(macrostates(back), macrostates(want))
    expect_equal(
        unname(as.matrix(fateProbabilities(back))),
        unname(as.matrix(fateProbabilities(want)))
    )
    expect_identical(lineageNames(back), lineageNames(want))
    expect_identical(lineageColors(back), lineageColors(want))
    expect_equal(drivers(back), drivers(want))
    expect_equal(transitionMatrix(back), transitionMatrix(want))
    expectFailure(
        transitionMatrix(back[, 1:100]), "container_stale"
    )
})

test_that("results are refused when the cells changed", {
    sce <- container(fitted())
    part <- sce[, 1:100]
    for (accessor in list(fateProbabilities, memberships, transitionMatrix)) {
        expectFailure(accessor(part), "container_stale")
    }
    moved <- sce[, rev(colnames(sce))]
    expect_equal(
        as.matrix(fateProbabilities(moved)),
        as.matrix(fateProbabilities(sce))[colnames(moved), ]
    )
})

test_that("the steps by their own names give the same as the one call", {
    sce <- tree()
    k <- 0.8 * VelocityKernel(sce) + 0.2 * ConnectivityKernel(sce)
    fit <- GPCCA(k, n_threads = 2) |>
        computeMacrostates(n_states = c(3, 20), cluster_key = "cell_type") |>
        predictTerminalStates() |>
        computeFateProbabilities() |>
        computeLineageDrivers()
    expect_identical(fit@results, fitted()@results)
})

test_that("counts, potential and time points run the job as their kernels", {
    sce <- buildNeighbors(simulateDifferentiation(
        400, 120, topology = "bifurcation", dense = FALSE, random_state = 2
    ), n_neighbors = 15)
    job <- function(...) castFates(
        sce, ..., cluster_key = "cell_type", n_states = 4, n_threads = 2,
        stability_threshold = 0.1
    )
    same <- function(fit, directed) {
        k <- 0.8 * directed + 0.2 * ConnectivityKernel(sce)
        expect_identical(transitionMatrix(fit), transitionMatrix(k))
    }
    fit <- job()
    same(fit, VelocityKernel(estimateVelocity(computeMoments(sce))))
    expect_true("velocity" %in% .assayNames(container(fit)))
    fit <- suppressMessages(job(kernel = "cytotrace"))
    same(fit, suppressMessages(
        computeCytotrace(CytoTRACEKernel(sce), assay = "logcounts")
    ))
    expect_true("ct_pseudotime" %in% .cellDataNames(container(fit)))
    fit <- suppressWarnings(job(kernel = "realtime", time_key = "time"))
    same(fit, RealTimeKernel(
        sce, "time", suppressWarnings(computeCouplings(sce, "time"))
    ))
    expectFailure(job(kernel = "realtime"), "type")
})

test_that("other kernels run the job too", {
    sce <- tree()
    fit <- castFates(
        sce, kernel = "pseudotime", time_key = "pseudotime",
        cluster_key = "cell_type", n_states = 6, n_threads = 2,
        stability_threshold = 0.5
    )
    expect_s4_class(fateProbabilities(fit), "Lineage")
    expectFailure(castFates(sce, kernel = "pseudotime"), "type")
    expectFailure(castFates(sce, kernel = "velocty"), "range")
    own <- castFates(
        sce, kernel = 0.8 * VelocityKernel(sce) + 0.2 * ConnectivityKernel(sce),
        cluster_key = "cell_type", n_threads = 2
    )
    expect_identical(own@results, fitted()@results)
})

test_that("too few terminal states list the candidates", {
    e <- expectFailure(
        castFates(tree(), cluster_key = "cell_type", stability_threshold = 1),
        "no_state"
    )
    expect_true(length(e$stability) >= 3)
    expect_match(conditionMessage(e), names(e$stability)[1], fixed = TRUE)
    fit <- castFates(
        tree(), cluster_key = "cell_type",
        terminal_states = names(sort(e$stability, decreasing = TRUE))[1:2]
    )
    expect_length(lineageNames(fit), 2L)
})

test_that("bad input is refused before any work", {
    sce <- tree()
    bare <- sce
    SingleCellExperiment::reducedDims(bare) <- list()
    SingleCellExperiment::colPairs(bare) <- list()
    S4Vectors::metadata(bare) <- list()
    expectFailure(castFates(bare), "missing_key")
    expectFailure(castFates(sce, cluster_key = "clusters"), "missing_key")
    expectFailure(castFates(sce, n_sates = 3), "unknown_argument")
    graph <- cellGraph(sce)
    graph[4, ] <- 0
    graph[, 4] <- 0
    lonely <- .writeGraph(sce, "connectivities", .asGeneral(graph))
    e <- expectFailure(castFates(lonely), "disconnected")
    expect_identical(e$cells, colnames(sce)[4])
    expectFailure(castFates(1:3), "container_class")
    expectFailure(GPCCA(matrix(c(1.5, 0, -0.5, 1), 2)), "not_stochastic")
    names <- colnames(sce)
    swapped <- cellGraph(sce)
    dimnames(swapped) <- list(rev(names), rev(names))
    expectFailure(
        GPCCA(transitionMatrix(PrecomputedKernel(swapped)), container = sce),
        "container_cells"
    )
})

test_that("nothing is masked", {
    exported <- getNamespaceExports("fatecast")
    for (package in c(
        "base", "stats", "grDevices", "graphics", "utils", "methods",
        "BiocGenerics", "S4Vectors", "SummarizedExperiment",
        "SingleCellExperiment", "Matrix", "ggplot2", "igraph", "scater",
        "scran", "bluster", "Seurat", "data.table"
    )) {
        if (!requireNamespace(package, quietly = TRUE)) next
        theirs <- getNamespaceExports(package)
        both <- intersect(exported, theirs)
        # Methods for a generic of another package mask nothing.
        both <- both[!startsWith(both, ".__")]
        both <- Filter(function(name) !identical(
            environmentName(topenv(environment(get(name, asNamespace("fatecast"))))),
            package
        ) && !isGeneric(name), both)
        expect_identical(both, character(), label = package)
    }
})
