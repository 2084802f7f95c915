arrows_of <- function(x, key = "T_fwd_umap") {
    unname(SingleCellExperiment::reducedDim(x, key))
}

test_that("arrows follow the formula", {
    sce <- flowObject()
    done <- computeProjection(sce)
    expect_equal(arrows_of(done), slowProjection(sce), tolerance = 1e-12)
    expect_identical(
        rownames(SingleCellExperiment::reducedDim(done, "T_fwd_umap")),
        colnames(sce)
    )
    # Two neighbours in one place, and an own entry in the graph.
    m <- flowMatrices(sce)
    m$z[2, ] <- m$z[which(m$graph[2, ] > 0)[1], ]
    m$graph[3, 3] <- 1
    SingleCellExperiment::reducedDim(sce, "UMAP") <- m$z
    expect_warning(
        sce <- .writeGraph(sce, "connectivities", .asGeneral(m$graph)),
        class = "fatecast_warning_dropped"
    )
    expect_equal(
        arrows_of(computeProjection(sce)), slowProjection(sce),
        tolerance = 1e-12
    )
})

test_that("three dimensions are projected in three", {
    sce <- flowObject()
    m <- flowMatrices(sce)
    deep <- cbind(m$z, sin(seq_len(60)))
    SingleCellExperiment::reducedDim(sce, "deep") <- deep
    done <- arrows_of(computeProjection(sce, "deep"), "T_fwd_deep")
    u <- slowArrows(m$t, m$graph, deep)
    expect_equal(
        done / done[1, 1], u / u[1, 1], tolerance = 1e-10
    )
    SingleCellExperiment::reducedDim(sce, "flat") <- deep[, 1, drop = FALSE]
    expectFailure(computeProjection(sce, "flat"), "shape")
})

test_that("missing coordinates give missing arrows, and no error", {
    sce <- flowObject()
    m <- flowMatrices(sce)
    m$z[5, 2] <- NA
    SingleCellExperiment::reducedDim(sce, "UMAP") <- m$z
    done <- arrows_of(computeProjection(sce))
    gone <- seq_len(60) == 5 | m$graph[, 5] > 0
    expect_identical(is.na(done[, 1]), unname(gone))
    expect_identical(is.na(done[, 2]), unname(gone))
    expect_s3_class(plotProjection(sce, color = "kind"), "ggplot")
    cells <- plotProjectionData(sce, mode = "cells")
    expect_identical(is.na(cells$dx), unname(gone))
})

test_that("the order of the cells does not matter", {
    sce <- flowObject()
    new <- withr::with_seed(2, sample(60))
    expect_equal(
        arrows_of(computeProjection(sce[, new])),
        arrows_of(computeProjection(sce))[new, ], tolerance = 1e-12
    )
})

test_that("kernels, estimators and objects give the same, and keep it", {
    k <- velocityKernel()
    done <- computeProjection(k, "PCA")
    expect_s4_class(done, "VelocityKernel")
    expect_identical(done@matrix, k@matrix)
    expect_null(.readRecord(k@container, "T_fwd_PCA"))
    arrows <- arrows_of(container(done), "T_fwd_PCA")
    stored <- computeProjection(container(k), "PCA")
    expect_identical(arrows_of(stored, "T_fwd_PCA"), arrows)
    fit <- computeProjection(GPCCA(k), "X_pca")
    expect_identical(arrows_of(container(fit), "T_fwd_pca"), arrows)
    seurat <- computeProjection(seuratFrom(container(k)), "pca")
    expect_equal(
        unname(.readEmbedding(seurat, "T_fwd_pca")), arrows,
        tolerance = 1e-12
    )
    expect_identical(
        parameters(seurat, "T_fwd_pca")$connectivities, "connectivities"
    )
})

test_that("the basis is noted beside the chain, in any order of writing", {
    k <- velocityKernel()
    later <- computeProjection(writeToObject(k), "PCA")
    sooner <- writeToObject(computeProjection(k, "PCA"))
    for (x in list(later, sooner)) {
        expect_identical(.readRecord(x, "T_fwd_params")$embeddings, "PCA")
        expect_identical(parameters(x, "T_fwd")$init$vkey, "velocity")
        expect_true(all(
            c("T_fwd", "T_fwd_PCA") %in% fateHistory(x)$key
        ))
    }
})

