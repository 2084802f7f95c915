# A table of drivers without an estimator.
driverTable <- function(m, p, method = "perm_test", n_perms = 200, seed = 1,
                        level = 0.95, compat = FALSE, threads = 2,
                        cells = seq_len(ncol(m))) {
    how <- list(
        method = method, confidence_level = level, compat = compat,
        n_perms = n_perms, random_state = seed
    )
    .driverTable(.job(threads), m, cells, p[cells, , drop = FALSE], how)
}

# Genes x cells with zeros, a constant gene and one that follows a lineage.
generatedGenes <- function(seed) {
    withr::with_seed(seed, {
        n <- sample(c(4L, 7L, 20L, 75L, 160L), 1L)
        genes <- sample(c(3L, 9L, 30L), 1L)
        kept <- stats::runif(genes * n) < sample(c(0.1, 0.5, 1), 1L)
        m <- matrix(kept * stats::rnorm(genes * n, 2), genes)
        p <- matrix(stats::rgamma(3 * n, 1), n)
    })
    p <- p / rowSums(p)
    m[1, ] <- 1
    m[2, ] <- p[, 1] * 3
    dimnames(m) <- list(
        paste0("gene", seq_len(genes)), paste0("cell", seq_len(n))
    )
    dimnames(p) <- list(colnames(m), c("A", "B", "C"))
    list(m = m, p = p)
}

test_that("tables keep the laws of correlations, p-values and intervals", {
    for (seed in seq_len(12L)) {
        data <- generatedGenes(seed)
        for (method in c("fisher", "perm_test")) {
            table <- driverTable(data$m, data$p, method, n_perms = 50)
            expect_identical(rownames(table), rownames(data$m))
            for (fate in c("A", "B", "C")) {
                one <- .tidyDrivers(table, fate)
                one <- one[!is.na(one$corr), ]
                expect_true(all(abs(one$corr) <= 1))
                expect_true(all(one$pval >= 0 & one$pval <= 1))
                expect_true(all(one$qval >= one$pval & one$qval <= 1))
                expect_true(all(one$ci_low <= one$ci_high))
            }
            expect_true(all(is.na(table["gene1", ])))
            expect_equal(table["gene2", "A_corr"], 1, tolerance = 1e-12)
            base <- suppressWarnings(stats::cor(t(data$m), data$p))
            base[apply(data$m, 1, function(v) all(v == v[1])), ] <- NA
            corr <- as.matrix(table[paste0(colnames(data$p), "_corr")])
            expect_equal(unname(corr), unname(base), tolerance = 1e-12)
        }
    }
})

test_that("the order of cells and the scale of a gene change nothing", {
    for (seed in 1:6) {
        data <- generatedGenes(seed)
        table <- driverTable(data$m, data$p, "fisher")
        order <- rev(seq_len(ncol(data$m)))
        expect_equal(
            driverTable(data$m[, order], data$p[order, ], "fisher"), table,
            tolerance = 1e-9
        )
        expect_equal(
            driverTable(data$m * 1024, data$p, "perm_test"),
            driverTable(data$m, data$p, "perm_test")
        )
    }
})

test_that("sparse, dense and delayed assays give the same draws", {
    data <- generatedGenes(8)
    want <- driverTable(data$m, data$p)
    sparse <- methods::as(data$m, "CsparseMatrix")
    delayed <- DelayedArray::DelayedArray
    for (m in list(sparse, delayed(data$m), delayed(sparse))) {
        expect_equal(driverTable(m, data$p), want, tolerance = 1e-12)
    }
    some <- seq(2L, ncol(data$m), 2L)
    expect_equal(
        driverTable(sparse, data$p, cells = some),
        driverTable(data$m[, some], data$p[some, ]), tolerance = 1e-12
    )
})

test_that("genes of other blocks change nothing but q-values", {
    data <- generatedGenes(8)
    delayed <- DelayedArray::DelayedArray(data$m)
    blocks <- .featureBlocks(delayed, 8 * 4 * ncol(data$m))
    expect_identical(unlist(blocks), seq_len(nrow(data$m)))
    expect_identical(lengths(blocks)[1:2], c(4L, 4L))
    expect_length(.featureBlocks(data$m), 1L)
    parts <- lapply(blocks, function(block) {
        driverTable(data$m[block, , drop = FALSE], data$p)
    })
    whole <- driverTable(data$m, data$p)
    same <- !endsWith(names(whole), "_qval")
    expect_identical(do.call(rbind, parts)[same], whole[same])
})

