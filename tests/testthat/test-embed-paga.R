# The fixture of ten points in three groups; the third is small, the first on
# its own.
tenPoints <- function(groups = rep(c("a", "b", "c"), c(4, 4, 2))) {
    x <- cbind(
        c(0, 1, 0, 1, 3, 4, 3, 4, 7, 8), c(0, 0, 1, 1, 0, 0, 1, 1, .5, .5)
    )
    rownames(x) <- paste0("p", seq_len(10))
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = matrix(0, 2, 10, dimnames = list(NULL, rownames(x)))),
        reducedDims = list(PLACE = x)
    )
    rownames(sce) <- c("g1", "g2")
    sce$group <- groups
    buildNeighbors(sce, n_neighbors = 4, use_rep = "PLACE")
}

grouped <- function() {
    once("grouped", computePAGA(tree(), groups = "cell_type", layout = "fr"))
}

test_that("the fixture of ten points is met by both models", {
    sce <- computePAGA(tenPoints(), "group")
    want <- matrix(0, 3, 3, dimnames = list(letters[1:3], letters[1:3]))
    want["b", "c"] <- want["c", "b"] <- 0.75
    expect_equal(as.matrix(pagaConnectivities(sce)), want)
    expect_equal(as.matrix(pagaConnectivities(sce, tree = TRUE)), want)
    expect_identical(.readRecord(sce, "paga")$sizes, c(a = 4L, b = 4L, c = 2L))
    old <- computePAGA(tenPoints(), "group", model = "v1.0")
    want[want > 0] <- 4 / sqrt(16 * 4 * 2)
    expect_equal(as.matrix(pagaConnectivities(old)), want)
})

test_that("connectivities are those of counting arcs", {
    sce <- grouped()
    m <- as.matrix(pagaConnectivities(sce))
    arcs <- Matrix::summary(cellGraph(sce, "distances"))
    type <- droplevels(sce$cell_type)
    e <- table(type[arcs$i], type[arcs$j])
    size <- as.vector(table(type))
    expect_identical(unname(rowSums(e)), 29 * size)
    between <- outer(rowSums(e), size)
    expected <- (between + t(between)) / (ncol(sce) - 1)
    want <- pmin((e + t(e)) / expected, 1)
    diag(want) <- 0
    expect_equal(unname(m), unname(unclass(want)), ignore_attr = TRUE)
    expect_identical(rownames(m), levels(type))
    tree <- as.matrix(pagaConnectivities(sce, tree = TRUE))
    expect_identical(tree, t(tree))
    expect_identical(tree[tree > 0], m[tree > 0])
})

test_that("Seurat gives the same, and the record says how it was made", {
    sce <- grouped()
    object <- seuratFrom(sce)
    object <- .writeDistances(
        object, "distances", .readDistances(sce, "distances")$indices,
        .readDistances(sce, "distances")$distances
    )
    object <- computePAGA(object, groups = "cell_type", layout = "fr")
    expect_identical(pagaConnectivities(object), pagaConnectivities(sce))
    expect_identical(
        .readRecord(object, "paga")$pos, .readRecord(sce, "paga")$pos
    )
    p <- parameters(sce, "paga")
    expect_identical(p$groups, "cell_type")
    expect_identical(p$n_neighbors, 30L)
    expect_identical(p$model, "v1.2")
    expect_identical(p$layout, "fr")
    expect_identical(p$root, "root")
    expect_identical(p$random_state, 0L)
    expect_true("computePAGA" %in% fateHistory(sce)$verb)
    expectQuiet(computePAGA(object, groups = "cell_type"))
})

test_that("groups come from the column asked for, or from the clusters", {
    sce <- tenPoints(factor(
        rep(c("b", "a", "c"), c(4, 4, 2)),
        levels = c("c", "unused", "b", "a")
    ))
    sizes <- function(x, ...) .readRecord(computePAGA(x, ...), "paga")$sizes
    expect_identical(sizes(sce, "group"), c(c = 2L, b = 4L, a = 4L))
    e <- expectFailure(computePAGA(sce), "missing_key")
    expect_match(conditionMessage(e), "clusterLeiden")
    sce$louvain <- rep("x", 10)
    expect_identical(sizes(sce), c(x = 10L))
    sce$leiden <- rep(c("10", "9"), c(4, 6))
    expect_identical(sizes(sce), c("9" = 6L, "10" = 4L))
    sce$number <- rep(c(3, 2), 5)
    expect_identical(sizes(sce, "number"), c("2" = 5L, "3" = 5L))
    sce$time <- seq(0.5, 10)
    expectFailure(computePAGA(sce, "time"), "type")
    expectFailure(computePAGA(sce, "nothing"), "missing_key")
    sce$group[3] <- NA
    e <- expectFailure(computePAGA(sce, "group"), "range")
    expect_identical(e$cells, "p3")
})

test_that("one group alone has no edges and lies in the middle", {
    sce <- computePAGA(tenPoints(rep("all", 10)), "group", layout = "fr")
    expect_identical(length(pagaConnectivities(sce)@x), 0L)
    expect_equal(unname(.readRecord(sce, "paga")$pos), matrix(0.5, 1, 2))
})

