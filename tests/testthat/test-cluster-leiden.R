test_that("the cliques of a ring are the clusters", {
    a <- ringOfCliques(6L, 5L)
    found <- clusterLeiden(a, n_threads = 2)
    expect_identical(found$n_clusters, 6)
    expect_identical(
        lengths(split(names(found$labels), found$labels), use.names = FALSE),
        rep(5L, 6L)
    )
    expect_identical(names(found$labels), rownames(a))
    expect_equal(
        found$modularity, slowModularity(a, found$labels), tolerance = 1e-12
    )
    # Directed convention of the resolution type: 2m times modularity.
    expect_equal(found$quality, sum(a) * found$modularity, tolerance = 1e-12)
    expect_true(found$converged)
})

test_that("labels go by size and every cluster is connected", {
    sce <- tree()
    for (resolution in c(0.3, 1, 2)) {
        for (n in c(1, 2, -1)) {
            found <- clusterLeiden(
                cellGraph(sce), resolution, n_iterations = n, n_threads = 2
            )
            sizes <- as.integer(table(found$labels))
            expect_false(is.unsorted(rev(sizes)))
            expect_identical(
                levels(found$labels),
                as.character(seq_along(sizes) - 1L)
            )
            expect_true(groupsConnected(cellGraph(sce), found$labels))
        }
    }
})

test_that("every result key holds its own parameters (the reported bug)", {
    for (x in list(tree(), seuratFrom(tree()))) {
        x <- clusterLeiden(x, 0.8, key_added = "leiden_0.8", n_threads = 2)
        x <- clusterLeiden(x, 1.2, key_added = "leiden_1.2", n_threads = 2)
        expect_identical(parameters(x, "leiden_0.8")$resolution, 0.8)
        expect_identical(parameters(x, "leiden_1.2")$resolution, 1.2)
        expectFailure(parameters(x, "leiden"), "missing_key")
        expect_false("leiden" %in% .cellDataNames(x))
        expect_false("leiden" %in% names(.readMisc(x)))
        x <- clusterLouvain(x, 0.5, key_added = "louvain_0.5", n_threads = 2)
        expect_identical(parameters(x, "louvain_0.5")$resolution, 0.5)
        expect_false("louvain" %in% names(.readMisc(x)))
        expect_identical(parameters(x, "leiden_0.8")$resolution, 0.8)
    }
})

test_that("a sweep of twenty resolutions keeps twenty records", {
    sce <- tree()
    at <- seq(0.1, 2, by = 0.1)
    sce <- clusterLeiden(sce, at, n_iterations = 2, n_threads = 2)
    keys <- paste0("leiden_", vapply(at, format, ""))
    expect_true(all(keys %in% .cellDataNames(sce)))
    expect_false("leiden" %in% .cellDataNames(sce))
    stored <- vapply(keys, function(key) parameters(sce, key)$resolution, 0)
    expect_identical(unname(stored), at)
    alone <- clusterLeiden(
        sce, at[7L], key_added = "alone", n_iterations = 2, n_threads = 2
    )
    expect_identical(alone$alone, alone[[keys[7L]]])
    expect_identical(
        sum(fateHistory(sce)$verb == "clusterLeiden"), length(at)
    )
})

test_that("keys can be given for each resolution", {
    sce <- clusterLeiden(
        tree(), c(0.5, 1), key_added = c("coarse", "fine"), n_threads = 2
    )
    expect_identical(parameters(sce, "coarse")$resolution, 0.5)
    expect_identical(parameters(sce, "fine")$resolution, 1)
    expectFailure(
        clusterLeiden(tree(), c(0.5, 1), key_added = c("k", "k")),
        "duplicate_names"
    )
    expectFailure(clusterLeiden(tree(), c(1, 1)), "range")
})

test_that("restricted clusters are named after what they divide", {
    sce <- clusterLeiden(tree(), 0.5, n_threads = 2)
    sce <- clusterLeiden(
        sce, 1, restrict_to = list("leiden", c("0", "1")), n_threads = 2
    )
    inside <- sce$leiden %in% c("0", "1")
    expect_true(all(startsWith(as.character(sce$leiden_R[inside]), "0-1,")))
    expect_identical(
        as.character(sce$leiden_R[!inside]), as.character(sce$leiden[!inside])
    )
    expect_true("leiden" %in% names(.readMisc(sce)))
    expect_identical(
        parameters(sce, "leiden_R")$restrict_to,
        list(key = "leiden", categories = c("0", "1"))
    )
    kept <- clusterLeiden(
        sce, 1, restrict_to = list("leiden", "0"), key_added = "sub",
        n_threads = 2
    )
    expect_true("sub" %in% .cellDataNames(kept))
    failure <- expectFailure(
        clusterLeiden(sce, restrict_to = list("leiden", "nowhere")),
        "missing_key"
    )
    expect_match(conditionMessage(failure), "nowhere")
    expectFailure(
        clusterLeiden(sce, restrict_to = list("none", "0")), "missing_key"
    )
    expectFailure(clusterLeiden(sce, restrict_to = "leiden"), "type")
})

