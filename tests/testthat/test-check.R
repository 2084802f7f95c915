test_that("numbers and counts", {
    expect_identical(.checkNumber(2L), 2)
    expect_identical(.checkNumber(0, 0, 1), 0)
    expect_null(.checkNumber(NULL, null = TRUE))
    expectFailure(.checkNumber(0, 0, 1, open_min = TRUE), "range")
    expectFailure(.checkNumber(2, 0, 1), "range", list(value = 2, max = 1))
    for (bad in list("a", NA_real_, 1:2, NULL, TRUE, numeric())) {
        expectFailure(.checkNumber(bad), "type")
        expectFailure(.checkCount(bad), "type")
    }
    expect_identical(.checkCount(3), 3L)
    expect_identical(.checkCount(3e9), 3e9)
    expect_null(.checkCount(NULL, null = TRUE))
    expectFailure(.checkCount(0), "range", list(argument = "0"))
    expectFailure(.checkCount(2.5), "type")
    expectFailure(.checkNumber(NaN), "type")
})

test_that("flags, strings and choices", {
    expect_true(.checkFlag(TRUE))
    expect_null(.checkFlag(NULL, null = TRUE))
    expectFailure(.checkFlag(NA), "type")
    expectFailure(.checkFlag(1), "type")
    expect_identical(.checkString("a"), "a")
    for (bad in list("", NA_character_, c("a", "b"), 1, NULL)) {
        expectFailure(.checkString(bad), "type")
    }
    methods <- c("umap", "gauss")
    expect_identical(.checkChoice(methods, methods), "umap")
    expect_identical(.checkChoice("gauss", methods), "gauss")
    e <- expectFailure(.checkChoice("gaus", methods), "range")
    expect_match(conditionMessage(e), "Did you mean `gauss`", fixed = TRUE)
    expect_match(conditionMessage(e), "`umap`", fixed = TRUE)
    expectFailure(.checkChoice(c("a", "b", "c"), c("a", "b")), "type")
})

test_that("unused arguments are named, with the nearest that exists", {
    verb <- function(x, n_neighbors = 15, ..., random_state = 0) {
        .checkDots(...)
        n_neighbors
    }
    expect_identical(verb(1), 15)
    e <- expectFailure(
        verb(1, n_neighbours = 3), "unknown_argument",
        list(arguments = "n_neighbours")
    )
    expect_match(conditionMessage(e), "mean `n_neighbors`", fixed = TRUE)
    expect_identical(e$call[[1L]], quote(verb))
    e <- expectFailure(verb(1, 2, 3), "unknown_argument")
    expect_match(conditionMessage(e), "1 unnamed argument", fixed = TRUE)
    # An argument that cannot be evaluated is still only unused.
    expectFailure(verb(1, seed = stop("evaluated")), "unknown_argument")
})

test_that("seeds", {
    expect_identical(.seed(0), 0L)
    expect_identical(.seed(2^32 - 1), 2^32 - 1)
    expectFailure(.seed(-1), "range")
    drawn <- withr::with_seed(5, .seed(NULL))
    expect_identical(withr::with_seed(5, .seed(NULL)), drawn)
    expect_false(identical(withr::with_seed(6, .seed(NULL)), drawn))
})

test_that("cell names of two things", {
    expect_identical(.checkNames(c("a", "b"), c("a", "b"), "k"), c("a", "b"))
    expectFailure(.checkNames("a", c("a", "b"), "Kernels"), "shape")
    e <- expectFailure(
        .checkNames(c("a", "b"), c("b", "a"), "Kernels"), "container_cells"
    )
    expect_match(conditionMessage(e), "one order")
    expectFailure(.checkNames("a", "x", "k"), "container_cells",
        list(cells = "a"))
})

test_that("embeddings must be finite", {
    m <- smallEmbedding(letters[1:4])
    expect_identical(.checkEmbedding(m), m)
    expect_identical(.checkEmbedding(matrix(1:4, 2)), matrix(c(1, 2, 3, 4), 2))
    huge <- matrix(.Machine$double.xmax, 2, 2)
    expect_identical(.checkEmbedding(huge), huge)
    m["b", 1] <- NaN
    m["d", 2] <- Inf
    expectFailure(.checkEmbedding(m), "range", list(cells = c("b", "d")))
    expectFailure(.checkEmbedding("a"), "type")
    expectFailure(.checkEmbedding(matrix("a")), "type")
})

test_that("graphs of every matrix class come out alike", {
    g <- methods::as(methods::as(Matrix::sparseMatrix(
        i = c(1, 2, 3), j = c(2, 3, 1), x = 1, dims = c(3, 3)
    ), "generalMatrix"), "CsparseMatrix")
    dense <- as.matrix(g)
    forms <- list(
        g, dense, dense == 1, methods::as(g, "RsparseMatrix"),
        methods::as(g, "TsparseMatrix"), methods::as(g, "nMatrix"),
        methods::as(g, "lMatrix"), methods::as(dense, "dMatrix")
    )
    for (form in forms) {
        checked <- .checkGraph(form)
        expect_identical(class(checked)[1L], "dgCMatrix")
        expect_equal(unname(as.matrix(checked)), unname(dense))
    }
    symmetric <- Matrix::forceSymmetric(g + Matrix::t(g))
    expect_equal(
        as.matrix(.checkGraph(symmetric)), as.matrix(symmetric)
    )
})

test_that("graphs are refused with the cells at fault", {
    cells <- letters[1:3]
    m <- matrix(1, 3, 3, dimnames = list(cells, cells))
    expectFailure(.checkGraph(m[1:2, ]), "shape")
    expectFailure(.checkGraph(letters), "shape")
    expectFailure(.checkGraph(matrix("a")), "type")
    bad <- m
    bad["b", "c"] <- -1
    expectFailure(.checkGraph(bad), "range", list(cells = "b", n_edges = 1L))
    bad["b", "c"] <- NaN
    expectFailure(.checkGraph(bad), "range", list(cells = "b"))
    alone <- m
    alone["c", ] <- 0
    e <- expectFailure(.checkGraph(alone), "disconnected", list(cells = "c"))
    expect_match(conditionMessage(e), "buildNeighbors")
    expect_equal(as.matrix(.checkGraph(alone, isolated = TRUE)), alone)
})
