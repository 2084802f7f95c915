given <- function(n = 60, k = 8) {
    withr::with_seed(4, x <- matrix(rnorm(n * 3), n))
    rownames(x) <- paste0("c", seq_len(n))
    away <- unname(as.matrix(dist(x)))
    order <- t(apply(away, 1, order))[, seq_len(k + 1)]
    sorted <- t(apply(away, 1, sort))[, seq_len(k + 1)]
    list(x = x, away = away, index = order, distance = sorted)
}

test_that("lists of other packages give the graph of the search", {
    g <- given()
    want <- buildNeighbors(g$x, n_neighbors = 9)
    # BiocNeighbors leaves the cell out, uwot puts it first.
    lists <- list(
        list(index = g$index[, -1], distance = g$distance[, -1]),
        list(idx = g$index, dist = g$distance),
        list(indices = g$index[, 9:1], distances = g$distance[, 9:1])
    )
    for (ready in lists) {
        for (method in c("umap", "gauss", "jaccard", "snn")) {
            out <- buildNeighbors(g$x, transformer = ready, method = method)
            same <- buildNeighbors(g$x, n_neighbors = 9, method = method)
            expect_equal(out, same, tolerance = 1e-6)
        }
        fewer <- buildNeighbors(g$x, n_neighbors = 5, transformer = ready)
        expect_equal(
            fewer, buildNeighbors(g$x, n_neighbors = 5), tolerance = 1e-6
        )
    }
})

test_that("broken lists are refused", {
    g <- given()
    ready <- list(index = g$index[, -1], distance = g$distance[, -1])
    refused <- function(kind, ..., change = ready) {
        expectFailure(buildNeighbors(g$x, transformer = change, ...), kind)
    }
    put <- function(part, value, row = 7, column = 2) {
        ready[[part]][row, column] <- value
        ready
    }
    for (value in c(0, 61, NA, 1.5, 1e12)) {
        refused("range", change = put("index", value))
    }
    for (value in c(NaN, Inf, -1)) {
        e <- refused("range", change = put("distance", value))
    }
    e <- refused("range", change = put("index", ready$index[7, 1]))
    expect_identical(e$cells, "c7")
    e <- refused("disconnected", n_neighbors = 12)
    expect_identical(e$needed, 11)
    refused("shape", change = list(
        index = ready$index[-1, ], distance = ready$distance[-1, ]
    ))
    refused("shape", change = list(
        index = ready$index, distance = ready$distance[, -1]
    ))
    refused("type", change = list(index = ready$index))
    refused("type", change = list(index = "a", distance = 1))
    named <- ready
    rownames(named$index) <- rev(rownames(g$x))
    refused("container_cells", change = named)
})

test_that("distances give the graph of the search", {
    g <- given()
    want <- buildNeighbors(g$x, n_neighbors = 9)
    near <- Matrix::sparseMatrix(
        i = rep(seq_len(60), 9), j = as.vector(g$index),
        x = as.vector(g$distance), dims = c(60, 60)
    )
    shuffled <- rev(seq_len(60))
    named <- g$away
    dimnames(named) <- list(rownames(g$x), rownames(g$x))
    for (d in list(
        dist(g$x), g$away, Matrix::Matrix(g$away), near,
        methods::as(near, "TsparseMatrix"), methods::as(near, "RsparseMatrix"),
        named[shuffled, shuffled]
    )) {
        out <- buildNeighbors(g$x, n_neighbors = 9, distances = d)
        expect_equal(out, want, tolerance = 1e-6)
    }
    sce <- simulateDifferentiation(60, 60)
    out <- buildNeighbors(sce, 9, distances = unname(g$away))
    expect_equal(
        unname(as.matrix(cellGraph(out))), unname(as.matrix(
            want$connectivities
        )), tolerance = 1e-6
    )
    p <- parameters(out, "neighbors")
    expect_null(p$metric)
    expect_null(p$use_rep)
    expect_identical(p$distances$dim, c(60L, 60L))
    stated <- buildNeighbors(
        sce, 9, distances = unname(g$away), metric = "cosine"
    )
    expect_identical(parameters(stated, "neighbors")$metric, "cosine")
})

test_that("zeros between duplicates are distances", {
    x <- rbind(c(0, 0), c(0, 0), c(1, 0), c(3, 0))
    want <- buildNeighbors(x, 3)
    expect_equal(buildNeighbors(x, 3, distances = dist(x)), want)
    expect_identical(sum(want$distances@x == 0), 2L)
})

test_that("ignored arguments are named", {
    g <- given()
    expect_warning(
        buildNeighbors(
            g$x, 9, distances = g$away, n_pcs = 2, random_state = 1
        ), "`n_pcs`, `random_state` are ignored",
        class = "fatecast_warning_replaced_argument"
    )
    expect_warning(
        buildNeighbors(g$x, 99, distances = g$away),
        class = "fatecast_warning_replaced_argument"
    )
})

test_that("broken distances are refused", {
    g <- given()
    refused <- function(kind, d, k = 9) {
        expectFailure(buildNeighbors(g$x, k, distances = d), kind)
    }
    put <- function(value) {
        g$away[4, 9] <- value
        g$away
    }
    e <- refused("range", put(NaN))
    expect_identical(e$cells, "c4")
    refused("range", put(-1))
    refused("range", put(50))
    refused("shape", g$away[-1, -1])
    refused("shape", g$away[-1, ])
    named <- g$away
    dimnames(named) <- list(paste0("d", 1:60), paste0("d", 1:60))
    refused("container_cells", named)
    refused("type", "distances")
    few <- Matrix::sparseMatrix(
        i = 1:59, j = 2:60, x = 1, dims = c(60, 60)
    )
    e <- refused("disconnected", few, k = 2)
    expect_identical(e$cells, "c60")
})
