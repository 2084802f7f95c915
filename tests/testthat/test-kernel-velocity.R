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

test_that("uncertain velocities give row-stochastic matrices", {
    d <- data()
    k <- VelocityKernel(d$sce)
    plain <- computeTransitionMatrix(k)
    for (model in c("stochastic", "monte_carlo")) {
        of <- function(...) {
            computeTransitionMatrix(k, model = model, ..., n_samples = 200)
        }
        found <- of(n_threads = 1)
        m <- transitionMatrix(found)
        expect_equal(unname(Matrix::rowSums(m)), rep(1, 40), tolerance = 1e-12)
        expect_true(all(m@x > 0))
        expect_identical(transitionMatrix(of(n_threads = 2)), m)
        expect_identical(transitionMatrix(of(n_threads = 4)), m)
        expect_identical(
            parameters(found)$softmax_scale, parameters(plain)$softmax_scale
        )
        expect_gt(max(abs(m - transitionMatrix(plain))), 1e-3)
    }
})

test_that("draws follow their seed and average to the expansion", {
    d <- data()
    # Nearly alike velocities, so that the expansion holds.
    v <- SummarizedExperiment::assay(d$sce, "velocity")
    SummarizedExperiment::assay(d$sce, "velocity") <- v[, 1] + 0.05 * v
    k <- VelocityKernel(d$sce)
    of <- function(...) {
        transitionMatrix(computeTransitionMatrix(k, ..., softmax_scale = 2))
    }
    drawn <- function(seed, ...) {
        of(model = "monte_carlo", random_state = seed, ...)
    }
    expect_identical(drawn(1, n_samples = 50), drawn(1, n_samples = 50))
    apart <- function(a, b) mean(abs(as.matrix(a - b))[d$graph > 0])
    a <- drawn(1)
    expect_gt(apart(a, drawn(2)), 0)
    # Standard errors of 1,000 draws are near a thirtieth of the spread.
    expect_lt(apart(a, drawn(2)), 2e-3)
    expect_lt(apart(a, of(model = "stochastic")), 1e-3)
    seeded <- function() withr::with_seed(9, drawn(NULL, n_samples = 20))
    expect_identical(seeded(), seeded())
    peer <- computeTransitionMatrix(
        k, model = "monte_carlo", compat = TRUE, softmax_scale = 2
    )
    expect_true(parameters(peer)$compat)
    # A variance below one is less than its root: draws spread less.
    expect_lt(
        apart(transitionMatrix(peer), of()), apart(a, of()) + 1e-3
    )
    expect_false(identical(transitionMatrix(peer), a))
})

test_that("only what applies is recorded", {
    d <- data()
    names <- function(...) {
        base::names(parameters(suppressWarnings(computeTransitionMatrix(
            VelocityKernel(d$sce, ...), model = "monte_carlo", n_samples = 2
        ))))
    }
    expect_true(all(c("n_samples", "random_state", "compat") %in% names()))
    expect_false("backward_mode" %in% names())
    expect_false("n_samples" %in% names(backward = TRUE))
    expect_true("backward_mode" %in% names(backward = TRUE))
    k <- computeTransitionMatrix(VelocityKernel(d$sce), model = "stochastic")
    expect_false("random_state" %in% base::names(parameters(k)))
})

test_that("backward kernels take velocities as certain", {
    k <- VelocityKernel(data()$sce, backward = TRUE)
    for (model in c("stochastic", "monte_carlo")) {
        w <- expect_warning(
            found <- computeTransitionMatrix(k, model = model),
            class = "fatecast_warning_replaced_argument"
        )
        expect_identical(w$value, model)
        expect_identical(w$used, "deterministic")
        expect_identical(parameters(found)$model, "deterministic")
        expect_identical(
            transitionMatrix(found),
            transitionMatrix(computeTransitionMatrix(k))
        )
    }
})

