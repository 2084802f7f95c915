drawn <- function() {
    once("drawn", embedUMAP(tree(), n_threads = 2))
}

test_that("the layout is stored with its record, the same in both", {
    for (x in list(tree(), seuratFrom(tree()))) {
        graph <- cellGraph(x)
        y <- embedUMAP(x, maxiter = 50, n_threads = 2)
        m <- .readEmbedding(y, "umap")
        expect_identical(dim(m), c(600L, 2L))
        expect_true(all(is.finite(m)))
        p <- parameters(y, .keyUMAP(y))
        expect_identical(p$maxiter, 50)
        expect_equal(c(p$a, p$b), c(0.5830298, 1.3341674), tolerance = 1e-6)
        expect_identical(cellGraph(y), graph)
        once(class(x)[1L], m)
    }
    skip_if_not_installed("SeuratObject")
    expect_identical(
        unname(once("Seurat", NULL)), unname(once("SingleCellExperiment", NULL))
    )
})

test_that("neighbours stay neighbours", {
    x <- drawn()
    m <- .readEmbedding(x, "UMAP")
    pca <- .readEmbedding(x, "PCA")
    near <- function(y) {
        d <- as.matrix(stats::dist(y))
        diag(d) <- Inf
        t(apply(d, 1L, function(v) order(v)[1:15]))
    }
    a <- near(m)
    b <- near(pca)
    shared <- mean(vapply(
        seq_len(nrow(a)), function(i) mean(a[i, ] %in% b[i, ]), 0
    ))
    expect_gt(shared, 0.25)
})

test_that("the same bits after any number of epochs on any threads", {
    graph <- cellGraph(tree())
    for (epochs in c(0, 1, 2, 17)) {
        expectSameBits(function(threads) {
            embedUMAP(graph, maxiter = epochs, n_threads = threads)
        })
    }
    expectSameBits(function(threads) {
        embedUMAP(
            tree(), maxiter = 30, method = "densmap", key_added = "d",
            n_threads = threads
        ) |> .readEmbedding("d")
    })
})

test_that("only the seed draws", {
    graph <- cellGraph(tree())
    set.seed(3)
    before <- .Random.seed
    one <- embedUMAP(graph, maxiter = 10)
    expect_identical(.Random.seed, before)
    expect_identical(embedUMAP(graph, maxiter = 10), one)
    other <- embedUMAP(graph, maxiter = 10, random_state = 1)
    expect_false(identical(other, one))
})

test_that("starts are taken as named", {
    x <- tree()
    pca <- .readEmbedding(x, "PCA")[, 1:2]
    scaled <- apply(pca, 2L, function(v) 10 * (v - min(v)) / diff(range(v)))
    for (start in list("pca", "PCA", pca)) {
        y <- embedUMAP(x, init_pos = start, maxiter = 0)
        expect_equal(
            unname(.readEmbedding(y, "UMAP")), unname(scaled),
            tolerance = 1e-5
        )
    }
    random <- embedUMAP(cellGraph(x), init_pos = "random", maxiter = 0)
    expect_equal(unname(apply(random, 2L, range)), cbind(c(0, 10), c(0, 10)),
        tolerance = 1e-6)
    expectFailure(embedUMAP(x, init_pos = "nowhere"), "missing_key")
    expectFailure(embedUMAP(x, init_pos = pca[1:5, ]), "container_cells")
    expectFailure(embedUMAP(x, init_pos = unname(pca)[1:5, ]), "shape")
    expectFailure(embedUMAP(x, init_pos = cbind(pca, 1)), "shape")
    expectFailure(embedUMAP(x, init_pos = "paga"), "missing_key")
    expectFailure(
        embedUMAP(x, init_pos = "paga", n_components = 3), "range"
    )
    expectFailure(embedUMAP(cellGraph(x), init_pos = "pca"), "range")
})

