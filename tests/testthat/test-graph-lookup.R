test_that("a graph is found by run, by key, or as given", {
    x <- buildNeighbors(
        tree(), n_neighbors = 10, key_added = "small", n_threads = 2
    )
    expect_identical(.findGraph(x)$key, "connectivities")
    expect_identical(
        .findGraph(x, "small")$matrix, cellGraph(x, "small_connectivities")
    )
    expect_identical(
        .findGraph(x, obsp = "small_connectivities")$neighbors$params$
            n_neighbors, 10L
    )
    given <- .findGraph(x, adjacency = cellGraph(x))
    expect_null(given$key)
    expect_identical(given$matrix, cellGraph(x))
    bare <- .findGraph(cellGraph(x))
    expect_identical(bare$matrix, cellGraph(x))
    expect_identical(
        .findDistances(x, "small"), cellGraph(x, "small_distances")
    )
})

test_that("a graph given with names is put in order; strangers are refused", {
    x <- tree()
    a <- cellGraph(x)
    turned <- rev(seq_len(nrow(a)))
    expect_identical(
        .findGraph(x, adjacency = a[turned, turned])$matrix, a
    )
    rownames(a) <- colnames(a) <- paste0("other", seq_len(nrow(a)))
    expectFailure(.findGraph(x, adjacency = a), "container_cells")
    expectFailure(.findGraph(x, adjacency = a[1:3, 1:3]), "container_cells")
})

test_that("one way to name the graph at a time", {
    x <- tree()
    expectFailure(
        .findGraph(x, "neighbors", obsp = "connectivities"), "range"
    )
    expectFailure(.findGraph(cellGraph(x), obsp = "a"), "range")
    expectFailure(.findGraph(x, 3), "type")
    expectFailure(.findGraph(x, "none"), "missing_key")
})

test_that("coordinates of a run are found again, or nothing", {
    x <- buildNeighbors(
        tree(), n_pcs = 7, key_added = "seven", n_threads = 2
    )
    m <- .searchedIn(x, .readRecord(x, "seven"))
    expect_identical(dim(m), c(600L, 7L))
    expect_null(.searchedIn(x, NULL))
})
