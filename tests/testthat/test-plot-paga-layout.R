test_that("positions are stored, given, or medians on an embedding", {
    x <- pagaObject()
    at <- matrix(1:8, 4, dimnames = list(c("C", "B", "A", "root"), NULL))
    nodes <- plotPAGAData(x, pos = at)$nodes
    expect_equal(nodes$x, c(4, 3, 2, 1))
    cells <- plotEmbeddingData(x, "kind", basis = "LAYOUT")
    nodes <- plotPAGAData(x, pos = "LAYOUT")$nodes
    expect_equal(nodes$y, as.vector(tapply(cells$y, cells$kind, median)))
    expectFailure(plotPAGA(x, pos = at[-1, ]), "shape")
    rownames(at)[1] <- "D"
    expectFailure(plotPAGA(x, pos = at), "missing_key", list(key = "D"))
    at[1] <- NA
    rownames(at) <- NULL
    expectFailure(plotPAGA(x, pos = at), "range")
    expectFailure(plotPAGA(x, pos = "umap"), "missing_key")
    expectFailure(plotPAGA(x, pos = at, layout = "fr"), "type")
})

test_that("layouts are computed where none is stored or one is asked for", {
    x <- pagaObject(pos = NULL)
    at <- function(...) plotPAGAData(x, ...)$nodes[c("x", "y")]
    expect_identical(at(), at(layout = "fr", random_state = 0))
    expect_false(identical(at(), at(random_state = 1)))
    tree <- at(layout = "eq_tree")
    # The root on top in the middle, the others in one row below.
    expect_equal(tree$x[1], 0.5)
    expect_true(all(tree$y[-1] < tree$y[1]))
    expect_length(unique(tree$y[-1]), 1L)
    turned <- at(layout = "eq_tree", root = "A")
    expect_identical(turned, at(layout = "eq_tree", root = 2))
    expect_identical(which.max(turned$y), 2L)
    expect_false(identical(
        plotPAGAData(pagaObject(), layout = "circle")$nodes$x,
        plotPAGAData(pagaObject())$nodes$x
    ))
    for (layout in .pagaLayouts) {
        expect_no_error(drawn(plotPAGA(x, layout = layout)))
    }
    expectFailure(plotPAGA(x, layout = "spiral"), "range")
    expectFailure(
        plotPAGA(x, layout = "rt", root = "D"), "missing_key",
        list(key = "D")
    )
})
