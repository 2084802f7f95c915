i <- 1:12
raw <- cbind(
    A = 1 + sin(i), B = 2 + cos(2 * i), C = (i / 12)^2 + 0.3,
    D = 1.5 + sin(3 * i + 1), E = 0.4 + (i %% 5) / 7 + i / 100
)
x <- Lineage(raw / rowSums(raw))
m <- as.matrix(x)

plain <- list(
    sum = sum, mean = mean, min = min, max = max,
    std = function(v) sqrt(mean((v - mean(v))^2)),
    var = function(v) mean((v - mean(v))^2),
    argmin = which.min, argmax = which.max,
    entropy = function(v) -sum(v / sum(v) * log(v / sum(v)))
)

test_that("each summary is what its definition says, along each dimension", {
    for (fn in names(plain)) {
        along <- function(what) {
            as.vector(summarizeLineages(x, fn, along = what))
        }
        expect_equal(
            along("cells"), unname(apply(m, 2, plain[[fn]])) + 0,
            tolerance = 1e-13, info = fn
        )
        expect_equal(
            along("lineages"), unname(apply(m, 1, plain[[fn]])) + 0,
            tolerance = 1e-13, info = fn
        )
        expect_equal(
            along("all"), plain[[fn]](as.vector(m)) + 0, tolerance = 1e-13,
            info = fn
        )
    }
})

test_that("the numbers are those of numpy and scipy", {
    expect_equal(
        as.vector(summarizeLineages(x, "std")), c(
            0.120232122538314, 0.095005725049503, 0.060750583875435,
            0.088726964356526, 0.025017783239855
        ), tolerance = 1e-13
    )
    expect_equal(as.vector(summarizeLineages(x, "argmin")), c(11, 8, 2, 12, 10))
    expect_equal(
        as.vector(summarizeLineages(x, "entropy")), c(
            2.162576569762884, 2.442525219859077, 2.363487420653752,
            2.425026423904167, 2.466184843316539
        ), tolerance = 1e-13
    )
})

test_that("names and colours go along", {
    cells <- summarizeLineages(x, "max")
    expect_identical(dim(cells), c(1L, 5L))
    expect_identical(lineageNames(cells), paste("max of", LETTERS[1:5]))
    expect_identical(unname(lineageColors(cells)), unname(lineageColors(x)))
    named <- x
    rownames(named) <- letters[1:12]
    lineages <- summarizeLineages(named, "max", along = "lineages")
    expect_identical(dim(lineages), c(12L, 1L))
    expect_identical(
        lineageColors(lineages), c("max of A, B, C, D, E" = "#808080")
    )
    expect_identical(rownames(lineages), letters[1:12])
    all <- summarizeLineages(x, "max", along = "all")
    expect_identical(dim(all), c(1L, 1L))
    expect_identical(lineageNames(all), "max")
    expect_identical(summarizeLineages(x), summarizeLineages(x, "mean"))
})

test_that("sorting keeps all values", {
    columns <- summarizeLineages(x, "sort")
    expect_identical(unname(as.matrix(columns)), unname(apply(m, 2, sort)))
    expect_identical(lineageNames(columns)[1], "sort of A")
    rows <- summarizeLineages(x, "sort", along = "lineages")
    expect_identical(unname(as.matrix(rows)), unname(t(apply(m, 1, sort))))
    expect_identical(lineageNames(rows), as.character(1:5))
    all <- summarizeLineages(x, "sort", along = "all")
    expect_identical(as.vector(all), sort(as.vector(m)))
})

test_that("missing values count unless they are left out", {
    gap <- x
    gap[3, ] <- NA
    for (fn in names(plain)) {
        expect_true(all(is.na(summarizeLineages(gap, fn))), info = fn)
        expect_false(any(is.nan(summarizeLineages(gap, fn))), info = fn)
        kept <- as.vector(summarizeLineages(gap, fn, na_rm = TRUE))
        if (!startsWith(fn, "arg")) {
            expect_equal(kept, as.vector(summarizeLineages(x[-3, ], fn)))
        }
        along <- summarizeLineages(gap, fn, "lineages", na_rm = TRUE)
        expect_identical(which(is.na(along)), 3L, info = fn)
    }
    expect_equal(
        as.vector(summarizeLineages(gap, "argmax", na_rm = TRUE)),
        unname(apply(as.matrix(gap), 2, which.max)) + 0
    )
    expect_identical(
        unname(summarizeLineages(gap, "sort")[12, , drop = TRUE]),
        rep(NA_real_, 5)
    )
    zero <- Lineage(rbind(c(0, 0), c(0, 1)))
    expect_identical(
        as.vector(summarizeLineages(zero, "entropy", "lineages")), c(NA, 0)
    )
})

test_that("the same bits on any number of threads, and arguments are checked", {
    big <- Lineage(matrix((seq_len(40000) * 0.618) %% 1, ncol = 4))
    for (fn in c(names(plain), "sort")) {
        for (along in c("cells", "lineages")) {
            expectSameBits(function(threads) {
                summarizeLineages(big, fn, along, n_threads = threads)
            })
        }
    }
    expectFailure(summarizeLineages(x, "median"), "range")
    expectFailure(summarizeLineages(x, along = "genes"), "range")
    expectFailure(summarizeLineages(x, na_rm = NA), "type")
    expectFailure(summarizeLineages(x, na.rm = TRUE), "unknown_argument")
    expectFailure(summarizeLineages(m), "type")
})