test_that("velocity adds a transposed confidence and keeps the rest", {
    sce <- tenPoints()
    e <- expectFailure(
        computePAGA(sce, "group", use_rna_velocity = TRUE), "missing_key"
    )
    expect_match(conditionMessage(e), "velocity_graph")
    v <- Matrix::sparseMatrix(
        i = c(1, 2, 3, 5, 9), j = c(5, 6, 7, 1, 8),
        x = c(.5, .2, .7, .1, .9), dims = c(10, 10),
        dimnames = list(colnames(sce), colnames(sce))
    )
    sce <- .writeGraph(sce, "velocity_graph", v)
    out <- computePAGA(sce, "group", use_rna_velocity = TRUE)
    flow <- as.matrix(.readRecord(out, "paga")$transitions_confidence)
    want <- matrix(0, 3, 3, dimnames = list(letters[1:3], letters[1:3]))
    # Two more arcs from a to b than back, one from c to b.
    want["b", "a"] <- 2 / (4 * sqrt(4 * 4))
    want["b", "c"] <- 1 / (4 * sqrt(2 * 4))
    expect_equal(flow, want)
    expect_identical(
        pagaConnectivities(out), pagaConnectivities(computePAGA(sce, "group"))
    )
})

test_that("layouts place every group, by the seed, the root and the start", {
    sce <- grouped()
    pos <- function(...) {
        .readRecord(computePAGA(sce, "cell_type", ...), "paga")$pos
    }
    groups <- rownames(pagaConnectivities(sce))
    for (layout in .pagaLayouts) {
        p <- pos(layout = layout)
        expect_identical(dim(p), c(length(groups), 2L))
        expect_identical(rownames(p), groups)
        expect_true(all(is.finite(p)))
        expect_true(min(stats::dist(p)) > 0.01, label = layout)
        expect_identical(pos(layout = layout), p)
    }
    expect_false(identical(
        pos(layout = "fr"), pos(layout = "fr", random_state = 1)
    ))
    top <- pos(layout = "rt", root = groups[3])
    expect_identical(names(which.max(top[, 2])), groups[3])
    expect_identical(pos(layout = "rt", root = 3), top)
    start <- matrix(seq_len(2 * length(groups)) / 10, ncol = 2)
    moved <- pos(layout = "fa", init_pos = start)
    rownames(start) <- groups
    expect_identical(
        pos(layout = "fa", init_pos = start[rev(groups), ]), moved
    )
    set.seed(4)
    a <- pos(layout = "fr", random_state = NULL)
    set.seed(4)
    expect_identical(pos(layout = "fr", random_state = NULL), a)
})

test_that("a graph computed again keeps its positions, a new one does not", {
    sce <- grouped()
    again <- computePAGA(sce, "cell_type")
    expect_identical(
        .readRecord(again, "paga")$pos, .readRecord(sce, "paga")$pos
    )
    expect_identical(parameters(again, "paga")$layout, "fr")
    other <- computePAGA(sce, "cell_type", model = "v1.0")
    expect_null(.readRecord(other, "paga")$pos)
    expect_null(parameters(other, "paga")$layout)
})

test_that("two keys never touch each other", {
    sce <- grouped()
    sce <- computePAGA(sce, "cell_type", model = "v1.0", key_added = "old")
    expect_identical(pagaConnectivities(sce), pagaConnectivities(grouped()))
    expect_false(identical(
        pagaConnectivities(sce, "old"), pagaConnectivities(sce)
    ))
    expect_identical(parameters(sce, "old")$model, "v1.0")
})

test_that("bad arguments are refused before any work", {
    sce <- grouped()
    paga <- function(...) computePAGA(sce, "cell_type", ...)
    expectFailure(paga(model = "v2"), "range")
    expectFailure(paga(layout = "spring"), "range")
    expectFailure(paga(root = "nowhere"), "missing_key")
    expectFailure(paga(root = 99), "range")
    expectFailure(paga(threshold = -1), "range")
    expectFailure(paga(layout = "fr", init_pos = diag(2)), "shape")
    expectFailure(paga(neighbors_key = "none"), "missing_key")
    expectFailure(paga(key_added = "neighbors"), "container_key_taken")
    expectFailure(paga(use_rna_velocity = NA), "type")
    expectFailure(computePAGA(diag(3)), "container_class")
    expectFailure(computePAGA(list()), "container_class")
    e <- expectFailure(paga(modle = "v1.0"), "unknown_argument")
    expect_match(conditionMessage(e), "model")
    expectFailure(pagaConnectivities(tree()), "not_computed")
    e <- expectFailure(
        computePAGA(tenPoints(), "group", layout = "eq_tree"), "disconnected"
    )
    expect_identical(e$components, 2)
})

test_that("a subset object is told what to run again", {
    sce <- grouped()[, 1:200]
    e <- expectFailure(computePAGA(sce, "cell_type"), "container_stale")
    expect_match(conditionMessage(e), "buildNeighbors")
    e <- expectFailure(pagaConnectivities(sce), "container_stale")
    expect_match(conditionMessage(e), "computePAGA")
})

test_that("threads and instruction sets do nothing", {
    sce <- tree()
    expectSameBits(function(threads) {
        made <- computePAGA(
            sce, "cell_type", layout = "fa", n_threads = threads
        )
        .readRecord(made, "paga")[c("connectivities", "pos")]
    })
})
