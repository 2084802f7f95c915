values <- matrix(
    c(0.7, 0.2, 0.5, 0.2, 0.3, 0.1, 0.1, 0.5, 0.4), 3,
    dimnames = list(c("c1", "c2", "c3"), c("EN", "Posterior EN", "X"))
)
x <- Lineage(values, colors = c("#ff0000", "#00ff00", "#0000ff"))

test_that("keys are split, sorted, summed and coloured", {
    mixed <- mixLineages(x, c("X", " Posterior EN ,EN"))
    expect_identical(lineageNames(mixed), c("X", "EN, Posterior EN"))
    expect_equal(
        unname(as.matrix(mixed)), unname(cbind(
            values[, 3], values[, 1] + values[, 2]
        )), tolerance = 1e-15
    )
    # The mean of red and green in hue is yellow.
    expect_identical(unname(lineageColors(mixed)), c("#0000ff", "#ffff00"))
    expect_identical(rownames(mixed), rownames(x))
    expect_identical(mixLineages(x, colnames(x)), x)
    expect_identical(
        mixLineages(x[2:3, ], "X, EN"), mixLineages(x, "EN,X")[2:3, ]
    )
})

test_that("the rest is what no other key names", {
    mixed <- mixLineages(x, c("rest", "EN"))
    expect_identical(lineageNames(mixed), c("rest", "EN"))
    expect_equal(mixed[["rest"]], values[, 2] + values[, 3])
    expect_identical(lineageColors(mixed)[["rest"]], "#00ffff")
    expect_equal(unname(rowSums(mixLineages(x, "rest"))), rep(1, 3))
    own <- Lineage(values, names = c("rest", "a", "b"))
    expect_identical(mixLineages(own, c("rest")), own[, "rest"])
    expectFailure(
        mixLineages(x, c("EN, X, Posterior EN", "rest")), "missing_key",
        list(key = "rest")
    )
})

test_that("a lineage with a comma in its name is that lineage", {
    joint <- Lineage(values, names = c("A, B", "C", "D"))
    expect_identical(mixLineages(joint, "A, B"), joint[, "A, B"])
    expect_identical(
        lineageNames(mixLineages(joint, c("D, C", "A, B"))), c("C, D", "A, B")
    )
})

test_that("keys that overlap or name nothing are errors", {
    expectFailure(
        mixLineages(x, c("EN", "X, EN")), "duplicate_names", list(names = "EN")
    )
    expectFailure(mixLineages(x, "EN, EN"), "duplicate_names")
    expectFailure(mixLineages(x, c("rest", "rest")), "duplicate_names")
    e <- expectFailure(mixLineages(x, "EN, Y"), "missing_key", list(key = "Y"))
    expect_match(conditionMessage(e), "Posterior EN", fixed = TRUE)
    expectFailure(mixLineages(x, ","), "missing_key")
    expectFailure(mixLineages(x, character()), "shape")
    expectFailure(mixLineages(x, 1), "type")
    expectFailure(mixLineages(values, "EN"), "type", list(argument = "x"))
    expectFailure(mixLineages(x, "EN", TRUE), "unknown_argument")
})

test_that("cells without values have none afterwards", {
    gap <- x
    gap[2, ] <- NA
    expect_identical(
        is.na(mixLineages(gap, "EN, X")[[1]]),
        c(c1 = FALSE, c2 = TRUE, c3 = FALSE)
    )
})

test_that("one lineage per cell is followed", {
    picked <- pickLineages(x, c("X", "EN", "X"))
    expect_identical(dim(picked), c(3L, 1L))
    expect_identical(lineageNames(picked), "mixture")
    expect_identical(unname(lineageColors(picked)), "#000000")
    expect_identical(picked[["mixture"]], c(c1 = 0.1, c2 = 0.2, c3 = 0.4))
    by_number <- pickLineages(x, c(3, 1, 3))
    by_factor <- pickLineages(x, factor(c(c1 = "X", c2 = "EN", c3 = "X")))
    expect_identical(by_number, picked)
    expect_identical(by_factor, picked)
    expect_identical(
        pickLineages(x, c(3, NA, 2))[[1]], c(c1 = 0.1, c2 = NA, c3 = 0.1)
    )
    expect_identical(pickLineages(x[2, ], "X")[[1]], c(c2 = 0.5))
})

test_that("wrong picks are errors", {
    expectFailure(pickLineages(x, c("X", "EN")), "shape", list(n = 2L))
    expectFailure(pickLineages(x, c("X", "EN", "Z")), "missing_key")
    expectFailure(pickLineages(x, c(1, 2, 4)), "range")
    expectFailure(pickLineages(x, c(1, 2, 1.5)), "range")
    expectFailure(pickLineages(x, c(1, 2, -1)), "range")
    expectFailure(pickLineages(x, list(1, 2, 3)), "type")
    expectFailure(pickLineages(x, c(TRUE, FALSE, TRUE)), "type")
    expectFailure(
        pickLineages(x, c(c1 = "X", c3 = "X", c2 = "X")), "container_cells"
    )
})

test_that("estimators and objects stand for their fate probabilities", {
    fit <- fitted()
    keys <- paste(lineageNames(fit)[1:2], collapse = ",")
    expect_identical(
        mixLineages(fit, keys), mixLineages(fateProbabilities(fit), keys)
    )
    expect_identical(mixLineages(container(fit), keys), mixLineages(fit, keys))
    expectFailure(mixLineages(GPCCA(blocks()), "A"), "not_computed")
})