test_that("draws depend on the seed alone, not on threads", {
    data <- generatedGenes(8)
    expectSameBits(function(threads) {
        driverTable(data$m, data$p, threads = threads)
    })
    expect_false(identical(
        driverTable(data$m, data$p, seed = 1),
        driverTable(data$m, data$p, seed = 2)
    ))
})

# Every order of n things, one per row.
orders <- function(n) {
    if (n == 1L) return(matrix(1L))
    do.call(rbind, lapply(seq_len(n), function(first) {
        rest <- orders(n - 1L)
        cbind(first, rest + (rest >= first), deparse.level = 0)
    }))
}

test_that("p-values are shares of all orders of the cells, ties included", {
    m <- rbind(
        one = c(0, 0, 2, 0, 0, 0), two = c(1, 0, 0, 0, 1, 0),
        many = c(0.3, 1.2, 0.7, 2, 0.1, 0.9)
    )
    p <- cbind(A = c(0.1, 0.5, 0.9, 0.3, 0.3, 0.2))
    all <- orders(6L)
    expect_identical(nrow(unique(all)), 720L)
    n_perms <- 20000
    found <- driverTable(m, p, n_perms = n_perms)$A_pval
    for (g in seq_len(3)) {
        r <- apply(all, 1, function(o) abs(stats::cor(m[g, ], p[o, 1])))
        exact <- mean(r >= abs(stats::cor(m[g, ], p[, 1])) - 1e-12)
        error <- sqrt(exact * (1 - exact) / n_perms)
        expect_lt(abs(found[g] - exact), 5 * error)
    }
})

test_that("intervals are those of bootstrap samples of cells", {
    data <- withr::with_seed(3, {
        p <- stats::runif(200)
        list(m = rbind(g = p + stats::rnorm(200, sd = 0.4)), p = cbind(A = p))
    })
    found <- driverTable(data$m, data$p, n_perms = 20000)
    draws <- withr::with_seed(4, replicate(20000, {
        at <- sample.int(200L, replace = TRUE)
        stats::cor(data$m[1, at], data$p[at, 1])
    }))
    want <- stats::quantile(draws, c(0.025, 0.975), names = FALSE)
    # Five standard errors of such a quantile are near 0.003 here.
    expect_equal(c(found$A_ci_low, found$A_ci_high), want, tolerance = 0.01)
    wide <- driverTable(data$m, data$p, n_perms = 20000, level = 0.99)
    expect_lt(wide$A_ci_low, found$A_ci_low)
    expect_gt(wide$A_ci_high, found$A_ci_high)
})

test_that("compat gives shares, larger correlations and no near-perfect ones", {
    data <- generatedGenes(8)
    n <- ncol(data$m)
    for (method in c("fisher", "perm_test")) {
        ours <- driverTable(data$m, data$p, method)
        peers <- driverTable(data$m, data$p, method, compat = TRUE)
        expect_true(is.na(peers["gene2", "A_corr"]))
        expect_true(is.na(peers["gene2", "A_pval"]))
        expect_true(is.na(peers["gene2", "A_ci_low"]))
        expect_equal(
            peers$B_corr, ours$B_corr * n / (n - 1), tolerance = 1e-12
        )
    }
    share <- ours$B_pval * 201 - 1
    expect_equal(peers$B_pval, share / 200, tolerance = 1e-12)
})

test_that("values that are not finite are refused, with their cells", {
    data <- generatedGenes(8)
    for (method in c("fisher", "perm_test")) {
        for (bad in c(NA, NaN, Inf)) {
            m <- data$m
            m[3, 5] <- bad
            for (x in list(m, methods::as(m, "CsparseMatrix"))) {
                expectFailure(
                    driverTable(x, data$p, method), "range",
                    list(cells = "cell5")
                )
            }
        }
    }
})