test_that("key_added names the result, and two do not touch each other", {
    sce <- flowObject()
    x <- computeProjection(sce, key_added = "mine")
    expect_false("T_fwd_umap" %in% .embeddingNames(x))
    x <- computeProjection(x, "UMAP")
    expect_true(all(c("mine_umap", "T_fwd_UMAP") %in% .embeddingNames(x)))
    expect_identical(arrows_of(x, "mine_umap"), arrows_of(x, "T_fwd_UMAP"))
    # One name, whatever its case.
    expect_identical(computeProjection(x, "umap"), x)
    S4Vectors::metadata(x)$taken_umap <- .record(
        "clusterLeiden", list(), cells = colnames(x)
    )
    expectFailure(
        computeProjection(x, key_added = "taken"), "container_key_taken"
    )
})

test_that("a stored result is used again while nothing changed", {
    sce <- computeProjection(flowObject())
    expect_identical(computeProjection(sce), sce)
    put <- function(x, by) {
        m <- SingleCellExperiment::reducedDim(x, "T_fwd_umap")
        SingleCellExperiment::reducedDim(x, "T_fwd_umap") <- m * by
        x
    }
    marked <- put(sce, 7)
    expect_identical(computeProjection(marked), marked)
    again <- computeProjection(marked, recompute = TRUE)
    expect_identical(arrows_of(again), arrows_of(sce))
    m <- flowMatrices(sce)
    # Another chain, another graph, another embedding.
    other <- .writeGraph(marked, "T_fwd", .asGeneral(m$t %*% m$t))
    expect_equal(
        arrows_of(computeProjection(other)), slowProjection(other),
        tolerance = 1e-12
    )
    moved <- marked
    SingleCellExperiment::reducedDim(moved, "UMAP") <- m$z[, 2:1]
    expect_equal(
        arrows_of(computeProjection(moved)), slowProjection(moved),
        tolerance = 1e-12
    )
    all <- matrix(1, 60, 60) - diag(60)
    full <- arrows_of(computeProjection(marked, connectivities = all))
    u <- slowArrows(m$t, all, m$z)
    expect_equal(full, u / (3 * slowScale(m$z, u)), tolerance = 1e-12)
    # What another program left has no record and is taken as it is.
    foreign <- flowObject()
    SingleCellExperiment::reducedDim(foreign, "T_fwd_umap") <- -m$z
    expect_identical(computeProjection(foreign), foreign)
})

test_that("neighbours come from the graph of a leaf, or as given", {
    sce <- flowObject()
    other <- .asGeneral(flowMatrices(sce)$t %*% flowMatrices(sce)$t)
    sce <- .writeGraph(sce, "wide", other)
    k <- PrecomputedKernel(sce)
    e <- expectFailure(computeProjection(k), "missing_key")
    expect_identical(e$argument, "connectivities")
    expect_warning(
        done <- computeProjection(k, connectivities = "connectivities"),
        class = "fatecast_warning_fallback"
    )
    expect_equal(
        arrows_of(container(done)), slowProjection(sce), tolerance = 1e-12
    )
    expect_warning(
        matrix <- computeProjection(k, connectivities = .readGraph(sce, "wide"))
    )
    expect_warning(named <- computeProjection(k, connectivities = "wide"))
    expect_identical(
        arrows_of(container(matrix)), arrows_of(container(named))
    )
    both <- k + ConnectivityKernel(
        sce, conn_key = "wide", check_symmetric = FALSE
    )
    expect_warning(
        both <- computeProjection(both), class = "fatecast_warning_fallback"
    )
    record <- parameters(container(both), "T_fwd_umap")
    expect_identical(record$connectivities, "wide")
    # An object remembers the graph of the kernel it stores.
    wide <- ConnectivityKernel(sce, conn_key = "wide", check_symmetric = FALSE)
    kept <- writeToObject(computeTransitionMatrix(wide))
    kept <- parameters(computeProjection(kept), "T_fwd_umap")
    expect_identical(kept$connectivities, "wide")
})

test_that("what cannot be projected is refused", {
    sce <- flowObject()
    expectFailure(computeProjection(sce, "tsne"), "missing_key")
    expectFailure(
        computeProjection(sce, connectivities = "none"), "missing_key"
    )
    expectFailure(
        computeProjection(sce, connectivities = diag(3)), "shape"
    )
    expectFailure(computeProjection(diag(3)), "container_class")
    expectFailure(
        computeProjection(VelocityKernel(tree()), "PCA"), "not_computed"
    )
    expectFailure(
        computeProjection(PrecomputedKernel(diag(3))), "container_class"
    )
    bare <- sce
    SingleCellExperiment::colPair(bare, "T_fwd") <- NULL
    expectFailure(computeProjection(bare), "missing_key")
    expectFailure(computeProjection(sce, recompute = NA), "type")
    expectFailure(computeProjection(sce, base = "umap"), "unknown_argument")
})

