data <- buildNeighbors(simulateDifferentiation(
    n_cells = 120, n_genes = 40, random_state = 3
), n_neighbors = 12)

leaves <- function(x) {
    list(
        VelocityKernel(x), VelocityKernel(x, backward = TRUE),
        ConnectivityKernel(x), PseudotimeKernel(x, "pseudotime")
    )
}

test_that("kernels come back from their object as they were", {
    for (x in list(data, seuratFrom(data))) {
        for (k in leaves(x)) {
            k <- computeTransitionMatrix(k)
            back <- fromObject(writeToObject(k))
            expect_identical(class(back), class(k))
            expect_identical(transitionMatrix(back), transitionMatrix(k))
            expect_identical(parameters(back), parameters(k))
            expect_identical(isBackward(back), isBackward(k))
            # What came back can be computed again.
            expect_identical(
                transitionMatrix(computeTransitionMatrix(back)),
                transitionMatrix(k)
            )
        }
    }
})

test_that("an expression comes back as its matrix", {
    k <- computeTransitionMatrix(
        0.7 * VelocityKernel(data, backward = TRUE) +
            0.3 * ConnectivityKernel(data)
    )
    x <- writeToObject(k, key = "mine")
    back <- fromObject(x, "mine")
    expect_s4_class(back, "PrecomputedKernel")
    expect_identical(transitionMatrix(back), transitionMatrix(k))
    expect_true(isBackward(back))
    expect_match(parameters(back)$origin, "VelocityKernel")
})

test_that("what was not written cannot be read", {
    e <- expectFailure(fromObject(data), "missing_key")
    expect_identical(e$key, c("T_fwd", "T_bwd"))
    e <- expectFailure(fromObject(data, "connectivities"), "missing_key")
    expect_identical(e$key, "connectivities")
    x <- writeToObject(ConnectivityKernel(data))
    expectFailure(fromObject(x[, 1:50]), "container_stale")
    expectFailure(fromObject(x, "T_fwd", 1), "unknown_argument")
})

test_that("files keep kernels with and without their object", {
    file <- withr::local_tempfile(fileext = ".rds")
    all <- c(leaves(data), list(
        VelocityKernel(data) + ConnectivityKernel(data) * 2
    ))
    for (k in c(all, lapply(all, computeTransitionMatrix))) {
        expect_identical(writeKernel(k, file), file)
        back <- readKernel(file)
        expect_identical(back, k)
        expect_warning(
            back <- readKernel(file, container = data),
            class = "fatecast_warning_dropped"
        )
        expect_identical(back, k)
        writeKernel(k, file, container = FALSE)
        expect_identical(readKernel(file, container = data), k)
        e <- expectFailure(readKernel(file), "not_computed")
        expect_identical(e$n_cells, 120L)
        e <- expectFailure(readKernel(file, data[, 1:7]), "shape")
        expect_identical(e$n_cells, c(120L, 7L))
        other <- data
        colnames(other) <- rev(colnames(other))
        expectFailure(readKernel(file, other), "container_cells")
    }
})

test_that("a file without the object is smaller by the object", {
    k <- computeTransitionMatrix(
        VelocityKernel(data) + ConnectivityKernel(data)
    )
    size <- function(...) {
        file <- withr::local_tempfile(fileext = ".rds")
        file.size(writeKernel(k, file, ...))
    }
    alone <- withr::local_tempfile(fileext = ".rds")
    saveRDS(data, alone)
    expect_lt(size(), size(container = FALSE) + 1.05 * file.size(alone))
})

test_that("a kernel of a bare matrix needs no object", {
    file <- withr::local_tempfile(fileext = ".rds")
    k <- PrecomputedKernel(blocks())
    writeKernel(k, file, container = FALSE)
    expect_identical(readKernel(file), k)
})

test_that("files that hold no kernel are refused", {
    file <- withr::local_tempfile(fileext = ".rds")
    e <- expectFailure(readKernel(file), "missing_key")
    expect_identical(e$file, file)
    saveRDS(1, file)
    expectFailure(readKernel(file), "type")
    writeLines("no", file)
    expectFailure(readKernel(file), "type")
    expectFailure(writeKernel(1, file), "type")
})
