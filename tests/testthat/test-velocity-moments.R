test_that("the moments of the specification come out, in each container", {
    for (x in list(sixCells(), sixCells(sparse = FALSE), sixSeurat())) {
        x <- computeMoments(x)
        expectNear(assayOf(x, "Ms")["g1", ], c(
            4.727778, 5.494444, 4.164394, 4.134524, 2.248557, 3.015224
        ))
        expectNear(assayOf(x, "Ms")["g2", ], c(
            1.235185, 1.150000, 2.808207, 3.062103, 5.058562, 4.973377
        ))
        expectNear(assayOf(x, "Mu")["g1", ], c(
            2.55, 3.383333, 2.225, 2.3125, 0.833333, 1.666667
        ))
        expectNear(assayOf(x, "Mu")["g2", ], c(
            0.75, 0.25, 1.125, 1.419643, 2.642857, 2.142857
        ))
        expect_equal(
            parameters(x, "moments")$targets,
            list(spliced = 11.5, unspliced = 6)
        )
        expect_false(any(fateHistory(x)$stale))
    }
})

test_that("a constant assay is its own moment", {
    x <- sixCells()
    SummarizedExperiment::assay(x, "spliced")[] <- 3
    x <- computeMoments(x, normalize = FALSE)
    expect_equal(
        unname(assayOf(x, "Ms")), matrix(3, 2, 6), tolerance = 1e-15
    )
})

test_that("sizes are stored once, used afterwards, and can be given", {
    x <- sixCells()
    x$initial_size_spliced <- NULL
    x <- computeMoments(x)
    totals <- unname(colSums(sixSpliced()))
    expect_identical(x$initial_size_spliced, totals)
    expect_equal(parameters(x, "moments")$targets$spliced, median(totals))
    one <- computeMoments(x[1, ])
    expect_identical(one$initial_size_spliced, totals)
    expect_equal(assayOf(one, "Ms")["g1", ], assayOf(x, "Ms")["g1", ])
    given <- computeMoments(sixCells(), counts_per_cell = list(
        spliced = totals, unspliced = c(5, 8, 4, 6, 6, 7)
    ))
    expect_identical(assayOf(given, "Ms"), assayOf(x, "Ms"))
    twice <- computeMoments(sixCells(), counts_per_cell_after = 23)
    once <- computeMoments(sixCells())
    expect_equal(assayOf(twice, "Ms"), 2 * assayOf(once, "Ms"))
    ignored <- computeMoments(sixCells(), use_initial_size = FALSE)
    expect_identical(assayOf(ignored, "Ms"), assayOf(x, "Ms"))
})

test_that("heavy genes can be kept out of sizes", {
    x <- sixCells()
    a <- computeMoments(
        x, use_initial_size = FALSE, max_proportion_per_cell = 0.8
    )
    # Gene 1 is all there is in cell 2, gene 2 is 0.9 of cell 6.
    expect_equal(parameters(a, "moments")$targets$spliced, 1)
})

test_that("auto normalises whole numbers only", {
    x <- sixCells()
    SummarizedExperiment::assay(x, "spliced") <-
        SummarizedExperiment::assay(x, "spliced") / 2
    x <- computeMoments(x)
    expect_null(parameters(x, "moments")$targets$spliced)
    expect_equal(parameters(x, "moments")$targets$unspliced, 6)
    forced <- computeMoments(x, normalize = TRUE)
    expect_equal(parameters(forced, "moments")$targets$spliced, 11.5)
})

test_that("fewer neighbours are the nearest, more are said not to be there", {
    x <- counted()
    graph <- as.matrix(.readGraph(x, "connectivities"))
    m <- min(8, rowSums(graph > 0))
    near <- t(apply(graph, 1L, function(w) {
        seq_along(w) %in% order(-w)[seq_len(m)]
    }))
    w <- near | diag(nrow(graph)) > 0
    w <- w / rowSums(w)
    s <- as.matrix(SummarizedExperiment::assay(x, "counts"))
    few <- computeMoments(x, n_neighbors = 8, normalize = FALSE)
    expect_equal(
        assayOf(few, "Ms"), s %*% t(w), tolerance = 1e-12,
        ignore_attr = TRUE
    )
    expect_equal(parameters(few, "moments")$neighbors_kept, m)
    expect_message(
        all <- computeMoments(x, n_neighbors = 31, normalize = FALSE),
        class = "fatecast_message"
    )
    expect_silent(computeMoments(x, normalize = FALSE))
    w <- (graph > 0) | diag(nrow(graph)) > 0
    expect_equal(
        assayOf(all, "Ms"), s %*% t(w / rowSums(w)), tolerance = 1e-12,
        ignore_attr = TRUE
    )
    distances <- as.matrix(.readGraph(x, "distances"))
    w <- (distances > 0) | diag(nrow(graph)) > 0
    by_distance <- computeMoments(
        x, n_neighbors = 12, mode = "distances", normalize = FALSE
    )
    expect_equal(
        assayOf(by_distance, "Ms"), s %*% t(w / rowSums(w)),
        tolerance = 1e-12, ignore_attr = TRUE
    )
    near <- t(apply(distances, 1L, function(d) {
        d[d == 0] <- Inf
        seq_along(d) %in% order(d)[1:5]
    }))
    w <- near | diag(nrow(graph)) > 0
    few <- computeMoments(
        x, n_neighbors = 5, mode = "distances", normalize = FALSE
    )
    expect_equal(
        assayOf(few, "Ms"), s %*% t(w / rowSums(w)), tolerance = 1e-12,
        ignore_attr = TRUE
    )
})