test_that("digits in labels sort as numbers", {
    expect_identical(
        .naturalSort(c("10", "2", "0-1,10", "0-1,2", "b", "a10", "a9")),
        c("0-1,2", "0-1,10", "2", "10", "a9", "a10", "b")
    )
})

test_that("quality functions, weights and directions are taken as asked", {
    a <- cellGraph(tree())
    types <- c(
        "RBConfiguration", "Modularity", "RBER", "CPM", "Surprise"
    )
    for (type in types) {
        given <- if (type %in% .withoutResolution) NULL else 0.05
        found <- clusterLeiden(
            a, given, partition_type = paste0(type, "VertexPartition"),
            n_iterations = 2, n_threads = 2
        )
        expect_true(is.finite(found$quality))
        expect_true(groupsConnected(a, found$labels))
    }
    expect_warning(
        clusterLeiden(
            a, NULL, partition_type = "Significance", n_iterations = 1
        ), class = "fatecast_warning_replaced_argument"
    )
    expectQuiet(clusterLeiden(
        a, NULL, partition_type = "Significance", use_weights = FALSE,
        n_iterations = 1
    ))
    expectFailure(clusterLeiden(a, 1, partition_type = "Surprise"), "range")
    expectFailure(clusterLeiden(a, partition_type = "Nonsense"), "range")
    both <- lapply(c(TRUE, FALSE), function(directed) {
        clusterLeiden(a, directed = directed, n_threads = 2)
    })
    expect_identical(both[[1L]]$labels, both[[2L]]$labels)
    scaled <- a
    scaled@x <- a@x * 1000
    expect_identical(clusterLeiden(scaled)$labels, both[[1L]]$labels)
})

test_that("flavours keep scanpy's rules", {
    a <- ringOfCliques()
    expectFailure(clusterLeiden(a, flavor = "igraph"), "range")
    expectFailure(clusterLeiden(a, flavor = "other"), "range")
    expectFailure(clusterLeiden(
        a, flavor = "igraph", directed = FALSE, partition_type = "CPM"
    ), "range")
    expectFailure(clusterLeiden(a, objective_function = "CPM"), "range")
    found <- clusterLeiden(a, flavor = "igraph", directed = FALSE)
    expect_identical(found$n_clusters, 6)
    potts <- clusterLeiden(
        a, 0.5, flavor = "igraph", directed = FALSE,
        objective_function = "CPM"
    )
    expect_identical(potts$n_clusters, 6)
})

test_that("start, fixed cells, sizes and limits are obeyed", {
    full <- Matrix::Matrix(1 - diag(100), sparse = TRUE)
    ten <- clusterLeiden(
        full, 0, partition_type = "CPM", max_comm_size = 10
    )
    expect_identical(as.integer(table(ten$labels)), rep(10L, 10L))
    a <- ringOfCliques()
    start <- rep(c("left", "right"), each = 15)
    fixed <- seq_len(30) %in% c(1L, 30L)
    held <- clusterLeiden(
        a, initial_membership = start, is_membership_fixed = fixed
    )
    expect_identical(as.character(held$labels[[1L]]), "left")
    expect_identical(as.character(held$labels[[30L]]), "right")
    same <- clusterLeiden(a, initial_membership = start, n_iterations = 0)
    expect_identical(
        unname(as.integer(same$labels)), rep(1:2, each = 15L)
    )
    large <- clusterLeiden(a, min_comm_size = 8)
    expect_gte(min(table(large$labels)), 8)
    doubled <- clusterLeiden(
        a, 0.1, partition_type = "CPM", node_sizes = rep(2, 30)
    )
    expect_true(is.finite(doubled$quality))
    expectFailure(clusterLeiden(a, node_sizes = rep(2, 30)), "range")
    expectFailure(clusterLeiden(a, initial_membership = 1:3), "shape")
    expectFailure(
        clusterLeiden(a, initial_membership = c(NA, rep(1, 29))), "range"
    )
    expectFailure(clusterLeiden(a, is_membership_fixed = fixed), "range")
})

test_that("the seed alone decides, on any number of threads", {
    a <- cellGraph(tree())
    expectSameBits(function(threads) {
        clusterLeiden(a, 1, n_iterations = 3, n_threads = threads)
    })
    set.seed(1)
    before <- .Random.seed
    clusterLeiden(a, random_state = 5)
    expect_identical(.Random.seed, before)
    drawn <- withr::with_seed(2, clusterLeiden(a, random_state = NULL))
    again <- withr::with_seed(2, clusterLeiden(a, random_state = NULL))
    expect_identical(drawn, again)
})