test_that("a PAGA layout can be the start", {
    x <- clusterLeiden(tree(), n_threads = 2)
    x <- computePAGA(x, "leiden", layout = "fr", n_threads = 2)
    y <- embedUMAP(x, init_pos = "paga", maxiter = 20, n_threads = 2)
    expect_identical(parameters(y, "UMAP")$init_pos, "paga")
    expect_true(all(is.finite(.readEmbedding(y, "UMAP"))))
})

test_that("one to ten dimensions, and both modes", {
    graph <- cellGraph(tree())
    for (d in c(1, 3, 10)) {
        m <- embedUMAP(graph, n_components = d, maxiter = 5)
        expect_identical(ncol(m), as.integer(d))
        expect_true(all(is.finite(m)))
    }
    m <- embedUMAP(graph, mode = "sequential", maxiter = 5)
    expect_true(all(is.finite(m)))
})

test_that("tiny, repeated and separated cells are laid out", {
    for (n in c(2L, 3L, 5L)) {
        few <- buildNeighbors(matrix(seq_len(2 * n)^2, n), n_neighbors = 2)
        m <- suppressWarnings(embedUMAP(few$connectivities, maxiter = 20))
        expect_true(all(is.finite(m)))
    }
    same <- suppressWarnings(buildNeighbors(
        matrix(rep(c(0, 1, 5), each = 20), 60, 3), n_neighbors = 10
    ))
    expect_true(all(is.finite(embedUMAP(same$connectivities, maxiter = 20))))
    apart <- buildNeighbors(
        rbind(matrix(sin(1:60), 30), matrix(100 + cos(1:60), 30)),
        n_neighbors = 5
    )
    expect_true(all(is.finite(embedUMAP(apart$connectivities))))
    lonely <- apart$connectivities
    lonely[1, ] <- 0
    lonely[, 1] <- 0
    expect_true(all(is.finite(embedUMAP(lonely, maxiter = 20))))
})

test_that("wrong arguments are refused with a hint", {
    x <- tree()
    failure <- expectFailure(embedUMAP(x, method = "rapids"), "range")
    expect_match(conditionMessage(failure), "GPU")
    expectFailure(embedUMAP(x, method = "tsne"), "range")
    expectFailure(embedUMAP(x, min_dist = 2), "range")
    expectFailure(embedUMAP(x, n_components = 0), "range")
    expectFailure(embedUMAP(x, key_added = "neighbors"),
        "container_key_taken")
    expectFailure(embedUMAP(x, neighbors_key = "none"), "missing_key")
    expectFailure(embedUMAP(smallSCE()), "missing_key")
    expectFailure(embedUMAP(cellGraph(x, "distances")), "range")
    expectFailure(embedUMAP(cellGraph(x), method = "densmap"),
        "container_class")
    bad <- cellGraph(x)
    bad@x[1L] <- NaN
    expectFailure(embedUMAP(bad), "range")
})

test_that("a graph of another method is used with a message", {
    x <- buildNeighbors(tree(), method = "gauss", key_added = "g",
        n_threads = 2)
    expect_message(
        embedUMAP(x, neighbors_key = "g", maxiter = 5),
        class = "fatecast_message"
    )
})

test_that("new cells land among their neighbours", {
    x <- drawn()
    pca <- .readEmbedding(x, "PCA")
    moved <- transformUMAP(pca[1:100, ] + 1e-6, x, n_threads = 2)
    m <- .readEmbedding(x, "UMAP")
    near <- sqrt(rowSums((moved - m[1:100, ])^2))
    size <- sqrt(sum(apply(m, 2L, stats::var)))
    expect_lt(stats::median(near), 0.2 * size)
    expectSameBits(function(threads) {
        transformUMAP(pca[1:50, ], x, n_threads = threads)
    })
    new <- x[, 1:40]
    colnames(new) <- paste0("new", 1:40)
    placed <- transformUMAP(new, x, n_threads = 2)
    expect_true("UMAP" %in% .embeddingNames(placed))
    expectFailure(transformUMAP(pca[, 1:3], x), "shape")
    expectFailure(transformUMAP(pca, tree()), "missing_key")
})
