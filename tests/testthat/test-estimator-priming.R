some <- function() {
    p <- rbind(
        a = c(0.5, 0.3, 0.2), b = c(0.2, 0.2, 0.6), c = c(0.9, 0.05, 0.05),
        d = c(1, 0, 0), e = c(0, 0.5, 0.5)
    )
    colnames(p) <- c("A", "B", "C")
    Lineage(p)
}

stretch <- function(v) (v - min(v)) / (max(v) - min(v))

test_that("the degree is the scaled divergence or entropy lost", {
    p <- as.matrix(some())
    for (early in list(1:5, c(1, 3))) {
        q <- colMeans(p[early, , drop = FALSE])
        raw <- apply(p, 1, function(row) {
            sum(ifelse(row > 0, row * log2(row / q), 0))
        })
        got <- primingDegree(some(), early_cells = early)
        expect_equal(got, stretch(raw), tolerance = 1e-13)
        raw[c("d", "e")] <- 1
        got <- primingDegree(some(), early_cells = early, compat = TRUE)
        expect_equal(got, stretch(raw), tolerance = 1e-13)
    }
    h <- apply(p, 1, function(row) -sum(row[row > 0] * log(row[row > 0])))
    expect_equal(
        primingDegree(some(), "entropy"), stretch(max(h) - h),
        tolerance = 1e-13
    )
    expect_identical(names(primingDegree(some())), letters[1:5])
})

test_that("every form of early cells means the same", {
    x <- some()
    want <- primingDegree(x, early_cells = c(1, 2))
    expect_identical(primingDegree(x, early_cells = c("a", "b")), want)
    expect_identical(
        primingDegree(x, early_cells = c(TRUE, TRUE, FALSE, FALSE, FALSE)), want
    )
    bare <- Lineage(unname(as.matrix(x)))
    expect_identical(primingDegree(bare, early_cells = 1:2), unname(want))
    fit <- fitted()
    labels <- tree()$cell_type
    byList <- computeLineagePriming(
        fit, early_cells = list(cell_type = "root")
    )
    byMask <- computeLineagePriming(fit, early_cells = labels == "root")
    expect_identical(primingDegree(byList), primingDegree(byMask))
    expect_identical(
        primingDegree(byList),
        primingDegree(fateProbabilities(fit), early_cells = labels == "root")
    )
})

test_that("degrees run from 0 to 1 and grow along the way", {
    fit <- fitted()
    for (method in c("kl_divergence", "entropy")) {
        degree <- primingDegree(computeLineagePriming(
            fit, method, early_cells = list(cell_type = "root")
        ))
        expect_identical(range(degree), c(0, 1))
        root <- tree()$cell_type == "root"
        expect_lt(max(degree[root]), min(degree[!is.na(terminalStates(fit))]))
    }
})

test_that("cells without fates stay NA, and equal scores are 0", {
    x <- as.matrix(some())
    more <- rbind(x, f = NA)
    expect_identical(
        primingDegree(Lineage(more)), c(primingDegree(some()), f = NA)
    )
    expect_identical(
        unname(primingDegree(Lineage(cbind(A = rep(1, 4))))), rep(0, 4)
    )
})

test_that("the degree is stored as a column and comes back", {
    for (made in list(tree(), seuratFrom(tree()))) {
        fit <- GPCCA(transitionMatrix(fitted()), container = made)
        fit <- setTerminalStates(fit, terminalStates(fitted()))
        fit <- computeLineagePriming(computeFateProbabilities(fit))
        object <- container(fit)
        expect_true(.keyPriming() %in% .cellDataNames(object))
        expect_identical(primingDegree(object), primingDegree(fit))
        expect_identical(
            parameters(object, .keyPriming())$method, "kl_divergence"
        )
        expectFailure(primingDegree(object, backward = TRUE), "not_computed")
    }
    expect_output(show(fit), "priming: by kl_divergence")
    expectFailure(
        primingDegree(computeFateProbabilities(fit)), "not_computed"
    )
})

test_that("early cells that cannot answer are refused", {
    x <- some()
    e <- expectFailure(
        primingDegree(x, early_cells = "d"), "range", list(value = 0)
    )
    expect_match(conditionMessage(e), "lineage 2")
    expectFailure(primingDegree(x, early_cells = character()), "range")
    expectFailure(primingDegree(x, early_cells = rep(FALSE, 5)), "range")
    expectFailure(primingDegree(x, early_cells = "z"), "missing_key")
    expectFailure(primingDegree(x, early_cells = 9), "range")
    expectFailure(primingDegree(x, early_cells = TRUE), "shape")
    expectFailure(
        primingDegree(x, early_cells = list(cell_type = "root")),
        "container_class"
    )
    fit <- fitted()
    expectFailure(computeLineagePriming(
        fit, early_cells = list(cell_type = "root", other = "a")
    ), "shape")
    expectFailure(
        computeLineagePriming(fit, early_cells = list(nothing = "a")),
        "missing_key"
    )
    expectFailure(
        computeLineagePriming(fit, early_cells = list(cell_type = "nobody")),
        "missing_key"
    )
    none <- Lineage(rbind(as.matrix(x), f = NA))
    expectFailure(primingDegree(none, early_cells = "f"), "no_state")
    expectFailure(primingDegree(x - 1), "not_computed")
    expectFailure(primingDegree(Lineage(x - 1)), "range")
    expectFailure(primingDegree(x, "other"), "range")
    expectFailure(primingDegree(x, cells = 1), "unknown_argument")
    bare <- setTerminalStates(GPCCA(diag(3)), list(a = 1))
    expectFailure(computeLineagePriming(bare), "not_computed")
})

test_that("bits do not depend on threads", {
    p <- fateProbabilities(fitted())
    expectSameBits(function(threads) primingDegree(p, n_threads = threads))
})

test_that("both methods agree with the peer's on real data", {
    skip_if_no_reference()
    peer <- readReference()$reference
    p <- Lineage(peer$fate_probabilities)
    for (method in c("kl_divergence", "entropy")) {
        got <- unname(primingDegree(p, method, compat = TRUE))
        expect_lte(max(abs(got - peer$priming[[method]])), 1e-6)
    }
})
