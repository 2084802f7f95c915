# Laws that hold for every object: generated data of many shapes.

# Random cells in clumps, some of them repeated, as matrix with cell names.
generatedCells <- function(seed) {
    withr::with_seed(seed, {
        n <- sample(c(4L, 7L, 20L, 75L, 160L), 1L)
        d <- sample(c(1L, 2L, 5L, 12L), 1L)
        centre <- matrix(stats::rnorm(4L * d, sd = 4), 4L)
        m <- centre[sample.int(4L, n, replace = TRUE), , drop = FALSE] +
            stats::rnorm(n * d)
        if (seed %% 3L == 0L) m[seq_len(n %/% 2L), ] <- m[rep(1L, n %/% 2L), ]
    })
    dimnames(m) <- list(paste0("cell", seq_len(n)), NULL)
    m
}

generatedObjects <- function(m, seed) {
    sce <- smallSCE(nrow(m), 6L, seed)
    objects <- list(.writeEmbedding(sce, "PCA", m))
    if (requireNamespace("SeuratObject", quietly = TRUE)) {
        seurat <- smallSeurat(nrow(m), 6L, seed)
        objects$seurat <- .writeEmbedding(seurat, "pca", m)
    }
    objects
}

test_that("graphs are symmetric, bounded and have an empty diagonal", {
    for (seed in seq_len(15L)) {
        m <- generatedCells(seed)
        k <- min(10L, nrow(m))
        for (method in c("umap", "gauss", "jaccard", "snn")) {
            out <- buildNeighbors(m, n_neighbors = k, method = method)
            a <- out$connectivities
            expect_identical(a, Matrix::t(a))
            expect_true(all(Matrix::diag(a) == 0))
            expect_true(all(is.finite(a@x)) && all(a@x > 0))
            if (method == "umap") {
                expect_lte(max(a@x), 1)
                peak <- apply(as.matrix(a), 1L, max)
                expect_equal(
                    unname(peak), rep(1, nrow(m)), tolerance = 1e-6
                )
            }
            expect_identical(
                tabulate(out$distances@i + 1L, nrow(m)),
                rep(k - 1L, nrow(m))
            )
        }
    }
})

test_that("scaling the coordinates leaves weights alone", {
    for (seed in 1:6) {
        m <- generatedCells(seed)
        k <- min(8L, nrow(m))
        a <- buildNeighbors(m, n_neighbors = k)$connectivities
        b <- buildNeighbors(m * 1024, n_neighbors = k)$connectivities
        expect_equal(a, b, tolerance = 1e-5)
    }
})

test_that("the order of the cells does not matter", {
    for (seed in c(1L, 2L, 4L, 5L, 7L)) {
        m <- generatedCells(seed)
        k <- min(8L, nrow(m))
        turned <- withr::with_seed(seed, sample.int(nrow(m)))
        a <- buildNeighbors(m, n_neighbors = k)$connectivities
        b <- buildNeighbors(m[turned, , drop = FALSE], n_neighbors = k)
        expect_equal(
            as.matrix(a)[turned, turned], as.matrix(b$connectivities),
            tolerance = 1e-6
        )
        labels <- clusterLeiden(a)$labels
        q <- graphModularity(a, labels)
        expect_equal(
            graphModularity(b$connectivities, labels[rownames(m)[turned]]), q,
            tolerance = 1e-6
        )
    }
})

test_that("both containers and the bare matrix agree in every verb", {
    for (seed in c(2L, 3L, 8L, 11L)) {
        m <- generatedCells(seed)
        k <- min(8L, nrow(m))
        bare <- buildNeighbors(m, n_neighbors = k)$connectivities
        labels <- suppressWarnings(clusterLeiden(bare)$labels)
        layout <- suppressWarnings(embedUMAP(bare, maxiter = 5))
        for (x in generatedObjects(m, seed)) {
            x <- buildNeighbors(
                x, n_neighbors = k, use_rep = .keyPCA(x)
            )
            expect_identical(cellGraph(x), bare)
            x <- suppressWarnings(clusterLeiden(x))
            expect_identical(
                as.character(.readCellData(x, "leiden")),
                unname(as.character(labels))
            )
            x <- suppressWarnings(embedUMAP(x, maxiter = 5))
            expect_equal(
                unname(.readEmbedding(x, "umap")), unname(layout),
                tolerance = 1e-4
            )
            expect_true(all(!fateHistory(x)$stale))
        }
    }
})

test_that("clusters are connected and as good as any single move", {
    for (seed in seq_len(8L)) {
        m <- generatedCells(seed)
        a <- buildNeighbors(m, n_neighbors = min(6L, nrow(m)))$connectivities
        for (resolution in c(0.5, 1, 2)) {
            found <- clusterLeiden(a, resolution)
            expect_true(groupsConnected(a, found$labels))
            best <- slowModularity(a, found$labels, resolution)
            for (i in seq_len(min(nrow(a), 10L))) {
                for (to in levels(found$labels)) {
                    moved <- as.character(found$labels)
                    moved[i] <- to
                    expect_lte(
                        slowModularity(a, moved, resolution), best + 1e-9
                    )
                }
            }
        }
    }
})
