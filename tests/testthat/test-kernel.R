square <- function(...) {
    m <- matrix(c(...), sqrt(length(c(...))), byrow = TRUE)
    dimnames(m) <- list(letters[seq_len(nrow(m))], letters[seq_len(nrow(m))])
    m
}

test_that("a precomputed matrix is checked and scaled", {
    k <- PrecomputedKernel(square(2, 6, 1, 0))
    expect_equal(
        as.matrix(transitionMatrix(k)), square(0.25, 0.75, 1, 0)
    )
    expect_identical(k@backward, logical())
    same <- square(0.25, 0.75, 1, 0)
    expect_identical(
        as.matrix(transitionMatrix(PrecomputedKernel(same))), same
    )
})

test_that("what is no transition matrix is refused with the cells", {
    e <- expectFailure(
        PrecomputedKernel(square(0.5, 0.5, 1.5, -0.5)), "not_stochastic"
    )
    expect_identical(e$cells, "b")
    expectFailure(PrecomputedKernel(square(1, NaN, 1, 0)), "range")
    expectFailure(PrecomputedKernel(square(1, Inf, 1, 0)), "range")
    e <- expectFailure(PrecomputedKernel(square(1, 0, 0, 0)), "disconnected")
    expect_identical(e$cells, "b")
    expectFailure(PrecomputedKernel(matrix(1, 2, 3)), "shape")
    expectFailure(PrecomputedKernel("T"), "container_class")
})

test_that("every matrix type gives the same kernel", {
    m <- square(0, 0.3, 0.7, 0.5, 0, 0.5, 0.2, 0.8, 0)
    sparse <- as(as(m, "dMatrix"), "generalMatrix")
    want <- transitionMatrix(PrecomputedKernel(m))
    for (other in list(
        as(sparse, "CsparseMatrix"), as(sparse, "RsparseMatrix"),
        as(sparse, "TsparseMatrix")
    )) {
        expect_identical(transitionMatrix(PrecomputedKernel(other)), want)
    }
    whole <- square(0L, 1L, 1L, 1L, 0L, 1L, 1L, 1L, 0L)
    symmetric <- as(as(whole * 1, "CsparseMatrix"), "symmetricMatrix")
    expect_identical(
        transitionMatrix(PrecomputedKernel(symmetric)),
        transitionMatrix(PrecomputedKernel(whole))
    )
})

test_that("the connectivity kernel is the formula", {
    c <- square(0, 1, 0.5, 1, 0, 0.2, 0.5, 0.2, 0)
    q <- colSums(c)
    dense <- c / outer(q, q)
    k <- computeTransitionMatrix(ConnectivityKernel(c))
    expect_equal(as.matrix(transitionMatrix(k)), dense / rowSums(dense))
    plain <- computeTransitionMatrix(
        ConnectivityKernel(c), density_normalize = FALSE
    )
    expect_equal(as.matrix(transitionMatrix(plain)), c / rowSums(c))
    expect_warning(
        computeTransitionMatrix(ConnectivityKernel(square(0, 1, 0.5, 1, 0, 0.2, 0, 1, 0))),
        class = "fatecast_warning_not_symmetric"
    )
    e <- expectFailure(
        computeTransitionMatrix(ConnectivityKernel(square(0, 1, 0, 1, 0, 0, 0, 0, 0))),
        "disconnected"
    )
    expect_identical(e$cells, "c")
})

test_that("the pseudotime kernel drops edges into the past", {
    withr::local_seed(3)
    sce <- tree()
    t <- sce$pseudotime
    c <- as.matrix(cellGraph(sce))
    m <- as.matrix(transitionMatrix(PseudotimeKernel(sce, "pseudotime")))
    for (i in c(1, 57, 200)) {
        near <- which(c[i, ] > 0)
        order <- near[order(-c[i, near], near)]
        kept <- min(30, floor(length(near) * 0.3))
        keep <- order[seq_along(order) <= kept | t[i] <= t[order]]
        want <- replace(numeric(ncol(c)), keep, c[i, keep])
        expect_equal(unname(m[i, ]), want / sum(want))
    }
    back <- transitionMatrix(PseudotimeKernel(sce, "pseudotime", TRUE))
    sce$later <- max(t) - t
    expect_equal(back, transitionMatrix(PseudotimeKernel(sce, "later")))
    sce$later[3] <- NA
    e <- expectFailure(
        computeTransitionMatrix(PseudotimeKernel(sce, "later")), "range"
    )
    expect_identical(e$cells, colnames(sce)[3])
    expectFailure(
        computeTransitionMatrix(PseudotimeKernel(sce, "dpt")), "missing_key"
    )
    expectFailure(
        computeTransitionMatrix(
            PseudotimeKernel(sce, "pseudotime"), frac_to_keep = 2
        ), "range"
    )
})

test_that("directions are inverted, and only where there is one", {
    sce <- tree()
    k <- VelocityKernel(sce)
    expect_true(invertKernel(k)@backward)
    expect_false(invertKernel(invertKernel(k))@backward)
    expectFailure(invertKernel(ConnectivityKernel(sce)), "type")
    both <- 0.5 * k + 0.5 * ConnectivityKernel(sce)
    expect_true(invertKernel(both)@backward)
    expectFailure(k + VelocityKernel(sce, backward = TRUE), "type")
})

