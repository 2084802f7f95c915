test_that("Louvain finds the cliques and counts edges one each", {
    a <- ringOfCliques()
    found <- clusterLouvain(a)
    expect_identical(found$n_clusters, 6)
    heavy <- a
    heavy@x <- seq_along(a@x) / 10
    expect_identical(clusterLouvain(heavy)$labels, found$labels)
    expect_false(identical(
        clusterLouvain(heavy, use_weights = TRUE)$quality, found$quality
    ))
})

test_that("Leiden is not below Louvain, which has no better neighbour move", {
    a <- cellGraph(tree())
    for (resolution in c(0.5, 1, 2)) {
        louvain <- clusterLouvain(
            a, resolution, use_weights = TRUE, n_threads = 2
        )
        leiden <- clusterLeiden(a, resolution, n_starts = 3, n_threads = 2)
        expect_gte(leiden$quality, louvain$quality * (1 - 1e-3))
    }
})

test_that("results, records and restriction are those of Leiden's verb", {
    sce <- clusterLouvain(tree(), c(0.5, 1), n_threads = 2)
    expect_identical(parameters(sce, "louvain_0.5")$resolution, 0.5)
    expect_false("louvain" %in% .cellDataNames(sce))
    sce <- clusterLouvain(tree(), n_threads = 2)
    expect_identical(parameters(sce, "louvain")$use_weights, FALSE)
    sce <- clusterLouvain(
        sce, restrict_to = list("louvain", "0"), n_threads = 2
    )
    expect_true("louvain_R" %in% .cellDataNames(sce))
    sizes <- as.integer(table(sce$louvain))
    expect_false(is.unsorted(rev(sizes)))
})

test_that("flavours and partition arguments are checked", {
    a <- ringOfCliques()
    expectFailure(clusterLouvain(a, flavor = "rapids"), "range")
    expectFailure(
        clusterLouvain(a, flavor = "igraph", partition_type = "RBER"), "range"
    )
    expect_warning(
        clusterLouvain(a, 2, flavor = "igraph"),
        class = "fatecast_warning_replaced_argument"
    )
    for (type in c("RBER", "Surprise")) {
        expectQuiet(clusterLouvain(a, partition_type = type))
    }
    expectFailure(
        clusterLouvain(a, partition_kwargs = list(size = 1)),
        "unknown_argument"
    )
    limited <- clusterLouvain(a, partition_kwargs = list(max_comm_size = 3))
    expect_lte(max(table(limited$labels)), 3)
})

test_that("the same labels on any number of threads", {
    a <- cellGraph(tree())
    expectSameBits(function(threads) clusterLouvain(a, n_threads = threads))
})
