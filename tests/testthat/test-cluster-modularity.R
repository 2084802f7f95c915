test_that("the value is that of the definition, for any labels", {
    a <- cellGraph(tree())
    labels <- rep_len(c("x", "y", "z"), nrow(a))
    for (resolution in c(0.5, 1, 2)) {
        expect_equal(
            graphModularity(a, labels, resolution),
            slowModularity(a, labels, resolution), tolerance = 1e-10
        )
    }
    directed <- cellGraph(tree(), "distances")
    expect_equal(
        graphModularity(directed, labels, is_directed = TRUE),
        slowModularity(directed, labels), tolerance = 1e-10
    )
    renamed <- factor(labels, levels = c("z", "y", "x", "unused"))
    expect_identical(graphModularity(a, renamed), graphModularity(a, labels))
    expect_equal(graphModularity(a, rep("one", nrow(a))), 0)
    value <- graphModularity(a, seq_len(nrow(a)))
    expect_true(value >= -0.5 && value <= 1)
})

test_that("a graph without edges has no modularity", {
    empty <- methods::new("dgCMatrix", p = integer(4), Dim = c(3L, 3L))
    expect_true(is.nan(graphModularity(empty, 1:3)))
})

test_that("calculate, update and retrieve agree with what Leiden stored", {
    sce <- clusterLeiden(tree(), n_threads = 2)
    value <- graphModularity(sce, "leiden")
    expect_equal(value, graphModularity(sce, mode = "retrieve"))
    sce$mine <- sce$leiden
    expectFailure(graphModularity(sce, "mine", mode = "retrieve"),
        "missing_key")
    sce <- graphModularity(sce, "mine", mode = "update")
    expect_identical(graphModularity(sce, "mine", mode = "retrieve"), value)
})

test_that("wrong labels are refused", {
    a <- ringOfCliques()
    expectFailure(graphModularity(a), "container_class")
    expectFailure(graphModularity(a, 1:3), "shape")
    expectFailure(graphModularity(a, c(NA, seq_len(29))), "range")
    expectFailure(graphModularity(tree(), "no_such"), "missing_key")
    expectFailure(graphModularity(a[, -1], 1:30), "shape")
    expectFailure(
        graphModularity(a, seq_len(30), is_directed = "no"), "type"
    )
})
