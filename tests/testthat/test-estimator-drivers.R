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
        computeLineageDrivers(fit, confidence_level = 1.01), "range"
    )
    expectFailure(computeLineageDrivers(fit, method = "t"), "range")
    expectFailure(computeLineageDrivers(
        fit, method = "perm_test", n_perms = 0
    ), "range")
    expectFailure(computeLineageDrivers(
        fit, lineages = c(fate, paste0(fate, ", ", lineageNames(fit)[2]))
    ), "duplicate_names")
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
    solved <- computeEigendecomposition(bare, k = 4)
    table <- drivers(computeLineageDrivers(solved))
    expect_equal(table[[1]], want, tolerance = 1e-7)
})

test_that("the ends of the confidence level are a point and everything", {
    fit <- fitted()
    point <- drivers(computeLineageDrivers(fit, confidence_level = 0))
    expect_equal(point[[4]], point[[1]], tolerance = 1e-12)
    all <- drivers(computeLineageDrivers(fit, confidence_level = 1))
    expect_identical(unique(all[[4]]), -1)
    expect_identical(unique(all[[5]]), 1)
})

test_that("joint lineages are sums of fate probabilities", {
    fit <- fitted()
    fates <- lineageNames(fit)
    key <- paste(sort(fates[1:2]), collapse = ", ")
    fit <- computeLineageDrivers(
        fit, lineages = paste(rev(sort(fates[1:2])), collapse = ",")
    )
    m <- as.matrix(SummarizedExperiment::assay(tree(), "logcounts"))
    p <- rowSums(as.matrix(fateProbabilities(fit))[, fates[1:2]])
    table <- drivers(fit)
    expect_identical(names(table)[1], paste0(key, "_corr"))
    expect_equal(table[[1]], unname(cor(t(m), p)[, 1]), tolerance = 1e-10)
    expect_identical(drivers(container(fit), key), drivers(fit, key))
    everything <- paste(fates, collapse = ", ")
    expect_warning(
        out <- computeLineageDrivers(fit, lineages = everything),
        class = "fatecast_warning_dropped"
    )
    # All fates together are certain, but for rounding.
    expect_true(all(is.na(drivers(out)[[1]])))
})

test_that("the permutation test is recorded with its seed and repeats", {
    fit <- fitted()
    run <- function(x, ...) {
        computeLineageDrivers(x, method = "perm_test", n_perms = 40, ...)
    }
    a <- withr::with_seed(9, run(fit))
    params <- parameters(a, "terminal_lineage_drivers")
    expect_identical(params$n_perms, 40L)
    b <- run(fit, random_state = params$random_state, n_threads = 1)
    expect_identical(drivers(a), drivers(b))
    expect_false(identical(drivers(a), drivers(run(fit, random_state = 3))))
    # The other test draws nothing from R's generator.
    withr::with_seed(1, {
        computeLineageDrivers(fit)
        after <- stats::runif(1)
    })
    expect_identical(after, withr::with_seed(1, stats::runif(1)))
    expect_identical(drivers(container(a)), drivers(a))
    expect_equal(
        drivers(a)[[1]], drivers(fit)[[1]], tolerance = 1e-12
    )
})

test_that("a Seurat object gives the same drivers", {
    skip_if_not_installed("SeuratObject")
    fit <- fitted()
    seurat <- fit
    seurat@container <- seuratFrom(tree())
    for (method in c("fisher", "perm_test")) {
        run <- function(x) computeLineageDrivers(
            x, method = method, n_perms = 40, random_state = 2
        )
        a <- run(fit)
        b <- run(seurat)
        expect_equal(drivers(b), drivers(a), tolerance = 1e-12)
        expect_equal(
            drivers(container(b), lineageNames(fit)[1]),
            drivers(a, lineageNames(fit)[1]), tolerance = 1e-12
        )
    }
})

test_that("another experiment has drivers of its own", {
    fit <- fitted()
    sce <- tree()
    few <- sce[1:20, ]
    raw <- SingleCellExperiment::SingleCellExperiment(
        SummarizedExperiment::assays(few)["logcounts"]
    )
    rownames(raw) <- paste0("raw", seq_len(20))
    SingleCellExperiment::altExp(sce, "raw") <- raw
    fit@container <- sce
    raw <- computeLineageDrivers(fit, experiment = "raw")
    expect_identical(rownames(drivers(raw)), paste0("raw", seq_len(20)))
    expect_equal(
        drivers(raw)[[1]], drivers(fit)[1:20, 1], tolerance = 1e-12
    )
    expect_identical(drivers(container(raw)), drivers(raw))
    expectFailure(computeLineageDrivers(fit, experiment = "no"), "missing_key")
    data <- plotLineageDriversData(raw, lineageNames(fit)[1], n_genes = 2)
    expect_true(all(startsWith(as.character(data$gene), "raw")))
})

test_that("renamed lineages keep their drivers", {
    table <- data.frame(A_corr = 1, A_pval = 2, A_qval = 3, A_ci_low = 4,
        A_ci_high = 5)
    names <- names(table)
    table <- cbind(table, stats::setNames(table, sub("A_", "A, B_", names)))
    out <- .renameDrivers(table, c(A = "Z", B = "B"))
    expect_identical(.driverLineages(out), c("Z", "B, Z"))
    expect_identical(unname(out), unname(table))
})
