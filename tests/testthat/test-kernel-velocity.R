# The slow, obvious way: one cell and one neighbour at a time.
slowVelocity <- function(x, v, graph, similarity, beta, direction = "forward") {
    score <- function(v, d) {
        if (similarity == "correlation") {
            v <- v - mean(v)
            d <- d - mean(d)
        }
        if (similarity == "dot_product") return(sum(v * d))
        size <- sqrt(sum(v^2)) * sqrt(sum(d^2))
        if (size == 0) NA else sum(v * d) / size
    }
    n <- nrow(x)
    logits <- matrix(0, n, n)
    prob <- matrix(0, n, n)
    for (i in seq_len(n)) {
        near <- which(graph[i, ] > 0)
        s <- vapply(near, function(j) switch(direction,
            forward = score(v[i, ], x[j, ] - x[i, ]),
            negate = score(-v[i, ], x[j, ] - x[i, ]),
            transpose = score(v[j, ], x[i, ] - x[j, ])
        ), 1)
        p <- ifelse(is.na(s), 0, exp(beta * s))
        logits[i, near] <- ifelse(is.na(s), 0, s)
        prob[i, near] <- p / sum(p)
    }
    list(prob = prob, logits = logits)
}

data <- function(n = 40, g = 9) {
    withr::with_seed(5, {
        x <- matrix(rnorm(n * g), n)
        v <- matrix(rnorm(n * g), n)
    })
    graph <- as.matrix(dist(x[, 1:2])) < 0.8
    diag(graph) <- FALSE
    graph[cbind(1:n, c(2:n, 1))] <- graph[cbind(c(2:n, 1), 1:n)] <- TRUE
    cells <- paste0("c", seq_len(n))
    sce <- SingleCellExperiment::SingleCellExperiment(list(
        Ms = t(x), velocity = t(v)
    ))
    dimnames(sce) <- list(paste0("g", seq_len(g)), cells)
    graph <- graph * 1
    dimnames(graph) <- list(cells, cells)
    sce <- .writeGraph(sce, "connectivities", .asGeneral(graph))
    list(sce = sce, x = x, v = v, graph = graph)
}

test_that("every similarity and direction agrees with the slow way", {
    d <- data()
    for (similarity in c("correlation", "cosine", "dot_product")) {
        for (direction in c("forward", "transpose", "negate")) {
            k <- computeTransitionMatrix(
                VelocityKernel(d$sce, backward = direction != "forward"),
                similarity = similarity, softmax_scale = 1.7,
                backward_mode = if (direction == "negate") {
                    "negate"
                } else {
                    "transpose"
                }
            )
            slow <- slowVelocity(
                d$x, d$v, d$graph, similarity, 1.7, direction
            )
            expect_equal(
                unname(as.matrix(transitionMatrix(k))), slow$prob,
                tolerance = 1e-12
            )
        }
    }
})

test_that("the automatic scale is one over the median score", {
    d <- data()
    k <- computeTransitionMatrix(VelocityKernel(d$sce))
    s <- slowVelocity(d$x, d$v, d$graph, "correlation", 1)$logits
    scale <- 1 / median(abs(s[s != 0]))
    expect_equal(parameters(k)$softmax_scale, scale, tolerance = 1e-12)
    again <- computeTransitionMatrix(VelocityKernel(d$sce))
    expect_identical(transitionMatrix(again), transitionMatrix(k))
})

test_that("zero velocities go everywhere, duplicates nowhere", {
    d <- data()
    v <- SummarizedExperiment::assay(d$sce, "velocity")
    v[, 4] <- 0
    SummarizedExperiment::assay(d$sce, "velocity") <- v
    expect_warning(
        k <- computeTransitionMatrix(VelocityKernel(d$sce)),
        class = "fatecast_warning_dropped"
    )
    row <- transitionMatrix(k)[4, ]
    expect_equal(unique(row[row > 0]), 1 / sum(d$graph[4, ]))
    d <- data()
    x <- SummarizedExperiment::assay(d$sce, "Ms")
    near <- which(d$graph[7, ] > 0)
    x[, near[1]] <- x[, 7]
    SummarizedExperiment::assay(d$sce, "Ms") <- x
    expect_equal(transitionMatrix(VelocityKernel(d$sce))[7, near[1]], 0)
    x[, near] <- x[, 7]
    SummarizedExperiment::assay(d$sce, "Ms") <- x
    e <- expectFailure(
        computeTransitionMatrix(VelocityKernel(d$sce)), "not_stochastic"
    )
    expect_true("c7" %in% e$cells)
})

test_that("genes with missing velocities or outside the subset are left out", {
    d <- data()
    v <- SummarizedExperiment::assay(d$sce, "velocity")
    v[3, 5] <- NA
    SummarizedExperiment::assay(d$sce, "velocity") <- v
    a <- transitionMatrix(VelocityKernel(d$sce))
    b <- transitionMatrix(VelocityKernel(
        d$sce, gene_subset = rownames(d$sce)[-3]
    ))
    expect_identical(a, b)
    SummarizedExperiment::rowData(d$sce)$velocity_genes <- seq_len(9) != 3
    expect_identical(transitionMatrix(VelocityKernel(d$sce)), a)
    expect_identical(transitionMatrix(VelocityKernel(
        d$sce, gene_subset = seq_len(9) != 3
    )), a)
    expectFailure(
        computeTransitionMatrix(VelocityKernel(d$sce, gene_subset = "g99")),
        "missing_key"
    )
    v[] <- NA
    SummarizedExperiment::assay(d$sce, "velocity") <- v
    expectFailure(
        computeTransitionMatrix(VelocityKernel(d$sce)), "no_state"
    )
})

test_that("embeddings work as assays do", {
    d <- data()
    SingleCellExperiment::reducedDim(d$sce, "X") <- d$x
    SingleCellExperiment::reducedDim(d$sce, "V") <- d$v
    k <- VelocityKernel(d$sce, attr = "obsm", xkey = "X", vkey = "V")
    expect_identical(
        transitionMatrix(k), transitionMatrix(VelocityKernel(d$sce))
    )
})

test_that("permuting the cells permutes the matrix", {
    d <- data()
    p <- c(11:40, 1:10)
    moved <- d$sce[, p]
    moved <- suppressWarnings(.writeGraph(
        moved, "connectivities", .asGeneral(d$graph[p, p])
    ))
    expect_equal(
        transitionMatrix(VelocityKernel(moved)),
        transitionMatrix(VelocityKernel(d$sce))[p, p], tolerance = 1e-12
    )
})

test_that("what is missing is named", {
    d <- data()
    e <- expectFailure(
        computeTransitionMatrix(VelocityKernel(d$sce, vkey = "velo")),
        "missing_key"
    )
    expect_match(conditionMessage(e), "velo")
    expectFailure(
        computeTransitionMatrix(VelocityKernel(d$sce, conn_key = "snn")),
        "missing_key"
    )
    expectFailure(VelocityKernel(d$sce, backward = NA), "type")
    expectFailure(
        computeTransitionMatrix(VelocityKernel(d$sce), softmax_scale = 0),
        "range"
    )
})
