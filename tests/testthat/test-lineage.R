values <- matrix(c(0.7, 0.2, 0.5, 0.3, 0.8, 0.5), 3, dimnames = list(
    c("c1", "c2", "c3"), c("EN", "Posterior EN")
))
x <- Lineage(values, colors = c("steelblue", "#D62728"))

test_that("a Lineage knows its names and colours", {
    expect_s4_class(x, "Lineage")
    expect_true(methods::validObject(x))
    expect_identical(lineageNames(x), c("EN", "Posterior EN"))
    expect_identical(
        lineageColors(x), c(EN = "#4682b4", "Posterior EN" = "#d62728")
    )
    expect_identical(dim(x), c(3L, 2L))
    expect_identical(rownames(x), c("c1", "c2", "c3"))
    expect_identical(as.matrix(x), values)
    named <- c("Posterior EN" = "red", EN = "blue")
    expect_identical(
        unname(lineageColors(Lineage(values, colors = named))),
        c("#0000ff", "#ff0000")
    )
})

test_that("construction takes vectors, tables and Lineages", {
    one <- Lineage(c(a = 1, b = 2), names = "A")
    expect_identical(dim(one), c(2L, 1L))
    expect_identical(rownames(one), c("a", "b"))
    expect_identical(lineageNames(Lineage(matrix(1, 2, 2))), c("1", "2"))
    expect_identical(Lineage(x), x)
    expect_identical(lineageColors(Lineage(x, c("A", "B")))[["A"]], "#4682b4")
    expect_identical(as.matrix(Lineage(as.data.frame(x))), values)
    expect_identical(
        unname(lineageColors(Lineage(values))), c("#1f77b4", "#ff7f0e")
    )
    expect_identical(sum(is.na(Lineage(c(NA, 1)))), 1L)
})

test_that("construction refuses what is no Lineage", {
    shape <- "fatecast_error_shape"
    type <- "fatecast_error_type"
    expect_error(Lineage(matrix(0, 0, 2)), class = shape)
    expect_error(Lineage(matrix(0, 2, 0)), class = shape)
    expect_error(Lineage(array(0, c(1, 1, 1))), class = shape)
    expect_error(Lineage(values, names = "a"), class = shape)
    expect_error(Lineage(values, colors = "red"), class = shape)
    expect_error(Lineage(values, colors = c("red", "x")), class = type)
    expect_error(Lineage(matrix("a")), class = type)
    expect_error(
        Lineage(values, names = c(1, "1")),
        class = "fatecast_error_duplicate_names"
    )
    expect_error(Lineage(matrix(0, 1, 63)), class = "fatecast_error_range")
})

test_that("every kind of index keeps values, names and colours together", {
    big <- Lineage(
        matrix(seq_len(20) / 20, 5, dimnames = list(letters[1:5], LETTERS[1:4]))
    )
    plain <- as.matrix(big)
    rows <- list(2L, c(3, 1), -1L, c(TRUE, FALSE, TRUE, TRUE, FALSE), "b")
    columns <- list(2L, c(4, 2), -3L, c(TRUE, FALSE, TRUE, FALSE), c("D", "A"))
    for (i in rows) {
        for (j in columns) {
            got <- big[i, j]
            expect_identical(as.matrix(got), plain[i, j, drop = FALSE])
            expect_identical(
                lineageColors(got), lineageColors(big)[lineageNames(got)]
            )
            expect_identical(got, big[i, ][, j])
        }
    }
    expect_identical(big[, ], big)
})

test_that("one name selects lineages, one number a value", {
    expect_identical(x["EN"], x[, "EN"])
    expect_identical(lineageNames(x["Posterior EN"]), "Posterior EN")
    expect_identical(x[2], 0.2)
    expect_identical(x[values > 0.6], c(0.7, 0.8))
    expect_identical(x[, c("EN", "EN")], x[, "EN"])
    expect_identical(dim(x[1, 1]), c(1L, 1L))
    expect_identical(
        x[, "EN", drop = TRUE], c(c1 = 0.7, c2 = 0.2, c3 = 0.5)
    )
    expect_identical(x[["EN"]], x[, "EN", drop = TRUE])
    expect_identical(x[["c2", "EN"]], 0.2)
})

test_that("indices that name nothing are errors", {
    missing <- "fatecast_error_missing_key"
    expect_error(x[, "E"], class = missing)
    expect_error(x["c9", ], class = missing)
    expect_error(x[["E"]], class = missing)
    expect_error(x[, 3], class = "fatecast_error_range")
    expect_error(x[4, ], class = "fatecast_error_range")
    expect_error(x[c(1, NA), ], class = "fatecast_error_range")
    expect_error(x[c(TRUE, FALSE), ], class = "fatecast_error_shape")
    expect_error(x[, integer()], class = "fatecast_error_shape")
    expect_error(x[[c("EN", "Posterior EN")]], class = "fatecast_error_shape")
    error <- tryCatch(x[, "E"], error = identity)
    expect_identical(error$key, "E")
    expect_match(conditionMessage(error), "Posterior EN", fixed = TRUE)
})

test_that("arithmetic leaves the class", {
    expect_identical(x * 2, values * 2)
    expect_identical(1 - x, 1 - values)
    expect_identical(x + x, values + values)
    expect_identical(x / values, values / values)
    expect_identical(-x, -values)
    expect_identical(!x, !values)
    expect_identical(x > 0.5, values > 0.5)
    expect_identical(log(x), log(values))
    expect_identical(round(x), round(values))
    expect_identical(round(x, 1), round(values, 1))
    expect_identical(t(x), t(values))
    expect_identical(x %*% t(x), values %*% t(values))
    expect_identical(rowSums(x), rowSums(values))
    expect_identical(sum(x), sum(values))
})

test_that("names can be set, and are checked", {
    y <- x
    colnames(y) <- c("A", "B")
    expect_identical(lineageColors(y), c(A = "#4682b4", B = "#d62728"))
    expect_identical(unname(as.matrix(y)), unname(values))
    expect_error(
        colnames(y) <- c("A", "A"),
        class = "fatecast_error_duplicate_names"
    )
    expect_error(dimnames(y) <- NULL, class = "fatecast_error_shape")
})

test_that("validity looks at names and colours", {
    bad <- x
    bad@colors <- "red"
    expect_error(methods::validObject(bad), "one colour per lineage")
    bad@colors <- c("red", "blue")
    expect_error(methods::validObject(bad), "rrggbb")
})

test_that("a long Lineage prints ten cells of each end", {
    long <- Lineage(matrix(seq_len(220) / 220, 110))
    text <- utils::capture.output(show(long))
    expect_identical(text[1L], "Lineage: 110 cells x 2 lineages")
    expect_length(text, 23L)
    expect_identical(text[13L], "... 90 cells more ...")
    expect_length(utils::capture.output(show(x)), 5L)
    expect_identical(BiocGenerics::updateObject(x), x)
})

test_that("accessors refuse unknown arguments", {
    expect_error(
        lineageNames(x, 1),
        class = "fatecast_error_unknown_argument"
    )
})
