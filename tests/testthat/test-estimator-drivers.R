test_that("correlations, p-values, intervals and q-values are base R's", {
    fit <- fitted()
    m <- as.matrix(SummarizedExperiment::assay(tree(), "logcounts"))
    f <- as.matrix(fateProbabilities(fit))
    table <- drivers(fit)
    n <- ncol(m)
    for (k in colnames(f)) {
        r <- table[[paste0(k, "_corr")]]
        expect_equal(r, unname(cor(t(m), f[, k])[, 1]), tolerance = 1e-12)
        p <- 2 * pnorm(-abs(atanh(r)) * sqrt(n - 3))
        expect_equal(table[[paste0(k, "_pval")]], p, tolerance = 1e-9)
        expect_equal(
            table[[paste0(k, "_qval")]], p.adjust(p, "BH"), tolerance = 1e-9
        )
    }
    gene <- which.max(table[[1]])
    ci <- cor.test(m[gene, ], f[, 1])$conf.int
    expect_equal(table[gene, 4], ci[1], tolerance = 1e-10)
    expect_equal(table[gene, 5], ci[2], tolerance = 1e-10)
})

test_that("every kind of assay gives the same table", {
    fit <- fitted()
    m <- SummarizedExperiment::assay(tree(), "logcounts")
    with <- function(m) {
        SummarizedExperiment::assay(fit@container, "other") <- m
        drivers(computeLineageDrivers(fit, assay = "other", n_threads = 2))
    }
    want <- drivers(fit)
    expect_equal(with(as.matrix(m)), want, tolerance = 1e-12)
    expect_equal(
        with(DelayedArray::DelayedArray(m)), want, tolerance = 1e-12
    )
    skip_if_not_installed("HDF5Array")
    path <- withr::local_tempfile(fileext = ".h5")
    stored <- HDF5Array::writeHDF5Array(as.matrix(m), path, "x")
    dimnames(stored) <- dimnames(m)
    expect_equal(with(stored), want, tolerance = 1e-12)
})

test_that("the tidy table is sorted, and lineages are checked", {
    fit <- fitted()
    fate <- lineageNames(fit)[1]
    table <- drivers(fit, fate)
    expect_identical(
        names(table), c("feature", "corr", "pval", "qval", "ci_low", "ci_high")
    )
    expect_false(is.unsorted(rev(table$corr)))
    expectFailure(drivers(fit, "nowhere"), "missing_key")
    expectFailure(computeLineageDrivers(fit, lineages = "no"), "missing_key")
    expectFailure(computeLineageDrivers(fit, assay = "no"), "missing_key")
    expectFailure(
        computeLineageDrivers(fit, confidence_level = 1), "range"
    )
})

test_that("clusters restrict the cells, constant genes get NA", {
    fit <- fitted()
    sce <- tree()
    some <- levels(sce$cell_type)[1:2]
    table <- suppressWarnings(drivers(computeLineageDrivers(
        fit, cluster_key = "cell_type", clusters = some
    )))
    at <- sce$cell_type %in% some
    m <- as.matrix(SummarizedExperiment::assay(sce, "logcounts"))[, at]
    f <- as.matrix(fateProbabilities(fit))[at, 1]
    want <- suppressWarnings(unname(cor(t(m), f)[, 1]))
    expect_equal(table[[1]], want, tolerance = 1e-10)
    expectFailure(computeLineageDrivers(fit, clusters = some), "type")
    expectFailure(computeLineageDrivers(
        fit, cluster_key = "cell_type", clusters = "no"
    ), "missing_key")
    flat <- SummarizedExperiment::assay(sce, "logcounts")
    flat[3, ] <- 1
    SummarizedExperiment::assay(fit@container, "flat") <- flat
    expect_warning(
        out <- computeLineageDrivers(fit, assay = "flat"),
        class = "fatecast_warning_dropped"
    )
    expect_true(is.na(drivers(out)[3, 1]))
})

test_that("a single lineage is replaced by the stationary distribution", {
    fit <- fitted()
    one <- suppressWarnings(computeFateProbabilities(
        fit, keys = lineageNames(fit)[1]
    ))
    table <- drivers(computeLineageDrivers(one))
    m <- as.matrix(SummarizedExperiment::assay(tree(), "logcounts"))
    want <- unname(cor(t(m), stationaryDistribution(fit))[, 1])
    expect_equal(table[[1]], want, tolerance = 1e-10)
    sce <- tree()
    bare <- setTerminalStates(
        GPCCA(transitionMatrix(fit), container = sce),
        list(end = which(terminalStates(fit) %in% lineageNames(fit)[1]))
    )
    bare <- suppressWarnings(computeFateProbabilities(bare))
    expectFailure(computeLineageDrivers(bare), "not_computed")
})