test_that("both containers hold the same labels, active ones on request", {
    sce <- clusterLeiden(tree(), 0.7, set_idents = TRUE, n_threads = 2)
    seurat <- clusterLeiden(
        seuratFrom(tree()), 0.7, set_idents = TRUE, n_threads = 2
    )
    expect_identical(.readCellData(seurat, "leiden"), sce$leiden)
    expect_identical(SingleCellExperiment::colLabels(sce), sce$leiden)
    expect_identical(
        as.character(SeuratObject::Idents(seurat)), as.character(sce$leiden)
    )
    plain <- clusterLeiden(seuratFrom(tree()), 0.7, n_threads = 2)
    expect_identical(nlevels(SeuratObject::Idents(plain)), 1L)
})

test_that("Seurat's own graphs serve and stay as they are", {
    seurat <- seuratFrom(tree())
    graph <- cellGraph(tree())
    own <- methods::new(
        methods::getClass("Graph", where = asNamespace("SeuratObject")),
        graph, assay.used = "RNA"
    )
    seurat <- .setEntry(seurat, "graphs", "RNA_snn", own)
    by_name <- clusterLeiden(seurat, obsp = "RNA_snn", n_threads = 2)
    by_hand <- clusterLeiden(
        seurat, adjacency = slot(seurat, "graphs")$RNA_snn, n_threads = 2
    )
    expect_identical(
        .readCellData(by_name, "leiden"), .readCellData(by_hand, "leiden")
    )
    expect_identical(slot(by_name, "graphs")$RNA_snn, own)
    expect_identical(parameters(by_name, "leiden")$obsp, "RNA_snn")
    expectFailure(
        clusterLeiden(seurat, obsp = "RNA_snn", neighbors_key = "neighbors"),
        "range"
    )
    expectFailure(clusterLeiden(seurat, obsp = "no_such"), "missing_key")
})

test_that("unusable input is refused before anything is stored", {
    a <- ringOfCliques()
    bad <- a
    bad@x[3L] <- NaN
    expectFailure(clusterLeiden(bad), "range")
    bad@x[3L] <- -1
    expectFailure(clusterLeiden(bad), "range")
    expectQuiet(clusterLeiden(bad, 0.1, partition_type = "CPM"))
    expectFailure(clusterLeiden(a[, -1L]), "shape")
    expectFailure(clusterLeiden(tree(), key_added = "neighbors"),
        "container_key_taken")
    expectFailure(clusterLeiden(tree(), resolution = -1), "range")
    expectFailure(clusterLeiden(tree(), resolution = "1"), "type")
    expectFailure(clusterLeiden(tree(), resolutoin = 1), "unknown_argument")
    expectFailure(clusterLeiden(data.frame(a = 1)), "container_class")
    part <- tree()[, 1:50]
    failure <- expectFailure(clusterLeiden(part), "container_stale")
    expect_match(conditionMessage(failure), "buildNeighbors", all = FALSE)
    bare <- smallSCE()
    failure <- expectFailure(clusterLeiden(bare), "missing_key")
    expect_match(conditionMessage(failure), "buildNeighbors", all = FALSE)
})

test_that("graphs without edges and single cells are clusters of one", {
    empty <- methods::new(
        "dgCMatrix", p = integer(5), Dim = c(4L, 4L),
        Dimnames = list(letters[1:4], letters[1:4])
    )
    expect_warning(
        found <- clusterLeiden(empty), class = "fatecast_warning_disconnected"
    )
    expect_identical(as.character(found$labels), c("0", "1", "2", "3"))
    expect_identical(found$quality, 0)
    one <- suppressWarnings(clusterLeiden(empty[1, 1, drop = FALSE]))
    expect_identical(as.character(one$labels), "0")
    none <- clusterLeiden(empty[0, 0])
    expect_identical(nlevels(none$labels), 0L)
})

test_that("the reference partitions are matched or beaten", {
    skip_if_no_reference()
    reference <- readReference()$reference
    graph <- reference$connectivities
    for (resolution in c(0.2, 0.5, 1, 2)) {
        ours <- clusterLeiden(
            graph, resolution, n_starts = 16, n_threads = 2
        )
        expect_true(groupsConnected(graph, ours$labels))
        at <- function(labels) {
            graphModularity(graph, unname(labels), resolution, n_threads = 2)
        }
        for (theirs in reference$leiden) {
            expect_gte(at(ours$labels), at(theirs))
        }
    }
})