test_that("an isolated cell keeps its own counts, with a warning", {
    g <- sixGraph()
    g[2, ] <- 0
    g[, 2] <- 0
    x <- .writeGraph(sixCells(), "connectivities", g)
    w <- expect_warning(
        x <- computeMoments(x, normalize = FALSE),
        class = "fatecast_warning_disconnected"
    )
    expect_identical(w$cells, "c2")
    expect_equal(assayOf(x, "Ms")[, "c2"], sixSpliced()[, "c2"])
})

test_that("assays on disk give the same numbers, block by block", {
    skip_if_not_installed("DelayedArray")
    plain <- computeMoments(sixCells())
    withr::local_options(fatecast.block_bytes = 1)
    x <- counted(60, 20)
    want <- computeMoments(x, n_neighbors = 12)
    for (store in list(identity, as.matrix)) {
        for (name in c("counts", "unspliced")) {
            SummarizedExperiment::assay(x, name) <- DelayedArray::DelayedArray(
                store(SummarizedExperiment::assay(x, name))
            )
        }
        found <- computeMoments(x, n_neighbors = 12)
        expect_identical(assayOf(found, "Ms"), assayOf(want, "Ms"))
        expect_identical(assayOf(found, "Mu"), assayOf(want, "Mu"))
        v <- estimateVelocity(found)
        expect_identical(
            assayOf(v, "velocity"),
            assayOf(estimateVelocity(want), "velocity")
        )
        expect_identical(
            dim(filterAndNormalize(x, min_shared_counts = 20)),
            dim(filterAndNormalize(want, min_shared_counts = 20))
        )
    }
})

test_that("what cannot be used is refused with its facts", {
    x <- sixCells()
    e <- expectFailure(
        computeMoments(x, unspliced = "intron"), "missing_key",
        list(key = "intron", available = c("spliced", "unspliced"))
    )
    expect_match(conditionMessage(e), "velocyto")
    expectFailure(computeMoments(x, conn_key = "none"), "missing_key")
    expectFailure(computeMoments(x, mode = "nearest"), "unknown_argument")
    expectFailure(computeMoments(x, n_neighbours = 3), "unknown_argument")
    expectFailure(computeMoments(x, counts_per_cell = 1:3), "shape")
    expectFailure(computeMoments(x, n_neighbors = 0), "range")
    expectFailure(computeMoments(sixSpliced()), "container_class")
    bad <- x
    SummarizedExperiment::assay(bad, "unspliced")["g2", 3:4] <- c(-1, -2)
    expectFailure(computeMoments(bad), "range", list(
        assay = "unspliced", genes = "g2", count = 2
    ))
    SummarizedExperiment::assay(bad, "unspliced")["g2", 3:4] <- c(NA, Inf)
    expectFailure(computeMoments(bad), "range", list(
        assay = "unspliced", genes = "g2", count = 2
    ))
    bad <- x
    bad$initial_size_spliced[2] <- NA
    expectFailure(computeMoments(bad), "range", list(cells = "c2"))
    withr::local_options(fatecast.memory_limit = 100)
    e <- expectFailure(computeMoments(x), "memory", list(bytes = 192))
    expect_match(conditionMessage(e), "velocity_genes")
})

test_that("assays of different genes are refused", {
    skip_if_not_installed("SeuratObject")
    x <- sixSeurat()
    x[["unspliced"]] <- NULL
    x[["unspliced"]] <- SeuratObject::CreateAssayObject(
        .asGeneral(sixUnspliced())[1, , drop = FALSE]
    )
    expectFailure(computeMoments(x), "shape")
})

test_that("moments of other cells or graphs are refused", {
    x <- counted(60, 20)
    x <- computeMoments(x, n_neighbors = 12)
    expectFailure(estimateVelocity(x[, 1:50]), "container_stale")
    SummarizedExperiment::assay(x, "Mu") <- NULL
    expectFailure(estimateVelocity(x[, 1:50]), "container_stale")
})

test_that("threads and instructions change nothing", {
    x <- counted()
    expectSameBits(function(threads) {
        x <- estimateVelocity(
            computeMoments(x, n_neighbors = 12, n_threads = threads),
            n_threads = threads
        )
        list(
            lapply(
                c("Ms", "Mu", "velocity", "variance_velocity"), assayOf, x = x
            ), as.list(SummarizedExperiment::rowData(x))
        )
    })
})
