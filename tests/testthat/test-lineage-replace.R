values <- matrix(c(0.7, 0.2, 0.5, 0.3, 0.8, 0.5), 3, dimnames = list(
    c("c1", "c2", "c3"), c("A", "B")
))
x <- Lineage(values, colors = c("red", "blue"))

test_that("names and colours can be set, and are checked", {
    y <- x
    lineageNames(y) <- c(1, 2)
    expect_identical(lineageColors(y), c("1" = "#ff0000", "2" = "#0000ff"))
    expect_identical(rownames(y), rownames(x))
    lineageColors(y) <- c("2" = "black", "1" = "white")
    expect_identical(lineageColors(y), c("1" = "#ffffff", "2" = "#000000"))
    expect_identical(lineageColors(x), c(A = "#ff0000", B = "#0000ff"))
    expectFailure(lineageNames(y) <- c("A", "A"), "duplicate_names")
    expectFailure(lineageNames(y) <- c(1, "1"), "duplicate_names")
    expectFailure(lineageNames(y) <- "A", "shape")
    expectFailure(lineageNames(y) <- NULL, "shape")
    expectFailure(lineageColors(y) <- "red", "shape")
    expectFailure(lineageColors(y) <- c("red", "no colour"), "type")
})

test_that("assigned values keep the class", {
    indices <- list(
        quote(y[2, "B"] <- 0.1), quote(y["c2", ] <- c(1, 0)),
        quote(y[, 1] <- 0), quote(y[c(TRUE, FALSE, TRUE), 2:1] <- 9),
        quote(y[2] <- 5), quote(y[as.matrix(y) > 0.4] <- NA), quote(y[] <- 0)
    )
    for (assign in indices) {
        y <- x
        eval(assign)
        got <- y
        y <- values
        eval(assign)
        expect_identical(as.matrix(got), y, info = deparse(assign))
        expect_true(methods::validObject(got))
        expect_identical(lineageColors(got), lineageColors(x))
    }
    y <- x
    y["B"] <- 0.5
    expect_identical(y[["B"]], c(c1 = 0.5, c2 = 0.5, c3 = 0.5))
    y["c1", ] <- x["c2", ]
    expect_identical(y[["c1", "A"]], 0.2)
})

test_that("what does not fit is not assigned", {
    y <- x
    expectFailure(y[1, 1] <- "a", "type")
    expectFailure(y[1, "C"] <- 1, "missing_key")
    expectFailure(y[4, 1] <- 1, "range")
    expectFailure(y[7] <- 1, "range")
    expectFailure(y[, 1] <- c(1, 2), "shape")
    expectFailure(y[1:2] <- numeric(), "shape")
    expect_identical(y, x)
})

test_that("three indices are too many", {
    expectFailure(x[1, 1, 1], "shape")
    expect_identical(x[1, 1, drop = TRUE], 0.7)
})

test_that("files and ends keep a Lineage as it is", {
    file <- withr::local_tempfile(fileext = ".rds")
    saveRDS(x, file)
    expect_identical(readRDS(file), x)
    expect_identical(utils::head(x, 2), x[1:2, ])
    expect_identical(utils::tail(x, 1)[["A"]], x[3, ][["A"]])
    expect_identical(t(t(x)), values)
})