test_that("going back against velocity is going forward along its opposite", {
    d <- data()
    back <- computeTransitionMatrix(
        VelocityKernel(d$sce, backward = TRUE), backward_mode = "negate"
    )
    v <- SummarizedExperiment::assay(d$sce, "velocity")
    turned <- d$sce
    SummarizedExperiment::assay(turned, "velocity") <- -v
    expect_equal(
        transitionMatrix(back), transitionMatrix(VelocityKernel(turned)),
        tolerance = 1e-12
    )
    # The object still holds what it held.
    expect_identical(
        SummarizedExperiment::assay(container(back), "velocity"), v
    )
})

test_that("weights of the graph do not matter", {
    d <- data()
    scaled <- suppressWarnings(.writeGraph(
        d$sce, "connectivities", .asGeneral(7 * d$graph)
    ))
    for (model in c("deterministic", "stochastic")) {
        of <- function(sce) {
            transitionMatrix(computeTransitionMatrix(
                VelocityKernel(sce), model = model
            ))
        }
        expect_identical(of(scaled), of(d$sce))
    }
})

test_that("sparse, integer and Seurat data give the same matrix", {
    d <- data()
    a <- transitionMatrix(VelocityKernel(d$sce))
    sparse <- d$sce
    SummarizedExperiment::assay(sparse, "velocity") <- methods::as(
        SummarizedExperiment::assay(sparse, "velocity"), "CsparseMatrix"
    )
    expect_identical(transitionMatrix(VelocityKernel(sparse)), a)
    skip_if_not_installed("SeuratObject")
    x <- SummarizedExperiment::assay(d$sce, "Ms")
    seurat <- suppressWarnings(SeuratObject::CreateSeuratObject(abs(round(x))))
    for (name in c("Ms", "velocity")) {
        seurat[[name]] <- suppressWarnings(SeuratObject::CreateAssayObject(
            data = SummarizedExperiment::assay(d$sce, name)
        ))
    }
    seurat <- .writeGraph(seurat, "connectivities", .asGeneral(d$graph))
    expect_identical(transitionMatrix(VelocityKernel(seurat)), a)
})

test_that("combinations are weighted sums for every model", {
    d <- data()
    similar <- computeTransitionMatrix(ConnectivityKernel(d$sce))
    for (model in c("deterministic", "stochastic", "monte_carlo")) {
        v <- computeTransitionMatrix(
            VelocityKernel(d$sce), model = model, n_samples = 10
        )
        expect_equal(
            transitionMatrix(0.8 * v + 0.2 * similar),
            0.8 * transitionMatrix(v) + 0.2 * transitionMatrix(similar),
            tolerance = 1e-14
        )
    }
})

test_that("the three similarities differ", {
    d <- data()
    for (backward in c(FALSE, TRUE)) {
        of <- function(similarity) {
            m <- transitionMatrix(computeTransitionMatrix(
                VelocityKernel(d$sce, backward = backward),
                similarity = similarity
            ))
            expect_equal(unname(Matrix::rowSums(m)), rep(1, 40))
            m
        }
        found <- lapply(c("correlation", "cosine", "dot_product"), of)
        expect_gt(max(abs(found[[1]] - found[[2]])), 1e-3)
        expect_gt(max(abs(found[[2]] - found[[3]])), 1e-3)
    }
})

test_that("a failed computation leaves the kernel as it was", {
    d <- data()
    k <- computeTransitionMatrix(VelocityKernel(d$sce))
    before <- parameters(k)
    expectFailure(
        computeTransitionMatrix(k, model = "dynamical"), "range"
    )
    expectFailure(
        computeTransitionMatrix(k, similarity = function(v, D, b) 1), "shape"
    )
    expectFailure(computeTransitionMatrix(k, n_samples = 0), "range")
    expect_identical(parameters(k), before)
    bad <- d$sce
    x <- SummarizedExperiment::assay(bad, "Ms")
    x[2, 7] <- Inf
    SummarizedExperiment::assay(bad, "Ms") <- x
    e <- expectFailure(computeTransitionMatrix(VelocityKernel(bad)), "range")
    expect_identical(e$cells, "c7")
})