test_that("a failing computation leaves the kernel as it was", {
    sce <- tree()
    k <- computeTransitionMatrix(PseudotimeKernel(sce, "pseudotime"))
    before <- k
    try(computeTransitionMatrix(k, frac_to_keep = 7), silent = TRUE)
    expect_identical(k, before)
    e <- expectFailure(
        computeTransitionMatrix(k, frac_to_kep = 0.3), "unknown_argument"
    )
    expect_match(conditionMessage(e), "frac_to_keep")
})

test_that("kernels are the same bits on any threads and path", {
    sce <- tree()
    for (k in list(
        ConnectivityKernel(sce), VelocityKernel(sce),
        PseudotimeKernel(sce, "pseudotime")
    )) {
        expectSameBits(function(threads) {
            transitionMatrix(k, n_threads = threads)
        })
    }
})

test_that("matrices are stored with their record, and show says what is known", {
    sce <- writeToObject(VelocityKernel(tree()))
    m <- transitionMatrix(sce)
    expect_equal(unname(Matrix::rowSums(m)), rep(1, ncol(sce)))
    expect_identical(
        m, transitionMatrix(VelocityKernel(tree()), n_threads = 2)
    )
    expect_equal(
        parameters(sce, "T_fwd")$params$similarity, "correlation"
    )
    expect_identical(PrecomputedKernel(sce)@backward, FALSE)
    expect_output(print(VelocityKernel(sce)), "not computed yet")
    expectFailure(transitionMatrix(tree()), "missing_key")
})

test_that("classes of others are kernels as ours", {
    methods::setClass("StepKernel",
        contains = "BidirectionalKernel", where = environment()
    )
    methods::setMethod(
        "computeTransitionMatrix", "StepKernel", function(kernel, by = 1, ...) {
            n <- nrow(kernel)
            at <- seq_len(n) - 1
            by <- if (isBackward(kernel)) n - by else by
            m <- matrix(0, n, n)
            m[cbind(at, (at + by) %% n) + 1] <- 2
            callNextMethod(kernel, matrix = m, params = list(by = by), ...)
        },
        where = environment()
    )
    withr::defer({
        methods::removeMethod("computeTransitionMatrix", "StepKernel")
    })
    x <- smallSCE(5L)
    k <- computeTransitionMatrix(
        methods::new("StepKernel", container = x, backward = FALSE), by = 2
    )
    expect_identical(parameters(k), list(by = 2))
    want <- diag(5)[c(3, 4, 5, 1, 2), ]
    expect_equal(unname(as.matrix(transitionMatrix(k))), want)
    expect_equal(
        unname(as.matrix(transitionMatrix(0.5 * k + 0.5 * k))), want
    )
    back <- invertKernel(k)
    expect_true(isBackward(back))
    expect_equal(unname(as.matrix(transitionMatrix(back))), diag(5)[c(
        5, 1, 2, 3, 4
    ), ])
    expect_identical(
        transitionMatrix(fromObject(writeToObject(k))), transitionMatrix(k)
    )
    bare <- methods::new("StepKernel", container = x, backward = TRUE)
    expectFailure(computeTransitionMatrix(bare, matrices = 1), "unknown_argument")
})

test_that("a class without a method is told to write one", {
    methods::setClass("EmptyKernel",
        contains = "UnidirectionalKernel", where = environment()
    )
    k <- methods::new("EmptyKernel", container = smallSCE())
    expectFailure(computeTransitionMatrix(k), "type")
    expectFailure(methods::new("EmptyKernel", container = 1), "container_class")
})

test_that("kernels tell what they are made of", {
    x <- buildNeighbors(simulateDifferentiation(80, 30), n_neighbors = 8)
    v <- VelocityKernel(x)
    c <- ConnectivityKernel(x)
    k <- 2 * v + c + 0.5 * v
    expect_identical(length(k), 3L)
    expect_identical(length(v), 1L)
    expect_identical(v[[1]], v)
    expect_identical(vapply(kernels(k), function(l) class(l)[1], ""), c(
        "VelocityKernel", "ConnectivityKernel"
    ))
    e <- expectFailure(k[[4]], "range")
    expect_identical(c(e$length, e$index), c(3L, 4L))
    expect_s4_class(k[[2]], "KernelExpression")
    expect_identical(dim(k), c(80L, 80L))
    expect_identical(rownames(k), colnames(x))
    expect_false(isBackward(k))
    expect_null(isBackward(c + c))
    expect_true(isBackward(GPCCA(invertKernel(v))))
})

test_that("the direction of a stored matrix names its key", {
    x <- writeToObject(ConnectivityKernel(simulated <- buildNeighbors(
        simulateDifferentiation(60, 30), n_neighbors = 8
    )))
    k <- PrecomputedKernel(x, backward = FALSE)
    expect_identical(parameters(k)$origin, "colPair('T_fwd')")
    expect_false(isBackward(k))
    e <- expectFailure(PrecomputedKernel(x, backward = TRUE), "missing_key")
    expect_identical(e$key, "T_bwd")
    x <- writeToObject(ConnectivityKernel(simulated), key = "mine")
    expect_null(isBackward(PrecomputedKernel(x, "mine")))
    expect_true(isBackward(PrecomputedKernel(x, "mine", backward = TRUE)))
})
