test_that("times must be a complete factor of two levels", {
    sce <- courseSCE()
    expectFailure(computeCouplings(sce, "age"), "missing_key")
    sce$number <- as.integer(sce$day)
    expectFailure(computeCouplings(sce, "number"), "type",
        list(key = "number"))
    bad <- sce
    bad$day[3] <- NA
    expectFailure(computeCouplings(bad, "day"), "range", list(cells = "c3"))
    expectFailure(computeCouplings(sce[, sce$day == "0"], "day"), "range",
        list(value = 1L))
})

test_that("levels that are no numbers need delta_t", {
    sce <- courseSCE()
    levels(sce$day) <- c("early_1", "late_1")
    expectFailure(computeCouplings(sce, "day"), "range",
        list(argument = "delta_t"))
    found <- quietCouplings(sce, "day", delta_t = 1)
    expect_identical(names(found), "early_1_late_1")
    expect_identical(
        attr(found, "pairs"), data.frame(source = "early_1", target = "late_1")
    )
    expectFailure(computeCouplings(sce, "day", delta_t = 0), "range",
        list(value = 0))
    expectFailure(computeCouplings(sce, "day", delta_t = 1:3), "type")
    levels(sce$day) <- c("2", "1")
    expectFailure(computeCouplings(sce, "day"), "range",
        list(argument = "delta_t"))
})

test_that("pairs must be known, ordered and single", {
    sce <- courseSCE(c(30L, 30L, 30L))
    run <- function(...) computeCouplings(sce, "day", pairs = cbind(...))
    expectFailure(run("0", "5"), "missing_key", list(key = "5"))
    expectFailure(run("1", "0"), "range", list(pairs = "1 -> 0"))
    expectFailure(run(c("0", "0"), c("1", "1")), "range")
    expectFailure(computeCouplings(sce, "day", pairs = list(1)), "type")
    expectFailure(computeCouplings(sce, "day", policy = "star"), "range")
})

test_that("growth rates must be positive in every source cell", {
    sce <- courseSCE()
    run <- function() computeCouplings(sce, "day", growth_key = "g")
    expectFailure(run(), "missing_key")
    sce$g <- as.character(sce$growth)
    expectFailure(run(), "type", list(key = "g"))
    for (bad in c(NA, 0, -1, Inf)) {
        sce$g <- replace(sce$growth, c(2, 60), bad)
        expectFailure(run(), "range", list(cells = "c2", count = 1L))
    }
})

test_that("numbers outside their range are refused", {
    sce <- courseSCE()
    run <- function(...) computeCouplings(sce, "day", ...)
    for (bad in list(
        list(epsilon = 0), list(epsilon = Inf), list(lambda1 = -1),
        list(lambda2 = 0), list(growth_iters = 0), list(threshold = 101),
        list(threshold = -1), list(threshold = "none"),
        list(threshold = c(row_mass = 0)), list(tolerance = 1e-14),
        list(max_iter = 0), list(n_groups = -1), list(scale_cost = "sum"),
        list(scale_cost = 0), list(n_pcs = 0)
    )) {
        expectFailure(do.call(run, bad), "range")
    }
    expectFailure(run(epsilon = NaN), "type")
    expectFailure(run(lamda1 = 1), "unknown_argument")
    expectFailure(run(use_rep = "none"), "missing_key")
})

test_that("coordinates must be finite and not all equal", {
    sce <- courseSCE()
    bad <- sce
    SingleCellExperiment::reducedDim(bad, "PCA")[4, 1] <- NA
    expectFailure(computeCouplings(bad, "day"), "range", list(cells = "c4"))
    SingleCellExperiment::reducedDim(bad, "PCA")[] <- 1
    expectFailure(computeCouplings(bad, "day"), "range")
})

test_that("costs must fit the cells", {
    sce <- courseSCE()
    good <- matrix(1, 40, 50)
    run <- function(cost, ...) quietCouplings(sce, "day", cost = cost, ...)
    expectFailure(run(t(good)), "shape", list(dim = c(50L, 40L)))
    expectFailure(run(replace(good, 7, -1)), "range", list(count = 1L))
    expectFailure(run(replace(good, 7, NaN)), "range")
    expectFailure(run("euclidean"), "type")
    expectFailure(run(list("0_2" = good)), "missing_key", list(key = "0_1"))
    lonely <- good
    lonely[3, ] <- Inf
    expectFailure(run(lonely), "range", list(cells = "c3"))
    expectFailure(run(function(x, y) 1), "shape", list(argument = "cost"))
    named <- matrix(stats::runif(2000), 40, 50, dimnames = list(
        colnames(sce)[1:40], colnames(sce)[41:90]
    ))
    turned <- run(named[40:1, 50:1])
    expect_equal(run(named)[[1]], turned[[1]])
    rownames(named)[2] <- "else"
    expectFailure(run(named), "container_cells", list(cells = "c2"))
    withr::local_options(fatecast.memory_limit = 1000)
    expectFailure(run(function(x, y) good), "memory")
    expectFailure(run(good, threshold = NULL), "memory",
        list(entries = 2000))
})

test_that("weak input and lossy output are said", {
    sce <- courseSCE(c(20L, 40L))
    said <- expect_warning(
        computeCouplings(sce, "day", threshold = c(row_mass = 0.9)),
        class = "fatecast_warning_unreliable"
    )
    expect_identical(said$pairs, "0_1")
    sce <- courseSCE()
    said <- expect_warning(
        computeCouplings(
            sce, "day", lambda1 = 0.2, threshold = c(row_mass = 0.9)
        ), class = "fatecast_warning_unreliable"
    )
    expect_identical(said$argument, "lambda1")
    sce$wide <- 10^(6 * seq_len(90) / 90)
    said <- expect_warning(
        computeCouplings(
            sce, "day", growth_key = "wide", threshold = c(row_mass = 0.9),
            delta_t = 2
        ), class = "fatecast_warning_unreliable"
    )
    expect_gt(said$value, 1e4)
    said <- expect_warning(
        computeCouplings(sce, "day", threshold = 99.9),
        class = "fatecast_warning_dropped"
    )
    expect_lt(said$kept, 0.5)
    said <- expect_warning(
        computeCouplings(
            sce, "day", max_iter = 1, threshold = c(row_mass = 0.9)
        ), class = "fatecast_warning_not_converged"
    )
    expect_identical(said$pairs, "0_1")
    SingleCellExperiment::reducedDim(sce, "PCA")[5, ] <- 500
    said <- expect_warning(
        computeCouplings(sce, "day", threshold = c(row_mass = 0.9)),
        class = "fatecast_warning_dropped"
    )
    expect_identical(said$cells, "c5")
})