test_that("any number of threads gives the same arrows, grids and lines", {
    k <- velocityKernel()
    expectSameBits(function(threads) {
        list(
            arrows_of(container(
                computeProjection(k, "PCA", n_threads = threads)
            ), "T_fwd_PCA"),
            plotProjectionData(k, "PCA", "grid", n_threads = threads),
            plotProjectionData(k, "PCA", n_threads = threads)
        )
    })
})

test_that("the grid follows the formula", {
    sce <- flowObject(120)
    m <- flowMatrices(sce)
    u <- slowProjection(sce)
    for (k in list(NULL, 5)) {
        grid <- plotProjectionData(
            sce, mode = "grid", density = 0.3, n_neighbors = k, min_mass = 20
        )
        slow <- slowGrid(m$z, u, 15, if (is.null(k)) 2 else k)
        mass <- slow[, 5]
        kept <- mass > 20 * stats::quantile(mass, 0.99) / 100
        expect_identical(nrow(grid), sum(kept))
        slow <- slow[kept, ]
        scale <- slowScale(slow[, 1:2], slow[, 3:4])
        slow[, 3:4] <- slow[, 3:4] / (3 * scale)
        expect_equal(
            unname(as.matrix(grid)), unname(slow), tolerance = 1e-10
        )
    }
})

test_that("stream lines follow the averaged arrows", {
    sce <- flowObject(400, seed = 6)
    # A flow round the middle.
    z <- flowMatrices(sce)$z
    turn <- cbind(-z[, 2], z[, 1])
    SingleCellExperiment::reducedDim(sce, "T_fwd_umap") <- turn
    flow <- plotProjectionData(sce, n_neighbors = 20, smooth = 2)
    expect_identical(
        names(flow),
        c("line", "point", "x", "y", "speed", "width", "arrow")
    )
    expect_gt(max(flow$line), 10)
    expect_identical(tapply(flow$arrow, flow$line, sum)[[1]], 1L)
    expect_true(all(tapply(flow$arrow, flow$line, sum) == 1))
    expect_true(all(flow$width > 0 & flow$width <= 2))
    n <- nrow(flow)
    same <- flow$line[-1] == flow$line[-n]
    cross <- flow$x[-n] * flow$y[-1] - flow$y[-n] * flow$x[-1]
    expect_gt(mean(cross[same] > 0), 0.98)
    # No line through empty space.
    near <- vapply(seq_len(n), function(i) {
        min((z[, 1] - flow$x[i])^2 + (z[, 2] - flow$y[i])^2)
    }, 1)
    expect_lt(sqrt(max(near)), 2 * max(diff(range(z[, 1]))) * 6 / 49)
    denser <- plotProjectionData(
        sce, n_neighbors = 20, smooth = 2, density = 4
    )
    expect_gt(max(denser$line), 1.4 * max(flow$line))
})

test_that("an object without its matrix still shows its arrows", {
    sce <- computeProjection(flowObject())
    bare <- sce
    SingleCellExperiment::colPair(bare, "T_fwd") <- NULL
    expect_identical(
        plotProjectionData(bare, mode = "cells"),
        plotProjectionData(sce, mode = "cells")
    )
    expectFailure(
        plotProjectionData(bare, recompute = TRUE), "missing_key"
    )
    expectFailure(
        plotProjectionData(bare[, -1], mode = "cells"), "container_stale"
    )
})

test_that("options of lines and grids are checked", {
    sce <- computeProjection(flowObject())
    bad <- function(...) plotProjectionData(sce, ...)
    expectFailure(bad(mode = "lines"), "range")
    expectFailure(bad(density = 0), "range")
    expectFailure(bad(mode = "grid", density = 0.03), "range")
    expectFailure(bad(smooth = 0), "range")
    expectFailure(bad(n_neighbors = 0), "range")
    expectFailure(bad(n_neighbors = 61), "range")
    expectFailure(bad(cutoff_perc = 101), "range")
    expectFailure(bad(min_mass = "a"), "type")
    expectFailure(bad(components = c(1, 3)), "shape")
    expectFailure(bad(densty = 1), "unknown_argument")
})
